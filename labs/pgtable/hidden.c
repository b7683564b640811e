/* Lab pgtable: the tests that the handout does not have. */
#include "user/labtest/judge.h"
#include "user/labtest/pgtable.h"
#include "user/lib/thread.h"

/* Tables are where they should be: those of one GiB hang from one entry, pages of 2 MiB too. */
static void walk_sees_the_tree(void) {
    uint64_t a[3], b[3];

    map_area(3);
    for (long i = 0; i < 3; i++)
        area[(uint64_t)i * BLOCK + PAGE] = area[(uint64_t)i * BLOCK] = 1;
    for (uint64_t i = 0; i < 3; i++) {
        EQ(walk(area + i * BLOCK, a), 3);
        EQ(walk(area + i * BLOCK + PAGE, b), 3);
        EQ(a[0], b[0]);
        EQ(a[1], b[1]);
        CHECK(a[2] != b[2]);
        EQ(walk(area + (i + 1) % 3 * BLOCK, b), 3);
        CHECK(a[1] != b[1]);
        if ((uint64_t)(area + i * BLOCK) >> 30 == (uint64_t)(area + (i + 1) % 3 * BLOCK) >> 30)
            EQ(a[0], b[0]);
    }
    EQ(walk(&a, b), 3); /* the stack is far away */
    EQ(walk((void *)walk_sees_the_tree, a), 3);
    CHECK(a[0] != b[0]);
}

/* The rights in the entry are those that the hardware uses, not those of the mapping. */
static void walk_sees_rights(void) {
    uint64_t before[3], entry[3];

    map_area(1);
    (void)area[0];
    EQ(walk(area, entry), 3);
    EQ(entry[2] & (V | LEAF), V | R); /* the page of zeroes */
    area[0] = 1;
    EQ(walk(area, before), 3);
    EQ(before[2] & (V | LEAF), V | R | W);
    OK(sys_mprotect((void *)area, PAGE, PROT_READ));
    EQ(walk(area, entry), 3);
    EQ(entry[2] & (V | LEAF), V | R);
    EQ(frame_of(entry[2]), frame_of(before[2]));
    OK(sys_mprotect((void *)area, PAGE,
                    PROT_NONE)); /* the page stays, but the hardware may not see it */
    EQ(walk(area, entry), 2);
    EQ(entry[2] & V, 0);
    EQ(frame_of(entry[2]), frame_of(before[2]));
    OK(sys_munmap((void *)area, PAGE));
    EQ(entry[2] & V, 0);
    CHECK(walk(area, entry) < 3);
    EQ(entry[2], 0);
}

/* Fork takes the valid bit from a table with many writable pages: the walk ends there, for both. */
static void sees_hidden_table(void) {
    uint64_t entry[3], frame;

    EQ(walk(area, entry), 1);
    CHECK(!(entry[1] & V) && frame_of(entry[1]) != 0);
    EQ(entry[2], 0);
    frame = frame_of(entry[1]);
    area[0] = 2; /* now there is a table of its own */
    EQ(walk(area, entry), 3);
    CHECK(frame_of(entry[1]) != frame);
}

static void walk_after_fork(void) {
    uint64_t entry[3];

    map_area(1);
    for (int i = 0; i < 512; i++)
        area[i * PAGE] = 1;
    child_ok(sees_hidden_table);
    EQ(walk(area, entry), 1);
    EQ(entry[2], 0);
    EQ(area[0], 1);
    EQ(walk(area, entry), 3);
}

/* ---- the file */

static void runs_have_rights(void) {
    map_area(2);
    for (int i = 508; i < 520; i++) /* over the end of a table */
        area[i * PAGE] = 1;
    OK(sys_mprotect((void *)(area + 510 * PAGE), 4 * PAGE, PROT_READ));
    OK(sys_mprotect((void *)(area + 515 * PAGE), PAGE, PROT_NONE));
    OK(sys_mprotect((void *)(area + 517 * PAGE), PAGE, PROT_READ | PROT_EXEC));
    read_runs("/proc/self/@FILE@");
    run_is(area, 508, 2, "rw-");
    run_is(area, 510, 4, "r--");
    run_is(area, 514, 1, "rw-");
    run_is(area, 516, 1, "rw-");
    run_is(area, 517, 1, "r-x");
    run_is(area, 518, 2, "rw-");
}

static void sleeps(void) {
    for (int i = 5; i < 5 + RUN; i++)
        area[i * PAGE] = 1;
    area[2 * PAGE] = 3;
    sleep_long();
}

/* Another process, and all of it: the code, the stack, nothing that is not there. */
static void runs_of_another(void) {
    char path[64];
    uint64_t pages = 0;
    bool code = false;
    int pid;

    map_area(1);
    pid = spawn(sleeps);
    until_asleep(pid);
    snprintf(path, sizeof(path), "/proc/%d/@FILE@", pid);
    read_runs(path);
    run_is(area, 2, 1, "rw-");
    run_is(area, 5, RUN, "rw-");
    for (int i = 0; i < nr_runs; i++) {
        uint64_t f = (uint64_t)runs_of_another;
        code |= runs[i].start <= f && f < runs[i].end && strcmp(runs[i].rights, "r-x") == 0;
        pages += runs[i].pages;
        CHECK(runs[i].end <= USER_TOP);
    }
    CHECK(code);
    CHECK(pages >= RUN + 3 && pages < 2000);
    kill_child(pid);
    read_runs("/proc/2/@FILE@"); /* a thread of the kernel has no memory */
    EQ(nr_runs, 0);
}

