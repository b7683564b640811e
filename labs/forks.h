/* A process with much memory forks: what is in its pages, and how parent and child go on in step. */
#ifndef LAB_FORKS_H
#define LAB_FORKS_H

#include "user/labtest/lab.h"
#include "user/usertests/ut.h"

static volatile char *area __attribute__((unused)); /* the lab's fill_area() makes it */

/* Different from page to page and from test to test. */
static inline long word_of(long page) { return page * 0x9e3779b9 ^ (long)seed; }

static inline volatile long *word(long page) {
    return (volatile long *)(area + page * PAGE + 8 * (page % 512));
}

static volatile uint32_t *steps
    __attribute__((unused)); /* on a shared page: parent and child go on in step */

static inline void reach(uint32_t step) { __atomic_store_n(steps, step, __ATOMIC_SEQ_CST); }

static inline void await(uint32_t step) {
    while (__atomic_load_n(steps, __ATOMIC_SEQ_CST) < step)
        sleep_ms(1);
}

/* The child begins, and waits until the parent has looked at what the fork did. */
static inline void begun(void) {
    reach(1);
    await(2);
}

#endif
