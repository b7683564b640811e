/* Hash functions: all 64 bits are usable, so a table of 2^k buckets takes the low k bits. */
#ifndef LIB_HASH_H
#define LIB_HASH_H

#include "lib/types.h"

#define HASH_SEED 0xcbf29ce484222325ull /* FNV-1a offset basis */

/* Times 2^64 over the golden ratio (Knuth 6.4), folded so that the low bits are good too. */
static inline u64 hash_u64(u64 x) {
    x *= 0x9e3779b97f4a7c15ull;
    return x ^ (x >> 32);
}

static inline u64 hash_ptr(const void *p) { return hash_u64((u64)(uintptr_t)p); }

/* FNV-1a of n bytes; `seed` is HASH_SEED, or the hash of what came before. */
static inline u64 hash_bytes(const void *p, size_t n, u64 seed) {
    const u8 *b = p, *end = b + n;

    while (b < end)
        seed = (seed ^ *b++) * 0x100000001b3ull;
    return seed ^ (seed >> 32);
}

#endif
