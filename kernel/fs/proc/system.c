/*
 * procfs: the files about the whole system, in the formats of proc(5), and the few of /sys that programs look for.
 *
 * One table names them. Most print what another room reports; only what no other room keeps is computed here:
 * the counts of tasks by state, which walk all tasks with family_lock held.
 *
 * A hart's busy time in /proc/stat is what is not idle, and user time is what of it was not sampled as the kernel's.
 */
#include "fs/proc/internal.h"

#include "abi/sysinfo.h"
#include "abi/utsname.h"
#include "arch/arch.h"
#include "drivers/blk.h"
#include "drivers/drivers.h"
#include "drivers/fdt.h"
#include "mm/pagecache.h"
#include "mm/stats.h"
#include "mm/vm.h"
#include "sched/profile.h"
#include "arch/hart.h"

#define TICK_NS (NSEC_PER_SEC / 100)  // USER_HZ is 100

extern char boot_command_line[];  // args.c, above all rooms
extern int threads_max;           // proc/fork.c, above this one
#define MAX_MAP_COUNT 65530       // MAX_VMAS of mm/vma.c

static struct mutex names_lock = MUTEX_INIT(names_lock, RANK_SETTING, "system names");
struct new_utsname system_names = {
    // nodename and domainname [names_lock], the rest [I]
    .sysname = "Linux",          .nodename = "xv39",   .release = "6.12.0-xv39",
    .version = "#1 SMP PREEMPT", .machine = "riscv64", .domainname = "(none)",
};

void system_names_read(struct new_utsname *out) {
    mutex_lock(&names_lock);
    *out = system_names;
    mutex_unlock(&names_lock);
}

int set_system_name(char *field, const char *text, size_t n) {
    if (n > __NEW_UTS_LEN)
        return -EINVAL;
    mutex_lock(&names_lock);
    memcpy(field, text, n);
    memset(field + n, 0, __NEW_UTS_LEN + 1 - n);
    mutex_unlock(&names_lock);
    return 0;
}

// ---- tasks ----

struct task_counts {
    u32 running, blocked, all;
};

static struct task_counts count_tasks(void) {
    struct task_counts n = {0};
    struct task *t;
    spin_lock(&family_lock);
    list_for_each (t, &all_tasks, all_link) {
        u32 state = READ_ONCE(t->state);
        if (t->flags & TASK_IDLE)
            continue;
        n.all++;
        n.running += state == TASK_RUNNING;
        n.blocked += state == TASK_UNINTERRUPTIBLE;
    }
    spin_unlock(&family_lock);
    return n;
}

static u32 runnable_now(void) {
    u32 n = 0;
    for_each_hart (h)
        n += READ_ONCE(runq_of(h)->nr_running);
    return n;
}

static void show_loadavg(struct printer *p) {
    u64 loads[3];
    struct task_counts n = count_tasks();
    load_average(loads);
    for (u32 i = 0; i < 3; i++)
        printer_printf(p, "%lu.%02lu ", loads[i] >> 16, (loads[i] & 0xffff) * 100 >> 16);
    printer_printf(p, "%u/%u %d\n", runnable_now(), n.all, current->pid->nr);
}

// ---- time ----

// ns that a hart was there for user code, the kernel's, and nothing.
struct hart_times {
    struct cpu_times busy;
    u64 idle;
};

static struct hart_times times_of_hart(u32 h) {
    struct hart_times out;
    u64 busy = sched_busy_ns(h, &out.idle);
    cpu_times_divide(busy, READ_ONCE(runq_of(h)->system), &runq_of(h)->user_told, &out.busy);
    return out;
}

static struct hart_times times_of_all(void) {
    struct hart_times sum = {0};
    for_each_hart (h) {
        struct hart_times one = times_of_hart(h);
        sum.busy.user += one.busy.user;
        sum.busy.system += one.busy.system;
        sum.idle += one.idle;
    }
    return sum;
}

