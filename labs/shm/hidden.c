/* Lab shm: the tests that the handout does not have. */
#include "user/labtest/lab.h"
#include "user/usertests/ut.h"
#include "abi/shm.h"

#define BYTES (SEGMENT_PAGES * 4096ul)
#define SLACK 8 /* pages that are given back while others are counted: what the last child had */

static long pages_free(void) { return proc_number("/proc/meminfo", "MemFree:") / 4; }

static int make(void) { return (int)OK(sys_shmget(IPC_PRIVATE, BYTES, 0600)); }
static void *attach(int id) { return (void *)OK(sys_shmat(id, 0, 0)); }
static void gone(int id) { OK(sys_shmctl(id, IPC_RMID, 0)); }

static long attached(int id) {
    struct shmid64_ds ds;

    OK(sys_shmctl(id, IPC_STAT, &ds));
    return (long)ds.shm_nattch;
}

/* ---- one writes numbers into a ring, the other takes them out */

struct ring {
    uint32_t in, out;
    uint64_t slot[SLOTS];
};
static int id;

static uint64_t number_of(uint32_t n) { return n * 0x9e3779b97f4a7c15ul ^ seed; }

/* Until *word is not `old` any more. */
static void await_change(const uint32_t *word, uint32_t old) {
    int64_t end = 0;

    for (int tries = 1; __atomic_load_n(word, __ATOMIC_ACQUIRE) == old; tries++) {
        sys_sched_yield();
        if (!end)
            end = now_ms() + 3000 * cases_patience;
        if (tries % 1000 == 0 && now_ms() > end)
            fail_at("ring", "what the other process writes does not come");
    }
}

static void takes(void) {
    struct ring *r = attach(id);

    for (uint32_t n = 0; n < NUMBERS; n++) {
        await_change(&r->in, n);
        EQ(r->slot[n % SLOTS], number_of(n));
        __atomic_store_n(&r->out, n + 1, __ATOMIC_RELEASE);
    }
}

static void ring(void) {
    struct ring *r;
    int pid;

    id = make();
    pid = spawn(takes);
    r = attach(id);
    for (uint32_t n = 0; n < NUMBERS; n++) {
        await_change(&r->out, n - SLOTS); /* there is room */
        r->slot[n % SLOTS] = number_of(n);
        __atomic_store_n(&r->in, n + 1, __ATOMIC_RELEASE);
    }
    wait_ok(pid);
    EQ(attached(id), 1);
    gone(id);
}

static void attaches_late(void) {
    volatile long *p = attach(id);

    EQ(p[100], 4711);
    p[101] = 1147;
    EQ(attached(id), 3); /* the parent, what fork gave us, and this one */
}

static void removed_but_attached(void) {
    volatile long *p;

    id = make();
    p = attach(id);
    p[100] = 4711;
    gone(id);
    child_ok(attaches_late);
    EQ(p[101], 1147);
    EQ(attached(id), 1);
    OK(sys_shmdt((void *)p));
    FAILS(EINVAL, sys_shmat(id, 0, 0));
}

static volatile char *area;

static void reads_all(void) {
    long before = pages_free();

    for (long i = 0; i < SEGMENT_PAGES; i++)
        EQ(area[i * 4096], (char)i);
    CHECK(before - pages_free() < SEGMENT_PAGES / 2); /* they are there already */
}

static void frames_are_given_back(void) {
    long before, used;

    for (int round = 0; round < 20; round++) {
        before = pages_free();
        id = make();
        area = attach(id);
        used = before - pages_free();
        CHECK(used < SEGMENT_PAGES / 2); /* nothing was touched yet */
        for (long i = 0; i < SEGMENT_PAGES; i++)
            area[i * 4096] = (char)i;
        used = before - pages_free();
        if (used < SEGMENT_PAGES - SLACK || used >= 2 * SEGMENT_PAGES)
            fail_at("pages", "round %d: %ld were taken, %d were touched", round, used,
                    SEGMENT_PAGES);
        child_ok(reads_all);
        if (round % 2) {
            OK(sys_shmdt((void *)area));
            gone(id);
        } else {
            gone(id);
            OK(sys_shmdt((void *)area));
        }
        for (int tries = 0; before - pages_free() > SEGMENT_PAGES / 2 && tries < 100; tries++)
            sleep_ms(10);
        CHECK(before - pages_free() <= SEGMENT_PAGES / 2);
    }
}

const struct test hidden_tests[] = {
    {"ring", ring, 0},
    {"removed_but_attached", removed_but_attached, 0},
    {"frames_are_given_back", frames_are_given_back, 0},
    {0, 0, 0},
};
