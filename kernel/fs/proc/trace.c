/*
 * /proc/trace: turning tracing on, choosing, and reading.
 *
 * /proc/trace/events may be megabytes of text, so it is made while it is read, one line at a time: a head with the harts and
 * the tasks, then what was in the rings when reading began, merged by time. Reading from position 0 begins anew;
 * other jumps are not possible. The rings go on being written meanwhile, so turn tracing off first; what is
 * overwritten before it is read is told in further `# lost` lines at the end.
 *
 * Lock: the inode's, for the state of who reads.
 */
#include "fs/proc/internal.h"

#include "arch/hart.h"
#include "mm/slab.h"
#include "proc/proc.h"
#include "time/timer.h"
#include "trace/control.h"
#include "trace/format.h"

// What comes next. A step may have many lines, counted by `at`.
enum step { HEAD, LOST, TASKS, EVENTS, LOST_MEANWHILE, END };

struct reading {  // [inode's lock]
    u64 pos;      // of the text that was given out so far
    enum step step;
    u64 at;
    size_t given, length;  // of the line
    char line[TRACE_LINE + 1];
    struct trace_reader reader;
};

static int events_open(struct inode *inode, struct file *f) {
    (void)inode;
    f->private_ = kzalloc(sizeof(struct reading));
    return f->private_ ? 0 : -ENOMEM;
}

static void events_release(struct file *f) { kfree(f->private_); }

static void go_to(struct reading *r, enum step step) {
    r->step = step;
    r->at = 0;
}

static void print_line(struct reading *r, const char *fmt, ...) __printf(2, 3);
static void print_line(struct reading *r, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    r->length = vscnprintf(r->line, sizeof(r->line), fmt, args);
    va_end(args);
}

static void head_lines(struct reading *r) {
    u64 on, off;
    trace_read_begin(&r->reader);
    trace_times(&on, &off);
    print_line(r, "# xv39 trace 1\n# harts %u\n# on %lu off %lu\n", nr_harts, on, off);
    go_to(r, LOST);
}

static void lost_line(struct reading *r) {
    u64 hart = r->at++;
    if (hart == nr_harts) {
        go_to(r, r->step + 1);
        return;
    }
    if (r->reader.lost[hart])
        print_line(r, "# lost %lu %lu\n", hart, r->reader.lost[hart]);
    r->reader.lost[hart] = 0;
}

static void task_line(struct reading *r) {
    char name[TASK_NAME], quoted[4 * TASK_NAME + 8];
    int tid = 0, tgid = 0;
    bool found = r->at == 0;
    strlcpy(name, "idle", sizeof(name));
    spin_lock(&family_lock);
    struct pid *p = found ? NULL : pid_next(r->at);
    if (p) {
        tid = p->nr;
        found = p->task;
        tgid = found ? task_tgid(p->task) : 0;
        strlcpy(name, found ? p->task->name : "", sizeof(name));
    }
    spin_unlock(&family_lock);
    trace_quote(quoted, sizeof(quoted), name, strlen(name));
    if (found)
        print_line(r, "# task %d %d %s\n", tid, tgid, quoted);
    if (r->at && !p)
        go_to(r, EVENTS);
    else
        r->at = tid + 1;
}

static void event_line(struct reading *r) {
    struct trace_record record;
    u32 hart;
    if (!trace_read_next(&r->reader, &hart, &record)) {
        go_to(r, LOST_MEANWHILE);
        return;
    }
    r->length = trace_format(r->line, sizeof(r->line) - 1, hart, &record);
    r->line[r->length++] = '\n';
}

// The next line, or none if the step just ended.
static void make_line(struct reading *r) {
    r->given = r->length = 0;
    switch (r->step) {
    case HEAD:
        head_lines(r);
        break;
    case LOST:
    case LOST_MEANWHILE:
        lost_line(r);
        break;
    case TASKS:
        task_line(r);
        break;
    case EVENTS:
        event_line(r);
        break;
    case END:
        break;
    }
}

// => the inode's lock held
static ssize_t give_lines(struct reading *r, struct iter *to) {
    ssize_t done = 0;
    while (to->left) {
        while (r->given == r->length && r->step != END)
            make_line(r);
        if (r->given == r->length)
            break;
        size_t n = iter_put(to, r->line + r->given, r->length - r->given);
        r->given += n;
        done += n;
        if (n == 0 || fatal_signal_pending())
            return done ? done : -EFAULT;
    }
    return done;
}

static ssize_t events_read(struct file *f, struct iter *to, u64 *pos) {
    struct reading *r = f->private_;
    ssize_t result = -EINVAL;
    write_lock(&f->inode->lock);
    if (*pos == 0) {
        r->pos = r->given = r->length = 0;
        go_to(r, HEAD);
    }
    if (*pos == r->pos)
        result = give_lines(r, to);
    if (result > 0)
        *pos = r->pos += result;
    write_unlock(&f->inode->lock);
    return result;
}

static ssize_t events_write(struct file *f, struct iter *from, u64 *pos) {
    (void)f, (void)pos;
    trace_clear();
    return from->left;
}

static const struct file_ops events_ops = {
    .open = events_open,
    .release = events_release,
    .read = events_read,
    .write = events_write,
    .seek = plain_seek,
    .poll = poll_always,
};

static void show_on(struct printer *p) { printer_printf(p, "%d\n", trace_is_on()); }

static int write_on(const char *text, size_t n) {
    if (n != 1 || (*text != '0' && *text != '1'))
        return -EINVAL;
    return trace_turn(*text == '1');
}

static int write_filter(const char *text, size_t n) {
    (void)n;
    return trace_set_filter(text);
}

static int write_pids(const char *text, size_t n) {
    (void)n;
    return trace_set_pids(text);
}

static void show_size(struct printer *p) { printer_printf(p, "%lu\n", trace_size()); }

static int write_size(const char *text, size_t n) {
    u64 records;
    (void)n;
    int error = parse_u64(text, &records);
    return error ? error : trace_set_size(records);
}

static int write_clear(const char *text, size_t n) {
    (void)text, (void)n;
    trace_clear();
    return 0;
}

static int write_marker(const char *text, size_t n) {
    for (size_t at = 0; at < n; at += TRACE_TEXT)
        trace_text(text + at, min(n - at, (size_t)TRACE_TEXT));
    return 0;
}

static int write_strace(const char *text, size_t n) {
    (void)n;
    return strace_select(text);
}

void trace_files_init(void) {
    proc_add("trace/on", 0644, show_on, write_on);
    proc_add("trace/filter", 0644, trace_show_filter, write_filter);
    proc_add("trace/pids", 0644, trace_show_pids, write_pids);
    proc_add("trace/size", 0644, show_size, write_size);
    proc_add("trace/clear", 0200, NULL, write_clear);
    proc_add("trace/marker", 0222, NULL, write_marker);
    proc_add("trace/strace", 0644, strace_show, write_strace);
    proc_add_ops("trace/events", 0600, &events_ops);
}
