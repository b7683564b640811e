// Counters of this room, one set per hart, and the numbers of /proc/meminfo.
#ifndef MM_STATS_H
#define MM_STATS_H

#include "arch/hart.h"
#include "check/race.h"
#include "lib/atomic.h"
#include "lib/types.h"

// Events since boot. [a]
struct vm_counters {
    u64 faults;          // all page faults that were looked at
    u64 major;           // that read a disk
    u64 zero_fills;      // fresh zeroed pages given to a user
    u64 zero_maps;       // first reads that got the shared page of zeroes
    u64 cow_copies;      // pages copied
    u64 cow_reuses;      // pages that had only one user left
    u64 file_maps;       // entries made for cache pages
    u64 forked_ptes;     // entries copied, by fork or when a table stops being shared
    u64 table_shares;    // tables that fork gave the child too
    u64 table_copies;    // shared tables that one side copied, to change its own
    u64 table_reuses;    // that had only one user left
    u64 tables_ahead;    // that fork copied, as they were copied after the last ones
    u64 pages_ahead;     // pages that it copied for the same reason
    u64 remote_flushes;  // harts told to forget translations, or code
    u64 shared_writes;   // first stores to clean pages of shared mappings
    u64 scanned;         // cache pages that reclaim looked at
    u64 unmapped;        // entries of cache pages that it took out of page tables
    u64 reclaimed;       // cache pages freed for want of memory
    u64 dirty_waits;     // times that a writer waited because too much was dirty
    u64 oom_kills;
    u64 written;  // pages written back
    u64 read;     // pages read in
    // Pairs whose difference, over all harts, is a level.
    u64 anon_freed;   // anonymous pages; made are zero_fills + cow_copies + pages_ahead
    u64 file_unmaps;  // entries of cache pages removed; made are file_maps
    u64 tables_made, tables_freed;
};
extern struct vm_counters vm_counters;  // PERHART

// Atomic, for another task may run here, or this one elsewhere, before the sum is stored. Which hart's set it is does not
// matter: hence data_race().
#define vm_count_n(what, n) ((void)atomic_add_relaxed(&data_race(this_hart(vm_counters))->what, n))
#define vm_count(what) vm_count_n(what, 1)

// All in pages.
struct mem_info {
    u64 total, free, available;
    u64 cached, shmem;  // file pages in the cache, of them tmpfs and shared memory
    u64 buffers;        // pages of block devices
    u64 dirty, writeback;
    u64 slab, tables, kernel_stacks;
    u64 anon;
    u64 mapped;  // page-table entries of cache pages
    u64 committed, commit_limit;
};
void mem_info_read(struct mem_info *info);
// Cleared frames that wait in the harts' pools to become page tables: as good as free.
u64 table_pool_pages(void);

struct printer;
void mm_show_vmstat(struct printer *p);  // lines of /proc/vmstat

#endif
