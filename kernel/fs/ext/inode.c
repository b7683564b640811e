/*
 * Inodes on disk: reading with checks of everything that later code relies on, writing back, and the last goodbye.
 *
 * An inode is 128 bytes or more in its group's table. Larger ones have nanoseconds. Attributes live in struct inode
 * while it is in memory; ext_write_inode() puts them into the table's block.
 */
#include "fs/ext/ext.h"

static void inode_place(const struct ext_fs *fs, u64 ino, u32 *block, u32 *offset) {
    u32 g = (ino - 1) / fs->inodes_per_group;
    u64 at = (ino - 1) % fs->inodes_per_group * (u64)fs->inode_size;
    *block = fs->group[g].inode_table + (at >> fs->block_bits);
    *offset = at & (fs->block_size - 1);
}

static int raw_get(struct ext_fs *fs, u64 ino, struct ext_buf *b, struct ext_raw_inode **raw) {
    u32 block, offset;
    inode_place(fs, ino, &block, &offset);
    int error = ext_bread(fs, block, b);
    if (error == 0)
        *raw = (void *)((char *)b->data + offset);
    return error;
}

// Are the fields after the first 128 bytes there, up to crtime_extra?
static bool has_extra(const struct ext_fs *fs, const struct ext_raw_inode *raw) {
    return fs->inode_size > EXT_GOOD_OLD_INODE && raw->extra_isize >= 24 &&
           raw->extra_isize <= fs->inode_size - EXT_GOOD_OLD_INODE;
}

static struct timespec time_from(u32 seconds, bool extra, u32 more) {
    struct timespec t = {(s32)seconds, 0};
    if (extra) {
        t.tv_sec += (s64)(more & 3) << 32;
        t.tv_nsec = more >> 2 < NSEC_PER_SEC ? more >> 2 : 0;
    }
    return t;
}

static u32 time_extra(struct timespec t) {
    return (u32)t.tv_nsec << 2 | ((t.tv_sec - (s32)t.tv_sec) >> 32 & 3);
}

// A short symlink: its text is where block numbers would be.
static bool is_fast_link(const struct ext_inode *e) {
    u64 blocks = e->inode.blocks -
                 (e->file_acl ? min(e->inode.blocks, ext_fs_of(e)->block_size / 512ul) : 0);
    return inode_is_link(&e->inode) && e->inode.size < EXT_FAST_LINK && blocks == 0;
}

void ext_set_ops(struct ext_inode *e) {
    static const struct file_ops file_ops = {
        .read = filemap_read,
        .write = filemap_write,
        .seek = filemap_seek,
        .poll = poll_always,
        .mmap = filemap_mmap,
        .fsync = filemap_fsync,
    };
    static const struct inode_ops file_inode_ops = {
        .resize = ext_resize,
        .sync = ext_sync_inode,
        .reserve = ext_reserve,
        .punch = ext_punch,
    };
    static const struct inode_ops link_inode_ops = {.read_link = ext_read_link,
                                                    .sync = ext_sync_inode};
    struct inode *i = &e->inode;
    mapping_init(&i->mapping, &ext_file_mapping_ops, i, 0);
    i->ops = inode_is_dir(i)    ? &ext_dir_inode_ops
             : inode_is_link(i) ? &link_inode_ops
                                : &file_inode_ops;
    i->fops = inode_is_dir(i) ? &ext_dir_ops : inode_is_reg(i) ? &file_ops : NULL;
}

