/*
 * frames.c: pages that programs place themselves, as in an exokernel: a page of zeroes at an address, one task's page
 * at an address of another, nothing at an address. Who may do that to whom is decided above (proc/exokernel.c, ipc/jos.c).
 *
 * A page that is mapped a second time is the same frame with one more reference. Its VMAs have VM_FRAMES, in the
 * address space that it came from as well:
 *
 *   private memory                            VM_FRAMES
 *   a page with several users is copied by    an anonymous page is written where it is: all who map it
 *   who writes it first                       see that, and it is copied by nobody but
 *   fork shares pages until then              fork, whose child has private memory again
 *
 * So before the first mapping the page has to be its owner's alone: a fault for writing makes it so, as for a debugger,
 * whatever the VMA allows. The page of zeroes and pages of files in a VMA with VM_FRAMES are no frames: they are copied as ever.
 *
 * A page that belongs to a mapping, of a file or of shared memory, is found there by everybody; the other side gets a VMA
 * of the same object, as mmap would make it. Only a page of a private file mapping that is to be written becomes a frame.
 *
 * The new VMA allows what was asked for, writing only if the page's old place allows it. Without it mprotect cannot
 * give it later (no VM_MAYWRITE): a page that was lent for reading stays so.
 *
 *   vm_page_map, both locks for writing       the other task, or another thread, unmaps or writes the page
 *   looks at the entry, takes a reference,    waits for mm->lock; its entry is whole before and after, and the frame
 *   makes VMA and entry                       lives as long as somebody has it
 *
 * Locks: both mm->lock for writing, the lower address first; a page that is missing is brought in without them, and all
 * begins again. Everything here may sleep.
 */
#include "lib/string.h"
#include "mm/internal.h"
#include "mm/stats.h"
#include "proc/proc.h"

#define RETRY 1  // internal: bring the page in and look again

#define VM_KINDS (VM_READ | VM_WRITE | VM_EXEC)

static void lock_both(struct mm *a, struct mm *b) {
    write_lock(&min(a, b)->lock);
    if (a != b)
        write_lock(&max(a, b)->lock);
}

static void unlock_both(struct mm *a, struct mm *b) {
    if (a != b)
        write_unlock(&max(a, b)->lock);
    write_unlock(&min(a, b)->lock);
}

static int check(va_t addr, int prot) {
    bool ok = is_aligned(addr, PAGE_SIZE) && addr >= USER_BOTTOM && addr < USER_TOP && prot &&
              !(prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC));
    return ok ? 0 : -EINVAL;
}

static u32 flags_for(const struct mm *mm, int prot) {
    return vm_flags_from_prot(prot) | (prot & PROT_WRITE ? VM_MAYWRITE : 0) | mm->lock_future;
}

// A VMA of one page in the place of what is there. 0 or errno. => mm->lock held for writing
static int place_vma(struct mm *mm, struct vma_request *r) {
    r->length = PAGE_SIZE;
    r->fixed = true;
    if (r->flags & VM_LOCKED && !vma_lock_ok(mm, 1))
        return -ENOMEM;
    long addr = vma_map(mm, r);
    return addr < 0 ? addr : 0;
}

// The entry at addr becomes empty. 0 or -ENOMEM
static int clear_entry(struct vma *v, va_t addr) {
    struct gather g;

    if (table_own(v->mm, addr, addr + PAGE_SIZE) < 0)
        return -ENOMEM;
    gather_init(&g, v->mm);
    table_zap(&g, v, addr, addr + PAGE_SIZE);
    gather_finish(&g);
    return 0;
}

// A VMA with VM_FRAMES at addr, and nothing in it: often it is there, for programs use one place to fill page after page.
static int make_room(struct mm *mm, va_t addr, u32 flags) {
    struct vma_request r = {.addr = addr, .flags = flags, .ops = &anon_vma_ops};
    struct vma *v = vma_find_exact(mm, addr);

    if (v && v->ops == &anon_vma_ops && !v->mapping && (v->flags & ~VM_ACCOUNT) == flags)
        return clear_entry(v, addr);
    return place_vma(mm, &r);
}

// A page in the place of what is there. Takes over the caller's reference unless it fails.
static int place_page(struct mm *mm, va_t addr, int prot, struct page *p) {
    u32 flags = flags_for(mm, prot) | VM_FRAMES;
    int error = make_room(mm, addr, flags);

    if (error)
        return error;
    struct page *table = table_make(mm, addr);
    if (!table) {
        vma_unmap(mm, addr, PAGE_SIZE);
        return -ENOMEM;
    }
    if (flags & VM_EXEC)
        tlb_new_code(mm);
    spin_lock(&table->table.lock);
    set_new(vma_find_exact(mm, addr), table, table_slot(table, addr), p, flags & VM_WRITE);
    spin_unlock(&table->table.lock);
    return 0;
}

