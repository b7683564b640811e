// Messages that wait for nobody, in the style of JOS: the calls of abi/exokernel.h. Results as there.
#ifndef IPC_JOS_H
#define IPC_JOS_H

#include "abi/exokernel.h"
#include "lib/types.h"

// All: 0, -EFAULT, -EINVAL (address, prot). Sending: -ESRCH, -EAGAIN (it does not wait), or as vm_page_map(). Waiting:
// -ERESTARTSYS, and -EINTR of ipc_call(), whose message is sent by then.
long ipc_receive(u64 message, u64 page);
long ipc_try_send(int tid, u64 value, u64 addr, int prot);
long ipc_call(int tid, u64 value, u64 addr, int prot, u64 message, u64 page);
void ipc_exit(void);  // current ends

#endif
