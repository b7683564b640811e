/*
 * What keeps real-time tasks from having a hart for ever: a part of the time for the others, and
 * RLIMIT_RTTIME.
 *
 * In each period (1 s) the real-time tasks of a hart have at most runtime (0.95 s) while others
 * wait there; then it is the others' turn until the period ends. A shell on the console can so end
 * a program that runs amok with FIFO. Nobody waits: nothing is taken away.
 * /proc/sys/kernel/sched_rt_{period,runtime}_us, sched(7); runtime -1: no limit, which a machine
 * that keeps deadlines wants.
 *
 *   period   |<------------------ 1 s ------------------>|
 *   rt       ######################################......#######
 *   others                                         ######
 *
 * RLIMIT_RTTIME (getrlimit(2)) bounds what a real-time task computes between two times that it
 * sleeps: SIGXCPU each second from the soft limit on, SIGKILL at the hard one. That it slept is
 * seen by its number of voluntary switches, so sleeping costs nothing more.
 *
 * All by the sample that core.c takes each 10 ms on a busy hart: so exact it is, and no more.
 * Locks: the run queue's; the process's siglock, with the queue's released.
 */
#include "abi/errno.h"
#include "sched/internal.h"

struct rt_limits rt_limits = {.period_us = 1000000, .runtime_us = 950000};

int sched_set_rt_limits(s64 period_us, s64 runtime_us) {
    if (period_us <= 0 || period_us > 0x7fffffff || runtime_us < -1 || runtime_us > period_us)
        return -EINVAL;
    WRITE_ONCE(rt_limits.period_us, period_us);
    WRITE_ONCE(rt_limits.runtime_us, runtime_us);
    return 0;
}

static void begin_period(struct runq *rq) {
    rq->rt_used = 0;
    rq->rt_period_ends = rq->clock + (u64)READ_ONCE(rt_limits.period_us) * NSEC_PER_USEC;
    if (rq->rt_throttled && rq->nr_rt)
        sched_resched(rq);
    rq->rt_throttled = false;
}

static void throttle(struct runq *rq) {
    s64 runtime = READ_ONCE(rt_limits.runtime_us);
    rq->rt_throttled = runtime >= 0 && rq->rt_used >= (u64)runtime * NSEC_PER_USEC;
    if (rq->rt_throttled && rq->nr_running > rq->nr_rt)
        sched_resched(rq);
}

u64 rt_sample(struct runq *rq, struct task *t) {
    struct sched_entity *se = &t->se;
    if (rq->clock >= rq->rt_period_ends)
        begin_period(rq);
    if (se->class != &rt_class)
        return 0;
    rq->rt_used += se->exec_sum - t->sampled_at;
    throttle(rq);
    if (se->slept != t->nvcsw) {
        se->slept = t->nvcsw;
        se->awake_since = t->sampled_at;
    }
    return se->exec_sum - se->awake_since;
}

void rt_limit(struct process *p, u64 ns) {
    struct rlimit *l = p ? &p->limit[RLIMIT_RTTIME] : NULL;
    int sig = 0;
    if (likely(!l || READ_ONCE(l->rlim_cur) == RLIM_INFINITY))
        return;
    u64 us = ns / NSEC_PER_USEC, flags = irqlock_acquire(&p->siglock);
    if (us >= l->rlim_max) {
        sig = SIGKILL;
    } else if (us >= l->rlim_cur) {
        sig = SIGXCPU;
        l->rlim_cur += 1000000;
    }
    irqlock_release(&p->siglock, flags);
    if (sig)
        signal_process(p, sig);
}
