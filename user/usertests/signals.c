/* Signals: dispositions, masks, queues, frames, stacks, restarts, faults. */
#include "user/usertests/ut.h"
#include "abi/resource.h"

static volatile int hits, last_sig;
static struct siginfo last_info;
static struct ucontext last_context;
static volatile char order[32];

static void count_hit(int sig) {
    hits++;
    last_sig = sig;
}

static void keep_info(int sig, struct siginfo *info, void *context) {
    hits++;
    last_sig = sig;
    last_info = *info;
    last_context = *(struct ucontext *)context;
}

static void on_info(int sig, uint64_t flags) {
    struct sigaction act = {.sa_sigaction = keep_info, .sa_flags = SA_SIGINFO | flags};

    OK(sys_rt_sigaction(sig, &act, 0, 8));
}

static void set_mask(sigset_t mask) { OK(sys_rt_sigprocmask(SIG_SETMASK, &mask, 0, 8)); }

static void raise(int sig) { OK(sys_tgkill(getpid(), (int)sys_gettid(), sig)); }

static void handler_runs(void) {
    on_signal(SIGUSR1, count_hit, 0);
    for (int i = 1; i <= 100; i++) {
        raise(SIGUSR1);
        EQ(hits, i);
    }
    EQ(last_sig, SIGUSR1);
    OK(sys_kill(getpid(), 0));
    FAILS(ESRCH, sys_kill(999999999, 0));
    FAILS(ESRCH, sys_kill(-0x7fffffff - 1, 0)); /* which has no positive counterpart */
    FAILS(EINVAL, sys_kill(getpid(), 65));
    FAILS(EINVAL, sys_kill(getpid(), -1));
    FAILS(ESRCH, sys_tgkill(getpid(), 1, SIGUSR1));
    FAILS(EINVAL, sys_tgkill(0, 1, SIGUSR1));
}

static void defaults_child_ignore(void) {
    raise(SIGCHLD);
    raise(SIGURG);
    raise(SIGWINCH);
    raise(SIGCONT);
    on_signal(SIGTERM, SIG_IGN, 0);
    raise(SIGTERM);
}

static int fatal;

static void raise_fatal(void) { raise(fatal); }

static void default_actions(void) {
    static const int killing[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGILL,  SIGTRAP, SIGABRT,
                                  SIGBUS,  SIGFPE,  SIGKILL, SIGUSR1, SIGSEGV, SIGUSR2,
                                  SIGPIPE, SIGALRM, SIGTERM, SIGXCPU, SIGXFSZ, SIGVTALRM,
                                  SIGPROF, SIGIO,   SIGPWR,  SIGSYS,  34,      64};

    child_ok(defaults_child_ignore);
    for (size_t i = 0; i < ARRAY_LEN(killing); i++) {
        fatal = killing[i];
        EQ(child_signal(raise_fatal), fatal);
    }
}

static void uncatchable(void) {
    struct sigaction act = {.sa_handler = count_hit};
    sigset_t mask = ~0UL, now;

    FAILS(EINVAL, sys_rt_sigaction(SIGKILL, &act, 0, 8));
    FAILS(EINVAL, sys_rt_sigaction(SIGSTOP, &act, 0, 8));
    FAILS(EINVAL, sys_rt_sigaction(0, &act, 0, 8));
    FAILS(EINVAL, sys_rt_sigaction(65, &act, 0, 8));
    FAILS(EINVAL, sys_rt_sigaction(SIGUSR1, &act, 0, 4));
    OK(sys_rt_sigprocmask(SIG_SETMASK, &mask, 0, 8));
    OK(sys_rt_sigprocmask(SIG_BLOCK, 0, &now, 8));
    EQ(now, ~(SIGMASK(SIGKILL) | SIGMASK(SIGSTOP)));
    FAILS(EINVAL, sys_rt_sigprocmask(9, &mask, 0, 8));
    fatal = SIGKILL;
    EQ(child_signal(raise_fatal), SIGKILL);
}

static void masks_and_pending(void) {
    sigset_t pending, usr1 = SIGMASK(SIGUSR1);

    on_signal(SIGUSR1, count_hit, 0);
    OK(sys_rt_sigprocmask(SIG_BLOCK, &usr1, 0, 8));
    for (int i = 0; i < 5; i++)
        raise(SIGUSR1);
    EQ(hits, 0);
    OK(sys_rt_sigpending(&pending, 8));
    EQ(pending, usr1);
    OK(sys_rt_sigprocmask(SIG_UNBLOCK, &usr1, 0, 8));
    EQ(hits, 1); /* an ordinary signal is pending once */
    OK(sys_rt_sigpending(&pending, 8));
    EQ(pending, 0);
    OK(sys_rt_sigprocmask(SIG_BLOCK, &usr1, 0, 8));
    raise(SIGUSR1);
    on_signal(SIGUSR1, SIG_IGN, 0); /* ignoring drops what is pending */
    OK(sys_rt_sigpending(&pending, 8));
    EQ(pending, 0);
}

