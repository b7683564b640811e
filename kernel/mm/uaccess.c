/*
 * uaccess.c: the parts of user-memory access that are more than one call of arch/usercopy.S.
 *
 * The copy routines may fault; the trap code calls kernel_page_fault, which brings the page, or
 * lets the routine return early. With preemption off that repair is not tried, since it may sleep:
 * the nofault versions rest on this.
 *
 * mm_access reads and writes another address space through the direct map, one page at a time, with
 * the page's reference held. It writes under mm->lock and the table lock, so that the page cannot
 * become another one, or common by fork, meanwhile.
 *
 * Locks: none of its own. Sleeps, but for the nofault versions.
 */
#include "mm/uaccess.h"
#include "lib/string.h"
#include "mm/internal.h"
#include "mm/slab.h"

#define PATH_BUFFER 4096  // PATH_MAX

ssize_t copy_string_from_user(char *dst, u64 src, size_t size) {
    if (src >= USER_TOP)
        return -EFAULT;
    size_t n = min(size, USER_TOP - src);
    ssize_t len = usercopy_string(dst, (const char *)src, n);
    if (len < 0)
        return len;
    if ((size_t)len >= n)
        return n < size ? -EFAULT : -ENAMETOOLONG;
    dst[len] = '\0';
    return len;
}

char *path_from_user(u64 src) {
    char *path = kmalloc(PATH_BUFFER, 0);

    if (!path)
        return ERR_PTR(-ENOMEM);
    ssize_t len = copy_string_from_user(path, src, PATH_BUFFER);
    if (len >= 0)
        return path;
    kfree(path);
    return ERR_PTR(len);
}

void path_buffer_put(char *path) { kfree(path); }

int copy_from_user_nofault(void *dst, u64 src, size_t n) {
    preempt_disable();
    int error = copy_from_user(dst, src, n);
    preempt_enable();
    return error;
}

int fault_in_user(u64 addr, size_t n, bool write) {
    if (!user_range_ok(addr, n) || !current->mm)
        return -EFAULT;
    for (va_t a = align_down(addr, PAGE_SIZE); a < addr + n; a += PAGE_SIZE) {
        struct page *p = vm_page_of(current->mm, a, write);
        if (IS_ERR(p))
            return -EFAULT;
        page_put(p);
    }
    return 0;
}

// Within one page. 0 or negative errno
static int read_page(struct mm *mm, va_t addr, void *buf, size_t n) {
    struct page *p = vm_page_of(mm, addr, false);

    if (IS_ERR(p))
        return PTR_ERR(p);
    memcpy(buf, (char *)page_va(p) + addr % PAGE_SIZE, n);
    page_put(p);
    return 0;
}

// The same for writing: the page must still be the one at addr, and stay it, while it is written.
// Memory that the program itself may not write, a debugger may, when it is private.
static int write_page(struct mm *mm, va_t addr, const void *buf, size_t n) {
    for (;;) {
        int error = vm_write_mapped(mm, addr, buf, n);
        if (error != -EAGAIN)
            return error;
        error = vm_fault_forced(mm, addr);
        if (error)
            return error;
    }
}

ssize_t mm_access(struct mm *mm, va_t addr, void *buf, size_t n, bool write) {
    size_t done = 0;
    int error = 0;

    if (!user_range_ok(addr, n))
        return -EIO;
    while (done < n && !error) {
        size_t part = min(n - done, PAGE_SIZE - (addr + done) % PAGE_SIZE);
        if (write)
            error = write_page(mm, addr + done, buf ? (char *)buf + done : NULL, part);
        else
            error = read_page(mm, addr + done, (char *)buf + done, part);
        if (!error)
            done += part;
    }
    if (done && write)
        tlb_new_code(mm);
    return done ? (ssize_t)done : error == -EFAULT ? -EIO : error;
}
