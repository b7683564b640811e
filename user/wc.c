/* wc [-clw] [file...]: counts lines, words and bytes. */
#include "user/lib/tool.h"

struct counts {
    long lines, words, bytes;
};

static bool show_lines, show_words, show_bytes;
static struct counts total;
static int files;

static void print_counts(const struct counts *c, const char *name) {
    if (show_lines)
        out("%7ld ", c->lines);
    if (show_words)
        out("%7ld ", c->words);
    if (show_bytes)
        out("%7ld ", c->bytes);
    out("%s\n", name);
}

static void count(struct counts *c, const char *buf, long n, bool *in_word) {
    c->bytes += n;
    for (; n > 0; n--, buf++) {
        bool blank = *buf == ' ' || (*buf >= '\t' && *buf <= '\r');
        c->lines += *buf == '\n';
        c->words += !blank && !*in_word;
        *in_word = !blank;
    }
}

static int wc(int fd, const char *name) {
    static char buf[8192];
    struct counts c = {0, 0, 0};
    bool in_word = false;
    long n;

    while ((n = sys_read(fd, buf, sizeof(buf))) > 0)
        count(&c, buf, n, &in_word);
    total.lines += c.lines;
    total.words += c.words;
    total.bytes += c.bytes;
    files++;
    print_counts(&c, strcmp(name, "-") == 0 ? "" : name);
    return n < 0 ? complain(name, n) : 0;
}

int main(int argc, char **argv) {
    struct opts o = opts_start(argv, "clw", "[-clw] [file...]");
    int status;

    (void)argc;
    for (int c; (c = opt_next(&o)) != 0;) {
        show_lines |= c == 'l';
        show_words |= c == 'w';
        show_bytes |= c == 'c';
    }
    if (!show_lines && !show_words && !show_bytes)
        show_lines = show_words = show_bytes = true;
    status = each_input(o.argv, wc);
    if (files > 1)
        print_counts(&total, "total");
    return status | out_flush();
}
