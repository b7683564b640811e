#include "user/usertests/ut.h"
const struct test timer_tests[] = {{0, 0, 0}};
