/* usertests [-alt] [-d dir] [-n nonce] [-p bug] [-s seed] [-x factor] [name...]: tests the kernel from inside.
 *
 * Without names all quick cases run, with -a the slow ones too; the vast ones only by their names, of which
 * others may be patterns, as 'M6_*'. -l lists, -t reports as TAP, -d says below which directory files are made (/tmp), -n has
 * a word repeated in the last line, so that a reader of the console knows that it is ours.
 *
 * Each case runs in a forked child: own session, own directory, a time limit. What it leaves
 * behind, processes and files, is removed. After it the kernel must have all that it had before:
 * tasks and open files by /proc/xv39/counters where that exists, and memory. A page here and there
 * goes to caches, so memory counts as lost only if the same case, run again and again, loses each
 * time. A kernel with CHECK=leak is asked for more: after each case its caches are dropped, and then
 * there must be no more inodes and no more objects in any slab cache than before; and at the end,
 * whether there is memory that nothing points to. -p has such a kernel, built with PLANT=1, lose
 * something in each case, to see that this is noticed. -s has what is random repeat its choices. -x gives all cases that many times as
 * long, on a slow machine. */
#include "user/usertests/ut.h"
#include "abi/prctl.h"

#define QUICK_LIMIT_S 30
#define SLOW_LIMIT_S 300
#define LEAK_PAGES 16 /* that one run may lose to caches */
#define LEAK_RUNS 10  /* caches fill up, the more harts the later; a leak goes on */

static const struct test *const tables[] = {
    call_tests,  exec_tests,   task_tests,      mass_tests,     clone_tests,    pidfd_tests,
    wait_tests,  limit_tests,  prctl_tests,     taskfile_tests, thread_tests,   signal_tests,
    code_tests,  time_tests,   timer_tests,     memory_tests,   pressure_tests, fork_tests,
    map_tests,   memfd_tests,  pipe_tests,      file_tests,     name_tests,     system_tests,
    vdso_tests,  shm_tests,    sem_tests,       msg_tests,      mq_tests,       event_tests,
    epoll_tests, socket_tests, scheduling_tests};

static bool run_slow, list_only, tap;
static const char *base = "/tmp", *nonce, *plant;
static int passed, failed, skipped, number, patience = 1;
static int message_fd;
uint64_t seed;
char **self_argv;
const char *self_path = "/proc/self/exe";

#define SKIPPED 77 /* exit status of a case that cannot run here */

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
    if (plant)
        put_file("/proc/xv39/plant", plant);
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
    return (t->pace ? SLOW_LIMIT_S : QUICK_LIMIT_S) * patience;
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

    snprintf(dir, sizeof(dir), "%s/ut%d", base, getpid());
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

static int run_case(const struct test *t, char *why, size_t size) {
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

static void report(const struct test *t, int result, const char *why) {
    number++;
    if (result == SKIPPED) {
        skipped++;
        if (tap)
            printf("ok %d - %s # SKIP %s\n", number, t->name, why);
        else
            printf("skip %s: %s\n", t->name, why);
    } else if (result) {
        failed++;
        if (tap)
            printf("not ok %d - %s\n# %s\n", number, t->name, why);
        else
            printf("FAIL %s: %s\n", t->name, why);
    } else {
        passed++;
        if (tap)
            printf("ok %d - %s\n", number, t->name);
        else
            printf("ok %s\n", t->name);
    }
}

/* ---- what nothing points to, in a kernel with CHECK=leak */

/* Two scans: what the first does not reach may be on its way. */
static void report_leaks(void) {
    static char text[8192];
    long fd = sys_openat(AT_FDCWD, "/proc/xv39/leak", O_WRONLY, 0);

    if (fd < 0)
        return;
    for (int i = 0; i < 2; i++)
        sys_write((int)fd, "scan", 4);
    sys_close((int)fd);
    if (proc_number("/proc/xv39/leak", "lost") != 0)
        failed++;
    if (read_file("/proc/xv39/leak", text, sizeof(text)) > 0)
        printf("%s/proc/xv39/leak: %s", tap ? "# " : "", text);
}

/* ---- choosing */

static bool chosen(const struct test *t, char **names) {
    if (!*names)
        return t->pace <= (list_only ? VAST : run_slow ? SLOW : QUICK);
    for (; *names; names++) {
        if (strcmp(*names, t->name) == 0 || (t->pace < VAST && glob_match(*names, t->name)))
            return true;
    }
    return false;
}

static void run_all(char **names) {
    static char why[1024];

    for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
        for (const struct test *t = tables[i]; t->name; t++) {
            if (!chosen(t, names))
                continue;
            if (list_only)
                printf("%s%s\n", t->name, (const char *[]){"", " (slow)", " (vast)"}[t->pace]);
            else
                report(t, run_case(t, why, sizeof(why)), why);
        }
    }
}

int main(int argc, char **argv) {
    self_argv = argv;
    if (argc > 2 && strcmp(argv[1], "--child") == 0)
        return child_main(argc - 2, argv + 2);
    seed = (uint64_t)(now_ms() & 0xffffff);
    struct opts o = opts_start(
        argv,
        "alqtd:n:p:s:x:", "[-alt] [-d dir] [-n nonce] [-p bug] [-s seed] [-x factor] [name...]");
    for (int c; (c = opt_next(&o)) != 0;) {
        run_slow |= c == 'a';
        list_only |= c == 'l';
        tap |= c == 't';
        if (c == 'd')
            base = o.arg;
        if (c == 'n')
            nonce = o.arg;
        if (c == 'p')
            plant = o.arg;
        if (c == 's')
            seed = (uint64_t)atoi(o.arg);
        if (c == 'x')
            patience = atoi(o.arg) < 1 ? 1 : atoi(o.arg);
    }
    if (!is_there(self_path))
        self_path = argv[0];
    sys_prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    run_all(o.argv);
    if (list_only)
        return 0;
    report_leaks();
    if (tap)
        printf("1..%d\n# ", number);
    printf("usertests: %d passed, %d failed", passed, failed);
    if (skipped)
        printf(", %d skipped", skipped);
    printf("%s%s\n", nonce ? " " : "", nonce ? nonce : "");
    return failed != 0 || passed == 0;
}
