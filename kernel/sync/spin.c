/*
 * Spinning locks: the waiting, and with CHECK=locks the checking.
 *
 * The checker keeps each hart's held locks as a list threaded through the locks themselves (lock->below), and asserts at
 * every acquisition that the new lock's rank is above the last one's (equal ranks: higher address), so a
 * possible deadlock shows on the first run that takes two locks in the wrong order, on one hart, without bad luck.
 * It also knows who owns a lock, for the assertions of _locked functions, that none is held on going to sleep or back to
 * user code, and who took it when. Locks that sleep, and the reports: check/locks.c.
 */
#include "sync/spin.h"

#include "arch/arch.h"
#include "arch/hart.h"
#include "trace/trace.h"

#ifndef CHECK_LOCKS

void lock_spin(struct lock *l) {
    trace(TRACE_LOCK, l, "spin", NULL, __builtin_return_address(0));
    do {
        while (load_relaxed(&l->held))
            ;
    } while (!lock_try(l));
    trace(TRACE_LOCK_END, l);
}

#else

static PERHART(struct lock *, held_locks);

void lock_init(struct lock *l, enum lock_rank rank, const char *name) {
    *l = (struct lock){.rank = rank, .name = name};
}

static void check_order(const struct lock *l, u64 pc, const void *frame) {
    const struct lock *last = *this_hart(held_locks);
    if (last == NULL || last->rank < l->rank || (last->rank == l->rank && last < l))
        return;
    locks_complain(pc, frame, last->name, &last->taken,
                   "order: taking %s (rank %u) while holding %s (rank %u)", l->name, l->rank,
                   last->name, last->rank);
}

static void acquired(struct lock *l, const void *frame) {
    callers_take(&l->taken, frame);
    l->since = hold_us ? time_csr() : 0;
    l->owner = current_thread;
    l->below = *this_hart(held_locks);
    *this_hart(held_locks) = l;
}

bool lock_try(struct lock *l) {
    if (__atomic_exchange_n(&l->held, 1, __ATOMIC_ACQUIRE))
        return false;
    acquired(l, __builtin_frame_address(0));
    return true;
}

void lock_acquire(struct lock *l) {
    u64 pc = (u64)__builtin_return_address(0);
    const void *frame = __builtin_frame_address(0);
    if (lock_is_mine(l))
        locks_complain(pc, frame, "taken first", &l->taken, "%s taken twice", l->name);
    check_order(l, pc, frame);
    if (__atomic_exchange_n(&l->held, 1, __ATOMIC_ACQUIRE)) {
        trace(TRACE_LOCK, l, "spin", l->name);
        while (__atomic_exchange_n(&l->held, 1, __ATOMIC_ACQUIRE))
            while (load_relaxed(&l->held))
                ;
        trace(TRACE_LOCK_END, l);
    }
    acquired(l, frame);
}

// Locks need not be released in the reverse order.
void lock_release(struct lock *l) {
    u64 pc = (u64)__builtin_return_address(0);
    const void *frame = __builtin_frame_address(0);
    struct lock **at = this_hart(held_locks);
    while (*at && *at != l)
        at = &(*at)->below;
    if (*at == NULL)
        locks_complain(pc, frame, NULL, NULL, "%s released by a hart that does not hold it",
                       l->name);
    if (hold_us)
        hold_check(l->since, l->name, &l->taken, pc, frame);
    *at = l->below;
    l->owner = NULL;
    store_release(&l->held, 0);
}

// A run queue's lock is taken by one thread and released by the next on the same hart, so the hart's list decides.
bool lock_is_mine(const struct lock *l) {
    for (const struct lock *h = *this_hart(held_locks); h; h = h->below)
        if (h == l)
            return true;
    return false;
}

void assert_no_locks(void) {
    u64 flags = irq_save();
    const struct lock *l = *this_hart(held_locks);
    irq_restore(flags);
    if (l)
        locks_complain((u64)__builtin_return_address(0), __builtin_frame_address(0), l->name,
                       &l->taken, "%s held where none may be", l->name);
}

#endif
