/* Lab syscall: the tests that the handout does not have. */
#include "user/labtest/lab_syscall.h"
#include "abi/syscall.h"

#define PAGES 2000

static void census_time_and_harts(void) {
    struct {
        uint64_t before;
        struct counts c;
        uint64_t after;
    } s;
    int64_t early, late;

    memset(&s, 0x5a, sizeof(s));
    early = clock_ms(CLOCK_BOOTTIME);
    OK(take_census(&s.c));
    late = clock_ms(CLOCK_BOOTTIME);
    CHECK(s.before == 0x5a5a5a5a5a5a5a5a && s.after == 0x5a5a5a5a5a5a5a5a);
    CHECK((int64_t)s.c.uptime_ms >= early && (int64_t)s.c.uptime_ms <= late);
    EQ(s.c.harts, LAB_HARTS);
}

static void eat(void) { memset(map_pages(PAGES, PROT_READ | PROT_WRITE), 1, PAGES * 4096ul); }

static void census_after_exit(void) {
    struct counts before, after;

    child_ok(eat);
    OK(take_census(&before));
    for (int i = 0; i < 4; i++)
        child_ok(eat);
    OK(take_census(&after));
    EQ(after.tasks, before.tasks);
    CHECK(after.free_pages + PAGES / 2 > before.free_pages);
}

static void child_is_watched(void) {
    sys_getppid();
    sys_getppid();
    EQ(watch(SYS_getuid), 2);
}

static void watch_inherited(void) {
    int pid;

    OK(watch(SYS_getppid));
    for (int i = 0; i < 5; i++)
        sys_getppid();
    pid = spawn(child_is_watched);
    wait_ok(pid);
    child_ok(child_is_watched);
    sys_getppid();
    EQ(watch(-1), 6);
}

static volatile uint32_t *turn;

static void meet(uint32_t at) {
    for (__atomic_fetch_add(turn, 1, __ATOMIC_SEQ_CST);
         __atomic_load_n(turn, __ATOMIC_SEQ_CST) < at;)
        ;
}

static void watches_uid(void) {
    OK(watch(SYS_getuid));
    meet(2);
    for (int i = 0; i < 1000; i++) {
        sys_getuid();
        sys_getppid();
    }
    meet(4);
    EQ(watch(-1), 1000);
}

static void watch_each_its_own(void) {
    int pid;

    turn = shared_page();
    pid = spawn(watches_uid);
    OK(watch(SYS_getppid));
    meet(2);
    for (int i = 0; i < 700; i++) {
        sys_getppid();
        sys_getuid();
    }
    meet(4);
    EQ(watch(-1), 700);
    wait_ok(pid);
}

static void watch_errors(void) {
    OK(watch(SYS_getppid));
    sys_getppid();
    FAILS(EINVAL, watch(-2));
    FAILS(EINVAL, watch(1000000));
    FAILS(EINVAL, watch(299)); /* nobody's number */
    sys_getppid();
    EQ(watch(-1), 2);
    sys_getppid();
    EQ(watch(-1), 0);
    EQ(watch(WATCH_NR), 0);
    EQ(watch(-1), 1); /* this very call */
}

const struct test hidden_tests[] = {
    {"census_time_and_harts", census_time_and_harts, 0},
    {"census_after_exit", census_after_exit, 0},
    {"watch_inherited", watch_inherited, 0},
    {"watch_each_its_own", watch_each_its_own, 0},
    {"watch_errors", watch_errors, 0},
    {0, 0, 0},
};
