// System calls: the table and the decoders that it names.
#ifndef SYSCALL_SYSCALL_H
#define SYSCALL_SYSCALL_H

#include "abi/syscall.h"
#include "lib/types.h"

// A decoder takes the six argument registers as they are: the upper half of an int argument may hold anything. It returns
// the result or a negative errno.
typedef long syscall_fn(const u64 *a);

#define SYSCALL(number, name, args) syscall_fn sys_##name;
#include "abi/syscalls.def"

// For decoders that ignore their arguments.
#define NO_ARGS __attribute__((unused)) const u64 *a

// Name and kinds of arguments of a call, for traces; NULL: there is no such call.
const char *syscall_name(u64 number);
const char *syscall_kinds(u64 number);

extern bool syscall_debug;  // debug=syscall: report unknown calls

#endif
