/* Lab signals: the tests that the handout does not have. */
#include "user/labtest/lab.h"
#include "user/usertests/ut.h"
#include "user/lib/thread.h"
#include "abi/futex.h"
#include "abi/poll.h"

static volatile int *hits; /* shared */

static void count(int sig) {
    (void)sig;
    ++*hits;
}

static void set_mask(sigset_t mask) { OK(sys_rt_sigprocmask(SIG_SETMASK, &mask, 0, 8)); }

static sigset_t pending(void) {
    sigset_t set;

    OK(sys_rt_sigpending(&set, 8));
    return set;
}

/* It comes within two seconds, or not at all. */
static bool soon(int64_t since) { return now_ms() - since < 2000 * cases_patience; }

static void wait_hits(int n) {
    for (int64_t start = now_ms(); *hits < n; sleep_ms(1))
        CHECK(soon(start));
    EQ(*hits, n);
}

static void ends_soon(int pid) {
    int64_t start = now_ms();
    int status;

    while (OK(sys_wait4(pid, &status, WNOHANG, 0)) == 0) {
        CHECK(soon(start));
        sleep_ms(1);
    }
    if (status)
        fail_at("child", "ended with status 0x%x", status);
}

/* ---- against a model: what is pending, and in which order handlers run */

#define KINDS 7
#define MOST 10 /* pending of one kind */

static const int signals[KINDS] = {SIGUSR1,      SIGUSR2,      SIGTERM,    FIRST_RT,
                                   FIRST_RT + 3, FIRST_RT + 7, INFO_SIGNAL};
static struct { int count, value[MOST]; } model[KINDS];
static int wanted[KINDS * MOST], nr_wanted, seen;
static uint64_t state;

static int draw(int below) {
    state = state * 6364136223846793005ul + 1442695040888963407ul;
    return (int)((state >> 33) % (uint64_t)below);
}

static void check_value(int sig, struct siginfo *info, void *context) {
    (void)context;
    CHECK(seen < nr_wanted);
    EQ(sig, wanted[seen] >> 24);
    EQ(info->si_value.sival_int, wanted[seen] & 0xffffff);
    seen++;
}

static void queue(int kind, int value) {
    struct siginfo info = {.si_signo = signals[kind], .si_code = SI_QUEUE};
    bool real_time = signals[kind] >= SIGRTMIN && signals[kind] != INFO_SIGNAL;

    if (model[kind].count == MOST)
        return;
    if (real_time || model[kind].count == 0)
        model[kind].value[model[kind].count++] = value;
    info.si_value.sival_int = value;
    OK(sys_rt_sigqueueinfo(getpid(), info.si_signo, &info));
}

/* What leaves the model with this mask: lower numbers first, equal ones in order. */
static void expect(sigset_t mask) {
    nr_wanted = seen = 0;
    for (int kind = 0; kind < KINDS; kind++) {
        if (mask & SIGMASK(signals[kind]))
            continue;
        for (int i = 0; i < model[kind].count; i++)
            wanted[nr_wanted++] = signals[kind] << 24 | model[kind].value[i];
    }
}

static sigset_t model_pending(sigset_t mask) {
    sigset_t left = 0;

    for (int kind = 0; kind < KINDS; kind++) {
        if (!(mask & SIGMASK(signals[kind])))
            model[kind].count = 0;
        else if (model[kind].count)
            left |= SIGMASK(signals[kind]);
    }
    return left;
}

static void like_the_model(void) {
    struct sigaction act = {.sa_sigaction = check_value, .sa_flags = SA_SIGINFO, .sa_mask = ~0ul};

    state = seed * 2 + 1;
    for (int i = 0; i < KINDS; i++)
        OK(sys_rt_sigaction(signals[i], &act, 0, 8));
    for (int step = 0; step < STEPS; step++) {
        sigset_t mask = 0;
        for (int i = 0; i < 4; i++)
            mask = mask << 16 | (uint64_t)draw(1 << 16);
        nr_wanted = seen = 0;
        set_mask(~0ul);
        for (int n = draw(6); n > 0; n--)
            queue(draw(KINDS), draw(1 << 20));
        expect(mask);
        set_mask(mask);
        EQ(seen, nr_wanted);
        EQ(pending(), model_pending(mask));
    }
}

/* ---- which calls are begun again after a handler */

static int fds[2];
static volatile uint32_t *word;

static void until_readable(uint64_t flags) {
    struct pollfd p = {fds[0], POLLIN, 0};
    long r = sys_ppoll(&p, 1, 0, 0, 8);

    (void)flags;
    EQ(r, -EINTR);
}

static void reads(uint64_t flags) {
    char c;
    long r = sys_read(fds[0], &c, 1);

    EQ(r, flags & SA_RESTART ? 1 : -EINTR);
}

static void waits_on_a_word(uint64_t flags) {
    long r = sys_futex((uint32_t *)word, FUTEX_WAIT, 0, 0, 0, 0);

    EQ(r, flags & SA_RESTART ? 0 : -EINTR);
}

static void waits_for_a_signal(uint64_t flags) {
    sigset_t mask = 0;

    (void)flags;
    FAILS(EINTR, sys_rt_sigsuspend(&mask, 8));
}

