/* The sandbox: a directory with a file of each kind, which becomes the root of an epoch; memory of
 * each kind; descriptors of each kind at fixed numbers. /proc is mounted in it, devices that do no
 * harm are made in it. What an epoch does to it goes away with it: it is mounted on itself, so that
 * to unmount it takes away all that was mounted in it, wherever that may be. */
#include "user/fuzz/fuzz.h"
#include "abi/socket.h"
#include "abi/msg.h"
#include "abi/sem.h"
#include "abi/shm.h"
#include "abi/mount.h"
#include "abi/resource.h"
#include "abi/stat.h"
#include "abi/termios.h"

static void make_file(const char *name, size_t size) {
    long fd = sys_openat(AT_FDCWD, name, O_WRONLY | O_CREAT, 0666);

    memset(PAGE_AT(GOOD), 'D', PAGE); /* as a set of signals it is without SIGALRM */
    sys_write((int)fd, PAGE_AT(GOOD), size);
    sys_close((int)fd);
}

/* The beginning of a small program, for exec; calls may damage it before. */
static void make_program(void) {
    long in = sys_openat(AT_FDCWD, "/proc/self/exe", O_RDONLY, 0);
    long out = sys_openat(AT_FDCWD, "elf", O_RDWR | O_CREAT, 0777);

    sys_sendfile((int)out, (int)in, 0, 3 * PAGE);
    sys_close((int)in);
    sys_close((int)out);
    out = sys_openat(AT_FDCWD, "script", O_RDWR | O_CREAT, 0777);
    sys_write((int)out, "#!elf argument\n", 15);
    sys_close((int)out);
}

static void make_files(void) {
    static const struct {
        const char *name;
        uint64_t device;
    } devices[] = {{"null", 0x103}, {"zero", 0x105}, {"full", 0x107}, {"random", 0x109}};

    sys_umask(0);
    make_file("file", PAGE);
    make_file("other", 100);
    sys_mkdirat(AT_FDCWD, "dir", 0777);
    sys_mkdirat(AT_FDCWD, "dir/sub", 0777);
    make_file("dir/f", 10);
    make_file("dir/sub/g", 0);
    sys_mkdirat(AT_FDCWD, "mnt", 0777);
    sys_symlinkat("file", AT_FDCWD, "link");
    sys_symlinkat("loop", AT_FDCWD, "loop");
    sys_symlinkat("nowhere", AT_FDCWD, "dangling");
    sys_mknodat(AT_FDCWD, "fifo", S_IFIFO | 0666, 0);
    for (size_t i = 0; i < ARRAY_LEN(devices); i++)
        sys_mknodat(AT_FDCWD, devices[i].name, S_IFCHR | 0666, devices[i].device);
    make_program();
}

static void make_memory(void) {
    int fixed = MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, all = PROT_READ | PROT_WRITE;

    sys_mmap(PAGE_AT(GOOD), GOOD_END * PAGE, all, fixed, -1, 0);
    sys_mmap(PAGE_AT(GOOD_END), PAGE, PROT_READ, fixed, -1, 0);
    sys_mmap(PAGE_AT(CLOSED), PAGE, PROT_NONE, fixed, -1, 0);
    sys_mmap(PAGE_AT(SHARED), 2 * PAGE, all, MAP_FIXED | MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    sys_mmap(PAGE_AT(CODE), PAGE, PROT_EXEC, fixed, -1, 0);
    sys_mmap(PAGE_AT(STACKS), 2 * NR_STACKS * STACK_PAGES * PAGE, all, fixed, -1, 0);
}

static void put(long fd, int *at) {
    if (fd < 0 || *at >= FIRST_FD + NR_FDS)
        return;
    if (fd != *at) {
        sys_dup3((int)fd, *at, 0);
        sys_close((int)fd);
    }
    ++*at;
}

static long open_file(const char *name, int flags) { return sys_openat(AT_FDCWD, name, flags, 0); }

static void make_descriptors(void) {
    int at = FIRST_FD, fds[2];

    put(open_file("file", O_RDWR), &at);
    put(open_file("other", O_RDWR | O_APPEND), &at);
    put(open_file("dir", O_RDONLY), &at); /* FIRST_FD + 2, see values.c */
    for (int i = 0; i < 2; i++) {
        sys_pipe2(fds, i ? O_NONBLOCK : 0);
        sys_write(fds[1], "some bytes in a pipe", 20);
        sys_dup3(fds[1], 80, 0); /* so that the second does not lie in the way of the first */
        sys_close(fds[1]);
        put(fds[0], &at);
        put(80, &at);
    }
    put(open_file("fifo", O_RDWR | O_NONBLOCK), &at);
    put(open_file("null", O_RDWR), &at);
    put(open_file("zero", O_RDWR), &at);
    put(open_file("random", O_RDONLY), &at);
    put(open_file("full", O_RDWR), &at);
    put(open_file("/proc/self/status", O_RDONLY), &at);
    put(open_file("/proc/self/fd", O_RDONLY), &at);
    put(open_file("/proc/self/mem", O_RDWR), &at);
    put(open_file("file", O_PATH), &at);
    put(open_file("dir/f", O_RDONLY), &at);
    put(sys_eventfd2(1, 0), &at);
    put(sys_epoll_create1(0), &at);
    for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++) {
        sys_socketpair(AF_UNIX, type, 0, fds);
        sys_dup3(fds[1], 80, 0);
        sys_close(fds[1]);
        put(fds[0], &at);
        put(80, &at);
    }
    put(open_file("/proc/xv39/maze", O_WRONLY), &at); /* tests' own: PLANT=1 */
    sys_mmap(PAGE_AT(FILE_MAP), 2 * PAGE, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_SHARED, FIRST_FD,
             0);
}

