/* Lab demand: what its tests share. */
#ifndef LAB_DEMAND_H
#define LAB_DEMAND_H

#include "user/labtest/lab.h"
#include "user/usertests/ut.h"
#include "abi/resource.h"

#define MIB_BYTES (1024 * 1024ul)
#define FEW 64 /* pages of tables, and what the kernel has for itself */

static inline long pages_free(void) { return proc_number("/proc/meminfo", "MemFree:") / 4; }

static inline long minor_faults(void) {
    struct rusage u;

    OK(sys_getrusage(RUSAGE_SELF, &u));
    return u.ru_minflt;
}

/* Writes TOUCHED pages of the area, which are far from each other: they are taken, and no others. */
static inline void touch_some(volatile char *area, size_t size, long before) {
    long used;
    size_t step = size / TOUCHED / PAGE * PAGE;

    for (long i = 0; i < TOUCHED; i++)
        area[(size_t)i * step] = (char)(i + 1);
    used = before - pages_free();
    if (used < TOUCHED || used > TOUCHED + FEW)
        fail_at("pages", "%ld were taken, %d were written", used, TOUCHED);
    for (long i = 0; i < TOUCHED; i++)
        EQ(area[(size_t)i * step], (char)(i + 1));
}

#endif
