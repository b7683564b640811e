/* Lab jos-ipc: fork in user space, the tests that the handout does not have. */
#include "user/labtest/ufork.h"

static volatile char big[PAGES][PAGE];

static void touch(char c) {
    for (int i = 0; i < PAGES; i++)
        big[i][1] = c;
}

static long pages_free(void) { return proc_number("/proc/xv39/counters", "pages_free"); }

static volatile int *flags; /* shared */

static void writes_when_told(void) {
    flags[0] = 1;
    while (!flags[1])
        sleep_ms(1);
    touch('c');
    flags[0] = 2;
    sleep_long();
}

static void until_flag(int value) {
    while (flags[0] != value)
        sleep_ms(1);
}

/* Pages are copied when they are written, not before, and then each of them. */
static void ufork_shares(void) {
    long before, shared, copied;
    int child;

    flags = shared_page();
    touch('p');
    before = pages_free();
    child = uspawn(writes_when_told);
    until_flag(1);
    shared = before - pages_free();
    flags[1] = 1;
    until_flag(2);
    copied = before - pages_free();
    for (int i = 0; i < PAGES; i++)
        EQ(big[i][1], 'p');
    kill_child(child);
    if (shared > PAGES / 2)
        fail_at("fork", "of %d pages %ld were copied before anybody wrote", PAGES, shared);
    CHECK(copied - shared > PAGES / 2);
}

static volatile int number;

/* A binary tree of processes; each has its number, and still has it when its children are gone. */
static void tree(int mine, int depth) {
    int left, right;

    number = mine;
    if (depth) {
        left = ufork();
        if (OK(left) == 0) {
            tree(2 * mine, depth - 1);
            sys_exit_group(0);
        }
        right = ufork();
        if (OK(right) == 0) {
            tree(2 * mine + 1, depth - 1);
            sys_exit_group(0);
        }
        wait_ok(left);
        wait_ok(right);
    }
    EQ(number, mine);
}

static void ufork_tree(void) { tree(1, DEPTH); }

static int fds[2];
static char buffer[2 * PAGE];

static void reads(void) {
    EQ(OK(sys_read(fds[0], buffer + PAGE - 3, 6)), 6);
    EQ(memcmp(buffer + PAGE - 3, "abcdef", 6), 0);
    buffer[PAGE] = 'z';
}

/* A system call that writes to a shared page. */
static void ufork_and_calls(void) {
    int child;

    OK(sys_pipe2(fds, 0));
    memset(buffer, 'p', sizeof(buffer));
    for (int i = 0; i < 3; i++) {
        child = uspawn(reads);
        EQ(sys_write(fds[1], "abcdef", 6), 6);
        wait_ok(child);
        for (size_t at = 0; at < sizeof(buffer); at++)
            EQ(buffer[at], 'p');
    }
}

static const int constant[PAGE] = {1};

static void writes_a_constant(void) { *(volatile int *)&constant[0] = 2; }
static volatile uint64_t nowhere = 16;
static void writes_nowhere(void) { *(volatile int *)nowhere = 2; }

/* The handler repairs what fork has shared, and nothing else. */
static void ufork_hides_no_fault(void) {
    wait_ok(uspawn(nothing));
    EQ(wait_status(uspawn(writes_a_constant)), SIGSEGV);
    EQ(wait_status(uspawn(writes_nowhere)), SIGSEGV);
    EQ(constant[0], 1);
}

const struct test hidden_apart_tests[] = {
    {"ufork_shares", ufork_shares, 0},
    {"ufork_tree", ufork_tree, 0},
    {"ufork_and_calls", ufork_and_calls, 0},
    {"ufork_hides_no_fault", ufork_hides_no_fault, 0},
    {0, 0, 0},
};