// What is in memory must be believable.
static int inode_check(struct ext_inode *e) {
    struct ext_fs *fs = ext_fs_of(e);
    struct inode *i = &e->inode;
    static const u32 types = 1u << 1 | 1u << 2 | 1u << 4 | 1u << 6 | 1u << 8 | 1u << 10 | 1u << 12;
    unsigned long long ino = i->ino;
    if (i->nlink == 0)
        return ext_corrupt(fs, "inode %llu is deleted but has a name", ino);
    if (!(types & 1u << (i->mode >> 12)))
        return ext_corrupt(fs, "inode %llu has mode %o", ino, i->mode);
    if (i->size > i->sb->max_size)
        return ext_corrupt(fs, "inode %llu is too large", ino);
    if (inode_is_dir(i) &&
        (i->size == 0 || i->size % fs->block_size || i->size >> fs->block_bits > fs->blocks))
        return ext_corrupt(fs, "directory %llu has size %llu", ino, (unsigned long long)i->size);
    if (inode_is_link(i) && (i->size == 0 || i->size >= min(fs->block_size, (u32)PATH_MAX)))
        return ext_corrupt(fs, "symbolic link %llu has length %llu", ino,
                           (unsigned long long)i->size);
    return 0;
}

static void raw_load(struct ext_inode *e, const struct ext_raw_inode *raw) {
    struct inode *i = &e->inode;
    bool extra = has_extra(ext_fs_of(e), raw);
    i->mode = raw->mode;
    i->uid = raw->uid | (u32)raw->uid_high << 16;
    i->gid = raw->gid | (u32)raw->gid_high << 16;
    i->nlink = raw->links_count;
    i->size = raw->size | (inode_is_reg(i) ? (u64)raw->size_high << 32 : 0);
    i->blocks = raw->blocks;
    i->atime = time_from(raw->atime, extra, raw->atime_extra);
    i->mtime = time_from(raw->mtime, extra, raw->mtime_extra);
    i->ctime = time_from(raw->ctime, extra, raw->ctime_extra);
    i->generation = raw->generation;
    memcpy(e->block, raw->block, sizeof(e->block));
    e->flags = raw->flags;
    e->file_acl = raw->file_acl;
    e->dtime = raw->dtime;
    if (S_ISCHR(i->mode) ||
        S_ISBLK(i->mode)) {  // the old form in the first number, the new one in the second
        u32 new_form = e->block[1];
        i->rdev = e->block[0] ? e->block[0] & 0xffff : new_form;
    }
}

int ext_read_inode(struct inode *i) {
    struct ext_inode *e = ext_inode(i);
    struct ext_fs *fs = ext_fs(i->sb);
    struct ext_raw_inode *raw;
    struct ext_buf b;
    if (i->ino > fs->inodes || (i->ino < fs->first_ino && i->ino != EXT_ROOT_INO))
        return ext_corrupt(fs, "a name leads to inode %llu", (unsigned long long)i->ino);
    int error = raw_get(fs, i->ino, &b, &raw);
    if (error)
        return error;
    raw_load(e, raw);
    ext_bput(&b);
    error = inode_check(e);
    if (error == 0)
        ext_set_ops(e);
    return error;
}

static void raw_store(struct ext_inode *e, struct ext_raw_inode *raw) {
    struct ext_fs *fs = ext_fs_of(e);
    struct inode *i = &e->inode;
    if (e->fresh) {
        memset(raw, 0, fs->inode_size);
        if (fs->inode_size >= sizeof(*raw))
            raw->extra_isize = sizeof(*raw) - EXT_GOOD_OLD_INODE;
        e->fresh = false;
    }
    raw->mode = i->mode;
    raw->uid = i->uid;
    raw->uid_high = i->uid >> 16;
    raw->gid = i->gid;
    raw->gid_high = i->gid >> 16;
    raw->links_count = i->nlink;
    raw->size = i->size;
    if (inode_is_reg(i))
        raw->size_high = i->size >> 32;
    raw->blocks = i->blocks;
    raw->atime = i->atime.tv_sec;
    raw->mtime = i->mtime.tv_sec;
    raw->ctime = i->ctime.tv_sec;
    raw->dtime = e->dtime;
    raw->flags = e->flags;
    raw->file_acl = e->file_acl;
    raw->generation = i->generation;
    memcpy(raw->block, e->block, sizeof(e->block));
    if (has_extra(fs, raw)) {
        raw->atime_extra = time_extra(i->atime);
        raw->mtime_extra = time_extra(i->mtime);
        raw->ctime_extra = time_extra(i->ctime);
    }
}

