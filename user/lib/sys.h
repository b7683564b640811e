/* The raw system calls: sys_NAME for each line of abi/syscalls.def, returning what the kernel
 * returns: a value, or a negative errno. See the manual page of each in section 2. The stubs are
 * made from the list (stubs.S); their types are declared here by hand. */
#ifndef USER_LIB_SYS_H
#define USER_LIB_SYS_H

#include <stddef.h>
#include <stdint.h>
#include "abi/errno.h"
#include "abi/stat.h"
#include "abi/dirent.h"
#include "abi/signal.h"
#include "abi/time.h"

struct cap_data;
struct cap_header;
struct clone_args;
struct epoll_event;
struct futex_waitv;
struct iovec;
struct msqid64_ds;
struct mmsghdr;
struct msghdr;
struct new_utsname;
struct pollfd;
struct rlimit;
struct rusage;
struct sembuf;
struct shmid64_ds;
struct sched_attr;
struct sched_param;
struct statfs;
struct sysinfo;

/* ---- files */
long sys_getcwd(char *buf, size_t size);
long sys_dup(int fd);
long sys_dup3(int old, int new, int flags);
long sys_fcntl(int fd, int op, uint64_t arg);
long sys_ioctl(int fd, unsigned op, void *arg);
long sys_flock(int fd, int op);
long sys_mknodat(int dirfd, const char *path, uint32_t mode, uint64_t dev);
long sys_mkdirat(int dirfd, const char *path, uint32_t mode);
long sys_unlinkat(int dirfd, const char *path, int flags);
long sys_symlinkat(const char *target, int dirfd, const char *path);
long sys_linkat(int olddir, const char *old, int newdir, const char *new, int flags);
long sys_renameat2(int olddir, const char *old, int newdir, const char *new, int flags);
long sys_umount2(const char *path, int flags);
long sys_mount(const char *source, const char *target, const char *type, uint64_t flags,
               const void *data);
long sys_statfs(const char *path, struct statfs *st);
long sys_fstatfs(int fd, struct statfs *st);
long sys_truncate(const char *path, int64_t size);
long sys_memfd_create(const char *name, unsigned flags);
long sys_ftruncate(int fd, int64_t size);
long sys_fallocate(int fd, int mode, int64_t off, int64_t len);
long sys_faccessat(int dirfd, const char *path, int mode);
long sys_faccessat2(int dirfd, const char *path, int mode, int flags);
long sys_chdir(const char *path);
long sys_fchdir(int fd);
long sys_chroot(const char *path);
long sys_fchmod(int fd, uint32_t mode);
long sys_fchmodat(int dirfd, const char *path, uint32_t mode);
long sys_fchown(int fd, uint32_t uid, uint32_t gid);
long sys_fchownat(int dirfd, const char *path, uint32_t uid, uint32_t gid, int flags);
long sys_openat(int dirfd, const char *path, int flags, uint32_t mode);
long sys_close(int fd);
long sys_close_range(unsigned first, unsigned last, unsigned flags);
long sys_pipe2(int fds[2], int flags);
long sys_getdents64(int fd, void *buf, size_t size);
long sys_lseek(int fd, int64_t off, int whence);
long sys_read(int fd, void *buf, size_t size);
long sys_write(int fd, const void *buf, size_t size);
long sys_readv(int fd, const struct iovec *iov, int count);
long sys_writev(int fd, const struct iovec *iov, int count);
long sys_pread64(int fd, void *buf, size_t size, int64_t off);
long sys_pwrite64(int fd, const void *buf, size_t size, int64_t off);
long sys_preadv(int fd, const struct iovec *iov, int count, int64_t off, int high);
long sys_pwritev(int fd, const struct iovec *iov, int count, int64_t off, int high);
long sys_sendfile(int out, int in, int64_t *off, size_t size);
long sys_copy_file_range(int in, int64_t *in_off, int out, int64_t *out_off, size_t size,
                         unsigned flags);
