/*
 * System calls on open files: reading and writing, descriptors, fcntl, poll, and what takes a descriptor only.
 * Calls that take names are in sys_path.c. Decoders only: no locks, may sleep.
 */
#include "abi/dirent.h"
#include "abi/errno.h"
#include "abi/ioctl.h"
#include "abi/poll.h"
#include "abi/resource.h"
#include "abi/uio.h"
#include "fs/file.h"
#include "ipc/event.h"
#include "ipc/pipe.h"
#include "lib/bitmap.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/uaccess.h"
#include "proc/signal.h"
#include "syscall/syscall.h"
#include "syscall/uio.h"
#include "time/posix.h"

/* ---- read and write ---- */

static inline __attribute__((always_inline)) long rw(const u64 *a, bool write) {
    struct fd_ref r = fd_get((int)a[0]);
    if (!r.file)
        return -EBADF;
    ssize_t n = -EFAULT;
    if (user_range_ok(a[1], a[2])) {
        struct iovec v = {(void *)a[1], min(a[2], MAX_RW)};
        struct iter it;
        iter_init(&it, &v, 1, v.iov_len, false);
        n = write ? file_write(r.file, &it, NULL) : file_read(r.file, &it, NULL);
    }
    fd_put(r);
    return n;
}
long sys_read(const u64 *a) { return rw(a, false); }
long sys_write(const u64 *a) { return rw(a, true); }

// Read or write n bytes at an offset of the caller's.
static long rw_at(int fd, const struct iovec *v, u32 segments, size_t n, s64 offset, bool write) {
    struct iter it;
    if (offset < 0)
        return -EINVAL;
    struct fd_ref r = fd_get(fd);
    if (!r.file)
        return -EBADF;
    ssize_t done = -ESPIPE;
    if (r.file->mode & FILE_SEEK) {
        u64 pos = offset;
        iter_init(&it, v, segments, n, false);
        done = write ? file_write(r.file, &it, &pos) : file_read(r.file, &it, &pos);
    }
    fd_put(r);
    return done;
}

static long rw_buffer_at(const u64 *a, bool write) {
    if (!user_range_ok(a[1], a[2]))
        return -EFAULT;
    struct iovec v = {(void *)a[1], min(a[2], MAX_RW)};
    return rw_at((int)a[0], &v, 1, v.iov_len, a[3], write);
}
long sys_pread64(const u64 *a) { return rw_buffer_at(a, false); }
long sys_pwrite64(const u64 *a) { return rw_buffer_at(a, true); }

ssize_t import_iov(u64 src, u64 n, struct iovec *fast, struct iovec **v) {
    u64 total = 0;
    *v = fast;
    if (n > UIO_MAXIOV)
        return -EINVAL;
    if (n > FAST_IOV && !(*v = kmalloc(n * sizeof(**v), 0)))
        return -ENOMEM;
    ssize_t error = copy_from_user(*v, src, n * sizeof(**v));
    for (u64 i = 0; i < n && !error; i++) {
        struct iovec *s = *v + i;
        if ((s64)s->iov_len < 0)
            error = -EINVAL;
        else if (!user_range_ok((u64)s->iov_base, s->iov_len))
            error = -EFAULT;
        s->iov_len = min(s->iov_len, MAX_RW - total);
        total += s->iov_len;
    }
    if (!error)
        return total;
    if (*v != fast)
        kfree(*v);
    return error;
}

static long rw_vector(int fd, u64 list, u64 count, const s64 *offset, bool write) {
    struct iovec fast[FAST_IOV], *v;
    struct iter it;
    ssize_t n = import_iov(list, count, fast, &v);
    if (n < 0)
        return n;
    if (offset) {
        n = rw_at(fd, v, count, n, *offset, write);
    } else {
        struct fd_ref r = fd_get(fd);
        iter_init(&it, v, count, n, false);
        n = !r.file ? -EBADF : write ? file_write(r.file, &it, NULL) : file_read(r.file, &it, NULL);
        if (r.file)
            fd_put(r);
    }
    if (v != fast)
        kfree(v);
    return n;
}
long sys_readv(const u64 *a) { return rw_vector((int)a[0], a[1], a[2], NULL, false); }
long sys_writev(const u64 *a) { return rw_vector((int)a[0], a[1], a[2], NULL, true); }
long sys_preadv(const u64 *a) {
    return rw_vector((int)a[0], a[1], a[2], (const s64 *)&a[3], false);
}
long sys_pwritev(const u64 *a) {
    return rw_vector((int)a[0], a[1], a[2], (const s64 *)&a[3], true);
}

