/*
 * share.c: last-level page tables that several address spaces have, so that fork costs as much as
 * the VMAs and the middle tables, whatever is mapped.
 *
 * A shared table belongs to its owners, the address spaces whose middle tables have an entry for
 * it; page->ref counts them. Nobody adds an entry to it. Who wants to change what it maps first
 * makes a table of its own:
 *
 *              fork                        fork             others leave or copy
 *   own (V) ----------> shared, 2 owners ----------> 3 ... ---------------------> 1 owner
 *      ^                    | a fault, munmap of a part, mprotect, mremap:           | the same:
 *      |                    | copies its entries                                     | takes it over,
 *      `--------------------'--------------------------------------------------------' one store
 *
 * RISC-V has no permissions in entries of middle tables. So a table with writable entries hangs
 * from entries without V, which keep it by PTE_SHARED: any access faults. With only a few writable
 * ones fork makes these read-only, as the pages' first writes will copy anyway, and the table stays
 * valid for all its owners: reading, or running code, does not fault. The copy of a table has no
 * writable entries, and neither has its original from then on.
 *
 * What is true of a shared table
 *   - each owner had the same VMAs over its entries at fork, all private, and has them still:
 *     changing one makes the table its own first. A block of 2 MiB with a VMA of FORK_NO_TABLE is
 *     not shared; fork copies entries there.
 *   - a copy leaves out pages of files that were not used (PTE_A), which a fault finds again in the mapping
 *   - a page that only this table maps has count 1, though the table has several owners. Nobody
 *     looks at the count of a page before the table is his own.
 *   - every owner counts rss[] pages for it. Truncation (or reclaim), which comes by way of one owner, takes
 *     entries out of it for all of them and notes that in lost[]; an owner corrects what it counts
 *     when it leaves or takes over.
 *   - no hart remembers a translation through an entry that is not valid: fork makes the parent's
 *     harts forget, so a copy, or a page that truncation takes out, needs no shootdown. For valid ones all
 *     harts must forget everything then, whoever's it was.
 *
 * Locks: mm->lock, held for reading at least, keeps own entries as they are; they become shared in
 * fork only. A shared entry is looked at again with the middle table's lock, for another thread may
 * make it its own; while that is held, the table keeps our reference. Then the table's lock, for
 * other owners copy it and truncation zaps it at the same time. Truncation has no mm->lock, so it
 * takes the middle table's for own tables too, and fork takes it where it shares one.
 *
 *   owner A writes                          owner B exits
 *   count is 2: makes a frame, locks,
 *   copies, page references +1
 *                                           entry = 0, count 2 -> 1
 *   entry = the copy, count 1 -> 0: drops
 *   the original's page references and it
 * In the other order A finds count 1 and takes the table over. When both copy, the second one to
 * drop its reference frees the original.
 *
 *   two threads of A write                  both find the entry shared; the second one to get the
 *                                           middle table's lock finds it own and frees its frame
 *   out of memory in a copy                 nothing has changed; the fault, or the call, fails
 *
 * Copies ahead. A shell forks again and again, and each child writes the same few pages. What was
 * copied after two forks, a table or a page of it, has page->ahead > 1, and that many forks less
 * one give the child its own copy at once, which saves both sides their faults. Then one fork
 * shares again, to see whether the copies are still wanted. Only small tables, few of them, and few
 * of their pages, for a real-time task must wait while they are locked; and only of a parent that
 * runs alone: nobody may write a page while it is copied, and the parent keeps its own writable
 * entries. Such a table is never a shared one; the child is the only one who has it from the
 * beginning. It is made when the child's VMAs are all on their mappings' lists, with the parent's
 * middle table locked until it is hooked up:
 *
 *   fork                                    truncation
 *   locks the parent's middle table         page->cache.mapping = NULL
 *   copies the entry                        waits for that lock; clears the parent's entry
 *   hooks the table up, unlocks             comes to the child's VMA, which is behind the parent's
 *                                           on the list: clears the copy
 * In the other order there is no entry to copy. Of pages of files only those are copied that were
 * used since the last fork: the copy takes the bit A off the parent's entries. Where the hardware
 * does not set A itself, fault.c does.
 */
