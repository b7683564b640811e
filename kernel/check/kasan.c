/*
 * CHECK=kasan: every access of the kernel is checked against a map of the bytes that may be touched.
 *
 * The map is the compiler's: the shadow byte of the 8 bytes at address a is at (a >> 3) + SHADOW_OFFSET, which for the
 * first 8 GiB of the direct map is the last GiB of the address space, unused without this check:
 *
 *   ffffffffc0000000  who took and who freed each page (heap.c), where devices below 2 GiB would have their shadow
 *   ffffffffd0000000  shadow of memory from physical address 2 GiB on, made of pages taken at boot: 1/8 of memory
 *
 * Loads and stores call __asan_loadN_noabort() and so on; the red zones of stack frames are written by code that the
 * compiler puts into each function, through the same addresses. That code must work from the first function on, so
 * kasan_early() maps one page of scrap to all of that GiB in boot_root, and nothing is checked until kasan_start().
 * Globals get their red zones from constructors that kasan_start() calls; heap and pages from heap.c.
 *
 * Not checked: this folder, assembly, mm/slab.c (it writes into free objects), addresses outside memory, which the MMU
 * judges, and pages that were never given out yet. The copies to and from users check the kernel's side
 * (mm/uaccess.h).
 *
 * No locks: two harts change neighbouring shadow bytes without reading them. The first report ends all checking. Built
 * without instrumentation.
 */
#include "check/kasan.h"

#include "arch/arch.h"
#include "arch/upcall.h"
#include "check/raw_string.h"
#include "check/callers.h"
#include "lib/string.h"
#include "mm/page.h"
#include "proc/proc.h"
#include "arch/hart.h"

#define SHADOW_OFFSET 0xe0000007c0000000ul  // as the Makefile tells the compiler
#define SHADOW_LIMIT GIB(8)                 // of physical addresses
#define MAX_UNITS 512                       // files with global variables

struct source_place {
    const char *file;
    int line, column;
};

// What the compiler tells of a global variable (gcc and clang, version 8 of the interface).
struct asan_global {
    u64 start, size, size_with_red;
    const char *name, *file;
    u64 dynamic;
    struct source_place *place;
    u64 odr;
};

static u64 ram_start, ram_bytes;  // direct map addresses that are checked; 0 bytes: checking is off
static struct {
    const struct asan_global *globals;
    u64 count;
} units[MAX_UNITS];
static u32 nr_units;

extern u64 boot_root[];
extern void (*const init_array_start[])(void), (*const init_array_end[])(void);

static inline u8 *shadow_of(u64 address) { return (u8 *)((address >> 3) + SHADOW_OFFSET); }

static inline bool is_checked(u64 address, size_t n) {
    u64 offset = address - ram_start;
    return offset < ram_bytes && n <= ram_bytes - offset;
}

// ---- boot ----

void kasan_early(u64 hartid, pa_t fdt) {
    static u64 __aligned(4096) middle[PTES_PER_TABLE], last[PTES_PER_TABLE], scrap[PTES_PER_TABLE];
    for (u32 i = 0; i < PTES_PER_TABLE; i++) {
        middle[i] = pte_make(va_to_pa(last), PTE_V);
        last[i] = pte_make(va_to_pa(scrap), PTE_V | PTE_R | PTE_W | PTE_A | PTE_D | PTE_G);
    }
    boot_root[PTES_PER_TABLE - 1] = pte_make(va_to_pa(middle), PTE_V);
    tlb_flush_all();
    kernel_main(hartid, fdt);
}

static void map_fresh(u64 *table, va_t va, u64 (*alloc)(void)) {
    for (int level = 2; level > 0; level--) {
        u64 *pte = &table[sv39_index(va, level)];
        if (!*pte)
            *pte = pte_make(alloc(), PTE_V);
        table = pa_to_va(pte_pa(*pte));
    }
    u64 *pte = &table[sv39_index(va, 0)];
    if (!*pte)
        *pte = pte_make(alloc(), PTE_V | PTE_R | PTE_W | PTE_A | PTE_D | PTE_G);
}

