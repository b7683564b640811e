// The vDSO: a small shared library in the kernel's image that every program has in its memory, and its page of data.
//
//     VVAR  [vvar]  struct vvar: the kernel writes it (time/timer.c), programs read it
//     VDSO  [vdso]  the library, an ELF file of one page: image.S, clock.c
//
// proc/vdso.c maps both. Shared by the kernel and the library's own code.
#ifndef VDSO_VDSO_H
#define VDSO_VDSO_H

#include "arch/sv39.h"
#include "lib/types.h"

#define VDSO (USER_TOP - PAGE_SIZE)
#define VVAR (VDSO - PAGE_SIZE)

// Fills its page: a program reads all of it. No member needs another one to be right, so there is no lock to read by.
struct vvar {
    u64 ns_per_tick_32;   // [I] nanoseconds per tick of the time CSR, 32.32 fixed point
    u64 boot_ns;          // [I] the time CSR at boot, in nanoseconds
    u64 realtime_offset;  // [a] CLOCK_REALTIME - CLOCK_MONOTONIC
    u64 slewing;          // [a] that offset moves: ask the kernel
    u64 ns_per_sec;       // [I] a constant of the library's code, which has no data but this
} __aligned(PAGE_SIZE);
extern struct vvar vvar;

// CLOCK_MONOTONIC when the time CSR has the value `ticks`.
static inline u64 vvar_ns(const struct vvar *v, u64 ticks) {
    return (u64)((unsigned __int128)ticks * v->ns_per_tick_32 >> 32) - v->boot_ns;
}

// So many ticks in nanoseconds.
static inline u64 vvar_span_ns(const struct vvar *v, u64 ticks) {
    return vvar_ns(v, ticks) + v->boot_ns;
}

extern const char vdso_image[], vdso_end[];  // kernel.ld
extern const char __vdso_rt_sigreturn[];     // in the image

// Where a program has what is at `p` in the image.
static inline u64 vdso_address(const char *p) { return VDSO + (p - vdso_image); }

#endif
