/* memfd_create(2) and seals. */
#include "user/usertests/ut.h"
#include "abi/memfd.h"

#define RW (PROT_READ | PROT_WRITE)

static int memfd(unsigned flags) {
    int fd = (int)OK(sys_memfd_create("some", flags));
    OK(sys_ftruncate(fd, 2 * PAGE));
    return fd;
}

static char *map(int prot, int flags, int fd) {
    return (char *)OK(sys_mmap(0, 2 * PAGE, prot, flags, fd, 0));
}

static struct abi_stat stat_fd(int fd) {
    struct abi_stat st;
    OK(sys_fstat(fd, &st));
    return st;
}

static void create(void) {
    char name[260], text[300];
    int fd = (int)OK(sys_memfd_create("some", MFD_CLOEXEC)), again;
    long n;

    EQ(sys_fcntl(fd, F_GETFD, 0), FD_CLOEXEC);
    EQ(sys_fcntl(fd, F_GET_SEALS, 0), F_SEAL_SEAL);
    EQ(stat_fd(fd).st_size, 0);
    EQ(stat_fd(fd).st_nlink, 0);
    EQ(stat_fd(fd).st_mode, S_IFREG | 0777);
    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    n = OK(sys_readlinkat(AT_FDCWD, name, text, sizeof(text)));
    text[n] = 0;
    EQ(strcmp(text, "/memfd:some (deleted)"), 0);
    EQ(sys_write(fd, "hello", 5), 5);
    again = (int)OK(open_at(name, O_RDONLY, 0)); /* the same file by its number */
    EQ(sys_read(again, text, 10), 5);
    EQ(memcmp(text, "hello", 5), 0);
    memset(name, 'n', sizeof(name));
    name[250] = 0;
    FAILS(EINVAL, sys_memfd_create(name, 0));
    name[249] = 0;
    OK(sys_memfd_create(name, 0));
    OK(sys_memfd_create("", 0));
    FAILS(EINVAL, sys_memfd_create("x", 0x100));
    FAILS(EINVAL, sys_memfd_create("x", MFD_EXEC | MFD_NOEXEC_SEAL));
    FAILS(ENOSYS, sys_memfd_create("x", MFD_HUGETLB));
    FAILS(EFAULT, sys_memfd_create((char *)8, 0));
}

static void shared_by_fork(void) {
    int fd = memfd(0);
    volatile char *p = map(RW, MAP_SHARED, fd), *q = map(RW, MAP_PRIVATE, fd);
    int pid = fork();

    if (pid == 0) {
        p[PAGE] = 'c';
        OK(sys_pwrite64(fd, "w", 1, 0));
        sys_exit_group(0);
    }
    wait_ok(pid);
    EQ(p[PAGE], 'c');
    EQ(p[0], 'w');
    q[PAGE] = 'q';
    EQ(p[PAGE], 'c');
}

