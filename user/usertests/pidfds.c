/* Descriptors of processes. Each case holds what pidfd_open(2), pidfd_send_signal(2), pidfd_getfd(2),
 * clone(2) or waitid(2) say of one state, option or error. */
#include "user/usertests/ut.h"
#include "abi/pidfd.h"
#include "abi/poll.h"
#include "abi/resource.h"
#include "abi/sched.h"

static int open_pid(int pid) { return (int)OK(sys_pidfd_open(pid, 0)); }

/* The events of poll within ms; 0: none. */
static int poll_ms(int fd, int ms) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    struct timespec t = {ms / 1000, ms % 1000 * 1000000L};

    return OK(sys_ppoll(&p, 1, &t, 0, 8)) ? p.revents : 0;
}

static void opened(void) {
    int pid = spawn(sleep_long), fd = open_pid(pid);
    char text[64], path[32];
    long n;

    EQ(sys_fcntl(fd, F_GETFD, 0), FD_CLOEXEC);
    EQ(sys_fcntl(fd, F_GETFL, 0) & O_NONBLOCK, 0);
    FAILS(EINVAL, sys_read(fd, text, 1));
    FAILS(EINVAL, sys_write(fd, text, 1));
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    n = OK(sys_readlinkat(AT_FDCWD, path, text, sizeof(text) - 1));
    text[n] = 0;
    CHECK(strcmp(text, "anon_inode:[pidfd]") == 0);
    kill_child(pid);
}

static void open_errors(void) {
    struct rlimit few = {20, 20};
    int tid;

    FAILS(EINVAL, sys_pidfd_open(getpid(), 1));
    FAILS(EINVAL, sys_pidfd_open(getpid(), O_CLOEXEC));
    FAILS(EINVAL, sys_pidfd_open(0, 0));
    FAILS(EINVAL, sys_pidfd_open(-5, 0));
    FAILS(ESRCH, sys_pidfd_open(999999999, 0));
    tid = (int)OK(clone_call(THREAD, new_stack(), 0, 0, 0, sleep_thread, 0));
    FAILS(EINVAL, sys_pidfd_open(tid, 0)); /* not a process */
    OK(sys_setrlimit(RLIMIT_NOFILE, &few));
    while (sys_dup(0) >= 0)
        ;
    FAILS(EMFILE, sys_pidfd_open(getpid(), 0));
}

static void open_zombie(void) {
    int pid = spawn(nothing), fd;

    OK(sys_waitid(P_PID, pid, 0, WEXITED | WNOWAIT, 0));
    fd = open_pid(pid);
    EQ(poll_ms(fd, 0), POLLIN);
    OK(sys_pidfd_send_signal(fd, SIGTERM, 0, 0));
    wait_ok(pid);
    FAILS(ESRCH, sys_pidfd_open(pid, 0));
}

static void readable_after_exit(void) {
    int pid = spawn(sleep_long), fd = open_pid(pid);

    EQ(poll_ms(fd, 20), 0);
    if (fork() == 0) {
        sleep_ms(30);
        sys_kill(pid, SIGKILL);
        sys_exit_group(0);
    }
    EQ(poll_ms(fd, 20000), POLLIN);
    EQ(wait_status(pid), SIGKILL);
    EQ(poll_ms(fd, 0), POLLIN | POLLHUP); /* it is reaped */
    OK(sys_wait4(-1, 0, 0, 0));
}

/* Readable only when all threads are gone. */
static int sleep_a_little(void *arg) {
    (void)arg;
    sleep_ms(60);
    sys_exit_group(3);
}

static void leader_goes_first(void) {
    OK(clone_call(THREAD, new_stack(), 0, 0, 0, sleep_a_little, 0));
    sys_exit(0);
}

static void readable_after_threads(void) {
    int pid = spawn(leader_goes_first), fd = open_pid(pid);
    int64_t start = now_ms();

    EQ(poll_ms(fd, 20000), POLLIN);
    CHECK(now_ms() - start < 10000);
    EQ(wait_status(pid), W_EXITCODE(3, 0));
}

