// Descriptors that tell of events: counters, timers, and sets of other descriptors. (Signals: proc/signalfd.c.)
#ifndef IPC_EVENT_H
#define IPC_EVENT_H

#include "abi/eventfd.h"
#include "abi/poll.h"
#include "lib/types.h"
#include "time/posix.h"

struct file;

// Each makes a descriptor of current: its number, or -EINVAL, -EMFILE, -ENFILE, -ENOMEM as the manual page says.
int eventfd_open(u32 count, u32 flags);
int timerfd_open(int clock, u32 flags);  // also -EPERM
int epoll_open(u32 flags);

// timerfd_settime(2), timerfd_gettime(2). 0, -EBADF, -EINVAL (not a timerfd, unknown flags), -ECANCELED.
int timerfd_set(struct file *f, u32 flags, const struct posix_itimer *new_,
                struct posix_itimer *old);
int timerfd_get(struct file *f, struct posix_itimer *now);

// epoll_ctl(2); `event` may be NULL for EPOLL_CTL_DEL. 0, or -EBADF, -EEXIST, -EINVAL, -ELOOP, -ENOENT, -ENOMEM, -EPERM.
int epoll_ctl(struct file *ep, int op, int fd, struct epoll_event *event);
// epoll_wait(2): up to n events that hold, at the user address, before `deadline` (as of poll_files). How many, or
// -EFAULT, -EINTR, -EINVAL.
int epoll_wait(struct file *ep, u64 user_events, int n, u64 deadline);

extern struct anon_kind eventfd_kind, timerfd_kind;
void event_init(void);

#endif
