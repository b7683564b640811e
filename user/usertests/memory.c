/* Memory: copy-on-write, the zero page, mappings of all kinds, the heap, the stack. */
#include "user/usertests/ut.h"
#include "abi/resource.h"

#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define MIB (1UL << 20)

static volatile char *area;

static void *map(size_t size, int prot, int flags, int fd) {
    return (void *)OK(sys_mmap(0, size, prot, flags, fd, 0));
}

static long minor_faults(void) {
    struct rusage u;

    OK(sys_getrusage(RUSAGE_SELF, &u));
    return u.ru_minflt;
}

static void read_area(void) { (void)*area; }

static void write_area(void) { *area = 1; }

/* ---- fork */

static void change_pages(void) {
    for (int i = 0; i < 64; i++)
        area[i * PAGE] = 'c';
}

static void fork_isolates(void) {
    area = map_pages(64, RW);
    for (int i = 0; i < 64; i++)
        area[i * PAGE] = 'p';
    child_ok(change_pages);
    for (int i = 0; i < 64; i++)
        EQ(area[i * PAGE], 'p');
    for (int round = 0; round < 3; round++) {
        int pid = fork();
        if (pid == 0) {
            change_pages();
            sleep_ms(20);
            for (int i = 0; i < 64; i++)
                EQ(area[i * PAGE], 'c');
            sys_exit_group(0);
        }
        for (int i = 0; i < 64; i += 2)
            area[i * PAGE] = 'q';
        wait_ok(pid);
        for (int i = 0; i < 64; i++)
            EQ(area[i * PAGE], i % 2 ? 'p' : 'q');
    }
}

static void count_copies(void) {
    long before;

    (void)*area; /* the table comes first */
    area[0] = 1;
    minor_faults(); /* its answer may need a page of the stack */
    before = minor_faults();
    for (int i = 1; i < 11; i++)
        area[i * PAGE] = 'c';
    EQ(minor_faults() - before, 10);
    for (int i = 1; i < 11; i++)
        area[i * PAGE] = 'd';
    EQ(minor_faults() - before, 10);
}

static void copies_are_counted(void) {
    area = map_pages(64, RW);
    for (int i = 0; i < 64; i++)
        area[i * PAGE] = 'p';
    child_ok(count_copies);
}

static void shared_stays_shared(void) {
    area = map(16 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1);
    area[5 * PAGE] = 'p';
    area[0] = 0;
    child_ok(write_area);
    EQ(area[0], 1);
    EQ(area[5 * PAGE], 'p');
}

static void grandchildren(int depth) {
    area[depth * PAGE] = (char)depth;
    if (depth == 8)
        return;
    int pid = fork();
    if (pid == 0) {
        grandchildren(depth + 1);
        sys_exit_group(0);
    }
    wait_ok(pid);
    for (int i = 0; i <= depth; i++)
        EQ(area[i * PAGE], i);
    EQ(area[(depth + 1) * PAGE], 0x55);
}

static void fork_chain(void) {
    area = map_pages(16, RW);
    memset((void *)area, 0x55, 16 * PAGE);
    grandchildren(0);
}

static void kernel_writes_cow(void) {
    int fds[2], pid;

    OK(sys_pipe2(fds, 0));
    area = map_pages(1, RW);
    area[0] = 'p';
    pid = fork();
    if (pid == 0) { /* read() must copy the page, not write into the parent's */
        OK(sys_write(fds[1], "c", 1));
        EQ(sys_read(fds[0], (void *)area, 1), 1);
        EQ(area[0], 'c');
        sys_exit_group(0);
    }
    wait_ok(pid);
    EQ(area[0], 'p');
}

static void zero_page(void) {
    size_t size = 256 * MIB;
    const volatile char *p = map(size, RW, ANON | MAP_NORESERVE, -1);
    long free_before = proc_number("/proc/meminfo", "MemFree:"), free_after;
    struct rusage before, after;

    OK(sys_getrusage(RUSAGE_SELF, &before));
    for (size_t i = 0; i < size; i += PAGE)
        EQ(p[i], 0);
    OK(sys_getrusage(RUSAGE_SELF, &after));
    if (on_xv39()) /* who reads on gets pages ahead */
        CHECK(after.ru_minflt - before.ru_minflt < (long)(size / PAGE / 8));
    free_after = proc_number("/proc/meminfo", "MemFree:");
    if (free_before > 0) /* kB; page tables take 1/512 of it, half a MiB */
        CHECK(free_before - free_after < 8192);
}

