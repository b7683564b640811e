/*
 * System V identifiers: what shared memory, message queues and semaphores have in common.
 *
 * An object has a number, which it takes from a map of its kind's table and gives back when it is removed, and a sequence,
 * which goes up when numbers begin anew. The id that programs see is made of both, so an id that somebody kept
 * does not name a later object. A key, if it is not IPC_PRIVATE, finds the id in shmget and its like.
 *
 * Locks: table->lock (sleeps) for all that is rare: making, removing, keys, IPC_SET. Each object has a spinning lock, and
 * there is no table-wide lock on the way to it: an id leads to one of 256 buckets, whose lock is held until the object's
 * own one is.
 *
 *   sender                                  IPC_RMID
 *   bucket lock; finds o; lock o            table lock
 *   bucket unlock                           bucket lock; o off the bucket; bucket unlock
 *   …works; unlock o                        lock o: waits for the sender
 *                                           removed = true; wakes who sleeps on o; unlock; drops the table's reference
 *
 * After that only sleepers and attachments have references. So who holds o->lock without a reference knows that o stays
 * until it is unlocked, and who sleeps takes a reference first.
 *
 * Sleeping is direct: who makes a wait possible (a sender, a receiver, a semop) also does for the sleeper what it waits for,
 * and then wakes it with the result. Nobody wakes up only to find that another one was faster. A waiter is on its task's
 * stack; it is touched with the lock held only, and its task takes that lock before it goes on.
 */
#include "ipc/ids.h"

#include "abi/capability.h"
#include "fs/proc.h"
#include "lib/hash.h"
#include "lib/string.h"
#include "mm/pagecache.h"
#include "mm/uaccess.h"
#include "time/timer.h"

void ipc_table_init(struct ipc_table *t) {
    idmap_init(&t->numbers, t->words, IPC_NUMBERS);
    t->last = IPC_NUMBERS;
    t->sequence = -1u;
    for (u32 i = 0; i < IPC_BUCKETS; i++)
        spin_init(&t->buckets[i].lock, RANK_IPC_BUCKET, t->name);
}

s64 ipc_now(void) { return (s64)(realtime_ns() / NSEC_PER_SEC); }

// ---- finding ----

static struct ipc_bucket *bucket_of(struct ipc_table *t, int id) {
    return &t->buckets[(u32)id % IPC_BUCKETS];
}

// mask: which bits of the id must agree
static struct ipc_object *lock_masked(struct ipc_table *t, int id, u32 mask) {
    struct ipc_bucket *b = bucket_of(t, id);
    struct ipc_object *o;
    if (id < 0)
        return NULL;
    spin_lock(&b->lock);
    hlist_for_each (o, &b->objects, by_id)
        if ((((u32)o->id ^ (u32)id) & mask) == 0) {
            spin_lock(&o->lock);
            break;
        }
    spin_unlock(&b->lock);
    return o;
}

struct ipc_object *ipc_lock(struct ipc_table *t, int id) {
    return lock_masked(t, id, ~0u);
}

struct ipc_object *ipc_lock_for(struct ipc_table *t, int id, u32 want) {
    struct ipc_object *o = ipc_lock(t, id);
    if (!o)
        return ERR_PTR(-EINVAL);
    if (likely(ipc_permission(o, want) == 0))
        return o;
    ipc_unlock(o);
    return ERR_PTR(-EACCES);
}

void ipc_put(struct ipc_table *t, struct ipc_object *o) {
    if (ref_put(&o->ref))
        t->free(o);
}

// ---- permissions ----

int ipc_permission(const struct ipc_object *o, u32 want) {
    u32 uid = current->cred->euid, granted = o->mode;
    want = (want >> 6 | want >> 3 | want) & 7;
    if (uid == o->uid || uid == o->cuid)
        granted >>= 6;
    else if (in_group(o->gid) || in_group(o->cgid))
        granted >>= 3;
    return want & ~granted && !capable(CAP_IPC_OWNER) ? -EACCES : 0;
}

