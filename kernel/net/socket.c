/*
 * Sockets as files: what socket(2) makes, whatever the family.
 *
 * A socket is a file of the internal file system `sockfs`, with an inode of its own for fstat() and /proc. Its private_ is a
 * struct socket inside the family's object, and everything that depends on the family goes through its table (struct socket_ops).
 * A family registers itself at boot. The calls that are read() and write() with more arguments are here too, and the
 * options of level SOL_SOCKET; the few that mean nothing here are remembered.
 *
 * Accepting has a descriptor and a file before it takes the connection off its listener, so that a program at its limit
 * loses none.
 *
 * Locks: none of its own; options are single words. May sleep: everything.
 */
#include "net/socket.h"

#include "abi/capability.h"
#include "abi/errno.h"
#include "abi/ioctl.h"
#include "fs/anon.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/uaccess.h"
#include "net/netlink.h"
#include "time/posix.h"
#include "time/timer.h"

#define BUFFER 212992u  // bytes; /proc/sys/net/core/wmem_default
#define BUFFER_MIN 4608u

static const struct socket_family *families[AF_MAX];

void socket_register(const struct socket_family *f) { families[f->family] = f; }

void socket_setup(struct socket *s, const struct socket_ops *ops, int family, int type) {
    s->ops = ops;
    s->family = family;
    s->type = type;
    s->sndbuf = s->rcvbuf = BUFFER;
    s->send_timeout = s->recv_timeout = TIME_NEVER;
}

/* ---- files ---- */

static ssize_t socket_read(struct file *f, struct iter *to, u64 *pos) {
    struct socket *s = f->private_;
    struct message m = {.iter = *to, .nonblock = f->flags & O_NONBLOCK};
    (void)pos;
    ssize_t n = s->ops->recv(s, &m);
    *to = m.iter;
    passed_free(m.files);
    return n;
}

ssize_t socket_send(struct socket *s, struct message *m) {
    ssize_t n = s->ops->send(s, m);
    if (n == -EPIPE && s->type == SOCK_STREAM && !(m->flags & MSG_NOSIGNAL))
        signal_self(SIGPIPE);
    return n;
}

static ssize_t socket_write(struct file *f, struct iter *from, u64 *pos) {
    struct message m = {.iter = *from, .nonblock = f->flags & O_NONBLOCK};
    (void)pos;
    ssize_t n = socket_send(f->private_, &m);
    *from = m.iter;
    return n;
}

static u32 socket_poll(struct file *f, struct poll_table *pt) {
    struct socket *s = f->private_;
    return s->ops->poll(s, f, pt);
}

static long socket_ioctl(struct file *f, u32 cmd, u64 arg) {
    struct socket *s = f->private_;
    u32 bytes;
    if (cmd != FIONREAD)
        return -ENOTTY;
    int n = s->ops->get_option(s, SOCKET_BYTES, &bytes, sizeof(bytes));
    return n < 0 ? n : put_user_u32(bytes, arg);
}

static void socket_release(struct file *f) {
    struct socket *s = f->private_;
    if (s)
        s->ops->release(s);
}

static const struct file_ops socket_ops = {
    .release = socket_release,
    .read = socket_read,
    .write = socket_write,
    .poll = socket_poll,
    .ioctl = socket_ioctl,
    .closed = unix_collect,
};

struct socket *socket_of(const struct file *f) {
    return f->ops == &socket_ops ? f->private_ : NULL;
}

void passed_free(struct passed *p) {
    for (u32 i = 0; p && i < p->count; i++)
        file_put(p->file[i]);
    kfree(p);
}

static const struct fs_type sockfs_type = {.name = "sockfs"};
static const struct inode_ops socket_inode_ops;
static struct super sockfs = NAMELESS_SUPER(sockfs, &sockfs_type, 0x08, SOCKFS_MAGIC);
static u64 last_ino;  // [a]

// A file that has no socket yet.
static struct file *socket_file(u32 flags) {
    struct inode *inode = inode_new(&sockfs, atomic_add(&last_ino, 1) + 1, S_IFSOCK | 0777);
    if (IS_ERR(inode))
        return (void *)inode;
    inode->ops = &socket_inode_ops;
    inode->nlink = 0;  // no name will ever find it
    struct file *f = file_create(inode, &socket_ops, O_RDWR | (flags & O_NONBLOCK), NULL);
    if (IS_ERR(f))
        inode_put(inode);
    return f;
}

/* ---- making ---- */

static struct socket *create(int family, int type, int protocol) {
    if (family < 0 || family >= AF_MAX || !families[family])
        return ERR_PTR(-EAFNOSUPPORT);
    return families[family]->create(type & SOCK_TYPE_MASK, protocol);
}

static void give_file(struct socket *s, struct file *f) {
    s->ino = f->inode->ino;
    f->private_ = s;
}

// The file of a new socket.
static struct file *open_file(int family, int type, int protocol) {
    if (type & ~(SOCK_TYPE_MASK | SOCK_NONBLOCK | SOCK_CLOEXEC))
        return ERR_PTR(-EINVAL);
    struct socket *s = create(family, type, protocol);
    if (IS_ERR(s))
        return (void *)s;
    struct file *f = socket_file(type);
    if (IS_ERR(f))
        s->ops->release(s);
    else
        give_file(s, f);
    return f;
}

int socket_open(int family, int type, int protocol) {
    return fd_give(open_file(family, type, protocol), 0, type & O_CLOEXEC);
}

