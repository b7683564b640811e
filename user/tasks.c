/* tasks [-d SECONDS] [-n COUNT]: who uses the harts. Each SECONDS (1) it lists all processes, those
 * that ran most first, like top(1): number, parent, state, priority and niceness, the hart it runs
 * or last ran on, its share of one hart since the last look (at first: since it began), CPU time,
 * memory in KiB, threads, name. Kernel threads are in brackets.
 *
 * On a terminal the screen is filled until q, or ^C; any other key looks at once. With -n, or
 * elsewhere, it prints COUNT lists one after the other, endlessly without -n. */
#include "user/lib/tool.h"
#include "user/lib/proc.h"
#include "abi/poll.h"
#include "abi/termios.h"

struct sample {
    struct proc_task *tasks; /* in the order of /proc: by number */
    size_t count, room;
    long uptime;            /* ticks */
    long user, system, all; /* of all harts together, ticks since boot */
};

struct row {
    const struct proc_task *task;
    long share; /* of a hart, in tenths of a percent */
};

static char text[8192];
static bool screen; /* a terminal, both ways */
static struct termios modes_before;

/* ---- looking */

static void add_task(const char *dir, void *arg) {
    struct sample *s = arg;

    if (s->count == s->room) {
        s->room = s->room ? s->room * 2 : 64;
        s->tasks = xrealloc(s->tasks, s->room * sizeof(*s->tasks));
    }
    if (proc_task_read(dir, &s->tasks[s->count]))
        s->count++;
}

/* "cpu  user nice system idle ..." */
static void look_at_harts(struct sample *s) {
    long value[4] = {0};
    char *at = text;

    read_file("/proc/stat", text, sizeof(text));
    for (int i = 0; i < 4 && (at = strchr(at, ' ')); i++) {
        while (*at == ' ')
            at++;
        value[i] = atoi(at);
    }
    s->user = value[0] + value[1];
    s->system = value[2];
    s->all = s->user + s->system + value[3];
}

static void look(struct sample *s) {
    long r;

    s->count = 0;
    read_file("/proc/uptime", text, sizeof(text)); /* "12.34 ...": seconds, two digits behind */
    s->uptime = atoi(text) * PROC_HZ;
    if (strchr(text, '.'))
        s->uptime += atoi(strchr(text, '.') + 1);
    look_at_harts(s);
    r = proc_each("/proc", add_task, s);
    if (r < 0)
        die("/proc: %s", errstr(r));
}

/* ---- comparing two looks */

static long ticks_of(const struct proc_task *t) { return t->user + t->system; }

/* Walks on in the older sample, whose order is the same, to the task; null if it is new. */
static const struct proc_task *find_before(const struct sample *old, size_t *at,
                                           const struct proc_task *t) {
    while (*at < old->count && old->tasks[*at].pid < t->pid)
        ++*at;
    if (*at < old->count && old->tasks[*at].pid == t->pid && old->tasks[*at].start == t->start)
        return &old->tasks[*at];
    return 0;
}

static long per_mille(long part, long whole) { return whole > 0 ? part * 1000 / whole : 0; }

static void make_rows(const struct sample *old, const struct sample *now, struct row *rows) {
    size_t at = 0;

    for (size_t i = 0; i < now->count; i++) {
        const struct proc_task *t = &now->tasks[i], *before = find_before(old, &at, t);
        long ran = ticks_of(t) - (before ? ticks_of(before) : 0);
        rows[i].task = t;
        rows[i].share = per_mille(ran, now->uptime - (before ? old->uptime : t->start));
    }
}

static int busier_first(const void *a, const void *b) {
    const struct row *x = a, *y = b;

    if (x->share != y->share)
        return x->share < y->share ? 1 : -1;
    return ticks_of(x->task) < ticks_of(y->task) ? 1 : -(ticks_of(x->task) > ticks_of(y->task));
}

/* ---- showing: each line ends at the terminal's edge, and leaves nothing of an older one */

#define WIDEST 160 /* characters of a line */
static int columns, lines_left;

static void line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void line(const char *fmt, ...) {
    char buf[WIDEST + 1];
    va_list ap;
    int n;

    if (screen && lines_left-- <= 0)
        return;
    va_start(ap, fmt);
    n = vsnprintf(buf, sizeof(buf), fmt, ap);
    va_end(ap);
    out_write(buf, (size_t)(n < columns ? n : columns));
    out(screen ? "\033[K\r\n" : "\n");
}

static void show_header(const struct sample *old, const struct sample *now) {
    long all = now->all - old->all, user = per_mille(now->user - old->user, all),
         system = per_mille(now->system - old->system, all), up = now->uptime / PROC_HZ;
    int running = 0, stopped = 0, dead = 0;
    char *slash;

    for (size_t i = 0; i < now->count; i++) {
        char state = now->tasks[i].state;
        running += state == 'R';
        stopped += state == 'T' || state == 't';
        dead += state == 'Z';
    }
    read_file("/proc/loadavg", text, sizeof(text));
    if ((slash = strchr(text, '/'))) /* "0.01 0.00 0.00 1/7 8": the averages stay */
        *slash = 0, *strrchr(text, ' ') = 0;
    line("tasks: up %ld:%02ld:%02ld, load average %s", up / 3600, up / 60 % 60, up % 60, text);
    line("%lu processes: %d running, %lu asleep, %d stopped, %d dead", now->count, running,
         now->count - (size_t)(running + stopped + dead), stopped, dead);
    line("harts: %ld.%ld %% user, %ld.%ld %% system, %ld.%ld %% idle", user / 10, user % 10,
         system / 10, system % 10, (1000 - user - system) / 10, (1000 - user - system) % 10);
    read_file("/proc/meminfo", text, sizeof(text));
    line("memory: %ld KiB, %ld free, %ld cache, %ld available", number_behind(text, "MemTotal"),
         number_behind(text, "MemFree"),
         number_behind(text, "\nBuffers") + number_behind(text, "\nCached"),
         number_behind(text, "MemAvailable"));
    line("%s", "");
}

