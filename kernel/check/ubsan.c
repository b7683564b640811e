/*
 * CHECK=ubsan: what the C standard leaves undefined, found when it happens.
 *
 * The compiler puts a test before each operation that may be undefined and calls a handler when it is: overflow of
 * signed numbers, shifts by too much, array indices out of bounds, division by zero, null pointers, values that a bool or
 * an enum cannot have, code that cannot be reached. Each handler gets a constant description, with the place in the
 * source, and the operands. It prints one line and panics: nothing that is computed afterwards can be trusted.
 * Alignment is not tested: packed structures of disks and devices are read as the compiler likes.
 *
 * Layouts: those of gcc 12 and clang 14 (compiler-rt's ubsan_handlers.h names the same members). Any context, no locks.
 * Built without instrumentation.
 */
#include "arch/arch.h"
#include "check/callers.h"
#include "lib/printf.h"
#include "proc/proc.h"

struct place {
    const char *file;
    u32 line, column;
};

enum { KIND_INTEGER = 0 };

struct type {
    u16 kind;
    u16 info;     // of an integer: bit 0 signed, the others log2 of its bits
    char name[];  // with quotes: "'int'"
};

struct overflow_data {
    struct place place;
    const struct type *type;
};
struct shift_data {
    struct place place;
    const struct type *left, *right;
};
struct bounds_data {
    struct place place;
    const struct type *array, *index;
};
struct mismatch_data {
    struct place place;
    const struct type *type;
    u8 log_align, kind;
};
struct place_data {
    struct place place;
};

static bool is_signed(const struct type *t) { return t->info & 1; }

// A value as text: an integer of up to 64 bits stands in the word itself.
static const char *value_text(char *buf, size_t size, const struct type *t, u64 value) {
    u32 bits = 1u << (t->info >> 1);
    if (t->kind != KIND_INTEGER || bits > 64)
        scnprintf(buf, size, "a %s", t->name);
    else if (is_signed(t))
        scnprintf(buf, size, "%ld", (s64)(value << (64 - bits)) >> (64 - bits));
    else
        scnprintf(buf, size, "%lu", value << (64 - bits) >> (64 - bits));
    return buf;
}

static __noreturn __printf(4, 5) void report(const struct place *at, u64 pc, const void *frame,
                                             const char *fmt, ...) {
    char what[160], line[160];
    u64 offset;
    const char *name = symbol_name(pc - 4, &offset);
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    oops_begin();
    kprintf("\noops: ubsan: %s: %s:%u:%u, in %s+0x%lx, task %s\n", what, at->file, at->line,
            at->column, name, offset, current->name);
    snprintf(line, sizeof line, "%s at %s:%u", what, at->file, at->line);
    check_panic("ubsan", line, pc, frame);
}

#define REPORT(data, ...)                                                                          \
    report(&(data)->place, (u64)__builtin_return_address(0), __builtin_frame_address(0),           \
           __VA_ARGS__)

static __noreturn void overflow(const struct overflow_data *d, u64 a, const char *op, u64 b, u64 pc,
                                const void *frame) {
    char left[32], right[32];
    report(&d->place, pc, frame, "overflow: %s %s %s does not fit %s",
           value_text(left, sizeof left, d->type, a), op,
           value_text(right, sizeof right, d->type, b), d->type->name);
}

// gcc may go on after a handler unless its name ends in _abort; ours never return.
#define OVERFLOW(name, op)                                                                         \
    void __ubsan_handle_##name##_overflow(const struct overflow_data *d, u64 a, u64 b);            \
    void __ubsan_handle_##name##_overflow(const struct overflow_data *d, u64 a, u64 b) {           \
        overflow(d, a, op, b, (u64)__builtin_return_address(0), __builtin_frame_address(0));       \
    }
OVERFLOW(add, "+")
OVERFLOW(sub, "-")
OVERFLOW(mul, "*")

void __ubsan_handle_negate_overflow(const struct overflow_data *d, u64 value);
void __ubsan_handle_divrem_overflow(const struct overflow_data *d, u64 a, u64 b);
void __ubsan_handle_shift_out_of_bounds(const struct shift_data *d, u64 a, u64 b);
void __ubsan_handle_out_of_bounds(const struct bounds_data *d, u64 index);
void __ubsan_handle_type_mismatch_v1(const struct mismatch_data *d, u64 pointer);
void __ubsan_handle_pointer_overflow(const struct place_data *d, u64 base, u64 result);
void __ubsan_handle_load_invalid_value(const struct overflow_data *d, u64 value);
void __ubsan_handle_vla_bound_not_positive(const struct overflow_data *d, u64 bound);
void __ubsan_handle_builtin_unreachable(const struct place_data *d);
void __ubsan_handle_missing_return(const struct place_data *d);
void __ubsan_handle_invalid_builtin(const struct place_data *d);
void __ubsan_handle_nonnull_arg(const struct place_data *d);
void __ubsan_handle_nonnull_return_v1(const struct place_data *d, const struct place *at);

void __ubsan_handle_negate_overflow(const struct overflow_data *d, u64 value) {
    char text[32];
    REPORT(d, "overflow: -(%s) does not fit %s", value_text(text, sizeof text, d->type, value),
           d->type->name);
}

void __ubsan_handle_divrem_overflow(const struct overflow_data *d, u64 a, u64 b) {
    char left[32], right[32];
    REPORT(d, "division of %s by %s", value_text(left, sizeof left, d->type, a),
           value_text(right, sizeof right, d->type, b));
}

void __ubsan_handle_shift_out_of_bounds(const struct shift_data *d, u64 a, u64 b) {
    char left[32], right[32];
    REPORT(d, "shift of %s by %s in %s", value_text(left, sizeof left, d->left, a),
           value_text(right, sizeof right, d->right, b), d->left->name);
}

void __ubsan_handle_out_of_bounds(const struct bounds_data *d, u64 index) {
    char text[32];
    REPORT(d, "index %s is outside of %s", value_text(text, sizeof text, d->index, index),
           d->array->name);
}

void __ubsan_handle_type_mismatch_v1(const struct mismatch_data *d, u64 pointer) {
    u64 align = 1ul << d->log_align;
    const char *what = pointer == 0      ? "null pointer"
                       : pointer % align ? "misaligned pointer"
                                         : "too small an object";
    REPORT(d, "%s %lx used as %s", what, pointer, d->type->name);
}

void __ubsan_handle_pointer_overflow(const struct place_data *d, u64 base, u64 result) {
    REPORT(d, "pointer %lx moved to %lx", base, result);
}

void __ubsan_handle_load_invalid_value(const struct overflow_data *d, u64 value) {
    REPORT(d, "%lu is no value of %s", value, d->type->name);
}

void __ubsan_handle_vla_bound_not_positive(const struct overflow_data *d, u64 bound) {
    REPORT(d, "array of %ld elements", (s64)bound);
}

void __ubsan_handle_builtin_unreachable(const struct place_data *d) {
    REPORT(d, "unreachable code was reached");
}

void __ubsan_handle_missing_return(const struct place_data *d) {
    REPORT(d, "function ends without a value");
}

void __ubsan_handle_invalid_builtin(const struct place_data *d) {
    REPORT(d, "zero given to a bit count");
}

void __ubsan_handle_nonnull_arg(const struct place_data *d) {
    REPORT(d, "null given where it must not be");
}

void __ubsan_handle_nonnull_return_v1(const struct place_data *d, const struct place *at) {
    (void)d;
    report(at, (u64)__builtin_return_address(0), __builtin_frame_address(0),
           "null returned where it must not be");
}
