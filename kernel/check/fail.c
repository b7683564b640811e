/*
 * CHECK=fail: failures on purpose, so that the ways out of trouble are walked before there is trouble.
 *
 * fail_now() stands where memory is given out (page_alloc, slab_alloc), where a user's address is judged (user_range_ok) and
 * where a disk request begins (bio_submit), and says yes once in RATE times. Which times is decided by a hash of the seed,
 * the hart and how often that hart asked: the same run fails in the same places. Tasks of pid 1 are spared, for
 * without init there is no machine, so is all that happens before its program runs, and so is the process that wrote
 * /proc/xv39/fail last: the shell that gives the commands.
 *
 * Programs may fail then, in any way. The kernel must go on, lose nothing (CHECK=leak) and, but for disk errors, keep its
 * file systems whole. /proc/xv39/fail shows counts and the last callers; writing it changes the rates.
 *
 * No locks: counts are atomic, a rate and its seed are set one after the other. Any context.
 */
#include "check/fail.h"

#include "abi/errno.h"
#include "arch/arch.h"
#include "arch/hart.h"
#include "check/callers.h"
#include "fs/proc.h"
#include "lib/hash.h"
#include "lib/string.h"
#include "proc/proc.h"

static struct failing {
    const char *name;
    u32 rate;              // [a] 0: never
    u64 seed;              // [a]
    u64 asked[MAX_HARTS];  // [a]
    u64 failed;            // [a]
    struct callers last;   // a guess when two harts fail at once
} kinds[FAIL_KINDS] = {
    [FAIL_ALLOC] = {.name = "alloc"},
    [FAIL_USERCOPY] = {.name = "usercopy"},
    [FAIL_BLOCK] = {.name = "block"},
};
static bool armed;
static int writer;  // [a] process id

void fail_arm(void) { store_release(&armed, true); }

static bool spared(void) {
    if ((current->flags & TASK_IDLE) || !current->process)
        return true;
    int id = task_tgid(current);
    return id == 1 || id == load_relaxed(&writer);
}

bool fail_now(enum fail_kind kind) {
    struct failing *f = &kinds[kind];
    u32 rate = load_relaxed(&f->rate), hart;
    if (rate == 0 || !load_relaxed(&armed) || spared())
        return false;
    hart = hart_id();
    u64 n = __atomic_fetch_add(&f->asked[hart], 1, __ATOMIC_RELAXED);
    // hash_u64(0) is 0, so the seed 0 must not come there as 0: its first request would fail.
    u64 seed = hash_u64(load_relaxed(&f->seed) * MAX_HARTS + hart + 1);
    if (hash_u64(seed + n) % rate)
        return false;
    atomic_add_relaxed(&f->failed, 1);
    callers_take(&f->last, __builtin_frame_address(0));
    return true;
}

// ---- setting rates ----

struct wanted {
    bool given;
    u32 rate;
    u64 seed;
};

// One KIND:RATE[:SEED] at *text, which is behind it and its comma afterwards.
static bool parse_one(const char **text, struct wanted *all) {
    for (u32 i = 0; i < FAIL_KINDS; i++) {
        size_t len = strlen(kinds[i].name);
        u64 rate, seed = 0;
        if (strncmp(*text, kinds[i].name, len) != 0 || (*text)[len] != ':')
            continue;
        *text += len + 1;
        if (!take_u64(text, &rate) || rate > UINT32_MAX)
            return false;
        if (**text == ':' && (++*text, !take_u64(text, &seed)))
            return false;
        all[i] = (struct wanted){true, (u32)rate, seed};
        if (**text == ',')
            ++*text;
        return true;
    }
    return false;
}

int fail_set(const char *text) {
    struct wanted all[FAIL_KINDS] = {{0}};
    if (!text || *text == '\0')
        return -EINVAL;
    if (strcmp(text, "off") == 0)
        for (u32 i = 0; i < FAIL_KINDS; i++)
            all[i].given = true;
    else
        while (*text)
            if (!parse_one(&text, all))
                return -EINVAL;
    for (u32 i = 0; i < FAIL_KINDS; i++)
        if (all[i].given) {
            store_release(&kinds[i].seed, all[i].seed);
            store_release(&kinds[i].rate, all[i].rate);
        }
    return 0;
}

// ---- /proc/xv39/fail ----

static void show_fail(struct printer *p) {
    for (u32 i = 0; i < FAIL_KINDS; i++) {
        const struct failing *f = &kinds[i];
        u64 asked = 0, offset;
        for_each_hart (h)
            asked += load_relaxed(&f->asked[h]);
        printer_printf(p, "%s:%u:%lu asked %lu failed %lu last", f->name, load_relaxed(&f->rate),
                       load_relaxed(&f->seed), asked, load_relaxed(&f->failed));
        for (u32 c = 0; c < CALLERS_DEPTH && f->last.at[c]; c++)
            printer_printf(p, " %s", symbol_name((u64)kernel_start + f->last.at[c] - 4, &offset));
        printer_printf(p, "\n");
    }
}

static int write_fail(const char *text, size_t n) {
    (void)n;
    store_relaxed(&writer, task_tgid(current));
    return fail_set(text);
}

void fail_init(void) { proc_add("xv39/fail", 0600, show_fail, write_fail); }
