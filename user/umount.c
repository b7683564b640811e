/* umount [-l] dir...: takes file systems out of the tree; -l at once, though they be in use until
 * later. */
#include "user/lib/tool.h"
#include "abi/mount.h"

int main(int argc, char **argv) {
    struct opts o = opts_start(argv, "l", "[-l] dir...");
    int flags = 0, status = 0;

    (void)argc;
    while (opt_next(&o))
        flags = MNT_DETACH;
    if (!*o.argv)
        die("no directory named");
    for (char **p = o.argv; *p; p++) {
        long r = sys_umount2(*p, flags);
        if (r < 0)
            status = complain(*p, r);
    }
    return status;
}
