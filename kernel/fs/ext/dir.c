/*
 * Directories: blocks of entries, each with the distance to the next.
 *
 * An entry never moves: removing one joins it to the entry before it in its block, adding one splits another.
 * Every block is checked before it is believed (dir_block). On disk a directory is a plain list; hashed ones
 * (dir_index) stay readable as such, and lose their flag when we change them.
 *
 * A directory of more than a few blocks gets an index in memory on its first lookup: a hash table of (hash of name,
 * position). It is kept up to date by add and remove, so that making 50,000 names costs no search; without memory for
 * it, search is linear. `hint` is the block where the last entry was added.
 *
 * Locks: inode->lock; readers who build the index also take index_lock.
 */
#include "abi/dirent.h"
#include "fs/ext/ext.h"
#include "lib/hash.h"

#define INDEX_FROM 4u  // blocks
#define INDEX_GONE 1u  // position of a removed entry; 0: never used; else position / 4 + 2

struct ext_index {
    u32 mask, used;  // slots - 1; not never-used ones
    struct slot {
        u32 hash, where;
    } slot[];
};

static u32 hash_of(const char *s, u32 len) { return hash_bytes(s, len, HASH_SEED); }

// ---- blocks ----

static bool block_sane(struct ext_fs *fs, const char *data) {
    u32 at = 0;
    while (at < fs->block_size) {
        const struct ext_dirent *d = (const void *)(data + at);
        u32 left = fs->block_size - at;
        if (left < EXT_DIRENT_SIZE(1) || d->rec_len < EXT_DIRENT_SIZE(1) || d->rec_len % 4 ||
            d->rec_len > left || EXT_DIRENT_SIZE(d->name_len) > d->rec_len ||
            d->inode > fs->inodes || (d->inode && !d->name_len))
            return false;
        at += d->rec_len;
    }
    return true;
}

// Block n of a directory, checked.
static int dir_block(struct inode *dir, u32 n, struct ext_buf *b) {
    struct ext_inode *e = ext_inode(dir);
    struct ext_fs *fs = ext_fs(dir->sb);
    u32 block;
    b->page = NULL;
    mutex_lock(&e->map_lock);
    int error = ext_map(e, n, false, &block);
    mutex_unlock(&e->map_lock);
    if (error)
        return error;
    if (block == 0)
        return ext_corrupt(fs, "directory %llu has a hole", (unsigned long long)dir->ino);
    error = ext_bread(fs, block, b);
    if (error == 0 && !block_sane(fs, b->data)) {
        ext_bput(b);
        error = ext_corrupt(fs, "directory %llu is damaged in block %u",
                            (unsigned long long)dir->ino, block);
    }
    return error;
}

static u32 dir_blocks(const struct inode *dir) { return dir->size >> ext_fs(dir->sb)->block_bits; }

static struct ext_dirent *entry_at(const struct ext_buf *b, u32 at) {
    return (void *)((char *)b->data + at);
}

// The entry of this name in a block, or NULL; *before is the one before it.
static struct ext_dirent *block_find(struct ext_fs *fs, struct ext_buf *b, const struct name *name,
                                     struct ext_dirent **before) {
    struct ext_dirent *last = NULL, *d;
    for (u32 at = 0; at < fs->block_size; at += d->rec_len, last = d) {
        d = entry_at(b, at);
        if (d->inode && d->name_len == name->len && memcmp(d->name, name->s, name->len) == 0) {
            *before = last;
            return d;
        }
    }
    return NULL;
}

// ---- the index ----

void ext_index_free(struct ext_inode *e) {
    kfree(e->index);
    e->index = NULL;
}

static void slot_put(struct ext_index *x, u32 hash, u32 where) {
    u32 i = hash & x->mask;
    while (x->slot[i].where > INDEX_GONE)
        i = (i + 1) & x->mask;
    x->used += x->slot[i].where == 0;
    x->slot[i] = (struct slot){hash, where};
}

