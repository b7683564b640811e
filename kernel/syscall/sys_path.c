/*
 * System calls that take names: opening, making, removing and looking at files, directories, mounts.
 *
 * A path is copied into a kernel buffer (path_from_user), handed to fs/namei.c, and given back on every way out.
 * Decoders only: no locks but for the copy of cwd, may sleep.
 */
#include "abi/capability.h"
#include "abi/errno.h"
#include "abi/mount.h"
#include "abi/resource.h"
#include "fs/file.h"
#include "lib/string.h"
#include "mm/uaccess.h"
#include "proc/life.h"
#include "proc/signal.h"
#include "syscall/syscall.h"

// Run `call` with `path` copied from user address `from`; its result, or the error of copying.
#define WITH_PATH(path, from, call)                                                                \
    ({                                                                                             \
        char *path = path_from_user(from);                                                         \
        long result_;                                                                              \
        if (IS_ERR(path)) {                                                                        \
            result_ = PTR_ERR(path);                                                               \
        } else {                                                                                   \
            result_ = (call);                                                                      \
            path_buffer_put(path);                                                                 \
        }                                                                                          \
        result_;                                                                                   \
    })

// The same with what the path leads to in `where`.
#define WITH_PLACE(where, dirfd, from, flags, call)                                                \
    ({                                                                                             \
        struct path where;                                                                         \
        long found_ = WITH_PATH(path_, from, path_lookup(dirfd, path_, flags, &where));            \
        if (!found_) {                                                                             \
            found_ = (call);                                                                       \
            path_put(&where);                                                                      \
        }                                                                                          \
        found_;                                                                                    \
    })

/* ---- opening ---- */

static long open_path(int dirfd, const char *path, int flags, u32 mode) {
    return fd_give(path_open(dirfd, path, flags | O_LARGEFILE, mode), 0, flags & O_CLOEXEC);
}

long sys_openat(const u64 *a) {
    return WITH_PATH(path, a[1], open_path((int)a[0], path, (int)a[2], (u32)a[3]));
}

/* ---- making and removing ---- */

static long make_node(int dirfd, const char *path, u32 mode, u64 dev) {
    u32 type = mode & S_IFMT;
    if (type == 0)
        mode |= S_IFREG;
    if (type == S_IFDIR)
        return -EPERM;
    if (type && type != S_IFREG && type != S_IFIFO && type != S_IFSOCK && type != S_IFCHR &&
        type != S_IFBLK)
        return -EINVAL;
    if ((type == S_IFCHR || type == S_IFBLK) && !capable(CAP_MKNOD))
        return -EPERM;
    return path_mknod(dirfd, path, mode, (u32)dev);
}
long sys_mknodat(const u64 *a) {
    return WITH_PATH(path, a[1], make_node((int)a[0], path, (u32)a[2], (u32)a[3]));
}

long sys_mkdirat(const u64 *a) {
    return WITH_PATH(path, a[1], path_mknod((int)a[0], path, ((u32)a[2] & ~S_IFMT) | S_IFDIR, 0));
}

long sys_unlinkat(const u64 *a) {
    u32 flags = (u32)a[2];
    if (flags & ~AT_REMOVEDIR)
        return -EINVAL;
    return WITH_PATH(path, a[1], path_unlink((int)a[0], path, flags & AT_REMOVEDIR));
}

long sys_symlinkat(const u64 *a) {
    return WITH_PATH(target, a[0], WITH_PATH(path, a[2], path_symlink(target, (int)a[1], path)));
}

long sys_linkat(const u64 *a) {
    u32 flags = (u32)a[4];
    if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    return WITH_PATH(old, a[1],
                     WITH_PATH(new_, a[3], path_link((int)a[0], old, (int)a[2], new_, flags)));
}

long sys_renameat2(const u64 *a) {
    u32 flags = (u32)a[4];
    if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE) ||
        flags == (RENAME_NOREPLACE | RENAME_EXCHANGE))
        return -EINVAL;
    return WITH_PATH(old, a[1],
                     WITH_PATH(new_, a[3], path_rename((int)a[0], old, (int)a[2], new_, flags)));
}

/* ---- looking ---- */

static long stat_out(struct inode *i, u64 user) {
    struct abi_stat st;
    inode_stat(i, &st);
    return copy_to_user(user, &st, sizeof(st));
}

