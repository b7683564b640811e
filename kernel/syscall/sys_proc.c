/*
 * System calls of processes: fork, exec, exit, wait, ids, limits. Arguments for proc/.
 * Decoders only; family_lock is taken to look at relations. May sleep.
 */
#include "abi/capability.h"
#include "abi/errno.h"
#include "abi/resource.h"
#include "abi/wait.h"
#include "fs/file.h"
#include "lib/string.h"
#include "mm/uaccess.h"
#include "proc/life.h"
#include "proc/signal.h"
#include "arch/hart.h"
#include "syscall/syscall.h"
#include "time/posix.h"

/* ---- fork, exec, exit ---- */

// riscv64 has the order flags, stack, parent_tid, tls, child_tid.
long sys_clone(const u64 *a) {
    struct clone_request r = {
        .flags = (u32)a[0] & ~(CSIGNAL | CLONE_DETACHED),
        .exit_signal = a[0] & CSIGNAL,
        .stack = a[1],
        .parent_tid = a[2],
        .tls = a[3],
        .child_tid = a[4],
    };
    if (r.flags & CLONE_PIDFD) {  // its number goes to where CLONE_PARENT_SETTID puts the tid
        if (a[0] & CLONE_DETACHED)
            return -EINVAL;
        r.pidfd = r.parent_tid;
    }
    return do_clone(&r);
}

// A structure whose size the caller gives: what we do not know must be zero (-E2BIG).
static int clone_args_in(u64 user, u64 size, struct clone_args *args) {
    u8 byte;
    memset(args, 0, sizeof(*args));
    if (size < CLONE_ARGS_SIZE_VER0)
        return -EINVAL;
    if (size > PAGE_SIZE)
        return -E2BIG;
    for (u64 i = sizeof(*args); i < size; i++)
        if (copy_from_user(&byte, user + i, 1))
            return -EFAULT;
        else if (byte)
            return -E2BIG;
    return copy_from_user(args, user, min(size, sizeof(*args)));
}

#define CLONE3_FLAGS                                                                               \
    ((0xffffffff & ~(u64)(CSIGNAL | CLONE_DETACHED)) | CLONE_CLEAR_SIGHAND | CLONE_INTO_CGROUP)
#define MAX_PID_LEVELS 32  // of nested namespaces, in Linux; here is one

static int clone_args_check(const struct clone_args *c, u64 size) {
    if (c->flags & ~CLONE3_FLAGS || c->exit_signal > _NSIG ||
        (c->flags & (CLONE_THREAD | CLONE_PARENT) && c->exit_signal))
        return -EINVAL;
    if (!c->stack != !c->stack_size || !user_range_ok(c->stack, c->stack_size))
        return -EINVAL;
    if (!c->set_tid != !c->set_tid_size || c->set_tid_size > MAX_PID_LEVELS)
        return -EINVAL;
    if (!(c->flags & CLONE_INTO_CGROUP))
        return 0;
    // there are no control groups, so no descriptor can be of one
    return c->cgroup > INT32_MAX || size < CLONE_ARGS_SIZE_VER2 ? -EINVAL : -EBADF;
}

// The number that the child is to have, or 0. One for each level of namespaces.
static int wanted_tid(const struct clone_args *c, int *tid) {
    *tid = 0;
    if (!c->set_tid_size)
        return 0;
    if (c->set_tid_size > 1)
        return -EINVAL;
    if (get_user_u32((u32 *)tid, c->set_tid))
        return -EFAULT;
    return *tid < 1 ? -EINVAL : 0;
}

long sys_clone3(const u64 *a) {
    struct clone_args c;
    int tid, error = clone_args_in(a[0], a[1], &c);
    if (error || (error = clone_args_check(&c, a[1])) || (error = wanted_tid(&c, &tid)))
        return error;
    struct clone_request r = {
        .flags = c.flags,
        .exit_signal = (int)c.exit_signal,
        .stack = c.stack + c.stack_size,
        .tls = c.tls,
        .parent_tid = c.parent_tid,
        .child_tid = c.child_tid,
        .pidfd = c.pidfd,
        .wanted_tid = tid,
    };
    return do_clone(&r);
}

long sys_execve(const u64 *a) {
    struct exec_args args = {.argv = a[1], .envp = a[2]};
    char *path = path_from_user(a[0]);
    if (IS_ERR(path))
        return PTR_ERR(path);
    long result = do_execve(AT_FDCWD, path, &args);
    path_buffer_put(path);
    return result;
}

long sys_exit(const u64 *a) {
    int status = (int)a[0];
    struct process *p = current->process;
    if (!READ_ONCE(p->group_exit))
        p->full_status = status;
    do_exit(W_EXITCODE(status, 0));
}

long sys_exit_group(const u64 *a) { do_group_exit(W_EXITCODE((int)a[0], 0), (int)a[0]); }
long sys_xv6_exit(const u64 *a) { return sys_exit_group(a); }

/* ---- wait ---- */

