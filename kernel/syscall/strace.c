/*
 * System calls on the console, a line each, as strace(1) writes them.
 *
 *   [pid 12] openat(AT_FDCWD, "/etc/passwd", O_RDONLY|O_CLOEXEC) = 3
 *
 * A line is printed whole, when its call ends, so lines of several harts do not mix; a call that sleeps shows when it
 * wakes. Arguments are read when the call begins (exec leaves nothing to read), up to the first that the
 * kernel fills in; that one and the rest when it ends. How an argument looks follows from its kind in
 * include/abi/syscalls.def.
 *
 * No locks; may sleep, for the strings are the program's.
 */
#include "syscall/strace_names.h"
#include "syscall/syscall.h"

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/signal.h"
#include "arch/arch.h"
#include "arch/upcall.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/uaccess.h"
#include "proc/proc.h"
#include "sched/sched.h"
#include "trace/format.h"

#define LINE 700
#define SHOWN 32   // characters of a string
#define STRINGS 8  // of an argument vector

struct strace {
    u64 call, a[6];
    u32 next;           // argument that is not printed yet
    const char *kinds;  // of it and the ones behind it
    size_t used;
    char line[LINE];
};

static void add(struct strace *s, const char *fmt, ...) __printf(2, 3);
static void add(struct strace *s, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    s->used += vscnprintf(s->line + s->used, LINE - s->used, fmt, args);
    va_end(args);
}

static void add_pointer(struct strace *s, u64 p) {
    if (p)
        add(s, "%#lx", p);
    else
        add(s, "NULL");
}

/* ---- strings ---- */

static void add_quoted(struct strace *s, const char *text, size_t n, bool more) {
    char quoted[4 * SHOWN + 8];
    trace_quote(quoted, sizeof(quoted), text, n);
    add(s, "%s%s", quoted, more ? "..." : "");
}

static void add_string(struct strace *s, u64 address) {
    char text[SHOWN + 1];
    ssize_t n = address < USER_TOP - sizeof(text)
                    ? usercopy_string(text, (const char *)address, sizeof(text))
                    : -EFAULT;
    if (address == 0 || n < 0)
        add_pointer(s, address);
    else
        add_quoted(s, text, min(n, (ssize_t)SHOWN), n > SHOWN);
}

static void add_buffer(struct strace *s, u64 address, u64 length) {
    char text[SHOWN];
    size_t n = min(length, (u64)SHOWN);
    if (address == 0 || copy_from_user(text, address, n))
        add_pointer(s, address);
    else
        add_quoted(s, text, n, length > SHOWN);
}

// Arguments as a list of strings, the environment only as a number of them.
static void add_vector(struct strace *s, u64 address, bool count_only) {
    u64 string, n = 0;
    if (address == 0) {
        add(s, "NULL");
        return;
    }
    if (count_only)
        add(s, "%#lx /* ", address);
    else
        add(s, "[");
    for (; n < 10000 && get_user_u64(&string, address + 8 * n) == 0 && string; n++) {
        if (count_only || n > STRINGS)
            continue;
        add(s, n ? ", " : "");
        if (n < STRINGS)
            add_string(s, string);
        else
            add(s, "...");
    }
    if (count_only)
        add(s, "%lu var%s */", n, n == 1 ? "" : "s");
    else
        add(s, "]");
}

/* ---- numbers ---- */

// The names of the bits that are set; what is left as a number. none: for 0; NULL: something stands there already
static void add_bits(struct strace *s, u64 value, const struct symbol *symbols, const char *none) {
    const char *between = none ? "" : "|";
    for (; symbols->name; symbols++)
        if ((value & symbols->value) == symbols->value) {
            add(s, "%s%s", between, symbols->name);
            value &= ~symbols->value;
            between = "|";
        }
    if (value)
        add(s, "%s%#lx", between, value);
    else if (*between == 0)
        add(s, "%s", none);
}

static void add_choice(struct strace *s, u64 value, const struct symbol *symbols) {
    while (symbols->name && symbols->value != value)
        symbols++;
    if (symbols->name)
        add(s, "%s", symbols->name);
    else
        add(s, "%ld", (long)value);
}

static void add_signal(struct strace *s, u64 sig) {
    const char *name = signal_name(sig);
    if (name)
        add(s, "%s", name);
    else
        add(s, "%d", (int)sig);
}

static void add_open_flags(struct strace *s, u64 flags) {
    static const char *const access[] = {"O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE"};
    add(s, "%s", access[flags & O_ACCMODE]);
    add_bits(s, flags & ~(u64)O_ACCMODE, open_names, NULL);
}

static void add_clone_flags(struct strace *s, u64 flags) {
    if (flags & ~0xfful)
        add_bits(s, flags & ~0xfful, clone_names, "0");
    if (flags & ~0xfful && flags & 0xff)
        add(s, "|");
    if (flags & 0xff || flags == 0)
        add_signal(s, flags & 0xff);
}

