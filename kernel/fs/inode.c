/*
 * Inodes in memory: one table of them all, found by (super block, number), and the attributes.
 *
 * An inode with references is in use. Without references it stays in the table as a cached one, on the LRU list,
 * until inode_shrink() takes it; one without names (nlink 0) is evicted at once: its pages go, then what it has on disk.
 * Memory file systems (no super_ops.read) keep an unused inode only if keep_dentries is set and it has a name.
 *
 * Locks: table_lock guards the table, lists, the step from 0 references to 1 and from 1 to 0, and INODE_NEW and
 * INODE_FREEING; who finds one of these two sleeps until it is over:
 *
 *   hart A: inode_get(7)                   hart B: inode_put(7), last, nlink 0
 *                                          table_lock; FREEING; unlock
 *   table_lock; finds 7, FREEING: unlock   frees blocks, inode 7 on disk
 *   sleeps                                 table_lock; out of the table; unlock; wakes
 *   looks again: absent, reads from disk
 *
 * inode->lock guards attributes, the size and directory entries. It is taken before table_lock.
 */
#include "abi/capability.h"
#include "abi/memfd.h"
#include "fs/internal.h"
#include "lib/hash.h"

static struct spinlock table_lock = SPINLOCK_INIT(RANK_INODE_HASH, "inode table");
static struct hlist_head *table;  // [table_lock]
static u32 table_mask;
static struct list unused = LIST_INIT(unused);  // [table_lock] least recently used first
static u64 nr_inodes;                           // [table_lock]
static struct waitq changes = WAITQ_INIT(changes);

void inode_init(void) {
    u64 n = 256;
    while (n < 32768 && n * 16 < pages_total)
        n *= 2;
    table = kmalloc(n * sizeof(*table), ALLOC_ZERO);
    assert(table);
    table_mask = n - 1;
}

u64 inodes_in_use(void) { return nr_inodes; }

void super_list_init(struct super *sb) {
    list_init(&sb->inodes);
    list_init(&sb->dirty);
}

static struct hlist_head *chain_of(struct super *sb, u64 ino) {
    return &table[hash_u64((u64)sb ^ ino) & table_mask];
}

static struct inode *find_locked(struct super *sb, u64 ino) {
    struct inode *i;
    assert_held(&table_lock);
    hlist_for_each (i, chain_of(sb, ino), hash)
        if (i->ino == ino && i->sb == sb)
            return i;
    return NULL;
}

// One more reference, also when there was none. => table_lock held, not FREEING
static void grab_locked(struct inode *i) {
    assert_held(&table_lock);
    if (atomic_add(&i->ref.count, 1) == 0)
        list_del(&i->lru);
}

static const struct mapping_ops no_mapping_ops;

static struct inode *alloc(struct super *sb, u64 ino) {
    struct inode *i = sb->ops->alloc(sb);
    if (!i)
        return NULL;
    ref_init(&i->ref);
    i->ino = ino;
    i->sb = sb;
    rwlock_init(&i->lock, RANK_INODE, "inode");
    list_init(&i->sb_link);
    list_init(&i->lru);
    list_init(&i->dirty);
    hlist_init(&i->hash);
    mapping_init(&i->mapping, &no_mapping_ops, i, 0);  // the file system gives it better ones
    return i;
}

static void insert_locked(struct inode *i) {
    assert_held(&table_lock);
    hlist_add(&i->hash, chain_of(i->sb, i->ino));
    list_add_tail(&i->sb_link, &i->sb->inodes);
    nr_inodes++;
}

static void remove_locked(struct inode *i) {
    assert_held(&table_lock);
    hlist_del(&i->hash);
    list_del(&i->sb_link);
    list_del(&i->lru);
    list_del(&i->dirty);
    nr_inodes--;
}

static bool settled(struct inode *i) { return !(load_acquire(&i->state) & INODE_NEW); }

