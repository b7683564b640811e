/* An epoch: its calls are made one after the other, each from its own seed, so that one of them can
 * be made without those before it.
 *
 * A call that may wait is made under an interval timer. Calls that do not come back, or come back
 * twice, are made in a child (execve, rt_sigreturn, fault_return; also chroot, which would open a way out of the
 * sandbox) or give a child or thread something to do (clone): a few calls of its own, then it ends.
 * With -v each call is written to the log before it is made. */
#include "user/fuzz/fuzz.h"
#include "abi/elf.h"
#include "abi/exokernel.h"
#include "abi/sched.h"

enum { CHILD_CALLS = 6, LIMIT_US = 2000 };

struct progress *progress;
int own_pid, last_child;
static const struct epoch *running;
static int stack_turn;

/* ---- choosing */

static int choose_call(struct random *r, int depth) {
    for (;;) {
        int i = (int)below(r, (uint64_t)nr_calls);
        bool rare = strcmp(calls[i].name, "sync") == 0 || strcmp(calls[i].name, "execve") == 0;
        if (calls[i].wanted && !why_left_out(calls[i].name, depth) && !(rare && !one_in(r, 8)))
            return i;
    }
}

static long known_or_any(struct random *r, const struct call *c, int arg, const char *kind,
                         size_t len) {
    size_t n;
    bool bits;
    const long *values = known_values(c->name, arg, &n, &bits);
    long any = value_of(r, kind, len), known = 0;

    if (!values || one_in(r, 8))
        return any;
    for (uint64_t i = 0, m = bits ? 1 + below(r, 3) : 1; i < m; i++)
        known |= values[below(r, n)];
    return known;
}

void deed_make(struct deed *d, struct random *r, int depth) {
    const char *kind;

    *d = (struct deed){.call = &calls[choose_call(r, depth)]};
    kind = d->call->kinds;
    while (*kind && d->nr_args < 6) {
        size_t len = 0;
        while (kind[len] && kind[len] != ',')
            len++;
        d->arg[d->nr_args] = known_or_any(r, d->call, d->nr_args, kind, len);
        d->nr_args++;
        kind += len + (kind[len] == ',');
    }
    make_harmless(r, d);
}

/* ---- the log: one write for each call */

static void log_call(const struct deed *d, uint64_t number, int depth) {
    char line[256];
    int n = snprintf(line, sizeof(line), "fuzz %d.%lu%s: %s(", running->process, number,
                     depth ? "+" : "", d->call->name);

    for (int i = 0; i < d->nr_args; i++)
        n += snprintf(line + n, sizeof(line) - (size_t)n, "%s0x%lx", i ? ", " : "",
                      (unsigned long)d->arg[i]);
    n += snprintf(line + n, sizeof(line) - (size_t)n, ")\n");
    sys_write(LOG_FD, line, (size_t)n);
}

/* ---- calls that need company */

static void set_timer(int64_t us) {
    struct itimerval t = {{0, us}, {0, us}};
    sys_setitimer(0, &t, 0);
}

static void start_timer(void) {
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t mask = SIGMASK(SIGALRM);

    sys_rt_sigaction(SIGALRM, &action, 0, 8);
    sys_rt_sigprocmask(SIG_UNBLOCK, &mask, 0, 8);
    set_timer(LIMIT_US);
}

/* A few calls of a child or thread; its stream comes from the call that made it. */
static int child_calls(void *seed) {
    struct random r = {(uint64_t)seed, 0};
    struct deed d;

    for (int i = 0; i < CHILD_CALLS; i++) {
        deed_make(&d, &r, 1);
        if (may_wait(d.call->name))
            start_timer();
        if (running->verbose)
            log_call(&d, (uint64_t)i, 1);
        raw_syscall(d.call->number, d.arg[0], d.arg[1], d.arg[2], d.arg[3], d.arg[4], d.arg[5]);
    }
    return 0;
}

static long call_clone(struct deed *d, struct random *r) {
    char *stack = PAGE_AT(STACKS + STACK_PAGES * (stack_turn++ % NR_STACKS + 1));
    long pid = clone_call((uint64_t)d->arg[0], stack, (int *)d->arg[2], (void *)d->arg[3],
                          (int *)d->arg[4], child_calls, (void *)next(r));
    if (pid > 0)
        last_child = (int)pid;
    return pid;
}

/* Some bytes of the program's headers are other ones. */
static void damage(struct random *r) {
    long fd = sys_openat(AT_FDCWD, "elf", O_WRONLY, 0);

    for (uint64_t n = below(r, 4); n; n--) {
        uint64_t value = edge(r), size = 1UL << below(r, 4);
        sys_pwrite64((int)fd, &value, size, (int64_t)(below(r, 60) * 4));
    }
    sys_close((int)fd);
}

