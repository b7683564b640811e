/*
 * Terminals: what read(2), write(2) and poll(2) of one do.
 *
 * A reader holds read_lock (it may sleep), waits on t->readers for a line or for the bytes that VMIN and VTIME
 * ask for, and moves pieces of input to the user's memory. A writer holds write_lock, moves pieces of 256 bytes
 * from the user's memory, and has the line discipline convert each and give it to the driver in one go; when
 * the driver is full it waits on t->writers. The locks keep one call's bytes together.
 *
 *   read_lock, write_lock (sleep)  >  t->lock (interrupt-safe)  >  the driver's lock  >  wait queues
 *
 * The line discipline is tty_line.c; who may read and write, and who is signalled, tty_job.c.
 */
#include "abi/errno.h"
#include "drivers/internal.h"
#include "lib/string.h"
#include "mm/uaccess.h"
#include "time/timer.h"

#define PIECE 256
#define VTIME_UNIT (100 * NSEC_PER_MSEC)

// What a serial line is like when nobody has changed it.
static const struct termios default_termios = {
    .c_iflag = ICRNL | IXON,
    .c_oflag = OPOST | ONLCR,
    .c_cflag = B115200 | CS8 | CREAD | HUPCL | CLOCAL,
    .c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
    .c_cc = {[VINTR] = 'C' & 31,
             [VQUIT] = '\\' & 31,
             [VERASE] = 0x7f,
             [VKILL] = 'U' & 31,
             [VEOF] = 'D' & 31,
             [VMIN] = 1,
             [VSTART] = 'Q' & 31,
             [VSTOP] = 'S' & 31,
             [VSUSP] = 'Z' & 31,
             [VREPRINT] = 'R' & 31,
             [VDISCARD] = 'O' & 31,
             [VWERASE] = 'W' & 31,
             [VLNEXT] = 'V' & 31},
};

static void send_signals(struct work *w) {
    struct tty *t = container_of(w, struct tty, work);
    u64 flags = irqlock_acquire(&t->lock);
    u64 signals = t->signals;

    t->signals = 0;
    irqlock_release(&t->lock, flags);
    for (int sig = 1; signals; sig++, signals >>= 1)
        if (signals & 1)
            tty_signal_foreground(t, sig);
}

void tty_init(struct tty *t, const char *name, u32 devno, const struct tty_driver *d) {
    memset(t, 0, sizeof(*t));
    irqlock_init(&t->lock, RANK_DEVICE, "tty");
    strlcpy(t->name, name, sizeof(t->name));
    t->devno = devno;
    t->driver = d;
    mutex_init(&t->read_lock, RANK_TTY, "tty read");
    mutex_init(&t->write_lock, RANK_TTY, "tty write");
    waitq_init(&t->readers);
    waitq_init(&t->writers);
    t->termios = default_termios;
    t->ispeed = t->ospeed = 115200;
    work_init(&t->work, send_signals);
}

void tty_output_ready(struct tty *t) { waitq_wake(&t->writers, ~0u, POLLOUT | POLLWRNORM); }

static int lock_for(struct mutex *m, bool nonblock) {
    if (nonblock)
        return mutex_trylock(m) ? 0 : -EAGAIN;
    return mutex_lock_interruptible(m);
}

// ---- reading

// How long to wait for the next byte, when `done` were read and none is there. 0: not at all; termios(3), "MIN and TIME".
static u64 patience(const struct tty *t, size_t done) {
    u8 vmin = t->termios.c_cc[VMIN], vtime = t->termios.c_cc[VTIME];

    if (t->termios.c_lflag & ICANON)
        return TIME_NEVER;
    if (vmin > 0 && (vtime == 0 || done == 0))
        return TIME_NEVER;
    return vtime * VTIME_UNIT;
}

// Wait for input: 1 when there is some, 0 when the read is over without more, -EAGAIN, -ERESTARTSYS.
static int wait_for_input(struct tty *t, size_t done, bool nonblock) {
    u64 limit = patience(t, done);
    int error;

    if (tty_readable(t, 1))
        return 1;
    if (limit == 0)
        return 0;
    if (nonblock)
        return -EAGAIN;
    if (limit == TIME_NEVER)
        error = wait_event_interruptible(&t->readers, tty_readable(t, 1), "ttyin");
    else
        error = wait_event_deadline(&t->readers, tty_readable(t, 1), clock_ns() + limit, "ttyin");
    if (error)
        return error == -ETIMEDOUT ? 0 : error;
    return tty_readable(t, 1);
}

