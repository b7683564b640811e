// CHECK=race: two harts, or a thread and an interrupt handler, touch the same bytes at the same time, at least one of
// them writes, and at least one access is plain. READ_ONCE, WRITE_ONCE and atomic operations are never plain. Without
// the check all of this is nothing. Below every room: no includes of ours.
#ifndef CHECK_RACE_H
#define CHECK_RACE_H

#include <stdbool.h>

#ifdef CHECK_RACE
void race_start(void);       // => the harts have their own data; from here on accesses are watched
bool race_report(void);      // boot argument race=report: print each race once and go on; true
void race_ignore(int more);  // this thread's accesses do not count while the sum is above 0

// The value of a plain expression that may race, and it does no harm; a comment there says why.
#define data_race(expr)                                                                            \
    __extension__({                                                                                \
        race_ignore(1);                                                                            \
        __typeof__(expr) racy_value = (expr);                                                      \
        race_ignore(-1);                                                                           \
        racy_value;                                                                                \
    })
#else
static inline void race_start(void) {}
static inline bool race_report(void) { return false; }
static inline void race_ignore(int more) { (void)more; }
#define data_race(expr) (expr)
#endif

#endif
