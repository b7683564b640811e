/* Lab sched-o1: the tests that come with the handout. */
#include "user/labtest/slices.h"

static void slices_of_two(void) {
    uint64_t got[MOST], sum;
    long wanted = 1000 * slice_ms(0) / (slice_ms(0) + slice_ms(15));

    add_burner(SCHED_OTHER, 0);
    add_burner(SCHED_OTHER, 15);
    sum = measure(2500, 3000, got);
    stop_burners();
    share(got[0], sum, wanted, 50);
}

static void same_nice_same_share(void) {
    uint64_t got[MOST], sum;

    for (int i = 0; i < 3; i++)
        add_burner(SCHED_OTHER, 0);
    sum = measure(2000, 3000, got);
    stop_burners();
    for (int i = 0; i < 3; i++)
        share(got[i], sum, 333, 50);
}

/* It sleeps for 5 ms and computes next to nothing, again and again: how late is it, in the worst of the later times? */
static void naps(void) {
    uint64_t due, now, worst = 0;

    for (int i = 0; i < 250; i++) {
        due = ns_of(CLOCK_MONOTONIC) + 5000000;
        sleep_ms(5);
        now = ns_of(CLOCK_MONOTONIC);
        if (i >= 150 && now > due && now - due > worst)
            worst = now - due;
    }
    if (worst > 3000000)
        fail_at("wake-up", "%lu us late", worst / 1000);
}

static void sleeper_is_not_kept_waiting(void) {
    uint64_t got[MOST];
    int pid;

    add_burner(SCHED_OTHER, 0);
    add_burner(SCHED_OTHER, 0);
    measure(2000, 10, got); /* the burners have used up what they had from their parent */
    OK(policy(SCHED_OTHER, 0));
    pid = spawn(naps);
    wait_ok(pid);
    stop_burners();
}

const struct test public_tests[] = {
    {"slices_of_two", slices_of_two, 0},
    {"same_nice_same_share", same_nice_same_share, 0},
    {"sleeper_is_not_kept_waiting", sleeper_is_not_kept_waiting, 0},
    {0, 0, 0},
};
