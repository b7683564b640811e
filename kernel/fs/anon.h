// Descriptors that are neither a file nor a pipe: what pidfd_open(2) and its like return.
#ifndef FS_ANON_H
#define FS_ANON_H

#include "fs/file.h"

struct printer;

struct anon_kind {
    const char *name;  // as /proc/<pid>/fd shows it: anon_inode:[name]
    const struct file_ops *ops;
    void (*show_info)(struct file *f, struct printer *p);  // more lines of fdinfo; may be NULL
    struct inode *inode;                                   // [I] after anon_register()
};

void anon_register(struct anon_kind *k);  // at boot
// An open description for reading and writing; `flags` may have O_NONBLOCK. ERR_PTR(-ENFILE, -ENOMEM).
struct file *anon_open(const struct anon_kind *k, int flags, void *private_);
const struct anon_kind *anon_kind(const struct file *f);  // NULL: it is something else

#endif
