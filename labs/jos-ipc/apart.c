/* Lab jos-ipc: fork in user space, the tests that come with the handout. */
#include "user/labtest/ufork.h"

static volatile int *turn; /* shared */
static volatile int data[2][PAGE / sizeof(int)];

static void until_turn(int n) {
    while (*turn != n)
        sys_sched_yield();
}

static void child_of_copies(void) {
    until_turn(1);
    EQ(data[0][0], 10);
    EQ(data[1][0], 20);
    data[0][0] = 11;
    data[1][1] = 12;
    *turn = 2;
    until_turn(3);
    EQ(data[0][0], 11);
    EQ(data[1][0], 20);
}

/* Each writes, and neither sees what the other wrote. */
static void ufork_copies(void) {
    volatile int mine = 7;
    int child;

    turn = shared_page();
    data[0][0] = 10;
    data[1][0] = 20;
    child = ufork();
    if (OK(child) == 0) {
        EQ(mine, 7);
        mine = 8;
        child_of_copies();
        EQ(mine, 8);
        sys_exit_group(0);
    }
    data[0][0] = 13;
    mine = 9;
    *turn = 1;
    until_turn(2);
    EQ(data[0][0], 13);
    EQ(data[1][1], 0);
    *turn = 3;
    wait_ok(child);
    EQ(mine, 9);
}

const struct test apart_tests[] = {
    {"ufork_copies", ufork_copies, 0},
    {0, 0, 0},
};
