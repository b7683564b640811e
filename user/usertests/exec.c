/* exec: programs of all kinds, good and broken; what a new program finds. */
#include "user/usertests/ut.h"
#include "abi/elf.h"
#include "abi/flat.h"
#include "abi/prctl.h"
#include "abi/resource.h"

/* ---- what this program does when a case runs it again: usertests --child WHAT arguments */

extern char **environ;
static long zero_data[5000];

static int child_args(int argc, char **argv) {
    if (argc != 4 || strcmp(argv[1], "one") || strcmp(argv[2], "") || strcmp(argv[3], "t h r e e"))
        return 1;
    if (argv[4] || !environ[0] || strcmp(environ[0], "A=b") || environ[1])
        return 2;
    return 0;
}

static int child_auxv(void) {
    if (auxval(AT_PAGESZ) != PAGE || auxval(AT_CLKTCK) != USER_HZ)
        return 1;
    if (!auxval(AT_PHDR) || auxval(AT_PHENT) != sizeof(Elf64_Phdr) || !auxval(AT_PHNUM))
        return 2;
    if (!auxval(AT_ENTRY) || !auxval(AT_RANDOM) || !auxval(AT_EXECFN))
        return 3;
    if (auxval(AT_UID) != (uint64_t)sys_getuid() || auxval(AT_EGID) != (uint64_t)sys_getegid())
        return 4;
    return auxval(AT_SECURE) != 0;
}

static int child_fresh(void) {
    struct sigaction usr1, usr2;
    sigset_t mask;

    for (size_t i = 0; i < ARRAY_LEN(zero_data); i++) {
        if (zero_data[i])
            return 1;
    }
    sys_rt_sigaction(SIGUSR1, 0, &usr1, 8);
    sys_rt_sigaction(SIGUSR2, 0, &usr2, 8);
    sys_rt_sigprocmask(SIG_BLOCK, 0, &mask, 8);
    if (usr1.sa_handler != SIG_DFL || usr2.sa_handler != SIG_IGN || mask != SIGMASK(SIGHUP))
        return 2;
    if (sys_fcntl(50, F_GETFD, 0) != -EBADF || sys_fcntl(51, F_GETFD, 0) != 0)
        return 3;
    return 0;
}

static int child_pid(char **argv) { return getpid() != atoi(argv[1]); }

static int child_count(int argc, char **argv) { return argc != atoi(argv[1]); }

struct places {
    uint64_t stack, heap, mapping;
};

static int child_places(void) {
    struct places p = {(uint64_t)&p, (uint64_t)sys_brk(0), (uint64_t)map_pages(1, PROT_READ)};
    int fd = (int)OK(open_at("places", O_WRONLY | O_CREAT | O_TRUNC, 0644));

    EQ(sys_write(fd, &p, sizeof(p)), sizeof(p));
    return 0;
}

int child_main(int argc, char **argv) {
    if (strcmp(argv[0], "args") == 0)
        return child_args(argc, argv);
    if (strcmp(argv[0], "auxv") == 0)
        return child_auxv();
    if (strcmp(argv[0], "places") == 0)
        return child_places();
    if (strcmp(argv[0], "fresh") == 0)
        return child_fresh();
    if (strcmp(argv[0], "pid") == 0)
        return child_pid(argv);
    if (strcmp(argv[0], "dumpable") == 0)
        return sys_prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 1;
    if (strcmp(argv[0], "count") == 0)
        return child_count(argc, argv);
    if (strcmp(argv[0], "caps") == 0)
        return caps_main(argv[1]);
    if (strcmp(argv[0], "live") == 0)
        return kills_main(argv[1]);
    return strcmp(argv[0], "true") != 0;
}

/* ---- the cases */

static void exec_again(char *what, char *arg) {
    char *argv[] = {"usertests", "--child", what, arg, 0};

    OK(sys_execve(self_path, argv, environ));
}

