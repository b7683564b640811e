/* Classes, policies and harts: sched(7). Who got how much is measured in CPU time that the tasks themselves tell, never by the
 * wall clock; so a slow host only makes the cases longer. */
#include "user/usertests/ut.h"
#include "abi/capability.h"
#include "abi/prctl.h"
#include "abi/resource.h"
#include "abi/sched.h"

#define MS 1000000ull
#define MOST 64

/* ---- burners: tasks that compute, and tell for how long they have */

struct burner {
    volatile uint64_t ns;     /* CPU time so far; 0 before it has begun */
    volatile uint64_t steady; /* the same without leaps: then the host had stopped the hart */
    volatile uint64_t seen;   /* bit h: it was on hart h */
    volatile long turns;      /* that ended with others' */
    char line[32];
};
static struct burner *burners;
static int pids[MOST], nr_burners;

static uint64_t cpu_ns(void) {
    struct timespec t;

    OK(sys_clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t));
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void burn(struct burner *b) {
    struct rusage u;
    unsigned hart;
    uint64_t now;

    for (;;) {
        OK(sys_getcpu(&hart, 0, 0));
        __atomic_fetch_or(&b->seen, 1ull << hart, __ATOMIC_RELAXED);
        OK(sys_getrusage(RUSAGE_THREAD, &u));
        b->turns = u.ru_nivcsw;
        now = cpu_ns();
        b->steady += now - b->ns < 20 * MS ? now - b->ns : 0;
        b->ns = now;
    }
}

static void pin(int pid, uint64_t harts) { OK(sys_sched_setaffinity(pid, 8, &harts)); }

static long policy(int pid, int policy, int priority) {
    struct sched_param p = {priority};

    return sys_sched_setscheduler(pid, policy, &p);
}

static uint64_t all_harts(void) {
    uint64_t mask = 0;

    OK(sys_sched_getaffinity(0, sizeof(mask), &mask));
    return mask;
}

static int nr_harts(void) { return __builtin_popcountll(all_harts()); }

/* One more burner on these harts; its number. */
static int add_burner(uint64_t harts, int how, int priority, int nice) {
    int i = nr_burners++;

    if (!burners)
        burners = shared_page();
    pids[i] = fork();
    if (pids[i] == 0) {
        pin(0, harts);
        OK(sys_setpriority(PRIO_PROCESS, 0, nice));
        OK(policy(0, how, priority));
        burn(&burners[i]);
    }
    return i;
}

