/* Descriptors and the bytes of files. */
#include "user/usertests/ut.h"
#include "abi/memfd.h"
#include "abi/resource.h"
#include "abi/uio.h"

static char big[65536];

static int make(const char *name) {
    return (int)OK(open_at(name, O_RDWR | O_CREAT | O_TRUNC, 0644));
}

/* ---- descriptors */

static void offset_is_shared(void) {
    int fd = make("file"), other = (int)OK(sys_dup(fd)), again, pid;

    EQ(sys_write(fd, "abc", 3), 3);
    EQ(sys_lseek(other, 0, SEEK_CUR), 3);
    pid = fork();
    if (pid == 0) {
        EQ(sys_write(fd, "def", 3), 3);
        sys_exit_group(0);
    }
    wait_ok(pid);
    EQ(sys_lseek(fd, 0, SEEK_CUR), 6);
    again = (int)OK(open_at("file", O_RDONLY, 0));
    EQ(sys_lseek(again, 0, SEEK_CUR), 0);
    OK(sys_close(fd));
    EQ(sys_write(other, "g", 1), 1);
    expect_file("file", "abcdefg");
}

static void dup_rules(void) {
    int fd = make("file");

    EQ(sys_dup3(fd, 40, O_CLOEXEC), 40);
    EQ(sys_fcntl(40, F_GETFD, 0), FD_CLOEXEC);
    EQ(sys_fcntl(sys_dup(40), F_GETFD, 0), 0);
    FAILS(EINVAL, sys_dup3(fd, fd, 0));
    FAILS(EINVAL, sys_dup3(fd, 41, O_APPEND));
    FAILS(EBADF, sys_dup3(fd, 1 << 30, 0));
    EQ(sys_fcntl(fd, F_DUPFD, 50), 50);
    EQ(sys_fcntl(fd, F_DUPFD, 50), 51);
    EQ(sys_fcntl(fd, F_DUPFD_CLOEXEC, 60), 60);
    EQ(sys_fcntl(60, F_GETFD, 0), FD_CLOEXEC);
    FAILS(EINVAL, sys_fcntl(fd, F_DUPFD, 1 << 30));
    FAILS(EINVAL, sys_fcntl(fd, 9999, 0));
    OK(sys_close(50));
    FAILS(EBADF, sys_close(50));
}

static void lowest_descriptor(void) {
    int a = make("a"), b = make("b"), c = make("c");

    EQ(b, a + 1);
    EQ(c, b + 1);
    OK(sys_close(b));
    EQ(make("d"), b);
}

static void descriptor_limit(void) {
    struct rlimit limit = {30, 30};
    int n = 0;
    long r;

    OK(sys_setrlimit(RLIMIT_NOFILE, &limit));
    while ((r = open_at("/", O_RDONLY, 0)) >= 0)
        n++;
    EQ(r, -EMFILE);
    CHECK(n > 20 && n < 30);
    FAILS(EMFILE, sys_dup(0));
    FAILS(EBADF, sys_dup3(0, 30, 0));
}

static void many_descriptors(void) {
    struct rlimit limit = {1024, 4096};
    int first = make("file"), n = 0;

    OK(sys_setrlimit(RLIMIT_NOFILE, &limit));
    while (sys_dup(first) >= 0)
        n++;
    CHECK(n > 1000);
    EQ(sys_write(first + n, "x", 1), 1);
    OK(sys_close_range(10, 1000, 0));
    FAILS(EBADF, sys_fcntl(10, F_GETFD, 0));
    OK(sys_fcntl(1001, F_GETFD, 0));
    OK(sys_close_range(1001, 1010, CLOSE_RANGE_CLOEXEC));
    EQ(sys_fcntl(1005, F_GETFD, 0), FD_CLOEXEC);
    FAILS(EINVAL, sys_close_range(10, 5, 0));
}

static void status_flags(void) {
    int fd = (int)OK(open_at("file", O_RDWR | O_CREAT | O_APPEND, 0644));

    EQ(sys_fcntl(fd, F_GETFL, 0) & ~O_LARGEFILE, O_RDWR | O_APPEND);
    EQ(sys_write(fd, "abc", 3), 3);
    OK(sys_lseek(fd, 0, SEEK_SET));
    EQ(sys_write(fd, "def", 3), 3);
    expect_file("file", "abcdef");
    OK(sys_fcntl(fd, F_SETFL, O_NONBLOCK));
    EQ(sys_fcntl(fd, F_GETFL, 0) & ~O_LARGEFILE, O_RDWR | O_NONBLOCK);
    OK(sys_lseek(fd, 0, SEEK_SET));
    EQ(sys_write(fd, "X", 1), 1);
    expect_file("file", "Xbcdef");
}

