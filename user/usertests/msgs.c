/* System V message queues. Each case holds what msgget(2), msgop(2), msgctl(2) or svipc(7) say of one call, flag, limit or
 * permission. */
#include "user/usertests/ut.h"
#include "abi/msg.h"

#define BOB 1001

static int id; /* of the queue that children of a case use, too */

static struct message {
    long type;
    char text[8192 + 1];
} sent, in;

static void make(void) { id = (int)OK(sys_msgget(IPC_PRIVATE, 0600)); }
static void gone(void) { OK(sys_msgctl(id, IPC_RMID, 0)); }

static long send(long type, const char *text, int flags) {
    sent.type = type;
    strcpy(sent.text, text);
    return sys_msgsnd(id, &sent, strlen(text), flags);
}

static long receive(size_t size, long type, int flags) {
    memset(&in, 0, sizeof(in));
    return sys_msgrcv(id, &in, size, type, flags);
}

/* The next message of this type, with these flags, has this text. */
static void expect(long type, int flags, const char *text) {
    EQ(OK(receive(100, type, flags | IPC_NOWAIT)), strlen(text));
    CHECK(strcmp(in.text, text) == 0);
}

static struct msqid64_ds status(void) {
    struct msqid64_ds ds;

    OK(sys_msgctl(id, IPC_STAT, &ds));
    return ds;
}

static void get_by_key(void) {
    int key = 0x39000000 + getpid();

    FAILS(ENOENT, sys_msgget(key, 0600));
    id = (int)OK(sys_msgget(key, IPC_CREAT | IPC_EXCL | 0600));
    FAILS(EEXIST, sys_msgget(key, IPC_CREAT | IPC_EXCL | 0600));
    EQ(sys_msgget(key, IPC_CREAT), id);
    EQ(sys_msgget(key, 0), id);
    gone();
    FAILS(EINVAL, send(1, "x", 0));
    FAILS(EINVAL, receive(1, 0, 0));
    FAILS(EINVAL, sys_msgctl(id, IPC_RMID, 0));
}

static void by_type(void) {
    make();
    OK(send(3, "three", 0));
    OK(send(1, "one", 0));
    OK(send(2, "two", 0));
    OK(send(1, "uno", 0));
    OK(send(5, "five", 0));
    OK(send(3, "tre", 0));
    expect(1, 0, "one");
    EQ(in.type, 1);
    expect(-2, 0, "uno");
    expect(-3, 0, "two");
    expect(3, MSG_EXCEPT, "five");
    expect(0, 0, "three");
    FAILS(ENOMSG, receive(100, -2, IPC_NOWAIT));
    FAILS(ENOMSG, receive(100, 4, IPC_NOWAIT));
    FAILS(ENOMSG, receive(100, 3, IPC_NOWAIT | MSG_EXCEPT));
    expect((long)(1ul << 63), 0, "tre");
    FAILS(ENOMSG, receive(100, 0, IPC_NOWAIT));
    gone();
}

static void sizes(void) {
    make();
    OK(send(1, "12345", 0));
    FAILS(E2BIG, receive(4, 0, 0));
    EQ(receive(4, 0, MSG_NOERROR), 4);
    CHECK(strcmp(in.text, "1234") == 0);
    OK(send(1, "", 0));
    EQ(receive(0, 0, 0), 0);
    memset(sent.text, 'z', sizeof(sent.text));
    sent.type = 9;
    OK(sys_msgsnd(id, &sent, 8192, 0));
    FAILS(EINVAL, sys_msgsnd(id, &sent, 8193, 0));
    EQ(receive(8192, 9, 0), 8192);
    CHECK(in.text[0] == 'z' && in.text[8191] == 'z' && in.text[8192] == 0);
    gone();
}

static void errors(void) {
    make();
    FAILS(EINVAL, send(0, "x", 0));
    FAILS(EINVAL, send(-1, "x", 0));
    FAILS(EINVAL, sys_msgsnd(id, &sent, -1ul, 0));
    FAILS(EINVAL, sys_msgrcv(id, &in, -1ul, 0, IPC_NOWAIT));
    FAILS(EFAULT, sys_msgsnd(id, unmapped_page(), 1, 0));
    FAILS(EINVAL, sys_msgsnd(-1, &sent, 1, 0));
    OK(send(1, "lost", 0));
    FAILS(EFAULT, sys_msgrcv(id, unmapped_page(), 10, 0, 0));
    EQ(status().msg_qnum, 0);
    FAILS(EINVAL, sys_msgctl(id, 99, 0));
    gone();
}

static void copies(void) {
    make();
    OK(send(7, "first", 0));
    OK(send(8, "second", 0));
    FAILS(EINVAL, receive(100, 0, MSG_COPY));
    FAILS(EINVAL, receive(100, 0, MSG_COPY | IPC_NOWAIT | MSG_EXCEPT));
    EQ(receive(100, 1, MSG_COPY | IPC_NOWAIT), 6);
    EQ(in.type, 8);
    CHECK(strcmp(in.text, "second") == 0);
    FAILS(ENOMSG, receive(100, 2, MSG_COPY | IPC_NOWAIT));
    FAILS(E2BIG, receive(2, 0, MSG_COPY | IPC_NOWAIT));
    EQ(status().msg_qnum, 2);
    gone();
}

