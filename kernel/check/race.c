/*
 * CHECK=race: data races, caught in the act.
 *
 * The compiler (-fsanitize=thread) calls a function here before each access to memory. Most calls return at once. One
 * in about EVERY plain accesses of a hart is watched: its address, size and kind go into a slot of `watched`, the hart
 * waits a moment, and takes it out again. Every access looks into the slot of its page. If it overlaps with a
 * watched one and either of them writes, nothing but luck orders the two: a race. The passer-by leaves who he
 * is and goes on; the watcher reports both. If the bytes change and nobody was seen, an access that the compiler
 * did not instrument (assembly, a device) raced, and the watcher reports what it knows.
 *
 *      watcher                                      passer-by
 *      slot: 0 -> place, size, kind
 *      waits                                        his access fits the slot's: slot -> TAKEN
 *      slot is not what it was                      fills passers[slot], slot -> READY
 *      reads passers[slot], slot -> 0, reports      goes on with his access
 *
 * Both accesses are in front of the processor at that moment: there are no false alarms, except for what
 * is ordered without memory (a device's DMA). Marked accesses (volatile, atomic) look, but are not watched: two marked
 * ones are no race, a marked and a plain one are. Interrupts stay on while watching, if they were: handlers are passers-by too.
 *
 * The first race panics; race=report prints each pair of functions once, and goes on. While a report is written all other
 * harts are left alone. Slots are changed by atomic exchange; nothing here locks or sleeps. Built without instrumentation.
 */
#include "check/race.h"

#include "arch/arch.h"
#include "arch/csr.h"
#include "arch/hart.h"
#include "check/callers.h"
#include "lib/atomic.h"
#include "lib/printf.h"
#include "proc/proc.h"

#define EVERY 500      // plain accesses between two watched ones, on average
#define PATIENCE 5000  // turns of the waiting loop, on average
#define PURSUIT 20     // times that, when the value changed and nobody was seen
#define SLOTS 64u
#define MAX_REPORTS 64

enum kind { READ = 0, WRITE = 1, MARKED = 2 };

// A slot: bits 0-38 address (the rest is the same in all of the kernel's), 40-52 size, 63 written; or one of these.
enum { FREE, TAKEN, READY };
#define ADDRESS_MASK ((1ul << 39) - 1)
#define SIZE_SHIFT 40
#define WRITTEN (1ul << 63)

struct side {
    u64 pc;
    size_t size;
    enum kind kind;
    u32 hart;
    char task[TASK_NAME];
    struct callers stack;
};

static bool started;
static bool go_on;                  // [I] race=report
static u64 watched[SLOTS];          // [a]
static struct side passers[SLOTS];  // whoever made the slot TAKEN, then whoever watches there
static u32 reporting;               // [a]
static u64 reported[MAX_REPORTS];  // [reporting] pairs of functions, as distances from kernel_start
static u32 nr_reported;            // [reporting]
PERHART(static s32, until_next);   // plain accesses
PERHART(static u32, seed);

void race_start(void) { started = true; }

bool race_report(void) {
    go_on = true;
    return true;
}

void race_ignore(int more) { current_thread->race_ignore += more; }

static bool ignored(void) { return current_thread->race_ignore > 0 || load_relaxed(&reporting); }

static u32 random(void) {
    u32 *s = this_hart(seed), x = *s ? *s : (u32)time_csr() | 1;
    x ^= x << 13;
    x ^= x >> 17;
    return *s = x ^ x << 5;
}

static u32 around(u32 average) { return average / 2 + random() % average; }

static u64 *slot_of(u64 address) { return &watched[(address >> PAGE_SHIFT) % SLOTS]; }

static bool fits(u64 slot, u64 address, size_t size, enum kind kind) {
    u64 start = slot & ADDRESS_MASK, bytes = (slot & ~WRITTEN) >> SIZE_SHIFT;
    address &= ADDRESS_MASK;
    return start < address + size && address < start + bytes && (slot & WRITTEN || kind & WRITE);
}

// ---- reports ----

static struct side side(size_t size, enum kind kind, u64 pc) {
    struct side s = {.pc = pc, .size = size, .kind = kind, .hart = hart_id()};
    for (u32 i = 0; i < TASK_NAME - 1; i++)
        s.task[i] = current->name[i];
    return s;
}

static const char *kind_name(enum kind kind) {
    static const char *const names[] = {"read", "write", "marked read", "marked write"};
    return names[kind];
}

static u64 function_of(u64 pc) {
    u64 offset;
    symbol_name(pc - 4, &offset);
    return pc - 4 - offset - (u64)kernel_start;
}

// Is the pair new? In either order; with nobody on the other side too.
static bool first_time(u64 pc, u64 other_pc) {
    u64 a = function_of(pc), b = other_pc ? function_of(other_pc) : 0;
    u64 pair = min(a, b) << 32 | max(a, b);
    for (u32 i = 0; i < nr_reported; i++)
        if (reported[i] == pair)
            return false;
    if (nr_reported == MAX_REPORTS)
        return false;
    reported[nr_reported++] = pair;
    return true;
}

