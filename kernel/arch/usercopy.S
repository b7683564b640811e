/*
 * Copies between kernel and user memory, with SUM set around the accesses only.
 *
 * Accesses that may fault are named in the exception table: (from, to, where to go on). The trap handler first tries to
 * repair the fault; when it cannot, it goes on at the third address.
 * Source: Privileged Specification, sstatus.SUM.
 */
#define SSTATUS_SUM (1 << 18)

.macro sum_on
    li t6, SSTATUS_SUM
    csrs sstatus, t6
.endm
.macro sum_off
    csrc sstatus, t6
.endm
/* Instructions that may fault, and what then. */
.macro faults_begin
100:
.endm
.macro faults_end fixup
101:
    .pushsection .extable, "a"
    .balign 8
    .dword 100b, 101b, \fixup
    .popsection
.endm
.macro may_fault fixup, insn:vararg
    faults_begin
    \insn
    faults_end \fixup
.endm

/* Loads or stores of registers from `base` + `at` on, at distances that grow by `step`. */
.macro move op, base, at, step, regs:vararg
    .set distance, \at
    faults_begin
    .irp reg, \regs
    \op \reg, distance(\base)
    .set distance, distance + \step
    .endr
    faults_end 5f
.endm

    .text
/*
 * size_t usercopy_in(void *dst, const void *user_src, size_t n), and out: returns bytes not copied.
 * Blocks of 512 bytes, then 64, 32 and 8, by words, or of 8 bytes singly when the two are not aligned alike. The pointers step on only
 * after a whole block, so a fault inside one goes on bytewise (5), which finds the very byte that faults.
 */
    .globl usercopy_in
    .globl usercopy_out
usercopy_in:
usercopy_out:
    sum_on
    li t5, 8
    bltu a2, t5, 5f             /* short: bytes */
    or t0, a0, a1
    andi t0, t0, 7
    bnez t0, 3f
7:  li t5, 512
    bltu a2, t5, 11f
12: .irp at, 0, 64, 128, 192, 256, 320, 384, 448
    move ld, a1, \at, 8, t0, t1, t2, t3, t4, a3, a4, a5
    move sd, a0, \at, 8, t0, t1, t2, t3, t4, a3, a4, a5
    .endr
    addi a0, a0, 512
    addi a1, a1, 512
    addi a2, a2, -512
    bgeu a2, t5, 12b
11: li t5, 64
    bltu a2, t5, 2f
1:  move ld, a1, 0, 8, t0, t1, t2, t3, t4, a3, a4, a5
    move sd, a0, 0, 8, t0, t1, t2, t3, t4, a3, a4, a5
    addi a0, a0, 64
    addi a1, a1, 64
    addi a2, a2, -64
    bgeu a2, t5, 1b
2:  li t5, 32
    bltu a2, t5, 10f
    move ld, a1, 0, 8, t0, t1, t2, t3
    move sd, a0, 0, 8, t0, t1, t2, t3
    addi a0, a0, 32
    addi a1, a1, 32
    addi a2, a2, -32
10: li t5, 8
    bltu a2, t5, 5f
9:  may_fault 5f, ld t0, 0(a1)
    may_fault 5f, sd t0, 0(a0)
    addi a0, a0, 8
    addi a1, a1, 8
    addi a2, a2, -8
    bgeu a2, t5, 9b
    j 5f

3:  xor t0, a0, a1              /* not both aligned: can they be together? */
    andi t0, t0, 7
    bnez t0, 6f
4:  andi t0, a0, 7              /* yes: bytes up to a multiple of 8 */
    beqz t0, 7b
    may_fault 8f, lb t0, 0(a1)
    may_fault 8f, sb t0, 0(a0)
    addi a0, a0, 1
    addi a1, a1, 1
    addi a2, a2, -1
    j 4b

6:  move lb, a1, 0, 1, t0, t1, t2, t3, t4, a3, a4, a5   /* no: eight bytes at a time */
    move sb, a0, 0, 1, t0, t1, t2, t3, t4, a3, a4, a5
    addi a0, a0, 8
    addi a1, a1, 8
    addi a2, a2, -8
    bgeu a2, t5, 6b             /* t5 is 8 here */

5:  beqz a2, 8f                 /* bytes */
    may_fault 8f, lb t0, 0(a1)
    may_fault 8f, sb t0, 0(a0)
    addi a0, a0, 1
    addi a1, a1, 1
    addi a2, a2, -1
    j 5b
8:  sum_off
    mv a0, a2
    ret

/* size_t usercopy_word(void *dst, const void *src): the same with n = 8 */
    .globl usercopy_word
usercopy_word:
    or t0, a0, a1
    andi t0, t0, 7
    bnez t0, 1f
    sum_on
    may_fault 1f, ld t0, 0(a1)
    may_fault 1f, sd t0, 0(a0)
    sum_off
    li a0, 0
    ret
1:  li a2, 8                    /* not aligned, or a fault, which is met again there */
    j usercopy_in

/* size_t usercopy_zero(void *user_dst, size_t n): returns bytes not zeroed; blocks as above */
    .globl usercopy_zero
usercopy_zero:
    sum_on
    li t5, 64
