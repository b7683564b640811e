/* Lab jos-ipc: what tests of user/lib/ufork.c share. */
#ifndef LAB_UFORK_H
#define LAB_UFORK_H

#include "user/labtest/lab.h"
#include "user/usertests/ut.h"

int ufork(void);

/* Like spawn() of ut.h, by the students' fork. */
static inline int uspawn(void (*f)(void)) {
    int pid = ufork();

    if (OK(pid) == 0) {
        f();
        sys_exit_group(0);
    }
    return pid;
}

#endif
