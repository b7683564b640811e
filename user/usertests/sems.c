/* System V semaphores. Each case holds what semget(2), semop(2), semctl(2) or svipc(7) say of one call, flag, limit or
 * permission. */
#include "user/usertests/ut.h"
#include "abi/sched.h"
#include "abi/msg.h"
#include "abi/sem.h"
#include "abi/shm.h"

#define BOB 1001

static int id; /* of the set that children of a case use, too */

static void make(int nsems) { id = (int)OK(sys_semget(IPC_PRIVATE, nsems, 0600)); }
static void gone(void) { OK(sys_semctl(id, 0, IPC_RMID, 0)); }
static long value(int n) { return OK(sys_semctl(id, n, GETVAL, 0)); }
static void set(int n, int v) { OK(sys_semctl(id, n, SETVAL, (uint64_t)v)); }

static long step(int n, int by, int flags) {
    struct sembuf b = {(uint16_t)n, (int16_t)by, (int16_t)flags};

    return sys_semop(id, &b, 1);
}

static struct semid64_ds status(void) {
    struct semid64_ds ds;

    OK(sys_semctl(id, 0, IPC_STAT, (uint64_t)&ds));
    return ds;
}

static void get_by_key(void) {
    int key = 0x39000000 + getpid();

    FAILS(EINVAL, sys_semget(key, 0, IPC_CREAT | 0600));
    FAILS(EINVAL, sys_semget(key, -1, IPC_CREAT | 0600));
    FAILS(ENOENT, sys_semget(key, 1, 0600));
    id = (int)OK(sys_semget(key, 3, IPC_CREAT | IPC_EXCL | 0600));
    FAILS(EEXIST, sys_semget(key, 3, IPC_CREAT | IPC_EXCL | 0600));
    EQ(sys_semget(key, 0, 0), id);
    EQ(sys_semget(key, 3, IPC_CREAT), id);
    FAILS(EINVAL, sys_semget(key, 4, 0));
    gone();
    FAILS(EINVAL, step(0, 1, 0));
    FAILS(EINVAL, sys_semctl(id, 0, GETVAL, 0));
}

static void values(void) {
    uint16_t all[3] = {1, SEMVMX, 0}, got[3] = {9, 9, 9};
    int64_t before = clock_ms(CLOCK_REALTIME) / 1000;

    make(3);
    EQ(status().sem_nsems, 3);
    EQ(status().sem_otime, 0);
    CHECK(status().sem_ctime >= before);
    EQ(value(0) + value(1) + value(2), 0);
    OK(sys_semctl(id, 0, SETALL, (uint64_t)all));
    set(2, 7);
    OK(sys_semctl(id, 0, GETALL, (uint64_t)got));
    EQ(got[0], 1);
    EQ(got[1], SEMVMX);
    EQ(got[2], 7);
    all[1] = SEMVMX + 1;
    all[0] = 5;
    FAILS(ERANGE, sys_semctl(id, 0, SETALL, (uint64_t)all));
    EQ(value(0), 1);
    FAILS(ERANGE, sys_semctl(id, 0, SETVAL, -1ul));
    FAILS(ERANGE, sys_semctl(id, 0, SETVAL, SEMVMX + 1));
    FAILS(EINVAL, sys_semctl(id, 3, SETVAL, 1));
    FAILS(EINVAL, sys_semctl(id, -1, GETVAL, 0));
    FAILS(EFAULT, sys_semctl(id, 0, GETALL, (uint64_t)unmapped_page()));
    FAILS(EFAULT, sys_semctl(id, 0, SETALL, (uint64_t)unmapped_page()));
    FAILS(EINVAL, sys_semctl(id, 0, 99, 0));
    EQ(sys_semctl(id, 2, GETPID, 0), getpid());
    gone();
}

/* All steps or none. */
static void atomic(void) {
    struct sembuf both[] = {{0, -1, 0}, {1, -1, IPC_NOWAIT}},
                  swap[] = {{0, -1, 0}, {0, 1, 0}, {1, 2, 0}};
    struct sembuf too_much[] = {{1, 3, 0}, {0, SEMVMX, 0}};

    make(2);
    set(0, 1);
    FAILS(EAGAIN, sys_semop(id, both, 2));
    EQ(value(0), 1);
    OK(sys_semop(id, swap, 3));
    EQ(value(0), 1);
    EQ(value(1), 2);
    FAILS(ERANGE, sys_semop(id, too_much, 2));
    EQ(value(1), 2);
    OK(sys_semop(id, both, 2));
    EQ(value(0), 0);
    EQ(value(1), 1);
    CHECK(status().sem_otime > 0);
    gone();
}

