/*
 * First instructions of the boot hart and of the others.
 *
 * The firmware enters in S-mode with paging off, a0 = hart id, and, for the boot hart, a1 = address of the device tree.
 * The first hart that comes to _start is the boot hart. Later ones belong to secondary_start: OpenSBI before 1.3 marks
 * a hart as started before it notes where, and a hart that looks in between goes to the address it knew, which is
 * _start, with an old a1. So they look for their idle thread in hart_idle by their number. The code turns paging on with
 * boot_root, which maps physical memory twice: at DIRECT_BASE, where the kernel is linked, and the
 * kernel's own GiB at its physical address, so that the instruction after `csrw satp` is still there.
 */
#include "arch/sv39.h"
#include "arch/thread.h"

#define LEAF_RWX 0xef          /* V R W X G A D, not U */
#define TABLE 512

    .section .text.entry, "ax"
    .globl _start
_start:
    la t0, boot_hart_came
    li t1, 1
    amoswap.w t1, t1, (t0)
    bnez t1, secondary_start
    csrw sie, zero
    csrw sip, zero

    la t0, bss_start
    la t1, kernel_end          /* both are multiples of 64 */
1:  sd zero, 0(t0)
    sd zero, 8(t0)
    sd zero, 16(t0)
    sd zero, 24(t0)
    sd zero, 32(t0)
    sd zero, 40(t0)
    sd zero, 48(t0)
    sd zero, 56(t0)
    addi t0, t0, 64
    bltu t0, t1, 1b

    la t0, boot_root           /* direct map: entries 256 to 510, 1 GiB each */
    li t1, 8 * 256
    add t1, t0, t1
    li t2, LEAF_RWX
    li t3, 1 << 28             /* 1 GiB in an entry's address field */
    li t4, 255
2:  sd t2, 0(t1)
    add t2, t2, t3
    addi t1, t1, 8
    addi t4, t4, -1
    bnez t4, 2b

    la t1, _start              /* the same GiB at its physical address */
    srli t1, t1, 30
    slli t2, t1, 28
    ori t2, t2, LEAF_RWX
    slli t1, t1, 3
    add t1, t0, t1
    sd t2, 0(t1)

    la tp, boot_task
    la sp, boot_stack_top
#ifdef CHECK_KASAN
    la t2, kasan_early         /* goes on with kernel_main */
#else
    la t2, kernel_main
#endif
    j paging_on

    .globl secondary_start
secondary_start:
    csrw sie, zero
    csrw sip, zero
    la t0, hart_hartid
    la t1, hart_idle
    la t4, hart_idle_end
1:  ld tp, 0(t1)               /* idle thread, virtual; 0: that hart was not started */
    ld t3, 0(t0)
    beqz tp, 2f
    beq t3, a0, 3f
2:  addi t0, t0, 8
    addi t1, t1, 8
    bltu t1, t4, 1b
    wfi                        /* nobody wants this hart */
    j secondary_start
3:  la t2, secondary_main
    j paging_on_keep_tp

/* t2: physical address of a function to go on with; tp, sp: physical. a0, a1 are its arguments. */
paging_on:
    li t3, DIRECT_BASE
    add tp, tp, t3
    add sp, sp, t3
paging_on_keep_tp:
    li t3, DIRECT_BASE
    add t2, t2, t3
    la t0, boot_root
    srli t0, t0, 12
    li t1, 8 << 60
    or t0, t0, t1
    sfence.vma
    csrw satp, t0
    sfence.vma
    csrw sscratch, zero
    li s0, 0                   /* end of the chain of frames */
    li ra, 0
    jr t2

secondary_main:
    ld sp, THREAD_KERNEL_SP(tp)
    j secondary_entry

    .data
    .balign 4
boot_hart_came:
    .word 0

    .bss
    .globl hart_idle
    .balign 8
hart_idle:
    .skip 8 * MAX_HARTS
hart_idle_end:
    .balign 4096
    .globl boot_root
boot_root:
    .skip 4096
    .globl boot_stack
boot_stack:
    .skip KERNEL_STACK_SIZE
    .globl boot_stack_top
boot_stack_top:
