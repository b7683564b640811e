// An array of FIFOs, one for each priority, with a bitmap of those that are not empty: to add, to
// remove and to find the best costs the same however many wait. For o1.c and rt.c. => run queue's
// lock held
#ifndef SCHED_PRIO_H
#define SCHED_PRIO_H

#include "lib/bitmap.h"
#include "sched/sched.h"

static inline void prio_init(struct prio_queue *q) {
    for (u32 l = 0; l < RT_PRIORITIES; l++)
        list_init(&q->fifo[l]);
}

static inline bool prio_empty(const struct prio_queue *q) { return !(q->used[0] | q->used[1]); }

// Add to the FIFO of se->level, at its head or at its end.
static inline void prio_add(struct prio_queue *q, struct sched_entity *se, bool first) {
    se->on = q;
    bitmap_set(q->used, se->level);
    if (first)
        list_add(&se->link, &q->fifo[se->level]);
    else
        list_add_tail(&se->link, &q->fifo[se->level]);
}

static inline void prio_remove(struct sched_entity *se) {
    list_del(&se->link);
    if (list_empty(&se->on->fifo[se->level]))
        bitmap_clear(se->on->used, se->level);
}

// The first of the best FIFO from `level` on, or NULL.
static inline struct sched_entity *prio_first(struct prio_queue *q, u32 level) {
    u32 best = (u32)bitmap_find_first_set(q->used, RT_PRIORITIES, level);
    return best == RT_PRIORITIES ? NULL
                                 : list_first_or_null(&q->fifo[best], struct sched_entity, link);
}

// The one after se in the order, or NULL.
static inline struct sched_entity *prio_next(struct sched_entity *se) {
    struct list *next = se->link.next;
    return next == &se->on->fifo[se->level] ? prio_first(se->on, se->level + 1u)
                                            : container_of(next, struct sched_entity, link);
}

#endif
