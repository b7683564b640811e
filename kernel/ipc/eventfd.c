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

// What there is to take; 0: nothing.
static inline u64 take(struct eventfd *e) {
    u64 flags = irqlock_acquire(&e->waitq.lock), n = e->count;
    if (likely(n)) {
        if (unlikely(e->semaphore))
            n = 1;
        WRITE_ONCE(e->count, e->count - n);
        wake_locked(e, POLLOUT | POLLWRNORM);
    }
    irqlock_release(&e->waitq.lock, flags);
    return n;
}

static inline bool fits(const struct eventfd *e, u64 n) {
    return n <= EVENTFD_MAX - READ_ONCE(e->count);
}

static inline bool add(struct eventfd *e, u64 n) {
    u64 flags = irqlock_acquire(&e->waitq.lock);
    if (unlikely(!fits(e, n))) {
        irqlock_release(&e->waitq.lock, flags);
        return false;
    }
    WRITE_ONCE(e->count, e->count + n);
    wake_locked(e, POLLIN | POLLRDNORM);
    irqlock_release(&e->waitq.lock, flags);
    return true;
}

// Sleep until there is something to take, or room for n, and do it. Out of line, so that who need not sleep saves few
// registers. 0 or errno
static __attribute__((noinline)) ssize_t take_later(struct file *f, struct iter *to) {
    struct eventfd *e = f->private_;
    int error = 0;
    u64 n = 0;
    do {
        if (f->flags & O_NONBLOCK)
            return -EAGAIN;
        error = wait_event_interruptible(&e->waitq, READ_ONCE(e->count), "eventfd_read");
    } while (!error && !(n = take(e)));
    return error ? error : iter_put_word(to, n);
}
static __attribute__((noinline)) ssize_t add_later(struct file *f, u64 n) {
    struct eventfd *e = f->private_;
    int error = 0;
    do {
        if (f->flags & O_NONBLOCK)
            return -EAGAIN;
        error = wait_event_interruptible(&e->waitq, fits(e, n), "eventfd_write");
    } while (!error && !add(e, n));
    return error ? error : (ssize_t)sizeof(n);
}

static ssize_t eventfd_read(struct file *f, struct iter *to, u64 *pos) {
    (void)pos;
    if (to->left < sizeof(u64))
        return -EINVAL;
    u64 n = take(f->private_);
    if (likely(n))
        return iter_put_word(to, n);
    return take_later(f, to);
}

static ssize_t eventfd_write(struct file *f, struct iter *from, u64 *pos) {
    u64 value;
    (void)pos;
    if (from->left < sizeof(value))
        return -EINVAL;
    ssize_t n = iter_get_word(from, &value);
    if (n < 0)
        return n;
    if (value > EVENTFD_MAX)
        return -EINVAL;
    return likely(add(f->private_, value)) ? n : add_later(f, value);
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
