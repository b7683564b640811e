/*
 * prctl(2) and personality(2): small settings of a task or process. Those without a meaning here (the
 * secure bits) say that the facility is off, and cannot be turned on. And capget(2), capset(2). No locks; may sleep.
 */
#include "abi/capability.h"
#include "abi/errno.h"
#include "abi/prctl.h"
#include "abi/signal.h"
#include "mm/uaccess.h"
#include "proc/life.h"
#include "syscall/syscall.h"

long sys_personality(const u64 *a) {
    u32 old = current->personality;
    if ((u32)a[0] != 0xffffffffu)
        current->personality = (u32)a[0];
    return old;
}

static long set_name(u64 user) {
    char name[TASK_NAME];
    ssize_t n = copy_string_from_user(name, user, sizeof(name));
    if (n == -ENAMETOOLONG && copy_from_user(name, user, sizeof(name)))
        n = -EFAULT;
    if (n == -EFAULT)
        return n;
    name[TASK_NAME - 1] = 0;
    task_set_name(current, name);
    return 0;
}

static long set_parent_death_signal(u64 sig) {
    if (sig > _NSIG)
        return -EINVAL;
    WRITE_ONCE(current->process->parent_death_signal, (int)sig);
    return 0;
}

static long set_flag(u32 flag, u64 on) {
    if (on > 1)
        return -EINVAL;
    if (on)
        atomic_or(&current->flags, flag);
    else
        atomic_and(&current->flags, ~flag);
    return 0;
}

static long set_dumpable(u64 how) {
    if (how > 1)
        return -EINVAL;
    WRITE_ONCE(current->process->dumpable, how);
    return 0;
}

static bool rest_is_zero(const u64 *a, int from) {
    while (from < 5 && !a[from])
        from++;
    return from == 5;
}

static long ambient(const u64 *a) {
    u64 set = current->cred->caps.ambient, bit = 1ul << (a[2] & 63);
    if (a[3] || a[4] || a[2] > CAP_LAST_CAP)
        return -EINVAL;
    switch (a[1]) {
    case PR_CAP_AMBIENT_CLEAR_ALL:
        return a[2] ? -EINVAL : caps_set_ambient(0);
    case PR_CAP_AMBIENT_IS_SET:
        return set & bit ? 1 : 0;
    case PR_CAP_AMBIENT_LOWER:
        return caps_set_ambient(set & ~bit);
    case PR_CAP_AMBIENT_RAISE:
        return caps_set_ambient(set | bit);
    default:
        return -EINVAL;
    }
}

// Settings of the calling task alone.
static long task_setting(const u64 *a) {
    switch ((int)a[0]) {
    case PR_SET_NAME:
        return set_name(a[1]);
    case PR_GET_NAME:
        return copy_to_user(a[1], current->name, TASK_NAME);
    case PR_SET_KEEPCAPS:
        return set_flag(TASK_KEEP_CAPS, a[1]);
    case PR_GET_KEEPCAPS:
        return current->flags & TASK_KEEP_CAPS ? 1 : 0;
    case PR_SET_NO_NEW_PRIVS:
        return a[1] != 1 || !rest_is_zero(a, 2) ? -EINVAL : set_flag(TASK_NO_NEW_PRIVS, 1);
    case PR_GET_NO_NEW_PRIVS:
        return !rest_is_zero(a, 1) ? -EINVAL : current->flags & TASK_NO_NEW_PRIVS ? 1 : 0;
    case PR_SET_TIMERSLACK:
        current->timer_slack = (s64)a[1] > 0 ? a[1] : current->usual_slack;
        return 0;
    case PR_GET_TIMERSLACK:
        return current->timer_slack;
    case PR_GET_TID_ADDRESS:
        return put_user_u64((u64)current->clear_child_tid, a[1]);
    case PR_SET_TIMING:
        return a[1] == PR_TIMING_STATISTICAL ? 0 : -EINVAL;
    case PR_GET_TIMING:
        return PR_TIMING_STATISTICAL;
    case PR_SET_SECUREBITS:
        return capable(CAP_SETPCAP) && !a[1] ? 0 : -EPERM;
    case PR_CAPBSET_READ:
        return a[1] <= CAP_LAST_CAP ? (long)(current->cred->caps.bounding >> a[1] & 1) : -EINVAL;
    case PR_CAPBSET_DROP:
        return a[1] <= CAP_LAST_CAP ? caps_drop_bounding((u32)a[1]) : -EINVAL;
    case PR_CAP_AMBIENT:
        return ambient(a);
    case PR_GET_THP_DISABLE:
        return rest_is_zero(a, 1) ? 0 : -EINVAL;
    case PR_GET_SECCOMP:
    case PR_GET_SECUREBITS:
        return 0;  // the facility is off for every task
    default:
        return -EINVAL;
    }
}

