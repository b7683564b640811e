/*
 * vm.c: the life of an address space, from mm_create over fork and the switch between harts to its
 * end.
 *
 * struct mm has two counts. `users` are tasks; when the last one leaves, VMAs, pages and tables go.
 * `count` is one for all users together plus one for each thread that borrows the root table:
 * kernel threads run on the table of whoever ran before them (task->active_mm), so that switching
 * to them and back writes no satp. At count 0 root and struct go.
 *
 *   task->mm == active_mm   a user task, counted in users
 *   task->mm == NULL        active_mm is borrowed, counted in count; NULL on the boot table
 *
 * fork copies the VMAs and shares the last-level tables of private ones (share.c): who changes
 * something first copies the table, and there the pages are read-only with one more reference, so
 * who writes first copies the page (fault.c). What is copied each time fork copies itself. The parent's harts forget the writable entries before
 * its mm->lock is released, and the child does not run earlier, so nobody writes a page that the
 * other reads. Shared VMAs start without entries: a fault finds their pages in the mapping.
 *
 *   fork, mm->lock for writing             fault in another thread, mm->lock for reading
 *   cannot begin while the fault runs      sees all entries either before or after fork
 *
 * The end of an mm:  mm_put, users 0
 *   VMAs leave their mappings' lists  -> truncation and write-back no longer come
 *   pages are unmapped and freed      -> no hart runs a task of it; its ASID is not loaded again
 *                                        (without ASIDs, loading another table flushes everything)
 *   tables are unhooked; VMAs are closed and freed
 *   all harts that have the root in satp flush, tables are freed; the root waits for the last borrower
 *
 * Locks: mm->lock. mm_switch runs with interrupts off inside the run queue's lock; it may free a
 * root and an mm.
 */
#include "mm/vm.h"
#include "check/race.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/internal.h"
#include "mm/slab.h"
#include "mm/stats.h"
#include "proc/proc.h"

static struct slab_cache *mm_cache;
u64 randomize_va_space;

const struct vma_ops anon_vma_ops = {.name = ""};
const struct vma_ops stack_vma_ops = {.name = "[stack]"};
const struct vma_ops heap_vma_ops = {.name = "[heap]"};

void vm_init(void) {
    mm_cache = slab_create("mm", sizeof(struct mm), 64);
    vma_cache = slab_create("vma", sizeof(struct vma), 8);
    zero_page = page_alloc(0, ALLOC_ZERO);
    if (!mm_cache || !vma_cache || !zero_page)
        panic("no memory for address spaces");
    tlb_init();
}

struct mm *mm_create(void) {
    struct mm *mm = slab_alloc(mm_cache, ALLOC_ZERO);

    if (!mm)
        return NULL;
    mm->root = root_alloc();
    if (!mm->root) {
        slab_free(mm_cache, mm);
        return NULL;
    }
    ref_init(&mm->users);
    ref_init(&mm->count);
    rwlock_init(&mm->lock, RANK_MM, "mm");
    mm->table_pages = 1;
    return mm;
}

// Drop a `count` reference; mm_switch does it for threads it switches away from.
static void mm_release_borrowed(struct mm *mm) {
    if (!mm || !ref_put(&mm->count))
        return;
    root_free(mm->root);
    slab_free(mm_cache, mm);
}

static bool has_tables(const struct vma *v) {
    const u64 *slot = middle_slot(v->mm, v->start);
    return (v->start ^ (v->end - 1)) >= MEGAPAGE_SIZE || (slot && *slot);
}

// No task is left: nobody else changes the VMAs, and nobody faults.
static void free_vmas(struct mm *mm) {
    struct vma *next;
    struct gather g;
    va_t done = 0;  // tables up to here are gone

    gather_init(&g, mm);
    for (struct vma *v = vma_first(mm); v; v = next) {
        next = vma_next(v);
        vma_mapping_unlink(v);
        bool last = !next || (next->start ^ v->start) >= GIGAPAGE_SIZE;  // under its middle table
        if (last || (v->end > done && has_tables(v)))
            table_free_dead(&g, v);
        done = align_up(v->end, MEGAPAGE_SIZE);
        vma_free(v);
    }
    gather_finish(&g);
    mm->last_hit = NULL;
    mm->vmas.node = NULL;
    vma_uncharge(mm->reserved_pages);
}

void mm_put(struct mm *mm) {
    if (!ref_put(&mm->users))
        return;
    free_vmas(mm);
    if (mm->exe_file && mm->exe_put)
        mm->exe_put(mm->exe_file);
    mm_release_borrowed(mm);
}

