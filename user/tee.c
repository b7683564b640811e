/* tee [-a] [file...]: copies standard input to standard output and to each file; -a to the end of
 * it. */
#include "user/lib/tool.h"
#include "abi/fcntl.h"

#define MAX_FILES 16

int main(int argc, char **argv) {
    struct opts o = opts_start(argv, "a", "[-a] [file...]");
    int flags = O_TRUNC, fds[MAX_FILES] = {1}, n = 1, status = 0;
    const char *names[MAX_FILES] = {"standard output"};
    static char buf[8192];
    long got, r;

    (void)argc;
    while (opt_next(&o))
        flags = O_APPEND;
    for (char **p = o.argv; *p && n < MAX_FILES; p++) {
        r = sys_openat(AT_FDCWD, *p, O_WRONLY | O_CREAT | flags, 0666);
        if (r < 0) {
            status = complain(*p, r);
            continue;
        }
        names[n] = *p;
        fds[n++] = (int)r;
    }
    while ((got = sys_read(0, buf, sizeof(buf))) > 0) {
        for (int i = 0; i < n; i++) {
            r = write_all(fds[i], buf, (size_t)got);
            if (r < 0)
                status = complain(names[i], r);
        }
    }
    return got < 0 ? complain("standard input", got) : status;
}
