/*
 * POSIX message queues: named, with priorities, and a signal for who wants to know that a message has come.
 *
 * A queue is a file of the file system "mqueue", which is a tmpfs but for making (a file gets a queue) and freeing (the queue
 * goes with its inode). All mounts show the same one, and the kernel has one of its own, so that mq_open() works
 * wherever it is mounted. A descriptor of a queue is an open file: it can be polled, and read as text; permissions, unlinking
 * and lifetime are those of files.
 *
 * Messages are in a tree, highest priority first, equal ones in the order of arrival. As in msg.c nobody waits without
 * need: a message goes to a sleeping receiver, or into the queue, or its sender sleeps with it until a receiver has made room.
 * So receivers sleep only while the queue is empty, senders only while it is full.
 *
 * mq_notify() registers one process. It is told when a message comes to an empty queue that nobody waits at, once: by a signal, or
 * by a note of its own through a netlink socket, which it also gets, with another last byte, when it is not registered any more.
 * Telling takes family_lock, which ranks below the queue's, or sleeps: the registration is taken out first.
 *
 * Locks: queue->lock, and queues_lock (sleeps) for the list of all queues, which is what RLIMIT_MSGQUEUE is counted by.
 */
#include "ipc/mqueue.h"

#include "abi/capability.h"
#include "abi/mqueue.h"
#include "abi/resource.h"
#include "fs/file.h"
#include "fs/proc.h"
#include "fs/tmpfs.h"
#include "ipc/ids.h"
#include "lib/rbtree.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/uaccess.h"
#include "net/netlink.h"

#define MQUEUE_MAGIC 0x19800202
#define STATUS_SIZE 80                 // what stat(2) says of a queue
#define MESSAGES_MAX 65536u            // that root may ask for
#define MESSAGE_SIZE_MAX (u32) MIB(1)  // bytes, the same
#define MESSAGE_COST 96u  // bytes beside its text that RLIMIT_MSGQUEUE counts, getrlimit(2)

struct message {
    struct rb_node node;  // [queue]
    u32 priority;
    u32 size;
    char text[];
};

struct mqueue {
    struct spinlock lock;
    struct rb_root_cached messages;  // [lock]
    struct list receivers, senders;  // [lock] that sleep
    u32 count;                       // [lock] messages; looked at without
    u64 bytes;                       // [lock] of their texts
    struct waitq poll;
    u32 max_count, max_size;    // [I]
    struct notice {             // [lock]
        struct pid *owner;      // who is to be told of a message, with a reference, or NULL
        struct sigevent event;  // how
        struct note *note;      // SIGEV_THREAD: what is sent
    } notice;
    struct list link;  // [queues_lock]
    u32 uid;           // [I] who made it
    u64 cost;          // [I] bytes of that one's RLIMIT_MSGQUEUE
};

struct transfer {
    struct ipc_waiter waiter;
    struct message *message;  // to be sent, or that was received [queue]
};

static u64 queues_max = 256, msg_max = 10, msgsize_max = 8192, msg_default = 10,
           msgsize_default = 8192;
static struct mutex queues_lock = MUTEX_INIT(queues_lock, RANK_IPC_TABLE, "mqueues");
static struct list queues = LIST_INIT(queues);
static u32 nr_queues;         // [queues_lock]
static struct mount *mqueue;  // [I] the kernel's

// ---- life ----

static const struct file_ops mqueue_file_ops;
static struct inode_ops mqueue_inode_ops;  // tmpfs's, with changes
static struct super_ops mqueue_super_ops;

// What a queue of these limits is to be. 0 or -EINVAL
static int check_attributes(const struct mq_attr *a) {
    bool root = capable(CAP_SYS_RESOURCE);
    if (a->mq_maxmsg <= 0 || a->mq_msgsize <= 0)
        return -EINVAL;
    if ((u64)a->mq_maxmsg > (root ? MESSAGES_MAX : READ_ONCE(msg_max)))
        return -EINVAL;
    return (u64)a->mq_msgsize > (root ? MESSAGE_SIZE_MAX : READ_ONCE(msgsize_max)) ? -EINVAL : 0;
}

// Into the list, if the user may have so many bytes more. 0, -EMFILE, -ENOSPC
static int enlist(struct mqueue *q) {
    u64 limit = READ_ONCE(current->process->limit[RLIMIT_MSGQUEUE].rlim_cur), bytes = q->cost;
    struct mqueue *other;
    mutex_lock(&queues_lock);
    list_for_each (other, &queues, link)
        if (other->uid == q->uid)
            bytes += other->cost;
    int error = bytes > limit                                                      ? -EMFILE
                : nr_queues >= READ_ONCE(queues_max) && !capable(CAP_SYS_RESOURCE) ? -ENOSPC
                                                                                   : 0;
    if (!error) {
        list_add_tail(&q->link, &queues);
        nr_queues++;
    }
    mutex_unlock(&queues_lock);
    return error;
}

