/*
 * idmap.c: hands out small integers.
 *
 * Two levels of bits: `used` has one per number, `full` one per word of `used`.  A search looks at
 * the rest of the word where it starts, then finds the next word that is not full through the
 * summary, 4096 numbers per load.  Lowest-first is what POSIX asks of file descriptors; the cyclic
 * search lets a pid rest as long as possible before another process gets it.
 *
 * Invariants: bit w of `full` is set if and only if used[w] is all ones; the bits of the last word
 * beyond `size` are set for ever, so no search ends there; `count` does not include them.
 *
 * No locks: the caller's lock covers the map.  Nobody sleeps.
 */
#include "lib/idmap.h"
#include "lib/assert.h"
#include "lib/string.h"

enum {
    EBUSY = 16,
    ENOSPC = 28,
};

static inline u32 words_of(const struct idmap *map) { return BITMAP_WORDS(map->size); }

/* Tell the summary if used[word] has become full. */
static inline void note_if_full(struct idmap *map, u32 word) {
    if (map->used[word] == ~0ull)
        bitmap_set(map->full, word);
}

static inline void take(struct idmap *map, u32 id) {
    bitmap_set(map->used, id);
    note_if_full(map, id / 64);
    map->count++;
}

void idmap_init(struct idmap *map, u64 *mem, u32 size) {
    u32 words = BITMAP_WORDS(size);

    assert(size > 0 && size <= INT32_MAX);
    *map = (struct idmap){.used = mem, .full = mem + words, .size = size};
    memset(mem, 0, IDMAP_WORDS(size) * sizeof(u64));
    bitmap_set_range(map->used, size, (size_t)words * 64 - size);
}

void idmap_copy(struct idmap *dst, const struct idmap *src) {
    u32 words = words_of(src), extra = words * 64 - src->size;

    assert(dst->size >= src->size && dst->count == 0);
    for (u32 w = 0; w < words; w++) {
        u64 beyond = w == words - 1 && extra ? ~0ull << (64 - extra) : 0;

        dst->used[w] |= src->used[w] & ~beyond;
        note_if_full(dst, w);
    }
    dst->count = src->count;
    dst->cursor = src->cursor;
}

/* Lowest free number that is at least `start` (start < size), or `size` or more. */
static u32 find_free(const struct idmap *map, u32 start) {
    u32 word = start / 64, words = words_of(map);
    u64 free = ~map->used[word] & (~0ull << (start % 64));

    if (!free) {
        word = (u32)bitmap_find_first_zero(map->full, words, word + 1);
        if (word == words)
            return map->size;
        free = ~map->used[word];
    }
    return word * 64 + ctz64(free);
}

int idmap_alloc_from(struct idmap *map, u32 start, u32 end) {
    u32 id;

    end = min(end, map->size);
    if (start >= end)
        return -ENOSPC;
    id = find_free(map, start);
    if (id >= end)
        return -ENOSPC;
    take(map, id);
    return (int)id;
}

int idmap_alloc_next(struct idmap *map, u32 start, u32 end) {
    u32 from = max(map->cursor, start);
    int id = idmap_alloc_from(map, from, end);

    if (id < 0)
        id = idmap_alloc_from(map, start, min(from, end));
    if (id >= 0)
        map->cursor = (u32)id + 1;
    return id;
}

int idmap_take(struct idmap *map, u32 id) {
    assert(id < map->size);
    if (bitmap_test(map->used, id))
        return -EBUSY;
    take(map, id);
    return 0;
}

void idmap_free(struct idmap *map, u32 id) {
    assert(idmap_test(map, id));
    bitmap_clear(map->used, id);
    bitmap_clear(map->full, id / 64);
    map->count--;
}
