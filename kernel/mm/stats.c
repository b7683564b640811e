/*
 * stats.c: the numbers that /proc/meminfo and /proc/vmstat print.
 *
 * Events are counted per hart (vm_count); a reader adds the harts up.
 * What is a level and not an event is asked from its owner, free frames from page.c, slabs from
 * slab.c, the cache from pagecache.c, or is the difference of two counts of events (anonymous pages
 * made and freed). No locks; the numbers of one answer may be from slightly different moments.
 */
#include "mm/stats.h"
#include "lib/printf.h"
#include "mm/internal.h"
#include "mm/slab.h"
#include "proc/proc.h"

PERHART(struct vm_counters, vm_counters);

static u64 minus(u64 a, u64 b) { return a > b ? a - b : 0; }

static u64 sum(size_t offset) {
    u64 n = 0;
    for_each_hart (h)
        n += READ_ONCE(*(u64 *)((char *)per_hart(vm_counters, h) + offset));
    return n;
}

#define sum_of(what) sum(offsetof(struct vm_counters, what))

void mem_info_read(struct mem_info *info) {
    u64 cache = pagecache_pages();

    info->total = pages_total;
    info->free = pages_free();
    info->buffers = pagecache_meta();
    info->shmem = pagecache_pinned();
    info->cached = minus(cache, info->buffers);
    info->dirty = pagecache_dirty();
    info->writeback = pagecache_writeback();
    info->available = info->free + lru_pages();
    info->slab = slab_pages();
    info->kernel_stacks = (u64)READ_ONCE(nr_tasks) << KERNEL_STACK_ORDER;
    info->tables = minus(sum_of(tables_made), sum_of(tables_freed));
    info->anon =
        minus(sum_of(zero_fills) + sum_of(cow_copies) + sum_of(pages_ahead), sum_of(anon_freed));
    info->mapped = minus(sum_of(file_maps), sum_of(file_unmaps));
    info->committed = load_relaxed(&committed_pages);
    info->commit_limit = pages_total / 2;
}

void mm_show_vmstat(struct printer *p) {
    static const struct {
        const char *name;
        size_t offset;
    } counter[] = {
        {"pgfault", offsetof(struct vm_counters, faults)},
        {"pgmajfault", offsetof(struct vm_counters, major)},
        {"pgpgin", offsetof(struct vm_counters, read)},
        {"pgpgout", offsetof(struct vm_counters, written)},
        {"pgscan", offsetof(struct vm_counters, scanned)},
        {"pgunmap", offsetof(struct vm_counters, unmapped)},
        {"pgsteal", offsetof(struct vm_counters, reclaimed)},
        {"dirty_wait", offsetof(struct vm_counters, dirty_waits)},
        {"oom_kill", offsetof(struct vm_counters, oom_kills)},
        {"zero_fill", offsetof(struct vm_counters, zero_fills)},
        {"zero_map", offsetof(struct vm_counters, zero_maps)},
        {"cow_copy", offsetof(struct vm_counters, cow_copies)},
        {"cow_reuse", offsetof(struct vm_counters, cow_reuses)},
        {"file_map", offsetof(struct vm_counters, file_maps)},
        {"shared_write", offsetof(struct vm_counters, shared_writes)},
        {"fork_pte", offsetof(struct vm_counters, forked_ptes)},
        {"table_share", offsetof(struct vm_counters, table_shares)},
        {"table_copy", offsetof(struct vm_counters, table_copies)},
        {"table_reuse", offsetof(struct vm_counters, table_reuses)},
        {"table_ahead", offsetof(struct vm_counters, tables_ahead)},
        {"page_ahead", offsetof(struct vm_counters, pages_ahead)},
        {"tlb_remote_flush", offsetof(struct vm_counters, remote_flushes)},
    };
    struct mem_info info;

    mem_info_read(&info);
    printer_printf(p,
                   "nr_free_pages %lu\nnr_file_pages %lu\nnr_dirty %lu\nnr_writeback %lu\n"
                   "nr_dirty_threshold %lu\n",
                   info.free, info.cached + info.buffers, info.dirty, info.writeback,
                   pagecache_dirty_limit());
    for (size_t i = 0; i < ARRAY_SIZE(counter); i++)
        printer_printf(p, "%s %lu\n", counter[i].name, sum(counter[i].offset));
}
