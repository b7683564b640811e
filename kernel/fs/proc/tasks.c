/*
 * procfs: the folders of tasks. /proc/<pid>, its fd, fdinfo and task folders, self and thread-self.
 *
 * A node remembers the number and the start time of its task and looks the task up at each use, so a node that
 * somebody keeps open neither keeps a dead task nor shows another one that got the same number: it gives ESRCH.
 *
 * What a task has (memory, descriptor table, working directory) changes and goes only with family_lock held, see
 * proc/exit.c and proc/exec.c; here references are taken with that lock held and dropped after it.
 *
 * Reading a folder collects a batch of numbers with the lock held and hands them out without it, for handing out
 * may fault. Positions are numbers, so tasks that come or go between two batches disturb nobody else.
 */
#include "abi/capability.h"
#include "fs/proc/internal.h"

#include "lib/bitmap.h"
#include "mm/vm.h"

#define BATCH 32

// Inode numbers: the task's number above, below what it is.
#define INO(pid, kind, index) ((u64)(pid) << 32 | (u64)(kind) << 28 | (u64)(index))
enum { INO_PROCESS = 1, INO_FILE, INO_THREAD, INO_THREAD_FILE, INO_FD, INO_FDINFO };

static const struct inode_ops task_dir_inode_ops;
static const struct file_ops task_dir_ops;

// ---- references ----

struct task *node_task(struct inode *inode) {
    struct proc_inode *pi = proc_i(inode);
    struct task *t = task_lookup(pi->pid);
    if (t && t->start_time != pi->start_time) {
        task_put(t);
        return NULL;
    }
    return t;
}

bool task_may_look(struct task *t) {
    const struct cred *me = current->cred;
    if (t == current || (t->process && t->process == current->process) || capable(CAP_SYS_PTRACE))
        return true;
    spin_lock(&family_lock);
    const struct cred *it = cred_of(t);
    bool same = it && t->process && READ_ONCE(t->process->dumpable) && me->fsuid == it->uid &&
                me->fsuid == it->euid && me->fsuid == it->suid && me->fsgid == it->gid &&
                me->fsgid == it->egid && me->fsgid == it->sgid;
    spin_unlock(&family_lock);
    return same;
}

struct mm *task_mm_get(struct task *t) {
    spin_lock(&family_lock);
    struct mm *mm = t->mm;
    if (mm)
        mm_get(mm);
    spin_unlock(&family_lock);
    return mm;
}

struct fs_context *task_fs_get(struct task *t) {
    spin_lock(&family_lock);
    struct fs_context *fs = t->fs;
    if (fs)
        ref_get(&fs->ref);
    spin_unlock(&family_lock);
    return fs;
}

// The descriptor table itself gets no reference: its owner relies on the count to know that it is alone.
struct file *task_file_get(struct task *t, int fd) {
    struct file *f = NULL;
    spin_lock(&family_lock);
    struct files *files = t->files;
    if (files) {
        spin_lock(&files->lock);
        f = fd >= 0 && (u32)fd < files->size ? files->fd[fd] : NULL;
        if (f)
            file_get(f);
        spin_unlock(&files->lock);
    }
    spin_unlock(&family_lock);
    return f;
}

// Smallest open number >= from, or -1.
static int task_next_fd(struct task *t, int from) {
    u32 fd = ~0u;
    spin_lock(&family_lock);
    struct files *files = t->files;
    if (files) {
        spin_lock(&files->lock);
        u32 found = (u32)from < files->size ? bitmap_find_first_set(files->open, files->size, from)
                                            : files->size;
        if (found < files->size)
            fd = found;
        spin_unlock(&files->lock);
    }
    spin_unlock(&family_lock);
    return (int)fd;
}

// ---- making nodes ----

static void node_owner(struct inode *inode, struct task *t) {
    bool shown = S_ISDIR(inode->mode) || (t->process && READ_ONCE(t->process->dumpable));
    spin_lock(&family_lock);
    const struct cred *c = shown ? cred_of(t) : NULL;
    inode->uid = c ? c->euid : 0;
    inode->gid = c ? c->egid : 0;
    spin_unlock(&family_lock);
}

