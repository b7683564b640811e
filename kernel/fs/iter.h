// A place to copy bytes to or from: a list of user buffers (readv) or one kernel buffer.
#ifndef FS_ITER_H
#define FS_ITER_H

#include "abi/uio.h"
#include "lib/types.h"
#include "mm/uaccess.h"

struct iter {
    const struct iovec *iov;  // current segment (kernel copy of the list)
    u32 segments;             // left, the current one included
    size_t offset;            // done of the current one
    size_t left;              // bytes left in all
    bool kernel;              // addresses are the kernel's own
};

static inline void iter_init(struct iter *it, const struct iovec *iov, u32 n, size_t total,
                             bool kernel) {
    *it = (struct iter){.iov = iov, .segments = n, .left = total, .kernel = kernel};
}
// Copy up to n bytes from buf into the iter / from the iter into buf, and step on. Returns bytes copied; fewer
// than min(n, left) means that the next byte faulted (-EFAULT if nothing was moved before). May sleep.
size_t iter_put(struct iter *it, const void *buf, size_t n);
size_t iter_get(struct iter *it, void *buf, size_t n);
size_t iter_put_zero(struct iter *it, size_t n);
// All n bytes without sleeping for a fault, or none: false. Usable with a page locked. => n within the current segment.
bool iter_get_nofault(struct iter *it, void *buf, size_t n);
// Bytes left in the current segment.
static inline size_t iter_segment(const struct iter *it) {
    size_t n = it->segments ? it->iov->iov_len - it->offset : 0;
    return n < it->left ? n : it->left;
}
// One word, for files that are nothing but a counter: the iter does not step on. => 8 bytes are left. 8 or -EFAULT
static inline ssize_t iter_put_word(struct iter *it, u64 word) {
    if (unlikely(it->kernel || it->iov->iov_len < sizeof(word)))
        return iter_put(it, &word, sizeof(word)) == sizeof(word) ? (ssize_t)sizeof(word) : -EFAULT;
    return put_user_u64(word, (u64)it->iov->iov_base) ?: (ssize_t)sizeof(word);
}
static inline ssize_t iter_get_word(struct iter *it, u64 *word) {
    if (unlikely(it->kernel || it->iov->iov_len < sizeof(*word)))
        return iter_get(it, word, sizeof(*word)) == sizeof(*word) ? (ssize_t)sizeof(*word)
                                                                  : -EFAULT;
    return get_user_u64(word, (u64)it->iov->iov_base) ?: (ssize_t)sizeof(*word);
}

#endif
