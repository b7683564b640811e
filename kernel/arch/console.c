/*
 * kprintf: the kernel's own lines on the console.
 *
 * Until a driver takes over, text goes to the firmware's console. One line at a time: a test-and-set word keeps lines of
 * two harts apart; a hart that panics takes the console after a while, since its owner may be what is broken.
 *
 * Any context. The word is not a struct irqlock because the lock checker itself prints.
 */
#include "arch/arch.h"
#include "arch/csr.h"
#include "arch/sbi.h"
#include "lib/printf.h"
#include "lib/atomic.h"

#define PATIENCE 10000000  // looks at the word, some tens of milliseconds

void (*console_write)(const char *s, size_t n) = sbi_console_write;
bool console_quiet;
bool console_panicking;
static u32 busy;

static void put(struct printer *p, const char *s, size_t n) {
    (void)p;
    console_write(s, n);
}

// A hart that panics lets another finish its line, but does not wait for what may be broken, or for itself.
static void take_console(void) {
    for (u32 spins = 0; atomic_xchg(&busy, 1); spins++)
        if (console_panicking && spins > PATIENCE)
            return;
}

static void print(const char *fmt, va_list args) {
    struct printer p = {.put = put};
    u64 flags = irq_save();
    take_console();
    printer_vprintf(&p, fmt, args);
    store_release(&busy, 0);
    irq_restore(flags);
}

void kprintf(const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    print(fmt, args);
    va_end(args);
}

void boot_log(const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    if (!console_quiet)
        print(fmt, args);
    va_end(args);
}