/* What the kernel has counted for it until now: it may not have told itself yet, on a hart that the host has stopped. */
static uint64_t counted(int i) {
    struct timespec t;

    OK(sys_clock_gettime(~pids[i] << 3 | 2, &t));
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint64_t burnt(void) {
    uint64_t sum = 0;

    for (int i = 0; i < nr_burners; i++)
        sum += counted(i);
    return sum;
}

/* Until all have begun, and what was before the last of them did is evened out. */
static void all_run(void) {
    uint64_t start;

    for (int i = 0; i < nr_burners; i++)
        while (!burners[i].ns)
            sleep_ms(2);
    for (start = burnt(); burnt() - start < (uint64_t)nr_burners * 100 * MS;)
        sleep_ms(10);
}

/* Until they have had so much together; got[]: how much of it each had. */
static void let_run(uint64_t ms, uint64_t *got) {
    uint64_t start = burnt();

    for (int i = 0; i < nr_burners; i++)
        got[i] = counted(i);
    while (burnt() - start < ms * MS)
        sleep_ms(10);
    for (int i = 0; i < nr_burners; i++)
        got[i] = counted(i) - got[i];
}

static void end_burners(void) {
    for (int i = 0; i < nr_burners; i++)
        OK(sys_kill(pids[i], SIGKILL));
    for (int i = 0; i < nr_burners; i++)
        wait_status(pids[i]);
}

static void measure(uint64_t ms, uint64_t *got) {
    all_run();
    let_run(ms, got);
    end_burners();
}

/* Part `a` of `whole` is `wanted`, both in thousandths, give or take `error`. */
static void share(uint64_t a, uint64_t whole, int wanted, int error) {
    int is = (int)(a * 1000 / whole);

    if (is < wanted - error || is > wanted + error)
        fail_at(HERE, "%d of a thousand instead of %d, +-%d", is, wanted, error);
}

static uint64_t sum_of(const uint64_t *got) {
    uint64_t sum = 0;

    for (int i = 0; i < nr_burners; i++)
        sum += got[i];
    return sum;
}

/* ---- the table of classes */

static bool fair_is(const char *name) {
    char text[512], wanted[16];
    int fd = (int)OK(open_at("/proc/sched_classes", O_RDONLY, 0));
    long n = OK(sys_read(fd, text, sizeof(text) - 1));

    text[n] = 0;
    sys_close(fd);
    snprintf(wanted, sizeof(wanted), "\n%s ", name);
    return strstr(text, wanted);
}

static void class_table(void) {
    CHECK(fair_is("rt") && fair_is("idle"));
    EQ(fair_is("cfs") + fair_is("o1") + fair_is("rr"), 1);
}

static void only_for(const char *class) {
    if (!fair_is(class))
        skip("another class is chosen at boot");
}

/* ---- shares */

static void two_on_a_hart(int nice) {
    add_burner(1, SCHED_NORMAL, 0, 0);
    add_burner(1, SCHED_NORMAL, 0, nice);
}

/* Slices are not made up for: a host that stops in one of them lengthens it. But each task has as many as the other. */
static void rr_ignores_nice(void) {
    uint64_t got[MOST];
    long turns;

    only_for("rr");
    two_on_a_hart(15);
    sleep_ms(100);
    turns = burners[0].turns - burners[1].turns;
    measure(800, got);
    turns = burners[0].turns - burners[1].turns - turns;
    CHECK(turns >= -3 && turns <= 3);
    CHECK(burners[1].turns > 10);
}

/* Slices of 100 and 25 ms, once none counts as interactive. */
static void o1_slices(void) {
    uint64_t got[MOST];

    only_for("o1");
    two_on_a_hart(15);
    sleep_ms(2500);
    measure(2500, got);
    share(got[0], sum_of(got), 800, 180);
}

static const int weights[40] = {
    88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916, 9548, 7620, 6100, 4904,
    3906,  3121,  2501,  1991,  1586,  1277,  1024,  820,   655,   526,   423,  335,  272,  215,
    172,   137,   110,   87,    70,    56,    45,    36,    29,    23,    18,   15};

/* The worst of the burners: by how many thousandths of what is due to it, or, if that is less, of one `part`th of all, it had more or
 * less. */
static int worst_share(const uint64_t *got, const int *weight, int part) {
    uint64_t all = 0, sum = sum_of(got), least = sum / (uint64_t)part, worst = 0;

    for (int i = 0; i < nr_burners; i++)
        all += (uint64_t)weight[i];
    for (int i = 0; i < nr_burners; i++) {
        uint64_t due = sum / all * (uint64_t)weight[i];
        uint64_t off = got[i] > due ? got[i] - due : due - got[i];

        off = off * 1000 / (due > least ? due : least);
        worst = off > worst ? off : worst;
    }
    return (int)worst;
}

/* All have what is due to their weights after this time each, give or take `error` thousandths. A host that stops a hart for a while
 * charges that to the task on it, which gets it less afterwards, perhaps too late: then look again, for twice as long. */
static void shares_follow(const int *weight, int part, int ms, int error) {
    uint64_t got[MOST];
    int off = 1000;

    all_run();
    for (int i = 0; i < 4 && off > error; i++, ms *= 2) {
        let_run((uint64_t)ms * (uint64_t)nr_burners, got);
        off = worst_share(got, weight, part);
    }
    end_burners();
    if (off > error)
        fail_at(HERE, "the worst has %d thousandths too much or too little", off);
}

/* Burners of these nice values, of each as many as there are harts. On several of them errors are parts of a hart: whom the host stops
 * there once may have had what is due to it in a minute. */
static void weighted(const int *nices, int n, uint64_t harts, int ms, int error) {
    int weight[MOST], copies = __builtin_popcountll(harts);

    only_for("cfs");
    for (int i = 0; i < n * copies; i++) {
        add_burner(harts, SCHED_NORMAL, 0, nices[i % n]);
        weight[i] = weights[20 + nices[i % n]];
    }
    shares_follow(weight, copies > 1 ? copies : 10, ms / nr_burners, error);
}

static const int mild[] = {-5, 0, 5}, wild[] = {-20, -10, 0, 10, 19};

static void cfs_weights(void) { weighted(mild, 3, 1, 1000, 20); }
static void cfs_weights_long(void) { weighted(mild, 3, 1, 10000, 20); }
static void cfs_weights_wild(void) { weighted(wild, 5, 1, 10000, 20); }
static void cfs_mild_harts(void) { weighted(mild, 3, all_harts(), 10000 * nr_harts(), 20); }
static void cfs_wild_harts(void) { weighted(wild, 5, all_harts(), 10000 * nr_harts(), 20); }

/* What others burn while this task sleeps a hundred times, with its waiting for the hart. */
static uint64_t burnt_meanwhile(void) {
    uint64_t start = burnt();

    for (int i = 0; i < 100; i++)
        sleep_ms(2);
    return burnt() - start;
}

/* It waits for the end of one turn at most: that is less than what a real-time task lets them burn once more; behind
 * eight others it would be six times as much. */
static void sleeper_first(void) {
    uint64_t least;

    only_for("cfs");
    for (int i = 0; i < 8; i++)
        add_burner(1, SCHED_NORMAL, 0, 0);
    pin(0, 1);
    for (int i = 0; i < 8; i++)
        while (!burners[i].ns)
            sleep_ms(2);
    OK(policy(0, SCHED_FIFO, 1));
    least = burnt_meanwhile();
    OK(policy(0, SCHED_NORMAL, 0));
    CHECK(burnt_meanwhile() < 3 * least);
}

/* ---- policies */

/* Does the other one not run while we compute? */
static bool keeps_from(int other) {
    uint64_t before = burners[other].ns, until;

    for (until = cpu_ns() + 100 * MS; cpu_ns() < until;)
        ;
    EQ(sys_sched_yield(), 0);
    return burners[other].ns == before;
}

/* When the host stops the hart for a second, that counts as ours, and is more than real-time tasks may have: but it does so not
 * each time. */
static void fifo_keeps_the_hart(void) {
    int other = add_burner(1, SCHED_NORMAL, 0, 0), tries = 0;
    uint64_t before;

    pin(0, 1);
    while (!burners[other].ns)
        sleep_ms(2);
    OK(policy(0, SCHED_FIFO, 10));
    while (!keeps_from(other))
        CHECK(++tries < 10);
    before = burners[other].ns;
    OK(policy(0, SCHED_NORMAL, 0));
    while (burners[other].ns == before)
        sys_sched_yield();
}

static void priority_order(void) {
    static const int priority[] = {10, 30, 20, 30};
    volatile int *order = shared_page();
    int pid[4];

    pin(0, 1);
    OK(policy(0, SCHED_FIFO, 50));
    for (int i = 0; i < 4; i++) {
        pid[i] = fork();
        if (pid[i] == 0) {
            order[1 + order[0]] = i;
            order[0]++;
            sys_exit_group(0);
        }
        EQ(policy(pid[i], SCHED_FIFO, priority[i]), 0);
    }
    EQ(order[0], 0);
    for (int i = 0; i < 4; i++)
        wait_ok(pid[i]);
    EQ(order[1], 1); /* equals in the order in which they came */
    EQ(order[2], 3);
    EQ(order[3], 2);
    EQ(order[4], 0);
}

/* How much the second of two equal real-time tasks gets, in thousandths. */
static int second_of(int how) {
    uint64_t until, sum;

    pin(0, 1);
    OK(policy(0, SCHED_FIFO, 60));
    nr_burners = 0;
    memset((void *)(burners = shared_page()), 0, PAGE);
    add_burner(1, how, 20, 0);
    add_burner(1, how, 20, 0);
    for (until = 0; until < 1500 * MS; until = burnt())
        sleep_ms(20);
    sum = burnt();
    until = burners[1].ns < burners[0].ns ? burners[1].ns : burners[0].ns;
    for (int i = 0; i < 2; i++) /* both first: one of them may keep the other from dying */
        OK(sys_kill(pids[i], SIGKILL));
    for (int i = 0; i < 2; i++)
        wait_status(pids[i]);
    return (int)(until * 1000 / sum);
}

/* All of it may be the first one's, if the host stops the hart meanwhile: but not each time. */
static void rr_takes_turns(void) {
    int tries = 0;

    while (second_of(SCHED_RR) <= 200)
        CHECK(++tries < 5);
    EQ(second_of(SCHED_FIFO), 0);
}

static void idle_policy(void) {
    uint64_t got[MOST];

    only_for("cfs");
    add_burner(1, SCHED_NORMAL, 0, 0);
    add_burner(1, SCHED_IDLE, 0, 0);
    measure(1000, got);
    CHECK(got[1] < sum_of(got) / 20);
}

static void batch_policy(void) {
    uint64_t got[MOST];

    only_for("cfs");
    add_burner(1, SCHED_NORMAL, 0, 0);
    add_burner(1, SCHED_BATCH, 0, 0);
    measure(1000, got);
    share(got[0], sum_of(got), 500, 40);
}

/* ---- calls */

static void bad_arguments(void) {
    struct sched_param p = {0}, top = {100}, one = {1};
    struct sched_attr a = {.size = sizeof(a), .sched_policy = SCHED_DEADLINE};
    struct timespec t;

    FAILS(EINVAL, sys_sched_setscheduler(0, 4, &p));
    FAILS(EINVAL, sys_sched_setscheduler(0, -1, &p));
    FAILS(EINVAL, sys_sched_setscheduler(-1, SCHED_NORMAL, &p));
    FAILS(EINVAL, sys_sched_setscheduler(0, SCHED_NORMAL, 0));
    FAILS(EINVAL, sys_sched_setscheduler(0, SCHED_NORMAL, &one));
    FAILS(EINVAL, sys_sched_setscheduler(0, SCHED_FIFO, &p));
    FAILS(EINVAL, sys_sched_setscheduler(0, SCHED_RR, &top));
    FAILS(EINVAL, sys_sched_setparam(0, &one));
    FAILS(EFAULT, sys_sched_setscheduler(0, SCHED_NORMAL, unmapped_page()));
    FAILS(ESRCH, sys_sched_setscheduler(999999999, SCHED_NORMAL, &p));
    FAILS(ESRCH, sys_sched_getscheduler(999999999));
    FAILS(EINVAL, sys_sched_getscheduler(-1));
    FAILS(ESRCH, sys_sched_getparam(999999999, &p));
    FAILS(EINVAL, sys_sched_getparam(0, 0));
    FAILS(EFAULT, sys_sched_getparam(0, unmapped_page()));
    FAILS(EINVAL, sys_sched_setattr(0, &a, 0));
    a.sched_policy = SCHED_NORMAL;
    FAILS(EINVAL, sys_sched_setattr(0, &a, 1));
    a.sched_flags = 1 << 20;
    FAILS(EINVAL, sys_sched_setattr(0, &a, 0));
    a.size = 47;
    FAILS(E2BIG, sys_sched_setattr(0, &a, 0));
    EQ(a.size, sizeof(a));
    FAILS(EINVAL, sys_sched_getattr(0, &a, 47, 0));
    FAILS(EINVAL, sys_sched_getattr(0, &a, sizeof(a), 1));
    FAILS(ESRCH, sys_sched_rr_get_interval(999999999, &t));
    FAILS(EINVAL, sys_sched_get_priority_max(4));
    FAILS(EINVAL, sys_sched_get_priority_min(-1));
    EQ(sys_sched_get_priority_max(SCHED_FIFO), 99);
    EQ(sys_sched_get_priority_min(SCHED_RR), 1);
    EQ(sys_sched_get_priority_max(SCHED_NORMAL), 0);
}

static void attributes(void) {
    struct {
        struct sched_attr attr;
        uint64_t more;
    } big = {{.size = sizeof(big), .sched_policy = SCHED_BATCH, .sched_nice = 5}, 0};
    struct sched_attr *a = &big.attr;
    struct timespec t;

    OK(sys_sched_setattr(0, a, 0));
    EQ(sys_sched_getscheduler(0), SCHED_BATCH);
    EQ(sys_getpriority(PRIO_PROCESS, 0), 15);
    big.more = 1;
    FAILS(E2BIG, sys_sched_setattr(0, a, 0));
    *a = (struct sched_attr){.sched_policy = SCHED_RR, .sched_priority = 7};
    OK(sys_sched_setattr(0, a, 0)); /* a size of 0 is the first version's */
    OK(sys_sched_getattr(0, a, sizeof(*a), 0));
    EQ(a->size, sizeof(*a));
    EQ(a->sched_policy, SCHED_RR);
    EQ(a->sched_priority, 7);
    OK(sys_sched_rr_get_interval(0, &t));
    EQ(t.tv_nsec, 100000000);
    a->sched_flags = SCHED_FLAG_KEEP_POLICY;
    a->sched_priority = 9;
    OK(sys_sched_setattr(0, a, 0));
    a->sched_flags = SCHED_FLAG_KEEP_PARAMS;
    a->sched_policy = SCHED_FIFO;
    a->sched_priority = 50;
    OK(sys_sched_setattr(0, a, 0));
    OK(sys_sched_getattr(0, a, SCHED_ATTR_SIZE_VER0, 0));
    EQ(a->size, SCHED_ATTR_SIZE_VER0);
    EQ(a->sched_policy, SCHED_FIFO);
    EQ(a->sched_priority, 9);
    OK(sys_sched_rr_get_interval(0, &t));
    EQ(t.tv_nsec, 0);
    OK(policy(0, SCHED_NORMAL, 0));
    EQ(sys_getpriority(PRIO_PROCESS, 0), 15); /* nice survives */
}

static void is_plain(void) {
    EQ(sys_sched_getscheduler(0), SCHED_NORMAL);
    EQ(sys_getpriority(PRIO_PROCESS, 0), 20);
}

static void reset_on_fork(void) {
    OK(policy(0, SCHED_FIFO | SCHED_RESET_ON_FORK, 3));
    EQ(sys_sched_getscheduler(0), SCHED_FIFO | SCHED_RESET_ON_FORK);
    child_ok(is_plain);
    OK(policy(0, SCHED_NORMAL | SCHED_RESET_ON_FORK, 0));
    OK(sys_setpriority(PRIO_PROCESS, 0, -4));
    child_ok(is_plain);
    become_user(1000);
    FAILS(EPERM, policy(0, SCHED_NORMAL, 0)); /* it stays */
    OK(policy(0, SCHED_BATCH | SCHED_RESET_ON_FORK, 0));
}

static void set_limit(int which, uint64_t value) {
    struct rlimit l = {value, value};

    OK(sys_setrlimit(which, &l));
}

static void rights(void) {
    int root = spawn(sleep_long);

    set_limit(RLIMIT_RTPRIO, 0);
    become_user(1000);
    FAILS(EPERM, policy(0, SCHED_FIFO, 1));
    FAILS(EPERM, policy(0, SCHED_RR, 1));
    FAILS(EPERM, policy(root, SCHED_BATCH, 0)); /* somebody else's */
    OK(policy(0, SCHED_BATCH, 0));
    OK(policy(0, SCHED_IDLE, 0));
    FAILS(EPERM, policy(0, SCHED_NORMAL, 0)); /* as if its nice were 20 */
}

static void rt_limit(void) {
    struct sched_attr a = {.size = sizeof(a), .sched_nice = -1};

    set_limit(RLIMIT_RTPRIO, 10);
    set_limit(RLIMIT_NICE, 15); /* down to nice 5 */
    OK(sys_setpriority(PRIO_PROCESS, 0, 10));
    OK(policy(0, SCHED_FIFO, 20));
    become_user(1000);
    OK(policy(0, SCHED_RR, 20)); /* no higher than it is */
    FAILS(EPERM, policy(0, SCHED_RR, 21));
    OK(policy(0, SCHED_FIFO, 5));
    FAILS(EPERM, policy(0, SCHED_FIFO, 11));
    OK(policy(0, SCHED_FIFO, 10));
    FAILS(EPERM, sys_sched_setattr(0, &a, 0));
    a.sched_nice = 5;
    OK(sys_sched_setattr(0, &a, 0));
    OK(policy(0, SCHED_IDLE, 0));
    OK(policy(0, SCHED_NORMAL, 0));
}

/* ---- what real-time tasks may not have */

static void rt_limits(const char *runtime) {
    put_file("/proc/sys/kernel/sched_rt_runtime_us", runtime);
}

/* One that never sleeps leaves a part of the time to another on its hart, unless it may have all. */
static void rt_throttled(void) {
    int other;
    uint64_t before, until;

    expect_file("/proc/sys/kernel/sched_rt_runtime_us", "950000\n");
    expect_file("/proc/sys/kernel/sched_rt_period_us", "1000000\n");
    other = add_burner(1, SCHED_NORMAL, 0, 0);
    pin(0, 1);
    while (!burners[other].ns)
        sleep_ms(2);
    OK(policy(0, SCHED_FIFO, 10));
    rt_limits("-1");
    before = burners[other].ns;
    for (until = cpu_ns() + 1500 * MS; cpu_ns() < until;)
        ;
    EQ(burners[other].ns, before);
    rt_limits("950000");
    for (until = cpu_ns() + 5000 * MS; burners[other].ns - before < 20 * MS;)
        CHECK(cpu_ns() < until);
}

static void rt_limit_values(void) {
    static const char *const bad[] = {"1000001", "-2", "x", ""};
    int fd = (int)OK(open_at("/proc/sys/kernel/sched_rt_runtime_us", O_WRONLY, 0));

    for (size_t i = 0; i < 4; i++)
        FAILS(EINVAL, bad[i][0] ? sys_write(fd, bad[i], strlen(bad[i])) : -EINVAL);
    sys_close(fd);
    fd = (int)OK(open_at("/proc/sys/kernel/sched_rt_period_us", O_WRONLY, 0));
    FAILS(EINVAL, sys_write(fd, "0", 1));
    FAILS(EINVAL, sys_write(fd, "900000", 6)); /* less than runtime */
    sys_close(fd);
    become_user(1000);
    FAILS(EACCES, open_at("/proc/sys/kernel/sched_rt_runtime_us", O_WRONLY, 0));
}

static volatile int told;

static void limit_reached(int sig) { told += sig == SIGXCPU; }

static void burn_ms(uint64_t ms) {
    for (uint64_t until = cpu_ns() + ms * MS; cpu_ns() < until;)
        ;
}

static void burn_as_rt(void) {
    struct rlimit l = {1500000, 3000000};
    uint64_t last = 0, most = 0;

    on_signal(SIGXCPU, limit_reached, 0);
    OK(sys_setrlimit(RLIMIT_RTTIME, &l));
    OK(policy(0, SCHED_FIFO, 10));
    for (int i = 0; i < 5; i++) { /* each sleep begins a new account */
        uint64_t start = cpu_ns();
        burn_ms(400);
        sleep_ms(1);
        uint64_t took = cpu_ns() - start;
        most = last + took > most ? last + took : most;
        last = took;
    }
    /* What the host has stopped the hart for counts, too, and may count for the next turn. */
    CHECK(told == 0 || most > 1400 * MS);
    while (!told)
        ;
    for (;;)
        ;
}

static void rt_time(void) { EQ(child_signal(burn_as_rt), SIGKILL); }

/* ---- harts */

/* n burners on all harts; each gets the same part. */
static void fair_on_harts(int n, int ms, int error) {
    int weight[MOST];

    if (nr_harts() < 2)
        skip("one hart");
    for (int i = 0; i < n; i++) {
        add_burner(all_harts(), SCHED_NORMAL, 0, 0);
        weight[i] = 1;
    }
    shares_follow(weight, MOST, ms, error);
}

static void fair_1(void) { fair_on_harts(nr_harts() + 1, 1500, 50); }
static void fair_2(void) { fair_on_harts(2 * nr_harts() - 1, 1500, 50); }
static void fair_3(void) { fair_on_harts(3 * nr_harts() + 1, 1500, 50); }
static void fair_4(void) { fair_on_harts(4 * nr_harts(), 1500, 50); }

static void only_where_allowed(void) {
    uint64_t got[MOST], harts = all_harts(), two = harts & 6;
    int last = 63 - __builtin_clzll(harts);

    if (nr_harts() < 4)
        skip("fewer than four harts");
    for (int i = 0; i < 5; i++)
        add_burner(two, SCHED_NORMAL, 0, 0);
    add_burner(1ull << last, SCHED_NORMAL, 0, 0);
    measure(1000, got);
    for (int i = 0; i < 5; i++)
        EQ(burners[i].seen & ~two, 0);
    EQ(burners[5].seen, 1ull << last);
}

static void moved_at_once(void) {
    int b = add_burner(all_harts(), SCHED_NORMAL, 0, 0);
    uint64_t harts = all_harts();

    while (!burners[b].ns) /* by then it has set its harts itself */
        sleep_ms(2);
    for (int h = 0; h < 64; h++) {
        if (!(harts >> h & 1))
            continue;
        pin(pids[b], 1ull << h);
        burners[b].seen = 0;
        while (!burners[b].seen)
            sleep_ms(2);
        burners[b].seen = 0; /* what it was about to write may have been there */
        while (!burners[b].seen)
            sleep_ms(2);
        EQ(burners[b].seen, 1ull << h);
    }
}

static void sleep_us(int us) { OK(sys_nanosleep(&(struct timespec){0, us * 1000}, 0)); }

/* Computes for a moment and sleeps for a moment, so that it is often on its way between two queues. */
static void wander(void) {
    unsigned hart;

    for (;;) {
        for (int i = 0; i < 20; i++) {
            OK(sys_getcpu(&hart, 0, 0));
            __atomic_fetch_or(&burners->seen, 1ull << hart, __ATOMIC_RELAXED);
            __atomic_fetch_add(&burners->turns, 1, __ATOMIC_RELAXED);
        }
        sleep_us(20);
    }
}

static void wander_unseen(void) {
    burners = shared_page();
    wander();
}

/* Wherever the task is just then, it is on that hart only when the call is over. */
static void moved_on_its_way(void) {
    uint64_t harts = all_harts();
    int pid, n = nr_harts();
    long turns;

    if (n < 2)
        skip("one hart");
    burners = shared_page();
    pid = spawn(wander);
    for (int i = 0; i < n; i++)
        spawn(wander_unseen);
    for (int i = 0; i < 300; i++) {
        pin(pid, 1ull << i % n);
        for (turns = burners->turns; burners->turns < turns + 2;)
            sleep_us(100); /* what it was about to write it has written */
        burners->seen = 0;
        while (!burners->seen)
            sleep_us(100);
        EQ(burners->seen, 1ull << i % n);
        pin(pid, harts);
        for (turns = burners->turns; burners->turns < turns + 30;)
            sleep_us(100);
    }
}

/* Two real-time tasks that may run anywhere do not wait for each other while there is another hart. */
static void rt_spreads(void) {
    if (nr_harts() < 3)
        skip("fewer than three harts");
    OK(policy(0, SCHED_FIFO, 60));
    for (int i = 0; i < nr_harts() - 1; i++)
        add_burner(all_harts(), SCHED_FIFO, 20, 0);
    for (int i = 0; i < nr_harts() - 1; i++)
        while (burners[i].ns < 20 * MS)
            sleep_ms(5);
}

/* ---- the tick, and what is counted */

static bool booted_with(const char *word) {
    char text[1024];

    OK(read_file("/proc/cmdline", text, sizeof(text)));
    return strstr(text, word);
}

/* Timer interrupts of a hart so far. */
static long timer_interrupts(int hart) {
    char text[4096], *at;

    OK(read_file("/proc/interrupts", text, sizeof(text)));
    at = strstr(text, "TIM:");
    CHECK(at != 0);
    at += 4;
    for (int h = 0;; h++) {
        while (*at == ' ')
            at++;
        if (h == hart)
            return atoi(at);
        while (*at > ' ')
            at++;
    }
}

/* Timer interrupts of hart 0 so far that were not for usertests itself, which looks each millisecond whether we have ended. */
static long others_interrupts(void) {
    char path[40];

    snprintf(path, sizeof(path), "/proc/%d/status", (int)sys_getppid());
    return timer_interrupts(0) - proc_number(path, "\nvoluntary_ctxt_switches:");
}

/* How many while eight tasks sleep 5 ms twenty times each, and may sleep `slack` longer. */
static long interrupts_of_sleepers(uint64_t slack) {
    long before;

    OK(sys_prctl(PR_SET_TIMERSLACK, slack, 0, 0, 0));
    before = others_interrupts();
    for (int i = 0; i < 8; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            sys_nanosleep(&(struct timespec){0, 600000 * i}, 0);
            for (int n = 0; n < 20; n++)
                sleep_ms(5);
            sys_exit_group(0);
        }
    }
    for (int i = 0; i < 8; i++)
        wait_ok(pids[i]);
    return others_interrupts() - before;
}

