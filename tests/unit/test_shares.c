// with: harts.h sched/core.c sched/balance.c sched/policy.c sched/cfs.c sched/o1.c sched/rr.c sched/rt.c sched/idle.c sched/rtlimit.c lib/rbtree.c lib/string.c lib/bitmap.c
/*
 * Who gets how much of several harts: the scheduler itself, on simulated harts whose interrupts come when they should, give or take
 * 20 us. Nothing here depends on the host. (user/usertests/scheduling.c measures the same on a machine, where the host stops
 * harts as it likes.)
 */
#include "unit.h"

#include "lib/string.h"
#include "proc/proc.h"
#include "sched/internal.h"
#include "vdso/vdso.h"

#define MOST 64
#define TICK 100  // ns of the time CSR
#define LATE (20 * NSEC_PER_USEC)

u32 nr_harts, sim_hart, profile_rate;
u64 hart_hartid[SIM_HARTS], hart_offset[SIM_HARTS], sim_ticks, timebase_hz = NSEC_PER_SEC / TICK;
struct thread *current_thread;
struct vvar vvar = {.ns_per_tick_32 = (u64)TICK << 32};

/* ---- what the scheduler calls */

static struct timer *timers[2 * SIM_HARTS];
static bool interrupted[SIM_HARTS];

u64 clock_ns(void) { return sim_ticks * TICK; }

bool timer_cancel(struct timer *t) {
    bool queued = t->queued;
    for (u32 i = 0; queued && i < ARRAY_SIZE(timers); i++)
        if (timers[i] == t)
            timers[i] = NULL;
    t->queued = false;
    return queued;
}

void timer_start(struct timer *t, u64 moment) {
    u32 i = 0;
    timer_cancel(t);
    while (timers[i])
        i++;
    timers[i] = t;
    t->queued = true;
    t->expires = moment;
    t->moment = max(moment, clock_ns()) + rnd_below(LATE);
    t->hart = sim_hart;
}

void sbi_send_ipi(u64 hartid) { interrupted[hartid] = true; }
struct thread *context_switch(struct thread *prev, struct thread *next) {
    current_thread = next;
    return prev;
}
void mm_switch(struct task *prev, struct task *next) { (void)prev, (void)next; }
void fpu_switch_out(struct thread *t) { (void)t; }
void fpu_switch_in(struct thread *t) { (void)t; }
void task_put(struct task *t) { ref_put(&t->ref); }
const char *task_state_name(u32 state) { return state ? "S" : "R"; }
void lock_spin(struct lock *l) { panic("a lock at %p is held by the only thread there is", l); }
void signal_process(struct process *p, int sig) { (void)p, (void)sig; }
void trace_write(u32 event, ...) { (void)event; }
void load_tick(u64 now) { (void)now; }
void profile_tick(bool user) { (void)user; }

/* ---- the machine */

static struct task idle[SIM_HARTS], tasks[MOST];
static u32 nr_added;

static struct task *new_task(struct task *t) {
    static u64 stack = STACK_CANARY;
    *t = (struct task){.kernel_stack = &stack, .affinity = ~0ul, .state = TASK_NEW};
    ref_init(&t->ref);
    t->thread.preempt_count = 2; /* as one that was switched away from */
    t->se.class = fair_class;
    t->se.home = NO_HART;
    return t;
}

static void be(u32 hart) {
    sim_hart = hart;
    current_thread = &runq_of(hart)->running->thread;
}

/* The way out of an interrupt; an idle hart looks for work, as in sched_idle_loop(). */
static void leave(void) {
    struct runq *rq = runq_of(sim_hart);
    while (READ_ONCE(current_thread->work) & WORK_RESCHED)
        preempt_from_interrupt();
    if (rq->running == rq->idle) {
        current_thread->preempt_count++;
        irqlock_acquire_irqs_off(&rq->lock);
        bool work = (nr_harts > 1 && balance_pull(rq)) || rq->nr_running;
        irqlock_release_irqs_off(&rq->lock);
        current_thread->preempt_count--;
        if (work)
            schedule();
    }
}

static void boot(u32 harts, const char *class) {
    nr_harts = harts;
    nr_added = 0;
    memset(timers, 0, sizeof(timers));
    CHECK(sched_choose_fair(class) == 0);
    for (u32 h = 0; h < harts; h++) {
        sim_hart = h;
        hart_hartid[h] = h;
        memset(runq_of(h), 0, sizeof(struct runq));
        new_task(&idle[h])->thread.preempt_count = 0;
        sched_init_hart(h, &idle[h]);
    }
}

