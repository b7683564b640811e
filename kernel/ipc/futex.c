/*
 * Futexes: a user word, and a queue of threads that sleep until somebody who changed the word wakes them.
 *
 * A key names the word: (mm, address) for private memory, and (frame, offset) for memory that address spaces share;
 * the waiter's reference on the frame keeps the key true. Waiters of a key are in one hash bucket, a list with a lock.
 *
 * Wait against wake:
 *   waiter                                     waker (has changed the word already)
 *   bucket lock                                bucket lock
 *   word != value → unlock, -EAGAIN            finds no waiter, or
 *   on the list, state INTERRUPTIBLE           takes it off the list, task_wake(); unlock
 *   unlock; schedule()
 * The word is read with the lock held, so either the waiter sees the change or the waker sees the waiter. The read must
 * not fault under the lock: when it would, the lock is dropped, the page brought in, and all begins again.
 *
 * A waiter is on its thread's stack; only who holds its bucket's lock may touch it, and the thread takes that lock
 * before it leaves, so a waker never sees a dead one. Requeueing moves waiters between buckets, both locked, the lower
 * address first.
 *
 * Words that are locks, whose waiters lend their priority to the owner: futex_pi.c.
 *
 * Robust lists are the dying thread's own memory and not trusted: the walk is bounded and stops at the first bad address.
 */
#include "ipc/futex.h"

#include "abi/errno.h"
#include "ipc/futex_internal.h"
#include "lib/hash.h"
#include "mm/pagecache.h"
#include "mm/slab.h"
#include "mm/uaccess.h"
#include "mm/vm.h"

#define FAST static inline __attribute__((always_inline))  // once on the path of a wait or wake-up
#define BUCKETS 256
static struct futex_bucket buckets[BUCKETS];

void futex_init(void) {
    for (int i = 0; i < BUCKETS; i++) {
        spin_init(&buckets[i].lock, RANK_FUTEX, "futex");
        list_init(&buckets[i].waiters);
    }
}

/* ---- keys ---- */

static bool is_shared_memory(u64 addr) {
    struct mm *mm = current->mm;
    read_lock(&mm->lock);
    struct vma *v = vma_find_exact(mm, addr);
    bool shared = v && v->flags & VM_SHARED;
    read_unlock(&mm->lock);
    return shared;
}

static int key_get(u64 addr, bool shared, struct futex_key *k) {
    if (addr & 3)
        return -EINVAL;
    if (!user_range_ok(addr, 4))
        return -EFAULT;
    if (!shared || !is_shared_memory(addr)) {
        *k = (struct futex_key){.object = (u64)current->mm, .offset = addr};
        return 0;
    }
    struct page *p = vm_page_of(current->mm, addr, true);
    if (IS_ERR(p))
        p = vm_page_of(current->mm, addr, false);
    if (IS_ERR(p))
        return PTR_ERR(p);
    *k = (struct futex_key){.object = (u64)p, .offset = addr & (PAGE_SIZE - 1), .page = p};
    return 0;
}

int futex_key_get(u64 addr, bool shared, struct futex_key *k) { return key_get(addr, shared, k); }

void futex_key_put(struct futex_key *k) {
    if (k->page)
        page_put(k->page);
}

struct futex_bucket *futex_bucket_of(const struct futex_key *k) {
    return &buckets[hash_u64(k->object ^ hash_u64(k->offset)) % BUCKETS];
}

void futex_lock_two(struct futex_bucket *a, struct futex_bucket *b) {
    spin_lock(&(a < b ? a : b)->lock);
    if (a != b)
        spin_lock(&(a < b ? b : a)->lock);
}

void futex_unlock_two(struct futex_bucket *a, struct futex_bucket *b) {
    spin_unlock(&a->lock);
    if (a != b)
        spin_unlock(&b->lock);
}

/* ---- waiting ---- */

// The word is read as a whole: bytes of two values could make
// up a third, which was never there.
FAST int lock_if_equal(struct futex_bucket *b, u64 addr, u32 value) {
    u32 now;
    for (;;) {
        spin_lock(&b->lock);
        int error = usercopy_load32(&now, (const u32 *)addr);
        if (!error && now == value)
            return 0;
        spin_unlock(&b->lock);
        if (!error)
            return -EAGAIN;
        if (fault_in_user(addr, 4, false))
            return -EFAULT;
    }
}

