/* The rest: mounts and tmpfs, /proc, /dev, limits, names of the system, fsync on whatever disk is
 * below. */
#include "user/usertests/ut.h"
#include "abi/mount.h"
#include "abi/prctl.h"
#include "abi/reboot.h"
#include "abi/resource.h"
#include "abi/statfs.h"
#include "abi/sysinfo.h"
#include "abi/termios.h"
#include "abi/utsname.h"

static char big[65536];

static void mount_tmpfs(const char *options) {
    OK(sys_mkdirat(AT_FDCWD, "m", 0755));
    OK(sys_mount("none", "m", "tmpfs", 0, options));
}

static void tmpfs_mount(void) {
    struct statfs st;
    int fd;

    mount_tmpfs("");
    OK(sys_statfs("m", &st));
    EQ(st.f_type, TMPFS_MAGIC);
    put_file("m/f", "x");
    fd = (int)OK(open_at("m/f", O_RDWR, 0));
    FAILS(EBUSY, sys_umount2("m", 0));
    FAILS(EXDEV, sys_linkat(AT_FDCWD, "m/f", AT_FDCWD, "f", 0));
    FAILS(EXDEV, sys_renameat2(AT_FDCWD, "m/f", AT_FDCWD, "f", 0));
    FAILS(EBUSY, sys_unlinkat(AT_FDCWD, "m", AT_REMOVEDIR));
    OK(sys_close(fd));
    OK(sys_umount2("m", 0));
    CHECK(!is_there("m/f"));
    FAILS(EINVAL, sys_umount2("m", 0));
}

/* A pipe has a name here, but no mount. */
static void mount_of_a_pipe(void) {
    char name[40];
    int fds[2];

    OK(sys_pipe2(fds, 0));
    snprintf(name, sizeof(name), "/proc/self/fd/%d", fds[0]);
    FAILS(EINVAL, sys_mount(name, "f", 0, MS_BIND, 0));
    FAILS(EINVAL, sys_mount("f", name, 0, MS_BIND, 0));
    FAILS(EINVAL, sys_mount("none", name, "tmpfs", 0, 0));
    OK(sys_close(fds[0]));
    OK(sys_close(fds[1]));
}

static void mount_errors(void) {
    OK(sys_mkdirat(AT_FDCWD, "m", 0755));
    put_file("f", "x");
    FAILS(ENODEV, sys_mount("none", "m", "nosuchfs", 0, 0));
    FAILS(ENOENT, sys_mount("none", "none", "tmpfs", 0, 0));
    FAILS(ENOTDIR, sys_mount("none", "f", "tmpfs", 0, 0));
    FAILS(ENOENT, sys_umount2("none", 0));
    mount_of_a_pipe();
    become_user(1000);
    FAILS(EPERM, sys_mount("none", "m", "tmpfs", 0, 0));
    FAILS(EPERM, sys_umount2("/", 0));
}

static void read_only(void) {
    mount_tmpfs("");
    put_file("m/f", "x");
    OK(sys_mount("none", "m", "tmpfs", MS_REMOUNT | MS_RDONLY, 0));
    FAILS(EROFS, open_at("m/f", O_RDWR, 0));
    FAILS(EROFS, open_at("m/g", O_RDWR | O_CREAT, 0644));
    FAILS(EROFS, sys_unlinkat(AT_FDCWD, "m/f", 0));
    FAILS(EROFS, sys_mkdirat(AT_FDCWD, "m/d", 0755));
    FAILS(EROFS, sys_fchmodat(AT_FDCWD, "m/f", 0));
    expect_file("m/f", "x");
    OK(sys_umount2("m", 0));
}

static void full(void) {
    int fd;
    long r, total = 0;

    mount_tmpfs("size=256k");
    fd = (int)OK(open_at("m/f", O_RDWR | O_CREAT, 0644));
    while ((r = sys_write(fd, big, 10000)) > 0)
        total += r;
    EQ(r, -ENOSPC);
    CHECK(total >= 200000 && total <= 262144);
    EQ(size_of("m/f"), total);
    OK(sys_ftruncate(fd, 0));
    EQ(sys_write(fd, big, 10000), 10000);
    OK(sys_close(fd));
    OK(sys_umount2("m", 0));
}

