/* grind [-s seed] [-c children] [seconds]: children do random system calls for a while, each in a
 * directory of its own and in a common one.
 *
 * Nothing is expected of a single call; the kernel must live, a child must not die of anything but
 * what it did to itself, and the few things that are certain are checked: what was written is
 * read, a pipe gives what went in, fork works in a quiet moment. The seed is printed, the same
 * seed makes the same calls. */
#include "user/lib/tool.h"
#include "abi/fcntl.h"
#include "abi/mman.h"
#include "abi/poll.h"
#include "abi/wait.h"

static int64_t deadline;
static char buf[8192];

static int64_t now(void) {
    struct timespec t;

    sys_clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec;
}

/* What waits for what never comes (somebody opened an eventfd for it) is interrupted each second:
 * calls that must come to their end are made again. */
static void tick(int sig) { (void)sig; }

static void start_ticks(void) {
    struct sigaction action = {.sa_handler = tick};
    struct itimerval second = {{1, 0}, {1, 0}};

    sys_rt_sigaction(SIGALRM, &action, 0, 8);
    sys_setitimer(ITIMER_REAL, &second, 0);
}

#define RETRY(call)                                                                                \
    ({                                                                                             \
        long result_;                                                                              \
        do                                                                                         \
            result_ = (call);                                                                      \
        while (result_ == -EINTR);                                                                 \
        result_;                                                                                   \
    })

static long wait_for(int pid, int *status) { return RETRY(sys_wait4(pid, status, 0, 0)); }

static void wrong(const char *what) {
    warn("%s", what);
    exit(1);
}

/* A name out of few, so that processes meet: here, in the common directory, in a subdirectory, up
 * and down. */
static const char *name(void) {
    static const char *const dirs[] = {"", "", "sub/", "../common/", "../common/sub/", "./sub/../"};
    static char text[4][32];
    static int turn;
    char *t = text[turn++ % 4];

    snprintf(t, 32, "%s%c", dirs[random_below((int)ARRAY_LEN(dirs))], 'a' + random_below(6));
    return t;
}

static int descriptor(void) { return 3 + random_below(20); }

/* ---- what a child does */

static void do_open(void) {
    static const int flags[] = {O_RDONLY,
                                O_WRONLY,
                                O_RDWR,
                                O_RDWR | O_CREAT,
                                O_RDWR | O_CREAT | O_TRUNC,
                                O_WRONLY | O_APPEND,
                                O_RDWR | O_CREAT | O_EXCL,
                                O_DIRECTORY,
                                O_PATH};

    sys_openat(AT_FDCWD, name(), flags[random_below((int)ARRAY_LEN(flags))] | O_NONBLOCK, 0644);
}

static void do_close(void) { sys_close(descriptor()); }

static void do_write(void) { sys_write(descriptor(), buf, (size_t)random_below(sizeof(buf))); }

static void do_read(void) { sys_read(descriptor(), buf, (size_t)random_below(sizeof(buf))); }

static void do_seek(void) { sys_lseek(descriptor(), random_below(100000) - 1000, random_below(3)); }

static void do_truncate(void) { sys_ftruncate(descriptor(), random_below(50000)); }

static void do_dup(void) { sys_dup3(descriptor(), descriptor(), random_below(2) ? O_CLOEXEC : 0); }

static void do_mkdir(void) { sys_mkdirat(AT_FDCWD, random_below(3) ? name() : "sub", 0755); }

static void do_unlink(void) { sys_unlinkat(AT_FDCWD, name(), random_below(3) ? 0 : AT_REMOVEDIR); }

static void do_link(void) { sys_linkat(AT_FDCWD, name(), AT_FDCWD, name(), 0); }

static void do_symlink(void) { sys_symlinkat(name(), AT_FDCWD, name()); }

static void do_rename(void) {
    sys_renameat2(AT_FDCWD, name(), AT_FDCWD, name(),
                  (unsigned)(random_below(4) == 0 ? RENAME_EXCHANGE : 0));
}

static void do_stat(void) {
    struct abi_stat st;

    sys_newfstatat(AT_FDCWD, name(), &st, random_below(2) ? AT_SYMLINK_NOFOLLOW : 0);
}

static void do_list(void) {
    struct dir *d = (struct dir *)buf;

    if (dir_open(d, random_below(2) ? "." : "../common") < 0)
        return;
    while (dir_next(d))
        ;
    dir_close(d);
}

static void do_sync(void) {
    if (random_below(4) == 0)
        sys_sync();
    else
        sys_fsync(descriptor());
}

static void do_pipe(void) {
    int fds[2];
    char out[64], in[64];
    size_t n = (size_t)random_below(63) + 1;

    if (sys_pipe2(fds, 0) < 0)
        return;
    memset(out, random_below(256), sizeof(out));
    if (sys_write(fds[1], out, n) != (long)n || sys_read(fds[0], in, n) != (long)n ||
        memcmp(in, out, (uint)n))
        wrong("a pipe gave something else");
    sys_close(fds[0]);
    sys_close(fds[1]);
}

