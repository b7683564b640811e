/*
 * fork, vfork, clone: a new task from the running one.
 *
 * do_clone() reserves first (stack, number, memory, tables), each piece shared or copied as the CLONE_ flags say, and
 * undoes that in reverse order when something runs out. Then it commits with family_lock and the parent's siglock held,
 * which cannot fail any more: parent, process group, session, thread list and pid table learn of the child together.
 *
 * A signal that is pending for the parent at that moment turns the call back (-ERESTARTNOINTR), so a signal to a process
 * group reaches either the parent before the fork or both after it; SIGKILL to a process finds all its threads or stops
 * the making of a new one.
 *
 * The child begins in child_begins() on its own stack and leaves through a copy of the parent's trapframe with a0 = 0.
 * vfork: the parent sleeps on the child's process->child_wait until TASK_VFORKED is off; it holds a reference, so
 * the queue lives however the child ends, and a parent that is killed just goes:
 *
 *   parent                                  child
 *   wait: TASK_VFORKED on → sleeps          execs, exits or is killed: gives up the memory
 *                                           TASK_VFORKED off, wakes its own child_wait
 *   awake; drops its reference
 *
 * Locks: family_lock, then siglock. May sleep everywhere before the commit.
 */
#include "abi/capability.h"
#include "abi/errno.h"
#include "arch/csr.h"
#include "fs/file.h"
#include "ipc/sem.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/uaccess.h"
#include "mm/vm.h"
#include "proc/life.h"
#include "proc/signal.h"
#include "time/posix.h"
#include "trace/control.h"

#define CLONE_UNSUPPORTED                                                                          \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |  \
     CLONE_NEWNET)

int threads_max = 65536;

static int check_flags(const struct clone_request *r) {
    u64 f = r->flags;
    if (f & CLONE_UNSUPPORTED || r->exit_signal < 0 || r->exit_signal > _NSIG)
        return -EINVAL;
    if ((f & CLONE_THREAD && !(f & CLONE_SIGHAND)) || (f & CLONE_SIGHAND && !(f & CLONE_VM)))
        return -EINVAL;
    if (f & CLONE_CLEAR_SIGHAND && f & CLONE_SIGHAND)
        return -EINVAL;
    if (f & CLONE_PIDFD &&
        (f & CLONE_THREAD || (f & CLONE_PARENT_SETTID && r->pidfd == r->parent_tid)))
        return -EINVAL;
    if (r->wanted_tid && !capable(CAP_CHECKPOINT_RESTORE) && !capable(CAP_SYS_ADMIN))
        return -EPERM;
    if (f & CLONE_PARENT && current->process == init_process)
        return -EINVAL;
    return 0;
}

struct process *process_create(struct sighand *s) {
    struct process *p = kzalloc(sizeof(*p));
    if (!p)
        return NULL;
    ref_init(&p->ref);
    list_init(&p->threads);
    list_init(&p->children);
    list_init(&p->timers);
    list_init(&p->sibling);
    list_init(&p->pgrp_link);
    list_init(&p->session_link);
    irqlock_init(&p->siglock, RANK_SIGNAL, "siglock");
    sigpending_init(&p->pending);
    waitq_init(&p->child_wait);
    p->sighand = s;
    p->start_time = clock_ns();
    p->dumpable = true;
    return p;
}

void task_link(struct task *t, struct process *p) {
    assert(irqlock_is_mine(&p->siglock));
    user_count(t->cred->uid, 1);
    if (!p->user)
        p->user = user_get(t->cred->uid);
    list_add_tail(&t->thread_link, &p->threads);
    p->nr_threads++;
    p->nr_live++;
    list_add_tail(&t->all_link, &all_tasks);
    t->pid->task = t;
    nr_tasks++;
    forks_total++;
    t->thread.tid = t->pid->nr;
    trace_adopt(t);
}

/* ---- pieces ---- */

static int copy_mm(struct task *t, u64 flags) {
    struct mm *mm = current->mm;
    if (!mm)
        return 0;
    if (flags & CLONE_VM)
        mm_get(mm);
    else
        mm = flags & CLONE_EXOFORK ? mm_create_like(mm) : mm_fork(mm);
    if (!mm)
        return -ENOMEM;
    if (flags & CLONE_EXOFORK && vdso_map(mm) < 0) {
        mm_put(mm);
        return -ENOMEM;
    }
    t->mm = t->active_mm = mm;
    return 0;
}

static void put_mm(struct task *t) {
    if (t->mm)
        mm_put(t->mm);
    t->mm = t->active_mm = NULL;
}

