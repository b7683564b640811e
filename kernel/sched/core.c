/*
 * The core of the scheduler: run queues, the switch, wake-ups, and moving tasks between harts.
 *
 * Each hart has a run queue with a lock (RANK_RUNQ, lower hart first). The lock guards the queue
 * and, of every task that belongs to it (task.hart), the state, the scheduling entity and the right
 * to switch it. The lock is held across a switch: taken by the thread that leaves, released by the
 * one that comes (finish_switch), so nobody who holds a queue's lock ever sees a task of it half
 * switched.
 *
 *   sleeper                                waker (task_wake)
 *   state = S; on a wait queue             condition = true
 *   fence                                  fence
 *   condition? no                          lock rq; state is S:
 *   schedule(): lock rq                      still queued: state = RUNNING
 *     state != RUNNING: dequeue              else: enqueue
 *
 * Either the sleeper sees the condition, or the waker sees its state; and as both change the queue
 * under its lock, a task that is going to sleep is either still queued (it just stays) or wholly
 * off its hart.
 *
 * A task sets its own sleeping states without the lock, so the store of a slow waker may come late
 * and wake it once too often: sleepers loop. Only death may not be undone: it is marked with the
 * lock held (sched_mark_dead).
 *
 * A task changes queues only while it is not running: when woken, when it waits and balance.c moves
 * it, or, if it may not stay on its hart, right after it was switched away from. task.hart changes
 * under the lock of the queue it leaves, so a lock that was taken by way of task.hart stays the
 * right one; state = WAKING keeps other wakers off while it is between two queues and neither lock
 * is held. Its mask may be changed just then: whoever is put on the queue of a hart that it may not
 * use leaves as soon as it runs there, before it is in user code (sched_enqueue_moved).
 *
 * Turns end by a one-shot timer per hart, armed only while another task waits. Interrupts are off
 * wherever a queue's lock is held.
 *
 * The tick, another timer, comes each SAMPLE_EVERY while a hart has work. It samples whose time it
 * was, the user's or the kernel's (exact accounting would read the clock twice in each system
 * call): what the task has run since the last sample goes to the side that was interrupted. It
 * balances, and counts for the load averages and the profile. When the hart becomes idle it is not
 * stopped, but comes once more and is not armed again; with nohz=off it always is.
 *
 * With nohz=full it comes each ALONE_EVERY to who has a hart to himself. What cannot wait so long
 * is done elsewhere or later: system calls are counted (syscall.c), a hart that has too much work
 * brings the clocks of such a hart up to date before it compares (look_after), and who comes to
 * wait there brings the tick back (end_alone).
 */
#include "sched/internal.h"

#include "abi/errno.h"
#include "arch/csr.h"
#include "arch/sbi.h"
#include "check/race.h"
#include "check/chaos.h"
#include "sched/profile.h"
#include "time/timer.h"
#include "trace/trace.h"
#include "vdso/vdso.h"

#define SAMPLE_EVERY (10 * NSEC_PER_MSEC)
#define HAND_OVER_FOR (2 * NSEC_PER_MSEC)
#define ALONE_EVERY NSEC_PER_SEC

static PERHART(struct runq, runq);
u64 idle_harts;
int kernel_preemption = 1;
int nohz = NOHZ_IDLE;
int sched_child_first = 1;
u32 io_in_flight;

struct runq *runq_of(u32 hart) {
    return per_hart(runq, hart);
}

// ---- accounting ----

// Charge the time since exec_start to the running task.
void sched_update_current(struct runq *rq) {
    struct sched_entity *se = &rq->running->se;
    rq->ticks = time_csr();
    rq->clock = vvar_ns(&vvar, rq->ticks);
    u64 ran = rq->clock - se->exec_start, sum = se->exec_sum + ran;
    se->vruntime += se->weight == NICE_0_WEIGHT ? ran : ran * NICE_0_WEIGHT / se->weight;
    store_relaxed(&se->exec_start, 0);  // sched_task_runtime() waits until both are new
    store_release(&se->exec_sum, sum);
    store_release(&se->exec_start, rq->clock);
}

// Before t, which begins to wait now, is compared with the running one: what that ran for less than
// 1/8192 s may stay uncharged.
static void freshen(struct runq *rq, struct task *t) {
    u64 now = time_csr();
    t->se.queued_at = now;
    if (now - rq->ticks > timebase_hz >> 13)
        sched_update_current(rq);
}

