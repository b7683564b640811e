/*
 * Call chains for the checks: taken when an object changes hands, printed in a report.
 *
 * A chain is what backtrace_from() (arch/oops.c) would print, but kept: eight return addresses as 32-bit distances from
 * the start of the kernel's image. Taking one reads the saved frame pointers of the running stack and nothing else,
 * so it works in interrupts and under any lock.
 */
#include "check/callers.h"

#include "arch/arch.h"
#include "arch/sv39.h"
#include "lib/printf.h"

void callers_take(struct callers *t, const void *frame) {
    u64 fp = (u64)frame;
    *t = (struct callers){{0}};
    for (u32 i = 0; i < CALLERS_DEPTH; i++) {
        u64 ra = ((const u64 *)fp)[-1], next = ((const u64 *)fp)[-2];
        if (ra < (u64)kernel_start || ra >= (u64)text_end)
            return;
        t->at[i] = (u32)(ra - (u64)kernel_start);
        if (next % 8 || next <= fp || next - fp > KERNEL_STACK_SIZE)
            return;
        fp = next;
    }
}

static void put(struct printer *p, const char *s, size_t n) {
    (void)p;
    kprintf("%.*s", (int)n, s);
}

struct printer check_console = {put};

void callers_show(struct printer *p, const struct callers *t) {
    for (u32 i = 0; i < CALLERS_DEPTH && t->at[i]; i++) {
        u64 offset, pc = (u64)kernel_start + t->at[i] - 4;
        const char *name = symbol_name(pc, &offset);
        printer_printf(p, "  %016lx %s+0x%lx\n", pc, name, offset);
    }
}

void callers_print(const char *title, const struct callers *t) {
    if (t->at[0] == 0)
        return;
    kprintf("%s:\n", title);
    callers_show(&check_console, t);
}

void check_panic(const char *check, const char *what, u64 pc, const void *frame) {
    u64 offset;
    kprintf("backtrace:\n");
    backtrace_from(pc - 4, ((const u64 *)frame)[-2]);
    panic("%s: %s in %s", check, what, symbol_name(pc - 4, &offset));
}
