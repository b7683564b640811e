// What the files of the fs room share among themselves.
#ifndef FS_INTERNAL_H
#define FS_INTERNAL_H

#include "abi/errno.h"
#include "abi/mount.h"
#include "arch/arch.h"
#include "check/race.h"
#include "fs/file.h"
#include "fs/vfs.h"
#include "lib/string.h"
#include "mm/slab.h"

// ---- dentry.c ----
// Hash of a name below a directory.
static inline u32 name_hash_step(u32 h, u8 c) { return (h ^ c) * 0x01000193; }
#define NAME_HASH_SEED 0x811c9dc5u
void dentry_init(void);
// Takes over the inode reference; NULL: out of memory
struct dentry *dentry_root(struct super *sb, struct inode *root);
static inline void dentry_get(struct dentry *d) { ref_get(&d->ref); }
// A name in `dir` that is never found, of a file without a link. Takes over the inode reference; NULL: out of memory
struct dentry *dentry_nameless(struct dentry *dir, const struct name *name, struct inode *inode);
void dentry_free(struct dentry *d);  // count fell to 0
static inline void dentry_put(struct dentry *d) {
    if (ref_put(&d->ref))
        dentry_free(d);
}
// The name, from the cache or the file system. => `dir` is a directory. ERR_PTR(-ENOENT for a removed directory, …)
struct dentry *dentry_lookup(struct dentry *dir, const struct name *name);
// The same. => dir's inode->lock held.
struct dentry *dentry_lookup_locked(struct dentry *dir, const struct name *name);
// A negative dentry now has an inode. => directory locked for writing; takes over the inode reference.
void dentry_fill(struct dentry *d, struct inode *inode);
// The name is gone from its directory. => directory locked for writing.
void dentry_delete(struct dentry *d);
// d becomes `name` in `dir`; what was cached there goes. => both directories and sb->rename_lock locked.
void dentry_move(struct dentry *d, struct dentry *dir, struct dentry *target);
bool dentry_unhashed(const struct dentry *d);
// d is top or inside; => sb->rename_lock held
bool dentry_is_below(const struct dentry *d, const struct dentry *top);
size_t dentry_shrink(size_t want);
void dentry_shrink_super(struct super *sb);
struct dentry *dentry_parent(struct dentry *d);  // with a reference

// ---- inode.c ----
void inode_init(void);
size_t inode_shrink(size_t want);
int inode_evict_super(struct super *sb);   // -EBUSY when some are in use
void inode_write_super(struct super *sb);  // attributes only, of all its dirty inodes
void super_list_init(struct super *sb);

// ---- mount.c ----
// Step from a mount point to what is mounted on it, and from the root of a mount to its mount point.
void mount_down(struct path *p);
bool mount_up(struct path *p);
void mount_put(struct mount *m);
static inline void mount_get(struct mount *m) { ref_get(&m->ref); }
void fs_root(struct path *out);  // of current, with references
static inline bool path_read_only(const struct path *p) {
    return p->mount->flags & MS_RDONLY || p->dentry->sb->read_only;
}

// ---- ext/super.c ----
void ext_init(void);

// ---- file.c ----
void file_init(void);
// A description of an inode at a path: takes over the path's references if it succeeds.
struct file *file_open_path(const struct path *p, int flags);

#endif
