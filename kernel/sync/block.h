// Locks that sleep: a mutex, a readers-writer lock, a completion. => task context, no spinning lock held.
#ifndef SYNC_BLOCK_H
#define SYNC_BLOCK_H

#include "proc/proc.h"
#include "lib/atomic.h"

struct mutex {
    struct task *owner;  // [a] NULL: free
    u32 waiters;         // [a] tasks that sleep or are about to
    struct waitq waitq;
};
#define MUTEX_INIT(m)                                                                              \
    { .waitq = WAITQ_INIT((m).waitq) }
void mutex_init(struct mutex *m);
void mutex_lock_slow(struct mutex *m);
void mutex_unlock_slow(struct mutex *m);
static inline bool mutex_trylock(struct mutex *m) {
    struct task *none = NULL;
    return atomic_cmpxchg(&m->owner, &none, current);
}
static inline void mutex_lock(struct mutex *m) {
    if (unlikely(!mutex_trylock(m)))
        mutex_lock_slow(m);
}
int mutex_lock_interruptible(struct mutex *m);  // 0 or -ERESTARTSYS
static inline void mutex_unlock(struct mutex *m) {
    assert(m->owner == current);
    __atomic_store_n(&m->owner, NULL, __ATOMIC_SEQ_CST);
    if (unlikely(__atomic_load_n(&m->waiters, __ATOMIC_SEQ_CST)))
        mutex_unlock_slow(m);
}
static inline bool mutex_is_mine(const struct mutex *m) { return m->owner == current; }

// Many readers or one writer; a waiting writer holds new readers off. Readers must not nest.
struct rwlock {
    s32 count;            // [a] readers; -1: one writer
    u32 writers_waiting;  // [a]
    u32 waiters;          // [a]
    struct task *writer;  // [a] who holds it for writing
    struct waitq waitq;
};
void rwlock_init(struct rwlock *l);
void read_lock_slow(struct rwlock *l);
void write_lock_slow(struct rwlock *l);
void rwlock_wake(struct rwlock *l);
static inline void read_lock(struct rwlock *l) {
    s32 n = load_relaxed(&l->count);
    if (unlikely(n < 0 || load_relaxed(&l->writers_waiting) ||
                 !atomic_cmpxchg(&l->count, &n, n + 1)))
        read_lock_slow(l);
}
static inline void read_unlock(struct rwlock *l) {
    if (__atomic_fetch_sub(&l->count, 1, __ATOMIC_SEQ_CST) == 1 &&
        unlikely(__atomic_load_n(&l->waiters, __ATOMIC_SEQ_CST)))
        rwlock_wake(l);
}
static inline void write_lock(struct rwlock *l) {
    s32 none = 0;
    if (unlikely(!atomic_cmpxchg(&l->count, &none, -1)))
        write_lock_slow(l);
    l->writer = current;
}
static inline void write_unlock(struct rwlock *l) {
    l->writer = NULL;
    __atomic_store_n(&l->count, 0, __ATOMIC_SEQ_CST);
    if (unlikely(__atomic_load_n(&l->waiters, __ATOMIC_SEQ_CST)))
        rwlock_wake(l);
}
static inline bool write_is_mine(const struct rwlock *l) { return l->writer == current; }

struct completion {
    bool done;  // [a]
    struct waitq waitq;
};
void completion_init(struct completion *c);
void complete(struct completion *c);  // any context
void completion_wait(struct completion *c);

#endif
