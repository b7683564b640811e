/*
 * mmap.c: the system calls on the caller's address space: mmap of anonymous memory, brk, munmap,
 * mprotect, mremap, madvise, mincore, msync. mmap of files is decoded in fs/ with vm_prepare_mmap
 * and ends in vma_map too.
 *
 * Each call checks and rounds its arguments, takes mm->lock (for writing when VMAs change), and
 * works on VMAs through vma.c. Lengths are checked before they are rounded up, so that no sum
 * wraps.
 *
 * Shared anonymous memory is a mapping without a disk (MAPPING_PINNED), owned by the VMAs that show
 * it: v->file is its struct shared_memory, one reference for each VMA, so fork shares it and the
 * last unmapping frees it.
 *
 * Locks: mm->lock. All sleep.
 */
#include "lib/string.h"
#include "mm/internal.h"
#include "mm/slab.h"
#include "mm/uaccess.h"
#include "proc/proc.h"

// ---- shared anonymous memory ----

struct shared_memory {
    struct ref ref;
    struct mapping mapping;
};

static const struct mapping_ops shared_memory_ops = {.read_page = NULL};

static void shared_open(struct vma *v) { ref_get(&((struct shared_memory *)v->file)->ref); }

static void shared_memory_put(struct shared_memory *s) {
    if (!ref_put(&s->ref))
        return;
    pagecache_truncate(&s->mapping, 0);
    kfree(s);
}

static void shared_close(struct vma *v) { shared_memory_put(v->file); }

const struct vma_ops shared_anon_vma_ops = {
    .name = "/dev/zero (deleted)", .open = shared_open, .close = shared_close};

static struct shared_memory *shared_memory_create(void) {
    struct shared_memory *s = kzalloc(sizeof(*s));

    if (!s)
        return NULL;
    ref_init(&s->ref);
    mapping_init(&s->mapping, &shared_memory_ops, s, MAPPING_PINNED);
    return s;
}

// ---- mmap ----

u32 vm_flags_from_prot(int prot) {
    return (prot & PROT_READ ? VM_READ : 0) | (prot & PROT_WRITE ? VM_WRITE : 0) |
           (prot & PROT_EXEC ? VM_EXEC : 0);
}

int vm_prepare_mmap(struct vma_request *r, va_t addr, size_t length, int prot, int flags) {
    int type = flags & MAP_TYPE;
    bool fixed = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE);

    if (length == 0 || (type != MAP_SHARED && type != MAP_PRIVATE && type != MAP_SHARED_VALIDATE))
        return -EINVAL;
    if (fixed && !is_aligned(addr, PAGE_SIZE))
        return -EINVAL;
    if (length > USER_TOP)
        return -ENOMEM;
    *r = (struct vma_request){
        .addr = fixed ? addr : align_down(addr, PAGE_SIZE),
        .length = align_up(length, PAGE_SIZE),
        .flags = vm_flags_from_prot(prot) | VM_MAYWRITE,
        .fixed = fixed,
        .no_replace = flags & MAP_FIXED_NOREPLACE,
        .ops = &anon_vma_ops,
    };
    if (type != MAP_PRIVATE)
        r->flags |= VM_SHARED;
    if (flags & MAP_NORESERVE)
        r->flags |= VM_NORESERVE;
    if (flags & MAP_GROWSDOWN && type == MAP_PRIVATE)
        r->flags |= VM_GROWSDOWN;
    return 0;
}

// Bring pages in; what cannot be brought stays for later faults.
static void populate(va_t addr, size_t length, bool write) {
    for (va_t a = addr; a < addr + length; a += PAGE_SIZE)
        if (fault_in_user(a, 1, write) < 0)
            return;
}

long vm_mmap_anon(va_t addr, size_t length, int prot, int flags) {
    struct mm *mm = current->mm;
    struct shared_memory *shared = NULL;
    struct vma_request r;
    long result = vm_prepare_mmap(&r, addr, length, prot, flags);

    if (result < 0)
        return result;
    if (r.flags & VM_SHARED) {
        shared = shared_memory_create();
        if (!shared)
            return -ENOMEM;
        r.ops = &shared_anon_vma_ops;
        r.mapping = &shared->mapping;
        r.file = shared;
        r.flags |= VM_ACCOUNT;
    }
    write_lock(&mm->lock);
    result = vma_map(mm, &r);
    write_unlock(&mm->lock);
    if (shared)
        shared_memory_put(shared);
    if (result >= 0 && flags & (MAP_POPULATE | MAP_LOCKED) && !(flags & MAP_NONBLOCK))
        populate(result, r.length, prot & PROT_WRITE);
    return result;
}