static void seal_errors(void) {
    int fd = memfd(MFD_ALLOW_SEALING), fds[2], ro;
    char name[40];

    EQ(sys_fcntl(fd, F_GET_SEALS, 0), 0);
    FAILS(EINVAL, sys_fcntl(fd, F_ADD_SEALS, 0x40));
    OK(sys_fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
    OK(sys_fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
    EQ(sys_fcntl(fd, F_GET_SEALS, 0), F_SEAL_GROW | F_SEAL_SHRINK);
    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    ro = (int)OK(open_at(name, O_RDONLY, 0));
    FAILS(EPERM, sys_fcntl(ro, F_ADD_SEALS, F_SEAL_SEAL));
    OK(sys_fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
    FAILS(EPERM, sys_fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    FAILS(EPERM, sys_fcntl(memfd(0), F_ADD_SEALS, F_SEAL_WRITE));
    OK(sys_pipe2(fds, 0));
    FAILS(EINVAL, sys_fcntl(fds[0], F_GET_SEALS, 0));
    FAILS(EINVAL, sys_fcntl((int)OK(open_at("/", O_RDONLY, 0)), F_GET_SEALS, 0));
}

static void seal_size(void) {
    int fd = memfd(MFD_ALLOW_SEALING);
    static char buf[3 * PAGE];

    OK(sys_fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
    FAILS(EPERM, sys_ftruncate(fd, 3 * PAGE));
    FAILS(EPERM, sys_fallocate(fd, 0, 0, 3 * PAGE));
    FAILS(EPERM, sys_pwrite64(fd, "x", 1, 2 * PAGE));
    EQ(sys_pwrite64(fd, buf, 3 * PAGE, 0), 2 * PAGE); /* as much as fits */
    EQ(stat_fd(fd).st_size, 2 * PAGE);
    EQ(sys_pwrite64(fd, "x", 1, 2 * PAGE - 1), 1);
    OK(sys_ftruncate(fd, 2 * PAGE));
    OK(sys_ftruncate(fd, PAGE));
    OK(sys_fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
    FAILS(EPERM, sys_ftruncate(fd, PAGE - 1));
    OK(sys_ftruncate(fd, PAGE));
}

static void seal_write(void) {
    int fd = memfd(MFD_ALLOW_SEALING);
    char *p = map(RW, MAP_SHARED, fd), *q;

    p[0] = 'x';
    FAILS(EBUSY, sys_fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    EQ(sys_fcntl(fd, F_GET_SEALS, 0), 0);
    OK(sys_munmap(p, 2 * PAGE));
    q = map(PROT_READ, MAP_SHARED, fd); /* it could become writable */
    FAILS(EBUSY, sys_fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    OK(sys_munmap(q, 2 * PAGE));
    q = map(RW, MAP_PRIVATE, fd);
    OK(sys_fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    FAILS(EPERM, sys_write(fd, "y", 1));
    FAILS(EPERM, sys_mmap(0, PAGE, RW, MAP_SHARED, fd, 0));
    p = map(PROT_READ, MAP_SHARED, fd);
    EQ(p[0], 'x');
    FAILS(EACCES, sys_mprotect(p, PAGE, RW));
    q[0] = 'q'; /* a copy is not the file */
    EQ(p[0], 'x');
    OK(sys_ftruncate(fd, PAGE)); /* another seal's business */
}

static void seal_future_write(void) {
    int fd = memfd(MFD_ALLOW_SEALING);
    char *p = map(RW, MAP_SHARED, fd);

    OK(sys_fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
    p[0] = 'x'; /* it was there before */
    FAILS(EPERM, sys_write(fd, "y", 1));
    FAILS(EPERM, sys_mmap(0, PAGE, RW, MAP_SHARED, fd, 0));
    EQ(map(PROT_READ, MAP_SHARED, fd)[0], 'x');
}

static void seal_exec(void) {
    int fd = (int)OK(sys_memfd_create("some", MFD_NOEXEC_SEAL));

    EQ(sys_fcntl(fd, F_GET_SEALS, 0), F_SEAL_EXEC);
    EQ(stat_fd(fd).st_mode & 0777, 0666);
    FAILS(EPERM, sys_fchmod(fd, 0700));
    OK(sys_fchmod(fd, 0600));
    fd = memfd(MFD_ALLOW_SEALING);
    OK(sys_fcntl(fd, F_ADD_SEALS, F_SEAL_EXEC)); /* executable: nothing of it changes any more */
    FAILS(EPERM, sys_write(fd, "y", 1));
    FAILS(EPERM, sys_ftruncate(fd, 0));
    FAILS(EPERM, sys_fchmod(fd, 0600));
}

static int shared_fd;

static int map_again_and_again(void *unused) {
    (void)unused;
    for (int i = 0; i < 200; i++) {
        long p = sys_mmap(0, PAGE, RW, MAP_SHARED, shared_fd, 0);
        if (p == -EPERM)
            sys_exit(0);
        OK(p);
        OK(sys_munmap((void *)p, PAGE));
    }
    sys_exit(0);
    return 0;
}

/* Whoever has it mapped when the seal is set can write, so nobody may. */
static void seal_against_mmap(void) {
    for (int round = 0; round < 20; round++) {
        shared_fd = memfd(MFD_ALLOW_SEALING);
        int pid = fork();
        if (pid == 0)
            map_again_and_again(0);
        long r;
        while ((r = sys_fcntl(shared_fd, F_ADD_SEALS, F_SEAL_WRITE)) == -EBUSY)
            sys_sched_yield();
        OK(r);
        FAILS(EPERM, sys_mmap(0, PAGE, RW, MAP_SHARED, shared_fd, 0));
        wait_ok(pid);
        OK(sys_close(shared_fd));
    }
}

const struct test memfd_tests[] = {
    {"M6_memfd_create", create, 0},
    {"M6_memfd_shared_by_fork", shared_by_fork, 0},
    {"M6_seal_errors", seal_errors, 0},
    {"M6_seal_size", seal_size, 0},
    {"M6_seal_write", seal_write, 0},
    {"M6_seal_future_write", seal_future_write, 0},
    {"M6_seal_exec", seal_exec, 0},
    {"M6_seal_against_mmap", seal_against_mmap, 0},
    {0, 0, 0},
};
