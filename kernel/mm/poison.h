// The boot argument `poison`: freed memory is overwritten, and looked at again before somebody gets it. Any context.
#ifndef MM_POISON_H
#define MM_POISON_H

#include "lib/types.h"

extern bool memory_poison;  // [I] after the boot arguments were read

#define POISON_TAIL 16u  // bytes behind an object, at least: a word for its state, and red ones

// A free block of n bytes. A mistake that is found panics.
void poison_fill(void *block, size_t n);
void poison_verify(const void *block, size_t n);

// An object of `bytes` bytes, a multiple of 8, in a place of `room` bytes: it is made, given out, freed. While it is
// free, its state word, right behind the object, is the slab's.
void poison_new(void *object, size_t bytes, size_t room);
void poison_alloc(const char *cache, void *object, size_t bytes, size_t room);
void poison_free(const char *cache, void *object, size_t bytes, size_t room);

#endif
