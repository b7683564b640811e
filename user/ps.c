/* ps [-T] [pid...]: all processes, or these, from /proc: number, parent, group, state, memory in
 * KiB, where it sleeps, command. -T shows each thread on a line of its own, with its number in a
 * column TID. Kernel threads are in brackets; so are the dead, whose command line is gone. */
#include "user/lib/tool.h"
#include "user/lib/proc.h"

static bool threads, header_done;
static int shown;

/* The command line with blanks between the arguments, or the name in brackets. */
static void out_command(const char *process, const struct proc_task *t) {
    char path[80], text[1024];
    long n;

    snprintf(path, sizeof(path), "%s/cmdline", process);
    n = read_file(path, text, sizeof(text));
    for (long i = 0; i + 1 < n; i++) {
        if (!text[i])
            text[i] = ' ';
    }
    if (n > 0)
        out("%s\n", text);
    else
        out("[%s]%s\n", t->name, t->state == 'Z' ? " <defunct>" : "");
}

static void out_header(void) {
    if (header_done)
        return;
    header_done = true;
    out("  PID %s PPID  PGRP S  RSS-KB WCHAN        COMMAND\n", threads ? "  TID " : "");
}

static void show_task(const char *dir, void *process) {
    char path[80], wchan[32];
    struct proc_task t;
    const char *of = process ? process : dir;

    if (!proc_task_read(dir, &t))
        return; /* it has ended meanwhile */
    snprintf(path, sizeof(path), "%s/wchan", dir);
    if (read_file(path, wchan, sizeof(wchan)) <= 0 || strcmp(wchan, "0") == 0)
        strcpy(wchan, "-");
    out_header();
    shown++;
    out("%5d ", atoi(path_base(of)));
    if (threads)
        out("%5d ", t.pid);
    out("%5d %5d %c %7ld %-12s ", t.ppid, t.pgrp, t.state, t.rss * (PAGE / 1024), wchan);
    out_command(of, &t);
}

static void show_process(const char *dir, void *unused) {
    char path[80];

    (void)unused;
    snprintf(path, sizeof(path), "%s/task", dir);
    if (threads)
        proc_each(path, show_task, (void *)dir);
    else
        show_task(dir, 0);
}

int main(int argc, char **argv) {
    struct opts o = opts_start(argv, "T", "[-T] [pid...]");
    char path[80];
    long r = 0, pid;

    (void)argc;
    while (opt_next(&o))
        threads = true;
    for (char **p = o.argv; *p; p++) {
        if (!parse_num(*p, 10, &pid) || pid < 1)
            die("%s: not a process number", *p);
        snprintf(path, sizeof(path), "/proc/%ld", pid);
        show_process(path, 0);
    }
    if (!*o.argv)
        r = proc_each("/proc", show_process, 0);
    if (r < 0)
        return complain("/proc", r);
    return out_flush() | (shown == 0);
}
