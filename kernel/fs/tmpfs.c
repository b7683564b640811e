/*
 * tmpfs: a file system in memory.
 *
 * Objects: each inode is a `struct tmpfs_inode`. A file's bytes are the pages of inode->mapping, which are pinned
 * because there is no other copy. A directory is a red-black tree of entries. A symbolic link has its target.
 *
 * Entries are ordered by a key made of the name's hash and a number that tells names with equal hashes apart.
 * The key is also the position of readdir, so a directory can change while it is read: what is neither added
 * nor removed is seen exactly once.
 *
 * An entry points at its inode without a reference. That is safe: the super block says keep_dentries, so an
 * inode stays in the inode table as long as nlink > 0, and each entry is counted in nlink. When the last name
 * and the last user are gone the inode table calls tmpfs_free(), at unmounting for all inodes that are left.
 *
 * Locks: the directory's inode lock guards its tree (the callers hold it, but for readdir); counters of the super block are atomic.
 *
 * Limits: size= counts pages, nr_inodes= inodes. A file is charged for its pages in tmpfs_charge(), which
 * compares what the mapping holds with what was charged last, so the sum is right whatever order writes,
 * faults and truncations had; pages that a fault on a hole brought in are charged at the next write.
 */
#include "fs/tmpfs.h"

#include "abi/dirent.h"
#include "abi/memfd.h"
#include "fs/internal.h"
#include "lib/hash.h"
#include "lib/rbtree.h"

#define KEY_SHIFT 16                  // low bits of a key: among equal hashes
#define FIRST_KEY (1ul << KEY_SHIFT)  // readdir positions below: "." and ".."

struct tmpfs {
    u64 max_pages, max_inodes;  // [I] 0: no limit
    u64 pages, inodes;          // [a]
    u64 next_ino;               // [a]
};

struct tmpfs_inode {
    struct inode inode;
    u64 charged;  // [a] pages of it in tmpfs.pages
    union {
        struct rb_root entries;  // [inode lock] of a directory
        char *target;            // [I] of a symbolic link
    };
};

struct tmpfs_entry {
    struct rb_node node;
    u64 key;
    struct inode *inode;
    u32 len;
    char name[];
};

static const struct file_ops tmpfs_file_ops, tmpfs_dir_ops;
static const struct mapping_ops tmpfs_mapping_ops;
static struct slab_cache *inode_cache;

static inline struct tmpfs_inode *tmpfs_i(struct inode *i) {
    return container_of(i, struct tmpfs_inode, inode);
}
static inline struct tmpfs *tmpfs_of(const struct inode *i) { return i->sb->private_; }

// ---- directories ----

static u64 name_key(const struct name *n) {
    return ((hash_bytes(n->s, n->len, HASH_SEED) & 0xffffffff) << KEY_SHIFT) + FIRST_KEY;
}

// The first entry with a key >= key, or NULL.
static struct tmpfs_entry *entry_at(struct inode *dir, u64 key) {
    struct rb_node *n = tmpfs_i(dir)->entries.node;
    struct tmpfs_entry *best = NULL;
    while (n) {
        struct tmpfs_entry *e = rb_entry(n, struct tmpfs_entry, node);
        if (e->key >= key) {
            best = e;
            n = n->left;
        } else {
            n = n->right;
        }
    }
    return best;
}

static struct tmpfs_entry *entry_next(struct tmpfs_entry *e) {
    struct rb_node *n = rb_next(&e->node);
    return n ? rb_entry(n, struct tmpfs_entry, node) : NULL;
}

static struct tmpfs_entry *entry_find(struct inode *dir, const struct name *name) {
    u64 key = name_key(name);
    struct tmpfs_entry *e = entry_at(dir, key);
    for (; e && e->key < key + FIRST_KEY; e = entry_next(e))
        if (e->len == name->len && memcmp(e->name, name->s, name->len) == 0)
            return e;
    return NULL;
}

static bool entry_less(const struct rb_node *a, const struct rb_node *b) {
    return rb_entry(a, struct tmpfs_entry, node)->key < rb_entry(b, struct tmpfs_entry, node)->key;
}

