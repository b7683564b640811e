/*
 * Advisory locks: fcntl(2) record locks, open file description locks, and flock(2).
 *
 * Every inode with locks has a `struct flock_list`. Record locks (kinds POSIX and OFD, which conflict with each
 * other) and BSD locks (always the whole file) are two separate worlds in it. A lock belongs to an owner: the
 * descriptor table for POSIX, which is what the threads of a process share; the open file description for the
 * other two. The record locks of one owner on an inode never overlap; setting a range cuts, shrinks or splits
 * what the owner had there and joins equal neighbours, like paint on a line.
 *
 * Locks: one mutex for all of it. Locks are rare and the work is short; closing a file, which is frequent, looks
 * at inode->locks without the mutex and finds NULL. Nobody sleeps for a lock with the mutex held: a blocked
 * request waits on the list's queue and starts over when anything on that inode changed.
 *
 * Deadlock: each blocked POSIX request is on `blocked` with the owner it waits for. Before it sleeps, the chain
 * of owners from there is followed; if it comes back to the requester the call is -EDEADLK. A change on an inode
 * clears the `waits_for` of those blocked on it, so a chain never goes through a request that could go on now.
 *
 * Life: a POSIX lock goes when its owner closes any descriptor of the file, an OFD or BSD lock with the
 * description. A POSIX lock also remembers the description it came through and goes at the latest with that:
 * this catches a lock that was set while another thread closed the same descriptor. So an inode that nobody
 * has open has no locks.
 */
#include "abi/errno.h"
#include "fs/file.h"
#include "mm/slab.h"
#include "mm/uaccess.h"

#define RANGE_END INT64_MAX  // a lock to here follows the file as it grows

enum lock_kind { LOCK_POSIX, LOCK_OFD, LOCK_BSD };

struct file_lock {
    struct list link;
    enum lock_kind kind;
    const void *owner;
    struct file *file;  // through which it was set; borrowed
    s64 start, end;     // bytes, end included
    int type;           // F_RDLCK, F_WRLCK; in a request also F_UNLCK
    int pid;
};

// [lock_mutex]
struct flock_list {
    struct list records, bsd;
    struct waitq changed;
    u32 waiters;  // requests that sleep on `changed`
};

struct blocked {
    struct list link;
    struct flock_list *list;
    const void *owner;
    const void *waits_for;  // NULL: about to look again
};

static struct mutex lock_mutex = MUTEX_INIT(lock_mutex, RANK_FILE_LOCKS, "file locks");
static struct list blocked = LIST_INIT(blocked);

static struct list *lock_world(struct flock_list *l, enum lock_kind kind) {
    return kind == LOCK_BSD ? &l->bsd : &l->records;
}

static bool locks_overlap(const struct file_lock *a, const struct file_lock *b) {
    return a->start <= b->end && b->start <= a->end;
}

// The first lock of somebody else that stands in the way of `want`, or NULL.
static struct file_lock *find_conflict(struct flock_list *l, const struct file_lock *want) {
    struct file_lock *have;
    list_for_each (have, lock_world(l, want->kind), link)
        if (have->owner != want->owner && locks_overlap(have, want) &&
            (have->type == F_WRLCK || want->type == F_WRLCK))
            return have;
    return NULL;
}

static struct flock_list *list_of(struct inode *inode, bool create) {
    struct flock_list *l = inode->locks;
    if (l || !create)
        return l;
    l = kzalloc(sizeof(*l));
    if (!l)
        return NULL;
    list_init(&l->records);
    list_init(&l->bsd);
    waitq_init(&l->changed);
    store_release(&inode->locks, l);
    return l;
}

static void list_trim(struct inode *inode) {
    struct flock_list *l = inode->locks;
    if (!l || l->waiters || !list_empty(&l->records) || !list_empty(&l->bsd))
        return;
    inode->locks = NULL;
    kfree(l);
}

// Something was removed or weakened: those who wait have to look again.
static void list_changed(struct flock_list *l) {
    struct blocked *b;
    list_for_each (b, &blocked, link)
        if (b->list == l)
            b->waits_for = NULL;
    wake_all(&l->changed);
}

// Whom an owner waits for, if it is asleep for a lock.
static const void *waits_for(const void *owner) {
    struct blocked *b;
    list_for_each (b, &blocked, link)
        if (b->owner == owner && b->waits_for)
            return b->waits_for;
    return NULL;
}

static bool would_deadlock(const void *owner, const void *holder) {
    // A chain is no longer than the number of sleepers; the bound is for threads that wait for one another's.
    for (int steps = 0; holder && steps < 256; steps++) {
        if (holder == owner)
            return true;
        holder = waits_for(holder);
    }
    return false;
}

// Sleep until the list changed. => lock_mutex held, before and after. 0, -EDEADLK, -ERESTARTSYS.
static int wait_for_change(struct flock_list *l, const struct file_lock *want, const void *holder) {
    struct blocked me = {.list = l, .owner = want->owner, .waits_for = holder};
    if (want->kind == LOCK_POSIX && would_deadlock(want->owner, holder))
        return -EDEADLK;
    list_add_tail(&me.link, &blocked);
    l->waiters++;
    mutex_unlock(&lock_mutex);
    int result = wait_event_interruptible(&l->changed, !READ_ONCE(me.waits_for), "file_lock");
    mutex_lock(&lock_mutex);
    list_del(&me.link);
    l->waiters--;
    return result;
}

