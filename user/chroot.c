/* chroot [-u uid] dir [program [argument...]]: runs a program, /bin/sh if none is named, in a tree
 * of its own; as another user, if told. */
#include "user/lib/tool.h"

int main(int argc, char **argv) {
    struct opts o = opts_start(argv, "u:", "[-u uid] dir [program [argument...]]");
    static char *shell[] = {"/bin/sh", 0};
    long uid = -1, r;
    char **program;

    (void)argc;
    while (opt_next(&o)) {
        if (!parse_num(o.arg, 10, &uid))
            die("%s: not a user number", o.arg);
    }
    if (!*o.argv)
        die("no directory named");
    r = sys_chroot(*o.argv);
    if (r == 0)
        r = sys_chdir("/");
    if (r < 0)
        return complain(*o.argv, r);
    if (uid >= 0) {
        r = sys_setgroups(0, 0);
        if (r == 0)
            r = sys_setgid((uint32_t)uid);
        if (r == 0)
            r = sys_setuid((uint32_t)uid);
        if (r < 0)
            return complain("user", r);
    }
    program = o.argv[1] ? o.argv + 1 : shell;
    r = exec_path(program);
    complain(*program, r);
    return r == -ENOENT ? 127 : 126;
}
