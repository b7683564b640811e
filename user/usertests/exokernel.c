/* xv39's own calls in the style of JOS: pages that one places, children that begin empty, faults that one handles (M8), and
 * messages that wait for nobody (I9). */
#include "user/usertests/ut.h"
#include "user/lib/exokernel.h"
#include "user/lib/thread.h"
#include "abi/resource.h"
#include "abi/sched.h"

#define RW (PROT_READ | PROT_WRITE)
#define AT(n) ((volatile char *)0x1e00000000 + (n)*PAGE)
#define NO_PID 0x3fffff

static long page_alloc(int pid, volatile char *at, int prot) {
    return sys_page_alloc(pid, (void *)at, prot);
}
static long page_map(int pid, volatile char *from, int pid2, volatile char *to, int prot) {
    return sys_page_map(pid, (void *)from, pid2, (void *)to, prot);
}
static long page_unmap(int pid, volatile char *at) { return sys_page_unmap(pid, (void *)at); }

static long try_send(int tid, uint64_t value) { return sys_ipc_try_send(tid, value, 0, 0); }

static void send(int tid, uint64_t value) { OK(ipc_send(tid, value, 0, 0)); }

static struct ipc_message receive(void) {
    struct ipc_message m;

    OK(sys_ipc_recv(&m, 0));
    return m;
}

/* ---- children of exofork */

static void give_pages(int child, const struct area *a) {
    for (char *page = a->start; page < a->end; page += PAGE) {
        if (!(a->prot & PROT_WRITE)) {
            OK(page_map(0, page, child, page, a->prot));
            continue;
        }
        OK(page_alloc(0, AT(99), RW));
        memcpy((char *)AT(99), page, PAGE);
        OK(page_map(0, AT(99), child, page, a->prot));
    }
}

/* It has all that we have, but copies of what may be written. */
static void give_memory(int child) {
    static struct area areas[64];
    int n = areas_read(areas, 64);

    for (int i = 0; i < n; i++)
        if (areas[i].prot & PROT_READ)
            give_pages(child, &areas[i]);
    OK(page_unmap(0, AT(99)));
}

static int embryo(void) { return (int)OK(sys_exofork()); }

static int exospawn(void (*f)(void)) {
    int child = embryo();

    if (child == 0) {
        f();
        sys_exit_group(0);
    }
    give_memory(child);
    OK(sys_exo_start(child));
    return child;
}

/* ---- M8: pages */

static void write_0(void) { *AT(0) = 1; }
static void read_0(void) { (void)*AT(0); }
static void write_2(void) { *AT(2) = 1; }

static void alloc_limited(void) {
    struct rlimit limit = {PAGE, PAGE};

    OK(sys_setrlimit(RLIMIT_AS, &limit));
    FAILS(ENOMEM, page_alloc(0, AT(3), RW));
}

static void alloc(void) {
    int child = spawn(sleep_long);
    volatile char *three = map_pages(3, RW);

    FAILS(EINVAL, page_alloc(0, AT(0) + 1, RW));
    FAILS(EINVAL, page_alloc(0, AT(0), 0));
    FAILS(EINVAL, page_alloc(0, AT(0), 8 | RW));
    FAILS(EINVAL, page_alloc(0, 0, RW));
    FAILS(EINVAL, page_alloc(0, (char *)0x4000000000, RW));
    FAILS(EINVAL, page_alloc(0, (char *)-PAGE, RW));
    FAILS(ESRCH, page_alloc(NO_PID, AT(0), RW));
    FAILS(ESRCH, page_alloc(-1, AT(0), RW));
    FAILS(EPERM, page_alloc(1, AT(0), RW));
    FAILS(EPERM, page_alloc(child, AT(0), RW)); /* not by exofork */
    FAILS(EPERM, page_unmap(child, AT(0)));
    FAILS(EINVAL, page_unmap(0, AT(0) + 8));
    kill_child(child);
    OK(page_alloc(0, AT(0), RW));
    EQ(AT(0)[5], 0);
    AT(0)[5] = 'x';
    OK(page_alloc(getpid(), AT(0), PROT_READ)); /* another one */
    EQ(AT(0)[5], 0);
    EQ(child_signal(write_0), SIGSEGV);
    OK(page_unmap(0, AT(0)));
    OK(page_unmap(0, AT(0)));
    EQ(child_signal(read_0), SIGSEGV);
    three[0] = three[PAGE] = three[2 * PAGE] = 'y';
    OK(page_alloc(0, three + PAGE, RW));
    EQ(three[0], 'y');
    EQ(three[PAGE], 0);
    EQ(three[2 * PAGE], 'y');
    child_ok(alloc_limited);
}

