/*
 * poison.c: the boot argument `poison`, for a kernel that misbehaves and was not built with checks.
 *
 * A free frame, and a free slab object, is full of FREED bytes from the moment it is freed until it is given out again:
 * any other byte was written by who no longer had it. Behind each object are a word, which says that it is in use, and
 * RED ones, which nobody may write:
 *
 *   object in use    bytes of its user     IN_USE     RED …
 *   free object      FREED …               link       RED …
 *
 * Nothing is paid for without the argument: with it no hart keeps lists or magazines of its own, so that all goes the
 * slow ways of page.c and slab.c, and only these ask. What is found is a panic. Who did it is not known here: CHECK=poison
 * keeps the callers, CHECK=kasan sees the access itself.
 *
 * No locks: a free frame or object belongs to who is freeing or taking it.
 */
#include "mm/poison.h"
#include "arch/arch.h"
#include "lib/string.h"

#define FREED 0x6b6b6b6b6b6b6b6bul
#define RED 0xbbbbbbbbbbbbbbbbul
#define IN_USE 0x6f626a6563747321ul

bool memory_poison;

static void fill(u64 *p, size_t n, u64 word) {
    for (u64 *end = p + n / 8; p < end; p++)
        *p = word;
}

// The first word that is another, or NULL.
static const u64 *other_word(const u64 *p, size_t n, u64 word) {
    for (const u64 *end = p + n / 8; p < end; p++)
        if (*p != word)
            return p;
    return NULL;
}

void poison_fill(void *block, size_t n) { fill(block, n, FREED); }

void poison_verify(const void *block, size_t n) {
    const u64 *at = other_word(block, n, FREED);
    if (unlikely(at))
        panic("poison: write to a free page: %lx at %lx", *at, (u64)at);
}

static u64 *state_of(void *object, size_t bytes) { return (u64 *)((char *)object + bytes); }

static void check_red(const char *cache, void *object, size_t bytes, size_t room) {
    const u64 *at = other_word(state_of(object, bytes) + 1, room - bytes - sizeof(u64), RED);
    if (unlikely(at))
        panic("poison: write behind an object of cache %s at %lx: %lx at %lx", cache, (u64)object,
              *at, (u64)at);
}

void poison_new(void *object, size_t bytes, size_t room) {
    fill(object, bytes, FREED);
    fill(state_of(object, bytes) + 1, room - bytes - sizeof(u64), RED);
}

void poison_alloc(const char *cache, void *object, size_t bytes, size_t room) {
    const u64 *at = other_word(object, bytes, FREED);
    if (unlikely(at))
        panic("poison: write after free to an object of cache %s at %lx: %lx at %lx", cache,
              (u64)object, *at, (u64)at);
    check_red(cache, object, bytes, room);
    *state_of(object, bytes) = IN_USE;
}

void poison_free(const char *cache, void *object, size_t bytes, size_t room) {
    u64 state = *state_of(object, bytes);
    if (unlikely(state != IN_USE && !other_word(object, bytes, FREED)))
        panic("poison: double free of an object of cache %s at %lx", cache, (u64)object);
    if (unlikely(state != IN_USE))
        panic("poison: write behind an object of cache %s at %lx: %lx", cache, (u64)object, state);
    check_red(cache, object, bytes, room);
    fill(object, bytes, FREED);
}