static void open_flags(void) {
    int fd;
    char c = 'x';

    FAILS(ENOENT, open_at("file", O_RDWR, 0));
    OK(sys_close((int)OK(open_at("file", O_CREAT | O_EXCL | O_RDWR, 0600))));
    FAILS(EEXIST, open_at("file", O_CREAT | O_EXCL | O_RDWR, 0600));
    fd = (int)OK(open_at("file", O_RDONLY, 0));
    FAILS(EBADF, sys_write(fd, &c, 1));
    FAILS(EINVAL, sys_ftruncate(fd, 0));
    fd = (int)OK(open_at("file", O_WRONLY, 0));
    FAILS(EBADF, sys_read(fd, &c, 1));
    EQ(sys_write(fd, "abc", 3), 3);
    OK(open_at("file", O_RDONLY | O_TRUNC, 0));
    EQ(size_of("file"), 0);
    FAILS(EISDIR, open_at(".", O_RDWR, 0));
    FAILS(EISDIR, open_at(".", O_WRONLY, 0));
    FAILS(EISDIR, open_at(".", O_RDONLY | O_CREAT, 0));
    FAILS(ENOTDIR, open_at("file", O_RDONLY | O_DIRECTORY, 0));
    FAILS(ENOTDIR, open_at("file/", O_RDONLY, 0));
    FAILS(ENOTDIR, open_at("file/x", O_RDONLY | O_CREAT, 0));
    FAILS(EISDIR, open_at("new/", O_RDWR | O_CREAT, 0644));
    fd = (int)OK(open_at(".", O_RDONLY | O_DIRECTORY, 0));
    FAILS(EISDIR, sys_read(fd, &c, 1));
    FAILS(EBADF, sys_write(fd, &c, 1));
    fd = (int)OK(open_at("file", O_PATH, 0));
    FAILS(EBADF, sys_read(fd, &c, 1));
    FAILS(EBADF, sys_lseek(fd, 0, SEEK_SET));
}

/* ---- reading and writing */

static void seek_rules(void) {
    int fd = make("file");

    EQ(sys_write(fd, "0123456789", 10), 10);
    EQ(sys_lseek(fd, -3, SEEK_END), 7);
    EQ(sys_lseek(fd, -2, SEEK_CUR), 5);
    FAILS(EINVAL, sys_lseek(fd, -6, SEEK_CUR));
    EQ(sys_lseek(fd, 0, SEEK_CUR), 5);
    FAILS(EINVAL, sys_lseek(fd, 0, 99));
    FAILS(EINVAL, sys_lseek(fd, -1, SEEK_SET));
    EQ(sys_lseek(fd, 1000, SEEK_SET), 1000);
    EQ(sys_read(fd, big, 10), 0);
    EQ(sys_write(fd, "x", 1), 1);
    EQ(size_of("file"), 1001);
    FAILS(EINVAL, sys_pread64(fd, big, 1, -1));
    FAILS(EINVAL, sys_pwrite64(fd, big, 1, -1));
}

static void sparse(void) {
    int fd = make("file");
    int64_t far = (1L << 30) + 5;

    EQ(sys_pwrite64(fd, "end", 3, far), 3);
    EQ(size_of("file"), far + 3);
    CHECK(stat_of("file").st_blocks < 200);
    memset(big, 'x', 4096);
    EQ(sys_pread64(fd, big, 4096, 1L << 29), 4096);
    for (int i = 0; i < 4096; i++)
        EQ(big[i], 0);
    EQ(sys_pread64(fd, big, 10, far), 3);
    EQ(memcmp(big, "end", 3), 0);
}

static void truncation(void) {
    int fd = make("file");

    memset(big, 'a', sizeof(big));
    EQ(sys_write(fd, big, 10000), 10000);
    OK(sys_ftruncate(fd, 5000));
    OK(sys_ftruncate(fd, 9000));
    EQ(sys_pread64(fd, big, 9000, 0), 9000);
    EQ(big[4999], 'a');
    for (int i = 5000; i < 9000; i++)
        EQ(big[i], 0);
    OK(sys_truncate("file", 0));
    EQ(size_of("file"), 0);
    EQ(stat_of("file").st_blocks, 0);
    FAILS(EINVAL, sys_truncate("file", -1));
    FAILS(EISDIR, sys_truncate(".", 0));
    FAILS(ENOENT, sys_truncate("none", 0));
}

