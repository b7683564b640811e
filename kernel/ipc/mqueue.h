// POSIX message queues: mq_overview(7).
#ifndef IPC_MQUEUE_H
#define IPC_MQUEUE_H

#include "lib/types.h"

// The system calls; name, attr, user and the like are addresses, deadlines moments of time/timer.h. Results as the manual pages say,
// with negative errno; -ERESTARTSYS when a signal came first.
long mq_open(u64 name, int flags, u32 mode, u64 attr);
long mq_unlink(u64 name);
long mq_send(int fd, u64 user, u64 size, u32 priority, u64 deadline);
long mq_receive(int fd, u64 user, u64 size, u64 priority, u64 deadline);
long mq_notify(int fd, u64 event);
long mq_getsetattr(int fd, u64 new_, u64 old);
void mqueue_init(void);   // before anything is mounted: the file system
void mqueue_start(void);  // the kernel's own mount of it. => may sleep

#endif
