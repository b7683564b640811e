/*
 * pagecache.c: the bytes of files in memory.
 *
 * A mapping finds its pages by page number in a radix tree. The tree holds one reference to each
 * page; users hold more. Page states:
 *
 *   absent --insert--> locked --read_page--> clean, UPTODATE --page_mark_dirty--> DIRTY,
 *                                            on a reclaim list                    on m->dirty
 *                                                  ^                                 |
 *                                                  +--- written, LOCKED, WRITEBACK <-+
 *
 * m->lock guards the tree and the dirty list. PAGE_LOCKED is a sleeping lock in the page: held
 * while it is read, written, or taken out. page->cache.mapping changes only with both held, so
 * either keeps it, and who holds the lock of a page that has a mapping keeps that mapping alive:
 * eviction of an inode must get that lock first.
 *
 * Page locks sleep on a few hashed wait queues. Waiter and holder:
 *   waiter                                    unlocker
 *   on the queue, state set
 *   sets LOCKED|WAITERS in one operation      clears LOCKED|WAITERS in one operation
 *   LOCKED was set: schedule()                WAITERS was set: wakes the queue
 * Whichever operation comes first, the other sees it.
 *
 * Writing. DIRTY is cleared, then shared mappings are made read-only, then the disk gets the page.
 * A write fault sets DIRTY and makes its entry writable under one hold of the page-table lock, so
 * it is either before the read-only pass, which undoes it, or its DIRTY comes after the clearing
 * and stays.
 *
 * Who makes a page dirty first waits while more than dirty_limit pages are; from half of that on the
 * flush thread writes at once. So no more memory is dirty than can be written soon, and reclaim finds
 * clean pages.
 *
 * Truncation takes pages out first and unmaps them then; a fault looks at page->cache.mapping again
 * under the page-table lock (fault.c). Either the fault sees NULL there, or the unmapping sees the
 * fault's entry.
 *
 * The flush thread finds mappings with dirty pages on one list and counts itself in m->flushers, so
 * that truncation of all of a mapping, which precedes its end, can wait for it.
 *
 * Lock order: m->write_mutex, page lock; then spinning m->lock, dirty_lock or a reclaim list's.
 */
#include "mm/pagecache.h"
#include "abi/errno.h"
#include "lib/hash.h"
#include "lib/string.h"
#include "mm/internal.h"
#include "mm/slab.h"
#include "mm/stats.h"
#include "proc/proc.h"
#include "time/timer.h"

#define DIRTY_AGE (5 * NSEC_PER_SEC)
#define WAIT_QUEUES 64

static struct slab_cache *node_cache;
static struct waitq wait_queues[WAIT_QUEUES];
static u64 nr_cached, nr_pinned, nr_meta, nr_writeback;  // [a] pages of all mappings
u64 nr_dirty, dirty_limit;
static u32 dirty_ratio;  // [a] percent of memory

static struct spinlock dirty_lock = SPINLOCK_INIT(RANK_DIRTY, "dirty");
static struct list dirty_mappings = LIST_INIT(dirty_mappings);  // [dirty_lock] oldest first
static struct waitq flush_wait = WAITQ_INIT(flush_wait);        // the flush thread
static struct waitq clean_wait = WAITQ_INIT(clean_wait);        // who waits for clean pages
static u32 flush_now;         // [a] somebody waits for clean pages
static struct task *flusher;  // [I] once it runs

static void *node_alloc(void) { return slab_alloc(node_cache, ALLOC_ATOMIC | ALLOC_ZERO); }
static void node_free(void *node) { slab_free(node_cache, node); }
static const struct radix_alloc node_ops = {.alloc = node_alloc, .free = node_free};

void pagecache_init(void) {
    node_cache = slab_create("radix_node", sizeof(struct radix_node), 64);
    if (!node_cache)
        panic("no memory for the page cache");
    for (u32 i = 0; i < WAIT_QUEUES; i++)
        waitq_init(&wait_queues[i]);
    pagecache_set_dirty_ratio(20);
}

static const struct mapping_ops no_ops;  // of a mapping whose owner has none

