/*
 * What a thread does with its signals before it goes back to user code; faults and exceptions of user code.
 *
 * user_work() is called with interrupts on whenever WORK_ bits are set on the way out. It takes signals one after the
 * other: ignored ones vanish, default actions stop or end the process here, and for a handler a frame is pushed on
 * the user's stack, laid out as Linux riscv64 does it, and the trapframe is turned to the handler:
 *
 *      higher addresses     … the interrupted stack …
 *                           ucontext: altstack, old mask, registers, FP registers, end-of-extensions record
 *      a1 = sp = frame →    siginfo, at most 128 bytes, a2 → ucontext;   ra → __vdso_rt_sigreturn
 *
 * The handler returns into the vDSO, which makes the system call rt_sigreturn: do_sigreturn() reads the frame back.
 *
 * An interrupted system call has left -ERESTART… in a0. Whether it is begun again (a0 from orig_a0, pc back on the
 * ecall) or ends with -EINTR is decided with the first signal that has a handler, or when none has.
 *
 * Stops: the thread that takes the stop signal starts the stop; each thread parks in TASK_STOPPED on its way out, the
 * last one tells the parent. Threads count themselves once an epoch, so a continue and a new stop in quick succession,
 * before a thread has run, find it counted in the new stop. Stop against continue:
 *
 *   thread takes SIGTSTP                          SIGCONT is sent
 *   siglock: off the queue, STOP_DEQUEUED; unlock
 *   family_lock: is the group orphaned?           siglock: STOP_DEQUEUED off, pending stops removed; unlock
 *   siglock: STOP_DEQUEUED gone → no stop
 *
 * Locks: siglock; family_lock before it for telling the parent. Everything here may sleep.
 */
#include "abi/errno.h"
#include "abi/syscall.h"
#include "abi/wait.h"
#include "arch/arch.h"
#include "arch/csr.h"
#include "arch/upcall.h"
#include "check/fail.h"
#include "lib/string.h"
#include "mm/uaccess.h"
#include "mm/vm.h"
#include "proc/life.h"
#include "proc/signal.h"
#include "trace/trace.h"
#include "vdso/vdso.h"

#define NOT_A_SYSCALL (~0ul)  // in tf->cause: nothing is left to be restarted

// A signal taken for its handler.
struct delivery {
    struct frame_head head;  // mask: of before, which the handler's end brings back
    struct sigaction action;
};

/* ---- frames ---- */

static bool on_altstack(u64 sp) {
    const struct sigaltstack *a = &current->altstack;
    u64 base = (u64)a->ss_sp;
    return !(a->ss_flags & (s32)SS_AUTODISARM) && sp > base && sp - base <= a->ss_size;
}

static u64 frame_address(const struct trapframe *tf, const struct sigaction *action) {
    u64 sp = tf->sp;
    bool inside = on_altstack(sp);
    if (action->sa_flags & SA_ONSTACK && current->altstack.ss_size && !inside)
        sp = (u64)current->altstack.ss_sp + current->altstack.ss_size;
    u64 frame = align_down(sp - sizeof(struct rt_sigframe), 16);
    return inside && !on_altstack(frame) ? 0 : frame;  // 0: no room left on the alternate stack
}

static struct sigaltstack altstack_at(u64 sp) {
    struct sigaltstack stack = current->altstack;
    if (!stack.ss_size)
        stack.ss_flags = SS_DISABLE;
    else if (on_altstack(sp))
        stack.ss_flags |= SS_ONSTACK;
    return stack;
}

// What arch/usercopy.S knows of a frame.
BUILD_ASSERT(offsetof(struct frame_head, stack) == 48 && offsetof(struct frame_head, mask) == 72 &&
             offsetof(struct frame_head, extension) == 80);
BUILD_ASSERT(offsetof(struct rt_sigframe, uc) == 128 && offsetof(struct ucontext, uc_stack) == 16 &&
             offsetof(struct ucontext, uc_sigmask) == 40 &&
             offsetof(struct ucontext, uc_mcontext) == 176 &&
             offsetof(struct sigcontext, sc_fpregs) == 256 &&
             offsetof(struct trapframe, status) == sizeof(struct user_regs_struct));

