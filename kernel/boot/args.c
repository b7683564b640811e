/*
 * The boot command line (/chosen/bootargs).
 *
 * Arguments that the kernel knows are in one table; a bad value gives one line and leaves the default. As on Linux, an
 * unknown word goes to init as an argument, an unknown key=value as environment, a word with a dot nowhere, and all
 * after `--` to init as arguments.
 */
#include "abi/errno.h"
#include "arch/arch.h"
#include "boot/boot.h"
#include "check/chaos.h"
#include "check/race.h"
#include "check/fail.h"
#include "check/heap.h"
#include "check/locks.h"
#include "drivers/fdt.h"
#include "lib/args.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/poison.h"
#include "mm/vm.h"
#include "sched/sched.h"
#include "arch/hart.h"
#include "arch/upcall.h"

#define COMMAND_LINE (chaos_built ? 65536 : 2048)  // chaos-points= is long

char boot_command_line[COMMAND_LINE];
static char words[COMMAND_LINE];
struct boot_args boot_args = {
    .root = "/dev/vda",
    .max_harts = MAX_HARTS,
    .init_envp = {"HOME=/", "TERM=linux"},
};

// Each setter returns false for a bad value. value is NULL when there was no `=`.
static bool set_root(const char *value) {
    if (value == NULL || strncmp(value, "/dev/", 5) != 0)
        return false;
    boot_args.root = value;
    return true;
}

static bool set_ro(const char *value) {
    if (value)
        return false;
    boot_args.root_rw = false;
    return true;
}

static bool set_rw(const char *value) {
    if (value)
        return false;
    boot_args.root_rw = true;
    return true;
}

static bool set_init(const char *value) {
    if (value == NULL || value[0] != '/')
        return false;
    boot_args.init = value;
    return true;
}

static bool set_quiet(const char *value) {
    if (value)
        return false;
    console_quiet = true;
    return true;
}

static bool number(const char *value, u64 *out) { return value && parse_u64(value, out) == 0; }

static bool set_loglevel(const char *value) {
    u64 level;
    if (!number(value, &level) || level > 15)
        return false;
    console_quiet = level < 5;
    return true;
}

static bool set_console(const char *value) { return value && strncmp(value, "ttyS0", 5) == 0; }

static bool set_maxcpus(const char *value) {
    u64 n;
    if (!number(value, &n))
        return false;
    boot_args.max_harts = n == 0 ? 1 : min(n, (u64)MAX_HARTS);
    return true;
}

static bool set_panic(const char *value) {
    u64 seconds;
    if (value && strcmp(value, "-1") == 0) {
        panic_timeout = -1;
        return true;
    }
    if (!number(value, &seconds) || seconds > 3600)
        return false;
    panic_timeout = seconds;
    return true;
}

static bool set_randmaps(const char *value) {
    randomize_va_space = 2;
    return !value;
}

static bool set_norandmaps(const char *value) {
    randomize_va_space = 0;
    return !value;
}

static bool set_sched(const char *value) { return value && sched_choose_fair(value) == 0; }

static bool set_preempt(const char *value) {
    static const char *const modes[] = {"none", "full", NULL};
    int mode = args_choice(value, modes);
    if (mode >= 0)
        kernel_preemption = mode;
    return mode >= 0;
}

static bool set_nohz(const char *value) {
    static const char *const modes[] = {"off", "idle", "full", NULL};
    int mode = args_choice(value, modes);
    if (mode < 0)
        return false;
    nohz = mode;
    if (nohz == NOHZ_FULL)
        plain_calls = counted_calls;
    return true;
}

static bool set_child_first(const char *value) {
    u64 n;
    if (!number(value, &n) || n > 1)
        return false;
    sched_child_first = n;
    return true;
}

