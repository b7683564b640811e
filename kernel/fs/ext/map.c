/*
 * Where a file's blocks are: the block map, and reading and writing of the file's pages through it.
 *
 * A map is a tree: 12 blocks named in the inode, then trees of one, two and three levels of indirect blocks. A zero
 * is a hole. map_lock guards it all; it is taken with a page of the file locked, and inside it only groups and pages
 * of metadata are locked.
 *
 * Blocks are allocated when bytes are written to the page cache (ext_reserve), never when pages go to disk. For each
 * page, page->cache.private_ remembers which of its KiB are known to be backed, so that writing again costs no look.
 */
#include "fs/ext/ext.h"

// Steps through the tree to lblock: the number of levels, and the index in each. -EFBIG: beyond the tree.
static int map_path(const struct ext_fs *fs, u64 lblock, u32 step[4]) {
    u32 bits = fs->block_bits - 2, mask = (1u << bits) - 1;
    if (lblock < EXT_DIRECT) {
        step[0] = lblock;
        return 1;
    }
    lblock -= EXT_DIRECT;
    for (u32 depth = 1; depth <= 3; depth++) {
        u64 span = 1ul << bits * depth;
        if (lblock < span) {
            step[0] = EXT_DIRECT + depth - 1;
            for (u32 i = 1; i <= depth; i++)
                step[i] = lblock >> bits * (depth - i) & mask;
            return depth + 1;
        }
        lblock -= span;
    }
    return -EFBIG;
}

// A block for an empty slot: of data, or of zeroed indirect numbers.
static int map_fill(struct ext_inode *e, u32 *slot, struct ext_buf *parent, bool indirect) {
    struct ext_fs *fs = ext_fs_of(e);
    struct ext_buf b;
    u32 block, group = (e->inode.ino - 1) / fs->inodes_per_group;
    u32 goal = e->goal ? e->goal : fs->first_block + group * fs->blocks_per_group;
    int error = ext_alloc_block(fs, goal, &block);
    if (error)
        return error;
    if (indirect) {
        error = ext_bzero(fs, block, &b);
        if (error) {
            ext_free_blocks(fs, block, 1);
            return error;
        }
        ext_bput(&b);
    }
    e->goal = block + 1;
    e->inode.blocks += fs->block_size / 512;
    WRITE_ONCE(*slot, block);
    if (parent->page)
        ext_bdirty(parent);
    inode_mark_dirty(&e->inode);
    return 0;
}

int ext_map(struct ext_inode *e, u64 lblock, bool create, u32 *out) {
    struct ext_fs *fs = ext_fs_of(e);
    struct ext_buf b = {0}, next;
    u32 step[4];
    int depth = map_path(fs, lblock, step), error = 0;
    *out = 0;
    if (depth < 0)
        return depth;
    u32 *slot = &e->block[step[0]];
    for (int i = 0; error == 0; i++) {
        if (*slot == 0 && create)
            error = map_fill(e, slot, &b, i < depth - 1);
        if (error || *slot == 0)
            break;
        if (!ext_block_ok(fs, *slot)) {
            error =
                ext_corrupt(fs, "inode %llu has block %u", (unsigned long long)e->inode.ino, *slot);
            break;
        }
        if (i == depth - 1) {
            *out = *slot;
            break;
        }
        error = ext_bread(fs, *slot, &next);
        ext_bput(&b);
        b = next;
        slot = (u32 *)b.data + step[i + 1];
    }
    ext_bput(&b);
    return error;
}

// ---- freeing ----

// Neighbouring blocks are given back together.
struct run {
    struct ext_inode *e;
    u32 first, n;
    bool meta;  // directories and long symlinks: their blocks are in the device's mapping
};

static void run_flush(struct run *r) {
    if (r->n)
        ext_free_blocks(ext_fs_of(r->e), r->first, r->n);
    r->n = 0;
}