static struct mqueue *queue_create(const struct mq_attr *a) {
    int error = check_attributes(a);
    if (error)
        return ERR_PTR(error);
    struct mqueue *q = kzalloc(sizeof(*q));
    if (!q)
        return ERR_PTR(-ENOMEM);
    spin_init(&q->lock, RANK_IPC_OBJECT, "mqueue");
    q->messages = RB_ROOT_CACHED;
    list_init(&q->receivers);
    list_init(&q->senders);
    waitq_init(&q->poll);
    q->max_count = a->mq_maxmsg;
    q->max_size = a->mq_msgsize;
    q->uid = current->cred->uid;
    q->cost = q->max_count * ((u64)q->max_size + MESSAGE_COST);
    error = enlist(q);
    if (!error)
        return q;
    kfree(q);
    return ERR_PTR(error);
}

static struct message *take_first(struct mqueue *q) {
    struct message *m = rb_entry_or_null(q->messages.leftmost, struct message, node);
    if (m) {
        rb_erase_cached(&m->node, &q->messages);
        WRITE_ONCE(q->count, q->count - 1);
        q->bytes -= m->size;
    }
    return m;
}

static void drop_notice(const struct notice *n);

static void queue_free(struct mqueue *q) {
    struct message *m;
    mutex_lock(&queues_lock);
    list_del(&q->link);
    nr_queues--;
    mutex_unlock(&queues_lock);
    while ((m = take_first(q)) != NULL)
        kfree(m);
    drop_notice(&q->notice);
    kfree(q);
}

// inode_ops.make; `what`: the attributes that mq_open() was given, or NULL.
static struct inode *mqueue_make(struct inode *dir, const struct name *name, u32 mode, u32 rdev,
                                 const char *what) {
    struct mq_attr usual = {.mq_maxmsg = min(READ_ONCE(msg_default), READ_ONCE(msg_max)),
                            .mq_msgsize = min(READ_ONCE(msgsize_default), READ_ONCE(msgsize_max))};
    if (!S_ISREG(mode))
        return ERR_PTR(-EPERM);
    struct mqueue *q = queue_create(what ? (const struct mq_attr *)what : &usual);
    if (IS_ERR(q))
        return (void *)q;
    struct inode *inode = tmpfs_inode_ops.make(dir, name, mode, rdev, NULL);
    if (IS_ERR(inode)) {
        queue_free(q);
        return inode;
    }
    inode->ops = &mqueue_inode_ops;
    inode->fops = &mqueue_file_ops;
    inode->size = STATUS_SIZE;
    inode->private_ = q;
    return inode;
}

static void mqueue_free(struct inode *inode) {
    if (inode->private_)
        queue_free(inode->private_);
    tmpfs_super_ops.free(inode);
}

// The text of a queue is made at each reading: it has no size to set.
static int mqueue_resize(struct inode *inode, u64 size) {
    (void)inode, (void)size;
    return 0;
}

static int mqueue_statfs(struct super *sb, struct statfs *st) {
    int error = tmpfs_super_ops.statfs(sb, st);
    st->f_type = MQUEUE_MAGIC;
    return error;
}

static int mqueue_mount(struct super *sb, const char *options) {
    (void)options;
    int error = tmpfs_mount(sb, "mode=1777");
    if (error)
        return error;
    sb->ops = &mqueue_super_ops;
    sb->root->inode->ops = &mqueue_inode_ops;
    return 0;
}

// ---- moving messages; => queue locked ----

static bool goes_before(const struct rb_node *a, const struct rb_node *b) {
    return rb_entry(a, struct message, node)->priority >
           rb_entry(b, struct message, node)->priority;
}

static void tell_pollers(struct mqueue *q, u32 events) {
    memory_fence();
    if (waitq_active(&q->poll))
        waitq_wake(&q->poll, ~0u, events);
}

static void put_in(struct mqueue *q, struct message *m) {
    rb_add_cached(&m->node, &q->messages, goes_before);
    WRITE_ONCE(q->count, q->count + 1);
    q->bytes += m->size;
    tell_pollers(q, POLLIN | POLLRDNORM);
}

