/*
 * Paths: from text to dentries, and the calls that make, link, remove and rename names. path_resolution(7).
 *
 * A walk holds one path (mount and dentry, with references) and the text still to go. It takes one component at
 * a time: "." and "..", else the name cache or the file system; then it steps onto what is mounted there, or puts a
 * symbolic link's target in front of the rest of the text. No lock is held between components.
 *
 * walk_parent() stops in the directory of the last component, which each call treats in its own way; after a link
 * was put in place of the last component it is called again.
 *
 * Locks: a directory's inode->lock (read for lookup, write for change). Two directories are locked with
 * sb->rename_lock held when they differ: it freezes the tree, so that "is it below" has an answer. The ancestor is
 * locked first, otherwise the lower address.
 */
#include "abi/capability.h"
#include "fs/internal.h"
#include "mm/uaccess.h"

struct walk {
    struct path at;    // where we are; with references
    const char *rest;  // text to go
    char *buffer;      // what `rest` points into after a link, or NULL
    u32 links;         // followed so far
    struct name last;  // of walk_parent; len 0: the path ended at `at`
    bool trailing;     // slashes follow `last`
    const char *what;  // `target` of a file that is made
};

void path_get(const struct path *p) {
    mount_get(p->mount);
    dentry_get(p->dentry);
}

void path_put(const struct path *p) {
    dentry_put(p->dentry);
    mount_put(p->mount);
}

static inline bool is_dot(const struct name *n) { return n->len == 1 && n->s[0] == '.'; }
static inline bool is_dotdot(const struct name *n) {
    return n->len == 2 && n->s[0] == '.' && n->s[1] == '.';
}
static inline bool is_normal(const struct name *n) { return n->len && !is_dot(n) && !is_dotdot(n); }

static inline int may_search(const struct inode *dir) {
    if (!inode_is_dir(dir))
        return -ENOTDIR;
    if (likely((dir->mode & 0111) == 0111 || capable(CAP_DAC_READ_SEARCH)))
        return 0;
    return inode_permission(dir, 1);
}

static int walk_from_fd(struct walk *w, int dirfd) {
    struct fd_ref r = fd_get(dirfd);
    if (!r.file)
        return -EBADF;
    int error = r.file->path.dentry ? 0 : -ENOTDIR;
    if (error == 0) {
        w->at = r.file->path;
        path_get(&w->at);
    }
    fd_put(r);
    return error;
}

static int walk_begin(struct walk *w, int dirfd, const char *path) {
    w->rest = path;
    w->buffer = NULL;
    w->links = 0;
    w->what = NULL;
    if (path[0] == '/') {
        fs_root(&w->at);
        return 0;
    }
    if (dirfd != AT_FDCWD)
        return walk_from_fd(w, dirfd);
    struct fs_context *fs = current->fs;
    spin_lock(&fs->lock);
    w->at = fs->cwd;
    path_get(&w->at);
    spin_unlock(&fs->lock);
    return 0;
}

static void walk_end(struct walk *w) {
    path_put(&w->at);
    if (unlikely(w->buffer))
        kfree(w->buffer);
}

static int walk_up(struct walk *w) {
    struct fs_context *fs = current->fs;
    for (;;) {
        spin_lock(&fs->lock);
        bool top = w->at.dentry == fs->root.dentry && w->at.mount == fs->root.mount;
        spin_unlock(&fs->lock);
        if (top)
            return 0;
        if (w->at.dentry != w->at.mount->root)
            break;
        if (!mount_up(&w->at))
            return 0;
    }
    struct dentry *parent = dentry_parent(w->at.dentry);
    dentry_put(w->at.dentry);
    w->at.dentry = parent;
    if (unlikely(parent->mounted))
        mount_down(&w->at);
    return 0;
}

// Go where a magic link leads.
static int walk_magic(struct walk *w, struct inode *link) {
    struct path to;
    int error = link->ops->follow(link, &to);
    if (error)
        return error;
    path_put(&w->at);
    w->at = to;
    return 0;
}

