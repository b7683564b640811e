/* wait4(2) and waitid(2), option by option; what happens to children and groups whose parent goes. */
#include "user/usertests/ut.h"
#include "abi/prctl.h"
#include "abi/resource.h"
#include "abi/sched.h"

static void exit_7(void) { sys_exit_group(7); }

static struct siginfo info;

static long wait_id(int which, int id, int options) {
    memset(&info, 0xee, sizeof(info));
    return sys_waitid(which, id, &info, options, 0);
}

static void no_wait(void) {
    int pid = spawn(exit_7);

    for (int i = 0; i < 3; i++) {
        OK(wait_id(P_PID, pid, WEXITED | WNOWAIT));
        EQ(info.si_signo, SIGCHLD);
        EQ(info.si_code, CLD_EXITED);
        EQ(info.si_pid, pid);
        EQ(info.si_uid, 0);
        EQ(info.si_status, 7);
    }
    FAILS(EINVAL, sys_wait4(pid, 0, WNOWAIT, 0)); /* waitid's alone */
    FAILS(EINVAL, sys_wait4(pid, 0, WEXITED, 0));
    EQ(wait_status(pid), W_EXITCODE(7, 0));
    FAILS(ECHILD, wait_id(P_PID, pid, WEXITED | WNOWAIT));
}

static void stopped(void) {
    int pid = spawn(sleep_long);

    OK(sys_kill(pid, SIGSTOP));
    OK(wait_id(P_PID, pid, WSTOPPED | WNOWAIT));
    OK(wait_id(P_PID, pid, WSTOPPED));
    EQ(info.si_signo, SIGCHLD);
    EQ(info.si_code, CLD_STOPPED);
    EQ(info.si_status, SIGSTOP);
    EQ(info.si_pid, pid);
    OK(wait_id(P_PID, pid, WSTOPPED | WNOHANG)); /* reported once */
    EQ(info.si_pid, 0);
    OK(wait_id(P_PID, pid, WEXITED | WNOHANG));
    EQ(info.si_pid, 0);
    kill_child(pid);
}

static void continued(void) {
    int pid = spawn(sleep_long), status;

    OK(sys_kill(pid, SIGSTOP));
    OK(wait_id(P_PID, pid, WSTOPPED));
    OK(sys_kill(pid, SIGCONT));
    OK(wait_id(P_PID, pid, WCONTINUED | WNOWAIT));
    OK(wait_id(P_PID, pid, WCONTINUED));
    EQ(info.si_signo, SIGCHLD);
    EQ(info.si_code, CLD_CONTINUED);
    EQ(info.si_status, SIGCONT);
    EQ(sys_wait4(pid, &status, WCONTINUED | WUNTRACED | WNOHANG, 0), 0);
    kill_child(pid);
}

static void untraced(void) {
    int pid = spawn(sleep_long), status = 0;

    OK(sys_setpgid(pid, pid)); /* our own group is orphaned: SIGTSTP would do nothing */
    OK(sys_kill(pid, SIGTSTP));
    EQ(sys_wait4(pid, &status, WNOHANG, 0), 0); /* who does not ask is not told */
    EQ(sys_wait4(pid, &status, WUNTRACED, 0), pid);
    EQ(WIFSTOPPED(status), 1);
    EQ(WSTOPSIG(status), SIGTSTP);
    OK(sys_kill(pid, SIGCONT));
    EQ(sys_wait4(pid, &status, WCONTINUED, 0), pid);
    EQ(WIFCONTINUED(status), 1);
    kill_child(pid);
}

