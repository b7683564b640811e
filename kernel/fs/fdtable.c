/*
 * Descriptor tables: small numbers for open file descriptions.
 *
 * A table is shared by threads (CLONE_FILES). Its lock guards it. The one exception makes the common case cheap:
 * a table with a single reference is used by current alone, and only current can make it shared, so fd_get() reads
 * it without the lock and borrows the file's reference: nobody can close the descriptor before fd_put().
 *
 * A call that may still fail after it has got numbers reserves them: taken in `open`, with no file yet, so that nobody
 * can use, close or overwrite them before fd_install() or fd_release().
 *
 * Files are put after the lock is dropped: the last reference may sleep.
 */
#include "abi/resource.h"
#include "fs/internal.h"
#include "lib/bitmap.h"

#define FILES_FIRST 64u

static void table_init(struct files *t) {
    ref_init(&t->ref);
    spin_init(&t->lock, RANK_FILES, "files");
    t->fd = t->first_fd;
    t->open = t->first_open;
    t->cloexec = t->first_cloexec;
    t->size = FILES_FIRST;
    t->next = 0;
}

struct files *files_create(void) {
    struct files *t = kzalloc(sizeof(*t));
    if (t)
        table_init(t);
    return t;
}

static void arrays_free(struct files *t) {
    if (t->fd != t->first_fd)
        kfree(t->fd);
}

// Room for descriptors below `size`. => lock held; dropped and taken again. 0 or -ENOMEM
static int table_grow(struct files *t, u32 size) {
    u32 n = FILES_FIRST;
    while (n < size)
        n *= 2;
    spin_unlock(&t->lock);
    // one block: the files, then the two bitmaps
    struct file **fd = kzalloc(n * sizeof(*fd) + 2 * (n / 8));
    spin_lock(&t->lock);
    if (!fd)
        return -ENOMEM;
    if (t->size >= n) {  // another thread was faster
        kfree(fd);
        return 0;
    }
    u64 *open = (u64 *)(fd + n), *cloexec = open + n / 64;
    memcpy(fd, t->fd, t->size * sizeof(*fd));
    memcpy(open, t->open, t->size / 8);
    memcpy(cloexec, t->cloexec, t->size / 8);
    arrays_free(t);
    t->fd = fd;
    t->open = open;
    t->cloexec = cloexec;
    t->size = n;
    return 0;
}

// What a copy needs: a table that once was large need not be large in all descendants. => lock held
static u32 size_in_use(const struct files *t) {
    u32 w = t->size / 64;
    while (w > 1 && !t->open[w - 1])
        w--;
    return w * 64;
}

struct files *files_copy(struct files *from) {
    struct files *t = files_create();
    u32 size;
    if (!t)
        return NULL;
    spin_lock(&from->lock);
    while (t->size < (size = size_in_use(from))) {
        spin_unlock(&from->lock);
        spin_lock(&t->lock);
        int error = table_grow(t, size);
        spin_unlock(&t->lock);
        if (error) {
            files_put(t);
            return NULL;
        }
        spin_lock(&from->lock);
    }
    for (u32 w = 0; w < size / 64; w++) {
        t->open[w] = from->open[w];
        t->cloexec[w] = from->cloexec[w];
        for (u64 bits = from->open[w]; bits; bits &= bits - 1) {
            u32 fd = w * 64 + ctz64(bits);
            t->fd[fd] = from->fd[fd];
            if (t->fd[fd])
                file_get(t->fd[fd]);
            else  // reserved by a call of another thread
                bitmap_clear(t->open, fd);
        }
    }
    t->next = from->next;
    spin_unlock(&from->lock);
    return t;
}

static void file_close(struct files *t, struct file *f) {
    void (*closed)(void) = f->ops->closed;
    if (f->inode->locks)
        locks_close(t, f);
    file_put(f);
    if (unlikely(closed != NULL))
        closed();
}

void files_put(struct files *t) {
    if (!ref_put(&t->ref))
        return;
    for (u32 w = 0; w < t->size / 64; w++)
        for (u64 bits = t->open[w]; bits; bits &= bits - 1)
            file_close(t, t->fd[w * 64 + ctz64(bits)]);
    arrays_free(t);
    kfree(t);
}

int files_unshare(void) {
    struct files *old = current->files;
    if (ref_read(&old->ref) == 1)
        return 0;
    struct files *t = files_copy(old);
    if (!t)
        return -ENOMEM;
    spin_lock(&family_lock);  // /proc looks at another task's table with it held
    current->files = t;
    spin_unlock(&family_lock);
    files_put(old);
    return 0;
}

// Empty one place. => lock held; the caller owns the reference. NULL: not open
static struct file *take_locked(struct files *t, u32 fd) {
    struct file *f = fd < t->size ? t->fd[fd] : NULL;
    assert_held(&t->lock);
    if (!f)
        return NULL;
    t->fd[fd] = NULL;
    bitmap_clear(t->open, fd);
    bitmap_clear(t->cloexec, fd);
    t->next = min(t->next, fd);
    return f;
}

static void put_locked(struct files *t, u32 fd, struct file *f, bool cloexec) {
    assert_held(&t->lock);
    t->fd[fd] = f;
    bitmap_set(t->open, fd);
    if (cloexec)
        bitmap_set(t->cloexec, fd);
    else
        bitmap_clear(t->cloexec, fd);
}

