/* What thread libraries need beside clone() and futexes: membarrier(2), get_robust_list(2); and our
 * own such library, user/lib/thread.h. */
#include "user/usertests/ut.h"
#include "user/lib/thread.h"
#include "abi/futex.h"
#include "abi/membarrier.h"
#include "abi/resource.h"
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

/* Threads that want one page of code, which is on the disk: the other harts hear of it once, not once for each thread. */
#define HERD 24
#define PAGES 8
static volatile int herd_go, herd_done;
static volatile char *herd_page;

static int touch_code(void *arg) {
    for (int i = 1; i <= PAGES; i++) {
        while (herd_go < i)
            sys_sched_yield();
        (void)*herd_page;
        __atomic_add_fetch(&herd_done, 1, __ATOMIC_SEQ_CST);
    }
    sleep_long();
    return arg != 0;
}

static void herd_faults(void) {
    static char page[4096];
    int fd = OK(open_at("code", O_RDWR | O_CREAT, 0700));
    long told = 0;
    uint64_t harts = 0;

    OK(sys_sched_getaffinity(0, sizeof(harts), &harts));
    EQ(sys_write(fd, page, sizeof(page)), sizeof(page));
    OK(sys_fsync(fd));
    for (int i = 0; i < HERD; i++)
        OK(clone_call(THREAD, new_stack(), 0, 0, 0, touch_code, 0));
    for (int i = 1; i <= PAGES; i++) {
        put_file("/proc/sys/vm/drop_caches", "3");
        herd_page = (char *)OK(sys_mmap(0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0));
        told -= proc_number("/proc/vmstat", "tlb_remote_flush");
        herd_go = i;
        while (herd_done < i * HERD)
            sys_sched_yield();
        told += proc_number("/proc/vmstat", "tlb_remote_flush");
        OK(sys_munmap((void *)herd_page, 4096));
    }
    /* Now and then somebody else has a reason too. */
    CHECK(told <= 2 * PAGES * (__builtin_popcountl(harts) - 1));
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

/* ---- user/lib/thread.h */

#define WORKERS 6

static struct thread *worker(void *(*f)(void *), long arg) {
    struct thread *t;

    OK(thread_create(&t, f, (void *)arg));
    return t;
}

static void all_workers(void *(*f)(void *)) {
    struct thread *t[WORKERS];

    for (long i = 0; i < WORKERS; i++)
        t[i] = worker(f, i);
    for (long i = 0; i < WORKERS; i++)
        EQ(thread_join(t[i]), i);
}

static void *who_am_i(void *arg) {
    struct thread *me = thread_self();

    EQ(me->tid, sys_gettid());
    CHECK(sys_gettid() != sys_getpid());
    CHECK(!me->own);
    me->own = arg;
    sys_sched_yield();
    CHECK(thread_self()->own == arg);
    if ((long)arg % 2)
        thread_exit(arg);
    return arg;
}

static void create_and_join(void) {
    struct thread *first = thread_self();

    for (int i = 0; i < 100; i++)
        all_workers(who_am_i);
    CHECK(thread_self() == first);
    while (proc_number("/proc/self/status", "Threads:") >
           1) /* who was joined may be at its last steps */
        sys_sched_yield();
}

static void *below_the_stack(void *arg) {
    volatile char *end = (char *)(thread_self() + 1);

    end[-THREAD_STACK] = 1;
    put_file("reached", "the lowest byte");
    end[-THREAD_STACK - 1] = 1;
    return arg;
}

static void stack_overflow_child(void) { thread_join(worker(below_the_stack, 1)); }

static void stack_overflow(void) {
    EQ(child_signal(stack_overflow_child), SIGSEGV);
    expect_file("reached", "the lowest byte");
}

static void no_more_threads_child(void) {
    struct thread *t;

    /* room for the stack, but not for another task */
    OK(sys_prlimit64(0, RLIMIT_NPROC, &(struct rlimit){1, 1}, 0));
    become_user(1000);
    EQ(thread_create(&t, who_am_i, 0), -EAGAIN);
}

static void no_more_threads(void) { child_ok(no_more_threads_child); }

static struct mutex lock;
static volatile long counter;

static void *count_with_mutex(void *arg) {
    for (int i = 0; i < 5000; i++) {
        mutex_lock(&lock);
        long seen = counter;
        if (i % 50 == 0)
            sys_sched_yield();
        counter = seen + 1;
        mutex_unlock(&lock);
    }
    return arg;
}

static void *try_to_lock(void *arg) { return mutex_trylock(&lock) ? 0 : arg; }

static void mutex_excludes(void) {
    all_workers(count_with_mutex);
    EQ(counter, WORKERS * 5000);
    EQ(lock.word, 0);
    CHECK(mutex_trylock(&lock));
    all_workers(try_to_lock);
    mutex_unlock(&lock);
}

static struct condition changed;
static long turn, passed;

static void *in_turn(void *arg) {
    mutex_lock(&lock);
    for (long i = (long)arg; i < WORKERS * 500; i += WORKERS) {
        while (turn != i)
            condition_wait(&changed, &lock);
        turn++;
        condition_broadcast(&changed);
    }
    mutex_unlock(&lock);
    return arg;
}

/* Each signal lets one pass, and none is lost. */
static void *pass_once(void *arg) {
    mutex_lock(&lock);
    while (turn == 0)
        condition_wait(&changed, &lock);
    turn--;
    passed++;
    mutex_unlock(&lock);
    return arg;
}

static void conditions(void) {
    struct thread *t[WORKERS];

    all_workers(in_turn);
    EQ(turn, WORKERS * 500);
    turn = 0;
    for (long i = 0; i < WORKERS; i++)
        t[i] = worker(pass_once, i);
    for (long i = 0; i < WORKERS; i++) {
        mutex_lock(&lock);
        turn++;
        mutex_unlock(&lock);
        condition_signal(&changed);
    }
    for (long i = 0; i < WORKERS; i++)
        EQ(thread_join(t[i]), i);
    EQ(passed, WORKERS);
    EQ(changed.waiting, 0);
}

#define STEPS 300
static struct barrier step_end = BARRIER_OF(WORKERS);
static int step_of[WORKERS], lasts;

static void *steps(void *arg) {
    for (int s = 1; s <= STEPS; s++) {
        step_of[(long)arg] = s;
        if (barrier_wait(&step_end))
            __atomic_add_fetch(&lasts, 1, __ATOMIC_RELAXED);
        for (int i = 0; i < WORKERS; i++)
            EQ(step_of[i], s);
        barrier_wait(&step_end);
    }
    return arg;
}

static void barriers(void) {
    all_workers(steps);
    EQ(lasts, STEPS);
}

static void *allocate(void *arg) {
    char *mine[20];

    for (int round = 0; round < 100; round++) {
        for (int i = 0; i < 20; i++) {
            mine[i] = malloc(16 + i * 40);
            memset(mine[i], (int)(long)arg, 16 + i * 40);
        }
        for (int i = 0; i < 20; i++) {
            for (int at = 0; at < 16 + i * 40; at++)
                EQ(mine[i][at], (long)arg);
            free(mine[i]);
        }
    }
    return arg;
}

static void malloc_of_threads(void) { all_workers(allocate); }

/* ---- calls that take a number and give it back */

static volatile bool numbers_done;

static void *close_and_reuse(void *arg) {
    struct abi_stat st;

    (void)arg;
    while (!numbers_done) {
        sys_close(3); /* of a pipe in the making? */
        sys_close(4);
        int fd = (int)OK(sys_dup(0));
        for (int i = 0; i < 20; i++)
            OK(sys_fstat(fd, &st));
        OK(sys_close(fd));
    }
    return 0;
}

/* A pipe2() or clone() that fails takes back its own numbers only. */
static void reserved_numbers(void) {
    struct thread *t;

    sys_close_range(3, ~0u, 0);
    OK(thread_create(&t, close_and_reuse, 0));
    for (int i = 0; i < 2000; i++) {
        FAILS(EFAULT, sys_pipe2((int *)unmapped_page(), 0));
        FAILS(EFAULT, sys_clone(CLONE_PIDFD | SIGCHLD, 0, (int *)unmapped_page(), 0, 0));
    }
    numbers_done = true;
    thread_join(t);
}

const struct test thread_tests[] = {
    {"T4_threads_fault_on_one_page", herd_faults, 0},
    {"T4_membarrier_commands", barrier_commands, 0},
    {"T4_membarrier_orders", barrier_orders, 0},
    {"T4_robust_list_of", robust_list_of, 0},
    {"T4_library_create_and_join", create_and_join, 0},
    {"T4_library_stack_overflow", stack_overflow, 0},
    {"T4_library_no_more_threads", no_more_threads, 0},
    {"T4_library_mutex", mutex_excludes, 0},
    {"T4_library_condition", conditions, 0},
    {"T4_library_barrier", barriers, 0},
    {"T4_library_malloc", malloc_of_threads, 0},
    {"F2_reserved_numbers", reserved_numbers, 0},
    {0, 0, 0},
};
