/* eventfd, timerfd and signalfd. Each case holds what the manual page says of one operation, flag or error. */
#include "user/usertests/ut.h"
#include "abi/eventfd.h"
#include "abi/poll.h"
#include "abi/resource.h"
#include "abi/sched.h"

static int poll_ms(int fd, int events, int ms) {
    struct pollfd p = {.fd = fd, .events = (int16_t)events};
    struct timespec t = {ms / 1000, ms % 1000 * 1000000L};

    return OK(sys_ppoll(&p, 1, &t, 0, 8)) ? p.revents : 0;
}

static void add(int fd, uint64_t n) { EQ(sys_write(fd, &n, 8), 8); }

static uint64_t take(int fd) {
    uint64_t n;

    EQ(sys_read(fd, &n, 8), 8);
    return n;
}

/* ---- eventfd */

static int event;

static void counts(void) {
    uint64_t n = 7;
    char text[64];
    long len;

    event = (int)OK(sys_eventfd2(5, EFD_CLOEXEC | EFD_NONBLOCK));
    EQ(sys_fcntl(event, F_GETFD, 0), FD_CLOEXEC);
    EQ(take(event), 5);
    FAILS(EAGAIN, sys_read(event, &n, 8));
    add(event, 3);
    add(event, 0);
    add(event, 4);
    EQ(take(event), 7);
    add(event, ~0ul - 1);
    FAILS(EAGAIN, sys_write(event, &n, 8)); /* does not fit */
    EQ(poll_ms(event, POLLIN | POLLOUT, 0), POLLIN);
    EQ(take(event), ~0ul - 1);
    EQ(poll_ms(event, POLLIN | POLLOUT, 0), POLLOUT);
    n = ~0ul;
    FAILS(EINVAL, sys_write(event, &n, 8));
    FAILS(EINVAL, sys_write(event, &n, 7));
    FAILS(EINVAL, sys_read(event, &n, 7));
    FAILS(EFAULT, sys_write(event, unmapped_page(), 8));
    FAILS(ESPIPE, sys_lseek(event, 0, SEEK_SET));
    FAILS(EINVAL, sys_eventfd2(0, 0x10));
    len = OK(sys_readlinkat(AT_FDCWD, "/proc/self/fd/3", text, sizeof(text) - 1));
    text[len] = 0;
    CHECK(event != 3 || strcmp(text, "anon_inode:[eventfd]") == 0);
}

static void semaphore(void) {
    uint64_t n;

    event = (int)OK(sys_eventfd2(2, EFD_SEMAPHORE | EFD_NONBLOCK));
    EQ(take(event), 1);
    add(event, 2);
    for (int i = 0; i < 3; i++)
        EQ(take(event), 1);
    FAILS(EAGAIN, sys_read(event, &n, 8));
}

static void add_ten(void) {
    for (int i = 0; i < 10; i++) {
        sleep_ms(2);
        add(event, 1);
    }
}

static void read_blocks(void) {
    uint64_t sum = 0;
    int pid;

    event = (int)OK(sys_eventfd2(0, 0));
    pid = spawn(add_ten);
    while (sum < 10)
        sum += take(event);
    EQ(sum, 10);
    wait_ok(pid);
}

static void add_one(void) { add(event, 1); }

static void write_blocks(void) {
    int pid;

    event = (int)OK(sys_eventfd2(0, 0));
    add(event, ~0ul - 1);
    pid = spawn(add_one);
    until_asleep(pid);
    EQ(take(event), ~0ul - 1);
    wait_ok(pid);
    EQ(take(event), 1);
}

static void take_100(void) {
    for (int i = 0; i < 100; i++)
        EQ(take(event), 1);
}

/* Nothing is lost and nothing doubled when many take and many give. */
static void many_takers(void) {
    uint64_t n;
    int pids[4];

    event = (int)OK(sys_eventfd2(0, EFD_SEMAPHORE));
    for (int i = 0; i < 4; i++)
        pids[i] = spawn(take_100);
    for (int i = 0; i < 200; i++)
        add(event, 2);
    for (int i = 0; i < 4; i++)
        wait_ok(pids[i]);
    OK(sys_fcntl(event, F_SETFL, O_NONBLOCK));
    FAILS(EAGAIN, sys_read(event, &n, 8));
}

static int handled;
static void count_signal(int sig) {
    (void)sig;
    handled++;
}

