/*
 * System calls of System V shared memory, semaphores and message queues.
 * Decoders only: ipc/ does the work, and copies what the arguments point at.
 */
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
    struct timespec t;
    u64 ns;
    if (!a[3])
        return sys_semop(a);
    if (copy_from_user(&t, a[3], sizeof(t)))
        return -EFAULT;
    if (timespec_to_ns(&t, &ns))
        return -EINVAL;
    return sem_operate((int)a[0], a[1], (u32)a[2], deadline_after(ns));
}

long sys_msgget(const u64 *a) { return msg_get((int)a[0], (int)a[1]); }
long sys_msgsnd(const u64 *a) { return msg_send((int)a[0], a[1], a[2], (int)a[3]); }
long sys_msgctl(const u64 *a) { return msg_control((int)a[0], (int)a[1], a[2]); }

long sys_msgrcv(const u64 *a) { return msg_receive((int)a[0], a[1], a[2], (long)a[3], (int)a[4]); }
