/*
 * Planted data races, for CHECK=race. Each runs two functions TURNS times in kernel threads on two harts and waits for
 * their end. The names that end in _ok do the same work as it should be done: nothing may be reported of them.
 */
#include "check/planted.h"

#include "arch/arch.h"
#include "arch/hart.h"
#include "check/race.h"
#include "lib/atomic.h"
#include "proc/life.h"
#include "sync/spin.h"

#define TURNS 1000000

static struct spinlock lock = SPINLOCK_INIT(RANK_FS, "planted");
static u64 counter;      // [lock]
static u64 limit;        // [lock]
static u64 ready;        // [a]
static u64 hint;         // [a] but for data_race()
static u32 ready_to_go;  // [a] threads
static volatile u64 sink;

struct worker {
    void (*turn)(u64 n);
    struct task *task;
};

static void work(void *arg) {
    const struct worker *w = arg;
    atomic_add(&ready_to_go, 1);
    while (load_acquire(&ready_to_go) < 2)
        ;
    for (u64 n = 1; n <= TURNS; n++)
        w->turn(n);
}

static void on_two_harts(void (*one)(u64), void (*other)(u64)) {
    WRITE_ONCE(ready_to_go, 0);
    struct worker workers[] = {{.turn = one}, {.turn = other}};
    for (u32 i = 0; i < 2; i++) {
        struct task *t = kthread_create(work, &workers[i], "planted/%u", i);
        if (t == NULL)
            panic("no memory for planted bugs");
        t->affinity = 1ul << ((hart_id() + 1 + i) % nr_harts);
        workers[i].task = t;
    }
    for (u32 i = 0; i < 2; i++)
        sched_start(workers[i].task);
    for (u32 i = 0; i < 2; i++)
        kthread_stop(workers[i].task);
}

// ---- a counter without a lock ----

static void count(u64 n) {
    (void)n;
    counter++;  // wrong
}

static void count_locked(u64 n) {
    (void)n;
    spin_lock(&lock);
    counter++;
    spin_unlock(&lock);
}

static void plant_race_counter(void) { on_two_harts(count, count); }

static void plant_race_counter_ok(void) { on_two_harts(count_locked, count_locked); }

// ---- a flag that another hart waits for ----

static void publish(u64 n) {
    ready = n;  // wrong
}

static void notice(u64 n) {
    sink = ready >= n;  // wrong
}

static void publish_marked(u64 n) { store_release(&ready, n); }

static void notice_marked(u64 n) { sink = load_acquire(&ready) >= n; }

static void plant_race_flag(void) { on_two_harts(publish, notice); }

static void plant_race_flag_ok(void) { on_two_harts(publish_marked, notice_marked); }

// ---- written under the lock, read without it ----

static void set_limit(u64 n) {
    spin_lock(&lock);
    limit = n;
    spin_unlock(&lock);
}

static void look_at_limit(u64 n) {
    sink = limit == n;  // wrong
}

static void look_at_limit_locked(u64 n) {
    spin_lock(&lock);
    sink = limit == n;
    spin_unlock(&lock);
}

static void plant_race_limit(void) { on_two_harts(set_limit, look_at_limit); }

static void plant_race_limit_ok(void) { on_two_harts(set_limit, look_at_limit_locked); }

// ---- a marked access against a plain one; and one that is said to be harmless ----

static void bump_hint(u64 n) { store_relaxed(&hint, n); }

static void read_hint(u64 n) {
    sink = hint == n;  // wrong
}

static void read_hint_harmless(u64 n) { sink = data_race(hint) == n; }

static void plant_race_hint(void) { on_two_harts(bump_hint, read_hint); }

static void plant_race_hint_ok(void) { on_two_harts(bump_hint, read_hint_harmless); }

const struct planted race_bugs[] = {
    {"race_counter", plant_race_counter},
    {"race_counter_ok", plant_race_counter_ok},
    {"race_flag", plant_race_flag},
    {"race_flag_ok", plant_race_flag_ok},
    {"race_limit", plant_race_limit},
    {"race_limit_ok", plant_race_limit_ok},
    {"race_hint", plant_race_hint},
    {"race_hint_ok", plant_race_hint_ok},
    {},
};
