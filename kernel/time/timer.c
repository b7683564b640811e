/*
 * Time: a counter to read, a device that interrupts once, and the timers that share it.
 *
 * clock_ns() turns the clock source's count into nanoseconds by one multiplication; its factors are
 * in a page that programs read too, so that the vDSO tells them the same time without a trap. Each
 * hart has a tree of timers ordered by expiry and programs its event device for the first of them
 * only: no timer, no interrupt. A timer belongs to the hart that started it; its handler runs there
 * with interrupts off and without the queue's lock, so it may start timers. One that waits for a
 * moment of the wall clock is put where that is now, and elsewhere when somebody sets the clock.
 * While the clock's speed is changed (slew.c) it looks once a second how far it still is. A loose
 * timer is due from its moment on, but does not interrupt before its slack is used up: it comes
 * with others.
 *
 *   timer_cancel_sync                     timer_interrupt (other hart)
 *   lock: not queued, but running == t    lock: take t off, running = t; unlock
 *   unlock; begin again                   t->fn(t)
 *                                         lock: running = NULL; unlock
 *
 * Locks: each hart's queue has an irqlock (RANK_TIMER). A timer's `hart` changes only when it is
 * started and not queued.
 * Event devices: the SBI TIME extension, or the stimecmp register where the device tree lists Sstc
 * (one instruction instead of a call of the firmware). Source: SBI Specification chapter 6; RISC-V
 * Sstc extension 1.0.
 */
#include "time/timer.h"

#include "arch/arch.h"
#include "arch/csr.h"
#include "arch/sbi.h"
#include "arch/upcall.h"
#include "arch/hart.h"
#include "sync/spin.h"
#include "time/slew.h"
#include "trace/trace.h"
#include "vdso/vdso.h"

// A hart without timers is interrupted this often all the same. Emulators that jump over idle time
// (QEMU's -icount sleep=off) go to the next event, and one that is never would be the end of time.
#define MOST_SLACK (10 * NSEC_PER_SEC)
#define LONGEST_IDLE (10 * NSEC_PER_SEC)

struct timer_queue {
    struct irqlock lock;
    struct rb_root_cached timers;  // [lock] by expires
    struct timer *running;         // [lock] whose handler is being called
    u64 programmed;                // [hart] ns for which the device is set
    u64 interrupts;                // [hart]
};
static PERHART(struct timer_queue, timer_queue) = {
    .lock = IRQLOCK_INIT(RANK_TIMER, "timer"),
    .programmed = TIME_NEVER,
};

u64 timebase_hz = 10000000;
struct vvar vvar = {.ns_per_sec =
                        NSEC_PER_SEC};  // what programs need to read the clocks themselves

static void set_stimecmp(u64 when) { __asm__ volatile("csrw 0x14d, %0" : : "r"(when)); }

static const struct clock_event sbi_event = {"SBI TIME", sbi_set_timer};
static const struct clock_event sstc_event = {"Sstc", set_stimecmp};
static const struct clock_event *event = &sbi_event;
static struct clock_source source = {"time CSR", 0, time_csr};

u64 clock_ns(void) { return vvar_ns(&vvar, source.read()); }

u64 ticks_to_ns(u64 ticks) { return vvar_ns(&vvar, ticks); }

// Of the time CSR, rounded up. In two divisions, so that nothing overflows and no bit is lost.
static u64 ns_to_ticks(u64 ns) {
    return ns / NSEC_PER_SEC * timebase_hz +
           div_round_up(ns % NSEC_PER_SEC * timebase_hz, NSEC_PER_SEC);
}

void time_init(u64 hz, bool sstc) {
    timebase_hz = source.hz = hz;
    vvar.ns_per_tick_32 = (NSEC_PER_SEC << 32) / hz;
    vvar.boot_ns = vvar_ns(&vvar, time_csr());
    event = sstc ? &sstc_event : &sbi_event;
}

void time_init_hart(void) { event->set(TIME_NEVER); }

static void program(struct timer_queue *q) {
    struct rb_node *first = rb_first_cached(&q->timers);
    u64 when = first ? rb_entry(first, struct timer, node)->expires : TIME_NEVER;
    if (when == q->programmed)
        return;
    q->programmed = when;
    event->set(ns_to_ticks(min(when, clock_ns() + LONGEST_IDLE) + vvar.boot_ns));
}

static bool earlier(const struct rb_node *a, const struct rb_node *b) {
    return rb_entry(a, struct timer, node)->expires < rb_entry(b, struct timer, node)->expires;
}

static void put_on(struct timer_queue *q, struct timer *t) {
    t->expires = moment_ns(t->moment);
    if (t->expires != TIME_NEVER)
        t->expires += t->slack;
    if (t->moment & WALL_CLOCK && load_relaxed(&vvar.slewing))
        t->expires = min(t->expires, clock_ns() + NSEC_PER_SEC);
    rb_add_cached(&t->node, &q->timers, earlier);
}

void timer_start_loose(struct timer *t, u64 moment, u64 slack) {
    timer_cancel(t);
    u64 flags = irq_save();
    struct timer_queue *q = this_hart(timer_queue);
    irqlock_acquire_irqs_off(&q->lock);
    t->moment = moment;
    t->slack = min(slack, MOST_SLACK);
    t->hart = hart_id();
    t->queued = true;
    put_on(q, t);
    if (rb_first_cached(&q->timers) == &t->node)
        program(q);
    irqlock_release_irqs_off(&q->lock);
    irq_restore(flags);
}

