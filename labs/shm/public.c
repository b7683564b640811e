/* Lab shm: the tests that come with the handout, beside usertests' I2_*. */
#include "user/labtest/lab.h"
#include "user/usertests/ut.h"
#include "abi/shm.h"

static int segment;

static void no_more(void) { FAILS(EMFILE, sys_shmat(segment, 0, 0)); }

static void attachments_have_a_limit(void) {
    void *at[SHMSEG];

    segment = (int)OK(sys_shmget(IPC_PRIVATE, PAGE, 0600));
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < SHMSEG; i++)
            at[i] = (void *)OK(sys_shmat(segment, 0, 0));
        no_more();
        child_ok(no_more); /* it has its parent's */
        OK(sys_shmdt(at[3]));
        at[3] = (void *)OK(sys_shmat(segment, 0, SHM_RDONLY));
        no_more();
        for (int i = 0; i < SHMSEG; i++)
            OK(sys_shmdt(at[i]));
    }
    OK(sys_shmctl(segment, IPC_RMID, 0));
}

const struct test public_tests[] = {
    {"attachments_have_a_limit", attachments_have_a_limit, 0},
    {0, 0, 0},
};
