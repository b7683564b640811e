/*
 * Harts at boot: numbered from the device tree, each given an idle task, and started.
 *
 * The boot hart, whichever the firmware chose, is number 0; the others follow in the order of /cpus. A hart that
 * does not start is reported and does not count. Boot hart only.
 */
#include "arch/arch.h"
#include "boot/boot.h"
#include "drivers/fdt.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "arch/hart.h"
#include "time/timer.h"

static bool is_cpu(int node) {
    const char *type = fdt_prop_string(node, "device_type"),
               *status = fdt_prop_string(node, "status");
    return type && strcmp(type, "cpu") == 0 && (status == NULL || strcmp(status, "okay") == 0);
}

// Does the hart's ISA string or list name the extension?
static bool has_extension(int node, const char *name) {
    const char *isa = fdt_prop_string(node, "riscv,isa");
    size_t n = strlen(name);
    if (fdt_has_string(node, "riscv,isa-extensions", name))
        return true;
    for (const char *at = isa ? strchr(isa, '_') : NULL; at; at = strchr(at + 1, '_'))
        if (strncmp(at + 1, name, n) == 0 && (at[n + 1] == '_' || at[n + 1] == '\0'))
            return true;
    return false;
}

void boot_harts(u64 boot_hartid, u32 max) {
    int cpus = fdt_path("/cpus");
    u32 hz = 0;
    bool sstc = true;
    if (cpus < 0 || !fdt_prop_u32(cpus, "timebase-frequency", &hz) || hz == 0)
        panic("the device tree has no /cpus node with timebase-frequency");
    hart_hartid[0] = boot_hartid;
    u32 n = 1, found = 0;
    for (int node = fdt_first_child(cpus); node >= 0; node = fdt_next_sibling(node)) {
        u64 hartid, size;
        if (!is_cpu(node) || !fdt_reg(node, 0, &hartid, &size))
            continue;
        found++;
        sstc &= has_extension(node, "sstc");
        if (hartid != boot_hartid && n < max && n < MAX_HARTS)
            hart_hartid[n++] = hartid;
    }
    nr_harts = n;
    time_init(hz, sstc);
    if (found > n)
        boot_log("%u harts, %u of them used\n", found, n);
}
