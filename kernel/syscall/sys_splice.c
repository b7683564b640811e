/*
 * System calls that move bytes between two files, or memory and a pipe, without a buffer of the program's: sendfile,
 * copy_file_range, splice, tee, vmsplice. ipc/splice.c moves pages; what has no pipe at one end goes through a page here.
 * Decoders only: no locks, may sleep.
 */
#include "abi/errno.h"
#include "fs/file.h"
#include "ipc/ring.h"
#include "mm/slab.h"
#include "mm/uaccess.h"
#include "proc/signal.h"
#include "syscall/syscall.h"
#include "syscall/uio.h"

struct copy {
    struct file *in, *out;
    u64 *in_pos, *out_pos;  // out_pos NULL: the file's own
};

// One buffer full. Bytes copied, 0 at the end of the file, or errno.
static ssize_t copy_piece(const struct copy *c, char *buf, size_t n) {
    struct iovec v = {buf, n};
    struct iter it;
    u64 start = *c->in_pos;
    iter_init(&it, &v, 1, n, true);
    ssize_t got = file_read(c->in, &it, c->in_pos);
    if (got <= 0)
        return got;
    v.iov_len = got;
    iter_init(&it, &v, 1, got, true);
    ssize_t put = file_write(c->out, &it, c->out_pos);
    *c->in_pos = start + max(put, 0l);
    return put;
}

static ssize_t copy_files(const struct copy *c, size_t n) {
    char *buf = page_alloc_va(0);
    ssize_t done = 0, part = 0;
    if (!buf)
        return -ENOMEM;
    n = min(n, MAX_RW);
    while ((size_t)done < n) {
        part = copy_piece(c, buf, min(n - done, PAGE_SIZE));
        if (part <= 0)
            break;
        done += part;
        if (signal_pending())
            break;
    }
    page_free_va(buf);
    return done ? done : part;
}

// An offset of the caller's if `user` is set, else the file's own: read it. 0 or -EFAULT, -EINVAL
static int offset_in(struct file *f, u64 user, u64 *pos) {
    *pos = f->pos;
    if (user && get_user_u64(pos, user))
        return -EFAULT;
    return (s64)*pos < 0 ? -EINVAL : 0;
}
static int offset_out(struct file *f, u64 user, u64 pos) {
    if (user)
        return put_user_u64(pos, user);
    f->pos = pos;
    return 0;
}

// To a pipe go the pages of a file, not copies; the waiting is the pipe's. Bytes, or errno
static ssize_t send_pages(struct file *in, struct file *out, u64 *pos, size_t n) {
    size_t done = 0;
    ssize_t part = 0;
    while (done < n && !(done && signal_pending())) {
        part = splice_files(in, pos, out, NULL, n - done, false);
        if (part <= 0)
            break;
        done += part;
    }
    return done ? (ssize_t)done : part;
}

static ssize_t send_file(struct file *in, struct file *out, u64 user, size_t n) {
    u64 pos;
    if (user && !(in->mode & FILE_SEEK))
        return -ESPIPE;
    if (!(in->mode & FILE_SEEK) || out->flags & O_APPEND)
        return -EINVAL;
    int error = offset_in(in, user, &pos);
    if (error)
        return error;
    struct copy c = {in, out, &pos, NULL};
    n = min(n, MAX_RW);
    ssize_t done =
        pipe_of(out) && inode_is_reg(in->inode) ? send_pages(in, out, &pos, n) : copy_files(&c, n);
    return done >= 0 && offset_out(in, user, pos) ? -EFAULT : done;
}

// call(in, out, a) with the files of two descriptors: its result, or -EBADF.
static long with_files(u64 in_fd, u64 out_fd, const u64 *a,
                       ssize_t (*call)(struct file *in, struct file *out, const u64 *a)) {
    struct file *in = fd_lookup((int)in_fd), *out = fd_lookup((int)out_fd);
    ssize_t result = in && out ? call(in, out, a) : -EBADF;
    if (in)
        file_put(in);
    if (out)
        file_put(out);
    return result;
}

static ssize_t do_sendfile(struct file *in, struct file *out, const u64 *a) {
    return send_file(in, out, a[2], a[3]);
}
long sys_sendfile(const u64 *a) { return with_files(a[1], a[0], a, do_sendfile); }