static void map_shares(void) {
    OK(page_alloc(0, AT(0), RW));
    OK(page_map(0, AT(0), 0, AT(1), RW));
    OK(page_map(0, AT(0), 0, AT(2), PROT_READ));
    AT(0)[7] = 'x';
    EQ(AT(1)[7], 'x');
    AT(1)[8] = 'y';
    EQ(AT(0)[8], 'y');
    EQ(AT(2)[8], 'y');
    EQ(child_signal(write_2), SIGSEGV);
    FAILS(EACCES, page_map(0, AT(2), 0, AT(3), RW));
    FAILS(EACCES, sys_mprotect((void *)AT(2), PAGE, RW)); /* lent for reading */
    FAILS(EFAULT, page_map(0, AT(9), 0, AT(3), PROT_READ));
    FAILS(EINVAL, page_map(0, AT(0), 0, AT(3) + 1, PROT_READ));
    FAILS(EINVAL, page_map(0, AT(0) + 1, 0, AT(3), PROT_READ));
    FAILS(EINVAL, page_map(0, AT(0), 0, AT(3), 0));
    FAILS(ESRCH, page_map(0, AT(0), NO_PID, AT(3), PROT_READ));
    FAILS(EPERM, page_map(1, AT(0), 0, AT(3), PROT_READ));
    FAILS(EPERM, page_map(0, AT(0), 1, AT(3), PROT_READ));
    OK(page_unmap(0, AT(0)));
    EQ(AT(1)[7], 'x');
    AT(1)[9] = 'z';
    EQ(AT(2)[9], 'z');
    OK(page_map(0, AT(1), 0, AT(1), PROT_READ)); /* rights of the same place */
    FAILS(EACCES, page_map(0, AT(1), 0, AT(3), RW));
    EQ(AT(1)[9], 'z');
    /* what mmap's calls do to such a page */
    OK(page_alloc(0, AT(4), RW));
    OK(page_map(0, AT(4), 0, AT(5), RW));
    EQ(sys_mremap((void *)AT(5), PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)AT(6)), AT(6));
    AT(6)[0] = 'm';
    EQ(AT(4)[0], 'm');
    OK(sys_madvise((void *)AT(6), PAGE, MADV_DONTNEED));
    EQ(AT(6)[0], 0);
    AT(6)[0] = 'n';
    EQ(AT(4)[0], 'm');
    OK(sys_mlock((void *)AT(4), PAGE));
    OK(page_alloc(0, AT(4), RW));
}

static volatile int *flags; /* in shared memory */

static void until_flag(int n) {
    while (!flags[n])
        sys_sched_yield();
}

static void snapshot_child(void) {
    until_flag(0);
    EQ(AT(0)[0], 'a'); /* the parent has written 'b' since */
    EQ(AT(1)[0], 'a');
    AT(0)[0] = 'c';
    EQ(AT(1)[0], 'a'); /* two pages, and private */
}

/* fork's child has copies; the parent's two places still show the same page. */
static void fork_copies(void) {
    int child;

    flags = shared_page();
    OK(page_alloc(0, AT(0), RW));
    OK(page_map(0, AT(0), 0, AT(1), RW));
    AT(0)[0] = 'a';
    child = spawn(snapshot_child);
    AT(1)[0] = 'b';
    EQ(AT(0)[0], 'b');
    flags[0] = 1;
    wait_ok(child);
    EQ(AT(1)[0], 'b');
    OK(sys_madvise((void *)AT(1), PAGE, MADV_WIPEONFORK));
    child = fork();
    if (child == 0) {
        EQ(AT(1)[0], 0);
        EQ(AT(0)[0], 'b');
        sys_exit_group(0);
    }
    wait_ok(child);
}

static volatile char *private;

static void cow_child(void) {
    until_flag(0);
    EQ(private[0], 'a');
}