static void loose_timers(void) {
    long tight, loose;

    pin(0, 1);
    tight = interrupts_of_sleepers(1);
    loose = interrupts_of_sleepers(20 * MS);
    if (tight < 100 || loose > tight / 2)
        fail_at(HERE, "%ld timer interrupts, with slack %ld", tight, loose);
}

/* A task that computes alone on its hart; then with another one there, which brings the tick back. */
static void lone_task(void) {
    int hart = nr_harts() - 1;
    uint64_t got[MOST];
    long ticks;

    if (!booted_with("nohz=full"))
        skip("for nohz=full");
    if (nr_harts() < 2)
        skip("one hart");
    pin(0, 1);
    add_burner(1ull << hart, SCHED_NORMAL, 0, 0);
    while (burners[0].ns < 100 * MS)
        sleep_ms(10);
    ticks = timer_interrupts(hart);
    sleep_ms(6000);
    ticks = timer_interrupts(hart) - ticks;
    if (ticks >= 2 * 6)
        fail_at(HERE, "%ld timer interrupts", ticks);
    CHECK(burners[0].ns > 300 * MS);
    add_burner(1ull << hart, SCHED_NORMAL, 0, 0);
    ticks = timer_interrupts(hart);
    if (fair_is("cfs"))
        shares_follow((int[]){1, 1}, MOST, 1000, 120);
    else
        measure(2000, got);
    CHECK(timer_interrupts(hart) - ticks > 10);
}

