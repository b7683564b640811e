// What core.c, balance.c and policy.c share.
#ifndef SCHED_INTERNAL_H
#define SCHED_INTERNAL_H

#include "arch/hart.h"
#include "lib/bitmap.h"
#include "proc/proc.h"
#include "sched/sched.h"

static inline struct task *task_of(struct sched_entity *se) {
    return container_of(se, struct task, se);
}
static inline bool allowed(const struct task *t, u32 hart) {
    return READ_ONCE(t->affinity) >> hart & 1;
}

// Lock the queue of the hart that t belongs to. => interrupts off
static inline struct runq *sched_lock_task(struct task *t) {
    for (;;) {
        struct runq *rq = runq_of(READ_ONCE(t->hart));
        irqlock_acquire_irqs_off(&rq->lock);
        if (likely(runq_of(t->hart) == rq))
            return rq;
        irqlock_release_irqs_off(&rq->lock);
    }
}

// t counts as queued on rq. => rq->lock held
static inline void sched_count(struct runq *rq, struct task *t) {
    t->se.queued = true;
    WRITE_ONCE(rq->nr_running, rq->nr_running + 1);
    if (unlikely(t->se.rt_priority)) {
        WRITE_ONCE(rq->nr_rt, rq->nr_rt + 1);
        rq->next = NULL;
    }
}

// => rq->lock held
static inline void sched_dequeue(struct runq *rq, struct task *t) {
    if (rq->next == t)
        rq->next = NULL;
    if (!t->se.running)
        t->se.class->dequeue(rq, &t->se);
    t->se.queued = false;
    WRITE_ONCE(rq->nr_running, rq->nr_running - 1);
    if (unlikely(t->se.rt_priority))
        WRITE_ONCE(rq->nr_rt, rq->nr_rt - 1);
}

// core.c. => all: interrupts off
void sched_update_current(struct runq *rq);  // charge the running task
void sched_enqueue(struct runq *rq, struct task *t, enum enqueue_reason why);
// One that was on no queue, while its mask could be changed. => rq->lock held
void sched_enqueue_moved(struct runq *rq, struct task *t, enum enqueue_reason why);
void sched_resched(struct runq *rq);  // it comes through schedule()
// Put a task that is on no queue, with state WAKING, on the queue of its new hart. => no queue's
// lock held
void sched_enqueue_on(struct task *t, enum enqueue_reason why);

// policy.c. t is scheduled by these parameters, and at least with that priority. => irqs off,
// inherit_lock()
void sched_change(struct task *t, const struct sched_params *p, u8 lent);
void sched_set_lent(struct task *t, u8 priority);
// load.c: from the tick; brings the averages up to date if it is time
void load_tick(u64 now);

// rtlimit.c. t runs on rq, at a sample: ns that it has computed, as a real-time task, since it
// slept
u64 rt_sample(struct runq *rq, struct task *t);
void rt_limit(struct process *p,
              u64 ns);  // a task of p has computed for so long. => no queue's lock held
// Have the real-time tasks had their part, and do others wait? => rq->lock held
static inline bool rt_waits(const struct runq *rq) {
    return rq->rt_throttled && rq->nr_running > rq->nr_rt;
}

// balance.c
u32 balance_choose_hart(const struct task *t);  // the best for one that is about to run
// t, on no queue any more, is to go to another hart's. => its queue's lock held: with that lock
// alone `hart` may change, so that whoever has locked the queue of t->hart knows that t stays there
void balance_leave(struct task *t, u32 hart);
// An idle hart takes a waiting task from one that has several. => rq->lock held; it is dropped and
// taken again. True: it did
bool balance_pull(struct runq *rq);
// A task that should go to another hart, taken off rq: the caller drops rq->lock and then calls
// sched_enqueue_on(). NULL: none
struct task *balance_push(struct runq *rq);
// For `fits` of classes that count tasks: rq has two more than the other, or one more and se has
// been here for long
bool balance_fewer(struct runq *rq, struct sched_entity *se, struct runq *other);

// Classes with something to prepare
void rt_init(struct runq *rq);
void o1_init(struct runq *rq);
void cfs_init(struct runq *rq);

#endif