// Put the target of a symbolic link in front of the rest.
static int walk_link(struct walk *w, struct inode *link) {
    if (++w->links > SYMLINK_MAX || w->at.mount->flags & MS_NOSYMFOLLOW)
        return -ELOOP;
    if (link->ops->follow)
        return walk_magic(w, link);
    if (!link->ops->read_link)
        return -EINVAL;
    char *text = kmalloc(PATH_MAX, 0);
    if (!text)
        return -ENOMEM;
    size_t rest = strlen(w->rest) + 1;
    ssize_t n = link->ops->read_link(link, text);
    if (n > 0 && n + rest > PATH_MAX)
        n = -ENAMETOOLONG;
    if (n <= 0) {
        kfree(text);
        return n ? n : -ENOENT;
    }
    memcpy(text + n, w->rest, rest);
    kfree(w->buffer);
    w->rest = w->buffer = text;
    if (text[0] == '/') {
        path_put(&w->at);
        fs_root(&w->at);
    }
    return 0;
}

static int walk_component(struct walk *w, const struct name *name, bool follow) {
    int error = may_search(dentry_inode(w->at.dentry));
    if (error)
        return error;
    if (unlikely(name->s[0] == '.')) {
        if (is_dot(name))
            return 0;
        if (is_dotdot(name))
            return walk_up(w);
    }
    struct dentry *d = dentry_lookup(w->at.dentry, name);
    if (IS_ERR(d))
        return PTR_ERR(d);
    struct inode *inode = dentry_inode(d);
    if (!inode || (follow && inode_is_link(inode))) {
        error = inode ? walk_link(w, inode) : -ENOENT;
        dentry_put(d);
        return error;
    }
    dentry_put(w->at.dentry);
    w->at.dentry = d;
    if (unlikely(d->mounted))
        mount_down(&w->at);
    return 0;
}

// The next component of the text. False: there is none.
static bool walk_next(struct walk *w, struct name *name) {
    const char *s = w->rest;
    u32 hash = NAME_HASH_SEED;
    while (*s == '/')
        s++;
    name->s = s;
    for (; *s && *s != '/'; s++)
        hash = name_hash_step(hash, *s);
    name->len = s - name->s;
    name->hash = hash;
    w->rest = s;
    return name->len;
}

// Go to the directory of the last component, following links on the way.
static int walk_parent(struct walk *w) {
    struct name name;
    bool slash = w->rest[0] == '/';
    if (!walk_next(w, &name)) {
        w->last = name;
        w->trailing = slash;
        return 0;
    }
    for (;;) {
        if (name.len > NAME_MAX)
            return -ENAMETOOLONG;
        const char *s = w->rest;
        while (*s == '/')
            s++;
        if (!*s) {
            w->trailing = s != w->rest;
            w->last = name;
            return may_search(dentry_inode(w->at.dentry));
        }
        int error = walk_component(w, &name, true);
        if (error)
            return error;
        walk_next(w, &name);
        if (!name.len) {  // a magic link took the rest's place
            w->last = name;
            w->trailing = true;
            return 0;
        }
    }
}

int path_lookup(int dirfd, const char *path, u32 flags, struct path *out) {
    struct walk w;
    if (!path[0] && !(flags & LOOKUP_EMPTY))
        return -ENOENT;
    int error = walk_begin(&w, dirfd, path);
    if (error)
        return error;
    u32 links;
    bool directory = flags & LOOKUP_DIRECTORY;
    do {
        links = w.links;
        error = walk_parent(&w);
        if (error)
            goto fail;
        directory |= w.trailing;
        if (!w.last.len)
            break;
        error = walk_component(&w, &w.last, flags & LOOKUP_FOLLOW || w.trailing);
        if (error)
            goto fail;
    } while (w.links != links);
    error = directory && !inode_is_dir(dentry_inode(w.at.dentry)) ? -ENOTDIR : 0;
    if (error)
        goto fail;
    kfree(w.buffer);
    *out = w.at;
    return 0;
fail:
    walk_end(&w);
    return error;
}