static void kinds_of_memory(void) {
    volatile char *shared = shared_page(), on_stack[2 * PAGE];
    volatile char *stack_page = (volatile char *)(((uint64_t)on_stack + PAGE - 1) & ~(PAGE - 1UL));
    int child;

    flags = shared_page();
    private = map_pages(1, RW);
    OK(page_map(0, private, 0, AT(0), PROT_READ)); /* never touched */
    EQ(AT(0)[0], 0);
    private[0] = 'a';
    EQ(AT(0)[0], 'a');
    OK(page_unmap(0, AT(0)));
    private = map_pages(1, RW);
    private[0] = 'a';
    child = spawn(cow_child);
    OK(page_map(0, private, 0, AT(0), RW)); /* fork's copy-on-write comes first */
    AT(0)[0] = 'b';
    EQ(private[0], 'b');
    flags[0] = 1;
    wait_ok(child);
    OK(page_map(0, shared, 0, AT(1), RW));
    AT(1)[0] = 's';
    EQ(shared[0], 's');
    OK(page_map(0, stack_page, 0, AT(2), RW));
    stack_page[3] = 't';
    EQ(AT(2)[3], 't');
    FAILS(EACCES, page_map(0, map_pages(1, PROT_NONE), 0, AT(3), PROT_READ));
    FAILS(EACCES, page_map(0, (char *)auxval(33), 0, AT(3), PROT_READ)); /* AT_SYSINFO_EHDR */
    FAILS(EACCES, page_map(0, map_pages(1, PROT_READ), 0, AT(3), RW));
    OK(page_map(0, map_pages(1, PROT_READ), 0, AT(3), PROT_READ));
    EQ(AT(3)[0], 0);
}

static void of_files(void) {
    int fd = (int)OK(open_at("file", O_RDWR | O_CREAT, 0644));
    volatile char *p, *s;

    EQ(sys_write(fd, "hello", 5), 5);
    p = (char *)OK(sys_mmap(0, PAGE, RW, MAP_PRIVATE, fd, 0));
    OK(page_map(0, p, 0, AT(0), PROT_READ)); /* the file's page */
    EQ(AT(0)[1], 'e');
    p[1] = 'a';
    EQ(AT(0)[1], 'e');
    OK(page_map(0, p, 0, AT(1), RW)); /* the program's own by now */
    AT(1)[1] = 'i';
    EQ(p[1], 'i');
    s = (char *)OK(sys_mmap(0, PAGE, PROT_READ, MAP_SHARED, fd, 0));
    FAILS(EACCES, page_map(0, s, 0, AT(2), RW));
    OK(page_map(0, s, 0, AT(2), PROT_READ));
    EQ(sys_pwrite64(fd, "j", 1, 1), 1);
    EQ(AT(2)[1], 'j');
    EQ(AT(1)[1], 'i');
    OK(sys_ftruncate(fd, 0));
    EQ(child_signal(read_0), SIGBUS);
    OK(sys_close(fd));
}

/* ---- M8: children that begin empty */

static void exit_with(long a0) { sys_exit_group((int)a0 + 1); }

static void begins_empty(void) {
    struct user_regs_struct regs = {.pc = (uint64_t)exit_with, .a0 = 41};
    int child = embryo(), status;

    EQ(sys_wait4(child, &status, WNOHANG, 0), 0);
    OK(sys_kill(child, SIGTERM));
    EQ(wait_status(child), SIGTERM);
    child = embryo();
    kill_child(child);
    child = embryo();
    OK(sys_exo_start(child)); /* nothing is where it would begin */
    EQ(wait_status(child), SIGSEGV);
    child = embryo();
    give_memory(child);
    asm volatile("mv %0, gp" : "=r"(regs.gp));
    regs.sp = (uint64_t)&regs & ~15UL;
    FAILS(EFAULT, sys_exo_registers(child, (void *)8));
    OK(sys_exo_registers(child, &regs));
    OK(sys_exo_start(child));
    EQ(wait_status(child), 42 << 8);
}

static int made;

static void writes_and_ends(void) {
    made = 5;
    EQ(sys_getppid() > 1, 1);
    sys_exit_group(made);
}

static void runs_with_copies(void) {
    int child = exospawn(writes_and_ends);

    EQ(wait_status(child), 5 << 8);
    EQ(made, 0);
}

static void makes_embryo(void) {
    flags[0] = embryo();
    until_flag(1);
}

