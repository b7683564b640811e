/* The calls of lab syscall, as a program sees them. */
#ifndef LAB_SYSCALL_H
#define LAB_SYSCALL_H

#include "user/labtest/lab.h"
#include "user/usertests/ut.h"

struct counts {
    uint64_t FIELDS;
};

static inline long call1(long number, uint64_t argument) {
    register uint64_t a0 asm("a0") = argument;
    register long a7 asm("a7") = number;

    asm volatile("ecall" : "+r"(a0) : "r"(a7) : "memory");
    return (long)a0;
}

static inline long take_census(void *out) { return call1(CENSUS_NR, (uint64_t)out); }
static inline long watch(int number) { return call1(WATCH_NR, (uint64_t)number); }

#endif
