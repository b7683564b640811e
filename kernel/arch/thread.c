/*
 * The processor's side of threads: how a new one starts, and how other harts are brought up.
 *
 * A new thread is switched to like any other: its saved context says "return to thread_first" with the function in
 * callee-saved registers (trap.S). Other harts are started one by one by the firmware (SBI HSM) at
 * secondary_start, where they look for their idle thread in hart_idle and take its stack.
 */
#include "arch/arch.h"
#include "arch/csr.h"
#include "arch/sbi.h"
#include "arch/sv39.h"
#include "arch/upcall.h"
#include "arch/hart.h"
#include "lib/atomic.h"

BUILD_ASSERT(offsetof(struct thread, kernel_sp) == THREAD_KERNEL_SP);
BUILD_ASSERT(offsetof(struct thread, user_sp) == THREAD_USER_SP);
BUILD_ASSERT(offsetof(struct thread, perhart) == THREAD_PERHART);
BUILD_ASSERT(offsetof(struct thread, preempt_count) == THREAD_PREEMPT);
BUILD_ASSERT(offsetof(struct thread, work) == THREAD_WORK);
BUILD_ASSERT(offsetof(struct thread, context) == THREAD_CONTEXT);
BUILD_ASSERT(offsetof(struct trapframe, a0) == TF_A0 &&
             offsetof(struct trapframe, t6) == TF_T3 + 24);
BUILD_ASSERT(offsetof(struct trapframe, status) == TF_STATUS &&
             offsetof(struct trapframe, orig_a0) == TF_ORIG_A0);
BUILD_ASSERT(sizeof(struct trapframe) == TF_SIZE && TF_SIZE % 16 == 0);

void thread_first(void);
void secondary_start(void);
__noreturn void secondary_entry(void);
// entry.S: for each hart that is to start; it looks there
extern struct thread *hart_idle[MAX_HARTS];

static void init(struct thread *t, void (*fn)(void *), void *arg, u64 to_user) {
    t->context =
        (struct context){.ra = (u64)thread_first, .sp = t->kernel_sp - sizeof(struct trapframe)};
    t->context.s[1] = (u64)fn;
    t->context.s[2] = (u64)arg;
    t->context.s[3] = to_user;
}

void thread_init_kernel(struct thread *t, void (*fn)(void *), void *arg) { init(t, fn, arg, 0); }

void thread_init_user(struct thread *t, void (*fn)(void *), void *arg) { init(t, fn, arg, 1); }

int hart_start(u32 hart, struct thread *idle) {
    store_release(&hart_idle[hart], idle);
    int error = sbi_hart_start(hart_hartid[hart], va_to_pa(secondary_start), 0);
    if (error)
        hart_idle[hart] = NULL;
    return error;
}

// First C code of another hart: on its idle thread's stack, still on boot_root.
void secondary_entry(void) {
    csr_write(satp, satp_make(kernel_root, 0));
    tlb_flush_all();
    trap_init_hart();
    kernel_secondary();
}
