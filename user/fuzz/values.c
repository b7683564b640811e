/* Values for arguments: what a kind of abi/syscalls.def may be, good, bad, and near an edge.
 *
 * Most values are good, or a call would end at its first check; the others are chosen where code
 * tends to be wrong: around 0, sign changes, page ends, the border of user addresses, and memory
 * that is read-only, closed, absent, or of a file that is shorter than its mapping.
 *
 * Structures have no types here. They are words, each a small number, two of them in one word, an
 * edge, an address, or a handler: that is what times, sets, vectors and descriptors are made of. */
#include "user/fuzz/fuzz.h"
#include "abi/stat.h"
#include "abi/time.h"

#define USER_TOP 0x4000000000UL

uint64_t next(struct random *r) {
    uint64_t z = r->state += 0x9e3779b97f4a7c15UL;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9UL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebUL;
    return z ^ z >> 31;
}

uint64_t below(struct random *r, uint64_t n) { return next(r) % n; }

uint64_t mix(uint64_t a, uint64_t b) {
    struct random r = {a * 0xd1342543de82ef95UL + b, 0};
    return next(&r);
}

#define PICK(r, list) ((list)[below(r, ARRAY_LEN(list))])

uint64_t edge(struct random *r) {
    static const uint64_t edges[] = {0,
                                     1,
                                     2,
                                     7,
                                     8,
                                     63,
                                     64,
                                     65,
                                     127,
                                     255,
                                     256,
                                     4095,
                                     4096,
                                     4097,
                                     65535,
                                     65536,
                                     1000000,
                                     999999999,
                                     1000000000,
                                     0x7fffffff,
                                     0x80000000,
                                     0xffffffff,
                                     0x100000000,
                                     USER_TOP - 1,
                                     USER_TOP,
                                     1UL << 40,
                                     0x7fffffffffffffff,
                                     0x8000000000000000,
                                     0x7ffffffffffff000,
                                     -4096UL,
                                     -8UL,
                                     -2UL,
                                     -1UL,
                                     0x5555555555555555};
    uint64_t e = PICK(r, edges);

    return one_in(r, 4) ? e + below(r, 17) - 8 : e;
}

static uint64_t small(struct random *r) { return below(r, one_in(r, 2) ? 4 : 24); }

/* A pointer that some rule or other of the hardware or the address space is against. */
static uint64_t bad_pointer(struct random *r) {
    static const uint64_t bad[] = {0,
                                   1,
                                   8,
                                   PAGE,
                                   USER_TOP - PAGE,
                                   USER_TOP - 17 * PAGE,
                                   USER_TOP - 8,
                                   USER_TOP - 1,
                                   USER_TOP,
                                   USER_TOP + PAGE,
                                   0x8000000000000000,
                                   0xffffffc000000000,
                                   0xffffffc080200000,
                                   0xffffffff80000000,
                                   -4096UL,
                                   -8UL,
                                   -1UL,
                                   ARENA + GOOD_END * PAGE,
                                   ARENA + CLOSED * PAGE,
                                   ARENA + (CLOSED + 1) * PAGE,
                                   ARENA + (FILE_MAP + 1) * PAGE,
                                   ARENA + CODE * PAGE,
                                   ARENA + FREE * PAGE};
    uint64_t p = PICK(r, bad);

    return one_in(r, 4) ? p + below(r, 33) - 16 : p;
}

/* `size` bytes that may be written, aligned or not; or an end of such; or what is bad. */
void *pointer(struct random *r, size_t size, size_t align) {
    static const int ends[] = {GOOD_END, CLOSED, SHARED + 2, FILE_MAP + 1, FILE_MAP + 2};
    uint64_t choice = below(r, 32);

    if (size > PAGE)
        size = PAGE;
    if (choice < 24)
        return PAGE_AT(below(r, 6)) + below(r, (PAGE - 64) / align) * align;
    if (choice < 26)
        return PAGE_AT(one_in(r, 2) ? SHARED : FILE_MAP) + below(r, 128) * align;
    if (choice < 28)
        return PAGE_AT(PICK(r, ends)) - size;
    if (choice < 30)
        return PAGE_AT(PICK(r, ends)) - below(r, 129);
    return (void *)bad_pointer(r);
}

static uint64_t word(struct random *r) {
    switch (below(r, 8)) {
    case 0:
        return edge(r);
    case 1:
        return (uint64_t)pointer(r, 64, 8);
    case 2:
        return small(r) | small(r) << 32;
    case 3:
        return edge(r) << 32 | small(r);
    case 4:
        return one_in(r, 2) ? (uint64_t)on_signal : 1UL << below(r, 64);
    default:
        return small(r);
    }
}

