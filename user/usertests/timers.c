/* timer_create(2) and its family; interval timers; sleeps that signals and stops break into. */
#include "user/usertests/ut.h"
#include "abi/futex.h"
#include "abi/prctl.h"
#include "abi/resource.h"
#include "abi/sched.h"

#define MS 1000000L

static volatile int count, by_tid;
static volatile struct siginfo last;

static void note(int sig, struct siginfo *info, void *context) {
    (void)sig, (void)context;
    last = *info;
    by_tid = (int)sys_gettid();
    count++;
}

static void catch_signal(int sig) {
    struct sigaction act = {.sa_sigaction = note, .sa_flags = SA_SIGINFO};

    OK(sys_rt_sigaction(sig, &act, 0, 8));
}

static int create(int clock, int how, int sig, int value) {
    struct sigevent e = {.sigev_notify = how, .sigev_signo = sig};
    int id = -1;

    e.sigev_value.sival_int = value;
    OK(sys_timer_create(clock, &e, &id));
    return id;
}

static struct timespec of_ms(int64_t ms) { return (struct timespec){ms / 1000, ms % 1000 * MS}; }

static void set_ms(int id, int64_t value, int64_t interval) {
    struct itimerspec t = {of_ms(interval), of_ms(value)};

    OK(sys_timer_settime(id, 0, &t, 0));
}

static int64_t ms_of(const struct timespec *t) { return t->tv_sec * 1000 + t->tv_nsec / MS; }

static int64_t left_ms(int id) {
    struct itimerspec t;

    OK(sys_timer_gettime(id, &t));
    return ms_of(&t.it_value);
}

/* Waits, asleep, until n signals were counted. */
static void wait_count(int n) {
    int64_t end = now_ms() + 20000;

    while (count < n && now_ms() < end)
        sleep_ms(1);
    CHECK(count >= n);
}

static void with_signal(void) {
    int64_t start = now_ms();
    int id = create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1, 4711);

    catch_signal(SIGUSR1);
    set_ms(id, 30, 0);
    CHECK(left_ms(id) <= 30);
    wait_count(1);
    CHECK(now_ms() - start >= 30);
    EQ(last.si_signo, SIGUSR1);
    EQ(last.si_code, SI_TIMER);
    EQ(last.si_timerid, id);
    EQ(last.si_overrun, 0);
    EQ(last.si_value.sival_int, 4711);
    EQ(left_ms(id), 0);
    sleep_ms(80);
    EQ(count, 1);
    OK(sys_timer_delete(id));
    FAILS(EINVAL, sys_timer_delete(id));
}

static void without_event(void) {
    int id = -1, other = -1;

    OK(sys_timer_create(CLOCK_REALTIME, 0, &other));
    OK(sys_timer_create(CLOCK_REALTIME, 0, &id));
    CHECK(id != other);
    catch_signal(SIGALRM);
    set_ms(id, 5, 0);
    wait_count(1);
    EQ(last.si_value.sival_int, id);
}

static void periodic(void) {
    int id = create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGRTMIN + 1, 0);
    int64_t start = now_ms();
    struct itimerspec t;

    catch_signal(SIGRTMIN + 1);
    set_ms(id, 20, 20);
    wait_count(10);
    CHECK(now_ms() - start >= 200);
    OK(sys_timer_gettime(id, &t));
    EQ(ms_of(&t.it_interval), 20);
    CHECK(ms_of(&t.it_value) <= 20);
    set_ms(id, 0, 0); /* off */
    count = 0;
    sleep_ms(60);
    EQ(count, 0);
}

/* While the signal is blocked expirations are counted, not queued. */
static void overrun(void) {
    sigset_t set = SIGMASK(SIGUSR2), old;
    int id = create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR2, 0);
    int64_t start = now_ms();

    catch_signal(SIGUSR2);
    EQ(sys_timer_getoverrun(id), 0);
    OK(sys_rt_sigprocmask(SIG_BLOCK, &set, &old, 8));
    set_ms(id, 10, 10);
    sleep_ms(200);
    set_ms(id, 0, 0);
    int most = (int)(now_ms() - start) / 10;
    OK(sys_rt_sigprocmask(SIG_SETMASK, &old, 0, 8));
    EQ(count, 1);
    CHECK(last.si_overrun >= 18 && last.si_overrun <= most);
    EQ(sys_timer_getoverrun(id), last.si_overrun);
    FAILS(EINVAL, sys_timer_getoverrun(id + 1));
}

