/*
 * reclaim.c: which cache pages go when memory is short.
 *
 * Clean pages of mappings with a disk behind them are on one of a few lists (chosen by frame
 * number, so that no lock is shared by all harts), oldest last. Reclaim takes from the end: a page
 * that was used since (PAGE_REFERENCED) or is in use now (more references than the cache's) goes to
 * the front for a second chance; others leave the cache. Dirty pages are on their mapping's list
 * instead and come here when they are written.
 *
 * Reclaim runs inside page_alloc, under whatever sleeping locks the caller has, so it never writes
 * and never waits for a page lock: it asks the flush thread for clean pages and waits for it a
 * limited time.
 *
 *   reclaim (lru lock)                        pagecache_get (mapping->lock)
 *   count is 1, trylock, take a reference
 *   off the list, drop lru lock
 *                                             looks the page up: count 3
 *   pagecache_evict, with mapping->lock:
 *   count is not 2: put it back
 * In the other order the look-up finds nothing. The page lock keeps mapping and inode alive
 * meanwhile, for truncation waits for it.
 *
 * Locks: mapping->lock, then the lru lock. A page's lru link changes only with mapping->lock held,
 * or by reclaim, which holds the page lock, and then only from "on the list" to "on none".
 */
#include "lib/list.h"
#include "mm/internal.h"
#include "mm/slab.h"
#include "mm/stats.h"
#include "proc/proc.h"
#include "time/timer.h"

#define LRU_LISTS 8

static struct lru {
    struct spinlock lock;
    struct list pages;
    u64 count;
} __aligned(64) lru[LRU_LISTS];
static u32 next_list;  // [a] where the next reclaim begins

static struct lru *lru_of(const struct page *p) {
    return &lru[(page_to_pa(p) >> (PAGE_SHIFT + 4)) % LRU_LISTS];
}

void lru_add(struct page *p) {
    struct lru *l = lru_of(p);

    if (p->cache.mapping->flags & MAPPING_PINNED)
        return;
    spin_lock(&l->lock);
    list_add(&p->cache.lru, &l->pages);
    l->count++;
    spin_unlock(&l->lock);
}

void lru_remove(struct page *p) {
    struct lru *l = lru_of(p);

    spin_lock(&l->lock);
    if (!list_empty(&p->cache.lru)) {
        list_del(&p->cache.lru);
        l->count--;
    }
    spin_unlock(&l->lock);
}

// Take up to n unused pages off the list, locked and with a reference.
static u32 isolate(struct lru *l, struct page **pages, u32 n) {
    u32 got = 0;

    spin_lock(&l->lock);
    for (u64 look = min(l->count, 8ul * n); look > 0 && got < n; look--) {
        struct page *p = list_last(&l->pages, struct page, cache.lru);
        if (load_relaxed(&p->cache.flags) & PAGE_REFERENCED) {
            atomic_and(&p->cache.flags, ~PAGE_REFERENCED);
            list_move(&p->cache.lru, &l->pages);
        } else if (ref_read(&p->ref) != 1 || !page_trylock(p)) {
            list_move(&p->cache.lru, &l->pages);
        } else {
            page_get(p);
            list_del(&p->cache.lru);
            l->count--;
            pages[got++] = p;
        }
    }
    spin_unlock(&l->lock);
    return got;
}

// The page stays: back on the list, unless it became dirty meanwhile.
static void put_back(struct page *p) {
    struct mapping *m = p->cache.mapping;

    spin_lock(&m->lock);
    if (!(p->cache.flags & PAGE_DIRTY) && list_empty(&p->cache.lru))
        lru_add(p);
    spin_unlock(&m->lock);
}

static size_t shrink(struct lru *l, size_t want) {
    struct page *pages[32];
    size_t freed = 0;
    u32 n = isolate(l, pages, min(want, ARRAY_SIZE(pages)));

    for (u32 i = 0; i < n; i++) {
        if (pagecache_evict(pages[i]))
            freed++;
        else
            put_back(pages[i]);
        page_unlock(pages[i]);
        page_put(pages[i]);
    }
    return freed;
}

size_t (*cache_shrink)(size_t want);

static size_t reclaim(size_t want) {
    size_t freed = 0;

    for (u32 pass = 0; pass < 4 && freed < want; pass++)
        for (u32 i = 0; i < LRU_LISTS && freed < want; i++)
            freed += shrink(&lru[atomic_add_relaxed(&next_list, 1) % LRU_LISTS], want - freed);
    vm_count_n(reclaimed, freed);
    if (freed < want && cache_shrink) {
        cache_shrink(want - freed);
        freed += slab_reclaim();
    }
    if (freed == 0 && pagecache_dirty() > 0) {
        pagecache_throttle();
        for (u32 i = 0; i < LRU_LISTS && freed < want; i++)
            freed += shrink(&lru[i], want - freed);
    }
    return freed;
}

void caches_drop(u32 what) {
    size_t freed;

    do {
        freed = 0;
        // Each step looks at 256 pages of a list; a page that was used goes when it is looked at again.
        for (u64 n = lru_pages() / 64 + 4 * LRU_LISTS; what & DROP_PAGES && n-- > 0;)
            freed += shrink(&lru[n % LRU_LISTS], 32);
        if (what & DROP_OBJECTS && cache_shrink)
            freed += cache_shrink(1024);
    } while (freed);
    slab_reclaim();
}

u64 lru_pages(void) {
    u64 n = 0;
    for (u32 i = 0; i < LRU_LISTS; i++)
        n += READ_ONCE(lru[i].count);
    return n;
}

void reclaim_init(void) {
    for (u32 i = 0; i < LRU_LISTS; i++) {
        spin_init(&lru[i].lock, RANK_LRU, "lru");
        list_init(&lru[i].pages);
    }
    page_reclaim = reclaim;
}