struct ipc_object *ipc_lock_own(struct ipc_table *t, int id) {
    mutex_lock(&t->lock);
    struct ipc_object *o = ipc_lock(t, id);
    int error = o ? 0 : -EINVAL;
    if (o) {
        u32 uid = current->cred->euid;
        if (uid == o->uid || uid == o->cuid || capable(CAP_SYS_ADMIN))
            return o;
        ipc_unlock(o);
        error = -EPERM;
    }
    mutex_unlock(&t->lock);
    return ERR_PTR(error);
}

// => o locked
static void fill(const struct ipc_table *t, struct ipc_object *o, void *ds) {
    memset(ds, 0, t->ds_size);
    *(struct ipc64_perm *)ds = (struct ipc64_perm){
        .key = o->key,
        .uid = o->uid,
        .gid = o->gid,
        .cuid = o->cuid,
        .cgid = o->cgid,
        .mode = o->mode,
        .seq = (u32)o->id / IPC_NUMBERS,
    };
    t->status(o, ds);
}

long ipc_stat(struct ipc_table *t, int id, bool by_number, bool any, u64 user) {
    u64 ds[IPC_DS_MAX / sizeof(u64)];
    if (by_number && id >= IPC_NUMBERS)
        return -EINVAL;
    struct ipc_object *o = lock_masked(t, id, by_number ? IPC_NUMBERS - 1 : ~0u);
    if (!o)
        return -EINVAL;
    int error = any ? 0 : ipc_permission(o, 0444);
    fill(t, o, ds);
    id = by_number ? o->id : 0;
    ipc_unlock(o);
    return error ?: copy_to_user(user, ds, t->ds_size) ?: id;
}

long ipc_set(struct ipc_table *t, int id, u64 user) {
    u64 ds[IPC_DS_MAX / sizeof(u64)];
    const struct ipc64_perm *p = (const void *)ds;
    if (copy_from_user(ds, user, t->ds_size))
        return -EFAULT;
    struct ipc_object *o = ipc_lock_own(t, id);
    if (IS_ERR(o))
        return PTR_ERR(o);
    int error = p->uid == -1u || p->gid == -1u ? -EINVAL : t->set ? t->set(o, ds) : 0;
    if (!error) {
        o->uid = p->uid;
        o->gid = p->gid;
        o->mode = (o->mode & ~0777u) | (p->mode & 0777);
        o->ctime = ipc_now();
    }
    ipc_unlock(o);
    mutex_unlock(&t->lock);
    return error;
}

// ---- making and removing ----

static struct hlist_head *keys_of(struct ipc_table *t, int key) {
    return &t->keys[hash_u64((u32)key) % IPC_KEYS];
}

// => table locked
static struct ipc_object *find_key(struct ipc_table *t, int key) {
    struct ipc_object *o;
    if (key == IPC_PRIVATE)
        return NULL;
    hlist_for_each (o, keys_of(t, key), by_key)
        if (o->key == key)
            break;
    return o;
}

// The lowest free number. Ids of the past are avoided: a number that is not above the last one belongs to the next sequence.
static int new_id(struct ipc_table *t) {
    int number = t->numbers.count < READ_ONCE(*t->limit)
                     ? idmap_alloc_from(&t->numbers, 0, IPC_NUMBERS)
                     : -1;
    if (number < 0)
        return -ENOSPC;
    if ((u32)number <= t->last)
        t->sequence = (t->sequence + 1) % (INT32_MAX / IPC_NUMBERS);
    t->last = number;
    return (int)t->sequence * IPC_NUMBERS + number;
}

// => table locked
static long make(struct ipc_table *t, int key, int flags, u64 size) {
    struct ipc_object *o = t->create(size, flags);
    if (IS_ERR(o))
        return PTR_ERR(o);
    int id = new_id(t);
    if (id < 0) {
        t->free(o);
        return id;
    }
    spin_init(&o->lock, RANK_IPC_OBJECT, t->name);
    ref_init(&o->ref);
    o->id = id;
    o->key = key;
    o->uid = o->cuid = current->cred->euid;
    o->gid = o->cgid = current->cred->egid;
    o->mode = flags & 0777;
    o->ctime = ipc_now();
    if (key != IPC_PRIVATE)
        hlist_add(&o->by_key, keys_of(t, key));
    struct ipc_bucket *b = bucket_of(t, id);
    spin_lock(&b->lock);
    hlist_add(&o->by_id, &b->objects);
    spin_unlock(&b->lock);
    return id;
}

