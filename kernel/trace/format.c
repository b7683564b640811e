/*
 * Trace records as text: the lines of /proc/trace/events and of an oops.
 *
 * What the arguments of an event mean is said once, in trace_kinds; gdb's helper reads the same table from the
 * kernel. Literals are recorded as pointers; one that is not in the kernel's image (a record that was torn) is "?".
 *
 * No locks: trace_print_tail() runs when the kernel has given up.
 */
#include "trace/format.h"

#include "arch/arch.h"
#include "arch/hart.h"
#include "arch/upcall.h"
#include "lib/atomic.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "time/timer.h"

#define TAIL 32  // records of each hart that an oops prints

const struct trace_kind trace_kinds[TRACE_EVENTS] = {
    [TRACE_SWITCH] = {"switch", "state=%c preempted=%d{ wchan=%q} next=%d"},
    [TRACE_WAKE] = {"wake", "tid=%d hart=%d"},
    [TRACE_MIGRATE] = {"migrate", "tid=%d from=%d to=%d"},
    [TRACE_FORK] = {"fork", "tid=%d pid=%d comm=%n"},
    [TRACE_EXEC] = {"exec", "comm=%n"},
    [TRACE_EXIT] = {"exit", "status=%d"},
    [TRACE_FAULT] = {"fault", "addr=%x pc=%x access=%c user=%d"},
    [TRACE_FAULT_END] = {"fault_end", "addr=%x error=%d"},
    [TRACE_SYS] = {"sys", "nr=%S name=%N a0=%x a1=%x a2=%x a3=%x a4=%x a5=%x"},
    [TRACE_SYS_END] = {"sys_end", "nr=%S name=%N ret=%d"},
    [TRACE_IRQ] = {"irq", "kind=%s nr=%d"},
    [TRACE_IRQ_END] = {"irq_end", "kind=%s"},
    [TRACE_TIMER] = {"timer", "fn=%f"},
    [TRACE_BLOCK] = {"block", "id=%d dev=%n write=%d sector=%d bytes=%d"},
    [TRACE_BLOCK_END] = {"block_end", "id=%d error=%d"},
    [TRACE_LOCK] = {"lock", "addr=%x kind=%s{ name=%q}{ caller=%y}"},
    [TRACE_LOCK_END] = {"lock_end", "addr=%x"},
    [TRACE_SIGNAL] = {"signal", "nr=%d tid=%d"},
    [TRACE_DELIVER] = {"deliver", "nr=%d"},
    [TRACE_TEXT_EVENT] = {"text", "%t"},
};

size_t trace_quote(char *out, size_t size, const char *s, size_t n) {
    char *to = out, *end = out + size - 6;  // room for one escape, the quote, and NUL
    *to++ = '"';
    for (size_t i = 0; i < n && to < end; i++) {
        char c = s[i];
        if (c == '"' || c == '\\' || c == '\n') {
            *to++ = '\\';
            *to++ = c == '\n' ? 'n' : c;
        } else if (c < ' ' || c > '~') {
            to += snprintf(to, 5, "\\x%02x", (u8)c);
        } else {
            *to++ = c;
        }
    }
    *to++ = '"';
    *to = 0;
    return to - out;
}

static size_t quote_string(char *out, size_t size, const void *s, size_t max) {
    return trace_quote(out, size, s, strnlen(s, max));
}

static const char *literal(u64 address) {
    bool inside = address >= (u64)kernel_start && address < (u64)rodata_end;
    return inside ? (const char *)address : "?";
}

static size_t function(char *out, size_t size, u64 pc, bool with_offset) {
    u64 offset;
    const char *name = symbol_name(pc, &offset);
    return with_offset ? scnprintf(out, size, "\"%s+0x%lx\"", name, offset)
                       : scnprintf(out, size, "\"%s\"", name);
}

static size_t call_name(char *out, size_t size, u32 call) {
    const char *name = syscall_name(call);
    return name ? scnprintf(out, size, "%s", name) : scnprintf(out, size, "sys_%u", call);
}

// The text of one %letter; *arg steps over the arguments that it uses.
static size_t field(char *out, size_t size, char letter, const struct trace_record *r, u32 *arg) {
    const u64 *a = &r->arg[min(*arg, (u32)ARRAY_SIZE(r->arg) - 1)];
    if (letter != 'S' && letter != 'N')
        *arg += letter == 'n' ? 2 : 1;
    switch (letter) {
    case 'd':
        return scnprintf(out, size, "%ld", (long)*a);
    case 'x':
        return scnprintf(out, size, "0x%lx", *a);
    case 'c':
        return scnprintf(out, size, "%c", (char)*a);
    case 's':
        return scnprintf(out, size, "%s", literal(*a));
    case 'q':
        return quote_string(out, size, literal(*a), 64);
    case 'n':
        return quote_string(out, size, a, 16);
    case 't':
        return quote_string(out, size, r->arg, sizeof(r->arg));
    case 'f':
    case 'y':
        return function(out, size, *a, letter == 'y');
    case 'S':
        return scnprintf(out, size, "%u", r->call);
    default:
        return call_name(out, size, r->call);
    }
}

static size_t arguments(char *out, size_t size, const struct trace_record *r) {
    const char *f = trace_kinds[r->event].arguments;
    size_t used = 0;
    u32 arg = 0;
    for (; *f && used + 1 < size; f++) {
        if (*f == '{' && r->arg[arg] == 0) {
            f = strchr(f, '}');
            arg++;
        } else if (*f == '%') {
            used += field(out + used, size - used, *++f, r, &arg);
        } else if (*f != '{' && *f != '}') {
            out[used++] = *f;
        }
    }
    out[used] = 0;
    return used;
}

size_t trace_format(char *line, size_t size, u32 hart, const struct trace_record *r) {
    u64 ns = ticks_to_ns(r->time);
    if (r->event >= TRACE_EVENTS)
        return scnprintf(line, size, "# a broken record");
    size_t n = scnprintf(line, size, "%lu.%09lu %u %u %s ", ns / NSEC_PER_SEC, ns % NSEC_PER_SEC,
                         hart, r->tid, trace_kinds[r->event].name);
    return n + arguments(line + n, size - n, r);
}

static void print_last(u32 hart) {
    static char line[TRACE_LINE];
    const struct trace_ring *ring = per_hart(trace_ring, hart);
    struct trace_record r;
    u64 end = ring->head, kept = min(end - ring->start, (u64)TAIL);
    if (ring->records == NULL || kept == 0)
        return;
    kprintf("\ntrace, hart %u:\n", hart);
    for (u64 n = end - kept; n < end; n++) {
        if (!trace_copy(ring, n, &r))
            continue;
        trace_format(line, sizeof(line), hart, &r);
        kprintf("%s\n", line);
    }
}

void trace_print_tail(void) {
    static bool printed;
    store_relaxed(&trace_mask, 0);
    if (printed)
        return;
    printed = true;
    for_each_hart (h)
        print_last(h);
}
