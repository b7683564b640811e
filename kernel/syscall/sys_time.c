/*
 * System calls of time and of waiting for a word: arguments for time/posix.c and ipc/futex.c. Decoders only; may sleep.
 */
#include "abi/capability.h"
#include "abi/errno.h"
#include "abi/futex.h"
#include "abi/timex.h"
#include "ipc/event.h"
#include "ipc/futex.h"
#include "fs/file.h"
#include "mm/slab.h"
#include "mm/uaccess.h"
#include "proc/life.h"
#include "proc/timers.h"
#include "syscall/syscall.h"
#include "time/posix.h"

static long timespec_out(u64 ns, u64 user) {
    struct timespec t = ns_to_timespec(ns);
    return copy_to_user(user, &t, sizeof(t));
}

long sys_clock_gettime(const u64 *a) {
    u64 ns;
    int error = posix_clock_get((int)a[0], &ns);
    return error ? error : timespec_out(ns, a[1]);
}

long sys_clock_settime(const u64 *a) {
    u64 ns;
    int error = timespec_in(a[1], &ns);
    return error ? error : posix_clock_set((int)a[0], ns);
}

static long adjust(int clock, u64 user) {
    struct timex t;
    if (copy_from_user(&t, user, sizeof(t)))
        return -EFAULT;
    int state = posix_clock_adjust(clock, &t);
    return state >= 0 && copy_to_user(user, &t, sizeof(t)) ? -EFAULT : state;
}

long sys_adjtimex(const u64 *a) { return adjust(CLOCK_REALTIME, a[0]); }
long sys_clock_adjtime(const u64 *a) { return adjust((int)a[0], a[1]); }

long sys_clock_getres(const u64 *a) {
    int error = posix_clock_check((int)a[0]);
    return error || !a[1] ? error : timespec_out(1, a[1]);
}

long sys_clock_nanosleep(const u64 *a) {
    u64 ns;
    int error = timespec_in(a[2], &ns);
    return error ? error : posix_sleep((int)a[0], a[1] & TIMER_ABSTIME, ns, a[3]);
}

long sys_nanosleep(const u64 *a) {
    u64 ns;
    int error = timespec_in(a[0], &ns);
    return error ? error : posix_sleep(CLOCK_MONOTONIC, false, ns, a[1]);
}

long sys_gettimeofday(const u64 *a) {
    struct timeval t = ns_to_timeval(realtime_ns());
    struct timezone utc = {0, 0};
    if (a[0] && copy_to_user(a[0], &t, sizeof(t)))
        return -EFAULT;
    return a[1] ? copy_to_user(a[1], &utc, sizeof(utc)) : 0;
}

// The time zone is the C library's business: it is checked and left alone.
long sys_settimeofday(const u64 *a) {
    struct timeval t;
    struct timezone zone;
    u64 ns;
    if ((a[0] && copy_from_user(&t, a[0], sizeof(t))) ||
        (a[1] && copy_from_user(&zone, a[1], sizeof(zone))))
        return -EFAULT;
    if (!capable(CAP_SYS_TIME))
        return -EPERM;
    if (!a[0])
        return 0;
    int error = timeval_to_ns(&t, &ns);
    return error ? error : posix_clock_set(CLOCK_REALTIME, ns);
}

// Rounded up: a value of 0 says that the timer is off.
static long itimer_out(const struct posix_itimer *t, u64 user) {
    struct itimerval v = {.it_interval = ns_to_timeval(t->interval),
                          .it_value = ns_to_timeval(t->value + NSEC_PER_USEC - 1)};
    return copy_to_user(user, &v, sizeof(v));
}

long sys_getitimer(const u64 *a) {
    struct posix_itimer t;
    if ((u32)a[0] > ITIMER_PROF)
        return -EINVAL;
    posix_itimer_get((int)a[0], &t);
    return itimer_out(&t, a[1]);
}

long sys_setitimer(const u64 *a) {
    struct posix_itimer new_ = {0}, old;
    struct itimerval v;
    if ((u32)a[0] > ITIMER_PROF)
        return -EINVAL;
    if (a[1]) {
        if (copy_from_user(&v, a[1], sizeof(v)))
            return -EFAULT;
        if (timeval_to_ns(&v.it_value, &new_.value) ||
            timeval_to_ns(&v.it_interval, &new_.interval))
            return -EINVAL;
    }
    int error = posix_itimer_set((int)a[0], &new_, &old);
    return error || !a[2] ? error : itimer_out(&old, a[2]);
}

/* ---- timers of programs ---- */

long sys_timer_create(const u64 *a) {
    struct sigevent event;
    if (a[1] && copy_from_user(&event, a[1], sizeof(event)))
        return -EFAULT;
    int id = timers_create((int)a[0], a[1] ? &event : NULL);
    if (id < 0 || put_user_u32(id, a[2]) == 0)
        return min(id, 0);
    timers_delete(id);
    return -EFAULT;
}

