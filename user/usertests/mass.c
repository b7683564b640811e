/* Tasks in large numbers: thousands asleep, forks and ends by the hundred thousand, numbers that wrap around, a user who
 * forks without end, and kills at random moments. */
#include "user/usertests/ut.h"
#include "abi/futex.h"
#include "abi/prctl.h"
#include "abi/resource.h"
#include "abi/sched.h"

#define USER 4000 /* who has no other tasks */

static volatile int *words; /* shared with children */

static void share_words(void) {
    words = (volatile int *)OK(
        sys_mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
}

/* How many processes /proc lists, of one user or, if that is negative, of all. */
static int listed(long uid) {
    struct dir *d = xmalloc(sizeof(*d));
    struct abi_dirent *e;
    struct abi_stat st;
    int n = 0;

    OK(dir_open(d, "/proc"));
    while ((e = dir_next(d))) {
        if (*e->d_name < '1' || *e->d_name > '9')
            continue;
        n += uid < 0 || (sys_newfstatat(d->fd, e->d_name, &st, 0) == 0 && st.st_uid == uid);
    }
    dir_close(d);
    free(d);
    return n;
}

/* Children come and go; some may be ours only since their parent is dead. */
static void reap_all(void) {
    int64_t last = now_ms();
    long r;

    while ((r = sys_wait4(-1, 0, WNOHANG | __WALL, 0)) >= 0) {
        if (r > 0) {
            last = now_ms();
            continue;
        }
        CHECK(now_ms() - last < 10000);
        sleep_ms(1);
    }
    EQ(r, -ECHILD);
}

/* ---- asleep */

#define SMALL_STACK 512

static int gate[2]; /* a pipe into which nobody writes: its end wakes its readers */

static int wait_at_gate(void *arg) {
    char c;

    (void)arg;
    sys_close(gate[1]);
    return sys_read(gate[0], &c, 1) != 0;
}

static const char *const kinds[] = {
    "MemFree:", "KernelStack:", "PageTables:", "Slab:", "AnonPages:"};

static void read_memory(long *kb) {
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        kb[i] = proc_number("/proc/meminfo", kinds[i]);
}

static void print_cost(int count, const long *before, const long *now) {
    printf("# %d tasks, bytes for each: %ld", count, (before[0] - now[0]) * 1024 / count);
    for (size_t i = 1; i < ARRAY_LEN(kinds); i++)
        printf(", %s %ld", kinds[i], (now[i] - before[i]) * 1024 / count);
    printf("\n");
}

/* Processes, each with a number, a parent, files and signals of its own, all alive at once. */
static void sleepers(int count, uint64_t flags) {
    int *pids = xmalloc((size_t)count * sizeof(int)), before = listed(-1);
    char *stacks =
        flags ? map_pages((size_t)count * SMALL_STACK / PAGE + 1, PROT_READ | PROT_WRITE) : 0;
    long kb[2][ARRAY_LEN(kinds)];

    OK(sys_pipe2(gate, 0));
    read_memory(kb[0]);
    for (int i = 0; i < count; i++) {
        char *stack = stacks ? stacks + (i + 1) * SMALL_STACK : 0;
        pids[i] = (int)OK(stack ? clone_call(flags | SIGCHLD, stack, 0, 0, 0, wait_at_gate, 0)
                                : sys_clone(SIGCHLD, 0, 0, 0, 0));
        if (pids[i] == 0)
            sys_exit_group(wait_at_gate(0));
    }
    for (int i = 0; i < count; i++) {
        for (int tries = 0; proc_state(pids[i]) != 'S' && tries < 1000; tries++)
            sleep_ms(10);
        EQ(proc_state(pids[i]), 'S');
    }
    EQ(listed(-1), before + count);
    read_memory(kb[1]);
    if (count > 1000)
        print_cost(count, kb[0], kb[1]);
    OK(sys_close(gate[1]));
    for (int i = 0; i < count; i++)
        EQ(wait_status(pids[i]), 0);
    EQ(listed(-1), before);
}

static void five_hundred_tasks(void) { sleepers(500, 0); }

static void forked_sleepers(void) {
    if (proc_number("/proc/meminfo", "MemTotal:") < 500000)
        skip("needs 512 MiB");
    sleepers(10000, 0);
}

static void sharing_sleepers(void) { sleepers(10000, CLONE_VM); }

/* ---- come and gone */

static long free_pages(void) {
    return proc_number("/proc/xv39/counters", "pages_free") +
           proc_number("/proc/xv39/counters", "pages_cache");
}

#define FORKERS 4 /* so that several harts have something to do */

/* words[0]: how many came and went, of all forkers together. */
static void fork_until(int total) {
    for (int n; (n = __atomic_add_fetch(&words[0], 1, __ATOMIC_RELAXED)) <= total;) {
        wait_ok(spawn(nothing));
        if (n % 20000 == 0)
            printf("# %d of %d\n", n, words[1]);
    }
    FAILS(ECHILD, sys_wait4(-1, 0, WNOHANG, 0));
}

static void fork_by_all(int total) {
    int pids[FORKERS];

    for (int i = 0; i < FORKERS; i++) {
        pids[i] = fork();
        OK(pids[i]);
        if (pids[i] == 0) {
            fork_until(total);
            sys_exit_group(0);
        }
    }
    for (int i = 0; i < FORKERS; i++)
        wait_ok(pids[i]);
    words[0] = total;
    sleep_ms(100);
}

/* Has the kernel no less memory now than that? What the last ones had may still be on its way. */
static bool all_back(long pages, long objects) {
    for (int tries = 0; tries < 100; tries++, sleep_ms(50)) {
        if (free_pages() + 64 >= pages &&
            proc_number("/proc/xv39/counters", "slab_objects") <= objects + 64)
            return true;
    }
    return false;
}

static void fork_and_exit(int times) {
    long pages, objects;

    share_words();
    words[1] = times;
    fork_by_all(times / 10); /* then what is kept for the next ones is there */
    pages = free_pages();
    objects = proc_number("/proc/xv39/counters", "slab_objects");
    fork_by_all(times);
    if (!on_xv39())
        return;
    CHECK(all_back(pages, objects));
}

static void fork_exit_2000(void) { fork_and_exit(2000); }

static void fork_exit_100000(void) { fork_and_exit(100000); }

/* ---- numbers */

#define PID_MAX "/proc/sys/kernel/pid_max"
#define FEW 300 /* as small as it can be */

/* Runs f in a child while there are few numbers. */
static void with_few_numbers(void (*f)(void)) {
    char old[16];
    int status;

    share_words();
    OK(read_file(PID_MAX, old, sizeof(old)));
    put_file(PID_MAX, STRING(FEW));
    status = wait_status(spawn(f));
    put_file(PID_MAX, old);
    expect_file(PID_MAX, old);
    EQ(status, 0);
}

static int next_number(void) {
    int pid = spawn(nothing);

    CHECK(pid > 0 && pid < FEW);
    wait_ok(pid);
    return pid;
}

/* A group or a session whose leader is dead; its only member, asleep, is words[0]. */
static int leaderless(bool session) {
    int leader = fork();

    if (leader == 0) {
        OK(session ? sys_setsid() : sys_setpgid(0, 0));
        words[0] = spawn(sleep_long);
        sys_exit_group(0);
    }
    wait_ok(leader);
    return leader;
}

static void names_in_use(void) {
    enum { GROUP, SESSION, IN_GROUP, IN_SESSION, SLEEPER, ZOMBIE, ALL };
    int in_use[ALL], again = 0, wraps = 0, last = 0;

    OK(sys_prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
    for (int i = 0; i < FEW; i++) /* the small numbers are given out once, later ones again */
        next_number();
    in_use[GROUP] = leaderless(false);
    in_use[IN_GROUP] = words[0];
    in_use[SESSION] = leaderless(true);
    in_use[IN_SESSION] = words[0];
    in_use[SLEEPER] = spawn(sleep_long);
    in_use[ZOMBIE] = spawn(nothing);
    for (int i = 0; i < 2200; i++) {
        int pid = next_number();
        for (int j = 0; j < ALL; j++)
            CHECK(pid != in_use[j]);
        wraps += pid < last;
        last = pid;
    }
    CHECK(wraps >= 6);
    EQ(sys_getpgid(in_use[IN_GROUP]), in_use[GROUP]);
    EQ(sys_getsid(in_use[IN_SESSION]), in_use[SESSION]);
    OK(sys_kill(-in_use[GROUP], SIGKILL));
    EQ(wait_status(in_use[IN_GROUP]), SIGKILL);
    OK(sys_kill(in_use[IN_SESSION], SIGKILL));
    EQ(wait_status(in_use[IN_SESSION]), SIGKILL);
    for (int i = 0; i < FEW; i++) {
        int pid = next_number();
        again += pid == in_use[GROUP] || pid == in_use[SESSION];
    }
    CHECK(again >= 2); /* now they are free */
    OK(sys_kill(in_use[SLEEPER], SIGKILL));
    EQ(wait_status(in_use[SLEEPER]), SIGKILL);
    wait_ok(in_use[ZOMBIE]);
}

static void pids_wrap(void) { with_few_numbers(names_in_use); }

static void fill_up(void) {
    int pids[FEW], n = 0;
    long r;

    while ((r = sys_clone(SIGCHLD, 0, 0, 0, 0)) > 0 && n < FEW)
        pids[n++] = (int)r;
    if (r == 0)
        sleep_long();
    EQ(r, -EAGAIN);
    CHECK(n > FEW / 4);
    FAILS(EAGAIN, clone_call(CLONE_VM | CLONE_SIGHAND | CLONE_THREAD, new_stack(), 0, 0, 0,
                             wait_at_gate, 0));
    for (int i = 0; i < n; i++) {
        OK(sys_kill(pids[i], SIGKILL));
        EQ(wait_status(pids[i]), SIGKILL);
    }
    next_number();
}

static void pids_run_out(void) { with_few_numbers(fill_up); }

/* words[pid]: such a process lives. */
static void fork_and_mark(void) {
    for (int i = 0; i < 500; i++) {
        int pid = spawn(nothing);
        EQ(__atomic_exchange_n(&words[pid], 1, __ATOMIC_SEQ_CST), 0);
        OK(sys_waitid(P_PID, pid, 0, WEXITED | WNOWAIT, 0));
        words[pid] = 0;
        wait_ok(pid);
    }
}

static void several_forkers(void) {
    int pids[4];

    for (int i = 0; i < 4; i++)
        pids[i] = spawn(fork_and_mark);
    for (int i = 0; i < 4; i++)
        wait_ok(pids[i]);
}

static void pids_do_not_collide(void) { with_few_numbers(several_forkers); }

static void user_opens_pid_max(void) {
    become_user(USER);
    FAILS(EACCES, open_at(PID_MAX, O_WRONLY, 0));
}

static void pid_max_limits(void) {
    static const char *const bad[] = {"0",  "-1", "299",  "4194305",   "99999999999999999999",
                                      "\n", "x",  "300x", "4294967600"};
    char old[16];
    int fd = (int)OK(open_at(PID_MAX, O_RDWR, 0));

    OK(read_file(PID_MAX, old, sizeof(old)));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        FAILS(EINVAL, sys_pwrite64(fd, bad[i], strlen(bad[i]), 0));
        expect_file(PID_MAX, old);
    }
    put_file(PID_MAX, "40000\n");
    expect_file(PID_MAX, "40000\n");
    put_file(PID_MAX, old);
    child_ok(user_opens_pid_max);
}

/* ---- a user who forks without end */

#define BOMBS 60

static void limit_tasks(int n) {
    struct rlimit l = {(uint64_t)n, (uint64_t)n};

    OK(sys_setrlimit(RLIMIT_NPROC, &l));
}

static void bomb(void) {
    limit_tasks(BOMBS);
    become_user(USER);
    for (;;)
        words[0] += sys_clone(SIGCHLD, 0, 0, 0, 0) == -EAGAIN;
}

/* A process of that user signals all of them, but not itself. */
static void signal_user(int sig) {
    int pid = fork();

    OK(pid);
    if (pid == 0) {
        become_user(USER);
        sys_kill(-1, sig);
        sys_exit_group(0);
    }
    wait_ok(pid);
}

static void fork_bomb(void) {
    char *argv[] = {"true", 0};
    int64_t start, took;

    share_words();
    OK(sys_prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
    start = now_ms();
    spawn(bomb);
    while (words[0] < 100 && now_ms() - start < 20000 * cases_patience)
        sleep_ms(10);
    CHECK(words[0] >= 100);
    EQ(listed(USER), BOMBS);
    start = now_ms();
    for (int i = 0; i < 3; i++) {
        int pid = (int)OK(vfork_exec("/bin/true", argv, environ));
        EQ(wait_status(pid), 0);
    }
    took = now_ms() - start;
    CHECK(took < 15000 * cases_patience);
    EQ(listed(USER), BOMBS);
    signal_user(SIGKILL); /* once is enough: who was about to fork dies instead */
    reap_all();
    EQ(listed(USER), 0);
}

/* ---- kills at random moments */

#define KILL_WORKERS 3
#define RING 48 /* of the last processes that began; one word more counts them */
#define RING_FILE "ring"
#define THREAD (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)

static uint64_t state;

static int below(int n) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (int)((state >> 11) % (uint64_t)n);
}

static void map_ring(int flags) {
    int fd = (int)OK(open_at(RING_FILE, O_RDWR | flags, 0666));

    if (flags & O_CREAT) {
        OK(sys_ftruncate(fd, PAGE));
        OK(sys_fchmod(fd, 0666));
    }
    words = (volatile int *)OK(sys_mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    sys_close(fd);
}

/* Each life is random in its own way. */
static void begin_life(void) {
    unsigned n = (unsigned)__atomic_fetch_add(&words[0], 1, __ATOMIC_RELAXED);

    words[1 + n % RING] = getpid();
    state = (state ^ (uint64_t)getpid() << 32) | 1;
}

static int somebody(void) { return words[1 + below(RING)]; }

static void signal_somebody(int sig) {
    int pid = somebody();

    if (pid > 1)
        sys_kill(pid, sig); /* none but this user's */
}

static void live(int turns);

static void live_again(void) {
    char text[24], *argv[] = {"usertests", "--child", "live", text, 0};

    snprintf(text, sizeof(text), "%d", below(1000000) + 1);
    sys_execve(self_path, argv, environ);
}

static int live_as_thread(void *arg) {
    uint32_t word = 0;

    switch ((long)arg) {
    case 0:
        live_again();
        break;
    case 1:
        sys_exit_group(1);
    case 2:
        live(3);
        break;
    case 3:
        sys_futex(&word, FUTEX_WAIT, 0, 0, 0, 0);
        break; /* until the process ends */
    }
    return 0;
}

static void live_as_child(void) {
    if (sys_clone(SIGCHLD, 0, 0, 0, 0) == 0) {
        begin_life();
        live(below(6));
        sys_exit_group(0);
    }
}

static void talk(void) {
    static char text[9000];
    int fds[2];

    if (sys_pipe2(fds, O_CLOEXEC) < 0)
        return;
    if (sys_clone(SIGCHLD, 0, 0, 0, 0) == 0) {
        begin_life();
        sys_close(fds[1]);
        while (sys_read(fds[0], text, sizeof(text)) > 0)
            ;
        sys_exit_group(0);
    }
    sys_close(fds[0]);
    sys_write(fds[1], text, (size_t)below(sizeof(text)));
    sys_close(fds[1]);
}

static void live(int turns) {
    char *argv[] = {"true", 0};

    while (turns-- > 0) {
        switch (below(12)) {
        case 0:
            live_again();
            break;
        case 1:
            clone_call(THREAD, new_stack(), 0, 0, 0, live_as_thread, (void *)(long)below(5));
            break;
        case 2:
            talk();
            break;
        case 3:
            signal_somebody(SIGSTOP);
            break;
        case 4:
            signal_somebody(SIGCONT);
            break;
        case 5:
            signal_somebody(SIGUSR1);
            break;
        case 6:
            vfork_exec("/bin/true", argv, environ);
            break;
        case 7:
            sys_wait4(-1, 0, below(2) ? WUNTRACED : WNOHANG | WCONTINUED, 0);
            break;
        case 8:
            sleep_ms(below(4));
            break;
        default:
            live_as_child();
        }
    }
}

static void ignore_signal(int sig) { (void)sig; }

int kills_main(const char *seed_text) {
    state = (uint64_t)atoi(seed_text);
    map_ring(0);
    begin_life();
    on_signal(SIGUSR1, ignore_signal, below(2) ? SA_RESTART : 0);
    live(below(40));
    return 0;
}

static int start_worker(void) {
    char text[24];
    char *argv[] = {"usertests", "--child", "live", text, 0};
    int pid;

    snprintf(text, sizeof(text), "%d", below(1000000) + 1);
    pid = fork();
    OK(pid);
    if (pid == 0) {
        become_user(USER);
        sys_execve(self_path, argv, environ); /* or too many of this user are left */
        sys_exit_group(1);
    }
    return pid;
}

static void keep_workers(int *workers) {
    long pid;

    while ((pid = sys_wait4(-1, 0, WNOHANG | __WALL, 0)) > 0) {
        for (int i = 0; i < KILL_WORKERS; i++)
            workers[i] = workers[i] == pid ? 0 : workers[i];
    }
    for (int i = 0; i < KILL_WORKERS; i++)
        workers[i] = workers[i] ? workers[i] : start_worker();
}

/* Who has just begun is root for a moment, and this user's kill(-1) would not reach him. */
static void wait_until_users(const int *workers) {
    struct abi_stat st;
    char path[32];

    for (int i = 0; i < KILL_WORKERS; i++) {
        snprintf(path, sizeof(path), "/proc/%d", workers[i]);
        while (workers[i] && sys_newfstatat(AT_FDCWD, path, &st, 0) == 0 && st.st_uid != USER)
            sleep_ms(1);
    }
}

/* True if somebody of our session was alive and is not to be any more. */
static bool kill_somebody(void) {
    int pid = somebody();

    if (pid <= 1 || sys_getsid(pid) != getpid() || proc_state(pid) == 'Z')
        return false;
    return sys_kill(pid, SIGKILL) == 0;
}

static void random_kills(int kills) {
    int workers[KILL_WORKERS] = {0}, done = 0, missed = 0;
    struct timespec pause = {0, 0};

    printf("# usertests -s %lu repeats the choices\n", seed);
    state = seed * 2 + 1;
    map_ring(O_CREAT);
    OK(sys_prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
    limit_tasks(16);
    while (done < kills) {
        bool hit = kill_somebody();
        done += hit;
        missed = hit ? 0 : missed + 1;
        keep_workers(workers);
        if (below(64) == 0)
            signal_user(SIGCONT);
        if (below(256) == 0 || missed > 500) { /* all that are left are asleep and forgotten */
            signal_user(SIGKILL);
            missed = 0;
        }
        pause.tv_nsec = below(800) * 1000;
        if (below(12) == 0)
            sys_nanosleep(&pause, 0);
        if (hit && done % 1000 == 0)
            printf("# %d of %d\n", done, kills);
    }
    wait_until_users(workers);
    signal_user(SIGKILL);
    reap_all();
    EQ(listed(USER), 0);
}

static void kills_200(void) { random_kills(200); }

static void kills_10000(void) { random_kills(10000); }

const struct test mass_tests[] = {
    {"T1_500_tasks", five_hundred_tasks, 0},
    {"T1_10000_tasks", forked_sleepers, VAST},
    {"T1_10000_tasks_of_one_memory", sharing_sleepers, VAST},
    {"T1_pids_wrap", pids_wrap, 0},
    {"T1_pids_run_out", pids_run_out, 0},
    {"T1_pids_do_not_collide", pids_do_not_collide, 0},
    {"T1_pid_max_limits", pid_max_limits, 0},
    {"T1_fork_bomb", fork_bomb, 0},
    {"T8_fork_exit_2000", fork_exit_2000, 0},
    {"T8_fork_exit_100000", fork_exit_100000, VAST},
    {"T8_200_kills", kills_200, 0},
    {"T8_10000_kills", kills_10000, VAST},
    {0, 0, 0},
};
