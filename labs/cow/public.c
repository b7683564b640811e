/* Lab cow: the tests that come with the handout. */
#include "user/labtest/cow.h"

static void fork_copies_nothing(void) {
    int pid;

    fill_area();
    pid = cheap_fork(begun);
    wait_ok(pid);
    for (long i = 0; i < COUNT; i++)
        EQ(*word(i), word_of(i));
}

static void writes_some(void) {
    begun();
    await(3);
    for (long i = 0; i < PAGES; i++)
        *word(i * (COUNT / PAGES)) = -1;
    reach(4);
    await(5);
    for (long i = 0; i < PAGES; i++)
        EQ(*word(i * (COUNT / PAGES)), -1);
}

/* A page table that was shared may be copied as well. */
static void write_copies_one_page(void) {
    long before, used;
    int pid;

    fill_area();
    pid = cheap_fork(writes_some);
    before = pages_free();
    reach(3);
    await(4);
    used = before - pages_free();
    if (used < PAGES || used > 2 * PAGES + 20)
        fail_at("copies", "for %d pages that were written %ld were used", PAGES, used);
    reach(5);
    wait_ok(pid);
    for (long i = 0; i < COUNT; i++)
        EQ(*word(i), word_of(i));
}

static void writes_all_that_is_asked(void) {
    for (long i = 0; i < 20 * PAGES; i++)
        *(volatile long *)(area + i * PAGE) = 1;
}

static void counted(void) {
    long before, grown;

    fill_area();
    before = proc_number("/proc/vmstat", COUNTER_NAME);
    child_ok(writes_all_that_is_asked);
    grown = proc_number("/proc/vmstat", COUNTER_NAME) - before;
    if (grown % UNIT || grown < 20 * PAGES * UNIT || grown > (20 * PAGES + FEW) * UNIT)
        fail_at("counter", "%s grew by %ld, though %d pages were copied", COUNTER_NAME, grown,
                20 * PAGES);
}

static long big;

static void reads_all(void) {
    for (long i = 0; i < big; i++)
        EQ(*(volatile long *)(area + i * PAGE), word_of(i));
    *(volatile long *)area = -1;
}

static void big_fork(void) {
    big = pages_free() * 6 / 10;
    area = (char *)OK(sys_mmap(0, (size_t)big * PAGE, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    for (long i = 0; i < big; i++)
        *(volatile long *)(area + i * PAGE) = word_of(i);
    child_ok(reads_all);
    EQ(*(volatile long *)area, word_of(0));
}

const struct test public_tests[] = {
    {"fork_copies_nothing", fork_copies_nothing, 0},
    {"write_copies_one_page", write_copies_one_page, 0},
    {"counted", counted, 0},
    {"big_fork", big_fork, 0},
    {0, 0, 0},
};
