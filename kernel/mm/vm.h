// Address spaces: VMAs, page tables, faults, fork.
#ifndef MM_VM_H
#define MM_VM_H

#include "abi/mman.h"
#include "arch/sv39.h"
#include "arch/upcall.h"
#include "lib/list.h"
#include "lib/rbtree.h"
#include "mm/page.h"
#include "sync/block.h"

struct mapping;
struct vma;
struct printer;

#define VM_READ 1u
#define VM_WRITE 2u
#define VM_EXEC 4u
#define VM_SHARED 8u      // MAP_SHARED
#define VM_GROWSDOWN 16u  // a stack
#define VM_MAYWRITE                                                                                \
    32u  // mprotect may add PROT_WRITE (a shared mapping of a file opened for reading may not)
#define VM_NORESERVE 64u
#define VM_ACCOUNT 128u  // counted against the overcommit limit
#define VM_HEAP 256u     // the brk area
#define VM_STACK 512u    // the first thread's stack
#define VM_DONTFORK 1024u
#define VM_LOCKED 2048u       // mlock: its pages are brought in and stay; not inherited by fork
#define VM_LOCKONFAULT 4096u  // with VM_LOCKED: brought in by being touched
#define VM_WIPEONFORK 8192u   // fork's child finds it empty
#define VM_FRAMES 16384u  // its anonymous pages may be others' too and are never copied: frames.c

// What a kind of VMA does. => mm->lock held (fault: for reading, the others: for writing).
struct vma_ops {
    const char *name;  // for /proc/pid/maps when there is no file: "[heap]" …, or ""
    // A page for the fault at page-aligned addr (NULL: anonymous memory), with a reference, or ERR_PTR(-EFAULT: SIGSEGV, -EIO/-ENXIO: SIGBUS, -ENOMEM).
    // A page of a page cache must be of v->mapping. A file: look whether addr is within it after the page was got, too.
    struct page *(*fault)(struct vma *v, va_t addr, enum access access);
    void (*open)(struct vma *v);   // one more VMA refers to v->file: fork or split. May be NULL
    void (*close)(struct vma *v);  // may be NULL
    // msync(2): write what is dirty of v's file and wait. 0 or -EIO. => mm->lock not held; v is a copy. May be NULL
    int (*sync)(struct vma *v);
    // madvise(MADV_REMOVE): the bytes that v shows become a hole of its file. 0 or errno. => the same. NULL: nothing but
    // the pages in memory
    int (*remove)(struct vma *v);
};

struct vma {
    struct rb_node node;        // [mm] mm->vmas, by start
    struct vma *next, *prev;    // [mm] by start, too
    va_t start, end;            // [mm] page aligned, end excluded
    u32 flags;                  // [mm] VM_
    struct mm *mm;              // [I]
    const struct vma_ops *ops;  // [I]
    struct mapping *mapping;    // [I] file pages, or NULL: anonymous
    u64 pgoff;                  // [mm] page number in the mapping of `start`
    bool copied;                // [a] a page of it is not the mapping's: fork must copy entries
    void *file;                 // [I] owned through ops->open/close: struct file of the fs room
    struct list
        mapping_link;  // [mapping->vmas_lock] in mapping->vmas; with a mapping, start, end and pgoff change only
                       // with that lock held too
};

struct mm {
    struct ref users;  // tasks that run in it; at 0 all VMAs go
    struct ref
        count;  // users as one, plus kernel threads that borrow its page table; at 0 the root table goes
    struct rwlock lock;    // [mm]
    struct rb_root vmas;   // [mm]
    struct vma *last_hit;  // [a] cache of vma_find, valid while mm->lock is held
    u32 nr_vmas;           // [mm]
    u64 *root;             // [I] root page table
    u64 context;           // [a] ASID generation << 16 | ASID; 0: none yet
    u64 harts;             // [a] bit h: hart h runs a task of it
    u64 loaded;            // [a] bit h: it is in hart h's satp, perhaps only borrowed
    u64 stale;       // [a] bit h: hart h must forget its translations before it runs a task of it
    u64 stale_code;  // [a] bit h: hart h must fence.i before that
    u64 brk_start, brk;                          // [mm]
    u64 stack_top;                               // [I]
    u64 arg_start, arg_end, env_start, env_end;  // [I] after exec
    u64 code_start, code_end, data_start, data_end;
    u64 total_pages;     // [mm] in VMAs
    u64 reserved_pages;  // [mm] of VM_ACCOUNT VMAs
    u64 data_pages;      // [mm] of private writable VMAs that are not stacks: RLIMIT_DATA
    u64 locked_pages;    // [mm] of VM_LOCKED VMAs: RLIMIT_MEMLOCK
    u32 lock_future;     // [mm] VM_LOCKED, VM_LOCKONFAULT of what will be mapped: mlockall(2)
    u64 mmap_top;        // [I] mappings go below it, the stack's room is above
    va_t free_hint;      // [mm] where the search for free addresses goes down from
    u64 rss[RSS_KINDS];  // [a] mapped pages
    u64 table_pages;     // [a] page-table frames, shared ones too
    u64 rss_peak;
    u32 membarrier;               // [a] MEMBARRIER_CMD_REGISTER_ bits that it asked for
    void *exe_file;               // struct file of the program, owned through exe_put
    void (*exe_get)(void *file);  // fork takes another reference; NULL: the child has no exe_file
    void (*exe_put)(void *file);
    u64 auxv[2 * 24];  // [I] after exec: for /proc/pid/auxv
};

