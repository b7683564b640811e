/* All registers full of known values while signals strike, and a handler that leaves other values
 * in each. gp stays as it is, C needs it; a0, a1 and t1 are the loop's own. */

.macro each_register what:vararg
    .irp r, ra, tp, t0, t2, t3, t4, t5, t6, s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, a2, a3, a4, a5, a6, a7
        \what \r
    .endr
.endm

.macro save r
    sd \r, at(sp)
    .set at, at + 8
.endm
.macro restore r
    ld \r, at(sp)
    .set at, at + 8
.endm
.macro fill r
    li \r, value
    .set value, value + 0x111
.endm
.macro check r
    li t1, value
    bne \r, t1, 2f
    .set value, value + 0x111
.endm
.macro spoil r
    li \r, -1
.endm

/* long hold_registers(volatile int *count, long until): 0 once *count has reached `until`; 1 if a
 * register is no longer what it was. */
    .text
    .globl hold_registers
hold_registers:
    addi sp, sp, -256
    .set at, 0
    each_register save
    .set value, 0x1234
    each_register fill
1:  .set value, 0x1234
    each_register check
    lw t1, 0(a0)
    blt t1, a1, 1b
    li a0, 0
    j 3f
2:  li a0, 1
3:  .set at, 0
    each_register restore
    addi sp, sp, 256
    ret

/* void spoil_registers(int sig): a handler; count_alarm(sig), and then no register but sp, gp and
 * the return address is what it was. */
    .globl spoil_registers
spoil_registers:
    addi sp, sp, -16
    sd ra, 0(sp)
    call count_alarm
    each_register spoil
    spoil a0
    spoil a1
    spoil t1
    ld ra, 0(sp)
    addi sp, sp, 16
    ret

    .section .note.GNU-stack, "", @progbits
