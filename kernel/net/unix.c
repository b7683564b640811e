/*
 * Sockets of the UNIX domain: streams, datagrams, and datagrams over connections. unix(7). Here: their life and their
 * connections; names are in unix_name.c, what is sent in unix_data.c, descriptors on their way in unix_gc.c.
 *
 * A connection is two sockets that have each other as `peer`; each holds a reference, so that the other's queues and counts
 * can be used whenever the own file is there. connect() makes the other end itself and hangs it on the listener's `pending`;
 * accept() only gives it a file. Who waits for room in a listener's queue is on its `room`.
 *
 *   connect (client)                     accept (listener)
 *   n = new socket; n->peer = u
 *   pending_lock: n on `pending`; wake
 *   u->peer = n; may send already        pending_lock: n off `pending`; a file for it
 *
 * A datagram socket's peer is only where it sends to. Its `relay` waits at the peer's `room` and wakes who polls it for writing.
 *
 * Locks: reading (sleeps), names_lock, a listener's pending_lock, a socket's lock, of which nobody holds two. Sleeps: all
 * calls.
 */
#include "net/unix.h"

#include "abi/errno.h"
#include "abi/poll.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "time/posix.h"
#include "time/timer.h"

static const struct socket_ops unix_ops;

static struct ucred my_cred(void) {
    return (struct ucred){task_tgid(current), current->cred->euid, current->cred->egid};
}

static void wake_everybody(struct unix_socket *u) {
    wake_all(&u->in);
    wake_all(&u->out);
    wake_all(&u->room);
}

void unix_put(struct unix_socket *u) {
    if (!ref_put(&u->ref))
        return;
    if (u->peer)
        unix_put(u->peer);
    unix_delist(u);
    unix_name_put(u->name);
    if (u->inode) {
        inode_put(u->inode);
        path_put(&u->path);
    }
    kfree(u);
}

/* ---- making and ending ---- */

static struct unix_socket *new_socket(int type) {
    struct unix_socket *u = kzalloc(sizeof(*u));
    if (!u)
        return NULL;
    socket_setup(&u->socket, &unix_ops, AF_UNIX, type);
    ref_init(&u->ref);
    spin_init(&u->lock, RANK_UNIX, "unix socket");
    spin_init(&u->pending_lock, RANK_UNIX_PENDING, "unix listener");
    mutex_init(&u->reading, RANK_SOCKET, "unix reader");
    list_init(&u->packets);
    list_init(&u->pending);
    list_init(&u->pending_link);
    list_init(&u->flying);
    waitq_init(&u->in);
    waitq_init(&u->out);
    irqlock_init(&u->room.lock, RANK_UNIX_ROOM, "unix room");
    list_init(&u->room.waiters);
    list_init(&u->relay.link);
    unix_enlist(u);
    return u;
}

struct socket *unix_make(int type) {
    struct unix_socket *u = new_socket(type);
    return u ? &u->socket : NULL;
}

static struct socket *unix_create(int type, int protocol) {
    if (protocol && protocol != AF_UNIX)
        return ERR_PTR(-EPROTONOSUPPORT);
    if (type == SOCK_RAW)
        type = SOCK_DGRAM;
    if (type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_SEQPACKET)
        return ERR_PTR(-ESOCKTNOSUPPORT);
    struct unix_socket *u = new_socket(type);
    return u ? &u->socket : ERR_PTR(-ENOMEM);
}

// Our writers wait for room in another's queue, which wakes them through this.
static bool relay(struct waiter *w, u32 key) {
    waitq_wake(&container_of(w, struct unix_socket, relay)->out, 1, key);
    return true;
}

static void add_relay(struct unix_socket *u, struct unix_socket *peer) {
    waiter_init(&u->relay);
    u->relay.fn = relay;
    waitq_add(&peer->room, &u->relay);
}

static void unix_pair(struct socket *a, struct socket *b) {
    struct unix_socket *end[2] = {unix_of(a), unix_of(b)};
    for (int i = 0; i < 2; i++) {
        unix_get(end[!i]);
        end[i]->peer = end[!i];
        end[i]->cred = end[i]->peer_cred = my_cred();
        if (is_datagram(end[i]))
            add_relay(end[i], end[!i]);
    }
}

