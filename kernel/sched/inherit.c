/*
 * Priority inheritance: who has what a real-time task waits for runs with that task's priority,
 * until he gives it up.
 *
 * Without it a FIFO task may wait for ever for one of low priority that holds a lock: some third
 * task between the two keeps the holder off the hart. docs/scheduling.md draws that.
 *
 * What is waited for has a word that names its owner: a mutex's `owner`, the `count` of an rwlock
 * that is held for writing, the word of a waiter for a futex (ipc/futex_pi.c). Negative: a struct
 * task *; otherwise nobody. A task waits for at most one. It is among the lenders of the owner if
 * it has a real-time priority, or waits for a futex, and the owner's priority is the highest of his
 * own and theirs (`lent`). When that changes, so does what he lends himself: the change goes along
 * the chain (settle).
 *
 *   H, FIFO 20 --waits for--> word of A: L --waits for--> word of B: K    lent to L: 20, to K: 20
 *
 * Kernel locks are taken and given up by one atomic operation on the word, which knows nothing of
 * this file. What joins the two is `inheriting`, the number of tasks that lend: 0 as long as no
 * real-time task waits for a lock, so nobody pays for more than a load, and that only where a lock
 * is contended.
 *
 *   H wants the lock                    L has it
 *   lock's waiters++, inheriting++      word = 0
 *   [inherit] word names L?             waiters != 0 and inheriting != 0?
 *     yes: among L's lenders              yes: [inherit] all who lend for this word cease to
 *
 * All in full order: either H finds that the word names L no more, or L finds that somebody may
 * lend to him and comes by way of the lock, so that L is there as long as H, with the lock held,
 * sees that he is the owner. In the same way a task of low priority that begins to wait, and
 * somebody who lends to it then, cannot miss each other: it names its word before it looks at
 * `inheriting`, and the other counts himself before he looks what it waits for.
 *
 * The waiter that is woken competes for the lock like anybody, and lends anew to whoever was
 * faster. It is the one with the highest priority (wake_best), so what the others could lend is no
 * more.
 *
 * Limits. Readers of an rwlock inherit nothing: they are only counted, and to know each would cost
 * every reader, for what a writer seldom waits for; so a real-time task keeps away from locks that
 * many read (Linux's rwsem is the same, and so are POSIX's rwlocks). Only real-time priorities are
 * lent, no weights. Lenders are in a tree and a loan goes LONGEST_LOAN owners far, so that
 * interrupts are off for a bounded time; a longer chain of futexes is refused only from
 * LONGEST_CHAIN on.
 * Locks: `inherit`, above those of futexes and wait queues, below the run queues'. It guards struct
 * inherit of every task.
 */
#include "abi/errno.h"
#include "sched/internal.h"

#define LONGEST_LOAN 32     // owners, one behind the other, to whom a priority is passed on
#define LONGEST_CHAIN 1024  // in which a cycle is looked for

static struct irqlock inherit = IRQLOCK_INIT(RANK_INHERIT, "inherit");
static u32 inheriting;  // [a] tasks that are counted

u64 inherit_lock(void) { return irqlock_acquire(&inherit); }
void inherit_unlock(u64 flags) { irqlock_release(&inherit, flags); }
bool inherit_used(void) { return __atomic_load_n(&inheriting, __ATOMIC_SEQ_CST); }

static void count(struct task *t) {
    if (!t->inherit.counted)
        __atomic_fetch_add(&inheriting, 1, __ATOMIC_SEQ_CST);
    t->inherit.counted = true;
}

static void uncount(struct task *t) {
    if (t->inherit.counted)
        __atomic_fetch_sub(&inheriting, 1, __ATOMIC_SEQ_CST);
    t->inherit.counted = false;
}

// Who has what t waits for, or NULL. => inherit held, somebody is counted
static struct task *owner_of(const struct task *t) {
    const s64 *word = __atomic_load_n(&t->inherit.waits_for, __ATOMIC_SEQ_CST);
    s64 owner = word ? __atomic_load_n(word, __ATOMIC_SEQ_CST) : 0;
    return owner < 0 ? (struct task *)owner : NULL;
}

static struct task *lender(const struct rb_node *n) {
    return n ? rb_entry(n, struct task, inherit.link) : NULL;
}
static bool higher(const struct rb_node *a, const struct rb_node *b) {
    return lender(a)->inherit.lends > lender(b)->inherit.lends;
}
static struct task *first_lender(const struct task *t) {
    return lender(rb_first_cached(&t->inherit.lenders));
}
static struct task *next_lender(const struct task *t) { return lender(rb_next(&t->inherit.link)); }