static struct inode *task_node(struct super *sb, struct task *t, u64 ino, u32 mode,
                               const struct inode_ops *ops, const struct file_ops *fops) {
    struct inode *inode = proc_inode_new(sb, ino, mode, ops, fops);
    if (IS_ERR(inode))
        return inode;
    proc_i(inode)->pid = t->pid->nr;
    proc_i(inode)->start_time = t->start_time;
    node_owner(inode, t);
    return inode;
}

struct inode *task_dir_lookup(struct super *sb, int nr) {
    struct task *t = task_lookup(nr);
    if (!t)
        return NULL;
    struct inode *inode = task_node(sb, t, INO(nr, INO_PROCESS, 0), S_IFDIR | 0555,
                                    &task_dir_inode_ops, &task_dir_ops);
    task_put(t);
    return inode;
}

static bool is_thread_dir(const struct inode *dir) { return (dir->ino >> 28 & 15) == INO_THREAD; }

static bool entry_visible(const struct inode *dir, const struct task_entry *e) {
    return e->thread_too || !is_thread_dir(dir);
}

static u64 entry_ino(const struct inode *dir, u32 index) {
    return INO(dir->ino >> 32, is_thread_dir(dir) ? INO_THREAD_FILE : INO_FILE, index);
}

// ---- /proc/<pid>/ ----

static const struct inode_ops task_link_inode_ops;

static struct inode *entry_node(struct inode *dir, struct task *t, u32 index) {
    const struct task_entry *e = &task_entries[index];
    const struct inode_ops *ops = S_ISDIR(e->mode)   ? e->inode_ops
                                  : S_ISLNK(e->mode) ? &task_link_inode_ops
                                                     : &plain_inode_ops;
    struct inode *inode = task_node(dir->sb, t, entry_ino(dir, index), e->mode, ops,
                                    e->file_ops ? e->file_ops : &generated_ops);
    if (!IS_ERR(inode))
        proc_i(inode)->task_entry = e;
    return inode;
}

static struct inode *task_dir_lookup_name(struct inode *dir, const struct name *name) {
    for (u32 i = 0; i < nr_task_entries; i++) {
        const struct task_entry *e = &task_entries[i];
        if (e->name[0] != name->s[0] || !entry_visible(dir, e) || strlen(e->name) != name->len ||
            memcmp(e->name, name->s, name->len) != 0)
            continue;
        struct task *t = node_task(dir);
        if (!t)
            return NULL;
        struct inode *inode = entry_node(dir, t, i);
        task_put(t);
        return inode;
    }
    return NULL;
}

static int task_dir_readdir(struct file *f, struct dir_emit *e, u64 *pos) {
    struct task *t = node_task(f->inode);
    if (!t)
        return -ESRCH;
    task_put(t);
    if (!emit_dots(f, e, pos))
        return 0;
    for (; *pos - 2 < nr_task_entries; ++*pos) {
        u32 i = *pos - 2;
        const struct task_entry *te = &task_entries[i];
        if (entry_visible(f->inode, te) &&
            !e->entry(e, te->name, strlen(te->name), entry_ino(f->inode, i), IFTODT(te->mode),
                      *pos + 1))
            return 0;
    }
    return 0;
}

static const struct inode_ops task_dir_inode_ops = {.lookup = task_dir_lookup_name};
static const struct file_ops task_dir_ops = {
    .read = read_is_dir, .seek = dir_seek, .readdir = task_dir_readdir, .poll = poll_always};

// The task of a link that current may follow, with a reference; ERR_PTR(-ESRCH, -EACCES).
static struct task *link_task(struct inode *inode) {
    struct task *t = node_task(inode);
    if (!t)
        return ERR_PTR(-ESRCH);
    if (task_may_look(t))
        return t;
    task_put(t);
    return ERR_PTR(-EACCES);
}