void mapping_init(struct mapping *m, const struct mapping_ops *ops, void *host, u32 flags) {
    spin_init(&m->lock, RANK_MAPPING, "mapping");
    radix_init(&m->pages, &node_ops);
    m->nr_pages = 0;
    list_init(&m->dirty);
    m->nr_dirty = 0;
    m->ops = ops ? ops : &no_ops;
    m->host = host;
    m->flags = flags;
    m->errors = m->told = 0;
    list_init(&m->dirty_link);
    m->dirtied_at = 0;
    m->flushers = 0;
    mutex_init(&m->write_mutex, RANK_WRITEBACK, "write-back");
    spin_init(&m->vmas_lock, RANK_MAPPING_VMAS, "mapping vmas");
    list_init(&m->vmas);
    m->nr_shared = 0;
}

// ---- page locks ----

static struct waitq *page_waitq(const void *what) {
    return &wait_queues[hash_ptr(what) % WAIT_QUEUES];
}

bool page_trylock(struct page *p) {
    return !(atomic_or(&p->cache.flags, PAGE_LOCKED) & PAGE_LOCKED);
}

static bool trylock_or_wait(struct page *p) {
    return !(atomic_or(&p->cache.flags, PAGE_LOCKED | PAGE_WAITERS) & PAGE_LOCKED);
}

void page_lock(struct page *p) {
    if (!page_trylock(p))
        wait_event(page_waitq(p), trylock_or_wait(p), "page");
}

void page_unlock(struct page *p) {
    u32 old = atomic_and(&p->cache.flags, ~(PAGE_LOCKED | PAGE_WAITERS));

    assert(old & PAGE_LOCKED);
    if (unlikely(old & PAGE_WAITERS))
        wake_all(page_waitq(p));
}

// ---- dirty pages ----

// m's first page became dirty. => m->lock held
static void mapping_dirtied(struct mapping *m) {
    spin_lock(&dirty_lock);
    bool first = list_empty(&dirty_mappings);
    m->dirtied_at = clock_ns();
    list_add_tail(&m->dirty_link, &dirty_mappings);
    spin_unlock(&dirty_lock);
    if (first)
        wake_all(&flush_wait);
}

// => m->lock held, page dirty
static void clear_dirty(struct mapping *m, struct page *p, u32 set) {
    atomic_or(&p->cache.flags, set);
    atomic_and(&p->cache.flags, ~PAGE_DIRTY);
    list_del(&p->cache.lru);
    atomic_sub(&nr_dirty, 1);
    if (--m->nr_dirty == 0) {
        spin_lock(&dirty_lock);
        list_del(&m->dirty_link);
        spin_unlock(&dirty_lock);
    }
}

void page_mark_dirty(struct page *p) {
    struct mapping *m = READ_ONCE(p->cache.mapping);

    if (load_relaxed(&p->cache.flags) & PAGE_DIRTY || !m || m->flags & MAPPING_PINNED ||
        !m->ops->write_pages)
        return;
    spin_lock(&m->lock);
    if (p->cache.mapping == m && !(p->cache.flags & PAGE_DIRTY)) {
        lru_remove(p);
        atomic_or(&p->cache.flags, PAGE_DIRTY);
        list_add_tail(&p->cache.lru, &m->dirty);
        u64 dirty = atomic_add_relaxed(&nr_dirty, 1);
        if (m->nr_dirty++ == 0)
            mapping_dirtied(m);
        if (unlikely(dirty == load_relaxed(&dirty_limit) / 2))
            flusher_wake();  // so that fewer writers must wait
    }
    spin_unlock(&m->lock);
}

// ---- look-up and insertion ----

static void count_pages(const struct mapping *m, s64 n) {
    atomic_add_relaxed(&nr_cached, n);
    if (m->flags & MAPPING_PINNED)
        atomic_add_relaxed(&nr_pinned, n);
    if (m->flags & MAPPING_META)
        atomic_add_relaxed(&nr_meta, n);
}

// With a reference, or NULL; whatever its state.
static struct page *find_any(struct mapping *m, u64 index) {
    spin_lock(&m->lock);
    struct page *p = radix_lookup(&m->pages, index);
    if (p)
        page_get(p);
    spin_unlock(&m->lock);
    return p;
}

struct page *pagecache_find(struct mapping *m, u64 index) {
    struct page *p = find_any(m, index);

    if (!p || likely(page_touch(p)))
        return p;
    page_put(p);
    return NULL;
}