// A new one at the first free key of its hash. 0, -ENOMEM, or -ENOSPC when 65536 names share one.
static int entry_add(struct inode *dir, const struct name *name, struct inode *inode) {
    struct tmpfs_entry *e = kmalloc(sizeof(*e) + name->len, 0);
    if (!e)
        return -ENOMEM;
    e->key = name_key(name);
    e->inode = inode;
    e->len = name->len;
    memcpy(e->name, name->s, name->len);
    u64 end = e->key + FIRST_KEY;
    for (struct tmpfs_entry *o = entry_at(dir, e->key); o && o->key == e->key; o = entry_next(o))
        if (++e->key == end) {
            kfree(e);
            return -ENOSPC;
        }
    rb_add(&e->node, &tmpfs_i(dir)->entries, entry_less);
    return 0;
}

static void entry_remove(struct inode *dir, struct tmpfs_entry *e) {
    rb_erase(&e->node, &tmpfs_i(dir)->entries);
    kfree(e);
}

static void dir_changed(struct inode *dir) { dir->mtime = dir->ctime = time_now(); }

// ---- inodes ----

static struct inode *tmpfs_alloc(struct super *sb) {
    struct tmpfs *fs = sb->private_;
    if (atomic_add(&fs->inodes, 1) >= fs->max_inodes && fs->max_inodes)
        goto full;
    struct tmpfs_inode *ti = slab_alloc(inode_cache, ALLOC_ZERO);
    if (ti)
        return &ti->inode;
full:
    atomic_sub(&fs->inodes, 1);
    return NULL;
}

static void tmpfs_free(struct inode *inode) {
    struct tmpfs_inode *ti = tmpfs_i(inode);
    struct tmpfs *fs = tmpfs_of(inode);
    if (inode_is_dir(inode)) {
        struct rb_node *n;
        while ((n = rb_first(&ti->entries)))
            entry_remove(inode, rb_entry(n, struct tmpfs_entry, node));
    } else if (inode_is_link(inode)) {
        kfree(ti->target);
    }
    atomic_sub(&fs->pages, ti->charged);
    atomic_sub(&fs->inodes, 1);
    slab_free(inode_cache, ti);
}

// An inode without a name yet; the only reference is the caller's.
static struct inode *tmpfs_inode(struct super *sb, u32 mode, u32 rdev) {
    struct tmpfs *fs = sb->private_;
    struct inode *inode = inode_new(sb, atomic_add(&fs->next_ino, 1) + 1, mode);
    if (IS_ERR(inode)) {
        bool full = fs->max_inodes && load_relaxed(&fs->inodes) >= fs->max_inodes;
        return full ? ERR_PTR(-ENOSPC) : inode;
    }
    inode->ops = &tmpfs_inode_ops;
    // Devices and FIFOs have none of ours: opening finds theirs.
    inode->fops = inode_is_dir(inode)   ? &tmpfs_dir_ops
                  : inode_is_reg(inode) ? &tmpfs_file_ops
                                        : NULL;
    inode->rdev = rdev;
    inode->nlink = 0;
    inode->seals = F_SEAL_SEAL;
    mapping_init(&inode->mapping, &tmpfs_mapping_ops, inode, MAPPING_PINNED);
    return inode;
}

struct inode *tmpfs_new(struct super *sb, u32 mode) {
    return tmpfs_inode(sb, mode, 0);
}

static int set_target(struct inode *inode, const char *target) {
    size_t n = strlen(target);
    char *copy = kmalloc(n + 1, 0);
    if (!copy)
        return -ENOMEM;
    memcpy(copy, target, n + 1);
    tmpfs_i(inode)->target = copy;
    inode->size = n;
    return 0;
}

static struct inode *tmpfs_lookup(struct inode *dir, const struct name *name) {
    struct tmpfs_entry *e = entry_find(dir, name);
    return e ? inode_get(dir->sb, e->inode->ino) : NULL;
}

static struct inode *tmpfs_make(struct inode *dir, const struct name *name, u32 mode, u32 rdev,
                                const char *target) {
    struct inode *inode = tmpfs_inode(dir->sb, mode, rdev);
    if (IS_ERR(inode))
        return inode;
    int error = target ? set_target(inode, target) : 0;
    if (!error)
        error = entry_add(dir, name, inode);
    if (error) {
        inode_put(inode);
        return ERR_PTR(error);
    }
    inode->nlink = 1;
    if (inode_is_dir(inode)) {
        inode->nlink = 2;
        dir->nlink++;
    }
    dir_changed(dir);
    return inode;
}