static void pending_not_inherited_child(void) {
    sigset_t pending, mask;

    OK(sys_rt_sigpending(&pending, 8));
    EQ(pending, 0);
    OK(sys_rt_sigprocmask(SIG_BLOCK, 0, &mask, 8));
    EQ(mask, SIGMASK(SIGUSR2));
}

static void fork_and_signals(void) {
    set_mask(SIGMASK(SIGUSR2));
    raise(SIGUSR2);
    child_ok(pending_not_inherited_child);
}

static void info_of_kill(void) {
    on_info(SIGUSR1, 0);
    OK(sys_kill(getpid(), SIGUSR1));
    EQ(hits, 1);
    EQ(last_info.si_signo, SIGUSR1);
    EQ(last_info.si_code, SI_USER);
    EQ(last_info.si_pid, getpid());
    EQ(last_info.si_uid, sys_getuid());
    raise(SIGUSR1);
    EQ(last_info.si_code, SI_TKILL);
}

static void queue_value(int sig, int value) {
    struct siginfo info = {.si_signo = sig, .si_code = SI_QUEUE};

    info.si_pid = getpid();
    info.si_value.sival_int = value;
    OK(sys_rt_sigqueueinfo(getpid(), sig, &info));
}

static void note_order(int sig, struct siginfo *info, void *context) {
    (void)context;
    if (hits < (int)sizeof(order))
        order[hits] = (char)((sig - SIGRTMIN) * 10 + info->si_value.sival_int);
    hits++;
}

static void real_time_order(void) {
    struct sigaction act = {.sa_sigaction = note_order, .sa_flags = SA_SIGINFO, .sa_mask = ~0UL};

    OK(sys_rt_sigaction(SIGRTMIN + 3, &act, 0, 8));
    OK(sys_rt_sigaction(SIGRTMIN + 4, &act, 0, 8));
    set_mask(~0UL);
    for (int i = 0; i < 3; i++) {
        queue_value(SIGRTMIN + 4, i);
        queue_value(SIGRTMIN + 3, i);
    }
    set_mask(0);
    EQ(hits, 6); /* each is queued; the lower number first, in order */
    for (int i = 0; i < 6; i++)
        EQ(order[i], (i < 3 ? 30 : 40) + i % 3);
}

static void forged_info(void) {
    struct siginfo info = {.si_signo = SIGUSR1, .si_code = SI_USER};

    FAILS(EPERM, sys_rt_sigqueueinfo((int)sys_getppid(), SIGUSR1, &info));
}

static void queue_limit(void) {
    struct rlimit limit = {10, 10};
    struct siginfo info = {.si_signo = SIGRTMIN, .si_code = SI_QUEUE};
    int n = 0;

    OK(sys_setrlimit(RLIMIT_SIGPENDING, &limit));
    become_user(4243);
    set_mask(~0UL);
    while (n < 50 && sys_rt_sigqueueinfo(getpid(), SIGRTMIN, &info) == 0)
        n++;
    EQ(n, 10);
    FAILS(EAGAIN, sys_rt_sigqueueinfo(getpid(), SIGRTMIN, &info));
    OK(sys_kill(getpid(), SIGUSR1)); /* ordinary ones come through */
}

static int queue_to_self(int most) {
    struct siginfo info = {.si_signo = SIGRTMIN, .si_code = SI_QUEUE};
    int n = 0;

    set_mask(~0UL);
    while (n < most && sys_rt_sigqueueinfo(getpid(), SIGRTMIN, &info) == 0)
        n++;
    return n;
}

static long sig_q(int pid) {
    char path[32];

    snprintf(path, sizeof(path), "/proc/%d/status", pid);
    return proc_number(path, "SigQ:");
}

static void queue_six(void) {
    struct rlimit limit = {10, 10};

    OK(sys_setrlimit(RLIMIT_SIGPENDING, &limit));
    become_user(4244);
    EQ(queue_to_self(6), 6);
    sleep_long();
}

static void queue_the_rest(void) {
    struct siginfo info = {.si_signo = SIGUSR1, .si_code = SI_QUEUE};
    struct rlimit limit = {10, 10};
    int me = getpid();

    OK(sys_setrlimit(RLIMIT_SIGPENDING, &limit));
    become_user(4244);
    EQ(queue_to_self(50), 4);
    EQ(sig_q(me), 10);
    FAILS(EAGAIN, sys_rt_sigqueueinfo(me, SIGRTMIN + 1, &info));
    FAILS(EAGAIN, sys_tgkill(me, me, SIGRTMIN + 1));
    OK(sys_kill(me, SIGRTMIN + 1)); /* kill() has come through each time, its siginfo has not */
    OK(sys_rt_sigqueueinfo(me, SIGUSR1, &info));
    EQ(sig_q(me), 10);
    OK(sys_kill(me, SIGUSR2)); /* one of each standard signal is queued beyond the limit */
    EQ(sig_q(me), 11);
    sigset_t rt = SIGMASK(SIGRTMIN + 1);
    memset(&info, 0xee, sizeof(info));
    EQ(sys_rt_sigtimedwait(&rt, &info, &(struct timespec){0, 0}, 8), SIGRTMIN + 1);
    EQ(info.si_pid, 0);
    EQ(sys_rt_sigtimedwait(&rt, &info, &(struct timespec){0, 0}, 8), -EAGAIN);
}

