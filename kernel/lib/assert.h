/* What to do when the kernel itself is wrong. */
#ifndef LIB_ASSERT_H
#define LIB_ASSERT_H

#include "lib/types.h"

/* Print `panic:` and the message on the console, and stop the machine (panic= says how). */
__noreturn void panic(const char *fmt, ...) __printf(1, 2);

/* Panic with the text and place of an assertion that does not hold. */
__noreturn void assert_fail(const char *expr, const char *file, int line, const char *func);

/* A bug of ours if `cond` is false; never for what a user, a disk or full memory can cause. */
#define assert(cond) (likely(cond) ? (void)0 : assert_fail(#cond, __FILE__, __LINE__, __func__))

#endif
