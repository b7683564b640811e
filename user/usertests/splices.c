/* Pages through pipes: splice, tee, vmsplice, sendfile; pipes of packets. */
#include "user/usertests/ut.h"
#include "abi/resource.h"
#include "abi/socket.h"
#include "abi/uio.h"

#define NONBLOCK SPLICE_F_NONBLOCK
#define FILE_SIZE (3 * PAGE + 100)

static int a[2], b[2]; /* pipes */
static char in[5 * PAGE], buf[5 * PAGE];

static void two_pipes(void) {
    OK(sys_pipe2(a, 0));
    OK(sys_pipe2(b, 0));
}

/* "file" with FILE_SIZE bytes, which are those of `in`. */
static int numbered_file(void) {
    int fd = (int)OK(open_at("file", O_RDWR | O_CREAT | O_TRUNC, 0600));

    for (int i = 0; i < FILE_SIZE; i++)
        in[i] = (char)(i % 251);
    EQ(write_all(fd, in, FILE_SIZE), 0);
    OK(sys_lseek(fd, 0, SEEK_SET));
    return fd;
}

static void expect(int fd, const char *bytes, size_t n) {
    memset(buf, 0, sizeof(buf));
    for (size_t got = 0; got < n;) {
        long r = OK(sys_read(fd, buf + got, n - got));
        CHECK(r > 0);
        got += (size_t)r;
    }
    EQ(memcmp(buf, bytes, (uint)n), 0);
}

static void from_file(void) {
    int fd = numbered_file();
    int64_t at = 10;

    two_pipes();
    EQ(sys_splice(fd, &at, a[1], 0, PAGE, 0), PAGE); /* parts of two pages */
    EQ(at, 10 + PAGE);
    EQ(sys_lseek(fd, 0, SEEK_CUR), 0);
    expect(a[0], in + 10, PAGE);
    EQ(sys_splice(fd, 0, a[1], 0, 1 << 20, SPLICE_F_MORE | SPLICE_F_MOVE), FILE_SIZE);
    EQ(sys_lseek(fd, 0, SEEK_CUR), FILE_SIZE);
    EQ(sys_splice(fd, 0, a[1], 0, 1 << 20, 0), 0);
    expect(a[0], in, FILE_SIZE);
}

static void to_file(void) {
    int fd = numbered_file(), to = (int)OK(open_at("to", O_RDWR | O_CREAT, 0600));
    int64_t at = 5000;

    two_pipes();
    EQ(sys_write(a[1], in, 6000), 6000);
    EQ(sys_splice(a[0], 0, to, &at, 1000, 0), 1000);
    EQ(at, 6000);
    EQ(sys_lseek(to, 0, SEEK_CUR), 0);
    EQ(sys_splice(a[0], 0, to, 0, 1 << 20, 0), 5000);
    EQ(sys_lseek(to, 0, SEEK_CUR), 5000);
    EQ(size_of("to"), 6000);
    EQ(sys_lseek(to, 0, SEEK_SET), 0);
    expect(to, in + 1000, 5000);
    expect(to, in, 1000);
    OK(sys_fcntl(to, F_SETFL, O_APPEND));
    EQ(sys_write(a[1], in, 1), 1);
    FAILS(EINVAL, sys_splice(a[0], 0, to, 0, 1, 0));
    int reader = (int)OK(open_at("to", O_RDONLY, 0));
    FAILS(EBADF, sys_splice(a[0], 0, reader, 0, 1, 0));
    (void)fd;
}

