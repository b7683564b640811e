/* Lab jos-ipc: the tests of the kernel that the handout does not have. */
#include "user/labtest/lab.h"
#include "user/labtest/given.h"

#define SENDERS 3
#define RECEIVERS 2

/* A message's word: who, the how many-th, and what the page that goes with it may be used for, or 0. */
static uint64_t word(int who, int number, int prot) {
    return (uint64_t)who << 32 | (uint64_t)number << 8 | (uint64_t)prot;
}

static int me, to[RECEIVERS];

static uint64_t draw(uint64_t below) {
    static uint64_t state;

    state =
        (state ? state : seed * 2 + (uint64_t)getpid()) * 6364136223846793005 + 1442695040888963407;
    return (state >> 33) % below;
}

static void sends(void) {
    static const int prots[] = {0, PROT_READ, RW};

    for (int i = 0; i < MESSAGES; i++) {
        for (int r = 0; r < RECEIVERS; r++) {
            int prot = prots[draw(3)];
            uint64_t value = word(me, i, prot);
            OK(sys_page_alloc(0, (void *)AT(0), RW));
            *AT(0) = value;
            OK(ipc_send(to[r], value, (void *)AT(0), prot));
        }
    }
}

static void check_page(const struct ipc_message *m, int prot) {
    EQ(m->prot, prot);
    if (!prot)
        return;
    EQ(*AT(1), m->value);
    if (prot & PROT_WRITE)
        *AT(1) = 0;
    else
        FAILS(EACCES, sys_page_map(0, (void *)AT(1), 0, (void *)AT(2), RW));
}

/* Gets all messages of all senders, each one's in order, with a page or without as it likes. */
static void receives(void) {
    struct ipc_message m;
    int next[SENDERS] = {0}, who;
    bool wants;

    for (int i = 0; i < SENDERS * MESSAGES; i++) {
        wants = draw(3);
        OK(sys_ipc_recv(&m, wants ? (void *)AT(1) : 0));
        who = (int)(m.value >> 32);
        CHECK(who < SENDERS);
        EQ(m.value >> 8 & 0xffffff, next[who]++);
        check_page(&m, wants ? (int)(m.value & 0xff) : 0);
    }
}

static void words_and_pages(void) {
    int pids[SENDERS];

    for (int i = 0; i < RECEIVERS; i++)
        to[i] = spawn(receives);
    for (me = 0; me < SENDERS; me++)
        pids[me] = spawn(sends);
    for (int i = 0; i < SENDERS; i++)
        wait_ok(pids[i]);
    for (int i = 0; i < RECEIVERS; i++)
        wait_ok(to[i]);
}

/* ---- a page that is to be given away */

/* One that it does not want, one that it does, and then one of a caller who waits for an answer. */
static void takes_some(void) {
    struct ipc_message m;

    OK(sys_ipc_recv(&m, 0));
    EQ(m.value, 1);
    EQ(m.prot, 0);
    take(&m, 2, RW);
    take(&m, 3, RW);
    OK(ipc_send((int)m.from, 4, (void *)AT(1), RW | GIVE));
    CHECK(!is_mapped(AT(1)));
}

static void given_or_kept(void) {
    struct ipc_message m;
    int child = spawn(takes_some);

    make_page(1);
    OK(ipc_send(child, 1, (void *)AT(0), RW | GIVE));
    EQ(*AT(0), 1);
    OK(sys_page_alloc(0, (void *)AT(3), PROT_READ));
    FAILS(EACCES, ipc_send(child, 2, (void *)AT(3), RW | GIVE)); /* it goes on waiting */
    CHECK(is_mapped(AT(3)));
    make_page(2);
    OK(ipc_send(child, 2, (void *)AT(0), RW | GIVE));
    CHECK(!is_mapped(AT(0)));
    make_page(3);
    until_asleep(child);
    OK(sys_ipc_call(child, 3, (void *)AT(0), RW | GIVE, &m, (void *)AT(1)));
    CHECK(!is_mapped(AT(0)));
    EQ(m.value, 4);
    EQ(m.prot, RW);
    EQ(*AT(1), 3);
    wait_ok(child);
}

const struct test hidden_tests[] = {
    {"words_and_pages", words_and_pages, 0},
    {"given_or_kept", given_or_kept, 0},
    {0, 0, 0},
};
