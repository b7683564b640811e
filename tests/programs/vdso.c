/* What the GNU C library and compiler make of the vDSO: the clocks that it reads there, and ways out of a signal
 * handler other than returning: a long jump, a walk up the stack, and unwinding with clean-up code on the way. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <unwind.h>

#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            printf("not ok: line %d: %s\n", __LINE__, #cond);                                      \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static int64_t ns(struct timespec t) { return t.tv_sec * 1000000000L + t.tv_nsec; }

static void clocks(void) {
    struct timespec before, now, after;
    for (int clock = 0; clock < 8; clock++)
        for (int i = 0; i < 1000; i++) {
            syscall(SYS_clock_gettime, clock, &before);
            CHECK(clock_gettime(clock, &now) == 0);
            syscall(SYS_clock_gettime, clock, &after);
            CHECK(ns(before) <= ns(now) && ns(now) <= ns(after));
        }
    CHECK(clock_gettime(77, &now) == -1);
    CHECK(getauxval(AT_SYSINFO_EHDR));
}

static sigjmp_buf out;
static void jump(int sig) { siglongjmp(out, sig); }

static void jumps(void) {
    signal(SIGUSR1, jump);
    for (volatile int i = 0; i < 1000; i++)
        if (sigsetjmp(out, 1) == 0) {
            raise(SIGUSR1);
            CHECK(!"raise returned");
        }
}

/* The interrupted function and its caller: the fault is in the middle of it, so only the frame knows its pc. */
static volatile int cleaned;
static void clean(int *what) { cleaned += *what; }
static int *volatile nowhere;

static __attribute__((noinline)) int victim(int n) {
    int what __attribute__((cleanup(clean))) = n;
    *nowhere = n;
    return what + 1;
}
static __attribute__((noinline)) int caller(int n) {
    int what __attribute__((cleanup(clean))) = 2 * n;
    return victim(n) + what;
}

static int seen;
static _Unwind_Reason_Code look(struct _Unwind_Context *context, void *unused) {
    void *start = _Unwind_FindEnclosingFunction((void *)_Unwind_GetIP(context));
    (void)unused;
    if (start == (void *)victim)
        seen |= 1;
    if (start == (void *)caller && seen & 1)
        seen |= 2;
    return _URC_NO_REASON;
}
static void walk(int sig) {
    _Unwind_Backtrace(look, NULL);
    siglongjmp(out, sig);
}

static struct _Unwind_Exception exception;
static _Unwind_Reason_Code until_caller_is_gone(int version, _Unwind_Action actions,
                                                _Unwind_Exception_Class class,
                                                struct _Unwind_Exception *e,
                                                struct _Unwind_Context *context, void *unused) {
    (void)version, (void)actions, (void)class, (void)e, (void)context, (void)unused;
    if (cleaned == 21)
        siglongjmp(out, 1);
    return _URC_NO_REASON;
}
static void unwind(int sig) {
    _Unwind_ForcedUnwind(&exception, until_caller_is_gone, NULL);
    CHECK(sig < 0);
}

static void frames(void) {
    signal(SIGSEGV, walk);
    if (sigsetjmp(out, 1) == 0)
        caller(7);
    CHECK(seen == 3);
    signal(SIGSEGV, unwind);
    if (sigsetjmp(out, 1) == 0)
        caller(7);
    CHECK(cleaned == 21);
}

int main(void) {
    clocks();
    jumps();
    frames();
    puts("all ok");
    return 0;
}
