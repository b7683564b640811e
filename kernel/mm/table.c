/*
 * table.c: page tables. The only file that reads and writes entries of many pages at once; fault.c
 * changes single ones.
 *
 * Sv39 has three levels: the root (level 2), middle tables (level 1) and last-level tables (level
 * 0), whose struct page has kind PAGE_TABLE with a lock for its entries and a count of those in
 * use, so that a walk can stop early.
 *
 * Tables are made by anybody who holds mm->lock, for reading too, by compare-and-swap into the
 * level above. They are unhooked with mm->lock held for writing (or when no task is left), and only
 * where no VMA is any more. After fork last-level tables have several owners: share.c. Functions
 * here that change entries of many pages are for tables that are the address space's own, unless
 * they say otherwise.
 *
 * Truncation, write-back and reclaim walk tables without mm->lock: they hold the vmas_lock of a mapping and
 * stay within a VMA that is on its list, and a VMA leaves that list before its tables go. While
 * truncation holds the middle table's lock, what hangs from it stays.
 *
 *   truncation                             fault
 *   page->cache.mapping = NULL             hooks up the table
 *   (fence)                                (fence)
 *   no table here: nothing to unmap        locks it, page->cache.mapping is NULL: tries again
 * With both fences at least one of them sees the other; when the table is there, its lock orders
 * them.
 *
 * Unmapped pages and tables are collected in a struct gather and freed only after all harts forgot
 * the translations. An address space without tasks needs no such care for its pages: its ASID is
 * never loaded again. With the first VMA that has a part of a table all of the table's pages go.
 *
 * A table is full of zeroes when it is freed, a root has its kernel half besides. Each hart keeps
 * some in a pool, so that the next fork need not clear them. Pools are used with preemption off.
 *
 * Lock order: vmas_lock, then a middle table's lock, then locks of last-level tables (two of them by
 * address), then mapping->lock and the page allocator.
 */
#include "arch/arch.h"
#include "check/fail.h"
#include "check/race.h"
#include "lib/string.h"
#include "mm/internal.h"
#include "mm/stats.h"
#include "proc/proc.h"
#include "arch/hart.h"

#define POOL_MAX 24

static struct table_pool {
    struct list *tables, *roots;  // by free.link.next
    u32 nr_tables, nr_roots;
} __aligned(64) pools[MAX_HARTS];  // [s] of that hart, not preemptible

u64 table_pool_pages(void) {
    u64 n = 0;
    for_each_hart (h)
        n += READ_ONCE(pools[h].nr_tables) + READ_ONCE(pools[h].nr_roots);
    return n;
}

// ---- frames of tables ----

static struct page *pool_pop(struct list **first, u32 *count) {
    struct page *p = list_entry(*first, struct page, free.link);
    *first = p->free.link.next;
    --*count;
    return p;
}

static void pool_push(struct list **first, u32 *count, struct page *p) {
    p->free.link.next = *first;
    *first = &p->free.link;
    ++*count;
}

struct page *table_frame_alloc(struct mm *mm, enum lock_rank rank) {
    struct page *p = NULL;

    if (fail_now(FAIL_ALLOC))  // the pool would hide it
        return NULL;
    preempt_disable();
    struct table_pool *pool = &pools[hart_id()];
    if (likely(pool->tables))
        p = pool_pop(&pool->tables, &pool->nr_tables);
    preempt_enable();
    // What a program's own fault or call needs is its memory; fork fails when there is little.
    if (!p)
        p = page_alloc(0, mm == current->mm ? ALLOC_ZERO | ALLOC_WAIT : ALLOC_ZERO);
    if (!p)
        return NULL;
    ref_init(&p->ref);
    p->kind = PAGE_TABLE;
    p->ahead = 0;
    memset(&p->table, 0, sizeof(p->table));
    none_writable(p);
    spin_init(&p->table.lock, rank, rank == RANK_TABLES ? "middle table" : "page table");
    atomic_add_relaxed(&mm->table_pages, 1);
    vm_count(tables_made);
    return p;
}

