/*
 * The end of threads and processes.
 *
 * A thread first leaves its process's life (no more signals, no part in stops), then gives back what it holds from the
 * top down: robust futexes and the cleared tid, memory, files, directories, and at last its place in the family. A thread
 * that is not the leader disappears at once. The leader stays as the zombie of the process until the parent has its
 * status; the process is dead when nr_threads is 0. Its children then go to the nearest subreaper, or to init.
 *
 * Exit against wait:
 *   child: family_lock; nr_threads = 0; SIGCHLD, wake_all(parent->child_wait); unlock
 *   parent: on child_wait, state set; family_lock; scans children; unlock; schedule()
 * Whichever has the lock second sees the other: the parent finds the zombie, or is awake before it sleeps.
 * The parent may reap while the child still runs its last instructions: running holds a reference of its own (see
 * proc.c), dropped after the last switch, so the child's stack stays until then.
 *
 * Kill against exit: once TASK_EXITING is set, under siglock, no signal is queued for the thread, and the first wait
 * status stays: process_start_exit() does nothing the second time.
 *
 * A vfork child that dies, by whatever way, comes through here and lets its parent go (vfork_release).
 *
 * Locks: family_lock, then siglock. References are dropped after unlocking, for the last one may take family_lock.
 */
#include "abi/errno.h"
#include "abi/resource.h"
#include "abi/wait.h"
#include "arch/arch.h"
#include "check/kcov.h"
#include "drivers/tty.h"
#include "fs/file.h"
#include "ipc/futex.h"
#include "ipc/jos.h"
#include "ipc/sem.h"
#include "lib/string.h"
#include "mm/vm.h"
#include "proc/life.h"
#include "proc/signal.h"
#include "proc/timers.h"
#include "time/posix.h"
#include "trace/trace.h"

/* ---- accounting ---- */

static void add_times(struct cpu_times *sum, const struct cpu_times *t) {
    sum->user += t->user;
    sum->system += t->system;
}

static void add_task_counts(struct rusage_counts *c, const struct task *t) {
    c->minflt += READ_ONCE(t->minflt);
    c->majflt += READ_ONCE(t->majflt);
    c->nvcsw += READ_ONCE(t->nvcsw);
    c->nivcsw += READ_ONCE(t->nivcsw);
}

static void add_counts(struct rusage_counts *sum, const struct rusage_counts *c) {
    sum->minflt += c->minflt;
    sum->majflt += c->majflt;
    sum->nvcsw += c->nvcsw;
    sum->nivcsw += c->nivcsw;
    sum->maxrss = max(sum->maxrss, c->maxrss);
}

void process_times_locked(const struct process *p, struct cpu_times *out) {
    struct task *t;
    assert_held(&p->siglock);
    *out = p->dead_threads;
    list_for_each (t, &p->threads, thread_link) {
        struct cpu_times one;
        task_times(t, &one);
        add_times(out, &one);
    }
}

void process_times(struct process *p, struct cpu_times *out) {
    u64 flags = irqlock_acquire(&p->siglock);
    process_times_locked(p, out);
    irqlock_release(&p->siglock, flags);
}

// current's address space is about to go: what it had at most is kept.
static void note_rss(struct process *p) {
    u64 flags = irqlock_acquire(&p->siglock);
    p->dead_counts.maxrss = max(p->dead_counts.maxrss, mm_rss_peak(current->mm));
    irqlock_release(&p->siglock, flags);
}

static void process_counts(struct process *p, struct rusage_counts *out) {
    struct task *t;
    u64 flags = irqlock_acquire(&p->siglock);
    *out = p->dead_counts;
    list_for_each (t, &p->threads, thread_link)
        add_task_counts(out, t);
    irqlock_release(&p->siglock, flags);
}

void process_rusage(struct process *p, int who, struct rusage *out) {
    struct cpu_times t = {0};
    struct rusage_counts c = {0};
    if (who == RUSAGE_THREAD) {
        task_times(current, &t);
        add_task_counts(&c, current);
    } else if (who != RUSAGE_CHILDREN) {
        process_times(p, &t);
        process_counts(p, &c);
    }
    if (who == RUSAGE_CHILDREN || who == RUSAGE_BOTH) {
        add_times(&t, &p->children_time);
        add_counts(&c, &p->children_counts);
    }
    if (who != RUSAGE_CHILDREN && p == current->process && current->mm)
        c.maxrss = max(c.maxrss, mm_rss_peak(current->mm));
    *out = (struct rusage){
        .ru_utime = ns_to_timeval(t.user),
        .ru_stime = ns_to_timeval(t.system),
        .ru_minflt = c.minflt,
        .ru_majflt = c.majflt,
        .ru_nvcsw = c.nvcsw,
        .ru_nivcsw = c.nivcsw,
        .ru_maxrss = c.maxrss * (PAGE_SIZE / 1024),
    };
}

