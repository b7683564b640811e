/* xv6test: does a program written to xv6's API find what xv6 has? One check for each oddity that
 * user/lib/xv6.c smooths over. This file includes only xv6's headers. */
#include "kernel/param.h"
#include "kernel/types.h"
#include "kernel/stat.h"
#include "kernel/fcntl.h"
#include "kernel/fs.h"
#include "kernel/syscall.h"
#include "kernel/memlayout.h"
#include "kernel/riscv.h"
#include "user/user.h"

#define BAD ((char *)0xeaeb0b5b00002f5eUL)

static int failures;
static char buf[8192];

static void check(int good, const char *what) {
    if (!good) {
        printf("xv6test: FAIL %s\n", what);
        failures++;
    }
}

/* Runs f in a child: what wait says of it. */
static int status_of(void (*f)(void)) {
    int status = 12345, pid = fork();

    if (pid == 0) {
        f();
        exit(0);
    }
    check(wait(&status) == pid, "wait gives the child");
    return status;
}

static void exit_747(void) { exit(747); }
static void exit_minus(void) { exit(-1); }
static void read_null(void) { (void)*(volatile char *)0; }
static void write_text(void) { *(volatile char *)exit_747 = 1; }
static void below_stack(void) { (void)*(volatile char *)(r_sp() - USERSTACK * PGSIZE); }
static void kernel_memory(void) { (void)*(volatile char *)KERNBASE; }
static void beyond_maxva(void) { *(volatile char *)MAXVA = 1; }

static void statuses(void) {
    int whole = status_of(exit_747);

    check(whole == 747 || whole == (747 & 0xff),
          "exit status"); /* the second: a kernel without xv6_wait */
    if (whole != 747)
        printf("xv6test: this kernel keeps 8 bits of the exit status\n");
    else
        check(status_of(exit_minus) == -1, "exit(-1)");
    check(status_of(read_null) == -1, "null read kills");
    check(status_of(write_text) == -1, "write to text kills");
    check(status_of(below_stack) == -1, "guard page below the stack");
    check(status_of(kernel_memory) == -1, "kernel memory");
    check(status_of(beyond_maxva) == -1, "MAXVA");
    check(wait(0) == -1, "wait without children");
    check(kill(0) == -1 && kill(-1) == -1 && kill(999999) == -1, "kill of no process");
    check(sizeof(struct stat) == 24 && sizeof(struct dirent) == 16, "sizes of structures");
}

static void pipes(void) {
    int fds[2];

    check(pipe(fds) == 0 && write(fds[1], "xy", 2) == 2 && read(fds[0], buf, 10) == 2, "pipe");
    close(fds[0]);
    check(write(fds[1], "x", 1) == -1, "write to a closed pipe gives -1, not a signal");
    close(fds[1]);
    check(pipe((int *)BAD) == -1, "pipe to a bad address");
    check(read(99, buf, 1) == -1 && close(99) == -1 && dup(99) == -1, "bad descriptors");
}

static void files(void) {
    struct stat st;
    int fd = open("a-name-of-more-than-14", O_CREATE | O_RDWR);

    check(fd >= 0 && write(fd, buf, 100) == 100, "create and write");
    check(fstat(fd, &st) == 0 && st.type == T_FILE && st.size == 100 && st.nlink == 1, "fstat");
    check(fstat(fd, (struct stat *)BAD) == -1, "fstat to a bad address");
    close(fd);
    fd = open("a-name-of-more", O_RDONLY);
    check(fd >= 0, "names are cut to 14 characters");
    check(write(fd, buf, 1) == -1, "write to a read-only descriptor");
    close(fd);
    int other = open("a-name-of-more", O_RDWR);
    fd = open("a-name-of-more", O_RDWR | O_TRUNC);
    check(read(other, buf, 10) == 0, "truncated");
    check(write(fd, buf, 50) == 50 && read(other, buf, 50) == 50, "offsets are separate");
    close(open("a-name-of-more", O_WRONLY | O_TRUNC));
    check(write(fd, buf, 1) == -1, "write beyond the end");
    close(fd);
    close(other);
    check(unlink("a-name-of-more") == 0 && open("a-name-of-more", O_RDONLY) == -1, "unlink");
}

static void bad_paths(void) {
    char path[MAXPATH + 10];

    memset(path, 'x', sizeof(path));
    path[MAXPATH] = 0;
    check(open(path, O_CREATE) == -1 && unlink(path) == -1 && link(path, path) == -1, "long path");
    check(open(BAD, 0) == -1 && unlink(BAD) == -1 && mkdir(BAD) == -1 && chdir(BAD) == -1,
          "bad path");
    check(open((char *)KERNBASE, 0) == -1 && open((char *)-1, 0) == -1, "kernel's path");
    char *top = sbrk(PGSIZE - (uint64)sbrk(0) % PGSIZE + PGSIZE);
    top = sbrk(0) - 1;
    *top = 'x';
    check(unlink(top) == -1, "a path that runs off the end of memory");
}

