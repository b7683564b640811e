/* Lab mmap: what its tests share. */
#ifndef LAB_MMAP_H
#define LAB_MMAP_H

#include "user/labtest/lab.h"
#include "user/usertests/ut.h"

#define RW (PROT_READ | PROT_WRITE)
#define SIZE (FILE_PAGES * PAGE)

static volatile char *area __attribute__((unused));

static inline char value(long page) { return (char)((page * 7 + (long)seed) % 251 + 1); }

/* A new file, each of its pages full of its value; the descriptor. */
static inline int make_file_of(long pages) {
    static char page[PAGE];
    int fd = (int)OK(open_at("file", O_RDWR | O_CREAT | O_TRUNC, 0600));

    for (long i = 0; i < pages; i++) {
        memset(page, value(i), PAGE);
        EQ(sys_write(fd, page, PAGE), PAGE);
    }
    return fd;
}

static inline int make_file(void) { return make_file_of(FILE_PAGES); }

/* In the root, not where tests usually are; without a name. */
static inline int file_on_disk(long pages) {
    int fd;

    OK(sys_chdir("/"));
    fd = make_file_of(pages);
    OK(sys_unlinkat(AT_FDCWD, "file", 0));
    return fd;
}

static inline void drop_caches(void) {
    int fd = (int)OK(open_at("/proc/sys/vm/drop_caches", O_WRONLY, 0));

    EQ(sys_write(fd, "3", 1), 1);
    OK(sys_close(fd));
}

static inline void map_file(int fd, int prot, int flags, long first, long pages) {
    area = (char *)OK(sys_mmap(0, pages * PAGE, prot, flags, fd, first * PAGE));
}

/* Pages [from, to) of the mapping are those of the file from `first` on. */
static inline void expect(long from, long to, long first) {
    for (long i = from; i < to; i++) {
        EQ(area[i * PAGE], value(first + i));
        EQ(area[(i + 1) * PAGE - 1], value(first + i));
    }
}

static volatile char *there __attribute__((unused)); /* what the next two touch */
static inline void read_there(void) { (void)*there; }
static inline void write_there(void) { *there = 1; }

static inline void nothing_at(long page) {
    there = area + page * PAGE;
    EQ(child_signal(read_there), SIGSEGV);
}

#endif