// As of *now, if the caller wants to know. Without a lock: looks again when the task's hart charged
// it or let it run meanwhile.
static inline u64 runtime_at(struct task *t, u64 *now) {
    u64 start, sum, at = 0;
    bool running;
    do {
        start = load_acquire(&t->se.exec_start);
        sum = load_acquire(&t->se.exec_sum);
        running = load_acquire(&t->se.running);
        if (running || now)
            at = clock_ns();
    } while ((running && start == 0) || load_acquire(&t->se.exec_start) != start);
    if (now)
        *now = at;
    return running ? sum + at - start : sum;
}

u64 sched_task_runtime(struct task *t) { return runtime_at(t, NULL); }

u64 sched_busy_ns(u32 hart, u64 *idle) {
    u64 now;
    *idle = runtime_at(runq_of(hart)->idle, &now);
    return now - min(*idle, now);
}

u64 sched_waited_ns(const struct task *t) { return vvar_span_ns(&vvar, READ_ONCE(t->se.waited)); }

u64 sched_hart_waited_ns(u32 hart) { return vvar_span_ns(&vvar, READ_ONCE(runq_of(hart)->waited)); }

// next has waited until now, and has the hart; prev may begin to wait.
static inline void count_waits(struct runq *rq, struct task *prev, struct task *next) {
    u64 now = rq->ticks, ticks = now - next->se.queued_at;
    prev->se.queued_at = now;
    if (next == rq->idle)
        return;
    WRITE_ONCE(next->se.waited, next->se.waited + ticks);
    WRITE_ONCE(rq->waited, rq->waited + ticks);
}

// ---- queues ----

// Another task waits where one was alone.
static void end_alone(struct runq *rq) {
    rq->alone = false;
    timer_start(&rq->sample, rq->clock + SAMPLE_EVERY);
}

static void arm_tick(struct runq *rq) {
    struct sched_entity *se = &rq->running->se;
    if (rq->nr_running <= 1)
        return;
    u64 end = se->class->turn_ends(rq, se);
    if (rq->tick.queued && rq->tick.expires <= end)
        return;
    if (rq->alone)
        end_alone(rq);
    if (end != TIME_NEVER)
        timer_start(&rq->tick, end);
}

void sched_enqueue(struct runq *rq, struct task *t, enum enqueue_reason why) {
    sched_count(rq, t);
    t->se.class->enqueue(rq, &t->se, why);
}

void sched_enqueue_moved(struct runq *rq, struct task *t, enum enqueue_reason why) {
    if (unlikely(!allowed(t, rq->hart)))
        atomic_or(&t->thread.work, WORK_RESCHED);
    sched_enqueue(rq, t, why);
}

void sched_resched(struct runq *rq) {
    struct thread *running = &rq->running->thread;
    if (atomic_or(&running->work, WORK_RESCHED) & WORK_RESCHED)
        return;
    if (rq->hart != hart_id())
        sbi_send_ipi(hart_hartid[rq->hart]);
}

// Does t go before the running task, or does the hart need a tick now?
static inline void check_preempt(struct runq *rq, struct task *t) {
    struct sched_entity *running = &rq->running->se;
    if (t->se.class->rank > running->class->rank ||
        (t->se.class == running->class && running->class->preempts(rq, &t->se, running))) {
        sched_resched(rq);
    } else if (rq->tick.queued) {
        return;
    } else if (rq->hart == hart_id()) {
        sched_update_current(rq);
        arm_tick(rq);
    } else {
        sbi_send_ipi(hart_hartid[rq->hart]);
    }
}

// => interrupts off. Raises the preempt count by one more than the lock does, for the switch.
static inline struct runq *lock_this_queue(void) {
    current_thread->preempt_count++;
    struct runq *rq = this_hart(runq);
    irqlock_acquire_irqs_off(&rq->lock);
    sched_update_current(rq);
    return rq;
}

static u32 choose_hart(const struct task *t) { return nr_harts == 1 ? 0 : balance_choose_hart(t); }

void sched_enqueue_on(struct task *t, enum enqueue_reason why) {
    struct runq *rq = runq_of(t->hart);
    irqlock_acquire_irqs_off(&rq->lock);
    store_release(&t->state, (u32)TASK_RUNNING);
    if (why == TASK_MOVES)
        sched_update_current(rq);
    else
        freshen(rq, t);
    sched_enqueue_moved(rq, t, why);
    check_preempt(rq, t);
    irqlock_release_irqs_off(&rq->lock);
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
            freshen(rq, t);
            sched_enqueue(rq, t, TASK_WAKES);
            check_preempt(rq, t);
        }
        irqlock_release_irqs_off(&rq->lock);
        return true;
    }
    balance_leave(t, target);
    irqlock_release_irqs_off(&rq->lock);
    sched_enqueue_on(t, TASK_WAKES);
    return true;
}

