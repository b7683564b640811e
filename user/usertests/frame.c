/* How one case is run, for usertests and whoever else has tables of cases: in a forked child with a session, a directory
 * and a time limit of its own. What it leaves behind, processes and files, is removed. After it the kernel must have all
 * that it had before: tasks and open files by /proc/xv39/counters where that exists, and memory. A page here and there goes
 * to caches, so memory counts as lost only if the same case, run again and again, loses each time. */
#include "user/usertests/ut.h"
#include "abi/mount.h"

#define QUICK_LIMIT_S 30
#define SLOW_LIMIT_S 300
#define LEAK_PAGES 16 /* that one run may lose to caches */
#define LEAK_RUNS 10  /* caches fill up, the more harts the later; a leak goes on */

const char *cases_dir = "/tmp", *cases_plant;
int cases_patience = 1;
uint64_t seed;
char **self_argv;
const char *self_path = "/proc/self/exe";
static int message_fd;

/* ---- failing */

static void say(const char *where, const char *fmt, va_list ap) {
    fprintf(message_fd, "%s: ", where);
    vfprintf(message_fd, fmt, ap);
    write_all(message_fd, "; ", 2);
}

void fail_at(const char *where, const char *fmt, ...) {
    va_list ap;

    va_start(ap, fmt);
    say(path_base(where), fmt, ap);
    va_end(ap);
    sys_exit_group(1);
    __builtin_unreachable();
}

void skip(const char *why) {
    write_all(message_fd, why, strlen(why));
    sys_exit_group(SKIPPED);
    __builtin_unreachable();
}

void eq_at(const char *where, const char *what, long a, long b) {
    if (a != b)
        fail_at(where, "%s is %ld, not %ld", what, a, b);
}

long ok_at(const char *where, const char *what, long r) {
    if (r < 0 && r >= -4095)
        fail_at(where, "%s: %s", what, errstr(r));
    return r;
}

void fails_at(const char *where, const char *what, long err, long r) {
    if (r == -err)
        return;
    if (r < 0 && r >= -4095)
        fail_at(where, "%s: error %ld (%s), not %ld", what, -r, errstr(r), err);
    fail_at(where, "%s is %ld, not error %ld", what, r, err);
}

/* ---- what the kernel holds */

struct slab {
    char name[24];
    long objects;
};

#define SLABS 64
struct holdings {
    long pages, tasks, files, inodes;
    int nr_slabs;
    struct slab slabs[SLABS];
};

static bool has_counters(void) { return is_there("/proc/xv39/counters"); }

/* Each line of /proc/slabinfo behind the two of its head begins with a name and a number. */
static int read_slabs(struct slab *slabs) {
    static char text[16384];
    char *at = text;
    int n = 0;

    read_file("/proc/slabinfo", text, sizeof(text));
    for (int line = 0; *at && n < SLABS; line++) {
        char *name = at, *end;
        while (*at && *at != ' ')
            at++;
        for (end = at; *at == ' ';)
            at++;
        if (line >= 2) {
            slabs[n].objects = atoi(at);
            snprintf(slabs[n++].name, sizeof(slabs->name), "%.*s", (int)(end - name), name);
        }
        while (*at && *at++ != '\n')
            ;
    }
    return n;
}

/* What CHECK=leak lets us count exactly, without what is only cached. */
static void count_objects(struct holdings *h) {
    sys_sync();
    put_file("/proc/sys/vm/drop_caches", "3");
    h->inodes = proc_number("/proc/xv39/counters", "inodes");
    h->nr_slabs = read_slabs(h->slabs);
}

/* The cache of which there are more objects now, or null. Caches are listed newest first. */
static const struct slab *grown_slab(const struct holdings *before, const struct holdings *now,
                                     long *by) {
    int made = now->nr_slabs - before->nr_slabs;

    for (int i = 0; i < before->nr_slabs; i++) {
        *by = now->slabs[made + i].objects - before->slabs[i].objects;
        if (*by > 0)
            return &now->slabs[made + i];
    }
    return 0;
}

static struct holdings holdings(void) {
    struct holdings h;

    h.inodes = h.nr_slabs = 0;
    if (is_there("/proc/xv39/leak"))
        count_objects(&h);
    if (has_counters()) {
        h.pages = proc_number("/proc/xv39/counters", "pages_free") +
                  proc_number("/proc/xv39/counters", "pages_cache");
        h.tasks = proc_number("/proc/xv39/counters", "tasks");
        h.files = proc_number("/proc/xv39/counters", "files");
        return h;
    }
    h.pages =
        (proc_number("/proc/meminfo", "MemFree:") + proc_number("/proc/meminfo", "\nCached:") +
         proc_number("/proc/meminfo", "Buffers:") + proc_number("/proc/meminfo", "Slab:")) /
        4;
    h.tasks = h.files = 0;
    return h;
}