long sys_splice(int in, int64_t *in_off, int out, int64_t *out_off, size_t size, unsigned flags);
long sys_tee(int in, int out, size_t size, unsigned flags);
long sys_vmsplice(int fd, const struct iovec *iov, size_t count, unsigned flags);
long sys_readlinkat(int dirfd, const char *path, char *buf, size_t size);
long sys_newfstatat(int dirfd, const char *path, struct abi_stat *st, int flags);
long sys_fstat(int fd, struct abi_stat *st);
long sys_statx(int dirfd, const char *path, int flags, unsigned mask, struct abi_statx *st);
long sys_sync(void);
long sys_syncfs(int fd);
long sys_fsync(int fd);
long sys_fdatasync(int fd);
long sys_fadvise64(int fd, int64_t off, int64_t len, int advice);
long sys_utimensat(int dirfd, const char *path, const struct timespec times[2], int flags);

/* ---- processes and users */
long sys_personality(unsigned persona);
long sys_capget(struct cap_header *header, struct cap_data *data);
long sys_capset(struct cap_header *header, const struct cap_data *data);
long sys_exit(int status) __attribute__((noreturn));
long sys_exit_group(int status) __attribute__((noreturn));
long sys_waitid(int type, int id, struct siginfo *info, int options, struct rusage *usage);
long sys_wait4(int pid, int *status, int options, struct rusage *usage);
long sys_set_tid_address(int *tid);
long sys_set_robust_list(void *head, size_t size);
long sys_get_robust_list(int tid, void **head, size_t *size);
long sys_clone(uint64_t flags, void *stack, int *parent_tid, void *tls, int *child_tid);
long sys_clone3(struct clone_args *args, size_t size);
long sys_execve(const char *path, char *const *argv, char *const *envp);
long sys_setpriority(int which, int who, int nice);
long sys_getpriority(int which, int who);
long sys_setgid(uint32_t gid);
long sys_setregid(uint32_t real, uint32_t effective);
long sys_setresgid(uint32_t real, uint32_t effective, uint32_t saved);
long sys_getresgid(uint32_t *real, uint32_t *effective, uint32_t *saved);
long sys_setuid(uint32_t uid);
long sys_setreuid(uint32_t real, uint32_t effective);
long sys_setresuid(uint32_t real, uint32_t effective, uint32_t saved);
long sys_getresuid(uint32_t *real, uint32_t *effective, uint32_t *saved);
long sys_setfsuid(uint32_t uid);
long sys_setfsgid(uint32_t gid);
long sys_getgroups(int count, uint32_t *list);
long sys_setgroups(int count, const uint32_t *list);
long sys_setpgid(int pid, int pgid);
long sys_getpgid(int pid);
long sys_getsid(int pid);
long sys_setsid(void);
long sys_getpid(void);
long sys_getppid(void);
long sys_gettid(void);
long sys_getuid(void);
long sys_geteuid(void);
long sys_getgid(void);
long sys_getegid(void);
long sys_umask(uint32_t mask);
long sys_prctl(int op, uint64_t a, uint64_t b, uint64_t c, uint64_t d);
long sys_getrlimit(int what, struct rlimit *limit);
long sys_setrlimit(int what, const struct rlimit *limit);
long sys_prlimit64(int pid, int what, const struct rlimit *new, struct rlimit *old);
long sys_getrusage(int who, struct rusage *usage);
long sys_sched_yield(void);
long sys_sched_setaffinity(int pid, size_t size, const void *mask);
long sys_sched_getaffinity(int pid, size_t size, void *mask);
long sys_sched_setparam(int tid, const struct sched_param *param);
long sys_sched_setscheduler(int tid, int policy, const struct sched_param *param);
long sys_sched_getscheduler(int tid);
long sys_sched_getparam(int tid, struct sched_param *param);
long sys_sched_setattr(int tid, struct sched_attr *attr, unsigned flags);
long sys_sched_getattr(int tid, struct sched_attr *attr, unsigned size, unsigned flags);
long sys_sched_get_priority_max(int policy);
long sys_sched_get_priority_min(int policy);
long sys_sched_rr_get_interval(int tid, struct timespec *interval);
long sys_getcpu(unsigned *cpu, unsigned *node, void *unused);

long sys_pidfd_open(int pid, unsigned flags);
long sys_pidfd_getfd(int pidfd, int fd, unsigned flags);