/* One more that computes for ever. */
static struct task *add_as(const struct sched_params *p) {
    struct task *t = new_task(&tasks[nr_added++]);
    be(rnd_below(nr_harts));
    sched_change(t, p, 0);
    sched_start(t);
    leave();
    return t;
}

static struct task *add(s8 nice) { return add_as(&(struct sched_params){.nice = nice}); }

static struct timer *next_timer(u64 until) {
    struct timer *first = NULL;
    for (u32 i = 0; i < ARRAY_SIZE(timers); i++)
        if (timers[i] && timers[i]->moment <= until &&
            (!first || timers[i]->moment < first->moment))
            first = timers[i];
    return first;
}

static bool answer_interrupts(void) {
    bool any = false;
    for (u32 h = 0; h < nr_harts; h++)
        if (interrupted[h]) {
            interrupted[h] = false;
            any = true;
            be(h);
            ipi_interrupt();
            leave();
        }
    return any;
}

static void run(u64 ns) {
    u64 until = clock_ns() + ns;
    for (;;) {
        struct timer *t;
        while (answer_interrupts())
            ;
        if (!(t = next_timer(until)))
            break;
        sim_ticks = max(sim_ticks, div_round_up(t->moment, TICK));
        be(t->hart);
        timer_cancel(t);
        t->fn(t);
        leave();
    }
    sim_ticks = max(sim_ticks, until / TICK);
}

/* What each gets of so much time. */
static void measure(u64 ns, u64 *got) {
    for (u32 i = 0; i < nr_added; i++)
        got[i] = sched_task_runtime(&tasks[i]);
    run(ns);
    for (u32 i = 0; i < nr_added; i++)
        got[i] = sched_task_runtime(&tasks[i]) - got[i];
}

/* ---- shares */

/* By how many thousandths of what is due, or, if that is little, of a tenth of a hart. */
static u64 off(u64 got, u64 due, u64 ns) {
    return (got > due ? got - due : due - got) * 1000 / max(due, ns / 10);
}

/* What is due to each of a hart's time ns, by weights; but to none more than one hart. */
static void due_by_weight(u64 ns, u64 *due) {
    u64 left = ns * nr_harts, weight = 0, before;
    for (u32 i = 0; i < nr_added; i++) {
        weight += tasks[i].se.weight;
        due[i] = 0;
    }
    do {
        before = left;
        for (u32 i = 0; i < nr_added; i++)
            if (due[i] == 0 && left * tasks[i].se.weight / weight >= ns) {
                due[i] = ns;
                left -= ns;
                weight -= tasks[i].se.weight;
            }
    } while (left != before);
    for (u32 i = 0; i < nr_added; i++)
        if (due[i] == 0)
            due[i] = left * tasks[i].se.weight / weight;
}

/* The worst of all, in so many seconds after the first one. */
static u64 worst_share(u64 seconds) {
    u64 got[MOST], due[MOST], worst = 0, ns = seconds * NSEC_PER_SEC;
    run(NSEC_PER_SEC);
    measure(ns, got);
    due_by_weight(ns, due);
    for (u32 i = 0; i < nr_added; i++)
        worst = max(worst, off(got[i], due[i], ns));
    return worst;
}

static void fair(const char *class, u64 seconds) {
    for (u32 harts = 2; harts <= 8; harts *= 2)
        for (u32 n = harts + 1; n <= 4 * harts; n++) {
            boot(harts, class);
            for (u32 i = 0; i < n; i++)
                add(0);
            u64 worst = worst_share(seconds);
            if (!CHECK(worst <= 50))
                host_printf("# %s, %u tasks on %u harts: %lu\n", class, n, harts, worst);
        }
}

static void weights_of(u32 harts) {
    for (u32 try = 0; try < 50; try++) {
        boot(harts, "cfs");
        u32 n = harts + 1 + rnd_below(3 * harts);
        for (u32 i = 0; i < n; i++)
            add((s8)(rnd_below(40) - 20));
        u64 worst = worst_share(10);
        if (!CHECK(worst <= 20))
            host_printf("# %u tasks on %u harts: %lu\n", n, harts, worst);
    }
}

static void cfs_is_fair(void) { fair("cfs", 10); }
static void rr_is_fair(void) { fair("rr", 10); }
/* In 10 s one of 32 tasks has no more than 25 slices: two of them are 8 %. */
static void o1_is_fair(void) { fair("o1", 30); }
static void weights_on_one_hart(void) { weights_of(1); }
static void weights_on_two_harts(void) { weights_of(2); }
static void weights_on_four_harts(void) { weights_of(4); }

