/*
 * Planted mistakes with locks, for CHECK=locks. The long holds need a bound below 20 ms (hold=).
 */
#include "arch/csr.h"
#include "arch/upcall.h"
#include "check/planted.h"
#include "sync/block.h"

#define LONG_MS 20

static struct spinlock low = SPINLOCK_INIT(RANK_FILES, "low");
static struct spinlock high = SPINLOCK_INIT(RANK_FS, "high");
static struct spinlock equal[2] = {SPINLOCK_INIT(RANK_FS, "equal 0"),
                                   SPINLOCK_INIT(RANK_FS, "equal 1")};
static struct mutex outer = MUTEX_INIT(outer, RANK_TTY, "outer");
static struct mutex inner = MUTEX_INIT(inner, RANK_MM, "inner");

static void take_long(void) {
    u64 end = time_csr() + timebase_hz * LONG_MS / 1000;
    while (time_csr() < end)
        ;
}

static void plant_spin_order(void) {
    spin_lock(&high);
    spin_lock(&low);  // wrong
    spin_unlock(&low);
    spin_unlock(&high);
}

static void plant_spin_address(void) {
    spin_lock(&equal[1]);
    spin_lock(&equal[0]);  // wrong
    spin_unlock(&equal[0]);
    spin_unlock(&equal[1]);
}

static void plant_spin_twice(void) {
    spin_lock(&low);
    spin_lock(hide(&low));  // wrong
}

static void plant_spin_release(void) {
    spin_lock(&low);
    spin_unlock(&low);
    spin_unlock(hide(&low));  // wrong
}

static void plant_sleep_mutex(void) {
    spin_lock(&low);
    mutex_lock(&outer);  // wrong
    mutex_unlock(&outer);
    spin_unlock(&low);
}

static void plant_sleep_schedule(void) {
    spin_lock(&low);
    schedule();  // wrong
    spin_unlock(&low);
}

static void plant_mutex_order(void) {
    mutex_lock(&inner);
    mutex_lock(&outer);  // wrong
    mutex_unlock(&outer);
    mutex_unlock(&inner);
}

static void plant_mutex_twice(void) {
    mutex_lock(&outer);
    mutex_lock(hide(&outer));  // wrong
}

static void plant_hold_spin(void) {
    spin_lock(&low);
    take_long();
    spin_unlock(&low);  // wrong
}

static void plant_hold_irqs(void) {
    u64 flags = irq_save();
    take_long();
    irq_restore(flags);  // wrong
}

static void plant_keep_spin(void) {
    spin_lock(&low);  // wrong
}

static void plant_keep_mutex(void) {
    mutex_lock(&outer);  // wrong
}

const struct planted locks_bugs[] = {
    {"spin_order", plant_spin_order},
    {"spin_address", plant_spin_address},
    {"spin_twice", plant_spin_twice},
    {"spin_release", plant_spin_release},
    {"sleep_mutex", plant_sleep_mutex},
    {"sleep_schedule", plant_sleep_schedule},
    {"mutex_order", plant_mutex_order},
    {"mutex_twice", plant_mutex_twice},
    {"hold_spin", plant_hold_spin},
    {"hold_irqs", plant_hold_irqs},
    {"keep_spin", plant_keep_spin},
    {"keep_mutex", plant_keep_mutex},
    {},
};
