/*
 * Block devices: the registry, and the way of a request to a driver.
 *
 * A bio is one transfer between consecutive sectors and up to BIO_MAX_SEGMENTS pieces of memory. Its submitter owns
 * the memory of the bio and of the pieces until done() is called, which may be before bio_submit returns. What
 * cannot be right (past the end, writing to a read-only disk) never reaches a driver and fails with -EIO. What a device
 * fails is -EIO too, and a line on the console.
 *
 * Each device has a mapping: its own bytes in the page cache, where file systems keep their metadata. Runs of
 * neighbouring pages are written by one bio. A disk need not end at a page boundary: of its last page only the
 * part that exists is transferred, the rest reads as zeroes.
 *
 * Lock: registry_lock, for adding to block_devices; entries stay for ever, so readers only need to see a
 * finished one. bio_run and what uses it sleep; bio_submit does not.
 */
#include "drivers/blk.h"
#include "abi/errno.h"
#include "arch/arch.h"
#include "check/fail.h"
#include "sched/sched.h"
#include "lib/string.h"
#include "trace/trace.h"

#define SECTORS_PER_PAGE (PAGE_SIZE / SECTOR_SIZE)
#define TRANSFER_MAX ((u32)MIB(1))  // bytes of one bio in blk_transfer

struct list block_devices = LIST_INIT(block_devices);
static struct spinlock registry_lock = SPINLOCK_INIT(RANK_INODE_HASH, "block devices");

// ---- requests

static u64 bio_sectors(const struct bio *b) {
    u64 bytes = 0;

    for (u32 i = 0; i < b->nr_segments; i++) {
        assert(b->segment[i].len > 0 && b->segment[i].len % SECTOR_SIZE == 0);
        bytes += b->segment[i].len;
    }
    return bytes / SECTOR_SIZE;
}

static void finish(struct bio *b, int status) {
    b->status = status;
    b->done(b);
}

// Tell it on the console, once for each device: where there is one bad sector there are more. The driver has moved b->sector
// behind the segments that it started.
static void note_error(const struct bio *b) {
    static const char *const names[] = {"reading", "writing", "flushing"};
    struct block_device *d = b->dev;
    u64 sector = b->sector;

    for (u32 i = 0; i < b->started; i++)
        sector -= b->segment[i].len / SECTOR_SIZE;
    if (b->op != BIO_READ)
        store_relaxed(&d->write_failed, 1u);
    if (!atomic_xchg(&d->failed, 1u))
        kprintf("I/O error, dev %s, sector %lu, %s\n", d->name, sector, names[b->op]);
}

void bio_submit(struct bio *b) {
    struct block_device *d = b->dev;
    u64 n = b->op == BIO_FLUSH ? 0 : bio_sectors(b);

    b->status = 0;
    b->started = b->unfinished = 0;
    if (b->sector > d->sectors || n > d->sectors - b->sector ||
        (b->op == BIO_WRITE && d->read_only))
        return finish(b, -EIO);
    if (fail_now(FAIL_BLOCK)) {
        note_error(b);
        return finish(b, -EIO);
    }
    if (b->op == BIO_FLUSH ? !d->can_flush : n == 0)
        return finish(b, 0);  // nothing to do
    if (b->op == BIO_READ) {
        atomic_add_relaxed(&d->reads, 1);
        atomic_add_relaxed(&d->sectors_read, n);
    } else if (b->op == BIO_WRITE) {
        atomic_add_relaxed(&d->writes, 1);
        atomic_add_relaxed(&d->sectors_written, n);
    }
    atomic_add_relaxed(&io_in_flight, 1);
    trace(TRACE_BLOCK, b, trace_name(d->name, 0), trace_name(d->name, 1), b->op != BIO_READ,
          b->sector, n * SECTOR_SIZE);
    d->submit(b);
}

void bio_end(struct bio *b) {
    atomic_sub(&io_in_flight, 1);
    trace(TRACE_BLOCK_END, b, b->status);
    if (unlikely(b->status))
        note_error(b);
    b->done(b);
}

static void wake_submitter(struct bio *b) { complete(b->context); }

