/* Lab signals: its public tests are usertests, T10_*. */
#include "user/usertests/ut.h"

const struct test public_tests[] = {{0, 0, 0}};
