/*
 * Traps in and out of the kernel, and the switch between threads.
 *
 * sscratch is 0 while the kernel runs and holds the thread while user code runs; that tells the two entries apart.
 * Every trap saves all registers as a struct trapframe: from user code at the top of the thread's kernel stack, from
 * the kernel on the stack in use. The page table is not touched: the kernel is mapped in every one.
 */
#include "arch/thread.h"

#define SSTATUS_SIE 2
#define SSTATUS_SUM (1 << 18)
#define CAUSE_ECALL_U 8

/* Tell debuggers where the interrupted code's registers are: column 64 is the alternate return column. */
.macro cfi_trapframe
    .cfi_signal_frame
    .cfi_return_column 64
    .cfi_def_cfa sp, 0
    .cfi_offset 64, TF_PC
    .cfi_offset 1, TF_RA
    .cfi_offset 2, TF_SP
    .cfi_offset 3, TF_GP
    .cfi_offset 4, TF_TP
    .cfi_offset 8, TF_S0
    .cfi_offset 9, TF_S1
    .cfi_offset 18, TF_S2
    .cfi_offset 19, TF_S2+8
    .cfi_offset 20, TF_S2+16
    .cfi_offset 21, TF_S2+24
    .cfi_offset 22, TF_S2+32
    .cfi_offset 23, TF_S2+40
    .cfi_offset 24, TF_S2+48
    .cfi_offset 25, TF_S2+56
    .cfi_offset 26, TF_S2+64
    .cfi_offset 27, TF_S2+72
.endm

/* All registers but sp, tp and pc; the functions called in between keep s1 to s11 as they are. */
.macro save_registers
    sd ra, TF_RA(sp)
    sd gp, TF_GP(sp)
    sd t0, TF_T0(sp)
    sd t1, TF_T1(sp)
    sd t2, TF_T2(sp)
    sd s0, TF_S0(sp)
    sd s1, TF_S1(sp)
    sd a0, TF_A0(sp)
    sd a1, TF_A1(sp)
    sd a2, TF_A1+8(sp)
    sd a3, TF_A1+16(sp)
    sd a4, TF_A1+24(sp)
    sd a5, TF_A1+32(sp)
    sd a6, TF_A1+40(sp)
    sd a7, TF_A7(sp)
    sd s2, TF_S2(sp)
    sd s3, TF_S2+8(sp)
    sd s4, TF_S2+16(sp)
    sd s5, TF_S2+24(sp)
    sd s6, TF_S2+32(sp)
    sd s7, TF_S2+40(sp)
    sd s8, TF_S2+48(sp)
    sd s9, TF_S2+56(sp)
    sd s10, TF_S2+64(sp)
    sd s11, TF_S2+72(sp)
    sd t3, TF_T3(sp)
    sd t4, TF_T3+8(sp)
    sd t5, TF_T3+16(sp)
    sd t6, TF_T3+24(sp)
.endm
.macro restore_callee_saved
    ld s1, TF_S1(sp)
    ld s2, TF_S2(sp)
    ld s3, TF_S2+8(sp)
    ld s4, TF_S2+16(sp)
    ld s5, TF_S2+24(sp)
    ld s6, TF_S2+32(sp)
    ld s7, TF_S2+40(sp)
    ld s8, TF_S2+48(sp)
    ld s9, TF_S2+56(sp)
    ld s10, TF_S2+64(sp)
    ld s11, TF_S2+72(sp)
.endm
.macro restore_others
    ld ra, TF_RA(sp)
    ld gp, TF_GP(sp)
    ld t0, TF_T0(sp)
    ld t1, TF_T1(sp)
    ld t2, TF_T2(sp)
    ld s0, TF_S0(sp)
    ld a0, TF_A0(sp)
    ld a1, TF_A1(sp)
    ld a2, TF_A1+8(sp)
    ld a3, TF_A1+16(sp)
    ld a4, TF_A1+24(sp)
    ld a5, TF_A1+32(sp)
    ld a6, TF_A1+40(sp)
    ld a7, TF_A7(sp)
    ld t3, TF_T3(sp)
    ld t4, TF_T3+8(sp)
    ld t5, TF_T3+16(sp)
    ld t6, TF_T3+24(sp)
.endm

    .cfi_sections .debug_frame
    .text
    .balign 4
    .globl trap_entry
    .cfi_startproc
    cfi_trapframe
trap_entry:
    csrrw tp, sscratch, tp
    beqz tp, trap_from_kernel

    sd sp, THREAD_USER_SP(tp)
    ld sp, THREAD_KERNEL_SP(tp)
    addi sp, sp, -TF_SIZE
    save_registers
    ld t0, THREAD_USER_SP(tp)
    csrrw t1, sscratch, zero
    csrr t2, sepc
    csrr t3, sstatus
    csrr t4, scause
    sd t0, TF_SP(sp)
    sd t1, TF_TP(sp)
    sd t2, TF_PC(sp)
    sd t3, TF_STATUS(sp)
    sd t4, TF_CAUSE(sp)
    li s0, 0                    /* end of the chain of frames */
    li t0, CAUSE_ECALL_U
    bne t4, t0, 1f
    sd a0, TF_ORIG_A0(sp)
    csrsi sstatus, SSTATUS_SIE
    mv a0, sp
    call syscall_enter
    j trap_return
