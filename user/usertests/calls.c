/* The system-call surface as a whole: numbers, descriptors and pointers that are no good, in every
 * place of every call of the list.
 *
 * abi/syscalls.def names the kind of each argument. For a call every argument first gets a value
 * of its kind that does no harm; then one pointer after the other is replaced by bad ones.
 * Whatever the call does, it must come back with an error, and with EFAULT where nothing else can
 * be wrong. */
#include "user/usertests/ut.h"
#include "abi/capability.h"
#include "abi/futex.h"
#include "abi/poll.h"
#include "abi/resource.h"
#include "abi/uio.h"

struct call {
    int number;
    const char *name, *kinds;
};

static const struct call calls[] = {
#define SYSCALL(number, name, kinds) {number, #name, kinds},
#include "abi/syscalls.def"
};

/* Calls that do not come back, or that change more than a test may. */
static const char *const left_out[] = {
    "exit",         "exit_group",   "rt_sigreturn", "reboot",      "clone", "clone3",
    "sync",         "chroot",       "syslog",       "sethostname", "kill",  "set_tid_address",
    "settimeofday", "clock_settime"};

/* Calls that may find something else wrong first, or that need not look at the pointer. */
static const char *const any_error[] = {"wait4",
                                        "waitid",
                                        "execve",
                                        "mount",
                                        "umount2",
                                        "getdents64",
                                        "rt_sigqueueinfo",
                                        "fcntl",
                                        "ioctl",
                                        "futex",
                                        "linkat",
                                        "renameat2",
                                        "symlinkat",
                                        "getgroups",
                                        "setgroups",
                                        "sendfile",
                                        "splice",
                                        "tee",
                                        "vmsplice",
                                        "clone3",
                                        "pselect6",
                                        "set_robust_list",
                                        "riscv_hwprobe",
                                        "sched_getaffinity",
                                        "sched_setaffinity",
                                        "sched_setparam",
                                        "sched_setscheduler",
                                        "sched_getparam",
                                        "sched_setattr",
                                        "sched_getattr",
                                        "rt_sigtimedwait",
                                        "mincore",
                                        "getcpu",
                                        "prlimit64",
                                        "setrlimit",
                                        "setitimer",
                                        "unlinkat",
                                        "mknodat",
                                        "mkdirat",
                                        "nanosleep",
                                        "clock_nanosleep",
                                        "readlinkat",
                                        "sigaltstack",
                                        "xv6_wait",
                                        "exo_registers",
                                        "ipc_call",
                                        "get_robust_list",
                                        "rt_tgsigqueueinfo",
                                        "copy_file_range",
                                        "timer_gettime",
                                        "timer_settime",
                                        "pidfd_send_signal",
                                        "mq_timedsend",
                                        "mq_timedreceive",
                                        "mq_getsetattr",
                                        "msgctl",
                                        "msgrcv",
                                        "msgsnd",
                                        "semop",
                                        "semtimedop",
                                        "shmctl",
                                        "socketpair",
                                        "bind",
                                        "connect",
                                        "sendto",
                                        "recvfrom",
                                        "setsockopt",
                                        "sendmsg",
                                        "recvmsg",
                                        "sendmmsg",
                                        "recvmmsg",
                                        "timerfd_settime",
                                        "timerfd_gettime"};

/* Values that certain calls want in an "op" or "size" argument. */
static struct cap_header cap_header = {_LINUX_CAPABILITY_VERSION_3, 0};
static const struct {
    const char *call;
    int arg;
    long value;
} wanted[] = {
    {"capget", 0, (long)&cap_header},
    {"capset", 0, (long)&cap_header},
    {"rt_sigaction", 0, SIGUSR1},
    {"rt_sigaction", 3, 8},
    {"rt_sigprocmask", 0, SIG_SETMASK},
    {"rt_sigprocmask", 3, 8},
    {"rt_sigpending", 1, 8},
    {"rt_sigsuspend", 1, 8},
    {"rt_sigtimedwait", 3, 8},
    {"timer_create", 1, 0},
    {"ppoll", 1, 1},
    {"ppoll", 4, 8},
    {"getrlimit", 0, RLIMIT_NOFILE},
    {"getrusage", 0, 0},
    {"pselect6", 0, 64},
    {"newfstatat", 3, 0},
    {"statx", 3, 0x7ff},
    {"prlimit64", 1, RLIMIT_NOFILE},
    {"waitid", 3, WEXITED | WNOHANG},
    {"wait4", 2, WNOHANG},
    {"mincore", 1, PAGE},
    {"utimensat", 3, 0},
    {"readv", 2, 1},
    {"writev", 2, 1},
    {"preadv", 2, 1},
    {"pwritev", 2, 1},
    {"personality", 0, -1},
    {"openat", 2, O_RDONLY},
    {"getcwd", 1, 4096},
    {"flock", 1, LOCK_SH},
    {"epoll_pwait", 5, 8},
    {"epoll_pwait2", 5, 8},
    {"signalfd4", 2, 8},
    {"futex_waitv", 1, 1},
};