/* ---- leaving the family ---- */

static void unlink_process(struct process *p) {
    struct cpu_times t;
    struct rusage_counts c;
    process_times(p, &t);
    process_counts(p, &c);
    if (p->parent) {
        add_times(&p->parent->children_time, &t);
        add_times(&p->parent->children_time, &p->children_time);
        add_counts(&p->parent->children_counts, &c);
        add_counts(&p->parent->children_counts, &p->children_counts);
    }
    list_del(&p->sibling);
    list_del(&p->pgrp_link);
    list_del(&p->session_link);
    pid_put_locked(p->pgrp);
    pid_put_locked(p->session);
    p->pgrp = p->session = NULL;
}

void task_unlink(struct task *t) {
    struct process *p = t->process;
    struct sighand *sighand = NULL;
    struct cpu_times times;
    if (t == p->leader)
        unlink_process(p);
    user_count(t->cred->uid, -1);
    u64 flags = irqlock_acquire(&p->siglock);
    list_del(&t->thread_link);
    task_times(t, &times);
    add_times(&p->dead_threads, &times);
    add_task_counts(&p->dead_counts, t);
    sigpending_flush(&t->pending);
    if (t == p->leader) {
        pidfd_wake(p);
        sigpending_flush(&p->pending);
        sigqueue_drop_spare(p);
        user_put(p->user);
        p->user = NULL;
        sighand = p->sighand;
        p->sighand = NULL;
        p->leader = NULL;
    }
    irqlock_release(&p->siglock, flags);
    sighand_put(sighand);
    list_del(&t->all_link);
    nr_tasks--;
    if (t->pid->task == t)
        t->pid->task = NULL;
}

/* ---- children without a parent ---- */

static struct process *find_reaper(struct process *p) {
    for (struct process *a = p->parent; a; a = a->parent)
        if (a->child_subreaper && a->nr_threads)
            return a;
    return init_process;
}

// A group lost its last link to the rest of its session while members are stopped: nobody could continue them.
static void check_orphaned(struct process *p, struct process *parent,
                           const struct process *without) {
    if (!parent || parent->pgrp == p->pgrp || parent->session != p->session)
        return;
    if (!pgrp_is_orphaned(p->pgrp, without) || !pgrp_has_stopped(p->pgrp))
        return;
    signal_pgrp_locked(p->pgrp, SIGHUP);
    signal_pgrp_locked(p->pgrp, SIGCONT);
}

// Zombies that nobody waits for go to `dead`.
static void give_away_children(struct process *p, struct list *dead) {
    struct process *c, *next, *reaper = find_reaper(p);
    list_for_each_safe (c, next, &p->children, sibling) {
        c->parent = reaper;
        list_move_tail(&c->sibling, &reaper->children);
        int sig = READ_ONCE(c->parent_death_signal);
        if (sig)
            signal_process(c, sig);
        c->exit_signal = SIGCHLD;  // the reaper has not asked for another one
        if (c->nr_threads == 0) {
            struct task *leader = c->leader;
            if (notify_parent_exit(c)) {
                task_unlink(leader);
                list_add_tail(&leader->thread_link, dead);
            }
        }
        check_orphaned(c, p, NULL);
    }
}

// The last thread is gone. => family_lock held
static void process_died(struct process *p, struct list *dead) {
    struct task *leader = p->leader;
    p->wait_status = p->group_exit ? p->group_code : leader->exit_code;
    if (!WIFEXITED(p->wait_status))
        p->full_status = -1;
    check_orphaned(p, p->parent, p);
    give_away_children(p, dead);
    pidfd_wake(p);
    if (p->parent && notify_parent_exit(p)) {
        task_unlink(leader);
        list_add_tail(&leader->thread_link, dead);
    }
    wake_all(&p->child_wait);  // kthread_stop()
}

static void put_dead(struct list *dead) {
    struct task *t, *next;
    list_for_each_safe (t, next, dead, thread_link) {
        list_del(&t->thread_link);
        task_put(t);
    }
}

// => preemption off: in a state other than RUNNING the task must not be switched out before sched_exit()
static void leave_family(void) {
    struct process *p = current->process;
    struct list dead;
    list_init(&dead);
    spin_lock(&family_lock);
    u64 flags = irqlock_acquire(&p->siglock);
    bool last = --p->nr_threads == 0;
    irqlock_release(&p->siglock, flags);
    if (current != p->leader) {
        task_unlink(current);
        list_add_tail(&current->thread_link, &dead);
    }
    if (last)
        process_died(p, &dead);
    if (p->exec_by)
        wake_all(&p->child_wait);
    sched_mark_dead(TASK_ZOMBIE);
    spin_unlock(&family_lock);
    put_dead(&dead);
}