struct inode *tmpfs_add(struct inode *dir, const char *name, u32 mode, u32 rdev,
                        const char *target) {
    struct name n = {.s = name, .len = strlen(name)};
    write_lock(&dir->lock);
    struct tmpfs_entry *e = entry_find(dir, &n);
    struct inode *inode;
    if (!e)
        inode = tmpfs_make(dir, &n, mode, rdev, target);
    else if (S_ISDIR(mode) && inode_is_dir(e->inode))
        inode = inode_get(dir->sb, e->inode->ino);
    else
        inode = ERR_PTR(-EEXIST);
    write_unlock(&dir->lock);
    return inode;
}

static int tmpfs_link(struct inode *dir, const struct name *name, struct inode *target) {
    int error = entry_add(dir, name, target);
    if (error)
        return error;
    target->nlink++;
    target->ctime = time_now();
    dir_changed(dir);
    return 0;
}

// `victim` lost a name in `dir`.
static void drop_link(struct inode *dir, struct inode *victim) {
    if (inode_is_dir(victim)) {
        victim->nlink = 0;
        dir->nlink--;
    } else {
        victim->nlink--;
    }
    victim->ctime = time_now();
}

static int tmpfs_unlink(struct inode *dir, const struct name *name, struct inode *victim) {
    if (inode_is_dir(victim) && !rb_empty(&tmpfs_i(victim)->entries))
        return -ENOTEMPTY;
    struct tmpfs_entry *e = entry_find(dir, name);
    if (!e || e->inode != victim)
        return -ENOENT;
    entry_remove(dir, e);
    drop_link(dir, victim);
    dir_changed(dir);
    return 0;
}

static int tmpfs_rename(struct inode *dir, const struct name *name, struct inode *moved,
                        struct inode *new_dir, const struct name *new_name, struct inode *victim) {
    struct tmpfs_entry *from = entry_find(dir, name), *to = entry_find(new_dir, new_name);
    if (!from || from->inode != moved || (to ? to->inode : NULL) != victim)
        return -ENOENT;
    if (victim && inode_is_dir(victim) && !rb_empty(&tmpfs_i(victim)->entries))
        return -ENOTEMPTY;
    if (to) {
        to->inode = moved;
        drop_link(new_dir, victim);
    } else {
        int error = entry_add(new_dir, new_name, moved);
        if (error)
            return error;
    }
    entry_remove(dir, from);
    if (inode_is_dir(moved) && dir != new_dir) {
        dir->nlink--;
        new_dir->nlink++;
    }
    moved->ctime = time_now();
    dir_changed(dir);
    dir_changed(new_dir);
    return 0;
}

static ssize_t tmpfs_read_link(struct inode *inode, char *buf) {
    memcpy(buf, tmpfs_i(inode)->target, inode->size);
    return inode->size;
}

static int tmpfs_changed(struct inode *inode) {
    (void)inode;
    return 0;
}

static int tmpfs_sync(struct inode *inode, bool data_only) {
    (void)inode, (void)data_only;
    return 0;
}

// ---- pages ----

// The file has `pages` pages now: make the super block's sum follow.
static void tmpfs_set_charge(struct inode *inode, u64 pages) {
    u64 old = atomic_xchg(&tmpfs_i(inode)->charged, pages);
    atomic_add(&tmpfs_of(inode)->pages, pages - old);
    inode->blocks = pages * (PAGE_SIZE / 512);
}

// Pages came into the mapping: 0, or -ENOSPC when that is more than size= allows.
static int tmpfs_charge(struct inode *inode) {
    u64 pages = READ_ONCE(inode->mapping.nr_pages),
        charged = load_relaxed(&tmpfs_i(inode)->charged);
    struct tmpfs *fs = tmpfs_of(inode);
    if (pages == charged)
        return 0;
    if (pages > charged && fs->max_pages &&
        load_relaxed(&fs->pages) + pages - charged > fs->max_pages)
        return -ENOSPC;
    tmpfs_set_charge(inode, pages);
    return 0;
}

static int tmpfs_reserve(struct inode *inode, struct page *p, u32 from, u32 to) {
    (void)p, (void)from, (void)to;
    return tmpfs_charge(inode);
}

static int tmpfs_make_writable(struct mapping *m, struct page *p) {
    (void)p;
    return tmpfs_charge(m->host);
}

