/*
 * Clocks, sleeps and interval timers of programs, over time/timer.h.
 *
 * CLOCK_MONOTONIC is clock_ns(); CLOCK_REALTIME is that plus an offset, and who sets it has each
 * hart move the timers that wait for a moment of it; the CPU-time clocks are what the scheduler has
 * counted for a thread or a process.
 *
 * ITIMER_REAL is process->real_timer: it fires in interrupt context, posts SIGALRM, and restarts
 * itself by its interval, counted from when it was due. ITIMER_VIRTUAL and ITIMER_PROF count CPU
 * time, which passes at most as fast as the clock times the number of threads: their timer is set
 * for the earliest moment at which the limit can be reached, looks, and is set anew if it is not.
 * They are allocated at their first use. RLIMIT_CPU is watched in the same way: SIGXCPU at the soft
 * limit and each second after it, SIGKILL at the hard one (getrlimit(2)).
 *
 * Locks: siglock guards intervals and targets, and is held to start or stop a timer, in its handler
 * too; who stops one lets go of it until the handler, which takes it, is through (stop_and_lock).
 * Sleeps: posix_sleep() only.
 */
#include "time/posix.h"

#include "abi/capability.h"
#include "abi/errno.h"
#include "abi/resource.h"
#include "abi/signal.h"
#include "arch/hart.h"
#include "mm/slab.h"
#include "mm/uaccess.h"
#include "proc/proc.h"
#include "sync/work.h"
#include "time/slew.h"
#include "time/timer.h"

#define MAX_NS (TIME_NEVER / 2)
#define MIN_LOOK NSEC_PER_MSEC  // between two looks at a CPU-time limit

struct cpu_timer {
    struct timer timer;
    struct process *process;  // [I] which contains us
    u64 target;               // [siglock] CPU time of the process, ns; 0: off
    u64 interval;             // [siglock] ns
};
struct cpu_timers {
    struct cpu_timer one[2];  // ITIMER_VIRTUAL, ITIMER_PROF
};

/* ---- conversions ---- */

static int to_ns(s64 sec, s64 part, u64 parts, u64 *ns) {
    if (sec < 0 || part < 0 || (u64)part >= parts)
        return -EINVAL;
    *ns = (u64)sec >= MAX_NS / NSEC_PER_SEC ? MAX_NS
                                            : sec * NSEC_PER_SEC + part * (NSEC_PER_SEC / parts);
    return 0;
}
int timespec_to_ns(const struct timespec *t, u64 *ns) {
    return to_ns(t->tv_sec, t->tv_nsec, NSEC_PER_SEC, ns);
}
int timeval_to_ns(const struct timeval *t, u64 *ns) {
    return to_ns(t->tv_sec, t->tv_usec, 1000000, ns);
}

int timespec_in(u64 user, u64 *ns) {
    struct timespec t;
    return copy_from_user(&t, user, sizeof(t)) ?: timespec_to_ns(&t, ns);
}

struct timespec ns_to_timespec(u64 ns) {
    return (struct timespec){.tv_sec = ns / NSEC_PER_SEC, .tv_nsec = ns % NSEC_PER_SEC};
}
struct timeval ns_to_timeval(u64 ns) {
    return (struct timeval){.tv_sec = ns / NSEC_PER_SEC,
                            .tv_usec = ns % NSEC_PER_SEC / NSEC_PER_USEC};
}

u64 deadline_after(u64 ns) { return moment_add(clock_ns(), ns); }

/* ---- CPU time ---- */

u64 posix_cpu_time_locked(const struct process *p, bool user_only) {
    struct cpu_times t;
    process_times_locked(p, &t);
    return t.user + (user_only ? 0 : t.system);
}

static u64 cpu_time(struct process *p) {
    u64 flags = irqlock_acquire(&p->siglock);
    u64 sum = posix_cpu_time_locked(p, false);
    irqlock_release(&p->siglock, flags);
    return sum;
}

// Clock numbers below 0 name the CPU time of another process or thread: ~pid << 3 | 2, with 4 for a
// thread.
static int other_cpu_clock(int clock, u64 *ns) {
    int nr = ~(clock >> 3);
    if ((clock & 3) != 2)
        return -EINVAL;
    struct task *t = nr ? task_lookup(nr) : current;
    if (!t || !t->process) {
        if (t && nr)
            task_put(t);
        return -EINVAL;
    }
    *ns = clock & 4 ? sched_task_runtime(t) : cpu_time(t->process);
    if (nr)
        task_put(t);
    return 0;
}

