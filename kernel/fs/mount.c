/*
 * Mounts: which file system is seen where; super blocks; and each task's current and root directory.
 *
 * A mount joins the root dentry of a super block to a dentry of its parent mount. A walk that comes to a dentry with
 * `mounted` set asks a small hash table by (parent mount, dentry). A mount in the tree has one reference for being there;
 * paths have the others; umount(2) wants there to be none. The last reference unmounts the super block's last use.
 *
 * Locks: mount_mutex for changes of the tree and the list of super blocks (may sleep, outermost); mount_lock, spinning,
 * for the hash table, which walks read; fs->lock for the two paths of a task.
 */
#include "abi/capability.h"
#include "drivers/blk.h"
#include "fs/internal.h"
#include "lib/hash.h"
#include "lib/printf.h"

#define MOUNT_CHAINS 64

static struct mutex mount_mutex = MUTEX_INIT(mount_mutex, RANK_MOUNT, "mounts");
static struct spinlock mount_lock = SPINLOCK_INIT(RANK_FS, "mounts");
static struct hlist_head chains[MOUNT_CHAINS];  // [mount_lock]
static struct list mounts = LIST_INIT(mounts);  // [mount_mutex]
static struct list supers = LIST_INIT(supers);  // [mount_mutex]
static struct fs_type *types;                   // only grows, at boot
static u32 next_anonymous = 1;  // [mount_mutex] minor number for those without a device
static struct mount *root_mount;

struct fs_context init_fs = {
    .ref = {1},
    .lock = SPINLOCK_INIT(RANK_FS, "fs"),
    .umask = 022,
};

// ---- types ----

void fs_register(struct fs_type *t) {
    struct fs_type **at = &types;
    while (*at)
        at = &(*at)->next;
    t->next = NULL;
    *at = t;
}

static struct fs_type *fs_find(const char *name) {
    struct fs_type *t = types;
    while (t && strcmp(t->name, name) != 0)
        t = t->next;
    return t;
}

void fs_show_types(struct printer *p) {
    for (struct fs_type *t = types; t; t = t->next)
        printer_printf(p, "%s\t%s\n", t->needs_device ? "" : "nodev", t->name);
}

// ---- super blocks ----

static void super_free(struct super *sb) { kfree(sb); }

// A new super block, filled by its type. => mount_mutex held
static struct super *super_create(struct fs_type *type, struct block_device *dev, bool read_only,
                                  const char *options) {
    struct super *sb = kzalloc(sizeof(*sb));
    if (!sb)
        return ERR_PTR(-ENOMEM);
    sb->type = type;
    sb->dev = dev;
    sb->devno = dev ? dev->devno : next_anonymous++;
    sb->read_only = read_only || (dev && dev->read_only);
    sb->max_size = ~0ul >> 1;
    sb->block_size = PAGE_SIZE;
    mutex_init(&sb->rename_lock, RANK_RENAME, "rename");
    super_list_init(sb);
    int error = type->mount(sb, options);
    if (error) {
        inode_evict_super(sb);
        super_free(sb);
        return ERR_PTR(error);
    }
    sb->mounts = 1;
    list_add_tail(&sb->link, &supers);
    return sb;
}

// => mount_mutex held. A device that is mounted already is shared.
static struct super *super_get(struct fs_type *type, struct block_device *dev, bool read_only,
                               const char *options) {
    struct super *sb;
    list_for_each (sb, &supers, link)
        if (dev ? sb->dev == dev : type->single && sb->type == type) {
            if (sb->type != type || (sb->read_only && !read_only))
                return ERR_PTR(-EBUSY);
            sb->mounts++;
            return sb;
        }
    return super_create(type, dev, read_only, options);
}

// 0, or the error of a write that failed meanwhile. => mount_mutex held
static int vfs_sync_super(struct super *sb) {
    if (sb->read_only)
        return 0;
    int error = inode_sync_super(sb);
    int error2 = sb->ops->sync ? sb->ops->sync(sb, true) : 0;
    return error ? error : error2;
}

