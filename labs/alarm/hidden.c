/* Lab alarm: the tests that the handout does not have. */
#include "user/labtest/lab.h"
#include "user/usertests/ut.h"

static volatile int ticks, depth, deepest;
static char *volatile outer_frame, *volatile inner_frame;

static void set_timer(int timer, long first_ms, long period_ms) {
    struct itimerval v = {.it_interval = {period_ms / 1000, period_ms % 1000 * 1000},
                          .it_value = {first_ms / 1000, first_ms % 1000 * 1000}};

    OK(sys_setitimer(timer, &v, 0));
}

static void call_every(int timer, int sig, long ms, void (*handler)(int), uint64_t flags) {
    if (handler)
        on_signal(sig, handler, flags);
    set_timer(timer, ms, ms);
}

static void tick(int sig) {
    volatile double spoil = sig;

    for (int i = 0; i < 40; i++)
        spoil = spoil * 1.5 + i;
    ticks++;
}

/* Depends on every step, on integer and floating-point registers alike; the seed makes it new each time. */
static __attribute__((noipa)) uint64_t compute(long steps) {
    uint64_t a = seed, b = 2, c = 3, d = 4, e = 5, f = 6, g = 7, h = 8;
    double x = 0.5, y = 0.25, z = (double)(seed % 1000) / 1001;

    for (long i = 0; i < steps; i++) {
        a += b * 31, b ^= c << 7, c += d >> 3, d ^= e * 5;
        e += f << 2, f ^= g * 17, g += h >> 5, h ^= a + (uint64_t)i;
        x = x * 3.5 * (1 - x), y = y * 0.5 + x, z = z * 3.7 * (1 - z);
    }
    return a ^ b ^ c ^ d ^ e ^ f ^ g ^ h ^ (uint64_t)(x * 1e15) ^ (uint64_t)(y * 1e15) ^
           (uint64_t)(z * 1e15);
}

static void undisturbed(void) {
    uint64_t without = compute(200000);

    call_every(ITIMER_VIRTUAL, SIGVTALRM, PERIOD_MS, tick, SA_RESTART);
    while (ticks < CALLS) {
        CHECK(compute(200000) == without);
        CHECK(comes_still(ticks));
    }
    call_every(ITIMER_VIRTUAL, SIGVTALRM, 0, 0, 0);
}

/* It ends the alarms itself: on a slow machine they may come so thick that nothing else has a turn. */
static void slow_tick(int sig) {
    int64_t end = clock_ms(CLOCK_PROCESS_CPUTIME_ID) + 4 * PERIOD_MS;

    (void)sig;
    if (++depth > deepest)
        deepest = depth;
    while (clock_ms(CLOCK_PROCESS_CPUTIME_ID) < end)
        ;
    depth--;
    if (++ticks == 4)
        set_timer(ITIMER_REAL, 0, 0);
}

static void slow_handler(void) {
    call_every(ITIMER_REAL, SIGALRM, PERIOD_MS, slow_tick, SA_RESTART);
    while (ticks < 4)
        CHECK(comes_still(ticks));
    EQ(deepest, 1);
}

static void inner_tick(int sig) {
    (void)sig;
    ticks++;
    inner_frame = __builtin_frame_address(0);
}

/* The inner alarm is set here, so it strikes here. */
static void outer_tick(int sig) {
    (void)sig;
    if (inner_frame)
        return;
    ticks++;
    outer_frame = __builtin_frame_address(0);
    set_timer(ITIMER_REAL, PERIOD_MS, 0);
    while (!inner_frame)
        CHECK(comes_still(ticks));
}

static void nested_handlers(void) {
    uint64_t without = compute(100000);

    on_signal(SIGALRM, inner_tick, SA_RESTART);
    call_every(ITIMER_VIRTUAL, SIGVTALRM, PERIOD_MS, outer_tick, SA_RESTART);
    while (!inner_frame) {
        CHECK(compute(100000) == without);
        CHECK(comes_still(ticks));
    }
    call_every(ITIMER_VIRTUAL, SIGVTALRM, 0, 0, 0);
    CHECK(inner_frame < outer_frame);
}

static void count(int sig) {
    (void)sig;
    ticks++;
}

/* The frame goes to fresh memory, whose pages nobody has touched. */
static void on_fresh_pages(void) {
    for (int i = 0; i < 8; i++) {
        stack_t stack = {.ss_sp = map_pages(16, PROT_READ | PROT_WRITE), .ss_size = 16 * 4096};

        OK(sys_sigaltstack(&stack, 0));
        on_signal(SIGUSR1, count, SA_ONSTACK);
        OK(sys_kill(getpid(), SIGUSR1));
    }
    EQ(ticks, 8);
}

/* The stack is read-only: there is no place for the frame. */
static void on_no_pages(void) {
    stack_t stack = {.ss_sp = map_pages(16, PROT_READ), .ss_size = 16 * 4096};

    OK(sys_sigaltstack(&stack, 0));
    on_signal(SIGUSR1, count, SA_ONSTACK);
    OK(sys_kill(getpid(), SIGUSR1));
}

static void pages_for_the_frame(void) {
    child_ok(on_fresh_pages);
    EQ(child_signal(on_no_pages), SIGSEGV);
}

const struct test hidden_tests[] = {
    {"undisturbed", undisturbed, 0},
    {"slow_handler", slow_handler, 0},
    {"nested_handlers", nested_handlers, 0},
    {"pages_for_the_frame", pages_for_the_frame, 0},
    {0, 0, 0},
};
