/*
 * The profile: where in the kernel the tick finds a hart.
 *
 * While it is on, the tick comes `profile_rate` times a second to every hart that has work, and
 * counts the instruction that it interrupted: for the kernel by address, GRAIN bytes to a counter,
 * for programs all together. After enough ticks the counters are in the ratio of the time that was
 * spent there. Code that runs with interrupts off is never found: its time goes to where they are
 * turned on.
 *
 * The counters are made when it is first turned on, and stay. They are added to from interrupts, so
 * all accesses are atomic; whoever reads them while it is on gets them from moments that lie close
 * together. `lock` keeps those who turn it on from each other. Modelled on Linux's /proc/profile
 * (readprofile(8)), which has it from the BSDs; here it is text, read by the program `profile`.
 */
#include "sched/profile.h"

#include "abi/errno.h"
#include "arch/arch.h"
#include "arch/csr.h"
#include "lib/printf.h"
#include "mm/slab.h"
#include "sync/spin.h"

#define GRAIN 8
#define MOST_A_SECOND 10000

u32 profile_rate;
static u32 *counters;  // [a] one for each GRAIN bytes of kernel text, then one for programs
static struct spinlock lock = SPINLOCK_INIT(RANK_PROFILE, "profile");

static u64 text_counters(void) { return ((u64)text_end - (u64)kernel_start) / GRAIN; }

void profile_tick(bool user) {
    u64 at = (csr_read(sepc) - (u64)kernel_start) / GRAIN;
    u32 *c = load_acquire(&counters);
    if (c && (user || at < text_counters()))
        atomic_add_relaxed(&c[user ? text_counters() : at], 1u);
}

static int make_counters(void) {
    u32 *fresh = load_acquire(&counters) ? NULL : kzalloc((text_counters() + 1) * sizeof(*fresh));
    if (!fresh)
        return counters ? 0 : -ENOMEM;
    spin_lock(&lock);
    if (!counters) {
        store_release(&counters, fresh);
        fresh = NULL;
    }
    spin_unlock(&lock);
    kfree(fresh);
    return 0;
}

int profile_set(u64 rate) {
    int error = rate > MOST_A_SECOND ? -EINVAL : rate ? make_counters() : 0;
    if (error)
        return error;
    spin_lock(&lock);
    for (u64 i = 0; rate && i <= text_counters(); i++)
        WRITE_ONCE(counters[i], 0);
    WRITE_ONCE(profile_rate, (u32)rate);
    spin_unlock(&lock);
    return 0;
}

void profile_show(struct printer *p) {
    const u32 *c = load_acquire(&counters);
    printer_printf(p, "rate %u\n", READ_ONCE(profile_rate));
    if (!c)
        return;
    printer_printf(p, "user %u\n", READ_ONCE(c[text_counters()]));
    for (u64 i = 0; i < text_counters(); i++)
        if (READ_ONCE(c[i]))
            printer_printf(p, "%016lx %u\n", (u64)kernel_start + i * GRAIN, READ_ONCE(c[i]));
}
