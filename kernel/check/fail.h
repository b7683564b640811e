// CHECK=fail: allocations, user copies and disk requests that fail on purpose. Without the check nothing does.
// Below every room: no includes of ours.
#ifndef CHECK_FAIL_H
#define CHECK_FAIL_H

#include <stdbool.h>

enum fail_kind { FAIL_ALLOC, FAIL_USERCOPY, FAIL_BLOCK, FAIL_KINDS };

// KIND:RATE[:SEED], several with commas: one of RATE asked fails, 0 none; or "off". 0 or -EINVAL. => fail_built
int fail_set(const char *text);

#ifdef CHECK_FAIL
#define fail_built true
bool fail_now(enum fail_kind kind);  // shall the caller fail? Any context
void fail_arm(void);                 // the first program runs: from now on
void fail_init(void);                // makes /proc/xv39/fail
#else
#define fail_built false
static inline bool fail_now(enum fail_kind kind) { return kind == FAIL_KINDS; }
static inline void fail_arm(void) {}
static inline void fail_init(void) {}
#endif

#endif
