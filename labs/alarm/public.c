/* Lab alarm: the tests that come with the handout, beside usertests' T10_* and T11_*. */
#include "user/labtest/lab.h"
#include "user/usertests/ut.h"

static volatile uint64_t in_register, in_frame;

static void look_around(long sig, struct siginfo *info, struct ucontext *uc, uint64_t a3,
                        uint64_t a4, uint64_t a5, uint64_t a6, uint64_t a7) {
    uint64_t a[] = {(uint64_t)sig, (uint64_t)info, (uint64_t)uc, a3, a4, a5, a6, a7};

    in_register = a[PC_REGISTER];
    in_frame = uc->uc_mcontext.sc_regs.pc;
}

static void where_it_was(void) {
    on_signal(SIGUSR1, (void (*)(int))(void (*)(void))look_around, SA_SIGINFO);
    for (int i = 0; i < 3; i++) {
        in_register = 0;
        OK(sys_kill(getpid(), SIGUSR1));
        CHECK(in_frame != 0);
        EQ(in_register, in_frame);
    }
}

const struct test public_tests[] = {
    {"where_it_was", where_it_was, 0},
    {0, 0, 0},
};
