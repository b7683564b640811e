// procfs for the rooms that want to be seen: registering files under /proc (and /sys), and what /proc needs of tasks.
#ifndef FS_PROC_H
#define FS_PROC_H

#include "lib/printf.h"
#include "lib/types.h"

struct file;
struct mm;
struct task;

// A file /proc/<path>; missing folders of the path are made. mode: permission bits. show prints all of it, in task
// context, and may sleep. write gets the whole of one write(2), NUL-terminated, n < PAGE_SIZE, and returns 0 or errno;
// NULL: not writable. Before or after mounting. path must stay valid. 0, -ENOMEM, -EEXIST.
int proc_add(const char *path, u32 mode, void (*show)(struct printer *),
             int (*write)(const char *text, size_t n));
// The same with one number from 0 to `most`, which root sets. It is read with READ_ONCE.
int proc_add_number(const char *path, u64 *number, u64 most);
// As proc_add, for /sys/<path>.
int sysfs_add(const char *path, u32 mode, void (*show)(struct printer *));

// May current see the inside of t: its memory, files, environment? Same user, or root.
bool task_may_look(struct task *t);
struct file *task_file_get(struct task *t, int fd);  // with a reference; NULL: not open

// What uname(2) reports: system_names_read() copies it. nodename and domainname may change, by set_system_name() of at most
// 64 bytes: 0 or -EINVAL. Both sleep.
struct new_utsname;
extern struct new_utsname system_names;
void system_names_read(struct new_utsname *out);
int set_system_name(char *field, const char *text, size_t n);
void procfs_init(void);  // registers "proc" and "sysfs" and the files that fs/proc/ itself supplies

#endif
