/* The files of /proc/<pid> that tell what a task does: syscall, wchan, stack, status, limits, children, task. */
#include "user/usertests/ut.h"
#include "abi/futex.h"
#include "abi/resource.h"
#include "abi/sched.h"
#include "abi/syscall.h"

static char text[8192], path[64];

/* The file of a task, as text. */
static char *file_of(int pid, const char *name) {
    memset(text, 0, sizeof(text));
    snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    OK(read_file(path, text, sizeof(text) - 1));
    return text;
}

static int fds[2];

static void read_pipe(void) { sys_read(fds[0], text, 33); }

static void in_syscall(void) {
    char wanted[64];
    int pid, spinning = spawn(spin);

    OK(sys_pipe2(fds, 0));
    pid = spawn(read_pipe);
    while (proc_state(pid) != 'S')
        sleep_ms(2);
    snprintf(wanted, sizeof(wanted), "%d 0x%x 0x%lx 0x21 ", SYS_read, fds[0], (long)text);
    CHECK(strncmp(file_of(pid, "syscall"), wanted, strlen(wanted)) == 0);
    CHECK(strcmp(file_of(spinning, "syscall"), "running\n") == 0);
    kill_child(pid);
    kill_child(spinning);
}

static void stack_and_wchan(void) {
    int pid = spawn(sleep_long), spinning = spawn(spin);

    until_asleep(pid);
    while (!*file_of(pid, "stack")) /* on its way, and still on its hart */
        sleep_ms(2);
    CHECK(strstr(text, "sys_nanosleep+0x") != 0);
    CHECK(strcmp(file_of(pid, "wchan"), "nanosleep") == 0);
    CHECK(strcmp(file_of(spinning, "wchan"), "0") == 0);
    kill_child(spinning);
    become_user(1000);
    snprintf(path, sizeof(path), "/proc/%d/stack", pid);
    CHECK(read_file(path, text, sizeof(text)) < 0);
}

static void status_lines(void) {
    static const char *const lines[] = {"Name:",
                                        "Umask:",
                                        "State:",
                                        "Tgid:",
                                        "Ngid:",
                                        "Pid:",
                                        "PPid:",
                                        "TracerPid:",
                                        "Uid:",
                                        "Gid:",
                                        "FDSize:",
                                        "Groups:",
                                        "NStgid:",
                                        "NSpid:",
                                        "NSpgid:",
                                        "NSsid:",
                                        "Kthread:",
                                        "VmPeak:",
                                        "VmSize:",
                                        "VmRSS:",
                                        "VmData:",
                                        "CoreDumping:",
                                        "Threads:",
                                        "SigQ:",
                                        "SigPnd:",
                                        "ShdPnd:",
                                        "SigBlk:",
                                        "SigIgn:",
                                        "SigCgt:",
                                        "CapInh:",
                                        "CapPrm:",
                                        "CapEff:",
                                        "CapBnd:",
                                        "CapAmb:",
                                        "Seccomp:",
                                        "NoNewPrivs:",
                                        "VmHWM:",
                                        "THP_enabled:",
                                        "Cpus_allowed:",
                                        "Cpus_allowed_list:",
                                        "Mems_allowed:",
                                        "Mems_allowed_list:",
                                        "voluntary_ctxt_switches:",
                                        "nonvoluntary_ctxt_switches:"};
    char wanted[40];
    sigset_t set = SIGMASK(SIGUSR1) | SIGMASK(SIGRTMIN);

    OK(sys_rt_sigprocmask(SIG_BLOCK, &set, 0, 8));
    OK(sys_kill(getpid(), SIGUSR1));
    file_of(getpid(), "status");
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        if (!strstr(text, lines[i]))
            fail_at(HERE, "no line %s", lines[i]);
    CHECK(strstr(text, "\nSigBlk:\t0000000080000200\n") != 0);
    CHECK(strstr(text, "\nShdPnd:\t0000000000000200\n") != 0);
    CHECK(strstr(text, "\nCapEff:\t000001ffffffffff\n") != 0);
    snprintf(wanted, sizeof(wanted), "\nNSpid:\t%d\n", getpid());
    CHECK(strstr(text, wanted) != 0);
    become_user(1000);
    CHECK(strstr(file_of(getpid(), "status"), "\nCapEff:\t0000000000000000\n") != 0);
}

static void limits_file(void) {
    struct rlimit l = {1234, 5678};

    OK(sys_setrlimit(RLIMIT_CORE, &l));
    file_of(getpid(), "limits");
    CHECK(strncmp(text, "Limit                     Soft Limit           Hard Limit           Units",
                  73) == 0);
    CHECK(strstr(text,
                 "\nMax core file size        1234                 5678                 bytes") !=
          0);
    CHECK(strstr(text, "\nMax cpu time              unlimited            unlimited            "
                       "seconds") != 0);
}

static void children_file(void) {
    char wanted[64], name[64];
    int a = spawn(sleep_long), b = spawn(sleep_long);

    snprintf(wanted, sizeof(wanted), "%d %d ", a < b ? a : b, a < b ? b : a);
    snprintf(name, sizeof(name), "task/%d/children", getpid());
    CHECK(strcmp(file_of(getpid(), name), wanted) == 0);
    kill_child(a);
    kill_child(b);
    CHECK(read_file("/proc/thread-self/children", text, sizeof(text)) == 0);
}

static volatile int tid;
static uint32_t never;

static int wait_thread(void *arg) {
    (void)arg;
    tid = (int)sys_gettid();
    return (int)sys_futex(&never, FUTEX_WAIT, 0, 0, 0, 0);
}

static void task_folder(void) {
    char name[64], wanted[32];

    OK(clone_call(THREAD, new_stack(), 0, 0, 0, wait_thread, 0));
    while (!tid)
        sleep_ms(1);
    snprintf(name, sizeof(name), "task/%d/syscall", tid);
    while (strcmp(file_of(getpid(), name), "running\n") == 0)
        sleep_ms(2);
    snprintf(name, sizeof(name), "task/%d/status", tid);
    file_of(getpid(), name);
    snprintf(wanted, sizeof(wanted), "\nPid:\t%d\n", tid);
    CHECK(strstr(text, wanted) != 0);
    snprintf(wanted, sizeof(wanted), "\nTgid:\t%d\n", getpid());
    CHECK(strstr(text, wanted) != 0);
    CHECK(strstr(text, "\nThreads:\t2\n") != 0);
    snprintf(name, sizeof(name), "task/%d/syscall", tid);
    snprintf(wanted, sizeof(wanted), "%d 0x%lx ", SYS_futex, (long)&never);
    CHECK(strncmp(file_of(getpid(), name), wanted, strlen(wanted)) == 0);
}

const struct test taskfile_tests[] = {
    {"T2_proc_syscall", in_syscall, 0},
    {"T2_proc_stack_and_wchan", stack_and_wchan, 0},
    {"T2_proc_status", status_lines, 0},
    {"T2_proc_limits", limits_file, 0},
    {"T2_proc_children", children_file, 0},
    {"T2_proc_task_folder", task_folder, 0},
    {0, 0, 0},
};
