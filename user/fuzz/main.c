/* fuzz [-s seed] [-n calls] [-t seconds] [-p processes] [-c name,name] [-T threads] [-gv]:
 * random system calls, to find what the kernel does not survive.
 * fuzz -s seed -i process -f first -l last: these calls of a run once more.
 *
 * Calls and arguments are made from abi/syscalls.def (values.c), and from what is known of a call
 * (rules.c). A runner for each process makes its stream epoch after epoch, each in a child
 * in a sandbox (world.c, perform.c), and watches it: a child that makes no call for a while is
 * killed, and one that cannot be killed is a failure. So are sandboxes that cannot be removed, and
 * many epochs that end before their first call. At the end init and a new shell must answer.
 *
 * The program runs from a copy that has no name: an epoch may change /proc/self/exe, whose mode and
 * owner decide what the next run may do. */
#include "user/fuzz/fuzz.h"
#include "abi/prctl.h"
#include "abi/termios.h"
#include "abi/time.h"
#include "abi/utsname.h"
#include "abi/wait.h"

struct call calls[] = {
#define SYSCALL(number, name, kinds) {number, #name, kinds, true},
#include "abi/syscalls.def"
};
const int nr_calls = ARRAY_LEN(calls);

static struct options {
    long seed, calls, seconds, processes, threads, index, first, last;
    long patience; /* seconds; a child that makes no call for so long hangs */
    bool guided, verbose;
} opt = {.seed = -1, .processes = 1, .threads = 1, .index = -1, .last = -1, .patience = 2};

/* Of all runners. */
static struct totals { uint64_t made, failed, died, hung, stuck; } * totals;

#define MAX_BARREN 16 /* epochs without a call; then also at most a quarter of all */

static int64_t deadline;
static char base[64];

static int64_t seconds(void) {
    struct timespec t;

    sys_clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec;
}

