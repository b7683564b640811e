/* What /dev/kcov records: the addresses that a call passes, once each; and that nothing is recorded where nothing should be. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define KCOV_INIT_TRACE _IOR('c', 1, unsigned long)
#define KCOV_ENABLE _IO('c', 100)
#define KCOV_DISABLE _IO('c', 101)
#define WORDS 65536ul

static volatile unsigned long *cover;
static unsigned long seen[WORDS];
static char text[100];

static int compare(const void *a, const void *b) {
    unsigned long x = *(const unsigned long *)a, y = *(const unsigned long *)b;
    return x < y ? -1 : x > y;
}

static void print(const char *label) {
    unsigned long n = cover[0];
    for (unsigned long i = 0; i < n; i++)
        seen[i] = cover[i + 1];
    qsort(seen, n, sizeof(seen[0]), compare);
    for (unsigned long i = 0; i < n; i++)
        if (i == 0 || seen[i] != seen[i - 1])
            printf("%s %lx\n", label, seen[i]);
    fflush(stdout);
    cover[0] = 0;
}

static void call_getcwd(void) {
    if (!getcwd(text, sizeof(text)))
        exit(4);
}

static void call_lseek(void) { lseek(0, 0, SEEK_CUR); }

/* A child makes the call, whether or not its parent records. */
static void fork_getcwd(void) {
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        call_getcwd();
        _exit(0);
    }
    waitpid(pid, &status, 0);
}

static void record(int fd, const char *label, void (*call)(void)) {
    if (ioctl(fd, KCOV_ENABLE, 0) < 0)
        exit(3);
    cover[0] = 0;
    call();
    unsigned long n = cover[0];
    ioctl(fd, KCOV_DISABLE, 0);
    cover[0] = n;
    print(label);
}

static void say(const char *what, int failed) {
    printf("%s %s\n", what,
           !failed           ? "ok"
           : errno == EBUSY  ? "EBUSY"
           : errno == EINVAL ? "EINVAL"
                             : "?");
}

int main(void) {
    int fd = open("/dev/kcov", O_RDWR), failed;
    if (fd < 0)
        return 1;
    say("enabled before init", ioctl(fd, KCOV_ENABLE, 0) < 0);
    if (ioctl(fd, KCOV_INIT_TRACE, WORDS) < 0)
        return 2;
    say("init again", ioctl(fd, KCOV_INIT_TRACE, WORDS) < 0);
    say("mapping too long", mmap(0, WORDS * 8 + 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED);
    cover = mmap(0, WORDS * 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (cover == MAP_FAILED)
        return 3;
    record(fd, "getcwd", call_getcwd);
    record(fd, "lseek", call_lseek);
    record(fd, "parent", fork_getcwd);

    call_lseek();
    fork_getcwd();
    printf("disabled %lu\n", cover[0]);
    say("disabled again", ioctl(fd, KCOV_DISABLE, 0) < 0);

    ioctl(fd, KCOV_ENABLE, 0);
    failed = ioctl(fd, KCOV_ENABLE, 0) < 0;
    say("enabled twice", failed);
    cover[0] = WORDS - 3; /* what finds no room is dropped */
    call_lseek();
    printf("full %lu\n", WORDS - cover[0]);
    cover[0] = ~0ul; /* no index to trust */
    call_lseek();
    printf("nonsense %lu\n", ~cover[0]);
    return 0;
}