static int64_t us_of(struct timeval t) { return t.tv_sec * 1000000 + t.tv_usec; }

static void make_calls(void) {
    static char buf[16 * PAGE];
    long fd = OK(open_at("/dev/zero", O_RDONLY, 0));

    OK(sys_read((int)fd, buf, sizeof(buf)));
    OK(sys_close((int)fd));
}

static void make_none(void) {
    for (volatile int i = 0; i < 100000; i++)
        ;
}

/* The kernel's part of 200 ms of this, in thousandths. If the host stops the hart, one of the two gets all of that. */
static int system_share(void (*f)(void)) {
    struct rusage before, u;
    uint64_t start = cpu_ns();
    int64_t user, system;

    OK(sys_getrusage(RUSAGE_SELF, &before));
    while (cpu_ns() - start < 210 * MS)
        f();
    OK(sys_getrusage(RUSAGE_SELF, &u));
    user = us_of(u.ru_utime) - us_of(before.ru_utime);
    system = us_of(u.ru_stime) - us_of(before.ru_stime);
    CHECK(user + system >= 200 * 1000);
    return (int)(system * 1000 / (user + system));
}

/* Most of a task's time is the kernel's, and some its own, though no tick looks. */
static void counted_calls(void) {
    int tries = 0;

    if (!booted_with("nohz=full"))
        skip("for nohz=full");
    while (system_share(make_calls) < 333)
        CHECK(++tries < 10);
    while (system_share(make_none) > 250)
        CHECK(++tries < 20);
}

