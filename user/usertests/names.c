/* Names: directories, links, renames, paths, permissions. */
#include "user/usertests/ut.h"
#include "abi/statfs.h"

static long make_dir(const char *path) { return sys_mkdirat(AT_FDCWD, path, 0755); }

static long remove_dir(const char *path) { return sys_unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

static long remove_file(const char *path) { return sys_unlinkat(AT_FDCWD, path, 0); }

static long hard_link(const char *old, const char *new) {
    return sys_linkat(AT_FDCWD, old, AT_FDCWD, new, 0);
}

static long soft_link(const char *target, const char *path) {
    return sys_symlinkat(target, AT_FDCWD, path);
}

static long move(const char *old, const char *new) {
    return sys_renameat2(AT_FDCWD, old, AT_FDCWD, new, 0);
}

static int count_entries(const char *path) {
    struct dir d;
    int n = 0;

    OK(dir_open(&d, path));
    while (dir_next(&d))
        n++;
    EQ(d.have, 0);
    dir_close(&d);
    return n;
}

/* ---- making and removing */

static void create_and_unlink(void) {
    for (int i = 0; i < 100; i++) {
        put_file("file", "x");
        FAILS(ENOTDIR, remove_dir("file"));
        OK(remove_file("file"));
        FAILS(ENOENT, remove_file("file"));
    }
    FAILS(ENOENT, remove_file(""));
    FAILS(EINVAL, sys_unlinkat(AT_FDCWD, "file", 0x77));
}

static void directories(void) {
    OK(make_dir("d"));
    FAILS(EEXIST, make_dir("d"));
    FAILS(EEXIST, make_dir("/"));
    FAILS(ENOENT, make_dir("none/d"));
    EQ(stat_of("d").st_nlink, 2);
    OK(make_dir("d/e/"));
    EQ(stat_of("d").st_nlink, 3);
    FAILS(ENOTEMPTY, remove_dir("d"));
    FAILS(EISDIR, remove_file("d"));
    FAILS(EINVAL, remove_dir("d/."));
    FAILS(ENOTEMPTY, remove_dir("d/.."));
    OK(remove_dir("d/e"));
    EQ(stat_of("d").st_nlink, 2);
    put_file("d/f", "x");
    FAILS(ENOTEMPTY, remove_dir("d"));
    FAILS(ENOTDIR, make_dir("d/f/g"));
    OK(remove_file("d/f"));
    OK(remove_dir("d"));
    FAILS(ENOENT, remove_dir("d"));
    CHECK(remove_dir("/") < 0);
}

static void removed_cwd(void) {
    char buf[256];

    OK(make_dir("d"));
    OK(sys_chdir("d"));
    OK(remove_dir("../d"));
    FAILS(ENOENT, open_at("file", O_RDWR | O_CREAT, 0644));
    FAILS(ENOENT, make_dir("sub"));
    FAILS(ENOENT, sys_getcwd(buf, sizeof(buf)));
    FAILS(ENOENT, sys_getdents64((int)OK(open_at(".", O_RDONLY, 0)), buf, sizeof(buf)));
    OK(sys_chdir(".."));
    CHECK(!is_there("d"));
}

static void listing(void) {
    struct dir d;
    struct abi_dirent *e;
    int seen[50] = {0}, dots = 0;
    char name[16];

    OK(make_dir("d"));
    for (int i = 0; i < 50; i++) {
        snprintf(name, sizeof(name), "d/n%d", i);
        put_file(name, "");
    }
    OK(dir_open(&d, "d"));
    while ((e = dir_next(&d))) {
        CHECK(e->d_ino != 0 && e->d_reclen % 8 == 0);
        CHECK(e->d_type == DT_UNKNOWN || e->d_type == (is_dot(e->d_name) ? DT_DIR : DT_REG));
        if (is_dot(e->d_name))
            dots++;
        else
            seen[atoi(e->d_name + 1)]++;
    }
    EQ(dots, 2);
    for (int i = 0; i < 50; i++)
        EQ(seen[i], 1);
    FAILS(EINVAL, (sys_lseek(d.fd, 0, SEEK_SET), sys_getdents64(d.fd, d.buf, 10)));
    dir_close(&d);
    put_file("plain", "");
    FAILS(ENOTDIR, sys_getdents64((int)OK(open_at("plain", O_RDONLY, 0)), name, 16));
}

/* A reader that goes back to a cookie sees the entries that followed it. */
static void seek_in_listing(void) {
    char names[20][16], name[16], buf[64] __attribute__((aligned(8)));
    int64_t cookies[20];
    int fd, n = 0;
    long got;

    OK(make_dir("d"));
    for (int i = 0; i < 15; i++) {
        snprintf(name, sizeof(name), "d/n%d", i);
        put_file(name, "");
    }
    fd = (int)OK(open_at("d", O_RDONLY, 0));
    while ((got = OK(sys_getdents64(fd, buf, 32))) > 0) {
        struct abi_dirent *e = (struct abi_dirent *)buf;
        EQ(got, e->d_reclen);
        cookies[n] = e->d_off;
        strcpy(names[n++], e->d_name);
    }
    EQ(n, 17);
    for (int i = 15; i >= 0; i--) {
        OK(sys_lseek(fd, cookies[i], SEEK_SET));
        OK(sys_getdents64(fd, buf, 32));
        EQ(strcmp(((struct abi_dirent *)buf)->d_name, names[i + 1]), 0);
    }
}

static void many_files(int count) {
    char name[32];

    OK(make_dir("d"));
    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "d/file-number-%d", i);
        OK(sys_close((int)OK(open_at(name, O_CREAT | O_WRONLY, 0644))));
    }
    EQ(count_entries("d"), count + 2);
    for (int i = 0; i < count; i += 2) {
        snprintf(name, sizeof(name), "d/file-number-%d", i);
        OK(remove_file(name));
    }
    EQ(count_entries("d"), count / 2 + 2);
    for (int i = 1; i < count; i += 2) {
        snprintf(name, sizeof(name), "d/file-number-%d", i);
        OK(remove_file(name));
    }
    OK(remove_dir("d"));
}

