/* Tasks: fork, clone, threads, wait, groups and sessions, states, scheduling as far as a program
 * sees it. */
#include "user/usertests/ut.h"
#include "abi/futex.h"
#include "abi/prctl.h"
#include "abi/resource.h"
#include "abi/sched.h"

static volatile int shared_int;
static int tid_word, parent_word;

static void wait_zero(volatile int *word) {
    int value;

    while ((value = *word) != 0)
        sys_futex((uint32_t *)word, FUTEX_WAIT, (uint32_t)value, 0, 0, 0);
}

/* ---- fork, pids, states */

static void fork_returns(void) {
    int me = getpid(), pid = fork();

    OK(pid);
    if (pid == 0) {
        CHECK(getpid() != me);
        EQ(sys_getppid(), me);
        EQ(sys_gettid(), getpid());
        sys_exit_group(0);
    }
    CHECK(pid > me || pid > 0);
    EQ(getpid(), me);
    wait_ok(pid);
}

static void pids_differ(void) {
    static int pids[200];

    for (size_t i = 0; i < ARRAY_LEN(pids); i++) {
        pids[i] = spawn(sleep_long);
        for (size_t j = 0; j < i; j++)
            CHECK(pids[i] != pids[j]);
    }
    for (size_t i = 0; i < ARRAY_LEN(pids); i++) {
        OK(sys_kill(pids[i], SIGKILL));
        EQ(wait_status(pids[i]), SIGKILL);
    }
}

static int vfork_child(void *arg) {
    (void)arg;
    sleep_long();
    return 0;
}

/* Waits for its child in vfork(), which only the child's end or exec, or death, interrupts. */
static void vfork_parent(void) {
    clone_call(CLONE_VM | CLONE_VFORK | SIGCHLD, new_stack(), 0, 0, 0, vfork_child, 0);
}

/* Not for a lock or a disk, on the way there. */
static bool waits_in_vfork(int pid) {
    char path[32], wchan[32];

    snprintf(path, sizeof(path), "/proc/%d/wchan", pid);
    int fd = (int)OK(open_at(path, O_RDONLY, 0));
    long n = OK(sys_read(fd, wchan, sizeof(wchan) - 1));
    wchan[n] = 0;
    sys_close(fd);
    return strcmp(wchan, "vfork") == 0 && proc_state(pid) == 'D';
}

static void uninterruptible(void) {
    int pid = spawn(vfork_parent);

    while (!waits_in_vfork(pid)) /* or the time limit ends the case */
        sleep_ms(2);
    OK(sys_kill(pid, SIGSTOP)); /* is for later */
    sleep_ms(50);
    EQ(proc_state(pid), 'D');
    OK(sys_kill(pid, SIGKILL));
    EQ(wait_status(pid), SIGKILL);
}

static void states(void) {
    int spinning, sleeping, fds[2], status;
    char c = 0;

    if (proc_state(getpid()) == '?')
        skip("no /proc");
    spinning = spawn(spin);
    sleeping = spawn(sleep_long);
    until_asleep(sleeping);
    sleep_ms(50);
    EQ(proc_state(getpid()), 'R');
    EQ(proc_state(spinning), 'R');
    EQ(proc_state(sleeping), 'S');
    uninterruptible();
    OK(sys_kill(sleeping, SIGSTOP));
    EQ(sys_wait4(sleeping, &status, WUNTRACED, 0), sleeping);
    EQ(status, W_STOPCODE(SIGSTOP));
    EQ(proc_state(sleeping), 'T');
    OK(sys_kill(sleeping, SIGCONT));
    EQ(sys_wait4(sleeping, &status, WCONTINUED, 0), sleeping);
    EQ(status, W_CONTINUED);
    OK(sys_kill(sleeping, SIGKILL));
    OK(sys_waitid(P_PID, sleeping, 0, WEXITED | WNOWAIT, 0));
    EQ(proc_state(sleeping), 'Z');
    EQ(wait_status(sleeping), SIGKILL);
    EQ(proc_state(sleeping), '?');
    OK(sys_kill(spinning, SIGKILL));
    EQ(wait_status(spinning), SIGKILL);
    OK(sys_pipe2(fds, 0));
    EQ(sys_write(fds[1], &c, 1), 1);
}

