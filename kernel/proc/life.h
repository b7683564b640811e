// Life of tasks: fork, exec, exit, wait, kernel threads, credentials, the first program.
#ifndef PROC_LIFE_H
#define PROC_LIFE_H

#include "abi/sched.h"
#include "abi/time.h"
#include "proc/proc.h"

struct file;
struct rusage;
struct siginfo;

// ---- fork.c ----
struct clone_request {
    u64 flags;        // CLONE_ bits
    int exit_signal;  // 0 … 64
    u64 stack;        // user stack pointer, 0: the caller's
    u64 tls;
    u64 parent_tid;  // user address for CLONE_PARENT_SETTID
    u64 child_tid;   // user address for CLONE_CHILD_SETTID, _CLEARTID
    u64 pidfd;       // user address for CLONE_PIDFD
    int wanted_tid;  // 0: any
};
// clone(2): the child's tid, or -EAGAIN, -ENOMEM, -EINVAL, -EPERM, -EEXIST, -EFAULT, -EMFILE, -ENFILE, -ERESTARTNOINTR.
long do_clone(const struct clone_request *r);
// A process with no thread, reference 1, sharing nothing; NULL: out of memory. limits and groups are the caller's to set.
struct process *process_create(struct sighand *s);
// Put a new task into the pid table, its process's threads and the list of all tasks. => family_lock and p->siglock held
void task_link(struct task *t, struct process *p);
extern int threads_max;  // tasks at most

// ---- exec.c ----
struct exec_args {                                        // where argv and envp come from
    u64 argv, envp;                                       // user addresses of arrays of pointers
    const char *const *kernel_argv, *const *kernel_envp;  // if kernel_argv is set: these instead
};
// execve(2) of `path` (from dirfd; NULL path: not used). 0, or errno with the caller as it was.
int do_execve(int dirfd, const char *path, const struct exec_args *args);

// ---- exit.c ----
// End this thread with a wait status; the last one of a process ends the process.
__noreturn void do_exit(int status);
// End all threads: exit_group(2). full: the whole int given to exit.
__noreturn void do_group_exit(int status, int full);
// Take a dead task out of the family; the caller drops the references after unlocking. => family_lock held
void task_unlink(struct task *t);
// exec: the threads of current's process other than current die; current
// becomes the leader. 0, or -EINTR, -EAGAIN: somebody else is first.
int become_only_thread(void);
// A parent that waits in vfork() may go on: current no longer uses its memory.
void vfork_release(void);
// getrusage(2), => family_lock not held
void process_rusage(struct process *p, int who, struct rusage *out);

// ---- wait4.c ----
struct wait_request {
    int which;  // P_ALL, P_PID, P_PGID
    int id;
    int options;  // WNOHANG, WEXITED …
    // results
    int pid, uid, status, code, full;  // code: CLD_
    struct rusage *usage;              // may be NULL
};
// A child's pid, 0 (WNOHANG), -ECHILD, -ERESTARTSYS.
long do_wait(struct wait_request *w);

// ---- pidfd.c ----
void pidfd_init(void);
// A file that stands for the process of a number; flags: 0 or PIDFD_NONBLOCK. ERR_PTR(-ENFILE, -ENOMEM)
struct file *pidfd_file(struct pid *pid, u32 flags);
void signalfd_init(void);
// signalfd(2). fd -1: a new one; else that one gets another mask. Its number, -EBADF, -EINVAL, -EMFILE, -ENFILE, -ENOMEM.
int do_signalfd(int fd, u64 mask, u32 flags);
void signalfd_notify(struct process *p);       // a signal is pending. => siglock held
struct pid *pidfd_pid(const struct file *f);   // borrowed from f; NULL: not a pidfd
long do_pidfd_open(int nr, u32 flags);         // pidfd_open(2)
long do_pidfd_getfd(struct pid *pid, int fd);  // pidfd_getfd(2)
// The process died or was reaped: tell who polls. => family_lock held
void pidfd_wake(struct process *p);

// ---- kthread.c ----
// A kernel thread that will run fn(arg), made by kthreadd; NULL, false: out of memory. fn returns to end it. kthread_create
// gives a reference, to be dropped by kthread_stop() or task_put(), and does not start it: that is sched_start().
// => may sleep; not by kthreadd
struct task *kthread_create(void (*fn)(void *), void *arg, const char *name, ...) __printf(3, 4);
bool kthread_run(void (*fn)(void *), void *arg, const char *name, ...) __printf(3, 4);
bool kthread_should_stop(void);     // for the thread: somebody waits for its end
void kthread_stop(struct task *t);  // ask it to end, wake it, wait; drops the caller's reference
void kthread_init(void);            // makes kthreadd, pid 2
void kthread_start_usual(void);     // the flush thread, and ksoftirqd of each hart

