/*
 * The kernel's last words: registers, cause, and a backtrace with names.
 *
 * Frames are found by the frame pointer: s0 of a function points just above its saved ra (s0 - 8) and its caller's s0
 * (s0 - 16), and one that calls nothing its caller's s0 at s0 - 8; the kernel is built with -fno-omit-frame-pointer. Names come from a table that the build links into the
 * image: offsets of functions from kernel_start, sorted, and a pool of names (tools/ksyms).
 *
 * panic() interrupts the other harts, which then stop, prints a line that starts with `panic:` and the end of the trace, and
 * waits, or resets the machine if panic= says so. Any context. Of several harts in trouble only the first
 * prints; the second panic of a machine does nothing more.
 */
#include "arch/arch.h"
#include "arch/csr.h"
#include "arch/sbi.h"
#include "arch/sv39.h"
#include "check/chaos.h"
#include "lib/printf.h"
#include "lib/atomic.h"
#include "arch/hart.h"
#include "arch/upcall.h"

extern const u32 ksyms_count __attribute__((weak));
extern const u32 ksyms_offset[] __attribute__((weak));
extern const u32 ksyms_name_offset[] __attribute__((weak));
extern const char ksyms_names[] __attribute__((weak));

int panic_timeout;
bool machine_stopping;

const char *symbol_name(u64 pc, u64 *offset) {
    u64 at = pc - (u64)kernel_start;
    *offset = 0;
    if (&ksyms_count == NULL || pc < (u64)kernel_start || pc >= (u64)text_end)
        return "?";
    u32 low = 0, high = ksyms_count;
    while (high - low > 1) {
        u32 mid = (low + high) / 2;
        if (ksyms_offset[mid] <= at)
            low = mid;
        else
            high = mid;
    }
    *offset = at - ksyms_offset[low];
    return ksyms_names + ksyms_name_offset[low];
}

const char *symbol_nth(u32 n, u64 *address) {
    if (&ksyms_count == NULL || n >= ksyms_count)
        return NULL;
    *address = (u64)kernel_start + ksyms_offset[n];
    return ksyms_names + ksyms_name_offset[n];
}

static void print_frame(u64 pc) {
    u64 offset;
    const char *name = symbol_name(pc, &offset);
    kprintf("  %016lx %s+0x%lx\n", pc, name, offset);
}

static bool in_text(u64 pc) { return pc >= (u64)kernel_start && pc < (u64)text_end; }

// Are the two words below fp readable: in the direct map, and not below the frame that we come from?
static bool plausible(u64 fp, u64 from) {
    return fp % 8 == 0 && fp >= DIRECT_BASE + 16 &&
           (from == 0 || (fp > from && fp - from <= KERNEL_STACK_SIZE));
}

// A handler called by trap_from_kernel: its frame begins where the trapframe of what it interrupted is.
static const struct trapframe *interrupted(u64 ra, u64 fp) {
    const struct trapframe *tf = (const struct trapframe *)fp;
    return ra >= (u64)trap_entry && ra < (u64)context_switch && (tf->status & SSTATUS_SPP) ? tf
                                                                                           : NULL;
}

void backtrace_from(u64 pc, u64 fp) {
    print_frame(pc);
    for (u64 from = 0, depth = 0; depth < 32 && plausible(fp, from); depth++) {
        u64 ra = ((u64 *)fp)[-1], next = ((u64 *)fp)[-2];
        const struct trapframe *tf = interrupted(ra, fp);
        if (!in_text(ra))
            break;
        print_frame(ra - 4);
        if (tf)
            print_frame(tf->pc);
        from = fp;
        fp = next;
    }
}

// Without KASAN's eye: if the thread runs after all, its frames change under us.
__attribute__((no_sanitize_address)) u32 thread_backtrace(const struct thread *t, u64 *pc, u32 n) {
    u64 fp = t->context.s[0], top = t->kernel_sp, low = top - KERNEL_STACK_SIZE;
    u32 used = 0;
    if (n && in_text(t->context.ra))
        pc[used++] = t->context.ra - 4;
    while (used < n && fp % 8 == 0 && fp >= low + 16 && fp <= top) {
        u64 ra = READ_ONCE(((u64 *)fp)[-1]);
        low = fp;
        fp = READ_ONCE(((u64 *)fp)[-2]);
        if (!in_text(ra))
            break;
        pc[used++] = ra - 4;
    }
    return used;
}