static void positions(void) {
    int fd = make("file");
    struct iovec v[3] = {{"ab", 2}, {"", 0}, {"cdef", 4}}, r[2] = {{big, 3}, {big + 100, 50}};

    EQ(sys_writev(fd, v, 3), 6);
    EQ(sys_pwrite64(fd, "X", 1, 2), 1);
    EQ(sys_lseek(fd, 0, SEEK_CUR), 6);
    expect_file("file", "abXdef");
    EQ(sys_preadv(fd, r, 2, 1, 0), 5);
    EQ(memcmp(big, "bXd", 3), 0);
    EQ(memcmp(big + 100, "ef", 2), 0);
    EQ(sys_pwritev(fd, v, 1, 10, 0), 2);
    EQ(size_of("file"), 12);
    OK(sys_lseek(fd, 0, SEEK_SET));
    EQ(sys_readv(fd, r, 2), 12);
    FAILS(EINVAL, sys_readv(fd, r, -1));
    FAILS(EINVAL, sys_readv(fd, r, 1025));
    v[0].iov_len = ~0UL;
    FAILS(EINVAL, sys_writev(fd, v, 3));
    EQ(sys_readv(fd, r, 0), 0);
}

static void append_by_many(void) {
    make("log");
    for (int i = 0; i < 4; i++) {
        if (fork() == 0) {
            int fd = (int)OK(open_at("log", O_WRONLY | O_APPEND, 0));
            memset(big, '0' + i, 100);
            for (int j = 0; j < 50; j++)
                EQ(sys_write(fd, big, 100), 100);
            sys_exit_group(0);
        }
    }
    for (int status; sys_wait4(-1, &status, 0, 0) > 0;)
        EQ(status, 0);
    EQ(size_of("log"), 4 * 50 * 100);
    int fd = (int)OK(open_at("log", O_RDONLY, 0));
    for (int n = 0; n < 200; n++) {
        EQ(sys_read(fd, big, 100), 100);
        for (int i = 1; i < 100; i++)
            EQ(big[i], big[0]);
    }
}

static void pattern(int64_t block) {
    for (int i = 0; i < 4096; i += 8)
        *(int64_t *)(big + i) = block * 4096 + i;
}

static void big_file(int blocks) {
    int fd = make("file");

    for (int64_t b = 0; b < blocks; b++) {
        pattern(b);
        EQ(sys_write(fd, big, 4096), 4096);
    }
    OK(sys_fsync(fd));
    EQ(size_of("file"), blocks * 4096L);
    for (int64_t b = blocks - 1; b >= 0; b -= 7) {
        EQ(sys_pread64(fd, big, 4096, b * 4096), 4096);
        for (int i = 0; i < 4096; i += 512)
            EQ(*(int64_t *)(big + i), b * 4096 + i);
    }
}

static void two_mib_file(void) { big_file(512); }

static void sixteen_mib_file(void) { big_file(4096); }

static void file_size_limit(void) {
    struct rlimit limit = {5000, 5000};
    int fd = make("file");

    OK(sys_setrlimit(RLIMIT_FSIZE, &limit));
    on_signal(SIGXFSZ, SIG_IGN, 0);
    EQ(sys_write(fd, big, 10000), 5000);
    FAILS(EFBIG, sys_write(fd, big, 1));
    FAILS(EFBIG, sys_ftruncate(fd, 6000));
    FAILS(EFBIG, sys_pwrite64(fd, big, 1, 1L << 62));
}

static void bad_memory(void) {
    int fd = make("file");
    char *p = map_pages(2, PROT_READ | PROT_WRITE);
    long r;

    OK(sys_munmap(p + PAGE, PAGE));
    memset(p, 'a', PAGE);
    r = sys_write(fd, p + PAGE - 10, 20); /* what came before the fault may be written, no more */
    CHECK(r == 10 || r == -EFAULT);
    CHECK(size_of("file") <= 10);
    OK(sys_ftruncate(fd, 0));
    EQ(sys_pwrite64(fd, p, PAGE, 0), PAGE);
    r = sys_pread64(fd, p + PAGE - 10, 20, 0);
    CHECK(r == 10 || r == -EFAULT);
    FAILS(EFAULT, sys_pread64(fd, p + PAGE, 20, 0));
    FAILS(EFAULT, sys_pwrite64(fd, p + PAGE, 20, 0));
}

