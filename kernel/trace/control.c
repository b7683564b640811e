/*
 * Turning tracing on and off.
 *
 * A traced task has thread.trace set, which trace points look at, and another table of system calls, thread.calls, whose
 * entries all lead to syscall/strace.c; what is not traced pays nothing there. thread.strace is the same for system calls
 * on the console. update() alone sets the three together, with family_lock held. A new task takes them
 * from its parent when it joins the list of all tasks, under the same lock: so whoever walks the list
 * either finds the child, or its parent had been told before.
 *
 * The rings are allocated when tracing is first turned on and stay until the size is changed.
 *
 * Locks: control, a mutex, for the settings and for who reads; then family_lock.
 */
#include "trace/control.h"

#include "abi/errno.h"
#include "arch/arch.h"
#include "arch/upcall.h"
#include "lib/bitmap.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/proc.h"
#include "sync/block.h"
#include "trace/format.h"

#define DEFAULT_SIZE 16384
#define LARGEST (MIB(4) / sizeof(struct trace_record))
#define SMALLEST 16
#define ALL_EVENTS ((1u << TRACE_EVENTS) - 1)
#define MAX_PIDS 16

static struct mutex control = MUTEX_INIT(control, RANK_SETTING, "trace control");
static bool on;                     // [control]
static u64 on_ns, off_ns;           // [control]
static u32 filter = ALL_EVENTS;     // [control] trace_mask while it is on
static u64 size = DEFAULT_SIZE;     // [control]
static u64 generation;              // [control] of the rings' memory
static int pids[MAX_PIDS];          // [control] 0 ends the list; none: all tasks
static char strace_who[TASK_NAME];  // [family]
static int strace_pid;              // [family] the number that strace_who is, or 0

/* ---- tasks ---- */

// => family_lock held
static void update(struct thread *t, bool events, bool console) {
    WRITE_ONCE(t->trace, events);
    WRITE_ONCE(t->strace, console);
    WRITE_ONCE(t->calls, events || console ? traced_calls : plain_calls);
}

void trace_adopt(struct task *child) {
    struct thread *t = &child->thread, *parent = current_thread;
    update(t, parent->trace, parent->strace || (strace_pid && strace_pid == (int)t->tid));
    trace(TRACE_FORK, t->tid, task_tgid(child), trace_name(child->name, 0),
          trace_name(child->name, 1));
}

void trace_exec(void) {
    trace(TRACE_EXEC, trace_name(current->name, 0), trace_name(current->name, 1));
    if (strace_who[0] && strcmp(strace_who, current->name) == 0)
        update(current_thread, current_thread->trace, true);
}

static bool wanted(const struct task *t) {
    if (!on || pids[0] == 0)
        return on;
    for (u32 i = 0; i < MAX_PIDS && pids[i]; i++)
        if ((int)t->thread.tid == pids[i] || task_tgid(t) == pids[i])
            return true;
    return false;
}

static void update_tasks(void) {
    struct task *t;
    spin_lock(&family_lock);
    list_for_each (t, &all_tasks, all_link)
        update(&t->thread, wanted(t), t->thread.strace);
    for_each_hart (h)
        update(&runq_of(h)->idle->thread, wanted(runq_of(h)->idle), false);
    spin_unlock(&family_lock);
}

/* ---- rings ---- */

// => off, so nobody writes
static void free_rings(void) {
    for_each_hart (h) {
        struct trace_ring *r = per_hart(trace_ring, h);
        kfree(r->records);
        *r = (struct trace_ring){0};
    }
    generation++;
}

// Rings of `size` records for all harts, unless they are there.
static int make_rings(void) {
    if (per_hart(trace_ring, nr_harts - 1)->records)
        return 0;
    for_each_hart (h) {
        struct trace_ring *r = per_hart(trace_ring, h);
        r->size = size;
        r->records = kzalloc(size * sizeof(struct trace_record));
        if (r->records == NULL) {
            free_rings();
            return -ENOMEM;
        }
    }
    return 0;
}