/* ---- clone, flag by flag */

static int set_shared(void *arg) {
    shared_int = (int)(long)arg;
    return 5;
}

static void clone_vm(void) {
    int pid;

    shared_int = 1;
    pid = (int)OK(clone_call(CLONE_VM | SIGCHLD, new_stack(), 0, 0, 0, set_shared, (void *)42));
    EQ(wait_status(pid), W_EXITCODE(5, 0));
    EQ(shared_int, 42);
    pid = (int)OK(clone_call(SIGCHLD, new_stack(), 0, 0, 0, set_shared, (void *)43));
    EQ(wait_status(pid), W_EXITCODE(5, 0));
    EQ(shared_int, 42);
}

static int open_file(void *arg) {
    (void)arg;
    return (int)sys_dup3(0, 60, 0) != 60;
}

static void clone_files(void) {
    wait_ok(
        (int)OK(clone_call(CLONE_VM | CLONE_FILES | SIGCHLD, new_stack(), 0, 0, 0, open_file, 0)));
    OK(sys_close(60));
    wait_ok((int)OK(clone_call(CLONE_VM | SIGCHLD, new_stack(), 0, 0, 0, open_file, 0)));
    FAILS(EBADF, sys_close(60));
}

static int change_fs(void *arg) {
    (void)arg;
    sys_umask(0123);
    return sys_chdir("sub") != 0;
}

static void clone_fs(void) {
    OK(sys_mkdirat(AT_FDCWD, "sub", 0755));
    wait_ok((int)OK(clone_call(CLONE_VM | SIGCHLD, new_stack(), 0, 0, 0, change_fs, 0)));
    CHECK(is_there("sub"));
    EQ(sys_umask(022), 022);
    wait_ok((int)OK(clone_call(CLONE_VM | CLONE_FS | SIGCHLD, new_stack(), 0, 0, 0, change_fs, 0)));
    CHECK(!is_there("sub"));
    EQ(sys_umask(022), 0123);
}

static int change_handler(void *arg) {
    (void)arg;
    on_signal(SIGUSR1, SIG_IGN, 0);
    return 0;
}

static bool usr1_ignored(void) {
    struct sigaction act;

    OK(sys_rt_sigaction(SIGUSR1, 0, &act, 8));
    return act.sa_handler == SIG_IGN;
}

static void clone_sighand(void) {
    wait_ok((int)OK(clone_call(CLONE_VM | SIGCHLD, new_stack(), 0, 0, 0, change_handler, 0)));
    CHECK(!usr1_ignored());
    wait_ok((int)OK(
        clone_call(CLONE_VM | CLONE_SIGHAND | SIGCHLD, new_stack(), 0, 0, 0, change_handler, 0)));
    CHECK(usr1_ignored());
}

static int check_words(void *arg) {
    (void)arg;
    return tid_word != sys_gettid();
}

static void clone_tid_words(void) {
    int pid = (int)OK(clone_call(CLONE_VM | CLONE_CHILD_SETTID | CLONE_PARENT_SETTID | SIGCHLD,
                                 new_stack(), &parent_word, 0, &tid_word, check_words, 0));

    EQ(parent_word, pid);
    wait_ok(pid);
    tid_word = 1;
    pid = (int)OK(clone_call(THREAD | CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID, new_stack(), 0, 0,
                             &tid_word, check_words, 0));
    wait_zero(&tid_word);
    EQ(tid_word, 0);
}

static int read_tp(void *arg) {
    long tp;

    asm volatile("mv %0, tp" : "=r"(tp));
    return tp != (long)arg;
}