// Life of an address space.
struct mm *mm_create(void);             // empty; NULL: out of memory
struct mm *mm_fork(struct mm *parent);  // copy-on-write copy; NULL: out of memory
// Of a new one: the stack ends at stack_end, has the room that RLIMIT_STACK says, and `offset` below that mappings begin.
void vm_lay_out(struct mm *mm, va_t stack_end, u64 offset);
struct mm *mm_create_like(struct mm *parent);  // empty, laid out as the parent's; NULL
static inline void mm_get(struct mm *mm) { ref_get(&mm->users); }
void mm_put(struct mm *mm);  // last user: unmaps all. May sleep
void mm_switch(struct task *prev,
               struct task *next);  // context switch: next's table on this hart; => interrupts off
void mm_activate(
    struct mm *
        mm);  // exec: current's mm becomes this one; takes over the caller's reference, puts the old
void mm_detach(void);  // exit: current gives up its mm

// Faults. 0, or -EFAULT (SIGSEGV; SEGV_ACCERR when a VMA is there: see vm_fault_code), -EIO, -ENXIO (SIGBUS), -ENOMEM, -EINTR (dying).
int vm_fault(struct mm *mm, va_t addr, enum access access, va_t user_sp);
int vm_fault_code(struct mm *mm,
                  va_t addr);  // si_code for a SIGSEGV at addr: SEGV_MAPERR or SEGV_ACCERR

// membarrier(2): every hart that runs a task of mm (NULL: every hart) passes a full memory barrier before this returns.
void mm_barrier(struct mm *mm);
void mm_sync_code(struct mm *mm);  // the same, and fetches its instructions anew

// VMAs. => mm->lock held, for writing where it changes.
struct vma *vma_search(struct mm *mm, va_t addr);
static inline struct vma *vma_find(struct mm *mm,
                                   va_t addr) {  // the first with end > addr, or NULL
    struct vma *hit = READ_ONCE(mm->last_hit);
    return likely(hit && addr >= hit->start && addr < hit->end) ? hit : vma_search(mm, addr);
}
struct vma *vma_find_exact(struct mm *mm, va_t addr);  // that contains addr, or NULL
struct vma *vma_first(struct mm *mm);
static inline struct vma *vma_next(struct vma *v) { return v->next; }
struct vma_request {
    va_t addr;        // page aligned hint, or the place when fixed
    size_t length;    // page aligned, > 0
    u32 flags;        // VM_
    bool fixed;       // replace what is there
    bool no_replace;  // with fixed: -EEXIST if something is there
    size_t moved;  // bytes elsewhere that this takes the place of: limits do not count them twice
    const struct vma_ops *ops;
    struct mapping *mapping;
    u64 pgoff;
    void *file;  // the new VMA gets ops->open'ed on it
};
// Address, or -ENOMEM, -EINVAL, -EEXIST. Merges with neighbours when it can.
long vma_map(struct mm *mm, const struct vma_request *r);
int vma_unmap(struct mm *mm, va_t start, size_t length);  // 0, -ENOMEM, -EINVAL
long vma_unmapped_area(struct mm *mm, va_t hint,
                       size_t length);  // an address with room, or -ENOMEM
// What cannot be changed, -ENOMEM or -EACCES, ends it; what comes before is changed. => whole pages of user memory
int vma_protect(struct mm *mm, va_t start, size_t length, u32 rwx);
extern const struct vma_ops anon_vma_ops, stack_vma_ops, heap_vma_ops;

