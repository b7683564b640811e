/*
 * The fair class `cfs`: who has had least for his weight goes next. The default.
 *
 * Algorithm. Imagine a hart that runs all its tasks at once, each at a speed in proportion to its
 * weight. A real one runs them in turns; vruntime tells how far each has come: nanoseconds on the
 * hart, divided by the weight (1024 for nice 0). Who waits is in a red-black tree by vruntime. The
 * leftmost is furthest behind and has the next turn, so all stay together, and shares are as the
 * weights, which fall by a factor of 1.25 with each step of nice. No slices are handed out in
 * advance: a turn is the task's share of LATENCY, in which everybody should run once, and not less
 * than MIN_TURN, so as not only to switch.
 *
 *        tree (waits)   30            on the hart: 21, and moving to the right
 *                     /    \          ahead: 23, next when the turn is over; min_vruntime: 21
 *                   24      41        (who comes and is before the whole tree waits in front of
 *                                     it, and it is not touched)
 *
 * Who yields waits in a list beside, in which those who only wait for each other take turns at
 * little cost.
 *
 * Who sleeps does not move. When it wakes it is put at most SLEEPER_CREDIT behind the others: it
 * runs soon, but what it slept is not paid back. It preempts if it is behind the running task by
 * more than WAKE_LEAD; batch and idle tasks never do.
 *
 * Harts. Each has a scale of its own, for tasks that wake are placed by the min_vruntime of their
 * hart. `shift` turns that into a scale that all share: where min_vruntime + shift is greater,
 * tasks got more. Waiting for balance.c, which asks cfs_fits(), is who is owed more than IMBALANCE
 * of a hart's time, compared with another hart: it goes there, runs first because it is behind, and
 * so H + 1 tasks share H harts evenly, which counting tasks cannot do. A heavy task alone on its
 * hart stays behind for ever; a hart's clock therefore never is more than MEMORY behind the most
 * advanced, and what was longer ago is forgotten.
 *
 * Costs: pick O(1), enqueue, dequeue and put O(log n): tests/features/test_scheduling.py counts
 * instructions.
 * History: Con Kolivas' staircase schedulers (2004) showed that fairness needs no guesses about who
 * is interactive; Ingo Molnár's CFS replaced O(1) in Linux 2.6.23 (2007). Sources: Linux's
 * sched-design-CFS; Stoica et al., EEVDF (1995), its successor since 6.6.
 * Flaws, as tests/unit/test_shares.c measures them.
 * Granularity: with n > LATENCY / MIN_TURN tasks a round takes n * MIN_TURN, so of 40 that compute
 * each waits 60 ms and not 12. And each turn of a nice 19 task (weight 15) puts it 68 turns ahead:
 * beside one of nice 0 it waits 103 ms, and then has 1.5.
 * Nice says how much, not how soon: latency and share cannot be asked for separately.
 * SLEEPER_CREDIT is a heuristic again.
 */
#include "sched/internal.h"

#include "time/timer.h"

#define LATENCY (12 * NSEC_PER_MSEC)
#define MIN_TURN (1500 * NSEC_PER_USEC)
#define SLEEPER_CREDIT (LATENCY / 2)
#define WAKE_LEAD (1500 * NSEC_PER_USEC)
#define IMBALANCE (12 * NSEC_PER_MSEC)
#define MEMORY (250 * NSEC_PER_MSEC)

void cfs_init(struct runq *rq) { list_init(&rq->cfs.yielded); }

static u64 most_advanced;  // [a] clock of the hart whose tasks have got most

// Vruntimes are compared by their distance, so that they may wrap around.
static bool before(u64 a, u64 b) { return (s64)(a - b) < 0; }

static bool less(const struct rb_node *a, const struct rb_node *b) {
    return before(rb_entry(a, struct sched_entity, node)->vruntime,
                  rb_entry(b, struct sched_entity, node)->vruntime);
}

static struct sched_entity *first_of_tree(const struct cfs_queue *q) {
    return rb_entry_or_null(rb_first_cached(&q->tree), struct sched_entity, node);
}

