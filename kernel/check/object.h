// CHECK=kasan, poison, leak: what stands in front of each slab object (heap.c), and how the objects of a slab are found.
#ifndef CHECK_OBJECT_H
#define CHECK_OBJECT_H

#include "check/callers.h"
#include "check/heap.h"
#include "lib/types.h"

#define OBJECT_MAGIC 0x6f626a6563747321ul

enum object_state { OBJECT_NEW = 0x11, OBJECT_USED, OBJECT_FREED };

// A place in a slab has HEAP_HEAD + room bytes: this, the object, red bytes up to the next place.
struct object_head {
    u64 magic;         // OBJECT_MAGIC ^ own address
    void *cache;       // [I]
    const char *name;  // [I] of the cache
    u32 room;          // [I] bytes from the object to the end of its place
    u32 size;          // that were asked for
    u32 state;         // [a]
    u16 seen, lost;    // leak.c: number of the last scan that reached the object, that did not
    u64 red;
    struct callers alloc, freed;
    void *link;  // of the slab's free list; while the object is in use, leak.c's
    u64 red_before;
};

#endif
