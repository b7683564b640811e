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
 * where no VMA is any more. Truncation and write-back walk tables without mm->lock: they hold the
 * vmas_lock of a mapping and stay within a VMA that is on its list, and a VMA leaves that list
 * before its tables go.
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
 * never loaded again.
 *
 * A table is full of zeroes when it is freed, a root has its kernel half besides. Each hart keeps
 * some in a pool, so that the next fork need not clear them. Pools are used with preemption off.
 *
 * Lock order: vmas_lock, then table locks (two of them by address), then mapping->lock and the page
 * allocator.
 */
#include "arch/arch.h"
#include "lib/string.h"
#include "mm/internal.h"
#include "mm/stats.h"
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

static struct page *frame_alloc(struct mm *mm) {
    struct page *p = NULL;

    preempt_disable();
    struct table_pool *pool = &pools[hart_id()];
    if (likely(pool->tables))
        p = pool_pop(&pool->tables, &pool->nr_tables);
    preempt_enable();
    if (!p)
        p = page_alloc(0, ALLOC_ZERO);
    if (!p)
        return NULL;
    p->kind = PAGE_TABLE;
    spin_init(&p->table.lock, RANK_PAGE_TABLE, "page table");
    p->table.used = 0;
    atomic_add_relaxed(&mm->table_pages, 1);
    vm_count(tables_made);
    return p;
}

static void frame_free(struct mm *mm, struct page *p) {
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
static struct page *hook_up(struct mm *mm, u64 *slot) {
    struct page *fresh = frame_alloc(mm);
    u64 none = 0;

    if (!fresh)
        return NULL;
    if (atomic_cmpxchg(slot, &none, pte_make(page_to_pa(fresh), PTE_V))) {
        memory_fence();
        return fresh;
    }
    frame_free(mm, fresh);
    return pte_page(none);
}

struct page *table_make(struct mm *mm, va_t addr) {
    u64 *slot = &mm->root[sv39_index(addr, 2)];
    u64 entry = load_acquire(slot);
    struct page *middle = entry ? pte_page(entry) : hook_up(mm, slot);

    if (!middle)
        return NULL;
    slot = (u64 *)page_va(middle) + sv39_index(addr, 1);
    entry = load_acquire(slot);
    return likely(entry) ? pte_page(entry) : hook_up(mm, slot);
}

pte_t table_entry(struct mm *mm, va_t addr) {
    struct page *table = table_find(mm, addr);
    return table ? READ_ONCE(*table_slot(table, addr)) : 0;
}

static va_t next_boundary(va_t addr, u64 size, va_t end) {
    return min(align_down(addr, size) + size, end);
}

// The first last-level table at or after *addr and before end; *addr moves to its part. NULL: none.
static struct page *table_next(struct mm *mm, va_t *addr, va_t end) {
    while (*addr < end) {
        u64 entry = load_acquire(&mm->root[sv39_index(*addr, 2)]);
        if (!entry) {
            *addr = next_boundary(*addr, GIGAPAGE_SIZE, end);
            continue;
        }
        entry = load_acquire(&entry_table(entry)[sv39_index(*addr, 1)]);
        if (entry)
            return pte_page(entry);
        *addr = next_boundary(*addr, MEGAPAGE_SIZE, end);
    }
    return NULL;
}

// Each last-level table that exists under [from, to), with the part [addr, stop) that it covers.
#define for_each_table(table, mm, addr, stop, from, to)                                            \
    for (va_t addr = (from), stop; ((table) = table_next(mm, &addr, to)) != NULL &&                \
                                   (stop = next_boundary(addr, MEGAPAGE_SIZE, to), true);          \
         addr = stop)

void tables_lock(struct page *a, struct page *b) {
    spin_lock(&min(a, b)->table.lock);
    if (a != b)
        spin_lock(&max(a, b)->table.lock);
}

void tables_unlock(struct page *a, struct page *b) {
    if (a != b)
        spin_unlock(&max(a, b)->table.lock);
    spin_unlock(&min(a, b)->table.lock);
}

// ---- entries ----

static u64 *cache_counter(struct vma *v) {
    return v->mapping && v->mapping->flags & MAPPING_PINNED ? &v->mm->rss_shmem : &v->mm->rss_file;
}

u64 *rss_counter(struct vma *v, const struct page *p) {
    return p->kind == PAGE_CACHE ? cache_counter(v) : &v->mm->rss_anon;
}

// ---- gathering ----

void drop_page(struct page *p) {
    if (p->kind == PAGE_CACHE) {
        page_put(p);
    } else if (page_is_sole(p) || ref_put(&p->ref)) {
        vm_count(anon_freed);
        page_free(p, 0);
    }
}

static void gather_flush(struct gather *g) {
    preempt_disable();
    if (g->start < g->end || g->tables)
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
        frame_free(g->mm, table);
    }
    g->tables = false;
}

static void gather_page(struct gather *g, struct page *p) {
    if (g->nr == GATHER_PAGES)
        gather_flush(g);
    g->page[g->nr++] = p;
}

// ---- unmapping ----

