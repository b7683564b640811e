/*
 * The fair class `o1`: priorities, slices, and two arrays; every operation takes constant time.
 *
 * Algorithm. Each nice value is a level, 0 (nice -20) to 39 (nice 19), and gives a slice of 800 to
 * 5 ms. Who waits and has some of his slice left is in the active array, one FIFO per level and a
 * bitmap; the first of the best level is next. Who has used up his slice gets a new one and waits
 * in the expired array. When the active one is empty the two change places: nobody is looped over,
 * ever.
 *
 *   active   level  8 | A                expired   level 20 | D -> E
 *                  20 | B -> C                           39 | F
 *            used: 8, 20; next: A                  used: 20, 39; a new round after A, B and C
 *
 * Who sleeps much is taken to be interactive. sleep_avg grows by the time asleep, falls by the time
 * on a hart, and ranges up to 1 s, which moves the level by up to 5 either way (but not for BATCH).
 * Whom it moves by 3 or more gets its new slice in the active array, unless somebody has been
 * waiting in the other for longer than STARVING.
 *
 * History: Ingo Molnár, Linux 2.5.2 (2002) to 2.6.22. Source: Robert Love, Linux Kernel
 * Development, second edition, chapter 4.
 * Flaws, as tests/unit/test_shares.c measures them.
 * Nice: shares are what the slices happen to be. Of two tasks with nice 0 and 1 the first has 51 %
 * (100 and 95 ms), with nice 18 and 19 it has 67 % (10 and 5 ms), though the distance is the same.
 * And the latter switch 67 times a second, the former 5 times: low priority means more switches,
 * where it matters least.
 * Latency: a round takes the sum of all slices. Among 20 that compute each waits 1.9 s for its
 * turn.
 * The bonus is a guess. A task that waited 1 s for its input and then only computes is taken for
 * interactive until it has had three slices: it keeps one like itself off the hart for 300 ms. And
 * programs learned to cheat: fork at the end of the slice, for a child has a fresh one.
 */
#include "sched/internal.h"
#include "sched/prio.h"
#include "time/timer.h"

#define LEVELS 40
#define MOST_SLEEP NSEC_PER_SEC
#define BONUS 5        // levels, either way
#define INTERACTIVE 3  // levels
#define STARVING NSEC_PER_SEC

void o1_init(struct runq *rq) {
    struct o1_queue *q = &rq->o1;
    prio_init(&q->arrays[0]);
    prio_init(&q->arrays[1]);
    q->active = &q->arrays[0];
    q->expired = &q->arrays[1];
}

static int bonus(const struct sched_entity *se) {
    if (se->policy == POLICY_BATCH)
        return 0;
    return (int)(se->sleep_avg * 2 * BONUS / MOST_SLEEP) - BONUS;
}

static u8 level_of(const struct sched_entity *se) {
    int level = 20 + se->nice - bonus(se);
    return se->policy == POLICY_IDLE ? LEVELS - 1 : max(0, min(level, LEVELS - 1));
}

static u64 slice_of(const struct sched_entity *se) {
    u32 level = se->policy == POLICY_IDLE ? LEVELS - 1 : 20 + se->nice;
    return (LEVELS - level) * (level < 20 ? 20 : 5) * NSEC_PER_MSEC;
}

// Time on a hart makes a task less interactive.
static void judge(struct sched_entity *se) {
    u64 ran = se->exec_sum - se->judged_at;
    se->judged_at = se->exec_sum;
    se->sleep_avg -= min(ran, se->sleep_avg);
}

static void o1_enqueue(struct runq *rq, struct sched_entity *se, enum enqueue_reason why) {
    judge(se);
    if (why == TASK_WAKES && rq->clock > se->exec_start)
        se->sleep_avg = min(se->sleep_avg + (rq->clock - se->exec_start), MOST_SLEEP);
    if (se->exec_sum >= se->slice_end)
        se->slice_end = se->exec_sum + slice_of(se);
    se->level = level_of(se);
    prio_add(rq->o1.active, se, false);
}

static void o1_dequeue(struct runq *rq, struct sched_entity *se) {
    (void)rq;
    prio_remove(se);
}

static struct sched_entity *o1_pick(struct runq *rq) {
    struct o1_queue *q = &rq->o1;
    if (prio_empty(q->active)) {
        struct prio_queue *spent = q->active;
        q->active = q->expired;
        q->expired = spent;
        q->expired_since = 0;
    }
    struct sched_entity *se = prio_first(q->active, 0);
    if (se)
        prio_remove(se);
    return se;
}

static bool is_interactive(const struct sched_entity *se) {
    return se->policy == POLICY_NORMAL && bonus(se) >= INTERACTIVE;
}

static bool starving(struct runq *rq) {
    return rq->o1.expired_since && rq->clock - rq->o1.expired_since > STARVING;
}

static void expire(struct runq *rq, struct sched_entity *se) {
    struct o1_queue *q = &rq->o1;
    if (q->expired_since == 0)
        q->expired_since = rq->clock;
    prio_add(q->expired, se, false);
}

static void o1_put(struct runq *rq, struct sched_entity *se) {
    judge(se);
    bool spent = se->exec_sum >= se->slice_end, yielded = se->yielded;
    se->level = level_of(se);
    se->yielded = false;
    if (spent)
        se->slice_end = se->exec_sum + slice_of(se);
    if (yielded || (spent && (!is_interactive(se) || starving(rq))))
        expire(rq, se);
    else
        prio_add(rq->o1.active, se, !spent);
}

static bool o1_preempts(struct runq *rq, struct sched_entity *woken, struct sched_entity *running) {
    (void)rq;
    return woken->level < running->level;
}

static u64 o1_turn_ends(struct runq *rq, struct sched_entity *se) {
    return rq->clock + (se->exec_sum < se->slice_end ? se->slice_end - se->exec_sum : 0);
}

static bool o1_tick(struct runq *rq, struct sched_entity *se) {
    (void)rq;
    return se->exec_sum >= se->slice_end;
}

static void o1_yield(struct runq *rq, struct sched_entity *se) {
    (void)rq;
    se->yielded = true;
}

static struct sched_entity *o1_waiting(struct runq *rq, struct sched_entity *after) {
    struct sched_entity *se = after ? prio_next(after) : prio_first(rq->o1.active, 0);
    bool end_of_active = !se && (!after || after->on == rq->o1.active);
    return end_of_active ? prio_first(rq->o1.expired, 0) : se;
}

const struct sched_class o1_class = {
    .name = "o1",
    .policies = "normal batch idle",
    .rank = 2,
    .turn = 100 * NSEC_PER_MSEC,
    .enqueue = o1_enqueue,
    .dequeue = o1_dequeue,
    .pick = o1_pick,
    .put = o1_put,
    .preempts = o1_preempts,
    .turn_ends = o1_turn_ends,
    .tick = o1_tick,
    .yield = o1_yield,
    .waiting = o1_waiting,
    .fits = balance_fewer,
};
