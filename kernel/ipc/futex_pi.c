/*
 * Futexes that are locks and know their owner, to whom waiters lend their priority: futex(2),
 * "Priority-inheritance futexes".
 *
 * The word is 0 or the owner's thread id, with FUTEX_WAITERS if somebody sleeps. Who finds it 0
 * takes it without a call, and gives it up without one as long as that bit is clear. Else the
 * kernel hands it over: the word gets the next owner's id before he wakes, so nobody can come
 * between, and who is woken has the lock. Next is who has the highest priority, of equals who came
 * first.
 *
 *   wants it (tid 7)                           has it (tid 5)
 *   word is 5; bucket lock                     5 -> 0? no, it is 5 | WAITERS: the call
 *   5 -> 5 | WAITERS (or the word has          bucket lock
 *     changed: begin anew)                     7 is on the list: 5 | WAITERS -> 7
 *   on the list, lends to 5; unlock            off the list, lends no more; the others lend to 7
 *   sleep                                      wake 7; unlock
 *
 * Both change the word by compare-and-swap with the bucket locked, so either the waiter finds it
 * changed or the owner finds the waiter. Waiters of a key have `owner` set, to the task that the
 * word names, unless a program has scribbled over it, which harms none but itself.
 *
 * An owner that dies (or execs) first goes through its robust list, which leaves 0 |
 * FUTEX_OWNER_DIED in its words, then is marked `gone` (who finds a word with its id after that
 * gets ESRCH), and then hands over what is still waited for.
 *
 * FUTEX_WAIT_REQUEUE_PI sleeps on one word and awakes with the lock of another:
 * FUTEX_CMP_REQUEUE_PI takes it on the sleeper's behalf, or puts him in its queue, so that waiters
 * for a condition come to its lock one by one and in the order of their priorities.
 *
 * Locks: a bucket's, and within it inherit_lock(). Task context; may sleep before and after, to
 * bring pages in.
 */
#include "abi/errno.h"
#include "ipc/futex.h"
#include "ipc/futex_internal.h"
#include "mm/pagecache.h"
#include "mm/uaccess.h"
#include "mm/vm.h"

// A look at a word, with nothing locked: what claim() goes by.
struct word {
    u64 addr;
    u32 value;
    struct task *owner;  // with a reference; NULL: there is no such task, or the word names none
};

static bool named_owner(const struct word *w) { return w->value & FUTEX_TID_MASK; }

static int look(u64 addr, struct word *w) {
    *w = (struct word){.addr = addr};
    if (get_user_u32(&w->value, addr))
        return -EFAULT;
    if (named_owner(w))
        w->owner = task_lookup((int)(w->value & FUTEX_TID_MASK));
    return 0;
}

static void look_end(struct word *w) {
    if (w->owner)
        task_put(w->owner);
}

// What the functions below return besides errors.
#define TAKEN 1
#define RETRY 2

// 0; RETRY: the word is another; -EFAULT: the page must be brought in, or is not there.
static int exchange(u64 addr, u32 old, u32 new_) {
    u32 seen = old;
    if (usercopy_cmpxchg32((u32 *)addr, &seen, new_))
        return -EFAULT;
    return seen == old ? 0 : RETRY;
}

// With nothing locked: shall the caller begin anew?
static bool again(u64 addr, int *result) {
    if (*result == RETRY)
        return true;
    if (*result != -EFAULT)
        return false;
    *result = fault_in_user(addr, 4, true);
    return *result == 0;
}

// ---- the queue. => bucket locked ----

static bool in_queue(const struct futex_waiter *w, const struct futex_key *k) {
    return w->owner && futex_key_equal(&w->key, k);
}

static bool goes_before(const struct futex_waiter *a, const struct futex_waiter *b) {
    return !b || READ_ONCE(a->task->se.rt_priority) > READ_ONCE(b->task->se.rt_priority);
}

