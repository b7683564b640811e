/* Pipes, FIFOs, futexes, poll and select. */
#include "user/usertests/ut.h"
#include "abi/futex.h"
#include "abi/ioctl.h"
#include "abi/poll.h"
#include "abi/sched.h"
#include "abi/uio.h"

#define PIPE_SIZE 65536

static int fds[2];
static char buffer[3 * PIPE_SIZE];

/* ---- pipes */

static void bytes_in_order(void) {
    int pid, n = 0;

    OK(sys_pipe2(fds, 0));
    pid = fork();
    if (pid == 0) {
        for (int i = 0; i < 50; i++) {
            for (int j = 0; j < 1033; j++)
                buffer[j] = (char)(n++ % 251);
            OK(write_all(fds[1], buffer, 1033));
        }
        sys_exit_group(0);
    }
    OK(sys_close(fds[1]));
    for (long got; (got = OK(sys_read(fds[0], buffer, 777))) > 0;) {
        for (long i = 0; i < got; i++)
            EQ((uchar)buffer[i], n++ % 251);
    }
    EQ(n, 50 * 1033);
    wait_ok(pid);
}

static void ends(void) {
    char c = 'x';

    OK(sys_pipe2(fds, 0));
    FAILS(EBADF, sys_write(fds[0], &c, 1));
    FAILS(EBADF, sys_read(fds[1], &c, 1));
    FAILS(ESPIPE, sys_lseek(fds[0], 0, SEEK_CUR));
    FAILS(ESPIPE, sys_pread64(fds[0], &c, 1, 0));
    FAILS(EINVAL, sys_fsync(fds[0]));
    FAILS(EINVAL, sys_pipe2(fds, 0x1234567));
    EQ(sys_write(fds[1], &c, 0), 0);
    EQ(sys_write(fds[1], &c, 1), 1);
    OK(sys_close(fds[1]));
    EQ(sys_read(fds[0], &c, 5), 1); /* what was written is still read, then the end */
    EQ(sys_read(fds[0], &c, 1), 0);
}

static void non_blocking(void) {
    long total = 0, r;

    OK(sys_pipe2(fds, O_NONBLOCK | O_CLOEXEC));
    FAILS(EAGAIN, sys_read(fds[0], buffer, 1));
    while ((r = sys_write(fds[1], buffer, PAGE)) > 0)
        total += r;
    EQ(r, -EAGAIN);
    EQ(total, PIPE_SIZE);
    EQ(sys_read(fds[0], buffer, PAGE), PAGE);
    EQ(sys_write(fds[1], buffer, 3 * PAGE), PAGE); /* large: as much as fits */
    EQ(sys_read(fds[0], buffer, 100), 100);
    FAILS(EAGAIN, sys_write(fds[1], buffer, 101)); /* small: all or nothing */
    EQ(sys_fcntl(fds[0], F_GETFD, 0), FD_CLOEXEC);
}

static void atomic_writes(void) {
    enum { WRITERS = 4, ROUNDS = 50, SIZE = 512 };

    OK(sys_pipe2(fds, 0));
    for (int i = 0; i < WRITERS; i++) {
        if (fork() == 0) {
            memset(buffer, 'a' + i, SIZE);
            for (int j = 0; j < ROUNDS; j++)
                EQ(sys_write(fds[1], buffer, SIZE), SIZE);
            sys_exit_group(0);
        }
    }
    for (int n = 0; n < WRITERS * ROUNDS; n++) {
        for (long got = 0; got < SIZE;)
            got += OK(sys_read(fds[0], buffer + got, (size_t)(SIZE - got)));
        for (int i = 1; i < SIZE; i++)
            EQ(buffer[i], buffer[0]);
    }
    for (int status; sys_wait4(-1, &status, 0, 0) > 0;)
        EQ(status, 0);
}

