/*
 * The name cache: what names mean, so that a path walk rarely asks a file system.
 *
 * A dentry is one name in one directory. It is found by hashing (parent, name) into a bucket with a lock of its own.
 * A negative dentry (no inode) says that the name does not exist.
 *
 * References: one for being hashed, one for each child (so a cached name's directory is cached), one for each user.
 * A dentry whose only reference is the hash's is unused; dentry_shrink() takes such ones, the longest untouched first.
 *
 * Locks: the bucket lock guards its chain; tree_lock guards parent, name, lists of children and the LRU list.
 * Order: inode->lock of the directory, then bucket, then tree_lock. Reading an inode needs no lock: a negative
 * dentry becomes positive once, with its directory locked, and a positive one becomes negative only while
 * nobody but the hash and the remover refers to it.
 *
 * A removed name that is still in use is unhashed instead; it keeps its inode for those who have it open, and
 * its parent, so that "..", works from a removed directory.
 */
#include "fs/internal.h"
#include "lib/bitmap.h"

struct bucket {
    struct spinlock lock;
    struct hlist_head chain;
};

static struct bucket *buckets;
static u32 bucket_mask;
static struct spinlock tree_lock = SPINLOCK_INIT(RANK_DENTRY_LRU, "dentry tree");
static struct list lru = LIST_INIT(lru);  // [tree_lock] every dentry, next to be looked at first
static u32 nr_dentries;                   // [tree_lock]
static struct slab_cache *dentry_slab;

static struct bucket *bucket_of(const struct dentry *dir, u32 hash) {
    u64 h = (u64)dir / sizeof(struct dentry *) + hash * 0x9e3779b1ul;
    return &buckets[(h ^ h >> 16) & bucket_mask];
}

void dentry_init(void) {
    u64 n = 256;
    while (n < 32768 && n * 8 < pages_total)
        n *= 2;
    buckets = kmalloc(n * sizeof(struct bucket), ALLOC_ZERO);
    dentry_slab = slab_create("dentry", sizeof(struct dentry), 0);
    assert(buckets && dentry_slab);
    for (u64 i = 0; i < n; i++)
        spin_init(&buckets[i].lock, RANK_DENTRY, "dentry bucket");
    bucket_mask = n - 1;
}

static bool name_set(struct dentry *d, const struct name *name) {
    char *s = d->inline_name;
    if (name->len >= sizeof(d->inline_name)) {
        s = kmalloc(name->len + 1, 0);
        if (!s)
            return false;
    }
    memcpy(s, name->s, name->len);
    s[name->len] = 0;
    d->name = (struct name){s, name->len, name->hash};
    return true;
}

static void name_free(struct dentry *d) {
    if (d->name.s != d->inline_name)
        kfree((void *)d->name.s);
}

// Not hashed yet, reference 1. Takes over the inode reference if it succeeds. NULL: out of memory.
static struct dentry *dentry_alloc(struct super *sb, struct dentry *parent, const struct name *name,
                                   struct inode *inode) {
    struct dentry *d = slab_alloc(dentry_slab, ALLOC_ZERO);
    if (!d)
        return NULL;
    ref_init(&d->ref);
    if (!name_set(d, name)) {
        slab_free(dentry_slab, d);
        return NULL;
    }
    d->sb = sb;
    d->inode = inode;
    d->parent = parent ? parent : d;
    list_init(&d->children);
    list_init(&d->sibling);
    spin_lock(&tree_lock);
    if (parent) {
        dentry_get(parent);
        list_add(&d->sibling, &parent->children);
    }
    list_add_tail(&d->lru, &lru);
    nr_dentries++;
    spin_unlock(&tree_lock);
    return d;
}

struct dentry *dentry_root(struct super *sb, struct inode *root) {
    return dentry_alloc(sb, NULL, &(struct name){"/", 1, 0}, root);
}

struct dentry *dentry_nameless(struct dentry *dir, const struct name *name, struct inode *inode) {
    return dentry_alloc(dir->sb, dir, name, inode);
}

void dentry_free(struct dentry *d) {
    for (;;) {
        struct dentry *parent = d->parent;
        assert(hlist_unhashed(&d->hash) && list_empty(&d->children));
        spin_lock(&tree_lock);
        list_del(&d->sibling);
        list_del(&d->lru);
        nr_dentries--;
        spin_unlock(&tree_lock);
        if (d->inode)
            inode_put(d->inode);
        name_free(d);
        bool root = parent == d;
        slab_free(dentry_slab, d);
        if (root || !ref_put(&parent->ref))
            return;
        d = parent;
    }
}

// => bucket locked
static struct dentry *chain_find(struct bucket *b, const struct dentry *dir,
                                 const struct name *name) {
    struct dentry *d;
    hlist_for_each (d, &b->chain, hash)
        if (d->name.hash == name->hash && d->parent == dir && d->name.len == name->len &&
            memcmp(d->name.s, name->s, name->len) == 0)
            return d;
    return NULL;
}

