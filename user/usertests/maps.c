/* Memory: what the calls of the mmap family say and do at their edges. */
#include "user/usertests/ut.h"
#include "abi/resource.h"

#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define SHARED (MAP_SHARED | MAP_ANONYMOUS)
#define KIB 1024UL
#define MIB (1UL << 20)

static volatile char *area;

static char *map(size_t size, int prot, int flags, int fd) {
    return (char *)OK(sys_mmap(0, size, prot, flags, fd, 0));
}

static void read_area(void) { (void)*area; }
static void write_area(void) { *area = 1; }

static void set_limit(int what, uint64_t bytes) {
    struct rlimit limit = {bytes, bytes};
    OK(sys_setrlimit(what, &limit));
}

static long status(const char *label) { return proc_number("/proc/self/status", label); }

/* How many of the pages at p are in memory. */
static int resident(const void *p, int pages) {
    uint8_t there[64];
    int n = 0;

    CHECK(pages <= 64);
    OK(sys_mincore((void *)p, pages * PAGE, there));
    for (int i = 0; i < pages; i++)
        n += there[i] & 1;
    return n;
}

static char text[65536];

static void read_text(const char *path) {
    int fd = (int)OK(open_at(path, O_RDONLY, 0));
    long got, all = 0;

    while ((got = OK(sys_read(fd, text + all, sizeof(text) - 1 - all))) > 0)
        all += got;
    OK(sys_close(fd));
    text[all] = 0;
}

/* A file of `pages` pages, page i full of 'a' + i; open for reading and writing. */
static int a_file(const char *name, int pages) {
    char page[PAGE];
    int fd = (int)OK(open_at(name, O_RDWR | O_CREAT | O_TRUNC, 0644));

    for (int i = 0; i < pages; i++) {
        memset(page, 'a' + i, PAGE);
        EQ(sys_write(fd, page, PAGE), PAGE);
    }
    return fd;
}

/* ---- mmap */

static void flags(void) {
    int fd = a_file("file", 1);

    FAILS(EINVAL, sys_mmap(0, PAGE, RW, SHARED | MAP_GROWSDOWN, -1, 0));
    FAILS(EINVAL, sys_mmap(0, PAGE, RW, MAP_PRIVATE | MAP_GROWSDOWN, fd, 0));
    FAILS(EINVAL, sys_mmap(0, PAGE, RW, MAP_SHARED_VALIDATE | MAP_ANONYMOUS, -1, 0));
    FAILS(EOPNOTSUPP, sys_mmap(0, PAGE, RW, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0));
    FAILS(EOPNOTSUPP, sys_mmap(0, PAGE, RW, MAP_SHARED_VALIDATE | 0x4000000, fd, 0));
    OK(sys_mmap(0, PAGE, RW, MAP_SHARED_VALIDATE, fd, 0));
    OK(sys_mmap(0, PAGE, RW, MAP_SHARED | 0x4000000, fd, 0)); /* unknown: ignored */
    OK(sys_mmap(0, PAGE, RW, ANON | MAP_STACK | MAP_NORESERVE | MAP_DENYWRITE, -1, 0));
    FAILS(EOVERFLOW, sys_mmap(0, 4 * PAGE, PROT_READ, MAP_PRIVATE, fd, -PAGE));
}

static void no_replace(void) {
    char *p = map_pages(4, RW);
    char *free_place = unmapped_page();

    EQ(sys_mmap(free_place, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0), (long)free_place);
    FAILS(EEXIST, sys_mmap(p + 3 * PAGE, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0));
    FAILS(EEXIST, sys_mmap(p + PAGE, PAGE, RW, ANON | MAP_FIXED | MAP_FIXED_NOREPLACE, -1, 0));
    FAILS(EINVAL, sys_mmap(p + 1, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0));
}

static long minor_faults(void) {
    struct rusage u;
    OK(sys_getrusage(RUSAGE_SELF, &u));
    return u.ru_minflt + u.ru_majflt;
}

static void populates(void) {
    char *p = map(32 * PAGE, RW, ANON | MAP_POPULATE, -1);
    int fd = a_file("file", 8);
    long before = minor_faults();

    for (int i = 0; i < 32; i++)
        p[i * PAGE] = 1;
    EQ(minor_faults() - before, 0);
    p = map(8 * PAGE, RW, MAP_PRIVATE | MAP_POPULATE, fd);
    before = minor_faults();
    for (int i = 0; i < 8; i++) {
        EQ(p[i * PAGE], 'a' + i);
        p[i * PAGE] = 'x';
    }
    EQ(minor_faults() - before, 0);
    p = map(16 * PAGE, PROT_READ, MAP_SHARED | MAP_POPULATE, fd); /* beyond the end: no error */
    EQ(p[7 * PAGE], 'h');
    p = map(4 * PAGE, RW, ANON | MAP_POPULATE | MAP_NONBLOCK, -1);
    EQ(resident(p, 4), 0);
}

