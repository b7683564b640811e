/* Lab pgtable: what its tests share. */
#ifndef LAB_PGTABLE_H
#define LAB_PGTABLE_H

#include "user/labtest/lab.h"
#include "user/usertests/ut.h"

#define RW (PROT_READ | PROT_WRITE)
#define BLOCK (2ul << 20) /* what one last-level table maps */
#define USER_TOP ((1ul << 38) - 16 * PAGE)

enum { V = 1, R = 2, W = 4, X = 8, U = 16, LEAF = R | W | X };

/* The call: entries from the root down; how many are valid. */
static inline long walk(const volatile void *addr, uint64_t *entry) {
    register uint64_t a0 asm("a0") = (uint64_t)addr;
    register uint64_t *a1 asm("a1") = entry;
    register long a7 asm("a7") = WALK_NR;

    asm volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a7) : "memory");
    return (long)a0;
}

static inline uint64_t frame_of(uint64_t entry) { return entry >> 10 & ((1ul << 44) - 1); }

static volatile char *area __attribute__((unused)); /* begins where a table does */

/* Blocks of 2 MiB without a page in them yet. */
static inline void map_area(long blocks) {
    char *p = (char *)OK(sys_mmap(0, ((uint64_t)blocks + 1) * BLOCK, RW,
                                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));

    area = (char *)(((uint64_t)p + BLOCK - 1) / BLOCK * BLOCK);
    if (area > p)
        OK(sys_munmap(p, (size_t)(area - p)));
    OK(sys_munmap((char *)area + (uint64_t)blocks * BLOCK, (size_t)(p + BLOCK - area)));
}

/* ---- the file */

struct run {
    uint64_t start, end, pages;
    char rights[4];
};
#define MOST_RUNS 512
static struct run runs[MOST_RUNS] __attribute__((unused));
static int nr_runs __attribute__((unused));

static inline const char *number(const char *p, int base, uint64_t *n) {
    const char *from = p;

    for (*n = 0;; p++) {
        int digit = *p >= '0' && *p <= '9' ? *p - '0' : *p >= 'a' && *p <= 'f' ? *p - 'a' + 10 : 99;
        if (digit >= base)
            break;
        *n = *n * (uint64_t)base + (uint64_t)digit;
    }
    if (p == from)
        fail_at("FILE", "a number is missing: %s", from);
    return p;
}

static inline const char *sign(const char *p, char c) {
    if (*p != c)
        fail_at("FILE", "instead of '%c' there is: %s", c, p);
    return p + 1;
}

/* runs[]: what the file says. */
static inline void read_runs(const char *path) {
    static char text[MOST_RUNS * 48];
    const char *p = text;

    OK(read_file(path, text, sizeof(text)));
    for (nr_runs = 0; *p; nr_runs++) {
        struct run *r = &runs[nr_runs];
        CHECK(nr_runs < MOST_RUNS);
        p = sign(number(p, 16, &r->start), '-');
        p = sign(number(p, 16, &r->end), ' ');
        for (int i = 0; i < 3; i++, p++) {
            CHECK(*p == "rwx"[i] || *p == '-');
            r->rights[i] = *p;
        }
        p = sign(number(sign(p, ' '), 10, &r->pages), '\n');
        EQ(r->end - r->start, r->pages * PAGE);
        CHECK(nr_runs == 0 || r->start >= r[-1].end);
    }
}

/* The next run at or behind p is this one. */
static inline void run_is(const volatile char *p, long first, long pages, const char *rights) {
    uint64_t start = (uint64_t)p + (uint64_t)first * PAGE;

    for (int i = 0; i < nr_runs; i++) {
        if (runs[i].end <= start)
            continue;
        if (runs[i].start != start || runs[i].pages != (uint64_t)pages ||
            strcmp(runs[i].rights, rights) != 0)
            fail_at("run", "%lx, %ld pages %s: there is %lx, %ld pages %s", start, pages, rights,
                    runs[i].start, (long)runs[i].pages, runs[i].rights);
        return;
    }
    fail_at("run", "%lx is missing", start);
}

/* ---- the page */

struct facts {
    uint64_t FIELDS;
};
#define FACTS_AT (USER_TOP - FACTS_PAGE * PAGE)
#define FACTS ((const volatile struct facts *)FACTS_AT)

#endif
