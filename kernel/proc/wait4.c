/*
 * Waiting for children: wait4(2), waitid(2).
 *
 * Children are found and judged with family_lock held; a waiter puts itself on its process's child_wait before it looks,
 * so a child that changes state meanwhile either is seen or wakes it (exit.c and deliver.c have the other half). Any
 * thread may wait for any child of its process, unless it asks for its own alone (__WNOTHREAD); a zombie is unlinked by the one who reports it, under the lock, so no
 * child is reported twice. Its references are dropped after unlocking.
 *
 * May sleep: do_wait() only.
 */
#include "abi/errno.h"
#include "abi/resource.h"
#include "abi/signal.h"
#include "abi/wait.h"
#include "proc/life.h"
#include "proc/signal.h"

static bool is_zombie(const struct process *p) { return p->nr_threads == 0; }

// A child belongs to the thread that made it, and when that is gone to the first one of current's process that is left.
static bool is_of_this_thread(const struct process *c) {
    struct process *p = current->process;
    struct pid *maker = pid_find(c->maker);
    struct task *t = maker ? maker->task : NULL;
    if (t && t->process == p && !(t->flags & TASK_EXITING))
        return t == current;
    list_for_each (t, &p->threads, thread_link)
        if (!(t->flags & TASK_EXITING))
            return t == current;
    return false;
}

static bool eligible(const struct wait_request *w, const struct process *c) {
    bool clone_child = c->exit_signal != SIGCHLD;
    if (unlikely(w->options & __WNOTHREAD) && !is_of_this_thread(c))
        return false;
    if (!(w->options & (int)__WALL) && clone_child != !!((u32)w->options & __WCLONE))
        return false;
    switch (w->which) {
    case P_PID:
        return c->pid->nr == w->id;
    case P_PGID:
        return c->pgrp->nr == (w->id ? w->id : current->process->pgrp->nr);
    default:
        return true;
    }
}

static void report(struct wait_request *w, struct process *c, int status, int code) {
    w->pid = c->pid->nr;
    w->uid = cred_of(c->leader)->uid;
    w->status = status;
    w->code = code;
    w->full = c->full_status;
    if (w->usage)
        process_rusage(c, RUSAGE_BOTH, w->usage);
}

// Was c stopped or continued, unreported as yet? `bit` of stop_flags says so; it goes unless WNOWAIT is given.
static bool consume(const struct wait_request *w, struct process *c, u32 bit) {
    u64 flags = irqlock_acquire(&c->siglock);
    bool there = c->stop_flags & bit;
    if (!(w->options & WNOWAIT))
        c->stop_flags &= ~bit;
    irqlock_release(&c->siglock, flags);
    return there;
}

// One child. True: it is what the caller waits for, and w tells. *dead: drop this reference after unlocking.
static bool check_child(struct wait_request *w, struct process *c, struct task **dead) {
    if (is_zombie(c)) {
        if (!(w->options & WEXITED))
            return false;
        report(w, c, c->wait_status, WIFEXITED(c->wait_status) ? CLD_EXITED : CLD_KILLED);
        if (!(w->options & WNOWAIT)) {
            *dead = c->leader;
            task_unlink(c->leader);
        }
        return true;
    }
    if (w->options & WSTOPPED && consume(w, c, STOP_UNWAITED)) {
        report(w, c, W_STOPCODE(c->stop_signal), CLD_STOPPED);
        return true;
    }
    if (w->options & WCONTINUED && consume(w, c, CONT_UNWAITED)) {
        report(w, c, W_CONTINUED, CLD_CONTINUED);
        return true;
    }
    return false;
}

// => family_lock held. 1: w tells about a child; 0: there are only others; -ECHILD: there are none.
static int scan(struct wait_request *w, struct task **dead) {
    struct process *c, *next;
    int result = -ECHILD;
    if (w->which == P_PID) {
        c = process_find(w->id);
        if (!c || c->parent != current->process || !eligible(w, c))
            return -ECHILD;
        return check_child(w, c, dead);
    }
    list_for_each_safe (c, next, &current->process->children, sibling) {
        if (!eligible(w, c))
            continue;
        if (check_child(w, c, dead))
            return 1;
        result = 0;
    }
    return result;
}

static int scan_once(struct wait_request *w) {
    struct task *dead = NULL;
    spin_lock(&family_lock);
    int result = scan(w, &dead);
    spin_unlock(&family_lock);
    if (dead)
        task_put(dead);
    return result;
}

long do_wait(struct wait_request *w) {
    struct waitq *q = &current->process->child_wait;
    struct waiter waiter;
    long result = scan_once(w);
    if (result == 0 && !(w->options & WNOHANG)) {
        waiter_init(&waiter);
        for (;;) {
            waitq_prepare(q, &waiter, TASK_INTERRUPTIBLE, "wait");
            result = scan_once(w);
            if (result)
                break;
            if (signal_pending()) {
                result = -ERESTARTSYS;
                break;
            }
            schedule();
        }
        waitq_finish(q, &waiter);
    }
    return result == 1 ? w->pid : result;
}