static void errors(void) {
    static struct sembuf many[501];

    make(1);
    FAILS(EINVAL, sys_semop(id, many, 0));
    FAILS(E2BIG, sys_semop(id, many, 501));
    OK(sys_semop(id, many, 500));
    FAILS(EFBIG, step(1, 1, 0));
    FAILS(EFAULT, sys_semop(id, unmapped_page(), 1));
    FAILS(EINVAL, sys_semop(-1, many, 1));
    FAILS(EAGAIN, step(0, -1, IPC_NOWAIT));
    OK(step(0, 1, 0));
    FAILS(EAGAIN, step(0, 0, IPC_NOWAIT));
    gone();
}

static void take(void) { OK(step(0, -1, 0)); }
static void take_two(void) { OK(step(0, -2, 0)); }
static void wait_zero(void) { OK(step(0, 0, 0)); }

static void counts(void) {
    int pids[3];

    make(2);
    set(0, 1);
    pids[0] = spawn(take_two);
    pids[1] = spawn(take_two);
    pids[2] = spawn(wait_zero);
    for (int i = 0; i < 3; i++)
        until_asleep(pids[i]);
    EQ(sys_semctl(id, 0, GETNCNT, 0), 2);
    EQ(sys_semctl(id, 0, GETZCNT, 0), 1);
    EQ(sys_semctl(id, 1, GETNCNT, 0), 0);
    OK(step(0, 3, 0));
    for (int i = 0; i < 3; i++)
        wait_ok(pids[i]);
    EQ(value(0), 0);
    EQ(sys_semctl(id, 0, GETNCNT, 0) + sys_semctl(id, 0, GETZCNT, 0), 0);
    EQ(sys_semctl(id, 0, GETPID, 0) == pids[2] || sys_semctl(id, 0, GETPID, 0) == pids[1] ||
           sys_semctl(id, 0, GETPID, 0) == pids[0],
       1);
    gone();
}

static int pipe_fds[2];
static char name;
static void take_and_tell(void) {
    OK(step(0, -1, 0));
    EQ(sys_write(pipe_fds[1], &name, 1), 1);
    OK(step(1, 1, 0));
}

/* Who waits longest goes on first. */
static void in_order(void) {
    char order[4] = "";
    int pids[3];

    make(2);
    OK(sys_pipe2(pipe_fds, 0));
    for (int i = 0; i < 3; i++) {
        name = (char)('a' + i);
        pids[i] = spawn(take_and_tell);
        until_asleep(pids[i]);
    }
    for (int i = 0; i < 3; i++) {
        OK(step(0, 1, 0));
        OK(step(1, -1, 0));
    }
    for (int i = 0; i < 3; i++)
        wait_ok(pids[i]);
    EQ(sys_read(pipe_fds[0], order, 3), 3);
    CHECK(strcmp(order, "abc") == 0);
    gone();
}

static void timeouts(void) {
    struct sembuf down = {0, -1, 0};
    struct timespec t = {0, 30000000}, bad = {0, 1000000000}, zero = {0, 0};
    int64_t begin = now_ms();

    make(1);
    FAILS(EAGAIN, sys_semtimedop(id, &down, 1, &t));
    CHECK(now_ms() - begin >= 30);
    FAILS(EAGAIN, sys_semtimedop(id, &down, 1, &zero));
    FAILS(EINVAL, sys_semtimedop(id, &down, 1, &bad));
    FAILS(EFAULT, sys_semtimedop(id, &down, 1, unmapped_page()));
    set(0, 1);
    OK(sys_semtimedop(id, &down, 1, &t));
    EQ(sys_semctl(id, 0, GETNCNT, 0), 0);
    gone();
}

static void expect_removed(void) { FAILS(EIDRM, step(0, -1, SEM_UNDO)); }
static void ignore(int sig) { (void)sig; }
static void expect_interrupted(void) {
    on_signal(SIGUSR1, ignore, SA_RESTART);
    FAILS(EINTR, step(0, -1, 0));
}

static void woken_otherwise(void) {
    int a, b, c;

    make(1);
    a = spawn(expect_interrupted);
    until_asleep(a);
    OK(sys_kill(a, SIGUSR1));
    wait_ok(a);
    a = spawn(expect_removed);
    b = spawn(expect_removed);
    c = spawn(take);
    until_asleep(a);
    until_asleep(b);
    until_asleep(c);
    kill_child(c);
    EQ(sys_semctl(id, 0, GETNCNT, 0), 2);
    gone();
    wait_ok(a);
    wait_ok(b);
}

