/* The vDSO: it is where the auxiliary vector says, its clocks are the kernel's, and handlers return
 * through it. It is found and searched as a C library does: ELF headers, dynamic section, hash. */
#include "user/usertests/ut.h"
#include "abi/elf.h"
#include "abi/time.h"

#define DT_HASH 4
#define DT_STRTAB 5
#define DT_SYMTAB 6

struct symbol {
    uint32_t name;
    uint8_t info, other;
    uint16_t section;
    uint64_t value, size;
};

static char *base;

static void *dynamic(int64_t tag) {
    Elf64_Ehdr *h = (Elf64_Ehdr *)base;
    Elf64_Phdr *p = (Elf64_Phdr *)(base + h->e_phoff);

    while (p->p_type != PT_DYNAMIC)
        p++;
    for (int64_t *d = (int64_t *)(base + p->p_vaddr); d[0]; d += 2)
        if (d[0] == tag)
            return base + d[1];
    fail_at(HERE, "the dynamic section has no entry %ld", (long)tag);
}

static uint32_t elf_hash(const char *s) {
    uint32_t h = 0;

    for (; *s; s++) {
        h = (h << 4) + (uint8_t)*s;
        h = (h ^ (h >> 24 & 0xf0)) & 0x0fffffff;
    }
    return h;
}

static void *find(const char *name) {
    base = (char *)auxval(AT_SYSINFO_EHDR);
    CHECK(base && memcmp(base, ELFMAG, SELFMAG) == 0);
    uint32_t *hash = dynamic(DT_HASH), buckets = hash[0];
    struct symbol *symbols = dynamic(DT_SYMTAB);
    char *strings = dynamic(DT_STRTAB);

    for (uint32_t i = hash[2 + elf_hash(name) % buckets]; i; i = hash[2 + buckets + i])
        if (strcmp(strings + symbols[i].name, name) == 0)
            return base + symbols[i].value;
    fail_at(HERE, "the vDSO has no %s", name);
}

typedef int clock_fn(int clock, struct timespec *t);
static clock_fn *clock_gettime_fn(void) { return (clock_fn *)find("__vdso_clock_gettime"); }

static int64_t ns_of(const struct timespec *t) { return t->tv_sec * 1000000000 + t->tv_nsec; }

static int64_t asked(int clock) {
    struct timespec t;

    OK(sys_clock_gettime(clock, &t));
    return ns_of(&t);
}

static int64_t told(clock_fn *get, int clock) {
    struct timespec t;

    EQ(get(clock, &t), 0);
    CHECK(t.tv_nsec >= 0 && t.tv_nsec < 1000000000);
    return ns_of(&t);
}