1:  andi t0, a0, 7              /* bytes up to a multiple of 8 */
    beqz t0, 2f
    beqz a1, 4f
    may_fault 4f, sb zero, 0(a0)
    addi a0, a0, 1
    addi a1, a1, -1
    j 1b
2:  bltu a1, t5, 3f
    may_fault 3f, sd zero, 0(a0)
    may_fault 3f, sd zero, 8(a0)
    may_fault 3f, sd zero, 16(a0)
    may_fault 3f, sd zero, 24(a0)
    may_fault 3f, sd zero, 32(a0)
    may_fault 3f, sd zero, 40(a0)
    may_fault 3f, sd zero, 48(a0)
    may_fault 3f, sd zero, 56(a0)
    addi a0, a0, 64
    addi a1, a1, -64
    j 2b
3:  beqz a1, 4f
    may_fault 4f, sb zero, 0(a0)
    addi a0, a0, 1
    addi a1, a1, -1
    j 3b
4:  sum_off
    mv a0, a1
    ret

/* ssize_t usercopy_string(char *dst, const char *user_src, size_t n): length, n when there is no end, or -14 */
    .globl usercopy_string
usercopy_string:
    sum_on
    mv t1, a2
1:  beqz t1, 2f
    may_fault 3f, lbu t0, 0(a1)
    sb t0, 0(a0)
    beqz t0, 2f
    addi a0, a0, 1
    addi a1, a1, 1
    addi t1, t1, -1
    j 1b
2:  sum_off
    sub a0, a2, t1
    ret
3:  sum_off
    li a0, -14
    ret

/* int usercopy_load32(u32 *dst, const u32 *user_src): one load, never bytes of two values */
    .globl usercopy_load32
usercopy_load32:
    sum_on
    may_fault 1f, lw t0, 0(a1)
    sum_off
    sw t0, 0(a0)
    li a0, 0
    ret
1:  sum_off
    li a0, -14
    ret

/* int usercopy_cmpxchg32(u32 *user, u32 *expected, u32 desired) */
    .globl usercopy_cmpxchg32
usercopy_cmpxchg32:
    sum_on
    lw t0, 0(a1)
1:  may_fault 3f, lr.w.aqrl t1, (a0)
    bne t1, t0, 2f
    may_fault 3f, sc.w.rl t2, a2, (a0)
    bnez t2, 1b
2:  sum_off
    sw t1, 0(a1)
    li a0, 0
    ret
3:  sum_off
    li a0, -14
    ret

/*
 * A signal frame, written or read in one go: see struct frame_head. sc_regs is the first part of a trapframe; the
 * floating-point registers are in the hart. Returns 0, or -14 when an access faults.
 */
#define HEAD_STACK 48
#define HEAD_MASK 72
#define HEAD_EXTENSION 80
#define FRAME_CONTEXT 128
#define FRAME_STACK (FRAME_CONTEXT + 16)
#define FRAME_MASK (FRAME_CONTEXT + 40)
#define FRAME_REGS (FRAME_CONTEXT + 176)
#define FRAME_FP (FRAME_REGS + 256)
#define FRAME_END (FRAME_CONTEXT + 944) /* padding, a word that must be 0, END_MAGIC and END_HDR_SIZE */

.macro copy_words n, to, to_offset, from, from_offset
    .set i, 0
    .rept \n
    ld t0, \from_offset + 8 * i(\from)
    sd t0, \to_offset + 8 * i(\to)
    .set i, i + 1
    .endr
.endm
.macro float_registers insn, base
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    \insn f\n, FRAME_FP + 8 * \n(\base)
    .endr
.endm

/* int usercopy_frame_out(struct rt_sigframe *to, const struct trapframe *tf, const struct frame_head *head) */
    .globl usercopy_frame_out
usercopy_frame_out:
    sum_on
    frcsr t1
    faults_begin
    copy_words 6, a0, 0, a2, 0
    sd zero, FRAME_CONTEXT(a0)      /* uc_flags, uc_link */
    sd zero, FRAME_CONTEXT+8(a0)
    copy_words 4, a0, FRAME_STACK, a2, HEAD_STACK
    copy_words 32, a0, FRAME_REGS, a1, 0
    float_registers fsd, a0
    sw t1, FRAME_FP+256(a0)
    sd zero, FRAME_END(a0)
    sd zero, FRAME_END+8(a0)
    faults_end 1f
    sum_off
    li a0, 0
    ret
1:  sum_off
    li a0, -14
    ret

/* int usercopy_frame_in(struct frame_head *head, struct trapframe *tf, const struct rt_sigframe *from) */
    .globl usercopy_frame_in
usercopy_frame_in:
    sum_on
    faults_begin
    copy_words 4, a0, HEAD_STACK, a2, FRAME_STACK
    ld t0, FRAME_END(a2)
    ld t1, FRAME_END+8(a2)
    srli t0, t0, 32
    or t0, t0, t1
    sd t0, HEAD_EXTENSION(a0)
    copy_words 32, a1, 0, a2, FRAME_REGS
    float_registers fld, a2
    lw t0, FRAME_FP+256(a2)
    faults_end 1b
    fscsr t0
    sum_off
    li a0, 0
    ret
