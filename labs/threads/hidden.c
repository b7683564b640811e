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

/* ---- so many threads, and not one more */

static volatile uint32_t done;

static void *stays(void *unused) {
    while (!done)
        sys_futex((uint32_t *)&done, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 0, 0, 0, 0);
    return unused;
}

static void all_go(void) {
    done = 1;
    sys_futex((uint32_t *)&done, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, INT32_MAX, 0, 0, 0);
}

/* Makes threads that stay, up to max. How many; *last is what the last call said. */
static int make_threads(struct thread **t, int max, long *last) {
    int n = 0;

    while (n < max && (*last = thread_create(&t[n], stays, 0)) == 0)
        n++;
    return n;
}

static void expect_limit(int n, long last) {
    if (n != MAX_THREADS || last != -EAGAIN)
        fail_at("limit", "%d threads in a process, and then: %s", n,
                last ? errstr(last) : "one more");
}

static void join_all(struct thread **t, int n) {
    all_go();
    while (n--)
        thread_join(t[n]);
}

static void up_to_the_limit(void) {
    struct thread *t[MAX_THREADS];
    long last = 0;
    int n = make_threads(t, MAX_THREADS, &last);

    expect_limit(1 + n, last);
    join_all(t, n);
}

static void so_many_threads(void) {
    struct thread *t[MAX_THREADS];
    long last = 0;
    int n = make_threads(t, MAX_THREADS, &last);

    expect_limit(1 + n, last);
    child_ok(up_to_the_limit);
    join_all(t, n);
    done = 0;
    while (proc_number("/proc/self/status", "Threads:") > 1) /* somebody is at his last steps */
        sys_sched_yield();
    up_to_the_limit(); /* who has ended does not count */
}

#define MAKERS 4

static struct thread *made[MAKERS][MAX_THREADS];
static int made_by[MAKERS];
static long last_of[MAKERS];
static volatile int makers;

static void *makes(void *arg) {
    long me = (long)arg;

    __atomic_add_fetch(&makers, 1, __ATOMIC_SEQ_CST);
    while (makers < MAKERS)
        sys_sched_yield();
    made_by[me] = make_threads(made[me], MAX_THREADS, &last_of[me]);
    stays(0);
    return arg;
}

static void made_at_once(void) {
    struct thread *t[MAKERS];
    int n = 1 + MAKERS;

    for (long i = 0; i < MAKERS; i++)
        OK(thread_create(&t[i], makes, (void *)i));
    for (int i = 0; i < MAKERS; i++)
        while (!*(volatile long *)&last_of[i])
            sleep_ms(1);
    for (int i = 0; i < MAKERS; i++)
        n += made_by[i];
    expect_limit(n, last_of[0]);
    all_go();
    for (long i = 0; i < MAKERS; i++) {
        EQ(thread_join(t[i]), i);
        join_all(made[i], made_by[i]);
    }
}

static void so_many_at_once(void) {
    for (int round = 0; round < 20; round++)
        child_ok(made_at_once);
}

const struct test hidden_tests[] = {
    {"no_wake_up_is_lost", no_wake_up_is_lost, 0},
    {"threads_share", threads_share, 0},
    {"so_many_threads", so_many_threads, 0},
    {"so_many_at_once", so_many_at_once, 0},
    {0, 0, 0},
};
