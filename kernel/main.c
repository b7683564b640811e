/*
 * From the first C instruction to the first program.
 *
 * The firmware starts one hart; entry.S turns paging on and calls kernel_main() on the boot thread, which becomes hart 0's
 * idle task. The order below is that of need: the device tree, memory, the kernel's final page table, slabs, tasks,
 * time, interrupts, the console; the other harts; disks and the rooms above them; then pid 1, which mounts the root and runs init.
 * Nothing before start_init() may sleep.
 */
#include "arch/arch.h"
#include "arch/sv39.h"
#include "arch/upcall.h"
#include "boot/boot.h"
#include "check/chaos.h"
#include "check/fail.h"
#include "check/kasan.h"
#include "check/kcov.h"
#include "check/leak.h"
#include "check/locks.h"
#include "check/planted.h"
#include "check/race.h"
#include "drivers/blk.h"
#include "drivers/drivers.h"
#include "drivers/fdt.h"
#include "fs/file.h"
#include "fs/proc.h"
#include "fs/tmpfs.h"
#include "fs/vfs.h"
#include "ipc/event.h"
#include "ipc/futex.h"
#include "ipc/ids.h"
#include "ipc/mqueue.h"
#include "ipc/pipe.h"
#include "lib/printf.h"
#include "mm/slab.h"
#include "mm/vm.h"
#include "net/socket.h"
#include "proc/life.h"
#include "proc/signal.h"
#include "arch/hart.h"
#include "sync/work.h"
#include "syscall/syscall.h"
#include "trace/control.h"

static pa_t zeroed_page(void) {
    struct page *p = page_alloc(0, ALLOC_ZERO | ALLOC_ATOMIC);
    if (p == NULL)
        panic("no memory for the kernel's page table");
    return page_to_pa(p);
}

static void *perhart_memory(size_t size) { return kmalloc(size, ALLOC_ZERO | ALLOC_ATOMIC); }

static void start_other_harts(void) {
    u32 wanted = nr_harts;
    if (perhart_init(wanted, perhart_memory))
        panic("no memory for %u harts", wanted);
    softwork_init();
    for (u32 h = 1; h < wanted; h++) {
        char name[TASK_NAME];
        snprintf(name, sizeof name, "idle/%u", h);
        struct task *idle = task_alloc(name);
        if (idle == NULL)
            panic("no memory for the idle task of hart %u", h);
        idle->flags = TASK_KTHREAD | TASK_IDLE;
        idle->state = TASK_RUNNING;
        idle->thread.preempt_count = 0;
        sched_init_hart(h, idle);
        if (hart_start(h, &idle->thread))
            kprintf("hart %lu does not start\n", hart_hartid[h]);
    }
}

void kernel_secondary(void) {
    time_init_hart();
    plic_init_hart();
    sched_idle_loop();
}

// Rooms above the drivers, in the order of their floors.
static void init_rooms(void) {
    vfs_init();
    tmpfs_init();
    memfd_init();
    devfs_init();
    procfs_init();
    pipe_init();
    futex_init();
    shm_init();
    sem_init();
    msg_init();
    mqueue_init();
    signal_init();
    pidfd_init();
    signalfd_init();
    event_init();
    socket_init();
    vdso_init();
    oom_init();
    planted_init();
    kcov_init();
    chaos_init();
    leak_init();
    fail_init();
    locks_init();
    syscall_debug = boot_args.debug_syscalls;
}

static void print_banner(void) {
    boot_log("xv39: %u hart%s, %lu MiB of memory, timer %s\n", nr_harts, nr_harts == 1 ? "" : "s",
             pages_total * PAGE_SIZE / MIB(1), time_event_name());
}

void kernel_main(u64 hartid, pa_t fdt) {
    boot_task_init();
    trap_init_hart();
    if (fdt_init(pa_to_va(fdt)))
        panic("the firmware gave no valid device tree (at %lx)", fdt);
    boot_parse_args();
    boot_memory(fdt);
    kernel_map(DIRECT_SIZE, zeroed_page);
    kasan_start();
    leak_start();
    boot_harts(hartid, boot_args.max_harts);
    slab_init();
    proc_init();
    pagecache_init();
    reclaim_init();
    vm_init();
    sched_init();
    time_init_hart();
    random_init();
    if (plic_init() || uart_init())
        kprintf("no interrupt controller or no UART: no console input\n");
    rtc_init();
    print_banner();
    start_other_harts();
    race_start();
    trace_boot(boot_args.trace, boot_args.strace);
    irq_enable();
    virtio_init();
    init_rooms();
    static struct init_options init;
    init = (struct init_options){
        .root = boot_args.root,
        .read_only = !boot_args.root_rw,
        .init = boot_args.init,
        .argv = boot_args.init_argv,
        .envp = boot_args.init_envp,
    };
    start_init(&init);
    sched_idle_loop();
}