static void clone_children(void) {
    int quiet = (int)OK(sys_clone(0, 0, 0, 0, 0)), usual;

    if (quiet == 0)
        sys_exit_group(3);
    FAILS(ECHILD, sys_wait4(-1, 0, 0, 0));
    FAILS(ECHILD, wait_id(P_PID, quiet, WEXITED));
    EQ(sys_wait4(-1, 0, __WCLONE, 0), quiet);
    on_signal(SIGUSR2, SIG_IGN, 0);
    quiet = (int)OK(sys_clone(SIGUSR2, 0, 0, 0, 0)); /* another signal: a clone child as well */
    if (quiet == 0)
        sys_exit_group(3);
    usual = spawn(exit_7);
    FAILS(ECHILD, sys_wait4(usual, 0, __WCLONE, 0));
    EQ(sys_wait4(usual, 0, __WALL, 0), usual);
    EQ(sys_wait4(-1, 0, __WALL, 0), quiet);
    FAILS(ECHILD, sys_wait4(-1, 0, __WALL, 0));
}

static void by_group(void) {
    int mine = spawn(exit_7), other = spawn(sleep_long);

    OK(sys_setpgid(other, other));
    OK(wait_id(P_PGID, 0, WEXITED)); /* 0: the caller's */
    EQ(info.si_pid, mine);
    FAILS(ECHILD, wait_id(P_PGID, 0, WEXITED));
    OK(wait_id(P_PGID, other, WEXITED | WNOHANG));
    EQ(info.si_pid, 0);
    FAILS(EINVAL, wait_id(P_PGID, -1, WEXITED));
    FAILS(EINVAL, wait_id(P_PID, 0, WEXITED));
    FAILS(EINVAL, wait_id(P_PID, -1, WEXITED));
    FAILS(ESRCH, sys_wait4(INT32_MIN, 0, 0, 0));
    kill_child(other);
}

static void usage(void) {
    struct rusage u = {.ru_nsignals = 5};
    int pid = spawn(exit_7);

    OK(sys_waitid(P_ALL, 0, 0, WEXITED, &u));
    CHECK(u.ru_minflt > 0);
    EQ(u.ru_nsignals, 0);
    FAILS(ECHILD, sys_wait4(pid, 0, 0, 0));
}

static int make_child(void *arg) {
    *(volatile int *)arg = spawn(exit_7);
    sys_exit(0);
}

static void child_of_a_thread(void) {
    static volatile int pid;

    OK(clone_call(THREAD, new_stack(), 0, 0, 0, make_child, (void *)&pid));
    while (pid == 0)
        sys_sched_yield();
    EQ(wait_status(pid), W_EXITCODE(7, 0));
}

/* ---- orphans */

static volatile int *shared;

static void wait_word(volatile int *word, int value) {
    int64_t end_at = now_ms() + 20000;

    while (*word != value && now_ms() < end_at)
        sleep_ms(2);
    EQ(*word, value);
}

static void note_hangup(int sig) { shared[sig == SIGHUP ? 1 : 2] = 1; }

static void stop_in_own_group(void) {
    sys_setpgid(0, 0);
    on_signal(SIGHUP, note_hangup, 0);
    on_signal(SIGCONT, note_hangup, 0);
    shared[0] = getpid();
    sys_kill(getpid(), SIGSTOP);
    shared[3] = 1;
}

/* Its child's group is linked to the session by it alone. */
static void parent_of_stopped(void) {
    int pid = spawn(stop_in_own_group);

    OK(sys_waitid(P_PID, pid, 0, WSTOPPED, 0));
}

