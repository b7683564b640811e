/*
 * Sending signals: dispositions, queues, targets, permissions. proc/deliver.c is the receiving half.
 *
 * A signal waits in task->pending (sent to one thread) or process->pending (sent to all): a bit in a set, and a
 * struct sigqueue with its siginfo. A standard signal that is pending already is not queued again; a real-time signal
 * is queued each time, in order. Nothing is queued that would be ignored, unless it is blocked.
 *
 * Locks: process->siglock (interrupt-safe) guards pending sets, masks, stop and exit state, and holds the list of
 * threads still (changing it takes family_lock too). sighand->lock guards the dispositions; it nests inside siglock.
 * A sender only looks at one handler word, without that lock. family_lock is taken before siglock: relations
 * (parent, group) are only looked at by senders that hold it.
 *
 * WORK_SIGNAL in thread.work means "look at the signals before user code runs, and stop waiting". Others set it; only
 * the task itself clears it (signal_recalc), with siglock held, so no signal is overlooked:
 *
 *   sender                               the task
 *   lock; set bit in pending             lock; pending & ~blocked == 0 → clear WORK_SIGNAL; unlock
 *   WORK_SIGNAL on; unlock               returns to user code through a check of WORK_SIGNAL
 *   task_wake(INTERRUPTIBLE)             or sleeps: state first, then signal_pending(), then schedule()
 *
 * A signal that will end the process (default action, not blocked) does so at once: group_exit is set and every thread
 * gets SIGKILL pending. SIGKILL against exit: an exiting thread takes nothing more off its queues, and a process
 * keeps its first wait status. Stop against continue: each kind removes the other's pending signals, under siglock,
 * so the later one wins; SIGKILL beats both because stopped threads leave TASK_STOPPED for it.
 */
#include "proc/signal.h"

#include "abi/capability.h"
#include "abi/errno.h"
#include "abi/resource.h"
#include "abi/wait.h"
#include "lib/bitmap.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/life.h"
#include "proc/timers.h"
#include "arch/hart.h"
#include "trace/trace.h"

#define IGNORED_BY_DEFAULT                                                                         \
    (SIGMASK(SIGCONT) | SIGMASK(SIGCHLD) | SIGMASK(SIGWINCH) | SIGMASK(SIGURG))

static struct slab_cache *sigqueue_cache, *sighand_cache;

void signal_init(void) {
    sigqueue_cache = slab_create("sigqueue", sizeof(struct sigqueue), 0);
    sighand_cache = slab_create("sighand", sizeof(struct sighand), 0);
    assert(sigqueue_cache && sighand_cache);
}

/* ---- dispositions ---- */

struct sighand *sighand_create(void) {
    struct sighand *s = slab_alloc(sighand_cache, ALLOC_ZERO);
    if (!s)
        return NULL;
    ref_init(&s->ref);
    irqlock_init(&s->lock, RANK_SIGHAND, "sighand");
    return s;
}

// i: the signal's place among the actions, its number - 1
#define for_each_signal(i, signals)                                                                \
    for (u64 left_ = (signals), i; left_ && (i = ctz64(left_), true); left_ &= left_ - 1)

struct sighand *sighand_copy(struct sighand *from) {
    struct sighand *s = sighand_create();
    if (!s)
        return NULL;
    u64 flags = irqlock_acquire(&from->lock);
    s->set = from->set;
    for_each_signal(i, s->set) s->action[i] = from->action[i];
    irqlock_release(&from->lock, flags);
    return s;
}

void sighand_put(struct sighand *s) {
    if (s && ref_put(&s->ref))
        slab_free(sighand_cache, s);
}

void sighand_reset(struct sighand *s, bool ignored_too) {
    u64 flags = irqlock_acquire(&s->lock);
    for_each_signal(i, s->set) {
        struct sigaction *a = &s->action[i];
        if (ignored_too || a->sa_handler != SIG_IGN) {
            WRITE_ONCE(a->sa_handler, SIG_DFL);
            s->set &= ~SIGMASK(i + 1);
        }
        a->sa_flags = 0;
        a->sa_mask = 0;
    }
    irqlock_release(&s->lock, flags);
}

