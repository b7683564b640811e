/* Types and small macros that every file of the kernel may use. */
#ifndef LIB_TYPES_H
#define LIB_TYPES_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;

typedef long ssize_t;
typedef u64 pa_t; /* physical address */
typedef u64 va_t; /* virtual address */

#define PAGE_SHIFT 12
#define PAGE_SIZE 4096ul

#define KIB(n) ((u64)(n) << 10)
#define MIB(n) ((u64)(n) << 20)
#define GIB(n) ((u64)(n) << 30)

#define __aligned(n) __attribute__((aligned(n)))
#define __noreturn __attribute__((noreturn))
#define __printf(fmt, args) __attribute__((format(printf, fmt, args)))

#define BUILD_ASSERT(cond) _Static_assert(cond, #cond)

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#undef unreachable
#define unreachable() __builtin_unreachable()

/* The compiler neither moves memory accesses across barrier() nor caches values over it. */
#define barrier() __asm__ volatile("" ::: "memory")

/* One access, exactly here: for words that another hart or an interrupt also touches. */
#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* The structure whose member `member` is at `ptr`. */
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* Round to a multiple of `a`, a power of two; the result has the type of `x`. */
#define align_up(x, a) ((__typeof__(x))(((x) + ((a)-1)) & ~((__typeof__(x))(a)-1)))
#define align_down(x, a) ((__typeof__(x))((x) & ~((__typeof__(x))(a)-1)))
#define is_aligned(x, a) (((x) & ((__typeof__(x))(a)-1)) == 0)

#define div_round_up(n, d) (((n) + (d)-1) / (d))

/*
 * min and max evaluate each argument once, in the type that C gives to `1 ? a : b`.  The statement
 * that never runs lets -Wextra complain when a signed variable meets an unsigned one.
 */
#define min(a, b) __pick(a, b, <)
#define max(a, b) __pick(a, b, >)
#define __pick(a, b, op)                                                                           \
    __extension__({                                                                                \
        if (0)                                                                                     \
            (void)(1 ? (a) : (b));                                                                 \
        __typeof__(1 ? (a) : (b)) __a = (a);                                                       \
        __typeof__(1 ? (a) : (b)) __b = (b);                                                       \
        __a op __b ? __a : __b;                                                                    \
    })

#endif
