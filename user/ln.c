/* ln [-sf] old [new]: makes a hard link, -s a symbolic one; -f removes what is in the way. A
 * directory as new means a name in it. */
#include "user/lib/tool.h"
#include "abi/fcntl.h"

int main(int argc, char **argv) {
    struct opts o = opts_start(argv, "sf", "[-sf] old [new]");
    bool symbolic = false, force = false;
    char path[1024];
    const char *old, *new;
    long r;

    (void)argc;
    for (int c; (c = opt_next(&o)) != 0;) {
        symbolic |= c == 's';
        force |= c == 'f';
    }
    if (!o.argv[0] || (o.argv[1] && o.argv[2]))
        die("usage: ln [-sf] old [new]");
    old = o.argv[0];
    new = o.argv[1] ? o.argv[1] : path_base(old);
    if (is_dir(new)) {
        if (!path_join(path, sizeof(path), new, path_base(old)))
            die("%s: name too long", new);
        new = path;
    }
    if (force)
        sys_unlinkat(AT_FDCWD, new, 0);
    r = symbolic ? sys_symlinkat(old, AT_FDCWD, new) : sys_linkat(AT_FDCWD, old, AT_FDCWD, new, 0);
    return r < 0 ? complain(new, r) : 0;
}