static void grows_down(void) {
    char *hole = map(600 * PAGE, PROT_NONE, ANON, -1), *p;

    OK(sys_munmap(hole, 600 * PAGE));
    p = (char *)OK(sys_mmap(hole + 599 * PAGE, PAGE, RW, ANON | MAP_GROWSDOWN | MAP_FIXED, -1, 0));
    for (int i = 1; i < 200; i++)
        p[-i * (long)PAGE] = (char)i;
    p[-300 * (long)PAGE] = 1;                              /* in one jump */
    OK(sys_mprotect(p, PAGE, PROT_READ | PROT_GROWSDOWN)); /* down to where it begins */
    area = p - 300 * PAGE;
    EQ(child_signal(write_area), SIGSEGV);
    EQ(p[-5 * (long)PAGE], 5);
    FAILS(EINVAL, sys_mprotect(map_pages(1, RW), PAGE, PROT_READ | PROT_GROWSDOWN));
}

/* It stops growing at a distance from what is below, unless that is a guard itself. */
static void growing_keeps_distance(void) {
    char *hole = map(600 * PAGE, PROT_NONE, ANON, -1), *p;

    OK(sys_munmap(hole, 600 * PAGE));
    OK(sys_mmap(hole, PAGE, RW, ANON | MAP_FIXED, -1, 0));
    p = (char *)OK(sys_mmap(hole + 599 * PAGE, PAGE, RW, ANON | MAP_GROWSDOWN | MAP_FIXED, -1, 0));
    p[-300 * (long)PAGE] = 1;
    area = hole + 100 * PAGE;
    EQ(child_signal(write_area), SIGSEGV);
    OK(sys_mprotect(hole, PAGE, PROT_NONE));
    write_area();
    set_limit(RLIMIT_STACK, 550 * PAGE);
    area = hole + 20 * PAGE;
    EQ(child_signal(write_area), SIGSEGV);
}

/* ---- mprotect */

/* Lines of /proc/self/maps that are within [p, p + size). */
static int areas_in(const char *p, size_t size) {
    int n = 0;

    read_text("/proc/self/maps");
    for (char *line = text; line && *line; line = strchr(line, '\n') + 1) {
        uint64_t start = 0;
        for (char *c = line; *c != '-'; c++)
            start = start * 16 + (*c <= '9' ? *c - '0' : *c - 'a' + 10);
        n += start >= (uint64_t)p && start < (uint64_t)p + size;
    }
    return n;
}

static void merges(void) {
    char *all = map(66 * PAGE, PROT_NONE, ANON, -1), *p = all + PAGE;
    int fd;

    OK(sys_mprotect(p, 64 * PAGE, RW));
    memset(p, 'x', 64 * PAGE);
    EQ(areas_in(p, 64 * PAGE), 1);
    for (int i = 0; i < 64; i += 2)
        OK(sys_mprotect(p + i * PAGE, PAGE, PROT_READ));
    EQ(areas_in(p, 64 * PAGE), 64);
    for (int i = 0; i < 64; i += 2)
        OK(sys_mprotect(p + i * PAGE, PAGE, RW));
    EQ(areas_in(p, 64 * PAGE), 1);
    OK(sys_munmap(p + 8 * PAGE, 8 * PAGE));
    OK(sys_mmap(p + 8 * PAGE, 8 * PAGE, RW, ANON | MAP_FIXED, -1, 0));
    EQ(areas_in(p, 64 * PAGE), 1);
    EQ(p[7 * PAGE], 'x');
    EQ(p[8 * PAGE], 0);
    fd = a_file("file", 8);
    OK(sys_mmap(p, 4 * PAGE, RW, MAP_SHARED | MAP_FIXED, fd, 0));
    OK(sys_mmap(p + 4 * PAGE, 4 * PAGE, RW, MAP_SHARED | MAP_FIXED, fd, 4 * PAGE));
    EQ(areas_in(p, 8 * PAGE), 1);
    OK(sys_mmap(p + 4 * PAGE, 4 * PAGE, RW, MAP_SHARED | MAP_FIXED, fd, 3 * PAGE));
    EQ(areas_in(p, 8 * PAGE), 2);
    EQ(p[4 * PAGE], 'd');
}

static void protect_errors(void) {
    char *p = map_pages(4, RW);
    int fd;

    OK(sys_close(a_file("file", 1)));
    fd = (int)OK(open_at("file", O_RDONLY, 0));
    FAILS(EACCES, sys_mprotect(map(PAGE, PROT_READ, MAP_SHARED, fd), PAGE, RW));
    OK(sys_mprotect(map(PAGE, PROT_READ, MAP_PRIVATE, fd), PAGE, RW));
    FAILS(EINVAL, sys_mprotect(p, PAGE, PROT_READ | PROT_GROWSUP));
    FAILS(EINVAL, sys_mprotect(p, PAGE, 0x100));
    OK(sys_mprotect(p, 0, PROT_READ));
    OK(sys_munmap(p + 2 * PAGE, PAGE));
    FAILS(ENOMEM, sys_mprotect(p, 4 * PAGE, PROT_READ));
    area = p; /* what comes before the hole is changed, as by Linux */
    EQ(child_signal(write_area), SIGSEGV);
    p[3 * PAGE] = 1;
}

/* ---- mremap */

