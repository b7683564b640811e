/*
 * vma.c: the areas of an address space, what is mapped where with which rights. Page tables follow:
 * they may lack what a VMA has (a fault brings it), never the reverse.
 *
 * VMAs of an mm do not overlap and are in a red-black tree by start; vma_find tries the last hit
 * first. Neighbours that could be one are merged when mapped or protected, so an address space that
 * is torn and mended again has the same VMAs.
 *
 * A VMA with a mapping is also on mapping->vmas, for truncation, write-back and reclaim, which come
 * without mm->lock: its start, end and pgoff change with both mm->lock and mapping->vmas_lock held. It
 * leaves that list before its page tables go.
 *
 * Free addresses are searched downwards from below the stack, from where the last search ended
 * (mm->free_hint, raised by vma_unmap), and from the top when that fails.
 *
 * Changes are: check limits, allocate (split), then a part that cannot fail. A split alone changes
 * nothing that a program sees.
 *
 * Locks: mm->lock for writing everywhere but in vma_find, then vmas_lock.
 */
#include "abi/capability.h"
#include "check/race.h"
#include "mm/internal.h"
#include "mm/slab.h"
#include "mm/stats.h"
#include "proc/proc.h"

#define MAX_VMAS 65530
#define VM_KINDS (VM_READ | VM_WRITE | VM_EXEC)

struct slab_cache *vma_cache;
u64 committed_pages;
u64 overcommit_memory;

static inline struct vma *node_vma(struct rb_node *n) {
    return n ? rb_entry(n, struct vma, node) : NULL;
}
struct vma *vma_first(struct mm *mm) {
    return node_vma(rb_first(&mm->vmas));
}

// ---- finding ----

struct vma *vma_search(struct mm *mm, va_t addr) {
    struct vma *best = NULL;

    for (struct rb_node *n = mm->vmas.node; n;) {
        struct vma *v = node_vma(n);
        if (addr >= v->end) {
            n = n->right;
            continue;
        }
        best = v;
        if (addr >= v->start)
            break;
        n = n->left;
    }
    if (best)
        WRITE_ONCE(mm->last_hit, best);
    return best;
}

struct vma *vma_find_exact(struct mm *mm, va_t addr) {
    struct vma *v = vma_find(mm, addr);
    return v && v->start <= addr ? v : NULL;
}

va_t vma_mapped_until(struct mm *mm, va_t start, va_t end) {
    va_t at = start;
    for (struct vma *v = vma_find(mm, start); v && v->start <= at && at < end; v = vma_next(v))
        at = v->end;
    return min(at, end);
}

// ---- limits ----

bool vma_fits(u64 pages) { return READ_ONCE(overcommit_memory) != 0 || pages <= pages_total; }

bool vma_charge(u64 pages) {
    if (!vma_fits(pages))
        return false;
    atomic_add_relaxed(&committed_pages, pages);
    return true;
}

void vma_uncharge(u64 pages) { atomic_sub(&committed_pages, pages); }

static u64 limit_pages(int which) {
    if (!current->process)
        return ~0ul;
    u64 bytes = READ_ONCE(current->process->limit[which].rlim_cur);
    return bytes == RLIM_INFINITY ? ~0ul : bytes >> PAGE_SHIFT;
}

static bool is_data(u32 flags) {
    return (flags & (VM_WRITE | VM_SHARED | VM_GROWSDOWN)) == VM_WRITE;
}

static bool vma_limit_ok(struct mm *mm, u64 pages, u32 flags) {
    if (pages > USER_TOP >> PAGE_SHIFT || mm->total_pages + pages > limit_pages(RLIMIT_AS))
        return false;
    return !is_data(flags) || mm->data_pages + pages <= limit_pages(RLIMIT_DATA);
}

bool vma_lock_ok(struct mm *mm, u64 pages) {
    return mm->locked_pages + pages <= limit_pages(RLIMIT_MEMLOCK) || capable(CAP_IPC_LOCK);
}

// More pages (or, negative, fewer) of a VMA with these flags.
static inline void account(struct mm *mm, u32 flags, s64 pages) {
    mm->total_pages += pages;
    if (flags & VM_ACCOUNT)
        mm->reserved_pages += pages;
    if (is_data(flags))
        mm->data_pages += pages;
    if (flags & VM_LOCKED)
        mm->locked_pages += pages;
}

