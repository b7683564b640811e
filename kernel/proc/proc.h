// struct task: a thread of execution. struct process: what the threads of one program share.
// Also: states, wait queues, sleep and wakeup, pids, the parts of signals that lower rooms need.
#ifndef PROC_PROC_H
#define PROC_PROC_H

#include "abi/resource.h"
#include "abi/signal.h"
#include "arch/thread.h"
#include "check/chaos.h"
#include "lib/list.h"
#include "proc/wait.h"
#include "sched/sched.h"
#include "lib/atomic.h"
#include "sync/spin.h"
#include "time/timer.h"

struct mm;
struct files;
struct fs_context;
struct sem_undos;
struct tty;

#define TASK_NAME 16

enum task_state {
    TASK_RUNNING = 0,          // queued or on a hart
    TASK_INTERRUPTIBLE = 1,    // asleep; a signal wakes it
    TASK_UNINTERRUPTIBLE = 2,  // asleep until its event
    TASK_STOPPED = 4,
    TASK_TRACED = 8,
    TASK_ZOMBIE = 16,
    TASK_DEAD = 32,
    TASK_KILLABLE = 64,  // or'ed to UNINTERRUPTIBLE: a fatal signal wakes it
    TASK_NEW = 128,      // not started yet
    TASK_WAKING = 256,   // between two run queues
};
#define TASK_ASLEEP (TASK_INTERRUPTIBLE | TASK_UNINTERRUPTIBLE | TASK_KILLABLE)

// A number that names a task, a process group and a session; not reused while any of them lives.
struct pid {
    struct ref ref;
    int nr;
    struct hlist_node hash;  // [family]
    struct task *task;       // [family] thread with this id, or NULL
    struct list group;       // [family] processes of the process group of this number
    struct list session;     // [family] processes of the session of this number
    struct tty *tty;         // [family] controlling terminal of the session of this number
    struct waitq exit_wait;  // for the end of the process of this number: pidfds
};

// Credentials never change once a task has them: setuid() and friends install a new copy.
#define NGROUPS 32
struct caps {
    u64 effective, permitted, inheritable, bounding, ambient;  // bit n: capability n
};

struct cred {
    struct ref ref;
    struct caps caps;
    u32 uid, euid, suid, fsuid;
    u32 gid, egid, sgid, fsgid;
    u32 ngroups;
    u32 groups[NGROUPS];
};

// One real uid that has tasks, or is to have.
struct user {
    struct hlist_node hash;  // [family]
    u32 uid;                 // [I]
    u32 tasks;               // [family]
    u32 refs;                // [family] processes whose user it is, pipes, and user_reserve()
    u32 signals;             // [a] queued for those processes, and their timers
    u64 pipe_pages;          // [a] that its pipes may hold
};
struct user *user_get(u32 uid);  // of a task's real uid. => family_lock held
void user_put(struct user *u);   // => the same

struct sigqueue;  // one pending signal with its siginfo; proc/signal.c
struct sigpending {
    u64 set;            // bit n-1: signal n is pending
    struct list queue;  // of struct sigqueue
};

struct sighand {
    struct ref ref;
    struct irqlock lock;          // guards what follows
    u64 set;                      // signals whose action was set: the others have the default
    struct sigaction action[64];  // of signal n at n-1
};

// Shared by the threads of a process. Freed when the last thread is released and the parent has reaped it.
struct process {
    struct ref ref;
    // [family] family_lock
    // Of task.thread_link; to change also siglock, so either lock is enough to read
    struct list threads;
    struct task *leader;
    u32 nr_threads;  // not yet dead
    struct process *parent;
    int maker;             // number of the parent's thread that made it, for __WNOTHREAD
    struct list children;  // of sibling
    struct list sibling;
    struct pid *pgrp, *session;  // hold references
    struct list pgrp_link, session_link;
    bool has_execed;  // setpgid() by the parent is over
    bool child_subreaper;
    bool dumpable;            // [a] its user may look inside: PR_SET_DUMPABLE
    s32 oom_score_adj;        // [a] -1000 … 1000, as the program set it
    int parent_death_signal;  // sent to us when the parent ends; 0 none
    int exit_signal;          // sent to the parent at exit; 0 none
    int wait_status;          // of a zombie: as wait4 reports it
    int full_status;          // of a zombie: the whole int given to exit (xv6 programs)
    struct cpu_times {
        u64 user, system;           // ns
    } dead_threads, children_time;  // of exited threads; of reaped children
    struct rusage_counts {
        u64 minflt, majflt, nvcsw, nivcsw;
        u64 maxrss;  // pages: the most that an address space had that is gone
    } dead_counts, children_counts;
    // [siglock]
    struct irqlock siglock;
    struct sigpending pending;  // sent to the process as a whole
    bool group_exit;            // all threads are to die, with group_code
    int group_code;             // wait status
    struct task *exec_by;       // thread that is exec'ing and waits for the others to die
    u32 stop_flags;             // STOP_ bits, proc/signal.c
    u32 stop_signal;
    u32 stopping;        // threads that still have to stop
    u32 nr_live;         // threads that have not begun to exit
    bool uses_signalfd;  // somebody may wait for signals to be pending: proc/signalfd.c
    // own locks
    struct waitq child_wait;  // wait4() sleeps here
    struct sighand *sighand;  // [I] after creation, but for exec
    struct timer real_timer;  // ITIMER_REAL
    u64 real_interval;        // [siglock] ns
    u64 real_due;             // [siglock] when it runs out next; 0: it is not set
    struct timer cpu_limit;   // looks whether RLIMIT_CPU is reached [siglock]
    // ITIMER_VIRTUAL and _PROF, time/posix.c; NULL until used [siglock]
    struct cpu_timers *cpu_timers;
    struct list timers;  // of timer_create(), proc/timers.c [siglock]
    int next_timer;      // number that the next of them gets [siglock]
    u32 nr_queued;       // its part of user->signals [siglock]
    struct user
        *user;  // NULL: not begun or reaped [family], [siglock]: either to read, both to change
    struct sigqueue
        *spare;  // the last entry that was freed, for the next signal, or NULL [siglock]
    struct rlimit limit[RLIM_NLIMITS];  // [siglock] to write
    u64 start_time;                     // [I] ns since boot
    struct pid *pid;                    // [I] of the leader, holds a reference
};

