/*
 * printf.c: formatted output to wherever a printer puts it.
 *
 * The format is runs of plain text, each handed to put() in one piece, and conversions:
 *   %[flags][width][.precision][length]conversion
 * read_spec() reads all but the last letter into a struct spec; convert() turns one argument into
 * at most four parts - padding, sign or prefix, zeros, body - which emit_field() puts out.
 * No buffer is needed but the 22 digits of the longest number (64 bits in octal), so this works on
 * small stacks, before there is memory, and in a panic.
 *
 * A conversion that is not known is printed as it stands.  %n does not exist.  Floating point does
 * not either: the kernel has none.
 *
 * No locks and no state: whoever owns the printer serialises.  Sleeps only if put() does.
 */
#include "lib/printf.h"
#include "lib/string.h"

#define MAX_DIGITS 22

struct out {
    struct printer *printer;
    size_t total; /* characters so far */
};

struct spec {
    bool left, zero, plus, space, alt;
    int width;     /* at least this many characters */
    int precision; /* -1: none given */
    int size;      /* bytes of an integer argument */
};

static inline void emit(struct out *out, const char *s, size_t n) {
    if (n)
        out->printer->put(out->printer, s, n);
    out->total += n;
}

static void emit_repeated(struct out *out, char c, long n) {
    static const char blanks[] = "                ", zeros[] = "0000000000000000";
    const long chunk = sizeof(blanks) - 1;

    for (; n > 0; n -= chunk)
        emit(out, c == '0' ? zeros : blanks, (size_t)min(n, chunk));
}

/* Prefix, zeros and body, padded with blanks to the width. */
static void emit_field(struct out *out, const struct spec *spec, const char *prefix, long zeros,
                       const char *body, size_t len) {
    long prefix_len = (long)strlen(prefix);
    long padding = spec->width - (prefix_len + zeros + (long)len);

    if (!spec->left)
        emit_repeated(out, ' ', padding);
    emit(out, prefix, (size_t)prefix_len);
    emit_repeated(out, '0', zeros);
    emit(out, body, len);
    if (spec->left)
        emit_repeated(out, ' ', padding);
}

/* Write the digits so that they end before `end`, none for 0: where they begin. */
static char *write_digits(char *end, u64 value, unsigned base, bool upper) {
    const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";

    for (; value; value /= base)
        *--end = digits[value % base];
    return end;
}

static void emit_number(struct out *out, const struct spec *spec, u64 value, unsigned base,
                        bool upper, const char *prefix) {
    char buf[MAX_DIGITS], *end = buf + MAX_DIGITS;
    char *start = write_digits(end, value, base, upper);
    long len = end - start;
    long wanted = spec->precision >= 0 ? spec->precision : 1;

    if (base == 8 && spec->alt)
        wanted = max(wanted, len + 1);
    if (spec->zero && !spec->left && spec->precision < 0)
        wanted = max(wanted, spec->width - (long)strlen(prefix));
    emit_field(out, spec, prefix, max(wanted - len, 0L), start, (size_t)len);
}

static void emit_signed(struct out *out, const struct spec *spec, s64 value) {
    const char *sign = value < 0 ? "-" : spec->plus ? "+" : spec->space ? " " : "";
    u64 magnitude = value < 0 ? -(u64)value : (u64)value;

    emit_number(out, spec, magnitude, 10, false, sign);
}

static void emit_string(struct out *out, const struct spec *spec, const char *s) {
    if (!s)
        s = "(null)";
    emit_field(out, spec, "", 0, s,
               spec->precision >= 0 ? strnlen(s, (size_t)spec->precision) : strlen(s));
}

/* A va_list inside a structure can be passed by address on every ABI. */
struct args {
    va_list ap;
};

static u64 next_unsigned(struct args *args, int size) {
    u64 value = size == 8 ? va_arg(args->ap, u64) : va_arg(args->ap, unsigned int);

    return size < 8 ? value & ((1ull << (8 * size)) - 1) : value;
}

static s64 next_signed(struct args *args, int size) {
    int unused_bits = 64 - 8 * size;

    return (s64)(next_unsigned(args, size) << unused_bits) >> unused_bits;
}

static const char *read_flags(struct spec *spec, const char *s) {
    for (;; s++) {
        switch (*s) {
        case '-':
            spec->left = true;
            break;
        case '0':
            spec->zero = true;
            break;
        case '+':
            spec->plus = true;
            break;
        case ' ':
            spec->space = true;
            break;
        case '#':
            spec->alt = true;
            break;
        default:
            return s;
        }
    }
}