// The other end of a connection is gone.
static void peer_ended(struct unix_socket *u, bool lost) {
    spin_lock(&u->lock);
    WRITE_ONCE(u->shutdown, SEND | RECEIVE);
    if (lost)
        u->error = ECONNRESET;
    spin_unlock(&u->lock);
    unix_wake(&u->in, EVENT_END);
    unix_wake(&u->out, EVENT_END);
}

// The peer is let go. => peer was u->peer
static void leave_peer(struct unix_socket *u, struct unix_socket *peer) {
    if (is_datagram(u))
        waitq_remove(&peer->room, &u->relay);
    unix_put(peer);
}

// Nobody has a descriptor any more.
static void end(struct unix_socket *u, bool unaccepted) {
    struct list packets = LIST_INIT(packets), pending = LIST_INIT(pending);
    unix_forget_name(u);
    spin_lock(&u->pending_lock);
    u->socket.listening = false;
    list_splice_tail(&u->pending, &pending);
    spin_unlock(&u->pending_lock);
    spin_lock(&u->lock);
    u->dead = true;
    WRITE_ONCE(u->shutdown, SEND | RECEIVE);
    struct unix_socket *peer = u->peer;
    u->peer = NULL;
    bool lost = unaccepted || !list_empty(&u->packets);
    list_splice_tail(&u->packets, &packets);
    spin_unlock(&u->lock);
    wake_everybody(u);
    if (peer) {
        if (!is_datagram(u))
            peer_ended(peer, lost);
        leave_peer(u, peer);
    }
    packets_free(&packets);
    while (!list_empty(&pending)) {
        struct unix_socket *n = list_first(&pending, struct unix_socket, pending_link);
        list_del(&n->pending_link);
        end(n, true);
    }
    unix_put(u);
}

void unix_release(struct socket *s) {
    end(unix_of(s), false);
    unix_collect();
}

struct unix_socket *unix_peer_get(struct unix_socket *u) {
    spin_lock(&u->lock);
    struct unix_socket *peer = u->peer;
    if (peer)
        unix_get(peer);
    spin_unlock(&u->lock);
    return peer;
}

/* ---- connections ---- */

static int unix_listen(struct socket *s, u32 backlog) {
    struct unix_socket *u = unix_of(s);
    if (is_datagram(u))
        return -EOPNOTSUPP;
    int error = 0;
    spin_lock(&u->pending_lock);
    spin_lock(&u->lock);
    if (u->peer || u->connecting || !READ_ONCE(u->name)) {
        error = -EINVAL;
    } else {
        u->backlog = backlog;
        u->cred = my_cred();
        s->listening = true;
    }
    spin_unlock(&u->lock);
    spin_unlock(&u->pending_lock);
    unix_wake(&u->room, EVENT_OUT);
    return error;
}

static inline bool can_queue(const struct unix_socket *l) {
    return !READ_ONCE(l->socket.listening) || READ_ONCE(l->shutdown) & RECEIVE ||
           READ_ONCE(l->nr_pending) <= READ_ONCE(l->backlog);
}

// Hang `n` on the listener: 0, -EAGAIN when its queue is full, -ECONNREFUSED.
static int hang_on(struct unix_socket *l, struct unix_socket *n) {
    int error = 0;
    spin_lock(&l->pending_lock);
    if (!l->socket.listening || l->shutdown & RECEIVE) {
        error = -ECONNREFUSED;
    } else if (l->nr_pending > l->backlog) {
        error = -EAGAIN;
    } else {
        n->cred = l->cred;
        n->socket.passcred = l->socket.passcred;
        n->peer->peer_cred = l->cred;  // ours while it is `connecting`
        WRITE_ONCE(l->nr_pending, l->nr_pending + 1);
        list_add_tail(&n->pending_link, &l->pending);
    }
    spin_unlock(&l->pending_lock);
    if (!error)
        unix_wake(&l->in, EVENT_IN);
    return error;
}

