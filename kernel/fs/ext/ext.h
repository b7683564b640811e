// The second extended file system: its structures on disk and in memory, and what its files offer each other.
// Source: "The Second Extended File System: Internal Layout" (Dave Poirier). All numbers on disk are little endian,
// as the processor's are.
#ifndef FS_EXT_EXT_H
#define FS_EXT_EXT_H

#include "drivers/blk.h"
#include "fs/internal.h"

// ---- on disk ----
#define EXT_MAGIC 0xef53
#define EXT_SUPER_OFFSET 1024u
#define EXT_ROOT_INO 2u
#define EXT_BLOCKS 15  // block numbers in an inode: 12 direct, then one of each indirection
#define EXT_DIRECT 12
#define EXT_LINK_MAX 32000u
#define EXT_FAST_LINK 60u  // a symlink shorter than this lives in the inode

#define EXT_STATE_VALID 1
#define EXT_STATE_ERROR 2
#define EXT_INCOMPAT_FILETYPE 2u
#define EXT_INCOMPAT_RECOVER 4u
#define EXT_RO_SPARSE_SUPER 1u
#define EXT_RO_LARGE_FILE 2u
#define EXT_INDEX_FL 0x1000u  // inode flag: a hashed directory

struct ext_super {
    u32 inodes_count, blocks_count, r_blocks_count, free_blocks_count;
    u32 free_inodes_count, first_data_block, log_block_size, log_frag_size;
    u32 blocks_per_group, frags_per_group, inodes_per_group, mtime;
    u32 wtime;
    u16 mnt_count, max_mnt_count, magic, state, errors, minor_rev_level;
    u32 lastcheck, checkinterval, creator_os, rev_level;
    u16 def_resuid, def_resgid;
    u32 first_ino;
    u16 inode_size, block_group_nr;
    u32 feature_compat, feature_incompat, feature_ro_compat;
    u8 rest[920];
};
BUILD_ASSERT(sizeof(struct ext_super) == 1024);

struct ext_desc {
    u32 block_bitmap, inode_bitmap, inode_table;
    u16 free_blocks_count, free_inodes_count, used_dirs_count, pad;
    u32 reserved[3];
};
BUILD_ASSERT(sizeof(struct ext_desc) == 32);

struct ext_raw_inode {
    u16 mode, uid;
    u32 size, atime, ctime, mtime, dtime;
    u16 gid, links_count;
    u32 blocks, flags, osd1;
    u32 block[EXT_BLOCKS];
    u32 generation, file_acl, size_high, faddr;
    u16 osd2_0, osd2_1, uid_high, gid_high;
    u32 osd2_4;
    u16 extra_isize, checksum_hi;  // from here on only in inodes larger than 128 bytes
    u32 ctime_extra, mtime_extra, atime_extra, crtime, crtime_extra;
    u32 version_hi, projid;
};
BUILD_ASSERT(sizeof(struct ext_raw_inode) == 160);
#define EXT_GOOD_OLD_INODE 128u

struct ext_dirent {
    u32 inode;    // 0: unused
    u16 rec_len;  // to the next entry
    u8 name_len;
    u8 type;  // EXT_FT_, with FILETYPE
    char name[];
};
#define EXT_DIRENT_SIZE(name_len) (((name_len) + 8u + 3u) & ~3u)

// ---- in memory ----
struct ext_group {
    struct mutex lock;  // the group's two bitmaps and the next three
    u32 free_blocks, free_inodes, dirs;
    u32 block_bitmap, inode_bitmap, inode_table;  // [I]
};

struct ext_fs {
    struct super *sb;  // [I] as all below but for the last ones
    struct block_device *dev;
    const struct mapping_ops *device_ops;  // what the device's mapping had before the mount
    u32 block_bits, block_size;
    u32 blocks, inodes, groups;
    u32 blocks_per_group, inodes_per_group, first_block, first_ino, inode_size;
    u32 table_blocks;  // of one group's inode table
    u32 reserved;      // blocks for root
    bool filetype;
    bool must_stay_read_only;  // features that we may only read
    struct ext_group *group;
    u32 free_blocks, free_inodes;  // [a]
    bool started;                  // [a] marked "in use" on the disk by us
    bool failed;                   // [a] found corrupt
    u32 messages;                  // [a] printed so far
};

