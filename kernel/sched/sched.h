// Scheduling: run queues, one per hart, and the classes that order them.
//
// core.c, balance.c and policy.c know tasks and harts; a class file (cfs.c, o1.c, rr.c, rt.c) knows
// scheduling entities only.
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

#define NICE_0_WEIGHT 1024
#define RT_PRIORITIES 99
#define NO_HART (~0u)

// What a class orders. One per task, guarded by the lock of the run queue it belongs to.
struct sched_entity {
    struct rb_node node;  // in a tree of its class. At the beginning: NULL is NULL without a test
    const struct sched_class *class;
    struct list link;       // in a FIFO of its class
    struct prio_queue *on;  // the array that FIFO is of
    u64 exec_start;         // ns: when the current stretch on a hart began, or the last one ended
    u64 exec_sum;           // ns on a hart since creation
    u64 vruntime;           // the same, counted the slower the heavier it is; cfs.c moves it
    u64 turn_start;         // exec_sum when its turn began
    u64 slice_end;          // exec_sum at which its slice is used up (rr, o1, rt)
    u64 moved_at;           // exec_sum when it came to this hart
    u64 queued_at;          // time CSR when it began to wait for a hart
    u64 waited;             // ticks of that clock that it waited so far; others may read it [a]
    u64 sleep_avg;          // ns (o1)
    u64 awake_since;        // exec_sum when it slept last or became real-time (rt)
    u64 slept;              // nvcsw then (rt)
    u64 judged_at;          // exec_sum up to which sleep_avg takes it into account (o1)
    u32 weight;             // 1024 for nice 0
    u32 home;               // hart whose scale vruntime is on, NO_HART: none yet (cfs)
    bool queued;            // on a run queue (running counts)
    bool running;           // it is a hart's current entity
    bool yielded;           // (o1)
    u8 level;               // which FIFO, 0 goes first (o1, rt)
    // How it wants to be scheduled: sched(7)
    u8 policy;           // enum sched_policy
    u8 rt_priority;      // 0, or 1 … 99: the higher of the next two
    u8 own_priority;     // what it has asked for
    u8 lent;             // what others lend it that wait for it (inherit.c)
    s8 nice;             // -20 … 19
    bool reset_on_fork;  // children begin as normal tasks
};

struct rr_queue {
    struct list queue;  // entities that wait, in order of their turn
};

struct cfs_queue {
    struct sched_entity *ahead;  // waits in front of the tree, before all that are in it; or NULL
    struct rb_root_cached tree;  // of those that wait, by vruntime
    struct list yielded;         // those that yielded, in this order
    u64 load;                    // sum of the weights of all that wait
    u64 min_vruntime;            // of all its tasks; only grows; others may read it [a]
    u64 shift;  // added to a vruntime of this hart it gives one that all harts share [a]
};

// A FIFO for each priority, and which of them are not empty: all in constant time (prio.h).
struct prio_queue {
    u64 used[2];  // bit l: fifo[l] has entities
    struct list fifo[RT_PRIORITIES];
};

struct o1_queue {
    struct prio_queue arrays[2];
    struct prio_queue *active, *expired;  // with a slice left; without
    u64 expired_since;  // ns: since when somebody waits for a new slice; 0: nobody
};

struct runq {
    struct irqlock lock;  // guards the rest and the entities on it
    u32 hart;
    u32 nr_running;        // queued tasks, the idle task not counted; others may read it [a]
    u32 nr_rt;             // real-time tasks among them; others may read it [a]
    struct task *running;  // whose turn it is
    struct task *idle;
    struct task *next;  // has the next turn, whatever the classes say; it is queued here
    u64 clock;          // ns, taken when the lock was
    u64 ticks;          // the same, as the time CSR gave it
    u64 chosen_at;      // clock when a class last chose who runs
    u64 switches;
    u64 waited;           // ticks that tasks waited here; others may read it [a]
    struct task *exited;  // the task just switched away from for the last time
    struct task *moving;  // the one just switched away from that must go to another hart
    struct timer tick;    // ends the current task's turn; armed only when others wait
    // The tick: divides time into the users' and the kernel's, and balances
    struct timer sample;
    bool alone;     // its tick is rare, for one task has the hart (nohz=full)
    u64 system;     // ns of tasks in the kernel; others may read it [a]
    u64 user_told;  // [a] ns: the most user time that was told of this hart
    struct rr_queue rr;
    struct cfs_queue cfs;
    struct o1_queue o1;
    struct prio_queue rt;
    u64 rt_used;         // ns of real-time tasks in this period
    u64 rt_period_ends;  // ns
    bool rt_throttled;   // they have had their part of it
};

enum enqueue_reason { TASK_BEGINS, TASK_WAKES, TASK_MOVES };  // MOVES: also when its class changes