long sys_lseek(const u64 *a) {
    struct fd_ref r = fd_get((int)a[0]);
    if (!r.file)
        return -EBADF;
    s64 result = file_seek(r.file, (s64)a[1], (int)a[2]);
    fd_put(r);
    return result;
}

/* ---- descriptors ---- */

long sys_close(const u64 *a) { return fd_close((int)a[0]); }

static long duplicate(int fd, int min_fd, bool cloexec) {
    struct file *f = fd_lookup(fd);
    return f ? fd_give(f, min_fd, cloexec) : -EBADF;
}
long sys_dup(const u64 *a) { return duplicate((int)a[0], 0, false); }

long sys_dup3(const u64 *a) {
    if ((u32)a[2] & ~O_CLOEXEC || (int)a[0] == (int)a[1])
        return -EINVAL;
    return fd_dup2((int)a[0], (int)a[1], a[2] & O_CLOEXEC);
}

long sys_close_range(const u64 *a) { return fd_close_range((u32)a[0], (u32)a[1], (u32)a[2]); }

long install_pair(struct file *f[2], bool cloexec, u64 user) {
    int fd[2] = {fd_reserve(cloexec)};
    fd[1] = fd[0] < 0 ? fd[0] : fd_reserve(cloexec);
    int error = fd[1] < 0 ? fd[1] : copy_to_user(user, fd, sizeof(fd));
    for (int i = 0; i < 2; i++) {
        if (!error) {
            fd_install(fd[i], f[i]);
            continue;
        }
        if (fd[i] >= 0)
            fd_release(fd[i]);
        file_put(f[i]);
    }
    return error;
}

long sys_pipe2(const u64 *a) {
    struct file *ends[2];
    int flags = (int)a[1], error = pipe_create(ends, flags);
    return error ? error : install_pair(ends, flags & O_CLOEXEC, a[0]);
}

#define SETTABLE (O_APPEND | O_NONBLOCK | O_ASYNC | O_DIRECT | O_NOATIME)

static void set_flags(struct file *f, u32 mask, u32 flags) {
    u32 old = load_relaxed(&f->flags);
    while (!atomic_cmpxchg(&f->flags, &old, (old & ~mask) | (flags & mask)))
        ;
}

static long duplicate_from(int fd, u64 min_fd, bool cloexec) {
    if (min_fd >= current->process->limit[RLIMIT_NOFILE].rlim_cur)
        return -EINVAL;
    return duplicate(fd, (int)min_fd, cloexec);
}

static long fcntl_file(struct file *f, int cmd, u64 arg) {
    switch (cmd) {
    case F_GETFL:
        return load_relaxed(&f->flags);
    case F_SETFL:
        set_flags(f, SETTABLE, (u32)arg);
        return 0;
    case F_GETLK:
    case F_SETLK:
    case F_SETLKW:
        return file_posix_lock(f, cmd, arg);
    case F_GETOWN:
        return f->owner;
    case F_SETOWN:
        f->owner = (int)arg;
        return 0;
    case F_ADD_SEALS:
    case F_GET_SEALS:
        return file_seals(f, cmd, arg);
    case F_GETPIPE_SZ:
    case F_SETPIPE_SZ:
        return pipe_fcntl(f, cmd, arg);
    default:
        return -EINVAL;
    }
}

long sys_fcntl(const u64 *a) {
    int fd = (int)a[0], cmd = (int)a[1];
    switch (cmd) {
    case F_DUPFD:
        return duplicate_from(fd, (u32)a[2], false);
    case F_DUPFD_CLOEXEC:
        return duplicate_from(fd, (u32)a[2], true);
    case F_GETFD:
        return fd_get_cloexec(fd);
    case F_SETFD:
        return fd_set_cloexec(fd, a[2] & FD_CLOEXEC);
    }
    struct fd_ref r = fd_get(fd);
    if (!r.file)
        return -EBADF;
    long result = r.file->flags & O_PATH && cmd != F_GETFL ? -EBADF : fcntl_file(r.file, cmd, a[2]);
    fd_put(r);
    return result;
}

long sys_memfd_create(const u64 *a) { return memfd_create(a[0], (u32)a[1]); }

static long set_nonblock(struct file *f, u64 user) {
    u32 on;
    if (get_user_u32(&on, user))
        return -EFAULT;
    set_flags(f, O_NONBLOCK, on ? O_NONBLOCK : 0);
    return 0;
}

static long bytes_left(const struct file *f, u64 user) {
    u64 size = f->inode->size, pos = f->pos;
    return put_user_u32(size > pos ? (u32)min(size - pos, 0x7ffffffful) : 0, user);
}

