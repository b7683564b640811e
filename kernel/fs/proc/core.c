/*
 * procfs and sysfs: files whose content is made when somebody reads them.
 *
 * Fixed files are a tree of `struct proc_entry`, registered by path with proc_add(); the same code serves /sys with
 * a second tree; their names are cached (INODE_LASTING). What belongs to tasks is in tasks.c and taskfiles.c. An inode of that
 * is only a handle: each lookup makes a new one that goes with its last user, and the name cache asks again every
 * time (sb->uncached), for tasks come and go without telling.
 *
 * A generated file keeps its text per description. It is made when reading starts at position 0, so one pass
 * over the file sees one moment, and a program that rewinds sees the present.
 *
 * Locks: entries_lock for changes of the trees; they only grow, so readers take none. An open file's text has
 * its own lock, below which showing may take almost any other and sleep.
 */
#include "fs/proc/internal.h"

#include "mm/uaccess.h"

#define TEXT_MAX MIB(4)
#define FIRST_TASK_POS 0x10000ul  // readdir positions of /proc: first the fixed names

struct proc_entry proc_root = {.mode = S_IFDIR | 0555, .ino = 1};
struct proc_entry sys_root = {.mode = S_IFDIR | 0555, .ino = 1};
static struct mutex entries_lock = MUTEX_INIT(entries_lock, RANK_REGISTRY, "proc entries");
static u64 last_ino = 1;  // [entries_lock]
static struct slab_cache *inode_cache;

// ---- entries ----

static struct proc_entry *entry_child(struct proc_entry *dir, const struct name *name) {
    struct proc_entry *e = load_acquire(&dir->children);
    while (e && !(e->len == name->len && memcmp(e->name, name->s, e->len) == 0))
        e = load_acquire(&e->next);
    return e;
}

// => entries_lock held. NULL: out of memory
static struct proc_entry *entry_create(struct proc_entry *dir, const struct name *name, u32 mode) {
    struct proc_entry *e = kzalloc(sizeof(*e));
    if (!e)
        return NULL;
    e->name = name->s;
    e->len = name->len;
    e->mode = mode;
    e->ino = ++last_ino;
    struct proc_entry **end = &dir->children;
    while (*end)
        end = &(*end)->next;
    store_release(end, e);
    return e;
}

// The entry for a path that does not exist yet; folders on the way are made. => entries_lock held. ERR_PTR
static struct proc_entry *entry_make(struct proc_entry *dir, const char *path,
                                     const struct proc_entry *content) {
    for (;;) {
        const char *slash = strchr(path, '/');
        struct name name = {.s = path, .len = slash ? (u32)(slash - path) : strlen(path)};
        struct proc_entry *e = entry_child(dir, &name);
        if (!slash) {
            if (e)
                return ERR_PTR(-EEXIST);
            e = entry_create(dir, &name, content->mode);
            if (!e)
                return ERR_PTR(-ENOMEM);
            e->show = content->show;
            e->write = content->write;
            e->number = content->number;
            e->most = content->most;
            e->link = content->link;
            e->fops = content->fops;
            return e;
        }
        if (!e)
            e = entry_create(dir, &name, S_IFDIR | 0555);
        if (!e)
            return ERR_PTR(-ENOMEM);
        dir = e;
        path = slash + 1;
    }
}

static int entry_add(struct proc_entry *root, const char *path, const struct proc_entry *content) {
    mutex_lock(&entries_lock);
    struct proc_entry *e = entry_make(root, path, content);
    mutex_unlock(&entries_lock);
    return IS_ERR(e) ? PTR_ERR(e) : 0;
}

int proc_add(const char *path, u32 mode, void (*show)(struct printer *),
             int (*write)(const char *, size_t)) {
    return entry_add(&proc_root, path,
                     &(struct proc_entry){.mode = S_IFREG | mode, .show = show, .write = write});
}

