/*
 * System calls of System V shared memory, semaphores and message queues, and of POSIX message queues.
 * Decoders only: ipc/ does the work, and copies what the arguments point at.
 */
#include "ipc/mqueue.h"
#include "ipc/msg.h"
#include "ipc/sem.h"
#include "ipc/shm.h"
#include "mm/uaccess.h"
#include "syscall/syscall.h"
#include "time/posix.h"
#include "time/timer.h"

long sys_shmget(const u64 *a) { return shm_get((int)a[0], a[1], (int)a[2]); }
long sys_shmat(const u64 *a) { return shm_attach((int)a[0], a[1], (int)a[2]); }
long sys_shmdt(const u64 *a) { return shm_detach(a[0]); }
long sys_shmctl(const u64 *a) { return shm_control((int)a[0], (int)a[1], a[2]); }

long sys_semget(const u64 *a) { return sem_get((int)a[0], (int)a[1], (int)a[2]); }
long sys_semctl(const u64 *a) { return sem_control((int)a[0], (int)a[1], (int)a[2], a[3]); }
long sys_semop(const u64 *a) { return sem_operate((int)a[0], a[1], (u32)a[2], TIME_NEVER); }

long sys_semtimedop(const u64 *a) {
    u64 deadline;
    int error = deadline_in(a[3], &deadline);
    return error ? error : sem_operate((int)a[0], a[1], (u32)a[2], deadline);
}

long sys_msgget(const u64 *a) { return msg_get((int)a[0], (int)a[1]); }
long sys_msgsnd(const u64 *a) { return msg_send((int)a[0], a[1], a[2], (int)a[3]); }
long sys_msgctl(const u64 *a) { return msg_control((int)a[0], (int)a[1], a[2]); }

long sys_msgrcv(const u64 *a) { return msg_receive((int)a[0], a[1], a[2], (long)a[3], (int)a[4]); }

long sys_mq_open(const u64 *a) { return mq_open(a[0], (int)a[1], (u32)a[2], a[3]); }
long sys_mq_unlink(const u64 *a) { return mq_unlink(a[0]); }
long sys_mq_notify(const u64 *a) { return mq_notify((int)a[0], a[1]); }
long sys_mq_getsetattr(const u64 *a) { return mq_getsetattr((int)a[0], a[1], a[2]); }

// A moment of the wall clock. 0, -EFAULT, -EINVAL
static int wall_deadline_in(u64 user, u64 *deadline) {
    u64 ns;
    int error = user ? timespec_in(user, &ns) : 0;
    *deadline = user ? WALL_CLOCK | ns : TIME_NEVER;
    return error;
}

long sys_mq_timedsend(const u64 *a) {
    u64 deadline;
    int error = wall_deadline_in(a[4], &deadline);
    return error ? error : mq_send((int)a[0], a[1], a[2], (u32)a[3], deadline);
}

long sys_mq_timedreceive(const u64 *a) {
    u64 deadline;
    int error = wall_deadline_in(a[4], &deadline);
    return error ? error : mq_receive((int)a[0], a[1], a[2], a[3], deadline);
}
