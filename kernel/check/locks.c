/*
 * CHECK=locks: locks that sleep, and how long others wait.
 *
 * Each task keeps a list of the mutexes and rwlocks that it holds. One more may be taken only if its rank (sync/rank.h) is
 * above those of all of them, or equal with a higher address; where a lock of the same rank is taken inside
 * another for a reason, as a child's inside its directory's, the code says so (write_lock_nested). Taking one with a
 * spinning lock held is an error even if nobody would have had to wait. A task that goes back to user code must
 * hold nothing.
 *
 * With a bound (boot argument hold=MICROSECONDS, /proc/xv39/hold) it is also an error to hold a spinning lock, or to
 * have interrupts off, longer than that: measured with the time CSR from who took it to who gives it back. A
 * virtual machine's host may stop a hart at any moment; only with QEMU's -icount is the time that of the instructions.
 *
 * hold=watch bounds nothing, but keeps the longest: of each lock, of interrupts off, and of not being preemptible, where that began
 * and ended (/proc/xv39/longest). That is what a real-time task may have to wait for.
 *
 * A task's list is its own, a hart's measurements are its own with interrupts off: no locks. The table of the longest has a
 * flag; a hart that finds it taken forgets what it has measured.
 */
#include "check/locks.h"

#include "abi/errno.h"
#include "arch/arch.h"
#include "arch/hart.h"
#include "arch/upcall.h"
#include "fs/proc.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "proc/proc.h"

u32 hold_us;

void locks_complain(u64 pc, const void *frame, const char *title, const struct callers *taken,
                    const char *fmt, ...) {
    char what[160], by[64];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    hold_us = 0;
    oops_begin();
    kprintf("\noops: locks: %s, hart %u, task %s\n", what, hart_id(), current->name);
    snprintf(by, sizeof by, "%s by", title ? title : "");
    if (taken)
        callers_print(by, taken);
    check_panic("locks", what, pc, frame);
}

#define COMPLAIN(title, taken, ...)                                                                \
    locks_complain((u64)__builtin_return_address(0), __builtin_frame_address(0), title, taken,     \
                   __VA_ARGS__)

// ---- locks that sleep ----

void sleeping_lock_wanted(const void *lock, u32 rank, const char *name) {
    const struct sleeping_locks *held = &current->sleeping_locks;
    if (!preemptible())
        COMPLAIN(NULL, NULL, "%s may sleep, but a spinning lock is held", name);
    for (u32 i = 0; i < held->n; i++) {
        const __typeof__(held->at[0]) *h = &held->at[i];
        if (h->lock == lock)
            COMPLAIN("taken first", &h->taken, "%s taken twice", name);
        if (h->rank > rank || (h->rank == rank && h->lock > lock))
            COMPLAIN(h->name, &h->taken,
                     "order: taking %s (rank %u.%u) while holding %s (rank %u.%u)", name, rank / 4,
                     rank % 4, h->name, h->rank / 4, h->rank % 4);
    }
}

void sleeping_lock_taken(const void *lock, u32 rank, const char *name) {
    struct sleeping_locks *held = &current->sleeping_locks;
    if (held->n == ARRAY_SIZE(held->at))
        COMPLAIN(held->at[0].name, &held->at[0].taken, "more than %u locks held", held->n);
    __typeof__(held->at[0]) *h = &held->at[held->n++];
    h->lock = lock;
    h->name = name;
    h->rank = rank;
    callers_take(&h->taken, __builtin_frame_address(0));
}

static u32 find_held(const struct sleeping_locks *held, const void *lock) {
    u32 i = 0;
    while (i < held->n && held->at[i].lock != lock)
        i++;
    return i;
}

void sleeping_lock_dropped(const void *lock, const char *name) {
    struct sleeping_locks *held = &current->sleeping_locks;
    u32 i = find_held(held, lock);
    if (i == held->n)
        COMPLAIN(NULL, NULL, "%s released by a task that does not hold it", name);
    held->at[i] = held->at[--held->n];
}

bool sleeping_lock_is_mine(const void *lock) {
    return find_held(&current->sleeping_locks, lock) < current->sleeping_locks.n;
}

void locks_back_to_user(void) {
    const struct sleeping_locks *held = &current->sleeping_locks;
    assert_no_locks();
    if (!preemptible())
        COMPLAIN(NULL, NULL, "preempt count is %u on return to user code",
                 current_thread->preempt_count);
    if (held->n)
        COMPLAIN(held->at[0].name, &held->at[0].taken, "%s held on return to user code",
                 held->at[0].name);
}

