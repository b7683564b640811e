/*
 * advice.c: the system calls that say or ask something about memory that is mapped: madvise, mlock
 * and its family, mincore, msync.
 *
 * Like Linux, calls on a range do what they can: where nothing is mapped they go on (madvise, msync)
 * or stop (mlock), and say -ENOMEM at the end.
 *
 * Locked memory (VM_LOCKED) is brought in when it is locked, mapped or grown, unless VM_LOCKONFAULT
 * is set too. It stays because reclaim passes over locked VMAs, and madvise refuses
 * to drop it. mm->locked_pages counts it against RLIMIT_MEMLOCK.
 *
 * REMOVE makes a hole in what is mapped: in a file by its file system.
 *
 * Advice that changes nothing here: NORMAL, RANDOM, SEQUENTIAL (read-ahead follows what is read),
 * HUGEPAGE, NOHUGEPAGE (there are no large pages of user memory), DONTDUMP, DODUMP (no core dumps).
 * FREE gives pages back at once.
 *
 * Locks: mm->lock, for writing where flags change and for PAGEOUT, which must see that no page was
 * copied. All sleep.
 */
#include "abi/capability.h"
#include "check/race.h"
#include "mm/internal.h"
#include "mm/uaccess.h"
#include "proc/proc.h"

// ---- bringing pages in ----

static int bring(struct mm *mm, va_t start, va_t end, enum access access) {
    for (va_t a = start; a < end; a += PAGE_SIZE) {
        int error = fatal_signal_pending() ? -EINTR : vm_fault(mm, a, access, 0);
        if (error)
            return error;
    }
    return 0;
}

// A private page that may be written gets its copy now.
static enum access access_for(u32 flags) {
    if ((flags & (VM_WRITE | VM_SHARED)) == VM_WRITE)
        return ACCESS_WRITE;
    return flags & (VM_READ | VM_WRITE) ? ACCESS_READ : ACCESS_EXEC;
}

int populate(struct mm *mm, va_t start, va_t end, bool locked_only) {
    for (va_t at = start, stop; at < end; at = stop) {
        read_lock(&mm->lock);
        struct vma *v = vma_find(mm, at);
        u32 flags = v ? v->flags : 0;
        at = v ? max(at, v->start) : end;
        stop = v ? min(end, v->end) : end;
        read_unlock(&mm->lock);
        if (locked_only && (flags & (VM_LOCKED | VM_LOCKONFAULT)) != VM_LOCKED)
            continue;
        int error = at < stop ? bring(mm, at, stop, access_for(flags)) : 0;
        if (error)
            return error;
    }
    return 0;
}

// ---- madvise ----

static int change_flags(struct vma *v, va_t start, va_t end, u32 set, u32 clear) {
    return vma_set_flags(v->mm, start, end, set, clear);
}

static int drop_pages(struct vma *v, va_t start, va_t end) {
    int error = table_own_edges(v->mm, start, end, start, end);
    struct gather g;

    if (error)
        return error;
    gather_init(&g, v->mm);
    table_zap(&g, v, start, end);
    gather_finish(&g);
    return 0;
}

// Pages that the mapping has anyhow need not be in the page table; reclaim may take them now.
static int page_out(struct vma *v, va_t start, va_t end, bool now) {
    if (v->flags & VM_LOCKED)
        return -EINVAL;
    if (!v->mapping || (v->copied && !(v->flags & VM_SHARED)))
        return 0;
    if (now)
        drop_pages(v, start, end);
    pagecache_cool(v->mapping, vma_pgoff(v, start), vma_pgoff(v, end) - 1, now);
    return 0;
}

// Read a file's pages into the cache; beyond its end there are none.
static int will_need(struct vma *v, va_t start, va_t end) {
    if (!v->mapping || !v->ops->fault)
        return 0;
    for (va_t a = start; a < end && !fatal_signal_pending(); a += PAGE_SIZE) {
        struct page *p = v->ops->fault(v, a, ACCESS_READ);
        if (IS_ERR(p))
            break;
        page_put(p);
    }
    return 0;
}

// Call fn for [start, end) of v with the lock released: the file may need locks that come before it.
static int unlocked(struct mm *mm, struct vma *v, va_t start, va_t end, int (*fn)(struct vma *)) {
    struct vma copy = data_race(*v);

    copy.pgoff = vma_pgoff(v, start);
    copy.start = start;
    copy.end = end;
    copy.ops->open(&copy);
    read_unlock(&mm->lock);
    int error = fn(&copy);
    copy.ops->close(&copy);
    read_lock(&mm->lock);
    return error;
}

// v may be gone afterwards.
static int remove_pages(struct vma *v, va_t start, va_t end) {
    if (!v->mapping || v->flags & VM_LOCKED)
        return -EINVAL;
    if ((v->flags & (VM_SHARED | VM_WRITE)) != (VM_SHARED | VM_WRITE))
        return -EACCES;
    if (v->ops->remove)
        return unlocked(v->mm, v, start, end, v->ops->remove);
    pagecache_remove(v->mapping, vma_pgoff(v, start), vma_pgoff(v, end) - 1);
    return 0;
}

