// Who did something: the innermost functions of a call chain, kept in few bytes.
#ifndef CHECK_CALLERS_H
#define CHECK_CALLERS_H

#include "lib/types.h"

#define CALLERS_DEPTH 8

// Return addresses as distances from kernel_start; 0 ends the list.
struct callers {
    u32 at[CALLERS_DEPTH];
};

// Of each page: who took it last, and who freed it last. With CHECK=kasan there is one for each frame at PAGE_TRACKS.
struct page_track {
    struct callers alloc, freed;
};
#define PAGE_TRACKS ((struct page_track *)0xffffffffc0000000)
bool kasan_on(void);  // has kasan_start() been called, and nothing been reported yet?

// frame: __builtin_frame_address(0) of who asks
void callers_take(struct callers *t, const void *frame);
struct printer;
void callers_show(struct printer *p, const struct callers *t);  // a line for each
void callers_print(const char *title,
                   const struct callers *t);  // to the console; nothing when it is empty
extern struct printer check_console;

// The end of every report: the backtrace of the caller of `pc`, then a panic that names that function.
__noreturn void check_panic(const char *check, const char *what, u64 pc, const void *frame);

// CHECK=kasan, CHECK=race: panics if [p, p + n) may not be touched, or looks who else does; pc, frame: of who does.
void check_range(const void *p, size_t n, bool write, u64 pc, const void *frame);

// What is known of the memory at an address that a check complains about: object, owner, traces. (heap.c)
void heap_describe(u64 address);

#endif