// `owner` NULL: whoever it is.
static struct futex_waiter *best_in_queue(struct futex_bucket *b, const struct futex_key *k,
                                          const struct task *owner) {
    struct futex_waiter *w, *best = NULL;
    list_for_each (w, &b->waiters, link)
        if (in_queue(w, k) && (!owner || w->owner == (s64)owner) && goes_before(w, best))
            best = w;
    return best;
}

static u32 nr_in_queue(struct futex_bucket *b, const struct futex_key *k) {
    struct futex_waiter *w;
    u32 n = 0;
    list_for_each (w, &b->waiters, link)
        n += in_queue(w, k);
    return n;
}

static void new_owner(struct futex_bucket *b, const struct futex_key *k, struct task *owner) {
    struct futex_waiter *w;
    list_for_each (w, &b->waiters, link) {
        u64 flags = inherit_lock();
        if (in_queue(w, k))
            inherit_name_owner(w->task, &w->owner, w->task == owner ? NULL : owner);
        inherit_unlock(flags);
    }
}

// The word names next's task already. The spinlock keeps this task, which may be about to lose what
// it was lent, on its hart until the next one is awake.
static void hand_over(struct futex_bucket *b, struct futex_waiter *next) {
    new_owner(b, &next->key, next->task);
    futex_wake_waiter(next);
}

// ---- locking ----

// Let w's task have the lock (TAKEN), or be one of those that wait for it (0, w->owner is set).
// RETRY and -EFAULT as exchange(). `from` is brought up to date. => bucket of k locked; w is not in
// the queue
static int claim(struct futex_waiter *w, struct futex_bucket *b, const struct futex_key *k,
                 struct word *from) {
    u32 tid = (u32)w->task->pid->nr, waiting = nr_in_queue(b, k) ? FUTEX_WAITERS : 0;
    u32 new_ = named_owner(from) ? from->value | FUTEX_WAITERS
                                 : tid | waiting | (from->value & FUTEX_OWNER_DIED);
    if ((from->value & FUTEX_TID_MASK) == tid)
        return -EDEADLK;
    int error = exchange(from->addr, from->value, new_);
    if (error)
        return error;
    from->value = new_;
    if ((new_ & FUTEX_TID_MASK) == tid) {
        new_owner(b, k, w->task);
        task_get(w->task);
        from->owner = w->task;
        return TAKEN;
    }
    if (!from->owner)
        return -ESRCH;
    return from->owner->flags & TASK_KTHREAD ? -EPERM
                                             : inherit_wait_for(w->task, &w->owner, from->owner);
}

// Its owner may have died since it was looked at, and have left another word.
static int really_gone(const struct word *w) {
    u32 now;
    return get_user_u32(&now, w->addr) || now == w->value ? -ESRCH : RETRY;
}

// As claim(), for current; 0: it is on the list.
static int claim_or_queue(struct futex_waiter *w, struct futex_bucket *b, u64 addr, bool try) {
    struct word from;
    int error = look(addr, &from);
    if (error)
        return error;
    spin_lock(&b->lock);
    if (try && from.owner && from.owner != current)
        error = -EWOULDBLOCK;
    else
        error = claim(w, b, &w->key, &from);
    if (error == 0) {
        w->bucket = b;
        list_add_tail(&w->link, &b->waiters);
    }
    spin_unlock(&b->lock);
    if (error == -ESRCH)
        error = really_gone(&from);
    look_end(&from);
    return error;
}

static long lock_key(struct futex_waiter *w, u64 addr, u64 deadline, bool try) {
    struct futex_bucket *b = futex_bucket_of(&w->key);
    int error;
    do {
        w->woken = w->again = false;
        error = claim_or_queue(w, b, addr, try);
        if (error == 0) {
            long result = futex_sleep(w, 1, deadline);
            if (futex_leave(w))
                return result == -ERESTARTSYS ? -ERESTARTNOINTR : result;
            error = w->again ? RETRY : TAKEN;
        }
    } while (again(addr, &error));
    return error == TAKEN ? 0 : error;
}