// ---- open ----

// The file at a path that was found. Takes over the path's references if it succeeds.
static struct file *open_found(const struct path *p, int flags, bool created) {
    static const u8 masks[4] = {4, 2, 6, 6};
    struct inode *inode = dentry_inode(p->dentry);
    int mask = flags & O_PATH ? 0 : masks[flags & O_ACCMODE] | (flags & O_TRUNC ? 2 : 0);
    if (flags & O_DIRECTORY && !inode_is_dir(inode))
        return ERR_PTR(-ENOTDIR);
    if (inode_is_link(inode) && !(flags & O_PATH))
        return ERR_PTR(-ELOOP);
    if (inode_is_dir(inode) && (mask & 2 || flags & O_CREAT))
        return ERR_PTR(-EISDIR);
    int error = created || !mask ? 0 : path_permission(p, mask);
    if (error)
        return ERR_PTR(error);
    if (flags & O_NOATIME && current->cred->fsuid != inode->uid && !capable(CAP_FOWNER))
        return ERR_PTR(-EPERM);
    if ((S_ISCHR(inode->mode) || S_ISBLK(inode->mode)) && p->mount->flags & MS_NODEV && mask)
        return ERR_PTR(-EACCES);
    struct file *f = file_open_path(p, flags);
    if (IS_ERR(f) || !(flags & O_TRUNC) || created || !inode_is_reg(inode))
        return f;
    error = inode->size ? inode_set_size(inode, 0) : (inode_touch(inode, SET_MTIME), 0);
    if (error == 0)
        return f;
    path_get(p);  // file_put takes those that the caller still puts
    file_put(f);
    return ERR_PTR(error);
}

static struct file *open_existing(int dirfd, const char *path, int flags) {
    u32 lookup =
        (flags & O_NOFOLLOW ? 0 : LOOKUP_FOLLOW) | (flags & O_DIRECTORY ? LOOKUP_DIRECTORY : 0);
    struct path p;
    int error = path_lookup(dirfd, path, lookup, &p);
    if (error)
        return ERR_PTR(error);
    struct file *f = open_found(&p, flags, false);
    if (IS_ERR(f))
        path_put(&p);
    return f;
}

// A new object gets its group, and a directory the bit, from a setgid directory.
static void inherit_group(struct inode *dir, struct inode *inode) {
    if (!(dir->mode & S_ISGID) || dir->sb->uncached)
        return;
    inode->gid = dir->gid;
    if (inode_is_dir(inode))
        inode->mode |= S_ISGID;
    inode_mark_dirty(inode);
}

// => dir's inode locked for writing, d negative. 0 or errno
static int make_locked(const struct path *dir, struct dentry *d, u32 mode, u32 rdev,
                       const char *target) {
    struct inode *parent = dentry_inode(dir->dentry);
    if (path_read_only(dir))
        return -EROFS;
    int error = inode_permission(parent, 3);
    if (error)
        return error;
    if (parent->nlink == 0)
        return -ENOENT;
    if (!parent->ops->make)
        return -EPERM;
    struct inode *inode = parent->ops->make(parent, &d->name, mode, rdev, target);
    if (IS_ERR(inode))
        return PTR_ERR(inode);
    inherit_group(parent, inode);
    dentry_fill(d, inode);
    return 0;
}

// The last component as a dentry, made if it is missing. *created tells.
static struct dentry *lookup_or_create(struct walk *w, u32 mode, bool *created) {
    struct inode *dir = dentry_inode(w->at.dentry);
    struct dentry *d = dentry_lookup(w->at.dentry, &w->last);
    *created = false;
    if (IS_ERR(d) || dentry_inode(d))
        return d;
    dentry_put(d);
    write_lock(&dir->lock);
    d = dentry_lookup_locked(w->at.dentry, &w->last);
    if (!IS_ERR(d) && !dentry_inode(d)) {
        int error = make_locked(&w->at, d, mode, 0, w->what);
        *created = error == 0;
        if (error) {
            dentry_put(d);
            d = ERR_PTR(error);
        }
    }
    write_unlock(&dir->lock);
    return d;
}