// The cached name, positive or negative, with a reference; NULL: ask the file system.
static struct dentry *dentry_find(struct dentry *dir, const struct name *name) {
    struct bucket *b = bucket_of(dir, name->hash);
    spin_lock(&b->lock);
    struct dentry *d = chain_find(b, dir, name);
    if (d)
        dentry_get(d);
    spin_unlock(&b->lock);
    return d;
}

// Make d findable, unless somebody else was first: then that one takes d's place.
static struct dentry *dentry_hash(struct dentry *d) {
    struct bucket *b = bucket_of(d->parent, d->name.hash);
    spin_lock(&b->lock);
    struct dentry *other = chain_find(b, d->parent, &d->name);
    if (other) {
        dentry_get(other);
    } else {
        dentry_get(d);
        hlist_add(&d->hash, &b->chain);
    }
    spin_unlock(&b->lock);
    if (!other)
        return d;
    dentry_put(d);
    return other;
}

// Whether d may be in the cache, and the names in it.
static inline bool lasts(const struct dentry *d) {
    return likely(!d->sb->uncached) ||
           (dentry_inode(d) && load_relaxed(&dentry_inode(d)->state) & INODE_LASTING);
}

struct dentry *dentry_lookup_locked(struct dentry *dir, const struct name *name) {
    struct inode *parent = dentry_inode(dir);
    struct super *sb = dir->sb;
    struct dentry *d = lasts(dir) ? dentry_find(dir, name) : NULL;
    if (d)
        return d;
    if (parent->nlink == 0)
        return ERR_PTR(-ENOENT);
    struct inode *inode = parent->ops->lookup(parent, name);
    if (IS_ERR(inode))
        return (void *)inode;
    d = dentry_alloc(sb, dir, name, inode);
    if (!d) {
        if (inode)
            inode_put(inode);
        return ERR_PTR(-ENOMEM);
    }
    return lasts(d) ? dentry_hash(d) : d;
}

struct dentry *dentry_lookup(struct dentry *dir, const struct name *name) {
    struct dentry *d = lasts(dir) ? dentry_find(dir, name) : NULL;
    if (likely(d))
        return d;
    struct inode *parent = dentry_inode(dir);
    read_lock(&parent->lock);
    d = dentry_lookup_locked(dir, name);
    read_unlock(&parent->lock);
    return d;
}

void dentry_fill(struct dentry *d, struct inode *inode) {
    assert(!d->inode);
    store_release(&d->inode, inode);
}

bool dentry_unhashed(const struct dentry *d) {
    return hlist_unhashed(&d->hash) && d->parent != d && !d->sb->uncached;
}

// Take d off its bucket. False: it was not hashed.
static bool dentry_unhash(struct dentry *d) {
    struct bucket *b = bucket_of(d->parent, d->name.hash);
    spin_lock(&b->lock);
    bool hashed = !hlist_unhashed(&d->hash);
    hlist_del(&d->hash);
    spin_unlock(&b->lock);
    return hashed;
}

// Forget the cached names inside a directory that is going: they would keep it alive.
static void dentry_prune(struct dentry *dir) {
    for (;;) {
        struct dentry *child = NULL, *d;
        spin_lock(&tree_lock);
        list_for_each (d, &dir->children, sibling)
            if (!hlist_unhashed(&d->hash) && ref_get_unless_zero(&d->ref)) {
                child = d;
                break;
            }
        spin_unlock(&tree_lock);
        if (!child)
            return;
        if (dentry_unhash(child))
            dentry_put(child);
        dentry_put(child);
    }
}

void dentry_delete(struct dentry *d) {
    struct inode *gone = NULL;
    struct bucket *b = bucket_of(d->parent, d->name.hash);
    dentry_prune(d);
    spin_lock(&b->lock);
    bool hashed = !hlist_unhashed(&d->hash), drop = false;
    if (hashed && ref_read(&d->ref) == 2) {  // the hash and our caller: it may turn negative
        gone = d->inode;
        store_release(&d->inode, NULL);
    } else if (hashed) {
        hlist_del(&d->hash);
        drop = true;
    }
    spin_unlock(&b->lock);
    if (gone)
        inode_put(gone);
    if (drop)
        dentry_put(d);
}

