/* rm [-rf] file...: removes files, -r whole directories; -f does not mind if they are not there. */
#include "user/lib/tool.h"
#include "abi/fcntl.h"

static bool recursive, force;

static int remove_path(const char *path);

static int remove_dir(const char *path) {
    struct dir d;
    struct abi_dirent *e;
    char *full = xmalloc(PATH_MAX);
    int status = 0;
    long r = dir_open(&d, path);

    if (r < 0) {
        free(full);
        return complain(path, r);
    }
    while ((e = dir_next(&d))) {
        if (is_dot(e->d_name))
            continue;
        if (path_join(full, PATH_MAX, path, e->d_name))
            status |= remove_path(full);
        else
            status = complain(e->d_name, ENAMETOOLONG);
    }
    dir_close(&d);
    free(full);
    r = sys_unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
    return r < 0 ? complain(path, r) : status;
}

static int remove_path(const char *path) {
    long r = sys_unlinkat(AT_FDCWD, path, 0);

    if ((r == -EISDIR || r == -EPERM) && recursive)
        return remove_dir(path);
    if (r < 0 && !(force && r == -ENOENT))
        return complain(path, r);
    return 0;
}

int main(int argc, char **argv) {
    struct opts o = opts_start(argv, "rRf", "[-rf] file...");
    int status = 0;

    (void)argc;
    for (int c; (c = opt_next(&o)) != 0;) {
        recursive |= c == 'r' || c == 'R';
        force |= c == 'f';
    }
    if (!*o.argv && !force)
        die("no file named");
    for (char **p = o.argv; *p; p++) {
        if (is_dot(path_base(*p)))
            status = complain(*p, EINVAL);
        else
            status |= remove_path(*p);
    }
    return status;
}
