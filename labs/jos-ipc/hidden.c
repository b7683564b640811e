/* Lab jos-ipc: the tests of the kernel that the handout does not have. */
#include "user/labtest/lab.h"
#include "user/usertests/ut.h"
#include "user/lib/exokernel.h"

#define AT(n) ((volatile uint64_t *)(0x1e00000000 + (n)*PAGE))
#define RW (PROT_READ | PROT_WRITE)
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

const struct test hidden_tests[] = {
    {"words_and_pages", words_and_pages, 0},
    {0, 0, 0},
};
