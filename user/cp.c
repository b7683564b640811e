/* cp [-rp] from... to: copies files, -r whole directories with their symbolic links and device
 * files, -p with times; into to, if that is a directory. */
#include "user/lib/tool.h"
#include "abi/fcntl.h"

static bool recursive, keep_times;

static int copy(const char *from, const char *to);

static int copy_file(const char *from, const char *to, uint32_t mode) {
    long in = sys_openat(AT_FDCWD, from, O_RDONLY, 0), fd, r;
    bool reading;

    if (in < 0)
        return complain(from, in);
    fd = sys_openat(AT_FDCWD, to, O_WRONLY | O_CREAT | O_TRUNC, mode & 0777);
    if (fd < 0) {
        sys_close((int)in);
        return complain(to, fd);
    }
    r = copy_fd((int)in, (int)fd, &reading);
    sys_close((int)in);
    sys_close((int)fd);
    return r < 0 ? complain(reading ? from : to, r) : 0;
}

static int copy_dir(const char *from, const char *to, uint32_t mode) {
    char *source = xmalloc(PATH_MAX), *target = xmalloc(PATH_MAX);
    struct dir d;
    struct abi_dirent *e;
    int status = 0;
    long r = sys_mkdirat(AT_FDCWD, to, (mode & 0777) | 0700);

    if (r == -EEXIST && is_dir(to))
        r = 0;
    if (r == 0)
        r = dir_open(&d, from);
    if (r < 0) {
        status = complain(to, r);
        goto out;
    }
    while ((e = dir_next(&d))) {
        if (is_dot(e->d_name))
            continue;
        if (!path_join(source, PATH_MAX, from, e->d_name) ||
            !path_join(target, PATH_MAX, to, e->d_name))
            status = complain(e->d_name, ENAMETOOLONG);
        else
            status |= copy(source, target);
    }
    dir_close(&d);
out:
    free(source);
    free(target);
    return status;
}

static int copy_link(const char *from, const char *to) {
    char target[1024];
    long r = sys_readlinkat(AT_FDCWD, from, target, sizeof(target) - 1);

    if (r < 0)
        return complain(from, r);
    target[r] = 0;
    r = sys_symlinkat(target, AT_FDCWD, to);
    return r < 0 ? complain(to, r) : 0;
}

static int copy_node(const struct abi_stat *st, const char *to) {
    long r = sys_mknodat(AT_FDCWD, to, st->st_mode, st->st_rdev);

    return r < 0 ? complain(to, r) : 0;
}

static int copy(const char *from, const char *to) {
    struct abi_stat st;
    int status;
    long r = sys_newfstatat(AT_FDCWD, from, &st, recursive ? AT_SYMLINK_NOFOLLOW : 0);

    if (r < 0)
        return complain(from, r);
    if (S_ISDIR(st.st_mode)) {
        if (!recursive)
            return complain(from, EISDIR);
        status = copy_dir(from, to, st.st_mode);
    } else if (S_ISLNK(st.st_mode)) {
        return copy_link(from, to);
    } else if (S_ISREG(st.st_mode) || !recursive) {
        status = copy_file(from, to, st.st_mode);
    } else {
        return copy_node(&st, to);
    }
    if (keep_times && !status) {
        struct timespec times[2] = {{st.st_atime, (int64_t)st.st_atime_nsec},
                                    {st.st_mtime, (int64_t)st.st_mtime_nsec}};
        sys_utimensat(AT_FDCWD, to, times, 0);
    }
    return status;
}

int main(int argc, char **argv) {
    struct opts o = opts_start(argv, "rRap", "[-rp] from... to");
    char **last, path[2048];
    int status = 0;
    bool into;

    (void)argc;
    for (int c; (c = opt_next(&o)) != 0;) {
        recursive |= c == 'r' || c == 'R' || c == 'a';
        keep_times |= c == 'p' || c == 'a';
    }
    if (!o.argv[0] || !o.argv[1])
        die("usage: cp [-rp] from... to");
    for (last = o.argv; last[1]; last++)
        ;
    into = is_dir(*last);
    if (!into && last - o.argv > 1)
        die("%s: %s", *last, errstr(ENOTDIR));
    for (char **p = o.argv; p < last; p++) {
        if (!into)
            status |= copy(*p, *last);
        else if (path_join(path, sizeof(path), *last, path_base(*p)))
            status |= copy(*p, path);
        else
            status = complain(*p, ENAMETOOLONG);
    }
    return status;
}
