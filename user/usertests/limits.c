/* Resource limits that are enforced: getrlimit(2). Those of memory, of descriptors and of the size of files have their
 * cases with memory and files (M6, F2, F3). */
#include "user/usertests/ut.h"
#include "abi/prctl.h"
#include "abi/resource.h"

static void set_limit(int what, uint64_t soft, uint64_t hard) {
    struct rlimit l = {soft, hard};

    OK(sys_setrlimit(what, &l));
}

static uint64_t soft_limit(int what) {
    struct rlimit l;

    OK(sys_getrlimit(what, &l));
    return l.rlim_cur;
}

static int64_t used_ms(void) { return clock_ms(CLOCK_PROCESS_CPUTIME_ID); }

/* ---- RLIMIT_CPU */

static volatile int cpu_signals;
static void count_signal(int sig) { cpu_signals += sig == SIGXCPU; }

/* Signal n comes when n seconds are used, and soon: but not while the whole hart stands still, which counts as used. */
static void burn_until_signals(int n) {
    int64_t last = used_ms(), late = 0;

    while (cpu_signals < n && late < 900) {
        int64_t now = used_ms();
        if (last >= n * 1000 && now - last < 50)
            late += now - last;
        last = now;
    }
    CHECK(late < 900);
    CHECK(used_ms() >= n * 1000);
}

static void cpu_soft(void) {
    uint64_t first = 1, next; /* a hart: the kernel's timer is on the same one */

    OK(sys_sched_setaffinity(0, sizeof(first), &first));
    on_signal(SIGXCPU, count_signal, 0);
    set_limit(RLIMIT_CPU, 1, 1000);
    burn_until_signals(1);
    next = soft_limit(RLIMIT_CPU); /* the next comes a second later */
    CHECK(next >= 2 && next <= (uint64_t)used_ms() / 1000 + 1);
    burn_until_signals(2);
}

static void one_second(void) {
    set_limit(RLIMIT_CPU, 1, RLIM_INFINITY);
    spin();
}

static void cpu_soft_kills(void) { EQ(child_signal(one_second), SIGXCPU); }

static void hard_second(void) {
    on_signal(SIGXCPU, SIG_IGN, 0);
    set_limit(RLIMIT_CPU, 1, 2);
    spin();
}

static void cpu_hard(void) {
    struct rusage u;
    int status, pid = spawn(hard_second);

    EQ(sys_wait4(pid, &status, 0, &u), pid);
    EQ(WTERMSIG(status), SIGKILL);
    CHECK(u.ru_utime.tv_sec + u.ru_stime.tv_sec >= 1);
}

static void spin_for_the_limit(void) {
    on_signal(SIGXCPU, SIG_DFL, 0);
    spin();
}

/* A child has the limit too, and counts from nothing. Where the hart stood still we may have used a second, too. */
static void cpu_inherited(void) {
    int64_t before;

    on_signal(SIGXCPU, count_signal, 0);
    set_limit(RLIMIT_CPU, 1, RLIM_INFINITY);
    while (used_ms() < 500)
        ;
    before = now_ms();
    EQ(child_signal(spin_for_the_limit), SIGXCPU);
    CHECK(now_ms() - before >= 950);
}

static void cpu_of_others(void) {
    struct rlimit l = {1, RLIM_INFINITY}, none = {RLIM_INFINITY, RLIM_INFINITY};
    int pid = spawn(spin), sleeper = spawn(sleep_long);

    until_asleep(sleeper);
    OK(sys_prlimit64(sleeper, RLIMIT_CPU, &l, 0)); /* who sleeps uses nothing */
    OK(sys_kill(pid, SIGSTOP));
    OK(sys_waitid(P_PID, pid, 0, WSTOPPED, 0));
    OK(sys_prlimit64(pid, RLIMIT_CPU, &l, 0));
    OK(sys_prlimit64(pid, RLIMIT_CPU, &none, 0));
    OK(sys_kill(pid, SIGCONT));
    sleep_ms(1500);
    EQ(sys_wait4(-1, 0, WNOHANG, 0), 0);
    OK(sys_prlimit64(pid, RLIMIT_CPU, &l, 0));
    EQ(wait_status(pid), SIGXCPU);
    EQ(sys_wait4(-1, 0, WNOHANG, 0), 0);
}

/* ---- RLIMIT_NPROC */

