/* grep [-cilnqv] pattern [file...]: prints the lines that match; 0 if there was one, 1 if not, 2
 * on an error.
 *
 * Patterns are basic regular expressions: . [set] * ^ $ and backslash. The matcher walks pattern
 * and line together and goes back only for stars. */
#include "user/lib/tool.h"

static bool count_only, ignore_case, names_only, numbers, quiet, inverted, many_files, found;
static const char *pattern;

static char fold(char c) { return ignore_case && c >= 'A' && c <= 'Z' ? (char)(c + 32) : c; }

/* The end of the piece of pattern that matches one character. */
static const char *piece_end(const char *p) {
    if (*p == '\\' && p[1])
        return p + 2;
    if (*p == '[') {
        const char *q = p + 1 + (p[1] == '^');
        for (q += *q == ']'; *q && *q != ']'; q++)
            ;
        if (*q)
            return q + 1;
    }
    return p + 1;
}

static bool in_set(const char *p, const char *end, char c) {
    bool negated = *p == '^', in = false;

    for (p += negated; p < end; p++) {
        if (p + 2 < end && p[1] == '-') {
            in |= c >= fold(p[0]) && c <= fold(p[2]);
            p += 2;
        } else {
            in |= c == fold(*p);
        }
    }
    return in != negated;
}

static bool piece_matches(const char *p, const char *end, char c) {
    c = fold(c);
    if (*p == '\\' && end == p + 2)
        return c == fold(p[1]);
    if (*p == '[' && end > p + 1)
        return in_set(p + 1, end - 1, c);
    return *p == '.' || fold(*p) == c;
}

static bool match_here(const char *p, const char *s) {
    for (;;) {
        const char *end, *from = s;

        if (!*p)
            return true;
        if (*p == '$' && !p[1])
            return !*s;
        end = piece_end(p);
        if (*end == '*') {
            while (*s && piece_matches(p, end, *s))
                s++;
            for (; s >= from; s--) {
                if (match_here(end + 1, s))
                    return true;
            }
            return false;
        }
        if (!*s || !piece_matches(p, end, *s))
            return false;
        p = end;
        s++;
    }
}

static bool matches(const char *line) {
    if (*pattern == '^')
        return match_here(pattern + 1, line);
    do {
        if (match_here(pattern, line))
            return true;
    } while (*line++);
    return false;
}

static void print_line(const char *name, long number, const char *line) {
    if (many_files)
        out("%s:", name);
    if (numbers)
        out("%ld:", number);
    out_write(line, strlen(line));
    out_char('\n');
}

static int grep(int fd, const char *name) {
    struct reader r = {.fd = fd};
    long number = 0, count = 0;
    char *line;

    while ((line = line_next(&r, 0))) {
        number++;
        if (matches(line) == inverted)
            continue;
        count++;
        if (quiet || names_only)
            break;
        if (!count_only)
            print_line(name, number, line);
    }
    if (names_only && count)
        out("%s\n", name);
    if (count_only && many_files)
        out("%s:", name);
    if (count_only)
        out("%ld\n", count);
    found |= count > 0;
    reader_done(&r);
    return r.err ? complain(name, r.err) : 0;
}

int main(int argc, char **argv) {
    struct opts o = opts_start(argv, "cilnqv", "[-cilnqv] pattern [file...]");
    int status;

    (void)argc;
    for (int c; (c = opt_next(&o)) != 0;) {
        count_only |= c == 'c';
        ignore_case |= c == 'i';
        names_only |= c == 'l';
        numbers |= c == 'n';
        quiet |= c == 'q';
        inverted |= c == 'v';
    }
    if (!*o.argv)
        die("no pattern");
    pattern = *o.argv++;
    many_files = o.argv[0] && o.argv[1];
    status = each_input(o.argv, grep) | out_flush();
    return status ? 2 : !found;
}
