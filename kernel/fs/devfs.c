/*
 * devfs: the devices, and the file system "devtmpfs" that shows them under /dev.
 *
 * A character device is registered once with devfs_add() and found by its number when a node of it is opened,
 * whatever file system the node is in. Block devices register with drivers/blk.h.
 *
 * Every mount of devtmpfs is a tmpfs that starts with a node for each device known by then, the usual links and
 * the folders that init mounts on. After that it belongs to the users, who may add and remove names.
 *
 * Locks: devices_lock guards the list, which only grows; a device found in it may be used without.
 */
#include "abi/errno.h"
#include "drivers/blk.h"
#include "fs/file.h"
#include "fs/internal.h"
#include "fs/tmpfs.h"
#include "lib/printf.h"

struct chrdev {
    struct chrdev *next;  // [devices_lock] to change
    const char *name;
    u32 mode, devno;
    const struct file_ops *ops;
    void *private_;
};

static struct mutex devices_lock = MUTEX_INIT(devices_lock, RANK_REGISTRY, "devices");
static struct chrdev *devices;

static struct chrdev *chrdev_find(u32 devno) {
    struct chrdev *d = load_acquire(&devices);
    while (d && d->devno != devno)
        d = d->next;
    return d;
}

const struct file_ops *chrdev_ops(u32 devno) {
    struct chrdev *d = chrdev_find(devno);
    return d ? d->ops : NULL;
}

void *chrdev_private(u32 devno) {
    struct chrdev *d = chrdev_find(devno);
    return d ? d->private_ : NULL;
}

int devfs_add(const char *name, u32 mode, u32 devno, const struct file_ops *ops, void *private_) {
    struct chrdev *d = kmalloc(sizeof(*d), 0);
    if (!d)
        return -ENOMEM;
    *d = (struct chrdev){
        .name = name, .mode = mode, .devno = devno, .ops = ops, .private_ = private_};
    mutex_lock(&devices_lock);
    bool known = chrdev_find(devno);
    if (!known) {
        d->next = devices;
        store_release(&devices, d);
    }
    mutex_unlock(&devices_lock);
    if (known)
        kfree(d);
    return known ? -EEXIST : 0;
}

void devfs_show(struct printer *p) {
    for (struct chrdev *d = load_acquire(&devices); d; d = d->next)
        printer_printf(p, "%3u %s\n", d->devno >> 8, d->name);
}

static int add_node(struct inode *root, const char *name, u32 mode, u32 devno, const char *target) {
    struct inode *i = tmpfs_add(root, name, mode, devno, target);
    if (IS_ERR(i))
        return PTR_ERR(i);
    inode_put(i);
    return 0;
}

static int add_devices(struct inode *root) {
    int error = 0;
    for (struct chrdev *d = load_acquire(&devices); d && !error; d = d->next)
        error = add_node(root, d->name, S_IFCHR | d->mode, d->devno, NULL);
    struct block_device *b;
    list_for_each (b, &block_devices, link)
        if (!error)
            error = add_node(root, b->name, S_IFBLK | 0660, b->devno, NULL);
    return error;
}

static int add_names(struct inode *root) {
    static const struct {
        const char *name, *target;
        u32 mode;
    } names[] = {
        {"fd", "/proc/self/fd", S_IFLNK | 0777},
        {"stdin", "/proc/self/fd/0", S_IFLNK | 0777},
        {"stdout", "/proc/self/fd/1", S_IFLNK | 0777},
        {"stderr", "/proc/self/fd/2", S_IFLNK | 0777},
        {"shm", NULL, S_IFDIR | 01777},
        {"mqueue", NULL, S_IFDIR | 01777},
        {"pts", NULL, S_IFDIR | 0755},
    };
    int error = 0;
    for (size_t i = 0; i < ARRAY_SIZE(names) && !error; i++)
        error = add_node(root, names[i].name, names[i].mode, 0, names[i].target);
    return error;
}

static int devfs_mount(struct super *sb, const char *options) {
    int error = tmpfs_mount(sb, options);
    if (error)
        return error;
    struct inode *root = dentry_inode(sb->root);
    root->mode = S_IFDIR | 0755;
    error = add_devices(root);
    if (!error)
        error = add_names(root);
    if (error) {
        dentry_put(sb->root);
        inode_evict_super(sb);
        sb->ops->unmount(sb);
        sb->root = NULL;
    }
    return error;
}

static struct fs_type devfs_type = {.name = "devtmpfs", .mount = devfs_mount};

void devfs_init(void) {
    chrdev_init();
    fs_register(&devfs_type);
}
