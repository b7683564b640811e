// The page cache: the one place where file bytes are. A mapping is the pages of one inode or block
// device, found by page number. read(2), write(2), mmap(2) and exec all use these pages.
#ifndef MM_PAGECACHE_H
#define MM_PAGECACHE_H

#include "lib/radix.h"
#include "mm/page.h"
#include "sync/block.h"
#include "sync/spin.h"

struct mapping;

// What the owner (a file system, a block device) does for its pages. => may sleep; called with the
// pages locked and, for writing, perhaps from the flush thread: never take a lock that its holder
// may keep while it waits for a page (inode->lock in particular).
struct mapping_ops {
    // Fill a locked page from the disk; the part past the end of file is zeroed. 0 or -EIO,
    // -ENOMEM. NULL: a missing page is zeroes and stays (tmpfs).
    int (*read_page)(struct mapping *m, struct page *p);
    // Fill n locked pages with consecutive indexes at once; NULL: read_page is called for each. 0
    // or -EIO, -ENOMEM.
    int (*read_pages)(struct mapping *m, struct page **pages, size_t n);
    // Write n locked, no longer dirty pages (at most PAGECACHE_BATCH) with consecutive indexes and
    // wait for the disk. 0 or -EIO, -ENOSPC. NULL: pages of this mapping never become dirty.
    int (*write_pages)(struct mapping *m, struct page **pages, size_t n);
    // A clean page, not locked, is about to be written through a shared mapping: reserve disk
    // space. May be NULL. 0 or -ENOSPC.
    int (*make_writable)(struct mapping *m, struct page *p);
};

#define MAPPING_PINNED 1u  // no backing store: pages are never reclaimed (tmpfs)
#define MAPPING_META 2u    // a block device's own pages

#define PAGECACHE_BATCH 64  // pages handed to write_pages or read_pages at once

struct mapping {
    struct spinlock lock;     // guards the next four
    struct radix_root pages;  // page number -> struct page
    u64 nr_pages;
    struct list dirty;  // pages with PAGE_DIRTY, by page.cache.lru, oldest first
    u64 nr_dirty;
    const struct mapping_ops *ops;  // [I]
    void *host;                     // [I] the inode or device
    u32 flags;                      // [I] MAPPING_
    u32 errors, told;           // [a] writes that failed; of them, those that anybody was told of
    struct list dirty_link;     // [dirty] on the list of mappings with dirty pages
    u64 dirtied_at;             // [dirty] ns: when it went on that list
    u32 flushers;               // [dirty] threads that found it on that list and work on it
    struct mutex write_mutex;   // one writer of dirty pages at a time
    struct spinlock vmas_lock;  // guards the next two
    struct list vmas;           // that map it, by mapping_link; a forked one after its parent
    u32 nr_shared;              // of them, shared ones that may become writable
};

void mapping_init(struct mapping *m, const struct mapping_ops *ops, void *host, u32 flags);

// The page, up to date, with a reference. Reads it in if needed (sleeps). May return ERR_PTR(-EIO |
// -ENOMEM).
struct page *pagecache_get(struct mapping *m, u64 index);
// The page if it is in memory and up to date, with a reference, or NULL. Never sleeps.
struct page *pagecache_find(struct mapping *m, u64 index);
// The page for being overwritten: locked, created without reading when absent (then PAGE_UPTODATE
// is clear and the caller fills all of it, or reads it with mapping->ops->read_page).
// ERR_PTR(-ENOMEM).
struct page *pagecache_get_locked(struct mapping *m, u64 index);
// Read what is absent of [index, index + n); the caller knows that it is within the file. Errors
// show at the next get.
void pagecache_readahead(struct mapping *m, u64 index, size_t n);

void page_lock(struct page *p);  // sleeps
bool page_trylock(struct page *p);
void page_unlock(struct page *p);
static inline void page_mark_uptodate(struct page *p) { atomic_or(&p->cache.flags, PAGE_UPTODATE); }
static inline bool page_is_uptodate(const struct page *p) {
    return load_acquire(&p->cache.flags) & PAGE_UPTODATE;
}
// Somebody wants the page; false: it is not up to date.
static inline bool page_touch(struct page *p) {
    u32 flags = load_acquire(&p->cache.flags), both = PAGE_UPTODATE | PAGE_REFERENCED;
    if (likely((flags & both) == both))
        return true;
    atomic_or(&p->cache.flags, PAGE_REFERENCED);
    return flags & PAGE_UPTODATE;
}
// The page holds newer bytes than the disk. => page in a mapping, referenced. May be called with or
// without the page lock.
void page_mark_dirty(struct page *p);

