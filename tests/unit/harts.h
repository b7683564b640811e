/*
 * Harts that are simulated, for host tests of kernel code that runs on several (`// and: -include harts.h`): a per-hart variable is an
 * array, current_thread a variable, interrupts are called, and time is a number.
 */
#ifndef UNIT_HARTS_H
#define UNIT_HARTS_H

#include "lib/types.h"

/* As arch/thread.h has it, but for the register. */
#define register extern
#define __asm__(name)
#include "arch/thread.h"
#undef register
#undef __asm__

#define ARCH_HART_H
#define SIM_HARTS 8
extern u32 nr_harts, sim_hart;
extern u64 hart_hartid[], hart_offset[];
#define PERHART(type, name) __typeof__(type) name[SIM_HARTS]
#define this_hart(name) (&(name)[sim_hart])
#define per_hart(name, hart) (&(name)[hart])
static inline u32 hart_id(void) { return sim_hart; }
#define for_each_hart(h) for (u32 h = 0; h < nr_harts; h++)

#define ARCH_CSR_H
#define CAUSE_ECALL_U 8
extern u64 sim_ticks;
static inline u64 time_csr(void) { return sim_ticks; }
static inline void irq_enable(void) {}
static inline void irq_disable(void) {}
static inline bool irq_enabled(void) { return true; }
static inline u64 irq_save(void) { return 0; }
static inline void irq_restore(u64 flags) { (void)flags; }
static inline void wait_for_interrupt(void) {}

#endif