long ipc_get(struct ipc_table *t, int key, int flags, u64 size) {
    long result;
    mutex_lock(&t->lock);
    struct ipc_object *o = find_key(t, key);
    if (!o) {
        result = key == IPC_PRIVATE || flags & IPC_CREAT ? make(t, key, flags, size) : -ENOENT;
    } else if (flags & IPC_CREAT && flags & IPC_EXCL) {
        result = -EEXIST;
    } else {
        spin_lock(&o->lock);
        result = t->fits(o, size);
        if (!result)
            result = ipc_permission(o, flags);
        if (!result)
            result = o->id;
        ipc_unlock(o);
    }
    mutex_unlock(&t->lock);
    return result;
}

void ipc_forget_key(struct ipc_object *o) {
    hlist_del(&o->by_key);
    o->key = IPC_PRIVATE;
}

void ipc_remove(struct ipc_table *t, struct ipc_object *o) {
    struct ipc_bucket *b = bucket_of(t, o->id);
    spin_lock(&b->lock);
    hlist_del(&o->by_id);
    spin_unlock(&b->lock);
    hlist_del(&o->by_key);
    idmap_free(&t->numbers, (u32)o->id % IPC_NUMBERS);
    spin_lock(&o->lock);
    o->removed = true;
    t->remove(o);
    spin_unlock(&o->lock);
}

int ipc_remove_id(struct ipc_table *t, int id) {
    struct ipc_object *o = ipc_lock_own(t, id);
    if (IS_ERR(o))
        return PTR_ERR(o);
    ipc_unlock(o);
    ipc_remove(t, o);
    mutex_unlock(&t->lock);
    ipc_put(t, o);
    return 0;
}

// ---- all of a kind ----

struct ipc_object *ipc_next(struct ipc_table *t, u32 from) {
    u32 n = (u32)bitmap_find_first_set(t->numbers.used, IPC_NUMBERS, from);
    return n < IPC_NUMBERS ? lock_masked(t, (int)n, IPC_NUMBERS - 1) : NULL;
}

int ipc_highest(struct ipc_table *t) {
    int n = IPC_NUMBERS;
    mutex_lock(&t->lock);
    while (n > 0 && !idmap_test(&t->numbers, (u32)n))
        n--;
    mutex_unlock(&t->lock);
    return n;
}

void ipc_show(struct ipc_table *t, struct printer *p, const char *heading,
              void (*line)(struct printer *p, struct ipc_object *o, const void *ds)) {
    u64 ds[IPC_DS_MAX / sizeof(u64)];
    struct ipc_object *o;
    printer_printf(p, "%s\n", heading);
    mutex_lock(&t->lock);
    for (u32 n = 0; (o = ipc_next(t, n)) != NULL; n = ipc_number(o) + 1) {
        fill(t, o, ds);
        ipc_unlock(o);
        line(p, o, ds);
    }
    mutex_unlock(&t->lock);
}

// ---- sleeping ----

int ipc_sleep(struct spinlock *lock, struct ipc_waiter *w, struct list *queue, u64 deadline,
              const char *wmesg) {
    w->task = current;
    w->result = IPC_ASLEEP;
    list_add_tail(&w->link, queue);
    spin_unlock(lock);
    int error = sleep_deadline(load_acquire(&w->result) != IPC_ASLEEP, deadline, wmesg);
    spin_lock(lock);
    if (w->result != IPC_ASLEEP)
        return w->result;
    list_del(&w->link);
    return error == -ERESTARTSYS ? -EINTR : error;
}

void ipc_wake(struct ipc_waiter *w, int result) {
    list_del(&w->link);
    store_release(&w->result, result);
    task_wake(w->task, TASK_INTERRUPTIBLE);
}

void ipc_wake_all(struct list *queue, int result) {
    while (!list_empty(queue))
        ipc_wake(list_first(queue, struct ipc_waiter, link), result);
}
