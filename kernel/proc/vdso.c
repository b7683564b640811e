/*
 * The vDSO and its page of data in a program's memory (vdso/vdso.h says what they are).
 *
 * Both are pages of the kernel's own image, mapped by exec at fixed addresses above the stack, private and never
 * writable by the program; fork takes them along as any mapping. A debugger that writes into [vdso] gets a copy.
 * Each frame keeps a reference for itself, so that the last mapping does not give it to the allocator.
 */
#include "vdso/vdso.h"

#include "abi/errno.h"
#include "mm/pagecache.h"
#include "mm/vm.h"
#include "proc/life.h"

static struct page *share(const void *va, enum access access) {
    struct page *p = va_to_page(va);
    if (access == ACCESS_WRITE)
        return ERR_PTR(-EFAULT);
    page_get(p);
    return p;
}
static struct page *vvar_fault(struct vma *v, va_t addr, enum access access) {
    (void)v, (void)addr;
    return share(&vvar, access);
}
static struct page *vdso_fault(struct vma *v, va_t addr, enum access access) {
    (void)v, (void)addr;
    return share(vdso_image, access);
}
static const struct vma_ops vvar_ops = {.name = "[vvar]", .fault = vvar_fault};
static const struct vma_ops vdso_ops = {.name = "[vdso]", .fault = vdso_fault};

static void keep(const void *va) {
    struct page *p = va_to_page(va);
    p->kind = PAGE_RESERVED;
    ref_init(&p->ref);
}

void vdso_init(void) {
    assert(vdso_end - vdso_image <= (ptrdiff_t)PAGE_SIZE);
    keep(&vvar);
    keep(vdso_image);
}

int vdso_map(struct mm *mm) {
    struct vma_request data = {
        .addr = VVAR, .length = PAGE_SIZE, .flags = VM_READ, .fixed = true, .ops = &vvar_ops};
    struct vma_request code = {.addr = VDSO,
                               .length = PAGE_SIZE,
                               .flags = VM_READ | VM_EXEC,
                               .fixed = true,
                               .ops = &vdso_ops};
    write_lock(&mm->lock);
    long addr = vma_map(mm, &data);
    if (addr > 0)
        addr = vma_map(mm, &code);
    write_unlock(&mm->lock);
    return addr < 0 ? addr : 0;
}
