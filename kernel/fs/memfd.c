/*
 * memfd_create(2): files in memory that have no name in any folder, and seals.
 *
 * The files are on a tmpfs of the kernel's own that nobody mounts. Each has a dentry "memfd:NAME" below its
 * root that is in no table, so it is never found, shows as deleted, and goes with the last description.
 *
 * Seals (fcntl(2), F_ADD_SEALS) are promises about a file that are never taken back: inode->seals. All changes of a
 * file's size or bytes by calls hold inode->lock for writing and look at them (filemap.c, inode.c). Stores come
 * through shared mappings: one that may be written keeps F_SEAL_WRITE away, and is made with inode->lock held for
 * reading from the look at the seals until the mapping counts it (syscall/sys_mm.c).
 *
 * Lock: inode->lock guards seals.
 */
#include "abi/memfd.h"

#include "abi/statfs.h"
#include "fs/anon.h"
#include "fs/internal.h"
#include "fs/tmpfs.h"
#include "mm/uaccess.h"

#define PREFIX "memfd:"
#define ALL_SEALS                                                                                  \
    (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE | F_SEAL_EXEC)

static const struct fs_type memfd_type = {.name = "tmpfs"};
static struct super memfd_super = NAMELESS_SUPER(memfd_super, &memfd_type, 0x10, TMPFS_MAGIC);
static struct mount memfd_mount = {.ref = {1}, .sb = &memfd_super};

void memfd_init(void) {
    if (tmpfs_mount(&memfd_super, "size=0,nr_inodes=0"))
        panic("no memory for memfd files");
    memfd_mount.root = memfd_super.root;
}

// A description of a new file called `name`. ERR_PTR(-ENOMEM, -ENFILE)
static struct file *create(const char *name, u32 mode, u32 seals) {
    struct name n = {.s = name, .len = strlen(name)};
    struct inode *inode = tmpfs_new(&memfd_super, S_IFREG | mode);
    if (IS_ERR(inode))
        return ERR_PTR(PTR_ERR(inode));
    inode->seals = seals;
    struct dentry *d = dentry_nameless(memfd_super.root, &n, inode);
    if (!d) {
        inode_put(inode);
        return ERR_PTR(-ENOMEM);
    }
    struct path path = {.mount = &memfd_mount, .dentry = d};
    mount_get(path.mount);
    struct file *f = file_open_path(&path, O_RDWR | O_LARGEFILE);
    if (IS_ERR(f))
        path_put(&path);
    return f;
}

long memfd_create(u64 user_name, u32 flags) {
    char name[NAME_MAX + 1] = PREFIX;
    size_t room = sizeof(name) - strlen(PREFIX);
    if (flags & ~(MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB | MFD_NOEXEC_SEAL | MFD_EXEC) ||
        (flags & MFD_EXEC && flags & MFD_NOEXEC_SEAL))
        return -EINVAL;
    if (flags & MFD_HUGETLB)
        return -ENOSYS;
    ssize_t n = copy_string_from_user(name + strlen(PREFIX), user_name, room);
    if (n < 0)
        return n == -ENAMETOOLONG ? -EINVAL : n;
    bool no_exec = flags & MFD_NOEXEC_SEAL;
    u32 seals = flags & (MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL) ? 0 : F_SEAL_SEAL;
    return fd_give(create(name, no_exec ? 0666 : 0777, seals | (no_exec ? F_SEAL_EXEC : 0)), 0,
                   flags & MFD_CLOEXEC);
}

// => i->lock held for writing. 0, -EPERM, -EBUSY
static int add_seals(struct inode *i, u32 seals) {
    if (i->seals & F_SEAL_SEAL)
        return -EPERM;
    // What will always be executable shall not change.
    if (seals & F_SEAL_EXEC && i->mode & 0111)
        seals |= F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE;
    if (seals & F_SEAL_WRITE && !(i->seals & F_SEAL_WRITE) && READ_ONCE(i->mapping.nr_shared))
        return -EBUSY;
    i->seals |= seals;
    return 0;
}

long file_seals(struct file *f, int cmd, u64 arg) {
    struct inode *i = f->inode;
    if (!tmpfs_is_file(f))
        return -EINVAL;
    if (cmd == F_GET_SEALS)
        return READ_ONCE(i->seals);
    if (!(f->mode & FILE_WRITE))
        return -EPERM;
    if (arg & ~(u64)ALL_SEALS)
        return -EINVAL;
    write_lock(&i->lock);
    int error = add_seals(i, (u32)arg);
    write_unlock(&i->lock);
    return error;
}