static void show_uptime(struct printer *p) {
    u64 up = clock_ns() / TICK_NS, idle = times_of_all().idle / TICK_NS;
    printer_printf(p, "%lu.%02lu %lu.%02lu\n", up / 100, up % 100, idle / 100, idle % 100);
}

static void show_cpu_line(struct printer *p, struct hart_times t) {
    printer_printf(p, " %lu 0 %lu %lu 0 0 0 0 0 0\n", t.busy.user / TICK_NS,
                   t.busy.system / TICK_NS, t.idle / TICK_NS);
}

static void show_stat(struct printer *p) {
    u64 now = clock_ns(), interrupts = 0, switches = 0;
    struct task_counts n = count_tasks();
    printer_printf(p, "cpu ");
    show_cpu_line(p, times_of_all());
    for_each_hart (h) {
        printer_printf(p, "cpu%u", h);
        show_cpu_line(p, times_of_hart(h));
        interrupts += timer_interrupts(h);
        switches += READ_ONCE(runq_of(h)->switches);
    }
    printer_printf(
        p, "intr %lu\nctxt %lu\nbtime %lu\nprocesses %lu\nprocs_running %u\nprocs_blocked %u\n",
        interrupts, switches, (realtime_ns() - now) / NSEC_PER_SEC, forks_total, max(n.running, 1u),
        n.blocked);
}

// From the best to the last; then, of each hart, its tasks that run or wait and how often it switched.
static void show_sched_classes(struct printer *p) {
    printer_printf(p, "%-6s %4s %9s  %s\n", "class", "rank", "turn_us", "policies");
    for (u32 c = 0; c < ARRAY_SIZE(sched_classes); c++)
        printer_printf(p, "%-6s %4u %9lu  %s\n", sched_classes[c]->name, sched_classes[c]->rank,
                       sched_classes[c]->turn / NSEC_PER_USEC, sched_classes[c]->policies);
    for_each_hart (h)
        printer_printf(p, "hart%-3u running %u realtime %u switches %lu\n", h,
                       READ_ONCE(runq_of(h)->nr_running), READ_ONCE(runq_of(h)->nr_rt),
                       READ_ONCE(runq_of(h)->switches));
}

// Version 15 of Linux's sched-stats. What is not counted here is 0: yields, wake-ups and their places, calls without a switch.
static void show_schedstat(struct printer *p) {
    printer_printf(p, "version 15\ntimestamp %lu\n", clock_ns() / TICK_NS);
    for_each_hart (h) {
        u64 idle, busy = sched_busy_ns(h, &idle);
        u64 switches = READ_ONCE(runq_of(h)->switches);
        printer_printf(p, "cpu%u 0 0 %lu 0 0 0 %lu %lu %lu\n", h, switches, busy,
                       sched_hart_waited_ns(h), switches);
    }
}

static void show_interrupts(struct printer *p) {
    printer_printf(p, "    ");
    for_each_hart (h)
        printer_printf(p, "       CPU%u", h);
    printer_printf(p, "\n");
    irq_show(p);
    printer_printf(p, "TIM:");
    for_each_hart (h)
        printer_printf(p, " %10lu", timer_interrupts(h));
    printer_printf(p, "  Timer interrupts\n");
}

// ---- processors ----

// The device tree's node of a hart, or a negative number.
static int hart_node(u32 h) {
    int cpus = fdt_path("/cpus");
    for (int node = cpus < 0 ? -1 : fdt_first_child(cpus); node >= 0;
         node = fdt_next_sibling(node)) {
        u64 id, size;
        if (fdt_reg(node, 0, &id, &size) && id == hart_hartid[h])
            return node;
    }
    return -1;
}

static void show_cpuinfo(struct printer *p) {
    for_each_hart (h) {
        int node = hart_node(h);
        const char *isa = node >= 0 ? fdt_prop_string(node, "riscv,isa") : NULL;
        printer_printf(p, "processor\t: %u\nhart\t\t: %lu\nisa\t\t: %s\nmmu\t\t: sv39\n\n", h,
                       hart_hartid[h], isa ? isa : "unknown");
    }
}

