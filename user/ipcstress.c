/* ipcstress [-s seed] [-t milliseconds] [mechanism...]: messages with numbers through one mechanism after the other, between
 * processes that are killed at random moments and started again.
 *
 * SENDERS lanes each have a sender, who numbers its messages; any receiver may get any of them. A number is noted as
 * `tried` before it is sent and as `sent` afterwards, so of a killed sender one message is in doubt; a killed receiver may
 * have had one in its hand. All others must arrive, once, and in the order of their lane. Mechanisms that carry no
 * messages (semaphores, memory, eventfd, timerfd) have counts that must agree in the same way. */
#include "user/lib/tool.h"
#include "abi/eventfd.h"
#include "abi/fcntl.h"
#include "abi/futex.h"
#include "abi/mman.h"
#include "abi/mqueue.h"
#include "abi/msg.h"
#include "abi/poll.h"
#include "abi/prctl.h"
#include "abi/resource.h"
#include "abi/sem.h"
#include "abi/shm.h"
#include "abi/signal.h"
#include "abi/socket.h"
#include "abi/uio.h"
#include "abi/wait.h"

enum {
    SENDERS = 4,
    RECEIVERS = 4,
    CHILDREN = SENDERS + RECEIVERS,
    NUMBERS = 1 << 24, /* more than a minute can send; as many as signalfd_send has bits for */
    STUCK_S = 30
};

struct message {
    uint32_t lane, number;
    uint64_t check;
    char fill[48];
};

#define RING 64
static struct shared {
    volatile uint32_t tried[SENDERS], sent[SENDERS];
    volatile uint32_t got; /* by receivers; the rest is atomic too */
    volatile int pid[CHILDREN];
    volatile int inside, wrong;
    /* futex */
    struct robust_list node;
    volatile uint32_t lock;
    volatile uint32_t head, tail;
    struct message ring[RING];
    uint64_t seen[SENDERS][NUMBERS / 64];
} * all;

static int self = -1; /* index of this child; -1: the parent */
static int fds[2], more_fds[SENDERS][2], id, timer;
static int64_t started;

static int64_t now_ns(void) {
    struct timespec t;
    sys_clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000 + t.tv_nsec;
}

static long must(const char *what, long r) {
    if (r < 0 && r >= -4095)
        die("%s: %s", what, errstr(r));
    return r;
}
#define MUST(call) must(#call, (long)(call))

/* Of a transfer: 1, or 0 if it has to be tried again (or there is nothing). */
static bool moved(const char *what, long r, long size) {
    if (r == -EAGAIN || r == -EINTR || r == -ENOMSG || r == -ENOBUFS)
        return false;
    if (must(what, r) != size)
        die("%s: %ld bytes", what, r);
    return true;
}

/* ---- pipe, fifo */

static void pipe_open(void) { MUST(sys_pipe2(fds, 0)); }
static void pipe_direct(void) { MUST(sys_pipe2(fds, O_DIRECT)); }

static bool fd_send(const struct message *m) {
    return moved("write", sys_write(fds[1], m, sizeof(*m)), sizeof(*m));
}
static bool ready(int fd) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    struct timespec zero = {0, 0};
    return sys_ppoll(&p, 1, &zero, 0, 8) == 1;
}
static bool fd_recv(struct message *m, bool wait) {
    if (!wait && !ready(fds[0]))
        return false;
    return moved("read", sys_read(fds[0], m, sizeof(*m)), sizeof(*m));
}
static void fd_close(void) {
    sys_close(fds[0]);
    sys_close(fds[1]);
}

