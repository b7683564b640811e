/*
 * The vDSO as the ELF file that programs find: everything but the functions of clock.c.
 *
 * Written by hand, because the bare-metal linker makes no shared objects, and linked into the kernel's .rodata as it
 * is: all that a dynamic linker or a debugger reads here are distances from vdso_image, its start. The section headers
 * are for gdb (add-symbol-file-from-memory).
 *
 * Layouts: System V ABI chapters 4 and 5; versions and .eh_frame: Linux Standard Base, Core, chapter 10.
 */
#define SYS_rt_sigreturn 139

/* In a struct rt_sigframe: siginfo, then ucontext with the registers, pc in the place of x0, f0 to f31 behind x31. */
#define FRAME_REGISTERS (128 + 176)

.macro symbol name
    .4byte name_\name - strings
    .byte 0x12, 0                       /* global function */
    .2byte 5
    .8byte __vdso_\name - vdso_image, 0
.endm
.macro program_header type, flags, from, to, align
    .4byte \type, \flags
    .8byte \from - vdso_image, \from - vdso_image, \from - vdso_image
    .8byte \to - \from, \to - \from, \align
.endm
.macro section_header name, type, flags, from, to, link, info, entry
    .4byte \name - section_names, \type
    .8byte \flags, \from - vdso_image, \from - vdso_image, \to - \from
    .4byte \link, \info
    .8byte 1, \entry
.endm

    .section .vdso.head, "a"
    .ascii "\177ELF\2\1\1"
    .zero 9
    .2byte 3, 243                       /* ET_DYN, EM_RISCV */
    .4byte 1
    .8byte 0, program_headers - vdso_image, section_headers - vdso_image
    .4byte 1                            /* compressed instructions, no floating point */
    .2byte 64, 56, 3, 64, 7, 6

program_headers:
    program_header 1, 5, vdso_image, vdso_end, 4096             /* PT_LOAD, read and execute */
    program_header 2, 4, dynamic, dynamic_end, 8                /* PT_DYNAMIC */
    program_header 0x6474e550, 4, frames_header, frames, 4      /* PT_GNU_EH_FRAME */

section_headers:
    .zero 64
    section_header name_dynsym, 11, 2, symbols, symbols_end, 2, 1, 24
    section_header name_dynstr, 3, 2, strings, strings_end, 0, 0, 0
    section_header name_dynamic, 6, 2, dynamic, dynamic_end, 2, 0, 16
    section_header name_frames, 1, 2, frames, frames_end, 0, 0, 0
    section_header name_text, 1, 6, vdso_text, vdso_end, 0, 0, 0
    section_header name_names, 3, 0, section_names, section_names_end, 0, 0, 0

symbols:
    .zero 24
    symbol rt_sigreturn
    symbol gettimeofday
    symbol clock_gettime
    symbol clock_getres
    symbol getcpu
    symbol flush_icache
symbols_end:

/* Two ways to find a symbol, each a single list: for so few, more buckets are not faster. */
hash:                                   /* 1 bucket, 7 symbols; the first, and who follows whom */
    .4byte 1, 7
    .4byte 1
    .4byte 0, 2, 3, 4, 5, 6, 0
    .balign 8
gnu_hash:                               /* 1 bucket that begins with symbol 1; 1 word that lets all names pass, shift 0 */
    .4byte 1, 1, 1, 0
    .8byte -1
    .4byte 1
    .4byte 0x216db9a6, 0xb01bca00, 0x6e43a318      /* hashes of the names, the last bit set in the last */
    .4byte 0x68308f52, 0x6562b026, 0x9ac7153d

versions:                               /* every symbol has the second one */
    .2byte 0, 2, 2, 2, 2, 2, 2
    .balign 4
definitions:                            /* the file itself, then LINUX_4.15; each with its name's ELF hash */
    .2byte 1, 1, 1, 1
    .4byte 0x0deebfa1, 20, 28
    .4byte name_file - strings, 0
    .2byte 1, 0, 2, 1
    .4byte 0x0ae77f75, 20, 0
    .4byte name_version - strings, 0

    .balign 8
