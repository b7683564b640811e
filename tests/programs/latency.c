// How long a FIFO task waits for the hart, in instructions, while others make long system calls:  latency WHAT
// For a machine of one hart under -icount shift=0, where an instruction takes a nanosecond. Prints `WHAT: N`, the worst of all.
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "measure.h"

#define EVERY 97000 // ns between two wake-ups: no divisor of anything

struct seen {
    volatile long worst, wakeups, stop;
};

static void measure(struct seen *s) {
    struct sched_param p = {80};
    long next;

    check(mlockall(MCL_CURRENT) == 0, "mlockall");
    check(sched_setscheduler(0, SCHED_FIFO, &p) == 0, "sched_setscheduler");
    for (next = now() + EVERY; !s->stop; next += EVERY) {
        long late = sleep_until(next);

        if (late > s->worst && s->wakeups > 10)
            s->worst = late;
        s->wakeups++;
        if (late > EVERY)
            next += late / EVERY * EVERY;
    }
    exit(0);
}

static void long_write(void) {
    size_t n = 64 << 20;
    char *buf = malloc(n);
    int fd = open("big", O_RDWR | O_CREAT, 0600);

    memset(buf, 1, n);
    check(write(fd, buf, n) == (ssize_t)n, "write");
    check(pread(fd, buf, n, 0) == (ssize_t)n, "read");
    check(ftruncate(fd, 0) == 0, "ftruncate");
    unlink("big");
}

static void long_exit(void) {
    size_t n = 1ul << 30;
    pid_t pid = fork();

    if (pid == 0) {
        char *p = mmap(0, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        check(p != MAP_FAILED, "mmap");
        madvise(p, n, 23); // MADV_POPULATE_WRITE
        if (fork() == 0)
            _exit(0); // its tables are shared for a while
        wait(0);
        _exit(0);
    }
    waitpid(pid, 0, 0);
}

static void long_directory(void) {
    char name[32];
    int n = 3000;
    struct dirent *e;
    DIR *d;

    check(mkdir("dir", 0700) == 0 && chdir("dir") == 0, "mkdir");
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof(name), "file-%d", i);
        close(open(name, O_WRONLY | O_CREAT, 0600));
    }
    d = opendir(".");
    while ((e = readdir(d)))
        n--;
    check(n == -2, "readdir");
    closedir(d);
    for (int i = 0; i < 3000; i++) {
        snprintf(name, sizeof(name), "file-%d", i);
        check(unlink(name) == 0, "unlink");
    }
}

static void write_pages(char *p, int n, size_t apart) {
    for (int i = 0; i < n; i++)
        p[i * apart]++;
}

// Both sides write after each fork: to a few pages, which fork soon copies itself, and to one page of each of many full tables.
static void long_fork(void) {
    size_t n = 64 << 20, table = 2 << 20;
    char *few = mmap(0, table, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *many = mmap(0, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    check(few != MAP_FAILED && many != MAP_FAILED, "mmap");
    memset(many, 1, n);
    for (int round = 0; round < 100; round++) {
        pid_t pid = fork();

        check(pid >= 0, "fork");
        write_pages(few, 100, 4096);
        write_pages(many, n / table, table);
        if (pid == 0)
            _exit(0);
        waitpid(pid, 0, 0);
    }
}

int main(int argc, char **argv) {
    struct seen *s = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    const char *what = argc > 1 ? argv[1] : "";
    pid_t pid = fork();

    if (pid == 0)
        measure(s);
    while (s->wakeups < 20)
        usleep(1000);
    if (!strcmp(what, "write"))
        long_write();
    else if (!strcmp(what, "exit"))
        long_exit();
    else if (!strcmp(what, "directory"))
        long_directory();
    else if (!strcmp(what, "fork"))
        long_fork();
    s->stop = 1;
    waitpid(pid, 0, 0);
    printf("%s: %ld of %ld\n", what, s->worst, s->wakeups);
    return 0;
}
