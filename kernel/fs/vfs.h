// The virtual file system: super blocks, inodes, the name cache, mounts, and what a file system must supply.
#ifndef FS_VFS_H
#define FS_VFS_H

#include "abi/stat.h"
#include "abi/statfs.h"
#include "abi/time.h"
#include "lib/list.h"
#include "mm/pagecache.h"
#include "proc/proc.h"
#include "sync/block.h"

#define NAME_MAX 255
#define PATH_MAX 4096
#define SYMLINK_MAX 40  // followed in one lookup; then -ELOOP

struct file;
struct file_ops;
struct inode;
struct dentry;
struct super;
struct block_device;
struct dir_emit;
struct path;

// A name: not NUL-terminated, without slashes.
struct name {
    const char *s;
    u32 len;
    u32 hash;
};

struct inode_ops {
    // => dir->lock held for reading. The inode of `name` with a reference, NULL when there is none, or ERR_PTR(-EIO, -ENOMEM).
    struct inode *(*lookup)(struct inode *dir, const struct name *name);
    // => dir->lock held for writing in the next four; names were looked up, permissions checked.
    // A new file of `mode` (type and permission bits), device number, or symlink target. Inode with a reference or ERR_PTR.
    struct inode *(*make)(struct inode *dir, const struct name *name, u32 mode, u32 rdev,
                          const char *target);
    int (*link)(struct inode *dir, const struct name *name, struct inode *target);
    // Remove a name; a directory must be empty (-ENOTEMPTY). Drops nlink.
    int (*unlink)(struct inode *dir, const struct name *name, struct inode *victim);
    // `victim` is what new_name named, or NULL; it was checked to be replaceable. Both directories are locked.
    int (*rename)(struct inode *dir, const struct name *name, struct inode *moved,
                  struct inode *new_dir, const struct name *new_name, struct inode *victim);
    // Target into buf of PATH_MAX bytes; a NUL is not needed. Length or negative errno. `file`-less: /proc/self and symlinks alike.
    ssize_t (*read_link)(struct inode *inode, char *buf);
    // A magic link (/proc/pid/exe, fd/N): where it leads, with references, instead of by text. May be NULL. 0 or errno.
    int (*follow)(struct inode *inode, struct path *out);
    // => inode->lock held for writing. Set the size: free or leave holes; page cache is handled by the caller. 0, -EFBIG, -ENOSPC …
    int (*resize)(struct inode *inode, u64 size);
    // The attributes in memory changed (mode, uid, gid, times, size): remember to write them. 0 or errno.
    int (*changed)(struct inode *inode);
    // Write the inode itself and what it needs to be found after a crash (fsync); pages were written by the caller.
    int (*sync)(struct inode *inode, bool data_only);
    // => inode->lock held for writing. Disk space for bytes [from, to) of this page of the file, so that writing it
    // cannot fail later. NULL: memory is all it needs. 0, -ENOSPC, -EIO.
    int (*reserve)(struct inode *inode, struct page *p, u32 from, u32 to);
    // => inode->lock held for writing, nothing is written back. The space of pages [first, end) of a file goes back: a hole.
    // They are not in memory. NULL: the file system has no holes.
    int (*punch)(struct inode *inode, u64 first, u64 end);
};

struct inode {
    struct ref ref;
    u64 ino;                      // [I]
    struct super *sb;             // [I]
    const struct inode_ops *ops;  // [I]
    // [I] of an open file of it; devices and FIFOs are replaced at open
    const struct file_ops *fops;
    u32 mode;                             // type [I], permissions [lock]
    u32 nlink, uid, gid;                  // [lock]
    u32 rdev;                             // [I]
    u32 seals;                            // [lock] F_SEAL_: what is never done to it any more
    u64 size;                             // [lock]; read without by stat and read
    u64 blocks;                           // [lock] of 512 bytes
    struct timespec atime, mtime, ctime;  // [lock]
    struct rwlock lock;                   // directory: its entries. File: size and writes
    struct mapping mapping;
    struct hlist_node hash;  // [inode table] found by (sb, ino)
    struct list sb_link;     // [inode table] sb->inodes
    struct list lru;         // [inode table] unused, cached
    struct list dirty;       // [inode table] sb->dirty while INODE_DIRTY
    u32 state;               // [a] INODE_ bits
    u64 generation;
    struct pipe *pipe;         // of a FIFO [lock]
    struct flock_list *locks;  // POSIX and BSD locks [lock of fs/lock.c]
    void *private_;            // of the file system
    int writers;               // [a] open for writing; < 0: a running program (-ETXTBSY)
};
#define INODE_NEW 1u       // being read in; waiters sleep on it
#define INODE_DIRTY 2u     // attributes newer than the disk
#define INODE_BAD 4u       // could not be read
#define INODE_FREEING 8u   // leaving the table; waiters sleep on it
#define INODE_LASTING 16u  // its name is cached even if its super block is `uncached`

