/* Lab jos-ipc: pages that are given away. The other public tests of the kernel are usertests, I9_* and M8_*; those of fork are
 * in apart.c. */
#include "user/labtest/lab.h"
#include "user/labtest/given.h"

static void takes_two(void) {
    struct ipc_message m;

    take(&m, 'a', RW);
    *AT(1) = 'A';
    take(&m, 'b', PROT_READ);
    FAILS(EACCES, sys_page_map(0, (void *)AT(1), 0, (void *)AT(2), RW));
}

static void page_is_given(void) {
    int child = spawn(takes_two);

    make_page('a');
    OK(ipc_send(child, 'a', (void *)AT(0), RW | GIVE));
    CHECK(!is_mapped(AT(0)));
    make_page('b');
    OK(ipc_send(child, 'b', (void *)AT(0), PROT_READ | GIVE));
    CHECK(!is_mapped(AT(0)));
    wait_ok(child);
    make_page('c');
    FAILS(EINVAL, sys_ipc_try_send(getpid(), 0, (void *)AT(0), GIVE));
    FAILS(EINVAL, sys_ipc_try_send(getpid(), 0, (void *)AT(0), RW | GIVE << 1));
    EQ(*AT(0), 'c');
}

const struct test public_tests[] = {
    {"page_is_given", page_is_given, 0},
    {0, 0, 0},
};