static bool may_fill(const void *at, size_t size) {
    const char *p = at;
    return p >= PAGE_AT(GOOD) && p + size <= PAGE_AT(GOOD_END);
}

/* The words are drawn also when the memory cannot be written, so that a seed means the same. */
void fill_words(struct random *r, void *at, size_t words) {
    struct random content = {mix(next(r), r->variation), 0};

    for (size_t i = 0; i < words; i++) {
        uint64_t w = word(&content);
        if (may_fill((uint64_t *)at + i, 8))
            memcpy((uint64_t *)at + i, &w, 8);
    }
}

static void *text(struct random *r, const char *s) {
    size_t n = strlen(s) + 1;
    char *at = one_in(r, 8) ? PAGE_AT(GOOD_END) - n : pointer(r, n, 1);

    if (may_fill(at, n))
        memcpy(at, s, (uint)n);
    return at;
}

/* ---- kinds */

static const char *const paths[] = {"file",
                                    "file",
                                    "other",
                                    "new",
                                    "dir",
                                    "dir",
                                    "dir/f",
                                    "dir/sub",
                                    "dir/sub/g",
                                    "dir/../file",
                                    "link",
                                    "loop",
                                    "dangling",
                                    "fifo",
                                    "null",
                                    "zero",
                                    "full",
                                    "random",
                                    "elf",
                                    "script",
                                    "mnt",
                                    "mnt/x",
                                    ".",
                                    "..",
                                    "/",
                                    "",
                                    "nothing",
                                    "file/",
                                    "dir//.",
                                    "dir/sub/..",
                                    "/proc",
                                    "/proc/self/status",
                                    "/proc/self/maps",
                                    "/proc/self/fd",
                                    "/proc/self/fd/3",
                                    "/proc/self/fd/9",
                                    "/proc/self/fd/99",
                                    "/proc/self/cwd",
                                    "/proc/self/root",
                                    "/proc/self/root/file",
                                    "/proc/self/exe",
                                    "/proc/self/stat",
                                    "/proc/self/mem",
                                    "/proc/self/environ",
                                    "/proc/self/cmdline",
                                    "/proc/self/auxv",
                                    "/proc/self/oom_score_adj",
                                    "/proc/self/task",
                                    "/proc/self/comm",
                                    "/proc/self/limits",
                                    "/proc/self/mounts",
                                    "/proc/self/nothing",
                                    "/proc/meminfo",
                                    "/proc/stat",
                                    "/proc/1",
                                    "/proc/1/maps",
                                    "/proc/slabinfo",
                                    "/proc/sys/kernel/hostname",
                                    "/proc/xv39/maze"};

static long path(struct random *r) {
    uint64_t choice = below(r, 32);

    if (choice < 26)
        return (long)text(r, PICK(r, paths));
    if (choice < 30)
        return (long)pointer(r, 64, 1); /* whatever lies there */
    size_t n = choice == 30 ? 250 + below(r, 10) : 4090 + below(r, 10);
    char *at = PAGE_AT(1) + below(r, PAGE);
    memset(at, choice == 30 || one_in(r, 2) ? 'n' : '/', (uint)n);
    at[n] = 0;
    return (long)at;
}

static long descriptor(struct random *r) {
    static const int odd[] = {-1, AT_FDCWD, 63, 64, 255, 1023, 1024, 0x7fffffff, -0x7fffffff - 1};

    if (one_in(r, 12))
        return PICK(r, odd);
    if (one_in(r, 32))
        return TTY_FD;
    return (long)(FIRST_FD + below(r, NR_FDS + 8));
}

static long directory(struct random *r) {
    return one_in(r, 4) ? (long)descriptor(r) : one_in(r, 4) ? FIRST_FD + 2 : AT_FDCWD;
}

static long length(struct random *r) {
    static const long lengths[] = {0, 1, 2, 3, 4, 8, 8, 8, 16, 24, 32, 64, 100, 128, 511, 4096};

    switch (below(r, 8)) {
    case 0:
        return (long)edge(r);
    case 1:
        return (long)((below(r, 9) + 1) * PAGE + below(r, 3) - 1);
    default:
        return PICK(r, lengths);
    }
}

static long address(struct random *r) {
    switch (below(r, 8)) {
    case 0:
        return (long)bad_pointer(r);
    case 1:
        return 0;
    case 2:
        return (long)PAGE_AT(below(r, 3) * 512 + below(r, 64));
    default: /* seldom what other arguments are filled into */
        return (long)PAGE_AT(one_in(r, 32) ? below(r, SHARED) : SHARED + below(r, FREE + 28));
    }
}

static long offset(struct random *r) {
    static const long offsets[] = {0, 1, 100, 4095, 4096, 8192, 12 * 4096, 1036 * 4096L, 1 << 20};
    return one_in(r, 4) ? (long)edge(r) : PICK(r, offsets);
}

