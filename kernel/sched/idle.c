/*
 * The idle class: one task per hart that runs when no other does.
 *
 * It waits in no queue, so it has three of the methods only; picking it means that nothing else was
 * there. Its body, sched_idle_loop() in core.c, turns interrupts off, looks whether there is work
 * here or on a busier hart, and waits: an interrupt that comes in between stays pending, and wfi
 * returns for a pending interrupt even when interrupts are off, so no wake-up is missed.
 */
#include "proc/proc.h"
#include "sched/sched.h"

static struct sched_entity *idle_pick(struct runq *rq) { return &rq->idle->se; }

static u64 idle_turn_ends(struct runq *rq, struct sched_entity *se) {
    (void)rq, (void)se;
    return TIME_NEVER;
}

static bool idle_tick(struct runq *rq, struct sched_entity *se) {
    (void)se;
    return rq->nr_running > 0;
}

const struct sched_class idle_class = {
    .name = "idle",
    .policies = "-",
    .rank = 1,
    .pick = idle_pick,
    .turn_ends = idle_turn_ends,
    .tick = idle_tick,
};