static void (*handler_of(const struct process *p, int sig))(int) {
    return READ_ONCE(p->sighand->action[sig - 1].sa_handler);
}

// Nothing would happen if p took the signal now.
static bool would_ignore(const struct process *p, int sig) {
    void (*h)(int) = handler_of(p, sig);
    if (h != SIG_DFL)
        return h == SIG_IGN;
    return IGNORED_BY_DEFAULT & SIGMASK(sig) || p->pid->nr == 1;  // init chooses what may end it
}

/* ---- queues ---- */

void sigpending_init(struct sigpending *p) {
    p->set = 0;
    list_init(&p->queue);
}

static inline void sigqueue_free(struct sigqueue *q) {
    list_del(&q->link);
    if (q->of_timer)
        return;
    struct process *p = q->process;
    signal_uncharge(p);
    if (unlikely(p->spare != NULL))
        slab_free(sigqueue_cache, q);
    else
        p->spare = q;
}

void sigqueue_drop_spare(struct process *p) {
    if (p->spare)
        slab_free(sigqueue_cache, p->spare);
    p->spare = NULL;
}

void sigpending_flush(struct sigpending *p) {
    struct sigqueue *q, *next;
    p->set = 0;
    list_for_each_safe (q, next, &p->queue, link)
        sigqueue_free(q);
}

static void remove_pending(struct sigpending *p, u64 set) {
    struct sigqueue *q, *next;
    if (!(p->set & set))
        return;
    p->set &= ~set;
    list_for_each_safe (q, next, &p->queue, link)
        if (SIGMASK(q->info.si_signo) & set)
            sigqueue_free(q);
}

static void remove_everywhere(struct process *p, u64 set) {
    struct task *t;
    remove_pending(&p->pending, set);
    list_for_each (t, &p->threads, thread_link)
        remove_pending(&t->pending, set);
}

// Put info, or a timer's own entry, on the queue. Beyond the limit only the kernel and kill() may queue, one of each
// standard signal. Without room, a real-time one of sigqueue() fails with -EAGAIN, others lose their siginfo.
static int enqueue(struct process *p, struct sigpending *to, const struct siginfo *info,
                   struct sigqueue *own) {
    int sig = info->si_signo;
    if (unlikely(own != NULL)) {
        list_add_tail(&own->link, &to->queue);
        to->set |= SIGMASK(sig);
        return 0;
    }
    if (sig < SIGRTMIN && to->set & SIGMASK(sig))
        return 0;
    struct sigqueue *q = NULL;
    if (signal_charge(p, sig < SIGRTMIN && info->si_code >= 0)) {
        q = p->spare ? p->spare : slab_alloc(sigqueue_cache, ALLOC_ATOMIC);
        if (!q)
            signal_uncharge(p);
    }
    if (likely(q != NULL)) {
        p->spare = NULL;
        q->info = *info;
        q->process = p;
        q->of_timer = false;
        list_add_tail(&q->link, &to->queue);
    } else if (info->si_code < 0 && sig >= SIGRTMIN) {
        return -EAGAIN;
    }
    to->set |= SIGMASK(sig);
    return 0;
}

static void dequeue(struct sigpending *from, int sig, struct siginfo *info) {
    struct sigqueue *q, *found = NULL;
    bool more = false;
    list_for_each (q, &from->queue, link) {
        if (q->info.si_signo != sig)
            continue;
        if (found) {
            more = true;
            break;
        }
        found = q;
    }
    if (!more)
        from->set &= ~SIGMASK(sig);
    if (!found) {
        *info = (struct siginfo){.si_signo = sig, .si_code = SI_USER};
        return;
    }
    *info = found->info;
    if (found->of_timer)
        info->si_overrun = timer_signal_taken(found);
    sigqueue_free(found);
}

