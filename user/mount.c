/* mount [-r] [-t type] [-o options] source dir: mounts; without operands prints what is mounted.
 * Options: ro rw nosuid nodev noexec noatime sync remount bind; others are handed to the file
 * system. */
#include "user/lib/tool.h"
#include "abi/fcntl.h"
#include "abi/mount.h"

static const struct {
    const char *name;
    uint64_t set, clear;
} options[] = {
    {"ro", MS_RDONLY, 0},        {"rw", 0, MS_RDONLY},       {"nosuid", MS_NOSUID, 0},
    {"nodev", MS_NODEV, 0},      {"noexec", MS_NOEXEC, 0},   {"noatime", MS_NOATIME, 0},
    {"sync", MS_SYNCHRONOUS, 0}, {"remount", MS_REMOUNT, 0}, {"bind", MS_BIND, 0},
    {"defaults", 0, 0},
};

static uint64_t flags;
static char data[256]; /* options for the file system */

static void one_option(const char *name) {
    size_t used = strlen(data);

    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        if (strcmp(options[i].name, name) == 0) {
            flags = (flags | options[i].set) & ~options[i].clear;
            return;
        }
    }
    snprintf(data + used, sizeof(data) - used, "%s%s", used ? "," : "", name);
}

static void parse_options(char *list) {
    while (list) {
        char *comma = strchr(list, ',');
        if (comma)
            *comma++ = 0;
        one_option(list);
        list = comma;
    }
}

static int show(void) {
    bool reading;
    long fd = open_input("/proc/mounts"), r = fd;

    if (fd >= 0)
        r = copy_fd((int)fd, 1, &reading);
    return r < 0 ? complain("/proc/mounts", r) : 0;
}

int main(int argc, char **argv) {
    struct opts o = opts_start(argv, "rt:o:", "[-r] [-t type] [-o options] source dir");
    const char *type = "ext2";
    long r;

    (void)argc;
    for (int c; (c = opt_next(&o)) != 0;) {
        if (c == 'r')
            flags |= MS_RDONLY;
        else if (c == 't')
            type = o.arg;
        else
            parse_options(o.arg);
    }
    if (!*o.argv)
        return show();
    if (!o.argv[1] || o.argv[2])
        die("usage: mount [-r] [-t type] [-o options] source dir");
    r = sys_mount(o.argv[0], o.argv[1], type, flags, data);
    return r < 0 ? complain(o.argv[1], r) : 0;
}