/* What the pipe has is the file's page, not a copy; and nobody writes into that from the pipe's side. */
static void page_of_file(void) {
    int fd = numbered_file();
    int64_t at = 0;

    two_pipes();
    EQ(sys_splice(fd, &at, a[1], 0, 100, 0), 100);
    EQ(sys_write(a[1], "not for the file", 16), 16);
    EQ(sys_pwrite64(fd, "changed", 7, 10), 7);
    memcpy(in + 10, "changed", 7);
    expect(a[0], in, 100);
    expect(a[0], "not for the file", 16);
    EQ(sys_write(a[1], buf, PAGE), PAGE);
    EQ(sys_pread64(fd, buf, FILE_SIZE, 0), FILE_SIZE);
    EQ(memcmp(in, buf, FILE_SIZE), 0);
    EQ(sys_read(a[0], buf, PAGE), PAGE);
    at = 2 * PAGE;
    EQ(sys_splice(fd, &at, a[1], 0, PAGE, 0), PAGE);
    OK(sys_ftruncate(fd, 0));
    expect(a[0], in + 2 * PAGE, PAGE); /* the page lives as long as it is in the pipe */
}

static void pipe_to_pipe(void) {
    two_pipes();
    for (int i = 0; i < 3 * PAGE; i++)
        in[i] = (char)(i % 253);
    EQ(sys_write(a[1], in, 3 * PAGE), 3 * PAGE);
    EQ(sys_splice(a[0], 0, b[1], 0, 100, 0), 100);
    EQ(sys_splice(a[0], 0, b[1], 0, 2 * PAGE, 0), 2 * PAGE);
    EQ(sys_write(b[1], "end", 3), 3);
    EQ(sys_write(a[1], "end", 3), 3);
    expect(a[0], in + 100 + 2 * PAGE, PAGE - 100);
    expect(a[0], "end", 3);
    expect(b[0], in, 100 + 2 * PAGE);
    expect(b[0], "end", 3);
    for (int i = 0; i < 16; i++) {
        EQ(sys_write(b[1], in, PAGE), PAGE);
        EQ(sys_write(a[1], in, PAGE), PAGE);
    }
    FAILS(EAGAIN, sys_splice(a[0], 0, b[1], 0, 1, NONBLOCK));
    EQ(sys_read(b[0], buf, PAGE), PAGE);
    EQ(sys_splice(a[0], 0, b[1], 0, 100 * PAGE, NONBLOCK), PAGE);
}

static void tee_stays(void) {
    two_pipes();
    EQ(sys_write(a[1], "one", 3), 3);
    EQ(sys_tee(a[0], b[1], 100, 0), 3);
    EQ(sys_write(a[1], "two", 3), 3); /* behind it on the same page, not seen by the other */
    EQ(sys_write(b[1], "TWO", 3), 3);
    expect(a[0], "onetwo", 6);
    EQ(sys_write(a[1], "new page, not the one that b has", 32), 32);
    expect(b[0], "oneTWO", 6);
    EQ(sys_tee(a[0], b[1], 3, 0), 3);
    expect(b[0], "new", 3);
    expect(a[0], "new page", 8);
    FAILS(EAGAIN, sys_tee(b[0], a[1], 1, NONBLOCK));
    OK(sys_close(b[1]));
    EQ(sys_tee(b[0], a[1], 1, 0), 0); /* the end */
    FAILS(EINVAL, sys_tee(a[0], a[1], 1, 0));
    FAILS(EBADF, sys_tee(a[1], a[1], 1, 0));
    FAILS(EINVAL, sys_tee(a[0], numbered_file(), 1, 0));
}