void signal_take_back(struct sigpending *from, struct sigqueue *q) {
    struct sigqueue *other;
    int sig = q->info.si_signo;
    if (list_empty(&q->link))
        return;
    list_del(&q->link);
    list_for_each (other, &from->queue, link)
        if (other->info.si_signo == sig)
            return;
    from->set &= ~SIGMASK(sig);
}

static int lowest_signal(u64 set) {
    u64 synchronous = set & SIGNAL_SYNCHRONOUS;
    return ctz64(synchronous ? synchronous : set) + 1;
}

int signal_take(u64 set, struct siginfo *info) {
    struct sigpending *from = &current->pending;
    if (!(from->set & set))
        from = &current->process->pending;
    if (!(from->set & set))
        return 0;
    int sig = lowest_signal(from->set & set);
    dequeue(from, sig, info);
    return sig;
}

/* ---- what is pending ---- */

bool fatal_signal_pending(void) {
    return unlikely(signal_pending()) && READ_ONCE(current->pending.set) & SIGMASK(SIGKILL);
}

static inline bool must_look(const struct task *t) {
    const struct process *p = t->process;
    return (t->pending.set | p->pending.set) & ~t->blocked ||
           p->stop_flags & (STOP_ACTIVE | CONT_NOTIFY);
}

static inline void recalc(void) {
    bool look = must_look(current);
    if (look == signal_pending())
        return;
    if (look)
        atomic_or(&current->thread.work, (u32)WORK_SIGNAL);
    else
        atomic_and(&current->thread.work, ~(u32)WORK_SIGNAL);
}

void signal_recalc(void) { recalc(); }

u64 signal_pending_set(void) {
    u64 flags = irqlock_acquire(&current->process->siglock);
    u64 set = (current->pending.set | current->process->pending.set) & current->blocked;
    irqlock_release(&current->process->siglock, flags);
    return set;
}

void signal_wake(struct task *t, bool fatal) {
    atomic_or(&t->thread.work, (u32)WORK_SIGNAL);
    if (t == current && READ_ONCE(t->state) == TASK_RUNNING)
        return;
    u32 states = TASK_INTERRUPTIBLE;
    if (fatal)
        states |= TASK_KILLABLE | TASK_STOPPED | TASK_TRACED;
    if (!task_wake(t, states) && t != current && READ_ONCE(t->on_hart))
        sched_kick(READ_ONCE(t->hart));
}

/* ---- posting ---- */

void process_start_exit(struct process *p, int status) {
    struct task *t;
    if (p->group_exit)
        return;
    p->group_exit = true;
    p->group_code = status;
    p->stop_flags &= ~(STOP_ACTIVE | STOP_DONE);
    p->stopping = 0;
    list_for_each (t, &p->threads, thread_link)
        if (!(t->flags & TASK_EXITING)) {
            t->pending.set |= SIGMASK(SIGKILL);
            signal_wake(t, true);
        }
}

// Default action of the signal ends the process.
static bool is_deadly(const struct process *p, int sig) {
    return handler_of(p, sig) == SIG_DFL && !((IGNORED_BY_DEFAULT | SIGNAL_STOPS) & SIGMASK(sig));
}

// May thread t take the signal now?
static bool wants(const struct task *t, int sig) {
    return !(t->flags & TASK_EXITING) && !(t->blocked & SIGMASK(sig));
}

// It may, and will before long: vfork() waits as long as the child likes, and only SIGKILL ends that.
static bool takes_soon(const struct task *t, int sig) {
    return wants(t, sig) && !(READ_ONCE(t->state) & TASK_KILLABLE);
}

// The thread that is to be woken for a signal to the whole process, or NULL when all block it.
static struct task *choose_thread(struct process *p, int sig) {
    struct task *t, *late = NULL;
    if (current->process == p && wants(current, sig))
        return current;
    if (p->leader && takes_soon(p->leader, sig))
        return p->leader;
    list_for_each (t, &p->threads, thread_link) {
        if (takes_soon(t, sig))
            return t;
        if (wants(t, sig))
            late = t;
    }
    return late;
}

