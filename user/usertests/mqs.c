/* POSIX message queues. Each case holds what mq_overview(7) or the pages of its calls say of one call, flag, limit or
 * permission. */
#include "user/usertests/ut.h"
#include "abi/mount.h"
#include "abi/mqueue.h"
#include "abi/socket.h"
#include "abi/poll.h"
#include "abi/resource.h"
#include "abi/statfs.h"

#define BOB 1001

static const char *name = "usertests.mq";
static int mq; /* that children of a case use, too */
static char text[8192];

static void remove_old(void) { sys_mq_unlink(name); } /* of a case that has failed */

static void make(long messages, long size, int flags) {
    struct mq_attr a = {.mq_maxmsg = messages, .mq_msgsize = size};

    remove_old();
    mq = (int)OK(sys_mq_open(name, O_RDWR | O_CREAT | O_EXCL | flags, 0600, &a));
}

static void gone(void) {
    OK(sys_mq_unlink(name));
    OK(sys_close(mq));
}

static long send(const char *s, unsigned priority) {
    return sys_mq_timedsend(mq, s, strlen(s), priority, 0);
}

static void expect(const char *s, unsigned priority) {
    unsigned p = 77;

    memset(text, 0, sizeof(text));
    EQ(OK(sys_mq_timedreceive(mq, text, sizeof(text), &p, 0)), strlen(s));
    CHECK(strcmp(text, s) == 0);
    EQ(p, priority);
}

static struct mq_attr attributes(void) {
    struct mq_attr a;

    OK(sys_mq_getsetattr(mq, 0, &a));
    return a;
}

static void opening(void) {
    struct mq_attr a = {.mq_maxmsg = 10, .mq_msgsize = 8193};
    char longest[257];
    int other;

    FAILS(ENOENT, sys_mq_open(name, O_RDWR, 0, 0));
    FAILS(ENOENT, sys_mq_unlink(name));
    mq = (int)OK(sys_mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, 0));
    EQ(sys_fcntl(mq, F_GETFD, 0), FD_CLOEXEC);
    EQ(attributes().mq_maxmsg, 10);
    EQ(attributes().mq_msgsize, 8192);
    FAILS(EEXIST, sys_mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, 0));
    other = (int)OK(sys_mq_open(name, O_RDONLY | O_CREAT, 0600, 0));
    OK(send("through", 0));
    EQ(sys_mq_timedreceive(other, text, sizeof(text), 0, 0), 7);
    FAILS(EBADF, sys_mq_timedsend(other, "x", 1, 0, 0));
    OK(sys_mq_unlink(name));
    FAILS(ENOENT, sys_mq_open(name, O_RDWR, 0, 0));
    OK(send("still there", 0)); /* for those who have it open */
    EQ(sys_mq_timedreceive(other, text, sizeof(text), 0, 0), 11);
    FAILS(EACCES, sys_mq_open("a/b", O_RDWR | O_CREAT, 0600, 0));
    FAILS(EACCES, sys_mq_open("..", O_RDWR | O_CREAT, 0600, 0));
    FAILS(ENOENT, sys_mq_open("", O_RDWR | O_CREAT, 0600, 0));
    FAILS(EFAULT, sys_mq_open(unmapped_page(), O_RDWR, 0, 0));
    FAILS(EFAULT, sys_mq_open(name, O_RDWR | O_CREAT, 0600, unmapped_page()));
    memset(longest, 'x', 256);
    longest[256] = 0;
    FAILS(ENAMETOOLONG, sys_mq_open(longest, O_RDWR | O_CREAT, 0600, 0));
    a.mq_maxmsg = 0;
    FAILS(EINVAL, sys_mq_open(name, O_RDWR | O_CREAT, 0600, &a));
    FAILS(EBADF, sys_mq_timedsend(0, "x", 1, 0, 0));
}