static void capacity(void) {
    long size;

    OK(sys_pipe2(fds, O_NONBLOCK));
    EQ(sys_fcntl(fds[0], F_GETPIPE_SZ, 0), PIPE_SIZE);
    size = OK(sys_fcntl(fds[0], F_SETPIPE_SZ, 2 * PIPE_SIZE));
    EQ(size, 2 * PIPE_SIZE);
    EQ(sys_write(fds[1], buffer, sizeof(buffer)), 2 * PIPE_SIZE);
    FAILS(EBUSY, sys_fcntl(fds[0], F_SETPIPE_SZ, PAGE));
    int waiting = 0;
    OK(sys_ioctl(fds[0], FIONREAD, &waiting));
    EQ(waiting, 2 * PIPE_SIZE);
}

static void blocked_writer(void) {
    int pid;

    OK(sys_pipe2(fds, 0));
    pid = fork();
    if (pid == 0) {
        OK(sys_close(fds[0]));
        EQ(sys_write(fds[1], buffer, sizeof(buffer)), sizeof(buffer));
        sys_exit_group(0);
    }
    OK(sys_close(fds[1]));
    until_asleep(pid);
    long total = 0;
    for (long r; (r = OK(sys_read(fds[0], buffer, 10000))) > 0;)
        total += r;
    EQ(total, sizeof(buffer));
    wait_ok(pid);
}

static void reader_dies(void) {
    int pid;

    OK(sys_pipe2(fds, 0));
    pid = fork();
    if (pid == 0) {
        OK(sys_close(fds[0]));
        write_all(fds[1], buffer, sizeof(buffer));
        sys_exit_group(0);
    }
    OK(sys_close(fds[1]));
    until_asleep(pid);
    OK(sys_close(fds[0]));
    EQ(wait_status(pid), SIGPIPE);
}

static void fault_in_the_middle(void) {
    char *p = map_pages(2, PROT_READ | PROT_WRITE);
    long r;

    OK(sys_munmap(p + PAGE, PAGE));
    memset(p, 'a', PAGE);
    OK(sys_pipe2(fds, O_NONBLOCK));
    r = sys_write(fds[1], p + PAGE - 100, 200);
    CHECK(r == -EFAULT || r == 100);
    while (sys_read(fds[0], buffer, sizeof(buffer)) > 0)
        ;
    EQ(sys_write(fds[1], "0123456789", 10), 10);
    r = sys_read(fds[0], p + PAGE - 4, 10);
    CHECK(r == -EFAULT || r == 4);
}

static void many_readers(void) {
    uint32_t *sum = shared_page();

    OK(sys_pipe2(fds, 0));
    for (int i = 0; i < 5; i++) {
        if (fork() == 0) {
            OK(sys_close(fds[1]));
            for (long r; (r = OK(sys_read(fds[0], buffer, 10))) > 0;)
                __atomic_fetch_add(sum, (uint32_t)r, __ATOMIC_RELAXED);
            sys_exit_group(0);
        }
    }
    OK(sys_close(fds[0]));
    for (int i = 0; i < 100; i++)
        OK(write_all(fds[1], buffer, 997));
    OK(sys_close(fds[1]));
    for (int status; sys_wait4(-1, &status, 0, 0) > 0;)
        EQ(status, 0);
    EQ(*sum, 99700);
}

static void fifo(void) {
    int fd, pid;
    char c;

    OK(sys_mknodat(AT_FDCWD, "fifo", S_IFIFO | 0600, 0));
    CHECK(S_ISFIFO(stat_of("fifo").st_mode));
    FAILS(ENXIO, open_at("fifo", O_WRONLY | O_NONBLOCK, 0));
    fd = (int)OK(open_at("fifo", O_RDONLY | O_NONBLOCK, 0));
    EQ(sys_read(fd, &c, 1), 0); /* no writer */
    OK(sys_close(fd));
    pid = fork();
    if (pid == 0) {
        fd = (int)OK(open_at("fifo", O_WRONLY, 0)); /* waits for us */
        EQ(sys_write(fd, "f", 1), 1);
        sys_exit_group(0);
    }
    fd = (int)OK(open_at("fifo", O_RDONLY, 0));
    EQ(sys_read(fd, &c, 1), 1);
    EQ(c, 'f');
    EQ(sys_read(fd, &c, 1), 0);
    wait_ok(pid);
    OK(sys_unlinkat(AT_FDCWD, "fifo", 0));
}

