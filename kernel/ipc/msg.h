// System V message queues: msgget(2), msgsnd(2), msgrcv(2), msgctl(2).
#ifndef IPC_MSG_H
#define IPC_MSG_H

#include "lib/types.h"

// The system calls; `user` is an address. Results as the manual pages say, with negative errno.
long msg_get(int key, int flags);
long msg_send(int id, u64 user, u64 size, int flags);
long msg_receive(int id, u64 user, u64 size, long type, int flags);
long msg_control(int id, int cmd, u64 user);

#endif
