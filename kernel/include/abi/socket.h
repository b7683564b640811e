/* socket(2), sendmsg(2), getsockopt(2), unix(7). */
#ifndef ABI_SOCKET_H
#define ABI_SOCKET_H

#include <stdint.h>
#include "abi/fcntl.h"

#define AF_UNSPEC 0
#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define AF_NETLINK 16
#define AF_MAX 46

#define SOCK_STREAM 1
#define SOCK_DGRAM 2
#define SOCK_RAW 3
#define SOCK_SEQPACKET 5
#define SOCK_TYPE_MASK 0xf
#define SOCK_NONBLOCK O_NONBLOCK
#define SOCK_CLOEXEC O_CLOEXEC

#define SHUT_RD 0
#define SHUT_WR 1
#define SHUT_RDWR 2

#define SOL_SOCKET 1
#define SO_DEBUG 1
#define SO_REUSEADDR 2
#define SO_TYPE 3
#define SO_ERROR 4
#define SO_BROADCAST 6
#define SO_SNDBUF 7
#define SO_RCVBUF 8
#define SO_KEEPALIVE 9
#define SO_OOBINLINE 10
#define SO_PRIORITY 12
#define SO_LINGER 13
#define SO_REUSEPORT 15
#define SO_PASSCRED 16
#define SO_PEERCRED 17
#define SO_RCVLOWAT 18
#define SO_SNDLOWAT 19
#define SO_RCVTIMEO 20
#define SO_SNDTIMEO 21
#define SO_ACCEPTCONN 30
#define SO_SNDBUFFORCE 32
#define SO_RCVBUFFORCE 33
#define SO_PROTOCOL 38
#define SO_DOMAIN 39

#define MSG_OOB 0x1
#define MSG_PEEK 0x2
#define MSG_DONTROUTE 0x4
#define MSG_CTRUNC 0x8
#define MSG_TRUNC 0x20
#define MSG_DONTWAIT 0x40
#define MSG_EOR 0x80
#define MSG_WAITALL 0x100
#define MSG_NOSIGNAL 0x4000
#define MSG_MORE 0x8000
#define MSG_WAITFORONE 0x10000
#define MSG_CMSG_CLOEXEC 0x40000000

#define SOMAXCONN 4096
#define SCM_RIGHTS 1
#define SCM_CREDENTIALS 2
#define SCM_MAX_FD 253

#define UNIX_PATH_MAX 108

struct sockaddr {
    uint16_t sa_family;
    char sa_data[14];
};

struct sockaddr_un {
    uint16_t sun_family;
    char sun_path[UNIX_PATH_MAX]; /* first byte 0: abstract */
};

struct sockaddr_storage {
    uint16_t ss_family;
    char data[126] __attribute__((aligned(2)));
};

struct msghdr {
    void *msg_name;
    int32_t msg_namelen;
    uint32_t __pad1;
    struct iovec *msg_iov;
    uint64_t msg_iovlen;
    void *msg_control;
    uint64_t msg_controllen;
    uint32_t msg_flags;
    uint32_t __pad2;
};

struct mmsghdr {
    struct msghdr msg_hdr;
    uint32_t msg_len;
    uint32_t __pad;
};

struct cmsghdr {
    uint64_t cmsg_len; /* this header included */
    int32_t cmsg_level;
    int32_t cmsg_type;
};
#define CMSG_ALIGN(n) (((n) + 7) & ~7ul)
#define CMSG_SPACE(n) (sizeof(struct cmsghdr) + CMSG_ALIGN(n))
#define CMSG_LEN(n) (sizeof(struct cmsghdr) + (n))

struct ucred {
    int32_t pid;
    uint32_t uid, gid;
};

struct linger {
    int32_t l_onoff, l_linger;
};

_Static_assert(sizeof(struct msghdr) == 56, "struct msghdr is 56 bytes");
_Static_assert(sizeof(struct mmsghdr) == 64, "struct mmsghdr is 64 bytes");
_Static_assert(sizeof(struct sockaddr_un) == 110, "struct sockaddr_un is 110 bytes");
_Static_assert(sizeof(struct sockaddr_storage) == 128, "struct sockaddr_storage is 128 bytes");

#endif