static void exec_args_child(void) {
    char *argv[] = {"usertests", "--child", "args", "one", "", "t h r e e", 0};
    char *env[] = {"A=b", 0};

    OK(sys_execve(self_path, argv, env));
}

static void args_and_environment(void) { child_ok(exec_args_child); }

static void auxv_child(void) { exec_again("auxv", 0); }

static void auxiliary_vector(void) { child_ok(auxv_child); }

static void caught(int sig) { (void)sig; }

static void fresh_child(void) {
    sigset_t mask = SIGMASK(SIGHUP);

    memset(zero_data, 0xff, sizeof(zero_data));
    on_signal(SIGUSR1, caught, 0);
    on_signal(SIGUSR2, SIG_IGN, 0);
    OK(sys_rt_sigprocmask(SIG_SETMASK, &mask, 0, 8));
    OK(sys_dup3(0, 50, O_CLOEXEC));
    OK(sys_dup3(0, 51, 0));
    exec_again("fresh", 0);
}

static void what_stays_and_goes(void) { child_ok(fresh_child); }

static void pid_child(void) {
    char number[16];

    snprintf(number, sizeof(number), "%d", getpid());
    exec_again("pid", number);
}

static void keeps_pid(void) { child_ok(pid_child); }

/* Tries to run a file, in a child: 0, or the error. */
static long try_exec(const char *path) {
    char *argv[] = {"usertests", "--child", "true", 0};
    long *shared = shared_page();
    int pid = fork(), status;
    long r;

    if (pid == 0) {
        *shared = sys_execve(path, argv, environ);
        sys_exit_group(99);
    }
    status = wait_status(pid);
    r = *shared;
    OK(sys_munmap(shared, PAGE));
    return status == 0 ? 0 : WIFSIGNALED(status) ? WTERMSIG(status) : r;
}

static void errors(void) {
    FAILS(ENOENT, try_exec("nothing"));
    FAILS(ENOENT, try_exec(""));
    put_file("plain", "x");
    FAILS(EACCES, try_exec("plain")); /* no x bit, even for root */
    FAILS(ENOTDIR, try_exec("plain/more"));
    FAILS(EACCES, try_exec("."));
    OK(sys_fchmodat(AT_FDCWD, "plain", 0755));
    FAILS(ENOEXEC, try_exec("plain"));
    put_file("empty", "");
    OK(sys_fchmodat(AT_FDCWD, "empty", 0755));
    FAILS(ENOEXEC, try_exec("empty"));
    copy_file(self_path, "good", 0755);
    EQ(try_exec("good"), 0);
}

/* Changes some bytes of a copy of this program, which must then be refused, or be killed if it is
 * past refusing. */
static void broken(const char *what, size_t offset, uint64_t value, size_t size) {
    int fd;
    long r;

    copy_file(self_path, "bad", 0755);
    fd = (int)OK(open_at("bad", O_WRONLY, 0));
    EQ(sys_pwrite64(fd, &value, size, (int64_t)offset), (long)size);
    sys_close(fd);
    r = try_exec("bad");
    if (r == 0 || r == -99)
        fail_at(HERE, "a file with a bad %s runs: %ld", what, r);
}

