/* init: the first program. Opens the console as descriptors 0, 1 and 2, runs a shell on it in a
 * session of its own, another one when that ends, and reaps whatever is left without a parent.
 * Signals that would end it, it leaves to the shell's session by being in another one.
 *
 * A shell that fails at once is started again after a second, so that a broken disk does not fill
 * the console. */
#include "user/lib/tool.h"
#include "abi/fcntl.h"
#include "abi/termios.h"
#include "abi/wait.h"

#define CONSOLE "/dev/console"

static void open_console(int flags) {
    long fd = sys_openat(AT_FDCWD, CONSOLE, O_RDWR | flags, 0);

    if (fd < 0) { /* a tree without /dev: make the device */
        sys_mknodat(AT_FDCWD, "/console", S_IFCHR | 0600, ABI_MAKEDEV(5, 1));
        fd = sys_openat(AT_FDCWD, "/console", O_RDWR | flags, 0);
    }
    if (fd < 0)
        return;
    for (int i = 0; i < 3; i++) {
        if (i != fd)
            sys_dup3((int)fd, i, 0);
    }
    if (fd > 2)
        sys_close((int)fd);
}

static void run_shell(void) {
    static char *argv[] = {"-sh", 0};
    static char *env[] = {"PATH=/bin:/sbin:/usr/bin:/usr/sbin", "HOME=/root", "TERM=vt100", 0};
    long r;

    sys_setsid();
    sys_close_range(0, ~0u, 0);
    open_console(0);
    sys_ioctl(0, TIOCSCTTY, 0);
    if (sys_chdir("/root") < 0)
        sys_chdir("/");
    r = sys_execve("/bin/sh", argv, env);
    complain("/bin/sh", r);
    exit(1);
}

int main(int argc, char **argv) {
    (void)argc;
    tool_name(argv[0]);
    open_console(O_NOCTTY);
    for (;;) {
        int pid = fork(), status;
        int64_t started = uptime();

        if (pid == 0)
            run_shell();
        if (pid < 0)
            warn("cannot start a shell");
        while (pid > 0 && sys_wait4(-1, &status, 0, 0) != pid)
            ;
        if (uptime() - started < 5)
            sleep(10);
    }
}