long sys_fstat(const u64 *a) {
    struct fd_ref r = fd_get((int)a[0]);
    if (!r.file)
        return -EBADF;
    long result = stat_out(r.file->inode, a[1]);
    fd_put(r);
    return result;
}

static u32 lookup_flags(u32 at_flags) {
    return (at_flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) |
           (at_flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);
}

// fstat() by its other name: an empty path with AT_EMPTY_PATH on a descriptor.
static bool is_fstat(int dirfd, u64 path, u32 flags) {
    char c;
    return flags & AT_EMPTY_PATH && dirfd >= 0 &&
           (!path || (copy_from_user(&c, path, 1) == 0 && !c));
}

long sys_newfstatat(const u64 *a) {
    u32 flags = (u32)a[3];
    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE))
        return -EINVAL;
    if (is_fstat((int)a[0], a[1], flags))
        return sys_fstat((u64[]){a[0], a[2]});
    return WITH_PLACE(p, (int)a[0], a[1], lookup_flags(flags), stat_out(p.dentry->inode, a[2]));
}

static struct abi_statx_timestamp statx_time(s64 sec, u64 nsec) {
    return (struct abi_statx_timestamp){.tv_sec = sec, .tv_nsec = nsec};
}

static long statx_out(struct inode *i, u64 user) {
    struct abi_stat st;
    inode_stat(i, &st);
    struct abi_statx x = {
        .stx_mask = STATX_BASIC_STATS,
        .stx_blksize = st.st_blksize,
        .stx_nlink = st.st_nlink,
        .stx_uid = st.st_uid,
        .stx_gid = st.st_gid,
        .stx_mode = st.st_mode,
        .stx_ino = st.st_ino,
        .stx_size = st.st_size,
        .stx_blocks = st.st_blocks,
        .stx_atime = statx_time(st.st_atime, st.st_atime_nsec),
        .stx_ctime = statx_time(st.st_ctime, st.st_ctime_nsec),
        .stx_mtime = statx_time(st.st_mtime, st.st_mtime_nsec),
        .stx_rdev_major = ABI_MAJOR(st.st_rdev),
        .stx_rdev_minor = ABI_MINOR(st.st_rdev),
        .stx_dev_major = ABI_MAJOR(st.st_dev),
        .stx_dev_minor = ABI_MINOR(st.st_dev),
    };
    return copy_to_user(user, &x, sizeof(x));
}

static long statx_file(int fd, u64 user) {
    struct fd_ref r = fd_get(fd);
    if (!r.file)
        return -EBADF;
    long result = statx_out(r.file->inode, user);
    fd_put(r);
    return result;
}

long sys_statx(const u64 *a) {
    u32 flags = (u32)a[2];
    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE) ||
        (flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE || (u32)a[3] & STATX__RESERVED)
        return -EINVAL;
    if (is_fstat((int)a[0], a[1], flags))
        return statx_file((int)a[0], a[4]);
    return WITH_PLACE(p, (int)a[0], a[1], lookup_flags(flags), statx_out(p.dentry->inode, a[4]));
}

static long read_link(const struct path *p, u64 user, int size) {
    struct inode *i = p->dentry->inode;
    if (!inode_is_link(i))
        return -EINVAL;
    char *buf = page_alloc_va(0);
    if (!buf)
        return -ENOMEM;
    ssize_t n = i->ops->read_link ? i->ops->read_link(i, buf) : -EINVAL;
    if (n > size)
        n = size;
    if (n > 0 && copy_to_user(user, buf, n))
        n = -EFAULT;
    page_free_va(buf);
    return n;
}

long sys_readlinkat(const u64 *a) {
    if ((int)a[3] <= 0)
        return -EINVAL;
    return WITH_PLACE(p, (int)a[0], a[1], LOOKUP_EMPTY, read_link(&p, a[2], (int)a[3]));
}

// With the real ids in the place of the effective ones, as access(2) wants it.
static struct cred *use_real_ids(void) {
    const struct cred *now = current->cred;
    if (now->fsuid == now->uid && now->fsgid == now->gid)
        return NULL;
    struct cred *c = cred_copy();
    if (!c)
        return ERR_PTR(-ENOMEM);
    c->fsuid = c->uid;
    c->fsgid = c->gid;
    c->caps.effective = c->uid ? 0 : c->caps.permitted;
    return cred_lend(c);
}