// A function that calls no other saves s0 alone, in the place of ra; then tf->ra is where it was called from.
static void backtrace_trapframe(const struct trapframe *tf) {
    u64 above = plausible(tf->s0, 0) ? ((u64 *)tf->s0)[-1] : 0;
    if (in_text(above) || !in_text(tf->ra)) {
        backtrace_from(tf->pc, tf->s0);
        return;
    }
    print_frame(tf->pc);
    backtrace_from(tf->ra - 4, above);
}

static const char *cause_name(u64 cause) {
    static const char *const names[] = {
        [CAUSE_FETCH_MISALIGNED] = "misaligned fetch",
        [CAUSE_FETCH_ACCESS] = "fetch access fault",
        [CAUSE_ILLEGAL] = "illegal instruction",
        [CAUSE_BREAKPOINT] = "breakpoint",
        [CAUSE_LOAD_MISALIGNED] = "misaligned load",
        [CAUSE_LOAD_ACCESS] = "load access fault",
        [CAUSE_STORE_MISALIGNED] = "misaligned store",
        [CAUSE_STORE_ACCESS] = "store access fault",
        [CAUSE_ECALL_U] = "system call",
        [CAUSE_FETCH_PAGE] = "fetch page fault",
        [CAUSE_LOAD_PAGE] = "load page fault",
        [CAUSE_STORE_PAGE] = "store page fault",
    };
    return cause < ARRAY_SIZE(names) && names[cause] ? names[cause] : "trap";
}

// The others stop at their next interrupt (trap.c); without this they would go on printing.
static void stop_other_harts(void) {
    machine_stopping = true;
    memory_fence();
    for_each_hart (h)
        if (h != hart_id())
            sbi_send_ipi(hart_hartid[h]);
}

// The first hart that comes reports and ends the machine; what others have to say would only mix with it.
void oops_begin(void) {
    static u32 reporter;  // hart + 1, or 0
    u32 nobody = 0, me = hart_id() + 1;
    irq_disable();
    if (!atomic_cmpxchg(&reporter, &nobody, me) && nobody != me)
        machine_halt();
    console_panicking = true;
    stop_other_harts();
}

void oops(const struct trapframe *tf, const char *why) {
    static const char names[][4] = {"ra", "sp",  "gp",  "tp", "t0", "t1", "t2", "s0",
                                    "s1", "a0",  "a1",  "a2", "a3", "a4", "a5", "a6",
                                    "a7", "s2",  "s3",  "s4", "s5", "s6", "s7", "s8",
                                    "s9", "s10", "s11", "t3", "t4", "t5", "t6"};
    const u64 *reg = &tf->ra;
    oops_begin();
    kprintf("\noops: %s: cause %lu (%s), pc %016lx, address %016lx, status %lx, hart %u\n", why,
            tf->cause, cause_name(tf->cause), tf->pc, tf->badaddr, tf->status, hart_id());
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
        kprintf("%s%4s %016lx%s", i % 4 ? " " : "  ", names[i], reg[i], i % 4 == 3 ? "\n" : "");
    kprintf("\nbacktrace:\n");
    backtrace_trapframe(tf);
}

static __noreturn void stop_machine(void) {
    if (panic_timeout < 0)
        sbi_reboot();
    if (panic_timeout > 0) {
        u64 end = time_csr() + timebase_hz * panic_timeout;
        while (time_csr() < end)
            ;
        sbi_reboot();
    }
    machine_halt();
}

static u32 panicked;

static __noreturn void panic_at(u64 pc, u64 fp, const char *fmt, va_list args) {
    char line[200];
    oops_begin();
    if (atomic_xchg(&panicked, 1))
        machine_halt();
    vsnprintf(line, sizeof line, fmt, args);
    kprintf("\npanic: %s\nbacktrace:\n", line);
    backtrace_from(pc, fp);
    chaos_report();
    trace_print_tail();
    stop_machine();
}

void panic(const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    panic_at((u64)__builtin_return_address(0) - 4, *((u64 *)__builtin_frame_address(0) - 2), fmt,
             args);
}

void assert_fail(const char *expr, const char *file, int line, const char *func) {
    panic("assertion %s failed in %s, %s:%d", expr, func, file, line);
}

void machine_halt(void) {
    irq_disable();
    for (;;)
        wait_for_interrupt();
}

void machine_poweroff(void) { sbi_shutdown(); }

void machine_restart(void) { sbi_reboot(); }
