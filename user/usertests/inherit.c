/* Locks whose owners inherit the priority of those who wait: futex(2)'s FUTEX_*_PI, and those of the kernel; futex_waitv(2).
 *
 * The cases of inversion are processes on one hart: L, of low priority, has what H, a FIFO task, wants, and M, a FIFO task between them,
 * computes until H has got it. Without inheritance that would be never, so M gives up after seconds of its own CPU time. */
#include "user/usertests/ut.h"
#include "abi/futex.h"
#include "abi/sched.h"

#define PI_MOST 8

/* What the processes of a case share. */
static struct shared {
    uint32_t lock[4]; /* futexes */
    uint32_t cond;
    volatile int holds, spins, wants, stop, gave_up;
    volatile int order[PI_MOST], nr_order;
    struct robust_list node;
    uint32_t robust;
} * s;

static void begin(void) { s = (struct shared *)shared_page(); }

static long lock(int i) { return sys_futex(&s->lock[i], FUTEX_LOCK_PI, 0, 0, 0, 0); }
static long unlock(int i) { return sys_futex(&s->lock[i], FUTEX_UNLOCK_PI, 0, 0, 0, 0); }
static long try_lock(uint32_t *word) { return sys_futex(word, FUTEX_TRYLOCK_PI, 0, 0, 0, 0); }
static uint32_t tid(void) { return (uint32_t)sys_gettid(); }

static void on_hart_0(void) {
    uint64_t mask = 1;

    OK(sys_sched_setaffinity(0, sizeof(mask), &mask));
}

static void fifo(int pid, int priority) {
    struct sched_param p = {priority};

    OK(sys_sched_setscheduler(pid, priority ? SCHED_FIFO : SCHED_NORMAL, &p));
}

/* A child of this priority that calls f; it is asleep, or computes, when this returns to a parent of a higher one. */
static int start(int priority, void (*f)(void)) {
    int pid = fork();

    if (pid == 0) {
        fifo(0, priority);
        f();
        sys_exit_group(0);
    }
    return pid;
}

static void until(volatile int *flag) {
    while (!*flag)
        sleep_ms(2);
}

/* As until_asleep(), which would keep a child of a lower priority off the hart. */
static void asleep(int pid) {
    while (proc_state(pid) != 'S')
        sleep_ms(2);
}

/* ---- the calls */

static void somebody_else(void) {
    struct timespec past = {0, 0};

    FAILS(EAGAIN, try_lock(s->lock));
    FAILS(EPERM, unlock(0));
    FAILS(ETIMEDOUT, sys_futex(s->lock, FUTEX_LOCK_PI, 0, &past, 0, 0));
    FAILS(ETIMEDOUT, sys_futex(s->lock, FUTEX_LOCK_PI2, 0, &past, 0, 0));
    FAILS(ETIMEDOUT, sys_futex(s->lock, FUTEX_LOCK_PI2 | FUTEX_CLOCK_REALTIME, 0, &past, 0, 0));
}

static void lock_calls(void) {
    struct timespec bad = {0, -1};
    int pid = spawn(nothing);

    begin();
    OK(lock(0));
    EQ(s->lock[0], tid());
    FAILS(EDEADLK, lock(0));
    FAILS(EDEADLK, try_lock(s->lock));
    child_ok(somebody_else);
    EQ(s->lock[0], tid() | FUTEX_WAITERS);
    OK(unlock(0));
    EQ(s->lock[0], 0);
    FAILS(EPERM, unlock(0));
    OK(try_lock(s->lock));
    OK(unlock(0));
    s->lock[0] = FUTEX_OWNER_DIED;
    OK(lock(0));
    EQ(s->lock[0], tid() | FUTEX_OWNER_DIED);
    wait_ok(pid);
    s->lock[0] = (uint32_t)pid; /* nobody any more */
    FAILS(ESRCH, lock(0));
    FAILS(ESRCH, try_lock(s->lock));
    s->lock[0] = 2; /* a thread of the kernel */
    if (on_xv39())
        FAILS(EPERM, lock(0));
    FAILS(EINVAL, sys_futex((uint32_t *)((char *)s->lock + 1), FUTEX_LOCK_PI, 0, 0, 0, 0));
    FAILS(EINVAL, sys_futex(&s->lock[1], FUTEX_LOCK_PI, 0, &bad, 0, 0));
    FAILS(EFAULT, sys_futex(unmapped_page(), FUTEX_LOCK_PI, 0, 0, 0, 0));
    FAILS(EFAULT, sys_futex(map_pages(1, PROT_READ), FUTEX_LOCK_PI, 0, 0, 0, 0));
    FAILS(EFAULT, sys_futex(unmapped_page(), FUTEX_UNLOCK_PI, 0, 0, 0, 0));
    FAILS(ENOSYS, sys_futex(s->lock, FUTEX_UNLOCK_PI | FUTEX_CLOCK_REALTIME, 0, 0, 0, 0));
}