static void lazy_unmount(void) {
    int fd;
    char c;

    mount_tmpfs("");
    put_file("m/f", "x");
    fd = (int)OK(open_at("m/f", O_RDONLY, 0));
    OK(sys_umount2("m", MNT_DETACH));
    CHECK(!is_there("m/f"));
    EQ(sys_read(fd, &c, 1), 1);
    OK(sys_close(fd));
}

/* What is mounted below goes too; and what nobody could unmount again is not mounted. */
static void lazy_unmount_of_a_tree(void) {
    mount_tmpfs("");
    OK(sys_mkdirat(AT_FDCWD, "m/d", 0755));
    OK(sys_mount("none", "m/d", "tmpfs", 0, 0));
    OK(sys_mount("m", "m/d", 0, MS_BIND, 0));
    FAILS(EBUSY, sys_umount2("m", 0));
    OK(sys_chdir("m"));
    OK(sys_umount2("../m", MNT_DETACH));
    FAILS(EINVAL, sys_umount2("d", 0));
    FAILS(EINVAL, sys_mount("none", "d", "tmpfs", 0, 0));
}

static void mount_on_removed(void) {
    OK(sys_mkdirat(AT_FDCWD, "m", 0755));
    OK(sys_chdir("m"));
    OK(sys_unlinkat(AT_FDCWD, "../m", AT_REMOVEDIR));
    FAILS(ENOENT, sys_mount("none", ".", "tmpfs", 0, 0));
}

/* ---- /proc and /dev */

static void need(const char *path) {
    if (!is_there(path))
        skip(path);
}

static void proc_files(void) {
    static const char *const files[] = {"/proc/meminfo",     "/proc/stat",
                                        "/proc/cpuinfo",     "/proc/mounts",
                                        "/proc/filesystems", "/proc/uptime",
                                        "/proc/loadavg",     "/proc/version",
                                        "/proc/self/stat",   "/proc/self/status",
                                        "/proc/self/maps",   "/proc/self/cmdline",
                                        "/proc/self/mounts", "/proc/sys/kernel/pid_max"};

    need("/proc/self");
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        long r = read_file(files[i], big, sizeof(big));
        if (r <= 0)
            fail_at(HERE, "%s: %ld", files[i], r);
    }
    OK(read_file("/proc/self/cmdline", big, sizeof(big)));
    EQ(strcmp(big, self_argv[0]), 0);
    OK(read_file("/proc/self/stat", big, sizeof(big)));
    EQ(atoi(big), getpid());
    CHECK(strstr(big, "(usertests)"));
}

static void proc_links(void) {
    char text[256], number[32];
    int fd;

    need("/proc/self");
    long n = OK(sys_readlinkat(AT_FDCWD, "/proc/self", text, sizeof(text) - 1));
    text[n] = 0;
    EQ(atoi(text), getpid());
    OK(sys_readlinkat(AT_FDCWD, "/proc/self/exe", text, sizeof(text)));
    OK(sys_readlinkat(AT_FDCWD, "/proc/self/cwd", text, sizeof(text)));
    put_file("file", "through proc");
    fd = (int)OK(open_at("file", O_RDONLY, 0));
    snprintf(number, sizeof(number), "/proc/self/fd/%d", fd);
    expect_file(number, "through proc");
    FAILS(ENOENT, open_at("/proc/999999999", O_RDONLY, 0));
    CHECK(open_at("/proc/new", O_CREAT | O_RDWR, 0644) < 0);
}

static void proc_is_consistent(void) {
    struct dir d;
    struct abi_dirent *e;
    bool me = false;

    need("/proc/self");
    for (int i = 0; i < 8; i++) {
        if (fork() == 0) {
            for (;;) {
                int pid = fork();
                if (pid == 0)
                    sys_exit_group(0);
                sys_wait4(-1, 0, 0, 0);
            }
        }
    }
    for (int round = 0; round < 20; round++) { /* processes come and go while we look */
        OK(dir_open(&d, "/proc"));
        while ((e = dir_next(&d))) {
            if (atoi(e->d_name) == getpid())
                me = true;
            if (e->d_name[0] >= '1' && e->d_name[0] <= '9')
                proc_state(atoi(e->d_name));
        }
        dir_close(&d);
    }
    CHECK(me);
    on_signal(SIGTERM, SIG_IGN, 0);
    OK(sys_kill(0, SIGTERM));
    while (sys_wait4(-1, 0, 0, 0) > 0)
        ;
}

