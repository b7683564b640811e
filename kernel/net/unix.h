// Sockets of the UNIX domain, for the files of net/.
#ifndef NET_UNIX_H
#define NET_UNIX_H

#include "net/socket.h"

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

// unix_gc.c: files get into a packet, and out of it. passed_fly only counts; passed_land takes what packets held to be a
// receiver's. packets_free may sleep, and ends what nobody can reach any more.
void passed_fly(struct passed *p);
void passed_land(struct passed *p);
void packet_free(struct packet *p);  // without files
void packets_free(struct list *packets);

#endif
