/* What is known of single calls: the values that mean something to them, which of them wait, and
 * what they may not do here.
 *
 * A call is left out or changed only if it would end the run, reach outside of the sandbox, or stop
 * for ever what nobody wakes; each rule says why. */
#include "user/fuzz/fuzz.h"
#include "abi/futex.h"
#include "abi/ioctl.h"
#include "abi/msg.h"
#include "abi/mount.h"
#include "abi/poll.h"
#include "abi/prctl.h"
#include "abi/resource.h"
#include "abi/sched.h"
#include "abi/eventfd.h"
#include "abi/sem.h"
#include "abi/socket.h"
#include "abi/shm.h"
#include "abi/termios.h"
#include "abi/wait.h"

#define VALUES(...)                                                                                \
    .values = (const long[]){__VA_ARGS__}, .n = sizeof((const long[]){__VA_ARGS__}) / sizeof(long)

static const struct known {
    const char *call;
    int arg;
    bool bits; /* the values may be or'ed */
    const long *values;
    size_t n;
} known[] = {
    {"dup3", 2, 1, VALUES(0, O_CLOEXEC)},
    {"fcntl", 1, 0,
     VALUES(F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GETLK, F_SETLK, F_SETLKW, F_SETOWN,
            F_GETOWN, F_SETSIG, F_GETSIG, F_SETOWN_EX, F_GETOWN_EX, F_OFD_GETLK, F_OFD_SETLK,
            F_OFD_SETLKW, F_SETLEASE, F_GETLEASE, F_NOTIFY, F_DUPFD_CLOEXEC, F_SETPIPE_SZ,
            F_GETPIPE_SZ, F_ADD_SEALS, F_GET_SEALS)},
    {"ioctl", 1, 0,
     VALUES(FIONREAD, FIONBIO, FIONCLEX, FIOCLEX, FIOASYNC, BLKROGET, BLKGETSIZE, BLKFLSBUF,
            BLKSSZGET, BLKGETSIZE64, TCGETS, TCSETS, TCSETSW, TCSETSF, TIOCGWINSZ, TIOCSWINSZ,
            TIOCGPGRP, TIOCSPGRP, TIOCGSID, TIOCOUTQ, TIOCEXCL, TIOCNXCL, TIOCGETD, TIOCSETD,
            TIOCNOTTY, TIOCGPTN, TIOCSPTLCK, TCSBRK, TCFLSH)},
    {"flock", 1, 1, VALUES(LOCK_SH, LOCK_EX, LOCK_NB, LOCK_UN)},
    {"unlinkat", 2, 1, VALUES(0, AT_REMOVEDIR)},
    {"linkat", 4, 1, VALUES(0, AT_SYMLINK_FOLLOW, AT_EMPTY_PATH)},
    {"renameat2", 4, 1, VALUES(0, RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_WHITEOUT)},
    {"umount2", 1, 1, VALUES(0, 1, 2, 4, 8)},
    {"mount", 3, 1, VALUES(0, 1, 2, 4, 8, 32, 4096, 8192, 16384, 1 << 18, 1 << 20)},
    {"fallocate", 1, 1,
     VALUES(0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE,
            FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, FALLOC_FL_COLLAPSE_RANGE,
            FALLOC_FL_ZERO_RANGE)},
    {"openat", 2, 1,
     VALUES(O_RDONLY, O_WRONLY, O_RDWR, O_RDWR | O_CREAT, O_CREAT | O_EXCL, O_TRUNC, O_APPEND,
            O_NONBLOCK, O_NONBLOCK, O_DIRECTORY, O_NOFOLLOW, O_PATH, O_CLOEXEC, O_DIRECT, O_SYNC,
            __O_TMPFILE, O_NOATIME)},
    {"faccessat2", 3, 1, VALUES(0, AT_EACCESS, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH)},
    {"fchownat", 4, 1, VALUES(0, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH)},
    {"newfstatat", 3, 1, VALUES(0, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH, AT_NO_AUTOMOUNT)},
    {"utimensat", 3, 1, VALUES(0, AT_SYMLINK_NOFOLLOW)},
    {"statx", 2, 1, VALUES(0, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH, AT_STATX_FORCE_SYNC)},
    {"statx", 3, 0, VALUES(0x7ff, 0xfff, 0, -1)},
    {"pipe2", 1, 1, VALUES(0, O_CLOEXEC, O_NONBLOCK, O_DIRECT)},
    {"splice", 5, 1, VALUES(0, SPLICE_F_MOVE, SPLICE_F_NONBLOCK, SPLICE_F_MORE)},
    {"tee", 3, 1, VALUES(0, SPLICE_F_NONBLOCK)},
    {"vmsplice", 3, 1, VALUES(0, SPLICE_F_NONBLOCK, SPLICE_F_GIFT)},
    {"lseek", 2, 0, VALUES(SEEK_SET, SEEK_CUR, SEEK_END, SEEK_DATA, SEEK_HOLE)},
    {"ppoll", 4, 0, VALUES(8)},
    {"pselect6", 0, 0, VALUES(0, 1, 8, 63, 64, 65, 1023, 1024, 1025)},
    {"waitid", 0, 0, VALUES(0, 1, 2, 3)},
    {"waitid", 3, 1, VALUES(WEXITED, WNOHANG, WUNTRACED, WCONTINUED, WNOWAIT)},
    {"wait4", 2, 1, VALUES(0, WNOHANG, WUNTRACED, WCONTINUED, 0x20000000, 0x40000000, 0x80000000)},
    {"futex", 1, 0,
     VALUES(FUTEX_WAIT, FUTEX_WAKE, FUTEX_REQUEUE, FUTEX_CMP_REQUEUE, FUTEX_WAKE_OP, FUTEX_LOCK_PI,
            FUTEX_UNLOCK_PI, FUTEX_TRYLOCK_PI, FUTEX_WAIT_BITSET, FUTEX_WAKE_BITSET,
            FUTEX_WAIT | FUTEX_PRIVATE_FLAG, FUTEX_WAKE | FUTEX_PRIVATE_FLAG,
            FUTEX_REQUEUE | FUTEX_PRIVATE_FLAG, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME,
            FUTEX_LOCK_PI2, FUTEX_WAIT_REQUEUE_PI, FUTEX_CMP_REQUEUE_PI,
            FUTEX_LOCK_PI | FUTEX_PRIVATE_FLAG, FUTEX_UNLOCK_PI | FUTEX_PRIVATE_FLAG)},
    {"set_robust_list", 1, 0, VALUES(24)},
    {"rt_sigaction", 3, 0, VALUES(8)},
    {"rt_sigprocmask", 3, 0, VALUES(8)},
    {"rt_sigprocmask", 0, 0, VALUES(0, 1, 2)},
    {"rt_sigsuspend", 1, 0, VALUES(8)},
    {"rt_sigtimedwait", 3, 0, VALUES(8)},
    {"rt_sigpending", 1, 0, VALUES(8)},
    {"clock_nanosleep", 1, 0, VALUES(0, 1)},
    {"getitimer", 0, 0, VALUES(0, 1, 2)},
    {"setitimer", 0, 0, VALUES(0, 1, 2)},
    {"setpriority", 0, 0, VALUES(0, 1)},
    {"getpriority", 0, 0, VALUES(0, 1, 2)},
    {"getrusage", 0, 0, VALUES(0, 1, -1)},
    {"prctl", 0, 0,
     VALUES(PR_SET_PDEATHSIG, PR_GET_PDEATHSIG, PR_GET_DUMPABLE, PR_SET_DUMPABLE, PR_SET_KEEPCAPS,
            PR_GET_KEEPCAPS, PR_SET_NAME, PR_GET_NAME, PR_GET_SECCOMP, PR_SET_SECCOMP,
            PR_CAPBSET_READ, PR_CAPBSET_DROP, PR_GET_SECUREBITS, PR_SET_TIMERSLACK,
            PR_GET_TIMERSLACK, PR_SET_MM, PR_SET_CHILD_SUBREAPER, PR_GET_CHILD_SUBREAPER,
            PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS, PR_GET_TID_ADDRESS, PR_SET_THP_DISABLE,
            PR_CAP_AMBIENT, PR_SET_VMA)},
    {"mremap", 3, 1, VALUES(0, MREMAP_MAYMOVE, MREMAP_MAYMOVE | MREMAP_FIXED, MREMAP_DONTUNMAP)},
    {"mmap", 3, 1,
     VALUES(MAP_PRIVATE, MAP_SHARED, MAP_PRIVATE | MAP_ANONYMOUS, MAP_SHARED | MAP_ANONYMOUS,
            MAP_FIXED, MAP_FIXED | MAP_PRIVATE, MAP_GROWSDOWN, MAP_POPULATE, MAP_NORESERVE,
            MAP_FIXED_NOREPLACE, MAP_LOCKED, MAP_HUGETLB, MAP_STACK)},
    {"msync", 2, 1, VALUES(MS_ASYNC, MS_INVALIDATE, MS_SYNC)},
    {"madvise", 2, 0,
     VALUES(MADV_NORMAL, MADV_WILLNEED, MADV_DONTNEED, MADV_FREE, MADV_REMOVE, MADV_DONTFORK,
            MADV_DOFORK, MADV_MERGEABLE, MADV_HUGEPAGE, MADV_DONTDUMP, MADV_WIPEONFORK, MADV_COLD,
            MADV_PAGEOUT, MADV_POPULATE_READ, MADV_POPULATE_WRITE)},
    {"getrandom", 2, 1, VALUES(0, 1, 2, 4)},
    {"close_range", 2, 1, VALUES(0, CLOSE_RANGE_UNSHARE, CLOSE_RANGE_CLOEXEC)},
    {"clone", 0, 1,
     VALUES(SIGCHLD, SIGCHLD, CLONE_VM | SIGCHLD,
            CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD, CLONE_FS, CLONE_FILES,
            CLONE_SIGHAND, CLONE_VFORK, CLONE_PARENT, CLONE_SYSVSEM, CLONE_PARENT_SETTID,
            CLONE_CHILD_CLEARTID, CLONE_CHILD_SETTID, CLONE_PIDFD, CLONE_NEWNS, CLONE_IO)},
    {"mq_open", 1, 1, VALUES(O_RDWR | O_CREAT, O_RDONLY, O_WRONLY, O_EXCL, O_NONBLOCK)},
    {"msgget", 1, 1, VALUES(IPC_CREAT | 0666, IPC_EXCL, 0)},
    {"msgctl", 1, 0, VALUES(IPC_RMID, IPC_SET, IPC_STAT, IPC_INFO, MSG_STAT, MSG_INFO)},
    {"msgsnd", 3, 1, VALUES(0, IPC_NOWAIT)},
    {"msgrcv", 4, 1, VALUES(0, IPC_NOWAIT, MSG_NOERROR, MSG_EXCEPT, MSG_COPY | IPC_NOWAIT)},
    {"semget", 2, 1, VALUES(IPC_CREAT | 0666, IPC_EXCL, 0)},
    {"semctl", 2, 0,
     VALUES(IPC_RMID, IPC_SET, IPC_STAT, IPC_INFO, GETPID, GETVAL, GETALL, GETNCNT, GETZCNT, SETVAL,
            SETALL, SEM_STAT, SEM_INFO)},
    {"shmget", 2, 1, VALUES(IPC_CREAT | 0666, IPC_EXCL, SHM_NORESERVE, 0)},
    {"shmctl", 1, 0,
     VALUES(IPC_RMID, IPC_SET, IPC_STAT, IPC_INFO, SHM_LOCK, SHM_UNLOCK, SHM_STAT, SHM_INFO)},
    {"fault_upcall", 3, 0, VALUES(0, 287, 288, PAGE, 2 * PAGE)},
    {"page_alloc", 2, 1, VALUES(PROT_READ, PROT_WRITE, PROT_EXEC)},
    {"page_map", 4, 1, VALUES(PROT_READ, PROT_WRITE, PROT_EXEC)},
    {"ipc_try_send", 3, 1, VALUES(0, 0, PROT_READ, PROT_WRITE)},
    {"ipc_call", 3, 1, VALUES(0, 0, PROT_READ, PROT_WRITE)},
    {"socket", 0, 0, VALUES(AF_UNIX, AF_UNIX, AF_UNIX, AF_NETLINK, AF_INET)},
    {"socket", 1, 1, VALUES(SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_NONBLOCK, SOCK_CLOEXEC)},
    {"socket", 2, 0, VALUES(0, 0, 0, 1)},
    {"socketpair", 0, 0, VALUES(AF_UNIX)},
    {"socketpair", 1, 1, VALUES(SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_NONBLOCK)},
    {"socketpair", 2, 0, VALUES(0)},
    {"listen", 1, 0, VALUES(0, 1, 5, 4096, -1)},
    {"accept4", 3, 1, VALUES(0, SOCK_NONBLOCK, SOCK_CLOEXEC)},
    {"shutdown", 1, 0, VALUES(SHUT_RD, SHUT_WR, SHUT_RDWR)},
    {"sendto", 3, 1, VALUES(0, MSG_DONTWAIT, MSG_NOSIGNAL, MSG_OOB, MSG_EOR)},
    {"sendmsg", 2, 1, VALUES(0, MSG_DONTWAIT, MSG_NOSIGNAL)},
    {"recvfrom", 3, 1, VALUES(0, MSG_DONTWAIT, MSG_PEEK, MSG_TRUNC, MSG_WAITALL)},
    {"recvmsg", 2, 1, VALUES(0, MSG_DONTWAIT, MSG_PEEK, MSG_TRUNC, MSG_WAITALL, MSG_CMSG_CLOEXEC)},
    {"setsockopt", 1, 0, VALUES(SOL_SOCKET)},
    {"setsockopt", 2, 0,
     VALUES(SO_SNDBUF, SO_RCVBUF, SO_PASSCRED, SO_RCVTIMEO, SO_SNDTIMEO, SO_LINGER)},
    {"getsockopt", 1, 0, VALUES(SOL_SOCKET)},
    {"getsockopt", 2, 0,
     VALUES(SO_TYPE, SO_ERROR, SO_PEERCRED, SO_SNDBUF, SO_ACCEPTCONN, SO_DOMAIN)},
    {"epoll_ctl", 1, 0, VALUES(EPOLL_CTL_ADD, EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD)},
    {"epoll_pwait", 2, 0, VALUES(1, 2, 8)},
    {"epoll_pwait", 3, 0, VALUES(0, 1, -1)},
    {"epoll_create1", 0, 1, VALUES(0, EPOLL_CLOEXEC)},
    {"eventfd2", 1, 1, VALUES(0, EFD_SEMAPHORE, EFD_NONBLOCK, EFD_CLOEXEC)},
    {"signalfd4", 2, 0, VALUES(8)},
    {"signalfd4", 3, 1, VALUES(0, SFD_NONBLOCK, SFD_CLOEXEC)},
    {"timerfd_create", 1, 1, VALUES(0, TFD_NONBLOCK, TFD_CLOEXEC)},
    {"timerfd_settime", 1, 1, VALUES(0, TFD_TIMER_ABSTIME, TFD_TIMER_CANCEL_ON_SET)},
    {"semget", 1, 0, VALUES(1, 2, 4, 8)},
    {"shmat", 2, 1, VALUES(0, SHM_RDONLY, SHM_RND, SHM_REMAP, SHM_EXEC)},
};