static void thousand_files(void) { many_files(1000); }

static void twenty_thousand_files(void) { many_files(10000); }

static void deep_directories(void) {
    for (int i = 0; i < 100; i++) {
        OK(make_dir("deep"));
        OK(sys_chdir("deep"));
    }
    put_file("bottom", "x");
    OK(remove_file("bottom"));
    for (int i = 0; i < 100; i++) {
        OK(sys_chdir(".."));
        OK(remove_dir("deep"));
    }
}

/* ---- links */

static void hard_links(void) {
    put_file("a", "text");
    OK(hard_link("a", "b"));
    EQ(stat_of("a").st_nlink, 2);
    EQ(stat_of("a").st_ino, stat_of("b").st_ino);
    OK(remove_file("a"));
    expect_file("b", "text");
    EQ(stat_of("b").st_nlink, 1);
    FAILS(EEXIST, hard_link("b", "b"));
    FAILS(ENOENT, hard_link("none", "c"));
    OK(make_dir("d"));
    FAILS(EPERM, hard_link("d", "e"));
    FAILS(EPERM, hard_link(".", "e"));
    OK(soft_link("b", "s"));
    OK(hard_link("s", "t")); /* of the link itself */
    CHECK(S_ISLNK(stat_of("t").st_mode));
    OK(sys_linkat(AT_FDCWD, "s", AT_FDCWD, "u", AT_SYMLINK_FOLLOW));
    CHECK(S_ISREG(stat_of("u").st_mode));
}

static void symbolic_links(void) {
    char buf[64];

    put_file("file", "text");
    OK(soft_link("file", "s"));
    expect_file("s", "text");
    EQ(sys_readlinkat(AT_FDCWD, "s", buf, sizeof(buf)), 4);
    EQ(memcmp(buf, "file", 4), 0);
    EQ(sys_readlinkat(AT_FDCWD, "s", buf, 2), 2);
    FAILS(EINVAL, sys_readlinkat(AT_FDCWD, "file", buf, sizeof(buf)));
    FAILS(EINVAL, sys_readlinkat(AT_FDCWD, "s", buf, 0));
    EQ(stat_of("s").st_size, 4);
    FAILS(ELOOP, open_at("s", O_RDONLY | O_NOFOLLOW, 0));
    OK(make_dir("d"));
    OK(soft_link("d", "sd"));
    put_file("sd/x", "in d");
    expect_file("d/x", "in d");
    OK(soft_link("../file", "d/up"));
    expect_file("sd/up", "text");
    OK(soft_link("dangling", "s2"));
    FAILS(ENOENT, open_at("s2", O_RDONLY, 0));
    put_file("s2", "made through the link");
    expect_file("dangling", "made through the link");
    FAILS(EEXIST, soft_link("x", "s"));
    FAILS(ENOENT, soft_link("", "e"));
    FAILS(EEXIST, open_at("s", O_CREAT | O_EXCL | O_RDWR, 0644));
    OK(remove_file("s"));
    expect_file("file", "text");
}

