/*
 * procfs: what the files of a task tell about its memory, in the formats of proc(5).
 *
 * The numbers come from mm/ through a reference to the address space; a kernel thread or a dead task has none and
 * shows nothing, or zeroes. Words of pagemap are made for each read, all other texts as a whole (core.c).
 */
#include "abi/capability.h"
#include "fs/proc/internal.h"

#include "mm/vm.h"

// ---- statm, status ----

int show_statm(struct printer *p, struct task *t) {
    struct mm *mm = task_mm_get(t);
    if (!mm) {
        printer_printf(p, "0 0 0 0 0 0 0\n");
        return 0;
    }
    u64 code =
        (align_up(mm->code_end, PAGE_SIZE) - align_down(mm->code_start, PAGE_SIZE)) / PAGE_SIZE;
    printer_printf(p, "%lu %lu %lu %lu 0 %lu 0\n", mm->total_pages, mm_rss(mm),
                   mm->rss[RSS_FILE] + mm->rss[RSS_SHMEM], code,
                   mm->data_pages + mm_stack_pages(mm));
    mm_put(mm);
    return 0;
}

void status_memory(struct printer *p, struct mm *mm) {
    const u64 k = PAGE_SIZE / 1024;
    u64 size = mm->total_pages * k, code = (mm->code_end - mm->code_start) / 1024;
    printer_printf(p, "VmPeak:\t%8lu kB\nVmSize:\t%8lu kB\nVmLck:\t%8lu kB\nVmPin:\t       0 kB\n",
                   size, size, mm->locked_pages * k);
    printer_printf(p, "VmHWM:\t%8lu kB\nVmRSS:\t%8lu kB\n", max(mm_rss_peak(mm), mm_rss(mm)) * k,
                   mm_rss(mm) * k);
    printer_printf(p, "RssAnon:\t%8lu kB\nRssFile:\t%8lu kB\nRssShmem:\t%8lu kB\n",
                   mm->rss[RSS_ANON] * k, mm->rss[RSS_FILE] * k, mm->rss[RSS_SHMEM] * k);
    printer_printf(p,
                   "VmData:\t%8lu kB\nVmStk:\t%8lu kB\nVmExe:\t%8lu kB\nVmPTE:\t%8lu kB\nVmSwap:\t "
                   "      0 kB\n",
                   mm->data_pages * k, mm_stack_pages(mm) * k, code, mm->table_pages * k);
}

// ---- maps, smaps ----

static void print_map_file(struct printer *p, void *file) {
    struct file *f = file;
    struct inode *i = f->inode;
    char *path = kmalloc(PATH_MAX, 0);
    printer_printf(p, "%02x:%02x %lu", i->sb->devno >> 8, i->sb->devno & 0xff, i->ino);
    mm_maps_pad(p);
    ssize_t n = path ? file_link_text(f, path, PATH_MAX - 1) : -ENOMEM;
    if (n > 0)
        p->put(p, path, n);
    kfree(path);
}

static int show_areas(struct printer *p, struct task *t,
                      void (*more)(struct printer *, struct vma *)) {
    struct mm *mm = task_mm_get(t);
    if (!mm)
        return 0;
    mm_show_maps(mm, p, print_map_file, more);
    mm_put(mm);
    return 0;
}

int show_maps(struct printer *p, struct task *t) { return show_areas(p, t, NULL); }
int show_smaps(struct printer *p, struct task *t) { return show_areas(p, t, vma_show_usage); }

int show_smaps_rollup(struct printer *p, struct task *t) {
    struct mm *mm = task_mm_get(t);
    if (!mm)
        return -ESRCH;
    mm_show_usage(mm, p);
    mm_put(mm);
    return 0;
}

int show_tables(struct printer *p, struct task *t) {
    struct mm *mm = task_mm_get(t);
    if (!mm)
        return 0;
    mm_show_tables(mm, p, capable(CAP_SYS_ADMIN));
    mm_put(mm);
    return 0;
}

// ---- pagemap ----

// Words of the pages from *pos / 8 on. Bytes, or errno.
static ssize_t read_pagemap(struct mm *mm, struct iter *to, u64 *pos) {
    u64 words[64];
    ssize_t done = 0;
    while (to->left && *pos / 8 < USER_TOP / PAGE_SIZE) {
        size_t n = min(min(to->left / 8, ARRAY_SIZE(words)), USER_TOP / PAGE_SIZE - *pos / 8);
        mm_pagemap(mm, *pos / 8 * PAGE_SIZE, words, n, capable(CAP_SYS_ADMIN));
        size_t moved = iter_put(to, words, n * 8);
        *pos += moved;
        done += moved;
        if (moved < n * 8)
            return done ? done : -EFAULT;
        if (fatal_signal_pending())
            return -EINTR;
    }
    return done;
}

static ssize_t pagemap_read(struct file *f, struct iter *to, u64 *pos) {
    if (*pos % 8 || to->left % 8)
        return -EINVAL;
    struct task *t = node_task(f->inode);
    if (!t)
        return -ESRCH;
    struct mm *mm = task_may_look(t) ? task_mm_get(t) : NULL;
    ssize_t n = mm ? read_pagemap(mm, to, pos) : task_may_look(t) ? 0 : -EACCES;
    if (mm)
        mm_put(mm);
    task_put(t);
    return n;
}

const struct file_ops pagemap_ops = {.read = pagemap_read, .seek = plain_seek, .poll = poll_always};