static ssize_t do_copy_range(struct file *in, struct file *out, const u64 *a) {
    u64 from, to, n = min(a[4], MAX_RW);
    if ((u32)a[5] || !inode_is_reg(in->inode) || !inode_is_reg(out->inode))
        return inode_is_dir(in->inode) || inode_is_dir(out->inode) ? -EISDIR : -EINVAL;
    if (out->flags & O_APPEND)
        return -EBADF;
    int error = offset_in(in, a[1], &from);
    if (!error)
        error = offset_in(out, a[3], &to);
    if (error)
        return error;
    if (from + n < from || to + n < to || (s64)(from + n) < 0 || (s64)(to + n) < 0)
        return -EOVERFLOW;
    u64 size = READ_ONCE(in->inode->size);
    n = from < size ? min(n, size - from) : 0;
    if (in->inode == out->inode && from < to + n && to < from + n)
        return -EINVAL;
    struct copy c = {in, out, &from, &to};
    ssize_t done = copy_files(&c, n);
    if (done >= 0 && (offset_out(in, a[1], from) || offset_out(out, a[3], to)))
        return -EFAULT;
    return done;
}

long sys_copy_file_range(const u64 *a) { return with_files(a[0], a[2], a, do_copy_range); }

/* ---- through pipes ---- */

// An offset of the caller's is for files that have one. 0, -ESPIPE, -EINVAL, -EFAULT
static int splice_offset(struct file *f, u64 user, u64 *pos) {
    *pos = 0;
    if (user && pipe_of(f))
        return -ESPIPE;
    if (f->mode & FILE_SEEK)
        return offset_in(f, user, pos);
    return user ? -EINVAL : 0;
}

static ssize_t do_splice(struct file *in, struct file *out, const u64 *a) {
    u64 from, to;
    int error = splice_offset(in, a[1], &from) ?: splice_offset(out, a[3], &to);
    if (error)
        return error;
    if (out->flags & O_APPEND && !pipe_of(out))
        return -EINVAL;
    ssize_t done = splice_files(in, &from, out, &to, min(a[4], MAX_RW), a[5] & SPLICE_F_NONBLOCK);
    if (done > 0 && in->mode & FILE_SEEK && offset_out(in, a[1], from))
        return -EFAULT;
    if (done > 0 && out->mode & FILE_SEEK && offset_out(out, a[3], to))
        return -EFAULT;
    return done;
}

long sys_splice(const u64 *a) {
    if ((u32)a[5] & ~SPLICE_F_ALL)
        return -EINVAL;
    return a[4] ? with_files(a[0], a[2], a, do_splice) : 0;
}

static ssize_t do_tee(struct file *in, struct file *out, const u64 *a) {
    return splice_tee(in, out, min(a[2], MAX_RW), a[3] & SPLICE_F_NONBLOCK);
}

long sys_tee(const u64 *a) {
    if ((u32)a[3] & ~SPLICE_F_ALL)
        return -EINVAL;
    return a[2] ? with_files(a[0], a[1], a, do_tee) : 0;
}

// A gift is of whole pages.
static bool may_give(const struct iovec *v, u64 n) {
    for (u64 i = 0; i < n; i++)
        if (((u64)v[i].iov_base | v[i].iov_len) % PAGE_SIZE)
            return false;
    return true;
}

long sys_vmsplice(const u64 *a) {
    struct iovec fast[FAST_IOV], *v;
    struct iter it;
    if ((u32)a[3] & ~SPLICE_F_ALL)
        return -EINVAL;
    struct file *f = fd_lookup((int)a[0]);
    if (!f)
        return -EBADF;
    ssize_t n = import_iov(a[1], a[2], fast, &v);
    if (n >= 0) {
        iter_init(&it, v, a[2], n, false);
        n = a[3] & SPLICE_F_GIFT && !may_give(v, a[2])
                ? -EINVAL
                : splice_memory(f, &it, a[3] & SPLICE_F_NONBLOCK);
        if (v != fast)
            kfree(v);
    }
    file_put(f);
    return n;
}