static void take_turn(void) {
    struct sched_param p;

    OK(lock(0));
    OK(sys_sched_getparam(0, &p));
    s->order[s->nr_order++] = p.sched_priority;
    OK(unlock(0));
}

/* They come in one order and get it in that of their priorities; equals in the order in which they came. */
static void handed_over_by_priority(void) {
    static const int come[] = {10, 30, 0, 20, 0};
    int pids[5];

    begin();
    on_hart_0();
    fifo(0, 50);
    OK(lock(0));
    for (int i = 0; i < 5; i++) {
        pids[i] = start(come[i], take_turn);
        asleep(pids[i]);
    }
    EQ(s->lock[0], tid() | FUTEX_WAITERS);
    OK(unlock(0));
    for (int i = 0; i < 5; i++)
        wait_ok(pids[i]);
    EQ(s->order[0], 30);
    EQ(s->order[1], 20);
    EQ(s->order[2], 10);
    EQ(s->order[3] + s->order[4], 0);
    EQ(s->lock[0], 0);
}

/* Until the parent, who goes to sleep next when it wants the lock, sleeps there. */
static void parent_waits(void) {
    until(&s->wants);
    asleep((int)sys_getppid());
}

static void own_second(void) {
    OK(lock(1));
    s->holds = 1;
    FAILS(EDEADLK, (parent_waits(), lock(0)));
    OK(unlock(1));
}

static void deadlock(void) {
    int pid;

    begin();
    OK(lock(0));
    pid = spawn(own_second);
    until(&s->holds);
    s->wants = 1;
    OK(lock(1));
    wait_ok(pid);
    OK(unlock(1));
    OK(unlock(0));
}

static void leave_locked(void) {
    static struct robust_list_head head;

    head.list.next = (struct robust_list *)((long)&s->node | 1);
    s->node.next = &head.list;
    head.futex_offset = (int64_t)(offsetof(struct shared, robust) - offsetof(struct shared, node));
    OK(sys_set_robust_list(&head, sizeof(head)));
    OK(sys_futex(&s->robust, FUTEX_LOCK_PI, 0, 0, 0, 0));
    OK(lock(0));
    s->holds = 1;
    parent_waits();
}

static void want_robust(void) {
    OK(sys_futex(&s->robust, FUTEX_LOCK_PI, 0, 0, 0, 0));
    EQ(s->robust, tid() | FUTEX_OWNER_DIED);
    OK(sys_futex(&s->robust, FUTEX_UNLOCK_PI, 0, 0, 0, 0));
    EQ(s->robust, 0);
}

/* Who waits gets what a dying task leaves behind, whether that is in its robust list or not. */
static void owner_dies(void) {
    int owner, other;

    begin();
    owner = spawn(leave_locked);
    until(&s->holds);
    other = spawn(want_robust);
    asleep(other);
    s->wants = 1;
    OK(lock(0));
    EQ(s->lock[0], tid() | FUTEX_OWNER_DIED);
    wait_ok(owner);
    wait_ok(other);
    OK(unlock(0));
}

static void killed_waiter(void) { lock(0); }

/* Waiters that are killed are out of the queue; the others still get their turn. */
static void waiter_is_killed(void) {
    int first, second;

    begin();
    OK(lock(0));
    first = spawn(killed_waiter);
    asleep(first);
    second = spawn(take_turn);
    asleep(second);
    kill_child(first);
    OK(unlock(0));
    wait_ok(second);
    EQ(s->nr_order, 1);
}

static void await(void) {
    struct sched_param p;

    OK(sys_futex(&s->cond, FUTEX_WAIT_REQUEUE_PI, 0, 0, s->lock, 0));
    EQ(s->lock[0] & FUTEX_TID_MASK, tid());
    OK(sys_sched_getparam(0, &p));
    s->order[s->nr_order++] = p.sched_priority;
    OK(unlock(0));
}

static long requeue(int nr, uint32_t expected, uint32_t *to) {
    return sys_futex(&s->cond, FUTEX_CMP_REQUEUE_PI, 1, (void *)(long)nr, to, expected);
}