static void big_fork(void) {
    int64_t start;

    area = map(64 * MIB, RW, ANON | MAP_NORESERVE, -1);
    for (size_t i = 0; i < 16 * MIB; i += PAGE)
        area[i] = 1;
    start = now_ms();
    for (int i = 0; i < 20; i++)
        child_ok(write_area);
    CHECK(now_ms() - start < 20000 * cases_patience);
}

/* ---- mmap and friends */

static void anonymous(void) {
    char *p = map(10 * PAGE + 1, RW, ANON, -1);

    CHECK(((uint64_t)p & (PAGE - 1)) == 0);
    for (int i = 0; i < 11 * PAGE; i++)
        EQ(p[i], 0);
    memset(p, 'x', 11 * PAGE);
    OK(sys_munmap(p, 11 * PAGE));
    area = p;
    EQ(child_signal(read_area), SIGSEGV);
    OK(sys_munmap(p, 11 * PAGE)); /* nothing there: no error */
}

static void mmap_errors(void) {
    int rd, wr;

    put_file("file", "text");
    rd = (int)OK(open_at("file", O_RDONLY, 0));
    wr = (int)OK(open_at("file", O_WRONLY, 0));
    FAILS(EINVAL, sys_mmap(0, 0, RW, ANON, -1, 0));
    FAILS(EINVAL, sys_mmap(0, PAGE, RW, MAP_ANONYMOUS, -1, 0));
    FAILS(EINVAL, sys_mmap(0, PAGE, RW, MAP_PRIVATE, rd, 5));
    FAILS(EINVAL, sys_mmap((void *)5, PAGE, RW, ANON | MAP_FIXED, -1, 0));
    FAILS(EBADF, sys_mmap(0, PAGE, RW, MAP_PRIVATE, 99, 0));
    FAILS(EACCES, sys_mmap(0, PAGE, RW, MAP_SHARED, rd, 0));
    FAILS(EACCES, sys_mmap(0, PAGE, PROT_READ, MAP_PRIVATE, wr, 0));
    FAILS(ENOMEM, sys_mmap(0, 1UL << 40, PROT_NONE, ANON | MAP_NORESERVE, -1, 0));
    FAILS(ENOMEM, sys_mmap(0, ~0UL - PAGE, RW, ANON, -1, 0));
    FAILS(EINVAL, sys_munmap((void *)5, PAGE));
    FAILS(EINVAL, sys_munmap((void *)PAGE, 0));
    FAILS(ENOMEM, sys_mprotect(unmapped_page(), PAGE, PROT_READ));
    FAILS(EINVAL, sys_mprotect((void *)5, PAGE, PROT_READ));
    OK(sys_mmap((void *)(1UL << 45), PAGE, RW, ANON, -1, 0)); /* a hint too high is only a hint */
    FAILS(ENODEV, sys_mmap(0, PAGE, PROT_READ, MAP_PRIVATE, (int)OK(open_at(".", O_RDONLY, 0)), 0));
}

static void fixed(void) {
    char *p = map_pages(8, RW);

    memset(p, 'a', 8 * PAGE);
    EQ(sys_mmap(p + 2 * PAGE, 2 * PAGE, RW, ANON | MAP_FIXED, -1, 0), (long)(p + 2 * PAGE));
    EQ(p[2 * PAGE - 1], 'a');
    EQ(p[2 * PAGE], 0);
    EQ(p[4 * PAGE - 1], 0);
    EQ(p[4 * PAGE], 'a');
    FAILS(EEXIST, sys_mmap(p, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0));
    FAILS(EEXIST, sys_mmap(p + 7 * PAGE, 4 * PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0));
}