static void clone_settls(void) {
    static char area[64];

    wait_ok((int)OK(
        clone_call(CLONE_VM | CLONE_SETTLS | SIGCHLD, new_stack(), 0, area, 0, read_tp, area)));
}

static int is_sibling(void *arg) { return sys_getppid() != (long)arg; }

static void parent_cloner(void) {
    int before = (int)sys_getppid();
    int pid = (int)OK(clone_call(CLONE_VM | CLONE_PARENT | SIGCHLD, new_stack(), 0, 0, 0,
                                 is_sibling, (void *)(long)before));

    FAILS(ECHILD, sys_wait4(pid, 0, 0, 0));
}

static void clone_parent(void) {
    int count = 0;

    spawn(parent_cloner);
    for (int status; sys_wait4(-1, &status, 0, 0) > 0; count++)
        EQ(status, 0);
    EQ(count, 2);
}

static void clone_bad_flags(void) {
    FAILS(EINVAL, sys_clone(CLONE_THREAD | SIGCHLD, 0, 0, 0, 0));
    FAILS(EINVAL, sys_clone(CLONE_SIGHAND | SIGCHLD, 0, 0, 0, 0));
    FAILS(EINVAL, sys_clone(CLONE_THREAD | CLONE_SIGHAND, 0, 0, 0, 0));
    FAILS(EINVAL, sys_clone(CLONE_NEWNS | CLONE_FS | SIGCHLD, 0, 0, 0, 0));
}

static void clone3_fork(void) {
    struct clone_args args = {.exit_signal = SIGCHLD};
    long pid = sys_clone3(&args, sizeof(args));

    if (pid == -ENOSYS)
        skip("no clone3");
    if (pid == 0)
        sys_exit_group(9);
    EQ(wait_status((int)OK(pid)), W_EXITCODE(9, 0));
    FAILS(EINVAL, sys_clone3(&args, 8));
    FAILS(E2BIG, sys_clone3(&args, 1 << 20));
    args.exit_signal = 500;
    FAILS(EINVAL, sys_clone3(&args, sizeof(args)));
    args = (struct clone_args){.flags = CLONE_THREAD, .exit_signal = 0};
    FAILS(EINVAL, sys_clone3(&args, sizeof(args)));
    args = (struct clone_args){.flags = CLONE_VM, .exit_signal = SIGCHLD, .stack_size = 4096};
    FAILS(EINVAL, sys_clone3(&args, sizeof(args)));
}

static void vfork_child_first(void) {
    char *argv[] = {"true", 0};
    int64_t start = now_ms();
    int pid;

    shared_int = 0;
    pid = (int)OK(
        clone_call(CLONE_VM | CLONE_VFORK | SIGCHLD, new_stack(), 0, 0, 0, set_shared, (void *)7));
    EQ(shared_int, 7); /* it has ended before we came back */
    EQ(wait_status(pid), W_EXITCODE(5, 0));
    pid = (int)OK(vfork_exec("/bin/true", argv, environ));
    wait_ok(pid);
    pid = (int)OK(vfork_exec("/nothing", argv, environ));
    EQ(wait_status(pid), W_EXITCODE(127, 0));
    CHECK(now_ms() - start < 20000);
}

/* ---- threads */

#define THREADS 16
static uint32_t mutex;
static volatile long counter;
static int thread_words[THREADS];