static void exec_as_many(void) {
    char *argv[] = {"true", 0};
    int pid;

    set_limit(RLIMIT_NPROC, 2, 2);
    pid = fork();
    if (pid == 0) { /* this user has three tasks then: two and us */
        become_user(4243);
        spawn(sleep_long);
        spawn(sleep_long);
        sys_exit_group(1);
    }
    EQ(wait_status(pid), W_EXITCODE(1, 0)); /* the second spawn fails: EAGAIN */
    pid = fork();
    if (pid == 0) {
        become_user(4243);
        sleep_long();
    }
    until_asleep(pid);
    become_user(4243); /* does not fail, but exec does */
    FAILS(EAGAIN, sys_execve("/bin/true", argv, environ));
    OK(sys_kill(-1, SIGKILL));
    wait_status(pid);
    while (sys_execve("/bin/true", argv, environ) == -EAGAIN) /* until the others are reaped */
        sleep_ms(5);
    sys_exit_group(1);
}

static void nproc_and_exec(void) { child_ok(exec_as_many); }

/* ---- RLIMIT_NICE */

static void nice_limit(void) {
    set_limit(RLIMIT_NICE, 25, 25); /* down to 20 - 25 */
    OK(sys_setpriority(PRIO_PROCESS, 0, 10));
    become_user(1000);
    OK(sys_setpriority(PRIO_PROCESS, 0, 0));
    OK(sys_setpriority(PRIO_PROCESS, 0, -5));
    FAILS(EACCES, sys_setpriority(PRIO_PROCESS, 0, -6));
    EQ(sys_getpriority(PRIO_PROCESS, 0), 25);
}

/* ---- RLIMIT_FSIZE */

static void file_too_long(void) {
    int fd = (int)OK(open_at("file", O_RDWR | O_CREAT, 0644));

    set_limit(RLIMIT_FSIZE, 100, 100);
    sys_ftruncate(fd, 101);
}

static void fsize_kills(void) { EQ(child_signal(file_too_long), SIGXFSZ); }

static void fsize_lets_shrink(void) {
    int fd = (int)OK(open_at("file", O_RDWR | O_CREAT, 0644));

    OK(sys_ftruncate(fd, 1000));
    set_limit(RLIMIT_FSIZE, 100, 100);
    on_signal(SIGXFSZ, SIG_IGN, 0);
    OK(sys_ftruncate(fd, 500)); /* longer than allowed, but growing is what is limited */
    OK(sys_truncate("file", 400));
    FAILS(EFBIG, sys_ftruncate(fd, 401));
    FAILS(EFBIG, sys_fallocate(fd, 0, 0, 401));
}

/* ---- who may change them */

static void permissions(void) {
    struct rlimit l, more = {RLIM_INFINITY, RLIM_INFINITY};
    int pid = spawn(sleep_long), other = fork();

    if (other == 0) {
        become_user(2000);
        sleep_long();
    }
    until_asleep(other);
    OK(sys_prlimit64(pid, RLIMIT_CORE, 0, &l));
    OK(sys_prlimit64(pid, RLIMIT_RTPRIO, &more, 0));
    OK(sys_prlimit64(pid, RLIMIT_RTPRIO, 0, &l));
    EQ(l.rlim_cur, RLIM_INFINITY);
    become_user(2000);
    OK(sys_prlimit64(other, RLIMIT_CORE, 0, &l)); /* of the same user */
    FAILS(EPERM, sys_prlimit64(other, RLIMIT_RTPRIO, &more, 0));
    FAILS(EPERM, sys_prlimit64(pid, RLIMIT_CORE, 0, &l));
    FAILS(EINVAL, sys_prlimit64(0, RLIM_NLIMITS, 0, &l));
    FAILS(EFAULT, sys_prlimit64(0, RLIMIT_CORE, 0, unmapped_page()));
    FAILS(EFAULT, sys_prlimit64(0, RLIMIT_CORE, unmapped_page(), 0));
}

const struct test limit_tests[] = {
    {"T8_limit_cpu_soft", cpu_soft, 0},
    {"T8_limit_cpu_soft_kills", cpu_soft_kills, 0},
    {"T8_limit_cpu_hard", cpu_hard, 0},
    {"T8_limit_cpu_inherited", cpu_inherited, 0},
    {"T8_limit_cpu_of_others", cpu_of_others, 0},
    {"T8_limit_nproc_and_exec", nproc_and_exec, 0},
    {"T8_limit_nice", nice_limit, 0},
    {"T8_limit_fsize_kills", fsize_kills, 0},
    {"T8_limit_fsize_lets_shrink", fsize_lets_shrink, 0},
    {"T8_limit_permissions", permissions, 0},
    {0, 0, 0},
};
