/*
 * System calls of sockets: addresses, buffers and control messages in and out; net/socket.c and the families do the work.
 *
 * Control messages of level SOL_SOCKET are handled here for all families: SCM_RIGHTS becomes a struct passed with a reference to
 * each file, or descriptors; SCM_CREDENTIALS is checked. What a message still owns at its end is freed here.
 * Decoders only: no locks, may sleep.
 */
#include "abi/capability.h"
#include "abi/errno.h"
#include "abi/resource.h"
#include "abi/time.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/uaccess.h"
#include "net/socket.h"
#include "syscall/syscall.h"
#include "syscall/uio.h"
#include "time/posix.h"
#include "time/timer.h"

// Run `call` with the socket `s` of a descriptor (whose file is `f`): its result, -EBADF, -ENOTSOCK.
#define WITH_SOCKET(s, fd, call)                                                                   \
    ({                                                                                             \
        struct fd_ref ref_ = fd_get((int)(fd));                                                    \
        struct file *f = ref_.file;                                                                \
        struct socket *s = f ? socket_of(f) : NULL;                                                \
        long result_ = !f ? -EBADF : !s ? -ENOTSOCK : (call);                                      \
        fd_put(ref_);                                                                              \
        result_;                                                                                   \
    })

/* ---- addresses ---- */

static int address_in(u64 user, u32 len, struct sockaddr_storage *a) {
    *a = (struct sockaddr_storage){0};
    if (len > sizeof(*a))
        return -EINVAL;
    return copy_from_user(a, user, len);
}

// The address and its whole length, as much as there is room for. 0 or errno
static int address_out(const struct sockaddr_storage *a, u32 len, u64 user, u64 user_len) {
    u32 room;
    if (get_user_u32(&room, user_len))
        return -EFAULT;
    if ((int)room < 0)
        return -EINVAL;
    if (copy_to_user(user, a, min(room, min(len, (u32)sizeof(*a)))))
        return -EFAULT;
    return put_user_u32(len, user_len);
}

long sys_socket(const u64 *a) { return socket_open((int)a[0], (int)a[1], (int)a[2]); }

long sys_socketpair(const u64 *a) {
    struct file *f[2];
    int error = socket_pair((int)a[0], (int)a[1], (int)a[2], f);
    return error ? error : install_pair(f, (int)a[1] & SOCK_CLOEXEC, a[3]);
}

long sys_bind(const u64 *a) {
    struct sockaddr_storage to;
    return WITH_SOCKET(s, a[0],
                       address_in(a[1], (u32)a[2], &to) ?: SOCKET_CALL(s, bind, &to, (u32)a[2]));
}

long sys_connect(const u64 *a) {
    struct sockaddr_storage to;
    return WITH_SOCKET(s, a[0],
                       address_in(a[1], (u32)a[2], &to)
                           ?: SOCKET_CALL(s, connect, &to, (u32)a[2], f->flags & O_NONBLOCK));
}

long sys_listen(const u64 *a) {
    return WITH_SOCKET(s, a[0], SOCKET_CALL(s, listen, min((u32)a[1], SOMAXCONN)));
}

static long name_out(struct socket *s, bool peer, const u64 *a) {
    struct sockaddr_storage name;
    int len = s->ops->name(s, peer, &name);
    return len < 0 ? len : address_out(&name, len, a[1], a[2]);
}
long sys_getsockname(const u64 *a) { return WITH_SOCKET(s, a[0], name_out(s, false, a)); }
long sys_getpeername(const u64 *a) { return WITH_SOCKET(s, a[0], name_out(s, true, a)); }

static long accepted(struct file *f, const u64 *a, u32 flags) {
    if (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC))
        return -EINVAL;
    int fd = socket_accept(f, flags);
    if (fd < 0 || !a[1])
        return fd;
    u64 name[3] = {fd, a[1], a[2]};
    long error = sys_getpeername(name);
    if (!error)
        return fd;
    fd_close(fd);
    return error == -ENOTCONN ? -ECONNABORTED : error;
}
long sys_accept(const u64 *a) { return WITH_SOCKET(s, a[0], accepted(f, a, 0)); }
long sys_accept4(const u64 *a) { return WITH_SOCKET(s, a[0], accepted(f, a, (u32)a[3])); }