static void describe(char *line, size_t size, const struct side *me, u64 address,
                     const struct side *other) {
    u64 offset;
    int n =
        scnprintf(line, size, "%s of %lu bytes at %016lx", kind_name(me->kind), me->size, address);
    if (other)
        scnprintf(line + n, size - n, ", %s by %s", kind_name(other->kind),
                  symbol_name(other->pc - 4, &offset));
}

static void print_report(const struct side *me, u64 address, const u64 *frame, const u64 *values,
                         const struct side *other) {
    char line[160];
    u64 offset;
    const char *name = symbol_name(me->pc - 4, &offset);
    console_panicking = true;
    describe(line, sizeof line, me, address, other);
    kprintf("\noops: race: in %s: %s, hart %u, task %s; the value was 0x%lx, is 0x%lx\n", name,
            line, me->hart, me->task, values[0], values[1]);
#ifdef CHECK_HEAP
    heap_describe(address);
#endif
    if (other) {
        kprintf("the other: %s of %lu bytes, hart %u, task %s, ", kind_name(other->kind),
                other->size, other->hart, other->task);
        callers_print("by", &other->stack);
    } else {
        kprintf("the other was not seen\n");
    }
    if (!go_on)
        check_panic("race", line, me->pc, frame);
    kprintf("backtrace:\n");
    backtrace_from(me->pc - 4, frame[-2]);
    kprintf("race: end of report\n");
    console_panicking = false;
}

// The watcher's last step. slot: who passed by is there, or will be soon; NULL: nobody was seen.
static __attribute__((noinline)) void report(u64 address, size_t size, enum kind kind, u64 pc,
                                             const u64 *frame, const u64 *values, u64 *slot) {
    struct side me = side(size, kind, pc), other;
    if (slot) {
        while (load_acquire(slot) != READY)
            ;
        other = passers[slot - watched];
        store_release(slot, FREE);
    }
    u64 flags = irq_save();
    if (atomic_xchg(&reporting, 1) == 0) {
        if (first_time(pc, slot ? other.pc : 0))
            print_report(&me, address, frame, values, slot ? &other : NULL);
        store_release(&reporting, 0);
    }
    irq_restore(flags);
}

// ---- the two sides ----

static __attribute__((noinline)) void pass(u64 *slot, u64 expected, size_t size, enum kind kind,
                                           u64 pc, const u64 *frame) {
    if (ignored())
        return;
    u64 flags = irq_save();
    if (atomic_cmpxchg(slot, &expected, TAKEN)) {
        struct side *me = &passers[slot - watched];
        *me = side(size, kind, pc);
        callers_take(&me->stack, frame);
        store_release(slot, READY);
    }
    irq_restore(flags);
}

// What is there, if it fits a register.
static u64 value_at(u64 address, size_t size) {
    if (address % size)
        return 0;
    switch (size) {
    case 1:
        return *(volatile u8 *)address;
    case 2:
        return *(volatile u16 *)address;
    case 4:
        return *(volatile u32 *)address;
    case 8:
        return *(volatile u64 *)address;
    default:
        return 0;
    }
}

static void linger(const u64 *slot, u64 mine) {
    for (u32 i = around(PATIENCE); i > 0 && load_relaxed(slot) == mine; i--)
        ;
}

static __attribute__((noinline)) void watch(u64 address, size_t size, enum kind kind, u64 pc,
                                            const u64 *frame) {
    *this_hart(until_next) = around(EVERY);
    u64 *slot = slot_of(address), free = FREE;
    u64 mine = (address & ADDRESS_MASK) | size << SIZE_SHIFT | (kind & WRITE ? WRITTEN : 0);
    if (ignored())
        return;
    u64 values[2] = {value_at(address, size)}, expected = mine;
    if (!atomic_cmpxchg(slot, &free, mine))
        return;
    linger(slot, mine);
    // Who looked into the slot just before it was filled is not seen; perhaps he comes again.
    for (u32 i = 0; i < PURSUIT && value_at(address, size) != values[0]; i++)
        linger(slot, mine);
    values[1] = value_at(address, size);
    bool seen = !atomic_cmpxchg(slot, &expected, FREE);
    if (seen || values[0] != values[1])
        report(address, size, kind, pc, frame, values, seen ? slot : NULL);
}

// => the bytes lie in one page; of up to 16 bytes that are unaligned only those in the first page are compared
static inline __attribute__((always_inline)) void access(u64 address, size_t size, enum kind kind,
                                                         u64 pc, const u64 *frame) {
    if (unlikely(!started))
        return;
    u64 *slot = slot_of(address), now = load_relaxed(slot);
    if (unlikely(now > READY) && fits(now, address, size, kind))
        pass(slot, now, size, kind, pc, frame);
    if (!(kind & MARKED) && unlikely(--*this_hart(until_next) < 0))
        watch(address, size, kind, pc, frame);
}

