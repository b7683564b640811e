/*
 * Disks: vda, vdb … in the order of the device tree.
 *
 * A bio becomes one request of the device, or several when it has more pieces than the device takes at once.
 * A request is a chain: a header, the pieces of memory, a byte for the result. With INDIRECT_DESC the chain lies in
 * a table of the request's own and takes one entry of the queue.
 *
 *   disk_submit: bio -> d->waiting -> requests, as long as one is free -> device -> interrupt -> done()
 *
 * Bios wait in order when no request is free, and the interrupt that frees one starts the next, so submitting
 * never sleeps. Finished bios are collected under the lock and their done() is called without it.
 *
 * A device that lies (virtq_take finds out) is reset; everything under way and all that comes later is -EIO.
 *
 * Lock: disk->lock (interrupt-safe) guards the queue, the requests and d->waiting.
 * Source: VIRTIO 1.2, section 5.2.
 */
#include "abi/errno.h"
#include "arch/arch.h"
#include "check/chaos.h"
#include "drivers/blk.h"
#include "drivers/virtio.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/page.h"
#include "mm/slab.h"
#include "time/timer.h"

#define BLK_F_SEG_MAX VIRTIO_F(2)
#define BLK_F_RO VIRTIO_F(5)
#define BLK_F_FLUSH VIRTIO_F(9)
#define CONFIG_CAPACITY 0  // u64, sectors
#define CONFIG_SEG_MAX 12  // u32

#define BLK_T_IN 0
#define BLK_T_OUT 1
#define BLK_T_FLUSH 4
#define BLK_S_OK 0
#define BLK_S_NONE 0xff  // ours: the device has not written it

#define REQUESTS_ORDER 4  // 64 KiB of requests per disk
#define QUEUE_MAX 128
#define DISK_MAJOR 254  // device numbers: 16 minors per disk, for partitions elsewhere
#define DISK_MINORS 16
#define MAX_DISKS 16

// [d] disk->lock
struct request {
    struct {
        u32 type, reserved;
        u64 sector;
    } header;                                       // [d] read by the device
    u8 status;                                      // written by the device
    struct bio *bio;                                // [d]
    struct list link;                               // [d] in disk->free
    struct virtq_desc piece[BIO_MAX_SEGMENTS + 2];  // read by the device if INDIRECT_DESC
};
#define NR_REQUESTS ((PAGE_SIZE << REQUESTS_ORDER) / sizeof(struct request))

struct disk {
    struct irqlock lock;
    struct virtio_device *dev;  // [I]
    struct virtqueue queue;     // [d]
    u32 most;                   // [I] pieces per request
    struct page *requests;      // [I] memory of all requests
    struct list free;           // [d] requests
    struct list waiting;        // [d] bios that are not wholly started
    struct block_device block;
};

static u32 nr_disks;  // only changes while devices are probed, on one hart

// ---- starting. => d->lock held

// Give the device the next part of the bio. False: no request or no room in the queue.
static bool start_part(struct disk *d, struct bio *b) {
    struct request *r = list_first_or_null(&d->free, struct request, link);
    u32 n = 0, count = min(b->nr_segments - b->started, d->most);
    u64 sectors = 0;

    if (!r)
        return false;
    struct virtq_desc *piece = r->piece;
    piece[n++] = (struct virtq_desc){va_to_pa(&r->header), sizeof(r->header), 0, 0};
    for (u32 i = 0; b->op != BIO_FLUSH && i < count; i++) {
        const struct bio_segment *s = &b->segment[b->started + i];
        piece[n++] = (struct virtq_desc){s->pa, s->len, b->op == BIO_READ ? VIRTQ_WRITE : 0, 0};
        sectors += s->len / SECTOR_SIZE;
    }
    piece[n++] = (struct virtq_desc){va_to_pa(&r->status), 1, VIRTQ_WRITE, 0};
    r->header.type = b->op == BIO_READ ? BLK_T_IN : b->op == BIO_WRITE ? BLK_T_OUT : BLK_T_FLUSH;
    r->header.sector = b->op == BIO_FLUSH ? 0 : b->sector;
    r->status = BLK_S_NONE;
    r->bio = b;
    bool indirect = d->dev->features & VIRTIO_F_INDIRECT_DESC;
    if (virtq_add(&d->queue, piece, n, indirect, r) != 0)
        return false;
    list_del(&r->link);
    b->sector += sectors;
    b->started += count;
    b->unfinished++;
    return true;
}

static bool wholly_started(const struct bio *b) {
    return b->unfinished > 0 && (b->op == BIO_FLUSH || b->started == b->nr_segments);
}

#ifdef CHECK_CHAOS
// Tell the device. Under CHECK=chaos on one hart a transfer takes DISK_TIME, whatever it takes the host, so that runs are
// alike to the instruction. Reading registers lets much of the host's time pass for little of ours.
#define DISK_TIME (10 * NSEC_PER_MSEC)
static void kick(struct disk *d) {
    u64 end = clock_ns() + DISK_TIME;
    if (!chaos_repeatable() || d->queue.seen == d->queue.avail->idx)
        return virtq_kick(&d->queue);
    time_set_mark(end);
    virtq_kick(&d->queue);
    while (d->queue.used->idx != d->queue.avail->idx)
        virtio_config64(d->dev, CONFIG_CAPACITY);
    virtio_config64(d->dev, CONFIG_CAPACITY);  // now the interrupt is there too
    time_wait_mark(end);
}
#else
static void kick(struct disk *d) { virtq_kick(&d->queue); }
#endif