/* ---- SEM_UNDO */

static void take_with_undo(void) {
    OK(step(0, -1, SEM_UNDO));
    OK(step(0, -2, SEM_UNDO));
    OK(step(1, 5, SEM_UNDO));
    EQ(value(0), 1);
}

static void undo_at_exit(void) {
    make(2);
    set(0, 4);
    child_ok(take_with_undo);
    EQ(value(0), 4);
    EQ(value(1), 0);
    gone();
}

static void take_and_sleep(void) {
    OK(step(0, -1, SEM_UNDO));
    sleep_long();
}

/* The end of the one who has it lets the other one go on. */
static void undo_wakes(void) {
    int holder, taker;

    make(1);
    set(0, 1);
    holder = spawn(take_and_sleep);
    until_asleep(holder);
    taker = spawn(take);
    until_asleep(taker);
    EQ(sys_semctl(id, 0, GETNCNT, 0), 1);
    kill_child(holder);
    wait_ok(taker);
    EQ(value(0), 0);
    gone();
}

static void raise_and_let_take(void) {
    OK(step(0, 3, SEM_UNDO));
    OK(step(0, -2, 0));
}

static void set_then_exit(void) {
    OK(step(0, 3, SEM_UNDO));
    set(0, 6);
}

static void undo_limits(void) {
    make(1);
    child_ok(raise_and_let_take); /* 1 - 3: no less than 0 */
    EQ(value(0), 0);
    child_ok(set_then_exit); /* what was before SETVAL is not undone */
    EQ(value(0), 6);
    set(0, SEMVMX);
    OK(step(0, -SEMVMX, SEM_UNDO));
    set(0, 1);
    OK(step(0, -1, SEM_UNDO));
    gone();
}

static void undo_twice_over(void) {
    OK(step(0, 20000, SEM_UNDO));
    OK(step(0, -20000, 0));
    FAILS(ERANGE, step(0, 20000, SEM_UNDO));
}

static void undo_range(void) {
    make(1);
    child_ok(undo_twice_over);
    EQ(value(0), 0);
    gone();
}

static void forks(void) {
    OK(step(0, -1, SEM_UNDO));
    child_ok(nothing); /* does not inherit it */
    EQ(value(0), 0);
}

static void undo_not_inherited(void) {
    make(1);
    set(0, 1);
    child_ok(forks);
    EQ(value(0), 1);
    gone();
}

static int takes_in_thread(void *unused) {
    (void)unused;
    OK(step(0, -1, SEM_UNDO));
    sys_exit(0);
    return 0;
}

static void thread_takes(void) {
    OK(clone_call(THREAD, new_stack(), 0, 0, 0, takes_in_thread, 0));
    while (value(0) == 1)
        sys_sched_yield();
    sleep_ms(20); /* it has ended, and we have not */
    EQ(value(0), 0);
}

static void undo_of_threads(void) {
    make(1);
    set(0, 1);
    child_ok(thread_takes);
    EQ(value(0), 1);
    gone();
}

static void execs(void) {
    char *argv[] = {(char *)"usertests", (char *)"-l", 0};

    OK(step(0, -1, SEM_UNDO));
    OK(step(1, 1, 0));
    OK(sys_dup3((int)OK(open_at("/dev/null", O_WRONLY, 0)), 1, 0));
    OK(sys_execve(self_path, argv, environ));
}

static void undo_after_exec(void) {
    make(2);
    set(0, 1);
    child_ok(execs);
    EQ(value(0), 1);
    EQ(value(1), 1);
    gone();
}

static void removed_before_exit(void) {
    make(1);
    OK(step(0, 1, SEM_UNDO));
    gone();
    make(1);
    OK(step(0, 1, SEM_UNDO));
    gone();
}

static void undo_of_removed(void) { child_ok(removed_before_exit); }

/* Exits and removal at once. */
static void undo_races(void) {
    for (int round = 0; round < 20; round++) {
        int pids[4];
        make(1);
        set(0, 4);
        for (int i = 0; i < 4; i++)
            pids[i] = spawn(take_and_sleep);
        while (value(0) > 0)
            sys_sched_yield();
        for (int i = 0; i < 4; i++)
            OK(sys_kill(pids[i], SIGKILL));
        gone();
        for (int i = 0; i < 4; i++)
            EQ(wait_status(pids[i]), SIGKILL);
    }
}

/* ---- permissions, numbers, limits */