/* A period that no machine can serve: all expirations are counted all the same. */
static void short_period(void) {
    struct itimerspec t = {{0, 1000}, {0, 1000}};
    int id = create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1, 0);
    int64_t total = 0;

    catch_signal(SIGUSR1);
    OK(sys_timer_settime(id, 0, &t, 0));
    for (int seen = 0; total < 50000;) {
        while (count == seen)
            ;
        seen = count;
        total += 1 + last.si_overrun;
    }
    set_ms(id, 0, 0);
}

static void none(void) {
    int id = create(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0);
    int64_t start = now_ms();

    set_ms(id, 40, 0);
    CHECK(left_ms(id) > 0 || now_ms() - start >= 39);
    sleep_ms(60);
    EQ(left_ms(id), 0);
    EQ(sys_timer_getoverrun(id), 0);
}

static volatile int tid, stop_thread;

static int wait_in_thread(void *arg) {
    (void)arg;
    tid = (int)sys_gettid();
    while (!stop_thread)
        sleep_ms(1);
    return 0;
}

static void to_thread(void) {
    struct sigevent e = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1};
    int id = -1;

    catch_signal(SIGUSR1);
    OK(clone_call(THREAD, new_stack(), 0, 0, 0, wait_in_thread, 0));
    while (!tid)
        sleep_ms(1);
    e.sigev_tid = tid;
    OK(sys_timer_create(CLOCK_MONOTONIC, &e, &id));
    for (int i = 1; i <= 5; i++) {
        set_ms(id, 2, 0);
        wait_count(i);
        EQ(by_tid, tid);
    }
    stop_thread = 1;
    e.sigev_tid = 1; /* of another process */
    FAILS(EINVAL, sys_timer_create(CLOCK_MONOTONIC, &e, &id));
}

static void absolute(void) {
    static const int clocks[] = {CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME, CLOCK_TAI};
    struct timespec now;

    catch_signal(SIGUSR1);
    for (size_t i = 0; i < ARRAY_LEN(clocks); i++) {
        int id = create(clocks[i], SIGEV_SIGNAL, SIGUSR1, 0);
        struct itimerspec t = {0};
        count = 0;
        OK(sys_clock_gettime(clocks[i], &now));
        t.it_value = of_ms(ms_of(&now) + 30);
        OK(sys_timer_settime(id, TIMER_ABSTIME, &t, 0));
        wait_count(1);
        OK(sys_clock_gettime(clocks[i], &now));
        CHECK(ms_of(&now) >= ms_of(&t.it_value));
        t.it_value = (struct timespec){1, 0}; /* long past */
        OK(sys_timer_settime(id, TIMER_ABSTIME, &t, 0));
        wait_count(2);
    }
}

static void cpu_clock(int clock) {
    int id = create(clock, SIGEV_SIGNAL, SIGUSR1, 0);
    int64_t start, used = 100;

    catch_signal(SIGUSR1);
    /* Sleeping uses none of it; but while the host stands still, the clock of who runs goes on. */
    for (int i = 0; i < 20 && used >= 100; i++) {
        count = 0;
        start = clock_ms(clock);
        set_ms(id, 100, 0);
        sleep_ms(200);
        used = clock_ms(clock) - start;
    }
    CHECK(used < 100);
    EQ(count, 0);
    while (!count && clock_ms(clock) - start < 5000)
        ;
    EQ(count, 1);
    CHECK(clock_ms(clock) - start >= 100);
}

static void process_clock(void) { cpu_clock(CLOCK_PROCESS_CPUTIME_ID); }
static void thread_clock(void) { cpu_clock(CLOCK_THREAD_CPUTIME_ID); }

static void old_value(void) {
    struct itimerspec t = {of_ms(7000), of_ms(9000)}, old;
    int id = create(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0);

    OK(sys_timer_settime(id, 0, &t, &old));
    EQ(ms_of(&old.it_value), 0);
    OK(sys_timer_settime(id, 0, &t, &old));
    CHECK(ms_of(&old.it_value) > 5000 && ms_of(&old.it_value) <= 9000);
    EQ(ms_of(&old.it_interval), 7000);
}

static void no_timers(void) {
    struct itimerspec t;

    FAILS(EINVAL, sys_timer_gettime(0, &t));
    FAILS(EINVAL, sys_timer_gettime(1, &t));
}

