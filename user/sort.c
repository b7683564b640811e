/* sort [-nru] [file...]: sorts lines by their bytes, -n by the number they begin with; -r
 * backwards; -u without doubles. */
#include "user/lib/tool.h"

static bool numeric, reverse, unique;
static char **lines;
static size_t count;

static long leading_number(const char *s) {
    while (*s == ' ' || *s == '\t')
        s++;
    return *s == '-' ? -atoi(s + 1) : atoi(s);
}

static int compare(const void *a, const void *b) {
    int r = 0;

    if (numeric) {
        long x = leading_number(a), y = leading_number(b);
        r = x < y ? -1 : x > y;
    }
    if (r == 0 && !(numeric && unique))
        r = strcmp(a, b);
    return reverse ? -r : r;
}

static int collect(int fd, const char *name) {
    struct reader r = {.fd = fd};
    char *line;

    while ((line = line_next(&r, 0))) {
        if ((count & (count - 1)) == 0)
            lines = xrealloc(lines, (count ? count * 2 : 1) * sizeof(*lines));
        lines[count++] = xstrdup(line);
    }
    reader_done(&r);
    return r.err ? complain(name, r.err) : 0;
}

int main(int argc, char **argv) {
    struct opts o = opts_start(argv, "nru", "[-nru] [file...]");
    int status;

    (void)argc;
    for (int c; (c = opt_next(&o)) != 0;) {
        numeric |= c == 'n';
        reverse |= c == 'r';
        unique |= c == 'u';
    }
    status = each_input(o.argv, collect);
    sort_pointers((void **)lines, count, compare);
    for (size_t i = 0; i < count; i++) {
        if (!unique || i == 0 || compare(lines[i - 1], lines[i]) != 0) {
            out_write(lines[i], strlen(lines[i]));
            out_char('\n');
        }
    }
    return status | out_flush();
}
