/* ipcdemo [scene...]: three problems of every textbook, with System V's calls, in which processes that share nothing else
 * have memory and semaphores in common. docs/ipc.md explains them.
 *
 *   buffer        two producers and two consumers, a ring with room for a few items, two semaphores and a lock
 *   philosophers  five at a table with five forks: both forks in one semop(), so nobody holds one and waits for the other
 *   readers       many may read at once, who writes is alone: a semaphore that counts readers, and waiting for zero */
#include "user/lib/tool.h"
#include "abi/sem.h"
#include "abi/shm.h"
#include "abi/wait.h"

#define ROUNDS 500

/* In the segment that all processes of a scene attach. */
static struct table {
    long ring[4], put_at, take_at, sum, taken;
    bool holds[5]; /* philosopher i has his forks */
    long version, copy, meals, wrong;
} * table;

static int sems;

static long checked(const char *what, long r) {
    if (r < 0 && r >= -4095)
        die("%s: %s", what, errstr(r));
    return r;
}

static void begin(int nsems) {
    int id = (int)checked("shmget", sys_shmget(IPC_PRIVATE, sizeof(*table), 0600));

    table = (struct table *)checked("shmat", sys_shmat(id, 0, 0));
    sys_shmctl(id, IPC_RMID, 0); /* goes with the last who has it */
    sems = (int)checked("semget", sys_semget(IPC_PRIVATE, nsems, 0600));
}

static void end(void) {
    sys_semctl(sems, 0, IPC_RMID, 0);
    sys_shmdt(table);
}

static void set(int number, int value) { sys_semctl(sems, number, SETVAL, (uint64_t)value); }

static struct sembuf by(int number, int change) {
    return (struct sembuf){(uint16_t)number, (int16_t)change, SEM_UNDO};
}

/* Up to two steps at once: all or none. */
static void operate(struct sembuf a, struct sembuf b, int n) {
    struct sembuf steps[] = {a, b};

    checked("semop", sys_semop(sems, steps, (size_t)n));
}
static void step(int number, int change) {
    struct sembuf one = {(uint16_t)number, (int16_t)change, 0};

    operate(one, one, 1);
}

/* n processes, each with its number. True: all ended well. */
static bool run_all(int n, void (*f)(int)) {
    bool good = true;
    int status;

    for (int i = 0; i < n; i++)
        if (fork() == 0) {
            f(i);
            sys_exit_group(0);
        }
    while (sys_wait4(-1, &status, 0, 0) > 0)
        good &= status == 0;
    return good;
}

/* ---- buffer */

enum { FREE, USED, LOCK };

static void put(long item) {
    step(FREE, -1);
    step(LOCK, -1);
    table->ring[table->put_at++ % 4] = item;
    step(LOCK, 1);
    step(USED, 1);
}

static void take(void) {
    step(USED, -1);
    step(LOCK, -1);
    table->sum += table->ring[table->take_at++ % 4];
    table->taken++;
    step(LOCK, 1);
    step(FREE, 1);
}

static void produce_or_consume(int me) {
    for (long i = 0; i < ROUNDS; i++)
        me < 2 ? put(i) : take();
}

static bool buffer(void) {
    begin(3);
    set(FREE, 4);
    set(LOCK, 1);
    bool good = run_all(4, produce_or_consume) && table->sum == (long)ROUNDS * (ROUNDS - 1);
    printf("buffer: %ld items through 4 places, their sum %ld\n", table->taken, table->sum);
    end();
    return good;
}

/* ---- philosophers: semaphore i is the fork to the left of philosopher i */

static void dine(int me) {
    int left = me, right = (me + 1) % 5;

    for (int i = 0; i < ROUNDS; i++) {
        operate(by(left, -1), by(right, -1), 2);
        table->holds[me] = true;
        if (table->holds[(me + 1) % 5] || table->holds[(me + 4) % 5])
            table->wrong++;
        __atomic_add_fetch(&table->meals, 1, __ATOMIC_RELAXED);
        sys_sched_yield();
        table->holds[me] = false;
        operate(by(left, 1), by(right, 1), 2);
    }
}

static bool philosophers(void) {
    begin(5);
    for (int i = 0; i < 5; i++)
        set(i, 1);
    bool good = run_all(5, dine) && table->wrong == 0;
    printf("philosophers: %ld meals, %ld with a fork that a neighbour had\n", table->meals,
           table->wrong);
    good &= table->meals == 5 * ROUNDS;
    end();
    return good;
}

/* ---- readers */

enum { READERS, WRITER };

/* A reader waits until nobody writes and counts itself, in one operation. A writer waits until nobody reads or writes. */
static void read_once(void) {
    struct sembuf nobody_writes = {WRITER, 0, 0};

    operate(nobody_writes, by(READERS, 1), 2);
    if (table->version != table->copy)
        table->wrong++;
    operate(by(READERS, -1), by(READERS, -1), 1);
}

static void write_once(void) {
    struct sembuf steps[] = {{READERS, 0, 0}, {WRITER, 0, 0}, {WRITER, 1, 0}};

    checked("semop", sys_semop(sems, steps, 3));
    table->version++;
    sys_sched_yield();
    table->copy = table->version;
    step(WRITER, -1);
}

static void read_or_write(int me) {
    for (int i = 0; i < ROUNDS; i++)
        me < 4 ? read_once() : write_once();
}

static bool readers(void) {
    begin(2);
    bool good = run_all(6, read_or_write) && table->wrong == 0;
    printf("readers: %ld versions, %ld seen half written\n", table->version, table->wrong);
    good &= table->version == 2 * ROUNDS;
    end();
    return good;
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        bool (*play)(void);
    } scenes[] = {{"buffer", buffer}, {"philosophers", philosophers}, {"readers", readers}};
    int played = 0, bad = 0;

    tool_name(argv[0]);
    for (size_t i = 0; i < ARRAY_LEN(scenes); i++) {
        bool wanted = argc < 2;
        for (char **name = argv + 1; *name; name++)
            wanted |= strcmp(*name, scenes[i].name) == 0;
        if (!wanted)
            continue;
        played++;
        if (!scenes[i].play()) {
            warn("%s: a wrong result", scenes[i].name);
            bad = 1;
        }
    }
    if (!played)
        die("usage: ipcdemo [buffer|philosophers|readers]...");
    return bad;
}