static char scratch[8192] __attribute__((aligned(4096)));
static struct iovec vector = {scratch, 64};

static bool listed(const char *const *list, size_t n, const char *name) {
    for (size_t i = 0; i < n; i++) {
        if (strcmp(list[i], name) == 0)
            return true;
    }
    return false;
}

/* The kind of argument n, without its question mark; false if there is none. */
static bool kind_of(const struct call *c, int n, char *kind, bool *optional) {
    const char *p = c->kinds;
    size_t len = 0;

    while (n-- > 0) {
        p = strchr(p, ',');
        if (!p)
            return false;
        p++;
    }
    while (p[len] && p[len] != ',')
        len++;
    snprintf(kind, 16, "%.*s", (int)len, p);
    *optional = len && kind[len - 1] == '?';
    if (*optional)
        kind[len - 1] = 0;
    return len > 0;
}

static bool is_pointer(const char *kind) {
    static const char *const kinds[] = {"path", "str",  "argv", "in",   "out",  "inout",
                                        "buf",  "obuf", "iov",  "oiov", "futex"};

    return listed(kinds, ARRAY_LEN(kinds), kind);
}

static bool is_only_written(const char *kind) {
    return strcmp(kind, "out") == 0 || strcmp(kind, "obuf") == 0;
}

static long harmless(const struct call *c, int n, const char *kind, int fd) {
    static char *empty[] = {0};

    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        if (wanted[i].arg == n && strcmp(wanted[i].call, c->name) == 0)
            return wanted[i].value;
    }
    if (strcmp(c->name, "futex") == 0 && n == 3)
        return (long)scratch; /* a time limit of 0 */
    if (strcmp(kind, "fd") == 0)
        return fd;
    if (strcmp(kind, "dirfd") == 0)
        return AT_FDCWD;
    if (strcmp(kind, "path") == 0)
        return (long)"file";
    if (strcmp(kind, "str") == 0)
        return (long)"text";
    if (strcmp(kind, "argv") == 0)
        return (long)empty;
    if (strcmp(kind, "iov") == 0 || strcmp(kind, "oiov") == 0)
        return (long)&vector;
    if (strcmp(kind, "size") == 0)
        return 64;
    if (strcmp(kind, "prot") == 0)
        return PROT_READ;
    return is_pointer(kind) ? (long)scratch : 0;
}

static void fill(const struct call *c, long *args, int fd) {
    char kind[16];
    bool optional;

    for (int i = 0; i < 6; i++)
        args[i] = kind_of(c, i, kind, &optional) ? harmless(c, i, kind, fd) : 0;
}

static long call(const struct call *c, const long *a) {
    return raw_syscall(c->number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static void expect_error(const struct call *c, int arg, unsigned long pointer, long r) {
    if (r == -EFAULT || r == -ENOSYS)
        return;
    if (r < 0 && r >= -4095 && listed(any_error, ARRAY_LEN(any_error), c->name))
        return;
    if (r >= 0 && listed(any_error, ARRAY_LEN(any_error), c->name) &&
        strcmp(c->name, "execve") != 0)
        return;
    fail_at(HERE, "%s with argument %d = 0x%lx gives %ld, not EFAULT", c->name, arg, pointer, r);
}

static void try_bad_pointers(const struct call *c, int fd) {
    unsigned long near_top = on_xv39() ? 0x3fffffe000UL : 8; /* Linux may have a stack there */
    unsigned long bad[] = {0,
                           1,
                           0x80000000UL,
                           0xeaeb0b5b00002f5eUL,
                           near_top,
                           0x4000000000UL,
                           0xffffffc000000000UL,
                           0xffffffff80200000UL,
                           ~0UL,
                           ~7UL,
                           (unsigned long)unmapped_page(),
                           (unsigned long)map_pages(1, PROT_NONE),
                           (unsigned long)"read-only"};
    char kind[16];
    bool optional;
    long args[6];

    for (int arg = 0; kind_of(c, arg, kind, &optional); arg++) {
        if (!is_pointer(kind))
            continue;
        for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
            bool read_only = i == ARRAY_LEN(bad) - 1;
            if ((bad[i] == 0 && optional) || (read_only && !is_only_written(kind)))
                continue;
            fill(c, args, fd);
            args[arg] = (long)bad[i];
            memset(scratch, 0, sizeof(scratch));
            OK(sys_lseek(fd, 0, SEEK_SET));
            expect_error(c, arg, bad[i], call(c, args));
        }
    }
}

static void bad_pointers(void) {
    int fd;

    put_file("file",
             "some bytes that a read can find, more than sixty-four of them, all in one line\n");
    fd = (int)OK(open_at("file", O_RDWR, 0));
    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        if (!listed(left_out, ARRAY_LEN(left_out), calls[i].name))
            try_bad_pointers(&calls[i], fd);
    }
}