static void read_is_interrupted(void) {
    int parent = getpid();
    uint64_t n;

    event = (int)OK(sys_eventfd2(0, 0));
    on_signal(SIGUSR1, count_signal, 0);
    if (fork() == 0) {
        until_asleep(parent);
        sys_kill(parent, SIGUSR1);
        sys_exit_group(0);
    }
    FAILS(EINTR, sys_read(event, &n, 8));
    EQ(handled, 1);
    on_signal(SIGUSR1, count_signal, SA_RESTART);
    if (fork() == 0) {
        until_asleep(parent);
        sys_kill(parent, SIGUSR1);
        sleep_ms(30);
        add(event, 9);
        sys_exit_group(0);
    }
    EQ(take(event), 9);
    EQ(handled, 2);
}

static void take_event(void) { take(event); }

static void killed_in_read(void) {
    int pid;

    event = (int)OK(sys_eventfd2(0, 0));
    pid = spawn(take_event);
    until_asleep(pid);
    kill_child(pid);
    add(event, 3);
    EQ(take(event), 3);
}

static int take_in_thread(void *arg) {
    uint64_t n;

    (void)arg;
    sys_read(event, &n, 8);
    return (int)n;
}

/* A close by another thread leaves the reader alone: its call keeps the file. */
static void closed_while_read(void) {
    int copy;

    event = (int)OK(sys_eventfd2(0, 0));
    copy = (int)OK(sys_dup(event));
    until_asleep((int)OK(clone_call(THREAD, new_stack(), 0, 0, 0, take_in_thread, 0)));
    OK(sys_close(event));
    add(copy, 1);
    while (poll_ms(copy, POLLIN, 0))
        sys_sched_yield();
}

static void event_limits(void) {
    struct rlimit few = {20, 20};
    sigset_t mask = SIGMASK(SIGUSR1);
    int fds[2];

    OK(sys_setrlimit(RLIMIT_NOFILE, &few));
    while (sys_dup(0) >= 0)
        ;
    FAILS(EMFILE, sys_eventfd2(0, 0));
    FAILS(EMFILE, sys_timerfd_create(CLOCK_MONOTONIC, 0));
    FAILS(EMFILE, sys_epoll_create1(0));
    FAILS(EMFILE, sys_signalfd4(-1, &mask, 8, 0));
    FAILS(EMFILE, sys_pipe2(fds, 0));
    FAILS(EMFILE, sys_memfd_create("m", 0));
    FAILS(EMFILE, sys_mq_open("ut.limit", O_RDWR | O_CREAT, 0600, 0));
    FAILS(ENOENT, sys_mq_unlink("ut.limit")); /* nor is there a queue */
    OK(sys_close(19));
    FAILS(EMFILE, sys_pipe2(fds, 0)); /* needs two */
    EQ(sys_eventfd2(0, 0), 19);       /* and has kept none */
}

/* ---- timerfd */

#define MS 1000000L

static int timer(int clock, int flags, long first_ms, long interval_ns) {
    struct itimerspec t = {{0, interval_ns}, {first_ms / 1000, first_ms % 1000 * MS}};
    int fd = (int)OK(sys_timerfd_create(clock, TFD_NONBLOCK));

    OK(sys_timerfd_settime(fd, flags, &t, 0));
    return fd;
}

static void once(void) {
    int fd = timer(CLOCK_MONOTONIC, 0, 100040, 0);
    struct itimerspec now, t = {{0, 0}, {0, 40 * MS}};
    int64_t start;
    uint64_t n;

    FAILS(EAGAIN, sys_read(fd, &n, 8));
    OK(sys_timerfd_gettime(fd, &now));
    CHECK(now.it_value.tv_sec > 0 && now.it_value.tv_sec <= 100);
    start = now_ms();
    OK(sys_timerfd_settime(fd, 0, &t, 0));
    OK(sys_fcntl(fd, F_SETFL, 0));
    EQ(take(fd), 1);
    CHECK(now_ms() - start >= 40);
    OK(sys_timerfd_gettime(fd, &now));
    EQ(now.it_value.tv_nsec, 0);
    EQ(poll_ms(fd, POLLIN, 10), 0);
    FAILS(EINVAL, sys_read(fd, &n, 7));
    FAILS(EINVAL, sys_write(fd, &n, 8));
}

