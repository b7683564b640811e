/* Strings and memory, string(3). The xv6 functions have xv6's types; the compiler calls memcpy and
 * memset by itself for sizes far below 2^31, for which those types are as good as size_t. */
#include "user/lib/tool.h"

uint strlen(const char *s) {
    const char *p = s;
    while (*p)
        p++;
    return (uint)(p - s);
}

char *strcpy(char *to, const char *from) {
    char *start = to;
    while ((*to++ = *from++))
        ;
    return start;
}

int strcmp(const char *a, const char *b) {
    while (*a && *a == *b)
        a++, b++;
    return (uchar)*a - (uchar)*b;
}

int strncmp(const char *a, const char *b, size_t n) {
    while (n && *a && *a == *b)
        a++, b++, n--;
    return n ? (uchar)*a - (uchar)*b : 0;
}

char *strchr(const char *s, char c) {
    for (; *s; s++) {
        if (*s == c)
            return (char *)s;
    }
    return 0;
}

char *strrchr(const char *s, char c) {
    const char *last = 0;
    for (; *s; s++) {
        if (*s == c)
            last = s;
    }
    return (char *)last;
}

char *strstr(const char *s, const char *part) {
    size_t n = strlen(part);
    for (; *s || !n; s++) {
        if (strncmp(s, part, n) == 0)
            return (char *)s;
    }
    return 0;
}

void *memset(void *to, int c, uint n) {
    uchar *p = to;
    for (; n && ((uint64_t)p & 7); n--)
        *p++ = (uchar)c;
    for (uint64_t word = (uchar)c * 0x0101010101010101UL; n >= 8; n -= 8, p += 8)
        *(uint64_t *)p = word;
    while (n--)
        *p++ = (uchar)c;
    return to;
}

static void copy_up(uchar *to, const uchar *from, uint n) {
    if ((((uint64_t)to | (uint64_t)from) & 7) == 0) {
        for (; n >= 8; n -= 8, to += 8, from += 8)
            *(uint64_t *)to = *(const uint64_t *)from;
    }
    while (n--)
        *to++ = *from++;
}

void *memcpy(void *to, const void *from, uint n) {
    copy_up(to, from, n);
    return to;
}

void *memmove(void *to, const void *from, int n) {
    uchar *t = to;
    const uchar *f = from;

    if (t <= f || t >= f + n) {
        if (n > 0)
            copy_up(t, f, (uint)n);
        return to;
    }
    while (n-- > 0)
        t[n] = f[n];
    return to;
}

int memcmp(const void *a, const void *b, uint n) {
    const uchar *x = a, *y = b;
    for (; n; n--, x++, y++) {
        if (*x != *y)
            return *x - *y;
    }
    return 0;
}

void *memchr(const void *s, int c, size_t n) {
    for (const uchar *p = s; n; n--, p++) {
        if (*p == (uchar)c)
            return (void *)p;
    }
    return 0;
}

int atoi(const char *s) {
    int n = 0;
    while (*s >= '0' && *s <= '9')
        n = n * 10 + *s++ - '0';
    return n;
}
