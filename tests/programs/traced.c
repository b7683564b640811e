// Workloads of which a trace must tell exactly what happened. A glibc program.
//
//   traced pingpong N   two processes, pinned to harts 0 and 1, pass a byte to and fro N times. The pipes are the descriptors
//                       100 (read) and 101 to the second, 102 and 103 back. Each is wholly asleep when it is written to.
//   traced tree DEPTH   each process has two children; prints "PID PARENT DEPTH"; exits with its depth
//   traced read FILE    one read() of the whole file
//   traced kill         a child stops itself and is killed
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void check(int good, const char *what) {
    if (good)
        return;
    perror(what);
    _exit(1);
}

static void pin(int hart) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(hart, &set);
    check(sched_setaffinity(0, sizeof(set), &set) == 0, "sched_setaffinity");
}

// How often each had slept when it last had nothing left to do but to sleep; -1: it is not so far yet.
static _Atomic long *slept;

static void about_to_sleep(int me) {
    struct rusage r;
    check(getrusage(RUSAGE_SELF, &r) == 0, "getrusage");
    atomic_store(&slept[me], r.ru_nvcsw);
}

static long times_slept(int pid) {
    char name[40], text[4096];
    snprintf(name, sizeof(name), "/proc/%d/status", pid);
    int fd = open(name, O_RDONLY);
    check(fd >= 0, name);
    ssize_t n = read(fd, text, sizeof(text) - 1);
    check(n > 0, name);
    text[n] = 0;
    close(fd);
    char *at = strstr(text, "\nvoluntary_ctxt_switches:");
    check(at != NULL, "voluntary_ctxt_switches");
    return atol(strchr(at, ':') + 1);
}

static void wait_asleep(int who, int pid) {
    for (;;) {
        long before = atomic_load(&slept[who]);
        if (before >= 0 && times_slept(pid) > before)
            return;
        sched_yield();
    }
}

static void play(int me, int peer_pid, int rounds, int in, int out) {
    char ball = 0;
    pin(me);
    if (me == 1)
        about_to_sleep(me);
    for (int i = 0; i < rounds; i++) {
        if (me == 1)
            check(read(in, &ball, 1) == 1, "read");
        wait_asleep(!me, peer_pid);
        about_to_sleep(me);
        check(write(out, &ball, 1) == 1, "write");
        if (me == 0)
            check(read(in, &ball, 1) == 1, "read");
    }
}

static void pingpong(int rounds) {
    int there[2], back[2];
    check(pipe(there) == 0 && pipe(back) == 0, "pipe");
    check(dup2(there[0], 100) == 100 && dup2(there[1], 101) == 101 && dup2(back[0], 102) == 102 &&
              dup2(back[1], 103) == 103,
          "dup2");
    slept = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    check(slept != MAP_FAILED, "mmap");
    slept[0] = slept[1] = -1;
    int parent = getpid(), child = fork();
    check(child >= 0, "fork");
    if (child == 0) {
        play(1, parent, rounds, 100, 103);
        _exit(0);
    }
    play(0, child, rounds, 102, 101);
    check(wait(NULL) == child, "wait");
    printf("%d %d\n", parent, child);
}

static void tree(int left, int depth) {
    printf("%d %d %d\n", getpid(), getppid(), depth);
    fflush(stdout);
    for (int i = 0; left && i < 2; i++) {
        int child = fork();
        check(child >= 0, "fork");
        if (child == 0)
            tree(left - 1, depth + 1);
    }
    for (int i = 0; left && i < 2; i++)
        check(wait(NULL) > 0, "wait");
    _exit(depth);
}

static void read_file(const char *name) {
    struct stat st;
    int fd = open(name, O_RDONLY);
    check(fd >= 0 && fstat(fd, &st) == 0, name);
    char *to = malloc(st.st_size);
    check(to != NULL && read(fd, to, st.st_size) == st.st_size, "read");
}

static void stop_and_kill(void) {
    int child = fork(), status;
    check(child >= 0, "fork");
    if (child == 0) {
        raise(SIGSTOP);
        _exit(0);
    }
    check(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status), "stopped");
    check(kill(child, SIGKILL) == 0, "kill");
    check(waitpid(child, &status, 0) == child && WIFSIGNALED(status), "killed");
    printf("%d %d\n", getpid(), child);
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "pingpong") == 0)
        pingpong(atoi(argv[2]));
    else if (argc == 3 && strcmp(argv[1], "tree") == 0)
        tree(atoi(argv[2]), 0);
    else if (argc == 3 && strcmp(argv[1], "read") == 0)
        read_file(argv[2]);
    else if (argc == 2 && strcmp(argv[1], "kill") == 0)
        stop_and_kill();
    else
        return 2;
    return 0;
}