void table_frame_free(struct mm *mm, struct page *p) {
    if (mm)
        atomic_sub(&mm->table_pages, 1);
    preempt_disable();
    vm_count(tables_freed);
    struct table_pool *pool = &pools[hart_id()];
    bool keep = pool->nr_tables < POOL_MAX;
    if (likely(keep))
        pool_push(&pool->tables, &pool->nr_tables, p);
    preempt_enable();
    if (!keep)
        page_free(p, 0);
}

u64 *root_alloc(void) {
    struct page *p = NULL;

    preempt_disable();
    struct table_pool *pool = &pools[hart_id()];
    if (likely(pool->roots))
        p = pool_pop(&pool->roots, &pool->nr_roots);
    preempt_enable();
    if (p)
        return page_va(p);
    u64 *root = page_alloc_va(ALLOC_ZERO);
    if (root)
        kernel_half(root);
    return root;
}

void root_free(u64 *root) {
    struct page *p = va_to_page(root);

    preempt_disable();
    struct table_pool *pool = &pools[hart_id()];
    bool keep = pool->nr_roots < POOL_MAX / 4;
    if (keep)
        pool_push(&pool->roots, &pool->nr_roots, p);
    preempt_enable_no_check();
    if (!keep)
        page_free(p, 0);
}

// ---- walking ----

// Hook a new table up at *slot unless another hart was faster; the table that is there. NULL: out
// of memory.
static struct page *hook_up(struct mm *mm, u64 *slot, enum lock_rank rank) {
    struct page *fresh = table_frame_alloc(mm, rank);
    u64 none = 0;

    if (!fresh)
        return NULL;
    if (atomic_cmpxchg(slot, &none, pte_make(page_to_pa(fresh), PTE_V))) {
        memory_fence();
        return fresh;
    }
    table_frame_free(mm, fresh);
    return pte_page(none);
}

u64 *middle_make(struct mm *mm, va_t addr) {
    u64 *slot = &mm->root[sv39_index(addr, 2)];
    u64 entry = load_acquire(slot);
    struct page *middle = likely(entry) ? pte_page(entry) : hook_up(mm, slot, RANK_TABLES);
    return middle ? (u64 *)page_va(middle) + sv39_index(addr, 1) : NULL;
}

struct page *table_make(struct mm *mm, va_t addr) {
    u64 *slot = middle_make(mm, addr), entry;

    if (!slot)
        return NULL;
    while ((entry = load_acquire(slot)) & PTE_SHARED)
        if (!table_unshare(mm, slot, addr))
            return NULL;
    return likely(entry) ? pte_page(entry) : hook_up(mm, slot, RANK_PAGE_TABLE);
}

pte_t table_entry(struct mm *mm, va_t addr) {
    u64 *slot = middle_slot(mm, addr), entry = slot ? load_acquire(slot) : 0;

    if (entry == 0 || entry_is_own(entry))
        return entry ? READ_ONCE(*table_slot(pte_page(entry), addr)) : 0;
    spin_lock(&slot_table(slot)->table.lock);
    pte_t pte = *slot ? READ_ONCE(*table_slot(pte_page(*slot), addr)) : 0;
    spin_unlock(&slot_table(slot)->table.lock);
    return pte;
}

// The first last-level table at or after *addr and before end: its entry, and *addr moves to its part. 0: none.
static u64 table_next(struct mm *mm, va_t *addr, va_t end) {
    while (*addr < end) {
        u64 entry = load_acquire(&mm->root[sv39_index(*addr, 2)]);
        if (!entry) {
            *addr = next_boundary(*addr, GIGAPAGE_SIZE, end);
            continue;
        }
        entry = load_acquire(&entry_table(entry)[sv39_index(*addr, 1)]);
        if (entry)
            return entry;
        *addr = next_boundary(*addr, MEGAPAGE_SIZE, end);
    }
    return 0;
}

