// Copying between the kernel and a program's memory. => task context, no spinning lock held (they may fault and sleep),
// unless the name says nofault. All check the range and return -EFAULT for a bad address.
#ifndef MM_UACCESS_H
#define MM_UACCESS_H

#include "abi/errno.h"
#include "arch/sv39.h"
#include "arch/usercopy.h"
#include "check/fail.h"
#include "check/kasan.h"
#include "lib/types.h"

static inline bool user_range_ok(u64 addr, size_t n) {
    bool inside = __builtin_constant_p(n) ? addr <= USER_TOP - n  // one comparison
                                          : addr <= USER_TOP && n <= USER_TOP - addr;
    return inside && !fail_now(FAIL_USERCOPY);
}

// 0 or -EFAULT
static inline int copy_from_user(void *dst, u64 src, size_t n) {
    kasan_write(dst, n);
    return user_range_ok(src, n) && usercopy_in(dst, (const void *)src, n) == 0 ? 0 : -EFAULT;
}
static inline int copy_to_user(u64 dst, const void *src, size_t n) {
    kasan_read(src, n);
    return user_range_ok(dst, n) && usercopy_out((void *)dst, src, n) == 0 ? 0 : -EFAULT;
}
// Bytes NOT copied: for calls that report a part.
static inline size_t copy_from_user_part(void *dst, u64 src, size_t n) {
    kasan_write(dst, n);
    return user_range_ok(src, n) ? usercopy_in(dst, (const void *)src, n) : n;
}
static inline size_t copy_to_user_part(u64 dst, const void *src, size_t n) {
    kasan_read(src, n);
    return user_range_ok(dst, n) ? usercopy_out((void *)dst, src, n) : n;
}
static inline int get_user_u32(u32 *dst, u64 src) { return copy_from_user(dst, src, 4); }
static inline int get_user_u64(u64 *dst, u64 src) {
    kasan_write(dst, 8);
    return user_range_ok(src, 8) && usercopy_word(dst, (const void *)src) == 0 ? 0 : -EFAULT;
}
static inline int put_user_u32(u32 value, u64 dst) { return copy_to_user(dst, &value, 4); }
static inline int put_user_u64(u64 value, u64 dst) {
    return user_range_ok(dst, 8) && usercopy_word((void *)dst, &value) == 0 ? 0 : -EFAULT;
}

// A NUL-terminated string of less than `size` bytes. Its length, -EFAULT, or -ENAMETOOLONG.
ssize_t copy_string_from_user(char *dst, u64 src, size_t size);
// A path: copied into a fresh buffer of PATH_MAX (free with path_buffer_put), or ERR_PTR(-EFAULT, -ENAMETOOLONG, -ENOMEM).
// An empty path is returned as it is.
char *path_from_user(u64 src);
void path_buffer_put(char *path);

// Copy without repairing faults; usable under spinning locks. 0 or -EFAULT.
int copy_from_user_nofault(void *dst, u64 src, size_t n);
// Make [addr, addr+n) present (writable) so that a nofault copy will likely succeed. 0 or -EFAULT.
int fault_in_user(u64 addr, size_t n, bool write);

#endif
