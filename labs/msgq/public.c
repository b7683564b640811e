/* Lab msgq: its public tests are usertests, I3_*. */
#include "user/usertests/ut.h"

const struct test public_tests[] = {{0, 0, 0}};
