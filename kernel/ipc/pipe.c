/*
 * Pipes and FIFOs: a ring of pages between readers and writers.
 *
 * Both kinds are one `struct pipe`, reached through an inode: a FIFO's inode lives in its file system and
 * gets a pipe while somebody has it open; pipe2() makes an inode of the internal file system `pipefs`, that
 * has no root and no names. The pipe goes when the last description of it is released.
 *
 * The ring (ring.h) has a power of two of slots. Slots [tail, head) each hold a page and the piece of it that is not
 * yet read. A small write goes behind the bytes of the last page when all of it fits there, so that 65536
 * single bytes fill a pipe and not 16; an emptied page is kept as a spare, so that a ping-pong of small
 * messages allocates nothing. Both only with pages that a write here allocated; splice.c brings others.
 * With O_DIRECT each write, up to PIPE_BUF, is a packet in a slot of its own.
 *
 * Locks: pipe->lock (a mutex, for user copies sleep in faults) guards ring and counts. The inode's lock
 * guards inode->pipe and pipe->files, and comes first; nobody holds it while waiting for the other end.
 *
 * Waiting: readers sleep while the ring is empty, writers while it is full. Both look at the ring without the
 * mutex and look again with it. Whoever changes the ring wakes only when somebody is on the other queue; the
 * queues are empty but for such sleepers and for poll, so a transfer to a busy partner wakes nobody.
 *
 *   writer                                reader
 *                                         mutex; empty; mutex off
 *   mutex; bytes in; mutex off            waitq_prepare(): on the queue
 *   fence; queue in use? yes: wake        empty? no longer: go on
 *
 * Whichever order the last two lines have, one of them sees the other.
 */
#include "ipc/ring.h"

#include "abi/capability.h"
#include "abi/errno.h"
#include "abi/ioctl.h"
#include "abi/poll.h"
#include "fs/anon.h"
#include "fs/proc.h"
#include "lib/bitmap.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/uaccess.h"
#include "proc/proc.h"

// pipe(7): bytes that an unprivileged F_SETPIPE_SZ may ask for; pages that the pipes of an unprivileged user may hold, 0 is any:
// beyond `soft` new ones are small and none grows, beyond `hard` there are no new ones.
static u64 pipe_max_size = MIB(1);
static u64 user_pages_soft = PIPE_SLOTS * 1024, user_pages_hard;

// ---- life ----

// How many pages u's pipes may hold with `more` more.
static u64 charge(struct user *u, s64 more) { return atomic_add(&u->pipe_pages, more) + more; }

static bool too_many(u64 pages, u64 limit) {
    return limit && pages > limit && !capable(CAP_SYS_RESOURCE) && !capable(CAP_SYS_ADMIN);
}

static void pipe_free(struct pipe *p) {
    for (u32 i = p->tail; i != p->head; i++)
        page_put(pipe_slot(p, i)->page);
    if (p->spare)
        page_put(p->spare);
    if (p->ring != p->first_ring)
        kfree(p->ring);
    charge(p->user, -(s64)p->slots);
    spin_lock(&family_lock);
    user_put(p->user);
    spin_unlock(&family_lock);
    kfree(p);
}

// NULL: no memory, or the user has too many.
static struct pipe *pipe_alloc(void) {
    struct pipe *p = kzalloc(sizeof(*p));
    if (!p)
        return NULL;
    mutex_init(&p->lock, RANK_PIPE, "pipe");
    waitq_init(&p->readers);
    waitq_init(&p->writers);
    p->ring = p->first_ring;
    spin_lock(&family_lock);
    p->user = user_get(current->cred->uid);
    spin_unlock(&family_lock);
    p->slots = PIPE_SLOTS;
    u64 pages = charge(p->user, PIPE_SLOTS);
    if (too_many(pages, READ_ONCE(user_pages_soft))) {
        p->slots = PIPE_SLOTS_FEW;
        pages = charge(p->user, PIPE_SLOTS_FEW - PIPE_SLOTS);
    }
    if (!too_many(pages, READ_ONCE(user_pages_hard)))
        return p;
    pipe_free(p);
    return NULL;
}

