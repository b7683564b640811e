/*
 * Regular files through the page cache: read, write, seek, mmap and fsync for every file system with a mapping.
 *
 * Reading takes no lock of the inode: it reads the size, then the pages. Writing holds inode->lock for writing, so
 * that appends do not overlap, and goes page by page:
 *   1. the page: from the cache, or a new one that is overwritten whole, or one that is read first;
 *   2. ops->reserve: disk space, so that a full disk is told to write(2) and not lost later;
 *   3. the bytes; the page is dirty; then the size grows.
 * Bytes copied before a fault or an error count; the rest was not written.
 *
 * Holes (fallocate) are made and filled with inode->lock held, too. Filling brings the pages of zeroes in and makes them
 * dirty, for ext2 cannot say that a block has never been written.
 *
 * A page's lock ranks above mm->lock, so user memory may fault only while no page is locked. A page that is up to date
 * is copied to unlocked (truncation is kept away by inode->lock; a write-out in between makes it dirty again). A new
 * page must stay locked until it is full: it is filled by a copy that does not fault, or else read first.
 */
#include "abi/capability.h"
#include "abi/fcntl.h"
#include "abi/memfd.h"
#include "fs/internal.h"
#include "mm/uaccess.h"
#include "mm/vm.h"

#define READ_AHEAD_MAX 32u  // pages

// ---- reading ----

// relatime: reading updates atime when it is older than the last change, or than a day.
static void file_accessed(struct file *f) {
    struct inode *i = f->inode;
    struct mount *m = f->path.mount;
    if (!m || m->flags & (MS_NOATIME | MS_RDONLY) || f->flags & O_NOATIME || i->sb->read_only)
        return;
    s64 now = realtime_ns() / NSEC_PER_SEC;
    if (i->atime.tv_sec > max(i->mtime.tv_sec, i->ctime.tv_sec) && i->atime.tv_sec + 86400 > now)
        return;
    if (i->atime.tv_sec != now)
        inode_touch(i, SET_ATIME);
}

static struct page *read_missing(struct file *f, u64 index, u64 last) {
    struct mapping *m = &f->inode->mapping;
    bool sequential = index == f->read_next;
    u32 window = sequential ? min(max(f->read_window * 2, 4u), READ_AHEAD_MAX) : 1;
    f->read_window = window;
    if (window > 1 && m->ops && m->ops->read_page)
        pagecache_readahead(m, index, min((u64)window, last - index + 1));
    return pagecache_get(m, index);
}

static inline struct page *cached_page(struct file *f, u64 at, size_t *n) {
    u64 size = load_relaxed(&f->inode->size), index = at / PAGE_SIZE;
    if (at >= size)
        return NULL;
    *n = min(min(PAGE_SIZE - at % PAGE_SIZE, size - at), *n);
    struct page *p = pagecache_find(&f->inode->mapping, index);
    if (!p)
        p = read_missing(f, index, (size - 1) / PAGE_SIZE);
    f->read_next = index + 1;
    return p;
}

struct page *filemap_page(struct file *f, u64 at, size_t *n) {
    return cached_page(f, at, n);
}

ssize_t filemap_read(struct file *f, struct iter *to, u64 *pos) {
    u64 at = *pos;
    ssize_t done = 0, error = 0;
    while (to->left) {
        size_t n = to->left;
        struct page *p = cached_page(f, at, &n);
        if (!p)
            break;
        if (IS_ERR(p)) {
            error = PTR_ERR(p);
            break;
        }
        size_t moved = iter_put(to, (char *)page_va(p) + at % PAGE_SIZE, n);
        page_put(p);
        at += moved;
        done += moved;
        if (moved < n) {
            error = -EFAULT;
            break;
        }
        if (unlikely(fatal_signal_pending())) {
            error = -EINTR;
            break;
        }
    }
    *pos = at;
    if (done)
        file_accessed(f);
    return done ? done : error;
}

// ---- writing ----

// What may be written at *pos: bytes, or -EFBIG.
static ssize_t write_limit(struct file *f, size_t n, u64 pos) {
    u64 limit = current->process ? current->process->limit[RLIMIT_FSIZE].rlim_cur : RLIM_INFINITY;
    u64 max_size = f->inode->sb->max_size;
    if (pos >= limit) {
        signal_self(SIGXFSZ);
        return -EFBIG;
    }
    if (pos >= max_size)
        return -EFBIG;
    return min(n, min(limit, max_size) - pos);
}

