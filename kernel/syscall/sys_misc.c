/*
 * System calls on the machine as a whole: its name, memory, random numbers, what the harts can do, power.
 * Decoders only; everything may sleep.
 */
#include "abi/capability.h"
#include "abi/errno.h"
#include "abi/membarrier.h"
#include "abi/random.h"
#include "abi/reboot.h"
#include "abi/sysinfo.h"
#include "abi/utsname.h"
#include "arch/arch.h"
#include "drivers/drivers.h"
#include "fs/proc.h"
#include "fs/vfs.h"
#include "lib/string.h"
#include "mm/uaccess.h"
#include "mm/vm.h"
#include "proc/proc.h"
#include "syscall/syscall.h"

/* ---- the machine's name ---- */

long sys_uname(const u64 *a) {
    struct new_utsname names;
    system_names_read(&names);
    return copy_to_user(a[0], &names, sizeof(names));
}

long sys_sethostname(const u64 *a) {
    char name[__NEW_UTS_LEN];
    int length = (int)a[1];
    if (!capable(CAP_SYS_ADMIN))
        return -EPERM;
    if (length < 0 || length > __NEW_UTS_LEN)
        return -EINVAL;
    if (copy_from_user(name, a[0], length))
        return -EFAULT;
    return set_system_name(system_names.nodename, name, length);
}

/* ---- memory and random numbers ---- */

long sys_sysinfo(const u64 *a) {
    struct sysinfo s = {
        .uptime = clock_ns() / NSEC_PER_SEC,
        .totalram = pages_total * PAGE_SIZE,
        .freeram = pages_free() * PAGE_SIZE,
        .procs = min(READ_ONCE(nr_tasks), 0xffffu),
        .mem_unit = 1,
    };
    load_average(s.loads);
    return copy_to_user(a[0], &s, sizeof(s));
}

long sys_getrandom(const u64 *a) {
    u8 buf[256];
    u64 n = min(a[1], 0x7ffff000ul), done = 0;
    if ((u32)a[2] & ~(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE) ||
        ((u32)a[2] & (GRND_RANDOM | GRND_INSECURE)) == (GRND_RANDOM | GRND_INSECURE))
        return -EINVAL;
    while (done < n) {
        u64 part = min(n - done, sizeof(buf));
        random_bytes(buf, part);
        if (copy_to_user(a[0] + done, buf, part))
            return done ? (long)done : -EFAULT;
        done += part;
        if (signal_pending())
            break;
    }
    return done;
}

/* ---- what the harts can do: riscv_hwprobe ---- */

#define HWPROBE_BASE_BEHAVIOR 3
#define HWPROBE_IMA 1u
#define HWPROBE_EXTENSIONS 4
#define HWPROBE_FD 1u
#define HWPROBE_C 2u
#define HWPROBE_MISALIGNED 5
#define HWPROBE_MISALIGNED_UNKNOWN 0

struct hwprobe {
    s64 key;
    u64 value;
};

static void probe(struct hwprobe *h) {
    switch (h->key) {
    case 0:  // vendor, architecture and implementation: the firmware keeps them
    case 1:
    case 2:
        h->value = 0;
        break;
    case HWPROBE_BASE_BEHAVIOR:
        h->value = HWPROBE_IMA;
        break;
    case HWPROBE_EXTENSIONS:
        h->value = HWPROBE_FD | HWPROBE_C;
        break;
    case HWPROBE_MISALIGNED:
        h->value = HWPROBE_MISALIGNED_UNKNOWN;
        break;
    default:
        h->key = -1;
        h->value = 0;
    }
}

// All harts are alike, so the set of harts that is asked about does not matter.
long sys_riscv_hwprobe(const u64 *a) {
    struct hwprobe h;
    if ((u32)a[4])
        return -EINVAL;
    for (u64 i = 0; i < a[1]; i++) {
        u64 user = a[0] + i * sizeof(h);
        if (copy_from_user(&h, user, sizeof(h)))
            return -EFAULT;
        probe(&h);
        if (copy_to_user(user, &h, sizeof(h)))
            return -EFAULT;
        if (signal_pending() && fatal_signal_pending())
            return -EINTR;
    }
    return 0;
}

/* ---- membarrier ---- */

#define MEMBARRIERS                                                                                \
    (MEMBARRIER_CMD_GLOBAL | MEMBARRIER_CMD_GLOBAL_EXPEDITED |                                     \
     MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED | MEMBARRIER_CMD_PRIVATE_EXPEDITED |                 \
     MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED | MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE |      \
     MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE | MEMBARRIER_CMD_GET_REGISTRATIONS)

static bool registered(int cmd) { return load_relaxed(&current->mm->membarrier) & (u32)cmd; }

// The global barriers reach every hart, also those that run programs which did not register for it.
long sys_membarrier(const u64 *a) {
    int cmd = (int)a[0];
    if ((u32)a[1])
        return -EINVAL;
    switch (cmd) {
    case MEMBARRIER_CMD_QUERY:
        return MEMBARRIERS;
    case MEMBARRIER_CMD_GLOBAL:
    case MEMBARRIER_CMD_GLOBAL_EXPEDITED:
        mm_barrier(NULL);
        return 0;
    case MEMBARRIER_CMD_PRIVATE_EXPEDITED:
        if (!registered(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED))
            return -EPERM;
        mm_barrier(current->mm);
        return 0;
    case MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE:
        if (!registered(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE))
            return -EPERM;
        mm_sync_code(current->mm);
        return 0;
    case MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED:
    case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED:
    case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE:
        atomic_or(&current->mm->membarrier, (u32)cmd);
        return 0;
    case MEMBARRIER_CMD_GET_REGISTRATIONS:
        return load_relaxed(&current->mm->membarrier);
    default:
        return -EINVAL;
    }
}

/* ---- power ---- */

static bool magic_ok(u32 one, u32 two) {
    return one == LINUX_REBOOT_MAGIC1 &&
           (two == LINUX_REBOOT_MAGIC2 || two == LINUX_REBOOT_MAGIC2A ||
            two == LINUX_REBOOT_MAGIC2B || two == LINUX_REBOOT_MAGIC2C);
}

// Disks hold everything, and the terminal has shown what programs wrote.
static void end_of_day(void) {
    vfs_sync();
    uart_drain();
}

long sys_reboot(const u64 *a) {
    if (!capable(CAP_SYS_BOOT))
        return -EPERM;
    if (!magic_ok((u32)a[0], (u32)a[1]))
        return -EINVAL;
    switch ((u32)a[2]) {
    case LINUX_REBOOT_CMD_POWER_OFF:
        end_of_day();
        machine_poweroff();
    case LINUX_REBOOT_CMD_RESTART:
    case LINUX_REBOOT_CMD_RESTART2:
        end_of_day();
        machine_restart();
    case LINUX_REBOOT_CMD_HALT:
        end_of_day();
        machine_halt();
    case LINUX_REBOOT_CMD_CAD_ON:
    case LINUX_REBOOT_CMD_CAD_OFF:
        return 0;  // this console has no such key
    default:
        return -EINVAL;
    }
}
