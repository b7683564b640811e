/*
 * Sockets of the UNIX domain: streams, datagrams, and datagrams over connections. unix(7).
 *
 * What is sent goes straight into the receiver's queue, as a packet: there is no buffer on the sender's side. A stream is a
 * queue of packets that are read piece by piece. A connection is two sockets that have each other as `peer`; each holds a
 * reference, so that the other's queues and counts can be used whenever the own file is there. connect() makes the other end
 * itself and hangs it on the listener's `pending`; accept() only gives it a file.
 *
 * Back-pressure: of a connection, the packets' memory is limited by the sender's SO_SNDBUF; of a datagram socket that has many
 * senders, the number of packets. Who has to wait for room is on `out` (the peer wakes it), or on the receiver's `room`.
 *
 * Sending against reading:                     against closing:
 *   sender             reader                    sender             unix_release (receiver)
 *                      on `in`, state = S        lock of receiver   lock; dead = true;
 *   lock; packet in    packets? no: sleeps       dead? -EPIPE         takes all packets
 *   unlock; fence                                packet in          unlock
 *   `in` in use? wake                            unlock
 * Everything that tells a sender to stop (dead, shutdown, the limit) is in the receiver and under its lock, so no packet
 * gets into a queue that nobody will empty.
 *
 * Names: a path names an inode of type S_IFSOCK, made by bind(); the inode finds the socket. An abstract name finds it by its
 * bytes. Both are in one hash table under names_lock. A found socket has a reference; whether it is dead is seen under its lock.
 *
 * Locks: reading (sleeps: user memory is copied with it held), names_lock, a listener's pending_lock, a socket's lock, of
 * which nobody holds two. Sleeps: all calls.
 */
#include "net/unix.h"

#include "abi/errno.h"
#include "abi/poll.h"
#include "lib/hash.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "time/posix.h"
#include "time/timer.h"

#define NAMES 64
#define MAX_QUEUE 10u                                      // datagrams; sysctl max_dgram_qlen
#define MAX_PIECE (4 * PAGE_SIZE - sizeof(struct packet))  // bytes of a stream's packet

static struct spinlock names_lock = SPINLOCK_INIT(RANK_UNIX_NAMES, "unix names");
static struct hlist_head names[NAMES];  // [names_lock]
static const struct socket_ops unix_ops;

static inline bool is_datagram(const struct unix_socket *u) { return u->socket.type == SOCK_DGRAM; }

static struct ucred my_cred(void) {
    return (struct ucred){task_tgid(current), current->cred->euid, current->cred->egid};
}

static struct ucred my_real_cred(void) {
    return (struct ucred){task_tgid(current), current->cred->uid, current->cred->gid};
}

static inline void wake(struct waitq *q, u32 events) {
    memory_fence();
    if (waitq_active(q))
        waitq_wake(q, 1, events);
}
#define EVENT_IN (POLLIN | POLLRDNORM)
#define EVENT_OUT (POLLOUT | POLLWRNORM)
#define EVENT_END (EVENT_IN | EVENT_OUT | POLLHUP | POLLRDHUP | POLLERR)

static void wake_everybody(struct unix_socket *u) {
    wake_all(&u->in);
    wake_all(&u->out);
    wake_all(&u->room);
}

static void name_put(struct unix_name *n) {
    if (n && ref_put(&n->ref))
        kfree(n);
}

void unix_put(struct unix_socket *u) {
    if (!ref_put(&u->ref))
        return;
    if (u->peer)
        unix_put(u->peer);
    name_put(u->name);
    if (u->inode) {
        inode_put(u->inode);
        path_put(&u->path);
    }
    kfree(u);
}

// Sleep until cond; 0, -EAGAIN (nonblock, or the time is over), -ERESTARTSYS, -EINTR.
#define wait_for(q, cond, nonblock, timeout, wmesg)                                                \
    ({                                                                                             \
        int wait_error_ = (nonblock) ? -EAGAIN : 0;                                                \
        if (!(nonblock) && (timeout) == TIME_NEVER)                                                \
            wait_error_ = wait_event_interruptible(q, cond, wmesg);                                \
        else if (!(nonblock))                                                                      \
            wait_error_ = limited(wait_event_deadline(q, cond, deadline_after(timeout), wmesg));   \
        wait_error_;                                                                               \
    })