static void run_add(struct run *r, u32 block, bool meta) {
    struct ext_fs *fs = ext_fs_of(r->e);
    u64 sectors = fs->block_size / 512;
    if (!ext_block_ok(fs, block)) {
        ext_corrupt(fs, "inode %llu has block %u", (unsigned long long)r->e->inode.ino, block);
        return;
    }
    if (meta || r->meta)
        ext_bforget(fs, block);
    r->e->inode.blocks -= min(sectors, r->e->inode.blocks);
    if (r->n && r->first + r->n == block) {
        r->n++;
        return;
    }
    run_flush(r);
    r->first = block;
    r->n = 1;
}

// Free what is in [from, end) below an indirect block; the block too when that is all. True: it went.
static bool free_tree(struct run *r, u32 block, u32 depth, u64 from, u64 end) {
    struct ext_fs *fs = ext_fs_of(r->e);
    struct ext_buf b;
    u32 bits = fs->block_bits - 2, per = 1u << bits;
    u64 span = 1ul << bits * (depth - 1);
    bool all = from == 0 && end >= per * span;
    if (ext_bread(fs, block, &b) != 0)
        return false;
    u32 *entry = b.data;
    bool changed = false;
    for (u64 i = from / span; i < per && i * span < end; i++) {
        u64 below = i == from / span ? from % span : 0;
        if (entry[i] == 0)
            continue;
        if (depth == 1)
            run_add(r, entry[i], false);
        else if (!free_tree(r, entry[i], depth - 1, below, end - i * span))
            continue;
        entry[i] = 0;
        changed = true;
    }
    if (changed && !all)
        ext_bdirty(&b);
    ext_bput(&b);
    if (!all)
        return false;
    run_add(r, block, true);
    return true;
}

// => map_lock held. Free blocks [lblock, end).
static void free_range(struct ext_inode *e, u64 lblock, u64 end) {
    struct ext_fs *fs = ext_fs_of(e);
    struct run r = {.e = e, .meta = !inode_is_reg(&e->inode)};
    for (u64 i = lblock; i < EXT_DIRECT && i < end; i++)
        if (e->block[i]) {
            run_add(&r, e->block[i], false);
            e->block[i] = 0;
        }
    lblock = lblock > EXT_DIRECT ? lblock - EXT_DIRECT : 0;
    end = end > EXT_DIRECT ? end - EXT_DIRECT : 0;
    for (u32 depth = 1; depth <= 3; depth++) {
        u64 span = 1ul << (fs->block_bits - 2) * depth;
        u32 *slot = &e->block[EXT_DIRECT + depth - 1];
        if (*slot && lblock < span && lblock < end && free_tree(&r, *slot, depth, lblock, end))
            *slot = 0;
        lblock = lblock > span ? lblock - span : 0;
        end = end > span ? end - span : 0;
    }
    run_flush(&r);
    e->goal = 0;
}

int ext_truncate(struct ext_inode *e, u64 size) {
    struct ext_fs *fs = ext_fs_of(e);
    struct page *p = NULL;
    mutex_lock(&e->map_lock);
    if (inode_is_reg(&e->inode) && size % PAGE_SIZE)
        p = pagecache_find(&e->inode.mapping, size / PAGE_SIZE);
    if (p) {  // blocks of the last page that go are no longer known to be backed
        u32 kept = align_up((u32)(size % PAGE_SIZE), fs->block_size) / 1024;
        atomic_and(&p->cache.private_, (1u << kept) - 1);
        page_put(p);
    }
    free_range(e, (size + fs->block_size - 1) >> fs->block_bits, ~0ul);
    mutex_unlock(&e->map_lock);
    inode_mark_dirty(&e->inode);
    return 0;
}

int ext_punch(struct inode *inode, u64 first, u64 end) {
    struct ext_inode *e = ext_inode(inode);
    u32 shift = PAGE_SHIFT - ext_fs(inode->sb)->block_bits;
    mutex_lock(&e->map_lock);
    free_range(e, first << shift, end << shift);
    mutex_unlock(&e->map_lock);
    inode_mark_dirty(inode);
    return 0;
}

// ---- pages of a file ----