// check/checked_string.c and structures that are copied.
void check_range(const void *p, size_t n, bool write, u64 pc, const void *frame) {
    for (u64 at = (u64)p, end = at + n, next; at < end; at = next) {
        next = min(end, align_down(at, PAGE_SIZE) + PAGE_SIZE);
        access(at, next - at, write ? WRITE : READ, pc, frame);
    }
}

// ---- what the compiler calls ----

#define ACCESS(name, size, kind)                                                                   \
    void __tsan_##name(u64 address);                                                               \
    void __tsan_##name(u64 address) {                                                              \
        access(address, size, kind, (u64)__builtin_return_address(0), __builtin_frame_address(0)); \
    }
#define ACCESSES(n)                                                                                \
    ACCESS(read##n, n, READ)                                                                       \
    ACCESS(write##n, n, WRITE)                                                                     \
    ACCESS(unaligned_read##n, n, READ)                                                             \
    ACCESS(unaligned_write##n, n, WRITE)                                                           \
    ACCESS(volatile_read##n, n, READ | MARKED)                                                     \
    ACCESS(volatile_write##n, n, WRITE | MARKED)                                                   \
    ACCESS(unaligned_volatile_read##n, n, READ | MARKED)                                           \
    ACCESS(unaligned_volatile_write##n, n, WRITE | MARKED)
ACCESSES(1)
ACCESSES(2)
ACCESSES(4)
ACCESSES(8)
ACCESSES(16)

#define RANGE(name, write)                                                                         \
    void __tsan_##name##_range(const void *p, size_t n);                                           \
    void __tsan_##name##_range(const void *p, size_t n) {                                          \
        check_range(p, n, write, (u64)__builtin_return_address(0), __builtin_frame_address(0));    \
    }
RANGE(read, false)
RANGE(write, true)

void __tsan_init(void);
void __tsan_init(void) {}

// Atomic operations are replaced as a whole: look, then do it. The order is the strongest, whatever was asked for.
#define LOOK(p, kind)                                                                              \
    access((u64)(p), sizeof *(p), (kind) | MARKED, (u64)__builtin_return_address(0),               \
           __builtin_frame_address(0))
#define FETCH(type, bits, op)                                                                      \
    type __tsan_atomic##bits##_fetch_##op(type *p, type v, int order);                             \
    type __tsan_atomic##bits##_fetch_##op(type *p, type v, int order) {                            \
        (void)order;                                                                               \
        LOOK(p, WRITE);                                                                            \
        return __atomic_fetch_##op(p, v, __ATOMIC_SEQ_CST);                                        \
    }
#define LOAD_STORE(type, bits)                                                                     \
    type __tsan_atomic##bits##_load(const type *p, int order);                                     \
    type __tsan_atomic##bits##_load(const type *p, int order) {                                    \
        (void)order;                                                                               \
        LOOK(p, READ);                                                                             \
        return __atomic_load_n(p, __ATOMIC_SEQ_CST);                                               \
    }                                                                                              \
    void __tsan_atomic##bits##_store(type *p, type v, int order);                                  \
    void __tsan_atomic##bits##_store(type *p, type v, int order) {                                 \
        (void)order;                                                                               \
        LOOK(p, WRITE);                                                                            \
        __atomic_store_n(p, v, __ATOMIC_SEQ_CST);                                                  \
    }
#define ATOMICS(type, bits)                                                                        \
    LOAD_STORE(type, bits)                                                                         \
    FETCH(type, bits, add)                                                                         \
    FETCH(type, bits, sub)                                                                         \
    FETCH(type, bits, or)                                                                          \
    FETCH(type, bits, and)                                                                         \
    FETCH(type, bits, xor)                                                                         \
    type __tsan_atomic##bits##_exchange(type *p, type v, int order);                               \
    type __tsan_atomic##bits##_exchange(type *p, type v, int order) {                              \
        (void)order;                                                                               \
        LOOK(p, WRITE);                                                                            \
        return __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST);                                        \
    }                                                                                              \
    int __tsan_atomic##bits##_compare_exchange_strong(type *p, type *old, type v, int order,       \
                                                      int failed);                                 \
    int __tsan_atomic##bits##_compare_exchange_strong(type *p, type *old, type v, int order,       \
                                                      int failed) {                                \
        (void)order, (void)failed;                                                                 \
        LOOK(p, WRITE);                                                                            \
        return __atomic_compare_exchange_n(p, old, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);  \
    }                                                                                              \
    type __tsan_atomic##bits##_compare_exchange_val(type *p, type old, type v, int order,          \
                                                    int failed);                                   \
    type __tsan_atomic##bits##_compare_exchange_val(type *p, type old, type v, int order,          \
                                                    int failed) {                                  \
        (void)order, (void)failed;                                                                 \
        LOOK(p, WRITE);                                                                            \
        __atomic_compare_exchange_n(p, &old, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);        \
        return old;                                                                                \
    }
LOAD_STORE(u8, 8)
LOAD_STORE(u16, 16)
ATOMICS(u32, 32)
ATOMICS(u64, 64)

void __tsan_atomic_thread_fence(int order);
void __tsan_atomic_thread_fence(int order) {
    (void)order;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}