const long *known_values(const char *call, int arg, size_t *n, bool *bits) {
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (known[i].arg == arg && strcmp(known[i].call, call) == 0) {
            *n = known[i].n;
            *bits = known[i].bits;
            return known[i].values;
        }
    }
    return 0;
}

static bool listed(const char *const *list, const char *name) {
    while (*list && strcmp(*list, name) != 0)
        list++;
    return *list != 0;
}

/* They are made under an interval timer, whose signal ends the wait. */
bool may_wait(const char *call) {
    static const char *const waiting[] = {"read",
                                          "write",
                                          "readv",
                                          "writev",
                                          "preadv",
                                          "pwritev",
                                          "pread64",
                                          "pwrite64",
                                          "futex",
                                          "futex_waitv",
                                          "nanosleep",
                                          "openat",
                                          "ppoll",
                                          "epoll_pwait",
                                          "epoll_pwait2",
                                          "accept",
                                          "accept4",
                                          "connect",
                                          "sendto",
                                          "sendmsg",
                                          "sendmmsg",
                                          "recvfrom",
                                          "recvmsg",
                                          "recvmmsg",
                                          "pselect6",
                                          "wait4",
                                          "waitid",
                                          "rt_sigsuspend",
                                          "flock",
                                          "fcntl",
                                          "sendfile",
                                          "splice",
                                          "tee",
                                          "vmsplice",
                                          "ioctl",
                                          "rt_sigtimedwait",
                                          "clock_nanosleep",
                                          "getrandom",
                                          "xv6_wait",
                                          "fallocate",
                                          "restart_syscall",
                                          "copy_file_range",
                                          "truncate",
                                          "ftruncate",
                                          "semop",
                                          "semtimedop",
                                          "msgsnd",
                                          "msgrcv",
                                          "mq_timedsend",
                                          "mq_timedreceive",
                                          "ipc_recv",
                                          "ipc_call",
                                          0};
    return listed(waiting, call);
}