long sys_timer_delete(const u64 *a) { return timers_delete((int)a[0]); }
long sys_timer_getoverrun(const u64 *a) { return timers_overrun((int)a[0]); }

static int itimerspec_out(const struct posix_itimer *t, u64 user) {
    struct itimerspec v = {ns_to_timespec(t->interval), ns_to_timespec(t->value)};
    return copy_to_user(user, &v, sizeof(v));
}

long sys_timer_gettime(const u64 *a) {
    struct posix_itimer now;
    int error = timers_get((int)a[0], &now);
    return error ? error : itimerspec_out(&now, a[1]);
}

// 0, -EFAULT, -EINVAL
static int itimerspec_in(u64 user, struct posix_itimer *t) {
    struct itimerspec v;
    if (copy_from_user(&v, user, sizeof(v)))
        return -EFAULT;
    int error = timespec_to_ns(&v.it_value, &t->value);
    return error ? error : timespec_to_ns(&v.it_interval, &t->interval);
}

long sys_timer_settime(const u64 *a) {
    struct posix_itimer new_, old;
    int bad = itimerspec_in(a[2], &new_);
    if (bad)
        return bad;
    int error = timers_set((int)a[0], a[1] & TIMER_ABSTIME, &new_, &old);
    return error || !a[3] ? error : itimerspec_out(&old, a[3]);
}

/* ---- timerfd ---- */

long sys_timerfd_create(const u64 *a) { return timerfd_open((int)a[0], (u32)a[1]); }

long sys_timerfd_settime(const u64 *a) {
    struct posix_itimer new_, old;
    int error = itimerspec_in(a[2], &new_);
    if (error)
        return error;
    struct fd_ref r = fd_get((int)a[0]);
    error = r.file ? timerfd_set(r.file, (u32)a[1], &new_, &old) : -EBADF;
    fd_put(r);
    return error || !a[3] ? error : itimerspec_out(&old, a[3]);
}

long sys_timerfd_gettime(const u64 *a) {
    struct posix_itimer now;
    struct fd_ref r = fd_get((int)a[0]);
    int error = r.file ? timerfd_get(r.file, &now) : -EBADF;
    fd_put(r);
    return error ? error : itimerspec_out(&now, a[1]);
}

static s64 clock_ticks(u64 ns) { return ns / (NSEC_PER_SEC / USER_HZ); }

long sys_times(const u64 *a) {
    struct process *p = current->process;
    struct cpu_times mine;
    if (a[0]) {
        process_times(p, &mine);
        struct tms t = {
            .tms_utime = clock_ticks(mine.user),
            .tms_stime = clock_ticks(mine.system),
            .tms_cutime = clock_ticks(p->children_time.user),
            .tms_cstime = clock_ticks(p->children_time.system),
        };
        if (copy_to_user(a[0], &t, sizeof(t)))
            return -EFAULT;
    }
    return clock_ticks(clock_ns());
}

/* ---- futex ---- */

static long futex_restart(struct task *t) {
    u64 *r = t->restart_arg;
    long result = futex_wait(r[0], r[3] >> 32, (u32)r[1], (u32)r[3], r[2]);
    if (result == -ERESTARTSYS) {
        t->restart = futex_restart;
        result = -ERESTART_RESTARTBLOCK;
    }
    return result;
}

// A relative timeout must not begin anew when the call is restarted: keep the deadline.
static long wait_word(u64 addr, bool shared, u32 value, u32 bitset, u64 deadline) {
    long result = futex_wait(addr, shared, value, bitset, deadline);
    if (result != -ERESTARTSYS || deadline == TIME_NEVER)
        return result;
    current->restart = futex_restart;
    current->restart_arg[0] = addr;
    current->restart_arg[1] = value;
    current->restart_arg[2] = deadline;
    current->restart_arg[3] = (u64)shared << 32 | bitset;
    return -ERESTART_RESTARTBLOCK;
}

// FUTEX_WAIT counts from now, FUTEX_WAIT_BITSET names a moment of the monotonic or the wall clock.
static int futex_deadline(u64 user, int op, u64 *deadline) {
    u64 ns;
    *deadline = TIME_NEVER;
    if (!user)
        return 0;
    int error = timespec_in(user, &ns);
    if (error)
        return error;
    if ((op & FUTEX_CMD_MASK) == FUTEX_WAIT) {
        *deadline = deadline_after(ns);
    } else {
        *deadline = op & FUTEX_CLOCK_REALTIME ? WALL_CLOCK | ns : ns;
    }
    return 0;
}

static __attribute__((noinline)) long futex_wait_for(const u64 *a, int op, u32 bitset) {
    u64 deadline;
    int error = futex_deadline(a[3], op, &deadline);
    return error ? error : wait_word(a[0], !(op & FUTEX_PRIVATE_FLAG), (u32)a[2], bitset, deadline);
}