// v is about to get these flags; VM_ACCOUNT may only come.
static inline void account_change(struct mm *mm, const struct vma *v, u32 flags) {
    s64 pages = pages_of(v);

    if (flags & ~v->flags & VM_ACCOUNT)
        mm->reserved_pages += pages;
    if ((flags ^ v->flags) & VM_LOCKED)
        mm->locked_pages += flags & VM_LOCKED ? pages : -pages;
    mm->data_pages += (is_data(flags) - is_data(v->flags)) * pages;
}

// ---- trees and lists ----

static bool may_dirty(const struct vma *v) {
    return (v->flags & (VM_SHARED | VM_MAYWRITE)) == (VM_SHARED | VM_MAYWRITE);
}

// => v->prev and v->next are set
static void hook(struct mm *mm, struct vma *v, struct rb_node *parent, struct rb_node **link) {
    if (v->prev)
        v->prev->next = v;
    if (v->next)
        v->next->prev = v;
    rb_insert_at(&v->node, parent, link);
    rb_insert_color(&v->node, &mm->vmas);
    mm->nr_vmas++;
}

static void tree_insert(struct mm *mm, struct vma *v) {
    struct rb_node *parent = NULL, **link = &mm->vmas.node;

    v->prev = v->next = NULL;
    while (*link) {
        struct vma *other = node_vma(parent = *link);
        if (v->start < other->start) {
            v->next = other;
            link = &parent->left;
        } else {
            v->prev = other;
            link = &parent->right;
        }
    }
    hook(mm, v, parent, link);
}

// Into the tree behind its lower neighbour.
static void tree_insert_after(struct mm *mm, struct vma *below, struct vma *v) {
    v->prev = below;
    v->next = below->next;
    if (below->node.right)
        hook(mm, v, &v->next->node, &v->next->node.left);
    else
        hook(mm, v, &below->node, &below->node.right);
}

// => v has a mapping
static void mapping_link(struct vma *v, struct list *after) {
    struct mapping *m = v->mapping;

    spin_lock(&m->vmas_lock);
    list_add(&v->mapping_link, after ? after : m->vmas.prev);
    m->nr_shared += may_dirty(v);
    spin_unlock(&m->vmas_lock);
}

void vma_mapping_unlink(struct vma *v) {
    struct mapping *m = v->mapping;

    if (!m || list_empty(&v->mapping_link))
        return;
    spin_lock(&m->vmas_lock);
    list_del(&v->mapping_link);
    m->nr_shared -= may_dirty(v);
    spin_unlock(&m->vmas_lock);
}

static inline void set_anon_range(struct vma *v, va_t start, va_t end) {
    v->pgoff += (s64)(start - v->start) >> PAGE_SHIFT;
    v->start = start;
    v->end = end;
}

static void set_mapped_range(struct vma *v, va_t start, va_t end) {
    spin_lock(&v->mapping->vmas_lock);
    set_anon_range(v, start, end);
    spin_unlock(&v->mapping->vmas_lock);
}

// Change where v begins and ends; its pages keep their places.
static inline void set_range(struct vma *v, va_t start, va_t end) {
    if (v->mapping)
        set_mapped_range(v, start, end);
    else
        set_anon_range(v, start, end);
}

static void vma_insert(struct mm *mm, struct vma *v) {
    tree_insert(mm, v);
    if (v->mapping)
        mapping_link(v, NULL);
    account(mm, v->flags, pages_of(v));
}

void vma_link_forked(struct vma *v, struct vma *last, struct vma *parent) {
    v->prev = last;
    if (last)
        last->next = v;
    v->flags &= ~(VM_LOCKED | VM_LOCKONFAULT | VM_FRAMES);
    list_init(&v->mapping_link);
    if (v->mapping)
        mapping_link(v, &parent->mapping_link);
}

void vma_not_forked(struct mm *mm, const struct vma *v) {
    account(mm, v->flags & ~VM_LOCKED, -(s64)pages_of(v));
    mm->nr_vmas--;
    if (v->flags & VM_ACCOUNT)
        vma_uncharge(pages_of(v));
}

