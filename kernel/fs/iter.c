/*
 * Copying through an iter: the bytes of a buffer go to (or come from) one segment after another.
 * A fault ends the copying; what was moved before it counts.
 */
#include "fs/iter.h"
#include "lib/string.h"
#include "mm/uaccess.h"

static inline void iter_step(struct iter *it, size_t n) {
    it->offset += n;
    it->left -= n;
    while (it->segments && it->offset == it->iov->iov_len) {
        it->iov++;
        it->segments--;
        it->offset = 0;
    }
}

// What to do with one piece of a segment; returns bytes not done.
enum piece { PUT, GET, ZERO };
static inline size_t move(enum piece what, struct iter *it, char *buf, size_t n) {
    char *at = (char *)it->iov->iov_base + it->offset;
    if (it->kernel) {
        if (what == PUT)
            memcpy(at, buf, n);
        else if (what == GET)
            memcpy(buf, at, n);
        else
            memset(at, 0, n);
        return 0;
    }
    if (what == PUT)
        return copy_to_user_part((u64)at, buf, n);
    if (what == GET)
        return copy_from_user_part(buf, (u64)at, n);
    return user_range_ok((u64)at, n) ? usercopy_zero(at, n) : n;
}

static inline size_t iter_move(enum piece what, struct iter *it, char *buf, size_t n) {
    size_t done = 0;
    n = min(n, it->left);
    while (done < n) {
        size_t piece = min(iter_segment(it), n - done);
        size_t moved = piece - (piece ? move(what, it, buf + done, piece) : 0);
        iter_step(it, moved);
        done += moved;
        if (moved < piece)
            break;
    }
    return done;
}

size_t iter_put(struct iter *it, const void *buf, size_t n) {
    return iter_move(PUT, it, (char *)buf, n);
}
size_t iter_get(struct iter *it, void *buf, size_t n) { return iter_move(GET, it, buf, n); }
size_t iter_put_zero(struct iter *it, size_t n) { return iter_move(ZERO, it, NULL, n); }

bool iter_get_nofault(struct iter *it, void *buf, size_t n) {
    const char *at = (const char *)it->iov->iov_base + it->offset;
    if (it->kernel)
        memcpy(buf, at, n);
    else if (!user_range_ok((u64)at, n) || copy_from_user_nofault(buf, (u64)at, n) != 0)
        return false;
    iter_step(it, n);
    return true;
}
