// Scheduling: run queues, one per hart, and the classes that order them.
//
// core.c knows tasks and harts; a class file (rr.c, idle.c …) knows scheduling entities only.
#ifndef SCHED_SCHED_H
#define SCHED_SCHED_H

#include "arch/upcall.h"
#include "lib/list.h"
#include "lib/rbtree.h"
#include "lib/types.h"
#include "sync/spin.h"
#include "time/timer.h"

struct task;
struct runq;
struct sched_class;

enum sched_policy {
    POLICY_NORMAL = 0,
    POLICY_FIFO = 1,
    POLICY_RR = 2,
    POLICY_BATCH = 3,
    POLICY_IDLE = 5
};

// What a class orders. One per task, guarded by the lock of the run queue it belongs to.
struct sched_entity {
    const struct sched_class *class;
    struct list link;     // in a FIFO of its class
    struct rb_node node;  // in a tree of its class
    u64 vruntime;         // ns, weighted
    u64 exec_start;       // ns: when the current stretch on a hart began
    u64 exec_sum;         // ns on a hart since creation
    u64 slice_end;        // exec_sum at which its turn is over
    u32 weight;
    bool queued;     // on a run queue (running counts)
    bool running;    // it is a hart's current entity
    u8 policy;       // enum sched_policy
    u8 rt_priority;  // 0, or 1 … 99
    s8 nice;         // -20 … 19
};

struct rr_queue {
    struct list queue;  // entities that wait, in order of their turn
    u32 count;
};

struct runq {
    struct irqlock lock;  // guards the rest and the entities on it
    u32 hart;
    u32 nr_running;        // queued tasks, the idle task not counted; others may read it [a]
    struct task *running;  // whose turn it is
    struct task *idle;
    struct task *next;  // has the next turn, whatever the classes say; it is queued here
    u64 clock;          // ns, taken when the lock was
    u64 switches;
    struct task *exited;  // the task just switched away from for the last time
    struct task *moving;  // the one just switched away from that must go to another hart
    struct timer tick;    // ends the current task's turn; armed only when others wait
    // Divides time into the users' and the kernel's; ends when the hart is idle
    struct timer sample;
    u64 system;  // ns of tasks in the kernel; others may read it [a]
    struct rr_queue rr;
};

// Ten methods at most. => all with rq->lock held, interrupts off.
struct sched_class {
    const char *name;
    u32 rank;  // higher goes first: rt 3, fair 2, idle 1
    void (*enqueue)(struct runq *rq, struct sched_entity *se, bool wakeup);
    void (*dequeue)(struct runq *rq, struct sched_entity *se);
    struct sched_entity *(*pick)(struct runq *rq);  // the best; it stops waiting. NULL: none
    // A running, still queued one waits again
    void (*put)(struct runq *rq, struct sched_entity *se);
    bool (*preempts)(struct runq *rq, struct sched_entity *woken, struct sched_entity *current);
    u64 (*turn_ends)(struct runq *rq, struct sched_entity *se);  // ns; TIME_NEVER: no tick needed
    bool (*tick)(struct runq *rq, struct sched_entity *se);      // true: its turn is over
    void (*yield)(struct runq *rq, struct sched_entity *se);     // current goes behind the others
    // Walk over those that wait; NULL: first
    struct sched_entity *(*waiting)(struct runq *rq, struct sched_entity *after);
};
extern const struct sched_class rr_class, idle_class;
struct runq *runq_of(u32 hart);  // for /proc and gdb; fields are racy without its lock

extern int sched_child_first;  // [I] after boot: a new task runs before its parent goes on
extern int kernel_preemption;  // [I] after boot: 1 full, 0 only on the way to user code
void sched_init(void);         // hart 0, early
void sched_init_hart(u32 hart, struct task *idle);  // before the hart starts
void schedule(void);  // => no spinning lock held; gives the hart to the best task
void sched_yield(void);
void sched_start(struct task *t);  // a new task's first enqueue
// current's state becomes ZOMBIE or DEAD. => not preemptible until sched_exit()
void sched_mark_dead(u32 state);
// If t is in one of these states make it runnable; true if it was
bool task_wake(struct task *t, u32 states);
void sched_kick(u32 hart);  // have that hart come through the kernel (IPI if it is not this one)
int sched_set_affinity(struct task *t, u64 mask);  // 0, -EINVAL; moves at once
u64 sched_task_runtime(struct task *t);            // ns on a hart so far
u64 sched_idle_ns(u32 hart);                       // time that a hart was idle
extern u32 io_in_flight;  // [a] transfers that drivers have begun and that will end soon
extern u64 idle_harts;    // [a] bit h: hart h runs its idle task
__noreturn void sched_idle_loop(void);
#ifdef CHECK_CHAOS
// Walk over the tasks that wait on rq, of the best class that has any; after NULL: the first. => rq->lock held
struct task *sched_waiting(struct runq *rq, const struct task *after);
#endif
// sched_exit(), the last act of a dead task, is in arch/upcall.h

#endif