long sys_ioctl(const u64 *a) {
    struct fd_ref r = fd_get((int)a[0]);
    struct file *f = r.file;
    u32 cmd = (u32)a[1];
    long result;
    if (!f)
        return -EBADF;
    if (f->flags & O_PATH)
        result = -EBADF;
    else if (cmd == FIOCLEX || cmd == FIONCLEX)
        result = fd_set_cloexec((int)a[0], cmd == FIOCLEX);
    else if (cmd == FIONBIO)
        result = set_nonblock(f, a[2]);
    else if (cmd == FIONREAD && inode_is_reg(f->inode))
        result = bytes_left(f, a[2]);
    else
        result = f->ops->ioctl ? f->ops->ioctl(f, cmd, a[2]) : -ENOTTY;
    fd_put(r);
    return result;
}

long sys_flock(const u64 *a) {
    struct fd_ref r = fd_get((int)a[0]);
    if (!r.file)
        return -EBADF;
    long result = r.file->flags & O_PATH ? -EBADF : file_flock(r.file, (int)a[1]);
    fd_put(r);
    return result;
}

/* ---- size, disk ---- */

long sys_ftruncate(const u64 *a) {
    struct fd_ref r = fd_get((int)a[0]);
    if (!r.file)
        return -EBADF;
    long result = -EINVAL;
    if (!(r.file->flags & O_PATH) && (s64)a[1] >= 0 && r.file->mode & FILE_WRITE &&
        inode_is_reg(r.file->inode)) {
        result = inode_set_size(r.file->inode, a[1]);
    } else if (r.file->flags & O_PATH) {
        result = -EBADF;
    }
    fd_put(r);
    return result;
}

static long allocate(struct file *f, u64 mode, s64 offset, s64 length) {
    if (offset < 0 || length <= 0)
        return -EINVAL;
    if (!(f->mode & FILE_WRITE))
        return -EBADF;
    if (!inode_is_reg(f->inode))
        return inode_is_dir(f->inode) ? -EISDIR : f->mode & FILE_SEEK ? -ENODEV : -ESPIPE;
    if (length > INT64_MAX - offset)
        return -EFBIG;
    return filemap_allocate(f, (u32)mode, offset, length);
}

long sys_fallocate(const u64 *a) {
    struct fd_ref r = fd_get((int)a[0]);
    if (!r.file)
        return -EBADF;
    long result = allocate(r.file, (u32)a[1], a[2], a[3]);
    fd_put(r);
    return result;
}

static long sync_file(int fd, bool data_only) {
    struct fd_ref r = fd_get(fd);
    if (!r.file)
        return -EBADF;
    long result = r.file->flags & O_PATH ? -EBADF : file_fsync(r.file, data_only);
    fd_put(r);
    return result;
}
long sys_fsync(const u64 *a) { return sync_file((int)a[0], false); }
long sys_fdatasync(const u64 *a) { return sync_file((int)a[0], true); }

long sys_syncfs(const u64 *a) {
    struct fd_ref r = fd_get((int)a[0]);
    if (!r.file)
        return -EBADF;
    long result = r.file->flags & O_PATH ? -EBADF : vfs_syncfs(r.file->inode->sb);
    fd_put(r);
    return result;
}

long sys_sync(NO_ARGS) {
    vfs_sync();
    return 0;
}

static long advise(struct file *f, u64 offset, s64 length, int advice) {
    if (!(f->mode & FILE_SEEK))
        return -ESPIPE;
    if (length < 0 || advice < POSIX_FADV_NORMAL || advice > POSIX_FADV_NOREUSE)
        return -EINVAL;
    u64 size = f->inode->size;
    if (advice != POSIX_FADV_WILLNEED || !inode_is_reg(f->inode) || offset >= size)
        return 0;
    u64 end = length && (u64)length < size - offset ? offset + length : size;
    u64 first = offset >> PAGE_SHIFT, last = (end - 1) >> PAGE_SHIFT;
    pagecache_readahead(&f->inode->mapping, first, min(last - first + 1, 512ul));
    return 0;
}

long sys_fadvise64(const u64 *a) {
    struct fd_ref r = fd_get((int)a[0]);
    if (!r.file)
        return -EBADF;
    long result = advise(r.file, a[1], a[2], (int)a[3]);
    fd_put(r);
    return result;
}

/* ---- directories ---- */

struct dirents {
    struct dir_emit emit;
    u64 next, end;  // user addresses
    int error;
};