static volatile int got_signal, got_code, got_value;

static void note(int sig, struct siginfo *info, void *context) {
    (void)context;
    got_signal = sig;
    got_code = info->si_code;
    got_value = info->si_value.sival_int;
}

static void send_signals(void) {
    struct sigaction act = {.sa_sigaction = note, .sa_flags = SA_SIGINFO};
    struct siginfo info = {.si_signo = SIGUSR1, .si_code = SI_QUEUE, .si_value = {.sival_int = 77}};
    int fd = open_pid(getpid());

    OK(sys_rt_sigaction(SIGUSR1, &act, 0, 8));
    OK(sys_pidfd_send_signal(fd, SIGUSR1, 0, 0));
    EQ(got_signal, SIGUSR1);
    EQ(got_code, SI_USER);
    OK(sys_pidfd_send_signal(fd, SIGUSR1, &info, 0));
    EQ(got_code, SI_QUEUE);
    EQ(got_value, 77);
    OK(sys_pidfd_send_signal(fd, 0, 0, 0));
    FAILS(EINVAL, sys_pidfd_send_signal(fd, SIGUSR2, &info, 0)); /* not the info's signal */
    FAILS(EINVAL, sys_pidfd_send_signal(fd, 65, 0, 0));
    FAILS(EINVAL, sys_pidfd_send_signal(fd, SIGUSR1, 0, 1U << 20));
    FAILS(EBADF, sys_pidfd_send_signal(0, SIGUSR1, 0, 0));
    FAILS(EBADF, sys_pidfd_send_signal(999, SIGUSR1, 0, 0));
    FAILS(EFAULT, sys_pidfd_send_signal(fd, SIGUSR1, unmapped_page(), 0));
}

static void send_to_others(void) {
    struct siginfo info = {.si_signo = SIGTERM, .si_code = SI_USER};
    int pid = spawn(sleep_long), fd = open_pid(pid), init = open_pid(1);

    FAILS(EPERM, sys_pidfd_send_signal(fd, SIGTERM, &info, 0)); /* would look like kill() */
    OK(sys_pidfd_send_signal(fd, SIGTERM, 0, 0));
    EQ(wait_status(pid), SIGTERM);
    FAILS(ESRCH, sys_pidfd_send_signal(fd, SIGTERM, 0, 0));
    become_user(1000);
    FAILS(EPERM, sys_pidfd_send_signal(init, SIGTERM, 0, 0));
}

/* The number may be taken, if it is free, but the descriptor never means another process. */
static void never_another(void) {
    int pid = spawn(nothing), fd = open_pid(pid);
    struct clone_args args = {.exit_signal = SIGCHLD, .set_tid = (uint64_t)&pid, .set_tid_size = 1};

    wait_ok(pid);
    long other = sys_clone3(&args, sizeof(args));
    if (other == 0)
        sleep_long();
    CHECK(other == pid || other == -EEXIST);
    FAILS(ESRCH, sys_pidfd_send_signal(fd, SIGKILL, 0, 0));
    EQ(poll_ms(fd, 0), POLLIN | POLLHUP);
    if (other < 0) { /* it is free when the descriptor is closed */
        OK(sys_close(fd));
        other = OK(sys_clone3(&args, sizeof(args)));
        if (other == 0)
            sleep_long();
        EQ(other, pid);
    }
    kill_child(pid);
}

