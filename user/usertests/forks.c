/* Page tables that parent and child share after fork: what unshares them, what is copied, and that nobody sees what
 * the other does. */
#include "user/usertests/ut.h"
#include "user/lib/thread.h"
#include "abi/futex.h"
#include "abi/resource.h"

#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define BLOCK (2UL << 20) /* what one table maps */
#define BLOCKS 8
#define PAGES (BLOCK / PAGE)
#define GONE 255 /* no value */

static volatile char *area;  /* of BLOCKS blocks */
static uint32_t *go, *other; /* shared words */

static char value(size_t page) { return (char)((page * 7 + page / 512) % 251 + 1); }

static void fill(void) {
    for (size_t i = 0; i < BLOCKS * PAGES; i++)
        area[i * PAGE] = value(i);
}

/* Pages [from, to) are as fill() left them. */
static void expect(size_t from, size_t to) {
    for (size_t i = from; i < to; i++)
        EQ(area[i * PAGE], value(i));
}

static void make_area(void) {
    char *p = (char *)OK(sys_mmap(0, (BLOCKS + 1) * BLOCK, RW, ANON | MAP_NORESERVE, -1, 0));
    char *start = (char *)(((uint64_t)p + BLOCK - 1) & ~(BLOCK - 1));

    if (start > p)
        OK(sys_munmap(p, (size_t)(start - p)));
    OK(sys_munmap(start + BLOCKS * BLOCK, (size_t)(p + BLOCK - start)));
    area = start;
    fill();
    go = shared_page();
    other = go + 1;
}

static void tell(uint32_t *word) { __atomic_store_n(word, 1, __ATOMIC_RELEASE); }

static void await(const uint32_t *word) {
    while (!__atomic_load_n(word, __ATOMIC_ACQUIRE))
        sys_sched_yield();
}

/* ---- what is counted */

static long counted(const char *what) { return proc_number("/proc/vmstat", what); }

struct counts {
    long shares, copies, reuses, pages, faults;
};

static struct counts counts_now(void) {
    struct rusage u;
    struct counts c = {counted("table_share"), counted("table_copy"), counted("table_reuse"),
                       counted("cow_copy"), 0};

    OK(sys_getrusage(RUSAGE_SELF, &u));
    c.faults = u.ru_minflt;
    return c;
}

/* What f does, when all that the counting itself touches is one's own, and so is what our parent touches after its fork. */
static struct counts counts_of(void (*f)(void)) {
    until_asleep((int)sys_getppid());
    counts_now();
    void (*volatile code)(void) = f;
    (void)*(volatile char *)code; /* code comes by faults too */
    struct counts before = counts_now();
    f();
    struct counts after = counts_now();
    return (struct counts){after.shares - before.shares, after.copies - before.copies,
                           after.reuses - before.reuses, after.pages - before.pages,
                           after.faults - before.faults};
}

static void read_each(void) {
    for (int i = 0; i < BLOCKS; i++)
        EQ(area[i * BLOCK + 5 * PAGE], value(i * PAGES + 5));
}

static void write_one(void) { area[3 * BLOCK + 17 * PAGE] = 'x'; }

static void write_block(void) {
    for (size_t i = 0; i < PAGES; i++)
        area[3 * BLOCK + i * PAGE] = 'x';
}

static void child_reads(void) {
    struct counts c = counts_of(read_each);
    EQ(c.copies, BLOCKS);
    EQ(c.faults, BLOCKS);
    EQ(c.pages, 0);
    c = counts_of(read_each);
    EQ(c.faults, 0);
    c = counts_of(write_one);
    EQ(c.copies, 0);
    EQ(c.pages, 1);
}

static void child_writes(void) {
    struct counts c = counts_of(write_block);
    EQ(c.copies, 1);
    EQ(c.pages, PAGES);
    EQ(c.faults, PAGES);
}

static void parent_takes_over(void) {
    struct counts c = counts_of(fill);
    EQ(c.copies, 0);
    EQ(c.reuses, BLOCKS);
    EQ(c.faults, BLOCKS);
    EQ(c.pages, 0);
}

static void run_nothing(void) { child_ok(nothing); }

