/*
 * The core of the scheduler: run queues, the switch, wake-ups, and moving tasks between harts.
 *
 * Each hart has a run queue with a lock (RANK_RUNQ, lower hart first). The lock guards the queue and, of every task that
 * belongs to it (task.hart), the state, the scheduling entity and the right to switch it. The lock is held
 * across a switch: taken by the thread that leaves, released by the one that comes (finish_switch), so nobody
 * who holds a queue's lock ever sees a task of it half switched.
 *
 *   sleeper                                waker (task_wake)
 *   state = S; on a wait queue             condition = true
 *   fence                                  fence
 *   condition? no                          lock rq; state is S:
 *   schedule(): lock rq                      still queued: state = RUNNING
 *     state != RUNNING: dequeue              else: enqueue
 *
 * Either the sleeper sees the condition, or the waker sees its state; and as both change the queue under its
 * lock, a task that is going to sleep is either still queued (it just stays) or wholly off its hart.
 *
 * A task sets its own sleeping states without the lock, so the store of a slow waker may come late and wake it once too
 * often: sleepers loop. Only death may not be undone: it is marked with the lock held (sched_mark_dead).
 *
 * A task changes queues only while it is not running: when woken, when pulled by a hart with less to do, or, if
 * its affinity no longer allows its hart, right after it was switched away from. task.hart changes under the lock of the queue
 * it leaves, so a lock that was taken by way of task.hart stays the right one; state = WAKING keeps other wakers off
 * while it is between two queues and neither lock is held.
 *
 * The tick is a one-shot timer per hart, armed for the end of the current turn, only while another task waits.
 * An idle hart has none. Interrupts are off wherever a queue's lock is held.
 *
 * Whose time it was, the user's or the kernel's, is sampled: exact accounting would read the clock twice in each system
 * call. While a hart has work a timer interrupts it each SAMPLE_EVERY, and what the task has run since its last sample goes to the
 * side that was interrupted. The timer is not stopped when the hart becomes idle, but comes once more and is not armed again.
 */
#include "sched/sched.h"

#include "abi/errno.h"
#include "arch/csr.h"
#include "arch/sbi.h"
#include "check/chaos.h"
#include "lib/bitmap.h"
#include "proc/proc.h"
#include "arch/hart.h"
#include "time/timer.h"
#include "trace/trace.h"

#define BALANCE_EVERY 8  // turns between two looks at other harts' queues
#define SAMPLE_EVERY (10 * NSEC_PER_MSEC)

static PERHART(struct runq, runq);
static PERHART(u32, turns);
static const struct sched_class *const classes[] = {&rr_class, &idle_class};
u64 idle_harts;
int kernel_preemption = 1;
int sched_child_first = 1;
u32 io_in_flight;

struct runq *runq_of(u32 hart) {
    return per_hart(runq, hart);
}

static struct task *task_of(struct sched_entity *se) { return container_of(se, struct task, se); }

static bool allowed(const struct task *t, u32 hart) { return t->affinity >> hart & 1; }

// ---- accounting ----

static void update_clock(struct runq *rq) { rq->clock = clock_ns(); }

// Charge the time since exec_start to the running task.
static void update_current(struct runq *rq) {
    struct sched_entity *se = &rq->running->se;
    update_clock(rq);
    u64 sum = se->exec_sum + (rq->clock - se->exec_start);
    store_relaxed(&se->exec_start, 0);  // sched_task_runtime() waits until both are new
    store_release(&se->exec_sum, sum);
    store_release(&se->exec_start, rq->clock);
}

// Without a lock: looks again when the task's hart charged it or let it run meanwhile.
u64 sched_task_runtime(struct task *t) {
    u64 start, sum;
    bool running;
    do {
        start = load_acquire(&t->se.exec_start);
        sum = load_acquire(&t->se.exec_sum);
        running = load_acquire(&t->se.running);
        if (running)
            sum += clock_ns() - start;
    } while (running && (start == 0 || load_acquire(&t->se.exec_start) != start));
    return sum;
}

u64 sched_idle_ns(u32 hart) { return sched_task_runtime(runq_of(hart)->idle); }

// ---- queues ----

static void arm_tick(struct runq *rq) {
    struct sched_entity *se = &rq->running->se;
    u64 end = rq->nr_running > 1 ? se->class->turn_ends(rq, se) : TIME_NEVER;
    if (end != TIME_NEVER && (!rq->tick.queued || rq->tick.expires > end))
        timer_start(&rq->tick, end);
}

