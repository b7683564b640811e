/* clone3(2): its arguments one by one, and the flags that clone(2) has no room for. */
#include "user/usertests/ut.h"
#include "abi/sched.h"

static struct clone_args args;

static long clone3(size_t size) { return sys_clone3(&args, size); }

static void start(uint64_t flags) {
    args = (struct clone_args){.flags = flags, .exit_signal = SIGCHLD};
}

static void fork_with(size_t size) {
    long pid = OK(clone3(size));

    if (pid == 0)
        sys_exit_group(0);
    wait_ok((int)pid);
}

static void sizes(void) {
    static char big[8192];
    char *end = (char *)map_pages(2, PROT_READ | PROT_WRITE) + PAGE;

    start(0);
    fork_with(CLONE_ARGS_SIZE_VER0);
    fork_with(CLONE_ARGS_SIZE_VER1);
    fork_with(CLONE_ARGS_SIZE_VER2);
    FAILS(EINVAL, clone3(CLONE_ARGS_SIZE_VER0 - 1));
    FAILS(EINVAL, clone3(0));
    FAILS(E2BIG, clone3(PAGE + 1));
    memcpy(big, &args, sizeof(args));
    long pid = OK(sys_clone3((void *)big, 200)); /* a later version, with nothing in it */
    if (pid == 0)
        sys_exit_group(0);
    wait_ok((int)pid);
    big[150] = 1;
    FAILS(E2BIG, sys_clone3((void *)big, 200));
    OK(sys_munmap(end, PAGE));
    FAILS(EFAULT, sys_clone3((void *)(end - 64), 88));
    FAILS(EFAULT, sys_clone3(0, 88));
}

static void bad_flags(void) {
    static const uint64_t bad[] = {1,
                                   CSIGNAL,
                                   CLONE_DETACHED,
                                   1UL << 34,
                                   1UL << 63,
                                   CLONE_THREAD,
                                   CLONE_SIGHAND,
                                   CLONE_CLEAR_SIGHAND | CLONE_SIGHAND | CLONE_VM,
                                   CLONE_NEWPID | CLONE_FS,
                                   CLONE_NEWTIME};

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        start(bad[i]);
        FAILS(EINVAL, clone3(sizeof(args)));
    }
}

static void exit_signals(void) {
    start(0);
    args.exit_signal = 65;
    FAILS(EINVAL, clone3(sizeof(args)));
    args.exit_signal = 1UL << 32 | SIGCHLD;
    FAILS(EINVAL, clone3(sizeof(args)));
    start(CLONE_PARENT);
    FAILS(EINVAL, clone3(sizeof(args))); /* it is the parent's to say */
    start(CLONE_VM | CLONE_SIGHAND | CLONE_THREAD);
    FAILS(EINVAL, clone3(sizeof(args)));
    start(0);
    args.exit_signal = 0;
    long pid = OK(clone3(sizeof(args)));
    if (pid == 0)
        sys_exit_group(0);
    EQ(sys_wait4((int)pid, 0, __WCLONE, 0), pid);
}

static void stacks(void) {
    start(CLONE_VM);
    args.stack_size = 4096;
    FAILS(EINVAL, clone3(sizeof(args)));
    args.stack = (uint64_t)map_pages(1, PROT_READ | PROT_WRITE);
    args.stack_size = 0;
    FAILS(EINVAL, clone3(sizeof(args)));
    args.stack_size = ~0UL;
    FAILS(EINVAL, clone3(sizeof(args)));
    args.stack = ~0UL - 4095;
    args.stack_size = 4096;
    FAILS(EINVAL, clone3(sizeof(args)));
}

static int a_free_pid(void) {
    int pid = spawn(nothing);

    wait_ok(pid);
    return pid;
}