long sys_wait4(const u64 *a) {
    int pid = (int)a[0], options = (int)a[2];
    struct rusage usage;
    if (options & ~(int)(WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL))
        return -EINVAL;
    if (pid == INT32_MIN)
        return -ESRCH;
    struct wait_request w = {
        .which = pid == -1 ? P_ALL
                 : pid > 0 ? P_PID
                           : P_PGID,
        .id = pid < 0 ? -pid : pid,
        .options = options | WEXITED,
        .usage = a[3] ? &usage : NULL,
    };
    long result = do_wait(&w);
    if (result <= 0)
        return result;
    if ((a[1] && put_user_u32(w.status, a[1])) ||
        (a[3] && copy_to_user(a[3], &usage, sizeof(usage))))
        return -EFAULT;
    return result;
}

static int waitid_status(const struct wait_request *w) {
    if (w->code == CLD_CONTINUED)
        return SIGCONT;
    return WIFSIGNALED(w->status) ? WTERMSIG(w->status) : WEXITSTATUS(w->status);
}

// The child of a pidfd. One that is not to block says -EAGAIN in place of waiting.
static long wait_pidfd(struct wait_request *w) {
    struct fd_ref r = fd_get(w->id);
    struct pid *pid = r.file ? pidfd_pid(r.file) : NULL;
    long result = -EBADF;
    if (pid) {
        bool no_wait = READ_ONCE(r.file->flags) & O_NONBLOCK && !(w->options & WNOHANG);
        w->which = P_PID;
        w->id = pid->nr;  // names nobody else while the descriptor is open
        if (no_wait)
            w->options |= WNOHANG;
        result = do_wait(w);
        if (result == 0 && no_wait)
            result = -EAGAIN;
    }
    fd_put(r);
    return result;
}

long sys_waitid(const u64 *a) {
    int which = (int)a[0], id = (int)a[1], options = (int)a[3];
    struct rusage usage;
    if (options & ~(int)(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | __WNOTHREAD |
                         __WCLONE | __WALL) ||
        !(options & (WEXITED | WSTOPPED | WCONTINUED)))
        return -EINVAL;
    if (which < P_ALL || which > P_PIDFD || (which == P_PID && id <= 0) ||
        (which >= P_PGID && id < 0))
        return -EINVAL;
    struct wait_request w = {
        .which = which, .id = id, .options = options, .usage = a[4] ? &usage : NULL};
    long result = which == P_PIDFD ? wait_pidfd(&w) : do_wait(&w);
    if (result < 0)
        return result;
    struct siginfo info = {0};
    if (result > 0) {
        info = (struct siginfo){
            .si_signo = SIGCHLD, .si_code = w.code, .si_pid = w.pid, .si_uid = w.uid};
        info.si_status = waitid_status(&w);
        if (a[4] && copy_to_user(a[4], &usage, sizeof(usage)))
            return -EFAULT;
    }
    return a[2] ? copy_to_user(a[2], &info, sizeof(info)) : 0;
}

// xv6's wait(): any child, and the whole int that it gave to exit; -1 if a signal ended it.
long sys_xv6_wait(const u64 *a) {
    struct wait_request w = {.which = P_ALL, .options = WEXITED};
    long result = do_wait(&w);
    if (result > 0 && a[0] && put_user_u32(w.full, a[0]))
        return -EFAULT;
    return result;
}

/* ---- pidfds ---- */

long sys_pidfd_open(const u64 *a) { return do_pidfd_open((int)a[0], (u32)a[1]); }

long sys_pidfd_getfd(const u64 *a) {
    if ((u32)a[2])
        return -EINVAL;
    struct fd_ref r = fd_get((int)a[0]);
    struct pid *pid = r.file ? pidfd_pid(r.file) : NULL;
    long result = pid ? do_pidfd_getfd(pid, (int)a[1]) : -EBADF;
    fd_put(r);
    return result;
}

/* ---- who we are ---- */

long sys_getpid(NO_ARGS) { return current->process->pid->nr; }
long sys_gettid(NO_ARGS) { return current->pid->nr; }
long sys_getuid(NO_ARGS) { return current->cred->uid; }
long sys_geteuid(NO_ARGS) { return current->cred->euid; }
long sys_getgid(NO_ARGS) { return current->cred->gid; }
long sys_getegid(NO_ARGS) { return current->cred->egid; }

long sys_getppid(NO_ARGS) {
    spin_lock(&family_lock);
    struct process *parent = current->process->parent;
    int nr = parent ? parent->pid->nr : 0;
    spin_unlock(&family_lock);
    return nr;
}

long sys_set_tid_address(const u64 *a) {
    current->clear_child_tid = (u32 *)a[0];
    return current->pid->nr;
}

long sys_setpgid(const u64 *a) { return do_setpgid((int)a[0], (int)a[1]); }
long sys_getpgid(const u64 *a) { return do_getpgid((int)a[0]); }
long sys_setsid(NO_ARGS) { return do_setsid(); }
long sys_getsid(const u64 *a) { return do_getsid((int)a[0]); }