// The other end of u's connection to l, waiting for accept(); ERR_PTR.
static struct unix_socket *other_end(struct unix_socket *u, struct unix_socket *l, bool nonblock) {
    struct unix_socket *n = new_socket(u->socket.type);
    int error;
    if (!n)
        return ERR_PTR(-ENOMEM);
    n->peer = u;
    n->peer_cred = my_cred();
    n->name = l->name;
    ref_get(&l->name->ref);
    unix_get(u);
    unix_get(n);  // one is the listener's, one is u->peer
    while ((error = hang_on(l, n)) == -EAGAIN) {
        error = unix_wait(&l->room, can_queue(l), nonblock, u->socket.send_timeout, "connect");
        if (error)
            break;
    }
    if (!error)
        return n;
    unix_put(n);
    unix_put(n);
    return ERR_PTR(error);
}

// One connect at a time, and none of a socket that is connected or listens.
static int begin_connect(struct unix_socket *u) {
    spin_lock(&u->lock);
    int error = u->peer ? -EISCONN : u->socket.listening ? -EINVAL : u->connecting ? -EALREADY : 0;
    if (!error)
        u->connecting = true;
    spin_unlock(&u->lock);
    return error;
}

static void end_connect(struct unix_socket *u, struct unix_socket *peer) {
    spin_lock(&u->lock);
    u->connecting = false;
    store_release(&u->peer, peer);
    spin_unlock(&u->lock);
    if (peer)
        unix_wake(&u->out, EVENT_OUT);
}

static int connect_stream(struct unix_socket *u, const struct sockaddr_storage *a, u32 len,
                          bool nonblock) {
    int error = begin_connect(u);
    if (error)
        return error;
    struct unix_socket *peer = unix_find(a, len, u->socket.type);
    if (!IS_ERR(peer)) {
        struct unix_socket *listener = peer;
        peer = other_end(u, listener, nonblock);
        unix_put(listener);
    }
    end_connect(u, IS_ERR(peer) ? NULL : peer);
    return IS_ERR(peer) ? (int)PTR_ERR(peer) : 0;
}

bool unix_may_send(const struct unix_socket *u, const struct unix_socket *to) {
    const struct unix_socket *theirs = READ_ONCE(to->peer);
    return !theirs || theirs == u;
}

static int connect_datagram(struct unix_socket *u, const struct sockaddr_storage *a, u32 len) {
    struct unix_socket *peer = NULL;
    if (a->ss_family != AF_UNSPEC) {
        peer = unix_find(a, len, SOCK_DGRAM);
        if (IS_ERR(peer))
            return PTR_ERR(peer);
        if (!unix_may_send(u, peer)) {
            unix_put(peer);
            return -EPERM;
        }
    }
    mutex_lock(&u->reading);  // one connect at a time
    spin_lock(&u->lock);
    struct unix_socket *old = u->peer;
    u->peer = NULL;
    spin_unlock(&u->lock);
    if (old)
        leave_peer(u, old);
    if (peer) {
        add_relay(u, peer);
        spin_lock(&u->lock);
        u->peer = peer;
        spin_unlock(&u->lock);
    }
    mutex_unlock(&u->reading);
    unix_wake(&u->out, EVENT_OUT);
    return 0;
}

void unix_disconnect(struct unix_socket *u) {
    static const struct sockaddr_storage nobody = {.ss_family = AF_UNSPEC};
    connect_datagram(u, &nobody, sizeof(nobody.ss_family));
}

static int unix_connect(struct socket *s, const struct sockaddr_storage *a, u32 len,
                        bool nonblock) {
    struct unix_socket *u = unix_of(s);
    if (len < 2)
        return -EINVAL;
    return is_datagram(u) ? connect_datagram(u, a, len) : connect_stream(u, a, len, nonblock);
}

static struct unix_socket *take_pending(struct unix_socket *l) {
    spin_lock(&l->pending_lock);
    struct unix_socket *n = list_first_or_null(&l->pending, struct unix_socket, pending_link);
    if (n) {
        list_del(&n->pending_link);
        WRITE_ONCE(l->nr_pending, l->nr_pending - 1);
    }
    spin_unlock(&l->pending_lock);
    return n;
}