static void do_file(void) {
    char one[700], two[700];
    int at = random_below(20000);
    long fd = sys_openat(AT_FDCWD, "private", O_RDWR | O_CREAT, 0644);

    if (fd < 0)
        return;
    memset(one, random_below(256), sizeof(one));
    if (sys_pwrite64((int)fd, one, sizeof(one), at) == sizeof(one) &&
        (sys_pread64((int)fd, two, sizeof(two), at) != sizeof(two) ||
         memcmp(one, two, sizeof(one))))
        wrong("a file gave something else than was written");
    sys_close((int)fd);
}

static void do_map(void) {
    size_t size = (size_t)(random_below(64) + 1) * PAGE;
    char *p = (char *)sys_mmap(0, size, PROT_READ | PROT_WRITE,
                               (random_below(2) ? MAP_PRIVATE : MAP_SHARED) | MAP_ANONYMOUS, -1, 0);

    if ((long)p < 0)
        return;
    for (size_t i = 0; i < size; i += PAGE) {
        if (p[i])
            wrong("new memory is not zero");
        p[i] = 1;
    }
    sys_mprotect(p, PAGE, random_below(8));
    sys_madvise(p + size / 2, PAGE, random_below(5));
    sys_munmap(p, size);
}

static void do_brk(void) {
    long old = sys_brk(0);

    if (sys_brk((uint64_t)old + 4 * PAGE) == old + 4 * PAGE) {
        memset((char *)old, 1, 4 * PAGE);
        sys_brk((uint64_t)old);
    }
}

static void do_fork(void) {
    int pid = fork(), status;

    if (pid == 0) {
        do_map();
        exit(7);
    }
    if (pid > 0 && wait_for(pid, &status) == pid && status != W_EXITCODE(7, 0))
        wrong("a child ended badly");
}

static void do_fork_kill(void) {
    int pid = fork(), status;
    struct timespec t = {100, 0};

    if (pid == 0) {
        if (random_below(2))
            sys_nanosleep(&t, 0);
        for (;;)
            sys_sched_yield();
    }
    if (pid < 0)
        return;
    sys_kill(pid, random_below(2) ? SIGSTOP : SIGCONT);
    sys_kill(pid, SIGKILL);
    if (wait_for(pid, &status) != pid || status != SIGKILL)
        wrong("a killed child did not die");
}

static void do_exec(void) {
    char *argv[] = {"echo", "-n", 0};
    int pid = vfork_exec(random_below(4) ? "/bin/echo" : "/nothing", argv, environ);

    if (pid > 0)
        wait_for(pid, 0);
}

static void do_pipeline(void) {
    int fds[2], pid, status;
    long total = 0, n;

    if (sys_pipe2(fds, 0) < 0)
        return;
    pid = fork();
    if (pid == 0) {
        sys_close(fds[0]);
        exit(write_all(fds[1], buf, sizeof(buf)) < 0);
    }
    sys_close(fds[1]);
    while (pid > 0 && (n = RETRY(sys_read(fds[0], buf, 1000))) > 0)
        total += n;
    sys_close(fds[0]);
    if (pid > 0 && wait_for(pid, &status) == pid && (status || total != sizeof(buf)))
        wrong("a pipeline lost something");
}

static void do_sleep(void) {
    struct timespec t = {0, random_below(2000000)};

    sys_nanosleep(&t, 0);
}

static void do_poll(void) {
    struct pollfd p[4];
    struct timespec t = {0, random_below(1000)};

    for (int i = 0; i < 4; i++)
        p[i] = (struct pollfd){.fd = descriptor(), .events = POLLIN | POLLOUT};
    sys_ppoll(p, 4, &t, 0, 8);
}

static void do_chdir(void) {
    char here[256];

    sys_getcwd(here, sizeof(here));
    if (sys_chdir(name()) == 0 && sys_chdir(here) < 0)
        wrong("cannot go back");
}

static const struct {
    int number;
    const char *name;
} calls[] = {
#define SYSCALL(number, name, kinds) {number, #name},
#include "abi/syscalls.def"
};

/* Calls that would end the run, take its memory away, or wait with the ticks blocked. */
static const char *const harmful[] = {
    "exit",
    "exit_group",
    "rt_sigreturn",
    "reboot",
    "chroot",
    "clock_settime",
    "clock_adjtime",
    "adjtimex",
    "settimeofday",
    "kill",
    "tkill",
    "tgkill",
    "rt_sigqueueinfo",
    "clone",
    "clone3",
    "exofork",
    "fault_upcall",
    "fault_return",
    "page_alloc",
    "page_map",
    "page_unmap",
    "ipc_recv",
    "ipc_call",
    "rt_sigsuspend",
    "ppoll",
    "pselect6",
    "mount",
    "umount2",
    "brk",
    "munmap",
    "mremap",
    "mmap",
    "mprotect",
    "madvise",
    "chdir",
    "fchdir",
    "wait4",
    "waitid",
    "fcntl",
    "flock",
    "rt_sigtimedwait",
    "setrlimit",
    "prlimit64",
    "setpriority",
    "prctl",
    "setitimer",
    "capset",
    "sched_setscheduler",
    "sched_setparam",
    "sched_setattr",
    "shmat",
    "mq_notify",
    "epoll_pwait",
    "epoll_pwait2",
    "timer_settime",
    "pidfd_send_signal",
    "sigaltstack",
    "rt_sigaction",
    "rt_sigprocmask",
    "sethostname",
    "setsid",
    "setpgid",
    "syslog",
    "sched_setaffinity",
    "close_range",
    "close",
    "dup3",
    "pipe2",
    "mknodat",
    "openat",
    "sendfile",
    "splice",
    "tee",
    "vmsplice",
    "fallocate",
};