static void waited_for(void) {
    int pid = spawn(sleep_long), fd = open_pid(pid);
    struct siginfo info = {.si_pid = 5};

    OK(sys_waitid(P_PIDFD, fd, &info, WEXITED | WNOHANG, 0));
    EQ(info.si_pid, 0);
    OK(sys_kill(pid, SIGKILL));
    OK(sys_waitid(P_PIDFD, fd, &info, WEXITED | WNOWAIT, 0));
    EQ(info.si_pid, pid);
    EQ(info.si_code, CLD_KILLED);
    EQ(info.si_status, SIGKILL);
    OK(sys_waitid(P_PIDFD, fd, &info, WEXITED, 0));
    FAILS(ECHILD, sys_waitid(P_PIDFD, fd, &info, WEXITED, 0));
    FAILS(ECHILD, sys_waitid(P_PIDFD, open_pid(1), &info, WEXITED, 0));
    FAILS(EBADF, sys_waitid(P_PIDFD, 0, &info, WEXITED, 0));
    FAILS(EBADF, sys_waitid(P_PIDFD, 999, &info, WEXITED, 0));
    FAILS(EINVAL, sys_waitid(P_PIDFD, -1, &info, WEXITED, 0));
    FAILS(EINVAL, sys_waitid(4, 1, &info, WEXITED, 0));
}

static void nonblocking(void) {
    int pid = spawn(sleep_long), fd = (int)OK(sys_pidfd_open(pid, PIDFD_NONBLOCK));
    struct siginfo info;

    CHECK(sys_fcntl(fd, F_GETFL, 0) & O_NONBLOCK);
    FAILS(EAGAIN, sys_waitid(P_PIDFD, fd, &info, WEXITED, 0));
    OK(sys_waitid(P_PIDFD, fd, &info, WEXITED | WNOHANG, 0));
    OK(sys_fcntl(fd, F_SETFL, 0));
    OK(sys_kill(pid, SIGKILL));
    OK(sys_waitid(P_PIDFD, fd, &info, WEXITED, 0));
    EQ(info.si_pid, pid);
}

static void fdinfo(void) {
    int pid = spawn(sleep_long), fd = open_pid(pid);
    char path[40], text[256];

    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
    EQ(proc_number(path, "Pid:"), pid);
    EQ(proc_number(path, "NSpid:"), pid);
    EQ(proc_number(path, "pos:"), 0);
    kill_child(pid);
    memset(text, 0, sizeof(text));
    CHECK(read_file(path, text, sizeof(text)) > 0);
    CHECK(strstr(text, "\nPid:\t-1\n") != 0);
}

static void closed_by_exec(void) {
    char *argv[] = {"sh", "-c", "test -e /proc/self/fd/20", 0};
    int fd = open_pid(getpid());

    EQ(sys_dup3(fd, 20, O_CLOEXEC), 20);
    CHECK(wait_status((int)OK(vfork_exec("/bin/sh", argv, environ))) != 0);
}

static void getfd(void) {
    int fds[2], pid, fd, mine;
    char c = 0;

    OK(sys_pipe2(fds, 0));
    pid = spawn(sleep_long);
    OK(sys_close(fds[0]));
    fd = open_pid(pid);
    mine = (int)OK(sys_pidfd_getfd(fd, fds[0], 0));
    EQ(sys_fcntl(mine, F_GETFD, 0), FD_CLOEXEC);
    EQ(sys_write(fds[1], "x", 1), 1);
    EQ(sys_read(mine, &c, 1), 1);
    EQ(c, 'x');
    FAILS(EBADF, sys_pidfd_getfd(fd, 200, 0));
    FAILS(EBADF, sys_pidfd_getfd(fd, -1, 0));
    FAILS(EBADF, sys_pidfd_getfd(mine, 0, 0));
    FAILS(EINVAL, sys_pidfd_getfd(fd, 0, 1));
    OK(sys_kill(pid, SIGKILL));
    OK(sys_waitid(P_PIDFD, fd, 0, WEXITED | WNOWAIT, 0));
    FAILS(ESRCH, sys_pidfd_getfd(fd, 0, 0));
    wait_status(pid);
    FAILS(ESRCH, sys_pidfd_getfd(fd, 0, 0));
    fd = open_pid(1);
    become_user(1000);
    FAILS(EPERM, sys_pidfd_getfd(fd, 0, 0));
}

