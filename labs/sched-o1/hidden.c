/* Lab sched-o1: the tests that the handout does not have. */
#include "user/labtest/slices.h"

static void slices_of_three(void) {
    static const int nice[] = {-10, 0, 10};
    uint64_t got[MOST], sum;
    long all = 0;

    for (int i = 0; i < 3; i++) {
        add_burner(SCHED_OTHER, nice[i]);
        all += slice_ms(nice[i]);
    }
    sum = measure(4000, (int)(4 * all), got);
    stop_burners();
    for (int i = 0; i < 3; i++)
        share(got[i], sum, 1000 * slice_ms(nice[i]) / all, 60);
}

static void idle_policy_gets_least(void) {
    uint64_t got[MOST], sum;

    add_burner(SCHED_OTHER, 0);
    add_burner(SCHED_IDLE, 0);
    sum = measure(2500, 3000, got);
    stop_burners();
    share(got[1], sum, 1000 * SLOW_STEP / (SLOW_STEP + slice_ms(0)), 25);
    CHECK(got[1] > 0);
}

/* Four tasks: in any time of two rounds everybody has had one slice, and nobody more than three. */
static void rounds(void) {
    static const int nice[] = {0, 5, 10, 19};
    uint64_t before[4], got;
    long round = 0;

    for (int i = 0; i < 4; i++) {
        add_burner(SCHED_OTHER, nice[i]);
        round += slice_ms(nice[i]);
    }
    OK(policy(SCHED_FIFO, 1));
    sleep_ms(3000);
    for (int times = 0; times < 5; times++) {
        for (int i = 0; i < 4; i++)
            before[i] = burners[i].ns;
        sleep_ms((int)(2 * round));
        for (int i = 0; i < 4; i++) {
            got = burners[i].ns - before[i];
            if (got < slice_ms(nice[i]) * 500000ul || got > slice_ms(nice[i]) * 3200000ul)
                fail_at("round", "nice %d had %lu us in two rounds of %ld ms, its slice is %ld ms",
                        nice[i], got / 1000, round, slice_ms(nice[i]));
        }
    }
    stop_burners();
}

static volatile uint64_t *ran; /* shared: when each of two first ran after the start */
static volatile uint64_t *start_at;

static void races(int i, int nice) {
    OK(sys_setpriority(PRIO_PROCESS, 0, nice));
    while (ns_of(CLOCK_MONOTONIC) < *start_at)
        sleep_ms(1);
    for (uint64_t end = ns_of(CLOCK_THREAD_CPUTIME_ID) + 10000000;
         ns_of(CLOCK_THREAD_CPUTIME_ID) < end;)
        ;
    ran[i] = ns_of(CLOCK_MONOTONIC);
}

static void worse(void) { races(0, 15); }
static void better(void) { races(1, -5); }

/* Both need 10 ms; the better level has them first, though the other one is older. */
static void better_level_first(void) {
    int first, second;

    ran = shared_page();
    start_at = ran + 8;
    *start_at = ns_of(CLOCK_MONOTONIC) + 300000000;
    first = spawn(worse);
    second = spawn(better);
    wait_ok(first);
    wait_ok(second);
    CHECK(ran[1] < ran[0]);
}

const struct test hidden_tests[] = {
    {"slices_of_three", slices_of_three, 0},
    {"idle_policy_gets_least", idle_policy_gets_least, 0},
    {"rounds", rounds, 0},
    {"better_level_first", better_level_first, 0},
    {0, 0, 0},
};
