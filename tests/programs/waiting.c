// The GNU C library's ways to wait for each other, all at once for some time: waiting SECONDS THREADS. Each part counts what
// must come out even; a wake-up that is lost shows as a part that never ends.
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            printf("not ok: line %d: %s\n", __LINE__, #cond);                                      \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

enum { MAX = 16, SLOTS = 4 };
static atomic_bool stop;

/* ---- mutex: a count, by ways that sleep, try and give up after a time */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t inner = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static volatile long counted;
static atomic_long claimed;

static void *mutex_part(void *arg) {
    struct timespec t;
    for (long i = (long)arg; !stop; i++) {
        clock_gettime(CLOCK_REALTIME, &t);
        t.tv_nsec = (t.tv_nsec + 1000000) % 1000000000;
        int error = i % 3 == 0   ? pthread_mutex_trylock(&mutex)
                    : i % 3 == 1 ? pthread_mutex_timedlock(&mutex, &t)
                                 : pthread_mutex_lock(&mutex);
        if (error)
            continue;
        pthread_mutex_lock(&inner);
        pthread_mutex_lock(&inner);
        counted++;
        pthread_mutex_unlock(&inner);
        pthread_mutex_unlock(&inner);
        pthread_mutex_unlock(&mutex);
        claimed++;
    }
    return NULL;
}

/* ---- condition variable: what is put in comes out once */

static pthread_mutex_t box = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER, emptied = PTHREAD_COND_INITIALIZER;
static long slot[SLOTS], used, put_sum, got_sum;
static volatile long passed;
static int producers;

static void *put_part(void *arg) {
    for (long i = (long)arg; !stop; i++) {
        pthread_mutex_lock(&box);
        while (used == SLOTS)
            pthread_cond_wait(&emptied, &box);
        slot[used++] = i;
        put_sum += i;
        i % 4 ? pthread_cond_signal(&filled) : pthread_cond_broadcast(&filled);
        pthread_mutex_unlock(&box);
    }
    pthread_mutex_lock(&box);
    producers--;
    pthread_cond_broadcast(&filled);
    pthread_mutex_unlock(&box);
    return arg;
}

static void *get_part(void *arg) {
    pthread_mutex_lock(&box);
    for (;;) {
        while (used == 0 && producers)
            pthread_cond_wait(&filled, &box);
        if (used == 0)
            break;
        got_sum += slot[--used];
        passed++;
        pthread_cond_signal(&emptied);
    }
    pthread_mutex_unlock(&box);
    return arg;
}

/* ---- barrier: nobody is a round ahead */

static pthread_barrier_t barrier;
static atomic_long round_of[MAX];
static atomic_bool last_round;
static int walkers;

static void *barrier_part(void *arg) {
    for (long round = 1, me = (long)arg;; round++) {
        round_of[me] = round;
        if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
            last_round = stop;
        for (int i = 0; i < walkers; i++)
            CHECK(round_of[i] == round);
        pthread_barrier_wait(&barrier);
        if (last_round)
            return NULL;
    }
}

/* ---- rwlock: readers see both halves of a write, or none */

static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static volatile long left, right;
static atomic_long reads;

static void *rwlock_part(void *arg) {
    for (long i = (long)arg; !stop; i++)
        if (i % 8 == 0) {
            pthread_rwlock_wrlock(&rwlock);
            left++;
            right++;
            pthread_rwlock_unlock(&rwlock);
        } else if (i % 8 == 1 ? pthread_rwlock_tryrdlock(&rwlock) == 0 : pthread_rwlock_rdlock(&rwlock) == 0) {
            CHECK(left == right);
            pthread_rwlock_unlock(&rwlock);
            reads++;
        }
    return NULL;
}

/* ---- cancellation: in waits and in loops, clean-up code runs once */

static sem_t never;

static void cleaned(void *arg) { ++*(int *)arg; }

static void *victim(void *arg) {
    int *count = arg;
    pthread_cleanup_push(cleaned, arg);
    if (*count == 10)
        pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    while (*count == 10)
        ;
    sem_wait(&never);
    pthread_cleanup_pop(0);
    return NULL;
}

static void *cancel_part(void *arg) {
    atomic_long *cancelled = arg;
    for (long i = 0; !stop; i++) {
        pthread_t t;
        void *result;
        int start = i % 2 ? 10 : 0, count = start;
        CHECK(pthread_create(&t, NULL, victim, &count) == 0);
        if (i % 3 == 0)
            sched_yield();
        CHECK(pthread_cancel(t) == 0);
        CHECK(pthread_join(t, &result) == 0 && result == PTHREAD_CANCELED);
        CHECK(count == start || count == start + 1);
        ++*cancelled;
    }
    return NULL;
}

/* ---- semaphores: a ring in which one token goes round */

static sem_t ring[MAX];
static atomic_long tokens, turns;

static void *ring_part(void *arg) {
    long me = (long)arg;
    for (;;) {
        sem_wait(&ring[me]);
        CHECK(++tokens == 1);
        turns++;
        tokens--;
        bool last = stop;  // asked with the token in hand: once for one, then for all that follow
        sem_post(&ring[(me + 1) % walkers]);
        if (last)
            return NULL;
    }
}

int main(int argc, char **argv) {
    static pthread_t thread[8 * MAX];
    static atomic_long cancelled;
    int n = 0, seconds = argc > 1 ? atoi(argv[1]) : 1;
    walkers = argc > 2 ? atoi(argv[2]) : 4;
    CHECK(seconds > 0 && walkers > 0 && walkers <= MAX);
    producers = walkers;
    pthread_barrier_init(&barrier, NULL, walkers);
    sem_init(&never, 0, 0);
    for (int i = 0; i < walkers; i++)
        sem_init(&ring[i], 0, i == 0);
    for (long i = 0; i < walkers; i++) {
        CHECK(pthread_create(&thread[n++], NULL, mutex_part, (void *)i) == 0);
        CHECK(pthread_create(&thread[n++], NULL, put_part, (void *)i) == 0);
        CHECK(pthread_create(&thread[n++], NULL, get_part, NULL) == 0);
        CHECK(pthread_create(&thread[n++], NULL, barrier_part, (void *)i) == 0);
        CHECK(pthread_create(&thread[n++], NULL, rwlock_part, (void *)i) == 0);
        CHECK(pthread_create(&thread[n++], NULL, ring_part, (void *)i) == 0);
    }
    CHECK(pthread_create(&thread[n++], NULL, cancel_part, &cancelled) == 0);
    sleep(seconds);
    // Who has not had a hart yet will have one; a part that never does anything is one that never ends.
    while (!(counted && passed && reads && cancelled && turns))
        usleep(10000);
    stop = true;
    while (n > 0)
        CHECK(pthread_join(thread[--n], NULL) == 0);
    CHECK(counted == claimed && put_sum == got_sum && left == right);
    printf("# %ld locks, %ld passed, %ld rounds, %ld reads, %ld cancelled, %ld turns\n", counted, passed,
           round_of[0], reads, cancelled, turns);
    puts("all ok");
    return 0;
}
