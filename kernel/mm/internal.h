// Between the files of mm/ only.
#ifndef MM_INTERNAL_H
#define MM_INTERNAL_H

#include "abi/errno.h"
#include "mm/pagecache.h"
#include "mm/vm.h"

// ---- reclaim.c: clean cache pages in the order in which they go ----
void lru_add(struct page *p);     // => p on no list, clean, p->cache.mapping->lock held
void lru_remove(struct page *p);  // take it off if it is there. => the same lock held

u64 lru_pages(void);

// ---- pagecache.c ---- Take a page out of its mapping; drops the cache's reference. => page
// locked; false when it is dirty or has other users than the caller and the cache.
bool pagecache_evict(struct page *p);
void flusher_wake(void);  // dirty pages should be written now

// ---- table.c: page tables ----
// An entry of a middle table is one of
//   0                    no last-level table
//   PTE_V                one that is this address space's own
//   PTE_V, PTE_SHARED    one that others have too, without writable pages
//   PTE_SHARED           one that others have too; the hardware does not see it
// Own ones change only with mm->lock held for writing, shared ones with the middle table's lock: share.c.
#define PTE_SHARED PTE_SOFT1
// A page-table entry of a user page is one of
//   0                nothing there
//   PTE_V set        a mapping
//   PTE_HIDDEN set   PTE_V clear: the page stays, the VMA forbids access (PROT_NONE)
// All frames but the zero page are counted: one reference for each entry.
#define PTE_HIDDEN PTE_SOFT0

static inline struct page *pte_page(pte_t pte) { return pa_to_page(pte_pa(pte)); }

// An anonymous page with one user, who asks: => its entry's table is locked, or the entry is gone
// already. Acquires what the last other user did with the page.
static inline bool page_is_sole(const struct page *p) {
    return p->kind == PAGE_USED && load_acquire(&p->ref.count) == 1;
}

static inline u64 *entry_table(u64 entry) { return pa_to_va(pte_pa(entry)); }
static inline bool entry_is_own(u64 entry) { return (entry & (PTE_V | PTE_SHARED)) == PTE_V; }
// The entry of a middle table for addr, or NULL.
static inline u64 *middle_slot(const struct mm *mm, va_t addr) {
    u64 entry = load_acquire(&mm->root[sv39_index(addr, 2)]);
    return entry ? entry_table(entry) + sv39_index(addr, 1) : NULL;
}
static inline bool table_is_shared(const struct mm *mm, va_t addr) {
    const u64 *slot = middle_slot(mm, addr);
    return slot && load_relaxed(slot) & PTE_SHARED;
}
// mm's own last-level table for addr, or NULL: there is none, or a shared one. => mm->lock held
static inline struct page *table_find(const struct mm *mm, va_t addr) {
    const u64 *slot = middle_slot(mm, addr);
    u64 entry = slot ? load_acquire(slot) : 0;
    return entry_is_own(entry) ? pte_page(entry) : NULL;
}
// The same, made if missing, copied if shared; NULL when out of memory. May sleep.
struct page *table_make(struct mm *mm, va_t addr);
pte_t table_entry(struct mm *mm,
                  va_t addr);  // of an own or a shared table; 0: none. => mm->lock held
// How many address spaces have the table for addr.
static inline u32 table_owners(const struct mm *mm, va_t addr) {
    const u64 *slot = middle_slot(mm, addr);
    u64 entry = slot ? load_relaxed(slot) : 0;
    return entry & PTE_SHARED ? ref_read(&pte_page(entry)->ref) : 1;
}
u64 *middle_make(struct mm *mm, va_t addr);  // as middle_slot, made if missing. May sleep
// A table's frame counts for mm, if it is not NULL.
struct page *table_frame_alloc(struct mm *mm, enum lock_rank rank);
void table_frame_free(struct mm *mm, struct page *p);
static inline struct page *slot_table(const void *slot) {
    return va_to_page((void *)align_down((u64)slot, PAGE_SIZE));
}
static inline va_t next_boundary(va_t addr, u64 size, va_t end) {
    return min(align_down(addr, size) + size, end);
}
// The table has a writable entry at slot. => locked
static inline void note_writable(struct page *table, const pte_t *slot) {
    u16 i = (u64)slot / sizeof(pte_t) % PTES_PER_TABLE;
    if (i < table->table.writable)
        table->table.writable = i;
    if (i >= table->table.writable_end)
        table->table.writable_end = i + 1;
}
static inline pte_t *table_slot(struct page *table, va_t addr) {
    return (pte_t *)page_va(table) + sv39_index(addr, 0);
}

