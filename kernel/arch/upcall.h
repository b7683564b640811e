// The few functions above arch/ that trap and boot code calls. Implemented where the comment says.
#ifndef ARCH_UPCALL_H
#define ARCH_UPCALL_H

#include "arch/thread.h"

struct task;

enum access { ACCESS_READ, ACCESS_WRITE, ACCESS_EXEC };

// syscall/syscall.c. => interrupts on. Does the call named by tf->a7; result in tf->a0.
void syscall_enter(struct trapframe *tf);

#define SYSCALLS 1037  // one more than the largest number
extern syscall_fn *const system_calls[SYSCALLS], *const traced_calls[SYSCALLS];
extern syscall_fn *const counted_calls[SYSCALLS];  // each measures its time: nohz=full
extern syscall_fn *const *plain_calls;             // [I] after boot: the table of who is not traced
const char *syscall_name(u64 number);              // NULL: there is no such call

// proc/deliver.c. => interrupts on. A page fault of user code at tf->badaddr: repair it, or post a signal.
void user_page_fault(struct trapframe *tf, enum access access);
// proc/deliver.c. => interrupts on. Any other exception of user code: post SIGILL, SIGTRAP, SIGBUS ….
void user_exception(struct trapframe *tf);
// proc/deliver.c. => interrupts on, called with WORK_ bits set: signals, stops, rescheduling.
void user_work(struct trapframe *tf, u32 work);

// mm/fault.c. => interrupts on. A fault of the kernel's user-copy code: 0 when repaired.
int kernel_page_fault(va_t va, enum access access);

// sched/core.c. => interrupts off, preempt count 0. Preempt the kernel on return from an interrupt.
void preempt_from_interrupt(void);

// sched/core.c. A new thread's first code on its hart: the rest of the switch away from prev.
void sched_first_switch(struct thread *prev);
// sched/core.c. A kernel thread's function returned.
__noreturn void sched_exit(void);

// time/timer.c. => interrupts off.
void timer_interrupt(void);
extern u64 timebase_hz;  // of the time CSR
// sched/core.c. => interrupts off. Another hart wants this one to look at its WORK_ bits and queues.
void ipi_interrupt(void);
// drivers/plic.c. => interrupts off.
void external_interrupt(void);

// trace/format.c. The last trace records of each hart, for an oops; no locks.
void trace_print_tail(void);

// mm/vm.c. Context switch, interrupts off: next's page table on this hart (a thread without memory keeps the one there).
void mm_switch(struct task *prev, struct task *next);

// proc/proc.c. The boot hart's first thread, which becomes its idle task; its stack is boot_stack.
extern struct task boot_task;
// main.c. Boot hart, then each other hart, in S-mode with the direct map on, on their idle threads.
void kernel_main(u64 hartid, pa_t fdt);
__noreturn void kernel_secondary(void);

#endif
