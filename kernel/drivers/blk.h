// Block devices and their requests.
#ifndef DRIVERS_BLK_H
#define DRIVERS_BLK_H

#include "lib/list.h"
#include "lib/types.h"
#include "mm/pagecache.h"
#include "sync/block.h"

#define SECTOR_SIZE 512u

enum bio_op { BIO_READ, BIO_WRITE, BIO_FLUSH };
#define BIO_MAX_SEGMENTS 64

// One transfer between consecutive sectors and pieces of memory. Owned by the submitter until done() is called.
struct bio {
    enum bio_op op;
    struct block_device *dev;
    u64 sector;
    u32 nr_segments;
    struct bio_segment {
        pa_t pa;
        u32 len;  // bytes, a multiple of SECTOR_SIZE
    } segment[BIO_MAX_SEGMENTS];
    int status;                  // 0 or -EIO, valid in done()
    void (*done)(struct bio *);  // interrupts may be off, no lock held; the last use of the bio
    void *context;
    // of the driver, while it has the bio
    struct list link;
    u32 started;     // segments given to the device
    u32 unfinished;  // requests that the device works on
};

struct block_device {
    char name[16];  // "vda"
    u32 devno;      // as stat's rdev: major << 8 | minor
    u64 sectors;
    bool read_only;
    bool can_flush;
    u32 failed, write_failed;  // [a] a transfer failed, and was told of on the console; a write did
    // Never sleeps longer than for a free slot; calls done() later or at once
    void (*submit)(struct bio *);
    void *driver;
    struct mapping mapping;  // the device's own pages: file-system metadata
    struct list link;
    u64 reads, writes, sectors_read, sectors_written;  // [a]
};

int blk_register(struct block_device *d);         // 0 or -EEXIST; initialises mapping
struct block_device *blk_find(const char *name);  // "vda" or "/dev/vda"; NULL
struct block_device *blk_find_devno(u32 devno);
extern struct list block_devices;  // block_device.link; only grows

static inline void bio_init(struct bio *b, enum bio_op op, struct block_device *d, u64 sector) {
    b->op = op;
    b->dev = d;
    b->sector = sector;
    b->nr_segments = 0;
    b->status = 0;
}
void bio_submit(struct bio *b);  // checks the range; -EIO through done() when outside
void bio_end(struct bio *b);     // by a driver, in place of done(): the bio it was given is over
int bio_run(struct bio *b);      // submit and wait: 0 or -EIO
int blk_flush(struct block_device *d);  // all finished writes are on the medium: 0 or -EIO

#endif
