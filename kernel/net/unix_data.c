/*
 * What is sent through UNIX sockets. unix(7).
 *
 * It goes straight into the receiver's queue, as a packet: there is no buffer on the sender's side. A stream is a
 * queue of packets that are read piece by piece.
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
 * Locks: reading (sleeps: user memory is copied with it held), a socket's lock, of which nobody holds two. Sleeps: all.
 */
#include "abi/errno.h"
#include "mm/slab.h"
#include "lib/string.h"
#include "net/unix.h"

#define MAX_PIECE (4 * PAGE_SIZE - sizeof(struct packet))  // bytes of a stream's packet

static struct ucred my_real_cred(void) {
    return (struct ucred){task_tgid(current), current->cred->uid, current->cred->gid};
}

/* ---- sending ---- */

// => r->lock held
static inline void add_packet(struct unix_socket *r, struct packet *p) {
    list_add_tail(&p->link, &r->packets);
    WRITE_ONCE(r->queued, r->queued + sizeof(*p) + p->length);
    WRITE_ONCE(r->count, r->count + 1);
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
        add_packet(r, p);
    }
    spin_unlock(&r->lock);
    if (!error)
        unix_wake(&r->in, EVENT_IN);
    return error;
}

void unix_push(struct unix_socket *r, struct packet *p) {
    spin_lock(&r->lock);
    bool dead = r->dead;
    if (!dead)
        add_packet(r, p);
    spin_unlock(&r->lock);
    if (dead)
        packet_free(p);
    else
        unix_wake(&r->in, EVENT_IN);
}

static int wait_for_room(struct unix_socket *u, struct unix_socket *r, const struct message *m) {
    bool nonblock = m->nonblock || m->flags & MSG_DONTWAIT;
    struct waitq *q = is_datagram(u) ? &r->room : &u->out;
    return unix_wait(q, !is_full(u, r) || gone(r), nonblock, u->socket.send_timeout, "unix_send");
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
    p->files = NULL;
    if (likely(!m->files))
        return p;
    int error = passed_fly(m->files);
    if (error) {
        kfree(p);
        return ERR_PTR(error);
    }
    p->files = m->files;
    m->files = NULL;
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
        return unix_find(&m->name, m->name_len, SOCK_DGRAM);
    struct unix_socket *peer = unix_peer_get(u);
    return peer ? peer : ERR_PTR(-ENOTCONN);
}

static ssize_t send_datagram(struct unix_socket *u, struct message *m) {
    size_t n = m->iter.left;
    if (n + sizeof(struct packet) > u->socket.sndbuf)
        return -EMSGSIZE;
    if (u->shutdown & SEND)
        return -EPIPE;
    struct unix_socket *r = receiver(u, m);
    if (IS_ERR(r))
        return PTR_ERR(r);
    struct packet *p = ERR_PTR(-EPERM);
    if (!is_datagram(u) || unix_may_send(u, r))
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
        unix_disconnect(u);
    return error ? error : (ssize_t)n;
}

ssize_t unix_send(struct socket *s, struct message *m) {
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
        unix_wake(&peer->out, EVENT_OUT);
    else
        unix_wake(&u->room, EVENT_OUT);
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
            *error = unix_wait(&u->in, may_read(u), nonblock, u->socket.recv_timeout, "unix_recv");
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

ssize_t unix_recv(struct socket *s, struct message *m) {
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

u32 unix_bytes_waiting(struct unix_socket *u) {
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
