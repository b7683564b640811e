/* What thread libraries need beside clone() and futexes: membarrier(2), get_robust_list(2). */
#include "user/usertests/ut.h"
#include "abi/futex.h"
#include "abi/membarrier.h"
#include "abi/sched.h"

static void barrier_commands(void) {
    long have = OK(sys_membarrier(MEMBARRIER_CMD_QUERY, 0, 0));

    CHECK(have & MEMBARRIER_CMD_GLOBAL);
    CHECK(have & MEMBARRIER_CMD_PRIVATE_EXPEDITED);
    OK(sys_membarrier(MEMBARRIER_CMD_GLOBAL, 0, 0));
    OK(sys_membarrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0));
    FAILS(EPERM, sys_membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
    FAILS(EPERM, sys_membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0));
    EQ(sys_membarrier(MEMBARRIER_CMD_GET_REGISTRATIONS, 0, 0), 0);
    OK(sys_membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0));
    OK(sys_membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
    FAILS(EPERM, sys_membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0));
    OK(sys_membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0));
    OK(sys_membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0));
    OK(sys_membarrier(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0));
    EQ(sys_membarrier(MEMBARRIER_CMD_GET_REGISTRATIONS, 0, 0),
       MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED |
           MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE |
           MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED);
    FAILS(EINVAL, sys_membarrier(MEMBARRIER_CMD_GLOBAL, 1, 0));
    FAILS(EINVAL, sys_membarrier(MEMBARRIER_CMD_GLOBAL | MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0));
    FAILS(EINVAL, sys_membarrier(1 << 20, 0, 0));
    FAILS(EINVAL, sys_membarrier(-1, 0, 0));
}

/* Dekker's entry, with no fence on the busy side: the other's membarrier() stands for both. At most one of the two may
 * find the other's word 0. */
#define ROUNDS 2000
static volatile int busy_word, slow_word, busy_saw, round_no, rounds_done, both_zero;

static int busy_side(void *arg) {
    (void)arg;
    for (int i = 1; i <= ROUNDS; i++) {
        while (round_no < i)
            ;
        busy_word = 1;
        asm volatile("" ::: "memory");
        busy_saw = slow_word;
        asm volatile("fence" ::: "memory");
        rounds_done = i;
    }
    return 0;
}

static void barrier_orders(void) {
    uint64_t harts = 0;

    OK(sys_sched_getaffinity(0, sizeof(harts), &harts));
    if ((harts & (harts - 1)) == 0)
        skip("needs two harts");
    OK(sys_membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0));
    OK(clone_call(THREAD, new_stack(), 0, 0, 0, busy_side, 0));
    for (int i = 1; i <= ROUNDS; i++) {
        int mine;
        busy_word = slow_word = 0;
        asm volatile("fence" ::: "memory");
        round_no = i;
        slow_word = 1;
        OK(sys_membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
        mine = busy_word;
        while (rounds_done < i)
            sys_sched_yield();
        both_zero += mine == 0 && busy_saw == 0;
    }
    EQ(both_zero, 0);
}

static void robust_list_of(void) {
    static struct robust_list_head head;
    void *got = 0;
    size_t size = 0;
    int tid, pid = spawn(sleep_long);

    OK(sys_get_robust_list(0, &got, &size));
    CHECK(!got);
    EQ(size, sizeof(head));
    OK(sys_set_robust_list(&head, sizeof(head)));
    OK(sys_get_robust_list(0, &got, &size));
    CHECK(got == &head);
    tid = (int)OK(clone_call(THREAD, new_stack(), 0, 0, 0, sleep_thread, 0));
    OK(sys_get_robust_list(tid, &got, &size)); /* a new thread has none */
    CHECK(!got);
    OK(sys_get_robust_list(pid, &got, &size)); /* root may ask for all */
    FAILS(ESRCH, sys_get_robust_list(999999999, &got, &size));
    FAILS(EINVAL, sys_set_robust_list(&head, sizeof(head) - 1));
    become_user(1000);
    FAILS(EPERM, sys_get_robust_list(pid, &got, &size));
    OK(sys_get_robust_list(sys_gettid(), &got, &size));
}

const struct test thread_tests[] = {
    {"T4_membarrier_commands", barrier_commands, 0},
    {"T4_membarrier_orders", barrier_orders, 0},
    {"T4_robust_list_of", robust_list_of, 0},
    {0, 0, 0},
};