static int copy_files(struct task *t, u64 flags) {
    if (flags & CLONE_FILES) {
        ref_get(&current->files->ref);
        t->files = current->files;
        return 0;
    }
    t->files = files_copy(current->files);
    return t->files ? 0 : -ENOMEM;
}

static int copy_fs(struct task *t, u64 flags) {
    if (flags & CLONE_FS) {
        ref_get(&current->fs->ref);
        t->fs = current->fs;
        return 0;
    }
    t->fs = fs_context_copy(current->fs);
    return t->fs ? 0 : -ENOMEM;
}

static struct sighand *copy_sighand(u64 flags) {
    struct sighand *s = current->process->sighand;
    if (flags & CLONE_SIGHAND) {
        ref_get(&s->ref);
        return s;
    }
    s = sighand_copy(s);
    if (s && flags & CLONE_CLEAR_SIGHAND)
        sighand_reset(s, false);
    return s;
}

// The new task's process: the caller's, or a new one.
static int copy_process(struct task *t, u64 flags) {
    struct process *mine = current->process;
    if (flags & CLONE_THREAD) {
        process_get(mine);
        t->process = mine;
        return 0;
    }
    struct sighand *s = copy_sighand(flags);
    struct process *p = s ? process_create(s) : NULL;
    if (!p) {
        sighand_put(s);
        return -ENOMEM;
    }
    memcpy(p->limit, mine->limit, sizeof(p->limit));
    p->oom_score_adj = READ_ONCE(mine->oom_score_adj);
    p->dumpable = READ_ONCE(mine->dumpable);
    if (flags & CLONE_EXOFORK)
        p->parent_death_signal = SIGKILL;  // who else would start it?
    p->leader = t;
    pid_get(t->pid);
    p->pid = t->pid;
    t->process = p;
    return 0;
}

static void child_begins(void *arg) {
    struct task *t = arg;
    irq_enable();
    if (unlikely(t->flags & TASK_EMBRYO))
        embryo_wait();
    if (t->restart_arg[0]) {  // CLONE_CHILD_SETTID; a bad address is the program's loss
        put_user_u32(t->pid->nr, t->restart_arg[0]);
        t->restart_arg[0] = 0;
    }
}

static void copy_registers(struct task *t, const struct clone_request *r) {
    struct trapframe *tf = thread_trapframe(&t->thread), *mine = thread_trapframe(&current->thread);
    preempt_disable();  // a switch away and back changes FS in the trapframe
    fpu_save(&current->thread);
    t->thread.fpu = current->thread.fpu;
    *tf = *mine;
    preempt_enable();
    tf->a0 = 0;
    if (r->stack)
        tf->sp = r->stack;
    if (r->flags & CLONE_SETTLS)
        tf->tp = r->tls;
    fpu_forget(&t->thread);
    thread_init_user(&t->thread, child_begins, t);
}

static void copy_attributes(struct task *t, const struct clone_request *r) {
    u64 f = r->flags;
    t->cred = cred_get(current->cred);
    t->blocked = current->blocked;
    t->affinity = current->affinity;
    t->personality = current->personality;
    t->timer_slack = t->usual_slack = current->timer_slack;
    t->start_time = clock_ns();
    t->flags = TASK_FORKED_NOEXEC | (current->flags & (TASK_NO_NEW_PRIVS | TASK_KEEP_CAPS)) |
               (f & CLONE_VFORK ? TASK_VFORKED : 0);
    t->clear_child_tid = f & CLONE_CHILD_CLEARTID ? (u32 *)r->child_tid : NULL;
    t->restart_arg[0] = f & CLONE_CHILD_SETTID ? r->child_tid : 0;
    if (!(f & CLONE_VM) || f & CLONE_VFORK) {
        t->altstack = current->altstack;
        if (unlikely(current->upcall.entry))
            t->upcall = current->upcall;
    }
    if (f & CLONE_EXOFORK)
        t->flags |= TASK_EXOFORKED | TASK_EMBRYO;
    sigpending_init(&t->pending);
    sched_fork(&t->se, &current->se);
}

/* ---- commit ---- */

// => family_lock held
static void adopt(struct process *p, const struct clone_request *r) {
    struct process *mine = current->process;
    bool sibling = r->flags & CLONE_PARENT;
    p->parent = sibling ? mine->parent : mine;
    p->maker = sibling ? mine->maker : current->pid->nr;
    p->exit_signal = sibling ? mine->exit_signal : r->exit_signal;
    list_add_tail(&p->sibling, &p->parent->children);
    pid_get(mine->pgrp);
    p->pgrp = mine->pgrp;
    list_add_tail(&p->pgrp_link, &p->pgrp->group);
    pid_get(mine->session);
    p->session = mine->session;
    list_add_tail(&p->session_link, &p->session->session);
}

