/*
 * What a program needs to handle page faults and to build fork by itself, as in JOS (abi/exokernel.h lists the calls).
 *
 * An embryo is a child of exofork: a process like any other, with a memory of its own that has nothing in it but the vDSO.
 * Its thread sleeps in its first function until exo_start() takes TASK_EMBRYO away, so that the maker may set its registers,
 * which are where a trap would have saved them. A signal that kills ends it, and the end of its maker does.
 *
 *      exofork ──> embryo ──exo_start──> runs ──execve──> a process as others are
 *                  └── registers, upcall     │
 *                  └── memory ───────────────┘   by its parent
 *
 * Who may: every process in its own memory, and the parent in that of a child of exofork as long as it has not exec'd
 * (TASK_EXOFORKED) and the parent may look into it as a debugger. execve takes the flag away before the memory changes, and
 * both are looked at with family_lock held: nobody gets to the memory of a set-uid program in this way.
 *
 * An upcall is a thread's. A page fault of its user code that the kernel cannot repair pushes a struct user_fault on the upcall's
 * stack and goes on at its entry. A fault on that stack is pushed below the last one. If there is no room, or the stack itself
 * is not there, it is the SIGSEGV that it would have been. When a system call fails with -EFAULT because it could not copy from or
 * to a page, the upcall gets that fault, with registers that make the call again. (What the call did before it failed, stays done.)
 *
 *   higher addresses   stack + size
 *                      struct user_fault  <── sp and a0 at entry;  fault_return(a0) takes the registers back from there
 *                      frames of the upcall's functions
 *                      struct user_fault of a fault in the upcall
 *   lower addresses    stack
 *
 * Locks: family_lock. All may sleep.
 */
#include "abi/errno.h"
#include "abi/exokernel.h"
#include "abi/mman.h"
#include "arch/csr.h"
#include "fs/proc.h"
#include "lib/string.h"
#include "mm/pagecache.h"
#include "mm/uaccess.h"
#include "mm/vm.h"
#include "proc/life.h"

BUILD_ASSERT(offsetof(struct trapframe, status) == sizeof(struct user_regs_struct));
BUILD_ASSERT(FAULT_WRITE == (int)ACCESS_WRITE && FAULT_EXEC == (int)ACCESS_EXEC);

/* ---- who may ---- */

// A child of ours that exofork made. => family_lock held
static bool is_exoforked(const struct task *t) {
    return t->process && t->process->parent == current->process &&
           load_acquire(&t->flags) & TASK_EXOFORKED;
}

// The memory of a process, to be changed, with a reference; ERR_PTR(-ESRCH, -EPERM).
static struct mm *mm_of(int pid) {
    struct mm *mm = NULL;
    if (pid == 0 || pid == task_tgid(current)) {
        mm_get(current->mm);
        return current->mm;
    }
    struct task *t = task_lookup(pid);
    if (!t)
        return ERR_PTR(-ESRCH);
    bool may = task_may_look(t);
    spin_lock(&family_lock);
    may = may && is_exoforked(t);
    if (may && t->mm)
        mm_get(mm = t->mm);
    spin_unlock(&family_lock);
    task_put(t);
    return mm ? mm : ERR_PTR(may ? -ESRCH : -EPERM);
}

// An embryo of ours, with family_lock held, or NULL with *error and without.
static struct task *lock_embryo(int pid, int *error) {
    spin_lock(&family_lock);
    struct pid *number = pid_find(pid);
    struct task *t = number ? number->task : NULL;
    if (t && is_exoforked(t) && t->flags & TASK_EMBRYO)
        return t;
    *error = !t ? -ESRCH : is_exoforked(t) ? -EBUSY : -EPERM;
    spin_unlock(&family_lock);
    return NULL;
}

/* ---- embryos ---- */

long do_exofork(void) {
    struct clone_request r = {.flags = CLONE_EXOFORK, .exit_signal = SIGCHLD};
    return do_clone(&r);
}

void embryo_wait(void) {
    wait_event_killable(&current->process->child_wait,
                        !(load_acquire(&current->flags) & TASK_EMBRYO), "exofork");
}

