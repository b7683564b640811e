/* Why a signal came: si_code and what belongs to it, sigaction(2). And the rest of credentials(7), of states, of clone(2):
 * what is shared and what is told. */
#include "user/usertests/ut.h"
#include "abi/sched.h"
#include "user/lib/thread.h"

static volatile int hits;
static struct siginfo last;
static uint64_t last_pc;

/* Goes on behind the instruction, of four bytes, if that was the reason. */
static void note(int sig, struct siginfo *info, void *context) {
    struct ucontext *uc = context;

    hits++;
    last = *info;
    last_pc = uc->uc_mcontext.sc_regs.pc;
    if (sig == SIGILL || sig == SIGTRAP || sig == SIGBUS || sig == SIGSEGV)
        uc->uc_mcontext.sc_regs.pc += 4;
}

static void catch_signal(int sig, uint64_t flags) {
    struct sigaction act = {.sa_sigaction = note, .sa_flags = SA_SIGINFO | flags};

    OK(sys_rt_sigaction(sig, &act, 0, 8));
    hits = 0;
}

static void wait_hits(int n) {
    int64_t end = now_ms() + 20000;

    while (hits < n && now_ms() < end)
        sleep_ms(1);
    EQ(hits, n);
}

static void of_programs(void) {
    struct siginfo info = {.si_signo = SIGUSR2, .si_code = SI_QUEUE};

    catch_signal(SIGUSR2, 0);
    info.si_pid = getpid();
    info.si_uid = 77;
    info.si_value.sival_int = -5;
    OK(sys_rt_sigqueueinfo(getpid(), SIGUSR2, &info));
    EQ(hits, 1);
    EQ(last.si_code, SI_QUEUE);
    EQ(last.si_pid, getpid());
    EQ(last.si_uid, 77);
    EQ(last.si_value.sival_int, -5);
    info.si_code = SI_ASYNCIO; /* any code that is not the kernel's */
    OK(sys_rt_tgsigqueueinfo(getpid(), (int)sys_gettid(), SIGUSR2, &info));
    EQ(last.si_code, SI_ASYNCIO);
}

static void of_the_kernel(void) {
    struct itimerval t = {.it_value = {0, 1000}};

    catch_signal(SIGALRM, 0);
    OK(sys_setitimer(ITIMER_REAL, &t, 0));
    wait_hits(1);
    EQ(last.si_code, SI_KERNEL);
    EQ(last.si_pid, 0);
}

static void of_calls(void) {
    int fds[2];

    catch_signal(SIGPIPE, 0);
    OK(sys_pipe2(fds, 0));
    OK(sys_close(fds[0]));
    FAILS(EPIPE, sys_write(fds[1], "x", 1));
    EQ(last.si_code, SI_USER);
    EQ(last.si_pid, getpid());
}

static void *breaks_a_pipe(void *arg) {
    uint64_t mask = SIGMASK(SIGPIPE), pending;
    int fds[2];

    (void)arg;
    OK(sys_rt_sigprocmask(SIG_BLOCK, &mask, 0, 8));
    OK(sys_pipe2(fds, 0));
    OK(sys_close(fds[0]));
    FAILS(EPIPE, sys_write(fds[1], "x", 1));
    OK(sys_rt_sigpending(&pending, 8));
    EQ(pending, mask);
    return 0;
}

/* The thread that wrote gets it, though another one would take it. */
static void of_calls_of_threads(void) {
    struct thread *t;

    catch_signal(SIGPIPE, 0);
    OK(thread_create(&t, breaks_a_pipe, 0));
    thread_join(t);
    EQ(hits, 0);
}

#define WIDE(instruction) ".option push; .option norvc; " instruction "; .option pop"

static void of_instructions(void) {
    catch_signal(SIGILL, 0);
    catch_signal(SIGTRAP, 0);
    asm volatile(".half 0, 0");
    EQ(hits, 1);
    EQ(last.si_code, ILL_ILLOPC);
    EQ(last.si_addr, last_pc);
    asm volatile(WIDE("csrr t0, sstatus")::: "t0");
    EQ(hits, 2);
    EQ(last.si_signo, SIGILL);
    asm volatile(WIDE("ebreak"));
    EQ(hits, 3);
    EQ(last.si_signo, SIGTRAP);
    EQ(last.si_code, TRAP_BRKPT);
    EQ(last.si_addr, last_pc);
}

