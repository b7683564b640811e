/* threaddemo [scene...]: what threads are good for and what they need, in four scenes, each a few
 * lines of user/lib/thread.h. docs/threads.md explains them.
 *
 *   race      four threads count in one variable: without a mutex counts are lost, with one none is
 *   buffer    producers and consumers, a ring with room for a few items, two conditions
 *   phases    a computation in steps, all threads at the same one: a barrier
 *   lock      a mutex that nobody else wants: what a lock and an unlock cost. No system call
 *             (echo threaddemo >/proc/trace/strace shows it) */
#include "user/lib/tool.h"
#include "user/lib/thread.h"

#define THREADS 4

static int64_t now_ns(void) {
    struct timespec t;

    sys_clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000 + t.tv_nsec;
}

static void start_all(struct thread **t, void *(*f)(void *)) {
    for (long i = 0; i < THREADS; i++) {
        long r = thread_create(&t[i], f, (void *)i);
        if (r < 0)
            die("thread_create: %s", errstr(r));
    }
}

static void run_all(void *(*f)(void *)) {
    struct thread *t[THREADS];

    start_all(t, f);
    for (int i = 0; i < THREADS; i++)
        thread_join(t[i]);
}

/* ---- race */

#define COUNTS 200000
static struct mutex count_lock;
static volatile long count;
static struct barrier together = BARRIER_OF(THREADS);

/* count++ is a load, an addition and a store. Others count between them: by chance seldom, so now and then we sleep there. */
static void *count_anyhow(void *arg) {
    static const struct timespec a_while = {.tv_nsec = 1000000};

    barrier_wait(&together);
    for (int i = 0; i < COUNTS; i++) {
        long seen = count;
        if (i % 10000 == 0)
            sys_nanosleep(&a_while, 0);
        count = seen + 1;
    }
    return arg;
}

static void *count_locked(void *arg) {
    for (int i = 0; i < COUNTS; i++) {
        mutex_lock(&count_lock);
        count++;
        mutex_unlock(&count_lock);
    }
    return arg;
}

static bool race(void) {
    long without;

    count = 0;
    run_all(count_anyhow);
    without = count;
    count = 0;
    run_all(count_locked);
    printf("race: %d counted, %ld without the mutex, %ld with it\n", THREADS * COUNTS, without,
           count);
    return count == THREADS * COUNTS;
}

/* ---- buffer: threads 0 and 1 put the numbers below ITEMS, 2 and 3 take them */

#define ROOM 4
#define ITEMS 10000
static struct mutex buffer_lock; /* guards the following */
static struct condition not_full, not_empty;
static long ring[ROOM], used, put_at, take_at, taken, sum;

static void put(long item) {
    mutex_lock(&buffer_lock);
    while (used == ROOM)
        condition_wait(&not_full, &buffer_lock);
    ring[put_at++ % ROOM] = item;
    used++;
    condition_signal(&not_empty);
    mutex_unlock(&buffer_lock);
}

/* An item, or -1 when all have been taken. */
static long take(void) {
    long item = -1;

    mutex_lock(&buffer_lock);
    while (used == 0 && taken < 2 * ITEMS)
        condition_wait(&not_empty, &buffer_lock);
    if (used) {
        item = ring[take_at++ % ROOM];
        used--;
        condition_signal(&not_full);
        if (++taken == 2 * ITEMS)
            condition_broadcast(&not_empty); /* there will be no more: nobody must wait on */
    }
    mutex_unlock(&buffer_lock);
    return item;
}

static void *produce_or_consume(void *arg) {
    long mine = 0;

    if ((long)arg < 2) {
        for (long i = 0; i < ITEMS; i++)
            put(i);
        return 0;
    }
    for (long item; (item = take()) >= 0;)
        mine += item;
    __atomic_add_fetch(&sum, mine, __ATOMIC_RELAXED);
    return 0;
}

static bool buffer(void) {
    used = put_at = take_at = taken = sum = 0;
    run_all(produce_or_consume);
    printf("buffer: %ld items through %d places, their sum %ld\n", taken, ROOM, sum);
    return taken == 2 * ITEMS && sum == (long)ITEMS * (ITEMS - 1);
}

/* ---- phases: prefix sums; in step k each cell adds the one 2^k to its left */

static struct barrier step_done = BARRIER_OF(THREADS);
static long cells[2][THREADS];

static void *sum_cell(void *arg) {
    long me = (long)arg, from = 0;

    for (long distance = 1; distance < THREADS; distance *= 2) {
        long left = me >= distance ? cells[from][me - distance] : 0;
        cells[!from][me] = cells[from][me] + left;
        from = !from;
        barrier_wait(&step_done); /* nobody reads the new cells before all are written */
    }
    return (void *)cells[from][me];
}

static bool phases(void) {
    struct thread *t[THREADS];
    bool good = true;

    for (int i = 0; i < THREADS; i++)
        cells[0][i] = i + 1;
    start_all(t, sum_cell);
    printf("phases: sums of 1, 2, 3, ...:");
    for (long i = 0; i < THREADS; i++) {
        long total = (long)thread_join(t[i]);
        printf(" %ld", total);
        good &= total == (i + 1) * (i + 2) / 2;
    }
    printf("\n");
    return good;
}

/* ---- lock */

static bool lock(void) {
    const int rounds = 100000;
    int64_t start = now_ns();

    for (int i = 0; i < rounds; i++) {
        mutex_lock(&count_lock);
        mutex_unlock(&count_lock);
    }
    printf("lock: %ld ns for a lock and an unlock\n", (now_ns() - start) / rounds);
    return true;
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        bool (*play)(void);
    } scenes[] = {{"race", race}, {"buffer", buffer}, {"phases", phases}, {"lock", lock}};
    int played = 0, bad = 0;

    tool_name(argv[0]);
    for (size_t i = 0; i < ARRAY_LEN(scenes); i++) {
        bool wanted = argc < 2;
        for (char **name = argv + 1; *name; name++)
            wanted |= strcmp(*name, scenes[i].name) == 0;
        if (!wanted)
            continue;
        played++;
        if (!scenes[i].play()) {
            warn("%s: a wrong result", scenes[i].name);
            bad = 1;
        }
    }
    if (!played)
        die("usage: threaddemo [race|buffer|phases|lock]...");
    return bad;
}
