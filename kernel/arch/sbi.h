// Calls to the firmware below the kernel. Source: RISC-V SBI Specification 1.0.
#ifndef ARCH_SBI_H
#define ARCH_SBI_H

#include "lib/types.h"

struct sbi_result {
    long error;  // 0 or a negative SBI error (not errno)
    long value;
};
struct sbi_result sbi_call(u64 extension, u64 function, u64 a0, u64 a1, u64 a2, u64 a3);

// Legacy console: for the first lines and for panics
void sbi_console_write(const char *s, size_t n);
void sbi_set_timer(u64 time);  // interrupt when the time CSR reaches `time`; ~0ul: never
void sbi_send_ipi(u64 hartid);
void sbi_remote_fence_i(u64 hartid);
// sfence.vma on a hart: of [start, start + size), size ~0ul for all; in one ASID.
void sbi_remote_sfence(u64 hartid, u64 start, u64 size, u64 asid);
void sbi_remote_sfence_all(u64 hartid);                  // of all, in all ASIDs
int sbi_hart_start(u64 hartid, pa_t entry, u64 opaque);  // 0, -EINVAL, -EALREADY, -EIO
__noreturn void sbi_shutdown(void);
__noreturn void sbi_reboot(void);

#endif