static void set_tid(void) {
    int wanted[2] = {a_free_pid(), 1};
    long pid;

    start(0);
    args.set_tid = (uint64_t)wanted;
    args.set_tid_size = 1;
    pid = OK(clone3(sizeof(args)));
    if (pid == 0)
        sys_exit_group(getpid() == wanted[0] && sys_gettid() == wanted[0] ? 0 : 1);
    EQ(pid, wanted[0]);
    FAILS(EEXIST, clone3(sizeof(args)));
    wait_ok((int)pid);
    fork_with(sizeof(args)); /* now it is free again */
    become_user(1000);
    FAILS(EPERM, clone3(sizeof(args)));
}

static void set_tid_errors(void) {
    int wanted[40] = {1};

    start(0);
    args.set_tid = (uint64_t)wanted;
    FAILS(EINVAL, clone3(sizeof(args)));
    args.set_tid_size = 33;
    FAILS(EINVAL, clone3(sizeof(args)));
    args.set_tid_size = 2; /* more than there are namespaces */
    FAILS(EINVAL, clone3(sizeof(args)));
    args.set_tid_size = 1;
    FAILS(EEXIST, clone3(sizeof(args)));
    wanted[0] = 0;
    FAILS(EINVAL, clone3(sizeof(args)));
    wanted[0] = -7;
    FAILS(EINVAL, clone3(sizeof(args)));
    wanted[0] = 1 << 30;
    FAILS(EINVAL, clone3(sizeof(args)));
    args.set_tid = (uint64_t)unmapped_page();
    FAILS(EFAULT, clone3(sizeof(args)));
    args.set_tid = 0;
    FAILS(EINVAL, clone3(sizeof(args)));
}

static void into_cgroup(void) {
    start(CLONE_INTO_CGROUP);
    FAILS(EBADF, clone3(sizeof(args))); /* 0 is open, but no control group */
    args.cgroup = 999;
    FAILS(EBADF, clone3(sizeof(args)));
    args.cgroup = 1UL << 31;
    FAILS(EINVAL, clone3(sizeof(args)));
    args.cgroup = 0;
    FAILS(EINVAL, clone3(CLONE_ARGS_SIZE_VER1));
}

static void handler(int sig) { (void)sig; }

static void clear_sighand(void) {
    struct sigaction act;
    long pid;

    on_signal(SIGUSR1, handler, SA_RESTART);
    on_signal(SIGUSR2, SIG_IGN, 0);
    start(CLONE_CLEAR_SIGHAND);
    pid = OK(clone3(sizeof(args)));
    if (pid == 0) {
        OK(sys_rt_sigaction(SIGUSR1, 0, &act, 8));
        CHECK(act.sa_handler == SIG_DFL);
        OK(sys_rt_sigaction(SIGUSR2, 0, &act, 8));
        CHECK(act.sa_handler == SIG_IGN);
        sys_exit_group(0);
    }
    wait_ok((int)pid);
    OK(sys_rt_sigaction(SIGUSR1, 0, &act, 8));
    CHECK(act.sa_handler == handler);
}

/* What has no effect without a tracer, System V semaphores and an I/O scheduler is accepted. */
static void accepted(void) {
    static const uint64_t flags[] = {CLONE_SYSVSEM, CLONE_PTRACE, CLONE_UNTRACED, CLONE_IO,
                                     CLONE_DETACHED};

    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        long pid = OK(sys_clone(flags[i] | SIGCHLD, 0, 0, 0, 0));
        if (pid == 0)
            sys_exit_group(0);
        wait_ok((int)pid);
    }
}

const struct test clone_tests[] = {
    {"T3_clone3_sizes", sizes, 0},
    {"T3_clone3_bad_flags", bad_flags, 0},
    {"T3_clone3_exit_signals", exit_signals, 0},
    {"T3_clone3_stacks", stacks, 0},
    {"T3_clone3_set_tid", set_tid, 0},
    {"T3_clone3_set_tid_errors", set_tid_errors, 0},
    {"T3_clone3_into_cgroup", into_cgroup, 0},
    {"T3_clone3_clear_sighand", clear_sighand, 0},
    {"T3_clone_accepted", accepted, 0},
    {0, 0, 0},
};
