/* uthread: threads that a program switches between by itself. Written to xv6's API, in the style of its multithreading assignment;
 * switch.S is the part that saves and loads registers. */
#include "kernel/types.h"
#include "user/user.h"

#define STACK 8192
#define THREADS 4
#define ROUNDS 100

struct context {
    uint64 ra, sp, s[12];
};

struct thread {
    struct context context;
    enum { FREE, RUNNABLE } state;
    char stack[STACK] __attribute__((aligned(16)));
};

void thread_switch(struct context *from, struct context *to);

static struct thread all[THREADS], *current = &all[0];
static int turns[THREADS], order[THREADS * ROUNDS], steps;

/* The next one that can run, this one at last. */
static void thread_schedule(void) {
    struct thread *was = current;

    for (int i = 1; i <= THREADS; i++) {
        struct thread *t = &all[(was - all + i) % THREADS];
        if (t->state == RUNNABLE) {
            current = t;
            if (t != was)
                thread_switch(&was->context, &t->context);
            return;
        }
    }
}

static void thread_create(void (*f)(void)) {
    for (struct thread *t = all; t < all + THREADS; t++) {
        if (t->state == FREE) {
            t->state = RUNNABLE;
            t->context.ra = (uint64)f;
            t->context.sp = (uint64)(t->stack + STACK);
            return;
        }
    }
}

static void worker(void) {
    int me = (int)(current - all);
    long sum = 0;

    for (int i = 0; i < ROUNDS; i++) {
        order[steps++] = me;
        turns[me]++;
        sum += i;
        thread_schedule();
    }
    if (sum != ROUNDS * (ROUNDS - 1) / 2)
        turns[me] = -1;
    current->state = FREE;
    thread_schedule();
    exit(1); /* the first thread is always there */
}

int main(void) {
    all[0].state = RUNNABLE;
    for (int i = 1; i < THREADS; i++)
        thread_create(worker);
    while (all[1].state == RUNNABLE || all[2].state == RUNNABLE || all[3].state == RUNNABLE)
        thread_schedule();
    for (int i = 1; i < THREADS; i++) {
        if (turns[i] != ROUNDS) {
            printf("uthread: FAIL thread %d had %d turns\n", i, turns[i]);
            exit(1);
        }
    }
    for (int i = 0; i < steps; i++) {
        if (order[i] != i % (THREADS - 1) + 1) {
            printf("uthread: FAIL step %d was thread %d's\n", i, order[i]);
            exit(1);
        }
    }
    printf("uthread: ok\n");
    exit(0);
}
