// Races that once were lost, run again: each function is one, named in the output. A glibc program.
//
//   races SECONDS      runs each that long; "ok NAME" a line, or "not ok NAME: why" and exit status 1
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define THREADS 4
#define PAGES 64
#define PAGE_WORDS 512

static const char *name;
static double end;
static atomic_int stop;

static void fail(const char *why) {
    printf("not ok %s: %s\n", name, why);
    fflush(stdout);
    _exit(1);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static void start(pthread_t *threads, void *(*fn)(void *)) {
    atomic_store(&stop, 0);
    for (intptr_t i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, fn, (void *)i))
            fail("pthread_create");
}

static void finish(pthread_t *threads) {
    atomic_store(&stop, 1);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

// Threads that set and stop the process's one interval timer, as short as can be asked for.
static void on_alarm(int sig) { (void)sig; }

static void *set_timer(void *arg) {
    struct itimerval off = {0}, on = {{0, 1 + (intptr_t)arg}, {0, 1}};
    while (!atomic_load(&stop)) {
        setitimer(ITIMER_REAL, &on, NULL);
        setitimer(ITIMER_REAL, (intptr_t)arg & 1 ? &off : &on, NULL);
    }
    setitimer(ITIMER_REAL, &off, NULL);
    return NULL;
}

static void timers_of_many_threads(void) {
    pthread_t threads[THREADS];
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    struct itimerval off = {0};
    sigaction(SIGALRM, &action, NULL);
    start(threads, set_timer);
    while (now() < end)
        poll(NULL, 0, 1);
    finish(threads);
    setitimer(ITIMER_REAL, &off, NULL);
}

// A child must see memory as it was at the fork, whatever the parent's threads write meanwhile.
static volatile uint64_t *pages;

static void *write_pages(void *arg) {
    volatile uint64_t *mine = pages + (intptr_t)arg * PAGES * PAGE_WORDS;
    for (uint64_t value = 1; !atomic_load(&stop); value++)
        mine[value % PAGES * PAGE_WORDS] = value;
    return NULL;
}

static void look_twice(void) {
    static uint64_t seen[THREADS * PAGES];
    for (int i = 0; i < THREADS * PAGES; i++)
        seen[i] = pages[i * PAGE_WORDS];
    usleep(1000);
    for (int i = 0; i < THREADS * PAGES; i++)
        if (pages[i * PAGE_WORDS] != seen[i])
            _exit(1);
    _exit(0);
}

static void fork_while_threads_write(void) {
    pthread_t threads[THREADS];
    int status;
    pages = mmap(NULL, THREADS * PAGES * PAGE_WORDS * 8, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    start(threads, write_pages);
    while (now() < end) {
        pid_t child = fork();
        if (child == 0)
            look_twice();
        if (waitpid(child, &status, 0) != child || status != 0)
            fail("a child saw its parent's writes");
    }
    finish(threads);
}

// A task that is woken from two sides and exits at once: a late waker must not bring it back.
static void die_while_being_woken(void) {
    while (now() < end) {
        int fd[2];
        if (pipe(fd))
            fail("pipe");
        pid_t child = fork();
        if (child == 0) {
            struct pollfd p = {.fd = fd[0], .events = POLLIN};
            poll(&p, 1, 1);
            _exit(7);
        }
        if (write(fd[1], "x", 1) != 1)
            fail("write");
        int status;
        if (waitpid(child, &status, 0) != child || WEXITSTATUS(status) != 7)
            fail("wrong status");
        close(fd[0]);
        close(fd[1]);
    }
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*run)(void);
    } races[] = {
        {"timers_of_many_threads", timers_of_many_threads},
        {"fork_while_threads_write", fork_while_threads_write},
        {"die_while_being_woken", die_while_being_woken},
    };
    double seconds = argc > 1 ? atof(argv[1]) : 3;
    for (size_t i = 0; i < sizeof(races) / sizeof(races[0]); i++) {
        name = races[i].name;
        end = now() + seconds;
        races[i].run();
        printf("ok %s\n", name);
        fflush(stdout);
    }
    return 0;
}