#include "lib/string.h"
#include "mm/internal.h"
#include "mm/stats.h"

#define PROTECT_MAX 64  // fork looks at so many entries of a table to keep it valid

// ---- entries ----

// No entry is writable any more. => locked, or only one's own
static __attribute__((noinline)) void protect(struct gather *g, struct page *table, va_t block) {
    pte_t *slot = page_va(table);
    u32 first = table->table.writable, end = table->table.writable_end;

    if (first >= end)
        return;
    gather_range(g, block + first * PAGE_SIZE, block + end * PAGE_SIZE);
    for (u32 i = first; i < end; i++)
        if (slot[i] & PTE_W)
            WRITE_ONCE(slot[i], slot[i] & ~(PTE_W | PTE_D));
    none_writable(table);
}

// ---- giving up a share ----

// mm no longer counts these pages.
static void uncount(struct mm *mm, const u16 *n) {
    for (u32 kind = 0; kind < RSS_KINDS; kind++)
        if (n[kind])
            atomic_sub(&mm->rss[kind], n[kind]);
}

void table_destroy(struct page *table) {
    table_free_entries(table, 0, PTES_PER_TABLE);
    table_frame_free(NULL, table);
}

static bool sole_owner(const struct page *table) { return load_acquire(&table->ref.count) == 1; }

// => the middle table locked, mm the only owner
static void take_over(struct mm *mm, u64 *slot, struct page *table) {
    uncount(mm, table->table.lost);
    for (u32 kind = 0; kind < RSS_KINDS; kind++) {
        table->table.rss[kind] -= table->table.lost[kind];
        table->table.lost[kind] = 0;
    }
    store_release(slot, (*slot | PTE_V) & ~PTE_SHARED);
}

// Give `to`, which is empty, what mm has in the block by `table`, but for what a fault finds in a
// file's mapping. => the middle table locked
static void copy_block(struct mm *mm, struct page *to, struct page *table, va_t block) {
    struct vma *v = vma_find(mm, block);

    spin_lock(&table->table.lock);
    for (; v && v->start < block + MEGAPAGE_SIZE; v = vma_next(v))
        copy_entries(NULL, v, to, table, max(v->start, block), min(v->end, block + MEGAPAGE_SIZE));
    none_writable(table);
    uncount(mm, table->table.rss);
    spin_unlock(&table->table.lock);
}

// => the middle table locked
static void put_copy(struct mm *mm, u64 *slot, struct page *table, struct page *copy, va_t block) {
    u64 entry = *slot;

    note_copied(table, copy);
    copy_block(mm, copy, table, block);
    store_release(slot, pte_make(page_to_pa(copy), PTE_V));
    if (entry & PTE_V)
        tlb_shootdown(mm, 0, USER_TOP, true);
    table_leave(table);
    atomic_sub(&mm->table_pages, 1);
}

bool table_unshare(struct mm *mm, u64 *slot, va_t addr) {
    struct spinlock *lock = &slot_table(slot)->table.lock;
    struct page *fresh = NULL;
    bool more = true;

    spin_lock(lock);
    while (more && *slot & PTE_SHARED) {
        struct page *table = pte_page(*slot);
        if (sole_owner(table)) {
            take_over(mm, slot, table);
            vm_count(table_reuses);
        } else if (fresh) {
            put_copy(mm, slot, table, fresh, align_down(addr, MEGAPAGE_SIZE));
            vm_count(table_copies);
            fresh = NULL;
        } else {
            spin_unlock(lock);
            fresh = table_frame_alloc(mm, RANK_PAGE_TABLE);
            more = fresh != NULL;
            spin_lock(lock);
        }
    }
    bool ok = !(*slot & PTE_SHARED);
    spin_unlock(lock);
    if (fresh)
        table_frame_free(mm, fresh);
    return ok;
}

int table_own_all(struct mm *mm, va_t start, va_t end) {
    for (va_t a = start; a < end; a = align_down(a, MEGAPAGE_SIZE) + MEGAPAGE_SIZE)
        if (table_is_shared(mm, a) && !table_unshare(mm, middle_slot(mm, a), a))
            return -ENOMEM;
    return 0;
}

