/*
 * splice, tee, vmsplice: pages move between pipes, files and a program's memory. splice(2), tee(2), vmsplice(2).
 *
 * A slot of a pipe's ring holds a reference to a page, whoever else has one. So what goes from pipe to pipe is the slot,
 * and what goes from a file into a pipe is a reference to the page in the page cache; vmsplice() takes the program's own.
 * None of these is copied, and a write to the file or the memory is seen by who reads the pipe later, as the manual warns.
 *
 *      file's page cache            pipe                 pipe
 *      [ p0 ][ p1 ][ p2 ] --ref--> [p0|p1| ] --slot--> [p1| | ] --copy--> file, socket, terminal
 *                                      |
 *      program's page    --ref---------'   tee(): the slot is in both, with one reference each
 *
 * Only a page that a pipe's write allocated (SLOT_OWN) is ever written into again, behind what others may refer to: by the one
 * slot that kept the mark. A file without cached pages (a socket, a terminal) is read into a fresh page. Output to a file is a
 * copy, for its page cache has pages of its own: SPLICE_F_MOVE is a hint.
 *
 * Bytes leave a pipe in order and only when they arrived: while the output file is written, which may wait for ever, the first
 * slot stays where it is, and `leaving` keeps readers and other splices away. Writers go on behind it.
 *
 * Locks: a pipe's mutex, two by address; not held while files are read, written or waited for. Sleeps.
 */
#include "abi/errno.h"
#include "ipc/ring.h"
#include "mm/slab.h"
#include "mm/vm.h"

// ---- into a pipe ----

// Wait for a free slot. => lock held, and held again after 0; released after an error. -EPIPE, -EAGAIN, -ERESTARTSYS.
static int wait_slot(struct pipe *p, bool nonblock) {
    int error = 0;
    while (!error && p->nr_readers && pipe_full(p))
        error = pipe_wait_room(p, nonblock);
    if (error || p->nr_readers)
        return error;
    mutex_unlock(&p->lock);
    signal_self(SIGPIPE);
    return -EPIPE;
}

// The slot, with its reference, goes into the pipe, or is freed. 0 or as wait_slot.
static int push(struct pipe *p, const struct pipe_slot *s, bool nonblock) {
    mutex_lock(&p->lock);
    int error = wait_slot(p, nonblock);
    if (error) {
        page_put(s->page);
        return error;
    }
    *pipe_slot(p, p->head) = *s;
    WRITE_ONCE(p->head, p->head + 1);
    mutex_unlock(&p->lock);
    return 0;
}

static bool has_cache(const struct file *f) { return f->ops->read == filemap_read; }

// A page that the bytes of a file without a cache are read into. 1, 0: the end, or errno
static ssize_t read_page(struct file *in, u64 *pos, size_t n, struct pipe_slot *s) {
    struct page *page = page_alloc(0, ALLOC_USER);
    if (!page)
        return -ENOMEM;
    struct iovec v = {page_va(page), min(n, PAGE_SIZE)};
    struct iter it;
    iter_init(&it, &v, 1, v.iov_len, true);
    ssize_t got = file_read(in, &it, pos);
    if (got <= 0) {
        page_put(page);
        return got;
    }
    *s = (struct pipe_slot){page, got, 0, SLOT_OWN};
    return 1;
}

static ssize_t cached_page(struct file *in, u64 *pos, size_t n, struct pipe_slot *s) {
    struct page *page = filemap_page(in, *pos, &n);
    if (!page || IS_ERR(page))
        return PTR_ERR(page);
    *s = (struct pipe_slot){page, n, *pos % PAGE_SIZE, 0};
    return 1;
}

// As many pages as there is room for, one at least; of a file without a cache, which may wait for its bytes, one.
static ssize_t file_to_pipe(struct file *in, u64 *pos, struct pipe *p, size_t n, bool nonblock) {
    bool cached = has_cache(in);
    ssize_t done = 0, result = 0;
    struct pipe_slot s;
    if (!(in->mode & FILE_READ))
        return -EBADF;
    mutex_lock(&p->lock);
    result = wait_slot(p, nonblock);
    if (result)
        return result;
    mutex_unlock(&p->lock);
    while (n && (cached || !done)) {
        result = cached ? cached_page(in, pos, n, &s) : read_page(in, pos, n, &s);
        if (result <= 0)
            break;
        result = push(p, &s, cached && (nonblock || done));
        if (result)
            break;
        if (cached)
            *pos += s.length;
        done += s.length;
        n -= s.length;
    }
    if (done)
        pipe_wake(&p->readers, PIPE_READABLE);
    return done ? done : result;
}

// Pages of the caller's memory. As file_to_pipe
static ssize_t memory_to_pipe(struct pipe *p, struct iter *from, bool nonblock) {
    ssize_t done = 0;
    int error = 0;
    for (; from->segments && !error; from->iov++, from->segments--) {
        va_t at = (va_t)from->iov->iov_base, end = at + from->iov->iov_len;
        while (at < end && !error) {
            u32 n = min(end - at, PAGE_SIZE - at % PAGE_SIZE);
            struct page *page = vm_page_of(current->mm, at, false);
            struct pipe_slot s = {page, n, at % PAGE_SIZE, 0};
            error = IS_ERR(page) ? -EFAULT : push(p, &s, nonblock || done);
            at += n;
            done += error ? 0 : n;
        }
        if (error)
            break;
    }
    if (done)
        pipe_wake(&p->readers, PIPE_READABLE);
    return done ? done : error;
}

// ---- out of a pipe ----