static void remap_fixed(void) {
    char *p = map_pages(4, RW), *q = map_pages(8, RW);

    memset(p, 'p', 4 * PAGE);
    memset(q, 'q', 8 * PAGE);
    FAILS(EINVAL, sys_mremap(p, 4 * PAGE, 4 * PAGE, MREMAP_FIXED, q));
    FAILS(EINVAL, sys_mremap(p, 4 * PAGE, 4 * PAGE, MREMAP_FIXED | MREMAP_MAYMOVE, p + PAGE));
    FAILS(EINVAL, sys_mremap(p, 4 * PAGE, 4 * PAGE, MREMAP_FIXED | MREMAP_MAYMOVE, q + 1));
    FAILS(EINVAL, sys_mremap(p, 4 * PAGE, 4 * PAGE, 8, 0));
    EQ(sys_mremap(p, 4 * PAGE, 5 * PAGE, MREMAP_FIXED | MREMAP_MAYMOVE, q + PAGE),
       (long)(q + PAGE));
    area = p;
    EQ(child_signal(read_area), SIGSEGV);
    EQ(q[PAGE - 1], 'q');
    EQ(q[PAGE], 'p');
    EQ(q[5 * PAGE - 1], 'p');
    EQ(q[5 * PAGE], 0); /* the part that is new */
    EQ(q[6 * PAGE], 'q');
    /* smaller, to another place */
    p = map(8 * PAGE, RW, ANON, -1);
    EQ(sys_mremap(q, 4 * PAGE, 2 * PAGE, MREMAP_FIXED | MREMAP_MAYMOVE, p), (long)p);
    EQ(p[PAGE], 'p');
    area = q + 2 * PAGE;
    EQ(child_signal(read_area), SIGSEGV);
    EQ(p[2 * PAGE], 0);
}

static void remap_errors(void) {
    char *p = map_pages(4, RW);

    OK(sys_mprotect(p + 2 * PAGE, PAGE, PROT_READ));
    FAILS(EFAULT, sys_mremap(p, 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE, 0)); /* several areas */
    OK(sys_mmap(p + PAGE, PAGE, RW, SHARED | MAP_FIXED, -1, 0));
    FAILS(ENOMEM, sys_mremap(p, PAGE, 2 * PAGE, 0, 0));       /* there is no room */
    FAILS(EINVAL, sys_mremap(p, 0, PAGE, MREMAP_MAYMOVE, 0)); /* a second view of private memory */
    FAILS(EINVAL, sys_mremap(p, PAGE, ~0UL, MREMAP_MAYMOVE, 0));
    set_limit(RLIMIT_AS, (status("VmSize:") + 64) * KIB);
    FAILS(ENOMEM, sys_mremap(p, PAGE, MIB, MREMAP_MAYMOVE, 0));
    /* moving all that the limit allows is not mapping it twice */
    p = map(8 * PAGE, RW, ANON, -1);
    OK(sys_mremap(p, 8 * PAGE, 9 * PAGE, MREMAP_MAYMOVE, 0));
}

static void remap_twice(void) {
    char *p = map(4 * PAGE, RW, SHARED, -1), *q;

    p[PAGE] = 'x';
    q = (char *)OK(sys_mremap(p, 0, 4 * PAGE, MREMAP_MAYMOVE, 0));
    CHECK(q != p);
    EQ(q[PAGE], 'x');
    q[2 * PAGE] = 'y';
    EQ(p[2 * PAGE], 'y');
    FAILS(ENOMEM, sys_mremap(p, 0, 4 * PAGE, 0, 0));
}

static void remap_dontunmap(void) {
    char *p = map_pages(4, RW), *q;

    memset(p, 'x', 4 * PAGE);
    FAILS(EINVAL, sys_mremap(p, 4 * PAGE, 4 * PAGE, MREMAP_DONTUNMAP, 0));
    FAILS(EINVAL, sys_mremap(p, 4 * PAGE, 5 * PAGE, MREMAP_DONTUNMAP | MREMAP_MAYMOVE, 0));
    q = (char *)OK(sys_mremap(p, 4 * PAGE, 4 * PAGE, MREMAP_DONTUNMAP | MREMAP_MAYMOVE, 0));
    CHECK(q != p);
    for (int i = 0; i < 4; i++) {
        EQ(q[i * PAGE], 'x');
        EQ(p[i * PAGE], 0); /* still there, and empty */
        p[i * PAGE] = 'y';
        EQ(q[i * PAGE], 'x');
    }
}

static void remap_file(void) {
    int fd = a_file("file", 8);
    char *p = map(2 * PAGE, RW, MAP_PRIVATE, fd), *q;

    p[0] = 'X'; /* a copy moves along; what was not touched is the file's */
    OK(sys_mmap(p + 2 * PAGE, PAGE, PROT_NONE, ANON | MAP_FIXED, -1, 0));
    q = (char *)OK(sys_mremap(p, 2 * PAGE, 8 * PAGE, MREMAP_MAYMOVE, 0));
    CHECK(q != p);
    EQ(q[0], 'X');
    for (int i = 1; i < 8; i++)
        EQ(q[i * PAGE], 'a' + i);
}