/* The limit is the user's, not the process's. */
static void queue_limit_of_user(void) {
    int first = spawn(queue_six), middle;

    for (int tries = 0; sig_q(first) != 6; tries++) {
        CHECK(tries < 5000);
        sleep_ms(2);
    }
    child_ok(queue_the_rest);
    EQ(sig_q(first), 6); /* what the dead one had queued is given back */
    middle = fork();
    if (middle == 0) { /* root's are counted apart, and go along when the user changes */
        EQ(queue_to_self(3), 3);
        become_user(4244);
        EQ(sig_q(getpid()), 9);
        sys_exit_group(0);
    }
    wait_ok(middle);
    EQ(sig_q(first), 6);
    kill_child(first);
}

static char alt_stack[16384];
static volatile bool was_on_alt;

static void note_stack(int sig) {
    char here;
    stack_t now;

    (void)sig;
    hits++;
    OK(sys_sigaltstack(0, &now));
    was_on_alt =
        &here >= alt_stack && &here < alt_stack + sizeof(alt_stack) && now.ss_flags & SS_ONSTACK;
    if (was_on_alt)
        FAILS(EPERM, sys_sigaltstack(&now, 0));
}

static void alternate_stack(void) {
    stack_t new = {.ss_sp = alt_stack, .ss_size = sizeof(alt_stack)}, old;

    OK(sys_sigaltstack(0, &old));
    EQ(old.ss_flags, SS_DISABLE);
    OK(sys_sigaltstack(&new, 0));
    on_signal(SIGUSR1, note_stack, SA_ONSTACK);
    on_signal(SIGUSR2, note_stack, 0);
    raise(SIGUSR1);
    CHECK(was_on_alt);
    raise(SIGUSR2);
    CHECK(!was_on_alt);
    new.ss_size = 100;
    FAILS(ENOMEM, sys_sigaltstack(&new, 0));
    new.ss_flags = 77;
    FAILS(EINVAL, sys_sigaltstack(&new, 0));
}

static int deep(int n) {
    volatile char frame[1024];

    frame[0] = (char)n;
    return n > 1000000 ? frame[0] : deep(n + 1) + frame[0];
}

static void exit_42(int sig) {
    (void)sig;
    sys_exit_group(42);
}

static void overflow_child(void) {
    stack_t new = {.ss_sp = alt_stack, .ss_size = sizeof(alt_stack)};

    OK(sys_sigaltstack(&new, 0));
    on_signal(SIGSEGV, exit_42, SA_ONSTACK);
    deep(0);
}

static void overflow_killed_child(void) {
    on_signal(SIGSEGV, exit_42, 0);
    deep(0);
}

static void stack_overflow(void) {
    EQ(wait_status(spawn(overflow_child)), W_EXITCODE(42, 0));
    EQ(child_signal(overflow_killed_child), SIGSEGV); /* no room for the frame */
}

static int fds[2];

/* The signal comes when the parent sleeps, the byte when it sleeps again. */
static void signal_then_write(void) {
    int parent = (int)sys_getppid();

    until_asleep(parent);
    sleep_ms(30);
    OK(sys_kill(parent, SIGUSR1));
    until_asleep(parent);
    EQ(sys_write(fds[1], "x", 1), 1);
}

static void restarts(void) {
    char c;
    int pid;

    OK(sys_pipe2(fds, 0));
    on_signal(SIGUSR1, count_hit, SA_RESTART);
    pid = spawn(signal_then_write);
    EQ(sys_read(fds[0], &c, 1), 1);
    EQ(hits, 1);
    wait_ok(pid);
    on_signal(SIGUSR1, count_hit, 0);
    pid = spawn(signal_then_write);
    FAILS(EINTR, sys_read(fds[0], &c, 1));
    EQ(hits, 2);
    wait_ok(pid);
    on_signal(SIGUSR1, SIG_IGN, 0); /* what is ignored interrupts nothing */
    EQ(sys_read(fds[0], &c, 1), 1);
    pid = spawn(signal_then_write);
    EQ(sys_read(fds[0], &c, 1), 1);
    wait_ok(pid);
}