static void holes(void) {
    char *p = map_pages(8, RW);

    memset(p, 'a', 8 * PAGE);
    OK(sys_munmap(p + 3 * PAGE, 2 * PAGE));
    area = p + 3 * PAGE;
    EQ(child_signal(read_area), SIGSEGV);
    area = p + 5 * PAGE - 1;
    EQ(child_signal(read_area), SIGSEGV);
    EQ(p[3 * PAGE - 1], 'a');
    EQ(p[5 * PAGE], 'a');
    OK(sys_munmap(p + PAGE, 6 * PAGE)); /* over the hole */
    EQ(p[PAGE - 1], 'a');
    EQ(p[7 * PAGE], 'a');
    FAILS(ENOMEM, sys_mprotect(p, 8 * PAGE, PROT_READ));
}

static void protection(void) {
    char *p = map_pages(3, RW);

    memset(p, 'a', 3 * PAGE);
    OK(sys_mprotect(p + PAGE, PAGE, PROT_READ));
    area = p + PAGE;
    EQ(child_signal(write_area), SIGSEGV);
    EQ(p[PAGE], 'a');
    p[PAGE - 1] = p[2 * PAGE] = 'b';
    OK(sys_mprotect(p, 3 * PAGE, PROT_NONE));
    EQ(child_signal(read_area), SIGSEGV);
    OK(sys_mprotect(p, 3 * PAGE, RW));
    EQ(p[PAGE - 1], 'b');
    p[PAGE] = 'c';
    EQ(p[PAGE], 'c');
}

static void code_can_be_made(void) {
    uint32_t *p = map_pages(1, RW);

    p[0] = 0x02a00513; /* li a0, 42 */
    p[1] = 0x00008067; /* ret */
    OK(sys_mprotect(p, PAGE, PROT_READ | PROT_EXEC));
    asm volatile("fence.i" ::: "memory");
    EQ(((int (*)(void))p)(), 42);
}

static void private_file(void) {
    int fd;
    char *p;

    put_file("file", "hello world");
    fd = (int)OK(open_at("file", O_RDONLY, 0));
    p = map(PAGE, RW, MAP_PRIVATE, fd);
    OK(sys_close(fd));
    EQ(memcmp(p, "hello world", 12), 0); /* behind the end: zeros */
    EQ(p[PAGE - 1], 0);
    p[0] = 'J';
    expect_file("file", "hello world");
    EQ(p[0], 'J');
}

static void shared_file(void) {
    int fd, pid;
    char *p;

    put_file("file", "hello world");
    fd = (int)OK(open_at("file", O_RDWR, 0));
    p = map(PAGE, RW, MAP_SHARED, fd);
    p[0] = 'J';
    expect_file("file", "Jello world");
    EQ(sys_pwrite64(fd, "W", 1, 6), 1);
    EQ(p[6], 'W');
    pid = fork();
    if (pid == 0) {
        p[1] = 'E';
        sys_exit_group(0);
    }
    wait_ok(pid);
    EQ(p[1], 'E');
    OK(sys_msync(p, PAGE, MS_SYNC));
    OK(sys_munmap(p, PAGE));
    expect_file("file", "JEllo World");
    FAILS(ENOMEM, sys_msync(p, PAGE, MS_SYNC));
    FAILS(EINVAL, sys_msync(p, PAGE, MS_SYNC | MS_ASYNC));
}

static void beyond_the_file(void) {
    int fd;

    put_file("file", "x");
    fd = (int)OK(open_at("file", O_RDWR, 0));
    area = map(3 * PAGE, RW, MAP_SHARED, fd);
    EQ(area[0], 'x');
    area += PAGE;
    EQ(child_signal(read_area), SIGBUS);
    OK(sys_ftruncate(fd, 2 * PAGE));
    EQ(area[0], 0);
    write_area();
    OK(sys_ftruncate(fd, PAGE));
    EQ(child_signal(read_area), SIGBUS);
    OK(sys_ftruncate(fd, 2 * PAGE));
    EQ(area[0], 0); /* what was cut off is gone */
}

