// What the files of the terminal share: tty.c (reading, writing), tty_line.c (line discipline),
// tty_job.c (sessions, foreground, background), tty_ioctl.c.
#ifndef DRIVERS_INTERNAL_H
#define DRIVERS_INTERNAL_H

#include "drivers/tty.h"

// tty_line.c. => t->lock held
// As OPOST says; bytes of s used, 0: no room
size_t tty_output_locked(struct tty *t, const char *s, size_t n);
// Bytes of input; *end: a line ended
size_t tty_take_locked(struct tty *t, char *buf, size_t n, bool *end);
void tty_flush_input_locked(struct tty *t);
void tty_start_locked(struct tty *t, bool start);            // ^Q or ^S
void tty_mode_changed_locked(struct tty *t, u32 old_lflag);  // pending input when ICANON changes
u32 tty_input_size_locked(const struct tty *t);              // FIONREAD
static inline size_t tty_output_room_locked(struct tty *t) {
    return t->driver->capacity - t->driver->pending(t);
}
// A line, or `least` bytes in raw mode, can be read. Without the lock a look that the waker of t->readers makes good.
bool tty_readable(const struct tty *t, u32 least);

// tty_job.c
// A background process must not do this: 0, or after sending it `sig` -ERESTARTSYS; -EIO when it cannot be stopped.
int tty_check_background(struct tty *t, int sig);
void tty_signal_foreground(struct tty *t, int sig);  // => no locks
// The requests about sessions and groups; -ENOTTY: not one
long tty_job_ioctl(struct tty *t, u32 cmd, u64 arg);

// tty.c
int tty_drain(struct tty *t);  // wait until all was sent: 0, -ERESTARTSYS

#endif