static void sleeps_are_interrupted(void) {
    struct timespec t = {10, 0}, left = {0, 0};
    int64_t start, slept;
    int pid;

    OK(sys_pipe2(fds, 0));
    on_signal(SIGUSR1, count_hit, SA_RESTART);
    pid = spawn(signal_then_write);
    start = now_ms();
    FAILS(EINTR, sys_nanosleep(&t, &left));
    slept = 10000 - left.tv_sec * 1000 - left.tv_nsec / 1000000;
    CHECK(slept >= 30 && slept <= now_ms() - start + 2);
    wait_ok(pid);
}

static volatile int *continued;

/* Sleeps, and again, until it has been stopped and continued. */
static void sleep_200(void) {
    do {
        int64_t start = now_ms();
        sleep_ms(200);
        CHECK(now_ms() - start >= 200);
    } while (!*continued);
}

static void stop_and_continue(void) {
    int pid, status;
    struct siginfo info;

    continued = shared_page();
    pid = spawn(sleep_200);
    until_asleep(pid);
    OK(sys_kill(pid, SIGSTOP));
    EQ(sys_waitid(P_PID, pid, &info, WSTOPPED, 0), 0);
    EQ(info.si_code, CLD_STOPPED);
    EQ(info.si_status, SIGSTOP);
    EQ(sys_wait4(pid, &status, WNOHANG, 0), 0);
    sleep_ms(50);
    OK(sys_kill(pid, SIGCONT));
    EQ(sys_waitid(P_PID, pid, &info, WCONTINUED, 0), 0);
    EQ(info.si_code, CLD_CONTINUED);
    *continued = 1;
    EQ(wait_status(pid), 0);
}

static void stop_while_spinning_child(void) {
    for (;;)
        asm volatile("");
}

static void stopped_can_be_killed(void) {
    int pid = spawn(stop_while_spinning_child), status;

    OK(sys_kill(pid,
                SIGTSTP)); /* our group is an orphan: nobody could wake it, so it does not stop */
    sleep_ms(20);
    EQ(sys_wait4(pid, &status, WUNTRACED | WNOHANG, 0), 0);
    OK(sys_setpgid(pid, pid));
    OK(sys_kill(pid, SIGTSTP));
    EQ(sys_wait4(pid, &status, WUNTRACED, 0), pid);
    EQ(WSTOPSIG(status), SIGTSTP);
    OK(sys_kill(pid, SIGKILL));
    EQ(wait_status(pid), SIGKILL);
}

static void child_signals(void) {
    sigset_t chld = SIGMASK(SIGCHLD);
    int pid;

    on_info(SIGCHLD, 0);
    OK(sys_rt_sigprocmask(SIG_BLOCK, &chld, 0, 8));
    fatal = SIGTERM;
    pid = spawn(raise_fatal);
    EQ(wait_status(pid), SIGTERM);
    OK(sys_rt_sigprocmask(SIG_UNBLOCK, &chld, 0, 8));
    EQ(hits, 1);
    EQ(last_info.si_pid, pid);
    EQ(last_info.si_code, CLD_KILLED);
    EQ(last_info.si_status, SIGTERM);
    on_signal(SIGCHLD, SIG_IGN, 0); /* children vanish unasked */
    pid = spawn(raise_fatal);
    FAILS(ECHILD, sys_wait4(pid, 0, 0, 0));
}

static void write_to_nobody(void) {
    char c = 'x';

    OK(sys_pipe2(fds, 0));
    OK(sys_close(fds[0]));
    sys_write(fds[1], &c, 1);
}

static void broken_pipe(void) {
    EQ(child_signal(write_to_nobody), SIGPIPE);
    on_signal(SIGPIPE, SIG_IGN, 0);
    OK(sys_pipe2(fds, 0));
    OK(sys_close(fds[0]));
    FAILS(EPIPE, sys_write(fds[1], "x", 1));
}

static void raise_again(int sig) {
    hits++;
    if (hits < 3)
        raise(sig);
    last_sig = hits; /* how many were begun when this one ends */
}

static void nodefer_and_resethand(void) {
    struct sigaction act;

    on_signal(SIGUSR1, raise_again, SA_NODEFER);
    raise(SIGUSR1);
    EQ(hits, 3);
    on_signal(SIGUSR2, count_hit, SA_RESETHAND);
    raise(SIGUSR2);
    OK(sys_rt_sigaction(SIGUSR2, 0, &act, 8));
    CHECK(act.sa_handler == SIG_DFL);
}

static void mask_in_handler(int sig) {
    sigset_t mask;

    (void)sig;
    OK(sys_rt_sigprocmask(SIG_BLOCK, 0, &mask, 8));
    hits = mask == (SIGMASK(SIGUSR1) | SIGMASK(SIGTERM) | SIGMASK(SIGHUP));
}

