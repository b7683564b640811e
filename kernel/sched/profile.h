// Where in the kernel the tick finds a hart: /proc/profile.
#ifndef SCHED_PROFILE_H
#define SCHED_PROFILE_H

#include "lib/types.h"

struct printer;

extern u32 profile_rate;       // [a] ticks a second; 0: off
void profile_tick(bool user);  // => in the tick, interrupts off
int profile_set(
    u64 rate);  // off (0), or on with all counters 0: 0, -EINVAL (more than 10,000), -ENOMEM
// "rate N", "user N" for programs, then "ADDRESS N" for each place in the kernel that was found N
// times.
void profile_show(struct printer *p);

#endif
