/* epoll. Each case holds what epoll(7), epoll_ctl(2) or epoll_wait(2) say of one mode, event or error. */
#include "user/usertests/ut.h"
#include "abi/eventfd.h"
#include "abi/poll.h"
#include "abi/sched.h"
#include "abi/socket.h"

static int ep;

static int new_epoll(void) { return (int)OK(sys_epoll_create1(EPOLL_CLOEXEC)); }
static int new_event(unsigned n) { return (int)OK(sys_eventfd2(n, EFD_NONBLOCK)); }

static long control(int set, int op, int fd, unsigned events) {
    struct epoll_event e = {.events = events, .data = (uint64_t)fd};

    return sys_epoll_ctl(set, op, fd, &e);
}
static void watch(int set, int fd, unsigned events) { OK(control(set, EPOLL_CTL_ADD, fd, events)); }

/* The one event within ms, or 0; fd must be what is ready. */
static unsigned wait_one(int set, int fd, int ms) {
    struct epoll_event e[3];
    long n = OK(sys_epoll_pwait(set, e, 3, ms, 0, 8));

    if (n == 0)
        return 0;
    EQ(n, 1);
    EQ(e[0].data, fd);
    return e[0].events;
}

static void add(int fd) {
    uint64_t n = 1;

    EQ(sys_write(fd, &n, 8), 8);
}
static void take(int fd) {
    uint64_t n;

    EQ(sys_read(fd, &n, 8), 8);
}

static void level(void) {
    int fd = new_event(0);

    ep = new_epoll();
    EQ(sys_fcntl(ep, F_GETFD, 0), FD_CLOEXEC);
    watch(ep, fd, EPOLLIN);
    EQ(wait_one(ep, fd, 0), 0);
    add(fd);
    EQ(wait_one(ep, fd, 0), EPOLLIN);
    EQ(wait_one(ep, fd, 0), EPOLLIN); /* still */
    take(fd);
    EQ(wait_one(ep, fd, 0), 0);
    OK(control(ep, EPOLL_CTL_MOD, fd, EPOLLOUT | EPOLLIN));
    EQ(wait_one(ep, fd, 0), EPOLLOUT);
    OK(control(ep, EPOLL_CTL_DEL, fd, 0));
    EQ(wait_one(ep, fd, 0), 0);
}

static void edge(void) {
    int fd = new_event(1);

    ep = new_epoll();
    watch(ep, fd, EPOLLIN | EPOLLET);
    EQ(wait_one(ep, fd, 0), EPOLLIN); /* ready when it was added */
    EQ(wait_one(ep, fd, 0), 0);
    add(fd);
    EQ(wait_one(ep, fd, 0), EPOLLIN); /* each write is an edge */
    EQ(wait_one(ep, fd, 0), 0);
    take(fd);
    EQ(wait_one(ep, fd, 0), 0);
    add(fd);
    take(fd);
    EQ(wait_one(ep, fd, 0), 0); /* over before anybody asked */
}

static void one_shot(void) {
    int fd = new_event(1);

    ep = new_epoll();
    watch(ep, fd, EPOLLIN | EPOLLONESHOT);
    EQ(wait_one(ep, fd, 0), EPOLLIN);
    EQ(wait_one(ep, fd, 0), 0);
    add(fd);
    EQ(wait_one(ep, fd, 0), 0);
    OK(control(ep, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLONESHOT));
    EQ(wait_one(ep, fd, 0), EPOLLIN);
    EQ(wait_one(ep, fd, 0), 0);
}

static void add_later(void) {
    sleep_ms(30);
    add(ep);
}

static void wakes(void) {
    int fd = new_event(0), set = new_epoll(), pid;
    struct timespec t = {20, 0};
    struct epoll_event e;
    int64_t start;

    watch(set, fd, EPOLLIN);
    ep = fd;
    pid = spawn(add_later);
    EQ(wait_one(set, fd, 20000), EPOLLIN);
    wait_ok(pid);
    take(fd);
    pid = spawn(add_later);
    EQ(sys_epoll_pwait2(set, &e, 1, &t, 0, 8), 1);
    wait_ok(pid);
    take(fd);
    pid = spawn(add_later);
    EQ(sys_epoll_pwait(set, &e, 1, -1, 0, 8), 1);
    wait_ok(pid);
    take(fd);
    start = now_ms();
    t = (struct timespec){0, 20500000};
    EQ(sys_epoll_pwait2(set, &e, 1, &t, 0, 8), 0);
    CHECK(now_ms() - start >= 20);
    t.tv_nsec = 1000000000;
    FAILS(EINVAL, sys_epoll_pwait2(set, &e, 1, &t, 0, 8));
}