static void fifo_open(void) {
    sys_unlinkat(AT_FDCWD, "/tmp/ipcstress", 0);
    MUST(sys_mknodat(AT_FDCWD, "/tmp/ipcstress", S_IFIFO | 0600, 0));
    fds[0] = fds[1] = (int)MUST(sys_openat(AT_FDCWD, "/tmp/ipcstress", O_RDWR, 0));
}
static int fifo_end(int flags) {
    return (int)MUST(sys_openat(AT_FDCWD, "/tmp/ipcstress", flags, 0));
}
static bool fifo_send(const struct message *m) {
    int fd = fifo_end(O_WRONLY);
    bool done = moved("write", sys_write(fd, m, sizeof(*m)), sizeof(*m));
    sys_close(fd);
    return done;
}
static bool fifo_recv(struct message *m, bool wait) {
    int fd = fifo_end(wait ? O_RDONLY : O_RDONLY | O_NONBLOCK);
    bool done = moved("read", sys_read(fd, m, sizeof(*m)), sizeof(*m));
    sys_close(fd);
    return done;
}
static void fifo_close(void) {
    sys_close(fds[0]);
    sys_unlinkat(AT_FDCWD, "/tmp/ipcstress", 0);
}

/* Through a second pipe, by pages: from fds[1] to fds[0] go whole slots. */
static void splice_open(void) { MUST(sys_pipe2(fds, O_DIRECT)); }
static bool splice_send(const struct message *m) {
    struct iovec v = {(void *)m, sizeof(*m)};
    static int own[2];
    if (!own[1])
        MUST(sys_pipe2(own, 0));
    MUST(sys_vmsplice(own[1], &v, 1, 0));
    bool done = moved("splice", sys_splice(own[0], 0, fds[1], 0, sizeof(*m), 0), sizeof(*m));
    if (done) /* the page is the receiver's too, until it has read */
        ((struct message *)MUST(sys_mmap((void *)m, 4096, PROT_READ | PROT_WRITE,
                                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0)))
            ->lane = (uint32_t)self;
    return done;
}

/* ---- System V messages, POSIX message queues */

struct typed {
    long type;
    struct message m;
};
static void msg_open(void) { id = (int)MUST(sys_msgget(IPC_PRIVATE, 0600)); }
static bool msg_send(const struct message *m) {
    struct typed t = {1 + m->lane, *m};
    return moved("msgsnd", sys_msgsnd(id, &t, sizeof(*m), 0), 0);
}
static bool msg_recv(struct message *m, bool wait) {
    struct typed t;
    long type = self < 0 || self % 2 ? 0 : -SENDERS; /* the first, or of the lowest type */
    bool done =
        moved("msgrcv", sys_msgrcv(id, &t, sizeof(*m), type, wait ? 0 : IPC_NOWAIT), sizeof(*m));
    *m = t.m;
    return done;
}
static void msg_close(void) { sys_msgctl(id, IPC_RMID, 0); }

static void mq_open(void) {
    struct mq_attr a = {.mq_maxmsg = 10, .mq_msgsize = sizeof(struct message)};
    sys_mq_unlink("ipcstress");
    id = (int)MUST(sys_mq_open("ipcstress", O_RDWR | O_CREAT, 0600, &a));
}
static bool mq_send(const struct message *m) {
    return moved("mq_timedsend", sys_mq_timedsend(id, m, sizeof(*m), m->lane % 2, 0), 0);
}
static bool mq_recv(struct message *m, bool wait) {
    struct timespec past = {0, 0};
    long r = sys_mq_timedreceive(id, m, sizeof(*m), 0, wait ? 0 : &past);
    return r != -ETIMEDOUT && moved("mq_timedreceive", r, sizeof(*m));
}
static void mq_close(void) {
    sys_close(id);
    sys_mq_unlink("ipcstress");
}

/* ---- futex: a ring in memory, under a robust lock */

static struct robust_list_head robust;