int proc_add_number(const char *path, u64 *number, u64 most) {
    return entry_add(&proc_root, path,
                     &(struct proc_entry){.mode = S_IFREG | 0644, .number = number, .most = most});
}

int proc_add_ops(const char *path, u32 mode, const struct file_ops *fops) {
    return entry_add(&proc_root, path, &(struct proc_entry){.mode = S_IFREG | mode, .fops = fops});
}

int sysfs_add(const char *path, u32 mode, void (*show)(struct printer *)) {
    return entry_add(&sys_root, path, &(struct proc_entry){.mode = S_IFREG | mode, .show = show});
}

int proc_add_link(struct proc_entry *root, const char *path, ssize_t (*link)(char *buf)) {
    return entry_add(root, path, &(struct proc_entry){.mode = S_IFLNK | 0777, .link = link});
}

// ---- inodes ----

static struct inode *proc_alloc(struct super *sb) {
    (void)sb;
    struct proc_inode *pi = slab_alloc(inode_cache, ALLOC_ZERO);
    return pi ? &pi->inode : NULL;
}

static void proc_free(struct inode *inode) { slab_free(inode_cache, proc_i(inode)); }

struct inode *proc_inode_new(struct super *sb, u64 ino, u32 mode, const struct inode_ops *ops,
                             const struct file_ops *fops) {
    struct inode *inode = inode_new(sb, ino, mode);
    if (IS_ERR(inode))
        return inode;
    inode->ops = ops;
    inode->fops = fops;
    inode->uid = inode->gid = 0;
    if (S_ISDIR(mode))
        inode->nlink = 2;
    return inode;
}

bool name_number(const struct name *name, int *nr) {
    int n = 0;
    if (name->len == 0 || name->len > 7 || (name->s[0] == '0' && name->len > 1))
        return false;
    for (u32 i = 0; i < name->len; i++) {
        if (name->s[i] < '0' || name->s[i] > '9')
            return false;
        n = n * 10 + (name->s[i] - '0');
    }
    *nr = n;
    return true;
}

static const struct inode_ops fixed_inode_ops;
static const struct file_ops fixed_dir_ops;

static struct inode *fixed_inode(struct super *sb, struct proc_entry *e) {
    const struct file_ops *fops = e->fops ? e->fops : &generated_ops;
    struct inode *inode = proc_inode_new(sb, e->ino, e->mode, &fixed_inode_ops,
                                         S_ISDIR(e->mode) ? &fixed_dir_ops : fops);
    if (!IS_ERR(inode)) {
        proc_i(inode)->entry = e;
        inode->state = INODE_LASTING;
    }
    return inode;
}

static struct inode *fixed_lookup(struct inode *dir, const struct name *name) {
    struct proc_entry *parent = proc_i(dir)->entry;
    int nr;
    if (parent == &proc_root && name_number(name, &nr))
        return task_dir_lookup(dir->sb, nr);
    struct proc_entry *e = entry_child(parent, name);
    return e ? fixed_inode(dir->sb, e) : NULL;
}

static ssize_t fixed_read_link(struct inode *inode, char *buf) {
    struct proc_entry *e = proc_i(inode)->entry;
    return e->link ? e->link(buf) : -EINVAL;
}

// Names cannot be made or removed: the operations that would are absent, and truncating (O_TRUNC) does nothing.
static int ignore_resize(struct inode *inode, u64 size) {
    (void)size;
    inode->size = 0;
    return 0;
}

static const struct inode_ops fixed_inode_ops = {
    .lookup = fixed_lookup, .read_link = fixed_read_link, .resize = ignore_resize};
const struct inode_ops plain_inode_ops = {.resize = ignore_resize};

// ---- folders ----

bool emit_dots(struct file *f, struct dir_emit *e, u64 *pos) {
    if (*pos == 0) {
        if (!e->entry(e, ".", 1, f->inode->ino, DT_DIR, 1))
            return false;
        *pos = 1;
    }
    if (*pos == 1) {
        struct dentry *up = dentry_parent(f->path.dentry);
        bool room = e->entry(e, "..", 2, dentry_inode(up)->ino, DT_DIR, 2);
        dentry_put(up);
        if (!room)
            return false;
        *pos = 2;
    }
    return true;
}