// ---- brk ----

// The heap's VMA grows from `end` to `new_end`. 0 or -ENOMEM
static int grow_heap(struct mm *mm, va_t end, va_t new_end) {
    struct vma *v = vma_find_exact(mm, end - 1), *next = v ? vma_next(v) : vma_find(mm, end);
    va_t ceiling = next ? next->start : USER_TOP;

    if (next && next->flags & VM_GROWSDOWN)
        ceiling = ceiling > STACK_GUARD ? ceiling - STACK_GUARD : 0;
    if (new_end > ceiling)
        return -ENOMEM;
    if (v && v->end == end && v->ops == &heap_vma_ops && v->flags & VM_WRITE)
        return vma_grow(v, v->start, new_end);
    struct vma_request r = {
        .addr = end,
        .length = new_end - end,
        .flags = VM_READ | VM_WRITE | VM_MAYWRITE | VM_HEAP,
        .fixed = true,
        .no_replace = true,
        .ops = &heap_vma_ops,
    };
    long addr = vma_map(mm, &r);
    return addr < 0 ? -ENOMEM : 0;
}

long vm_brk(va_t brk) {
    struct mm *mm = current->mm;
    u64 limit = READ_ONCE(current->process->limit[RLIMIT_DATA].rlim_cur);
    int error = 0;

    write_lock(&mm->lock);
    va_t old_end = align_up(mm->brk, PAGE_SIZE), end = align_up(brk, PAGE_SIZE);
    if (brk < mm->brk_start || brk > USER_TOP || brk - mm->brk_start > limit)
        error = -ENOMEM;
    else if (end < old_end)
        error = vma_unmap(mm, end, old_end - end);
    else if (end > old_end)
        error = grow_heap(mm, old_end, end);
    if (!error)
        mm->brk = brk;
    brk = mm->brk;
    write_unlock(&mm->lock);
    return brk;
}

// ---- munmap, mprotect ----

// Round *length up. False when the range is not one of user addresses.
static bool round_range(va_t addr, size_t *length) {
    if (!is_aligned(addr, PAGE_SIZE) || *length > USER_TOP || addr > USER_TOP - *length)
        return false;
    *length = align_up(*length, PAGE_SIZE);
    return true;
}

long vm_munmap(va_t addr, size_t length) {
    struct mm *mm = current->mm;

    if (length == 0 || !round_range(addr, &length))
        return -EINVAL;
    write_lock(&mm->lock);
    int error = vma_unmap(mm, addr, length);
    write_unlock(&mm->lock);
    return error;
}

long vm_mprotect(va_t addr, size_t length, int prot) {
    struct mm *mm = current->mm;
    int error = 0;

    if (!is_aligned(addr, PAGE_SIZE) ||
        prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_GROWSDOWN))
        return -EINVAL;
    if (length == 0)
        return 0;
    if (!round_range(addr, &length))
        return -ENOMEM;
    write_lock(&mm->lock);
    if (prot & PROT_GROWSDOWN) {
        struct vma *v = vma_find_exact(mm, addr);
        if (v && v->flags & VM_GROWSDOWN) {
            length += addr - v->start;
            addr = v->start;
        } else {
            error = v ? -EINVAL : -ENOMEM;
        }
    }
    if (!error)
        error = vma_protect(mm, addr, length, vm_flags_from_prot(prot));
    write_unlock(&mm->lock);
    return error;
}

// ---- mremap ----

