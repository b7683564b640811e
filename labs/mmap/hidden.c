/* Lab mmap: the tests that the handout does not have. */
#include "user/labtest/mmap.h"

static long mapped_kb(void) { return proc_number("/proc/self/status", "RssFile:"); }

/* Head, tail, middle, and over a hole; what is left shows what it showed. */
static void parts_of_a_file(void) {
    int fd = file_on_disk(FILE_PAGES);
    long before;

    map_file(fd, PROT_READ, MAP_PRIVATE, 2, FILE_PAGES - 2);
    OK(sys_close(fd));
    expect(0, FILE_PAGES - 2, 2);
    before = mapped_kb();
    OK(sys_munmap((void *)area, 2 * PAGE));
    OK(sys_munmap((void *)(area + (FILE_PAGES - 4) * PAGE), 2 * PAGE));
    OK(sys_munmap((void *)(area + HOLE * PAGE), 3 * PAGE));
    EQ(before - mapped_kb(), 7 * PAGE / 1024);
    for (int round = 0; round < 2; round++) {
        nothing_at(1);
        nothing_at(HOLE);
        nothing_at(HOLE + 2);
        nothing_at(FILE_PAGES - 4);
        expect(2, HOLE, 2);
        expect(HOLE + 3, FILE_PAGES - 4, 2);
        OK(sys_madvise((void *)(area + 2 * PAGE), (HOLE - 2) * PAGE, MADV_DONTNEED));
        OK(sys_madvise((void *)(area + (HOLE + 3) * PAGE), (FILE_PAGES - 7 - HOLE) * PAGE,
                       MADV_DONTNEED)); /* what comes now comes by a fault */
    }
    OK(sys_munmap((void *)(area + 3 * PAGE), (FILE_PAGES - 8) * PAGE));
    expect(2, 3, 2);
    expect(FILE_PAGES - 5, FILE_PAGES - 4, 2);
}

/* Something else takes the place of the middle. */
static void parts_are_replaced(void) {
    int fd = make_file();

    map_file(fd, PROT_READ, MAP_PRIVATE, 0, FILE_PAGES);
    expect(0, FILE_PAGES, 0);
    OK(sys_mmap((void *)(area + HOLE * PAGE), 2 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
                -1, 0));
    OK(sys_mmap((void *)area, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, HOLE * PAGE));
    EQ(area[0], value(HOLE));
    EQ(area[HOLE * PAGE], 0);
    area[HOLE * PAGE + PAGE] = 'x';
    expect(1, HOLE, 0);
    expect(HOLE + 2, FILE_PAGES, 0);
}

/* ---- write-back */

/* The word is on the disk itself, at this place of some block. */
static bool on_disk(uint64_t word, long place) {
    static uint64_t part[8192];
    int fd = (int)OK(open_at("/dev/vda", O_RDONLY, 0));
    bool found = false;
    long n;

    for (long at = 0; !found && (n = sys_pread64(fd, part, sizeof(part), at)) > 0; at += n) {
        for (long i = place % 1024 / 8; i < n / 8; i += 128)
            found |= part[i] == word;
    }
    OK(sys_close(fd));
    return found;
}

static void reaches_the_disk(void) {
    int fd = file_on_disk(FILE_PAGES);
    uint64_t nonce = seed ^ (uint64_t)now_ms() * 0x9e3779b97f4a7c15;
    volatile uint64_t *words;

    OK(sys_fsync(fd));
    map_file(fd, RW, MAP_SHARED, 0, FILE_PAGES);
    words = (volatile uint64_t *)(area + AT);
    words[0] = nonce + 1;
    words[PAGE / 8] = nonce + 2;
    OK(sys_msync((void *)area, SIZE, MS_SYNC));
    words[0] = nonce + 3; /* the page was written out: this must be noticed, too */
    OK(sys_msync((void *)area, PAGE, MS_SYNC));
    words[2 * PAGE / 8] = nonce + 4;
    drop_caches();
    CHECK(on_disk(nonce + 2, AT));
    CHECK(on_disk(nonce + 3, AT));
    OK(sys_munmap((void *)area,
                  SIZE)); /* nobody asks for it to be written, but it may not be lost */
    drop_caches();
    for (int i = 0; i < 3; i++) {
        uint64_t is = 0;
        static const int wanted[] = {3, 2, 4};
        EQ(sys_pread64(fd, &is, sizeof(is), AT + i * PAGE), sizeof(is));
        EQ(is, nonce + wanted[i]);
    }
}

static void private_stays_private(void) {
    int fd = make_file();
    char c;

    map_file(fd, RW, MAP_PRIVATE, 0, FILE_PAGES);
    expect(0, 2, 0);
    area[PAGE] = '!';
    area[HOLE * PAGE] = '!';
    OK(sys_msync((void *)area, SIZE, MS_SYNC));
    EQ(sys_pread64(fd, &c, 1, PAGE), 1);
    EQ(c, value(1));
    EQ(sys_pread64(fd, &c, 1, HOLE * PAGE), 1);
    EQ(c, value(HOLE));
    EQ(area[PAGE], '!');
    FAILS(ENOMEM, sys_msync(unmapped_page(), PAGE, MS_SYNC));
    FAILS(EINVAL, sys_msync((void *)(area + 1), PAGE, MS_SYNC));
    FAILS(EINVAL, sys_msync((void *)area, PAGE, MS_SYNC | MS_ASYNC));
}