static void of_addresses(void) {
    static uint32_t words[2];
    int fd = (int)OK(open_at("short", O_RDWR | O_CREAT, 0644));
    char *beyond = (char *)words + 1, *page;

    catch_signal(SIGBUS, 0);
    asm volatile(WIDE("amoadd.w zero, zero, (%0)")::"r"(beyond) : "memory");
    EQ(hits, 1);
    EQ(last.si_code, BUS_ADRALN);
    EQ(last.si_addr, beyond);
    OK(sys_ftruncate(fd, 10));
    page = (char *)OK(sys_mmap(0, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    EQ(page[20], 0);
    asm volatile(WIDE("sb zero, 3(%0)")::"r"(page + PAGE) : "memory");
    EQ(hits, 2);
    EQ(last.si_code, BUS_ADRERR);
    EQ(last.si_addr, page + PAGE + 3);
}

static void exit_9(void) { sys_exit_group(9); }

static void expect_child(int n, int pid, int code, int status) {
    wait_hits(n);
    EQ(last.si_signo, SIGCHLD);
    EQ(last.si_pid, pid);
    EQ(last.si_code, code);
    EQ(last.si_status, status);
}

static void of_children(void) {
    int pid;

    catch_signal(SIGCHLD, 0);
    pid = spawn(exit_9);
    expect_child(1, pid, CLD_EXITED, 9);
    pid = spawn(sleep_long);
    OK(sys_kill(pid, SIGSTOP));
    expect_child(2, pid, CLD_STOPPED, SIGSTOP);
    OK(sys_kill(pid, SIGCONT));
    expect_child(3, pid, CLD_CONTINUED, SIGCONT);
    OK(sys_kill(pid, SIGSEGV));
    expect_child(4, pid, CLD_KILLED, SIGSEGV);
    EQ(wait_status(pid), SIGSEGV);
}

static void only_ends(void) {
    int pid;

    catch_signal(SIGCHLD, SA_NOCLDSTOP);
    pid = spawn(sleep_long);
    OK(sys_kill(pid, SIGSTOP));
    OK(sys_waitid(P_PID, pid, 0, WSTOPPED, 0));
    OK(sys_kill(pid, SIGCONT));
    OK(sys_waitid(P_PID, pid, 0, WCONTINUED, 0));
    sleep_ms(20);
    EQ(hits, 0);
    OK(sys_kill(pid, SIGKILL));
    expect_child(1, pid, CLD_KILLED, SIGKILL);
}

/* No zombies, but signals; a wait lasts until the last child is gone. */
static void no_zombies(void) {
    int pid;

    catch_signal(SIGCHLD, SA_NOCLDWAIT | SA_RESTART);
    pid = spawn(exit_9);
    FAILS(ECHILD, sys_wait4(-1, 0, 0, 0));
    EQ(hits, 1);
    EQ(last.si_pid, pid);
    FAILS(ESRCH, sys_kill(pid, 0));
}

/* Not for ever, so that the case ends where no signal comes. */
static long long_pause(void) { return sys_ppoll(0, 0, &(struct timespec){10, 0}, 0, 8); }

/* A handler ends a pause, whether it has SA_RESTART or not; what is ignored does not. Alarms come again and again, for the first may
 * come before the pause. */
static void pauses(void) {
    struct itimerval t = {{0, 20000}, {0, 20000}};
    int64_t start = now_ms();

    for (int i = 0; i < 2; i++) {
        catch_signal(SIGALRM, i ? SA_RESTART : 0);
        OK(sys_setitimer(ITIMER_REAL, &t, 0));
        FAILS(EINTR, long_pause());
        CHECK(hits >= 1);
    }
    on_signal(SIGUSR1, SIG_IGN, 0);
    spawn(nothing); /* SIGCHLD */
    OK(sys_kill(getpid(), SIGUSR1));
    OK(sys_setitimer(ITIMER_REAL, &t, 0));
    FAILS(EINTR, long_pause());
    CHECK(now_ms() - start >= 60);
}

/* ---- tasks */

/* It may run before its parent has fallen asleep. */
static int looks_at_parent(void *arg) {
    for (int tries = 0; proc_state((int)(long)arg) != 'D'; tries++) {
        if (tries == 2000)
            return 1;
        sleep_ms(1);
    }
    return 0;
}

static int ends(void *arg) { return (int)(long)arg; }

static void vfork_waits(void) {
    wait_ok((int)OK(clone_call(CLONE_VM | CLONE_VFORK | SIGCHLD, new_stack(), 0, 0, 0,
                               looks_at_parent, (void *)(long)getpid())));
    EQ(proc_state(getpid()), 'R');
}

static volatile long interrupted;

static int waits_for_alarm(void *leader) {
    struct itimerval t = {{0, 20000}, {0, 20000}}, off = {{0, 0}, {0, 0}};

    if (looks_at_parent(leader))
        return 1;
    sys_setitimer(ITIMER_REAL, &t, 0);
    interrupted = long_pause();
    sys_setitimer(ITIMER_REAL, &off, 0);
    return 0;
}

/* While the leader waits in vfork, another thread takes what is sent to the process. */
static void vfork_leaves_signals(void) {
    catch_signal(SIGALRM, 0);
    OK(clone_call(THREAD | CLONE_VFORK, new_stack(), 0, 0, 0, waits_for_alarm,
                  (void *)(long)getpid()));
    EQ(interrupted, -EINTR);
}

/* Without CLONE_VM each word is written where it is said to be: in the parent's memory, or in the child's. */
static void tid_words_of_fork(void) {
    static volatile int parent_word, child_word;
    int pid = (int)OK(sys_clone(CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, 0,
                                (int *)&parent_word, 0, (int *)&child_word));

    if (pid == 0)
        sys_exit_group(child_word != getpid());
    EQ(parent_word, pid);
    EQ(child_word, 0);
    wait_ok(pid);
}

/* The word of a process that shares our memory is cleared when it ends, and waiters are woken. */
static void cleared_by_process(void) {
    static volatile int word = 1;
    int pid = (int)OK(clone_call(CLONE_VM | CLONE_CHILD_CLEARTID | SIGCHLD, new_stack(), 0, 0,
                                 (int *)&word, ends, 0));

    wait_ok(pid);
    EQ(word, 0);
}

/* ---- users */

static void ids_are(uint32_t real, uint32_t effective, uint32_t saved) {
    uint32_t r, e, s;

    OK(sys_getresuid(&r, &e, &s));
    CHECK(r == real && e == effective && s == saved);
    OK(sys_getresgid(&r, &e, &s));
    CHECK(r == real && e == effective && s == saved);
}

#define SAME ((uint32_t)-1)

static void drop_and_return(void) {
    OK(sys_setresgid(500, 600, 700));
    OK(sys_setresuid(500, 600, 700)); /* no longer root, though the saved one is kept */
    ids_are(500, 600, 700);
    OK(sys_setgid(700));
    OK(sys_setuid(700)); /* of a user: only the effective one */
    ids_are(500, 700, 700);
    OK(sys_setregid(700, 500));
    OK(sys_setreuid(700, 500)); /* the real one was set: the saved one follows the effective one */
    ids_are(700, 500, 500);
    FAILS(EPERM, sys_setreuid(SAME, 600));
    FAILS(EPERM, sys_setresgid(SAME, SAME, 600));
    FAILS(EPERM, sys_setuid(600));
    ids_are(700, 500, 500);
}

static void root_drops_all(void) {
    OK(sys_setgid(800));
    OK(sys_setuid(800)); /* of root: all three */
    ids_are(800, 800, 800);
    FAILS(EPERM, sys_setuid(0));
}

static void real_effective_saved(void) {
    child_ok(drop_and_return);
    child_ok(root_drops_all);
}

/* The ids that files are checked with follow the effective ones, unless they are set alone. */
static void file_ids(void) {
    put_file("secret", "x");
    OK(sys_fchmodat(AT_FDCWD, "secret", 0600));
    EQ(sys_setfsgid(900), 0);
    EQ(sys_setfsuid(900), 0);
    EQ(sys_setfsuid(SAME), 900); /* asks */
    FAILS(EACCES, open_at("secret", O_RDONLY, 0));
    put_file("mine", "x");
    EQ(stat_of("mine").st_uid, 900);
    EQ(stat_of("mine").st_gid, 900);
    EQ(sys_geteuid(), 0);
    OK(sys_setresuid(SAME, 0, SAME)); /* takes it along */
    EQ(sys_setfsuid(SAME), 0);
    OK(open_at("secret", O_RDONLY, 0));
    become_user(900);
    EQ(sys_setfsuid(1), 900); /* not allowed, and says nothing of it */
    EQ(sys_setfsuid(SAME), 900);
}

static void groups_inherited(void) {
    uint32_t list[3] = {0};

    EQ(sys_getgroups(3, list), 3);
    CHECK(list[0] == 5 && list[1] == 6 && list[2] == 7);
}

static void group_lists(void) {
    uint32_t list[3] = {5, 6, 7};

    OK(sys_setgroups(3, list));
    EQ(sys_getgroups(0, 0), 3);
    FAILS(EINVAL, sys_getgroups(2, list));
    FAILS(EINVAL, sys_getgroups(-1, list));
    FAILS(EINVAL, sys_setgroups(65537, list));
    FAILS(EFAULT, sys_setgroups(3, unmapped_page()));
    FAILS(EFAULT, sys_getgroups(3, unmapped_page()));
    child_ok(groups_inherited);
    OK(sys_setuid(1000));
    groups_inherited();
    FAILS(EPERM, sys_setgroups(0, 0));
}

const struct test code_tests[] = {
    {"T10_code_of_programs", of_programs, 0},
    {"T10_code_of_the_kernel", of_the_kernel, 0},
    {"T10_code_of_calls", of_calls, 0},
    {"T10_code_of_calls_of_threads", of_calls_of_threads, 0},
    {"T10_code_of_instructions", of_instructions, 0},
    {"T10_code_of_addresses", of_addresses, 0},
    {"T10_code_of_children", of_children, 0},
    {"T10_only_ends_of_children", only_ends, 0},
    {"T10_no_zombies", no_zombies, 0},
    {"T10_pause", pauses, 0},
    {"T2_vfork_waits", vfork_waits, 0},
    {"T2_vfork_leaves_signals", vfork_leaves_signals, 0},
    {"T3_clone_tid_words_of_fork", tid_words_of_fork, 0},
    {"T3_clone_cleartid_of_process", cleared_by_process, 0},
    {"T8_ids_real_effective_saved", real_effective_saved, 0},
    {"T8_ids_of_files", file_ids, 0},
    {"T8_groups", group_lists, 0},
    {0, 0, 0},
};
