/* ls [-aAdil1] [file...]: lists directories, sorted by name. -l type and mode, links, owner,
 * group, size or device numbers, time; -i inode numbers; -a and -A names that begin with a dot; -d
 * directories themselves. */
#include "user/lib/tool.h"
#include "abi/fcntl.h"

static bool all, almost_all, self, inodes, wide;

static void print_mode(uint32_t mode) {
    static const char types[] = "?pc?d?b?-?l?s???";
    char text[11] = "----------";

    text[0] = types[(mode & S_IFMT) >> 12];
    for (int bit = 0; bit < 9; bit++) {
        if (mode & (0400u >> bit))
            text[1 + bit] = "rwx"[bit % 3];
    }
    if (mode & S_ISUID)
        text[3] = text[3] == 'x' ? 's' : 'S';
    if (mode & S_ISGID)
        text[6] = text[6] == 'x' ? 's' : 'S';
    if (mode & S_ISVTX)
        text[9] = text[9] == 'x' ? 't' : 'T';
    out("%s", text);
}

static void print_long(const struct abi_stat *st) {
    struct date d = date_of(st->st_mtime);
    char user[32], group[32];

    print_mode(st->st_mode);
    out(" %3u %-8s %-8s ", st->st_nlink, id_name("/etc/passwd", st->st_uid, user, sizeof(user)),
        id_name("/etc/group", st->st_gid, group, sizeof(group)));
    if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode))
        out("%3u, %4u", ABI_MAJOR(st->st_rdev), ABI_MINOR(st->st_rdev));
    else
        out("%9ld", st->st_size);
    out(" %d-%02d-%02d %02d:%02d ", d.year, d.month, d.day, d.hour, d.minute);
}

static int print_entry(const char *path, const char *name) {
    struct abi_stat st;
    char target[1024];
    long r = sys_newfstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW);

    if (r < 0)
        return complain(path, r);
    if (inodes)
        out("%6lu ", st.st_ino);
    if (wide)
        print_long(&st);
    out("%s", name);
    if (wide && S_ISLNK(st.st_mode)) {
        r = sys_readlinkat(AT_FDCWD, path, target, sizeof(target));
        out(" -> %.*s", r > 0 ? (int)r : 0, target);
    }
    out_char('\n');
    return 0;
}

static bool wanted(const char *name) {
    return name[0] != '.' || all || (almost_all && !is_dot(name));
}

static int by_name(const void *a, const void *b) { return strcmp(a, b); }

static int list_dir(const char *path) {
    struct dir d;
    struct abi_dirent *e;
    char **names = 0, full[2048];
    size_t n = 0;
    int status = 0;
    long r = dir_open(&d, path);

    if (r < 0)
        return complain(path, r);
    while ((e = dir_next(&d))) {
        if (!wanted(e->d_name))
            continue;
        if ((n & (n - 1)) == 0)
            names = xrealloc(names, (n ? n * 2 : 1) * sizeof(*names));
        names[n++] = xstrdup(e->d_name);
    }
    if (d.have < 0)
        status = complain(path, d.have);
    dir_close(&d);
    sort_pointers((void **)names, n, by_name);
    for (size_t i = 0; i < n; i++) {
        if (path_join(full, sizeof(full), path, names[i]))
            status |= print_entry(full, names[i]);
        free(names[i]);
    }
    free(names);
    return status;
}

static int list(const char *path, bool heading) {
    if (self || !is_dir(path))
        return print_entry(path, path);
    if (heading)
        out("%s:\n", path);
    return list_dir(path);
}

int main(int argc, char **argv) {
    struct opts o = opts_start(argv, "aAdil1", "[-aAdil1] [file...]");
    int status = 0;

    (void)argc;
    for (int c; (c = opt_next(&o)) != 0;) {
        all |= c == 'a';
        almost_all |= c == 'A';
        self |= c == 'd';
        inodes |= c == 'i';
        wide |= c == 'l';
    }
    if (!*o.argv)
        status = list(".", false);
    for (char **p = o.argv; *p; p++)
        status |= list(*p, o.argv[1] != 0);
    return status | out_flush();
}