long sys_shutdown(const u64 *a) {
    int how = (int)a[1];
    return WITH_SOCKET(s, a[0],
                       how < SHUT_RD || how > SHUT_RDWR ? -EINVAL : SOCKET_CALL(s, shutdown, how));
}

/* ---- options ---- */

#define OPTION_MAX 64

static long set_option(struct socket *s, const u64 *a) {
    u8 value[OPTION_MAX] = {0};
    u32 size = (u32)a[4];
    if ((int)size < 0)
        return -EINVAL;
    if (copy_from_user(value, a[3], min(size, (u32)sizeof(value))))
        return -EFAULT;
    return (int)a[1] == SOL_SOCKET ? socket_set_option(s, (int)a[2], value, size) : -ENOPROTOOPT;
}
long sys_setsockopt(const u64 *a) { return WITH_SOCKET(s, a[0], set_option(s, a)); }

static long get_option(struct socket *s, const u64 *a) {
    u8 value[OPTION_MAX];
    u32 size;
    if (get_user_u32(&size, a[4]))
        return -EFAULT;
    if ((int)size < 0)
        return -EINVAL;
    if ((int)a[1] != SOL_SOCKET)
        return -EOPNOTSUPP;
    int n = (int)a[2] < 0 ? -ENOPROTOOPT
                          : socket_get_option(s, (int)a[2], value, min(size, (u32)sizeof(value)));
    if (n < 0)
        return n;
    return copy_to_user(a[3], value, n) ?: put_user_u32(n, a[4]);
}
long sys_getsockopt(const u64 *a) { return WITH_SOCKET(s, a[0], get_option(s, a)); }

/* ---- sending and receiving ---- */

static long send_to(struct socket *s, struct file *f, const u64 *a) {
    if (!user_range_ok(a[1], a[2]))
        return -EFAULT;
    struct message m = {.flags = (u32)a[3], .nonblock = f->flags & O_NONBLOCK};
    struct iovec v = {(void *)a[1], min(a[2], MAX_RW)};
    iter_init(&m.iter, &v, 1, v.iov_len, false);
    if (a[4]) {
        m.name_len = (u32)a[5];
        int error = address_in(a[4], m.name_len, &m.name);
        if (error)
            return error;
    }
    return socket_send(s, &m);
}
long sys_sendto(const u64 *a) { return WITH_SOCKET(s, a[0], send_to(s, f, a)); }

static long recv_from(struct socket *s, struct file *f, const u64 *a) {
    if (!user_range_ok(a[1], a[2]))
        return -EFAULT;
    struct message m = {.flags = (u32)a[3], .nonblock = f->flags & O_NONBLOCK};
    struct iovec v = {(void *)a[1], min(a[2], MAX_RW)};
    iter_init(&m.iter, &v, 1, v.iov_len, false);
    ssize_t n = s->ops->recv(s, &m);
    passed_free(m.files);
    if (n < 0 || !a[4])
        return n;
    return address_out(&m.name, m.name_len, a[4], a[5]) ?: n;
}
long sys_recvfrom(const u64 *a) { return WITH_SOCKET(s, a[0], recv_from(s, f, a)); }

// Descriptors of the caller's become files. 0, -EBADF, -EINVAL, -ENOMEM
static int rights_in(u64 user, size_t size, struct message *m) {
    int fd[SCM_MAX_FD];
    u32 count = size / sizeof(fd[0]);
    if (count > SCM_MAX_FD || m->files)
        return -EINVAL;
    if (copy_from_user(fd, user, count * sizeof(fd[0])))
        return -EFAULT;
    m->files = kmalloc(sizeof(*m->files) + count * sizeof(m->files->file[0]), 0);
    if (!m->files)
        return -ENOMEM;
    for (m->files->count = 0; m->files->count < count; m->files->count++) {
        struct file *f = fd_lookup(fd[m->files->count]);
        if (!f)
            return -EBADF;
        m->files->file[m->files->count] = f;
    }
    return 0;
}

