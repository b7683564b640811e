/*
 * System calls of scheduling: sched_*(2), setpriority(2), getcpu(2). Who may ask for what is decided here (sched(7), "Privileges and
 * resource limits"); what it means, in sched/.
 *
 * Everybody may make his own tasks matter less. RLIMIT_NICE and RLIMIT_RTPRIO say how far up he may go, CAP_SYS_NICE lets
 * through all. A task's parameters change with its run queue's lock held; family_lock, held around, keeps two callers from mixing theirs.
 */
#include "abi/capability.h"
#include "abi/errno.h"
#include "abi/resource.h"
#include "abi/sched.h"
#include "abi/time.h"
#include "arch/hart.h"
#include "lib/string.h"
#include "mm/uaccess.h"
#include "proc/life.h"
#include "syscall/syscall.h"

long sys_sched_yield(NO_ARGS) {
    sched_yield();
    return 0;
}

// Is t of the user who calls, or has he the right to schedule everybody? => family_lock held
static bool may_schedule(const struct task *t) {
    const struct cred *c = current->cred, *o = cred_of(t);
    return capable(CAP_SYS_NICE) || c->euid == o->uid || c->euid == o->euid;
}

// The task of a tid (0: current) with a reference, or NULL.
static struct task *task_or_self(int tid) {
    if (tid)
        return task_lookup(tid);
    task_get(current);
    return current;
}

static u64 all_harts(void) { return nr_harts >= 64 ? ~0ul : (1ul << nr_harts) - 1; }

long sys_sched_setaffinity(const u64 *a) {
    u64 mask = 0;
    if (copy_from_user(&mask, a[2], min((u64)(u32)a[1], sizeof(mask))))
        return -EFAULT;
    struct task *t = task_or_self((int)a[0]);
    if (!t)
        return -ESRCH;
    spin_lock(&family_lock);
    bool may = may_schedule(t);
    spin_unlock(&family_lock);
    mask &= all_harts();
    int error = !may ? -EPERM : mask ? sched_set_affinity(t, mask) : -EINVAL;
    task_put(t);
    return error;
}

long sys_sched_getaffinity(const u64 *a) {
    u32 size = (u32)a[1];
    if (size < sizeof(u64) || size % sizeof(u64))
        return -EINVAL;
    struct task *t = task_or_self((int)a[0]);
    if (!t)
        return -ESRCH;
    u64 mask = t->affinity & all_harts();
    task_put(t);
    return copy_to_user(a[2], &mask, sizeof(mask)) ? -EFAULT : (long)sizeof(mask);
}

long sys_getcpu(const u64 *a) {
    preempt_disable();
    u32 hart = hart_id();
    preempt_enable();
    if ((a[0] && put_user_u32(hart, a[0])) || (a[1] && put_user_u32(0, a[1])))
        return -EFAULT;
    return 0;
}

/* ---- policy, priority, nice ---- */

#define KEEP_POLICY (-1)

static bool is_rt(int policy) { return policy == SCHED_FIFO || policy == SCHED_RR; }

static u64 limit_of(const struct task *t, int which) {
    return t->process ? READ_ONCE(t->process->limit[which].rlim_cur) : 0;
}

static bool nice_allowed(const struct task *t, int nice) {
    return (u64)(20 - nice) <= limit_of(t, RLIMIT_NICE);
}

// Does it take no right to go from `old` to `new_`? => family_lock held
static bool is_harmless(const struct task *t, const struct sched_params *old,
                        const struct sched_params *new_) {
    u64 limit = limit_of(t, RLIMIT_RTPRIO);
    if (is_rt(new_->policy)) {
        if ((new_->policy != old->policy && limit == 0) ||
            (new_->rt_priority > old->rt_priority && new_->rt_priority > limit))
            return false;
    } else if (new_->nice < old->nice && !nice_allowed(t, new_->nice)) {
        return false;
    }
    if (old->policy == SCHED_IDLE && new_->policy != SCHED_IDLE && !nice_allowed(t, old->nice))
        return false;
    return !old->reset_on_fork || new_->reset_on_fork;
}

static bool is_valid(int policy, u32 rt_priority) {
    bool normal = policy == SCHED_NORMAL || policy == SCHED_BATCH || policy == SCHED_IDLE;
    return is_rt(policy) ? rt_priority >= 1 && rt_priority <= RT_PRIORITIES
                         : normal && rt_priority == 0;
}

// What a call asks for.
struct wish {
    int policy;  // or KEEP_POLICY
    bool reset_on_fork, keep_params, has_nice;
    u32 rt_priority;
    int nice;
};

