/*
 * Harts and their own data.
 *
 * PERHART variables lie in one section. The boot hart uses the section itself; every other hart has a copy, and
 * hart_offset says how far it is away. The thread that runs on a hart carries that distance (thread.perhart), so
 * this_hart() is one load and one add. Copies are made once, before the other harts start, from the section as
 * it is then: initial values are inherited, pointers into the copy itself are not fixed up (list heads in
 * per-hart data are initialised by their rooms' *_init_hart functions).
 */
#include "arch/hart.h"

#include "abi/errno.h"
#include "arch/arch.h"
#include "lib/string.h"

u32 nr_harts = 1;
u64 hart_hartid[MAX_HARTS];
u64 hart_offset[MAX_HARTS];
PERHART(u32, hart_number);

int perhart_init(u32 n, void *(*alloc)(size_t size)) {
    size_t size = perhart_end - perhart_start;
    for (u32 h = 1; h < n; h++) {
        char *copy = alloc(size);
        if (copy == NULL)
            return -ENOMEM;
        memcpy(copy, perhart_start, size);
        hart_offset[h] = (u64)copy - (u64)perhart_start;
        *per_hart(hart_number, h) = h;
    }
    return 0;
}
