// System calls: the table and the decoders that it names.
#ifndef SYSCALL_SYSCALL_H
#define SYSCALL_SYSCALL_H

#include "abi/syscall.h"
#include "arch/thread.h"
#include "lib/types.h"

#define SYSCALL(number, name, args) syscall_fn sys_##name;
#include "abi/syscalls.def"

// For decoders that ignore their arguments.
#define NO_ARGS __attribute__((unused)) const u64 *a

// Kinds of arguments of a call, for traces; NULL: there is no such call. Its name: syscall_name(), arch/upcall.h
const char *syscall_kinds(u64 number);

// System calls of a thread whose `strace` is set. NULL: it will not return, or there is no memory.
struct strace;
struct strace *strace_enter(const u64 *a);
void strace_leave(struct strace *s, long result);

extern bool syscall_debug;  // debug=syscall: report unknown calls

#endif
