/* Lab cow: what its tests share. */
#ifndef LAB_COW_H
#define LAB_COW_H

#include "user/labtest/forks.h"

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)
#define COUNTER_NAME "\n" TEXT(COUNTER)
#define SIZE (MIB * 1024 * 1024ul)
#define COUNT ((long)(SIZE / PAGE))
#define FEW                                                                                        \
    150 /* pages that a process needs for itself: stack, tables, what the kernel keeps of it */

static inline long pages_free(void) { return proc_number("/proc/meminfo", "MemFree:") / 4; }

static inline void fill_area(void) {
    area = (char *)OK(sys_mmap(0, SIZE, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    for (long i = 0; i < COUNT; i++)
        *word(i) = word_of(i);
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