static void limit(int what, uint64_t value) {
    struct rlimit l = {value, value};
    sys_setrlimit(what, &l);
}

void on_signal(int sig) { (void)sig; }

/* All but those of its own faults. */
static void take_signals(void) {
    uint64_t faults = SIGMASK(SIGSEGV) | SIGMASK(SIGBUS) | SIGMASK(SIGILL) | SIGMASK(SIGTRAP);

    for (int sig = 1; sig <= SIGRTMAX; sig++) {
        struct sigaction action = {.sa_handler = on_signal, .sa_flags = sig % 2 ? SA_RESTART : 0};
        if (!(faults & SIGMASK(sig)))
            sys_rt_sigaction(sig, &action, 0, 8);
    }
}

void world_enter(const char *dir, bool root) {
    static const char victim[] = "1000";
    long tty = sys_openat(AT_FDCWD, "/dev/console", O_RDWR | O_NOCTTY | O_NONBLOCK, 0);
    long fd = sys_openat(AT_FDCWD, "/proc/self/oom_score_adj", O_WRONLY, 0);

    sys_write((int)fd, victim, 4); /* when memory is out it is this process that dies */
    sys_dup3((int)tty, TTY_FD, 0);
    sys_close_range(0, TTY_FD - 1, 0);
    sys_close_range(TTY_FD + 1, KEPT_FD - 1, 0);
    sys_setsid();
    sys_mkdirat(AT_FDCWD, dir, 0777);
    if (sys_mount(dir, dir, 0, MS_BIND, 0) < 0 || sys_chdir(dir) < 0)
        exit(NO_WORLD);
    sys_mkdirat(AT_FDCWD, "proc", 0777);
    sys_mount("proc", "proc", "proc", 0, 0);
    make_memory();
    if (sys_chroot(".") < 0)
        exit(NO_WORLD);
    make_files();
    make_descriptors();
    limit(RLIMIT_FSIZE, 4 << 20);
    limit(RLIMIT_AS, 64 << 20);
    take_signals();
    if (!root) {
        sys_setgid(1000);
        sys_setuid(1000);
    }
}

/* A tree may be deeper than a path is long: it is removed by descending into it. */
static void remove_in(int parent, const char *name, int depth) {
    struct dir d;

    if (sys_unlinkat(parent, name, 0) == 0 || sys_unlinkat(parent, name, AT_REMOVEDIR) == 0 ||
        depth > 24)
        return;
    d.fd = (int)sys_openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
    if (d.fd < 0)
        return;
    d.have = d.pos = 0;
    for (struct abi_dirent *e; (e = dir_next(&d)) != 0;) {
        if (!is_dot(e->d_name))
            remove_in(d.fd, e->d_name, depth + 1);
    }
    dir_close(&d);
    sys_unlinkat(parent, name, AT_REMOVEDIR);
}

/* System V objects and message queues outlive their makers, and are nobody's: those of other epochs go too. */
static void remove_ipc(void) {
    struct shmid64_ds shm;
    struct semid64_ds sem;
    struct msqid64_ds msg;
    struct shminfo64 info;
    int highest = (int)sys_shmctl(0, IPC_INFO, &info), id;

    for (int i = 0; i <= highest; i++)
        if ((id = (int)sys_shmctl(i, SHM_STAT_ANY, &shm)) >= 0)
            sys_shmctl(id, IPC_RMID, 0);
    highest = (int)sys_semctl(0, 0, IPC_INFO, (uint64_t)&info);
    for (int i = 0; i <= highest; i++)
        if ((id = (int)sys_semctl(i, 0, SEM_STAT_ANY, (uint64_t)&sem)) >= 0)
            sys_semctl(id, 0, IPC_RMID, 0);
    highest = (int)sys_msgctl(0, IPC_INFO, &info);
    for (int i = 0; i <= highest; i++)
        if ((id = (int)sys_msgctl(i, MSG_STAT_ANY, &msg)) >= 0)
            sys_msgctl(id, IPC_RMID, 0);
    remove_in(AT_FDCWD, "/dev/mqueue", 0);
}

bool world_remove(const char *dir) {
    struct abi_stat st;

    while (sys_umount2(dir, MNT_DETACH) == 0)
        ;
    remove_in(AT_FDCWD, dir, 0);
    remove_ipc();
    return sys_newfstatat(AT_FDCWD, dir, &st, AT_SYMLINK_NOFOLLOW) == -ENOENT;
}
