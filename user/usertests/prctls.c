/* prctl(2), operation by operation. */
#include "user/usertests/ut.h"
#include "abi/capability.h"
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

static void begins_with_ours(void) {
    EQ(prctl(PR_GET_TIMERSLACK, 0), 12345);
    OK(prctl(PR_SET_TIMERSLACK, 7));
    OK(prctl(PR_SET_TIMERSLACK, 0));
    EQ(prctl(PR_GET_TIMERSLACK, 0), 12345);
}

static void timer_slack(void) {
    long usual = OK(prctl(PR_GET_TIMERSLACK, 0));

    EQ(usual, 50000);
    OK(prctl(PR_SET_TIMERSLACK, 12345));
    EQ(prctl(PR_GET_TIMERSLACK, 0), 12345);
    child_ok(begins_with_ours);
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
    EQ(prctl(PR_GET_SECUREBITS, 0), 0);
    EQ(prctl(PR_GET_SECCOMP, 0), 0);
    FAILS(EINVAL, prctl(9999, 0));
}

/* ---- capabilities(7) ---- */

#define BIT(cap) (1ul << (cap))
#define ALL_CAPS (BIT(CAP_LAST_CAP + 1) - 1)

static struct cap_header me = {_LINUX_CAPABILITY_VERSION_3, 0};

static uint64_t caps_effective(void) {
    struct cap_data d[2];
    OK(sys_capget(&me, d));
    return d[0].effective | (uint64_t)d[1].effective << 32;
}
static uint64_t caps_permitted(void) {
    struct cap_data d[2];
    OK(sys_capget(&me, d));
    return d[0].permitted | (uint64_t)d[1].permitted << 32;
}

static long set_caps(uint64_t effective, uint64_t permitted, uint64_t inheritable) {
    struct cap_data d[2];
    for (int i = 0; i < 2; i++) {
        d[i].effective = (unsigned)(effective >> 32 * i);
        d[i].permitted = (unsigned)(permitted >> 32 * i);
        d[i].inheritable = (unsigned)(inheritable >> 32 * i);
    }
    return sys_capset(&me, d);
}

static void cap_headers(void) {
    struct cap_header header = {1, 0};
    struct cap_data d[2], one = {0, 0, 0};

    OK(sys_capget(&header, 0)); /* "which version have you?" */
    EQ(header.version, _LINUX_CAPABILITY_VERSION_3);
    header.version = 1;
    FAILS(EINVAL, sys_capget(&header, d));
    FAILS(EFAULT, sys_capget(unmapped_page(), d));
    header = (struct cap_header){_LINUX_CAPABILITY_VERSION_3, -1};
    FAILS(EINVAL, sys_capget(&header, d));
    header.pid = 1 << 22;
    FAILS(ESRCH, sys_capget(&header, d));
    header.pid = 1;
    OK(sys_capget(&header, d));
    EQ(d[0].permitted | (uint64_t)d[1].permitted << 32, ALL_CAPS);
    FAILS(EPERM, sys_capset(&header, d)); /* of another task */
    header = (struct cap_header){_LINUX_CAPABILITY_VERSION_1, 0};
    OK(sys_capget(&header, &one));
    EQ(one.effective, 0xffffffffu);
}

static void cap_given_up(void) {
    int fd;

    OK(sys_mkdirat(AT_FDCWD, "caps", 0));
    EQ(caps_effective(), ALL_CAPS);
    OK(set_caps(ALL_CAPS & ~BIT(CAP_KILL), ALL_CAPS & ~BIT(CAP_KILL), 0));
    FAILS(EPERM, set_caps(ALL_CAPS, ALL_CAPS, 0)); /* gone for good */
    OK(sys_sethostname("xv39", 4));
    OK(set_caps(0, BIT(CAP_SYS_ADMIN), 0));
    FAILS(EPERM, sys_sethostname("xv39", 4));
    FAILS(EPERM, set_caps(BIT(CAP_CHOWN), BIT(CAP_SYS_ADMIN), 0)); /* more than permitted */
    OK(set_caps(BIT(CAP_SYS_ADMIN), BIT(CAP_SYS_ADMIN), 0));
    OK(sys_sethostname("xv39", 4));
    FAILS(EPERM, sys_setuid(5));
    FAILS(EACCES, fd = (int)sys_openat(AT_FDCWD, "caps/x", O_CREAT | O_RDWR, 0));
}