/* ---- signals */
long sys_pidfd_send_signal(int pidfd, int sig, const struct siginfo *info, unsigned flags);
long sys_kill(int pid, int sig);
long sys_tkill(int tid, int sig);
long sys_tgkill(int pid, int tid, int sig);
long sys_sigaltstack(const stack_t *new, stack_t *old);
long sys_rt_sigaction(int sig, const struct sigaction *new, struct sigaction *old, size_t size);
long sys_rt_sigprocmask(int how, const sigset_t *new, sigset_t *old, size_t size);
long sys_rt_sigpending(sigset_t *set, size_t size);
long sys_rt_sigsuspend(const sigset_t *mask, size_t size);
long sys_rt_sigtimedwait(const sigset_t *set, struct siginfo *info, const struct timespec *timeout,
                         size_t size);
long sys_rt_sigqueueinfo(int pid, int sig, const struct siginfo *info);
long sys_rt_tgsigqueueinfo(int pid, int tid, int sig, const struct siginfo *info);
long sys_rt_sigreturn(void);
long sys_restart_syscall(void);

/* ---- time and waiting */
long sys_nanosleep(const struct timespec *time, struct timespec *left);
long sys_clock_gettime(int clock, struct timespec *time);
struct timex;
long sys_adjtimex(struct timex *t);
long sys_clock_adjtime(int clock, struct timex *t);
long sys_clock_settime(int clock, const struct timespec *time);
long sys_clock_getres(int clock, struct timespec *resolution);
long sys_clock_nanosleep(int clock, int flags, const struct timespec *time, struct timespec *left);
long sys_gettimeofday(struct timeval *time, struct timezone *zone);
long sys_settimeofday(const struct timeval *time, const struct timezone *zone);
long sys_times(struct tms *times);
long sys_getitimer(int which, struct itimerval *value);
long sys_setitimer(int which, const struct itimerval *new, struct itimerval *old);
struct sigevent;
long sys_timer_create(int clock, const struct sigevent *event, int *id);
long sys_timer_settime(int id, int flags, const struct itimerspec *new, struct itimerspec *old);
long sys_timer_gettime(int id, struct itimerspec *value);
long sys_timer_getoverrun(int id);
long sys_timer_delete(int id);
long sys_futex(uint32_t *word, int op, uint32_t value, const void *timeout, uint32_t *word2,
               uint32_t value3);
long sys_futex_waitv(const struct futex_waitv *words, unsigned count, unsigned flags,
                     const struct timespec *end, int clock);
long sys_pselect6(int count, void *in, void *out, void *except, struct timespec *timeout,
                  const void *mask);
long sys_socket(int family, int type, int protocol);
long sys_socketpair(int family, int type, int protocol, int fds[2]);
long sys_bind(int fd, const void *addr, unsigned len);
long sys_listen(int fd, int backlog);
long sys_accept(int fd, void *addr, unsigned *len);
long sys_accept4(int fd, void *addr, unsigned *len, int flags);
long sys_connect(int fd, const void *addr, unsigned len);
long sys_getsockname(int fd, void *addr, unsigned *len);
long sys_getpeername(int fd, void *addr, unsigned *len);
long sys_sendto(int fd, const void *buf, size_t size, int flags, const void *to, unsigned len);
long sys_recvfrom(int fd, void *buf, size_t size, int flags, void *from, unsigned *len);
long sys_setsockopt(int fd, int level, int name, const void *value, unsigned size);
long sys_getsockopt(int fd, int level, int name, void *value, unsigned *size);
long sys_shutdown(int fd, int how);
long sys_sendmsg(int fd, const struct msghdr *m, int flags);
long sys_recvmsg(int fd, struct msghdr *m, int flags);
long sys_sendmmsg(int fd, struct mmsghdr *m, unsigned count, int flags);
long sys_recvmmsg(int fd, struct mmsghdr *m, unsigned count, int flags,
                  const struct timespec *timeout);
long sys_eventfd2(unsigned count, int flags);
long sys_epoll_create1(int flags);
long sys_epoll_ctl(int epfd, int op, int fd, struct epoll_event *event);
long sys_epoll_pwait(int epfd, struct epoll_event *events, int count, int ms, const sigset_t *mask,
                     size_t size);
long sys_epoll_pwait2(int epfd, struct epoll_event *events, int count,
                      const struct timespec *timeout, const sigset_t *mask, size_t size);
