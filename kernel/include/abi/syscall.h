/* SYS_name for each call of syscalls.def. */
#ifndef ABI_SYSCALL_H
#define ABI_SYSCALL_H

enum {
#define SYSCALL(number, name, args) SYS_##name = number,
#include "abi/syscalls.def"
};

#endif
