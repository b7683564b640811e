/*
 * CHECK=kcov: which code of the kernel a task runs, for fuzzers that are guided by it.
 *
 * The compiler calls __sanitizer_cov_trace_pc() in each basic block (-fsanitize-coverage=trace-pc). If the task that runs
 * has switched recording on, the address of the block goes into its buffer; an interrupt that comes in between is
 * recorded too. The interface is Linux's (Documentation/dev-tools/kcov.rst), the file /dev/kcov:
 *
 *     open; ioctl KCOV_INIT_TRACE, words; mmap, shared; ioctl KCOV_ENABLE; system calls; read the memory
 *
 * Word 0 of the memory is how many addresses follow; whoever maps it may reset it. Records that find no room are dropped.
 * Other than in Linux a recording stays with its task until KCOV_DISABLE or the task's end, also when the file is closed.
 *
 * Pages: a pinned mapping, of which `page` keeps kernel addresses. References: the file's, one for each mapping, one of
 * the task that records. Locks: kcov_lock guards owner and the making of pages; the recording takes none, for only its
 * task touches thread.kcov. Built without instrumentation, as is arch/, which runs before there is a task.
 */
#include "check/kcov.h"

#include "abi/errno.h"
#include "abi/kcov.h"
#include "fs/file.h"
#include "mm/pagecache.h"
#include "mm/slab.h"
#include "mm/vm.h"

#define KCOV_PAGES 256
#define PAGE_WORDS (PAGE_SIZE / 8)

struct kcov {
    struct ref ref;
    struct mapping mapping;
    u64 *page[KCOV_PAGES];  // [kcov_lock] to make
    u32 nr_pages;           // [kcov_lock] 0: not made yet
    struct task *owner;     // [kcov_lock] who records into it
};

static struct mutex kcov_lock = MUTEX_INIT(kcov_lock, RANK_SETTING, "kcov");

void __sanitizer_cov_trace_pc(void);
void __sanitizer_cov_trace_pc(void) {
    struct kcov *k = current_thread->kcov;
    if (likely(!k))
        return;
    u64 at = READ_ONCE(k->page[0][0]) + 1;  // users may have written anything
    if (at == 0 || at >= k->nr_pages * PAGE_WORDS)
        return;
    k->page[at / PAGE_WORDS][at % PAGE_WORDS] = (u64)__builtin_return_address(0);
    WRITE_ONCE(k->page[0][0], at);
}

// ---- life ----

static const struct mapping_ops kcov_mapping_ops = {.read_page = NULL};

static void kcov_put(struct kcov *k) {
    if (!ref_put(&k->ref))
        return;
    for (u32 i = 0; i < k->nr_pages; i++)
        page_put(va_to_page(k->page[i]));
    pagecache_truncate(&k->mapping, 0);
    kfree(k);
}

static int kcov_open(struct inode *inode, struct file *f) {
    struct kcov *k = kzalloc(sizeof(*k));
    (void)inode;
    if (!k)
        return -ENOMEM;
    ref_init(&k->ref);
    mapping_init(&k->mapping, &kcov_mapping_ops, k, MAPPING_PINNED);
    f->private_ = k;
    return 0;
}

static void kcov_release(struct file *f) { kcov_put(f->private_); }

// => kcov_lock held
static long make_pages(struct kcov *k, u64 words) {
    if (k->nr_pages)
        return -EBUSY;
    if (words < 2 || words > KCOV_PAGES * PAGE_WORDS)
        return -EINVAL;
    u32 n = (words + PAGE_WORDS - 1) / PAGE_WORDS;
    for (u32 i = 0; i < n; i++) {
        struct page *p = pagecache_get(&k->mapping, i);
        if (IS_ERR(p)) {
            while (i--)
                page_put(va_to_page(k->page[i]));
            return PTR_ERR(p);
        }
        k->page[i] = page_va(p);
    }
    k->nr_pages = n;
    return 0;
}

// ---- recording ----

// => kcov_lock held
static long enable(struct kcov *k, u64 what) {
    if (what != KCOV_TRACE_PC || !k->nr_pages)
        return -EINVAL;
    if (k->owner || current->thread.kcov)
        return -EBUSY;
    k->owner = current;
    ref_get(&k->ref);
    WRITE_ONCE(current->thread.kcov, k);
    return 0;
}

static void disable(struct kcov *k) {
    WRITE_ONCE(current->thread.kcov, NULL);
    mutex_lock(&kcov_lock);
    k->owner = NULL;
    mutex_unlock(&kcov_lock);
    kcov_put(k);
}

static long kcov_ioctl(struct file *f, u32 cmd, u64 arg) {
    struct kcov *k = f->private_;
    if (cmd == KCOV_DISABLE) {
        if (current->thread.kcov != k)
            return -EINVAL;
        disable(k);
        return 0;
    }
    mutex_lock(&kcov_lock);
    long result = cmd == KCOV_INIT_TRACE ? make_pages(k, arg)
                  : cmd == KCOV_ENABLE   ? enable(k, arg)
                                         : -ENOTTY;
    mutex_unlock(&kcov_lock);
    return result;
}

void kcov_exit(void) {
    if (current->thread.kcov)
        disable(current->thread.kcov);
}

// ---- memory ----

static void vma_open(struct vma *v) { ref_get(&((struct kcov *)v->file)->ref); }
static void vma_close(struct vma *v) { kcov_put(v->file); }
static const struct vma_ops kcov_vma_ops = {
    .name = "/dev/kcov", .open = vma_open, .close = vma_close};

static int kcov_mmap(struct file *f, struct vma_request *r) {
    struct kcov *k = f->private_;
    u64 pages = r->length >> PAGE_SHIFT, made = READ_ONCE(k->nr_pages);
    if (!(r->flags & VM_SHARED) || r->pgoff > made || pages > made - r->pgoff)
        return -EINVAL;
    r->ops = &kcov_vma_ops;
    r->mapping = &k->mapping;
    r->file = k;
    return 0;
}

static const struct file_ops kcov_ops = {
    .open = kcov_open, .release = kcov_release, .ioctl = kcov_ioctl, .mmap = kcov_mmap};

void kcov_init(void) { devfs_add("kcov", 0600, 10 << 8 | 99, &kcov_ops, NULL); }