static void super_put(struct super *sb) {
    mutex_lock(&mount_mutex);
    if (--sb->mounts > 0)
        goto unlock;
    list_del(&sb->link);
    vfs_sync_super(sb);
    dentry_shrink_super(sb);
    dentry_put(sb->root);
    int error = inode_evict_super(sb);
    if (sb->ops->unmount)
        sb->ops->unmount(sb);
    if (error)
        kprintf("vfs: %s: inodes in use after unmounting\n", sb->type->name);
    else
        super_free(sb);
unlock:
    mutex_unlock(&mount_mutex);
}

int vfs_syncfs(struct super *sb) {
    mutex_lock(&mount_mutex);
    int error = vfs_sync_super(sb);
    mutex_unlock(&mount_mutex);
    return error;
}

void vfs_sync(void) {
    struct super *sb;
    mutex_lock(&mount_mutex);
    list_for_each (sb, &supers, link)
        vfs_sync_super(sb);
    mutex_unlock(&mount_mutex);
    pagecache_sync_all();
}

// For the flush thread: attributes into the disk's buffers.
static void vfs_write_inodes(void) {
    struct super *sb;
    mutex_lock(&mount_mutex);
    list_for_each (sb, &supers, link)
        inode_write_super(sb);
    mutex_unlock(&mount_mutex);
}

// Free up to `want` unused dentries and inodes: how many. Does no I/O.
static size_t vfs_shrink(size_t want) {
    size_t freed = dentry_shrink(want);
    return freed + inode_shrink(want);
}

// ---- the tree of mounts ----

static struct hlist_head *chain_of(const struct mount *parent, const struct dentry *point) {
    return &chains[hash_u64((u64)parent ^ (u64)point << 7) % MOUNT_CHAINS];
}

// => mount_lock held
static struct mount *find_locked(const struct path *p) {
    struct mount *m;
    assert_held(&mount_lock);
    hlist_for_each (m, chain_of(p->mount, p->dentry), hash)
        if (m->parent == p->mount && m->point == p->dentry)
            return m;
    return NULL;
}

void mount_down(struct path *p) {
    while (load_relaxed(&p->dentry->mounted)) {
        spin_lock(&mount_lock);
        struct mount *m = find_locked(p);
        if (m)
            mount_get(m);
        spin_unlock(&mount_lock);
        if (!m)
            return;
        dentry_get(m->root);
        path_put(p);
        *p = (struct path){m, m->root};
    }
}

bool mount_up(struct path *p) {
    struct path up;
    spin_lock(&mount_lock);
    up = (struct path){p->mount->parent, p->mount->point};
    if (up.dentry)
        path_get(&up);
    spin_unlock(&mount_lock);
    if (!up.dentry)
        return false;
    path_put(p);
    *p = up;
    return true;
}

void mount_put(struct mount *m) {
    if (likely(!ref_put(&m->ref)))
        return;
    struct super *sb = m->sb;
    dentry_put(m->root);
    kfree(m);
    super_put(sb);
}

// Takes over the super block's use and a reference to root if it succeeds.
static struct mount *mount_create(struct super *sb, struct dentry *root, u32 flags,
                                  const char *source) {
    struct mount *m = kzalloc(sizeof(*m));
    if (!m)
        return NULL;
    ref_init(&m->ref);
    m->sb = sb;
    m->root = root;
    m->flags = flags;
    strlcpy(m->source, source, sizeof(m->source));
    return m;
}

// => mount_mutex held
static bool in_tree(const struct mount *m) { return m->point || m == root_mount; }

// May something be mounted on p? What nobody comes to any more could not be unmounted either. => mount_mutex held
static int mount_point_error(const struct path *p) {
    if (dentry_unhashed(p->dentry))
        return -ENOENT;
    return in_tree(p->mount) ? 0 : -EINVAL;
}

// Put m on top of p, whose references it takes. => mount_mutex held
static void mount_attach(struct mount *m, struct path *p) {
    mount_down(p);
    spin_lock(&mount_lock);
    m->parent = p->mount;
    m->point = p->dentry;
    atomic_add(&p->dentry->mounted, 1);
    hlist_add(&m->hash, chain_of(m->parent, m->point));
    spin_unlock(&mount_lock);
    list_add_tail(&m->link, &mounts);
}

