// System V shared memory: shmget(2), shmat(2), shmdt(2), shmctl(2).
#ifndef IPC_SHM_H
#define IPC_SHM_H

#include "lib/types.h"

// The system calls; `user` is an address. Results as the manual pages say, with negative errno.
long shm_get(int key, u64 size, int flags);
long shm_attach(int id, u64 addr, int flags);
long shm_detach(u64 addr);
long shm_control(int id, int cmd, u64 user);

#endif
