/*
 * Small integers, handed out and taken back: pids, file descriptors, ipc slots.
 *
 * One bit per number and one summary bit per 64 numbers, in memory of the caller, so that the
 * lowest free one of 4096 is found in two words.  The caller holds the lock of the map.
 */
#ifndef LIB_IDMAP_H
#define LIB_IDMAP_H

#include "lib/bitmap.h"

struct idmap {
    u64 *used;  /* bit i: i is taken */
    u64 *full;  /* bit w: all 64 numbers of used[w] are taken (or beyond size) */
    u32 size;   /* numbers are 0 .. size - 1 */
    u32 count;  /* taken numbers */
    u32 cursor; /* where the next cyclic search starts */
};

/* Number of u64 that idmap_init() needs for n numbers. */
#define IDMAP_WORDS(n) (BITMAP_WORDS(n) + BITMAP_WORDS(BITMAP_WORDS(n)))

/* Make a map of `size` (1 to 2^31 - 1) free numbers in `mem`, IDMAP_WORDS(size) words. */
void idmap_init(struct idmap *map, u64 *mem, u32 size);

/* Make `dst`, freshly initialised and not smaller, hold the same numbers as `src`. */
void idmap_copy(struct idmap *dst, const struct idmap *src);

/* Take the lowest free number in [start, end): the number, or -ENOSPC. */
int idmap_alloc_from(struct idmap *map, u32 start, u32 end);

/* Take the next free number after the last one so taken, cyclically in [start, end), or -ENOSPC. */
int idmap_alloc_next(struct idmap *map, u32 start, u32 end);

/* Take this number: 0, or -EBUSY if it is taken. */
int idmap_take(struct idmap *map, u32 id);

/* Give back a number that is taken. */
void idmap_free(struct idmap *map, u32 id);

static inline bool idmap_test(const struct idmap *map, u32 id) {
    return id < map->size && bitmap_test(map->used, id);
}

#endif
