/*
 * Which hart a task runs on.
 *
 * Four moments decide. A task that wakes or begins goes to its last hart if that is idle, else to
 * any idle one, else it stays. A hart that has nothing to do takes a waiting task from another
 * before it sleeps (balance_pull). Each SAMPLE_EVERY a busy hart looks whether a task that waits
 * there would be better off elsewhere (balance_push); what that means its class says (`fits`). And
 * a task whose affinity excludes its hart leaves at once; a real-time task that is preempted leaves
 * if another hart has fewer.
 *
 * Only a task that waits or is about to wait moves, never one that runs. No lock of two queues is
 * held at a time: what is known of another hart is read without its lock, may be out of date, and
 * is only used to choose.
 */
#include "sched/internal.h"

#include "trace/trace.h"

#define STAY (30 * NSEC_PER_MSEC)  // on a hart, before an even change of places
#define LOOK_AT 8                  // waiting tasks, for one that may and should move

static bool is_rt(const struct task *t) { return t->se.rt_priority; }

// The one with fewest tasks beside t; its own if that is as good as any.
static u32 least_loaded(const struct task *t) {
    u32 best = t->hart, least = ~0u;
    for_each_hart (h) {
        struct runq *rq = runq_of(h);
        u32 n = is_rt(t) ? READ_ONCE(rq->nr_rt) : READ_ONCE(rq->nr_running);
        bool own = h == t->hart;
        n -= own && t->se.queued && n;
        if (!allowed(t, h) || n > least || (n == least && !own))
            continue;
        best = h;
        least = n;
    }
    return best;
}

// An idle hart is chosen once, so that tasks woken together spread out; it says so anew when it
// finds nothing to do.
u32 balance_choose_hart(const struct task *t) {
    u64 idle = load_relaxed(&idle_harts) & t->affinity;
    if (idle) {
        u32 hart = idle >> t->hart & 1 ? t->hart : (u32)ctz64(idle);
        atomic_and(&idle_harts, ~(1ul << hart));
        return hart;
    }
    return allowed(t, t->hart) && !is_rt(t) ? t->hart : least_loaded(t);
}

void balance_leave(struct task *t, u32 hart) {
    trace_about(&t->thread, TRACE_MIGRATE, t->thread.tid, t->hart, hart);
    t->state = TASK_WAKING;
    t->se.moved_at = t->se.exec_sum;
    store_release(&t->hart, hart);
}

bool balance_fewer(struct runq *rq, struct sched_entity *se, struct runq *other) {
    u32 theirs = READ_ONCE(other->nr_running);
    return rq->nr_running > theirs + 1 ||
           (rq->nr_running == theirs + 1 && se->exec_sum - se->moved_at >= STAY);
}

// One that waits on rq and should go to the other hart, or, if that is idle, may. => rq->lock held
static struct task *fitting(struct runq *rq, struct runq *other, bool idle) {
    u32 looks = 0;
    for (u32 c = 0; sched_classes[c] != &idle_class; c++) {
        const struct sched_class *class = sched_classes[c];
        for (struct sched_entity *se = class->waiting(rq, NULL); se && looks < LOOK_AT;
             se = class->waiting(rq, se)) {
            looks += !idle;
            if (allowed(task_of(se), other->hart) && (idle || class->fits(rq, se, other)))
                return task_of(se);
        }
    }
    return NULL;
}

static struct task *take(struct runq *from, struct runq *to, bool idle) {
    struct task *t = from->nr_running > 1 ? fitting(from, to, idle) : NULL;
    if (t) {
        sched_dequeue(from, t);
        balance_leave(t, to->hart);
    }
    return t;
}

struct task *balance_push(struct runq *rq) {
    struct task *t = NULL;
    for (u32 i = 1; i < nr_harts && t == NULL; i++) {
        struct runq *other = runq_of((rq->hart + i) % nr_harts);
        t = take(rq, other, READ_ONCE(other->nr_running) == 0);
    }
    return t;
}

bool balance_pull(struct runq *rq) {
    struct task *t = NULL;
    irqlock_release_irqs_off(&rq->lock);
    for (u32 i = 1; i < nr_harts && t == NULL; i++) {
        struct runq *from = runq_of((rq->hart + i) % nr_harts);
        if (READ_ONCE(from->nr_running) < 2)
            continue;
        irqlock_acquire_irqs_off(&from->lock);
        t = take(from, rq, true);
        irqlock_release_irqs_off(&from->lock);
    }
    irqlock_acquire_irqs_off(&rq->lock);
    if (t == NULL)
        return false;
    store_release(&t->state, (u32)TASK_RUNNING);
    sched_enqueue_moved(rq, t, TASK_MOVES);
    return true;
}
