/* memstress [-s seed] [-c workers] [-x factor] [-g] [seconds]: what programs do to memory, mixed, by several
 * processes at once, on a machine that has too little of it.
 *
 * A worker has up to REGIONS areas: anonymous or of a file, private or shared. It maps, unmaps, moves,
 * writes, protects, gives advice, forks children that do the same for a moment, and runs programs. It
 * knows what must be in each page, and looks again and again. With -g one more process takes all memory
 * that there is, again and again: it, and nobody else, must be killed for that. A worker that does not
 * move for STALL seconds, times the factor of a slow machine, counts as stuck. The seed is printed; the same seed makes the same choices. */
#include "user/lib/tool.h"
#include "abi/fcntl.h"
#include "abi/mman.h"
#include "abi/wait.h"

#define REGIONS 12
#define PAGES 64
#define FILE_PAGES 2048
#define WORKERS_MAX 64
#define STALL 120

#define RW (PROT_READ | PROT_WRITE)

enum kind { ANON, SHARED_ANON, FILE_SHARED, FILE_PRIVATE, KINDS };

struct region {
    char *at; /* null: none */
    int pages, first;
    enum kind kind;
    uint32_t value[PAGES]; /* what each page holds; 0: as at the beginning */
};

static struct region regions[REGIONS];
static uint64_t steps;
static long stall = STALL;
static uint64_t *beat; /* of all workers, shared */
static int file;
static int64_t deadline;
static const char *self = "/proc/self/exe";

static int64_t now(void) {
    struct timespec t;

    sys_clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec;
}

static void wrong(const char *what, const struct region *r, int page) {
    if (r)
        warn("%s: kind %d, page %d of %d at %lx holds %x, not %x", what, r->kind, page, r->pages,
             (long)r->at, *(volatile uint32_t *)(r->at + page * PAGE), r->value[page]);
    else
        warn("%s", what);
    exit(1);
}

/* ---- what is in a page */

/* All who write a page of the common file write this. */
static uint32_t stamp(int index) { return (uint32_t)index * 2654435761u | 1; }

static bool of_file(const struct region *r) {
    return r->kind == FILE_SHARED || r->kind == FILE_PRIVATE;
}

static bool page_ok(const struct region *r, int i) {
    const volatile uint32_t *p = (const volatile uint32_t *)(r->at + i * PAGE);
    uint32_t a = p[0], b = p[PAGE / 4 - 1];

    if (r->value[i])
        return a == r->value[i] && b == a;
    if (of_file(r)) /* others may write it between our two looks */
        return (a == 0 || a == stamp(r->first + i)) && (b == 0 || b == stamp(r->first + i));
    return a == 0 && b == 0;
}

static void look(const struct region *r) {
    int n = random_below(4) ? 4 : r->pages;

    for (int i = 0; i < n; i++) {
        int page = n == r->pages ? i : random_below(r->pages);
        if (!page_ok(r, page))
            wrong("wrong contents", r, page);
    }
}

static void fill(struct region *r) {
    int first = random_below(r->pages), n = random_below(4) ? random_below(8) : PAGES;

    for (int i = first; i < r->pages && i < first + n; i++) {
        volatile uint32_t *p = (volatile uint32_t *)(r->at + i * PAGE);
        uint32_t value = r->kind == FILE_SHARED ? stamp(r->first + i) : (uint32_t)random_next() | 1;
        p[0] = p[PAGE / 4 - 1] = value;
        r->value[i] = value;
    }
}

static void forget(struct region *r, int first, int n) {
    memset(r->value + first, 0, (uint)n * sizeof(*r->value));
}

/* ---- what is done to regions */

static void make(struct region *r) {
    static const int flags[KINDS] = {MAP_PRIVATE | MAP_ANONYMOUS, MAP_SHARED | MAP_ANONYMOUS,
                                     MAP_SHARED, MAP_PRIVATE};
    bool populate = random_below(8) == 0;

    r->kind = (enum kind)random_below(KINDS);
    r->pages = 1 + random_below(PAGES);
    r->first = of_file(r) ? random_below(FILE_PAGES - PAGES) : 0;
    forget(r, 0, PAGES);
    long at =
        sys_mmap(0, (size_t)r->pages * PAGE, RW, flags[r->kind] | (populate ? MAP_POPULATE : 0),
                 of_file(r) ? file : -1, (int64_t)r->first * PAGE);
    r->at = at < 0 && at > -4096 ? 0 : (char *)at;
}

static void drop(struct region *r) {
    sys_munmap(r->at, (size_t)r->pages * PAGE);
    r->at = 0;
}