// Write dirty pages of [first, last] and wait. 0, or -EIO: a write failed meanwhile. A page that could not be written is not
// written again: its bytes are lost with it, so somebody must be told, by one of the next two.
int pagecache_write(struct mapping *m, u64 first, u64 last);
// Did writes of m fail since *seen, which is brought up to date? 0 or -EIO. To begin with, *seen is m->told.
int pagecache_error(struct mapping *m, u32 *seen);
// pagecache_write(), and -EIO too if an earlier write failed that nobody was told of.
int pagecache_sync(struct mapping *m, u64 first, u64 last);
// A write of m, or of what belongs to it, failed.
static inline void pagecache_failed(struct mapping *m) { atomic_add(&m->errors, 1); }
// Drop pages from `first` on, dirty ones too, and unmap them from address spaces (truncate). The
// caller zeroes the rest of a partial page itself. With first 0: afterwards no flusher uses the
// mapping, so when nobody else can reach it, its memory may go (eviction of an inode).
void pagecache_truncate(struct mapping *m, u64 first);
// Drop pages [first, last], dirty ones too, and unmap them: there is a hole now.
void pagecache_remove(struct mapping *m, u64 first, u64 last);
// Pages [first, last] are not wanted soon: reclaim takes them at once. With `now`, those that are clean and unused go now.
void pagecache_cool(struct mapping *m, u64 first, u64 last, bool now);
// Drop what is clean and unused (before unmounting, or to read a disk anew).
void pagecache_invalidate(struct mapping *m);
// Write the dirty pages of all mappings and wait (sync(2)).
void pagecache_sync_all(void);
// Body of the kernel thread that writes pages which have been dirty for 5 s, or sooner when there
// are many; it sleeps without a timer while nothing is dirty.
void flush_thread(void *unused);
extern void (*flush_first)(
    void);  // set by fs: put changed attributes of inodes into pages. => may sleep
extern size_t (*cache_shrink)(
    size_t want);  // set by fs: free up to `want` objects that nobody uses, without I/O
// Forget what is clean and unused: pages, objects of fs, or both. For tests, that what is left can be counted.
void caches_drop(u32 what);
#define DROP_PAGES 1u
#define DROP_OBJECTS 2u
// Have the flush thread write now; wait until memory has fewer dirty pages, at most 100 ms.
void pagecache_throttle(void);
// Dirty pages are at most dirty_ratio percent of memory (/proc/sys/vm/dirty_ratio): who makes one waits while there are more.
extern u64 nr_dirty, dirty_limit;            // [a] pages
int pagecache_set_dirty_ratio(u32 percent);  // 0 or -EINVAL
u32 pagecache_dirty_ratio(void);
u64 pagecache_dirty_limit(void);
static inline bool pagecache_too_dirty(void) {
    return load_relaxed(&nr_dirty) > load_relaxed(&dirty_limit);
}
void pagecache_wait_clean(struct mapping *m);
// A page of m will be written. => no page, and nothing that the flush thread needs, is locked
static inline void pagecache_balance(struct mapping *m) {
    if (unlikely(pagecache_too_dirty()))
        pagecache_wait_clean(m);
}

u64 pagecache_pages(void);   // in all mappings, pinned ones too
u64 pagecache_pinned(void);  // of them: in MAPPING_PINNED ones
u64 pagecache_meta(void);    // of them: in MAPPING_META ones
u64 pagecache_writeback(void);
u64 pagecache_dirty(void);

void pagecache_init(void);  // after slab_init

// ERR_PTR: a pointer or a negative errno in one value.
static inline void *ERR_PTR(long error) { return (void *)error; }
static inline long PTR_ERR(const void *p) { return (long)p; }
static inline bool IS_ERR(const void *p) { return (u64)p >= (u64)-4095; }

#endif