static void who_may_change_it(void) {
    int child = exospawn(sleep_long), other;
    struct user_regs_struct regs = {.pc = 0};

    flags = shared_page();
    OK(page_alloc(child, AT(0), RW));   /* a running one's memory, */
    FAILS(EBUSY, sys_exo_start(child)); /* but no more */
    FAILS(EBUSY, sys_exo_registers(child, &regs));
    FAILS(EBUSY, sys_fault_upcall(child, fault_entry, (char *)AT(0), PAGE));
    kill_child(child);
    FAILS(ESRCH, sys_exo_start(child));
    FAILS(EPERM, sys_exo_start(0x7fffffff & getpid()));
    FAILS(EPERM, sys_exo_registers(1, &regs));
    FAILS(ESRCH, sys_exo_start(NO_PID));
    other = spawn(makes_embryo); /* a grandchild is not ours, and ends with its maker */
    until_flag(0);
    FAILS(EPERM, page_alloc(flags[0], AT(0), RW));
    FAILS(EPERM, sys_exo_start(flags[0]));
    flags[1] = 1;
    wait_ok(other);
    while (sys_kill(flags[0], 0) == 0)
        sleep_ms(1);
}

static void exec_something(void) {
    char *argv[] = {"usertests", "--child", "true", 0};

    until_flag(0);
    sys_execve(self_path, argv, 0);
}

static void as_another_user(void) {
    int child = exospawn(sleep_long);

    become_user(1000);
    FAILS(EPERM, page_alloc(child, AT(0), RW)); /* it is still root's */
    FAILS(EPERM, page_map(child, AT(0), 0, AT(0), PROT_READ));
}

static void execve_ends_rights(void) {
    int child;
    long r;

    flags = shared_page();
    child = embryo();
    if (child == 0) {
        exec_something();
        sys_exit_group(1);
    }
    give_memory(child);
    OK(page_map(0, (char *)flags, child, (char *)flags, RW));
    OK(sys_exo_start(child));
    OK(page_alloc(child, AT(0), RW));
    flags[0] = 1;
    while ((r = page_alloc(child, AT(0), RW)) == 0)
        sys_sched_yield();
    CHECK(r == -EPERM || r == -ESRCH);
    wait_ok(child);
    if (sys_getuid() == 0)
        child_ok(as_another_user);
}

/* ---- M8: faults */

static volatile int faults;
static struct user_fault last;

static volatile char *page_of(const struct user_fault *f) {
    return (volatile char *)(f->address & ~(PAGE - 1UL));
}

static void repair(struct user_fault *f) {
    faults++;
    last = *f;
    OK(page_alloc(0, page_of(f), RW));
}

static void repair_code(struct user_fault *f) {
    repair(f);
    *(volatile uint16_t *)page_of(f) = 0x8082; /* ret */
    OK(page_map(0, page_of(f), 0, page_of(f), PROT_READ | PROT_EXEC));
}

static void upcall(void) {
    OK(fault_handle(repair));
    AT(0)[77] = 'w';
    EQ(faults, 1);
    EQ(last.address, AT(0) + 77);
    EQ(last.access, FAULT_WRITE);
    EQ(AT(0)[77], 'w');
    EQ(AT(1)[5], 0);
    EQ(last.access, FAULT_READ);
    EQ(last.address, AT(1) + 5);
    OK(sys_mprotect((void *)AT(1), PAGE, PROT_READ));
    AT(1)[6] = 'x';
    EQ(faults, 3);
    OK(fault_handle(repair_code));
    ((void (*)(void))AT(2))();
    EQ(faults, 4);
    EQ(last.access, FAULT_EXEC);
    EQ(last.address, last.regs.pc);
    EQ(AT(0)[77], 'w');
}

/* A system call that needs the page is made again. */
static void upcall_for_system_calls(void) {
    int fds[2];

    OK(fault_handle(repair));
    OK(sys_pipe2(fds, 0));
    EQ(sys_write(fds[1], "hello", 5), 5);
    EQ(sys_read(fds[0], (char *)AT(0) + PAGE - 2, 5),
       2); /* as far as there is a page: none is lost */
    EQ(sys_read(fds[0], (char *)AT(1) + 1, 5), 3);
    EQ(AT(1)[1], 'l');
    EQ(faults, 2);
    EQ(last.access, FAULT_WRITE);
    OK(sys_clock_gettime(CLOCK_MONOTONIC, (struct timespec *)AT(3)));
    EQ(faults, 3);
    OK(sys_fault_upcall(0, 0, 0, 0));
    FAILS(EFAULT, sys_clock_gettime(CLOCK_MONOTONIC, (struct timespec *)AT(4)));
}

