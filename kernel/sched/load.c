/*
 * The load averages: how many tasks ran or waited for a hart, on the average of the last 1, 5 and
 * 15 minutes (uptime(1)).
 *
 * Nothing counts tasks at regular times, for an idle machine has no regular times. What all harts
 * together were busy, and what tasks waited, is added up anyhow; the growth of that sum, divided by
 * the time in which it grew, is the exact average of the number of tasks. The tick of any busy
 * hart, or who asks, takes it as soon as LOAD_STEP has gone by since the last, and lets it in as
 * often as steps went by: a step of 5 s is  value = value * e^(-5 s / period) + n * (1 - that).
 *
 * Who waits still is counted when he gets his hart. Locks: load.lock (RANK_LOAD), in the tick and
 * in task context.
 */
#include "abi/sysinfo.h"
#include "arch/hart.h"
#include "lib/string.h"
#include "sched/internal.h"

#define LOAD_STEP (5 * NSEC_PER_SEC)
#define MOST_STEPS 2000ul  // after which nothing is left of what was before

static struct {
    struct irqlock lock;
    u64 last;      // [lock] ns since boot; others may read it [a]
    u64 used;      // [lock] ns that tasks ran and waited until then
    u64 value[3];  // [lock] fixed point
} load = {.lock = IRQLOCK_INIT(RANK_LOAD, "load average")};

static u64 used_until_now(void) {
    u64 idle, ns = 0;
    for_each_hart (h)
        ns += sched_busy_ns(h, &idle) + sched_hart_waited_ns(h);
    return ns;
}

// One step, when n tasks (fixed point) were there; factors with 16 bits after the point.
static void step(u64 n) {
    static const u32 factor[3] = {60296, 64453, 65173};
    for (u32 i = 0; i < 3; i++)
        load.value[i] = (load.value[i] * factor[i] + n * (65536 - factor[i])) >> SI_LOAD_SHIFT;
}

static void update_locked(u64 now) {
    u64 passed = now - load.last, used;
    if ((s64)passed < (s64)LOAD_STEP)
        return;
    used = used_until_now();
    u64 n = used > load.used ? ((used - load.used) >> 10 << SI_LOAD_SHIFT) / (passed >> 10) : 0;
    for (u64 i = 0; i < min(passed / LOAD_STEP, MOST_STEPS); i++)
        step(n);
    load.used = used;
    WRITE_ONCE(load.last, now);
}

static void update(u64 now) {
    u64 flags = irqlock_acquire(&load.lock);
    update_locked(now);
    irqlock_release(&load.lock, flags);
}

void load_tick(u64 now) {
    if (now - READ_ONCE(load.last) >= LOAD_STEP)
        update(now);
}

void load_average(u64 loads[3]) {
    update(clock_ns());
    u64 flags = irqlock_acquire(&load.lock);
    memcpy(loads, load.value, sizeof(load.value));
    irqlock_release(&load.lock, flags);
}