static void futex_wait(volatile uint32_t *word, uint32_t value) {
    struct timespec t = {0, 50000000}; /* who should wake may be killed before it does */
    sys_futex((uint32_t *)word, FUTEX_WAIT, value, &t, 0, 0);
}
static void no_open(void) {}
static void lock(void) {
    static uint32_t registered;
    uint32_t me = (uint32_t)sys_gettid(), old = 0;

    if (registered != me) {
        robust = (struct robust_list_head){
            {&robust.list}, (int64_t)((char *)&all->lock - (char *)&all->node), 0};
        MUST(sys_set_robust_list(&robust, sizeof(robust)));
        registered = me;
    }
    robust.list_op_pending = &all->node;
    while (!__atomic_compare_exchange_n(&all->lock, &old, me, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST)) {
        if (old & FUTEX_OWNER_DIED) {
            me |= FUTEX_WAITERS;
            continue;
        }
        if (old & FUTEX_WAITERS ||
            __atomic_compare_exchange_n(&all->lock, &old, old | FUTEX_WAITERS, false,
                                        __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
            futex_wait(&all->lock, old | FUTEX_WAITERS);
        me |= FUTEX_WAITERS;
        old = 0;
    }
    all->node.next = &robust.list;
    robust.list.next = &all->node;
    robust.list_op_pending = 0;
}
static void unlock(void) {
    robust.list_op_pending = &all->node;
    robust.list.next = &robust.list;
    if (__atomic_exchange_n(&all->lock, 0, __ATOMIC_SEQ_CST) & FUTEX_WAITERS)
        sys_futex((uint32_t *)&all->lock, FUTEX_WAKE, 1, 0, 0, 0);
    robust.list_op_pending = 0;
}
static bool futex_send(const struct message *m) {
    lock();
    uint32_t tail = all->tail;
    bool room = all->head - tail < RING;
    if (room) {
        all->ring[all->head % RING] = *m;
        __atomic_store_n(&all->head, all->head + 1, __ATOMIC_SEQ_CST);
    }
    unlock();
    if (room)
        sys_futex((uint32_t *)&all->head, FUTEX_WAKE, 1, 0, 0, 0);
    else
        futex_wait(&all->tail, tail);
    return room;
}
static bool futex_recv(struct message *m, bool wait) {
    lock();
    uint32_t head = all->head;
    bool any = head != all->tail;
    if (any) {
        *m = all->ring[all->tail % RING];
        __atomic_store_n(&all->tail, all->tail + 1, __ATOMIC_SEQ_CST);
    }
    unlock();
    if (any)
        sys_futex((uint32_t *)&all->tail, FUTEX_WAKE, 1, 0, 0, 0);
    else if (wait)
        futex_wait(&all->head, head);
    return any;
}

/* ---- sockets of the UNIX domain: with each message comes an eventfd that has counted to its number */

static void stream_open(void) { MUST(sys_socketpair(AF_UNIX, SOCK_STREAM, 0, fds)); }
static void dgram_open(void) { MUST(sys_socketpair(AF_UNIX, SOCK_DGRAM, 0, fds)); }
static void seqpacket_open(void) { MUST(sys_socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds)); }

struct rights {
    struct cmsghdr h;
    int fd, pad;
};
static bool socket_send(const struct message *m) {
    struct rights r = {{CMSG_LEN(4), SOL_SOCKET, SCM_RIGHTS}, 0, 0};
    struct iovec v = {(void *)m, sizeof(*m)};
    struct msghdr h = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = &r, .msg_controllen = sizeof(r)};

    r.fd = (int)MUST(sys_eventfd2(m->number + 1, 0));
    bool done = moved("sendmsg", sys_sendmsg(fds[1], &h, 0), sizeof(*m));
    sys_close(r.fd);
    return done;
}
static bool socket_recv(struct message *m, bool wait) {
    struct rights r;
    struct iovec v = {m, sizeof(*m)};
    struct msghdr h = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = &r, .msg_controllen = sizeof(r)};
    uint64_t count = 0;

    if (!moved("recvmsg", sys_recvmsg(fds[0], &h, wait ? 0 : MSG_DONTWAIT), sizeof(*m)))
        return false;
    if (h.msg_controllen < CMSG_LEN(4))
        die("no descriptor came along");
    MUST(sys_read(r.fd, &count, sizeof(count)));
    if (count != m->number + 1)
        die("the descriptor of another message: %lu, not %u", count, m->number + 1);
    sys_close(r.fd);
    return true;
}

/* ---- epoll: each lane has a pipe, receivers wait for all of them; half of them by a set in a set */