// ---- cred.c ----
struct cred *cred_create(void);  // root's
static inline struct cred *cred_get(struct cred *c) {
    ref_get(&c->ref);
    return c;
}
void cred_put(struct cred *c);
struct cred *cred_copy(void);       // of current's, to be changed and installed; NULL
void cred_install(struct cred *c);  // becomes current's; takes over the reference
// Becomes current's for a while, with none of a change's effects on the process; the caller keeps both references. => the former
struct cred *cred_lend(struct cred *c);
int cred_setuid(u32 uid);
int cred_setgid(u32 gid);
int cred_setresuid(u32 r, u32 e, u32 s);  // ~0u: leave
int cred_setresgid(u32 r, u32 e, u32 s);
int cred_setreuid(u32 r, u32 e);
int cred_setregid(u32 r, u32 e);
int cred_setgroups(u32 n, const u32 *groups);
u32 cred_setfsuid(u32 uid);  // the old one
u32 cred_setfsgid(u32 gid);
// ---- caps.c: of current or of a cred that is not installed yet ----
void caps_fill(struct caps *c);  // root's
static inline bool caps_same(const struct caps *a, const struct caps *b) {
    return a->effective == b->effective && a->permitted == b->permitted &&
           a->inheritable == b->inheritable && a->bounding == b->bounding &&
           a->ambient == b->ambient;
}
void caps_follow_uids(struct cred *c, const struct cred *old);
void caps_follow_fsuid(struct cred *c, u32 old);
// Of a program that runs with euid; set_id: not with the real ids.
struct caps caps_after_exec(const struct cred *old, u32 euid, bool set_id);
int caps_set(u64 effective, u64 permitted, u64 inheritable);  // capset(2)
int caps_drop_bounding(u32 cap);                              // PR_CAPBSET_DROP
int caps_set_ambient(u64 set);                                // PR_CAP_AMBIENT; 0 or -EPERM
// What one real uid has, for the limits that count it. => family_lock held for all but user_too_many
void user_count(u32 uid, int delta);  // tasks; root's are not counted
u32 user_tasks(u32 uid);
bool user_too_many(void);  // current's user has more tasks than RLIMIT_NPROC allows

// ---- group.c ----
int do_setpgid(int pid, int pgid);
int do_setsid(void);  // the session's number
int do_getpgid(int pid);
int do_getsid(int pid);

// ---- exokernel.c ---- The calls of abi/exokernel.h; results as there, and -ESRCH, -EPERM, -EBUSY: not an embryo any more.
#define CLONE_EXOFORK (1ul << 63)  // in clone_request.flags, not for programs
long do_exofork(void);
void embryo_wait(void);  // current goes on when it is none
int do_exo_start(int pid);
int do_exo_registers(int pid, u64 user);
int do_fault_upcall(int pid, u64 entry, u64 stack, u64 size);
long do_fault_return(u64 user);
int do_page_alloc(int pid, u64 addr, int prot);
int do_page_map(int from, u64 src, int to, u64 dst, int prot);
int do_page_unmap(int pid, u64 addr);
// Turn tf to current's upcall. False: it cannot have the fault. => there is one
bool upcall_push(struct trapframe *tf, enum access access);
void upcall_for_call(
    struct trapframe *tf);  // WORK_UPCALL: the same, if a system call failed by that

// ---- deliver.c ----
long do_sigreturn(void);

// ---- vdso.c ----
#define STACK_TOP (USER_TOP - 16 * PAGE_SIZE)  // above it nothing but the vDSO and its data
struct mm;
void vdso_init(void);
int vdso_map(struct mm *mm);  // exec: 0 or errno

// ---- oom.c ----
void oom_init(void);

// ---- start.c ----
struct init_options {  // must stay valid
    const char *root;  // device of the root file system; NULL: it is mounted already
    bool read_only;
    const char *init;         // program; NULL: the usual places
    const char **argv;        // argv[0] is filled in by pid 1; ends with NULL
    const char *const *envp;  // ends with NULL
};
// Make pid 1, which mounts the root, /dev, /proc, /tmp and /dev/shm, opens the console and runs init; then pid 2 and the
// other kernel threads. => called once, by the boot thread
void start_init(const struct init_options *o);
extern struct process *init_process;  // [I] pid 1

#endif
