/* Lab sync: the tests that the handout does not have. */
#include "user/labtest/sync.h"

/* ---- locks */

static volatile long *shared; /* on a page that parent and children have */

static void reads_one(void) {
    EQ(lock_call(2, READ), 0);
    shared[0]++;
    EQ(lock_call(2, UNLOCK), 0);
}

static void writes_one(void) {
    EQ(lock_call(2, WRITE), 0);
    EQ(shared[0], 0); /* before the reader who came later */
    shared[0] = 10;
    EQ(lock_call(2, UNLOCK), 0);
}

static void writer_is_not_starved(void) {
    int writer, reader;

    shared = shared_page();
    EQ(lock_call(2, READ), 0);
    writer = spawn(writes_one);
    until_asleep(writer);
    reader = spawn(reads_one);
    until_asleep(reader);
    EQ(lock_call(2, UNLOCK), 0);
    wait_ok(writer);
    wait_ok(reader);
    EQ(shared[0], 11);
}

static void caught(int sig) { (void)sig; }

static void is_interrupted(void) {
    on_signal(SIGUSR1, caught, 0);
    FAILS(EINTR, lock_call(3, WRITE));
}

static void reads_three(void) {
    EQ(lock_call(3, READ), 0);
    EQ(lock_call(3, UNLOCK), 0);
}

/* A writer who gives up, by a signal or by his end, holds nobody off any more. */
static void writer_gives_up(void) {
    int writer, reader;

    EQ(lock_call(3, READ), 0);
    for (int round = 0; round < 2; round++) {
        writer = spawn(is_interrupted);
        until_asleep(writer);
        reader = spawn(reads_three);
        until_asleep(reader);
        OK(sys_kill(writer, round ? SIGKILL : SIGUSR1));
        if (round)
            CHECK((wait_status(writer) & 0x7f) == SIGKILL);
        else
            wait_ok(writer);
        wait_ok(reader); /* it must be woken, too */
    }
    EQ(lock_call(3, UNLOCK), 0);
}

#define ROUNDS 400

static void works(void) {
    for (int i = 0; i < ROUNDS; i++) {
        if (i % 3) {
            EQ(lock_call(4, READ), 0);
            long a = shared[0];
            if (i % 7 == 0)
                sys_sched_yield();
            EQ(shared[1], a);
        } else {
            EQ(lock_call(4, WRITE), 0);
            shared[0]++;
            if (i % 2)
                sys_sched_yield();
            shared[1]++;
        }
        EQ(lock_call(4, UNLOCK), 0);
    }
}

/* Nobody sees half of what a writer does, and nobody sleeps for ever. */
static void four_workers(void) {
    int pids[4];

    shared = shared_page();
    for (int i = 0; i < 4; i++)
        pids[i] = spawn(works);
    for (int i = 0; i < 4; i++)
        wait_ok(pids[i]);
    EQ(shared[0], 4 * ((ROUNDS + 2) / 3));
    EQ(shared[1], shared[0]);
    EQ(lock_call(4, WRITE), 0); /* it is free */
    EQ(lock_call(4, UNLOCK), 0);
}

/* ---- pages */

#define MANY 6000

static void many_pages_at_once(void) {
    long before;

    use_pages(MANY);
    before = counted("buddy_lock");
    use_pages(MANY);
    fewer("buddy_lock", before, MANY / 3);
}

static void uses_there(void) {
    on_hart(LAB_HARTS - 1);
    for (int i = 0; i < 100; i++)
        use_pages(USED);
    use_objects(500);
}

static void every_hart_has_its_own(void) {
    long pages = counted("buddy_lock"), objects = counted("slab_lock");
    int pid = spawn(uses_there);

    on_hart(0);
    for (int i = 0; i < 100; i++)
        use_pages(USED);
    use_objects(500);
    wait_ok(pid);
    fewer("buddy_lock", pages, 200 * USED / 4 + 300);
    fewer("slab_lock", objects, 1000 + 300);
}

/* Pages in free blocks of the buddies, by /proc/buddyinfo. */
static long in_blocks(void) {
    static char text[512];
    long n = 0;
    const char *p;

    OK(read_file("/proc/buddyinfo", text, sizeof(text)));
    p = strstr(text, "Normal");
    CHECK(p);
    p += 6;
    for (int order = 0; order <= 10; order++) {
        while (*p == ' ')
            p++;
        n += (long)atoi(p) << order;
        while (*p >= '0' && *p <= '9')
            p++;
    }
    return n;
}

/* One hart does not keep what another one may need. */
static void lists_have_an_end(void) {
    long kept;

    use_pages(MANY);
    kept = pages_free() - in_blocks();
    if (kept < 0 || kept > 1024 * LAB_HARTS)
        fail_at("lists", "%ld free pages are not in the buddies' blocks", kept);
}

static void takes_most(void) { use_pages(pages_free() * 8 / 10); }

static void most_of_it(void) {
    for (int i = 0; i < 4; i++) {
        on_hart(i % LAB_HARTS);
        child_ok(takes_most);
    }
}

/* What waits on a list is free. */
static void free_pages_are_counted(void) {
    volatile char *p = map_pages(64, RW);
    long first, before, now;

    *p = 1;
    first = before = pages_free();
    for (int i = 1; i < 41; i++) {
        p[i * PAGE] = 1;
        now = pages_free();
        if (before - now > 6)
            fail_at("MemFree", "fell by %ld for one page", before - now);
        before = now;
    }
    CHECK(first - now >= 38 && first - now < 80);
}

const struct test hidden_tests[] = {
    {"writer_is_not_starved", writer_is_not_starved, 0},
    {"writer_gives_up", writer_gives_up, 0},
    {"four_workers", four_workers, 0},
    {"many_pages_at_once", many_pages_at_once, 0},
    {"every_hart_has_its_own", every_hart_has_its_own, 0},
    {"lists_have_an_end", lists_have_an_end, 0},
    {"most_of_it", most_of_it, 0},
    {"free_pages_are_counted", free_pages_are_counted, 0},
    {0, 0, 0},
};