static void show_harts(struct printer *p) {
    printer_printf(p, nr_harts > 1 ? "0-%u\n" : "%u\n", nr_harts - 1);
}

static void show_one(struct printer *p) { printer_printf(p, "1\n"); }

// ---- memory ----

static void show_meminfo(struct printer *p) {
    struct mem_info m;
    mem_info_read(&m);
    const struct {
        const char *name;
        u64 pages;
    } rows[] = {
        {"MemTotal", m.total},
        {"MemFree", m.free},
        {"MemAvailable", m.available},
        {"Buffers", m.buffers},
        {"Cached", m.cached},
        {"SwapCached", 0},
        {"SwapTotal", 0},
        {"SwapFree", 0},
        {"Dirty", m.dirty},
        {"Writeback", m.writeback},
        {"AnonPages", m.anon},
        {"Mapped", m.mapped},
        {"Shmem", m.shmem},
        {"Slab", m.slab},
        {"SReclaimable", 0},
        {"SUnreclaim", m.slab},
        {"KernelStack", m.kernel_stacks},
        {"PageTables", m.tables},
        {"CommitLimit", m.commit_limit},
        {"Committed_AS", m.committed},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char name[24];
        scnprintf(name, sizeof(name), "%s:", rows[i].name);
        printer_printf(p, "%-16s%8lu kB\n", name, rows[i].pages * (PAGE_SIZE / 1024));
    }
}

