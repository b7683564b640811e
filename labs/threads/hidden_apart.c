/* Lab threads: the tests of the students' library that the handout does not have. */
#include "user/labtest/lab.h"
#include "user/usertests/ut.h"
#include "user/lib/exokernel.h"
#include "user/lib/thread.h"

/* ---- a ring with room for a few items, and who fills and who empties it */

static struct mutex lock;
static struct condition not_full, not_empty;
static long ring[ROOM], first, count, in_flight_most;
static long last_of[PRODUCERS], sums[PRODUCERS], items;

static void put(long item) {
    mutex_lock(&lock);
    while (count == ROOM)
        condition_wait(&not_full, &lock);
    ring[(first + count++) % ROOM] = item;
    if (count > in_flight_most)
        in_flight_most = count;
    mutex_unlock(&lock);
    condition_signal(&not_empty);
}

static long get(void) {
    long item;

    mutex_lock(&lock);
    while (count == 0)
        condition_wait(&not_empty, &lock);
    item = ring[first];
    first = (first + 1) % ROOM;
    CHECK(count-- > 0);
    mutex_unlock(&lock);
    condition_signal(&not_full);
    return item;
}

static void *produces(void *arg) {
    for (long i = 1; i <= ITEMS; i++)
        put((long)arg << 32 | i);
    return 0;
}

/* One consumer sees each producer's items in order. */
static void *consumes(void *arg) {
    for (long item; (item = get());) {
        long who = item >> 32, n = item & 0xffffffff;
        __atomic_add_fetch(&sums[who], n, __ATOMIC_RELAXED);
        __atomic_add_fetch(&items, 1, __ATOMIC_RELAXED);
        if (arg)
            continue;
        CHECK(n > last_of[who]);
        last_of[who] = n;
    }
    return 0;
}

static void producers_and_consumers(void) {
    struct thread *p[PRODUCERS], *c[CONSUMERS];

    for (long i = 0; i < CONSUMERS; i++)
        OK(thread_create(&c[i], consumes, (void *)i));
    for (long i = 0; i < PRODUCERS; i++)
        OK(thread_create(&p[i], produces, (void *)i));
    for (int i = 0; i < PRODUCERS; i++)
        thread_join(p[i]);
    for (int i = 0; i < CONSUMERS; i++)
        put(0);
    for (int i = 0; i < CONSUMERS; i++)
        thread_join(c[i]);
    EQ(items, (long)PRODUCERS * ITEMS);
    for (int i = 0; i < PRODUCERS; i++)
        EQ(sums[i], (long)ITEMS * (ITEMS + 1) / 2);
    CHECK(in_flight_most <= ROOM);
    EQ(count, 0);
}

/* ---- who waits sleeps */

static struct condition never;
static volatile int stage;

static void *waits(void *unused) {
    stage = 1;
    mutex_lock(&lock);
    while (stage != 3)
        condition_wait(&never, &lock);
    mutex_unlock(&lock);
    return unused;
}

static void *joins(void *t) { return thread_join(t); }

/* In one of a few tries: on a busy machine a moment on the hart may look long. */
static void until_little_is_used(const char *what) {
    int64_t used = 0;

    for (int tries = 0; tries < 8; tries++) {
        sleep_ms(20);
        used = -clock_ms(CLOCK_PROCESS_CPUTIME_ID);
        sleep_ms(100);
        used += clock_ms(CLOCK_PROCESS_CPUTIME_ID);
        if (used < 30)
            return;
    }
    fail_at("waiting", "who waits for %s computes, %ld of 100 ms", what, used);
}

static void waits_asleep(void) {
    struct thread *t, *joiner;

    mutex_lock(&lock);
    OK(thread_create(&t, waits, 0));
    while (stage != 1)
        sleep_ms(1);
    until_little_is_used("a mutex");
    mutex_unlock(&lock);
    until_little_is_used("a condition");
    OK(thread_create(&joiner, joins, t));
    until_little_is_used("the end of a thread");
    mutex_lock(&lock);
    stage = 3;
    condition_broadcast(&never);
    mutex_unlock(&lock);
    thread_join(joiner);
}

/* ---- nothing is left of a thread that was joined */

static void *ends(void *arg) {
    if (arg)
        thread_exit(arg);
    return arg;
}

static void join_gives_back(void) {
    static struct area areas[64];
    struct thread *t[3];
    int before = areas_read(areas, 64);

    for (int round = 0; round < 150; round++) {
        for (long i = 0; i < 3; i++)
            OK(thread_create(&t[i], ends, (void *)(i * round)));
        for (long i = 0; i < 3; i++)
            EQ(thread_join(t[i]), i * round);
    }
    EQ(areas_read(areas, 64), before);
}

const struct test hidden_apart_tests[] = {
    {"producers_and_consumers", producers_and_consumers, 0},
    {"waits_asleep", waits_asleep, 0},
    {"join_gives_back", join_gives_back, 0},
    {0, 0, 0},
};
