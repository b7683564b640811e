/*
 * Block devices as files: bytes through the device's own pages, dev->mapping.
 *
 * These are the pages that a file system on the device uses for its metadata, so a program sees what a mounted
 * file system has not yet written. Bytes past the last sector do not exist: reading ends there, writing is -ENOSPC.
 *
 * Locks: none of its own. The page lock orders reading in and writing out; two writers of the same bytes
 * overwrite each other as they come.
 */
#include "abi/capability.h"
#include "abi/errno.h"
#include "abi/ioctl.h"
#include "drivers/blk.h"
#include "fs/internal.h"
#include "mm/uaccess.h"

#define BLKBSZGET _IOR(0x12, 112, unsigned long)

static u64 device_size(const struct block_device *d) { return d->sectors * SECTOR_SIZE; }

static int blkdev_open(struct inode *inode, struct file *f) {
    struct block_device *d = blk_find_devno(inode->rdev);
    if (!d)
        return -ENXIO;
    if ((f->mode & FILE_WRITE) && d->read_only)
        return -EROFS;
    f->private_ = d;
    return 0;
}

// Move the bytes of the page at *pos that the device has. Bytes, or negative errno.
static ssize_t move_in_page(struct block_device *d, struct iter *it, u64 *pos, bool write) {
    u64 offset = *pos % PAGE_SIZE;
    size_t want = min(min(it->left, PAGE_SIZE - offset), device_size(d) - *pos);
    struct page *p = pagecache_get(&d->mapping, *pos / PAGE_SIZE);
    if (IS_ERR(p))
        return PTR_ERR(p);
    char *at = (char *)page_va(p) + offset;
    size_t n = write ? iter_get(it, at, want) : iter_put(it, at, want);
    if (write && n)
        page_mark_dirty(p);
    page_put(p);
    *pos += n;
    return n ? (ssize_t)n : -EFAULT;
}

static ssize_t blkdev_move(struct file *f, struct iter *it, u64 *pos, bool write) {
    struct block_device *d = f->private_;
    ssize_t done = 0;
    while (it->left && *pos < device_size(d)) {
        u64 page_left = PAGE_SIZE - *pos % PAGE_SIZE;
        ssize_t n = fatal_signal_pending() ? -EINTR : move_in_page(d, it, pos, write);
        if (n < 0)
            return done ? done : n;
        done += n;
        if (it->left && (u64)n < page_left)
            break;
    }
    return done;
}

static ssize_t blkdev_read(struct file *f, struct iter *to, u64 *pos) {
    struct block_device *d = f->private_;
    u64 first = *pos / PAGE_SIZE;
    if (to->left > PAGE_SIZE && *pos < device_size(d)) {
        u64 n =
            min(div_round_up(to->left, PAGE_SIZE), div_round_up(device_size(d), PAGE_SIZE) - first);
        pagecache_readahead(&d->mapping, first, min(n, 64ul));
    }
    return blkdev_move(f, to, pos, false);
}

static ssize_t blkdev_write(struct file *f, struct iter *from, u64 *pos) {
    bool past = from->left && *pos >= device_size(f->private_);
    return past ? -ENOSPC : blkdev_move(f, from, pos, true);
}

static s64 blkdev_seek(struct file *f, s64 offset, int whence) {
    s64 base = whence == SEEK_CUR   ? (s64)f->pos
               : whence == SEEK_END ? (s64)device_size(f->private_)
                                    : 0;
    s64 to;
    if (whence != SEEK_SET && whence != SEEK_CUR && whence != SEEK_END)
        return -EINVAL;
    if (__builtin_add_overflow(base, offset, &to))
        return -EOVERFLOW;
    if (to < 0)
        return -EINVAL;
    f->pos = to;
    return to;
}

static int blkdev_fsync(struct file *f, bool data_only) {
    struct block_device *d = f->private_;
    (void)data_only;
    int error = pagecache_sync(&d->mapping, 0, ~0ul);
    int flushed = d->can_flush ? blk_flush(d) : 0;
    return error ? error : flushed;
}

static long flush_buffers(struct file *f) {
    struct block_device *d = f->private_;
    if (!capable(CAP_SYS_ADMIN))
        return -EACCES;
    int error = blkdev_fsync(f, false);
    if (!error)
        pagecache_invalidate(&d->mapping);
    return error;
}

static long blkdev_ioctl(struct file *f, u32 cmd, u64 arg) {
    struct block_device *d = f->private_;
    switch (cmd) {
    case BLKGETSIZE:
        return put_user_u64(d->sectors, arg);
    case BLKGETSIZE64:
        return put_user_u64(device_size(d), arg);
    case BLKSSZGET:
        return put_user_u32(SECTOR_SIZE, arg);
    case BLKBSZGET:
        return put_user_u32(PAGE_SIZE, arg);
    case BLKROGET:
        return put_user_u32(d->read_only, arg);
    case BLKFLSBUF:
        return flush_buffers(f);
    }
    return -ENOTTY;
}

const struct file_ops blkdev_ops = {
    .open = blkdev_open,
    .read = blkdev_read,
    .write = blkdev_write,
    .seek = blkdev_seek,
    .ioctl = blkdev_ioctl,
    .poll = poll_always,
    .fsync = blkdev_fsync,
};
