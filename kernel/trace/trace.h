// Trace points: what the kernel does, written down with the time by the hart that does it.
//
//   trace(TRACE_WAKE, tid, hart);               // costs a load and a branch unless the running thread is traced
//   trace_about(thread, TRACE_WAKE, tid, hart); // also written when `thread`, whom it is about, is traced
//   trace_printk("free %u of %u", free, all);   // text, cut to TRACE_TEXT characters
//
// A point may stand anywhere: in interrupts, with any lock held, in the locks themselves. It takes no lock, does not
// fault and calls nothing that has a trace point. Arguments are numbers; strings are packed (trace_name) or pointers to
// literals. format.c has the meaning of each event's arguments; control.h turns tracing on and reads what was written.
#ifndef TRACE_TRACE_H
#define TRACE_TRACE_H

#include "arch/thread.h"
#include "lib/types.h"

enum trace_event {
    TRACE_SWITCH,
    TRACE_WAKE,
    TRACE_MIGRATE,
    TRACE_FORK,
    TRACE_EXEC,
    TRACE_EXIT,
    TRACE_FAULT,
    TRACE_FAULT_END,
    TRACE_SYS,
    TRACE_SYS_END,
    TRACE_IRQ,
    TRACE_IRQ_END,
    TRACE_TIMER,
    TRACE_BLOCK,
    TRACE_BLOCK_END,
    TRACE_LOCK,
    TRACE_LOCK_END,
    TRACE_SIGNAL,
    TRACE_DELIVER,
    TRACE_TEXT_EVENT,
    TRACE_EVENTS,
};

#define TRACE_TEXT 48

struct trace_record {
    u64 time;   // of the time CSR
    u32 tid;    // who ran; 0: an idle task
    u16 event;  // enum trace_event
    u16 call;   // number of the system call, of TRACE_SYS and TRACE_SYS_END
    u64 arg[6];
};

// Of the records that a hart has written, the last size - 1 can be read: number n is at n % size.
struct trace_ring {
    struct trace_record *records;  // NULL until tracing is first turned on
    u64 size;                      // a power of two
    u64 head;                      // [a] records written so far
    u64 start;                     // records before it were cleared
    bool writing;                  // [a] the hart is inside trace_write()
};
extern struct trace_ring trace_ring;  // PERHART
extern u32 trace_mask;  // [a] bit e: event e is recorded; 0: nothing is, and nobody writes

// Write an event of the running thread, if the mask has it; a system call's number is in the upper half of `event`.
void trace_write(u32 event, u64 a0, u64 a1, u64 a2, u64 a3, u64 a4, u64 a5) __attribute__((cold));
void trace_printk(const char *fmt, ...) __printf(1, 2);
void trace_text(const char *s, size_t n);  // at most TRACE_TEXT characters
u64 trace_name(const char *s, u32 part);  // characters 0 to 7 (part 0) or 8 to 15 of a short string

#define tracing(thread) unlikely(READ_ONCE((thread)->trace))
#define trace(...) trace_if_(READ_ONCE(current_thread->trace), __VA_ARGS__)
#define trace_about(thread, ...)                                                                   \
    trace_if_(READ_ONCE((thread)->trace) | READ_ONCE(current_thread->trace), __VA_ARGS__)
#define trace_if_(wanted, ...)                                                                     \
    do {                                                                                           \
        if (unlikely(wanted))                                                                      \
            trace_args_(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0);                                         \
    } while (0)
#define trace_args_(event, a, b, c, d, e, f, ...)                                                  \
    trace_write(event, (u64)(a), (u64)(b), (u64)(c), (u64)(d), (u64)(e), (u64)(f))

// Copy record `number` of a hart's ring: false when it has been overwritten, or is being.
bool trace_copy(const struct trace_ring *r, u64 number, struct trace_record *out);

#endif