static void file_coherence(void) {
    char *p, buf[64];
    int fd = (int)OK(open_at("file", O_RDWR | O_CREAT, 0644));

    OK(sys_ftruncate(fd, 4 * PAGE));
    p = map(4 * PAGE, RW, MAP_SHARED, fd);
    for (int i = 0; i < 200; i++) {
        long at = i * 73 % (4 * PAGE - 64);
        memset(p + at, i, 32);
        EQ(sys_pread64(fd, buf, 32, at), 32);
        EQ(memcmp(buf, p + at, 32), 0);
        memset(buf, ~i, 32);
        EQ(sys_pwrite64(fd, buf, 32, at + 16), 32);
        EQ(memcmp(buf, p + at + 16, 32), 0);
    }
}

/* write() from a mapping of the file that is written, and read() into one. */
static void self_copy(void) {
    char *p;
    int fd = (int)OK(open_at("file", O_RDWR | O_CREAT, 0644));

    OK(sys_ftruncate(fd, 4 * PAGE));
    p = map(4 * PAGE, RW, MAP_SHARED, fd);
    memset(p, 'a', 100);
    EQ(sys_pwrite64(fd, p, 100, 2 * PAGE + 50), 100);
    EQ(p[2 * PAGE + 149], 'a');
    EQ(sys_pread64(fd, p + PAGE, 100, 0), 100);
    EQ(p[PAGE + 99], 'a');
    EQ(sys_pwrite64(fd, p, 2 * PAGE, PAGE), 2 * PAGE); /* overlapping: no hang */
}

static void remap(void) {
    char *p = map_pages(4, RW), *q;

    memset(p, 'a', 4 * PAGE);
    q = (char *)OK(sys_mremap(p, 4 * PAGE, 100 * PAGE, MREMAP_MAYMOVE, 0));
    EQ(q[0], 'a');
    EQ(q[4 * PAGE - 1], 'a');
    EQ(q[4 * PAGE], 0);
    q[100 * PAGE - 1] = 'z';
    if (q != p) {
        area = p;
        EQ(child_signal(read_area), SIGSEGV);
    }
    EQ(sys_mremap(q, 100 * PAGE, 2 * PAGE, 0, 0), (long)q);
    area = q + 2 * PAGE;
    EQ(child_signal(read_area), SIGSEGV);
    EQ(q[2 * PAGE - 1], 'a');
    FAILS(EFAULT, sys_mremap(unmapped_page(), PAGE, 2 * PAGE, MREMAP_MAYMOVE, 0));
    FAILS(EINVAL, sys_mremap(q, PAGE, 0, 0, 0));
    FAILS(EINVAL, sys_mremap(q + 1, PAGE, PAGE, 0, 0));
}

static void advice(void) {
    char *p = map_pages(4, RW);

    memset(p, 'a', 4 * PAGE);
    OK(sys_madvise(p + PAGE, 2 * PAGE, MADV_DONTNEED));
    EQ(p[0], 'a');
    EQ(p[PAGE], 0);
    EQ(p[3 * PAGE - 1], 0);
    EQ(p[3 * PAGE], 'a');
    OK(sys_madvise(p, 4 * PAGE, MADV_WILLNEED));
    OK(sys_madvise(p, 4 * PAGE, MADV_NORMAL));
    FAILS(EINVAL, sys_madvise(p, PAGE, 12345));
    FAILS(EINVAL, sys_madvise(p + 1, PAGE, MADV_NORMAL));
    FAILS(ENOMEM, sys_madvise(unmapped_page(), PAGE, MADV_DONTNEED));
}

static void in_core(void) {
    char *p = map_pages(4, RW);
    uint8_t pages[4];

    p[2 * PAGE] = 1;
    OK(sys_mincore(p, 4 * PAGE, pages));
    EQ(pages[2] & 1, 1);
    EQ(pages[0] & 1, 0);
    FAILS(EINVAL, sys_mincore(p + 1, PAGE, pages));
    FAILS(ENOMEM, sys_mincore(unmapped_page(), PAGE, pages));
}

static void many_mappings(void) {
    char *p = map_pages(2000, RW);

    for (int i = 0; i < 2000; i += 2)
        OK(sys_mprotect(p + i * PAGE, PAGE, PROT_READ));
    for (int i = 1; i < 2000; i += 2)
        p[i * PAGE] = (char)i;
    for (int i = 0; i < 2000; i += 2)
        OK(sys_mprotect(p + i * PAGE, PAGE, RW));
    for (int i = 1; i < 2000; i += 2)
        EQ(p[i * PAGE], (char)i);
    OK(sys_munmap(p, 2000 * PAGE));
}