static void unlinked_file(void) {
    int fd = make("file");

    EQ(sys_write(fd, "abc", 3), 3);
    OK(sys_unlinkat(AT_FDCWD, "file", 0));
    CHECK(!is_there("file"));
    struct abi_stat st;
    OK(sys_fstat(fd, &st));
    EQ(st.st_nlink, 0);
    EQ(st.st_size, 3);
    EQ(sys_pread64(fd, big, 10, 0), 3);
    EQ(sys_write(fd, "def", 3), 3);
    int again = make("file");
    CHECK(stat_of("file").st_ino != st.st_ino);
    EQ(size_of("file"), 0);
    OK(sys_close(again));
}

static void allocation(void) {
    int fd = make("file");
    long r = sys_fallocate(fd, 0, 0, 20000);

    if (r == -EOPNOTSUPP || r == -ENOSYS)
        skip("this file system has no fallocate");
    EQ(r, 0);
    EQ(size_of("file"), 20000);
    EQ(sys_pread64(fd, big, 10, 19990), 10);
    EQ(big[9], 0);
    r = sys_fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 40000);
    CHECK(r == 0 || r == -EOPNOTSUPP);
    EQ(size_of("file"), 20000);
    FAILS(EINVAL, sys_fallocate(fd, 0, 0, 0));
    FAILS(EINVAL, sys_fallocate(fd, 0, -1, 10));
}

static long size_of_file(int fd) {
    struct abi_stat st;

    OK(sys_fstat(fd, &st));
    return st.st_size;
}

static long blocks_of(int fd) {
    struct abi_stat st;

    OK(sys_fstat(fd, &st));
    return st.st_blocks;
}

/* n bytes at `at` are all c. */
static void expect_bytes(int fd, int64_t at, long n, char c) {
    static char buf[4 * PAGE];

    for (long got; n > 0; n -= got, at += got) {
        got = OK(sys_pread64(fd, buf, (size_t)(n < (long)sizeof(buf) ? n : (long)sizeof(buf)), at));
        CHECK(got > 0);
        for (long i = 0; i < got; i++)
            EQ(buf[i], c);
    }
}

#define HOLE (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)

/* 40 pages of x, so that ext2 needs more than its direct blocks. In memory a hole that was read has pages. */
static void holes_in(int fd, bool in_memory) {
    static char text[40 * PAGE];
    long full;
    char *p;

    memset(text, 'x', sizeof(text));
    EQ(sys_write(fd, text, sizeof(text)), sizeof(text));
    OK(sys_fsync(fd));
    full = blocks_of(fd);
    CHECK(full >= 40 * 8);
    p = (char *)OK(sys_mmap(0, sizeof(text), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    for (int i = 0; i < 40; i++)
        EQ(p[i * PAGE], 'x');
    EQ(sys_fallocate(fd, HOLE, 100, 50), 0); /* inside a page */
    EQ(blocks_of(fd), full);
    EQ(sys_fallocate(fd, HOLE, 3 * PAGE - 10, 20 * PAGE + 30), 0);
    EQ(blocks_of(fd), full - 20 * 8);
    EQ(size_of_file(fd), (long)sizeof(text));
    expect_bytes(fd, 0, 100, 'x');
    expect_bytes(fd, 100, 50, 0);
    expect_bytes(fd, 150, 3 * PAGE - 10 - 150, 'x');
    expect_bytes(fd, 3 * PAGE - 10, 20 * PAGE + 30, 0);
    expect_bytes(fd, 23 * PAGE + 20, 17 * PAGE - 20, 'x');
    EQ(p[5 * PAGE], 0); /* what was mapped went, too */
    EQ(p[23 * PAGE + 20], 'x');
    p[6 * PAGE] = 'y';
    OK(sys_msync(p, sizeof(text), MS_SYNC));
    expect_bytes(fd, 6 * PAGE, 1, 'y');
    CHECK(in_memory || blocks_of(fd) == full - 19 * 8);
    EQ(sys_fallocate(fd, 0, 2 * PAGE, 30 * PAGE), 0); /* filled again, and nothing is overwritten */
    EQ(blocks_of(fd), full);
    expect_bytes(fd, 6 * PAGE, 1, 'y');
    expect_bytes(fd, 7 * PAGE, PAGE, 0);
    EQ(sys_madvise(p + 30 * PAGE, 2 * PAGE, MADV_REMOVE), 0);
    EQ(blocks_of(fd), full - 2 * 8);
    expect_bytes(fd, 29 * PAGE, PAGE, 'x');
    expect_bytes(fd, 30 * PAGE, 2 * PAGE, 0);
    EQ(sys_fallocate(fd, HOLE, 35 * PAGE, 100 * PAGE), 0); /* over the end */
    EQ(size_of_file(fd), (long)sizeof(text));
    CHECK(in_memory || blocks_of(fd) == full - 7 * 8);
    expect_bytes(fd, 35 * PAGE, 5 * PAGE, 0);
    if (in_memory) {
        EQ(sys_fallocate(fd, FALLOC_FL_KEEP_SIZE, 40 * PAGE, 2 * PAGE), 0);
        EQ(size_of_file(fd), (long)sizeof(text));
        CHECK(blocks_of(fd) >= 2 * 8 + full - 7 * 8);
    } else {
        FAILS(EOPNOTSUPP, sys_fallocate(fd, FALLOC_FL_KEEP_SIZE, 40 * PAGE, 2 * PAGE));
    }
    FAILS(EOPNOTSUPP, sys_fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, PAGE));
    FAILS(EOPNOTSUPP, sys_fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, PAGE));
    OK(sys_ftruncate(fd, 0));
    EQ(blocks_of(fd), 0);
    OK(sys_close(fd));
}

