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

const struct test public_tests[] = {
    {"file_is_mapped", file_is_mapped, 0},
    {0, 0, 0},
};