static struct socket *unix_accept(struct socket *s, bool nonblock) {
    struct unix_socket *l = unix_of(s), *n;
    if (is_datagram(l))
        return ERR_PTR(-EOPNOTSUPP);
    for (;;) {
        if (!READ_ONCE(s->listening) || READ_ONCE(l->shutdown) & RECEIVE)
            return ERR_PTR(-EINVAL);
        if ((n = take_pending(l)))
            break;
        int error = unix_wait(&l->in, READ_ONCE(l->nr_pending) || READ_ONCE(l->shutdown), nonblock,
                              s->recv_timeout, "accept");
        if (error)
            return ERR_PTR(error);
    }
    unix_wake(&l->room, EVENT_OUT);
    return &n->socket;
}

static void shut(struct unix_socket *u, u32 how) {
    spin_lock(&u->lock);
    WRITE_ONCE(u->shutdown, u->shutdown | how);
    spin_unlock(&u->lock);
    unix_wake(&u->in, EVENT_END);
    unix_wake(&u->out, EVENT_END);
    if (u->socket.listening)
        wake_all(&u->room);
}

static int unix_shutdown(struct socket *s, int how) {
    struct unix_socket *u = unix_of(s);
    u32 mine = how == SHUT_RD ? RECEIVE : how == SHUT_WR ? SEND : SEND | RECEIVE;
    struct unix_socket *peer = unix_peer_get(u);
    if (!peer && !is_datagram(u) && !s->listening)
        return -ENOTCONN;
    shut(u, mine);
    if (peer && !is_datagram(u))
        shut(peer, (mine & SEND ? RECEIVE : 0) | (mine & RECEIVE ? SEND : 0));
    if (peer)
        unix_put(peer);
    return 0;
}

/* ---- the rest ---- */

u32 unix_poll(struct socket *s, struct file *f, struct poll_table *pt) {
    struct unix_socket *u = unix_of(s);
    u32 events = 0;
    poll_wait(f, &u->in, pt);
    poll_wait(f, &u->out, pt);
    spin_lock(&u->lock);
    struct unix_socket *peer = u->peer;
    if (u->error)
        events |= POLLERR;
    if (u->shutdown & RECEIVE)
        events |= EVENT_IN | POLLRDHUP;
    if (u->shutdown == (SEND | RECEIVE) || (!is_datagram(u) && !peer && !s->listening))
        events |= POLLHUP;
    if (!list_empty(&u->packets) || READ_ONCE(u->nr_pending))
        events |= EVENT_IN;
    if (!s->listening && !(peer && !gone(peer) && is_full(u, peer)))
        events |= EVENT_OUT;
    spin_unlock(&u->lock);
    return events;
}

int unix_get_option(struct socket *s, int name, void *value, u32 size) {
    struct unix_socket *u = unix_of(s);
    union {
        struct ucred cred;
        u32 n;
    } v;
    u32 len = sizeof(v.n);
    switch (name) {
    case SOCKET_BYTES:
        if (s->listening)
            return -EINVAL;
        v.n = unix_bytes_waiting(u);
        break;
    case SO_ERROR:
        spin_lock(&u->lock);
        v.n = u->error;
        u->error = 0;
        spin_unlock(&u->lock);
        break;
    case SO_PEERCRED:
        spin_lock(&u->lock);
        v.cred = u->peer || u->shutdown ? u->peer_cred : (struct ucred){0, ~0u, ~0u};
        spin_unlock(&u->lock);
        len = sizeof(v.cred);
        break;
    default:
        return -ENOPROTOOPT;
    }
    len = min(len, size);
    memcpy(value, &v, len);
    return len;
}

static const struct socket_ops unix_ops = {
    .bind = unix_bind,
    .listen = unix_listen,
    .connect = unix_connect,
    .accept = unix_accept,
    .name = unix_name,
    .shutdown = unix_shutdown,
    .send = unix_send,
    .recv = unix_recv,
    .poll = unix_poll,
    .get_option = unix_get_option,
    .release = unix_release,
};

static const struct socket_family unix_family = {AF_UNIX, unix_create, unix_pair};

void unix_init(void) {
    socket_register(&unix_family);
    unix_names_init();
}