static long check_access(int dirfd, u64 path, u32 mode, u32 flags) {
    if (mode & ~7u || flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    struct cred *old = flags & AT_EACCESS ? NULL : use_real_ids();
    if (IS_ERR(old))
        return PTR_ERR(old);
    long result = WITH_PLACE(p, dirfd, path, lookup_flags(flags),
                             mode ? inode_permission(p.dentry->inode, mode) : 0);
    if (old)
        cred_put(cred_lend(old));
    return result;
}
long sys_faccessat(const u64 *a) { return check_access((int)a[0], a[1], (u32)a[2], 0); }
long sys_faccessat2(const u64 *a) { return check_access((int)a[0], a[1], (u32)a[2], (u32)a[3]); }

/* ---- attributes ---- */

static long set_attributes(const struct path *p, const struct setattr *attr) {
    if (p->mount->flags & MS_RDONLY)
        return -EROFS;
    return inode_setattr(p->dentry->inode, attr);
}

// For a descriptor, which may be without a path (a pipe).
static long set_file_attributes(int fd, const struct setattr *attr) {
    struct fd_ref r = fd_get(fd);
    if (!r.file)
        return -EBADF;
    long result = inode_setattr(r.file->inode, attr);
    if (r.file->flags & O_PATH)
        result = -EBADF;
    fd_put(r);
    return result;
}

long sys_fchmod(const u64 *a) {
    struct setattr attr = {.valid = SET_MODE, .mode = (u32)a[1] & S_IALLUGO};
    return set_file_attributes((int)a[0], &attr);
}
long sys_fchmodat(const u64 *a) {
    struct setattr attr = {.valid = SET_MODE, .mode = (u32)a[2] & S_IALLUGO};
    return WITH_PLACE(p, (int)a[0], a[1], LOOKUP_FOLLOW, set_attributes(&p, &attr));
}

static struct setattr owner(u64 uid, u64 gid) {
    struct setattr attr = {.uid = (u32)uid, .gid = (u32)gid};
    attr.valid = (attr.uid != ~0u ? SET_UID : 0) | (attr.gid != ~0u ? SET_GID : 0);
    return attr;
}
long sys_fchown(const u64 *a) {
    struct setattr attr = owner(a[1], a[2]);
    return set_file_attributes((int)a[0], &attr);
}
long sys_fchownat(const u64 *a) {
    struct setattr attr = owner(a[2], a[3]);
    if ((u32)a[4] & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    return WITH_PLACE(p, (int)a[0], a[1], lookup_flags((u32)a[4]), set_attributes(&p, &attr));
}

// One of the two times of utimensat(2). 0 or -EINVAL.
static int time_attribute(struct timespec *t, u32 bit, struct setattr *attr) {
    if (t->tv_nsec == UTIME_OMIT)
        return 0;
    if (t->tv_nsec == UTIME_NOW)
        *t = time_now();
    if (t->tv_nsec < 0 || t->tv_nsec >= 1000000000)
        return -EINVAL;
    attr->valid |= bit;
    return 0;
}

static int times_in(u64 user, struct setattr *attr) {
    struct timespec t[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_NOW}};
    if (user && copy_from_user(t, user, sizeof(t)))
        return -EFAULT;
    bool now = t[0].tv_nsec == UTIME_NOW && t[1].tv_nsec == UTIME_NOW;
    int error = time_attribute(&t[0], SET_ATIME, attr);
    if (!error)
        error = time_attribute(&t[1], SET_MTIME, attr);
    attr->atime = t[0];
    attr->mtime = t[1];
    if (now)
        attr->valid |= SET_TIMES_NOW;
    return error;
}

long sys_utimensat(const u64 *a) {
    struct setattr attr = {0};
    u32 flags = (u32)a[3];
    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    int error = times_in(a[2], &attr);
    if (error)
        return error;
    if (!a[1] && (int)a[0] != AT_FDCWD)
        return set_file_attributes((int)a[0], &attr);
    return WITH_PLACE(p, (int)a[0], a[1], lookup_flags(flags),
                      attr.valid ? set_attributes(&p, &attr) : 0);
}

static long truncate_inode(const struct path *p, u64 size) {
    struct inode *i = p->dentry->inode;
    if (!inode_is_reg(i))
        return inode_is_dir(i) ? -EISDIR : -EINVAL;
    if (p->mount->flags & MS_RDONLY)
        return -EROFS;
    int error = inode_permission(i, 2);
    if (error)
        return error;
    if (READ_ONCE(i->writers) < 0)
        return -ETXTBSY;
    return inode_set_size(i, size);
}

long sys_truncate(const u64 *a) {
    if ((s64)a[1] < 0)
        return -EINVAL;
    return WITH_PLACE(p, AT_FDCWD, a[0], LOOKUP_FOLLOW, truncate_inode(&p, a[1]));
}

/* ---- file systems ---- */

static long statfs_out(struct super *sb, u32 mount_flags, u64 user) {
    struct statfs st = {
        .f_bsize = sb->block_size, .f_frsize = sb->block_size, .f_namelen = NAME_MAX};
    int error = sb->ops->statfs ? sb->ops->statfs(sb, &st) : -ENOSYS;
    if (error)
        return error;
    st.f_flags = ST_VALID | (mount_flags & (ST_RDONLY | ST_NOSUID | ST_NODEV | ST_NOEXEC));
    if (sb->read_only)
        st.f_flags |= ST_RDONLY;
    return copy_to_user(user, &st, sizeof(st));
}

long sys_statfs(const u64 *a) {
    return WITH_PLACE(p, AT_FDCWD, a[0], LOOKUP_FOLLOW,
                      statfs_out(p.dentry->sb, p.mount->flags, a[1]));
}

long sys_fstatfs(const u64 *a) {
    struct fd_ref r = fd_get((int)a[0]);
    if (!r.file)
        return -EBADF;
    struct mount *m = r.file->path.mount;
    struct super *sb = r.file->inode->sb;
    long result = sb ? statfs_out(sb, m ? m->flags : 0, a[1]) : -ENOSYS;
    fd_put(r);
    return result;
}

static long mount_checked(const char *source, const char *target, const char *type, u64 flags,
                          const char *options) {
    return capable(CAP_SYS_ADMIN) ? vfs_mount(source, target, type, flags, options) : -EPERM;
}

// A null string stands for an empty one.
#define WITH_STRING(s, from, call)                                                                 \
    ((from) ? WITH_PATH(s, from, call) : ({                                                        \
        const char *s = "";                                                                        \
        (long)(call);                                                                              \
    }))

long sys_mount(const u64 *a) {
    return WITH_STRING(
        source, a[0],
        WITH_PATH(target, a[1],
                  WITH_STRING(type, a[2],
                              WITH_STRING(options, a[4],
                                          mount_checked(source, target, type, a[3], options)))));
}

long sys_umount2(const u64 *a) {
    if (!capable(CAP_SYS_ADMIN))
        return -EPERM;
    return WITH_PATH(target, a[0], vfs_umount(target, (int)a[1]));
}

/* ---- where we are ---- */

long sys_getcwd(const u64 *a) {
    struct fs_context *fs = current->fs;
    struct path cwd;
    char *buf = page_alloc_va(0);
    if (!buf)
        return -ENOMEM;
    spin_lock(&fs->lock);
    cwd = fs->cwd;
    path_get(&cwd);
    spin_unlock(&fs->lock);
    ssize_t n = cwd.dentry->inode->nlink ? path_string(&cwd, buf, PAGE_SIZE) : -ENOENT;
    path_put(&cwd);
    if (n >= 0) {
        n++;  // the NUL counts
        if ((u64)n > a[1])
            n = -ERANGE;
        else if (copy_to_user(a[0], buf, n))
            n = -EFAULT;
    }
    page_free_va(buf);
    return n;
}

long sys_chdir(const u64 *a) {
    return WITH_PLACE(p, AT_FDCWD, a[0], LOOKUP_FOLLOW | LOOKUP_DIRECTORY, fs_chdir(&p));
}

long sys_fchdir(const u64 *a) {
    struct fd_ref r = fd_get((int)a[0]);
    if (!r.file)
        return -EBADF;
    long result = inode_is_dir(r.file->inode) ? fs_chdir(&r.file->path) : -ENOTDIR;
    fd_put(r);
    return result;
}

static long chroot_checked(const struct path *p) {
    return capable(CAP_SYS_CHROOT) ? fs_chroot(p) : -EPERM;
}
long sys_chroot(const u64 *a) {
    return WITH_PLACE(p, AT_FDCWD, a[0], LOOKUP_FOLLOW | LOOKUP_DIRECTORY, chroot_checked(&p));
}

long sys_umask(const u64 *a) { return atomic_xchg(&current->fs->umask, (u32)a[0] & 0777); }