// The inode in the table, with a reference and read in; NULL when absent.
static struct inode *table_lookup(struct super *sb, u64 ino) {
    for (;;) {
        spin_lock(&table_lock);
        struct inode *i = find_locked(sb, ino);
        bool freeing = i && i->state & INODE_FREEING;
        if (i && !freeing)
            grab_locked(i);
        spin_unlock(&table_lock);
        if (!i)
            return NULL;
        if (!freeing) {
            wait_event(&changes, settled(i), "inode");
            return i;
        }
        // i may be freed at any time now: ask the table, not the inode
        struct waiter w;
        waiter_init(&w);
        waitq_prepare(&changes, &w, TASK_UNINTERRUPTIBLE, "inode");
        spin_lock(&table_lock);
        i = find_locked(sb, ino);
        freeing = i && i->state & INODE_FREEING;
        spin_unlock(&table_lock);
        if (freeing)
            schedule();
        waitq_finish(&changes, &w);
    }
}

static void destroy(struct inode *i) {
    spin_lock(&table_lock);
    remove_locked(i);
    spin_unlock(&table_lock);
    wake_all(&changes);
    assert(i->mapping.nr_pages == 0);
    i->sb->ops->free(i);
}

struct inode *inode_get(struct super *sb, u64 ino) {
    struct inode *i, *other;
    while (!(i = table_lookup(sb, ino))) {
        i = alloc(sb, ino);
        if (!i)
            return ERR_PTR(-ENOMEM);
        i->state = INODE_NEW;
        spin_lock(&table_lock);
        other = find_locked(sb, ino);
        if (!other)
            insert_locked(i);
        spin_unlock(&table_lock);
        if (other) {
            sb->ops->free(i);
            continue;
        }
        int error = sb->ops->read ? sb->ops->read(i) : -ENOENT;
        if (error)
            atomic_or(&i->state, INODE_BAD);
        atomic_and(&i->state, ~INODE_NEW);
        wake_all(&changes);
        if (error) {
            inode_put(i);
            return ERR_PTR(error);
        }
        return i;
    }
    if (i->state & INODE_BAD) {
        inode_put(i);
        return ERR_PTR(-EIO);
    }
    return i;
}

struct inode *inode_new(struct super *sb, u64 ino, u32 mode) {
    struct inode *i = alloc(sb, ino);
    if (!i)
        return ERR_PTR(-ENOMEM);
    i->mode = mode;
    i->nlink = 1;
    i->uid = current->cred ? current->cred->fsuid : 0;
    i->gid = current->cred ? current->cred->fsgid : 0;
    i->atime = i->mtime = i->ctime = time_now();
    for (;;) {
        spin_lock(&table_lock);
        struct inode *other = sb->ops->read ? find_locked(sb, ino) : NULL;
        if (!other)
            insert_locked(i);
        spin_unlock(&table_lock);
        if (!other)
            return i;
        // Only a corrupt disk or an inode on its way out still has this number.
        other = table_lookup(sb, ino);
        if (other) {
            inode_put(other);
            sb->ops->free(i);
            return ERR_PTR(-EIO);
        }
    }
}

// The last reference is gone and nothing will ask for it again. => INODE_FREEING set
static void evict(struct inode *i) {
    if (i->mapping.nr_pages || i->mapping.ops->write_pages)
        pagecache_truncate(&i->mapping, 0);
    if (i->nlink == 0 && !(i->state & INODE_BAD) && i->sb->ops->evict)
        i->sb->ops->evict(i);
    destroy(i);
}

void inode_put(struct inode *i) {
    u32 n = load_relaxed(&i->ref.count);
    while (n > 1)
        if (atomic_cmpxchg(&i->ref.count, &n, n - 1))
            return;
    spin_lock(&table_lock);
    if (!ref_put(&i->ref)) {
        spin_unlock(&table_lock);
        return;
    }
    bool keep = i->nlink && !(i->state & INODE_BAD) && (i->sb->ops->read || i->sb->keep_dentries);
    if (keep && i->sb->ops->read)
        list_add_tail(&i->lru, &unused);
    else if (!keep)
        atomic_or(&i->state, INODE_FREEING);
    spin_unlock(&table_lock);
    if (!keep)
        evict(i);
}