#define BROKEN_EHDR(field, value)                                                                  \
    broken(#field, offsetof(Elf64_Ehdr, field), value, sizeof(((Elf64_Ehdr *)0)->field))
#define BROKEN_PHDR(field, value)                                                                  \
    broken(#field, sizeof(Elf64_Ehdr) + offsetof(Elf64_Phdr, field), value,                        \
           sizeof(((Elf64_Phdr *)0)->field))

static void bad_elf_header(void) {
    broken("magic", 1, 'X', 1);
    broken("class", EI_CLASS, ELFCLASS32, 1);
    BROKEN_EHDR(e_machine, 62);
    BROKEN_EHDR(e_type, ET_CORE);
    BROKEN_EHDR(e_type, ET_REL);
    BROKEN_EHDR(e_phentsize, 1);
    BROKEN_EHDR(e_phnum, 0);
    BROKEN_EHDR(e_phnum, 0xfffe);
    BROKEN_EHDR(e_phoff, 1UL << 40);
    BROKEN_EHDR(e_phoff, ~0UL - 8);
    BROKEN_EHDR(e_entry, 0);
    BROKEN_EHDR(e_entry, 0xffffffff80200000UL);
}

static void bad_elf_segments(void) {
    BROKEN_PHDR(p_vaddr, 0xffffffc000000000UL);
    BROKEN_PHDR(p_vaddr, 1UL << 38);
    BROKEN_PHDR(p_vaddr, 0x123);
    BROKEN_PHDR(p_vaddr, ~0UL - 0xfff);
    BROKEN_PHDR(p_memsz, ~0UL);
    BROKEN_PHDR(p_memsz, 1UL << 38);
    BROKEN_PHDR(p_memsz, 1);
    BROKEN_PHDR(p_filesz, 1UL << 62);
    BROKEN_PHDR(p_filesz, 0);
    BROKEN_PHDR(p_offset, ~0UL - 0xfff);
    BROKEN_PHDR(p_flags, 0);
    BROKEN_PHDR(p_type, PT_NULL);
}

static void truncated(void) {
    static const int sizes[] = {1, 4, 16, 63, 64, 65, 100, 200, 4096, 5000, 8192};

    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        long r;
        copy_file(self_path, "bad", 0755);
        OK(sys_truncate("bad", sizes[i]));
        r = try_exec("bad");
        if (r == 0)
            fail_at(HERE, "the first %d bytes run", sizes[i]);
    }
}

static void bad_interpreter(void) {
    /* The second segment's type becomes PT_INTERP: it names no file. */
    copy_file(self_path, "bad", 0755);
    broken("interpreter", sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr), PT_INTERP, 4);
}

/* What may not interpret a program does not run in its place either. */
static void script_as_interpreter(void) {
    static const char name[] = "script";
    Elf64_Phdr p = {.p_type = PT_INTERP, .p_offset = 1 << 24, .p_filesz = sizeof(name)};
    char line[200];
    int fd;

    snprintf(line, sizeof(line), "#!%s --child\n", self_path);
    put_file(name, line);
    OK(sys_fchmodat(AT_FDCWD, name, 0755));
    copy_file(self_path, "bad", 0755);
    fd = (int)OK(open_at("bad", O_WRONLY, 0));
    EQ(sys_pwrite64(fd, &p, sizeof(p), sizeof(Elf64_Ehdr) + sizeof(p)), (long)sizeof(p));
    EQ(sys_pwrite64(fd, name, sizeof(name), p.p_offset), (long)sizeof(name));
    sys_close(fd);
    FAILS(ELIBBAD, try_exec("bad"));
}

static void scripts(void) {
    char line[200];

    snprintf(line, sizeof(line), "#!%s --child\n", "/bin/nothing-there");
    put_file("script", line);
    OK(sys_fchmodat(AT_FDCWD, "script", 0755));
    FAILS(ENOENT, try_exec("script"));
    copy_file(self_path, "ut", 0755);
    put_file("script", "#!/bin/true \nexit 1\n");
    OK(sys_fchmodat(AT_FDCWD, "script", 0755));
    EQ(try_exec("script"), 0);
    put_file("nested", "#!./script\n");
    OK(sys_fchmodat(AT_FDCWD, "nested", 0755));
    EQ(try_exec("nested"), 0);
    put_file("loop", "#!./loop\n");
    OK(sys_fchmodat(AT_FDCWD, "loop", 0755));
    FAILS(ELOOP, try_exec("loop"));
    put_file("blank", "#! \n");
    OK(sys_fchmodat(AT_FDCWD, "blank", 0755));
    FAILS(ENOEXEC, try_exec("blank"));
}