static void periodic(void) {
    int fd = timer(CLOCK_BOOTTIME, 0, 5, 5 * MS);
    struct itimerspec now, none = {{0, 0}, {0, 0}};
    uint64_t n, sum = 0;

    for (int i = 0; i < 4; i++) {
        EQ(poll_ms(fd, POLLIN, 5000), POLLIN);
        sum += take(fd);
    }
    sleep_ms(50); /* nobody reads: it counts */
    OK(sys_timerfd_gettime(fd, &now));
    CHECK(now.it_value.tv_nsec > 0 && now.it_value.tv_nsec <= 5 * MS);
    EQ(poll_ms(fd, POLLIN, 5000), POLLIN);
    n = take(fd);
    CHECK(n >= 10 && sum >= 4);
    OK(sys_timerfd_settime(fd, 0, &none, &now));
    EQ(now.it_interval.tv_nsec, 5 * MS);
    EQ(poll_ms(fd, POLLIN, 20), 0);
}

/* Periods far shorter than the machine can interrupt are counted all the same. */
static void short_periods(void) {
    int fd = timer(CLOCK_MONOTONIC, 0, 1, 1);
    uint64_t n = 0;

    sleep_ms(20);
    for (int i = 0; i < 100; i++) {
        EQ(poll_ms(fd, POLLIN, 5000), POLLIN);
        n += take(fd);
    }
    CHECK(n > 19 * (uint64_t)MS);
}

static void absolute(void) {
    struct itimerspec t = {{0, 0}, {0, 0}};
    struct timespec now;
    int fd = (int)OK(sys_timerfd_create(CLOCK_REALTIME, 0));

    OK(sys_clock_gettime(CLOCK_REALTIME, &now));
    t.it_value = now;
    t.it_value.tv_sec -= 5; /* in the past: at once */
    OK(sys_timerfd_settime(fd, TFD_TIMER_ABSTIME, &t, 0));
    EQ(take(fd), 1);
    t.it_value = now;
    t.it_value.tv_sec += 100;
    OK(sys_timerfd_settime(fd, TFD_TIMER_ABSTIME, &t, 0));
    EQ(poll_ms(fd, POLLIN, 10), 0);
    OK(sys_timerfd_gettime(fd, &t));
    CHECK(t.it_value.tv_sec >= 90 && t.it_value.tv_sec <= 100);
}

static void step_clock(int seconds) {
    struct timespec now;

    OK(sys_clock_gettime(CLOCK_REALTIME, &now));
    now.tv_sec += seconds;
    OK(sys_clock_settime(CLOCK_REALTIME, &now));
}

/* A step of the wall clock moves absolute timers, not relative ones, and is told of to those that ask. */
static void clock_steps(void) {
    struct itimerspec t = {{0, 0}, {0, 0}};
    int moved = (int)OK(sys_timerfd_create(CLOCK_REALTIME, 0));
    int canceled = (int)OK(sys_timerfd_create(CLOCK_REALTIME, 0));
    int relative = timer(CLOCK_REALTIME, 0, 100000, 0);
    char info[40];
    uint64_t n;

    OK(sys_clock_gettime(CLOCK_REALTIME, &t.it_value));
    t.it_value.tv_sec += 500;
    OK(sys_timerfd_settime(moved, TFD_TIMER_ABSTIME, &t, 0));
    OK(sys_timerfd_settime(canceled, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &t, 0));
    if (fork() == 0) {
        sleep_ms(30);
        step_clock(1000);
        sys_exit_group(0);
    }
    EQ(take(moved), 1); /* was asleep when the clock was set */
    snprintf(info, sizeof(info), "/proc/self/fdinfo/%d", canceled);
    while (proc_number(info, "ticks:") != 1) /* it has run out, too */
        sleep_ms(1);
    EQ(poll_ms(canceled, POLLIN, 0), POLLIN);
    FAILS(ECANCELED, sys_read(canceled, &n, 8));
    EQ(poll_ms(relative, POLLIN, 0), 0);
    OK(sys_wait4(-1, 0, 0, 0));
    step_clock(-1000);
    EQ(poll_ms(canceled, POLLIN, 0), 0); /* the expiration went with the cancelation */
}

