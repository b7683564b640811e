/*
 * Anonymous files: descriptors for objects of the kernel that have no name in any file system.
 *
 * A kind (struct anon_kind) has one inode, made at boot, of the internal file system `anon_inodefs`; every description of
 * the kind refers to it, and its private_ member is the object. So fstat() has something to show, and poll, dup, exec,
 * SCM_RIGHTS and /proc need not know that these are not files. Pipes have a file system of the same kind (ipc/pipe.c), with
 * an inode for each.
 *
 * Locks: none; the inodes live for ever.
 */
#include "fs/anon.h"

#include "mm/slab.h"

static struct inode *nameless_alloc(struct super *sb) {
    (void)sb;
    return kzalloc(sizeof(struct inode));
}

static void nameless_free(struct inode *inode) { kfree(inode); }

static int nameless_statfs(struct super *sb, struct statfs *st) {
    *st = (struct statfs){.f_type = (u64)sb->private_, .f_bsize = PAGE_SIZE, .f_namelen = NAME_MAX};
    return 0;
}

const struct super_ops nameless_ops = {
    .alloc = nameless_alloc,
    .free = nameless_free,
    .statfs = nameless_statfs,
};

static const struct fs_type anon_type = {.name = "anon_inodefs"};
static const struct inode_ops anon_inode_ops;
static struct super anon_super = NAMELESS_SUPER(anon_super, &anon_type, 0x0e, ANON_INODE_FS_MAGIC);

void anon_register(struct anon_kind *k) {
    static u64 last_ino;
    struct inode *inode = inode_new(&anon_super, ++last_ino, 0600);
    if (IS_ERR(inode))
        panic("no memory for the inode of %s", k->name);
    inode->ops = &anon_inode_ops;
    inode->fops = k->ops;
    inode->private_ = k;
    k->inode = inode;
}

struct file *anon_open(const struct anon_kind *k, int flags, void *private_) {
    inode_ref(k->inode);
    struct file *f = file_create(k->inode, k->ops, O_RDWR | flags, private_);
    if (IS_ERR(f))
        inode_put(k->inode);
    return f;
}

void anon_release(struct file *f) {
    const struct anon_kind *k = f->inode->private_;
    k->free(f->private_);
}

int anon_install(const struct anon_kind *k, int flags, void *private_) {
    struct file *f = anon_open(k, flags, private_);
    if (IS_ERR(f))
        k->free(private_);
    return fd_give(f, 0, flags & O_CLOEXEC);
}

const struct anon_kind *anon_kind(const struct file *f) {
    return f->inode->sb == &anon_super ? f->inode->private_ : NULL;
}