static void link_loops(void) {
    char name[16], next[16];

    OK(soft_link("loop", "loop"));
    FAILS(ELOOP, open_at("loop", O_RDONLY, 0));
    OK(soft_link("b", "a"));
    OK(soft_link("a", "b"));
    FAILS(ELOOP, open_at("a/x", O_RDONLY, 0));
    put_file("n0", "end");
    for (int i = 1; i <= 45; i++) {
        snprintf(name, sizeof(name), "n%d", i);
        snprintf(next, sizeof(next), "n%d", i - 1);
        OK(soft_link(next, name));
    }
    expect_file("n40", "end");
    FAILS(ELOOP, open_at("n41", O_RDONLY, 0));
}

/* ---- renaming */

static void rename_files(void) {
    uint64_t ino;

    put_file("a", "A");
    put_file("b", "B");
    ino = stat_of("a").st_ino;
    OK(move("a", "c"));
    CHECK(!is_there("a"));
    OK(move("c", "b"));
    expect_file("b", "A");
    EQ(stat_of("b").st_ino, ino);
    EQ(stat_of("b").st_nlink, 1);
    OK(move("b", "b"));
    expect_file("b", "A");
    FAILS(ENOENT, move("none", "x"));
    FAILS(ENOENT, move("b", "none/x"));
    OK(hard_link("b", "same"));
    OK(move("b", "same")); /* two names of one file: both stay */
    CHECK(is_there("b"));
    put_file("x", "X");
    FAILS(EEXIST, sys_renameat2(AT_FDCWD, "x", AT_FDCWD, "b", RENAME_NOREPLACE));
    FAILS(EINVAL, sys_renameat2(AT_FDCWD, "x", AT_FDCWD, "b", 0x77));
    if (sys_renameat2(AT_FDCWD, "x", AT_FDCWD, "b", RENAME_EXCHANGE) == -EINVAL)
        return; /* a file system need not be able to */
    expect_file("x", "A");
    expect_file("b", "X");
}

static void rename_directories(void) {
    OK(make_dir("a"));
    OK(make_dir("a/sub"));
    put_file("a/f", "x");
    OK(make_dir("b"));
    FAILS(EINVAL, move("a", "a/sub/a"));
    FAILS(EINVAL, move("a", "a/a"));
    FAILS(ENOTEMPTY, move("b", "a"));
    OK(move("a", "b")); /* over an empty directory */
    expect_file("b/f", "x");
    OK(make_dir("c"));
    OK(move("b/sub", "c/moved"));
    EQ(stat_of("b").st_nlink, 2);
    EQ(stat_of("c").st_nlink, 3);
    OK(sys_chdir("c/moved"));
    CHECK(is_there("../../b/f")); /* ".." leads to the new parent */
    OK(sys_chdir("../.."));
    put_file("plain", "x");
    FAILS(ENOTDIR, move("b", "plain"));
    FAILS(EISDIR, move("plain", "c"));
    FAILS(ENOTDIR, move("plain", "plain/x"));
    CHECK(move("b/.", "x") < 0);
    CHECK(move("b", "..") < 0);
}

static void racing_renames(void) {
    OK(make_dir("one"));
    OK(make_dir("two"));
    for (int i = 0; i < 4; i++) {
        if (fork() == 0) {
            for (int j = 0; j < 100; j++) {
                move(i % 2 ? "one/x" : "two/x", i % 2 ? "two/x" : "one/x");
                move(i % 2 ? "one" : "two", i % 2 ? "two/sub" : "one/sub");
                move(i % 2 ? "two/sub" : "one/sub", i % 2 ? "one" : "two");
                put_file("one-file", "x");
                remove_file("two/x");
            }
            sys_exit_group(0);
        }
    }
    for (int status; sys_wait4(-1, &status, 0, 0) > 0;)
        EQ(status, 0);
    expect_file("one-file", "x");
}