static void add_flags(struct strace *s, u32 i) {
    bool bits = true;
    const struct symbol *symbols = argument_symbols(s->call, i, &bits);
    if (s->call == SYS_openat)
        add_open_flags(s, (u32)s->a[i]);
    else if (s->call == SYS_clone)
        add_clone_flags(s, s->a[i]);
    else if (symbols && bits)
        add_bits(s, (u32)s->a[i], symbols, "0");
    else if (symbols)
        add_choice(s, s->a[i], symbols);
    else
        add(s, "%#lx", s->a[i]);
}

/* ---- arguments ---- */

static bool is(const char *kind, size_t n, const char *word) {
    return strlen(word) == n && memcmp(kind, word, n) == 0;
}

static bool among(const char *kind, size_t n, const char *const *words) {
    while (*words && !is(kind, n, *words))
        words++;
    return *words;
}

static void add_argument(struct strace *s, const char *kind, size_t n, u32 i, long result) {
    static const char *const longs[] = {"size", "count", "off", NULL};
    static const char *const pointers[] = {"in",   "out",   "inout", "iov", "oiov",
                                           "addr", "futex", "arg",   NULL};
    u64 value = s->a[i];
    n -= kind[n - 1] == '?';
    if (is(kind, n, "dirfd") && (int)value == AT_FDCWD)
        add(s, "AT_FDCWD");
    else if (is(kind, n, "path") || is(kind, n, "str"))
        add_string(s, value);
    else if (is(kind, n, "argv"))
        add_vector(s, value, i == 2);
    else if (is(kind, n, "buf"))
        add_buffer(s, value, s->a[i + 1]);
    else if (is(kind, n, "obuf") && result >= 0)
        add_buffer(s, value, result);
    else if (is(kind, n, "obuf") || among(kind, n, pointers))
        add_pointer(s, value);
    else if (is(kind, n, "prot"))
        add_bits(s, value, prot_names, "PROT_NONE");
    else if (is(kind, n, "flags") || (s->call == SYS_lseek && is(kind, n, "op")))
        add_flags(s, i);
    else if (is(kind, n, "sig"))
        add_signal(s, value);
    else if (s->call == SYS_ioctl && is(kind, n, "op"))
        add(s, "%#x", (u32)value);
    else if (is(kind, n, "mode"))
        add(s, "%#o", (u32)value);
    else if (is(kind, n, "dev"))
        add(s, "%#lx", value);
    else if (among(kind, n, longs))
        add(s, "%ld", (long)value);
    else
        add(s, "%d", (int)value);
}

// openat's mode means something only where a file may be made.
static bool unused(const struct strace *s) {
    return s->call == SYS_openat && s->next == 3 && !(s->a[2] & (O_CREAT | __O_TMPFILE));
}

// Print arguments, when the call begins only up to one that the kernel fills in.
static void add_arguments(struct strace *s, bool ended, long result) {
    while (*s->kinds) {
        const char *kind = s->kinds, *comma = strchr(kind, ',');
        size_t n = comma ? (size_t)(comma - kind) : strlen(kind);
        if (!ended && is(kind, n, "obuf"))
            return;
        if (!unused(s)) {
            add(s, s->next ? ", " : "");
            add_argument(s, kind, n, s->next, result);
        }
        s->next++;
        s->kinds = kind + n + (comma != NULL);
    }
}

static void add_result(struct strace *s, long result) {
    const char *meaning = "", *name = result < 0 ? error_name(-result, &meaning) : NULL;
    bool address = s->call == SYS_mmap || s->call == SYS_brk || s->call == SYS_mremap;
    if (result <= -ERESTARTSYS && result >= -ERESTART_RESTARTBLOCK)
        add(s, "? ERESTARTSYS (To be restarted)");
    else if (name)
        add(s, "-1 %s (%s)", name, meaning);
    else if (result < 0 && result >= -MAX_ERRNO)
        add(s, "-1 errno %ld", -result);
    else if (address)
        add(s, "%#lx", (u64)result);
    else
        add(s, "%ld", result);
}

static void print(struct strace *s) {
    kprintf("%s\n", s->line);
    kfree(s);
}

struct strace *strace_enter(const u64 *a) {
    struct strace *s = kzalloc(sizeof(*s));
    if (s == NULL)
        return NULL;
    const char *name = syscall_name(a[7]), *kinds = syscall_kinds(a[7]);
    s->call = a[7];
    memcpy(s->a, a, sizeof(s->a));
    s->kinds = kinds ? kinds : "arg,arg,arg,arg,arg,arg";
    add(s, "[pid %u] ", current_thread->tid);
    if (name)
        add(s, "%s(", name);
    else
        add(s, "syscall_%lu(", s->call);
    add_arguments(s, false, 0);
    if (s->call != SYS_exit && s->call != SYS_exit_group && s->call != SYS_xv6_exit)
        return s;
    add(s, ") = ?");
    print(s);
    return NULL;
}

void strace_leave(struct strace *s, long result) {
    add_arguments(s, true, result);
    add(s, ") = ");
    add_result(s, result);
    print(s);
}
