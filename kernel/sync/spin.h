// Spinning locks. Holding one means: not preemptible, must not sleep, must not touch user memory that may fault.
//
//   struct spinlock   never taken in an interrupt handler
//   struct irqlock    may be taken anywhere; its holder has interrupts off
//
// Test-and-set rather than tickets: with more harts than host processors a queue would hand the lock to a hart that
// the host is not running. Each lock has a rank (sync/rank.h).
#ifndef SYNC_SPIN_H
#define SYNC_SPIN_H

#include "arch/csr.h"
#include "check/chaos.h"
#include "check/locks.h"
#include "lib/atomic.h"
#include "sync/preempt.h"
#include "sync/rank.h"

struct lock {
    u32 held;  // [a]
#ifdef CHECK_LOCKS
    u32 rank;
    struct thread *owner;
    const char *name;
    struct lock *below;  // taken by the same thread before this one
    struct callers taken;
    u64 since;  // ticks when it was taken, if hold_us
#endif
};
struct spinlock {
    struct lock lock;
};
struct irqlock {
    struct lock lock;
};

#ifdef CHECK_LOCKS
#define LOCK_INIT(rank_, name_)                                                                    \
    {                                                                                              \
        .lock = {.rank = rank_, .name = name_ }                                                    \
    }
void lock_init(struct lock *l, enum lock_rank rank, const char *name);
void lock_acquire(struct lock *l);
bool lock_try(struct lock *l);
void lock_release(struct lock *l);
bool lock_is_mine(const struct lock *l);
static inline void lock_set_rank(struct lock *l, u32 rank) { l->rank = rank; }
void assert_no_locks(void);  // the caller is about to sleep, or to go back to user code
#else
#define LOCK_INIT(rank_, name_)                                                                    \
    {                                                                                              \
        .lock = { 0 }                                                                              \
    }
void lock_spin(struct lock *l);
static inline void lock_init(struct lock *l, enum lock_rank rank, const char *name) {
    (void)rank, (void)name;
    l->held = 0;
}
static inline bool lock_try(struct lock *l) {
    return __atomic_exchange_n(&l->held, 1, __ATOMIC_ACQUIRE) == 0;
}
static inline void lock_acquire(struct lock *l) {
    if (unlikely(!lock_try(l)))
        lock_spin(l);
}
static inline void lock_release(struct lock *l) { store_release(&l->held, 0); }
static inline bool lock_is_mine(const struct lock *l) { return l->held; }
static inline void assert_no_locks(void) {}
static inline void lock_set_rank(struct lock *l, u32 rank) { (void)l, (void)rank; }
#endif

// Of functions that want a spinlock or irqlock held; costs nothing without CHECK=locks.
#define assert_held(l) assert(!locks_built || lock_is_mine(&(l)->lock))

#define SPINLOCK_INIT(rank, name) LOCK_INIT(rank, name)
#define IRQLOCK_INIT(rank, name) LOCK_INIT(rank, name)

static inline void spin_init(struct spinlock *l, enum lock_rank rank, const char *name) {
    lock_init(&l->lock, rank, name);
}
static inline void spin_lock(struct spinlock *l) {
    chaos_point();
    preempt_disable();
    lock_acquire(&l->lock);
}
static inline void spin_unlock(struct spinlock *l) {
    lock_release(&l->lock);
    preempt_enable();
    chaos_point();
}

static inline void irqlock_init(struct irqlock *l, enum lock_rank rank, const char *name) {
    lock_init(&l->lock, rank, name);
}
// Returns what irqlock_release must be given.
static inline u64 irqlock_acquire(struct irqlock *l) {
    chaos_point();
    u64 flags = irq_save();
    current_thread->preempt_count++;
    lock_acquire(&l->lock);
    return flags;
}
static inline void irqlock_release(struct irqlock *l, u64 flags) {
    lock_release(&l->lock);
    preempt_enable_no_check();
    irq_restore(flags);
    if (flags && current_thread->preempt_count == 0 &&
        unlikely(READ_ONCE(current_thread->work) & WORK_RESCHED))
        preempt_check();
    chaos_point();
}
// For callers that know that interrupts are off.
static inline void irqlock_acquire_irqs_off(struct irqlock *l) {
    current_thread->preempt_count++;
    lock_acquire(&l->lock);
}
static inline void irqlock_release_irqs_off(struct irqlock *l) {
    lock_release(&l->lock);
    preempt_enable_no_check();
}
static inline bool irqlock_is_mine(const struct irqlock *l) { return lock_is_mine(&l->lock); }

#endif
