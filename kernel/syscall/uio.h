// Lists of buffers of the caller's.
#ifndef SYSCALL_UIO_H
#define SYSCALL_UIO_H

#include "abi/uio.h"
#include "lib/types.h"

#define MAX_RW 0x7ffff000ul  // bytes of one read or write, as Linux has it
#define FAST_IOV 8

// Copy in and check a list of buffers. The total in bytes, or errno; *v is `fast` or memory for kfree.
ssize_t import_iov(u64 src, u64 n, struct iovec *fast, struct iovec **v);

#endif
