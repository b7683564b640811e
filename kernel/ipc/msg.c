/*
 * System V message queues: messages with a type, taken out by type.
 *
 * A queue has messages, receivers that none of the messages is for, and senders whose message found no room. Nobody waits
 * without need (ids.c: sleeping is direct):
 *
 *   sending         goes to the first receiver that wants it; else into the queue, if there is room; else the sender sleeps,
 *                   and its message with it
 *   receiving       takes a message, then lets in, in the order in which they came, the messages of senders that fit now
 *
 * So as long as the queue is unlocked: no message in it suits a sleeping receiver, and none of a sleeping sender fits.
 *
 * A message is copied in before the lock is taken and copied out after it was released; once made it does not change. It has a
 * reference count because MSG_COPY leaves it in the queue.
 *
 * Locks: the queue's (ids.c).
 */
#include "ipc/msg.h"

#include "abi/capability.h"
#include "abi/msg.h"
#include "fs/proc.h"
#include "ipc/ids.h"
#include "lib/string.h"
#include "mm/pagecache.h"
#include "mm/slab.h"
#include "mm/uaccess.h"
#include "time/timer.h"

struct msg {
    struct ref ref;    // the queue, a receiver, who copies
    struct list link;  // [lock] queue->messages
    long type;         // [I] > 0
    size_t size;       // [I]
    char text[];       // [I]
};

struct msg_queue {
    struct ipc_object o;
    struct list messages;            // [lock] in the order of arrival
    struct list receivers, senders;  // [lock] that sleep
    u64 bytes, count, max_bytes;     // [lock]
    s64 stime, rtime;                // [lock] seconds
    int lspid, lrpid;                // [lock]
};

struct receiver {
    struct ipc_waiter waiter;
    long type;
    size_t size;
    int flags;
    int pid;
    struct msg *msg;  // [lock] what it got
};

struct sender {
    struct ipc_waiter waiter;
    int pid;
    struct msg *msg;
};

static u64 msgmax = 8192, msgmnb = 16384, msgmni = 32000;

static struct ipc_object *queue_create(u64 unused, int flags);
static int queue_fits(struct ipc_object *o, u64 unused);
static void queue_removed(struct ipc_object *o);
static void queue_free(struct ipc_object *o);
static void queue_status(struct ipc_object *o, void *ds);
static int queue_set(struct ipc_object *o, const void *ds);

static struct ipc_table queues = {IPC_TABLE_INIT(queues, "msg"),
                                  .limit = &msgmni,
                                  .create = queue_create,
                                  .fits = queue_fits,
                                  .remove = queue_removed,
                                  .free = queue_free,
                                  .status = queue_status,
                                  .set = queue_set,
                                  .ds_size = sizeof(struct msqid64_ds)};
BUILD_ASSERT(sizeof(struct msqid64_ds) <= IPC_DS_MAX);

static inline struct msg_queue *queue_of(struct ipc_object *o) {
    return container_of(o, struct msg_queue, o);
}

// ---- life ----

static void msg_put(struct msg *m) {
    if (ref_put(&m->ref))
        kfree(m);
}

static struct ipc_object *queue_create(u64 unused, int flags) {
    (void)unused, (void)flags;
    struct msg_queue *q = kzalloc(sizeof(*q));
    if (!q)
        return ERR_PTR(-ENOMEM);
    list_init(&q->messages);
    list_init(&q->receivers);
    list_init(&q->senders);
    q->max_bytes = READ_ONCE(msgmnb);
    return &q->o;
}

static int queue_fits(struct ipc_object *o, u64 unused) {
    (void)o, (void)unused;
    return 0;
}

static void queue_removed(struct ipc_object *o) {
    ipc_wake_all(&queue_of(o)->receivers, -EIDRM);
    ipc_wake_all(&queue_of(o)->senders, -EIDRM);
}

static void queue_free(struct ipc_object *o) {
    struct msg *m, *next;
    list_for_each_safe (m, next, &queue_of(o)->messages, link)
        msg_put(m);
    kfree(queue_of(o));
}

long msg_get(int key, int flags) { return ipc_get(&queues, key, flags, 0); }

// ---- which message; => queue locked ----

// msgrcv(2): 0 any; above 0 this one, or with MSG_EXCEPT any other; below 0 any up to -type.
static bool suits(const struct msg *m, long type, int flags) {
    if (type == 0)
        return true;
    if (type < 0)
        return m->type <= (type == INT64_MIN ? INT64_MAX : -type);
    return (m->type == type) != ((flags & MSG_EXCEPT) != 0);
}

static struct msg *find(struct msg_queue *q, long type, int flags) {
    struct msg *m, *best = NULL;
    list_for_each (m, &q->messages, link)
        if (suits(m, type, flags) && (!best || m->type < best->type)) {
            best = m;
            if (type >= 0 || m->type == 1)
                break;
        }
    return best;
}

