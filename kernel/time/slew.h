// The wall clock while it is made to run faster or slower: adjtimex(2).
#ifndef TIME_SLEW_H
#define TIME_SLEW_H

#include "abi/timex.h"
#include "lib/types.h"

// What modes asks for; then the state into *t. TIME_OK, TIME_ERROR, -EINVAL. Rights and
// ADJ_SETOFFSET are the caller's business.
int slew_adjust(struct timex *t);
u64 slew_realtime(void);  // CLOCK_REALTIME; any context
u64 slew_offset(void);    // CLOCK_REALTIME - CLOCK_MONOTONIC; any context
void slew_step(u64 ns);   // the clock is set, by so much: nothing is left to be made up for
s64 slew_tai(void);       // CLOCK_TAI - CLOCK_REALTIME, s

#endif