// Free clean unused inodes without pages: no I/O, no sleeping lock, so that memory reclaim may call it.
size_t inode_shrink(size_t want) {
    size_t freed = 0;
    u32 look = 4 * want + 64;
    while (freed < want) {
        struct inode *victim = NULL;
        spin_lock(&table_lock);
        for (; look && !victim && !list_empty(&unused); look--) {
            struct inode *i = list_first(&unused, struct inode, lru);
            if (i->mapping.nr_pages || i->state & INODE_DIRTY) {
                list_move_tail(&i->lru, &unused);
                continue;
            }
            victim = i;
            atomic_or(&i->state, INODE_FREEING);
            list_del(&i->lru);
        }
        spin_unlock(&table_lock);
        if (!victim)
            break;
        destroy(victim);
        freed++;
    }
    return freed;
}

int inode_evict_super(struct super *sb) {
    for (;;) {
        struct inode *victim = NULL, *i;
        spin_lock(&table_lock);
        list_for_each (i, &sb->inodes, sb_link)
            if (ref_read(&i->ref) == 0 && !(i->state & INODE_FREEING)) {
                victim = i;
                break;
            }
        if (victim) {
            atomic_or(&victim->state, INODE_FREEING);
            list_del(&victim->lru);
        }
        bool empty = list_empty(&sb->inodes);
        spin_unlock(&table_lock);
        if (!victim)
            return empty ? 0 : -EBUSY;
        inode_write(victim);
        if (!sb->ops->read)
            victim->nlink = 0;  // nothing but memory will be left of it
        evict(victim);
    }
}

// ---- dirty attributes ----

// The change comes before the look at the mark, as inode_write() takes the mark off before it looks at the attributes: either
// that one sees the change or this one sees no mark.
void inode_mark_dirty(struct inode *i) {
    memory_fence();
    if (load_relaxed(&i->state) & INODE_DIRTY || !i->sb->ops->write)
        return;
    spin_lock(&table_lock);
    if (!(atomic_or(&i->state, INODE_DIRTY) & INODE_DIRTY))
        list_add_tail(&i->dirty, &i->sb->dirty);
    spin_unlock(&table_lock);
}

int inode_write(struct inode *i) {
    if (!(load_acquire(&i->state) & INODE_DIRTY))
        return 0;
    spin_lock(&table_lock);
    bool dirty = atomic_and(&i->state, ~INODE_DIRTY) & INODE_DIRTY;
    list_del(&i->dirty);
    spin_unlock(&table_lock);
    int error = dirty ? i->sb->ops->write(i) : 0;
    if (error)
        pagecache_failed(&i->mapping);
    return error;
}

// The first inode after `after` (NULL: of all) that has something to write, with a reference. Puts `after`.
static struct inode *next_unwritten(struct super *sb, struct inode *after) {
    struct inode *found = NULL;
    spin_lock(&table_lock);
    struct list *l = after ? after->sb_link.next : sb->inodes.next;
    for (; l != &sb->inodes && !found; l = l->next) {
        struct inode *i = list_entry(l, struct inode, sb_link);
        if (!(i->state & (INODE_NEW | INODE_FREEING | INODE_BAD)) &&
            (i->state & INODE_DIRTY || i->mapping.nr_dirty)) {
            grab_locked(i);
            found = i;
        }
    }
    spin_unlock(&table_lock);
    if (after)
        inode_put(after);
    return found;
}