struct super_ops {
    // Zeroed inode (embedded in the file system's own); NULL
    struct inode *(*alloc)(struct super *sb);
    void (*free)(struct inode *inode);  // give its memory back
    // Fill a new inode by number from disk; 0, -EIO, -ENOENT. NULL for memory file systems
    int (*read)(struct inode *inode);
    // Last reference and nlink == 0: free what it has on disk. May be NULL
    void (*evict)(struct inode *inode);
    // INODE_DIRTY: put attributes into the disk's buffers. May be NULL
    int (*write)(struct inode *inode);
    int (*sync)(struct super *sb, bool wait);  // write super block and all metadata. May be NULL
    int (*statfs)(struct super *sb, struct statfs *st);
    int (*make_writable)(struct super *sb);  // remount a read-only one for writing. NULL: -EROFS
    void (*unmount)(struct super *sb);       // all inodes are gone
};

struct super {
    const struct fs_type *type;   // [I]
    const struct super_ops *ops;  // [I]
    struct block_device *dev;     // [I] or NULL
    u32 devno;                    // [I] stat's st_dev
    u32 block_size;               // [I]
    u32 read_only;                // [a] 1: no writing
    u64 max_size;                 // [I] of a file, bytes
    s64 time_min, time_max;       // [I] seconds that its inodes can hold; max 0: all
    struct dentry *root;          // [I]
    struct list inodes;           // [inode table]
    struct list dirty;            // [inode table] inodes with INODE_DIRTY
    struct mutex rename_lock;
    struct list link;  // of all super blocks
    u32 mounts;        // [mount lock]
    void *private_;
    // Memory file system: inodes with names and their dentries are never reclaimed
    bool keep_dentries;
    bool
        uncached;  // names come and go by themselves (procfs): a lookup asks the file system, but for INODE_LASTING
};

struct fs_type {
    const char *name;  // "ext2", "tmpfs", "proc"
    bool needs_device;
    bool single;  // every mount shows the same super block
    // Fill sb (root inode and all) from the device or options. 0 or errno with one clear line printed for a bad disk.
    int (*mount)(struct super *sb, const char *options);
    struct fs_type *next;
};
void fs_register(struct fs_type *t);
struct printer;
void fs_show_types(struct printer *p);  // /proc/filesystems

// A node of the name cache. Also caches that a name does NOT exist (inode NULL).
struct dentry {
    struct ref ref;
    struct hlist_node hash;  // [bucket lock] by (parent, name)
    struct dentry *parent;   // [rename_lock of sb]; root: itself
    struct inode *inode;     // [bucket lock] to change; NULL: negative
    struct super *sb;        // [I]
    struct list children;    // [dentry lock]
    struct list sibling;
    struct list lru;   // [lru lock]
    u32 mounted;       // [mount lock] mounts on it
    struct name name;  // [bucket lock] s points to inline_name or to kmalloc'ed memory
    char inline_name[32];
};
static inline struct inode *dentry_inode(const struct dentry *d) { return load_acquire(&d->inode); }
struct mount {
    struct ref ref;
    struct super *sb;        // [I]
    struct dentry *root;     // [I]
    struct dentry *point;    // [mount lock] where it is; NULL: the root mount
    struct mount *parent;    // [mount lock]
    struct hlist_node hash;  // [mount lock] by (parent, point)
    struct list link;        // [mount lock] all mounts, in order
    u32 flags;               // MS_RDONLY …
    char source[64];
};
// The number that mountinfo and fdinfo show.
static inline u32 mount_id(const struct mount *m) { return (u64)m >> 6 & 0xffffff; }
struct path {
    struct mount *mount;
    struct dentry *dentry;
};
void path_get(const struct path *p);
void path_put(const struct path *p);

// ---- lookup (fs/namei.c) ----
#define LOOKUP_FOLLOW 1u     // follow a symbolic link at the end
#define LOOKUP_DIRECTORY 2u  // must be a directory (-ENOTDIR)
#define LOOKUP_EMPTY 4u      // "" means the start itself (AT_EMPTY_PATH)
// Find `path` from dirfd (AT_FDCWD: cwd). 0 and *out with references, or -ENOENT, -ENOTDIR, -EACCES, -ELOOP, -ENAMETOOLONG, -EBADF ….
int path_lookup(int dirfd, const char *path, u32 flags, struct path *out);
// open(2): a file with a reference or ERR_PTR
struct file *path_open(int dirfd, const char *path, int flags, u32 mode);
// The same for a plain name in a directory that the caller knows; `what` is handed to inode_ops.make as its target.
struct file *path_open_in(const struct path *dir, const char *name, int flags, u32 mode,
                          const void *what);
