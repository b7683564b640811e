/* Clocks, sleeps and accounting. */
#include "user/usertests/ut.h"
#include "abi/resource.h"
#include "abi/sched.h"
#include "abi/timex.h"

static int64_t ns_of(const struct timespec *t) { return t->tv_sec * 1000000000 + t->tv_nsec; }

static void monotonic(void) {
    struct timespec a, b;

    OK(sys_clock_gettime(CLOCK_MONOTONIC, &a));
    for (int i = 0; i < 1000; i++) {
        OK(sys_clock_gettime(CLOCK_MONOTONIC, &b));
        CHECK(ns_of(&b) >= ns_of(&a));
        CHECK(b.tv_nsec >= 0 && b.tv_nsec < 1000000000);
        a = b;
    }
}

static void all_clocks(void) {
    static const int clocks[] = {0, 1, 2, 3, 4, 5, 6, 7};
    struct timespec t;
    struct timeval tv, later;

    for (size_t i = 0; i < ARRAY_LEN(clocks); i++) {
        OK(sys_clock_gettime(clocks[i], &t));
        OK(sys_clock_getres(clocks[i], &t));
        CHECK(ns_of(&t) > 0 && ns_of(&t) <= 20000000);
    }
    FAILS(EINVAL, sys_clock_gettime(77, &t));
    FAILS(EINVAL, sys_clock_getres(77, &t));
    OK(sys_gettimeofday(&tv, 0));
    OK(sys_clock_gettime(CLOCK_REALTIME, &t));
    OK(sys_gettimeofday(&later, 0));
    CHECK(tv.tv_sec <= t.tv_sec && t.tv_sec <= later.tv_sec);
}

/* ns that a sleep took, which is no less than it should. */
static int64_t slept(int ms) {
    struct timespec t = {0, ms * 1000000L}, a, b;

    OK(sys_clock_gettime(CLOCK_MONOTONIC, &a));
    OK(sys_nanosleep(&t, 0));
    OK(sys_clock_gettime(CLOCK_MONOTONIC, &b));
    CHECK(ns_of(&b) - ns_of(&a) >= ms * 1000000L);
    return ns_of(&b) - ns_of(&a);
}

/* A host may prolong one of them, not each. */
static void sleep_lengths(void) {
    static const int ms[] = {0, 1, 3, 10, 55};

    for (size_t i = 0; i < ARRAY_LEN(ms); i++) {
        int tries = 0;
        while (slept(ms[i]) >= 1000000000L)
            CHECK(++tries < 10);
    }
}

static void sleep_errors(void) {
    struct timespec t = {0, 1000000000};

    FAILS(EINVAL, sys_nanosleep(&t, 0));
    t = (struct timespec){-1, 0};
    FAILS(EINVAL, sys_nanosleep(&t, 0));
    t = (struct timespec){0, -1};
    FAILS(EINVAL, sys_nanosleep(&t, 0));
    t = (struct timespec){0, 0};
    FAILS(EINVAL, sys_clock_nanosleep(99, 0, &t, 0));
}

static void absolute_sleep(void) {
    struct timespec t, now;

    OK(sys_clock_gettime(CLOCK_MONOTONIC, &t));
    OK(sys_clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, 0)); /* past: at once */
    t.tv_nsec += 20000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_nsec -= 1000000000;
        t.tv_sec++;
    }
    OK(sys_clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, 0));
    OK(sys_clock_gettime(CLOCK_MONOTONIC, &now));
    CHECK(ns_of(&now) >= ns_of(&t));
}

#define SLEEPERS 5

/* Sleeps until the moment, having said so, and then says which one it is. */
static void sleep_until(const struct timespec *moment, int ready, int done, char nr) {
    sys_write(ready, &nr, 1);
    sys_clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, moment, 0);
    sys_write(done, &nr, 1);
    sys_exit_group(0);
}