/* Writes to memory behind the bytes of the file, and exits with what is next to it, 0. */
struct flat_program {
    struct flat_header header;
    uint32_t code[6];
};
#define FLAT_START 0x10000
#define FLAT_ENTRY (FLAT_START + sizeof(struct flat_header))

static const struct flat_program flat = {
    {FLAT_MAGIC, FLAT_START, FLAT_ENTRY, 3 * PAGE},
    {
        0x00002517, /* auipc a0, 2 */
        0x02a00593, /* li a1, 42 */
        0x00b52023, /* sw a1, 0(a0) */
        0x00452503, /* lw a0, 4(a0) */
        0x05e00893, /* li a7, 94 */
        0x00000073, /* ecall */
    },
};

static long try_flat(const struct flat_program *p, size_t size) {
    int fd = (int)OK(open_at("flat", O_RDWR | O_CREAT | O_TRUNC, 0755));

    EQ(sys_write(fd, p, size), (long)size);
    sys_close(fd);
    return try_exec("flat");
}

static void flat_programs(void) {
    struct flat_program p = flat;

    EQ(try_flat(&p, sizeof(p)), 0);
    p.header.start++;
    FAILS(EINVAL, try_flat(&p, sizeof(p)));
    p.header.start = 0;
    FAILS(EPERM, try_flat(&p, sizeof(p)));
    p.header.start = 1UL << 38;
    FAILS(EINVAL, try_flat(&p, sizeof(p)));
    p = flat;
    p.header.memory = sizeof(p) - 1; /* less than the file */
    FAILS(EINVAL, try_flat(&p, sizeof(p)));
    p.header.memory = ~0UL;
    FAILS(EINVAL, try_flat(&p, sizeof(p)));
    p.header.memory = 0;
    FAILS(ENOEXEC, try_flat(&p, sizeof(p)));
    p = flat;
    p.header.entry = ~0UL;
    FAILS(EINVAL, try_flat(&p, sizeof(p)));
    p = flat;
    EQ(try_flat(&p, sizeof(p.header)), SIGILL); /* no code: zeroes are no instruction */
    FAILS(ENOEXEC, try_flat(&p, 8));
    FAILS(ENOEXEC, try_flat(&p, 7));
}

static char *many_args[40000];

static long exec_many(int count, size_t length) {
    char number[16], *arg = xmalloc(length + 1);

    memset(arg, 'a', (uint)length);
    arg[length] = 0;
    snprintf(number, sizeof(number), "%d", count + 2);
    many_args[0] = "usertests";
    many_args[1] = "--child";
    many_args[2] = "count";
    many_args[3] = number;
    for (int i = 0; i < count; i++)
        many_args[4 + i] = arg;
    many_args[4 + count] = 0;
    return sys_execve(self_path, many_args, environ);
}

static void hundred_kib(void) { OK(exec_many(1000, 100)); }

static void one_large(void) { OK(exec_many(1, 100000)); }

static void argument_limits(void) {
    child_ok(hundred_kib);
    child_ok(one_large);
    FAILS(E2BIG, exec_many(1, 32 * PAGE + 1)); /* one string: 128 KiB */
    FAILS(E2BIG, exec_many(30000, 1000));      /* all: a quarter of the stack limit */
}

static void busy_text(void) {
    int fd;

    copy_file(self_path, "prog", 0755);
    fd = (int)OK(open_at("prog", O_WRONLY, 0));
    FAILS(ETXTBSY, try_exec("prog"));
    sys_close(fd);
    EQ(try_exec("prog"), 0);
    FAILS(ETXTBSY, open_at("/proc/self/exe", O_WRONLY, 0)); /* the other way round */
}

static int sleeper(void *arg) {
    (void)arg;
    sleep_ms(60000);
    return 0;
}

/* A second thread runs exec: it becomes the process, the first one is gone. */
static int exec_in_thread(void *arg) {
    (void)arg;
    exec_again("pid", (char *)arg);
    return 1;
}

