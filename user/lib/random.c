/* Numbers for tests that choose at random: xorshift, of 64 bits. A seed gives the same numbers
 * again; nothing here is secret. One stream for a process. */
#include "user/lib/tool.h"

static uint64_t state = 1;

void random_seed(uint64_t seed) { state = seed ? seed : 1; }

uint64_t random_next(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state >> 11;
}

int random_below(int n) { return (int)(random_next() % (uint64_t)n); }