static int fixed_readdir(struct file *f, struct dir_emit *e, u64 *pos) {
    struct proc_entry *dir = proc_i(f->inode)->entry;
    u64 at = 2;
    if (!emit_dots(f, e, pos))
        return 0;
    for (struct proc_entry *c = load_acquire(&dir->children); c; c = load_acquire(&c->next), at++) {
        if (at < *pos)
            continue;
        if (!e->entry(e, c->name, c->len, c->ino, IFTODT(c->mode), at + 1))
            return 0;
        *pos = at + 1;
    }
    return dir == &proc_root ? task_dirs_readdir(e, pos, FIRST_TASK_POS) : 0;
}

static const struct file_ops fixed_dir_ops = {
    .read = read_is_dir, .seek = dir_seek, .readdir = fixed_readdir, .poll = poll_always};

// ---- generated text ----

struct text {
    struct mutex lock;  // guards the rest
    struct printer printer;
    char *data;
    size_t used, size;
    bool made, too_big;
};

static void text_put(struct printer *p, const char *s, size_t n) {
    struct text *t = container_of(p, struct text, printer);
    if (t->used + n > t->size && !t->too_big) {
        size_t size = max(t->size * 2, (size_t)512);
        while (size < t->used + n)
            size *= 2;
        char *bigger = size <= TEXT_MAX ? kmalloc(size, 0) : NULL;
        if (bigger) {
            if (t->used)
                memcpy(bigger, t->data, t->used);
            kfree(t->data);
            t->data = bigger;
            t->size = size;
        } else {
            t->too_big = true;
        }
    }
    if (t->too_big)
        return;
    memcpy(t->data + t->used, s, n);
    t->used += n;
}

static int task_show(struct inode *inode, struct printer *p) {
    const struct task_entry *e = proc_i(inode)->task_entry;
    struct task *t = node_task(inode);
    if (!t)
        return -ESRCH;
    int error = -EINVAL;
    if (e->private_ && !task_may_look(t))
        error = -EACCES;
    else if (e->show_fd)
        error = e->show_fd(p, t, proc_i(inode)->fd);
    else if (e->show)
        error = e->show(p, t);
    task_put(t);
    return error;
}

// => t->lock held. 0, -ENOMEM, -ESRCH, -EACCES …
static int text_make(struct inode *inode, struct text *t) {
    struct proc_inode *pi = proc_i(inode);
    int error = 0;
    t->used = 0;
    t->too_big = false;
    if (pi->task_entry)
        error = task_show(inode, &t->printer);
    else if (pi->entry->number)
        printer_printf(&t->printer, "%lu\n", READ_ONCE(*pi->entry->number));
    else if (pi->entry->show)
        pi->entry->show(&t->printer);
    else
        error = -EINVAL;
    if (!error && t->too_big)
        error = -ENOMEM;
    t->made = !error;
    return error;
}

static int generated_open(struct inode *inode, struct file *f) {
    struct text *t = kzalloc(sizeof(*t));
    (void)inode;
    if (!t)
        return -ENOMEM;
    t->printer.put = text_put;
    mutex_init(&t->lock, RANK_SHOWN, "proc text");
    f->private_ = t;
    return 0;
}

static void generated_release(struct file *f) {
    struct text *t = f->private_;
    kfree(t->data);
    kfree(t);
}

static ssize_t generated_read(struct file *f, struct iter *to, u64 *pos) {
    struct text *t = f->private_;
    ssize_t result = 0;
    mutex_lock(&t->lock);
    if (*pos == 0 || !t->made)
        result = text_make(f->inode, t);
    if (result == 0 && *pos < t->used && to->left) {
        result = iter_put(to, t->data + *pos, t->used - *pos);
        *pos += result;
        if (result == 0)
            result = -EFAULT;
    }
    mutex_unlock(&t->lock);
    return result;
}