/* A number, or `*` and the next argument. */
static const char *read_count(int *count, const char *s, struct args *args) {
    if (*s == '*') {
        *count = va_arg(args->ap, int);
        return s + 1;
    }
    for (*count = 0; *s >= '0' && *s <= '9'; s++)
        *count = min(*count * 10 + (*s - '0'), 1 << 20);
    return s;
}

static const char *read_length(struct spec *spec, const char *s) {
    spec->size = sizeof(int);
    if (*s == 'h') {
        spec->size = s[1] == 'h' ? sizeof(char) : sizeof(short);
        return s + spec->size % 2 + 1;
    }
    while (*s == 'l' || *s == 'z' || *s == 'j' || *s == 't') {
        spec->size = sizeof(u64);
        s++;
    }
    return s;
}

/* Read what is between `%` and the conversion letter: where that letter is. */
static const char *read_spec(struct spec *spec, const char *s, struct args *args) {
    *spec = (struct spec){.precision = -1};
    s = read_flags(spec, s);
    s = read_count(&spec->width, s, args);
    if (spec->width < 0) {
        spec->left = true;
        spec->width = -spec->width;
    }
    if (*s == '.')
        s = read_count(&spec->precision, s + 1, args);
    return read_length(spec, s);
}

/* Put out one conversion: false if the letter is not known. */
static bool convert(struct out *out, const struct spec *spec, char letter, struct args *args) {
    u64 value;
    char c;

    switch (letter) {
    case 'd':
    case 'i':
        emit_signed(out, spec, next_signed(args, spec->size));
        return true;
    case 'u':
        emit_number(out, spec, next_unsigned(args, spec->size), 10, false, "");
        return true;
    case 'o':
        emit_number(out, spec, next_unsigned(args, spec->size), 8, false, "");
        return true;
    case 'x':
    case 'X':
        value = next_unsigned(args, spec->size);
        emit_number(out, spec, value, 16, letter == 'X',
                    !spec->alt || !value ? ""
                    : letter == 'X'      ? "0X"
                                         : "0x");
        return true;
    case 'p':
        emit_number(out, spec, (u64)(uintptr_t)va_arg(args->ap, void *), 16, false, "0x");
        return true;
    case 's':
        emit_string(out, spec, va_arg(args->ap, const char *));
        return true;
    case 'c':
        c = (char)va_arg(args->ap, int);
        emit_field(out, spec, "", 0, &c, 1);
        return true;
    case '%':
        emit(out, "%", 1);
        return true;
    }
    return false;
}

int printer_vprintf(struct printer *p, const char *fmt, va_list ap) {
    struct out out = {.printer = p};
    struct spec spec;
    struct args args;
    const char *percent, *s;

    va_copy(args.ap, ap);
    while (*fmt) {
        for (s = fmt; *s && *s != '%';)
            s++;
        emit(&out, fmt, (size_t)(s - fmt));
        fmt = s;
        if (!*fmt)
            break;
        percent = fmt;
        fmt = read_spec(&spec, fmt + 1, &args);
        if (*fmt && convert(&out, &spec, *fmt, &args)) {
            fmt++;
            continue;
        }
        fmt += *fmt != '\0';
        emit(&out, percent, (size_t)(fmt - percent));
    }
    va_end(args.ap);
    return (int)out.total;
}

int printer_printf(struct printer *p, const char *fmt, ...) {
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = printer_vprintf(p, fmt, ap);
    va_end(ap);
    return n;
}

/* A printer to memory that drops what does not fit. */
struct buffer {
    struct printer printer;
    char *next;
    size_t room; /* without the place of the NUL */
};

static void buffer_put(struct printer *p, const char *s, size_t n) {
    struct buffer *b = container_of(p, struct buffer, printer);

    n = min(n, b->room);
    memcpy(b->next, s, n);
    b->next += n;
    b->room -= n;
}

int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap) {
    struct buffer b = {.printer = {buffer_put}, .next = buf, .room = size ? size - 1 : 0};
    int n = printer_vprintf(&b.printer, fmt, ap);

    if (size)
        *b.next = '\0';
    return n;
}

int snprintf(char *buf, size_t size, const char *fmt, ...) {
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(buf, size, fmt, ap);
    va_end(ap);
    return n;
}

int vscnprintf(char *buf, size_t size, const char *fmt, va_list ap) {
    int n = vsnprintf(buf, size, fmt, ap);

    return size ? min(n, (int)size - 1) : 0;
}

int scnprintf(char *buf, size_t size, const char *fmt, ...) {
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vscnprintf(buf, size, fmt, ap);
    va_end(ap);
    return n;
}
