/*
 * fault.c: page faults, the only way in which a user page appears.
 *
 *   what is there      access   VMA                      what happens
 *   nothing            read     anonymous                the page of zeroes, read-only
 *   nothing            write    anonymous                a zeroed page
 *   nothing            read     with pages (file, shm)   the cached page, read-only; neighbours too
 *   nothing            write    private, with pages      a copy of the cache's page
 *   nothing            write    shared                   the cache's page, dirty and writable
 *   read-only page     write    private                  its only user: made writable; else a copy
 *   read-only page     write    shared                   dirty and writable
 *   read-only frame    write    VM_FRAMES                writable, whoever else has it: frames.c
 *   enough             any                               another hart was faster: try again
 *
 * A fault holds mm->lock for reading, so VMAs stay and fork, munmap, mprotect, exit cannot run. It
 * looks at the entry, takes what may sleep or fail (frames, disk reads), then locks the table,
 * checks that the entry is what it was, and installs.
 *
 *   two faults on one page             the second finds the entry changed, frees its page, is done
 *   truncation                         takes the page out of its mapping, then unmaps it; we look
 *                                      at page->cache.mapping under the table's lock: a page that
 *                                      left is not installed
 *   reclaim                            takes entries of the cache's pages away; other harts forget them
 *                                      before it releases the table's lock, so what is empty here
 *                                      nobody remembers
 *   write-back                         see pagecache.c: DIRTY is set under the table's lock
 *   copy-on-write, a new reference     a private page that is mapped once has count 1; more come
 *                                      from fork (not under mm->lock) or vm_page_of (table's lock)
 *
 * Only the faulting hart flushes when rights rise: others fault once more for nothing. When a page
 * is replaced (copy), all harts that run the mm forget the old one before the fault returns.
 *
 * Locks: mm->lock (reading), table lock, mapping->lock. Sleeps.
 */
#include "lib/string.h"
#include "mm/internal.h"
#include "mm/stats.h"
#include "mm/uaccess.h"
#include "proc/proc.h"

#define AROUND 16  // pages that one fault maps at most: of a file, or of zeroes
#define RETRY 1    // internal: look again

// ---- installing ----

static inline void forget_here(va_t addr) { tlb_flush_page(addr); }

// => the table is locked, *slot is not 0
static void set_writable(struct vma *v, struct page *table, pte_t *slot, struct page *p) {
    WRITE_ONCE(*slot, pte_for(v, p, true));
    note_writable(table, slot);
}

static int nomem(void) { return fatal_signal_pending() ? -EINTR : -ENOMEM; }

// ---- anonymous memory ----

// Who read the page before goes through untouched memory: he gets some pages ahead.
static int map_zero(struct vma *v, struct page *table, va_t addr) {
    pte_t *slot = table_slot(table, addr);
    bool first = is_aligned(addr, MEGAPAGE_SIZE);
    u64 room = (min(v->end, align_down(addr, MEGAPAGE_SIZE) + MEGAPAGE_SIZE) - addr) >> PAGE_SHIFT;

    spin_lock(&table->table.lock);
    u64 n = !first && slot[-1] && pte_page(slot[-1]) == zero_page ? min(room, (u64)AROUND) : 1;
    for (; n > 0 && *slot == 0; n--, slot++) {
        set_new(v, table, slot, zero_page, false);
        vm_count(zero_maps);
    }
    spin_unlock(&table->table.lock);
    forget_here(addr);
    return 0;
}

static int map_fresh(struct vma *v, struct page *table, va_t addr) {
    pte_t *slot = table_slot(table, addr);
    struct page *p = page_alloc(0, ALLOC_USER | ALLOC_ZERO);

    if (!p)
        return nomem();
    spin_lock(&table->table.lock);
    bool ours = *slot == 0;
    if (likely(ours)) {
        set_new(v, table, slot, p, true);
        vm_count(zero_fills);
    }
    spin_unlock(&table->table.lock);
    if (unlikely(!ours))
        page_free(p, 0);
    forget_here(addr);
    return 0;
}

// ---- pages of a mapping ----

