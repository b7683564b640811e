// Pipes and FIFOs. Source: pipe(7), fifo(7), pipe2(2).
#ifndef IPC_PIPE_H
#define IPC_PIPE_H

#include "fs/file.h"

void pipe_init(void);
// ends[0] reads, ends[1] writes; flags: O_NONBLOCK, O_DIRECT, O_CLOEXEC (the caller's to honour). 0, -EINVAL, -ENFILE, -ENOMEM.
int pipe_create(struct file *ends[2], int flags);
// fcntl F_GETPIPE_SZ and F_SETPIPE_SZ: bytes, or -EBADF for another kind of file, -EBUSY, -EPERM, -EINVAL, -ENOMEM.
long pipe_fcntl(struct file *f, int cmd, u64 arg);

// splice.c: pages between pipes and files, splice(2), tee(2), vmsplice(2). Bytes; 0: the end of the input; or errno. Offsets
// are those of files that have one, else not looked at. nonblock: as far as pipes are concerned.
ssize_t splice_files(struct file *in, u64 *in_pos, struct file *out, u64 *out_pos, size_t n,
                     bool nonblock);
ssize_t splice_tee(struct file *in, struct file *out, size_t n, bool nonblock);
ssize_t splice_memory(struct file *f, struct iter *memory, bool nonblock);

#endif
