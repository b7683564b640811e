/*
 * page.c: page frames. A buddy allocator with a short list of free frames per hart in front.
 *
 * Every frame has a struct page in page_array. A block is 2^order frames, aligned to its size; only
 * the struct page of its first frame, the head, means anything. Blocks of MAX_ORDER never merge, so
 * each 4 MiB group of frames stands alone:
 *
 *   given whole     one head is written at boot; a split writes the head of the upper half. At any
 *                   time the group is cut into aligned blocks that each have a valid head. The
 *                   buddy of a block is, by alignment, such a block or cut into smaller ones: a
 *                   valid head too.
 *   given in part   its first range writes all 1024 heads, PAGE_RESERVED of order 0; then the
 *                   ranges are freed into it.
 *   not given       never looked at; its struct pages are garbage but for the first.
 *
 * So page_array needs no clearing, and 8 GiB cost 2048 heads at boot. Two blocks merge when the
 * buddy is PAGE_FREE and of the same order. Whoever frees a block frees all of it, with the order
 * it was allocated with.
 *
 * Per-hart lists hold single frames and pairs (kernel stacks), kind PAGE_USED and count 0, so that
 * the buddy code leaves them alone. They belong to their hart with interrupts off; no lock. A list
 * that is empty takes a batch from the buddies, one that is too long gives a half back. With the boot argument
 * `poison` they stay empty: each frame goes by the buddies, who overwrite it and look (poison.c).
 *
 * Locks: `buddy` is interrupt-safe and last in the lock order but for the console. page_alloc may
 * sleep in page_reclaim and page_oom unless ALLOC_ATOMIC; page_free never sleeps.
 */
#include "mm/page.h"
#include "check/fail.h"
#include "check/heap.h"
#include "check/race.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/poison.h"
#include "mm/stats.h"
#include "arch/hart.h"

#define LIST_ORDERS 2  // orders 0 and 1 have per-hart lists
#define LIST_MAX 128   // frames on one list, at most
#define BATCH 16       // blocks moved between a list and the buddies
#define GROUP (1ul << MAX_ORDER)

struct page *page_array;
u64 first_frame, end_frame, frame0;
u64 pages_total;
struct page *zero_page;
size_t (*page_reclaim)(size_t want, bool user);
bool (*page_oom)(void);

static struct {
    struct irqlock lock;              // guards the next two
    struct list free[MAX_ORDER + 1];  // of page.free.link
    u64 nr_free;                      // frames on the lists; others may read it [a]
} buddy = {.lock = IRQLOCK_INIT(RANK_BUDDY, "buddy")};

struct hart_list {
    struct list *first;  // singly linked by free.link.next
    u32 count;           // others may read it [a]
};
static struct hart_pages {
    struct hart_list list[LIST_ORDERS];
} __aligned(64) hart_pages[MAX_HARTS];
static u32 list_max = LIST_MAX;  // [a] fewer when many harts share little memory

static inline u64 frame_of(const struct page *p) { return (u64)(p - page_array) + first_frame; }
static inline struct page *frame_page(u64 frame) { return page_array + (frame - first_frame); }
static inline struct page *buddy_of(const struct page *p, unsigned order) {
    return frame_page(frame_of(p) ^ (1ul << order));
}
static inline struct page *link_page(struct list *l) {
    return list_entry(l, struct page, free.link);
}

// ---- buddies; => buddy.lock held ----

static inline void block_insert(struct page *p, unsigned order) {
    p->kind = PAGE_FREE;
    p->order = order;
    p->ref.count = 0;
    list_add(&p->free.link, &buddy.free[order]);
}

// The head of a block that is on no list and has no owner.
static inline void block_init(struct page *p, unsigned order) {
    p->kind = PAGE_USED;
    p->order = order;
    p->ref.count = 0;
}

static void buddy_free(struct page *p, unsigned order) {
    if (unlikely(memory_poison))
        poison_fill(page_va(p), PAGE_SIZE << order);
    WRITE_ONCE(buddy.nr_free, buddy.nr_free + (1ul << order));
    for (; order < MAX_ORDER; order++) {
        struct page *other = buddy_of(p, order);
        // One that has an owner changes at any time, but becomes free only with the lock.
        if (data_race(other->kind) != PAGE_FREE || data_race(other->order) != order)
            break;
        list_unlink(&other->free.link);
        if (other < p)
            p = other;
    }
    block_insert(p, order);
}

// A block of at least 2^*order frames, the smallest there is; *order becomes its order. NULL: none.
static struct page *buddy_take(unsigned *order) {
    for (unsigned o = *order; o <= MAX_ORDER; o++) {
        if (list_empty(&buddy.free[o]))
            continue;
        struct page *p = list_first(&buddy.free[o], struct page, free.link);
        list_unlink(&p->free.link);
        WRITE_ONCE(buddy.nr_free, buddy.nr_free - (1ul << o));
        *order = o;
        return p;
    }
    return NULL;
}