/* ---- heap and stack */

static void heap(void) {
    char *start = (char *)sys_brk(0), *end;

    EQ(sys_brk((uint64_t)start + 10 * PAGE), (long)(start + 10 * PAGE));
    for (int i = 0; i < 10 * PAGE; i++)
        EQ(start[i], 0);
    memset(start, 'x', 10 * PAGE);
    EQ(sys_brk((uint64_t)start + 2 * PAGE), (long)(start + 2 * PAGE));
    area = (char *)(((uint64_t)start + 3 * PAGE - 1) & ~(uint64_t)(PAGE - 1));
    EQ(child_signal(read_area), SIGSEGV);
    EQ(sys_brk((uint64_t)start + 10 * PAGE), (long)(start + 10 * PAGE));
    EQ(area[0], 0);
    EQ(start[0], 'x');
    end = (char *)sys_brk(0);
    EQ(sys_brk(8), (long)end);         /* below the start: nothing happens */
    EQ(sys_brk(1UL << 45), (long)end); /* beyond all: nothing happens */
    EQ(sys_brk((uint64_t)start), (long)start);
}

static void heap_limit(void) {
    struct rlimit limit = {MIB, MIB};
    char *start = (char *)sys_brk(0);

    OK(sys_setrlimit(RLIMIT_DATA, &limit));
    EQ(sys_brk((uint64_t)start + 16 * MIB), (long)start);
}

static void address_space_limit(void) {
    struct rlimit limit = {16 * MIB, 16 * MIB};

    OK(sys_setrlimit(RLIMIT_AS, &limit));
    FAILS(ENOMEM, sys_mmap(0, 32 * MIB, RW, ANON, -1, 0));
    OK(sys_mmap(0, MIB, RW, ANON, -1, 0));
}

static int use_stack(int kib) {
    volatile char frame[1024];

    frame[0] = frame[1023] = 1;
    return kib > 1 ? use_stack(kib - 1) + frame[0] : frame[1023];
}

static void stack_4_mib(void) { EQ(use_stack(4096), 4096); }

static void stack_too_deep(void) { use_stack(9 * 1024); }

static void stack_grows(void) {
    struct rlimit limit;

    OK(sys_getrlimit(RLIMIT_STACK, &limit));
    child_ok(stack_4_mib);
    if (limit.rlim_cur == 8 * MIB)
        EQ(child_signal(stack_too_deep), SIGSEGV);
}

static void one_mib_stack(void) {
    struct rlimit limit = {MIB, MIB};

    OK(sys_setrlimit(RLIMIT_STACK, &limit));
    use_stack(2048);
}

static void stack_limit(void) { EQ(child_signal(one_mib_stack), SIGSEGV); }

/* The kernel's own accesses grow the stack, too. */
static void read_far_below(void) {
    char here;
    int fds[2];

    OK(sys_pipe2(fds, 0));
    EQ(sys_write(fds[1], "x", 1), 1);
    EQ(sys_read(fds[0], (void *)(((uint64_t)&here - 300 * 1024)), 1), 1);
}

static void never_mapped(void) {
    static const uint64_t never[] = {0x4000000000UL, 0xffffffc000000000UL, 0xffffffff80000000UL,
                                     ~0xfffUL};
    static const uint64_t guarded[] = {0, 0x3ffffff000UL, 0x3fffffc000UL};
    char byte;

    for (size_t i = 0; i < ARRAY_LEN(never); i++) {
        FAILS(ENOMEM, sys_mmap((void *)never[i], PAGE, RW, ANON | MAP_FIXED, -1, 0));
        FAILS(EFAULT, sys_getrandom((void *)never[i], 1, 0));
    }
    OK(sys_getrandom(&byte, 1, 0));
    for (size_t i = 0; on_xv39() && i < ARRAY_LEN(guarded); i++)
        CHECK(sys_mmap((void *)guarded[i], PAGE, RW, ANON | MAP_FIXED, -1, 0) < 0);
    become_user(1000);
    FAILS(EPERM, sys_mmap((void *)0, PAGE, RW, ANON | MAP_FIXED, -1, 0));
}

