/*
 * ext2: mounting, which is mostly checking; the super block; what happens when the disk turns out to be wrong.
 *
 * A mounted file system is "in use" on the disk (state without VALID) from the mount to the unmount,
 * or until it is mounted again read-only.
 * Free counts live in memory (struct ext_group) and go to descriptors and super block on sync.
 *
 * ext3's journal: an image whose journal is empty is a plain ext2 to us. One that needs recovery is mounted read-only.
 * Unknown incompatible features refuse the mount, unknown read-only compatible ones make it read-only.
 *
 * Corruption found later: one line, the state ERROR on the disk, and nothing more is written.
 *
 * Layers of locks, outermost first: inode->lock, page lock of a file, map_lock, group lock, page lock of metadata.
 */
#include "fs/ext/ext.h"
#include "lib/bitmap.h"
#include "lib/printf.h"

#define MESSAGES_MAX 16u

static struct slab_cache *inode_slab;

static void complain(struct ext_fs *fs, const char *fmt, va_list ap) {
    char text[96];
    if (atomic_add_relaxed(&fs->messages, 1) >= MESSAGES_MAX)
        return;
    vsnprintf(text, sizeof(text), fmt, ap);
    kprintf("ext: %s: %s\n", fs->dev->name, text);
}

static __printf(2, 3) int refuse(struct ext_fs *fs, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    complain(fs, fmt, ap);
    va_end(ap);
    return -EUCLEAN;
}

// The super block in the device's cache.
static int super_get(struct ext_fs *fs, struct ext_buf *b, struct ext_super **s) {
    struct page *p = pagecache_get(&fs->dev->mapping, 0);
    if (IS_ERR(p))
        return PTR_ERR(p);
    *b = (struct ext_buf){p, page_va(p), 1u << EXT_SUPER_OFFSET / 1024};
    *s = (void *)((char *)b->data + EXT_SUPER_OFFSET);
    return 0;
}

int ext_corrupt(struct ext_fs *fs, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    complain(fs, fmt, ap);
    va_end(ap);
    fs->failed = true;
    if (!atomic_xchg(&fs->sb->read_only, 1))
        kprintf("ext: %s: damaged, now read-only\n", fs->dev->name);
    return -EIO;
}

// ---- inodes in memory ----

static struct inode *alloc_inode(struct super *sb) {
    struct ext_inode *e = slab_alloc(inode_slab, ALLOC_ZERO);
    (void)sb;
    if (!e)
        return NULL;
    mutex_init(&e->map_lock, RANK_FS_MAP, "block map");
    mutex_init(&e->index_lock, RANK_FS_INDEX, "directory index");
    return &e->inode;
}

static void free_inode(struct inode *i) {
    ext_index_free(ext_inode(i));
    slab_free(inode_slab, ext_inode(i));
}

// ---- sync ----

static int store_groups(struct ext_fs *fs) {
    u32 per = fs->block_size / sizeof(struct ext_desc);
    u32 first = (EXT_SUPER_OFFSET >> fs->block_bits) + 1;
    struct ext_buf b = {0};
    for (u32 g = 0; g < fs->groups; g++) {
        if (g % per == 0) {
            ext_bput(&b);
            int error = ext_bread(fs, first + g / per, &b);
            if (error)
                return error;
            ext_bdirty(&b);
        }
        struct ext_desc *d = (struct ext_desc *)b.data + g % per;
        mutex_lock(&fs->group[g].lock);
        d->free_blocks_count = fs->group[g].free_blocks;
        d->free_inodes_count = fs->group[g].free_inodes;
        d->used_dirs_count = fs->group[g].dirs;
        mutex_unlock(&fs->group[g].lock);
    }
    ext_bput(&b);
    return 0;
}

