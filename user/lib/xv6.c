/* xv6's system calls, made out of Linux's.
 *
 * xv6 has no errno: every failure is -1. It also checks less of what a program says and more of
 * what it points to, so most functions here are a Linux call plus the difference. The differences
 * worth knowing:
 *
 * - exit status is a whole int, and -1 for a killed child: xv39's own call xv6_wait gives it.
 * - a bad pointer is -1, never a fault, also where this library reads the memory itself. So a path
 *   is first shown to the kernel (faccessat), which answers EFAULT, and other words to futex,
 *   which reads one, or getcpu, which writes one.
 * - a name in a path means its first 14 characters; a path has less than 128.
 * - read() on a directory yields struct dirent, write() beyond the end of a file fails, unlink()
 *   removes empty directories.
 * - sbrk() takes its pages at once and fails when there are none; sbrklazy() takes them when
 *   touched. */
#include "user/lib/tool.h"
#include "kernel/fs.h"
#include "kernel/param.h"
#include "kernel/stat.h"
#include "abi/futex.h"
#include "abi/mman.h"
#include "abi/sysinfo.h"
#include "abi/wait.h"

/* xv6's and Linux's open flags cannot be included together. */
#define XV6_O_ACCESS 0x003
#define XV6_O_CREATE 0x200
#define XV6_O_TRUNC 0x400
#define XV6_O_NOFOLLOW 0x800
#define O_CREAT 0100
#define O_TRUNC 01000
#define O_NOFOLLOW 0400000
#define O_PATH 010000000
#define AT_FDCWD (-100)
#define AT_REMOVEDIR 0x200
#define SEEK_SET 0
#define SEEK_CUR 1

#define TICK_MS 100           /* of sleep and uptime */
#define SPARE_RAM (2UL << 20) /* bytes that sbrk leaves to others */

static int minus_one(long r) { return r < 0 ? -1 : (int)r; }

/* ---- pointers that may be bad */

static bool readable_word(const void *p) {
    static const struct timespec now;
    long r = sys_futex((uint32_t *)p, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 0x5a5aa5a5, &now, 0, 0);

    return r != -EFAULT && r != -EINVAL;
}

static bool readable_string(const char *s) {
    long r = sys_faccessat(AT_FDCWD, s, 0);

    return r != -EFAULT && r != -ENAMETOOLONG;
}

static bool writable(void *p, size_t n) {
    return sys_getcpu(p, 0, 0) == 0 && sys_getcpu((unsigned *)((char *)p + n - 4), 0, 0) == 0;
}

/* The path with each name cut to DIRSIZ characters, in buf of MAXPATH bytes; null if there is no
 * such path. */
static const char *short_path(const char *path, char *buf) {
    int n = 0, in_name = 0;

    if (!readable_string(path))
        return 0;
    for (int i = 0; path[i]; i++) {
        in_name = path[i] == '/' ? 0 : in_name + 1;
        if (i + 1 >= MAXPATH)
            return 0;
        if (in_name <= DIRSIZ)
            buf[n++] = path[i];
    }
    buf[n] = 0;
    return buf;
}

/* ---- processes */

/* xv6 has 64 processes, and programs rely on fork to fail in time. Here it fails when there are
 * that many more than when this program, or the one it was forked from, first called it. */
static bool too_many_processes(void) {
    static unsigned at_start;
    struct sysinfo info;

    if (sys_sysinfo(&info) < 0)
        return false;
    if (!at_start)
        at_start = info.procs;
    return info.procs >= at_start + NPROC;
}

int fork(void) {
    if (is_xv6_program() && too_many_processes())
        return -1;
    return minus_one(sys_clone(SIGCHLD, 0, 0, 0, 0));
}

int exit(int status) { sys_exit_group(status); }

/* On a kernel without xv6_wait, Linux, the status is what waitid keeps of it: 8 bits. */
static int wait_8_bits(int *status) {
    struct siginfo info = {.si_pid = 0};
    long r;

    do
        r = sys_waitid(P_ALL, 0, &info, WEXITED, 0);
    while (r == -EINTR);
    if (r < 0)
        return -1;
    if (status)
        *status = info.si_code == CLD_EXITED ? info.si_status : -1;
    return info.si_pid;
}

int wait(int *status) {
    long r;

    if (status && !writable(status, sizeof(*status)))
        return -1;
    do
        r = sys_xv6_wait(status);
    while (r == -EINTR);
    return r == -ENOSYS ? wait_8_bits(status) : minus_one(r);
}

