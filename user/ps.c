/* ps: every process, from /proc: pid, parent, group, terminal's state, memory in KiB, where it
 * sleeps, its command. Kernel threads, which have no command line, are shown in brackets. */
#include "user/lib/tool.h"

struct process {
    int pid, ppid, pgrp;
    char state, name[64];
    long rss; /* pages */
};

/* "12 (sh) S 1 12 ...": the name is between the first and the last parenthesis, and may hold
 * anything. */
static bool parse_stat(char *text, struct process *p) {
    char *open = strchr(text, '('), *close = strrchr(text, ')'), *f;
    int field;

    if (!open || !close || close < open)
        return false;
    *close = 0;
    p->pid = atoi(text);
    snprintf(p->name, sizeof(p->name), "%s", open + 1);
    f = close + 2;
    p->state = *f;
    for (field = 3; *f; field++) {
        if (field == 4)
            p->ppid = atoi(f);
        else if (field == 5)
            p->pgrp = atoi(f);
        else if (field == 24)
            p->rss = atoi(f);
        while (*f && *f != ' ')
            f++;
        f += *f == ' ';
    }
    return field > 5;
}

static void print_process(const char *pid) {
    char path[64], text[1024], wchan[32];
    struct process p = {.pid = 0};
    long n;

    snprintf(path, sizeof(path), "/proc/%s/stat", pid);
    if (read_file(path, text, sizeof(text)) <= 0 || !parse_stat(text, &p))
        return; /* it has ended meanwhile */
    snprintf(path, sizeof(path), "/proc/%s/wchan", pid);
    if (read_file(path, wchan, sizeof(wchan)) <= 0 || strcmp(wchan, "0") == 0)
        strcpy(wchan, "-");
    out("%5d %5d %5d %c %7ld %-12s ", p.pid, p.ppid, p.pgrp, p.state, p.rss * 4, wchan);
    snprintf(path, sizeof(path), "/proc/%s/cmdline", pid);
    n = read_file(path, text, sizeof(text));
    for (long i = 0; i + 1 < n; i++) {
        if (!text[i])
            text[i] = ' ';
    }
    if (n > 0)
        out("%s\n", text);
    else
        out("[%s]\n", p.name);
}

int main(int argc, char **argv) {
    struct dir d;
    struct abi_dirent *e;
    long r;

    (void)argc;
    tool_name(argv[0]);
    r = dir_open(&d, "/proc");
    if (r < 0)
        return complain("/proc", r);
    out("  PID  PPID  PGRP S  RSS-KB WCHAN        COMMAND\n");
    while ((e = dir_next(&d))) {
        if (e->d_name[0] >= '1' && e->d_name[0] <= '9')
            print_process(e->d_name);
    }
    dir_close(&d);
    return out_flush();
}
