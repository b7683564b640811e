// Objects smaller than a page: caches of one size, per-hart lists in front, kmalloc over power-of-two caches.
// Any context with ALLOC_ATOMIC; else may sleep for memory.
#ifndef MM_SLAB_H
#define MM_SLAB_H

#include "lib/types.h"
#include "mm/page.h"

struct slab_cache;

// size 8 … 4096 bytes; align a power of two (0: 16). name must stay valid. NULL when out of memory.
struct slab_cache *slab_create(const char *name, size_t size, size_t align);
void *slab_alloc(struct slab_cache *c,
                 unsigned flags);  // ALLOC_ZERO, ALLOC_ATOMIC; NULL when out of memory
void slab_free(struct slab_cache *c, void *object);
void slab_init(void);

// 1 byte … 4 MiB; larger than 2048 comes from whole pages. kfree(NULL) is nothing.
void *kmalloc(size_t size, unsigned flags);
void kfree(void *p);
static inline void *kzalloc(size_t size) { return kmalloc(size, ALLOC_ZERO); }

size_t slab_reclaim(void);  // give back this hart's spare objects and empty slabs; pages freed
u64 slab_pages(void);       // frames that slabs occupy
u64 slab_objects(void);     // live objects of all caches, per-hart lists not counted
struct printer;
void slab_show(struct printer *p);  // /proc/slabinfo: one line a cache

#endif
