/* Memory that is too small: what is larger than it, what is reclaimed and what is not, how much may be dirty,
 * who dies when nothing is left. */
#include "user/usertests/ut.h"
#include "abi/resource.h"

#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define MIB (1UL << 20)
#define GIB (1UL << 30)

static long vmstat(const char *name) {
    char label[40];

    snprintf(label, sizeof(label), "\n%s ", name);
    return proc_number("/proc/vmstat", label);
}

static long total_kb(void) { return proc_number("/proc/meminfo", "MemTotal:"); }

/* On the disk: /tmp may be memory. */
static int disk_file(size_t size) {
    char name[40];
    int fd;

    snprintf(name, sizeof(name), "/pressure.%d", getpid());
    fd = (int)OK(open_at(name, O_RDWR | O_CREAT | O_TRUNC, 0600));
    OK(sys_unlinkat(AT_FDCWD, name, 0));
    OK(sys_ftruncate(fd, (int64_t)size));
    return fd;
}

static char *map_file(int fd, size_t size, int prot, int flags) {
    return (char *)OK(sys_mmap(0, size, prot, flags, fd, 0));
}

/* What is free is in blocks of 2^n pages and in the harts' lists, which cannot be many pages. */
static void blocks_are_shown(void) {
    static char text[512];
    char *at = text;
    long pages = 0, free_before = proc_number("/proc/vmstat", "nr_free_pages ");

    if (!on_xv39())
        skip("only on xv39");
    OK(read_file("/proc/buddyinfo", text, sizeof(text)));
    CHECK(strncmp(text, "Node 0, zone", 12) == 0);
    at = strstr(text, "Normal");
    CHECK(at);
    at += strlen("Normal");
    for (int order = 0; *at != '\n'; order++) {
        while (*at == ' ')
            at++;
        pages += (long)atoi(at) << order;
        while (*at >= '0' && *at <= '9')
            at++;
        while (*at == ' ')
            at++;
    }
    CHECK(pages <= free_before + 64);
    CHECK(pages >= free_before - free_before / 4);
}

/* ---- larger than memory */

static void mark(int fd, size_t size, size_t every) {
    for (size_t at = 0; at < size; at += every)
        EQ(sys_pwrite64(fd, &at, sizeof(at), (int64_t)at), sizeof(at));
}

static void read_mapped(size_t size) {
    size_t every = size / 16;
    int fd = disk_file(size);
    long kills = vmstat("oom_kill"), stolen = vmstat("pgsteal");
    const volatile uint64_t *p;

    mark(fd, size, every);
    p = (const volatile uint64_t *)map_file(fd, size, PROT_READ, MAP_SHARED);
    for (size_t at = 0; at < size; at += PAGE)
        EQ(p[at / 8], at % every ? 0 : (long)at);
    for (size_t at = 0; at < size; at += every)
        EQ(p[at / 8], (long)at);
    if (on_xv39()) {
        EQ(vmstat("oom_kill"), kills);
        CHECK(size / 1024 < (size_t)total_kb() || vmstat("pgsteal") > stolen);
    }
}

static void read_called(size_t size) {
    static uint64_t buf[8 * PAGE];
    int fd = disk_file(size);
    size_t at = 0;
    long n;

    mark(fd, size, size / 16);
    while ((n = OK(sys_read(fd, buf, sizeof(buf)))) > 0) {
        for (long i = 0; i < n; i += PAGE)
            EQ(buf[i / 8], (at + (size_t)i) % (size / 16) ? 0 : (long)at + i);
        at += (size_t)n;
    }
    EQ(at, size);
}

/* More than memory, but not much: quick. */
static size_t larger(void) { return ((size_t)total_kb() * 1024 / 16 * 20) & ~(64 * MIB / 16 - 1); }

static void mapped_file(void) { read_mapped(larger()); }
static void mapped_gib(void) { read_mapped(GIB); }
static void called_gib(void) { read_called(GIB); }

static void array_gib(void) {
    const volatile char *p =
        (const volatile char *)OK(sys_mmap(0, GIB, RW, ANON | MAP_NORESERVE, -1, 0));
    long kills = vmstat("oom_kill");

    for (size_t i = 0; i < GIB; i += PAGE)
        EQ(p[i], 0);
    EQ(vmstat("oom_kill"), kills);
}

/* A shared mapping of a file is written that is larger than what is left: it goes to the disk, and comes back. */
static void written_file(void) {
    size_t size = 16 * MIB,
           ballast = (size_t)proc_number("/proc/meminfo", "MemAvailable:") * 1024 - 12 * MIB;
    int fd = disk_file(size);
    volatile uint64_t *p = (volatile uint64_t *)map_file(fd, size, RW, MAP_SHARED);
    char *full = (char *)OK(sys_mmap(0, ballast, RW, ANON, -1, 0));

    for (size_t at = 0; at < ballast; at += PAGE)
        full[at] = 1;
    for (size_t at = 0; at < size; at += PAGE)
        p[at / 8] = at + 1;
    for (size_t at = 0; at < size; at += PAGE)
        EQ(p[at / 8], (long)at + 1);
}