// The last component of w for O_CREAT. A file, NULL: a link was put in its place, or errno.
static struct file *create_last(struct walk *w, int flags, u32 mode) {
    bool created;
    if (!is_normal(&w->last))
        return ERR_PTR(flags & O_EXCL ? -EEXIST : -EISDIR);
    if (w->trailing)
        return ERR_PTR(-EISDIR);
    struct dentry *d = lookup_or_create(w, mode, &created);
    if (IS_ERR(d))
        return (void *)d;
    struct file *f = NULL;
    if (!created && flags & O_EXCL) {
        f = ERR_PTR(-EEXIST);
    } else if (inode_is_link(dentry_inode(d)) && !(flags & O_NOFOLLOW)) {
        int error = walk_link(w, dentry_inode(d));
        f = error ? ERR_PTR(error) : NULL;
    } else {
        struct path p = {w->at.mount, d};
        mount_get(p.mount);
        if (d->mounted)
            mount_down(&p);
        f = open_found(&p, flags, created);
        if (IS_ERR(f))
            path_put(&p);
        return f;
    }
    dentry_put(d);
    return f;
}

static struct file *open_create(int dirfd, const char *path, int flags, u32 mode) {
    struct walk w;
    struct file *f;
    if (flags & O_DIRECTORY)
        return ERR_PTR(-EINVAL);
    int error = walk_begin(&w, dirfd, path);
    if (error)
        return ERR_PTR(error);
    u32 links = 0;
    do {
        error = walk_parent(&w);
        if (error) {
            f = ERR_PTR(error);
            break;
        }
        if (!w.last.len && w.links != links) {  // where a magic link led
            path_get(&w.at);
            f = open_found(&w.at, flags, false);
            if (IS_ERR(f))
                path_put(&w.at);
            break;
        }
        links = w.links;
        f = create_last(&w, flags, S_IFREG | (mode & S_IALLUGO & ~current->fs->umask));
    } while (!f);
    walk_end(&w);
    return f;
}

struct file *path_open(int dirfd, const char *path, int flags, u32 mode) {
    if (flags & O_PATH)
        flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    if (flags & __O_TMPFILE)
        return ERR_PTR(-EOPNOTSUPP);
    if (!path[0])
        return ERR_PTR(-ENOENT);
    return flags & O_CREAT ? open_create(dirfd, path, flags, mode)
                           : open_existing(dirfd, path, flags);
}

// ---- names in a directory of the kernel's own ----

// => name has no slash
static int walk_in(struct walk *w, const struct path *dir, const char *name, const void *what) {
    *w = (struct walk){.at = *dir, .rest = name, .what = what};
    path_get(dir);
    return walk_parent(w);
}

struct file *path_open_in(const struct path *dir, const char *name, int flags, u32 mode,
                          const void *what) {
    struct walk w;
    struct file *f;
    int error = walk_in(&w, dir, name, what);
    if (!error && flags & O_CREAT) {
        f = create_last(&w, flags, S_IFREG | (mode & S_IALLUGO & ~current->fs->umask));
    } else {
        if (!error)
            error = walk_component(&w, &w.last, false);
        path_get(&w.at);
        f = error ? ERR_PTR(error) : open_found(&w.at, flags, false);
        if (IS_ERR(f))
            path_put(&w.at);
    }
    walk_end(&w);
    return f;
}