int kill(int pid) { return pid <= 0 ? -1 : minus_one(sys_kill(pid, SIGKILL)); }

int getpid(void) { return (int)sys_getpid(); }

/* Do the arguments fit the page that xv6 gives them: strings, each rounded up to 16 bytes, and
 * pointers? */
static bool args_fit(char **argv) {
    uint64_t used = 0;
    int n = 0;

    for (;; n++) {
        if (n >= MAXARG || !readable_word(&argv[n]))
            return false;
        if (!argv[n])
            break;
        if (!readable_string(argv[n]))
            return false;
        used += (strlen(argv[n]) + 1 + 15) & ~15UL;
    }
    used += ((uint64_t)(n + 1) * sizeof(char *) + 15) & ~15UL;
    return used <= PAGE;
}

int exec(const char *path, char **argv) {
    char *no_env[] = {0}, buf[MAXPATH];

    if (!args_fit(argv) || !(path = short_path(path, buf)))
        return -1;
    sys_execve(path, argv, no_env);
    return -1;
}

/* ---- memory */

static int64_t heap_start, heap_end;

/* Gives the new part of the heap its pages; false if memory is out. Asking first keeps the kernel
 * from killing someone to find memory. */
static bool populate(int64_t from, int64_t to) {
    struct sysinfo info;
    int64_t page = (from + PAGE - 1) & -PAGE, size = ((to + PAGE - 1) & -PAGE) - page;

    if (size <= 0)
        return true;
    if (sys_sysinfo(&info) == 0 &&
        (info.freeram + info.bufferram) * info.mem_unit < SPARE_RAM + (uint64_t)size)
        return false;
    return sys_madvise((void *)page, (size_t)size, MADV_POPULATE_WRITE) != -ENOMEM;
}

/* Shrinking below the start changes nothing, and neither does a number that is negative only
 * because it is too large. */
char *sys_sbrk(int n, int how) {
    int64_t old, new;

    if (!heap_start)
        heap_start = heap_end = sys_brk(0);
    old = heap_end;
    new = old + n;
    if (new < heap_start || n == 0)
        return (char *)old;
    if (sys_brk((uint64_t) new) != new)
        return SBRK_ERROR;
    if (n > 0 && how == SBRK_EAGER && is_xv6_program() && !populate(old, new)) {
        sys_brk((uint64_t)old);
        return SBRK_ERROR;
    }
    heap_end = new;
    return (char *)old;
}

char *sbrk(int n) { return sys_sbrk(n, SBRK_EAGER); }

char *sbrklazy(int n) { return sys_sbrk(n, SBRK_LAZY); }

/* ---- time */

int sleep(int ticks) {
    int64_t ms = (int64_t)ticks * TICK_MS;
    struct timespec left = {ms / 1000, ms % 1000 * 1000000};

    if (ticks <= 0)
        return 0;
    while (sys_nanosleep(&left, &left) == -EINTR)
        ;
    return 0;
}

int pause(int ticks) { return sleep(ticks); }

int uptime(void) {
    struct timespec now;

    sys_clock_gettime(CLOCK_MONOTONIC, &now);
    return (int)(now.tv_sec * 1000 / TICK_MS + now.tv_nsec / (TICK_MS * 1000000));
}

/* ---- descriptors */

int pipe(int fds[2]) { return minus_one(sys_pipe2(fds, 0)); }

int close(int fd) { return minus_one(sys_close(fd)); }

int dup(int fd) { return minus_one(sys_dup(fd)); }

/* Takes entries from the directory one getdents64 buffer at a time, and moves the directory's
 * offset back to the first entry that the caller had no room for. */
static int read_dir(int fd, struct dirent *to, int room) {
    char buf[512] __attribute__((aligned(8)));
    long n = sys_getdents64(fd, buf, sizeof(buf));
    int given = 0;
    struct abi_dirent *e = 0;

    if (n <= 0)
        return minus_one(n);
    for (long at = 0; at < n && given < room; at += e->d_reclen, given++) {
        e = (struct abi_dirent *)(buf + at);
        uint len = strlen(e->d_name);

        memset(&to[given], 0, sizeof(*to));
        to[given].inum = (ushort)e->d_ino ? (ushort)e->d_ino : 1;
        memcpy(to[given].name, e->d_name, len < DIRSIZ ? len : DIRSIZ);
    }
    if (e)
        sys_lseek(fd, e->d_off, SEEK_SET);
    return given * (int)sizeof(*to);
}