static volatile int depth;

/* Touches one page more on each level. */
static void nest(struct user_fault *f) {
    OK(page_alloc(0, page_of(f), RW));
    if (++depth < 4)
        AT(depth)[1] = (char)depth;
}

static void nested(void) {
    OK(fault_handle(nest));
    AT(0)[0] = 'x';
    EQ(depth, 4);
    EQ(AT(3)[1], 3);
    EQ(AT(0)[0], 'x');
}

static void fault_again(struct user_fault *f) {
    (void)f;
    depth++;
    (void)*AT(50 + depth);
}
static void endless(void) {
    OK(fault_handle(fault_again));
    read_0();
}
static void without_stack(void) {
    OK(fault_handle(repair));
    OK(sys_munmap(fault_stack, FAULT_STACK));
    read_0();
}
static void taken_away(void) {
    OK(fault_handle(repair));
    OK(sys_fault_upcall(0, 0, 0, 0));
    read_0();
}
static int faulting_thread(void *unused) {
    (void)unused;
    read_0();
    return 0;
}
static void in_another_thread(void) { /* an upcall is a thread's own */
    OK(fault_handle(repair));
    OK(clone_call(THREAD, new_stack(), 0, 0, 0, faulting_thread, 0));
    sleep_long();
}
static void in_a_child(void) {
    faults = 0;
    write_0();
    EQ(faults, 1);
}

static void not_delivered(void) {
    EQ(child_signal(endless), SIGSEGV);
    EQ(child_signal(without_stack), SIGSEGV);
    EQ(child_signal(taken_away), SIGSEGV);
    EQ(child_signal(in_another_thread), SIGSEGV);
    OK(fault_handle(repair));
    child_ok(in_a_child);
    FAILS(EINVAL,
          sys_fault_upcall(0, (void (*)(void))((uint64_t)fault_entry + 1), fault_stack, PAGE));
    FAILS(EINVAL, sys_fault_upcall(0, fault_entry, fault_stack, sizeof(struct user_fault) - 1));
    FAILS(EINVAL, sys_fault_upcall(0, fault_entry, (char *)-PAGE, 2 * PAGE));
    FAILS(EINVAL, sys_fault_upcall(0, (void (*)(void)) - PAGE, fault_stack, PAGE));
    FAILS(EPERM, sys_fault_upcall(1, fault_entry, fault_stack, PAGE));
    OK(sys_fault_upcall(0, 0, 0, 0));
    FAILS(EFAULT, sys_fault_return((void *)8));
}

long hold_registers(volatile int *count, long until); /* registers.S */

static void map_flags(struct user_fault *f) {
    OK(page_map(0, (char *)flags, 0, page_of(f), RW));
    faults++;
}
static void set_flag_later(void) {
    sleep_ms(20);
    flags[0] = 1;
}
static void keeps_registers(void) {
    int child;

    flags = shared_page();
    child = spawn(set_flag_later);
    OK(fault_handle(map_flags));
    EQ(hold_registers((volatile int *)AT(0), 1), 0);
    EQ(faults, 1);
    wait_ok(child);
}

/* ---- M8: several at once */

enum { ROUNDS = 100 };

static void *maps(void *unused) {
    for (int i = 0; i < ROUNDS; i++)
        OK(page_map(0, AT(0), 0, AT(1), i & 1 ? PROT_READ : RW));
    return unused;
}
static void *unmaps(void *unused) {
    for (int i = 0; i < ROUNDS; i++)
        OK(i % 3 ? page_unmap(0, AT(1)) : page_alloc(0, AT(1), RW));
    return unused;
}
static void repair_race(struct user_fault *f) {
    long r = page_alloc(0, page_of(f), RW);

    CHECK(r == 0);
}
static void *writes(void *unused) {
    static char stack[FAULT_STACK];

    OK(sys_fault_upcall(0, fault_entry, stack, sizeof(stack)));
    for (int i = 0; i < ROUNDS; i++)
        AT(1)[i] = 'w';
    return unused;
}