struct task {
    struct thread thread;  // first: tp points at it
    struct ref ref;        // one for being alive or zombie, one for each pointer kept elsewhere
    // [runq] lock of the run queue it belongs to
    u32 state;     // enum task_state; its owner may set a sleeping state without the lock
    u32 hart;      // whose run queue; changes only with that queue's lock held
    bool on_hart;  // its registers are in use
    struct sched_entity se;
    struct inherit inherit;  // sched/inherit.c
    u64 affinity;            // bit h: may run on hart h
    u64 nvcsw, nivcsw;       // voluntary and involuntary switches; others may read them [a]
    u64 stime;               // ns of se.exec_sum that were the kernel's; others may read it [a]
    u64 sampled_at;          // se.exec_sum when user and kernel time were last told apart
    // [family]
    struct list all_link;     // circular list of every task
    struct list thread_link;  // in process->threads
    struct pid *pid;          // holds a reference
    // [s] only the task itself writes
    struct process *process;  // [I]
    struct mm *mm;            // NULL: kernel thread or dying
    struct mm *active_mm;     // whose page table this thread runs on
    struct files *files;
    struct fs_context *fs;
    struct cred *cred;            // others read it through cred_of()
    struct sem_undos *sem_undos;  // ipc/sem.c; NULL: none yet
    char name[TASK_NAME];
    u32 flags;             // TASK_ bits, below
    u32 *clear_child_tid;  // user address
    void *robust_list;     // user address
    u64 user_told;  // [a] ns: the most user time that task_times() gave, for time never runs back
    u64 minflt, majflt;
    int exit_code;  // wait status
    u32 personality;
    u64 timer_slack;  // ns
    u64 usual_slack;  // the same when it began: PR_SET_TIMERSLACK 0
    // [siglock]
    u64 blocked;       // signal mask; [s] to write, siglock held
    u64 real_blocked;  // the mask outside sigtimedwait(), which unblocks what it waits for; else 0
    struct sigpending pending;
    // [s]
    u64 saved_blocked;  // mask to put back after sigsuspend and friends
    bool restore_blocked;
    struct sigaltstack altstack;
    struct upcall {
        u64 entry, stack, size;  // entry 0: none
        u64 address, access;     // with WORK_UPCALL: where the last system call's copying failed
    } upcall;                    // for page faults: exokernel.c
    struct task *ipc_peer;       // whom it sent to last, with a reference, or NULL: ipc/jos.c
    struct ipc_wait *ipc;        // it waits for a message, and who takes this may fill it in [a]
    long (*restart)(struct task *);  // for -ERESTART_RESTARTBLOCK
    u64 restart_arg[4];  // (a kernel thread's function, argument, stop request: proc/kthread.c)
    // what it sleeps on, for ps and gdb
    const char *wmesg;   // [s]
    const void *wchan;   // [s]
    u64 start_time;      // [I] ns since boot
    void *kernel_stack;  // [I]
#ifdef CHECK_LOCKS
    struct sleeping_locks sleeping_locks;  // [s]
#endif
    struct chaos_task chaos;
};

#define TASK_KTHREAD 1u  // flags
#define TASK_EXITING 2u
#define TASK_FORKED_NOEXEC 4u
#define TASK_IDLE 8u
#define TASK_OOM_VICTIM 16u
#define TASK_VFORKED 64u        // the parent waits in vfork() until we exec or exit
#define TASK_NO_NEW_PRIVS 128u  // exec honours no set-uid bits
#define TASK_KEEP_CAPS 512u     // PR_SET_KEEPCAPS, until exec
#define TASK_EXOFORKED 1024u    // by exofork, and has not exec'd: its parent may change its memory
#define TASK_EMBRYO 2048u       // by exofork, and not started
#define TASK_TOO_MANY 256u      // became a user who has RLIMIT_NPROC tasks: exec looks again

