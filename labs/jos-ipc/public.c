/* Lab jos-ipc: its public tests of the kernel are usertests, I9_* and M8_*; those of fork are in apart.c. */
#include "user/usertests/ut.h"

const struct test public_tests[] = {{0, 0, 0}};
