/* hexdump [-n bytes] [file...]: offset, sixteen bytes in hexadecimal, and the characters; equal
 * lines are shown as one star. */
#include "user/lib/tool.h"

static long limit = -1;

static void print_line(uint64_t at, const uchar *b, long n) {
    out("%08lx ", at);
    for (long i = 0; i < 16; i++) {
        if (i == 8)
            out_char(' ');
        if (i < n)
            out(" %02x", b[i]);
        else
            out("   ");
    }
    out("  |");
    for (long i = 0; i < n; i++)
        out_char(b[i] >= ' ' && b[i] < 127 ? (char)b[i] : '.');
    out("|\n");
}

/* Reads until 16 bytes are there, the input ends or the limit is reached. */
static long read_line(int fd, uchar *b) {
    long have = 0, n;

    while (have < 16 && limit) {
        size_t want = limit > 0 && limit < 16 - have ? (size_t)limit : (size_t)(16 - have);
        n = sys_read(fd, b + have, want);
        if (n <= 0)
            return n < 0 ? n : have;
        have += n;
        limit -= limit > 0 ? n : 0;
    }
    return have;
}

static int hexdump(int fd, const char *name) {
    uchar b[16], last[16];
    uint64_t at = 0;
    bool starred = false;
    long n;

    while ((n = read_line(fd, b)) > 0) {
        bool same = at && n == 16 && memcmp(b, last, 16) == 0;
        if (!same)
            print_line(at, b, n);
        else if (!starred)
            out("*\n");
        starred = same;
        memcpy(last, b, 16);
        at += (uint64_t)n;
    }
    out("%08lx\n", at);
    return n < 0 ? complain(name, n) : 0;
}

int main(int argc, char **argv) {
    struct opts o = opts_start(argv, "Cn:", "[-n bytes] [file...]");

    (void)argc;
    for (int c; (c = opt_next(&o)) != 0;) {
        if (c == 'n' && !parse_num(o.arg, 10, &limit))
            die("%s: not a number", o.arg);
    }
    return each_input(o.argv, hexdump) | out_flush();
}