long sys_setuid(const u64 *a) { return cred_setuid((u32)a[0]); }
long sys_setgid(const u64 *a) { return cred_setgid((u32)a[0]); }
long sys_setreuid(const u64 *a) { return cred_setreuid((u32)a[0], (u32)a[1]); }
long sys_setregid(const u64 *a) { return cred_setregid((u32)a[0], (u32)a[1]); }
long sys_setresuid(const u64 *a) { return cred_setresuid((u32)a[0], (u32)a[1], (u32)a[2]); }
long sys_setresgid(const u64 *a) { return cred_setresgid((u32)a[0], (u32)a[1], (u32)a[2]); }
long sys_setfsuid(const u64 *a) { return cred_setfsuid((u32)a[0]); }
long sys_setfsgid(const u64 *a) { return cred_setfsgid((u32)a[0]); }

static long three_out(const u64 *a, u32 r, u32 e, u32 s) {
    return put_user_u32(r, a[0]) || put_user_u32(e, a[1]) || put_user_u32(s, a[2]) ? -EFAULT : 0;
}
long sys_getresuid(const u64 *a) {
    const struct cred *c = current->cred;
    return three_out(a, c->uid, c->euid, c->suid);
}
long sys_getresgid(const u64 *a) {
    const struct cred *c = current->cred;
    return three_out(a, c->gid, c->egid, c->sgid);
}

long sys_getgroups(const u64 *a) {
    const struct cred *c = current->cred;
    int size = (int)a[0];
    if (size < 0 || (size && (u32)size < c->ngroups))
        return -EINVAL;
    if (size && copy_to_user(a[1], c->groups, c->ngroups * sizeof(u32)))
        return -EFAULT;
    return c->ngroups;
}

long sys_setgroups(const u64 *a) {
    u32 groups[NGROUPS], n = (u32)a[0];
    if (!capable(CAP_SETGID))
        return -EPERM;
    if (n > NGROUPS)
        return -EINVAL;
    if (copy_from_user(groups, a[1], n * sizeof(u32)))
        return -EFAULT;
    return cred_setgroups(n, groups);
}

/* ---- limits and usage ---- */

// Set and get one limit of p. => siglock held
static int exchange_limit(struct process *p, int which, const struct rlimit *new_,
                          struct rlimit *old) {
    *old = p->limit[which];
    if (!new_)
        return 0;
    if (new_->rlim_cur > new_->rlim_max)
        return -EINVAL;
    if (new_->rlim_max > old->rlim_max && !capable(CAP_SYS_RESOURCE))
        return -EPERM;
    p->limit[which] = *new_;
    return 0;
}

// May current look at and change the limits of t?
static bool may_limit(const struct task *t) {
    const struct cred *c = current->cred, *o = cred_of(t);
    return t->process == current->process || capable(CAP_SYS_RESOURCE) ||
           (c->uid == o->uid && c->uid == o->euid && c->uid == o->suid && c->gid == o->gid &&
            c->gid == o->egid && c->gid == o->sgid);
}

static int limit_of(int pid, int which, const struct rlimit *new_, struct rlimit *old) {
    int error = -ESRCH;
    if (which < 0 || which >= RLIM_NLIMITS)
        return -EINVAL;
    spin_lock(&family_lock);
    struct pid *nr = pid ? pid_find(pid) : current->pid;
    struct task *t = nr ? nr->task : NULL;
    if (t && t->process) {
        struct process *p = t->process;
        bool watched = new_ && which == RLIMIT_CPU;
        u64 flags = watched ? posix_limit_lock(p) : irqlock_acquire(&p->siglock);
        error = may_limit(t) ? exchange_limit(p, which, new_, old) : -EPERM;
        if (watched)
            posix_limit_cpu(p);
        irqlock_release(&p->siglock, flags);
    }
    spin_unlock(&family_lock);
    return error;
}

static long exchange_user(int pid, int which, u64 new_, u64 old_) {
    struct rlimit new_limit, old_limit;
    if (new_ && copy_from_user(&new_limit, new_, sizeof(new_limit)))
        return -EFAULT;
    int error = limit_of(pid, which, new_ ? &new_limit : NULL, &old_limit);
    return error || !old_ ? error : copy_to_user(old_, &old_limit, sizeof(old_limit));
}
long sys_prlimit64(const u64 *a) { return exchange_user((int)a[0], (int)a[1], a[2], a[3]); }
long sys_getrlimit(const u64 *a) {
    struct rlimit now;
    int error = limit_of(0, (int)a[0], NULL, &now);
    return error ? error : copy_to_user(a[1], &now, sizeof(now));
}
long sys_setrlimit(const u64 *a) {
    struct rlimit new_, old;
    if (copy_from_user(&new_, a[1], sizeof(new_)))
        return -EFAULT;
    return limit_of(0, (int)a[0], &new_, &old);
}

long sys_getrusage(const u64 *a) {
    struct rusage usage;
    int who = (int)a[0];
    if (who != RUSAGE_SELF && who != RUSAGE_CHILDREN && who != RUSAGE_THREAD)
        return -EINVAL;
    process_rusage(current->process, who, &usage);
    return copy_to_user(a[1], &usage, sizeof(usage));
}