// => family_lock held
static int may_commit(void) {
    u32 uid = current->cred->uid;
    if (signal_pending())
        return -ERESTARTNOINTR;
    if (nr_tasks >= (u32)threads_max)
        return -EAGAIN;
    if (uid && !capable(CAP_SYS_RESOURCE) && !capable(CAP_SYS_ADMIN) &&
        user_tasks(uid) >= current->process->limit[RLIMIT_NPROC].rlim_cur)
        return -EAGAIN;
    return 0;
}

// A new thread joins under the same hold of siglock as the look at the signals: the end of the process, a stop, or an
// exec finds it among the threads or turns the call back.
static int commit(struct task *t, const struct clone_request *r) {
    struct process *mine = current->process, *p = t->process;
    spin_lock(&family_lock);
    u64 flags = irqlock_acquire(&mine->siglock);
    int error = may_commit();
    if (!error && p == mine)
        task_link(t, p);
    irqlock_release(&mine->siglock, flags);
    if (!error && p != mine) {
        flags = irqlock_acquire(&p->siglock);
        task_link(t, p);
        if (unlikely(p->limit[RLIMIT_CPU].rlim_cur != RLIM_INFINITY))
            posix_limit_cpu(p);
        irqlock_release(&p->siglock, flags);
        adopt(p, r);
    }
    spin_unlock(&family_lock);
    return error;
}

static struct task *prepare(const struct clone_request *r, int *error) {
    *error = -ENOMEM;
    struct task *t = task_alloc(current->name);
    if (!t)
        return NULL;
    copy_attributes(t, r);
    t->pid = pid_alloc(r->wanted_tid, error);
    if (!t->pid)
        goto put_task;
    if ((*error = copy_process(t, r->flags)) || (*error = copy_files(t, r->flags)))
        goto put_process;
    if ((*error = copy_fs(t, r->flags)))
        goto put_files;
    if ((*error = copy_mm(t, r->flags)))
        goto put_fs;
    if (r->flags & CLONE_SYSVSEM && (*error = sem_share(t)))
        goto put_mm;
    copy_registers(t, r);
    return t;

put_mm:
    put_mm(t);
put_fs:
    fs_context_put(t->fs);
put_files:
    files_put(t->files);
put_process:
    if (t->process && !(r->flags & CLONE_THREAD)) {
        sighand_put(t->process->sighand);
        t->process->sighand = NULL;
    }
put_task:
    task_put(t);
    return NULL;
}

static void discard(struct task *t, bool thread) {
    put_mm(t);
    sem_exit(t);
    fs_context_put(t->fs);
    files_put(t->files);
    if (!thread) {
        sighand_put(t->process->sighand);
        t->process->sighand = NULL;
    }
    task_put(t);
}

static void wait_for_vfork(struct task *t) {
    wait_event_killable(&t->process->child_wait, !(load_acquire(&t->flags) & TASK_VFORKED),
                        "vfork");
}

// CLONE_PIDFD: a descriptor of the child that it does not inherit; its number is told before the child starts, and is
// the caller's only when there is a child.
static int commit_with_pidfd(struct task *t, const struct clone_request *r) {
    struct file *f = pidfd_file(t->pid, 0);
    if (IS_ERR(f))
        return PTR_ERR(f);
    int fd = fd_reserve(true);
    int error = fd < 0 ? fd : put_user_u32(fd, r->pidfd) ? -EFAULT : commit(t, r);
    if (!error) {
        fd_install(fd, f);
        return 0;
    }
    if (fd >= 0)
        fd_release(fd);
    file_put(f);
    return error;
}

long do_clone(const struct clone_request *r) {
    int error = check_flags(r);
    if (error)
        return error;
    struct task *t = prepare(r, &error);
    if (!t)
        return error;
    int nr = t->pid->nr;
    if (r->flags & CLONE_PARENT_SETTID)
        put_user_u32(nr, r->parent_tid);
    error = r->flags & CLONE_PIDFD ? commit_with_pidfd(t, r) : commit(t, r);
    if (error) {
        discard(t, r->flags & CLONE_THREAD);
        return error;
    }
    if (r->flags & CLONE_VFORK)
        task_get(t);
    sched_start(t);
    if (r->flags & CLONE_VFORK) {
        wait_for_vfork(t);
        task_put(t);
    }
    return nr;
}