static void show_row(const struct row *r) {
    const struct proc_task *t = r->task;
    bool kernel = proc_is_kernel_thread(t);
    long ticks = ticks_of(t);

    line("%5d %5d %c %3d %3d %4d %3ld.%ld %4ld:%02ld.%02ld %7ld %3d %s%s%s", t->pid, t->ppid,
         t->state, t->priority, t->nice, t->hart, r->share / 10, r->share % 10,
         ticks / PROC_HZ / 60, ticks / PROC_HZ % 60, ticks % PROC_HZ, t->rss * (PAGE / 1024),
         t->threads, kernel ? "[" : "", t->name, kernel ? "]" : "");
}

static void measure_screen(void) {
    struct winsize w = {0};

    columns = WIDEST;
    if (!screen)
        return;
    sys_ioctl(1, TIOCGWINSZ, &w);
    if (w.ws_col < WIDEST)
        columns = w.ws_col ? w.ws_col : 80;
    lines_left = (w.ws_row ? w.ws_row : 24) - 1;
    out("\033[H");
}

static int show(const struct sample *old, const struct sample *now) {
    struct row *rows = xmalloc(now->count * sizeof(*rows)),
               **order = xmalloc(now->count * sizeof(*order));

    make_rows(old, now, rows);
    for (size_t i = 0; i < now->count; i++)
        order[i] = &rows[i];
    sort_pointers((void **)order, now->count, busier_first);
    measure_screen();
    show_header(old, now);
    line("  PID  PPID S PRI  NI HART  %%CPU       TIME  RSS-KB THR NAME");
    for (size_t i = 0; i < now->count; i++)
        show_row(order[i]);
    if (screen)
        out("\033[J");
    free(order);
    free(rows);
    return out_flush();
}

/* ---- the terminal */

static void restore_terminal(int sig) {
    sys_ioctl(0, TCSETS, &modes_before);
    if (sig)
        sys_exit_group(128 + sig);
}

/* Letters come at once and are not shown; ^C still is a signal. */
static void take_terminal(void) {
    struct sigaction act = {.sa_handler = restore_terminal};
    struct termios modes = modes_before;

    modes.c_lflag &= ~(uint32_t)(ICANON | ECHO);
    sys_rt_sigaction(SIGINT, &act, 0, sizeof(act.sa_mask));
    sys_rt_sigaction(SIGTERM, &act, 0, sizeof(act.sa_mask));
    sys_ioctl(0, TCSETS, &modes);
    out("\033[2J");
}

/* Waits; false if the user has had enough. */
static bool pause_for(struct timespec time) {
    struct pollfd keys = {.fd = 0, .events = POLLIN};
    char key;

    if (!screen)
        return sys_nanosleep(&time, 0) == 0;
    if (sys_ppoll(&keys, 1, &time, 0, 0) <= 0)
        return true;
    return sys_read(0, &key, 1) == 1 && key != 'q' && key != 'Q';
}

/* "2" or "0.5". */
static struct timespec parse_seconds(const char *s) {
    struct timespec t = {atoi(s), 0};
    const char *at = strchr(s, '.');
    long unit = 100000000;

    for (at = at ? at + 1 : ""; *at >= '0' && *at <= '9'; at++, unit /= 10)
        t.tv_nsec += (*at - '0') * unit;
    if (t.tv_sec < 0 || (t.tv_sec == 0 && t.tv_nsec < 10000000))
        die("%s: not a time of 0.01 s or more", s);
    return t;
}

int main(int argc, char **argv) {
    struct opts o = opts_start(argv, "d:n:", "[-d SECONDS] [-n COUNT]");
    struct sample samples[2] = {0}, *now = &samples[0], *old = &samples[1];
    struct timespec delay = {1, 0};
    long count = -1;
    int status;

    (void)argc;
    for (int c; (c = opt_next(&o)) != 0;) {
        if (c == 'd')
            delay = parse_seconds(o.arg);
        else if (!parse_num(o.arg, 10, &count) || count < 1)
            die("%s: not a count", o.arg);
    }
    screen = count < 0 && sys_ioctl(0, TCGETS, &modes_before) == 0 &&
             sys_ioctl(1, TCGETS, &modes_before) == 0;
    if (screen)
        take_terminal();
    for (;;) {
        struct sample *spare = old;
        look(now);
        status = show(old, now);
        if (status || --count == 0 || !pause_for(delay))
            break;
        old = now;
        now = spare;
        if (!screen)
            out("\n");
    }
    if (screen)
        restore_terminal(0);
    return status;
}