static void as_bob(void) {
    struct semid64_ds ds;
    uint16_t all[2];

    become_user(BOB);
    FAILS(EACCES, step(0, 1, 0));
    FAILS(EACCES, step(0, 0, IPC_NOWAIT));
    FAILS(EACCES, sys_semctl(id, 0, GETVAL, 0));
    FAILS(EACCES, sys_semctl(id, 0, SETVAL, 1));
    FAILS(EACCES, sys_semctl(id, 0, GETALL, (uint64_t)all));
    FAILS(EACCES, sys_semctl(id, 0, IPC_STAT, (uint64_t)&ds));
    FAILS(EACCES, sys_semctl(id % 32768, 0, SEM_STAT, (uint64_t)&ds));
    EQ(sys_semctl(id % 32768, 0, SEM_STAT_ANY, (uint64_t)&ds), id);
    FAILS(EPERM, sys_semctl(id, 0, IPC_SET, (uint64_t)&ds));
    FAILS(EPERM, sys_semctl(id, 0, IPC_RMID, 0));
}

static void reads_only(void) {
    become_user(BOB);
    EQ(value(0), 0);
    OK(step(0, 0, 0));
    FAILS(EACCES, step(0, 1, 0));
    FAILS(EACCES, sys_semctl(id, 0, SETVAL, 1));
}

static void owns(void) {
    become_user(BOB);
    OK(step(0, 1, 0));
    gone();
}

static void permissions(void) {
    struct semid64_ds ds;

    make(2);
    child_ok(as_bob);
    ds = status();
    ds.sem_perm.mode = 0604;
    OK(sys_semctl(id, 0, IPC_SET, (uint64_t)&ds));
    child_ok(reads_only);
    ds.sem_perm.uid = BOB;
    OK(sys_semctl(id, 0, IPC_SET, (uint64_t)&ds));
    EQ(status().sem_perm.uid, BOB);
    EQ(status().sem_perm.cuid, 0);
    child_ok(owns);
    FAILS(EINVAL, sys_semctl(id, 0, IPC_STAT, (uint64_t)&ds));
}

static void limits(void) {
    struct seminfo i, others;
    char was[64], few[64], line[128];
    static char text[8192];
    int fd;

    OK(sys_semctl(0, 0, IPC_INFO, (uint64_t)&i));
    EQ(i.semvmx, SEMVMX);
    EQ(i.semmsl, 32000);
    EQ(i.semopm, 500);
    EQ(i.semmni, 32000);
    expect_file("/proc/sys/kernel/sem", "32000\t1024000000\t500\t32000\n");
    OK(read_file("/proc/sys/kernel/sem", was, sizeof(was)));
    fd = (int)OK(open_at("/proc/sys/kernel/sem", O_WRONLY, 0));
    OK(sys_semctl(0, 0, SEM_INFO, (uint64_t)&others)); /* of whoever else there is */
    snprintf(few, sizeof(few), "4 %d 2 %d\n", others.semaem + 6, others.semusz + 2);
    EQ(sys_write(fd, few, strlen(few)), strlen(few));
    FAILS(EINVAL, sys_semget(IPC_PRIVATE, 5, 0600));
    make(4);
    FAILS(ENOSPC, sys_semget(IPC_PRIVATE, 3, 0600));
    OK(sys_semctl(0, 0, SEM_INFO, (uint64_t)&i));
    EQ(i.semusz, others.semusz + 1);
    EQ(i.semaem, others.semaem + 4);
    OK(sys_write(fd, was, strlen(was)));
    FAILS(EINVAL, sys_write(fd, "x", 1));
    OK(read_file("/proc/sysvipc/sem", text, sizeof(text)));
    snprintf(line, sizeof(line), "%10d %10d  %4o %10u %5u %5u %5u %5u %10d", 0, id, 0600, 4, 0, 0,
             0, 0, 0);
    CHECK(strncmp(text,
                  "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      "
                  "ctime\n",
                  82) == 0);
    CHECK(strstr(text, line) != 0);
    gone();
}

/* ---- many at once */

static void move_tokens(void) {
    for (int i = 0; i < 300; i++) {
        struct sembuf steps[] = {{(uint16_t)(i % 4), -1, SEM_UNDO},
                                 {(uint16_t)((i + 1) % 4), 1, SEM_UNDO}};
        OK(sys_semop(id, steps, 2));
    }
}

