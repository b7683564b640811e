/*
 * eventfd: a 64-bit counter to write to and to wait for. eventfd(2).
 *
 * write() adds, read() takes everything, or 1 from a semaphore. A reader sleeps while the counter is 0, a writer while its
 * number does not fit below EVENTFD_MAX. Both sleep on one queue, whose lock is also the counter's: so an add and its
 * wake-up are one critical section, and nobody can come between them.
 *
 *   writer (queue lock)                   reader
 *   count += n                            on the queue, state = INTERRUPTIBLE
 *   queue not empty: wake                 count? no: schedule()
 *
 * The reader gets on the queue under the same lock: either it finds the count, or the writer finds it.
 *
 * Locks: waitq.lock (interrupt-safe, so a kernel event may be counted from anywhere). Sleeps: read and write.
 */
#include "abi/errno.h"
#include "fs/anon.h"
#include "fs/proc.h"
#include "ipc/event.h"
#include "mm/slab.h"

#define EVENTFD_MAX (~0ul - 1)

struct eventfd {
    struct waitq waitq;
    u64 count;       // [waitq.lock]; looked at without
    bool semaphore;  // [I]
};

static void wake_locked(struct eventfd *e, u32 events) {
    if (!list_empty(&e->waitq.waiters))
        waitq_wake_locked(&e->waitq, 1, events);
}

// False: there is nothing to take.
static bool take(struct eventfd *e, u64 *value) {
    u64 flags = irqlock_acquire(&e->waitq.lock);
    u64 n = e->semaphore ? min(e->count, 1ul) : e->count;
    *value = n;
    WRITE_ONCE(e->count, e->count - n);
    if (n)
        wake_locked(e, POLLOUT | POLLWRNORM);
    irqlock_release(&e->waitq.lock, flags);
    return n;
}

static inline bool fits(const struct eventfd *e, u64 n) {
    return n <= EVENTFD_MAX - READ_ONCE(e->count);
}

static bool add(struct eventfd *e, u64 n) {
    u64 flags = irqlock_acquire(&e->waitq.lock);
    bool ok = fits(e, n);
    if (ok) {
        WRITE_ONCE(e->count, e->count + n);
        wake_locked(e, POLLIN | POLLRDNORM);
    }
    irqlock_release(&e->waitq.lock, flags);
    return ok;
}

// Until there is something to take, or room for n. 0 or errno
static __attribute__((noinline)) int wait_for_count(struct file *f, struct eventfd *e) {
    if (f->flags & O_NONBLOCK)
        return -EAGAIN;
    return wait_event_interruptible(&e->waitq, READ_ONCE(e->count), "eventfd_read");
}
static __attribute__((noinline)) int wait_for_room(struct file *f, struct eventfd *e, u64 n) {
    if (f->flags & O_NONBLOCK)
        return -EAGAIN;
    return wait_event_interruptible(&e->waitq, fits(e, n), "eventfd_write");
}

static ssize_t eventfd_read(struct file *f, struct iter *to, u64 *pos) {
    struct eventfd *e = f->private_;
    u64 value;
    (void)pos;
    if (to->left < sizeof(value))
        return -EINVAL;
    while (unlikely(!take(e, &value))) {
        int error = wait_for_count(f, e);
        if (error)
            return error;
    }
    return iter_put_word(to, value);
}

static ssize_t eventfd_write(struct file *f, struct iter *from, u64 *pos) {
    struct eventfd *e = f->private_;
    u64 value;
    (void)pos;
    if (from->left < sizeof(value))
        return -EINVAL;
    ssize_t n = iter_get_word(from, &value);
    if (n < 0)
        return n;
    if (value > EVENTFD_MAX)
        return -EINVAL;
    while (unlikely(!add(e, value))) {
        int error = wait_for_room(f, e, value);
        if (error)
            return error;
    }
    return n;
}

static u32 eventfd_poll(struct file *f, struct poll_table *pt) {
    struct eventfd *e = f->private_;
    poll_wait(f, &e->waitq, pt);
    return (READ_ONCE(e->count) ? POLLIN | POLLRDNORM : 0) |
           (fits(e, 1) ? POLLOUT | POLLWRNORM : 0);
}

static void eventfd_show(struct file *f, struct printer *p) {
    struct eventfd *e = f->private_;
    printer_printf(p, "eventfd-count: %16lx\neventfd-semaphore: %d\n", READ_ONCE(e->count),
                   e->semaphore);
}

static const struct file_ops eventfd_ops = {
    .release = anon_release, .read = eventfd_read, .write = eventfd_write, .poll = eventfd_poll};
struct anon_kind eventfd_kind = {
    .name = "eventfd", .ops = &eventfd_ops, .show_info = eventfd_show, .free = kfree};

int eventfd_open(u32 count, u32 flags) {
    if (flags & ~(EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC))
        return -EINVAL;
    struct eventfd *e = kzalloc(sizeof(*e));
    if (!e)
        return -ENOMEM;
    waitq_init(&e->waitq);
    e->count = count;
    e->semaphore = flags & EFD_SEMAPHORE;
    return anon_install(&eventfd_kind, flags & ~EFD_SEMAPHORE, e);
}