// What the advice means for [start, end) of v, which is not valid afterwards. 0, -EINVAL, -ENOMEM
static int advise(struct vma *v, va_t start, va_t end, int advice) {
    bool anonymous = !v->mapping && !v->ops->fault;

    switch (advice) {
    case MADV_FREE:
    case MADV_DONTNEED:
    case MADV_DONTNEED_LOCKED:
        if (advice == MADV_FREE && !anonymous)
            return -EINVAL;
        if (advice != MADV_DONTNEED_LOCKED && v->flags & VM_LOCKED)
            return -EINVAL;
        return drop_pages(v, start, end);
    case MADV_COLD:
    case MADV_PAGEOUT:
        return page_out(v, start, end, advice == MADV_PAGEOUT);
    case MADV_WILLNEED:
        return will_need(v, start, end);
    case MADV_REMOVE:
        return remove_pages(v, start, end);
    case MADV_DONTFORK:
        return change_flags(v, start, end, VM_DONTFORK, 0);
    case MADV_DOFORK:
        return change_flags(v, start, end, 0, VM_DONTFORK);
    case MADV_WIPEONFORK:
        return anonymous ? change_flags(v, start, end, VM_WIPEONFORK, 0) : -EINVAL;
    case MADV_KEEPONFORK:
        return change_flags(v, start, end, 0, VM_WIPEONFORK);
    default:
        return 0;
    }
}

static long populate_now(struct mm *mm, va_t start, va_t end, enum access access) {
    read_lock(&mm->lock);
    va_t stop = vma_mapped_until(mm, start, end);
    read_unlock(&mm->lock);
    int error = bring(mm, start, stop, access);
    if (error)  // not allowed there; beyond the end of a file
        return error == -EFAULT ? -EINVAL : error == -EIO || error == -ENXIO ? -EFAULT : error;
    return stop < end ? -ENOMEM : 0;
}

static long advise_range(struct mm *mm, va_t start, va_t end, int advice) {
    bool hole = false;
    int error = 0;

    for (va_t at = start; at < end && !error;) {
        struct vma *v = vma_find(mm, at);
        hole |= !v || v->start > at;
        if (!v || v->start >= end)
            break;
        at = min(v->end, end);
        error = advise(v, max(v->start, start), at, advice);
    }
    return error ? error : hole ? -ENOMEM : 0;
}

// How mm->lock is needed: 0 not at all, 1 for reading, 2 for writing; -EINVAL: no such advice.
static int lock_for(int advice) {
    switch (advice) {
    case MADV_POPULATE_READ:
    case MADV_POPULATE_WRITE:
        return 0;
    case MADV_DONTNEED:
    case MADV_DONTNEED_LOCKED:
    case MADV_FREE:
    case MADV_WILLNEED:
    case MADV_REMOVE:
    case MADV_COLD:
    case MADV_NORMAL:
    case MADV_RANDOM:
    case MADV_SEQUENTIAL:
    case MADV_HUGEPAGE:
    case MADV_NOHUGEPAGE:
    case MADV_DONTDUMP:
    case MADV_DODUMP:
        return 1;
    case MADV_PAGEOUT:
    case MADV_DONTFORK:
    case MADV_DOFORK:
    case MADV_WIPEONFORK:
    case MADV_KEEPONFORK:
        return 2;
    default:
        return -EINVAL;
    }
}

long vm_madvise(va_t addr, size_t length, int advice) {
    struct mm *mm = current->mm;
    int lock = lock_for(advice);
    long result;

    if (lock < 0 || !is_aligned(addr, PAGE_SIZE) || addr + length < addr)
        return -EINVAL;
    if (!round_range(addr, &length))
        return -ENOMEM;
    if (lock == 0)
        return populate_now(mm, addr, addr + length,
                            advice == MADV_POPULATE_WRITE ? ACCESS_WRITE : ACCESS_READ);
    if (lock == 1) {
        read_lock(&mm->lock);
        result = advise_range(mm, addr, addr + length, advice);
        read_unlock(&mm->lock);
    } else {
        write_lock(&mm->lock);
        result = advise_range(mm, addr, addr + length, advice);
        write_unlock(&mm->lock);
    }
    return result;
}

// ---- mlock ----

static bool may_lock(void) {
    return READ_ONCE(current->process->limit[RLIMIT_MEMLOCK].rlim_cur) > 0 || capable(CAP_IPC_LOCK);
}

static u64 locked_in(struct mm *mm, va_t start, va_t end) {
    u64 pages = 0;

    for (struct vma *v = vma_find(mm, start); v && v->start < end; v = vma_next(v))
        if (v->flags & VM_LOCKED)
            pages += (min(v->end, end) - max(v->start, start)) >> PAGE_SHIFT;
    return pages;
}