static int delay_ms;

/* exec deletes the timer: nothing ends the program. */
static void exec_with_timer(void) {
    char seconds[8], *argv[] = {"sleep", seconds, 0};

    snprintf(seconds, sizeof(seconds), "%d", delay_ms / 1000 + 1);
    set_ms(create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGTERM, 0), delay_ms, 0);
    OK(sys_execve("/bin/sleep", argv, environ));
}

static void not_inherited(void) {
    int status = SIGTERM;

    create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGTERM, 0);
    child_ok(no_timers);
    /* A short time may be over before exec is. */
    for (delay_ms = 300; delay_ms < 6000 && status == SIGTERM; delay_ms *= 4)
        status = wait_status(spawn(exec_with_timer));
    EQ(status, 0);
}

static void exit_with_timers(void) {
    sigset_t set = SIGMASK(SIGUSR1);

    OK(sys_rt_sigprocmask(SIG_BLOCK, &set, 0, 8));
    for (int i = 0; i < 50; i++)
        set_ms(create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1, i), 1 + i % 3, 1);
    sleep_ms(20);
    for (int i = 0; i < 20; i++)
        OK(sys_timer_delete(i)); /* with its signal pending */
}

static void left_at_exit(void) {
    for (int i = 0; i < 10; i++)
        child_ok(exit_with_timers);
}

static void delete_takes_signal_back(void) {
    sigset_t set = SIGMASK(SIGUSR1), pending = 0;
    int id = create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1, 0);

    OK(sys_rt_sigprocmask(SIG_BLOCK, &set, 0, 8));
    set_ms(id, 1, 0);
    while (pending != set) {
        CHECK(comes_still(count));
        sleep_ms(1);
        OK(sys_rt_sigpending(&pending, 8));
    }
    OK(sys_timer_delete(id));
    OK(sys_rt_sigpending(&pending, 8));
    EQ(pending, 0);
}

static void errors(void) {
    struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    struct rlimit few = {3, 3};
    struct itimerspec t = {{0, 0}, {0, 1000000000}};
    int id;

    FAILS(EINVAL, sys_timer_create(77, &e, &id));
    FAILS(EOPNOTSUPP, sys_timer_create(CLOCK_MONOTONIC_RAW, &e, &id));
    FAILS(EFAULT, sys_timer_create(CLOCK_MONOTONIC, &e, unmapped_page()));
    FAILS(EFAULT, sys_timer_create(CLOCK_MONOTONIC, unmapped_page(), &id));
    e.sigev_signo = 65;
    FAILS(EINVAL, sys_timer_create(CLOCK_MONOTONIC, &e, &id));
    e.sigev_signo = 0;
    FAILS(EINVAL, sys_timer_create(CLOCK_MONOTONIC, &e, &id));
    e.sigev_signo = SIGUSR1;
    e.sigev_notify = 9;
    FAILS(EINVAL, sys_timer_create(CLOCK_MONOTONIC, &e, &id));
    e.sigev_notify = SIGEV_SIGNAL;
    id = create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1, 0);
    FAILS(EINVAL, sys_timer_settime(id, 0, &t, 0));
    t.it_value = (struct timespec){-1, 0};
    FAILS(EINVAL, sys_timer_settime(id, 0, &t, 0));
    t.it_value = (struct timespec){1, 0};
    FAILS(EINVAL, sys_timer_settime(id + 7, 0, &t, 0));
    FAILS(EFAULT, sys_timer_settime(id, 0, unmapped_page(), 0));
    FAILS(EFAULT, sys_timer_gettime(id, unmapped_page()));
    OK(sys_setrlimit(RLIMIT_SIGPENDING, &few));
    create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1, 0);
    create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1, 0);
    FAILS(EAGAIN, sys_timer_create(CLOCK_MONOTONIC, &e, &id));
}

/* Threads that set and delete the same timers while they run out. */
static volatile int go_on = 1;
static int play(void *arg) {
    long n = (long)arg;

    while (go_on) {
        struct itimerspec t = {{0, 100000}, {0, 50000 + n % 7 * 10000}};
        int id = (int)(n++ % 5);
        sys_timer_settime(id, 0, &t, &t);
        if (n % 11 == 0)
            sys_timer_delete(id);
        if (n % 13 == 0)
            sys_timer_create(CLOCK_MONOTONIC, 0, &id);
        if (n % 501 == 0)
            for (int i = 0; i < 300; i++)
                sys_timer_delete(i + 5);
    }
    return 0;
}

