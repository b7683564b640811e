/* Lab sync: the tests that come with the handout. */
#include "user/labtest/sync.h"

static void reads_lock(void) {
    EQ(lock_call(0, READ), 0);
    EQ(lock_call(0, UNLOCK), 0);
}

static void writes_lock(void) {
    EQ(lock_call(0, WRITE), 0);
    EQ(lock_call(0, UNLOCK), 0);
}

/* Readers do not wait for readers; a writer sleeps until the last one has gone, and so do readers until he has. */
static void readers_and_writer(void) {
    int writer, readers[3];

    EQ(lock_call(0, READ), 0);
    EQ(lock_call(0, READ), 0);
    child_ok(reads_lock);
    writer = spawn(writes_lock);
    until_asleep(writer);
    EQ(lock_call(0, UNLOCK), 0);
    sleep_ms(20);
    EQ(proc_state(writer), 'S');
    EQ(lock_call(0, UNLOCK), 0);
    wait_ok(writer);
    EQ(lock_call(0, WRITE), 0);
    for (int i = 0; i < 3; i++)
        readers[i] = spawn(reads_lock);
    for (int i = 0; i < 3; i++)
        until_asleep(readers[i]);
    EQ(lock_call(0, UNLOCK), 0);
    for (int i = 0; i < 3; i++)
        wait_ok(readers[i]);
}

static void lock_errors(void) {
    FAILS(EINVAL, lock_call(LOCKS, READ));
    FAILS(EINVAL, lock_call(-1, READ));
    FAILS(EINVAL, lock_call(1, -1));
    FAILS(EINVAL, lock_call(1, 99));
    FAILS(EPERM, lock_call(1, UNLOCK));
    EQ(lock_call(1, READ), 0);
    EQ(lock_call(1, UNLOCK), 0);
    FAILS(EPERM, lock_call(1, UNLOCK));
    EQ(lock_call(LOCKS - 1, WRITE), 0);
    EQ(lock_call(LOCKS - 1, UNLOCK), 0);
}

static void pages_without_lock(void) {
    long before;

    use_pages(64);
    before = counted("buddy_lock");
    for (int i = 0; i < 100; i++)
        use_pages(USED);
    fewer("buddy_lock", before, 100 * USED / 4);
}

static void objects_without_lock(void) {
    long before;

    use_objects(10);
    before = counted("slab_lock");
    use_objects(1000);
    fewer("slab_lock", before, 1000);
}

const struct test public_tests[] = {
    {"readers_and_writer", readers_and_writer, 0},
    {"lock_errors", lock_errors, 0},
    {"pages_without_lock", pages_without_lock, 0},
    {"objects_without_lock", objects_without_lock, 0},
    {0, 0, 0},
};