static void hang_up(void) {
    int fds[2];

    ep = new_epoll();
    OK(sys_pipe2(fds, 0));
    watch(ep, fds[0], 0); /* told of all the same */
    OK(sys_close(fds[1]));
    EQ(wait_one(ep, fds[0], 0), EPOLLHUP);
    OK(sys_close(fds[0]));
    EQ(wait_one(ep, fds[0], 0), 0);
    OK(sys_pipe2(fds, 0));
    watch(ep, fds[1], EPOLLOUT);
    OK(sys_close(fds[0]));
    EQ(wait_one(ep, fds[1], 0), EPOLLOUT | EPOLLERR);
    ep = new_epoll();
    OK(sys_socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    watch(ep, fds[1], EPOLLRDHUP | EPOLLET);
    OK(control(ep, EPOLL_CTL_ADD, fds[0], EPOLLIN));
    OK(sys_shutdown(fds[0], SHUT_WR));
    EQ(wait_one(ep, fds[1], 0), EPOLLRDHUP); /* half a hang-up is told to who asks */
    EQ(wait_one(ep, fds[1], 0), 0);
    OK(control(ep, EPOLL_CTL_DEL, fds[1], 0));
    OK(sys_shutdown(fds[1], SHUT_WR));
    EQ(wait_one(ep, fds[0], 0), EPOLLIN | EPOLLHUP);
}

/* Closing the last descriptor takes the item away, an earlier one does not. */
static void closed(void) {
    int fd = new_event(1), copy;

    ep = new_epoll();
    copy = (int)OK(sys_dup(fd));
    watch(ep, fd, EPOLLIN);
    watch(ep, copy, EPOLLIN); /* the same file, another number */
    OK(control(ep, EPOLL_CTL_DEL, copy, 0));
    OK(sys_close(fd));
    EQ(wait_one(ep, fd, 0), EPOLLIN);
    FAILS(EBADF, control(ep, EPOLL_CTL_DEL, fd, 0));
    OK(sys_close(copy));
    EQ(wait_one(ep, fd, 0), 0);
}

static void errors(void) {
    int fd = new_event(0), file;
    struct epoll_event e[2] = {{0, 0}};

    ep = new_epoll();
    put_file("file", "x");
    file = (int)OK(open_at("file", O_RDWR, 0));
    FAILS(EINVAL, sys_epoll_create1(1));
    FAILS(EPERM, control(ep, EPOLL_CTL_ADD, file, EPOLLIN));
    FAILS(EINVAL, control(ep, EPOLL_CTL_ADD, ep, EPOLLIN));
    FAILS(EINVAL, control(fd, EPOLL_CTL_ADD, ep, EPOLLIN));
    FAILS(EINVAL, control(ep, 9, fd, EPOLLIN));
    FAILS(EBADF, control(99, EPOLL_CTL_ADD, fd, EPOLLIN));
    FAILS(EBADF, control(ep, EPOLL_CTL_ADD, 99, EPOLLIN));
    FAILS(ENOENT, control(ep, EPOLL_CTL_MOD, fd, EPOLLIN));
    FAILS(ENOENT, control(ep, EPOLL_CTL_DEL, fd, EPOLLIN));
    FAILS(EFAULT, sys_epoll_ctl(ep, EPOLL_CTL_ADD, fd, unmapped_page()));
    watch(ep, fd, EPOLLIN);
    FAILS(EEXIST, control(ep, EPOLL_CTL_ADD, fd, EPOLLIN));
    OK(sys_epoll_ctl(ep, EPOLL_CTL_DEL, fd, 0));
    FAILS(EINVAL, sys_epoll_pwait(ep, e, 0, 0, 0, 8));
    FAILS(EINVAL, sys_epoll_pwait(ep, e, -1, 0, 0, 8));
    FAILS(EINVAL, sys_epoll_pwait(fd, e, 1, 0, 0, 8));
    FAILS(EBADF, sys_epoll_pwait(99, e, 1, 0, 0, 8));
    watch(ep, fd, EPOLLOUT);
    FAILS(EFAULT, sys_epoll_pwait(ep, unmapped_page(), 1, 0, 0, 8));
    EQ(wait_one(ep, fd, 0), EPOLLOUT); /* not lost */
    FAILS(EINVAL, sys_read(ep, e, 8));
}

/* All of many are reported, in turn, however few fit. */
static void turns(void) {
    enum { MANY = 40 };
    struct epoll_event e[7];
    int seen[MANY] = {0}, first, rounds = 0;

    ep = new_epoll();
    first = new_event(1);
    watch(ep, first, EPOLLIN);
    for (int i = 1; i < MANY; i++)
        watch(ep, new_event(1), EPOLLIN);
    while (rounds++ < 6) {
        EQ(sys_epoll_pwait(ep, e, 7, 0, 0, 8), 7);
        for (int i = 0; i < 7; i++)
            seen[(int)e[i].data - first]++;
    }
    for (int i = 0; i < MANY; i++)
        CHECK(seen[i] == 1 || seen[i] == 2);
}

static void nested(void) {
    int fd = new_event(0), inner = new_epoll(), other = new_epoll();
    struct pollfd p = {.events = POLLIN};
    struct timespec now = {0, 0};

    ep = new_epoll();
    watch(inner, fd, EPOLLIN);
    watch(ep, inner, EPOLLIN);
    EQ(wait_one(ep, inner, 0), 0);
    add(fd);
    EQ(wait_one(ep, inner, 0), EPOLLIN);
    EQ(wait_one(inner, fd, 0), EPOLLIN);
    p.fd = ep;
    EQ(sys_ppoll(&p, 1, &now, 0, 8), 1);
    take(fd);
    EQ(sys_ppoll(&p, 1, &now, 0, 8), 0); /* asked through both */
    EQ(wait_one(ep, inner, 0), 0);
    FAILS(ELOOP, control(inner, EPOLL_CTL_ADD, ep, EPOLLIN));
    watch(other, ep, EPOLLIN);
    FAILS(ELOOP, control(inner, EPOLL_CTL_ADD, other, EPOLLIN));
    add(fd);
    EQ(wait_one(other, ep, 0), EPOLLIN);
    OK(sys_close(inner));
    EQ(wait_one(other, ep, 0), 0);
}

static void too_deep(void) {
    int sets[7];

    for (int i = 0; i < 7; i++)
        sets[i] = new_epoll();
    for (int i = 0; i < 4; i++)
        watch(sets[i + 1], sets[i], EPOLLIN); /* five in all */
    FAILS(ELOOP, control(sets[5], EPOLL_CTL_ADD, sets[4], EPOLLIN));
    FAILS(ELOOP, control(sets[0], EPOLL_CTL_ADD, sets[5], EPOLLIN));
    watch(sets[5], sets[3], EPOLLIN);
    watch(sets[6], sets[0], EPOLLIN);
}

/* What was too deep is allowed when a set below is gone, in whatever way. */
static void less_deep(void) {
    int sets[6];

    for (int i = 0; i < 6; i++)
        sets[i] = new_epoll();
    for (int i = 0; i < 4; i++)
        watch(sets[i + 1], sets[i], EPOLLIN);
    FAILS(EEXIST, control(sets[2], EPOLL_CTL_ADD, sets[1], EPOLLIN));
    FAILS(ELOOP, control(sets[5], EPOLL_CTL_ADD, sets[4], EPOLLIN));
    OK(control(sets[2], EPOLL_CTL_DEL, sets[1], 0));
    watch(sets[5], sets[4], EPOLLIN);
    watch(sets[2], sets[0], EPOLLIN);
    FAILS(ELOOP, control(sets[0], EPOLL_CTL_ADD, sets[1], EPOLLIN));
    OK(sys_close(sets[0]));
    watch(sets[2], sets[1], EPOLLIN);
    FAILS(ELOOP, control(sets[1], EPOLL_CTL_ADD, sets[5], EPOLLIN));
}

static void nested_edge(void) {
    int fd = new_event(0), inner = new_epoll();

    ep = new_epoll();
    watch(inner, fd, EPOLLIN);
    watch(ep, inner, EPOLLIN | EPOLLET);
    add(fd);
    EQ(wait_one(ep, inner, 0), EPOLLIN);
    EQ(wait_one(ep, inner, 0), 0);
    add(fd);
    EQ(wait_one(ep, inner, 0), EPOLLIN);
}

static int event;
static volatile int *woken;

static void wait_exclusively(void) {
    struct epoll_event e;
    int set = new_epoll();

    watch(set, event, EPOLLIN | EPOLLEXCLUSIVE);
    __atomic_fetch_add(&woken[1], 1, __ATOMIC_SEQ_CST);
    EQ(sys_epoll_pwait(set, &e, 1, -1, 0, 8), 1);
    __atomic_fetch_add(&woken[0], 1, __ATOMIC_SEQ_CST);
    sleep_long();
}

/* A write wakes one of the sets that watch exclusively, the next write another. */
static void exclusive(void) {
    int pids[4];

    ep = new_epoll();
    woken = shared_page();
    event = new_event(0);
    for (int i = 0; i < 4; i++)
        pids[i] = spawn(wait_exclusively);
    for (int i = 0; i < 4; i++)
        while (woken[1] < 4 || proc_state(pids[i]) != 'S')
            sleep_ms(1);
    for (int n = 1; n <= 4; n++) {
        add(event);
        while (woken[0] < n)
            sleep_ms(1);
        sleep_ms(20);
        EQ(woken[0], n);
    }
    for (int i = 0; i < 4; i++)
        kill_child(pids[i]);
    FAILS(EINVAL, control(ep, EPOLL_CTL_ADD, event, EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT));
    FAILS(EINVAL, control(ep, EPOLL_CTL_ADD, new_epoll(), EPOLLIN | EPOLLEXCLUSIVE));
    watch(ep, event, EPOLLIN | EPOLLEXCLUSIVE);
    FAILS(EINVAL, control(ep, EPOLL_CTL_MOD, event, EPOLLIN));
    for (int i = 0; i < 3; i++)
        EQ(wait_one(ep, event, 0), EPOLLIN);
}

static void on_usr1(int sig) {
    (void)sig;
    woken[0]++;
}

static void interrupted(void) {
    int parent = getpid();
    sigset_t block = SIGMASK(SIGUSR1), none = 0;
    struct epoll_event e;

    ep = new_epoll();
    woken = shared_page();
    on_signal(SIGUSR1, on_usr1, SA_RESTART);
    if (fork() == 0) {
        until_asleep(parent);
        sys_kill(parent, SIGUSR1);
        sys_exit_group(0);
    }
    FAILS(EINTR, sys_epoll_pwait(ep, &e, 1, -1, 0, 8)); /* never restarted */
    EQ(woken[0], 1);
    OK(sys_rt_sigprocmask(SIG_BLOCK, &block, 0, 8));
    OK(sys_kill(parent, SIGUSR1));
    EQ(sys_epoll_pwait(ep, &e, 1, 10, 0, 8), 0);
    FAILS(EINVAL, sys_epoll_pwait(ep, &e, 1, 10, &none, 4));
    FAILS(EINTR, sys_epoll_pwait(ep, &e, 1, -1, &none, 8));
    EQ(woken[0], 2);
    OK(sys_kill(parent, SIGUSR1));
    EQ(sys_epoll_pwait(ep, &e, 1, 0, 0, 8), 0); /* the mask is back */
    EQ(woken[0], 2);
}

static void wait_forever(void) {
    struct epoll_event e;

    sys_epoll_pwait(ep, &e, 1, -1, 0, 8);
}

static void killed(void) {
    int pid, fd = new_event(0);

    ep = new_epoll();
    watch(ep, fd, EPOLLIN);
    pid = spawn(wait_forever);
    until_asleep(pid);
    kill_child(pid);
    add(fd);
    EQ(wait_one(ep, fd, 0), EPOLLIN);
}

static int shared_fd;

static int close_and_open(void *arg) {
    (void)arg;
    for (int i = 0; i < 300; i++) {
        int fd = (int)sys_eventfd2(1, EFD_NONBLOCK);
        struct epoll_event e = {.events = EPOLLIN, .data = 1};
        sys_epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
        add(fd);
        sys_close(fd);
    }
    return 0;
}

/* Sets that wait while their files, and other sets, are opened, made ready and closed by other threads. */
static void closed_while_waiting(void) {
    struct epoll_event e[4];

    ep = new_epoll();
    shared_fd = new_event(1);
    watch(ep, shared_fd, EPOLLIN);
    for (int i = 0; i < 3; i++)
        OK(clone_call(THREAD, new_stack(), 0, 0, 0, close_and_open, 0));
    for (int i = 0; i < 300; i++) {
        int set = new_epoll();
        watch(set, shared_fd, EPOLLIN);
        watch(set, ep, EPOLLIN);
        CHECK(OK(sys_epoll_pwait(set, e, 4, 100, 0, 8)) >= 1);
        CHECK(OK(sys_epoll_pwait(ep, e, 4, 100, 0, 8)) >= 1);
        OK(sys_close(set));
    }
}

static void of_signals(void) {
    sigset_t set = SIGMASK(SIGUSR1);
    int fd;

    ep = new_epoll();
    OK(sys_rt_sigprocmask(SIG_BLOCK, &set, 0, 8));
    fd = (int)OK(sys_signalfd4(-1, &set, 8, 0));
    watch(ep, fd, EPOLLIN);
    EQ(wait_one(ep, fd, 0), 0);
    OK(sys_kill(getpid(), SIGUSR1));
    EQ(wait_one(ep, fd, 0), EPOLLIN);
}

static void of_timers(void) {
    struct itimerspec t = {{0, 5000000}, {0, 5000000}};
    int fd = (int)OK(sys_timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));

    ep = new_epoll();
    watch(ep, fd, EPOLLIN | EPOLLET);
    OK(sys_timerfd_settime(fd, 0, &t, 0));
    for (int i = 0; i < 5; i++) {
        EQ(wait_one(ep, fd, 20000), EPOLLIN);
        take(fd);
    }
}

