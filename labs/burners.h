/* Tasks that compute, and how much of the hart each of them got. Time is the machine's, which counts
 * instructions, so a host that is slow or busy changes nothing. */
#ifndef LAB_BURNERS_H
#define LAB_BURNERS_H

#include "user/labtest/lab.h"
#include "user/usertests/ut.h"
#include "abi/resource.h"
#include "abi/sched.h"

#define MOST 8

struct burner {
    volatile uint64_t ns;   /* CPU time so far; 0 before it has begun */
    volatile uint64_t turn; /* what it had, the last time, before another burner had the hart */
    volatile long turns;    /* how often it came back after another one */
};
static struct burner *burners __attribute__((unused));
static volatile long *latest __attribute__((unused)); /* who of them was on the hart */
static int pids[MOST] __attribute__((unused)), nr_burners __attribute__((unused));

static inline uint64_t ns_of(int clock) {
    struct timespec t;

    OK(sys_clock_gettime(clock, &t));
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static inline long policy(int policy, int priority) {
    struct sched_param p = {priority};

    return sys_sched_setscheduler(0, policy, &p);
}

static inline void add_burner(int how, int nice) {
    int i = nr_burners++;

    if (!burners) {
        burners = shared_page();
        latest = (long *)(burners + MOST);
    }
    pids[i] = fork();
    OK(pids[i]);
    if (pids[i] == 0) {
        OK(sys_setpriority(PRIO_PROCESS, 0, nice));
        OK(policy(how, 0));
        for (uint64_t begun = 0;;) {
            burners[i].ns = ns_of(CLOCK_THREAD_CPUTIME_ID);
            if (*latest != i) {
                *latest = i;
                burners[i].turns++;
                burners[i].turn = burners[i].ns - begun;
                begun = burners[i].ns;
            }
        }
    }
}

/* got[]: ns that each burner has in so many ms, after the first ones. The test itself is of a real-time class, and sleeps. */
static inline uint64_t measure(int first_ms, int ms, uint64_t *got) {
    uint64_t sum = 0;

    OK(policy(SCHED_FIFO, 1));
    sleep_ms(first_ms);
    for (int i = 0; i < nr_burners; i++)
        got[i] = burners[i].ns;
    sleep_ms(ms);
    for (int i = 0; i < nr_burners; i++)
        sum += got[i] = burners[i].ns - got[i];
    return sum;
}

static inline void stop_burners(void) {
    for (int i = 0; i < nr_burners; i++)
        kill_child(pids[i]);
    OK(policy(SCHED_OTHER, 0));
}

/* Part a of sum is `wanted` thousandths, give or take `error`. */
static inline void share(uint64_t a, uint64_t sum, long wanted, long error) {
    long is = (long)(a * 1000 / (sum ? sum : 1));

    if (is < wanted - error || is > wanted + error)
        fail_at("share", "%ld of a thousand instead of %ld, +-%ld", is, wanted, error);
}

#endif
