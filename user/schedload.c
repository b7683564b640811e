/* schedload [SECONDS]: a mixed load on hart 0 for so long (10), and what came of it: for make compare-schedulers.
 *
 * Five tasks compute all the time (two of nice 0, one each of nice -5, 5 and 10), two are interactive (they sleep 10 ms, compute 0.3 ms, and
 * so on, like an editor), one is real-time (FIFO, sleeps 5 ms, computes 0.1 ms). Each is told how long it waited between the moment it wanted
 * to wake and that in which it ran. Prints, in microseconds:
 *
 *     task NAME KIND nice N cpu US voluntary N involuntary N
 *     late NAME US US US ...                                     one line for every 16 times that it woke
 *     end US                                                     how long it took
 *
 * Run as the first program (init=/bin/schedload -- 10) it switches the machine off at the end. */
#include "user/lib/tool.h"
#include "abi/mman.h"
#include "abi/reboot.h"
#include "abi/resource.h"
#include "abi/sched.h"

#define US 1000ll
#define MS 1000000ll
#define MOST 8192 /* wake-ups that are kept of a task */

struct member {
    const char *name, *kind;
    int nice, priority;     /* of FIFO; 0: the fair class */
    int64_t sleep, compute; /* ns; sleep 0: it only computes */
};
static const struct member members[] = {
    {"batch 1", "batch", 0, 0, 0, 0},
    {"batch 2", "batch", 0, 0, 0, 0},
    {"nice -5", "batch", -5, 0, 0, 0},
    {"nice 5", "batch", 5, 0, 0, 0},
    {"nice 10", "batch", 10, 0, 0, 0},
    {"editor 1", "interactive", 0, 0, 10 * MS, 300 * US},
    {"editor 2", "interactive", 0, 0, 10 * MS, 300 * US},
    {"real-time", "rt", 0, 50, 5 * MS, 100 * US},
};

struct record { /* shared with the member */
    volatile int64_t cpu;
    volatile long voluntary, involuntary;
    volatile uint32_t count, late[MOST];
};
static struct record *records;
static volatile int64_t *start, *end;

static int64_t now(int clock) {
    struct timespec t;

    sys_clock_gettime(clock, &t);
    return t.tv_sec * 1000000000 + t.tv_nsec;
}

static void sleep_until(int64_t ns) {
    struct timespec t = {ns / 1000000000, ns % 1000000000};

    sys_clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, 0);
}

static void compute(int64_t ns) {
    for (int64_t until = now(CLOCK_THREAD_CPUTIME_ID) + ns; now(CLOCK_THREAD_CPUTIME_ID) < until;)
        ;
}

static void wake_and_compute(const struct member *m, struct record *r) {
    int64_t due = now(CLOCK_MONOTONIC) + m->sleep, late;

    sleep_until(due);
    late = now(CLOCK_MONOTONIC) - due;
    if (r->count < MOST)
        r->late[r->count++] = (uint32_t)(late / US);
    compute(m->compute);
}

static void work(const struct member *m, struct record *r) {
    struct rusage u;
    struct sched_param p = {m->priority};
    int64_t before;

    sys_setpriority(PRIO_PROCESS, 0, m->nice);
    if (m->priority)
        sys_sched_setscheduler(0, SCHED_FIFO, &p);
    sleep_until(*start);
    before = now(CLOCK_THREAD_CPUTIME_ID);
    while (now(CLOCK_MONOTONIC) < *end) {
        if (m->sleep)
            wake_and_compute(m, r);
        else
            compute(100 * US);
    }
    sys_getrusage(RUSAGE_SELF, &u);
    r->cpu = now(CLOCK_THREAD_CPUTIME_ID) - before;
    r->voluntary = u.ru_nvcsw;
    r->involuntary = u.ru_nivcsw;
    sys_exit_group(0);
}

static void print(const struct member *m, const struct record *r) {
    out("task %s %s nice %d cpu %ld voluntary %ld involuntary %ld\n", m->name, m->kind, m->nice,
        (long)(r->cpu / US), r->voluntary, r->involuntary);
    for (uint32_t i = 0; i < r->count; i++) {
        if (i % 16 == 0)
            out("late %s", m->name);
        out(" %u%s", r->late[i], i % 16 == 15 || i + 1 == r->count ? "\n" : "");
    }
}

static void begin(long seconds) {
    uint64_t first = 1;
    size_t size = PAGE + sizeof(*records) * ARRAY_LEN(members);
    char *p = (char *)sys_mmap(0, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct sched_param above = {60};

    records = (struct record *)(p + PAGE);
    start = (volatile int64_t *)p;
    end = start + 1;
    sys_sched_setaffinity(0, sizeof(first), &first);
    *start = now(CLOCK_MONOTONIC) + 100 * MS;
    *end = *start + seconds * 1000000000;
    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        if (fork() == 0)
            work(&members[i], &records[i]);
    sys_sched_setscheduler(0, SCHED_FIFO, &above); /* nobody who computes may hold up the end */
}

int main(int argc, char **argv) {
    long seconds = 10;

    tool_name(argv[0]);
    if (argc > 2 || (argc == 2 && (!parse_num(argv[1], 10, &seconds) || seconds < 1)))
        die("usage: schedload [SECONDS]");
    begin(seconds);
    while (sys_wait4(-1, 0, 0, 0) > 0)
        ;
    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        print(&members[i], &records[i]);
    out("end %ld\n", (long)((now(CLOCK_MONOTONIC) - *start) / US));
    out_flush();
    if (sys_getpid() == 1)
        sys_reboot((int)LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_POWER_OFF, 0);
    return 0;
}