static void exec_thread_child(void) {
    static char number[16];
    char *stacks = map_pages(8, PROT_READ | PROT_WRITE);
    uint64_t flags = 0x10f00; /* VM FS FILES SIGHAND THREAD */

    snprintf(number, sizeof(number), "%d", getpid());
    OK(clone_call(flags, stacks + 4 * PAGE, 0, 0, 0, sleeper, 0));
    OK(clone_call(flags, stacks + 8 * PAGE, 0, 0, 0, exec_in_thread, number));
    sleep_ms(60000);
}

static void exec_from_thread(void) { child_ok(exec_thread_child); }

static void exec_many_times(void) {
    for (int i = 0; i < 500; i++) {
        char *argv[] = {"true", 0};
        int pid = vfork_exec("/bin/true", argv, environ);
        OK(pid);
        wait_ok(pid);
    }
}

static void places_child(void) { exec_again("places", 0); }

static void unmoved_child(void) {
    OK(sys_personality(ADDR_NO_RANDOMIZE));
    places_child();
}

static bool differ(uint64_t a, uint64_t b, uint64_t range) {
    CHECK(a > b ? a - b < range : b - a < range);
    return a != b;
}

/* How many of stack, heap and mappings had several places in some runs of a program. */
static int moving(void (*child)(void)) {
    struct places first, now;
    char bytes[sizeof(now) + 1];
    bool stack = false, heap = false, mapping = false;

    for (int i = 0; i < 6; i++) {
        child_ok(child);
        EQ(read_file("places", bytes, sizeof(bytes)), sizeof(now));
        memcpy(&now, bytes, sizeof(now));
        if (i == 0)
            first = now;
        stack |= differ(now.stack, first.stack, (1UL << 30) + 8192);
        heap |= differ(now.heap, first.heap, 1UL << 25);
        mapping |= differ(now.mapping, first.mapping, 1UL << 31);
    }
    return stack + heap + mapping;
}

static void random_places(void) {
    static const char setting[] = "/proc/sys/kernel/randomize_va_space";
    char old[8] = "";

    CHECK(read_file(setting, old, sizeof(old) - 1) > 0);
    put_file(setting, "2");
    EQ(moving(places_child), 3);
    EQ(moving(unmoved_child), 0);
    put_file(setting, "1");
    EQ(moving(places_child), 2); /* all but the heap */
    put_file(setting, "0");
    EQ(moving(places_child), 0);
    put_file(setting, old);
    int fd = (int)OK(open_at(setting, O_WRONLY, 0));
    FAILS(EINVAL, sys_write(fd, "3", 1));
    become_user(1000);
    FAILS(EACCES, open_at(setting, O_WRONLY, 0));
}

const struct test exec_tests[] = {
    {"T7_exec_args_and_environment", args_and_environment, 0},
    {"T7_exec_auxv", auxiliary_vector, 0},
    {"T7_exec_what_stays_and_goes", what_stays_and_goes, 0},
    {"T7_exec_keeps_pid", keeps_pid, 0},
    {"T7_exec_errors", errors, 0},
    {"T7_exec_bad_elf_header", bad_elf_header, 0},
    {"T7_exec_bad_elf_segments", bad_elf_segments, 0},
    {"T7_exec_truncated", truncated, 0},
    {"T7_exec_bad_interpreter", bad_interpreter, 0},
    {"T7_exec_script_as_interpreter", script_as_interpreter, 0},
    {"T7_exec_scripts", scripts, 0},
    {"T7_exec_flat_programs", flat_programs, 0},
    {"T7_exec_argument_limits", argument_limits, 0},
    {"T7_exec_busy_text", busy_text, 0},
    {"T7_exec_from_thread", exec_from_thread, 0},
    {"T7_exec_many_times", exec_many_times, 1},
    {"M6_random_places", random_places, 0},
    {0, 0, 0},
};