// Put a fresh page, locked, at index. 0, -EEXIST or -ENOMEM.
static int insert(struct mapping *m, u64 index, struct page *p) {
    p->cache.mapping = m;
    p->cache.index = index;
    p->cache.flags = PAGE_LOCKED;
    p->cache.private_ = 0;
    list_init(&p->cache.lru);
    p->kind = PAGE_CACHE;
    page_get(p);  // the cache's

    spin_lock(&m->lock);
    int error = radix_insert(&m->pages, index, p);
    if (error == 0) {
        m->nr_pages++;
        lru_add(p);
    }
    spin_unlock(&m->lock);
    if (error == 0) {
        count_pages(m, 1);
        return 0;
    }
    p->kind = PAGE_USED;
    page_put(p);
    return error;
}

// A new locked page at index with a reference, or ERR_PTR(-EEXIST, -ENOMEM).
static struct page *add_page(struct mapping *m, u64 index) {
    for (int tries = 0;; tries++) {
        // What the flush thread reads to write pages must not wait for pages to be written.
        u32 pinned = m->flags & MAPPING_PINNED ? ALLOC_USER : ALLOC_WAIT;
        struct page *p = page_alloc(0, current == flusher ? 0 : pinned);
        if (!p)
            return ERR_PTR(-ENOMEM);
        int error = insert(m, index, p);
        if (error == 0)
            return p;
        page_put(p);
        if (error != -ENOMEM || tries == 2)
            return ERR_PTR(error);
        // The tree's nodes come without sleeping: make room for one by sleeping here.
        void *node = slab_alloc(node_cache, 0);
        if (!node)
            return ERR_PTR(-ENOMEM);
        slab_free(node_cache, node);
    }
}

// The page at index with a reference, new ones locked (*fresh). ERR_PTR(-ENOMEM).
static struct page *find_or_add(struct mapping *m, u64 index, bool *fresh) {
    for (;;) {
        struct page *p = find_any(m, index);
        *fresh = false;
        if (p)
            return p;
        *fresh = true;
        p = add_page(m, index);
        if (!IS_ERR(p) || PTR_ERR(p) != -EEXIST)
            return p;
    }
}

// => page locked. 0 or -EIO, -ENOMEM
static int fill(struct mapping *m, struct page *p) {
    if (!m->ops->read_page) {
        page_clear(page_va(p));
    } else {
        int error = m->ops->read_page(m, p);
        if (error) {
            atomic_or(&p->cache.flags, PAGE_ERROR);
            return error;
        }
        vm_count(read);
    }
    page_mark_uptodate(p);
    return 0;
}

struct page *pagecache_get(struct mapping *m, u64 index) {
    for (;;) {
        bool fresh;
        int error = 0;
        struct page *p = find_or_add(m, index, &fresh);
        if (IS_ERR(p))
            return p;
        u32 flags = load_acquire(&p->cache.flags);
        if (likely(flags & PAGE_UPTODATE)) {
            page_touch(p);
            return p;
        }
        // Who waits for another's reading needs no lock afterwards: a thousand would take it one by one.
        bool locked = fresh;
        if (!fresh)
            wait_event(page_waitq(p), page_is_uptodate(p) || (locked = trylock_or_wait(p)), "page");
        if (!locked)
            return p;
        bool gone = p->cache.mapping != m;
        if (!gone && !page_is_uptodate(p))
            error = fill(m, p);
        page_unlock(p);
        if (!gone && !error)
            return p;
        page_put(p);
        if (error)
            return ERR_PTR(error);
    }
}

struct page *pagecache_get_locked(struct mapping *m, u64 index) {
    for (;;) {
        bool fresh;
        struct page *p = find_or_add(m, index, &fresh);
        if (IS_ERR(p) || fresh)
            return p;
        page_lock(p);
        if (p->cache.mapping == m) {
            page_touch(p);
            return p;
        }
        page_unlock(p);
        page_put(p);
    }
}

// ---- reading ahead ----

static void read_batch(struct mapping *m, struct page **pages, size_t n) {
    if (m->ops->read_pages) {
        if (m->ops->read_pages(m, pages, n) == 0) {
            for (size_t i = 0; i < n; i++)
                page_mark_uptodate(pages[i]);
            vm_count_n(read, n);
        }
    } else {
        for (size_t i = 0; i < n; i++)
            fill(m, pages[i]);
    }
    for (size_t i = 0; i < n; i++) {
        page_unlock(pages[i]);
        page_put(pages[i]);
    }
}

