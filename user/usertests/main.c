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

static const struct test *const tables[] = {
    call_tests,  exec_tests,   task_tests,       mass_tests,     clone_tests,   pidfd_tests,
    wait_tests,  limit_tests,  prctl_tests,      taskfile_tests, thread_tests,  signal_tests,
    code_tests,  time_tests,   timer_tests,      memory_tests,   fork_tests,    map_tests,
    memfd_tests, pipe_tests,   splice_tests,     file_tests,     name_tests,    system_tests,
    vdso_tests,  shm_tests,    sem_tests,        msg_tests,      mq_tests,      event_tests,
    epoll_tests, socket_tests, scheduling_tests, pressure_tests, inherit_tests, exokernel_tests};

static bool run_slow, list_only, tap;
static const char *nonce;
static int passed, failed, skipped, number;

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
            cases_dir = o.arg;
        if (c == 'n')
            nonce = o.arg;
        if (c == 'p')
            cases_plant = o.arg;
        if (c == 's')
            seed = (uint64_t)atoi(o.arg);
        if (c == 'x')
            cases_patience = atoi(o.arg) < 1 ? 1 : atoi(o.arg);
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