static bool put_dirent(struct dir_emit *emit, const char *name, size_t len, u64 ino, u8 type,
                       u64 next_pos) {
    struct dirents *d = container_of(emit, struct dirents, emit);
    char buf[ABI_DIRENT_RECLEN(NAME_MAX)] __aligned(8);
    struct abi_dirent *e = (struct abi_dirent *)buf;
    size_t size = ABI_DIRENT_RECLEN(len);
    if (size > d->end - d->next) {
        d->error = -EINVAL;  // what is reported when not even one entry fits
        return false;
    }
    *(u64 *)(buf + size - 8) = 0;
    e->d_ino = ino;
    e->d_off = next_pos;
    e->d_reclen = size;
    e->d_type = type;
    memcpy(e->d_name, name, len);
    e->d_name[len] = 0;
    if (copy_to_user(d->next, buf, size)) {
        d->error = -EFAULT;
        return false;
    }
    d->next += size;
    return true;
}

static long list_directory(struct file *f, u64 buf, u32 size) {
    struct dirents d = {.emit.entry = put_dirent, .next = buf, .end = buf + size};
    if (!user_range_ok(buf, size))
        return -EFAULT;
    if (!f->ops->readdir)
        return -ENOTDIR;
    if (inode_is_dir(f->inode) && f->inode->nlink == 0)
        return -ENOENT;
    mutex_lock(&f->pos_lock);
    int error = f->ops->readdir(f, &d.emit, &f->pos);
    mutex_unlock(&f->pos_lock);
    if (d.next > buf)
        return d.next - buf;
    return error ? error : d.error;
}

long sys_getdents64(const u64 *a) {
    struct fd_ref r = fd_get((int)a[0]);
    if (!r.file)
        return -EBADF;
    long result = r.file->mode & FILE_READ ? list_directory(r.file, a[1], (u32)a[2]) : -EBADF;
    fd_put(r);
    return result;
}

/* ---- poll and select ---- */

// Tell how much of the time is left, as Linux does. Of no time it was none.
static void time_left_out(u64 user, u64 deadline) {
    if (!user || deadline == TIME_NEVER || deadline == 0)
        return;
    u64 now = clock_ns();
    struct timespec t = ns_to_timespec(deadline > now ? deadline - now : 0);
    copy_to_user(user, &t, sizeof(t));  // memory that cannot be written is not an error, select(2)
}

static int mask_in(u64 user, u64 size, u64 *mask) {
    if (size != sizeof(sigset_t))
        return -EINVAL;
    return get_user_u64(mask, user);
}

// Wait under the caller's mask. The old one comes back here, or after the handler that interrupts the wait.
static long poll_with_mask(struct pollfd *fds, u32 n, u64 deadline, const u64 *mask) {
    if (mask)
        signal_use_mask(*mask);
    long result = poll_files(fds, n, deadline);
    if (result < 0 && result <= -ERESTARTSYS)
        return -ERESTARTNOHAND;
    if (mask)
        signal_restore_mask();
    return result;
}

static long poll_user(u64 user, u32 n, u64 deadline, const u64 *mask) {
    struct pollfd fast[16], *fds = fast;
    if (n > current->process->limit[RLIMIT_NOFILE].rlim_cur)
        return -EINVAL;
    if (n > ARRAY_SIZE(fast) && !(fds = kmalloc(n * sizeof(*fds), 0)))
        return -ENOMEM;
    long result = copy_from_user(fds, user, n * sizeof(*fds));
    if (!result)
        result = poll_with_mask(fds, n, deadline, mask);
    if (result >= 0 && copy_to_user(user, fds, n * sizeof(*fds)))
        result = -EFAULT;
    if (fds != fast)
        kfree(fds);
    return result;
}

long sys_ppoll(const u64 *a) {
    u64 deadline, mask;
    int error = deadline_in(a[2], &deadline);
    if (!error && a[3])
        error = mask_in(a[3], a[4], &mask);
    if (error)
        return error;
    long result = poll_user(a[0], (u32)a[1], deadline, a[3] ? &mask : NULL);
    time_left_out(a[2], deadline);
    return result;
}

/* ---- eventfd, epoll ---- */

long sys_eventfd2(const u64 *a) { return eventfd_open((u32)a[0], (u32)a[1]); }
long sys_epoll_create1(const u64 *a) { return epoll_open((u32)a[0]); }

long sys_epoll_ctl(const u64 *a) {
    struct epoll_event event = {0};
    if ((int)a[1] != EPOLL_CTL_DEL && copy_from_user(&event, a[3], sizeof(event)))
        return -EFAULT;
    struct fd_ref r = fd_get((int)a[0]);
    if (!r.file)
        return -EBADF;
    long result = epoll_ctl(r.file, (int)a[1], (int)a[2], &event);
    fd_put(r);
    return result;
}

