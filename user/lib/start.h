/* What start.S and start.c offer to the rest of the library and to tests. */
#ifndef USER_LIB_START_H
#define USER_LIB_START_H

#include <stdbool.h>
#include <stdint.h>

#define PAGE 4096

/* The environment, NAME=value, ended by a null pointer. */
extern char **environ;

/* Is this program written to xv6's API (user/user.h)? */
bool is_xv6_program(void);

/* The value of an entry AT_* of the auxiliary vector, getauxval(3); 0 if it is not there. */
uint64_t auxval(uint64_t type);

/* Calls f(arg) on the stack that ends at top; f must not return. */
void call_on_stack(void (*f)(void *), void *arg, void *top) __attribute__((noreturn));

/* clone(2); the child calls f(arg) on the stack that ends at stack_top, then exits (alone) with
 * f's result. */
long clone_call(uint64_t flags, void *stack_top, int *parent_tid, void *tls, int *child_tid,
                int (*f)(void *), void *arg);

/* Runs a program in a vfork'ed child, vfork(2), execve(2); returns its pid or -errno. A failed
 * exec exits with 127. */
int vfork_exec(const char *path, char **argv, char **envp);

/* Any call by its number, syscall(2), but with -errno as the result. */
long raw_syscall(long number, ...);

#endif
