/* printf for a file descriptor, a buffer or a tool's output buffer: %d %i %u %x %X %o %c %s %p %%,
 * with flags - 0 +, width, precision and l, ll, z. As in xv6, %p is 0x and 16 digits; an unknown
 * conversion is printed as it stands.
 *
 * Text is collected in a small buffer on the stack (an xv6 program has one page of it) and written
 * when that is full and at the end, so a short line is one write. */
#include <stdarg.h>
#include "user/lib/tool.h"

struct sink {
    void (*flush)(struct sink *);
    int fd;
    char *buf;
    size_t size, used;
    size_t total; /* characters made, written or not */
};

struct spec {
    bool left, zero, plus;
    int width, precision; /* -1: none */
    int longs;
};

static void emit(struct sink *s, char c) {
    if (s->used == s->size)
        s->flush(s);
    if (s->used < s->size)
        s->buf[s->used++] = c;
    s->total++;
}

static void pad(struct sink *s, int n, char c) {
    while (n-- > 0)
        emit(s, c);
}

static void emit_string(struct sink *s, const struct spec *sp, const char *text) {
    int len = 0;

    if (!text)
        text = "(null)";
    while (text[len] && (sp->precision < 0 || len < sp->precision))
        len++;
    if (!sp->left)
        pad(s, sp->width - len, ' ');
    for (int i = 0; i < len; i++)
        emit(s, text[i]);
    if (sp->left)
        pad(s, sp->width - len, ' ');
}

static void emit_number(struct sink *s, const struct spec *sp, uint64_t n, int base, char sign,
                        const char *digits) {
    char buf[24];
    int len = 0, zeros, width;

    do
        buf[len++] = digits[n % (uint)base];
    while (n /= (uint)base);
    zeros = sp->precision - len;
    width = sp->width - len - (sign != 0);
    if (sp->zero && !sp->left && sp->precision < 0)
        zeros = width;
    zeros = zeros > 0 ? zeros : 0;
    if (!sp->left)
        pad(s, width - zeros, ' ');
    if (sign)
        emit(s, sign);
    pad(s, zeros, '0');
    while (len)
        emit(s, buf[--len]);
    if (sp->left)
        pad(s, width - zeros, ' ');
}

static void emit_pointer(struct sink *s, uint64_t p) {
    emit(s, '0');
    emit(s, 'x');
    for (int shift = 60; shift >= 0; shift -= 4)
        emit(s, "0123456789abcdef"[(p >> shift) & 15]);
}

static int parse_number(const char **f, va_list *ap) {
    int n = 0;

    if (**f == '*') {
        (*f)++;
        return va_arg(*ap, int);
    }
    while (**f >= '0' && **f <= '9')
        n = n * 10 + *(*f)++ - '0';
    return n;
}

static const char *parse_spec(const char *f, struct spec *sp, va_list *ap) {
    *sp = (struct spec){.precision = -1};
    for (;; f++) {
        if (*f == '-')
            sp->left = true;
        else if (*f == '0')
            sp->zero = true;
        else if (*f == '+')
            sp->plus = true;
        else
            break;
    }
    sp->width = parse_number(&f, ap);
    if (sp->width < 0) {
        sp->left = true;
        sp->width = -sp->width;
    }
    if (*f == '.') {
        f++;
        sp->precision = parse_number(&f, ap);
    }
    for (; *f == 'l' || *f == 'z'; f++)
        sp->longs++;
    return f;
}

static void emit_signed(struct sink *s, const struct spec *sp, int64_t n) {
    if (n < 0)
        emit_number(s, sp, -(uint64_t)n, 10, '-', "0123456789");
    else
        emit_number(s, sp, (uint64_t)n, 10, sp->plus ? '+' : 0, "0123456789");
}

static void emit_unsigned(struct sink *s, const struct spec *sp, uint64_t n, char conversion) {
    if (conversion == 'x')
        emit_number(s, sp, n, 16, 0, "0123456789abcdef");
    else if (conversion == 'X')
        emit_number(s, sp, n, 16, 0, "0123456789ABCDEF");
    else
        emit_number(s, sp, n, conversion == 'o' ? 8 : 10, 0, "0123456789");
}

static void convert(struct sink *s, const struct spec *sp, char c, va_list *ap) {
    char one[2] = {0, 0};

    switch (c) {
    case 'd':
    case 'i':
        emit_signed(s, sp, sp->longs ? va_arg(*ap, long) : va_arg(*ap, int));
        break;
    case 'u':
    case 'x':
    case 'X':
    case 'o':
        emit_unsigned(s, sp, sp->longs ? va_arg(*ap, uint64_t) : va_arg(*ap, uint), c);
        break;
    case 'p':
        emit_pointer(s, va_arg(*ap, uint64_t));
        break;
    case 's':
        emit_string(s, sp, va_arg(*ap, const char *));
        break;
    case 'c':
        one[0] = (char)va_arg(*ap, int);
        emit_string(s, sp, one);
        break;
    case '%':
        emit(s, '%');
        break;
    default:
        emit(s, '%');
        emit(s, c);
    }
}

static void format(struct sink *s, const char *f, va_list *ap) {
    struct spec sp;

    for (; *f; f++) {
        if (*f != '%') {
            emit(s, *f);
            continue;
        }
        f = parse_spec(f + 1, &sp, ap);
        if (!*f)
            break;
        convert(s, &sp, *f, ap);
    }
}

static void flush_fd(struct sink *s) {
    write_all(s->fd, s->buf, s->used);
    s->used = 0;
}

void vfprintf(int fd, const char *fmt, va_list ap) {
    char buf[256];
    struct sink s = {.flush = flush_fd, .fd = fd, .buf = buf, .size = sizeof(buf)};
    va_list copy;

    va_copy(copy, ap);
    format(&s, fmt, &copy);
    va_end(copy);
    if (s.used)
        flush_fd(&s);
}

void fprintf(int fd, const char *fmt, ...) {
    va_list ap;

    va_start(ap, fmt);
    vfprintf(fd, fmt, ap);
    va_end(ap);
}

void printf(const char *fmt, ...) {
    va_list ap;

    va_start(ap, fmt);
    vfprintf(1, fmt, ap);
    va_end(ap);
}

static void flush_nowhere(struct sink *s) { (void)s; }

int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap) {
    struct sink s = {.flush = flush_nowhere, .buf = buf, .size = size ? size - 1 : 0};
    va_list copy;

    va_copy(copy, ap);
    format(&s, fmt, &copy);
    va_end(copy);
    if (size)
        buf[s.used] = 0;
    return (int)s.total;
}

int snprintf(char *buf, size_t size, const char *fmt, ...) {
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(buf, size, fmt, ap);
    va_end(ap);
    return n;
}

static void flush_out(struct sink *s) {
    out_write(s->buf, s->used);
    s->used = 0;
}

void out(const char *fmt, ...) {
    char buf[128];
    struct sink s = {.flush = flush_out, .buf = buf, .size = sizeof(buf)};
    va_list ap;

    va_start(ap, fmt);
    format(&s, fmt, &ap);
    va_end(ap);
    flush_out(&s);
}