#define current ((struct task *)current_thread)
static inline struct task *thread_task(struct thread *t) { return (struct task *)t; }

// The lock of all family relations: parents, children, threads, groups, sessions, the pid table, the task list.
extern struct spinlock family_lock;
extern struct list all_tasks;  // [family] task.all_link, the boot hart's idle task first
extern u32 nr_tasks;           // [family]
extern u64 forks_total;
extern int pid_max;          // first number that is not handed out
int pid_set_max(int limit);  // 0, -EINVAL outside 300 … 4194304, -ENOMEM

void boot_task_init(void);  // hart 0, first: current becomes a whole task
void proc_init(void);       // needs the slab allocator
// A task with stack, state TASK_NEW, reference 1, no resources; NULL when out of memory.
struct task *task_alloc(const char *name);
void task_set_name(struct task *t, const char *name);
// Divide `total` ns, of which so many were seen in the kernel: what was not sampled yet is taken for user time, and once *told
// as such stays it, though it turns out to be the kernel's. Any number of callers for one *told.
static inline void cpu_times_divide(u64 total, u64 system, u64 *told, struct cpu_times *out) {
    u64 user = total - min(system, total), before = load_relaxed(told);
    while (before < user && !atomic_cmpxchg(told, &before, user))
        ;
    out->user = min(max(user, before), total);
    out->system = total - out->user;
}
void task_times(struct task *t, struct cpu_times *out);  // ns on a hart so far; no lock needed
void process_times(struct process *p, struct cpu_times *out);  // of all threads, dead ones too
void process_times_locked(const struct process *p, struct cpu_times *out);  // => siglock held
static inline void task_get(struct task *t) { ref_get(&t->ref); }
void task_put(struct task *t);
static inline void process_get(struct process *p) { ref_get(&p->ref); }

// pids. => family_lock held for pid_find
// A new number, `wanted` or, if that is 0, the next; reference 1. NULL: *error is -ENOMEM or -EAGAIN (no number is left),
// or, for a wanted one, -EINVAL or -EEXIST.
struct pid *pid_alloc(int wanted, int *error);
struct pid *pid_find(int nr);  // borrows; NULL
static inline void pid_get(struct pid *p) { ref_get(&p->ref); }
void pid_put(struct pid *p);         // takes family_lock when last: => not held
void pid_put_locked(struct pid *p);  // => family_lock held
// The one with the smallest number >= nr that lives; => family_lock held; borrows
struct pid *pid_next(int nr);
u32 pids_in_use(void);
struct task *task_lookup(int nr);        // takes the lock; returns a reference or NULL
struct process *process_find(int tgid);  // => family_lock held; borrows
// The process whose number it is, alive or a zombie, or NULL. => family_lock held; borrows
struct process *pid_process(struct pid *p);
static inline int task_tgid(const struct task *t) { return t->process ? t->process->pid->nr : 0; }

// Parts of signals that lower rooms call; the rest is in proc/signal.h.
static inline bool signal_pending(void) {  // current must look at its signals: stop waiting
    return READ_ONCE(current->thread.work) & WORK_SIGNAL;
}
bool fatal_signal_pending(void);  // current is about to die
// Post info->si_signo to the process. 0, or -EAGAIN when it cannot be queued (sigqueue(3) only). Any context.
int signal_send_process(struct process *p, const struct siginfo *info);
// Send sig as the kernel (si_code SI_KERNEL) to a process / to all of a process group. Any context / => no locks.
void signal_process(struct process *p, int sig);
void signal_pgrp(struct pid *pgrp, int sig);
// To the calling thread, as from itself: its call did what sig stands for (SIGPIPE, SIGXFSZ).
void signal_self(int sig);
// Internal results of an interrupted call; they never reach a program.
#define ERESTARTSYS 512     // restart if the handler has SA_RESTART, else EINTR
#define ERESTARTNOINTR 513  // always restart
#define ERESTARTNOHAND 514  // EINTR if a handler ran, else restart
// Call task->restart through restart_syscall, or EINTR if a handler ran
#define ERESTART_RESTARTBLOCK 516

const char *task_state_name(u32 state);  // one letter as /proc/pid/stat has it: "R", "S", …

// Credentials of another task: borrowed while family_lock is held.
static inline const struct cred *cred_of(const struct task *t) { return load_acquire(&t->cred); }
bool in_group(u32 gid);  // current's fsgid or groups
// May current do what takes this right of root's (abi/capability.h)?
static inline bool capable(u32 cap) { return current->cred->caps.effective >> cap & 1; }

#endif