/* ---- who stays */

/* Takes memory until pages of the file behind `probe` go, and calls `use` all the time. */
static void squeeze(char *probe, size_t pages, void (*use)(void)) {
    uint8_t *there = xmalloc(pages);
    size_t left = pages;

    for (int step = 0; left > pages / 2; step++) {
        char *p = (char *)OK(sys_mmap(0, 64 * PAGE, RW, ANON, -1, 0));
        for (int i = 0; i < 64; i++)
            p[i * PAGE] = 1;
        use();
        if (step % 8)
            continue;
        OK(sys_mincore(probe, pages * PAGE, there));
        left = 0;
        for (size_t i = 0; i < pages; i++)
            left += there[i] & 1;
    }
}

static int hot_fd;
static volatile char *hot_map;
static char hot_bytes[16];

static void touch_hot(void) {
    EQ(sys_pread64(hot_fd, hot_bytes, 16, 0), 16);
    EQ(sys_pread64(hot_fd, hot_bytes, 16, PAGE), 16);
    (void)hot_map[2 * PAGE];
    (void)hot_map[3 * PAGE];
}

static void nothing_used(void) {}

/* An eighth of memory, of a file that nobody wants any more. */
static size_t cold_pages;
static char *cold_file(void) {
    char *p;

    cold_pages = (size_t)total_kb() / 4 / 8;
    p = map_file(disk_file(cold_pages * PAGE), cold_pages * PAGE, PROT_READ, MAP_SHARED);
    for (size_t i = 0; i < cold_pages; i++)
        (void)*(volatile char *)(p + i * PAGE);
    return p;
}

/* Two pages that are read all the time, and two that are looked at by a mapping. */
static void used_survive(void) {
    uint8_t there[4];
    char *cold = cold_file();

    hot_fd = disk_file(4 * PAGE);
    hot_map = map_file(hot_fd, 4 * PAGE, PROT_READ, MAP_SHARED);
    touch_hot();
    long stolen = vmstat("pgsteal"), scanned = vmstat("pgscan");
    squeeze(cold, cold_pages, touch_hot);
    touch_hot();
    OK(sys_mincore((void *)hot_map, 4 * PAGE, there));
    for (int i = 0; i < 4; i++)
        EQ(there[i] & 1, 1);
    CHECK(!on_xv39() || vmstat("pgsteal") >= stolen + (long)cold_pages / 2);
    CHECK(!on_xv39() || vmstat("pgscan") > scanned);
}

/* They stay in the page table, though a child has the same pages, not locked. */
static void locked_stay(void) {
    int fd = disk_file(600 * PAGE), pid;
    volatile char *p = map_file(fd, 600 * PAGE, PROT_READ, MAP_PRIVATE);
    char *cold = cold_file();

    for (int i = 0; i < 600; i++)
        (void)p[i * PAGE];
    OK(sys_mlock((void *)p, 600 * PAGE));
    pid = spawn(sleep_long);
    squeeze(cold, cold_pages, nothing_used);
    for (int i = 0; i < 600; i++)
        CHECK(page_word(p + i * PAGE) & PAGE_PRESENT);
    kill_child(pid);
}

/* ---- dirty pages */

static volatile long *most_dirty;

static void watch_dirty(void) {
    for (;;) {
        long n = proc_number("/proc/vmstat", "nr_dirty ");
        if (n > *most_dirty)
            *most_dirty = n;
        sleep_ms(1);
    }
}

static void write_6_mib(void) {
    static char buf[16 * PAGE];
    int fd = disk_file(0);

    for (int i = 0; i < 96; i++)
        EQ(sys_write(fd, buf, sizeof(buf)), sizeof(buf));
    EQ(sys_fsync(fd), 0);
}

static void map_6_mib(void) {
    int fd = disk_file(6 * MIB);
    char *p = map_file(fd, 6 * MIB, RW, MAP_SHARED);

    for (size_t i = 0; i < 6 * MIB; i += PAGE)
        p[i] = 1;
    EQ(sys_msync(p, 6 * MIB, MS_SYNC), 0);
}

static void write_4_pages(void) {
    static char buf[4 * PAGE];

    EQ(sys_write(disk_file(0), buf, sizeof(buf)), sizeof(buf));
}