// ---- record locks ----

// Cut the request's range out of the owner's lock `have`. *spare is used when it falls in two.
static void cut_lock(struct file_lock *have, const struct file_lock *want,
                     struct file_lock **spare) {
    bool left = have->start<want->start, right = have->end> want->end;
    if (left && right) {
        struct file_lock *tail = *spare;
        *spare = NULL;
        *tail = *have;
        tail->start = want->end + 1;
        list_add(&tail->link, &have->link);
        have->end = want->start - 1;
    } else if (left) {
        have->end = want->start - 1;
    } else if (right) {
        have->start = want->end + 1;
    } else {
        list_del(&have->link);
        kfree(have);
    }
}

// May the two be one lock? The request's range grows over touching locks of the same owner and type.
static bool joins(const struct file_lock *have, const struct file_lock *want) {
    if (have->type != want->type)
        return false;
    return (want->start == 0 || have->end >= want->start - 1) &&
           (want->end == RANGE_END || have->start <= want->end + 1);
}

// Make the owner's locks in the range be what `want` says. Cannot fail: two spare objects are enough.
static void apply_record(struct flock_list *l, struct file_lock *want, struct file_lock *spare[2]) {
    struct file_lock *have, *next;
    list_for_each_safe (have, next, &l->records, link) {
        if (have->owner != want->owner)
            continue;
        if (want->type != F_UNLCK && joins(have, want)) {
            want->start = min(want->start, have->start);
            want->end = max(want->end, have->end);
            list_del(&have->link);
            kfree(have);
        } else if (locks_overlap(have, want)) {
            cut_lock(have, want, &spare[1]);
        }
    }
    if (want->type != F_UNLCK) {
        *spare[0] = *want;
        list_add_tail(&spare[0]->link, &l->records);
        spare[0] = NULL;
    }
    list_changed(l);
}

// => lock_mutex held. 0, -EAGAIN (not waiting), -EDEADLK, -ERESTARTSYS.
static int wait_until_free(struct flock_list *l, const struct file_lock *want, bool wait) {
    struct file_lock *other;
    while (want->type != F_UNLCK && (other = find_conflict(l, want))) {
        int error = wait ? wait_for_change(l, want, other->owner) : -EAGAIN;
        if (error)
            return error;
    }
    return 0;
}

static int set_record(struct file *f, struct file_lock *want, bool wait) {
    struct file_lock *spare[2] = {kmalloc(sizeof(*want), 0), kmalloc(sizeof(*want), 0)};
    int error = -ENOMEM;
    if (!spare[0] || !spare[1])
        goto free_spares;
    mutex_lock(&lock_mutex);
    struct flock_list *l = list_of(f->inode, true);
    if (l) {
        error = wait_until_free(l, want, wait);
        if (!error)
            apply_record(l, want, spare);
        list_trim(f->inode);
    }
    mutex_unlock(&lock_mutex);
free_spares:
    kfree(spare[0]);
    kfree(spare[1]);
    return error;
}

static void describe(struct flock *out, const struct file_lock *have) {
    out->l_type = have->type;
    out->l_whence = SEEK_SET;
    out->l_start = have->start;
    out->l_len = have->end == RANGE_END ? 0 : have->end - have->start + 1;
    out->l_pid = have->kind == LOCK_OFD ? -1 : have->pid;
}

static long get_record(struct file *f, const struct file_lock *want, struct flock *fl,
                       u64 user_flock) {
    mutex_lock(&lock_mutex);
    struct flock_list *l = f->inode->locks;
    struct file_lock *have = l ? find_conflict(l, want) : NULL;
    if (have)
        describe(fl, have);
    else
        fl->l_type = F_UNLCK;
    mutex_unlock(&lock_mutex);
    return copy_to_user(user_flock, fl, sizeof(*fl));
}

// The bytes that a struct flock means: 0, -EINVAL, -EOVERFLOW.
static int decode_range(struct file *f, const struct flock *fl, struct file_lock *want) {
    s64 base = 0, start;
    if (fl->l_whence == SEEK_CUR)
        base = READ_ONCE(f->pos);
    else if (fl->l_whence == SEEK_END)
        base = READ_ONCE(f->inode->size);
    else if (fl->l_whence != SEEK_SET)
        return -EINVAL;
    if (__builtin_add_overflow(base, fl->l_start, &start))
        return -EOVERFLOW;
    if (start < 0)
        return -EINVAL;
    want->start = start;
    want->end = RANGE_END;
    if (fl->l_len > 0 && __builtin_add_overflow(start, fl->l_len - 1, &want->end))
        return -EOVERFLOW;
    if (fl->l_len < 0) {  // the bytes before start
        want->end = start - 1;
        if (__builtin_add_overflow(start, fl->l_len, &want->start) || want->start < 0)
            return -EINVAL;
    }
    return 0;
}

