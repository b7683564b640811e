/* Reading /proc. */
#include "user/lib/tool.h"
#include "user/lib/proc.h"

#define FIELDS 40 /* of stat, counted from 1 as proc(5) does; 1 to 3 are no numbers */

/* "12 (sh) S 1 12 ...": the name is between the first and the last parenthesis, and may hold
 * anything. False if this is not such a line. */
static bool split_stat(char *text, struct proc_task *t, long *field) {
    char *open = strchr(text, '('), *close = strrchr(text, ')'), *at;
    int n;

    if (!open || !close || close < open || close[1] != ' ')
        return false;
    *close = 0;
    snprintf(t->name, sizeof(t->name), "%s", open + 1);
    t->pid = atoi(text);
    at = close + 2;
    t->state = *at;
    for (n = 4; n < FIELDS && (at = strchr(at, ' ')); n++) {
        bool minus = *++at == '-';
        long value = 0;
        for (at += minus; *at >= '0' && *at <= '9'; at++)
            value = value * 10 + *at - '0';
        field[n] = minus ? -value : value;
    }
    return n == FIELDS;
}

bool proc_task_read(const char *dir, struct proc_task *t) {
    char path[80], text[1024];
    long field[FIELDS];

    snprintf(path, sizeof(path), "%s/stat", dir);
    if (read_file(path, text, sizeof(text)) <= 0 || !split_stat(text, t, field))
        return false;
    t->ppid = (int)field[4];
    t->pgrp = (int)field[5];
    t->user = field[14];
    t->system = field[15];
    t->priority = (int)field[18];
    t->nice = (int)field[19];
    t->threads = (int)field[20];
    t->start = field[22];
    t->size = field[23];
    t->rss = field[24];
    t->hart = (int)field[39];
    return true;
}

bool proc_is_kernel_thread(const struct proc_task *t) { return t->size == 0 && t->state != 'Z'; }

long proc_each(const char *dir, void (*f)(const char *path, void *arg), void *arg) {
    struct dir d;
    struct abi_dirent *e;
    char path[80];
    long r = dir_open(&d, dir);

    if (r < 0)
        return r;
    while ((e = dir_next(&d))) {
        if (e->d_name[0] >= '1' && e->d_name[0] <= '9' &&
            path_join(path, sizeof(path), dir, e->d_name))
            f(path, arg);
    }
    dir_close(&d);
    return 0;
}

long number_behind(const char *text, const char *label) {
    const char *at = strstr(text, label);

    for (at = at ? at + strlen(label) : ""; *at == ' ' || *at == ':' || *at == '\t'; at++)
        ;
    return atoi(at);
}