static void handler_mask(void) {
    struct sigaction act = {.sa_handler = mask_in_handler, .sa_mask = SIGMASK(SIGTERM)};
    sigset_t mask;

    OK(sys_rt_sigaction(SIGUSR1, &act, 0, 8));
    set_mask(SIGMASK(SIGHUP));
    raise(SIGUSR1);
    EQ(hits, 1);
    OK(sys_rt_sigprocmask(SIG_BLOCK, 0, &mask, 8));
    EQ(mask, SIGMASK(SIGHUP));
}

static void suspend(void) {
    sigset_t all = ~0UL, none = 0, mask;
    int pid;

    OK(sys_pipe2(fds, 0));
    on_signal(SIGUSR1, count_hit, 0);
    set_mask(all);
    pid = spawn(signal_then_write);
    FAILS(EINTR, sys_rt_sigsuspend(&none, 8));
    EQ(hits, 1);
    OK(sys_rt_sigprocmask(SIG_BLOCK, 0, &mask, 8));
    EQ(mask, ~(SIGMASK(SIGKILL) | SIGMASK(SIGSTOP)));
    wait_ok(pid);
}

static void timed_wait(void) {
    sigset_t set = SIGMASK(SIGUSR1) | SIGMASK(SIGUSR2);
    struct timespec soon = {0, 20000000}, zero = {0, 0};
    struct siginfo info;
    int pid;

    set_mask(set);
    FAILS(EAGAIN, sys_rt_sigtimedwait(&set, &info, &zero, 8));
    FAILS(EAGAIN, sys_rt_sigtimedwait(&set, &info, &soon, 8));
    raise(SIGUSR2);
    EQ(sys_rt_sigtimedwait(&set, &info, 0, 8), SIGUSR2);
    EQ(info.si_signo, SIGUSR2);
    OK(sys_pipe2(fds, 0));
    pid = spawn(signal_then_write);
    EQ(sys_rt_sigtimedwait(&set, &info, 0, 8), SIGUSR1);
    EQ(info.si_pid, pid);
    EQ(hits, 0);
    wait_ok(pid);
}

/* ---- the frame */

static void change_registers(int sig, struct siginfo *info, void *context) {
    struct ucontext *uc = context;

    (void)sig;
    (void)info;
    hits++;
    CHECK(((uint64_t)uc & 15) == 0);
    uc->uc_mcontext.sc_regs.s2 = 0x5555;
    uc->uc_mcontext.sc_regs.pc += 2; /* over the two bytes of c.ebreak */
    uc->uc_sigmask |= SIGMASK(SIGUSR2);
}

static void frame_can_be_changed(void) {
    struct sigaction act = {.sa_sigaction = change_registers, .sa_flags = SA_SIGINFO};
    register long s2 asm("s2") = 1;
    sigset_t mask;

    OK(sys_rt_sigaction(SIGTRAP, &act, 0, 8));
    asm volatile("c.ebreak" : "+r"(s2));
    EQ(s2, 0x5555);
    EQ(hits, 1);
    OK(sys_rt_sigprocmask(SIG_BLOCK, 0, &mask, 8));
    EQ(mask, SIGMASK(SIGUSR2));
}

static void spoil_fp(int sig) {
    (void)sig;
    hits++;
    asm volatile("fmv.d.x fs0, zero; fmv.d.x ft0, zero; fmv.d.x fa0, zero" ::: "memory");
    asm volatile("fsflags zero");
}

static void fp_survives_signals(void) {
    uint64_t in = 0x3ff8000000000000UL, s, t, a, flags;
    int me = getpid();

    on_signal(SIGUSR1, spoil_fp, 0);
    register long a0 asm("a0") = me;
    register long a1 asm("a1") = SIGUSR1;
    register long a7 asm("a7") = 129;
    asm volatile("fmv.d.x fs0, %[in]; fmv.d.x ft0, %[in]; fmv.d.x fa0, %[in]; fsflagsi 1; ecall; "
                 "fmv.x.d %[s], fs0;"
                 "fmv.x.d %[t], ft0; fmv.x.d %[a], fa0; frflags %[f]"
                 : [s] "=&r"(s), [t] "=&r"(t), [a] "=&r"(a), [f] "=&r"(flags), "+r"(a0)
                 : [in] "r"(in), "r"(a1), "r"(a7)
                 : "memory", "fs0", "ft0", "fa0");
    EQ(hits, 1);
    EQ(s, in);
    EQ(t, in);
    EQ(a, in);
    EQ(flags, 1);
}

static void change_fp(int sig, struct siginfo *info, void *context) {
    struct riscv_d_state *fp = &((struct ucontext *)context)->uc_mcontext.sc_fpregs.d;

    (void)info;
    hits += fp->f[8] == 0x1234 && fp->f[31] == 0x31 && fp->fcsr == 3;
    spoil_fp(sig);
    fp->f[8] = 0x4321;
    fp->fcsr = 5;
}