void trace_clear(void) {
    mutex_lock(&control);
    for_each_hart (h) {
        struct trace_ring *r = per_hart(trace_ring, h);
        r->start = load_acquire(&r->head);
    }
    mutex_unlock(&control);
}

/* ---- on and off ---- */

static void turn_off(void) {
    on = false;
    store_relaxed(&trace_mask, 0);
    memory_fence();
    for_each_hart (h)
        while (load_acquire(&per_hart(trace_ring, h)->writing))
            ;
    off_ns = clock_ns();
    update_tasks();
}

static int turn_on(void) {
    int error = make_rings();
    if (error)
        return error;
    on = true;
    on_ns = clock_ns();
    off_ns = 0;
    update_tasks();  // first, so that from the first event on everybody's are there
    store_release(&trace_mask, filter);
    return 0;
}

int trace_turn(bool to) {
    int error = 0;
    mutex_lock(&control);
    if (to && !on)
        error = turn_on();
    else if (!to && on)
        turn_off();
    mutex_unlock(&control);
    return error;
}

bool trace_is_on(void) { return READ_ONCE(on); }

void trace_times(u64 *on_at, u64 *off_at) {
    mutex_lock(&control);
    *on_at = on_ns;
    *off_at = off_ns;
    mutex_unlock(&control);
}

int trace_set_size(u64 records) {
    if (records < SMALLEST || records > LARGEST)
        return -EINVAL;
    mutex_lock(&control);
    int error = on ? -EBUSY : 0;
    if (!error) {
        size = 1ul << ilog2_up(records);
        free_rings();
    }
    mutex_unlock(&control);
    return error;
}

u64 trace_size(void) { return READ_ONCE(size); }

/* ---- filters ---- */

// The next word of *text: its length, 0 at the end.
static size_t next_word(const char **text) {
    while (**text == ' ' || **text == ',' || **text == '\n')
        ++*text;
    size_t n = 0;
    while ((*text)[n] && (*text)[n] != ' ' && (*text)[n] != ',' && (*text)[n] != '\n')
        n++;
    return n;
}

static bool is_word(const char *word, size_t n, const char *name) {
    return strlen(name) == n && memcmp(word, name, n) == 0;
}

// The events of a name, its end included: "irq" is irq and irq_end. 0: there is none
static u32 events_named(const char *word, size_t n) {
    u32 found = 0;
    if (is_word(word, n, "all"))
        return ALL_EVENTS;
    for (u32 e = 0; e < TRACE_EVENTS; e++)
        if (is_word(word, n, trace_kinds[e].name))
            found |= 1u << e;
    if (is_word(word, n, "fault") || is_word(word, n, "sys") || is_word(word, n, "irq") ||
        is_word(word, n, "block") || is_word(word, n, "lock"))
        found |= found << 1;
    return found;
}

static int parse_filter(const char *words, u32 *mask) {
    bool first = true;
    for (size_t n; (n = next_word(&words)) != 0; words += n, first = false) {
        bool sign = *words == '-' || *words == '+';
        u32 events = events_named(words + sign, n - sign);
        if (events == 0)
            return -EINVAL;
        if (first && !sign)
            *mask = 0;
        *mask = *words == '-' ? *mask & ~events : *mask | events;
    }
    return first ? -EINVAL : 0;
}

int trace_set_filter(const char *words) {
    mutex_lock(&control);
    u32 mask = filter;
    int error = parse_filter(words, &mask);
    if (!error) {
        filter = mask;
        store_release(&trace_mask, on ? mask : 0);
    }
    mutex_unlock(&control);
    return error;
}

void trace_show_filter(struct printer *p) {
    u32 mask = READ_ONCE(filter);
    const char *space = "";
    for (u32 e = 0; e < TRACE_EVENTS; e++) {
        if (!(mask >> e & 1))
            continue;
        printer_printf(p, "%s%s", space, trace_kinds[e].name);
        space = " ";
    }
    printer_printf(p, "\n");
}

