// Sockets: what all families share. A family (net/unix.c) embeds a struct socket in an object of its own.
#ifndef NET_SOCKET_H
#define NET_SOCKET_H

#include "abi/socket.h"
#include "fs/file.h"

struct socket;
struct passed;

// What goes along with the bytes of one sendmsg(2) or recvmsg(2).
struct message {
    struct iter iter;
    struct sockaddr_storage name;  // to whom, from whom
    u32 name_len;                  // 0: not given
    u32 flags;                     // MSG_ of the call; out: MSG_TRUNC, MSG_CTRUNC
    struct passed *files;          // SCM_RIGHTS, or NULL; whoever has the message owns them
    struct ucred cred;             // SCM_CREDENTIALS
    bool has_cred;
    bool nonblock;
};

struct passed {
    u32 count;
    u32 uid;  // in flight: who sent them
    struct file *file[];
};
void passed_free(struct passed *p);  // puts the files; NULL is nothing

// Results as those of the calls of the same names. => no lock held in any; all but poll may sleep
// A name for get_option: bytes that a read would find (FIONREAD).
#define SOCKET_BYTES (-1)

// bind, listen, connect, accept and shutdown may be NULL: -EOPNOTSUPP.
struct socket_ops {
    int (*bind)(struct socket *s, const struct sockaddr_storage *a, u32 len);
    int (*listen)(struct socket *s, u32 backlog);
    int (*connect)(struct socket *s, const struct sockaddr_storage *a, u32 len, bool nonblock);
    struct socket *(*accept)(struct socket *s, bool nonblock);             // or ERR_PTR
    int (*name)(struct socket *s, bool peer, struct sockaddr_storage *a);  // its length
    int (*shutdown)(struct socket *s, int how);
    ssize_t (*send)(struct socket *s,
                    struct message *m);  // without SIGPIPE, which the caller sends
    ssize_t (*recv)(struct socket *s, struct message *m);
    u32 (*poll)(struct socket *s, struct file *f, struct poll_table *pt);
    int (*get_option)(struct socket *s, int name, void *value,
                      u32 size);  // its length, -ENOPROTOOPT
    void (*release)(struct socket *s);
};

struct socket {
    const struct socket_ops *ops;    // [I]
    int family, type, protocol;      // [I]
    u64 ino;                         // [I] of its file; 0: it has none yet
    u32 sndbuf, rcvbuf;              // [a] bytes
    u64 send_timeout, recv_timeout;  // [a] ns; TIME_NEVER: none
    bool passcred;                   // [a]
    bool listening;                  // [a] by the family
    u32 flags;                       // [a] bit n: option n is set, of those that mean nothing here
    struct linger linger;            // [a] remembered only
};

struct socket_family {
    int family;
    // A socket of that type, ERR_PTR(-ESOCKTNOSUPPORT, -EPROTONOSUPPORT, -ENOMEM)
    struct socket *(*create)(int type, int protocol);
    void (*pair)(struct socket *a, struct socket *b);  // connects two new ones; NULL: -EOPNOTSUPP
};
// A call that not every family has.
#define SOCKET_CALL(s, op, ...) ((s)->ops->op ? (s)->ops->op(s, __VA_ARGS__) : -EOPNOTSUPP)
void socket_register(const struct socket_family *f);
void socket_setup(struct socket *s, const struct socket_ops *ops, int family, int type);
// The socket of a file, or NULL: it is something else.
struct socket *socket_of(const struct file *f);

// The calls. Descriptors belong to current.
int socket_open(int family, int type, int protocol);
int socket_pair(int family, int type, int protocol, struct file *f[2]);  // 0 or errno
int socket_accept(struct file *f, u32 flags);                            // number
ssize_t socket_send(struct socket *s, struct message *m);
int socket_get_option(struct socket *s, int name, void *value, u32 size);  // its length or errno
int socket_set_option(struct socket *s, int name, const void *value, u32 size);

void unix_collect(void);  // net/unix_gc.c: sockets in flight that nobody can reach
void socket_init(void);
void unix_init(void);

#endif