// Addresses are rounded to pages here. 0, -EINVAL, -ENOMEM
static int round_outwards(va_t *addr, size_t *length) {
    if (*addr + *length < *addr)
        return -EINVAL;
    *length += *addr % PAGE_SIZE;
    *addr = align_down(*addr, PAGE_SIZE);
    return round_range(*addr, length) ? 0 : -ENOMEM;
}

// Give what is mapped of [start, end) these of the two flags. => mm->lock held for writing
static int set_locked(struct mm *mm, va_t start, va_t end, u32 flags) {
    return vma_set_flags(mm, start, end, flags, (VM_LOCKED | VM_LOCKONFAULT) & ~flags);
}

static int lock_range(struct mm *mm, va_t start, va_t end, u32 flags) {
    va_t stop = vma_mapped_until(mm, start, end);
    int error = set_locked(mm, start, stop, flags);
    return error ? error : stop < end ? -ENOMEM : 0;
}

long vm_mlock(va_t addr, size_t length, u32 flags) {
    struct mm *mm = current->mm;

    if (flags & ~MLOCK_ONFAULT)
        return -EINVAL;
    if (!may_lock())
        return -EPERM;
    int error = round_outwards(&addr, &length);
    if (error)
        return error;
    va_t end = addr + length;
    write_lock(&mm->lock);
    error = vma_lock_ok(mm, (length >> PAGE_SHIFT) - locked_in(mm, addr, end)) ? 0 : -ENOMEM;
    if (!error)
        error = lock_range(mm, addr, end, VM_LOCKED | (flags ? VM_LOCKONFAULT : 0));
    write_unlock(&mm->lock);
    if (!error)
        error = populate(mm, addr, end, true);
    else
        return error;
    return error == -ENOMEM ? -EAGAIN : error && error != -EINTR ? -ENOMEM : error;
}

long vm_munlock(va_t addr, size_t length) {
    struct mm *mm = current->mm;
    int error = round_outwards(&addr, &length);

    if (error)
        return error;
    write_lock(&mm->lock);
    error = lock_range(mm, addr, addr + length, 0);
    write_unlock(&mm->lock);
    return error;
}

long vm_mlockall(u32 flags) {
    struct mm *mm = current->mm;
    u32 kind = VM_LOCKED | (flags & MCL_ONFAULT ? VM_LOCKONFAULT : 0);
    int error = 0;

    if (flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) || !(flags & (MCL_CURRENT | MCL_FUTURE)))
        return -EINVAL;
    if (!may_lock())
        return -EPERM;
    write_lock(&mm->lock);
    if (flags & MCL_CURRENT && !vma_lock_ok(mm, mm->total_pages - mm->locked_pages)) {
        error = -ENOMEM;
    } else {
        mm->lock_future = flags & MCL_FUTURE ? kind : 0;
        if (flags & MCL_CURRENT)
            error = set_locked(mm, 0, USER_TOP, kind);
    }
    write_unlock(&mm->lock);
    if (!error && flags & MCL_CURRENT)
        populate(mm, 0, USER_TOP, true);  // what cannot be brought in stays out: a PROT_NONE area
    return error;
}

long vm_munlockall(void) {
    struct mm *mm = current->mm;

    write_lock(&mm->lock);
    mm->lock_future = 0;
    int error = set_locked(mm, 0, USER_TOP, 0);
    write_unlock(&mm->lock);
    return error;
}

// ---- mincore, msync ----

// => mm->lock held
static bool in_memory(struct vma *v, va_t addr) {
    if (table_entry(v->mm, addr))
        return true;
    struct page *p = v->mapping ? pagecache_find(v->mapping, vma_pgoff(v, addr)) : NULL;
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
        va_t stop = a + n * PAGE_SIZE;
        bool ok = vma_mapped_until(mm, a, stop) == stop;
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
    bool hole = false;
    int error = 0;

    if (flags & ~(MS_ASYNC | MS_SYNC | MS_INVALIDATE) || (flags & MS_ASYNC && flags & MS_SYNC))
        return -EINVAL;
    if (!is_aligned(addr, PAGE_SIZE))
        return -EINVAL;
    if (!round_range(addr, &length))
        return -ENOMEM;
    read_lock(&mm->lock);
    for (va_t at = addr, end = addr + length; at < end && !error;) {
        struct vma *v = vma_find(mm, at);
        hole |= !v || v->start > at;
        if (!v || v->start >= end)
            break;
        at = v->end;
        if (flags & MS_INVALIDATE && v->flags & VM_LOCKED)
            error = -EBUSY;
        else if (flags & MS_SYNC && v->flags & VM_SHARED && v->ops->sync)
            error = unlocked(mm, v, v->start, at, v->ops->sync);
    }
    read_unlock(&mm->lock);
    return error ? error : hole ? -ENOMEM : 0;
}