/* Others change what is shown. */
static volatile bool stop;

static void *changes(void *unused) {
    while (!stop) {
        for (int i = 0; i < 512; i += 2)
            area[i * PAGE] = 1;
        OK(sys_madvise((void *)area, BLOCK, MADV_DONTNEED));
    }
    return unused;
}

static void walk_while_others_change(void) {
    struct thread *t;
    uint64_t entry[3];

    map_area(1);
    stop = false;
    OK(thread_create(&t, changes, 0));
    for (int round = 0; round < 40; round++) {
        int pid = spawn(nothing);
        for (int i = 0; i < 200; i++) {
            long n = walk(area + i * PAGE, entry);
            CHECK(n >= 1 && n <= 3);
            CHECK(n < 3 || frame_of(entry[2]));
        }
        read_runs("/proc/self/@FILE@");
        wait_ok(pid);
    }
    stop = true;
    EQ(thread_join(t), 0);
}

/* ---- the page */

static void writes_facts(void) { *(volatile uint64_t *)FACTS_AT = 1; }
static void runs_facts(void) { ((void (*)(void))FACTS_AT)(); }

static void page_is_read_only(void) {
    int fds[2];

    EQ(FACTS->pid, getpid());
    EQ(child_signal(writes_facts), SIGSEGV);
    EQ(child_signal(runs_facts), SIGSEGV);
    FAILS(EACCES, sys_mprotect((void *)FACTS_AT, PAGE, RW));
    OK(sys_pipe2(fds, 0));
    EQ(sys_write(fds[1], (void *)FACTS_AT, 16),
       16); /* the kernel may read it for a program, but not write */
    FAILS(EFAULT, sys_read(fds[0], (void *)FACTS_AT, 16));
    for (uint64_t i = sizeof(struct facts) / 8; i < PAGE / 8; i++)
        EQ(((const volatile uint64_t *)FACTS_AT)[i], 0); /* nothing of what was there before */
    EQ(FACTS->pid, getpid());
}

static void family(int depth) {
    int pid;

    EQ(FACTS->pid, getpid());
    if (depth == 0)
        return;
    for (int i = 0; i < 2; i++) {
        pid = fork();
        OK(pid);
        if (pid == 0) {
            family(depth - 1);
            sys_exit_group(0);
        }
        EQ(FACTS->pid, getpid());
        wait_ok(pid);
    }
    EQ(FACTS->pid, getpid());
}

static void *thread_looks(void *unused) {
    (void)unused;
    return (void *)FACTS->pid;
}

static void page_of_each_process(void) {
    struct thread *t;

    family(3);
    OK(thread_create(&t, thread_looks, 0));
    EQ(thread_join(t), getpid());
}

static void has_not_looked(void) { sleep_long(); }

static void has_looked(void) {
    EQ(FACTS->pid, getpid());
    sleep_long();
}

/* /proc/PID/mem: what is read is the other's, or an error. */
static void page_seen_by_others(void) {
    void (*const child[])(void) = {has_not_looked, has_looked};

    EQ(FACTS->pid, getpid());
    for (int i = 0; i < 2; i++) {
        struct facts f;
        char path[64];
        int pid = spawn(child[i]), fd;
        until_asleep(pid);
        snprintf(path, sizeof(path), "/proc/%d/mem", pid);
        fd = (int)OK(open_at(path, O_RDONLY, 0));
        if (sys_pread64(fd, &f, sizeof(f), (int64_t)FACTS_AT) == sizeof(f) || i == 1)
            EQ(f.pid, pid);
        OK(sys_close(fd));
        kill_child(pid);
    }
}

/* ---- a debugger looks: hidden_gdb.py */

static void facts_are_looked_at(long stage) {
    EQ(FACTS->pid, getpid());
    look(stage, &FACTS->pid, getpid());
}

/* The second time, entry[] is where it stays. */
static void walk_is_looked_at(long stage, const volatile void *addr) {
    static uint64_t entry[3] __attribute__((aligned(32)));

    EQ(walk(addr, entry), 3);
    EQ(walk(addr, entry), 3);
    look(stage, entry, (long)addr);
}

static void child_is_looked_at(void) { facts_are_looked_at(4); }

static void seen_from_outside(void) {
    map_area(1);
    area[(seed % 512) * PAGE] = 1;
    facts_are_looked_at(1);
    walk_is_looked_at(2, (void *)FACTS_AT);
    walk_is_looked_at(3, area + (seed % 512) * PAGE);
    child_ok(child_is_looked_at);
    facts_are_looked_at(5);
}

const struct test hidden_tests[] = {
    {"walk_sees_the_tree", walk_sees_the_tree, 0},
    {"walk_sees_rights", walk_sees_rights, 0},
    {"walk_after_fork", walk_after_fork, 0},
    {"runs_have_rights", runs_have_rights, 0},
    {"runs_of_another", runs_of_another, 0},
    {"walk_while_others_change", walk_while_others_change, 0},
    {"page_is_read_only", page_is_read_only, 0},
    {"page_of_each_process", page_of_each_process, 0},
    {"page_seen_by_others", page_seen_by_others, 0},
    {"seen_from_outside", seen_from_outside, 0},
    {0, 0, 0},
};