static void *shared_memory(size_t size) {
    void *p = (void *)sys_mmap(0, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if ((long)p < 0)
        die("no memory");
    return p;
}

/* ---- a child and its runner */

static void wait_a_little(void) {
    struct timespec t = {0, 2000000};
    sys_nanosleep(&t, 0);
}

/* The session of a process, from "PID (NAME) STATE PARENT GROUP SESSION"; 0 if it has gone. */
static int session_of(const char *pid) {
    char path[64], text[256], *p;

    snprintf(path, sizeof(path), "/proc/%s/stat", pid);
    p = read_file(path, text, sizeof(text)) > 0 ? strrchr(text, ')') : 0;
    for (int i = 0; p && i < 4; i++)
        p = strchr(p + 1, ' ');
    return p ? atoi(p + 1) : 0;
}

static void kill_session(int session) {
    struct dir d;

    if (dir_open(&d, "/proc") < 0)
        return;
    for (struct abi_dirent *e; (e = dir_next(&d)) != 0;) {
        if (atoi(e->d_name) > 1 && session_of(e->d_name) == session)
            sys_kill(atoi(e->d_name), SIGKILL);
    }
    dir_close(&d);
}

/* The epoch is over: nothing of its session may stay. An orphan is the runner's child. False: one
 * cannot be killed. */
static bool end_children(int session) {
    int64_t limit = seconds() + 30;

    sys_kill(-session, SIGKILL);
    for (int turn = 0; sys_wait4(-1, 0, WNOHANG, 0) != -ECHILD; turn++) {
        if (turn > 8) { /* not in the group any more? */
            kill_session(session);
            wait_a_little();
        }
        if (seconds() > limit)
            return false;
    }
    return true;
}

static void say_of(int process, const char *what) {
    warn("epoch ended after call %d.%lu, %s: %s", process, progress->number,
         calls[progress->call].name, what);
}

/* Waits for the child; one that stands still is continued, in case a signal stopped it, then
 * killed. How long it stands still is counted in ticks that come to us: a host that stops the machine
 * stops us, too. */
static bool watch(int process, int pid) {
    enum { TICKS = 4 }; /* a second */
    struct itimerval tick = {{0, 1000000 / TICKS}, {0, 1000000 / TICKS}};
    uint64_t made = 0;
    long still = 0, most = TICKS * opt.patience;
    int status;
    long r;

    sys_setitimer(0, &tick, 0);
    while ((r = sys_wait4(pid, &status, 0, 0)) == -EINTR) {
        if (progress->made != made) {
            made = progress->made;
            still = 0;
        } else if (++still > 3 * most) {
            break;
        } else if (still > most) {
            sys_kill(pid, SIGKILL);
        } else if (still > TICKS) {
            sys_kill(pid, SIGCONT);
        }
    }
    tick = (struct itimerval){{0, 0}, {0, 0}};
    sys_setitimer(0, &tick, 0);
    if (r != pid)
        return false;
    if (still > most) {
        say_of(process, "the last call took too long");
        __atomic_fetch_add(&totals->hung, 1, __ATOMIC_RELAXED);
    } else if (status) {
        if (opt.verbose)
            say_of(process, status & 127 ? signal_name(status & 127) : "exited");
        __atomic_fetch_add(&totals->died, 1, __ATOMIC_RELAXED);
    }
    return true;
}

/* Single epochs may die early when memory is short. */
static void count_barren(const struct epoch *e) {
    static int barren, all;

    all++;
    barren += progress->made == 0;
    if (barren < MAX_BARREN || barren < all / 4)
        return;
    warn("process %d: %d of %d epochs have ended before their first call", e->process, barren, all);
    __atomic_fetch_add(&totals->stuck, 1, __ATOMIC_RELAXED);
}

static void run_epoch(struct epoch *e, const char *dir, bool root) {
    int pid;

    progress->made = progress->failed = 0;
    pid = fork();
    if (pid == 0) {
        world_enter(dir, root);
        if (opt.guided)
            guide_start();
        epoch_run(e);
    }
    if (pid < 0)
        die("fork failed");
    if (!watch(e->process, pid) || !end_children(pid)) {
        say_of(e->process, "it cannot be killed");
        __atomic_fetch_add(&totals->stuck, 1, __ATOMIC_RELAXED);
    }
    if (!world_remove(dir)) {
        warn("%s cannot be removed after the epoch of call %d.%lu", dir, e->process, e->number);
        __atomic_fetch_add(&totals->stuck, 1, __ATOMIC_RELAXED);
    }
    count_barren(e);
    __atomic_fetch_add(&totals->made, progress->made, __ATOMIC_RELAXED);
    __atomic_fetch_add(&totals->failed, progress->failed, __ATOMIC_RELAXED);
}

/* Makes the stream of a process, from first to last. */
static void run_stream(int process) {
    uint64_t seeds[EPOCH], stream = mix((uint64_t)opt.seed, (uint64_t)process);
    struct random choice = {stream, 0};
    char dir[96];
    long at = opt.first / EPOCH * EPOCH;
    struct sigaction alarm = {.sa_handler = on_signal};

    sys_rt_sigaction(SIGALRM, &alarm, 0, 8);
    sys_prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    progress = shared_memory(sizeof(*progress));
    for (; at < opt.last && (!deadline || seconds() < deadline) && !totals->stuck; at += EPOCH) {
        int number = (int)(at / EPOCH);
        struct epoch e = {.seeds = seeds,
                          .first = opt.first > at ? (int)(opt.first - at) : 0,
                          .last = opt.last - at < EPOCH ? (int)(opt.last - at) : EPOCH,
                          .threads = (int)opt.threads,
                          .number = (uint64_t)at,
                          .process = process,
                          .verbose = opt.verbose};
        for (int i = 0; i < EPOCH; i++)
            seeds[i] = mix(stream, (uint64_t)(at + i)) & ~VARIATION;
        if (opt.guided)
            guide_choose(&choice, seeds);
        snprintf(dir, sizeof(dir), "%s/%s%d", number % 2 ? "/tmp" : ".", base, process);
        run_epoch(&e, dir, number % 3 != 2);
        if (opt.guided)
            guide_learn(seeds);
    }
    if (opt.guided && process == 0)
        guide_report();
    exit(0);
}

/* ---- before and after */

/* A run may change what belongs to all: the host's name, the clock, how the console behaves. */
static struct termios console;
static struct new_utsname names;
static int64_t real_time;

static void remember(void) {
    struct timespec t;

    sys_ioctl(1, TCGETS, &console);
    sys_uname(&names);
    sys_clock_gettime(CLOCK_REALTIME, &t);
    real_time = t.tv_sec - seconds();
}

static void restore(void) {
    struct timespec t = {real_time + seconds(), 0};

    sys_ioctl(1, TCSETS, &console);
    sys_ioctl(1, TIOCNXCL, 0);
    sys_sethostname(names.nodename, strlen(names.nodename));
    sys_clock_settime(CLOCK_REALTIME, &t);
}

/* A new shell can still be had, and says what it is told to. */
static bool shell_answers(void) {
    char *argv[] = {"sh", "-c", "echo alive", 0}, text[16] = "";
    int fds[2], pid, status = -1;

    if (sys_pipe2(fds, 0) < 0)
        return false;
    pid = fork();
    if (pid == 0) {
        sys_dup3(fds[1], 1, 0);
        sys_execve("/bin/sh", argv, environ);
        exit(1);
    }
    sys_close(fds[1]);
    sys_read(fds[0], text, sizeof(text) - 1);
    sys_close(fds[0]);
    return sys_wait4(pid, &status, 0, 0) == pid && status == 0 && strcmp(text, "alive\n") == 0;
}

static void choose_calls(char *names) {
    for (int i = 0; i < nr_calls; i++)
        calls[i].wanted = false;
    while (*names) {
        char *end = strchr(names, ',');
        bool found = false;
        if (end)
            *end++ = 0;
        for (int i = 0; i < nr_calls; i++) {
            bool same = strcmp(calls[i].name, names) == 0;
            found |= same && !why_left_out(names, 0);
            calls[i].wanted |= same;
        }
        if (!found)
            die("%s: %s", names, why_left_out(names, 0) ? "is left out" : "no such call");
        names = end ? end : "";
    }
}

static long number(const char *text) {
    long n;

    if (!parse_num(text, 10, &n) || n < 0)
        die("%s: not a number", text);
    return n;
}

static void read_options(char **argv) {
    static const struct {
        int letter;
        long *value;
    } numbers[] = {{'s', &opt.seed},      {'n', &opt.calls},   {'t', &opt.seconds},
                   {'p', &opt.processes}, {'T', &opt.threads}, {'i', &opt.index},
                   {'f', &opt.first},     {'l', &opt.last},    {'w', &opt.patience}};
    struct opts o = opts_start(argv, "s:n:t:p:c:T:i:f:l:w:gv",
                               "[-s seed] [-n calls] [-t seconds] [-p processes] [-T threads] "
                               "[-c call,call] [-i process -f first -l last] [-w seconds] [-gv]");

    for (int c; (c = opt_next(&o)) != 0;) {
        for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
            if (numbers[i].letter == c)
                *numbers[i].value = number(o.arg);
        }
        if (c == 'l')
            opt.last++;
        if (c == 'c')
            choose_calls(o.arg);
        opt.guided |= c == 'g';
        opt.verbose |= c == 'v';
    }
    if (opt.seed < 0) {
        opt.seed = 0;
        sys_getrandom(&opt.seed, 4, 0);
    }
    if (!opt.calls && !opt.seconds && opt.last < 0)
        opt.seconds = 10;
    if (opt.last < 0)
        opt.last = opt.calls ? opt.calls : 1L << 40;
    if (opt.seconds)
        deadline = seconds() + opt.seconds;
}