int do_exo_start(int pid) {
    int error = 0;
    struct task *t = lock_embryo(pid, &error);
    if (!t)
        return error;
    WRITE_ONCE(t->process->parent_death_signal, 0);
    atomic_and(&t->flags, ~TASK_EMBRYO);
    wake_all(&t->process->child_wait);
    spin_unlock(&family_lock);
    return 0;
}

int do_exo_registers(int pid, u64 user) {
    struct user_regs_struct regs;
    int error = copy_from_user(&regs, user, sizeof(regs));
    struct task *t = error ? NULL : lock_embryo(pid, &error);
    if (!t)
        return error;
    memcpy(thread_trapframe(&t->thread), &regs, sizeof(regs));
    spin_unlock(&family_lock);
    return 0;
}

/* ---- upcalls ---- */

int do_fault_upcall(int pid, u64 entry, u64 stack, u64 size) {
    struct upcall upcall = {.entry = entry, .stack = stack, .size = size};
    int error = 0;
    if (entry && (entry & 1 || !va_is_user(entry) || stack > USER_TOP || size > USER_TOP - stack ||
                  size < sizeof(struct user_fault)))
        return -EINVAL;
    if (pid == 0 || pid == current->pid->nr) {
        current->upcall = upcall;
        return 0;
    }
    struct task *t = lock_embryo(pid, &error);
    if (!t)
        return error;
    t->upcall = upcall;
    spin_unlock(&family_lock);
    return 0;
}

bool upcall_push(struct trapframe *tf, enum access access) {
    const struct upcall *u = &current->upcall;
    const u64 head[] = {tf->badaddr, access};
    bool nested = tf->sp > u->stack && tf->sp - u->stack <= u->size;
    u64 top = nested ? tf->sp : u->stack + u->size;
    if (top - u->stack < sizeof(struct user_fault) + 15)
        return false;
    u64 frame = align_down(top - sizeof(struct user_fault), 16);
    if (copy_to_user(frame, head, sizeof(head)) ||
        copy_to_user(frame + sizeof(head), tf, sizeof(struct user_regs_struct)))
        return false;
    tf->pc = u->entry;
    tf->sp = tf->a0 = frame;
    return true;
}

void upcall_for_call(struct trapframe *tf) {
    const struct upcall *u = &current->upcall;
    atomic_and(&current->thread.work, ~(u32)WORK_UPCALL);
    if (!u->entry || tf->cause != CAUSE_ECALL_U || (long)tf->a0 != -EFAULT)
        return;
    tf->cause = ~0ul;  // not a system call any more
    tf->badaddr = u->address;
    tf->a0 = tf->orig_a0;
    tf->pc -= 4;
    if (upcall_push(tf, u->access))
        return;
    tf->a0 = -EFAULT;
    tf->pc += 4;
}

long do_fault_return(u64 user) {
    struct trapframe *tf = thread_trapframe(&current->thread);
    struct user_fault fault;
    if (copy_from_user(&fault, user, sizeof(fault)))
        return -EFAULT;
    memcpy(tf, &fault.regs, sizeof(fault.regs));
    tf->cause = ~0ul;  // not a system call: nothing is left to be restarted
    atomic_or(&current->thread.work, WORK_REGISTERS);
    return tf->a0;
}

/* ---- pages ---- */

int do_page_alloc(int pid, u64 addr, int prot) {
    struct mm *mm = mm_of(pid);
    if (IS_ERR(mm))
        return PTR_ERR(mm);
    int error = vm_page_alloc(mm, addr, prot);
    mm_put(mm);
    return error;
}

int do_page_map(int from, u64 src, int to, u64 dst, int prot) {
    struct mm *a = mm_of(from), *b = IS_ERR(a) ? a : mm_of(to);
    int error = IS_ERR(b) ? (int)PTR_ERR(b) : vm_page_map(a, src, b, dst, prot);
    if (!IS_ERR(b))
        mm_put(b);
    if (!IS_ERR(a))
        mm_put(a);
    return error;
}

int do_page_unmap(int pid, u64 addr) {
    struct mm *mm = mm_of(pid);
    if (IS_ERR(mm))
        return PTR_ERR(mm);
    int error = vm_page_unmap(mm, addr);
    mm_put(mm);
    return error;
}
