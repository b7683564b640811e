/* tail [-n lines] [-c bytes] [file...]: the last lines, ten if not said otherwise; +N begins at
 * line or byte N. The input is kept whole in memory, so it may be a pipe. */
#include "user/lib/tool.h"

static long wanted = 10;
static bool by_bytes, from_start;

static char *read_whole(int fd, const char *name, size_t *len) {
    size_t size = 4096, have = 0;
    char *buf = xmalloc(size);
    long n;

    while ((n = sys_read(fd, buf + have, size - have)) > 0) {
        have += (size_t)n;
        if (have == size)
            buf = xrealloc(buf, size *= 2);
    }
    *len = have;
    if (n == 0)
        return buf;
    complain(name, n);
    free(buf);
    return 0;
}

static size_t start_of_lines(const char *buf, size_t len) {
    size_t at;
    long seen = 0;

    if (from_start) {
        for (at = 0; at < len && seen + 1 < wanted; at++)
            seen += buf[at] == '\n';
        return at;
    }
    for (at = len; at > 0; at--) {
        if (buf[at - 1] == '\n' && at != len && ++seen == wanted)
            break;
    }
    return wanted ? at : len;
}

static size_t start_of_bytes(size_t len) {
    size_t n = (size_t)wanted;

    if (from_start)
        return n > len ? len : n ? n - 1 : 0;
    return n > len ? 0 : len - n;
}

static int tail(int fd, const char *name) {
    size_t len, start;
    char *buf = read_whole(fd, name, &len);

    if (!buf)
        return 1;
    start = by_bytes ? start_of_bytes(len) : start_of_lines(buf, len);
    out_write(buf + start, len - start);
    free(buf);
    return 0;
}

static void set_wanted(const char *arg) {
    from_start = *arg == '+';
    if (!parse_num(arg, 10, &wanted))
        die("%s: not a number", arg);
    if (wanted < 0)
        wanted = -wanted;
}

int main(int argc, char **argv) {
    if (argc > 1 && argv[1][0] == '-' && argv[1][1] >= '0' && argv[1][1] <= '9') { /* tail -5 */
        set_wanted(argv[1] + 1);
        argv[1] = argv[0];
        argv++;
    }
    struct opts o = opts_start(argv, "n:c:", "[-n lines] [-c bytes] [file...]");
    for (int c; (c = opt_next(&o)) != 0;) {
        by_bytes = c == 'c';
        set_wanted(o.arg);
    }
    return each_input(o.argv, tail) | out_flush();
}