static void orphaned_group(void) {
    shared = shared_page();
    OK(sys_prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
    sys_setpgid(0, 0);
    /* the reaper must not be in the same session, for it would be a link: a new one in between */
    int middle = fork();
    if (middle == 0) {
        OK(sys_setsid());
        child_ok(parent_of_stopped);
        sys_exit_group(0);
    }
    wait_ok(middle);
    wait_word(&shared[3], 1); /* SIGCONT made it run, after SIGHUP was noted */
    EQ(shared[1], 1);
    EQ(shared[2], 1);
    EQ(sys_wait4(-1, 0, 0, 0), shared[0]);
}

static void orphan_stops_itself(void) {
    OK(sys_setsid());
    sys_kill(getpid(), SIGTSTP); /* an orphaned group does not stop */
    sys_kill(getpid(), SIGTTIN);
    sys_kill(getpid(), SIGTTOU);
}

static void orphaned_group_runs_on(void) { child_ok(orphan_stops_itself); }

static void is_no_reaper(void) {
    int on = 7;

    OK(sys_prctl(PR_GET_CHILD_SUBREAPER, (uint64_t)&on, 0, 0, 0));
    EQ(on, 0);
}

static void leave_orphan(void) {
    int middle = getpid();

    if (fork() == 0) {
        while (sys_getppid() == middle)
            sleep_ms(2);
        shared[0] = (int)sys_getppid();
    }
}

static void inner_reaper(void) {
    OK(sys_prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
    wait_ok(spawn(leave_orphan));
    OK(sys_wait4(-1, 0, 0, 0));
    EQ(shared[0], getpid()); /* the nearest one, not the first */
}

static void subreaper(void) {
    int on = 0;

    shared = shared_page();
    OK(sys_prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
    OK(sys_prctl(PR_GET_CHILD_SUBREAPER, (uint64_t)&on, 0, 0, 0));
    EQ(on, 1);
    child_ok(is_no_reaper); /* fork does not inherit it */
    child_ok(inner_reaper);
    FAILS(ECHILD, sys_wait4(-1, 0, 0, 0));
}

static volatile int made[2]; /* by the thread; the word that lets it go on */

static int make_and_wait(void *arg) {
    int mine = spawn(exit_7), others = (int)(long)arg;

    FAILS(ECHILD, sys_wait4(others, 0, __WNOTHREAD | WNOHANG, 0));
    FAILS(ECHILD, sys_waitid(P_PID, others, 0, WEXITED | WNOHANG | __WNOTHREAD, 0));
    EQ(sys_wait4(others, 0, WNOHANG, 0), 0); /* the same process's, after all */
    EQ(sys_wait4(-1, 0, __WNOTHREAD, 0), mine);
    FAILS(ECHILD, sys_wait4(-1, 0, __WNOTHREAD | __WALL, 0));
    made[0] = spawn(exit_7);
    wait_word(&made[1], 1);
    sys_exit(0);
}

static void own_children_only(void) {
    uint64_t flags = CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_FILES | CLONE_FS;
    int mine = spawn(sleep_long);

    OK(clone_call(flags, new_stack(), 0, 0, 0, make_and_wait, (void *)(long)mine));
    while (made[0] == 0)
        sleep_ms(2);
    OK(sys_waitid(P_PID, made[0], 0, WEXITED | WNOWAIT, 0));
    FAILS(ECHILD, sys_wait4(made[0], 0, __WNOTHREAD, 0));
    EQ(sys_wait4(-1, 0, __WNOTHREAD | WNOHANG, 0), 0);
    made[1] = 1; /* a thread's children go to another one when it ends */
    while (sys_wait4(made[0], 0, __WNOTHREAD | WNOHANG, 0) == -ECHILD)
        sleep_ms(2);
    FAILS(ECHILD, sys_wait4(made[0], 0, 0, 0));
    kill_child(mine);
}

const struct test wait_tests[] = {
    {"T8_wait_nowait", no_wait, 0},
    {"T8_wait_stopped", stopped, 0},
    {"T8_wait_continued", continued, 0},
    {"T8_wait_untraced", untraced, 0},
    {"T8_wait_clone_children", clone_children, 0},
    {"T8_wait_own_children_only", own_children_only, 0},
    {"T8_wait_by_pgid", by_group, 0},
    {"T8_wait_usage", usage, 0},
    {"T8_wait_child_of_a_thread", child_of_a_thread, 0},
    {"T8_orphaned_group", orphaned_group, 0},
    {"T8_orphaned_group_runs_on", orphaned_group_runs_on, 0},
    {"T8_subreaper", subreaper, 0},
    {0, 0, 0},
};