struct ext_index;
struct ext_inode {
    struct inode inode;
    struct mutex map_lock;       // guards block[] and the indirect blocks
    u32 block[EXT_BLOCKS];       // [map_lock] or the target of a short symlink
    u32 goal;                    // [map_lock] block after the last one allocated
    u32 flags, file_acl, dtime;  // [inode->lock]
    bool fresh;                  // not on disk yet: its slot is cleared first
    u32 hint;                    // [inode->lock] directory: block that may have room
    struct mutex index_lock;     // building of `index` by readers
    struct ext_index *index;     // [inode->lock] names of a large directory by hash, or NULL
};

static inline struct ext_fs *ext_fs(const struct super *sb) { return sb->private_; }
static inline struct ext_inode *ext_inode(const struct inode *i) {
    return container_of(i, struct ext_inode, inode);
}
static inline struct ext_fs *ext_fs_of(const struct ext_inode *e) { return e->inode.sb->private_; }

// Something on the disk is impossible: say so (a few times), stop writing. Returns -EIO.
int ext_corrupt(struct ext_fs *fs, const char *fmt, ...) __printf(2, 3);
static inline bool ext_block_ok(const struct ext_fs *fs, u32 block) {
    return block >= fs->first_block && block < fs->blocks;
}

// ---- meta.c: blocks of metadata in the device's page cache ----
struct ext_buf {
    struct page *page;
    void *data;
    u32 pieces;  // the block's bits in page->cache.private_, one for each KiB
};
int ext_bread(struct ext_fs *fs, u32 block, struct ext_buf *b);  // 0, -EIO, -ENOMEM
int ext_bzero(struct ext_fs *fs, u32 block, struct ext_buf *b);  // a new block: all zero, dirty
void ext_bdirty(struct ext_buf *b);
static inline void ext_bput(struct ext_buf *b) {
    if (b->page)
        page_put(b->page);
    b->page = NULL;
}
// Freed: what is dirty of it must not reach the disk
void ext_bforget(struct ext_fs *fs, u32 block);
int ext_meta_start(struct ext_fs *fs);
void ext_meta_stop(struct ext_fs *fs);

// Transfers of neighbouring blocks gathered into one.
struct ext_io {
    struct bio bio;
    int error;
};
void ext_io_begin(struct ext_io *io, enum bio_op op, struct block_device *dev);
void ext_io_add(struct ext_io *io, u64 sector, pa_t pa, u32 len);
int ext_io_end(struct ext_io *io);  // waits: 0 or -EIO

// ---- balloc.c, ialloc.c ----
int ext_alloc_block(struct ext_fs *fs, u32 goal, u32 *block);  // 0, -ENOSPC, -EIO
void ext_free_blocks(struct ext_fs *fs, u32 first, u32 n);
int ext_alloc_inode(struct ext_fs *fs, struct inode *dir, bool directory, u32 *ino);
void ext_free_inode(struct ext_fs *fs, u32 ino, bool directory);

// ---- map.c: where a file's blocks are ----
// => map_lock held. *out = 0: a hole, if not `create`. 0, -EIO, -ENOSPC, -EFBIG, -ENOMEM
int ext_map(struct ext_inode *e, u64 lblock, bool create, u32 *out);
int ext_truncate(struct ext_inode *e, u64 size);
extern const struct mapping_ops ext_file_mapping_ops;
int ext_reserve(struct inode *inode, struct page *p, u32 from, u32 to);
int ext_punch(struct inode *inode, u64 first, u64 end);

// ---- inode.c ----
int ext_read_inode(struct inode *inode);
int ext_write_inode(struct inode *inode);
void ext_evict(struct inode *inode);
void ext_set_ops(struct ext_inode *e);
int ext_resize(struct inode *inode, u64 size);
int ext_sync_inode(struct inode *inode, bool data_only);
ssize_t ext_read_link(struct inode *inode, char *buf);

// ---- dir.c, name.c ----
int ext_dir_find(struct inode *dir, const struct name *name, u32 *ino);  // *ino = 0: no such name
int ext_dir_add(struct inode *dir, const struct name *name, u32 ino, u32 mode);
int ext_dir_remove(struct inode *dir, const struct name *name);
int ext_dir_replace(struct inode *dir, const struct name *name, u32 ino, u32 mode);
int ext_dir_init(struct inode *dir, u32 parent);  // "." and ".."
int ext_dir_empty(struct inode *dir);             // 0, -ENOTEMPTY, -EIO
void ext_index_free(struct ext_inode *e);
extern const struct file_ops ext_dir_ops;
extern const struct inode_ops ext_dir_inode_ops;

#endif