static void requeue_pi(void) {
    static const int priority[] = {0, 20, 30, 10};
    struct timespec past = {0, 0};
    int pids[4];

    begin();
    on_hart_0();
    fifo(0, 50);
    FAILS(EINVAL, sys_futex(&s->cond, FUTEX_WAIT_REQUEUE_PI, 0, 0, &s->cond, 0));
    FAILS(EAGAIN, sys_futex(&s->cond, FUTEX_WAIT_REQUEUE_PI, 1, 0, s->lock, 0));
    FAILS(ETIMEDOUT, sys_futex(&s->cond, FUTEX_WAIT_REQUEUE_PI, 0, &past, s->lock, 0));
    FAILS(EINVAL, sys_futex(&s->cond, FUTEX_CMP_REQUEUE_PI, 2, (void *)1, s->lock, 0));
    EQ(requeue(1, 0, s->lock), 0);
    for (int i = 0; i < 4; i++) {
        pids[i] = start(priority[i], await);
        asleep(pids[i]);
    }
    FAILS(EINVAL, sys_futex(&s->cond, FUTEX_WAKE, 1, 0, 0, 0));
    FAILS(EINVAL, sys_futex(&s->cond, FUTEX_REQUEUE, 1, (void *)1, &s->lock[1], 0));
    FAILS(EINVAL, requeue(1, 0, &s->lock[1])); /* not where they want to go */
    FAILS(EAGAIN, requeue(1, 1, s->lock));
    EQ(requeue(1, 0, s->lock), 2); /* 30 has it now, 20 waits for it */
    EQ(s->lock[0] & FUTEX_WAITERS, FUTEX_WAITERS);
    OK(lock(0));
    EQ(s->nr_order, 1); /* this one goes before 20 */
    EQ(requeue(9, 0, s->lock), 2);
    OK(unlock(0));
    for (int i = 0; i < 4; i++)
        wait_ok(pids[i]);
    EQ(s->order[0], 30);
    EQ(s->order[1], 20);
    EQ(s->order[2], 10);
    EQ(s->order[3], 0);
}

/* ---- several at once */

static void wake_third(void) {
    sleep_ms(50);
    while (sys_futex(&s->lock[2], FUTEX_WAKE, 1, 0, 0, 0) == 0)
        sleep_ms(5);
}

static void waitv(void) {
    static struct futex_waitv v[FUTEX_WAITV_MAX + 1];
    struct timespec past = {0, 0};
    int pid;

    begin();
    for (int i = 0; i <= FUTEX_WAITV_MAX; i++)
        v[i] = (struct futex_waitv){.uaddr = (uint64_t)&s->lock[i % 3], .flags = FUTEX2_SIZE_U32};
    FAILS(EINVAL, sys_futex_waitv(v, 0, 0, 0, CLOCK_MONOTONIC));
    FAILS(EINVAL, sys_futex_waitv(v, FUTEX_WAITV_MAX + 1, 0, 0, CLOCK_MONOTONIC));
    FAILS(EINVAL, sys_futex_waitv(v, 1, 1, 0, CLOCK_MONOTONIC));
    FAILS(EINVAL, sys_futex_waitv(v, 1, 0, &past, CLOCK_BOOTTIME));
    FAILS(ETIMEDOUT, sys_futex_waitv(v, FUTEX_WAITV_MAX, 0, &past, CLOCK_MONOTONIC));
    FAILS(ETIMEDOUT, sys_futex_waitv(v, 3, 0, &past, CLOCK_REALTIME));
    v[1].val = 1;
    FAILS(EAGAIN, sys_futex_waitv(v, 3, 0, 0, CLOCK_MONOTONIC));
    v[1].val = 0;
    v[1].flags = 0;
    FAILS(EINVAL, sys_futex_waitv(v, 3, 0, 0, CLOCK_MONOTONIC));
    v[1].flags = FUTEX2_SIZE_U32 | FUTEX2_PRIVATE;
    v[1].uaddr = (uint64_t)unmapped_page();
    FAILS(EFAULT, sys_futex_waitv(v, 3, 0, 0, CLOCK_MONOTONIC));
    v[1].uaddr = (uint64_t)&s->lock[1];
    pid = spawn(wake_third);
    EQ(sys_futex_waitv(v, 3, 0, 0, CLOCK_MONOTONIC), 2);
    wait_ok(pid);
}

/* ---- inversion */

static int64_t cpu_ms(void) { return clock_ms(CLOCK_THREAD_CPUTIME_ID); }

/* M. It begins where L has what it is to have. */
static void spin_between(void) {
    int64_t end = cpu_ms() + 5000 * cases_patience;

    until(&s->holds);
    s->spins = 1;
    while (!s->stop)
        if (cpu_ms() > end) {
            s->gave_up = 1;
            return;
        }
}

/* L. It lets go when H wants the lock and it has run for some more time. */
static void hold_long(void) {
    int64_t end;

    OK(lock(0));
    s->holds = 1;
    while (!s->wants)
        ;
    for (end = cpu_ms() + 10; cpu_ms() < end;)
        ;
    OK(unlock(0));
}

