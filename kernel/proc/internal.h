// Between start.c and kthread.c: tasks that are made from nothing instead of by fork.
#ifndef PROC_INTERNAL_H
#define PROC_INTERNAL_H

#include "proc/life.h"

// A task with a process, session and group of its own (of `parent`'s when there is one), root's credentials, and
// the directories of init_fs; in the family, not started. NULL: out of memory.
struct task *task_from_nothing(const char *name, struct sighand *s, struct process *parent,
                               u32 flags);

#endif