// n VMAs from *first on as a tree: halves are below their middle, so only the lowest level has gaps, and its nodes are
// red. *first moves behind them.
static struct rb_node *join_vmas(struct vma **first, u32 n, u32 level) {
    struct rb_node *left = n > 2 ? join_vmas(first, (n - 1) / 2, level - 1) : NULL;
    struct vma *v = *first;
    *first = v->next;
    rb_join(&v->node, left, n > 1 ? join_vmas(first, n / 2, level - 1) : NULL, level == 0);
    return &v->node;
}

void vma_make_tree(struct mm *mm, struct vma *first, u32 n) {
    u32 level = 0;

    while (n >> level > 1)
        level++;
    mm->vmas.node = join_vmas(&first, n, level);
    if (n == 1)
        rb_set_root(mm->vmas.node);
}

static void forget_hit(struct mm *mm, struct vma *v) {
    if (mm->last_hit == v)
        mm->last_hit = NULL;
}

// Off the tree and the mapping's list; still counted.
static inline void vma_unlink(struct mm *mm, struct vma *v) {
    if (v->mapping)
        vma_mapping_unlink(v);
    if (v->prev)
        v->prev->next = v->next;
    if (v->next)
        v->next->prev = v->prev;
    rb_erase(&v->node, &mm->vmas);
    mm->nr_vmas--;
    forget_hit(mm, v);
}

void vma_free(struct vma *v) {
    if (v->ops->close)
        v->ops->close(v);
    slab_free(vma_cache, v);
}

void vma_remove(struct mm *mm, struct vma *v) {
    if (v->flags & VM_ACCOUNT)
        vma_uncharge(pages_of(v));
    account(mm, v->flags, -(s64)pages_of(v));
    vma_unlink(mm, v);
    vma_free(v);
}

// ---- splitting and merging ----

static struct vma *vma_clone(const struct vma *v) {
    struct vma *copy = slab_alloc(vma_cache, 0);

    if (!copy)
        return NULL;
    // Neighbours in the mapping's list may change v's link; the copy gets its own.
    *copy = data_race(*v);
    list_init(&copy->mapping_link);
    if (copy->ops->open)
        copy->ops->open(copy);
    return copy;
}

// Cut v at addr; v keeps the lower part. The upper part, or NULL: out of memory or of VMAs.
static struct vma *vma_split(struct mm *mm, struct vma *v, va_t addr) {
    struct vma *upper = mm->nr_vmas < MAX_VMAS ? vma_clone(v) : NULL;

    if (!upper)
        return NULL;
    upper->pgoff += (addr - v->start) >> PAGE_SHIFT;
    upper->start = addr;
    tree_insert_after(mm, v, upper);
    if (v->mapping)
        mapping_link(upper, &v->mapping_link);
    set_range(v, v->start, addr);
    return upper;
}

// => they adjoin
static bool can_merge(const struct vma *a, const struct vma *b) {
    return a->ops == b->ops && a->mapping == b->mapping && a->file == b->file &&
           !(a->flags & VM_GROWSDOWN) && (a->mapping || !a->ops->fault) &&
           (!a->mapping || a->pgoff + pages_of(a) == b->pgoff);
}

// Let a take over b, which adjoins it, when the two can be one. True if so; b is gone.
static inline bool merge(struct mm *mm, struct vma *a, struct vma *b) {
    if (!can_merge(a, b))
        return false;
    // a grows first, so that truncation and write-back find the pages all the time.
    set_range(a, a->start, b->end);
    a->copied |= b->copied;
    vma_unlink(mm, b);
    vma_free(b);
    return true;
}

static inline bool adjoin(const struct vma *a, const struct vma *b) {
    return a && b && a->end == b->start && a->flags == b->flags;
}

// The VMA that v is part of after merging with both neighbours.
static struct vma *merge_around(struct mm *mm, struct vma *v) {
    struct vma *prev = v->prev, *next = v->next;

    if (adjoin(v, next))
        merge(mm, v, next);
    return adjoin(prev, v) && merge(mm, prev, v) ? prev : v;
}

int vma_grow(struct vma *v, va_t start, va_t end) {
    u64 more = (end - start - (v->end - v->start)) >> PAGE_SHIFT;

    if (!vma_limit_ok(v->mm, more, v->flags))
        return -ENOMEM;
    if (v->flags & VM_LOCKED && !vma_lock_ok(v->mm, more))
        return -ENOMEM;
    if (v->flags & VM_ACCOUNT && !vma_charge(more))
        return -ENOMEM;
    set_range(v, start, end);
    account(v->mm, v->flags, more);
    return 0;
}