static struct msg *nth(struct msg_queue *q, long n) {
    struct msg *m;
    list_for_each (m, &q->messages, link)
        if (n-- == 0)
            return m;
    return NULL;
}

// ---- moving messages; => queue locked ----

static bool has_room(const struct msg_queue *q, size_t size) {
    return q->bytes + size <= q->max_bytes && q->count + 1 <= q->max_bytes;
}

// To a receiver that waits for such a message. One that has no room for it learns that, and the next one is asked.
static bool hand_over(struct msg_queue *q, struct msg *m) {
    struct receiver *r, *next;
    list_for_each_safe (r, next, &q->receivers, waiter.link) {
        if (!suits(m, r->type, r->flags))
            continue;
        if (m->size > r->size && !(r->flags & MSG_NOERROR)) {
            ipc_wake(&r->waiter, -E2BIG);
            continue;
        }
        r->msg = m;
        q->lrpid = r->pid;
        q->rtime = ipc_now();
        ipc_wake(&r->waiter, 0);
        return true;
    }
    return false;
}

static void put_in(struct msg_queue *q, struct msg *m, int pid) {
    q->lspid = pid;
    q->stime = ipc_now();
    if (hand_over(q, m))
        return;
    list_add_tail(&m->link, &q->messages);
    q->bytes += m->size;
    q->count++;
}

static void let_in(struct msg_queue *q) {
    struct sender *s, *next;
    list_for_each_safe (s, next, &q->senders, waiter.link)
        if (has_room(q, s->msg->size)) {
            put_in(q, s->msg, s->pid);
            ipc_wake(&s->waiter, 0);
        }
}

static void take_out(struct msg_queue *q, struct msg *m) {
    list_del(&m->link);
    q->bytes -= m->size;
    q->count--;
    q->lrpid = task_tgid(current);
    q->rtime = ipc_now();
    if (!list_empty(&q->senders))
        let_in(q);
}

// ---- sending ----

static struct msg *msg_from_user(u64 user, u64 size) {
    long type;
    if (copy_from_user(&type, user, sizeof(type)))
        return ERR_PTR(-EFAULT);
    if (type < 1)
        return ERR_PTR(-EINVAL);
    struct msg *m = kmalloc(sizeof(*m) + size, 0);
    if (!m)
        return ERR_PTR(-ENOMEM);
    ref_init(&m->ref);
    m->type = type;
    m->size = size;
    if (copy_from_user(m->text, user + sizeof(type), size) == 0)
        return m;
    kfree(m);
    return ERR_PTR(-EFAULT);
}

// => queue locked, unlocked afterwards. On success the message is no longer the caller's.
static long send_later(struct msg_queue *q, struct msg *m) {
    struct sender s = {.pid = task_tgid(current), .msg = m};
    ipc_ref(&q->o);
    int result = ipc_sleep(&q->o.lock, &s.waiter, &q->senders, TIME_NEVER, "msgsnd");
    ipc_unlock(&q->o);
    ipc_put(&queues, &q->o);
    return result;
}

long msg_send(int id, u64 user, u64 size, int flags) {
    if (id < 0 || size > READ_ONCE(msgmax))
        return -EINVAL;
    struct msg *m = msg_from_user(user, size);
    if (IS_ERR(m))
        return PTR_ERR(m);
    struct ipc_object *o = ipc_lock_for(&queues, id, 0222);
    long result = IS_ERR(o) ? PTR_ERR(o) : 0;
    if (!result) {
        struct msg_queue *q = queue_of(o);
        bool room = has_room(q, size);
        if (!room && !(flags & IPC_NOWAIT)) {
            result = send_later(q, m);
        } else {
            if (room)
                put_in(q, m, task_tgid(current));
            else
                result = -EAGAIN;
            ipc_unlock(o);
        }
    }
    if (result)
        kfree(m);
    return result;
}

// ---- receiving ----

// A message that is there, with a reference, or ERR_PTR(-ENOMSG, -E2BIG). => queue locked
static struct msg *receive_now(struct msg_queue *q, size_t size, long type, int flags) {
    struct msg *m = flags & MSG_COPY ? nth(q, type) : find(q, type, flags);
    if (!m)
        return ERR_PTR(-ENOMSG);
    if (m->size > size && !(flags & MSG_NOERROR))
        return ERR_PTR(-E2BIG);
    if (flags & MSG_COPY)
        ref_get(&m->ref);
    else
        take_out(q, m);
    return m;
}

// => queue locked, unlocked afterwards
static struct msg *receive_later(struct msg_queue *q, size_t size, long type, int flags) {
    struct receiver r = {.type = type, .size = size, .flags = flags, .pid = task_tgid(current)};
    ipc_ref(&q->o);
    int result = ipc_sleep(&q->o.lock, &r.waiter, &q->receivers, TIME_NEVER, "msgrcv");
    ipc_unlock(&q->o);
    ipc_put(&queues, &q->o);
    return result ? ERR_PTR(result) : r.msg;
}

