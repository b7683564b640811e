/*
 * Serial lines: 16550 UARTs, each with a terminal (ttyS0, ttyS1 …).
 *
 * Output goes through a ring. A write puts bytes there and sends on the spot as many as the UART takes: whenever
 * the transmitter is empty its FIFO has room for a whole burst, one look at the line status per burst. What is left
 * is sent by the "transmitter empty" interrupt, which also wakes writers when less than TTY_WAKE bytes wait.
 * Only the interrupt handler turns that interrupt off, so a write that happens to empty the ring on another
 * hart cannot swallow the wake-up of a writer that sleeps.
 *
 * Input is read by the interrupt handler only, 64 bytes at a time, and given to the line discipline. When that
 * has no room the receive interrupt is masked, and bytes stay where they are (QEMU stops feeding the FIFO)
 * until uart_wake unmasks it.
 *
 *   t->lock  >  u->lock  (both RANK_DEVICE: the uart's lies at the higher address)
 *
 * The kernel's own messages are sent by polling. They first send what is in the ring, so that order is kept, if
 * u->lock can be had within a moment; a hart that panics inside it, or stopped in it, does not silence the rest.
 *
 * All addresses and the register layout come from the device tree. The console, ttyS0, is the UART that
 * stdout-path of /chosen names, or the first one.
 */
#include "abi/errno.h"
#include "arch/arch.h"
#include "drivers/drivers.h"
#include "drivers/fdt.h"
#include "drivers/mmio.h"
#include "drivers/tty.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "time/timer.h"

#define UART_RBR 0  // read: received byte
#define UART_THR 0  // write: byte to send
#define UART_DLL 0  // while LCR_DLAB: divisor, low and high byte
#define UART_DLM 1
#define UART_IER 1
#define IER_RECEIVED 1
#define IER_SENT 2
#define UART_IIR 2  // read: why it interrupts
#define IIR_FIFO 0xc0
#define UART_FCR 2  // write
#define FCR_ENABLE 1
#define UART_LCR 3
#define LCR_8N1 3
#define LCR_BREAK 0x40
#define LCR_DLAB 0x80
#define UART_MCR 4
#define MCR_DTR_RTS_OUT2 0x0b
#define UART_LSR 5
#define LSR_READY 1     // a byte was received
#define LSR_EMPTY 0x20  // the transmitter's FIFO is empty

#define UART_RING 4096  // a power of two
#define UART_BAUD 115200
#define UART_MAJOR 4  // device numbers of serial lines: 4, 64 and up
#define UART_MINOR 64
#define RECEIVE_PIECE 64
#define RECEIVE_ROUNDS 16  // of a piece each in one interrupt
#define SPINS 1000000      // most looks at a register before giving up

// [u] lock   [I] never changes after uart_add
struct uart {
    struct tty tty;  // its lock comes before ours
    struct irqlock lock;
    volatile u8 *regs;     // [I]
    u32 shift, width;      // [I] registers are 1 << shift apart, `width` bytes wide
    u32 burst;             // [I] bytes that an empty transmitter takes
    u8 ier;                // [u] what UART_IER holds
    u32 head, tail;        // [u] the ring holds bytes [tail, head)
    char ring[UART_RING];  // [u]
};

struct tty *console_tty;
static struct uart *console;  // the same
static u32 nr_uarts;

static struct uart *uart_of(struct tty *t) { return container_of(t, struct uart, tty); }

static inline u8 get(const struct uart *u, u32 reg) {
    volatile u8 *p = u->regs + ((u64)reg << u->shift);

    return u->width == 4 ? (u8)mmio_read32(p) : mmio_read8(p);
}

static inline void set(const struct uart *u, u32 reg, u8 value) {
    volatile u8 *p = u->regs + ((u64)reg << u->shift);

    if (u->width == 4)
        mmio_write32(p, value);
    else
        mmio_write8(p, value);
}

// ---- output. => u->lock held where it says _locked

static void set_ier_locked(struct uart *u, u8 ier) {
    if (u->ier != ier)
        set(u, UART_IER, u->ier = ier);
}

static u8 receive_bit(const struct uart *u) {
    return READ_ONCE(u->tty.throttled) ? 0 : IER_RECEIVED;
}
static bool must_send(const struct uart *u) {
    return u->head != u->tail && !READ_ONCE(u->tty.stopped);
}

static void send_locked(struct uart *u) {
    assert_held(&u->lock);
    while (must_send(u) && get(u, UART_LSR) & LSR_EMPTY) {
        u32 at = u->tail, end = at + min(u->burst, u->head - at);
        while (at != end)
            set(u, UART_THR, (u8)u->ring[at++ % UART_RING]);
        u->tail = end;
    }
}