// ---- moving bytes; => pipe->lock held ----

// Bytes moved into the iter, of one packet at most; 0: the first one faulted.
static size_t pipe_take(struct pipe *p, struct iter *to) {
    size_t done = 0;
    while (to->left && !pipe_empty(p)) {
        struct pipe_slot *s = pipe_slot(p, p->tail);
        size_t want = min((size_t)s->length, to->left);
        size_t n = iter_put(to, (char *)page_va(s->page) + s->offset, want);
        bool packet = s->flags & SLOT_PACKET;
        s->offset += n;
        s->length -= n;
        done += n;
        if (s->length == 0 || (packet && n == want))
            pipe_drop_first(p);
        if (n < want || packet)
            break;
    }
    return done;
}

#define PACKETS (2 * PAGE_SIZE)  // in one piece that never fits behind another

// Bytes that fit behind the last page's. A short write goes there whole or not at all.
static size_t pipe_tail_room(const struct pipe *p, size_t whole) {
    if (pipe_empty(p))
        return 0;
    const struct pipe_slot *s = pipe_slot(p, p->head - 1);
    size_t room = PAGE_SIZE - s->offset - s->length;
    return room >= whole && s->flags == SLOT_OWN ? room : 0;
}

// Append up to n bytes to the last page.
static size_t pipe_extend(struct pipe *p, struct iter *from, size_t n) {
    struct pipe_slot *s = pipe_slot(p, p->head - 1);
    size_t got = iter_get(from, (char *)page_va(s->page) + s->offset + s->length, n);
    s->length += got;
    return got;
}

// Fill a free slot with up to n bytes: how many, -EFAULT for none, -ENOMEM.
static ssize_t pipe_add_page(struct pipe *p, struct iter *from, size_t n, bool packet) {
    if (!p->spare && !(p->spare = page_alloc(0, ALLOC_USER)))
        return -ENOMEM;
    size_t got = iter_get(from, page_va(p->spare), n);
    if (got == 0)
        return -EFAULT;
    *pipe_slot(p, p->head) =
        (struct pipe_slot){p->spare, got, 0, packet ? SLOT_OWN | SLOT_PACKET : SLOT_OWN};
    p->spare = NULL;
    WRITE_ONCE(p->head, p->head + 1);
    return got;
}

// Move bytes in until the iter is empty or the ring is full. `whole`: bytes that must stay in one piece, or 0, or PACKETS.
// 0, or -EFAULT, -ENOMEM; *done counts what went in before.
static int pipe_fill(struct pipe *p, struct iter *from, size_t whole, size_t *done) {
    while (from->left) {
        size_t room = pipe_tail_room(p, whole ? whole : 1);
        size_t want = min(from->left, room ? room : PAGE_SIZE);
        ssize_t n;
        if (room)
            n = pipe_extend(p, from, want);
        else if (!pipe_full(p))
            n = pipe_add_page(p, from, want, whole == PACKETS);
        else
            return 0;
        if (n < 0)
            return n;
        *done += n;
        if ((size_t)n < want)
            return -EFAULT;
    }
    return 0;
}

// ---- file operations ----

static inline bool may_take(const struct pipe *p) {
    return (!pipe_empty(p) || !READ_ONCE(p->nr_writers)) && !READ_ONCE(p->leaving);
}

static inline int wait_bytes(struct pipe *p, bool nonblock) {
    for (;;) {
        if (nonblock || may_take(p)) {
            mutex_lock(&p->lock);
            if (may_take(p))
                return 0;
            mutex_unlock(&p->lock);
        }
        if (nonblock)
            return -EAGAIN;
        int error = wait_event_interruptible(&p->readers, may_take(p), "pipe_read");
        if (error)
            return error;
    }
}

int pipe_wait_bytes(struct pipe *p, bool nonblock) { return wait_bytes(p, nonblock); }

ssize_t pipe_receive(struct pipe *p, struct iter *to, bool nonblock) {
    int error = wait_bytes(p, nonblock);
    if (error)
        return error;
    u32 used = p->head - p->tail;
    size_t n = pipe_take(p, to);
    mutex_unlock(&p->lock);
    if (used >= p->slots)
        pipe_wake(&p->writers, PIPE_WRITABLE);
    return n || !used ? (ssize_t)n : -EFAULT;
}