// ---- fork ----

static inline void copy_layout(struct mm *child, const struct mm *parent) {
    child->membarrier = load_relaxed(&parent->membarrier);
    child->brk_start = parent->brk_start;
    child->brk = parent->brk;
    child->stack_top = parent->stack_top;
    child->arg_start = parent->arg_start;
    child->arg_end = parent->arg_end;
    child->env_start = parent->env_start;
    child->env_end = parent->env_end;
    child->code_start = parent->code_start;
    child->code_end = parent->code_end;
    child->data_start = parent->data_start;
    child->data_end = parent->data_end;
    child->mmap_top = parent->mmap_top;
    child->free_hint = parent->free_hint;
    memcpy(child->auxv, parent->auxv, sizeof(child->auxv));
    child->exe_get = parent->exe_get;
    child->exe_put = parent->exe_put;
    if (parent->exe_file && parent->exe_get) {
        parent->exe_get(parent->exe_file);
        child->exe_file = parent->exe_file;
    }
}

// The child counts what the parent has mapped.
static void copy_counts(struct mm *child, const struct mm *parent) {
    child->nr_vmas = parent->nr_vmas;
    child->total_pages = parent->total_pages;
    child->data_pages = parent->data_pages;
    child->reserved_pages = parent->reserved_pages;
    atomic_add_relaxed(&committed_pages, parent->reserved_pages);
}

// The child gets a copy of v behind *last. 0 or -ENOMEM
static int fork_vma(struct forking *f, struct vma *v, struct vma **last) {
    if (v->flags & VM_ACCOUNT && !vma_fits(pages_of(v)))
        return -ENOMEM;
    struct vma *copy = slab_alloc(vma_cache, 0);
    if (!copy)
        return -ENOMEM;
    // Neighbours in the mapping's list may change v's link; the copy gets its own.
    *copy = data_race(*v);
    copy->mm = f->child;
    copy->next = NULL;
    if (copy->ops->open)
        copy->ops->open(copy);
    vma_link_forked(copy, *last, v);
    *last = copy;
    if (!(v->flags & FORK_NO_TABLE))
        return f->way == FORK_DONE && v->end <= f->block + MEGAPAGE_SIZE ? 0
                                                                         : table_fork(f, copy, v);
    table_fork_skip(f, v);
    return (v->flags & (VM_FRAMES | VM_WIPEONFORK)) == VM_FRAMES ? frames_fork(copy, v) : 0;
}

// The child gets the parent's VMAs, and what they map. 0 or -ENOMEM
static int fork_vmas(struct forking *f, struct mm *parent) {
    struct vma head = {.next = NULL}, *last = &head;
    u32 n = 0;
    int error = 0;

    for (struct vma *v = vma_first(parent); v && !error; v = vma_next(v))
        if (v->flags & VM_DONTFORK) {
            vma_not_forked(f->child, v);
            table_fork_skip(f, v);
        } else {
            error = fork_vma(f, v, &last);
        }
    for (struct vma *v = head.next; v; v = vma_next(v))
        n++;
    if (n) {
        head.next->prev = NULL;
        vma_make_tree(f->child, head.next, n);
    }
    return error;
}

static void forking_init(struct forking *f, struct mm *parent, struct mm *child) {
    gather_init(&f->g, parent);
    f->child = child;
    f->alone = ref_read(&parent->users) == 1;
    f->nr_ahead = 0;
    f->block = ~0ul;
    f->way = FORK_SHARE;
}

struct mm *mm_fork(struct mm *parent) {
    struct mm *child = mm_create();
    struct forking f;

    if (!child)
        return NULL;
    forking_init(&f, parent, child);
    write_lock(&parent->lock);
    copy_layout(child, parent);
    copy_counts(child, parent);
    int error = fork_vmas(&f, parent);
    if (!error)
        table_fork_ahead(&f);
    gather_finish(&f.g);
    write_unlock(&parent->lock);
    if (error) {
        mm_put(child);
        return NULL;
    }
    child->stale_code = ~0ul;
    return child;
}

struct mm *mm_create_like(struct mm *parent) {
    struct mm *mm = mm_create();

    if (!mm)
        return NULL;
    read_lock(&parent->lock);
    copy_layout(mm, parent);
    read_unlock(&parent->lock);
    mm->free_hint = mm->mmap_top;
    return mm;
}

// ---- which table a hart uses ----

