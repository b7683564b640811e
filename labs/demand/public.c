/* Lab demand: the tests that come with the handout, beside usertests. */
#include "user/labtest/demand.h"

static void lazy_mapping(void) {
    long before = pages_free();

    touch_some((void *)OK(sys_mmap(0, LAZY_MIB * MIB_BYTES, PROT_READ | PROT_WRITE,
                                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)),
               LAZY_MIB * MIB_BYTES, before);
}

const struct test public_tests[] = {
    {"lazy_mapping", lazy_mapping, 0},
    {0, 0, 0},
};
