// Names of numbers, for strace.c.
#ifndef SYSCALL_STRACE_NAMES_H
#define SYSCALL_STRACE_NAMES_H

#include "lib/types.h"

struct symbol {
    u64 value;
    const char *name;
};
// Each ends with a name of NULL.
extern const struct symbol open_names[], prot_names[], clone_names[];
// What the argument `index` of a call is made of: a set of bits (*bits) or one value; NULL: just a number.
const struct symbol *argument_symbols(u64 call, u32 index, bool *bits);
const char *signal_name(u64 sig);  // NULL: none
// The name of an error and what it means; NULL for a number that is no error.
const char *error_name(int error, const char **meaning);

#endif