struct file *path_open_exec(const char *path, int dirfd) {
    struct path p;
    struct file *f;
    int error = path_lookup(dirfd, path ? path : "", LOOKUP_FOLLOW | (path ? 0 : LOOKUP_EMPTY), &p);
    if (error)
        return ERR_PTR(error);
    struct inode *inode = dentry_inode(p.dentry);
    error =
        !inode_is_reg(inode) || p.mount->flags & MS_NOEXEC ? -EACCES : inode_permission(inode, 1);
    f = error ? ERR_PTR(error) : file_open_path(&p, O_RDONLY);
    if (IS_ERR(f)) {
        path_put(&p);
        return f;
    }
    error = file_deny_write(f);
    if (error) {
        file_put(f);
        return ERR_PTR(error);
    }
    return f;
}

// ---- making and removing names ----

// Begin a walk and go to the parent directory.
static int walk_to_parent(struct walk *w, int dirfd, const char *path) {
    if (!path[0])
        return -ENOENT;
    int error = walk_begin(w, dirfd, path);
    if (error)
        return error;
    error = walk_parent(w);
    if (error)
        walk_end(w);
    return error;
}

// A name that is to be: for a new object, or for the one at `old`, which gets it besides.
struct making {
    u32 mode, rdev;
    const char *target;
    const struct path *old;
};

// => dir's inode locked for writing, d negative. 0 or errno
static int link_locked(const struct path *dir, struct dentry *d, const struct path *old) {
    struct inode *parent = dentry_inode(dir->dentry), *inode = dentry_inode(old->dentry);
    if (old->mount != dir->mount)
        return -EXDEV;
    if (path_read_only(dir))
        return -EROFS;
    int error = inode_permission(parent, 3);
    if (error)
        return error;
    if (inode_is_dir(inode) || !parent->ops->link)
        return -EPERM;
    if (parent->nlink == 0 || inode->nlink == 0)
        return -ENOENT;
    error = parent->ops->link(parent, &d->name, inode);
    if (error)
        return error;
    inode_ref(inode);
    dentry_fill(d, inode);
    return 0;
}

static int make_name(int dirfd, const char *path, const struct making *m) {
    struct walk w;
    int error = walk_to_parent(&w, dirfd, path);
    if (error)
        return error;
    if (!is_normal(&w.last)) {
        walk_end(&w);
        return -EEXIST;
    }
    struct inode *dir = dentry_inode(w.at.dentry);
    write_lock(&dir->lock);
    struct dentry *d = dentry_lookup_locked(w.at.dentry, &w.last);
    if (IS_ERR(d)) {
        error = PTR_ERR(d);
        goto unlock;
    }
    if (dentry_inode(d))
        error = -EEXIST;
    else if (w.trailing && !S_ISDIR(m->mode))
        error = -ENOENT;
    else
        error = m->old ? link_locked(&w.at, d, m->old)
                       : make_locked(&w.at, d, m->mode, m->rdev, m->target);
    dentry_put(d);
unlock:
    write_unlock(&dir->lock);
    walk_end(&w);
    return error;
}

int path_mknod(int dirfd, const char *path, u32 mode, u32 rdev) {
    u32 type = mode & S_IFMT ? mode & S_IFMT : S_IFREG;
    if (type == S_IFLNK)
        return -EINVAL;
    if ((type == S_IFCHR || type == S_IFBLK) && !capable(CAP_MKNOD))
        return -EPERM;
    u32 bits = mode & (type == S_IFDIR ? 01777 : S_IALLUGO) & ~current->fs->umask;
    return make_name(dirfd, path, &(struct making){.mode = type | bits, .rdev = rdev});
}

int path_symlink(const char *target, int dirfd, const char *path) {
    if (!target[0])
        return -ENOENT;
    return make_name(dirfd, path, &(struct making){.mode = S_IFLNK | 0777, .target = target});
}

int path_link(int old_dirfd, const char *old, int new_dirfd, const char *new_, int flags) {
    struct path p;
    if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    u32 lookup = (flags & AT_SYMLINK_FOLLOW ? LOOKUP_FOLLOW : 0) |
                 (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);
    int error = path_lookup(old_dirfd, old, lookup, &p);
    if (error)
        return error;
    error = make_name(new_dirfd, new_, &(struct making){.old = &p});
    path_put(&p);
    return error;
}