int ext_write_inode(struct inode *i) {
    struct ext_fs *fs = ext_fs(i->sb);
    struct ext_raw_inode *raw;
    struct ext_buf b;
    if (fs->failed)
        return -EIO;
    int error = raw_get(fs, i->ino, &b, &raw);
    if (error)
        return error;
    mutex_lock(&ext_inode(i)->map_lock);
    race_ignore(
        1);  // who changes an attribute meanwhile marks the inode after it: then we come again
    raw_store(ext_inode(i), raw);
    race_ignore(-1);
    mutex_unlock(&ext_inode(i)->map_lock);
    ext_bdirty(&b);
    ext_bput(&b);
    return 0;
}

// A block of extended attributes may belong to several inodes: it counts them.
static void release_attributes(struct ext_inode *e) {
    struct ext_fs *fs = ext_fs_of(e);
    struct ext_buf b;
    u32 block = e->file_acl;
    e->file_acl = 0;
    if (!block || ext_bread(fs, block, &b) != 0)
        return;
    u32 *head = b.data;  // magic, reference count
    bool last = head[1] <= 1;
    if (head[0] == 0xea020000 && !last) {
        head[1]--;
        ext_bdirty(&b);
    }
    ext_bput(&b);
    if (last) {
        ext_bforget(fs, block);
        ext_free_blocks(fs, block, 1);
    }
    e->inode.blocks -= min(e->inode.blocks, fs->block_size / 512ul);
}

void ext_evict(struct inode *i) {
    struct ext_inode *e = ext_inode(i);
    bool mapped = inode_is_reg(i) || inode_is_dir(i) || (inode_is_link(i) && !is_fast_link(e));
    if (i->sb->read_only)
        return;
    if (mapped)
        ext_truncate(e, 0);
    release_attributes(e);
    i->size = 0;
    // A smaller number would be a link of ext3's list of orphans.
    s64 least = (s64)ext_fs(i->sb)->inodes;
    e->dtime = (u32)min(max((s64)time_now().tv_sec, least), (s64)0xffffffff);
    ext_write_inode(i);
    ext_free_inode(ext_fs(i->sb), i->ino, inode_is_dir(i));
}

int ext_resize(struct inode *i, u64 size) { return ext_truncate(ext_inode(i), size); }

int ext_sync_inode(struct inode *i, bool data_only) {
    struct ext_fs *fs = ext_fs(i->sb);
    (void)data_only;
    if (i->sb->read_only)
        return fs->failed ? -EIO : 0;
    inode_write(i);
    int error = ext_write_inode(i);
    int error2 = pagecache_sync(&fs->dev->mapping, 0, ~0ul);
    int error3 = fs->dev->can_flush ? blk_flush(fs->dev) : 0;
    return error ? error : error2 ? error2 : error3;
}

ssize_t ext_read_link(struct inode *i, char *buf) {
    struct ext_inode *e = ext_inode(i);
    struct ext_fs *fs = ext_fs(i->sb);
    size_t n = min((u64)PATH_MAX, i->size);
    struct ext_buf b;
    u32 block;
    if (is_fast_link(e)) {
        memcpy(buf, e->block, n);
        return n;
    }
    mutex_lock(&e->map_lock);
    int error = ext_map(e, 0, false, &block);
    mutex_unlock(&e->map_lock);
    if (error == 0 && block == 0)
        error = ext_corrupt(fs, "symbolic link %llu is empty", (unsigned long long)i->ino);
    if (error == 0)
        error = ext_bread(fs, block, &b);
    if (error)
        return error;
    memcpy(buf, b.data, n);
    ext_bput(&b);
    return n;
}
