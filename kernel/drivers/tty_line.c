/*
 * The line discipline: what happens to characters between a terminal and a program.
 *
 *   driver's interrupt --tty_input--> signals, flow control, editing --> t->input --tty_take--> read(2)
 *                                          | echo
 *   driver <------- tty_output_locked (OPOST) <--------------------------------------------- write(2)
 *
 * The input buffer holds bytes [tail, head). In canonical mode the bytes before `canon` are finished lines,
 * the ones after it the line that is still being edited; `line_end` has a bit for each byte that ends a line.
 * VEOF stores a NUL with that bit, which a read turns into the end of its result and does not hand out. In
 * raw mode canon and line_end mean nothing, and tty_mode_changed_locked makes both true again.
 *
 * One byte of the buffer is kept for the end of a line, so a line that is too long can still be ended. Other
 * characters of it are dropped, without an echo. Where it helps to wait, nothing is dropped: when the buffer
 * is full and a program could read, tty_input_room sets `throttled` and the driver leaves the rest in the
 * hardware until tty_take_locked makes room.
 *
 * All of this runs in the driver's interrupt, under t->lock (interrupt-safe). Sending a signal needs
 * family_lock, which interrupts must not take: a signal is noted in t->signals and sent by t->work soon
 * after, by which time the flushing of input and output is long done.
 */
#include "abi/errno.h"
#include "drivers/internal.h"
#include "lib/bitmap.h"
#include "lib/string.h"

#define TAB_WIDTH 8

static inline u8 byte_at(const struct tty *t, u32 pos) { return (u8)t->input[pos % TTY_INPUT]; }
static inline bool ends_line(const struct tty *t, u32 pos) {
    return bitmap_test(t->line_end, pos % TTY_INPUT);
}
static inline bool has_l(const struct tty *t, u32 flags) { return t->termios.c_lflag & flags; }
static inline bool has_i(const struct tty *t, u32 flags) { return t->termios.c_iflag & flags; }
// Is c the control character `which`? 0 in c_cc means that there is none.
static inline bool is_cc(const struct tty *t, int which, u8 c) {
    return c != 0 && t->termios.c_cc[which] == c;
}
static inline bool is_control(u8 c) { return c < 0x20 || c == 0x7f; }
static inline bool is_continuation(const struct tty *t, u8 c) {
    return has_i(t, IUTF8) && (c & 0xc0) == 0x80;
}

// ---- output

// One character that is not plain text, at out: the number of bytes that it becomes.
static size_t convert(struct tty *t, char c, char *out) {
    u32 flags = t->termios.c_oflag;

    if (c == '\n' && flags & ONLCR) {
        t->column = 0;
        out[0] = '\r';
        out[1] = '\n';
        return 2;
    }
    if (c == '\r' && flags & OCRNL)
        c = '\n';
    if (c == '\r' && flags & ONOCR && t->column == 0)
        return 0;
    if (c == '\r' || (c == '\n' && flags & ONLRET))
        t->column = 0;
    if (c == '\b' && t->column > 0)
        t->column--;
    if (c == '\t') {
        u32 width = TAB_WIDTH - t->column % TAB_WIDTH;
        t->column += width;
        if ((flags & TABDLY) == XTABS) {
            memset(out, ' ', width);
            return width;
        }
    }
    out[0] = c;
    return 1;
}

// Columns that plain text takes.
static u32 columns(const struct tty *t, const char *s, size_t n) {
    u32 count = (u32)n;

    if (has_i(t, IUTF8))
        for (size_t i = 0; i < n; i++)
            count -= is_continuation(t, (u8)s[i]);
    return count;
}

size_t tty_output_locked(struct tty *t, const char *s, size_t n) {
    char out[512];
    size_t room = min(sizeof(out), tty_output_room_locked(t)), made = 0, used = 0;

    if (!(t->termios.c_oflag & OPOST))
        return t->driver->write(t, s, n);
    while (used < n && made + TAB_WIDTH <= room) {
        size_t start = made;
        while (used < n && made + TAB_WIDTH <= room && (u8)s[used] >= 0x20)
            out[made++] = s[used++];
        t->column += columns(t, out + start, made - start);
        if (used < n && made + TAB_WIDTH <= room)
            made += convert(t, s[used++], out + made);
    }
    t->driver->write(t, out, made);
    return used;
}

void tty_start_locked(struct tty *t, bool start) {
    assert_held(&t->lock);
    if (t->stopped != start)
        return;
    t->stopped = !start;
    t->driver->wake(t);
}

// ---- echo

static void put(struct tty *t, const char *s, size_t n) { tty_output_locked(t, s, n); }

static bool shown_as_two(const struct tty *t, u8 c) {
    return has_l(t, ECHOCTL) && is_control(c) && c != '\t' && c != '\n';
}

static void show(struct tty *t, u8 c) {
    char text[2] = {'^', (char)(c ^ 0x40)};

    if (shown_as_two(t, c))
        put(t, text, 2);
    else
        put(t, (char *)&c, 1);
}