static void what_stat_says(void) {
    int64_t before = clock_ms(CLOCK_REALTIME) / 1000;

    make();
    EQ(status().msg_qbytes, 16384);
    CHECK(status().msg_ctime >= before);
    EQ(status().msg_stime + status().msg_rtime + status().msg_lspid + status().msg_lrpid, 0);
    OK(send(1, "12345", 0));
    OK(send(1, "123", 0));
    EQ(status().msg_cbytes, 8);
    EQ(status().msg_qnum, 2);
    EQ(status().msg_lspid, getpid());
    CHECK(status().msg_stime >= before);
    EQ(receive(10, 0, 0), 5);
    EQ(status().msg_cbytes, 3);
    EQ(status().msg_lrpid, getpid());
    CHECK(status().msg_rtime >= before);
    gone();
}

static void receive_two(void) {
    EQ(receive(10, 2, 0), 3);
    CHECK(strcmp(in.text, "two") == 0);
}

static void receive_small(void) { FAILS(E2BIG, receive(1, 0, 0)); }

/* A message goes to the first one who waits for its type. */
static void handed_over(void) {
    int two, small, other;

    make();
    small = spawn(receive_small);
    until_asleep(small);
    two = spawn(receive_two);
    until_asleep(two);
    other = spawn(receive_two);
    until_asleep(other);
    OK(send(2, "two", 0));
    wait_ok(small);
    wait_ok(two);
    EQ(status().msg_qnum, 0);
    EQ(status().msg_lrpid, two);
    OK(send(3, "tree", 0));
    EQ(status().msg_qnum, 1);
    OK(send(2, "two", 0));
    wait_ok(other);
    EQ(status().msg_qnum, 1);
    gone();
}

static int nth;
static void send_nth(void) {
    char text[2] = {(char)('a' + nth), 0};
    OK(send(nth + 1, text, 0));
}

static void limit_bytes(uint64_t bytes) {
    struct msqid64_ds ds = status();

    ds.msg_qbytes = bytes;
    OK(sys_msgctl(id, IPC_SET, &ds));
}

/* Senders wait for room, and come in in the order in which they came. */
static void senders_in_order(void) {
    int pids[3];

    make();
    limit_bytes(3);
    OK(send(9, "xyz", 0));
    FAILS(EAGAIN, send(9, "x", IPC_NOWAIT));
    for (nth = 0; nth < 3; nth++) {
        pids[nth] = spawn(send_nth);
        until_asleep(pids[nth]);
    }
    expect(9, 0, "xyz");
    for (int i = 0; i < 3; i++)
        wait_ok(pids[i]);
    expect(-9, 0, "a");
    expect(0, 0, "b");
    expect(0, 0, "c");
    gone();
}

/* As many messages as bytes, even if they are empty. */
static void empty_messages(void) {
    make();
    limit_bytes(2);
    OK(send(1, "", IPC_NOWAIT));
    OK(send(1, "", IPC_NOWAIT));
    FAILS(EAGAIN, send(1, "", IPC_NOWAIT));
    limit_bytes(3);
    OK(send(1, "", IPC_NOWAIT));
    gone();
}

static void grown_for_a_sender(void) {
    int pid;

    make();
    limit_bytes(1);
    OK(send(1, "x", 0));
    nth = 1;
    pid = spawn(send_nth);
    until_asleep(pid);
    limit_bytes(2);
    wait_ok(pid);
    expect(2, 0, "b");
    gone();
}

static void expect_removed(void) { FAILS(EIDRM, receive(1, 5, 0)); }
static void send_to_removed(void) { FAILS(EIDRM, send(1, "xx", 0)); }
static void ignore(int sig) { (void)sig; }

static void receive_interrupted(void) {
    on_signal(SIGUSR1, ignore, SA_RESTART);
    FAILS(EINTR, receive(1, 5, 0));
}

static void send_interrupted(void) {
    on_signal(SIGUSR1, ignore, SA_RESTART);
    FAILS(EINTR, send(1, "xx", 0));
}

static void woken_otherwise(void) {
    void (*const ways[])(void) = {receive_interrupted, send_interrupted, expect_removed,
                                  send_to_removed,     expect_removed,   send_to_removed};
    int pids[6];

    make();
    limit_bytes(2);
    OK(send(1, "x", 0));
    for (int i = 0; i < 6; i++) {
        pids[i] = spawn(ways[i]);
        until_asleep(pids[i]);
    }
    OK(sys_kill(pids[0], SIGUSR1));
    OK(sys_kill(pids[1], SIGUSR1));
    wait_ok(pids[0]);
    wait_ok(pids[1]);
    kill_child(pids[4]);
    kill_child(pids[5]);
    gone();
    wait_ok(pids[2]);
    wait_ok(pids[3]);
}