static void races_of_threads(void) {
    static void *(*const work[])(void *) = {maps, unmaps, writes};
    struct thread *t[3];

    OK(fault_handle(repair_race));
    OK(page_alloc(0, AT(0), RW));
    for (int i = 0; i < 3; i++)
        OK(thread_create(&t[i], work[i], 0));
    for (int i = 0; i < 10; i++)
        child_ok(nothing);
    for (int i = 0; i < 3; i++)
        thread_join(t[i]);
}

/* Its memory goes while we change it. */
static void races_with_death(void) {
    for (int i = 0; i < 5; i++) {
        int child = exospawn(sleep_long);
        long r = 0;
        OK(page_alloc(0, AT(0), RW));
        OK(page_map(0, AT(0), child, AT(0), RW));
        OK(sys_kill(child, SIGKILL));
        for (int n = 0; n < 100 && r == 0; n++)
            r = page_map(0, AT(0), child, AT(n % 8), RW);
        CHECK(r == 0 || r == -ESRCH);
        EQ(wait_status(child), SIGKILL);
    }
}

/* ---- I9 */

static void receives_one(void) {
    struct ipc_message m = receive();

    EQ(m.value, 0x123456789abcdef0);
    EQ(m.from, sys_getppid());
    EQ(m.uid, sys_geteuid());
    EQ(m.prot, 0);
}

static void word(void) {
    struct ipc_message m;
    int child = spawn(receives_one);

    FAILS(EAGAIN, try_send(getpid(), 0)); /* nobody sends to himself */
    FAILS(EAGAIN, try_send(1, 0));
    FAILS(ESRCH, try_send(NO_PID, 0));
    FAILS(ESRCH, try_send(0, 0));
    FAILS(ESRCH, try_send(-1, 0));
    FAILS(EINVAL, sys_ipc_try_send(child, 0, (char *)AT(0) + 1, PROT_READ));
    FAILS(EINVAL, sys_ipc_try_send(child, 0, (char *)AT(0), 8));
    FAILS(EINVAL, sys_ipc_try_send(child, 0, 0, PROT_READ));
    FAILS(EINVAL, sys_ipc_recv(&m, (char *)AT(0) + 1));
    FAILS(EINVAL, sys_ipc_recv(&m, (char *)0x4000000000));
    FAILS(EFAULT, sys_ipc_recv((void *)8, 0));
    FAILS(EFAULT, sys_ipc_call(child, 0, 0, 0, (void *)8, 0));
    FAILS(EINVAL, sys_ipc_call(child, 0, 0, 8, &m, 0));
    FAILS(EINVAL, sys_ipc_call(child, 0, 0, 0, &m, (char *)AT(0) + 1));
    FAILS(ESRCH, sys_ipc_call(NO_PID, 0, 0, 0, &m, 0));
    FAILS(EAGAIN, sys_ipc_call(getpid(), 0, 0, 0, &m, 0));
    send(child, 0x123456789abcdef0);
    wait_ok(child);
    FAILS(ESRCH, try_send(child, 0));
    child = spawn(nothing);
    while (proc_state(child) != 'Z')
        sys_sched_yield();
    FAILS(ESRCH, try_send(child, 0)); /* a zombie */
    wait_ok(child);
}

/* Gets three pages at AT(1): to write, to read, and one it does not want. */
static void receives_pages(void) {
    struct ipc_message m;

    OK(sys_ipc_recv(&m, (char *)AT(1)));
    EQ(m.prot, RW);
    EQ(AT(1)[0], 'p');
    AT(1)[1] = 'q';
    OK(sys_ipc_recv(&m, (char *)AT(1)));
    EQ(m.prot, PROT_READ);
    EQ(AT(1)[0], 'r');
    FAILS(EACCES, sys_mprotect((void *)AT(1), PAGE, RW));
    OK(sys_ipc_recv(&m, 0));
    EQ(m.prot, 0);
    EQ(m.value, 3);
}

static long send_page(int tid, uint64_t value, volatile char *page, int prot) {
    return ipc_send(tid, value, (char *)page, prot);
}