/* ---- madvise */

static void advice_errors(void) {
    char *p = map_pages(4, RW);
    int fd = a_file("file", 1);
    char *f = map(PAGE, RW, MAP_PRIVATE, fd), *s = map(PAGE, RW, SHARED, -1);

    FAILS(EINVAL, sys_madvise(f, PAGE, MADV_FREE));
    FAILS(EINVAL, sys_madvise(s, PAGE, MADV_FREE));
    FAILS(EINVAL, sys_madvise(f, PAGE, MADV_WIPEONFORK));
    FAILS(EINVAL, sys_madvise(s, PAGE, MADV_WIPEONFORK));
    FAILS(EINVAL, sys_madvise(p, PAGE, MADV_MERGEABLE)); /* no such service */
    FAILS(EINVAL, sys_madvise(p, PAGE, -1));
    FAILS(EINVAL, sys_madvise(p, -PAGE, MADV_NORMAL));
    OK(sys_madvise(p, 0, MADV_DONTNEED));
    /* a hole is told of, and the rest is done */
    memset(p, 'x', 4 * PAGE);
    OK(sys_munmap(p + PAGE, PAGE));
    FAILS(ENOMEM, sys_madvise(p, 4 * PAGE, MADV_DONTNEED));
    EQ(p[0], 0);
    EQ(p[3 * PAGE], 0);
    FAILS(ENOMEM, sys_madvise(p, 4 * PAGE, MADV_POPULATE_WRITE));
    EQ(resident(p, 1), 1);
    EQ(resident(p + 2 * PAGE, 1), 0);
    OK(sys_mprotect(p, PAGE, PROT_READ));
    FAILS(EINVAL, sys_madvise(p, PAGE, MADV_POPULATE_WRITE));
    OK(sys_madvise(p, PAGE, MADV_POPULATE_READ));
    f = map(2 * PAGE, RW, MAP_SHARED, fd);
    FAILS(EFAULT, sys_madvise(f, 2 * PAGE, MADV_POPULATE_READ));
}

static void advice_dontneed(void) {
    int fd = a_file("file", 2);
    char *f = map(2 * PAGE, RW, MAP_PRIVATE, fd), *s = map(2 * PAGE, RW, SHARED, -1);

    f[0] = 'X'; /* a private copy goes: the file shows again */
    OK(sys_madvise(f, 2 * PAGE, MADV_DONTNEED));
    EQ(f[0], 'a');
    s[0] = 'x'; /* shared memory stays */
    OK(sys_madvise(s, PAGE, MADV_DONTNEED));
    EQ(s[0], 'x');
    area = map_pages(2, RW);
    area[0] = area[PAGE] = 'x';
    OK(sys_madvise((void *)area, 2 * PAGE, MADV_FREE));
    area[0] = 'y'; /* what is written after it stays */
    EQ(area[0], 'y');
    CHECK(area[PAGE] == 'x' || area[PAGE] == 0);
}

static void check_fork_advice(void) {
    EQ(area[0], 0);      /* wiped */
    EQ(area[PAGE], 'x'); /* kept */
    EQ(area[3 * PAGE], 'x');
    area += 2 * PAGE;
    EQ(child_signal(read_area), SIGSEGV); /* not there */
}

static void wipe_again(void) { child_ok(check_fork_advice); }

static void advice_on_fork(void) {
    area = map_pages(4, RW);
    memset((void *)area, 'x', 4 * PAGE);
    OK(sys_madvise((void *)area, 2 * PAGE, MADV_WIPEONFORK));
    OK(sys_madvise((void *)(area + PAGE), PAGE, MADV_KEEPONFORK));
    OK(sys_madvise((void *)(area + 2 * PAGE), 2 * PAGE, MADV_DONTFORK));
    OK(sys_madvise((void *)(area + 3 * PAGE), PAGE, MADV_DOFORK));
    child_ok(check_fork_advice);
    child_ok(wipe_again); /* the child's child, too */
    EQ(area[0], 'x');
}

static void advice_on_files(void) {
    int fd = a_file("file", 16);
    char *p;

    OK(sys_fsync(fd));
    p = map(16 * PAGE, PROT_READ, MAP_SHARED, fd);
    EQ(p[0], 'a');
    OK(sys_madvise(p, 16 * PAGE, MADV_COLD));
    EQ(p[5 * PAGE], 'f');
    OK(sys_madvise(p, 16 * PAGE, MADV_PAGEOUT));
    if (on_xv39() && stat_of(".").st_dev != stat_of("/tmp").st_dev)
        EQ(resident(p, 16), 0);
    OK(sys_madvise(p, 16 * PAGE, MADV_WILLNEED));
    EQ(resident(p, 16), 16);
    EQ(p[15 * PAGE], 'p');
    p = map(16 * PAGE, RW, MAP_PRIVATE, fd);
    p[0] = 'X'; /* a copy must not be lost */
    OK(sys_madvise(p, 16 * PAGE, MADV_PAGEOUT));
    EQ(p[0], 'X');
}

/* ---- msync */

