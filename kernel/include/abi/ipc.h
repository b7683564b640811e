/* What System V shared memory, message queues and semaphores have in common: svipc(7). */
#ifndef ABI_IPC_H
#define ABI_IPC_H

#include <stdint.h>

#define IPC_PRIVATE 0

#define IPC_CREAT 01000
#define IPC_EXCL 02000
#define IPC_NOWAIT 04000

#define IPC_RMID 0
#define IPC_SET 1
#define IPC_STAT 2
#define IPC_INFO 3

struct ipc64_perm {
    int32_t key;
    uint32_t uid, gid;
    uint32_t cuid, cgid;
    uint32_t mode;
    uint16_t seq;
    uint16_t pad;
    uint64_t unused[2];
};

#endif