static inline bool still_in(const struct vma *v, const struct page *p) {
    return !v->mapping || p->kind != PAGE_CACHE || READ_ONCE(p->cache.mapping) == v->mapping;
}

// Fill empty ones of n entries with those of n pages that are there. => table locked, the mapping too
// Other harts are interrupted for new code only when there is some: threads that wait for one page all come here.
static u32 map_pages(struct mm *mm, pte_t *slot, struct page *const *pages, u32 n, u64 flags) {
    u32 mapped = 0;

    for (const pte_t *end = slot + n; slot < end; slot++, pages++) {
        struct page *p = *pages;
        if (!p || *slot || !page_touch(p))
            continue;
        page_get(p);
        if (mapped++ == 0 && flags & PTE_X)
            tlb_new_code(mm);
        WRITE_ONCE(*slot, pte_make(page_to_pa(p), flags));
    }
    return mapped;
}

// Fill empty ones of n entries with what the cache has from page `index` on; how many. With both locks held a page that
// is found can only leave the mapping afterwards, and then is unmapped. => table locked
static u32 map_present(struct vma *v, pte_t *slot, u64 index, u32 n) {
    struct mapping *m = v->mapping;
    u64 flags = pte_flags(v, false) & ~PTE_A;  // the hardware's, or the next fault's, to set
    u32 mapped = 0;

    spin_lock(&m->lock);
    for (u32 part; n > 0; n -= part, index += part, slot += part) {
        u32 at = index % RADIX_SLOTS;
        void *const *leaf = radix_leaf(&m->pages, index);
        part = min(n, (u32)RADIX_SLOTS - at);
        if (leaf)
            mapped += map_pages(v->mm, slot, (struct page *const *)leaf + at, part, flags);
    }
    spin_unlock(&m->lock);
    return mapped;
}

// Map what the cache has of [low, high), which is part of v. True: there is an entry for addr now.
static bool map_range(struct vma *v, struct page *table, va_t low, va_t high, va_t addr) {
    pte_t *slot = table_slot(table, low);

    spin_lock(&table->table.lock);
    u32 mapped = map_present(v, slot, vma_pgoff(v, low), (high - low) >> PAGE_SHIFT);
    pte_t *asked = table_slot(table, addr);
    bool done = *asked != 0;
    if (done)
        WRITE_ONCE(*asked, *asked | PTE_A);
    table->table.used += mapped;
    vm_count_n(file_maps, mapped);
    if (mapped)
        count_rss(v, table, cache_kind(v), mapped);
    spin_unlock(&table->table.lock);
    return done;
}

// The same of the aligned window around addr.
static bool map_around(struct vma *v, struct page *table, va_t addr) {
    va_t window = align_down(addr, AROUND * PAGE_SIZE);
    bool done =
        map_range(v, table, max(window, v->start), min(window + AROUND * PAGE_SIZE, v->end), addr);

    forget_here(addr);
    return done;
}

void vm_map_cached(struct mm *mm, va_t start, va_t end) {
    struct page *table;

    read_lock(&mm->lock);
    struct vma *v = vma_find_exact(mm, start);
    for (va_t at = start, stop; at < end && (table = table_make(mm, at)) != NULL; at = stop) {
        stop = min(align_down(at, MEGAPAGE_SIZE) + MEGAPAGE_SIZE, end);
        map_range(v, table, at, stop, at);
    }
    read_unlock(&mm->lock);
}

