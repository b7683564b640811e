/* Lab pgtable: the tests that come with the handout. */
#include "user/labtest/pgtable.h"

/* The frame of an address, as /proc/self/pagemap has it; 0: none. */
static uint64_t frame_at(const volatile void *addr) {
    uint64_t word = 0;
    int fd = (int)OK(open_at("/proc/self/pagemap", O_RDONLY, 0));

    EQ(sys_pread64(fd, &word, 8, (int64_t)((uint64_t)addr / PAGE * 8)), 8);
    OK(sys_close(fd));
    return word >> 63 ? word & ((1ul << 55) - 1) : 0;
}

static void walk_finds_frames(void) {
    static const long where[] = {0, 1, 511, 512, 1000, 1023};
    uint64_t entry[3];

    map_area(2);
    for (int i = 0; i < 6; i++) {
        volatile char *p = area + where[i] * PAGE + 8 * i;
        *p = 1;
        EQ(walk(p, entry), 3);
        CHECK(frame_at(p));
        EQ(frame_of(entry[2]), frame_at(p));
        EQ(entry[0] & (V | LEAF), V);
        EQ(entry[1] & (V | LEAF), V);
        EQ(entry[2] & (V | LEAF | U), V | R | W | U);
    }
    EQ(walk((void *)walk_finds_frames, entry), 3);
    EQ(frame_of(entry[2]), frame_at((void *)walk_finds_frames));
    EQ(entry[2] & (W | X), X);
}

static void walk_ends_early(void) {
    uint64_t entry[3];

    map_area(2);
    area[BLOCK] = 1;
    EQ(walk(area + BLOCK + PAGE, entry), 2); /* a table, but no page */
    EQ(entry[2], 0);
    CHECK(entry[1] & V);
    EQ(walk(area, entry), 1); /* no table */
    EQ(entry[1], 0);
    EQ(entry[2], 0);
    memset(entry, 1, sizeof(entry));
    EQ(walk((void *)(5ul << 30), entry), 0); /* nothing of that GiB */
    EQ(entry[0], 0);
    EQ(entry[1], 0);
    EQ(entry[2], 0);
    FAILS(EINVAL, walk((void *)(1ul << 38), entry));
    FAILS(EINVAL, walk((void *)0xffffffc080200000ul, entry));
    FAILS(EFAULT, walk(area, unmapped_page()));
    FAILS(EFAULT, walk(area, (void *)0xffffffc080200000ul));
}

static void shows_runs(void) {
    map_area(2);
    for (int i = 3; i < 3 + RUN; i++)
        area[i * PAGE] = 1;
    area[40 * PAGE] = 1;
    read_runs("/proc/self/@FILE@");
    for (int i = 0; i < nr_runs; i++)
        CHECK(runs[i].end <= (uint64_t)area || runs[i].start >= (uint64_t)area + 3 * PAGE);
    run_is(area, 3, RUN, "rw-");
    for (int i = 0; i < nr_runs; i++)
        CHECK(runs[i].end <= (uint64_t)area + (3 + RUN) * PAGE ||
              runs[i].start >= (uint64_t)area + 40 * PAGE);
    run_is(area, 40, 1, "rw-");
}

static void knows_its_pid(void) { EQ(FACTS->pid, getpid()); }

static void page_tells(void) {
    EQ(FACTS->pid, getpid());
    EQ(FACTS->harts, LAB_HARTS);
    EQ(FACTS->memory, proc_number("/proc/meminfo", "MemTotal:") / 4);
    child_ok(knows_its_pid);
    knows_its_pid();
}

const struct test public_tests[] = {
    {"walk_finds_frames", walk_finds_frames, 0},
    {"walk_ends_early", walk_ends_early, 0},
    {"shows_runs", shows_runs, 0},
    {"page_tells", page_tells, 0},
    {0, 0, 0},
};