static void epoll_open(void) {
    fds[0] = (int)MUST(sys_epoll_create1(0));
    fds[1] = (int)MUST(sys_epoll_create1(0));
    for (uint32_t i = 0; i < SENDERS; i++) {
        struct epoll_event e = {EPOLLIN | (i % 2 ? EPOLLEXCLUSIVE : 0), i};
        MUST(sys_pipe2(more_fds[i], O_NONBLOCK));
        MUST(sys_epoll_ctl(fds[0], EPOLL_CTL_ADD, more_fds[i][0], &e));
    }
    struct epoll_event e = {EPOLLIN, 0};
    MUST(sys_epoll_ctl(fds[1], EPOLL_CTL_ADD, fds[0], &e));
}
static bool epoll_send(const struct message *m) {
    struct pollfd p = {.fd = more_fds[m->lane][1], .events = POLLOUT};
    if (moved("write", sys_write(p.fd, m, sizeof(*m)), sizeof(*m)))
        return true;
    MUST(sys_ppoll(&p, 1, 0, 0, 8));
    return false;
}
static bool epoll_recv(struct message *m, bool wait) {
    struct epoll_event e = {0, 0};
    if (self % 2 && wait)
        MUST(sys_epoll_pwait(fds[1], &e, 1, -1, 0, 8));
    if (MUST(sys_epoll_pwait(fds[0], &e, 1, wait && !(self % 2) ? -1 : 0, 0, 8)) == 0)
        return false;
    return moved("read", sys_read(more_fds[e.data][0], m, sizeof(*m)), sizeof(*m));
}
static void epoll_close(void) {
    for (int i = 0; i < SENDERS; i++) {
        sys_close(more_fds[i][0]);
        sys_close(more_fds[i][1]);
    }
    fd_close();
}

/* ---- signalfd: queued signals, whose value is lane and number */

#define SIGNAL 40
static void signalfd_open(void) {
    sigset_t set = SIGMASK(SIGNAL);
    MUST(sys_rt_sigprocmask(SIG_BLOCK, &set, 0, 8));
    fds[0] = (int)MUST(sys_signalfd4(-1, &set, 8, SFD_NONBLOCK));
}
static bool signalfd_send(const struct message *m) {
    struct siginfo info = {.si_signo = SIGNAL, .si_code = -1};
    int to = all->pid[SENDERS + m->lane % RECEIVERS];
    info.si_value.sival_int = (int)(m->lane << 24 | m->number);
    if (to == 0 || sys_rt_sigqueueinfo(to, SIGNAL, &info) != 0) {
        sys_sched_yield();
        return false;
    }
    return true;
}
static uint64_t mix(uint32_t lane, uint32_t number) {
    return ((uint64_t)lane << 40 | number) * 0x9e3779b97f4a7c15;
}
static bool signalfd_recv(struct message *m, bool wait) {
    struct pollfd p = {.fd = fds[0], .events = POLLIN};
    struct signalfd_siginfo s;
    if (wait)
        MUST(sys_ppoll(&p, 1, 0, 0, 8));
    if (!moved("signalfd", sys_read(fds[0], &s, sizeof(s)), sizeof(s)))
        return false;
    m->lane = (uint32_t)s.ssi_int >> 24;
    m->number = (uint32_t)s.ssi_int & 0xffffff;
    m->check = mix(m->lane, m->number);
    return true;
}
static void signalfd_close(void) { sys_close(fds[0]); }

/* ---- counts */

static void eventfd_open(void) { fds[0] = fds[1] = (int)MUST(sys_eventfd2(0, EFD_SEMAPHORE)); }
static bool eventfd_send(const struct message *m) {
    uint64_t one = 1;
    (void)m;
    return moved("write", sys_write(fds[1], &one, 8), 8);
}
static bool eventfd_recv(struct message *m, bool wait) {
    uint64_t one;
    (void)m;
    return (wait || ready(fds[0])) && moved("read", sys_read(fds[0], &one, 8), 8);
}

