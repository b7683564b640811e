// Clocks, sleeps and interval timers as programs see them. clock_gettime(2), nanosleep(2),
// setitimer(2).
#ifndef TIME_POSIX_H
#define TIME_POSIX_H

#include "abi/time.h"
#include "lib/types.h"
#include "time/timer.h"

struct process;
struct timex;

// A clock's time in ns; -EINVAL, -ESRCH.
int posix_clock_get(int clock, u64 *ns);
int posix_clock_set(int clock, u64 ns);  // -EINVAL, -EPERM
int posix_clock_adjust(int clock,
                       struct timex *t);  // adjtimex(2): TIME_OK …, -EINVAL, -EPERM, -EOPNOTSUPP
int posix_clock_check(int clock);         // 0 or -EINVAL: is there such a clock?
// Sleep until `clock` shows ns (absolute) or for ns. 0, -EINTR (*left is the rest, relative sleeps
// only), -ERESTARTNOHAND (absolute), -EINVAL, -EOPNOTSUPP.
long posix_sleep(int clock, bool absolute, u64 ns, u64 user_left);
// -EINVAL for a value that is not normalised; ns saturates below TIME_NEVER.
int timespec_to_ns(const struct timespec *t, u64 *ns);
int timeval_to_ns(const struct timeval *t, u64 *ns);
int timespec_in(u64 user, u64 *ns);  // one of the caller's. 0, -EFAULT, -EINVAL
struct timespec ns_to_timespec(u64 ns);
struct timeval ns_to_timeval(u64 ns);
// now + ns without wrapping: a deadline.
u64 deadline_after(u64 ns);
// The same for a timespec of the caller's; NULL: TIME_NEVER, of no time: 0. 0, -EFAULT, -EINVAL
static inline int deadline_in(u64 user, u64 *deadline) {
    u64 ns;
    *deadline = TIME_NEVER;
    int error = user ? timespec_in(user, &ns) : 0;
    if (user && !error)
        *deadline = ns ? deadline_after(ns) : 0;
    return error;
}

// CPU time of all threads of a process, ns. => siglock held
u64 posix_cpu_time_locked(const struct process *p, bool user_only);
// When so many threads can have used `left` ns of CPU time at the earliest, and no sooner than is
// worth a look.
u64 posix_next_look(u64 left, u32 threads);
// Between two calls of a timer's handler: what a program asks for must not keep a hart in it.
#define POSIX_MIN_PERIOD (100 * NSEC_PER_USEC)

struct posix_itimer {
    u64 value, interval;  // ns; value: until the next signal, 0: off
};
void posix_itimer_get(int which, struct posix_itimer *out);
// 0, -ENOMEM
int posix_itimer_set(int which, const struct posix_itimer *new_, struct posix_itimer *old);
// Before RLIMIT_CPU of p changes: take siglock with the timer that watches the limit stopped, and
// its handler, which may outlive the lock, not running. The saved flags.
u64 posix_limit_lock(struct process *p);
// Watch the limit in p->limit. => siglock held by the above, or p is new
void posix_limit_cpu(struct process *p);
void posix_exit(struct process *p);  // the last thread ends: no timer is left

#endif
