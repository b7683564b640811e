// What the tests of tracing know to have happened. Lines `fact NAME VALUE` say what the trace must have.
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void fact(const char *name, unsigned long value) { printf("fact %s %lu\n", name, value); }

static void touch_memory(void) {
    char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    fact("page", (unsigned long)page);
    page[8] = 1;
}

static void write_disk(void) {
    static char block[8192];
    int fd = open("/workload.tmp", O_RDWR | O_CREAT | O_TRUNC, 0600);
    memset(block, 1, sizeof(block));
    if (write(fd, block, sizeof(block)) != sizeof(block) || fsync(fd))
        exit(1);
    close(fd);
    unlink("/workload.tmp");
}

static void nap(void) { nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL); }

static void children(void) {
    pid_t child = fork();
    if (child == 0)
        _exit(7);
    fact("exits7", child);
    waitpid(child, NULL, 0);
    child = fork();
    if (child == 0) {
        execl("/bin/true", "true", NULL);
        _exit(1);
    }
    fact("execs", child);
    waitpid(child, NULL, 0);
    child = fork();
    if (child == 0)
        *(volatile int *)16 = 1;
    fact("faults", child);
    waitpid(child, NULL, 0);
}

static void ping_pong(void) {
    int there[2], back[2];
    char c = 0;
    if (pipe(there) || pipe(back))
        exit(1);
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < 20; i++)
            if (read(there[0], &c, 1) != 1 || write(back[1], &c, 1) != 1)
                _exit(1);
        _exit(0);
    }
    fact("pong", child);
    for (int i = 0; i < 20; i++)
        if (write(there[1], &c, 1) != 1 || read(back[0], &c, 1) != 1)
            exit(1);
    waitpid(child, NULL, 0);
}

static void handler(int sig) { (void)sig; }

static long sleeps(void) {
    struct rusage r;
    getrusage(RUSAGE_THREAD, &r);
    return r.ru_nvcsw;
}

// Each thread maps and unmaps: all want their address space's lock, and all at the same time. On several harts they go on until
// one has slept for it.
static void *quarrel(void *arg) {
    static atomic_int ready, slept;
    int several = sysconf(_SC_NPROCESSORS_ONLN) > 1;
    for (ready++; ready < 3;)
        ;
    long before = sleeps();
    for (int i = 0; i < 300 || (several && !slept); i++) {
        munmap(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 4096);
        if (i >= 300 - 1 && sleeps() > before)
            slept = 1;
    }
    return arg;
}

static void threads(void) {
    pthread_t t[3];
    for (int i = 0; i < 3; i++)
        pthread_create(&t[i], NULL, quarrel, NULL);
    for (int i = 0; i < 3; i++)
        pthread_join(t[i], NULL);
}

static void wander(void) {
    long harts = sysconf(_SC_NPROCESSORS_ONLN);
    cpu_set_t set;
    for (long h = 0; h < harts; h++) {
        CPU_ZERO(&set);
        CPU_SET(h, &set);
        sched_setaffinity(0, sizeof(set), &set);
        sched_yield();
    }
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    fact("self", getpid());
    touch_memory();
    write_disk();
    nap();
    children();
    ping_pong();
    signal(SIGUSR1, handler);
    kill(getpid(), SIGUSR1);
    threads();
    wander();
    return 0;
}
