/*
 * reclaim.c: which cache pages go when memory is short.
 *
 * Clean pages of mappings with a disk behind them are on one of a few lists (chosen by frame
 * number, so that no lock is shared by all harts), oldest last. Reclaim takes from the end: a page
 * that was used since (PAGE_REFERENCED) or is in use now (more references than the cache's) goes to
 * the front for a second chance; others leave the cache. Dirty pages are on their mapping's list
 * instead and come here when they are written.
 *
 * How is use by a mapping seen? Page-table entries are taken away when reclaim comes by. A program that
 * needs the page faults, which finds it in the cache and marks it PAGE_REFERENCED. One that nobody asks for
 * till the next time goes. So a file may be mapped that is larger than memory.
 *
 * The last clean pages are not for programs' memory: when the code of all that runs has to be read again and
 * again, nothing runs any more. Then memory is out (page_oom).
 *
 * Reclaim runs inside page_alloc, under whatever sleeping locks the caller has, so it never writes
 * and never waits for a page lock: it asks the flush thread for clean pages and waits for it a
 * limited time, long enough for a slow disk.
 *
 *   reclaim (lru lock)                        pagecache_get, or a fault (mapping->lock)
 *   count is 1, trylock, take a reference
 *   off the list, drop lru lock
 *                                             looks the page up: count 3
 *   pagecache_evict, with mapping->lock:
 *   count is not 2: put it back
 * In the other order the look-up finds nothing. The page lock keeps mapping and inode alive
 * meanwhile, for truncation waits for it.
 *
 * A page that is mapped again before it is evicted has a third reference, and stays.
 *
 * Locks: mapping->lock, then the lru lock; vmas_lock and those of page tables while a page is
 * locked. A page's lru link changes only with mapping->lock held, or by reclaim, which holds the
 * page lock, and then only from "on the list" to "on none".
 */
#include "lib/list.h"
#include "mm/internal.h"
#include "mm/slab.h"
#include "mm/stats.h"
#include "proc/proc.h"
#include "time/timer.h"

#define LRU_LISTS 8
// Of memory: clean pages that are left to files, so that programs find their code.
#define KEEP_FRACTION 64
#define UNMAP_AROUND 64ul
#define WAITS_MAX 50  // for the flush thread, of 100 ms at most

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

// Take up to n pages off the list, locked and with a reference: unused ones to be freed, and ones that page tables may
// have if `mapped`. *looked: how many were looked at.
static u32 isolate(struct lru *l, struct page **pages, u32 n, bool mapped, u64 *looked) {
    u32 got = 0;
    u64 look = 0, end;

    spin_lock(&l->lock);
    for (end = min(l->count, 8ul * n); look < end && got < n; look++) {
        struct page *p = list_last(&l->pages, struct page, cache.lru);
        bool used = load_relaxed(&p->cache.flags) & PAGE_REFERENCED;
        if (used)
            atomic_and(&p->cache.flags, ~PAGE_REFERENCED);
        bool stays = ref_read(&p->ref) == 1 ? used : !mapped;
        if (stays || !page_trylock(p)) {
            list_move(&p->cache.lru, &l->pages);
        } else {
            page_get(p);
            list_del(&p->cache.lru);
            l->count--;
            pages[got++] = p;
        }
    }
    spin_unlock(&l->lock);
    *looked = look;
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

// More references than the list's, which is ours now, and the cache's.
static bool in_use(const struct page *p) { return ref_read(&p->ref) > 2; }

// Take p out of page tables, and its neighbours in the file with it, for each time harts are interrupted. *m, *window:
// what was done last.
static void unmap_around(struct page *p, struct mapping **m, u64 *window) {
    u64 first = align_down(p->cache.index, UNMAP_AROUND);

    if (*m != p->cache.mapping || *window != first)
        vm_forget_mapping(p->cache.mapping, first, first + UNMAP_AROUND - 1);
    *m = p->cache.mapping;
    *window = first;
}

// Look at some pages of the list and free up to `want` of them. How many were looked at.
static u64 shrink(struct lru *l, size_t want, bool mapped, size_t *freed) {
    struct page *pages[32];
    struct mapping *last = NULL;
    u64 looked, window = 0;
    u32 n = isolate(l, pages, min(want, ARRAY_SIZE(pages)), mapped, &looked);

    for (u32 i = 0; i < n; i++) {
        if (in_use(pages[i])) {
            unmap_around(pages[i], &last, &window);
            put_back(pages[i]);
        } else if (pagecache_evict(pages[i])) {
            ++*freed;
        } else {
            put_back(pages[i]);
        }
        page_unlock(pages[i]);
        page_put(pages[i]);
    }
    vm_count_n(scanned, looked);
    return looked;
}

size_t (*cache_shrink)(size_t want);

// Free pages until there are `want`, or only `keep` clean ones are left, or each was looked at twice.
static size_t shrink_all(size_t want, u64 keep) {
    size_t freed = 0;
    u64 looks = 2 * lru_pages() + 4 * LRU_LISTS;

    while (freed < want && looks > 0 && lru_pages() > keep) {
        u64 n =
            shrink(&lru[atomic_add_relaxed(&next_list, 1) % LRU_LISTS], want - freed, true, &freed);
        looks -= min(looks, max(n, 1ul));
    }
    vm_count_n(reclaimed, freed);
    return freed;
}

static size_t reclaim(size_t want, bool user) {
    u64 keep = user ? pages_total / KEEP_FRACTION : 0;
    size_t freed = shrink_all(want, keep);

    if (freed < want && cache_shrink) {
        cache_shrink(want - freed);
        freed += slab_reclaim();
    }
    for (u32 i = 0; freed == 0 && i < WAITS_MAX && !fatal_signal_pending(); i++) {
        if (pagecache_dirty() + pagecache_writeback() <= keep)
            break;
        pagecache_throttle();
        freed += shrink_all(want, keep);
    }
    return freed;
}

void caches_drop(u32 what) {
    size_t freed;

    do {
        freed = 0;
        // Each step looks at 256 pages of a list; a page that was used goes when it is looked at again.
        for (u64 n = lru_pages() / 64 + 4 * LRU_LISTS; what & DROP_PAGES && n-- > 0;)
            shrink(&lru[n % LRU_LISTS], 32, false, &freed);
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