static void priorities(void) {
    make(6, 100, 0);
    OK(send("low", 1));
    OK(send("high", 9));
    OK(send("high too", 9));
    OK(send("highest", MQ_PRIO_MAX - 1));
    OK(send("", 0));
    EQ(attributes().mq_curmsgs, 5);
    expect("highest", MQ_PRIO_MAX - 1);
    expect("high", 9);
    expect("high too", 9);
    expect("low", 1);
    expect("", 0);
    FAILS(EINVAL, send("x", MQ_PRIO_MAX));
    gone();
}

static void sizes(void) {
    make(2, 5, 0);
    FAILS(EMSGSIZE, send("123456", 0));
    OK(send("12345", 0));
    FAILS(EMSGSIZE, sys_mq_timedreceive(mq, text, 4, 0, 0));
    FAILS(EFAULT, sys_mq_timedsend(mq, unmapped_page(), 3, 0, 0));
    EQ(sys_mq_timedreceive(mq, text, 5, 0, 0), 5);
    gone();
}

static void nonblocking(void) {
    struct mq_attr a = {.mq_flags = 0}, old;

    make(1, 5, O_NONBLOCK);
    EQ(attributes().mq_flags, O_NONBLOCK);
    FAILS(EAGAIN, sys_mq_timedreceive(mq, text, 5, 0, 0));
    OK(send("x", 0));
    FAILS(EAGAIN, send("y", 0));
    OK(sys_mq_getsetattr(mq, &a, &old));
    EQ(old.mq_flags, O_NONBLOCK);
    EQ(old.mq_curmsgs, 1);
    EQ(attributes().mq_flags, 0);
    a.mq_flags = 1;
    FAILS(EINVAL, sys_mq_getsetattr(mq, &a, 0));
    FAILS(EFAULT, sys_mq_getsetattr(mq, unmapped_page(), 0));
    gone();
}

static void timeouts(void) {
    struct timespec t, bad = {0, 1000000000}, past = {1, 0};
    int64_t begin = now_ms();

    make(1, 5, 0);
    OK(sys_clock_gettime(CLOCK_REALTIME, &t));
    t.tv_nsec += 30000000;
    t.tv_sec += t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    FAILS(ETIMEDOUT, sys_mq_timedreceive(mq, text, 5, 0, &t));
    CHECK(now_ms() - begin >= 29);
    FAILS(ETIMEDOUT, sys_mq_timedreceive(mq, text, 5, 0, &past));
    OK(sys_mq_timedsend(mq, "x", 1, 0, &past));
    FAILS(ETIMEDOUT, sys_mq_timedsend(mq, "x", 1, 0, &t));
    FAILS(EINVAL, sys_mq_timedsend(mq, "x", 1, 0, &bad));
    gone();
}

static void expect_timeout(void) {
    struct timespec t;

    OK(sys_clock_gettime(CLOCK_REALTIME, &t));
    t.tv_sec += 1000;
    FAILS(ETIMEDOUT, sys_mq_timedreceive(mq, text, sizeof(text), 0, &t));
}

/* It is a time of the wall clock, also when that is set. */
static void timeout_follows_clock(void) {
    struct timespec t;
    int pid;

    make(1, 5, 0);
    pid = spawn(expect_timeout);
    until_asleep(pid);
    OK(sys_clock_gettime(CLOCK_REALTIME, &t));
    t.tv_sec += 2000;
    OK(sys_clock_settime(CLOCK_REALTIME, &t));
    wait_ok(pid);
    t.tv_sec -= 2000;
    OK(sys_clock_settime(CLOCK_REALTIME, &t));
    gone();
}

static void receive_x(void) { expect("x", 3); }
static void send_y(void) { OK(send("y", 1)); }
static void ignore(int sig) { (void)sig; }

static void interrupted(void) {
    on_signal(SIGUSR1, ignore, 0);
    FAILS(EINTR, sys_mq_timedreceive(mq, text, sizeof(text), 0, 0));
}