// ---- free addresses ----

void vm_lay_out(struct mm *mm, va_t stack_end, u64 offset) {
    u64 room = READ_ONCE(current->process->limit[RLIMIT_STACK].rlim_cur);

    room = room < MIB(128) ? MIB(128) : room > GIB(64) ? GIB(64) : room;
    mm->stack_top = stack_end;
    mm->mmap_top = align_down(stack_end - room - STACK_GUARD - offset, PAGE_SIZE);
    mm->free_hint = mm->mmap_top;
}

// Where the free space below v ends: a stack keeps room to grow.
static va_t ceiling_of(const struct vma *v) {
    if (!(v->flags & VM_GROWSDOWN))
        return v->start;
    return v->start > STACK_GUARD ? v->start - STACK_GUARD : 0;
}

// The highest free place that ends at `top` or below, or 0.
static va_t search_down(struct mm *mm, va_t top, size_t length) {
    struct vma *above = vma_find(mm, top - 1);
    struct vma *below = above ? above->prev : node_vma(rb_last(&mm->vmas));

    if (above)
        top = min(top, ceiling_of(above));
    for (;; below = below->prev) {
        va_t floor = below ? below->end : USER_BOTTOM;
        if (top > floor && top - floor >= length)
            return top - length;
        if (!below)
            return 0;
        top = min(top, ceiling_of(below));
    }
}

long vma_unmapped_area(struct mm *mm, va_t hint, size_t length) {
    if (length > USER_TOP - USER_BOTTOM)
        return -ENOMEM;
    if (hint >= USER_BOTTOM && hint <= USER_TOP - length) {
        struct vma *v = vma_find(mm, hint);
        if (!v || (hint + length <= ceiling_of(v) && hint < v->start))
            return hint;
    }
    va_t addr = search_down(mm, mm->free_hint, length);
    if (!addr)
        addr = search_down(mm, mm->mmap_top, length);
    if (addr)
        return mm->free_hint = addr;
    addr = search_down(mm, USER_TOP, length);
    return addr ? (long)addr : -ENOMEM;
}

// ---- mapping ----

static bool must_account(const struct vma_request *r) {
    if (r->flags & VM_NORESERVE)
        return false;
    return (r->flags & (VM_WRITE | VM_SHARED)) == VM_WRITE || r->flags & VM_ACCOUNT;
}

// Where the request goes; room is made there when it is fixed. Address or negative errno.
static long place(struct mm *mm, const struct vma_request *r) {
    if (!r->fixed)
        return vma_unmapped_area(mm, r->addr, r->length);
    if (!is_aligned(r->addr, PAGE_SIZE))
        return -EINVAL;
    if (r->addr < USER_BOTTOM)
        return -EPERM;  // as below Linux's vm.mmap_min_addr
    if (r->length > USER_TOP || r->addr > USER_TOP - r->length)
        return -ENOMEM;
    struct vma *v = vma_find(mm, r->addr);
    if (v && v->start < r->addr + r->length) {
        if (r->no_replace)
            return -EEXIST;
        int error = vma_unmap(mm, r->addr, r->length);
        if (error)
            return error;
    }
    return r->addr;
}

// A limit is reached, but not any more when what was in the place of the request is gone.
static bool replaces_enough(struct mm *mm, const struct vma_request *r) {
    va_t end = r->addr + r->length;
    u64 total = 0, data = 0;

    if (!r->fixed || r->no_replace || end < r->addr)
        return false;
    for (struct vma *v = vma_find(mm, r->addr); v && v->start < end; v = vma_next(v)) {
        u64 pages = (min(v->end, end) - max(v->start, r->addr)) >> PAGE_SHIFT;
        total += pages;
        data += is_data(v->flags) ? pages : 0;
    }
    mm->total_pages -= total;
    mm->data_pages -= data;
    bool ok = vma_limit_ok(mm, r->length >> PAGE_SHIFT, r->flags);
    mm->total_pages += total;
    mm->data_pages += data;
    return ok;
}

