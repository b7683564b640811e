/* mkdir [-p] [-m mode] dir...: makes directories; -p also those above, and does not mind if they
 * are there. */
#include "user/lib/tool.h"
#include "abi/fcntl.h"

static long make(const char *path, uint32_t mode) { return sys_mkdirat(AT_FDCWD, path, mode); }

/* Makes each prefix that ends before a slash. */
static long make_parents(const char *path) {
    char *copy = xstrdup(path);
    long r = 0;

    for (char *p = copy + 1; *p && r == 0; p++) {
        if (*p != '/')
            continue;
        *p = 0;
        r = make(copy, 0777);
        if (r == -EEXIST)
            r = 0;
        *p = '/';
    }
    free(copy);
    return r;
}

int main(int argc, char **argv) {
    struct opts o = opts_start(argv, "pm:", "[-p] [-m mode] dir...");
    bool parents = false;
    long mode = 0777, r;
    int status = 0;

    (void)argc;
    for (int c; (c = opt_next(&o)) != 0;) {
        parents |= c == 'p';
        if (c == 'm' && !parse_num(o.arg, 8, &mode))
            die("%s: not a mode", o.arg);
    }
    if (!*o.argv)
        die("no directory named");
    for (char **p = o.argv; *p; p++) {
        r = parents && **p ? make_parents(*p) : 0;
        if (r == 0)
            r = make(*p, (uint32_t)mode);
        if (r < 0 && !(parents && r == -EEXIST && is_dir(*p)))
            status = complain(*p, r);
    }
    return status;
}
