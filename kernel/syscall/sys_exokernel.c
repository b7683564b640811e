/*
 * xv39's own calls in the style of JOS: faults that programs handle, pages that they place, messages.
 * Decoders only: proc/exokernel.c and ipc/jos.c do the work. May sleep.
 */
#include "ipc/jos.h"
#include "proc/life.h"
#include "syscall/syscall.h"

long sys_exofork(NO_ARGS) { return do_exofork(); }
long sys_exo_start(const u64 *a) { return do_exo_start((int)a[0]); }
long sys_exo_registers(const u64 *a) { return do_exo_registers((int)a[0], a[1]); }
long sys_fault_upcall(const u64 *a) { return do_fault_upcall((int)a[0], a[1], a[2], a[3]); }
long sys_fault_return(const u64 *a) { return do_fault_return(a[0]); }
long sys_page_alloc(const u64 *a) { return do_page_alloc((int)a[0], a[1], (int)a[2]); }
long sys_page_unmap(const u64 *a) { return do_page_unmap((int)a[0], a[1]); }
long sys_page_map(const u64 *a) { return do_page_map((int)a[0], a[1], (int)a[2], a[3], (int)a[4]); }

long sys_ipc_recv(const u64 *a) { return ipc_receive(a[0], a[1]); }
long sys_ipc_try_send(const u64 *a) { return ipc_try_send((int)a[0], a[1], a[2], (int)a[3]); }
long sys_ipc_call(const u64 *a) { return ipc_call((int)a[0], a[1], a[2], (int)a[3], a[4], a[5]); }