static void start_waiting(struct disk *d) {
    while (!list_empty(&d->waiting)) {
        struct bio *b = list_first(&d->waiting, struct bio, link);
        if (!start_part(d, b))
            break;
        if (wholly_started(b))
            list_del(&b->link);
    }
    kick(d);
}

// ---- finishing

// => d->lock held. A request is over: its bio goes to `finished` when it was the last one.
static void end_request(struct disk *d, struct request *r, bool ok, struct list *finished) {
    struct bio *b = r->bio;

    r->bio = NULL;
    list_add(&r->link, &d->free);
    if (!ok)
        b->status = -EIO;
    if (--b->unfinished == 0 && list_empty(&b->link))
        list_add_tail(&b->link, finished);
}

// => d->lock held. The device is broken: everything fails.
static void fail_all(struct disk *d, struct list *finished) {
    struct bio *b, *next;
    struct request *r;

    list_for_each_safe (b, next, &d->waiting, link) {
        b->status = -EIO;
        list_del(&b->link);
        if (b->unfinished == 0)
            list_add_tail(&b->link, finished);
    }
    while ((r = virtq_take_back(&d->queue)) != NULL)
        end_request(d, r, false, finished);
}

// => no locks
static void call_done(struct list *finished) {
    while (!list_empty(finished)) {
        struct bio *b = list_first(finished, struct bio, link);
        list_del(&b->link);
        bio_end(b);
    }
}

static void disk_interrupt(struct virtio_device *dev) {
    struct disk *d = dev->driver;
    struct list finished = LIST_INIT(finished);
    struct request *r;

    irqlock_acquire_irqs_off(&d->lock);
    do
        while ((r = virtq_take(&d->queue, NULL)) != NULL)
            end_request(d, r, READ_ONCE(r->status) == BLK_S_OK, &finished);
    while (!dev->broken && !virtq_enable_interrupt(&d->queue));
    if (dev->broken)
        fail_all(d, &finished);
    else
        start_waiting(d);
    irqlock_release_irqs_off(&d->lock);
    call_done(&finished);
}

static void disk_submit(struct bio *b) {
    struct disk *d = b->dev->driver;
    u64 flags = irqlock_acquire(&d->lock);
    bool broken = d->dev->broken;

    if (!broken) {
        list_add_tail(&b->link, &d->waiting);
        start_waiting(d);
    }
    irqlock_release(&d->lock, flags);
    if (broken) {
        b->status = -EIO;
        bio_end(b);
    }
}

// ---- probing

static int make_requests(struct disk *d) {
    d->requests = page_alloc(REQUESTS_ORDER, ALLOC_ZERO);
    if (!d->requests)
        return -ENOMEM;
    struct request *r = page_va(d->requests);
    for (u32 i = 0; i < NR_REQUESTS; i++)
        list_add_tail(&r[i].link, &d->free);
    return 0;
}

// Pieces of memory in one request, besides header and status: a chain is never longer than the queue.
static u32 most_pieces(struct disk *d) {
    u32 most = min(BIO_MAX_SEGMENTS + 0u, d->queue.size - 2);

    if (d->dev->features & BLK_F_SEG_MAX)
        most = min(most, virtio_config32(d->dev, CONFIG_SEG_MAX));
    return max(most, 1u);
}

static int set_up(struct disk *d) {
    struct virtio_device *dev = d->dev;
    u64 wanted =
        BLK_F_SEG_MAX | BLK_F_RO | BLK_F_FLUSH | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX;
    int error = virtio_negotiate(dev, wanted);

    if (error == 0)
        error = virtq_init(&d->queue, dev, 0, QUEUE_MAX);
    if (error == 0 && d->queue.size < 4) {
        kprintf("virtio: %s: a queue of %u is too small\n", dev->name, d->queue.size);
        error = -ENODEV;
    }
    if (error == 0)
        error = make_requests(d);
    if (error)
        return error;
    d->most = most_pieces(d);
    return virtio_start(dev);
}

static int disk_probe(struct virtio_device *dev) {
    struct disk *d = nr_disks < MAX_DISKS ? kzalloc(sizeof(*d)) : NULL;

    if (!d)
        return -ENOMEM;
    irqlock_init(&d->lock, RANK_DEVICE, "disk");
    list_init(&d->free);
    list_init(&d->waiting);
    d->dev = dev;
    dev->driver = d;
    dev->interrupt = disk_interrupt;
    int error = set_up(d);
    if (error) {
        virtq_destroy(&d->queue);
        if (d->requests)
            page_free(d->requests, REQUESTS_ORDER);
        kfree(d);
        return error;
    }
    struct block_device *b = &d->block;
    snprintf(b->name, sizeof(b->name), "vd%c", 'a' + (char)nr_disks);
    b->devno = DISK_MAJOR << 8 | nr_disks * DISK_MINORS;
    b->sectors = virtio_config64(dev, CONFIG_CAPACITY);
    b->read_only = dev->features & BLK_F_RO;
    b->can_flush = dev->features & BLK_F_FLUSH;
    b->submit = disk_submit;
    b->driver = d;
    nr_disks++;
    if (blk_register(b) != 0)
        virtio_break(dev, "its name is taken");
    return 0;
}

const struct virtio_driver virtio_blk_driver = {.id = VIRTIO_ID_BLOCK, .probe = disk_probe};