static int task_follow(struct inode *inode, struct path *out) {
    struct task *t = link_task(inode);
    if (IS_ERR(t))
        return PTR_ERR(t);
    int error = proc_i(inode)->task_entry->follow(t, out);
    task_put(t);
    return error;
}

static ssize_t task_read_link(struct inode *inode, char *buf) {
    struct path path;
    int error = task_follow(inode, &path);
    if (error)
        return error;
    ssize_t n = path_string(&path, buf, PATH_MAX);
    path_put(&path);
    return n;
}

static const struct inode_ops task_link_inode_ops = {.read_link = task_read_link,
                                                     .follow = task_follow};

// ---- /proc/<pid>/fd, a folder of links, and fdinfo, whose entry has show_fd ----

static struct file *node_file(struct inode *inode) {
    struct task *t = node_task(inode);
    if (!t)
        return ERR_PTR(-ESRCH);
    struct file *f = task_file_get(t, proc_i(inode)->fd);
    bool may = task_may_look(t);  // asked last: t may become another user's by exec meanwhile
    task_put(t);
    if (f && may)
        return f;
    if (f)
        file_put(f);
    return ERR_PTR(may ? -ENOENT : -EACCES);
}

static ssize_t fd_read_link(struct inode *inode, char *buf) {
    struct file *f = node_file(inode);
    if (IS_ERR(f))
        return PTR_ERR(f);
    ssize_t n = file_link_text(f, buf);
    file_put(f);
    return n;
}

static int fd_follow(struct inode *inode, struct path *out) {
    struct file *f = node_file(inode);
    if (IS_ERR(f))
        return PTR_ERR(f);
    int error = file_link_follow(f, out);
    file_put(f);
    return error;
}

static const struct inode_ops fd_inode_ops = {.read_link = fd_read_link, .follow = fd_follow};

static struct inode *fd_node(struct inode *dir, struct task *t, int fd) {
    const struct task_entry *e = proc_i(dir)->task_entry;
    struct file *f = task_file_get(t, fd);
    if (!f)
        return NULL;
    u32 mode = S_IFLNK | (f->mode & FILE_READ ? 0500 : 0) | (f->mode & FILE_WRITE ? 0300 : 0);
    file_put(f);
    struct inode *inode =
        e->show_fd ? task_node(dir->sb, t, INO(t->pid->nr, INO_FDINFO, fd), S_IFREG | 0400,
                               &plain_inode_ops, &generated_ops)
                   : task_node(dir->sb, t, INO(t->pid->nr, INO_FD, fd), mode, &fd_inode_ops, NULL);
    if (!IS_ERR(inode)) {
        proc_i(inode)->fd = fd;
        proc_i(inode)->task_entry = e;
    }
    return inode;
}

static struct inode *fd_dir_lookup(struct inode *dir, const struct name *name) {
    int fd;
    if (!name_number(name, &fd))
        return NULL;
    struct task *t = link_task(dir);
    if (IS_ERR(t))
        return PTR_ERR(t) == -ESRCH ? NULL : (void *)t;
    struct inode *inode = fd_node(dir, t, fd);
    task_put(t);
    return inode;
}

static bool emit_number(struct dir_emit *e, int nr, u64 ino, u8 type, u64 next) {
    char name[12];
    return e->entry(e, name, scnprintf(name, sizeof(name), "%d", nr), ino, type, next);
}

static int fd_dir_readdir(struct file *f, struct dir_emit *e, u64 *pos) {
    bool info = proc_i(f->inode)->task_entry->show_fd;
    struct task *t = link_task(f->inode);
    if (IS_ERR(t))
        return PTR_ERR(t);
    bool room = emit_dots(f, e, pos);
    for (int fd; room && *pos < INT32_MAX && (fd = task_next_fd(t, *pos - 2)) >= 0;) {
        room = emit_number(e, fd, INO(t->pid->nr, info ? INO_FDINFO : INO_FD, fd),
                           info ? DT_REG : DT_LNK, (u64)fd + 3);
        if (room)
            *pos = (u64)fd + 3;
    }
    task_put(t);
    return 0;
}