#define MOUNT_FLAGS                                                                                \
    (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME | MS_NOSYMFOLLOW)

// The device a path or a bare name ("/dev/vdb", "vdb") stands for. 0, -ENOENT, -ENOTBLK, -ENXIO
static int find_device(const char *source, struct block_device **out) {
    struct path p;
    *out = blk_find(source);
    if (*out)
        return 0;
    int error = root_mount ? path_lookup(AT_FDCWD, source, LOOKUP_FOLLOW, &p) : -ENXIO;
    if (error)
        return error;
    struct inode *inode = dentry_inode(p.dentry);
    error = S_ISBLK(inode->mode) ? 0 : -ENOTBLK;
    if (error == 0 && !(*out = blk_find_devno(inode->rdev)))
        error = -ENXIO;
    path_put(&p);
    return error;
}

// => mount_mutex held. ERR_PTR
static struct mount *mount_new(struct fs_type *type, const char *source, u32 flags,
                               const char *options) {
    struct block_device *dev = NULL;
    int error = type->needs_device ? find_device(source, &dev) : 0;
    if (error)
        return ERR_PTR(error);
    struct super *sb = super_get(type, dev, flags & MS_RDONLY, options);
    if (IS_ERR(sb))
        return (void *)sb;
    struct mount *m = mount_create(sb, sb->root, flags & MOUNT_FLAGS, source);
    if (m) {
        dentry_get(sb->root);
        return m;
    }
    mutex_unlock(&mount_mutex);
    super_put(sb);
    mutex_lock(&mount_mutex);
    return NULL;
}

struct mount *vfs_mount_kernel(const char *type) {
    struct fs_type *t = fs_find(type);
    mutex_lock(&mount_mutex);
    struct mount *m = t ? mount_new(t, type, 0, "") : ERR_PTR(-ENODEV);
    mutex_unlock(&mount_mutex);
    return m ? m : ERR_PTR(-ENOMEM);
}

// What mount(2) may be given: a pipe by way of /proc/self/fd has a name, but is on no mount of the tree. 0 or errno
static int lookup_mounted(const char *name, struct path *out) {
    int error = path_lookup(AT_FDCWD, name, LOOKUP_FOLLOW, out);
    if (error || out->mount->sb)
        return error;
    path_put(out);
    return -EINVAL;
}

// => mount_mutex held. Sees the tree below `source` at a second place.
static struct mount *mount_bind(const char *source, u32 flags) {
    struct path p;
    int error = lookup_mounted(source, &p);
    if (error)
        return ERR_PTR(error);
    struct mount *m =
        mount_create(p.mount->sb, p.dentry, p.mount->flags | (flags & MS_RDONLY), p.mount->source);
    if (m) {
        m->sb->mounts++;
        dentry_get(m->root);
    }
    mutex_unlock(&mount_mutex);  // putting a path may unmount
    path_put(&p);
    mutex_lock(&mount_mutex);
    return m ? m : ERR_PTR(-ENOMEM);
}

// Only the mount changes; a super block that was mounted read-only stays so.
static int remount(const struct path *p, u32 flags) {
    struct super *sb = p->mount->sb;
    if (p->dentry != p->mount->root)
        return -EINVAL;
    if (!(flags & MS_RDONLY) && sb->read_only) {
        int error = sb->ops->make_writable ? sb->ops->make_writable(sb) : -EROFS;
        if (error)
            return error;
    }
    if (flags & MS_RDONLY)
        vfs_sync_super(sb);
    p->mount->flags = flags & MOUNT_FLAGS;
    return 0;
}

