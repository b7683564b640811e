/* Lab alarm: its public tests are usertests, T10_* and T11_*. */
#include "user/usertests/ut.h"

const struct test public_tests[] = {{0, 0, 0}};
