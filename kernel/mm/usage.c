/*
 * usage.c: what a process has in memory, page by page, for /proc/<pid>/smaps, smaps_rollup and
 * pagemap (proc(5)), and for tables, which is ours.
 *
 * A page table tells which pages there are, struct page what they are. How many entries map a page
 * is its reference count, less the cache's: a system call that uses the page at this moment makes it
 * look shared for that long. The page of zeroes belongs to nobody. Pages without a disk behind them
 * (anonymous, tmpfs) are dirty by nature; a file's page is when it, or the entry, is.
 *
 * Locks: mm->lock for reading. Entries are read without the table's lock: truncation may take one
 * away meanwhile, so a page is only looked at here, never used.
 */
#include "check/race.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/internal.h"
#include "mm/stats.h"

#define PSS_SHIFT 12  // fractions of a byte, so that thirds add up
#define PM_PRESENT (1ul << 63)
#define PM_FILE (1ul << 61)  // of a file, or shared
#define PM_EXCLUSIVE (1ul << 56)

struct usage {
    u64 size, rss, anon, locked;  // bytes
    u64 shared_clean, shared_dirty, private_clean, private_dirty;
    u64 pss, pss_dirty, pss_anon, pss_file, pss_shmem, pss_locked;  // << PSS_SHIFT
};

// Entries that map p, one of them in a table of so many owners.
static u32 mapped_by(const struct page *p, u32 owners) {
    u32 refs = ref_read(&p->ref), own = data_race(p->kind) != PAGE_USED;
    return (refs > own ? refs - own : 1) + owners - 1;
}

static bool is_dirty(const struct vma *v, const struct page *p, pte_t pte) {
    if (data_race(p->kind) != PAGE_CACHE)
        return data_race(p->kind) == PAGE_USED;
    return pte & PTE_D || load_relaxed(&p->cache.flags) & PAGE_DIRTY ||
           (v->mapping && v->mapping->flags & MAPPING_PINNED);
}

static void count_page(struct usage *u, const struct vma *v, pte_t pte, u32 owners) {
    const struct page *p = pte_page(pte);
    bool anon = data_race(p->kind) == PAGE_USED, dirty = is_dirty(v, p, pte);
    u32 n = mapped_by(p, owners);
    u64 pss = (PAGE_SIZE << PSS_SHIFT) / n;

    u->rss += PAGE_SIZE;
    u->pss += pss;
    if (dirty)
        u->pss_dirty += pss;
    if (v->flags & VM_LOCKED)
        u->pss_locked += pss;
    if (anon) {
        u->anon += PAGE_SIZE;
        u->pss_anon += pss;
    } else if (v->mapping && v->mapping->flags & MAPPING_PINNED) {
        u->pss_shmem += pss;
    } else {
        u->pss_file += pss;
    }
    *(n > 1   ? dirty ? &u->shared_dirty : &u->shared_clean
      : dirty ? &u->private_dirty
              : &u->private_clean) += PAGE_SIZE;
}

// The first address from addr on that may have an entry, or end.
static va_t skip_absent(struct mm *mm, va_t addr, va_t end) {
    while (addr < end) {
        const u64 *slot = middle_slot(mm, addr);
        u64 size = slot ? MEGAPAGE_SIZE : GIGAPAGE_SIZE;
        if (slot && load_acquire(slot))
            return addr;
        addr = align_down(addr, size) + size;
    }
    return end;
}

// => mm->lock held
static void add_vma(struct usage *u, struct vma *v) {
    u->size += v->end - v->start;
    for (va_t a = v->start; (a = skip_absent(v->mm, a, v->end)) < v->end; a += PAGE_SIZE) {
        pte_t pte = table_entry(v->mm, a);
        if (pte && pte_page(pte) != zero_page)
            count_page(u, v, pte, table_owners(v->mm, a));
    }
}

// ---- printing ----

// smaps of many VMAs is long, and read often: its lines are made without printf.
struct lines {
    char text[1024];
    size_t used;
};

static void line(struct lines *l, const char *name, u64 bytes) {
    char *to = l->text + l->used;
    u64 n = bytes / 1024;
    size_t at = 24;

    memset(to, ' ', at);
    memcpy(to, name, strlen(name));
    do
        to[--at] = '0' + n % 10;
    while (n /= 10);
    memcpy(to + 24, " kB\n", 4);
    l->used += 28;
}

static void show_usage(struct lines *l, const struct usage *u, bool rollup) {
    line(l, "Rss:", u->rss);
    line(l, "Pss:", u->pss >> PSS_SHIFT);
    line(l, "Pss_Dirty:", u->pss_dirty >> PSS_SHIFT);
    if (rollup) {
        line(l, "Pss_Anon:", u->pss_anon >> PSS_SHIFT);
        line(l, "Pss_File:", u->pss_file >> PSS_SHIFT);
        line(l, "Pss_Shmem:", u->pss_shmem >> PSS_SHIFT);
    }
    line(l, "Shared_Clean:", u->shared_clean);
    line(l, "Shared_Dirty:", u->shared_dirty);
    line(l, "Private_Clean:", u->private_clean);
    line(l, "Private_Dirty:", u->private_dirty);
    line(l, "Referenced:", u->rss);
    line(l, "Anonymous:", u->anon);
    static const char *const zeroes[] = {
        "LazyFree:",       "AnonHugePages:",   "ShmemPmdMapped:", "FilePmdMapped:",
        "Shared_Hugetlb:", "Private_Hugetlb:", "Swap:",           "SwapPss:"};
    for (size_t i = 0; i < ARRAY_SIZE(zeroes); i++)
        line(l, zeroes[i], 0);
    line(l, "Locked:", u->pss_locked >> PSS_SHIFT);
}

