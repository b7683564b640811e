/*
 * tlb.c: which hart may remember translations of which address space, and making it forget.
 *
 * An address space (mm) has four bit masks of harts:
 *   loaded      its root is in the hart's satp
 *   harts       and the hart runs one of its tasks; without this bit a kernel thread borrows it
 *   stale       the hart must flush before it next runs a task of it
 *   stale_code  the same for fence.i
 *
 * A shootdown reaches harts in `harts` by SBI now, and all others by `stale` later: a borrower uses
 * no user addresses. When page tables are freed it reaches all of `loaded` at once, for a hart may
 * walk tables ahead of need.
 *
 *   shootdown                       switch to the mm on hart h
 *   changes the entry               sets h in harts
 *   sets h in stale                 (fence)
 *   (fence) looks at harts          looks at stale, flushes
 * Either the shootdown sees h and interrupts it, or h sees that it is stale. Because h publishes
 * its ASID (hart_context) before it enters `harts`, the interrupt flushes the right one.
 *
 * ASIDs. mm->context is generation << 16 | ASID. Numbers of a generation are given out once; when
 * none is left, a new generation begins with ASID 1. A hart flushes everything when it first loads
 * an mm of another generation than its last one. TLBs belong to harts, so a hart that still runs an
 * mm of the old generation disturbs nobody; a shootdown flushes with the ASID that each hart has
 * loaded (hart_context), not the mm's newest one. With 0 ASID bits each change of mm flushes
 * everything.
 *
 * Locks: asid_lock, inside the run queue's. Nobody sleeps. The hart's own bits change with
 * interrupts off.
 */
#include "arch/arch.h"
#include "arch/csr.h"
#include "arch/sbi.h"
#include "mm/internal.h"
#include "mm/stats.h"
#include "arch/hart.h"

#define ASID_BITS 16
#define ASID_MASK ((1ul << ASID_BITS) - 1)
#define FLUSH_PAGES_MAX 16  // more pages are flushed as a whole address space

static struct irqlock asid_lock = IRQLOCK_INIT(RANK_ASID, "asid");
static u64 generation = 1;  // [a] changes with asid_lock held
static u64 next_asid = 1;   // [asid_lock]
static u64 asid_max;        // [I] 0: the machine has none
static u64 hart_context
    [MAX_HARTS];  // [a] context of the mm that the hart has in satp; written by the hart

static void local_flush(va_t start, va_t end, u64 asid) {
    if (end - start > FLUSH_PAGES_MAX * PAGE_SIZE) {
        tlb_flush_asid(asid);
        return;
    }
    for (va_t va = start; va < end; va += PAGE_SIZE)
        tlb_flush_page_asid(va, asid);
}

static void remote_flush(u64 harts, va_t start, va_t end) {
    bool all = end - start > FLUSH_PAGES_MAX * PAGE_SIZE;

    for_each_hart (h)
        if (harts >> h & 1) {
            sbi_remote_sfence(hart_hartid[h], all ? 0 : start, all ? ~0ul : end - start,
                              load_acquire(&hart_context[h]) & ASID_MASK);
            vm_count(remote_flushes);
        }
}

void tlb_shootdown(struct mm *mm, va_t start, va_t end, bool tables) {
    preempt_disable();
    u64 me = 1ul << hart_id();

    if (tables)
        start = 0, end = USER_TOP;
    atomic_or(&mm->stale, load_relaxed(&mm->harts) == me ? ~me : ~0ul);
    memory_fence();
    u64 harts = load_relaxed(tables ? &mm->loaded : &mm->harts);
    if (harts & me)
        local_flush(start, end, hart_context[hart_id()] & ASID_MASK);
    if (unlikely(harts & ~me))
        remote_flush(harts & ~me, start, end);
    preempt_enable();
}

// The same for one page: what a copy-on-write fault needs.
void tlb_shootdown_page(struct mm *mm, va_t addr) {
    u32 hart = hart_id();
    u64 me = 1ul << hart;

    atomic_or(&mm->stale, load_relaxed(&mm->harts) == me ? ~me : ~0ul);
    memory_fence();
    u64 harts = load_relaxed(&mm->harts);
    if (harts & me)
        tlb_flush_page_asid(addr, hart_context[hart] & ASID_MASK);
    if (unlikely(harts & ~me))
        remote_flush(harts & ~me, addr, addr + PAGE_SIZE);
}