int vfs_mount(const char *source, const char *target, const char *type, u64 flags,
              const char *options) {
    struct path p;
    struct mount *m;
    if (!capable(CAP_SYS_ADMIN))
        return -EPERM;
    int error = lookup_mounted(target, &p);
    if (error)
        return error;
    struct fs_type *t = type ? fs_find(type) : NULL;
    bool plain = !(flags & (MS_REMOUNT | MS_BIND | MS_MOVE | MS_PRIVATE | MS_SLAVE | MS_SHARED |
                            MS_UNBINDABLE));
    mutex_lock(&mount_mutex);
    if (flags & MS_REMOUNT) {
        error = remount(&p, flags);
        goto unlock;
    }
    if (flags & MS_MOVE)
        error = -EINVAL;
    else if (plain && !t)
        error = -ENODEV;
    if (error || (!plain && !(flags & MS_BIND)))  // propagation: there are no other name spaces
        goto unlock;
    m = flags & MS_BIND ? mount_bind(source, flags) : mount_new(t, source, flags, options);
    if (!m || IS_ERR(m)) {
        error = m ? PTR_ERR(m) : -ENOMEM;
        goto unlock;
    }
    error = mount_point_error(&p);
    if (inode_is_dir(dentry_inode(m->root)) != inode_is_dir(dentry_inode(p.dentry)))
        error = -ENOTDIR;
    if (error) {
        mutex_unlock(&mount_mutex);
        mount_put(m);
        path_put(&p);
        return error;
    }
    mount_attach(m, &p);
    mutex_unlock(&mount_mutex);
    return 0;
unlock:
    mutex_unlock(&mount_mutex);
    path_put(&p);
    return error;
}

// A mount on m, or NULL. => mount_mutex held
static struct mount *mount_child(const struct mount *m) {
    struct mount *child;
    list_for_each (child, &mounts, link)
        if (child->parent == m)
            return child;
    return NULL;
}

// The next to detach of m and, with MNT_DETACH, those on it: one that has none on it. => mount_mutex held
static struct mount *mount_leaf(struct mount *m, int flags) {
    struct mount *child;
    while (flags & MNT_DETACH && (child = mount_child(m)))
        m = child;
    return m;
}

// => mount_mutex held, p has a reference to the mount
static int mount_detach(struct mount *m, int flags, struct path *at) {
    if (mount_child(m))
        return -EBUSY;
    spin_lock(&mount_lock);
    bool busy = ref_read(&m->ref) > 2 && !(flags & MNT_DETACH);
    if (!busy) {
        hlist_del(&m->hash);
        atomic_sub(&m->point->mounted, 1);
        *at = (struct path){m->parent, m->point};
        m->parent = NULL;
        m->point = NULL;
    }
    spin_unlock(&mount_lock);
    if (busy)
        return -EBUSY;
    list_del(&m->link);
    return 0;
}

// Unmount p.mount, or what is to go before it, in *done. => p has a reference
static int umount_one(const struct path *p, int flags, struct mount **done) {
    struct path at;
    mutex_lock(&mount_mutex);
    *done = mount_leaf(p->mount, flags);
    int error = -EINVAL;
    if (p->dentry == p->mount->root && in_tree(p->mount))
        error = p->mount == root_mount ? -EBUSY : mount_detach(*done, flags, &at);
    mutex_unlock(&mount_mutex);
    if (error)
        return error;
    path_put(&at);
    mount_put(*done);  // the reference for being in the tree
    return 0;
}

int vfs_umount(const char *target, int flags) {
    struct path p;
    struct mount *done;
    if (!capable(CAP_SYS_ADMIN))
        return -EPERM;
    if (flags & ~(MNT_FORCE | MNT_DETACH | UMOUNT_NOFOLLOW))
        return -EINVAL;
    int error = path_lookup(AT_FDCWD, target, flags & UMOUNT_NOFOLLOW ? 0 : LOOKUP_FOLLOW, &p);
    if (error)
        return error;
    do
        error = umount_one(&p, flags, &done);
    while (error == 0 && done != p.mount);
    path_put(&p);
    return error;
}

int vfs_mount_root(const char *device, bool read_only) {
    struct mount *m = NULL;
    int error = -ENODEV;
    mutex_lock(&mount_mutex);
    for (struct fs_type *t = types; t; t = t->next) {
        if (!t->needs_device)
            continue;
        m = mount_new(t, device, read_only ? MS_RDONLY : 0, NULL);
        error = !m ? -ENOMEM : IS_ERR(m) ? PTR_ERR(m) : 0;
        if (error != -EINVAL)
            break;
    }
    if (error == 0) {
        list_add_tail(&m->link, &mounts);
        root_mount = m;
        init_fs.root = init_fs.cwd = (struct path){m, m->root};
        path_get(&init_fs.root);
        path_get(&init_fs.cwd);
    }
    mutex_unlock(&mount_mutex);
    return error;
}