/* /proc/PID/schedstat: ns on a hart, ns that it waited, turns */
static void schedstat(const char *pid, uint64_t *to) {
    char path[40], text[80], *at = text;

    snprintf(path, sizeof(path), "/proc/%s/schedstat", pid);
    OK(read_file(path, text, sizeof(text)));
    for (int i = 0; i < 3; i++) {
        for (to[i] = 0; *at >= '0' && *at <= '9'; at++)
            to[i] = to[i] * 10 + (uint64_t)(*at - '0');
        EQ(*at++, i < 2 ? ' ' : '\n');
    }
}

/* Of two that share a hart each waits about as long as the other runs. What it has waited is known when it has the hart
 * again. */
static void waits_are_counted(void) {
    uint64_t before[3], after[3], got[MOST], ran, turns;
    char pid[12];

    add_burner(1, SCHED_NORMAL, 0, 0);
    add_burner(1, SCHED_NORMAL, 0, 0);
    snprintf(pid, sizeof(pid), "%d", pids[0]);
    while (!burners[0].ns || !burners[1].ns)
        sleep_ms(2);
    schedstat(pid, before);
    for (ran = counted(1); counted(1) - ran < 400 * MS;)
        sleep_ms(10);
    schedstat(pid, after);
    for (turns = after[2]; after[2] == turns; schedstat(pid, after))
        sleep_ms(10);
    CHECK(after[1] - before[1] > 200 * MS);
    CHECK(after[0] > before[0] && after[2] > before[2]);
    measure(10, got);
}