static void directories(void) {
    struct dirent de;
    int fd, dots = 0, names = 0;

    check(mkdir("dir") == 0 && mkdir("dir") == -1, "mkdir");
    check(open("dir", O_RDWR) == -1 && open("dir", O_CREATE) == -1,
          "directories open for reading only");
    for (int i = 0; i < 30; i++) {
        char name[] = "dir/fXX";
        name[5] = (char)('0' + i / 10);
        name[6] = (char)('0' + i % 10);
        close(open(name, O_CREATE));
    }
    fd = open("dir", 0);
    while (read(fd, &de, sizeof(de)) == sizeof(de)) {
        check(de.inum != 0, "inum");
        dots += de.name[0] == '.';
        names += de.name[0] == 'f';
    }
    close(fd);
    check(dots == 2 && names == 30, "read of a directory");
    check(unlink("dir") == -1, "unlink of a full directory");
    for (int i = 0; i < 30; i++) {
        char name[] = "dir/fXX";
        name[5] = (char)('0' + i / 10);
        name[6] = (char)('0' + i % 10);
        check(unlink(name) == 0, "unlink in a directory");
    }
    check(link("dir", "other") == -1, "link of a directory");
    check(unlink("dir/.") == -1 && unlink("dir/..") == -1, "unlink of . and ..");
    check(chdir("dir") == 0 && unlink("../dir") == 0 && chdir("/") == 0, "unlink of the cwd");
}

static void touch_freed(void) {
    char *p = sbrk(2 * PGSIZE);
    sbrk(-2 * PGSIZE);
    *p = 1;
}

static void memory(void) {
    char *start = sbrk(0), *p;

    check((uint64)start < 100000000 && ((uint64)start & (PGSIZE - 1)) == 0, "the heap starts low");
    (void)*(volatile char *)(start - 1); /* the byte below the heap is there */
    check(sbrk(10 * PGSIZE) == start, "sbrk gives the old end");
    start[10 * PGSIZE - 1] = 1;
    check(sbrk(-10 * PGSIZE) == start + 10 * PGSIZE && sbrk(0) == start, "sbrk shrinks");
    check(sbrk((int)0x80000004) == start && sbrk(0) == start, "sbrk wraps around");
    check(status_of(touch_freed) == -1, "freed pages are gone");
    p = sbrk(PGSIZE);
    check(*p == 0, "new pages are zero");
    check(sbrk(0x7ffff000) == SBRK_ERROR, "sbrk fails when memory is out");
    p = sbrklazy(1 << 30);
    check(p != SBRK_ERROR, "sbrklazy of 1 GB");
    if (p != SBRK_ERROR) {
        p[500 << 20] = 7;
        check(p[500 << 20] == 7 && p[400 << 20] == 0, "lazy pages");
        check(open(p + (300 << 20), 0) == -1, "a path in an untouched page");
        sbrk(-(1 << 30));
    }
    sbrk((int)(start - sbrk(0)));
    int blocks = 0;
    void *list = 0, *m;
    while (blocks < 2000 && (m = malloc(10001)) != 0) {
        *(void **)m = list;
        list = m;
        blocks++;
    }
    check(blocks > 100, "malloc");
    for (; list; list = m) {
        m = *(void **)list;
        free(list);
    }
}

static void programs(void) {
    static char big[5000];
    char *argv[MAXARG + 2], *none[] = {0}, *echo[] = {"echo", "-n", 0};
    int pid = fork(), status;

    if (pid == 0) {
        exec("/bin/echo", echo);
        exec("/echo", echo);
        exit(9);
    }
    wait(&status);
    check(status == 0, "exec");
    check(exec("nothing", none) == -1, "exec of nothing");
    check(exec(BAD, none) == -1 && exec("/bin/echo", (char **)BAD) == -1, "exec of bad pointers");
    argv[0] = (char *)0xffffffff;
    argv[1] = 0;
    for (int i = 0; i < 1000; i++)
        check(exec("/bin/echo", argv) == -1, "exec with a bad argument");
    memset(big, 'x', sizeof(big) - 1);
    argv[0] = big;
    check(exec("/bin/echo", argv) == -1, "exec with an argument of more than a page");
    for (int i = 0; i <= MAXARG; i++)
        argv[i] = "x";
    argv[MAXARG + 1] = 0;
    check(exec("/bin/echo", argv) == -1, "exec with too many arguments");
}

static void forks(void) {
    int n = 0, pid;

    while (n < 1000 && (pid = fork()) >= 0) {
        if (pid == 0) {
            sleep(1000);
            exit(0);
        }
        n++;
        if (n > 900)
            break;
    }
    check(n < 900, "fork fails in time");
    check(n >= 8, "fork works some times");
    /* The children sleep: end them by number. */
    for (int i = 0, p = getpid() + 1; i < n && p < getpid() + 5000; p++) {
        if (kill(p) == 0)
            i++;
    }
    while (n > 0 && wait(0) > 0)
        n--;
    check(n == 0, "all children end");
}

static void the_rest(void) {
    int before, took, tries = 0;

    do { /* a host may stop the machine for some time, but not always */
        before = uptime();
        sleep(3);
        took = uptime() - before;
        check(took >= 3, "sleep");
    } while (took >= 50 && ++tries < 10);
    check(took < 50, "sleep and uptime");
    check(strlen("abc") == 3 && strcmp("a", "b") < 0 && atoi("42x") == 42 && strchr("abc", 'b'),
          "strings");
    memmove(buf, "0123456789", 10);
    memmove(buf + 2, buf, 8);
    check(memcmp(buf, "0101234567", 10) == 0, "memmove");
}

int main(int argc, char **argv) {
    (void)argc;
    (void)argv;
    statuses();
    pipes();
    files();
    bad_paths();
    directories();
    memory();
    programs();
    forks();
    the_rest();
    printf(failures ? "xv6test: %d failures\n" : "xv6test: ok\n", failures);
    exit(failures != 0);
}