static int write_number(const struct proc_entry *e, const char *text) {
    u64 value;
    if (parse_u64(text, &value) || value > e->most)
        return -EINVAL;
    WRITE_ONCE(*e->number, value);
    return 0;
}

static int write_text(struct inode *inode, const char *text, size_t n) {
    struct proc_inode *pi = proc_i(inode);
    if (!pi->task_entry && pi->entry->number)
        return write_number(pi->entry, text);
    if (!pi->task_entry)
        return pi->entry->write ? pi->entry->write(text, n) : -EIO;
    if (!pi->task_entry->write)
        return -EIO;
    struct task *t = node_task(inode);
    if (!t)
        return -ESRCH;
    int error = task_may_look(t) ? pi->task_entry->write(t, text, n) : -EACCES;
    task_put(t);
    return error;
}

static ssize_t generated_write(struct file *f, struct iter *from, u64 *pos) {
    size_t n = from->left;
    (void)pos;
    if (n == 0)
        return 0;
    if (n >= PAGE_SIZE)
        return -EINVAL;
    char *text = kmalloc(n + 1, 0);
    if (!text)
        return -ENOMEM;
    int error = iter_get(from, text, n) == n ? 0 : -EFAULT;
    size_t end = n;
    while (end && text[end - 1] == '\n')
        end--;
    text[end] = 0;
    if (!error)
        error = write_text(f->inode, text, end);
    kfree(text);
    return error ? error : (ssize_t)n;
}

s64 plain_seek(struct file *f, s64 offset, int whence) {
    s64 to = offset;
    if (whence == SEEK_CUR && __builtin_add_overflow((s64)f->pos, offset, &to))
        return -EOVERFLOW;
    if ((whence != SEEK_SET && whence != SEEK_CUR) || to < 0)
        return -EINVAL;
    f->pos = to;
    return to;
}

const struct file_ops generated_ops = {
    .open = generated_open,
    .release = generated_release,
    .read = generated_read,
    .write = generated_write,
    .seek = plain_seek,
    .poll = poll_always,
};

// ---- super blocks ----

static int proc_statfs(struct super *sb, struct statfs *st) {
    st->f_type = sb->private_ == &proc_root ? PROC_SUPER_MAGIC : SYSFS_MAGIC;
    st->f_bsize = st->f_frsize = PAGE_SIZE;
    st->f_namelen = NAME_MAX;
    return 0;
}

static void proc_unmount(struct super *sb) { sb->private_ = NULL; }

static const struct super_ops proc_super_ops = {
    .alloc = proc_alloc, .free = proc_free, .statfs = proc_statfs, .unmount = proc_unmount};

static int mount_tree(struct super *sb, struct proc_entry *tree) {
    sb->ops = &proc_super_ops;
    sb->block_size = PAGE_SIZE;
    sb->max_size = INT64_MAX;
    sb->uncached = true;
    sb->private_ = tree;
    struct inode *root = fixed_inode(sb, tree);
    if (IS_ERR(root))
        return PTR_ERR(root);
    sb->root = dentry_root(sb, root);
    if (sb->root)
        return 0;
    inode_put(root);
    return -ENOMEM;
}

static int proc_mount(struct super *sb, const char *options) {
    (void)options;
    return mount_tree(sb, &proc_root);
}

static int sysfs_mount(struct super *sb, const char *options) {
    (void)options;
    return mount_tree(sb, &sys_root);
}

static struct fs_type proc_type = {.name = "proc", .mount = proc_mount};
static struct fs_type sysfs_type = {.name = "sysfs", .mount = sysfs_mount};

void procfs_init(void) {
    inode_cache = slab_create("proc_inode", sizeof(struct proc_inode), 0);
    assert(inode_cache);
    task_links_init();
    system_files_init();
    trace_files_init();
    fs_register(&proc_type);
    fs_register(&sysfs_type);
}