// True: it went to a receiver.
static bool hand_over(struct mqueue *q, struct message *m) {
    if (list_empty(&q->receivers))
        return false;
    struct transfer *r = list_first(&q->receivers, struct transfer, waiter.link);
    r->message = m;
    ipc_wake(&r->waiter, 0);
    return true;
}

// There is room again: for the first sender that waits, if any.
static void let_in(struct mqueue *q) {
    if (list_empty(&q->senders)) {
        tell_pollers(q, POLLOUT | POLLWRNORM);
        return;
    }
    struct transfer *s = list_first(&q->senders, struct transfer, waiter.link);
    put_in(q, s->message);
    ipc_wake(&s->waiter, 0);
}

// ---- notification ----

#define COOKIE_SIZE 32  // a note: the C library's own bytes, and one that says why it comes
#define WOKEN 1
#define REMOVED 2

// => queue locked
static struct notice take_notice(struct mqueue *q) {
    struct notice n = q->notice;
    q->notice = (struct notice){0};
    return n;
}

static void send_signal(const struct notice *n) {
    struct siginfo info = {.si_signo = n->event.sigev_signo,
                           .si_code = SI_MESGQ,
                           .si_pid = task_tgid(current),
                           .si_uid = current->cred->uid,
                           .si_value = n->event.sigev_value};
    spin_lock(&family_lock);
    struct process *p = pid_process(n->owner);
    if (p && n->event.sigev_notify == SIGEV_SIGNAL && info.si_signo)
        signal_send_process(p, &info);
    spin_unlock(&family_lock);
}

// => queue not locked, in the next two
static void drop_notice(const struct notice *n) {
    if (n->note)
        note_send(n->note, REMOVED);
    if (n->owner)
        pid_put(n->owner);
}

static void send_notice(struct notice *n) {
    if (likely(!n->owner))
        return;
    if (n->note)
        note_send(n->note, WOKEN);
    else
        send_signal(n);
    n->note = NULL;
    drop_notice(n);
}

static bool lives(struct pid *pid) {
    spin_lock(&family_lock);
    bool alive = pid_process(pid) != NULL;
    spin_unlock(&family_lock);
    return alive;
}

static int event_in(u64 user, struct notice *n) {
    struct sigevent *e = &n->event;
    if (copy_from_user(e, user, sizeof(*e)))
        return -EFAULT;
    if (e->sigev_notify == SIGEV_THREAD) {
        n->note = note_make(e->sigev_signo, (u64)e->sigev_value.sival_ptr, COOKIE_SIZE);
        return IS_ERR(n->note) ? (int)PTR_ERR(n->note) : 0;
    }
    bool known = e->sigev_notify == SIGEV_NONE ||
                 (e->sigev_notify == SIGEV_SIGNAL && e->sigev_signo >= 0 && e->sigev_signo <= 64);
    return known ? 0 : -EINVAL;
}

// The registration of a process, current or one that is no more, is given up.
static void unregister(struct mqueue *q, struct pid *whose) {
    struct notice n = {0};
    spin_lock(&q->lock);
    if (q->notice.owner == whose)
        n = take_notice(q);
    spin_unlock(&q->lock);
    drop_notice(&n);
}

// 0: the notice is the queue's; -EBUSY; -EAGAIN: who was registered is dead
static int register_notice(struct mqueue *q, struct notice *n) {
    spin_lock(&q->lock);
    struct pid *other = q->notice.owner;
    if (!other) {
        n->owner = current->process->pid;
        q->notice = *n;
        other = n->owner;
        pid_get(other);
        spin_unlock(&q->lock);
        return 0;
    }
    pid_get(other);
    spin_unlock(&q->lock);
    bool dead = !lives(other);
    if (dead)
        unregister(q, other);
    pid_put(other);
    return dead ? -EAGAIN : -EBUSY;
}

// ---- files ----

static struct mqueue *queue_of(const struct file *f) {
    return f->ops == &mqueue_file_ops ? f->inode->private_ : NULL;
}

static void mqueue_release(struct file *f) {
    if (current->process)
        unregister(queue_of(f), current->process->pid);
}

static u32 mqueue_poll(struct file *f, struct poll_table *pt) {
    struct mqueue *q = queue_of(f);
    poll_wait(f, &q->poll, pt);
    u32 count = READ_ONCE(q->count);
    return (count ? POLLIN | POLLRDNORM : 0) | (count < q->max_count ? POLLOUT | POLLWRNORM : 0);
}

