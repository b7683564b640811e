// Sockets of the UNIX domain, for the files of net/.
#ifndef NET_UNIX_H
#define NET_UNIX_H

#include "abi/poll.h"
#include "net/socket.h"
#include "time/posix.h"
#include "time/timer.h"

struct unix_name {
    struct ref ref;
    u32 len;  // of addr
    struct sockaddr_un addr;
};

// One datagram, or a piece of a stream.
struct packet {
    struct list link;        // [lock of the receiver]
    struct unix_name *from;  // datagrams: of the sender, with a reference; or NULL
    struct passed *files;    // or NULL
    struct ucred cred;       // of the sender
    u32 length, done;        // bytes; of a stream, those that were read
    char data[];
};

struct unix_socket {
    struct socket socket;
    struct ref ref;  // its file, or being on `pending`; peers; whoever uses it at the moment
    struct spinlock lock;
    struct list packets;  // [lock] received, not yet read
    u32 queued;           // [lock] bytes of memory of those; looked at without
    u32 count;            // [lock] of those
    u32 shutdown;         // [lock] SEND, RECEIVE; looked at without
    int error;            // [lock] to report once
    bool dead;            // [lock] its file is gone
    bool connecting;      // [lock] a connect() is under way
    struct unix_socket
        *peer;  // [lock] with a reference; of a connection it never changes while the file is there
    struct spinlock pending_lock;
    struct list pending;       // [pending_lock] a listener's: connections to accept
    struct list pending_link;  // [pending_lock of the listener]
    u32 nr_pending, backlog;   // [pending_lock]
    struct ucred
        cred;  // [lock] of who made the connection or the listener, for SO_PEERCRED of the peer
    struct ucred peer_cred;  // [lock]
    struct mutex reading;    // one reader takes packets at a time
    struct waitq in;         // readers, accepters
    struct waitq out;        // its own writers
    struct waitq room;       // who waits for room here: connecters, senders of datagrams, relays
    struct waiter relay;     // [lock] datagrams: on the peer's `room`, wakes our `out`
    // names [names_lock]
    struct unix_name *name;  // set once
    struct inode *inode;     // of a name in a file system, with a reference
    struct path path;        // keeps that mounted
    struct hlist_node hash;
    struct list all;  // [list_lock of unix_name.c]
    // unix_gc.c [flight_lock]
    struct file *file;   // once it has one and is in flight
    struct list flying;  // all that are in flight
    u32 in_flight;       // references to its file that packets hold
    u32 inside;          // gc: of those, in packets of other candidates
    u32 state;           // gc
};
#define SEND 1u
#define RECEIVE 2u

static inline struct unix_socket *unix_of(struct socket *s) {
    return container_of(s, struct unix_socket, socket);
}
static inline void unix_get(struct unix_socket *u) { ref_get(&u->ref); }
void unix_put(struct unix_socket *u);
static inline bool is_datagram(const struct unix_socket *u) { return u->socket.type == SOCK_DGRAM; }

static inline void unix_wake(struct waitq *q, u32 events) {
    memory_fence();
    if (waitq_active(q))
        waitq_wake(q, 1, events);
}
#define EVENT_IN (POLLIN | POLLRDNORM)
#define EVENT_OUT (POLLOUT | POLLWRNORM)
#define EVENT_END (EVENT_IN | EVENT_OUT | POLLHUP | POLLRDHUP | POLLERR)

// Sleep until cond. 0, -EAGAIN (nonblock, or the time is over), -ERESTARTSYS, -EINTR.
#define unix_wait(q, cond, nonblock, timeout, wmesg)                                               \
    ({                                                                                             \
        int wait_error_ = (nonblock) ? -EAGAIN : 0;                                                \
        if (!(nonblock) && (timeout) == TIME_NEVER)                                                \
            wait_error_ = wait_event_interruptible(q, cond, wmesg);                                \
        else if (!(nonblock))                                                                      \
            wait_error_ = limited(wait_event_deadline(q, cond, deadline_after(timeout), wmesg));   \
        wait_error_;                                                                               \
    })
static inline int limited(int error) { return error == -ETIMEDOUT ? -EAGAIN : error ? -EINTR : 0; }

// unix.c
struct socket *unix_make(int type);  // NULL: out of memory
u32 unix_poll(struct socket *s, struct file *f, struct poll_table *pt);
int unix_get_option(struct socket *s, int name, void *value, u32 size);
void unix_release(struct socket *s);
struct unix_socket *unix_peer_get(struct unix_socket *u);  // with a reference, or NULL
// May u send to `to`? Not when that one is connected to somebody else.
bool unix_may_send(const struct unix_socket *u, const struct unix_socket *to);
void unix_disconnect(struct unix_socket *u);  // a datagram socket, from its peer

// unix_name.c
int unix_bind(struct socket *s, const struct sockaddr_storage *a, u32 len);
int unix_name(struct socket *s, bool of_peer, struct sockaddr_storage *a);
// The socket of that address and type, with a reference, or ERR_PTR.
struct unix_socket *unix_find(const struct sockaddr_storage *a, u32 len, int type);
void unix_forget_name(struct unix_socket *u);  // nobody finds it any more
void unix_name_put(struct unix_name *n);       // NULL is nothing
void unix_enlist(struct unix_socket *u);
void unix_delist(struct unix_socket *u);
void unix_names_init(void);

// unix_data.c
ssize_t unix_send(struct socket *s, struct message *m);
ssize_t unix_recv(struct socket *s, struct message *m);
void unix_push(struct unix_socket *r, struct packet *p);  // from the kernel, however full it is
u32 unix_bytes_waiting(struct unix_socket *u);
#define MAX_QUEUE 10u  // datagrams; sysctl max_dgram_qlen
// Must a packet of u wait until one of r's is read?
static inline bool is_full(const struct unix_socket *u, const struct unix_socket *r) {
    if (is_datagram(u) && READ_ONCE(r->peer) != u)
        return READ_ONCE(r->count) > MAX_QUEUE;
    return READ_ONCE(r->queued) >= READ_ONCE(u->socket.sndbuf);
}

static inline bool gone(const struct unix_socket *r) {
    return READ_ONCE(r->dead) || READ_ONCE(r->shutdown) & RECEIVE;
}

// unix_gc.c: files get into a packet, and out of it. passed_fly only counts: 0, -ETOOMANYREFS (current's user has more in flight
// than RLIMIT_NOFILE), -ENOMEM; passed_land takes what packets held to be a receiver's. packets_free may sleep, and ends what
// nobody can reach any more.
int passed_fly(struct passed *p);
void passed_land(struct passed *p);
void packet_free(struct packet *p);  // without files
void packets_free(struct list *packets);

#endif
