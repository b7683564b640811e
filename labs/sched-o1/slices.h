/* Lab sched-o1: what its tests share. */
#ifndef LAB_SLICES_H
#define LAB_SLICES_H

#include "user/labtest/burners.h"

/* The slice of a nice value, in ms. */
static inline long slice_ms(int nice) { return (20 - nice) * (nice < 0 ? FAST_STEP : SLOW_STEP); }

#endif
