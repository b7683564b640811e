/*
 * Formatted output: %d %i %u %x %X %o %c %s %p %%, flags `0 - + space #`, width, precision, `*`,
 * and lengths hh h l ll z j t, as in C11 7.21.6.1.  %p prints 0x and hexadecimal digits.
 */
#ifndef LIB_PRINTF_H
#define LIB_PRINTF_H

#include "lib/types.h"

/* Where formatted text goes: embed it in an object of your own. */
struct printer {
    void (*put)(struct printer *p, const char *s, size_t n); /* n >= 1 characters, no NUL */
};

/* Format to a printer: the number of characters. */
int printer_vprintf(struct printer *p, const char *fmt, va_list ap) __printf(2, 0);
int printer_printf(struct printer *p, const char *fmt, ...) __printf(2, 3);

/* Format to a buffer, NUL included if size > 0: the length that the whole text has. */
int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap) __printf(3, 0);
int snprintf(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);

/* The same: the length of what is in the buffer, at most size - 1. */
int vscnprintf(char *buf, size_t size, const char *fmt, va_list ap) __printf(3, 0);
int scnprintf(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);

#endif