int socket_pair(int family, int type, int protocol, struct file *f[2]) {
    f[0] = open_file(family, type, protocol);
    if (IS_ERR(f[0]))
        return PTR_ERR(f[0]);
    f[1] = families[family]->pair ? open_file(family, type, protocol) : ERR_PTR(-EOPNOTSUPP);
    if (IS_ERR(f[1])) {
        file_put(f[0]);
        return PTR_ERR(f[1]);
    }
    families[family]->pair(f[0]->private_, f[1]->private_);
    return 0;
}

int socket_accept(struct file *listener, u32 flags) {
    struct socket *s = listener->private_, *accepted;
    if (!s->ops->accept)
        return -EOPNOTSUPP;
    int fd = fd_reserve(flags & SOCK_CLOEXEC);
    if (fd < 0)
        return fd;
    struct file *f = socket_file(flags);
    if (!IS_ERR(f)) {
        accepted = s->ops->accept(s, listener->flags & O_NONBLOCK);
        if (!IS_ERR(accepted)) {
            give_file(accepted, f);
            fd_install(fd, f);
            return fd;
        }
        file_put(f);
    }
    fd_release(fd);
    return PTR_ERR(IS_ERR(f) ? (void *)f : (void *)accepted);
}

/* ---- options of SOL_SOCKET ---- */

#define REMEMBERED                                                                                 \
    (1u << SO_DEBUG | 1u << SO_REUSEADDR | 1u << SO_BROADCAST | 1u << SO_KEEPALIVE |               \
     1u << SO_OOBINLINE | 1u << SO_REUSEPORT)

static int number_of(struct socket *s, int name) {
    switch (name) {
    case SO_TYPE:
        return s->type;
    case SO_DOMAIN:
        return s->family;
    case SO_PROTOCOL:
        return s->protocol;
    case SO_SNDBUF:
        return s->sndbuf;
    case SO_RCVBUF:
        return s->rcvbuf;
    case SO_PASSCRED:
        return s->passcred;
    case SO_ACCEPTCONN:
        return s->listening;
    case SO_RCVLOWAT:
    case SO_SNDLOWAT:
        return 1;
    default:
        return name < 32 && REMEMBERED >> name & 1 ? (int)(s->flags >> name & 1) : -ENOPROTOOPT;
    }
}

static int put_value(void *value, u32 size, const void *from, u32 n) {
    n = min(n, size);
    memcpy(value, from, n);
    return n;
}

int socket_get_option(struct socket *s, int name, void *value, u32 size) {
    if (name == SO_RCVTIMEO || name == SO_SNDTIMEO) {
        u64 ns = name == SO_RCVTIMEO ? s->recv_timeout : s->send_timeout;
        struct timeval t = ns_to_timeval(ns == TIME_NEVER ? 0 : ns);
        return put_value(value, size, &t, sizeof(t));
    }
    if (name == SO_LINGER)
        return put_value(value, size, &s->linger, sizeof(s->linger));
    int n = number_of(s, name);
    if (n == -ENOPROTOOPT)
        return s->ops->get_option(s, name, value, size);
    return put_value(value, size, &n, sizeof(n));
}

static int set_timeout(struct socket *s, int name, const void *value, u32 size) {
    struct timeval t;
    u64 ns;
    if (size < sizeof(t))
        return -EINVAL;
    memcpy(&t, value, sizeof(t));
    if (t.tv_usec < 0 || t.tv_usec >= 1000000)
        return -EDOM;
    if (t.tv_sec < 0 || timeval_to_ns(&t, &ns) || ns == 0)
        ns = TIME_NEVER;
    if (name == SO_RCVTIMEO)
        s->recv_timeout = ns;
    else
        s->send_timeout = ns;
    return 0;
}

// Doubled, as Linux does, for the sizes count what surrounds the bytes too.
static u32 buffer_size(u32 wanted, bool force) {
    u32 most = force ? INT32_MAX / 2 : BUFFER;
    return max(min(wanted, most) * 2, BUFFER_MIN);
}

int socket_set_option(struct socket *s, int name, const void *value, u32 size) {
    bool force = name == SO_SNDBUFFORCE || name == SO_RCVBUFFORCE;
    int n;
    if (name == SO_RCVTIMEO || name == SO_SNDTIMEO)
        return set_timeout(s, name, value, size);
    if (size < sizeof(n) || (name == SO_LINGER && size < sizeof(s->linger)))
        return -EINVAL;
    memcpy(&n, value, sizeof(n));
    if (force && !capable(CAP_NET_ADMIN))
        return -EPERM;
    switch (name) {
    case SO_SNDBUF:
    case SO_SNDBUFFORCE:
        s->sndbuf = buffer_size(n, force);
        return 0;
    case SO_RCVBUF:
    case SO_RCVBUFFORCE:
        s->rcvbuf = buffer_size(n, force);
        return 0;
    case SO_PASSCRED:
        s->passcred = n;
        return 0;
    case SO_LINGER:
        memcpy(&s->linger, value, sizeof(s->linger));
        return 0;
    case SO_PRIORITY:
    case SO_RCVLOWAT:
        return 0;
    default:
        if (name <= 0 || name >= 32 || !(REMEMBERED >> name & 1))
            return -ENOPROTOOPT;
        s->flags = n ? s->flags | 1u << name : s->flags & ~(1u << name);
        return 0;
    }
}

void socket_init(void) {
    unix_init();
    netlink_init();
}
