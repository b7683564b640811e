/* shmget(2), shmat(2), shmctl(2). */
#ifndef ABI_SHM_H
#define ABI_SHM_H

#include "abi/ipc.h"

#define SHM_HUGETLB 04000 /* of shmget */
#define SHM_NORESERVE 010000

#define SHM_RDONLY 010000 /* of shmat */
#define SHM_RND 020000
#define SHM_REMAP 040000
#define SHM_EXEC 0100000
#define SHMLBA 4096

#define SHM_LOCK 11 /* of shmctl */
#define SHM_UNLOCK 12
#define SHM_STAT 13
#define SHM_INFO 14
#define SHM_STAT_ANY 15

#define SHM_DEST 01000 /* in the mode: goes with its last attachment */
#define SHM_LOCKED 02000

struct shmid64_ds {
    struct ipc64_perm shm_perm;
    uint64_t shm_segsz; /* bytes */
    int64_t shm_atime, shm_dtime, shm_ctime;
    int32_t shm_cpid, shm_lpid;
    uint64_t shm_nattch;
    uint64_t unused[2];
};

struct shminfo64 {
    uint64_t shmmax, shmmin, shmmni, shmseg, shmall;
    uint64_t unused[4];
};

struct shm_info {
    int32_t used_ids;
    uint64_t shm_tot, shm_rss, shm_swp; /* pages */
    uint64_t swap_attempts, swap_successes;
};

#endif