static void timer_errors(void) {
    struct itimerspec t = {{0, 0}, {0, 1000 * MS}};
    int fd = (int)OK(sys_timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));

    EQ(sys_fcntl(fd, F_GETFD, 0), FD_CLOEXEC);
    FAILS(EINVAL, sys_timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0));
    FAILS(EINVAL, sys_timerfd_create(99, 0));
    FAILS(EINVAL, sys_timerfd_create(CLOCK_MONOTONIC, 1));
    FAILS(EINVAL, sys_timerfd_settime(fd, 0, &t, 0)); /* 1000 ms of ns */
    t.it_value.tv_nsec = 1;
    FAILS(EINVAL, sys_timerfd_settime(fd, 4, &t, 0));
    FAILS(EINVAL, sys_timerfd_settime(0, 0, &t, 0));
    FAILS(EBADF, sys_timerfd_settime(99, 0, &t, 0));
    FAILS(EBADF, sys_timerfd_gettime(99, &t));
    FAILS(EINVAL, sys_timerfd_gettime(0, &t));
    FAILS(EFAULT, sys_timerfd_settime(fd, 0, unmapped_page(), 0));
    FAILS(EFAULT, sys_timerfd_gettime(fd, unmapped_page()));
    become_user(1000);
    FAILS(EPERM, sys_timerfd_create(CLOCK_REALTIME_ALARM, 0));
}

static void take_timer(void) { take(event); }

static void killed_with_timer(void) {
    int pid;

    event = timer(CLOCK_MONOTONIC, 0, 100000, 0);
    OK(sys_fcntl(event, F_SETFL, 0));
    pid = spawn(take_timer);
    until_asleep(pid);
    kill_child(pid);
    for (int i = 0; i < 50; i++) { /* closed while it runs out */
        int fd = timer(CLOCK_REALTIME, 0, 1, 100000);
        sleep_ms(1);
        OK(sys_close(fd));
    }
}

/* ---- signalfd */

static int signals(uint64_t mask, int flags) {
    sigset_t set = mask;

    OK(sys_rt_sigprocmask(SIG_BLOCK, &set, 0, sizeof(set)));
    return (int)OK(sys_signalfd4(-1, &set, sizeof(set), flags));
}

static struct signalfd_siginfo next_signal(int fd) {
    struct signalfd_siginfo info;

    EQ(sys_read(fd, &info, sizeof(info)), sizeof(info));
    return info;
}

static void takes_signals(void) {
    int fd = signals(SIGMASK(SIGUSR1) | SIGMASK(SIGRTMIN), SFD_NONBLOCK | SFD_CLOEXEC);
    struct signalfd_siginfo info[3];
    struct siginfo queued = {.si_code = SI_QUEUE, .si_pid = 77};

    EQ(sys_fcntl(fd, F_GETFD, 0), FD_CLOEXEC);
    FAILS(EAGAIN, sys_read(fd, info, sizeof(info)));
    EQ(poll_ms(fd, POLLIN, 0), 0);
    OK(sys_kill(getpid(), SIGUSR1));
    queued.si_value.sival_int = 42;
    OK(sys_rt_sigqueueinfo(getpid(), SIGRTMIN, &queued));
    EQ(poll_ms(fd, POLLIN, 0), POLLIN);
    FAILS(EINVAL, sys_read(fd, info, sizeof(info[0]) - 1));
    EQ(sys_read(fd, info, sizeof(info)), 2 * sizeof(info[0])); /* what there is */
    EQ(info[0].ssi_signo, SIGUSR1);
    EQ(info[0].ssi_pid, getpid());
    EQ(info[0].ssi_code, SI_USER);
    EQ(info[1].ssi_signo, SIGRTMIN);
    EQ(info[1].ssi_int, 42);
    EQ(info[1].ssi_pid, 77);
    FAILS(EAGAIN, sys_read(fd, info, sizeof(info)));
}

static void of_child(void) {
    int fd = signals(SIGMASK(SIGCHLD), 0), pid;
    struct signalfd_siginfo info;

    pid = fork();
    if (pid == 0) {
        sleep_ms(20);
        sys_exit_group(7);
    }
    EQ(poll_ms(fd, POLLIN, 20000), POLLIN); /* woken in poll */
    info = next_signal(fd);
    EQ(info.ssi_signo, SIGCHLD);
    EQ(info.ssi_code, CLD_EXITED);
    EQ(info.ssi_pid, pid);
    EQ(info.ssi_status, 7);
    pid = fork();
    if (pid == 0) {
        sleep_ms(20);
        sys_exit_group(0);
    }
    EQ(next_signal(fd).ssi_pid, pid); /* woken in read */
}