// A private copy of `from` takes the place of the entry `old`. Drops no reference of the caller.
static int map_copy(struct vma *v, struct page *table, va_t addr, pte_t old, struct page *from) {
    pte_t *slot = table_slot(table, addr);
    struct page *copy = page_alloc(0, ALLOC_USER), *dropped = NULL;

    if (!copy)
        return nomem();
    spin_lock(&table->table.lock);
    bool same = *slot == old && (old != 0 || still_in(v, from));
    if (likely(same)) {
        if (from == zero_page)
            page_clear(page_va(copy));
        else
            page_copy(page_va(copy), page_va(from));
        if (v->flags & VM_EXEC)
            tlb_new_code(v->mm);
        WRITE_ONCE(v->copied, true);
        if (old == 0) {
            set_new(v, table, slot, copy, true);
        } else {
            set_writable(v, table, slot, copy);
            if (from->kind == PAGE_CACHE) {
                count_rss(v, table, cache_kind(v), -1);
                vm_count(file_unmaps);
            }
            if (from->kind == PAGE_CACHE || from == zero_page)
                count_rss(v, table, RSS_ANON, 1);
            else if (table->table.used <= AHEAD_ENTRIES)
                note_copied(from, copy);
            dropped = from == zero_page ? NULL : from;
        }
        vm_count(cow_copies);
        if (old & PTE_V)
            tlb_shootdown_page(v->mm, addr);
        else
            forget_here(addr);
        if (dropped)
            drop_page(dropped);
    }
    spin_unlock(&table->table.lock);
    if (unlikely(!same))
        page_free(copy, 0);
    return 0;
}

// A shared page is about to be written: wait while too many are, get disk space for it. 0, -ENOSPC …
static int reserve_space(struct vma *v, struct page *p) {
    const struct mapping_ops *ops = v->mapping ? v->mapping->ops : NULL;

    if (!ops || load_relaxed(&p->cache.flags) & PAGE_DIRTY)
        return 0;
    pagecache_balance(v->mapping);
    vm_count(shared_writes);
    return ops->make_writable ? ops->make_writable(v->mapping, p) : 0;
}

// Put p, of which the caller has a reference, where the entry is `old`: empty, or p read-only.
static int map_shared(struct vma *v, struct page *table, va_t addr, pte_t old, struct page *p,
                      bool write) {
    pte_t *slot = table_slot(table, addr);
    int error = write ? reserve_space(v, p) : 0;

    if (error)
        return error;
    spin_lock(&table->table.lock);
    bool installed = *slot == old && still_in(v, p);
    if (installed) {
        if (v->flags & VM_EXEC)
            tlb_new_code(v->mm);
        if (write && p->kind == PAGE_CACHE)
            page_mark_dirty(p);
        if (old == 0) {
            page_get(p);
            set_new(v, table, slot, p, write);
            if (p->kind == PAGE_CACHE)
                vm_count(file_maps);
        } else {
            set_writable(v, table, slot, p);
        }
    }
    spin_unlock(&table->table.lock);
    forget_here(addr);
    return installed ? 0 : RETRY;
}

// Nothing is mapped, and the VMA has pages of its own.
static int fault_backed(struct vma *v, struct page *table, va_t addr, enum access access) {
    bool write = access == ACCESS_WRITE;
    int error;

    if (!write && v->mapping && map_around(v, table, addr))
        return 0;
    // A read came here because the page is not in the cache.
    struct page *p = write && v->mapping ? pagecache_find(v->mapping, vma_pgoff(v, addr)) : NULL;
    if (!p && v->mapping && v->mapping->ops->read_page) {
        WRITE_ONCE(current->majflt, current->majflt + 1);
        vm_count(major);
    }
    if (!p)
        p = v->ops->fault ? v->ops->fault(v, addr, access)
                          : pagecache_get(v->mapping, vma_pgoff(v, addr));
    if (IS_ERR(p))
        return PTR_ERR(p) == -ENOMEM ? nomem() : PTR_ERR(p);
    if (write && !(v->flags & VM_SHARED))
        error = map_copy(v, table, addr, 0, p);
    else
        error = map_shared(v, table, addr, 0, p, write);
    page_put(p);
    return error;
}

// ---- writing to what is there ----

// The page that the entry maps, with a reference, if the entry is still `old`.
static struct page *get_mapped(struct page *table, va_t addr, pte_t old) {
    struct page *p = NULL;

    spin_lock(&table->table.lock);
    if (*table_slot(table, addr) == old) {
        p = pte_page(old);
        page_get(p);
    }
    spin_unlock(&table->table.lock);
    return p;
}

static int fault_write_shared(struct vma *v, struct page *table, va_t addr, pte_t old) {
    struct page *p = get_mapped(table, addr, old);

    if (!p)
        return RETRY;
    int error = map_shared(v, table, addr, old, p, true);
    page_put(p);
    return error;
}

