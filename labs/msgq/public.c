/* Lab msgq: the tests that come with the handout, beside usertests' I3_*. */
#include "user/labtest/lab.h"
#include "user/usertests/ut.h"
#include "abi/msg.h"

#define MSG_PICK 0100000

static const struct {
    long type;
    size_t size;
} sent[] = {{1, 5}, {2, 9}, {1, 12}, {1, 3}, {2, 2}, {1, 12}, {1, 3}, {1, 7}};

enum { longest, shortest, newest };

/* Which of those of the type, or of all when it is 0, that are still there. */
static size_t wanted(long type, const bool *taken) {
    size_t best = ARRAY_LEN(sent);

    for (size_t i = 0; i < ARRAY_LEN(sent); i++) {
        if (taken[i] || (type && sent[i].type != type))
            continue;
        if (best == ARRAY_LEN(sent) || RULE == newest ||
            (RULE == longest && sent[i].size > sent[best].size) ||
            (RULE == shortest && sent[i].size < sent[best].size))
            best = i;
    }
    return best;
}

static void one_of_those_that_suit(void) {
    static const long ask[] = {1, 0, 2, 1, 1, 0, 0, 0};
    int queue = (int)OK(sys_msgget(IPC_PRIVATE, 0600));
    bool taken[ARRAY_LEN(sent)] = {false};
    struct {
        long type;
        char text[16];
    } m;

    for (size_t i = 0; i < ARRAY_LEN(sent); i++) {
        m.type = sent[i].type;
        m.text[0] = (char)i;
        OK(sys_msgsnd(queue, &m, sent[i].size, 0));
    }
    for (size_t i = 0; i < ARRAY_LEN(ask); i++) {
        size_t which = wanted(ask[i], taken);
        EQ(sys_msgrcv(queue, &m, sizeof(m.text), ask[i], MSG_PICK | IPC_NOWAIT), sent[which].size);
        EQ(m.text[0], which);
        taken[which] = true;
    }
    FAILS(ENOMSG, sys_msgrcv(queue, &m, sizeof(m.text), 0, MSG_PICK | IPC_NOWAIT));
    OK(sys_msgctl(queue, IPC_RMID, 0));
}

const struct test public_tests[] = {
    {"one_of_those_that_suit", one_of_those_that_suit, 0},
    {0, 0, 0},
};
