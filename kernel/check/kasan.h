// CHECK=kasan: which bytes of the kernel's memory may be touched. Each 8 bytes have a shadow byte that says how many of
// them, from the first on, are good. The compiler calls the checks; these hooks are for what the compiler cannot see.
// Without the check all of them are nothing. Below every room: no includes of ours.
#ifndef CHECK_KASAN_H
#define CHECK_KASAN_H

#include <stddef.h>
#include <stdint.h>

// Shadow bytes of memory that must not be touched: 1 to 7 are counts, 0 is "all eight good", and the compiler's own
// marks of stacks are 0xf1 (left), 0xf2 (between), 0xf3 (right of the variables) and 0xf8 (variable out of scope).
#define KASAN_GLOBAL 0xf9  // behind a global variable
#define KASAN_FREED 0xfb   // freed slab object
#define KASAN_RED 0xfc     // around a slab object
#define KASAN_TAIL 0xfe    // pages: behind the bytes that were asked for
#define KASAN_PAGE 0xff    // freed page

#ifdef CHECK_KASAN
void kasan_early(uint64_t hartid,
                 uint64_t fdt);  // the first C function: prepares for others, calls kernel_main
void kasan_map(uint64_t *root,
               uint64_t (*alloc)(void));  // shadow for all memory into the kernel's root table
void kasan_start(void);  // => the table of kasan_map() is on; from here on accesses are checked
// Panic unless the caller may read or write all of [p, p + n).
void kasan_read(const void *p, size_t n);
void kasan_write(void *p, size_t n);
// [p, p + n) is good, or all bad with that mark; p is a multiple of 8. What is left of a last 8 bytes stays bad.
void kasan_allow(const void *p, size_t n);
void kasan_forbid(const void *p, size_t n, uint8_t mark);
#else
static inline void kasan_map(uint64_t *root, uint64_t (*alloc)(void)) { (void)root, (void)alloc; }
static inline void kasan_start(void) {}
static inline void kasan_read(const void *p, size_t n) { (void)p, (void)n; }
static inline void kasan_write(void *p, size_t n) { (void)p, (void)n; }
static inline void kasan_allow(const void *p, size_t n) { (void)p, (void)n; }
static inline void kasan_forbid(const void *p, size_t n, uint8_t mark) {
    (void)p, (void)n, (void)mark;
}
#endif

#endif