// Also after a write that failed: what it left behind the end goes.
static int tmpfs_resize(struct inode *inode, u64 size) {
    if (size > inode->sb->max_size)
        return -EFBIG;
    pagecache_truncate(&inode->mapping, div_round_up(size, PAGE_SIZE));
    tmpfs_set_charge(inode, READ_ONCE(inode->mapping.nr_pages));
    return 0;
}

static int tmpfs_punch(struct inode *inode, u64 first, u64 end) {
    (void)first, (void)end;
    tmpfs_set_charge(inode, READ_ONCE(inode->mapping.nr_pages));
    return 0;
}

static const struct mapping_ops tmpfs_mapping_ops = {.make_writable = tmpfs_make_writable};

const struct inode_ops tmpfs_inode_ops = {
    .lookup = tmpfs_lookup,
    .make = tmpfs_make,
    .link = tmpfs_link,
    .unlink = tmpfs_unlink,
    .rename = tmpfs_rename,
    .read_link = tmpfs_read_link,
    .resize = tmpfs_resize,
    .changed = tmpfs_changed,
    .sync = tmpfs_sync,
    .reserve = tmpfs_reserve,
    .punch = tmpfs_punch,
};

// ---- open files ----

static int tmpfs_fsync(struct file *f, bool data_only) {
    (void)f, (void)data_only;
    return 0;
}

static u64 parent_ino(struct file *f) {
    struct dentry *up = dentry_parent(f->path.dentry);
    u64 ino = dentry_inode(up)->ino;
    dentry_put(up);
    return ino;
}

// Entries from *pos on. => the directory's lock held for reading
static void emit_entries(struct inode *dir, struct dir_emit *e, u64 *pos) {
    for (struct tmpfs_entry *d = entry_at(dir, *pos); d; d = entry_next(d)) {
        if (!e->entry(e, d->name, d->len, d->inode->ino, IFTODT(d->inode->mode), d->key + 1))
            return;
        *pos = d->key + 1;
    }
}

static int tmpfs_readdir(struct file *f, struct dir_emit *e, u64 *pos) {
    if (f->inode->nlink == 0)
        return -ENOENT;
    if (*pos == 0) {
        if (!e->entry(e, ".", 1, f->inode->ino, DT_DIR, 1))
            return 0;
        *pos = 1;
    }
    if (*pos == 1) {
        if (!e->entry(e, "..", 2, parent_ino(f), DT_DIR, 2))
            return 0;
        *pos = 2;
    }
    read_lock(&f->inode->lock);
    emit_entries(f->inode, e, pos);
    read_unlock(&f->inode->lock);
    return 0;
}

static const struct file_ops tmpfs_file_ops = {
    .read = filemap_read,
    .write = filemap_write,
    .seek = filemap_seek,
    .poll = poll_always,
    .mmap = filemap_mmap,
    .fsync = tmpfs_fsync,
};

static const struct file_ops tmpfs_dir_ops = {
    .read = read_is_dir,
    .seek = dir_seek,
    .readdir = tmpfs_readdir,
    .poll = poll_always,
    .fsync = tmpfs_fsync,
};

bool tmpfs_is_file(const struct file *f) { return f->ops == &tmpfs_file_ops; }

// ---- super blocks ----

static int tmpfs_statfs(struct super *sb, struct statfs *st) {
    struct tmpfs *fs = sb->private_;
    u64 used = load_relaxed(&fs->pages), inodes = load_relaxed(&fs->inodes);
    st->f_type = TMPFS_MAGIC;
    st->f_bsize = st->f_frsize = PAGE_SIZE;
    st->f_namelen = NAME_MAX;
    st->f_blocks = fs->max_pages;
    st->f_bfree = st->f_bavail = fs->max_pages > used ? fs->max_pages - used : 0;
    st->f_files = fs->max_inodes;
    st->f_ffree = fs->max_inodes > inodes ? fs->max_inodes - inodes : 0;
    return 0;
}

static void tmpfs_unmount(struct super *sb) {
    struct tmpfs *fs = sb->private_;
    assert(fs->inodes == 0);
    kfree(fs);
    sb->private_ = NULL;
}

const struct super_ops tmpfs_super_ops = {
    .alloc = tmpfs_alloc,
    .free = tmpfs_free,
    .statfs = tmpfs_statfs,
    .unmount = tmpfs_unmount,
};

