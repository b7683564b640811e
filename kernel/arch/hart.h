// Harts and data that each of them has its own copy of.
//
//   PERHART(struct runq, runq);            // in a .c file; `extern PERHART_DECLARE(...)` in a header
//   struct runq *rq = this_hart(runq);     // this hart's copy; => not preemptible
//   per_hart(runq, 3)                      // hart 3's copy
#ifndef ARCH_HART_H
#define ARCH_HART_H

#include "arch/thread.h"
#include "lib/types.h"

extern u32 nr_harts;                // harts that run, numbered 0 … nr_harts-1; 0 booted
extern u64 hart_hartid[MAX_HARTS];  // the firmware's number of each
extern u64 hart_offset[MAX_HARTS];  // distance from a PERHART variable to the hart's copy

#define PERHART(type, name) __attribute__((section(".perhart"))) type name
#define this_hart(name) ((__typeof__(&(name)))((u64) & (name) + current_thread->perhart))
#define per_hart(name, hart) ((__typeof__(&(name)))((u64) & (name) + hart_offset[hart]))

extern u32 hart_number;  // PERHART: this hart's number
static inline u32 hart_id(void) { return *this_hart(hart_number); }
#define for_each_hart(h) for (u32 h = 0; h < nr_harts; h++)

// Make copies for harts 1 … n-1; called once, on hart 0, when the page allocator works.
// alloc returns zeroed memory of at least that size, or NULL. 0 or -ENOMEM.
int perhart_init(u32 n, void *(*alloc)(size_t size));

#endif
