/*
 * Metadata blocks: pages of the device's mapping, written block by block.
 *
 * A page of 4 KiB may hold four blocks of 1 KiB, some of them a file's data, whose newer bytes are in the file's own
 * page. So what is written back are only the KiB whose bits are set in page->cache.private_: ext_bdirty() sets a
 * block's bits and then makes the page dirty; the writer takes the bits before it reads the bytes. A freed block's
 * bits are cleared with the page locked, so that no older write of it can come after its next owner's.
 *
 * Our operations stand in for the device's own while it is mounted.
 */
#include "fs/ext/ext.h"

#define PIECE 1024u

void ext_io_begin(struct ext_io *io, enum bio_op op, struct block_device *dev) {
    bio_init(&io->bio, op, dev, 0);
    io->error = 0;
}

static void io_flush(struct ext_io *io) {
    if (io->bio.nr_segments == 0)
        return;
    int error = bio_run(&io->bio);
    if (error)
        io->error = error;
    bio_init(&io->bio, io->bio.op, io->bio.dev, 0);
}

void ext_io_add(struct ext_io *io, u64 sector, pa_t pa, u32 len) {
    struct bio *b = &io->bio;
    u64 end = b->sector;
    for (u32 i = 0; i < b->nr_segments; i++)
        end += b->segment[i].len / SECTOR_SIZE;
    struct bio_segment *last = b->nr_segments ? &b->segment[b->nr_segments - 1] : NULL;
    if (last && end == sector && last->pa + last->len == pa) {
        last->len += len;
        return;
    }
    if (last && (end != sector || b->nr_segments == BIO_MAX_SEGMENTS))
        io_flush(io);
    if (b->nr_segments == 0)
        b->sector = sector;
    b->segment[b->nr_segments++] = (struct bio_segment){pa, len};
}

int ext_io_end(struct ext_io *io) {
    io_flush(io);
    return io->error;
}

static int meta_read_page(struct mapping *m, struct page *p) {
    struct block_device *dev = m->host;
    u64 at = p->cache.index * (PAGE_SIZE / SECTOR_SIZE);
    u64 n = at < dev->sectors ? min(PAGE_SIZE / SECTOR_SIZE, dev->sectors - at) : 0;
    struct ext_io io;
    memset((char *)page_va(p) + n * SECTOR_SIZE, 0, PAGE_SIZE - n * SECTOR_SIZE);
    ext_io_begin(&io, BIO_READ, dev);
    if (n)
        ext_io_add(&io, at, page_to_pa(p), n * SECTOR_SIZE);
    return ext_io_end(&io);
}

static int meta_write_pages(struct mapping *m, struct page **pages, size_t n) {
    struct ext_io io;
    ext_io_begin(&io, BIO_WRITE, m->host);
    for (size_t i = 0; i < n; i++) {
        u32 bits = atomic_xchg(&pages[i]->cache.private_, 0);
        for (u32 piece = 0; piece < PAGE_SIZE / PIECE; piece++)
            if (bits & 1u << piece)
                ext_io_add(&io, (pages[i]->cache.index * PAGE_SIZE + piece * PIECE) / SECTOR_SIZE,
                           page_to_pa(pages[i]) + piece * PIECE, PIECE);
    }
    return ext_io_end(&io);
}

static const struct mapping_ops meta_ops = {.read_page = meta_read_page,
                                            .write_pages = meta_write_pages};

int ext_meta_start(struct ext_fs *fs) {
    struct mapping *m = &fs->dev->mapping;
    int error = pagecache_sync(m, 0, ~0ul);
    fs->device_ops = m->ops;
    m->ops = &meta_ops;
    return error;
}

void ext_meta_stop(struct ext_fs *fs) {
    pagecache_sync(&fs->dev->mapping, 0, ~0ul);
    pagecache_invalidate(&fs->dev->mapping);
    fs->dev->mapping.ops = fs->device_ops;
}

static void locate(struct ext_fs *fs, u32 block, struct ext_buf *b, u64 *index, u32 *offset) {
    u64 at = (u64)block << fs->block_bits;
    *index = at / PAGE_SIZE;
    *offset = at % PAGE_SIZE;
    b->pieces = ((1u << fs->block_size / PIECE) - 1) << *offset / PIECE;
}

int ext_bread(struct ext_fs *fs, u32 block, struct ext_buf *b) {
    u64 index;
    u32 offset;
    b->page = NULL;
    if (unlikely(!ext_block_ok(fs, block)))
        return ext_corrupt(fs, "block %u is outside", block);
    locate(fs, block, b, &index, &offset);
    struct page *p = pagecache_find(&fs->dev->mapping, index);
    if (!p)
        p = pagecache_get(&fs->dev->mapping, index);
    if (IS_ERR(p))
        return PTR_ERR(p);
    b->page = p;
    b->data = (char *)page_va(p) + offset;
    return 0;
}

void ext_bdirty(struct ext_buf *b) {
    atomic_or(&b->page->cache.private_, b->pieces);
    page_mark_dirty(b->page);
}

int ext_bzero(struct ext_fs *fs, u32 block, struct ext_buf *b) {
    if (fs->block_size < PAGE_SIZE || !ext_block_ok(fs, block)) {
        int error = ext_bread(fs, block, b);
        if (error)
            return error;
        memset(b->data, 0, fs->block_size);
    } else {
        struct page *p = pagecache_get_locked(&fs->dev->mapping, block);
        if (IS_ERR(p))
            return PTR_ERR(p);
        *b = (struct ext_buf){p, page_va(p), (1u << PAGE_SIZE / PIECE) - 1};
        page_clear(b->data);
        page_mark_uptodate(p);
        page_unlock(p);
    }
    ext_bdirty(b);
    return 0;
}

void ext_bforget(struct ext_fs *fs, u32 block) {
    struct ext_buf b;
    u64 index;
    u32 offset;
    locate(fs, block, &b, &index, &offset);
    struct page *p = pagecache_find(&fs->dev->mapping, index);
    if (!p)
        return;
    page_lock(p);
    atomic_and(&p->cache.private_, ~b.pieces);
    page_unlock(p);
    page_put(p);
}