static inline int limited(int error) { return error == -ETIMEDOUT ? -EAGAIN : error ? -EINTR : 0; }

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
    return u;
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

static int unix_pair(struct socket *a, struct socket *b) {
    struct unix_socket *end[2] = {unix_of(a), unix_of(b)};
    for (int i = 0; i < 2; i++) {
        unix_get(end[!i]);
        end[i]->peer = end[!i];
        end[i]->cred = end[i]->peer_cred = my_cred();
        if (is_datagram(end[i]))
            add_relay(end[i], end[!i]);
    }
    return 0;
}

static void forget_name(struct unix_socket *u) {
    spin_lock(&names_lock);
    if (!hlist_unhashed(&u->hash))
        hlist_del(&u->hash);
    spin_unlock(&names_lock);
}

// The other end of a connection is gone.
static void peer_ended(struct unix_socket *u, bool lost) {
    spin_lock(&u->lock);
    WRITE_ONCE(u->shutdown, SEND | RECEIVE);
    if (lost)
        u->error = ECONNRESET;
    spin_unlock(&u->lock);
    wake(&u->in, EVENT_END);
    wake(&u->out, EVENT_END);
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
    forget_name(u);
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

static void unix_release(struct socket *s) {
    end(unix_of(s), false);
    unix_collect();
}

/* ---- names ---- */

static u32 hash_inode(const struct inode *i) { return hash_ptr(i) % NAMES; }
static u32 hash_abstract(const struct unix_name *n) {
    return hash_bytes(n->addr.sun_path, n->len - 2, HASH_SEED) % NAMES;
}

// => names_lock held
static struct unix_socket *find_inode(const struct inode *inode) {
    struct unix_socket *u;
    hlist_for_each (u, &names[hash_inode(inode)], hash)
        if (u->inode == inode)
            return u;
    return NULL;
}

// => names_lock held
static struct unix_socket *find_abstract(const struct unix_name *n) {
    struct unix_socket *u;
    hlist_for_each (u, &names[hash_abstract(n)], hash)
        if (!u->inode && u->name->len == n->len &&
            memcmp(u->name->addr.sun_path, n->addr.sun_path, n->len - 2) == 0)
            return u;
    return NULL;
}

// The address of a caller, checked; a path is ended by a zero that len does not count.
static struct unix_name *name_of(const struct sockaddr_storage *a, u32 len) {
    if (len <= 2 || len > sizeof(struct sockaddr_un) || a->ss_family != AF_UNIX)
        return ERR_PTR(-EINVAL);
    struct unix_name *n = kzalloc(sizeof(*n) + 1);
    if (!n)
        return ERR_PTR(-ENOMEM);
    ref_init(&n->ref);
    n->len = len;
    memcpy(&n->addr, a, len);
    if (n->addr.sun_path[0])
        n->len = min(2 + (u32)strlen(n->addr.sun_path) + 1, (u32)sizeof(n->addr) + 1);
    return n;
}

// Bind u to its new name under names_lock: 0, -EINVAL (it has one), -EADDRINUSE.
static int take_name(struct unix_socket *u, struct unix_name *n, const struct path *path) {
    int error = 0;
    spin_lock(&names_lock);
    if (u->name)
        error = -EINVAL;
    else if (!path && find_abstract(n))
        error = -EADDRINUSE;
    if (!error) {
        u->name = n;
        if (path) {
            u->path = *path;
            u->inode = dentry_inode(path->dentry);
            inode_ref(u->inode);
        }
        hlist_add(&u->hash, &names[path ? hash_inode(u->inode) : hash_abstract(n)]);
    }
    spin_unlock(&names_lock);
    return error;
}

static int bind_path(struct unix_socket *u, struct unix_name *n) {
    const char *text = n->addr.sun_path;
    struct path path;
    if (READ_ONCE(u->name))
        return -EINVAL;
    int error = path_mknod(AT_FDCWD, text, S_IFSOCK | 0777, 0);
    if (error)
        return error == -EEXIST ? -EADDRINUSE : error;
    error = path_lookup(AT_FDCWD, text, 0, &path);
    if (error)
        return error;
    struct inode *inode = dentry_inode(path.dentry);
    error = inode && S_ISSOCK(inode->mode) ? take_name(u, n, &path) : -EADDRINUSE;
    if (error) {
        path_put(&path);
        path_unlink(AT_FDCWD, text, false);
    }
    return error;
}

// Five hexadecimal digits that are free.
static int bind_any(struct unix_socket *u) {
    static u32 next;  // [a]
    for (u32 tries = 0; tries < 1u << 20; tries++) {
        struct sockaddr_storage a = {.ss_family = AF_UNIX};
        scnprintf(a.data + 1, 6, "%05x", atomic_add(&next, 1) & 0xfffff);
        struct unix_name *n = name_of(&a, 2 + 6);
        if (IS_ERR(n))
            return PTR_ERR(n);
        int error = take_name(u, n, NULL);
        if (error)
            name_put(n);
        if (error != -EADDRINUSE)
            return error == -EINVAL ? 0 : error;  // it has a name already
    }
    return -ENOSPC;
}

static int unix_bind(struct socket *s, const struct sockaddr_storage *a, u32 len) {
    struct unix_socket *u = unix_of(s);
    if (len == 2 && a->ss_family == AF_UNIX)
        return bind_any(u);
    struct unix_name *n = name_of(a, len);
    if (IS_ERR(n))
        return PTR_ERR(n);
    int error = n->addr.sun_path[0] ? bind_path(u, n) : take_name(u, n, NULL);
    if (error)
        name_put(n);
    return error;
}

static struct unix_socket *find_path(const char *text) {
    struct path path;
    int error = path_lookup(AT_FDCWD, text, LOOKUP_FOLLOW, &path);
    if (error)
        return ERR_PTR(error);
    struct unix_socket *u = ERR_PTR(path_permission(&path, 2));
    if (!u) {
        spin_lock(&names_lock);
        u = find_inode(dentry_inode(path.dentry));
        if (u)
            unix_get(u);
        spin_unlock(&names_lock);
    }
    path_put(&path);
    return u ? u : ERR_PTR(-ECONNREFUSED);
}

static struct unix_socket *find_name(const struct unix_name *n) {
    if (n->addr.sun_path[0])
        return find_path(n->addr.sun_path);
    spin_lock(&names_lock);
    struct unix_socket *u = find_abstract(n);
    if (u)
        unix_get(u);
    spin_unlock(&names_lock);
    return u ? u : ERR_PTR(-ECONNREFUSED);
}

// The socket of that address and type, with a reference, or ERR_PTR.
static struct unix_socket *find(const struct sockaddr_storage *a, u32 len, int type) {
    struct unix_name *n = name_of(a, len);
    if (IS_ERR(n))
        return (void *)n;
    struct unix_socket *u = find_name(n);
    name_put(n);
    if (!IS_ERR(u) && u->socket.type != type) {
        unix_put(u);
        return ERR_PTR(-EPROTOTYPE);
    }
    return u;
}

static struct unix_socket *peer_get(struct unix_socket *u) {
    spin_lock(&u->lock);
    struct unix_socket *peer = u->peer;
    if (peer)
        unix_get(peer);
    spin_unlock(&u->lock);
    return peer;
}

static int name_out(const struct unix_socket *u, struct sockaddr_storage *a) {
    const struct unix_name *n = u ? READ_ONCE(u->name) : NULL;
    *a = (struct sockaddr_storage){.ss_family = AF_UNIX};
    if (!n)
        return 2;
    memcpy(a, &n->addr, min(n->len, (u32)sizeof(*a)));
    return n->len;
}

static int unix_name(struct socket *s, bool of_peer, struct sockaddr_storage *a) {
    struct unix_socket *u = unix_of(s);
    if (!of_peer)
        return name_out(u, a);
    struct unix_socket *peer = peer_get(u);
    if (!peer)
        return -ENOTCONN;
    int len = name_out(peer, a);
    unix_put(peer);
    return len;
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
    wake(&u->room, EVENT_OUT);
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
        wake(&l->in, EVENT_IN);
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
        error = wait_for(&l->room, can_queue(l), nonblock, u->socket.send_timeout, "connect");
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
        wake(&u->out, EVENT_OUT);
}

static int connect_stream(struct unix_socket *u, const struct sockaddr_storage *a, u32 len,
                          bool nonblock) {
    int error = begin_connect(u);
    if (error)
        return error;
    struct unix_socket *peer = find(a, len, u->socket.type);
    if (!IS_ERR(peer)) {
        struct unix_socket *listener = peer;
        peer = other_end(u, listener, nonblock);
        unix_put(listener);
    }
    end_connect(u, IS_ERR(peer) ? NULL : peer);
    return IS_ERR(peer) ? (int)PTR_ERR(peer) : 0;
}

// May u send to `to`? Not when that one is connected to somebody else.
static bool may_send(const struct unix_socket *u, const struct unix_socket *to) {
    const struct unix_socket *theirs = READ_ONCE(to->peer);
    return !theirs || theirs == u;
}

static int connect_datagram(struct unix_socket *u, const struct sockaddr_storage *a, u32 len) {
    struct unix_socket *peer = NULL;
    if (a->ss_family != AF_UNSPEC) {
        peer = find(a, len, SOCK_DGRAM);
        if (IS_ERR(peer))
            return PTR_ERR(peer);
        if (!may_send(u, peer)) {
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
    wake(&u->out, EVENT_OUT);
    return 0;
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
        int error = wait_for(&l->in, READ_ONCE(l->nr_pending) || READ_ONCE(l->shutdown), nonblock,
                             s->recv_timeout, "accept");
        if (error)
            return ERR_PTR(error);
    }
    wake(&l->room, EVENT_OUT);
    return &n->socket;
}

static void shut(struct unix_socket *u, u32 how) {
    spin_lock(&u->lock);
    WRITE_ONCE(u->shutdown, u->shutdown | how);
    spin_unlock(&u->lock);
    wake(&u->in, EVENT_END);
    wake(&u->out, EVENT_END);
    if (u->socket.listening)
        wake_all(&u->room);
}

static int unix_shutdown(struct socket *s, int how) {
    struct unix_socket *u = unix_of(s);
    u32 mine = how == SHUT_RD ? RECEIVE : how == SHUT_WR ? SEND : SEND | RECEIVE;
    struct unix_socket *peer = peer_get(u);
    if (!peer && !is_datagram(u) && !s->listening)
        return -ENOTCONN;
    shut(u, mine);
    if (peer && !is_datagram(u))
        shut(peer, (mine & SEND ? RECEIVE : 0) | (mine & RECEIVE ? SEND : 0));
    if (peer)
        unix_put(peer);
    return 0;
}

/* ---- sending ---- */

// Must a packet of u wait until one of r's is read?
static inline bool is_full(const struct unix_socket *u, const struct unix_socket *r) {
    if (is_datagram(u) && READ_ONCE(r->peer) != u)
        return READ_ONCE(r->count) > MAX_QUEUE;
    return READ_ONCE(r->queued) >= READ_ONCE(u->socket.sndbuf);
}

static inline bool gone(const struct unix_socket *r) {
    return READ_ONCE(r->dead) || READ_ONCE(r->shutdown) & RECEIVE;
}

// Into r's queue, unless it is full or ended: 0, -EAGAIN, -EPIPE, -ECONNREFUSED.
static int enqueue(struct unix_socket *u, struct unix_socket *r, struct packet *p) {
    int error = 0;
    spin_lock(&r->lock);
    if (unlikely(r->dead || r->shutdown & RECEIVE)) {
        error = r->dead && is_datagram(u) ? -ECONNREFUSED : -EPIPE;
    } else if (unlikely(is_full(u, r))) {
        error = -EAGAIN;
    } else {
        list_add_tail(&p->link, &r->packets);
        WRITE_ONCE(r->queued, r->queued + sizeof(*p) + p->length);
        WRITE_ONCE(r->count, r->count + 1);
    }
    spin_unlock(&r->lock);
    if (!error)
        wake(&r->in, EVENT_IN);
    return error;
}

static int wait_for_room(struct unix_socket *u, struct unix_socket *r, const struct message *m) {
    bool nonblock = m->nonblock || m->flags & MSG_DONTWAIT;
    struct waitq *q = is_datagram(u) ? &r->room : &u->out;
    return wait_for(q, !is_full(u, r) || gone(r), nonblock, u->socket.send_timeout, "unix_send");
}

static int deliver(struct unix_socket *u, struct unix_socket *r, struct packet *p,
                   const struct message *m) {
    int error;
    while ((error = enqueue(u, r, p)) == -EAGAIN) {
        error = wait_for_room(u, r, m);
        if (error)
            break;
    }
    return error;
}

// The next n bytes of the message; what goes along is in the first packet.
static struct packet *new_packet(struct message *m, size_t n) {
    struct packet *p = kmalloc(sizeof(*p) + n, 0);
    if (unlikely(!p))
        return ERR_PTR(-ENOMEM);
    p->length = iter_get(&m->iter, p->data, n);
    if (unlikely(p->length < n && (p->length == 0 || n > MAX_PIECE))) {
        kfree(p);
        return ERR_PTR(-EFAULT);
    }
    list_init(&p->link);
    p->from = NULL;
    p->done = 0;
    p->cred = m->has_cred ? m->cred : my_real_cred();
    p->files = m->files;
    if (unlikely(p->files != NULL)) {
        passed_fly(p->files);
        m->files = NULL;
    }
    return p;
}

static void undo_packet(struct packet *p) {
    struct list one = LIST_INIT(one);
    list_add(&p->link, &one);
    packets_free(&one);
}

static ssize_t send_stream(struct unix_socket *u, struct message *m) {
    struct unix_socket *peer = load_acquire(&u->peer);
    ssize_t done = 0;
    if (m->name_len)
        return peer ? -EISCONN : -EOPNOTSUPP;
    if (!peer)
        return -ENOTCONN;
    while (m->iter.left) {
        if (READ_ONCE(u->shutdown) & SEND)
            return done ? done : -EPIPE;
        struct packet *p = new_packet(m, min(m->iter.left, MAX_PIECE));
        if (IS_ERR(p))
            return done ? done : PTR_ERR(p);
        u32 n = p->length;
        int error = deliver(u, peer, p, m);
        if (error) {
            undo_packet(p);
            return done ? done : error;
        }
        done += n;
    }
    return done;
}

// To whom a datagram goes, with a reference.
static struct unix_socket *receiver(struct unix_socket *u, const struct message *m) {
    if (m->name_len && is_datagram(u))
        return find(&m->name, m->name_len, SOCK_DGRAM);
    struct unix_socket *peer = peer_get(u);
    return peer ? peer : ERR_PTR(-ENOTCONN);
}

static ssize_t send_datagram(struct unix_socket *u, struct message *m) {
    static const struct sockaddr_storage nobody = {.ss_family = AF_UNSPEC};
    size_t n = m->iter.left;
    if (n + sizeof(struct packet) > u->socket.sndbuf)
        return -EMSGSIZE;
    if (u->shutdown & SEND)
        return -EPIPE;
    struct unix_socket *r = receiver(u, m);
    if (IS_ERR(r))
        return PTR_ERR(r);
    struct packet *p = ERR_PTR(-EPERM);
    if (!is_datagram(u) || may_send(u, r))
        p = new_packet(m, n);
    ssize_t error = IS_ERR(p) ? PTR_ERR(p) : 0;
    if (!error && p->length < n)
        error = -EFAULT;
    if (!error) {
        p->from = READ_ONCE(u->name);
        if (p->from)
            ref_get(&p->from->ref);
        error = deliver(u, r, p, m);
    }
    if (error && !IS_ERR(p))
        undo_packet(p);
    unix_put(r);
    if (error == -ECONNREFUSED && !m->name_len)
        connect_datagram(u, &nobody, 2);
    return error ? error : (ssize_t)n;
}

static ssize_t unix_send(struct socket *s, struct message *m) {
    if (unlikely(m->flags & MSG_OOB))
        return -EOPNOTSUPP;
    return s->type == SOCK_STREAM ? send_stream(unix_of(s), m) : send_datagram(unix_of(s), m);
}

/* ---- receiving ---- */

// The packet after p, or the first. => reading held, so p stays
static struct packet *packet_after(struct unix_socket *u, const struct packet *p) {
    spin_lock(&u->lock);
    const struct list *next = p ? p->link.next : u->packets.next;
    spin_unlock(&u->lock);
    return next == &u->packets ? NULL : list_entry(next, struct packet, link);
}

// p was read: off the queue. => reading held
static void remove_packet(struct unix_socket *u, struct packet *p) {
    spin_lock(&u->lock);
    list_del(&p->link);
    WRITE_ONCE(u->queued, u->queued - sizeof(*p) - p->length);
    WRITE_ONCE(u->count, u->count - 1);
    struct unix_socket *peer = u->peer;
    spin_unlock(&u->lock);
    if (!is_datagram(u) && peer)
        wake(&peer->out, EVENT_OUT);
    else
        wake(&u->room, EVENT_OUT);
    packet_free(p);
}

// What goes along with p to the receiver: as a copy if it stays.
static void take_along(const struct unix_socket *u, struct packet *p, struct message *m) {
    m->has_cred = u->socket.passcred;
    m->cred = p->cred;
    if (likely(!p->files))
        return;
    if (!(m->flags & MSG_PEEK)) {
        passed_land(p->files);
        m->files = p->files;
        p->files = NULL;
        return;
    }
    u32 size = sizeof(*p->files) + p->files->count * sizeof(p->files->file[0]);
    m->files = kmalloc(size, 0);
    if (!m->files)
        return;
    memcpy(m->files, p->files, size);
    for (u32 i = 0; i < m->files->count; i++)
        file_get(m->files->file[i]);
}

// Nothing to read: 0 at the end of what there will ever be, or why. -EAGAIN: there may be more to come.
static int why_empty(struct unix_socket *u) {
    spin_lock(&u->lock);
    int error = -u->error;
    u->error = 0;
    if (!error && !(u->shutdown & RECEIVE))
        error = is_datagram(u) || u->peer ? -EAGAIN : -ENOTCONN;
    spin_unlock(&u->lock);
    return error;
}

static inline bool may_read(const struct unix_socket *u) {
    return READ_ONCE(u->packets.next) != &u->packets || READ_ONCE(u->shutdown) & RECEIVE ||
           READ_ONCE(u->error);
}

// The first packet with `reading` held; or NULL with *error, not held.
static struct packet *first_packet(struct unix_socket *u, const struct message *m, bool wait,
                                   int *error) {
    bool nonblock = !wait || m->nonblock || m->flags & MSG_DONTWAIT;
    for (;;) {
        mutex_lock(&u->reading);
        struct packet *p = packet_after(u, NULL);
        if (likely(p != NULL))
            return p;
        *error = why_empty(u);
        mutex_unlock(&u->reading);
        if (*error == -EAGAIN)
            *error = wait_for(&u->in, may_read(u), nonblock, u->socket.recv_timeout, "unix_recv");
        else if (*error == 0 && is_datagram(u) && nonblock)
            *error = -EAGAIN;
        else
            return NULL;
        if (*error)
            return NULL;
    }
}

static inline bool same_cred(const struct ucred *a, const struct ucred *b) {
    return a->pid == b->pid && a->uid == b->uid && a->gid == b->gid;
}

// Bytes of packets from p on, until the iter is full, there are no more, or something goes along that must not be mixed.
// => reading held. -EFAULT for none.
static ssize_t read_packets(struct unix_socket *u, struct packet *p, struct message *m,
                            bool first) {
    bool peek = m->flags & MSG_PEEK;
    ssize_t done = 0;
    while (p && m->iter.left) {
        if (u->socket.passcred && !(first && done == 0) && !same_cred(&p->cred, &m->cred))
            break;
        u32 want = min((size_t)(p->length - p->done), m->iter.left);
        u32 n = iter_put(&m->iter, p->data + p->done, want);
        if (n == 0)
            return done ? done : -EFAULT;
        bool files = p->files;
        if (files || (first && done == 0))
            take_along(u, p, m);
        done += n;
        struct packet *next = peek && n == want ? packet_after(u, p) : NULL;
        if (!peek) {
            p->done += n;
            if (p->done == p->length) {
                next = packet_after(u, p);
                remove_packet(u, p);
            }
        }
        if (files)
            break;
        p = next;
    }
    return done;
}

static ssize_t recv_stream(struct unix_socket *u, struct message *m) {
    bool all = m->flags & MSG_WAITALL && !(m->flags & MSG_PEEK);
    ssize_t done = 0;
    int error;
    if (unlikely(m->iter.left == 0))
        return 0;
    do {
        struct packet *p = first_packet(u, m, done == 0 || all, &error);
        if (!p)
            return done ? done : error == -ENOTCONN ? -EINVAL : error;
        ssize_t n = read_packets(u, p, m, done == 0);
        mutex_unlock(&u->reading);
        if (n <= 0)
            return done ? done : n;
        done += n;
    } while (all && m->iter.left && !m->files);
    return done;
}

static ssize_t recv_datagram(struct unix_socket *u, struct message *m) {
    int error;
    struct packet *p = first_packet(u, m, true, &error);
    if (!p)
        return error;
    size_t want = min((size_t)p->length, m->iter.left);
    ssize_t n = iter_put(&m->iter, p->data, want);
    if ((size_t)n < want)
        n = -EFAULT;
    else if (m->flags & MSG_TRUNC)
        n = p->length;
    m->flags &= ~MSG_TRUNC;
    if (p->length > want)
        m->flags |= MSG_TRUNC;
    take_along(u, p, m);
    if (p->from) {
        m->name_len = p->from->len;
        memcpy(&m->name, &p->from->addr, p->from->len);
    }
    if (!(m->flags & MSG_PEEK))
        remove_packet(u, p);
    mutex_unlock(&u->reading);
    return n;
}

static ssize_t unix_recv(struct socket *s, struct message *m) {
    struct unix_socket *u = unix_of(s);
    m->name_len = 0;
    if (unlikely(m->flags & MSG_OOB))
        return -EOPNOTSUPP;
    if (s->type != SOCK_STREAM)
        return recv_datagram(u, m);
    ssize_t n = recv_stream(u, m);
    m->flags &= ~MSG_TRUNC;
    return n;
}

/* ---- the rest ---- */

static u32 unix_poll(struct socket *s, struct file *f, struct poll_table *pt) {
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

static u32 bytes_waiting(struct unix_socket *u) {
    struct packet *p;
    u32 n = 0;
    mutex_lock(&u->reading);
    spin_lock(&u->lock);
    list_for_each (p, &u->packets, link) {
        n += p->length - p->done;
        if (u->socket.type != SOCK_STREAM)
            break;
    }
    spin_unlock(&u->lock);
    mutex_unlock(&u->reading);
    return n;
}

static int unix_get_option(struct socket *s, int name, void *value, u32 size) {
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
        v.n = bytes_waiting(u);
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

void unix_init(void) { socket_register(&unix_family); }
