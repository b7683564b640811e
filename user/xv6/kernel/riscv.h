/* Pages, Sv39 and registers, as far as user programs can use them. */
#ifndef XV6_RISCV_H
#define XV6_RISCV_H

#ifndef __ASSEMBLER__

#include "kernel/types.h"

typedef uint64 pte_t;
typedef uint64 *pagetable_t;

static inline uint64 r_sp(void) {
    uint64 x;
    asm volatile("mv %0, sp" : "=r"(x));
    return x;
}

static inline uint64 r_tp(void) {
    uint64 x;
    asm volatile("mv %0, tp" : "=r"(x));
    return x;
}

static inline uint64 r_ra(void) {
    uint64 x;
    asm volatile("mv %0, ra" : "=r"(x));
    return x;
}

#endif

#define PGSIZE 4096
#define PGSHIFT 12
#define PGROUNDUP(sz) (((sz) + PGSIZE - 1) & ~(PGSIZE - 1))
#define PGROUNDDOWN(a) (((a)) & ~(PGSIZE - 1))

#define PTE_V (1L << 0)
#define PTE_R (1L << 1)
#define PTE_W (1L << 2)
#define PTE_X (1L << 3)
#define PTE_U (1L << 4)

#define PXMASK 0x1FF
#define PXSHIFT(level) (PGSHIFT + (9 * (level)))
#define PX(level, va) ((((uint64)(va)) >> PXSHIFT(level)) & PXMASK)

/* One beyond the highest address of xv6: half of Sv39's, so that no sign extension is needed. */
#define MAXVA (1L << (9 + 9 + 9 + 12 - 1))

#endif
