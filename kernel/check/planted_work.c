/*
 * Kernel threads and work queues, asked from inside (usertests T9_*): no bugs, but what goes wrong is a panic.
 *
 *   thread_start, thread_stop   a thread that sleeps until it is stopped
 *   works                       order, no work twice, work_flush(), work_cancel(), on hart 0's queue
 *   softwork                    TURNS works, each added by the handler of a timer, run in this hart's ksoftirqd
 */
#include "arch/csr.h"
#include "check/planted.h"
#include "lib/string.h"
#include "proc/life.h"
#include "sync/work.h"

#define TURNS 10

static struct waitq changed = WAITQ_INIT(changed);

static void rest(u64 ns) {
    struct waitq nobody;
    waitq_init(&nobody);
    wait_event_deadline(&nobody, false, clock_ns() + ns, "planted");
}

// ---- threads

static struct task *thread;

static void until_stopped(void *arg) {
    (void)arg;
    wait_event_interruptible(&changed, kthread_should_stop(), "planted");
}

static void plant_thread_start(void) {
    thread = kthread_create(until_stopped, NULL, "planted/0");
    assert(thread);
    sched_start(thread);
}

static void plant_thread_stop(void) { kthread_stop(thread); }

// ---- works

static u32 begun, done,
    quick_at;  // slow works begun, done; how many were done when the quick one ran

static void be_slow(struct work *w) {
    (void)w;
    atomic_add(&begun, 1);
    wake_all(&changed);
    rest(20 * NSEC_PER_MSEC);
    atomic_add(&done, 1);
}

static void be_quick(struct work *w) {
    (void)w;
    store_release(&quick_at, load_acquire(&done));
}

static void start_slow(struct workqueue *q, struct work *slow, u32 n) {
    assert(work_add(q, slow));
    wait_event(&changed, load_acquire(&begun) == n, "planted");
}

static void plant_works(void) {
    struct workqueue *q = softwork_queue(0);
    struct work slow, quick;
    work_init(&slow, be_slow);
    work_init(&quick, be_quick);
    begun = done = quick_at = 0;

    start_slow(q, &slow, 1);
    assert(work_add(q, &quick) && !work_add(q, &quick));
    assert(work_cancel(q, &quick) && !work_cancel(q, &quick));
    assert(work_add(q, &quick));
    work_flush(q, &quick);
    assert(load_acquire(&quick_at) == 1 && load_acquire(&done) == 1);

    start_slow(q, &slow, 2);
    assert(work_add(q, &slow));     // may be added again while it runs,
    assert(work_cancel(q, &slow));  // and taken back: the first run is waited for
    assert(load_acquire(&done) == 2 && load_acquire(&begun) == 2);
}

// ---- softwork

static u32 turns;
static struct work soft;

static void in_thread(struct work *w) {
    (void)w;
    assert(strncmp(current->name, "ksoftirqd/", 10) == 0 && current->thread.preempt_count == 0);
    rest(NSEC_PER_MSEC);
    atomic_add(&turns, 1);
    wake_all(&changed);
}

static void in_interrupt(struct timer *t) {
    (void)t;
    softwork(&soft);
}

static void plant_softwork(void) {
    struct timer timer = TIMER_INIT(in_interrupt);
    work_init(&soft, in_thread);
    turns = 0;
    for (u32 n = 0; n < TURNS; n++) {
        timer_start(&timer, clock_ns() + NSEC_PER_MSEC);
        wait_event(&changed, load_acquire(&turns) > n, "planted");
    }
    timer_cancel_sync(&timer);
    rest(NSEC_PER_MSEC);  // the thread may still be on its way out of the last one
}

const struct planted work_tests[] = {
    {"thread_start", plant_thread_start},
    {"thread_stop", plant_thread_stop},
    {"works", plant_works},
    {"softwork", plant_softwork},
    {},
};