FAST bool leave(struct futex_waiter *w) {
    for (;;) {
        struct futex_bucket *b = load_acquire(&w->bucket);
        spin_lock(&b->lock);
        if (w->bucket == b) {
            bool there = !w->woken;
            if (there)
                list_del(&w->link);
            if (there && w->owner) {
                u64 flags = inherit_lock();
                inherit_name_owner(w->task, &w->owner, NULL);
                inherit_unlock(flags);
            }
            spin_unlock(&b->lock);
            return there;
        }
        spin_unlock(&b->lock);
    }
}

FAST bool any_woken(const struct futex_waiter *w, u32 n) {
    for (u32 i = 0; i < n; i++)
        if (load_acquire(&w[i].woken))
            return true;
    return false;
}

FAST long sleep_on(const struct futex_waiter *w, u32 n, u64 deadline) {
    return sleep_deadline(any_woken(w, n), deadline, "futex");
}

long futex_wait(u64 addr, bool shared, u32 value, u32 bitset, u64 deadline) {
    struct futex_waiter w = {.task = current, .bitset = bitset};
    if (!bitset)
        return -EINVAL;
    long error = key_get(addr, shared, &w.key);
    if (error)
        return error;
    struct futex_bucket *b = futex_bucket_of(&w.key);
    error = lock_if_equal(b, addr, value);
    if (!error) {
        w.bucket = b;
        list_add_tail(&w.link, &b->waiters);
        spin_unlock(&b->lock);
        error = sleep_on(&w, 1, deadline);
        if (!leave(&w))
            error = 0;
    }
    futex_key_put(&w.key);
    return error;
}

// For the others, out of line: the path above is the one that counts.
int futex_lock_if_equal(struct futex_bucket *b, u64 addr, u32 value) {
    return lock_if_equal(b, addr, value);
}
bool futex_leave(struct futex_waiter *w) { return leave(w); }
long futex_sleep(const struct futex_waiter *w, u32 n, u64 deadline) {
    return sleep_on(w, n, deadline);
}

// Waiters 0 to n - 1 off their queues. The index of the last one that was woken, or -1.
static long leave_all(struct futex_waiter *w, u32 n) {
    long woken = -1;
    for (u32 i = 0; i < n; i++) {
        if (!futex_leave(&w[i]))
            woken = i;
        futex_key_put(&w[i].key);
    }
    return woken;
}

static long queue_one(struct futex_waiter *w, const struct futex_waitv *v) {
    if ((v->flags & ~(u32)FUTEX2_PRIVATE) != FUTEX2_SIZE_U32 || v->__reserved)
        return -EINVAL;
    *w = (struct futex_waiter){.task = current, .bitset = FUTEX_BITSET_MATCH_ANY};
    long error = key_get(v->uaddr, !(v->flags & FUTEX2_PRIVATE), &w->key);
    if (error)
        return error;
    w->bucket = futex_bucket_of(&w->key);
    error = futex_lock_if_equal(w->bucket, v->uaddr, (u32)v->val);
    if (error) {
        futex_key_put(&w->key);
        return error;
    }
    list_add_tail(&w->link, &w->bucket->waiters);
    spin_unlock(&w->bucket->lock);
    return 0;
}

long futex_waitv(const struct futex_waitv *v, u32 n, u64 deadline) {
    struct futex_waiter *w = kmalloc(n * sizeof(*w), 0);
    long error = w ? 0 : -ENOMEM;
    u32 queued = 0;
    if (!w)
        return error;
    while (!error && queued < n) {
        error = queue_one(&w[queued], &v[queued]);
        queued += !error;
    }
    if (!error)
        error = futex_sleep(w, n, deadline);
    long woken = leave_all(w, queued);
    kfree(w);
    return woken >= 0 ? woken : error;
}

/* ---- waking ---- */

FAST void wake(struct futex_waiter *w) {
    list_del(&w->link);
    store_release(&w->woken, true);
    task_wake(w->task, TASK_INTERRUPTIBLE);
}

void futex_wake_waiter(struct futex_waiter *w) { wake(w); }

// Waiters for a lock must not be woken by those who do not give it them.
static bool is_pi(const struct futex_waiter *w) { return w->owner || w->target; }

