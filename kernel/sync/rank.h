// The order of all locks: one may be taken only while every held lock has a lower rank (equal ranks: by rising address, or
// as a deeper one, see write_lock_nested). CHECK=locks asserts it; the enum is the documentation.
#ifndef SYNC_RANK_H
#define SYNC_RANK_H

enum lock_rank {
    // Sleeping locks
    RANK_PIPE = 1,  // ipc: the ring of a pipe, also while splice writes its pages to a file
    RANK_FILE_POS,  // fs: offset of an open file description
    RANK_SHOWN,     // what is copied out to programs: the text of an open file of /proc, names
    RANK_EPOLL,     // ipc: an epoll set, a watcher before the set nested in it
    RANK_EPOLL_LAST = RANK_EPOLL + 5,
    RANK_MOUNT,   // fs: mount table changes
    RANK_RENAME,  // fs: one cross-directory rename at a time per file system
    RANK_INODE,  // fs: a directory's entries (depth 0: parent, 1: its child), a file's size and writes
    RANK_SOCKET,      // net: one reader of a socket
    RANK_TTY,         // drivers: one reader, one writer
    RANK_MM,          // mm: mm->lock, the VMAs; below it nothing touches user memory
    RANK_WRITEBACK,   // mm: one writer of a mapping's dirty pages
    RANK_FS_INDEX,    // fs: a directory's index while it is built
    RANK_FS_MAP,      // fs: which blocks a file has
    RANK_FS_ALLOC,    // fs: allocation groups
    RANK_FILE_LOCKS,  // fs: advisory locks
    RANK_IPC_TABLE,   // ipc: keys and numbers of one kind of System V objects
    RANK_REGISTRY,    // fs: entries of /proc, devices
    RANK_SETTING,     // what little else is to stay coherent

    // Spinning locks
    RANK_FAMILY = 32,  // proc: tree of processes, pid table, groups, sessions
    RANK_FILES,        // fs: descriptor tables
    RANK_FS,           // fs: cwd and root
    RANK_INODE_HASH,   // fs: inode table, lists of super blocks
    RANK_DENTRY,       // fs: name-cache buckets
    RANK_DENTRY_LRU,
    RANK_FUTEX,         // ipc: buckets
    RANK_IPC_BUCKET,    // ipc: System V objects by id
    RANK_IPC_OBJECT,    // ipc: one System V object or POSIX message queue
    RANK_SEM_UNDO,      // ipc: what one process has to undo
    RANK_UNIX_NAMES,    // net: names of UNIX sockets
    RANK_FLIGHT,        // net: descriptors in packets
    RANK_UNIX_PENDING,  // net: connections to accept
    RANK_UNIX,          // net: a UNIX socket
    RANK_CLOCK,         // time: who is told of steps of the wall clock
    RANK_WATCHES,       // ipc: which epoll sets watch a file, and how deep they are nested
    RANK_MAPPING_VMAS,  // mm: list of the VMAs of a mapping
    RANK_TABLES,        // mm: which last-level tables hang from a middle table
    RANK_PAGE_TABLE,    // mm: one last-level table
    RANK_MAPPING,       // mm: a mapping's tree of pages
    RANK_DIRTY,         // mm: list of mappings with dirty pages
    RANK_LRU,           // mm: reclaim lists
    RANK_PROFILE,       // sched: who turns the profile on

    // Interrupt-safe spinning locks: above all others, for an interrupt may come while any of those is held
    RANK_SIGNAL,       // proc: pending signals, stops and the end of a process
    RANK_SIGHAND,      // proc: table of dispositions, shared by CLONE_SIGHAND
    RANK_DEVICE,       // drivers
    RANK_UNIX_ROOM,    // net: who waits for room, which wakes other queues
    RANK_WAITQ,        // wait queues
    RANK_EPOLL_READY,  // ipc: ready lists of epoll, a nested set's before its watcher's
    RANK_EPOLL_READY_LAST = RANK_EPOLL_READY + 5,
    RANK_LOAD,     // sched: load averages
    RANK_INHERIT,  // sched: who lends whom his priority
    RANK_RUNQ,     // run queues; never two at once
    RANK_TIMER,    // per-hart timers; not held while a handler runs
    RANK_SLEW,     // time: the wall clock while its speed is changed
    RANK_ASID,     // mm: next address-space number
    RANK_SLAB,     // slab caches
    RANK_BUDDY,    // page allocator
};

#endif