static bool is_harmful(const char *call) {
    for (size_t i = 0; i < ARRAY_LEN(harmful); i++) {
        if (strcmp(harmful[i], call) == 0)
            return true;
    }
    return strncmp(call, "set", 3) == 0 || strncmp(call, "xv6", 3) == 0;
}

/* Any other call, with arguments that are small numbers or addresses, good and bad. */
static void do_anything(void) {
    static const long values[] = {0, 1, -1, 100, 4096, 1L << 31, 1L << 40, -4096, 8};
    int call = random_below((int)ARRAY_LEN(calls));
    long args[6];

    if (is_harmful(calls[call].name))
        return;
    for (int i = 0; i < 6; i++) {
        int pick = random_below((int)ARRAY_LEN(values) + 2);
        args[i] = pick < (int)ARRAY_LEN(values) ? values[pick]
                  : pick % 2                    ? (long)buf
                                                : (long)name();
    }
    raw_syscall(calls[call].number, args[0], args[1], args[2], args[3], args[4], args[5]);
}

static void (*const deeds[])(void) = {
    do_open,      do_open, do_close,    do_write,  do_write,  do_read,  do_read,     do_seek,
    do_truncate,  do_dup,  do_mkdir,    do_unlink, do_unlink, do_link,  do_symlink,  do_rename,
    do_stat,      do_list, do_sync,     do_pipe,   do_file,   do_map,   do_brk,      do_fork,
    do_fork_kill, do_exec, do_pipeline, do_sleep,  do_poll,   do_chdir, do_anything, do_anything,
};

static void grind(int child, uint64_t seed) {
    char dir[32];

    struct sigaction ignore = {.sa_handler = SIG_IGN};

    sys_rt_sigaction(SIGPIPE, &ignore, 0, 8);
    start_ticks();
    random_seed(seed * 2654435761u + (uint64_t)child * 0x9e3779b97f4a7c15UL + 1);
    snprintf(dir, sizeof(dir), "child%d", child);
    sys_mkdirat(AT_FDCWD, dir, 0755);
    if (sys_chdir(dir) < 0)
        wrong("no directory");
    sys_mkdirat(AT_FDCWD, "sub", 0755);
    sys_close(0); /* nothing random goes to the console */
    sys_close(1);
    sys_openat(AT_FDCWD, "input", O_RDWR | O_CREAT, 0644);
    sys_openat(AT_FDCWD, "output", O_RDWR | O_CREAT, 0644);
    for (int i = 0; i % 64 || now() < deadline; i++)
        deeds[random_below((int)ARRAY_LEN(deeds))]();
    exit(0);
}

int main(int argc, char **argv) {
    struct opts o = opts_start(argv, "s:c:", "[-s seed] [-c children] [seconds]");
    long seed = 0, children = 3, seconds = 10;
    int status, failed = 0;
    char dir[32];

    (void)argc;
    sys_getrandom(&seed, 4, 0);
    for (int c; (c = opt_next(&o)) != 0;) {
        if (!parse_num(o.arg, 10, c == 's' ? &seed : &children))
            die("%s: not a number", o.arg);
    }
    if (*o.argv && !parse_num(*o.argv, 10, &seconds))
        die("%s: not a number of seconds", *o.argv);
    printf("grind: seed %ld, %ld children, %ld s\n", seed, children, seconds);
    snprintf(dir, sizeof(dir), "grind%d", getpid());
    if (sys_mkdirat(AT_FDCWD, dir, 0755) < 0 || sys_chdir(dir) < 0)
        die("%s: no directory", dir);
    sys_mkdirat(AT_FDCWD, "common", 0755);
    deadline = now() + seconds;
    for (int i = 0; i < children; i++) {
        int pid = fork();
        if (pid < 0)
            die("fork failed");
        if (pid == 0)
            grind(i, (uint64_t)seed);
    }
    while (sys_wait4(-1, &status, 0, 0) > 0) {
        if (status)
            warn("a child ended with status 0x%x", status);
        failed |= status;
    }
    char *clean[] = {"rm", "-rf", dir, 0};
    sys_chdir("..");
    int pid = vfork_exec("/bin/rm", clean, environ);
    if (pid > 0)
        sys_wait4(pid, &status, 0, 0);
    printf("grind: %s\n", failed ? "failed" : "ok");
    return failed != 0;
}