static void msync_errors(void) {
    int fd = a_file("file", 4);
    char *p = map(4 * PAGE, RW, MAP_SHARED, fd);

    p[0] = 'X';
    FAILS(EINVAL, sys_msync(p + 1, PAGE, MS_SYNC));
    FAILS(EINVAL, sys_msync(p, PAGE, 8));
    FAILS(EINVAL, sys_msync(p, PAGE, MS_ASYNC | MS_SYNC));
    OK(sys_msync(p, 0, MS_SYNC));
    OK(sys_msync(p, 4 * PAGE, MS_ASYNC));
    OK(sys_msync(p, 4 * PAGE, MS_SYNC | MS_INVALIDATE));
    OK(sys_msync(p, 4 * PAGE, 0));
    FAILS(ENOMEM, sys_msync(p, ~0UL - 2 * PAGE, MS_SYNC));
    OK(sys_mlock(p, PAGE));
    FAILS(EBUSY, sys_msync(p, 4 * PAGE, MS_SYNC | MS_INVALIDATE));
    OK(sys_munlock(p, PAGE));
    OK(sys_munmap(p + PAGE, PAGE));
    FAILS(ENOMEM, sys_msync(p, 4 * PAGE, MS_SYNC));
}

/* ---- mlock */

static void lock_brings_in(void) {
    char *p = map_pages(8, RW);
    int fd = a_file("file", 4);

    EQ(status("VmLck:"), 0);
    OK(sys_mlock(p + 100, 3 * PAGE)); /* rounded outwards: 4 pages */
    EQ(resident(p, 8), 4);
    EQ(status("VmLck:"), 16);
    OK(sys_mlock(p, PAGE)); /* locks do not nest */
    OK(sys_munlock(p, PAGE));
    EQ(status("VmLck:"), 12);
    OK(sys_munmap(p + PAGE, PAGE));
    EQ(status("VmLck:"), 8);
    OK(sys_mlock2(p + 4 * PAGE, 4 * PAGE, MLOCK_ONFAULT));
    EQ(resident(p + 4 * PAGE, 4), 0);
    EQ(status("VmLck:"), 24);
    FAILS(EINVAL, sys_madvise(p + 2 * PAGE, PAGE, MADV_DONTNEED));
    FAILS(EINVAL, sys_madvise(p + 2 * PAGE, PAGE, MADV_FREE));
    OK(sys_madvise(p + 2 * PAGE, PAGE, MADV_DONTNEED_LOCKED));
    p = map(4 * PAGE, RW, MAP_PRIVATE, fd);
    OK(sys_mlock(p, 4 * PAGE));
    long before = minor_faults();
    for (int i = 0; i < 4; i++)
        p[i * PAGE] = 'x'; /* the copies were made in advance */
    EQ(minor_faults() - before, 0);
    p = map(2 * PAGE, RW, ANON | MAP_LOCKED, -1);
    EQ(resident(p, 2), 2);
    EQ(status("VmLck:"), 48);
    p = (char *)OK(sys_mremap(p, 2 * PAGE, 6 * PAGE, MREMAP_MAYMOVE, 0));
    EQ(resident(p, 6), 6);
    EQ(status("VmLck:"), 64);
}

static void no_locks(void) { EQ(status("VmLck:"), 0); }

static void lock_errors(void) {
    char *p = map_pages(4, RW);

    FAILS(EINVAL, sys_mlock2(p, PAGE, 2));
    FAILS(EINVAL, sys_mlock(p, ~0UL));
    FAILS(ENOMEM, sys_mlock(unmapped_page(), PAGE));
    FAILS(ENOMEM, sys_munlock(unmapped_page(), PAGE));
    OK(sys_mlock(p, 0));
    OK(sys_munmap(p + 2 * PAGE, PAGE));
    FAILS(ENOMEM, sys_mlock(p, 4 * PAGE));
    EQ(status("VmLck:"), 8);                                        /* up to the hole */
    FAILS(ENOMEM, sys_mlock(map(PAGE, PROT_NONE, ANON, -1), PAGE)); /* cannot be brought in */
    child_ok(no_locks);                                             /* not inherited */
    FAILS(EINVAL, sys_mlockall(0));
    FAILS(EINVAL, sys_mlockall(MCL_ONFAULT));
    FAILS(EINVAL, sys_mlockall(8));
}

static void lock_limits(void) {
    char *p = map_pages(16, RW);

    set_limit(RLIMIT_MEMLOCK, 4 * PAGE);
    OK(sys_mlock(p, 8 * PAGE)); /* root may */
    OK(sys_munlock(p, 8 * PAGE));
    become_user(1000);
    OK(sys_mlock(p, 4 * PAGE));
    OK(sys_mlock(p + PAGE, 3 * PAGE)); /* nothing new */
    FAILS(ENOMEM, sys_mlock(p + 4 * PAGE, PAGE));
    FAILS(EAGAIN, sys_mmap(0, PAGE, RW, ANON | MAP_LOCKED, -1, 0));
    FAILS(EAGAIN, sys_mremap(p + PAGE, 3 * PAGE, 30 * PAGE, MREMAP_MAYMOVE, 0));
    FAILS(ENOMEM, sys_mlockall(MCL_CURRENT));
    OK(sys_munlock(p, 4 * PAGE));
    OK(sys_mlockall(MCL_FUTURE));
    OK(sys_mmap(0, 4 * PAGE, RW, ANON, -1, 0));
    FAILS(EAGAIN, sys_mmap(0, PAGE, RW, ANON, -1, 0));
    OK(sys_munlockall());
    set_limit(RLIMIT_MEMLOCK, 0);
    FAILS(EPERM, sys_mlock(p, PAGE));
    FAILS(EPERM, sys_mlockall(MCL_CURRENT));
    FAILS(EPERM, sys_mmap(0, PAGE, RW, ANON | MAP_LOCKED, -1, 0));
    OK(sys_munlock(p, PAGE));
}