static void switches_agree(void) {
    struct rusage u[2];
    uint64_t s[3];
    char text[2048];

    do {
        sleep_ms(1);
        OK(sys_getrusage(RUSAGE_THREAD, &u[0]));
    } while (u[0].ru_nvcsw < 3);
    schedstat("self", s);
    OK(sys_getrusage(RUSAGE_THREAD, &u[1]));
    CHECK((int64_t)s[2] > u[0].ru_nvcsw + u[0].ru_nivcsw);
    CHECK((int64_t)s[2] <= u[1].ru_nvcsw + u[1].ru_nivcsw + 1);
    CHECK(s[0] <= cpu_ns());
    OK(sys_setpriority(PRIO_PROCESS, 0, 3));
    OK(read_file("/proc/self/sched", text, sizeof(text)));
    CHECK(strstr(text, "usertests (") == text);
    for (int i = 0; i < 2; i++) {
        char *line = strstr(text, i ? "\nprio" : "\nnr_voluntary_switches");
        CHECK(line && (line = strchr(line, ':')));
        while (*++line == ' ')
            ;
        CHECK(i ? atoi(line) == 123 : atoi(line) >= 3);
    }
    OK(read_file("/proc/schedstat", text, sizeof(text)));
    CHECK(strstr(text, "version 15\n") == text && strstr(text, "\ncpu0 "));
}