static void overcommit(void) {
    void *p = map(512 * MIB, PROT_NONE, ANON | MAP_NORESERVE, -1);
    char *q;

    OK(sys_mprotect((char *)p + 100 * MIB, MIB, RW));
    q = (char *)p + 100 * MIB;
    memset(q, 1, MIB);
    area = q + MIB;
    EQ(child_signal(read_area), SIGSEGV);
}

static void eat_memory(void) {
    for (;;) {
        char *p = (char *)sys_mmap(0, 16 * MIB, RW, ANON, -1, 0);
        if ((long)p < 0 && (long)p > -4096)
            sys_exit_group(9);
        for (size_t i = 0; i < 16 * MIB; i += PAGE)
            p[i] = 1;
    }
}

static void out_of_memory(void) {
    int status;

    if (!on_xv39())
        skip("only on xv39");
    status = wait_status(spawn(eat_memory));
    CHECK(status == SIGKILL || status == W_EXITCODE(9, 0));
}

static int hammer(int seed) {
    char *base = map_pages(64, RW);
    uint32_t x = (uint32_t)seed;

    for (int i = 0; i < 2000; i++) {
        char *p = base + (x % 60) * PAGE;
        x = x * 1664525 + 1013904223;
        switch (x >> 28 & 3) {
        case 0:
            OK(sys_mmap(p, PAGE * 2, RW, ANON | MAP_FIXED, -1, 0));
            break;
        case 1:
            OK(sys_munmap(p, PAGE));
            break;
        case 2:
            OK(sys_mmap(p, PAGE * 4, PROT_READ, ANON | MAP_FIXED, -1, 0));
            break;
        case 3:
            sys_mprotect(p, PAGE * 3, RW);
            break;
        }
        OK(sys_mmap(p, PAGE, RW, ANON | MAP_FIXED, -1, 0));
        *p = 1;
    }
    return 0;
}

static void hammer_children(void) {
    int pids[4];

    for (int i = 0; i < 4; i++) {
        pids[i] = fork();
        if (pids[i] == 0)
            sys_exit_group(hammer(i));
    }
    for (int i = 0; i < 4; i++)
        wait_ok(pids[i]);
}

const struct test memory_tests[] = {
    {"M2_fork_isolates", fork_isolates, 0},
    {"M2_copies_are_counted", copies_are_counted, 0},
    {"M2_shared_stays_shared", shared_stays_shared, 0},
    {"M2_fork_chain", fork_chain, 0},
    {"M2_kernel_writes_cow", kernel_writes_cow, 0},
    {"M3_zero_page", zero_page, 0},
    {"M4_big_fork", big_fork, 0},
    {"M6_anonymous", anonymous, 0},
    {"M6_mmap_errors", mmap_errors, 0},
    {"M6_fixed", fixed, 0},
    {"M6_holes", holes, 0},
    {"M6_protection", protection, 0},
    {"M6_code_can_be_made", code_can_be_made, 0},
    {"M6_private_file", private_file, 0},
    {"M6_shared_file", shared_file, 0},
    {"M6_beyond_the_file", beyond_the_file, 0},
    {"M6_remap", remap, 0},
    {"M6_advice", advice, 0},
    {"M6_in_core", in_core, 0},
    {"M6_many_mappings", many_mappings, 0},
    {"M6_heap", heap, 0},
    {"M6_heap_limit", heap_limit, 0},
    {"M6_address_space_limit", address_space_limit, 0},
    {"M6_stack_grows", stack_grows, 0},
    {"M6_stack_limit", stack_limit, 0},
    {"M6_read_far_below", read_far_below, 0},
    {"M1_never_mapped", never_mapped, 0},
    {"M6_overcommit", overcommit, 0},
    {"M6_hammer", hammer_children, 0},
    {"M7_file_coherence", file_coherence, 0},
    {"M7_self_copy", self_copy, 0},
    {"M7_out_of_memory", out_of_memory, 1},
    {0, 0, 0},
};
