/*
 * Bits in words, and maps of bits in arrays of u64 (bit i is bit i % 64 of word i / 64).
 *
 * The counting helpers are our own because the base instruction set has no count instructions and
 * the kernel does not link with libgcc.  Nothing here is atomic; the caller holds the map's lock.
 */
#ifndef LIB_BITMAP_H
#define LIB_BITMAP_H

#include "lib/types.h"

/* Number of u64 that hold n bits. */
#define BITMAP_WORDS(n) (((n) + 63) / 64)

#define DE_BRUIJN_64 0x03f79d71b4cb0a89ull
extern const u8 de_bruijn_index[64];

/* Number of zero bits below the lowest set bit; x is not 0. */
static inline unsigned ctz64(u64 x) {
#ifdef __riscv_zbb
    return (unsigned)__builtin_ctzl(x);
#else
    return de_bruijn_index[((x & -x) * DE_BRUIJN_64) >> 58];
#endif
}

/* Position of the highest set bit, that is floor(log2(x)); x is not 0. */
static inline unsigned ilog2(u64 x) {
#ifdef __riscv_zbb
    return 63 - (unsigned)__builtin_clzl(x);
#else
    x |= x >> 1;
    x |= x >> 2;
    x |= x >> 4;
    x |= x >> 8;
    x |= x >> 16;
    x |= x >> 32;
    return ctz64(x - (x >> 1));
#endif
}

/* Smallest k with 1 << k >= x; 0 for x of 0 and 1. */
static inline unsigned ilog2_up(u64 x) { return x > 1 ? ilog2(x - 1) + 1 : 0; }

static inline bool is_pow2(u64 x) { return x && !(x & (x - 1)); }

static inline bool bitmap_test(const u64 *map, size_t bit) {
    return (map[bit / 64] >> (bit % 64)) & 1;
}

static inline void bitmap_set(u64 *map, size_t bit) { map[bit / 64] |= 1ull << (bit % 64); }

static inline void bitmap_clear(u64 *map, size_t bit) { map[bit / 64] &= ~(1ull << (bit % 64)); }

/* First clear (set) bit in [from, nbits), or nbits. */
size_t bitmap_find_first_zero(const u64 *map, size_t nbits, size_t from);
size_t bitmap_find_first_set(const u64 *map, size_t nbits, size_t from);

/* Set the `n` bits that start at `first`. */
void bitmap_set_range(u64 *map, size_t first, size_t n);

#endif