static __attribute__((noinline)) long futex_sleep_pi(const u64 *a, int op) {
    bool shared = !(op & FUTEX_PRIVATE_FLAG);
    u64 deadline;
    if ((op & FUTEX_CMD_MASK) == FUTEX_LOCK_PI)
        op |= FUTEX_CLOCK_REALTIME;
    int error = futex_deadline(a[3], op, &deadline);
    if (error)
        return error;
    if ((op & FUTEX_CMD_MASK) == FUTEX_WAIT_REQUEUE_PI)
        return futex_wait_requeue_pi(a[0], shared, (u32)a[2], deadline, a[4]);
    return futex_lock_pi(a[0], shared, deadline, false);
}

static bool names_a_moment(int op) {
    int command = op & FUTEX_CMD_MASK;
    return command == FUTEX_WAIT_BITSET || command == FUTEX_LOCK_PI2 ||
           command == FUTEX_WAIT_REQUEUE_PI;
}

long sys_futex(const u64 *a) {
    int op = (int)a[1];
    bool shared = !(op & FUTEX_PRIVATE_FLAG);
    u32 value = (u32)a[2], value2 = (u32)a[3], value3 = (u32)a[5];
    if (unlikely(op & FUTEX_CLOCK_REALTIME) && !names_a_moment(op))
        return -ENOSYS;
    switch (op & FUTEX_CMD_MASK) {
    case FUTEX_WAIT:
        return futex_wait_for(a, op, FUTEX_BITSET_MATCH_ANY);
    case FUTEX_WAIT_BITSET:
        return futex_wait_for(a, op, value3);
    case FUTEX_WAKE:
        return futex_wake(a[0], shared, value, FUTEX_BITSET_MATCH_ANY);
    case FUTEX_WAKE_BITSET:
        return futex_wake(a[0], shared, value, value3);
    case FUTEX_REQUEUE:
    case FUTEX_CMP_REQUEUE:
        if ((int)value < 0 || (int)value2 < 0)
            return -EINVAL;
        return futex_requeue(a[0], shared, a[4], value, value2,
                             (op & FUTEX_CMD_MASK) == FUTEX_CMP_REQUEUE ? &value3 : NULL);
    case FUTEX_WAKE_OP:
        return futex_wake_op(a[0], shared, a[4], value, value2, value3);
    case FUTEX_LOCK_PI:
    case FUTEX_LOCK_PI2:
    case FUTEX_WAIT_REQUEUE_PI:
        return futex_sleep_pi(a, op);
    case FUTEX_TRYLOCK_PI:
        return futex_lock_pi(a[0], shared, TIME_NEVER, true);
    case FUTEX_UNLOCK_PI:
        return futex_unlock_pi(a[0], shared);
    case FUTEX_CMP_REQUEUE_PI:
        if (value != 1 || (int)value2 < 0)
            return -EINVAL;
        return futex_cmp_requeue_pi(a[0], shared, a[4], 1 + value2, value3);
    default:
        return -ENOSYS;
    }
}

long sys_futex_waitv(const u64 *a) {
    u32 n = (u32)a[1];
    u64 deadline = TIME_NEVER;
    if ((u32)a[2] || n == 0 || n > FUTEX_WAITV_MAX || !a[0])
        return -EINVAL;
    if (a[3]) {
        if ((int)a[4] != CLOCK_MONOTONIC && (int)a[4] != CLOCK_REALTIME)
            return -EINVAL;
        int op = (int)a[4] == CLOCK_REALTIME ? FUTEX_CLOCK_REALTIME : 0;
        int error = futex_deadline(a[3], FUTEX_WAIT_BITSET | op, &deadline);
        if (error)
            return error;
    }
    struct futex_waitv *v = kmalloc(n * sizeof(*v), 0);
    if (!v)
        return -ENOMEM;
    long result = -EFAULT;
    if (copy_from_user(v, a[0], n * sizeof(*v)) == 0)
        result = futex_waitv(v, n, deadline);
    kfree(v);
    return result;
}

long sys_set_robust_list(const u64 *a) {
    if (a[1] != sizeof(struct robust_list_head))
        return -EINVAL;
    current->robust_list = (void *)a[0];
    return 0;
}

long sys_get_robust_list(const u64 *a) {
    struct task *t = (int)a[0] ? task_lookup((int)a[0]) : current;
    if (!t)
        return -ESRCH;
    u64 head = (u64)t->robust_list;
    int error =
        t != current && !capable(CAP_SYS_PTRACE) && t->process != current->process ? -EPERM : 0;
    if ((int)a[0])
        task_put(t);
    if (error)
        return error;
    return put_user_u64(head, a[1]) || put_user_u64(sizeof(struct robust_list_head), a[2]) ? -EFAULT
                                                                                           : 0;
}