// The hart leaves `old`, which prev had as active_mm; satp holds another root now.
static void leave(struct task *prev, struct mm *old) {
    if (!old)
        return;
    tlb_unload(old);
    if (!prev->mm) {
        prev->active_mm = NULL;
        mm_release_borrowed(old);
    }
}

void mm_switch(struct task *prev, struct task *next) {
    struct mm *old = prev->active_mm, *mm = next->mm;

    if (!mm) {  // a kernel thread borrows
        next->active_mm = old;
        if (!old)
            return;
        if (prev->mm) {
            ref_get(&old->count);
            tlb_lazy(old);
        } else {
            prev->active_mm = NULL;  // its reference passes on
        }
        return;
    }
    next->active_mm = mm;
    if (mm == old && prev->mm)
        return;
    tlb_load(mm);
    if (mm != old) {
        leave(prev, old);
    } else {
        prev->active_mm = NULL;
        mm_release_borrowed(old);
    }
}

void mm_activate(struct mm *mm) {
    spin_lock(&family_lock);  // task_mm_get() reads another task's mm with it held
    u64 irq = irq_save();
    struct mm *old = current->active_mm, *old_user = current->mm;

    tlb_load(mm);
    if (old)
        tlb_unload(old);
    current->mm = mm;
    current->active_mm = mm;
    irq_restore(irq);
    spin_unlock(&family_lock);
    if (old_user)
        mm_put(old_user);
    else
        mm_release_borrowed(old);
}

void mm_detach(void) {
    struct mm *mm = current->mm;

    if (!mm)
        return;
    ref_get(&mm->count);
    spin_lock(&family_lock);
    u64 irq = irq_save();
    current->mm = NULL;
    tlb_lazy(mm);
    irq_restore(irq);
    spin_unlock(&family_lock);
    mm_put(mm);
}

// ---- what others want to know ----

u64 mm_rss(const struct mm *mm) {
    return load_relaxed(&mm->rss[RSS_ANON]) + load_relaxed(&mm->rss[RSS_FILE]) +
           load_relaxed(&mm->rss[RSS_SHMEM]);
}

u64 mm_rss_peak(const struct mm *mm) {
    u64 rss = mm_rss(mm), peak = load_relaxed(&mm->rss_peak);
    return max(rss, peak);
}

// Counts columns, so that paths begin in the same one.
struct maps_printer {
    struct printer base;
    struct printer *to;
    u32 column;
};

static void maps_put(struct printer *p, const char *s, size_t n) {
    struct maps_printer *m = container_of(p, struct maps_printer, base);
    m->column += n;
    m->to->put(m->to, s, n);
}

void mm_maps_pad(struct printer *p) {
    struct maps_printer *m = container_of(p, struct maps_printer, base);
    do
        p->put(p, " ", 1);
    while (m->column < 73);
}

static const char *special_name(const struct mm *mm, const struct vma *v) {
    if (!v->file && (v->flags & VM_HEAP || (v->start < mm->brk && v->end > mm->brk_start)))
        return "[heap]";
    if (v->flags & VM_STACK)
        return "[stack]";
    return v->ops->name ? v->ops->name : "";
}

static void show_vma(struct maps_printer *p, struct vma *v,
                     void (*file_name)(struct printer *, void *)) {
    const char *name = special_name(v->mm, v);

    p->column = 0;
    printer_printf(&p->base, "%08lx-%08lx %c%c%c%c %08lx ", v->start, v->end,
                   v->flags & VM_READ ? 'r' : '-', v->flags & VM_WRITE ? 'w' : '-',
                   v->flags & VM_EXEC ? 'x' : '-', v->flags & VM_SHARED ? 's' : 'p',
                   v->mapping ? v->pgoff << PAGE_SHIFT : 0ul);
    if (v->file && !name[0] && file_name) {
        file_name(&p->base, v->file);
    } else {
        printer_printf(&p->base, "00:00 0 ");
        if (name[0]) {
            mm_maps_pad(&p->base);
            printer_printf(&p->base, "%s", name);
        }
    }
    printer_printf(&p->base, "\n");
}

void mm_show_maps(struct mm *mm, struct printer *p, void (*file_name)(struct printer *, void *file),
                  void (*more)(struct printer *, struct vma *)) {
    struct maps_printer m = {.base = {.put = maps_put}, .to = p};

    read_lock(&mm->lock);
    for (struct vma *v = vma_first(mm); v; v = vma_next(v)) {
        show_vma(&m, v, file_name);
        if (more)
            more(p, v);
    }
    read_unlock(&mm->lock);
}
