// Sv39: page-table entries, and where things are in the address space.
// Source: RISC-V Privileged Specification 1.12, section 4.4.
//
//   0x0000_0000_0000_0000  page 0 is never mapped
//   …                      user programs, up to USER_TOP
//   0x0000_0040_0000_0000  2^38, end of the lower half
//   0xffff_ffc0_0000_0000  direct map: physical address + DIRECT_BASE (the kernel's image is in it)
//   0xffff_ffff_c000_0000  last GiB: unused, or the shadow of CHECK=kasan
#ifndef ARCH_SV39_H
#define ARCH_SV39_H

#ifndef __ASSEMBLER__
#include "lib/types.h"
#endif

#define DIRECT_BASE 0xffffffc000000000
#define DIRECT_SIZE (0x3fc0000000)  // 255 GiB

#ifndef __ASSEMBLER__

#define USER_BOTTOM 0x1000ul                     // page 0 stays unmapped
#define USER_TOP ((1ul << 38) - 16 * PAGE_SIZE)  // first address users cannot map

#define PTE_V (1ul << 0)
#define PTE_R (1ul << 1)
#define PTE_W (1ul << 2)
#define PTE_X (1ul << 3)
#define PTE_U (1ul << 4)
#define PTE_G (1ul << 5)
#define PTE_A (1ul << 6)
#define PTE_D (1ul << 7)
#define PTE_SOFT0 (1ul << 8)  // free for software: see mm/internal.h
#define PTE_SOFT1 (1ul << 9)
#define PTE_FLAGS 0x3fful
#define PTE_LEAF (PTE_R | PTE_W | PTE_X)

typedef u64 pte_t;

#define PTES_PER_TABLE 512
#define MEGAPAGE_SIZE (1ul << 21)
#define GIGAPAGE_SIZE (1ul << 30)

static inline pte_t pte_make(pa_t pa, u64 flags) { return (pa >> 12) << 10 | flags; }
static inline pa_t pte_pa(pte_t pte) { return (pte >> 10 & ((1ul << 44) - 1)) << 12; }

// Index of va in the table of the given level: 2 is the root, 0 holds 4 KiB leaves.
static inline unsigned sv39_index(va_t va, int level) { return va >> (12 + 9 * level) & 511; }

// The direct map. Valid for all RAM and device addresses below DIRECT_SIZE.
static inline void *pa_to_va(pa_t pa) { return (void *)(pa + DIRECT_BASE); }
static inline pa_t va_to_pa(const void *va) { return (u64)va - DIRECT_BASE; }

static inline bool va_is_user(va_t va) { return va < 1ul << 38; }

#define SATP_SV39 (8ul << 60)
#define SATP_ASID_SHIFT 44
static inline u64 satp_make(pa_t root, u64 asid) {
    return SATP_SV39 | asid << SATP_ASID_SHIFT | root >> 12;
}

// Forget this hart's translations: of everything, of one page in all address spaces, of one page in one.
static inline void tlb_flush_all(void) { __asm__ volatile("sfence.vma" : : : "memory"); }
static inline void tlb_flush_page(va_t va) {
    __asm__ volatile("sfence.vma %0" : : "r"(va) : "memory");
}
static inline void tlb_flush_page_asid(va_t va, u64 asid) {
    __asm__ volatile("sfence.vma %0, %1" : : "r"(va), "r"(asid) : "memory");
}
static inline void tlb_flush_asid(u64 asid) {
    __asm__ volatile("sfence.vma zero, %0" : : "r"(asid) : "memory");
}

#endif
#endif
