/* sysinfo(2). */
#ifndef ABI_SYSINFO_H
#define ABI_SYSINFO_H

#include <stdint.h>

#define SI_LOAD_SHIFT 16

struct sysinfo {
    int64_t uptime;    /* s */
    uint64_t loads[3]; /* 1, 5, 15 minutes; fixed point, SI_LOAD_SHIFT */
    uint64_t totalram; /* in mem_unit bytes, as all that follow */
    uint64_t freeram;
    uint64_t sharedram;
    uint64_t bufferram;
    uint64_t totalswap;
    uint64_t freeswap;
    uint16_t procs;
    uint16_t pad;
    uint64_t totalhigh;
    uint64_t freehigh;
    uint32_t mem_unit;
};

_Static_assert(sizeof(struct sysinfo) == 112, "struct sysinfo is 112 bytes");

#endif