// The entry of each last-level table under [from, to), with the part [addr, stop) that it covers.
#define for_each_table(entry, mm, addr, stop, from, to)                                            \
    for (va_t addr = (from), stop; addr < (to) && ((entry) = table_next(mm, &addr, to)) != 0 &&    \
                                   (stop = next_boundary(addr, MEGAPAGE_SIZE, to), true);          \
         addr = stop)

// Lock two tables, lower address first.
static void tables_lock(struct page *a, struct page *b) {
    spin_lock(&min(a, b)->table.lock);
    if (a != b)
        spin_lock(&max(a, b)->table.lock);
}

static void tables_unlock(struct page *a, struct page *b) {
    if (a != b)
        spin_unlock(&max(a, b)->table.lock);
    spin_unlock(&min(a, b)->table.lock);
}

// ---- gathering ----

static __attribute__((noinline)) void free_anon(struct page *p) {
    vm_count(anon_freed);
    page_free(p, 0);
}

static inline void drop_anon(struct page *p) {
    if (page_is_sole(p) || ref_put(&p->ref))
        free_anon(p);
}

void drop_page(struct page *p) {
    if (p->kind == PAGE_CACHE)
        page_put(p);
    else
        drop_anon(p);
}

static void gather_flush(struct gather *g) {
    preempt_disable();
    if (unlikely(g->everywhere))
        tlb_forget_everywhere();
    else if (g->end - g->start == PAGE_SIZE && !g->tables)
        tlb_shootdown_page(g->mm, g->start);
    else if (g->start < g->end || g->tables)
        tlb_shootdown(g->mm, g->start, g->end, g->tables);
    for (u32 i = 0; i < g->nr; i++)
        drop_page(g->page[i]);
    preempt_enable();
    g->nr = 0;
    g->start = ~0ul;
    g->end = 0;
}

void gather_finish(struct gather *g) {
    gather_flush(g);
    while (g->table_list) {
        struct page *table = list_entry(g->table_list, struct page, free.link);
        g->table_list = table->free.link.next;
        table_frame_free(g->mm, table);
    }
    g->tables = false;
}

static void gather_page(struct gather *g, struct page *p) {
    if (g->nr == GATHER_PAGES)
        gather_flush(g);
    g->page[g->nr++] = p;
}

// ---- unmapping ----

// One table's part of v; `shared`: for all owners; `cached`: only pages of its mapping. How many pages. => table locked
static __attribute__((always_inline)) inline u64 zap_part(struct gather *g, struct vma *v,
                                                          struct page *table, va_t addr, va_t stop,
                                                          bool shared, bool cached_only) {
    u64 anon = 0, other = 0;
    u32 left = table->table.used;

    for (pte_t *slot = table_slot(table, addr); addr < stop && left > 0;
         addr += PAGE_SIZE, slot++) {
        pte_t pte = *slot;
        if (!pte || (cached_only && pte_page(pte)->kind != PAGE_CACHE))
            continue;
        WRITE_ONCE(*slot, 0);
        left--;
        if (pte & PTE_V)
            gather_range(g, addr, addr + PAGE_SIZE);
        struct page *p = pte_page(pte);
        bool cached = p->kind == PAGE_CACHE;
        if (cached) {
            other++;
            if (pte & PTE_W)
                page_mark_dirty(p);
        } else {
            if (p == zero_page)
                continue;
            anon++;
        }
        gather_page(g, p);
    }
    table->table.used = left;
    if (left == 0)
        none_writable(table);
    vm_count_n(file_unmaps, other);
    if (shared) {
        table->table.lost[RSS_ANON] += anon;
        table->table.lost[cache_kind(v)] += other;
    } else {
        if (anon)
            count_rss(v, table, RSS_ANON, -anon);
        if (other)
            count_rss(v, table, cache_kind(v), -other);
    }
    return anon + other;
}

