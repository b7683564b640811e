// Locks that sleep: a mutex, a readers-writer lock, a completion. => task context, no spinning lock held.
#ifndef SYNC_BLOCK_H
#define SYNC_BLOCK_H

#include "proc/proc.h"
#include "lib/atomic.h"

// What CHECK=locks knows of a sleeping lock; the rank is times 4, for nested ones.
#ifdef CHECK_LOCKS
struct lock_name {
    u32 rank;
    const char *name;
};
#define LOCK_NAME(rank_, name_)                                                                    \
    { .rank = 4 * (rank_), .name = name_ }
static inline void lock_wanted(const void *l, const struct lock_name *n, u32 depth) {
    sleeping_lock_wanted(l, n->rank + depth, n->name);
}
static inline void lock_taken(const void *l, const struct lock_name *n, u32 depth) {
    sleeping_lock_taken(l, n->rank + depth, n->name);
}
static inline void lock_dropped(const void *l, const struct lock_name *n) {
    sleeping_lock_dropped(l, n->name);
}
#else
struct lock_name {};
#define LOCK_NAME(rank_, name_)                                                                    \
    {}
static inline void lock_wanted(const void *l, const struct lock_name *n, u32 depth) {
    (void)l, (void)n, (void)depth;
}
static inline void lock_taken(const void *l, const struct lock_name *n, u32 depth) {
    (void)l, (void)n, (void)depth;
}
static inline void lock_dropped(const void *l, const struct lock_name *n) { (void)l, (void)n; }
#endif

struct mutex {
    struct task *owner;  // [a] NULL: free
    u32 waiters;         // [a] tasks that sleep or are about to
    struct waitq waitq;
    struct lock_name name;  // [I]
};
#define MUTEX_INIT(m, rank, name_)                                                                 \
    { .waitq = WAITQ_INIT((m).waitq), .name = LOCK_NAME(rank, name_) }
#define mutex_init(m, rank, name) mutex_init_named(m, (struct lock_name)LOCK_NAME(rank, name))
void mutex_init_named(struct mutex *m, struct lock_name name);
void mutex_lock_slow(struct mutex *m);
void mutex_unlock_slow(struct mutex *m);
static inline bool mutex_trylock(struct mutex *m) {
    struct task *none = NULL;
    if (!atomic_cmpxchg(&m->owner, &none, current))
        return false;
    lock_taken(m, &m->name, 0);
    return true;
}
static inline void mutex_lock(struct mutex *m) {
    lock_wanted(m, &m->name, 0);
    if (unlikely(!mutex_trylock(m)))
        mutex_lock_slow(m);
}
int mutex_lock_interruptible(struct mutex *m);  // 0 or -ERESTARTSYS
static inline void mutex_unlock(struct mutex *m) {
    assert(load_relaxed(&m->owner) == current);
    lock_dropped(m, &m->name);
    __atomic_store_n(&m->owner, NULL, __ATOMIC_SEQ_CST);
    if (unlikely(__atomic_load_n(&m->waiters, __ATOMIC_SEQ_CST)))
        mutex_unlock_slow(m);
    chaos_point();
}

// Many readers or one writer; a waiting writer holds new readers off. Readers must not nest.
struct rwlock {
    s64 count;            // [a] readers; negative: the writer, a struct task *
    u32 writers_waiting;  // [a]
    u32 waiters;          // [a]
    struct waitq waitq;
    struct lock_name name;  // [I]
};
#define rwlock_init(l, rank, name) rwlock_init_named(l, (struct lock_name)LOCK_NAME(rank, name))
void rwlock_init_named(struct rwlock *l, struct lock_name name);
void read_lock_slow(struct rwlock *l);
void write_lock_slow(struct rwlock *l);
void rwlock_wake(struct rwlock *l);
static inline void read_lock(struct rwlock *l) {
    s64 n = load_relaxed(&l->count);
    lock_wanted(l, &l->name, 0);
    if (unlikely(n < 0 || load_relaxed(&l->writers_waiting) ||
                 !atomic_cmpxchg(&l->count, &n, n + 1)))
        read_lock_slow(l);
    lock_taken(l, &l->name, 0);
}
static inline void read_unlock(struct rwlock *l) {
    lock_dropped(l, &l->name);
    chaos_point();
    if (__atomic_fetch_sub(&l->count, 1, __ATOMIC_SEQ_CST) == 1 &&
        unlikely(__atomic_load_n(&l->waiters, __ATOMIC_SEQ_CST)))
        rwlock_wake(l);
}
// depth: 0, or 1 to 3 for a lock that is taken while one of the same rank and a lower depth is held.
static inline void write_lock_nested(struct rwlock *l, u32 depth) {
    s64 none = 0;
    lock_wanted(l, &l->name, depth);
    if (unlikely(!atomic_cmpxchg(&l->count, &none, (s64)current)))
        write_lock_slow(l);
    lock_taken(l, &l->name, depth);
}
static inline void write_lock(struct rwlock *l) { write_lock_nested(l, 0); }
static inline void write_unlock(struct rwlock *l) {
    lock_dropped(l, &l->name);
    __atomic_store_n(&l->count, 0, __ATOMIC_SEQ_CST);
    chaos_point();
    if (unlikely(__atomic_load_n(&l->waiters, __ATOMIC_SEQ_CST)))
        rwlock_wake(l);
}
static inline bool write_is_mine(const struct rwlock *l) {
    return load_relaxed(&l->count) == (s64)current;
}

struct completion {
    bool done;  // [a]
    struct waitq waitq;
};
void completion_init(struct completion *c);
void complete(struct completion *c);  // any context
void completion_wait(struct completion *c);

#endif
