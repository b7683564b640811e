/* Lab sharedtables: the tests that come with the handout. */
#include "user/labtest/sharedtables.h"

static void fork_shares_tables(void) {
    int pid;

    fill_area();
    pid = cheap_fork(begun);
    wait_ok(pid);
    expect(0, COUNT);
}

static void writes_some(void) {
    long tables, pages;

    begun();
    tables = counted("table_copy");
    pages = counted("cow_copy");
    for (long i = 0; i < WRITTEN; i++)
        *word(i * PER_BLOCK + 7) = -i;
    grew("table_copy", tables, WRITTEN, WRITTEN + 4);
    grew("cow_copy", pages, WRITTEN, WRITTEN + 8);
    for (long i = 0; i < WRITTEN; i++) {
        EQ(*word(i * PER_BLOCK + 7), -i);
        expect(i * PER_BLOCK + 8, (i + 1) * PER_BLOCK);
    }
}

static void write_copies_one_table(void) {
    int pid;

    fill_area();
    pid = cheap_fork(writes_some);
    wait_ok(pid);
    expect(0, COUNT);
}

/* Pages at the beginning of a block that fork finds writable: as many as a table that stays valid may have, and in every
 * other block one more. */
static long writable(long block) { return PROTECT_MAX + block % 2; }

static void expect_writable(long block) {
    expect(block * PER_BLOCK, block * PER_BLOCK + writable(block));
}

static void reads_few(void) {
    long tables, faults;

    begun();
    tables = counted("table_copy");
    faults = counted("pgfault");
    for (long block = 0; block < BLOCKS; block += 2)
        expect_writable(block);
    grew("table_copy", tables, 0, 2);
    grew("pgfault", faults, 0, 16);
    *word(3) = -1;
    expect(4, writable(0));
    EQ(*word(3), -1);
    tables = counted("table_copy");
    for (long block = 1; block < BLOCKS; block += 2)
        expect_writable(block);
    grew("table_copy", tables, BLOCKS / 2, BLOCKS / 2 + 2);
}

static void few_pages_are_read_without_faults(void) {
    int pid;

    map_area();
    for (long block = 0; block < BLOCKS; block++) {
        for (long i = block * PER_BLOCK; i < block * PER_BLOCK + writable(block); i++)
            *word(i) = word_of(i);
    }
    pid = cheap_fork(reads_few);
    wait_ok(pid);
    for (long block = 0; block < BLOCKS; block++)
        expect_writable(block);
    *word(2) = -2;
    EQ(*word(2), -2);
    expect(3, writable(0));
}

const struct test public_tests[] = {
    {"fork_shares_tables", fork_shares_tables, 0},
    {"write_copies_one_table", write_copies_one_table, 0},
    {"few_pages_are_read_without_faults", few_pages_are_read_without_faults, 0},
    {0, 0, 0},
};
