/* Paths, directories, patterns of file names. */
#include "user/lib/tool.h"
#include "abi/fcntl.h"

bool path_join(char *buf, size_t size, const char *dir, const char *name) {
    size_t n = strlen(dir);
    const char *slash = n && dir[n - 1] == '/' ? "" : "/";

    return (size_t)snprintf(buf, size, "%s%s%s", dir, slash, name) < size;
}

const char *path_base(const char *path) {
    const char *slash = strrchr(path, '/');

    return slash && slash[1] ? slash + 1 : path;
}

bool is_dot(const char *name) {
    return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

bool is_dir(const char *path) {
    struct abi_stat st;

    return sys_newfstatat(AT_FDCWD, path, &st, 0) == 0 && S_ISDIR(st.st_mode);
}

/* ---- directories */

long dir_open(struct dir *d, const char *path) {
    long fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);

    d->fd = (int)fd;
    d->have = d->pos = 0;
    return fd < 0 ? fd : 0;
}

struct abi_dirent *dir_next(struct dir *d) {
    struct abi_dirent *e;

    if (d->pos >= d->have) {
        d->have = sys_getdents64(d->fd, d->buf, sizeof(d->buf));
        d->pos = 0;
        if (d->have <= 0)
            return 0;
    }
    e = (struct abi_dirent *)(d->buf + d->pos);
    d->pos += e->d_reclen;
    return e;
}

void dir_close(struct dir *d) { sys_close(d->fd); }

/* ---- patterns */

/* Matches c with the set after '['; *end is then behind its ']', or null if it has none. */
static bool in_set(const char *p, char c, const char **end) {
    bool negated = *p == '!' || *p == '^', found = false;
    const char *first;

    p += negated;
    for (first = p; *p && (*p != ']' || p == first); p++) {
        if (p[1] == '-' && p[2] && p[2] != ']') {
            found |= c >= p[0] && c <= p[2];
            p += 2;
        } else {
            found |= *p == c;
        }
    }
    *end = *p ? p + 1 : 0;
    return found != negated;
}

/* After a star: goes back to the last one and lets it take one more character, so the time is not
 * exponential. */
static bool match_here(const char *p, const char *s) {
    const char *star = 0, *retry = 0, *end;

    for (;;) {
        if (*p == '*') {
            star = ++p;
            retry = s;
            continue;
        }
        if (!*s && !*p)
            return true;
        if (*s && *p == '?') {
            p++, s++;
            continue;
        }
        if (*s && *p == '[' && in_set(p + 1, *s, &end) && end) {
            p = end;
            s++;
            continue;
        }
        if (*p == '\\' && p[1] && p[1] == *s) {
            p += 2;
            s++;
            continue;
        }
        if (*s && *p == *s && *p != '\\') {
            p++, s++;
            continue;
        }
        if (!star || !*retry)
            return false;
        p = star;
        s = ++retry;
    }
}

bool glob_match(const char *pattern, const char *s) {
    if (*s == '.' && *pattern != '.' && !(*pattern == '\\' && pattern[1] == '.'))
        return false;
    return match_here(pattern, s);
}
