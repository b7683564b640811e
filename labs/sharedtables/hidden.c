/* Lab sharedtables: the tests that the handout does not have. */
#include "user/labtest/sharedtables.h"
#include "user/lib/thread.h"

/* The child is gone: the parent has its tables for itself again, and nothing is copied. */
static void last_owner_takes_over(void) {
    long copies, reuses, pages;
    int pid;

    fill_area();
    for (int round = 0; round < 2; round++) {
        pid = cheap_fork(begun);
        wait_ok(pid);
        copies = counted("table_copy");
        reuses = counted("table_reuse");
        pages = counted("cow_copy");
        fill();
        grew("table_copy", copies, 0, 3);
        grew("cow_copy", pages, 0, 8);
        grew("table_reuse", reuses, BLOCKS, BLOCKS + 6);
    }
}

/* ---- parts: what is under a table is not all of it changed */

#define FIRST                                                                                      \
    (PER_BLOCK / 2) /* [FIRST, LAST): the end of one block, a whole one, the beginning of one */
#define LAST (2 * PER_BLOCK + PARTIAL)

static volatile char *gone; /* an address where nothing may be mapped */

static void touch_gone(void) { *gone = 1; }

static void unmap_middle(void) {
    OK(sys_munmap((char *)area + FIRST * PAGE, (LAST - FIRST) * PAGE));
    expect(0, FIRST);
    expect(LAST, COUNT);
    gone = area + FIRST * PAGE;
    EQ(child_signal(touch_gone), SIGSEGV);
    gone = area + (LAST - 1) * PAGE;
    EQ(child_signal(touch_gone), SIGSEGV);
    for (long i = 0; i < FIRST; i++)
        *word(i) = -1;
}

static void unmaps_middle(void) {
    begun();
    unmap_middle();
}

static void looks_on(void) {
    begun();
    await(3);
    expect(0, COUNT);
}

static void unmap_part(void) {
    int pid;

    fill_area();
    pid = cheap_fork(unmaps_middle);
    wait_ok(pid);
    expect(0, COUNT);
    pid = cheap_fork(looks_on);
    unmap_middle();
    reach(3);
    wait_ok(pid);
}

static void unmaps_blocks(void) {
    long copies;

    begun();
    copies = counted("table_copy");
    OK(sys_munmap((char *)area + BLOCK, 3 * BLOCK));
    grew("table_copy", copies, 0, 2);
    gone = area + 2 * BLOCK;
    EQ(child_signal(touch_gone), SIGSEGV);
    expect(0, PER_BLOCK);
    expect(4 * PER_BLOCK, COUNT);
}

static void unmapping_blocks_copies_nothing(void) {
    int pid;

    fill_area();
    pid = cheap_fork(unmaps_blocks);
    wait_ok(pid);
    expect(0, COUNT);
    pid = cheap_fork(looks_on);
    OK(sys_munmap((char *)area, BLOCKS * BLOCK)); /* the child is the only owner now */
    reach(3);
    wait_ok(pid);
}

static void protects_and_drops(void) {
    begun();
    OK(sys_mprotect((char *)area + PARTIAL * PAGE, 20 * PAGE, PROT_READ));
    gone = area + PARTIAL * PAGE;
    EQ(child_signal(touch_gone), SIGSEGV);
    expect(0, PER_BLOCK);
    *word(PARTIAL - 1) = -1;
    OK(sys_madvise((char *)area + BLOCK + PARTIAL * PAGE, 20 * PAGE, MADV_DONTNEED));
    for (long i = 0; i < 20; i++)
        EQ(*word(PER_BLOCK + PARTIAL + i), 0);
    expect(PER_BLOCK, PER_BLOCK + PARTIAL);
    expect(PER_BLOCK + PARTIAL + 20, COUNT);
}

static void protect_and_drop(void) {
    int pid;

    fill_area();
    pid = cheap_fork(protects_and_drops);
    wait_ok(pid);
    expect(0, COUNT);
    fill();
    expect(0, COUNT);
}

/* ---- generations */

#define DEPTH 6

/* Each changes its block, and sees those of its ancestors, but neither those of its children nor what an ancestor does
 * later. */
static void generation(long depth) {
    int pid;

    for (long i = 0; i < depth; i++)
        EQ(*word(i * PER_BLOCK + 1), -i - 1);
    expect(depth * PER_BLOCK, COUNT);
    if (depth == DEPTH)
        return;
    *word(depth * PER_BLOCK + 1) = -depth - 1;
    pid = fork();
    OK(pid);
    if (pid == 0) {
        generation(depth + 1);
        sys_exit_group(0);
    }
    *word(depth * PER_BLOCK + 1) = 42;
    wait_ok(pid);
    EQ(*word(depth * PER_BLOCK + 1), 42);
    expect((depth + 1) * PER_BLOCK, COUNT);
}

static void generations(void) {
    int pid;

    fill_area();
    pid = cheap_fork(begun);
    wait_ok(pid);
    generation(0);
}

/* ---- accounts: every owner counts all pages that it has, shared or not */

static void near(const char *what, long is, long wanted) {
    if (is < wanted - 256 || is > wanted + 256)
        fail_at(what, "RssAnon is %ld kB instead of about %ld", is, wanted);
}

static long parents;

static void counts(void) {
    long all = parents, block = BLOCK / 1024;

    begun();
    near("after fork", rss(), all);
    OK(sys_munmap((char *)area, 3 * BLOCK));
    near("after munmap of three tables", rss(), all -= 3 * block);
    for (long i = 3 * PER_BLOCK; i < 4 * PER_BLOCK; i++)
        *word(i) = 1;
    near("after writing to one", rss(), all);
    OK(sys_munmap((char *)area + 3 * BLOCK, BLOCK / 2));
    near("after munmap of a half", rss(), all - block / 2);
}

static void accounts(void) {
    int pid;

    fill_area();
    rss();
    parents = rss();
    CHECK(parents >= (long)(BLOCKS * BLOCK / 1024));
    pid = cheap_fork(counts);
    wait_ok(pid);
    near("after the child's end", rss(), parents);
    fill();
    near("after taking all over", rss(), parents);
}

/* ---- harts */

static void *writer(void *place) {
    for (long i = (long)place; i < COUNT; i += 2) {
        if (*word(i) != word_of(i))
            return place + 1;
        *word(i) = ~word_of(i);
    }
    return 0;
}

static void two_writers(void) {
    struct thread *other;

    OK(thread_create(&other, writer, (void *)1));
    EQ(writer((void *)0), 0);
    EQ(thread_join(other), 0);
    for (long i = 0; i < COUNT; i++)
        EQ(*word(i), ~word_of(i));
}

static void child_writes(void) {
    begun();
    two_writers();
}

static void all_write_at_once(void) {
    int pid;

    fill_area();
    for (int round = 0; round < 4; round++) {
        pid = cheap_fork(child_writes);
        two_writers();
        wait_ok(pid);
        fill();
    }
}

const struct test hidden_tests[] = {
    {"last_owner_takes_over", last_owner_takes_over, 0},
    {"unmap_part", unmap_part, 0},
    {"unmapping_blocks_copies_nothing", unmapping_blocks_copies_nothing, 0},
    {"protect_and_drop", protect_and_drop, 0},
    {"generations", generations, 0},
    {"accounts", accounts, 0},
    {"all_write_at_once", all_write_at_once, 0},
    {0, 0, 0},
};
