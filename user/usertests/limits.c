#include "user/usertests/ut.h"
const struct test limit_tests[] = {{0, 0, 0}};
