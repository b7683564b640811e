// with: lib/printf.c lib/string.c
/* lib/printf against the host's vsnprintf: random combinations of all that both support. */
#include "unit.h"
#include "lib/printf.h"
#include "lib/string.h"

static int host_format(char *buf, size_t size, const char *fmt, ...) {
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = host_vsnprintf(buf, size, fmt, ap);
    va_end(ap);
    return n;
}

/* The same call to both, with room for all and with little room; text and results must agree. */
#define COMPARE(...)                                                                               \
    do {                                                                                           \
        static char ours[400], theirs[400];                                                        \
        size_t small = rnd_below(12);                                                              \
        int n = host_format(theirs, sizeof(theirs), __VA_ARGS__);                                  \
        if (!CHECK(snprintf(ours, sizeof(ours), __VA_ARGS__) == n && !strcmp(ours, theirs)))       \
            host_printf("# ours `%s` theirs `%s`\n", ours, theirs);                                \
        ours[small] = '#';                                                                         \
        host_format(theirs, small, __VA_ARGS__);                                                   \
        CHECK(snprintf(ours, small, __VA_ARGS__) == n && ours[small] == '#');                      \
        CHECK(small == 0 || !strcmp(ours, theirs));                                                \
    } while (0)

/* Formats made at run time, and wrong ones on purpose. */
#pragma GCC diagnostic ignored "-Wformat"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
#pragma GCC diagnostic ignored "-Wformat-overflow"
#pragma GCC diagnostic ignored "-Wformat-zero-length"

static char format[64];

/* Make `<%[flags][width][.precision][length]letter>`, and say which counts are `*`. */
static void make_format(const char *flags, const char *length, char letter, bool *star_width,
                        bool *star_precision) {
    char *f = format;

    *star_width = *star_precision = false;
    *f++ = '<';
    *f++ = '%';
    for (; *flags; flags++) {
        if (rnd_below(3) == 0)
            *f++ = *flags;
    }
    if (rnd_below(4) == 0) {
        *f++ = '*';
        *star_width = true;
    } else if (rnd_below(2)) {
        f += host_format(f, 8, "%d", (int)rnd_below(40) + 1);
    }
    if (rnd_below(6) == 0) {
        *f++ = '.';
        *f++ = '*';
        *star_precision = true;
    } else if (rnd_below(3) == 0) {
        f += host_format(f, 8, ".%d", (int)rnd_below(30));
    } else if (rnd_below(8) == 0) {
        *f++ = '.';
    }
    while (*length)
        *f++ = *length++;
    *f++ = letter;
    *f++ = '>';
    *f = '\0';
}

static u64 interesting_number(void) {
    static const u64 edges[] = {
        0,   1,     7,     8,     9,          10,         127,        128,        255,
        256, 32767, 32768, 65535, 0x7fffffff, 0x80000000, 0xffffffff, 1ull << 63, (1ull << 63) - 1};
    u64 value = rnd_below(2) ? edges[rnd_below(ARRAY_SIZE(edges))] : rnd() << 8 >> rnd_below(64);

    return rnd_below(3) ? value : -value;
}

static void integers(void) {
    static const char *const lengths[] = {"", "l", "ll", "z", "h", "hh", "j", "t"};
    static const char letters[] = "diuxXo";

    for (int step = 0; step < 60000; step++) {
        const char *length = lengths[rnd_below(ARRAY_SIZE(lengths))];
        char letter = letters[rnd_below(sizeof(letters) - 1)];
        u64 value = interesting_number();
        int width = (int)rnd_below(60) - 30, precision = (int)rnd_below(30) - 4;
        bool star_width, star_precision;

        make_format("0-+ #", length, letter, &star_width, &star_precision);
        if (star_width && star_precision)
            COMPARE(format, width, precision, value);
        else if (star_width)
            COMPARE(format, width, value);
        else if (star_precision)
            COMPARE(format, precision, value);
        else
            COMPARE(format, value);
    }
}

static void strings_and_characters(void) {
    static const char *const texts[] = {"", "a", "hello", "a rather longer string with blanks"};

    for (int step = 0; step < 20000; step++) {
        const char *text = texts[rnd_below(ARRAY_SIZE(texts))];
        int width = (int)rnd_below(60) - 30, precision = (int)rnd_below(30) - 4;
        int c = 'a' + (int)rnd_below(26);
        bool star_width, star_precision, is_char = rnd_below(4) == 0;

        make_format("-", "", is_char ? 'c' : 's', &star_width, &star_precision);
        if (is_char && !star_width && !star_precision)
            COMPARE(format, c);
        else if (is_char)
            continue;
        else if (star_width && star_precision)
            COMPARE(format, width, precision, text);
        else if (star_width)
            COMPARE(format, width, text);
        else if (star_precision)
            COMPARE(format, precision, text);
        else
            COMPARE(format, text);
    }
}

static void mixtures(void) {
    int x;

    COMPARE("");
    COMPARE("plain text without conversions");
    COMPARE("100%%");
    COMPARE("%s=%d %#lx%c", "key", -5, 0xdeadbeefcafeul, '\n');
    COMPARE("%d%d%d %5.2s| %-8u|%08x|%+d|% d", 1, 2, 3, "abc", 42u, 0xabcu, 7, 8);
    COMPARE("%p %20p|%-20p|", (void *)&x, (void *)&x, (void *)&x);
    COMPARE("%hhd %hd %d %ld %lld %zd %jd %td", -1, -2, -3, -4l, -5ll, -6l, -7l, -8l);
    COMPARE("%.3s|%.*s", (char[]){'a', 'b', 'c'}, 2, (char[]){'x', 'y'});
}

static void corners(void) {
    char buf[32];

    CHECK(snprintf(NULL, 0, "%d", 12345) == 5);
    CHECK(snprintf(buf, sizeof(buf), "%s", (char *)NULL) == 6 && !strcmp(buf, "(null)"));
    CHECK(snprintf(buf, sizeof(buf), "%p", NULL) == 3 && !strcmp(buf, "0x0"));
    CHECK(snprintf(buf, sizeof(buf), "a%yb") == 4 && !strcmp(buf, "a%yb"));
    CHECK(snprintf(buf, sizeof(buf), "a%-5") == 4 && !strcmp(buf, "a%-5"));
    CHECK(scnprintf(buf, 4, "%s", "hello") == 3 && !strcmp(buf, "hel"));
    CHECK(scnprintf(buf, 8, "%s", "hello") == 5 && scnprintf(buf, 0, "%s", "x") == 0);
}

struct counter {
    struct printer printer;
    size_t chars, calls, empty_calls;
};

static void count(struct printer *p, const char *s, size_t n) {
    struct counter *c = container_of(p, struct counter, printer);

    (void)s;
    c->chars += n;
    c->calls++;
    c->empty_calls += n == 0;
}

static void printer_gets_whole_runs(void) {
    struct counter c = {.printer = {count}};

    CHECK(printer_printf(&c.printer, "a long run of text %d%s and another\n", 5, "") == 33);
    CHECK(c.chars == 33 && c.calls == 3 && c.empty_calls == 0);
}

int main(void) {
    RUN(integers);
    RUN(strings_and_characters);
    RUN(mixtures);
    RUN(corners);
    RUN(printer_gets_whole_runs);
    return unit_result();
}
