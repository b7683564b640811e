/*
 * Host tests of pure kernel code: checks, a seeded random generator, and the C library's functions
 * under names of their own, so that no host header can clash with the kernel's.
 *
 * A test file starts with a line `// with: lib/foo.c ...` that names the kernel files to link,
 * includes this header, and has one function per property and a main() that RUN()s them and
 * returns unit_result().  Only the file with main() includes this header.
 */
#ifndef UNIT_H
#define UNIT_H

#include "lib/assert.h"
#include "lib/types.h"

int host_printf(const char *fmt, ...) __asm__("printf") __printf(1, 2);
int host_vprintf(const char *fmt, va_list ap) __asm__("vprintf");
int host_vsnprintf(char *buf, size_t size, const char *fmt, va_list ap) __asm__("vsnprintf");
void *host_malloc(size_t size) __asm__("malloc");
void *host_calloc(size_t n, size_t size) __asm__("calloc");
void host_free(void *p) __asm__("free");
void host_qsort(void *base, size_t n, size_t size,
                int (*compare)(const void *, const void *)) __asm__("qsort");
__noreturn void host_exit(int status) __asm__("exit");

static int unit_failures;     /* of the function that runs */
static int unit_failed_tests; /* in this file */

/* Record a failure, with its place, unless `cond` holds; the test goes on. */
#define CHECK(cond) unit_check(cond, #cond, __FILE__, __LINE__)

static inline bool unit_check(bool ok, const char *expr, const char *file, int line) {
    if (!ok && unit_failures++ < 10)
        host_printf("# %s:%d: %s\n", file, line, expr);
    return ok;
}

/* Run a test function and say how it went. */
#define RUN(fn) unit_run(fn, #fn)

static inline void unit_run(void (*fn)(void), const char *name) {
    unit_failures = 0;
    fn();
    host_printf("%s %s\n", unit_failures ? "not ok" : "ok", name);
    unit_failed_tests += unit_failures != 0;
}

/* Exit status of the file. */
static inline int unit_result(void) { return unit_failed_tests ? 1 : 0; }

/* The same sequence in every run (xorshift64*, Vigna 2016). */
static u64 unit_seed = 0x2545f4914f6cdd1dull;

static inline u64 rnd(void) {
    unit_seed ^= unit_seed >> 12;
    unit_seed ^= unit_seed << 25;
    unit_seed ^= unit_seed >> 27;
    return (unit_seed * 0x2545f4914f6cdd1dull) >> 8;
}

/* A number in [0, n). */
static inline u64 rnd_below(u64 n) { return rnd() % n; }

/* What the kernel calls when it is wrong ends the test. */
void assert_fail(const char *expr, const char *file, int line, const char *func) {
    host_printf("not ok assertion %s at %s:%d in %s\n", expr, file, line, func);
    host_exit(1);
}

void panic(const char *fmt, ...) {
    va_list ap;

    host_printf("not ok panic: ");
    va_start(ap, fmt);
    host_vprintf(fmt, ap);
    va_end(ap);
    host_printf("\n");
    host_exit(1);
}

#endif