// The only user of a private page, or one of those of a frame, writes it. False: it is shared, or the entry changed.
static bool reuse(struct vma *v, struct page *table, va_t addr, pte_t old) {
    pte_t *slot = table_slot(table, addr);
    struct page *p = pte_page(old);

    spin_lock(&table->table.lock);
    bool ok = *slot == old && p != zero_page && (pte_is_frame(v, old) || page_is_sole(p));
    if (ok) {
        set_writable(v, table, slot, p);
        vm_count(cow_reuses);
    }
    spin_unlock(&table->table.lock);
    if (ok)
        forget_here(addr);
    return ok;
}

static int fault_write(struct vma *v, struct page *table, va_t addr, pte_t old) {
    if (v->flags & VM_SHARED)
        return fault_write_shared(v, table, addr, old);
    struct page *p = pte_page(old);
    bool frame = pte_is_frame(v, old);
    if (unlikely(frame && !(v->flags & VM_WRITE)))  // a debugger
        return -EFAULT;
    if (p != zero_page && (frame || page_is_sole(p)) && reuse(v, table, addr, old))
        return 0;
    return frame ? RETRY : map_copy(v, table, addr, old, p);
}

// ---- the fault ----

static bool allowed(const struct vma *v, enum access access) {
    switch (access) {
    case ACCESS_READ:
        return v->flags & (VM_READ | VM_WRITE);
    case ACCESS_WRITE:
        return v->flags & VM_WRITE;
    default:
        return v->flags & VM_EXEC;
    }
}

// Where the hardware does not set A itself, it asks for it so.
static void set_used(struct page *table, va_t addr) {
    pte_t *slot = table_slot(table, addr);

    spin_lock(&table->table.lock);
    if (*slot & PTE_V)
        WRITE_ONCE(*slot, *slot | PTE_A);
    spin_unlock(&table->table.lock);
}

// => mm->lock held, access allowed
static int fault_page(struct vma *v, va_t addr, enum access access) {
    struct page *table = table_find(v->mm, addr);

    if (unlikely(!table)) {
        table = table_make(v->mm, addr);
        if (!table)
            return nomem();
    }
    pte_t pte = READ_ONCE(*table_slot(table, addr));
    if (pte == 0) {
        if (v->mapping || v->ops->fault)
            return fault_backed(v, table, addr, access);
        return access == ACCESS_WRITE ? map_fresh(v, table, addr) : map_zero(v, table, addr);
    }
    if (access == ACCESS_WRITE && !(pte & PTE_W))
        return fault_write(v, table, addr, pte);
    if (!(pte & PTE_A))
        set_used(table, addr);
    forget_here(addr);
    return 0;
}

// The stack that begins above addr and may grow there, or NULL. => mm->lock held for writing
static struct vma *grow_stack(struct mm *mm, va_t addr) {
    struct vma *v = vma_find(mm, addr);

    if (!v || v->start <= addr)
        return v;
    if (!(v->flags & VM_GROWSDOWN) || addr < USER_BOTTOM + STACK_GUARD)
        return NULL;
    if (v->end - addr > READ_ONCE(current->process->limit[RLIMIT_STACK].rlim_cur))
        return NULL;
    struct vma *below = v->prev;
    if (below && below->flags & (VM_READ | VM_WRITE | VM_EXEC) && !(below->flags & VM_GROWSDOWN) &&
        below->end + STACK_GUARD > addr)
        return NULL;
    return vma_grow(v, addr, v->end) == 0 ? v : NULL;
}

// The VMA of addr with mm->lock held for reading, or NULL with the lock released.
static struct vma *lock_vma(struct mm *mm, va_t addr) {
    for (;;) {
        read_lock(&mm->lock);
        struct vma *v = vma_find(mm, addr);
        if (likely(v && v->start <= addr))
            return v;
        read_unlock(&mm->lock);
        if (!v || !(v->flags & VM_GROWSDOWN))
            return NULL;
        write_lock(&mm->lock);
        v = grow_stack(mm, addr);
        write_unlock(&mm->lock);
        if (!v)
            return NULL;
    }
}

