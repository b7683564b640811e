/*
 * The list of system calls.
 *
 * include/abi/syscalls.def is the list; the table of decoders, the names and the argument kinds are made from it here.
 * A decoder (sys_file.c, sys_proc.c …) decodes its arguments, reserves what may run out, and lets a lower room do the
 * work; it holds no lock and may sleep.
 *
 * syscall_enter() is on the path of every call: pc goes past the ecall (a restart takes it back), the table is asked,
 * the result goes to a0. trap.S has saved orig_a0. Signals are looked at on the way out (proc/deliver.c).
 */
#include "syscall/syscall.h"

#include "abi/errno.h"
#include "arch/arch.h"
#include "arch/upcall.h"
#include "proc/proc.h"

#define SYSCALLS 1026  // one more than the largest number

static syscall_fn *const table[SYSCALLS] = {
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

static long unknown(const struct trapframe *tf) {
    if (syscall_debug)
        kprintf("%s (pid %d): system call %lu is not there\n", current->name, task_tgid(current),
                tf->a7);
    return -ENOSYS;
}

void syscall_enter(struct trapframe *tf) {
    u64 number = tf->a7;
    tf->pc += 4;
    if (unlikely(number >= SYSCALLS || !table[number]))
        tf->a0 = unknown(tf);
    else
        tf->a0 = table[number](&tf->a0);
}