struct tmpfs_options {
    u64 pages, inodes, mode, uid, gid;
};

// A number with k, m, g or %: bytes. False: not one.
static bool parse_size(const char *s, const char *end, u64 *bytes) {
    const char *rest;
    u64 n = strtou64(s, &rest);
    u32 shift = 0;
    if (rest == s)
        return false;
    if (rest < end && *rest == '%') {
        *bytes = n > 100 ? ~0ul : pages_total * PAGE_SIZE / 100 * n;
        return rest + 1 == end;
    }
    if (rest < end) {
        char c = *rest++ | 0x20;
        shift = c == 'k' ? 10 : c == 'm' ? 20 : c == 'g' ? 30 : 0;
        if (!shift)
            return false;
    }
    if (rest != end || n > ~0ul >> shift)
        return false;
    *bytes = n << shift;
    return true;
}

static u64 parse_octal(const char *s, const char *end) {
    u64 mode = 0;
    for (; s < end && *s >= '0' && *s <= '7' && mode < 010000; s++)
        mode = mode * 8 + (*s - '0');
    return s == end ? mode : ~0ul;
}

static bool is_key(const char *s, size_t n, const char *key) {
    return strlen(key) == n && memcmp(s, key, n) == 0;
}

// One option [s, end). 0, -EINVAL. What mount(8) adds for other file systems is taken and ignored.
static int parse_option(const char *s, const char *end, struct tmpfs_options *o) {
    const char *eq = s;
    while (eq < end && *eq != '=')
        eq++;
    if (eq == end)
        return 0;
    size_t key = eq - s;
    const char *value = eq + 1;
    u64 n = 0;
    if (is_key(s, key, "mode")) {
        o->mode = parse_octal(value, end);
        return o->mode <= S_IALLUGO ? 0 : -EINVAL;
    }
    if (!parse_size(value, end, &n))
        return is_key(s, key, "size") || is_key(s, key, "nr_inodes") ? -EINVAL : 0;
    if (is_key(s, key, "size"))
        o->pages = n / PAGE_SIZE + (n % PAGE_SIZE != 0);
    else if (is_key(s, key, "nr_blocks"))
        o->pages = n;
    else if (is_key(s, key, "nr_inodes"))
        o->inodes = n;
    else if (is_key(s, key, "uid"))
        o->uid = n;
    else if (is_key(s, key, "gid"))
        o->gid = n;
    return 0;
}

static int parse_options(const char *s, struct tmpfs_options *o) {
    while (s && *s) {
        const char *end = s;
        while (*end && *end != ',')
            end++;
        int error = parse_option(s, end, o);
        if (error)
            return error;
        s = *end ? end + 1 : end;
    }
    return 0;
}

int tmpfs_mount(struct super *sb, const char *options) {
    struct tmpfs_options o = {.pages = pages_total / 2, .inodes = pages_total / 2, .mode = 01777};
    int error = parse_options(options, &o);
    if (error)
        return error;
    struct tmpfs *fs = kzalloc(sizeof(*fs));
    if (!fs)
        return -ENOMEM;
    fs->max_pages = o.pages;
    fs->max_inodes = o.inodes;
    sb->private_ = fs;
    sb->ops = &tmpfs_super_ops;
    sb->block_size = PAGE_SIZE;
    sb->max_size = INT64_MAX & ~(PAGE_SIZE - 1);
    sb->keep_dentries = true;
    struct inode *root = tmpfs_inode(sb, S_IFDIR | o.mode, 0);
    if (IS_ERR(root)) {
        error = PTR_ERR(root);
        goto free_fs;
    }
    root->uid = o.uid;
    root->gid = o.gid;
    root->nlink = 2;
    error = -ENOMEM;
    sb->root = dentry_root(sb, root);
    if (sb->root)
        return 0;
    root->nlink = 0;
    inode_put(root);
free_fs:
    kfree(fs);
    sb->private_ = NULL;
    return error;
}

static struct fs_type tmpfs_type = {.name = "tmpfs", .mount = tmpfs_mount};

void tmpfs_init(void) {
    inode_cache = slab_create("tmpfs_inode", sizeof(struct tmpfs_inode), 0);
    assert(inode_cache);
    fs_register(&tmpfs_type);
}
