/* sync [file...]: writes all that is dirty to the disks, or only what belongs to these files; then
 * its status tells of writes that failed. */
#include "user/lib/tool.h"
#include "abi/fcntl.h"

static long sync_one(const char *path) {
    long fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_NONBLOCK, 0), r = fd;

    if (fd >= 0) {
        r = sys_fsync((int)fd);
        sys_close((int)fd);
    }
    return r;
}

int main(int argc, char **argv) {
    struct opts o = opts_start(argv, "", "[file...]");
    int status = 0;

    (void)argc;
    opt_next(&o);
    if (!*o.argv)
        sys_sync();
    for (char **p = o.argv; *p; p++) {
        long r = sync_one(*p);
        if (r < 0)
            status = complain(*p, r);
    }
    return status;
}
