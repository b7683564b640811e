/*
 * CHECK=kasan, poison, leak: what happens to slab objects and pages, and whether they are what they should be.
 *
 * A place in a slab, from low to high addresses:
 *
 *   head (HEAP_HEAD)     a magic number, cache, sizes, state, who took and who freed the object, the free list's link,
 *                        and as the last 8 bytes a red zone
 *   object               the bytes that were asked for: the user's
 *   tail                 red zone up to the next place, at least HEAP_TAIL bytes
 *
 * Red zones hold RED and are compared when the object is freed: that finds also what no instruction of C wrote. With
 * kasan they and freed objects cannot be touched without a report. With poison a freed object is filled with FREED and
 * compared when it is given out again; so are pages. A fresh object without ALLOC_ZERO is filled with FRESH.
 *
 * A freed object enters a ring, and the one that it finds in its slot, WAITING frees ago, goes back to the slab. So
 * stale pointers have some time to be used. No locks: an object belongs to who takes or frees it, the ring's
 * slots are exchanged atomically. Any context. Built without instrumentation.
 */
#include "check/heap.h"

#include "arch/arch.h"
#include "check/kasan.h"
#include "check/leak.h"
#include "check/object.h"
#include "check/raw_string.h"
#include "lib/string.h"
#include "mm/page.h"
#include "proc/proc.h"

#define RED 0xbb
#define FREED 0x6b
#define FRESH 0x5a
#define WAITING 512
#define MAX_PLACE (2 * PAGE_SIZE)

#ifdef CHECK_POISON
#define POISON true
#else
#define POISON false
#endif

BUILD_ASSERT(sizeof(struct object_head) == HEAP_HEAD);
BUILD_ASSERT(offsetof(struct object_head, link) == HEAP_HEAD + HEAP_LINK);

static void *waiting[WAITING];  // [a]
static u32 next_slot;           // [a]

static inline struct object_head *head_of(void *object) { return (struct object_head *)object - 1; }

// The first byte of [p, p + n) that is not `byte`, or NULL.
static const u8 *first_other(const void *p, u8 byte, size_t n) {
    const u8 *at = p, *end = at + n;
    u64 word = byte * 0x0101010101010101ul;
    for (; (u64)at % 8 && at < end; at++)
        if (*at != byte)
            return at;
    while (end - at >= 8 && *(const u64 *)at == word)
        at += 8;
    for (; at < end; at++)
        if (*at != byte)
            return at;
    return NULL;
}

// ---- reports ----

static const char *state_name(u32 state) {
    return state == OBJECT_USED ? "in use" : state == OBJECT_FREED ? "free" : "never used";
}

// The head of the place around the address, or NULL.
static struct object_head *find_head(u64 address) {
    u64 at = align_down(address, 8);
    for (u64 n = 0; n < MAX_PLACE && pa_is_ram(va_to_pa((void *)at)); n += 8, at -= 8)
        if (*(u64 *)at == (OBJECT_MAGIC ^ at))
            return (struct object_head *)at;
    return NULL;
}

static void describe_object(const struct object_head *h, u64 address) {
    u64 object = (u64)(h + 1), size = h->size;
    if (address < object)
        kprintf("%lu bytes before", object - address);
    else if (address < object + size)
        kprintf("%lu bytes inside", address - object);
    else
        kprintf("%lu bytes behind", address - object - size);
    kprintf(" an object of %lu bytes at %016lx, cache %s, %s\n", size, object, h->name,
            state_name(h->state));
    callers_print("allocated by", &h->alloc);
    callers_print("freed by", &h->freed);
}

#ifdef CHECK_KASAN
static void describe_page(const struct page *p) {
    const struct page_track *t = &PAGE_TRACKS[p - page_array];
    callers_print("page allocated by", &t->alloc);
    callers_print("page freed by", &t->freed);
}
#else
static void describe_page(const struct page *p) { (void)p; }
#endif

void heap_describe(u64 address) {
    if (!pa_is_ram(va_to_pa((void *)address)))
        return;
    const struct object_head *h = find_head(address);
    if (h && address < (u64)(h + 1) + h->room)
        describe_object(h, address);
    else
        describe_page(va_to_page((void *)address));
}

