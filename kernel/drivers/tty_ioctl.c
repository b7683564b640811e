/*
 * ioctl(2) of terminals: settings, queues, window size. The requests about sessions are in tty_job.c.
 *
 * Requests that change what everybody on the terminal sees are refused to background processes as
 * tty_check_background says. Settings are copied in first, then the wait that TCSETSW and TCSETSF ask for, then the
 * change under t->lock, which cannot fail. Who waits for input is woken: new settings may satisfy it.
 */
#include "abi/errno.h"
#include "drivers/internal.h"
#include "lib/string.h"
#include "mm/uaccess.h"
#include "time/timer.h"

#define BREAK_NS (250 * NSEC_PER_MSEC)

static const struct {
    u32 code, baud;
} speeds[] = {{B0, 0},         {B9600, 9600},   {B19200, 19200},
              {B38400, 38400}, {B57600, 57600}, {B115200, 115200}};

// The speed that c_cflag names, or `other`.
static u32 baud_of(u32 cflag, u32 other) {
    for (u32 i = 0; i < ARRAY_SIZE(speeds); i++)
        if ((cflag & CBAUD) == speeds[i].code)
            return speeds[i].baud;
    return other;
}

static struct termios2 get_settings(struct tty *t) {
    u64 flags = irqlock_acquire(&t->lock);
    struct termios2 s = {.c_ispeed = t->ispeed, .c_ospeed = t->ospeed};

    memcpy(&s, &t->termios, sizeof(t->termios));
    irqlock_release(&t->lock, flags);
    return s;
}

static void set_settings(struct tty *t, const struct termios2 *s, bool flush) {
    u64 flags = irqlock_acquire(&t->lock);
    u32 old = t->termios.c_lflag;

    if (flush)
        tty_flush_input_locked(t);
    memcpy(&t->termios, s, sizeof(t->termios));
    t->ispeed = s->c_ispeed;
    t->ospeed = s->c_ospeed;
    tty_mode_changed_locked(t, old);
    if (!(t->termios.c_iflag & IXON))
        tty_start_locked(t, true);
    irqlock_release(&t->lock, flags);
    waitq_wake(&t->readers, ~0u, POLLIN | POLLRDNORM);
}

// TCSETS and its kin; `size` says which structure the user has.
static long change_settings(struct tty *t, u64 arg, size_t size, bool drain, bool flush) {
    struct termios2 s = get_settings(t);
    long r = tty_check_background(t, SIGTTOU);

    if (r == 0)
        r = copy_from_user(&s, arg, size);
    if (r == 0 && drain)
        r = tty_drain(t);
    if (r != 0)
        return r;
    s.c_ospeed = baud_of(s.c_cflag, s.c_ospeed);
    if (size == sizeof(struct termios) || (s.c_cflag & CBAUD) != BOTHER)
        s.c_ispeed = s.c_ospeed;
    set_settings(t, &s, flush);
    return 0;
}

static long show_settings(struct tty *t, u64 arg, size_t size) {
    struct termios2 s = get_settings(t);

    return copy_to_user(arg, &s, size);
}

static long get_window(struct tty *t, u64 arg) {
    u64 flags = irqlock_acquire(&t->lock);
    struct winsize w = t->winsize;

    irqlock_release(&t->lock, flags);
    return copy_to_user(arg, &w, sizeof(w));
}

static long set_window(struct tty *t, u64 arg) {
    struct winsize w;

    if (copy_from_user(&w, arg, sizeof(w)) != 0)
        return -EFAULT;
    u64 flags = irqlock_acquire(&t->lock);
    bool changed = memcmp(&w, &t->winsize, sizeof(w)) != 0;
    t->winsize = w;
    irqlock_release(&t->lock, flags);
    if (changed)
        tty_signal_foreground(t, SIGWINCH);
    return 0;
}

static long flush_queues(struct tty *t, u64 arg) {
    if (arg != TCIFLUSH && arg != TCOFLUSH && arg != TCIOFLUSH)
        return -EINVAL;
    long r = tty_check_background(t, SIGTTOU);
    if (r != 0)
        return r;
    u64 flags = irqlock_acquire(&t->lock);
    if (arg != TCOFLUSH)
        tty_flush_input_locked(t);
    if (arg != TCIFLUSH)
        t->driver->flush(t);
    irqlock_release(&t->lock, flags);
    return 0;
}

// TCXONC: stop or start our output, or ask the other side to stop or start.
static long flow(struct tty *t, u64 arg) {
    long r = tty_check_background(t, SIGTTOU);

    if (r != 0)
        return r;
    if (arg != TCOOFF && arg != TCOON && arg != TCIOFF && arg != TCION)
        return -EINVAL;
    u64 flags = irqlock_acquire(&t->lock);
    if (arg == TCOOFF || arg == TCOON) {
        tty_start_locked(t, arg == TCOON);
    } else {
        char c = (char)t->termios.c_cc[arg == TCIOFF ? VSTOP : VSTART];
        if (c)
            t->driver->write(t, &c, 1);
    }
    irqlock_release(&t->lock, flags);
    return 0;
}

// TCSBRK and TCSBRKP: wait for output, then, if asked, a quarter of a second of break.
static long send_break(struct tty *t, bool send) {
    long r = tty_check_background(t, SIGTTOU);

    if (r == 0)
        r = tty_drain(t);
    if (r != 0 || !send || !t->driver->set_break)
        return r;
    t->driver->set_break(t, true);
    r = wait_event_deadline(&t->writers, false, clock_ns() + BREAK_NS, "ttybreak");
    t->driver->set_break(t, false);
    return r == -ETIMEDOUT ? 0 : -EINTR;
}

static long input_size(struct tty *t, u64 arg) {
    u64 flags = irqlock_acquire(&t->lock);
    u32 size = tty_input_size_locked(t);

    irqlock_release(&t->lock, flags);
    return put_user_u32(size, arg);
}

static long set_discipline(u64 arg) {
    u32 number;

    if (get_user_u32(&number, arg) != 0)
        return -EFAULT;
    return number == N_TTY ? 0 : -EINVAL;
}

long tty_ioctl(struct tty *t, u32 cmd, u64 arg) {
    switch (cmd) {
    case TCGETS:
        return show_settings(t, arg, sizeof(struct termios));
    case TCGETS2:
        return show_settings(t, arg, sizeof(struct termios2));
    case TCSETS:
    case TCSETSW:
    case TCSETSF:
        return change_settings(t, arg, sizeof(struct termios), cmd != TCSETS, cmd == TCSETSF);
    case TCSETS2:
    case TCSETSW2:
    case TCSETSF2:
        return change_settings(t, arg, sizeof(struct termios2), cmd != TCSETS2, cmd == TCSETSF2);
    case TIOCGWINSZ:
        return get_window(t, arg);
    case TIOCSWINSZ:
        return set_window(t, arg);
    case TCFLSH:
        return flush_queues(t, arg);
    case TCXONC:
        return flow(t, arg);
    case TCSBRK:
        return send_break(t, arg == 0);
    case TCSBRKP:
        return send_break(t, true);
    case FIONREAD:
        return input_size(t, arg);
    case TIOCOUTQ:
        return put_user_u32((u32)t->driver->pending(t), arg);
    case TIOCGETD:
        return put_user_u32(N_TTY, arg);
    case TIOCSETD:
        return set_discipline(arg);
    case TIOCGDEV:
        return put_user_u32(t->devno, arg);
    default:
        return tty_job_ioctl(t, cmd, arg);
    }
}