/* The frame lies on pages that were never touched. */
static void fp_in_the_frame(void) {
    struct sigaction act = {.sa_sigaction = change_fp, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    struct sigaltstack stack = {.ss_size = 65536 + 512};
    uint64_t fs0 = 0x1234, ft11 = 0x31, fcsr = 3;

    stack.ss_sp =
        (void *)sys_mmap(0, 128 << 10, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    OK((long)stack.ss_sp);
    OK(sys_sigaltstack(&stack, 0));
    OK(sys_rt_sigaction(SIGUSR1, &act, 0, 8));
    register long a0 asm("a0") = getpid();
    register long a1 asm("a1") = SIGUSR1;
    register long a7 asm("a7") = 129;
    asm volatile("fmv.d.x fs0, %[s]; fmv.d.x ft11, %[t]; fscsr %[c]; ecall;"
                 "fmv.x.d %[s], fs0; fmv.x.d %[t], ft11; frcsr %[c]"
                 : [s] "+r"(fs0), [t] "+r"(ft11), [c] "+r"(fcsr), "+r"(a0)
                 : "r"(a1), "r"(a7)
                 : "memory", "fs0", "ft11");
    EQ(hits, 2);
    EQ(fs0, 0x4321);
    EQ(ft11, 0x31);
    EQ(fcsr, 5);
}

static void fp_worker(void) {
    uint64_t in = (uint64_t)getpid() << 32 | 0x12345, out;

    for (int i = 0; i < 300; i++) {
        asm volatile("fmv.d.x fs5, %1\n" : : "r"(0), "r"(in) : "fs5");
        sys_sched_yield();
        asm volatile("fmv.x.d %0, fs5" : "=r"(out));
        if (out != in)
            fail_at(HERE, "another task's register: 0x%lx", out);
        asm volatile("fmv.d.x fs5, %1\n" : : "r"(0), "r"(in) : "fs5");
        for (volatile int j = 0; j < 3000; j++)
            ;
        asm volatile("fmv.x.d %0, fs5" : "=r"(out));
        EQ(out, in);
    }
}

static void fp_between_tasks(void) {
    int pids[6];

    for (int i = 0; i < 6; i++)
        pids[i] = spawn(fp_worker);
    for (int i = 0; i < 6; i++)
        wait_ok(pids[i]);
}

static void bad_return_child(void) {
    sys_rt_sigreturn(); /* no frame here: whatever it finds, the kernel must live */
    sys_exit_group(0);
}

static void bad_stack_return(void) { asm volatile("li sp, 8; li a7, 139; ecall" ::: "memory"); }

static void bad_sigreturn(void) {
    int status = wait_status(spawn(bad_return_child));

    CHECK(WIFSIGNALED(status) || WIFEXITED(status));
    EQ(child_signal(bad_stack_return), SIGSEGV);
}

/* ---- faults */

static volatile uint64_t bad_address;

static void read_bad(void) { (void)*(volatile char *)bad_address; }

static void write_bad(void) { *(volatile char *)bad_address = 1; }

static void jump_bad(void) { ((void (*)(void))bad_address)(); }

static void fault_addresses(void) {
    static const uint64_t bad[] = {0,
                                   8,
                                   0x80000000UL,
                                   0x3fffffe000UL,
                                   0x3ffffff000UL,
                                   0x4000000000UL,
                                   0xffffffc000000000UL,
                                   0xffffffff80200000UL,
                                   ~0UL,
                                   0xeaeb0b5b00002f5eUL};

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (bad[i] >> 14 == 0x3fffffe000UL >> 14 && !on_xv39())
            continue; /* Linux may have a stack there */
        bad_address = bad[i];
        EQ(child_signal(read_bad), SIGSEGV);
        EQ(child_signal(write_bad), SIGSEGV);
        if (!(bad[i] & 1))
            EQ(child_signal(jump_bad), SIGSEGV);
    }
    bad_address = (uint64_t)read_bad; /* text is not for writing */
    EQ(child_signal(write_bad), SIGSEGV);
    bad_address = (uint64_t)alt_stack; /* nor data for running */
    EQ(child_signal(jump_bad), SIGSEGV);
}

static void illegal(void) { asm volatile(".half 0, 0"); }

static void privileged(void) { asm volatile("csrr t0, sstatus" ::: "t0"); }

static void breakpoint(void) { asm volatile("ebreak"); }

static void bad_instructions(void) {
    EQ(child_signal(illegal), SIGILL);
    EQ(child_signal(privileged), SIGILL);
    EQ(child_signal(breakpoint), SIGTRAP);
}

static void skip_access(int sig, struct siginfo *info, void *context) {
    struct ucontext *uc = context;

    hits++;
    last_sig = sig;
    last_info = *info;
    uc->uc_mcontext.sc_regs.pc += 4;
}

static void fault_info(void) {
    struct sigaction act = {.sa_sigaction = skip_access, .sa_flags = SA_SIGINFO};
    char *page = map_pages(1, PROT_READ);
    char *hole = unmapped_page();

    OK(sys_rt_sigaction(SIGSEGV, &act, 0, 8));
    asm volatile(".option push; .option norvc; sb zero, 5(%0); .option pop" ::"r"(page) : "memory");
    EQ(hits, 1);
    EQ(last_info.si_code, SEGV_ACCERR);
    EQ(last_info.si_addr - (void *)page, 5);
    if (hole == page)
        return;
    asm volatile(".option push; .option norvc; lb t0, 9(%0); .option pop" ::"r"(hole)
                 : "memory", "t0");
    EQ(hits, 2);
    EQ(last_info.si_code, SEGV_MAPERR);
    EQ(last_info.si_addr - (void *)hole, 9);
}

static void blocked_fault(void) {
    set_mask(SIGMASK(SIGSEGV));
    on_signal(SIGSEGV, exit_42, 0);
    bad_address = 0;
    read_bad();
}

static void blocked_fault_kills(void) { EQ(child_signal(blocked_fault), SIGSEGV); }

/* ---- who may */

static void other_user(void) {
    become_user(1234);
    FAILS(EPERM, sys_kill(bad_address, 0));
    FAILS(EPERM, sys_kill((int)bad_address, SIGTERM));
    FAILS(EPERM, sys_kill(1, 0));
}

static void wait_killed(void) { sleep_ms(60000); }

static void permission(void) {
    int pid = spawn(wait_killed);

    bad_address = (uint64_t)pid;
    child_ok(other_user);
    OK(sys_kill(pid, SIGKILL));
    EQ(wait_status(pid), SIGKILL);
}

static void group_kill(void) {
    int pids[4], group = 0;

    for (int i = 0; i < 4; i++) {
        pids[i] = spawn(wait_killed);
        OK(sys_setpgid(pids[i], group));
        group = pids[0];
    }
    OK(sys_kill(-group, SIGTERM));
    for (int i = 0; i < 4; i++)
        EQ(wait_status(pids[i]), SIGTERM);
    FAILS(ESRCH, sys_kill(-group, 0));
}

/* ---- alarms */

static void alarm_once(void) {
    struct itimerval t = {.it_value = {0, 30000}}, left;
    int64_t start = now_ms();

    on_signal(SIGALRM, count_hit, 0);
    OK(sys_setitimer(ITIMER_REAL, &t, 0));
    OK(sys_getitimer(ITIMER_REAL, &left));
    CHECK(left.it_value.tv_sec == 0 && left.it_value.tv_usec <= 30000 + 10000);
    while (!hits)
        CHECK(comes_still(hits));
    EQ(hits, 1);
    CHECK(now_ms() - start >= 29);
    OK(sys_getitimer(ITIMER_REAL, &left));
    EQ(left.it_value.tv_usec, 0);
    FAILS(EINVAL, sys_setitimer(9, &t, 0));
    t.it_value.tv_usec = 1000000;
    FAILS(EINVAL, sys_setitimer(ITIMER_REAL, &t, 0));
}

static void alarm_period(void) {
    struct itimerval t = {{0, 10000}, {0, 10000}}, off = {{0, 0}, {0, 0}}, old;
    int64_t start = now_ms();

    on_signal(SIGALRM, count_hit, 0);
    OK(sys_setitimer(ITIMER_REAL, &t, 0));
    while (hits < 10) {
        OK(sys_getitimer(ITIMER_REAL, &old));
        CHECK(old.it_value.tv_usec > 0); /* 0 would say that it is not set */
        CHECK(comes_still(hits));
    }
    OK(sys_setitimer(ITIMER_REAL, &off, &old));
    CHECK(now_ms() - start >= 95);
    EQ(old.it_interval.tv_usec, 10000);
}

/* Times that no clock will ever reach: they are far away, not past. */
static void alarm_far_away(void) {
    struct itimerval far = {{0, 0}, {INT64_MAX, 999999}}, left;
    struct itimerval once = {{INT64_MAX, 999999}, {0, 1}};

    for (int which = ITIMER_REAL; which <= ITIMER_PROF; which++) {
        int sig = which == ITIMER_REAL ? SIGALRM : which == ITIMER_VIRTUAL ? SIGVTALRM : SIGPROF;
        hits = 0;
        on_signal(sig, count_hit, 0);
        OK(sys_setitimer(which, &far, 0));
        OK(sys_getitimer(which, &left));
        CHECK(left.it_value.tv_sec > 1000000000);
        EQ(hits, 0);
        OK(sys_setitimer(which, &once, 0));
        while (!hits)
            CHECK(comes_still(hits));
        EQ(hits, 1);
        OK(sys_getitimer(which, &left));
        CHECK(left.it_value.tv_sec > 1000000000);
    }
}

static void alarm_kills(void) {
    struct itimerval t = {.it_value = {0, 10000}};

    OK(sys_setitimer(ITIMER_REAL, &t, 0));
    while (comes_still(hits))
        ;
}

static void no_alarm_in_child(void) {
    struct itimerval left;

    OK(sys_getitimer(ITIMER_REAL, &left));
    EQ(left.it_value.tv_sec, 0);
}

static void alarm_and_fork(void) {
    struct itimerval t = {.it_value = {100, 0}};

    EQ(child_signal(alarm_kills), SIGALRM);
    OK(sys_setitimer(ITIMER_REAL, &t, 0));
    child_ok(no_alarm_in_child);
}

/* The classic lab: a handler each n ticks of CPU time, and the program undisturbed. */
static void alarm_virtual(void) {
    struct itimerval t = {{0, 20000}, {0, 20000}};
    volatile long sum = 0;

    on_signal(SIGVTALRM, count_hit, 0);
    OK(sys_setitimer(ITIMER_VIRTUAL, &t, 0));
    while (hits < 5) {
        for (long i = 0; i < 100000; i++)
            sum += i;
        CHECK(comes_still(hits));
    }
}

static void signal_storm(void) {
    int pid = getpid(), child;

    on_signal(SIGUSR1, count_hit, SA_RESTART);
    child = fork();
    for (int i = 0; i < 2000; i++) {
        if (child == 0)
            OK(sys_kill(pid, SIGUSR1));
        else
            EQ(sys_getpid(), pid);
    }
    if (child == 0)
        sys_exit_group(0);
    wait_ok(child);
    CHECK(hits > 0);
}

/* registers.S */
long hold_registers(volatile int *count, long until);
void spoil_registers(int sig);
void count_alarm(int sig);

void count_alarm(int sig) {
    (void)sig;
    hits++;
}

static void alarm_keeps_registers(void) {
    struct itimerval t = {{0, 1000}, {0, 1000}};

    on_signal(SIGALRM, count_hit, 0);
    OK(sys_setitimer(ITIMER_REAL, &t, 0));
    while (hits < 3)
        CHECK(comes_still(hits));
    on_signal(SIGALRM, spoil_registers, 0);
    EQ(hold_registers(&hits, hits + 200), 0);
}

const struct test signal_tests[] = {
    {"T10_handler_runs", handler_runs, 0},
    {"T10_default_actions", default_actions, 0},
    {"T10_uncatchable", uncatchable, 0},
    {"T10_masks_and_pending", masks_and_pending, 0},
    {"T10_fork_and_signals", fork_and_signals, 0},
    {"T10_info_of_kill", info_of_kill, 0},
    {"T10_real_time_order", real_time_order, 0},
    {"T10_forged_info", forged_info, 0},
    {"T10_queue_limit", queue_limit, 0},
    {"T10_queue_limit_of_user", queue_limit_of_user, 0},
    {"T10_alternate_stack", alternate_stack, 0},
    {"T10_stack_overflow", stack_overflow, 0},
    {"T10_restarts", restarts, 0},
    {"T10_sleeps_are_interrupted", sleeps_are_interrupted, 0},
    {"T10_stop_and_continue", stop_and_continue, 0},
    {"T10_stopped_can_be_killed", stopped_can_be_killed, 0},
    {"T10_child_signals", child_signals, 0},
    {"T10_broken_pipe", broken_pipe, 0},
    {"T10_nodefer_and_resethand", nodefer_and_resethand, 0},
    {"T10_handler_mask", handler_mask, 0},
    {"T10_suspend", suspend, 0},
    {"T10_timed_wait", timed_wait, 0},
    {"T10_frame_can_be_changed", frame_can_be_changed, 0},
    {"T10_fp_survives_signals", fp_survives_signals, 0},
    {"T10_fp_in_the_frame", fp_in_the_frame, 0},
    {"T10_fp_between_tasks", fp_between_tasks, 0},
    {"T10_bad_sigreturn", bad_sigreturn, 0},
    {"T10_fault_info", fault_info, 0},
    {"T10_blocked_fault_kills", blocked_fault_kills, 0},
    {"T10_permission", permission, 0},
    {"T10_group_kill", group_kill, 0},
    {"T10_signal_storm", signal_storm, 0},
    {"T11_alarm_once", alarm_once, 0},
    {"T11_alarm_period", alarm_period, 0},
    {"T11_alarm_far_away", alarm_far_away, 0},
    {"T11_alarm_and_fork", alarm_and_fork, 0},
    {"T11_alarm_virtual", alarm_virtual, 0},
    {"T11_alarm_keeps_registers", alarm_keeps_registers, 0},
    {"T13_fault_addresses", fault_addresses, 0},
    {"T13_bad_instructions", bad_instructions, 0},
    {0, 0, 0},
};