static void tables_are_counted(void) {
    make_area();
    struct counts c = counts_of(run_nothing);
    CHECK(c.shares >= BLOCKS);
    CHECK(c.copies <= 3); /* stack, data */
    parent_takes_over();
    child_ok(child_reads);
    expect(0, BLOCKS * PAGES);
    fill();
    child_ok(child_writes);
    expect(0, BLOCKS * PAGES);
}

/* Few writable pages: fork makes them read-only, and the table stays valid for both. */
static void read_few(void) {
    for (int i = 0; i < 64; i++)
        EQ(area[i * PAGE], i < 8 ? 'f' : 0);
}

static void child_of_few(void) {
    struct counts c = counts_of(read_few);
    EQ(c.faults, 0);
    EQ(c.copies, 0);
    area[3 * PAGE] = 'x';
    EQ(area[2 * PAGE], 'f');
    EQ(area[3 * PAGE], 'x');
}

static void few_pages_stay_mapped(void) {
    make_area();
    OK(sys_madvise((void *)area, BLOCKS * BLOCK, MADV_DONTNEED));
    for (int i = 0; i < 64; i++)
        (void)area[i * PAGE];
    for (int i = 0; i < 8; i++)
        area[i * PAGE] = 'f';
    child_ok(child_of_few);
    read_few();
    area[3 * PAGE] = 'y';
    EQ(area[3 * PAGE], 'y');
}

/* What children copied after two forks, the next forks copy at once, and look again later whether it is still wanted. */
static int wanted; /* faults in the child */

static void rewrite(void) {
    area[2 * PAGE] = 'c';
    area[5 * PAGE] = 'c';
}

static void child_rewrites(void) {
    EQ(area[2 * PAGE], 'p');
    expect(3, 16);
    struct counts c = counts_of(rewrite);
    EQ(c.faults, wanted);
    expect(6, 16);
}

static void parent_rewrites(void) { area[2 * PAGE] = 'p'; }

static void rewriting_child(int faults) {
    wanted = faults;
    parent_rewrites();
    child_ok(child_rewrites);
    EQ(area[2 * PAGE], 'p');
    expect(3, 16);
}

static void copied_ahead(void) {
    make_area();
    OK(sys_madvise((void *)(area + 16 * PAGE), BLOCKS * BLOCK - 16 * PAGE, MADV_DONTNEED));
    rewriting_child(2);
    rewriting_child(2);
    long pages = counted("page_ahead");
    rewriting_child(0);
    CHECK(counted("page_ahead") >= pages + 2);
    struct counts c = counts_of(parent_rewrites);
    EQ(c.faults, 0);
    for (int i = 0; i < 64; i++)
        child_ok(nothing);
    rewriting_child(2);
    rewriting_child(0);
}

/* A table's frame may have been another table before: that its copies were wanted says nothing about the new one. */
static void rewrite_each(void) {
    for (int i = 0; i < BLOCKS; i++)
        area[i * BLOCK] = 'c';
}

static void few_in_each(void) {
    for (int i = 0; i < 16 * BLOCKS; i++)
        area[i / 16 * BLOCK + i % 16 * PAGE] = 'p';
}

static void new_tables_are_shared(void) {
    struct counts before = {0}, c;

    make_area();
    OK(sys_madvise((void *)area, BLOCKS * BLOCK, MADV_DONTNEED));
    for (int i = 0; i < 3; i++) {
        few_in_each();
        child_ok(rewrite_each);
    }
    OK(sys_munmap((void *)area, BLOCKS * BLOCK));
    for (int i = 0; i < 3; i++) /* until forks of the rest are as they stay */
        before = counts_of(run_nothing);
    OK(sys_mmap((void *)area, BLOCKS * BLOCK, RW, ANON | MAP_FIXED, -1, 0));
    few_in_each();
    c = counts_of(run_nothing);
    CHECK(c.shares >= before.shares + BLOCKS);
}

/* The page of zeroes is copied often, but is nobody's to copy ahead. */
static void write_first(void) { area[0] = 'c'; }