// a: of epoll_pwait(2), apart from the time.
static long wait_with_mask(const u64 *a, u64 deadline) {
    u64 mask;
    int error = a[4] ? mask_in(a[4], a[5], &mask) : 0;
    if (error)
        return error;
    struct fd_ref r = fd_get((int)a[0]);
    if (!r.file)
        return -EBADF;
    if (a[4])
        signal_use_mask(mask);
    long result = epoll_wait(r.file, a[1], (int)a[2], deadline);
    if (a[4] && result != -EINTR)  // then it comes back after the handler
        signal_restore_mask();
    fd_put(r);
    return result;
}

long sys_epoll_pwait(const u64 *a) {
    int ms = (int)a[3];
    return wait_with_mask(a, ms < 0 ? TIME_NEVER : ms ? deadline_after(ms * NSEC_PER_MSEC) : 0);
}

long sys_epoll_pwait2(const u64 *a) {
    u64 deadline;
    int error = deadline_in(a[3], &deadline);
    return error ? error : wait_with_mask(a, deadline);
}

#define SELECT_IN (POLLIN | POLLRDNORM | POLLRDBAND | POLLHUP | POLLERR)
#define SELECT_OUT (POLLOUT | POLLWRNORM | POLLWRBAND | POLLERR)
#define SELECT_EXCEPT POLLPRI

static const struct {
    u16 ask, answer;
} select_kinds[3] = {{POLLIN | POLLRDNORM | POLLRDBAND, SELECT_IN},
                     {POLLOUT | POLLWRNORM | POLLWRBAND, SELECT_OUT},
                     {POLLPRI, SELECT_EXCEPT}};

// Sets of n descriptors, three one after the other, `words` long each, become pollfds. How many.
static u32 sets_to_fds(const u64 *sets, u32 words, u32 n, struct pollfd *fds) {
    u32 count = 0;
    for (u32 fd = 0; fd < n; fd++) {
        u16 events = 0;
        for (int k = 0; k < 3; k++)
            if (bitmap_test(sets + k * words, fd))
                events |= select_kinds[k].ask;
        if (events)
            fds[count++] = (struct pollfd){.fd = fd, .events = events};
    }
    return count;
}

// The other way round; the number of bits, or -EBADF.
static long fds_to_sets(const struct pollfd *fds, u32 count, u64 *sets, u32 words) {
    long bits = 0;
    memset(sets, 0, 3 * words * 8);
    for (u32 i = 0; i < count; i++) {
        if (fds[i].revents & POLLNVAL)
            return -EBADF;
        for (int k = 0; k < 3; k++)
            if (fds[i].events & select_kinds[k].ask && fds[i].revents & select_kinds[k].answer) {
                bitmap_set(sets + k * words, fds[i].fd);
                bits++;
            }
    }
    return bits;
}

static long select_sets(const u64 *user, u32 n, u64 *sets, u32 words, u64 deadline,
                        const u64 *mask) {
    long result = 0;
    struct pollfd *fds = kmalloc(max(n, 1u) * sizeof(*fds), 0);
    if (!fds)
        return -ENOMEM;
    for (int k = 0; k < 3 && !result; k++)
        if (user[k])
            result = copy_from_user(sets + k * words, user[k], words * 8);
    if (!result) {
        u32 count = sets_to_fds(sets, words, n, fds);
        result = poll_with_mask(fds, count, deadline, mask);
        if (result >= 0)
            result = fds_to_sets(fds, count, sets, words);
    }
    for (int k = 0; k < 3 && result >= 0; k++)
        if (user[k] && copy_to_user(user[k], sets + k * words, words * 8))
            result = -EFAULT;
    kfree(fds);
    return result;
}

long sys_pselect6(const u64 *a) {
    u64 deadline, mask, with_size[2] = {0, 0};
    int error = deadline_in(a[4], &deadline);
    u32 n = (u32)a[0];
    if (!error && a[5])
        error = copy_from_user(with_size, a[5], sizeof(with_size));
    if (!error && with_size[0])
        error = mask_in(with_size[0], with_size[1], &mask);
    if (!error && (int)n < 0)
        error = -EINVAL;
    if (error)
        return error;
    n = min(n, current->files->size);
    u32 words = BITMAP_WORDS(n);
    u64 *sets = kzalloc(max(3 * words * 8, 8u));
    if (!sets)
        return -ENOMEM;
    long result = select_sets(a + 1, n, sets, words, deadline, with_size[0] ? &mask : NULL);
    kfree(sets);
    time_left_out(a[4], deadline);
    return result;
}
