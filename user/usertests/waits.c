#include "user/usertests/ut.h"
const struct test wait_tests[] = {{0, 0, 0}};
