/* head [-n lines] [-c bytes] [file...]: the first lines, ten if not said otherwise. */
#include "user/lib/tool.h"

static long lines = 10, bytes = -1;

static int head_bytes(int fd, const char *name) {
    char buf[4096];
    long n = 0, left = bytes;

    while (left > 0 && (n = sys_read(fd, buf, left < 4096 ? (size_t)left : 4096)) > 0) {
        out_write(buf, (size_t)n);
        left -= n;
    }
    return n < 0 ? complain(name, n) : 0;
}

static int head(int fd, const char *name) {
    struct reader r = {.fd = fd};
    size_t len;
    char *line;

    if (bytes >= 0)
        return head_bytes(fd, name);
    for (long n = 0; n < lines && (line = line_next(&r, &len)); n++) {
        out_write(line, len);
        if (r.newline)
            out_char('\n');
    }
    reader_done(&r);
    return r.err ? complain(name, r.err) : 0;
}

int main(int argc, char **argv) {
    long n;

    if (argc > 1 && argv[1][0] == '-' && parse_num(argv[1] + 1, 10, &n)) { /* head -5 */
        lines = n;
        argv[1] = argv[0];
        argv++;
    }
    struct opts o = opts_start(argv, "n:c:", "[-n lines] [-c bytes] [file...]");
    for (int c; (c = opt_next(&o)) != 0;) {
        if (!parse_num(o.arg, 10, c == 'n' ? &lines : &bytes))
            die("%s: not a number", o.arg);
    }
    return each_input(o.argv, head) | out_flush();
}
