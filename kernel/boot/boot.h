// What booting is told by the firmware: memory, harts, and the command line. Used by main.c only.
#ifndef BOOT_H
#define BOOT_H

#include "lib/types.h"

// Give all usable memory of the device tree to the page allocator; fdt: physical address of the tree, which stays.
void boot_memory(pa_t fdt);

// Number the harts (the boot hart is 0), at most max; and the time base. Panics with one line that names what is missing.
void boot_harts(u64 boot_hartid, u32 max);

struct boot_args {
    const char *root;  // "/dev/vda"
    bool root_rw;
    const char *init;  // NULL: the usual places
    u32 max_harts;
    bool debug_syscalls;
    const char *strace;         // debug=syscall:WHO, whose system calls are shown; NULL: nobody's
    const char *trace;          // events to be traced from the start; NULL: none
    const char *init_argv[32];  // [0] is for the program's name; NULL-terminated
    const char *init_envp[32];
};
extern struct boot_args boot_args;
extern char boot_command_line[];  // as it was given, for /proc/cmdline
void boot_parse_args(void);

#endif
