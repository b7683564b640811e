/* Lab sched-cfs: the tests that the handout does not have. */
#include "user/labtest/weights.h"

static void shares_of_three(void) {
    static const int nice[] = {-5, 0, 5};
    uint64_t got[MOST], sum;
    long all = 0;

    for (int i = 0; i < 3; i++) {
        add_burner(SCHED_OTHER, nice[i]);
        all += weight(nice[i]);
    }
    sum = measure(500, 3000, got);
    stop_burners();
    for (int i = 0; i < 3; i++)
        share(got[i], sum, 1000 * weight(nice[i]) / all, 30);
}

static void idle_policy_gets_least(void) {
    uint64_t got[MOST], sum;

    add_burner(SCHED_OTHER, 0);
    add_burner(SCHED_IDLE, 0);
    sum = measure(500, 4000, got);
    stop_burners();
    share(got[1], sum, 3, 10);
    CHECK(burners[1].ns > 0);
}

/* ---- who comes late */

static volatile uint64_t *gate; /* the moment from which on the late one computes */

/* By itself, or by a child that it makes then. */
static void add_late_burner(bool new_one) {
    int i = nr_burners++;

    pids[i] = fork();
    if (OK(pids[i]) == 0) {
        while (!*gate)
            sleep_ms(20);
        if (new_one && OK(fork()))
            sleep_long();
        for (;;)
            burners[i].ns = ns_of(CLOCK_THREAD_CPUTIME_ID);
    }
}

/* What it has in the first 150 ms is half, give or take what it is ahead: what it slept is not paid back. */
static void no_more_than_its_share(void) {
    uint64_t before[2], now[2];

    OK(policy(SCHED_FIFO, 1));
    for (int i = 0; i < 2; i++)
        before[i] = burners[i].ns;
    sleep_ms(150);
    for (int i = 0; i < 2; i++)
        now[i] = burners[i].ns - before[i];
    stop_burners();
    share(now[1], now[0] + now[1], 500, 120);
}

static void comes_late(bool new_one) {
    gate = shared_page();
    add_burner(SCHED_OTHER, 0);
    add_late_burner(new_one);
    measure(3000, 10, (uint64_t[MOST]){0});
    *gate = 1;
    sleep_ms(60);
    no_more_than_its_share();
}

static void sleep_is_not_paid_back(void) { comes_late(false); }
static void newcomer_begins_with_the_others(void) { comes_late(true); }

/* ---- changes */

static void nice_changes(void) {
    uint64_t got[MOST], sum;

    add_burner(SCHED_OTHER, 0);
    add_burner(SCHED_OTHER, 0);
    sum = measure(500, 1000, got);
    share(got[0], sum, 500, 30);
    OK(sys_setpriority(PRIO_PROCESS, pids[0], NICE));
    sum = measure(100, 2000, got);
    stop_burners();
    share(got[0], sum, 1000 * weight(NICE) / (weight(0) + weight(NICE)), 30);
}

static void yields(void) {
    for (;;) {
        sys_sched_yield();
        burners[1].ns = ns_of(CLOCK_THREAD_CPUTIME_ID);
    }
}

/* Two that do nothing but let others go first leave them all but a little of the hart, and go on themselves. */
static void who_yields_waits(void) {
    uint64_t got[MOST], sum;

    add_burner(SCHED_OTHER, 0);
    pids[nr_burners++] = spawn(yields);
    sum = measure(500, 2000, got);
    stop_burners();
    if (got[0] * 10 < sum * 9)
        fail_at("yield", "who computes has only %lu of a thousand", got[0] * 1000 / sum);
    CHECK(got[1] > 0);
}

const struct test hidden_tests[] = {
    {"shares_of_three", shares_of_three, 0},
    {"idle_policy_gets_least", idle_policy_gets_least, 0},
    {"sleep_is_not_paid_back", sleep_is_not_paid_back, 0},
    {"newcomer_begins_with_the_others", newcomer_begins_with_the_others, 0},
    {"nice_changes", nice_changes, 0},
    {"who_yields_waits", who_yields_waits, 0},
    {0, 0, 0},
};