static ssize_t pipe_read(struct file *f, struct iter *to, u64 *pos) {
    (void)pos;
    if (to->left == 0)
        return 0;
    return pipe_receive(f->private_, to, f->flags & O_NONBLOCK);
}

int pipe_wait_room(struct pipe *p, bool nonblock) {
    mutex_unlock(&p->lock);
    pipe_wake(&p->readers, PIPE_READABLE);
    if (nonblock)
        return -EAGAIN;
    int error = wait_event_interruptible(&p->writers, !pipe_full(p) || !READ_ONCE(p->nr_readers),
                                         "pipe_write");
    if (!error)
        mutex_lock(&p->lock);
    return error;
}

static ssize_t pipe_write(struct file *f, struct iter *from, u64 *pos) {
    struct pipe *p = f->private_;
    size_t whole = from->left <= PIPE_BUF ? from->left : 0, done = 0;
    int error = 0;
    (void)pos;
    if (from->left == 0)
        return 0;
    if (unlikely(f->flags & O_DIRECT))
        whole = PACKETS;
    mutex_lock(&p->lock);
    for (;;) {
        error = p->nr_readers ? pipe_fill(p, from, whole, &done) : -EPIPE;
        if (error || from->left == 0)
            break;
        error = pipe_wait_room(p, f->flags & O_NONBLOCK);
        if (error)
            return done ? (ssize_t)done : error;
    }
    mutex_unlock(&p->lock);
    if (done)
        pipe_wake(&p->readers, PIPE_READABLE);
    if (error == -EPIPE)
        signal_self(SIGPIPE);
    return done ? (ssize_t)done : error;
}

static u32 pipe_poll(struct file *f, struct poll_table *pt) {
    struct pipe *p = f->private_;
    u32 events = 0;
    if (f->mode & FILE_READ) {
        poll_wait(f, &p->readers, pt);
        if (!pipe_empty(p) && !READ_ONCE(p->leaving))
            events |= PIPE_READABLE;
        // Not before a first writer came: f->pos is opened_write as this reader found it.
        if (!READ_ONCE(p->nr_writers) && (u32)f->pos != READ_ONCE(p->opened_write))
            events |= POLLHUP;
    }
    if (f->mode & FILE_WRITE) {
        poll_wait(f, &p->writers, pt);
        if (!pipe_full(p))
            events |= PIPE_WRITABLE;
        if (!READ_ONCE(p->nr_readers))
            events |= POLLERR;
    }
    return events;
}

static long pipe_ioctl(struct file *f, u32 cmd, u64 arg) {
    struct pipe *p = f->private_;
    if (cmd != FIONREAD)
        return -ENOTTY;
    u32 bytes = 0;
    mutex_lock(&p->lock);
    for (u32 i = p->tail; i != p->head; i++)
        bytes += pipe_slot(p, i)->length;
    mutex_unlock(&p->lock);
    return put_user_u32(bytes, arg);
}

// ---- open and close ----

// The pipe of a FIFO's inode, one more description counted; NULL as pipe_alloc.
static struct pipe *pipe_attach(struct inode *inode) {
    write_lock(&inode->lock);
    if (!inode->pipe)
        inode->pipe = pipe_alloc();
    struct pipe *p = inode->pipe;
    if (p)
        p->files++;
    write_unlock(&inode->lock);
    return p;
}

static void pipe_detach(struct inode *inode, struct pipe *p) {
    write_lock(&inode->lock);
    bool last = --p->files == 0;
    if (last)
        inode->pipe = NULL;
    write_unlock(&inode->lock);
    if (last)
        pipe_free(p);
}

