// CHECK=leak: which objects of the kernel does nothing point to? Without the check all of this is nothing.
// Below every room: no includes of ours.
#ifndef CHECK_LEAK_H
#define CHECK_LEAK_H

#include <stdbool.h>

#ifdef CHECK_LEAK
void leak_start(void);  // once the page allocator works: pages given out from here on are watched
void leak_init(void);   // makes /proc/xv39/leak
void leak_pause(void);  // an interrupt from another hart: wait if it scans. => interrupts off
void leak_page_alloc(void *block, bool user, const void *frame);
void leak_page_free(void *block);
#else
static inline void leak_start(void) {}
static inline void leak_init(void) {}
static inline void leak_pause(void) {}
static inline void leak_page_alloc(void *block, bool user, const void *frame) {
    (void)block, (void)user, (void)frame;
}
static inline void leak_page_free(void *block) { (void)block; }
#endif

#endif
