/* nice [-n N] command...: runs a command with N (10) added to its niceness, nice(1); without a
 * command, prints our own. */
#include "user/lib/tool.h"
#include "abi/resource.h"

int main(int argc, char **argv) {
    struct opts o = opts_start(argv, "n:", "[-n N] [command...]");
    long add = 10, r, now = 20 - sys_getpriority(PRIO_PROCESS, 0);

    (void)argc;
    while (opt_next(&o)) {
        if (!parse_num(o.arg, 10, &add))
            die("%s: not a number", o.arg);
    }
    if (!*o.argv) {
        printf("%ld\n", now);
        return 0;
    }
    add = add < -40 ? -40 : add > 40 ? 40 : add;
    r = sys_setpriority(PRIO_PROCESS, 0, (int)(now + add));
    if (r < 0)
        complain("cannot set niceness", r); /* and runs it all the same, as nice(1) wants */
    r = exec_path(o.argv);
    complain(o.argv[0], r);
    return r == -ENOENT ? 127 : 126;
}