/* Its end goes: or its beginning. */
static void cut(struct region *r) {
    int n = r->pages / 2;

    if (n == 0)
        return;
    if (random_below(2)) {
        if (sys_munmap(r->at + (r->pages - n) * PAGE, (size_t)n * PAGE) == 0)
            r->pages -= n;
    } else if (sys_munmap(r->at, (size_t)n * PAGE) == 0) {
        r->at += n * PAGE;
        r->first += of_file(r) ? n : 0;
        r->pages -= n;
        for (int i = 0; i < r->pages; i++)
            r->value[i] = r->value[i + n];
    }
}

static void move(struct region *r) {
    int pages = r->kind == ANON ? 1 + random_below(PAGES) : r->pages;
    char *to =
        (char *)sys_mmap(0, (size_t)pages * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    long at;

    if ((long)to < 0 && (long)to > -4096)
        return;
    at = sys_mremap(r->at, (size_t)r->pages * PAGE, (size_t)pages * PAGE,
                    MREMAP_MAYMOVE | MREMAP_FIXED, to);
    if (at < 0 && at > -4096) {
        sys_munmap(to, (size_t)pages * PAGE);
        return;
    }
    if (pages > r->pages)
        forget(r, r->pages, pages - r->pages);
    r->at = (char *)at;
    r->pages = pages;
}

static void protect(struct region *r) {
    static const int rights[] = {PROT_NONE, PROT_READ, RW};
    int first = random_below(r->pages), n = 1 + random_below(r->pages - first);

    sys_mprotect(r->at + first * PAGE, (size_t)n * PAGE, rights[random_below(3)]);
    if (sys_mprotect(r->at, (size_t)r->pages * PAGE, RW) < 0)
        drop(r); /* out of memory in the middle */
}

static void advise(struct region *r) {
    static const int advice[] = {MADV_DONTNEED,     MADV_FREE,     MADV_COLD,
                                 MADV_PAGEOUT,      MADV_WILLNEED, MADV_POPULATE_WRITE,
                                 MADV_POPULATE_READ};
    int what = advice[random_below((int)ARRAY_LEN(advice))], first = random_below(r->pages),
        n = 1 + random_below(r->pages - first);

    if (what == MADV_POPULATE_WRITE && random_below(4))
        return;
    if (sys_madvise(r->at + first * PAGE, (size_t)n * PAGE, what) == 0 &&
        (what == MADV_FREE || (what == MADV_DONTNEED && r->kind != SHARED_ANON)))
        forget(r, first, n);
}

static void use_file(struct region *r) {
    static uint32_t page[PAGE / 4];
    int index = random_below(FILE_PAGES);

    (void)r;
    if (random_below(2)) {
        for (int i = 0; i < PAGE / 4; i++)
            page[i] = stamp(index);
        sys_pwrite64(file, page, PAGE, (int64_t)index * PAGE);
    } else if (sys_pread64(file, page, PAGE, (int64_t)index * PAGE) == PAGE && page[0] != 0 &&
               page[0] != stamp(index)) {
        wrong("the file holds something else", 0, 0);
    }
    if (random_below(64) == 0)
        sys_fdatasync(file);
    else if (of_file(r) && random_below(8) == 0)
        sys_msync(r->at, (size_t)r->pages * PAGE, random_below(2) ? MS_SYNC : MS_ASYNC);
}

static void step(void);

/* What a child does, its parent must not see; and the other way. */
static void child(struct region *r) {
    int status, pid = fork();

    if (pid < 0)
        return;
    if (pid == 0) {
        for (int i = random_below(20); i > 0; i--)
            step();
        for (int i = 0; i < REGIONS; i++)
            if (regions[i].at)
                look(&regions[i]);
        exit(7);
    }
    if (r->kind != SHARED_ANON)
        fill(r);
    if (sys_wait4(pid, &status, 0, 0) != pid || status != W_EXITCODE(7, 0))
        wrong("a child ended badly", 0, 0);
}

static void run(struct region *r) {
    char *argv[] = {"memstress", "0", 0};
    int status, pid = vfork_exec(self, argv, environ);

    (void)r;
    if (pid > 0 && (sys_wait4(pid, &status, 0, 0) != pid || status != 0))
        wrong("a program ended badly", 0, 0);
}

static int depth;

/* Children share what is shared: only the first generation writes there, or their notes would be wrong. */
static void step(void) {
    static void (*const deeds[])(struct region *) = {fill, fill,    fill,   drop,   cut,
                                                     move, protect, advise, advise, use_file};
    struct region *r = &regions[random_below(REGIONS)];
    int what = random_below(100);

    if (!r->at)
        make(r);
    if (!r->at)
        return;
    look(r);
    if (what < 4 && depth < 2) {
        depth++;
        child(r);
        depth--;
    } else if (what < 6) {
        run(r);
    } else {
        void (*deed)(struct region *) = deeds[random_below((int)ARRAY_LEN(deeds))];
        if (deed != fill || depth == 0 || r->kind != SHARED_ANON)
            deed(r);
    }
}

static void work(int worker, uint64_t seed) {
    random_seed(seed * 2654435761u + (uint64_t)worker * 0x9e3779b97f4a7c15UL + 1);
    while (now() < deadline) {
        step();
        beat[worker] = ++steps;
    }
    exit(0);
}

/* ---- the one who takes everything */

static void eat(void) {
    for (;;) {
        char *p =
            (char *)sys_mmap(0, 256 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if ((long)p < 0 && (long)p > -4096)
            exit(3);
        for (int i = 0; i < 256; i++)
            p[i * PAGE] = 1;
    }
}

static void be_greedy(void) {
    int status, killed = 0;

    while (now() < deadline) {
        int pid = fork();
        if (pid == 0)
            eat();
        if (pid > 0) {
            if (sys_wait4(pid, &status, 0, 0) != pid || status != SIGKILL)
                wrong("the greedy one was not killed", 0, 0);
            killed++;
        }
        struct timespec t = {1, 0};
        sys_nanosleep(&t, 0);
    }
    printf("memstress: the greedy one was killed %d times\n", killed);
    exit(0);
}

/* ---- */

static bool all_move(uint64_t *last, int64_t *since, int workers) {
    for (int i = 0; i < workers; i++) {
        if (beat[i] != last[i]) {
            last[i] = beat[i];
            since[i] = now();
        } else if (now() - since[i] > stall) {
            warn("worker %d has not moved for %ld s", i, stall);
            return false;
        }
    }
    return true;
}

static int watch(int processes, int workers) {
    static uint64_t last[WORKERS_MAX];
    static int64_t since[WORKERS_MAX];
    int failed = 0, status, pid;
    struct timespec t = {0, 100000000};

    for (int i = 0; i < workers; i++)
        since[i] = now();
    while (processes > 0) {
        while ((pid = (int)sys_wait4(-1, &status, WNOHANG, 0)) > 0) {
            processes--;
            if (status)
                warn("process %d ended with status %x", pid, status);
            failed += status != 0;
        }
        if (now() < deadline && !all_move(last, since, workers))
            return 1;
        sys_nanosleep(&t, 0);
    }
    return failed;
}

int main(int argc, char **argv) {
    struct opts o =
        opts_start(argv, "s:c:x:g", "[-s seed] [-c workers] [-x factor] [-g] [seconds]");
    long seed = 0, workers = 8, factor = 1, seconds = 10;
    uint64_t total = 0;
    bool greedy = false;

    (void)argc;
    sys_getrandom(&seed, 4, 0);
    for (int c; (c = opt_next(&o)) != 0;) {
        if (c == 'g')
            greedy = true;
        else if (!parse_num(o.arg, 10, c == 's' ? &seed : c == 'x' ? &factor : &workers))
            die("%s: not a number", o.arg);
    }
    if (*o.argv && !parse_num(*o.argv, 10, &seconds))
        die("%s: not a number of seconds", *o.argv);
    if (seconds == 0)
        return 0;
    if (workers < 1 || workers > WORKERS_MAX)
        die("1 to %d workers", WORKERS_MAX);
    if (factor < 1 || factor > 1000)
        die("a factor is 1 to 1000");
    stall = STALL * factor;
    printf("memstress: seed %ld, %ld workers, %ld s\n", seed, workers, seconds);
    beat = (uint64_t *)sys_mmap(0, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    file = (int)sys_openat(AT_FDCWD, "memstress.file", O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (file < 0 || sys_ftruncate(file, FILE_PAGES * PAGE) < 0)
        die("no file here");
    sys_unlinkat(AT_FDCWD, "memstress.file", 0);
    deadline = now() + seconds;
    for (int i = 0; i < (int)workers + greedy; i++) {
        int pid = fork();
        if (pid < 0)
            die("fork failed");
        if (pid == 0 && i == workers)
            be_greedy();
        if (pid == 0)
            work(i, (uint64_t)seed);
    }
    if (watch((int)workers + greedy, (int)workers)) {
        sys_kill(0, SIGKILL);
        return 1;
    }
    for (int i = 0; i < workers; i++)
        total += beat[i];
    printf("memstress: ok, %ld steps\n", (long)total);
    return 0;
}