/* What was lost since before: null, or a text. Freed things may be on their way for a moment. */
static const char *lost_since(const struct holdings *before, long slack) {
    static char text[128];

    for (int tries = 0; tries < 50; tries++) {
        struct holdings now = holdings();
        long by = 0;
        const struct slab *grown = grown_slab(before, &now, &by);
        if (now.tasks <= before->tasks && now.files <= before->files &&
            now.inodes <= before->inodes && !grown && now.pages + slack >= before->pages)
            return 0;
        snprintf(text, sizeof(text),
                 "leak: %ld pages, %ld tasks, %ld files, %ld inodes, %ld objects of cache %s",
                 before->pages - now.pages, now.tasks - before->tasks, now.files - before->files,
                 now.inodes - before->inodes, by, grown ? grown->name : "none");
        sleep_ms(20);
    }
    return text;
}

/* ---- one case */

static void remove_tree(const char *path) {
    struct dir *d;
    struct abi_dirent *e;
    char *full;

    if (sys_unlinkat(AT_FDCWD, path, 0) != -EISDIR)
        return;
    sys_umount2(path, MNT_DETACH); /* of a case that has failed */
    sys_fchmodat(AT_FDCWD, path, 0700);
    d = xmalloc(sizeof(*d));
    full = xmalloc(PATH_MAX);
    if (dir_open(d, path) == 0) {
        while ((e = dir_next(d))) {
            if (!is_dot(e->d_name) && path_join(full, PATH_MAX, path, e->d_name))
                remove_tree(full);
        }
        dir_close(d);
    }
    free(full);
    free(d);
    sys_unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

static void run_in_child(const struct test *t, const char *dir, int fd) {
    message_fd = (int)sys_fcntl(fd, F_DUPFD_CLOEXEC, 100);
    sys_close(fd);
    sys_setsid();
    OK(sys_chdir(dir));
    sys_umask(022);
    if (cases_plant)
        put_file("/proc/xv39/plant", cases_plant);
    t->run();
    sys_exit_group(0);
}

/* Waits for the case itself; orphans that come to us are reaped on the way. */
static int wait_case(int pid, int limit_s, bool *late) {
    int64_t end = now_ms() + limit_s * 1000;
    int status = 0;
    long r;

    *late = false;
    while ((r = sys_wait4(-1, &status, WNOHANG, 0)) != pid) {
        if (r > 0)
            continue;
        if (now_ms() > end) {
            *late = true;
            sys_kill(-pid, SIGKILL);
            sys_kill(pid, SIGKILL);
            sys_wait4(pid, &status, 0, 0);
            break;
        }
        sleep_ms(1);
    }
    return status;
}

static int limit_s(const struct test *t) {
    return (t->pace ? SLOW_LIMIT_S : QUICK_LIMIT_S) * cases_patience;
}

static void reap_leftovers(int group) {
    int64_t end = now_ms() + 2000;

    do
        sys_kill(-group, SIGKILL);
    while (sys_wait4(-1, 0, 0, 0) > 0 && now_ms() < end);
}

/* Runs a case once: 0 good, 1 bad, SKIPPED; why gets the messages. */
static int run_once(const struct test *t, char *why, size_t size) {
    char dir[128];
    int fds[2], pid, status;
    bool late;
    long n;

    snprintf(dir, sizeof(dir), "%s/ut%d", cases_dir, getpid());
    remove_tree(dir);
    n = sys_mkdirat(AT_FDCWD, dir, 0777);
    if (n < 0)
        die("%s: %s", dir, errstr(n));
    sys_fchmodat(AT_FDCWD, dir, 0777);
    sys_pipe2(fds, O_NONBLOCK | O_CLOEXEC);
    pid = fork();
    if (pid < 0)
        die("fork failed");
    if (pid == 0)
        run_in_child(t, dir, fds[1]);
    status = wait_case(pid, limit_s(t), &late);
    reap_leftovers(pid);
    n = sys_read(fds[0], why, size - 1);
    why[n > 0 ? n : 0] = 0;
    sys_close(fds[0]);
    sys_close(fds[1]);
    remove_tree(dir);
    if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED)
        return SKIPPED;
    if (late)
        snprintf(why + strlen(why), size - strlen(why), "no end after %d s", limit_s(t));
    else if (WIFSIGNALED(status))
        snprintf(why + strlen(why), size - strlen(why), "killed by signal %d", WTERMSIG(status));
    else if (status && !*why)
        snprintf(why, size, "exit status %d", WEXITSTATUS(status));
    return status != 0 || late;
}

int run_case(const struct test *t, char *why, size_t size) {
    struct holdings before = holdings();
    const char *lost = 0;
    int result = 0;

    for (int i = 0; i < LEAK_RUNS; i++) {
        result = run_once(t, why, size);
        if (result)
            return result;
        lost = lost_since(&before, LEAK_PAGES);
        if (!lost || !on_xv39())
            return 0;
        before = holdings();
    }
    snprintf(why, size, "%s, in each of %d runs", lost, LEAK_RUNS);
    return 1;
}
