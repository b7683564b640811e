/* Lab cow: the tests that the handout does not have. */
#include "user/labtest/cow.h"
#include "user/labtest/judge.h"

#define LOOKED_AT 64                      /* pages, as hidden_gdb.py has it */
#define CHOSEN ((long)(seed % LOOKED_AT)) /* the one that the child writes */
#include "user/lib/thread.h"

static long copies(void) { return proc_number("/proc/vmstat", "cow_copy"); }

/* The child is gone: whoever asks how many have the page learns that it is the parent alone. */
static void sole_user_keeps_its_page(void) {
    long before;
    int pid;

    fill_area();
    pid = cheap_fork(begun);
    wait_ok(pid);
    before = copies();
    for (long i = 0; i < COUNT; i++)
        *word(i) = ~word_of(i);
    before = copies() - before;
    if (before > FEW)
        fail_at("copies", "%ld pages were copied that nobody else had", before);
    for (long i = 0; i < COUNT; i++)
        EQ(*word(i), ~word_of(i));
}

/* The number of the i-th of n pages that lie all over the area, under many tables. */
static long spread(long i, long n) { return i * (COUNT / n); }

static int fds[2];

#define READ_INTO 16

static void reads_into(void) {
    begun();
    for (long i = 0; i < READ_INTO; i++) {
        long value = ~word_of(i);
        EQ(sys_write(fds[1], &value, sizeof(value)), sizeof(value));
        EQ(sys_read(fds[0], (void *)word(spread(i, READ_INTO)), sizeof(value)), sizeof(value));
    }
    for (long i = 0; i < READ_INTO; i++)
        EQ(*word(spread(i, READ_INTO)), ~word_of(i));
}

static void kernel_writes(void) {
    int pid;

    OK(sys_pipe2(fds, 0));
    fill_area();
    pid = cheap_fork(reads_into);
    wait_ok(pid);
    for (long i = 0; i < COUNT; i++)
        EQ(*word(i), word_of(i));
    for (long i = 0; i < 4; i++) { /* and in the parent while there is a child */
        long value = i, page = spread(i, 4);
        pid = i == 0 ? spawn(sleep_long) : pid;
        EQ(sys_write(fds[1], &value, sizeof(value)), sizeof(value));
        EQ(sys_read(fds[0], (void *)word(page), sizeof(value)), sizeof(value));
        EQ(*word(page), i);
    }
    kill_child(pid);
}

#define CHANGED (20 * DEPTH) /* pages, by all generations together */

static void check_generation(long depth) {
    for (long page = 0; page < COUNT; page++) {
        long i = page / spread(1, CHANGED);
        bool changed = page == spread(i, CHANGED) && i < CHANGED && i % DEPTH < depth;
        EQ(*word(page), changed ? -i : word_of(page));
    }
}

/* Each changes its pages, and sees those of its ancestors, but never those of its children. */
static void generation(long depth) {
    int pid;

    for (long i = depth; i < CHANGED; i += DEPTH)
        *word(spread(i, CHANGED)) = -i;
    if (depth + 1 < DEPTH) {
        pid = fork();
        OK(pid);
        if (pid == 0) {
            generation(depth + 1);
            sys_exit_group(0);
        }
        wait_ok(pid);
    }
    check_generation(depth + 1);
}

static void generations(void) {
    int pid;

    fill_area();
    pid = cheap_fork(begun);
    wait_ok(pid);
    generation(0);
}

#define HAMMERED 64

static volatile char *hammered(long i) { return area + spread(i, HAMMERED) * PAGE; }

/* One of two threads that write the same pages, each at its own place. */
static void *writer(void *place) {
    for (int round = 0; round < 20; round++) {
        for (long i = 0; i < HAMMERED; i++)
            hammered(i)[(long)place] = (char)(round + i);
    }
    return 0;
}

static void two_writers(long place) {
    struct thread *other;

    OK(thread_create(&other, writer, (void *)(place + 1)));
    writer((void *)place);
    thread_join(other);
    for (long i = 0; i < HAMMERED; i++) {
        EQ(hammered(i)[place], (char)(19 + i));
        EQ(hammered(i)[place + 1], (char)(19 + i));
    }
}

static void child_writes(void) {
    begun();
    two_writers(1024);
    for (long i = 0; i < HAMMERED; i++)
        EQ(hammered(i)[2048], 0x33);
}

static void both_write_at_once(void) {
    int pid;

    fill_area();
    for (int round = 0; round < 10; round++) {
        for (long i = 0; i < HAMMERED; i++) {
            hammered(i)[1024] = 0x22;
            hammered(i)[2048] = 0x33;
        }
        pid = cheap_fork(child_writes);
        two_writers(2048);
        wait_ok(pid);
        for (long i = 0; i < HAMMERED; i++)
            EQ(hammered(i)[1024], 0x22);
    }
}

/* A debugger looks at the page tables: hidden_gdb.py. All pages have been read before each look, so all are there. */
static void read_all(void) {
    for (long i = 0; i < LOOKED_AT; i++)
        EQ(*(volatile long *)(area + i * PAGE), word_of(i));
}

static void child_is_looked_at(void) {
    read_all();
    look(2, area, LOOKED_AT);
    *(volatile long *)(area + CHOSEN * PAGE) = -1;
    look(3, area, LOOKED_AT);
    reach(1);
    await(2);
}

static void seen_from_outside(void) {
    int pid;

    steps = shared_page();
    area = map_pages(LOOKED_AT, PROT_READ | PROT_WRITE);
    for (long i = 0; i < LOOKED_AT; i++)
        *(volatile long *)(area + i * PAGE) = word_of(i);
    look(1, area, LOOKED_AT);
    pid = spawn(child_is_looked_at);
    await(1);
    read_all();
    look(4, area, LOOKED_AT);
    reach(2);
    wait_ok(pid);
    *(volatile long *)(area + (CHOSEN ^ 1) * PAGE) = 1;
    look(5, area, LOOKED_AT);
}

const struct test hidden_tests[] = {
    {"sole_user_keeps_its_page", sole_user_keeps_its_page, 0},
    {"kernel_writes", kernel_writes, 0},
    {"generations", generations, 0},
    {"both_write_at_once", both_write_at_once, 0},
    {"seen_from_outside", seen_from_outside, 0},
    {0, 0, 0},
};