/* Goes on in a copy of the program. */
static void run_copy(char **argv) {
    char path[64], exe[64] = "";
    long n = sys_readlinkat(AT_FDCWD, "/proc/self/exe", exe, sizeof(exe) - 1);
    int from, to;

    if (n < 0)
        die("there is no /proc");
    if (strcmp(exe + n - (n < 10 ? 0 : 10), " (deleted)") == 0)
        return;
    snprintf(path, sizeof(path), "/tmp/fuzz%d", getpid());
    from = (int)sys_openat(AT_FDCWD, "/proc/self/exe", O_RDONLY | O_CLOEXEC, 0);
    to = (int)sys_openat(AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL, 0755);
    while (sys_sendfile(to, from, 0, 64 * PAGE) > 0)
        ;
    sys_close(to);
    to = (int)sys_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    sys_unlinkat(AT_FDCWD, path, 0);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", to);
    sys_execve(path, argv, environ);
    die("no room for a copy in /tmp");
}

int main(int argc, char **argv) {
    bool ok;
    int status;

    (void)argc;
    tool_name("fuzz");
    run_copy(argv);
    sys_prctl(PR_SET_NAME, (uint64_t) "fuzz", 0, 0, 0);
    read_options(argv);
    printf("fuzz: seed %ld, %ld processes, %d calls an epoch\n", opt.seed, opt.processes, EPOCH);
    if (opt.guided && !guide_open())
        die("this kernel has no /dev/kcov: build it with CHECK=kcov");
    snprintf(base, sizeof(base), "fuzz%d-", getpid());
    totals = shared_memory(sizeof(*totals));
    sys_dup3(1, LOG_FD, O_CLOEXEC);
    remember();
    for (int i = 0; i < opt.processes; i++) {
        int pid = opt.index >= 0 && i != opt.index ? 0 : fork();
        if (pid < 0)
            die("fork failed");
        if (pid == 0 && (opt.index < 0 || i == opt.index))
            run_stream(i);
    }
    for (ok = true; sys_wait4(-1, &status, 0, 0) > 0;) {
        if (status)
            warn("a runner ended with status 0x%x", status);
        ok &= status == 0;
    }
    restore();
    printf("fuzz: %lu calls gave an error, %lu epochs died, %lu hung\n", totals->failed,
           totals->died, totals->hung);
    if (sys_kill(1, 0) != 0 || !shell_answers()) {
        warn("init or the shell does not answer");
        ok = false;
    }
    if (totals->made == 0)
        warn("no call was made");
    ok &= totals->stuck == 0 && totals->made > 0;
    printf("fuzz: %ld calls %lu %s\n", opt.seed, totals->made, ok ? "ok" : "FAILED");
    return !ok;
}