const struct inode_ops fd_dir_inode_ops = {.lookup = fd_dir_lookup};
const struct file_ops fd_dir_ops = {
    .read = read_is_dir, .seek = dir_seek, .readdir = fd_dir_readdir, .poll = poll_always};

// ---- /proc/<pid>/task ----

static struct inode *threads_lookup(struct inode *dir, const struct name *name) {
    int nr;
    if (!name_number(name, &nr))
        return NULL;
    struct task *t = node_task(dir), *thread = task_lookup(nr);
    struct inode *inode = NULL;
    if (t && thread && (thread == t || (t->process && thread->process == t->process)))
        inode = task_node(dir->sb, thread, INO(nr, INO_THREAD, 0), S_IFDIR | 0555,
                          &task_dir_inode_ops, &task_dir_ops);
    if (t)
        task_put(t);
    if (thread)
        task_put(thread);
    return inode;
}

// Up to BATCH numbers >= from of the threads of t's process.
static u32 collect_threads(struct task *t, u64 from, int *out) {
    u32 n = 0;
    struct task *thread;
    spin_lock(&family_lock);
    if (!t->process) {
        if ((u64)t->pid->nr >= from)
            out[n++] = t->pid->nr;
    } else {
        list_for_each (thread, &t->process->threads, thread_link)
            if (n < BATCH && (u64)thread->pid->nr >= from)
                out[n++] = thread->pid->nr;
    }
    spin_unlock(&family_lock);
    return n;
}

static int threads_readdir(struct file *f, struct dir_emit *e, u64 *pos) {
    int batch[BATCH];
    struct task *t = node_task(f->inode);
    if (!t)
        return -ESRCH;
    bool room = emit_dots(f, e, pos);
    for (u32 n = 1; room && n;) {
        n = collect_threads(t, *pos - 2, batch);
        for (u32 i = 0; i < n && room; i++) {
            room =
                emit_number(e, batch[i], INO(batch[i], INO_THREAD, 0), DT_DIR, (u64)batch[i] + 3);
            if (room)
                *pos = (u64)batch[i] + 3;
        }
    }
    task_put(t);
    return 0;
}

const struct inode_ops threads_inode_ops = {.lookup = threads_lookup};
const struct file_ops threads_ops = {
    .read = read_is_dir, .seek = dir_seek, .readdir = threads_readdir, .poll = poll_always};

// ---- /proc ----

// Up to BATCH numbers >= from of processes (and kernel threads).
static u32 collect_processes(u64 from, int *out) {
    u32 n = 0;
    struct pid *p;
    spin_lock(&family_lock);
    for (int nr = from; n < BATCH && (p = pid_next(nr)); nr = p->nr + 1)
        if (p->task && (!p->task->process || p->task->process->pid == p))
            out[n++] = p->nr;
    spin_unlock(&family_lock);
    return n;
}

int task_dirs_readdir(struct dir_emit *e, u64 *pos, u64 base) {
    int batch[BATCH];
    if (*pos < base)
        *pos = base;
    for (u32 n; *pos - base < INT32_MAX && (n = collect_processes(*pos - base, batch));)
        for (u32 i = 0; i < n; i++) {
            u64 next = base + batch[i] + 1;
            if (!emit_number(e, batch[i], INO(batch[i], INO_PROCESS, 0), DT_DIR, next))
                return 0;
            *pos = next;
        }
    return 0;
}

static ssize_t self_link(char *buf) { return scnprintf(buf, PATH_MAX, "%d", task_tgid(current)); }

static ssize_t thread_self_link(char *buf) {
    return scnprintf(buf, PATH_MAX, "%d/task/%d", task_tgid(current), current->pid->nr);
}

static ssize_t mounts_link(char *buf) { return strlcpy(buf, "self/mounts", PATH_MAX); }

void task_links_init(void) {
    proc_add_link(&proc_root, "self", self_link);
    proc_add_link(&proc_root, "thread-self", thread_self_link);
    proc_add_link(&proc_root, "mounts", mounts_link);
}
