// Atomic operations on u32, u64 and pointers: the compiler's builtins under short names.
// Without a suffix they order everything (acquire and release); _relaxed ones order nothing.
// With CHECK=chaos another task may run before each of them.
#ifndef LIB_ATOMIC_H
#define LIB_ATOMIC_H

#include "check/chaos.h"
#include "lib/assert.h"
#include "lib/types.h"

#define load_acquire(p) (chaos_point(), __atomic_load_n(p, __ATOMIC_ACQUIRE))
#define load_relaxed(p) __atomic_load_n(p, __ATOMIC_RELAXED)
#define store_release(p, v) (chaos_point(), __atomic_store_n(p, v, __ATOMIC_RELEASE))
#define store_relaxed(p, v) __atomic_store_n(p, v, __ATOMIC_RELAXED)
// These return the old value.
#define atomic_add(p, v) (chaos_point(), __atomic_fetch_add(p, v, __ATOMIC_ACQ_REL))
#define atomic_sub(p, v) (chaos_point(), __atomic_fetch_sub(p, v, __ATOMIC_ACQ_REL))
#define atomic_or(p, v) (chaos_point(), __atomic_fetch_or(p, v, __ATOMIC_ACQ_REL))
#define atomic_and(p, v) (chaos_point(), __atomic_fetch_and(p, v, __ATOMIC_ACQ_REL))
#define atomic_xchg(p, v) (chaos_point(), __atomic_exchange_n(p, v, __ATOMIC_ACQ_REL))
#define atomic_add_relaxed(p, v) (chaos_point(), __atomic_fetch_add(p, v, __ATOMIC_RELAXED))
// True when *p was *old and is now v; else *old is what *p was.
#define atomic_cmpxchg(p, old, v)                                                                  \
    (chaos_point(),                                                                                \
     __atomic_compare_exchange_n(p, old, v, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
#define memory_fence() (chaos_point(), __atomic_thread_fence(__ATOMIC_SEQ_CST))

// A reference count: keeps an object alive, never coherent.
struct ref {
    u32 count;
};
static inline void ref_init(struct ref *r) { r->count = 1; }
static inline u32 ref_read(const struct ref *r) { return load_relaxed(&r->count); }
static inline void ref_get(struct ref *r) {
    u32 old = atomic_add_relaxed(&r->count, 1);
    assert(old != 0 && old < 0x80000000);
}
// True for the caller who dropped the last reference and must free the object.
static inline bool ref_put(struct ref *r) {
    u32 old = atomic_sub(&r->count, 1);
    assert(old != 0);
    return old == 1;
}
// Take a reference unless the object is already dying.
static inline bool ref_get_unless_zero(struct ref *r) {
    u32 old = load_relaxed(&r->count);
    while (old != 0)
        if (atomic_cmpxchg(&r->count, &old, old + 1))
            return true;
    return false;
}

#endif
