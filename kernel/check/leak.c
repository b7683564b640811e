/*
 * CHECK=leak: memory that is in use and that nothing points to.
 *
 * `echo scan > /proc/xv39/leak` stops the other harts and looks for pointers as a conservative garbage collector does:
 * first in the kernel's data, in each hart's own data, in the live part of all kernel stacks (a stopped hart's registers
 * lie on its stack); then in each object that was found. Any word that could be an address inside an object is
 * taken for a pointer to it, so a list's link in the middle of an object keeps it. Reading the file gives what the last
 * scan found: sizes, caches, and who allocated.
 *
 * Objects: those of slabs (heap.c's heads say which are in use), and blocks of pages that were not asked for with
 * ALLOC_USER; those have a struct frame here. Blocks are found by address, by their struct page, by physical address
 * and by entries of page tables. The bytes of user pages and of the page cache are not looked at.
 *
 * What is unreachable may still be on its way in a form that a scan does not understand. So an object is reported
 * only if the scan before did not reach it either: scan twice. Stale words can hide a lost object, never invent one;
 * CHECK="poison leak" has fewer of them.
 *
 * A hart that waits for a lock with interrupts off stops later, when it has it: holders of such locks are not stopped.
 */
#include "check/leak.h"

#include "abi/errno.h"
#include "arch/arch.h"
#include "arch/hart.h"
#include "arch/sbi.h"
#include "check/object.h"
#include "fs/proc.h"
#include "lib/string.h"
#include "mm/page.h"
#include "proc/proc.h"
#include "sync/block.h"

#define GROUP (1ul << MAX_ORDER)
#define GROUPS (GIB(8) / PAGE_SIZE / GROUP)  // memory above is not watched
#define LOSSES 32                            // different ones that are remembered

struct frame {
    struct callers by;   // who took the block
    struct frame *next;  // [scan] to be searched
    u16 head;            // [scan] number in its group of the first frame of its block
    u16 seen, lost;      // [scan] as in struct object_head
    bool used;           // a block of the kernel begins here
};
#define FRAMES_ORDER 4
BUILD_ASSERT(sizeof(struct frame) * GROUP <= PAGE_SIZE << FRAMES_ORDER);

static struct frame *groups[GROUPS];

static struct {
    struct mutex lock;
    u16 number;                   // [lock] of the last scan
    u64 reached;                  // [lock] objects and blocks
    struct object_head *objects;  // [lock] reached and not yet searched
    struct frame *frames;
} scan = {.lock = MUTEX_INIT(scan.lock, RANK_SETTING, "leak scan")};

// Objects that the same callers took; addresses are kept inverted, lest they are pointers.
static struct loss {
    struct callers by;
    const char *cache;
    u64 size, not_address;
    u32 count;
} losses[LOSSES];  // [scan.lock]
static u32 nr_losses, nr_lost;

// ---- pages ----

static struct frame *frame_of(u64 frame) {
    u64 n = frame - first_frame;
    struct frame *group = n / GROUP < GROUPS ? groups[n / GROUP] : NULL;
    return group ? group + n % GROUP : NULL;
}

void leak_page_alloc(void *block, bool user, const void *frame) {
    struct page *p = va_to_page(block);
    struct frame *f = frame_of((u64)(p - page_array) + first_frame);
    p->free.link.next = NULL;  // of the list of free pages: a pointer to the next that is given out
    if (!f)
        return;
    f->used = !user;
    f->seen = f->lost = 0;
    callers_take(&f->by, frame);
}

void leak_page_free(void *block) {
    struct frame *f = frame_of(va_to_pa(block) >> PAGE_SHIFT);
    if (f)
        f->used = false;
}

void leak_start(void) {
    for (u64 g = 0; g < GROUPS && first_frame + g * GROUP < end_frame; g++) {
        struct page *p = page_alloc(FRAMES_ORDER, ALLOC_ZERO | ALLOC_ATOMIC);
        if (!p)
            panic("no memory for the leak check");
        groups[g] = page_va(p);
    }
}

static struct page *page_of(u64 group, u64 n) { return page_array + group * GROUP + n; }

// fn(group, number of the head in it) for each block of each group that the allocator has.
static void for_each_block(void (*fn)(u64 group, u64 head)) {
    for (u64 g = 0; g < GROUPS && groups[g]; g++) {
        const struct page *first = page_of(g, 0);
        if (first->kind == PAGE_RESERVED && first->order == MAX_ORDER)
            continue;
        for (u64 n = 0; n < GROUP; n += 1ul << page_of(g, n)->order)
            fn(g, n);
    }
}

