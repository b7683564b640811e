/*
 * Descriptors of processes: pidfd_open(2), clone(2) with CLONE_PIDFD, pidfd_getfd(2).
 *
 * A pidfd is an anonymous file whose object is a struct pid, with a reference. The number is not handed out again while
 * the descriptor is open, so it never comes to mean another process, and pid->nr can stand for it; whether the process is
 * still there is asked at each use. It is readable (poll) when the process has no thread left, and hangs up when it was reaped.
 *
 * Poll against exit:
 *   poller                                  exit.c, with family_lock held
 *   on pid->exit_wait                       nr_threads = 0
 *   family_lock; looks at nr_threads        anybody on exit_wait? wake
 * Whichever has the lock second sees the other, so the queue is looked at without its own lock, and an exit
 * that nobody polls for costs two instructions.
 *
 * Locks: family_lock. May sleep: all but pidfd_wake().
 */
#include "abi/errno.h"
#include "abi/pidfd.h"
#include "fs/anon.h"
#include "fs/proc.h"
#include "proc/life.h"

static void pidfd_release(struct file *f) { pid_put(f->private_); }

static u32 pidfd_poll(struct file *f, struct poll_table *pt) {
    struct pid *pid = f->private_;
    u32 events = 0;
    poll_wait(f, &pid->exit_wait, pt);
    spin_lock(&family_lock);
    struct process *p = pid_process(pid);
    if (!p)
        events = POLLIN | POLLRDNORM | POLLHUP;
    else if (p->nr_threads == 0)
        events = POLLIN | POLLRDNORM;
    spin_unlock(&family_lock);
    return events;
}

static void pidfd_show(struct file *f, struct printer *printer) {
    struct pid *pid = f->private_;
    spin_lock(&family_lock);
    int nr = pid_process(pid) ? pid->nr : -1;
    spin_unlock(&family_lock);
    printer_printf(printer, "Pid:\t%d\nNSpid:\t%d\n", nr, nr);
}

static const struct file_ops pidfd_ops = {.release = pidfd_release, .poll = pidfd_poll};
static struct anon_kind pidfd_kind = {.name = "pidfd", .ops = &pidfd_ops, .show_info = pidfd_show};

void pidfd_init(void) { anon_register(&pidfd_kind); }

struct file *pidfd_file(struct pid *pid, u32 flags) {
    pid_get(pid);
    struct file *f = anon_open(&pidfd_kind, flags, pid);
    if (IS_ERR(f))
        pid_put(pid);
    return f;
}

struct pid *pidfd_pid(const struct file *f) {
    return f->ops == &pidfd_ops ? f->private_ : NULL;
}

void pidfd_wake(struct process *p) {
    assert_held(&family_lock);
    if (unlikely(!list_empty(&p->pid->exit_wait.waiters)))
        wake_all(&p->pid->exit_wait);
}

// The number of a process, with a reference; ERR_PTR(-ESRCH), ERR_PTR(-EINVAL) when it is another thread's.
static struct pid *process_pid(int nr) {
    struct pid *result = ERR_PTR(-ESRCH);
    spin_lock(&family_lock);
    struct pid *pid = pid_find(nr);
    if (pid && pid_process(pid)) {
        pid_get(pid);
        result = pid;
    } else if (pid && pid->task) {
        result = ERR_PTR(-EINVAL);
    }
    spin_unlock(&family_lock);
    return result;
}

long do_pidfd_open(int nr, u32 flags) {
    if (flags & ~PIDFD_NONBLOCK || nr <= 0)
        return -EINVAL;
    struct pid *pid = process_pid(nr);
    if (IS_ERR(pid))
        return PTR_ERR(pid);
    struct file *f = pidfd_file(pid, flags);
    pid_put(pid);
    return fd_give(f, 0, true);
}

// The file of a descriptor of t, with a reference, or ERR_PTR(-ESRCH, -EPERM, -EBADF). Whether current may have it is asked
// last: t may become another user's by exec meanwhile, and only then opens what is not for current.
static struct file *file_of(struct task *t, int fd) {
    if (READ_ONCE(t->flags) & TASK_EXITING)
        return ERR_PTR(-ESRCH);
    struct file *f = task_file_get(t, fd);
    if (task_may_look(t))
        return f ? f : ERR_PTR(-EBADF);
    if (f)
        file_put(f);
    return ERR_PTR(-EPERM);
}

long do_pidfd_getfd(struct pid *pid, int fd) {
    struct task *t = task_lookup(pid->nr);
    if (!t)
        return -ESRCH;
    struct file *f = file_of(t, fd);
    task_put(t);
    return fd_give(f, 0, true);
}
