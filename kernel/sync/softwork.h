// Work that an interrupt handler puts off: it runs soon on the same hart in a kernel thread (ksoftirqd/N),
// with interrupts on, and may take any lock and sleep.
#ifndef SYNC_SOFTWORK_H
#define SYNC_SOFTWORK_H

#include "lib/list.h"

struct softwork {
    struct list link;
    void (*fn)(struct softwork *);
    u32 queued;  // [a] 1 from softwork_queue until just before fn is called
};
static inline void softwork_init(struct softwork *w, void (*fn)(struct softwork *)) {
    w->fn = fn;
    w->queued = false;
}
// Any context. Queued once however often it is asked for before fn begins.
void softwork_queue(struct softwork *w);
// Body of the thread of one hart; started at boot by proc/kthread.c, pinned to that hart.
void softwork_thread(void *hart);

#endif