// Who may not lie about itself must say the truth.
static int cred_in(u64 user, struct message *m) {
    const struct cred *c = current->cred;
    struct ucred *u = &m->cred;
    if (copy_from_user(u, user, sizeof(*u)))
        return -EFAULT;
    if (u->pid != task_tgid(current) && !capable(CAP_SYS_ADMIN))
        return -EPERM;
    if (u->uid != c->uid && u->uid != c->euid && u->uid != c->suid && !capable(CAP_SETUID))
        return -EPERM;
    if (u->gid != c->gid && u->gid != c->egid && u->gid != c->sgid && !capable(CAP_SETGID))
        return -EPERM;
    m->has_cred = true;
    return 0;
}

static int control_in(const struct msghdr *h, struct message *m) {
    u64 at = (u64)h->msg_control, end = at + h->msg_controllen;
    struct cmsghdr c;
    int error = 0;
    while (!error && end - at >= sizeof(c)) {
        if (copy_from_user(&c, at, sizeof(c)))
            return -EFAULT;
        if (c.cmsg_len < sizeof(c) || c.cmsg_len > end - at)
            return -EINVAL;
        if (c.cmsg_level == SOL_SOCKET && c.cmsg_type == SCM_RIGHTS)
            error = rights_in(at + sizeof(c), c.cmsg_len - sizeof(c), m);
        else if (c.cmsg_level == SOL_SOCKET && c.cmsg_type == SCM_CREDENTIALS &&
                 c.cmsg_len == CMSG_LEN(sizeof(struct ucred)))
            error = cred_in(at + sizeof(c), m);
        else if (c.cmsg_level == SOL_SOCKET)
            error = -EINVAL;
        at += min(CMSG_ALIGN(c.cmsg_len), end - at);
    }
    return error;
}

// The header and its buffers; *v is as of import_iov. 0 or errno.
static int header_in(u64 user, struct msghdr *h, struct message *m, struct iovec *fast,
                     struct iovec **v) {
    *v = fast;
    if (copy_from_user(h, user, sizeof(*h)))
        return -EFAULT;
    if (h->msg_iovlen > UIO_MAXIOV)
        return -EMSGSIZE;
    ssize_t n = import_iov((u64)h->msg_iov, h->msg_iovlen, fast, v);
    if (n < 0) {
        *v = fast;
        return n;
    }
    iter_init(&m->iter, *v, h->msg_iovlen, n, false);
    return 0;
}

static ssize_t send_message(struct socket *s, struct file *f, u64 user, u32 flags) {
    struct message m = {.flags = flags, .nonblock = f->flags & O_NONBLOCK};
    struct iovec fast[FAST_IOV], *v;
    struct msghdr h;
    ssize_t n = header_in(user, &h, &m, fast, &v);
    if (!n && h.msg_name && h.msg_namelen) {
        m.name_len = h.msg_namelen;
        n = h.msg_namelen < 0 ? -EINVAL : address_in((u64)h.msg_name, h.msg_namelen, &m.name);
    }
    if (!n && h.msg_control && h.msg_controllen)
        n = control_in(&h, &m);
    if (!n)
        n = socket_send(s, &m);
    passed_free(m.files);
    if (v != fast)
        kfree(v);
    return n;
}
long sys_sendmsg(const u64 *a) { return WITH_SOCKET(s, a[0], send_message(s, f, a[1], (u32)a[2])); }

struct control {
    u64 at, end;  // user addresses
    u32 flags;    // MSG_CTRUNC
};

// One control message, cut to the room there is.
static int control_put(struct control *c, int type, const void *data, size_t n) {
    size_t room = c->end - c->at;
    struct cmsghdr h = {.cmsg_level = SOL_SOCKET, .cmsg_type = type};
    if (room < sizeof(h)) {
        c->flags |= MSG_CTRUNC;
        return 0;
    }
    if (CMSG_LEN(n) > room) {
        c->flags |= MSG_CTRUNC;
        n = room - sizeof(h);
    }
    h.cmsg_len = CMSG_LEN(n);
    if (copy_to_user(c->at, &h, sizeof(h)) || copy_to_user(c->at + sizeof(h), data, n))
        return -EFAULT;
    c->at += min(CMSG_SPACE(n), room);
    return 0;
}

