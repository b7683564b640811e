/* The calls that xv6's assignments add to its API, and that their test programs use: mmap and munmap, symlink, sigalarm and
 * sigreturn. As in xv6.c each is a Linux call plus the difference.
 *
 * sigalarm(n, f): f is called after each n ticks of 100 ms that the program itself computes, until sigalarm(0, 0). It ends with
 * sigreturn(), by which the program goes on where it was, with all its registers; until then it is not called again. That is a
 * signal's handler. f runs on a stack of its own, for the program's is one page. */
#include "user/lib/tool.h"
#include "abi/mman.h"
#include "abi/time.h"

#define TICK_US 100000
#define SIGINFO_SIZE 128 /* in a frame, before the ucontext */

static void (*alarm_handler)(void);
static void *alarm_context;

static void call_handler(int sig, struct siginfo *info, void *context) {
    (void)sig, (void)info;
    alarm_context = context;
    if (alarm_handler) /* else it was pending when sigalarm(0, 0) came */
        alarm_handler();
}

int sigalarm(int ticks, void (*handler)(void)) {
    static char stack[4 * 4096] __attribute__((aligned(16)));
    stack_t own = {.ss_sp = stack, .ss_size = sizeof(stack)};
    struct sigaction action = {.sa_sigaction = call_handler,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
    struct timeval period = {ticks * TICK_US / 1000000, ticks * TICK_US % 1000000};
    struct itimerval timer = {period, period};

    if (ticks < 0)
        return -1;
    alarm_handler = handler;
    sys_sigaltstack(&own, 0);
    sys_rt_sigaction(SIGVTALRM, &action, 0, 8);
    return sys_setitimer(ITIMER_VIRTUAL, &timer, 0) < 0 ? -1 : 0;
}

int sigreturn(void) {
    asm volatile("mv sp, %0\n\tli a7, 139\n\tecall" ::"r"((char *)alarm_context - SIGINFO_SIZE)
                 : "memory");
    __builtin_unreachable();
}

void *mmap(void *addr, uint64_t size, int prot, int flags, int fd, uint64_t offset) {
    long r = sys_mmap(addr, size, prot, flags, fd, (int64_t)offset);

    return r < 0 && r >= -4095 ? (void *)-1 : (void *)r;
}

int munmap(void *addr, uint64_t size) { return sys_munmap(addr, size) < 0 ? -1 : 0; }