static void kernel_threads(void) {
    need("/proc/2/stat");
    OK(read_file("/proc/2/stat", big, sizeof(big)));
    CHECK(strstr(big, "(kthreadd)"));
    EQ(read_file("/proc/2/cmdline", big, sizeof(big)), 0);
    if (on_xv39()) {
        int found = 0;
        for (int pid = 3; pid < 100; pid++) {
            char path[32];
            snprintf(path, sizeof(path), "/proc/%d/stat", pid);
            if (read_file(path, big, sizeof(big)) > 0)
                found |= strstr(big, "(flush") ? 1 : strstr(big, "(ksoftirqd/0)") ? 2 : 0;
        }
        EQ(found, 3);
    }
    FAILS(EPERM, sys_setpgid(2, 0) == -ESRCH ? -EPERM : -1);
}

/* The number of the kernel thread of this name, 0: none. */
static int kernel_thread(const char *name) {
    char path[32], line[32];

    snprintf(line, sizeof(line), "(%s)", name);
    for (int pid = 3; pid < getpid() + 10; pid++) {
        snprintf(path, sizeof(path), "/proc/%d/stat", pid);
        if (read_file(path, big, sizeof(big)) > 0 && strstr(big, line))
            return pid;
    }
    return 0;
}

/* Only in a kernel built with PLANT=1. */
static void ask_kernel(const char *what) {
    int fd;

    need("/proc/xv39/plant");
    fd = (int)OK(open_at("/proc/xv39/plant", O_WRONLY, 0));
    EQ(sys_write(fd, what, strlen(what)), (long)strlen(what));
    OK(sys_close(fd));
}

static void thread_start_stop(void) {
    char path[32];
    int pid;

    for (int round = 0; round < 3; round++) {
        ask_kernel("thread_start");
        pid = kernel_thread("planted/0");
        CHECK(pid);
        until_asleep(pid);
        snprintf(path, sizeof(path), "/proc/%d/status", pid);
        EQ(proc_number(path, "PPid:"), 2);
        EQ(proc_number(path, "Kthread:"), 1);
        OK(sys_kill(pid, SIGKILL)); /* does nothing */
        sleep_ms(20);
        until_asleep(pid);
        ask_kernel("thread_stop");
        EQ(kernel_thread("planted/0"), 0); /* and no zombie */
    }
}

static void work_queues(void) { ask_kernel("works"); }

/* Times that the threads for soft interrupts went to sleep. */
static long softirqd_sleeps(void) {
    char path[32];
    long sum = 0;

    for (int hart = 0, pid = 1; pid; hart++) {
        snprintf(path, sizeof(path), "ksoftirqd/%d", hart);
        pid = kernel_thread(path);
        snprintf(path, sizeof(path), "/proc/%d/status", pid);
        if (pid)
            sum += proc_number(path, "voluntary_ctxt_switches:");
    }
    return sum;
}

static void softwork_under_load(void) {
    int load[6];
    long before = softirqd_sleeps();

    for (size_t i = 0; i < ARRAY_LEN(load); i++)
        load[i] = spawn(spin);
    ask_kernel("softwork");
    CHECK(softirqd_sleeps() >= before + 10);
    for (size_t i = 0; i < ARRAY_LEN(load); i++) {
        kill_child(load[i]);
    }
}

static void devices(void) {
    int fd;

    need("/dev/null");
    fd = (int)OK(open_at("/dev/null", O_RDWR, 0));
    EQ(sys_read(fd, big, 10), 0);
    EQ(sys_write(fd, big, 1000), 1000);
    need("/dev/zero");
    fd = (int)OK(open_at("/dev/zero", O_RDWR, 0));
    memset(big, 'x', 5000);
    EQ(sys_read(fd, big, 5000), 5000);
    EQ(big[4999], 0);
    need("/dev/urandom");
    fd = (int)OK(open_at("/dev/urandom", O_RDONLY, 0));
    EQ(sys_read(fd, big, 100), 100);
    need("/dev/full");
    fd = (int)OK(open_at("/dev/full", O_RDWR, 0));
    FAILS(ENOSPC, sys_write(fd, big, 10));
}