static void lock_all(void) {
    char *p = map_pages(4, RW), *end;

    OK(sys_mlockall(MCL_CURRENT));
    EQ(resident(p, 4), 4);
    EQ(status("VmLck:"), status("VmSize:"));
    p = map(4 * PAGE, RW, ANON, -1);
    EQ(resident(p, 4), 0);
    OK(sys_mlockall(MCL_FUTURE));
    p = map(4 * PAGE, RW, ANON, -1);
    EQ(resident(p, 4), 4);
    end = (char *)(((uint64_t)sys_brk(0) + PAGE - 1) & ~(PAGE - 1));
    EQ(sys_brk((uint64_t)end + 4 * PAGE), (long)(end + 4 * PAGE));
    EQ(resident(end, 4), 4);
    OK(sys_mlockall(MCL_FUTURE | MCL_ONFAULT));
    p = map(4 * PAGE, RW, ANON, -1);
    EQ(resident(p, 4), 0);
    OK(sys_munlockall());
    EQ(status("VmLck:"), 0);
    p = map(4 * PAGE, RW, ANON, -1);
    EQ(resident(p, 4), 0);
}

/* ---- beyond the end of a file */

static volatile int bus_code;
static void *volatile bus_address;

static void on_bus(int sig, struct siginfo *info, void *context) {
    (void)sig, (void)context;
    bus_code = info->si_code;
    bus_address = info->si_addr;
    OK(sys_mmap((void *)((uint64_t)info->si_addr & ~(PAGE - 1)), PAGE, RW, ANON | MAP_FIXED, -1,
                0));
}

static void bus_error(void) {
    struct sigaction act = {.sa_sigaction = on_bus, .sa_flags = SA_SIGINFO};
    int fd = a_file("file", 1), pipe_ends[2];

    area = map(3 * PAGE, RW, MAP_SHARED, fd);
    OK(sys_pipe2(pipe_ends, 0));
    OK(sys_write(pipe_ends[1], "x", 1));
    FAILS(EFAULT, sys_read(pipe_ends[0], (void *)(area + PAGE), 1));
    OK(sys_rt_sigaction(SIGBUS, &act, 0, 8));
    area[PAGE + 5] = 'x';
    EQ(bus_code, BUS_ADRERR);
    EQ((long)bus_address, (long)(area + PAGE + 5));
    EQ(area[PAGE + 5], 'x');
    bus_code = 0;
    EQ(area[2 * PAGE], 0);
    EQ(bus_code, BUS_ADRERR);
}

/* ---- limits */

static void limit_as(void) {
    char *p = map(64 * PAGE, RW, ANON, -1);

    set_limit(RLIMIT_AS, status("VmSize:") * KIB + 4 * PAGE);
    OK(sys_mmap(0, 4 * PAGE, PROT_NONE, ANON, -1, 0));
    FAILS(ENOMEM, sys_mmap(0, PAGE, PROT_NONE, ANON, -1, 0));
    OK(sys_mmap(p, 64 * PAGE, RW, ANON | MAP_FIXED, -1, 0)); /* replaces as much */
    FAILS(ENOMEM, sys_mmap(p, 65 * PAGE, RW, ANON | MAP_FIXED, -1, 0));
    FAILS(ENOMEM, sys_mremap(p, 64 * PAGE, 65 * PAGE, MREMAP_MAYMOVE, 0));
    OK(sys_munmap(p, PAGE));
    OK(sys_mmap(p, PAGE, RW, ANON, -1, 0));
}

static void limit_data(void) {
    char *p = map(64 * PAGE, PROT_READ, ANON, -1);

    set_limit(RLIMIT_DATA, status("VmData:") * KIB + 8 * PAGE);
    OK(sys_mprotect(p, 8 * PAGE, RW));
    FAILS(ENOMEM, sys_mprotect(p + 8 * PAGE, PAGE, RW));
    FAILS(ENOMEM, sys_mmap(0, PAGE, RW, ANON, -1, 0));
    OK(sys_mmap(0, PAGE, PROT_READ, ANON, -1, 0)); /* not data */
    OK(sys_mmap(0, PAGE, RW, SHARED, -1, 0));
    OK(sys_mprotect(p, 8 * PAGE, PROT_READ));
    OK(sys_mmap(0, 8 * PAGE, RW, ANON, -1, 0));
}

/* ---- what /proc tells */

