/* Lab syscall: the tests that come with the handout. */
#include "user/labtest/lab_syscall.h"
#include "abi/syscall.h"

#define CHILDREN 5
#define PAGES 3000
#define BYTES (PAGES * 4096ul)

static struct counts now(void) {
    struct counts c;

    OK(take_census(&c));
    return c;
}

static void census_tasks(void) {
    uint64_t before = now().tasks;
    int pids[CHILDREN];

    for (int i = 0; i < CHILDREN; i++)
        pids[i] = spawn(sleep_long);
    EQ(now().tasks - before, CHILDREN);
    for (int i = 0; i < CHILDREN; i++)
        kill_child(pids[i]);
}

static void census_memory(void) {
    char *p = map_pages(PAGES, PROT_READ | PROT_WRITE);
    uint64_t before = now().free_pages, after;

    memset(p, 1, BYTES);
    after = now().free_pages;
    CHECK(before - after >= PAGES && before - after < PAGES + 200);
    OK(sys_munmap(p, BYTES));
}

static void census_bad_pointer(void) {
    char *p = map_pages(2, PROT_READ | PROT_WRITE);

    FAILS(EFAULT, take_census(0));
    FAILS(EFAULT, take_census(unmapped_page()));
    FAILS(EFAULT, take_census((void *)0xffffffff80200000ul));
    FAILS(EFAULT, take_census((void *)(1ul << 38)));
    OK(sys_mprotect(p + 4096, 4096, PROT_READ));
    FAILS(EFAULT, take_census(p + 4096));
    FAILS(EFAULT, take_census(p + 4096 - 8)); /* the second half is read-only */
    OK(take_census(p + 4096 - sizeof(struct counts)));
}

static void watch_counts(void) {
    EQ(watch(SYS_getppid), 0);
    for (int i = 0; i < 37; i++)
        sys_getppid();
    sys_getuid();
    sys_getpid();
    EQ(watch(SYS_getuid), 37);
    sys_getppid();
    EQ(watch(-1), 0);
}

const struct test public_tests[] = {
    {"census_tasks", census_tasks, 0},
    {"census_memory", census_memory, 0},
    {"census_bad_pointer", census_bad_pointer, 0},
    {"watch_counts", watch_counts, 0},
    {0, 0, 0},
};