static void zeroes_are_not_copied_ahead(void) {
    area = (char *)OK(sys_mmap(0, 48 * PAGE, RW, ANON, -1, 0));
    for (int i = 0; i < 48; i++)
        (void)area[i * PAGE];
    for (int i = 0; i < 16; i++)
        area[i * PAGE] = 'x';
    for (int i = 0; i < 4; i++) {
        long before = counted("page_ahead");
        child_ok(write_first);
        CHECK(counted("page_ahead") - before < 32);
    }
}

static void *rest_a_while(void *unused) {
    (void)unused;
    await(go);
    return 0;
}

/* Another thread could write while fork copies. */
static void not_ahead_of_threads(void) {
    struct thread *t;

    make_area();
    OK(sys_madvise((void *)(area + 16 * PAGE), BLOCKS * BLOCK - 16 * PAGE, MADV_DONTNEED));
    for (int i = 0; i < 3; i++)
        rewriting_child(i < 2 ? 2 : 0);
    OK(thread_create(&t, rest_a_while, 0));
    rewriting_child(2);
    tell(go);
    thread_join(t);
}

/* ---- changes to a part */

static void unmap_parts(void) {
    OK(sys_munmap((void *)(area + 10 * PAGE), 20 * PAGE));
    OK(sys_munmap((void *)(area + BLOCK + 100 * PAGE), 2 * BLOCK));
    expect(0, 10);
    expect(30, PAGES + 100);
    expect(3 * PAGES + 100, BLOCKS * PAGES);
    OK(sys_mmap((void *)(area + 10 * PAGE), 20 * PAGE, RW, ANON | MAP_FIXED, -1, 0));
    EQ(area[10 * PAGE], 0);
}

static void unmap_blocks(void) { OK(sys_munmap((void *)(area + BLOCK), 3 * BLOCK)); }

static void child_unmaps_blocks(void) {
    struct counts c = counts_of(unmap_blocks);
    EQ(c.copies, 0);
    EQ(c.reuses, 0);
    expect(0, PAGES);
    expect(4 * PAGES, 5 * PAGES);
}

static void write_protected(void) { area[15 * PAGE] = 1; }

static void protect_part(void) {
    OK(sys_mprotect((void *)(area + 10 * PAGE), 20 * PAGE, PROT_READ));
    area[9 * PAGE] = area[30 * PAGE] = 'x';
    expect(10, 30);
    EQ(child_signal(write_protected), SIGSEGV);
    OK(sys_mprotect((void *)(area + 10 * PAGE), 20 * PAGE, PROT_NONE));
    EQ(child_signal(write_protected), SIGSEGV);
    OK(sys_mprotect((void *)(area + 10 * PAGE), 20 * PAGE, RW));
    expect(10, 30);
    area[15 * PAGE] = 'x';
}

static void move_part(void) {
    char *from = (char *)area + BLOCK / 2, *to;

    to = (char *)OK(sys_mremap(from, BLOCK, 3 * BLOCK, MREMAP_MAYMOVE, 0));
    for (size_t i = 0; i < PAGES; i++)
        EQ(to[i * PAGE], value(PAGES / 2 + i));
    to[0] = 'x';
    OK(sys_mremap(to, BLOCK, BLOCK, MREMAP_MAYMOVE | MREMAP_FIXED,
                  (char *)area + 4 * BLOCK + PAGE));
    EQ(area[4 * BLOCK + PAGE], 'x');
    EQ(area[4 * BLOCK], value(4 * PAGES));
    expect(5 * PAGES + 1, 6 * PAGES);
}

static void drop_part(void) {
    uint8_t there[2];

    OK(sys_mincore((void *)area, 2 * PAGE, there));
    EQ(there[0] & there[1] & 1, 1);
    OK(sys_madvise((void *)(area + 10 * PAGE), 20 * PAGE, MADV_DONTNEED));
    for (int i = 10; i < 30; i++)
        EQ(area[i * PAGE], 0);
    expect(30, PAGES);
    OK(sys_madvise((void *)(area + BLOCK), BLOCK, MADV_DONTNEED));
    for (size_t i = 0; i < PAGES; i++)
        EQ(area[BLOCK + i * PAGE], 0);
    expect(2 * PAGES, BLOCKS * PAGES);
}

