/*
 * CHECK=kasan, CHECK=race: the functions of lib/string.h, which check what they are given and then do as they always do.
 *
 * lib/string.c works on whole words and would call a check for each. It is therefore built without checks and
 * under other names (raw_string.h); here are the usual names. A string's length is not known before it was read, so its
 * bytes are checked afterwards: reading too far in the direct map does no harm.
 *
 * Each function is one line of checks and a call: a report names the function that called it. No state, no locks.
 */
#include "check/callers.h"
#include "check/raw_string.h"
#include "lib/string.h"

#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef memchr
#undef strlen
#undef strnlen
#undef strcmp
#undef strncmp
#undef strchr
#undef strrchr
#undef strlcpy
#undef page_clear
#undef page_copy

#define READS(p, n)                                                                                \
    check_range(p, n, false, (u64)__builtin_return_address(0), __builtin_frame_address(0))
#define WRITES(p, n)                                                                               \
    check_range(p, n, true, (u64)__builtin_return_address(0), __builtin_frame_address(0))

void *memcpy(void *restrict dst, const void *restrict src, size_t n) {
    READS(src, n);
    WRITES(dst, n);
    return raw_memcpy(dst, src, n);
}

void *memmove(void *dst, const void *src, size_t n) {
    READS(src, n);
    WRITES(dst, n);
    return raw_memmove(dst, src, n);
}

void *memset(void *dst, int c, size_t n) {
    WRITES(dst, n);
    return raw_memset(dst, c, n);
}

// Objects are compared up to the first difference only, but all of both must be good (C11 7.24.4.1).
int memcmp(const void *a, const void *b, size_t n) {
    READS(a, n);
    READS(b, n);
    return raw_memcmp(a, b, n);
}

// Bytes behind the one that is found need not be there (C11 7.24.5.1).
void *memchr(const void *p, int c, size_t n) {
    const char *found = raw_memchr(p, c, n);
    READS(p, found ? (size_t)(found + 1 - (const char *)p) : n);
    return (void *)found;
}

size_t strlen(const char *s) {
    size_t n = raw_strlen(s);
    READS(s, n + 1);
    return n;
}

size_t strnlen(const char *s, size_t max) {
    size_t n = raw_strnlen(s, max);
    READS(s, n < max ? n + 1 : max);
    return n;
}

// Both strings up to the first difference or the end.
static size_t common_length(const char *a, const char *b, size_t max) {
    size_t n = 0;
    while (n < max && a[n] && a[n] == b[n])
        n++;
    return n < max ? n + 1 : max;
}

int strcmp(const char *a, const char *b) {
    size_t n = common_length(a, b, SIZE_MAX);
    READS(a, n);
    READS(b, n);
    return raw_strcmp(a, b);
}

int strncmp(const char *a, const char *b, size_t max) {
    size_t n = common_length(a, b, max);
    READS(a, n);
    READS(b, n);
    return raw_strncmp(a, b, max);
}

char *strchr(const char *s, int c) {
    char *found = raw_strchr(s, c);
    READS(s, (found ? (size_t)(found - s) : raw_strlen(s)) + 1);
    return found;
}

char *strrchr(const char *s, int c) {
    READS(s, raw_strlen(s) + 1);
    return raw_strrchr(s, c);
}

size_t strlcpy(char *dst, const char *src, size_t size) {
    size_t n = raw_strlen(src);
    READS(src, n + 1);
    WRITES(dst, min(n + 1, size));
    return raw_strlcpy(dst, src, size);
}

void page_clear(void *page) {
    WRITES(page, PAGE_SIZE);
    raw_page_clear(page);
}

void page_copy(void *restrict dst, const void *restrict src) {
    READS(src, PAGE_SIZE);
    WRITES(dst, PAGE_SIZE);
    raw_page_copy(dst, src);
}
