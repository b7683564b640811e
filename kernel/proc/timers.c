/*
 * POSIX timers: timer_create(2), timer_settime(2) and their family.
 *
 * A timer is on its process's list, found by its number. It carries the one struct sigqueue that it ever needs, so its
 * signal cannot fail for want of memory: while that is on a queue, further expirations only count (the overrun, which the
 * taker of the signal gets). A periodic timer keeps the moment at which it was due next, not when its handler ran, so
 * no delay adds up; one with a period shorter than POSIX_MIN_PERIOD runs out several times at once.
 *
 * Timers of CPU-time clocks look as often as their time can be near, like ITIMER_PROF (time/posix.c).
 *
 * Locks: the process's siglock guards the list and all members; it is held to start and stop the kernel's timer, in its
 * handler too. Who stops one lets go of the lock until the handler is through, and looks the number up again: another
 * thread may have deleted the timer meanwhile (find_stopped).
 */
#include "proc/timers.h"

#include "abi/errno.h"
#include "mm/slab.h"
#include "proc/signal.h"
#include "time/timer.h"

struct posix_timer {
    struct list link;         // [siglock] process->timers
    struct process *process;  // [I]
    struct task *target;      // [I] SIGEV_THREAD_ID: with a reference, else NULL
    struct task *owner;       // [I] whose CPU_THREAD clock it is: with a reference, else NULL
    int id, clock, notify;    // [I]
    bool armed;               // [siglock]
    u64 due;                  // [siglock] ns of the CPU-time clock; else a moment, of time/timer.h
    u64 interval;             // [siglock] ns
    u32 overrun;              // [siglock] expirations since the signal was queued
    u32 last_overrun;         // [siglock] of the signal taken last
    struct timer timer;       // [siglock]
    struct sigqueue signal;   // [siglock] on a queue while pending
};

static bool is_cpu_clock(int clock) {
    return clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID;
}

static bool is_wall_clock(int clock) { return clock == CLOCK_REALTIME || clock == CLOCK_TAI; }

/* ---- running out ---- */

// => siglock held
static u64 clock_now(const struct posix_timer *t) {
    if (t->clock == CLOCK_PROCESS_CPUTIME_ID)
        return posix_cpu_time_locked(t->process, false);
    return t->owner ? sched_task_runtime(t->owner) : clock_ns();
}

// => siglock held
static void arm(struct posix_timer *t, u64 earliest) {
    u64 at = t->due;
    if (is_cpu_clock(t->clock)) {
        u64 now = clock_now(t), left = t->due > now ? t->due - now : 0;
        at = posix_next_look(left, t->owner ? 1 : t->process->nr_live);
    }
    timer_start(&t->timer, moment_ns(at) < earliest ? earliest : at);
}

// => siglock held
static void notify(struct posix_timer *t, u64 times) {
    if (t->notify == SIGEV_NONE)
        return;
    if (!list_empty(&t->signal.link)) {
        t->overrun = min(t->overrun + times, (u64)INT32_MAX);
        return;
    }
    t->overrun = min(times - 1, (u64)INT32_MAX);
    signal_send_own(t->process, t->target, &t->signal);
}

static void fired(struct timer *timer) {
    struct posix_timer *t = container_of(timer, struct posix_timer, timer);
    u64 flags = irqlock_acquire(&t->process->siglock);
    u64 now = clock_now(t), due = moment_ns(t->due);
    if (now < due) {
        arm(t, 0);
    } else {
        u64 times = t->interval ? 1 + (now - due) / t->interval : 1;
        t->due = moment_add(t->due, times * t->interval);
        t->armed = t->interval;
        if (t->armed)
            arm(t, clock_ns() + POSIX_MIN_PERIOD);
        notify(t, times);
    }
    irqlock_release(&t->process->siglock, flags);
}

s32 timer_signal_taken(struct sigqueue *q) {
    struct posix_timer *t = container_of(q, struct posix_timer, signal);
    t->last_overrun = t->overrun;
    t->overrun = 0;
    return t->last_overrun;
}

/* ---- finding ---- */

// => siglock held
static struct posix_timer *find(struct process *p, int id) {
    struct posix_timer *t;
    list_for_each (t, &p->timers, link)
        if (t->id == id)
            return t;
    return NULL;
}

// The timer with its handler at rest and siglock held, or NULL and nothing held.
static struct posix_timer *find_stopped(struct process *p, int id, u64 *flags) {
    for (;;) {
        *flags = irqlock_acquire(&p->siglock);
        struct posix_timer *t = find(p, id);
        if (t && timer_cancel_idle(&t->timer))
            return t;
        irqlock_release(&p->siglock, *flags);
        if (!t)
            return NULL;
    }
}

/* ---- making and deleting ---- */

static void destroy(struct posix_timer *t) {
    if (t->target)
        task_put(t->target);
    if (t->owner)
        task_put(t->owner);
    kfree(t);
}