static struct sched_entity *first_of(const struct cfs_queue *q) {
    return q->ahead ? q->ahead : first_of_tree(q);
}

static u64 hart_clock(struct runq *rq) {
    return READ_ONCE(rq->cfs.min_vruntime) + load_relaxed(&rq->cfs.shift);
}

// min_vruntime is the least of the running task's and the first one's, but never falls.
static inline void update_min(struct runq *rq) {
    struct cfs_queue *q = &rq->cfs;
    struct sched_entity *running = &rq->running->se, *least = first_of(q);
    if (running->class == &cfs_class && (!least || before(running->vruntime, least->vruntime)))
        least = running;
    if (least && before(q->min_vruntime, least->vruntime))
        WRITE_ONCE(q->min_vruntime, least->vruntime);
}

// Put se on the scale of its new hart, as far ahead or behind as it was; but a hart that was idle
// for long has not yet forgotten.
static void arrive(struct runq *rq, struct sched_entity *se) {
    u64 least = rq->cfs.min_vruntime - MEMORY;
    if (se->home == NO_HART)
        se->vruntime = rq->cfs.min_vruntime;
    else
        se->vruntime += load_relaxed(&runq_of(se->home)->cfs.shift) - rq->cfs.shift;
    if (before(se->vruntime, least))
        se->vruntime = least;
    se->home = rq->hart;
}

static void __attribute__((noinline)) add_to_tree(struct cfs_queue *q, struct sched_entity *se) {
    if (q->ahead && before(se->vruntime, q->ahead->vruntime)) {
        struct sched_entity *new = se;
        se = q->ahead;
        q->ahead = new;
    }
    rb_add_cached(&se->node, &q->tree, less);
}

static inline void add(struct cfs_queue *q, struct sched_entity *se) {
    struct sched_entity *first = first_of(q);
    q->load += se->weight;
    if (!first || (first != q->ahead && before(se->vruntime, first->vruntime)))
        q->ahead = se;
    else
        add_to_tree(q, se);
}

static void __attribute__((noinline)) take_from_tree(struct cfs_queue *q, struct sched_entity *se) {
    rb_erase_cached(&se->node, &q->tree);
}

static inline void take(struct cfs_queue *q, struct sched_entity *se) {
    q->load -= se->weight;
    if (se == q->ahead) {
        q->ahead = NULL;
    } else if (se->yielded) {
        se->yielded = false;
        list_del(&se->link);
    } else {
        take_from_tree(q, se);
    }
}

// How far behind one that wakes may be: the more others wait, the less, or many that wake at once
// would hold up the rest.
static inline u64 credit(const struct cfs_queue *q, const struct sched_entity *se) {
    return q->load ? SLEEPER_CREDIT * se->weight / (q->load + se->weight) : SLEEPER_CREDIT;
}

static void cfs_enqueue(struct runq *rq, struct sched_entity *se, enum enqueue_reason why) {
    struct cfs_queue *q = &rq->cfs;
    update_min(rq);
    if (unlikely(se->home != rq->hart))
        arrive(rq, se);
    if (why != TASK_MOVES) {
        u64 least = q->min_vruntime - (why == TASK_WAKES ? credit(q, se) : 0);
        if (before(se->vruntime, least))
            se->vruntime = least;
    }
    add(q, se);
}

static void cfs_dequeue(struct runq *rq, struct sched_entity *se) { take(&rq->cfs, se); }

// Of those that wait the one that is furthest behind; of the yielded, only who has waited longest
// is looked at.
static inline struct sched_entity *best(struct cfs_queue *q) {
    struct sched_entity *first = first_of(q);
    if (likely(list_empty(&q->yielded)))
        return first;
    struct sched_entity *se = list_first(&q->yielded, struct sched_entity, link);
    return !first || before(se->vruntime, first->vruntime) ? se : first;
}

static struct sched_entity *cfs_pick(struct runq *rq) {
    struct sched_entity *se = best(&rq->cfs);
    if (se)
        take(&rq->cfs, se);
    return se;
}