// Move what is there, up to n bytes of one line, to the user. *over: the read has what it needs.
static ssize_t move_input(struct tty *t, u64 uaddr, size_t n, bool *over) {
    char buf[PIECE];
    size_t done = 0;
    bool end = false;

    while (done < n && !end) {
        u64 flags = irqlock_acquire(&t->lock);
        size_t got = tty_take_locked(t, buf, min(n - done, sizeof(buf)), &end);
        if (t->termios.c_lflag & ICANON && (got > 0 || end))
            *over = true;  // a line was flushed just now otherwise
        irqlock_release(&t->lock, flags);
        if (copy_to_user(uaddr + done, buf, got) != 0)
            return -EFAULT;
        done += got;
        if (got == 0)
            break;
    }
    return (ssize_t)done;
}

static ssize_t read_locked(struct tty *t, u64 uaddr, size_t n, bool nonblock) {
    size_t done = 0;
    bool over = false;
    ssize_t r = 0;

    while (done < n && !over) {
        r = wait_for_input(t, done, nonblock);
        if (r <= 0)
            break;
        r = move_input(t, uaddr + done, n - done, &over);
        if (r < 0)
            break;
        done += (size_t)r;
        if (done >= t->termios.c_cc[VMIN])
            over = true;
    }
    return done > 0 ? (ssize_t)done : r;
}

ssize_t tty_read(struct tty *t, u64 uaddr, size_t n, bool nonblock) {
    if (n == 0)
        return 0;
    ssize_t r = tty_check_background(t, SIGTTIN);
    if (r == 0)
        r = lock_for(&t->read_lock, nonblock);
    if (r != 0)
        return r;
    r = read_locked(t, uaddr, n, nonblock);
    mutex_unlock(&t->read_lock);
    return r;
}

// ---- writing

static bool has_room(struct tty *t) { return t->driver->pending(t) < TTY_WAKE; }

// Give s to the driver; *done counts the bytes. 0, -EAGAIN, -ERESTARTSYS.
static int output(struct tty *t, const char *s, size_t n, bool nonblock, size_t *done) {
    while (n > 0) {
        u64 flags = irqlock_acquire(&t->lock);
        size_t used = tty_output_locked(t, s, n);
        irqlock_release(&t->lock, flags);
        s += used;
        n -= used;
        *done += used;
        if (used > 0)
            continue;
        if (nonblock)
            return -EAGAIN;
        int error = wait_event_interruptible(&t->writers, has_room(t), "ttyout");
        if (error)
            return error;
    }
    return 0;
}

ssize_t tty_write(struct tty *t, u64 uaddr, size_t n, bool nonblock) {
    char buf[PIECE];
    size_t done = 0;
    int error = t->termios.c_lflag & TOSTOP ? tty_check_background(t, SIGTTOU) : 0;

    if (error == 0)
        error = lock_for(&t->write_lock, nonblock);
    if (error)
        return error;
    while (done < n && error == 0) {
        size_t piece = min(n - done, sizeof(buf));
        size_t copied = piece - copy_from_user_part(buf, uaddr + done, piece);
        error = copied == 0 ? -EFAULT : output(t, buf, copied, nonblock, &done);
    }
    mutex_unlock(&t->write_lock);
    return done > 0 ? (ssize_t)done : error;
}

int tty_drain(struct tty *t) {
    return wait_event_interruptible(&t->writers, t->driver->pending(t) == 0, "ttydrain");
}

// ---- polling

u32 tty_poll_events(struct tty *t) {
    const u8 *cc = t->termios.c_cc;
    u32 events = 0;

    // With a timer, a read is answered by the first byte; without, by VMIN of them.
    if (tty_readable(t, cc[VTIME] == 0 && cc[VMIN] > 1 ? cc[VMIN] : 1))
        events |= POLLIN | POLLRDNORM;
    if (has_room(t))
        events |= POLLOUT | POLLWRNORM;
    return events;
}