/* ---- futex */

static void futex_wake(void) {
    uint32_t *w = shared_page();

    FAILS(EAGAIN, sys_futex(w, FUTEX_WAIT, 1, 0, 0, 0));
    EQ(sys_futex(w, FUTEX_WAKE, 1, 0, 0, 0), 0);
    for (int i = 0; i < 4; i++) {
        int pid = fork();
        if (pid == 0) {
            while (*(volatile uint32_t *)w == 0)
                sys_futex(w, FUTEX_WAIT, 0, 0, 0, 0);
            sys_exit_group(0);
        }
        until_asleep(pid);
    }
    EQ(sys_futex(w, FUTEX_WAKE, 2, 0, 0, 0), 2);
    *(volatile uint32_t *)w = 1;
    sys_futex(w, FUTEX_WAKE, 100, 0, 0, 0);
    for (int status; sys_wait4(-1, &status, 0, 0) > 0;)
        EQ(status, 0);
}

static void futex_timeouts(void) {
    static uint32_t word;
    struct timespec t = {0, 20000000}, now;
    int64_t start = now_ms();

    FAILS(ETIMEDOUT, sys_futex(&word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 0, &t, 0, 0));
    CHECK(now_ms() - start >= 19);
    OK(sys_clock_gettime(CLOCK_MONOTONIC, &now)); /* bitset waits are until, not for */
    FAILS(ETIMEDOUT, sys_futex(&word, FUTEX_WAIT_BITSET, 0, &now, 0, FUTEX_BITSET_MATCH_ANY));
    FAILS(EINVAL, sys_futex(&word, FUTEX_WAIT_BITSET, 0, &now, 0, 0));
    t.tv_nsec = -1;
    FAILS(EINVAL, sys_futex(&word, FUTEX_WAIT, 0, &t, 0, 0));
    FAILS(EINVAL, sys_futex((uint32_t *)((char *)&word + 1), FUTEX_WAIT, 0, 0, 0, 0));
    FAILS(ENOSYS, sys_futex(&word, 100, 0, 0, 0, 0));
}

static void futex_requeue(void) {
    uint32_t *w = shared_page();

    for (int i = 0; i < 3; i++) {
        int pid = fork();
        if (pid == 0) {
            EQ(sys_futex(w, FUTEX_WAIT, 0, 0, 0, 0), 0);
            sys_exit_group(0);
        }
        until_asleep(pid);
    }
    FAILS(EAGAIN, sys_futex(w, FUTEX_CMP_REQUEUE, 1, (void *)10, w + 16, 5));
    EQ(sys_futex(w, FUTEX_CMP_REQUEUE, 1, (void *)10, w + 16, 0), 3);
    EQ(sys_futex(w, FUTEX_WAKE, 10, 0, 0, 0), 0);
    EQ(sys_futex(w + 16, FUTEX_WAKE, 10, 0, 0, 0), 2);
    for (int status; sys_wait4(-1, &status, 0, 0) > 0;)
        EQ(status, 0);
}

static void futex_bitset(void) {
    uint32_t *w = shared_page();
    int pids[2];

    for (int i = 0; i < 2; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            EQ(sys_futex(w, FUTEX_WAIT_BITSET, 0, 0, 0, 1u << i), 0);
            sys_exit_group(0);
        }
        until_asleep(pids[i]);
    }
    EQ(sys_futex(w, FUTEX_WAKE_BITSET, 10, 0, 0, 4), 0);
    EQ(sys_futex(w, FUTEX_WAKE_BITSET, 10, 0, 0, 2), 1);
    wait_ok(pids[1]);
    EQ(sys_futex(w, FUTEX_WAKE, 10, 0, 0, 0), 1);
    wait_ok(pids[0]);
}

