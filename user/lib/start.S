/* The first instructions of a program. sp points to argc, argv[], envp[] and the auxiliary vector,
 * as Linux lays them out. */
    .section .text.start, "ax"
    .globl _start
_start:
    .option push
    .option norelax
    la gp, __global_pointer$
    .option pop
    mv a0, sp
    li s0, 0
    andi sp, sp, -16
    call start_c
    unimp

/* void call_on_stack(void (*f)(void *), void *arg, void *top): f(arg) on another stack; never
 * comes back. */
    .section .text.call_on_stack, "ax"
    .globl call_on_stack
call_on_stack:
    mv sp, a2
    mv t0, a0
    mv a0, a1
    li ra, 0
    jr t0

/* long clone_call(u64 flags, void *stack_top, int *ptid, void *tls, int *ctid, int (*f)(void *),
 * void *arg): clone(2) whose child runs f(arg) on its own stack and exits with the result. */
    .section .text.clone_call, "ax"
    .globl clone_call
clone_call:
    andi a1, a1, -16
    addi a1, a1, -16
    sd a5, 0(a1)
    sd a6, 8(a1)
    li a7, 220
    ecall
    beqz a0, 1f
    ret
1:  ld t0, 0(sp)
    ld a0, 8(sp)
    li s0, 0
    jalr t0
    li a7, 93
    ecall
    unimp

/* int vfork_exec(const char *path, char **argv, char **envp): a child that shares our memory until
 * it execs; the pid, or a negative errno. The child that cannot exec exits with 127. */
    .section .text.vfork_exec, "ax"
    .globl vfork_exec
vfork_exec:
    mv t3, a0
    mv t4, a1
    mv t5, a2
    li a0, 0x4111          /* CLONE_VFORK | CLONE_VM | SIGCHLD */
    li a1, 0
    li a2, 0
    li a3, 0
    li a4, 0
    li a7, 220
    ecall
    beqz a0, 1f
    ret
1:  mv a0, t3
    mv a1, t4
    mv a2, t5
    li a7, 221
    ecall
    li a0, 127
    li a7, 94
    ecall
    unimp

/* void fault_entry(void): where a page fault goes, see exokernel.h. a0 and sp: struct user_fault; all other registers
 * are saved there. */
    .section .text.fault_entry, "ax"
    .globl fault_entry
fault_entry:
    mv s1, a0
    la t0, fault_function
    ld t0, 0(t0)
    jalr t0
    mv a0, s1
    li a7, 1030            /* fault_return */
    ecall
    unimp

/* long raw_syscall(long number, long a0, ..., long a5) */
    .section .text.raw_syscall, "ax"
    .globl raw_syscall
raw_syscall:
    mv a7, a0
    mv a0, a1
    mv a1, a2
    mv a2, a3
    mv a3, a4
    mv a4, a5
    mv a5, a6
    ecall
    ret

    .section .note.GNU-stack, "", @progbits