/* ---- fork */

static volatile uint32_t *steps;

static void await(uint32_t step) {
    while (__atomic_load_n(steps, __ATOMIC_SEQ_CST) < step)
        sleep_ms(1);
}

static void reach(uint32_t step) { __atomic_store_n(steps, step, __ATOMIC_SEQ_CST); }

static void inherits(void) {
    expect(2, HOLE, 0);
    area[PAGE] = 'c';
    reach(1);
    await(2);
    EQ(area[0], 'p');
    OK(sys_munmap((void *)(area + HOLE * PAGE), 2 * PAGE));
    nothing_at(HOLE);
    expect(HOLE + 2, FILE_PAGES, 0);
    reach(3);
    await(4); /* the parent has no mapping of the file any more, and there is no name for it */
    EQ(area[0], 'p');
    expect(2, HOLE, 0);
    expect(HOLE + 2, FILE_PAGES, 0);
    area[0] = 'q';
    EQ(area[0], 'q');
}

static void children_have_it(void) {
    int fd = file_on_disk(FILE_PAGES), pid;

    map_file(fd, RW, MAP_SHARED, 0, FILE_PAGES);
    OK(sys_close(fd));
    steps = shared_page();
    reach(0);
    pid = spawn(inherits);
    await(1);
    EQ(area[PAGE], 'c');
    area[0] = 'p';
    reach(2);
    await(3);
    expect(2, FILE_PAGES, 0);
    OK(sys_munmap((void *)area, SIZE));
    reach(4);
    wait_ok(pid);
}

/* ---- the end of a file */

static void bus_error_at(long page) {
    there = area + page * PAGE;
    EQ(child_signal(read_there), SIGBUS);
    EQ(child_signal(write_there), SIGBUS);
}

static void end_of_a_file(void) {
    int fd = make_file();

    OK(sys_ftruncate(fd, HOLE * PAGE + 10));
    map_file(fd, RW, MAP_SHARED, 0, FILE_PAGES);
    expect(0, HOLE, 0);
    EQ(area[HOLE * PAGE + 9], value(HOLE));
    EQ(area[HOLE * PAGE + 10], 0); /* behind the end, on its page */
    bus_error_at(HOLE + 1);
    bus_error_at(FILE_PAGES - 1);
    OK(sys_ftruncate(fd, (HOLE + 2) * PAGE));
    EQ(area[(HOLE + 1) * PAGE], 0);
    area[(HOLE + 1) * PAGE] = 'x';
    OK(sys_ftruncate(fd, 2 * PAGE));
    bus_error_at(HOLE + 1);
    bus_error_at(2);
    OK(sys_ftruncate(fd, SIZE));
    EQ(area[(HOLE + 1) * PAGE], 0);
    expect(0, 2, 0);
}

/* ---- rights */

static void rights(void) {
    int rd, wr;

    OK(sys_close(make_file()));
    rd = (int)OK(open_at("file", O_RDONLY, 0));
    wr = (int)OK(open_at("file", O_WRONLY, 0));
    FAILS(EACCES, sys_mmap(0, PAGE, RW, MAP_SHARED, rd, 0));
    FAILS(EACCES, sys_mmap(0, PAGE, PROT_READ, MAP_SHARED, wr, 0));
    FAILS(EACCES, sys_mmap(0, PAGE, PROT_READ, MAP_PRIVATE, wr, 0));
    FAILS(EBADF, sys_mmap(0, PAGE, PROT_READ, MAP_PRIVATE, 99, 0));
    FAILS(EINVAL, sys_mmap(0, PAGE, PROT_READ, MAP_PRIVATE, rd, 100));
    FAILS(EINVAL, sys_mmap(0, 0, PROT_READ, MAP_PRIVATE, rd, 0));
    FAILS(EOVERFLOW, sys_mmap(0, 2 * PAGE, PROT_READ, MAP_PRIVATE, rd, -PAGE));
    map_file(rd, PROT_READ, MAP_SHARED, 0, 2);
    FAILS(EACCES, sys_mprotect((void *)area, PAGE, RW)); /* not by a way round either */
    map_file(rd, PROT_READ, MAP_PRIVATE, 0, 2);
    OK(sys_mprotect((void *)area, PAGE, RW));
    area[0] = 'x';
    EQ(area[0], 'x');
}

const struct test hidden_tests[] = {
    {"parts_of_a_file", parts_of_a_file, 0},
    {"parts_are_replaced", parts_are_replaced, 0},
    {"reaches_the_disk", reaches_the_disk, 0},
    {"private_stays_private", private_stays_private, 0},
    {"children_have_it", children_have_it, 0},
    {"end_of_a_file", end_of_a_file, 0},
    {"rights", rights, 0},
    {0, 0, 0},
};