static void restarted(void) {
    on_signal(SIGUSR1, ignore, SA_RESTART);
    expect("x", 3);
}

static void waiting(void) {
    int a, b;

    make(1, 10, 0);
    a = spawn(receive_x);
    until_asleep(a);
    OK(send("x", 3));
    wait_ok(a);
    EQ(attributes().mq_curmsgs, 0);
    OK(send("x", 3));
    a = spawn(send_y);
    until_asleep(a);
    b = spawn(send_y);
    until_asleep(b);
    kill_child(b);
    expect("x", 3);
    wait_ok(a);
    expect("y", 1);
    a = spawn(interrupted);
    until_asleep(a);
    OK(sys_kill(a, SIGUSR1));
    wait_ok(a);
    a = spawn(restarted);
    until_asleep(a);
    OK(sys_kill(a, SIGUSR1));
    sleep_ms(10);
    OK(send("x", 3));
    wait_ok(a);
    gone();
}

static long got_value;
static int got_code, got_pid;
static void note(int sig, struct siginfo *info, void *context) {
    (void)sig, (void)context;
    got_code = info->si_code;
    got_pid = info->si_pid;
    got_value = (long)info->si_value.sival_ptr;
}

static void register_too(void) {
    struct sigevent e = {.sigev_notify = SIGEV_NONE};

    FAILS(EBUSY, sys_mq_notify(mq, &e));
    OK(sys_mq_notify(mq, 0)); /* not ours: nothing happens */
    OK(send("z", 0));
}

static void register_and_end(void) {
    struct sigevent e = {.sigev_notify = SIGEV_NONE};

    OK(sys_mq_notify(mq, &e));
}

static void notification(void) {
    struct sigevent e = {.sigev_notify = SIGEV_SIGNAL,
                         .sigev_signo = SIGUSR1,
                         .sigev_value.sival_ptr = (void *)123456};
    struct sigaction act = {.sa_sigaction = note, .sa_flags = SA_SIGINFO};
    int child;

    OK(sys_rt_sigaction(SIGUSR1, &act, 0, sizeof(sigset_t)));
    make(3, 10, 0);
    child = spawn(register_and_end);
    wait_ok(child);
    OK(sys_mq_notify(mq, &e));
    FAILS(EBUSY, sys_mq_notify(mq, &e));
    child = spawn(register_too);
    wait_ok(child);
    EQ(got_code, SI_MESGQ);
    EQ(got_pid, child);
    EQ(got_value, 123456);
    got_code = 0;
    OK(sys_mq_notify(mq, &e)); /* once only, and it is not empty now */
    OK(send("z", 0));
    EQ(got_code, 0);
    expect("z", 0);
    expect("z", 0);
    OK(send("z", 0));
    EQ(got_code, SI_MESGQ);
    got_code = 0;
    OK(sys_mq_notify(mq, &e));
    OK(sys_mq_notify(mq, 0));
    expect("z", 0);
    OK(send("z", 0));
    EQ(got_code, 0);
    e.sigev_signo = 65;
    FAILS(EINVAL, sys_mq_notify(mq, &e));
    FAILS(EFAULT, sys_mq_notify(mq, unmapped_page()));
    FAILS(EBADF, sys_mq_notify(0, 0));
    gone();
}

static void as_bob(void) {
    become_user(BOB);
    FAILS(EACCES, sys_mq_open(name, O_RDWR, 0, 0));
    FAILS(EACCES, sys_mq_open(name, O_WRONLY, 0, 0));
    mq = (int)OK(sys_mq_open(name, O_RDONLY, 0, 0));
    expect("for bob", 0);
    FAILS(EPERM, sys_mq_unlink(name)); /* sticky, as /tmp */
}

static void permissions(void) {
    remove_old();
    mq = (int)OK(sys_mq_open(name, O_RDWR | O_CREAT, 0604, 0));
    OK(send("for bob", 0));
    child_ok(as_bob);
    gone();
}