static const char *const programs[] = {"elf", "elf", "elf", "script", "file", "dir", "nothing"};

/* In a child, which becomes something else, or not. */
static void exec_child(struct deed *d, struct random *r) {
    damage(r);
    if (!one_in(r, 4))
        d->arg[0] = (long)strcpy(PAGE_AT(6), programs[below(r, ARRAY_LEN(programs))]);
    if (!one_in(r, 4))
        d->arg[2] = 0;
    raw_syscall(d->call->number, d->arg[0], d->arg[1], d->arg[2]);
}

/* A signal frame of random words, from which the registers are loaded. */
static void sigreturn_child(struct random *r) {
    register char *sp = PAGE_AT(2);

    fill_words(r, sp, 2 * PAGE / 8);
    if (one_in(r, 2)) /* believable: no extensions, floating-point registers as they are */
        memset(sp + sizeof(struct siginfo) + 176 + 256, 0, 528);
    asm volatile("mv sp, %0; li a7, 139; ecall; unimp" : : "r"(sp) : "a7");
}

static void fault_return_child(const struct deed *d, struct random *r) {
    fill_words(r, PAGE_AT(2), sizeof(struct user_fault) / 8);
    raw_syscall(d->call->number, one_in(r, 4) ? (long)d->arg[0] : (long)PAGE_AT(2));
}

static long in_child(struct deed *d, struct random *r) {
    long pid = sys_clone(SIGCHLD, 0, 0, 0, 0);

    if (pid == 0) {
        if (strcmp(d->call->name, "execve") == 0)
            exec_child(d, r);
        else if (strcmp(d->call->name, "chroot") == 0)
            raw_syscall(d->call->number, d->arg[0]);
        else if (strcmp(d->call->name, "fault_return") == 0)
            fault_return_child(d, r);
        else
            sigreturn_child(r);
        sys_exit_group(0);
    }
    return pid;
}

static bool runs_in_child(const char *call) {
    return strcmp(call, "execve") == 0 || strcmp(call, "rt_sigreturn") == 0 ||
           strcmp(call, "chroot") == 0 || strcmp(call, "fault_return") == 0;
}

static long perform(struct deed *d, struct random *r) {
    const char *call = d->call->name;
    bool waits = may_wait(call) || strncmp(call, "clone", 5) == 0;
    long result;

    if (waits)
        start_timer();
    if (runs_in_child(call))
        result = in_child(d, r);
    else if (strcmp(call, "clone") == 0)
        result = call_clone(d, r);
    else
        result = raw_syscall(d->call->number, d->arg[0], d->arg[1], d->arg[2], d->arg[3], d->arg[4],
                             d->arg[5]);
    if (strcmp(call, "exofork") == 0 && result > 0)
        last_child = (int)result;
    if (strcmp(call, "clone3") == 0 && result == 0)
        sys_exit_group(child_calls((void *)next(r)));
    if (waits && running->threads <= 1) /* else another thread may need it */
        set_timer(0);
    return result;
}

/* ---- the epoch */

static void one_call(int i, uint64_t seed) {
    struct random r = {seed & ~VARIATION, seed & VARIATION};
    struct deed d;

    deed_make(&d, &r, 0);
    if (running->verbose)
        log_call(&d, running->number + (uint64_t)i, 0);
    progress->call = (int)(d.call - calls);
    progress->number = running->number + (uint64_t)i;
    __atomic_fetch_add(&progress->made, 1, __ATOMIC_RELAXED);
    if (perform(&d, &r) < 0)
        __atomic_fetch_add(&progress->failed, 1, __ATOMIC_RELAXED);
}

/* Threads make the same epoch in other orders: an odd step from a start of their own visits every
 * call once. */
static int thread_calls(void *number) {
    uint64_t start = (uint64_t)number;

    for (uint64_t i = 0; i < EPOCH; i++) {
        int at = (int)((start * 37 + i * (2 * start + 1)) % EPOCH);
        if (at >= running->first && at < running->last)
            one_call(at, running->seeds[at]);
    }
    return 0;
}

void epoch_run(const struct epoch *e) {
    uint64_t flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;

    running = e;
    own_pid = last_child = getpid();
    for (int t = 1; t < e->threads && t <= NR_STACKS; t++)
        clone_call(flags, PAGE_AT(STACKS + STACK_PAGES * (NR_STACKS + t)), 0, 0, 0, thread_calls,
                   (void *)(uint64_t)t);
    thread_calls(0);
    sys_exit_group(0);
    __builtin_unreachable();
}
