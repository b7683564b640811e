/* Lab msgq: the tests that the handout does not have. */
#include "user/labtest/lab.h"
#include "user/usertests/ut.h"
#include "abi/msg.h"

#define LONGEST 64

struct message {
    long type;
    char text[LONGEST];
};

static int queue;
static uint64_t state;

static uint64_t draw(uint64_t below) {
    state = state * 6364136223846793005ul + 1442695040888963407ul;
    return (state >> 33) % below;
}

static void make(void) {
    struct msqid64_ds ds;

    state = seed * 2 + 1;
    queue = (int)OK(sys_msgget(IPC_PRIVATE, 0600));
    OK(sys_msgctl(queue, IPC_STAT, &ds));
    ds.msg_qbytes = BYTES;
    OK(sys_msgctl(queue, IPC_SET, &ds));
}

static void gone(void) { OK(sys_msgctl(queue, IPC_RMID, 0)); }

/* ---- against a model: what is in the queue, in order */

static struct {
    struct message m;
    size_t size;
} in[2000];
static size_t count, bytes;

static void model_send(void) {
    struct message m = {.type = 1 + (long)draw(TYPES)};
    size_t size = draw(8) ? draw(LONGEST) : 0;
    bool room = bytes + size <= BYTES && count + 1 <= BYTES;
    long r;

    for (size_t i = 0; i < size; i++)
        m.text[i] = (char)draw(256);
    r = sys_msgsnd(queue, &m, size, IPC_NOWAIT);
    EQ(r, room ? 0 : -EAGAIN);
    if (room) {
        in[count].m = m;
        in[count++].size = size;
        bytes += size;
    }
}

static bool better(size_t i, size_t best, long type, bool except) {
    long t = in[i].m.type;

    if (type < 0)
        return t <= -type && (best == count || t < in[best].m.type);
    return best == count && (type == 0 || (t == type) != except);
}

static void model_receive(void) {
    struct message m;
    long type = (long)draw(2 * TYPES + 3) - TYPES - 1;
    bool except = type > 0 && draw(3) == 0, cut = draw(4) == 0;
    size_t room = draw(3) ? LONGEST : draw(LONGEST), best = count;
    long r;

    for (size_t i = 0; i < count; i++)
        best = better(i, best, type, except) ? i : best;
    r = sys_msgrcv(queue, &m, room, type,
                   IPC_NOWAIT | (except ? MSG_EXCEPT : 0) | (cut ? MSG_NOERROR : 0));
    if (best == count) {
        EQ(r, -ENOMSG);
        return;
    }
    if (in[best].size > room && !cut) {
        EQ(r, -E2BIG);
        return;
    }
    EQ(r, in[best].size < room ? in[best].size : room);
    EQ(m.type, in[best].m.type);
    EQ(memcmp(m.text, in[best].m.text, (size_t)r), 0);
    bytes -= in[best].size;
    count--;
    memmove(&in[best], &in[best + 1], (int)((count - best) * sizeof(in[0])));
}

static void like_the_model(void) {
    struct msqid64_ds ds;

    make();
    for (int i = 0; i < STEPS; i++) {
        if (draw(5) < 3)
            model_send();
        else
            model_receive();
        OK(sys_msgctl(queue, IPC_STAT, &ds));
        EQ(ds.msg_qnum, count);
        EQ(ds.msg_cbytes, bytes);
    }
    gone();
}

/* ---- many at once */

#define SENDERS 3
#define EACH 400

static int me;

static void sends(void) {
    struct message m;

    for (int i = 0; i < EACH; i++) {
        m.type = me + 1;
        memcpy(m.text, &i, sizeof(i));
        OK(sys_msgsnd(queue, &m, LONGEST / 2, 0));
    }
}

/* Gets all of one sender, in their order. */
static void receives(void) {
    struct message m;
    int n;

    for (int i = 0; i < EACH; i++) {
        EQ(OK(sys_msgrcv(queue, &m, LONGEST, me + 1, 0)), LONGEST / 2);
        memcpy(&n, m.text, sizeof(n));
        EQ(n, i);
    }
}

static void nothing_lost_or_doubled(void) {
    int pids[2 * SENDERS];

    make();
    for (me = 0; me < SENDERS; me++) {
        pids[2 * me] = spawn(sends);
        pids[2 * me + 1] = spawn(receives);
    }
    for (int i = 0; i < 2 * SENDERS; i++)
        wait_ok(pids[i]);
    gone();
}

static void one_too_many(void) {
    struct message m = {1, ""};

    FAILS(EIDRM, sys_msgsnd(queue, &m, LONGEST, 0));
}

static void memory_is_given_back(void) {
    struct message m = {1, ""};
    int pid;

    for (int round = 0; round < 150; round++) {
        make();
        while (sys_msgsnd(queue, &m, LONGEST, IPC_NOWAIT) == 0)
            ;
        pid = spawn(one_too_many);
        until_asleep(pid);
        gone();
        wait_ok(pid);
    }
}

const struct test hidden_tests[] = {
    {"like_the_model", like_the_model, 0},
    {"nothing_lost_or_doubled", nothing_lost_or_doubled, 0},
    {"memory_is_given_back", memory_is_given_back, 0},
    {0, 0, 0},
};