static ssize_t mqueue_read(struct file *f, struct iter *to, u64 *pos) {
    struct mqueue *q = queue_of(f);
    char text[STATUS_SIZE];
    spin_lock(&q->lock);
    const struct pid *owner = q->notice.owner;
    const struct sigevent *e = &q->notice.event;
    bool told = owner && e->sigev_notify == SIGEV_SIGNAL;
    size_t n = scnprintf(
        text, sizeof(text), "QSIZE:%-10lu NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6d\n", q->bytes,
        owner ? e->sigev_notify : 0, told ? e->sigev_signo : 0, owner ? owner->nr : 0);
    spin_unlock(&q->lock);
    if (*pos >= n || !to->left)
        return 0;
    ssize_t moved = iter_put(to, text + *pos, min(n - *pos, to->left));
    *pos += moved;
    return moved ? moved : -EFAULT;
}

static const struct file_ops mqueue_file_ops = {
    .release = mqueue_release,
    .read = mqueue_read,
    .seek = filemap_seek,
    .poll = mqueue_poll,
};

// The file of a descriptor of a queue that may be used so (FILE_READ, FILE_WRITE; 0: in any way), or -EBADF.
static int queue_get(int fd, u32 mode, struct fd_ref *r) {
    *r = fd_get(fd);
    if (r->file && queue_of(r->file) && (r->file->mode & mode) == mode)
        return 0;
    if (r->file)
        fd_put(*r);
    return -EBADF;
}

// ---- mq_open, mq_unlink ----

// glibc has taken the slash in front away. 0 or errno
static int name_in(char *name, u64 user) {
    ssize_t n = copy_string_from_user(name, user, NAME_MAX + 1);
    if (n <= 0)
        return n ? n : -ENOENT;
    return strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ? -EACCES : 0;
}

long mq_open(u64 user, int flags, u32 mode, u64 attr) {
    struct path root = {mqueue, mqueue->root};
    struct mq_attr a;
    char name[NAME_MAX + 1];
    if (attr && copy_from_user(&a, attr, sizeof(a)))
        return -EFAULT;
    int error = name_in(name, user);
    if (error)
        return error;
    if ((flags & O_ACCMODE) == O_ACCMODE)
        return -EINVAL;
    flags &= O_ACCMODE | O_CREAT | O_EXCL | O_NONBLOCK;
    int fd = fd_reserve(true);
    if (fd < 0)
        return fd;
    struct file *f = path_open_in(&root, name, flags, mode & 0777, attr ? &a : NULL);
    if (IS_ERR(f)) {
        fd_release(fd);
        return PTR_ERR(f);
    }
    fd_install(fd, f);
    return fd;
}

long mq_unlink(u64 user) {
    struct path root = {mqueue, mqueue->root};
    char name[NAME_MAX + 1];
    int error = name_in(name, user);
    return error ? error : path_unlink_in(&root, name);
}

// ---- mq_timedsend, mq_timedreceive ----

static struct message *message_in(u64 user, u32 size, u32 priority) {
    struct message *m = kmalloc(sizeof(*m) + size, 0);
    if (!m)
        return ERR_PTR(-ENOMEM);
    m->priority = priority;
    m->size = size;
    if (copy_from_user(m->text, user, size) == 0)
        return m;
    kfree(m);
    return ERR_PTR(-EFAULT);
}

// => queue locked, unlocked afterwards. 0, -ERESTARTSYS, -ETIMEDOUT
static int sleep_on(struct mqueue *q, struct transfer *t, struct list *queue, u64 deadline,
                    const char *wmesg) {
    int error = ipc_sleep(&q->lock, &t->waiter, queue, deadline, wmesg);
    spin_unlock(&q->lock);
    return error == -EINTR ? -ERESTARTSYS : error;
}

static int send(struct mqueue *q, struct message *m, bool wait, u64 deadline) {
    struct transfer t = {.message = m};
    struct notice notice = {0};
    spin_lock(&q->lock);
    if (q->count == q->max_count) {
        if (wait)
            return sleep_on(q, &t, &q->senders, deadline, "mq_send");
        spin_unlock(&q->lock);
        return -EAGAIN;
    }
    if (!hand_over(q, m)) {
        put_in(q, m);
        if (unlikely(q->notice.owner) && q->count == 1)
            notice = take_notice(q);
    }
    spin_unlock(&q->lock);
    send_notice(&notice);
    return 0;
}