static int parse_pids(const char *words, int *list) {
    u32 count = 0;
    for (size_t n; (n = next_word(&words)) != 0; words += n) {
        const char *end;
        u64 nr = strtou64(words, &end);
        if (is_word(words, n, "all")) {
            list[0] = 0;
            return 0;
        }
        if (end != words + n || nr == 0 || nr > INT32_MAX)
            return -EINVAL;
        if (count == MAX_PIDS)
            return -E2BIG;
        list[count++] = nr;
    }
    return 0;
}

int trace_set_pids(const char *words) {
    int list[MAX_PIDS] = {0};
    int error = parse_pids(words, list);
    if (error)
        return error;
    mutex_lock(&control);
    memcpy(pids, list, sizeof(pids));
    update_tasks();
    mutex_unlock(&control);
    return 0;
}

void trace_show_pids(struct printer *p) {
    mutex_lock(&control);
    if (pids[0] == 0)
        printer_printf(p, "all");
    for (u32 i = 0; i < MAX_PIDS && pids[i]; i++)
        printer_printf(p, "%s%d", i ? " " : "", pids[i]);
    mutex_unlock(&control);
    printer_printf(p, "\n");
}

/* ---- system calls on the console ---- */

int strace_select(const char *who) {
    u64 nr = 0;
    bool found = false, number = parse_u64(who, &nr) == 0 && nr <= INT32_MAX;
    struct task *t;
    spin_lock(&family_lock);
    strlcpy(strace_who, who, sizeof(strace_who));
    strace_pid = number ? (int)nr : 0;
    list_for_each (t, &all_tasks, all_link) {
        bool match = number ? task_tgid(t) == (int)nr : strcmp(t->name, strace_who) == 0;
        match = match && who[0] && t->process;
        found |= match;
        update(&t->thread, t->thread.trace, match || (who[0] && t->thread.strace));
    }
    spin_unlock(&family_lock);
    return number && !found ? -ESRCH : 0;
}

void strace_show(struct printer *p) {
    char who[sizeof(strace_who)];
    spin_lock(&family_lock);
    strlcpy(who, strace_who, sizeof(who));
    spin_unlock(&family_lock);
    printer_printf(p, "%s\n", who);
}

void trace_boot(const char *events, const char *strace) {
    if (strace)
        strace_select(strace);
    if (events && (trace_set_filter(events) || trace_turn(true)))
        kprintf("boot argument trace=%s: not understood, or no memory\n", events);
}

/* ---- reading ---- */

void trace_read_begin(struct trace_reader *reader) {
    mutex_lock(&control);
    reader->generation = generation;
    for_each_hart (h) {
        const struct trace_ring *r = per_hart(trace_ring, h);
        u64 head = load_acquire(&r->head);
        // The place of the oldest may be being written.
        u64 kept = r->size ? min(head - r->start, r->size - 1) : 0;
        reader->end[h] = head;
        reader->next[h] = head - kept;
        reader->lost[h] = head - kept - r->start;
    }
    mutex_unlock(&control);
}

// The oldest record of a hart that is still there.
static bool first_of(struct trace_reader *reader, u32 hart, struct trace_record *out) {
    const struct trace_ring *r = per_hart(trace_ring, hart);
    for (; reader->next[hart] < reader->end[hart]; reader->next[hart]++) {
        if (trace_copy(r, reader->next[hart], out))
            return true;
        reader->lost[hart]++;
    }
    return false;
}

bool trace_read_next(struct trace_reader *reader, u32 *hart, struct trace_record *out) {
    struct trace_record r;
    bool found = false;
    mutex_lock(&control);
    for (u32 h = 0; h < nr_harts && reader->generation == generation; h++)
        if (first_of(reader, h, &r) && (!found || r.time < out->time)) {
            *out = r;
            *hart = h;
            found = true;
        }
    if (found)
        reader->next[*hart]++;
    mutex_unlock(&control);
    return found;
}