static inline u64 pte_flags(const struct vma *v, bool write) {
    u64 flags = PTE_U | PTE_A;

    if (v->flags & (VM_READ | VM_WRITE))
        flags |= PTE_R;
    if (v->flags & VM_EXEC)
        flags |= PTE_X;
    if (write && v->flags & VM_WRITE)
        flags |= PTE_W | PTE_D;
    return flags | (flags & PTE_LEAF ? PTE_V : PTE_HIDDEN);
}
// The entry that a page gets in v: `write` only when the page is exclusively v's, or shared and
// dirty.
static inline pte_t pte_for(const struct vma *v, const struct page *p, bool write) {
    return pte_make(page_to_pa(p), pte_flags(v, write));
}
static inline enum rss_kind cache_kind(const struct vma *v) {
    return v->mapping && v->mapping->flags & MAPPING_PINNED ? RSS_SHMEM : RSS_FILE;
}
static inline enum rss_kind rss_kind(const struct vma *v, const struct page *p) {
    return p->kind == PAGE_CACHE ? cache_kind(v) : RSS_ANON;
}
static inline void none_writable(struct page *table) {
    table->table.writable = PTES_PER_TABLE;
    table->table.writable_end = 0;
}
// v's address space has n more pages of a kind, which its own table maps. => locked
static inline void count_rss(const struct vma *v, struct page *table, enum rss_kind kind, s64 n) {
    table->table.rss[kind] += n;
    atomic_add_relaxed(&v->mm->rss[kind], n);
}

// Fill an empty entry. Takes over the caller's reference. => the table is locked
static inline void set_new(const struct vma *v, struct page *table, pte_t *slot, struct page *p,
                           bool write) {
    WRITE_ONCE(*slot, pte_for(v, p, write));
    table->table.used++;
    if (write)
        note_writable(table, slot);
    if (p != zero_page)
        count_rss(v, table, rss_kind(v, p), 1);
}

// Entries of a table that are looked at in one go with a spinning lock held: what a real-time task waits for at most.
#define ENTRIES_AT_ONCE 64

// Let go of a lock for a moment if somebody wants this hart. => what it guards may have changed afterwards
static inline void spin_pause(struct spinlock *l) {
    if (unlikely(READ_ONCE(current_thread->work) & WORK_RESCHED)) {
        spin_unlock(l);
        spin_lock(l);
    }
}

// Pages on their way out: they are freed after the translations are forgotten.
#define GATHER_PAGES 64
struct gather {
    struct mm *mm;
    va_t start, end;  // what changed; start >= end: nothing
    u32 nr;
    bool tables;              // page tables were unhooked
    bool everywhere;          // other address spaces had these pages by the same table
    struct list *table_list;  // by free.link.next
    struct page *page[GATHER_PAGES];
};
static inline void gather_init(struct gather *g, struct mm *mm) {
    g->mm = mm;
    g->start = ~0ul;
    g->end = 0;
    g->nr = 0;
    g->tables = false;
    g->everywhere = false;
    g->table_list = NULL;
}
static inline void gather_range(struct gather *g, va_t start, va_t end) {
    if (start < g->start)
        g->start = start;
    if (end > g->end)
        g->end = end;
}
void gather_finish(struct gather *g);  // forget translations, free pages and tables

// Unmap [start, end), which is inside v. => mm->lock held, table_own_edges() was called
void table_zap(struct gather *g, struct vma *v, va_t start, va_t end);
// The same for truncation. => only the mapping's vmas_lock held
void table_zap_shown(struct gather *g, struct vma *v, va_t start, va_t end);
// For reclaim: only pages of the mapping, and only if v is not locked in memory. => the same
void table_zap_cached(struct gather *g, struct vma *v, va_t start, va_t end);
// Unhook the tables under [start, end) that have no part outside of [floor, ceiling), where nothing
// else is mapped.
void table_free_range(struct gather *g, va_t start, va_t end, va_t floor, va_t ceiling);
// Free what entries [first, end) map: nobody uses them any more.
void table_free_entries(struct page *table, u32 first, u32 end);
// Free all that v maps in an address space that no task uses any more, and tables, which other VMAs may have parts of.
void table_free_dead(struct gather *g, struct vma *v);
// Give entries of [start, end) the permissions that v has now; `g` collects what must be forgotten.
void table_protect(struct gather *g, struct vma *v, va_t start, va_t end);
// Make entries of a shared VMA read-only, so that the next write is seen.
void table_clean(struct gather *g, struct vma *v, va_t start, va_t end);
// Copy entries [addr, stop) of v's address space, read-only in both; g is told of those that were writable. => both
// tables locked, or the new one not hooked up
void copy_entries(struct gather *g, struct vma *v, struct page *to, struct page *from, va_t addr,
                  va_t stop);