int bio_run(struct bio *b) {
    struct completion finished;

    completion_init(&finished);
    b->context = &finished;
    b->done = wake_submitter;
    bio_submit(b);
    completion_wait(&finished);
    return b->status;
}

static void add_segment(struct bio *b, pa_t pa, u32 len) {
    b->segment[b->nr_segments++] = (struct bio_segment){pa, len};
}

// buf in the direct map
static int blk_transfer(struct block_device *d, enum bio_op op, u64 sector, void *buf, size_t n) {
    struct bio b;
    int error = 0;

    for (size_t done = 0; done < n && error == 0;) {
        u32 piece = (u32)min(n - done, (size_t)TRANSFER_MAX);
        bio_init(&b, op, d, sector + done / SECTOR_SIZE);
        add_segment(&b, va_to_pa((u8 *)buf + done), piece);
        error = bio_run(&b);
        done += piece;
    }
    return error;
}

int blk_flush(struct block_device *d) {
    struct bio b;

    bio_init(&b, BIO_FLUSH, d, 0);
    return bio_run(&b);
}

// ---- the device's own pages

// Bytes of the page that lie on the device.
static u32 page_bytes(const struct block_device *d, u64 index) {
    u64 first = index * SECTORS_PER_PAGE;

    if (index >= (d->sectors + SECTORS_PER_PAGE - 1) / SECTORS_PER_PAGE)
        return 0;
    return (u32)min(d->sectors - first, SECTORS_PER_PAGE) * SECTOR_SIZE;
}

static int device_read_page(struct mapping *m, struct page *p) {
    struct block_device *d = m->host;
    u32 bytes = page_bytes(d, p->cache.index);
    u8 *va = page_va(p);
    int error = 0;

    if (bytes > 0)
        error = blk_transfer(d, BIO_READ, p->cache.index * SECTORS_PER_PAGE, va, bytes);
    if (bytes < PAGE_SIZE)
        memset(va + bytes, 0, PAGE_SIZE - bytes);
    return error;
}

// How many of the n pages follow each other on the device.
static size_t run_length(struct page **pages, size_t n) {
    size_t run = 1;

    while (run < n && run < BIO_MAX_SEGMENTS &&
           pages[run]->cache.index == pages[0]->cache.index + run)
        run++;
    return run;
}

static int device_write_pages(struct mapping *m, struct page **pages, size_t n) {
    struct block_device *d = m->host;
    struct bio b;
    int error = 0;

    for (size_t done = 0, run; done < n; done += run) {
        run = run_length(pages + done, n - done);
        bio_init(&b, BIO_WRITE, d, pages[done]->cache.index * SECTORS_PER_PAGE);
        for (size_t i = done; i < done + run; i++) {
            u32 bytes = page_bytes(d, pages[i]->cache.index);
            if (bytes > 0)
                add_segment(&b, page_to_pa(pages[i]), bytes);
        }
        int r = bio_run(&b);
        if (error == 0)
            error = r;
    }
    return error;
}

static const struct mapping_ops device_ops = {
    .read_page = device_read_page,
    .write_pages = device_write_pages,
};

// ---- registry

int blk_register(struct block_device *d) {
    mapping_init(&d->mapping, &device_ops, d, MAPPING_META);
    d->reads = d->writes = d->sectors_read = d->sectors_written = 0;
    if (blk_find(d->name))
        return -EEXIST;
    spin_lock(&registry_lock);
    list_add_tail(&d->link, &block_devices);
    spin_unlock(&registry_lock);
    return 0;
}

struct block_device *blk_find(const char *name) {
    struct block_device *d, *found = NULL;

    if (strncmp(name, "/dev/", 5) == 0)
        name += 5;
    spin_lock(&registry_lock);
    list_for_each (d, &block_devices, link)
        if (strcmp(d->name, name) == 0)
            found = d;
    spin_unlock(&registry_lock);
    return found;
}

struct block_device *blk_find_devno(u32 devno) {
    struct block_device *d, *found = NULL;

    spin_lock(&registry_lock);
    list_for_each (d, &block_devices, link)
        if (d->devno == devno)
            found = d;
    spin_unlock(&registry_lock);
    return found;
}