void tlb_forget_everywhere(void) {
    preempt_disable();
    memory_fence();
    for_each_hart (h)
        if (h != hart_id()) {
            sbi_remote_sfence_all(hart_hartid[h]);
            vm_count(remote_flushes);
        }
    tlb_flush_all();
    preempt_enable();
}

static inline void fence_i_on(u64 harts) {
    if (unlikely(harts))
        for_each_hart (h)
            if (harts >> h & 1) {
                sbi_remote_fence_i(hart_hartid[h]);
                vm_count(remote_flushes);
            }
}

void tlb_new_code(struct mm *mm) {
    preempt_disable();
    u64 me = 1ul << hart_id();

    atomic_or(&mm->stale_code, ~me);
    memory_fence();
    u64 others = load_relaxed(&mm->harts) & ~me;
    __asm__ volatile("fence.i" : : : "memory");
    fence_i_on(others);
    preempt_enable();
}

// Being interrupted by the firmware, which the caller waits for, is a full barrier for a hart. One that switches to mm after
// `harts` was looked at has passed the fence in tlb_load(); one that left mm before, the locks of a switch.
void mm_barrier(struct mm *mm) {
    preempt_disable();
    memory_fence();
    fence_i_on((mm ? load_relaxed(&mm->harts) : ~0ul) & ~(1ul << hart_id()));
    memory_fence();
    preempt_enable();
}

void mm_sync_code(struct mm *mm) {
    tlb_new_code(mm);
    memory_fence();
}

// A context of the present generation for mm.
static u64 new_context(struct mm *mm) {
    irqlock_acquire_irqs_off(&asid_lock);
    u64 context = load_relaxed(&mm->context);
    if (context >> ASID_BITS != generation) {
        if (next_asid > asid_max) {
            store_release(&generation, generation + 1);
            next_asid = 1;
        }
        context = generation << ASID_BITS | next_asid++;
        store_release(&mm->context, context);
    }
    irqlock_release_irqs_off(&asid_lock);
    return context;
}

// The context to load mm with.
static u64 context_of(struct mm *mm) {
    if (!asid_max)
        return 0;
    u64 context = load_acquire(&mm->context);
    return likely(context >> ASID_BITS == load_acquire(&generation)) ? context : new_context(mm);
}

void tlb_load(struct mm *mm) {
    u32 hart = hart_id();
    u64 me = 1ul << hart, last = hart_context[hart], context = last;
    bool load = !(load_relaxed(&mm->loaded) & me), flush;

    if (load) {
        context = context_of(mm);
        store_release(&hart_context[hart], context);
        atomic_or(&mm->loaded, me);
    }
    atomic_or(&mm->harts, me);
    memory_fence();
    flush = load_relaxed(&mm->stale) & me;
    if (unlikely(flush))
        atomic_and(&mm->stale, ~me);
    if (load)
        csr_write(satp, satp_make(va_to_pa(mm->root), context & ASID_MASK));
    if (load && (!asid_max || context >> ASID_BITS != last >> ASID_BITS))
        tlb_flush_all();
    else if (unlikely(flush))
        tlb_flush_asid(context & ASID_MASK);
    if (unlikely(load_relaxed(&mm->stale_code) & me)) {
        atomic_and(&mm->stale_code, ~me);
        __asm__ volatile("fence.i" : : : "memory");
    }
}

void tlb_lazy(struct mm *mm) { atomic_and(&mm->harts, ~(1ul << hart_id())); }

void tlb_unload(struct mm *mm) {
    u64 others = ~(1ul << hart_id());

    atomic_and(&mm->harts, others);
    atomic_and(&mm->loaded, others);
}

// How many ASID bits are there: those of satp that keep a 1.
void tlb_init(void) {
    u64 irq = irq_save(), old = csr_read(satp);

    csr_write(satp, old | ASID_MASK << SATP_ASID_SHIFT);
    asid_max = csr_read(satp) >> SATP_ASID_SHIFT & ASID_MASK;
    csr_write(satp, old);
    tlb_flush_all();
    irq_restore(irq);
}