static void of_timer(void) {
    int fd = signals(SIGMASK(SIGALRM), 0), id;
    struct sigevent e = {.sigev_signo = SIGALRM};
    struct itimerspec t = {{0, 0}, {0, 10 * MS}};
    struct signalfd_siginfo info;

    e.sigev_value.sival_int = 5;
    OK(sys_timer_create(CLOCK_MONOTONIC, &e, &id));
    OK(sys_timer_settime(id, 0, &t, 0));
    info = next_signal(fd);
    EQ(info.ssi_code, SI_TIMER);
    EQ(info.ssi_int, 5);
    EQ(info.ssi_tid, (uint32_t)id);
}

/* What is read are the signals of the reader, whoever made the descriptor. */
static void of_the_reader(void) {
    int fd = signals(SIGMASK(SIGUSR1), SFD_NONBLOCK), pid;
    struct signalfd_siginfo info;

    OK(sys_kill(getpid(), SIGUSR1));
    pid = fork();
    if (pid == 0) {
        FAILS(EAGAIN, sys_read(fd, &info, sizeof(info)));
        EQ(poll_ms(fd, POLLIN, 0), 0);
        OK(sys_kill(getpid(), SIGUSR1));
        EQ(next_signal(fd).ssi_pid, getpid());
        sys_exit_group(0);
    }
    wait_ok(pid);
    EQ(next_signal(fd).ssi_pid, getpid());
}

static void new_mask(void) {
    int fd = signals(SIGMASK(SIGUSR1) | SIGMASK(SIGUSR2), SFD_NONBLOCK);
    sigset_t set = SIGMASK(SIGUSR2) | SIGMASK(SIGKILL);
    struct signalfd_siginfo info;

    FAILS(EINVAL, sys_signalfd4(-1, &set, 4, 0));
    FAILS(EINVAL, sys_signalfd4(-1, &set, 8, 1));
    FAILS(EFAULT, sys_signalfd4(-1, unmapped_page(), 8, 0));
    FAILS(EBADF, sys_signalfd4(99, &set, 8, 0));
    FAILS(EINVAL, sys_signalfd4(0, &set, 8, 0));
    EQ(sys_signalfd4(fd, &set, 8, 0), fd);
    OK(sys_kill(getpid(), SIGUSR1));
    FAILS(EAGAIN, sys_read(fd, &info, sizeof(info)));
    OK(sys_kill(getpid(), SIGUSR2));
    EQ(next_signal(fd).ssi_signo, SIGUSR2);
    set = SIGMASK(SIGUSR1);
    EQ(sys_signalfd4(fd, &set, 8, 0), fd);
    EQ(next_signal(fd).ssi_signo, SIGUSR1);
}

static void read_next(void) { next_signal(event); }

static void killed_with_signalfd(void) {
    int pid;

    event = signals(SIGMASK(SIGUSR1), 0);
    pid = spawn(read_next);
    until_asleep(pid);
    OK(sys_kill(pid, SIGUSR1));
    wait_ok(pid);
    pid = spawn(read_next);
    until_asleep(pid);
    kill_child(pid);
}

const struct test event_tests[] = {
    {"I8_eventfd_counts", counts, 0},
    {"I8_eventfd_semaphore", semaphore, 0},
    {"I8_eventfd_read_blocks", read_blocks, 0},
    {"I8_eventfd_write_blocks", write_blocks, 0},
    {"I8_eventfd_many_takers", many_takers, 0},
    {"I8_eventfd_interrupted", read_is_interrupted, 0},
    {"I8_eventfd_killed", killed_in_read, 0},
    {"I8_eventfd_closed_while_read", closed_while_read, 0},
    {"I10_descriptors_at_the_limit", event_limits, 0},
    {"I8_timerfd_once", once, 0},
    {"I8_timerfd_periodic", periodic, 0},
    {"I8_timerfd_short_periods", short_periods, 0},
    {"I8_timerfd_absolute", absolute, 0},
    {"I8_timerfd_clock_steps", clock_steps, 0},
    {"I8_timerfd_errors", timer_errors, 0},
    {"I8_timerfd_killed", killed_with_timer, 0},
    {"I8_signalfd_takes", takes_signals, 0},
    {"I8_signalfd_of_child", of_child, 0},
    {"I8_signalfd_of_timer", of_timer, 0},
    {"I8_signalfd_of_the_reader", of_the_reader, 0},
    {"I8_signalfd_new_mask", new_mask, 0},
    {"I8_signalfd_killed", killed_with_signalfd, 0},
    {0, 0, 0},
};
