// The only code that touches user memory (SUM on). Each routine recovers from a fault that cannot be
// repaired by the exception table and returns what was not done. Addresses must be below 2^38; the caller checks.
#ifndef ARCH_USERCOPY_H
#define ARCH_USERCOPY_H

#include "abi/signal.h"
#include "lib/types.h"

size_t usercopy_in(void *dst, const void *user_src, size_t n);   // bytes NOT copied
size_t usercopy_out(void *user_dst, const void *src, size_t n);  // bytes NOT copied
size_t usercopy_word(void *dst, const void *src);                // of 8 bytes, in either direction
size_t usercopy_zero(void *user_dst, size_t n);                  // bytes NOT zeroed
// Length of the string copied without its NUL, n when no NUL within n bytes, or -EFAULT.
ssize_t usercopy_string(char *dst, const char *user_src, size_t n);
int usercopy_load32(u32 *dst, const u32 *user_src);  // 0 or -EFAULT
// 0 (then *expected is the old value) or -EFAULT
int usercopy_cmpxchg32(u32 *user, u32 *expected, u32 desired);

// What a signal frame has besides registers.
struct frame_head {
    struct siginfo info;
    struct sigaltstack stack;  // uc_stack
    u64 mask;                  // uc_sigmask
    u64 extension;             // read back: 0 when no record of an extension follows the registers
};
struct trapframe;
// A signal frame, 16-byte aligned: the integer registers from or to tf, those of floating point from or to the hart
// (fpu_use, fpu_replace). Reading leaves head->info alone. => not preemptible, so a page that is absent is not
// brought. 0, or -EFAULT with a part done
int usercopy_frame_out(struct rt_sigframe *to, const struct trapframe *tf,
                       const struct frame_head *head);
int usercopy_frame_in(struct frame_head *head, struct trapframe *tf,
                      const struct rt_sigframe *from);

#endif