/* ---- clocks ---- */

int posix_clock_get(int clock, u64 *ns) {
    switch (clock) {
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
    case CLOCK_BOOTTIME_ALARM:
        *ns = clock_ns();
        return 0;
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_REALTIME_ALARM:
        *ns = realtime_ns();
        return 0;
    case CLOCK_TAI:
        *ns = realtime_ns() + slew_tai() * NSEC_PER_SEC;
        return 0;
    case CLOCK_PROCESS_CPUTIME_ID:
        *ns = cpu_time(current->process);
        return 0;
    case CLOCK_THREAD_CPUTIME_ID:
        *ns = sched_task_runtime(current);
        return 0;
    default:
        return clock < 0 ? other_cpu_clock(clock, ns) : -EINVAL;
    }
}

int posix_clock_check(int clock) {
    u64 ns;
    return posix_clock_get(clock, &ns);
}

static void follow_wall_clock(struct work *w) {
    (void)w;
    timers_follow_wall_clock();
}

static void all_follow(void) {
    for_each_hart (h) {
        struct work follow;
        work_init(&follow, follow_wall_clock);
        work_add(softwork_queue(h), &follow);
        work_flush(softwork_queue(h), &follow);
    }
}

int posix_clock_set(int clock, u64 ns) {
    if (clock != CLOCK_REALTIME)
        return -EINVAL;
    if (!capable(CAP_SYS_TIME))
        return -EPERM;
    realtime_set(ns);
    all_follow();
    return 0;
}

// Of adjtimex(2); it must be a step forward or back to a moment after 1970.
static int step(const struct timex *t) {
    u64 unit = t->modes & ADJ_NANO ? 1 : NSEC_PER_USEC, now = realtime_ns();
    if (t->time.tv_usec < 0 || (u64)t->time.tv_usec >= NSEC_PER_SEC / unit ||
        t->time.tv_sec > (s64)(MAX_NS / NSEC_PER_SEC) ||
        t->time.tv_sec < -(s64)(now / NSEC_PER_SEC))
        return -EINVAL;
    realtime_step(t->time.tv_sec * NSEC_PER_SEC + t->time.tv_usec * unit);
    return 0;
}

int posix_clock_adjust(int clock, struct timex *t) {
    int error = posix_clock_check(clock);
    if (error || clock != CLOCK_REALTIME)
        return error ? error : -EOPNOTSUPP;
    if (t->modes && t->modes != ADJ_OFFSET_SS_READ && !capable(CAP_SYS_TIME))
        return -EPERM;
    if (t->modes & ADJ_SETOFFSET && !(t->modes & 0x8000))
        error = step(t);
    int state = error ? error : slew_adjust(t);
    if (state >= 0 && t->modes)
        all_follow();
    return state;
}

/* ---- sleeps ---- */

static int sleep_until(u64 deadline) {
    struct waitq nobody;
    waitq_init(&nobody);
    int error = wait_event_deadline(&nobody, false, deadline, "nanosleep");
    return error == -ETIMEDOUT ? 0 : error;
}

static long put_rest(u64 deadline, u64 user_left) {
    u64 now = clock_ns();
    struct timespec left = ns_to_timespec(deadline > now ? deadline - now : 0);
    return user_left && copy_to_user(user_left, &left, sizeof(left)) ? -EFAULT
                                                                     : -ERESTART_RESTARTBLOCK;
}

// restart_arg: deadline, address for the rest
static long sleep_again(struct task *t) {
    u64 deadline = t->restart_arg[0], user_left = t->restart_arg[1];
    if (sleep_until(deadline) == 0)
        return 0;
    t->restart = sleep_again;
    return put_rest(deadline, user_left);
}

static long sleep_relative(u64 ns, u64 user_left) {
    u64 deadline = deadline_after(ns);
    if (sleep_until(deadline) == 0)
        return 0;
    current->restart = sleep_again;
    current->restart_arg[0] = deadline;
    current->restart_arg[1] = user_left;
    return put_rest(deadline, user_left);
}

