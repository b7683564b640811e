/* xv39's own calls in the style of JOS: faults that a program handles itself, pages that it places, and messages
 * that wait for nobody. docs/memory.md and docs/ipc.md tell what they are for.
 *
 *   exofork()                              a child with the caller's registers (a0 is 0) and files and no memory but the
 *                                          vDSO, which does not run before exo_start; its number
 *   exo_registers(pid, regs)               sets the registers of such a child
 *   exo_start(pid)                         lets it run
 *   fault_upcall(pid, entry, stack, size)  page faults that the kernel cannot repair go to `entry`, on that stack
 *   fault_return(fault)                    continues where a fault came from; comes back only with -EFAULT
 *   page_alloc(pid, addr, prot)            a page of zeroes at addr
 *   page_map(pid, addr, pid2, addr2, prot) the first one's page shows at addr2 of the second one, too
 *   page_unmap(pid, addr)
 *   ipc_recv(message, addr)                waits for a message; a page is welcome at addr, if that is not 0
 *   ipc_try_send(tid, value, addr, prot)   to a thread that waits, else -EAGAIN; with the page at addr, if prot is not 0
 *   ipc_call(tid, value, addr, prot, message, addr2)  the two in one: the hart goes straight to the receiver
 *
 * A pid is 0 for the caller, or a child that exofork made and that has not called execve. */
#ifndef ABI_EXOKERNEL_H
#define ABI_EXOKERNEL_H

#include "abi/signal.h"

enum { FAULT_READ, FAULT_WRITE, FAULT_EXEC };

/* What an upcall finds at sp and in a0. */
struct user_fault {
    uint64_t address;
    uint64_t access; /* FAULT_ */
    struct user_regs_struct regs;
};

struct ipc_message {
    uint64_t value;
    uint32_t from; /* the thread that sent it */
    uint32_t uid;  /* its effective user */
    uint32_t prot; /* of the page that came with it; 0: none */
    uint32_t unused;
};

#endif
