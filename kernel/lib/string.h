/*
 * Memory and strings, with the C library's names and contracts (C11 7.24) where it has them.
 *
 * The most frequent ones go through the compiler's built-ins, which expand small constant sizes in
 * line and call the function otherwise.
 */
#ifndef LIB_STRING_H
#define LIB_STRING_H

#include "lib/types.h"

void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *p, int c, size_t n);

size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);

/* Copy at most size - 1 characters and always end with NUL (if size > 0): strlen(src). */
size_t strlcpy(char *dst, const char *src, size_t size);

/* Fill the 4096-byte aligned page with zeros. */
void page_clear(void *page);

/* Copy a 4096-byte aligned page to another. */
void page_copy(void *restrict dst, const void *restrict src);

/*
 * Read digits, "0x" and hexadecimal, or "0" and octal; no blanks, no sign.  *end (if end is not
 * NULL) is after the last character used: `s` when there is no number.  UINT64_MAX on overflow.
 */
u64 strtou64(const char *s, const char **end);

/* The number at *s, which is behind it afterwards; false: there is none. */
static inline bool take_u64(const char **s, u64 *out) {
    const char *start = *s;
    *out = strtou64(start, s);
    return *s != start;
}

/* The whole string as a number, as strtou64(): 0, or -EINVAL and *out untouched. */
int parse_u64(const char *s, u64 *out);

#ifndef memcpy
#define memcpy(...) __builtin_memcpy(__VA_ARGS__)
#define memmove(...) __builtin_memmove(__VA_ARGS__)
#define memset(...) __builtin_memset(__VA_ARGS__)
#define memcmp(...) __builtin_memcmp(__VA_ARGS__)
#define strlen(...) __builtin_strlen(__VA_ARGS__)
#define strcmp(...) __builtin_strcmp(__VA_ARGS__)
#endif

#endif