static void played_with(void) {
    on_signal(SIGALRM, SIG_IGN, 0);
    for (long i = 0; i < 3; i++)
        OK(clone_call(THREAD, new_stack(), 0, 0, 0, play, (void *)i));
    sleep_ms(500);
    go_on = 0;
    sleep_ms(20);
}

/* ---- interval timers */

static void set_itimer(int which, int64_t us, int64_t interval) {
    struct itimerval v = {{interval / 1000000, interval % 1000000}, {us / 1000000, us % 1000000}};

    OK(sys_setitimer(which, &v, 0));
}

static void itimer_prof(void) {
    int64_t start = clock_ms(CLOCK_PROCESS_CPUTIME_ID);

    catch_signal(SIGPROF);
    set_itimer(ITIMER_PROF, 50000, 50000);
    while (count < 4 && clock_ms(CLOCK_PROCESS_CPUTIME_ID) - start < 5000)
        ;
    CHECK(count >= 4);
    CHECK(clock_ms(CLOCK_PROCESS_CPUTIME_ID) - start >= 200);
}

static void itimers_of_threads(void) {
    struct itimerval v;

    catch_signal(SIGVTALRM);
    set_itimer(ITIMER_VIRTUAL, 30000000, 0);
    OK(sys_getitimer(ITIMER_VIRTUAL, &v));
    CHECK(v.it_value.tv_sec >= 25 && v.it_value.tv_sec <= 30);
    set_itimer(ITIMER_VIRTUAL, 0, 0);
    OK(sys_getitimer(ITIMER_VIRTUAL, &v));
    EQ(v.it_value.tv_sec + v.it_value.tv_usec, 0);
    FAILS(EINVAL, sys_getitimer(3, &v));
    FAILS(EINVAL, sys_setitimer(-1, &v, 0));
}

/* ---- sleeps */

static void sleeper(void) {
    struct timespec t = of_ms(delay_ms);

    OK(sys_clock_nanosleep(CLOCK_MONOTONIC, 0, &t, 0));
}

/* How long a sleep took that was stopped for a while; -1: it was over before. */
static int64_t stopped_sleep(void) {
    int64_t start = now_ms();
    int pid = spawn(sleeper);
    struct siginfo info;

    OK(sys_setpgid(pid, pid));
    sleep_ms(50);
    OK(sys_kill(pid, SIGSTOP));
    OK(sys_waitid(P_PID, pid, &info, WSTOPPED | WEXITED | WNOWAIT, 0));
    sleep_ms(50);
    OK(sys_kill(pid, SIGCONT));
    wait_ok(pid);
    CHECK(now_ms() - start >= delay_ms);
    return info.si_code == CLD_STOPPED ? now_ms() - start : -1;
}

/* A stop in the middle of a sleep does not end it and does not make it longer. */
static void sleep_over_stop(void) {
    int64_t took = -1;

    for (delay_ms = 300; delay_ms < 3000 && (took < 0 || took >= 5000); delay_ms *= 2)
        took = stopped_sleep();
    CHECK(took >= 0 && took < 5000);
}

/* For spawn: breaks into the sleep of the parent, of which 30 ms are over at least. */
static void wake_parent(void) {
    int parent = (int)sys_getppid();

    until_asleep(parent);
    sleep_ms(30);
    OK(sys_kill(parent, SIGUSR1));
}

static void sleep_and_handler(void) {
    struct timespec t = of_ms(10000), left = {0}, end;
    int64_t start, slept;
    int pid;

    catch_signal(SIGUSR1);
    pid = spawn(wake_parent);
    start = now_ms();
    FAILS(EINTR, sys_clock_nanosleep(CLOCK_MONOTONIC, 0, &t, &left));
    slept = 10000 - ms_of(&left);
    CHECK(slept >= 30 && slept <= now_ms() - start + 2);
    wait_ok(pid);
    OK(sys_clock_gettime(CLOCK_REALTIME, &end));
    end.tv_sec += 10;
    left = (struct timespec){77, 77};
    pid = spawn(wake_parent);
    FAILS(EINTR, sys_clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &end, &left));
    EQ(left.tv_sec, 77); /* an absolute sleep leaves it alone */
    wait_ok(pid);
    FAILS(EINTR, sys_restart_syscall());
}

/* ---- who waits for a moment of the wall clock, when that is set */