// SIGCONT takes effect when it is sent, whatever its disposition; a stop signal takes back a pending SIGCONT.
static void prepare_stop_continue(struct process *p, int sig) {
    struct task *t;
    if (SIGMASK(sig) & SIGNAL_STOPS) {
        remove_everywhere(p, SIGMASK(SIGCONT));
        return;
    }
    if (sig != SIGCONT)
        return;
    remove_everywhere(p, SIGNAL_STOPS);
    p->stop_flags &= ~STOP_DEQUEUED;
    if (p->stop_flags & STOP_DONE)
        p->stop_flags |= CONT_NOTIFY | CONT_UNWAITED;
    if (!(p->stop_flags & STOP_ACTIVE))
        return;
    p->stop_flags &= ~(STOP_ACTIVE | STOP_DONE | STOP_UNWAITED);
    p->stopping = 0;
    list_for_each (t, &p->threads, thread_link) {
        atomic_or(&t->thread.work, (u32)WORK_SIGNAL);
        task_wake(t, TASK_STOPPED);
    }
}

// => siglock held. `only`: the thread that it is for, or NULL for the whole process; `own`: what is queued, of a timer;
// `force`: even init dies.
static int post(struct process *p, struct task *only, const struct siginfo *info,
                struct sigqueue *own, bool force) {
    int sig = info->si_signo;
    if (p->group_exit || list_empty(&p->threads))
        return 0;
    prepare_stop_continue(p, sig);
    struct task *t = only ? (wants(only, sig) ? only : NULL) : choose_thread(p, sig);
    bool waited_for =
        t && t->real_blocked & SIGMASK(sig);  // sigtimedwait() takes it, whatever the action
    if (t && !waited_for && !force && would_ignore(p, sig))
        return 0;
    if (sig == SIGKILL && !force && would_ignore(p, sig))
        return 0;
    int error = enqueue(p, only ? &only->pending : &p->pending, info, own);
    struct thread *to = only ? &only->thread : t ? &t->thread : NULL;
    if (to)
        trace_about(to, TRACE_SIGNAL, sig, to->tid);
    if (unlikely(p->uses_signalfd))
        signalfd_notify(p);
    if (error || !t)
        return error;
    if (!waited_for && is_deadly(p, sig))
        process_start_exit(p, sig);
    else
        signal_wake(t, false);
    return 0;
}

static inline int send_process(struct process *p, const struct siginfo *info) {
    u64 flags = irqlock_acquire(&p->siglock);
    int error = post(p, NULL, info, NULL, false);
    irqlock_release(&p->siglock, flags);
    return error;
}

int signal_send_process(struct process *p, const struct siginfo *info) {
    return send_process(p, info);
}

// To thread t alone; -ESRCH when it is gone.
static int signal_send_thread(struct task *t, const struct siginfo *info) {
    u64 flags = irqlock_acquire(&t->process->siglock);
    int error = t->flags & TASK_EXITING ? -ESRCH : post(t->process, t, info, NULL, false);
    irqlock_release(&t->process->siglock, flags);
    return error;
}

void signal_send_own(struct process *p, struct task *thread, struct sigqueue *q) {
    if (!thread || !(thread->flags & TASK_EXITING))
        post(p, thread, &q->info, q, false);
}

void signal_process(struct process *p, int sig) {
    struct siginfo info = {.si_signo = sig, .si_code = SI_KERNEL};
    signal_send_process(p, &info);
}

void signal_pgrp_locked(struct pid *pgrp, int sig) {
    struct process *p;
    assert_held(&family_lock);
    list_for_each (p, &pgrp->group, pgrp_link)
        signal_process(p, sig);
}