// May current remove (or replace) the name of `victim` in this directory?
static int may_delete(const struct path *dir, const struct dentry *d, bool directory) {
    const struct inode *parent = dentry_inode(dir->dentry), *victim = dentry_inode(d);
    u32 me = current->cred->fsuid;
    if (path_read_only(dir))
        return -EROFS;
    int error = inode_permission(parent, 3);
    if (error)
        return error;
    if (parent->mode & S_ISVTX && me != victim->uid && me != parent->uid && !capable(CAP_FOWNER))
        return -EPERM;
    if (directory != inode_is_dir(victim))
        return directory ? -ENOTDIR : -EISDIR;
    return d->mounted || d == d->sb->root ? -EBUSY : 0;
}

static int unlink_last(struct walk *w, bool directory) {
    struct inode *dir = dentry_inode(w->at.dentry);
    struct inode *victim = NULL;
    write_lock(&dir->lock);
    struct dentry *d = dentry_lookup_locked(w->at.dentry, &w->last);
    int error = IS_ERR(d) ? PTR_ERR(d) : 0;
    if (error)
        goto unlock;
    victim = dentry_inode(d);
    if (!victim) {
        error = -ENOENT;
        goto put_dentry;
    }
    inode_ref(victim);
    if (w->trailing && !directory)
        error = inode_is_dir(victim) ? -EISDIR : -ENOTDIR;
    if (error == 0)
        error = may_delete(&w->at, d, directory);
    if (error == 0 && directory)
        write_lock_nested(&victim->lock, 1);
    if (error == 0) {
        error = dir->ops->unlink ? dir->ops->unlink(dir, &w->last, victim) : -EPERM;
        if (directory)
            write_unlock(&victim->lock);
    }
    if (error == 0)
        dentry_delete(d);
put_dentry:
    dentry_put(d);
unlock:
    write_unlock(&dir->lock);
    if (victim)
        inode_put(victim);  // its blocks are freed here, without the directory's lock
    return error;
}

int path_unlink(int dirfd, const char *path, bool directory) {
    struct walk w;
    int error = walk_to_parent(&w, dirfd, path);
    if (error)
        return error;
    if (is_normal(&w.last))
        error = unlink_last(&w, directory);
    else if (!directory)
        error = -EISDIR;
    else
        error = is_dot(&w.last) ? -EINVAL : is_dotdot(&w.last) ? -ENOTEMPTY : -EBUSY;
    walk_end(&w);
    return error;
}

int path_unlink_in(const struct path *dir, const char *name) {
    struct walk w;
    int error = walk_in(&w, dir, name, NULL);
    if (!error)
        error = unlink_last(&w, false);
    walk_end(&w);
    return error;
}

// ---- rename ----

struct rename {
    struct walk from, to;
    struct dentry *old, *new_;  // with references
    u32 flags;
};

static void lock_dirs(struct dentry *a, struct dentry *b) {
    struct inode *x = dentry_inode(a), *y = dentry_inode(b);
    if (x == y) {
        write_lock(&x->lock);
        return;
    }
    mutex_lock(&a->sb->rename_lock);
    bool x_first = dentry_is_below(b, a) || (!dentry_is_below(a, b) && x < y);
    write_lock(x_first ? &x->lock : &y->lock);
    write_lock_nested(x_first ? &y->lock : &x->lock, 1);
}

static void unlock_dirs(struct dentry *a, struct dentry *b) {
    struct inode *x = dentry_inode(a), *y = dentry_inode(b);
    write_unlock(&x->lock);
    if (x != y) {
        write_unlock(&y->lock);
        mutex_unlock(&a->sb->rename_lock);
    }
}