// ---- how long ----

// The longest of each kind, the worst first.
#define KEPT 24
static struct longest {
    const char *what;
    u64 ticks;
    u64 ended;  // at this pc
    struct callers began;
} longest[KEPT];
static u32 longest_busy;  // [a] guards them

static void remember(const struct longest *l) {
    u32 i = 0;
    while (i < KEPT - 1 && longest[i].what && longest[i].what != l->what)
        i++;
    if (longest[i].ticks >= l->ticks)
        return;
    for (; i > 0 && longest[i - 1].ticks < l->ticks; i--)
        longest[i] = longest[i - 1];
    longest[i] = *l;
}

static void watch(u64 since, const char *what, const struct callers *began, u64 pc) {
    struct longest l = {what, time_csr() - since, pc, *began};
    u64 flags = irq_save();
    if (since && __atomic_exchange_n(&longest_busy, 1, __ATOMIC_ACQUIRE) == 0) {
        remember(&l);
        __atomic_store_n(&longest_busy, 0, __ATOMIC_RELEASE);
    }
    irq_restore(flags);
}

static void show_longest(struct printer *p) {
    for (u32 i = 0; i < KEPT && longest[i].what; i++) {
        u64 offset;
        const char *name = symbol_name(longest[i].ended, &offset);
        printer_printf(p, "%lu us: %s, until %s+0x%lx\n", longest[i].ticks * 1000000 / timebase_hz,
                       longest[i].what, name, offset);
        callers_show(p, &longest[i].began);
    }
}

void hold_check(u64 since, const char *what, const struct callers *taken, u64 pc,
                const void *frame) {
    u64 us = (time_csr() - since) * 1000000 / timebase_hz;
    if (hold_us == HOLD_WATCH)
        watch(since, what, taken, pc);
    else if (hold_us && since && us > hold_us)
        locks_complain(pc, frame, what, taken, "%s for %lu us, more than %u", what, us, hold_us);
}

struct irqs_off {
    u64 since;  // [hart, interrupts off] ticks; 0: unknown
    struct callers by;
};
static PERHART(struct irqs_off, irqs_off);

void irqs_went_off(void) {
    struct irqs_off *off = this_hart(irqs_off);
    callers_take(&off->by, __builtin_frame_address(0));
    off->since = time_csr();
}

void irqs_go_on(void) {
    struct irqs_off *off = this_hart(irqs_off);
    u64 since = off->since;
    off->since = 0;
    hold_check(since, "interrupts off", &off->by, (u64)__builtin_return_address(0),
               __builtin_frame_address(0));
}

struct preempt_off {
    u64 since;              // [hart, not preemptible] ticks; 0: unknown
    struct thread *thread;  // whose: a dying one never goes on
    struct callers by;
};
static PERHART(struct preempt_off, preempt_off);

void preemption_went_off(void) {
    struct preempt_off *off = this_hart(preempt_off);
    callers_take(&off->by, __builtin_frame_address(0));
    off->thread = current_thread;
    off->since = time_csr();
}

void preemption_goes_on(void) {
    struct preempt_off *off = this_hart(preempt_off);
    u64 since = off->since;
    off->since = 0;
    if (since && off->thread == current_thread)
        watch(since, "not preemptible", &off->by, (u64)__builtin_return_address(0));
}

// ---- the bound ----

int hold_set(const char *text) {
    u64 us = HOLD_WATCH;
    bool watched = text && strcmp(text, "watch") == 0;
    if (!watched && (!text || parse_u64(text, &us) || us > 100000000))
        return -EINVAL;
    if (watched)
        memset(longest, 0, sizeof(longest));
    WRITE_ONCE(hold_us, (u32)us);
    return 0;
}

static void show_hold(struct printer *p) {
    if (hold_us == HOLD_WATCH)
        printer_printf(p, "watch\n");
    else
        printer_printf(p, "%u\n", hold_us);
}
static int write_hold(const char *text, size_t n) {
    (void)n;
    return hold_set(text);
}
void locks_init(void) {
    proc_add("xv39/hold", 0600, show_hold, write_hold);
    proc_add("xv39/longest", 0400, show_longest, NULL);
}
