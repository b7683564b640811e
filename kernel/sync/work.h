// Work for a thread of its own: what an interrupt handler puts off, or what another task's context is wanted for.
//
// A queue has one worker, which calls fn of each work in the order of arrival, with interrupts on; fn may take any lock and
// sleep. Each hart has a queue that its thread ksoftirqd/N works off; a room may have more.
#ifndef SYNC_WORK_H
#define SYNC_WORK_H

#include "lib/list.h"
#include "proc/wait.h"

struct work {
    struct list link;  // [queue]
    void (*fn)(struct work *);
    u32 queued;  // [a] 1 from work_add() until just before fn is called
};
static inline void work_init(struct work *w, void (*fn)(struct work *)) {
    list_init(&w->link);
    w->fn = fn;
    w->queued = 0;
}

struct workqueue {
    struct waitq waitq;    // its lock guards the queue; the worker and work_flush() sleep here
    struct list works;     // [queue]
    struct work *running;  // [queue] what the worker is at
};
#define WORKQUEUE_INIT(q)                                                                          \
    { .waitq = WAITQ_INIT((q).waitq), .works = LIST_INIT((q).works) }

// Any context. False: it is queued already, and will begin after this call.
bool work_add(struct workqueue *q, struct work *w);
bool softwork(struct work *w);  // the same, for this hart's ksoftirqd
// Wait until w, if it was added to q before, is done; then nobody looks at it any more. => not by q's worker
void work_flush(struct workqueue *q, struct work *w);
// Take w back if it has not begun, else wait until it is done. True: it did not run. => as work_flush
bool work_cancel(struct workqueue *q, struct work *w);

void work_thread(void *queue);  // body of a worker
struct workqueue *softwork_queue(u32 hart);
void softwork_init(void);  // => all harts' data is there, nobody has softwork yet

#endif
