// The preempt count: while it is above 0 this thread stays on its hart. Spinning locks raise it.
#ifndef SYNC_PREEMPT_H
#define SYNC_PREEMPT_H

#include "arch/thread.h"
#include "check/locks.h"
#include "lib/types.h"

void preempt_check(void);  // sched/core.c: schedule() if asked to and allowed to

static inline void preempt_disable(void) {
    if (current_thread->preempt_count++ == 0)
        hold_preemption_off();
    barrier();
}
static inline void preempt_enable_no_check(void) {
    barrier();
    current_thread->preempt_count--;
}
static inline void preempt_enable(void) {
    barrier();
    if (locks_built && current_thread->preempt_count == 1)
        hold_preemption_on();
    if (--current_thread->preempt_count == 0 &&
        unlikely(READ_ONCE(current_thread->work) & WORK_RESCHED))
        preempt_check();
}
static inline bool preemptible(void) { return current_thread->preempt_count == 0; }

#endif