/* The child changes, then the parent does the same while another child looks on. */
static void both_ways(void (*f)(void)) {
    make_area();
    child_ok(f);
    expect(0, BLOCKS * PAGES);
    int pid = fork();
    if (pid == 0) {
        await(go);
        expect(0, BLOCKS * PAGES);
        fill();
        sys_exit_group(0);
    }
    f();
    tell(go);
    wait_ok(pid);
}

static void partial_unmap(void) { both_ways(unmap_parts); }
static void whole_unmap(void) { both_ways(child_unmaps_blocks); }
static void partial_protect(void) { both_ways(protect_part); }
static void partial_move(void) { both_ways(move_part); }
static void partial_drop(void) { both_ways(drop_part); }

/* ---- several VMAs in one table */

static void write_stripes(void) {
    for (size_t i = 0; i < 64; i += 2)
        area[i * PAGE] = 'x';
    for (size_t i = 1; i < 64; i += 2)
        EQ(area[i * PAGE], value(i));
}

static void stripes(void) {
    make_area();
    for (size_t i = 1; i < 64; i += 2)
        OK(sys_mprotect((void *)(area + i * PAGE), PAGE, PROT_READ));
    child_ok(write_stripes);
    expect(0, BLOCKS * PAGES);
}

static void write_beside_shared(void) {
    area[4 * PAGE] = 's';
    area[8 * PAGE] = 'x';
    EQ(area[9 * PAGE], value(9));
}