static void lock(uint32_t *m) {
    uint32_t c = 0;

    if (__atomic_compare_exchange_n(m, &c, 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        return;
    while (__atomic_exchange_n(m, 2, __ATOMIC_ACQUIRE) != 0)
        sys_futex(m, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 2, 0, 0, 0);
}

static void unlock(uint32_t *m) {
    if (__atomic_exchange_n(m, 0, __ATOMIC_RELEASE) == 2)
        sys_futex(m, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, 0, 0, 0);
}

static int count_up(void *arg) {
    (void)arg;
    for (int i = 0; i < 1000; i++) {
        lock(&mutex);
        long value = counter;
        if (i % 100 == 0)
            sys_sched_yield();
        counter = value + 1;
        unlock(&mutex);
    }
    return 0;
}

static void threads_count(void) {
    for (int i = 0; i < THREADS; i++)
        OK(clone_call(THREAD | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | CLONE_PARENT_SETTID,
                      new_stack(), &thread_words[i], 0, &thread_words[i], count_up, 0));
    for (int i = 0; i < THREADS; i++)
        wait_zero(&thread_words[i]);
    EQ(counter, THREADS * 1000);
}

static int thread_ids(void *arg) {
    shared_int = sys_getpid() == (long)arg && sys_gettid() != (long)arg ? 1 : -1;
    return 0;
}

static void threads_ids(void) {
    shared_int = 0;
    OK(clone_call(THREAD | CLONE_CHILD_CLEARTID | CLONE_PARENT_SETTID, new_stack(), &tid_word, 0,
                  &tid_word, thread_ids, (void *)(long)getpid()));
    wait_zero(&tid_word);
    EQ(shared_int, 1);
    FAILS(ECHILD, sys_wait4(-1, 0, __WALL, 0));
}

static int spin_thread(void *arg) {
    (void)arg;
    spin();
    return 0;
}

static void exit_with_threads(void) {
    for (int i = 0; i < 8; i++)
        OK(clone_call(THREAD, new_stack(), 0, 0, 0, spin_thread, 0));
    sys_exit_group(3);
}

static int exit_group_thread(void *arg) {
    (void)arg;
    sys_exit_group(4);
}

static void thread_ends_process(void) {
    OK(clone_call(THREAD, new_stack(), 0, 0, 0, exit_group_thread, 0));
    sleep_long();
}

static int late_exit_thread(void *arg) {
    (void)arg;
    sleep_ms(50);
    sys_exit_group(6);
}

static void leader_exits_first(void) {
    OK(clone_call(THREAD, new_stack(), 0, 0, 0, late_exit_thread, 0));
    sys_exit(0);
}

static void threads_exit(void) {
    EQ(wait_status(spawn(exit_with_threads)), W_EXITCODE(3, 0));
    EQ(wait_status(spawn(thread_ends_process)), W_EXITCODE(4, 0));
    EQ(wait_status(spawn(leader_exits_first)), W_EXITCODE(6, 0));
}

static int end_at_once(void *arg) {
    (void)arg;
    return 0;
}

static void many_threads(void) {
    char *stack = new_stack();

    for (int i = 0; i < 1000; i++) {
        tid_word = 1;
        OK(clone_call(THREAD | CLONE_CHILD_CLEARTID | CLONE_PARENT_SETTID, stack, &tid_word, 0,
                      &tid_word, end_at_once, 0));
        wait_zero(&tid_word);
    }
}

/* ---- exit and wait */

static void exit_17(void) { sys_exit_group(17); }

static void exit_0x1234(void) { sys_exit_group(0x1234); }

static void kill_self(void) {
    sys_kill(getpid(), SIGTERM);
    sleep_long();
}

static void status_words(void) {
    EQ(wait_status(spawn(exit_17)), 17 << 8);
    EQ(wait_status(spawn(exit_0x1234)), 0x34 << 8);
    EQ(wait_status(spawn(kill_self)), SIGTERM);
    FAILS(ECHILD, sys_wait4(-1, 0, 0, 0));
    FAILS(ECHILD, sys_wait4(getpid(), 0, 0, 0));
    FAILS(EINVAL, sys_wait4(-1, 0, 0x100000, 0));
}

static void exit_minus_1(void) { sys_exit_group(-1); }

static void whole_status(void) {
    int pid = spawn(exit_0x1234), status;
    long r = sys_xv6_wait(&status);

    if (r == -ENOSYS)
        skip("not xv39");
    EQ(r, pid);
    EQ(status, 0x1234);
    pid = spawn(exit_minus_1);
    EQ(sys_xv6_wait(&status), pid);
    EQ(status, -1);
    pid = spawn(kill_self);
    EQ(sys_xv6_wait(&status), pid);
    EQ(status, -1);
    FAILS(ECHILD, sys_xv6_wait(0));
}

static void no_hang(void) {
    int pid = spawn(sleep_long), status = 7;
    struct siginfo info = {.si_pid = 9, .si_signo = 9};

    EQ(sys_wait4(pid, &status, WNOHANG, 0), 0);
    EQ(status, 7);
    EQ(sys_waitid(P_PID, pid, &info, WEXITED | WNOHANG, 0), 0);
    EQ(info.si_pid, 0);
    EQ(info.si_signo, 0);
    OK(sys_kill(pid, SIGKILL));
    EQ(wait_status(pid), SIGKILL);
}

static void waitid_fields(void) {
    struct siginfo info;
    int pid = spawn(exit_17);

    EQ(sys_waitid(P_ALL, 0, &info, WEXITED | WNOWAIT, 0), 0);
    EQ(info.si_signo, SIGCHLD);
    EQ(info.si_code, CLD_EXITED);
    EQ(info.si_status, 17);
    EQ(info.si_pid, pid);
    EQ(sys_waitid(P_PID, pid, &info, WEXITED, 0), 0);
    FAILS(ECHILD, sys_waitid(P_PID, pid, &info, WEXITED, 0));
    FAILS(EINVAL, sys_waitid(P_ALL, 0, &info, 0, 0));
    pid = spawn(kill_self);
    EQ(sys_waitid(P_PID, pid, &info, WEXITED, 0), 0);
    EQ(info.si_code, CLD_KILLED);
    EQ(info.si_status, SIGTERM);
}

static void wait_by_group(void) {
    int a = spawn(exit_17), b = spawn(sleep_long);

    OK(sys_setpgid(b, b));
    FAILS(ECHILD, sys_wait4(-a - 100000, 0, WNOHANG, 0));
    EQ(sys_wait4(-b, 0, WNOHANG, 0), 0);
    EQ(sys_wait4(0, 0, 0, 0), a);
    OK(sys_kill(-b, SIGKILL));
    EQ(sys_wait4(-b, 0, 0, 0), b);
}

static void until_orphan(int parent) {
    while (sys_getppid() == parent)
        sleep_ms(2);
}

static void make_orphan(void) {
    int me = getpid(), pid = fork();

    if (pid == 0) {
        until_orphan(me);
        sys_exit_group(sys_getppid() == shared_int ? 21 : 22);
    }
}

static void orphans_are_adopted(void) {
    int status, first = 0, others = 0, pid;

    shared_int = getpid();
    OK(sys_prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
    pid = spawn(make_orphan);
    for (long r; (r = sys_wait4(-1, &status, 0, 0)) > 0;) {
        first += r == pid && status == 0;
        others += r != pid && status == W_EXITCODE(21, 0);
    }
    EQ(first, 1);
    EQ(others, 1);
}

/* Its child is to send another signal than SIGCHLD, but only to the parent that wanted it. */
static void make_loud_orphan(void) {
    int me = getpid();

    if (OK(sys_clone(SIGUSR2, 0, 0, 0, 0)) == 0) {
        until_orphan(me);
        sys_exit_group(0);
    }
}

static void orphans_send_sigchld(void) {
    int status, n = 0;

    OK(sys_prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
    spawn(make_loud_orphan);
    while (sys_wait4(-1, &status, 0, 0) > 0)
        n += status == 0;
    EQ(n, 2);
}

static void tree(int depth) {
    int a, b;

    if (depth == 0)
        return;
    a = fork();
    if (a == 0) {
        tree(depth - 1);
        sys_exit_group(0);
    }
    b = fork();
    if (b == 0) {
        tree(depth - 1);
        sys_exit_group(0);
    }
    wait_ok((int)OK(a));
    wait_ok((int)OK(b));
}

static void fork_tree(void) { tree(6); }

static void fork_until_limit(void) {
    struct rlimit limit = {20, 20};
    int count = 0, pid;
    long r = -EAGAIN;

    OK(sys_setrlimit(RLIMIT_NPROC, &limit));
    become_user(4242);
    while (count < 100) {
        r = sys_clone(SIGCHLD, 0, 0, 0, 0);
        if (r == 0)
            sleep_long();
        if (r < 0)
            break;
        count++;
    }
    EQ(r, -EAGAIN);
    EQ(count, 19);
    sys_kill(-1, SIGKILL); /* only what this user may kill, and not ourselves */
    while ((pid = (int)sys_wait4(-1, 0, 0, 0)) > 0)
        ;
}

static void process_limit(void) {
    int pid = fork();

    if (pid == 0) {
        fork_until_limit();
        sys_exit_group(0);
    }
    wait_ok(pid);
}

/* ---- groups and sessions */

static void groups(void) {
    int me = getpid(), pid;

    EQ(sys_getsid(0), me);
    EQ(sys_getpgid(0), me);
    FAILS(EPERM, sys_setsid()); /* a group leader cannot */
    pid = spawn(sleep_long);
    EQ(sys_getpgid(pid), me);
    OK(sys_setpgid(pid, 0));
    EQ(sys_getpgid(pid), pid);
    OK(sys_setpgid(pid, me));
    FAILS(EPERM, sys_setpgid(pid, 1));
    FAILS(ESRCH, sys_setpgid(1, 1));
    FAILS(EINVAL, sys_setpgid(pid, -1));
    FAILS(EPERM, sys_setpgid(0, 0)); /* a session leader stays where it is */
    FAILS(ESRCH, sys_getpgid(999999999));
    OK(sys_kill(pid, SIGKILL));
    EQ(wait_status(pid), SIGKILL);
}

static void session_child(void) {
    int me = getpid();

    EQ(sys_setsid(), me);
    EQ(sys_getsid(0), me);
    EQ(sys_getpgid(0), me);
}

static void new_session(void) { child_ok(session_child); }

/* ---- scheduling */

static void spinners_do_not_block(void) {
    int pids[6], late = 0;

    for (size_t i = 0; i < ARRAY_LEN(pids); i++)
        pids[i] = spawn(spin);
    for (int i = 0; i < 20; i++) {
        int64_t start = now_ms();
        sleep_ms(5);
        late += now_ms() - start >= 250;
    }
    CHECK(late < 10); /* some by the host */
    for (size_t i = 0; i < ARRAY_LEN(pids); i++) {
        OK(sys_kill(pids[i], SIGKILL));
        EQ(wait_status(pids[i]), SIGKILL);
    }
}

static void yield_works(void) {
    volatile int *turn = shared_page();
    uint64_t mask = 1;
    int pid;

    sys_sched_setaffinity(0, sizeof(mask), &mask); /* one hart, so that only yielding helps */
    pid = fork();
    for (int i = 0; i < 200; i++) {
        while (*turn % 2 != (pid == 0))
            OK(sys_sched_yield());
        ++*turn;
    }
    if (pid == 0)
        sys_exit_group(0);
    wait_ok(pid);
    EQ(*turn, 400);
}

static void affinity(void) {
    uint64_t all = 0, one, mask = 0, none = 0;
    unsigned cpu, node;
    long size = OK(sys_sched_getaffinity(0, sizeof(all), &all));

    CHECK(size >= 8 && all);
    for (int i = 0; i < 64; i++) {
        one = 1UL << i;
        if (!(all & one))
            continue;
        OK(sys_sched_setaffinity(0, sizeof(one), &one));
        OK(sys_getcpu(&cpu, &node, 0));
        EQ(cpu, i);
        OK(sys_sched_getaffinity(0, sizeof(mask), &mask));
        EQ(mask, one);
    }
    FAILS(EINVAL, sys_sched_setaffinity(0, sizeof(none), &none));
    FAILS(ESRCH, sys_sched_setaffinity(999999999, sizeof(all), &all));
    FAILS(EINVAL, sys_sched_getaffinity(0, 3, &mask));
}

static void nice_values(void) {
    EQ(sys_getpriority(PRIO_PROCESS, 0), 20);
    OK(sys_setpriority(PRIO_PROCESS, 0, 7));
    EQ(sys_getpriority(PRIO_PROCESS, 0), 13);
    OK(sys_setpriority(PRIO_PROCESS, 0, 100));
    EQ(sys_getpriority(PRIO_PROCESS, 0), 1);
    OK(sys_setpriority(PRIO_PROCESS, 0, -100));
    EQ(sys_getpriority(PRIO_PROCESS, 0), 40);
    FAILS(EINVAL, sys_getpriority(9, 0));
    FAILS(ESRCH, sys_getpriority(PRIO_PROCESS, 999999999));
    OK(sys_setpriority(PRIO_PROCESS, 0, 5));
    become_user(1000);
    FAILS(EACCES, sys_setpriority(PRIO_PROCESS, 0, 0));
    OK(sys_setpriority(PRIO_PROCESS, 0, 6));
}

static void ping_pong(void) {
    int to[2], from[2], pid;
    char c = 'x';

    OK(sys_pipe2(to, 0));
    OK(sys_pipe2(from, 0));
    pid = fork();
    for (int i = 0; i < 2000; i++) {
        if (pid == 0) {
            EQ(sys_read(to[0], &c, 1), 1);
            EQ(sys_write(from[1], &c, 1), 1);
        } else {
            EQ(sys_write(to[1], &c, 1), 1);
            EQ(sys_read(from[0], &c, 1), 1);
        }
    }
    if (pid == 0)
        sys_exit_group(0);
    wait_ok(pid);
}

const struct test task_tests[] = {
    {"T1_fork_returns", fork_returns, 0},
    {"T1_pids_differ", pids_differ, 0},
    {"T1_process_limit", process_limit, 0},
    {"T2_states", states, 0},
    {"T3_clone_vm", clone_vm, 0},
    {"T3_clone_files", clone_files, 0},
    {"T3_clone_fs", clone_fs, 0},
    {"T3_clone_sighand", clone_sighand, 0},
    {"T3_clone_tid_words", clone_tid_words, 0},
    {"T3_clone_settls", clone_settls, 0},
    {"T3_clone_parent", clone_parent, 0},
    {"T3_clone_bad_flags", clone_bad_flags, 0},
    {"T3_clone3", clone3_fork, 0},
    {"T4_threads_count", threads_count, 0},
    {"T4_threads_ids", threads_ids, 0},
    {"T4_threads_exit", threads_exit, 0},
    {"T4_many_threads", many_threads, 0},
    {"T5_vfork_child_first", vfork_child_first, 0},
    {"T8_status_words", status_words, 0},
    {"T8_whole_status", whole_status, 0},
    {"T8_no_hang", no_hang, 0},
    {"T8_waitid_fields", waitid_fields, 0},
    {"T8_wait_by_group", wait_by_group, 0},
    {"T8_orphans_are_adopted", orphans_are_adopted, 0},
    {"T8_orphans_send_sigchld", orphans_send_sigchld, 0},
    {"T8_fork_tree", fork_tree, 0},
    {"T10_groups", groups, 0},
    {"T10_new_session", new_session, 0},
    {"S1_spinners_do_not_block", spinners_do_not_block, 0},
    {"S7_nice_values", nice_values, 0},
    {"S8_affinity", affinity, 0},
    {"S11_ping_pong", ping_pong, 0},
    {"S12_yield", yield_works, 0},
    {0, 0, 0},
};
