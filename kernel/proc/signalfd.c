/*
 * signalfd: signals that are read instead of handled. signalfd(2).
 *
 * The object is only a mask. What is read are the pending signals of whoever reads: of the thread, and of its process.
 * So who waits must hear of signals to the process it belongs to, not of anything that the file has.
 *
 * Waiters are on one of a few static queues, found by hashing the process. A queue of the process itself would not do:
 * an epoll set keeps its entry on the queue while the file is open, which may be longer than the process lives. Two
 * processes on one queue cost a look that finds nothing. A process that never used a signalfd pays one test a signal.
 *
 *   reader                                sender (signal.c, siglock held)
 *   on the queue                          signal into the pending set
 *   siglock: uses_signalfd = true;        uses_signalfd? wake the queue
 *            anything pending in mask?
 *
 * Whichever has siglock second sees what the other did.
 *
 * Locks: siglock, then the queue's. Sleeps: read.
 */
#include "abi/errno.h"
#include "fs/anon.h"
#include "fs/proc.h"
#include "ipc/event.h"
#include "lib/hash.h"
#include "mm/slab.h"
#include "proc/life.h"
#include "proc/signal.h"

struct signalfd {
    u64 mask;  // [a]
};

#define QUEUES 16
static struct waitq queues[QUEUES];

static struct waitq *queue_of(const struct process *p) { return &queues[hash_ptr(p) % QUEUES]; }

void signalfd_notify(struct process *p) { waitq_wake(queue_of(p), 1, POLLIN | POLLRDNORM); }

// => siglock held
static bool pending_locked(u64 mask) {
    current->process->uses_signalfd = true;
    return (current->pending.set | current->process->pending.set) & mask;
}

static bool is_pending(const struct signalfd *s) {
    u64 flags = irqlock_acquire(&current->process->siglock);
    bool yes = pending_locked(READ_ONCE(s->mask));
    irqlock_release(&current->process->siglock, flags);
    return yes;
}

// The number of a signal taken from the queues, or 0.
static int take(const struct signalfd *s, struct siginfo *info) {
    u64 flags = irqlock_acquire(&current->process->siglock);
    int sig = pending_locked(READ_ONCE(s->mask)) ? signal_take(READ_ONCE(s->mask), info) : 0;
    signal_recalc();
    irqlock_release(&current->process->siglock, flags);
    return sig;
}

static struct signalfd_siginfo convert(const struct siginfo *i) {
    struct signalfd_siginfo s = {
        .ssi_signo = i->si_signo, .ssi_errno = i->si_errno, .ssi_code = i->si_code};
    if (i->si_code > 0 && i->si_code != SI_KERNEL && SIGMASK(i->si_signo) & SIGNAL_SYNCHRONOUS) {
        s.ssi_addr = (u64)i->si_addr;
        return s;
    }
    if (i->si_code == SI_TIMER) {
        s.ssi_tid = i->si_timerid;
        s.ssi_overrun = i->si_overrun;
    } else {
        s.ssi_pid = i->si_pid;
        s.ssi_uid = i->si_uid;
    }
    if (i->si_signo == SIGCHLD && i->si_code > 0) {
        s.ssi_status = i->si_status;
        s.ssi_utime = i->si_utime;
        s.ssi_stime = i->si_stime;
    } else if (i->si_code < 0) {
        s.ssi_int = i->si_value.sival_int;
        s.ssi_ptr = (u64)i->si_value.sival_ptr;
    }
    return s;
}

// As many as there are and fit; waits for the first only.
static ssize_t signalfd_read(struct file *f, struct iter *to, u64 *pos) {
    struct signalfd *s = f->private_;
    struct siginfo info;
    ssize_t done = 0;
    (void)pos;
    if (to->left < sizeof(struct signalfd_siginfo))
        return -EINVAL;
    while (to->left >= sizeof(struct signalfd_siginfo)) {
        if (take(s, &info)) {
            struct signalfd_siginfo out = convert(&info);
            if (iter_put(to, &out, sizeof(out)) != sizeof(out))
                return done ? done : -EFAULT;
            done += sizeof(out);
        } else if (done) {
            break;
        } else if (f->flags & O_NONBLOCK) {
            return -EAGAIN;
        } else {
            int error =
                wait_event_interruptible(queue_of(current->process), is_pending(s), "signalfd");
            if (error)
                return error;
        }
    }
    return done;
}

static u32 signalfd_poll(struct file *f, struct poll_table *pt) {
    poll_wait(f, queue_of(current->process), pt);
    return is_pending(f->private_) ? POLLIN | POLLRDNORM : 0;
}

static void signalfd_show(struct file *f, struct printer *p) {
    struct signalfd *s = f->private_;
    printer_printf(p, "sigmask:\t%016lx\n", READ_ONCE(s->mask));
}

static const struct file_ops signalfd_ops = {
    .release = anon_release, .read = signalfd_read, .poll = signalfd_poll};
static struct anon_kind signalfd_kind = {
    .name = "signalfd", .ops = &signalfd_ops, .show_info = signalfd_show, .free = kfree};

void signalfd_init(void) {
    for (u32 i = 0; i < QUEUES; i++)
        waitq_init(&queues[i]);
    anon_register(&signalfd_kind);
}

static int change_mask(int fd, u64 mask) {
    struct fd_ref r = fd_get(fd);
    int result = !r.file ? -EBADF : r.file->ops != &signalfd_ops ? -EINVAL : fd;
    if (result >= 0) {
        WRITE_ONCE(((struct signalfd *)r.file->private_)->mask, mask);
        signalfd_notify(current->process);
    }
    fd_put(r);
    return result;
}

int do_signalfd(int fd, u64 mask, u32 flags) {
    if (flags & ~(SFD_NONBLOCK | SFD_CLOEXEC))
        return -EINVAL;
    mask &= ~SIGNAL_UNMASKABLE;
    if (fd != -1)
        return change_mask(fd, mask);
    struct signalfd *s = kzalloc(sizeof(*s));
    if (!s)
        return -ENOMEM;
    s->mask = mask;
    return anon_install(&signalfd_kind, flags, s);
}