static int disk_file(void) {
    char name[32];

    snprintf(name, sizeof(name), "/holes.%d", getpid());
    int fd = (int)OK(open_at(name, O_RDWR | O_CREAT | O_TRUNC, 0600));
    OK(sys_unlinkat(AT_FDCWD, name, 0));
    return fd;
}

static void holes(void) {
    if (!on_xv39())
        skip("only on xv39"); /* what a file system does not have, is different there */
    holes_in((int)OK(sys_memfd_create("holes", 0)), true);
    holes_in(disk_file(), false);
}

static void hole_errors(void) {
    int fd = (int)OK(sys_memfd_create("holes", MFD_ALLOW_SEALING)), fds[2];
    char *p;

    OK(sys_ftruncate(fd, 4 * PAGE));
    p = (char *)OK(sys_mmap(0, PAGE, PROT_READ, MAP_SHARED, fd, 0));
    FAILS(EACCES, sys_madvise(p, PAGE, MADV_REMOVE));
    FAILS(EINVAL, sys_madvise(map_pages(1, PROT_READ | PROT_WRITE), PAGE, MADV_REMOVE));
    OK(sys_munmap(p, PAGE));
    OK(sys_fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    FAILS(EPERM, sys_fallocate(fd, HOLE, 0, PAGE));
    FAILS(EBADF, sys_fallocate((int)OK(open_at("/bin/sh", O_RDONLY, 0)), HOLE, 0, PAGE));
    OK(sys_pipe2(fds, 0));
    FAILS(ESPIPE, sys_fallocate(fds[1], HOLE, 0, PAGE));
    p = (char *)OK(
        sys_mmap(0, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    memset(p, 'x', 4 * PAGE);
    OK(sys_madvise(p + PAGE, 2 * PAGE, MADV_REMOVE));
    EQ(p[PAGE - 1], 'x');
    EQ(p[PAGE], 0);
    EQ(p[3 * PAGE - 1], 0);
    EQ(p[3 * PAGE], 'x');
}

static void send_file(void) {
    int in, to = make("to");
    int64_t at = 2;

    put_file("from", "0123456789");
    in = (int)OK(open_at("from", O_RDONLY, 0));
    EQ(sys_sendfile(to, in, &at, 5), 5);
    EQ(at, 7);
    EQ(sys_lseek(in, 0, SEEK_CUR), 0);
    EQ(sys_sendfile(to, in, 0, 100), 10);
    EQ(sys_sendfile(to, in, 0, 100), 0);
    expect_file("to", "234560123456789");
}

/* ---- locks */

static void flock_locks(void) {
    int fd = make("file"), other = (int)OK(open_at("file", O_RDWR, 0));

    OK(sys_flock(fd, LOCK_EX));
    FAILS(EAGAIN, sys_flock(other, LOCK_SH | LOCK_NB));
    OK(sys_flock(fd, LOCK_SH));
    OK(sys_flock(other, LOCK_SH | LOCK_NB));
    FAILS(EAGAIN, sys_flock(other, LOCK_EX | LOCK_NB));
    OK(sys_close(fd));
    OK(sys_flock(other, LOCK_EX | LOCK_NB));
    OK(sys_flock(other, LOCK_UN));
    FAILS(EINVAL, sys_flock(other, 16));
}

static long record_lock(int fd, int op, int type, int64_t start, int64_t len) {
    struct flock l = {.l_type = (int16_t)type, .l_start = start, .l_len = len};

    return sys_fcntl(fd, op, (uint64_t)&l);
}

static void record_locks(void) {
    int fd = make("file"), pid;
    struct flock l = {.l_type = F_WRLCK, .l_start = 0, .l_len = 0};

    OK(record_lock(fd, F_SETLK, F_WRLCK, 10, 10));
    OK(record_lock(fd, F_SETLK, F_RDLCK, 100, 0));
    pid = fork();
    if (pid == 0) {
        FAILS(EAGAIN, record_lock(fd, F_SETLK, F_RDLCK, 15, 1));
        FAILS(EAGAIN, record_lock(fd, F_SETLK, F_WRLCK, 5000, 1));
        OK(record_lock(fd, F_SETLK, F_RDLCK, 5000, 1));
        OK(record_lock(fd, F_SETLK, F_WRLCK, 0, 10));
        OK(sys_fcntl(fd, F_GETLK, (uint64_t)&l));
        EQ(l.l_type, F_WRLCK);
        EQ(l.l_start, 10);
        EQ(l.l_len, 10);
        EQ(l.l_pid, sys_getppid());
        sys_exit_group(0);
    }
    wait_ok(pid);
    OK(record_lock(fd, F_SETLK, F_UNLCK, 0, 0));
    OK(record_lock(fd, F_SETLKW, F_WRLCK, 0, 0)); /* the child's went with it */
    FAILS(EINVAL, record_lock(fd, F_SETLK, 77, 0, 0));
}

static void lock_waits(void) {
    int fd = make("file"), pid;

    OK(record_lock(fd, F_SETLK, F_WRLCK, 0, 1));
    pid = fork();
    if (pid == 0) {
        int64_t start = now_ms();
        OK(record_lock(fd, F_SETLKW, F_WRLCK, 0, 1));
        CHECK(now_ms() - start >= 20);
        sys_exit_group(0);
    }
    until_asleep(pid);
    sleep_ms(21);
    OK(record_lock(fd, F_SETLK, F_UNLCK, 0, 1));
    wait_ok(pid);
}

static void random_writes(void) {
    static char model[40000];
    int fd = make("file");
    uint32_t x = 12345;

    OK(sys_ftruncate(fd, sizeof(model)));
    for (int i = 0; i < 500; i++) {
        x = x * 1664525 + 1013904223;
        uint32_t at = (x >> 8) % (sizeof(model) - 3000), len = (x >> 3) % 3000;
        memset(model + at, (int)x, len);
        EQ(sys_pwrite64(fd, model + at, len, at), len);
    }
    OK(sys_fdatasync(fd));
    EQ(sys_pread64(fd, big, sizeof(big), 0), sizeof(model));
    EQ(memcmp(big, model, sizeof(model)), 0);
}

const struct test file_tests[] = {
    {"F2_offset_is_shared", offset_is_shared, 0},
    {"F2_dup_rules", dup_rules, 0},
    {"F2_lowest_descriptor", lowest_descriptor, 0},
    {"F2_descriptor_limit", descriptor_limit, 0},
    {"F2_many_descriptors", many_descriptors, 0},
    {"F2_status_flags", status_flags, 0},
    {"F3_open_flags", open_flags, 0},
    {"F3_seek_rules", seek_rules, 0},
    {"F3_sparse", sparse, 0},
    {"F3_truncation", truncation, 0},
    {"F3_positions", positions, 0},
    {"F3_append_by_many", append_by_many, 0},
    {"F3_file_size_limit", file_size_limit, 0},
    {"F3_bad_memory", bad_memory, 0},
    {"F3_unlinked_file", unlinked_file, 0},
    {"F3_allocation", allocation, 0},
    {"F3_holes", holes, 0},
    {"F3_hole_errors", hole_errors, 0},
    {"F3_send_file", send_file, 0},
    {"F3_flock", flock_locks, 0},
    {"F3_record_locks", record_locks, 0},
    {"F3_lock_waits", lock_waits, 0},
    {"F3_random_writes", random_writes, 0},
    {"F6_two_mib_file", two_mib_file, 0},
    {"F6_sixteen_mib_file", sixteen_mib_file, 1},
    {0, 0, 0},
};
