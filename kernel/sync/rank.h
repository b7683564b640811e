// The order of all spinning locks: a lock may be taken only while every held lock has a lower rank
// (equal ranks: by rising address). CHECK=locks asserts it; the enum is the documentation.
// The first part orders mutexes and rwlocks (sync/block.h): documentation, not checked at run time.
#ifndef SYNC_RANK_H
#define SYNC_RANK_H

enum lock_rank {
    // Sleeping locks
    RANK_MOUNT = 1,  // fs: mount table changes
    RANK_RENAME,     // fs: one cross-directory rename at a time per file system
    RANK_INODE_DIR,  // fs: directory inodes, parent before child
    RANK_INODE,      // fs: inode contents
    RANK_FILE_POS,   // fs: offset of an open file description
    RANK_EXEC,       // proc: one exec in a process
    RANK_MM,         // mm: mm->lock, the VMAs
    RANK_FS_ALLOC,   // fs: allocation groups, journals
    RANK_PIPE,       // ipc
    RANK_TTY,        // drivers: line discipline
    RANK_PAGE_IO,    // mm: one reader or writer of a page
    RANK_BLOCK,      // fs: buffers of metadata

    // Spinning locks
    RANK_FAMILY = 32,  // proc: tree of processes, pid table, groups, sessions
    RANK_FILES,        // fs: descriptor tables
    RANK_FS,           // fs: cwd and root
    RANK_INODE_HASH,   // fs: inode table, lists of super blocks
    RANK_DENTRY,       // fs: name-cache buckets
    RANK_DENTRY_LRU,
    RANK_FUTEX,         // ipc: buckets
    RANK_MAPPING_VMAS,  // mm: list of the VMAs of a mapping
    RANK_PAGE_TABLE,    // mm: one last-level table
    RANK_MAPPING,       // mm: a mapping's tree of pages
    RANK_DIRTY,         // mm: list of mappings with dirty pages
    RANK_LRU,           // mm: reclaim lists

    // Interrupt-safe spinning locks: above all others, for an interrupt may come while any of those is held
    RANK_SIGNAL,   // proc: pending signals, stops and the end of a process
    RANK_SIGHAND,  // proc: table of dispositions, shared by CLONE_SIGHAND
    RANK_DEVICE,   // drivers
    RANK_WAITQ,    // wait queues
    RANK_RUNQ,     // run queues; never two at once
    RANK_TIMER,    // per-hart timers; not held while a handler runs
    RANK_ASID,     // mm: next address-space number
    RANK_SLAB,     // slab caches
    RANK_BUDDY,    // page allocator
};

#endif
