// Signals: sending, masks, dispositions, stops. Delivery to user code is proc/deliver.c.
#ifndef PROC_SIGNAL_H
#define PROC_SIGNAL_H

#include "abi/signal.h"
#include "proc/proc.h"

#define SIGNAL_UNMASKABLE (SIGMASK(SIGKILL) | SIGMASK(SIGSTOP))
#define SIGNAL_STOPS (SIGMASK(SIGSTOP) | SIGMASK(SIGTSTP) | SIGMASK(SIGTTIN) | SIGMASK(SIGTTOU))
// Raised by the instruction that runs, so delivered before what came from outside.
#define SIGNAL_SYNCHRONOUS                                                                         \
    (SIGMASK(SIGSEGV) | SIGMASK(SIGBUS) | SIGMASK(SIGILL) | SIGMASK(SIGTRAP) | SIGMASK(SIGFPE) |   \
     SIGMASK(SIGSYS))

// Bits of process.stop_flags; the bits from STOP_EPOCH up count the stops.
#define STOP_ACTIVE 1u     // every thread has to stop
#define STOP_DONE 2u       // all have stopped
#define STOP_UNWAITED 4u   // the stop was not yet reported by wait4()
#define CONT_UNWAITED 8u   // the process was continued, not yet reported by wait4()
#define CONT_NOTIFY 16u    // the parent is to get SIGCHLD for the continuation
#define STOP_DEQUEUED 32u  // a stop signal was taken off its queue; SIGCONT still may undo it
#define STOP_EPOCH 256u

struct sigqueue {
    struct list link;
    struct siginfo info;
    struct process *process;  // that it is counted for
    bool of_timer;            // [I] part of a timer, proc/timers.c
};

// One signal more is queued for p, for its user; false: RLIMIT_SIGPENDING does not allow it, unless it may be gone beyond.
// => siglock held
static inline void signal_uncharge(struct process *p) {
    atomic_add_relaxed(&p->user->signals, -1);
    p->nr_queued--;
}
static inline bool signal_charge(struct process *p, bool beyond) {
    u32 before = atomic_add_relaxed(&p->user->signals, 1);
    p->nr_queued++;
    if (beyond || before < p->limit[RLIMIT_SIGPENDING].rlim_cur)
        return true;
    signal_uncharge(p);
    return false;
}

void signal_init(void);
void sigpending_init(struct sigpending *p);
// Drop what is queued. => siglock held, or nobody else knows the queue.
void sigpending_flush(struct sigpending *p);
void sigqueue_drop_spare(struct process *p);  // => siglock held, nothing will be queued any more

// Siginfo of a signal from current to others.
void siginfo_user(struct siginfo *info, int sig, int code);

// The signal of a timer, whose q->info is filled in and which is on no queue; thread may be NULL. => siglock held
void signal_send_own(struct process *p, struct task *thread, struct sigqueue *q);
void signal_take_back(struct sigpending *from, struct sigqueue *q);  // fine if it is not there
// An exception of current itself: cannot be blocked or ignored.
void signal_force(int sig, int code, u64 addr);
// SIGKILL that even init obeys (out of memory, a frame that cannot be read back).
void signal_force_kill(struct task *t);

// kill(2), tgkill(2), rt_sigqueueinfo(2). Results as those calls.
int signal_kill(int pid, int sig);
int signal_tgkill(int tgid, int tid,
                  const struct siginfo *info);  // tgid <= 0: any; si_signo 0: only a look
int signal_queue(int tgid, const struct siginfo *info);

// current no longer takes the signals in `set`: wake other threads for those pending for the whole process, which may
// have been meant for it. => siglock held
void signal_hand_on(u64 set);
// Set WORK_SIGNAL as the pending signals and the mask say. => siglock of current held
void signal_recalc(void);
void signal_set_blocked(u64 mask);         // of current; never blocks KILL and STOP
void signal_set_blocked_locked(u64 mask);  // => siglock held
// sigaction(2): either pointer may be NULL. 0 or -EINVAL.
int signal_action(int sig, const struct sigaction *new_, struct sigaction *old);
u64 signal_pending_set(void);  // sigpending(2)
// sigsuspend(2) and friends: use `mask` until the call ends; the mask of before comes back after delivery.
void signal_use_mask(u64 mask);
// The call ends without a signal: the mask of before comes back now.
void signal_restore_mask(void);
// Wait for one of `set` until deadline: its number and *info, -EAGAIN, or -EINTR. sigtimedwait(2)
int signal_wait(u64 set, struct siginfo *info, u64 deadline);

// Take the next deliverable signal in `set` of current off its queue: number or 0. => siglock held
int signal_take(u64 set, struct siginfo *info);

struct sighand *sighand_create(void);                // all default; NULL
struct sighand *sighand_copy(struct sighand *from);  // NULL
void sighand_put(struct sighand *s);
void sighand_reset(struct sighand *s,
                   bool ignored_too);  // exec, CLONE_CLEAR_SIGHAND: handlers become default

// Every thread of p is to die with this wait status, unless it is dying already. => siglock held
void process_start_exit(struct process *p, int status);
// Wake t so that it sees its signals; `fatal`: also out of killable sleeps and stops. => siglock held
void signal_wake(struct task *t, bool fatal);
// A thread ends or stops for good: it no longer counts for a stop in progress. True: tell the parent. => siglock held
bool stop_thread_done(struct process *p);

// SIGCHLD (or exit_signal) and a wake-up to p's parent. => family_lock held
void notify_parent_stop(struct process *p, int code, int status);
// True when the parent reaps automatically (SIGCHLD ignored or SA_NOCLDWAIT). => family_lock held
bool notify_parent_exit(struct process *p);

// Is p's group, apart from `without`, orphaned? => family_lock held
bool pgrp_is_orphaned(struct pid *pgrp, const struct process *without);
bool pgrp_has_stopped(struct pid *pgrp);
// Send to all of a group as the kernel. => family_lock held
void signal_pgrp_locked(struct pid *pgrp, int sig);

#endif