static void lend(struct task *t, struct task *owner) {
    struct inherit *in = &t->inherit;
    if (in->lends_to == owner && in->lends == t->se.rt_priority)
        return;
    if (in->lends_to)
        rb_erase_cached(&in->link, &in->lends_to->inherit.lenders);
    in->lends_to = owner;
    in->lends = t->se.rt_priority;
    if (owner)
        rb_add_cached(&in->link, &owner->inherit.lenders, higher);
}

// t's priority or what it waits for has changed: to whom does it lend now, if to anybody?
static struct task *relend(struct task *t) {
    if (!t->inherit.counted && t->se.rt_priority == 0)
        return NULL;
    count(t);
    struct task *owner = owner_of(t);
    lend(t, owner == t ? NULL : owner);
    return t->inherit.lends_to;
}

// What is lent to t has changed, perhaps. => inherit held
static void settle(struct task *t) {
    for (u32 i = 0; t && i < LONGEST_LOAN; i++) {
        u8 lent = first_lender(t) ? first_lender(t)->inherit.lends : 0;
        if (lent == t->se.lent)
            return;
        sched_set_lent(t, lent);
        t = relend(t);
    }
}

// t waits for nothing. => inherit held
static void stop_waiting(struct task *t) {
    struct task *owner = t->inherit.lends_to;
    lend(t, NULL);
    uncount(t);
    if (owner)
        settle(owner);
}

// ---- locks of the kernel ----

void inherit_wait(const s64 *word) {
    __atomic_store_n(&current->inherit.waits_for, word, __ATOMIC_SEQ_CST);
    if (READ_ONCE(current->se.rt_priority) == 0 && !inherit_used())
        return;
    u64 flags = inherit_lock();
    settle(relend(current));
    inherit_unlock(flags);
}

void inherit_end(void) {
    __atomic_store_n(&current->inherit.waits_for, NULL, __ATOMIC_SEQ_CST);
    if (!inherit_used())
        return;
    u64 flags = inherit_lock();
    stop_waiting(current);
    inherit_unlock(flags);
}

void inherit_release(const s64 *word) {
    u64 flags = inherit_lock();
    for (struct task *t = first_lender(current), *next; t; t = next) {
        next = next_lender(t);
        if (load_relaxed(&t->inherit.waits_for) == word)
            lend(t, NULL);
    }
    settle(current);
    inherit_unlock(flags);
}

// ---- futexes ----

// Would it be for itself that t waited, by way of the owners of what the owners wait for? =>
// inherit held
static bool is_cycle(const struct task *t, const struct task *owner) {
    u32 i = 0;
    while (owner && owner != t && i++ < LONGEST_CHAIN)
        owner = owner_of(owner);
    return owner;
}

int inherit_wait_for(struct task *t, s64 *word, struct task *owner) {
    u64 flags = inherit_lock();
    int error = owner->inherit.gone ? -ESRCH : 0;
    count(t);
    if (!error && is_cycle(t, owner))
        error = -EDEADLK;
    if (error) {
        uncount(t);
    } else {
        __atomic_store_n(word, (s64)owner, __ATOMIC_SEQ_CST);
        __atomic_store_n(&t->inherit.waits_for, word, __ATOMIC_SEQ_CST);
        t->inherit.futex = true;
        settle(relend(t));
    }
    inherit_unlock(flags);
    return error;
}

void inherit_name_owner(struct task *t, s64 *word, struct task *owner) {
    struct task *old = t->inherit.lends_to;
    __atomic_store_n(word, (s64)owner, __ATOMIC_SEQ_CST);
    if (owner) {
        lend(t, owner);
        settle(owner);
        if (old)
            settle(old);
    } else {
        __atomic_store_n(&t->inherit.waits_for, NULL, __ATOMIC_SEQ_CST);
        t->inherit.futex = false;
        stop_waiting(t);
    }
}

const s64 *inherit_first_word(void) {
    const struct task *t = first_lender(current);
    while (t && !t->inherit.futex)
        t = next_lender(t);
    return t ? t->inherit.waits_for : NULL;
}

void inherit_set_gone(bool gone) {
    u64 flags = inherit_lock();
    current->inherit.gone = gone;
    inherit_unlock(flags);
}

// ---- the priority that a task asks for ----

// It counts as one that lends while it is looked at, so that it cannot begin to wait unseen.
void sched_set_params(struct task *t, const struct sched_params *p) {
    u64 flags = inherit_lock();
    sched_change(t, p, t->se.lent);
    if (t->se.rt_priority || t->inherit.counted) {
        count(t);
        settle(relend(t));
        if (!__atomic_load_n(&t->inherit.waits_for, __ATOMIC_SEQ_CST))
            uncount(t);
    }
    inherit_unlock(flags);
}
