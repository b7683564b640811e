// with: lib/bitmap.c
/* lib/bitmap against an array of bool. */
#include "unit.h"
#include "lib/bitmap.h"

#define BITS 333

static u64 map[BITMAP_WORDS(BITS)];
static bool model[BITS];

static void counting(void) {
    for (unsigned i = 0; i < 64; i++) {
        u64 lone = 1ull << i, noise = rnd() << 8 | rnd();

        CHECK(ctz64(lone | (i < 63 ? noise << (i + 1) : 0)) == i);
        CHECK(ilog2(lone | (noise & (lone - 1))) == i);
        CHECK(ilog2_up(lone) == i && (i == 63 || i == 0 || ilog2_up(lone + 1) == i + 1));
        CHECK(is_pow2(lone) && !is_pow2(lone | (i ? 1 : 2)));
    }
    CHECK(ilog2_up(0) == 0 && !is_pow2(0));
}

static size_t model_find(size_t nbits, size_t from, bool what) {
    while (from < nbits && model[from] != what)
        from++;
    return min(from, nbits);
}

static void against_model(void) {
    for (int step = 0; step < 20000; step++) {
        size_t bit = rnd_below(BITS), n = rnd_below(BITS - bit + 1), nbits;
        bool set = rnd_below(2);

        if (rnd_below(4) == 0) {
            if (set)
                bitmap_set_range(map, bit, n);
            for (size_t i = 0; i < n; i++) {
                model[bit + i] = set;
                if (!set)
                    bitmap_clear(map, bit + i);
            }
        } else {
            (set ? bitmap_set : bitmap_clear)(map, bit);
            model[bit] = set;
        }
        bit = rnd_below(BITS);
        nbits = rnd_below(BITS + 1);
        CHECK(bitmap_test(map, bit) == model[bit]);
        CHECK(bitmap_find_first_set(map, BITS, bit) == model_find(BITS, bit, true));
        CHECK(bitmap_find_first_zero(map, BITS, bit) == model_find(BITS, bit, false));
        CHECK(bitmap_find_first_set(map, nbits, bit) == model_find(nbits, bit, true));
        CHECK(bitmap_find_first_zero(map, nbits, bit) == model_find(nbits, bit, false));
    }
}

int main(void) {
    RUN(counting);
    RUN(against_model);
    return unit_result();
}
