/* What many cases need: children, files, time, a look into /proc. */
#include "user/usertests/ut.h"
#include "abi/utsname.h"

#define STACK_PAGES 4

/* ---- children */

int spawn(void (*f)(void)) {
    int pid = fork();

    OK(pid);
    if (pid == 0) {
        f();
        sys_exit_group(0);
    }
    return pid;
}

int wait_status(int pid) {
    int status;
    long r;

    do
        r = sys_wait4(pid, &status, 0, 0);
    while (r == -EINTR);
    EQ(r, pid);
    return status;
}

void wait_ok(int pid) {
    int status = wait_status(pid);

    if (status)
        fail_at("child", "ended with status 0x%x", status);
}

void child_ok(void (*f)(void)) { wait_ok(spawn(f)); }

int child_signal(void (*f)(void)) {
    int status = wait_status(spawn(f));

    if (!WIFSIGNALED(status))
        fail_at("child", "ended with status 0x%x, not by a signal", status);
    return WTERMSIG(status);
}

void kill_child(int pid) {
    OK(sys_kill(pid, SIGKILL));
    EQ(wait_status(pid), SIGKILL);
}

void nothing(void) {}

void sleep_long(void) { sleep_ms(100000); }

int sleep_thread(void *unused) {
    (void)unused;
    sleep_long();
    return 0;
}

void spin(void) {
    for (;;)
        asm volatile("");
}

char *new_stack(void) {
    return (char *)map_pages(STACK_PAGES, PROT_READ | PROT_WRITE) + STACK_PAGES * PAGE;
}

/* ---- files */

long open_at(const char *path, int flags, int mode) {
    return sys_openat(AT_FDCWD, path, flags, (uint32_t)mode);
}

void put_file(const char *path, const char *text) {
    int fd = (int)OK(open_at(path, O_WRONLY | O_CREAT | O_TRUNC, 0644));

    EQ(sys_write(fd, text, strlen(text)), strlen(text));
    OK(sys_close(fd));
}

void expect_file(const char *path, const char *text) {
    static char buf[4096];
    long n = OK(read_file(path, buf, sizeof(buf)));

    if (n != (long)strlen(text) || memcmp(buf, text, strlen(text)) != 0)
        fail_at(path, "holds \"%.60s\", not \"%.60s\"", buf, text);
}

struct abi_stat stat_of(const char *path) {
    struct abi_stat st;

    OK(sys_newfstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW));
    return st;
}

long size_of(const char *path) {
    struct abi_stat st;
    long r = sys_newfstatat(AT_FDCWD, path, &st, 0);

    return r < 0 ? r : st.st_size;
}

bool is_there(const char *path) {
    struct abi_stat st;

    return sys_newfstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

void copy_file(const char *from, const char *to, int mode) {
    int in = (int)OK(open_at(from, O_RDONLY, 0));
    int fd = (int)OK(open_at(to, O_WRONLY | O_CREAT | O_TRUNC, mode));
    bool reading;

    OK(copy_fd(in, fd, &reading));
    OK(sys_fchmod(fd, (uint32_t)mode));
    sys_close(in);
    sys_close(fd);
}

/* ---- time, users, signals, memory */

void sleep_ms(int ms) {
    struct timespec t = {ms / 1000, ms % 1000 * 1000000L};

    while (sys_nanosleep(&t, &t) == -EINTR)
        ;
}

int64_t clock_ms(int clock) {
    struct timespec t;

    OK(sys_clock_gettime(clock, &t));
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t now_ms(void) { return clock_ms(CLOCK_MONOTONIC); }

void become_user(uint32_t uid) {
    OK(sys_setgroups(0, 0));
    OK(sys_setgid(uid));
    OK(sys_setuid(uid));
}

void on_signal(int sig, void (*f)(int), uint64_t flags) {
    struct sigaction act = {.sa_handler = f, .sa_flags = flags};

    OK(sys_rt_sigaction(sig, &act, 0, sizeof(sigset_t)));
}

void *map_pages(size_t pages, int prot) {
    return (void *)OK(sys_mmap(0, pages * PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

void *shared_page(void) {
    return (void *)OK(sys_mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
}

void *unmapped_page(void) {
    void *p = map_pages(1, PROT_READ);

    OK(sys_munmap(p, PAGE));
    return p;
}

/* ---- /proc and the kernel */

bool on_xv39(void) {
    struct new_utsname u;

    OK(sys_uname(&u));
    return strstr(u.release, "xv39") != 0;
}

long proc_number(const char *file, const char *label) {
    static char text[8192];
    const char *at;

    if (read_file(file, text, sizeof(text)) <= 0)
        return -1;
    at = strstr(text, label);
    if (!at)
        return -1;
    for (at += strlen(label); *at == ' ' || *at == '\t' || *at == ':'; at++)
        ;
    return atoi(at);
}

char proc_state(int pid) {
    char path[32], text[512], *close;

    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    if (read_file(path, text, sizeof(text)) <= 0 || !(close = strrchr(text, ')')))
        return '?';
    return close[2];
}

bool comes_still(int count) {
    static int seen = -1;
    static int64_t since;

    if (count != seen) {
        seen = count;
        since = now_ms();
    }
    return now_ms() - since < 5000 * cases_patience;
}

void until_asleep(int pid) {
    for (char state; (state = proc_state(pid)) != 'S'; sys_sched_yield()) {
        if (state == 'Z')
            fail_at("child", "it has ended, and is not asleep");
    }
}
