/* Lab threads: its public tests are usertests, T3_clone_*, T4_* and I6_futex_*. */
#include "user/usertests/ut.h"

const struct test public_tests[] = {{0, 0, 0}};