int inode_sync_super(struct super *sb) {
    int result = 0;
    for (struct inode *i = NULL; (i = next_unwritten(sb, i)) != NULL;) {
        int error = sb->dev ? pagecache_write(&i->mapping, 0, ~0ul) : 0;
        int error2 = inode_write(i);
        if (result == 0)
            result = error ? error : error2;
    }
    return result;
}

void inode_write_super(struct super *sb) {
    for (struct inode *i = NULL; (i = next_unwritten(sb, i)) != NULL;)
        inode_write(i);
}

void inode_touch(struct inode *i, u32 times) {
    struct timespec now = time_now();
    if (times & SET_ATIME)
        i->atime = now;
    if (times & SET_MTIME)
        i->mtime = i->ctime = now;
    inode_mark_dirty(i);
}

// ---- attributes ----

struct timespec time_now(void) {
    u64 ns = realtime_ns();
    return (struct timespec){ns / NSEC_PER_SEC, ns % NSEC_PER_SEC};
}

// What utimensat(2) asks for, as near as the file system can keep it.
static struct timespec storable_time(const struct super *sb, struct timespec t) {
    if (!sb->time_max || (t.tv_sec >= sb->time_min && t.tv_sec <= sb->time_max))
        return t;
    return (struct timespec){t.tv_sec < 0 ? sb->time_min : sb->time_max, 0};
}

int inode_permission(const struct inode *i, int mask) {
    const struct cred *c = current->cred;
    u32 bits = i->mode;
    if (mask & 2 && i->sb->read_only && (inode_is_reg(i) || inode_is_dir(i) || inode_is_link(i)))
        return -EROFS;
    if (c->fsuid == i->uid)
        bits >>= 6;
    else if (in_group(i->gid))
        bits >>= 3;
    if ((bits & mask) == (u32)mask)
        return 0;
    if (capable(CAP_DAC_OVERRIDE) && (!(mask & 1) || inode_is_dir(i) || i->mode & 0111))
        return 0;
    if (capable(CAP_DAC_READ_SEARCH) && (mask == 4 || (inode_is_dir(i) && !(mask & 2))))
        return 0;
    return -EACCES;
}

int path_permission(const struct path *p, int mask) {
    const struct inode *i = dentry_inode(p->dentry);
    if (mask & 2 && p->mount->flags & MS_RDONLY &&
        (inode_is_reg(i) || inode_is_dir(i) || inode_is_link(i)))
        return -EROFS;
    return inode_permission(i, mask);
}

static int setattr_allowed(const struct inode *i, const struct setattr *a) {
    const struct cred *c = current->cred;
    bool owner = c->fsuid == i->uid;
    if (i->sb->read_only)
        return -EROFS;
    if (a->valid & SET_UID && !(owner && a->uid == i->uid) && !capable(CAP_CHOWN))
        return -EPERM;
    if (a->valid & SET_GID && !(owner && (a->gid == i->gid || in_group(a->gid))) &&
        !capable(CAP_CHOWN))
        return -EPERM;
    if (owner || capable(CAP_FOWNER))
        return 0;
    if (a->valid & SET_MODE)
        return -EPERM;
    if (a->valid & (SET_ATIME | SET_MTIME))
        return a->valid & SET_TIMES_NOW ? inode_permission(i, 2) : -EPERM;
    return 0;
}

int inode_setattr(struct inode *i, const struct setattr *a) {
    write_lock(&i->lock);
    int error = setattr_allowed(i, a);
    if (a->valid & SET_MODE && i->seals & F_SEAL_EXEC && (i->mode ^ a->mode) & 0111)
        error = -EPERM;
    if (error)
        goto unlock;
    if (a->valid & SET_UID)
        i->uid = a->uid;
    if (a->valid & SET_GID)
        i->gid = a->gid;
    if (a->valid & (SET_UID | SET_GID) && !inode_is_dir(i))
        i->mode &= ~(S_ISUID | (i->mode & S_IXGRP ? S_ISGID : 0));
    if (a->valid & SET_MODE) {
        u32 mode = a->mode & S_IALLUGO;
        if (!capable(CAP_FSETID) && !in_group(i->gid))
            mode &= ~S_ISGID;
        i->mode = (i->mode & S_IFMT) | mode;
    }
    if (a->valid & SET_ATIME)
        i->atime = storable_time(i->sb, a->atime);
    if (a->valid & SET_MTIME)
        i->mtime = storable_time(i->sb, a->mtime);
    i->ctime = time_now();
    inode_mark_dirty(i);
    if (i->ops->changed)
        error = i->ops->changed(i);
unlock:
    write_unlock(&i->lock);
    return error;
}

