// Descriptors that are neither a file nor a pipe: what pidfd_open(2) and its like return.
#ifndef FS_ANON_H
#define FS_ANON_H

#include "fs/file.h"

struct printer;

// A file system of the kernel's own, whose inodes have no names; nobody can mount it.
extern const struct super_ops nameless_ops;
#define NAMELESS_SUPER(self, type_, number, magic)                                                 \
    {                                                                                              \
        .type = type_, .ops = &nameless_ops, .devno = number, .block_size = PAGE_SIZE,             \
        .private_ = (void *)magic,                                                                 \
        .rename_lock = MUTEX_INIT(self.rename_lock, RANK_RENAME, "rename"),                        \
        .inodes = LIST_INIT(self.inodes), .dirty = LIST_INIT(self.dirty),                          \
        .link = LIST_INIT(self.link)                                                               \
    }

struct anon_kind {
    const char *name;  // as /proc/<pid>/fd shows it: anon_inode:[name]
    const struct file_ops *ops;
    void (*show_info)(struct file *f, struct printer *p);  // more lines of fdinfo; may be NULL
    void (*free)(void *private_);                          // for the next two; else not needed
    struct inode *inode;                                   // [I] after anon_register()
};

void anon_register(struct anon_kind *k);  // at boot
// An open description for reading and writing; `flags` may have O_NONBLOCK. ERR_PTR(-ENFILE, -ENOMEM).
struct file *anon_open(const struct anon_kind *k, int flags, void *private_);
// The same as a new descriptor of current, which O_CLOEXEC in `flags` makes close on exec. Takes over private_: the
// number, or errno with private_ freed.
int anon_install(const struct anon_kind *k, int flags, void *private_);
void anon_release(struct file *f);                        // a release method: frees private_
const struct anon_kind *anon_kind(const struct file *f);  // NULL: it is something else

#endif