int table_own_edges(struct mm *mm, va_t start, va_t end, va_t floor, va_t ceiling) {
    int error = 0;

    if (align_down(start, MEGAPAGE_SIZE) < floor)
        error = table_own(mm, start, start + 1);
    if (!error && align_up(end, MEGAPAGE_SIZE) > ceiling)
        error = table_own(mm, end - 1, end);
    return error;
}

va_t table_unmap_shared(struct gather *g, va_t addr, va_t end) {
    u64 *slot = middle_slot(g->mm, addr), n = 0;
    struct page *middle = slot_table(slot);
    va_t stop = next_boundary(addr, GIGAPAGE_SIZE, end);

    spin_lock(&middle->table.lock);
    for (u64 entry; addr < stop && (entry = *slot) & PTE_SHARED; slot++, n++) {
        WRITE_ONCE(*slot, 0);
        if (entry & PTE_V)
            tlb_shootdown(g->mm, 0, USER_TOP, true);
        uncount(g->mm, pte_page(entry)->table.rss);
        table_leave_locked(pte_page(entry), &middle->table.lock);
        addr = align_down(addr, MEGAPAGE_SIZE) + MEGAPAGE_SIZE;
    }
    spin_unlock(&middle->table.lock);
    atomic_sub(&g->mm->table_pages, n);
    return min(addr, end);
}

// ---- fork ----

// The entry for a table that others get too. => only the parent has it, its middle table is locked
static inline u64 begin_sharing(struct gather *g, struct page *table, u64 entry, va_t block) {
    if (table->table.writable_end - table->table.writable > PROTECT_MAX) {
        g->tables = true;
        return (entry & ~PTE_V) | PTE_SHARED;
    }
    protect(g, table, block);
    return entry | PTE_SHARED;
}

// Copies of tables and pages that were copied after the last forks are made at once: no fault asks for them later. Only
// while nobody else runs, who could write a page while it is copied.
static bool copies_ahead(const struct forking *f, const struct page *table, u64 entry) {
    return unlikely(READ_ONCE(table->ahead) > 1) && f->alone && f->nr_ahead < AHEAD_TABLES &&
           table->table.used <= AHEAD_ENTRIES && (!(entry & PTE_SHARED) || sole_owner(table));
}

// The child gets the table at *from, for block: the table, or NULL: it is empty. => the middle table locked
static __attribute__((always_inline)) inline struct page *share_table(struct gather *g, u64 *from,
                                                                      u64 *to, va_t block) {
    u64 entry = *from;
    struct page *table = pte_page(entry);

    if (!(entry & PTE_SHARED)) {
        if (table->table.used == 0)
            return NULL;
        entry = begin_sharing(g, table, entry, block);
        WRITE_ONCE(*from, entry);
        memory_fence();  // who finds it by the child's entry finds it protected
    }
    page_get(table);
    WRITE_ONCE(*to, entry);
    return table;
}

static void count_shares(struct mm *child, u64 tables, u64 anon, u64 file, u64 shmem) {
    atomic_add_relaxed(&child->table_pages, tables);
    atomic_add_relaxed(&child->rss[RSS_ANON], anon);
    atomic_add_relaxed(&child->rss[RSS_FILE], file);
    atomic_add_relaxed(&child->rss[RSS_SHMEM], shmem);
    vm_count_n(table_shares, tables);
}

// The child gets the tables of whole blocks [addr, end), which are under one middle table. 0 or
// -ENOMEM
static int share(struct forking *f, va_t addr, va_t end) {
    u64 *from = middle_slot(f->g.mm, addr), *to = middle_make(f->child, addr);
    struct page *middle = slot_table(from), *table;
    u64 n = 0, anon = 0, file = 0, shmem = 0;

    if (!to)
        return -ENOMEM;
    spin_lock(&middle->table.lock);
    for (; addr < end; addr += MEGAPAGE_SIZE, from++, to++) {
        u64 entry = *from;
        if (!entry)
            continue;
        if (copies_ahead(f, pte_page(entry), entry)) {
            f->ahead[f->nr_ahead].from = from;
            f->ahead[f->nr_ahead].to = to;
            f->ahead[f->nr_ahead++].block = addr;
        } else if ((table = share_table(&f->g, from, to, addr)) != NULL) {
            n++;
            anon += table->table.rss[RSS_ANON];
            file += table->table.rss[RSS_FILE];
            shmem += table->table.rss[RSS_SHMEM];
        }
    }
    spin_unlock(&middle->table.lock);
    if (n)
        count_shares(f->child, n, anon, file, shmem);
    return 0;
}