static void want(int which) {
    until(&s->spins);
    sleep_ms(5);
    s->wants = 1;
    OK(lock(which));
    s->stop = 1;
    OK(unlock(which));
}

static void want_lock(void) { want(0); }
static void want_second(void) { want(1); }

static void nobody_gave_up(const int *pids, int n) {
    for (int i = 0; i < n; i++)
        wait_ok(pids[i]);
    EQ(s->gave_up, 0);
}

static void futex_inversion(void) {
    int pids[3];

    begin();
    on_hart_0();
    fifo(0, 50);
    pids[0] = start(0, hold_long);
    until(&s->holds);
    pids[1] = start(20, want_lock);
    pids[2] = start(10, spin_between);
    nobody_gave_up(pids, 3);
}

static void wait_with_first(void) {
    OK(lock(1));
    s->holds = 2;
    OK(lock(0));
    OK(unlock(0));
    OK(unlock(1));
}

/* H waits for a lock of somebody who waits for L's. */
static void chain(void) {
    int pids[4];

    begin();
    on_hart_0();
    fifo(0, 50);
    pids[0] = start(0, hold_long);
    until(&s->holds);
    pids[1] = start(0, wait_with_first);
    asleep(pids[1]);
    EQ(s->holds, 2);
    pids[2] = start(20, want_second);
    pids[3] = start(10, spin_between);
    nobody_gave_up(pids, 4);
}

/* A waiter that is asleep gets a higher priority: so does the owner. */
static void raised_later(void) {
    int pids[3];

    begin();
    on_hart_0();
    fifo(0, 50);
    pids[0] = start(0, hold_long);
    until(&s->holds);
    pids[1] = start(1, take_turn);
    asleep(pids[1]);
    pids[2] = start(10, spin_between);
    until(&s->spins);
    s->wants = 1;
    fifo(pids[1], 20);
    wait_ok(pids[1]);
    s->stop = 1;
    EQ(s->order[0], 20);
    wait_ok(pids[0]);
    wait_ok(pids[2]);
    EQ(s->gave_up, 0);
}

/* Locks of the kernel, held during a long system call in the midst of which M begins: the offset of a description that L and H
 * share, and a file's data. */
#define LONG (8 << 20)
static int file;

static void call_for_long(long (*call)(int fd, void *buf)) {
    char *buf = map_pages(LONG / PAGE, PROT_READ | PROT_WRITE);

    memset(buf, 1, LONG);
    while (!s->stop) {
        s->holds = 1;
        EQ(call(file, buf), LONG);
        s->holds = 0;
        OK(sys_lseek(file, 0, SEEK_SET));
    }
}

static long read_it(int fd, void *buf) { return sys_read(fd, buf, LONG); }
static long write_it(int fd, void *buf) { return sys_write(fd, buf, LONG); }
static void read_long(void) { call_for_long(read_it); }

static void write_long(void) {
    file = (int)OK(open_at("f", O_RDWR, 0));
    call_for_long(write_it);
}

static void want_offset(void) {
    until(&s->spins);
    OK(sys_lseek(file, 0, SEEK_CUR));
    s->stop = 1;
}

static void want_file(void) {
    int fd = (int)OK(open_at("f", O_RDWR, 0));

    until(&s->spins);
    EQ(sys_write(fd, "x", 1), 1);
    s->stop = 1;
}

static void kernel_inversion(void (*l)(void), void (*h)(void)) {
    int pids[3];

    begin();
    on_hart_0();
    file = (int)OK(open_at("f", O_RDWR | O_CREAT, 0600));
    OK(sys_ftruncate(file, LONG));
    fifo(0, 50);
    pids[0] = start(0, l);
    until(&s->holds);
    pids[1] = start(20, h);
    pids[2] = start(10, spin_between);
    nobody_gave_up(pids, 3);
}

static void mutex_inversion(void) { kernel_inversion(read_long, want_offset); }
static void rwlock_inversion(void) { kernel_inversion(write_long, want_file); }

const struct test inherit_tests[] = {
    {"I6_pi_lock", lock_calls, 0},
    {"I6_pi_by_priority", handed_over_by_priority, 0},
    {"I6_pi_deadlock", deadlock, 0},
    {"I6_pi_owner_dies", owner_dies, 0},
    {"I6_pi_waiter_is_killed", waiter_is_killed, 0},
    {"I6_requeue_pi", requeue_pi, 0},
    {"I6_waitv", waitv, 0},
    {"S7_inherits_futex", futex_inversion, 0},
    {"S7_inherits_chain", chain, 0},
    {"S7_inherits_later", raised_later, 0},
    {"S7_inherits_mutex", mutex_inversion, 0},
    {"S7_inherits_rwlock", rwlock_inversion, 0},
    {0, 0, 0},
};
