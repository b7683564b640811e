// Open file descriptions and descriptor tables.
#ifndef FS_FILE_H
#define FS_FILE_H

#include "abi/fcntl.h"
#include "abi/poll.h"
#include "fs/iter.h"
#include "fs/vfs.h"

struct poll_table;
struct vma_request;

// One entry of a directory for getdents64. False: the buffer is full, stop before this entry.
struct dir_emit {
    bool (*entry)(struct dir_emit *e, const char *name, size_t len, u64 ino, u8 type, u64 next_pos);
};

struct file_ops {
    int (*open)(struct inode *inode, struct file *f);  // may be NULL
    void (*release)(struct file *f);                   // last reference; may be NULL
    // At *pos, moving it (of a FILE_STREAM no position, pos may be NULL). Bytes, or negative errno. NULL: -EINVAL.
    ssize_t (*read)(struct file *f, struct iter *to, u64 *pos);
    ssize_t (*write)(struct file *f, struct iter *from, u64 *pos);
    s64 (*seek)(struct file *f, s64 offset, int whence);  // NULL: -ESPIPE
    // Entries from *pos on until e says stop; 0 or errno
    int (*readdir)(struct file *f, struct dir_emit *e, u64 *pos);
    long (*ioctl)(struct file *f, u32 cmd, u64 arg);  // NULL: -ENOTTY
    // POLL bits that hold; registers on wait queues when pt wants it
    u32 (*poll)(struct file *f, struct poll_table *pt);
    int (*mmap)(struct file *f, struct vma_request *r);  // fill ops, mapping …; NULL: -ENODEV
    int (*fsync)(struct file *f, bool data_only);        // NULL: -EINVAL
    void (*closed)(void);  // a descriptor of a file of this kind was closed; may be NULL
};

struct file {
    struct ref ref;
    u32 flags;              // O_ access mode and status flags; [a]
    u64 pos;                // [pos_lock]
    struct mutex pos_lock;  // taken by read, write, lseek, getdents when the description is shared
    struct inode *inode;    // [I]
    struct path path;       // [I] how it was opened; for /proc and cwd
    const struct file_ops *ops;  // [I]
    void *private_;              // of the ops
    u32 mode;                    // FILE_ bits
    int owner;                   // F_SETOWN
    u64 read_next;               // page after the last one read: sequential reading is seen by it
    u32 read_window;             // pages to read ahead
    struct hlist_head watches;   // of epoll sets (ipc/epoll.c)
    u32 errors_seen;             // [a] failed writes of the inode's pages that fsync(2) told of
};
#define FILE_READ 1u
#define FILE_WRITE 2u
#define FILE_EXEC 4u     // a running program: closing allows writing again
#define FILE_SEEK 8u     // pos has a meaning
#define FILE_STREAM 16u  // pipes, terminals: no pos_lock needed

// A description without a path (pipes, eventfd …): takes over the inode reference. ERR_PTR(-ENFILE, -ENOMEM).
struct file *file_create(struct inode *inode, const struct file_ops *ops, int flags,
                         void *private_);
static inline void file_get(struct file *f) { ref_get(&f->ref); }
void file_put(struct file *f);
u64 files_in_use(void);

// Checks mode; NULL pos: the file's own, with its lock
ssize_t file_read(struct file *f, struct iter *to, u64 *pos);
// Also O_APPEND, RLIMIT_FSIZE, SIGXFSZ
ssize_t file_write(struct file *f, struct iter *from, u64 *pos);
ssize_t file_read_kernel(struct file *f, void *buf, size_t n, u64 pos);
int file_fsync(struct file *f, bool data_only);
s64 file_seek(struct file *f, s64 offset, int whence);  // lseek(2), with the lock of the offset
int file_deny_write(struct file *f);  // a running program: 0 or -ETXTBSY; undone by file_put

// Regular files through the page cache, for any file system with a mapping (fs/filemap.c).
ssize_t filemap_read(struct file *f, struct iter *to, u64 *pos);
// The cached page of byte `at` of a file that is read by filemap_read, with a reference, and how many of n bytes are in it;
// NULL: the end; ERR_PTR(-EIO, -ENOMEM).
struct page *filemap_page(struct file *f, u64 at, size_t *n);
ssize_t filemap_write(struct file *f, struct iter *from, u64 *pos);  // takes inode->lock
s64 filemap_seek(struct file *f, s64 offset, int whence);
int filemap_mmap(struct file *f, struct vma_request *r);
int filemap_fsync(struct file *f, bool data_only);
// fallocate(2) of a regular file that is open for writing: modes 0, KEEP_SIZE, and PUNCH_HOLE with KEEP_SIZE, others are
// -EOPNOTSUPP, as is KEEP_SIZE behind the end where a file system cannot have blocks there. 0, -ENOSPC, -EFBIG, -EPERM …
long filemap_allocate(struct file *f, u32 mode, u64 offset, u64 length);
u32 poll_always(struct file *f, struct poll_table *pt);  // POLLIN | POLLOUT
s64 dir_seek(struct file *f, s64 offset, int whence);
ssize_t read_is_dir(struct file *f, struct iter *to, u64 *pos);  // -EISDIR