static void cfs_put(struct runq *rq, struct sched_entity *se) {
    if (unlikely(se->home != rq->hart))  // it was another class's when its turn began
        arrive(rq, se);
    if (!se->yielded) {
        add(&rq->cfs, se);
        return;
    }
    rq->cfs.load += se->weight;
    list_add_tail(&se->link, &rq->cfs.yielded);
}

static bool cfs_preempts(struct runq *rq, struct sched_entity *woken,
                         struct sched_entity *running) {
    (void)rq;
    u64 lead = WAKE_LEAD;
    if (unlikely(woken->policy != POLICY_NORMAL))
        return woken->policy == POLICY_BATCH && running->policy == POLICY_IDLE;
    if (unlikely(running->policy == POLICY_IDLE))
        return true;
    if (unlikely(woken->weight != NICE_0_WEIGHT))
        lead = lead * NICE_0_WEIGHT / woken->weight;
    return before(woken->vruntime + lead, running->vruntime);
}

static u64 turn_of(struct runq *rq, struct sched_entity *se) {
    return max(LATENCY * se->weight / (rq->cfs.load + se->weight), MIN_TURN);
}

static u64 cfs_turn_ends(struct runq *rq, struct sched_entity *se) {
    u64 end = se->turn_start + turn_of(rq, se);
    return rq->clock + (end > se->exec_sum ? end - se->exec_sum : 0);
}

// No hart may be further behind than MEMORY; see above.
static void forget(struct runq *rq) {
    u64 mine = hart_clock(rq), most = load_relaxed(&most_advanced);
    if (before(most, mine))
        store_relaxed(&most_advanced, mine);
    else if (before(mine, most - MEMORY))
        store_relaxed(&rq->cfs.shift, rq->cfs.shift + (most - MEMORY - mine));
}

static bool cfs_tick(struct runq *rq, struct sched_entity *se) {
    update_min(rq);
    if (nr_harts > 1)
        forget(rq);
    if (se->exec_sum < se->turn_start + turn_of(rq, se))
        return false;
    struct sched_entity *next = best(&rq->cfs);
    if (next && before(next->vruntime, se->vruntime))
        return true;
    se->turn_start = se->exec_sum;  // still the one that is furthest behind: another turn
    return false;
}

// It gives up what it is behind the next one, and waits behind those that have yielded before.
static void cfs_yield(struct runq *rq, struct sched_entity *se) {
    struct sched_entity *first = first_of(&rq->cfs);
    if (first && before(se->vruntime, first->vruntime))
        se->vruntime = first->vruntime;
    se->yielded = true;
}

static struct sched_entity *cfs_waiting(struct runq *rq, struct sched_entity *after) {
    struct cfs_queue *q = &rq->cfs;
    struct sched_entity *next = NULL;
    struct list *yielded = after && after->yielded ? after->link.next : q->yielded.next;
    if (!after)
        next = first_of(q);
    else if (after == q->ahead)
        next = first_of_tree(q);
    else if (!after->yielded)
        next = rb_entry_or_null(rb_next(&after->node), struct sched_entity, node);
    if (next || yielded == &q->yielded)
        return next;
    return container_of(yielded, struct sched_entity, link);
}

static bool cfs_fits(struct runq *rq, struct sched_entity *se, struct runq *other) {
    u64 lead = IMBALANCE;
    if (se->weight > NICE_0_WEIGHT)  // its vruntime is slow: as much of it is more of a hart's time
        lead = lead * NICE_0_WEIGHT / se->weight;
    return before(se->vruntime + rq->cfs.shift + lead, hart_clock(other));
}

const struct sched_class cfs_class = {
    .name = "cfs",
    .policies = "normal batch idle",
    .rank = 2,
    .turn = LATENCY,
    .enqueue = cfs_enqueue,
    .dequeue = cfs_dequeue,
    .pick = cfs_pick,
    .put = cfs_put,
    .preempts = cfs_preempts,
    .turn_ends = cfs_turn_ends,
    .tick = cfs_tick,
    .yield = cfs_yield,
    .waiting = cfs_waiting,
    .fits = cfs_fits,
};