/* ---- the examples in the cards of the classes, all on one hart; ms */

/* Boot, and so many that compute. */
static void hogs(const char *class, u32 n) {
    boot(1, class);
    for (u32 i = 0; i < n; i++)
        add(0);
    run(NSEC_PER_SEC);
}

/* t, which runs, sleeps so long, wakes, and waits for the hart. */
static u64 wait_after_sleep(struct task *t, u64 ms) {
    u64 woken;
    while (runq_of(0)->running != t)
        run(10 * NSEC_PER_USEC);
    be(0);
    t->state = TASK_INTERRUPTIBLE;
    schedule();
    run(ms * NSEC_PER_MSEC);
    be(0);
    task_wake(t, TASK_INTERRUPTIBLE);
    leave();
    for (woken = clock_ns(); runq_of(0)->running != t;)
        run(10 * NSEC_PER_USEC);
    return (clock_ns() - woken) / NSEC_PER_MSEC;
}

/* The longest time that t, which never sleeps, was off the hart in ten seconds. */
static u64 longest_wait(struct task *t) {
    u64 worst = 0, wait = 0;
    for (u64 end = clock_ns() + 10 * NSEC_PER_SEC; clock_ns() < end;) {
        run(NSEC_PER_MSEC / 10);
        wait = runq_of(0)->running == t ? 0 : wait + 1;
        worst = max(worst, wait);
    }
    return worst / 10;
}

/* What two of these nice values have of ten seconds; the turns that the second one has a second. */
static u64 pair(const char *class, s8 first, s8 second, u64 *turns) {
    u64 got[MOST];
    boot(1, class);
    add(first);
    add(second);
    run(NSEC_PER_SEC);
    u64 before = tasks[1].nivcsw;
    measure(10 * NSEC_PER_SEC, got);
    *turns = (tasks[1].nivcsw - before) / 10;
    return got[0] / (10 * NSEC_PER_MSEC);
}

#define EXAMPLE(is, from, to) example(is, #is, from, to)

static void example(u64 is, const char *what, u64 from, u64 to) {
    if (!CHECK(from <= is && is <= to))
        host_printf("# %s: %lu\n", what, is);
}

static void examples_of_rr(void) {
    hogs("rr", 10);
    EXAMPLE(wait_after_sleep(add(0), 20), 90, 100);
}

static void examples_of_o1(void) {
    u64 turns;
    EXAMPLE(pair("o1", 0, 1, &turns), 505, 520);
    EXAMPLE(turns, 4, 6);
    EXAMPLE(pair("o1", 18, 19, &turns), 660, 670);
    EXAMPLE(turns, 60, 70);
    hogs("o1", 1);
    struct task *t = add(0);
    wait_after_sleep(t, 2000);
    EXAMPLE(longest_wait(&tasks[0]), 290, 310);
    hogs("o1", 20);
    EXAMPLE(longest_wait(&tasks[0]), 1900, 1901);
}

static void examples_of_cfs(void) {
    u64 turns;
    EXAMPLE(pair("cfs", 0, 1, &turns), 550, 560);
    EXAMPLE(pair("cfs", 18, 19, &turns), 540, 550);
    hogs("cfs", 40);
    EXAMPLE(longest_wait(&tasks[0]), 58, 70);
    EXAMPLE(wait_after_sleep(add(0), 20), 0, 3);
    pair("cfs", 0, 19, &turns);
    EXAMPLE(longest_wait(&tasks[1]), 95, 110);
}

static void examples_of_rt(void) {
    u64 got[MOST];
    boot(1, "cfs");
    add(0);
    add_as(&(struct sched_params){.policy = POLICY_FIFO, .rt_priority = 1});
    run(NSEC_PER_SEC);
    measure(10 * NSEC_PER_SEC, got);
    EXAMPLE(got[0] / NSEC_PER_MSEC, 400, 500);
}

int main(void) {
    RUN(cfs_is_fair);
    RUN(o1_is_fair);
    RUN(rr_is_fair);
    RUN(weights_on_one_hart);
    RUN(weights_on_two_harts);
    RUN(weights_on_four_harts);
    RUN(examples_of_rr);
    RUN(examples_of_o1);
    RUN(examples_of_cfs);
    RUN(examples_of_rt);
    return unit_result();
}