// ---- descriptor tables ----
struct files {
    struct ref ref;
    struct spinlock lock;  // guards the rest; a table used by one task only is read without
    struct file **fd;      // [lock] size entries
    u64 *open, *cloexec;   // [lock] bitmaps
    u32 size;              // [lock] a multiple of 64
    u32 next;              // [lock] no free number below it
    struct file *first_fd[64];
    u64 first_open[1], first_cloexec[1];
};
struct files *files_create(void);              // empty; NULL
struct files *files_copy(struct files *from);  // fork; NULL
void files_put(struct files *fs);
int files_unshare(void);  // exec: current gets its own
void files_close_on_exec(void);

// The file of a descriptor of current. fd_get returns a reference (or NULL: -EBADF) that fd_put drops; when the table
// is not shared the reference is borrowed and *borrowed tells fd_put so.
struct fd_ref {
    struct file *file;
    bool counted;
};
struct file *fd_lookup(int fd);  // always a counted reference; NULL
static inline struct fd_ref fd_get(int fd) {
    const struct files *t = current->files;
    if (likely(ref_read(&t->ref) == 1))
        return (struct fd_ref){(u32)fd < t->size ? t->fd[fd] : NULL, false};
    struct file *f = fd_lookup(fd);
    return (struct fd_ref){f, f != NULL};
}
static inline void fd_put(struct fd_ref r) {
    if (r.counted)
        file_put(r.file);
}
// Installs, takes over the reference: number, -EMFILE, -ENOMEM (then the caller still has it)
int fd_alloc(struct file *f, int min, bool cloexec);
// The same with a reference that the caller gives away, or an ERR_PTR. The number, or errno with f gone
int fd_give(struct file *f, int min, bool cloexec);
// The same without a file: a number that nobody can use until it is installed or released.
static inline int fd_reserve(bool cloexec) { return fd_alloc(NULL, 0, cloexec); }
void fd_install(int fd, struct file *f);  // takes over the reference
void fd_release(int fd);
int fd_close(int fd);
int fd_dup2(int old, int new_, bool cloexec);  // number or errno; dup3(2)
int fd_set_cloexec(int fd, bool on);
int fd_get_cloexec(int fd);
int fd_close_range(u32 first, u32 last, u32 flags);

// ---- poll ----
void epoll_forget(
    struct file *f);  // the last reference went: no set watches it any more (ipc/epoll.c)
struct poll_table {
    void (*add)(struct poll_table *pt, struct file *f, struct waitq *q);
    u32 events;
};
static inline void poll_wait(struct file *f, struct waitq *q, struct poll_table *pt) {
    if (pt && pt->add)
        pt->add(pt, f, q);
}
struct pollfd;
// fs/poll.c: wait until a descriptor is ready or the deadline (TIME_NEVER: none; 0: do not wait). Number ready, -ERESTARTSYS-like.
int poll_files(struct pollfd *fds, u32 n, u64 deadline);

// ---- advisory locks (fs/lock.c) ----
long file_posix_lock(struct file *f, int cmd, u64 user_flock);  // fcntl F_GETLK F_SETLK F_SETLKW
long file_flock(struct file *f, int op);
// POSIX locks go when any descriptor of the file closes
void locks_close(struct files *owner, struct file *f);
void locks_release(struct file *f);  // BSD locks go with the description

// ---- memory files and seals (fs/memfd.c) ----
long memfd_create(u64 user_name, u32 flags);        // memfd_create(2)
long file_seals(struct file *f, int cmd, u64 arg);  // fcntl F_ADD_SEALS F_GET_SEALS

// ---- registration of devices (fs/devfs.c) ----
// A character device appears as /dev/<name>. mode: permission bits.
int devfs_add(const char *name, u32 mode, u32 devno, const struct file_ops *ops, void *private_);
const struct file_ops *chrdev_ops(u32 devno);  // NULL: -ENXIO
void *chrdev_private(u32 devno);               // what devfs_add was given
extern const struct file_ops blkdev_ops;       // of every block device node (fs/blkdev.c)
extern const struct file_ops fifo_ops;         // of every FIFO (ipc/pipe.c)
struct printer;
void devfs_show(struct printer *p);  // character devices of /proc/devices
void devfs_init(void);               // after the drivers: devices of fs/chrdev.c, "devtmpfs"

#endif