// The allocator's own functions are not who did it.
static bool is_allocator(u64 pc) {
    static const char *const names[] = {"slab_", "page_", "kmalloc", "kzalloc", "kfree"};
    u64 offset;
    const char *name = symbol_name(pc - 4, &offset);
    for (u32 i = 0; i < ARRAY_SIZE(names); i++)
        if (strncmp(name, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

static __noreturn void report(const char *what, const void *at, const u64 *frame) {
    while (is_allocator(frame[-1]))
        frame = (const u64 *)frame[-2];
    oops_begin();
    kprintf("\noops: heap: %s at %016lx, task %s; there is", what, (u64)at, current->name);
    for (u32 i = 0; i < 16; i++)
        kprintf(" %02x", ((const u8 *)align_down((u64)at, 8))[i]);
    kprintf("\n");
    heap_describe((u64)at);
    check_panic("heap", what, frame[-1], frame);
}

// ---- slab objects ----

static void check_red(struct object_head *h, const void *frame) {
    const u8 *object = (const u8 *)(h + 1), *bad;
    if ((bad = first_other(&h->red, RED, sizeof h->red)) ||
        (bad = first_other(&h->red_before, RED, 8)))
        report("write before an object", bad, frame);
    if ((bad = first_other(object + h->size, RED, h->room - h->size)))
        report("write behind an object", bad, frame);
}

// The object has `size` bytes from now on; what is behind them is red.
static void set_size(struct object_head *h, size_t size) {
    u8 *object = (u8 *)(h + 1);
    h->size = size;
    memset(object + size, RED, h->room - size);
    kasan_forbid(object, h->room, KASAN_RED);
    kasan_allow(object, size);
}

void heap_new(void *object, void *cache, const char *name, size_t size, size_t room) {
    struct object_head *h = head_of(object);
    *h = (struct object_head){
        .magic = OBJECT_MAGIC ^ (u64)h, .cache = cache, .name = name, .room = room};
    memset(&h->red, RED, sizeof h->red);
    memset(&h->red_before, RED, sizeof h->red_before);
    set_size(h, size);
    h->state = OBJECT_NEW;
    if (POISON)
        memset(object, FREED, size);
    kasan_forbid(h, HEAP_HEAD, KASAN_RED);
    kasan_forbid(object, size, KASAN_FREED);
}

void heap_alloc(void *object, size_t size) {
    struct object_head *h = head_of(object);
    const void *frame = __builtin_frame_address(0), *bad;

    if (h->magic != (OBJECT_MAGIC ^ (u64)h) || h->state == OBJECT_USED)
        report("damaged head of an object", h, frame);
    if (POISON && (bad = first_other(object, FREED, h->size)))
        report("write after free", bad, frame);
    check_red(h, frame);
    h->state = OBJECT_USED;
    callers_take(&h->alloc, frame);
    h->freed.at[0] = 0;
    h->seen = h->lost = 0;
    if (POISON)
        memset(object, FRESH, size);
    set_size(h, size);
}

void heap_narrow(void *object, size_t size) {
    if (object)
        set_size(head_of(object), size);
}

// The ring: an object in, the oldest out.
static void *swap_oldest(void *object) {
    u32 slot = __atomic_fetch_add(&next_slot, 1, __ATOMIC_RELAXED) % WAITING;
    return __atomic_exchange_n(&waiting[slot], object, __ATOMIC_ACQ_REL);
}

bool heap_free(void **freed, void **cache) {
    void *object = *freed;
    struct object_head *h = head_of(object);
    const void *frame = __builtin_frame_address(0);

    if (h->magic != (OBJECT_MAGIC ^ (u64)h))
        report("free of what is no object", object, frame);
    check_red(h, frame);
    if (__atomic_exchange_n(&h->state, OBJECT_FREED, __ATOMIC_RELAXED) != OBJECT_USED)
        report("double free", object, frame);
    if (h->cache != *cache)
        report("free to a wrong cache", object, frame);
    callers_take(&h->freed, frame);
    if (POISON)
        memset(object, FREED, h->size);
    kasan_forbid(object, h->size, KASAN_FREED);
    *freed = swap_oldest(object);
    if (!*freed)
        return false;
    *cache = head_of(*freed)->cache;
    return true;
}

// An object that leaves the queue meanwhile still has a head, whose cache never changes.
u64 heap_waiting(const void *cache) {
    u64 n = 0;
    for (u32 i = 0; i < WAITING; i++) {
        void *object = __atomic_load_n(&waiting[i], __ATOMIC_ACQUIRE);
        n += object && head_of(object)->cache == cache;
    }
    return n;
}

// ---- pages ----

#ifdef CHECK_KASAN
static void track(void *block, unsigned order, bool alloc, const void *frame) {
    struct page_track *t = &PAGE_TRACKS[va_to_page(block) - page_array];
    if (!kasan_on())
        return;
    for (u64 i = 0; i < 1ul << order; i++)
        callers_take(alloc ? &t[i].alloc : &t[i].freed, frame);
}
#else
static void track(void *block, unsigned order, bool alloc, const void *frame) {
    (void)block, (void)order, (void)alloc, (void)frame;
}
#endif

// Frames that were filled with FREED, one bit each; frames above are not filled.
#define FILLED_FRAMES (GIB(8) / PAGE_SIZE)
static u64 filled[POISON ? FILLED_FRAMES / 64 : 1];  // [a]

// Set or clear the frame's bit: what it was.
static bool mark_filled(u64 frame, bool to) {
    u64 bit = 1ul << frame % 64;
    if (frame >= FILLED_FRAMES)
        return false;
    u64 *word = &filled[frame / 64];
    u64 old = to ? __atomic_fetch_or(word, bit, __ATOMIC_RELAXED)
                 : __atomic_fetch_and(word, ~bit, __ATOMIC_RELAXED);
    return old & bit;
}

void heap_page_alloc(void *block, unsigned order, bool user) {
    const void *frame = __builtin_frame_address(0);
    for (u64 i = 0; POISON && i < 1ul << order; i++) {
        char *page = (char *)block + i * PAGE_SIZE;
        const u8 *bad = NULL;
        if (mark_filled((va_to_pa(page) >> PAGE_SHIFT) - first_frame, false))
            bad = first_other(page, FREED, PAGE_SIZE);
        if (bad)
            report("write to a freed page", bad, frame);
    }
    kasan_allow(block, PAGE_SIZE << order);
    track(block, order, true, frame);
    leak_page_alloc(block, user, frame);
}

void heap_page_narrow(void *block, unsigned order, size_t bytes) {
    kasan_forbid(block, PAGE_SIZE << order, KASAN_TAIL);
    kasan_allow(block, bytes);
}

void heap_page_free(void *block, unsigned order) {
    for (u64 i = 0; POISON && i < 1ul << order; i++) {
        char *page = (char *)block + i * PAGE_SIZE;
        memset(page, FREED, PAGE_SIZE);
        mark_filled((va_to_pa(page) >> PAGE_SHIFT) - first_frame, true);
    }
    kasan_forbid(block, PAGE_SIZE << order, KASAN_PAGE);
    track(block, order, false, __builtin_frame_address(0));
    leak_page_free(block);
}
