/*
 * timerfd: a timer that is read and waited for like a file. timerfd_create(2).
 *
 * The timer is set for `due` and its handler notes only that the moment came. How many periods have passed is worked
 * out when somebody reads; only then is a periodic timer set anew. So one that nobody reads interrupts once, not for
 * ever, and no delay of a handler adds up.
 *
 * An absolute time of the wall clock is a moment that the kernel's timer follows when the clock is set (time/timer.h). With
 * TFD_TIMER_CANCEL_ON_SET such a step (clock_watch) lets the reader know by -ECANCELED too.
 *
 *   read, settime                        handler (another hart, interrupts off)
 *   lock; timer off; is it running?      waits for the lock
 *   yes: unlock, begin again             lock: before `due`? then set anew: the clock was set back
 *   no: change, start, unlock            else expired, wake; unlock
 *
 * Locks: waitq.lock guards everything; the list of clock watches' lock comes before it. Sleeps: read.
 */
#include "abi/capability.h"
#include "abi/errno.h"
#include "fs/anon.h"
#include "fs/proc.h"
#include "ipc/event.h"
#include "mm/slab.h"
#include "time/timer.h"

struct timerfd {
    struct waitq waitq;
    struct timer timer;        // [waitq.lock]
    struct clock_watch watch;  // on its list if the clock is the wall clock's
    int clock;                 // [I]
    u32 flags;                 // [waitq.lock] of the last timerfd_settime()
    bool expired;              // [waitq.lock] due came, and nobody has read it
    bool canceled;             // [waitq.lock] the clock was stepped
    u64 due;                   // [waitq.lock] a moment, of time/timer.h; 0: off
    u64 interval;              // [waitq.lock] ns
};

static bool is_wall_clock(int clock) {
    return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_ALARM;
}

// => locked in the next three
static void tell(struct timerfd *t) {
    if (!list_empty(&t->waitq.waiters))
        waitq_wake_locked(&t->waitq, 1, POLLIN | POLLRDNORM);
}

static void show(const struct timerfd *t, struct posix_itimer *out) {
    u64 now = clock_ns(), due = moment_ns(t->due);
    *out = (struct posix_itimer){.interval = t->interval};
    if (due > now)
        out->value = due - now;
    else if (t->due && t->interval)
        out->value = t->interval - (now - due) % t->interval;
}

// How often the timer ran out, and on to the next time. => expired, the handler is at rest
static u64 periods(struct timerfd *t) {
    u64 now = clock_ns(), due = moment_ns(t->due), n = 1;
    t->expired = false;
    if (t->interval) {
        n += now > due ? (now - due) / t->interval : 0;
        t->due = moment_add(t->due, n * t->interval);
        timer_start(&t->timer, t->due);
    } else {
        t->due = 0;
    }
    return n;
}

static void fired(struct timer *timer) {
    struct timerfd *t = container_of(timer, struct timerfd, timer);
    u64 flags = irqlock_acquire(&t->waitq.lock);
    if (clock_ns() < moment_ns(t->due)) {
        timer_start(timer, t->due);
    } else {
        t->expired = true;
        tell(t);
    }
    irqlock_release(&t->waitq.lock, flags);
}

// Take the lock with the timer off and its handler at rest.
static u64 lock_stopped(struct timerfd *t) {
    for (;;) {
        u64 flags = irqlock_acquire(&t->waitq.lock);
        if (timer_cancel_idle(&t->timer))
            return flags;
        irqlock_release(&t->waitq.lock, flags);
    }
}

static void clock_stepped(struct clock_watch *w) {
    struct timerfd *t = container_of(w, struct timerfd, watch);
    u64 flags = irqlock_acquire(&t->waitq.lock);
    if (t->due & WALL_CLOCK && t->flags & TFD_TIMER_CANCEL_ON_SET) {
        t->canceled = true;
        tell(t);
    }
    irqlock_release(&t->waitq.lock, flags);
}

static inline bool readable(const struct timerfd *t) {
    return READ_ONCE(t->expired) || READ_ONCE(t->canceled);
}

// Expirations, -ECANCELED, or 0: not yet.
static s64 take(struct timerfd *t) {
    s64 n = 0;
    if (!readable(t))
        return 0;
    u64 flags = lock_stopped(t);
    if (t->expired)
        n = periods(t);
    else if (t->due)
        timer_start(&t->timer, t->due);
    if (t->canceled)
        n = -ECANCELED;
    t->canceled = false;
    irqlock_release(&t->waitq.lock, flags);
    return n;
}

