/* Small things that our own tools share: messages, options, numbers, memory that cannot fail. */
#include "user/lib/tool.h"

static const char *name = "?";

static const char *const error_texts[] = {
#define ERROR(name, meaning) [name] = meaning,
#include "abi/errors.def"
};

const char *errstr(long err) {
    static char unknown[32];

    if (err < 0)
        err = -err;
    if (err < (long)ARRAY_LEN(error_texts) && error_texts[err])
        return error_texts[err];
    snprintf(unknown, sizeof(unknown), "error %ld", err);
    return unknown;
}

/* ---- messages */

void tool_name(const char *argv0) { name = argv0 ? path_base(argv0) : "?"; }

static void message(const char *fmt, va_list ap) {
    fprintf(2, "%s: ", name);
    vfprintf(2, fmt, ap);
    fprintf(2, "\n");
}

void warn(const char *fmt, ...) {
    va_list ap;

    va_start(ap, fmt);
    message(fmt, ap);
    va_end(ap);
}

void die(const char *fmt, ...) {
    va_list ap;

    va_start(ap, fmt);
    message(fmt, ap);
    va_end(ap);
    exit(1);
}

int complain(const char *what, long err) {
    warn("%s: %s", what, errstr(err));
    return 1;
}

/* ---- options */

struct opts opts_start(char **argv, const char *letters, const char *usage) {
    tool_name(argv[0]);
    return (struct opts){.argv = argv[0] ? argv + 1 : argv, .letters = letters, .usage = usage};
}

static void usage_exit(const struct opts *o) {
    fprintf(2, "usage: %s %s\n", name, o->usage);
    exit(2);
}

/* Moves to the next argument that has option letters; false if there is none. */
static bool next_cluster(struct opts *o) {
    char *arg = o->argv[0];

    if (!arg || arg[0] != '-' || !arg[1])
        return false;
    o->argv++;
    if (strcmp(arg, "--") == 0)
        return false;
    o->at = arg + 1;
    return true;
}

int opt_next(struct opts *o) {
    const char *known;
    char c;

    if ((!o->at || !*o->at) && !next_cluster(o))
        return 0;
    c = *o->at++;
    known = c == ':' ? 0 : strchr(o->letters, c);
    if (!known)
        usage_exit(o);
    if (known[1] != ':')
        return c;
    o->arg = *o->at ? (char *)o->at : *o->argv;
    if (!*o->at && *o->argv)
        o->argv++;
    if (!o->arg)
        usage_exit(o);
    o->at = 0;
    return c;
}

/* ---- numbers */

static int digit_value(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 99;
}

bool parse_num(const char *s, int base, long *value) {
    bool minus = *s == '-';
    long n = 0;

    if (*s == '-' || *s == '+')
        s++;
    if (base == 10 && s[0] == '0' && s[1] == 'x') {
        base = 16;
        s += 2;
    }
    if (!*s)
        return false;
    for (; *s; s++) {
        if (digit_value(*s) >= base || __builtin_mul_overflow(n, base, &n) ||
            __builtin_add_overflow(n, digit_value(*s), &n))
            return false;
    }
    *value = minus ? -n : n;
    return true;
}

/* ---- memory */

void *xmalloc(size_t n) { return xrealloc(0, n); }

void *xrealloc(void *p, size_t n) {
    p = n < 0x7fff0000 ? realloc(p, n ? n : 1) : 0;
    if (!p)
        die("out of memory");
    return p;
}

char *xstrdup(const char *s) { return strcpy(xmalloc((size_t)strlen(s) + 1), s); }

/* ---- sorting */

static void merge(void **a, size_t na, void **b, size_t nb, void **to,
                  int (*cmp)(const void *, const void *)) {
    while (na && nb) {
        if (cmp(*a, *b) <= 0) {
            *to++ = *a++;
            na--;
        } else {
            *to++ = *b++;
            nb--;
        }
    }
    while (na--)
        *to++ = *a++;
    while (nb--)
        *to++ = *b++;
}

static void sort_into(void **list, void **spare, size_t n, int (*cmp)(const void *, const void *)) {
    size_t half = n / 2;

    if (n < 2)
        return;
    sort_into(list, spare, half, cmp);
    sort_into(list + half, spare, n - half, cmp);
    merge(list, half, list + half, n - half, spare, cmp);
    memcpy(list, spare, (uint)(n * sizeof(*list)));
}

void sort_pointers(void **list, size_t n, int (*cmp)(const void *, const void *)) {
    void **spare = xmalloc(n * sizeof(*spare));

    sort_into(list, spare, n, cmp);
    free(spare);
}