static long load_hundredths(void) {
    char text[80];

    OK(read_file("/proc/loadavg", text, sizeof(text)));
    return atoi(text) * 100 + atoi(strchr(text, '.') + 1);
}

/* The first average moves within 20 s by 28 % of what there is now. */
static void load_averages(void) {
    uint64_t got[MOST];
    long before, after;

    before = load_hundredths();
    for (int i = 0; i < 4; i++)
        add_burner(1, SCHED_NORMAL, 0, 0);
    sleep_ms(20000);
    after = load_hundredths();
    CHECK(after - before * 72 / 100 > 60 && after - before * 72 / 100 < 200);
    measure(10, got);
}

/* Who comes from a hart that was idle for long has not been waiting all that time. */
static void arrives_from_idle(void) {
    int hart = nr_harts() - 1;
    uint64_t had;

    only_for("cfs");
    if (hart == 0)
        skip("one hart");
    add_burner(1ull << hart, SCHED_NORMAL, 0, 0);
    while (burners[0].ns < 2000 * MS)
        sleep_ms(500);
    pin(0, 1);
    had = counted(0);
    add_burner(1ull << hart, SCHED_NORMAL, 0, 0);
    while (counted(0) - had < 300 * MS) {
        CHECK(burners[1].steady < 700 * MS);
        sleep_ms(2);
    }
    measure(10, (uint64_t[MOST]){0});
}