static void shared_beside_private(void) {
    make_area();
    OK(sys_mmap((void *)area, 8 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
    child_ok(write_beside_shared);
    EQ(area[4 * PAGE], 's');
    expect(8, BLOCKS * PAGES);
    child_ok(unmap_blocks);
    expect(8, BLOCKS * PAGES);
}

static void look_in_hole(void) { (void)area[2 * PAGE]; }

static void child_of_hole(void) {
    EQ(child_signal(look_in_hole), SIGSEGV);
    expect(8, BLOCKS * PAGES);
    area[9 * PAGE] = 'x';
}

static void not_forked(void) {
    make_area();
    child_ok(nothing); /* all tables are shared ones now */
    OK(sys_madvise((void *)area, 8 * PAGE, MADV_DONTFORK));
    child_ok(child_of_hole);
    expect(0, BLOCKS * PAGES);
}

/* A file is cut while its pages are in a shared table, valid or not. */
static void cut_file(bool dirty) {
    int fd = (int)OK(open_at("file", O_CREAT | O_RDWR, 0600));

    make_area();
    OK(sys_ftruncate(fd, 8 * PAGE));
    OK(sys_mmap((void *)area, 8 * PAGE, RW, MAP_PRIVATE | MAP_FIXED, fd, 0));
    if (!dirty)
        OK(sys_madvise((void *)(area + 8 * PAGE), BLOCK - 8 * PAGE, MADV_DONTNEED));
    (void)area[PAGE];
    area[6 * PAGE] = 'c';
    int pid = fork();
    if (pid == 0) {
        await(go);
        EQ(area[PAGE], 0);
        EQ(child_signal(look_in_hole), SIGBUS);
        if (dirty)
            expect(8, PAGES);
        sys_exit_group(0);
    }
    OK(sys_ftruncate(fd, 2 * PAGE));
    tell(go);
    wait_ok(pid);
    EQ(child_signal(look_in_hole), SIGBUS);
    OK(sys_ftruncate(fd, 8 * PAGE));
    EQ(area[6 * PAGE], 0);
    expect(PAGES, BLOCKS * PAGES);
    OK(sys_close(fd));
}

static void truncated_file(void) {
    cut_file(true);
    cut_file(false);
}

/* ---- generations, harts */

static void generation(int n) {
    for (int i = 0; i < n; i++)
        EQ(area[i * BLOCK + PAGE], 'a' + i);
    expect(n * PAGES, BLOCKS * PAGES);
    if (n == 5)
        return;
    area[n * BLOCK + PAGE] = (char)('a' + n);
    int first = fork();
    if (first == 0) {
        generation(n + 1);
        sys_exit_group(0);
    }
    area[n * BLOCK + PAGE] = 'z';
    wait_ok(first);
    EQ(area[n * BLOCK + PAGE], 'z');
    expect((n + 1) * PAGES, BLOCKS * PAGES);
}

static void generations(void) {
    make_area();
    generation(0);
}

/* A parent that goes first: tables pass on to a grandchild that nobody else shares them with. */
static void orphans(void) {
    make_area();
    int pid = fork();
    if (pid == 0) {
        if (fork() == 0) {
            await(go);
            expect(0, BLOCKS * PAGES);
            fill();
            tell(other);
        }
        sys_exit_group(0);
    }
    wait_ok(pid);
    OK(sys_munmap((void *)area, BLOCKS * BLOCK));
    tell(go);
    await(other);
}

static void write_pages(char c) {
    for (size_t i = 0; i < BLOCKS * PAGES; i++) {
        char was = area[i * PAGE];
        if (was != value(i))
            fail_at(HERE, "page %lu has %d", i, was);
        area[i * PAGE] = c;
    }
    for (size_t i = 0; i < BLOCKS * PAGES; i++)
        EQ(area[i * PAGE], c);
}

static void both_write(void) {
    make_area();
    for (int round = 0; round < 4; round++) {
        fill();
        *go = 0;
        int pid = fork();
        if (pid == 0) {
            await(go);
            write_pages('c');
            sys_exit_group(0);
        }
        tell(go);
        write_pages('p');
        wait_ok(pid);
        for (size_t i = 0; i < BLOCKS * PAGES; i++)
            EQ(area[i * PAGE], 'p');
    }
}

/* Threads fault while the parent forks: a child's memory stands still. */
static volatile bool stop;

static void *count_up(void *arg) {
    volatile uint32_t *word = arg;

    for (uint32_t n = 0; !stop; n++)
        for (size_t i = 0; i < 3 * BLOCK; i += 3 * PAGE)
            word[i / sizeof(*word)] = n;
    return 0;
}

static uint32_t sum_of_words(void) {
    uint32_t sum = 0;

    for (size_t i = 0; i < BLOCKS * BLOCK; i += PAGE)
        sum = sum * 31 + *(volatile uint32_t *)(area + i) + *(volatile uint32_t *)(area + i + 64);
    return sum;
}

static void stands_still(void) {
    uint32_t sum = sum_of_words();

    for (int i = 0; i < 3; i++)
        EQ(sum_of_words(), sum);
    for (size_t i = 0; i < 2 * BLOCK; i += PAGE)
        area[i + 64]++;
    CHECK(sum_of_words() != sum);
}

static void fork_while_faulting(void) {
    struct thread *t[2];

    make_area();
    for (int i = 0; i < 2; i++)
        OK(thread_create(&t[i], count_up, (void *)(area + i * 3 * BLOCK)));
    for (int i = 0; i < 12; i++)
        child_ok(stands_still);
    stop = true;
    for (int i = 0; i < 2; i++)
        thread_join(t[i]);
    for (size_t i = 0; i < BLOCKS * BLOCK; i += PAGE)
        EQ(area[i + 64], 0);
}

/* ---- the kernel's own accesses */

static void calls_touch(void) {
    static char buf[3 * PAGE];
    int fds[2];

    OK(sys_pipe2(fds, 0));
    EQ(sys_write(fds[1], (void *)(area + BLOCK - PAGE), 2 * PAGE), 2 * PAGE);
    EQ(sys_read(fds[0], buf, 2 * PAGE), 2 * PAGE);
    EQ(buf[0], value(PAGES - 1));
    EQ(buf[PAGE], value(PAGES));
    OK(sys_write(fds[1], "hello", 5));
    EQ(sys_read(fds[0], (void *)(area + 2 * BLOCK - 2), 5), 5);
    CHECK(memcmp((void *)(area + 2 * BLOCK - 2), "hello", 5) == 0);
    EQ(sys_futex((void *)(area + 3 * BLOCK), FUTEX_WAKE, 1, 0, 0, 0), 0);
    FAILS(EAGAIN, sys_futex((void *)(area + 4 * BLOCK), FUTEX_WAIT, 0, 0, 0, 0));
    struct timespec t = {0, 10000000};
    *(volatile uint32_t *)(area + 5 * BLOCK) = 0;
    FAILS(ETIMEDOUT, sys_futex((void *)(area + 5 * BLOCK), FUTEX_WAIT, 0, &t, 0, 0));
}

static void kernel_touches(void) {
    make_area();
    child_ok(calls_touch);
    expect(0, BLOCKS * PAGES);
    child_ok(nothing);
    calls_touch();
}

/* ---- the parent writes the child's memory */

static int mem_of(int pid) {
    char path[40];

    snprintf(path, sizeof(path), "/proc/%d/mem", pid);
    return OK(sys_openat(AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0));
}

static void put(int mem, size_t page, char c) {
    EQ(sys_pwrite64(mem, &c, 1, (int64_t)(area + page * PAGE)), 1);
}

/* What is copied by it. */
static struct counts debug_child(int mem) {
    struct counts before, after;
    char page[PAGE + 1], c0;

    memset(page, 0, sizeof(page)); /* our own stack is not copied while we count */
    before = counts_now();
    /* Across two pages, of a table that both have. */
    EQ(sys_pread64(mem, page, sizeof(page), (int64_t)(area + 2 * PAGE)), PAGE + 1);
    EQ(page[0], value(2));
    EQ(page[PAGE], value(3));
    put(mem, 2, 'd');
    put(mem, BLOCKS * PAGES - 1, 'e'); /* the child may not write there */
    after = counts_now();
    EQ(sys_pread64(mem, &c0, 1, (int64_t)(area + 2 * PAGE)), 1);
    EQ(c0, 'd');
    FAILS(EIO, sys_pread64(mem, page, 1, 8)); /* nothing is there */
    FAILS(EIO, sys_pwrite64(mem, page, 1, 1L << 40));
    FAILS(EFAULT, sys_pread64(mem, (void *)8, 1, (int64_t)area));
    EQ(sys_pread64(mem, page, 0, (int64_t)area), 0);
    return (struct counts){.copies = after.copies - before.copies,
                           .pages = after.pages - before.pages};
}

static void debugger_writes(void) {
    struct counts c;

    make_area();
    int pid = fork();
    if (pid == 0) {
        OK(sys_mprotect((void *)(area + (BLOCKS - 1) * BLOCK), BLOCK, PROT_READ));
        counts_now(); /* nor is this one's */
        tell(go);
        await(other);
        EQ(area[2 * PAGE], 'd');
        EQ(area[(BLOCKS * PAGES - 1) * PAGE], 'e');
        expect(3, BLOCKS * PAGES - 1);
        sys_exit_group(0);
    }
    await(go);
    int mem = mem_of(pid);
    until_asleep((int)sys_getppid());
    c = debug_child(mem);
    EQ(c.copies, 1); /* mprotect made the other its own */
    EQ(c.pages, 2);
    tell(other);
    wait_ok(pid);
    expect(0, BLOCKS * PAGES);
    int gone = (int)sys_pread64(mem, (void *)&c, 1, (int64_t)area);
    EQ(gone, -ESRCH);
    OK(sys_close(mem));
}

static void others_mem(void) {
    char path[40];

    snprintf(path, sizeof(path), "/proc/%d/mem", (int)sys_getppid());
    OK(sys_setuid(1000));
    int mem = (int)sys_openat(AT_FDCWD, path, O_RDONLY, 0);
    if (mem >= 0)
        mem = (int)sys_pread64(mem, path, 1, (int64_t)area);
    EQ(mem, -EACCES);
}

static void debugger_denied(void) {
    make_area();
    child_ok(others_mem);
}

/* A futex word of private memory is not the other's. */
static void private_futex(void) {
    volatile uint32_t *word = (volatile uint32_t *)area;

    make_area();
    word = (volatile uint32_t *)(area + BLOCK);
    *word = 7;
    int pid = fork();
    if (pid == 0) {
        struct timespec t = {0, 50000000};
        tell(go);
        FAILS(ETIMEDOUT, sys_futex((void *)word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 7, &t, 0, 0));
        sys_exit_group(0);
    }
    await(go);
    for (int i = 0; i < 10; i++) {
        EQ(sys_futex((void *)word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 9, 0, 0, 0), 0);
        sleep_ms(2);
    }
    wait_ok(pid);
}

/* ---- accounts */

static long rss(void) { return proc_number("/proc/self/status", "RssAnon:"); }

static void child_counts(void) {
    long whole = rss(), block = BLOCK / 1024;

    EQ(whole / block, (long)*go / block);
    write_block();
    EQ(rss() / 64, whole / 64);
    OK(sys_munmap((void *)area, BLOCK));
    EQ((whole - rss() + 32) / block, 1);
    OK(sys_madvise((void *)(area + BLOCK), BLOCK + BLOCK / 2, MADV_DONTNEED));
    EQ((2 * (whole - rss()) + 32) / block, 5);
    area[BLOCK] = 1;
    OK(sys_munmap((void *)(area + BLOCK), (BLOCKS - 1) * BLOCK));
    CHECK(rss() < 2 * block);
}

static void accounts(void) {
    make_area();
    rss(); /* takes some stack itself */
    long before = rss();
    *go = (uint32_t)before;
    child_ok(child_counts);
    EQ(rss(), before);
    fill();
    EQ(rss(), before);
    OK(sys_munmap((void *)area, BLOCKS * BLOCK));
    CHECK(rss() < 4096);
}

/* ---- no memory for a table: what wanted one fails, and nothing has changed */

static void short_of_memory(void) {
    area[0] = 'x';
    tell(other);
    await(go);
    FAILS(ENOMEM, sys_munmap((void *)(area + BLOCK + PAGE), PAGE));
    FAILS(ENOMEM, sys_mprotect((void *)(area + BLOCK + PAGE), PAGE, PROT_READ));
    FAILS(ENOMEM, sys_madvise((void *)(area + BLOCK + PAGE), PAGE, MADV_DONTNEED));
    go[2] = 1;
    (void)area[2 * BLOCK];
    go[3] = 1;
}

static void no_memory(void) {
    int fd = (int)sys_openat(AT_FDCWD, "/proc/xv39/fail", O_WRONLY, 0);

    if (fd < 0)
        skip("needs a kernel with CHECK=fail");
    make_area();
    int pid = spawn(short_of_memory);
    await(other);
    OK(sys_write(fd, "alloc:1", 7));
    tell(go);
    int status = wait_status(pid);
    OK(sys_write(fd, "off", 3));
    CHECK(status != 0);
    EQ(go[2], 1);
    EQ(go[3], 0);
    expect(0, BLOCKS * PAGES);
}

/* ---- at random */

static uint64_t dice(uint64_t *s, uint64_t n) {
    *s = *s * 6364136223846793005 + 1442695040888963407;
    return (*s >> 33) % n;
}

#define FIELD (2 * PAGES)

/* Writes, unmaps, maps, protects, forks, and always knows what must be where. */
static void wander(uint64_t s, int depth) {
    static char known[FIELD]; /* by page; GONE: not mapped */
    int pids[3], n = 0;

    if (depth == 0)
        for (size_t i = 0; i < FIELD; i++)
            known[i] = value(i);
    for (int step = 0; step < 60; step++) {
        size_t first = dice(&s, FIELD), count = 1 + dice(&s, dice(&s, 4) ? 40 : 1100);
        uint64_t what = dice(&s, 12);
        if (first + count > FIELD)
            count = FIELD - first;
        volatile char *p = area + first * PAGE;
        for (size_t i = first; i < first + count; i++)
            if (known[i] != GONE)
                EQ(area[i * PAGE], known[i]);
        if (what == 0)
            OK(sys_munmap((void *)p, count * PAGE));
        if (what == 1)
            OK(sys_mmap((void *)p, count * PAGE, RW, ANON | MAP_FIXED | MAP_NORESERVE, -1, 0));
        if (what == 2 && known[first] != GONE)
            OK(sys_madvise((void *)p, PAGE, MADV_DONTNEED));
        for (size_t i = first; i < first + count; i++)
            if (what == 0)
                known[i] = GONE;
            else if (what == 1 || (what == 2 && i == first && known[i] != GONE))
                known[i] = 0;
            else if (what > 4 && known[i] != GONE)
                area[i * PAGE] = known[i] = (char)(dice(&s, 100) + 1);
        if (what == 3 && depth < 2 && n < 3) {
            pids[n] = fork();
            if (pids[n] == 0) {
                wander(s + 1, depth + 1);
                sys_exit_group(0);
            }
            CHECK(pids[n++] > 0);
        }
        if (what == 4 && n > 0)
            wait_ok(pids[--n]);
    }
    while (n > 0)
        wait_ok(pids[--n]);
}

static void at_random(void) {
    int pids[4];

    make_area();
    for (int i = 0; i < 4; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            wander(seed + (uint64_t)i * 1000003, 0);
            sys_exit_group(0);
        }
    }
    for (int i = 0; i < 4; i++)
        wait_ok(pids[i]);
    expect(0, BLOCKS * PAGES);
}

/* Tables of the area that /proc/PID/tables shows with this state and so many owners. */
static int tables_shown(const char *state, int owners) {
    static char text[16384];
    char wanted[32];
    int n = 0;

    snprintf(wanted, sizeof(wanted), " %s %d 512", state, owners);
    OK(read_file("/proc/self/tables", text, sizeof(text)));
    for (size_t i = 0; i < BLOCKS; i++) {
        char start[16], *line;
        snprintf(start, sizeof(start), "%010lx ", (long)(area + i * BLOCK));
        line = strstr(text, start);
        CHECK(line);
        *strchr(line, '\n') = 0;
        n += strstr(line, wanted) != 0;
        line[strlen(line)] = '\n';
    }
    return n;
}

/* Lines of vmmap's text about tables like those of the area. vfork, for fork would be one more owner. */
static int tables_drawn(const char *wanted) {
    static char text[65536];
    char line[64], *argv[] = {"sh", "-c", line, 0}, *at = text;
    int n = 0;

    snprintf(line, sizeof(line), "vmmap %d >drawn", getpid());
    wait_ok(vfork_exec("/bin/sh", argv, environ));
    OK(read_file("drawn", text, sizeof(text)));
    while ((at = strstr(at, wanted))) {
        at++;
        n++;
    }
    return n;
}

static void tables_are_shown(void) {
    int pid;

    if (!is_there("/proc/self/tables"))
        skip("no such file here");
    make_area();
    EQ(tables_shown("own", 1), BLOCKS);
    pid = spawn(sleep_long);
    EQ(tables_shown("hidden", 2), BLOCKS);
    EQ(tables_drawn(" 512 pages, shared by 2, any access faults"), BLOCKS);
    area[0] = 1;
    (void)area[3 * BLOCK];
    EQ(tables_shown("own", 1), 2);
    EQ(tables_shown("hidden", 2), BLOCKS - 2);
    kill_child(pid);
    EQ(tables_shown("hidden", 1), BLOCKS - 2);
    fill();
    EQ(tables_shown("own", 1), BLOCKS);
}

const struct test fork_tests[] = {
    {"M4_tables_are_counted", tables_are_counted, 0},
    {"M4_tables_are_shown", tables_are_shown, 0},
    {"M4_few_pages_stay_mapped", few_pages_stay_mapped, 0},
    {"M4_copied_ahead", copied_ahead, 0},
    {"M4_new_tables_are_shared", new_tables_are_shared, 0},
    {"M4_zeroes_are_not_copied_ahead", zeroes_are_not_copied_ahead, 0},
    {"M4_not_ahead_of_threads", not_ahead_of_threads, 0},
    {"M4_partial_unmap", partial_unmap, 0},
    {"M4_whole_unmap", whole_unmap, 0},
    {"M4_partial_protect", partial_protect, 0},
    {"M4_partial_move", partial_move, 0},
    {"M4_partial_drop", partial_drop, 0},
    {"M4_stripes", stripes, 0},
    {"M4_shared_beside_private", shared_beside_private, 0},
    {"M4_not_forked", not_forked, 0},
    {"M4_truncated_file", truncated_file, 0},
    {"M4_generations", generations, 0},
    {"M4_orphans", orphans, 0},
    {"M4_both_write", both_write, 0},
    {"M4_fork_while_faulting", fork_while_faulting, 0},
    {"M4_kernel_touches", kernel_touches, 0},
    {"M4_debugger_writes", debugger_writes, 0},
    {"M4_debugger_denied", debugger_denied, 0},
    {"M4_private_futex", private_futex, 0},
    {"M4_accounts", accounts, 0},
    {"M4_no_memory", no_memory, VAST},
    {"M4_at_random", at_random, 0},
    {0, 0, 0},
};
