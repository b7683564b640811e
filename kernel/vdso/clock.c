/*
 * The vDSO's functions: code that programs run, as themselves, without a trap.
 *
 * The clocks that only need the time CSR and the page [vvar] are read here, by the same arithmetic as in
 * time/timer.c; the rest asks the kernel. realtime_offset is one word, so that who reads it while the clock is
 * being set gets the old time or the new one.
 *
 * What is special: this runs at another address than it is linked to, so it refers to nothing but itself and the page
 * before it (vdso_vvar). It is compiled without the kernel's checks, uses no stack, which image.S tells unwinders,
 * and has no constants in memory: kernel.ld asserts that. A bad pointer is the caller's SIGSEGV.
 *
 * Names and results: Linux's vdso(7), clock_gettime(2).
 */
#include "abi/errno.h"
#include "abi/syscall.h"
#include "abi/time.h"
#include "lib/atomic.h"
#include "vdso/vdso.h"

#define EXPORT __attribute__((section(".vdso.text"), used))
#define BIT(clock) (1u << (clock))
#define MONOTONIC                                                                                  \
    (BIT(CLOCK_MONOTONIC) | BIT(CLOCK_MONOTONIC_RAW) | BIT(CLOCK_MONOTONIC_COARSE) |               \
     BIT(CLOCK_BOOTTIME))
#define REALTIME (BIT(CLOCK_REALTIME) | BIT(CLOCK_REALTIME_COARSE))

extern const struct vvar vdso_vvar;  // kernel.ld: the page before the image

int __vdso_clock_gettime(int clock, struct timespec *t);
int __vdso_clock_getres(int clock, struct timespec *t);
int __vdso_gettimeofday(struct timeval *t, struct timezone *zone);
int __vdso_getcpu(u32 *cpu, u32 *node, void *unused);
int __vdso_flush_icache(void *start, void *end, u64 flags);

static inline long ask_kernel(long number, u64 a, u64 b, u64 c) {
    register u64 a0 __asm__("a0") = a, a1 __asm__("a1") = b, a2 __asm__("a2") = c;
    register long a7 __asm__("a7") = number;
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a7) : "memory");
    return (long)a0;
}

static inline bool is_one_of(u32 clocks, int clock) {
    return (u32)clock < 32 && clocks >> clock & 1;
}

static inline u64 now(bool realtime) {
    const struct vvar *v = &vdso_vvar;
    u64 ticks;
    __asm__ volatile("rdtime %0" : "=r"(ticks));
    return vvar_ns(v, ticks) + (realtime ? READ_ONCE(v->realtime_offset) : 0);
}

// If not, realtime_offset, read after it, is right.
static inline bool slewing(void) { return load_acquire(&vdso_vvar.slewing); }

EXPORT int __vdso_clock_gettime(int clock, struct timespec *t) {
    if (!is_one_of(MONOTONIC, clock) && (!is_one_of(REALTIME, clock) || slewing()))
        return ask_kernel(SYS_clock_gettime, clock, (u64)t, 0);
    u64 ns = now(REALTIME >> clock & 1), sec = ns / vdso_vvar.ns_per_sec;
    t->tv_sec = sec;
    t->tv_nsec = ns - sec * vdso_vvar.ns_per_sec;
    return 0;
}

EXPORT int __vdso_clock_getres(int clock, struct timespec *t) {
    if (!is_one_of(MONOTONIC | REALTIME, clock))
        return ask_kernel(SYS_clock_getres, clock, (u64)t, 0);
    if (t) {
        t->tv_sec = 0;
        t->tv_nsec = 1;
    }
    return 0;
}

EXPORT int __vdso_gettimeofday(struct timeval *t, struct timezone *zone) {
    if (slewing())
        return ask_kernel(SYS_gettimeofday, (u64)t, (u64)zone, 0);
    if (t) {
        u64 ns = now(true), sec = ns / vdso_vvar.ns_per_sec;
        t->tv_sec = sec;
        t->tv_usec = (u32)(ns - sec * vdso_vvar.ns_per_sec) / 1000u;
    }
    if (zone) {
        zone->tz_minuteswest = 0;
        zone->tz_dsttime = 0;
    }
    return 0;
}

EXPORT int __vdso_getcpu(u32 *cpu, u32 *node, void *unused) {
    return ask_kernel(SYS_getcpu, (u64)cpu, (u64)node, (u64)unused);
}

// Other harts may have stale code too, and this thread may go to one: that is for the kernel.
EXPORT int __vdso_flush_icache(void *start, void *end, u64 flags) {
    return ask_kernel(SYS_riscv_flush_icache, (u64)start, (u64)end, flags);
}
