/* stat [-L] file...: all that the inode says; -L of what a symbolic link points to. */
#include "user/lib/tool.h"
#include "abi/fcntl.h"

static const char *type_name(uint32_t mode) {
    switch (mode & S_IFMT) {
    case S_IFREG:
        return "regular file";
    case S_IFDIR:
        return "directory";
    case S_IFLNK:
        return "symbolic link";
    case S_IFCHR:
        return "character device";
    case S_IFBLK:
        return "block device";
    case S_IFIFO:
        return "fifo";
    case S_IFSOCK:
        return "socket";
    default:
        return "unknown";
    }
}

static void print_time(const char *label, int64_t seconds, uint64_t nsec) {
    struct date d = date_of(seconds);

    out("%s: %d-%02d-%02d %02d:%02d:%02d.%09lu\n", label, d.year, d.month, d.day, d.hour, d.minute,
        d.second, nsec);
}

static void print(const char *path, const struct abi_stat *st) {
    out("  File: %s\n", path);
    out("  Size: %ld  Blocks: %ld  IO Block: %d  %s\n", st->st_size, st->st_blocks, st->st_blksize,
        type_name(st->st_mode));
    out("Device: %u,%u  Inode: %lu  Links: %u", ABI_MAJOR(st->st_dev), ABI_MINOR(st->st_dev),
        st->st_ino, st->st_nlink);
    if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode))
        out("  Device type: %u,%u", ABI_MAJOR(st->st_rdev), ABI_MINOR(st->st_rdev));
    out("\nAccess: %04o  Uid: %u  Gid: %u\n", st->st_mode & 07777, st->st_uid, st->st_gid);
    print_time("Access", st->st_atime, st->st_atime_nsec);
    print_time("Modify", st->st_mtime, st->st_mtime_nsec);
    print_time("Change", st->st_ctime, st->st_ctime_nsec);
}

int main(int argc, char **argv) {
    struct opts o = opts_start(argv, "L", "[-L] file...");
    int flags = AT_SYMLINK_NOFOLLOW, status = 0;

    (void)argc;
    while (opt_next(&o))
        flags = 0;
    for (char **p = o.argv; *p; p++) {
        struct abi_stat st;
        long r = sys_newfstatat(AT_FDCWD, *p, &st, flags);
        if (r < 0)
            status = complain(*p, r);
        else
            print(*p, &st);
    }
    return status | out_flush();
}