static void enqueue(struct runq *rq, struct task *t, bool wakeup) {
    t->se.queued = true;
    WRITE_ONCE(rq->nr_running, rq->nr_running + 1);
    t->se.class->enqueue(rq, &t->se, wakeup);
}

static void dequeue(struct runq *rq, struct task *t) {
    if (rq->next == t)
        rq->next = NULL;
    t->se.class->dequeue(rq, &t->se);
    t->se.queued = false;
    WRITE_ONCE(rq->nr_running, rq->nr_running - 1);
}

// Have the hart of rq come through schedule(). => rq->lock held
static void resched(struct runq *rq) {
    struct thread *running = &rq->running->thread;
    if (atomic_or(&running->work, WORK_RESCHED) & WORK_RESCHED)
        return;
    if (rq->hart != hart_id())
        sbi_send_ipi(hart_hartid[rq->hart]);
}

// t was just enqueued: does it go before the running task, or does the hart need a tick now? => rq->lock held
static void check_preempt(struct runq *rq, struct task *t) {
    struct sched_entity *running = &rq->running->se;
    if (t->se.class->rank > running->class->rank ||
        (t->se.class == running->class && running->class->preempts(rq, &t->se, running))) {
        resched(rq);
    } else if (rq->tick.queued) {
        return;
    } else if (rq->hart == hart_id()) {
        update_current(rq);
        arm_tick(rq);
    } else {
        sbi_send_ipi(hart_hartid[rq->hart]);
    }
}

static struct runq *lock_task(struct task *t) {
    for (;;) {
        struct runq *rq = runq_of(READ_ONCE(t->hart));
        irqlock_acquire_irqs_off(&rq->lock);
        if (likely(runq_of(t->hart) == rq))
            return rq;
        irqlock_release_irqs_off(&rq->lock);
    }
}

// => interrupts off. Raises the preempt count by one more than the lock does, for the switch.
static struct runq *lock_this_queue(void) {
    current_thread->preempt_count++;
    struct runq *rq = this_hart(runq);
    irqlock_acquire_irqs_off(&rq->lock);
    update_current(rq);
    return rq;
}

// The best hart for a task that is about to run: its last one if idle, any idle one, else its last one. An idle hart
// is chosen once, so that tasks woken together spread out; it says so anew when it finds nothing to do.
static u32 choose_hart(const struct task *t) {
    if (nr_harts == 1)
        return 0;
    u64 idle = load_relaxed(&idle_harts) & t->affinity;
    if (idle) {
        u32 hart = idle >> t->hart & 1 ? t->hart : (u32)ctz64(idle);
        atomic_and(&idle_harts, ~(1ul << hart));
        return hart;
    }
    return allowed(t, t->hart) ? t->hart : (u32)ctz64(t->affinity);
}

// Put a task that is on no queue, with state WAKING, on the queue of its new hart. => no queue's lock held, interrupts off
static void enqueue_on(struct task *t, bool wakeup) {
    struct runq *rq = runq_of(t->hart);
    irqlock_acquire_irqs_off(&rq->lock);
    store_release(&t->state, (u32)TASK_RUNNING);
    enqueue(rq, t, wakeup);
    check_preempt(rq, t);
    irqlock_release_irqs_off(&rq->lock);
}

// t, on no queue any more, is to go to another hart's. => its queue's lock held: with that lock alone `hart` may change,
// so that whoever has locked the queue of t->hart knows that t stays there
static void leave(struct task *t, u32 hart) {
    trace_about(&t->thread, TRACE_MIGRATE, t->thread.tid, t->hart, hart);
    t->state = TASK_WAKING;
    store_release(&t->hart, hart);
}

static bool wake_locked(struct runq *rq, struct task *t, u32 states) {
    assert_held(&rq->lock);
    if (!(t->state & states)) {
        irqlock_release_irqs_off(&rq->lock);
        return false;
    }
    u32 target = t->se.queued ? t->hart : choose_hart(t);
    trace_about(&t->thread, TRACE_WAKE, t->thread.tid, target);
    if (target == rq->hart) {
        store_release(&t->state, (u32)TASK_RUNNING);
        if (!t->se.queued) {
            enqueue(rq, t, true);
            check_preempt(rq, t);
        }
        irqlock_release_irqs_off(&rq->lock);
        return true;
    }
    leave(t, target);
    irqlock_release_irqs_off(&rq->lock);
    enqueue_on(t, true);
    return true;
}