int read(int fd, void *buf, int n) {
    long r;

    if (n < 0)
        return -1;
    r = sys_read(fd, buf, (size_t)n);
    if (r != -EISDIR)
        return minus_one(r);
    if (n < (int)sizeof(struct dirent))
        return 0;
    return writable(buf, (size_t)n) ? read_dir(fd, buf, n / (int)sizeof(struct dirent)) : -1;
}

/* A regular file refuses to be written beyond its end, and a short write to it is a failure. */
int write(int fd, const void *buf, int n) {
    long at, r;
    struct abi_stat st;

    if (n < 0)
        return -1;
    at = sys_lseek(fd, 0, SEEK_CUR);
    if (at < 0 || sys_fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return minus_one(sys_write(fd, buf, (size_t)n));
    if (at > st.st_size)
        return -1;
    r = sys_write(fd, buf, (size_t)n);
    return r == n ? n : -1;
}

int fstat(int fd, struct stat *st) {
    struct abi_stat s;

    if (sys_fstat(fd, &s) < 0 || !writable(st, sizeof(*st)))
        return -1;
    st->dev = (int)s.st_dev;
    st->ino = (uint)s.st_ino;
    st->type = S_ISDIR(s.st_mode)   ? T_DIR
               : S_ISREG(s.st_mode) ? T_FILE
               : S_ISLNK(s.st_mode) ? T_SYMLINK
                                    : T_DEVICE;
    st->nlink = (short)s.st_nlink;
    st->size = (uint64)s.st_size;
    return 0;
}

/* ---- names */

int open(const char *path, int flags) {
    char buf[MAXPATH];
    int linux_flags = flags & XV6_O_ACCESS;

    if (!(path = short_path(path, buf)))
        return -1;
    if (flags & XV6_O_CREATE)
        linux_flags |= O_CREAT;
    if (flags & XV6_O_TRUNC)
        linux_flags |= O_TRUNC;
    if (flags & XV6_O_NOFOLLOW)
        linux_flags |= O_NOFOLLOW;
    long fd = sys_openat(AT_FDCWD, path, linux_flags, 0777);
    if (fd == -ELOOP && flags & XV6_O_NOFOLLOW) /* Linux opens a link itself only to ask about it */
        fd = sys_openat(AT_FDCWD, path, O_PATH | O_NOFOLLOW, 0);
    return minus_one(fd);
}

/* xv6's console is device 1; Linux's is 5, minor 1. */
int mknod(const char *path, short major, short minor) {
    char buf[MAXPATH];
    uint64_t dev = major == 1 ? ABI_MAKEDEV(5, 1) : ABI_MAKEDEV((ushort)major, (ushort)minor);

    if (!(path = short_path(path, buf)))
        return -1;
    return minus_one(sys_mknodat(AT_FDCWD, path, S_IFCHR | 0666, dev));
}

int unlink(const char *path) {
    char buf[MAXPATH];
    long r;

    if (!(path = short_path(path, buf)))
        return -1;
    r = sys_unlinkat(AT_FDCWD, path, 0);
    if (r == -EISDIR || r == -EPERM)
        r = sys_unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
    return minus_one(r);
}

int link(const char *old, const char *new) {
    char from[MAXPATH], to[MAXPATH];

    if (!(old = short_path(old, from)) || !(new = short_path(new, to)))
        return -1;
    return minus_one(sys_linkat(AT_FDCWD, old, AT_FDCWD, new, 0));
}

int symlink(const char *target, const char *path) {
    char to[MAXPATH], at[MAXPATH];

    if (!(target = short_path(target, to)) || !(path = short_path(path, at)))
        return -1;
    return minus_one(sys_symlinkat(target, AT_FDCWD, path));
}

int mkdir(const char *path) {
    char buf[MAXPATH];

    if (!(path = short_path(path, buf)))
        return -1;
    return minus_one(sys_mkdirat(AT_FDCWD, path, 0777));
}

int chdir(const char *path) {
    char buf[MAXPATH];

    if (!(path = short_path(path, buf)))
        return -1;
    return minus_one(sys_chdir(path));
}

/* ---- library functions that call the above */

int stat(const char *path, struct stat *st) {
    int r, fd = open(path, 0);

    if (fd < 0)
        return -1;
    r = fstat(fd, st);
    close(fd);
    return r;
}

char *gets(char *buf, int max) {
    int n = 0;
    char c;

    while (n + 1 < max && sys_read(0, &c, 1) == 1) {
        buf[n++] = c;
        if (c == '\n' || c == '\r')
            break;
    }
    buf[n] = 0;
    return buf;
}
