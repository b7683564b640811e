/* Scattered buffers: readv(2), writev(2). */
#ifndef ABI_UIO_H
#define ABI_UIO_H

#include <stdint.h>

#define UIO_MAXIOV 1024

struct iovec {
    void *iov_base;
    uint64_t iov_len; /* bytes */
};

#endif
