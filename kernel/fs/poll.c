/*
 * poll: waiting for any of several files.
 *
 * A scan asks each file's poll operation for the events that hold now. In the first scan of a call that may
 * sleep, the operation also names the wait queues that announce changes (poll_wait), and an entry of ours goes
 * on each; later scans only ask. As soon as one file is ready nothing more is registered. A call that does not
 * wait registers nothing at all.
 *
 * The waker's callback only sets `triggered` and wakes the task: the poll operations may take mutexes, so the
 * task's state cannot be "asleep" during a scan.
 *
 *   poller                               waker (queue lock held)
 *   scan: nothing ready                  makes the file ready
 *   state = INTERRUPTIBLE; fence         triggered = true; fence
 *   triggered? yes: scan again           task_wake(): makes a sleeper runnable
 *
 * Lifetime: an entry keeps its fd_ref, so the file and with it the queue stay until poll_forget() has taken
 * the entry off. A file that appears under several numbers has an entry for each. The first entries are on the
 * stack, the others in blocks from kmalloc.
 */
#include "abi/errno.h"
#include "abi/poll.h"
#include "fs/file.h"
#include "lib/list.h"
#include "mm/slab.h"
#include "sched/sched.h"

#define STACK_ENTRIES 8
#define BLOCK_ENTRIES 50

struct poller;

struct poll_entry {
    struct waiter waiter;
    struct waitq *queue;
    struct poller *poller;
    struct fd_ref ref;
    u32 events;
};

struct poll_block {
    struct poll_block *next;
    u32 used;
    struct poll_entry entry[BLOCK_ENTRIES];
};

// One call of poll.
struct poller {
    struct poll_table table;
    struct task *task;
    bool triggered;             // [a]
    int error;                  // -ENOMEM: could not register
    struct fd_ref ref;          // the file being scanned
    bool kept;                  // an entry owns `ref` now
    u32 used;                   // of first
    struct poll_block *blocks;  // newest first
    struct poll_entry first[STACK_ENTRIES];
};

static bool poll_woken(struct waiter *w, u32 key) {
    struct poll_entry *e = container_of(w, struct poll_entry, waiter);
    if (key && !(key & e->events))
        return false;
    struct poller *p = e->poller;
    store_release(&p->triggered, true);
    memory_fence();
    task_wake(p->task, TASK_INTERRUPTIBLE);
    return true;
}

static struct poll_entry *poll_new_entry(struct poller *p) {
    if (p->used < STACK_ENTRIES)
        return &p->first[p->used++];
    if (!p->blocks || p->blocks->used == BLOCK_ENTRIES) {
        struct poll_block *b = kmalloc(sizeof(*b), 0);
        if (!b)
            return NULL;
        b->used = 0;
        b->next = p->blocks;
        p->blocks = b;
    }
    return &p->blocks->entry[p->blocks->used++];
}

static void poll_add(struct poll_table *pt, struct file *f, struct waitq *q) {
    struct poller *p = container_of(pt, struct poller, table);
    struct poll_entry *e = poll_new_entry(p);
    if (!e) {
        p->error = -ENOMEM;
        return;
    }
    waiter_init(&e->waiter);
    e->waiter.fn = poll_woken;
    e->queue = q;
    e->poller = p;
    e->events = pt->events;
    // The first entry of a file takes the scan's reference, a second queue of the same file needs none.
    e->ref = p->kept ? (struct fd_ref){f, false} : p->ref;
    p->kept = true;
    waitq_add(q, &e->waiter);
}

static inline u32 ask(struct file *f, struct poll_table *pt) {
    return likely(f->ops->poll) ? f->ops->poll(f, pt) : POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
}

// Bits of one descriptor.
static u32 poll_one(struct poller *p, const struct pollfd *fd) {
    if (unlikely(fd->fd < 0))
        return 0;
    struct fd_ref r = fd_get(fd->fd);
    if (unlikely(!r.file))
        return POLLNVAL;
    u32 wanted = (u16)fd->events | POLLERR | POLLHUP, found;
    if (!p->table.add) {
        found = ask(r.file, NULL);
        fd_put(r);
        return found & wanted;
    }
    p->ref = r;
    p->table.events = wanted;
    p->kept = false;
    found = ask(r.file, &p->table);
    if (!p->kept)
        fd_put(r);
    return found & wanted;
}

static int poll_scan(struct poller *p, struct pollfd *fds, u32 n) {
    int ready = 0;
    for (u32 i = 0; i < n; i++) {
        u32 found = poll_one(p, &fds[i]);
        fds[i].revents = found;
        if (found) {
            ready++;
            p->table.add = NULL;
        }
    }
    p->table.add = NULL;
    return ready;
}

static void poll_forget_entry(struct poll_entry *e) {
    waitq_remove(e->queue, &e->waiter);
    fd_put(e->ref);
}

static void poll_forget(struct poller *p) {
    // Second queues borrow the first one's reference, so newer entries go first.
    for (struct poll_block *b = p->blocks, *next; b; b = next) {
        next = b->next;
        for (u32 i = b->used; i-- > 0;)
            poll_forget_entry(&b->entry[i]);
        kfree(b);
    }
    for (u32 i = p->used; i-- > 0;)
        poll_forget_entry(&p->first[i]);
}

// Sleep until a callback, a signal or the deadline. False: the time is over.
static bool poll_sleep(struct poller *p, u64 deadline) {
    bool in_time = true;
    current->wmesg = "poll";
    __atomic_store_n(&current->state, TASK_INTERRUPTIBLE, __ATOMIC_SEQ_CST);
    memory_fence();
    if (!load_acquire(&p->triggered) && !signal_pending())
        in_time = schedule_until(deadline);
    __atomic_store_n(&current->state, TASK_RUNNING, __ATOMIC_SEQ_CST);
    current->wmesg = NULL;
    store_relaxed(&p->triggered, false);
    memory_fence();
    return in_time;
}

int poll_files(struct pollfd *fds, u32 n, u64 deadline) {
    struct poller p;
    p.table.add = deadline ? poll_add : NULL;
    p.task = current;
    p.triggered = false;
    p.error = 0;
    p.used = 0;
    p.blocks = NULL;
    bool in_time = deadline != 0;
    int result;
    for (;;) {
        result = poll_scan(&p, fds, n);
        if (result == 0)
            result = p.error;
        if (result || !in_time)
            break;
        if (signal_pending()) {
            result = -ERESTARTNOHAND;
            break;
        }
        in_time = poll_sleep(&p, deadline);
    }
    poll_forget(&p);
    return result;
}