static void create_race(void) {
    int winners = 0;

    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 4; i++) {
            if (fork() == 0)
                sys_exit_group(open_at("prize", O_CREAT | O_EXCL | O_WRONLY, 0644) < 0);
        }
        for (int status; sys_wait4(-1, &status, 0, 0) > 0;)
            winners += status == 0;
        OK(remove_file("prize"));
    }
    EQ(winners, 20);
}

/* Children make and remove the same names; the directory must stay whole. */
static void name_storm(void) {
    char name[16];

    for (int i = 0; i < 4; i++) {
        if (fork() != 0)
            continue;
        for (int j = 0; j < 200; j++) {
            snprintf(name, sizeof(name), "n%d", (i * 7 + j * 13) % 10);
            switch (j % 4) {
            case 0:
                open_at(name, O_CREAT | O_RDWR, 0644);
                break;
            case 1:
                remove_file(name);
                break;
            case 2:
                hard_link(name, "n5");
                break;
            case 3:
                move(name, "n3");
                break;
            }
            sys_close(3);
        }
        sys_exit_group(0);
    }
    for (int status; sys_wait4(-1, &status, 0, 0) > 0;)
        EQ(status, 0);
    for (int i = 0; i < 10; i++) {
        snprintf(name, sizeof(name), "n%d", i);
        remove_file(name);
    }
    EQ(count_entries("."), 2);
}

/* ---- paths */

static void path_forms(void) {
    OK(make_dir("d"));
    put_file("d/f", "x");
    expect_file("d//f", "x");
    expect_file("./d/../d/./f", "x");
    expect_file("d/..//d/f", "x");
    EQ(stat_of("/").st_ino, stat_of("/..").st_ino);
    EQ(stat_of("d/").st_ino, stat_of("d").st_ino);
    FAILS(ENOTDIR, open_at("d/f/.", O_RDONLY, 0));
    FAILS(ENOTDIR, open_at("d/f/..", O_RDONLY, 0));
    FAILS(ENOENT, open_at("d/none/..", O_RDONLY, 0));
    FAILS(ENOENT, open_at("", O_RDONLY, 0));
}

static void long_names(void) {
    static char name[300], path[5000];

    memset(name, 'n', 255);
    put_file(name, "x");
    expect_file(name, "x");
    name[255] = 'n';
    FAILS(ENAMETOOLONG, open_at(name, O_RDWR | O_CREAT, 0644));
    FAILS(ENAMETOOLONG, make_dir(name));
    for (int i = 0; i < 4094; i += 2)
        memcpy(path + i, "./", 2);
    path[4094] = '.';
    OK(open_at(path, O_RDONLY, 0));
    path[4095] = '.';
    FAILS(ENAMETOOLONG, open_at(path, O_RDONLY, 0));
}

static void strange_names(void) {
    static const char *const names[] = {" ", "a b",  "\001\177", "\xff\xfe", "...",
                                        "-", "a\nb", "*",        "\xc3\xa9"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        put_file(names[i], names[i]);
    EQ(count_entries("."), (long)ARRAY_LEN(names) + 2);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        expect_file(names[i], names[i]);
        OK(remove_file(names[i]));
    }
}

static void working_directory(void) {
    char a[512], b[512];
    int fd;

    OK(sys_getcwd(a, sizeof(a)));
    OK(make_dir("d"));
    fd = (int)OK(open_at("d", O_RDONLY, 0));
    OK(sys_fchdir(fd));
    EQ(sys_getcwd(b, sizeof(b)), strlen(b) + 1);
    EQ(strncmp(a, b, strlen(a)), 0);
    EQ(strcmp(b + strlen(a), "/d"), 0);
    FAILS(ERANGE, sys_getcwd(b, 3));
    OK(sys_chdir("/"));
    OK(sys_getcwd(b, sizeof(b)));
    EQ(strcmp(b, "/"), 0);
    OK(sys_chdir(a));
    put_file("f", "");
    FAILS(ENOTDIR, sys_chdir("f"));
    FAILS(ENOTDIR, sys_fchdir((int)OK(open_at("f", O_RDONLY, 0))));
}