static void sleeps(uint64_t flags) {
    struct timespec t = {1000, 0}, left = {0, 0};

    (void)flags;
    FAILS(EINTR, sys_nanosleep(&t, &left));
    CHECK(left.tv_sec > 0 && left.tv_sec <= 1000);
}

static const struct {
    void (*call)(uint64_t flags);
    bool restarts;
} calls[] = {
    {reads, true},       {waits_on_a_word, true},     {sleeps, false},
    {until_readable, 0}, {waits_for_a_signal, false},
};

static int interrupted(int i, uint64_t flags) {
    int pid = fork();

    if (OK(pid) == 0) {
        on_signal(SIGUSR1, count, flags);
        calls[i].call(flags);
        sys_exit_group(0);
    }
    until_asleep(pid);
    return pid;
}

static void release(int i) {
    if (calls[i].call == reads)
        OK(sys_write(fds[1], "x", 1));
    else
        EQ(sys_futex((uint32_t *)word, FUTEX_WAKE, 1, 0, 0, 0), 1);
}

static void look_at(int i, uint64_t flags) {
    int pid = interrupted(i, flags);

    *hits = 0;
    OK(sys_kill(pid, SIGUSR1));
    wait_hits(1);
    if (calls[i].restarts && flags & SA_RESTART) {
        until_asleep(pid);
        release(i);
    }
    ends_soon(pid);
    EQ(*hits, 1);
}

/* Without a handler there is nothing that a call would have to end for. */
static void stopped_in_between(int i) {
    int pid = interrupted(i, SA_RESTART), status;

    OK(sys_kill(pid, SIGSTOP));
    EQ(sys_wait4(pid, &status, WUNTRACED, 0), pid);
    OK(sys_kill(pid, SIGCONT));
    until_asleep(pid);
    release(i);
    ends_soon(pid);
}

static void what_restarts(void) {
    hits = shared_page();
    word = (volatile uint32_t *)hits + 16;
    OK(sys_pipe2(fds, 0));
    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        look_at((int)i, SA_RESTART);
        look_at((int)i, 0);
    }
    stopped_in_between(0);
    stopped_in_between(1);
}

/* ---- threads */

static volatile int taken_by, go;

static void note_thread(int sig) {
    (void)sig;
    taken_by = (int)sys_gettid();
    ++*hits;
}

static volatile int other_tid;

static void *takes_them(void *unused) {
    set_mask(0);
    other_tid = (int)sys_gettid();
    while (!go)
        sleep_ms(1);
    set_mask(~0ul);
    go = 2;
    while (go != 3)
        sleep_ms(1);
    set_mask(0); /* what has waited since then comes now */
    return unused;
}

static void some_thread_takes_it(void) {
    struct thread *t;

    hits = shared_page();
    on_signal(SIGUSR1, note_thread, 0);
    set_mask(~0ul);
    OK(thread_create(&t, takes_them, 0));
    while (!other_tid)
        sleep_ms(1);
    OK(sys_kill(getpid(), SIGUSR1)); /* we block it, the other one does not */
    wait_hits(1);
    EQ(taken_by, other_tid);
    OK(sys_tgkill(getpid(), getpid(), SIGUSR1)); /* ours alone */
    sleep_ms(5);
    EQ(*hits, 1);
    EQ(pending(), SIGMASK(SIGUSR1));
    set_mask(0);
    EQ(*hits, 2);
    EQ(taken_by, getpid());
    set_mask(~0ul);
    go = 1;
    while (go != 2)
        sleep_ms(1);
    OK(sys_kill(getpid(), SIGUSR1)); /* nobody wants it */
    EQ(pending(), SIGMASK(SIGUSR1));
    go = 3;
    wait_hits(3);
    EQ(taken_by, other_tid);
    thread_join(t);
    EQ(pending(), 0);
}

/* ---- default actions, late */

static int fatal;

static void blocked_and_fatal(void) {
    set_mask(~0ul);
    OK(sys_kill(getpid(), fatal));
    EQ(pending(), SIGMASK(fatal));
    ++*hits;
    set_mask(0);
    fail_at("default", "still here after signal %d", fatal);
}

static void default_after_blocked(void) {
    static const int harmless[] = {SIGCHLD, SIGURG, SIGWINCH, SIGCONT};
    static const int deadly[] = {SIGTERM, SIGUSR1, SIGALRM, SIGABRT, FIRST_RT};

    hits = shared_page();
    set_mask(~0ul);
    for (size_t i = 0; i < ARRAY_LEN(harmless); i++)
        OK(sys_kill(getpid(), harmless[i]));
    set_mask(0);
    EQ(pending(), 0);
    for (size_t i = 0; i < ARRAY_LEN(deadly); i++) {
        fatal = deadly[i];
        EQ(child_signal(blocked_and_fatal), fatal);
        EQ(*hits, i + 1); /* it has lived as long as it was blocked */
    }
}

const struct test hidden_tests[] = {
    {"like_the_model", like_the_model, 0},
    {"what_restarts", what_restarts, 0},
    {"some_thread_takes_it", some_thread_takes_it, 0},
    {"default_after_blocked", default_after_blocked, 0},
    {0, 0, 0},
};
