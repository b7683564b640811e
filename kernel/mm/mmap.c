/*
 * mmap.c: the system calls that change what the caller's address space has: mmap of anonymous
 * memory, brk, munmap, mprotect, mremap. mmap of files is decoded in syscall/ with vm_prepare_mmap
 * and ends in vm_mmap too. Calls that say something about memory are in advice.c.
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
#include "abi/capability.h"
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

// v->file is the object that holds the pages
static const struct vma_ops shared_anon_vma_ops = {
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

// All flags that MAP_SHARED_VALIDATE does not refuse.
#define KNOWN_FLAGS                                                                                \
    (MAP_TYPE | MAP_FIXED | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_DENYWRITE | MAP_EXECUTABLE |       \
     MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK | MAP_STACK | MAP_FIXED_NOREPLACE)

static int check_flags(int flags) {
    int type = flags & MAP_TYPE;

    if (type == MAP_SHARED_VALIDATE && flags & ~KNOWN_FLAGS)
        return -EOPNOTSUPP;
    if (type != MAP_PRIVATE && type != MAP_SHARED && type != MAP_SHARED_VALIDATE)
        return -EINVAL;
    if (flags & MAP_ANONYMOUS && type == MAP_SHARED_VALIDATE)
        return -EINVAL;
    // Only private anonymous memory grows; there is no pool of huge pages.
    if (flags & MAP_GROWSDOWN && (type != MAP_PRIVATE || !(flags & MAP_ANONYMOUS)))
        return -EINVAL;
    return flags & MAP_HUGETLB ? -EINVAL : 0;
}

// Limits of mlock(2) for `length` more bytes. 0, -EPERM, -EAGAIN
static int check_locked(struct mm *mm, u32 flags, size_t length) {
    if (!(flags & VM_LOCKED))
        return 0;
    if (current->process->limit[RLIMIT_MEMLOCK].rlim_cur == 0 && !capable(CAP_IPC_LOCK))
        return -EPERM;
    return vma_lock_ok(mm, length >> PAGE_SHIFT) ? 0 : -EAGAIN;
}

int vm_prepare_mmap(struct vma_request *r, va_t addr, size_t length, int prot, int flags) {
    bool fixed = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE);
    int error = length ? check_flags(flags) : -EINVAL;

    if (error)
        return error;
    if (fixed && !is_aligned(addr, PAGE_SIZE))
        return -EINVAL;
    if (length > USER_TOP)
        return -ENOMEM;
    *r = (struct vma_request){
        .addr = fixed ? addr : align_down(addr, PAGE_SIZE),
        .length = align_up(length, PAGE_SIZE),
        .flags = vm_flags_from_prot(prot) | VM_MAYWRITE | current->mm->lock_future,
        .fixed = fixed,
        .no_replace = flags & MAP_FIXED_NOREPLACE,
        .ops = &anon_vma_ops,
    };
    if ((flags & MAP_TYPE) != MAP_PRIVATE)
        r->flags |= VM_SHARED;
    if (flags & MAP_NORESERVE)
        r->flags |= VM_NORESERVE;
    if (flags & MAP_GROWSDOWN)
        r->flags |= VM_GROWSDOWN;
    if (flags & MAP_LOCKED)
        r->flags |= VM_LOCKED;
    return check_locked(current->mm, r->flags, r->length);
}

long vm_mmap(const struct vma_request *r, int flags) {
    struct mm *mm = current->mm;

    write_lock(&mm->lock);
    long addr = vma_map(mm, r);
    write_unlock(&mm->lock);
    // What cannot be brought in now stays for later faults.
    if (addr >= 0 && (flags & (MAP_POPULATE | MAP_NONBLOCK)) == MAP_POPULATE)
        populate(mm, addr, addr + r->length, false);
    else if (addr >= 0 && r->flags & VM_LOCKED)
        populate(mm, addr, addr + r->length, true);
    return addr;
}

long vm_mmap_anon(va_t addr, size_t length, int prot, int flags) {
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
    result = vm_mmap(&r, flags);
    if (shared)
        shared_memory_put(shared);
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
        .flags = VM_READ | VM_WRITE | VM_MAYWRITE | VM_HEAP | mm->lock_future,
        .fixed = true,
        .no_replace = true,
        .ops = &heap_vma_ops,
    };
    if (check_locked(mm, r.flags, r.length))
        return -ENOMEM;
    long addr = vma_map(mm, &r);
    return addr < 0 ? -ENOMEM : 0;
}

long vm_brk(va_t brk) {
    struct mm *mm = current->mm;
    u64 limit = READ_ONCE(current->process->limit[RLIMIT_DATA].rlim_cur);
    int error = 0;

    write_lock(&mm->lock);
    va_t old_end = align_up(mm->brk, PAGE_SIZE), end = align_up(brk, PAGE_SIZE);
    if (brk < mm->brk_start || brk > USER_TOP ||
        brk - mm->brk_start + mm->data_end - mm->data_start > limit)
        error = -ENOMEM;
    else if (end < old_end)
        error = vma_unmap(mm, end, old_end - end);
    else if (end > old_end)
        error = grow_heap(mm, old_end, end);
    if (!error)
        mm->brk = brk;
    brk = mm->brk;
    bool locked = mm->lock_future & VM_LOCKED && end > old_end && !error;
    write_unlock(&mm->lock);
    if (locked)
        populate(mm, old_end, end, true);
    return brk;
}

// ---- munmap, mprotect ----

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
        prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM | PROT_GROWSDOWN))
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
    bool locked = mm->locked_pages && prot & PROT_WRITE;
    write_unlock(&mm->lock);
    if (locked && !error)
        populate(mm, addr, addr + length, true);  // locked pages have their copies already
    return error;
}

// ---- mremap ----

struct remap {
    va_t old, target;
    size_t old_size, new_size;
    int flags;  // MREMAP_
};

// v's part r->old goes to r->target (0: anywhere), which is free with MREMAP_FIXED. Address or -ENOMEM
static long move(struct mm *mm, struct vma *v, const struct remap *r) {
    bool keep = r->flags & MREMAP_DONTUNMAP;
    struct vma_request q = {
        .addr = r->target,
        .length = r->new_size,
        .flags = v->flags,
        .fixed = r->flags & MREMAP_FIXED,
        .no_replace = true,
        .ops = v->ops,
        .mapping = v->mapping,
        .pgoff = vma_pgoff(v, r->old),
        .file = v->file,
        .moved = keep ? 0 : r->old_size,
    };
    struct gather g;
    long addr = vma_map(mm, &q);

    if (addr < 0 || r->old_size == 0)
        return addr;
    // The new VMA may have become part of a neighbour, even of v.
    struct vma *from = vma_find_exact(mm, r->old), *to = vma_find_exact(mm, addr);
    gather_init(&g, mm);
    to->copied |= from->copied;
    int error = table_move(&g, from, r->old, to, addr, r->old_size);
    if (error)  // the old tables are still there: this way back cannot fail
        table_move(&g, to, addr, from, r->old, r->old_size);
    gather_finish(&g);
    if (error)
        vma_unmap(mm, addr, r->new_size);
    else if (keep)
        error = vma_set_flags(mm, r->old, r->old + r->old_size, 0, VM_LOCKED | VM_LOCKONFAULT);
    else
        vma_unmap(mm, r->old, r->old_size);
    return error ? error : addr;
}

// => mm->lock held for writing, r->old_size < r->new_size or a new place is wanted
static long grow_or_move(struct mm *mm, const struct remap *r) {
    struct vma *v = vma_find_exact(mm, r->old), *next;
    u64 more = (r->new_size - r->old_size) >> PAGE_SHIFT;
    bool place = r->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP);

    if (!v || v->end - r->old < r->old_size)
        return -EFAULT;
    if (r->old_size == 0 && !(v->flags & VM_SHARED))
        return -EINVAL;
    if (v->flags & VM_LOCKED && !vma_lock_ok(mm, more))
        return -EAGAIN;
    next = vma_next(v);
    if (!place && v->end == r->old + r->old_size && r->new_size <= USER_TOP - r->old &&
        (!next || r->old + r->new_size <= next->start))
        return vma_grow(v, v->start, r->old + r->new_size) < 0 ? -ENOMEM : (long)r->old;
    return r->flags & MREMAP_MAYMOVE ? move(mm, v, r) : -ENOMEM;
}

static long remap(struct mm *mm, struct remap *r) {
    int error = 0;

    if (!vma_find_exact(mm, r->old))
        return -EFAULT;
    if (r->flags & MREMAP_FIXED)
        error = vma_unmap(mm, r->target, r->new_size);
    if (!error && r->new_size < r->old_size) {
        error = vma_unmap(mm, r->old + r->new_size, r->old_size - r->new_size);
        r->old_size = r->new_size;
    }
    if (error)
        return error;
    if (r->new_size == r->old_size && !(r->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)))
        return r->old;
    return grow_or_move(mm, r);
}

static bool remap_ok(struct remap *r) {
    int flags = r->flags;

    if (flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP) ||
        (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP) && !(flags & MREMAP_MAYMOVE)))
        return false;
    if (r->new_size == 0 || r->new_size > USER_TOP || !round_range(r->old, &r->old_size))
        return false;
    r->new_size = align_up(r->new_size, PAGE_SIZE);
    if (flags & MREMAP_DONTUNMAP && r->new_size != r->old_size)
        return false;
    if (!(flags & (MREMAP_FIXED | MREMAP_DONTUNMAP))) {
        r->target = 0;
        return true;
    }
    if (!round_range(r->target, &r->new_size) || (flags & MREMAP_FIXED && r->target < USER_BOTTOM))
        return false;
    return r->target >= r->old + r->old_size || r->old >= r->target + r->new_size;
}

long vm_mremap(va_t old, size_t old_size, size_t new_size, int flags, va_t target) {
    struct remap r = {old, target, old_size, new_size, flags};
    struct mm *mm = current->mm;

    if (!remap_ok(&r))
        return -EINVAL;
    write_lock(&mm->lock);
    long addr = remap(mm, &r);
    bool locked = mm->locked_pages;
    write_unlock(&mm->lock);
    if (locked && addr >= 0 && r.new_size > r.old_size)
        populate(mm, addr + r.old_size, addr + r.new_size, true);
    return addr;
}