static struct timespec wall_end;

static void wall_sleep(void) {
    OK(sys_clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &wall_end, 0));
}

static void wall_futex(void) {
    uint32_t word = 0;
    long r = sys_futex(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &wall_end, 0, ~0u);

    EQ(r, -ETIMEDOUT);
}

static void wall_timer(void) {
    int id = create(CLOCK_REALTIME, SIGEV_SIGNAL, SIGUSR1, 0);
    struct itimerspec t = {{0, 0}, wall_end};
    uint64_t mask = SIGMASK(SIGUSR1);
    struct siginfo info;

    OK(sys_rt_sigprocmask(SIG_BLOCK, &mask, 0, 8));
    OK(sys_timer_settime(id, TIMER_ABSTIME, &t, 0));
    EQ(sys_rt_sigtimedwait(&mask, &info, 0, 8), SIGUSR1);
}

static void relative_sleep(void) {
    struct timespec t = {1000, 0};

    OK(sys_clock_nanosleep(CLOCK_REALTIME, 0, &t, 0));
}

static void step_clock(int64_t seconds) {
    struct timespec t;

    OK(sys_clock_gettime(CLOCK_REALTIME, &t));
    t.tv_sec += seconds;
    OK(sys_clock_settime(CLOCK_REALTIME, &t));
}

static int spawn_asleep(void (*f)(void)) {
    int pid = spawn(f);

    while (proc_state(pid) != 'S')
        sleep_ms(1);
    return pid;
}

static void clock_is_set_forward(void) {
    int64_t before = now_ms();

    OK(sys_clock_gettime(CLOCK_REALTIME, &wall_end));
    wall_end.tv_sec += 5000;
    int relative = spawn_asleep(relative_sleep);
    int pids[] = {spawn_asleep(wall_sleep), spawn_asleep(wall_futex), spawn_asleep(wall_timer)};
    step_clock(10000);
    for (int i = 0; i < 3; i++)
        wait_ok(pids[i]);
    CHECK(now_ms() - before < 1000000);
    EQ(proc_state(relative), 'S');
    kill_child(relative);
    step_clock(-10000);
}

static void expect_left(int id, int64_t seconds) {
    int64_t left = left_ms(id) / 1000;

    CHECK(left <= seconds && left > seconds - 1000);
}

static void clock_is_set_back(void) {
    int id = create(CLOCK_REALTIME, SIGEV_SIGNAL, SIGUSR1, 0);
    struct itimerspec t = {{0, 0}, {0, 0}};

    catch_signal(SIGUSR1);
    OK(sys_clock_gettime(CLOCK_REALTIME, &t.it_value));
    t.it_value.tv_sec += 20000;
    OK(sys_timer_settime(id, TIMER_ABSTIME, &t, 0));
    expect_left(id, 20000);
    step_clock(-10000);
    expect_left(id, 30000);
    step_clock(15000);
    expect_left(id, 15000);
    EQ(count, 0);
    step_clock(16000);
    wait_count(1);
    step_clock(-21000);
}

const struct test timer_tests[] = {
    {"T11_timer_signal", with_signal, 0},
    {"T11_timer_without_event", without_event, 0},
    {"T11_timer_periodic", periodic, 0},
    {"T11_timer_overrun", overrun, 0},
    {"T11_timer_short_period", short_period, 0},
    {"T11_timer_none", none, 0},
    {"T11_timer_to_thread", to_thread, 0},
    {"T11_timer_absolute", absolute, 0},
    {"T11_timer_process_clock", process_clock, 0},
    {"T11_timer_thread_clock", thread_clock, 0},
    {"T11_timer_old_value", old_value, 0},
    {"T11_timer_not_inherited", not_inherited, 0},
    {"T11_timer_left_at_exit", left_at_exit, 0},
    {"T11_timer_delete_takes_back", delete_takes_signal_back, 0},
    {"T11_timer_errors", errors, 0},
    {"T11_timer_played_with", played_with, 0},
    {"T11_itimer_prof", itimer_prof, 0},
    {"T11_itimer_virtual", itimers_of_threads, 0},
    {"T11_sleep_over_stop", sleep_over_stop, 0},
    {"T11_sleep_and_handler", sleep_and_handler, 0},
    {"T11_clock_is_set_forward", clock_is_set_forward, 0},
    {"T11_clock_is_set_back", clock_is_set_back, 0},
    {0, 0, 0},
};
