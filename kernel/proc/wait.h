// Wait queues, and xv6's sleep(chan) / wakeup(chan) over them.
//
// A sleeper first puts itself on the queue with its state set, then looks at the condition, then calls schedule();
// a waker first makes the condition true, then wakes. Whichever comes second sees what the other did: no wake-up is lost.
//
//   sleeper                              waker
//   waitq_prepare(): on queue, state=S
//   condition? no                        condition = true
//                                        waitq_wake(): finds it, state=RUNNING
//   schedule(): state is RUNNING,
//     so it stays runnable
#ifndef PROC_WAIT_H
#define PROC_WAIT_H

#include "abi/errno.h"
#include "lib/list.h"
#include "sync/spin.h"
#include "time/timer.h"

struct task;
struct waiter;

struct waitq {
    struct irqlock lock;  // [a]
    struct list waiters;  // [lock] of waiter.link, exclusive ones last
};

// Called with the queue's lock held, by the waker, in any context. True: counts as a wake-up of an exclusive waiter.
typedef bool waiter_fn(struct waiter *w, u32 key);

struct waiter {
    struct list link;   // [queue lock]
    struct task *task;  // [I]
    waiter_fn *fn;      // [I]
    bool exclusive;     // [I] wake_one wakes one of these, and takes it off the queue
};

#define WAITQ_INIT(name)                                                                           \
    {                                                                                              \
        IRQLOCK_INIT(RANK_WAITQ, "waitq"), { &(name).waiters, &(name).waiters }                    \
    }
static inline void waitq_init(struct waitq *q) {
    irqlock_init(&q->lock, RANK_WAITQ, "waitq");
    list_init(&q->waiters);
}
// Racy look: is anybody there? Follows a full fence in the waker.
static inline bool waitq_active(const struct waitq *q) {
    return READ_ONCE(q->waiters.next) != &q->waiters;
}

void waiter_init(struct waiter *w);  // wakes current
void waitq_add(struct waitq *q, struct waiter *w);
void waitq_remove(struct waitq *q, struct waiter *w);  // fine when it is not on the queue
// Put w (of current) on the queue unless it is there, and set current's state.
void waitq_prepare(struct waitq *q, struct waiter *w, u32 state, const char *wmesg);
void waitq_finish(struct waitq *q, struct waiter *w);  // state RUNNING again, off the queue

// Any context. key is what fn gets (poll: the ready events; 0 otherwise).
// All shared waiters and up to `exclusive` others
void waitq_wake(struct waitq *q, u32 exclusive, u32 key);
void waitq_wake_locked(struct waitq *q, u32 exclusive, u32 key);  // => q->lock held
static inline void wake_one(struct waitq *q) { waitq_wake(q, 1, 0); }
void wake_best(struct waitq *q);  // of exclusive waiters only: the one with the highest priority
static inline void wake_all(struct waitq *q) { waitq_wake(q, ~0u, 0); }

// Sleep until schedule() returns, at most until `deadline` (a moment, time/timer.h). False: the time is over.
bool schedule_until(u64 deadline);

// prepare: what comes before each look at cond. 0, or when stop holds -ERESTARTSYS, or -ETIMEDOUT.
#define sleep_until_(cond, stop, deadline, prepare)                                                \
    ({                                                                                             \
        int wait_result_ = 0;                                                                      \
        for (bool in_time_ = true;;) {                                                             \
            prepare;                                                                               \
            if (cond)                                                                              \
                break;                                                                             \
            if (!in_time_ || (stop)) {                                                             \
                wait_result_ = in_time_ ? -ERESTARTSYS : -ETIMEDOUT;                               \
                break;                                                                             \
            }                                                                                      \
            if ((deadline) == TIME_NEVER)                                                          \
                schedule();                                                                        \
            else                                                                                   \
                in_time_ = schedule_until(deadline);                                               \
        }                                                                                          \
        wait_result_;                                                                              \
    })
#define wait_event_state_(q, cond, state, wmesg, stop, one_of_many, deadline)                      \
    ({                                                                                             \
        struct waiter waiter_;                                                                     \
        waiter_init(&waiter_);                                                                     \
        if (one_of_many)                                                                           \
            waiter_.exclusive = true;                                                              \
        int result_ =                                                                              \
            sleep_until_(cond, stop, deadline, waitq_prepare(q, &waiter_, state, wmesg));          \
        waitq_finish(q, &waiter_);                                                                 \
        result_;                                                                                   \
    })

// Sleep until cond. The first two return only then; the others 0, or -ERESTARTSYS when a signal is pending.
#define wait_event(q, cond, wmesg)                                                                 \
    do {                                                                                           \
        if (!(cond))                                                                               \
            wait_event_state_(q, cond, TASK_UNINTERRUPTIBLE, wmesg, false, false, TIME_NEVER);     \
    } while (0)
#define wait_event_killable(q, cond, wmesg)                                                        \
    ((cond) ? 0                                                                                    \
            : wait_event_state_(q, cond, TASK_UNINTERRUPTIBLE | TASK_KILLABLE, wmesg,              \
                                fatal_signal_pending(), false, TIME_NEVER))
#define wait_event_interruptible(q, cond, wmesg)                                                   \
    ((cond) ? 0                                                                                    \
            : wait_event_state_(q, cond, TASK_INTERRUPTIBLE, wmesg, signal_pending(), false,       \
                                TIME_NEVER))
// The same for who can go on only one at a time: an exclusive waiter.
#define wait_turn(q, cond, wmesg)                                                                  \
    wait_event_state_(q, cond, TASK_UNINTERRUPTIBLE, wmesg, false, true, TIME_NEVER)
#define wait_turn_interruptible(q, cond, wmesg)                                                    \
    wait_event_state_(q, cond, TASK_INTERRUPTIBLE, wmesg, signal_pending(), true, TIME_NEVER)
// The same with a limit, a moment of time/timer.h: 0, -ERESTARTSYS, or -ETIMEDOUT.
#define wait_event_deadline(q, cond, deadline, wmesg)                                              \
    wait_event_state_(q, cond, TASK_INTERRUPTIBLE, wmesg, signal_pending(), false, deadline)
#define wait_turn_deadline(q, cond, deadline, wmesg)                                               \
    wait_event_state_(q, cond, TASK_INTERRUPTIBLE, wmesg, signal_pending(), true, deadline)
// The same without a queue: who makes cond true calls task_wake().
#define sleep_deadline(cond, deadline, why)                                                        \
    ({                                                                                             \
        current->wmesg = why;                                                                      \
        int result_ =                                                                              \
            sleep_until_(cond, signal_pending(), deadline,                                         \
                         __atomic_store_n(&current->state, TASK_INTERRUPTIBLE, __ATOMIC_SEQ_CST)); \
        WRITE_ONCE(current->state, TASK_RUNNING);                                                  \
        current->wmesg = NULL;                                                                     \
        result_;                                                                                   \
    })

// xv6's pair: release lk, sleep until wakeup(chan), take lk again. => lk held, and it is the only one.
// Uninterruptible; callers loop over their condition.
void sleep(const void *chan, struct spinlock *lk, const char *wmesg);
void wakeup(const void *chan);
void channels_init(void);

#endif
