/* Lab sync: what its tests share. */
#ifndef LAB_SYNC_H
#define LAB_SYNC_H

#include "user/labtest/lab.h"
#include "user/usertests/ut.h"

#define RW (PROT_READ | PROT_WRITE)

enum { OPS };

/* The call. Every test has a lock of its own. */
static inline long lock_call(long lock, long op) {
    register long a0 asm("a0") = lock;
    register long a1 asm("a1") = op;
    register long a7 asm("a7") = LOCK_NR;

    asm volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a7) : "memory");
    return a0;
}

static inline long counted(const char *what) { return proc_number("/proc/vmstat", what); }
static inline long pages_free(void) { return proc_number("/proc/meminfo", "MemFree:") / 4; }

static inline void on_hart(int hart) {
    uint64_t mask = 1ul << hart;

    OK(sys_sched_setaffinity(0, sizeof(mask), &mask));
}

/* Writes n pages, which are given back then. */
static inline void use_pages(long n) {
    volatile char *p = (char *)OK(
        sys_mmap(0, (size_t)n * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));

    for (long i = 0; i < n; i++)
        p[i * PAGE] = (char)(i + 1);
    for (long i = 0; i < n; i++)
        EQ(p[i * PAGE], (char)(i + 1));
    OK(sys_munmap((void *)p, (size_t)n * PAGE));
}

static inline void use_objects(long n) {
    int fds[2];

    while (n-- > 0) {
        OK(sys_pipe2(fds, 0));
        OK(sys_close(fds[0]));
        OK(sys_close(fds[1]));
    }
}

static inline void fewer(const char *what, long before, long most) {
    long n = counted(what) - before;

    if (n < 0 || n > most)
        fail_at(what, "grew by %ld instead of at most %ld", n, most);
}

#endif