static bool is_realtime(int clock) {
    return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_ALARM || clock == CLOCK_TAI;
}

// A CPU-time clock: sleep at least as long as the clock needs, and look again.
static long sleep_cpu(int clock, bool absolute, u64 ns) {
    u64 now;
    int error = posix_clock_get(clock, &now);
    u64 target = absolute ? ns : now + ns;
    while (!error && now < target) {
        error = sleep_until(deadline_after(max(target - now, MIN_LOOK)));
        if (!error)
            error = posix_clock_get(clock, &now);
    }
    return error == -ERESTARTSYS ? -EINTR : error;
}

long posix_sleep(int clock, bool absolute, u64 ns, u64 user_left) {
    if (clock == CLOCK_THREAD_CPUTIME_ID)
        return -EINVAL;
    int error = posix_clock_check(clock);
    if (error)
        return error;
    if (clock == CLOCK_PROCESS_CPUTIME_ID || clock < 0)
        return sleep_cpu(clock, absolute, ns);
    if (clock == CLOCK_MONOTONIC_RAW || clock == CLOCK_REALTIME_COARSE ||
        clock == CLOCK_MONOTONIC_COARSE)
        return -EOPNOTSUPP;
    if (!absolute)
        return sleep_relative(ns, user_left);
    if (clock == CLOCK_TAI)
        ns -= min(ns, slew_tai() * NSEC_PER_SEC);
    return sleep_until(is_realtime(clock) ? WALL_CLOCK | ns : ns) ? -ERESTARTNOHAND : 0;
}

/* ---- interval timers ---- */

static void real_timer_fired(struct timer *t) {
    struct process *p = container_of(t, struct process, real_timer);
    signal_process(p, SIGALRM);
    u64 flags = irqlock_acquire(&p->siglock);
    p->real_due = p->real_interval
                      ? max(moment_add(t->expires, p->real_interval), clock_ns() + POSIX_MIN_PERIOD)
                      : 0;
    if (p->real_due)
        timer_start(t, p->real_due);
    irqlock_release(&p->siglock, flags);
}

// Stop t for good; siglock is held on return, so that nobody starts it: not another thread, not its
// handler.
static u64 stop_and_lock(struct process *p, struct timer *t) {
    for (;;) {
        u64 flags = irqlock_acquire(&p->siglock);
        if (timer_cancel_idle(t))
            return flags;
        irqlock_release(&p->siglock, flags);  // its handler waits for the lock
    }
}

u64 posix_next_look(u64 left, u32 threads) {
    return deadline_after(max(left / max(threads, 1u), MIN_LOOK));
}

static void cpu_timer_fired(struct timer *timer) {
    struct cpu_timer *c = container_of(timer, struct cpu_timer, timer);
    struct process *p = c->process;
    bool is_virtual = c == &p->cpu_timers->one[0];
    bool reached = false;
    u64 flags = irqlock_acquire(&p->siglock);
    u64 now = posix_cpu_time_locked(p, is_virtual);
    if (c->target && now >= c->target) {
        reached = true;
        c->target = c->interval ? now + c->interval : 0;
    }
    if (c->target)
        timer_start(timer, posix_next_look(c->target - now, p->nr_live));
    irqlock_release(&p->siglock, flags);
    if (reached)
        signal_process(p, is_virtual ? SIGVTALRM : SIGPROF);
}

// The process's CPU timers, made at first use; NULL: out of memory.
static struct cpu_timers *cpu_timers(struct process *p) {
    if (p->cpu_timers)
        return p->cpu_timers;
    struct cpu_timers *fresh = kzalloc(sizeof(*fresh)), *unused = fresh;
    if (!fresh)
        return NULL;
    for (int i = 0; i < 2; i++) {
        timer_setup(&fresh->one[i].timer, cpu_timer_fired);
        fresh->one[i].process = p;
    }
    u64 flags = irqlock_acquire(&p->siglock);
    if (!p->cpu_timers) {
        p->cpu_timers = fresh;
        unused = NULL;
    }
    irqlock_release(&p->siglock, flags);
    kfree(unused);
    return p->cpu_timers;
}

static void real_get(struct process *p, struct posix_itimer *out) {
    u64 flags = irqlock_acquire(&p->siglock), now = clock_ns();
    out->interval = p->real_interval;
    out->value = p->real_due > now ? p->real_due - now : p->real_due != 0;
    irqlock_release(&p->siglock, flags);
}

