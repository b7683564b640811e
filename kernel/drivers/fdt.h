// The flattened device tree that the firmware hands over. Source: Devicetree Specification 0.4.
// The blob is checked once by fdt_init; a malformed one gives -EINVAL and never an out-of-bounds access.
#ifndef DRIVERS_FDT_H
#define DRIVERS_FDT_H

#include "lib/types.h"

int fdt_init(const void *blob);  // 0 or -EINVAL; needed before anything below. Needs no allocator
size_t fdt_size(void);           // bytes of the blob

// A node is the offset of its structure block entry; negative: none.
int fdt_root(void);
int fdt_path(const char *path);  // "/chosen", "/cpus"; unit addresses may be left out
int fdt_first_child(int node);
int fdt_next_sibling(int node);
int fdt_next_compatible(int after, const char *compatible);  // -1 to start; depth-first order
const char *fdt_name(int node);
const void *fdt_prop(int node, const char *name, u32 *len);  // NULL when absent
const char *fdt_prop_string(int node, const char *name);     // NULL when absent or not terminated
bool fdt_prop_u32(int node, const char *name, u32 *value);
bool fdt_enabled(int node);  // its status does not say otherwise
bool fdt_has_string(int node, const char *prop, const char *s);  // in a string list
// Entry i of reg, by the parent's cell counts. False when there is none.
bool fdt_reg(int node, unsigned i, u64 *addr, u64 *size);
bool fdt_irq(int node, unsigned i, u32 *irq);  // entry i of interrupts (one cell each)
// Reserved memory: entry i of the reservation block and of /reserved-memory together.
bool fdt_reserved(unsigned i, u64 *addr, u64 *size);

#endif
