/* sys_NAME for every call of the one list: number to a7, trap, the kernel's answer (a value or
 * -errno) in a0. Each has a section of its own, so a program carries only those it calls. */
#define SYSCALL(number, name, args)                                                               \
    .section .text.sys_##name, "ax";                                                              \
    .globl sys_##name;                                                                            \
    sys_##name : li a7, number;                                                                   \
    ecall;                                                                                        \
    ret;

#include "abi/syscalls.def"

    .section .note.GNU-stack, "", @progbits