// Room for one more; the table may move. NULL: no memory
static struct ext_index *index_room(struct ext_index *x) {
    u32 slots = x ? x->mask + 1 : 512;
    if (x && (x->used + 1) * 4 < slots * 3)
        return x;
    struct ext_index *new = NULL;
    if (slots * 2 * sizeof(struct slot) + sizeof(*new) <= MIB(4))
        new = kzalloc(sizeof(*new) + slots * 2 * sizeof(struct slot));
    if (new) {
        new->mask = slots * 2 - 1;
        for (u32 i = 0; x && i < slots; i++)
            if (x->slot[i].where > INDEX_GONE)
                slot_put(new, x->slot[i].hash, x->slot[i].where);
    }
    kfree(x);
    return new;
}

static struct ext_index *index_add(struct ext_index *x, const char *name, u32 len, u64 pos) {
    x = index_room(x);
    if (x)
        slot_put(x, hash_of(name, len), pos / 4 + 2);
    return x;
}

// => locked for reading, index_lock held. Leaves no index when the disk or memory fails.
static void index_build(struct inode *dir) {
    struct ext_fs *fs = ext_fs(dir->sb);
    struct ext_index *x = index_room(NULL);
    struct ext_dirent *d;
    struct ext_buf b;
    for (u32 n = 0; x && n < dir_blocks(dir); n++) {
        if (dir_block(dir, n, &b) != 0) {
            kfree(x);
            return;
        }
        for (u32 at = 0; x && at < fs->block_size; at += d->rec_len) {
            d = entry_at(&b, at);
            if (d->inode)
                x = index_add(x, d->name, d->name_len, (u64)n * fs->block_size + at);
        }
        ext_bput(&b);
    }
    store_release(&ext_inode(dir)->index, x);
}

static struct ext_index *index_get(struct inode *dir) {
    struct ext_inode *e = ext_inode(dir);
    struct ext_index *x = load_acquire(&e->index);
    if (x || dir_blocks(dir) <= INDEX_FROM)
        return x;
    mutex_lock(&e->index_lock);
    if (!e->index)
        index_build(dir);
    mutex_unlock(&e->index_lock);
    return e->index;
}

// A change made the directory's index obsolete where `pos` is: forget it, or drop the whole if that fails.
static void index_remove(struct ext_index *x, u32 hash, u64 pos) {
    for (u32 i = hash & x->mask; x->slot[i].where; i = (i + 1) & x->mask)
        if (x->slot[i].where == pos / 4 + 2) {
            x->slot[i].where = INDEX_GONE;
            return;
        }
}

// ---- search ----

struct place {
    struct ext_buf b;
    struct ext_dirent *d, *before;
    u32 block;  // of the directory
};

// 1: found, *p set, its buffer held; 0: no such name; or -EIO, -ENOMEM
static int look_in(struct inode *dir, u32 n, const struct name *name, struct place *p) {
    int error = dir_block(dir, n, &p->b);
    if (error)
        return error;
    p->block = n;
    p->d = block_find(ext_fs(dir->sb), &p->b, name, &p->before);
    if (p->d)
        return 1;
    ext_bput(&p->b);
    return 0;
}

static int find(struct inode *dir, const struct name *name, struct place *p) {
    struct ext_index *x = index_get(dir);
    int result = 0;
    if (!x) {
        for (u32 n = 0; n < dir_blocks(dir) && result == 0; n++)
            result = look_in(dir, n, name, p);
        return result;
    }
    u32 hash = hash_of(name->s, name->len);
    for (u32 i = hash & x->mask; x->slot[i].where && result == 0; i = (i + 1) & x->mask)
        if (x->slot[i].hash == hash && x->slot[i].where > INDEX_GONE)
            result =
                look_in(dir, (x->slot[i].where - 2) * 4ul >> ext_fs(dir->sb)->block_bits, name, p);
    return result;
}

int ext_dir_find(struct inode *dir, const struct name *name, u32 *ino) {
    struct place p;
    int found = find(dir, name, &p);
    *ino = 0;
    if (found <= 0)
        return found;
    *ino = p.d->inode;
    ext_bput(&p.b);
    return 0;
}

// ---- change ----

