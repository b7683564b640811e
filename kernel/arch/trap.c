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
#include "check/chaos.h"
#include "trace/trace.h"
#include "check/leak.h"

struct extable_entry {
    u64 from, to, fixup;
};
extern const struct extable_entry extable_start[], extable_end[];
void trap_user(struct trapframe *tf);
void trap_kernel(struct trapframe *tf);

void trap_init_hart(void) {
    csr_write(sscratch, 0);
    csr_write(stvec, (u64)trap_entry);
    csr_write(scounteren, SCOUNTEREN_TIME);  // programs may read the time CSR
    csr_write(sie, SIE_SOFT | SIE_TIMER | SIE_EXTERNAL);
}

static inline __attribute__((always_inline)) void handle(u64 irq) {
    switch (irq) {
    case IRQ_TIMER:
        timer_interrupt();
        break;
    case IRQ_SOFT:
        csr_clear(sip, SIE_SOFT);
        if (unlikely(machine_stopping))
            machine_halt();
        leak_pause();
        ipi_interrupt();
        break;
    case IRQ_EXTERNAL:
        external_interrupt();
        break;
    default:
        panic("unknown interrupt %lx", irq);
    }
}

// Devices' interrupts are traced one by one in drivers/plic.c.
static __attribute__((noinline, cold)) void handle_traced(u64 irq) {
    const char *kind = irq == IRQ_TIMER ? "timer" : "ipi";
    if (irq != IRQ_EXTERNAL)
        trace(TRACE_IRQ, kind, irq);
    handle(irq);
    if (irq != IRQ_EXTERNAL)
        trace(TRACE_IRQ_END, kind);
}

static void interrupt(u64 cause) {
    if (tracing(current_thread))
        handle_traced(cause & ~CAUSE_INTERRUPT);
    else
        handle(cause & ~CAUSE_INTERRUPT);
}

void trap_user(struct trapframe *tf) {
    hold_irqs_off();
    if (tf->cause & CAUSE_INTERRUPT) {
        current_thread->was_user = true;
        interrupt(tf->cause);
        current_thread->was_user = false;
        chaos_interrupted();
        hold_irqs_on();
        return;
    }
    if (tf->cause == CAUSE_ILLEGAL && fpu_trap(tf))
        return;
    irq_enable();
    chaos_point();
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
    locks_back_to_user();
}

// The table is in the order of the code (one assembly file), so binary search finds the access.
static u64 fixup_for(u64 pc) {
    const struct extable_entry *low = extable_start, *high = extable_end;
    while (low < high) {
        const struct extable_entry *mid = low + (high - low) / 2;
        if (pc < mid->from)
            high = mid;
        else if (pc >= mid->to)
            low = mid + 1;
        else
            return mid->fixup;
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
        chaos_point();
        bool write = tf->cause == CAUSE_STORE_PAGE;
        trace(TRACE_FAULT, tf->badaddr, tf->pc, write ? 'w' : 'r', false);
        int error = kernel_page_fault(tf->badaddr, write ? ACCESS_WRITE : ACCESS_READ);
        trace(TRACE_FAULT_END, tf->badaddr, error);
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
    hold_irqs_off();
    interrupt(tf->cause);
    if (current_thread->preempt_count == 0)
        chaos_interrupted();
    if (current_thread->preempt_count == 0 && (READ_ONCE(current_thread->work) & WORK_RESCHED))
        preempt_from_interrupt();
    hold_irqs_on();
}