// ---- /proc/mounts ----

static const char *options_of(const struct mount *m) {
    return m->flags & MS_RDONLY || m->sb->read_only ? "ro" : "rw";
}

static void show_options(struct printer *p, const struct mount *m) {
    static const struct {
        u32 flag;
        const char *text;
    } names[] = {
        {MS_NOSUID, ",nosuid"},
        {MS_NODEV, ",nodev"},
        {MS_NOEXEC, ",noexec"},
        {MS_NOATIME, ",noatime"},
    };
    printer_printf(p, "%s", options_of(m));
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (m->flags & names[i].flag)
            printer_printf(p, "%s", names[i].text);
    if (!(m->flags & MS_NOATIME))
        printer_printf(p, ",relatime");
}

static void show_mount(struct printer *p, struct mount *m, char *buf, bool info) {
    struct path at = {m, m->root};
    if (path_string(&at, buf, PATH_MAX) < 0)
        return;
    if (!info) {
        printer_printf(p, "%s %s %s ", m->source, buf, m->sb->type->name);
        show_options(p, m);
        printer_printf(p, " 0 0\n");
        return;
    }
    u32 dev = m->sb->devno, id = mount_id(m), parent = m->parent ? mount_id(m->parent) : id;
    printer_printf(p, "%u %u %u:%u / %s ", id, parent, ABI_MAJOR(dev), ABI_MINOR(dev), buf);
    show_options(p, m);
    printer_printf(p, " - %s %s %s\n", m->sb->type->name, m->source, options_of(m));
}

static void show_all(struct printer *p, bool info) {
    struct mount *m;
    char *buf = kmalloc(PATH_MAX, 0);
    if (!buf)
        return;
    mutex_lock(&mount_mutex);
    list_for_each (m, &mounts, link)
        show_mount(p, m, buf, info);
    mutex_unlock(&mount_mutex);
    kfree(buf);
}

void vfs_show_mounts(struct printer *p) { show_all(p, false); }
void vfs_show_mountinfo(struct printer *p) { show_all(p, true); }

// ---- current and root directory ----

void fs_root(struct path *out) {
    struct fs_context *fs = current->fs;
    spin_lock(&fs->lock);
    *out = fs->root;
    path_get(out);
    spin_unlock(&fs->lock);
}

struct fs_context *fs_context_copy(const struct fs_context *from) {
    struct fs_context *fs = kzalloc(sizeof(*fs)), *source = (struct fs_context *)from;
    if (!fs)
        return NULL;
    ref_init(&fs->ref);
    spin_init(&fs->lock, RANK_FS, "fs");
    spin_lock(&source->lock);
    fs->cwd = from->cwd;
    fs->root = from->root;
    fs->umask = from->umask;
    if (fs->root.mount) {
        path_get(&fs->cwd);
        path_get(&fs->root);
    }
    spin_unlock(&source->lock);
    return fs;
}

void fs_context_put(struct fs_context *fs) {
    if (!ref_put(&fs->ref))
        return;
    if (fs->root.mount) {
        path_put(&fs->cwd);
        path_put(&fs->root);
    }
    kfree(fs);
}

static int set_path(struct path *slot, const struct path *p) {
    struct fs_context *fs = current->fs;
    const struct inode *inode = dentry_inode(p->dentry);
    int error = inode_is_dir(inode) ? inode_permission(inode, 1) : -ENOTDIR;
    if (error)
        return error;
    path_get(p);
    spin_lock(&fs->lock);
    struct path old = *slot;
    *slot = *p;
    spin_unlock(&fs->lock);
    path_put(&old);
    return 0;
}

int fs_chdir(const struct path *p) { return set_path(&current->fs->cwd, p); }
int fs_chroot(const struct path *p) {
    return capable(CAP_SYS_CHROOT) ? set_path(&current->fs->root, p) : -EPERM;
}

void vfs_init(void) {
    dentry_init();
    inode_init();
    file_init();
    ext_init();
    flush_first = vfs_write_inodes;
    cache_shrink = vfs_shrink;
}
