/*
 * slab.c: objects smaller than a page.
 *
 * A cache hands out objects of one size. A slab is a block of 2^order frames cut into objects; its
 * free objects are a list through their first word. Slabs with free objects are on cache->partial;
 * full ones are on no list. One empty slab is kept, further ones go back to page.c.
 *
 * In front of the slabs each hart has a magazine: a stack of free objects that only this hart
 * touches, interrupts off. slab_alloc pops, slab_free pushes. An empty magazine is filled by half
 * from the slabs, a full one gives half back. A magazine is made when its hart first uses the
 * cache; without memory for it, work goes on without.
 *
 *   slab_alloc, slab_free <-> this hart's magazine <-- a half, cache->lock --> slabs <-> page.c
 *
 * kmalloc has a cache for each power of two up to 2048, all of order 0, so that kfree finds the
 * head of the slab from any object's address. Larger sizes are whole blocks of frames, kind
 * PAGE_USED.
 *
 * With the boot argument `poison` caches have no magazines, and objects have a tail behind them: alloc_slow and
 * free_slow, which all then goes through, check it (poison.c).
 *
 * Locks: cache->lock is interrupt-safe; page_alloc is called without it and may sleep unless
 * ALLOC_ATOMIC.
 */
#include "mm/slab.h"
#include "check/fail.h"
#include "check/heap.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/poison.h"
#include "arch/hart.h"

#define MAGAZINE_ROUNDS 30
#define KMALLOC_MAX 2048u  // largest that comes from a cache
#define KMALLOC_CACHES 9   // 8 … 2048

struct magazine {
    u32 count;
    u32 max;
    void *object[MAGAZINE_ROUNDS];
};

struct slab_cache {
    struct magazine *magazine[MAX_HARTS];  // [s] of that hart, interrupts off
    struct irqlock lock;
    struct list partial;  // [lock] slabs with a free object, by page.slab.link
    u64 slabs;            // [lock]
    u64 taken;            // [lock] objects that are in use or in magazines
    u32 empty;            // [lock] slabs without a used object, all on `partial`
    u32 size;             // [I] of an object's place, a multiple of align
    u32 bytes;            // [I] of an object
    s32 link;             // [I] from a free object to where it keeps the next one of its slab
    u32 per_slab;         // [I]
    u32 order;            // [I] of a slab
    u32 rounds;           // [I] objects in a full magazine; 0: no magazines
    const char *name;     // [I]
    struct slab_cache *next;
};

static struct slab_cache cache_of_caches, cache_of_magazines;
static struct slab_cache *all_caches;  // [a] only grows
static struct slab_cache *kmalloc_cache[KMALLOC_CACHES];
static u8 kmalloc_class[KMALLOC_MAX / 8 + 1];  // of a size, by (size + 7) / 8

static inline void **link_of(const struct slab_cache *c, void *object) {
    return (void **)((char *)object + c->link);
}

static void cache_init(struct slab_cache *c, const char *name, size_t size, size_t align,
                       u32 max_order) {
    irqlock_init(&c->lock, RANK_SLAB, "slab");
    list_init(&c->partial);
    c->name = name;
    c->bytes = align_up(max(size, sizeof(void *)), memory_poison ? sizeof(u64) : 1);
    c->link = memory_poison ? (s32)c->bytes : HEAP_LINK;
    if (HEAP_HEAD)
        align = min(align, (size_t)HEAP_HEAD);
    c->size = align_up(HEAP_HEAD + c->bytes + (memory_poison ? POISON_TAIL : HEAP_TAIL), align);
    for (c->order = 0; c->order < max_order; c->order++) {
        u64 bytes = PAGE_SIZE << c->order;
        if (bytes / c->size >= 4 && bytes % c->size <= bytes / 8)
            break;
    }
    c->per_slab = (PAGE_SIZE << c->order) / c->size;
    c->rounds = memory_poison ? 0 : c->size <= 512 ? MAGAZINE_ROUNDS : c->size <= 1024 ? 16 : 8;
    struct slab_cache *first = load_relaxed(&all_caches);
    do
        c->next = first;
    while (!atomic_cmpxchg(&all_caches, &first, c));
}

// ---- slabs; => c->lock held ----

static void *slab_pop(struct slab_cache *c) {
    if (list_empty(&c->partial))
        return NULL;
    struct page *slab = list_first(&c->partial, struct page, slab.link);
    void *object = slab->slab.freelist;
    slab->slab.freelist = *link_of(c, object);
    if (slab->slab.used++ == 0)
        c->empty--;
    if (slab->slab.freelist == NULL)
        list_del(&slab->slab.link);
    c->taken++;
    return object;
}

static struct page *slab_of(const struct slab_cache *c, void *object) {
    return va_to_page((void *)align_down((u64)object, PAGE_SIZE << c->order));
}

