/* Lab sched-cfs: the tests that come with the handout. */
#include "user/labtest/weights.h"

static void same_nice_same_share(void) {
    uint64_t got[MOST], sum;

    for (int i = 0; i < 3; i++)
        add_burner(SCHED_OTHER, 0);
    sum = measure(500, 2000, got);
    stop_burners();
    for (int i = 0; i < 3; i++)
        share(got[i], sum, 333, 30);
}

static void shares_of_two(void) {
    uint64_t got[MOST], sum;

    add_burner(SCHED_OTHER, 0);
    add_burner(SCHED_OTHER, NICE);
    sum = measure(500, 2000, got);
    stop_burners();
    share(got[0], sum, 1000 * weight(0) / (weight(0) + weight(NICE)), 30);
}

/* Of three that compute each has a third of the latency at a time, LATENCY ms. They are heavy: the program that watches over
 * the test wakes each millisecond, and must not preempt them. */
static void turns(void) {
    uint64_t got[MOST], sum;
    long before = 0, switches = 0, turn;

    for (int i = 0; i < 3; i++)
        add_burner(SCHED_OTHER, -15);
    sum = measure(500, 100, got);
    for (int i = 0; i < 3; i++)
        before += burners[i].turns;
    sum = measure(0, 3000, got);
    for (int i = 0; i < 3; i++)
        switches += burners[i].turns;
    stop_burners();
    CHECK(switches > before);
    turn = (long)(sum / (uint64_t)(switches - before) / 1000);
    if (turn < LATENCY * 1000 / 3 * 8 / 10 || turn > LATENCY * 1000 / 3 * 13 / 10)
        fail_at("turns", "a turn takes %ld us instead of %d", turn, LATENCY * 1000 / 3);
}

/* It sleeps for 5 ms and computes next to nothing, again and again: none of the later naps ends late. */
static void naps(void) {
    uint64_t due, now;

    for (int i = 0; i < 200; i++) {
        due = ns_of(CLOCK_MONOTONIC) + 5000000;
        sleep_ms(5);
        now = ns_of(CLOCK_MONOTONIC);
        if (i >= 50 && now > due + 2000000)
            fail_at("wake-up", "%lu us late", (now - due) / 1000);
    }
}

static void sleeper_is_not_kept_waiting(void) {
    uint64_t got[MOST];
    int pid;

    add_burner(SCHED_OTHER, 0);
    add_burner(SCHED_OTHER, 0);
    measure(500, 10, got);
    OK(policy(SCHED_OTHER, 0));
    pid = spawn(naps);
    wait_ok(pid);
    stop_burners();
}

const struct test public_tests[] = {
    {"same_nice_same_share", same_nice_same_share, 0},
    {"shares_of_two", shares_of_two, 0},
    {"turns", turns, 0},
    {"sleeper_is_not_kept_waiting", sleeper_is_not_kept_waiting, 0},
    {0, 0, 0},
};