int vm_fault(struct mm *mm, va_t addr, enum access access, va_t user_sp) {
    int error;

    (void)user_sp;  // a stack may be touched anywhere within its limit
    vm_count(faults);
    addr = align_down(addr, PAGE_SIZE);
    if (addr >= USER_TOP)
        return -EFAULT;
    struct vma *v = lock_vma(mm, addr);
    if (!v)
        return -EFAULT;
    u64 major = current->majflt;
    do
        error = allowed(v, access) ? fault_page(v, addr, access) : -EFAULT;
    while (error == RETRY);
    read_unlock(&mm->lock);
    if (current->majflt == major)
        WRITE_ONCE(current->minflt, current->minflt + 1);
    return error;
}

int vm_fault_code(struct mm *mm, va_t addr) {
    read_lock(&mm->lock);
    bool mapped = vma_find_exact(mm, addr) != NULL;
    read_unlock(&mm->lock);
    return mapped ? SEGV_ACCERR : SEGV_MAPERR;
}

int kernel_page_fault(va_t va, enum access access) {
    if (!current->mm || !va_is_user(va))
        return -EFAULT;
    int error = vm_fault(current->mm, va, access, 0);
    if (unlikely(error == -EFAULT && current->upcall.entry)) {
        current->upcall.address = va;
        current->upcall.access = access;
        atomic_or(&current->thread.work, WORK_UPCALL);
    }
    return error;
}

// The page at addr if the entry there allows the access, with a reference; NULL: a fault is needed.
static struct page *page_of_entry(struct mm *mm, va_t addr, bool write) {
    struct page *p = NULL;

    read_lock(&mm->lock);
    struct vma *v = vma_find_exact(mm, addr);
    struct page *table = v ? table_find(mm, addr) : NULL;
    if (table) {
        spin_lock(&table->table.lock);
        pte_t pte = *table_slot(table, addr);
        if (pte & PTE_V && (!write || pte & PTE_W)) {
            p = pte_page(pte);
            page_get(p);
        }
        spin_unlock(&table->table.lock);
    }
    read_unlock(&mm->lock);
    return p;
}

struct page *vm_page_of(struct mm *mm, va_t addr, bool write) {
    for (;;) {
        struct page *p = page_of_entry(mm, addr, write);
        if (p)
            return p;
        int error = vm_fault(mm, addr, write ? ACCESS_WRITE : ACCESS_READ, 0);
        if (error)
            return ERR_PTR(error);
    }
}

// ---- writing for a debugger ----

// The page is the program's own: nobody else sees what is written there.
static bool own_page(const struct vma *v, pte_t pte) {
    struct page *p = pte_page(pte);
    return !(v->flags & VM_SHARED) && p != zero_page && p->kind == PAGE_USED &&
           ref_read(&p->ref) == 1;
}

int vm_write_mapped(struct mm *mm, va_t addr, const void *buf, size_t n) {
    int error = -EAGAIN;

    read_lock(&mm->lock);
    struct vma *v = vma_find_exact(mm, addr);
    struct page *table = v ? table_find(mm, addr) : NULL;
    if (table) {
        spin_lock(&table->table.lock);
        pte_t pte = *table_slot(table, addr);
        if (pte && (pte & PTE_W || own_page(v, pte))) {
            char *to = (char *)page_va(pte_page(pte)) + addr % PAGE_SIZE;
            if (buf)
                memcpy(to, buf, n);
            else
                memset(to, 0, n);
            error = 0;
        }
        spin_unlock(&table->table.lock);
    }
    read_unlock(&mm->lock);
    return error;
}

int vm_fault_forced(struct mm *mm, va_t addr) {
    int error;

    addr = align_down(addr, PAGE_SIZE);
    struct vma *v = lock_vma(mm, addr);
    if (!v)
        return -EFAULT;
    if (v->flags & VM_SHARED && !(v->flags & VM_WRITE))
        error = -EFAULT;
    else
        do
            error = fault_page(v, addr, ACCESS_WRITE);
        while (error == RETRY);
    read_unlock(&mm->lock);
    return error;
}
