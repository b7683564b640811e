// Registers of devices: exactly one access each, ordered against each other and against memory that
// the device reads or writes. Source: RISC-V Unprivileged Specification, fence.
#ifndef DRIVERS_MMIO_H
#define DRIVERS_MMIO_H

#include "arch/sv39.h"
#include "lib/types.h"

// A register at a physical address that the device tree gave; valid below DIRECT_SIZE.
static inline volatile void *mmio_map(pa_t pa) { return pa_to_va(pa); }
static inline bool mmio_mappable(pa_t pa, u64 size) {
    return size != 0 && pa < DIRECT_SIZE && size <= DIRECT_SIZE - pa;
}

// A read is done before any later access to memory or devices.
static inline u8 mmio_read8(const volatile void *reg) {
    u8 value = *(const volatile u8 *)reg;
    __asm__ volatile("fence i, ior" : : : "memory");
    return value;
}
static inline u32 mmio_read32(const volatile void *reg) {
    u32 value = *(const volatile u32 *)reg;
    __asm__ volatile("fence i, ior" : : : "memory");
    return value;
}
// A write comes after all earlier accesses to memory and devices.
static inline void mmio_write8(volatile void *reg, u8 value) {
    __asm__ volatile("fence iorw, o" : : : "memory");
    *(volatile u8 *)reg = value;
}
static inline void mmio_write32(volatile void *reg, u32 value) {
    __asm__ volatile("fence iorw, o" : : : "memory");
    *(volatile u32 *)reg = value;
}

#endif