// Into the buffer. state: EXT_STATE_ bits
static int store_super(struct ext_fs *fs, u32 state) {
    struct ext_super *s = NULL;
    struct ext_buf b = {0};
    int error = super_get(fs, &b, &s);
    if (error)
        return error;
    s->free_blocks_count = load_relaxed(&fs->free_blocks);
    s->free_inodes_count = load_relaxed(&fs->free_inodes);
    s->wtime = time_now().tv_sec;
    bool lost = fs->failed || load_relaxed(&fs->dev->write_failed);
    s->state = state | (s->state & EXT_STATE_ERROR) | (lost ? EXT_STATE_ERROR : 0);
    s->feature_ro_compat |= s->rev_level ? EXT_RO_LARGE_FILE : 0;
    ext_bdirty(&b);
    ext_bput(&b);
    return 0;
}

static int flush(struct ext_fs *fs) {
    int error = pagecache_write(&fs->dev->mapping, 0, ~0ul);
    int error2 = fs->dev->can_flush ? blk_flush(fs->dev) : 0;
    return error ? error : error2;
}

static int sync_super(struct super *sb, bool wait) {
    struct ext_fs *fs = ext_fs(sb);
    (void)wait;
    if (!fs->started)
        return 0;
    bool ends = sb->read_only;
    int error = fs->failed ? 0 : store_groups(fs);
    if (error == 0)
        error = store_super(fs, ends && !fs->failed ? EXT_STATE_VALID : 0);
    int error2 = flush(fs);
    if (ends)
        fs->started = false;
    return error ? error : error2;
}

static int start_writing(struct ext_fs *fs) {
    struct ext_super *s = NULL;
    struct ext_buf b = {0};
    int error = super_get(fs, &b, &s);
    if (error)
        return error;
    s->mnt_count++;
    s->mtime = time_now().tv_sec;
    ext_bdirty(&b);
    ext_bput(&b);
    fs->started = true;
    error = store_super(fs, 0);
    return error ? error : flush(fs);
}

static int make_writable(struct super *sb) {
    struct ext_fs *fs = ext_fs(sb);
    if (fs->failed || fs->dev->read_only || fs->must_stay_read_only)
        return -EROFS;
    int error = start_writing(fs);
    if (error == 0)
        store_release(&sb->read_only, false);
    return error;
}

static int statfs(struct super *sb, struct statfs *st) {
    struct ext_fs *fs = ext_fs(sb);
    u64 tables = fs->groups * (fs->table_blocks + 2ul) + fs->first_block,
        free = load_relaxed(&fs->free_blocks);
    st->f_type = EXT2_SUPER_MAGIC;
    st->f_blocks = fs->blocks - min(tables, fs->blocks);
    st->f_bfree = free;
    st->f_bavail = free > fs->reserved ? free - fs->reserved : 0;
    st->f_files = fs->inodes;
    st->f_ffree = load_relaxed(&fs->free_inodes);
    return 0;
}

static void fs_free(struct ext_fs *fs) {
    kfree(fs->group);
    kfree(fs);
}

static void unmount(struct super *sb) {
    struct ext_fs *fs = ext_fs(sb);
    store_release(&sb->read_only, true);
    sync_super(sb, true);
    ext_meta_stop(fs);
    fs_free(fs);
}

static const struct super_ops ops = {
    .alloc = alloc_inode,
    .free = free_inode,
    .read = ext_read_inode,
    .evict = ext_evict,
    .write = ext_write_inode,
    .sync = sync_super,
    .statfs = statfs,
    .make_writable = make_writable,
    .unmount = unmount,
};

// ---- mount ----

static int check_features(struct ext_fs *fs, const struct ext_super *s) {
    u32 incompat = s->rev_level ? s->feature_incompat : 0,
        ro = s->rev_level ? s->feature_ro_compat : 0;
    u32 unknown = incompat & ~(EXT_INCOMPAT_FILETYPE | EXT_INCOMPAT_RECOVER);
    if (unknown)
        return refuse(fs, "has features that are not supported (incompatible 0x%x)", unknown);
    fs->filetype = incompat & EXT_INCOMPAT_FILETYPE;
    unknown = ro & ~(EXT_RO_SPARSE_SUPER | EXT_RO_LARGE_FILE);
    fs->must_stay_read_only = unknown || incompat & EXT_INCOMPAT_RECOVER;
    if (unknown && !fs->sb->read_only)
        kprintf("ext: %s: unknown features 0x%x, mounted read-only\n", fs->dev->name, unknown);
    if (incompat & EXT_INCOMPAT_RECOVER)
        kprintf("ext: %s: the journal needs recovery, mounted read-only\n", fs->dev->name);
    fs->sb->read_only |= fs->must_stay_read_only;
    return 0;
}