static void bob_makes(void) {
    struct rlimit most = {2 * (10 * (8192 + 96)), 819200};
    struct mq_attr a = {.mq_maxmsg = 11, .mq_msgsize = 10};
    int others[2];

    become_user(BOB);
    FAILS(EINVAL, sys_mq_open("bob.0", O_RDWR | O_CREAT, 0600, &a));
    OK(sys_setrlimit(RLIMIT_MSGQUEUE, &most));
    others[0] = (int)OK(sys_mq_open("bob.0", O_RDWR | O_CREAT, 0600, 0));
    others[1] = (int)OK(sys_mq_open("bob.1", O_RDWR | O_CREAT, 0600, 0));
    FAILS(EMFILE, sys_mq_open("bob.2", O_RDWR | O_CREAT, 0600, 0));
    OK(sys_mq_unlink("bob.0"));
    OK(sys_close(others[0]));
    others[0] = (int)OK(sys_mq_open("bob.2", O_RDWR | O_CREAT, 0600, 0));
    OK(sys_mq_unlink("bob.1"));
    OK(sys_mq_unlink("bob.2"));
}

static void limits(void) {
    expect_file("/proc/sys/fs/mqueue/queues_max", "256\n");
    expect_file("/proc/sys/fs/mqueue/msg_max", "10\n");
    expect_file("/proc/sys/fs/mqueue/msgsize_max", "8192\n");
    child_ok(bob_makes);
    make(1000, 10, 0); /* root may */
    gone();
}

static void in_the_file_system(void) {
    struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    struct pollfd p = {.events = POLLIN | POLLOUT};
    struct timespec now = {0, 0};
    struct statfs fs;
    char line[81];

    OK(sys_mkdirat(AT_FDCWD, "mq", 0700));
    OK(sys_mount("none", "mq", "mqueue", 0, 0));
    make(1, 20, 0);
    p.fd = mq;
    EQ(OK(sys_ppoll(&p, 1, &now, 0, 8)), 1);
    EQ(p.revents, POLLOUT);
    OK(sys_mq_notify(mq, &e));
    snprintf(line, sizeof(line), "QSIZE:%-10d NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6d\n", 0, 0,
             SIGUSR1, getpid());
    expect_file("mq/usertests.mq", line);
    OK(sys_mq_notify(mq, 0));
    OK(send("twelve bytes", 5));
    snprintf(line, sizeof(line), "QSIZE:%-10d NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6d\n", 12, 0, 0,
             0);
    expect_file("mq/usertests.mq", line);
    EQ(OK(sys_ppoll(&p, 1, &now, 0, 8)), 1);
    EQ(p.revents, POLLIN);
    EQ(stat_of("mq/usertests.mq").st_mode, 0100600);
    FAILS(EPERM, sys_mkdirat(AT_FDCWD, "mq/dir", 0700));
    FAILS(EPERM, sys_symlinkat("x", AT_FDCWD, "mq/link"));
    OK(sys_statfs("mq", &fs));
    EQ(fs.f_type, 0x19800202);
    OK(sys_close((int)OK(open_at("mq/touched", O_RDWR | O_CREAT, 0600))));
    OK(sys_mq_unlink("touched"));
    OK(sys_unlinkat(AT_FDCWD, "mq/usertests.mq", 0));
    FAILS(ENOENT, sys_mq_open(name, O_RDWR, 0, 0));
    OK(sys_close(mq));
    OK(sys_umount2("mq", 0));
}

#define NUMBERS 300
static int nth;
static void count_up(void) {
    for (int i = 0; i < NUMBERS; i++) {
        int m[2] = {nth, i};
        OK(sys_mq_timedsend(mq, m, sizeof(m), (unsigned)nth, 0));
    }
}