static void show_swaps(struct printer *p) {
    printer_printf(p, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
}

static void show_dirty_ratio(struct printer *p) {
    printer_printf(p, "%u\n", pagecache_dirty_ratio());
}
static int set_dirty_ratio(const char *text, size_t n) {
    u64 value;
    (void)n;
    return parse_u64(text, &value) || value > 100 ? -EINVAL : pagecache_set_dirty_ratio((u32)value);
}

// proc(5): what is dirty stays, so programs call sync(2) before.
static int write_drop_caches(const char *text, size_t n) {
    u64 what;
    (void)n;
    if (parse_u64(text, &what) || what == 0 || what > (DROP_PAGES | DROP_OBJECTS))
        return -EINVAL;
    caches_drop((u32)what);
    return 0;
}

// ---- devices ----

static void show_partitions(struct printer *p) {
    struct block_device *d;
    printer_printf(p, "major minor  #blocks  name\n\n");
    list_for_each (d, &block_devices, link)
        printer_printf(p, "%4u %7u %10lu %s\n", d->devno >> 8, d->devno & 0xff, d->sectors / 2,
                       d->name);
}

static void show_diskstats(struct printer *p) {
    struct block_device *d;
    list_for_each (d, &block_devices, link)
        printer_printf(p, "%4u %7u %s %lu 0 %lu 0 %lu 0 %lu 0 0 0 0\n", d->devno >> 8,
                       d->devno & 0xff, d->name, load_relaxed(&d->reads),
                       load_relaxed(&d->sectors_read), load_relaxed(&d->writes),
                       load_relaxed(&d->sectors_written));
}

static void show_devices(struct printer *p) {
    struct block_device *d;
    u32 last = 0;
    printer_printf(p, "Character devices:\n");
    devfs_show(p);
    printer_printf(p, "\nBlock devices:\n");
    list_for_each (d, &block_devices, link)
        if (d->devno >> 8 != last) {
            last = d->devno >> 8;
            printer_printf(p, "%3u virtblk\n", last);
        }
}

// ---- names and limits ----

static void show_version(struct printer *p) {
    printer_printf(p, "%s version %s %s\n", system_names.sysname, system_names.release,
                   system_names.version);
}
static void show_cmdline(struct printer *p) { printer_printf(p, "%s\n", boot_command_line); }
static void show_ostype(struct printer *p) { printer_printf(p, "%s\n", system_names.sysname); }
static void show_osrelease(struct printer *p) { printer_printf(p, "%s\n", system_names.release); }
static void show_build(struct printer *p) { printer_printf(p, "%s\n", system_names.version); }
static void show_hostname(struct printer *p) {
    struct new_utsname names;
    system_names_read(&names);
    printer_printf(p, "%s\n", names.nodename);
}
static int set_hostname(const char *text, size_t n) {
    return set_system_name(system_names.nodename, text, n);
}
static void show_domain(struct printer *p) {
    struct new_utsname names;
    system_names_read(&names);
    printer_printf(p, "%s\n", names.domainname);
}
static int set_domain(const char *text, size_t n) {
    return set_system_name(system_names.domainname, text, n);
}
static void show_threads_max(struct printer *p) {
    printer_printf(p, "%d\n", READ_ONCE(threads_max));
}
static void show_map_count(struct printer *p) { printer_printf(p, "%d\n", MAX_MAP_COUNT); }
static void show_pid_max(struct printer *p) { printer_printf(p, "%d\n", READ_ONCE(pid_max)); }

static void show_rt_period(struct printer *p) {
    printer_printf(p, "%ld\n", READ_ONCE(rt_limits.period_us));
}
static void show_rt_runtime(struct printer *p) {
    printer_printf(p, "%ld\n", READ_ONCE(rt_limits.runtime_us));
}
static int set_rt_period(const char *text, size_t n) {
    u64 us;
    (void)n;
    return parse_u64(text, &us) ? -EINVAL : sched_set_rt_limits(us, rt_limits.runtime_us);
}
static int set_rt_runtime(const char *text, size_t n) {
    bool minus = n > 0 && *text == '-';
    u64 us;
    if (parse_u64(text + minus, &us) || us > 0x7fffffff)
        return -EINVAL;
    return sched_set_rt_limits(rt_limits.period_us, minus ? -(s64)us : (s64)us);
}

static int set_pid_max(const char *text, size_t n) {
    u64 value;
    (void)n;
    return parse_u64(text, &value) || value > INT32_MAX ? -EINVAL : pid_set_max((int)value);
}

static u64 file_max(void) { return max(8192ul, pages_total); }
static void show_file_max(struct printer *p) { printer_printf(p, "%lu\n", file_max()); }
static void show_file_nr(struct printer *p) {
    printer_printf(p, "%lu\t0\t%lu\n", files_in_use(), file_max());
}

// A version 4 UUID, RFC 9562.
static void print_uuid(struct printer *p, const u8 *b) {
    for (u32 i = 0; i < 16; i++)
        printer_printf(p, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x",
                       i == 6   ? (b[i] & 0x0f) | 0x40
                       : i == 8 ? (b[i] & 0x3f) | 0x80
                                : b[i]);
    printer_printf(p, "\n");
}

static u8 boot_id[16];
static void show_boot_id(struct printer *p) { print_uuid(p, boot_id); }
static void show_uuid(struct printer *p) {
    u8 bytes[16];
    random_bytes(bytes, sizeof(bytes));
    print_uuid(p, bytes);
}

// All functions of the kernel, as Linux's file of this name has them.
static void show_kallsyms(struct printer *p) {
    const char *name;
    u64 address;
    for (u32 n = 0; (name = symbol_nth(n, &address)); n++)
        printer_printf(p, "%016lx T %s\n", address, name);
}

static int write_profile(const char *text, size_t n) {
    u64 rate;
    (void)n;
    return parse_u64(text, &rate) ? -EINVAL : profile_set(rate);
}

// For tests: what must be the same before and after.
static void show_counters(struct printer *p) {
    struct mem_info m;
    mem_info_read(&m);
    printer_printf(p, "pages_free %lu\npages_cache %lu\nslab_objects %lu\n",
                   pages_free() + table_pool_pages(), pagecache_pages(), slab_objects());
    printer_printf(p, "inodes %lu\nfiles %lu\ntasks %u\npids %u\n", inodes_in_use(), files_in_use(),
                   READ_ONCE(nr_tasks), pids_in_use());
    printer_printf(p, "pages_dirty %lu\npages_table %lu\npages_committed %lu\n", pagecache_dirty(),
                   m.tables, READ_ONCE(committed_pages));
}

// As Linux's /proc/sysrq-trigger: c crash (see an oops), b reset at once, o power off, s write the disks.
static int write_sysrq(const char *text, size_t n) {
    switch (n ? text[0] : 0) {
    case 'c':
        return *(volatile int *)NULL;
    case 'b':
        machine_restart();
    case 'o':
        machine_poweroff();
    case 's':
        vfs_sync();
        return 0;
    default:
        return -EINVAL;
    }
}

void system_files_init(void) {
    static const struct {
        const char *path;
        u32 mode;
        void (*show)(struct printer *);
        int (*write)(const char *, size_t);
    } files[] = {
        {"buddyinfo", 0400, pages_show, NULL},
        {"cmdline", 0444, show_cmdline, NULL},
        {"cpuinfo", 0444, show_cpuinfo, NULL},
        {"devices", 0444, show_devices, NULL},
        {"diskstats", 0444, show_diskstats, NULL},
        {"filesystems", 0444, fs_show_types, NULL},
        {"interrupts", 0444, show_interrupts, NULL},
        {"kallsyms", 0400, show_kallsyms, NULL},
        {"loadavg", 0444, show_loadavg, NULL},
        {"meminfo", 0444, show_meminfo, NULL},
        {"partitions", 0444, show_partitions, NULL},
        {"profile", 0600, profile_show, write_profile},
        {"sched_classes", 0444, show_sched_classes, NULL},
        {"schedstat", 0444, show_schedstat, NULL},
        {"slabinfo", 0400, slab_show, NULL},
        {"stat", 0444, show_stat, NULL},
        {"swaps", 0444, show_swaps, NULL},
        {"sysrq-trigger", 0200, NULL, write_sysrq},
        {"uptime", 0444, show_uptime, NULL},
        {"version", 0444, show_version, NULL},
        {"vmstat", 0444, mm_show_vmstat, NULL},
        {"sys/fs/file-max", 0444, show_file_max, NULL},
        {"sys/fs/file-nr", 0444, show_file_nr, NULL},
        {"sys/kernel/domainname", 0644, show_domain, set_domain},
        {"sys/kernel/hostname", 0644, show_hostname, set_hostname},
        {"sys/kernel/osrelease", 0444, show_osrelease, NULL},
        {"sys/kernel/ostype", 0444, show_ostype, NULL},
        {"sys/kernel/pid_max", 0644, show_pid_max, set_pid_max},
        {"sys/kernel/random/boot_id", 0444, show_boot_id, NULL},
        {"sys/kernel/random/uuid", 0444, show_uuid, NULL},
        {"sys/kernel/sched_rt_period_us", 0644, show_rt_period, set_rt_period},
        {"sys/kernel/sched_rt_runtime_us", 0644, show_rt_runtime, set_rt_runtime},
        {"sys/kernel/threads-max", 0444, show_threads_max, NULL},
        {"sys/kernel/version", 0444, show_build, NULL},
        {"sys/vm/dirty_ratio", 0644, show_dirty_ratio, set_dirty_ratio},
        {"sys/vm/drop_caches", 0200, NULL, write_drop_caches},
        {"sys/vm/max_map_count", 0444, show_map_count, NULL},
        {"xv39/counters", 0444, show_counters, NULL},
    };
    random_bytes(boot_id, sizeof(boot_id));
    for (size_t i = 0; i < ARRAY_SIZE(files); i++)
        proc_add(files[i].path, files[i].mode, files[i].show, files[i].write);
    proc_add_number("sys/kernel/randomize_va_space", &randomize_va_space, 2);
    proc_add_number("sys/vm/overcommit_memory", &overcommit_memory, 1);
    for_each_hart (h) {
        static char path[MAX_HARTS][40];
        scnprintf(path[h], sizeof(path[h]), "devices/system/cpu/cpu%u/online", h);
        sysfs_add(path[h], 0444, show_one);
    }
    sysfs_add("devices/system/cpu/online", 0444, show_harts);
    sysfs_add("devices/system/cpu/possible", 0444, show_harts);
    sysfs_add("devices/system/cpu/present", 0444, show_harts);
}