int path_unlink_in(const struct path *dir, const char *name);
// For execve: regular, executable; denies writing
struct file *path_open_exec(const char *path_or_null, int dirfd);
int path_mknod(int dirfd, const char *path, u32 mode, u32 rdev);  // also mkdir with S_IFDIR
int path_symlink(const char *target, int dirfd, const char *path);
int path_link(int old_dirfd, const char *old, int new_dirfd, const char *new_, int flags);
int path_unlink(int dirfd, const char *path, bool directory);
// RENAME_NOREPLACE, RENAME_EXCHANGE
int path_rename(int old_dirfd, const char *old, int new_dirfd, const char *new_, u32 flags);
// Absolute path from current's root, NUL-terminated; length or -ERANGE
ssize_t path_string(const struct path *p, char *buf, size_t size);
int path_permission(const struct path *p, int mask);  // the same, and -EROFS of the mount
// 4 read, 2 write, 1 execute by fsuid; 0 or -EACCES, -EROFS
int inode_permission(const struct inode *inode, int mask);

// ---- inodes (fs/inode.c) ----
// From the table or read in; reference; ERR_PTR
struct inode *inode_get(struct super *sb, u64 ino);
// In the table, not read; owner ids and times set from current; ERR_PTR
struct inode *inode_new(struct super *sb, u64 ino, u32 mode);
static inline void inode_ref(struct inode *i) { ref_get(&i->ref); }
void inode_put(struct inode *i);
void inode_mark_dirty(struct inode *i);
// truncate(2): lock, page cache and file system. 0 or errno
int inode_set_size(struct inode *i, u64 size);
struct setattr {
    u32 valid;  // SET_ bits
    u32 mode, uid, gid;
    struct timespec atime, mtime;
};
#define SET_MODE 1u
#define SET_UID 2u
#define SET_GID 4u
#define SET_ATIME 8u
#define SET_MTIME 16u
#define SET_TIMES_NOW 32u  // by a caller who only may write the file
// Checks permission: 0, -EPERM, -EROFS
int inode_setattr(struct inode *i, const struct setattr *a);
void inode_stat(struct inode *i, struct abi_stat *st);
struct timespec time_now(void);  // wall clock for time stamps
static inline bool inode_is_dir(const struct inode *i) { return (i->mode & S_IFMT) == S_IFDIR; }
static inline bool inode_is_reg(const struct inode *i) { return (i->mode & S_IFMT) == S_IFREG; }
static inline bool inode_is_link(const struct inode *i) { return (i->mode & S_IFMT) == S_IFLNK; }
u64 inodes_in_use(void);
int inode_write(struct inode *i);  // attributes into the disk's buffers, if dirty: 0 or errno
// All of sb's dirty inodes: pages and attributes. 0 or errno
int inode_sync_super(struct super *sb);
// SET_ATIME, SET_MTIME (with ctime): the present; marks dirty
void inode_touch(struct inode *i, u32 times);

// ---- mounts (fs/mount.c) ----
int vfs_mount(const char *source, const char *target, const char *type, u64 flags,
              const char *options);
// A mount of a file system without device that is at no place and stays for ever; ERR_PTR(-ENODEV, -ENOMEM)
struct mount *vfs_mount_kernel(const char *type);
// umount2(2). With MNT_DETACH what is mounted on it goes too, as on Linux
int vfs_umount(const char *target, int flags);
// "/dev/vda": tries each type that needs a device
int vfs_mount_root(const char *device, bool read_only);
void vfs_sync(void);                      // sync(2)
int vfs_syncfs(struct super *sb);         // syncfs(2): 0 or errno
void vfs_show_mounts(struct printer *p);  // /proc/mounts
void vfs_show_mountinfo(struct printer *p);
void vfs_init(void);

// cwd, root and umask; shared by CLONE_FS.
struct fs_context {
    struct ref ref;
    struct spinlock lock;  // guards the next two
    struct path cwd, root;
    u32 umask;
};
struct fs_context *fs_context_copy(const struct fs_context *from);  // NULL: out of memory
void fs_context_put(struct fs_context *fs);
int fs_chdir(const struct path *p);  // checks; takes own references
int fs_chroot(const struct path *p);
extern struct fs_context init_fs;

#endif