1:  csrr t1, stval
    sd t1, TF_BADADDR(sp)
    li t1, -1
    sd t1, TF_ORIG_A0(sp)       /* not a system call: nothing to restart */
    mv a0, sp
    call trap_user

trap_return:
    csrci sstatus, SSTATUS_SIE
    lw a1, THREAD_WORK(tp)
    bnez a1, 3f
2:  ld t0, TF_PC(sp)
    ld t1, TF_STATUS(sp)
    csrw sepc, t0
    csrw sstatus, t1
    csrw sscratch, tp
    ld tp, TF_TP(sp)
    restore_others
    ld sp, TF_SP(sp)
    sret
3:  csrsi sstatus, SSTATUS_SIE
    mv a0, sp
    call user_work

    /* => sp at the trapframe of the current thread, which may have been rewritten */
    .globl return_to_user
return_to_user:
    csrci sstatus, SSTATUS_SIE
    lw a1, THREAD_WORK(tp)
    bnez a1, 3b
    restore_callee_saved
    j 2b

trap_from_kernel:
    csrrw tp, sscratch, zero    /* sscratch had the thread; 0 again: we are in the kernel */
    sd sp, -TF_SIZE+TF_SP(sp)
    addi sp, sp, -TF_SIZE
    save_registers
    sd tp, TF_TP(sp)
    li t0, SSTATUS_SUM
    csrr t1, sepc
    csrrc t2, sstatus, t0
    csrr t3, scause
    csrr t4, stval
    sd t1, TF_PC(sp)
    sd t2, TF_STATUS(sp)
    sd t3, TF_CAUSE(sp)
    sd t4, TF_BADADDR(sp)
    mv a0, sp
    call trap_kernel
    csrci sstatus, SSTATUS_SIE
    ld t0, TF_PC(sp)
    ld t1, TF_STATUS(sp)
    csrw sepc, t0
    csrw sstatus, t1
    restore_others
    ld sp, TF_SP(sp)
    sret
    .cfi_endproc

/* struct thread *context_switch(struct thread *prev, struct thread *next): returns prev, on next's stack */
    .globl context_switch
context_switch:
    sd ra, THREAD_CONTEXT+0(a0)
    sd sp, THREAD_CONTEXT+8(a0)
    sd s0, THREAD_CONTEXT+16(a0)
    sd s1, THREAD_CONTEXT+24(a0)
    sd s2, THREAD_CONTEXT+32(a0)
    sd s3, THREAD_CONTEXT+40(a0)
    sd s4, THREAD_CONTEXT+48(a0)
    sd s5, THREAD_CONTEXT+56(a0)
    sd s6, THREAD_CONTEXT+64(a0)
    sd s7, THREAD_CONTEXT+72(a0)
    sd s8, THREAD_CONTEXT+80(a0)
    sd s9, THREAD_CONTEXT+88(a0)
    sd s10, THREAD_CONTEXT+96(a0)
    sd s11, THREAD_CONTEXT+104(a0)
    mv tp, a1
    ld ra, THREAD_CONTEXT+0(a1)
    ld sp, THREAD_CONTEXT+8(a1)
    ld s0, THREAD_CONTEXT+16(a1)
    ld s1, THREAD_CONTEXT+24(a1)
    ld s2, THREAD_CONTEXT+32(a1)
    ld s3, THREAD_CONTEXT+40(a1)
    ld s4, THREAD_CONTEXT+48(a1)
    ld s5, THREAD_CONTEXT+56(a1)
    ld s6, THREAD_CONTEXT+64(a1)
    ld s7, THREAD_CONTEXT+72(a1)
    ld s8, THREAD_CONTEXT+80(a1)
    ld s9, THREAD_CONTEXT+88(a1)
    ld s10, THREAD_CONTEXT+96(a1)
    ld s11, THREAD_CONTEXT+104(a1)
    ret

/* First code of a new thread; a0 is prev. s1: function, s2: its argument, s3: 1 when it then goes to user code. */
    .globl thread_first
thread_first:
    call sched_first_switch     /* a0: prev; gives up the run queue's lock */
    mv a0, s2
    jalr s1
    beqz s3, 3f
    ld t0, THREAD_KERNEL_SP(tp) /* sp is never above the trapframe: an interrupt would write over it */
    addi sp, t0, -TF_SIZE
    j return_to_user
3:  call sched_exit             /* a kernel thread's function returned */
