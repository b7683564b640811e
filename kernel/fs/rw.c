/*
 * Reading and writing through a description: access mode, offset, then the method of what is open.
 *
 * The offset is shared by all descriptors and processes that have the description. pos_lock makes a read and the
 * moving of the offset one step; a description with a single reference has nobody to share with and takes no lock.
 */
#include "fs/internal.h"

// The file's own offset, locked if it must be.
static inline u64 *pos_get(struct file *f, bool *locked) {
    *locked = ref_read(&f->ref) > 1;
    if (*locked)
        mutex_lock(&f->pos_lock);
    return &f->pos;
}

static ssize_t read_own_pos(struct file *f, struct iter *to) {
    bool locked;
    u64 *pos = pos_get(f, &locked);
    ssize_t n = f->ops->read(f, to, pos);
    if (locked)
        mutex_unlock(&f->pos_lock);
    return n;
}

ssize_t file_read(struct file *f, struct iter *to, u64 *pos) {
    if (unlikely(!(f->mode & FILE_READ)))
        return -EBADF;
    if (unlikely(!f->ops->read))
        return -EINVAL;
    return pos || f->mode & FILE_STREAM ? f->ops->read(f, to, pos) : read_own_pos(f, to);
}

static ssize_t write_own_pos(struct file *f, struct iter *from) {
    bool locked;
    u64 *pos = pos_get(f, &locked);
    ssize_t n = f->ops->write(f, from, pos);
    if (locked)
        mutex_unlock(&f->pos_lock);
    return n;
}

// O_DSYNC, O_SYNC: what was written is on the disk when the call returns.
static ssize_t write_synced(struct file *f, ssize_t n) {
    int error = n > 0 && f->ops->fsync ? f->ops->fsync(f, !(f->flags & __O_SYNC)) : 0;
    return error ? error : n;
}

ssize_t file_write(struct file *f, struct iter *from, u64 *pos) {
    if (unlikely(!(f->mode & FILE_WRITE)))
        return -EBADF;
    if (unlikely(!f->ops->write))
        return -EINVAL;
    if (f->mode & FILE_STREAM)
        return f->ops->write(f, from, pos);
    ssize_t n = pos ? f->ops->write(f, from, pos) : write_own_pos(f, from);
    return unlikely(f->flags & O_DSYNC) ? write_synced(f, n) : n;
}

ssize_t file_read_kernel(struct file *f, void *buf, size_t n, u64 pos) {
    struct iovec v = {buf, n};
    struct iter it;
    if (!f->ops->read)
        return -EINVAL;
    iter_init(&it, &v, 1, n, true);
    return f->ops->read(f, &it, &pos);
}

int file_fsync(struct file *f, bool data_only) {
    if (f->flags & O_PATH)
        return -EBADF;
    return f->ops->fsync ? f->ops->fsync(f, data_only) : -EINVAL;
}

s64 file_seek(struct file *f, s64 offset, int whence) {
    bool locked = false;
    if (f->flags & O_PATH)
        return -EBADF;
    if (!f->ops->seek)
        return -ESPIPE;
    if (!(f->mode & FILE_STREAM))
        pos_get(f, &locked);
    s64 result = f->ops->seek(f, offset, whence);
    if (locked)
        mutex_unlock(&f->pos_lock);
    return result;
}

ssize_t read_is_dir(struct file *f, struct iter *to, u64 *pos) {
    (void)f, (void)to, (void)pos;
    return -EISDIR;
}

u32 poll_always(struct file *f, struct poll_table *pt) {
    (void)f, (void)pt;
    return POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
}

s64 dir_seek(struct file *f, s64 offset, int whence) {
    if (whence == SEEK_CUR && __builtin_add_overflow(offset, (s64)f->pos, &offset))
        return -EOVERFLOW;
    if ((whence != SEEK_SET && whence != SEEK_CUR) || offset < 0)
        return -EINVAL;
    return f->pos = offset;
}