// f's ends come (1) or go (-1). => has the other side, or f itself as such, ends now?
static bool pipe_count_ends(struct pipe *p, struct file *f, int step) {
    mutex_lock(&p->lock);
    if (step > 0)
        f->pos = p->opened_write;
    if (f->mode & FILE_READ) {
        p->nr_readers += step;
        p->opened_read += step > 0;
    }
    if (f->mode & FILE_WRITE) {
        p->nr_writers += step;
        p->opened_write += step > 0;
    }
    bool partner = f->mode & FILE_READ ? p->nr_writers : p->nr_readers;
    mutex_unlock(&p->lock);
    pipe_wake(&p->readers, PIPE_READABLE | POLLHUP);
    pipe_wake(&p->writers, PIPE_WRITABLE | POLLERR);
    return partner;
}

static void pipe_release(struct file *f) {
    struct pipe *p = f->private_;
    if (!p)
        return;
    f->private_ = NULL;
    pipe_count_ends(p, f, -1);
    pipe_detach(f->inode, p);
}

// Open waits for the other side to have come, even if it is gone again by now: it was there when f was counted, or has been
// opened more often than `seen`.
//   cat < fifo                              echo > fifo &
//                                             counted; waits for a reader
//   seen = 1; counted: a writer is there
//   wakes it, is preempted                    goes on, writes, closes: no writer any more
//   does not wait
static int fifo_wait_partner(struct pipe *p, struct file *f, u32 read_seen, u32 write_seen) {
    if (f->mode & FILE_READ)
        return f->flags & O_NONBLOCK
                   ? 0
                   : wait_event_interruptible(&p->readers, READ_ONCE(p->opened_write) != write_seen,
                                              "fifo_open");
    if (f->flags & O_NONBLOCK)
        return -ENXIO;
    return wait_event_interruptible(&p->writers, READ_ONCE(p->opened_read) != read_seen,
                                    "fifo_open");
}

static int fifo_open(struct inode *inode, struct file *f) {
    struct pipe *p = pipe_attach(inode);
    if (!p)
        return -ENOMEM;
    u32 read_seen = READ_ONCE(p->opened_read), write_seen = READ_ONCE(p->opened_write);
    f->mode = (f->mode & ~FILE_SEEK) | FILE_STREAM;
    f->private_ = p;
    bool partner = pipe_count_ends(p, f, 1);
    int error = partner ? 0 : fifo_wait_partner(p, f, read_seen, write_seen);
    if (error)
        pipe_release(f);
    return error;
}

const struct file_ops fifo_ops = {
    .open = fifo_open,
    .release = pipe_release,
    .read = pipe_read,
    .write = pipe_write,
    .ioctl = pipe_ioctl,
    .poll = pipe_poll,
};

// ---- pipefs and pipe2() ----

static const struct fs_type pipefs_type = {.name = "pipefs"};
static const struct inode_ops pipe_inode_ops;
static struct super pipefs = NAMELESS_SUPER(pipefs, &pipefs_type, 0x0d, PIPEFS_MAGIC);
static u64 next_ino;  // [a]

// An inode with its pipe and no descriptions yet.
static struct inode *pipe_inode(void) {
    struct pipe *p = pipe_alloc();
    if (!p)
        return ERR_PTR(-ENFILE);
    struct inode *inode = inode_new(&pipefs, atomic_add(&next_ino, 1) + 1, S_IFIFO | 0600);
    if (IS_ERR(inode)) {
        pipe_free(p);
        return inode;
    }
    inode->ops = &pipe_inode_ops;
    inode->fops = &fifo_ops;
    inode->nlink = 0;  // no name will ever find it: it goes with the last description
    inode->pipe = p;
    return inode;
}

// One end. => on failure the pipe still belongs to the caller. Takes its own inode reference.
static struct file *pipe_end(struct inode *inode, int flags) {
    inode_ref(inode);
    struct file *f = file_create(inode, &fifo_ops, flags, NULL);
    if (IS_ERR(f)) {
        inode_put(inode);
        return f;
    }
    f->mode = (f->mode & ~FILE_SEEK) | FILE_STREAM;
    f->private_ = inode->pipe;
    pipe_count_ends(inode->pipe, f, 1);
    return f;
}