static u8 type_of(struct ext_fs *fs, u32 mode) {
    static const u8 types[16] = {[S_IFREG >> 12] = 1, [S_IFDIR >> 12] = 2, [S_IFCHR >> 12] = 3,
                                 [S_IFBLK >> 12] = 4, [S_IFIFO >> 12] = 5, [S_IFSOCK >> 12] = 6,
                                 [S_IFLNK >> 12] = 7};
    return fs->filetype ? types[mode >> 12 & 15] : 0;
}

static void changed(struct inode *dir) {
    ext_inode(dir)->flags &= ~EXT_INDEX_FL;
    inode_touch(dir, SET_MTIME);
}

static void entry_set(struct ext_dirent *d, const char *name, u32 len, u32 ino, u8 type) {
    d->inode = ino;
    d->name_len = len;
    d->type = type;
    memcpy(d->name, name, len);
}

// A place of `need` bytes in a block: its entry, with rec_len right. NULL: none
static struct ext_dirent *block_room(struct ext_fs *fs, struct ext_buf *b, u32 need) {
    struct ext_dirent *d;
    for (u32 at = 0; at < fs->block_size; at += d->rec_len) {
        d = entry_at(b, at);
        u32 used = d->inode ? EXT_DIRENT_SIZE(d->name_len) : 0;
        if (d->rec_len < used + need)
            continue;
        if (!used)
            return d;
        struct ext_dirent *new = entry_at(b, at + used);
        new->rec_len = d->rec_len - used;
        d->rec_len = used;
        return new;
    }
    return NULL;
}

// One more block with one unused entry.
static int dir_grow(struct inode *dir, struct ext_buf *b) {
    struct ext_inode *e = ext_inode(dir);
    struct ext_fs *fs = ext_fs(dir->sb);
    u32 n = dir_blocks(dir), block;
    if (dir->size + fs->block_size > 0xffffffff)
        return -EFBIG;
    mutex_lock(&e->map_lock);
    int error = ext_map(e, n, true, &block);
    mutex_unlock(&e->map_lock);
    if (error == 0)
        error = ext_bzero(fs, block, b);
    if (error) {
        ext_truncate(e, dir->size);
        return error;
    }
    entry_at(b, 0)->rec_len = fs->block_size;
    dir->size += fs->block_size;
    return 0;
}

int ext_dir_add(struct inode *dir, const struct name *name, u32 ino, u32 mode) {
    struct ext_inode *e = ext_inode(dir);
    struct ext_fs *fs = ext_fs(dir->sb);
    struct ext_dirent *d = NULL;
    struct ext_buf b = {0};
    u32 n = e->hint;
    int error = 0;
    for (; n < dir_blocks(dir) && !d; n += !d) {
        error = dir_block(dir, n, &b);
        if (error)
            return error;
        d = block_room(fs, &b, EXT_DIRENT_SIZE(name->len));
        if (!d)
            ext_bput(&b);
    }
    if (!d) {
        error = dir_grow(dir, &b);
        if (error)
            return error;
        d = entry_at(&b, 0);
    }
    entry_set(d, name->s, name->len, ino, type_of(fs, mode));
    ext_bdirty(&b);
    e->hint = n;
    if (e->index)
        e->index = index_add(e->index, name->s, name->len,
                             (u64)n * fs->block_size + ((char *)d - (char *)b.data));
    ext_bput(&b);
    changed(dir);
    return 0;
}

// The entry of a name that must be there.
static int find_present(struct inode *dir, const struct name *name, struct place *p) {
    int found = find(dir, name, p);
    if (found == 0)
        return ext_corrupt(ext_fs(dir->sb), "directory %llu lost a name",
                           (unsigned long long)dir->ino);
    return found < 0 ? found : 0;
}

int ext_dir_remove(struct inode *dir, const struct name *name) {
    struct ext_inode *e = ext_inode(dir);
    struct place p;
    int error = find_present(dir, name, &p);
    if (error)
        return error;
    u64 pos = (u64)p.block * dir->sb->block_size + ((char *)p.d - (char *)p.b.data);
    if (p.before)
        p.before->rec_len += p.d->rec_len;
    p.d->inode = 0;
    ext_bdirty(&p.b);
    ext_bput(&p.b);
    if (e->index)
        index_remove(e->index, hash_of(name->s, name->len), pos);
    e->hint = min(e->hint, p.block);
    changed(dir);
    return 0;
}