void signal_pgrp(struct pid *pgrp, int sig) {
    spin_lock(&family_lock);
    signal_pgrp_locked(pgrp, sig);
    spin_unlock(&family_lock);
}

void signal_force(int sig, int code, u64 addr) {
    struct process *p = current->process;
    struct siginfo info = {.si_signo = sig, .si_code = code, .si_addr = (void *)addr};
    u64 flags = irqlock_acquire(&p->siglock);
    struct sigaction *a = &p->sighand->action[sig - 1];
    irqlock_acquire_irqs_off(&p->sighand->lock);
    if (current->blocked & SIGMASK(sig) || a->sa_handler == SIG_IGN) {
        WRITE_ONCE(a->sa_handler, SIG_DFL);
        current->blocked &= ~SIGMASK(sig);
    }
    irqlock_release_irqs_off(&p->sighand->lock);
    post(p, current, &info, NULL, true);
    irqlock_release(&p->siglock, flags);
}

void signal_force_kill(struct task *t) {
    u64 flags = irqlock_acquire(&t->process->siglock);
    process_start_exit(t->process, SIGKILL);
    irqlock_release(&t->process->siglock, flags);
}

/* ---- kill(2) and relatives ---- */

void siginfo_user(struct siginfo *info, int sig, int code) {
    *info = (struct siginfo){.si_signo = sig,
                             .si_code = code,
                             .si_pid = task_tgid(current),
                             .si_uid = current->cred->uid};
}

void signal_self(int sig) {
    struct siginfo info;
    siginfo_user(&info, sig, SI_USER);
    signal_send_thread(current, &info);
}

// => family_lock held
static bool signal_may_send(struct process *p, int sig) {
    const struct cred *c = current->cred;
    if (p == current->process || capable(CAP_KILL))
        return true;
    if (!p->leader)
        return false;
    const struct cred *target = cred_of(p->leader);
    if (c->euid == target->suid || c->euid == target->uid || c->uid == target->suid ||
        c->uid == target->uid)
        return true;
    return sig == SIGCONT && p->session == current->process->session;
}

// => family_lock held
static int send_checked(struct process *p, const struct siginfo *info) {
    if (!signal_may_send(p, info->si_signo))
        return -EPERM;
    return info->si_signo ? signal_send_process(p, info) : 0;
}

// => family_lock held. kill(2) of a group: success if any got it.
static int kill_group(struct pid *pgrp, const struct siginfo *info) {
    struct process *p;
    int result = -ESRCH;
    if (!pgrp)
        return -ESRCH;
    list_for_each (p, &pgrp->group, pgrp_link) {
        int error = send_checked(p, info);
        if (error == 0 || result == -ESRCH)
            result = error;
    }
    return result;
}

// => family_lock held. kill(-1): everything but init and the caller.
static int kill_all(const struct siginfo *info) {
    struct task *t;
    int result = -ESRCH;
    list_for_each (t, &all_tasks, all_link) {
        struct process *p = t->process;
        if (!p || t != p->leader || p->pid->nr == 1 || p == current->process ||
            t->flags & TASK_KTHREAD)
            continue;
        int error = send_checked(p, info);
        if (error == 0 || result == -ESRCH)
            result = error;
    }
    return result;
}

int signal_kill(int pid, int sig) {
    struct siginfo info;
    if (sig < 0 || sig > _NSIG)
        return -EINVAL;
    if (pid == INT32_MIN)  // no group has the number -INT32_MIN: that is no int
        return -ESRCH;
    siginfo_user(&info, sig, SI_USER);
    if (pid == info.si_pid)  // itself: allowed, and still there when it is sent
        return sig ? send_process(current->process, &info) : 0;
    spin_lock(&family_lock);
    int error;
    if (pid > 0) {
        struct process *p = process_find(pid);
        error = p ? send_checked(p, &info) : -ESRCH;
    } else if (pid == -1) {
        error = kill_all(&info);
    } else {
        error = kill_group(pid == 0 ? current->process->pgrp : pid_find(-pid), &info);
    }
    spin_unlock(&family_lock);
    return error;
}

