/* alarmtest: a function that the kernel calls every few ticks. Written to xv6's API with sigalarm and sigreturn, in the style of its
 * traps assignment. */
#include "kernel/types.h"
#include "kernel/riscv.h"
#include "user/user.h"

static volatile int calls, running, nested;

static void fail(const char *what) {
    printf("alarmtest: FAIL %s\n", what);
    exit(1);
}

static void count(void) {
    calls++;
    sigreturn();
}

static void is_called(void) {
    calls = 0;
    if (sigalarm(2, count) < 0)
        fail("sigalarm");
    while (calls == 0)
        ;
    sigalarm(0, 0);
}

/* Sums in many registers, which a call in between must not disturb. */
static __attribute__((noinline)) uint64 compute(int steps) {
    uint64 a = 1, b = 2, c = 3, d = 4, e = 5, f = 6;

    for (int i = 0; i < steps; i++) {
        a += b ^ (uint64)i, b += c * 3, c ^= d + a, d += e << 1, e ^= f, f += a;
    }
    return a ^ b ^ c ^ d ^ e ^ f;
}

static void goes_on(void) {
    uint64 alone = compute(100000);

    calls = 0;
    sigalarm(1, count);
    while (calls < 5) {
        if (compute(100000) != alone)
            fail("a computation was disturbed");
    }
    sigalarm(0, 0);
    int seen = calls;
    for (int i = 0; i < 20; i++)
        compute(100000);
    if (calls != seen)
        fail("it is called after sigalarm(0, 0)");
}

static void slow(void) {
    if (running)
        nested = 1;
    running = 1;
    for (int start = uptime(); uptime() < start + 3;)
        compute(1000);
    running = 0;
    if (++calls == 2)
        sigalarm(0, 0); /* the next one may be due already */
    sigreturn();
}

static void not_within_itself(void) {
    calls = nested = 0;
    sigalarm(1, slow);
    while (calls < 2)
        ;
    if (nested)
        fail("it is called while it runs");
}

static void change_a0(void) {
    calls++;
    asm volatile("li a0, 0xac" ::: "a0");
    sigreturn();
}

/* a0 is the program's, not sigreturn()'s result. */
static void keeps_a0(void) {
    uint64 a0;

    calls = 0;
    sigalarm(1, change_a0);
    asm volatile("li a0, 5\n1: lw t0, 0(%1)\n\tbeqz t0, 1b\n\tmv %0, a0"
                 : "=r"(a0)
                 : "r"(&calls)
                 : "a0", "t0", "memory");
    sigalarm(0, 0);
    if (a0 != 5)
        fail("a0");
}

static void of_the_program_alone(void) {
    int status;

    calls = 0;
    sigalarm(1, count);
    if (fork() == 0) {
        calls = 0; /* the parent may have been called before it forked */
        for (int start = uptime(); uptime() < start + 5;)
            ;
        exit(calls);
    }
    if (wait(&status) < 0 || status != 0)
        fail("a child has its parent's alarm");
    sigalarm(0, 0);
}

int main(void) {
    is_called();
    goes_on();
    not_within_itself();
    keeps_a0();
    of_the_program_alone();
    printf("alarmtest: ok\n");
    exit(0);
}
