// Lists of buffers of the caller's, and pairs of descriptors.
#ifndef SYSCALL_UIO_H
#define SYSCALL_UIO_H

#include "abi/uio.h"
#include "lib/types.h"

struct file;

#define MAX_RW 0x7ffff000ul  // bytes of one read or write, as Linux has it
#define FAST_IOV 8

// Copy in and check a list of buffers. The total in bytes, or errno; *v is `fast` or memory for kfree.
ssize_t import_iov(u64 src, u64 n, struct iovec *fast, struct iovec **v);

// Two descriptors of these files, which are taken over, written to `user`. 0 or errno.
long install_pair(struct file *f[2], bool cloexec, u64 user);

#endif
