/*
 * Inode numbers: found in and given back to the groups' inode bitmaps.
 *
 * A file's inode goes into its directory's group. Directories of the root are spread to the group with the most
 * free blocks, so that what is made in them has room; other directories stay near their parents.
 */
#include "fs/ext/ext.h"
#include "lib/bitmap.h"

static u32 emptiest_group(const struct ext_fs *fs) {
    u32 best = 0;
    for (u32 g = 1; g < fs->groups; g++)
        if (fs->group[g].free_inodes && fs->group[g].free_blocks > fs->group[best].free_blocks)
            best = g;
    return best;
}

// => group locked. 0, -ENOSPC, -EIO
static int take_inode(struct ext_fs *fs, u32 g, bool directory, u32 *ino) {
    struct ext_group *group = &fs->group[g];
    struct ext_buf b;
    if (group->free_inodes == 0)
        return -ENOSPC;
    int error = ext_bread(fs, group->inode_bitmap, &b);
    if (error)
        return error;
    u32 bit = bitmap_find_first_zero(b.data, fs->inodes_per_group, g ? 0 : fs->first_ino - 1);
    if (bit >= fs->inodes_per_group) {
        group->free_inodes = 0;
        error = ext_corrupt(fs, "group %u has fewer free inodes than it says", g);
    } else {
        bitmap_set(b.data, bit);
        ext_bdirty(&b);
        group->free_inodes--;
        group->dirs += directory;
        *ino = g * fs->inodes_per_group + bit + 1;
    }
    ext_bput(&b);
    return error;
}

int ext_alloc_inode(struct ext_fs *fs, struct inode *dir, bool directory, u32 *ino) {
    u32 first = directory && dir->ino == EXT_ROOT_INO ? emptiest_group(fs)
                                                      : (dir->ino - 1) / fs->inodes_per_group;
    for (u32 i = 0; i < fs->groups; i++) {
        u32 g = (first + i) % fs->groups;
        mutex_lock(&fs->group[g].lock);
        int error = take_inode(fs, g, directory, ino);
        mutex_unlock(&fs->group[g].lock);
        if (error == 0)
            atomic_sub(&fs->free_inodes, 1);
        if (error != -ENOSPC)
            return error;
    }
    return -ENOSPC;
}

void ext_free_inode(struct ext_fs *fs, u32 ino, bool directory) {
    u32 g = (ino - 1) / fs->inodes_per_group, bit = (ino - 1) % fs->inodes_per_group;
    struct ext_group *group = &fs->group[g];
    struct ext_buf b;
    mutex_lock(&group->lock);
    if (ext_bread(fs, group->inode_bitmap, &b) == 0) {
        if (bitmap_test(b.data, bit)) {
            bitmap_clear(b.data, bit);
            ext_bdirty(&b);
            group->free_inodes++;
            atomic_add(&fs->free_inodes, 1);
            group->dirs -= directory && group->dirs;
        } else {
            ext_corrupt(fs, "inode %u freed twice", ino);
        }
        ext_bput(&b);
    }
    mutex_unlock(&group->lock);
}