/* Those that compare times are run by name, by tests/features/test_scheduling.py: a host that stops a hart charges that to the task
 * that is on it. On one hart QEMU can count instructions instead; several harts are simulated by tests/unit/test_shares.c. */
const struct test scheduling_tests[] = {
    {"S1_waits_are_counted", waits_are_counted, 0},
    {"S1_switches_agree", switches_agree, 0},
    {"S1_counted_calls", counted_calls, 0},
    {"S1_load_averages", load_averages, SLOW},
    {"S3_class_table", class_table, 0},
    {"S4_rr_ignores_nice", rr_ignores_nice, 0},
    {"S5_o1_slices", o1_slices, VAST},
    {"S6_cfs_weights", cfs_weights, VAST},
    {"S6_cfs_weights_long", cfs_weights_long, VAST},
    {"S6_cfs_weights_wild", cfs_weights_wild, VAST},
    {"S6_cfs_weights_harts", cfs_mild_harts, VAST},
    {"S6_cfs_weights_wild_harts", cfs_wild_harts, VAST},
    {"S6_sleeper_first", sleeper_first, VAST},
    {"S7_fifo_keeps_the_hart", fifo_keeps_the_hart, 0},
    {"S7_priority_order", priority_order, 0},
    {"S7_rr_takes_turns", rr_takes_turns, 0},
    {"S7_idle_policy", idle_policy, VAST},
    {"S7_batch_policy", batch_policy, VAST},
    {"S7_bad_arguments", bad_arguments, 0},
    {"S7_attributes", attributes, 0},
    {"S7_reset_on_fork", reset_on_fork, 0},
    {"S7_rights", rights, 0},
    {"S7_rt_limit", rt_limit, 0},
    {"S7_rt_throttled", rt_throttled, 0},
    {"S7_rt_limit_values", rt_limit_values, 0},
    {"S7_rt_time", rt_time, 0},
    {"S8_fair_H_plus_1", fair_1, VAST},
    {"S8_fair_2H_minus_1", fair_2, VAST},
    {"S8_fair_3H_plus_1", fair_3, VAST},
    {"S8_fair_4H", fair_4, VAST},
    {"S8_arrives_from_idle", arrives_from_idle, 0},
    {"S8_only_where_allowed", only_where_allowed, 0},
    {"S8_moved_at_once", moved_at_once, 0},
    {"S8_moved_on_its_way", moved_on_its_way, 0},
    {"S8_rt_spreads", rt_spreads, 0},
    {"S10_lone_task", lone_task, SLOW},
    {"S10_loose_timers", loose_timers, VAST},
    {0, 0, 0},
};