int signal_tgkill(int tgid, int tid, const struct siginfo *info) {
    spin_lock(&family_lock);
    struct pid *pid = pid_find(tid);
    struct task *t = pid ? pid->task : NULL;
    int error = 0;
    if (!t || !t->process || (tgid > 0 && task_tgid(t) != tgid))
        error = -ESRCH;
    else if (!signal_may_send(t->process, info->si_signo))
        error = -EPERM;
    else if (info->si_signo)
        error = signal_send_thread(t, info);
    spin_unlock(&family_lock);
    return error;
}

int signal_queue(int tgid, const struct siginfo *info) {
    spin_lock(&family_lock);
    struct process *p = process_find(tgid);
    int error = p ? send_checked(p, info) : -ESRCH;
    spin_unlock(&family_lock);
    return error;
}

/* ---- masks and dispositions of current ---- */

void signal_hand_on(u64 set) {
    struct process *p = current->process;
    struct task *t;
    if (!(p->pending.set & set))
        return;
    list_for_each (t, &p->threads, thread_link)
        if (t != current && !(t->flags & TASK_EXITING) && p->pending.set & set & ~t->blocked)
            signal_wake(t, false);
}

static inline void set_blocked(u64 mask) {
    mask &= ~SIGNAL_UNMASKABLE;
    u64 newly = mask & ~current->blocked;
    current->blocked = mask;
    if (current->process->pending.set & newly)
        signal_hand_on(newly);
    recalc();
}

void signal_set_blocked_locked(u64 mask) { set_blocked(mask); }

void signal_set_blocked(u64 mask) {
    u64 flags = irqlock_acquire(&current->process->siglock);
    set_blocked(mask);
    irqlock_release(&current->process->siglock, flags);
}

void signal_use_mask(u64 mask) {
    current->saved_blocked = current->blocked;
    current->restore_blocked = true;
    signal_set_blocked(mask);
}

void signal_restore_mask(void) {
    current->restore_blocked = false;
    signal_set_blocked(current->saved_blocked);
}

// => sighand->lock held
static inline void exchange(struct sighand *s, int sig, const struct sigaction *new_,
                            struct sigaction *old) {
    struct sigaction *a = &s->action[sig - 1];
    if (old)
        *old = *a;
    if (new_) {
        s->set |= SIGMASK(sig);
        WRITE_ONCE(a->sa_handler, new_->sa_handler);
        WRITE_ONCE(a->sa_flags, new_->sa_flags & ~SA_UNSUPPORTED);
        a->sa_mask = new_->sa_mask & ~SIGNAL_UNMASKABLE;
    }
}

// What is pending goes: with siglock held all the time, so that nothing newer does.
static __attribute__((noinline)) void start_ignoring(struct process *p, int sig,
                                                     const struct sigaction *new_,
                                                     struct sigaction *old) {
    u64 flags = irqlock_acquire(&p->siglock);
    irqlock_acquire_irqs_off(&p->sighand->lock);
    exchange(p->sighand, sig, new_, old);
    irqlock_release_irqs_off(&p->sighand->lock);
    remove_everywhere(p, SIGMASK(sig));
    irqlock_release(&p->siglock, flags);
}

int signal_action(int sig, const struct sigaction *new_, struct sigaction *old) {
    struct process *p = current->process;
    struct sighand *s = p->sighand;
    if ((u32)sig - 1 >= _NSIG || (new_ && SIGMASK(sig) & SIGNAL_UNMASKABLE))
        return -EINVAL;
    if (new_ && (new_->sa_handler == SIG_IGN ||
                 (new_->sa_handler == SIG_DFL && IGNORED_BY_DEFAULT & SIGMASK(sig)))) {
        start_ignoring(p, sig, new_, old);
        return 0;
    }
    u64 flags = irqlock_acquire(&s->lock);
    exchange(s, sig, new_, old);
    irqlock_release(&s->lock, flags);
    return 0;
}