long vma_map(struct mm *mm, const struct vma_request *r) {
    u64 pages = r->length >> PAGE_SHIFT;
    bool charge = must_account(r);
    long addr;

    assert(write_is_mine(&mm->lock));
    if (mm->nr_vmas >= MAX_VMAS ||
        (!vma_limit_ok(mm, pages - (r->moved >> PAGE_SHIFT), r->flags) && !replaces_enough(mm, r)))
        return -ENOMEM;
    if (charge && !vma_charge(pages))
        return -ENOMEM;
    struct vma *v = slab_alloc(vma_cache, 0);
    if (!v) {
        addr = -ENOMEM;
        goto uncharge;
    }
    addr = place(mm, r);
    if (addr < 0)
        goto free_vma;

    v->start = addr;
    v->end = addr + r->length;
    v->flags = charge ? r->flags | VM_ACCOUNT : r->flags & ~VM_ACCOUNT;
    v->mm = mm;
    v->ops = r->ops;
    v->mapping = r->mapping;
    v->pgoff = r->pgoff;
    v->copied = false;
    v->file = r->file;
    list_init(&v->mapping_link);
    if (v->ops->open)
        v->ops->open(v);
    vma_insert(mm, v);
    merge_around(mm, v);
    return addr;

free_vma:
    slab_free(vma_cache, v);
uncharge:
    if (charge)
        vma_uncharge(pages);
    return addr;
}

static bool range_ok(va_t start, size_t length) {
    return is_aligned(start, PAGE_SIZE) && length > 0 && length <= USER_TOP &&
           start <= USER_TOP - length;
}

// Make boundaries at start and end, which are in v: the VMA between them, or NULL: out of memory or of VMAs.
static struct vma *isolate(struct mm *mm, struct vma *v, va_t start, va_t end) {
    if (v->start < start && !(v = vma_split(mm, v, start)))
        return NULL;
    return v->end == end || vma_split(mm, v, end) ? v : NULL;
}

// v loses its head or tail [from, to): no need to split it.
static void trim(struct gather *g, struct vma *v, va_t from, va_t to) {
    u64 pages = (to - from) >> PAGE_SHIFT;

    set_range(v, from == v->start ? to : v->start, from == v->start ? v->end : from);
    table_zap(g, v, from, to);
    account(v->mm, v->flags, -(s64)pages);
    if (v->flags & VM_ACCOUNT)
        vma_uncharge(pages);
}

static void note_peak(struct mm *mm) { mm->rss_peak = mm_rss_peak(mm); }

// Tables with a part of [start, end) and of something else are to be the mm's own. v is the first VMA in the range.
static int own_edges(struct mm *mm, struct vma *v, va_t start, va_t end) {
    if (likely(!table_is_shared(mm, start) && !table_is_shared(mm, end - 1)))
        return 0;
    struct vma *below = v->start < start ? v : v->prev, *above = vma_find(mm, end);
    return table_own_edges(mm, start, end, below ? min(below->end, start) : 0,
                           above ? max(above->start, end) : 1ul << 38);
}

int vma_unmap(struct mm *mm, va_t start, size_t length) {
    va_t end = start + length;
    struct gather g;

    assert(write_is_mine(&mm->lock));
    if (!range_ok(start, length))
        return -EINVAL;
    struct vma *v = vma_find(mm, start), *below, *above;
    if (!v || v->start >= end)
        return 0;
    if (own_edges(mm, v, start, end) < 0)
        return -ENOMEM;
    if (v->start < start && v->end > end && !vma_split(mm, v, end))
        return -ENOMEM;
    note_peak(mm);
    gather_init(&g, mm);
    // Only the first and the last may be there in part.
    if (v->start < start) {
        below = v;
        above = v->next;
        trim(&g, v, start, v->end);
    } else {
        below = v->prev;
        above = v;
    }
    while (above && above->end <= end) {
        v = above;
        above = v->next;
        if (v->mapping)
            vma_mapping_unlink(v);
        table_zap(&g, v, v->start, v->end);
        vma_remove(mm, v);
    }
    if (above && above->start < end)
        trim(&g, above, above->start, end);
    table_free_range(&g, start, end, below ? below->end : 0, above ? above->start : 1ul << 38);
    gather_finish(&g);
    if (end > mm->free_hint && end <= mm->mmap_top)
        mm->free_hint = end;
    return 0;
}

// ---- protecting ----

// A private VMA that becomes writable counts from now on. 0 or -ENOMEM
static int protect_charge(struct vma *v, u32 flags) {
    bool newly = flags & VM_WRITE && !(v->flags & (VM_ACCOUNT | VM_SHARED | VM_NORESERVE));

    if (is_data(flags) && !is_data(v->flags) &&
        v->mm->data_pages + pages_of(v) > limit_pages(RLIMIT_DATA))
        return -ENOMEM;
    return newly && !vma_charge(pages_of(v)) ? -ENOMEM : 0;
}

