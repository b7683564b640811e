/*
 * procfs: what the files of a task tell about its memory, in the formats of proc(5).
 *
 * The numbers come from mm/ through a reference to the address space; a kernel thread or a dead task has none and
 * shows nothing, or zeroes. Words of pagemap are made for each read, all other texts as a whole (core.c). mem is the
 * memory itself: what is written there goes by the same faults as the program's own writes (mm/uaccess.c), so pages
 * and page tables that others share are copied first; private memory may be written whatever its VMA allows.
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
    ssize_t n = path ? file_link_text(f, path) : -ENOMEM;
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

// The address space of the task of f's node, with a reference; NULL: it has none, ERR_PTR(-ESRCH, -EACCES).
static struct mm *node_mm(struct file *f) {
    struct task *t = node_task(f->inode);
    if (!t)
        return ERR_PTR(-ESRCH);
    struct mm *mm = task_mm_get(t);
    bool may = task_may_look(t);  // asked last: t may become another user's by exec meanwhile
    task_put(t);
    if (may)
        return mm;
    if (mm)
        mm_put(mm);
    return ERR_PTR(-EACCES);
}

static ssize_t pagemap_read(struct file *f, struct iter *to, u64 *pos) {
    if (*pos % 8 || to->left % 8)
        return -EINVAL;
    struct mm *mm = node_mm(f);
    if (!mm || IS_ERR(mm))
        return PTR_ERR(mm);  // 0: there is nothing to read
    ssize_t n = read_pagemap(mm, to, pos);
    mm_put(mm);
    return n;
}

const struct file_ops pagemap_ops = {.read = pagemap_read, .seek = plain_seek, .poll = poll_always};

// ---- mem: the position is an address ----

// A part of one page. Bytes, 0 when the iter's own memory faulted before the first, or errno.
static ssize_t move_part(struct mm *mm, struct iter *it, va_t addr, char *buf, size_t n,
                         bool write) {
    if (!write) {
        ssize_t got = mm_access(mm, addr, buf, n, false);
        return got > 0 ? (ssize_t)iter_put(it, buf, got) : got;
    }
    n = iter_get(it, buf, n);
    return n ? mm_access(mm, addr, buf, n, true) : 0;
}

static ssize_t move_memory(struct mm *mm, struct iter *it, u64 *pos, bool write) {
    char *buf = page_alloc_va(0);
    ssize_t n = 0, done = 0;
    if (!buf)
        return -ENOMEM;
    while (it->left) {
        size_t part = min(it->left, PAGE_SIZE - *pos % PAGE_SIZE);
        n = fatal_signal_pending() ? -EINTR : move_part(mm, it, *pos, buf, part, write);
        if (n <= 0)
            break;
        *pos += n;
        done += n;
        if ((size_t)n < part)
            break;
    }
    page_free_va(buf);
    return done ? done : n ?: it->left ? -EFAULT : 0;
}

static ssize_t access_mem(struct file *f, struct iter *it, u64 *pos, bool write) {
    struct mm *mm = node_mm(f);
    if (!mm || IS_ERR(mm))
        return PTR_ERR(mm);  // 0: there is nothing to read
    ssize_t n = it->left ? move_memory(mm, it, pos, write) : 0;
    mm_put(mm);
    return n;
}

static ssize_t mem_read(struct file *f, struct iter *to, u64 *pos) {
    return access_mem(f, to, pos, false);
}

static ssize_t mem_write(struct file *f, struct iter *from, u64 *pos) {
    return access_mem(f, from, pos, true);
}

const struct file_ops mem_ops = {
    .read = mem_read, .write = mem_write, .seek = plain_seek, .poll = poll_always};