bool task_wake(struct task *t, u32 states) {
    memory_fence();
    u64 flags = irq_save();
    bool woken = wake_locked(lock_task(t), t, states);
    irq_restore(flags);
    if (flags)
        preempt_check();
    chaos_point();
    return woken;
}

// Let t, which waits on this hart, have the next turn if the running task is of its class.
static void run_next(struct task *t) {
    struct runq *rq = this_hart(runq);
    irqlock_acquire_irqs_off(&rq->lock);
    if (t->hart == rq->hart && t->se.queued && !t->se.running &&
        t->se.class == rq->running->se.class) {
        rq->next = t;
        resched(rq);
    }
    irqlock_release_irqs_off(&rq->lock);
}

void sched_start(struct task *t) {
    assert(t->state == TASK_NEW);
    task_get(t);
    task_get(t);  // it may run and end before run_next() has looked
    u64 flags = irq_save();
    t->hart = hart_id();
    t->hart = choose_hart(t);
    trace_about(&t->thread, TRACE_WAKE, t->thread.tid, t->hart);
    enqueue_on(t, false);
    if (sched_child_first)
        run_next(t);
    irq_restore(flags);
    task_put(t);
    preempt_check();
}

// ---- moving tasks between harts ----

// A task that waits on rq and may run on `hart`. => rq->lock held
static struct task *movable(struct runq *rq, u32 hart) {
    for (unsigned c = 0; c < ARRAY_SIZE(classes); c++)
        for (struct sched_entity *se = classes[c]->waiting(rq, NULL); se;
             se = classes[c]->waiting(rq, se))
            if (allowed(task_of(se), hart))
                return task_of(se);
    return NULL;
}

static struct runq *busiest(u32 at_least, u32 but) {
    struct runq *found = NULL;
    for_each_hart (h) {
        u32 n = READ_ONCE(runq_of(h)->nr_running);
        if (h != but && n >= at_least) {
            found = runq_of(h);
            at_least = n + 1;
        }
    }
    return found;
}

// Take a waiting task from the hart that has most, if it has at least that many. => rq->lock held; it is dropped
// and taken again. True when something was pulled.
static bool pull(struct runq *rq, u32 at_least) {
    struct runq *from = busiest(at_least, rq->hart);
    if (from == NULL)
        return false;
    irqlock_release_irqs_off(&rq->lock);
    irqlock_acquire_irqs_off(&from->lock);
    struct task *t = from->nr_running >= at_least ? movable(from, rq->hart) : NULL;
    if (t) {
        dequeue(from, t);
        leave(t, rq->hart);
    }
    irqlock_release_irqs_off(&from->lock);
    irqlock_acquire_irqs_off(&rq->lock);
    if (t == NULL)
        return false;
    store_release(&t->state, (u32)TASK_RUNNING);
    enqueue(rq, t, false);
    return true;
}

#define SPIN_FOR_IO (50 * NSEC_PER_MSEC)

// A disk answers within microseconds: stay awake for its interrupt, unless it takes very long. (It also keeps emulators
// that jump over idle time from jumping over the transfer.) Devices interrupt hart 0.
static void spin_for_io(void) {
    u64 end = clock_ns() + SPIN_FOR_IO;
    while (load_relaxed(&io_in_flight) && !(READ_ONCE(current_thread->work) & WORK_RESCHED) &&
           clock_ns() < end)
        ;
}

void sched_idle_loop(void) {
    bool spun = false;
    for (;;) {
        irq_disable();
        struct runq *rq = lock_this_queue();
        bool work = nr_harts > 1 && rq->nr_running == 0 && pull(rq, 2);
        work |= rq->nr_running > 0;
        irqlock_release_irqs_off(&rq->lock);
        preempt_enable_no_check();
        bool spin = !work && !spun && hart_id() == 0 && load_relaxed(&io_in_flight);
        if (!work && !spin)
            wait_for_interrupt();
        irq_enable();
        if (spin)
            spin_for_io();
        spun = spin;
        if (work || READ_ONCE(current_thread->work) & WORK_RESCHED)
            schedule();
    }
}

// ---- the switch ----

static struct task *pick(struct runq *rq) {
    struct task *next = rq->next;
    if (rq->nr_running == 0)
        return rq->idle;
    if (next) {
        rq->next = NULL;
        next->se.class->dequeue(rq, &next->se);
        return next;
    }
    for (unsigned c = 0;; c++) {
        struct sched_entity *se = classes[c]->pick(rq);
        if (se)
            return task_of(se);
    }
}

