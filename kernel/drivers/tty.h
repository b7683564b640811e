// Terminals: line discipline, job control, and the console. Source: termios(3), ioctl_tty(2), POSIX chapter 11.
#ifndef DRIVERS_TTY_H
#define DRIVERS_TTY_H

#include "abi/poll.h"
#include "abi/termios.h"
#include "lib/types.h"
#include "proc/proc.h"
#include "sync/block.h"
#include "sync/work.h"

struct tty;

// The hardware side. => any context; called with t->lock held, so a lock of the driver's own lies behind
// it: of rank RANK_DEVICE and at a higher address, as in struct uart { struct tty tty; struct irqlock lock; … }.
struct tty_driver {
    u32 capacity;  // bytes that it holds while they wait to be sent
    // Take up to n bytes for output; how many
    size_t (*write)(struct tty *t, const char *s, size_t n);
    size_t (*pending)(struct tty *t);           // bytes taken and not sent
    void (*flush)(struct tty *t);               // forget them
    void (*wake)(struct tty *t);                // t->stopped or t->throttled changed
    void (*set_break)(struct tty *t, bool on);  // may be NULL
};

#define TTY_INPUT 4096  // bytes of input buffer, a power of two
#define TTY_WAKE 256    // the driver calls tty_output_ready when fewer bytes wait to be sent

// [t] t->lock   [family] family_lock   [I] never changes after tty_init   [a] atomic
struct tty {
    struct irqlock lock;
    char name[16];                       // [I] "ttyS0"
    u32 devno;                           // [I] major << 8 | minor
    const struct tty_driver *driver;     // [I]
    struct mutex read_lock, write_lock;  // one reader, one writer at a time
    struct waitq readers;                // for input
    struct waitq writers;                // for room, and for all being sent
    // Input: bytes [tail, head), counted without end; those before `canon` can be read in canonical mode.
    char input[TTY_INPUT];  // [t]
    // [t] bit: the byte ends a line; a NUL that does is an end of file
    u64 line_end[TTY_INPUT / 64];
    u32 head, tail, canon;     // [t]
    u32 column, canon_column;  // [t] of the cursor; where the line being typed began
    bool literal;              // [t] the next character is taken as it is (VLNEXT)
    bool stopped;              // [t] output waits for ^Q
    bool throttled;            // [t] the driver must not take input from the hardware
    struct termios termios;    // [t]
    u32 ispeed, ospeed;        // [t] baud, as termios2 has them
    struct winsize winsize;    // [t]
    u64 signals;               // [t] SIGMASK bits on their way to the foreground, sent by `work`
    struct work work;
    struct pid *foreground;  // [family] process group in the foreground; reference
    struct pid *session;     // [family] that it controls; reference
};

void tty_init(struct tty *t, const char *name, u32 devno, const struct tty_driver *d);
extern struct tty *console_tty;  // NULL before uart_init

// For drivers. Any context, t->lock not held.
void tty_input(struct tty *t, const char *s, size_t n);
size_t tty_input_room(struct tty *t);  // bytes that tty_input will keep; at 0 t->throttled is set
void tty_output_ready(struct tty *t);  // also when flushed, then with t->lock held

// For the device files. uaddr: user buffers. Results as read(2), write(2), ioctl(2).
ssize_t tty_read(struct tty *t, u64 uaddr, size_t n, bool nonblock);
ssize_t tty_write(struct tty *t, u64 uaddr, size_t n, bool nonblock);
long tty_ioctl(struct tty *t, u32 cmd, u64 arg);
u32 tty_poll_events(struct tty *t);  // POLLIN, POLLOUT … that hold now; wait on readers and writers
void tty_open(struct tty *t, bool noctty);  // a session leader without a terminal gets this one
// Exit of a session leader: lock not held; SIGHUP, SIGCONT to the foreground group
void tty_hangup_session(struct process *leader);

#endif
