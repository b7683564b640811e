/* mv old... new: renames; into new, if that is a directory. Files on another file system are
 * copied by cp, not here. */
#include "user/lib/tool.h"
#include "abi/fcntl.h"

int main(int argc, char **argv) {
    struct opts o = opts_start(argv, "f", "old... new");
    char **last, path[2048];
    int status = 0;
    bool into;

    (void)argc;
    while (opt_next(&o))
        ;
    if (!o.argv[0] || !o.argv[1])
        die("usage: mv old... new");
    for (last = o.argv; last[1]; last++)
        ;
    into = is_dir(*last);
    if (!into && last - o.argv > 1)
        die("%s: %s", *last, errstr(ENOTDIR));
    for (char **p = o.argv; p < last; p++) {
        const char *to = *last;
        long r = -ENAMETOOLONG;
        if (into && path_join(path, sizeof(path), *last, path_base(*p)))
            to = path;
        if (!into || to == path)
            r = sys_renameat2(AT_FDCWD, *p, AT_FDCWD, to, 0);
        if (r < 0)
            status = complain(*p, r);
    }
    return status;
}