static void note_head(u64 group, u64 head) {
    for (u64 n = head; n < head + (1ul << page_of(group, head)->order); n++)
        groups[group][n].head = head;
}

// ---- marking: => other harts stopped ----

static void reach_block(struct frame *f) {
    if (!f->used || f->seen == scan.number)
        return;
    f->seen = scan.number;
    f->next = scan.frames;
    scan.frames = f;
    scan.reached++;
}

static void reach_object(const struct page *slab, u64 address) {
    struct object_head *h = page_va(slab);
    u64 step = HEAP_HEAD + h->room, base = (u64)h, at = base + (address - base) / step * step;
    h = (struct object_head *)at;
    if (at + step > base + (PAGE_SIZE << slab->order) || h->magic != (OBJECT_MAGIC ^ at))
        return;
    if (address < (u64)(h + 1) || address >= (u64)(h + 1) + max(h->size, 1u))
        return;
    if (h->state != OBJECT_USED || h->seen == scan.number)
        return;
    h->seen = scan.number;
    h->link = scan.objects;
    scan.objects = h;
    scan.reached++;
}

// An address in the direct map, of memory.
static void reach_address(u64 address) {
    u64 n = (va_to_pa((void *)address) >> PAGE_SHIFT) - first_frame;
    if (n / GROUP >= GROUPS || !groups[n / GROUP])
        return;
    struct frame *group = groups[n / GROUP];
    u64 head = group[n % GROUP].head;
    const struct page *p = page_of(n / GROUP, head);
    if (p->kind == PAGE_SLAB)
        reach_object(p, address);
    else
        reach_block(&group[head]);
}

static void reach_word(u64 word) {
    u64 array_end = (u64)(page_array + (end_frame - first_frame));
    if (word >= (u64)page_array && word < array_end)
        reach_address((u64)page_va(page_array + (word - (u64)page_array) / sizeof(struct page)));
    else if (word >= DIRECT_BASE && pa_is_ram(va_to_pa((void *)word)))
        reach_address(word);
    else if (word % PAGE_SIZE == 0 && pa_is_ram(word))
        reach_address((u64)pa_to_va(word));
}

static void search(const void *start, u64 end) {
    for (const u64 *w = (const u64 *)align_up((u64)start, 8); (u64)(w + 1) <= end; w++)
        reach_word(*w);
}

// Entries of page tables that lead to other tables.
static void search_table(const u64 *table) {
    for (u32 i = 0; i < PAGE_SIZE / 8; i++)
        if ((table[i] & (PTE_V | PTE_R | PTE_W | PTE_X)) == PTE_V && pa_is_ram(pte_pa(table[i])))
            reach_address((u64)pa_to_va(pte_pa(table[i])));
}

static struct page *frame_page(const struct frame *f) {
    for (u64 g = 0;; g++)
        if (f >= groups[g] && f < groups[g] + GROUP)
            return page_of(g, (u64)(f - groups[g]));
}

static void search_block(const struct frame *f) {
    const struct page *p = frame_page(f);
    const void *va = page_va(p);
    search(&p->free, (u64)(p + 1));
    search(va, (u64)va + (PAGE_SIZE << p->order));
    if (p->order == 0)
        search_table(va);
}

static void search_reached(void) {
    for (;;) {
        struct object_head *h = scan.objects;
        struct frame *f = scan.frames;
        if (h) {
            scan.objects = h->link;
            h->link = NULL;
            search(h + 1, (u64)(h + 1) + h->size);
        } else if (f) {
            scan.frames = f->next;
            f->next = NULL;
            search_block(f);
        } else {
            return;
        }
    }
}

// ---- roots ----

static bool stopping;                        // [a]
static u32 nr_stopped;                       // [a]
static struct thread *runs[MAX_HARTS];       // [hart] while stopped, who runs there,
static const char *stack_top_of[MAX_HARTS];  // and where its stack ends

void leak_pause(void) {
    if (!load_acquire(&stopping))
        return;
    runs[hart_id()] = current_thread;
    stack_top_of[hart_id()] = __builtin_frame_address(0);
    atomic_add(&nr_stopped, 1);
    while (load_acquire(&stopping))
        ;
    atomic_sub(&nr_stopped, 1);
}

static void stop_others(void) {
    store_release(&stopping, true);
    memory_fence();
    for_each_hart (h)
        if (h != hart_id())
            sbi_send_ipi(hart_hartid[h]);
    while (load_acquire(&nr_stopped) < nr_harts - 1)
        ;
}

