// Turning tracing on and off, choosing what is traced, and reading it. => task context; all may sleep.
#ifndef TRACE_CONTROL_H
#define TRACE_CONTROL_H

#include "arch/hart.h"
#include "lib/printf.h"
#include "trace/trace.h"

struct task;

int trace_turn(bool on);  // 0 or -ENOMEM; what was recorded stays
bool trace_is_on(void);
void trace_times(u64 *on,
                 u64 *off);  // ns since boot of the last time; off 0: it is on, or never was
void trace_clear(void);

// Which events: names, "all", -name to leave out, +name to add; without a sign the list begins anew. 0 or -EINVAL
int trace_set_filter(const char *words);
void trace_show_filter(struct printer *p);
// Which tasks, and what they fork from now on: numbers of processes or threads; "all". 0, -EINVAL, -E2BIG
int trace_set_pids(const char *words);
void trace_show_pids(struct printer *p);
// Records kept for each hart, rounded up to a power of two. 0, -EBUSY while it is on, -EINVAL
int trace_set_size(u64 records);
u64 trace_size(void);

// System calls on the console: of process `who` (a number), of programs of that name, of nobody (""), and of what they
// fork. 0 or -ESRCH
int strace_select(const char *who);
void strace_show(struct printer *p);

// A new task, not yet running, is traced if its parent is. => family_lock held
void trace_adopt(struct task *child);
void trace_exec(void);  // current is another program now. => family_lock held

// Boot arguments trace= and debug=syscall:…; NULL: not given. After the harts are known, before init.
void trace_boot(const char *filter, const char *strace);
// The events that are there when it begins, of all harts, in the order of time; what has been overwritten when
// its turn comes is passed over and counted.
struct trace_reader {
    u64 generation;
    u64 next[MAX_HARTS], end[MAX_HARTS], lost[MAX_HARTS];
};
void trace_read_begin(struct trace_reader *r);
bool trace_read_next(struct trace_reader *r, u32 *hart, struct trace_record *out);

#endif