static void echo(struct tty *t, u8 c) {
    if (has_l(t, ECHO) || (c == '\n' && has_l(t, ECHONL) && has_l(t, ICANON)))
        show(t, c);
}

static u32 width(const struct tty *t, u8 c, u32 column) {
    if (c == '\t')
        return TAB_WIDTH - column % TAB_WIDTH;
    if (shown_as_two(t, c))
        return 2;
    return is_control(c) || is_continuation(t, c) ? 0 : 1;
}

// Column of the character at `pos` of the line being typed.
static u32 column_of(const struct tty *t, u32 pos) {
    u32 column = t->canon_column;

    for (u32 i = t->canon; i != pos; i++)
        column += width(t, byte_at(t, i), column);
    return column;
}

// ---- editing the line [canon, head)

// Take back the last character (all bytes of it), on the screen too when `visibly`.
static void erase_last(struct tty *t, bool visibly) {
    u8 c;

    do
        c = byte_at(t, --t->head);
    while (is_continuation(t, c) && t->head != t->canon);
    if (!visibly)
        return;
    for (u32 n = width(t, c, c == '\t' ? column_of(t, t->head) : 0); n > 0; n--)
        put(t, "\b \b", c == '\t' ? 1 : 3);
}

static void erase_char(struct tty *t, u8 c) {
    if (t->head == t->canon)
        return;
    erase_last(t, has_l(t, ECHO) && has_l(t, ECHOE));
    if (!has_l(t, ECHOE))
        echo(t, c);
}

static bool is_word(u8 c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c >= 0x80;
}

static void erase_word(struct tty *t, u8 c) {
    bool visibly = has_l(t, ECHO) && has_l(t, ECHOE);

    while (t->head != t->canon && !is_word(byte_at(t, t->head - 1)))
        erase_last(t, visibly);
    while (t->head != t->canon && is_word(byte_at(t, t->head - 1)))
        erase_last(t, visibly);
    if (!has_l(t, ECHOE))
        echo(t, c);
}

static void erase_line(struct tty *t, u8 c) {
    if (has_l(t, ECHO) && has_l(t, ECHOE) && has_l(t, ECHOKE)) {
        while (t->head != t->canon)
            erase_last(t, true);
        return;
    }
    t->head = t->canon;
    echo(t, c);
    if (has_l(t, ECHO) && has_l(t, ECHOK))
        put(t, "\n", 1);
}

static void reprint(struct tty *t, u8 c) {
    if (!has_l(t, ECHO))
        return;
    show(t, c);
    put(t, "\n", 1);
    t->canon_column = t->column;
    for (u32 i = t->canon; i != t->head; i++)
        show(t, byte_at(t, i));
}

// ---- input

// False: there was no room.
static bool store(struct tty *t, u8 c, bool end) {
    u32 limit = has_l(t, ICANON) && !end ? TTY_INPUT - 1 : TTY_INPUT, pos = t->head % TTY_INPUT;

    if (t->head - t->tail >= limit)
        return false;
    if (t->head == t->canon)
        t->canon_column = t->column;
    t->input[pos] = (char)c;
    if (end) {
        bitmap_set(t->line_end, pos);
        t->canon = t->head + 1;
    } else {
        bitmap_clear(t->line_end, pos);
    }
    t->head++;
    return true;
}

static void unthrottle(struct tty *t) {
    if (!t->throttled)
        return;
    t->throttled = false;
    t->driver->wake(t);
}

void tty_flush_input_locked(struct tty *t) {
    assert_held(&t->lock);
    t->head = t->tail = t->canon;
    t->literal = false;
    unthrottle(t);
}

static bool flow_control(struct tty *t, u8 c) {
    if (is_cc(t, VSTART, c) || is_cc(t, VSTOP, c)) {
        tty_start_locked(t, is_cc(t, VSTART, c) && (t->stopped || !is_cc(t, VSTOP, c)));
        return true;
    }
    if (has_i(t, IXANY))
        tty_start_locked(t, true);
    return false;
}

static bool signal_character(struct tty *t, u8 c) {
    int sig = is_cc(t, VINTR, c)   ? SIGINT
              : is_cc(t, VQUIT, c) ? SIGQUIT
              : is_cc(t, VSUSP, c) ? SIGTSTP
                                   : 0;

    if (sig == 0)
        return false;
    if (!has_l(t, NOFLSH)) {
        tty_flush_input_locked(t);
        t->driver->flush(t);
    }
    if (has_i(t, IXON))
        tty_start_locked(t, true);
    echo(t, c);
    t->signals |= SIGMASK(sig);
    softwork(&t->work);
    return true;
}