// Make a locked page hold the file's bytes.
static int fill_locked(struct inode *i, struct page *p) {
    int error = 0;
    if (p->cache.flags & PAGE_UPTODATE)
        return 0;
    if (p->cache.index * PAGE_SIZE >= i->size || !i->mapping.ops || !i->mapping.ops->read_page)
        page_clear(page_va(p));
    else
        error = i->mapping.ops->read_page(&i->mapping, p);
    if (error == 0)
        page_mark_uptodate(p);
    return error;
}

static int reserve(struct inode *i, struct page *p, u32 from, u32 to) {
    return i->ops->reserve ? i->ops->reserve(i, p, from, to) : 0;
}

static void grow(struct inode *i, u64 end) {
    if (end > i->size)
        WRITE_ONCE(i->size, end);
}

// One page that is not in the cache. Bytes written, 0: now it is in the cache, try again; or errno.
static ssize_t write_absent(struct inode *i, struct iter *it, u64 at, u32 from, size_t n) {
    bool whole = n == PAGE_SIZE && iter_segment(it) >= n;
    if (whole && !it->kernel && fault_in_user((u64)it->iov->iov_base + it->offset, n, false) != 0)
        whole = false;
    struct page *p = pagecache_get_locked(&i->mapping, at / PAGE_SIZE);
    if (IS_ERR(p))
        return PTR_ERR(p);
    ssize_t result = 0;
    if (whole && !(p->cache.flags & PAGE_UPTODATE)) {
        result = reserve(i, p, from, from + n);
        if (result == 0 && iter_get_nofault(it, page_va(p), n)) {
            page_mark_uptodate(p);
            grow(i, at + n);
            page_mark_dirty(p);
            result = n;
        }
    }
    if (result == 0)
        result = fill_locked(i, p);
    page_unlock(p);
    page_put(p);
    return result;
}

// One page or a part of it. Bytes written, or errno when none.
static ssize_t write_page(struct inode *i, struct iter *it, u64 at, size_t n) {
    u32 from = at % PAGE_SIZE;
    struct page *p;
    while (!(p = pagecache_find(&i->mapping, at / PAGE_SIZE))) {
        ssize_t result = write_absent(i, it, at, from, n);
        if (result)
            return result;
    }
    ssize_t result = reserve(i, p, from, from + n);
    if (result == 0) {
        size_t moved = iter_get(it, (char *)page_va(p) + from, n);
        if (moved) {
            grow(
                i,
                at +
                    moved);  // first: a write-back that finds the page dirty must see how far it goes
            page_mark_dirty(p);
        }
        result = moved ? (ssize_t)moved : -EFAULT;
    }
    page_put(p);
    return result;
}

// Bytes between the old end and where a write begins are a hole: what a mapping left there goes.
static void zero_gap(struct inode *i, u64 at) {
    u32 from = i->size % PAGE_SIZE;
    struct page *p = at > i->size && from ? pagecache_find(&i->mapping, i->size / PAGE_SIZE) : NULL;
    if (!p)
        return;
    memset((char *)page_va(p) + from, 0, PAGE_SIZE - from);
    page_put(p);
}

static ssize_t write_locked(struct inode *i, struct iter *from, u64 *pos, size_t n) {
    u64 at = *pos, end = at + n, old_size = i->size;
    ssize_t result = 0;
    zero_gap(i, at);
    while (at < end) {
        size_t piece = min(PAGE_SIZE - at % PAGE_SIZE, end - at);
        pagecache_balance(&i->mapping);
        result = write_page(i, from, at, piece);
        if (result < 0)
            break;
        at += result;
        if ((size_t)result < piece)
            break;
        if (unlikely(fatal_signal_pending())) {
            result = -EINTR;
            break;
        }
    }
    // Space that was reserved past the end and not used
    if (at < end && end > old_size && i->ops->reserve && i->ops->resize)
        i->ops->resize(i, i->size);
    if (at > *pos) {
        if (unlikely(i->mode & (S_ISUID | S_ISGID)) && !capable(CAP_FSETID))
            i->mode &= ~(S_ISUID | (i->mode & S_IXGRP ? S_ISGID : 0));
        inode_touch(i, SET_MTIME);
        result = at - *pos;
        *pos = at;
    }
    return result;
}