/* kB behind a label in the part of /proc/self/smaps about the area that begins at p. */
static long smaps(const volatile void *p, const char *label) {
    char head[32], *at;
    long n = 0;

    read_text("/proc/self/smaps");
    snprintf(head, sizeof(head), "%lx-", (long)p);
    at = strstr(text, head);
    CHECK(at);
    at = strstr(at, label);
    CHECK(at);
    for (at += strlen(label); *at == ' '; at++)
        ;
    for (; *at >= '0' && *at <= '9'; at++)
        n = n * 10 + *at - '0';
    return n;
}

static bool has_flag(const volatile void *p, const char *flag) {
    smaps(p, "Rss:");
    char head[32], *at;
    snprintf(head, sizeof(head), "%lx-", (long)p);
    at = strstr(strstr(text, head), "VmFlags:");
    char *end = strchr(at, '\n'), *found = strstr(at, flag);
    return found && found < end;
}

static void shared_after_fork(void) {
    EQ(smaps(area, "Rss:"), 12);
    EQ(smaps(area, "\nPss:"), 6);
    EQ(smaps(area, "Shared_Dirty:"), 12);
    EQ(smaps(area, "Private_Dirty:"), 0);
    area[0] = 'c';
    EQ(smaps(area, "Rss:"), 12);
    EQ(smaps(area, "\nPss:"), 8);
    EQ(smaps(area, "Shared_Dirty:"), 8);
    EQ(smaps(area, "Private_Dirty:"), 4);
}

static void smaps_private(void) {
    area = map(9 * PAGE, PROT_NONE, ANON, -1) + PAGE; /* an area of its own */
    OK(sys_mprotect((void *)area, 8 * PAGE, RW));
    EQ(smaps(area, "Size:"), 32);
    EQ(smaps(area, "Rss:"), 0);
    for (int i = 0; i < 3; i++)
        area[i * PAGE] = 'x';
    (void)area[4 * PAGE]; /* the page of zeroes is nobody's */
    EQ(smaps(area, "Rss:"), 12);
    EQ(smaps(area, "\nPss:"), 12);
    EQ(smaps(area, "Anonymous:"), 12);
    EQ(smaps(area, "Private_Dirty:"), 12);
    EQ(smaps(area, "Locked:"), 0);
    CHECK(has_flag(area, "rd wr mw"));
    child_ok(shared_after_fork);
    EQ(smaps(area, "Private_Dirty:"), 12); /* alone again */
    OK(sys_madvise((void *)(area + PAGE), PAGE, MADV_DONTNEED));
    EQ(smaps(area, "Rss:"), 8);
    OK(sys_mlock((void *)area, 8 * PAGE));
    EQ(smaps(area, "Rss:"), 32);
    EQ(smaps(area, "Locked:"), 32);
    CHECK(has_flag(area, " lo "));
}

static void smaps_file(void) {
    int fd = a_file("file", 4);
    char *p, *q;

    OK(sys_fsync(fd));
    p = map(4 * PAGE, RW, MAP_SHARED, fd);
    q = map(4 * PAGE, RW, MAP_PRIVATE, fd);
    for (int i = 0; i < 4; i++)
        (void)((volatile char *)p)[i * PAGE];
    EQ(smaps(p, "Rss:"), 16);
    EQ(smaps(p, "Anonymous:"), 0);
    EQ(smaps(p, "Private_Clean:") + smaps(p, "Private_Dirty:"), 16);
    EQ(smaps(q, "Rss:"), 0);
    q[0] = 'x';
    EQ(smaps(q, "Anonymous:"), 4);
    EQ(smaps(q, "Private_Dirty:"), 4);
    for (int i = 0; i < 4; i++)
        (void)((volatile char *)q)[i * PAGE];
    EQ(smaps(q, "Rss:"), 16);
    EQ(smaps(q, "\nPss:"), 10); /* 4 + 3 halves of 4 */
    EQ(smaps(p, "Shared_Clean:") + smaps(p, "Shared_Dirty:"), 12);
    p[3 * PAGE] = 'd';
    CHECK(smaps(p, "Shared_Dirty:") >= 4);
    CHECK(has_flag(p, " sh "));
}

/* Number `index` in a file of them. */
static long word_of(const char *path, int index) {
    long n = 0;
    char *at = text;

    read_text(path);
    while (index--)
        at = strchr(at, ' ') + 1;
    for (; *at >= '0' && *at <= '9'; at++)
        n = n * 10 + *at - '0';
    return n;
}

static long rss_of_regions(void) {
    long rss = 0;

    read_text("/proc/self/smaps");
    for (char *at = text; (at = strstr(at, "\nRss:")); at++)
        for (long n = 0, i = 5; at[i] != 'k'; i++)
            if (at[i] >= '0' && at[i] <= '9')
                n = n * 10 + at[i] - '0';
            else if (n)
                rss += n;
    return rss;
}

