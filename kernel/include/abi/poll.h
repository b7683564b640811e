/* ppoll(2), pselect6(2), epoll(7). */
#ifndef ABI_POLL_H
#define ABI_POLL_H

#include <stdint.h>

#define POLLIN 0x0001
#define POLLPRI 0x0002
#define POLLOUT 0x0004
#define POLLERR 0x0008
#define POLLHUP 0x0010
#define POLLNVAL 0x0020
#define POLLRDNORM 0x0040
#define POLLRDBAND 0x0080
#define POLLWRNORM 0x0100
#define POLLWRBAND 0x0200
#define POLLMSG 0x0400
#define POLLREMOVE 0x1000
#define POLLRDHUP 0x2000

struct pollfd {
    int32_t fd;
    int16_t events;
    int16_t revents;
};

#define FD_SETSIZE 1024

/* fd_set: bit n of the array of 64-bit words stands for descriptor n. */
struct abi_fd_set {
    uint64_t fds_bits[FD_SETSIZE / 64];
};

/* Sixth argument of pselect6. */
struct abi_sigset_arg {
    const uint64_t *ss;
    uint64_t ss_len; /* 8 */
};

#define EPOLL_CLOEXEC 02000000
#define EPOLL_CTL_ADD 1
#define EPOLL_CTL_DEL 2
#define EPOLL_CTL_MOD 3

#define EPOLLIN 0x00000001U
#define EPOLLPRI 0x00000002U
#define EPOLLOUT 0x00000004U
#define EPOLLERR 0x00000008U
#define EPOLLHUP 0x00000010U
#define EPOLLNVAL 0x00000020U
#define EPOLLRDNORM 0x00000040U
#define EPOLLRDBAND 0x00000080U
#define EPOLLWRNORM 0x00000100U
#define EPOLLWRBAND 0x00000200U
#define EPOLLMSG 0x00000400U
#define EPOLLRDHUP 0x00002000U
#define EPOLLEXCLUSIVE (1U << 28)
#define EPOLLWAKEUP (1U << 29)
#define EPOLLONESHOT (1U << 30)
#define EPOLLET (1U << 31)

struct epoll_event { /* not packed on riscv64: 16 bytes */
    uint32_t events;
    uint64_t data;
};

_Static_assert(sizeof(struct epoll_event) == 16, "struct epoll_event is 16 bytes on riscv64");

#endif
