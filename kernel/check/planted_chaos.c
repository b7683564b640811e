/*
 * Planted bugs for CHECK=chaos: each is wrong only in some interleavings, which nearly never happen by themselves. Two tasks
 * play: who wrote to /proc/xv39/plant, and a kernel thread. Each does its part ROUNDS times, then the first waits for the
 * second.
 *
 *   lost_wakeup     the condition is looked at before the task is on the queue: the two wait for each other
 *   lock_inversion  two mutexes, taken in two orders: the two wait for each other
 *   stale_lookup    the reference is taken after the lock of the table is gone: the object may be gone too
 */
#include "check/planted.h"

#include "mm/slab.h"
#include "proc/life.h"
#include "sync/block.h"

#define ROUNDS 10

// Run other(arg) in a thread of its own beside mine(); returns when both are through.
static struct completion other_done;
static void (*other_part)(void);

static void run_other(void *arg) {
    (void)arg;
    other_part();
    complete(&other_done);
}

static void both(void (*mine)(void), void (*other)(void)) {
    completion_init(&other_done);
    other_part = other;
    if (!kthread_run(run_other, NULL, "planted"))
        return;
    mine();
    completion_wait(&other_done);
}

// ---- a letter box for one letter

static bool letter;
static struct waitq letter_box = WAITQ_INIT(letter_box);

static void take_letters(void) {
    for (u32 i = 0; i < ROUNDS; i++) {
        struct waiter w;
        waiter_init(&w);
        while (!load_acquire(&letter)) {  // wrong
            waitq_prepare(&letter_box, &w, TASK_UNINTERRUPTIBLE, "letter");
            schedule();
            waitq_finish(&letter_box, &w);
        }
        store_release(&letter, false);
        wake_all(&letter_box);
    }
}

static void give_letters(void) {
    for (u32 i = 0; i < ROUNDS; i++) {
        wait_event(&letter_box, !load_acquire(&letter), "box");
        store_release(&letter, true);
        wake_all(&letter_box);
    }
}

static void plant_lost_wakeup(void) { both(take_letters, give_letters); }

// ---- two accounts

static struct mutex here = MUTEX_INIT(here, RANK_SETTING, "here"),
                    there = MUTEX_INIT(there, RANK_SETTING, "there");
static u64 money_here = ROUNDS, money_there = ROUNDS;

static void pay_there(void) {
    for (u32 i = 0; i < ROUNDS; i++) {
        mutex_lock(&here);
        mutex_lock(&there);
        money_here--;
        money_there++;
        mutex_unlock(&there);
        mutex_unlock(&here);
    }
}

static void pay_here(void) {
    for (u32 i = 0; i < ROUNDS; i++) {
        mutex_lock(&there);
        mutex_lock(&here);  // wrong
        money_here++;
        money_there--;
        mutex_unlock(&here);
        mutex_unlock(&there);
    }
}

static void plant_lock_inversion(void) { both(pay_there, pay_here); }

// ---- a table with one place

struct thing {
    struct ref ref;
    u32 uses;
};
static struct spinlock table_lock = SPINLOCK_INIT(RANK_INODE_HASH, "planted table");
static struct thing *the_thing;  // [table_lock] holds a reference

static void thing_put(struct thing *t) {
    if (t && ref_put(&t->ref))
        kfree(t);
}

static void use_thing(void) {
    spin_lock(&table_lock);
    struct thing *t = the_thing;
    spin_unlock(&table_lock);
    if (!t)
        return;
    ref_get(&t->ref);  // wrong
    t->uses++;
    thing_put(t);
}

static void use_things(void) {
    for (u32 i = 0; i < ROUNDS; i++)
        use_thing();
}

static void exchange_thing(struct thing *new) {
    spin_lock(&table_lock);
    struct thing *old = the_thing;
    the_thing = new;
    spin_unlock(&table_lock);
    thing_put(old);
}

static void exchange_things(void) {
    for (u32 i = 0; i < ROUNDS; i++) {
        struct thing *t = kzalloc(sizeof *t);
        if (t)
            ref_init(&t->ref);
        exchange_thing(t);
    }
    exchange_thing(NULL);
}

static void plant_stale_lookup(void) { both(use_things, exchange_things); }

const struct planted chaos_bugs[] = {
    {"lost_wakeup", plant_lost_wakeup},
    {"lock_inversion", plant_lock_inversion},
    {"stale_lookup", plant_stale_lookup},
    {},
};