static ssize_t timerfd_read(struct file *f, struct iter *to, u64 *pos) {
    struct timerfd *t = f->private_;
    s64 n;
    (void)pos;
    if (to->left < sizeof(n))
        return -EINVAL;
    while ((n = take(t)) == 0) {
        if (f->flags & O_NONBLOCK)
            return -EAGAIN;
        int error = wait_event_interruptible(&t->waitq, readable(t), "timerfd");
        if (error)
            return error;
    }
    if (n < 0)
        return n;
    return iter_put(to, &n, sizeof(n)) == sizeof(n) ? (ssize_t)sizeof(n) : -EFAULT;
}

static u32 timerfd_poll(struct file *f, struct poll_table *pt) {
    struct timerfd *t = f->private_;
    poll_wait(f, &t->waitq, pt);
    return readable(t) ? POLLIN | POLLRDNORM : 0;
}

static void timerfd_show(struct file *f, struct printer *p) {
    struct timerfd *t = f->private_;
    struct posix_itimer now;
    u64 irqs = irqlock_acquire(&t->waitq.lock);
    show(t, &now);
    u32 flags = t->flags;
    bool expired = t->expired;
    irqlock_release(&t->waitq.lock, irqs);
    printer_printf(p,
                   "clockid: %d\nticks: %d\nsettime flags: 0%o\nit_value: (%lu, %lu)\n"
                   "it_interval: (%lu, %lu)\n",
                   t->clock, expired, flags, now.value / NSEC_PER_SEC, now.value % NSEC_PER_SEC,
                   now.interval / NSEC_PER_SEC, now.interval % NSEC_PER_SEC);
}

static void timerfd_free(void *private_) {
    struct timerfd *t = private_;
    if (is_wall_clock(t->clock))
        clock_watch_remove(&t->watch);
    irqlock_release(&t->waitq.lock, lock_stopped(t));
    kfree(t);
}

static const struct file_ops timerfd_ops = {
    .release = anon_release, .read = timerfd_read, .poll = timerfd_poll};
struct anon_kind timerfd_kind = {
    .name = "timerfd", .ops = &timerfd_ops, .show_info = timerfd_show, .free = timerfd_free};

int timerfd_open(int clock, u32 flags) {
    bool alarm = clock == CLOCK_REALTIME_ALARM || clock == CLOCK_BOOTTIME_ALARM;
    if (flags & ~(TFD_NONBLOCK | TFD_CLOEXEC) ||
        !(alarm || clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME))
        return -EINVAL;
    if (alarm && !capable(CAP_WAKE_ALARM))
        return -EPERM;
    struct timerfd *t = kzalloc(sizeof(*t));
    if (!t)
        return -ENOMEM;
    waitq_init(&t->waitq);
    timer_setup(&t->timer, fired);
    t->clock = clock;
    t->watch.changed = clock_stepped;
    if (is_wall_clock(clock))
        clock_watch_add(&t->watch);
    return anon_install(&timerfd_kind, flags, t);
}

int timerfd_set(struct file *f, u32 flags, const struct posix_itimer *new_,
                struct posix_itimer *old) {
    struct timerfd *t = f->private_;
    if (f->ops != &timerfd_ops || flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET))
        return -EINVAL;
    u64 irqs = lock_stopped(t);
    show(t, old);
    t->flags = flags;
    t->expired = t->canceled = false;
    t->interval = new_->interval;
    t->due = new_->value;
    if (t->due && !(flags & TFD_TIMER_ABSTIME))
        t->due = deadline_after(t->due);
    else if (t->due && is_wall_clock(t->clock))
        t->due |= WALL_CLOCK;
    if (t->due)
        timer_start(&t->timer, t->due);
    irqlock_release(&t->waitq.lock, irqs);
    return 0;
}

int timerfd_get(struct file *f, struct posix_itimer *now) {
    struct timerfd *t = f->private_;
    if (f->ops != &timerfd_ops)
        return -EINVAL;
    u64 flags = irqlock_acquire(&t->waitq.lock);
    show(t, now);
    irqlock_release(&t->waitq.lock, flags);
    return 0;
}
