/*
 * The list of system calls.
 *
 * include/abi/syscalls.def is the list; the table of decoders, the names and the argument kinds are made from it here.
 * A decoder (sys_file.c, sys_proc.c …) decodes its arguments, reserves what may run out, and lets a lower room do the
 * work; it holds no lock and may sleep.
 *
 * syscall_enter() is on the path of every call: pc goes past the ecall (a restart takes it back), the thread's table is
 * asked (a traced thread has one in which traced() stands for every call), the result goes to a0. trap.S has saved orig_a0. Signals are looked at on the way out (proc/deliver.c).
 */
#include "syscall/syscall.h"

#include "abi/errno.h"
#include "arch/arch.h"
#include "arch/upcall.h"
#include "check/chaos.h"
#include "proc/proc.h"
#include "trace/trace.h"

syscall_fn *const system_calls[SYSCALLS] = {
#define SYSCALL(number, name, args) [number] = sys_##name,
#include "abi/syscalls.def"
};

static const struct {
    u16 number;
    const char *name, *kinds;
} names[] = {
#define SYSCALL(number, name, args) {number, #name, args},
#include "abi/syscalls.def"
};

bool syscall_debug;

const char *syscall_name(u64 number) {
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (names[i].number == number)
            return names[i].name;
    return NULL;
}

const char *syscall_kinds(u64 number) {
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (names[i].number == number)
            return names[i].kinds;
    return NULL;
}

// What all others lead to.
static long syscall_unknown(const u64 *a) {
    if (syscall_debug)
        kprintf("%s (pid %d): system call %lu is not there\n", current->name, task_tgid(current),
                a[7]);
    return -ENOSYS;
}

void syscall_enter(struct trapframe *tf) {
    u64 number = tf->a7;
    tf->pc += 4;
    chaos_point();
    syscall_fn *call = likely(number < SYSCALLS) ? READ_ONCE(current_thread->calls)[number] : NULL;
    tf->a0 = likely(call) ? call(&tf->a0) : syscall_unknown(&tf->a0);
    locks_back_to_user();
    chaos_point();
}

static inline syscall_fn *call_of(u64 number) {
    return system_calls[number] ? system_calls[number] : syscall_unknown;
}

// What the tick does not see with nohz=full: how long the kernel works for a task.
static long counted(const u64 *a) {
    u64 began = sched_task_runtime(current);
    long result = call_of(a[7])(a);
    sched_charge_system(sched_task_runtime(current) - began);
    return result;
}

syscall_fn *const counted_calls[SYSCALLS] = {[0 ... SYSCALLS - 1] = counted};
syscall_fn *const *plain_calls = system_calls;

// Does not come back from exit and its like: their end is the end of the task.
static long traced(const u64 *a) {
    u64 number = a[7];
    struct strace *s = READ_ONCE(current_thread->strace) ? strace_enter(a) : NULL;
    trace(TRACE_SYS | number << 16, a[0], a[1], a[2], a[3], a[4], a[5]);
    long result = call_of(number)(a);
    trace(TRACE_SYS_END | number << 16, result);
    if (s)
        strace_leave(s, result);
    return result;
}

syscall_fn *const traced_calls[SYSCALLS] = {[0 ... SYSCALLS - 1] = traced};