// fork: fill `to`, a table for the block of 2 MiB, by `from`: entries as above, but copies of the pages that were copied
// after the last forks. v is the child's first VMA there. => from locked, `to` not hooked up, nobody else runs in the parent
void copy_ahead(struct gather *g, struct vma *v, struct page *to, struct page *from, va_t block);
// fork: copy the entries of [start, end), where tables are not shared, copy-on-write. 0 or -ENOMEM.
int table_copy(struct gather *parent, struct vma *to, struct vma *from, va_t start, va_t end);
// mremap: move entries. => the mapping's vmas_lock not held. 0 or -ENOMEM.
int table_move(struct gather *g, struct vma *from, va_t old, struct vma *to, va_t new_,
               size_t length);

// ---- share.c: tables that several address spaces have ----
// Entries of these the child does not get.
#define FORK_NO_TABLE (VM_SHARED | VM_DONTFORK | VM_WIPEONFORK | VM_FRAMES)
// Its pages stay in memory for the parent, not for the child: reclaim must not find them by way of the child.
static inline bool vma_pins_cache(const struct vma *v) {
    return v->flags & VM_LOCKED && v->mapping;
}
// What was copied after two forks, a table or a page, the next AHEAD_FORKS forks copy at once: share.c.
#define AHEAD_FORKS 64
#define AHEAD_ENTRIES 192  // only tables with so few entries
#define AHEAD_TABLES 4     // and so many tables in one fork
#define AHEAD_PAGES 12     // and of a table, for it is locked meanwhile
// It was copied for somebody who shared it after a fork. => a lock that keeps it
static inline void note_copied(struct page *from, struct page *copy) {
    u16 ahead = READ_ONCE(from->ahead) ? AHEAD_FORKS + 1 : 1;
    WRITE_ONCE(from->ahead, ahead);
    copy->ahead = ahead;
}
struct forking {
    struct gather g;  // of the parent
    struct mm *child;
    bool alone;  // nobody else runs in the parent's memory
    u32 nr_ahead;
    struct {
        u64 *from, *to;  // entries of middle tables
        va_t block;
    } ahead[AHEAD_TABLES];  // tables to be copied
    va_t block;  // the last one of 2 MiB that had parts of VMAs, and what to do with its table
    enum { FORK_SHARE, FORK_DONE, FORK_COPY } way;
};
// fork: `to` gets what `from` maps. => both mm's: no other task changes them. 0 or -ENOMEM
int table_fork(struct forking *f, struct vma *to, struct vma *from);
// When the child has all its VMAs: copy the tables that table_fork() kept for this.
void table_fork_ahead(struct forking *f);
// fork passes a VMA over.
void table_fork_skip(struct forking *f, struct vma *v);
// The table at *slot, which is for addr, is to be mm's own, if there is one. False: out of memory. => mm->lock held.
// May sleep.
bool table_unshare(struct mm *mm, u64 *slot, va_t addr);
// All tables under [start, end) are to be mm's own. 0 or -ENOMEM
int table_own_all(struct mm *mm, va_t start, va_t end);
static inline int table_own(struct mm *mm, va_t start, va_t end) {
    if ((start ^ (end - 1)) < MEGAPAGE_SIZE && !table_is_shared(mm, start))
        return 0;
    return table_own_all(mm, start, end);
}
// The same for those that have a part outside of [floor, ceiling), which is as [start, end) or larger.
int table_own_edges(struct mm *mm, va_t start, va_t end, va_t floor, va_t ceiling);
// Unmap shared tables from addr on, up to `end` or one that is its own; where that is.
va_t table_unmap_shared(struct gather *g, va_t addr, va_t end);
// An owner's entry is gone. With the last one go the pages.
void table_destroy(struct page *table);
static inline void table_leave(struct page *table) {
    if (unlikely(ref_put(&table->ref)))
        table_destroy(table);
}
// The same with a lock held, which is let go meanwhile if that takes long.
static inline void table_leave_locked(struct page *table, struct spinlock *held) {
    if (likely(!ref_put(&table->ref)))
        return;
    spin_unlock(held);
    table_destroy(table);
    spin_lock(held);
}

