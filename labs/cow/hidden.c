/* Lab cow: the tests that the handout does not have. */
#include "user/labtest/cow.h"
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

static int fds[2];

static void reads_into(void) {
    begun();
    for (long i = 0; i < 16; i++) {
        long value = ~word_of(i);
        EQ(sys_write(fds[1], &value, sizeof(value)), sizeof(value));
        EQ(sys_read(fds[0], (void *)word(i), sizeof(value)), sizeof(value));
    }
    for (long i = 0; i < 16; i++)
        EQ(*word(i), ~word_of(i));
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
        long value = i;
        pid = i == 0 ? spawn(sleep_long) : pid;
        EQ(sys_write(fds[1], &value, sizeof(value)), sizeof(value));
        EQ(sys_read(fds[0], (void *)word(i), sizeof(value)), sizeof(value));
        EQ(*word(i), i);
    }
    kill_child(pid);
}

static void check_generation(long depth) {
    for (long i = 0; i < COUNT; i++)
        EQ(*word(i), i % DEPTH < depth && i < 20 * DEPTH ? -i : word_of(i));
}

/* Each changes its pages, and sees those of its ancestors, but never those of its children. */
static void generation(long depth) {
    int pid;

    for (long i = depth; i < 20 * DEPTH; i += DEPTH)
        *word(i) = -i;
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

/* One of two threads that write the same pages, each at its own place. */
static void *writer(void *place) {
    for (int round = 0; round < 20; round++) {
        for (long i = 0; i < HAMMERED; i++)
            area[i * PAGE + (long)place] = (char)(round + i);
    }
    return 0;
}

static void two_writers(long place) {
    struct thread *other;

    OK(thread_create(&other, writer, (void *)(place + 1)));
    writer((void *)place);
    thread_join(other);
    for (long i = 0; i < HAMMERED; i++) {
        EQ(area[i * PAGE + place], (char)(19 + i));
        EQ(area[i * PAGE + place + 1], (char)(19 + i));
    }
}

static void child_writes(void) {
    begun();
    two_writers(1024);
    for (long i = 0; i < HAMMERED; i++)
        EQ(area[i * PAGE + 2048], 0x33);
}

static void both_write_at_once(void) {
    int pid;

    fill_area();
    for (int round = 0; round < 10; round++) {
        for (long i = 0; i < HAMMERED; i++) {
            area[i * PAGE + 1024] = 0x22;
            area[i * PAGE + 2048] = 0x33;
        }
        pid = cheap_fork(child_writes);
        two_writers(2048);
        wait_ok(pid);
        for (long i = 0; i < HAMMERED; i++)
            EQ(area[i * PAGE + 1024], 0x22);
    }
}

const struct test hidden_tests[] = {
    {"sole_user_keeps_its_page", sole_user_keeps_its_page, 0},
    {"kernel_writes", kernel_writes, 0},
    {"generations", generations, 0},
    {"both_write_at_once", both_write_at_once, 0},
    {0, 0, 0},
};