// => family_lock held
static int fulfil(struct task *t, const struct wish *w) {
    struct sched_params old, new_;
    sched_get_params(t, &old);
    new_ = old;
    if (w->policy != KEEP_POLICY) {
        new_.policy = (u8)w->policy;
        new_.reset_on_fork = w->reset_on_fork;
    }
    u32 rt_priority = w->keep_params && is_rt(new_.policy) == is_rt(old.policy) ? old.rt_priority
                                                                                : w->rt_priority;
    if (!is_valid(w->policy == KEEP_POLICY ? old.policy : w->policy, rt_priority))
        return -EINVAL;
    new_.rt_priority = (u8)rt_priority;
    if (w->has_nice && !w->keep_params && !is_rt(new_.policy))
        new_.nice = (s8)w->nice;
    if ((!may_schedule(t) || !is_harmless(t, &old, &new_)) && !capable(CAP_SYS_NICE))
        return -EPERM;
    sched_set_params(t, &new_);
    return 0;
}

static int ask(int tid, const struct wish *w) {
    struct task *t = tid < 0 ? NULL : task_or_self(tid);
    if (!t)
        return tid < 0 ? -EINVAL : -ESRCH;
    spin_lock(&family_lock);
    int error = fulfil(t, w);
    spin_unlock(&family_lock);
    task_put(t);
    return error;
}

static int params_of(int tid, struct sched_params *p) {
    struct task *t = tid < 0 ? NULL : task_or_self(tid);
    if (!t)
        return tid < 0 ? -EINVAL : -ESRCH;
    sched_get_params(t, p);
    task_put(t);
    return 0;
}

static long set_scheduler(int tid, struct wish *w, u64 param) {
    struct sched_param in;
    if (!param || tid < 0)
        return -EINVAL;
    if (copy_from_user(&in, param, sizeof(in)))
        return -EFAULT;
    w->rt_priority = (u32)in.sched_priority;
    return ask(tid, w);
}

long sys_sched_setscheduler(const u64 *a) {
    int policy = (int)a[1];
    if (policy < 0)
        return -EINVAL;
    return set_scheduler((int)a[0],
                         &(struct wish){.policy = policy & ~SCHED_RESET_ON_FORK,
                                        .reset_on_fork = policy & SCHED_RESET_ON_FORK},
                         a[2]);
}

long sys_sched_setparam(const u64 *a) {
    return set_scheduler((int)a[0], &(struct wish){.policy = KEEP_POLICY}, a[1]);
}

long sys_sched_getscheduler(const u64 *a) {
    struct sched_params p;
    int error = params_of((int)a[0], &p);
    return error ? error : p.policy | (p.reset_on_fork ? SCHED_RESET_ON_FORK : 0);
}

long sys_sched_getparam(const u64 *a) {
    struct sched_params p;
    int error = a[1] ? params_of((int)a[0], &p) : -EINVAL;
    struct sched_param out = {error ? 0 : p.rt_priority};
    return error ? error : copy_to_user(a[1], &out, sizeof(out));
}

// A structure whose size its first word gives; 0 stands for the first version's. What we do not know must be zero:
// -E2BIG, and our size is put there.
static int attr_in(u64 user, struct sched_attr *attr) {
    u32 size;
    u8 byte = 0;
    memset(attr, 0, sizeof(*attr));
    if (get_user_u32(&size, user))
        return -EFAULT;
    if (size == 0)
        size = SCHED_ATTR_SIZE_VER0;
    bool known = size >= SCHED_ATTR_SIZE_VER0 && size <= PAGE_SIZE;
    for (u64 i = sizeof(*attr); known && i < size && !byte; i++)
        if (copy_from_user(&byte, user + i, 1))
            return -EFAULT;
    if (!known || byte)
        return put_user_u32(sizeof(*attr), user) ? -EFAULT : -E2BIG;
    return copy_from_user(attr, user, min((u64)size, sizeof(*attr)));
}

#define KNOWN_FLAGS                                                                                \
    (SCHED_FLAG_RESET_ON_FORK | SCHED_FLAG_RECLAIM | SCHED_FLAG_DL_OVERRUN |                       \
     SCHED_FLAG_KEEP_POLICY | SCHED_FLAG_KEEP_PARAMS)

