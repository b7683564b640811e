/*
 * Wait queues and channels.
 *
 * A wait queue is a list of waiters under an interrupt-safe lock. A waiter normally wakes its task; one with another function
 * (poll, epoll, futex) does what it likes. The race between going to sleep and waking is drawn in wait.h; the two
 * fences that it needs are in waitq_prepare(), after the state is set and before the condition is looked at,
 * and in task_wake(), after the condition was made true and before the state is looked at.
 *
 * A channel is any address. sleep(chan) sleeps on the wait queue that the address hashes to, with the address kept in
 * the waiter, and wakeup(chan) wakes those waiters whose address it is: the same mechanism, found by hashing.
 * The caller's spinlock is released only after the waiter is on its queue, so a waker that changes the condition under that lock
 * cannot be missed.
 */
#include "proc/wait.h"

#include "abi/errno.h"
#include "lib/hash.h"
#include "proc/proc.h"
#include "time/timer.h"

static bool wake_task(struct waiter *w, u32 key) {
    (void)key;
    return task_wake(w->task, TASK_ASLEEP);
}

void waiter_init(struct waiter *w) {
    w->task = current;
    w->fn = wake_task;
    w->exclusive = false;
    list_init(&w->link);
}

// Exclusive waiters stand behind the others, in order of arrival.
static void add_locked(struct waitq *q, struct waiter *w) {
    assert_held(&q->lock);
    if (w->exclusive)
        list_add_tail(&w->link, &q->waiters);
    else
        list_add(&w->link, &q->waiters);
}

void waitq_add(struct waitq *q, struct waiter *w) {
    u64 flags = irqlock_acquire(&q->lock);
    add_locked(q, w);
    irqlock_release(&q->lock, flags);
}

void waitq_remove(struct waitq *q, struct waiter *w) {
    u64 flags = irqlock_acquire(&q->lock);
    list_del(&w->link);
    irqlock_release(&q->lock, flags);
}

void waitq_prepare(struct waitq *q, struct waiter *w, u32 state, const char *wmesg) {
    u64 flags = irqlock_acquire(&q->lock);
    if (list_empty(&w->link))
        add_locked(q, w);
    current->wmesg = wmesg;
    current->wchan = q;
    store_relaxed(&current->state, state);
    irqlock_release(&q->lock, flags);
    memory_fence();
}

void waitq_finish(struct waitq *q, struct waiter *w) {
    store_relaxed(&current->state, (u32)TASK_RUNNING);
    current->wmesg = NULL;
    current->wchan = NULL;
    waitq_remove(q, w);
}

void waitq_wake_locked(struct waitq *q, u32 exclusive, u32 key) {
    struct waiter *w, *next;
    assert_held(&q->lock);
    list_for_each_safe (w, next, &q->waiters, link) {
        if (!w->fn(w, key) || !w->exclusive)
            continue;
        list_del(&w->link);  // the next wake-up must not go through all who have not run since
        if (--exclusive == 0)
            break;
    }
}

void waitq_wake(struct waitq *q, u32 exclusive, u32 key) {
    u64 flags = irqlock_acquire(&q->lock);
    waitq_wake_locked(q, exclusive, key);
    irqlock_release(&q->lock, flags);
}

void wake_best(struct waitq *q) {
    struct waiter *w, *best = NULL;
    u64 flags = irqlock_acquire(&q->lock);
    list_for_each (w, &q->waiters, link)
        if (!best || READ_ONCE(w->task->se.rt_priority) > READ_ONCE(best->task->se.rt_priority))
            best = w;
    if (best)
        list_move(&best->link, &q->waiters);
    waitq_wake_locked(q, 1, 0);
    irqlock_release(&q->lock, flags);
}

// ---- with a limit ----

struct alarm {
    struct timer timer;
    struct task *task;
};

static void alarm_rings(struct timer *t) {
    task_wake(container_of(t, struct alarm, timer)->task, TASK_ASLEEP);
}

bool schedule_until(u64 deadline) {
    if (deadline == TIME_NEVER) {
        schedule();
        return true;
    }
    struct alarm alarm = {.task = current};
    timer_setup(&alarm.timer, alarm_rings);
    timer_start_loose(&alarm.timer, deadline, current->se.rt_priority ? 0 : current->timer_slack);
    schedule();
    timer_cancel_sync(&alarm.timer);
    return clock_ns() < moment_ns(deadline);
}

// ---- channels ----

#define CHANNELS 64

struct channel_waiter {
    struct waiter waiter;
    const void *chan;
};
static struct waitq channels[CHANNELS];

static struct waitq *channel_queue(const void *chan) {
    return &channels[hash_ptr(chan) % CHANNELS];
}

void channels_init(void) {
    for (unsigned i = 0; i < CHANNELS; i++)
        waitq_init(&channels[i]);
}

void sleep(const void *chan, struct spinlock *lk, const char *wmesg) {
    struct waitq *q = channel_queue(chan);
    struct channel_waiter w = {.chan = chan};
    waiter_init(&w.waiter);
    waitq_prepare(q, &w.waiter, TASK_UNINTERRUPTIBLE, wmesg);
    current->wchan = chan;
    spin_unlock(lk);
    schedule();
    waitq_finish(q, &w.waiter);
    spin_lock(lk);
}

void wakeup(const void *chan) {
    struct waitq *q = channel_queue(chan);
    u64 flags = irqlock_acquire(&q->lock);
    struct channel_waiter *w;
    list_for_each (w, &q->waiters, waiter.link)
        if (w->chan == chan)
            w->waiter.fn(&w->waiter, 0);
    irqlock_release(&q->lock, flags);
}