// Canonical mode: is c about the line rather than in it?
static bool edit(struct tty *t, u8 c) {
    if (is_cc(t, VERASE, c)) {
        erase_char(t, c);
    } else if (is_cc(t, VKILL, c)) {
        erase_line(t, c);
    } else if (is_cc(t, VEOF, c)) {
        store(t, '\0', true);
    } else if (has_l(t, IEXTEN) && is_cc(t, VWERASE, c)) {
        erase_word(t, c);
    } else if (has_l(t, IEXTEN) && is_cc(t, VREPRINT, c)) {
        reprint(t, c);
    } else if (has_l(t, IEXTEN) && is_cc(t, VLNEXT, c)) {
        t->literal = true;
        if (has_l(t, ECHO) && has_l(t, ECHOCTL))
            put(t, "^\b", 2);
    } else if (c == '\n' || is_cc(t, VEOL, c) || (has_l(t, IEXTEN) && is_cc(t, VEOL2, c))) {
        if (store(t, c, true))
            echo(t, c);
    } else {
        return false;
    }
    return true;
}

static void input_character(struct tty *t, u8 c) {
    if (has_i(t, ISTRIP))
        c &= 0x7f;
    if (!t->literal) {
        if (has_i(t, IXON) && flow_control(t, c))
            return;
        if (has_l(t, ISIG) && signal_character(t, c))
            return;
        if (c == '\r' && has_i(t, IGNCR))
            return;
        if (c == '\r' && has_i(t, ICRNL))
            c = '\n';
        else if (c == '\n' && has_i(t, INLCR))
            c = '\r';
        if (has_l(t, ICANON) && edit(t, c))
            return;
    }
    t->literal = false;
    if (store(t, c, false))
        echo(t, c);
}

void tty_input(struct tty *t, const char *s, size_t n) {
    u64 flags = irqlock_acquire(&t->lock);

    for (size_t i = 0; i < n; i++)
        input_character(t, (u8)s[i]);
    bool ready = tty_readable(t, 1);
    irqlock_release(&t->lock, flags);
    if (ready)
        waitq_wake(&t->readers, ~0u, POLLIN | POLLRDNORM);
}

size_t tty_input_room(struct tty *t) {
    u64 flags = irqlock_acquire(&t->lock);
    size_t room = TTY_INPUT - 1 - min(t->head - t->tail, TTY_INPUT - 1u);

    // Nobody can read an unfinished line: it must go on being edited, ended, or interrupted.
    if (room == 0 && !tty_readable(t, 1))
        room = 1;
    t->throttled = room == 0;
    irqlock_release(&t->lock, flags);
    return room;
}

// ---- reading

bool tty_readable(const struct tty *t, u32 least) {
    if (READ_ONCE(t->termios.c_lflag) & ICANON)
        return READ_ONCE(t->canon) != READ_ONCE(t->tail);
    return READ_ONCE(t->head) - READ_ONCE(t->tail) >= least;
}

static size_t take_line(struct tty *t, char *buf, size_t n, bool *end) {
    size_t got = 0;

    while (t->tail != t->canon) {
        u8 c = byte_at(t, t->tail);
        bool last = ends_line(t, t->tail), eof = last && c == '\0';
        if (got == n && !eof)
            return got;  // an end of file goes with the bytes before it, even if they fill the buffer
        t->tail++;
        if (!eof)
            buf[got++] = (char)c;
        if (last) {
            *end = true;
            return got;
        }
    }
    return got;
}

static size_t take_raw(struct tty *t, char *buf, size_t n) {
    size_t got = 0;

    while (got < n && t->tail != t->head) {
        u32 pos = t->tail % TTY_INPUT;
        u32 piece = (u32)min(n - got, (size_t)min(t->head - t->tail, TTY_INPUT - pos));
        memcpy(buf + got, t->input + pos, piece);
        got += piece;
        t->tail += piece;
    }
    return got;
}

size_t tty_take_locked(struct tty *t, char *buf, size_t n, bool *end) {
    size_t got = has_l(t, ICANON) ? take_line(t, buf, n, end) : take_raw(t, buf, n);

    if (t->head - t->tail <= TTY_INPUT / 2)
        unthrottle(t);
    return got;
}

u32 tty_input_size_locked(const struct tty *t) {
    u32 size = 0;
    assert_held(&t->lock);

    if (!has_l(t, ICANON))
        return t->head - t->tail;
    for (u32 i = t->tail; i != t->canon; i++)
        size += !(ends_line(t, i) && byte_at(t, i) == '\0');
    return size;
}

// Entering canonical mode, what was typed before is one finished line; leaving it, just bytes.
void tty_mode_changed_locked(struct tty *t, u32 old_lflag) {
    assert_held(&t->lock);
    if (!((t->termios.c_lflag ^ old_lflag) & ICANON))
        return;
    memset(t->line_end, 0, sizeof(t->line_end));
    t->canon = t->head;
    if (has_l(t, ICANON) && t->head != t->tail)
        bitmap_set(t->line_end, (t->head - 1) % TTY_INPUT);
    t->literal = false;
    unthrottle(t);
}
