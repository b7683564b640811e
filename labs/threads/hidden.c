/* Lab threads: the tests of the kernel that the handout does not have. The library in them is the course's. */
#include "user/labtest/lab.h"
#include "user/usertests/ut.h"
#include "user/lib/thread.h"
#include "abi/futex.h"

/* ---- a semaphore of one word, in memory that processes share: a lost wake-up stops it for ever */

#define PAIRS 2

static volatile uint32_t *tokens, *taken;

static void post(void) {
    __atomic_add_fetch(tokens, 1, __ATOMIC_SEQ_CST);
    OK(sys_futex((uint32_t *)tokens, FUTEX_WAKE, 1, 0, 0, 0));
}

static void take(void) {
    for (;;) {
        uint32_t seen = *tokens;
        if (seen && __atomic_compare_exchange_n(tokens, &seen, seen - 1, false, __ATOMIC_SEQ_CST,
                                                __ATOMIC_SEQ_CST))
            break;
        if (!seen)
            sys_futex((uint32_t *)tokens, FUTEX_WAIT, 0, 0, 0, 0);
    }
    __atomic_add_fetch(taken, 1, __ATOMIC_SEQ_CST);
}

static void posts(void) {
    for (int i = 0; i < TOKENS; i++) {
        post();
        if (i % 7 == 0)
            sys_sched_yield();
    }
}

static void *takes(void *unused) {
    for (int i = 0; i < TOKENS / 2; i++)
        take();
    return unused;
}

/* Two threads of one process. */
static void two_take(void) {
    struct thread *t;

    OK(thread_create(&t, takes, 0));
    takes(0);
    thread_join(t);
}

static void no_wake_up_is_lost(void) {
    int pids[2 * PAIRS];

    tokens = shared_page();
    taken = tokens + 16;
    for (int i = 0; i < PAIRS; i++) {
        pids[2 * i] = spawn(two_take);
        pids[2 * i + 1] = spawn(posts);
    }
    for (int i = 0; i < 2 * PAIRS; i++)
        wait_ok(pids[i]);
    EQ(*taken, PAIRS * TOKENS);
    EQ(*tokens, 0);
}

/* ---- what threads share, and what each has for itself */

static void ignore(int sig) { (void)sig; }

static int opened;
static long parent;

static void *changes_everything(void *unused) {
    sigset_t mask = SIGMASK(SIGUSR2);

    opened = (int)OK(open_at("file", O_RDWR | O_CREAT, 0600));
    EQ(sys_write(opened, "thread", 6), 6);
    OK(sys_chdir("sub"));
    sys_umask(0123);
    on_signal(SIGUSR1, ignore, 0);
    EQ(sys_getpid(), getpid());
    EQ(sys_getppid(), parent);
    OK(sys_rt_sigprocmask(SIG_BLOCK, &mask, 0, 8));
    return unused;
}

static void threads_share(void) {
    struct sigaction act;
    struct thread *t;
    sigset_t mask;
    char text[8];

    parent = sys_getppid();
    OK(sys_mkdirat(AT_FDCWD, "sub", 0755));
    OK(thread_create(&t, changes_everything, 0));
    thread_join(t);
    EQ(sys_pread64(opened, text, 6, 0), 6);
    EQ(memcmp(text, "thread", 6), 0);
    CHECK(!is_there("sub"));
    EQ(sys_umask(022), 0123);
    OK(sys_rt_sigaction(SIGUSR1, 0, &act, 8));
    CHECK(act.sa_handler == ignore);
    OK(sys_rt_sigprocmask(SIG_BLOCK, 0, &mask, 8));
    EQ(mask, 0); /* a thread's own */
    FAILS(ECHILD, sys_wait4(-1, 0, 0, 0));
}

const struct test hidden_tests[] = {
    {"no_wake_up_is_lost", no_wake_up_is_lost, 0},
    {"threads_share", threads_share, 0},
    {0, 0, 0},
};