static bool set_debug(const char *value) {
    if (value && strncmp(value, "syscall:", 8) == 0) {
        boot_args.strace = value + 8;
        return true;
    }
    if (value == NULL || strcmp(value, "syscall") != 0)
        return false;
    boot_args.debug_syscalls = true;
    return true;
}

static bool set_trace(const char *value) {
    boot_args.trace = value;
    return value;
}

// Kernels with a check of the heap look closer, and all the time.
static bool set_poison(const char *value) {
    memory_poison = !value && !HEAP_HEAD;
    return !value;
}

static bool set_race(const char *value) {
    return value && strcmp(value, "report") == 0 && race_report();
}

// For the kernel that has it; this one says so, and goes on.
static bool is_for(const char *argument, const char *check) {
    kprintf("boot argument %s: only a kernel built with CHECK=%s knows it\n", argument, check);
    return true;
}

static bool set_chaos(const char *value) {
    return chaos_built ? chaos_set_seed(value) : is_for("chaos", "chaos");
}

static bool set_hold(const char *value) {
    return locks_built ? hold_set(value) == 0 : is_for("hold", "locks");
}

static bool set_fail(const char *value) {
    return fail_built ? fail_set(value) == 0 : is_for("fail", "fail");
}

static const struct {
    const char *name;
    bool (*set)(const char *value);
} known[] = {
    {"root", set_root},
    {"ro", set_ro},
    {"rw", set_rw},
    {"init", set_init},
    {"quiet", set_quiet},
    {"loglevel", set_loglevel},
    {"console", set_console},
    {"maxcpus", set_maxcpus},
    {"panic", set_panic},
    {"randmaps", set_randmaps},
    {"norandmaps", set_norandmaps},
    {"sched", set_sched},
    {"preempt", set_preempt},
    {"nohz", set_nohz},
    {"debug", set_debug},
    {"trace", set_trace},
    {"poison", set_poison},
    {"race", set_race},
    {"child_first", set_child_first},
    {"fail", set_fail},
    {"hold", set_hold},
    {"chaos", set_chaos},
#ifdef CHECK_CHAOS
    {"chaos-points", chaos_set_points},
    {"chaos-limit", chaos_set_limit},
    {"chaos-hold", chaos_set_hold},
#endif
};

static bool set_known(const char *word, const char *value) {
    for (unsigned i = 0; i < ARRAY_SIZE(known); i++) {
        if (strcmp(word, known[i].name) != 0)
            continue;
        if (!known[i].set(value))
            kprintf("boot argument %s=%s: not understood, ignored\n", word, value ? value : "");
        return true;
    }
    return false;
}

static void append(const char **list, size_t size, const char *word) {
    size_t n = 0;
    while (list[n] || n == 0)
        if (++n == size - 1)
            return;
    list[n] = word;
}

// A word that the kernel does not know, with the `=` put back.
static void give_to_init(char *word, char *value, bool as_argument) {
    if (value)
        value[-1] = '=';
    if (as_argument || value == NULL)
        append(boot_args.init_argv, ARRAY_SIZE(boot_args.init_argv), word);
    else
        append(boot_args.init_envp, ARRAY_SIZE(boot_args.init_envp), word);
}

void boot_parse_args(void) {
    const char *line = fdt_prop_string(fdt_path("/chosen"), "bootargs");
    if (line == NULL)
        return;
    if (strlcpy(boot_command_line, line, sizeof boot_command_line) >= sizeof boot_command_line)
        kprintf("boot arguments longer than %d characters: the rest is ignored\n",
                COMMAND_LINE - 1);
    strlcpy(words, boot_command_line, sizeof words);
    char *rest = words, *word, *value;
    bool for_init = false;
    while ((word = args_next(&rest, &value))) {
        if (!for_init && value == NULL && strcmp(word, "--") == 0)
            for_init = true;
        else if (for_init)
            give_to_init(word, value, true);
        else if (!set_known(word, value) && strchr(word, '.') == NULL)
            give_to_init(word, value, false);
    }
}
