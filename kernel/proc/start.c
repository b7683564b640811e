/*
 * The first program.
 *
 * start_init() makes pid 1 from nothing. It starts as a kernel thread that mounts the root and the small file systems,
 * opens the console as descriptors 0, 1 and 2, and then becomes the program: do_execve() gives it memory and sets its
 * trapframe, and the function that it began in "returns" to user code. It is the leader of session 1, so a shell
 * that is run as init has job control on the console.
 *
 * init never ends: signals without a handler do not reach it (signal.c), orphans become its children (exit.c), and its
 * exit is a panic.
 */
#include "abi/errno.h"
#include "abi/resource.h"
#include "arch/arch.h"
#include "arch/csr.h"
#include "check/fail.h"
#include "fs/file.h"
#include "ipc/mqueue.h"
#include "lib/string.h"
#include "mm/pagecache.h"
#include "proc/internal.h"
#include "proc/signal.h"

struct process *init_process;

static const struct {
    const char *type, *target;
} mounts[] = {
    {"devtmpfs", "/dev"},  {"proc", "/proc"},         {"tmpfs", "/tmp"},
    {"tmpfs", "/dev/shm"}, {"mqueue", "/dev/mqueue"},
};

static const char *const places[] = {"/sbin/init", "/etc/init", "/bin/init", "/bin/sh"};

static void mount_all(const struct init_options *o) {
    if (o->root) {
        int error = vfs_mount_root(o->root, o->read_only);
        if (error)
            panic("cannot mount the root file system from %s (error %d)", o->root, -error);
    }
    current->fs = fs_context_copy(&init_fs);
    if (!current->fs)
        panic("no memory for init");
    for (size_t i = 0; i < ARRAY_SIZE(mounts); i++) {
        int error = vfs_mount(mounts[i].type, mounts[i].target, mounts[i].type, 0, "");
        if (error && error != -ENOENT && error != -ENOTDIR)
            kprintf("%s: not mounted (error %d)\n", mounts[i].target, -error);
    }
}

// A program without descriptors can still run, so a missing console is only said.
static void open_console(void) {
    struct file *f = path_open(AT_FDCWD, "/dev/console", O_RDWR, 0);
    if (IS_ERR(f)) {
        kprintf("/dev/console: cannot be opened (error %ld)\n", -PTR_ERR(f));
        return;
    }
    if (fd_alloc(f, 0, false) != 0 || fd_dup2(0, 1, false) != 1 || fd_dup2(0, 2, false) != 2)
        panic("no memory for init's descriptors");
}

// Returns only when the program runs.
static int try(const char *path, const struct init_options *o) {
    struct exec_args args = {.kernel_argv = o->argv, .kernel_envp = o->envp};
    o->argv[0] = path;
    return do_execve(AT_FDCWD, path, &args);
}

static void run_init(const struct init_options *o) {
    if (o->init) {
        int error = try(o->init, o);
        if (error)
            panic("init %s cannot be run (error %d)", o->init, -error);
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        int error = try(places[i], o);
        if (error == 0)
            return;
        if (error != -ENOENT && error != -ENOTDIR)
            kprintf("%s cannot be run (error %d)\n", places[i], -error);
    }
    panic("no init found: give init= or put one at /sbin/init, /etc/init, /bin/init or /bin/sh");
}

static void init_main(void *arg) {
    const struct init_options *o = arg;
    irq_enable();
    kthread_start_usual();
    mount_all(o);
    mqueue_start();
    open_console();
    run_init(o);
    fail_arm();
}

static void set_limits(struct rlimit *l) {
    for (int i = 0; i < RLIM_NLIMITS; i++)
        l[i] = (struct rlimit){RLIM_INFINITY, RLIM_INFINITY};
    l[RLIMIT_STACK].rlim_cur = MIB(8);
    l[RLIMIT_CORE].rlim_cur = 0;
    l[RLIMIT_NOFILE] = (struct rlimit){1024, 4096};
    l[RLIMIT_NPROC] = (struct rlimit){threads_max / 2, threads_max / 2};
    l[RLIMIT_SIGPENDING].rlim_cur =
        max(pages_total / 64, 128ul);  // a queue is searched with interrupts off
    l[RLIMIT_SIGPENDING].rlim_max = l[RLIMIT_SIGPENDING].rlim_cur;
    l[RLIMIT_MEMLOCK] = (struct rlimit){MIB(8), MIB(8)};
    l[RLIMIT_MSGQUEUE] = (struct rlimit){819200, 819200};
    l[RLIMIT_NICE] = l[RLIMIT_RTPRIO] = (struct rlimit){0, 0};
}

void start_init(const struct init_options *o) {
    struct sighand *s = sighand_create();
    struct task *t = s ? task_from_nothing("init", s, NULL, TASK_KTHREAD) : NULL;
    if (!t)
        panic("no memory for init");
    t->files = files_create();
    if (!t->files)
        panic("no memory for init");
    init_process = t->process;
    set_limits(t->process->limit);
    thread_init_user(&t->thread, init_main, (void *)o);
    kthread_init();
    sched_start(t);
}