// Turn tf to the handler. 0, or -EFAULT with tf as it was. A page that is absent is brought, and all written again.
static int push_frame(struct trapframe *tf, struct delivery *d) {
    u64 frame = frame_address(tf, &d->action);
    int error;
    if (!frame || !user_range_ok(frame, sizeof(struct rt_sigframe)))
        return -EFAULT;
    d->head.stack = altstack_at(tf->sp);
    do {
        preempt_disable();
        fpu_use(&current->thread);
        error = usercopy_frame_out((struct rt_sigframe *)frame, tf, &d->head);
        preempt_enable();
    } while (unlikely(error) && !fault_in_user(frame, sizeof(struct rt_sigframe), true));
    if (error)
        return error;
    if (current->altstack.ss_flags & (s32)SS_AUTODISARM)
        current->altstack = (struct sigaltstack){0};
    tf->pc = (u64)d->action.sa_handler;
    tf->ra = vdso_address(__vdso_rt_sigreturn);
    tf->sp = frame;
    tf->a0 = d->head.info.si_signo;
    tf->a1 = frame;
    tf->a2 = frame + offsetof(struct rt_sigframe, uc);
    tf->cause = NOT_A_SYSCALL;
    return 0;
}

static int pop_frame(struct trapframe *tf, u64 frame, u64 *mask) {
    struct frame_head head;
    int error;
    if (frame & 15 || !user_range_ok(frame, sizeof(struct rt_sigframe)))
        return -EFAULT;
    do {
        preempt_disable();
        fpu_replace(&current->thread);
        error = usercopy_frame_in(&head, tf, (const struct rt_sigframe *)frame);
        preempt_enable();
    } while (unlikely(error) && !fault_in_user(frame, sizeof(struct rt_sigframe), false));
    if (error || head.extension)
        return -EFAULT;
    if (head.stack.ss_flags & (s32)SS_AUTODISARM)
        current->altstack = head.stack;
    *mask = head.mask;
    return 0;
}

long do_sigreturn(void) {
    struct trapframe *tf = thread_trapframe(&current->thread);
    u64 mask;
    current->restart = NULL;
    tf->cause = NOT_A_SYSCALL;
    atomic_or(&current->thread.work, WORK_REGISTERS);
    if (pop_frame(tf, tf->sp, &mask) == 0)
        signal_set_blocked(mask);
    else
        signal_force(SIGSEGV, SI_KERNEL, 0);
    return tf->a0;
}

/* ---- restarting system calls ---- */

static bool interrupted_call(const struct trapframe *tf) {
    return tf->cause == CAUSE_ECALL_U && (long)tf->a0 <= -ERESTARTSYS &&
           (long)tf->a0 >= -ERESTART_RESTARTBLOCK;
}

static void restart_call(struct trapframe *tf) {
    tf->a0 = tf->orig_a0;
    tf->pc -= 4;
    tf->cause = NOT_A_SYSCALL;
}

static void finish_call_for_handler(struct trapframe *tf, const struct sigaction *action) {
    if (!interrupted_call(tf))
        return;
    long why = -(long)tf->a0;
    if (why == ERESTARTNOINTR || (why == ERESTARTSYS && action->sa_flags & SA_RESTART))
        restart_call(tf);
    else
        tf->a0 = -EINTR;
}

static void finish_call_without_handler(struct trapframe *tf) {
    if (!interrupted_call(tf))
        return;
    bool block = (long)tf->a0 == -ERESTART_RESTARTBLOCK;
    restart_call(tf);
    if (block)
        tf->a7 = SYS_restart_syscall;
}

/* ---- stopping ---- */

static void tell_stopped(struct process *p) {
    spin_lock(&family_lock);
    notify_parent_stop(p, CLD_STOPPED, p->stop_signal);
    spin_unlock(&family_lock);
}

// The parent is told when the last thread's state says stopped, lest it looks sooner. => siglock held; let go for a while
static void park(struct process *p, u64 *flags) {
    u32 epoch = p->stop_flags / STOP_EPOCH;
    bool tell = stop_thread_done(p);
    while (p->stop_flags & STOP_ACTIVE && p->stop_flags / STOP_EPOCH == epoch &&
           !(current->pending.set & SIGMASK(SIGKILL))) {
        WRITE_ONCE(current->state, TASK_STOPPED);
        irqlock_release(&p->siglock, *flags);
        if (tell)
            tell_stopped(p);
        tell = false;
        schedule();
        *flags = irqlock_acquire(&p->siglock);
    }
}

