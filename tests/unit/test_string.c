// with: lib/string.c
/* lib/string against byte loops: all alignments, many sizes, guard bytes on both sides. */
#include "unit.h"
#include "lib/string.h"

#define GUARD 32
#define ROOM (GUARD + 16 + 1100 + GUARD)

static u8 src[ROOM] __aligned(16), dst[ROOM] __aligned(16), want[ROOM] __aligned(16);

static void fill_random(u8 *p) {
    for (size_t i = 0; i < ROOM; i++)
        p[i] = (u8)rnd();
}

static bool equal(const u8 *p, const u8 *q, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (p[i] != q[i])
            return false;
    }
    return true;
}

static void bytes_copy(u8 *to, const u8 *from, size_t n) {
    for (size_t i = 0; i < n; i++)
        to[i] = from[i];
}

static void try_copy(size_t d, size_t s, size_t n) {
    /* The source is alone in its allocation: the sanitizer sees any byte read beyond it. */
    u8 *from = host_malloc(s + n + 1);

    for (size_t i = 0; i < s + n; i++)
        from[i] = (u8)(i * 131 + n);
    bytes_copy(dst, want, ROOM);
    bytes_copy(want + GUARD + d, from + s, n);
    CHECK(memcpy(dst + GUARD + d, from + s, n) == dst + GUARD + d);
    CHECK(equal(dst, want, ROOM));
    host_free(from);
}

static void memcpy_all_alignments(void) {
    fill_random(want);
    for (size_t d = 0; d <= 16; d++) {
        for (size_t s = 0; s <= 16; s++) {
            for (size_t n = 0; n <= 300; n += n < 40 ? 1 : 1 + rnd_below(9))
                try_copy(d, s, n);
            try_copy(d, s, 1000 + rnd_below(99));
        }
    }
}

static void memcpy_every_size(void) {
    for (size_t n = 0; n <= 300; n++) {
        try_copy(n % 8, n % 8, n);
        try_copy(rnd_below(17), rnd_below(17), n);
    }
}

static void memcpy_reads_nothing_outside(void) {
    for (size_t s = 0; s <= 8; s++) {
        for (size_t n = 1; n <= 80; n++) {
            u8 *from = host_malloc(s + n); /* ends exactly at the end of the source */

            for (size_t i = 0; i < s + n; i++)
                from[i] = (u8)i;
            memcpy(dst, from + s, n);
            CHECK(equal(dst, from + s, n));
            host_free(from);
        }
    }
}

static void memmove_overlaps(void) {
    for (int step = 0; step < 60000; step++) {
        size_t n = rnd_below(301), s = rnd_below(120), d = rnd_below(120);

        if (step % 64 == 0)
            fill_random(src);
        bytes_copy(want, src, ROOM);
        bytes_copy(dst, src, ROOM);
        bytes_copy(want + GUARD + d, dst + GUARD + s, n);
        CHECK(memmove(src + GUARD + d, src + GUARD + s, n) == src + GUARD + d);
        if (!CHECK(equal(src, want, ROOM)))
            return;
    }
}

static void memset_all_alignments(void) {
    fill_random(want);
    for (size_t d = 0; d <= 16; d++) {
        for (size_t n = 0; n <= 300; n++) {
            int c = (int)rnd_below(1000) - 500;

            bytes_copy(dst, want, ROOM);
            for (size_t i = 0; i < n; i++)
                want[GUARD + d + i] = (u8)c;
            CHECK(memset(dst + GUARD + d, c, n) == dst + GUARD + d);
            CHECK(equal(dst, want, ROOM));
        }
    }
}

static int sign(int x) { return (x > 0) - (x < 0); }

static void memcmp_and_memchr(void) {
    for (int step = 0; step < 20000; step++) {
        size_t a = rnd_below(17), b = rnd_below(17), n = rnd_below(100), at = rnd_below(100);
        int c = (int)rnd_below(256), expected = 0;

        bytes_copy(dst + b, src + a, n);
        if (n && at < n) {
            dst[b + at] = (u8)c;
            expected = src[a + at] - c;
        }
        CHECK(sign(memcmp(src + a, dst + b, n)) == sign(expected));
        for (at = 0; at < n && src[a + at] != c; at++)
            ;
        CHECK(memchr(src + a, c, n) == (at < n ? src + a + at : NULL));
    }
}