static void close_range(struct files *t, u32 first, u32 last, bool only_cloexec) {
    spin_lock(&t->lock);
    for (u32 fd = first; fd < t->size && fd <= last; fd++) {
        u64 bits = (only_cloexec ? t->cloexec : t->open)[fd / 64] >> fd % 64;
        if (!bits) {
            fd |= 63;
            continue;
        }
        if (!(bits & 1))
            continue;
        struct file *f = take_locked(t, fd);
        spin_unlock(&t->lock);
        if (f)
            file_close(t, f);
        spin_lock(&t->lock);
    }
    spin_unlock(&t->lock);
}

void files_close_on_exec(void) { close_range(current->files, 0, ~0u, true); }

struct file *fd_lookup(int fd) {
    struct files *t = current->files;
    spin_lock(&t->lock);
    struct file *f = (u32)fd < t->size ? t->fd[fd] : NULL;
    if (f)
        file_get(f);
    spin_unlock(&t->lock);
    return f;
}

static u32 fd_limit(void) {
    u64 limit = current->process ? current->process->limit[RLIMIT_NOFILE].rlim_cur : 1024;
    return min(limit, 1ul << 18);
}

int fd_alloc(struct file *f, int min_fd, bool cloexec) {
    struct files *t = current->files;
    u32 limit = fd_limit();
    int result = -EMFILE;
    spin_lock(&t->lock);
    for (;;) {
        u32 fd = bitmap_find_first_zero(t->open, t->size, max((u32)min_fd, t->next));
        fd = max(fd, (u32)min_fd);
        if (fd >= limit)
            break;
        if (fd < t->size) {
            put_locked(t, fd, f, cloexec);
            if ((u32)min_fd <= t->next)
                t->next = fd + 1;
            result = fd;
            break;
        }
        result = table_grow(t, fd + 1);
        if (result)
            break;
        result = -EMFILE;
    }
    spin_unlock(&t->lock);
    return result;
}

int fd_give(struct file *f, int min_fd, bool cloexec) {
    if (IS_ERR(f))
        return PTR_ERR(f);
    int fd = fd_alloc(f, min_fd, cloexec);
    if (fd < 0)
        file_put(f);
    return fd;
}

void fd_install(int fd, struct file *f) {
    struct files *t = current->files;
    spin_lock(&t->lock);
    assert(!t->fd[fd] && bitmap_test(t->open, fd));
    t->fd[fd] = f;
    spin_unlock(&t->lock);
}

void fd_release(int fd) {
    struct files *t = current->files;
    spin_lock(&t->lock);
    assert(!t->fd[fd]);
    bitmap_clear(t->open, fd);
    bitmap_clear(t->cloexec, fd);
    t->next = min(t->next, (u32)fd);
    spin_unlock(&t->lock);
}

int fd_close(int fd) {
    struct files *t = current->files;
    spin_lock(&t->lock);
    struct file *f = take_locked(t, fd);
    spin_unlock(&t->lock);
    if (!f)
        return -EBADF;
    file_close(t, f);
    return 0;
}

int fd_dup2(int old, int new_, bool cloexec) {
    struct files *t = current->files;
    struct file *f = fd_lookup(old), *closed = NULL;
    int result = 0;
    if (!f)
        return -EBADF;
    if ((u32)new_ >= fd_limit()) {
        file_put(f);
        return -EBADF;
    }
    spin_lock(&t->lock);
    while (result == 0 && (u32)new_ >= t->size)
        result = table_grow(t, new_ + 1);
    if (result == 0 && bitmap_test(t->open, new_) && !t->fd[new_])
        result = -EBUSY;
    if (result == 0) {
        closed = take_locked(t, new_);
        put_locked(t, new_, f, cloexec);
        result = new_;
    }
    spin_unlock(&t->lock);
    if (closed)
        file_close(t, closed);
    if (result < 0)
        file_put(f);
    return result;
}

int fd_set_cloexec(int fd, bool on) {
    struct files *t = current->files;
    spin_lock(&t->lock);
    bool open = (u32)fd < t->size && t->fd[fd];
    if (open && on)
        bitmap_set(t->cloexec, fd);
    else if (open)
        bitmap_clear(t->cloexec, fd);
    spin_unlock(&t->lock);
    return open ? 0 : -EBADF;
}

int fd_get_cloexec(int fd) {
    struct files *t = current->files;
    spin_lock(&t->lock);
    bool open = (u32)fd < t->size && t->fd[fd];
    int result = !open ? -EBADF : bitmap_test(t->cloexec, fd) ? FD_CLOEXEC : 0;
    spin_unlock(&t->lock);
    return result;
}

int fd_close_range(u32 first, u32 last, u32 flags) {
    if (first > last || flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC))
        return -EINVAL;
    if (flags & CLOSE_RANGE_UNSHARE) {
        int error = files_unshare();
        if (error)
            return error;
    }
    struct files *t = current->files;
    if (!(flags & CLOSE_RANGE_CLOEXEC)) {
        close_range(t, first, last, false);
        return 0;
    }
    spin_lock(&t->lock);
    for (u32 fd = first; fd < t->size && fd <= last; fd++)
        if (t->fd[fd])
            bitmap_set(t->cloexec, fd);
    spin_unlock(&t->lock);
    return 0;
}
