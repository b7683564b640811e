// Timers that programs make: timer_create(2) and its family.
#ifndef PROC_TIMERS_H
#define PROC_TIMERS_H

#include "abi/signal.h"
#include "time/posix.h"

struct process;
struct sigqueue;

// The id of a new timer of current's process, or -EINVAL, -EAGAIN (RLIMIT_SIGPENDING), -EOPNOTSUPP, -ENOMEM. NULL event: SIGALRM.
int timers_create(int clock, const struct sigevent *event);
int timers_delete(int id);  // 0, -EINVAL
int timers_set(int id, bool absolute, const struct posix_itimer *new_, struct posix_itimer *old);
int timers_get(int id, struct posix_itimer *now);
int timers_overrun(int id);           // of the last signal taken, or -EINVAL
void timers_exit(struct process *p);  // exec, and the last thread's end: none is left

// The signal of a timer leaves its queue: how often the timer ran out since it was put there. => siglock held
s32 timer_signal_taken(struct sigqueue *q);

#endif
