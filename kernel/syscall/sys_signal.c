/*
 * System calls of signals: arguments for proc/signal.c and proc/deliver.c. Decoders only: siglock is taken below, may sleep.
 */
#include "abi/errno.h"
#include "fs/file.h"
#include "mm/uaccess.h"
#include "proc/life.h"
#include "proc/signal.h"
#include "syscall/syscall.h"
#include "time/posix.h"

long sys_kill(const u64 *a) { return signal_kill((int)a[0], (int)a[1]); }

static long kill_thread(int tgid, int tid, int sig) {
    struct siginfo info;
    if (tid <= 0 || sig < 0 || sig > _NSIG)
        return -EINVAL;
    siginfo_user(&info, sig, SI_TKILL);
    return signal_tgkill(tgid, tid, &info);
}
long sys_tkill(const u64 *a) { return kill_thread(0, (int)a[0], (int)a[1]); }
long sys_tgkill(const u64 *a) {
    return (int)a[0] <= 0 ? -EINVAL : kill_thread((int)a[0], (int)a[1], (int)a[2]);
}

// A siginfo of the caller's; it may not look like the kernel's or kill()'s unless it goes to itself.
static int siginfo_in(u64 user, int sig, int target, struct siginfo *info) {
    if (copy_from_user(info, user, sizeof(*info)))
        return -EFAULT;
    if (sig < 0 || sig > _NSIG)
        return -EINVAL;
    info->si_signo = sig;
    bool forged = info->si_code >= 0 || info->si_code == SI_TKILL;
    return forged && target != task_tgid(current) ? -EPERM : 0;
}

long sys_rt_sigqueueinfo(const u64 *a) {
    struct siginfo info;
    int error = siginfo_in(a[2], (int)a[1], (int)a[0], &info);
    return error ? error : signal_queue((int)a[0], &info);
}

long sys_rt_tgsigqueueinfo(const u64 *a) {
    struct siginfo info;
    if ((int)a[0] <= 0 || (int)a[1] <= 0)
        return -EINVAL;
    int error = siginfo_in(a[3], (int)a[2], (int)a[0], &info);
    return error ? error : signal_tgkill((int)a[0], (int)a[1], &info);
}

// Without a siginfo it is kill(2).
static int pidfd_siginfo(u64 user, int sig, int target, struct siginfo *info) {
    if (sig < 0 || sig > _NSIG)
        return -EINVAL;
    siginfo_user(info, sig, SI_USER);
    if (!user)
        return 0;
    if (get_user_u32((u32 *)&info->si_signo, user))
        return -EFAULT;
    return info->si_signo != sig ? -EINVAL : siginfo_in(user, sig, target, info);
}

long sys_pidfd_send_signal(const u64 *a) {
    struct siginfo info;
    if ((u32)a[3])
        return -EINVAL;
    struct fd_ref r = fd_get((int)a[0]);
    struct pid *pid = r.file ? pidfd_pid(r.file) : NULL;
    long result = pid ? pidfd_siginfo(a[2], (int)a[1], pid->nr, &info) : -EBADF;
    if (!result)
        result = signal_queue(pid->nr, &info);
    fd_put(r);
    return result;
}

long sys_rt_sigaction(const u64 *a) {
    struct sigaction new_, old;
    if (a[3] != sizeof(sigset_t))
        return -EINVAL;
    if (a[1] && copy_from_user(&new_, a[1], sizeof(new_)))
        return -EFAULT;
    int error = signal_action((int)a[0], a[1] ? &new_ : NULL, a[2] ? &old : NULL);
    if (error || !a[2])
        return error;
    return copy_to_user(a[2], &old, sizeof(old));
}

long sys_rt_sigprocmask(const u64 *a) {
    u64 old = current->blocked, set;
    if (a[3] != sizeof(sigset_t))
        return -EINVAL;
    if (a[1]) {
        if (get_user_u64(&set, a[1]))
            return -EFAULT;
        switch ((int)a[0]) {
        case SIG_BLOCK:
            set |= old;
            break;
        case SIG_UNBLOCK:
            set = old & ~set;
            break;
        case SIG_SETMASK:
            break;
        default:
            return -EINVAL;
        }
        signal_set_blocked(set);
    }
    return a[2] ? put_user_u64(old, a[2]) : 0;
}

long sys_rt_sigpending(const u64 *a) {
    u64 set = signal_pending_set();
    return a[1] > sizeof(set) ? -EINVAL : copy_to_user(a[0], &set, a[1]);
}

long sys_rt_sigsuspend(const u64 *a) {
    u64 mask;
    if (a[1] != sizeof(sigset_t))
        return -EINVAL;
    if (get_user_u64(&mask, a[0]))
        return -EFAULT;
    signal_use_mask(mask);
    struct waitq nobody;
    waitq_init(&nobody);
    wait_event_interruptible(&nobody, false, "sigsuspend");
    return -ERESTARTNOHAND;
}

long sys_rt_sigtimedwait(const u64 *a) {
    struct siginfo info;
    u64 set, deadline;
    if (a[3] != sizeof(sigset_t))
        return -EINVAL;
    int error = get_user_u64(&set, a[0]) ?: deadline_in(a[2], &deadline);
    if (error)
        return error;
    int sig = signal_wait(set, &info, deadline);
    if (sig > 0 && a[1] && copy_to_user(a[1], &info, sizeof(info)))
        return -EFAULT;
    return sig;
}

long sys_rt_sigreturn(NO_ARGS) { return do_sigreturn(); }

// Is the caller on its alternate stack now?
static bool on_altstack(void) {
    const struct sigaltstack *s = &current->altstack;
    u64 sp = thread_trapframe(&current->thread)->sp, base = (u64)s->ss_sp;
    return !((u32)s->ss_flags & SS_AUTODISARM) && sp > base && sp - base <= s->ss_size;
}

static long set_altstack(const struct sigaltstack *s) {
    u32 mode = (u32)s->ss_flags & ~SS_AUTODISARM;
    if (on_altstack())
        return -EPERM;
    if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0)
        return -EINVAL;
    if (mode == SS_DISABLE) {
        current->altstack = (struct sigaltstack){0};
        return 0;
    }
    if (s->ss_size < MINSIGSTKSZ)
        return -ENOMEM;
    current->altstack = *s;
    current->altstack.ss_flags = (u32)s->ss_flags & SS_AUTODISARM;
    return 0;
}

long sys_sigaltstack(const u64 *a) {
    struct sigaltstack new_, old = current->altstack;
    old.__pad = 0;
    if (!old.ss_size)
        old.ss_flags = SS_DISABLE;
    else if (on_altstack())
        old.ss_flags |= SS_ONSTACK;
    if (a[0] && copy_from_user(&new_, a[0], sizeof(new_)))
        return -EFAULT;
    long error = a[0] ? set_altstack(&new_) : 0;
    if (!error && a[1])
        error = copy_to_user(a[1], &old, sizeof(old));
    return error;
}

long sys_signalfd4(const u64 *a) {
    u64 mask;
    if (a[2] != sizeof(mask))
        return -EINVAL;
    return get_user_u64(&mask, a[1]) ? -EFAULT : do_signalfd((int)a[0], mask, (u32)a[3]);
}

// Continue a call that was interrupted by a stop or an ignored signal.
long sys_restart_syscall(NO_ARGS) {
    long (*restart)(struct task *) = current->restart;
    current->restart = NULL;
    return restart ? restart(current) : -EINTR;
}