void table_zap(struct gather *g, struct vma *v, va_t start, va_t end) {
    u64 entry;

    for_each_table(entry, v->mm, addr, stop, start, end) {
        if (entry & PTE_SHARED) {
            stop = table_unmap_shared(g, addr, end);
            continue;  // with what follows, or with this one, which is v's own now
        }
        struct page *table = pte_page(entry);
        spin_lock(&table->table.lock);
        for (va_t a = addr, next; a < stop && table->table.used; a = next) {
            next = min(stop, a + ENTRIES_AT_ONCE * PAGE_SIZE);
            zap_part(g, v, table, a, next, false, false);
            spin_pause(&table->table.lock);
        }
        spin_unlock(&table->table.lock);
    }
}

// An entry goes, and its reference. True: it was one of a file's pages.
static bool free_entry(pte_t pte, const struct page *zero) {
    struct page *p = pte_page(pte);

    if (p->kind == PAGE_CACHE) {
        if (pte & PTE_W)
            page_mark_dirty(p);
        page_put(p);
        return true;
    }
    if (p != zero)
        drop_anon(p);
    return false;
}

void table_free_entries(struct page *table, u32 first, u32 end) {
    pte_t *slot = (pte_t *)page_va(table) + first, *stop = slot + (end - first);
    const struct page *zero = zero_page;
    u32 left = table->table.used, files = 0;

    while (slot < stop && left > 0) {
        pte_t pte = *slot++;
        if (!pte)
            continue;
        left--;
        slot[-1] = 0;
        files += free_entry(pte, zero);
    }
    table->table.used = left;
    vm_count_n(file_unmaps, files);
}

// Pages that left their mapping no fault brings back. But one that reclaim unmaps may be copied at once, by a fault that
// finds no entry: other harts have forgotten it before. => vmas_lock held
static u64 zap_shown(struct gather *g, struct vma *v, va_t start, va_t end, bool cached_only) {
    u64 zapped = 0;

    for (va_t a = start, stop; a < end; a = stop) {
        u64 *slot = middle_slot(v->mm, a);
        stop = next_boundary(a, slot ? MEGAPAGE_SIZE : GIGAPAGE_SIZE, end);
        if (!slot || !load_relaxed(slot))
            continue;
        struct spinlock *middle = &slot_table(slot)->table.lock;
        spin_lock(middle);
        u64 entry = *slot;
        if (entry) {
            struct page *table = pte_page(entry);
            spin_lock(&table->table.lock);
            u64 n = zap_part(g, v, table, a, stop, entry & PTE_SHARED, cached_only);
            g->everywhere |= n && entry & PTE_V && entry & PTE_SHARED;
            if (cached_only && n) {
                gather_flush(g);
                g->everywhere = false;
            }
            spin_unlock(&table->table.lock);
            zapped += n;
        }
        spin_unlock(middle);
    }
    return zapped;
}

void table_zap_shown(struct gather *g, struct vma *v, va_t start, va_t end) {
    zap_shown(g, v, start, end, false);
}

void table_zap_cached(struct gather *g, struct vma *v, va_t start, va_t end) {
    if (!(data_race(v->flags) & VM_LOCKED))
        vm_count_n(unmapped, zap_shown(g, v, start, end, true));
}

static void unhook(struct gather *g, u64 *slot) {
    struct page *table = pte_page(*slot);

    assert(table->table.used == 0 && !(*slot & PTE_SHARED));
    WRITE_ONCE(*slot, 0);
    table->free.link.next = g->table_list;
    g->table_list = &table->free.link;
    g->tables = true;
}

