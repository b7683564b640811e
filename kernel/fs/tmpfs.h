// tmpfs: files in memory. devfs is one with nodes that the kernel puts in.
#ifndef FS_TMPFS_H
#define FS_TMPFS_H

#include "fs/vfs.h"

// Fill sb as an empty tmpfs: fs_type.mount. options as mount(8): size=, nr_blocks=, nr_inodes=, mode=, uid=, gid=.
// 0, -EINVAL, -ENOMEM.
int tmpfs_mount(struct super *sb, const char *options);
// A new file in `dir`, as inode_ops.make; a directory that exists is returned. Inode with a reference, ERR_PTR(-EEXIST, …).
struct inode *tmpfs_add(struct inode *dir, const char *name, u32 mode, u32 rdev,
                        const char *target);
// A file that has no name yet, in any tmpfs. Inode with a reference, ERR_PTR(-ENOSPC, -ENOMEM).
struct inode *tmpfs_new(struct super *sb, u32 mode);
struct file;
bool tmpfs_is_file(const struct file *f);  // of a regular file in any tmpfs
// For file systems that are like it but for some of these.
extern const struct inode_ops tmpfs_inode_ops;
extern const struct super_ops tmpfs_super_ops;
void tmpfs_init(void);
void memfd_init(void);   // fs/memfd.c; after tmpfs_init
void chrdev_init(void);  // fs/chrdev.c: register its devices; called by devfs_init

#endif
