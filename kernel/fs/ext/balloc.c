/*
 * Blocks: found in and given back to the groups' bitmaps.
 *
 * A search starts at a goal (the block after the file's last one, or the group of the file's inode) and goes
 * through the other groups in order. A group's mutex guards its bitmap and counts; the counts in memory are the true
 * ones and go to the descriptors on sync. A bitmap that disagrees with its count, or that offers a block of the
 * group's own tables, means a corrupt disk.
 */
#include "abi/capability.h"
#include "fs/ext/ext.h"
#include "lib/bitmap.h"

static u32 group_blocks(const struct ext_fs *fs, u32 g) {
    return min(fs->blocks_per_group, fs->blocks - fs->first_block - g * fs->blocks_per_group);
}

// Does [first, first + n) touch the group's bitmaps or inode table?
static bool hits_tables(const struct ext_fs *fs, const struct ext_group *g, u32 first, u32 n) {
    u64 end = (u64)first + n;
    return (g->block_bitmap >= first && g->block_bitmap < end) ||
           (g->inode_bitmap >= first && g->inode_bitmap < end) ||
           (first < (u64)g->inode_table + fs->table_blocks && end > g->inode_table);
}

// => group locked. 0 (then *bit is taken), -ENOSPC, -EIO
static int take_bit(struct ext_fs *fs, u32 g, u32 from, u32 *bit) {
    struct ext_group *group = &fs->group[g];
    struct ext_buf b;
    u32 n = group_blocks(fs, g);
    if (group->free_blocks == 0)
        return -ENOSPC;
    int error = ext_bread(fs, group->block_bitmap, &b);
    if (error)
        return error;
    *bit = bitmap_find_first_zero(b.data, n, from);
    if (*bit >= n && from)
        *bit = bitmap_find_first_zero(b.data, n, 0);
    if (*bit >= n) {
        group->free_blocks = 0;
        error = ext_corrupt(fs, "group %u has fewer free blocks than it says", g);
    } else if (hits_tables(fs, group, fs->first_block + g * fs->blocks_per_group + *bit, 1)) {
        error = ext_corrupt(fs, "group %u's bitmap offers its own tables", g);
    } else {
        bitmap_set(b.data, *bit);
        ext_bdirty(&b);
        group->free_blocks--;
    }
    ext_bput(&b);
    return error;
}

int ext_alloc_block(struct ext_fs *fs, u32 goal, u32 *block) {
    if (!ext_block_ok(fs, goal))
        goal = fs->first_block;
    u32 first = (goal - fs->first_block) / fs->blocks_per_group;
    u32 from = (goal - fs->first_block) % fs->blocks_per_group, bit = 0;
    if (load_relaxed(&fs->free_blocks) <= fs->reserved && !capable(CAP_SYS_RESOURCE))
        return -ENOSPC;
    for (u32 i = 0; i < fs->groups; i++) {
        u32 g = (first + i) % fs->groups;
        if (load_relaxed(&fs->group[g].free_blocks) == 0)
            continue;
        mutex_lock(&fs->group[g].lock);
        int error = take_bit(fs, g, i ? 0 : from, &bit);
        mutex_unlock(&fs->group[g].lock);
        if (error == 0) {
            atomic_sub(&fs->free_blocks, 1);
            *block = fs->first_block + g * fs->blocks_per_group + bit;
            return 0;
        }
        if (error != -ENOSPC)
            return error;
    }
    return -ENOSPC;
}

// => all in one group
static void free_in_group(struct ext_fs *fs, u32 g, u32 bit, u32 n) {
    struct ext_group *group = &fs->group[g];
    struct ext_buf b;
    u32 freed = 0;
    if (hits_tables(fs, group, fs->first_block + g * fs->blocks_per_group + bit, n)) {
        ext_corrupt(fs, "a file has blocks of group %u's tables", g);
        return;
    }
    mutex_lock(&group->lock);
    if (ext_bread(fs, group->block_bitmap, &b) == 0) {
        for (u32 i = bit; i < bit + n; i++) {
            if (!bitmap_test(b.data, i))
                continue;
            bitmap_clear(b.data, i);
            freed++;
        }
        ext_bdirty(&b);
        ext_bput(&b);
        group->free_blocks += freed;
        atomic_add(&fs->free_blocks, freed);
        if (freed < n)
            ext_corrupt(fs, "blocks of group %u freed twice", g);
    }
    mutex_unlock(&group->lock);
}

void ext_free_blocks(struct ext_fs *fs, u32 first, u32 n) {
    if (!ext_block_ok(fs, first) || n > fs->blocks - first) {
        ext_corrupt(fs, "cannot free blocks %u, %u of them", first, n);
        return;
    }
    while (n) {
        u32 g = (first - fs->first_block) / fs->blocks_per_group;
        u32 bit = (first - fs->first_block) % fs->blocks_per_group;
        u32 piece = min(n, fs->blocks_per_group - bit);
        free_in_group(fs, g, bit, piece);
        first += piece;
        n -= piece;
    }
}