long futex_lock_pi(u64 addr, bool shared, u64 deadline, bool try) {
    struct futex_waiter w = {.task = current};
    long error = futex_key_get(addr, shared, &w.key);
    if (error)
        return error;
    error = lock_key(&w, addr, deadline, try);
    futex_key_put(&w.key);
    return error;
}

// ---- unlocking ----

static int unlock_key(struct futex_bucket *b, const struct futex_key *k, u64 addr) {
    u32 word;
    if (get_user_u32(&word, addr))
        return -EFAULT;
    if ((word & FUTEX_TID_MASK) != (u32)current->pid->nr)
        return -EPERM;
    spin_lock(&b->lock);
    struct futex_waiter *next = best_in_queue(b, k, NULL);
    u32 more = next && nr_in_queue(b, k) > 1 ? FUTEX_WAITERS : 0;
    int error = exchange(addr, word, next ? (u32)next->task->pid->nr | more : 0);
    if (!error && next)
        hand_over(b, next);
    spin_unlock(&b->lock);
    return error;
}

long futex_unlock_pi(u64 addr, bool shared) {
    struct futex_key k;
    int error = futex_key_get(addr, shared, &k);
    if (error)
        return error;
    do
        error = unlock_key(futex_bucket_of(&k), &k, addr);
    while (again(addr, &error));
    futex_key_put(&k);
    return error;
}

// ---- the owner dies ----

// Where current can write the word: by its address, or, if it is shared, by its frame.
static u32 *word_of(const struct futex_key *k) {
    if (k->page)
        return (u32 *)((u8 *)page_va(k->page) + k->offset);
    return k->object == (u64)current->mm ? (u32 *)k->offset : NULL;
}

// The word becomes the next owner's. 0, or it cannot be.
static int leave_word(const struct futex_waiter *next, u32 more) {
    u32 *word = word_of(&next->key), old, seen;
    if (!word || usercopy_load32(&old, word))
        return -EFAULT;
    u32 tid = old & FUTEX_TID_MASK, new_ = (u32)next->task->pid->nr | FUTEX_OWNER_DIED | more;
    if (tid && tid != (u32)current->pid->nr)
        return -EINVAL;
    for (seen = old; !usercopy_cmpxchg32(word, &seen, new_); old = seen)
        if (seen == old)
            return 0;
    return -EFAULT;
}

// A waiter whose word cannot be written looks for itself what there is.
static void hand_on(struct futex_bucket *b, const struct futex_key *k) {
    for (bool tried = false;; tried = true) {
        spin_lock(&b->lock);
        struct futex_waiter *next = best_in_queue(b, k, current);
        u32 more = next && nr_in_queue(b, k) > 1 ? FUTEX_WAITERS : 0;
        int error = next ? leave_word(next, more) : 0;
        bool absent = error == -EFAULT && !k->page && !tried;
        if (next && !absent) {
            next->again = error;
            hand_over(b, next);
        }
        spin_unlock(&b->lock);
        if (!absent)
            return;
        fault_in_user(k->offset, 4, true);
    }
}

// A waiter of whose lock current is the owner: its key and bucket. False: there is none.
static bool find_waiter(struct futex_bucket **b, struct futex_key *k) {
    u64 flags = inherit_lock();
    const s64 *word = inherit_first_word();
    if (word) {
        const struct futex_waiter *w = container_of(word, struct futex_waiter, owner);
        *k = w->key;
        *b = futex_bucket_of(k);
    }
    inherit_unlock(flags);
    return word;
}

void futex_exit_pi(void) {
    struct futex_bucket *b;
    struct futex_key k;
    inherit_set_gone(true);
    while (inherit_used() && find_waiter(&b, &k))
        hand_on(b, &k);
}

// ---- waiting for a condition, with a lock to take afterwards ----