static void map_range(u64 *root, const void *start, const void *end, u64 (*alloc)(void)) {
    for (va_t va = align_down((u64)start, PAGE_SIZE); va < (u64)end; va += PAGE_SIZE)
        map_fresh(root, va, alloc);
}

void kasan_map(u64 *root, u64 (*alloc)(void)) {
    u64 frames = end_frame - first_frame;
    if (end_frame > SHADOW_LIMIT >> PAGE_SHIFT)
        panic("CHECK=kasan works with memory below %lu GiB only", SHADOW_LIMIT / GIB(1));
    u64 start = (u64)pa_to_va(first_frame << PAGE_SHIFT), bytes = frames << PAGE_SHIFT;
    map_range(root, shadow_of(start), shadow_of(start + bytes), alloc);
    map_range(root, PAGE_TRACKS, PAGE_TRACKS + frames, alloc);
}

// Other harts start on boot_root.
void kasan_start(void) {
    boot_root[PTES_PER_TABLE - 1] = ((u64 *)pa_to_va(kernel_root))[PTES_PER_TABLE - 1];
    ram_start = (u64)pa_to_va(first_frame << PAGE_SHIFT);
    ram_bytes = (end_frame - first_frame) << PAGE_SHIFT;
    for (u32 i = 0; init_array_start + i < init_array_end; i++)
        init_array_start[i]();
}

bool kasan_on(void) { return ram_bytes != 0; }

// ---- marks ----

void kasan_allow(const void *p, size_t n) {
    if (!is_checked((u64)p, n))
        return;
    u8 *shadow = shadow_of((u64)p);
    memset(shadow, 0, n / 8);
    if (n % 8)
        shadow[n / 8] = n % 8;
}

void kasan_forbid(const void *p, size_t n, u8 mark) {
    if (is_checked((u64)p, n))
        memset(shadow_of((u64)p), mark, (n + 7) / 8);
}

// The first address in [a, end) that must not be touched, or 0.
static u64 first_bad(u64 a, u64 end) {
    while (a < end) {
        u64 base = align_down(a, 8);
        u8 mark = *shadow_of(a);
        if (mark == 0 && a % 64 == 0 && end - a >= 64 && *(u64 *)shadow_of(a) == 0) {
            a += 64;
            continue;
        }
        u64 good = mark == 0 ? 8 : mark < 8 ? mark : 0;
        if (min(end - base, 8ul) > good)
            return max(a, base + good);
        a = base + 8;
    }
    return 0;
}

// ---- reports ----

static const char *kind_of(u64 bad) {
    u8 mark = *shadow_of(bad);
    if (mark < 8)
        mark = shadow_of(bad)[1];
    switch (mark) {
    case KASAN_FREED:
        return "use after free";
    case KASAN_PAGE:
        return "use of a freed page";
    case KASAN_GLOBAL:
        return "out of bounds of a global variable";
    case 0xf1:
    case 0xf2:
    case 0xf3:
        return "out of bounds of a stack variable";
    case 0xf8:
        return "stack variable out of scope";
    default:
        return "out of bounds";
    }
}

static void describe_global(u64 address) {
    for (u32 u = 0; u < nr_units; u++)
        for (u64 i = 0; i < units[u].count; i++) {
            const struct asan_global *g = &units[u].globals[i];
            if (address - g->start < g->size_with_red)
                kprintf("%lu bytes behind the start of %s, of %lu bytes, %s\n", address - g->start,
                        g->name, g->size, g->file);
        }
}

