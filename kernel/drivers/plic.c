/*
 * The platform-level interrupt controller, and who wants which device's interrupt.
 *
 * Each interrupt source has a number from 1 up. A context is one place that interrupts are delivered to:
 * a privilege level of a hart. The device tree's `interrupts-extended` lists, context by context, the
 * interrupt controller of a hart and the cause there; cause 9, the external interrupt of S-mode, is ours.
 *
 * Interrupts of devices go to the boot hart: its context has the enable bits, the contexts of other harts
 * keep none. Handlers that have much to do put it off with softwork(), and what they wake up runs anywhere.
 *
 * external_interrupt claims until nothing is pending, so one trap serves many interrupts. A source that is
 * claimed stays masked until it is completed, so a handler never runs twice at once.
 *
 * Objects: struct irq_line, one per registered source, never freed; the table of pointers to them is
 * written under lines_lock and read without. Handlers run with interrupts off and must not sleep.
 *
 * Source: RISC-V Platform-Level Interrupt Controller Specification 1.0.
 */
#include "abi/errno.h"
#include "arch/arch.h"
#include "arch/csr.h"
#include "arch/upcall.h"
#include "drivers/drivers.h"
#include "drivers/fdt.h"
#include "drivers/mmio.h"
#include "lib/printf.h"
#include "mm/slab.h"
#include "lib/atomic.h"
#include "arch/hart.h"
#include "sync/spin.h"
#include "trace/trace.h"

#define PLIC_MAX_IRQ 1024
#define PLIC_PRIORITY(irq) (4ul * (irq))
#define PLIC_ENABLE(context, irq) (0x2000ul + 0x80ul * (context) + 4ul * ((irq) / 32))
#define PLIC_THRESHOLD(context) (0x200000ul + 0x1000ul * (context))
#define PLIC_CLAIM(context) (PLIC_THRESHOLD(context) + 4)
#define NO_CONTEXT (~0u)

struct irq_line {
    const char *name;       // [I]
    void (*fn)(void *arg);  // [I]
    void *arg;              // [I]
    u64 count;              // written by the boot hart only
};

static volatile u8 *plic;              // [I] registers; NULL: no controller
static u64 plic_size;                  // [I]
static u32 nr_irqs;                    // [I] sources are 1 … nr_irqs - 1
static u32 boot_context = NO_CONTEXT;  // [I] gets all interrupts
static struct irqlock lines_lock = IRQLOCK_INIT(RANK_DEVICE, "irq lines");
static struct irq_line *lines[PLIC_MAX_IRQ];  // [lines_lock] to write

// The phandle of the boot hart's own interrupt controller; 0: not found.
static u32 boot_phandle(void) {
    u64 hartid, size;
    u32 phandle;
    int cpus = fdt_path("/cpus");

    for (int cpu = fdt_first_child(cpus); cpu >= 0; cpu = fdt_next_sibling(cpu)) {
        if (!fdt_reg(cpu, 0, &hartid, &size) || hartid != hart_hartid[0])
            continue;
        for (int intc = fdt_first_child(cpu); intc >= 0; intc = fdt_next_sibling(intc))
            if (fdt_prop_u32(intc, "phandle", &phandle))
                return phandle;
    }
    return 0;
}

static u32 cell(const u8 *p) { return (u32)p[0] << 24 | (u32)p[1] << 16 | (u32)p[2] << 8 | p[3]; }

// Turn everything off in the S-mode contexts of all harts. The boot hart's, or NO_CONTEXT.
static u32 find_contexts(int node) {
    u32 len = 0, phandle = boot_phandle(), found = NO_CONTEXT;
    const u8 *p = fdt_prop(node, "interrupts-extended", &len);

    for (u32 context = 0; p && len >= 8; context++, p += 8, len -= 8) {
        if (cell(p + 4) != IRQ_EXTERNAL || PLIC_CLAIM(context) + 4 > plic_size)
            continue;
        for (u32 irq = 0; irq < nr_irqs; irq += 32)
            mmio_write32(plic + PLIC_ENABLE(context, irq), 0);
        if (phandle != 0 && cell(p) == phandle)
            found = context;
    }
    return found;
}