static void own_memory(void) {
    char *p = map_pages(3, PROT_READ | PROT_WRITE);
    struct iovec v[2] = {{p + 100, PAGE}, {p + 2 * PAGE, 10}};
    int pid;

    two_pipes();
    memset(p, 'x', 3 * PAGE);
    EQ(sys_vmsplice(a[1], v, 2, 0), PAGE + 10);
    p[101] = 'y'; /* not a copy */
    EQ(sys_write(a[1], "z", 1), 1);
    pid = fork();
    if (pid == 0) {
        memset(p, 'c', 3 * PAGE);
        sys_exit_group(0);
    }
    wait_ok(pid);
    OK(sys_munmap(p, 3 * PAGE));
    memset(in, 'x', PAGE + 10);
    in[1] = 'y';
    expect(a[0], in, PAGE + 10);
    expect(a[0], "z", 1);
    v[0] = (struct iovec){buf, 4};
    v[1] = (struct iovec){buf + 8, 4};
    EQ(sys_write(a[1], "12345678", 8), 8);
    EQ(sys_vmsplice(a[0], v, 2, 0), 8);
    EQ(memcmp(buf, "1234", 4) | memcmp(buf + 8, "5678", 4), 0);
    v[0] = (struct iovec){unmapped_page(), 4};
    FAILS(EFAULT, sys_vmsplice(a[1], v, 1, 0));
    v[0] = (struct iovec){in + 1, 4};
    FAILS(EINVAL, sys_vmsplice(a[1], v, 1, SPLICE_F_GIFT));
    FAILS(EINVAL, sys_vmsplice(a[1], v, UIO_MAXIOV + 1, 0));
    FAILS(EBADF, sys_vmsplice(numbered_file(), v, 1, 0));
    EQ(sys_vmsplice(a[1], v, 0, 0), 0);
    FAILS(EAGAIN, sys_vmsplice(a[0], v, 1, NONBLOCK));
}

/* Memory that was never written, and a shared mapping of a file. */
static void other_memory(void) {
    int fd = numbered_file();
    char *zero = map_pages(1, PROT_READ | PROT_WRITE);
    char *map = (char *)OK(sys_mmap(0, PAGE, PROT_READ, MAP_SHARED, fd, 0));
    struct iovec v[2] = {{zero, 8}, {map, 50}};

    two_pipes();
    EQ(sys_vmsplice(a[1], v, 2, 0), 58);
    zero[0] = 'x';
    expect(a[0], "\0\0\0\0\0\0\0\0", 8);
    expect(a[0], in, 50);
}

static void errors(void) {
    int fd = numbered_file();
    int64_t at = 0;

    two_pipes();
    FAILS(EINVAL, sys_splice(fd, 0, fd, 0, 1, 0));
    FAILS(EINVAL, sys_splice(a[0], 0, a[1], 0, 1, 0));
    FAILS(EBADF, sys_splice(a[1], 0, b[1], 0, 1, 0));
    FAILS(EBADF, sys_splice(a[0], 0, b[0], 0, 1, 0));
    FAILS(EBADF, sys_splice(63, 0, b[1], 0, 1, 0));
    FAILS(ESPIPE, sys_splice(a[0], &at, fd, 0, 1, 0));
    FAILS(ESPIPE, sys_splice(fd, 0, a[1], &at, 1, 0));
    FAILS(EFAULT, sys_splice(fd, unmapped_page(), a[1], 0, 1, 0));
    FAILS(EINVAL, sys_splice(fd, 0, a[1], 0, 1, 16));
    FAILS(EINVAL, sys_tee(a[0], b[1], 1, 16));
    FAILS(EINVAL, sys_vmsplice(a[1], 0, 0, 16));
    at = -1;
    FAILS(EINVAL, sys_splice(fd, &at, a[1], 0, 1, 0));
    EQ(sys_splice(fd, 0, a[1], 0, 0, 0), 0);
    FAILS(EAGAIN, sys_splice(a[0], 0, fd, 0, 1, NONBLOCK));
    OK(sys_close(a[1]));
    EQ(sys_splice(a[0], 0, fd, 0, 1, 0), 0);
    OK(sys_close(b[0]));
    on_signal(SIGPIPE, (void (*)(int))1, 0); /* SIG_IGN */
    FAILS(EPIPE, sys_splice(fd, 0, b[1], 0, 1, 0));
    FAILS(EPIPE, sys_vmsplice(b[1], &(struct iovec){in, 1}, 1, 0));
}

static void full_pipe(void) {
    OK(sys_close(a[0]));
    while (sys_write(b[1], in, PAGE) > 0)
        ;
}

static void splice_for_ever(void) { sys_splice(a[0], 0, b[1], 0, 1, 0); }