static void limited(const char *percent, void (*f)(void)) {
    long limit;
    int pid;

    put_file("/proc/sys/vm/dirty_ratio", percent);
    limit = vmstat("nr_dirty_threshold");

    *most_dirty = 0;
    pid = fork();
    if (pid == 0)
        watch_dirty();
    child_ok(f);
    kill_child(pid);
    if (*most_dirty > limit + 64)
        fail_at(HERE, "%ld pages were dirty, %ld may be", *most_dirty, limit);
}

static void dirty_limit(void) {
    long ratio, waits;
    char text[16];

    if (!on_xv39())
        skip("only on xv39");
    ratio = proc_number("/proc/sys/vm/dirty_ratio", "");
    most_dirty = shared_page();
    FAILS(EINVAL, sys_write((int)OK(open_at("/proc/sys/vm/dirty_ratio", O_WRONLY, 0)), "101", 3));
    limited("1", write_6_mib);
    limited("1", map_6_mib);
    waits = vmstat("dirty_wait");
    limited("0", write_4_pages);
    CHECK(vmstat("dirty_wait") > waits);
    snprintf(text, sizeof(text), "%ld", ratio);
    put_file("/proc/sys/vm/dirty_ratio", text);
}

/* ---- nothing is left */

static void eat(void) {
    for (;;) {
        char *p = (char *)sys_mmap(0, MIB, RW, ANON | MAP_NORESERVE, -1, 0);
        if ((long)p < 0 && (long)p > -4096)
            sys_exit_group(9);
        for (size_t i = 0; i < MIB; i += PAGE)
            p[i] = 1;
    }
}

static int answers[2];

static void answer(void) {
    char c;

    while (sys_read(answers[0], &c, 1) == 1)
        OK(sys_write(answers[1], &c, 1));
}

static volatile long *steps;

static void count(void) {
    for (;;) {
        ++*steps;
        sleep_ms(1);
    }
}

/* Has its own 2 MiB, and a file of 8 mapped. */
static void look_at_file(void) {
    int fd = disk_file(8 * MIB);
    volatile char *p = map_file(fd, 8 * MIB, PROT_READ, MAP_SHARED), *own = map_pages(512, RW);

    for (int i = 0; i < 512; i++)
        own[i * PAGE] = (char)i;
    for (;;) {
        for (size_t i = 0; i < 8 * MIB; i += PAGE)
            EQ(p[i], 0);
        for (int i = 0; i < 512; i++)
            EQ(own[i * PAGE], (char)i);
        ++steps[1];
        sleep_ms(20);
    }
}

static void run_shell(void) {
    char *argv[] = {"sh", "-c", "while true; do sleep 0.02; done", 0};

    OK(sys_execve("/bin/sh", argv, environ));
}

static bool lives(int pid) { return sys_wait4(pid, 0, WNOHANG, 0) == 0; }

static void kills_the_greedy(void) {
    int pids[8], to[2], from[2], n = 0;
    long kills = vmstat("oom_kill"), seen;
    char c = 'x';

    if (!on_xv39())
        skip("only on xv39");
    steps = shared_page();
    OK(sys_pipe2(to, 0));
    OK(sys_pipe2(from, 0));
    answers[0] = to[0];
    answers[1] = from[1];
    pids[n++] = spawn(answer);
    pids[n++] = spawn(sleep_long);
    pids[n++] = spawn(sleep_long);
    pids[n++] = spawn(count);
    pids[n++] = spawn(look_at_file);
    pids[n++] = spawn(run_shell);
    for (int round = 1; round <= 2; round++) {
        EQ(wait_status(spawn(eat)), SIGKILL);
        EQ(vmstat("oom_kill"), kills + round);
        for (int i = 0; i < n; i++)
            EQ(lives(pids[i]), true);
        EQ(sys_write(to[1], &c, 1), 1);
        EQ(sys_read(from[0], &c, 1), 1);
        for (int i = 0; i < 2; i++) {
            seen = steps[i];
            while (steps[i] == seen)
                sleep_ms(1);
        }
    }
    for (int i = 0; i < n; i++)
        kill_child(pids[i]);
}

const struct test pressure_tests[] = {
    {"M9_free_blocks_are_shown", blocks_are_shown, QUICK},
    {"M3_array_of_1_GiB", array_gib, QUICK},
    {"M7_mapped_file_larger_than_memory", mapped_file, QUICK},
    {"M7_mapped_file_of_1_GiB", mapped_gib, SLOW},
    {"M7_read_file_of_1_GiB", called_gib, SLOW},
    {"M7_written_under_pressure", written_file, QUICK},
    {"M7_used_pages_survive", used_survive, QUICK},
    {"M7_locked_pages_stay", locked_stay, QUICK},
    {"M7_dirty_pages_are_limited", dirty_limit, QUICK},
    {"M7_out_of_memory_kills_the_greedy", kills_the_greedy, QUICK},
    {0, 0, 0},
};