static void let_others_go(void) {
    store_release(&stopping, false);
    while (load_acquire(&nr_stopped))
        ;
}

// A stack's block counts as reached, but only the live part is searched.
static void search_stack(const struct task *t) {
    const void *from = (const void *)t->thread.context.sp;
    for_each_hart (h)
        if (runs[h] == &t->thread)
            from = stack_top_of[h];
    search(from, t->thread.kernel_sp);
}

static void mark_stack(const struct task *t) {
    struct frame *f = frame_of(va_to_pa(t->kernel_stack) >> PAGE_SHIFT);
    if (f)
        f->seen = scan.number;
}

static void search_roots(void) {
    struct task *t;
    list_for_each (t, &all_tasks, all_link)
        mark_stack(t);
    list_for_each (t, &all_tasks, all_link)
        search_stack(t);
    const char *boot_stack = list_first(&all_tasks, struct task, all_link)->kernel_stack;
    search(rodata_end, (u64)boot_stack);
    search(boot_stack + KERNEL_STACK_SIZE, (u64)kernel_end);
    for_each_hart (h) {
        const char *own = perhart_start + hart_offset[h];
        reach_word((u64)own);
        search(own, (u64)own + (u64)(perhart_end - perhart_start));
    }
}

// ---- what was not reached ----

static void add_loss(const char *cache, u64 size, const void *at, const struct callers *by) {
    struct loss *l = losses, *end = losses + nr_losses;
    nr_lost++;
    while (l < end && (l->cache != cache || memcmp(&l->by, by, sizeof *by)))
        l++;
    if (l == end) {
        if (nr_losses == LOSSES)
            return;
        nr_losses++;
        *l = (struct loss){*by, cache, size, ~(u64)at, 0};
    }
    l->count++;
}

// Not reached: was it so in the scan before?
static bool lost_again(u16 *lost) {
    u16 before = *lost;
    *lost = scan.number;
    return before && (u16)(before + 1) == scan.number;
}

static void judge_slab(const struct page *slab) {
    char *at = page_va(slab), *end = at + (PAGE_SIZE << slab->order);
    u64 step = HEAP_HEAD + ((struct object_head *)at)->room;
    for (; at + step <= end; at += step) {
        struct object_head *h = (struct object_head *)at;
        if (h->state == OBJECT_USED && h->seen != scan.number && lost_again(&h->lost))
            add_loss(h->name, h->size, h + 1, &h->alloc);
    }
}

static void judge(u64 group, u64 head) {
    struct frame *f = &groups[group][head];
    const struct page *p = page_of(group, head);
    if (p->kind == PAGE_SLAB)
        judge_slab(p);
    else if (f->used && f->seen != scan.number && lost_again(&f->lost))
        add_loss("pages", PAGE_SIZE << p->order, page_va(p), &f->by);
}

// ---- /proc/xv39/leak ----

static __attribute__((noinline)) void scan_from(const char *stack_top) {
    u64 flags = irq_save();
    runs[hart_id()] = current_thread;
    stack_top_of[hart_id()] = stack_top;
    stop_others();
    if (++scan.number == 0)
        scan.number = 1;
    scan.reached = nr_losses = nr_lost = 0;
    memset(losses, 0, sizeof losses);
    for_each_block(note_head);
    search_roots();
    search_reached();
    for_each_block(judge);
    memset(runs, 0, sizeof runs);
    let_others_go();
    irq_restore(flags);
}

static int write_leak(const char *text, size_t n) {
    (void)n;
    if (strcmp(text, "scan") != 0)
        return -EINVAL;
    mutex_lock(&scan.lock);
    __builtin_unwind_init();  // registers that belong to callers go to this frame
    u64 sp;
    __asm__ volatile("mv %0, sp" : "=r"(sp) : : "memory");
    scan_from((const char *)sp);
    mutex_unlock(&scan.lock);
    return 0;
}

static void show_leak(struct printer *p) {
    mutex_lock(&scan.lock);
    printer_printf(p, "lost %u, reached %lu, scan %u\n", nr_lost, scan.reached, scan.number);
    for (u32 i = 0; i < nr_losses; i++) {
        const struct loss *l = &losses[i];
        printer_printf(p, "leak: %u of %lu bytes, cache %s, at %016lx, allocated by:\n", l->count,
                       l->size, l->cache, ~l->not_address);
        callers_show(p, &l->by);
    }
    mutex_unlock(&scan.lock);
}

void leak_init(void) { proc_add("xv39/leak", 0600, show_leak, write_leak); }