// After a change outside of the interrupt handler: look again at what there is to do.
static void kick_locked(struct uart *u) {
    send_locked(u);
    set_ier_locked(u, receive_bit(u) | (must_send(u) ? IER_SENT : u->ier & IER_SENT));
}

static size_t uart_write(struct tty *t, const char *s, size_t n) {
    struct uart *u = uart_of(t);
    u64 flags = irqlock_acquire(&u->lock);
    u32 at = u->head % UART_RING;
    u32 taken = (u32)min(n, (size_t)(UART_RING - (u->head - u->tail)));
    u32 first = min(taken, UART_RING - at);

    memcpy(u->ring + at, s, first);
    memcpy(u->ring, s + first, taken - first);
    u->head += taken;
    kick_locked(u);
    irqlock_release(&u->lock, flags);
    return taken;
}

static size_t uart_pending(struct tty *t) {
    struct uart *u = uart_of(t);
    u32 tail = READ_ONCE(u->tail);  // first: a tail that is too old only makes it look fuller

    return min(READ_ONCE(u->head) - tail, UART_RING + 0u);
}

static void uart_flush(struct tty *t) {
    struct uart *u = uart_of(t);
    u64 flags = irqlock_acquire(&u->lock);

    u->tail = u->head;
    irqlock_release(&u->lock, flags);
    tty_output_ready(t);
}

static void uart_wake(struct tty *t) {
    struct uart *u = uart_of(t);
    u64 flags = irqlock_acquire(&u->lock);

    kick_locked(u);
    irqlock_release(&u->lock, flags);
}

static void uart_set_break(struct tty *t, bool on) {
    struct uart *u = uart_of(t);
    u64 flags = irqlock_acquire(&u->lock);

    set(u, UART_LCR, on ? LCR_8N1 | LCR_BREAK : LCR_8N1);
    irqlock_release(&u->lock, flags);
}

static const struct tty_driver uart_driver = {
    .capacity = UART_RING,
    .write = uart_write,
    .pending = uart_pending,
    .flush = uart_flush,
    .wake = uart_wake,
    .set_break = uart_set_break,
};

// ---- interrupts

// False: no byte was there, or no room.
static bool receive(struct uart *u) {
    char buf[RECEIVE_PIECE];
    size_t room = min(tty_input_room(&u->tty), sizeof(buf)), n = 0;

    irqlock_acquire_irqs_off(&u->lock);
    while (n < room && get(u, UART_LSR) & LSR_READY)
        buf[n++] = (char)get(u, UART_RBR);
    irqlock_release_irqs_off(&u->lock);
    if (n > 0)
        tty_input(&u->tty, buf, n);
    return n > 0;
}

static void uart_interrupt(void *arg) {
    struct uart *u = arg;

    get(u, UART_IIR);  // answers "transmitter empty"
    for (u32 round = 0; round < RECEIVE_ROUNDS && receive(u); round++)
        ;
    irqlock_acquire_irqs_off(&u->lock);
    bool was_sending = u->ier & IER_SENT;
    send_locked(u);
    set_ier_locked(u, receive_bit(u) | (must_send(u) ? IER_SENT : 0));
    u32 left = u->head - u->tail;
    irqlock_release_irqs_off(&u->lock);
    if (was_sending && left < TTY_WAKE)
        tty_output_ready(&u->tty);
}

// ---- the kernel's messages

static void wait_empty(const struct uart *u) {
    for (u32 i = 0; i < SPINS && !(get(u, UART_LSR) & LSR_EMPTY); i++)
        ;
}

static void send_polling(const struct uart *u, char c) {
    wait_empty(u);
    set(u, UART_THR, (u8)c);
}

// Take u->lock, but not at any price. => interrupts off
static bool try_lock(struct uart *u) {
    current_thread->preempt_count++;
    for (u32 i = 0; i < SPINS / 10; i++)
        if (lock_try(&u->lock.lock))
            return true;
    preempt_enable_no_check();
    return false;
}

// kprintf's sink: polls the UART. Any context.
static void uart_console_write(const char *s, size_t n) {
    struct uart *u = console;

    if (!u)
        return;
    u64 flags = irq_save();
    bool locked = try_lock(u);
    while (locked && must_send(u))
        send_polling(u, u->ring[u->tail++ % UART_RING]);
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '\n')
            send_polling(u, '\r');
        send_polling(u, s[i]);
    }
    if (locked)
        irqlock_release_irqs_off(&u->lock);
    irq_restore(flags);
}