long futex_wait_requeue_pi(u64 addr, bool shared, u32 value, u64 deadline, u64 addr2) {
    struct futex_key target;
    struct futex_waiter w = {.task = current, .target = &target};
    long error = addr == addr2 ? -EINVAL : futex_key_get(addr2, shared, &target);
    if (error)
        return error;
    error = futex_key_get(addr, shared, &w.key);
    if (!error) {
        struct futex_bucket *b = futex_bucket_of(&w.key);
        error = futex_lock_if_equal(b, addr, value);
        if (!error) {
            w.bucket = b;
            list_add_tail(&w.link, &b->waiters);
            spin_unlock(&b->lock);
            error = futex_sleep(&w, 1, deadline);
            bool waited = futex_leave(&w), moved = !futex_key_equal(&w.key, &target);
            if (!waited)
                error = w.again ? lock_key(&w, addr2, deadline, false) : 0;
            else if (error == -ERESTARTSYS)
                error = moved ? -ERESTARTNOINTR : -EAGAIN;
        }
        futex_key_put(&w.key);
    }
    futex_key_put(&target);
    return error;
}

// The best of those that sleep on k to be moved to k2, or NULL; -EINVAL: there are others.
static int best_to_move(struct futex_bucket *b, const struct futex_key *k,
                        const struct futex_key *k2, struct futex_waiter **best) {
    struct futex_waiter *w;
    *best = NULL;
    list_for_each (w, &b->waiters, link) {
        if (!futex_key_equal(&w->key, k))
            continue;
        if (!w->target || !futex_key_equal(w->target, k2))
            return -EINVAL;
        if (goes_before(w, *best))
            *best = w;
    }
    return 0;
}

// Two words: sleepers on the first are moved to the queue of the second, a lock.
struct requeue {
    u64 addr, addr2;
    struct futex_key key, key2;
    u32 expected;
    u32 count;  // how many at most; the first of them may get the lock
    u32 moved;
};

// => both buckets locked
static int move(struct requeue *r, struct word *to) {
    struct futex_bucket *b = futex_bucket_of(&r->key), *b2 = futex_bucket_of(&r->key2);
    struct futex_waiter *w;
    while (r->moved < r->count) {
        int error = best_to_move(b, &r->key, &r->key2, &w);
        if (error || !w)
            return error;
        error = claim(w, b2, &r->key2, to);
        if (error && error != TAKEN)
            return error;
        futex_move(w, &r->key2, b2);
        if (error == TAKEN)
            futex_wake_waiter(w);
        r->moved++;
    }
    return 0;
}

static int move_if_equal(struct requeue *r) {
    struct futex_bucket *b = futex_bucket_of(&r->key), *b2 = futex_bucket_of(&r->key2);
    struct word to;
    u32 now;
    int error = look(r->addr2, &to);
    if (error)
        return error;
    futex_lock_two(b, b2);
    if (usercopy_load32(&now, (const u32 *)r->addr))
        error = RETRY;
    else
        error = now == r->expected || r->moved ? move(r, &to) : -EWOULDBLOCK;
    futex_unlock_two(b, b2);
    if (error == -ESRCH)
        error = really_gone(&to);
    look_end(&to);
    return error;
}

long futex_cmp_requeue_pi(u64 addr, bool shared, u64 addr2, u32 count, u32 expected) {
    struct requeue r = {.addr = addr, .addr2 = addr2, .expected = expected, .count = count};
    int error = futex_key_get(addr, shared, &r.key);
    if (error)
        return error;
    error = futex_key_get(addr2, shared, &r.key2);
    if (!error) {
        error = futex_key_equal(&r.key, &r.key2) ? -EINVAL : RETRY;
        while (again(addr2, &error)) {
            error = fault_in_user(addr, 4, false);
            if (error)
                break;
            error = move_if_equal(&r);
        }
        futex_key_put(&r.key2);
    }
    futex_key_put(&r.key);
    return error ? error : (long)r.moved;
}
