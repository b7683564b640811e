// Without a C library: exactly these system calls, for the test of /proc/trace/strace.
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>

static long call(long nr, long a, long b, long c, long d, long e, long f) {
    register long a0 __asm__("a0") = a, a1 __asm__("a1") = b, a2 __asm__("a2") = c,
                     a3 __asm__("a3") = d, a4 __asm__("a4") = e, a5 __asm__("a5") = f,
                     a7 __asm__("a7") = nr;
    __asm__ volatile("ecall"
                     : "+r"(a0)
                     : "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5), "r"(a7)
                     : "memory");
    return a0;
}
#define CALL(nr, a, b, c, d, e, f)                                                                 \
    call(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define CALL3(nr, a, b, c) CALL(nr, a, b, c, 0, 0, 0)

static char buf[64];
#define PAGE 0x10000000l

static void files(void) {
    CALL3(SYS_openat, AT_FDCWD, "/nowhere", O_RDONLY | O_CLOEXEC);
    long fd = CALL(SYS_openat, AT_FDCWD, "/tmp/calls", O_RDWR | O_CREAT | O_TRUNC, 0644, 0, 0);
    CALL3(SYS_write, fd, "0123456789abcdef0123456789ABCDEF!", 33);
    CALL3(SYS_lseek, fd, -3, SEEK_END);
    CALL3(SYS_read, fd, buf, sizeof(buf));
    CALL3(SYS_write, fd, "a \"b\"\\\n\1", 8);
    CALL3(SYS_write, fd, NULL, 5);
    CALL3(SYS_openat, fd, "relative", O_WRONLY | O_APPEND | O_NONBLOCK);
    CALL3(SYS_close, fd, 0, 0);
    CALL3(SYS_close, fd, 0, 0);
    CALL3(SYS_unlinkat, AT_FDCWD, "/tmp/calls", 0);
}

static void memory(void) {
    CALL(SYS_mmap, PAGE, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
         0);
    CALL3(SYS_mprotect, PAGE, 4096, PROT_NONE);
    CALL3(SYS_munmap, PAGE, 4096, 0);
}

static void processes(void) {
    static char *const argv[] = {"one", "two words", NULL};
    CALL3(SYS_kill, 1, 0, 0);
    CALL3(SYS_kill, -5000, SIGTERM, 0);
    CALL3(SYS_execve, "/tmp/nothing", argv, NULL);
    if (CALL(SYS_clone, SIGCHLD, 0, 0, 0, 0, 0) == 0)
        CALL3(SYS_exit, 4, 0, 0);
    CALL(SYS_wait4, -1, NULL, 0, NULL, 0, 0);
    CALL(SYS_wait4, -1, NULL, 1, NULL, 0, 0);
    CALL3(SYS_io_setup, 1, 2, 3);  // not there
}

void _start(void) {
    files();
    memory();
    processes();
    CALL3(SYS_exit_group, 3, 0, 0);
}