void dentry_move(struct dentry *d, struct dentry *dir, struct dentry *target) {
    struct dentry *old_parent = d->parent;
    struct name old = d->name, new = target->name;
    char *inline_new = target->name.s == target->inline_name ? target->inline_name : NULL;
    bool hashed = dentry_unhash(d);
    if (dentry_inode(target))
        dentry_prune(target);
    if (dentry_unhash(target))
        dentry_put(target);
    // The two exchange their names, so that nothing can fail here.
    spin_lock(&tree_lock);
    char keep[sizeof(d->inline_name)];
    bool old_inline = old.s == d->inline_name;
    memcpy(keep, d->inline_name, sizeof(keep));
    if (inline_new) {
        memcpy(d->inline_name, inline_new, sizeof(keep));
        new.s = d->inline_name;
    }
    if (old_inline) {
        memcpy(target->inline_name, keep, sizeof(keep));
        old.s = target->inline_name;
    }
    d->name = new;
    target->name = old;
    if (old_parent != dir) {
        dentry_get(dir);
        d->parent = dir;
        list_move(&d->sibling, &dir->children);
    }
    spin_unlock(&tree_lock);
    if (old_parent != dir)
        dentry_put(old_parent);
    if (!hashed)
        return;
    d = dentry_hash(d);  // still with the reference of our caller
    dentry_put(d);       // and without the one that the old bucket had
}

struct dentry *dentry_parent(struct dentry *d) {
    spin_lock(&tree_lock);
    struct dentry *parent = d->parent;
    dentry_get(parent);
    spin_unlock(&tree_lock);
    return parent;
}

bool dentry_is_below(const struct dentry *d, const struct dentry *top) {
    while (d != top && d != d->parent)
        d = d->parent;
    return d == top;
}

// Up to n unused dentries (of sb, or of all) with a reference each. Looks at `*look` at most.
static u32 pick_unused(struct super *sb, struct dentry **out, u32 n, u32 *look) {
    u32 found = 0;
    spin_lock(&tree_lock);
    *look = min(*look, nr_dentries);
    for (; *look && found < n && !list_empty(&lru); --*look) {
        struct dentry *d = list_first(&lru, struct dentry, lru);
        list_move_tail(&d->lru, &lru);
        if ((sb ? d->sb != sb : d->sb->keep_dentries && d->inode) || ref_read(&d->ref) != 1 ||
            hlist_unhashed(&d->hash))
            continue;
        if (ref_get_unless_zero(&d->ref))
            out[found++] = d;
    }
    spin_unlock(&tree_lock);
    return found;
}

// Free d, to which we have a reference, unless somebody uses it.
static bool dentry_evict(struct dentry *d) {
    struct bucket *b = bucket_of(d->parent, d->name.hash);
    spin_lock(&b->lock);
    bool unused = !hlist_unhashed(&d->hash) && ref_read(&d->ref) == 2;
    if (unused)
        hlist_del(&d->hash);
    spin_unlock(&b->lock);
    if (unused)
        dentry_put(d);
    dentry_put(d);
    return unused;
}

// Free a batch of up to `want` unused dentries, as pick_unused(). => how many there were
static u32 shrink(struct super *sb, size_t want, u32 *look, size_t *freed) {
    struct dentry *batch[16];
    u32 n = pick_unused(sb, batch, min(want, ARRAY_SIZE(batch)), look);
    for (u32 i = 0; i < n; i++)
        *freed += dentry_evict(batch[i]);
    return n;
}

size_t dentry_shrink(size_t want) {
    size_t freed = 0;
    u32 look = ~0u;
    while (freed < want && look)
        shrink(NULL, want - freed, &look, &freed);
    return freed;
}

// The end is a look at all dentries in one hold of the lock: of two that look by turns, each moves what the other has yet
// to see to where it has been.
void dentry_shrink_super(struct super *sb) {
    size_t freed = 0;
    u32 found;
    do {
        u32 look = ~0u;
        found = shrink(sb, ~0ul, &look, &freed);
    } while (found);
}

ssize_t path_string(const struct path *p, char *buf, size_t size) {
    struct path root;
    struct mount *m = p->mount;
    const struct dentry *d = p->dentry;
    size_t at = size;
    ssize_t result = -ERANGE;
    fs_root(&root);
    spin_lock(&tree_lock);
    bool gone = dentry_unhashed(d);
    if (gone && size > 11)
        memcpy(buf + (at -= 11), " (deleted)", 11);
    else if (size)
        buf[--at] = 0;
    while (d != root.dentry || m != root.mount) {
        if (d == m->root || d == d->parent) {
            if (!m->point)
                break;
            d = m->point;
            m = m->parent;
            continue;
        }
        if (d->name.len + 1 > at)
            goto out;
        memcpy(buf + (at -= d->name.len), d->name.s, d->name.len);
        buf[--at] = '/';
        d = d->parent;
    }
    if (at == size - 1 && size > 1)
        buf[--at] = '/';
    if (at < size) {
        memmove(buf, buf + at, size - at);
        result = size - at - 1;
    }
out:
    spin_unlock(&tree_lock);
    path_put(&root);
    return result;
}