int vma_protect(struct mm *mm, va_t start, size_t length, u32 rwx) {
    va_t end = start + length;
    struct gather g;
    int error = 0;

    assert(write_is_mine(&mm->lock));
    gather_init(&g, mm);
    bool code = false;
    for (va_t at = start; at < end;) {
        struct vma *v = vma_find(mm, at);
        error = !v || v->start > at                           ? -ENOMEM
                : rwx & VM_WRITE && !(v->flags & VM_MAYWRITE) ? -EACCES
                                                              : 0;
        if (error)
            break;
        va_t stop = min(end, v->end);
        u32 flags = (v->flags & ~VM_KINDS) | rwx;
        if (flags != v->flags) {
            v = isolate(mm, v, at, stop);
            error = v ? table_own(mm, at, stop) : -ENOMEM;
            if (!error)
                error = protect_charge(v, flags);
            if (error)
                break;
            if (rwx & VM_WRITE && !(flags & (VM_SHARED | VM_NORESERVE)))
                flags |= VM_ACCOUNT;
            code |= flags & VM_EXEC && !(v->flags & VM_EXEC);
            account_change(mm, v, flags);
            v->flags = flags;
            table_protect(&g, v, at, stop);
            WRITE_ONCE(mm->last_hit, merge_around(mm, v));
        }
        at = stop;
    }
    gather_finish(&g);
    if (code)
        tlb_new_code(mm);
    return error;
}

// With the lock that reclaim looks at VM_LOCKED with: what it takes later, it takes from a VMA that is not locked.
static void set_flags(struct vma *v, u32 flags) {
    if (v->mapping)
        spin_lock(&v->mapping->vmas_lock);
    v->flags = flags;
    if (v->mapping)
        spin_unlock(&v->mapping->vmas_lock);
}

int vma_set_flags(struct mm *mm, va_t start, va_t end, u32 set, u32 clear) {
    for (va_t at = start; at < end;) {
        struct vma *v = vma_find(mm, at);
        if (!v || v->start >= end)
            break;
        va_t stop = min(end, v->end);
        u32 flags = (v->flags & ~clear) | set;
        if (flags != v->flags) {
            v = isolate(mm, v, max(at, v->start), stop);
            if (!v)
                return -ENOMEM;
            account_change(mm, v, flags);
            set_flags(v, flags);
            merge_around(mm, v);
        }
        at = stop;
    }
    return 0;
}

// ---- all VMAs of a mapping ----

// The part of v that shows pages [first, last]. False: none.
static bool shown(const struct vma *v, u64 first, u64 last, va_t *start, va_t *end) {
    u64 pages = pages_of(v);

    if (last < v->pgoff || first >= v->pgoff + pages)
        return false;
    *start = first <= v->pgoff ? v->start : v->start + ((first - v->pgoff) << PAGE_SHIFT);
    *end = last - v->pgoff >= pages - 1 ? v->end : v->start + ((last - v->pgoff + 1) << PAGE_SHIFT);
    return true;
}

static void for_shown(struct mapping *m, u64 first, u64 last, bool shared_only,
                      void (*fn)(struct gather *, struct vma *, va_t, va_t)) {
    struct gather g;
    struct vma *v;
    va_t start, end;

    memory_fence();
    if (list_empty(&m->vmas))
        return;
    spin_lock(&m->vmas_lock);
    list_for_each (v, &m->vmas, mapping_link)
        if ((!shared_only || may_dirty(v)) && shown(v, first, last, &start, &end)) {
            gather_init(&g, v->mm);
            fn(&g, v, start, end);
            gather_finish(&g);
        }
    spin_unlock(&m->vmas_lock);
}

void vm_unmap_mapping(struct mapping *m, u64 first, u64 last) {
    for_shown(m, first, last, false, table_zap_shown);
}

void vm_forget_mapping(struct mapping *m, u64 first, u64 last) {
    for_shown(m, first, last, false, table_zap_cached);
}

void vm_clean_mapping(struct mapping *m, u64 first, u64 last) {
    if (READ_ONCE(m->nr_shared))
        for_shown(m, first, last, true, table_clean);
}