// Keep the lower 2^to frames of a block that was taken, give the rest back.
static void block_trim(struct page *p, unsigned order, unsigned to) {
    while (order > to) {
        order--;
        block_insert(p + (1ul << order), order);
        WRITE_ONCE(buddy.nr_free, buddy.nr_free + (1ul << order));
    }
    block_init(p, to);
}

// ---- per-hart lists; => interrupts off ----

static inline void list_push(struct hart_list *l, struct page *p) {
    p->free.link.next = l->first;
    l->first = &p->free.link;
    WRITE_ONCE(l->count, l->count + 1);
}

static inline struct page *list_pop(struct hart_list *l) {
    struct page *p = link_page(l->first);
    l->first = p->free.link.next;
    WRITE_ONCE(l->count, l->count - 1);
    return p;
}

static void list_set_max(void) {
    u64 share = pages_total / 64 / max(nr_harts, 1u);
    WRITE_ONCE(list_max, memory_poison ? 0 : share < LIST_MAX ? max((u32)share, 4u) : LIST_MAX);
}

// Put a batch on the list; fewer, or none, when only `reserve` frames are left.
static void list_refill(struct hart_list *l, unsigned order, u64 reserve) {
    u32 want = max(min((u32)BATCH, READ_ONCE(list_max) / 2), 1u);

    irqlock_acquire_irqs_off(&buddy.lock);
    list_set_max();
    while (l->count < want && buddy.nr_free > reserve) {
        unsigned got = order, keep = order;
        struct page *p = buddy_take(&got);
        if (!p)
            break;
        while (keep < got && (1u << (keep - order)) < want)
            keep++;
        block_trim(p, got, keep);
        for (struct page *end = p + (1ul << keep); p < end; p += 1ul << order) {
            block_init(p, order);
            list_push(l, p);
        }
    }
    irqlock_release_irqs_off(&buddy.lock);
}

static __attribute__((noinline)) void list_drain(struct hart_list *l, unsigned order, u32 leave) {
    irqlock_acquire_irqs_off(&buddy.lock);
    while (l->count > leave)
        buddy_free(list_pop(l), order);
    irqlock_release_irqs_off(&buddy.lock);
}

// ---- allocation ----

static inline struct page *page_hand_out(struct page *p, unsigned order) {
    p->ref.count = 1;
    p->kind = PAGE_USED;
    p->order = order;
    p->ahead = 0;
    return p;
}

// From the buddies as long as more than `reserve` frames stay free.
static struct page *alloc_above(unsigned order, u64 reserve) {
    struct page *p = NULL;
    u64 flags = irq_save();

    if (order < LIST_ORDERS) {
        struct hart_list *l = &hart_pages[hart_id()].list[order];
        if (!l->count)
            list_refill(l, order, reserve);
        if (l->count)
            p = list_pop(l);
    } else {
        irqlock_acquire_irqs_off(&buddy.lock);
        unsigned got = order;
        if (buddy.nr_free > reserve + (1ul << order))
            p = buddy_take(&got);
        if (p)
            block_trim(p, got, order);
        irqlock_release_irqs_off(&buddy.lock);
    }
    irq_restore(flags);
    if (unlikely(p && memory_poison))
        poison_verify(page_va(p), PAGE_SIZE << order);
    return p;
}

static u64 reserve_pages(void) {
    u64 reserve = pages_total / 128;
    return reserve < 64 ? 64 : reserve > 2048 ? 2048 : reserve;
}

// This hart's lists back to the buddies: their frames may complete larger blocks.
static void drain_own_lists(void) {
    u64 flags = irq_save();
    for (unsigned order = 0; order < LIST_ORDERS; order++)
        list_drain(&hart_pages[hart_id()].list[order], order, 0);
    irq_restore(flags);
}

// Memory is short. User memory leaves a reserve for the kernel, the kernel's sleeping calls leave
// half of it for calls that cannot sleep; both free caches first, and only then the kernel's eat
// into the rest. A program waits as long as pages come free or somebody dies for them; when others are
// always faster to take what it freed, there is too little for all.
static __attribute__((noinline)) struct page *alloc_slow(unsigned order, unsigned flags) {
    bool bytes = flags & ALLOC_USER & ~ALLOC_WAIT;  // a page of a file may replace another one
    u64 reserve = flags & ALLOC_WAIT     ? reserve_pages()
                  : flags & ALLOC_ATOMIC ? 0
                                         : reserve_pages() / 2;
    struct page *p = alloc_above(order, reserve);

    if (p || flags & ALLOC_ATOMIC)
        return p;
    assert_no_locks();
    for (u32 tries = 1;; tries++) {
        size_t freed = page_reclaim ? page_reclaim(BATCH + (1ul << order), bytes) : 0;
        if (order)
            drain_own_lists();
        p = alloc_above(order, reserve);
        if (p)
            return p;
        if (freed && tries % 16)
            continue;
        if (!(flags & ALLOC_WAIT) || !page_oom || !page_oom())
            break;
    }
    return flags & ALLOC_WAIT ? NULL : alloc_above(order, 0);
}

struct page *page_alloc(unsigned order, unsigned flags) {
    struct page *p = NULL;