static void device_nodes(void) {
    OK(sys_mknodat(AT_FDCWD, "null", S_IFCHR | 0666, ABI_MAKEDEV(1, 3)));
    EQ(stat_of("null").st_rdev, ABI_MAKEDEV(1, 3));
    long fd = open_at("null", O_RDWR, 0);
    if (fd != -EACCES) /* mounted nodev */
        EQ(sys_write((int)OK(fd), "x", 1), 1);
    OK(sys_mknodat(AT_FDCWD, "none", S_IFCHR | 0666, ABI_MAKEDEV(250, 250)));
    fd = open_at("none", O_RDWR, 0);
    CHECK(fd == -ENXIO || fd == -ENODEV || fd == -EACCES);
    OK(sys_mknodat(AT_FDCWD, "regular", S_IFREG | 0644, 0));
    EQ(size_of("regular"), 0);
    FAILS(EEXIST, sys_mknodat(AT_FDCWD, "regular", S_IFREG | 0644, 0));
    become_user(1000);
    FAILS(EPERM, sys_mknodat(AT_FDCWD, "c", S_IFCHR | 0666, ABI_MAKEDEV(1, 3)));
}

static void randomness(void) {
    uint64_t a[4] = {0}, b[4] = {0};

    EQ(sys_getrandom(a, sizeof(a), 0), sizeof(a));
    EQ(sys_getrandom(b, sizeof(b), 0), sizeof(b));
    CHECK(memcmp(a, b, sizeof(a)) != 0);
    FAILS(EINVAL, sys_getrandom(a, 8, 0x99));
}

static void terminal_errors(void) {
    struct termios t;
    int fds[2], fd;

    OK(sys_pipe2(fds, 0));
    FAILS(ENOTTY, sys_ioctl(fds[0], TCGETS, &t));
    put_file("f", "x");
    fd = (int)OK(open_at("f", O_RDONLY, 0));
    FAILS(ENOTTY, sys_ioctl(fd, TCGETS, &t));
    FAILS(ENOTTY, sys_ioctl(fd, TIOCGWINSZ, &t));
    FAILS(ENXIO, open_at("/dev/tty", O_RDWR, 0)); /* this session has no terminal */
}

static void terminal_modes(void) {
    struct termios t, u;
    struct winsize w = {50, 132, 0, 0}, v = {0, 0, 0, 0};
    long fd;

    need("/dev/console");
    fd = open_at("/dev/console", O_RDWR | O_NOCTTY, 0);
    if (fd < 0 || sys_ioctl((int)fd, TCGETS, &t) < 0)
        skip("no console");
    u = t;
    u.c_lflag ^= ECHOE;
    OK(sys_ioctl((int)fd, TCSETS, &u));
    OK(sys_ioctl((int)fd, TCGETS, &u));
    EQ(u.c_lflag, t.c_lflag ^ ECHOE);
    OK(sys_ioctl((int)fd, TCSETS, &t));
    OK(sys_ioctl((int)fd, TIOCGWINSZ, &v));
    OK(sys_ioctl((int)fd, TIOCSWINSZ, &w));
    OK(sys_ioctl((int)fd, TIOCGWINSZ, &w));
    CHECK(w.ws_row == 50 && w.ws_col == 132);
    OK(sys_ioctl((int)fd, TIOCSWINSZ, &v));
    FAILS(EFAULT, sys_ioctl((int)fd, TCGETS, (void *)8));
}

/* ---- the system */

static void system_names(void) {
    struct new_utsname u, v;

    OK(sys_uname(&u));
    CHECK(strcmp(u.machine, "riscv64") == 0 && *u.sysname && *u.release);
    OK(sys_sethostname("some-name", 9));
    OK(sys_uname(&v));
    EQ(strcmp(v.nodename, "some-name"), 0);
    expect_file("/proc/sys/kernel/hostname", "some-name\n");
    put_file("/proc/sys/kernel/hostname", "other\n");
    OK(sys_uname(&v));
    EQ(strcmp(v.nodename, "other"), 0);
    OK(sys_sethostname(u.nodename, strlen(u.nodename)));
    FAILS(EINVAL, sys_sethostname("x", 65));
}

static void system_information(void) {
    struct sysinfo info;

    OK(sys_sysinfo(&info));
    CHECK(info.mem_unit > 0 && info.totalram > 0 && info.freeram <= info.totalram);
    CHECK(info.procs > 0 && info.uptime >= 0);
}