static __noreturn __attribute__((noinline)) void report(u64 address, size_t n, bool write, u64 bad,
                                                        u64 pc, const void *frame) {
    const char *kind = kind_of(bad);
    u64 offset;
    const char *name = symbol_name(pc - 4, &offset);
    irq_disable();
    if (__atomic_exchange_n(&ram_bytes, 0, __ATOMIC_RELAXED) == 0)
        machine_halt();
    oops_begin();
    kprintf("\noops: kasan: %s: %s of %lu bytes at %016lx by %s+0x%lx, hart %u, task %s\n", kind,
            write ? "write" : "read", n, address, name, offset, hart_id(), current->name);
    if (*shadow_of(bad) == KASAN_GLOBAL ||
        (*shadow_of(bad) < 8 && shadow_of(bad)[1] == KASAN_GLOBAL))
        describe_global(bad);
    else
        heap_describe(bad);
    kprintf("shadow:");
    for (int i = -8; i < 8; i++)
        kprintf(i ? " %02x" : " [%02x]", shadow_of(bad)[i]);
    kprintf("\n");
    check_panic("kasan", kind, pc, frame);
}

void check_range(const void *p, size_t n, bool write, u64 pc, const void *frame) {
    u64 a = (u64)p;
    if (n == 0 || !is_checked(a, n))
        return;
    u64 bad = first_bad(a, a + n);
    if (unlikely(bad))
        report(a, n, write, bad, pc, frame);
}

#define CHECKED(p, n, write)                                                                       \
    check_range((const void *)(p), n, write, (u64)__builtin_return_address(0),                     \
                __builtin_frame_address(0))

void kasan_read(const void *p, size_t n) { CHECKED(p, n, false); }

void kasan_write(void *p, size_t n) { CHECKED(p, n, true); }

// ---- what the compiler calls ----

// Up to 8 bytes inside one granule of the shadow are good if its byte is 0.
#define SIZED(n)                                                                                   \
    void __asan_load##n##_noabort(u64 a);                                                          \
    void __asan_store##n##_noabort(u64 a);                                                         \
    void __asan_load##n##_noabort(u64 a) {                                                         \
        if (is_checked(a, n) && (a % 8 + n > 8 || unlikely(*shadow_of(a))))                        \
            CHECKED(a, n, false);                                                                  \
    }                                                                                              \
    void __asan_store##n##_noabort(u64 a) {                                                        \
        if (is_checked(a, n) && (a % 8 + n > 8 || unlikely(*shadow_of(a))))                        \
            CHECKED(a, n, true);                                                                   \
    }
SIZED(1)
SIZED(2)
SIZED(4)
SIZED(8)
SIZED(16)

void __asan_loadN_noabort(u64 a, size_t n);
void __asan_storeN_noabort(u64 a, size_t n);
void __asan_handle_no_return(void);
void __asan_register_globals(const struct asan_global *g, u64 n);
void __asan_unregister_globals(const struct asan_global *g, u64 n);
void __asan_poison_stack_memory(const void *p, u64 n);
void __asan_unpoison_stack_memory(const void *p, u64 n);

void __asan_loadN_noabort(u64 a, size_t n) { CHECKED(a, n, false); }

void __asan_storeN_noabort(u64 a, size_t n) { CHECKED(a, n, true); }

// A stack whose frames are never left goes back to page.c, which clears its shadow when it is given out again.
void __asan_handle_no_return(void) {}

void __asan_register_globals(const struct asan_global *g, u64 n) {
    assert(nr_units < MAX_UNITS);
    units[nr_units].globals = g;
    units[nr_units++].count = n;
    for (; n; n--, g++) {
        u64 end = align_up(g->start + g->size, 8);
        kasan_forbid((const void *)end, g->start + g->size_with_red - end, KASAN_GLOBAL);
        kasan_allow((const void *)g->start, g->size);
    }
}

void __asan_unregister_globals(const struct asan_global *g, u64 n) { (void)g, (void)n; }

void __asan_poison_stack_memory(const void *p, u64 n) { kasan_forbid(p, n, 0xf8); }

void __asan_unpoison_stack_memory(const void *p, u64 n) { kasan_allow(p, n); }
