/* Lab cow: what its tests share. */
#ifndef LAB_COW_H
#define LAB_COW_H

#include "user/labtest/lab.h"
#include "user/usertests/ut.h"

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)
#define COUNTER_NAME "\n" TEXT(COUNTER)
#define SIZE (MIB * 1024 * 1024ul)
#define COUNT ((long)(SIZE / PAGE))
#define FEW                                                                                        \
    150 /* pages that a process needs for itself: stack, tables, what the kernel keeps of it */

static volatile char *area __attribute__((unused));

static inline long pages_free(void) { return proc_number("/proc/meminfo", "MemFree:") / 4; }

/* Different from page to page and from test to test. */
static inline long word_of(long page) { return page * 0x9e3779b9 ^ (long)seed; }

static inline volatile long *word(long page) {
    return (volatile long *)(area + page * PAGE + 8 * (page % 512));
}

static inline void fill_area(void) {
    area = (char *)OK(sys_mmap(0, SIZE, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    for (long i = 0; i < COUNT; i++)
        *word(i) = word_of(i);
}

static volatile uint32_t *steps
    __attribute__((unused)); /* on a shared page: parent and child go on in step */

static inline void reach(uint32_t step) { __atomic_store_n(steps, step, __ATOMIC_SEQ_CST); }

static inline void await(uint32_t step) {
    while (__atomic_load_n(steps, __ATOMIC_SEQ_CST) < step)
        sleep_ms(1);
}

/* The child begins, and waits until the parent has looked at how much memory there is. */
static inline void begun(void) {
    reach(1);
    await(2);
}

/* Runs the child, which calls begun() first; the fork and that together must take less than FEW pages. */
static inline int cheap_fork(void (*child)(void)) {
    long before, after;
    int pid;

    steps = shared_page();
    reach(0);
    before = pages_free();
    pid = spawn(child);
    await(1);
    after = pages_free();
    if (before - after >= FEW)
        fail_at("fork", "it took %ld pages of the %ld that the process has", before - after, COUNT);
    reach(2);
    return pid;
}

#endif
