// Who did something: the innermost functions of a call chain, kept in few bytes.
#ifndef CHECK_TRACE_H
#define CHECK_TRACE_H

#include "lib/types.h"

#define TRACE_DEPTH 8

// Return addresses as distances from kernel_start; 0 ends the list.
struct trace {
    u32 at[TRACE_DEPTH];
};

// Of each page: who took it last, and who freed it last. With CHECK=kasan there is one for each frame at PAGE_TRACKS.
struct page_track {
    struct trace alloc, freed;
};
#define PAGE_TRACKS ((struct page_track *)0xffffffffc0000000)
bool kasan_on(void);  // has kasan_start() been called, and nothing been reported yet?

void trace_take(struct trace *t,
                const void *frame);  // frame: __builtin_frame_address(0) of who asks
void trace_print(const char *title, const struct trace *t);  // nothing when it is empty

// The end of every report: the backtrace of the caller of `pc`, then a panic that names that function.
__noreturn void check_panic(const char *check, const char *what, u64 pc, const void *frame);

// What is known of the memory at an address that a check complains about: object, owner, traces. (heap.c)
void heap_describe(u64 address);

#endif
