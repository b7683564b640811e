// Threads and timers as glibc makes them: what it asks of the kernel beyond clone and futex. TAP-like output.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/rseq.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int number;

static void say(int good, const char *name) {
    printf("%s %d %s\n", good ? "ok" : "not ok", ++number, name);
    fflush(stdout);
}

/* ---- threads */

static int counted;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;

static void *count(void *arg) {
    pthread_mutex_lock(&mutex);
    if (++counted == (int)(long)arg)
        pthread_cond_broadcast(&cond);
    while (counted < (int)(long)arg)
        pthread_cond_wait(&cond, &mutex);
    pthread_mutex_unlock(&mutex);
    return arg;
}

// All are there at once: each waits for the last.
static void thousand_threads(void) {
    enum { N = 1000 };
    static pthread_t thread[N];
    pthread_attr_t attr;
    void *result;
    int made = 0, joined = 0;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 64 * 1024);
    while (made < N && pthread_create(&thread[made], &attr, count, (void *)(long)N) == 0)
        made++;
    for (int i = 0; i < made; i++)
        joined += pthread_join(thread[i], &result) == 0 && result == (void *)(long)N;
    say(made == N && joined == N, "T4 1,000 threads at once");
}

static volatile int prepared; // the thread to be cancelled has said what is to be cleaned up

static void cleaned(void *arg) { *(int *)arg = 1; }

static void *wait_for_ever(void *arg) {
    pthread_cleanup_push(cleaned, arg);
    prepared = 1;
    for (;;)
        pause();
    pthread_cleanup_pop(0);
    return NULL;
}

static void *spin_for_ever(void *arg) {
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    pthread_cleanup_push(cleaned, arg);
    prepared = 1;
    for (;;)
        __asm__ volatile("");
    pthread_cleanup_pop(0);
    return NULL;
}

static int cancel_one(void *(*fn)(void *)) {
    pthread_t t;
    void *result = NULL;
    int clean = 0;
    prepared = 0;
    pthread_create(&t, NULL, fn, &clean);
    while (!prepared)
        usleep(1000);
    usleep(20000);
    pthread_cancel(t);
    pthread_join(t, &result);
    return clean && result == PTHREAD_CANCELED;
}

// A process that dies with a robust, shared mutex locked leaves it to the next.
static void robust_mutex(void) {
    pthread_mutex_t *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t a;
    int fds[2];
    char c;
    pthread_mutexattr_init(&a);
    pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
    pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(m, &a);
    if (pipe(fds))
        return;
    pid_t child = fork();
    if (child == 0) {
        pthread_mutex_lock(m);
        c = (char)write(fds[1], "x", 1);
        usleep(30000);
        kill(getpid(), SIGKILL);
    }
    int good = read(fds[0], &c, 1) == 1 && pthread_mutex_lock(m) == EOWNERDEAD;
    good = good && pthread_mutex_consistent(m) == 0 && pthread_mutex_unlock(m) == 0;
    good = good && pthread_mutex_lock(m) == 0 && pthread_mutex_unlock(m) == 0;
    say(good && waitpid(child, NULL, 0) == child, "I6 a robust mutex whose owner was killed");
}

/* ---- timers */

static volatile int rung;
static void ring(union sigval v) { __atomic_add_fetch(&rung, v.sival_int, __ATOMIC_RELAXED); }

static void thread_timer(void) {
    struct sigevent e = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = ring};
    struct itimerspec t = {{0, 5000000}, {0, 5000000}};
    timer_t id;
    e.sigev_value.sival_int = 1;
    int made = timer_create(CLOCK_MONOTONIC, &e, &id) == 0 && timer_settime(id, 0, &t, NULL) == 0;
    for (int i = 0; i < 5000 && rung < 10; i++)
        usleep(2000);
    say(made && rung >= 10, "T11 timer_create with SIGEV_THREAD");
    say(made && timer_delete(id) == 0, "T11 timer_delete");
}

/* ---- the rest */

static void pidfds(void) {
    siginfo_t info;
    pid_t child = fork();
    if (child == 0)
        pause();
    int fd = pidfd_open(child, 0);
    int sent = pidfd_send_signal(fd, SIGTERM, NULL, 0) == 0;
    say(fd >= 0 && sent && waitid(P_PIDFD, fd, &info, WEXITED) == 0 && info.si_status == SIGTERM, "T8 pidfd");
}

int main(void) {
    thousand_threads();
    say(cancel_one(wait_for_ever), "T4 cancellation in a call");
    say(cancel_one(spin_for_ever), "T4 cancellation of a loop");
    robust_mutex();
    thread_timer();
    pidfds();
    // Without rseq the kernel says ENOSYS, and glibc goes on without.
    printf("# rseq %s\n", __rseq_size ? "registered" : "not there");
    printf("1..%d\n", number);
    return 0;
}
