/* mmaptest: files in memory. Written to xv6's API with mmap and munmap, in the style of its mmap assignment. */
#include "kernel/types.h"
#include "kernel/fcntl.h"
#include "kernel/riscv.h"
#include "kernel/stat.h"
#include "user/user.h"

#define FAILED ((char *)-1)
#define PAGES 6

static char buf[PGSIZE];

static void fail(const char *what) {
    printf("mmaptest: FAIL %s\n", what);
    exit(1);
}

/* The file has PAGES pages; page i is filled with 'A' + i, the last one only to its half. */
static int make_file(const char *name) {
    int fd;

    unlink(name);
    fd = open(name, O_RDWR | O_CREATE);
    for (int i = 0; i < PAGES; i++) {
        int size = i == PAGES - 1 ? PGSIZE / 2 : PGSIZE;
        memset(buf, 'A' + i, sizeof(buf));
        if (write(fd, buf, size) != size)
            fail("write");
    }
    return fd;
}

static char *map(int fd, int prot, int flags) {
    char *p = mmap(0, PAGES * PGSIZE, prot, flags, fd, 0);

    if (p == FAILED)
        fail("mmap");
    return p;
}

static void check(const char *p) {
    for (int i = 0; i < PAGES * PGSIZE; i++) {
        int there = i < PAGES * PGSIZE - PGSIZE / 2;
        if (p[i] != (there ? 'A' + i / PGSIZE : 0))
            fail("what is mapped is not what is in the file");
    }
}

/* What the file holds at page i. */
static char on_file(const char *name, int page) {
    int fd = open(name, O_RDONLY);

    for (int i = 0; i <= page; i++) {
        if (read(fd, buf, PGSIZE) <= 0)
            fail("read");
    }
    close(fd);
    return buf[0];
}

static void private_mapping(void) {
    int fd = make_file("mmap.p");
    char *p = map(fd, PROT_READ | PROT_WRITE, MAP_PRIVATE);

    close(fd); /* the mapping stays */
    check(p);
    p[0] = p[PGSIZE] = 'z';
    if (p[0] != 'z' || on_file("mmap.p", 0) != 'A')
        fail("a private page");
    if (munmap(p, PAGES * PGSIZE) != 0 || on_file("mmap.p", 1) != 'B')
        fail("a private page after munmap");
}

static void shared_mapping(void) {
    int fd = make_file("mmap.s");
    char *p = map(fd, PROT_READ | PROT_WRITE, MAP_SHARED);

    close(fd);
    check(p);
    p[0] = '1';
    p[2 * PGSIZE] = '2';
    if (munmap(p, PGSIZE) != 0 || on_file("mmap.s", 0) != '1')
        fail("munmap of the first page");
    if (munmap(p + 4 * PGSIZE, 2 * PGSIZE) != 0 || p[3 * PGSIZE] != 'D')
        fail("munmap of the last pages");
    if (munmap(p + PGSIZE, 3 * PGSIZE) != 0 || on_file("mmap.s", 2) != '2')
        fail("munmap of the rest");
}

static void read_only(void) {
    int fd = make_file("mmap.r"), status;
    char *p;

    close(fd);
    fd = open("mmap.r", O_RDONLY);
    if (mmap(0, PGSIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) != FAILED)
        fail("a writable mapping of a file that was opened to be read");
    if (mmap(0, PGSIZE, PROT_READ, MAP_PRIVATE, 99, 0) != FAILED)
        fail("a mapping of no file");
    p = map(fd, PROT_READ, MAP_PRIVATE);
    check(p);
    if (fork() == 0) {
        p[0] = 1;
        exit(0);
    }
    if (wait(&status) < 0 || status != -1)
        fail("a write to a read-only mapping");
    munmap(p, PAGES * PGSIZE);
    close(fd);
}

/* Two files, one mapped from its third page on; and what a child has of them. */
static void two_and_fork(void) {
    int one = make_file("mmap.1"), two = make_file("mmap.2"), status;
    char *p = map(one, PROT_READ | PROT_WRITE, MAP_SHARED);
    char *q = mmap(0, 2 * PGSIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, two, 2 * PGSIZE);

    if (q == FAILED || q[0] != 'C' || q[PGSIZE] != 'D')
        fail("an offset");
    if (fork() == 0) {
        check(p);
        p[0] = 's';
        q[0] = 'p';
        munmap(p, PGSIZE);
        exit(q[PGSIZE] != 'D');
    }
    if (wait(&status) < 0 || status != 0)
        fail("the child");
    if (p[0] != 's' || q[0] != 'C')
        fail("what the child wrote");
    if (p[PGSIZE] != 'B')
        fail("what the child unmapped");
    close(one);
    close(two);
    munmap(p, PAGES * PGSIZE);
    munmap(q, 2 * PGSIZE);
}

static void touches(void) {
    int fd = make_file("mmap.t"), status;
    char *p = map(fd, PROT_READ, MAP_PRIVATE);

    close(fd);
    munmap(p, PAGES * PGSIZE);
    if (fork() == 0)
        exit(p[0] == 'A');
    if (wait(&status) < 0 || status != -1)
        fail("a page that is mapped no more");
}

int main(void) {
    char name[] = "mmap.?";

    private_mapping();
    shared_mapping();
    read_only();
    two_and_fork();
    touches();
    for (const char *last = "psr12t"; *last; last++) {
        name[5] = *last;
        if (unlink(name) < 0)
            fail("unlink");
    }
    printf("mmaptest: ok\n");
    exit(0);
}