long mq_send(int fd, u64 user, u64 size, u32 priority, u64 deadline) {
    struct fd_ref r;
    if (priority >= MQ_PRIO_MAX)
        return -EINVAL;
    long error = queue_get(fd, FILE_WRITE, &r);
    if (error)
        return error;
    struct mqueue *q = queue_of(r.file);
    struct message *m =
        size > q->max_size ? ERR_PTR(-EMSGSIZE) : message_in(user, (u32)size, priority);
    error = IS_ERR(m) ? PTR_ERR(m) : send(q, m, !(r.file->flags & O_NONBLOCK), deadline);
    if (error && !IS_ERR(m))
        kfree(m);
    fd_put(r);
    return error;
}

static struct message *receive(struct mqueue *q, bool wait, u64 deadline) {
    struct transfer t = {0};
    spin_lock(&q->lock);
    struct message *m = take_first(q);
    if (!m && wait) {
        int error = sleep_on(q, &t, &q->receivers, deadline, "mq_recv");
        return error ? ERR_PTR(error) : t.message;
    }
    if (m)
        let_in(q);
    spin_unlock(&q->lock);
    return m ? m : ERR_PTR(-EAGAIN);
}

long mq_receive(int fd, u64 user, u64 size, u64 priority, u64 deadline) {
    struct fd_ref r;
    long result = queue_get(fd, FILE_READ, &r);
    if (result)
        return result;
    struct mqueue *q = queue_of(r.file);
    struct message *m = size < q->max_size ? ERR_PTR(-EMSGSIZE)
                                           : receive(q, !(r.file->flags & O_NONBLOCK), deadline);
    fd_put(r);
    if (IS_ERR(m))
        return PTR_ERR(m);
    result = m->size;
    if (copy_to_user(user, m->text, m->size) || (priority && put_user_u32(m->priority, priority)))
        result = -EFAULT;
    kfree(m);
    return result;
}

// ---- mq_notify, mq_getsetattr ----

long mq_notify(int fd, u64 event) {
    struct fd_ref r;
    struct notice n = {0};
    int error = event ? event_in(event, &n) : 0;
    if (error)
        return error;
    error = queue_get(fd, 0, &r);
    if (!error) {
        struct mqueue *q = queue_of(r.file);
        if (!event)
            unregister(q, current->process->pid);
        else
            while ((error = register_notice(q, &n)) == -EAGAIN)
                ;
        fd_put(r);
    }
    if (error && n.note)
        note_drop(n.note);
    return error;
}

long mq_getsetattr(int fd, u64 new_, u64 old) {
    struct fd_ref r;
    struct mq_attr a = {0}, now = {0};
    if (new_ && copy_from_user(&a, new_, sizeof(a)))
        return -EFAULT;
    if (a.mq_flags & ~(s64)O_NONBLOCK)
        return -EINVAL;
    int error = queue_get(fd, 0, &r);
    if (error)
        return error;
    struct mqueue *q = queue_of(r.file);
    now.mq_flags = load_relaxed(&r.file->flags) & O_NONBLOCK;
    now.mq_maxmsg = q->max_count;
    now.mq_msgsize = q->max_size;
    now.mq_curmsgs = READ_ONCE(q->count);
    if (new_ && a.mq_flags)
        atomic_or(&r.file->flags, O_NONBLOCK);
    else if (new_)
        atomic_and(&r.file->flags, ~(u32)O_NONBLOCK);
    fd_put(r);
    return old && copy_to_user(old, &now, sizeof(now)) ? -EFAULT : 0;
}

// ---- the file system ----

static struct fs_type mqueue_type = {.name = "mqueue", .single = true, .mount = mqueue_mount};

void mqueue_init(void) {
    mqueue_inode_ops = tmpfs_inode_ops;
    mqueue_inode_ops.make = mqueue_make;
    mqueue_inode_ops.link = NULL;
    mqueue_inode_ops.rename = NULL;
    mqueue_inode_ops.resize = mqueue_resize;
    mqueue_super_ops = tmpfs_super_ops;
    mqueue_super_ops.free = mqueue_free;
    mqueue_super_ops.statfs = mqueue_statfs;
    fs_register(&mqueue_type);
    proc_add_number("sys/fs/mqueue/queues_max", &queues_max, 1048576);
    proc_add_number("sys/fs/mqueue/msg_max", &msg_max, MESSAGES_MAX);
    proc_add_number("sys/fs/mqueue/msgsize_max", &msgsize_max, MESSAGE_SIZE_MAX);
    proc_add_number("sys/fs/mqueue/msg_default", &msg_default, MESSAGES_MAX);
    proc_add_number("sys/fs/mqueue/msgsize_default", &msgsize_default, MESSAGE_SIZE_MAX);
}

void mqueue_start(void) {
    mqueue = vfs_mount_kernel("mqueue");
    if (IS_ERR(mqueue))
        panic("no memory for mqueue");
}
