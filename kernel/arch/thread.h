// What the processor's code knows of a thread of execution: the first member of struct task.
// `tp` holds its address whenever the kernel runs, and `sscratch` holds it while user code runs.
#ifndef ARCH_THREAD_H
#define ARCH_THREAD_H

// Offsets for assembly; thread.c asserts that they are true.
#define THREAD_KERNEL_SP 0
#define THREAD_USER_SP 8
#define THREAD_PERHART 16
#define THREAD_PREEMPT 24
#define THREAD_WORK 28
#define THREAD_CONTEXT 32

#define TF_PC 0
#define TF_RA 8
#define TF_SP 16
#define TF_GP 24
#define TF_TP 32
#define TF_T0 40
#define TF_T1 48
#define TF_T2 56
#define TF_S0 64
#define TF_S1 72
#define TF_A0 80
#define TF_A1 88
#define TF_A7 136
#define TF_S2 144
#define TF_T3 224
#define TF_STATUS 256
#define TF_BADADDR 264
#define TF_CAUSE 272
#define TF_ORIG_A0 280
#define TF_SIZE 288

#define MAX_HARTS 64

#define STACK_CANARY 0x6b63617453646e45ul  // lowest word of a kernel stack
#ifdef CHECK_KASAN
#define KERNEL_STACK_ORDER 2  // red zones between variables
#else
#define KERNEL_STACK_ORDER 1
#endif
#define KERNEL_STACK_SIZE (4096 << KERNEL_STACK_ORDER)

// Bits of thread.work: what must happen before the thread next returns to user code.
#define WORK_RESCHED 1  // call schedule(); also makes the kernel preempt itself
#define WORK_SIGNAL 2   // a signal may be deliverable, or the task must stop or die
// The trapframe was rewritten (exec, sigreturn): load all registers from it
#define WORK_REGISTERS 4
#define WORK_UPCALL 8  // a copy from or to user memory failed, and the thread handles faults itself

#ifndef __ASSEMBLER__
#include "lib/types.h"

// Registers at a trap; the first 32 words are Linux's struct user_regs_struct.
struct trapframe {
    u64 pc, ra, sp, gp, tp, t0, t1, t2, s0, s1;
    u64 a0, a1, a2, a3, a4, a5, a6, a7;
    u64 s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, t3, t4, t5, t6;
    u64 status, badaddr, cause;
    u64 orig_a0;  // a0 at a system call's entry, for restarting it
};

// Registers that a function call preserves: what context_switch() saves.
struct context {
    u64 ra, sp, s[12];
};

struct fpu {
    u64 f[32];
    u32 fcsr;
};

// A decoder of a system call takes the six argument registers as they are (the upper half of an int may hold anything), with
// the call's number in a[7]. It returns the result or a negative errno.
typedef long syscall_fn(const u64 *a);

struct thread {
    u64 kernel_sp;  // [I] top of the kernel stack, where a trap from user code starts
    u64 user_sp;    // the user's stack pointer for a moment, in trap.S
    u64 perhart;    // distance from a PERHART variable to this hart's copy; set at each switch
    volatile u32 preempt_count;  // [s] not preemptible while > 0; handlers raise it and put it back
    u32 work;                    // [a] WORK_ bits
    struct context context;      // valid while switched out
    struct fpu fpu;              // [s] user's registers, valid unless FS is dirty on this hart
    u32 fpu_hart;                // [s] hart + 1 whose registers hold this state too, or 0
    u32 trace;                   // [family] its events are recorded (trace/trace.h)
    u32 strace;                  // [family] its system calls are shown on the console
    bool was_user;               // [s] the interrupt that is being handled came in user code
    u32 tid;                     // its number, 0 of an idle task; changes only in exec of a thread
    syscall_fn *const *calls;    // [family] its table of system calls: plain_calls or traced_calls
#ifdef CHECK_KCOV
    struct kcov *kcov;  // [s] what it records into, or NULL: check/kcov.c
#endif
#ifdef CHECK_RACE
    int race_ignore;  // [s] check/race.c
#endif
};

register struct thread *current_thread __asm__("tp");

// The user's registers of a thread: at the top of its kernel stack.
static inline struct trapframe *thread_trapframe(const struct thread *t) {
    return (struct trapframe *)(t->kernel_sp - sizeof(struct trapframe));
}

// Save prev's registers and go on with next's. Returns in prev's stack when somebody switches back to it.
// => interrupts off. Returns the thread that ran just before.
struct thread *context_switch(struct thread *prev, struct thread *next);

// Prepare t, with kernel_sp set, so that the first switch to it calls fn(arg) with interrupts off.
void thread_init_kernel(struct thread *t, void (*fn)(void *), void *arg);
// Prepare t so that the first switch to it calls fn(arg) and then returns to user code through its trapframe.
void thread_init_user(struct thread *t, void (*fn)(void *), void *arg);

// Floating point. Called by the switch and by exec, fork and signal code, interrupts off or preemption off.
void fpu_switch_out(struct thread *prev);  // save if dirty: the hart goes to another thread
// Use the registers if they are still its own, else trap at first use
void fpu_switch_in(struct thread *next);
void fpu_save(struct thread *t);      // bring current's t->fpu up to date
void fpu_forget(struct thread *t);    // t->fpu was changed: load it at next use
void fpu_reset(struct thread *t);     // exec: all zero; nearly every program soon uses one
void fpu_use(struct thread *t);       // the hart's registers are current's from now on
void fpu_replace(struct thread *t);   // … and the caller writes all of them
bool fpu_trap(struct trapframe *tf);  // illegal instruction: was it only FS=off? then load

#endif
#endif
