/*
 * Work put off by interrupt handlers: one list and one thread per hart.
 *
 * softwork_queue() links the work to the hart's list and wakes its thread; the thread takes the whole list and calls each
 * function with interrupts on. `queued` is cleared before the call, so work that is queued while it runs runs again.
 * The list is only touched by its own hart with interrupts off: no lock.
 */
#include "sync/softwork.h"

#include "arch/csr.h"
#include "proc/proc.h"
#include "lib/atomic.h"
#include "arch/hart.h"

struct soft_queue {
    struct list works;    // [hart, interrupts off]
    struct task *thread;  // [I] once it runs
};
static PERHART(struct soft_queue, soft_queue);

void softwork_queue(struct softwork *w) {
    if (atomic_xchg(&w->queued, 1))
        return;
    u64 flags = irq_save();
    struct soft_queue *q = this_hart(soft_queue);
    if (q->works.next == NULL)
        list_init(&q->works);
    list_add_tail(&w->link, &q->works);
    if (q->thread)
        task_wake(q->thread, TASK_INTERRUPTIBLE);
    irq_restore(flags);
}

static struct softwork *next_work(struct soft_queue *q) {
    u64 flags = irq_save();
    struct softwork *w = list_first_or_null(&q->works, struct softwork, link);
    if (w)
        list_del(&w->link);
    irq_restore(flags);
    return w;
}

void softwork_thread(void *hart) {
    struct soft_queue *q = per_hart(soft_queue, (u64)hart);
    u64 flags = irq_save();
    if (q->works.next == NULL)
        list_init(&q->works);
    q->thread = current;
    irq_restore(flags);
    for (;;) {
        current->wmesg = "softwork";
        store_release(&current->state, (u32)TASK_INTERRUPTIBLE);
        memory_fence();
        struct softwork *w = next_work(q);
        if (w == NULL) {
            schedule();
            continue;
        }
        store_release(&current->state, (u32)TASK_RUNNING);
        store_release(&w->queued, 0);
        w->fn(w);
    }
}
