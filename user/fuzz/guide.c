/* -g: coverage, from a kernel with CHECK=kcov, decides what is tried again.
 *
 * The kernel writes the address of each basic block that the epoch's first thread passes into
 * memory that the runner maps too. An edge, two blocks in a row, is one bit of a table. An epoch
 * that sets new bits is kept; new epochs are half the time kept ones of which some calls are
 * others, or find other bytes in memory, or whose end is another's. The genes of an epoch are the
 * seeds of its calls. */
#include "user/fuzz/fuzz.h"
#include "abi/kcov.h"

enum { ENTRIES = 1 << 16, EDGES = 1 << 17, KEPT = 256 };

static uint64_t *cover;
static uint64_t edges[EDGES / 64], nr_edges;
static uint64_t kept[KEPT][EPOCH], nr_kept;

bool guide_open(void) {
    long fd = sys_openat(AT_FDCWD, "/dev/kcov", O_RDWR, 0);

    if (fd < 0)
        return false;
    sys_close((int)fd);
    return true;
}

/* Each runner has its own memory. */
static void map_cover(void) {
    long fd = sys_openat(AT_FDCWD, "/dev/kcov", O_RDWR, 0);

    if (sys_ioctl((int)fd, KCOV_INIT_TRACE, (void *)ENTRIES) < 0)
        die("kcov: no memory");
    cover = (uint64_t *)sys_mmap(0, ENTRIES * 8, PROT_READ | PROT_WRITE, MAP_SHARED, (int)fd, 0);
    if ((long)cover < 0)
        die("kcov cannot be mapped");
    sys_dup3((int)fd, COVER_FD, 0);
    sys_close((int)fd);
}

void guide_start(void) {
    cover[0] = 0;
    sys_ioctl(COVER_FD, KCOV_ENABLE, KCOV_TRACE_PC);
}

static void keep(uint64_t at, const uint64_t *seeds) { memcpy(kept[at], seeds, sizeof(kept[at])); }

/* Fills in the seeds of the next epoch; they hold fresh ones. */
void guide_choose(struct random *r, uint64_t *seeds) {
    uint64_t old[EPOCH], cut;

    if (!cover)
        map_cover();
    if (nr_kept == 0 || one_in(r, 2))
        return;
    memcpy(old, kept[below(r, nr_kept)], sizeof(old));
    if (one_in(r, 4)) {
        cut = below(r, EPOCH);
        memcpy(old + cut, kept[below(r, nr_kept)] + cut, (uint)((EPOCH - cut) * 8));
    }
    for (uint64_t n = 1 + below(r, 16); n; n--) {
        uint64_t at = below(r, EPOCH);
        old[at] = one_in(r, 2) ? seeds[at] : (old[at] & ~VARIATION) + below(r, VARIATION);
    }
    memcpy(seeds, old, sizeof(old));
}

void guide_learn(const uint64_t *seeds) {
    uint64_t n = cover[0] < ENTRIES ? cover[0] : ENTRIES - 1, before = nr_edges;

    for (uint64_t i = 2; i <= n; i++) {
        uint64_t e = mix(cover[i - 1], cover[i]) % EDGES, bit = 1UL << e % 64;
        nr_edges += !(edges[e / 64] & bit);
        edges[e / 64] |= bit;
    }
    if (nr_edges == before)
        return;
    keep(nr_kept < KEPT ? nr_kept : mix(nr_edges, before) % KEPT, seeds);
    nr_kept += nr_kept < KEPT;
}

void guide_report(void) { printf("fuzz: %lu edges seen, %lu epochs kept\n", nr_edges, nr_kept); }
