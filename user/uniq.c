/* uniq [-cdu] [file]: joins equal lines that follow each other; -c with their number, -d only
 * repeated ones, -u only single ones. */
#include "user/lib/tool.h"

static bool counts, repeated, single;

static void print(const char *line, long n) {
    if (!line || (repeated && n < 2) || (single && n > 1))
        return;
    if (counts)
        out("%7ld ", n);
    out_write(line, strlen(line));
    out_char('\n');
}

static int uniq(int fd, const char *name) {
    struct reader r = {.fd = fd};
    char *line, *last = 0;
    long n = 0;

    while ((line = line_next(&r, 0))) {
        if (last && strcmp(last, line) == 0) {
            n++;
            continue;
        }
        print(last, n);
        free(last);
        last = xstrdup(line);
        n = 1;
    }
    print(last, n);
    free(last);
    reader_done(&r);
    return r.err ? complain(name, r.err) : 0;
}

int main(int argc, char **argv) {
    struct opts o = opts_start(argv, "cdu", "[-cdu] [file]");

    (void)argc;
    for (int c; (c = opt_next(&o)) != 0;) {
        counts |= c == 'c';
        repeated |= c == 'd';
        single |= c == 'u';
    }
    return each_input(o.argv, uniq) | out_flush();
}
