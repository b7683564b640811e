// What the files of procfs share: nodes, entries, and files whose text is made when they are read.
#ifndef FS_PROC_INTERNAL_H
#define FS_PROC_INTERNAL_H

#include "abi/dirent.h"
#include "fs/internal.h"
#include "fs/proc.h"

// A file or folder that is always there. The trees of them only grow.
struct proc_entry {
    struct proc_entry *next, *children;        // [entries_lock] to change
    const char *name;                          // [I] not NUL-terminated
    u32 len;                                   // [I]
    u32 mode;                                  // [I] with type
    u64 ino;                                   // [I]
    void (*show)(struct printer *p);           // [I]
    int (*write)(const char *text, size_t n);  // [I]
    u64 *number, most;  // [I] in place of show and write: the file is this number [a], up to `most`
    ssize_t (*link)(char *buf);   // [I] into PATH_MAX bytes
    const struct file_ops *fops;  // [I] in place of generated_ops
};
extern struct proc_entry proc_root, sys_root;
int proc_add_link(struct proc_entry *root, const char *path, ssize_t (*link)(char *buf));
int proc_add_ops(const char *path, u32 mode, const struct file_ops *fops);

// A file of each task.
struct task_entry {
    const char *name;
    u32 mode;         // with type
    bool private_;    // only for who may look inside the task (task_may_look)
    bool thread_too;  // also in /proc/<pid>/task/<tid>
    int (*show)(struct printer *p, struct task *t);             // 0 or errno
    int (*show_fd)(struct printer *p, struct task *t, int fd);  // of a folder: of its files N
    int (*write)(struct task *t, const char *text, size_t n);
    int (*follow)(struct task *t, struct path *out);  // of a link: where it leads
    const struct inode_ops *inode_ops;                // of a folder
    const struct file_ops *file_ops;                  // of a folder, or in place of generated_ops
};
extern const struct task_entry task_entries[];
extern const u32 nr_task_entries;

struct proc_inode {
    struct inode inode;
    struct proc_entry *entry;             // [I] of a fixed file, else NULL
    const struct task_entry *task_entry;  // [I] of a task's file
    int pid;                              // [I] task that it belongs to; 0: none
    int fd;                               // [I] of fd/N, fdinfo/N
    u64 start_time;  // [I] of the task: tells it from a later one of the same number
};
static inline struct proc_inode *proc_i(struct inode *i) {
    return container_of(i, struct proc_inode, inode);
}

struct inode *proc_inode_new(struct super *sb, u64 ino, u32 mode, const struct inode_ops *ops,
                             const struct file_ops *fops);
// The task of a node, with a reference; NULL when it is gone.
struct task *node_task(struct inode *inode);

// Text made at the first read and at each read from position 0
extern const struct file_ops generated_ops;
extern const struct inode_ops plain_inode_ops;
s64 plain_seek(struct file *f, s64 offset, int whence);
bool emit_dots(struct file *f, struct dir_emit *e, u64 *pos);
bool name_number(const struct name *name, int *nr);  // decimal, no leading zero

// tasks.c
struct inode *task_dir_lookup(struct super *sb, int nr);  // /proc/<nr>; NULL: no such task
// Processes at positions from base on
int task_dirs_readdir(struct dir_emit *e, u64 *pos, u64 base);
void task_links_init(void);
extern const struct inode_ops fd_dir_inode_ops, threads_inode_ops;
extern const struct file_ops fd_dir_ops, threads_ops;
// References to what a task has, or NULL.
struct mm *task_mm_get(struct task *t);
struct fs_context *task_fs_get(struct task *t);
// taskfiles.c: what follows a link to an open file
ssize_t file_link_text(struct file *f, char *buf);  // into PATH_MAX bytes
int file_link_follow(struct file *f, struct path *out);
// memory.c
void status_memory(struct printer *p, struct mm *mm);  // lines of status
int show_statm(struct printer *p, struct task *t);
int show_maps(struct printer *p, struct task *t);
int show_smaps(struct printer *p, struct task *t);
int show_tables(struct printer *p, struct task *t);
int show_smaps_rollup(struct printer *p, struct task *t);
extern const struct file_ops pagemap_ops, mem_ops;
// trace.c
void trace_files_init(void);
// system.c
void system_files_init(void);

#endif