// v's part [old, old + old_size) goes to `target`, which is free (or 0: anywhere). Address or
// -ENOMEM
static long move(struct mm *mm, struct vma *v, va_t old, size_t old_size, size_t new_size,
                 va_t target) {
    struct vma_request r = {
        .addr = target,
        .length = new_size,
        .flags = v->flags,
        .fixed = target != 0,
        .no_replace = target != 0,
        .ops = v->ops,
        .mapping = v->mapping,
        .pgoff = vma_pgoff(v, old),
        .file = v->file,
    };
    struct gather g;
    long addr = vma_map(mm, &r);

    if (addr < 0)
        return addr;
    // The new VMA may have become part of a neighbour, even of v.
    struct vma *from = vma_find_exact(mm, old), *to = vma_find_exact(mm, addr);
    gather_init(&g, mm);
    to->copied |= from->copied;
    int error = table_move(&g, from, old, to, addr, old_size);
    if (error)  // the old tables are still there: this way back cannot fail
        table_move(&g, to, addr, from, old, old_size);
    gather_finish(&g);
    vma_unmap(mm, error ? (va_t)addr : old, error ? new_size : old_size);
    return error ? error : addr;
}

// => mm->lock held for writing, sizes rounded, old_size < new_size or a fixed target
static long grow_or_move(struct mm *mm, va_t old, size_t old_size, size_t new_size, int flags,
                         va_t target) {
    struct vma *v = vma_find_exact(mm, old), *next;

    if (!v || v->end - old < old_size)
        return -EFAULT;
    next = vma_next(v);
    if (!(flags & MREMAP_FIXED) && v->end == old + old_size && new_size <= USER_TOP - old &&
        (!next || old + new_size <= next->start))
        return vma_grow(v, v->start, old + new_size) < 0 ? -ENOMEM : (long)old;
    return flags & MREMAP_MAYMOVE ? move(mm, v, old, old_size, new_size, target) : -ENOMEM;
}

static long remap(struct mm *mm, va_t old, size_t old_size, size_t new_size, int flags,
                  va_t target) {
    int error = 0;

    if (!vma_find_exact(mm, old))
        return -EFAULT;
    if (flags & MREMAP_FIXED)
        error = vma_unmap(mm, target, new_size);
    if (!error && new_size < old_size) {
        error = vma_unmap(mm, old + new_size, old_size - new_size);
        old_size = new_size;
        if (!error && !(flags & MREMAP_FIXED))
            return old;
    }
    if (error)
        return error;
    if (new_size == old_size && !(flags & MREMAP_FIXED))
        return old;
    return grow_or_move(mm, old, old_size, new_size, flags, flags & MREMAP_FIXED ? target : 0);
}

long vm_mremap(va_t old, size_t old_size, size_t new_size, int flags, va_t new_addr) {
    struct mm *mm = current->mm;

    if (flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED) ||
        (flags & MREMAP_FIXED && !(flags & MREMAP_MAYMOVE)))
        return -EINVAL;
    if (old_size == 0 || new_size == 0 || new_size > USER_TOP || !round_range(old, &old_size))
        return -EINVAL;
    new_size = align_up(new_size, PAGE_SIZE);
    if (flags & MREMAP_FIXED) {
        if (!round_range(new_addr, &new_size) || new_addr < USER_BOTTOM)
            return -EINVAL;
        if (new_addr < old + old_size && old < new_addr + new_size)
            return -EINVAL;
    }
    write_lock(&mm->lock);
    long result = remap(mm, old, old_size, new_size, flags, new_addr);
    write_unlock(&mm->lock);
    return result;
}

// ---- madvise ----

static long drop_pages(struct mm *mm, va_t start, va_t end) {
    struct gather g;
    va_t at = start;
    bool hole = false;

    read_lock(&mm->lock);
    gather_init(&g, mm);
    for (struct vma *v = vma_find(mm, start); v && v->start < end; v = vma_next(v)) {
        hole |= v->start > at;
        table_zap(&g, v, max(v->start, start), min(v->end, end));
        at = v->end;
    }
    gather_finish(&g);
    read_unlock(&mm->lock);
    return hole || at < end ? -ENOMEM : 0;
}

static bool all_mapped(struct mm *mm, va_t start, va_t end) {
    va_t at = start;
    for (struct vma *v = vma_find(mm, start); v && v->start <= at && at < end; v = vma_next(v))
        at = v->end;
    return at >= end;
}

static long change_flags(struct mm *mm, va_t start, va_t end, u32 set, u32 clear) {
    write_lock(&mm->lock);
    long error = all_mapped(mm, start, end) ? vma_set_flags(mm, start, end, set, clear) : -ENOMEM;
    write_unlock(&mm->lock);
    return error;
}