// One table's part of v. g NULL: the address space is dead. => table locked
static void zap_part(struct gather *g, struct vma *v, struct page *table, va_t addr, va_t stop) {
    u64 anon = 0, other = 0;
    u32 left = table->table.used;

    for (pte_t *slot = table_slot(table, addr); addr < stop && left > 0;
         addr += PAGE_SIZE, slot++) {
        pte_t pte = *slot;
        if (!pte)
            continue;
        WRITE_ONCE(*slot, 0);
        left--;
        if (g && pte & PTE_V)
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
        if (g)
            gather_page(g, p);
        else if (cached)
            page_put(p);
        else
            drop_page(p);
    }
    table->table.used = left;
    if (anon)
        atomic_sub(&v->mm->rss_anon, anon);
    vm_count_n(file_unmaps, other);
    if (other)
        atomic_sub(cache_counter(v), other);
}

static void zap(struct gather *g, struct vma *v, va_t start, va_t end) {
    struct page *table;

    for_each_table(table, v->mm, addr, stop, start, end) {
        spin_lock(&table->table.lock);
        zap_part(g, v, table, addr, stop);
        spin_unlock(&table->table.lock);
    }
}

void table_zap(struct gather *g, struct vma *v, va_t start, va_t end) { zap(g, v, start, end); }

void table_zap_dead(struct vma *v) { zap(NULL, v, v->start, v->end); }

static void unhook(struct gather *g, u64 *slot) {
    struct page *table = pte_page(*slot);

    assert(table->table.used == 0);
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

void table_free_dead(struct mm *mm) {
    struct gather g;

    gather_init(&g, mm);
    for (struct vma *v = vma_first(mm), *next; v; v = next) {
        // The parts of the address space that this VMA is the last one in go with it.
        va_t ceiling = 1ul << 38;
        next = vma_next(v);
        if (next)
            ceiling = next->start;
        table_free_range(&g, v->start, v->end, 0, ceiling);
    }
    gather_finish(&g);
}

// ---- permissions ----

static pte_t reprotected(const struct vma *v, pte_t pte) {
    struct page *p = pte_page(pte);
    bool write = pte & PTE_W;

    if (!(v->flags & VM_SHARED) && p != zero_page && page_is_sole(p))
        write = true;
    return pte_for(v, p, write);
}

void table_protect(struct gather *g, struct vma *v, va_t start, va_t end) {
    struct page *table;

    for_each_table(table, v->mm, addr, stop, start, end) {
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
            WRITE_ONCE(*slot, pte);
            gather_range(g, a, a + PAGE_SIZE);
        }
        spin_unlock(&table->table.lock);
    }
}

void table_clean(struct gather *g, struct vma *v, va_t start, va_t end) {
    struct page *table;

    for_each_table(table, v->mm, addr, stop, start, end) {
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

// => both tables locked
static void copy_part(struct gather *g, struct vma *to, struct page *to_table, struct page *table,
                      va_t addr, va_t stop) {
    pte_t *slot = table_slot(table, addr), *copy = table_slot(to_table, addr);
    u32 left = table->table.used, copied = 0, anon = 0, zeroes = 0;

    for (; addr < stop && left > 0; addr += PAGE_SIZE, slot++, copy++) {
        pte_t pte = *slot;
        if (!pte)
            continue;
        left--;
        if (pte & PTE_W) {
            pte &= ~(PTE_W | PTE_D);
            WRITE_ONCE(*slot, pte);
            gather_range(g, addr, addr + PAGE_SIZE);
        }
        struct page *p = pte_page(pte);
        if (p == zero_page)
            zeroes++;
        else
            page_get(p);
        anon += p->kind != PAGE_CACHE;
        copied++;
        WRITE_ONCE(*copy, pte);
    }
    to_table->table.used += copied;
    vm_count_n(forked_ptes, copied);
    vm_count_n(file_maps, copied - anon);
    if (anon - zeroes)
        atomic_add_relaxed(&to->mm->rss_anon, anon - zeroes);
    if (copied - anon)
        atomic_add_relaxed(cache_counter(to), copied - anon);
}

int table_copy(struct gather *parent, struct vma *to, struct vma *from) {
    struct page *table;

    for_each_table(table, from->mm, addr, stop, from->start, from->end) {
        if (READ_ONCE(table->table.used) == 0)
            continue;
        struct page *to_table = table_make(to->mm, addr);
        if (!to_table)
            return -ENOMEM;
        tables_lock(table, to_table);
        copy_part(parent, to, to_table, table, addr, stop);
        tables_unlock(table, to_table);
    }
    return 0;
}

// ---- mremap ----

int table_move(struct gather *g, struct vma *from, va_t old, struct vma *to, va_t new_,
               size_t length) {
    struct mapping *m = from->mapping;
    struct page *table;

    for_each_table(table, from->mm, addr, stop, old, old + length) {
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
            gather_range(g, a, a + PAGE_SIZE);
        }
        tables_unlock(table, to_table);
        if (m)
            spin_unlock(&m->vmas_lock);
    }
    return 0;
}
