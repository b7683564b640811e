/* cowtest: fork when memory would not suffice for a copy. Written to xv6's API, in the style of its copy-on-write assignment. */
#include "kernel/types.h"
#include "kernel/memlayout.h"
#include "kernel/riscv.h"
#include "user/user.h"

#define BIG ((int)((PHYSTOP - KERNBASE) / (12 * PGSIZE) * (8 * PGSIZE)))

static void fail(const char *what) {
    printf("cowtest: FAIL %s\n", what);
    exit(1);
}

static void reap(int children) {
    int status;

    for (; children > 0; children--) {
        if (wait(&status) < 0 || status != 0)
            fail("a child");
    }
    if (wait(0) != -1)
        fail("one child too many");
}

/* Two thirds of what xv6 has for its memory, twice: only without a copy. */
static void simple(void) {
    char *p = sbrk(BIG);
    int pid;

    if (p == SBRK_ERROR)
        fail("sbrk");
    for (int i = 0; i < BIG; i += PGSIZE)
        *(int *)(p + i) = getpid();
    if ((pid = fork()) < 0)
        fail("fork");
    if (pid == 0)
        exit(0);
    reap(1);
    if (sbrk(-BIG) == SBRK_ERROR)
        fail("sbrk back");
}

static void check_all(char *p, int size, int value) {
    for (int i = 0; i < size; i += PGSIZE) {
        if (*(int *)(p + i) != value)
            fail("somebody else's page");
    }
}

static void write_all_of(char *p, int size) {
    for (int i = 0; i < size; i += PGSIZE)
        *(int *)(p + i) = getpid();
    check_all(p, size, getpid());
}

/* Parent, child and grandchild write the same pages. */
static void three(void) {
    int size = BIG / 4, mine = getpid();
    char *p = sbrk(size);

    write_all_of(p, size);
    if (fork() == 0) {
        if (fork() == 0) {
            write_all_of(p, size / 2);
            check_all(p + size / 2, size / 2, mine);
            exit(0);
        }
        write_all_of(p, size);
        reap(1);
        exit(0);
    }
    reap(1);
    check_all(p, size, mine);
    sbrk(-size);
}

static char buf[4 * PGSIZE];

/* read() writes into pages that are shared: the kernel must copy them, too. */
static void through_pipes(void) {
    int fds[2], mine;

    for (int i = 0; i < 8; i++) {
        buf[PGSIZE] = 99;
        if (pipe(fds) < 0)
            fail("pipe");
        if (fork() == 0) {
            sleep(1);
            if (read(fds[0], buf + PGSIZE, sizeof(mine)) != sizeof(mine))
                fail("read");
            memmove(&mine, buf + PGSIZE, sizeof(mine));
            exit(mine != i);
        }
        if (write(fds[1], &i, sizeof(i)) != sizeof(i))
            fail("write");
        close(fds[0]);
        close(fds[1]);
        if (buf[PGSIZE] != 99)
            fail("the child's read wrote to its parent");
    }
    reap(8);
}

/* Many forks at once; whoever comes later sees what was there at his fork. */
static void many(void) {
    for (int round = 0; round < 20; round++) {
        buf[0] = (char)round;
        for (int i = 0; i < 6; i++) {
            if (fork() == 0) {
                if (buf[0] != (char)round)
                    exit(1);
                buf[0] = -1;
                exit(fork() < 0);
            }
        }
        buf[0] = 100;
        for (int i = 0; i < 6; i++) {
            int status;
            if (wait(&status) < 0 || status != 0)
                fail("a child of many");
        }
    }
}

int main(void) {
    simple();
    simple(); /* everything was given back */
    three();
    three();
    through_pipes();
    many();
    printf("cowtest: ok\n");
    exit(0);
}