// => the middle table locked, the parent alone has the table
static void copy_table_ahead(struct forking *f, u64 *from, struct page *copy, va_t block) {
    struct page *table = pte_page(*from);

    if (*from & PTE_SHARED)
        take_over(f->g.mm, from, table);
    WRITE_ONCE(table->ahead, table->ahead - 1);
    spin_lock(&table->table.lock);
    copy_ahead(&f->g, vma_find(f->child, block), copy, table, block);
    spin_unlock(&table->table.lock);
    vm_count(tables_ahead);
}

void table_fork_ahead(struct forking *f) {
    for (u32 i = 0; i < f->nr_ahead; i++) {
        u64 *from = f->ahead[i].from, *to = f->ahead[i].to;
        struct page *table = pte_page(*from), *copy = table_frame_alloc(f->child, RANK_PAGE_TABLE);
        struct spinlock *lock = &slot_table(from)->table.lock;

        spin_lock(lock);
        if (copy) {
            copy_table_ahead(f, from, copy, f->ahead[i].block);
            store_release(to, pte_make(page_to_pa(copy), PTE_V));
        } else if (share_table(&f->g, from, to, f->ahead[i].block)) {
            count_shares(f->child, 1, table->table.rss[RSS_ANON], table->table.rss[RSS_FILE],
                         table->table.rss[RSS_SHMEM]);
        }
        spin_unlock(lock);
    }
}

// A block with parts of several VMAs, of which v is the first one that comes here: may its table be
// shared?
static void look_at_block(struct forking *f, struct vma *v, va_t block) {
    if (f->block == block)
        return;
    f->block = block;
    f->way = FORK_SHARE;
    for (; v && v->start < block + MEGAPAGE_SIZE; v = vma_next(v))
        if (v->flags & FORK_NO_TABLE || vma_pins_cache(v))
            f->way = FORK_COPY;
}

void table_fork_skip(struct forking *f, struct vma *v) {
    look_at_block(f, v, align_down(v->start, MEGAPAGE_SIZE));
    look_at_block(f, v, align_down(v->end - 1, MEGAPAGE_SIZE));
}

// from's part [addr, stop) of a block that has a table.
static int fork_part(struct forking *f, struct vma *to, struct vma *from, u64 *slot, va_t addr,
                     va_t stop) {
    va_t block = align_down(addr, MEGAPAGE_SIZE);

    look_at_block(f, from, block);
    if (f->way == FORK_SHARE) {
        f->way = FORK_DONE;
        return share(f, block, block + MEGAPAGE_SIZE);
    }
    if (f->way == FORK_DONE || vma_is_file(from))
        return 0;
    if (*slot & PTE_SHARED && !table_unshare(from->mm, slot, addr))
        return -ENOMEM;
    return table_copy(&f->g, to, from, addr, stop);
}

int table_fork(struct forking *f, struct vma *to, struct vma *from) {
    int error = 0;

    for (va_t a = from->start, stop; a < from->end && !error; a = stop) {
        u64 *slot = middle_slot(from->mm, a);
        stop = next_boundary(a, GIGAPAGE_SIZE, from->end);
        if (!slot)
            continue;
        if (is_aligned(a, MEGAPAGE_SIZE) && a + MEGAPAGE_SIZE <= from->end &&
            !vma_pins_cache(from)) {
            stop = align_down(stop, MEGAPAGE_SIZE);
            error = share(f, a, stop);
        } else {
            stop = next_boundary(a, MEGAPAGE_SIZE, from->end);
            if (*slot)
                error = fork_part(f, to, from, slot, a, stop);
        }
    }
    return error;
}