static void cpu_get(struct process *p, int which, struct posix_itimer *out) {
    *out = (struct posix_itimer){0};
    if (!p->cpu_timers)
        return;
    u64 flags = irqlock_acquire(&p->siglock);
    const struct cpu_timer *c = &p->cpu_timers->one[which - ITIMER_VIRTUAL];
    u64 now = posix_cpu_time_locked(p, which == ITIMER_VIRTUAL);
    out->interval = c->interval;
    if (c->target)
        out->value = c->target > now ? c->target - now : 1;
    irqlock_release(&p->siglock, flags);
}

void posix_itimer_get(int which, struct posix_itimer *out) {
    if (which == ITIMER_REAL)
        real_get(current->process, out);
    else
        cpu_get(current->process, which, out);
}

static void real_set(struct process *p, const struct posix_itimer *t) {
    u64 flags = stop_and_lock(p, &p->real_timer);
    p->real_timer.fn = real_timer_fired;
    p->real_interval = t->value ? t->interval : 0;
    p->real_due = t->value ? deadline_after(t->value) : 0;
    if (p->real_due)
        timer_start(&p->real_timer, p->real_due);
    irqlock_release(&p->siglock, flags);
}

static int cpu_set(struct process *p, int which, const struct posix_itimer *t) {
    struct cpu_timers *timers = cpu_timers(p);
    if (!timers)
        return -ENOMEM;
    struct cpu_timer *c = &timers->one[which - ITIMER_VIRTUAL];
    u64 flags = stop_and_lock(p, &c->timer);
    c->interval = t->interval;
    c->target = t->value ? posix_cpu_time_locked(p, which == ITIMER_VIRTUAL) + t->value : 0;
    if (t->value)
        timer_start(&c->timer, posix_next_look(t->value, p->nr_live));
    irqlock_release(&p->siglock, flags);
    return 0;
}

int posix_itimer_set(int which, const struct posix_itimer *new_, struct posix_itimer *old) {
    posix_itimer_get(which, old);
    if (which != ITIMER_REAL)
        return cpu_set(current->process, which, new_);
    real_set(current->process, new_);
    return 0;
}

/* ---- RLIMIT_CPU ---- */

static u64 limit_ns(u64 seconds) {
    return seconds >= MAX_NS / NSEC_PER_SEC ? TIME_NEVER : seconds * NSEC_PER_SEC;
}

// => siglock held
static void watch_limit(struct process *p, u64 used) {
    u64 limit = limit_ns(p->limit[RLIMIT_CPU].rlim_cur);
    if (limit != TIME_NEVER && p->nr_live)
        timer_start(&p->cpu_limit, posix_next_look(limit > used ? limit - used : 0, p->nr_live));
}

static void limit_fired(struct timer *t) {
    struct process *p = container_of(t, struct process, cpu_limit);
    u64 flags = irqlock_acquire(&p->siglock);
    struct rlimit *l = &p->limit[RLIMIT_CPU];
    u64 used = posix_cpu_time_locked(p, false);
    int sig = 0;
    if (used >= limit_ns(l->rlim_max)) {
        sig = SIGKILL;
    } else if (used >= limit_ns(l->rlim_cur)) {
        sig = SIGXCPU;
        l->rlim_cur++;
    }
    if (sig != SIGKILL)
        watch_limit(p, used);
    irqlock_release(&p->siglock, flags);
    if (sig)
        signal_process(p, sig);
}

u64 posix_limit_lock(struct process *p) { return stop_and_lock(p, &p->cpu_limit); }

void posix_limit_cpu(struct process *p) {
    p->cpu_limit.fn = limit_fired;
    watch_limit(p, posix_cpu_time_locked(p, false));
}

void posix_exit(struct process *p) {
    if (p->real_timer.fn)
        timer_cancel_sync(&p->real_timer);
    if (p->cpu_limit.fn)
        timer_cancel_sync(&p->cpu_limit);
    if (!p->cpu_timers)
        return;
    for (int i = 0; i < 2; i++)
        timer_cancel_sync(&p->cpu_timers->one[i].timer);
    kfree(p->cpu_timers);
    p->cpu_timers = NULL;
}
