/* Lab sched-cfs: what its tests share. */
#ifndef LAB_WEIGHTS_H
#define LAB_WEIGHTS_H

#include "user/labtest/burners.h"

/* The weight of a nice value: each step is a factor of 1.25. */
static inline long weight(int nice) {
    static const int steps[] = {9548, 7620, 6100, 4904, 3906, 3121, 2501, 1991, 1586, 1277, 1024,
                                820,  655,  526,  423,  335,  272,  215,  172,  137,  110};

    return steps[nice + 10];
}

#endif