static void nothing_lost(void) {
    int pids[3], next[3] = {0};

    make(3, 8, 0);
    for (nth = 0; nth < 3; nth++)
        pids[nth] = spawn(count_up);
    for (int i = 0; i < 3 * NUMBERS; i++) {
        int m[2];
        unsigned p;
        EQ(OK(sys_mq_timedreceive(mq, m, sizeof(m), &p, 0)), sizeof(m));
        EQ(p, m[0]);
        EQ(m[1], next[p]++);
    }
    for (int i = 0; i < 3; i++)
        wait_ok(pids[i]);
    EQ(attributes().mq_curmsgs, 0);
    gone();
}

/* SIGEV_THREAD, as the C library uses it: a cookie comes back through a netlink socket, its last byte says why. */
static void by_netlink(void) {
    char cookie[32] = "0123456789012345678901234567890", back[40];
    int fd = (int)OK(sys_socket(AF_NETLINK, SOCK_RAW, 0));
    struct sigevent e = {.sigev_notify = SIGEV_THREAD, .sigev_signo = fd};

    e.sigev_value.sival_ptr = cookie;
    mq = (int)OK(sys_mq_open("q", O_RDWR | O_CREAT, 0600, 0));
    OK(sys_mq_notify(mq, &e));
    FAILS(EBUSY, sys_mq_notify(mq, &e));
    FAILS(EAGAIN, sys_recvfrom(fd, back, sizeof(back), MSG_DONTWAIT, 0, 0));
    OK(sys_mq_timedsend(mq, "x", 1, 0, 0));
    EQ(sys_recvfrom(fd, back, sizeof(back), 0, 0, 0), 32);
    EQ(back[31], 1);
    EQ(memcmp(back, cookie, 31), 0);
    OK(sys_mq_notify(mq, &e)); /* once only */
    OK(sys_mq_notify(mq, 0));
    EQ(sys_recvfrom(fd, back, sizeof(back), 0, 0, 0), 32);
    EQ(back[31], 2);
    OK(sys_mq_notify(mq, &e));
    OK(sys_close(mq));
    EQ(sys_recvfrom(fd, back, sizeof(back), MSG_WAITALL, 0, 0), 32);
    EQ(back[31], 2);
    mq = (int)OK(sys_mq_open("q", O_RDWR, 0, 0));
    OK(sys_mq_notify(mq, &e)); /* the socket goes first */
    FAILS(ECONNREFUSED, sys_write(fd, cookie, 1));
    OK(sys_close(fd));
    EQ(sys_mq_timedreceive(mq, (char[8192]){0}, 8192, 0, 0), 1);
    OK(sys_mq_timedsend(mq, "x", 1, 0, 0));
    FAILS(EINVAL, sys_mq_notify(mq, &e));
    e.sigev_signo = mq;
    FAILS(EBADF, sys_mq_notify(mq, &e));
    FAILS(EPROTONOSUPPORT, sys_socket(AF_NETLINK, SOCK_RAW, 31));
    FAILS(ESOCKTNOSUPPORT, sys_socket(AF_NETLINK, SOCK_STREAM, 0));
    OK(sys_mq_unlink("q"));
}

const struct test mq_tests[] = {
    {"I5_mq_open", opening, 0},
    {"I5_mq_priorities", priorities, 0},
    {"I5_mq_sizes", sizes, 0},
    {"I5_mq_nonblocking", nonblocking, 0},
    {"I5_mq_timeouts", timeouts, 0},
    {"I5_mq_timeout_follows_clock", timeout_follows_clock, 0},
    {"I5_mq_waiting", waiting, 0},
    {"I5_mq_notify", notification, 0},
    {"I5_mq_notify_netlink", by_netlink, 0},
    {"I5_mq_permissions", permissions, 0},
    {"I10_mq_limits", limits, 0},
    {"I5_mq_file_system", in_the_file_system, 0},
    {"I5_mq_nothing_lost", nothing_lost, 0},
    {0, 0, 0},
};
