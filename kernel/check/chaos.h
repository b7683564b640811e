// CHECK=chaos: places where the kernel lets a seeded generator decide who runs next: locks taken and released, traps, waits,
// wake-ups, atomic operations. Without the check all of them are nothing. Below every room: no includes of ours.
#ifndef CHECK_CHAOS_H
#define CHECK_CHAOS_H

#include <stdbool.h>
#include <stdint.h>

struct task;
struct runq;

// Values of boot arguments (docs/debugging.md); false: a bad one. => chaos_built
bool chaos_set_seed(const char *value);    // chaos=
bool chaos_set_points(const char *value);  // chaos-points=
bool chaos_set_limit(const char *value);   // chaos-limit=
bool chaos_set_hold(const char *value);    // chaos-hold

#ifdef CHECK_CHAOS
#define chaos_built true
// What a task has of its own. [s]
struct chaos_task {
    uint64_t points;  // that it passed since the start
};

extern bool chaos_on;
void chaos_pass(void);
// A point: another task may run before this returns, if the caller may be preempted here.
static inline void chaos_point(void) {
    if (chaos_on)
        chaos_pass();
}
// The same at the end of an interrupt of code with preempt count 0. => interrupts off
void chaos_interrupted(void);
// prev sleeps or ends: maybe another one than the next in turn follows. => rq's lock held
void chaos_sleeps(struct runq *rq, struct task *prev);
void chaos_switched(struct task *prev, struct task *next);  // => interrupts off

void chaos_init(void);        // makes /proc/xv39/chaos; starts unless told to hold
void chaos_report(void);      // a panic: what happened so far, to the console
bool chaos_repeatable(void);  // one hart: devices are to take the same time in each run
#else
#define chaos_built false
struct chaos_task {};
static inline void chaos_point(void) {}
static inline void chaos_interrupted(void) {}
static inline void chaos_sleeps(struct runq *rq, struct task *prev) { (void)rq, (void)prev; }
static inline void chaos_switched(struct task *prev, struct task *next) { (void)prev, (void)next; }
static inline void chaos_init(void) {}
static inline void chaos_report(void) {}
static inline bool chaos_repeatable(void) { return false; }
#endif

#endif
