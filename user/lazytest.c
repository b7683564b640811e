/* lazytest: a heap whose pages come when they are touched. Written to xv6's API, in the style of its lazy-allocation assignment. */
#include "kernel/types.h"
#include "kernel/fcntl.h"
#include "kernel/riscv.h"
#include "user/user.h"

#define REGION (512 * 1024 * 1024)
#define STRIDE (64 * PGSIZE)

static void fail(const char *what) {
    printf("lazytest: FAIL %s\n", what);
    exit(1);
}

static int status_of(void (*f)(void)) {
    int status, pid = fork();

    if (pid < 0)
        fail("fork");
    if (pid == 0) {
        f();
        exit(0);
    }
    if (wait(&status) != pid)
        fail("wait");
    return status;
}

/* Half a gigabyte, of which few pages are used. */
static void sparse(void) {
    char *p = sbrklazy(REGION);

    if (p == SBRK_ERROR)
        fail("sbrklazy");
    for (char *at = p; at < p + REGION; at += STRIDE)
        *(char **)at = at;
    for (char *at = p; at < p + REGION; at += STRIDE) {
        if (*(char **)at != at || at[PGSIZE / 2] != 0)
            fail("what a page holds");
    }
    sbrk(-REGION);
}

static char *start;

static void touches_gone(void) { *start = 1; }
static void touches_above(void) { *sbrk(0) = 1; }
static void touches_below_stack(void) { *(volatile char *)(r_sp() - PGSIZE) = 1; }

static void bounds(void) {
    start = sbrklazy(16 * PGSIZE);
    start[5 * PGSIZE] = 1;
    sbrk(-16 * PGSIZE);
    if (status_of(touches_gone) == 0 || status_of(touches_above) == 0)
        fail("beyond the heap");
    if (status_of(touches_below_stack) == 0)
        fail("below the stack");
    if (sbrklazy(PGSIZE) != start || *start != 0)
        fail("a page that comes again is empty");
    sbrk(-PGSIZE);
}

static void child_sees(void) {
    if (start[0] != 'a' || start[PGSIZE] != 0)
        exit(1);
    start[PGSIZE] = 'c';
}

static void forks(void) {
    start = sbrklazy(4 * PGSIZE);
    start[0] = 'a';
    if (status_of(child_sees) != 0 || start[PGSIZE] != 0)
        fail("fork with pages that are not there");
    sbrk(-4 * PGSIZE);
}

/* Pages that only the kernel touches: for read(), write(), pipe(), a path. */
static void in_the_kernel(void) {
    int fd = open("lazyfile", O_CREATE | O_RDWR), *fds;
    char *p = sbrklazy(8 * PGSIZE);

    if (fd < 0 || write(fd, p, PGSIZE) != PGSIZE)
        fail("write of a page that is not there");
    close(fd);
    fd = open("lazyfile", O_RDONLY);
    p[PGSIZE] = 'x';
    if (read(fd, p + PGSIZE, 2 * PGSIZE) != PGSIZE || p[PGSIZE] != 0)
        fail("read into a page that is not there");
    close(fd);
    fd = open("lazyfile", O_RDWR);
    if (read(fd, sbrk(0) + PGSIZE, 1) >= 0 || write(fd, sbrk(0) + PGSIZE, 1) >= 0)
        fail("an address beyond the heap");
    close(fd);
    unlink("lazyfile");
    fds = (int *)(p + 4 * PGSIZE);
    if (pipe(fds) < 0 || fds[0] == fds[1])
        fail("pipe");
    close(fds[0]);
    close(fds[1]);
    if (open(p + 6 * PGSIZE, O_RDONLY) >= 0)
        fail("an empty path");
    sbrk(-8 * PGSIZE);
}

int main(void) {
    char *before = sbrk(0);

    sparse();
    bounds();
    forks();
    in_the_kernel();
    if (sbrk(0) != before)
        fail("the end of the heap");
    printf("lazytest: ok\n");
    exit(0);
}
