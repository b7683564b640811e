/*
 * The real-time class: policies FIFO and RR, priorities 1 to 99.
 *
 * Algorithm. The task with the highest priority runs, and no one of a lower priority or class until
 * it sleeps. Among equals FIFO tasks run until they sleep or yield, RR tasks for a quantum each.
 * Who is preempted by a higher priority stays first of his own. One FIFO per priority and a bitmap:
 * constant time (prio.h; level 0 is priority 99).
 *
 * History: as old as control computers; the rules are POSIX.1b's (1993), the array Linux 2.6's.
 * Flaws: nothing here knows deadlines, so priorities are a guess about them that fails when
 * programs are put together. A task that never sleeps keeps everybody else off its hart, but for a
 * twentieth of the time (rtlimit.c; tests/unit/test_shares.c measures 4 to 5 %). A lower task that
 * holds what a higher one waits for can be kept off the hart by one between them, for ever:
 * priority inversion, which stopped Mars Pathfinder (1997); see inherit.c. Real-time tasks are
 * spread over harts when they wake and when they are preempted, by how many each hart has, not by
 * priority.
 */
#include "sched/internal.h"
#include "sched/prio.h"
#include "time/timer.h"

#define QUANTUM (100 * NSEC_PER_MSEC)

void rt_init(struct runq *rq) { prio_init(&rq->rt); }

static void rt_enqueue(struct runq *rq, struct sched_entity *se, enum enqueue_reason why) {
    (void)why;
    se->level = RT_PRIORITIES - se->rt_priority;
    if (se->exec_sum >= se->slice_end)
        se->slice_end = se->exec_sum + QUANTUM;
    prio_add(&rq->rt, se, false);
}

static void rt_dequeue(struct runq *rq, struct sched_entity *se) {
    (void)rq;
    prio_remove(se);
}

static struct sched_entity *rt_pick(struct runq *rq) {
    struct sched_entity *se = prio_first(&rq->rt, 0);
    if (se)
        prio_remove(se);
    return se;
}

static bool used_up(struct sched_entity *se) {
    return se->policy == POLICY_RR && se->exec_sum >= se->slice_end;
}

static void rt_put(struct runq *rq, struct sched_entity *se) {
    bool last = se->yielded || used_up(se);
    if (last)
        se->slice_end = se->exec_sum + QUANTUM;
    se->level = RT_PRIORITIES - se->rt_priority;
    prio_add(&rq->rt, se, !last);
    se->yielded = false;
}

static bool rt_preempts(struct runq *rq, struct sched_entity *woken, struct sched_entity *running) {
    (void)rq;
    return woken->rt_priority > running->rt_priority;
}

static u64 rt_turn_ends(struct runq *rq, struct sched_entity *se) {
    if (se->policy != POLICY_RR)
        return TIME_NEVER;
    return rq->clock + (se->exec_sum < se->slice_end ? se->slice_end - se->exec_sum : 0);
}

static bool rt_tick(struct runq *rq, struct sched_entity *se) {
    if (!used_up(se))
        return false;
    if (bitmap_test(rq->rt.used, RT_PRIORITIES - se->rt_priority))
        return true;
    se->slice_end = se->exec_sum + QUANTUM;
    return false;
}

static void rt_yield(struct runq *rq, struct sched_entity *se) {
    (void)rq;
    se->yielded = true;
}

static struct sched_entity *rt_waiting(struct runq *rq, struct sched_entity *after) {
    return after ? prio_next(after) : prio_first(&rq->rt, 0);
}

static bool rt_fits(struct runq *rq, struct sched_entity *se, struct runq *other) {
    (void)se;
    return rq->nr_rt > READ_ONCE(other->nr_rt) + 1;
}

const struct sched_class rt_class = {
    .name = "rt",
    .policies = "fifo rr",
    .rank = 3,
    .turn = QUANTUM,
    .enqueue = rt_enqueue,
    .dequeue = rt_dequeue,
    .pick = rt_pick,
    .put = rt_put,
    .preempts = rt_preempts,
    .turn_ends = rt_turn_ends,
    .tick = rt_tick,
    .yield = rt_yield,
    .waiting = rt_waiting,
    .fits = rt_fits,
};