// System calls of this room (they take the lock themselves). Results as mmap(2), brk(2) … with negative errno.
long vm_mmap_anon(va_t addr, size_t length, int prot, int flags);
long vm_brk(va_t brk);
long vm_munmap(va_t addr, size_t length);
long vm_mprotect(va_t addr, size_t length, int prot);
long vm_mremap(va_t old, size_t old_size, size_t new_size, int flags, va_t new_addr);
long vm_madvise(va_t addr, size_t length, int advice);
long vm_mincore(va_t addr, size_t length, va_t vec);
long vm_msync(va_t addr, size_t length, int flags);
long vm_mlock(va_t addr, size_t length, u32 flags);  // mlock2(2)
long vm_munlock(va_t addr, size_t length);
long vm_mlockall(u32 flags);
long vm_munlockall(void);
u32 vm_flags_from_prot(int prot);
// For file mappings made by the fs room: checks and translates addr, length, prot, flags of mmap(2) into r. 0 or -EINVAL ….
int vm_prepare_mmap(struct vma_request *r, va_t addr, size_t length, int prot, int flags);
// vma_map() of what was prepared, with the lock and with what MAP_POPULATE and MAP_LOCKED ask for.
long vm_mmap(const struct vma_request *r, int flags);

// Map at once, for reading, what the page cache has of [start, end), part of a new VMA of a file, in an address space that
// no hart uses yet.
void vm_map_cached(struct mm *mm, va_t start, va_t end);

// Read or write (buf NULL: zeroes) another address space (/proc/pid/mem, ptrace, argv of ps). Bytes done, or -EIO/-EFAULT when none.
ssize_t mm_access(struct mm *mm, va_t addr, void *buf, size_t n, bool write);

// Code was written, or an executable page is about to be mapped: no hart runs what it remembers of the frame's past.
void tlb_new_code(struct mm *mm);

// The physical page behind a user address of current's mm, with a reference, faulting it in; ERR_PTR. For futexes.
struct page *vm_page_of(struct mm *mm, va_t addr, bool write);

// /proc/pid/maps. file_name prints "maj:min ino", calls mm_maps_pad, and prints the path. Takes mm->lock.
// more: printed below each VMA, or NULL.
void mm_show_maps(struct mm *mm, struct printer *p, void (*file_name)(struct printer *, void *file),
                  void (*more)(struct printer *, struct vma *));
// usage.c: /proc/pid/smaps below each VMA (=> mm->lock held), smaps_rollup, n words of pagemap.
void vma_show_usage(struct printer *p, struct vma *v);
void mm_show_usage(struct mm *mm, struct printer *p);
// A line for each last-level page table: where its 2 MiB begin, its frame if `frames`, "own", "shared" or "hidden" (shared,
// and any access faults), how many address spaces have it, how many entries it has.
void mm_show_tables(struct mm *mm, struct printer *p, bool frames);
void mm_pagemap(struct mm *mm, va_t addr, u64 *entries, size_t n, bool frames);
u64 mm_stack_pages(struct mm *mm);  // of VMAs that grow down
void mm_maps_pad(struct printer *p);
u64 mm_rss(const struct mm *mm);  // pages in memory
u64 mm_rss_peak(const struct mm *mm);
extern u64 committed_pages;  // [a] promised by VM_ACCOUNT VMAs
// Places of a new program, proc(5): 0 fixed, 1 random but for the heap, 2 all random.
extern u64 randomize_va_space;
bool vma_charge(u64 pages);  // promise memory: false when it is too much
void vma_uncharge(u64 pages);
extern u64 overcommit_memory;  // /proc/sys/vm/overcommit_memory: 0 heuristic, 1 always
void vm_init(void);
void reclaim_init(void);

// frames.c: pages that programs put where they want them, in their own address space or in one that they may change. The
// address is a page's, prot is PROT_ bits, at least one. 0, -EINVAL (address, prot), -ENOMEM (limits,
// too), and then nothing may be mapped there any more.
// A page of zeroes, in the place of what was there.
int vm_page_alloc(struct mm *mm, va_t addr, int prot);
// The page at src shows at dst too. -EFAULT: there is none, -EACCES: it may not be written, or is none to share, -EINTR
// (dying), -EIO, -ENXIO as vm_fault.
int vm_page_map(struct mm *from, va_t src, struct mm *to, va_t dst, int prot);
int vm_page_unmap(struct mm *mm, va_t addr);  // fine when nothing is there

// Truncation: unmap pages [first, last] of the mapping, and private copies of them, from all address spaces.
void vm_unmap_mapping(struct mapping *m, u64 first, u64 last);
// Reclaim: take pages [first, last] out of page tables; a fault finds them again. Private copies stay.
void vm_forget_mapping(struct mapping *m, u64 first, u64 last);
// Pages [first, last] are about to be written to disk: make shared mappings of them read-only, so that writing them again is seen.
void vm_clean_mapping(struct mapping *m, u64 first, u64 last);

#endif
