// Control and status registers of S-mode, and the interrupt-enable bit.
// Source: RISC-V Privileged Specification 1.12, chapters 4 and 5.
#ifndef ARCH_CSR_H
#define ARCH_CSR_H

#include "check/locks.h"
#include "lib/types.h"

#define SSTATUS_SIE (1ul << 1)   // interrupts on
#define SSTATUS_SPIE (1ul << 5)  // interrupts were on before the trap
#define SSTATUS_SPP (1ul << 8)   // the trap came from S-mode
#define SSTATUS_FS (3ul << 13)   // state of the floating-point unit:
#define FS_OFF (0ul << 13)       //   an FP instruction traps
#define FS_CLEAN (2ul << 13)     //   registers equal the saved copy
#define FS_DIRTY (3ul << 13)     //   registers were written since
#define SSTATUS_SUM (1ul << 18)  // S-mode may touch pages marked U
#define SSTATUS_MXR (1ul << 19)
#define SSTATUS_UXL_64 (2ul << 32)

#define SIE_SOFT (1ul << 1)
#define SIE_TIMER (1ul << 5)
#define SIE_EXTERNAL (1ul << 9)
#define SCOUNTEREN_TIME (1ul << 1)

#define CAUSE_INTERRUPT (1ul << 63)
#define IRQ_SOFT 1
#define IRQ_TIMER 5
#define IRQ_EXTERNAL 9

enum trap_cause {
    CAUSE_FETCH_MISALIGNED = 0,
    CAUSE_FETCH_ACCESS = 1,
    CAUSE_ILLEGAL = 2,
    CAUSE_BREAKPOINT = 3,
    CAUSE_LOAD_MISALIGNED = 4,
    CAUSE_LOAD_ACCESS = 5,
    CAUSE_STORE_MISALIGNED = 6,
    CAUSE_STORE_ACCESS = 7,
    CAUSE_ECALL_U = 8,
    CAUSE_FETCH_PAGE = 12,
    CAUSE_LOAD_PAGE = 13,
    CAUSE_STORE_PAGE = 15,
};

#define csr_read(csr)                                                                              \
    ({                                                                                             \
        u64 csr_value_;                                                                            \
        __asm__ volatile("csrr %0, " #csr : "=r"(csr_value_) : : "memory");                        \
        csr_value_;                                                                                \
    })
#define csr_write(csr, value)                                                                      \
    __asm__ volatile("csrw " #csr ", %0" : : "rK"((u64)(value)) : "memory")
#define csr_set(csr, bits) __asm__ volatile("csrs " #csr ", %0" : : "rK"((u64)(bits)) : "memory")
#define csr_clear(csr, bits) __asm__ volatile("csrc " #csr ", %0" : : "rK"((u64)(bits)) : "memory")
#define csr_read_clear(csr, bits)                                                                  \
    ({                                                                                             \
        u64 csr_value_;                                                                            \
        __asm__ volatile("csrrc %0, " #csr ", %1"                                                  \
                         : "=r"(csr_value_)                                                        \
                         : "rK"((u64)(bits))                                                       \
                         : "memory");                                                              \
        csr_value_;                                                                                \
    })

static inline void irq_enable(void) {
    hold_irqs_on();
    csr_set(sstatus, SSTATUS_SIE);
}
static inline void irq_disable(void) {
    csr_clear(sstatus, SSTATUS_SIE);
    hold_irqs_off();
}
static inline bool irq_enabled(void) { return csr_read(sstatus) & SSTATUS_SIE; }

// Turn interrupts off on this hart; irq_restore(what it returned) undoes it. Nests.
static inline u64 irq_save(void) {
    u64 flags = csr_read_clear(sstatus, SSTATUS_SIE) & SSTATUS_SIE;
    if (locks_built && flags)
        hold_irqs_off();
    return flags;
}
static inline void irq_restore(u64 flags) {
    if (locks_built && flags)
        hold_irqs_on();
    csr_set(sstatus, flags);
}

// Wait until an interrupt is pending, whether or not interrupts are on.
static inline void wait_for_interrupt(void) {
    __asm__ volatile("wfi" : : : "memory");
    hold_irqs_off();
}

// The `time` CSR: counts at the device tree's timebase-frequency.
static inline u64 time_csr(void) { return csr_read(time); }

#endif
