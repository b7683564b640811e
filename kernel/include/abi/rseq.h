/* rseq(2). */
#ifndef ABI_RSEQ_H
#define ABI_RSEQ_H

#include <stdint.h>

#define RSEQ_FLAG_UNREGISTER (1 << 0)
#define RSEQ_CPU_ID_UNINITIALIZED (-1)
#define RSEQ_CPU_ID_REGISTRATION_FAILED (-2)

struct rseq {
    uint32_t cpu_id_start;
    uint32_t cpu_id;
    uint64_t rseq_cs;
    uint32_t flags;
    uint32_t node_id;
    uint32_t mm_cid;
    char end[];
} __attribute__((aligned(32)));

#endif
