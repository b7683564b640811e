/*
 * Names of UNIX sockets, and the list of all of them. unix(7).
 *
 * A path names an inode of type S_IFSOCK, made by bind(); the inode finds the socket. An abstract name finds it by its bytes. Both
 * are in one hash table under names_lock. A found socket has a reference; whether it is dead is seen under its lock.
 *
 * /proc/net/unix shows every socket that has memory, those too that wait to be accepted (inode 0).
 *
 * Locks: names_lock; list_lock (sleeps, for showing may). Sleeps: binding and finding, for paths.
 */
#include "abi/errno.h"
#include "fs/proc.h"
#include "lib/hash.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "net/unix.h"

#define NAMES 64

static struct spinlock names_lock = SPINLOCK_INIT(RANK_UNIX_NAMES, "unix names");
static struct hlist_head names[NAMES];  // [names_lock]
static struct mutex list_lock = MUTEX_INIT(list_lock, RANK_SETTING, "unix sockets");
static struct list sockets = LIST_INIT(sockets);  // [list_lock]

void unix_name_put(struct unix_name *n) {
    if (n && ref_put(&n->ref))
        kfree(n);
}

void unix_forget_name(struct unix_socket *u) {
    spin_lock(&names_lock);
    if (!hlist_unhashed(&u->hash))
        hlist_del(&u->hash);
    spin_unlock(&names_lock);
}

static u32 hash_inode(const struct inode *i) { return hash_ptr(i) % NAMES; }
static u32 hash_abstract(const struct unix_name *n) {
    return hash_bytes(n->addr.sun_path, n->len - 2, HASH_SEED) % NAMES;
}

// => names_lock held
static struct unix_socket *find_inode(const struct inode *inode) {
    struct unix_socket *u;
    hlist_for_each (u, &names[hash_inode(inode)], hash)
        if (u->inode == inode)
            return u;
    return NULL;
}

// => names_lock held
static struct unix_socket *find_abstract(const struct unix_name *n) {
    struct unix_socket *u;
    hlist_for_each (u, &names[hash_abstract(n)], hash)
        if (!u->inode && u->name->len == n->len &&
            memcmp(u->name->addr.sun_path, n->addr.sun_path, n->len - 2) == 0)
            return u;
    return NULL;
}

// The address of a caller, checked; a path is ended by a zero that len does not count.
static struct unix_name *name_of(const struct sockaddr_storage *a, u32 len) {
    if (len <= 2 || len > sizeof(struct sockaddr_un) || a->ss_family != AF_UNIX)
        return ERR_PTR(-EINVAL);
    struct unix_name *n = kzalloc(sizeof(*n) + 1);
    if (!n)
        return ERR_PTR(-ENOMEM);
    ref_init(&n->ref);
    n->len = len;
    memcpy(&n->addr, a, len);
    if (n->addr.sun_path[0])
        n->len = min(2 + (u32)strlen(n->addr.sun_path) + 1, (u32)sizeof(n->addr) + 1);
    return n;
}

// Bind u to its new name under names_lock: 0, -EINVAL (it has one), -EADDRINUSE.
static int take_name(struct unix_socket *u, struct unix_name *n, const struct path *path) {
    int error = 0;
    spin_lock(&names_lock);
    if (u->name)
        error = -EINVAL;
    else if (!path && find_abstract(n))
        error = -EADDRINUSE;
    if (!error) {
        store_release(&u->name, n);
        if (path) {
            u->path = *path;
            u->inode = dentry_inode(path->dentry);
            inode_ref(u->inode);
        }
        hlist_add(&u->hash, &names[path ? hash_inode(u->inode) : hash_abstract(n)]);
    }
    spin_unlock(&names_lock);
    return error;
}

static int bind_path(struct unix_socket *u, struct unix_name *n) {
    const char *text = n->addr.sun_path;
    struct path path;
    if (READ_ONCE(u->name))
        return -EINVAL;
    int error = path_mknod(AT_FDCWD, text, S_IFSOCK | 0777, 0);
    if (error)
        return error == -EEXIST ? -EADDRINUSE : error;
    error = path_lookup(AT_FDCWD, text, 0, &path);
    if (error)
        return error;
    struct inode *inode = dentry_inode(path.dentry);
    error = inode && S_ISSOCK(inode->mode) ? take_name(u, n, &path) : -EADDRINUSE;
    if (error) {
        path_put(&path);
        path_unlink(AT_FDCWD, text, false);
    }
    return error;
}

