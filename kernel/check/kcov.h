// CHECK=kcov: which code a task runs.
#ifndef CHECK_KCOV_H
#define CHECK_KCOV_H

#ifdef CHECK_KCOV
void kcov_init(void);  // makes /dev/kcov
void kcov_exit(void);  // current ends: it records no more
#else
static inline void kcov_init(void) {}
static inline void kcov_exit(void) {}
#endif

#endif