void table_free_range(struct gather *g, va_t start, va_t end, va_t floor, va_t ceiling) {
    for (va_t a = align_down(start, MEGAPAGE_SIZE); a < end; a += MEGAPAGE_SIZE) {
        u64 *slot = &g->mm->root[sv39_index(a, 2)];
        if (!*slot) {
            a = align_down(a, GIGAPAGE_SIZE) + GIGAPAGE_SIZE - MEGAPAGE_SIZE;
            continue;
        }
        slot = entry_table(*slot) + sv39_index(a, 1);
        if (a >= floor && a + MEGAPAGE_SIZE <= ceiling && *slot)
            unhook(g, slot);
    }
    for (va_t a = align_down(start, GIGAPAGE_SIZE); a < end; a += GIGAPAGE_SIZE) {
        u64 *slot = &g->mm->root[sv39_index(a, 2)];
        if (a >= floor && a + GIGAPAGE_SIZE <= ceiling && *slot)
            unhook(g, slot);
    }
}

// Nobody runs with these entries any more, and truncation is content with those that it still finds: the lock may be let go.
static void free_table(struct gather *g, u64 *slot, u32 first, struct spinlock *middle) {
    struct page *table = pte_page(*slot);

    for (; first < PTES_PER_TABLE && table->table.used; first += ENTRIES_AT_ONCE) {
        table_free_entries(table, first, min(first + ENTRIES_AT_ONCE, PTES_PER_TABLE));
        spin_pause(middle);
    }
    unhook(g, slot);
}

// Tables at [slot, end) of one middle table. Entries of the first one begin at `first`.
static void free_tables(struct gather *g, u64 *slot, u64 *end, u32 first) {
    struct page *middle = slot_table(slot);

    for (; slot < end && !*slot; first = 0)
        slot++;
    if (slot == end)
        return;
    spin_lock(&middle->table.lock);
    for (; slot < end; slot++, first = 0) {
        u64 entry = *slot;
        if (!entry)
            continue;
        if (entry & PTE_SHARED) {
            WRITE_ONCE(*slot, 0);
            table_leave_locked(pte_page(entry), &middle->table.lock);
        } else {
            free_table(g, slot, first, &middle->table.lock);
        }
    }
    spin_unlock(&middle->table.lock);
}

void table_free_dead(struct gather *g, struct vma *v) {
    struct vma *next = vma_next(v);

    for (va_t a = v->start, stop; a < v->end; a = stop) {
        u64 *root = &v->mm->root[sv39_index(a, 2)];
        stop = next_boundary(a, GIGAPAGE_SIZE, v->end);
        if (!*root)
            continue;
        u64 *slots = entry_table(*root);
        free_tables(g, slots + sv39_index(a, 1), slots + sv39_index(stop - 1, 1) + 1,
                    sv39_index(a, 0));
        if (!next || next->start >= align_up(stop, GIGAPAGE_SIZE))
            unhook(g, root);
    }
}

// ---- permissions ----

static pte_t reprotected(const struct vma *v, pte_t pte) {
    bool write = pte & PTE_W;

    if (!write && !(v->flags & VM_SHARED)) {
        struct page *p = pte_page(pte);
        write = p != zero_page && page_is_sole(p);
    }
    return (pte & ~PTE_FLAGS) | pte_flags(v, write);
}

void table_protect(struct gather *g, struct vma *v, va_t start, va_t end) {
    u64 entry;

    for_each_table(entry, v->mm, addr, stop, start, end) {
        struct page *table = pte_page(entry);
        spin_lock(&table->table.lock);
        u32 left = table->table.used;
        pte_t *slot = table_slot(table, addr);
        for (va_t a = addr; a < stop && left > 0; a += PAGE_SIZE, slot++) {
            pte_t old = *slot;
            if (!old)
                continue;
            left--;
            pte_t pte = reprotected(v, old);
            if (pte == old)
                continue;
            if (pte & PTE_W)
                note_writable(table, slot);
            WRITE_ONCE(*slot, pte);
            gather_range(g, a, a + PAGE_SIZE);
        }
        spin_unlock(&table->table.lock);
    }
}

