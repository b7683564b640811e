// with:
/* Macros of lib/types.h and the hash functions of lib/hash.h. */
#include "unit.h"
#include "lib/hash.h"

static void min_max_evaluate_once(void) {
    int i = 1, j = 5;
    u64 big = 1ull << 40;

    CHECK(min(i++, j++) == 1 && i == 2 && j == 6);
    CHECK(max(i++, j++) == 6 && i == 3 && j == 7);
    CHECK(min(big, 10) == 10 && max(big, 10) == big);
    CHECK(min(min(i, j), max(2, 9)) == 3);
    CHECK(max(-1, 1) == 1);
}

static void alignment(void) {
    CHECK(align_up(0ul, PAGE_SIZE) == 0 && align_up(1ul, PAGE_SIZE) == PAGE_SIZE);
    CHECK(align_up(4096u, PAGE_SIZE) == 4096 && align_down(8191u, PAGE_SIZE) == 4096);
    CHECK(align_down(0xffffffff80001234ull, 4096) == 0xffffffff80001000ull);
    CHECK(align_up(0xffffffff80001234ull, 4096u) == 0xffffffff80002000ull);
    CHECK(is_aligned(8192ul, PAGE_SIZE) && !is_aligned(8200ul, PAGE_SIZE));
    CHECK(div_round_up(0, 8) == 0 && div_round_up(9, 8) == 2 && div_round_up(16, 8) == 2);
    CHECK(KIB(4) == PAGE_SIZE && MIB(1) == KIB(1024) && GIB(64) == 64ull << 30);
}

static void hashes(void) {
    static u32 bucket[64];
    u32 worst = 0;

    /* 64 pages' addresses must not share buckets: the low bits of the hash are what counts. */
    for (u64 i = 0; i < 4096; i++)
        bucket[hash_u64(0xffffffc000000000ull + i * PAGE_SIZE) % 64]++;
    for (u32 i = 0; i < 64; i++)
        worst = max(worst, bucket[i]);
    CHECK(worst < 2 * 4096 / 64);
}

int main(void) {
    RUN(min_max_evaluate_once);
    RUN(alignment);
    RUN(hashes);
    return unit_result();
}