/* depth 0: the epoch's first thread; 1: what it cloned. */
const char *why_left_out(const char *call, int depth) {
    static const struct {
        const char *call;
        int depth;
        const char *why;
    } rules[] = {
        {"exit", 0, "ends the epoch and shows nothing: each child of clone does it"},
        {"exit_group", 0, "the same"},
        {"xv6_exit", 0, "the same"},
        {"reboot", 0, "ends the run"},
        {"clone", 1, "children of children would be without end"},
        {"clone3", 1, "the same"},
        {"execve", 1, "perform.c does it in a child of its own"},
        {"rt_sigreturn", 1, "the same"},
        {"fault_return", 1, "the same"},
        {"exofork", 1, "nobody would start the child"},
        {"chroot", 1, "the same"},
        {"setsid", 1, "the child would outlive its epoch, which is killed by its session"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        if (rules[i].depth <= depth && strcmp(rules[i].call, call) == 0)
            return rules[i].why;
    }
    return 0;
}

/* Signals go to the epoch's own processes, or nowhere. */
static void keep_pid(struct random *r, long *pid) {
    int p = (int)*pid;
    long good[] = {0, own_pid, last_child};

    if (p != own_pid && p != -own_pid && p != last_child && p != 0 && p < 0x300000 && p > -0x300000)
        *pid = good[below(r, 3)];
}

/* kill(pid, sig), or tgkill(pid, tid, sig). */
static void keep_signal(struct random *r, struct deed *d, bool thread) {
    long *sig = &d->arg[1 + thread];

    keep_pid(r, &d->arg[0]);
    if (thread)
        keep_pid(r, &d->arg[1]);
    if ((int)*sig == SIGKILL && !one_in(r, 8)) /* most epochs would be short */
        *sig = SIGUSR1;
}

/* The console is the tester's: nobody reads his keys, writes among his lines, or takes his
 * session. */
static void keep_console(struct deed *d, const char *call) {
    static const char *const harmless[] = {"fstat", "ppoll", "lseek", "fsync", "fstatfs", 0};
    bool ioctl = strcmp(call, "ioctl") == 0;
    const char *kind = d->call->kinds;

    for (int i = 0; i < d->nr_args; i++, kind = kind ? strchr(kind, ',') : 0) {
        kind += *kind == ',';
        int fd = (int)d->arg[i];
        if (strncmp(kind, "fd", 2) != 0 && strncmp(kind, "dirfd", 5) != 0)
            continue;
        if (fd >= KEPT_FD && fd <= COVER_FD)
            d->arg[i] = -1;
        if (fd == TTY_FD && (!ioctl || d->arg[1] == TIOCSCTTY || d->arg[1] == TIOCSTI) &&
            !listed(harmless, call))
            d->arg[i] = -1;
    }
}

static void clear_bits(uint64_t *word, uint64_t mask) {
    if (word >= (uint64_t *)PAGE_AT(GOOD) && word < (uint64_t *)(PAGE_AT(GOOD_END) - 7))
        *word &= ~mask;
}

void make_harmless(struct random *r, struct deed *d) {
    static const char *const signals[] = {
        "kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", 0};
    static const char *const of_process[] = {"prlimit64", "setpriority", "sched_setaffinity",
                                             "setpgid", 0};
    const char *call = d->call->name;

    make_shapes(r, d);
    keep_console(d, call);
    if (listed(signals, call))
        keep_signal(r, d, call[1] == 'g' || call[3] == 't');
    if (listed(of_process, call)) /* init's limits are everybody's */
        keep_pid(r, &d->arg[strcmp(call, "setpriority") == 0]);
    if (strcmp(call, "setpriority") == 0 && (int)d->arg[0] == 2)
        d->arg[0] = 0; /* a user: the shell has the same one */
    if (strcmp(call, "close_range") == 0 && (unsigned)d->arg[1] >= KEPT_FD)
        d->arg[1] = TTY_FD;
    if (strcmp(call, "prctl") == 0 && (int)d->arg[0] == PR_SET_CHILD_SUBREAPER)
        d->arg[1] = 0;                               /* orphans go to the runner, which ends them */
    if (strcmp(call, "mount") == 0 && !one_in(r, 8)) /* the rest is needed */
        d->arg[1] = (long)strcpy(PAGE_AT(7), one_in(r, 8) ? "dir" : "mnt");
    if (strcmp(call, "rt_sigsuspend") == 0 || strcmp(call, "ppoll") == 0) /* the timer's signal */
        clear_bits((void *)d->arg[call[0] == 'r' ? 0 : 3], SIGMASK(SIGALRM));
    if (strcmp(call, "fault_upcall") == 0) { /* one's own faults might go round for ever */
        d->arg[0] = last_child;
        if (last_child == own_pid)
            d->arg[1] = 0;
    }
    if (strncmp(call, "page_", 5) == 0 && one_in(r, 2)) /* else it is seldom the right one */
        d->arg[0] = last_child;
    if (strncmp(call, "exo_", 4) == 0 && one_in(r, 2))
        d->arg[0] = last_child;
    if (strcmp(call, "clone3") == 0) /* a thread would come back on no stack */
        clear_bits((void *)d->arg[0], CLONE_VM);
}
