/* Lab demand: the tests that the handout does not have. */
#include "user/labtest/demand.h"

static void lazy_heap(void) {
    uint64_t start = (uint64_t)sys_brk(0);
    long before = pages_free();

    start = (start + PAGE - 1) / PAGE * PAGE;
    EQ(sys_brk(start + LAZY_MIB * MIB_BYTES), (long)(start + LAZY_MIB * MIB_BYTES));
    touch_some((void *)start, LAZY_MIB * MIB_BYTES, before);
}

#define READ_PAGES 1000
#define DISK_PAGES 200 /* as hidden_disk.py has it */

static void zeroes_stay_zero(void) {
    volatile char *area = map_pages(READ_PAGES, PROT_READ | PROT_WRITE);
    long faults = minor_faults(), before = pages_free();

    for (long i = 0; i < READ_PAGES; i++)
        EQ(area[i * PAGE + i], 0);
    CHECK(minor_faults() - faults < READ_PAGES / (GROUP / 2));
    CHECK(before - pages_free() < FEW);
    for (long i = 0; i < READ_PAGES; i += 3)
        area[i * PAGE + i] = 'x';
    for (long i = 0; i < READ_PAGES; i++)
        EQ(area[i * PAGE + i], i % 3 ? 0 : 'x');
    CHECK(before - pages_free() >= READ_PAGES / 3 - 8); /* some may be given back meanwhile */
}

static void files_come_in_groups(void) {
    static char text[PAGE];
    const volatile char *p;
    long fd = OK(sys_openat(AT_FDCWD, "file", O_RDWR | O_CREAT, 0600)), faults;

    for (int i = 0; i < FILE_PAGES; i++) {
        text[0] = (char)i;
        EQ(sys_write((int)fd, text, PAGE), PAGE);
    }
    p = (void *)OK(sys_mmap(0, FILE_PAGES * PAGE, PROT_READ, MAP_PRIVATE, (int)fd, 0));
    faults = minor_faults();
    for (int i = 0; i < FILE_PAGES; i++)
        EQ(p[i * PAGE], (char)i);
    faults = minor_faults() - faults;
    if (faults < FILE_PAGES / GROUP || faults > FILE_PAGES / GROUP + 4)
        fail_at("faults", "%ld for %d pages", faults, FILE_PAGES);
}

/* What is on the disk when the machine is off is looked at from outside: hidden_disk.py. */
static void what_is_on_the_disk(void) {
    volatile uint64_t *mine, *ours;
    int fd;

    OK(sys_mkdirat(AT_FDCWD, "disk", 0700));
    OK(sys_mount("/dev/vdc", "disk", "ext2", 0, 0));
    fd = (int)OK(sys_openat(AT_FDCWD, "disk/data", O_RDWR, 0));
    mine = (void *)OK(sys_mmap(0, DISK_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
    ours = (void *)OK(sys_mmap(0, DISK_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    for (long i = 0, sum = 0; i < DISK_PAGES; i++) /* now all pages are there */
        sum += (long)mine[i * 512], *(volatile long *)&sum += (long)ours[i * 512];
    for (uint64_t i = seed % 3; i < DISK_PAGES; i += 3) {
        mine[i * 512 + i % 512] = ~0ul;
        ours[i * 512 + 511 - i % 512] = seed + i;
    }
    OK(sys_munmap((void *)mine, DISK_PAGES * PAGE));
    OK(sys_munmap((void *)ours, DISK_PAGES * PAGE));
    OK(sys_close(fd));
    OK(sys_umount2("disk", 0));
}

static volatile char *low; /* an address in the stack's room */

static void touch_low(void) { *low = 1; }

/* Touches the stack so many bytes below this function's frame. */
static void below(uint64_t bytes) {
    char here;

    low = (char *)((uint64_t)&here - bytes);
    touch_low();
}

static void within_the_limit(void) { below(7 * MIB_BYTES); }
static void beyond_the_limit(void) { below(9 * MIB_BYTES); }

static void beyond_a_small_limit(void) {
    struct rlimit small = {MIB_BYTES, MIB_BYTES};

    OK(sys_setrlimit(RLIMIT_STACK, &small));
    below(2 * MIB_BYTES);
}

/* Something is mapped 4 MiB below: up to GUARD pages above it there is no stack. */
static void map_below(uint64_t distance) {
    char here;
    uint64_t at = ((uint64_t)&here - 4 * MIB_BYTES) / PAGE * PAGE;

    OK(sys_mmap((void *)at, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
                -1, 0));
    low = (char *)(at + PAGE + distance);
    touch_low();
}

static void above_the_guard(void) { map_below((GUARD + 1) * PAGE); }
static void in_the_guard(void) { map_below((GUARD - 2) * PAGE); }

static void stack_has_an_end(void) {
    child_ok(within_the_limit);
    EQ(child_signal(beyond_the_limit), SIGSEGV);
    EQ(child_signal(beyond_a_small_limit), SIGSEGV);
    child_ok(above_the_guard);
    EQ(child_signal(in_the_guard), SIGSEGV);
}

const struct test hidden_tests[] = {
    {"lazy_heap", lazy_heap, 0},
    {"zeroes_stay_zero", zeroes_stay_zero, 0},
    {"files_come_in_groups", files_come_in_groups, 0},
    {"stack_has_an_end", stack_has_an_end, 0},
    {"what_is_on_the_disk", what_is_on_the_disk, 0},
    {0, 0, 0},
};