/* Each lane counts in a cell of a segment; receivers attach it twice and must see the same. */
static void shm_open(void) { id = (int)MUST(sys_shmget(IPC_PRIVATE, 4 * 4096, 0600)); }
static bool shm_send(const struct message *m) {
    volatile uint32_t *cell = (void *)MUST(sys_shmat(id, 0, 0));
    cell[1024 * m->lane]++;
    if (random_below(8)) /* the others leave it to the end of the process */
        sys_shmdt((void *)cell);
    else if (random_below(1000) == 0)
        sys_exit_group(0);
    return true;
}
static bool shm_recv(struct message *m, bool wait) {
    (void)m;
    volatile uint32_t *a = (void *)MUST(sys_shmat(id, 0, SHM_RDONLY)), sum = 0;
    volatile uint32_t *b = (void *)MUST(sys_shmat(id, 0, 0));
    for (int i = 0; i < SENDERS; i++) {
        uint32_t old = b[1024 * i];
        if (a[1024 * i] < old)
            die("two views of a segment differ");
        sum += a[1024 * i];
    }
    sys_shmdt((void *)a);
    sys_shmdt((void *)b);
    all->got = wait ? 0 : sum;
    return false;
}
static void shm_close(void) {
    struct shmid64_ds ds;
    MUST(sys_shmctl(id, IPC_STAT, &ds));
    if (ds.shm_nattch)
        die("%lu processes are still attached", ds.shm_nattch);
    sys_shmctl(id, IPC_RMID, 0);
}

/* Tokens move between eight semaphores, the ninth is a lock that is undone. */
enum { TOKENS = 100, LOCK = 8 };
static void sem_open(void) {
    id = (int)MUST(sys_semget(IPC_PRIVATE, 9, 0600));
    MUST(sys_semctl(id, 0, SETVAL, TOKENS));
    MUST(sys_semctl(id, LOCK, SETVAL, 1));
    all->inside = 0;
}
static bool sem_send(const struct message *m) {
    int16_t n = (int16_t)(1 + random_below(5));
    struct sembuf move[] = {{(uint16_t)random_below(8), (int16_t)-n, IPC_NOWAIT},
                            {(uint16_t)random_below(8), n, IPC_NOWAIT}};
    (void)m;
    sys_semop(id, move, 2);
    struct sembuf lock_it = {LOCK, -1, SEM_UNDO}, unlock_it = {LOCK, 1, SEM_UNDO};
    MUST(sys_semop(id, &lock_it, 1));
    all->inside = self + 1;
    sys_sched_yield();
    if (all->inside != self + 1)
        die("two at once have the lock");
    MUST(sys_semop(id, &unlock_it, 1));
    __atomic_fetch_add(&all->got, 1, __ATOMIC_RELAXED);
    return true;
}
static bool sem_recv(struct message *m, bool wait) {
    uint16_t value[9], sum = 0;
    (void)m, (void)wait;
    MUST(sys_semctl(id, 0, GETALL, (uint64_t)value));
    for (int i = 0; i < 8; i++)
        sum = (uint16_t)(sum + value[i]);
    if (sum != TOKENS)
        die("%u tokens", sum);
    return false;
}
static void sem_close(void) {
    if (MUST(sys_semctl(id, LOCK, GETVAL, 0)) != 1)
        die("a dead process has the lock");
    sys_semctl(id, 0, IPC_RMID, 0);
}

/* Receivers share a timer and its periods; senders poll it, and make timers of their own. */
enum { PERIOD_NS = 1000000 };
static void timerfd_open(void) {
    struct itimerspec t = {{0, PERIOD_NS}, {0, PERIOD_NS}};
    timer = (int)MUST(sys_timerfd_create(CLOCK_MONOTONIC, 0));
    started = now_ns();
    MUST(sys_timerfd_settime(timer, 0, &t, 0));
}
static bool timerfd_send(const struct message *m) {
    struct itimerspec t = {{0, 0}, {0, 1 + random_below(100000)}};
    struct pollfd p[2] = {{.fd = timer, .events = POLLIN}, {.events = POLLIN}};
    p[1].fd = (int)MUST(sys_timerfd_create(CLOCK_MONOTONIC, 0));
    (void)m;
    MUST(sys_timerfd_settime(p[1].fd, 0, &t, 0));
    MUST(sys_ppoll(p + random_below(2), 1, 0, 0, 8));
    sys_close(p[1].fd);
    return true;
}
static bool timerfd_recv(struct message *m, bool wait) {
    uint64_t n;
    (void)m;
    if (!wait && !ready(timer))
        return false;
    if (moved("timerfd", sys_read(timer, &n, 8), 8))
        __atomic_fetch_add(&all->got, (uint32_t)n, __ATOMIC_RELAXED);
    return false;
}
static void timerfd_close(void) {
    int64_t most = (now_ns() - started) / PERIOD_NS;
    struct itimerspec left;
    MUST(sys_timerfd_gettime(timer, &left));
    if (all->got > most)
        die("%u periods were told of, and only %ld went by", all->got, most);
    if (all->got + 1000 < most) /* what receivers had read when they were stopped at the end */
        die("%u periods were told of, and %ld went by", all->got, most);
    sys_close(timer);
}