/* All numbers are those of one process: they must agree. They are read twice, for what is read anew brings code in. */
static void memory_sums(void) {
    long rss = 0, pss = 0, vm_rss = 0, rollup = 0, parts = 0, shown = 0, size = 0, data = 0;
    long statm[6] = {0};

    memset(text, 1, sizeof(text)); /* what is read there changes nothing */
    for (int round = 0; round < 2; round++) {
        rss = rss_of_regions();
        vm_rss = status("VmRSS:");
        rollup = proc_number("/proc/self/smaps_rollup", "Rss:");
        pss = proc_number("/proc/self/smaps_rollup", "\nPss:");
        shown = status("RssFile:") + status("RssShmem:");
        parts = status("RssAnon:") + shown;
        size = status("VmSize:");
        data = status("VmData:") + status("VmStk:");
        for (int i = 0; i < 6; i++)
            statm[i] = word_of("/proc/self/statm", i) * 4;
    }
    EQ(vm_rss, rss);
    EQ(rollup, rss);
    CHECK(pss > 0 && pss <= rss);
    EQ(parts, rss);
    EQ(statm[0], size);
    EQ(statm[1], rss);
    EQ(statm[2], shown);
    EQ(statm[5], data);
}

#define OF_FILE (1UL << 61)
#define EXCLUSIVE (1UL << 56)
#define FRAME ((1UL << 55) - 1)

uint64_t page_word(const volatile void *p) {
    uint64_t word;
    int fd = (int)OK(open_at("/proc/self/pagemap", O_RDONLY, 0));

    EQ(sys_pread64(fd, &word, 8, (int64_t)((uint64_t)p / PAGE * 8)), 8);
    OK(sys_close(fd));
    return word;
}

static void pagemap(void) {
    volatile char *p = map_pages(4, RW), *q, *s;
    uint64_t words[4];
    int fd = a_file("file", 1), map_fd;

    p[PAGE] = 1;
    EQ(page_word(p), 0);
    EQ(page_word(p + PAGE) & ~FRAME, PAGE_PRESENT | EXCLUSIVE);
    CHECK(page_word(p + PAGE) & FRAME);
    EQ(page_word(unmapped_page()), 0);
    q = map(PAGE, RW, MAP_SHARED, fd);
    s = map(PAGE, RW, MAP_SHARED, fd);
    q[0] = 1;
    EQ(page_word(q) & ~FRAME, PAGE_PRESENT | OF_FILE | EXCLUSIVE);
    s[0] = 1;
    EQ(page_word(q) & ~FRAME, PAGE_PRESENT | OF_FILE);
    EQ(page_word(q), page_word(s)); /* one frame */
    OK(sys_mprotect((void *)p, 4 * PAGE, PROT_NONE));
    EQ(page_word(p + PAGE) & ~FRAME, PAGE_PRESENT | EXCLUSIVE); /* it is still there */
    map_fd = (int)OK(open_at("/proc/self/pagemap", O_RDONLY, 0));
    FAILS(EINVAL, sys_pread64(map_fd, words, 7, 0));
    FAILS(EINVAL, sys_pread64(map_fd, words, 8, 4));
    EQ(sys_pread64(map_fd, words, 32, (int64_t)((uint64_t)p / PAGE * 8)), 32);
    EQ(words[0] | words[2] | words[3], 0);
    EQ(sys_pread64(map_fd, words, 32, 1L << 40), 0);
    become_user(1000);
    FAILS(EACCES, open_at("/proc/1/pagemap", O_RDONLY, 0));
    EQ(sys_pread64(map_fd, words, 32, (int64_t)((uint64_t)p / PAGE * 8)), 32);
    EQ(words[1], PAGE_PRESENT | EXCLUSIVE); /* frames are for root */
}

const struct test map_tests[] = {
    {"M6_flags", flags, 0},
    {"M6_no_replace", no_replace, 0},
    {"M6_populates", populates, 0},
    {"M6_grows_down", grows_down, 0},
    {"M6_growing_keeps_distance", growing_keeps_distance, 0},
    {"M6_merges", merges, 0},
    {"M6_protect_errors", protect_errors, 0},
    {"M6_remap_fixed", remap_fixed, 0},
    {"M6_remap_errors", remap_errors, 0},
    {"M6_remap_twice", remap_twice, 0},
    {"M6_remap_dontunmap", remap_dontunmap, 0},
    {"M6_remap_file", remap_file, 0},
    {"M6_advice_errors", advice_errors, 0},
    {"M6_advice_dontneed", advice_dontneed, 0},
    {"M6_advice_on_fork", advice_on_fork, 0},
    {"M6_advice_on_files", advice_on_files, 0},
    {"M6_msync_errors", msync_errors, 0},
    {"M6_lock_brings_in", lock_brings_in, 0},
    {"M6_lock_errors", lock_errors, 0},
    {"M6_lock_limits", lock_limits, 0},
    {"M6_lock_all", lock_all, 0},
    {"M6_bus_error", bus_error, 0},
    {"M6_limit_as", limit_as, 0},
    {"M6_limit_data", limit_data, 0},
    {"M6_smaps_private", smaps_private, 0},
    {"M6_smaps_file", smaps_file, 0},
    {"M6_memory_sums", memory_sums, 0},
    {"M6_pagemap", pagemap, 0},
    {0, 0, 0},
};
