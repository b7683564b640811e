/* Input and output of our own tools: whole writes, buffered output, lines. */
#include "user/lib/tool.h"
#include "abi/fcntl.h"

long write_all(int fd, const void *buf, size_t n) {
    const char *p = buf;

    while (n) {
        long r = sys_write(fd, p, n);
        if (r == -EINTR)
            continue;
        if (r < 0)
            return r;
        p += r;
        n -= (size_t)r;
    }
    return 0;
}

long copy_fd(int in, int out, bool *reading) {
    static char buf[65536];
    long n, r;

    for (;;) {
        *reading = true;
        n = sys_read(in, buf, sizeof(buf));
        if (n == -EINTR)
            continue;
        if (n <= 0)
            return n;
        *reading = false;
        r = write_all(out, buf, (size_t)n);
        if (r < 0)
            return r;
    }
}

/* ---- buffered output */

static char out_buf[4096];
static size_t out_used;
static long out_err;

static void out_push(void) {
    if (!out_err)
        out_err = write_all(1, out_buf, out_used);
    out_used = 0;
}

void out_write(const void *buf, size_t n) {
    const char *p = buf;

    while (n) {
        size_t room = sizeof(out_buf) - out_used, part = n < room ? n : room;
        memcpy(out_buf + out_used, p, (uint)part);
        out_used += part;
        p += part;
        n -= part;
        if (out_used == sizeof(out_buf))
            out_push();
    }
}

void out_char(char c) { out_write(&c, 1); }

int out_flush(void) {
    long err;

    out_push();
    err = out_err;
    out_err = 0;
    return err ? complain("standard output", err) : 0;
}

/* ---- lines */

/* Makes room behind what the buffer holds, and reads; false at the end or on an error. */
static bool fill(struct reader *r) {
    long n;

    if (r->start) {
        memmove(r->buf, r->buf + r->start, (int)r->have);
        r->start = 0;
    }
    if (r->have + 1 >= r->size) {
        r->size = r->size ? r->size * 2 : 4096;
        r->buf = xrealloc(r->buf, r->size);
    }
    do
        n = sys_read(r->fd, r->buf + r->have, r->size - r->have - 1);
    while (n == -EINTR);
    if (n <= 0) {
        r->ended = true;
        r->err = n;
        return false;
    }
    r->have += (size_t)n;
    return true;
}

char *line_next(struct reader *r, size_t *len) {
    size_t searched = 0, n;
    char *line, *end = 0;

    for (;;) {
        if (r->buf)
            end = memchr(r->buf + r->start + searched, '\n', r->have - searched);
        if (end)
            break;
        searched = r->have;
        if (r->ended || !fill(r))
            break;
    }
    if (!end && !r->have)
        return 0;
    r->newline = end != 0;
    line = r->buf + r->start;
    n = end ? (size_t)(end - line) : r->have;
    line[n] = 0;
    r->start += n + r->newline;
    r->have -= n + r->newline;
    if (len)
        *len = n;
    return line;
}

void reader_done(struct reader *r) {
    free(r->buf);
    r->buf = 0;
}

/* ---- files */

long open_input(const char *path) {
    if (strcmp(path, "-") == 0)
        return 0;
    return sys_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
}

long read_file(const char *path, char *buf, size_t size) {
    long n = 0, total = 0, fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);

    if (fd < 0)
        return fd;
    while ((size_t)total + 1 < size &&
           (n = sys_read((int)fd, buf + total, size - 1 - (size_t)total)) > 0)
        total += n;
    sys_close((int)fd);
    buf[total] = 0;
    return n < 0 ? n : total;
}

int each_input(char **paths, int (*f)(int fd, const char *name)) {
    static char *stdin_only[] = {"-", 0};
    int status = 0;

    if (!*paths)
        paths = stdin_only;
    for (; *paths; paths++) {
        long fd = open_input(*paths);
        if (fd < 0) {
            status = complain(*paths, fd);
            continue;
        }
        status |= f((int)fd, *paths);
        if (fd > 0)
            sys_close((int)fd);
    }
    return status;
}