static int decode_request(struct file *f, bool ofd, bool get, const struct flock *fl,
                          struct file_lock *want) {
    if (fl->l_type != F_RDLCK && fl->l_type != F_WRLCK && (get || fl->l_type != F_UNLCK))
        return -EINVAL;
    if (ofd && fl->l_pid)
        return -EINVAL;
    if (!get && ((fl->l_type == F_RDLCK && !(f->mode & FILE_READ)) ||
                 (fl->l_type == F_WRLCK && !(f->mode & FILE_WRITE))))
        return -EBADF;
    *want = (struct file_lock){
        .kind = ofd ? LOCK_OFD : LOCK_POSIX,
        .owner = ofd ? (const void *)f : current->files,
        .file = f,
        .type = fl->l_type,
        .pid = task_tgid(current),
    };
    return decode_range(f, fl, want);
}

long file_posix_lock(struct file *f, int cmd, u64 user_flock) {
    bool ofd = cmd == F_OFD_GETLK || cmd == F_OFD_SETLK || cmd == F_OFD_SETLKW;
    bool get = cmd == F_GETLK || cmd == F_OFD_GETLK;
    struct flock fl;
    struct file_lock want;
    if (copy_from_user(&fl, user_flock, sizeof(fl)))
        return -EFAULT;
    int error = decode_request(f, ofd, get, &fl, &want);
    if (error)
        return error;
    if (get)
        return get_record(f, &want, &fl, user_flock);
    return set_record(f, &want, cmd == F_SETLKW || cmd == F_OFD_SETLKW);
}

// ---- BSD locks ----

// The description's own lock on the whole file, or NULL.
static struct file_lock *bsd_own(struct flock_list *l, const struct file *f) {
    struct file_lock *have;
    list_for_each (have, &l->bsd, link)
        if (have->owner == f)
            return have;
    return NULL;
}

static void bsd_drop(struct flock_list *l, const struct file *f) {
    struct file_lock *own = bsd_own(l, f);
    if (!own)
        return;
    list_del(&own->link);
    kfree(own);
    list_changed(l);
}

// Changing a lock's type is not atomic (flock(2)): the old one goes first. => lock_mutex held
static int bsd_set(struct flock_list *l, struct file *f, struct file_lock *want, bool wait) {
    struct file_lock *own = bsd_own(l, f);
    if (own && own->type == want->type) {
        kfree(want);
        return 0;
    }
    bsd_drop(l, f);
    int error = wait_until_free(l, want, wait);
    // Another thread with the same description may have set one while we slept.
    if (!error) {
        bsd_drop(l, f);
        list_add_tail(&want->link, &l->bsd);
    } else {
        kfree(want);
    }
    return error;
}

static int bsd_lock(struct file *f, int type, bool wait) {
    struct file_lock *want = kmalloc(sizeof(*want), 0);
    if (!want)
        return -ENOMEM;
    *want = (struct file_lock){.kind = LOCK_BSD,
                               .owner = f,
                               .file = f,
                               .end = RANGE_END,
                               .type = type,
                               .pid = task_tgid(current)};
    mutex_lock(&lock_mutex);
    struct flock_list *l = list_of(f->inode, true);
    int error = -ENOMEM;
    if (l) {
        error = bsd_set(l, f, want, wait);
        list_trim(f->inode);
    } else {
        kfree(want);
    }
    mutex_unlock(&lock_mutex);
    return error;
}

long file_flock(struct file *f, int op) {
    bool wait = !(op & LOCK_NB);
    switch (op & ~LOCK_NB) {
    case LOCK_SH:
        return bsd_lock(f, F_RDLCK, wait);
    case LOCK_EX:
        return bsd_lock(f, F_WRLCK, wait);
    case LOCK_UN:
        mutex_lock(&lock_mutex);
        if (f->inode->locks) {
            bsd_drop(f->inode->locks, f);
            list_trim(f->inode);
        }
        mutex_unlock(&lock_mutex);
        return 0;
    }
    return -EINVAL;
}

// ---- the end of locks ----

// Remove all locks of an owner, or set through a description (either may be NULL).
static void remove_from(struct list *world, const void *owner, const struct file *through) {
    struct file_lock *have, *next;
    list_for_each_safe (have, next, world, link)
        if (have->owner == owner || have->file == through) {
            list_del(&have->link);
            kfree(have);
        }
}

static void remove_locks(struct inode *inode, const void *owner, const struct file *through) {
    mutex_lock(&lock_mutex);
    struct flock_list *l = inode->locks;
    if (l) {
        remove_from(&l->records, owner, through);
        if (through)
            remove_from(&l->bsd, owner, through);
        list_changed(l);
        list_trim(inode);
    }
    mutex_unlock(&lock_mutex);
}

void locks_close(struct files *owner, struct file *f) {
    if (unlikely(load_acquire(&f->inode->locks)))
        remove_locks(f->inode, owner, NULL);
}

void locks_release(struct file *f) {
    if (unlikely(load_acquire(&f->inode->locks)))
        remove_locks(f->inode, f, f);
}