static void page(void) {
    int child = spawn(receives_pages);

    OK(page_alloc(0, AT(0), RW));
    OK(page_alloc(0, AT(3), PROT_READ));
    AT(0)[0] = 'p';
    until_asleep(child);
    FAILS(EFAULT, send_page(child, 0, AT(2), RW)); /* it goes on waiting */
    FAILS(EACCES, send_page(child, 0, AT(3), RW));
    OK(send_page(child, 1, AT(0), RW));
    while (AT(0)[1] != 'q')
        sys_sched_yield();
    OK(page_alloc(0, AT(0), RW));
    AT(0)[0] = 'r';
    OK(send_page(child, 2, AT(0), PROT_READ));
    OK(send_page(child, 3, AT(0), PROT_READ));
    wait_ok(child);
}

static void on_usr(int sig) { (void)sig; }

static void interrupted(void) {
    struct ipc_message m;

    on_signal(SIGUSR1, on_usr, 0);
    FAILS(EINTR, sys_ipc_recv(&m, 0));
    on_signal(SIGUSR1, on_usr, SA_RESTART);
    EQ(receive().value, 1);
    until_asleep((int)sys_getppid());
    /* a call is not begun again: its message is sent */
    FAILS(EINTR, sys_ipc_call(sys_getppid(), 2, 0, 0, &m, 0));
}

static void signal_and_let_sleep(int child) {
    until_asleep(child);
    OK(sys_kill(child, SIGUSR1));
}

static void signals(void) {
    struct ipc_message m;
    int child = spawn(interrupted);

    signal_and_let_sleep(child);
    sleep_ms(10);
    signal_and_let_sleep(child);
    sleep_ms(10);
    send(child, 1);
    OK(sys_ipc_recv(&m, 0));
    EQ(m.value, 2);
    until_asleep(child);
    OK(sys_kill(child, SIGUSR1));
    wait_ok(child);
    child = spawn((void (*)(void))receive);
    until_asleep(child);
    kill_child(child);
}

static void echoes(void) {
    struct ipc_message m = receive();

    while (m.value)
        if (sys_ipc_call((int)m.from, m.value + 1, 0, 0, &m, 0) < 0)
            m = receive();
}

static void calls(void) {
    struct ipc_message m;
    int child = spawn(echoes);

    until_asleep(child);
    for (uint64_t i = 1; i < 2000; i++) {
        OK(sys_ipc_call(child, i, 0, 0, &m, 0)); /* its answer finds us waiting, always */
        EQ(m.value, i + 1);
        EQ(m.from, child);
    }
    send(child, 0);
    wait_ok(child);
}

/* Two that hand the hart to each other leave time to a third one on the same hart. */
static void count_up(void) {
    for (;;)
        flags[0]++;
}
static void calls_are_fair(void) {
    uint64_t first = 1;
    struct ipc_message m;
    int partner, third;

    flags = shared_page();
    OK(sys_sched_setaffinity(0, sizeof(first), &first));
    partner = spawn(echoes);
    third = spawn(count_up);
    until_flag(0);
    for (int turns = 0, seen; turns < 5; turns++) {
        seen = flags[0];
        while (flags[0] == seen)
            while (sys_ipc_call(partner, 1, 0, 0, &m, 0) == -EAGAIN)
                ;
    }
    kill_child(third);
    kill_child(partner);
}

enum { SENDERS = 4, EACH = 200 };

static void sends_many(void) {
    for (uint64_t i = 1; i <= EACH; i++)
        send(sys_getppid(), (uint64_t)getpid() << 32 | i);
}

static void many_senders(void) {
    int pid[SENDERS];
    uint32_t next[SENDERS] = {0};

    for (int i = 0; i < SENDERS; i++)
        pid[i] = spawn(sends_many);
    for (int n = 0; n < SENDERS * EACH; n++) {
        struct ipc_message m = receive();
        int from = 0;
        while (from < SENDERS && pid[from] != (int)m.from)
            from++;
        CHECK(from < SENDERS);
        EQ(m.value >> 32, m.from);
        EQ((uint32_t)m.value, ++next[from]); /* nothing lost, nothing twice */
    }
    for (int i = 0; i < SENDERS; i++)
        wait_ok(pid[i]);
}

static void sends_for_ever(void) {
    OK(page_alloc(0, AT(0), RW));
    for (;;)
        sys_ipc_try_send(sys_getppid(), 1, (char *)AT(0), RW);
}