int signal_wait(u64 set, struct siginfo *info, u64 deadline) {
    struct irqlock *lock = &current->process->siglock;
    set &= ~SIGNAL_UNMASKABLE;
    u64 flags = irqlock_acquire(lock);
    int sig = signal_take(set, info);
    if (!sig && deadline) {
        // Unblock what is waited for, so that its sender wakes this thread; deliver.c never runs meanwhile.
        u64 blocked = current->blocked;
        current->real_blocked = blocked;
        current->blocked &= ~set;
        signal_recalc();
        irqlock_release(lock, flags);
        struct waitq nobody;
        waitq_init(&nobody);
        wait_event_deadline(&nobody, false, deadline, "sigwait");
        flags = irqlock_acquire(lock);
        current->real_blocked = 0;
        sig = signal_take(set, info);
        signal_set_blocked_locked(blocked);
    }
    signal_recalc();
    bool interrupted = signal_pending();
    irqlock_release(lock, flags);
    if (sig)
        return sig;
    return interrupted && deadline ? -EINTR : -EAGAIN;
}

/* ---- parents and process groups ---- */

static void send_child_info(struct process *p, int sig, int code, int status) {
    struct cpu_times t;
    process_times(p, &t);
    struct siginfo info = {.si_signo = sig,
                           .si_code = code,
                           .si_pid = p->pid->nr,
                           .si_uid = p->leader ? cred_of(p->leader)->uid : 0};
    info.si_status = status;
    info.si_utime = t.user / (NSEC_PER_SEC / USER_HZ);
    info.si_stime = t.system / (NSEC_PER_SEC / USER_HZ);
    signal_send_process(p->parent, &info);
}

void notify_parent_stop(struct process *p, int code, int status) {
    struct sigaction *a = &p->parent->sighand->action[SIGCHLD - 1];
    if (READ_ONCE(a->sa_handler) != SIG_IGN && !(READ_ONCE(a->sa_flags) & SA_NOCLDSTOP))
        send_child_info(p, SIGCHLD, code, status);
    wake_all(&p->parent->child_wait);
}

bool notify_parent_exit(struct process *p) {
    struct sigaction *a = &p->parent->sighand->action[SIGCHLD - 1];
    int sig = p->exit_signal, status = p->wait_status;
    bool reap = false;
    if (sig == SIGCHLD) {
        bool ignored = READ_ONCE(a->sa_handler) == SIG_IGN;
        reap = ignored || READ_ONCE(a->sa_flags) & SA_NOCLDWAIT;
        if (ignored)
            sig = 0;
    }
    if (sig)
        send_child_info(p, sig, WIFEXITED(status) ? CLD_EXITED : CLD_KILLED,
                        WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    wake_all(&p->parent->child_wait);
    return reap;
}

bool stop_thread_done(struct process *p) {
    if (!(p->stop_flags & STOP_ACTIVE) || p->stop_flags & STOP_DONE || p->stopping == 0)
        return false;
    if (--p->stopping)
        return false;
    p->stop_flags |= STOP_DONE | STOP_UNWAITED;
    p->stop_flags &= ~CONT_UNWAITED;
    return true;
}

// A group is orphaned when no member's parent is in the same session but another group (POSIX.1-2017 3.264).
bool pgrp_is_orphaned(struct pid *pgrp, const struct process *without) {
    struct process *p;
    list_for_each (p, &pgrp->group, pgrp_link) {
        if (p == without || p->nr_threads == 0 || !p->parent || p->parent->pid->nr == 1)
            continue;
        if (p->parent->pgrp != pgrp && p->parent->session == p->session)
            return false;
    }
    return true;
}

bool pgrp_has_stopped(struct pid *pgrp) {
    struct process *p;
    list_for_each (p, &pgrp->group, pgrp_link)
        if (p->stop_flags & STOP_DONE)
            return true;
    return false;
}