#ifdef CHECK_CHAOS
struct task *sched_waiting(struct runq *rq, const struct task *after) {
    for (unsigned c = 0; c < ARRAY_SIZE(classes); c++) {
        struct sched_entity *se = NULL;
        if (!after)
            se = classes[c]->waiting(rq, NULL);
        else if (after->se.class == classes[c])
            se = classes[c]->waiting(rq, (struct sched_entity *)&after->se);
        if (se || (after && after->se.class == classes[c]))
            return se ? task_of(se) : NULL;
    }
    return NULL;
}
#endif

// What is left to do for the thread that was switched away from. => on the new thread's stack, rq->lock held
static void finish_switch(struct task *prev) {
    struct runq *rq = this_hart(runq);
    struct task *exited = rq->exited, *moving = rq->moving;
    prev->on_hart = false;
    rq->exited = rq->moving = NULL;
    irqlock_release_irqs_off(&rq->lock);
    if (moving)
        enqueue_on(moving, false);
    if (exited)
        task_put(exited);
}

void sched_first_switch(struct thread *prev) {
    finish_switch(thread_task(prev));
    preempt_enable_no_check();
    irq_enable();
}

static void end_idle(struct runq *rq) {
    atomic_and(&idle_harts, ~(1ul << rq->hart));
    if (!rq->sample.queued)
        timer_start(&rq->sample, rq->clock + SAMPLE_EVERY);
}

static void switch_to(struct runq *rq, struct task *prev, struct task *next) {
    chaos_switched(prev, next);
    rq->running = next;
    rq->switches++;
    store_relaxed(&prev->se.running, false);
    store_relaxed(&next->se.exec_start, rq->clock);
    store_release(&next->se.running, true);
    next->on_hart = true;
    next->thread.perhart = prev->thread.perhart;
    if (next == rq->idle)
        atomic_or(&idle_harts, 1ul << rq->hart);
    else if (prev == rq->idle)
        end_idle(rq);
    if (prev->mm)
        fpu_switch_out(&prev->thread);
    mm_switch(prev, next);
    if (next->mm)
        fpu_switch_in(&next->thread);
    finish_switch(thread_task(context_switch(&prev->thread, &next->thread)));
}

// prev is leaving: is it asleep, dead, to be moved, or does it go on waiting for the hart?
static void put_previous(struct runq *rq, struct task *prev, bool preempted) {
    if (prev == rq->idle)
        return;
    if (prev->state != TASK_RUNNING && !preempted) {
        WRITE_ONCE(prev->nvcsw, prev->nvcsw + 1);
        if (prev->state & (TASK_ZOMBIE | TASK_DEAD))
            rq->exited = prev;
        dequeue(rq, prev);
    } else if (prev->state == TASK_RUNNING && !allowed(prev, rq->hart)) {
        dequeue(rq, prev);
        leave(prev, choose_hart(prev));
        rq->moving = prev;
    } else {
        prev->se.class->put(rq, &prev->se);
    }
}

// => interrupts off, preempt count 1; rq->lock held and its clock current: released on return
static void switch_away(struct runq *rq, bool preempted) {
    struct task *prev = current;
    assert(*(u64 *)prev->kernel_stack == STACK_CANARY);
    atomic_and(&prev->thread.work, ~WORK_RESCHED);
    put_previous(rq, prev, preempted);
    if (!preempted)
        chaos_sleeps(rq, prev);
    struct task *next = pick(rq);
    if (next == prev) {
        arm_tick(rq);
        irqlock_release_irqs_off(&rq->lock);
        return;
    }
    if (preempted || prev->state == TASK_RUNNING)
        WRITE_ONCE(prev->nivcsw, prev->nivcsw + 1);
    rq->running = next;
    arm_tick(rq);
    trace_about(&next->thread, TRACE_SWITCH, preempted ? 'R' : task_state_name(prev->state)[0],
                preempted, prev->state && !preempted ? prev->wmesg : NULL, next->thread.tid);
    switch_to(rq, prev, next);
}

static void schedule_as(bool preempted) {
    u64 flags = irq_save();
    switch_away(lock_this_queue(), preempted);
    preempt_enable_no_check();
    irq_restore(flags);
}

void schedule(void) {
    chaos_point();
    assert_no_locks();
    assert(preemptible());
    schedule_as(false);
}

void preempt_check(void) {
    while (kernel_preemption && preemptible() && irq_enabled() &&
           (READ_ONCE(current_thread->work) & WORK_RESCHED))
        schedule_as(true);
}

