/* Threads for the programs of this tree, out of clone(2) and futex(2) alone; docs/threads.md tells
 * how it works. All objects are of one process: in memory that two processes share, a mutex here
 * does not work. An object whose bytes are all zero is ready, so `static struct mutex m;` is all
 * that a mutex needs. No function fails, unless it says so; misuse (unlocking what is not locked,
 * joining twice) is not noticed.
 *
 * Of the library, malloc and free may be called by several threads at once, and so may everything
 * that keeps nothing: strings, snprintf, the system calls. out() and the reader of lines have one
 * buffer: one thread, or a mutex. */
#ifndef USER_LIB_THREAD_H
#define USER_LIB_THREAD_H

#include <stdbool.h>
#include <stdint.h>

#define THREAD_STACK 65536 /* bytes, with a guard page below */

/* ---- threads */

struct thread {
    uint32_t tid;       /* the kernel sets it at the start, and clears it when the thread is gone */
    void *(*f)(void *); /* what it calls, and with what */
    void *arg;
    void *result;
    void *own; /* for the program: one word for each thread, null at first */
};

/* Starts a thread that calls f(arg): 0 and *t, or -ENOMEM, or -EAGAIN if there are too many tasks;
 * pthread_create(3). It must be joined, for its memory. */
long thread_create(struct thread **t, void *(*f)(void *), void *arg);

/* Waits until t has ended, frees it, and returns what f returned; pthread_join(3). Only once, and
 * not for oneself. */
void *thread_join(struct thread *t);

/* Ends the calling thread as if f returned `result`. If it is the first thread, the others go on
 * without it; exit() ends all. */
void thread_exit(void *result) __attribute__((noreturn));

/* The calling thread; for the first thread of a program, one that cannot be joined. */
struct thread *thread_self(void);

/* ---- mutex: at most one thread is between lock and unlock; pthread_mutex_lock(3) */

struct mutex {
    uint32_t word; /* 0 free, 1 locked, 2 locked and somebody may sleep */
};

/* Locks, sleeping as long as another has it. No system call if nobody has. Not recursive. */
void mutex_lock(struct mutex *m);

/* Locks if that needs no waiting: has it? */
bool mutex_trylock(struct mutex *m);

/* Unlocks, and wakes one that waits. No system call if nobody does. */
void mutex_unlock(struct mutex *m);

/* ---- condition: sleep until another thread says that something has changed;
 * pthread_cond_wait(3) */

struct condition {
    uint32_t changes, waiting;
};

/* Unlocks m, sleeps until a signal or broadcast that comes later than the call, and locks m again.
 * May return without one, so: while (!what_is_wanted) condition_wait(&c, &m);
 * => m locked by the caller */
void condition_wait(struct condition *c, struct mutex *m);

/* Wakes one of those that wait, or all. No system call if nobody waits. The caller has changed what
 * they wait for with their mutex locked; it may still hold it. */
void condition_signal(struct condition *c);
void condition_broadcast(struct condition *c);

/* ---- barrier: nobody goes on before all have come; pthread_barrier_wait(3) */

struct barrier {
    struct mutex lock;
    struct condition all_here;
    uint32_t wanted, arrived, round; /* of the threads that use it, `wanted` wait for each other */
};
#define BARRIER_OF(n) ((struct barrier){.wanted = (n)})

/* Waits until `wanted` threads are in this call, then all return: one of them, the last, with true.
 * May be used again at once. */
bool barrier_wait(struct barrier *b);

#endif
