// CHECK=locks: the order of sleeping locks, locks held where none may be, and how long spinning locks are held and interrupts
// are off. (The order of spinning locks: sync/spin.c.) Without the check all of this is nothing.
#ifndef CHECK_LOCKS_H
#define CHECK_LOCKS_H

#include "check/callers.h"
#include "lib/types.h"

#define HOLD_WATCH (~0u)
int hold_set(const char *text);  // microseconds, or "watch": 0 or -EINVAL. => locks_built

#ifdef CHECK_LOCKS
#define locks_built true

// The sleeping locks that a task holds. [s]
struct sleeping_locks {
    u32 n;
    struct {
        const void *lock;
        const char *name;
        u32 rank;
        struct callers taken;
    } at[8];
};

// Before a sleeping lock is waited for, when it is taken, before it is released. rank: 4 * RANK_ + depth.
void sleeping_lock_wanted(const void *lock, u32 rank, const char *name);
void sleeping_lock_taken(const void *lock, u32 rank, const char *name);
void sleeping_lock_dropped(const void *lock, const char *name);
bool sleeping_lock_is_mine(const void *lock);
void locks_back_to_user(void);  // the current task leaves the kernel: it must hold nothing

// The end of a report: what is wrong, in which function (pc, frame: of the call into the checker), who took `title`.
__noreturn void locks_complain(u64 pc, const void *frame, const char *title,
                               const struct callers *taken, const char *fmt, ...) __printf(5, 6);

extern u32 hold_us;  // bound in microseconds; 0: none; HOLD_WATCH: keep the longest
void hold_check(u64 since, const char *what, const struct callers *taken, u64 pc,
                const void *frame);
void irqs_went_off(void);
void irqs_go_on(void);
static inline void hold_irqs_off(void) {
    if (hold_us)
        irqs_went_off();
}
static inline void hold_irqs_on(void) {
    if (hold_us)
        irqs_go_on();
}
void preemption_went_off(void);
void preemption_goes_on(void);
static inline void hold_preemption_off(void) {
    if (hold_us == HOLD_WATCH)
        preemption_went_off();
}
static inline void hold_preemption_on(void) {
    if (hold_us == HOLD_WATCH)
        preemption_goes_on();
}
void locks_init(void);  // makes /proc/xv39/hold and longest
#else
#define locks_built false
static inline void locks_back_to_user(void) {}
static inline void sleeping_lock_wanted(const void *lock, u32 rank, const char *name) {
    (void)lock, (void)rank, (void)name;
}
static inline void sleeping_lock_taken(const void *lock, u32 rank, const char *name) {
    (void)lock, (void)rank, (void)name;
}
static inline void sleeping_lock_dropped(const void *lock, const char *name) {
    (void)lock, (void)name;
}
static inline void hold_irqs_off(void) {}
static inline void hold_irqs_on(void) {}
static inline void hold_preemption_off(void) {}
static inline void hold_preemption_on(void) {}
static inline void locks_init(void) {}
#endif

#endif
