// Pipes and FIFOs. Source: pipe(7), fifo(7), pipe2(2).
#ifndef IPC_PIPE_H
#define IPC_PIPE_H

#include "fs/file.h"

void pipe_init(void);
// ends[0] reads, ends[1] writes; flags: O_NONBLOCK, O_CLOEXEC (the caller's to honour). 0, -EINVAL, -ENFILE, -ENOMEM.
int pipe_create(struct file *ends[2], int flags);
// fcntl F_GETPIPE_SZ and F_SETPIPE_SZ: bytes, or -EBADF for another kind of file, -EBUSY, -EPERM, -EINVAL, -ENOMEM.
long pipe_fcntl(struct file *f, int cmd, u64 arg);

#endif