int pipe_create(struct file *ends[2], int flags) {
    if (flags & ~(O_NONBLOCK | O_CLOEXEC | O_DIRECT))
        return -EINVAL;
    struct inode *inode = pipe_inode();
    if (IS_ERR(inode))
        return PTR_ERR(inode);
    struct pipe *p = inode->pipe;
    p->files = 3;  // two ends and this function
    flags &= O_NONBLOCK | O_DIRECT;
    int error = 0;
    ends[0] = pipe_end(inode, O_RDONLY | flags);
    if (IS_ERR(ends[0])) {
        error = PTR_ERR(ends[0]);
        p->files -= 2;
        goto put_inode;
    }
    ends[1] = pipe_end(inode, O_WRONLY | flags);
    if (IS_ERR(ends[1])) {
        error = PTR_ERR(ends[1]);
        p->files--;
        file_put(ends[0]);
    }
put_inode:
    pipe_detach(inode, p);
    inode_put(inode);
    return error;
}

// ---- size ----

// A ring of `slots` slots with the same bytes. => lock held. 0, -EBUSY, -ENOMEM.
static int pipe_resize(struct pipe *p, u32 slots) {
    u32 used = p->head - p->tail;
    if (used > slots)
        return -EBUSY;
    if (slots * sizeof(struct pipe_slot) > MIB(4))
        return -ENOMEM;
    struct pipe_slot *ring = slots <= PIPE_SLOTS && p->ring != p->first_ring
                                 ? p->first_ring
                                 : kzalloc(slots * sizeof(*ring));
    if (!ring)
        return -ENOMEM;
    for (u32 i = 0; i < used; i++)
        ring[i] = *pipe_slot(p, p->tail + i);
    if (p->ring != p->first_ring)
        kfree(p->ring);
    p->ring = ring;
    WRITE_ONCE(p->slots, slots);
    WRITE_ONCE(p->tail, 0);
    WRITE_ONCE(p->head, used);
    return 0;
}

// May a pipe become so large, and its user's pipes with it?
static bool may_grow(u64 slots, u64 pages) {
    if (slots * PAGE_SIZE > READ_ONCE(pipe_max_size) && !capable(CAP_SYS_RESOURCE))
        return false;
    return !too_many(pages, READ_ONCE(user_pages_soft)) &&
           !too_many(pages, READ_ONCE(user_pages_hard));
}

static long pipe_set_size(struct pipe *p, u64 size) {
    if (size > GIB(2))
        return -EINVAL;
    u64 slots = 1ul << ilog2_up(div_round_up(max(size, 1ul), PAGE_SIZE));
    mutex_lock(&p->lock);
    s64 more = (s64)slots - p->slots;
    u64 pages = charge(p->user, more);
    long result = more > 0 && !may_grow(slots, pages) ? -EPERM : pipe_resize(p, slots);
    if (result)
        charge(p->user, -more);
    mutex_unlock(&p->lock);
    // The unlocked looks may have seen half of the change.
    pipe_wake(&p->readers, PIPE_READABLE);
    pipe_wake(&p->writers, PIPE_WRITABLE);
    return result ? result : (long)(slots * PAGE_SIZE);
}

long pipe_fcntl(struct file *f, int cmd, u64 arg) {
    struct pipe *p = pipe_of(f);
    if (!p)
        return -EBADF;
    if (cmd == F_SETPIPE_SZ)
        return pipe_set_size(p, arg);
    return (long)READ_ONCE(p->slots) * (long)PAGE_SIZE;
}

static void show_max_size(struct printer *p) {
    printer_printf(p, "%lu\n", READ_ONCE(pipe_max_size));
}

static int set_max_size(const char *text, size_t n) {
    u64 size;
    (void)n;
    if (parse_u64(text, &size) || size > GIB(2))
        return -EINVAL;
    WRITE_ONCE(pipe_max_size, PAGE_SIZE << ilog2_up(div_round_up(max(size, PAGE_SIZE), PAGE_SIZE)));
    return 0;
}

void pipe_init(void) {
    proc_add("sys/fs/pipe-max-size", 0644, show_max_size, set_max_size);
    proc_add_number("sys/fs/pipe-user-pages-soft", &user_pages_soft, INT64_MAX);
    proc_add_number("sys/fs/pipe-user-pages-hard", &user_pages_hard, INT64_MAX);
}
