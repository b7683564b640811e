/*
 * bitmap.c: maps of bits.
 *
 * A search looks at whole words: the first one with the bits before `from` masked away, then one
 * load per 64 bits.  A search for a clear bit is a search for a set bit in the complement.  Bits of
 * the last word beyond the map may have any value; results are clipped to the map's size.
 *
 * The position of a lone bit comes from a de Bruijn sequence (Leiserson, Prokop, Randall, "Using de
 * Bruijn Sequences to Index a 1 in a Computer Word", 1998): every 6-bit window of DE_BRUIJN_64 is
 * different, so multiplying by 1 << k moves window k to the top, and the table turns it into k.
 *
 * No locks; nobody sleeps.  Bit operations are plain loads and stores, so the caller's lock must
 * cover the whole word.
 */
#include "lib/bitmap.h"

const u8 de_bruijn_index[64] = {
    0,  1,  48, 2,  57, 49, 28, 3,  61, 58, 50, 42, 38, 29, 17, 4,  62, 55, 59, 36, 53, 51,
    43, 22, 45, 39, 33, 30, 24, 18, 12, 5,  63, 47, 56, 27, 60, 41, 37, 16, 54, 35, 52, 21,
    44, 32, 23, 11, 46, 26, 40, 15, 34, 20, 31, 10, 25, 14, 19, 9,  13, 8,  7,  6,
};

/* First set bit of map ^ flip in [from, nbits), or nbits. */
static inline size_t find(const u64 *map, size_t nbits, size_t from, u64 flip) {
    size_t word = from / 64, words = BITMAP_WORDS(nbits), bit;
    u64 bits;

    if (from >= nbits)
        return nbits;
    bits = (map[word] ^ flip) & (~0ull << (from % 64));
    while (!bits) {
        if (++word == words)
            return nbits;
        bits = map[word] ^ flip;
    }
    bit = word * 64 + ctz64(bits);
    return min(bit, nbits);
}

size_t bitmap_find_first_zero(const u64 *map, size_t nbits, size_t from) {
    return find(map, nbits, from, ~0ull);
}

size_t bitmap_find_first_set(const u64 *map, size_t nbits, size_t from) {
    return find(map, nbits, from, 0);
}

/* Mask of the bits of the word of `bit` that [bit, end) covers. */
static inline u64 mask_from(size_t bit, size_t end) {
    size_t n = end - bit;
    u64 mask = ~0ull << (bit % 64);

    return bit % 64 + n >= 64 ? mask : mask & ~(~0ull << (bit % 64 + n));
}

void bitmap_set_range(u64 *map, size_t first, size_t n) {
    size_t end = first + n;

    for (size_t bit = first; bit < end; bit = align_down(bit, 64) + 64)
        map[bit / 64] |= mask_from(bit, end);
}
