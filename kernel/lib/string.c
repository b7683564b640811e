/*
 * string.c: memory and strings.
 *
 * Copying and filling work on 8-byte words, 64 bytes per turn of the loop, because an instruction
 * per byte is what the kernel pays for read(), write(), fork() and fresh pages.  Many harts trap on
 * unaligned loads, so there are three ways to copy:
 *   - source and destination at the same place within a word: single bytes up to the first word
 *     boundary, words, the rest in bytes;
 *   - at different places: bytes until the destination is aligned, then each word is put together
 *     from two aligned words of the source by shifts (little-endian: earlier bytes are lower bits);
 *   - a few bytes: one by one.
 * copy_forward() reads each block before it writes it, so it is also right for overlapping memory
 * whose destination is the lower one; memmove() uses it so.  No byte outside of the source is read.
 *
 * word_t may alias anything.  The compiler must not turn these loops into calls of the functions
 * that they are; the pragma tells gcc, clang is told by -ffreestanding.  The names of definitions
 * are in parentheses where string.h has a macro of the same name.
 *
 * No locks, no state; nobody sleeps; memory of users is not for these functions.
 */
#include "check/raw_string.h"
#include "lib/string.h"

#ifndef __clang__
#pragma GCC optimize("no-tree-loop-distribute-patterns")
#endif

typedef u64 __attribute__((may_alias)) word_t;

enum {
    EINVAL = 22,
    WORD = sizeof(word_t),
    BLOCK = 8 * WORD,
};

static inline size_t offset_in_word(const void *p) { return (uintptr_t)p % WORD; }

/* Eight loads, then eight stores: no load waits for a store, and blocks may overlap. */
static inline void copy_block(word_t *d, const word_t *s) {
    word_t a = s[0], b = s[1], c = s[2], e = s[3], f = s[4], g = s[5], h = s[6], i = s[7];

    d[0] = a;
    d[1] = b;
    d[2] = c;
    d[3] = e;
    d[4] = f;
    d[5] = g;
    d[6] = h;
    d[7] = i;
}

static inline void fill_block(word_t *d, word_t v) {
    d[0] = v;
    d[1] = v;
    d[2] = v;
    d[3] = v;
    d[4] = v;
    d[5] = v;
    d[6] = v;
    d[7] = v;
}

static inline void copy_bytes(u8 *d, const u8 *s, const u8 *end) {
    while (s < end)
        *d++ = *s++;
}

/* Copy n >= WORD bytes between addresses with the same offset in a word. */
static inline void copy_words(u8 *d, const u8 *s, size_t n) {
    const u8 *end = s + n, *last_block = end - BLOCK, *last_word = end - WORD;

    while (unlikely(offset_in_word(d)))
        *d++ = *s++;
    for (; s <= last_block; d += BLOCK, s += BLOCK)
        copy_block((word_t *)d, (const word_t *)s);
    for (; s <= last_word; d += WORD, s += WORD)
        *(word_t *)d = *(const word_t *)s;
    copy_bytes(d, s, end);
}

/*
 * Copy n >= 4 * WORD bytes between addresses with different offsets in a word: `dst`, for the
 * callers' tail calls.  `low` holds the bytes of s up to the next word boundary, at its top.
 */
static __attribute__((noinline)) void *copy_skewed(void *dst, const u8 *s, size_t n) {
    const u8 *end = s + n;
    u8 *d = dst;
    size_t skew;
    unsigned right, left;
    word_t low = 0, a, b;

    while (offset_in_word(d))
        *d++ = *s++;
    skew = offset_in_word(s);
    right = 8 * (unsigned)skew;
    left = 64 - right;
    for (size_t i = skew; i < WORD; i++)
        low |= (word_t)s[i - skew] << (8 * i);
    /* The two words to come end at most 3 * WORD - 1 bytes from s. */
    for (s -= skew; s + skew <= end - 3 * WORD; s += 2 * WORD, d += 2 * WORD) {
        a = ((const word_t *)s)[1];
        b = ((const word_t *)s)[2];
        ((word_t *)d)[0] = low >> right | a << left;
        ((word_t *)d)[1] = a >> right | b << left;
        low = b;
    }
    copy_bytes(d, s + skew, end);
    return dst;
}

static inline __attribute__((always_inline)) void *copy_forward(void *dst, const u8 *s, size_t n) {
    if (n >= WORD && offset_in_word(dst) == offset_in_word(s))
        copy_words(dst, s, n);
    else if (n >= 4 * WORD)
        return copy_skewed(dst, s, n);
    else
        copy_bytes(dst, s, s + n);
    return dst;
}

/* The same from the end, for overlapping memory whose destination is the higher one. */
static void *copy_backward(void *dst, const u8 *s, size_t n) {
    u8 *d = dst;

    if (offset_in_word(d) == offset_in_word(s)) {
        for (; n && offset_in_word(d + n); n--)
            d[n - 1] = s[n - 1];
        for (; n >= BLOCK; n -= BLOCK)
            copy_block((word_t *)(d + n - BLOCK), (const word_t *)(s + n - BLOCK));
        for (; n >= WORD; n -= WORD)
            *(word_t *)(d + n - WORD) = *(const word_t *)(s + n - WORD);
    }
    for (; n; n--)
        d[n - 1] = s[n - 1];
    return dst;
}

