/*
 * The idle class: one task per hart that runs when no other does.
 *
 * It is never enqueued or dequeued; picking it means that nothing else was there. Its body,
 * sched_idle_loop() in core.c, turns interrupts off, looks whether there is work here or on a
 * busier hart, and waits: an interrupt that comes in between stays pending, and wfi returns for a
 * pending interrupt even when interrupts are off, so no wake-up is missed.
 */
#include "proc/proc.h"
#include "sched/sched.h"

static void idle_enqueue(struct runq *rq, struct sched_entity *se, enum enqueue_reason why) {
    (void)rq, (void)se, (void)why;
}
static void idle_dequeue(struct runq *rq, struct sched_entity *se) { (void)rq, (void)se; }
static struct sched_entity *idle_pick(struct runq *rq) { return &rq->idle->se; }
static void idle_put(struct runq *rq, struct sched_entity *se) { (void)rq, (void)se; }

static bool idle_preempts(struct runq *rq, struct sched_entity *woken,
                          struct sched_entity *running) {
    (void)rq, (void)woken, (void)running;
    return false;
}

static u64 idle_turn_ends(struct runq *rq, struct sched_entity *se) {
    (void)rq, (void)se;
    return TIME_NEVER;
}

static bool idle_tick(struct runq *rq, struct sched_entity *se) {
    (void)se;
    return rq->nr_running > 0;
}

static void idle_yield(struct runq *rq, struct sched_entity *se) { (void)rq, (void)se; }

static struct sched_entity *idle_waiting(struct runq *rq, struct sched_entity *after) {
    (void)rq, (void)after;
    return NULL;
}

static bool idle_fits(struct runq *rq, struct sched_entity *se, struct runq *other) {
    (void)rq, (void)se, (void)other;
    return false;
}

const struct sched_class idle_class = {
    .name = "idle",
    .policies = "-",
    .rank = 1,
    .enqueue = idle_enqueue,
    .dequeue = idle_dequeue,
    .pick = idle_pick,
    .put = idle_put,
    .preempts = idle_preempts,
    .turn_ends = idle_turn_ends,
    .tick = idle_tick,
    .yield = idle_yield,
    .waiting = idle_waiting,
    .fits = idle_fits,
};