static void as_bob(void) {
    struct msqid64_ds ds;

    become_user(BOB);
    FAILS(EACCES, send(1, "x", 0));
    FAILS(EACCES, receive(1, 0, IPC_NOWAIT));
    FAILS(EACCES, sys_msgctl(id, IPC_STAT, &ds));
    FAILS(EACCES, sys_msgctl(id % 32768, MSG_STAT, &ds));
    EQ(sys_msgctl(id % 32768, MSG_STAT_ANY, &ds), id);
    FAILS(EPERM, sys_msgctl(id, IPC_SET, &ds));
    FAILS(EPERM, sys_msgctl(id, IPC_RMID, 0));
}

static void writes_only(void) {
    become_user(BOB);
    OK(send(1, "from bob", 0));
    FAILS(EACCES, receive(10, 0, IPC_NOWAIT));
}

static void owns(void) {
    struct msqid64_ds ds;

    become_user(BOB);
    ds = status();
    ds.msg_qbytes = 16385;
    FAILS(EPERM, sys_msgctl(id, IPC_SET, &ds));
    ds.msg_qbytes = 100;
    OK(sys_msgctl(id, IPC_SET, &ds));
    EQ(status().msg_qbytes, 100);
    gone();
}

static void permissions(void) {
    struct msqid64_ds ds;

    make();
    child_ok(as_bob);
    ds = status();
    ds.msg_perm.mode = 0602;
    OK(sys_msgctl(id, IPC_SET, &ds));
    child_ok(writes_only);
    expect(0, 0, "from bob");
    ds.msg_perm.uid = BOB;
    ds.msg_qbytes = 20000; /* root may */
    OK(sys_msgctl(id, IPC_SET, &ds));
    child_ok(owns);
}

static void limits(void) {
    struct msginfo i;
    char line[128];
    static char text[8192];

    expect_file("/proc/sys/kernel/msgmax", "8192\n");
    expect_file("/proc/sys/kernel/msgmnb", "16384\n");
    expect_file("/proc/sys/kernel/msgmni", "32000\n");
    OK(sys_msgctl(0, IPC_INFO, &i));
    EQ(i.msgmax, 8192);
    EQ(i.msgmnb, 16384);
    EQ(i.msgmni, 32000);
    id = (int)OK(sys_msgget(0x4321, IPC_CREAT | 0620));
    OK(send(1, "hello", 0));
    CHECK(OK(sys_msgctl(0, MSG_INFO, &i)) >= id % 32768);
    CHECK(i.msgpool >= 1 && i.msgmap >= 1 && i.msgtql >= 5);
    OK(read_file("/proc/sysvipc/msg", text, sizeof(text)));
    CHECK(strncmp(text,
                  "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid",
                  74) == 0);
    snprintf(line, sizeof(line), "%10d %10d  %4o  %10d %10d %5d %5d     0     0", 0x4321, id, 0620,
             5, 1, getpid(), 0);
    CHECK(strstr(text, line) != 0);
    gone();
}

#define NUMBERS 400
static void count_down(void) {
    for (int i = 0; i < NUMBERS; i++) {
        struct {
            long type;
            int number;
        } m = {nth + 1, i};
        OK(sys_msgsnd(id, &m, sizeof(int), 0));
    }
}

/* Three senders through a small queue: nothing lost, nothing twice, each sender's in order. */
static void nothing_lost(void) {
    int pids[3], next[4] = {0};

    make();
    limit_bytes(40);
    for (nth = 0; nth < 3; nth++)
        pids[nth] = spawn(count_down);
    for (int i = 0; i < 3 * NUMBERS; i++) {
        struct {
            long type;
            int number;
        } m;
        EQ(OK(sys_msgrcv(id, &m, sizeof(int), i % 5 ? 0 : -3, 0)), 4);
        EQ(m.number, next[m.type]++);
    }
    for (int i = 0; i < 3; i++)
        wait_ok(pids[i]);
    EQ(status().msg_qnum, 0);
    gone();
}

const struct test msg_tests[] = {
    {"I3_msgget_by_key", get_by_key, 0},
    {"I3_msgrcv_by_type", by_type, 0},
    {"I3_msg_sizes", sizes, 0},
    {"I3_msg_errors", errors, 0},
    {"I3_msg_copy", copies, 0},
    {"I3_msg_stat", what_stat_says, 0},
    {"I3_msg_handed_over", handed_over, 0},
    {"I3_msg_senders_in_order", senders_in_order, 0},
    {"I3_msg_empty", empty_messages, 0},
    {"I3_msg_grown_for_a_sender", grown_for_a_sender, 0},
    {"I3_msg_woken_otherwise", woken_otherwise, 0},
    {"I3_msg_permissions", permissions, 0},
    {"I10_msg_limits", limits, 0},
    {"I3_msg_nothing_lost", nothing_lost, 0},
    {0, 0, 0},
};