static void pages(void) {
    static u8 one[2 * PAGE_SIZE + 16] __aligned(PAGE_SIZE), two[3 * PAGE_SIZE] __aligned(PAGE_SIZE);

    for (size_t i = 0; i < sizeof(one); i++)
        one[i] = (u8)(rnd() | 1);
    for (size_t i = 0; i < sizeof(two); i++)
        two[i] = 0xa5;
    page_copy(two + PAGE_SIZE, one);
    CHECK(equal(two + PAGE_SIZE, one, PAGE_SIZE));
    CHECK(two[PAGE_SIZE - 1] == 0xa5 && two[2 * PAGE_SIZE] == 0xa5);
    page_clear(two + PAGE_SIZE);
    for (size_t i = 0; i < PAGE_SIZE; i++)
        CHECK(two[PAGE_SIZE + i] == 0);
    CHECK(two[PAGE_SIZE - 1] == 0xa5 && two[2 * PAGE_SIZE] == 0xa5);
}

static void strings(void) {
    char buf[8];
    const char *s = "a/b/c";

    CHECK(strlen("") == 0 && strlen("hello") == 5);
    CHECK(strnlen("hello", 3) == 3 && strnlen("hello", 9) == 5 && strnlen("", 0) == 0);
    CHECK(strcmp("abc", "abc") == 0 && strcmp("abc", "abd") < 0 && strcmp("abc", "ab") > 0);
    CHECK(strcmp("\xff", "a") > 0 && strcmp("", "") == 0);
    CHECK(strncmp("abcx", "abcy", 3) == 0 && strncmp("abcx", "abcy", 4) < 0);
    CHECK(strncmp("a", "a", 10) == 0 && strncmp("a", "b", 0) == 0 && strncmp("ab", "a", 5) > 0);
    CHECK(strchr(s, '/') == s + 1 && strrchr(s, '/') == s + 3);
    CHECK(strchr(s, 0) == s + 5 && strrchr(s, 0) == s + 5);
    CHECK(!strchr(s, 'z') && !strrchr(s, 'z'));
    CHECK(strlcpy(buf, "hello", sizeof(buf)) == 5 && strcmp(buf, "hello") == 0);
    CHECK(strlcpy(buf, "hello, world", sizeof(buf)) == 12 && strcmp(buf, "hello, ") == 0);
    CHECK(strlcpy(buf, "x", 0) == 1 && buf[0] == 'h');
    CHECK(strlcpy(buf, "x", 1) == 1 && buf[0] == 0);
}

static bool parses(const char *s, u64 expected) {
    u64 value = ~expected;

    return parse_u64(s, &value) == 0 && value == expected;
}

static bool refuses(const char *s) {
    u64 value = 42;

    return parse_u64(s, &value) == -22 && value == 42;
}

static void numbers(void) {
    const char *s = "123abc", *end;

    CHECK(parses("0", 0) && parses("10", 10) && parses("0x1F", 31) && parses("010", 8));
    CHECK(parses("18446744073709551615", ~0ull) && parses("0xffffffffffffffff", ~0ull));
    CHECK(parses("01777777777777777777777", ~0ull));
    CHECK(refuses("") && refuses("0x") && refuses("08") && refuses("12 ") && refuses(" 12"));
    CHECK(refuses("-1") && refuses("+1") && refuses("18446744073709551616"));
    CHECK(refuses("0x10000000000000000") && refuses("1e5") && refuses("0xfg"));
    CHECK(strtou64(s, &end) == 123 && end == s + 3);
    CHECK(strtou64("0xg", &end) == 0 && *end == 'x');
    CHECK(strtou64("abc", &end) == 0 && *end == 'a');
    CHECK(strtou64("99999999999999999999", NULL) == ~0ull);
}

int main(void) {
    RUN(memcpy_all_alignments);
    RUN(memcpy_every_size);
    RUN(memcpy_reads_nothing_outside);
    RUN(memmove_overlaps);
    RUN(memset_all_alignments);
    RUN(memcmp_and_memchr);
    RUN(pages);
    RUN(strings);
    RUN(numbers);
    return unit_result();
}
