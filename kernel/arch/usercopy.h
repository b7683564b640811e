// The only code that touches user memory (SUM on). Each routine recovers from a fault that cannot be
// repaired by the exception table and returns what was not done. Addresses must be below 2^38; the caller checks.
#ifndef ARCH_USERCOPY_H
#define ARCH_USERCOPY_H

#include "lib/types.h"

size_t usercopy_in(void *dst, const void *user_src, size_t n);   // bytes NOT copied
size_t usercopy_out(void *user_dst, const void *src, size_t n);  // bytes NOT copied
size_t usercopy_zero(void *user_dst, size_t n);                  // bytes NOT zeroed
// Length of the string copied without its NUL, n when no NUL within n bytes, or -EFAULT.
ssize_t usercopy_string(char *dst, const char *user_src, size_t n);
int usercopy_load32(u32 *dst, const u32 *user_src);  // 0 or -EFAULT
// 0 (then *expected is the old value) or -EFAULT
int usercopy_cmpxchg32(u32 *user, u32 *expected, u32 desired);

#endif