/* ---- the frame */

enum { MESSAGES, COUNTS, OTHER }; /* `got` is counted here; counted by recv; not to be compared */
static const struct mechanism {
    const char *name;
    void (*open)(void);
    bool (*send)(const struct message *m);
    bool (*recv)(struct message *m, bool wait);
    void (*close)(void);
    int kind;
    bool spare; /* receivers are not killed */
} mechanisms[] = {
    {"pipe", pipe_open, fd_send, fd_recv, fd_close, MESSAGES, 0},
    {"packets", pipe_direct, fd_send, fd_recv, fd_close, MESSAGES, 0},
    {"splice", splice_open, splice_send, fd_recv, fd_close, MESSAGES, 0},
    {"fifo", fifo_open, fifo_send, fifo_recv, fifo_close, MESSAGES, 0},
    {"msg", msg_open, msg_send, msg_recv, msg_close, MESSAGES, 0},
    {"mq", mq_open, mq_send, mq_recv, mq_close, MESSAGES, 0},
    {"futex", no_open, futex_send, futex_recv, no_open, MESSAGES, 0},
    {"stream", stream_open, socket_send, socket_recv, fd_close, MESSAGES, 0},
    {"dgram", dgram_open, socket_send, socket_recv, fd_close, MESSAGES, 0},
    {"seqpacket", seqpacket_open, socket_send, socket_recv, fd_close, MESSAGES, 0},
    {"epoll", epoll_open, epoll_send, epoll_recv, epoll_close, MESSAGES, 0},
    {"signalfd", signalfd_open, signalfd_send, signalfd_recv, signalfd_close, MESSAGES, 1},
    {"eventfd", eventfd_open, eventfd_send, eventfd_recv, fd_close, COUNTS, 0},
    {"shm", shm_open, shm_send, shm_recv, shm_close, COUNTS, 0},
    {"sem", sem_open, sem_send, sem_recv, sem_close, COUNTS, 0},
    {"timerfd", timerfd_open, timerfd_send, timerfd_recv, timerfd_close, OTHER, 1},
};
static const struct mechanism *mech;

