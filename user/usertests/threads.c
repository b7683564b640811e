#include "user/usertests/ut.h"
const struct test thread_tests[] = {{0, 0, 0}};