// n bytes of the first slot went away. => lock held
static void consume(struct pipe *p, u32 n) {
    struct pipe_slot *s = pipe_slot(p, p->tail);
    s->offset += n;
    s->length -= n;
    if (s->length == 0)
        pipe_drop_first(p);
}

static ssize_t write_slot(const struct pipe_slot *s, struct file *out, u64 *pos, size_t n) {
    struct iovec v = {(char *)page_va(s->page) + s->offset, min(n, (size_t)s->length)};
    struct iter it;
    iter_init(&it, &v, 1, v.iov_len, true);
    return file_write(out, &it, pos);
}

static ssize_t pipe_to_file(struct pipe *p, struct file *out, u64 *pos, size_t n, bool nonblock) {
    ssize_t done = 0, part = 0;
    if (!(out->mode & FILE_WRITE))
        return -EBADF;
    int error = pipe_wait_bytes(p, nonblock);
    if (error)
        return error;
    WRITE_ONCE(p->leaving, true);
    while (n && !pipe_empty(p)) {
        struct pipe_slot first = *pipe_slot(p, p->tail);
        mutex_unlock(&p->lock);
        part = write_slot(&first, out, pos, n);
        mutex_lock(&p->lock);
        if (part <= 0)
            break;
        bool was_full = pipe_full(p);
        consume(p, part);
        if (was_full)
            pipe_wake(&p->writers, PIPE_WRITABLE);
        n -= part;
        done += part;
    }
    WRITE_ONCE(p->leaving, false);
    mutex_unlock(&p->lock);
    pipe_wake(&p->readers, PIPE_READABLE);
    return done ? done : part;
}

// ---- from pipe to pipe ----

static void lock_both(struct pipe *a, struct pipe *b) {
    mutex_lock(a < b ? &a->lock : &b->lock);
    mutex_lock(a < b ? &b->lock : &a->lock);
}

// Up to n bytes of `in`, as far as there is room; of a slot that is not moved whole, or is to stay, the page gets one more
// reference. => both locked
static size_t move_slots(struct pipe *in, struct pipe *out, size_t n, bool stay) {
    size_t done = 0;
    for (u32 i = in->tail; done < n && i != in->head && !pipe_full(out); i++) {
        struct pipe_slot *s = pipe_slot(in, i), part = *s;
        part.length = min(n - done, (size_t)s->length);
        bool whole = part.length == s->length && !stay;
        if (!whole) {
            page_get(part.page);
            part.flags &= ~SLOT_OWN;
        }
        *pipe_slot(out, out->head) = part;
        WRITE_ONCE(out->head, out->head + 1);
        done += part.length;
        if (whole)
            WRITE_ONCE(in->tail, i + 1);
        else if (!stay)
            consume(in, part.length);
    }
    return done;
}

// 1: it seems that something can move; 0: `in` has ended; or errno.
static int wait_both(struct pipe *in, struct pipe *out, bool nonblock) {
    int error = pipe_wait_bytes(in, nonblock);
    if (error)
        return error;
    bool ended = pipe_empty(in);
    mutex_unlock(&in->lock);
    if (ended)
        return 0;
    mutex_lock(&out->lock);
    error = wait_slot(out, nonblock);
    if (error)
        return error;
    mutex_unlock(&out->lock);
    return 1;
}

static ssize_t pipe_to_pipe(struct pipe *in, struct pipe *out, size_t n, bool nonblock, bool stay) {
    size_t done = 0;
    bool was_full = false;
    if (in == out)
        return -EINVAL;
    while (!done) {
        int error = wait_both(in, out, nonblock);
        if (error <= 0)
            return error;
        lock_both(in, out);
        was_full = pipe_full(in);
        done = in->leaving ? 0 : move_slots(in, out, n, stay);
        mutex_unlock(&in->lock);
        mutex_unlock(&out->lock);
    }
    pipe_wake(&out->readers, PIPE_READABLE);
    if (was_full && !stay)
        pipe_wake(&in->writers, PIPE_WRITABLE);
    return done;
}

// ---- the calls ----

ssize_t splice_files(struct file *in, u64 *in_pos, struct file *out, u64 *out_pos, size_t n,
                     bool nonblock) {
    struct pipe *from = pipe_of(in), *to = pipe_of(out);
    nonblock |= (from && in->flags & O_NONBLOCK) || (to && out->flags & O_NONBLOCK);
    if ((from && !(in->mode & FILE_READ)) || (to && !(out->mode & FILE_WRITE)))
        return -EBADF;
    if (from && to)
        return pipe_to_pipe(from, to, n, nonblock, false);
    if (from)
        return pipe_to_file(from, out, out_pos, n, nonblock);
    return to ? file_to_pipe(in, in_pos, to, n, nonblock) : -EINVAL;
}

ssize_t splice_tee(struct file *in, struct file *out, size_t n, bool nonblock) {
    struct pipe *from = pipe_of(in), *to = pipe_of(out);
    if (!(in->mode & FILE_READ) || !(out->mode & FILE_WRITE))
        return -EBADF;
    if (!from || !to)
        return -EINVAL;
    nonblock |= (in->flags | out->flags) & O_NONBLOCK;
    return pipe_to_pipe(from, to, n, nonblock, true);
}

ssize_t splice_memory(struct file *f, struct iter *memory, bool nonblock) {
    struct pipe *p = pipe_of(f);
    if (!p || !(f->mode & (FILE_READ | FILE_WRITE)))
        return -EBADF;
    if (memory->left == 0)
        return 0;
    nonblock |= f->flags & O_NONBLOCK;
    return f->mode & FILE_WRITE ? memory_to_pipe(p, memory, nonblock)
                                : pipe_receive(p, memory, nonblock);
}