// Copy what the super block says after checking that it makes sense. -EINVAL: not ours; -EUCLEAN: damaged
static int load_super(struct ext_fs *fs, const struct ext_super *s) {
    if (s->magic != EXT_MAGIC)
        return -EINVAL;
    if (s->log_block_size > 2)
        return refuse(fs, "block size 1024 << %u is not supported", s->log_block_size);
    fs->block_bits = 10 + s->log_block_size;
    fs->block_size = 1u << fs->block_bits;
    fs->blocks = s->blocks_count;
    fs->inodes = s->inodes_count;
    fs->first_block = s->first_data_block;
    fs->blocks_per_group = s->blocks_per_group;
    fs->inodes_per_group = s->inodes_per_group;
    fs->inode_size = s->rev_level ? s->inode_size : EXT_GOOD_OLD_INODE;
    fs->first_ino = s->rev_level ? s->first_ino : 11;
    fs->reserved = s->r_blocks_count;
    u64 device_blocks = fs->dev->sectors * SECTOR_SIZE >> fs->block_bits;
    if (fs->first_block != (fs->block_size == 1024))
        return refuse(fs, "first data block is %u", fs->first_block);
    if (fs->blocks <= fs->first_block || fs->blocks > device_blocks)
        return refuse(fs, "has %u blocks on a device of %llu", fs->blocks,
                      (unsigned long long)device_blocks);
    if (fs->blocks_per_group < 64 || fs->blocks_per_group > 8 * fs->block_size)
        return refuse(fs, "%u blocks in a group", fs->blocks_per_group);
    if (!is_pow2(fs->inode_size) || fs->inode_size < EXT_GOOD_OLD_INODE ||
        fs->inode_size > fs->block_size)
        return refuse(fs, "inode size %u", fs->inode_size);
    if (fs->inodes_per_group == 0 || fs->inodes_per_group > 8 * fs->block_size)
        return refuse(fs, "%u inodes in a group", fs->inodes_per_group);
    fs->groups = (fs->blocks - fs->first_block - 1) / fs->blocks_per_group + 1;
    if (fs->inodes != (u64)fs->groups * fs->inodes_per_group || fs->first_ino < 3 ||
        fs->first_ino > fs->inodes_per_group)
        return refuse(fs, "%u inodes in %u groups", fs->inodes, fs->groups);
    fs->table_blocks =
        ((u64)fs->inodes_per_group * fs->inode_size + fs->block_size - 1) >> fs->block_bits;
    return check_features(fs, s);
}

static int load_group(struct ext_fs *fs, u32 g, const struct ext_desc *d) {
    struct ext_group *group = &fs->group[g];
    mutex_init(&group->lock, RANK_FS_ALLOC, "block group");
    group->free_blocks = d->free_blocks_count;
    group->free_inodes = d->free_inodes_count;
    group->dirs = d->used_dirs_count;
    group->block_bitmap = d->block_bitmap;
    group->inode_bitmap = d->inode_bitmap;
    group->inode_table = d->inode_table;
    if (!ext_block_ok(fs, d->block_bitmap) || !ext_block_ok(fs, d->inode_bitmap) ||
        !ext_block_ok(fs, d->inode_table) || fs->table_blocks > fs->blocks - d->inode_table)
        return refuse(fs, "group %u's tables are outside", g);
    if (group->free_blocks > fs->blocks_per_group || group->free_inodes > fs->inodes_per_group)
        return refuse(fs, "group %u's free counts are too large", g);
    fs->free_blocks += group->free_blocks;
    fs->free_inodes += group->free_inodes;
    return 0;
}