static void run_sender(void) {
    struct message *m =
        (void *)MUST(sys_mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    volatile uint32_t *tried = &all->tried[self], *sent = &all->sent[self];

    while (*tried < NUMBERS) {
        uint32_t number = *tried;
        *m = (struct message){.lane = (uint32_t)self, .number = number};
        m->check = mix(m->lane, number);
        *tried = number + 1;
        while (!mech->send(m))
            ;
        *sent = number + 1;
    }
    for (;;)
        sys_ppoll(0, 0, 0, 0, 8);
}

static void note(const struct message *m, uint32_t *last) {
    if (mech->kind == MESSAGES) {
        uint64_t bit = 1ul << m->number % 64;
        if (m->lane >= SENDERS || m->number >= NUMBERS || m->check != mix(m->lane, m->number))
            die("a broken message: lane %u, number %u", m->lane, m->number);
        if (__atomic_fetch_or(&all->seen[m->lane][m->number / 64], bit, __ATOMIC_RELAXED) & bit)
            die("lane %u, number %u came twice", m->lane, m->number);
        if (m->number < last[m->lane])
            die("lane %u, number %u came after %u", m->lane, m->number, last[m->lane]);
        last[m->lane] = m->number;
    }
    __atomic_fetch_add(&all->got, 1, __ATOMIC_RELAXED);
}

static void receive(bool wait) {
    uint32_t last[SENDERS] = {0};
    struct message m;

    for (;;) {
        bool any = mech->recv(&m, wait);
        if (any)
            note(&m, last);
        else if (!wait)
            return;
    }
}

static void start(int i) {
    uint64_t seed = random_next() + (uint64_t)now_ns();
    int pid = (int)MUST(fork());

    if (pid) {
        all->pid[i] = pid;
        return;
    }
    sys_prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    sys_setpriority(PRIO_PROCESS, 0, 0);
    self = i;
    random_seed(seed);
    if (i < SENDERS)
        run_sender();
    receive(true);
    sys_exit_group(1);
}

/* 1: a message of it may be missing. */
static int stop(int i) {
    int status;

    sys_kill(all->pid[i], SIGKILL);
    MUST(sys_wait4(all->pid[i], &status, 0, 0));
    all->wrong |= status != SIGKILL && !(status == 0 && i < SENDERS);
    all->pid[i] = 0;
    return i >= SENDERS || all->tried[i] != all->sent[i];
}

static uint32_t total(volatile const uint32_t *of) {
    uint32_t sum = 0;
    for (int i = 0; i < SENDERS; i++)
        sum += of[i];
    return sum;
}

/* Somebody must get on: true, also as long as it is not for too long that nobody does. */
static bool gets_on(void) {
    static uint32_t last;
    static int64_t since;
    uint32_t now = all->got + total(all->sent);

    if (now != last || !since)
        since = now_ns();
    last = now;
    if (now_ns() - since < STUCK_S * 1000000000L)
        return true;
    since = 0;
    warn("%s: nobody gets on", mech->name);
    return false;
}

/* Something has come through; a host that stops the machine may have taken all the time that there was. */
static bool begun(void) {
    return mech->kind == OTHER || (mech->kind == MESSAGES ? all->got : total(all->sent)) > 0;
}

static bool stress(int64_t ms) {
    uint32_t doubt = 0, kills = 0;
    int64_t end = now_ns() + ms * 1000000;
    bool good = true;

    memset(all, 0, sizeof(*all));
    mech->open();
    for (int i = 0; i < CHILDREN; i++)
        start(i);
    while ((now_ns() < end || !begun()) && !all->wrong && (good = gets_on())) {
        struct timespec t = {0, random_below(3000000)};
        int i = random_below(mech->spare ? SENDERS : CHILDREN);
        sys_nanosleep(&t, 0);
        doubt += (uint32_t)stop(i);
        kills++;
        start(i);
    }
    for (int i = 0; i < SENDERS; i++)
        doubt += (uint32_t)stop(i);
    while (mech->spare && mech->kind == MESSAGES && all->got + doubt < total(all->tried) &&
           (good = gets_on()))
        sys_sched_yield();
    for (int i = SENDERS; i < CHILDREN; i++)
        doubt += (uint32_t)stop(i);
    receive(false);
    uint32_t sent = total(all->tried);
    printf("%s: %u sent, %u received, %u kills leave %u in doubt\n", mech->name, sent, all->got,
           kills, doubt);
    if (mech->kind != OTHER && (all->got > sent || all->got + doubt < sent || !all->got)) {
        warn("%s: lost or invented", mech->name);
        good = false;
    }
    mech->close();
    return good && !all->wrong;
}

int main(int argc, char **argv) {
    struct opts o = opts_start(argv, "s:t:", "[-s seed] [-t milliseconds] [mechanism...]");
    long ms = 1000, n = 0, seed = 1;
    bool good = true;

    tool_name(argv[0]);
    (void)argc;
    for (int c; (c = opt_next(&o)) != 0;)
        if (!parse_num(o.arg, 10, c == 's' ? &seed : &ms))
            die("%s: not a number", o.arg);
    random_seed((uint64_t)seed * 0x9e3779b97f4a7c15 | 1);
    sys_setpriority(PRIO_PROCESS, 0, -20); /* to be in time for the kills */
    all = (void *)MUST(
        sys_mmap(0, sizeof(*all), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++) {
        bool wanted = !*o.argv;
        for (char **name = o.argv; *name; name++)
            wanted |= strcmp(*name, mechanisms[i].name) == 0;
        if (!wanted)
            continue;
        mech = &mechanisms[i];
        good &= stress(ms);
        n++;
    }
    if (!n)
        die("no such mechanism");
    return !good;
}