/* Each reading through the vDSO lies between two by system calls, on every hart in turn. */
static void same_clocks(void) {
    static const int clocks[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11};
    clock_fn *get = clock_gettime_fn(), *res = (clock_fn *)find("__vdso_clock_getres");
    struct timespec t, r;
    uint64_t all;

    OK(sys_sched_getaffinity(0, sizeof(all), &all));
    for (int round = 0; round < 200; round++) {
        uint64_t one = 1UL << round % 64;
        if (all & one)
            OK(sys_sched_setaffinity(0, sizeof(one), &one));
        for (size_t i = 0; i < ARRAY_LEN(clocks); i++) {
            int64_t before = asked(clocks[i]), now = told(get, clocks[i]);
            CHECK(before <= now && now <= asked(clocks[i]));
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(clocks); i++) {
        OK(sys_clock_getres(clocks[i], &r));
        EQ(res(clocks[i], &t), 0);
        EQ(ns_of(&t), ns_of(&r));
        EQ(res(clocks[i], 0), 0);
    }
    EQ(get(10, &t), -EINVAL);
    EQ(get(77, &t), -EINVAL);
    EQ(get(1000000, &t), -EINVAL);
    EQ(res(77, &t), -EINVAL);
}

static void time_of_day(void) {
    int (*get)(struct timeval *, struct timezone *) =
        (int (*)(struct timeval *, struct timezone *))find("__vdso_gettimeofday");
    struct timezone zone = {1, 1};
    struct timeval t;

    for (int i = 0; i < 1000; i++) {
        int64_t before = asked(CLOCK_REALTIME) / 1000;
        EQ(get(&t, i & 1 ? &zone : 0), 0);
        int64_t now = t.tv_sec * 1000000 + t.tv_usec;
        CHECK(t.tv_usec >= 0 && t.tv_usec < 1000000);
        CHECK(before <= now && now <= asked(CLOCK_REALTIME) / 1000);
    }
    EQ(zone.tz_minuteswest, 0);
    EQ(zone.tz_dsttime, 0);
    EQ(get(0, 0), 0);
}

#define JUMP 1000000000000000 /* ns */

/* Reads while the clock is being set: each value is that of before or of after, to a second. */
static int64_t start;
static void watch(void) {
    clock_fn *get = clock_gettime_fn();
    int64_t mono = told(get, CLOCK_MONOTONIC), end = now_ms() + 300;

    while (now_ms() < end) {
        int64_t since = told(get, CLOCK_REALTIME) - start + 1000000000;
        int64_t m = told(get, CLOCK_MONOTONIC);
        CHECK(since >= 0 && since % JUMP < JUMP / 2 && since / JUMP < 2);
        CHECK(m >= mono);
        mono = m;
    }
}

static void setting_the_clock(void) {
    clock_fn *get = clock_gettime_fn();
    int64_t offset = asked(CLOCK_REALTIME) - asked(CLOCK_MONOTONIC);
    int pid[3], status = 0;

    start = asked(CLOCK_REALTIME);
    for (size_t i = 0; i < ARRAY_LEN(pid); i++)
        pid[i] = spawn(watch);
    for (int64_t i = 0, end = now_ms() + 600; now_ms() < end; i++) {
        int64_t wanted = asked(CLOCK_MONOTONIC) + offset + (i & 1 ? 0 : JUMP);
        struct timespec t = {wanted / 1000000000, wanted % 1000000000};
        OK(sys_clock_settime(CLOCK_REALTIME, &t));
        int64_t now = told(get, CLOCK_REALTIME);
        CHECK(now >= wanted && now < wanted + JUMP / 2);
        CHECK(now <= asked(CLOCK_REALTIME));
    }
    for (size_t i = 0; i < ARRAY_LEN(pid); i++)
        status |= wait_status(pid[i]);
    int64_t now = asked(CLOCK_MONOTONIC) + offset;
    struct timespec t = {now / 1000000000, now % 1000000000};
    OK(sys_clock_settime(CLOCK_REALTIME, &t));
    EQ(status, 0);
}

static void which_hart(void) {
    int (*get)(unsigned *, unsigned *, void *) =
        (int (*)(unsigned *, unsigned *, void *))find("__vdso_getcpu");
    unsigned cpu = 99, node = 99;
    uint64_t all;

    OK(sys_sched_getaffinity(0, sizeof(all), &all));
    for (int i = 0; i < 64; i++) {
        uint64_t one = 1UL << i;
        if (!(all & one))
            continue;
        OK(sys_sched_setaffinity(0, sizeof(one), &one));
        EQ(get(&cpu, &node, 0), 0);
        EQ(cpu, i);
        EQ(node, 0);
    }
}

/* Code that is written anew is what runs, after the flush, on whatever hart. */
static void new_code(void) {
    int (*flush)(void *, void *, uint64_t) =
        (int (*)(void *, void *, uint64_t))find("__vdso_flush_icache");
    uint32_t *code = map_pages(1, PROT_READ | PROT_WRITE | PROT_EXEC);
    uint64_t all;

    OK(sys_sched_getaffinity(0, sizeof(all), &all));
    for (uint32_t i = 0; i < 500; i++) {
        uint64_t one = 1UL << i % 64;
        code[0] = 0x00000513 | i << 20; /* li a0, i */
        code[1] = 0x00008067;           /* ret */
        EQ(flush(code, code + 2, i & 1), 0);
        if (all & one)
            OK(sys_sched_setaffinity(0, sizeof(one), &one));
        EQ(((int (*)(void))code)(), i);
    }
    EQ(flush(code, code + 2, 2), -EINVAL);
}

static void *volatile returns_to;
static void note_return(int sig) {
    (void)sig;
    returns_to = __builtin_return_address(0);
}

static void handlers_return(void) {
    on_signal(SIGUSR1, note_return, 0);
    OK(sys_kill(getpid(), SIGUSR1));
    CHECK(returns_to == find("__vdso_rt_sigreturn"));
}

static void write_data(void) {
    find("__vdso_getcpu");
    ((volatile char *)base)[-1] = 1;
}
static void write_code(void) {
    find("__vdso_getcpu");
    *(volatile char *)base = 1;
}

static void is_read_only(void) {
    EQ(child_signal(write_data), SIGSEGV);
    EQ(child_signal(write_code), SIGSEGV);
    find("__vdso_getcpu");
    FAILS(EACCES, sys_mprotect(base, 4096, PROT_READ | PROT_WRITE));
    FAILS(EACCES, sys_mprotect(base - 4096, 4096, PROT_READ | PROT_WRITE));
}

static void maps_name_it(void) {
    static char text[8192];
    int fd = (int)OK(open_at("/proc/self/maps", O_RDONLY, 0));

    for (long n = 0, got; (got = OK(sys_read(fd, text + n, sizeof(text) - 1 - n))); n += got)
        ;
    CHECK(strstr(text, "[vvar]\n"));
    CHECK(strstr(text, "[vdso]\n"));
}

const struct test vdso_tests[] = {
    {"S2_vdso_same_clocks", same_clocks, 0},
    {"S2_vdso_time_of_day", time_of_day, 0},
    {"S2_vdso_setting_the_clock", setting_the_clock, 0},
    {"T7_vdso_which_hart", which_hart, 0},
    {"T7_vdso_new_code", new_code, 0},
    {"T7_vdso_is_read_only", is_read_only, 0},
    {"T7_vdso_maps_name_it", maps_name_it, 0},
    {"T10_vdso_handlers_return", handlers_return, 0},
    {0, 0, 0},
};