// Ten methods. => all with rq->lock held, interrupts off. The running entity is in none of the
// class's queues.
struct sched_class {
    const char *name;
    const char *policies;  // that it serves
    u32 rank;              // higher goes first: rt 3, fair 2, idle 1
    u64 turn;              // ns: what sched_rr_get_interval(2) tells
    void (*enqueue)(struct runq *rq, struct sched_entity *se, enum enqueue_reason why);
    void (*dequeue)(struct runq *rq, struct sched_entity *se);  // one that waits does no more
    struct sched_entity *(*pick)(struct runq *rq);  // the best; it stops waiting. NULL: none
    // A running, still queued one waits again
    void (*put)(struct runq *rq, struct sched_entity *se);
    bool (*preempts)(struct runq *rq, struct sched_entity *woken, struct sched_entity *current);
    u64 (*turn_ends)(struct runq *rq, struct sched_entity *se);  // ns; TIME_NEVER: no tick needed
    bool (*tick)(struct runq *rq, struct sched_entity *se);      // true: its turn is over
    void (*yield)(struct runq *rq, struct sched_entity *se);     // current goes behind the others
    // Walk over those that wait, the best first; NULL: first
    struct sched_entity *(*waiting)(struct runq *rq, struct sched_entity *after);
    // Would it be fair to let one that waits on rq go to that other hart, which is not idle?
    bool (*fits)(struct runq *rq, struct sched_entity *se, struct runq *other);
};
extern const struct sched_class rt_class, cfs_class, o1_class, rr_class, idle_class;
extern const struct sched_class *sched_classes[3];  // [I] after boot: from the highest rank to idle
#define fair_class (sched_classes[1])
// How much of each period real-time tasks may have of a hart while others wait; runtime -1: all.
// [a]
extern struct rt_limits { s64 period_us, runtime_us; } rt_limits;
int sched_set_rt_limits(s64 period_us, s64 runtime_us);  // 0, -EINVAL
int sched_choose_fair(const char *name);  // 0, -EINVAL; at boot, before there are tasks
struct runq *runq_of(u32 hart);           // for /proc and gdb; fields are racy without its lock

// What sched_setattr(2) sets.
struct sched_params {
    u8 policy;  // enum sched_policy
    u8 rt_priority;
    s8 nice;
    bool reset_on_fork;
};
void sched_get_params(struct task *t, struct sched_params *out);
void sched_set_params(struct task *t, const struct sched_params *p);  // valid ones; holds at once
void sched_fork(struct sched_entity *child, const struct sched_entity *parent);

// Priority inheritance, inherit.c. A word names an owner if it is negative: then it is a struct
// task *.
struct inherit {
    const s64
        *waits_for;  // [a] word that names who has what the task waits for; NULL: it waits for none
    struct task *lends_to;  // [inherit] among whose lenders it is
    // [inherit] by inherit.lends, the highest first: tasks that wait for what this one has
    struct rb_root_cached lenders;
    struct rb_node link;  // [inherit]
    u8 lends;             // [inherit] priority with which it is there
    bool futex;           // [inherit] waits_for is that of a futex
    bool counted;         // [inherit] among those that lend or are about to
    bool gone;            // [inherit] it has let go of its futexes and is to get no more
};
bool inherit_used(void);  // somebody may lend. Follows a full fence
// current is about to sleep until *word, of a lock, does not name its owner. Again after each
// failed attempt
void inherit_wait(const s64 *word);
void inherit_end(void);  // current has it, or waits no more
void inherit_release(
    const s64 *word);  // current, no owner any more, gives back what was lent it for *word
// Futexes: t is to sleep until *word is 0. 0; -EDEADLK: it would be for itself; -ESRCH:
// inherit.gone of the owner
int inherit_wait_for(struct task *t, s64 *word, struct task *owner);
u64 inherit_lock(void);
void inherit_unlock(u64 flags);
// t, which waits for *word, does so for another owner from now on, or (NULL) no more. =>
// inherit_lock()
void inherit_name_owner(struct task *t, s64 *word, struct task *owner);
const s64 *inherit_first_word(void);  // of a futex that current owns, or NULL. => inherit_lock()
void inherit_set_gone(bool gone);     // of current

// When a hart takes no ticks: never; while it is idle; also while one task has it to itself
enum nohz { NOHZ_OFF, NOHZ_IDLE, NOHZ_FULL };
extern int nohz;               // [I] after boot
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
// schedule(), and t, which current wakes as by task_wake(), has this hart next, for as long as that
// is not unfair to others.
void sched_hand_over(struct task *t, u32 states);
void sched_kick(u32 hart);  // have that hart come through the kernel (IPI if it is not this one)
// 0, -EINVAL. Afterwards t is in no user code on another hart. => no locks held: it may wait for t
int sched_set_affinity(struct task *t, u64 mask);
u64 sched_task_runtime(struct task *t);     // ns on a hart so far
u64 sched_busy_ns(u32 hart, u64 *idle);     // time that a hart had tasks, and that it had none
u64 sched_waited_ns(const struct task *t);  // time that t waited for a hart
u64 sched_hart_waited_ns(u32 hart);         // time that tasks waited for this one
// So much of current's time was the kernel's: where system calls are counted and not sampled
// (nohz=full).
void sched_charge_system(u64 ns);
// The load averages over 1, 5 and 15 minutes, as fixed-point numbers with SI_LOAD_SHIFT bits after
// the point.
void load_average(u64 loads[3]);
extern u32 io_in_flight;  // [a] transfers that drivers have begun and that will end soon
extern u64 idle_harts;    // [a] bit h: hart h runs its idle task
__noreturn void sched_idle_loop(void);
#ifdef CHECK_CHAOS
// Walk over the tasks that wait on rq, of the best class that has any; after NULL: the first. =>
// rq->lock held
struct task *sched_waiting(struct runq *rq, const struct task *after);
#endif
// sched_exit(), the last act of a dead task, is in arch/upcall.h

#endif