// A slab that is now empty, and one too many, goes to `empty`: the caller frees it without the lock.
static void slab_push(struct slab_cache *c, void *object, struct list *empty) {
    struct page *slab = slab_of(c, object);

    assert(slab->kind == PAGE_SLAB && slab->slab.cache == c);
    if (slab->slab.freelist == NULL)
        list_add(&slab->slab.link, &c->partial);
    *link_of(c, object) = slab->slab.freelist;
    slab->slab.freelist = object;
    c->taken--;
    if (--slab->slab.used > 0)
        return;
    list_move_tail(&slab->slab.link, c->empty ? empty : &c->partial);
    if (c->empty)
        c->slabs--;
    else
        c->empty = 1;
}

static void slab_add(struct slab_cache *c, struct page *slab) {
    char *base = page_va(slab);
    void *next = NULL;

    slab->kind = PAGE_SLAB;
    slab->slab.cache = c;
    slab->slab.used = 0;
    for (u32 i = c->per_slab; i-- > 0;) {
        void *object = base + (u64)i * c->size + HEAP_HEAD;
        heap_new(object, c, c->name, c->bytes, c->size - HEAP_HEAD);
        if (unlikely(memory_poison))
            poison_new(object, c->bytes, c->size);
        *link_of(c, object) = next;
        next = object;
    }
    slab->slab.freelist = next;
    list_add(&slab->slab.link, &c->partial);
    c->empty++;
    c->slabs++;
}

// ---- between magazines and slabs ----

// This hart's magazine, made if missing; NULL when it cannot be. => interrupts off
static struct magazine *magazine_get(struct slab_cache *c) {
    u32 hart = hart_id();
    struct magazine *m = c->magazine[hart];

    if (m || !c->rounds)
        return m;
    irqlock_acquire_irqs_off(&cache_of_magazines.lock);
    m = slab_pop(&cache_of_magazines);
    if (!m) {
        irqlock_release_irqs_off(&cache_of_magazines.lock);
        struct page *slab = page_alloc(cache_of_magazines.order, ALLOC_ATOMIC);
        if (!slab)
            return NULL;
        irqlock_acquire_irqs_off(&cache_of_magazines.lock);
        slab_add(&cache_of_magazines, slab);
        m = slab_pop(&cache_of_magazines);
    }
    irqlock_release_irqs_off(&cache_of_magazines.lock);
    m->count = 0;
    m->max = c->rounds;
    c->magazine[hart] = m;
    return m;
}

// One object, and half a magazine besides. NULL: the slabs are empty.
static void *refill(struct slab_cache *c) {
    u64 irq = irq_save();
    struct magazine *m = magazine_get(c);

    irqlock_acquire_irqs_off(&c->lock);
    void *object = slab_pop(c);
    while (m && object && m->count < m->max / 2) {
        void *more = slab_pop(c);
        if (!more)
            break;
        m->object[m->count++] = more;
    }
    irqlock_release_irqs_off(&c->lock);
    irq_restore(irq);
    return object;
}

static __attribute__((noinline)) void *alloc_slow(struct slab_cache *c, unsigned flags) {
    void *object;

    while ((object = refill(c)) == NULL) {
        struct page *slab = page_alloc(c->order, flags & ALLOC_ATOMIC);
        if (!slab)
            return NULL;
        u64 irq = irqlock_acquire(&c->lock);
        slab_add(c, slab);
        irqlock_release(&c->lock, irq);
    }
    if (unlikely(memory_poison))
        poison_alloc(c->name, object, c->bytes, c->size);
    return object;
}

// Put the object back, and what the magazine has above `leave`.
static __attribute__((noinline)) void free_slow(struct slab_cache *c, void *object, u32 leave) {
    u64 irq = irq_save();
    struct magazine *m = magazine_get(c);
    struct list empty;

    if (unlikely(memory_poison && object))
        poison_free(c->name, object, c->bytes, c->size);
    if (object && m && m->count < m->max) {
        m->object[m->count++] = object;
        object = NULL;
    }
    list_init(&empty);
    irqlock_acquire_irqs_off(&c->lock);
    if (object)
        slab_push(c, object, &empty);
    while (m && m->count > leave)
        slab_push(c, m->object[--m->count], &empty);
    irqlock_release_irqs_off(&c->lock);
    while (!list_empty(&empty)) {
        struct page *slab = list_first(&empty, struct page, slab.link);
        list_del(&slab->slab.link);
        page_free(slab, c->order);
    }
    irq_restore(irq);
}

// ---- public ----

void *slab_alloc(struct slab_cache *c, unsigned flags) {
    if (fail_now(FAIL_ALLOC))
        return NULL;
    void *object = NULL;
    u64 irq = irq_save();
    struct magazine *m = c->magazine[hart_id()];

    if (likely(m && m->count))
        object = m->object[--m->count];
    irq_restore(irq);
    if (unlikely(!object)) {
        object = alloc_slow(c, flags);
        if (!object)
            return NULL;
    }
    heap_alloc(object, c->bytes);
    if (flags & ALLOC_ZERO)
        memset(object, 0, c->bytes);
    return object;
}

void slab_free(struct slab_cache *c, void *object) {
    if (!heap_free(&object, (void **)&c))
        return;
    u64 irq = irq_save();
    struct magazine *m = c->magazine[hart_id()];

    if (likely(m && m->count < m->max)) {
        m->object[m->count++] = object;
        irq_restore(irq);
        return;
    }
    irq_restore(irq);
    free_slow(c, object, c->rounds / 2);
}