// The thread of current's process that is to get the signals, with a reference; NULL: there is none of that number.
static struct task *target_thread(int tid) {
    struct task *t = task_lookup(tid);
    if (!t || t->process == current->process)
        return t;
    task_put(t);
    return NULL;
}

static int check(int clock, const struct sigevent *e) {
    int error = posix_clock_check(clock);
    if (error)
        return error;
    if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME &&
        clock != CLOCK_TAI && !is_cpu_clock(clock))
        return -EOPNOTSUPP;
    if (e->sigev_notify != SIGEV_NONE && (e->sigev_signo < 1 || e->sigev_signo > _NSIG))
        return -EINVAL;
    bool known = e->sigev_notify == SIGEV_NONE || e->sigev_notify == SIGEV_SIGNAL ||
                 e->sigev_notify == SIGEV_THREAD || e->sigev_notify == SIGEV_THREAD_ID;
    return known ? 0 : -EINVAL;
}

// Put t on the list under the next number that is free. That, or -EAGAIN.
static int insert(struct posix_timer *t, bool value_is_id) {
    struct process *p = t->process;
    int id = -EAGAIN;
    u64 flags = irqlock_acquire(&p->siglock);
    if (signal_charge(p, false)) {
        do {
            id = p->next_timer;
            p->next_timer = ((u32)id + 1) & INT32_MAX;
        } while (find(p, id));
        t->id = t->signal.info.si_timerid = id;
        if (value_is_id)
            t->signal.info.si_value.sival_int = id;
        list_add_tail(&t->link, &p->timers);
    }
    irqlock_release(&p->siglock, flags);
    return id;
}

int timers_create(int clock, const struct sigevent *event) {
    static const struct sigevent usual = {.sigev_signo = SIGALRM};
    const struct sigevent *e = event ? event : &usual;
    int error = check(clock, e);
    if (error)
        return error;
    struct posix_timer *t = kzalloc(sizeof(*t));
    if (!t)
        return -ENOMEM;
    timer_setup(&t->timer, fired);
    list_init(&t->signal.link);
    t->process = t->signal.process = current->process;
    t->signal.of_timer = true;
    t->clock = clock;
    t->notify = e->sigev_notify;
    t->signal.info = (struct siginfo){.si_signo = e->sigev_signo, .si_code = SI_TIMER};
    t->signal.info.si_value = e->sigev_value;
    if (t->notify == SIGEV_THREAD_ID && !(t->target = target_thread(e->sigev_tid))) {
        destroy(t);
        return -EINVAL;
    }
    if (clock == CLOCK_THREAD_CPUTIME_ID) {
        task_get(current);
        t->owner = current;
    }
    int id = insert(t, !event);
    if (id < 0)
        destroy(t);
    return id;
}

static int remove_timer(struct process *p, int id) {
    u64 flags;
    struct posix_timer *t = find_stopped(p, id, &flags);
    if (!t)
        return -EINVAL;
    list_del(&t->link);
    signal_take_back(t->target ? &t->target->pending : &p->pending, &t->signal);
    signal_uncharge(p);
    irqlock_release(&p->siglock, flags);
    destroy(t);
    return 0;
}

int timers_delete(int id) { return remove_timer(current->process, id); }

void timers_exit(struct process *p) {
    while (!list_empty(&p->timers))
        remove_timer(p, list_first(&p->timers, struct posix_timer, link)->id);
}

/* ---- setting and asking ---- */

// => siglock held
static void show(const struct posix_timer *t, struct posix_itimer *out) {
    *out = (struct posix_itimer){.interval = t->interval};
    if (t->armed) {
        u64 now = clock_now(t), due = moment_ns(t->due);
        out->value = due > now ? due - now : 1;
    }
}

static u64 due_at(const struct posix_timer *t, bool absolute, u64 value) {
    if (!absolute)
        return moment_add(clock_now(t), value);
    return is_wall_clock(t->clock) ? WALL_CLOCK | value : value;
}

int timers_set(int id, bool absolute, const struct posix_itimer *new_, struct posix_itimer *old) {
    struct process *p = current->process;
    u64 flags;
    struct posix_timer *t = find_stopped(p, id, &flags);
    if (!t)
        return -EINVAL;
    show(t, old);
    t->armed = new_->value;
    t->interval = new_->interval;
    if (t->armed) {
        t->due = due_at(t, absolute, new_->value);
        arm(t, 0);
    }
    irqlock_release(&p->siglock, flags);
    return 0;
}

int timers_get(int id, struct posix_itimer *now) {
    struct process *p = current->process;
    u64 flags = irqlock_acquire(&p->siglock);
    struct posix_timer *t = find(p, id);
    if (t)
        show(t, now);
    irqlock_release(&p->siglock, flags);
    return t ? 0 : -EINVAL;
}

int timers_overrun(int id) {
    struct process *p = current->process;
    u64 flags = irqlock_acquire(&p->siglock);
    struct posix_timer *t = find(p, id);
    int n = t ? (int)t->last_overrun : -EINVAL;
    irqlock_release(&p->siglock, flags);
    return n;
}
