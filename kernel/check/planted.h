// PLANT=1, for tests of the checks only: bugs on demand.
#ifndef CHECK_PLANTED_H
#define CHECK_PLANTED_H

#ifdef PLANT
void planted_init(void);  // makes /proc/xv39/plant
#else
static inline void planted_init(void) {}
#endif

#endif
