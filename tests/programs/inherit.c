// glibc's mutexes of protocol PTHREAD_PRIO_INHERIT: a thread of high priority waits for one of low priority that a third keeps off
// the hart, and gets the mutex all the same. All on hart 0. TAP.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static volatile int holds, spins, wants, stop, gave_up, waiting;
static pthread_mutex_t mutex;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int number;

static void check(int error, const char *what) {
    if (error) {
        printf("not ok %s: error %d\n", what, error);
        exit(1);
    }
}

static void ok(int cond, const char *what) { printf("%sok %d %s\n", cond ? "" : "not ", ++number, what); }

static void make_mutex(int robust) {
    pthread_mutexattr_t a;

    check(pthread_mutexattr_init(&a), "attr");
    check(pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT), "protocol");
    check(pthread_mutexattr_setrobust(&a, robust), "robust");
    check(pthread_mutex_init(&mutex, &a), "init");
    holds = spins = wants = stop = gave_up = 0;
}

static void until(volatile int *flag) {
    while (!*flag)
        usleep(2000);
}

static long cpu_ms(void) {
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static pthread_t start(int priority, void *(*f)(void *)) {
    struct sched_param p = {priority};
    pthread_attr_t a;
    pthread_t t;

    check(pthread_attr_init(&a), "attr");
    check(pthread_attr_setinheritsched(&a, PTHREAD_EXPLICIT_SCHED), "inheritsched");
    check(pthread_attr_setschedpolicy(&a, priority ? SCHED_FIFO : SCHED_OTHER), "policy");
    check(pthread_attr_setschedparam(&a, &p), "priority");
    check(pthread_create(&t, &a, f, 0), "create");
    return t;
}

static void *low(void *unused) {
    check(pthread_mutex_lock(&mutex), "lock");
    holds = 1;
    while (!wants)
        ;
    for (long end = cpu_ms() + 10; cpu_ms() < end;)
        ;
    check(pthread_mutex_unlock(&mutex), "unlock");
    return unused;
}

static void *middle(void *unused) {
    long end = cpu_ms() + 5000;

    spins = 1;
    while (!stop)
        if (cpu_ms() > end) {
            gave_up = 1;
            break;
        }
    return unused;
}

static void *high(void *unused) {
    until(&spins);
    usleep(5000);
    wants = 1;
    check(pthread_mutex_lock(&mutex), "lock");
    stop = 1;
    check(pthread_mutex_unlock(&mutex), "unlock");
    return unused;
}

static void inversion(void) {
    pthread_t t[3];

    make_mutex(PTHREAD_MUTEX_STALLED);
    t[0] = start(0, low);
    until(&holds);
    t[1] = start(20, high);
    t[2] = start(10, middle);
    for (int i = 0; i < 3; i++)
        pthread_join(t[i], 0);
    ok(!gave_up, "the owner of a mutex inherits");
}

static void *die_with_it(void *unused) {
    check(pthread_mutex_lock(&mutex), "lock");
    holds = 1;
    until(&wants);
    usleep(20000);
    return unused;
}

static void robust(void) {
    pthread_t t;
    int error;

    make_mutex(PTHREAD_MUTEX_ROBUST);
    t = start(0, die_with_it);
    until(&holds);
    wants = 1;
    error = pthread_mutex_lock(&mutex);
    ok(error == EOWNERDEAD, "a robust mutex of a dead owner goes to who waits");
    check(pthread_mutex_consistent(&mutex), "consistent");
    check(pthread_mutex_unlock(&mutex), "unlock");
    pthread_join(t, 0);
}

static void *await(void *unused) {
    check(pthread_mutex_lock(&mutex), "lock");
    waiting++;
    while (!stop)
        check(pthread_cond_wait(&cond, &mutex), "wait");
    waiting--;
    check(pthread_mutex_unlock(&mutex), "unlock");
    return unused;
}

static void conditions(void) {
    pthread_t t[8];

    make_mutex(PTHREAD_MUTEX_STALLED);
    for (int i = 0; i < 8; i++)
        t[i] = start(i % 3 * 10, await), usleep(1000);
    while (waiting < 8)
        usleep(1000);
    check(pthread_mutex_lock(&mutex), "lock");
    stop = 1;
    check(pthread_cond_broadcast(&cond), "broadcast");
    check(pthread_mutex_unlock(&mutex), "unlock");
    for (int i = 0; i < 8; i++)
        pthread_join(t[i], 0);
    ok(waiting == 0, "waiters for a condition");
}

static void others(void) {
    struct timespec past = {1, 0};
    int error;

    make_mutex(PTHREAD_MUTEX_STALLED);
    start(0, die_with_it);
    until(&holds);
    ok(pthread_mutex_trylock(&mutex) == EBUSY, "trylock");
    error = pthread_mutex_timedlock(&mutex, &past);
    ok(error == ETIMEDOUT, "timedlock");
    error = pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, &past);
    ok(error == ETIMEDOUT, "clocklock");
    wants = 1;
}

int main(void) {
    struct sched_param p = {50};
    cpu_set_t set;

    setvbuf(stdout, 0, _IOLBF, 0);
    CPU_ZERO(&set);
    CPU_SET(0, &set);
    check(sched_setaffinity(0, sizeof(set), &set), "affinity");
    check(sched_setscheduler(0, SCHED_FIFO, &p), "scheduler");
    inversion();
    robust();
    conditions();
    others();
    printf("1..%d\n", number);
    return 0;
}
