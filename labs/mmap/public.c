/* Lab mmap: the tests that come with the handout, beside usertests. */
#include "user/labtest/mmap.h"

/* The whole file, and a part of it; the descriptor is not needed any more. */
static void file_is_mapped(void) {
    int fd = make_file();

    map_file(fd, PROT_READ, MAP_PRIVATE, 0, FILE_PAGES);
    expect(0, FILE_PAGES, 0);
    OK(sys_munmap((void *)area, SIZE));
    map_file(fd, PROT_READ, MAP_PRIVATE, HOLE, FILE_PAGES - HOLE);
    OK(sys_close(fd));
    expect(0, FILE_PAGES - HOLE, HOLE);
    there = area;
    EQ(child_signal(write_there), SIGSEGV);
}

/* Of the mapped file [from, to) is in the cache, and nothing else. */
static void only_cached(long pages, long from, long to) {
    static unsigned char present[3 * AHEAD];

    OK(sys_mincore((void *)area, (size_t)pages * PAGE, present));
    for (long i = 0; i < pages; i++) {
        bool is = present[i] & 1;
        if (is != (i >= from && i < to))
            fail_at("cache", "page %ld of the file is%s in the cache; %ld to %ld should be", i,
                    is ? "" : " not", from, to - 1);
    }
}

/* Three windows, of which the last one is cut off by the end of the file. */
static void neighbours_come_along(void) {
    long pages = 3 * AHEAD - 3, page = AHEAD + (long)(seed % AHEAD);
    int fd = file_on_disk(pages);

    OK(sys_fsync(fd));
    for (int last = 0; last < 2; last++) {
        drop_caches();
        map_file(fd, PROT_READ, MAP_PRIVATE, 0, pages);
        if (last)
            expect(pages - 1, pages, 0);
        else
            expect(page, page + 1, 0);
        only_cached(pages, last ? 2 * AHEAD : AHEAD, last ? pages : 2 * AHEAD);
        OK(sys_munmap((void *)area, (size_t)pages * PAGE));
    }
}

const struct test public_tests[] = {
    {"file_is_mapped", file_is_mapped, 0},
    {"neighbours_come_along", neighbours_come_along, 0},
    {0, 0, 0},
};
