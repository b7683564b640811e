/*
 * Locks that sleep: mutex, readers-writer lock, completion.
 *
 * The uncontended paths are single atomic operations in block.h. A contended one sleeps on the lock's wait queue with
 * `waiters` raised; the releaser, who first frees the lock and then reads `waiters`, wakes them:
 *
 *     waiter                              releaser
 *     waiters++
 *     on the queue, state = S
 *     lock taken? yes                     owner = NULL
 *     schedule()                          waiters != 0: wake
 *
 * Both sides do their two steps with full ordering, so one of them sees the other: either the waiter finds the lock
 * free, or the releaser finds a waiter, whose state it then sets. A woken task tries again like any other (no
 * hand-over), so a lock is never idle while somebody could run.
 *
 * Who waits lends his priority to the owner (sched/inherit.c), which `owner`, and `count` of an rwlock, name. If any real-time
 * task waits for a lock, the waiter with the highest priority is the one that is woken.
 *
 * A writer that waits raises writers_waiting, which holds new readers off, so writers are not starved.
 * Task context; no spinning lock held.
 */
#include "sync/block.h"

#include "abi/errno.h"
#include "trace/trace.h"

static void wait_begin(const void *lock, u32 *waiters, const char *who, const void *caller) {
    __atomic_fetch_add(waiters, 1, __ATOMIC_SEQ_CST);
    trace(TRACE_LOCK, lock, "mutex", who, caller);
}
static void wait_end(const void *lock, u32 *waiters) {
    inherit_end();
    trace(TRACE_LOCK_END, lock);
    __atomic_fetch_sub(waiters, 1, __ATOMIC_SEQ_CST);
}

void mutex_init_named(struct mutex *m, struct lock_name name) {
    m->owner = NULL;
    m->waiters = 0;
    m->name = name;
    waitq_init(&m->waitq);
}

// For the condition of a wait: true when taken, else whoever has it gets our priority.
static bool have_mutex(struct mutex *m) {
    if (mutex_trylock(m))
        return true;
    inherit_wait((s64 *)&m->owner);
    return false;
}

void mutex_lock_slow(struct mutex *m) {
    assert(load_relaxed(&m->owner) != current);
    wait_begin(m, &m->waiters, NULL, __builtin_return_address(0));
    wait_turn(&m->waitq, have_mutex(m), "mutex");
    wait_end(m, &m->waiters);
}

int mutex_lock_interruptible(struct mutex *m) {
    lock_wanted(m, &m->name, 0);
    if (mutex_trylock(m))
        return 0;
    wait_begin(m, &m->waiters, NULL, __builtin_return_address(0));
    int error = wait_turn_interruptible(&m->waitq, have_mutex(m), "mutex");
    wait_end(m, &m->waiters);
    if (error && inherit_used())
        wake_best(&m->waitq);  // what this one has lent to the owner the next one may have to
    return error;
}

// One is enough, even if another takes the mutex first: that one wakes the next. What was lent is given back only when the
// waiter is awake, or a third task could come between.
void mutex_unlock_slow(struct mutex *m) {
    if (likely(!inherit_used())) {
        wake_one(&m->waitq);
        return;
    }
    preempt_disable();
    wake_best(&m->waitq);
    inherit_release((s64 *)&m->owner);
    preempt_enable();
}

void rwlock_init_named(struct rwlock *l, struct lock_name name) {
    *l = (struct rwlock){.name = name};
    waitq_init(&l->waitq);
}

// A real-time reader does not wait for writers that wait: they may be of low priority, and he cannot lend them his.
static bool try_read(struct rwlock *l) {
    s64 n = load_relaxed(&l->count);
    while (n >= 0 && (current->se.rt_priority || load_relaxed(&l->writers_waiting) == 0))
        if (atomic_cmpxchg(&l->count, &n, n + 1))
            return true;
    inherit_wait(&l->count);
    return false;
}

static bool try_write(struct rwlock *l) {
    s64 none = 0;
    if (atomic_cmpxchg(&l->count, &none, (s64)current))
        return true;
    inherit_wait(&l->count);
    return false;
}

void read_lock_slow(struct rwlock *l) {
    assert(!write_is_mine(l));
    wait_begin(l, &l->waiters, "reader", __builtin_return_address(0));
    wait_event(&l->waitq, try_read(l), "rwlock");
    wait_end(l, &l->waiters);
}

// The last waiting writer lets readers in again even if it was not the one that held them off.
void write_lock_slow(struct rwlock *l) {
    assert(!write_is_mine(l));
    wait_begin(l, &l->waiters, "writer", __builtin_return_address(0));
    __atomic_fetch_add(&l->writers_waiting, 1, __ATOMIC_SEQ_CST);
    wait_event(&l->waitq, try_write(l), "rwlock");
    __atomic_fetch_sub(&l->writers_waiting, 1, __ATOMIC_SEQ_CST);
    wait_end(l, &l->waiters);
}

void rwlock_wake(struct rwlock *l) {
    preempt_disable();
    wake_all(&l->waitq);
    if (unlikely(inherit_used()))
        inherit_release(&l->count);
    preempt_enable();
}

void completion_init(struct completion *c) {
    c->done = false;
    waitq_init(&c->waitq);
}

void complete(struct completion *c) {
    u64 flags = irqlock_acquire(&c->waitq.lock);
    store_relaxed(&c->done, true);
    waitq_wake_locked(&c->waitq, ~0u, 0);
    irqlock_release(&c->waitq.lock, flags);
}

// Takes the queue's lock last, so that complete() is through with *c when this returns and the caller may free it.
void completion_wait(struct completion *c) {
    wait_event(&c->waitq, load_acquire(&c->done), "completion");
    irqlock_release(&c->waitq.lock, irqlock_acquire(&c->waitq.lock));
}