static void show_flags(struct printer *p, u32 flags) {
    static const struct {
        u32 flag;
        char name[3];
    } names[] = {{VM_READ, "rd"},    {VM_WRITE, "wr"},       {VM_EXEC, "ex"},
                 {VM_SHARED, "sh"},  {VM_MAYWRITE, "mw"},    {VM_GROWSDOWN, "gd"},
                 {VM_LOCKED, "lo"},  {VM_LOCKONFAULT, "lf"}, {VM_DONTFORK, "dc"},
                 {VM_ACCOUNT, "ac"}, {VM_NORESERVE, "nr"},   {VM_WIPEONFORK, "wf"}};
    static const char head[] = "THPeligible:           0\nVmFlags: ";
    char text[3 * ARRAY_SIZE(names) + 1];
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (flags & names[i].flag) {
            memcpy(text + n, names[i].name, 2);
            text[n + 2] = ' ';
            n += 3;
        }
    text[n++] = '\n';
    p->put(p, head, sizeof(head) - 1);
    p->put(p, text, n);
}

void vma_show_usage(struct printer *p, struct vma *v) {
    struct usage u = {0};
    struct lines l;

    add_vma(&u, v);
    l.used = 0;
    line(&l, "Size:", u.size);
    line(&l, "KernelPageSize:", PAGE_SIZE);
    line(&l, "MMUPageSize:", PAGE_SIZE);
    show_usage(&l, &u, false);
    p->put(p, l.text, l.used);
    show_flags(p, v->flags);
}

void mm_show_usage(struct mm *mm, struct printer *p) {
    struct usage u = {0};
    struct vma *v, *last = NULL;
    char head[64];
    struct lines l;

    read_lock(&mm->lock);
    va_t start = (v = vma_first(mm)) ? v->start : 0;
    for (; v; v = vma_next(last = v))
        add_vma(&u, v);
    va_t end = last ? last->end : 0;
    read_unlock(&mm->lock);
    scnprintf(head, sizeof(head), "%08lx-%08lx ---p 00000000 00:00 0", start, end);
    printer_printf(p, "%-73s[rollup]\n", head);
    l.used = 0;
    show_usage(&l, &u, true);
    p->put(p, l.text, l.used);
}

u64 mm_stack_pages(struct mm *mm) {
    u64 pages = 0;

    read_lock(&mm->lock);
    for (struct vma *v = vma_first(mm); v; v = vma_next(v))
        if (v->flags & VM_GROWSDOWN)
            pages += pages_of(v);
    read_unlock(&mm->lock);
    return pages;
}

// ---- pagemap ----

static u64 pagemap_entry(pte_t pte, bool frames, u32 owners) {
    const struct page *p = pte_page(pte);
    u64 entry = PM_PRESENT | (frames ? pte_pa(pte) >> PAGE_SHIFT : 0);

    if (p == zero_page)
        return entry;
    if (data_race(p->kind) != PAGE_USED)
        entry |= PM_FILE;
    return entry | (mapped_by(p, owners) == 1 ? PM_EXCLUSIVE : 0);
}

void mm_pagemap(struct mm *mm, va_t addr, u64 *entries, size_t n, bool frames) {
    read_lock(&mm->lock);
    for (size_t i = 0; i < n; i++, addr += PAGE_SIZE) {
        pte_t pte = vma_find_exact(mm, addr) ? table_entry(mm, addr) : 0;
        entries[i] = pte ? pagemap_entry(pte, frames, table_owners(mm, addr)) : 0;
    }
    read_unlock(&mm->lock);
}

// ---- page tables ----

// A shared table may be left, and freed, meanwhile: the numbers are from slightly different moments.
void mm_show_tables(struct mm *mm, struct printer *p, bool frames) {
    read_lock(&mm->lock);
    for (va_t a = 0; (a = skip_absent(mm, a, USER_TOP)) < USER_TOP; a += MEGAPAGE_SIZE) {
        u64 entry = load_relaxed(middle_slot(mm, a));
        const char *state = entry_is_own(entry) ? "own" : entry & PTE_V ? "shared" : "hidden";
        if (entry)
            printer_printf(p, "%010lx %lx %s %u %u\n", a, frames ? pte_pa(entry) >> PAGE_SHIFT : 0,
                           state, ref_read(&pte_page(entry)->ref),
                           data_race(pte_page(entry)->table.used));
    }
    read_unlock(&mm->lock);
}
