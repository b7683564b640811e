/* alarmdemo [-p MS]: a function is called every MS milliseconds of CPU time (10), whatever main is
 * at: the classic alarm exercise, in three scenes. docs/signals.md tells how the kernel does it.
 *
 *   undisturbed   main computes with all registers full, once without alarms and once with them: the
 *                 same result, for the handler's frame brings every register back
 *   slow          the handler takes longer than the period: it is not called again within itself,
 *                 and expirations meanwhile are one
 *   interrupted   a handler is interrupted by that of another timer: two frames on one stack */
#include "user/lib/tool.h"

static long period_ms = 10;
static volatile int ticks, depth, deepest;
static char *volatile outer_frame, *volatile inner_frame; /* where the handlers' own stack begins */

static int64_t cpu_ms(void) {
    struct timespec t;

    sys_clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void burn(long ms) {
    for (int64_t end = cpu_ms() + ms; cpu_ms() < end;)
        ;
}

/* The handler gets sig each time that ms milliseconds have passed on the clock; 0: no more. */
static void call_every(int timer, int sig, long ms, void (*handler)(int)) {
    struct sigaction act = {.sa_handler = handler, .sa_flags = SA_RESTART};
    struct timeval t = {ms / 1000, ms % 1000 * 1000};
    struct itimerval period = {t, t};

    if (ms)
        sys_rt_sigaction(sig, &act, 0, sizeof(act.sa_mask));
    sys_setitimer(timer, &period, 0);
}

/* ---- undisturbed */

/* A number that depends on every step; eight integers and two doubles live in registers. */
static __attribute__((noipa)) uint64_t compute(long steps) {
    uint64_t a = 1, b = 2, c = 3, d = 4, e = 5, f = 6, g = 7, h = 8;
    double x = 0.5, y = 0.25;

    for (long i = 0; i < steps; i++) {
        a += b * 31, b ^= c << 7, c += d >> 3, d ^= e * 5;
        e += f << 2, f ^= g * 17, g += h >> 5, h ^= a + (uint64_t)i;
        x = x * 3.5 * (1 - x), y = y * 0.5 + x;
    }
    return a ^ b ^ c ^ d ^ e ^ f ^ g ^ h ^ (uint64_t)(x * 1e15) ^ (uint64_t)(y * 1e15);
}

static void tick(int sig) {
    (void)sig;
    ticks++;
}

static bool undisturbed(void) {
    uint64_t without, with;
    int64_t start, took;
    long steps = 100000;

    do {
        steps *= 2;
        start = cpu_ms();
        without = compute(steps);
        took = cpu_ms() - start;
    } while (took < 20 * period_ms);
    ticks = 0;
    call_every(ITIMER_VIRTUAL, SIGVTALRM, period_ms, tick);
    start = cpu_ms();
    do
        with = compute(steps);
    while (with == without && ticks < 4);
    took = cpu_ms() - start;
    call_every(ITIMER_VIRTUAL, SIGVTALRM, 0, 0);
    printf("undisturbed: %d calls in %ld ms; result 0x%lx without them, 0x%lx with them\n", ticks,
           took, without, with);
    return with == without;
}

/* ---- slow */

static void slow_tick(int sig) {
    (void)sig;
    ticks++;
    if (++depth > deepest)
        deepest = depth;
    burn(5 * period_ms);
    depth--;
}

static bool slow(void) {
    int64_t start = cpu_ms();

    ticks = deepest = 0;
    call_every(ITIMER_VIRTUAL, SIGVTALRM, period_ms, slow_tick);
    while (ticks < 4)
        ;
    call_every(ITIMER_VIRTUAL, SIGVTALRM, 0, 0);
    printf("slow: %d calls in %ld ms, at most %d at a time\n", ticks, cpu_ms() - start, deepest);
    return deepest == 1;
}

/* ---- interrupted */

static void inner_tick(int sig) {
    (void)sig;
    if (outer_frame && !inner_frame)
        inner_frame = __builtin_frame_address(0);
}

/* If both timers strike at once, this handler begins on top of the other's frame, in which SIGALRM is
 * blocked: then nothing can interrupt it, and it leaves the matter to the next time. */
static void outer_tick(int sig) {
    int64_t end = cpu_ms() + 5 * period_ms;

    (void)sig;
    outer_frame = __builtin_frame_address(0);
    while (!inner_frame && cpu_ms() < end)
        ;
    if (!inner_frame)
        outer_frame = 0;
}

static bool interrupted(void) {
    call_every(ITIMER_REAL, SIGALRM, period_ms, inner_tick);
    call_every(ITIMER_VIRTUAL, SIGVTALRM, period_ms, outer_tick);
    while (!inner_frame)
        ;
    call_every(ITIMER_VIRTUAL, SIGVTALRM, 0, 0);
    call_every(ITIMER_REAL, SIGALRM, 0, 0);
    printf("interrupted: the outer handler's stack is at %p, the inner's %ld bytes below\n",
           (void *)outer_frame, (long)(outer_frame - inner_frame));
    return inner_frame < outer_frame;
}

int main(int argc, char **argv) {
    struct opts o = opts_start(argv, "p:", "[-p MS]");
    bool good;

    (void)argc;
    while (opt_next(&o)) {
        if (!parse_num(o.arg, 10, &period_ms) || period_ms < 1)
            die("%s: not a number of milliseconds", o.arg);
    }
    good = undisturbed();
    good &= slow();
    good &= interrupted();
    if (!good)
        die("this is not what the chapter says");
    return 0;
}
