// What the fair class's queue costs when N tasks wait in it, in instructions:  runqueue N...  (as init, under -icount shift=0)
// A FIFO task keeps the hart, so that the others wait. It changes the nice value of one (out of the queue and in again),
// and sleeps, which gives the hart to one of them (pick) and takes it away (put back). Prints `N: CHANGE SLEEP`.
#define _GNU_SOURCE
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include "measure.h"

#define TIMES 500
#define LONGEST_TURN 101000000L // ns: o1's
#define MOST 20000

static pid_t pids[MOST];
static int waiting;

static void add_until(int n) {
    for (; waiting < n; waiting++) {
        pids[waiting] = fork();
        if (pids[waiting] == 0)
            for (;;)
                ;
        check(pids[waiting] > 0, "fork");
    }
}

// The end of the last turn of any of them may still be awaited by a timer: until it is not, a new one need not set it.
static void let_turn_end(void) {
    for (long end = now() + LONGEST_TURN; now() < end;)
        ;
}

static void change(int i, int nice) { check(setpriority(PRIO_PROCESS, pids[i], nice) == 0, "setpriority"); }

// From one nice value to another and back, of tasks from all over the queue.
static long cost_of_change(void) {
    long start = now();

    for (int i = 0; i < TIMES; i++) {
        int which = (int)((unsigned)i * 7919u % (unsigned)waiting);

        change(which, 3);
        change(which, 0);
    }
    return (now() - start) / (2 * TIMES);
}

// Beyond the moment that was asked for.
static long cost_of_sleep(void) {
    long late = 0;

    for (int i = 0; i < TIMES; i++)
        late += sleep_until(now() + 50000);
    return late / TIMES;
}

int main(int argc, char **argv) {
    struct sched_param p = {50};
    FILE *f;

    check(mount("proc", "/proc", "proc", 0, 0) == 0, "mount");
    f = fopen("/proc/sys/kernel/sched_rt_runtime_us", "w");
    check(f && fprintf(f, "-1") == 2 && fclose(f) == 0, "sched_rt_runtime_us");
    check(sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &p) == 0, "sched_setscheduler");
    for (int i = 1; i < argc; i++) {
        long changed;

        add_until(atoi(argv[i]));
        cost_of_sleep();
        let_turn_end();
        changed = cost_of_change();
        printf("%d: %ld %ld\n", waiting, changed, cost_of_sleep());
    }
    return 0;
}