u64 *root_alloc(void);      // kernel half filled in, user half empty; NULL
void root_free(u64 *root);  // => user half empty

void drop_page(struct page *p);  // an entry, or a fault, gives up its reference

// ---- tlb.c: what harts remember of page tables ----
void tlb_shootdown(struct mm *mm, va_t start, va_t end, bool tables);
void tlb_shootdown_page(struct mm *mm, va_t addr);  // => not preemptible
void tlb_forget_everywhere(void);  // on every hart, what it remembers of any address space
void tlb_load(struct mm *mm);      // this hart runs tasks of mm from now on. => interrupts off
void tlb_lazy(struct mm *mm);    // … keeps mm loaded, but only for the kernel. => interrupts off
void tlb_unload(struct mm *mm);  // satp holds another one now. => interrupts off
void tlb_init(void);

// ---- fault.c: for uaccess.c ---- Write within one page if a private copy or a writable page is
// mapped there; buf NULL: zeroes. 0, or -EAGAIN: fault it in and try again.
int vm_write_mapped(struct mm *mm, va_t addr, const void *buf, size_t n);
// As a write fault, whatever the VMA allows; a shared VMA must be writable. 0 or as vm_fault.
int vm_fault_forced(struct mm *mm, va_t addr);

// ---- frames.c ----
// The entry maps a frame that others may have as well: it is written where it is.
static inline bool pte_is_frame(const struct vma *v, pte_t pte) {
    struct page *p = pte_page(pte);
    return v->flags & VM_FRAMES && pte && p != zero_page && p->kind == PAGE_USED;
}
// fork: the child gets copies of from's pages. => from's mm->lock held for writing. 0 or -ENOMEM
int frames_fork(struct vma *to, struct vma *from);

// ---- advice.c ----
// Round *length up. False when the range is not one of user addresses.
static inline bool round_range(va_t addr, size_t *length) {
    if (!is_aligned(addr, PAGE_SIZE) || *length > USER_TOP || addr > USER_TOP - *length)
        return false;
    *length = align_up(*length, PAGE_SIZE);
    return true;
}
// Bring in the pages of the range, perhaps of locked VMAs only. 0, or as vm_fault for the first that
// cannot be. => mm->lock not held
int populate(struct mm *mm, va_t start, va_t end, bool locked_only);

// ---- vma.c ----
extern struct slab_cache *vma_cache;
void vma_remove(struct mm *mm,
                struct vma *v);  // off the tree, off its mapping, closed and freed; no page tables
void vma_free(struct vma *v);    // the last of it: closed and freed
void vma_mapping_unlink(struct vma *v);  // truncation and write-back no longer see v
// fork: v, a copy of `parent`, comes behind `last`, the last VMA so far. It is on no tree yet.
void vma_link_forked(struct vma *v, struct vma *last, struct vma *parent);
// mm, which counts what its parent has, has no such VMA.
void vma_not_forked(struct mm *mm, const struct vma *v);
// `first` and those behind it, n in all, become mm's tree.
void vma_make_tree(struct mm *mm, struct vma *first, u32 n);
bool vma_fits(u64 pages);  // may somebody promise himself so much memory?
// Change flags, but not rights, of what is mapped in the range. 0 or -ENOMEM
int vma_set_flags(struct mm *mm, va_t start, va_t end, u32 set, u32 clear);
// Move the start down to addr (a stack) or the end up (the heap, mremap). 0 or -ENOMEM.
int vma_grow(struct vma *v, va_t start, va_t end);
// RLIMIT_MEMLOCK allows so many more locked pages.
bool vma_lock_ok(struct mm *mm, u64 pages);
va_t vma_mapped_until(struct mm *mm, va_t start, va_t end);  // the first hole, or end
#define STACK_GUARD (256 * PAGE_SIZE)

static inline u64 pages_of(const struct vma *v) { return (v->end - v->start) >> PAGE_SHIFT; }
// All pages of v are its mapping's: a fault finds them there again.
static inline bool vma_is_file(const struct vma *v) { return v->mapping && !v->copied; }
static inline u64 vma_pgoff(const struct vma *v, va_t addr) {
    return v->pgoff + ((addr - v->start) >> PAGE_SHIFT);
}

#endif