/* A string or structure that begins on a good page and runs into a bad one. */
static void pointers_across_pages(void) {
    char *page = map_pages(2, PROT_READ | PROT_WRITE);
    char *end = page + PAGE;
    int fds[2], lowest = (int)OK(open_at("/", O_RDONLY, 0));

    OK(sys_close(lowest));
    OK(sys_munmap(end, PAGE));
    memset(end - 8, 'x', 8);
    FAILS(EFAULT, sys_openat(AT_FDCWD, end - 8, O_RDONLY, 0));
    FAILS(EFAULT, sys_newfstatat(AT_FDCWD, "/", (struct abi_stat *)(end - 64), 0));
    FAILS(EFAULT, sys_clock_gettime(CLOCK_MONOTONIC, (struct timespec *)(end - 8)));
    FAILS(EFAULT, sys_pipe2((int *)(end - 4), 0));
    OK(sys_pipe2(fds, 0));
    EQ(fds[0], lowest); /* the failed pipe left no descriptors */
    strcpy(end - 2, ".");
    OK(sys_newfstatat(AT_FDCWD, end - 2, (struct abi_stat *)page, 0));
}

static void unknown_numbers(void) {
    static const long numbers[] = {-1, 244, 600, 1000, 5000, 1L << 31, 1L << 32, 1L << 62};

    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        FAILS(ENOSYS, raw_syscall(numbers[i], 0, 0, 0, 0, 0, 0));
}

/* Every call that takes a descriptor refuses one that is not open. */
static void bad_descriptors(void) {
    static const int bad[] = {-1, 77, 1024, 0x7fffffff, -0x7fffffff};
    char kind[16];
    bool optional;
    long args[6], r;
    int fd;

    put_file("file", "x");
    fd = (int)OK(open_at("file", O_RDWR, 0));
    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        const struct call *c = &calls[i];
        if (!kind_of(c, 0, kind, &optional) || strcmp(kind, "fd") != 0 ||
            strcmp(c->name, "close_range") == 0)
            continue;
        for (size_t j = 0; j < ARRAY_LEN(bad); j++) {
            fill(c, args, fd);
            args[0] = bad[j];
            if (strcmp(c->name, "dup3") == 0)
                args[1] = 200;
            if (strcmp(c->name, "fallocate") == 0)
                args[3] = 1;
            r = call(c, args);
            if (r != -EBADF && r != -ENOSYS)
                fail_at(HERE, "%s of descriptor %d gives %ld, not EBADF", c->name, bad[j], r);
        }
    }
}

static void registers_survive(void) {
    register long s2 asm("s2") = 0x1234567;
    register long t3 asm("t3") = 0x7654321;
    register long a1 asm("a1") = 0x1111;
    register long a0 asm("a0") = 0;
    register long a7 asm("a7") = 172;

    asm volatile("ecall" : "+r"(a0), "+r"(s2), "+r"(t3), "+r"(a1) : "r"(a7) : "memory");
    long after[] = {a0, s2, t3, a1};

    EQ(after[0], getpid());
    EQ(after[1], 0x1234567);
    EQ(after[2], 0x7654321);
    EQ(after[3], 0x1111);
}

/* Only the low 32 bits of an int argument count. */
static void int_arguments(void) {
    char c = 'x';
    int fds[2];

    OK(sys_pipe2(fds, 0));
    EQ(raw_syscall(64, 0x7700000000L | fds[1], &c, 1), 1);
    EQ(raw_syscall(63, 0x100000000L | fds[0], &c, 1), 1);
}

const struct test call_tests[] = {
    {"F1_bad_pointers", bad_pointers, 0},
    {"F1_pointers_across_pages", pointers_across_pages, 0},
    {"F1_unknown_numbers", unknown_numbers, 0},
    {"F1_bad_descriptors", bad_descriptors, 0},
    {"F1_registers_survive", registers_survive, 0},
    {"F1_int_arguments", int_arguments, 0},
    {0, 0, 0},
};
