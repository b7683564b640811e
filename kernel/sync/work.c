/*
 * Work queues: a list of works, and a thread that calls them one by one. The threads are made by proc/kthread.c.
 *
 * `queued` is cleared before the call, so work that is added while it runs runs again. The last store to a work is
 * that one: fn may free it, or let whoever waits for it do so.
 *
 *   worker (queue locked for each step)       work_flush()
 *   off the list, running = w, queued = 0
 *   fn(w)                                     queued? no. running is w: sleep
 *   running = NULL, wake                      queued? no. running is w? no
 *
 * A work belongs to one queue at a time, since `queued` is taken before the lock of the queue: the tty's, which interrupt
 * handlers of any hart add, is on the list of the first.
 *
 * Softwork is never run on the way out of an interrupt, only by the thread: it is rare (signals from terminals), and so
 * there is one place where it runs, and one kind of context for it.
 */
#include "sync/work.h"

#include "arch/csr.h"
#include "arch/hart.h"
#include "lib/atomic.h"
#include "proc/proc.h"

static PERHART(struct workqueue, soft_queue);

struct workqueue *softwork_queue(u32 hart) {
    return per_hart(soft_queue, hart);
}

void softwork_init(void) {
    for_each_hart (h) {
        struct workqueue *q = softwork_queue(h);
        waitq_init(&q->waitq);
        list_init(&q->works);
    }
}

bool work_add(struct workqueue *q, struct work *w) {
    if (atomic_xchg(&w->queued, 1))
        return false;
    u64 flags = irqlock_acquire(&q->waitq.lock);
    list_add_tail(&w->link, &q->works);
    waitq_wake_locked(&q->waitq, ~0u, 0);
    irqlock_release(&q->waitq.lock, flags);
    return true;
}

bool softwork(struct work *w) {
    u64 flags = irq_save();
    bool added = work_add(this_hart(soft_queue), w);
    irq_restore(flags);
    return added;
}

// The worker is through with the work before, and takes the next, or NULL.
static struct work *next_work(struct workqueue *q) {
    u64 flags = irqlock_acquire(&q->waitq.lock);
    struct work *w = list_first_or_null(&q->works, struct work, link);
    if (q->running)
        waitq_wake_locked(&q->waitq, ~0u, 0);
    WRITE_ONCE(q->running, w);
    if (w) {
        list_del(&w->link);
        store_release(&w->queued, 0);
    }
    irqlock_release(&q->waitq.lock, flags);
    return w;
}

void work_thread(void *queue) {
    struct workqueue *q = queue;
    struct work *w;
    for (;;) {
        wait_event_interruptible(&q->waitq, (w = next_work(q)) != NULL, "work");
        w->fn(w);
    }
}

void work_flush(struct workqueue *q, struct work *w) {
    wait_event(&q->waitq, !load_acquire(&w->queued) && READ_ONCE(q->running) != w, "workflush");
}

bool work_cancel(struct workqueue *q, struct work *w) {
    u64 flags = irqlock_acquire(&q->waitq.lock);
    bool waiting = !list_empty(&w->link);
    if (waiting) {
        list_del(&w->link);
        store_release(&w->queued, 0);
        waitq_wake_locked(&q->waitq, ~0u, 0);
    }
    irqlock_release(&q->waitq.lock, flags);
    work_flush(q, w);
    return waiting;
}