void table_clean(struct gather *g, struct vma *v, va_t start, va_t end) {
    u64 entry;

    for_each_table(entry, v->mm, addr, stop, start, end) {
        if (entry & PTE_SHARED)
            continue;  // made before v, and private
        struct page *table = pte_page(entry);
        spin_lock(&table->table.lock);
        pte_t *slot = table_slot(table, addr);
        for (va_t a = addr; a < stop; a += PAGE_SIZE, slot++)
            if (*slot & PTE_W && pte_page(*slot)->kind == PAGE_CACHE) {
                WRITE_ONCE(*slot, *slot & ~(PTE_W | PTE_D));
                gather_range(g, a, a + PAGE_SIZE);
            }
        spin_unlock(&table->table.lock);
    }
}

// ---- fork ----

void copy_entries(struct gather *g, struct vma *to, struct page *to_table, struct page *table,
                  va_t addr, va_t stop) {
    pte_t *slot = table_slot(table, addr), *copy = table_slot(to_table, addr);
    const struct page *zero = zero_page;
    u32 left = table->table.used, anon = 0, zeroes = 0, files = 0;

    for (; addr < stop && left > 0; addr += PAGE_SIZE, slot++, copy++) {
        pte_t pte = *slot;
        if (!pte)
            continue;
        left--;
        if (!(pte & PTE_A))
            continue;  // a fault finds it again
        if (pte & PTE_W) {
            pte &= ~(PTE_W | PTE_D);
            WRITE_ONCE(*slot, pte);
            if (g)
                gather_range(g, addr, addr + PAGE_SIZE);
        }
        WRITE_ONCE(*copy, pte);
        struct page *p = pte_page(pte);
        if (p == zero) {
            zeroes++;
            continue;
        }
        page_get(p);
        if (p->kind == PAGE_CACHE)
            files++;
        else
            anon++;
    }
    to_table->table.used += anon + files + zeroes;
    vm_count_n(forked_ptes, anon + files + zeroes);
    vm_count_n(file_maps, files);
    if (anon)
        count_rss(to, to_table, RSS_ANON, anon);
    if (files)
        count_rss(to, to_table, cache_kind(to), files);
}

// The child gets a copy of a page that was copied after the last forks too, and may write it. False: this is none, or
// there is no memory to spare. => both tables locked, or the new one not hooked up
static __attribute__((noinline)) bool copy_page_ahead(struct vma *v, struct page *to, pte_t *slot,
                                                      struct page *table, pte_t *from) {
    pte_t pte = *from;
    struct page *p = pte_page(pte), *copy;
    u16 ahead = READ_ONCE(p->ahead);

    if (ahead < 2 || !(v->flags & VM_WRITE) || !page_is_sole(p) ||
        !(copy = page_alloc(0, ALLOC_USER | ALLOC_ATOMIC)))
        return false;
    WRITE_ONCE(p->ahead, ahead - 1);
    pa_t frame = page_to_pa(copy);
    page_copy(pa_to_va(frame), pa_to_va(pte_pa(pte)));
    WRITE_ONCE(*slot, pte_make(frame, pte_flags(v, true)));
    note_writable(to, slot);
    if (pte & PTE_W)
        note_writable(table, from);
    vm_count(pages_ahead);
    return true;
}

