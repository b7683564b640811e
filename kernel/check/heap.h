// CHECK=kasan, poison and leak: what mm/page.c and mm/slab.c tell the checks. A checked slab object stands between a
// head, which knows who took and who freed it, and a tail; neither belongs to its user. Freed objects wait in a
// queue before they are handed out again. Without a check all of this is nothing. Below every room: no includes of ours.
#ifndef CHECK_HEAP_H
#define CHECK_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef CHECK_HEAP
#define HEAP_HEAD 128u    // bytes before an object; also the largest alignment of objects
#define HEAP_TAIL 16u     // bytes behind it, at least
#define HEAP_LINK (-16l)  // from an object to where the free list's link is kept

// A new slab object of a cache: not in use yet. room: bytes from the object to the end of its place.
void heap_new(void *object, void *cache, const char *name, size_t size, size_t room);
// It is given out, for `size` bytes, or only for that many of them (object may be NULL).
void heap_alloc(void *object, size_t size);
void heap_narrow(void *object, size_t size);
// Its user frees it. The object becomes one that was freed long enough ago, with its cache; false: there is none.
bool heap_free(void **object, void **cache);
uint64_t heap_waiting(const void *cache);  // freed objects of it in the queue
// A block of 2^order pages is given out (to hold a user's bytes; bytes of it are asked for), or freed.
void heap_page_alloc(void *block, unsigned order, bool user);
void heap_page_narrow(void *block, unsigned order, size_t bytes);
void heap_page_free(void *block, unsigned order);
#else
#define HEAP_HEAD 0u
#define HEAP_TAIL 0u
#define HEAP_LINK 0l
static inline void heap_new(void *object, void *cache, const char *name, size_t size, size_t room) {
    (void)object, (void)cache, (void)name, (void)size, (void)room;
}
static inline void heap_alloc(void *object, size_t size) { (void)object, (void)size; }
static inline void heap_narrow(void *object, size_t size) { (void)object, (void)size; }
static inline bool heap_free(void **object, void **cache) {
    (void)object, (void)cache;
    return true;
}
static inline uint64_t heap_waiting(const void *cache) {
    (void)cache;
    return 0;
}
static inline void heap_page_alloc(void *block, unsigned order, bool user) {
    (void)block, (void)order, (void)user;
}
static inline void heap_page_narrow(void *block, unsigned order, size_t bytes) {
    (void)block, (void)order, (void)bytes;
}
static inline void heap_page_free(void *block, unsigned order) { (void)block, (void)order; }
#endif

#endif
