/*
 * The kernel's half of the address space.
 *
 * All physical memory and devices appear at DIRECT_BASE + physical address, in leaves of 1 GiB; the GiB that holds
 * the kernel's image is mapped by leaves of 2 MiB, and the 2 MiB regions that the image touches by pages of 4 KiB
 * so that its text is read-execute, its read-only data read, and the rest read-write: no byte is both writable and
 * executable. boot_root (entry.S) maps everything writable and executable and is left for good when
 * kernel_root is loaded; it stays only for the first instructions of the other harts.
 *
 * Every process's root table has a copy of the 256 kernel entries, which never change after boot, so that a trap need
 * not switch tables. No locks: boot hart only; afterwards read-only.
 */
#include "arch/arch.h"
#include "arch/csr.h"
#include "arch/sv39.h"
#include "check/kasan.h"
#include "lib/string.h"

#define KERNEL_LEAF (PTE_V | PTE_G | PTE_A | PTE_D)

pa_t kernel_root;

static u64 kernel_permissions(pa_t pa) {
    const char *va = pa_to_va(pa);
    if (va < kernel_start || va >= kernel_end)
        return PTE_R | PTE_W;
    return va < text_end ? PTE_R | PTE_X : va < rodata_end ? PTE_R : PTE_R | PTE_W;
}

static bool overlaps_kernel(pa_t pa, u64 size) {
    return pa < va_to_pa(kernel_end) && pa + size > va_to_pa(kernel_start);
}

// Map [pa, pa + size of a leaf at `level`): one leaf, or a table where the kernel's image is inside.
static pte_t map_region(pa_t pa, int level, pa_t (*alloc)(void)) {
    u64 size = PAGE_SIZE << 9 * level;
    if (level == 0 || !overlaps_kernel(pa, size))
        return pte_make(pa, KERNEL_LEAF | kernel_permissions(pa));
    pa_t table_pa = alloc();
    pte_t *table = pa_to_va(table_pa);
    for (u64 i = 0; i < PTES_PER_TABLE; i++)
        table[i] = map_region(pa + i * (size / PTES_PER_TABLE), level - 1, alloc);
    return pte_make(table_pa, PTE_V);
}

void kernel_map(pa_t top, pa_t (*alloc)(void)) {
    kernel_root = alloc();
    pte_t *root = pa_to_va(kernel_root);
    for (pa_t pa = 0; pa < top && pa < DIRECT_SIZE; pa += GIGAPAGE_SIZE)
        root[sv39_index((va_t)pa_to_va(pa), 2)] = map_region(pa, 2, alloc);
    kasan_map(root, alloc);
    csr_write(satp, satp_make(kernel_root, 0));
    tlb_flush_all();
}

void kernel_half(u64 *root) {
    memcpy(root + PTES_PER_TABLE / 2, (u64 *)pa_to_va(kernel_root) + PTES_PER_TABLE / 2,
           PAGE_SIZE / 2);
}