int ext_reserve(struct inode *inode, struct page *p, u32 from, u32 to) {
    struct ext_inode *e = ext_inode(inode);
    struct ext_fs *fs = ext_fs(inode->sb);
    from = align_down(from, fs->block_size);
    to = align_up(to, fs->block_size);
    u32 pieces = (1u << to / 1024) - (1u << from / 1024), block;
    if (likely((load_relaxed(&p->cache.private_) & pieces) == pieces))
        return 0;
    int error = 0;
    mutex_lock(&e->map_lock);
    u64 lblock = (p->cache.index * PAGE_SIZE + from) >> fs->block_bits;
    for (u32 at = from; at < to && error == 0; at += fs->block_size)
        error = ext_map(e, lblock++, true, &block);
    if (error == 0)
        atomic_or(&p->cache.private_, pieces);
    mutex_unlock(&e->map_lock);
    return error;
}

static int make_writable(struct mapping *m, struct page *p) {
    struct inode *inode = m->host;
    u64 at = p->cache.index * PAGE_SIZE, size = load_relaxed(&inode->size);
    if (inode->sb->read_only)
        return -EROFS;
    return at < size ? ext_reserve(inode, p, 0, min(PAGE_SIZE, size - at)) : 0;
}

// Add the blocks of one page to a transfer; reading zeroes the holes.
static int page_blocks(struct ext_inode *e, struct page *p, struct ext_io *io) {
    struct ext_fs *fs = ext_fs_of(e);
    u64 at = p->cache.index * PAGE_SIZE, size = load_relaxed(&e->inode.size);
    bool reads = io->bio.op == BIO_READ;
    u32 backed = 0, block = 0;
    for (u32 from = 0; from < PAGE_SIZE; from += fs->block_size) {
        int error = at + from < size ? ext_map(e, (at + from) >> fs->block_bits, false, &block) : 0;
        if (error)
            return error;
        if (at + from < size && block) {
            ext_io_add(io, (u64)block << (fs->block_bits - 9), page_to_pa(p) + from,
                       fs->block_size);
            backed |= ((1u << fs->block_size / 1024) - 1) << from / 1024;
        } else if (reads) {
            memset((char *)page_va(p) + from, 0, fs->block_size);
        }
    }
    if (reads)
        atomic_or(&p->cache.private_, backed);
    return 0;
}

// The end of the last page of a file is read as zeroes, whatever is on disk. Writing back leaves it alone: a writer may
// be filling it just now, before the file's size says so. Growing a file clears it (zero_gap in fs/filemap.c).
static void zero_tail(struct ext_inode *e, struct page *p) {
    u64 at = p->cache.index * PAGE_SIZE, size = load_relaxed(&e->inode.size);
    if (size > at && size - at < PAGE_SIZE)
        memset((char *)page_va(p) + (size - at), 0, PAGE_SIZE - (size - at));
}

static int transfer(struct mapping *m, struct page **pages, size_t n, enum bio_op op) {
    struct ext_inode *e = ext_inode(m->host);
    struct ext_io io;
    int error = 0;
    ext_io_begin(&io, op, e->inode.sb->dev);
    mutex_lock(&e->map_lock);
    for (size_t i = 0; i < n && error == 0; i++)
        error = page_blocks(e, pages[i], &io);
    mutex_unlock(&e->map_lock);
    int error2 = ext_io_end(&io);
    if (op == BIO_READ)
        for (size_t i = 0; i < n; i++)
            zero_tail(e, pages[i]);
    return error ? error : error2;
}

static int read_page(struct mapping *m, struct page *p) { return transfer(m, &p, 1, BIO_READ); }
static int read_pages(struct mapping *m, struct page **p, size_t n) {
    return transfer(m, p, n, BIO_READ);
}
static int write_pages(struct mapping *m, struct page **p, size_t n) {
    return transfer(m, p, n, BIO_WRITE);
}

const struct mapping_ops ext_file_mapping_ops = {
    .read_page = read_page,
    .read_pages = read_pages,
    .write_pages = write_pages,
    .make_writable = make_writable,
};