static void relative_to_descriptor(void) {
    int fd, plain;
    struct abi_stat st;

    OK(make_dir("d"));
    fd = (int)OK(open_at("d", O_RDONLY, 0));
    OK(sys_close((int)OK(sys_openat(fd, "f", O_CREAT | O_RDWR, 0644))));
    CHECK(is_there("d/f"));
    OK(sys_newfstatat(fd, "f", &st, 0));
    OK(sys_newfstatat(fd, "", &st, AT_EMPTY_PATH));
    CHECK(S_ISDIR(st.st_mode));
    FAILS(ENOENT, sys_newfstatat(fd, "", &st, 0));
    OK(sys_mkdirat(fd, "e", 0755));
    OK(sys_renameat2(fd, "f", AT_FDCWD, "g", 0));
    CHECK(is_there("g"));
    OK(sys_faccessat(fd, "e", F_OK));
    OK(sys_newfstatat(77, "/", &st, 0)); /* an absolute path needs no descriptor */
    FAILS(EBADF, sys_newfstatat(77, "x", &st, 0));
    plain = (int)OK(open_at("g", O_RDONLY, 0));
    FAILS(ENOTDIR, sys_openat(plain, "x", O_RDONLY, 0));
}

static void changed_root(void) {
    OK(make_dir("root"));
    OK(make_dir("root/in"));
    put_file("root/f", "inside");
    OK(sys_chroot("root"));
    OK(sys_chdir("/"));
    expect_file("/f", "inside");
    expect_file("/../../f", "inside");
    EQ(count_entries("/.."), 4);
    FAILS(ENOENT, open_at("/tmp", O_RDONLY, 0));
    become_user(1000);
    FAILS(EPERM, sys_chroot("/in"));
}

/* ---- what an inode knows */

static void statistics(void) {
    struct abi_stat st;
    struct abi_statx sx;
    int fd;

    put_file("file", "12345");
    fd = (int)OK(open_at("file", O_RDONLY, 0));
    OK(sys_fstat(fd, &st));
    EQ(st.st_mode, S_IFREG | 0644);
    EQ(st.st_size, 5);
    EQ(st.st_uid, sys_getuid());
    CHECK(st.st_blksize > 0 && st.st_ino > 0);
    EQ(st.st_ino, stat_of("file").st_ino);
    long r = sys_statx(AT_FDCWD, "file", 0, 0x7ff, &sx);
    if (r == -ENOSYS)
        return;
    EQ(r, 0);
    EQ(sx.stx_size, 5);
    EQ(sx.stx_mode, S_IFREG | 0644);
    EQ(sx.stx_ino, st.st_ino);
    EQ(sx.stx_mask & 0x7ff, 0x7ff);
    FAILS(EINVAL, sys_statx(AT_FDCWD, "file", 0, STATX__RESERVED, &sx));
}

static void file_times(void) {
    struct timespec t[2] = {{1000, 5}, {2000000000, 999999999}};
    struct abi_stat st;
    int64_t made;

    put_file("file", "x");
    made = stat_of("file").st_mtime;
    OK(sys_utimensat(AT_FDCWD, "file", t, 0));
    st = stat_of("file");
    EQ(st.st_atime, 1000);
    EQ(st.st_mtime, 2000000000);
    CHECK(st.st_ctime >= made);
    t[0].tv_nsec = UTIME_OMIT;
    t[1].tv_nsec = UTIME_NOW;
    OK(sys_utimensat(AT_FDCWD, "file", t, 0));
    st = stat_of("file");
    EQ(st.st_atime, 1000);
    CHECK(st.st_mtime >= made && st.st_mtime < made + 1000);
    t[0].tv_nsec = 1000000000;
    FAILS(EINVAL, sys_utimensat(AT_FDCWD, "file", t, 0));
    OK(sys_utimensat(AT_FDCWD, "file", 0, 0));
}

/* Times that an inode of the disk has no room for become the nearest that it has. */
static void extreme_times(void) {
    struct timespec t[2] = {{INT64_MAX, 0}, {INT64_MIN, 0}};
    struct abi_stat st;
    struct statfs fs;

    put_file("file", "x");
    OK(sys_utimensat(AT_FDCWD, "file", t, 0));
    sys_sync();
    st = stat_of("file");
    OK(sys_statfs(".", &fs));
    CHECK(st.st_atime >= 0x7fffffff);
    CHECK(st.st_mtime <= -0x7fffffff);
    if (fs.f_type == 0xef53) /* ext2 */
        CHECK(st.st_atime <= 0x37fffffff && st.st_mtime == -0x7fffffff - 1);
}