// How much of n bytes at pos the seals of a file let through, whole pages as by Linux, or -EPERM.
static ssize_t sealed_limit(const struct inode *i, size_t n, u64 pos) {
    if (i->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
        return -EPERM;
    if (!(i->seals & F_SEAL_GROW) || pos + n <= i->size)
        return n;
    u64 end = align_down(i->size, PAGE_SIZE);
    return end > pos ? (ssize_t)(end - pos) : -EPERM;
}

ssize_t filemap_write(struct file *f, struct iter *from, u64 *pos) {
    struct inode *i = f->inode;
    if (from->left == 0)
        return 0;
    if (i->sb->read_only)
        return -EROFS;
    write_lock(&i->lock);
    if (f->flags & O_APPEND)
        *pos = i->size;
    ssize_t n = write_limit(f, from->left, *pos);
    if (n > 0 && i->seals)
        n = sealed_limit(i, n, *pos);
    if (n > 0)
        n = write_locked(i, from, pos, n);
    write_unlock(&i->lock);
    return n;
}

// ---- fallocate ----

// Bytes [from, to) of one page become zeroes. What is zero already may be a hole, and stays one.
static int zero_bytes(struct inode *i, u64 from, u64 to) {
    struct mapping *m = &i->mapping;
    if (from >= to || from >= i->size)
        return 0;
    struct page *p = (m->ops->read_page ? pagecache_get : pagecache_find)(m, from / PAGE_SIZE);
    if (!p || IS_ERR(p))
        return p ? PTR_ERR(p) : 0;
    char *at = (char *)page_va(p) + from % PAGE_SIZE;
    size_t n = 0;
    while (n < to - from && at[n] == 0)
        n++;
    if (n < to - from) {
        memset(at, 0, to - from);
        page_mark_dirty(p);
    }
    page_put(p);
    return 0;
}

// Whole pages go, with their space. Nothing is written meanwhile, for a page on its way to the disk would overwrite what
// its block is by then. What somebody reads in meanwhile, from a block that is not the file's any more, goes too.
static int punch_pages(struct inode *i, u64 first, u64 end) {
    struct mapping *m = &i->mapping;
    mutex_lock(&m->write_mutex);
    pagecache_remove(m, first, end - 1);
    int error = i->ops->punch(i, first, end);
    pagecache_remove(m, first, end - 1);
    mutex_unlock(&m->write_mutex);
    return error;
}

static int punch(struct inode *i, u64 from, u64 to) {
    if (i->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
        return -EPERM;
    if (to >= i->size)
        to = align_up(to, PAGE_SIZE);
    u64 first = div_round_up(from, PAGE_SIZE), end = to / PAGE_SIZE;
    int error = zero_bytes(i, from, min(first * PAGE_SIZE, to));
    if (!error && first <= end)
        error = zero_bytes(i, end * PAGE_SIZE, to);
    if (!error && first < end)
        error = punch_pages(i, first, end);
    inode_touch(i, SET_MTIME);
    return error;
}

static int fill_holes(struct inode *i, u64 at, u64 end, bool keep_size) {
    int error = 0;
    for (u64 stop; at < end && !error; at = stop) {
        u64 start = align_down(at, PAGE_SIZE);
        stop = min(start + PAGE_SIZE, end);
        pagecache_balance(&i->mapping);
        struct page *p =
            fatal_signal_pending() ? ERR_PTR(-EINTR) : pagecache_get(&i->mapping, at / PAGE_SIZE);
        if (IS_ERR(p))
            return PTR_ERR(p);
        error = reserve(i, p, at - start, stop - start);
        if (!error) {
            if (!keep_size)
                grow(i, stop);
            page_mark_dirty(p);
        }
        page_put(p);
    }
    return error;
}

// All or nothing: an ext2 file has no blocks behind its end.
static int allocate(struct inode *i, u64 from, u64 to, bool keep_size) {
    u64 size = i->size;
    if (i->seals & F_SEAL_GROW && to > size)
        return -EPERM;
    if (to > size && keep_size && i->mapping.ops->read_page)
        return -EOPNOTSUPP;
    if (to > size && to > current->process->limit[RLIMIT_FSIZE].rlim_cur) {
        signal_self(SIGXFSZ);
        return -EFBIG;
    }
    if (to > i->sb->max_size)
        return -EFBIG;
    if (!keep_size)
        zero_gap(i, to);
    int error = fill_holes(i, from, to, keep_size);
    if (error && to > size) {
        WRITE_ONCE(i->size, size);
        pagecache_truncate(&i->mapping, div_round_up(size, PAGE_SIZE));
        i->ops->resize(i, size);
    }
    inode_touch(i, SET_MTIME);
    return error;
}

long filemap_allocate(struct file *f, u32 mode, u64 offset, u64 length) {
    struct inode *i = f->inode;
    bool keep = mode & FALLOC_FL_KEEP_SIZE;
    int error;
    if (!i->ops->punch ||
        (mode & ~FALLOC_FL_KEEP_SIZE && mode != (FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE)))
        return -EOPNOTSUPP;
    if (i->sb->read_only)
        return -EROFS;
    if (load_relaxed(&i->writers) < 0)
        return -ETXTBSY;
    write_lock(&i->lock);
    if (mode & FALLOC_FL_PUNCH_HOLE)
        error = punch(i, offset, offset + length);
    else
        error = allocate(i, offset, offset + length, keep);
    write_unlock(&i->lock);
    return error;
}

// ---- the rest ----

s64 filemap_seek(struct file *f, s64 offset, int whence) {
    u64 size = load_relaxed(&f->inode->size);
    s64 base = whence == SEEK_CUR ? (s64)f->pos : whence == SEEK_END ? (s64)size : 0;
    s64 max_size = f->inode->sb->max_size;
    if (whence < SEEK_SET || whence > SEEK_HOLE)
        return -EINVAL;
    if (whence >= SEEK_DATA && (offset < 0 || (u64)offset >= size))
        return -ENXIO;
    if (whence == SEEK_HOLE)  // the one that every file has, at its end
        offset = size;
    if (__builtin_add_overflow(base, offset, &offset))
        return -EOVERFLOW;
    if (offset < 0 || offset > max_size)
        return -EINVAL;
    return f->pos = offset;
}

static u64 file_pages(const struct file *f) {
    return div_round_up(load_relaxed(&f->inode->size), PAGE_SIZE);
}

// A page that is not in the cache brings its neighbours along: a program soon wants them too, and then they can be mapped
// together (mm/fault.c). Which, depends on the page alone, so that no hole is left between two windows.
static struct page *fault_missing(struct mapping *m, u64 index, u64 pages) {
    u64 first = align_down(index, (u64)READ_AHEAD_MAX);
    if (m->ops && m->ops->read_page)
        pagecache_readahead(m, first, min((u64)READ_AHEAD_MAX, pages - first));
    return pagecache_get(m, index);
}

// A truncation may come before or after the page was got: the second look sees the first kind, mm the other.
static struct page *file_fault(struct vma *v, va_t addr, enum access access) {
    struct file *f = v->file;
    u64 index = v->pgoff + (addr - v->start) / PAGE_SIZE, pages = file_pages(f);
    (void)access;
    if (index >= pages)
        return ERR_PTR(-ENXIO);
    struct page *p = pagecache_find(v->mapping, index);
    if (!p)
        p = fault_missing(v->mapping, index, pages);
    if (!IS_ERR(p) && index >= file_pages(f)) {
        page_put(p);
        return ERR_PTR(-ENXIO);
    }
    return p;
}
static void file_vma_open(struct vma *v) { file_get(v->file); }
static void file_vma_close(struct vma *v) { file_put(v->file); }

static int file_vma_sync(struct vma *v) { return file_fsync(v->file, true); }
static int file_vma_remove(struct vma *v) {
    return filemap_allocate(v->file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                            v->pgoff * PAGE_SIZE, v->end - v->start);
}

static const struct vma_ops file_vma_ops = {.fault = file_fault,
                                            .open = file_vma_open,
                                            .close = file_vma_close,
                                            .sync = file_vma_sync,
                                            .remove = file_vma_remove};

int filemap_mmap(struct file *f, struct vma_request *r) {
    if (!(f->mode & FILE_READ))
        return -EACCES;
    if (r->flags & VM_SHARED && !(f->mode & FILE_WRITE)) {
        if (r->flags & VM_WRITE)
            return -EACCES;
        r->flags &= ~VM_MAYWRITE;
    }
    if (r->flags & VM_SHARED && f->inode->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) {
        if (r->flags & VM_WRITE)
            return -EPERM;
        r->flags &= ~VM_MAYWRITE;
    }
    if (r->flags & VM_EXEC && f->path.mount && f->path.mount->flags & MS_NOEXEC)
        return -EPERM;
    r->ops = &file_vma_ops;
    r->mapping = &f->inode->mapping;
    r->file = f;
    file_accessed(f);
    return 0;
}

int filemap_fsync(struct file *f, bool data_only) {
    struct inode *i = f->inode;
    if (i->sb->dev)
        pagecache_write(&i->mapping, 0, ~0ul);
    int error = i->ops->sync ? i->ops->sync(i, data_only) : inode_write(i);
    int error2 = pagecache_error(&i->mapping, &f->errors_seen);
    return error ? error : error2;
}