long sys_signalfd4(int fd, const sigset_t *mask, size_t size, int flags);
long sys_timerfd_create(int clock, int flags);
long sys_timerfd_settime(int fd, int flags, const struct itimerspec *new, struct itimerspec *old);
long sys_timerfd_gettime(int fd, struct itimerspec *now);
long sys_ppoll(struct pollfd *fds, unsigned count, struct timespec *timeout, const sigset_t *mask,
               size_t size);

/* ---- memory */
long sys_brk(uint64_t end);
long sys_mmap(void *addr, size_t size, int prot, int flags, int fd, int64_t off);
long sys_munmap(void *addr, size_t size);
long sys_mremap(void *old, size_t old_size, size_t new_size, int flags, void *new);
long sys_mprotect(void *addr, size_t size, int prot);
long sys_msync(void *addr, size_t size, int flags);
long sys_mlock(const void *addr, size_t size);
long sys_mlock2(const void *addr, size_t size, int flags);
long sys_munlock(const void *addr, size_t size);
long sys_mlockall(int flags);
long sys_munlockall(void);
long sys_mincore(void *addr, size_t size, uint8_t *pages);
long sys_madvise(void *addr, size_t size, int advice);

/* ---- the system */
long sys_uname(struct new_utsname *name);
long sys_sethostname(const char *name, size_t size);
long sys_sysinfo(struct sysinfo *info);
long sys_reboot(int magic1, int magic2, unsigned op, const char *arg);
long sys_getrandom(void *buf, size_t size, unsigned flags);
long sys_membarrier(int cmd, unsigned flags, int cpu);
long sys_riscv_hwprobe(void *pairs, size_t count, size_t cpu_size, void *cpus, unsigned flags);

/* ---- xv39's own */
long sys_xv6_exit(int status);  /* exit_group, under another number */
long sys_xv6_wait(int *status); /* the whole int given to exit; -1 if a signal ended the child */
struct user_fault;
struct ipc_message;
struct user_regs_struct;
/* abi/exokernel.h says what these do; user/lib/exokernel.h has more to go with them */
long sys_exofork(void);
long sys_exo_start(int pid);
long sys_exo_registers(int pid, const struct user_regs_struct *regs);
long sys_fault_upcall(int pid, void (*entry)(void), void *stack, size_t size);
long sys_fault_return(const struct user_fault *fault);
long sys_page_alloc(int pid, void *addr, int prot);
long sys_page_map(int pid, const void *addr, int pid2, void *addr2, int prot);
long sys_page_unmap(int pid, void *addr);
long sys_ipc_recv(struct ipc_message *message, void *addr);
long sys_ipc_try_send(int tid, uint64_t value, const void *addr, int prot);
long sys_ipc_call(int tid, uint64_t value, const void *addr, int prot, struct ipc_message *message,
                  void *addr2);

/* ---- System V shared memory, semaphores and message queues */
long sys_shmget(int key, size_t size, int flags);
long sys_shmat(int id, const void *addr, int flags);
long sys_shmdt(const void *addr);
long sys_shmctl(int id, int cmd, void *buf);
long sys_semget(int key, int nsems, int flags);
long sys_semop(int id, const struct sembuf *ops, size_t n);
long sys_semtimedop(int id, const struct sembuf *ops, size_t n, const struct timespec *t);
long sys_semctl(int id, int number, int cmd, uint64_t arg); /* a number or a pointer */
long sys_msgget(int key, int flags);
long sys_msgsnd(int id, const void *message, size_t size, int flags);
long sys_msgrcv(int id, void *message, size_t size, long type, int flags);
long sys_msgctl(int id, int cmd, void *buf);

/* ---- POSIX message queues; names without the slash in front */
struct mq_attr;
long sys_mq_open(const char *name, int flags, uint32_t mode, const struct mq_attr *attr);
long sys_mq_unlink(const char *name);
long sys_mq_timedsend(int fd, const void *text, size_t size, unsigned priority,
                      const struct timespec *until);
long sys_mq_timedreceive(int fd, void *text, size_t size, unsigned *priority,
                         const struct timespec *until);
long sys_mq_notify(int fd, const struct sigevent *event);
long sys_mq_getsetattr(int fd, const struct mq_attr *new, struct mq_attr *old);

#endif