static void limits(void) {
    struct rlimit l, old;

    for (int i = 0; i < RLIM_NLIMITS; i++) {
        OK(sys_getrlimit(i, &l));
        CHECK(l.rlim_cur <= l.rlim_max);
    }
    FAILS(EINVAL, sys_getrlimit(99, &l));
    l = (struct rlimit){100, 200};
    OK(sys_prlimit64(0, RLIMIT_NOFILE, &l, &old));
    OK(sys_prlimit64(getpid(), RLIMIT_NOFILE, 0, &old));
    CHECK(old.rlim_cur == 100 && old.rlim_max == 200);
    l = (struct rlimit){300, 200};
    FAILS(EINVAL, sys_setrlimit(RLIMIT_NOFILE, &l));
    FAILS(ESRCH, sys_prlimit64(999999999, RLIMIT_NOFILE, 0, &old));
    become_user(1000);
    l = (struct rlimit){100, 300};
    FAILS(EPERM, sys_setrlimit(RLIMIT_NOFILE, &l));
    l = (struct rlimit){50, 150};
    OK(sys_setrlimit(RLIMIT_NOFILE, &l));
}

static void process_name(void) {
    char name[16];

    OK(sys_prctl(PR_SET_NAME, (uint64_t) "a-name-that-is-too-long", 0, 0, 0));
    OK(sys_prctl(PR_GET_NAME, (uint64_t)name, 0, 0, 0));
    EQ(strcmp(name, "a-name-that-is-"), 0);
    FAILS(EINVAL, sys_prctl(98765, 0, 0, 0, 0));
}

static void dies_with_parent(void) {
    OK(sys_prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0));
    sleep_ms(60000);
}

static void middle(void) {
    int pid = spawn(dies_with_parent), fd = (int)OK(open_at("pid", O_WRONLY | O_CREAT, 0644));

    EQ(sys_write(fd, &pid, 4), 4);
    until_asleep(pid);
}

static void death_signal(void) {
    int pid = 0, status;

    OK(sys_prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
    child_ok(middle);
    EQ(sys_read((int)OK(open_at("pid", O_RDONLY, 0)), &pid, 4), 4);
    EQ(sys_wait4(pid, &status, 0, 0), pid);
    EQ(status, SIGKILL);
}

static void reboot_guarded(void) {
    int good = LINUX_REBOOT_MAGIC2;

    FAILS(EINVAL, sys_reboot(1, 2, LINUX_REBOOT_CMD_CAD_ON, 0));
    FAILS(EINVAL, sys_reboot((int)LINUX_REBOOT_MAGIC1, good, 12345, 0));
    become_user(1000);
    FAILS(EPERM, sys_reboot((int)LINUX_REBOOT_MAGIC1, good, LINUX_REBOOT_CMD_RESTART, 0));
}

static void synced(void) {
    int fd = (int)OK(open_at("file", O_RDWR | O_CREAT, 0644)),
        dir = (int)OK(open_at(".", O_RDONLY, 0));

    for (int i = 0; i < 20; i++) {
        EQ(sys_write(fd, big, 3000), 3000);
        OK(i % 2 ? sys_fsync(fd) : sys_fdatasync(fd));
    }
    OK(sys_fsync(dir));
    OK(sys_syncfs(fd));
    sys_sync();
    FAILS(EBADF, sys_fsync(77));
}

const struct test system_tests[] = {
    {"F4_tmpfs_mount", tmpfs_mount, 0},
    {"F4_full", full, 0},
    {"F3_mount_errors", mount_errors, 0},
    {"F3_read_only_mount", read_only, 0},
    {"F3_lazy_unmount", lazy_unmount, 0},
    {"F3_lazy_unmount_of_a_tree", lazy_unmount_of_a_tree, 0},
    {"F3_mount_on_a_removed_directory", mount_on_removed, 0},
    {"F5_proc_files", proc_files, 0},
    {"F5_proc_links", proc_links, 0},
    {"F5_proc_is_consistent", proc_is_consistent, 0},
    {"T9_kernel_threads", kernel_threads, 0},
    {"T9_thread_start_stop", thread_start_stop, 0},
    {"T9_work_queues", work_queues, 0},
    {"T9_softwork_under_load", softwork_under_load, 0},
    {"F5_devices", devices, 0},
    {"F5_device_nodes", device_nodes, 0},
    {"F5_randomness", randomness, 0},
    {"F6_synced", synced, 0},
    {"F7_terminal_errors", terminal_errors, 0},
    {"F7_terminal_modes", terminal_modes, 0},
    {"T1_system_names", system_names, 0},
    {"T1_system_information", system_information, 0},
    {"I10_limits", limits, 0},
    {"T8_process_name", process_name, 0},
    {"T8_death_signal", death_signal, 0},
    {"T1_reboot_guarded", reboot_guarded, 0},
    {0, 0, 0},
};