static struct msg *receive(int id, u64 size, long type, int flags) {
    struct ipc_object *o = ipc_lock_for(&queues, id, 0444);
    if (IS_ERR(o))
        return ERR_PTR(PTR_ERR(o));
    struct msg *m = receive_now(queue_of(o), size, type, flags);
    if (PTR_ERR(m) == -ENOMSG && !(flags & IPC_NOWAIT))
        return receive_later(queue_of(o), size, type, flags);
    ipc_unlock(o);
    return m;
}

long msg_receive(int id, u64 user, u64 size, long type, int flags) {
    if (id < 0 || (s64)size < 0)
        return -EINVAL;
    if (flags & MSG_COPY && (flags & MSG_EXCEPT || !(flags & IPC_NOWAIT)))
        return -EINVAL;
    struct msg *m = receive(id, size, type, flags);
    if (IS_ERR(m))
        return PTR_ERR(m);
    long n = min(size, m->size);
    if (copy_to_user(user, &m->type, sizeof(m->type)) ||
        copy_to_user(user + sizeof(m->type), m->text, n))
        n = -EFAULT;
    msg_put(m);
    return n;
}

// ---- msgctl ----

static void queue_status(struct ipc_object *o, void *ds) {
    const struct msg_queue *q = queue_of(o);
    struct msqid64_ds *d = ds;
    d->msg_stime = q->stime;
    d->msg_rtime = q->rtime;
    d->msg_ctime = o->ctime;
    d->msg_cbytes = q->bytes;
    d->msg_qnum = q->count;
    d->msg_qbytes = q->max_bytes;
    d->msg_lspid = q->lspid;
    d->msg_lrpid = q->lrpid;
}

// A queue may be made to hold more than msgmnb by root only.
static int queue_set(struct ipc_object *o, const void *ds) {
    u64 bytes = ((const struct msqid64_ds *)ds)->msg_qbytes;
    if (bytes > READ_ONCE(msgmnb) && !capable(CAP_SYS_RESOURCE))
        return -EPERM;
    queue_of(o)->max_bytes = bytes;
    let_in(queue_of(o));
    return 0;
}

static void count_usage(struct msginfo *i) {
    struct ipc_object *o;
    i->msgpool = i->msgmap = i->msgtql = 0;
    mutex_lock(&queues.lock);
    for (u32 n = 0; (o = ipc_next(&queues, n)) != NULL; n = ipc_number(o) + 1) {
        i->msgpool++;
        i->msgmap += (int)queue_of(o)->count;
        i->msgtql += (int)queue_of(o)->bytes;
        ipc_unlock(o);
    }
    mutex_unlock(&queues.lock);
}

static long info(int cmd, u64 user) {
    struct msginfo i;
    memset(&i, 0, sizeof(i));
    i.msgmax = (int)msgmax;
    i.msgmnb = i.msgmap = i.msgtql = (int)msgmnb;
    i.msgmni = (int)msgmni;
    i.msgssz = 16;
    i.msgseg = 0xffff;
    i.msgpool = (int)((u64)msgmni * msgmnb / 1024);
    if (cmd == MSG_INFO)
        count_usage(&i);
    return copy_to_user(user, &i, sizeof(i)) ? -EFAULT : ipc_highest(&queues);
}

long msg_control(int id, int cmd, u64 user) {
    switch (cmd) {
    case IPC_STAT:
    case MSG_STAT:
    case MSG_STAT_ANY:
        return ipc_stat(&queues, id, cmd != IPC_STAT, cmd == MSG_STAT_ANY, user);
    case IPC_SET:
        return ipc_set(&queues, id, user);
    case IPC_RMID:
        return ipc_remove_id(&queues, id);
    case IPC_INFO:
    case MSG_INFO:
        return info(cmd, user);
    default:
        return -EINVAL;
    }
}

// ---- /proc ----

static void show_row(struct printer *p, struct ipc_object *o, const void *ds) {
    const struct msqid64_ds *d = ds;
    const struct ipc64_perm *q = &d->msg_perm;
    printer_printf(p, "%10d %10d  %4o  %10lu %10lu %5u %5u %5u %5u %5u %5u %10lu %10lu %10lu\n",
                   q->key, o->id, q->mode, d->msg_cbytes, d->msg_qnum, d->msg_lspid, d->msg_lrpid,
                   q->uid, q->gid, q->cuid, q->cgid, d->msg_stime, d->msg_rtime, d->msg_ctime);
}

static void show_queues(struct printer *p) {
    ipc_show(&queues, p,
             "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  "
             "cgid      stime      rtime      ctime",
             show_row);
}

void msg_init(void) {
    ipc_table_init(&queues);
    proc_add("sysvipc/msg", 0444, show_queues, NULL);
    proc_add_number("sys/kernel/msgmax", &msgmax, MIB(2));
    proc_add_number("sys/kernel/msgmnb", &msgmnb, INT32_MAX);
    proc_add_number("sys/kernel/msgmni", &msgmni, IPC_NUMBERS);
}