int ext_dir_replace(struct inode *dir, const struct name *name, u32 ino, u32 mode) {
    struct place p;
    int error = find_present(dir, name, &p);
    if (error)
        return error;
    p.d->inode = ino;
    p.d->type = type_of(ext_fs(dir->sb), mode);
    ext_bdirty(&p.b);
    ext_bput(&p.b);
    changed(dir);
    return 0;
}

int ext_dir_init(struct inode *dir, u32 parent) {
    struct ext_fs *fs = ext_fs(dir->sb);
    struct ext_buf b;
    int error = dir_grow(dir, &b);
    if (error)
        return error;
    struct ext_dirent *dot = entry_at(&b, 0), *dotdot = entry_at(&b, 12);
    dot->rec_len = 12;
    dotdot->rec_len = fs->block_size - 12;
    entry_set(dot, ".", 1, dir->ino, type_of(fs, S_IFDIR));
    entry_set(dotdot, "..", 2, parent, type_of(fs, S_IFDIR));
    ext_bdirty(&b);
    ext_bput(&b);
    return 0;
}

static bool is_dots(const struct ext_dirent *d) {
    return d->name[0] == '.' && (d->name_len == 1 || (d->name_len == 2 && d->name[1] == '.'));
}

int ext_dir_empty(struct inode *dir) {
    struct ext_fs *fs = ext_fs(dir->sb);
    struct ext_dirent *d;
    struct ext_buf b;
    bool empty = true;
    for (u32 n = 0; n < dir_blocks(dir) && empty; n++) {
        int error = dir_block(dir, n, &b);
        if (error)
            return error;
        for (u32 at = 0; at < fs->block_size && empty; at += d->rec_len) {
            d = entry_at(&b, at);
            empty = !d->inode || is_dots(d);
        }
        ext_bput(&b);
    }
    return empty ? 0 : -ENOTEMPTY;
}

// ---- reading ----

// Entries of one block from byte `from` on. 0: all taken, 1: the reader is full
static int emit_block(struct ext_fs *fs, struct ext_buf *b, u64 start, u32 from, struct dir_emit *e,
                      u64 *pos) {
    static const u8 types[8] = {0, DT_REG, DT_DIR, DT_CHR, DT_BLK, DT_FIFO, DT_SOCK, DT_LNK};
    struct ext_dirent *d;
    for (u32 at = 0; at < fs->block_size; at += d->rec_len) {
        d = entry_at(b, at);
        u64 next = start + at + d->rec_len;
        if (at < from || !d->inode)
            continue;
        u8 type = fs->filetype && d->type < ARRAY_SIZE(types) ? types[d->type] : DT_UNKNOWN;
        if (!e->entry(e, d->name, d->name_len, d->inode, type, next))
            return 1;
        *pos = next;
    }
    *pos = start + fs->block_size;
    return 0;
}

static int read_dir(struct file *f, struct dir_emit *e, u64 *pos) {
    struct inode *dir = f->inode;
    struct ext_fs *fs = ext_fs(dir->sb);
    struct ext_buf b;
    int result = 0;
    read_lock(&dir->lock);
    while (*pos < dir->size && result == 0 && dir->nlink) {
        u32 n = *pos >> fs->block_bits, from = *pos & (fs->block_size - 1);
        result = dir_block(dir, n, &b);
        if (result)
            break;
        result = emit_block(fs, &b, (u64)n << fs->block_bits, from, e, pos);
        ext_bput(&b);
    }
    read_unlock(&dir->lock);
    return min(result, 0);
}

static int sync_dir(struct file *f, bool data_only) { return ext_sync_inode(f->inode, data_only); }

const struct file_ops ext_dir_ops = {
    .read = read_is_dir,
    .seek = dir_seek,
    .readdir = read_dir,
    .poll = poll_always,
    .fsync = sync_dir,
};