static long process(struct random *r) {
    long pids[] = {0, own_pid, own_pid, -own_pid, last_child, 0x3fffff, 0x7fffffff, 2 - (1L << 31)};
    return PICK(r, pids);
}

static long vector(struct random *r, bool strings) {
    uint64_t *at = pointer(r, 64, 8), n = below(r, 5);

    fill_words(r, at, 8);
    if (!strings || !may_fill(at, 64))
        return (long)at;
    for (uint64_t i = 0; i < n; i++)
        at[i] = (uint64_t)text(r, "argument");
    if (!one_in(r, 8) && may_fill(at, 64))
        at[n] = 0;
    return (long)at;
}

static long io_vector(struct random *r) {
    uint64_t *at = pointer(r, 128, 8);

    for (int i = 0; i < 8; i++) {
        uint64_t pair[2] = {(uint64_t)pointer(r, 64, 1), (uint64_t)length(r)};
        if (may_fill(at + 2 * i, 16))
            memcpy(at + 2 * i, pair, 16);
    }
    return (long)at;
}

static long structure(struct random *r) {
    void *at = pointer(r, 8 * (1 + below(r, 16)), one_in(r, 16) ? 1 : 8);

    fill_words(r, at, 16);
    return (long)at;
}

static long bits(struct random *r, int top) {
    long v = 0;

    for (uint64_t n = below(r, 4); n; n--)
        v |= 1L << below(r, (uint64_t)top);
    return v;
}

static long device(struct random *r) {
    static const long devices[] = {0, 0x103, 0x105, 0x107, 0x1ff, 0xffffffff, 1L << 40, -1};
    return PICK(r, devices); /* none that is the console or a disk */
}

static long mode(struct random *r) {
    static const long types[] = {0,       0,       S_IFREG, S_IFDIR, S_IFIFO,
                                 S_IFCHR, S_IFBLK, S_IFLNK, 0170000};
    return one_in(r, 16) ? (long)edge(r) : (PICK(r, types) | (long)below(r, 010000));
}

static long user(struct random *r) {
    static const long users[] = {0, 0, 1000, 1000, 65534, -1, 0xffffffff, 0x7fffffff};
    return PICK(r, users);
}

static long words(struct random *r) {
    static const char *const types[] = {"tmpfs", "proc", "sysfs", "ext2", "size=64k", "text", ""};
    return one_in(r, 2) ? (long)text(r, PICK(r, types)) : path(r);
}

static bool is(const char *kind, size_t len, const char *word) {
    return strlen(word) == len && strncmp(kind, word, len) == 0;
}

/* A value of a kind, len letters long; a question mark at its end allows null. */
long value_of(struct random *r, const char *kind, size_t len) {
    if (kind[len - 1] == '?') {
        if (one_in(r, 3))
            return 0;
        len--;
    }
    if (one_in(r, 64))
        return (long)edge(r);
#define KIND(word) if (is(kind, len, word))
    KIND("fd") return descriptor(r);
    KIND("dirfd") return directory(r);
    KIND("path") return path(r);
    KIND("str") return words(r);
    KIND("argv") return vector(r, true);
    KIND("iov") return io_vector(r);
    KIND("oiov") return io_vector(r);
    KIND("in") return structure(r);
    KIND("inout") return structure(r);
    KIND("out") return (long)pointer(r, 8 * (1 + below(r, 32)), one_in(r, 8) ? 1 : 8);
    KIND("buf") return structure(r);
    KIND("obuf") return (long)pointer(r, 64, 1);
    KIND("futex") return one_in(r, 2) ? (long)PAGE_AT(GOOD) + 4 * (long)below(r, 4) : structure(r);
    KIND("addr") return address(r);
    KIND("size") return length(r);
    KIND("count") return one_in(r, 8) ? (long)edge(r) : (long)below(r, 9);
    KIND("off") return offset(r);
    KIND("flags") return one_in(r, 2) ? 0 : bits(r, 32);
    KIND("mode") return mode(r);
    KIND("dev") return device(r);
    KIND("prot") return (long)below(r, one_in(r, 8) ? 32 : 8);
    KIND("sig") return one_in(r, 16) ? (long)edge(r) : (long)below(r, 67);
    KIND("pid") return process(r);
    KIND("tid") return process(r);
    KIND("uid") return user(r);
    KIND("gid") return user(r);
    KIND("clock") return one_in(r, 8) ? -(long)below(r, 64) * own_pid : (long)below(r, 13);
    KIND("arg") return one_in(r, 2) ? structure(r) : one_in(r, 2) ? (long)small(r) : (long)edge(r);
    /* int, op */
    return one_in(r, 4) ? (long)edge(r) : (long)small(r);
#undef KIND
}
