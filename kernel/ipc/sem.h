// System V semaphores: semget(2), semop(2), semctl(2).
#ifndef IPC_SEM_H
#define IPC_SEM_H

#include "lib/types.h"

struct task;

// The system calls; ops, user are addresses. Results as the manual pages say, with negative errno.
long sem_get(int key, int nsems, int flags);
long sem_operate(int id, u64 ops, u64 n, u64 deadline);  // semtimedop(2); a moment, time/timer.h
long sem_control(int id, int number, int cmd, u64 arg);

// clone(2): t shares what current has to undo (CLONE_SYSVSEM). 0 or -ENOMEM
int sem_share(struct task *t);
void sem_exit(struct task *t);  // t ends, or never began: whoever is the last undoes

#endif