static void sender_dies(void) {
    for (int i = 0; i < 8; i++) {
        struct ipc_message m;
        int child = spawn(sends_for_ever);
        for (int n = 0; n < i; n++)
            OK(sys_ipc_recv(&m, (char *)AT(1)));
        kill_child(child);
    }
}

static void receives_for_ever(void) {
    struct ipc_message m;

    for (;;)
        sys_ipc_recv(&m, (char *)AT(1));
}

static void receiver_dies(void) {
    OK(page_alloc(0, AT(0), RW));
    for (int i = 0; i < 8; i++) {
        int child = spawn(receives_for_ever);
        long r;
        for (int n = 0; n < i; n++)
            OK(send_page(child, 1, AT(0), RW));
        OK(sys_kill(child, SIGKILL));
        while ((r = sys_ipc_try_send(child, 1, (char *)AT(0), RW)) == 0 || r == -EAGAIN)
            ;
        EQ(r, -ESRCH);
        EQ(wait_status(child), SIGKILL);
    }
}

static volatile bool stop;

static void *keeps_unmapping(void *unused) {
    while (!stop) {
        struct timespec moment = {0, 200000};
        page_unmap(0, AT(0));
        page_alloc(0, AT(0), RW);
        sys_nanosleep(&moment, 0);
    }
    return unused;
}

static void page_goes_meanwhile(void) {
    struct thread *t;
    int child = spawn(receives_for_ever), sent = 0;

    OK(thread_create(&t, keeps_unmapping, 0));
    while (sent < 50) {
        long r = send_page(child, 1, AT(0), RW);
        CHECK(r == 0 || r == -EFAULT);
        sent += r == 0;
        sys_sched_yield();
    }
    stop = true;
    thread_join(t);
    kill_child(child);
}

static volatile int thread_tid;

static void *answers(void *unused) {
    thread_tid = (int)sys_gettid();
    EQ(receive().value, 9);
    return unused;
}

static void to_a_thread(void) {
    struct thread *t;

    OK(thread_create(&t, answers, 0));
    while (!thread_tid)
        sys_sched_yield();
    send(thread_tid, 9);
    thread_join(t);
    FAILS(ESRCH, try_send(thread_tid, 9));
}

static void other_user_sends(void) {
    become_user(1000);
    send(sys_getppid(), 5);
}

static void tells_the_user(void) {
    struct ipc_message m;
    int child;

    if (sys_getuid())
        skip("needs root");
    child = spawn(other_user_sends);
    m = receive();
    EQ(m.from, child);
    EQ(m.uid, 1000);
    wait_ok(child);
}

const struct test exokernel_tests[] = {
    {"M8_page_alloc", alloc, 0},
    {"M8_page_map_shares", map_shares, 0},
    {"M8_page_map_fork_copies", fork_copies, 0},
    {"M8_page_map_kinds_of_memory", kinds_of_memory, 0},
    {"M8_page_map_files", of_files, 0},
    {"M8_exofork_begins_empty", begins_empty, 0},
    {"M8_exofork_runs_with_copies", runs_with_copies, 0},
    {"M8_exofork_who_may", who_may_change_it, 0},
    {"M8_exofork_execve_ends_rights", execve_ends_rights, 0},
    {"M8_upcall", upcall, 0},
    {"M8_upcall_system_calls", upcall_for_system_calls, 0},
    {"M8_upcall_nested", nested, 0},
    {"M8_upcall_not_delivered", not_delivered, 0},
    {"M8_upcall_keeps_registers", keeps_registers, 0},
    {"M8_races_of_threads", races_of_threads, 0},
    {"M8_races_with_death", races_with_death, 0},
    {"I9_ipc_word", word, 0},
    {"I9_ipc_page", page, 0},
    {"I9_ipc_signals", signals, 0},
    {"I9_ipc_call", calls, 0},
    {"I9_ipc_call_fair", calls_are_fair, 0},
    {"I9_ipc_many_senders", many_senders, 0},
    {"I9_ipc_sender_dies", sender_dies, 0},
    {"I9_ipc_receiver_dies", receiver_dies, 0},
    {"I9_ipc_page_goes", page_goes_meanwhile, 0},
    {"I9_ipc_thread", to_a_thread, 0},
    {"I9_ipc_tells_the_user", tells_the_user, 0},
    {0, 0, 0},
};