// => siglock held
static void begin_stop(struct process *p, int sig) {
    struct task *t;
    if (p->stop_flags & STOP_ACTIVE || p->group_exit)
        return;
    p->stop_flags = ((p->stop_flags + STOP_EPOCH) & ~STOP_DONE) | STOP_ACTIVE;
    p->stop_signal = sig;
    p->stopping = 0;
    list_for_each (t, &p->threads, thread_link) {
        if (t->flags & TASK_EXITING)
            continue;
        p->stopping++;
        if (t != current)
            signal_wake(t, false);
    }
}

// => siglock held; let go for a while. SIGTTIN and its like do not stop an orphaned group.
static void take_stop_signal(struct process *p, int sig, u64 *flags) {
    if (sig != SIGSTOP) {
        p->stop_flags |= STOP_DEQUEUED;
        irqlock_release(&p->siglock, *flags);
        spin_lock(&family_lock);
        bool orphaned = pgrp_is_orphaned(p->pgrp, NULL);
        spin_unlock(&family_lock);
        *flags = irqlock_acquire(&p->siglock);
        bool continued = !(p->stop_flags & STOP_DEQUEUED);
        p->stop_flags &= ~STOP_DEQUEUED;
        if (orphaned || continued)
            return;
    }
    begin_stop(p, sig);
}

// => siglock held; let go for a while
static void report_continue(struct process *p, u64 *flags) {
    p->stop_flags &= ~CONT_NOTIFY;
    irqlock_release(&p->siglock, *flags);
    spin_lock(&family_lock);
    notify_parent_stop(p, CLD_CONTINUED, SIGCONT);
    spin_unlock(&family_lock);
    *flags = irqlock_acquire(&p->siglock);
}

/* ---- taking signals ---- */

// => siglock held. The action of a signal just taken; a one-shot handler is gone afterwards.
static void take_action(struct process *p, int sig, struct sigaction *copy) {
    struct sighand *s = p->sighand;
    struct sigaction *a = &s->action[sig - 1];
    irqlock_acquire_irqs_off(&s->lock);
    *copy = *a;
    if (copy->sa_flags & SA_RESETHAND && copy->sa_handler != SIG_IGN)
        WRITE_ONCE(a->sa_handler, SIG_DFL);
    irqlock_release_irqs_off(&s->lock);
}

// => siglock held; let go for a while
static void default_action(struct process *p, int sig, u64 *flags) {
    bool harmless = sig == SIGCONT || sig == SIGCHLD || sig == SIGWINCH || sig == SIGURG;
    if (harmless || p->pid->nr == 1)
        return;
    if (SIGMASK(sig) & SIGNAL_STOPS)
        take_stop_signal(p, sig, flags);
    else
        process_start_exit(p, sig);
}

// => siglock held. The handler runs with its own signals blocked.
static void enter_mask(struct delivery *d, int sig) {
    u64 mask = current->blocked | d->action.sa_mask;
    if (!(d->action.sa_flags & SA_NODEFER))
        mask |= SIGMASK(sig);
    d->head.mask = current->restore_blocked ? current->saved_blocked : current->blocked;
    current->restore_blocked = false;
    signal_set_blocked_locked(mask);
}