/* Sleepers, the last to wake first, wake in the order of their times. False: the machine was too
 * slow to have all of them asleep half of delay_ms before the first wakes. */
static bool wake_in_order(int delay_ms) {
    int ready[2], done[2];
    struct timespec start, now, moment;
    char c;

    OK(sys_pipe2(ready, 0));
    OK(sys_pipe2(done, 0));
    OK(sys_clock_gettime(CLOCK_MONOTONIC, &start));
    for (int i = SLEEPERS; i > 0; i--) {
        int64_t ns = ns_of(&start) + (delay_ms + 10 * i) * 1000000l;
        moment = (struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
        if (OK(fork()) == 0)
            sleep_until(&moment, ready[1], done[1], (char)i);
    }
    for (int i = 0; i < SLEEPERS; i++)
        EQ(sys_read(ready[0], &c, 1), 1);
    OK(sys_clock_gettime(CLOCK_MONOTONIC, &now));
    bool early = ns_of(&now) < ns_of(&start) + delay_ms * 500000l;
    for (int i = 1; i <= SLEEPERS; i++) {
        EQ(sys_read(done[0], &c, 1), 1);
        if (early)
            EQ(c, i);
    }
    while (sys_wait4(-1, 0, 0, 0) > 0)
        ;
    sys_close(ready[0]), sys_close(ready[1]), sys_close(done[0]), sys_close(done[1]);
    return early;
}

static void sleep_order(void) {
    uint64_t one = 1;
    struct sched_param first = {1};

    OK(sys_sched_setaffinity(0, sizeof(one), &one)); /* one hart, whose timers are in one order */
    OK(sys_sched_setscheduler(0, SCHED_FIFO,
                              &first)); /* those woken in one interrupt run in this order */
    for (int delay_ms = 50; !wake_in_order(delay_ms); delay_ms *= 2)
        CHECK(delay_ms < 10000);
}

/* Burns CPU time for so long, by the process' own clock. */
static void burn_ms(int ms) {
    struct timespec start, now;

    sys_clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
    do
        sys_clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    while (ns_of(&now) - ns_of(&start) < ms * 1000000L);
}

#define TOUCHED 2000 /* pages */

static void touch_pages(void) {
    char *p = map_pages(TOUCHED, PROT_READ | PROT_WRITE);

    for (int i = 0; i < TOUCHED; i++)
        p[i * PAGE] = 1;
}

static void touch_in_child(void) { child_ok(touch_pages); }

/* The most memory of a process, and of those it has waited for. */
static void peak_memory(void) {
    struct rusage u;
    int pid = spawn(touch_in_child);

    EQ(sys_wait4(pid, 0, 0, &u), pid);
    CHECK(u.ru_maxrss >= TOUCHED * 4 && u.ru_maxrss < TOUCHED * 8);
    CHECK(u.ru_minflt >= TOUCHED);
    CHECK(u.ru_nvcsw >= 1);
    OK(sys_getrusage(RUSAGE_SELF, &u));
    CHECK(u.ru_maxrss > 0 && u.ru_maxrss < TOUCHED * 4);
    OK(sys_getrusage(RUSAGE_CHILDREN, &u));
    CHECK(u.ru_maxrss >= TOUCHED * 4);
    FAILS(EINVAL, sys_getrusage(-2, &u));
}

static void burner(void) { burn_ms(300); }

static int64_t usage_ms(int who) {
    struct rusage u;

    OK(sys_getrusage(who, &u));
    return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000 +
           (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1000;
}

static void accounting(void) {
    struct tms before, after;
    int64_t start = now_ms(), used, children;

    OK(sys_times(&before));
    burn_ms(300);
    used = usage_ms(RUSAGE_SELF);
    CHECK(used >= 290);
    CHECK(used <= now_ms() - start + 100);
    OK(sys_times(&after));
    CHECK(after.tms_utime + after.tms_stime - before.tms_utime - before.tms_stime >= 27);
    EQ(usage_ms(RUSAGE_CHILDREN), 0);
    child_ok(burner);
    children = usage_ms(RUSAGE_CHILDREN);
    CHECK(children >= 290 && children <= now_ms() - start);
    FAILS(EINVAL, sys_getrusage(7, (void *)&before));
}

static long ms_of(struct timeval t) { return t.tv_sec * 1000 + t.tv_usec / 1000; }

/*
 * Runs f again and again until the kernel's part of the time is between low and high percent. It samples every 10 ms whose
 * time it is, and what is not sampled yet counts as the user's. So when the host keeps the hart or its timer back for long,
 * one sample decides about all that time: such a run of f is not counted; and the first 400 ms may mislead, 10 s do not.
 */
static void expect_system_share(void (*f)(void), long low, long high) {
    struct rusage now, last;
    long user = 0, system = 0, round = 400;

    OK(sys_getrusage(RUSAGE_SELF, &last));
    for (;;) {
        f();
        OK(sys_getrusage(RUSAGE_SELF, &now));
        long u = ms_of(now.ru_utime) - ms_of(last.ru_utime),
             s = ms_of(now.ru_stime) - ms_of(last.ru_stime);
        last = now;
        if (u > 20 || s > 20)
            continue;
        user += u;
        system += s;
        if (user + system < round)
            continue;
        if (system * 100 >= low * (user + system) && system * 100 <= high * (user + system))
            return;
        if (round == 10000)
            fail_at(HERE, "%ld ms user, %ld ms system, not %ld to %ld %%", user, system, low, high);
        round = round * 5;
    }
}

static void compute(void) {
    for (volatile int i = 0; i < 100000; i++)
        ;
}

static void make_zeroes(void) {
    static char buf[65536];
    int fd = (int)OK(open_at("/dev/zero", O_RDONLY, 0));

    for (int i = 0; i < 20; i++)
        EQ(sys_read(fd, buf, sizeof(buf)), sizeof(buf));
    OK(sys_close(fd));
}

static void ask(void) {
    for (int i = 0; i < 1000; i++)
        sys_getppid();
}

static void user_and_system(void) {
    expect_system_share(compute, 0, 25);
    expect_system_share(make_zeroes, 75, 100);
    expect_system_share(ask, 50, 100);
}

/* While the host stands still the clock of who runs goes on; but that is not each time we. */
static void sleeping_costs_nothing(void) {
    int64_t before, used = 100;

    for (int i = 0; i < 10 && used >= 100; i++) {
        before = usage_ms(RUSAGE_SELF);
        sleep_ms(300);
        used = usage_ms(RUSAGE_SELF) - before;
    }
    CHECK(used < 100);
}

static void only_make_zeroes(void) {
    for (;;)
        make_zeroes();
}

/* The first numbers of /proc/stat: "cpu  user nice system idle". */
static void read_hart_times(long value[4]) {
    char text[8192], *at = text;

    OK(read_file("/proc/stat", text, sizeof(text)));
    for (int i = 0; i < 4; i++) {
        at = strchr(at, ' ');
        while (*at == ' ')
            at++;
        value[i] = atoi(at);
    }
}

/* What was taken for user code's time stays it, though it turns out to be the kernel's. */
static void hart_times_grow(void) {
    long last[4], now[4];
    int64_t start = now_ms();

    spawn(only_make_zeroes);
    for (read_hart_times(last); now_ms() - start < 500; memcpy(last, now, sizeof(last))) {
        read_hart_times(now);
        for (int i = 0; i < 4; i++)
            CHECK(now[i] >= last[i]);
    }
}

static void setting_the_clock(void) {
    struct timespec t, old, mono, mono2;

    OK(sys_clock_gettime(CLOCK_MONOTONIC, &mono));
    OK(sys_clock_gettime(CLOCK_REALTIME, &old));
    t = (struct timespec){old.tv_sec + 1000000, 0};
    OK(sys_clock_settime(CLOCK_REALTIME, &t));
    OK(sys_clock_gettime(CLOCK_REALTIME, &t));
    OK(sys_clock_settime(CLOCK_REALTIME, &old));
    CHECK(t.tv_sec - old.tv_sec >= 1000000 && t.tv_sec - old.tv_sec < 1000010);
    OK(sys_clock_gettime(CLOCK_MONOTONIC, &mono2)); /* is not moved */
    CHECK(mono2.tv_sec - mono.tv_sec < 10);
    FAILS(EINVAL, sys_clock_settime(CLOCK_MONOTONIC, &old));
    become_user(1000);
    FAILS(EPERM, sys_clock_settime(CLOCK_REALTIME, &old));
}

/* CLOCK_REALTIME - CLOCK_MONOTONIC when the latter was `when`, wrong by less than `error`: the best of some readings. */
struct offset {
    int64_t ns, when, error;
};

static struct offset wall_offset(void) {
    struct offset best = {.error = INT64_MAX};
    struct timespec a, wall, b;

    for (int i = 0; i < 100; i++) {
        OK(sys_clock_gettime(CLOCK_MONOTONIC, &a));
        OK(sys_clock_gettime(CLOCK_REALTIME, &wall));
        OK(sys_clock_gettime(CLOCK_MONOTONIC, &b));
        int64_t width = ns_of(&b) - ns_of(&a), middle = ns_of(&a) + width / 2;
        if (width < best.error)
            best = (struct offset){ns_of(&wall) - middle, middle, width};
    }
    return best;
}

static long adjust(unsigned modes, int64_t value) {
    struct timex t = {.modes = modes, .offset = value, .freq = value, .tick = value};
    long r;

    t.status = (int)value;
    r = sys_adjtimex(&t);
    return r < 0 ? r : t.offset;
}

static bool about(int64_t a, int64_t b, int64_t error) { return a - b <= error && b - a <= error; }

/* Has the offset grown by so much since then, give or take `error`? */
static bool grew(struct offset since, int64_t by, int64_t error) {
    struct offset now = wall_offset();

    return about(now.ns - since.ns, by, error + now.error + since.error);
}

static void adjtimex_reads(void) {
    struct timex t = {0};
    struct timespec now;

    EQ(sys_adjtimex(&t), TIME_ERROR); /* nobody keeps it right */
    OK(sys_clock_gettime(CLOCK_REALTIME, &now));
    EQ(t.tick, 10000);
    EQ(t.status, STA_UNSYNC);
    EQ(t.freq, 0);
    CHECK(now.tv_sec - t.time.tv_sec >= 0 && now.tv_sec - t.time.tv_sec < 10);
    t.modes = ADJ_TICK;
    t.tick = 8999;
    FAILS(EINVAL, sys_adjtimex(&t));
    t.modes = 0x8000;
    FAILS(EINVAL, sys_adjtimex(&t));
    t.modes = 0;
    FAILS(EOPNOTSUPP, sys_clock_adjtime(CLOCK_MONOTONIC, &t));
    FAILS(EINVAL, sys_clock_adjtime(77, &t));
    FAILS(EFAULT, sys_adjtimex(unmapped_page()));
    become_user(1000);
    EQ(sys_clock_adjtime(CLOCK_REALTIME, &t), TIME_ERROR);
    FAILS(EPERM, adjust(ADJ_FREQUENCY, 0));
    FAILS(EPERM, adjust(ADJ_OFFSET_SINGLESHOT, 0));
    EQ(adjust(ADJ_OFFSET_SS_READ, 0), 0);
}

static void adjtimex_steps(void) {
    struct offset before = wall_offset();
    struct timex t = {.modes = ADJ_SETOFFSET, .time = {2, 500000}};

    EQ(sys_adjtimex(&t), TIME_ERROR);
    CHECK(grew(before, 2500000000, 40000));
    t = (struct timex){.modes = ADJ_SETOFFSET | ADJ_NANO, .time = {-3, 500000000}};
    EQ(sys_adjtimex(&t), TIME_ERROR);
    CHECK(grew(before, 0, 40000));
    t.time.tv_usec = 1000000000;
    FAILS(EINVAL, sys_adjtimex(&t));
    OK(adjust(ADJ_MICRO, 0));
}

/* A tenth faster, and slower: always forward, and a sleep until then is not over before. */
static void adjtimex_speed(void) {
    struct offset before, after;
    struct timespec a, b;
    int64_t start;

    OK(adjust(ADJ_TICK, 11000));
    before = wall_offset();
    sleep_ms(1500);
    after = wall_offset();
    CHECK(about(after.ns - before.ns, (after.when - before.when) / 10, 10000000));
    OK(adjust(ADJ_TICK, 9000));
    OK(sys_clock_gettime(CLOCK_REALTIME, &a));
    for (int i = 0; i < 20000; i++, a = b) {
        OK(sys_clock_gettime(CLOCK_REALTIME, &b));
        CHECK(ns_of(&b) >= ns_of(&a));
    }
    start = ns_of(&b) + 200000000;
    a = (struct timespec){start / 1000000000, start % 1000000000};
    OK(sys_clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &a, 0));
    OK(sys_clock_gettime(CLOCK_REALTIME, &b));
    CHECK(ns_of(&b) >= start);
    OK(adjust(ADJ_TICK, 10000));
    before = wall_offset();
    sleep_ms(20);
    CHECK(grew(before, 0, 40000));
}

/* What is to be made up for is, in time, and no more; freq adds its part. */
static void adjtimex_slews(void) {
    struct offset before = wall_offset();
    int64_t start = now_ms();

    EQ(adjust(ADJ_OFFSET_SINGLESHOT, 400), 0);
    CHECK(adjust(ADJ_OFFSET_SS_READ, 0) > 0 || now_ms() - start >= 700);
    while (adjust(ADJ_OFFSET_SS_READ, 0))
        sleep_ms(20);
    CHECK(grew(before, 400000, 60000));
    OK(adjust(ADJ_STATUS, STA_PLL | STA_UNSYNC));
    OK(adjust(ADJ_TIMECONST, 0));
    before = wall_offset();
    CHECK(adjust(ADJ_OFFSET, -1000) < 0);
    sleep_ms(1500);
    CHECK(wall_offset().ns - before.ns < -150000);
    OK(adjust(ADJ_OFFSET, 0));
    OK(adjust(ADJ_STATUS, STA_UNSYNC));
    OK(adjust(ADJ_FREQUENCY, 500l << 16));
    before = wall_offset();
    sleep_ms(500);
    CHECK(wall_offset().ns - before.ns > 200000);
    OK(adjust(ADJ_FREQUENCY, 0));
}

const struct test time_tests[] = {
    {"S2_adjtimex_reads", adjtimex_reads, 0},
    {"S2_adjtimex_steps", adjtimex_steps, 0},
    {"S2_adjtimex_speed", adjtimex_speed, 0},
    {"S2_adjtimex_slews", adjtimex_slews, 0},
    {"S2_monotonic", monotonic, 0},
    {"S2_all_clocks", all_clocks, 0},
    {"S2_sleep_lengths", sleep_lengths, 0},
    {"S2_sleep_errors", sleep_errors, 0},
    {"S2_absolute_sleep", absolute_sleep, 0},
    {"S2_sleep_order", sleep_order, 0},
    {"S2_setting_the_clock", setting_the_clock, 0},
    {"S1_accounting", accounting, 0},
    {"S1_peak_memory", peak_memory, 0},
    {"S1_user_and_system_time", user_and_system, 0},
    {"S1_sleeping_costs_nothing", sleeping_costs_nothing, 0},
    {"S1_hart_times_grow", hart_times_grow, 0},
    {0, 0, 0},
};
