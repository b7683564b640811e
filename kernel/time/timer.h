// Clock sources, clock event devices, and timers. Times are nanoseconds since boot
// (CLOCK_MONOTONIC), u64.
#ifndef TIME_TIMER_H
#define TIME_TIMER_H

#include "lib/list.h"
#include "lib/rbtree.h"
#include "lib/types.h"

#define NSEC_PER_SEC 1000000000ul
#define NSEC_PER_MSEC 1000000ul
#define NSEC_PER_USEC 1000ul
#define TIME_NEVER (~0ul)

// A counter that only goes up.
struct clock_source {
    const char *name;
    u64 hz;
    u64 (*read)(void);
};
// A device that interrupts once at a given value of the time CSR.
struct clock_event {
    const char *name;
    void (*set)(u64 when);  // ~0ul: never
};

// A moment is a u64: ns since boot, at most TIME_NEVER / 2; or TIME_NEVER; or WALL_CLOCK | ns since
// 1970, which comes sooner or later when the wall clock is set.
#define WALL_CLOCK (1ul << 63)
// ns after a moment, by the same clock; the last moment there is when it would be later.
static inline u64 moment_add(u64 moment, u64 ns) {
    u64 room = ~WALL_CLOCK - (moment & ~WALL_CLOCK);
    return moment + (ns < room ? ns : room);
}

extern u64 timebase_hz;  // of the time CSR, from the device tree (also in arch/upcall.h)
void time_init(u64 hz, bool sstc);
void time_init_hart(void);

u64 clock_ns(void);          // nanoseconds since boot; any context
u64 ticks_to_ns(u64 ticks);  // what clock_ns() was at that value of the time CSR

// Calls fn in interrupt context (interrupts off) on the hart that started it, at a moment or after
// it. Whoever owns a timer serialises the calls on it; only its handler runs on its own.
struct timer {
    struct rb_node node;  // [timer lock of the hart]
    u64 expires;          // ns since boot; the timer lock to change
    u64 slack;            // ns that it may come earlier, with another one
    u64 moment;           // as it was started
    void (*fn)(struct timer *);
    u32 hart;  // whose queue it is on; stable while queued
    bool queued;
};
#define TIMER_INIT(function)                                                                       \
    { .fn = function }
static inline void timer_setup(struct timer *t, void (*fn)(struct timer *)) {
    t->fn = fn;
    t->queued = false;
    t->hart = 0;
}
// Start or move. Any context. A handler may restart its own timer.
void timer_start(struct timer *t, u64 moment);
// At the moment or up to `slack` ns later: together with another timer if one runs out there.
// TIMERSLACK: prctl(2)
void timer_start_loose(struct timer *t, u64 moment, u64 slack);
// Stop; true when it was queued. Does not wait for a handler that is running on another hart.
bool timer_cancel(struct timer *t);
// Stop, and wait until no handler of it runs. => not from its own handler, no lock that the handler
// takes.
bool timer_cancel_sync(struct timer *t);
// Stop; false when its handler is running, which may start it again: call once more.
bool timer_cancel_idle(struct timer *t);

#ifdef CHECK_CHAOS
// Do nothing from the second call until `when`, which the first one named, however long what is
// between the two takes. On an emulator that jumps over idle time what follows begins at that very
// instruction. => interrupts off
void time_set_mark(u64 when);
void time_wait_mark(u64 when);
#endif

// Wall clock = clock_ns() + offset (CLOCK_REALTIME).
u64 realtime_ns(void);
void realtime_set(u64 ns);   // ns since 1970; then each hart must call timers_follow_wall_clock()
void realtime_step(u64 ns);  // by so much; the same
void timers_follow_wall_clock(void);
u64 wall_moment_ns(u64 moment);  // ns since boot, as the clock is now
static inline u64 moment_ns(u64 moment) {
    return moment & WALL_CLOCK ? wall_moment_ns(moment) : moment;
}
// Who is to hear of steps of the wall clock: `changed` is called by realtime_set(). => there, the
// list's spinlock held
struct clock_watch {
    struct list link;
    void (*changed)(struct clock_watch *);
};
void clock_watch_add(struct clock_watch *w);
void clock_watch_remove(struct clock_watch *w);  // afterwards `changed` does not run

const char *time_event_name(void);  // of the event device
u64 timer_interrupts(u32 hart);     // count, for /proc/interrupts

#endif