static long check_mapped(struct mm *mm, va_t start, va_t end) {
    read_lock(&mm->lock);
    bool ok = all_mapped(mm, start, end);
    read_unlock(&mm->lock);
    return ok ? 0 : -ENOMEM;
}

static long populate_range(struct mm *mm, va_t start, va_t end, bool write) {
    for (va_t a = start; a < end; a += PAGE_SIZE) {
        struct page *p = vm_page_of(mm, a, write);
        if (IS_ERR(p))
            return PTR_ERR(p) == -EFAULT ? -ENOMEM : PTR_ERR(p);
        page_put(p);
    }
    return 0;
}

long vm_madvise(va_t addr, size_t length, int advice) {
    struct mm *mm = current->mm;

    if (!round_range(addr, &length))
        return -EINVAL;
    va_t end = addr + length;
    switch (advice) {
    case MADV_DONTNEED:
    case MADV_FREE:
        return length ? drop_pages(mm, addr, end) : 0;
    case MADV_DONTFORK:
        return length ? change_flags(mm, addr, end, VM_DONTFORK, 0) : 0;
    case MADV_DOFORK:
        return length ? change_flags(mm, addr, end, 0, VM_DONTFORK) : 0;
    case MADV_POPULATE_READ:
    case MADV_POPULATE_WRITE:
        return populate_range(mm, addr, end, advice == MADV_POPULATE_WRITE);
    case MADV_NORMAL:
    case MADV_RANDOM:
    case MADV_SEQUENTIAL:
    case MADV_WILLNEED:
    case MADV_HUGEPAGE:
    case MADV_NOHUGEPAGE:
    case MADV_MERGEABLE:
    case MADV_UNMERGEABLE:
    case MADV_DONTDUMP:
    case MADV_DODUMP:
    case MADV_COLD:
    case MADV_PAGEOUT:
        return check_mapped(mm, addr, end);  // hints that change nothing here
    default:
        return -EINVAL;
    }
}

// ---- mincore, msync ----

// => mm->lock held
static bool in_memory(struct vma *v, va_t addr) {
    struct page *table = table_find(v->mm, addr), *p;

    if (table && READ_ONCE(*table_slot(table, addr)))
        return true;
    p = v->mapping ? pagecache_find(v->mapping, vma_pgoff(v, addr)) : NULL;
    if (p)
        page_put(p);
    return p != NULL;
}

long vm_mincore(va_t addr, size_t length, va_t vec) {
    struct mm *mm = current->mm;
    u8 present[64];

    if (!is_aligned(addr, PAGE_SIZE))
        return -EINVAL;
    if (!round_range(addr, &length))
        return -ENOMEM;
    for (va_t a = addr, end = addr + length; a < end;) {
        size_t n = min((end - a) >> PAGE_SHIFT, sizeof(present));
        read_lock(&mm->lock);
        bool ok = all_mapped(mm, a, a + n * PAGE_SIZE);
        for (size_t i = 0; ok && i < n; i++)
            present[i] = in_memory(vma_find(mm, a + i * PAGE_SIZE), a + i * PAGE_SIZE);
        read_unlock(&mm->lock);
        if (!ok)
            return -ENOMEM;
        if (copy_to_user(vec, present, n) < 0)
            return -EFAULT;
        vec += n;
        a += n * PAGE_SIZE;
    }
    return 0;
}

long vm_msync(va_t addr, size_t length, int flags) {
    struct mm *mm = current->mm;
    int error = 0;

    if (flags & ~(MS_ASYNC | MS_SYNC | MS_INVALIDATE) || (flags & MS_ASYNC && flags & MS_SYNC))
        return -EINVAL;
    if (!is_aligned(addr, PAGE_SIZE))
        return -EINVAL;
    if (!round_range(addr, &length))
        return -ENOMEM;
    va_t end = addr + length;
    read_lock(&mm->lock);
    bool mapped = all_mapped(mm, addr, end);
    for (struct vma *v = vma_find(mm, addr); flags & MS_SYNC && !error && v && v->start < end;
         v = vma_next(v))
        if (v->mapping && v->flags & VM_SHARED)
            error = pagecache_sync(v->mapping, vma_pgoff(v, max(v->start, addr)),
                                   vma_pgoff(v, min(v->end, end) - 1));
    read_unlock(&mm->lock);
    return error ? error : mapped ? 0 : -ENOMEM;
}