dynamic:
    .8byte 14, name_file - strings              /* SONAME */
    .8byte 4, hash - vdso_image                 /* HASH */
    .8byte 0x6ffffef5, gnu_hash - vdso_image    /* GNU_HASH */
    .8byte 5, strings - vdso_image              /* STRTAB */
    .8byte 10, strings_end - strings            /* STRSZ */
    .8byte 6, symbols - vdso_image              /* SYMTAB */
    .8byte 11, 24                               /* SYMENT */
    .8byte 0x6ffffff0, versions - vdso_image    /* VERSYM */
    .8byte 0x6ffffffc, definitions - vdso_image /* VERDEF */
    .8byte 0x6ffffffd, 2                        /* VERDEFNUM */
    .8byte 0, 0
dynamic_end:

strings:
    .byte 0
name_rt_sigreturn:  .asciz "__vdso_rt_sigreturn"
name_gettimeofday:  .asciz "__vdso_gettimeofday"
name_clock_gettime: .asciz "__vdso_clock_gettime"
name_clock_getres:  .asciz "__vdso_clock_getres"
name_getcpu:        .asciz "__vdso_getcpu"
name_flush_icache:  .asciz "__vdso_flush_icache"
name_file:          .asciz "linux-vdso.so.1"
name_version:       .asciz "LINUX_4.15"
strings_end:
section_names:
    .byte 0
name_dynsym:        .asciz ".dynsym"
name_dynstr:        .asciz ".dynstr"
name_dynamic:       .asciz ".dynamic"
name_frames:        .asciz ".eh_frame"
name_text:          .asciz ".text"
name_names:         .asciz ".shstrtab"
section_names_end:

/* ---- how to unwind: two kinds of frames (DWARF CIEs), each with one range of code (FDE) ---- */

    .balign 4
frames_header:                          /* distances are relative; no table to search */
    .byte 1, 0x1b, 0xff, 0xff
    .4byte frames - .

/* The functions of clock.c: nothing is on the stack, the return address is in ra. */
frames:
plain:
    .4byte 2f - 1f
1:  .4byte 0
    .byte 1
    .asciz "zR"
    .byte 1, 8, 1, 1, 0x1b              /* code unit, data unit, register of the return address; relative addresses */
    .byte 0x0c, 2, 0                    /* DW_CFA_def_cfa sp, 0 */
    .balign 4
2:  .4byte 4f - 3f
3:  .4byte 3b - plain
    .4byte vdso_text - ., sigreturn - vdso_text
    .byte 0
    .balign 4
4:

/* The return from a handler: every register is in the frame, pc as column 64. */
signal:
    .4byte 2f - 1f
1:  .4byte 0
    .byte 1
    .asciz "zRS"
    .byte 1, 8, 64, 1, 0x1b
    .byte 0x0c, 2                       /* DW_CFA_def_cfa sp, FRAME_REGISTERS */
    .uleb128 FRAME_REGISTERS
    .byte 5, 64, 0                      /* DW_CFA_offset_extended 64, 0 */
    .set register, 1
    .rept 63
    .byte 0x80 + register, register     /* DW_CFA_offset */
    .set register, register + 1
    .endr
    .balign 4
2:  .4byte 4f - 3f
3:  .4byte 3b - signal
    .4byte sigreturn - ., vdso_end - sigreturn
    .byte 0
    .balign 4
4:  .4byte 0
frames_end:

/* Unwinders look at the instruction before the one to which a function returns: it belongs to this range too. */
    .section .vdso.return, "ax"
    .balign 4
sigreturn:
    nop
    .globl __vdso_rt_sigreturn
__vdso_rt_sigreturn:
    .option push
    .option norvc
    li a7, SYS_rt_sigreturn
    ecall
    .option pop
