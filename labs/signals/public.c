/* Lab signals: the tests that come with the handout, beside usertests' T10_*. */
#include "user/labtest/lab.h"
#include "user/usertests/ut.h"

static volatile int hits, value;

static void note(int sig, struct siginfo *info, void *context) {
    (void)context;
    EQ(sig, INFO_SIGNAL);
    value = info->si_value.sival_int;
    hits++;
}

static void set_mask(sigset_t mask) { OK(sys_rt_sigprocmask(SIG_SETMASK, &mask, 0, 8)); }

static void ask(int with) {
    struct siginfo info = {.si_signo = INFO_SIGNAL, .si_code = SI_QUEUE};

    info.si_value.sival_int = with;
    OK(sys_rt_sigqueueinfo(getpid(), INFO_SIGNAL, &info));
}

/* Sent to who takes it at once, and to who has blocked it for a while. */
static void no_harm(void) {
    sigset_t pending;

    OK(sys_kill(getpid(), INFO_SIGNAL));
    ask(1);
    set_mask(SIGMASK(INFO_SIGNAL));
    ask(2);
    OK(sys_rt_sigpending(&pending, 8));
    EQ(pending, SIGMASK(INFO_SIGNAL));
    set_mask(0);
    OK(sys_rt_sigpending(&pending, 8));
    EQ(pending, 0);
}

static void its_neighbour(void) { OK(sys_kill(getpid(), INFO_SIGNAL + 1)); }

static void info_signal(void) {
    struct sigaction act = {.sa_sigaction = note, .sa_flags = SA_SIGINFO};

    child_ok(no_harm);
    EQ(child_signal(its_neighbour), INFO_SIGNAL + 1);
    OK(sys_rt_sigaction(INFO_SIGNAL, &act, 0, 8));
    ask(3);
    EQ(hits, 1);
    EQ(value, 3);
    set_mask(SIGMASK(INFO_SIGNAL));
    for (int i = 4; i < 8; i++)
        ask(i);
    EQ(hits, 1);
    set_mask(0);
    EQ(hits, 2);
    EQ(value, 4);
}

const struct test public_tests[] = {
    {"info_signal", info_signal, 0},
    {0, 0, 0},
};