void uart_drain(void) {
    u64 end = clock_ns() + NSEC_PER_SEC;

    if (!console)
        return;
    WRITE_ONCE(console->tty.stopped, false);
    while (uart_pending(&console->tty) > 0 && clock_ns() < end)
        uart_wake(&console->tty);
    while (!(get(console, UART_LSR) & LSR_EMPTY) && clock_ns() < end)
        ;
}

// ---- finding them

static void set_up(struct uart *u, u32 clock) {
    set(u, UART_IER, 0);
    if (clock >= 16 * UART_BAUD) {
        u32 divisor = min((clock + 8 * UART_BAUD) / (16 * UART_BAUD), 0xffffu);
        set(u, UART_LCR, LCR_8N1 | LCR_DLAB);
        set(u, UART_DLL, (u8)divisor);
        set(u, UART_DLM, (u8)(divisor >> 8));
    }
    set(u, UART_LCR, LCR_8N1);
    set(u, UART_FCR, FCR_ENABLE);
    set(u, UART_MCR, MCR_DTR_RTS_OUT2);
    u->burst = (get(u, UART_IIR) & IIR_FIFO) == IIR_FIFO ? 16 : 1;
}

// Register layout and addresses of the node. False: something is missing.
static bool read_node(struct uart *u, int node, u32 *irq) {
    u64 pa, size;
    u32 offset = 0;

    u->width = 1;
    fdt_prop_u32(node, "reg-shift", &u->shift);
    fdt_prop_u32(node, "reg-io-width", &u->width);
    fdt_prop_u32(node, "reg-offset", &offset);
    if (!fdt_reg(node, 0, &pa, &size) || !mmio_mappable(pa, size) || !fdt_irq(node, 0, irq))
        return false;
    if (u->shift > 4 || (u->width != 1 && u->width != 4) || (u->width == 4 && u->shift < 2) ||
        pa % u->width || offset % u->width || offset >= size || size - offset < 8ul << u->shift)
        return false;
    u->regs = (volatile u8 *)mmio_map(pa) + offset;
    return true;
}

static int uart_add(int node) {
    struct uart *u = kzalloc(sizeof(*u));
    u32 irq, clock = 0;
    char name[16];

    if (!u)
        return -ENOMEM;
    if (!read_node(u, node, &irq)) {
        kprintf("uart: %s: reg, interrupts or register layout missing or not usable\n",
                fdt_name(node));
        kfree(u);
        return -ENODEV;
    }
    irqlock_init(&u->lock, RANK_DEVICE, "uart");
    fdt_prop_u32(node, "clock-frequency", &clock);
    set_up(u, clock);
    snprintf(name, sizeof(name), "ttyS%u", nr_uarts);
    tty_init(&u->tty, name, UART_MAJOR << 8 | (UART_MINOR + nr_uarts), &uart_driver);
    nr_uarts++;
    if (!console) {
        console = u;
        console_tty = &u->tty;
    }
    if (irq_register(irq, u->tty.name, uart_interrupt, u) != 0)
        kprintf("uart: %s: interrupt %u cannot be had\n", fdt_name(node), irq);
    u64 flags = irqlock_acquire(&u->lock);
    kick_locked(u);
    irqlock_release(&u->lock, flags);
    return 0;
}

static bool is_uart(int node) {
    return fdt_enabled(node) && (fdt_has_string(node, "compatible", "ns16550a") ||
                                 fdt_has_string(node, "compatible", "ns16550"));
}

// The node that stdout-path names, by its path or by an alias, with options after a colon; or -1.
static int stdout_node(void) {
    char path[128];
    int chosen = fdt_path("/chosen");
    const char *s = fdt_prop_string(chosen, "stdout-path");

    if (!s)
        return -1;
    strlcpy(path, s, sizeof(path));
    char *options = strchr(path, ':');
    if (options)
        *options = '\0';
    s = path[0] == '/' ? path : fdt_prop_string(fdt_path("/aliases"), path);
    return s ? fdt_path(s) : -1;
}

int uart_init(void) {
    int first = stdout_node();

    if (first >= 0 && is_uart(first))
        uart_add(first);
    else
        first = -1;
    for (int node = fdt_next_compatible(-1, "ns16550"); node >= 0;
         node = fdt_next_compatible(node, "ns16550"))
        if (node != first && is_uart(node) && !fdt_has_string(node, "compatible", "ns16550a"))
            uart_add(node);
    for (int node = fdt_next_compatible(-1, "ns16550a"); node >= 0;
         node = fdt_next_compatible(node, "ns16550a"))
        if (node != first && is_uart(node))
            uart_add(node);
    if (console) {
        console_write = uart_console_write;
        return 0;
    }
    kprintf("uart: the device tree has no usable ns16550a\n");
    return -ENODEV;
}