/* ---- exit ---- */

// No more signals for this thread. True: no thread of the process is left that has not begun to exit.
static bool begin_exit(struct process *p, int status) {
    u64 flags = irqlock_acquire(&p->siglock);
    bool stopped = stop_thread_done(p);
    atomic_or(&current->flags, TASK_EXITING);
    current->exit_code = status;
    bool last = --p->nr_live == 0;
    signal_hand_on(~current->blocked);
    irqlock_release(&p->siglock, flags);
    if (stopped && !last) {
        spin_lock(&family_lock);
        notify_parent_stop(p, CLD_STOPPED, p->stop_signal);
        spin_unlock(&family_lock);
    }
    return last;
}

void vfork_release(void) {
    if (!(current->flags & TASK_VFORKED))
        return;
    atomic_and(&current->flags, ~TASK_VFORKED);
    wake_all(&current->process->child_wait);
}

static void exit_memory(void) {
    if (!current->mm)
        return;
    futex_exit();
    note_rss(current->process);
    mm_detach();
}

static void exit_files(void) {
    struct files *files = current->files;
    struct fs_context *fs = current->fs;
    spin_lock(&family_lock);  // /proc looks at them with the lock held
    current->files = NULL;
    current->fs = NULL;
    spin_unlock(&family_lock);
    if (files)
        files_put(files);
    if (fs)
        fs_context_put(fs);
}

void do_exit(int status) {
    struct process *p = current->process;
    trace(TRACE_EXIT, status);
    kcov_exit();
    bool last = begin_exit(p, status);
    if (last && p == init_process)
        panic("init is gone, wait status %#x", p->group_exit ? p->group_code : status);
    if (last) {
        posix_exit(p);
        timers_exit(p);
    }
    exit_memory();
    vfork_release();
    if (unlikely(current->sem_undos))
        sem_exit(current);
    if (unlikely(current->ipc_peer))
        ipc_exit();
    exit_files();
    if (last && p->session == p->pid)
        tty_hangup_session(p);
    preempt_disable();
    leave_family();
    sched_exit();
}

void do_group_exit(int status, int full) {
    struct process *p = current->process;
    u64 flags = irqlock_acquire(&p->siglock);
    if (!p->group_exit)
        p->full_status = full;
    process_start_exit(p, status);
    status = p->group_code;
    irqlock_release(&p->siglock, flags);
    do_exit(status);
}

/* ---- exec of one thread among several ---- */

// Ask the others to die. 0, or -EAGAIN: this process is ending, or another thread is at it.
static int kill_other_threads(struct process *p) {
    struct task *t;
    u64 flags = irqlock_acquire(&p->siglock);
    bool mine = !p->group_exit && !p->exec_by;
    if (mine) {
        p->exec_by = current;
        list_for_each (t, &p->threads, thread_link)
            if (t != current && !(t->flags & TASK_EXITING)) {
                t->pending.set |= SIGMASK(SIGKILL);
                signal_wake(t, true);
            }
    }
    irqlock_release(&p->siglock, flags);
    return mine ? 0 : -EAGAIN;
}

// The old leader is a zombie: take its number and its place. Returns it, unlinked; the caller drops it.
static struct task *take_leadership(struct process *p) {
    struct task *old = p->leader;
    struct pid *pid = old->pid;
    spin_lock(&family_lock);
    old->pid = current->pid;
    old->pid->task = old;
    current->pid = pid;
    pid->task = current;
    p->leader = current;
    old->thread.tid = old->pid->nr;
    current->thread.tid = pid->nr;
    task_unlink(old);
    spin_unlock(&family_lock);
    return old;
}

int become_only_thread(void) {
    struct process *p = current->process;
    struct task *old = NULL;
    if (p->nr_live == 1 && p->nr_threads == 1 && p->leader == current)
        return 0;
    int error = kill_other_threads(p);
    if (error)
        return error;
    error = wait_event_killable(&p->child_wait, READ_ONCE(p->nr_threads) == 1, "exec");
    if (!error && p->leader != current)
        old = take_leadership(p);
    u64 flags = irqlock_acquire(&p->siglock);
    p->exec_by = NULL;
    irqlock_release(&p->siglock, flags);
    if (old)
        task_put(old);
    return error ? -EINTR : 0;
}