int plic_init(void) {
    u64 pa, size;
    u32 ndev;
    int node = fdt_next_compatible(-1, "sifive,plic-1.0.0");
    if (node < 0)
        node = fdt_next_compatible(-1, "riscv,plic0");
    if (node < 0 || !fdt_reg(node, 0, &pa, &size) || !mmio_mappable(pa, size) ||
        !fdt_prop_u32(node, "riscv,ndev", &ndev) || size < PLIC_CLAIM(0) + 4) {
        kprintf("plic: the device tree has no usable interrupt controller node (riscv,plic0)\n");
        return -ENODEV;
    }
    plic_size = size;
    plic = mmio_map(pa);
    nr_irqs = min(ndev, PLIC_MAX_IRQ - 1u) + 1;
    boot_context = find_contexts(node);
    if (boot_context == NO_CONTEXT) {
        kprintf("plic: %s has no S-mode context for the boot hart\n", fdt_name(node));
        plic = NULL;
        return -ENODEV;
    }
    for (u32 irq = 1; irq < nr_irqs; irq++)
        mmio_write32(plic + PLIC_PRIORITY(irq), 0);
    mmio_write32(plic + PLIC_THRESHOLD(boot_context), 0);
    plic_init_hart();
    return 0;
}

void plic_init_hart(void) {
    if (plic && hart_id() == 0)
        csr_set(sie, SIE_EXTERNAL);
    else
        csr_clear(sie, SIE_EXTERNAL);
}

static void enable_line(u32 irq) {
    volatile u8 *reg = plic + PLIC_ENABLE(boot_context, irq);

    mmio_write32(plic + PLIC_PRIORITY(irq), 1);
    mmio_write32(reg, mmio_read32(reg) | 1u << irq % 32);
}

int irq_register(u32 irq, const char *name, void (*fn)(void *arg), void *arg) {
    if (!plic || irq == 0 || irq >= nr_irqs)
        return -EINVAL;
    struct irq_line *line = kzalloc(sizeof(*line));
    if (!line)
        return -ENOMEM;
    line->name = name;
    line->fn = fn;
    line->arg = arg;
    u64 flags = irqlock_acquire(&lines_lock);
    bool taken = lines[irq];
    if (!taken) {
        store_release(&lines[irq], line);
        enable_line(irq);
    }
    irqlock_release(&lines_lock, flags);
    if (!taken)
        return 0;
    kfree(line);
    return -EBUSY;
}

void external_interrupt(void) {
    u32 irq;

    if (unlikely(!plic || hart_id() != 0)) {
        csr_clear(sie, SIE_EXTERNAL);  // nothing here could ever answer it
        return;
    }
    while ((irq = mmio_read32(plic + PLIC_CLAIM(boot_context))) != 0) {
        struct irq_line *line = irq < nr_irqs ? load_acquire(&lines[irq]) : NULL;
        if (likely(line)) {
            line->count++;
            trace(TRACE_IRQ, "device", irq);
            line->fn(line->arg);
            trace(TRACE_IRQ_END, "device");
        }
        mmio_write32(plic + PLIC_CLAIM(boot_context), irq);
    }
}

void irq_show(struct printer *p) {
    for (u32 irq = 1; irq < nr_irqs; irq++) {
        struct irq_line *line = load_acquire(&lines[irq]);
        if (!line)
            continue;
        printer_printf(p, "%3u:", irq);
        for_each_hart (h)
            printer_printf(p, " %10lu", h == 0 ? READ_ONCE(line->count) : 0);
        printer_printf(p, "  PLIC  %s\n", line->name);
    }
}