static void tokens_are_kept(void) {
    uint16_t all[4];
    int pids[6];

    make(4);
    for (int i = 0; i < 4; i++)
        set(i, 2);
    for (int i = 0; i < 6; i++)
        pids[i] = spawn(move_tokens);
    for (int i = 0; i < 6; i++)
        wait_ok(pids[i]);
    OK(sys_semctl(id, 0, GETALL, (uint64_t)all));
    EQ(all[0] + all[1] + all[2] + all[3], 8);
    gone();
}

/* ---- killed at any moment */

#define WORKERS 6

static int segment, mailbox;

static void work_for_ever(void) {
    struct {
        long type;
        long number;
    } m = {1, 0};
    uint32_t random = (uint32_t)getpid() * 2654435761u;

    for (;;) {
        random = random * 1664525 + 1013904223;
        int n = (int)(random >> 28) % 3;
        OK(step(n, -1, SEM_UNDO));
        OK(sys_shmdt((void *)OK(sys_shmat(segment, 0, 0))));
        OK(step(n, 1, SEM_UNDO));
        m.type = n + 1;
        OK(sys_msgsnd(mailbox, &m, sizeof(m.number), 0));
        EQ(sys_msgrcv(mailbox, &m, sizeof(m.number), -3, 0), sizeof(m.number));
    }
}

/* Whenever a worker dies: what it took is given back, it has sent a message or not, and nothing of it stays attached. */
static void kills_for(int ms) {
    int pids[WORKERS], deaths = 0;
    struct shmid64_ds shm;
    struct msqid64_ds msg;
    struct {
        long type, number;
    } one;

    make(3);
    for (int i = 0; i < 3; i++)
        set(i, 2);
    segment = (int)OK(sys_shmget(IPC_PRIVATE, PAGE, 0600));
    mailbox = (int)OK(sys_msgget(IPC_PRIVATE, 0600));
    for (int i = 0; i < WORKERS; i++)
        pids[i] = spawn(work_for_ever);
    for (int64_t end = now_ms() + ms; now_ms() < end; deaths++) {
        int victim = (int)((seed + (uint64_t)deaths * 7919) % WORKERS);
        sleep_ms(1);
        kill_child(pids[victim]);
        pids[victim] = spawn(work_for_ever);
        OK(sys_msgctl(mailbox, IPC_STAT, &msg));
        for (; msg.msg_qnum > 500; msg.msg_qnum--) /* what the dead did not take */
            sys_msgrcv(mailbox, &one, sizeof(one.number), 0, IPC_NOWAIT);
    }
    for (int i = 0; i < WORKERS; i++)
        kill_child(pids[i]);
    for (int i = 0; i < 3; i++) {
        EQ(value(i), 2);
        EQ(sys_semctl(id, i, GETNCNT, 0), 0);
    }
    OK(sys_shmctl(segment, IPC_STAT, &shm));
    EQ(shm.shm_nattch, 0);
    OK(sys_msgctl(mailbox, IPC_STAT, &msg));
    EQ(msg.msg_cbytes, msg.msg_qnum * sizeof(long));
    OK(sys_msgctl(mailbox, IPC_RMID, 0));
    OK(sys_shmctl(segment, IPC_RMID, 0));
    gone();
}

static void kills(void) { kills_for(300); }
static void kills_for_a_minute(void) { kills_for(60000); }

const struct test sem_tests[] = {
    {"I4_semget_by_key", get_by_key, 0},
    {"I4_sem_values", values, 0},
    {"I4_semop_atomic", atomic, 0},
    {"I4_semop_errors", errors, 0},
    {"I4_sem_counts", counts, 0},
    {"I4_sem_in_order", in_order, 0},
    {"I4_semtimedop", timeouts, 0},
    {"I4_sem_woken_otherwise", woken_otherwise, 0},
    {"I4_undo_at_exit", undo_at_exit, 0},
    {"I4_undo_wakes", undo_wakes, 0},
    {"I4_undo_limits", undo_limits, 0},
    {"I4_undo_range", undo_range, 0},
    {"I4_undo_not_inherited", undo_not_inherited, 0},
    {"I4_undo_of_threads", undo_of_threads, 0},
    {"I4_undo_after_exec", undo_after_exec, 0},
    {"I4_undo_of_removed", undo_of_removed, 0},
    {"I4_undo_races", undo_races, 0},
    {"I4_sem_permissions", permissions, 0},
    {"I10_sem_limits", limits, 0},
    {"I4_sem_tokens_are_kept", tokens_are_kept, 0},
    {"I2_I3_I4_kills", kills, 0},
    {"I2_I3_I4_kills_for_a_minute", kills_for_a_minute, SLOW},
    {0, 0, 0},
};