static long wake_key(struct futex_bucket *b, const struct futex_key *k, u32 count, u32 bitset) {
    struct futex_waiter *w, *next;
    u32 woken = 0;
    list_for_each_safe (w, next, &b->waiters, link) {
        if (woken == count)
            break;
        if (!futex_key_equal(&w->key, k))
            continue;
        if (unlikely(is_pi(w)))
            return -EINVAL;
        if (w->bitset & bitset) {
            wake(w);
            woken++;
        }
    }
    return woken;
}

long futex_wake(u64 addr, bool shared, u32 count, u32 bitset) {
    struct futex_key k;
    if (!bitset)
        return -EINVAL;
    int error = key_get(addr, shared, &k);
    if (error)
        return error;
    struct futex_bucket *b = futex_bucket_of(&k);
    spin_lock(&b->lock);
    long woken = wake_key(b, &k, count, bitset);
    spin_unlock(&b->lock);
    futex_key_put(&k);
    return woken;
}

void futex_move(struct futex_waiter *w, const struct futex_key *k, struct futex_bucket *to) {
    if (k->page)
        page_get(k->page);
    if (w->key.page)
        page_put(w->key.page);
    w->key = *k;
    list_move_tail(&w->link, &to->waiters);
    store_release(&w->bucket, to);
}

// => both buckets locked
static long move_waiters(struct futex_bucket *from, const struct futex_key *k,
                         struct futex_bucket *to, const struct futex_key *k2, u32 count) {
    struct futex_waiter *w, *next;
    u32 moved = 0;
    list_for_each_safe (w, next, &from->waiters, link) {
        if (moved == count)
            break;
        if (!futex_key_equal(&w->key, k))
            continue;
        if (unlikely(is_pi(w)))
            return -EINVAL;
        futex_move(w, k2, to);
        moved++;
    }
    return moved;
}

static long requeue_keys(u64 addr, const struct futex_key *k, const struct futex_key *k2, u32 count,
                         u32 moved, const u32 *expected) {
    struct futex_bucket *b = futex_bucket_of(k), *b2 = futex_bucket_of(k2);
    u32 now;
    for (;;) {
        futex_lock_two(b, b2);
        int error = expected ? usercopy_load32(&now, (const u32 *)addr) : 0;
        if (!error)
            break;
        futex_unlock_two(b, b2);
        if (fault_in_user(addr, 4, false))
            return -EFAULT;
    }
    long result = -EAGAIN;
    if (!expected || now == *expected) {
        result = wake_key(b, k, count, FUTEX_BITSET_MATCH_ANY);
        long n = result < 0 ? 0 : move_waiters(b, k, b2, k2, moved);
        if (n < 0)
            result = n;
        else if (expected)
            result += n;
    }
    futex_unlock_two(b, b2);
    return result;
}

long futex_requeue(u64 addr, bool shared, u64 addr2, u32 count, u32 moved, const u32 *expected) {
    struct futex_key k, k2;
    long result = key_get(addr, shared, &k);
    if (result)
        return result;
    result = key_get(addr2, shared, &k2);
    if (!result) {
        result = requeue_keys(addr, &k, &k2, count, moved, expected);
        futex_key_put(&k2);
    }
    futex_key_put(&k);
    return result;
}

/* ---- FUTEX_WAKE_OP ---- */

static s32 sign_extend_12(u32 x) { return (s32)(x << 20) >> 20; }

static int apply(u32 op, u32 arg, u32 old, u32 *new_) {
    switch (op) {
    case FUTEX_OP_SET:
        *new_ = arg;
        return 0;
    case FUTEX_OP_ADD:
        *new_ = old + arg;
        return 0;
    case FUTEX_OP_OR:
        *new_ = old | arg;
        return 0;
    case FUTEX_OP_ANDN:
        *new_ = old & ~arg;
        return 0;
    case FUTEX_OP_XOR:
        *new_ = old ^ arg;
        return 0;
    default:
        return -ENOSYS;
    }
}

static int compare(u32 how, s32 old, s32 with) {
    switch (how) {
    case FUTEX_OP_CMP_EQ:
        return old == with;
    case FUTEX_OP_CMP_NE:
        return old != with;
    case FUTEX_OP_CMP_LT:
        return old < with;
    case FUTEX_OP_CMP_LE:
        return old <= with;
    case FUTEX_OP_CMP_GT:
        return old > with;
    case FUTEX_OP_CMP_GE:
        return old >= with;
    default:
        return -ENOSYS;
    }
}

