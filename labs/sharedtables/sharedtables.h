/* Lab sharedtables: what its tests share. */
#ifndef LAB_SHAREDTABLES_H
#define LAB_SHAREDTABLES_H

#include "user/labtest/forks.h"

#define RW (PROT_READ | PROT_WRITE)
#define BLOCK (2ul << 20) /* what one last-level table maps */
#define PER_BLOCK ((long)(BLOCK / PAGE))
#define COUNT (BLOCKS * PER_BLOCK)
#define FEW 24 /* tables that a process has for itself */

static inline void expect(long from, long to) {
    for (long i = from; i < to; i++)
        EQ(*word(i), word_of(i));
}

static inline void fill(void) {
    for (long i = 0; i < COUNT; i++)
        *word(i) = word_of(i);
}

/* Memory that begins and ends where tables do. */
static inline void map_area(void) {
    char *p = (char *)OK(
        sys_mmap(0, (BLOCKS + 1) * BLOCK, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));

    area = (char *)(((uint64_t)p + BLOCK - 1) / BLOCK * BLOCK);
    if (area > p)
        OK(sys_munmap(p, (size_t)(area - p)));
    OK(sys_munmap((char *)area + BLOCKS * BLOCK, (size_t)(p + BLOCK - area)));
}

static inline void fill_area(void) {
    map_area();
    fill();
}

static inline long counted(const char *what) { return proc_number("/proc/vmstat", what); }
static inline long table_pages(void) { return proc_number("/proc/meminfo", "PageTables:") / 4; }
static inline long rss(void) { return proc_number("/proc/self/status", "RssAnon:"); }

/* Runs the child, which calls begun() first. The fork must share all tables of the area: it counts them, copies next
 * to no entry, and takes next to no memory for tables. */
static inline int cheap_fork(void (*child)(void)) {
    long shares, entries, pages;
    int pid;

    steps = shared_page();
    reach(0);
    shares = counted("table_share");
    entries = counted("fork_pte");
    pages = table_pages();
    pid = spawn(child);
    await(1);
    shares = counted("table_share") - shares;
    entries = counted("fork_pte") - entries;
    pages = table_pages() - pages;
    if (shares < BLOCKS || entries > PER_BLOCK + 64 || pages >= FEW)
        fail_at("fork",
                "of %d tables %ld were shared, %ld entries were copied, %ld pages of tables made",
                BLOCKS, shares, entries, pages);
    reach(2);
    return pid;
}

/* What of it grew by more, or less, than it should have? */
static inline void grew(const char *what, long before, long low, long high) {
    long n = counted(what) - before;

    if (n < low || n > high)
        fail_at(what, "grew by %ld instead of %ld to %ld", n, low, high);
}

#endif
