/*
 * The character devices that every system has: null, zero, full, random, urandom, and the terminals.
 *
 * Sources: null(4), random(4), tty(4), console(4). They have no state of their own; a terminal's file has the
 * struct tty of drivers/tty.h in private_. Terminals of the hardware exist for ever, so no reference is needed.
 *
 * /dev/tty is the terminal that controls the session of who opens it, from then on also when the session changes.
 */
#include "abi/errno.h"
#include "drivers/drivers.h"
#include "drivers/tty.h"
#include "fs/internal.h"
#include "fs/tmpfs.h"
#include "mm/vm.h"

#define DEVNO(major, minor) ((major) << 8 | (minor))

static s64 seek_nowhere(struct file *f, s64 offset, int whence) {
    (void)f, (void)offset, (void)whence;
    return 0;
}

// ---- null, zero, full ----

static ssize_t null_read(struct file *f, struct iter *to, u64 *pos) {
    (void)f, (void)to, (void)pos;
    return 0;
}

static ssize_t null_write(struct file *f, struct iter *from, u64 *pos) {
    (void)f, (void)pos;
    return from->left;
}

static ssize_t zero_read(struct file *f, struct iter *to, u64 *pos) {
    (void)f, (void)pos;
    size_t want = to->left, n = iter_put_zero(to, want);
    return n || !want ? (ssize_t)n : -EFAULT;
}

static ssize_t full_write(struct file *f, struct iter *from, u64 *pos) {
    (void)f, (void)pos;
    return from->left ? -ENOSPC : 0;
}

// A private mapping is anonymous memory. Sharing zeroes is what MAP_SHARED | MAP_ANONYMOUS is for.
static int zero_mmap(struct file *f, struct vma_request *r) {
    (void)f;
    if (r->flags & VM_SHARED)
        return -ENODEV;
    r->ops = &anon_vma_ops;
    r->mapping = NULL;
    r->file = NULL;
    r->pgoff = 0;
    return 0;
}

static const struct file_ops null_ops = {
    .read = null_read, .write = null_write, .seek = seek_nowhere, .poll = poll_always};
static const struct file_ops zero_ops = {.read = zero_read,
                                         .write = null_write,
                                         .seek = seek_nowhere,
                                         .poll = poll_always,
                                         .mmap = zero_mmap};
static const struct file_ops full_ops = {
    .read = zero_read, .write = full_write, .seek = seek_nowhere, .poll = poll_always};

// ---- random ----

static ssize_t random_read(struct file *f, struct iter *to, u64 *pos) {
    char buf[256];
    size_t done = 0;
    (void)f, (void)pos;
    while (to->left && !(done && signal_pending())) {
        size_t want = min(to->left, sizeof(buf));
        random_bytes(buf, want);
        size_t n = iter_put(to, buf, want);
        done += n;
        if (n < want)
            return done ? (ssize_t)done : -EFAULT;
    }
    memset(buf, 0, sizeof(buf));
    return done;
}

static ssize_t random_write(struct file *f, struct iter *from, u64 *pos) {
    char buf[256];
    size_t done = 0;
    (void)f, (void)pos;
    while (from->left && !(done && signal_pending())) {
        size_t want = min(from->left, sizeof(buf)), n = iter_get(from, buf, want);
        random_add(buf, n);
        done += n;
        if (n < want)
            return done ? (ssize_t)done : -EFAULT;
    }
    return done;
}

static const struct file_ops random_ops = {
    .read = random_read, .write = random_write, .seek = seek_nowhere, .poll = poll_always};

// ---- terminals ----

// Make the first segment of the iter one that has bytes.
static void iter_skip_empty(struct iter *it) {
    while (it->segments && it->iov->iov_len == it->offset) {
        it->iov++;
        it->segments--;
        it->offset = 0;
    }
}

// Read or write one segment after the other. A short one ends it: a terminal's read is one line.
static ssize_t tty_transfer(struct file *f, struct iter *it,
                            ssize_t (*move)(struct tty *t, u64 uaddr, size_t n, bool nonblock),
                            bool one) {
    ssize_t done = 0;
    if (it->kernel)
        return -EINVAL;
    while (it->left) {
        iter_skip_empty(it);
        size_t n = iter_segment(it);
        ssize_t moved =
            move(f->private_, (u64)it->iov->iov_base + it->offset, n, f->flags & O_NONBLOCK);
        if (moved < 0)
            return done ? done : moved;
        it->offset += moved;
        it->left -= moved;
        done += moved;
        if (one || (size_t)moved < n)
            break;
    }
    return done;
}

static ssize_t ttydev_read(struct file *f, struct iter *to, u64 *pos) {
    (void)pos;
    return tty_transfer(f, to, tty_read, true);
}

static ssize_t ttydev_write(struct file *f, struct iter *from, u64 *pos) {
    (void)pos;
    return tty_transfer(f, from, tty_write, false);
}

static long ttydev_ioctl(struct file *f, u32 cmd, u64 arg) {
    return tty_ioctl(f->private_, cmd, arg);
}

static u32 ttydev_poll(struct file *f, struct poll_table *pt) {
    struct tty *t = f->private_;
    poll_wait(f, &t->readers, pt);
    poll_wait(f, &t->writers, pt);
    return tty_poll_events(t);
}

static void tty_file(struct file *f, struct tty *t) {
    f->private_ = t;
    f->mode = (f->mode & ~FILE_SEEK) | FILE_STREAM;
}

static int ttydev_open(struct inode *inode, struct file *f) {
    struct tty *t = chrdev_private(inode->rdev);
    if (!t)
        return -ENXIO;
    tty_file(f, t);
    tty_open(t, f->flags & O_NOCTTY);
    f->flags &= ~O_NOCTTY;
    return 0;
}

// /dev/tty
static int ctty_open(struct inode *inode, struct file *f) {
    (void)inode;
    spin_lock(&family_lock);
    struct pid *session = current->process ? current->process->session : NULL;
    struct tty *t = session ? session->tty : NULL;
    spin_unlock(&family_lock);
    if (!t)
        return -ENXIO;
    tty_file(f, t);
    return 0;
}

#define TTY_OPS(open_)                                                                             \
    {                                                                                              \
        .open = open_, .read = ttydev_read, .write = ttydev_write, .ioctl = ttydev_ioctl,          \
        .poll = ttydev_poll                                                                        \
    }
static const struct file_ops tty_ops = TTY_OPS(ttydev_open);
static const struct file_ops ctty_ops = TTY_OPS(ctty_open);

void chrdev_init(void) {
    static const struct {
        const char *name;
        u32 mode, devno;
        const struct file_ops *ops;
    } devices[] = {
        {"null", 0666, DEVNO(1, 3), &null_ops},      {"zero", 0666, DEVNO(1, 5), &zero_ops},
        {"full", 0666, DEVNO(1, 7), &full_ops},      {"random", 0666, DEVNO(1, 8), &random_ops},
        {"urandom", 0666, DEVNO(1, 9), &random_ops}, {"tty", 0666, DEVNO(5, 0), &ctty_ops},
    };
    int error = 0;
    for (size_t i = 0; i < ARRAY_SIZE(devices) && !error; i++)
        error = devfs_add(devices[i].name, devices[i].mode, devices[i].devno, devices[i].ops, NULL);
    // Unlike Linux's, this console can control the session of who opens it: the shell of init= has job control.
    if (console_tty && !error)
        error = devfs_add("console", 0600, DEVNO(5, 1), &tty_ops, console_tty);
    if (console_tty && !error)
        error = devfs_add(console_tty->name, 0620, console_tty->devno, &tty_ops, console_tty);
    assert(!error);
}