struct slab_cache *slab_create(const char *name, size_t size, size_t align) {
    assert(size >= 1 && size <= PAGE_SIZE);
    struct slab_cache *c = slab_alloc(&cache_of_caches, ALLOC_ZERO);
    if (c)
        cache_init(c, name, size, align ? align : 16, 3);
    return c;
}

void *kmalloc(size_t size, unsigned flags) {
    if (likely(size <= KMALLOC_MAX)) {
        void *object = slab_alloc(kmalloc_cache[kmalloc_class[(size + 7) / 8]], flags);
        heap_narrow(object, size);
        return object;
    }
    unsigned order = 0;
    while (order <= MAX_ORDER && (PAGE_SIZE << order) < size)
        order++;
    struct page *p = page_alloc(order, flags & (ALLOC_ZERO | ALLOC_ATOMIC));
    if (!p)
        return NULL;
    heap_page_narrow(page_va(p), order, size);
    return page_va(p);
}

void kfree(void *p) {
    if (!p)
        return;
    struct page *page = va_to_page(p);
    if (is_aligned((u64)p, PAGE_SIZE) && page->kind == PAGE_USED)
        page_free(page, page->order);
    else
        slab_free(page->slab.cache, p);
}

void slab_init(void) {
    static const char *const names[KMALLOC_CACHES] = {
        "kmalloc-8",   "kmalloc-16",  "kmalloc-32",   "kmalloc-64",   "kmalloc-128",
        "kmalloc-256", "kmalloc-512", "kmalloc-1024", "kmalloc-2048",
    };
    cache_init(&cache_of_caches, "slab_cache", sizeof(struct slab_cache), 64, 1);
    cache_init(&cache_of_magazines, "magazine", sizeof(struct magazine), 64, 0);
    cache_of_magazines.rounds = 0;
    cache_of_caches.rounds = 0;
    for (u32 i = 0; i < KMALLOC_CACHES; i++) {
        struct slab_cache *c = slab_alloc(&cache_of_caches, ALLOC_ZERO);
        if (!c)
            panic("no memory for kmalloc");
        cache_init(c, names[i], 8ul << i, 8ul << i, 0);
        kmalloc_cache[i] = c;
    }
    for (u32 i = 0, class = 0; i < ARRAY_SIZE(kmalloc_class); i++) {
        while (i * 8 > 8u << class)
            class ++;
        kmalloc_class[i] = class;
    }
}

#define for_each_cache(c) for (struct slab_cache *c = load_acquire(&all_caches); c; c = c->next)

// Free this cache's one spare slab, if it has one: the pages.
static size_t free_spare(struct slab_cache *c) {
    struct page *spare = NULL, *slab;
    u64 irq = irqlock_acquire(&c->lock);

    if (c->empty)
        list_for_each (slab, &c->partial, slab.link)
            if (slab->slab.used == 0) {
                spare = slab;
                break;
            }
    if (spare) {
        list_del(&spare->slab.link);
        c->empty--;
        c->slabs--;
    }
    irqlock_release(&c->lock, irq);
    if (!spare)
        return 0;
    page_free(spare, c->order);
    return 1ul << c->order;
}

size_t slab_reclaim(void) {
    size_t pages = 0;

    for_each_cache(c) {
        u64 before = READ_ONCE(c->slabs);
        free_slow(c, NULL, 0);
        u64 after = READ_ONCE(c->slabs);
        if (after < before)
            pages += (before - after) << c->order;
        pages += free_spare(c);
    }
    return pages;
}

static u64 in_magazines(const struct slab_cache *c) {
    u64 n = 0;
    for_each_hart (h)
        if (c->magazine[h])
            n += READ_ONCE(c->magazine[h]->count);
    return n;
}

static u64 objects_of(const struct slab_cache *c) {
    u64 taken = READ_ONCE(c->taken), spare = in_magazines(c) + heap_waiting(c);
    return taken > spare ? taken - spare : 0;
}

u64 slab_objects(void) {
    u64 n = 0;
    for_each_cache(c) if (c != &cache_of_magazines) n += objects_of(c);
    return n;
}

u64 slab_pages(void) {
    u64 n = 0;
    for_each_cache(c) n += READ_ONCE(c->slabs) << c->order;
    return n;
}

void slab_show(struct printer *p) {
    printer_printf(
        p,
        "slabinfo - version: 2.1\n# name            <active_objs> <num_objs> <objsize> "
        "<objperslab> "
        "<pagesperslab> : tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> "
        "<num_slabs> <sharedavail>\n");
    for_each_cache(c) {
        u64 slabs = READ_ONCE(c->slabs);
        printer_printf(
            p, "%-17s %6lu %6lu %6u %4u %4u : tunables %4u %4u %4u : slabdata %6lu %6lu %6lu\n",
            c->name, objects_of(c), slabs * c->per_slab, c->size, c->per_slab, 1u << c->order,
            c->rounds, c->rounds / 2, 0u, slabs - READ_ONCE(c->empty), slabs, in_magazines(c));
    }
}