// The next signal that has a handler; false: none is left. Does not come back when the thread has to die.
static bool next_handled(struct delivery *d) {
    struct process *p = current->process;
    bool found = false;
    u64 flags = irqlock_acquire(&p->siglock);
    while (!found) {
        if (p->group_exit || current->pending.set & SIGMASK(SIGKILL)) {
            int status = p->group_exit ? p->group_code : SIGKILL;
            irqlock_release(&p->siglock, flags);
            if (WTERMSIG(status))
                trace(TRACE_DELIVER, WTERMSIG(status));
            do_exit(status);
        }
        if (p->stop_flags & CONT_NOTIFY) {
            report_continue(p, &flags);
            continue;
        }
        if (p->stop_flags & STOP_ACTIVE) {
            park(p, &flags);
            continue;
        }
        int sig = signal_take(~current->blocked, &d->head.info);
        if (!sig) {
            signal_recalc();
            break;
        }
        trace(TRACE_DELIVER, sig);
        take_action(p, sig, &d->action);
        if (d->action.sa_handler == SIG_DFL)
            default_action(p, sig, &flags);
        else
            found = d->action.sa_handler != SIG_IGN;
        if (found)
            enter_mask(d, sig);
    }
    irqlock_release(&p->siglock, flags);
    return found;
}

static void run_handler(struct trapframe *tf, struct delivery *d) {
    finish_call_for_handler(tf, &d->action);
    if (likely(push_frame(tf, d) == 0))
        return;
    signal_set_blocked(d->head.mask);
    struct sigaction dfl = {0};
    if (d->head.info.si_signo == SIGSEGV)
        signal_action(SIGSEGV, &dfl, NULL);
    signal_force(SIGSEGV, SI_KERNEL, 0);
}

static __attribute__((noinline)) void deliver_signals(struct trapframe *tf) {
    struct delivery d;
    while (signal_pending() && next_handled(&d))
        run_handler(tf, &d);
    finish_call_without_handler(tf);
    if (unlikely(current->restore_blocked))
        signal_restore_mask();
}

void user_work(struct trapframe *tf, u32 work) {
    if (work & WORK_REGISTERS)
        atomic_and(&current->thread.work, ~(u32)WORK_REGISTERS);
    if (unlikely(work & WORK_UPCALL))
        upcall_for_call(tf);
    if (work & WORK_RESCHED)
        schedule();
    if (work & WORK_SIGNAL)
        deliver_signals(tf);
}

/* ---- faults and exceptions ---- */

static void bad_access(struct trapframe *tf, int error) {
    switch (error) {
    case -EINTR:
        return;  // dying: user_work() does the rest
    case -ENOMEM:
        if (!fail_built && page_oom())
            return;  // somebody else ended: again
        kprintf("out of memory: killed %s (pid %d)\n", current->name, task_tgid(current));
        signal_force_kill(current);
        return;
    case -EFAULT:
        signal_force(SIGSEGV, vm_fault_code(current->mm, tf->badaddr), tf->badaddr);
        return;
    default:
        signal_force(SIGBUS, BUS_ADRERR, tf->badaddr);
    }
}

static __attribute__((noinline, cold)) int traced_fault(struct trapframe *tf, enum access access) {
    trace(TRACE_FAULT, tf->badaddr, tf->pc, "rwx"[access], true);
    int error = vm_fault(current->mm, tf->badaddr, access, tf->sp);
    trace(TRACE_FAULT_END, tf->badaddr, error);
    return error;
}

void user_page_fault(struct trapframe *tf, enum access access) {
    int error = tracing(current_thread) ? traced_fault(tf, access)
                                        : vm_fault(current->mm, tf->badaddr, access, tf->sp);
    if (likely(!error) || (error == -EFAULT && current->upcall.entry && upcall_push(tf, access)))
        return;
    bad_access(tf, error);
}

static bool was_only_fpu_off(struct trapframe *tf) {
    preempt_disable();
    bool repaired = fpu_trap(tf);
    preempt_enable();
    return repaired;
}

void user_exception(struct trapframe *tf) {
    switch (tf->cause) {
    case CAUSE_ILLEGAL:
        if (!was_only_fpu_off(tf))
            signal_force(SIGILL, ILL_ILLOPC, tf->pc);
        break;
    case CAUSE_BREAKPOINT:
        signal_force(SIGTRAP, TRAP_BRKPT, tf->pc);
        break;
    case CAUSE_FETCH_MISALIGNED:
    case CAUSE_LOAD_MISALIGNED:
    case CAUSE_STORE_MISALIGNED:
        signal_force(SIGBUS, BUS_ADRALN, tf->badaddr);
        break;
    default:  // access faults: the physical address does not answer
        signal_force(SIGSEGV, SEGV_ACCERR, tf->badaddr);
    }
}
