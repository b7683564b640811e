/*
 * Open file descriptions: what open(2) makes and descriptors, vm areas and messages refer to.
 *
 * A description made from a path owns the path's references; the path's dentry keeps the inode. One without
 * a path (a pipe) owns a reference to its inode. The last file_put() calls the release method, lets writing
 * or executing of the file begin again, and frees.
 */
#include "abi/capability.h"
#include "fs/internal.h"

static struct slab_cache *file_slab;
static u64 nr_files;  // [a]

void file_init(void) {
    file_slab = slab_create("file", sizeof(struct file), 0);
    assert(file_slab);
}

u64 files_in_use(void) { return load_relaxed(&nr_files); }

static u32 mode_of(int flags) {
    static const u8 modes[4] = {FILE_READ, FILE_WRITE, FILE_READ | FILE_WRITE, 0};
    return flags & O_PATH ? 0 : modes[flags & O_ACCMODE];
}

static struct file *file_alloc(struct inode *inode, const struct file_ops *ops, int flags) {
    if (load_relaxed(&nr_files) > max(8192ul, pages_total) && !capable(CAP_SYS_ADMIN))
        return ERR_PTR(-ENFILE);
    struct file *f = slab_alloc(file_slab, ALLOC_ZERO);
    if (!f)
        return ERR_PTR(-ENOMEM);
    atomic_add_relaxed(&nr_files, 1);
    ref_init(&f->ref);
    mutex_init(&f->pos_lock, RANK_FILE_POS, "file position");
    f->inode = inode;
    f->ops = ops;
    f->flags = flags & ~(O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC);
    f->mode = mode_of(flags);
    return f;
}

struct file *file_create(struct inode *inode, const struct file_ops *ops, int flags,
                         void *private_) {
    struct file *f = file_alloc(inode, ops, flags);
    if (IS_ERR(f))
        return f;
    f->private_ = private_;
    f->mode |= ops->seek ? FILE_SEEK : FILE_STREAM;
    return f;
}

// Nobody may write a running program, nobody may run a file open for writing: -ETXTBSY.
static int inode_deny(struct inode *inode, int direction) {
    int n = load_relaxed(&inode->writers);
    do {
        if (direction > 0 ? n < 0 : n > 0)
            return -ETXTBSY;
    } while (!atomic_cmpxchg(&inode->writers, &n, n + direction));
    return 0;
}

static void file_destroy(struct file *f) {
    atomic_sub(&nr_files, 1);
    slab_free(file_slab, f);
}

static const struct file_ops path_ops;  // O_PATH: good for naming, not for doing

static const struct file_ops *ops_of(struct inode *inode, int flags) {
    if (flags & O_PATH)
        return &path_ops;
    switch (inode->mode & S_IFMT) {
    case S_IFCHR:
        return chrdev_ops(inode->rdev);
    case S_IFBLK:
        return &blkdev_ops;
    case S_IFIFO:
        return &fifo_ops;
    case S_IFSOCK:
        return NULL;
    default:
        return inode->fops ? inode->fops : &path_ops;
    }
}

struct file *file_open_path(const struct path *p, int flags) {
    struct inode *inode = dentry_inode(p->dentry);
    const struct file_ops *ops = ops_of(inode, flags);
    if (!ops)
        return ERR_PTR(-ENXIO);
    struct file *f = file_alloc(inode, ops, flags);
    if (IS_ERR(f))
        return f;
    f->mode |= ops->seek ? FILE_SEEK : FILE_STREAM;
    bool writes = f->mode & FILE_WRITE && inode_is_reg(inode);
    int error = writes ? inode_deny(inode, 1) : 0;
    if (error)
        goto destroy;
    f->path = *p;
    f->errors_seen = load_relaxed(&inode->mapping.told);
    error = ops->open ? ops->open(inode, f) : 0;
    if (error == 0)
        return f;
    if (writes)
        atomic_sub(&inode->writers, 1);
destroy:
    file_destroy(f);
    return ERR_PTR(error);
}

int file_deny_write(struct file *f) {
    int error = inode_deny(f->inode, -1);
    if (error == 0)
        f->mode |= FILE_EXEC;
    return error;
}

void file_put(struct file *f) {
    if (likely(!ref_put(&f->ref)))
        return;
    if (unlikely(!hlist_empty(&f->watches)))
        epoll_forget(f);
    if (f->inode->locks)
        locks_release(f);
    if (f->ops->release)
        f->ops->release(f);
    if (f->mode & FILE_EXEC)
        atomic_add(&f->inode->writers, 1);
    else if (f->mode & FILE_WRITE && f->path.dentry && inode_is_reg(f->inode))
        atomic_sub(&f->inode->writers, 1);
    if (f->path.dentry)
        path_put(&f->path);
    else
        inode_put(f->inode);
    file_destroy(f);
}
