/*
 * Calls to the firmware below the kernel (SBI: Supervisor Binary Interface).
 *
 * A call is an `ecall` with the extension in a7, the function in a6 and arguments in a0 to a5; it returns an error
 * in a0 and a value in a1. Each costs some hundred instructions of firmware, so the timer uses stimecmp where
 * the hart has it (time/timer.c), and fences are sent only to harts that may need them.
 *
 * No locks; any context. Source: RISC-V SBI Specification 1.0, chapters 3 to 10.
 */
#include "arch/sbi.h"

#include "abi/errno.h"

enum {
    EXT_LEGACY_PUTCHAR = 1,
    EXT_TIME = 0x54494d45,
    EXT_IPI = 0x735049,
    EXT_RFENCE = 0x52464e43,
    EXT_HSM = 0x48534d,
    EXT_SRST = 0x53525354,
};
enum { SBI_INVALID_PARAM = -3, SBI_ALREADY_AVAILABLE = -6 };

struct sbi_result sbi_call(u64 extension, u64 function, u64 a0, u64 a1, u64 a2, u64 a3) {
    register u64 r0 __asm__("a0") = a0;
    register u64 r1 __asm__("a1") = a1;
    register u64 r2 __asm__("a2") = a2;
    register u64 r3 __asm__("a3") = a3;
    register u64 r6 __asm__("a6") = function;
    register u64 r7 __asm__("a7") = extension;
    __asm__ volatile("ecall" : "+r"(r0), "+r"(r1) : "r"(r2), "r"(r3), "r"(r6), "r"(r7) : "memory");
    return (struct sbi_result){(long)r0, (long)r1};
}

void sbi_console_write(const char *s, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '\n')
            sbi_call(EXT_LEGACY_PUTCHAR, 0, '\r', 0, 0, 0);
        sbi_call(EXT_LEGACY_PUTCHAR, 0, (u8)s[i], 0, 0, 0);
    }
}

void sbi_set_timer(u64 time) { sbi_call(EXT_TIME, 0, time, 0, 0, 0); }

// Hart masks are (bits, number of the first hart), so one hart is (1, hartid).
void sbi_send_ipi(u64 hartid) { sbi_call(EXT_IPI, 0, 1, hartid, 0, 0); }

void sbi_remote_fence_i(u64 hartid) { sbi_call(EXT_RFENCE, 0, 1, hartid, 0, 0); }

void sbi_remote_sfence(u64 hartid, u64 start, u64 size, u64 asid) {
    register u64 r0 __asm__("a0") = 1;
    register u64 r1 __asm__("a1") = hartid;
    register u64 r2 __asm__("a2") = start;
    register u64 r3 __asm__("a3") = size;
    register u64 r4 __asm__("a4") = asid;
    register u64 r6 __asm__("a6") = 2;
    register u64 r7 __asm__("a7") = EXT_RFENCE;
    __asm__ volatile("ecall"
                     : "+r"(r0), "+r"(r1)
                     : "r"(r2), "r"(r3), "r"(r4), "r"(r6), "r"(r7)
                     : "memory");
}

void sbi_remote_sfence_all(u64 hartid) { sbi_call(EXT_RFENCE, 1, 1, hartid, 0, ~0ul); }

int sbi_hart_start(u64 hartid, pa_t entry, u64 opaque) {
    switch (sbi_call(EXT_HSM, 0, hartid, entry, opaque, 0).error) {
    case 0:
        return 0;
    case SBI_INVALID_PARAM:
        return -EINVAL;
    case SBI_ALREADY_AVAILABLE:
        return -EALREADY;
    default:
        return -EIO;
    }
}

static __noreturn void reset(u64 type) {
    sbi_call(EXT_SRST, 0, type, 0, 0, 0);
    for (;;)
        __asm__ volatile("wfi");
}

void sbi_shutdown(void) { reset(0); }

void sbi_reboot(void) { reset(1); }