static void futex_wake_op(void) {
    uint32_t *w = shared_page();
    int pid = fork();

    if (pid == 0) {
        EQ(sys_futex(w + 1, FUTEX_WAIT, 0, 0, 0, 0), 0);
        sys_exit_group(0);
    }
    until_asleep(pid);
    EQ(sys_futex(w, FUTEX_WAKE_OP, 1, (void *)1, w + 1,
                 FUTEX_OP(FUTEX_OP_ADD, 7, FUTEX_OP_CMP_EQ, 0)),
       1);
    EQ(w[1], 7);
    wait_ok(pid);
}

struct robust_lock {
    struct robust_list node;
    uint32_t word;
};

static void robust_list(void) {
    struct robust_lock *l = (struct robust_lock *)shared_page();
    static struct robust_list_head head;
    int pid = fork();

    if (pid == 0) {
        head.list.next = &l->node;
        l->node.next = &head.list;
        head.futex_offset = (int64_t)offsetof(struct robust_lock, word);
        FAILS(EINVAL, sys_set_robust_list(&head, 5));
        OK(sys_set_robust_list(&head, sizeof(head)));
        l->word = (uint32_t)sys_gettid();
        sys_exit_group(0);
    }
    wait_ok(pid);
    EQ(l->word, FUTEX_OWNER_DIED);
}

/* ---- poll */

static void poll_pipe(void) {
    struct timespec zero = {0, 0}, soon = {0, 20000000};
    struct pollfd p[2];

    OK(sys_pipe2(fds, 0));
    p[0] = (struct pollfd){.fd = fds[0], .events = POLLIN};
    p[1] = (struct pollfd){.fd = fds[1], .events = POLLOUT};
    EQ(sys_ppoll(p, 2, &zero, 0, 8), 1);
    EQ(p[0].revents, 0);
    EQ(p[1].revents, POLLOUT);
    EQ(sys_ppoll(p, 1, &soon, 0, 8), 0);
    EQ(sys_write(fds[1], "x", 1), 1);
    EQ(sys_ppoll(p, 1, 0, 0, 8), 1);
    EQ(p[0].revents, POLLIN);
    OK(sys_close(fds[1]));
    EQ(sys_ppoll(p, 2, &zero, 0, 8), 2);
    EQ(p[0].revents, POLLIN | POLLHUP);
    EQ(p[1].revents, POLLNVAL);
    p[1].fd = -1;
    EQ(sys_ppoll(p, 2, &zero, 0, 8), 1);
    FAILS(EINVAL, sys_ppoll(p, 1, &(struct timespec){0, -1}, 0, 8));
    FAILS(EINVAL, sys_ppoll(p, 100000, &zero, 0, 8));
}

static void poll_wakes(void) {
    struct pollfd p;
    int pid;

    OK(sys_pipe2(fds, 0));
    p = (struct pollfd){.fd = fds[0], .events = POLLIN};
    pid = fork();
    if (pid == 0) {
        sleep_ms(30);
        EQ(sys_write(fds[1], "x", 1), 1);
        sys_exit_group(0);
    }
    EQ(sys_ppoll(&p, 1, 0, 0, 8), 1);
    wait_ok(pid);
}

static volatile int alarms;

static void on_alarm(int sig) {
    (void)sig;
    alarms++;
}

static void poll_mask(void) {
    sigset_t alrm = SIGMASK(SIGALRM), none = 0;
    struct timespec t = {5, 0};

    on_signal(SIGALRM, on_alarm, SA_RESTART);
    OK(sys_rt_sigprocmask(SIG_BLOCK, &alrm, 0, 8));
    OK(sys_kill(getpid(), SIGALRM));
    EQ(alarms, 0);
    FAILS(EINTR, sys_ppoll(0, 0, &t, &none, 8));
    EQ(alarms, 1);
}

static void select_pipe(void) {
    struct abi_fd_set in = {{0}}, out = {{0}};
    struct timespec zero = {0, 0};

    OK(sys_pipe2(fds, 0));
    in.fds_bits[0] = 1UL << fds[0];
    out.fds_bits[0] = 1UL << fds[1];
    EQ(sys_pselect6(fds[1] + 1, &in, &out, 0, &zero, 0), 1);
    EQ(in.fds_bits[0], 0);
    EQ(out.fds_bits[0], 1L << fds[1]);
    EQ(sys_write(fds[1], "x", 1), 1);
    in.fds_bits[0] = 1UL << fds[0];
    EQ(sys_pselect6(fds[1] + 1, &in, 0, 0, 0, 0), 1);
    EQ(in.fds_bits[0], 1L << fds[0]);
    in.fds_bits[0] = 1UL << 60;
    FAILS(EBADF, sys_pselect6(64, &in, 0, 0, &zero, 0));
    FAILS(EINVAL, sys_pselect6(-1, 0, 0, 0, &zero, 0));
}