static void from_clone(void) {
    int fd = -1, pid;

    pid = (int)OK(sys_clone(CLONE_PIDFD | SIGCHLD, 0, &fd, 0, 0));
    if (pid == 0)
        sleep_long();
    EQ(sys_fcntl(fd, F_GETFD, 0), FD_CLOEXEC);
    OK(sys_pidfd_send_signal(fd, SIGKILL, 0, 0));
    EQ(poll_ms(fd, 20000), POLLIN);
    EQ(wait_status(pid), SIGKILL);
}

/* The number that the next descriptor gets. */
static int lowest_free(void) {
    int fd = (int)OK(sys_dup(0));

    OK(sys_close(fd));
    return fd;
}

static void not_in_child(void) {
    int lowest = lowest_free(), fd = -1;
    int pid = (int)OK(sys_clone(CLONE_PIDFD | SIGCHLD, 0, &fd, 0, 0));

    if (pid == 0)
        sys_exit_group(sys_fcntl(lowest, F_GETFD, 0) == -EBADF ? 0 : 1);
    EQ(fd, lowest);
    wait_ok(pid);
}

static void from_clone3(void) {
    int fd = -1, word = 0;
    struct clone_args args = {.flags = CLONE_PIDFD | CLONE_PARENT_SETTID,
                              .exit_signal = SIGCHLD,
                              .pidfd = (uint64_t)&fd,
                              .parent_tid = (uint64_t)&word};
    long pid = OK(sys_clone3(&args, sizeof(args)));

    if (pid == 0)
        sleep_long();
    EQ(word, pid);
    OK(sys_pidfd_send_signal(fd, SIGKILL, 0, 0));
    EQ(wait_status((int)pid), SIGKILL);
    args.parent_tid = args.pidfd;
    FAILS(EINVAL, sys_clone3(&args, sizeof(args)));
}

static void clone_errors(void) {
    struct rlimit few = {20, 20};
    int fd = -1, lowest = lowest_free();

    FAILS(EINVAL, sys_clone(CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD, 0, &fd, 0, 0));
    FAILS(EINVAL, sys_clone(CLONE_PIDFD | CLONE_DETACHED | SIGCHLD, 0, &fd, 0, 0));
    FAILS(EINVAL,
          sys_clone(CLONE_PIDFD | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM, new_stack(), &fd, 0, 0));
    FAILS(EFAULT, sys_clone(CLONE_PIDFD | SIGCHLD, 0, unmapped_page(), 0, 0));
    EQ(lowest_free(), lowest); /* nothing is left of those */
    OK(sys_setrlimit(RLIMIT_NOFILE, &few));
    while (sys_dup(0) >= 0)
        ;
    FAILS(EMFILE, sys_clone(CLONE_PIDFD | SIGCHLD, 0, &fd, 0, 0));
    FAILS(ECHILD, sys_wait4(-1, 0, 0, 0));
}

const struct test pidfd_tests[] = {
    {"T8_pidfd_opened", opened, 0},
    {"T8_pidfd_open_errors", open_errors, 0},
    {"T8_pidfd_open_zombie", open_zombie, 0},
    {"T8_pidfd_readable_after_exit", readable_after_exit, 0},
    {"T8_pidfd_readable_after_threads", readable_after_threads, 0},
    {"T8_pidfd_send_signals", send_signals, 0},
    {"T8_pidfd_send_to_others", send_to_others, 0},
    {"T8_pidfd_never_another", never_another, 0},
    {"T8_pidfd_waited_for", waited_for, 0},
    {"T8_pidfd_nonblocking", nonblocking, 0},
    {"T8_pidfd_fdinfo", fdinfo, 0},
    {"T8_pidfd_closed_by_exec", closed_by_exec, 0},
    {"T8_pidfd_getfd", getfd, 0},
    {"T3_clone_pidfd", from_clone, 0},
    {"T3_clone_pidfd_not_in_child", not_in_child, 0},
    {"T3_clone3_pidfd", from_clone3, 0},
    {"T3_clone_pidfd_errors", clone_errors, 0},
    {0, 0, 0},
};