void pagecache_readahead(struct mapping *m, u64 index, size_t n) {
    struct page *batch[32];
    size_t got = 0;

    if (!m->ops->read_page)
        return;
    for (u64 i = index; i < index + n; i++) {
        struct page *p = add_page(m, i);
        if (!IS_ERR(p))
            batch[got++] = p;
        if (got && (IS_ERR(p) || got == ARRAY_SIZE(batch))) {
            read_batch(m, batch, got);
            got = 0;
        }
        if (IS_ERR(p) && PTR_ERR(p) != -EEXIST)
            return;
    }
    if (got)
        read_batch(m, batch, got);
}

// ---- writing ----

// Locked and dirty, with a reference; NULL when the neighbour is not, or not at once.
static struct page *lock_dirty_neighbour(struct mapping *m, u64 index) {
    struct page *p = NULL;

    spin_lock(&m->lock);
    struct page *found = radix_lookup(&m->pages, index);
    if (found && (found->cache.flags & PAGE_DIRTY) && page_trylock(found)) {
        p = found;
        page_get(p);
    }
    spin_unlock(&m->lock);
    return p;
}

// Write n locked pages with consecutive indexes, unlock and put them.
static void write_batch(struct mapping *m, struct page **pages, size_t n) {
    u64 first = pages[0]->cache.index;

    spin_lock(&m->lock);
    for (size_t i = 0; i < n; i++)
        clear_dirty(m, pages[i], PAGE_WRITEBACK);
    spin_unlock(&m->lock);
    atomic_add_relaxed(&nr_writeback, n);
    vm_clean_mapping(m, first, first + n - 1);

    if (m->ops->write_pages(m, pages, n))
        pagecache_failed(m);
    vm_count_n(written, n);
    atomic_sub(&nr_writeback, n);
    for (size_t i = 0; i < n; i++) {
        struct page *p = pages[i];
        spin_lock(&m->lock);
        atomic_and(&p->cache.flags, ~PAGE_WRITEBACK);
        if (!(p->cache.flags & PAGE_DIRTY))
            lru_add(p);
        spin_unlock(&m->lock);
        page_unlock(p);
        page_put(p);
    }
    if (waitq_active(&clean_wait))
        wake_all(&clean_wait);
}

// Write the dirty page p, which the caller has locked, together with dirty neighbours in [first,
// last].
static void write_cluster(struct mapping *m, struct page *p, u64 first, u64 last) {
    struct page *batch[2 * PAGECACHE_BATCH];
    size_t low = PAGECACHE_BATCH, high = low;
    u64 index = p->cache.index;
    struct page *other;

    batch[high++] = p;
    for (u64 i = index; i > first && high - low < PAGECACHE_BATCH; i--) {
        if (!(other = lock_dirty_neighbour(m, i - 1)))
            break;
        batch[--low] = other;
    }
    for (u64 i = index; i < last && high - low < PAGECACHE_BATCH; i++) {
        if (!(other = lock_dirty_neighbour(m, i + 1)))
            break;
        batch[high++] = other;
    }
    write_batch(m, batch + low, high - low);
}

// The first dirty page, with a reference, when it is in the range; one that is not goes to the end.
// False: none is left.
static bool next_dirty(struct mapping *m, u64 first, u64 last, struct page **out) {
    *out = NULL;
    spin_lock(&m->lock);
    bool any = !list_empty(&m->dirty);
    if (any) {
        struct page *p = list_first(&m->dirty, struct page, cache.lru);
        list_move_tail(&p->cache.lru, &m->dirty);
        if (p->cache.index >= first && p->cache.index <= last) {
            page_get(p);
            *out = p;
        }
    }
    spin_unlock(&m->lock);
    return any;
}

// Write what is dirty in [first, last] at the time of the call: each step deals with the front of
// the list, where the pages are that were dirty first.
static void write_range(struct mapping *m, u64 first, u64 last) {
    struct page *p;

    mutex_lock(&m->write_mutex);
    for (u64 n = READ_ONCE(m->nr_dirty); n > 0 && next_dirty(m, first, last, &p); n--) {
        if (!p)
            continue;
        page_lock(p);
        if (p->cache.mapping == m && p->cache.flags & PAGE_DIRTY) {
            write_cluster(m, p, first, last);
        } else {
            page_unlock(p);
            page_put(p);
        }
    }
    mutex_unlock(&m->write_mutex);
}

