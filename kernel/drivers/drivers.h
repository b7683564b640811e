// What the drivers offer to main.c and to the rooms above, apart from block devices (blk.h) and terminals (tty.h).
#ifndef DRIVERS_DRIVERS_H
#define DRIVERS_DRIVERS_H

#include "lib/types.h"

// Interrupts of devices. fn runs with interrupts off.
// 0 or -EINVAL, -EBUSY, -ENOMEM
int irq_register(u32 irq, const char *name, void (*fn)(void *arg), void *arg);
struct printer;
void irq_show(struct printer *p);  // lines of /proc/interrupts

int plic_init(void);        // from the device tree, on the boot hart; 0 or -ENODEV
void plic_init_hart(void);  // on each other hart
int uart_init(void);        // becomes the console; 0 or -ENODEV
void uart_drain(void);   // before the machine stops: send what programs wrote, for at most a second
void rtc_init(void);     // sets the wall clock when there is an RTC
void virtio_init(void);  // finds all virtio-mmio devices

// Random numbers: seeded by virtio-rng, the device tree's rng-seed, and timing. Any context.
void random_init(void);  // before virtio_init; needs nothing but the device tree
void random_bytes(void *buf, size_t n);
void random_add(const void *data, size_t n);

#endif
