// What futex.c and futex_pi.c share.
#ifndef IPC_FUTEX_INTERNAL_H
#define IPC_FUTEX_INTERNAL_H

#include "abi/futex.h"
#include "mm/page.h"
#include "proc/proc.h"

struct futex_key {
    u64 object;         // struct mm, or struct page
    u64 offset;         // address, or offset in the page
    struct page *page;  // reference of a shared key
};

struct futex_bucket {
    struct spinlock lock;
    struct list waiters;  // [lock]
};

struct futex_waiter {
    struct list link;             // [bucket lock]
    struct futex_key key;         // [bucket lock]
    struct futex_bucket *bucket;  // [bucket lock] where it is, or was when it was woken
    bool woken;                   // [bucket lock] off the list. Read without by its thread
    bool again;                   // [bucket lock] woken, but not as the owner: to begin anew
    struct task *task;            // [I]
    u32 bitset;                   // [I]
    s64 owner;  // [bucket lock, inherit] who has what it is to get, a struct task *; 0: it waits for no lock
    const struct futex_key *target;  // [I] where FUTEX_CMP_REQUEUE_PI may move it; NULL: nowhere
};

int futex_key_get(u64 addr, bool shared, struct futex_key *k);
void futex_key_put(struct futex_key *k);
static inline bool futex_key_equal(const struct futex_key *a, const struct futex_key *b) {
    return a->object == b->object && a->offset == b->offset;
}
struct futex_bucket *futex_bucket_of(const struct futex_key *k);
void futex_lock_two(struct futex_bucket *a, struct futex_bucket *b);
void futex_unlock_two(struct futex_bucket *a, struct futex_bucket *b);
// Lock b with *addr == value. 0, or errno with b unlocked.
int futex_lock_if_equal(struct futex_bucket *b, u64 addr, u32 value);
// Sleep until one of n waiters, all current's, is woken: 0, -ERESTARTSYS, -ETIMEDOUT
long futex_sleep(const struct futex_waiter *w, u32 n, u64 deadline);
// Off its queue, wherever that is now. True: it was still there, nobody woke it.
bool futex_leave(struct futex_waiter *w);
// => bucket locked: until it is unlocked the thread cannot leave, so its task and waiter stay
void futex_wake_waiter(struct futex_waiter *w);
// w goes to another key's bucket. => both locked
void futex_move(struct futex_waiter *w, const struct futex_key *k, struct futex_bucket *to);

void futex_exit_pi(void);  // current, which stops using its memory, hands on what it owns

#endif
