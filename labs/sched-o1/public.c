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

/* Each has the hart for a whole slice, then the other one does. */
static void slices_last(void) {
    static const int nice[] = {0, -10};
    uint64_t got[MOST];

    for (int i = 0; i < 2; i++)
        add_burner(SCHED_OTHER, nice[i]);
    measure(4000, 10, got);
    stop_burners();
    for (int i = 0; i < 2; i++) {
        long ms = (long)(burners[i].turn / 1000000), wanted = slice_ms(nice[i]);
        if (ms * 100 < wanted * 92 || ms * 100 > wanted * 108)
            fail_at("slice", "nice %d has %ld ms at a time instead of %ld", nice[i], ms, wanted);
    }
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

/* It sleeps for 5 ms and computes next to nothing, again and again. The first naps make it known as one that sleeps; the later ones
 * are to end in time. */
static void naps(void) {
    uint64_t start = ns_of(CLOCK_MONOTONIC), due, now;

    for (int i = 0; i < 250; i++) {
        due = ns_of(CLOCK_MONOTONIC) + 5000000;
        sleep_ms(5);
        now = ns_of(CLOCK_MONOTONIC);
        if (i >= 150 && now > due + 3000000)
            fail_at("wake-up", "%lu us late", (now - due) / 1000);
        if (now > start + 5000000000)
            fail_at("wake-up", "only %d naps of 5 ms are over after 5 s", i + 1);
    }
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
    {"slices_last", slices_last, 0},
    {"same_nice_same_share", same_nice_same_share, 0},
    {"sleeper_is_not_kept_waiting", sleeper_is_not_kept_waiting, 0},
    {0, 0, 0},
};