/* The time of deletion is not taken for a link in a list, however early it is: e2fsck is asked when
 * the machine has been switched off. */
static void deleted_in_1970(void) {
    struct timespec now, then = {20, 0};

    if (!on_xv39())
        skip("it changes the clock");
    OK(sys_clock_gettime(CLOCK_REALTIME, &now));
    put_file("file", "x");
    OK(sys_clock_settime(CLOCK_REALTIME, &then));
    OK(remove_file("file"));
    sys_sync();
    OK(sys_clock_settime(CLOCK_REALTIME, &now));
}

static void space(void) {
    struct statfs st;

    OK(sys_statfs(".", &st));
    CHECK(st.f_bsize > 0 && st.f_namelen == 255);
    CHECK(st.f_bfree <= st.f_blocks && st.f_ffree <= st.f_files);
    FAILS(ENOENT, sys_statfs("none", &st));
}

/* ---- permissions */

static void modes_and_masks(void) {
    sys_umask(027);
    OK(sys_close((int)OK(open_at("f", O_CREAT | O_WRONLY, 0666))));
    EQ(stat_of("f").st_mode, S_IFREG | 0640);
    OK(sys_mkdirat(AT_FDCWD, "d", 0777));
    EQ(stat_of("d").st_mode, S_IFDIR | 0750);
    EQ(sys_umask(0), 027);
    OK(sys_fchmodat(AT_FDCWD, "f", 04755));
    EQ(stat_of("f").st_mode, S_IFREG | 04755);
    OK(sys_fchownat(AT_FDCWD, "f", 7, 8, 0)); /* a new owner takes set-user-ID away */
    EQ(stat_of("f").st_mode, S_IFREG | 0755);
    EQ(stat_of("f").st_uid, 7);
    EQ(stat_of("f").st_gid, 8);
    OK(sys_fchownat(AT_FDCWD, "f", (uint32_t)-1, 9, 0));
    EQ(stat_of("f").st_uid, 7);
    EQ(stat_of("f").st_gid, 9);
    FAILS(ENOENT, sys_fchmodat(AT_FDCWD, "none", 0));
}

static void as_other_user(void) {
    become_user(1000);
    FAILS(EACCES, open_at("secret", O_RDONLY, 0));
    FAILS(EACCES, open_at("readable", O_WRONLY, 0));
    OK(open_at("readable", O_RDONLY, 0));
    FAILS(EACCES, open_at("closed/f", O_RDONLY, 0));
    FAILS(EACCES, make_dir("new"));
    FAILS(EACCES, remove_file("readable"));
    FAILS(EACCES, move("readable", "mine"));
    FAILS(EACCES, sys_chdir("closed"));
    FAILS(EPERM, sys_fchmodat(AT_FDCWD, "readable", 0777));
    FAILS(EPERM, sys_fchownat(AT_FDCWD, "readable", 1000, 1000, 0));
    FAILS(EACCES, open_at("nolist", O_RDONLY, 0));
    OK(open_at("nolist/f", O_RDONLY, 0)); /* x without r: names must be known */
    FAILS(EACCES, sys_faccessat(AT_FDCWD, "secret", R_OK));
    OK(sys_faccessat(AT_FDCWD, "secret", F_OK));
    FAILS(EACCES, sys_utimensat(AT_FDCWD, "readable", 0, 0));
    put_file("open/mine", "x");
    EQ(stat_of("open/mine").st_uid, 1000);
    OK(sys_fchmodat(AT_FDCWD, "open/mine", 0600));
    FAILS(EPERM, sys_fchownat(AT_FDCWD, "open/mine", 0, 0, 0));
    CHECK(remove_file("open/root") < 0); /* sticky: another's file stays */
    OK(remove_file("open/mine"));
}

