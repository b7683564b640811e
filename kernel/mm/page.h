// Page frames: one struct page each, handed out by a buddy allocator with per-hart lists.
#ifndef MM_PAGE_H
#define MM_PAGE_H

#include "arch/sv39.h"
#include "lib/list.h"
#include "lib/atomic.h"
#include "sync/spin.h"

struct mapping;
struct slab_cache;

enum page_kind {
    PAGE_RESERVED,  // firmware, kernel image, holes: never allocated
    PAGE_FREE,      // head of a free block of 2^order pages
    PAGE_USED,      // anonymous memory, stacks, anything without an owner below
    PAGE_CACHE,     // belongs to a mapping
    PAGE_SLAB,
    PAGE_TABLE,  // user page table
};

// Pages of an address space, as ps shows them: rss of struct mm.
enum rss_kind { RSS_ANON, RSS_FILE, RSS_SHMEM, RSS_KINDS };

// flags of a PAGE_CACHE page, changed atomically
#define PAGE_UPTODATE 1u   // holds the file's bytes
#define PAGE_DIRTY 2u      // newer than the disk
#define PAGE_WRITEBACK 4u  // on its way to the disk
#define PAGE_LOCKED 8u     // page_lock(): being read in, written out or truncated
#define PAGE_REFERENCED 16u
#define PAGE_WAITERS 32u  // somebody sleeps for LOCKED or WRITEBACK
#define PAGE_ERROR 64u    // last read or write failed

// 48 bytes. Frames that are inside a larger block, free or used, have undefined members.
struct page {
    struct ref
        ref;    // users of the frame: mappings in page tables, the cache, system calls in flight
    u8 kind;    // enum page_kind
    u8 order;   // of the block that this page heads
    u16 ahead;  // [a] anonymous memory, tables: 1: copied after a fork, more: so many forks less one copy it at once, share.c
    union {
        struct {               // PAGE_FREE
            struct list link;  // [buddy lock]
        } free;
        struct {  // PAGE_CACHE
            struct mapping *
                mapping;  // [m] NULL after truncation; changes with mapping->lock and PAGE_LOCKED held
            u64 index;        // [I] page number in the file
            struct list lru;  // clean: [lru] reclaim list; dirty: [m->lock] m->dirty; or on none
            u32 flags;        // [a] PAGE_ bits
            u32 private_;     // owner of the mapping may use it
        } cache;
        struct {  // PAGE_SLAB
            struct slab_cache *cache;
            void *freelist;
            struct list link;
            u32 used;
        } slab;
        struct {                         // PAGE_TABLE; ref counts the middle tables' entries for it
            struct spinlock lock;        // its 512 entries and all below
            u16 used;                    // entries that are not 0
            u16 rss[RSS_KINDS];          // pages that each owner counts for it
            u16 lost[RSS_KINDS];         // of them, those that truncation took while it was shared
            u16 writable, writable_end;  // entries with PTE_W are among these; none: 512, 0
        } table;
    };
};

extern struct page *page_array;  // of frame `first_frame` and up
extern u64 first_frame, end_frame;
extern u64 frame0;  // [I] where frame 0's would be, so that the others are found by their number

static inline struct page *pa_to_page(pa_t pa) {
    return (struct page *)(frame0 + (pa >> PAGE_SHIFT) * sizeof(struct page));
}
static inline pa_t page_to_pa(const struct page *p) {
    return (u64)(p - (struct page *)frame0) << PAGE_SHIFT;
}
static inline void *page_va(const struct page *p) { return pa_to_va(page_to_pa(p)); }
static inline struct page *va_to_page(const void *va) { return pa_to_page(va_to_pa(va)); }
static inline bool pa_is_ram(pa_t pa) {
    u64 frame = pa >> PAGE_SHIFT;
    return frame >= first_frame && frame < end_frame;
}

#define MAX_ORDER 10     // largest block: 4 MiB
#define ALLOC_ZERO 1u    // clear the pages
#define ALLOC_ATOMIC 2u  // never sleep, never reclaim; also for interrupt handlers
#define ALLOC_WAIT                                                                                 \
    8u  // for a program, in its own name: leaves a reserve, may end in the out-of-memory killer
#define ALLOC_USER (4u | ALLOC_WAIT)  // the same, and the bytes are the program's

// A block of 2^order frames with reference count 1, kind PAGE_USED, or NULL. May sleep unless ALLOC_ATOMIC.
struct page *page_alloc(unsigned order, unsigned flags);
void page_free(struct page *p,
               unsigned order);  // => reference count already dropped to 0 or never shared
static inline void page_get(struct page *p) { atomic_add_relaxed(&p->ref.count, 1); }
void page_release(struct page *p);  // count fell to 0: give the frame back by its kind
static inline void page_put(struct page *p) {
    if (ref_put(&p->ref))
        page_release(p);
}

// One zeroed or dirty page as an address; NULL when out of memory.
void *page_alloc_va(unsigned flags);
void page_free_va(void *va);

// Boot: hand [start, end) to the allocator. Frames of the array must be inside [first, end) given to page_init.
void page_init(pa_t first, pa_t end, pa_t array);
void page_add_range(pa_t start, pa_t end);
size_t page_array_bytes(pa_t first, pa_t end);

// Called when memory runs short, before giving up: frees up to `want` pages, returns how many. Set by mm/reclaim.c.
extern size_t (*page_reclaim)(size_t want, bool user);
// Last resort for ALLOC_WAIT: true when a task was killed and trying again makes sense. Set by proc.
extern bool (*page_oom)(void);
struct printer;
void pages_show(struct printer *p);  // the line of /proc/buddyinfo

extern u64 pages_total;  // frames given to the allocator since boot
u64 pages_free(void);
extern struct page *zero_page;  // one page of zeroes, mapped read-only for first reads; never freed

#endif