long sys_prctl(const u64 *a) {
    struct process *p = current->process;
    switch ((int)a[0]) {
    case PR_SET_PDEATHSIG:
        return set_parent_death_signal(a[1]);
    case PR_GET_PDEATHSIG:
        return put_user_u32(p->parent_death_signal, a[1]);
    case PR_SET_CHILD_SUBREAPER:
        p->child_subreaper = a[1];
        return 0;
    case PR_GET_CHILD_SUBREAPER:
        return put_user_u32(p->child_subreaper, a[1]);
    case PR_SET_DUMPABLE:
        return set_dumpable(a[1]);
    case PR_GET_DUMPABLE:
        return p->dumpable;
    default:
        return task_setting(a);
    }
}

/* ---- capabilities ---- */

// The elements of struct cap_data that a version has, 0 for one that we lack.
static int elements(u32 version) {
    switch (version) {
    case _LINUX_CAPABILITY_VERSION_1:
        return 1;
    case _LINUX_CAPABILITY_VERSION_2:
    case _LINUX_CAPABILITY_VERSION_3:
        return 2;
    default:
        return 0;
    }
}

// What the caller's header says: elements, or, when its version is none of ours, ours told to it and -EINVAL.
static long read_header(u64 addr, struct cap_header *header) {
    if (copy_from_user(header, addr, sizeof(*header)))
        return -EFAULT;
    int n = elements(header->version);
    if (n)
        return n;
    return put_user_u32(_LINUX_CAPABILITY_VERSION_3, addr) ? -EFAULT : -EINVAL;
}

static int caps_of(int tid, struct caps *out) {
    if (tid < 0)
        return -EINVAL;
    spin_lock(&family_lock);
    struct pid *nr = tid ? pid_find(tid) : current->pid;
    struct task *t = nr ? nr->task : NULL;
    if (t)
        *out = cred_of(t)->caps;
    spin_unlock(&family_lock);
    return t ? 0 : -ESRCH;
}

long sys_capget(const u64 *a) {
    struct cap_header header;
    struct caps caps = {0};
    long n = read_header(a[0], &header);
    if (n < 0)
        return n == -EINVAL && !a[1] ? 0 : n;
    int error = caps_of(header.pid, &caps);
    if (error || !a[1])
        return error;
    struct cap_data data[2];
    for (int i = 0; i < 2; i++)
        data[i] =
            (struct cap_data){(u32)(caps.effective >> 32 * i), (u32)(caps.permitted >> 32 * i),
                              (u32)(caps.inheritable >> 32 * i)};
    return copy_to_user(a[1], data, n * sizeof(*data));
}

long sys_capset(const u64 *a) {
    struct cap_header header;
    struct cap_data d[2] = {{0}};
    long n = read_header(a[0], &header);
    if (n < 0)
        return n;
    if (header.pid && header.pid != current->pid->nr)
        return -EPERM;
    if (copy_from_user(d, a[1], n * sizeof(*d)))
        return -EFAULT;
    return caps_set(d[0].effective | (u64)d[1].effective << 32,
                    d[0].permitted | (u64)d[1].permitted << 32,
                    d[0].inheritable | (u64)d[1].inheritable << 32);
}