// => both directories locked
static int rename_allowed(struct rename *r) {
    struct inode *moved = dentry_inode(r->old), *victim = dentry_inode(r->new_);
    struct inode *new_dir = dentry_inode(r->to.at.dentry);
    bool directory = moved && inode_is_dir(moved);
    if (!moved || (r->flags & RENAME_EXCHANGE && !victim))
        return -ENOENT;
    if (victim && r->flags & RENAME_NOREPLACE)
        return -EEXIST;
    bool other_directory = r->flags & RENAME_EXCHANGE ? inode_is_dir(victim) : directory;
    if ((!directory && r->from.trailing) || (!other_directory && r->to.trailing))
        return -ENOTDIR;
    // A directory cannot go into itself, nor replace one that it is in.
    if (dentry_is_below(r->to.at.dentry, r->old))
        return -EINVAL;
    if (dentry_is_below(r->from.at.dentry, r->new_))
        return r->flags & RENAME_EXCHANGE ? -EINVAL : -ENOTEMPTY;
    int error = may_delete(&r->from.at, r->old, directory);
    if (error)
        return error;
    if (victim)
        error = may_delete(&r->to.at, r->new_, other_directory);
    else
        error = new_dir->nlink == 0 ? -ENOENT : inode_permission(new_dir, 3);
    if (error)
        return error;
    // ".." of a moved directory changes
    if (directory && r->from.at.dentry != r->to.at.dentry)
        error = inode_permission(moved, 2);
    return error;
}

static int rename_locked(struct rename *r) {
    struct inode *dir = dentry_inode(r->from.at.dentry), *new_dir = dentry_inode(r->to.at.dentry);
    struct inode *moved = dentry_inode(r->old), *victim = dentry_inode(r->new_);
    int error = rename_allowed(r);
    if (error || moved == victim)
        return error;
    if (r->flags & RENAME_EXCHANGE || !dir->ops->rename)
        return -EINVAL;
    bool replaces_dir = victim && inode_is_dir(victim);
    if (replaces_dir)
        write_lock_nested(&victim->lock, 2);
    error = dir->ops->rename(dir, &r->from.last, moved, new_dir, &r->to.last, victim);
    if (replaces_dir)
        write_unlock(&victim->lock);
    if (error == 0)
        dentry_move(r->old, r->to.at.dentry, r->new_);
    return error;
}

static int rename_last(struct rename *r) {
    struct dentry *from = r->from.at.dentry, *to = r->to.at.dentry;
    lock_dirs(from, to);
    r->old = dentry_lookup_locked(from, &r->from.last);
    int error = IS_ERR(r->old) ? PTR_ERR(r->old) : 0;
    if (error)
        goto unlock;
    r->new_ = dentry_lookup_locked(to, &r->to.last);
    error = IS_ERR(r->new_) ? PTR_ERR(r->new_) : 0;
    if (error)
        goto put_old;
    struct inode *victim = dentry_inode(r->new_);
    if (victim)
        inode_ref(victim);
    error = rename_locked(r);
    dentry_put(r->old);
    dentry_put(r->new_);
    unlock_dirs(from, to);
    if (victim)
        inode_put(victim);
    return error;
put_old:
    dentry_put(r->old);
unlock:
    unlock_dirs(from, to);
    return error;
}

int path_rename(int old_dirfd, const char *old, int new_dirfd, const char *new_, u32 flags) {
    struct rename r = {.flags = flags};
    if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE) ||
        flags == (RENAME_NOREPLACE | RENAME_EXCHANGE))
        return -EINVAL;
    int error = walk_to_parent(&r.from, old_dirfd, old);
    if (error)
        return error;
    error = walk_to_parent(&r.to, new_dirfd, new_);
    if (error)
        goto end_from;
    if (r.from.at.mount != r.to.at.mount)
        error = -EXDEV;
    else if (!is_normal(&r.from.last) || !is_normal(&r.to.last))
        error = -EBUSY;
    else if (path_read_only(&r.from.at))
        error = -EROFS;
    else
        error = rename_last(&r);
    walk_end(&r.to);
end_from:
    walk_end(&r.from);
    return error;
}
