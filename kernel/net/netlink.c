/*
 * Sockets of AF_NETLINK, netlink(7): what the kernel tells programs. Of its subjects there is one here, the arrival of a message in
 * a POSIX queue, for which the C library's mq_notify(3) with SIGEV_THREAD waits in a thread of its own: mq_notify(2).
 *
 * A socket is a UNIX datagram socket without name and peer, which only the kernel can send to. Whoever else tries is told that
 * nobody listens. A note is what will be sent, with its memory and a reference to the socket's file, so that sending cannot fail.
 *
 * Locks: none of its own. Sleeps: making a note, and dropping what may be a file's last reference.
 */
#include "net/netlink.h"

#include "abi/errno.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/uaccess.h"
#include "net/unix.h"

#define NETLINK_ROUTE 0

struct sockaddr_nl {
    u16 nl_family, nl_pad;
    u32 nl_pid, nl_groups;
};

struct note {
    struct file *file;  // with a reference
    struct packet *packet;
};

static ssize_t no_send(struct socket *s, struct message *m) {
    (void)s, (void)m;
    return -ECONNREFUSED;
}

// The kernel's address, of the sender; a socket that was not bound has the same.
static int netlink_name(struct socket *s, bool of_peer, struct sockaddr_storage *a) {
    const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    (void)s, (void)of_peer;
    memcpy(a, &kernel, sizeof(kernel));
    return sizeof(kernel);
}

static ssize_t netlink_recv(struct socket *s, struct message *m) {
    ssize_t n = unix_recv(s, m);
    if (n >= 0)
        m->name_len = netlink_name(s, true, &m->name);
    return n;
}

static const struct socket_ops netlink_ops = {
    .name = netlink_name,
    .send = no_send,
    .recv = netlink_recv,
    .poll = unix_poll,
    .get_option = unix_get_option,
    .release = unix_release,
};

static struct socket *netlink_create(int type, int protocol) {
    if (type != SOCK_RAW && type != SOCK_DGRAM)
        return ERR_PTR(-ESOCKTNOSUPPORT);
    if (protocol != NETLINK_ROUTE)
        return ERR_PTR(-EPROTONOSUPPORT);
    struct socket *s = unix_make(SOCK_DGRAM);
    if (!s)
        return ERR_PTR(-ENOMEM);
    s->ops = &netlink_ops;
    s->family = AF_NETLINK;
    return s;
}

struct note *note_make(int fd, u64 user, u32 n) {
    struct file *f = fd_lookup(fd);
    struct socket *s = f ? socket_of(f) : NULL;
    long error = f ? -EBADF : -EINVAL;
    struct note *note = NULL;
    if (!s || s->family != AF_NETLINK)
        goto put_file;
    error = -ENOMEM;
    note = kmalloc(sizeof(*note), 0);
    if (!note)
        goto put_file;
    note->file = f;
    note->packet = kmalloc(sizeof(*note->packet) + n, ALLOC_ZERO);
    if (!note->packet)
        goto free_note;
    list_init(&note->packet->link);
    note->packet->length = n;
    error = copy_from_user(note->packet->data, user, n);
    if (!error)
        return note;
    kfree(note->packet);
free_note:
    kfree(note);
put_file:
    if (f)
        file_put(f);
    return ERR_PTR(error);
}

void note_send(struct note *note, u8 last) {
    struct packet *p = note->packet;
    p->data[p->length - 1] = last;
    unix_push(unix_of(socket_of(note->file)), p);
    file_put(note->file);
    kfree(note);
}

void note_drop(struct note *note) {
    file_put(note->file);
    kfree(note->packet);
    kfree(note);
}

static const struct socket_family netlink_family = {AF_NETLINK, netlink_create, NULL};

void netlink_init(void) { socket_register(&netlink_family); }