static void sends_later(void) {
    sleep_ms(20);
    EQ(sys_write(a[1], "x", 1), 1);
}

static volatile int signals;
static int who_waits;
static void count_signal(int sig) { signals += sig != 0; }

static void interrupts(void) {
    for (;;) {
        sleep_ms(20);
        OK(sys_kill(who_waits, SIGUSR1));
    }
}

static void waits(void) {
    int pid;

    two_pipes();
    pid = spawn(splice_for_ever); /* for the first byte */
    until_asleep(pid);
    kill_child(pid);
    pid = spawn(sends_later);
    EQ(sys_splice(a[0], 0, b[1], 0, 10, 0), 1);
    wait_ok(pid);
    pid = spawn(full_pipe); /* for room */
    until_asleep(pid);
    int other = spawn(splice_for_ever);
    EQ(sys_write(a[1], "x", 1), 1);
    until_asleep(other);
    kill_child(other);
    kill_child(pid);
    on_signal(SIGUSR1, count_signal, 0);
    who_waits = getpid();
    pid = spawn(interrupts);
    FAILS(EINTR, sys_splice(a[0], 0, b[1], 0, 1, 0));
    CHECK(signals > 0);
    kill_child(pid);
}

static void sockets(void) {
    int s[2];

    two_pipes();
    OK(sys_socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    EQ(sys_write(s[0], "through a socket", 16), 16);
    EQ(sys_splice(s[1], 0, a[1], 0, 100, 0), 16);
    EQ(sys_splice(a[0], 0, s[1], 0, 100, 0), 16);
    expect(s[0], "through a socket", 16);
    FAILS(EINVAL, sys_splice(s[1], &(int64_t){0}, a[1], 0, 1, 0));
}

static int full[2]; /* a connection whose first end cannot send */

static void splice_to_full(void) { OK(sys_splice(a[0], 0, full[0], 0, 5 * PAGE, 0)); }
static void read_one(void) { OK(sys_read(a[0], buf, 1)); }
static void splice_one(void) { OK(sys_splice(a[0], 0, b[1], 0, 1, 0)); }
static void close_end(void) { OK(sys_close(a[0])); }

/* A splice waits for a socket: nothing has left the pipe, others may write, poll and close, and who wants to read waits, until
 * it is killed. */
static void blocked_by_socket(void) {
    void (*const readers[])(void) = {read_one, splice_one};
    int pid, other;

    two_pipes();
    OK(sys_socketpair(AF_UNIX, SOCK_STREAM, 0, full));
    OK(sys_fcntl(full[0], F_SETFL, O_NONBLOCK));
    while (sys_write(full[0], buf, sizeof(buf)) > 0)
        ;
    OK(sys_fcntl(full[0], F_SETFL, 0));
    EQ(sys_write(a[1], "first", 5), 5);
    pid = spawn(splice_to_full);
    until_asleep(pid);
    EQ(sys_write(a[1], "second", 6), 6);
    for (size_t i = 0; i < ARRAY_LEN(readers); i++) {
        other = spawn(readers[i]);
        until_asleep(other);
        kill_child(other);
    }
    FAILS(EAGAIN, sys_splice(a[0], 0, b[1], 0, 1, SPLICE_F_NONBLOCK));
    child_ok(close_end);
    EQ(sys_fcntl(a[1], F_SETPIPE_SZ, 2 * PAGE), 2 * PAGE);
    kill_child(pid);
    expect(a[0], "firstsecond", 11);
    EQ(sys_write(a[1], "third", 5), 5);
    pid = spawn(splice_to_full);
    until_asleep(pid);
    other = spawn(read_one);
    until_asleep(other);
    OK(sys_shutdown(full[1], SHUT_RD)); /* it ends by SIGPIPE, and lets the reader at the pipe */
    EQ(wait_status(pid), SIGPIPE);
    wait_ok(other);
    expect(a[0], "hird", 4);
}

static void send_to_pipe(void) {
    int fd = numbered_file();
    int64_t at = PAGE - 10;

    two_pipes();
    EQ(sys_sendfile(a[1], fd, &at, PAGE), PAGE);
    EQ(at, 2 * PAGE - 10);
    expect(a[0], in + PAGE - 10, PAGE);
    EQ(sys_sendfile(a[1], fd, 0, 1 << 20), FILE_SIZE);
    EQ(sys_lseek(fd, 0, SEEK_CUR), FILE_SIZE);
    expect(a[0], in, FILE_SIZE);
    FAILS(ESPIPE, sys_sendfile(fd, a[0], &at, 1));
    FAILS(EINVAL, sys_sendfile(fd, a[0], 0, 1));
}

static void copy_range(void) {
    int fd = numbered_file(), to = (int)OK(open_at("to", O_RDWR | O_CREAT, 0600)),
        append = (int)OK(open_at("to", O_WRONLY | O_APPEND, 0)),
        only = (int)OK(open_at("to", O_RDONLY, 0));
    int64_t from = 10, at = PAGE - 3, end = FILE_SIZE, past = FILE_SIZE + 5, minus = -1,
            huge = INT64_MAX - 5;

    two_pipes();
    EQ(sys_copy_file_range(fd, &from, to, &at, 2 * PAGE, 0), 2 * PAGE);
    EQ(from, 10 + 2 * PAGE);
    EQ(at, 3 * PAGE - 3);
    EQ(sys_lseek(fd, 0, SEEK_CUR) + sys_lseek(to, 0, SEEK_CUR), 0); /* both stay */
    OK(sys_lseek(to, PAGE - 3, SEEK_SET));
    expect(to, in + 10, 2 * PAGE);
    EQ(size_of("to"), 3 * PAGE - 3);
    OK(sys_lseek(to, 0, SEEK_SET));
    EQ(sys_copy_file_range(fd, 0, to, 0, 1 << 30, 0), FILE_SIZE);
    EQ(sys_lseek(fd, 0, SEEK_CUR), FILE_SIZE);
    EQ(sys_lseek(to, 0, SEEK_CUR), FILE_SIZE);
    EQ(sys_copy_file_range(fd, 0, to, 0, 10, 0), 0); /* nothing is left */
    EQ(sys_copy_file_range(fd, &past, to, &at, 10, 0), 0);
    from = 0;
    EQ(sys_copy_file_range(fd, &from, fd, &end, 1 << 30, 0),
       FILE_SIZE); /* what is there does not reach itself */
    from = 0, at = 99;
    FAILS(EINVAL, sys_copy_file_range(fd, &from, fd, &at, 100, 0));
    FAILS(EINVAL, sys_copy_file_range(fd, &minus, to, &at, 1, 0));
    FAILS(EOVERFLOW, sys_copy_file_range(fd, &from, to, &huge, 10, 0));
    FAILS(EINVAL, sys_copy_file_range(fd, &from, to, &at, 1, 1));
    FAILS(EINVAL, sys_copy_file_range(fd, &from, a[1], 0, 1, 0));
    FAILS(EISDIR, sys_copy_file_range((int)OK(open_at(".", O_RDONLY, 0)), 0, to, &at, 1, 0));
    FAILS(EBADF, sys_copy_file_range(fd, &from, append, 0, 1, 0));
    FAILS(EBADF, sys_copy_file_range(fd, &from, only, &at, 1, 0));
    FAILS(EBADF, sys_copy_file_range(99, &from, to, &at, 1, 0));
    FAILS(EFAULT, sys_copy_file_range(fd, unmapped_page(), to, &at, 1, 0));
}

/* Numbers go through three pipes, moved, copied and read: none is lost or twice there. */
static void chain(void) {
    enum { COUNT = 20000 };
    int c[2], pid[2];

    two_pipes();
    OK(sys_pipe2(c, 0));
    if ((pid[0] = fork()) == 0) {
        for (uint32_t i = 0; i < COUNT; i++)
            EQ(sys_write(a[1], &i, sizeof(i)), sizeof(i));
        sys_exit_group(0);
    }
    OK(sys_close(a[1]));
    if ((pid[1] = fork()) == 0) {
        for (long n, i = 0; (n = OK(sys_tee(a[0], c[1], 1 + (uint64_t)i * 37 % 5000, 0))) > 0; i++)
            for (long moved = 0; moved < n;)
                moved += OK(sys_splice(a[0], 0, b[1], 0, (size_t)(n - moved), 0));
        sys_exit_group(0);
    }
    OK(sys_close(b[1]));
    OK(sys_close(c[1]));
    for (uint32_t i = 0; i < COUNT; i++) {
        expect(b[0], (char *)&i, sizeof(i));
        expect(c[0], (char *)&i, sizeof(i));
    }
    EQ(sys_read(b[0], buf, 1), 0);
    EQ(sys_read(c[0], buf, 1), 0);
    for (int i = 0; i < 2; i++)
        wait_ok(pid[i]);
}

/* ---- packets and sizes */

static void packets(void) {
    OK(sys_pipe2(a, O_DIRECT | O_NONBLOCK));
    EQ(sys_write(a[1], "first", 5), 5);
    EQ(sys_write(a[1], "second", 6), 6);
    EQ(sys_read(a[0], buf, 100), 5);
    EQ(sys_read(a[0], buf, 3), 3); /* the rest of a packet goes */
    FAILS(EAGAIN, sys_read(a[0], buf, 1));
    EQ(sys_write(a[1], in, PAGE + 10), PAGE + 10);
    EQ(sys_read(a[0], buf, 2 * PAGE), PAGE);
    EQ(sys_read(a[0], buf, 2 * PAGE), 10);
    for (int i = 0; i < 16; i++)
        EQ(sys_write(a[1], "x", 1), 1);
    FAILS(EAGAIN, sys_write(a[1], "x", 1)); /* each has a page */
    EQ(sys_read(a[0], buf, 100), 1);
    OK(sys_fcntl(a[1], F_SETFL, O_NONBLOCK)); /* from now on bytes */
    EQ(sys_write(a[1], "12", 2), 2);
    EQ(sys_write(a[1], "34", 2), 2);
    for (int i = 0; i < 15; i++)
        EQ(sys_read(a[0], buf, 100), 1);
    EQ(sys_read(a[0], buf, 100), 4);
    EQ(sys_fcntl(a[1], F_SETFL, O_NONBLOCK | O_DIRECT), 0);
    EQ(sys_fcntl(a[1], F_GETFL, 0) & O_DIRECT, O_DIRECT);
}

static void sizes(void) {
    OK(sys_pipe2(a, 0));
    EQ(sys_fcntl(a[0], F_SETPIPE_SZ, 1), PAGE);
    EQ(sys_fcntl(a[1], F_GETPIPE_SZ, 0), PAGE);
    EQ(sys_fcntl(a[0], F_SETPIPE_SZ, PAGE + 1), 2 * PAGE);
    EQ(sys_fcntl(a[0], F_SETPIPE_SZ, 2 << 20), 2 << 20);
    FAILS(EINVAL, sys_fcntl(a[0], F_SETPIPE_SZ, 1L << 32));
    FAILS(EBADF, sys_fcntl(0, F_SETPIPE_SZ, PAGE));
    EQ(proc_number("/proc/sys/fs/pipe-max-size", ""), 1 << 20);
    become_user(1000);
    EQ(sys_fcntl(a[0], F_SETPIPE_SZ, 2 << 20), 2 << 20); /* it does not grow */
    EQ(sys_fcntl(a[0], F_SETPIPE_SZ, 1 << 20), 1 << 20);
    FAILS(EPERM, sys_fcntl(a[0], F_SETPIPE_SZ, (1 << 20) + 1));
}

/* ---- what a user's pipes may hold: pipe(7) */

#define USER_PAGES "/proc/sys/fs/pipe-user-pages-"

static void soft_limit(void) {
    int c[2];

    become_user(4321);
    two_pipes(); /* 32 pages of 40 */
    OK(sys_pipe2(c, 0));
    EQ(sys_fcntl(c[0], F_GETPIPE_SZ, 0), 2 * PAGE);
    FAILS(EPERM, sys_fcntl(c[0], F_SETPIPE_SZ, 16 * PAGE));
    EQ(sys_fcntl(c[0], F_SETPIPE_SZ, 8 * PAGE), 8 * PAGE);
    FAILS(EPERM, sys_fcntl(c[0], F_SETPIPE_SZ, 16 * PAGE));
    EQ(sys_fcntl(a[1], F_SETPIPE_SZ, 8 * PAGE), 8 * PAGE); /* may always become smaller */
    EQ(sys_fcntl(c[0], F_SETPIPE_SZ, 16 * PAGE), 16 * PAGE);
    OK(sys_close(a[0]));
    OK(sys_close(a[1]));
    OK(sys_mknodat(AT_FDCWD, "fifo", S_IFIFO | 0600, 0));
    OK(open_at("fifo", O_RDWR, 0));
    OK(sys_pipe2(c, 0));
    EQ(sys_fcntl(c[0], F_GETPIPE_SZ, 0), 2 * PAGE);
}

static void hard_limit(void) {
    OK(sys_mknodat(AT_FDCWD, "pipe", S_IFIFO | 0666, 0));
    OK(sys_fchmodat(AT_FDCWD, "pipe", 0666));
    become_user(4321);
    OK(sys_pipe2(a, 0)); /* 16 pages of 20 */
    FAILS(ENFILE, sys_pipe2(b, 0));
    FAILS(ENOMEM, open_at("pipe", O_RDWR, 0));
    FAILS(EPERM, sys_fcntl(a[0], F_SETPIPE_SZ, 32 * PAGE));
    OK(sys_close(a[0]));
    OK(sys_close(a[1]));
    OK(sys_pipe2(b, 0));
}

static void user_limits(void) {
    int soft, hard;

    OK(sys_fchmodat(AT_FDCWD, ".", 0777));
    EQ(proc_number(USER_PAGES "soft", ""), 16384);
    EQ(proc_number(USER_PAGES "hard", ""), 0);
    put_file(USER_PAGES "soft", "40");
    soft = wait_status(spawn(soft_limit));
    put_file(USER_PAGES "soft", "0");
    put_file(USER_PAGES "hard", "20");
    hard = wait_status(spawn(hard_limit));
    two_pipes(); /* root may have more */
    EQ(sys_fcntl(a[0], F_SETPIPE_SZ, 32 * PAGE), 32 * PAGE);
    put_file(USER_PAGES "soft", "16384");
    put_file(USER_PAGES "hard", "0");
    EQ(soft, 0);
    EQ(hard, 0);
}

const struct test splice_tests[] = {
    {"I1_splice_from_file", from_file, 0},
    {"I1_splice_to_file", to_file, 0},
    {"I1_splice_page_of_file", page_of_file, 0},
    {"I1_splice_pipe_to_pipe", pipe_to_pipe, 0},
    {"I1_splice_errors", errors, 0},
    {"I1_splice_waits", waits, 0},
    {"I1_splice_sockets", sockets, 0},
    {"I1_splice_blocked_by_socket", blocked_by_socket, 0},
    {"I1_splice_chain", chain, 0},
    {"I1_tee", tee_stays, 0},
    {"I1_vmsplice", own_memory, 0},
    {"I1_vmsplice_other_memory", other_memory, 0},
    {"I1_sendfile_to_pipe", send_to_pipe, 0},
    {"I1_copy_file_range", copy_range, 0},
    {"I1_packets", packets, 0},
    {"I1_pipe_sizes", sizes, 0},
    {"I1_pipe_user_limits", user_limits, 0},
    {0, 0, 0},
};
