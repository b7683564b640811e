// Futexes: sleeping and waking by the address of a user word. futex(2), robust_list in get_robust_list(2).
#ifndef IPC_FUTEX_H
#define IPC_FUTEX_H

#include "lib/types.h"

void futex_init(void);
// The words of futex(2). The timeout has been turned into a deadline (ns since boot; TIME_NEVER: none); val2 is the
// number to requeue. Results as futex(2); -ERESTARTSYS, or -ETIMEDOUT.
long futex_wait(u64 addr, bool shared, u32 value, u32 bitset, u64 deadline);
long futex_wake(u64 addr, bool shared, u32 count, u32 bitset);
// Wake `count`, move up to `moved` others to addr2; `expected` (may be NULL) is what *addr must be (-EAGAIN).
long futex_requeue(u64 addr, bool shared, u64 addr2, u32 count, u32 moved, const u32 *expected);
long futex_wake_op(u64 addr, bool shared, u64 addr2, u32 count, u32 count2, u32 op);
// Locks that inherit priority (futex_pi.c). try: -EAGAIN where it would sleep. Signals restart them: -ERESTARTNOINTR.
long futex_lock_pi(u64 addr, bool shared, u64 deadline, bool try);
long futex_unlock_pi(u64 addr, bool shared);
long futex_wait_requeue_pi(u64 addr, bool shared, u32 value, u64 deadline, u64 addr2);
// Let `count` waiters take the lock addr2 or wait for it; at most the first takes it. How many
long futex_cmp_requeue_pi(u64 addr, bool shared, u64 addr2, u32 count, u32 expected);
// Sleep on several words: the index of one that was woken. -EAGAIN if one has another value; `n` of futex_waitv(2)
struct futex_waitv;
long futex_waitv(const struct futex_waitv *v, u32 n, u64 deadline);
// current stops using its memory (exit, exec): robust futexes are let go, the tid word is cleared and woken.
void futex_exit(void);

#endif