int pagecache_write(struct mapping *m, u64 first, u64 last) {
    u32 before = load_relaxed(&m->errors);
    if (m->ops->write_pages)
        write_range(m, first, last);
    return load_relaxed(&m->errors) == before ? 0 : -EIO;
}

int pagecache_error(struct mapping *m, u32 *seen) {
    u32 errors = load_acquire(&m->errors);
    if (load_relaxed(seen) == errors || atomic_xchg(seen, errors) == errors)
        return 0;
    store_relaxed(&m->told, errors);
    return -EIO;
}

int pagecache_sync(struct mapping *m, u64 first, u64 last) {
    pagecache_write(m, first, last);
    return pagecache_error(m, &m->told);
}

// ---- taking pages out ----

// => page locked and in m, m->lock held. The cache's reference passes to the caller.
static void take_out(struct mapping *m, struct page *p) {
    if (p->cache.flags & PAGE_DIRTY)
        clear_dirty(m, p, 0);
    else
        lru_remove(p);
    radix_delete(&m->pages, p->cache.index);
    m->nr_pages--;
    p->cache.mapping = NULL;
    count_pages(m, -1);
}

bool pagecache_evict(struct page *p) {
    struct mapping *m = p->cache.mapping;

    spin_lock(&m->lock);
    bool ok = !(p->cache.flags & PAGE_DIRTY) && ref_read(&p->ref) == 2;
    if (ok)
        take_out(m, p);
    spin_unlock(&m->lock);
    if (ok)
        page_put(p);
    return ok;
}

// Up to n pages from *index on, with references; *index moves behind them.
static u32 gather_pages(struct mapping *m, u64 *index, struct page **pages, u32 n) {
    u32 got = 0;

    spin_lock(&m->lock);
    while (got < n) {
        struct page *p = radix_next(&m->pages, index);
        if (!p)
            break;
        page_get(p);
        pages[got++] = p;
        if (++*index == 0) {
            *index = ~0ul;
            break;
        }
    }
    spin_unlock(&m->lock);
    return got;
}

static void wait_for_flushers(struct mapping *m) {
    spin_lock(&dirty_lock);
    bool busy = m->flushers;
    spin_unlock(&dirty_lock);
    if (busy)
        wait_event(page_waitq(m), !READ_ONCE(m->flushers), "flusher");
}

void pagecache_remove(struct mapping *m, u64 first, u64 last) {
    struct page *pages[16];
    u64 index = first;
    u32 n;

    while (index <= last && (n = gather_pages(m, &index, pages, ARRAY_SIZE(pages))) > 0)
        for (u32 i = 0; i < n; i++) {
            struct page *p = pages[i];
            page_lock(p);
            bool ours = p->cache.mapping == m && p->cache.index <= last;
            if (ours) {
                spin_lock(&m->lock);
                take_out(m, p);
                spin_unlock(&m->lock);
            }
            page_unlock(p);
            if (ours)
                page_put(p);
            page_put(p);
        }
    vm_unmap_mapping(m, first, last);
}

void pagecache_truncate(struct mapping *m, u64 first) {
    pagecache_remove(m, first, ~0ul);
    if (first == 0)
        wait_for_flushers(m);
}

// => a reference is held
static void evict_unused(struct mapping *m, struct page *p) {
    if (m->flags & MAPPING_PINNED || !page_trylock(p))
        return;
    if (p->cache.mapping == m)
        pagecache_evict(p);
    page_unlock(p);
}

void pagecache_cool(struct mapping *m, u64 first, u64 last, bool now) {
    struct page *pages[16];
    u64 index = first;
    u32 n;

    while (index <= last && (n = gather_pages(m, &index, pages, ARRAY_SIZE(pages))) > 0)
        for (u32 i = 0; i < n; i++) {
            if (pages[i]->cache.index <= last) {
                atomic_and(&pages[i]->cache.flags, ~PAGE_REFERENCED);
                if (now)
                    evict_unused(m, pages[i]);
            }
            page_put(pages[i]);
        }
}

void pagecache_invalidate(struct mapping *m) { pagecache_cool(m, 0, ~0ul, true); }

// ---- the flush thread ----