static void permissions(void) {
    put_file("secret", "x");
    OK(sys_fchmodat(AT_FDCWD, "secret", 0600));
    put_file("readable", "x");
    OK(make_dir("closed"));
    put_file("closed/f", "x");
    OK(sys_fchmodat(AT_FDCWD, "closed", 0700));
    OK(make_dir("nolist"));
    put_file("nolist/f", "x");
    OK(sys_fchmodat(AT_FDCWD, "nolist", 0711));
    OK(make_dir("open"));
    OK(sys_fchmodat(AT_FDCWD, "open", 01777));
    put_file("open/root", "x");
    OK(sys_fchmodat(AT_FDCWD, ".", 0755));
    child_ok(as_other_user);
    OK(sys_fchmodat(AT_FDCWD, "secret", 0)); /* root may all the same */
    OK(open_at("secret", O_RDWR, 0));
}

static void group_member(void) {
    uint32_t groups[2] = {50, 60}, now[4];

    OK(sys_setgroups(2, groups));
    EQ(sys_getgroups(4, now), 2);
    EQ(now[1], 60);
    EQ(sys_getgroups(0, 0), 2);
    FAILS(EINVAL, sys_getgroups(1, now));
    OK(sys_setresgid(1000, 1000, 1000));
    OK(sys_setresuid(1000, 1000, 1000));
    OK(open_at("group", O_RDONLY, 0));
    FAILS(EACCES, open_at("group", O_WRONLY, 0));
    FAILS(EACCES, open_at("other", O_RDONLY, 0)); /* the group's bits count, not the others' */
    FAILS(EPERM, sys_setgroups(2, groups));
}

static void group_permissions(void) {
    put_file("group", "x");
    OK(sys_fchownat(AT_FDCWD, "group", 0, 60, 0));
    OK(sys_fchmodat(AT_FDCWD, "group", 0640));
    put_file("other", "x");
    OK(sys_fchownat(AT_FDCWD, "other", 0, 50, 0));
    OK(sys_fchmodat(AT_FDCWD, "other", 0604));
    child_ok(group_member);
}

static void user_ids(void) {
    uint32_t r, e, s;

    OK(sys_setresuid(1, 2, 3));
    OK(sys_getresuid(&r, &e, &s));
    CHECK(r == 1 && e == 2 && s == 3);
    EQ(sys_getuid(), 1);
    EQ(sys_geteuid(), 2);
    FAILS(EPERM, sys_setuid(0));
    FAILS(EPERM, sys_setresuid(9, (uint32_t)-1, (uint32_t)-1));
    OK(sys_setresuid((uint32_t)-1, 3, (uint32_t)-1));
    EQ(sys_geteuid(), 3);
    OK(sys_setreuid((uint32_t)-1, 1));
    EQ(sys_geteuid(), 1);
    FAILS(EPERM, sys_sethostname("x", 1));
    FAILS(EPERM, sys_chroot("/"));
}

const struct test name_tests[] = {
    {"F3_create_and_unlink", create_and_unlink, 0},
    {"F3_directories", directories, 0},
    {"F3_removed_cwd", removed_cwd, 0},
    {"F3_listing", listing, 0},
    {"F3_seek_in_listing", seek_in_listing, 0},
    {"F3_1000_files", thousand_files, 0},
    {"F3_10000_files", twenty_thousand_files, 1},
    {"F3_deep_directories", deep_directories, 0},
    {"F3_hard_links", hard_links, 0},
    {"F3_symbolic_links", symbolic_links, 0},
    {"F3_link_loops", link_loops, 0},
    {"F3_rename_files", rename_files, 0},
    {"F3_rename_directories", rename_directories, 0},
    {"F3_racing_renames", racing_renames, 0},
    {"F3_create_race", create_race, 0},
    {"F3_name_storm", name_storm, 0},
    {"F3_path_forms", path_forms, 0},
    {"F3_long_names", long_names, 0},
    {"F3_strange_names", strange_names, 0},
    {"F3_working_directory", working_directory, 0},
    {"F3_relative_to_descriptor", relative_to_descriptor, 0},
    {"F3_changed_root", changed_root, 0},
    {"F3_statistics", statistics, 0},
    {"F3_file_times", file_times, 0},
    {"F6_extreme_times", extreme_times, 0},
    {"F6_deleted_in_1970", deleted_in_1970, 0},
    {"F3_space", space, 0},
    {"F3_modes_and_masks", modes_and_masks, 0},
    {"F3_permissions", permissions, 0},
    {"F3_group_permissions", group_permissions, 0},
    {"F3_user_ids", user_ids, 0},
    {0, 0, 0},
};
