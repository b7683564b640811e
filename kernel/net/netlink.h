// What the kernel sends through a socket of AF_NETLINK.
#ifndef NET_NETLINK_H
#define NET_NETLINK_H

#include "lib/types.h"

struct note;

// A note of n > 0 bytes from the caller's memory for the netlink socket `fd`; ERR_PTR(-EINVAL: no such descriptor, -EBADF: of
// something else, -EFAULT, -ENOMEM).
struct note *note_make(int fd, u64 user, u32 n);
// Send it, with this last byte, or not; it is no more. May sleep.
void note_send(struct note *note, u8 last);
void note_drop(struct note *note);

void netlink_init(void);

#endif