bool task_wake(struct task *t, u32 states) {
    memory_fence();
    u64 flags = irq_save();
    bool woken = wake_locked(sched_lock_task(t), t, states);
    irq_restore(flags);
    if (flags)
        preempt_check();
    chaos_point();
    return woken;
}

// Let t, which waits on this hart, have the next turn if there are only fair tasks.
static void run_next(struct task *t) {
    struct runq *rq = this_hart(runq);
    irqlock_acquire_irqs_off(&rq->lock);
    if (t->hart == rq->hart && t->se.queued && !t->se.running && rq->nr_rt == 0 &&
        rq->running != rq->idle) {
        rq->next = t;
        sched_resched(rq);
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
    sched_enqueue_on(t, TASK_BEGINS);
    if (sched_child_first)
        run_next(t);
    irq_restore(flags);
    task_put(t);
    preempt_check();
}

// ---- being idle ----

#define SPIN_FOR_IO (50 * NSEC_PER_MSEC)

// A disk answers within microseconds: stay awake for its interrupt, unless it takes very long. (It
// also keeps emulators that jump over idle time from jumping over the transfer.) Devices interrupt
// hart 0.
static void spin_for_io(void) {
    u64 end = clock_ns() + SPIN_FOR_IO;
    while (load_relaxed(&io_in_flight) && !(READ_ONCE(current_thread->work) & WORK_RESCHED) &&
           clock_ns() < end)
        ;
}

void sched_idle_loop(void) {
    bool spun = false;
    if (nohz == NOHZ_OFF)
        timer_start(&this_hart(runq)->sample, clock_ns() + SAMPLE_EVERY);
    for (;;) {
        irq_disable();
        struct runq *rq = lock_this_queue();
        bool work = nr_harts > 1 && rq->nr_running == 0 && balance_pull(rq);
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

static struct task *best(struct runq *rq) {
    struct task *next = rq->next;
    if (rq->nr_running == 0)
        return rq->idle;
    if (next) {
        rq->next = NULL;
        next->se.class->dequeue(rq, &next->se);
        return next;
    }
    rq->chosen_at = rq->clock;
    for (u32 c = rq->nr_rt && !rt_waits(rq) ? 0 : 1;; c++) {
        struct sched_entity *se = sched_classes[c]->pick(rq);
        if (se)
            return task_of(se);
    }
}

static struct task *pick(struct runq *rq) {
    struct task *t = best(rq);
    t->se.turn_start = t->se.exec_sum;
    return t;
}

#ifdef CHECK_CHAOS
struct task *sched_waiting(struct runq *rq, const struct task *after) {
    for (u32 c = 0; sched_classes[c] != &idle_class; c++) {
        struct sched_entity *se = NULL;
        if (!after)
            se = sched_classes[c]->waiting(rq, NULL);
        else if (after->se.class == sched_classes[c])
            se = sched_classes[c]->waiting(rq, (struct sched_entity *)&after->se);
        if (se || (after && after->se.class == sched_classes[c]))
            return se ? task_of(se) : NULL;
    }
    return NULL;
}
#endif

// What is left to do for the thread that was switched away from. => on the new thread's stack,
// rq->lock held
static inline void finish_switch(struct task *prev) {
    struct runq *rq = this_hart(runq);
    struct task *exited = rq->exited, *moving = rq->moving;
    prev->on_hart = false;
    rq->exited = rq->moving = NULL;
    irqlock_release_irqs_off(&rq->lock);
    if (moving)
        sched_enqueue_on(moving, TASK_MOVES);
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
    count_waits(rq, prev, next);
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

// Where prev, which goes on waiting, should do that.
static u32 hart_to_wait_on(struct runq *rq, struct task *prev) {
    bool rivals = unlikely(rq->nr_rt > 1) && prev->se.rt_priority;
    return allowed(prev, rq->hart) && !rivals ? rq->hart : choose_hart(prev);
}

// One that was preempted when it was about to sleep, and may not stay, is moved as if it was woken:
// sleepers look again.
static bool goes_on(const struct runq *rq, const struct task *prev) {
    return prev->state == TASK_RUNNING ||
           (!allowed(prev, rq->hart) && !(prev->state & (TASK_ZOMBIE | TASK_DEAD)));
}

// prev is leaving: is it asleep, dead, to be moved, or does it go on waiting for the hart?
static void put_previous(struct runq *rq, struct task *prev, bool preempted) {
    u32 hart;
    if (prev == rq->idle)
        return;
    if (prev->state != TASK_RUNNING && !preempted) {
        WRITE_ONCE(prev->nvcsw, prev->nvcsw + 1);
        if (prev->state & (TASK_ZOMBIE | TASK_DEAD))
            rq->exited = prev;
        sched_dequeue(rq, prev);
    } else if (goes_on(rq, prev) && (hart = hart_to_wait_on(rq, prev)) != rq->hart) {
        sched_dequeue(rq, prev);
        balance_leave(prev, hart);
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

// t, asleep on another hart, belongs to this one from now on: WAKING, on no queue. False: it does
// not sleep, or may not
static bool pull_sleeper(struct task *t, u32 states) {
    struct runq *rq = sched_lock_task(t);
    bool can = rq->hart != hart_id() && t->state & states && !t->se.queued && allowed(t, hart_id());
    if (can)
        balance_leave(t, hart_id());
    irqlock_release_irqs_off(&rq->lock);
    return can;
}

// t, asleep on this hart or just pulled, is queued, and next unless that would go on for too long.
// => rq->lock held
static void wake_next(struct runq *rq, struct task *t) {
    trace_about(&t->thread, TRACE_WAKE, t->thread.tid, rq->hart);
    store_release(&t->state, (u32)TASK_RUNNING);
    sched_enqueue_moved(rq, t, TASK_WAKES);
    if (rq->nr_rt == 0 && (rq->nr_running <= 2 || rq->clock - rq->chosen_at < HAND_OVER_FOR))
        rq->next = t;
}

// Those who hand the hart to each other would keep it for ever: their class is asked after
// HAND_OVER_FOR.
void sched_hand_over(struct task *t, u32 states) {
    assert(preemptible());
    memory_fence();  // as in task_wake()
    u64 flags = irq_save();
    bool pulled = READ_ONCE(t->hart) != hart_id() && pull_sleeper(t, states);
    struct runq *rq = lock_this_queue();
    bool direct = pulled || (t->hart == rq->hart && t->state & states && !t->se.queued &&
                             allowed(t, rq->hart));
    if (likely(direct)) {
        wake_next(rq, t);
        switch_away(rq, false);
    } else {
        irqlock_release_irqs_off(&rq->lock);
    }
    preempt_enable_no_check();
    irq_restore(flags);
    if (unlikely(!direct)) {
        task_wake(t, states);
        schedule();
    }
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

// A waker that found current asleep a moment ago, with the queue's lock held, may be about to store
// RUNNING; taking the lock lets it finish, so that its store does not bring the dead back.
void sched_mark_dead(u32 state) {
    u64 flags = irq_save();
    struct runq *rq = sched_lock_task(current);
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
    // To whom? If we are moved here, the answer is of the hart that we left: then somebody else had the turn.
    if (READ_ONCE(data_race(this_hart(runq))->nr_running) == 1)
        return;
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
    sched_update_current(rq);
    struct sched_entity *se = &rq->running->se;
    if (se->class->tick(rq, se))
        atomic_or(&rq->running->thread.work, WORK_RESCHED);
    else
        arm_tick(rq);
    irqlock_release_irqs_off(&rq->lock);
}

static void charge_system(struct runq *rq, struct task *t, u64 ns) {
    WRITE_ONCE(t->stime, t->stime + ns);
    WRITE_ONCE(rq->system, rq->system + ns);
}

void sched_charge_system(u64 ns) {
    u64 flags = irq_save();
    charge_system(this_hart(runq), current, ns);
    irq_restore(flags);
}

// Is t in a system call that counts its time itself?
static bool is_counted(const struct task *t) {
    return nohz == NOHZ_FULL && t->mm && thread_trapframe(&t->thread)->cause == CAUSE_ECALL_U;
}

static void charge_side(struct runq *rq, struct task *t) {
    if (!current_thread->was_user && !is_counted(t))
        charge_system(rq, t, t->se.exec_sum - t->sampled_at);
    t->sampled_at = t->se.exec_sum;
}

// For the harts that have no ticks of their own: what this one is about to compare itself with.
static void look_after(struct runq *other) {
    if (!READ_ONCE(other->alone))
        return;
    irqlock_acquire_irqs_off(&other->lock);
    if (other->alone) {
        sched_update_current(other);
        other->running->se.class->tick(other, &other->running->se);
    }
    irqlock_release_irqs_off(&other->lock);
}

static void start_sample(struct runq *rq) {
    u32 rate = READ_ONCE(profile_rate);
    rq->alone = nohz == NOHZ_FULL && rq->nr_running == 1 && !rate;
    timer_start(&rq->sample, rq->clock + (rate        ? NSEC_PER_SEC / rate
                                          : rq->alone ? ALONE_EVERY
                                                      : SAMPLE_EVERY));
}

static void sample(struct timer *timer) {
    struct runq *rq = container_of(timer, struct runq, sample);
    struct task *moving = NULL;
    u64 awake = 0;
    if (nohz == NOHZ_FULL && READ_ONCE(rq->nr_running) > 1)
        for_each_hart (h)
            look_after(runq_of(h));
    irqlock_acquire_irqs_off(&rq->lock);
    sched_update_current(rq);
    struct task *t = rq->running;
    if (t != rq->idle) {
        awake = rt_sample(rq, t);
        if (unlikely(READ_ONCE(profile_rate)))
            profile_tick(current_thread->was_user);
        charge_side(rq, t);
        if (t->se.class->tick(rq, &t->se) && rq->nr_running > 1)
            sched_resched(rq);
        if (nr_harts > 1)
            moving = balance_push(rq);
    }
    if (t != rq->idle || nohz == NOHZ_OFF)
        start_sample(rq);
    u64 now = rq->clock;
    irqlock_release_irqs_off(&rq->lock);
    if (moving)
        sched_enqueue_on(moving, TASK_MOVES);
    if (awake)
        rt_limit(t->process, awake);
    load_tick(now);
}

// The sender has set WORK_RESCHED if a switch is wanted; otherwise it put a task behind the running
// one.
void ipi_interrupt(void) {
    struct runq *rq = this_hart(runq);
    irqlock_acquire_irqs_off(&rq->lock);
    sched_update_current(rq);
    arm_tick(rq);
    irqlock_release_irqs_off(&rq->lock);
}

void sched_kick(u32 hart) {
    if (hart != hart_id())
        sbi_send_ipi(hart_hartid[hart]);
}

static bool runs_where_it_may_not(struct task *t) {
    return load_acquire(&t->se.running) && !allowed(t, load_acquire(&t->hart));
}

int sched_set_affinity(struct task *t, u64 mask) {
    mask &= nr_harts == 64 ? ~0ul : (1ul << nr_harts) - 1;
    if (mask == 0)
        return -EINVAL;
    u64 flags = irq_save();
    struct runq *rq = sched_lock_task(t);
    WRITE_ONCE(t->affinity, mask);
    bool move = !allowed(t, rq->hart) && t->se.queued;
    if (move && rq->running == t) {
        sched_resched(rq);
        irqlock_release_irqs_off(&rq->lock);
    } else if (move) {
        sched_dequeue(rq, t);
        balance_leave(t, choose_hart(t));
        irqlock_release_irqs_off(&rq->lock);
        sched_enqueue_on(t, TASK_MOVES);
    } else {
        irqlock_release_irqs_off(&rq->lock);
    }
    irq_restore(flags);
    preempt_check();
    // It has been asked to leave its hart, and we may be asked to leave ours meanwhile.
    while (t != current && runs_where_it_may_not(t))
        schedule();
    return 0;
}

// ---- start ----

void sched_init_hart(u32 hart, struct task *idle) {
    struct runq *rq = runq_of(hart);
    irqlock_init(&rq->lock, RANK_RUNQ, "runq");
    rq->hart = hart;
    rq->idle = rq->running = idle;
    list_init(&rq->rr.queue);
    rt_init(rq);
    o1_init(rq);
    cfs_init(rq);
    timer_setup(&rq->tick, tick);
    timer_setup(&rq->sample, sample);
    idle->hart = hart;
    idle->affinity = 1ul << hart;
    idle->thread.perhart = hart_offset[hart];
    idle->on_hart = true;
    idle->se.class = &idle_class;
    idle->se.weight = NICE_0_WEIGHT;
    idle->se.running = true;
    idle->se.exec_start = clock_ns();
    atomic_or(&idle_harts, 1ul << hart);
}

void sched_init(void) { sched_init_hart(0, current); }
