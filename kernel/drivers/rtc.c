/*
 * The wall clock at boot, from a Goldfish real-time clock.
 *
 * Two 32-bit registers hold nanoseconds since 1970; reading the low one latches the high one. The kernel
 * reads it once and keeps time by the time CSR from then on. A machine without one starts in 1970.
 */
#include "arch/arch.h"
#include "drivers/drivers.h"
#include "drivers/fdt.h"
#include "drivers/mmio.h"
#include "time/timer.h"

#define RTC_TIME_LOW 0x00
#define RTC_TIME_HIGH 0x04

void rtc_init(void) {
    u64 pa, size;
    int node = fdt_next_compatible(-1, "google,goldfish-rtc");

    if (node < 0)
        return;
    if (!fdt_reg(node, 0, &pa, &size) || !mmio_mappable(pa, size) || size < 8) {
        kprintf("rtc: %s has no usable reg\n", fdt_name(node));
        return;
    }
    volatile u8 *rtc = mmio_map(pa);
    u64 low = mmio_read32(rtc + RTC_TIME_LOW);
    realtime_set((u64)mmio_read32(rtc + RTC_TIME_HIGH) << 32 | low);
}