void copy_ahead(struct gather *g, struct vma *v, struct page *to, struct page *table, va_t block) {
    const struct page *zero = zero_page;
    u64 distance = (char *)page_va(to) - (char *)page_va(table);
    u32 left = table->table.used, used = 0, copied = 0, n[RSS_KINDS] = {0};
    struct mm *mm = v->mm;

    none_writable(table);
    for (; v && v->start < block + MEGAPAGE_SIZE && left > 0; v = vma_next(v)) {
        pte_t *slot = table_slot(table, max(v->start, block));
        pte_t *end = table_slot(table, min(v->end, block + MEGAPAGE_SIZE) - PAGE_SIZE) + 1;
        for (; slot < end; slot++) {
            pte_t pte = *slot, *copy = (pte_t *)((char *)slot + distance);
            if (!pte)
                continue;
            left--;
            if (!(pte & PTE_A))
                continue;  // a fault finds it again
            struct page *p = pte_page(pte);
            used++;
            if (unlikely(READ_ONCE(p->ahead)) && copied < AHEAD_PAGES &&
                copy_page_ahead(v, to, copy, table, slot)) {
                copied++;
                n[RSS_ANON]++;
                continue;
            }
            WRITE_ONCE(*copy, pte & ~(PTE_W | PTE_D));
            if (p == zero)
                continue;
            page_get(p);
            if (p->kind != PAGE_CACHE) {
                n[RSS_ANON]++;
                if (!(pte & PTE_W))
                    continue;
                WRITE_ONCE(*slot, pte & ~(PTE_W | PTE_D));
            } else {
                n[cache_kind(v)]++;
                WRITE_ONCE(*slot, pte & ~PTE_A);  // will it be used again?
            }
            va_t addr = block + ((u64)slot & (PAGE_SIZE - 1)) / sizeof(pte_t) * PAGE_SIZE;
            gather_range(g, addr, addr + PAGE_SIZE);
        }
    }
    to->table.used = used;
    for (u32 kind = 0; kind < RSS_KINDS; kind++)
        if (n[kind]) {
            to->table.rss[kind] = n[kind];
            atomic_add_relaxed(&mm->rss[kind], n[kind]);
        }
    vm_count_n(forked_ptes, used);
    vm_count_n(file_maps, n[RSS_FILE] + n[RSS_SHMEM]);
}

int table_copy(struct gather *g, struct vma *to, struct vma *from, va_t addr, va_t stop) {
    struct page *table = table_find(from->mm, addr), *to_table;

    if (table->table.used == 0)
        return 0;
    to_table = table_make(to->mm, addr);
    if (!to_table)
        return -ENOMEM;
    tables_lock(table, to_table);
    copy_entries(g, to, to_table, table, addr, stop);
    tables_unlock(table, to_table);
    return 0;
}

// ---- mremap ----

int table_move(struct gather *g, struct vma *from, va_t old, struct vma *to, va_t new_,
               size_t length) {
    struct mapping *m = from->mapping;
    u64 entry;

    if (table_own(from->mm, old, old + length) < 0)
        return -ENOMEM;
    for_each_table(entry, from->mm, addr, stop, old, old + length) {
        struct page *table = pte_page(entry);
        va_t target = new_ + (addr - old);
        stop = min(stop, addr + (next_boundary(target, MEGAPAGE_SIZE, new_ + length) - target));
        struct page *to_table = table_make(to->mm, target);
        if (!to_table)
            return -ENOMEM;
        if (m)
            spin_lock(&m->vmas_lock);
        tables_lock(table, to_table);
        pte_t *slot = table_slot(table, addr), *copy = table_slot(to_table, target);
        for (va_t a = addr; a < stop; a += PAGE_SIZE, slot++, copy++) {
            if (!*slot)
                continue;
            WRITE_ONCE(*copy, *slot);
            WRITE_ONCE(*slot, 0);
            table->table.used--;
            to_table->table.used++;
            if (*copy & PTE_W)
                note_writable(to_table, copy);
            enum rss_kind kind = rss_kind(from, pte_page(*copy));
            bool counts = pte_page(*copy) != zero_page;
            table->table.rss[kind] -= counts;
            to_table->table.rss[kind] += counts;
            gather_range(g, a, a + PAGE_SIZE);
        }
        tables_unlock(table, to_table);
        if (m)
            spin_unlock(&m->vmas_lock);
    }
    return 0;
}