/* Root's programs run with all of root's rights again; a program of somebody else's keeps none. */
static void cap_exec(void) {
    char *root[] = {"usertests", "--child", "caps", "all", 0};
    char *other[] = {"usertests", "--child", "caps", "none", 0};

    uint64_t ids = BIT(CAP_SETUID) | BIT(CAP_SETGID);

    OK(set_caps(ids, ids, 0));
    EQ(wait_status((int)OK(vfork_exec(self_path, root, environ))), 0);
    become_user(1000);
    EQ(wait_status((int)OK(vfork_exec(self_path, other, environ))), 0);
}

static void cap_user(void) {
    OK(sys_setresuid(-1, 1000, -1));
    EQ(caps_effective(), 0);
    EQ(caps_permitted(), ALL_CAPS);
    OK(sys_setresuid(-1, 0, -1));
    EQ(caps_effective(), ALL_CAPS);
    sys_setfsuid(1000);
    EQ(caps_effective() & BIT(CAP_CHOWN), 0);
    EQ(caps_effective() & BIT(CAP_KILL), BIT(CAP_KILL));
    sys_setfsuid(0);
    EQ(caps_effective(), ALL_CAPS);
    OK(prctl(PR_SET_KEEPCAPS, 1));
    OK(sys_setuid(1000));
    EQ(caps_effective(), 0);
    EQ(caps_permitted(), ALL_CAPS);
    OK(set_caps(BIT(CAP_SETUID), BIT(CAP_SETUID), 0));
    OK(prctl(PR_SET_KEEPCAPS, 0));
    OK(sys_setresuid(0, 0, 0)); /* which CAP_SETUID allows */
    OK(sys_setuid(1000));
    EQ(caps_permitted(), 0);
}

static void cap_ambient(void) {
    char *argv[] = {"usertests", "--child", "caps", "kill", 0};

    EQ(sys_prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL, 0, 0), 0);
    FAILS(EPERM, sys_prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0));
    OK(prctl(PR_SET_KEEPCAPS, 1));
    OK(sys_setuid(1000));
    OK(set_caps(0, BIT(CAP_KILL), BIT(CAP_KILL)));
    OK(sys_prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0));
    EQ(sys_prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL, 0, 0), 1);
    EQ(wait_status((int)OK(vfork_exec(self_path, argv, environ))), 0);
    OK(sys_prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
    argv[3] = "none";
    EQ(wait_status((int)OK(vfork_exec(self_path, argv, environ))), 0);
}

static void cap_bounding(void) {
    char *argv[] = {"usertests", "--child", "caps", "no-boot", 0};

    EQ(prctl(PR_CAPBSET_READ, CAP_SYS_BOOT), 1);
    FAILS(EINVAL, prctl(PR_CAPBSET_READ, CAP_LAST_CAP + 1));
    OK(prctl(PR_CAPBSET_DROP, CAP_SYS_BOOT));
    EQ(prctl(PR_CAPBSET_READ, CAP_SYS_BOOT), 0);
    EQ(caps_effective(), ALL_CAPS); /* it bounds what exec gives */
    EQ(wait_status((int)OK(vfork_exec(self_path, argv, environ))), 0);
    become_user(1000);
    FAILS(EPERM, prctl(PR_CAPBSET_DROP, CAP_KILL));
}

int caps_main(const char *which) {
    uint64_t want = !strcmp(which, "all")    ? ALL_CAPS
                    : !strcmp(which, "kill") ? BIT(CAP_KILL)
                    : !strcmp(which, "none") ? 0
                                             : ALL_CAPS & ~BIT(CAP_SYS_BOOT);
    return caps_effective() != want || caps_permitted() != want;
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
    {"T8_capability_headers", cap_headers, 0},
    {"T8_capability_given_up", cap_given_up, 0},
    {"T8_capability_exec", cap_exec, 0},
    {"T8_capability_user", cap_user, 0},
    {"T8_capability_ambient", cap_ambient, 0},
    {"T8_capability_bounding", cap_bounding, 0},
    {0, 0, 0},
};