// Replace *addr by what `op` makes of it, atomically. 1 or 0: how the old value compares; or errno.
static int change_word(u64 addr, u32 op) {
    u32 arg = sign_extend_12(op >> 12 & 0xfff), old, new_;
    if (op >> 28 & FUTEX_OP_OPARG_SHIFT)
        arg = 1u << (arg & 31);
    if (get_user_u32(&old, addr))
        return -EFAULT;
    for (;;) {
        u32 seen = old;
        int error = apply(op >> 28 & 7, arg, old, &new_);
        if (error)
            return error;
        if (usercopy_cmpxchg32((u32 *)addr, &seen, new_))
            return -EFAULT;
        if (seen == old)
            return compare(op >> 24 & 15, old, sign_extend_12(op & 0xfff));
        old = seen;
    }
}

// The word is changed before the locks are taken: a waiter that had seen the old value is on its queue by then.
long futex_wake_op(u64 addr, bool shared, u64 addr2, u32 count, u32 count2, u32 op) {
    long result = addr & 3 || addr2 & 3 ? -EINVAL : 0;
    if (!result && !user_range_ok(addr2, 4))
        result = -EFAULT;
    if (result)
        return result;
    int wake_second = change_word(addr2, op);
    if (wake_second < 0)
        return wake_second;
    result = futex_wake(addr, shared, count, FUTEX_BITSET_MATCH_ANY);
    if (result >= 0 && wake_second) {
        long more = futex_wake(addr2, shared, count2, FUTEX_BITSET_MATCH_ANY);
        result = more < 0 ? more : result + more;
    }
    return result;
}

/* ---- the end of a thread ---- */

// Mark the lock at addr as left by its dead owner and wake a waiter; one that inherits is handed on later. False: bad address.
static bool let_go(u64 addr, bool pi, bool pending) {
    u32 old;
    if (addr & 3 || get_user_u32(&old, addr))
        return false;
    for (;;) {
        if (pending && !pi && old == 0) {  // unlocked, but its waiter was not woken yet
            futex_wake(addr, true, 1, FUTEX_BITSET_MATCH_ANY);
            return true;
        }
        if ((old & FUTEX_TID_MASK) != (u32)current->pid->nr)
            return true;
        u32 seen = old;
        if (!user_range_ok(addr, 4) ||
            usercopy_cmpxchg32((u32 *)addr, &seen, (old & FUTEX_WAITERS) | FUTEX_OWNER_DIED))
            return false;
        if (seen == old)
            break;
        old = seen;
    }
    if (!pi && old & FUTEX_WAITERS) {
        futex_wake(addr, true, 1, FUTEX_BITSET_MATCH_ANY);
        futex_wake(addr, false, 1, FUTEX_BITSET_MATCH_ANY);
    }
    return true;
}

// Bit 0 of a pointer to an entry: its lock inherits priorities.
static bool let_go_of(u64 entry, s64 offset, bool pending) {
    return let_go((entry & ~1ul) + offset, entry & 1, pending);
}

static void let_go_of_robust_list(void) {
    struct robust_list_head head;
    u64 start = (u64)current->robust_list, entry, next, pending;
    if (!start || copy_from_user(&head, start, sizeof(head)))
        return;
    pending = (u64)head.list_op_pending;
    entry = (u64)head.list.next;
    for (int i = 0; i < ROBUST_LIST_LIMIT && (entry & ~1ul) != start; i++) {
        bool more = get_user_u64(&next, entry & ~1ul) == 0;
        if ((entry ^ pending) > 1 && !let_go_of(entry, head.futex_offset, false))
            return;
        if (!more)
            return;
        entry = next;
    }
    if (pending & ~1ul)
        let_go_of(pending, head.futex_offset, true);
}

void futex_exit(void) {
    if (!current->mm)
        return;
    let_go_of_robust_list();
    current->robust_list = NULL;
    futex_exit_pi();
    u64 tid = (u64)current->clear_child_tid;
    current->clear_child_tid = NULL;
    if (tid && ref_read(&current->mm->users) > 1 && put_user_u32(0, tid) == 0)
        futex_wake(tid, true, 1, FUTEX_BITSET_MATCH_ANY);
}
