// What the rooms above may ask of arch/: boot-time mapping, panics, stopping, backtraces.
#ifndef ARCH_ARCH_H
#define ARCH_ARCH_H

#include "arch/thread.h"
#include "lib/assert.h"

// The linker script's symbols (kernel/kernel.ld).
extern char kernel_start[], text_end[], rodata_end[], kernel_end[];
extern char perhart_start[], perhart_end[];

// Map all of [0, top) of physical memory: 1 GiB and 2 MiB leaves, the kernel's image by 4 KiB pages
// (text read-execute, read-only data read, the rest read-write). alloc returns zeroed frames.
void kernel_map(pa_t top, pa_t (*alloc)(void));
// Root table that holds the kernel half only; idle harts and kernel threads boot on it
extern pa_t kernel_root;

// Copy the kernel half into a new root table.
void kernel_half(u64 *root);

void trap_entry(void);                          // trap.S
void trap_init_hart(void);                      // stvec, sscratch, sie for this hart
int hart_start(u32 hart, struct thread *idle);  // 0 or negative errno

// Print "who why" lines. kprintf prints to the console; safe anywhere, even in interrupts.
void kprintf(const char *fmt, ...) __printf(1, 2);
// The same for what only tells how booting goes: not printed with `quiet`.
void boot_log(const char *fmt, ...) __printf(1, 2);
extern bool console_quiet;
extern bool console_panicking;  // take the console whoever has it
// Where kprintf's text goes; before it is set, to the firmware's console.
extern void (*console_write)(const char *s, size_t n);

// Name of the function that holds pc, with its offset; "?" when unknown.
const char *symbol_name(u64 pc, u64 *offset);
const char *symbol_nth(u32 n, u64 *address);  // by rising address; NULL: no more
void backtrace_from(u64 pc, u64 fp);
// The functions that a sleeping thread is in, innermost first: their number, at most n. If it is woken meanwhile they are
// wrong, but nothing outside of its stack is read. => the thread has a reference
struct thread;
u32 thread_backtrace(const struct thread *t, u64 *pc, u32 n);
// Begin a report that ends in panic(): interrupts off, the console is ours. Another hart that is at it already: halts.
void oops_begin(void);
void oops(const struct trapframe *tf, const char *why);  // registers, cause, backtrace
extern int panic_timeout;  // panic=: 0 wait for ever, -1 reset at once, n seconds

extern bool machine_stopping;  // a hart panics: the others halt
// The end of the machine; the caller has written the disks.
__noreturn void machine_poweroff(void);
__noreturn void machine_restart(void);
__noreturn void machine_halt(void);

#endif