static int take_one(void *arg) {
    struct epoll_event e;

    (void)arg;
    if (sys_epoll_pwait(ep, &e, 1, -1, 0, 8) == 1)
        __atomic_fetch_add(&woken[0], 1, __ATOMIC_SEQ_CST);
    return 0;
}

/* One edge wakes one of the threads that wait for the set. */
static void one_thread_woken(void) {
    event = new_event(0);
    ep = new_epoll();
    woken = shared_page();
    watch(ep, event, EPOLLIN | EPOLLET);
    for (int i = 0; i < 3; i++)
        OK(clone_call(THREAD, new_stack(), 0, 0, 0, take_one, 0));
    sleep_ms(30);
    for (int n = 1; n <= 3; n++) {
        add(event);
        while (woken[0] < n)
            sleep_ms(1);
        sleep_ms(10);
        EQ(woken[0], n);
    }
}

const struct test epoll_tests[] = {
    {"I8_epoll_level", level, 0},
    {"I8_epoll_edge", edge, 0},
    {"I8_epoll_one_shot", one_shot, 0},
    {"I8_epoll_wakes", wakes, 0},
    {"I8_epoll_hang_up", hang_up, 0},
    {"I8_epoll_closed", closed, 0},
    {"I8_epoll_errors", errors, 0},
    {"I8_epoll_turns", turns, 0},
    {"I8_epoll_nested", nested, 0},
    {"I8_epoll_too_deep", too_deep, 0},
    {"I8_epoll_less_deep", less_deep, 0},
    {"I8_epoll_nested_edge", nested_edge, 0},
    {"I8_epoll_exclusive", exclusive, 0},
    {"I8_epoll_interrupted", interrupted, 0},
    {"I8_epoll_killed", killed, 0},
    {"I8_epoll_closed_while_waiting", closed_while_waiting, 0},
    {"I8_epoll_of_signals", of_signals, 0},
    {"I8_epoll_of_timers", of_timers, 0},
    {"I8_epoll_one_thread_woken", one_thread_woken, 0},
    {0, 0, 0},
};