// Without the lock, which a long write holds: somebody's change may be seen by half.
void inode_stat(struct inode *i, struct abi_stat *st) {
    *st = data_race(((struct abi_stat){
        .st_dev = i->sb->devno,
        .st_ino = i->ino,
        .st_mode = i->mode,
        .st_nlink = i->nlink,
        .st_uid = i->uid,
        .st_gid = i->gid,
        .st_rdev = i->rdev,
        .st_size = i->size,
        .st_blksize = inode_is_reg(i) ? PAGE_SIZE : i->sb->block_size,
        .st_blocks = i->blocks,
        .st_atime = i->atime.tv_sec,
        .st_atime_nsec = i->atime.tv_nsec,
        .st_mtime = i->mtime.tv_sec,
        .st_mtime_nsec = i->mtime.tv_nsec,
        .st_ctime = i->ctime.tv_sec,
        .st_ctime_nsec = i->ctime.tv_nsec,
    }));
}

// The file's size changes from or to `pos` inside a page: the page's bytes from there on become zero. When the file
// grows, a page that is not in memory is zero there already, as the last one is written so.
static int zero_tail(struct inode *i, u64 pos, bool shrinks) {
    u32 from = pos % PAGE_SIZE;
    if (from == 0)
        return 0;
    struct page *p = (shrinks ? pagecache_get : pagecache_find)(&i->mapping, pos / PAGE_SIZE);
    if (!p || IS_ERR(p))
        return p ? PTR_ERR(p) : 0;
    memset((char *)page_va(p) + from, 0, PAGE_SIZE - from);
    if (shrinks)
        page_mark_dirty(p);
    page_put(p);
    return 0;
}

// => i->lock held for writing, i is a regular file
static int set_size_locked(struct inode *i, u64 size) {
    u64 old = i->size;
    assert(!locks_built || write_is_mine(&i->lock));
    if (size > i->sb->max_size)
        return -EFBIG;
    if (i->seals & (size < old ? F_SEAL_SHRINK : F_SEAL_GROW) && size != old)
        return -EPERM;
    int error = size == old ? 0 : zero_tail(i, min(size, old), size < old);
    if (error)
        return error;
    i->size = size;
    if (size < old)
        pagecache_truncate(&i->mapping, div_round_up(size, PAGE_SIZE));
    if (i->ops->resize)
        error = i->ops->resize(i, size);
    if (error)
        i->size = old;
    else
        i->mode &= ~(capable(CAP_FSETID) ? 0 : S_ISUID | (i->mode & S_IXGRP ? S_ISGID : 0));
    inode_touch(i, SET_MTIME);
    return error;
}

int inode_set_size(struct inode *i, u64 size) {
    if (inode_is_dir(i))
        return -EISDIR;
    if (!inode_is_reg(i))
        return -EINVAL;
    if (i->sb->read_only)
        return -EROFS;
    if (load_relaxed(&i->writers) < 0)
        return -ETXTBSY;
    if (size > i->size && current->process &&
        size > current->process->limit[RLIMIT_FSIZE].rlim_cur) {
        signal_self(SIGXFSZ);
        return -EFBIG;
    }
    write_lock(&i->lock);
    int error = set_size_locked(i, size);
    write_unlock(&i->lock);
    return error;
}