void preempt_from_interrupt(void) {
    if (kernel_preemption)
        schedule_as(true);
}

// A waker that found current asleep a moment ago, with the queue's lock held, may be about to store RUNNING; taking
// the lock lets it finish, so that its store does not bring the dead back.
void sched_mark_dead(u32 state) {
    u64 flags = irq_save();
    struct runq *rq = lock_task(current);
    store_release(&current->state, state);
    irqlock_release_irqs_off(&rq->lock);
    irq_restore(flags);
}

void sched_exit(void) {
    irq_disable();
    if (!(current->state & (TASK_ZOMBIE | TASK_DEAD)))
        panic("%s left its function while it was alive", current->name);
    switch_away(lock_this_queue(), false);
    panic("a dead task runs");
}

void sched_yield(void) {
    u64 flags = irq_save();
    struct runq *rq = lock_this_queue();
    current->se.class->yield(rq, &current->se);
    switch_away(rq, false);
    preempt_enable_no_check();
    irq_restore(flags);
}

// ---- ticks and interrupts from other harts ----

static void tick(struct timer *timer) {
    struct runq *rq = container_of(timer, struct runq, tick);
    irqlock_acquire_irqs_off(&rq->lock);
    update_current(rq);
    struct sched_entity *se = &rq->running->se;
    if (nr_harts > 1 && ++*this_hart(turns) % BALANCE_EVERY == 0)
        pull(rq, rq->nr_running + 2);
    if (se->class->tick(rq, se))
        atomic_or(&rq->running->thread.work, WORK_RESCHED);
    else
        arm_tick(rq);
    irqlock_release_irqs_off(&rq->lock);
}

static void sample(struct timer *timer) {
    struct runq *rq = container_of(timer, struct runq, sample);
    irqlock_acquire_irqs_off(&rq->lock);
    update_current(rq);
    struct task *t = rq->running;
    if (t != rq->idle) {
        if (!current_thread->was_user) {
            WRITE_ONCE(t->stime, t->stime + (t->se.exec_sum - t->sampled_at));
            WRITE_ONCE(rq->system, rq->system + SAMPLE_EVERY);
        }
        t->sampled_at = t->se.exec_sum;
        timer_start(&rq->sample, rq->clock + SAMPLE_EVERY);
    }
    irqlock_release_irqs_off(&rq->lock);
}

// The sender has set WORK_RESCHED if a switch is wanted; otherwise it put a task behind the running one.
void ipi_interrupt(void) {
    struct runq *rq = this_hart(runq);
    irqlock_acquire_irqs_off(&rq->lock);
    update_current(rq);
    arm_tick(rq);
    irqlock_release_irqs_off(&rq->lock);
}

void sched_kick(u32 hart) {
    if (hart != hart_id())
        sbi_send_ipi(hart_hartid[hart]);
}

int sched_set_affinity(struct task *t, u64 mask) {
    mask &= nr_harts == 64 ? ~0ul : (1ul << nr_harts) - 1;
    if (mask == 0)
        return -EINVAL;
    u64 flags = irq_save();
    struct runq *rq = lock_task(t);
    t->affinity = mask;
    bool move = !allowed(t, rq->hart) && t->se.queued;
    if (move && rq->running == t) {
        resched(rq);
        irqlock_release_irqs_off(&rq->lock);
    } else if (move) {
        dequeue(rq, t);
        leave(t, choose_hart(t));
        irqlock_release_irqs_off(&rq->lock);
        enqueue_on(t, false);
    } else {
        irqlock_release_irqs_off(&rq->lock);
    }
    irq_restore(flags);
    preempt_check();
    return 0;
}

// ---- start ----

void sched_init_hart(u32 hart, struct task *idle) {
    struct runq *rq = runq_of(hart);
    irqlock_init(&rq->lock, RANK_RUNQ, "runq");
    rq->hart = hart;
    rq->idle = rq->running = idle;
    list_init(&rq->rr.queue);
    timer_setup(&rq->tick, tick);
    timer_setup(&rq->sample, sample);
    idle->hart = hart;
    idle->affinity = 1ul << hart;
    idle->thread.perhart = hart_offset[hart];
    idle->on_hart = true;
    idle->se.class = &idle_class;
    idle->se.running = true;
    idle->se.exec_start = clock_ns();
    atomic_or(&idle_harts, 1ul << hart);
}

void sched_init(void) { sched_init_hart(0, current); }