    if (fail_now(FAIL_ALLOC))
        return NULL;
    if (likely(order < LIST_ORDERS)) {
        u64 irq = irq_save();
        struct hart_list *l = &hart_pages[hart_id()].list[order];
        if (likely(l->count))
            p = list_pop(l);
        irq_restore(irq);
    }
    if (unlikely(!p)) {
        if (order > MAX_ORDER)
            return NULL;
        p = alloc_slow(order, flags);
        if (!p)
            return NULL;
    }
    page_hand_out(p, order);
    heap_page_alloc(page_va(p), order, flags & ALLOC_USER & ~ALLOC_WAIT);
    if (flags & ALLOC_ZERO)
        for (u64 i = 0; i < 1ul << order; i++)
            page_clear((char *)page_va(p) + i * PAGE_SIZE);
    return p;
}

// => interrupts off
static __attribute__((noinline)) void free_slow(struct page *p, unsigned order) {
    irqlock_acquire_irqs_off(&buddy.lock);
    buddy_free(p, order);
    irqlock_release_irqs_off(&buddy.lock);
}

void page_free(struct page *p, unsigned order) {
    u64 irq;

    assert(p->order == order && p->kind != PAGE_FREE && p->kind != PAGE_RESERVED);
    heap_page_free(page_va(p), order);
    block_init(p, order);
    irq = irq_save();
    if (likely(order < LIST_ORDERS)) {
        struct hart_list *l = &hart_pages[hart_id()].list[order];
        list_push(l, p);
        if (unlikely(l->count > READ_ONCE(list_max)))
            list_drain(l, order, READ_ONCE(list_max) / 2);
    } else {
        free_slow(p, order);
    }
    irq_restore(irq);
}

void page_release(struct page *p) {
    assert(p != zero_page);
    page_free(p, p->order);
}

void *page_alloc_va(unsigned flags) {
    struct page *p = page_alloc(0, flags);
    return p ? page_va(p) : NULL;
}

void page_free_va(void *va) { page_free(va_to_page(va), 0); }

u64 pages_free(void) {
    u64 n = READ_ONCE(buddy.nr_free);
    for_each_hart (h)
        for (unsigned order = 0; order < LIST_ORDERS; order++)
            n += (u64)READ_ONCE(hart_pages[h].list[order].count) << order;
    return n;
}

// proc(5): free blocks of each order. What waits in harts' lists is used, as it is on Linux.
void pages_show(struct printer *p) {
    u64 count[MAX_ORDER + 1] = {0}, irq = irqlock_acquire(&buddy.lock);
    struct list *at;

    for (unsigned order = 0; order <= MAX_ORDER; order++)
        for (at = buddy.free[order].next; at != &buddy.free[order]; at = at->next)
            count[order]++;
    irqlock_release(&buddy.lock, irq);
    printer_printf(p, "Node 0, zone   Normal ");
    for (unsigned order = 0; order <= MAX_ORDER; order++)
        printer_printf(p, "%6lu ", count[order]);
    printer_printf(p, "\n");
}

// ---- boot ----

static u64 array_first(pa_t first) { return align_down(first >> PAGE_SHIFT, GROUP); }

size_t page_array_bytes(pa_t first, pa_t end) {
    u64 frames = align_up((end + PAGE_SIZE - 1) >> PAGE_SHIFT, GROUP) - array_first(first);
    return align_up(frames * sizeof(struct page), PAGE_SIZE);
}

// The head of each group says "not given yet": reserved, of the largest order.
void page_init(pa_t first, pa_t end, pa_t array) {
    BUILD_ASSERT(locks_built || sizeof(struct page) == 48);
    page_array = pa_to_va(array);
    first_frame = array_first(first);
    frame0 = (u64)page_array - first_frame * sizeof(struct page);
    end_frame = end >> PAGE_SHIFT;
    for (unsigned order = 0; order <= MAX_ORDER; order++)
        list_init(&buddy.free[order]);
    for (u64 f = first_frame; f < end_frame; f += GROUP) {
        frame_page(f)->kind = PAGE_RESERVED;
        frame_page(f)->order = MAX_ORDER;
    }
}

// The group of `frame` is given in part: make all its heads valid unless an earlier range did.
static void group_open(u64 frame) {
    struct page *head = frame_page(align_down(frame, GROUP));

    if (head->kind != PAGE_RESERVED || head->order != MAX_ORDER)
        return;
    for (u64 i = 0; i < GROUP; i++) {
        head[i].kind = PAGE_RESERVED;
        head[i].order = 0;
        head[i].ref.count = 1;
    }
}

void page_add_range(pa_t start, pa_t end) {
    u64 f = (start + PAGE_SIZE - 1) >> PAGE_SHIFT, last = end >> PAGE_SHIFT;
    u64 irq = irqlock_acquire(&buddy.lock);

    for (u64 n; f < last; f += n) {
        unsigned order = 0;
        while (order < MAX_ORDER && is_aligned(f, 2ul << order) && f + (2ul << order) <= last)
            order++;
        if (order < MAX_ORDER)
            group_open(f);
        n = 1ul << order;
        pages_total += n;
        buddy_free(frame_page(f), order);
    }
    irqlock_release(&buddy.lock, irq);
}
