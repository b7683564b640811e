/* What /proc says about tasks and the machine, proc(5), for ps, tasks and their like. */
#ifndef USER_LIB_PROC_H
#define USER_LIB_PROC_H

#include <stdbool.h>

#define PROC_HZ 100 /* ticks in a second, the unit of times in /proc */

/* A process, or one of its threads: then times and hart are the thread's. */
struct proc_task {
    int pid, ppid, pgrp; /* pid: of a thread, its number */
    int priority, nice;  /* priority: 20 + nice, or -1 minus the real-time one */
    int threads, hart;
    char state, name[32];
    long user, system, start; /* ticks; start: since boot */
    long size, rss;           /* bytes; pages */
};

/* Reads DIR/stat, DIR being /proc/PID or /proc/PID/task/TID. False if the task has ended. */
bool proc_task_read(const char *dir, struct proc_task *t);

/* No memory of its own, and not a zombie, which has lost it. */
bool proc_is_kernel_thread(const struct proc_task *t);

/* Calls f(DIR/N, arg) for each entry of dir that is a number: 0, or -errno. */
long proc_each(const char *dir, void (*f)(const char *path, void *arg), void *arg);

/* The number behind `label` in a text like /proc/meminfo; 0 if it is not there. */
long number_behind(const char *text, const char *label);

#endif
