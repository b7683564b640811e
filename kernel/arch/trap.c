/*
 * What a trap was, and whom to call.
 *
 * trap.S saves the registers and calls trap_user() or trap_kernel() with interrupts off; system calls go straight
 * to syscall_enter(). From user code, every exception ends in a repair or a signal. In the kernel, the only
 * exceptions that are not bugs are faults of the user-copy routines, which the exception table names: they are
 * repaired like the user's own faults, or the copy goes on at its fixup address.
 *
 * A fault cannot be repaired where sleeping is not allowed: with interrupts off or the preempt count above 0 the
 * copy fails at once. The *_nofault copies rely on that.
 */
#include "arch/arch.h"
#include "arch/csr.h"
#include "arch/sv39.h"
#include "arch/upcall.h"

struct extable_entry {
    u64 insn, fixup;
};
extern const struct extable_entry extable_start[], extable_end[];
void trap_user(struct trapframe *tf);
void trap_kernel(struct trapframe *tf);

void trap_init_hart(void) {
    csr_write(sscratch, 0);
    csr_write(stvec, (u64)trap_entry);
    csr_write(sie, SIE_SOFT | SIE_TIMER | SIE_EXTERNAL);
}

static void interrupt(u64 cause) {
    switch (cause & ~CAUSE_INTERRUPT) {
    case IRQ_TIMER:
        timer_interrupt();
        break;
    case IRQ_SOFT:
        csr_clear(sip, SIE_SOFT);
        if (unlikely(machine_stopping))
            machine_halt();
        ipi_interrupt();
        break;
    case IRQ_EXTERNAL:
        external_interrupt();
        break;
    default:
        panic("unknown interrupt %lx", cause);
    }
}

void trap_user(struct trapframe *tf) {
    if (tf->cause & CAUSE_INTERRUPT) {
        interrupt(tf->cause);
        return;
    }
    if (tf->cause == CAUSE_ILLEGAL && fpu_trap(tf))
        return;
    irq_enable();
    switch (tf->cause) {
    case CAUSE_LOAD_PAGE:
        user_page_fault(tf, ACCESS_READ);
        break;
    case CAUSE_STORE_PAGE:
        user_page_fault(tf, ACCESS_WRITE);
        break;
    case CAUSE_FETCH_PAGE:
        user_page_fault(tf, ACCESS_EXEC);
        break;
    default:
        user_exception(tf);
    }
}

// The table is in the order of the code (one assembly file), so binary search finds the access.
static u64 fixup_for(u64 pc) {
    const struct extable_entry *low = extable_start, *high = extable_end;
    while (low < high) {
        const struct extable_entry *mid = low + (high - low) / 2;
        if (mid->insn == pc)
            return mid->fixup;
        if (mid->insn < pc)
            low = mid + 1;
        else
            high = mid;
    }
    return 0;
}

static bool can_sleep(const struct trapframe *tf) {
    return (tf->status & SSTATUS_SPIE) && current_thread->preempt_count == 0;
}

static void kernel_fault(struct trapframe *tf) {
    bool page_fault = tf->cause == CAUSE_LOAD_PAGE || tf->cause == CAUSE_STORE_PAGE;
    u64 fixup = fixup_for(tf->pc);
    if (fixup == 0 || !va_is_user(tf->badaddr)) {
        oops(tf, page_fault ? "kernel page fault" : "kernel exception");
        panic("%s at %lx", page_fault ? "page fault" : "exception", tf->pc);
    }
    if (page_fault && can_sleep(tf)) {
        irq_enable();
        int error = kernel_page_fault(tf->badaddr,
                                      tf->cause == CAUSE_STORE_PAGE ? ACCESS_WRITE : ACCESS_READ);
        irq_disable();
        if (error == 0)
            return;
    }
    tf->pc = fixup;
}

void trap_kernel(struct trapframe *tf) {
    if (!(tf->cause & CAUSE_INTERRUPT)) {
        kernel_fault(tf);
        return;
    }
    interrupt(tf->cause);
    if (current_thread->preempt_count == 0 && (READ_ONCE(current_thread->work) & WORK_RESCHED))
        preempt_from_interrupt();
}
