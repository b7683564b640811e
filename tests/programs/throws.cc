// C++ exceptions thrown by signal handlers, through the kernel's frame into the code that was interrupted.
#include <csetjmp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <pthread.h>
#include <stdexcept>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            printf("not ok: line %d: %s\n", __LINE__, #cond);                                      \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

struct fault : std::runtime_error {
    int sig;
    void *addr;
    fault(int s, void *a) : std::runtime_error("fault"), sig(s), addr(a) {}
};

static void throw_fault(int sig, siginfo_t *info, void *) { throw fault(sig, info->si_addr); }

static void handle(int sig, void (*fn)(int, siginfo_t *, void *), int flags) {
    struct sigaction a = {};
    a.sa_sigaction = fn;
    a.sa_flags = SA_SIGINFO | flags;
    CHECK(sigaction(sig, &a, nullptr) == 0);
}

// Objects of frames that are left are destroyed, and only those.
struct guard {
    int &count;
    explicit guard(int &c) : count(c) { count++; }
    ~guard() { count--; }
};

__attribute__((noinline)) static int load(volatile int *p, int &alive) {
    guard g(alive);
    return *p + alive;
}

__attribute__((noinline)) static int deeper(volatile int *p, int n, int &alive) {
    guard g(alive);
    return n ? deeper(p, n - 1, alive) + 1 : load(p, alive);
}

static void thrown_by_load(volatile int *where, int sig, int times) {
    int alive = 0, caught = 0;
    for (int i = 0; i < times; i++)
        try {
            guard g(alive);
            deeper(where, i % 20, alive);
            CHECK(!"no fault");
        } catch (const fault &f) {
            CHECK(f.sig == sig && f.addr == (void *)where && alive == 0);
            caught++;
        }
    CHECK(caught == times);
}

// The compiler thinks that these throw nothing; hence pointers, of which it knows nothing. A signal that a call sends shows the
// instruction after it.
static void run_illegal() { __asm__ volatile("unimp; nop"); }
static void run_kill() {
    register long a0 __asm__("a0") = getpid(), a1 __asm__("a1") = SIGUSR1, a7 __asm__("a7") = SYS_kill;
    __asm__ volatile("ecall; nop" : "+r"(a0) : "r"(a1), "r"(a7) : "memory");
}
static void (*volatile illegal)() = run_illegal;
static void (*volatile kill_self)() = run_kill;

static void thrown_by(void (*call)(), int sig, int times) {
    int alive = 0, caught = 0;
    for (int i = 0; i < times; i++)
        try {
            guard g(alive);
            call();
            CHECK(!"no signal");
        } catch (const fault &f) {
            CHECK(f.sig == sig && alive == 0);
            caught++;
        }
    CHECK(caught == times);
}

// Without SA_NODEFER the signal stays blocked: throwing is no return.
static void stays_blocked() {
    sigset_t set;
    handle(SIGUSR1, throw_fault, 0);
    thrown_by(kill_self, SIGUSR1, 1);
    CHECK(pthread_sigmask(SIG_BLOCK, nullptr, &set) == 0 && sigismember(&set, SIGUSR1));
    sigemptyset(&set);
    CHECK(pthread_sigmask(SIG_SETMASK, &set, nullptr) == 0);
    handle(SIGUSR1, throw_fault, SA_NODEFER);
}

static volatile int inside;
static void catches_itself(int sig, siginfo_t *, void *) {
    try {
        throw sig;
    } catch (int s) {
        inside += s;
    }
}

static void returns_afterwards() {
    handle(SIGUSR1, catches_itself, 0);
    for (int i = 0; i < 100; i++)
        kill_self();
    CHECK(inside == 100 * SIGUSR1);
}

static sigjmp_buf out;
static void jump(int, siginfo_t *, void *) { siglongjmp(out, 1); }

static void jumps(volatile int *where, int flags) {
    sigset_t set;
    volatile int jumped = 0;
    handle(SIGSEGV, jump, flags);
    for (volatile int i = 0; i < 500; i++)
        if (sigsetjmp(out, 1) == 0)
            *where = i;
        else
            jumped = jumped + 1;
    CHECK(jumped == 500);
    CHECK(pthread_sigmask(SIG_BLOCK, nullptr, &set) == 0 && !sigismember(&set, SIGSEGV));
}

static void *on_own_stack(void *where) {
    stack_t stack = {};
    stack.ss_size = 64 * 1024;
    stack.ss_sp = malloc(stack.ss_size);
    CHECK(sigaltstack(&stack, nullptr) == 0);
    thrown_by_load((volatile int *)where, SIGSEGV, 200);
    CHECK(sigaltstack(nullptr, &stack) == 0 && !(stack.ss_flags & SS_ONSTACK));
    stack.ss_flags = SS_DISABLE;
    void *memory = stack.ss_sp;
    CHECK(sigaltstack(&stack, nullptr) == 0);
    free(memory);
    return nullptr;
}

int main() {
    auto *nothing = (volatile int *)mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char name[] = "/tmp/throwsXXXXXX";
    int fd = mkstemp(name);
    CHECK(fd >= 0 && unlink(name) == 0);
    auto *beyond = (volatile int *)mmap(nullptr, 4096, PROT_READ, MAP_SHARED, fd, 0);
    for (int sig : {SIGSEGV, SIGBUS, SIGILL, SIGUSR1})
        handle(sig, throw_fault, SA_NODEFER);
    thrown_by_load(nothing, SIGSEGV, 500);
    thrown_by_load(beyond, SIGBUS, 100);
    thrown_by(illegal, SIGILL, 100);
    thrown_by(kill_self, SIGUSR1, 100);
    stays_blocked();
    returns_afterwards();
    handle(SIGSEGV, throw_fault, SA_NODEFER | SA_ONSTACK);
    pthread_t threads[4];
    for (auto &t : threads)
        CHECK(pthread_create(&t, nullptr, on_own_stack, (void *)nothing) == 0);
    for (auto &t : threads)
        CHECK(pthread_join(t, nullptr) == 0);
    on_own_stack((void *)nothing);
    jumps(nothing, 0);
    puts("all ok");
}