u64 pagecache_pages(void) { return load_relaxed(&nr_cached); }
u64 pagecache_pinned(void) { return load_relaxed(&nr_pinned); }
u64 pagecache_meta(void) { return load_relaxed(&nr_meta); }
u64 pagecache_dirty(void) { return load_relaxed(&nr_dirty); }
u64 pagecache_writeback(void) { return load_relaxed(&nr_writeback); }
u64 pagecache_dirty_limit(void) { return load_relaxed(&dirty_limit); }
u32 pagecache_dirty_ratio(void) { return load_relaxed(&dirty_ratio); }

int pagecache_set_dirty_ratio(u32 percent) {
    if (percent > 100)
        return -EINVAL;
    store_relaxed(&dirty_ratio, percent);
    store_relaxed(&dirty_limit, pages_total / 100 * percent);
    return 0;
}

// The mapping that has been dirty longest, if since `until` or before; counted as in use. *when:
// since when it is.
static struct mapping *flush_begin(u64 until, u64 *when) {
    struct mapping *m = NULL;

    *when = TIME_NEVER;
    spin_lock(&dirty_lock);
    if (!list_empty(&dirty_mappings)) {
        m = list_first(&dirty_mappings, struct mapping, dirty_link);
        *when = m->dirtied_at;
        if (m->dirtied_at <= until) {
            m->dirtied_at = clock_ns();
            list_move_tail(&m->dirty_link, &dirty_mappings);
            m->flushers++;
        } else {
            m = NULL;
        }
    }
    spin_unlock(&dirty_lock);
    return m;
}

static void flush_end(struct mapping *m) {
    struct waitq *q = page_waitq(m);

    spin_lock(&dirty_lock);
    m->flushers--;
    spin_unlock(&dirty_lock);
    wake_all(q);
}

// Write mappings that became dirty at `until` or before. When the next one is due, or TIME_NEVER.
static u64 flush_older(u64 until) {
    struct mapping *m;
    u64 when;

    while ((m = flush_begin(until, &when)) != NULL) {
        write_range(m, 0, ~0ul);
        flush_end(m);
        wake_all(&clean_wait);
    }
    return when == TIME_NEVER ? TIME_NEVER : when + DIRTY_AGE;
}

void pagecache_sync_all(void) {
    struct mapping *m;
    u64 when, now = clock_ns();

    while ((m = flush_begin(now, &when)) != NULL) {
        write_range(m, 0, ~0ul);
        flush_end(m);
    }
}

void flusher_wake(void) {
    store_release(&flush_now, 1);
    wake_all(&flush_wait);
}

// Sleep until `deadline`, or until somebody wants clean pages, or, with nothing dirty, until
// something is.
static void flush_sleep(u64 deadline) {
    struct waiter w;

    waiter_init(&w);
    waitq_prepare(&flush_wait, &w, TASK_INTERRUPTIBLE, "flush");
    if (!load_acquire(&flush_now)) {
        if (deadline != TIME_NEVER)
            schedule_until(deadline);
        else if (list_empty(&dirty_mappings))
            schedule();
    }
    waitq_finish(&flush_wait, &w);
}

void (*flush_first)(void);

void flush_thread(void *unused) {
    (void)unused;
    flusher = current;
    for (;;) {
        if (flush_first)
            flush_first();
        u64 now = clock_ns();
        bool all = atomic_xchg(&flush_now, 0);
        u64 due = flush_older(all ? now : now > DIRTY_AGE ? now - DIRTY_AGE : 0);
        wake_all(&clean_wait);
        if (!load_acquire(&flush_now) && due > clock_ns())
            flush_sleep(due);
    }
}

void pagecache_throttle(void) {
    u64 deadline = clock_ns() + 100 * NSEC_PER_MSEC;
    struct waiter w;

    if (current == flusher)
        return;
    waiter_init(&w);
    waitq_prepare(&clean_wait, &w, TASK_UNINTERRUPTIBLE, "clean pages");
    flusher_wake();
    schedule_until(deadline);
    waitq_finish(&clean_wait, &w);
}

void pagecache_wait_clean(struct mapping *m) {
    if (!m->ops->write_pages || current == flusher)
        return;
    vm_count(dirty_waits);
    while (pagecache_too_dirty() && !fatal_signal_pending())
        pagecache_throttle();
}
