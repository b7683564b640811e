/* touch [-c] [-d seconds] file...: makes files, or sets their times to now, or to so many seconds
 * after 1970. -c makes none. */
#include "user/lib/tool.h"
#include "abi/fcntl.h"

int main(int argc, char **argv) {
    struct opts o = opts_start(argv, "cd:", "[-c] [-d seconds] file...");
    struct timespec times[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}};
    bool make = true;
    int status = 0;

    (void)argc;
    for (int c; (c = opt_next(&o)) != 0;) {
        if (c == 'c') {
            make = false;
        } else {
            if (!parse_num(o.arg, 10, &times[0].tv_sec))
                die("%s: not a number of seconds", o.arg);
            times[0].tv_nsec = 0;
            times[1] = times[0];
        }
    }
    if (!*o.argv)
        die("no file named");
    for (char **p = o.argv; *p; p++) {
        long r = sys_utimensat(AT_FDCWD, *p, times, 0);
        if (r == -ENOENT && make) {
            r = sys_openat(AT_FDCWD, *p, O_WRONLY | O_CREAT | O_NONBLOCK, 0666);
            if (r >= 0) {
                sys_close((int)r);
                r = sys_utimensat(AT_FDCWD, *p, times, 0);
            }
        }
        if (r < 0 && !(r == -ENOENT && !make))
            status = complain(*p, r);
    }
    return status;
}
