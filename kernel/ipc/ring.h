// The ring of a pipe, for the two files that know it: pipe.c (reading and writing) and splice.c (moving pages).
#ifndef IPC_RING_H
#define IPC_RING_H

#include "ipc/pipe.h"
#include "mm/page.h"

#define PIPE_SLOTS 16     // 64 KiB, pipe(7)
#define PIPE_SLOTS_FEW 2  // of a user who has too many pages in pipes

struct pipe_slot {
    struct page *page;  // with a reference
    u32 length;         // bytes of it that are not yet read
    u16 offset;         // of the first of them
    u16 flags;
};
#define SLOT_OWN 1u     // a page that a write allocated: more bytes may go behind
#define SLOT_PACKET 2u  // is read whole or cut: O_DIRECT

struct pipe {
    struct mutex lock;
    struct waitq readers, writers;
    // [lock]; head, tail and the counts are also looked at without
    u32 head, tail;  // free-running: slot i is ring[i & (slots - 1)]
    u32 slots;
    u32 nr_readers, nr_writers;     // descriptions open for it
    u32 opened_read, opened_write;  // how often that happened: what open of a FIFO waits for
    struct pipe_slot *ring;
    bool leaving;  // a splice writes the first slot somewhere: it is not to be read
    struct page *spare;
    struct pipe_slot first_ring[PIPE_SLOTS];
    u32 files;          // [inode lock] descriptions
    struct user *user;  // [I] who made it, with a reference: pays for `slots` pages
};

static inline bool pipe_empty(const struct pipe *p) {
    return READ_ONCE(p->head) == READ_ONCE(p->tail);
}
static inline bool pipe_full(const struct pipe *p) {
    return READ_ONCE(p->head) - READ_ONCE(p->tail) >= READ_ONCE(p->slots);
}
static inline struct pipe_slot *pipe_slot(const struct pipe *p, u32 i) {
    return &p->ring[i & (p->slots - 1)];
}

#define PIPE_READABLE (POLLIN | POLLRDNORM)
#define PIPE_WRITABLE (POLLOUT | POLLWRNORM)
static inline void pipe_wake(struct waitq *q, u32 events) {
    memory_fence();
    if (waitq_active(q))
        waitq_wake(q, 1, events);
}

// The pipe of a file, or NULL: it is something else.
static inline struct pipe *pipe_of(const struct file *f) {
    return f->ops == &fifo_ops ? f->private_ : NULL;
}

// The first slot is read, or given up. A page that nobody else has is kept for the next write. => lock held
static inline void pipe_drop_first(struct pipe *p) {
    const struct pipe_slot *s = pipe_slot(p, p->tail);
    struct page *page = s->page;
    WRITE_ONCE(p->tail, p->tail + 1);
    if (!p->spare && s->flags & SLOT_OWN && ref_read(&page->ref) == 1)
        p->spare = page;
    else
        page_put(page);
}
// Wait until there are bytes. => lock not held, but after 0 it is. 0 (perhaps with an empty ring: end of file), -EAGAIN,
// -ERESTARTSYS.
int pipe_wait_bytes(struct pipe *p, bool nonblock);
// Wait for a free slot, or the last reader's end. => lock held, and held again after 0; released after
// an error. 0, -EAGAIN, -ERESTARTSYS.
int pipe_wait_room(struct pipe *p, bool nonblock);
// read(2) of a pipe. => to->left > 0
ssize_t pipe_receive(struct pipe *p, struct iter *to, bool nonblock);

#endif
