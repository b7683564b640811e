/*
 * System calls on memory: arguments for mm/ and, for mappings of files, the file's own mmap method in between.
 * Decoders only; may sleep.
 */
#include "abi/errno.h"
#include "fs/file.h"
#include "mm/vm.h"
#include "syscall/syscall.h"

static long map_file(struct file *f, const u64 *a) {
    struct vma_request r = {0};
    int prot = (int)a[2], flags = (int)a[3];
    int error = vm_prepare_mmap(&r, a[0], a[1], prot, flags);
    if (error)
        return error;
    if (!f->ops->mmap)
        return -ENODEV;
    bool writes = r.flags & VM_SHARED && prot & PROT_WRITE;
    if (!(f->mode & FILE_READ) || (writes && !(f->mode & FILE_WRITE)))
        return -EACCES;
    if (r.flags & VM_SHARED && !(f->mode & FILE_WRITE))
        r.flags &= ~VM_MAYWRITE;
    r.pgoff = a[5] >> PAGE_SHIFT;
    if (r.pgoff + (r.length >> PAGE_SHIFT) > ~0ul >> PAGE_SHIFT)
        return -EOVERFLOW;
    r.file = f;
    // From the look at the file's seals until the mapping is counted nobody adds one.
    bool may_write = r.flags & VM_SHARED && r.flags & VM_MAYWRITE;
    if (may_write)
        read_lock(&f->inode->lock);
    error = f->ops->mmap(f, &r);
    long addr = error ? error : vm_mmap(&r, flags);
    if (may_write)
        read_unlock(&f->inode->lock);
    return addr;
}

long sys_mmap(const u64 *a) {
    if (a[5] & (PAGE_SIZE - 1))
        return -EINVAL;
    if (a[3] & MAP_ANONYMOUS)
        return vm_mmap_anon(a[0], a[1], (int)a[2], (int)a[3]);
    struct fd_ref r = fd_get((int)a[4]);
    if (!r.file)
        return -EBADF;
    long addr = map_file(r.file, a);
    fd_put(r);
    return addr;
}

long sys_brk(const u64 *a) { return vm_brk(a[0]); }
long sys_munmap(const u64 *a) { return vm_munmap(a[0], a[1]); }
long sys_mprotect(const u64 *a) { return vm_mprotect(a[0], a[1], (int)a[2]); }
long sys_mremap(const u64 *a) { return vm_mremap(a[0], a[1], a[2], (int)a[3], a[4]); }
long sys_madvise(const u64 *a) { return vm_madvise(a[0], a[1], (int)a[2]); }
long sys_mincore(const u64 *a) { return vm_mincore(a[0], a[1], a[2]); }
long sys_msync(const u64 *a) { return vm_msync(a[0], a[1], (int)a[2]); }
long sys_mlock(const u64 *a) { return vm_mlock(a[0], a[1], 0); }
long sys_mlock2(const u64 *a) { return vm_mlock(a[0], a[1], (u32)a[2]); }
long sys_munlock(const u64 *a) { return vm_munlock(a[0], a[1]); }
long sys_mlockall(const u64 *a) { return vm_mlockall((u32)a[0]); }
long sys_munlockall(const u64 *a) {
    (void)a;
    return vm_munlockall();
}

#define FLUSH_ICACHE_LOCAL 1u  // for this thread only, wherever it goes

// The whole memory, whatever the range: fence.i knows no addresses.
long sys_riscv_flush_icache(const u64 *a) {
    if (a[2] & ~(u64)FLUSH_ICACHE_LOCAL)
        return -EINVAL;
    tlb_new_code(current->mm);
    return 0;
}
