/* What goes with xv39's calls in the style of JOS (abi/exokernel.h): a handler of page faults written in C, what is
 * mapped where, and a send that waits. */
#ifndef USER_LIB_EXOKERNEL_H
#define USER_LIB_EXOKERNEL_H

#include "user/lib/tool.h"
#include "abi/exokernel.h"
#include "abi/mman.h"

#define FAULT_STACK 8192

/* f is called for each page fault of this thread that the kernel cannot repair, on a stack of its own, fault_stack; when it
 * returns the access is tried again. Faults in f are handled, too. f must not use floating point. 0 or -errno. */
long fault_handle(void (*f)(struct user_fault *));
extern char *fault_stack;

/* For sys_fault_upcall: calls what fault_handle was given. */
void fault_entry(void);
extern void (*fault_function)(struct user_fault *);

/* What is mapped, as /proc/self/maps has it, without the vDSO. How many; ends the program if there are more than max. */
struct area {
    char *start, *end;
    int prot;
    bool shared;
};
int areas_read(struct area *areas, int max);

/* sys_ipc_try_send, again and again while the receiver does not wait: 0, or another error. */
long ipc_send(int tid, uint64_t value, const void *page, int prot);

#endif
