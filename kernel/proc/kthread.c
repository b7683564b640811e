/*
 * Kernel threads: tasks without user memory. Each has a process of its own, whose parent is kthreadd (pid 2).
 *
 * kthreadd makes them all, itself apart: it is the worker of a queue of requests (sync/work.h), and whoever wants a thread
 * adds one and waits until it is done. So a new thread has nothing from the task that asked. kthreadd ignores SIGCHLD: a
 * kernel thread that ends is reaped at once. All share one table of dispositions that ignores every signal. The function, its
 * argument and the request to stop are in task->restart_arg[0 … 2], which only user threads need for other things.
 *
 * Stopping: kthread_stop() sets the request, wakes the thread, and sleeps on the thread's process->child_wait, which
 * exit.c wakes when the last thread of a process is gone. The thread must look at kthread_should_stop() after
 * it has set its sleeping state, as with any condition. May sleep: all but kthread_should_stop().
 */
#include "proc/internal.h"

#include "abi/errno.h"
#include "arch/arch.h"
#include "arch/csr.h"
#include "fs/vfs.h"
#include "lib/printf.h"
#include "proc/signal.h"
#include "arch/hart.h"
#include "sync/work.h"

static struct sighand *kernel_sighand;
static struct process *kthreadd;

struct task *task_from_nothing(const char *name, struct sighand *s, struct process *parent,
                               u32 flags) {
    struct task *t = task_alloc(name);
    if (!t)
        return NULL;
    struct process *p = NULL;
    int error;
    sigpending_init(&t->pending);
    t->flags = flags;
    t->timer_slack = t->usual_slack = 50 * NSEC_PER_USEC;
    t->cred = cred_create();
    t->pid = pid_alloc(0, &error);
    if (t->cred && t->pid)
        p = process_create(s);
    if (!p) {
        task_put(t);
        return NULL;
    }
    t->process = p;
    pid_get(t->pid);
    p->pid = t->pid;
    p->leader = t;
    for (int i = 0; i < RLIM_NLIMITS; i++)
        p->limit[i] = (struct rlimit){RLIM_INFINITY, RLIM_INFINITY};
    ref_get(&init_fs.ref);
    t->fs = &init_fs;
    spin_lock(&family_lock);
    p->parent = parent;
    if (parent)
        list_add_tail(&p->sibling, &parent->children);
    p->exit_signal = SIGCHLD;  // kthreadd ignores it, so nobody has to wait
    p->pgrp = parent ? parent->pgrp : t->pid;
    p->session = parent ? parent->session : t->pid;
    pid_get(p->pgrp);
    pid_get(p->session);
    list_add_tail(&p->pgrp_link, &p->pgrp->group);
    list_add_tail(&p->session_link, &p->session->session);
    u64 irq = irqlock_acquire(&p->siglock);
    task_link(t, p);
    irqlock_release(&p->siglock, irq);
    spin_unlock(&family_lock);
    return t;
}

static void kthread_main(void *arg) {
    struct task *t = arg;
    void (*fn)(void *) = (void (*)(void *))t->restart_arg[0];
    irq_enable();
    fn((void *)t->restart_arg[1]);
    do_exit(0);
}

static struct task *create(void (*fn)(void *), void *arg, const char *name) {
    ref_get(&kernel_sighand->ref);
    struct task *t = task_from_nothing(name, kernel_sighand, kthreadd, TASK_KTHREAD);
    if (!t) {
        sighand_put(kernel_sighand);
        return NULL;
    }
    t->restart_arg[0] = (u64)fn;
    t->restart_arg[1] = (u64)arg;
    thread_init_kernel(&t->thread, kthread_main, t);
    return t;
}

struct request {
    struct work work;
    void (*fn)(void *);
    void *arg;
    char name[TASK_NAME];
    struct task *made;  // by kthreadd
};
static struct workqueue requests = WORKQUEUE_INIT(requests);

static void make_thread(struct work *w) {
    struct request *r = container_of(w, struct request, work);
    r->made = create(r->fn, r->arg, r->name);
    if (r->made)
        task_get(r->made);
}

static struct task *request(void (*fn)(void *), void *arg, const char *name, va_list ap) {
    struct request r = {.fn = fn, .arg = arg};
    vsnprintf(r.name, sizeof(r.name), name, ap);
    work_init(&r.work, make_thread);
    work_add(&requests, &r.work);
    work_flush(&requests, &r.work);
    return r.made;
}

struct task *kthread_create(void (*fn)(void *), void *arg, const char *name, ...) {
    va_list ap;
    va_start(ap, name);
    struct task *t = request(fn, arg, name, ap);
    va_end(ap);
    return t;
}

bool kthread_run(void (*fn)(void *), void *arg, const char *name, ...) {
    va_list ap;
    va_start(ap, name);
    struct task *t = request(fn, arg, name, ap);
    va_end(ap);
    if (!t)
        return false;
    sched_start(t);
    task_put(t);
    return true;
}

bool kthread_should_stop(void) { return READ_ONCE(current->restart_arg[2]); }

void kthread_stop(struct task *t) {
    store_release(&t->restart_arg[2], 1);
    memory_fence();
    task_wake(t, TASK_ASLEEP);
    wait_event(&t->process->child_wait, READ_ONCE(t->process->nr_threads) == 0, "kthstop");
    task_put(t);
}

void kthread_init(void) {
    kernel_sighand = sighand_create();
    if (!kernel_sighand)
        panic("no memory for kernel threads");
    for (int i = 0; i < _NSIG; i++)
        kernel_sighand->action[i].sa_handler = SIG_IGN;
    struct task *t = create(work_thread, &requests, "kthreadd");
    if (!t)
        panic("no memory for kthreadd");
    kthreadd = t->process;
    sched_start(t);
}

void kthread_start_usual(void) {
    if (!kthread_run(flush_thread, NULL, "flush"))
        panic("no memory for the flush thread");
    for_each_hart (h) {
        struct task *t = kthread_create(work_thread, softwork_queue(h), "ksoftirqd/%u", h);
        if (!t)
            panic("no memory for ksoftirqd");
        t->affinity = 1ul << h;
        sched_start(t);
        task_put(t);
    }
}
