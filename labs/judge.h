/* What the cases of a lab share with the program that runs them (labs/judge.c). */
#ifndef JUDGE_H
#define JUDGE_H

#include "user/usertests/ut.h"

extern const struct test *const judge_tables[];
extern const char *const judge_cases[];
extern const uint64_t judge_key[2];

/* Where a debugger that looks on stops (tools/labkit/gdbside.py): it is told the stage, an address and a number. */
void look(long stage, const volatile void *at, long value);

/* The case of that name, or null. */
static inline const struct test *find_case(const char *name) {
    for (const struct test *const *table = judge_tables; *table; table++) {
        for (const struct test *t = *table; t->name; t++) {
            if (strcmp(t->name, name) == 0)
                return t;
        }
    }
    return 0;
}

#endif
