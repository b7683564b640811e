/* prctl(2), operation by operation. */
#include "user/usertests/ut.h"
#include "abi/prctl.h"

static long prctl(int op, uint64_t a) { return sys_prctl(op, a, 0, 0, 0); }

static void name(void) {
    char text[32] = {0};

    OK(prctl(PR_SET_NAME, (uint64_t) "a name that is too long"));
    OK(prctl(PR_GET_NAME, (uint64_t)text));
    CHECK(strcmp(text, "a name that is ") == 0);
    CHECK(read_file("/proc/self/comm", text, sizeof(text)) > 0);
    CHECK(strncmp(text, "a name that is \n", 16) == 0);
    FAILS(EFAULT, prctl(PR_SET_NAME, (uint64_t)unmapped_page()));
    FAILS(EFAULT, prctl(PR_GET_NAME, (uint64_t)unmapped_page()));
}

static volatile int *shared;
static void note(int sig) { *shared = sig; }

static void wants_to_know(void) {
    on_signal(SIGUSR1, note, 0);
    OK(prctl(PR_SET_PDEATHSIG, SIGUSR1));
    shared[1] = getpid();
    while (!*shared)
        sleep_ms(2);
}

static void parent_who_dies(void) {
    spawn(wants_to_know);
    while (!shared[1])
        sleep_ms(2);
}

static void no_death_signal(void) {
    int sig = 9;

    OK(prctl(PR_GET_PDEATHSIG, (uint64_t)&sig));
    EQ(sig, 0);
}

static void parent_death_signal(void) {
    int sig = 9;

    shared = shared_page();
    OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
    child_ok(parent_who_dies);
    EQ(wait_status(shared[1]), 0);
    EQ(*shared, SIGUSR1);
    FAILS(EINVAL, prctl(PR_SET_PDEATHSIG, 65));
    OK(prctl(PR_SET_PDEATHSIG, SIGHUP));
    OK(prctl(PR_GET_PDEATHSIG, (uint64_t)&sig));
    EQ(sig, SIGHUP);
    child_ok(no_death_signal); /* fork does not inherit it */
    become_user(1000);         /* and it goes with a change of the user */
    no_death_signal();
}

static void is_not_dumpable(void) { EQ(prctl(PR_GET_DUMPABLE, 0), 0); }

static void dumpable(void) {
    char path[40], text[64];
    int pid;

    EQ(prctl(PR_GET_DUMPABLE, 0), 1);
    FAILS(EINVAL, prctl(PR_SET_DUMPABLE, 2));
    OK(prctl(PR_SET_DUMPABLE, 0));
    child_ok(is_not_dumpable);
    OK(prctl(PR_SET_DUMPABLE, 1));
    become_user(1000);
    is_not_dumpable();
    pid = spawn(sleep_long); /* of the same user, but closed */
    snprintf(path, sizeof(path), "/proc/%d/environ", pid);
    FAILS(EACCES, read_file(path, text, sizeof(text)));
    OK(sys_kill(pid, SIGKILL));
    wait_status(pid);
}

static void exec_makes_dumpable(void) {
    char *argv[] = {"usertests", "--child", "dumpable", 0};

    become_user(1000);
    EQ(wait_status((int)OK(vfork_exec(self_path, argv, environ))), 0);
}

static void keep_caps(void) {
    EQ(prctl(PR_GET_KEEPCAPS, 0), 0);
    OK(prctl(PR_SET_KEEPCAPS, 1));
    EQ(prctl(PR_GET_KEEPCAPS, 0), 1);
    OK(prctl(PR_SET_KEEPCAPS, 0));
    EQ(prctl(PR_GET_KEEPCAPS, 0), 0);
    FAILS(EINVAL, prctl(PR_SET_KEEPCAPS, 2));
}

static void has_no_new_privs(void) { EQ(prctl(PR_GET_NO_NEW_PRIVS, 0), 1); }

static void no_new_privs(void) {
    EQ(prctl(PR_GET_NO_NEW_PRIVS, 0), 0);
    FAILS(EINVAL, prctl(PR_SET_NO_NEW_PRIVS, 0));
    FAILS(EINVAL, sys_prctl(PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0));
    FAILS(EINVAL, sys_prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 1, 0));
    OK(prctl(PR_SET_NO_NEW_PRIVS, 1));
    child_ok(has_no_new_privs);
    EQ(proc_number("/proc/self/status", "NoNewPrivs:"), 1);
}

static void timer_slack(void) {
    long usual = OK(prctl(PR_GET_TIMERSLACK, 0));

    EQ(usual, 50000);
    OK(prctl(PR_SET_TIMERSLACK, 12345));
    EQ(prctl(PR_GET_TIMERSLACK, 0), 12345);
    OK(prctl(PR_SET_TIMERSLACK, 0));
    EQ(prctl(PR_GET_TIMERSLACK, 0), usual);
}

static void others(void) {
    int *word = 0, here = 0;

    OK(sys_set_tid_address(&here));
    OK(prctl(PR_GET_TID_ADDRESS, (uint64_t)&word));
    CHECK(word == &here);
    EQ(prctl(PR_GET_TIMING, 0), 0);
    OK(prctl(PR_SET_TIMING, 0));
    FAILS(EINVAL, prctl(PR_SET_TIMING, 1));
    EQ(prctl(PR_CAPBSET_READ, 0), 1);
    FAILS(EINVAL, prctl(PR_CAPBSET_READ, 41));
    EQ(sys_prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 1, 0, 0), 0);
    OK(sys_prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
    EQ(prctl(PR_GET_SECUREBITS, 0), 0);
    EQ(prctl(PR_GET_SECCOMP, 0), 0);
    FAILS(EINVAL, prctl(9999, 0));
}

const struct test prctl_tests[] = {
    {"T8_prctl_name", name, 0},
    {"T8_prctl_parent_death_signal", parent_death_signal, 0},
    {"T8_prctl_dumpable", dumpable, 0},
    {"T8_prctl_exec_makes_dumpable", exec_makes_dumpable, 0},
    {"T8_prctl_keep_caps", keep_caps, 0},
    {"T8_prctl_no_new_privs", no_new_privs, 0},
    {"T8_prctl_timer_slack", timer_slack, 0},
    {"T8_prctl_others", others, 0},
    {0, 0, 0},
};
