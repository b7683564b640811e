/*
 * The fair class `rr`: round robin.
 *
 * Algorithm. One FIFO queue per hart. A task runs for a quantum of 10 ms or until it sleeps; then
 * it goes behind the others. One that was preempted by a better class, before its quantum was over,
 * comes back at the head and keeps the rest of it. Everything is constant time. Nice values and the
 * policies BATCH and IDLE make no difference.
 *
 * History: CTSS (1961) had queues with quanta; xv6's scheduler, a loop over the table of processes,
 * is its simplest form.
 * Flaws: who wakes waits for all others, n quanta: a shell behind ten compilers answers after 100
 * ms (measured by tests/unit/test_shares.c; cfs: 3 ms). A task that sleeps before its quantum is
 * over loses the rest: who computes gets more than who waits for a disk. There are no shares to ask
 * for.
 *
 * All functions: run queue's lock held, interrupts off. The running entity is not in the list.
 */
#include "sched/internal.h"
#include "time/timer.h"

#define QUANTUM (10 * NSEC_PER_MSEC)

static void rr_enqueue(struct runq *rq, struct sched_entity *se, enum enqueue_reason why) {
    (void)why;
    if (se->exec_sum >= se->slice_end)
        se->slice_end = se->exec_sum + QUANTUM;
    list_add_tail(&se->link, &rq->rr.queue);
}

static void rr_dequeue(struct runq *rq, struct sched_entity *se) {
    (void)rq;
    list_del(&se->link);
}

static struct sched_entity *rr_pick(struct runq *rq) {
    struct sched_entity *se = list_first_or_null(&rq->rr.queue, struct sched_entity, link);
    if (se) {
        list_del(&se->link);
    }
    return se;
}

static void rr_put(struct runq *rq, struct sched_entity *se) {
    if (se->exec_sum < se->slice_end) {
        list_add(&se->link, &rq->rr.queue);
        return;
    }
    se->slice_end = se->exec_sum + QUANTUM;
    list_add_tail(&se->link, &rq->rr.queue);
}

static bool rr_preempts(struct runq *rq, struct sched_entity *woken, struct sched_entity *running) {
    (void)rq, (void)woken, (void)running;
    return false;
}

static u64 rr_turn_ends(struct runq *rq, struct sched_entity *se) {
    return se->exec_sum < se->slice_end ? rq->clock + (se->slice_end - se->exec_sum) : rq->clock;
}

// Who waits may be of another class, and not have his turn yet: then nobody takes this one's.
static bool rr_tick(struct runq *rq, struct sched_entity *se) {
    if (se->exec_sum < se->slice_end)
        return false;
    if (list_empty(&rq->rr.queue))
        se->slice_end = se->exec_sum + QUANTUM;
    return !list_empty(&rq->rr.queue);
}

static void rr_yield(struct runq *rq, struct sched_entity *se) {
    (void)rq;
    se->slice_end = se->exec_sum;
}

static struct sched_entity *rr_waiting(struct runq *rq, struct sched_entity *after) {
    struct list *next = after ? after->link.next : rq->rr.queue.next;
    return next == &rq->rr.queue ? NULL : container_of(next, struct sched_entity, link);
}

const struct sched_class rr_class = {
    .name = "rr",
    .policies = "normal batch idle",
    .rank = 2,
    .turn = QUANTUM,
    .enqueue = rr_enqueue,
    .dequeue = rr_dequeue,
    .pick = rr_pick,
    .put = rr_put,
    .preempts = rr_preempts,
    .turn_ends = rr_turn_ends,
    .tick = rr_tick,
    .yield = rr_yield,
    .waiting = rr_waiting,
    .fits = balance_fewer,
};
