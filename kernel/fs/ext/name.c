/*
 * Names: the directory operations of the VFS, each a few changes of entries, link counts and inodes.
 *
 * Order of changes is such that a crash leaves at worst something to mend, never a name without an inode: a new
 * inode is complete before its name, a name goes before its inode's count falls.
 */
#include "fs/ext/ext.h"

static struct inode *lookup(struct inode *dir, const struct name *name) {
    u32 ino;
    int error = ext_dir_find(dir, name, &ino);
    if (error)
        return ERR_PTR(error);
    return ino ? inode_get(dir->sb, ino) : NULL;
}

static void links_add(struct inode *i, int n) {
    i->nlink += n;
    i->ctime = time_now();
    inode_mark_dirty(i);
}

static void links_drop(struct inode *i, u32 n) {
    if (i->nlink < n)
        ext_corrupt(ext_fs(i->sb), "inode %llu has too few links", (unsigned long long)i->ino);
    links_add(i, -(int)min(n, i->nlink));
}

static int set_target(struct ext_inode *e, const char *target) {
    struct ext_fs *fs = ext_fs_of(e);
    size_t n = strlen(target);
    struct ext_buf b;
    u32 block;
    if (n >= min(fs->block_size, (u32)PATH_MAX))
        return -ENAMETOOLONG;
    e->inode.size = n;
    if (n < EXT_FAST_LINK) {
        memcpy(e->block, target, n);
        return 0;
    }
    mutex_lock(&e->map_lock);
    int error = ext_map(e, 0, true, &block);
    mutex_unlock(&e->map_lock);
    if (error == 0)
        error = ext_bzero(fs, block, &b);
    if (error)
        return error;
    memcpy(b.data, target, n);
    ext_bdirty(&b);
    ext_bput(&b);
    return 0;
}

// What a new inode has inside, by its type.
static int fill_new(struct ext_inode *e, struct inode *dir, u32 rdev, const char *target) {
    struct inode *i = &e->inode;
    if (inode_is_dir(i))
        return ext_dir_init(i, dir->ino);
    if (inode_is_link(i))
        return set_target(e, target);
    if (S_ISCHR(i->mode) || S_ISBLK(i->mode)) {
        i->rdev = rdev;
        e->block[rdev <= 0xffff ? 0 : 1] = rdev;
    }
    return 0;
}

static struct inode *make(struct inode *dir, const struct name *name, u32 mode, u32 rdev,
                          const char *target) {
    struct ext_fs *fs = ext_fs(dir->sb);
    bool directory = S_ISDIR(mode);
    u32 ino;
    if (directory && dir->nlink >= EXT_LINK_MAX)
        return ERR_PTR(-EMLINK);
    int error = ext_alloc_inode(fs, dir, directory, &ino);
    if (error)
        return ERR_PTR(error);
    struct inode *i = inode_new(dir->sb, ino, mode);
    if (IS_ERR(i)) {
        ext_free_inode(fs, ino, directory);
        return i;
    }
    struct ext_inode *e = ext_inode(i);
    e->fresh = true;
    i->nlink = directory ? 2 : 1;
    i->generation = (u32)realtime_ns();
    ext_set_ops(e);
    error = fill_new(e, dir, rdev, target);
    if (error == 0)
        error = ext_write_inode(i);
    if (error == 0)
        error = ext_dir_add(dir, name, ino, mode);
    if (error) {
        i->nlink = 0;
        inode_put(i);  // gives back what it has
        return ERR_PTR(error);
    }
    if (directory)
        links_add(dir, 1);
    inode_mark_dirty(i);
    return i;
}

static int make_link(struct inode *dir, const struct name *name, struct inode *target) {
    if (target->nlink >= EXT_LINK_MAX)
        return -EMLINK;
    int error = ext_dir_add(dir, name, target->ino, target->mode);
    if (error == 0)
        links_add(target, 1);
    return error;
}

// The name of `victim` is gone.
static void drop_name(struct inode *dir, struct inode *victim) {
    if (inode_is_dir(victim)) {
        links_drop(victim, victim->nlink);
        links_drop(dir, 1);
    } else {
        links_drop(victim, 1);
    }
}

static int unlink(struct inode *dir, const struct name *name, struct inode *victim) {
    int error = inode_is_dir(victim) ? ext_dir_empty(victim) : 0;
    if (error == 0)
        error = ext_dir_remove(dir, name);
    if (error == 0)
        drop_name(dir, victim);
    return error;
}

static int rename(struct inode *dir, const struct name *name, struct inode *moved,
                  struct inode *new_dir, const struct name *new_name, struct inode *victim) {
    static const struct name dotdot = {"..", 2, 0};
    bool changes_parent = inode_is_dir(moved) && dir != new_dir;
    int error = 0;
    if (changes_parent && !victim && new_dir->nlink >= EXT_LINK_MAX)
        return -EMLINK;
    if (victim && inode_is_dir(victim))
        error = ext_dir_empty(victim);
    if (error == 0)
        error = victim ? ext_dir_replace(new_dir, new_name, moved->ino, moved->mode)
                       : ext_dir_add(new_dir, new_name, moved->ino, moved->mode);
    if (error == 0)
        error = ext_dir_remove(dir, name);
    if (error)
        return error;
    if (changes_parent) {
        error = ext_dir_replace(moved, &dotdot, new_dir->ino, S_IFDIR);
        links_drop(dir, 1);
        links_add(new_dir, 1);
    }
    if (victim)
        drop_name(new_dir, victim);
    moved->ctime = time_now();
    inode_mark_dirty(moved);
    return error;
}

const struct inode_ops ext_dir_inode_ops = {
    .lookup = lookup,
    .make = make,
    .link = make_link,
    .unlink = unlink,
    .rename = rename,
    .sync = ext_sync_inode,
};