void *(memcpy)(void *restrict dst, const void *restrict src, size_t n) {
    return copy_forward(dst, src, n);
}

void *(memmove)(void *dst, const void *src, size_t n) {
    /* As unsigned numbers: true for a lower destination, and for one behind the source's end. */
    if ((uintptr_t)dst - (uintptr_t)src >= n)
        return copy_forward(dst, src, n);
    return copy_backward(dst, src, n);
}

void *(memset)(void *dst, int c, size_t n) {
    word_t v = (u8)c * 0x0101010101010101ull;
    u8 *d = dst;
    word_t *w;

    if (n >= WORD) {
        for (; offset_in_word(d); n--)
            *d++ = (u8)c;
        for (w = (word_t *)d; n >= BLOCK; n -= BLOCK, w += 8)
            fill_block(w, v);
        for (; n >= WORD; n -= WORD)
            *w++ = v;
        d = (u8 *)w;
    }
    for (const u8 *end = d + n; d < end;)
        *d++ = (u8)c;
    return dst;
}

int(memcmp)(const void *a, const void *b, size_t n) {
    const u8 *p = a, *q = b;

    if (!offset_in_word(p) && !offset_in_word(q)) {
        for (; n >= WORD && *(const word_t *)p == *(const word_t *)q; n -= WORD) {
            p += WORD;
            q += WORD;
        }
    }
    for (; n; n--, p++, q++) {
        if (*p != *q)
            return *p - *q;
    }
    return 0;
}

/* Half a KiB per turn. */
void page_clear(void *page) {
    for (word_t *w = page, *end = w + PAGE_SIZE / WORD; w < end; w += 64) {
#pragma GCC unroll 8
        for (int i = 0; i < 64; i += 8)
            fill_block(w + i, 0);
    }
}

void page_copy(void *restrict dst, const void *restrict src) {
    const word_t *s = src;

    for (word_t *d = dst, *end = d + PAGE_SIZE / WORD; d < end; d += 64, s += 64) {
#pragma GCC unroll 8
        for (int i = 0; i < 64; i += 8) {
            copy_block(d + i, s + i);
            barrier(); /* eight registers will do */
        }
    }
}

void *memchr(const void *p, int c, size_t n) {
    for (const u8 *b = p; n; n--, b++) {
        if (*b == (u8)c)
            return (void *)b;
    }
    return NULL;
}

size_t(strlen)(const char *s) {
    const char *p = s;

    while (*p)
        p++;
    return (size_t)(p - s);
}

size_t strnlen(const char *s, size_t max) {
    const char *end = memchr(s, 0, max);

    return end ? (size_t)(end - s) : max;
}

int(strcmp)(const char *a, const char *b) {
    for (; *a && *a == *b; a++)
        b++;
    return (u8)*a - (u8)*b;
}

int strncmp(const char *a, const char *b, size_t n) {
    for (; n && *a && *a == *b; n--, a++)
        b++;
    return n ? (u8)*a - (u8)*b : 0;
}

char *strchr(const char *s, int c) {
    for (; *s != (char)c; s++) {
        if (!*s)
            return NULL;
    }
    return (char *)s;
}

char *strrchr(const char *s, int c) {
    const char *last = NULL;

    do {
        if (*s == (char)c)
            last = s;
    } while (*s++);
    return (char *)last;
}

size_t strlcpy(char *dst, const char *src, size_t size) {
    size_t len = strlen(src);

    if (size) {
        size_t n = min(len, size - 1);

        memcpy(dst, src, n);
        dst[n] = '\0';
    }
    return len;
}

/* Value of a digit of any base up to 16; 16 for other characters. */
static unsigned digit_value(char c) {
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    if (c >= 'a' && c <= 'f')
        return (unsigned)(c - 'a') + 10;
    if (c >= 'A' && c <= 'F')
        return (unsigned)(c - 'A') + 10;
    return 16;
}

/* strtou64() that also tells an overflow. */
static u64 scan_u64(const char *s, const char **end, bool *overflow) {
    unsigned base = 10, digit;
    u64 value = 0;

    *overflow = false;
    if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X') && digit_value(s[2]) < 16) {
        base = 16;
        s += 2;
    } else if (s[0] == '0') {
        base = 8;
    }
    for (; (digit = digit_value(*s)) < base; s++) {
        if (value > (UINT64_MAX - digit) / base)
            *overflow = true;
        value = value * base + digit;
    }
    *end = s;
    return *overflow ? UINT64_MAX : value;
}

u64 strtou64(const char *s, const char **end) {
    const char *last;
    bool overflow;
    u64 value = scan_u64(s, &last, &overflow);

    if (end)
        *end = last;
    return value;
}

int parse_u64(const char *s, u64 *out) {
    const char *end;
    bool overflow;
    u64 value = scan_u64(s, &end, &overflow);

    if (end == s || *end || overflow)
        return -EINVAL;
    *out = value;
    return 0;
}