// Five hexadecimal digits that are free.
static int bind_any(struct unix_socket *u) {
    static u32 next;  // [a]
    for (u32 tries = 0; tries < 1u << 20; tries++) {
        struct sockaddr_storage a = {.ss_family = AF_UNIX};
        scnprintf(a.data + 1, 6, "%05x", atomic_add(&next, 1) & 0xfffff);
        struct unix_name *n = name_of(&a, 2 + 6);
        if (IS_ERR(n))
            return PTR_ERR(n);
        int error = take_name(u, n, NULL);
        if (error)
            unix_name_put(n);
        if (error != -EADDRINUSE)
            return error == -EINVAL ? 0 : error;  // it has a name already
    }
    return -ENOSPC;
}

int unix_bind(struct socket *s, const struct sockaddr_storage *a, u32 len) {
    struct unix_socket *u = unix_of(s);
    if (len == 2 && a->ss_family == AF_UNIX)
        return bind_any(u);
    struct unix_name *n = name_of(a, len);
    if (IS_ERR(n))
        return PTR_ERR(n);
    int error = n->addr.sun_path[0] ? bind_path(u, n) : take_name(u, n, NULL);
    if (error)
        unix_name_put(n);
    return error;
}

static struct unix_socket *find_path(const char *text) {
    struct path path;
    int error = path_lookup(AT_FDCWD, text, LOOKUP_FOLLOW, &path);
    if (error)
        return ERR_PTR(error);
    struct unix_socket *u = ERR_PTR(path_permission(&path, 2));
    if (!u) {
        spin_lock(&names_lock);
        u = find_inode(dentry_inode(path.dentry));
        if (u)
            unix_get(u);
        spin_unlock(&names_lock);
    }
    path_put(&path);
    return u ? u : ERR_PTR(-ECONNREFUSED);
}

static struct unix_socket *find_name(const struct unix_name *n) {
    if (n->addr.sun_path[0])
        return find_path(n->addr.sun_path);
    spin_lock(&names_lock);
    struct unix_socket *u = find_abstract(n);
    if (u)
        unix_get(u);
    spin_unlock(&names_lock);
    return u ? u : ERR_PTR(-ECONNREFUSED);
}

struct unix_socket *unix_find(const struct sockaddr_storage *a, u32 len, int type) {
    struct unix_name *n = name_of(a, len);
    if (IS_ERR(n))
        return (void *)n;
    struct unix_socket *u = find_name(n);
    unix_name_put(n);
    if (!IS_ERR(u) && u->socket.type != type) {
        unix_put(u);
        return ERR_PTR(-EPROTOTYPE);
    }
    return u;
}

static int name_out(const struct unix_socket *u, struct sockaddr_storage *a) {
    const struct unix_name *n = u ? READ_ONCE(u->name) : NULL;
    *a = (struct sockaddr_storage){.ss_family = AF_UNIX};
    if (!n)
        return 2;
    memcpy(a, &n->addr, min(n->len, (u32)sizeof(*a)));
    return n->len;
}

int unix_name(struct socket *s, bool of_peer, struct sockaddr_storage *a) {
    struct unix_socket *u = unix_of(s);
    if (!of_peer)
        return name_out(u, a);
    struct unix_socket *peer = unix_peer_get(u);
    if (!peer)
        return -ENOTCONN;
    int len = name_out(peer, a);
    unix_put(peer);
    return len;
}

/* ---- all of them ---- */

void unix_enlist(struct unix_socket *u) {
    mutex_lock(&list_lock);
    list_add_tail(&u->all, &sockets);
    mutex_unlock(&list_lock);
}

void unix_delist(struct unix_socket *u) {
    mutex_lock(&list_lock);
    list_del(&u->all);
    mutex_unlock(&list_lock);
}

static void show_name(struct printer *p, const struct unix_name *n) {
    const char *path = n->addr.sun_path;
    if (path[0]) {
        printer_printf(p, " %s", path);
        return;
    }
    printer_printf(p, " ");
    for (u32 i = 0; i + 2 < n->len; i++)  // abstract: @ for its zeroes
        printer_printf(p, "%c", path[i] ? path[i] : '@');
}

// The state is of linux/net.h: 1 unconnected, 3 connected.
static void show_sockets(struct printer *p) {
    struct unix_socket *u;
    printer_printf(p, "Num       RefCount Protocol Flags    Type St Inode Path\n");
    mutex_lock(&list_lock);
    list_for_each (u, &sockets, all) {
        if (u->socket.family != AF_UNIX)
            continue;
        printer_printf(p, "%016lx: %08X 00000000 %08X %04X %02X %5lu", (u64)0, ref_read(&u->ref),
                       u->socket.listening ? 0x10000 : 0, u->socket.type,
                       READ_ONCE(u->peer) ? 3 : 1, u->socket.ino);
        const struct unix_name *n = load_acquire(&u->name);
        if (n)
            show_name(p, n);
        printer_printf(p, "\n");
    }
    mutex_unlock(&list_lock);
}

void unix_names_init(void) { proc_add("net/unix", 0444, show_sockets, NULL); }
