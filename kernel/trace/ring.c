/*
 * Rings of trace records, one for each hart, written by that hart only.
 *
 * The writer turns interrupts off, so on its hart nothing comes between; other harts never write here. Thus no lock is
 * needed, and a record can be written anywhere. Readers look on from other harts and may come too late:
 *
 *   writer of record n                     reader of record n - size, in the same place
 *   fence: head == n is out first          head is far enough: copies the place
 *   fills the place n % size               fence
 *   head = n + 1                           head >= n? the copy is worth nothing
 *
 * `writing` is for turning off: mask = 0; fence; wait until no hart is writing. The writer says
 * that it writes, fences, and then looks at the mask, so either it sees 0 or it is waited for.
 */
#include "trace/trace.h"

#include "arch/csr.h"
#include "arch/hart.h"
#include "check/race.h"
#include "lib/atomic.h"
#include "lib/printf.h"
#include "lib/string.h"

PERHART(struct trace_ring, trace_ring);
u32 trace_mask;

static void put(struct trace_ring *r, u32 event, const u64 *args) {
    u64 n = r->head;
    struct trace_record *to = &r->records[n & (r->size - 1)];
    memory_fence();
    to->time = time_csr();
    to->tid = current_thread->tid;
    to->event = (u16)event;
    to->call = event >> 16;
    memcpy(to->arg, args, sizeof(to->arg));
    store_release(&r->head, n + 1);
}

void trace_write(u32 event, u64 a0, u64 a1, u64 a2, u64 a3, u64 a4, u64 a5) {
    const u64 args[6] = {a0, a1, a2, a3, a4, a5};
    u64 flags = irq_save();
    struct trace_ring *r = this_hart(trace_ring);
    store_relaxed(&r->writing, true);
    memory_fence();
    if (load_relaxed(&trace_mask) >> (event & 0xffff) & 1)
        put(r, event, args);
    store_release(&r->writing, false);
    irq_restore(flags);
}

bool trace_copy(const struct trace_ring *r, u64 number, struct trace_record *out) {
    u64 head = load_acquire(&r->head);
    if (number >= head)
        return false;
    race_ignore(1);  // what was overwritten meanwhile is thrown away
    *out = r->records[number & (r->size - 1)];
    race_ignore(-1);
    memory_fence();
    return load_relaxed(&r->head) < number + r->size;
}

u64 trace_name(const char *s, u32 part) {
    char name[16] = {0};
    u64 word;
    strlcpy(name, s, sizeof(name));
    memcpy(&word, name + 8 * part, sizeof(word));
    return word;
}

void trace_text(const char *s, size_t n) {
    u64 words[TRACE_TEXT / 8] = {0};
    memcpy(words, s, min(n, sizeof(words)));
    trace(TRACE_TEXT_EVENT, words[0], words[1], words[2], words[3], words[4], words[5]);
}

void trace_printk(const char *fmt, ...) {
    char text[TRACE_TEXT + 1];
    va_list args;
    if (!tracing(current_thread))
        return;
    va_start(args, fmt);
    int n = vscnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    trace_text(text, n);
}