static int load_groups(struct ext_fs *fs) {
    u32 per = fs->block_size / sizeof(struct ext_desc);
    u32 first = (EXT_SUPER_OFFSET >> fs->block_bits) + 1;
    struct ext_buf b = {0};
    int error = 0;
    if (fs->groups > MIB(4) / sizeof(struct ext_group))
        return refuse(fs, "%u groups are too many", fs->groups);
    fs->group = kzalloc(fs->groups * sizeof(struct ext_group));
    if (!fs->group)
        return -ENOMEM;
    for (u32 g = 0; g < fs->groups && error == 0; g++) {
        if (g % per == 0) {
            ext_bput(&b);
            error = ext_bread(fs, first + g / per, &b);
        }
        if (error == 0)
            error = load_group(fs, g, (const struct ext_desc *)b.data + g % per);
    }
    ext_bput(&b);
    return error;
}

// Bytes that the block map can reach, and that i_blocks (of 512 bytes, 32 bits) can count.
static u64 max_file_size(const struct ext_fs *fs) {
    u64 per = fs->block_size / 4, reach = (EXT_DIRECT + per + per * per + per * per * per)
                                          << fs->block_bits;
    return min(reach, (1ul << 41) - fs->block_size * 1024ul);
}

static int load_root(struct ext_fs *fs) {
    struct inode *root = inode_get(fs->sb, EXT_ROOT_INO);
    if (IS_ERR(root))
        return PTR_ERR(root);
    int error = inode_is_dir(root) ? 0 : refuse(fs, "the root is not a directory");
    if (error == 0 && !(fs->sb->root = dentry_root(fs->sb, root)))
        error = -ENOMEM;
    if (error)
        inode_put(root);
    return error;
}

static int load(struct ext_fs *fs) {
    struct ext_super *s = NULL;
    struct ext_buf b = {0};
    int error = super_get(fs, &b, &s);
    if (error)
        return error;
    error = load_super(fs, s);
    bool clean = s->state & EXT_STATE_VALID && !(s->state & EXT_STATE_ERROR);
    ext_bput(&b);
    if (error == 0)
        error = load_groups(fs);
    if (error)
        return error;
    if (!clean && !fs->sb->read_only)
        kprintf("ext: %s: was not unmounted cleanly, e2fsck should check it\n", fs->dev->name);
    fs->sb->block_size = fs->block_size;
    fs->sb->max_size = max_file_size(fs);
    fs->sb->time_min = INT32_MIN;
    fs->sb->time_max = INT32_MAX + (fs->inode_size > EXT_GOOD_OLD_INODE ? 3l << 32 : 0);
    error = load_root(fs);
    return error;
}

static int mount(struct super *sb, const char *options) {
    struct ext_fs *fs = kzalloc(sizeof(*fs));
    (void)options;
    if (!fs)
        return -ENOMEM;
    fs->sb = sb;
    fs->dev = sb->dev;
    sb->private_ = fs;
    sb->ops = &ops;
    int error = fs->dev->sectors < 8 ? -EINVAL : ext_meta_start(fs);
    if (error)
        goto free;
    error = load(fs);
    if (error)
        goto stop;
    if (!sb->read_only)
        error = start_writing(fs);
    if (error == 0)
        return 0;
    dentry_put(sb->root);
stop:
    inode_evict_super(sb);
    ext_meta_stop(fs);
free:
    fs_free(fs);
    sb->private_ = NULL;
    return error;
}

static struct fs_type ext2_type = {.name = "ext2", .needs_device = true, .mount = mount};
static struct fs_type ext3_type = {.name = "ext3", .needs_device = true, .mount = mount};

void ext_init(void) {
    inode_slab = slab_create("ext_inode", sizeof(struct ext_inode), 0);
    assert(inode_slab);
    fs_register(&ext2_type);
    fs_register(&ext3_type);
}