void timer_start(struct timer *t, u64 moment) { timer_start_loose(t, moment, 0); }

// Take t off its queue; *idle: its handler is not running. True when it was queued. Does not
// program the device: at worst it interrupts once for nothing, which is cheaper than setting it
// twice.
static bool stop(struct timer *t, bool *idle) {
    struct timer_queue *q = per_hart(timer_queue, t->hart);
    u64 flags = irqlock_acquire(&q->lock);
    bool queued = t->queued;
    if (queued) {
        rb_erase_cached(&t->node, &q->timers);
        t->queued = false;
    }
    *idle = q->running != t;
    irqlock_release(&q->lock, flags);
    return queued;
}

bool timer_cancel(struct timer *t) {
    bool idle;
    return READ_ONCE(t->queued) && stop(t, &idle);
}

bool timer_cancel_idle(struct timer *t) {
    bool idle;
    stop(t, &idle);
    return idle;
}

bool timer_cancel_sync(struct timer *t) {
    bool idle, queued = false;
    do
        queued |= stop(t, &idle);
    while (!idle);
    return queued;
}

static struct timer *take_expired(struct timer_queue *q, u64 now) {
    struct rb_node *first = rb_first_cached(&q->timers);
    struct timer *t = first ? rb_entry(first, struct timer, node) : NULL;
    if (t == NULL || t->expires - t->slack > now)
        return NULL;
    rb_erase_cached(&t->node, &q->timers);
    if (unlikely(t->moment & WALL_CLOCK) && moment_ns(t->moment) > now) {  // slewed
        put_on(q, t);
        return take_expired(q, now);
    }
    t->queued = false;
    q->running = t;
    return t;
}

void timer_interrupt(void) {
    struct timer_queue *q = this_hart(timer_queue);
    struct timer *t;
    q->interrupts++;
    irqlock_acquire_irqs_off(&q->lock);
    q->programmed = 0;
    while ((t = take_expired(q, clock_ns()))) {
        irqlock_release_irqs_off(&q->lock);
        trace(TRACE_TIMER, t->fn);
        t->fn(t);
        irqlock_acquire_irqs_off(&q->lock);
        q->running = NULL;
    }
    program(q);
    irqlock_release_irqs_off(&q->lock);
}

#ifdef CHECK_CHAOS
void time_set_mark(u64 when) { event->set(ns_to_ticks(when + vvar.boot_ns)); }

void time_wait_mark(u64 when) {
    struct timer_queue *q = this_hart(timer_queue);
    u64 wanted = csr_read(sie);
    csr_write(sie, SIE_TIMER);
    while (clock_ns() < when)
        wait_for_interrupt();
    csr_write(sie, wanted);
    irqlock_acquire_irqs_off(&q->lock);
    q->programmed = 0;
    program(q);
    irqlock_release_irqs_off(&q->lock);
}
#endif

static u64 realtime_offset(void) {
    return unlikely(load_acquire(&vvar.slewing)) ? slew_offset()
                                                 : load_relaxed(&vvar.realtime_offset);
}

// Clock and offset of one moment: what lies between two looks must not turn time back.
u64 realtime_ns(void) {
    if (unlikely(load_acquire(&vvar.slewing)))
        return slew_realtime();
    u64 now = clock_ns();
    return now + load_relaxed(&vvar.realtime_offset);
}

static struct spinlock watch_lock = SPINLOCK_INIT(RANK_CLOCK, "clock watches");
static struct list watches = LIST_INIT(watches);

void clock_watch_add(struct clock_watch *w) {
    spin_lock(&watch_lock);
    list_add_tail(&w->link, &watches);
    spin_unlock(&watch_lock);
}

void clock_watch_remove(struct clock_watch *w) {
    spin_lock(&watch_lock);
    list_del(&w->link);
    spin_unlock(&watch_lock);
}

void realtime_step(u64 ns) {
    struct clock_watch *w;
    spin_lock(&watch_lock);
    slew_step(ns);
    list_for_each (w, &watches, link)
        w->changed(w);
    spin_unlock(&watch_lock);
}

void realtime_set(u64 ns) { realtime_step(ns - realtime_ns()); }

u64 wall_moment_ns(u64 moment) {
    u64 wall = moment & ~WALL_CLOCK, offset = realtime_offset();
    return moment == TIME_NEVER ? TIME_NEVER : wall > offset ? wall - offset : 0;
}

// In two walks: who is taken off the tree is kept on a list through its node.
void timers_follow_wall_clock(void) {
    struct rb_node *next, *moved = NULL;
    u64 flags = irq_save();
    struct timer_queue *q = this_hart(timer_queue);
    irqlock_acquire_irqs_off(&q->lock);
    for (struct rb_node *n = rb_first_cached(&q->timers); n; n = next) {
        struct timer *t = rb_entry(n, struct timer, node);
        next = rb_next(n);
        if (!(t->moment & WALL_CLOCK) || t->moment == TIME_NEVER)
            continue;
        rb_erase_cached(n, &q->timers);
        n->left = moved;
        moved = n;
    }
    for (; moved; moved = next) {
        next = moved->left;
        put_on(q, rb_entry(moved, struct timer, node));
    }
    program(q);
    irqlock_release_irqs_off(&q->lock);
    irq_restore(flags);
}

const char *time_event_name(void) { return event->name; }

u64 timer_interrupts(u32 hart) { return per_hart(timer_queue, hart)->interrupts; }