/* The mask holds for the wait only; a time-out is counted down; nothing that blocks the signal's handler comes before. */
static void select_mask(void) {
    sigset_t alrm = SIGMASK(SIGALRM), none = 0, old;
    struct {
        sigset_t *set;
        size_t size;
    } mask = {&none, 8}, bad = {&none, 4};
    struct timespec t = {0, 20000000};
    int64_t start = now_ms();

    EQ(sys_pselect6(0, 0, 0, 0, &t, &mask), 0);
    CHECK(now_ms() - start >= 20 && t.tv_sec == 0 && t.tv_nsec == 0);
    FAILS(EINVAL, sys_pselect6(0, 0, 0, 0, &t, &bad));
    t.tv_nsec = -1;
    FAILS(EINVAL, sys_pselect6(0, 0, 0, 0, &t, 0));
    on_signal(SIGALRM, on_alarm, SA_RESTART);
    OK(sys_rt_sigprocmask(SIG_BLOCK, &alrm, 0, 8));
    OK(sys_kill(getpid(), SIGALRM));
    t.tv_nsec = 1;
    EQ(sys_pselect6(0, 0, 0, 0, &t, 0), 0);
    EQ(alarms, 0);
    FAILS(EINTR, sys_pselect6(0, 0, 0, 0, 0, &mask)); /* never restarted */
    EQ(alarms, 1);
    OK(sys_rt_sigprocmask(SIG_BLOCK, 0, &old, 8));
    EQ(old, alrm);
}

static void write_and_leave(void) {
    int fd = (int)OK(open_at("gone", O_WRONLY, 0));

    EQ(sys_write(fd, "x", 1), 1);
}

/* A writer that waited for a reader may be through before the reader's open() goes on. */
static void fifo_partner_gone(void) {
    char c;

    OK(sys_mknodat(AT_FDCWD, "gone", S_IFIFO | 0600, 0));
    for (int i = 0; i < 300; i++) {
        int pid = spawn(write_and_leave);
        if (i % 2)
            sys_sched_yield();
        int fd = (int)OK(open_at("gone", O_RDONLY, 0));
        EQ(sys_read(fd, &c, 1), 1);
        OK(sys_close(fd));
        wait_ok(pid);
    }
}

const struct test pipe_tests[] = {
    {"I1_bytes_in_order", bytes_in_order, 0},
    {"I1_ends", ends, 0},
    {"I1_non_blocking", non_blocking, 0},
    {"I1_atomic_writes", atomic_writes, 0},
    {"I1_capacity", capacity, 0},
    {"I1_blocked_writer", blocked_writer, 0},
    {"I1_reader_dies", reader_dies, 0},
    {"I1_fault_in_the_middle", fault_in_the_middle, 0},
    {"I1_many_readers", many_readers, 0},
    {"I1_fifo", fifo, 0},
    {"I1_fifo_partner_gone", fifo_partner_gone, 0},
    {"I6_futex_wake", futex_wake, 0},
    {"I6_futex_timeouts", futex_timeouts, 0},
    {"I6_futex_requeue", futex_requeue, 0},
    {"I6_futex_bitset", futex_bitset, 0},
    {"I6_futex_wake_op", futex_wake_op, 0},
    {"I6_robust_list", robust_list, 0},
    {"I8_poll_pipe", poll_pipe, 0},
    {"I8_poll_wakes", poll_wakes, 0},
    {"I8_poll_mask", poll_mask, 0},
    {"I8_select_pipe", select_pipe, 0},
    {"I8_select_mask", select_mask, 0},
    {0, 0, 0},
};
