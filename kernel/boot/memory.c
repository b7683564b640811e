/*
 * Memory at boot: from the device tree's regions to the page allocator.
 *
 * A short sorted list holds the free ranges: the /memory regions, less what is reserved (firmware, the device tree itself,
 * the kernel's image). The array of struct page is cut from the first range that has room; the rest is handed over.
 * Boot hart only, before anything is allocated.
 */
#include "arch/arch.h"
#include "arch/sv39.h"
#include "boot/boot.h"
#include "drivers/fdt.h"
#include "lib/string.h"
#include "mm/page.h"

#define MAX_RANGES 64

struct range {
    pa_t start, end;
};
static struct range ranges[MAX_RANGES];
static unsigned nr_ranges;

static void remove_range(unsigned i) {
    nr_ranges--;
    memmove(&ranges[i], &ranges[i + 1], (nr_ranges - i) * sizeof ranges[0]);
}

static void insert_range(unsigned i, pa_t start, pa_t end) {
    if (nr_ranges == MAX_RANGES || start >= end)
        return;
    memmove(&ranges[i + 1], &ranges[i], (nr_ranges - i) * sizeof ranges[0]);
    ranges[i] = (struct range){start, end};
    nr_ranges++;
}

// Take [start, end) out of the free ranges; whole pages.
static void reserve(pa_t start, pa_t end) {
    start = align_down(start, PAGE_SIZE);
    end = align_up(end, PAGE_SIZE);
    for (unsigned i = 0; i < nr_ranges; i++) {
        struct range r = ranges[i];
        if (r.end <= start || r.start >= end)
            continue;
        remove_range(i);
        if (r.end > end)
            insert_range(i, end, r.end);
        if (r.start < start)
            insert_range(i, r.start, start);
        else
            i--;
    }
}

static void add_memory_nodes(void) {
    for (int node = fdt_first_child(fdt_root()); node >= 0; node = fdt_next_sibling(node)) {
        const char *type = fdt_prop_string(node, "device_type");
        u64 addr, size;
        if (type == NULL || strcmp(type, "memory") != 0)
            continue;
        for (unsigned i = 0; fdt_reg(node, i, &addr, &size); i++) {
            if (addr >= DIRECT_SIZE || size == 0)
                continue;
            unsigned at = 0;
            while (at < nr_ranges && ranges[at].start < addr)
                at++;
            insert_range(at, align_up(addr, PAGE_SIZE),
                         align_down(min(addr + size, DIRECT_SIZE), PAGE_SIZE));
        }
    }
}

static pa_t cut(size_t size) {
    for (unsigned i = 0; i < nr_ranges; i++) {
        if (ranges[i].end - ranges[i].start < size)
            continue;
        pa_t at = ranges[i].start;
        ranges[i].start += size;
        return at;
    }
    panic("no room for the page array: %lu KiB", size / 1024);
}

void boot_memory(pa_t fdt) {
    u64 addr, size;
    add_memory_nodes();
    if (nr_ranges == 0)
        panic("the device tree has no usable memory node (device_type = \"memory\")");
    pa_t first = ranges[0].start, end = ranges[nr_ranges - 1].end;
    reserve(va_to_pa(kernel_start), va_to_pa(kernel_end));
    reserve(fdt, fdt + fdt_size());
    for (unsigned i = 0; fdt_reserved(i, &addr, &size); i++)
        reserve(addr, addr + size);
    pa_t array = cut(align_up(page_array_bytes(first, end), PAGE_SIZE));
    page_init(first, end, array);
    for (unsigned i = 0; i < nr_ranges; i++)
        page_add_range(ranges[i].start, ranges[i].end);
}