int vm_page_alloc(struct mm *mm, va_t addr, int prot) {
    int error = check(addr, prot);
    struct page *p = error ? NULL : page_alloc(0, ALLOC_USER | ALLOC_ZERO);

    if (!p)
        return error ? error : -ENOMEM;
    write_lock(&mm->lock);
    error = place_page(mm, addr, prot, p);
    write_unlock(&mm->lock);
    if (error)
        page_free(p, 0);
    else
        vm_count(zero_fills);
    return error;
}

int vm_page_unmap(struct mm *mm, va_t addr) {
    int error = check(addr, PROT_READ);

    if (error)
        return error;
    write_lock(&mm->lock);
    error = vma_unmap(mm, addr, PAGE_SIZE);
    write_unlock(&mm->lock);
    return error;
}

// ---- sharing ----

struct sharing {
    struct mm *from, *to;
    va_t src, dst;
    int prot;
};

// The anonymous page at addr, if it is a frame or its owner's alone, with a reference, or NULL. => mm->lock held for
// writing; truncation may come all the same
static struct page *frame_get(const struct vma *v, va_t addr) {
    struct page *table = table_find(v->mm, addr), *p;

    if (!table)
        return NULL;
    spin_lock(&table->table.lock);
    pte_t pte = *table_slot(table, addr);
    p = pte_page(pte);
    bool ours = pte_is_frame(v, pte) || (pte && p != zero_page && page_is_sole(p));
    if (ours)
        page_get(p);
    spin_unlock(&table->table.lock);
    return ours ? p : NULL;
}

static int share_frame(const struct sharing *s, struct vma *v) {
    struct page *p = frame_get(v, s->src);
    int error = 0;

    if (!p)
        return RETRY;
    if (!(v->flags & VM_FRAMES))
        error = vma_set_flags(s->from, s->src, s->src + PAGE_SIZE, VM_FRAMES, 0);
    if (!error)
        error = place_page(s->to, s->dst, s->prot, p);
    if (error)
        drop_page(p);
    return error;
}

// The other side gets a part of what v shows.
static int share_mapping(const struct sharing *s, const struct vma *v) {
    u32 shared = v->flags & VM_SHARED;
    struct vma_request r = {
        .addr = s->dst,
        .flags = flags_for(s->to, s->prot) | shared | (shared ? 0 : VM_MAYWRITE),
        .ops = v->ops,
        .mapping = v->mapping,
        .pgoff = vma_pgoff(v, s->src),
        .file = v->file,
    };
    return place_vma(s->to, &r);
}

// The page at src is its mapping's, and will do for what is asked.
static bool is_mappings(const struct sharing *s, const struct vma *v) {
    pte_t pte = v->copied ? table_entry(s->from, s->src) : 0;

    if (!v->mapping || v->flags & VM_SHARED)
        return v->mapping;
    return !(s->prot & PROT_WRITE) && (pte == 0 || pte_page(pte)->kind == PAGE_CACHE);
}

// => both mm's locked for writing
static int share(const struct sharing *s) {
    struct vma *v = vma_find_exact(s->from, s->src);

    if (!v)
        return -EFAULT;
    if (!(v->flags & VM_KINDS) || (s->prot & PROT_WRITE && !(v->flags & VM_WRITE)) ||
        (v->ops->fault && !v->mapping))
        return -EACCES;
    if (s->from == s->to && s->src == s->dst)
        return vma_protect(s->to, s->dst, PAGE_SIZE, vm_flags_from_prot(s->prot));
    return is_mappings(s, v) ? share_mapping(s, v) : share_frame(s, v);
}

int vm_page_map(struct mm *from, va_t src, struct mm *to, va_t dst, int prot) {
    struct sharing s = {from, to, src, dst, prot};
    int error = check(src, prot);

    if (!error)
        error = check(dst, prot);
    while (!error) {
        lock_both(from, to);
        error = share(&s);
        unlock_both(from, to);
        if (error != RETRY)
            return error;
        error = fatal_signal_pending() ? -EINTR : vm_fault_forced(from, src);
    }
    return error;
}

// ---- fork ----

static int copy_frame(struct vma *to, va_t addr, const struct page *p) {
    struct page *table = table_make(to->mm, addr);
    struct page *copy = table ? page_alloc(0, ALLOC_USER) : NULL;

    if (!copy)
        return -ENOMEM;
    page_copy(page_va(copy), page_va(p));
    spin_lock(&table->table.lock);
    set_new(to, table, table_slot(table, addr), copy, to->flags & VM_WRITE);
    spin_unlock(&table->table.lock);
    vm_count(cow_copies);
    return 0;
}

int frames_fork(struct vma *to, struct vma *from) {
    int error = 0;

    for (va_t a = from->start; a < from->end && !error; a += PAGE_SIZE) {
        struct page *p = frame_get(from, a);
        if (!p)
            continue;
        error = copy_frame(to, a, p);
        drop_page(p);
    }
    return error;
}
