/*
 * The classes there are, and what a task wants of them: policy, priority, nice (sched(7)).
 *
 * Policies FIFO and RR belong to the class rt, NORMAL, BATCH and IDLE to the fair class, which the
 * boot argument sched= chooses. A running entity is in none of its class's queues, so it changes
 * class where it stands; one that waits is taken out and put in again. Who may ask for what is the
 * business of syscall/sys_sched.c. Whoever holds what a real-time task waits for is scheduled by
 * the higher of his own and that task's priority (inherit.c), and is of the class rt that long.
 */
#include "abi/errno.h"
#include "check/race.h"
#include "lib/string.h"
#include "sched/internal.h"

const struct sched_class *sched_classes[3] = {&rt_class, &cfs_class, &idle_class};

// 1024 * 1.25^-nice: one step of nice is 10 % of a hart for two tasks that share it.
static const u32 weights[40] = {
    88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916, 9548, 7620, 6100, 4904,
    3906,  3121,  2501,  1991,  1586,  1277,  1024,  820,   655,   526,   423,  335,  272,  215,
    172,   137,   110,   87,    70,    56,    45,    36,    29,    23,    18,   15,
};
#define IDLE_WEIGHT 3

int sched_choose_fair(const char *name) {
    static const struct sched_class *const fair[] = {&cfs_class, &o1_class, &rr_class};
    for (u32 i = 0; i < ARRAY_SIZE(fair); i++)
        if (strcmp(name, fair[i]->name) == 0) {
            fair_class = fair[i];
            return 0;
        }
    return -EINVAL;
}

static bool wants_rt(u8 policy) { return policy == POLICY_FIFO || policy == POLICY_RR; }

static void set(struct sched_entity *se, const struct sched_params *p, u8 lent) {
    const struct sched_class *class = wants_rt(p->policy) || lent ? &rt_class : fair_class;
    if (class != se->class) {
        se->home = NO_HART;
        se->awake_since = se->exec_sum;
    }
    if (p->policy != se->policy)
        se->slice_end = se->exec_sum + class->turn;
    se->class = class;
    se->policy = p->policy;
    se->own_priority = p->rt_priority;
    se->lent = lent;
    WRITE_ONCE(se->rt_priority, max(p->rt_priority, lent));
    se->nice = p->nice;
    se->reset_on_fork = p->reset_on_fork;
    se->yielded = false;
    se->weight = p->policy == POLICY_IDLE ? IDLE_WEIGHT : weights[20 + p->nice];
}

static void get(const struct sched_entity *se, struct sched_params *out) {
    *out = (struct sched_params){se->policy, se->own_priority, se->nice, se->reset_on_fork};
}

void sched_get_params(struct task *t, struct sched_params *out) {
    u64 flags = irq_save();
    struct runq *rq = sched_lock_task(t);
    get(&t->se, out);
    irqlock_release_irqs_off(&rq->lock);
    irq_restore(flags);
}

void sched_change(struct task *t, const struct sched_params *p, u8 lent) {
    struct runq *rq = sched_lock_task(t);
    struct sched_entity *se = &t->se;
    bool queued = se->queued;
    sched_update_current(rq);
    if (queued)
        sched_dequeue(rq, t);
    set(se, p, lent);
    if (queued && !se->running) {
        balance_leave(t, t->hart);
        irqlock_release_irqs_off(&rq->lock);
        sched_enqueue_on(t, TASK_MOVES);
    } else {
        if (queued) {
            sched_count(rq, t);
            sched_resched(rq);
        }
        irqlock_release_irqs_off(&rq->lock);
    }
}

void sched_set_lent(struct task *t, u8 priority) {
    struct sched_params p;
    get(&t->se, &p);
    sched_change(t, &p, priority);
}

void sched_fork(struct sched_entity *child, const struct sched_entity *parent) {
    struct sched_params p;
    get(parent, &p);
    if (p.reset_on_fork) {
        p = (struct sched_params){.nice = wants_rt(p.policy) ? 0 : max(p.nice, (s8)0)};
    }
    child->class = parent->class;
    child->policy = parent->policy;
    child->home = parent->home;
    child->vruntime = data_race(parent->vruntime);  // of before or after a tick that comes here
    child->sleep_avg = data_race(parent->sleep_avg);
    set(child, &p, 0);
}