long sys_sched_setattr(const u64 *a) {
    struct sched_attr attr;
    int tid = (int)a[0], error = !a[1] || tid < 0 || (u32)a[2] ? -EINVAL : attr_in(a[1], &attr);
    if (error)
        return error;
    if ((int)attr.sched_policy < 0 || attr.sched_flags & ~(u64)KNOWN_FLAGS)
        return -EINVAL;
    bool keep = attr.sched_flags & SCHED_FLAG_KEEP_POLICY;
    return ask(tid, &(struct wish){.policy = keep ? KEEP_POLICY : (int)attr.sched_policy,
                                   .reset_on_fork = attr.sched_flags & SCHED_FLAG_RESET_ON_FORK,
                                   .keep_params = attr.sched_flags & SCHED_FLAG_KEEP_PARAMS,
                                   .has_nice = true,
                                   .rt_priority = attr.sched_priority,
                                   .nice = max(PRIO_MIN, min(attr.sched_nice, PRIO_MAX - 1))});
}

long sys_sched_getattr(const u64 *a) {
    struct sched_params p;
    u32 size = (u32)a[2];
    if (!a[1] || size > PAGE_SIZE || size < SCHED_ATTR_SIZE_VER0 || (u32)a[3])
        return -EINVAL;
    int error = params_of((int)a[0], &p);
    if (error)
        return error;
    struct sched_attr attr = {
        .size = min(size, (u32)sizeof(attr)),
        .sched_policy = p.policy,
        .sched_flags = p.reset_on_fork ? SCHED_FLAG_RESET_ON_FORK : 0,
        .sched_nice = is_rt(p.policy) ? 0 : p.nice,
        .sched_priority = p.rt_priority,
    };
    return copy_to_user(a[1], &attr, attr.size);
}

// The lowest or highest priority of a policy.
static long bound(int policy, long of_rt) {
    if (is_rt(policy))
        return of_rt;
    return policy == SCHED_DEADLINE || is_valid(policy, 0) ? 0 : -EINVAL;
}
long sys_sched_get_priority_max(const u64 *a) { return bound((int)a[0], RT_PRIORITIES); }
long sys_sched_get_priority_min(const u64 *a) { return bound((int)a[0], 1); }

long sys_sched_rr_get_interval(const u64 *a) {
    struct sched_params p;
    int error = params_of((int)a[0], &p);
    if (error)
        return error;
    u64 ns = p.policy == SCHED_FIFO ? 0 : is_rt(p.policy) ? rt_class.turn : fair_class->turn;
    struct timespec out = {(s64)(ns / NSEC_PER_SEC), (s64)(ns % NSEC_PER_SEC)};
    return copy_to_user(a[1], &out, sizeof(out));
}

// Call fn on each task that `which` and `who` of getpriority(2) name. => family_lock held. -EINVAL, -ESRCH, or fn's last.
static int for_each_named(int which, int who, int (*fn)(struct task *t, int *arg), int *arg) {
    struct task *t;
    struct process *p;
    int result = -ESRCH;
    if (which == PRIO_PROCESS) {
        struct pid *pid = who ? pid_find(who) : current->pid;
        return pid && pid->task ? fn(pid->task, arg) : -ESRCH;
    }
    if (which == PRIO_PGRP) {
        struct pid *group = who ? pid_find(who) : current->process->pgrp;
        if (group)
            list_for_each (p, &group->group, pgrp_link)
                list_for_each (t, &p->threads, thread_link)
                    result = fn(t, arg);
        return result;
    }
    if (which != PRIO_USER)
        return -EINVAL;
    u32 uid = who ? (u32)who : current->cred->uid;
    list_for_each (t, &all_tasks, all_link)
        if (t->process && cred_of(t)->uid == uid)
            result = fn(t, arg);
    return result;
}

static int lowest_nice(struct task *t, int *best) {
    *best = max(*best, 20 - t->se.nice);
    return 0;
}

static int change_nice(struct task *t, int *nice) {
    if (!may_schedule(t))
        return -EPERM;
    struct sched_params p;
    sched_get_params(t, &p);
    if (*nice < p.nice && !nice_allowed(t, *nice) && !capable(CAP_SYS_NICE))
        return -EACCES;
    p.nice = (s8)*nice;
    sched_set_params(t, &p);
    return 0;
}

long sys_getpriority(const u64 *a) {
    int best = 0;
    spin_lock(&family_lock);
    int error = for_each_named((int)a[0], (int)a[1], lowest_nice, &best);
    spin_unlock(&family_lock);
    return error ? error : best;
}

long sys_setpriority(const u64 *a) {
    int nice = max(min((int)a[2], PRIO_MAX - 1), PRIO_MIN);
    spin_lock(&family_lock);
    int error = for_each_named((int)a[0], (int)a[1], change_nice, &nice);
    spin_unlock(&family_lock);
    return error;
}