// Files become descriptors, as many as there is room for and the limit allows.
static int rights_out(struct control *c, struct message *m, bool cloexec) {
    size_t room = c->end - c->at;
    u32 fit = room < sizeof(struct cmsghdr) ? 0 : (room - sizeof(struct cmsghdr)) / sizeof(int);
    u32 count = m->files->count, done = 0;
    int fd[SCM_MAX_FD], error = 0;
    while (done < count && done < fit) {
        fd[done] = fd_alloc(m->files->file[done], 0, cloexec);
        if (fd[done] < 0)
            break;
        file_get(m->files->file[done++]);
    }
    if (done)
        error = control_put(c, SCM_RIGHTS, fd, done * sizeof(fd[0]));
    if (done < count)
        c->flags |= MSG_CTRUNC;
    return error;
}

static int header_out(u64 user, const struct msghdr *h, struct message *m) {
    struct control c = {(u64)h->msg_control, (u64)h->msg_control + h->msg_controllen, 0};
    int error = 0;
    if (m->has_cred)
        error = control_put(&c, SCM_CREDENTIALS, &m->cred, sizeof(m->cred));
    if (!error && m->files)
        error = rights_out(&c, m, m->flags & MSG_CMSG_CLOEXEC);
    u32 flags = (m->flags & (MSG_TRUNC | MSG_EOR | MSG_CMSG_CLOEXEC)) | c.flags;
    u64 used = c.at - (u64)h->msg_control;
    if (!error && h->msg_name)
        error = copy_to_user((u64)h->msg_name, &m->name, min(m->name_len, (u32)h->msg_namelen))
                    ?: put_user_u32(m->name_len, user + offsetof(struct msghdr, msg_namelen));
    if (!error)
        error = put_user_u32(flags, user + offsetof(struct msghdr, msg_flags))
                    ?: put_user_u64(used, user + offsetof(struct msghdr, msg_controllen));
    return error;
}

static ssize_t recv_message(struct socket *s, struct file *f, u64 user, u32 flags) {
    struct message m = {.flags = flags, .nonblock = f->flags & O_NONBLOCK};
    struct iovec fast[FAST_IOV], *v;
    struct msghdr h;
    ssize_t n = header_in(user, &h, &m, fast, &v);
    if (!n && h.msg_name && h.msg_namelen < 0)
        n = -EINVAL;
    if (!n)
        n = s->ops->recv(s, &m);
    if (n >= 0) {
        int error = header_out(user, &h, &m);
        n = error ? error : n;
    }
    passed_free(m.files);
    if (v != fast)
        kfree(v);
    return n;
}
long sys_recvmsg(const u64 *a) { return WITH_SOCKET(s, a[0], recv_message(s, f, a[1], (u32)a[2])); }

static u64 nth(u64 user, u32 i) { return user + i * sizeof(struct mmsghdr); }
static int put_length(u64 user, u32 i, u32 n) {
    return put_user_u32(n, nth(user, i) + offsetof(struct mmsghdr, msg_len));
}

// The number of messages; an error only of the first.
static long send_messages(struct socket *s, struct file *f, const u64 *a) {
    u32 count = min((u32)a[2], (u32)UIO_MAXIOV), i = 0;
    ssize_t n = 0;
    for (; i < count && n >= 0; i += n >= 0) {
        n = send_message(s, f, nth(a[1], i), (u32)a[3]);
        if (n >= 0 && put_length(a[1], i, n))
            n = -EFAULT;
    }
    return i ? i : n;
}
long sys_sendmmsg(const u64 *a) { return WITH_SOCKET(s, a[0], send_messages(s, f, a)); }

static long recv_messages(struct socket *s, struct file *f, const u64 *a) {
    u32 count = min((u32)a[2], (u32)UIO_MAXIOV), flags = (u32)a[3], i = 0;
    u64 end;
    ssize_t n = deadline_in(a[4], &end);
    if (n)
        return n;
    for (; i < count && n >= 0 && (!i || clock_ns() < end); i += n >= 0) {
        n = recv_message(s, f, nth(a[1], i), flags & ~MSG_WAITFORONE);
        if (n >= 0 && put_length(a[1], i, n))
            n = -EFAULT;
        if (flags & MSG_WAITFORONE)
            flags |= MSG_DONTWAIT;
    }
    return i ? i : n;
}
long sys_recvmmsg(const u64 *a) { return WITH_SOCKET(s, a[0], recv_messages(s, f, a)); }
