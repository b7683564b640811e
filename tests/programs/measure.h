// What programs that count instructions share.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void check(int ok, const char *what) {
    if (!ok) {
        perror(what);
        exit(1);
    }
}

static long now(void) {
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000L + t.tv_nsec;
}

// Until that moment; by how much later it is then.
static long sleep_until(long end) {
    struct timespec t = {end / 1000000000, end % 1000000000};

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, 0))
        ;
    return now() - end;
}
