/*
 * epoll: a set of descriptors, and a list of those that are ready. epoll(7).
 *
 * An item is one watched descriptor. It has a waiter on each wait queue of the file's poll operation; when the file changes, the
 * waker's callback puts the item on the set's ready list and wakes one sleeper. epoll_wait() looks at the items of that list
 * only, so its cost does not depend on how many are watched. Each is asked again (its file's poll) before it is reported, for
 * the list says "may be ready". Then a level-triggered item goes to the list's end, an edge-triggered one waits for the
 * next callback, a one-shot one has no events until EPOLL_CTL_MOD.
 *
 *   epoll_wait, batch [mutex]             waker (its queue's lock held)
 *   item off the list
 *                                         file changes; item on no list: on the ready list
 *   asks the file: sees the change
 * or
 *   asks the file: nothing
 *                                         file changes; item on the ready list; wake
 *
 * Off the list comes before asking, so a change is either seen or has its item on the list again.
 *
 * A set is watched like any file: its queue holds sleepers and watchers. A callback then leads to the callback of the next
 * set, so sets must not watch each other in a circle, and not too deep. `level` is at least one more than that of each set
 * watched; a new watch raises the levels of all sets above, or fails, and the end of one lowers them again.
 *
 * Closing. An item holds no reference to its file: the last file_put() calls epoll_forget(), which removes the items
 * before the file is released. So an item on file->watches means that the file, and what its queues are in, is still there;
 * the last file_put() waits for the set's mutex while epoll_wait() asks the dying file.
 *
 *   epoll_forget (file goes)              set_release (set goes)
 *   watch_lock: item there? its set +1    mutex: each item: off its queues,
 *   mutex: item still there? remove it      off file->watches (watch_lock), freed
 *   set -1                                set -1
 *
 * EPOLLEXCLUSIVE: the waker takes an exclusive waiter off its queue when somebody was woken; harvesting puts it back.
 *
 * Locks, in order: set->mutex (items, batches; an outer set before a nested one), watch_lock (file->watches, levels), a
 * file's queue, set->waitq.lock (ready list; a nested set before its watcher). Sleeps: all but the callback.
 */
#include "abi/errno.h"
#include "fs/anon.h"
#include "fs/proc.h"
#include "ipc/event.h"
#include "mm/slab.h"
#include "mm/uaccess.h"

#define MAX_LEVEL 4u              // sets in sets: five in all
#define SLEEPERS_ONLY (1u << 31)  // a key that no watcher waits for
#define MODES (EPOLLET | EPOLLONESHOT | EPOLLWAKEUP | EPOLLEXCLUSIVE)
#define EXCLUSIVE_ALLOWS                                                                           \
    (EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE)

struct set {
    struct ref ref;
    struct mutex mutex;
    struct file *file;         // [I] valid while it has a descriptor
    struct rb_root items;      // [mutex] by file and number
    struct waitq waitq;        // sleepers (exclusive) and watchers
    struct list ready;         // [waitq.lock] of item.ready
    u32 level;                 // [watch_lock]
    u32 seen;                  // [watch_lock] the search that came here last
    struct hlist_head nested;  // [watch_lock] items whose files are sets
};

struct watch {  // one queue of an item
    struct waiter waiter;
    struct waitq *queue;
    struct item *item;
};

struct item {
    struct rb_node node;        // [mutex]
    struct hlist_node of_file;  // [watch_lock] file->watches
    struct hlist_node of_set;   // [watch_lock] set->nested
    struct list ready;          // [waitq.lock of the set] on set->ready, or on a batch [mutex]
    struct set *set;            // [I]
    struct file *file;          // [I]
    int fd;                     // [I]
    u32 events;                 // [mutex]; looked at by callbacks
    u64 data;                   // [mutex]
    u32 queues;                 // [mutex]
    struct watch watch[2];      // [mutex] a terminal has two
};

static struct slab_cache *item_cache;
static struct spinlock watch_lock = SPINLOCK_INIT(RANK_WATCHES, "epoll watches");
static const struct file_ops set_ops;

static void set_put(struct set *s) {
    if (ref_put(&s->ref))
        kfree(s);
}

/* ---- ready ---- */

// => waitq.lock held
static void make_ready(struct set *s, struct item *item) {
    if (list_empty(&item->ready))
        list_add_tail(&item->ready, &s->ready);
}

// => waitq.lock held
static void wake_locked(struct set *s, u32 key) {
    if (!list_empty(&s->waitq.waiters))
        waitq_wake_locked(&s->waitq, 1, key);
}

static bool file_changed(struct waiter *w, u32 key) {
    struct item *item = container_of(w, struct watch, waiter)->item;
    struct set *s = item->set;
    u32 events = READ_ONCE(item->events) & ~MODES;
    if (!events || (key && !(key & events)))
        return false;
    irqlock_acquire_irqs_off(&s->waitq.lock);
    bool sleepers = !list_empty(&s->waitq.waiters);
    make_ready(s, item);
    wake_locked(s, POLLIN | POLLRDNORM);
    irqlock_release_irqs_off(&s->waitq.lock);
    return sleepers;
}

// The events that hold now. => mutex held
static u32 ask(const struct item *item) {
    return item->file->ops->poll(item->file, NULL) & item->events;
}

// Back on the queues that a wake-up took an exclusive waiter off.
static void watch_again(struct item *item) {
    for (u32 i = 0; i < item->queues; i++) {
        waitq_remove(item->watch[i].queue, &item->watch[i].waiter);
        waitq_add(item->watch[i].queue, &item->watch[i].waiter);
    }
}

// Take items off the batch until one has events; NULL: none has. => mutex held
static struct item *next_ready(struct set *s, struct list *batch, u32 *events) {
    while (!list_empty(batch)) {
        struct item *item = list_first(batch, struct item, ready);
        u64 flags = irqlock_acquire(&s->waitq.lock);
        list_del(&item->ready);
        irqlock_release(&s->waitq.lock, flags);
        if (item->events & EPOLLEXCLUSIVE)
            watch_again(item);
        *events = ask(item);
        if (*events)
            return item;
    }
    return NULL;
}

static void batch_begin(struct set *s, struct list *batch) {
    list_init(batch);
    mutex_lock(&s->mutex);
    u64 flags = irqlock_acquire(&s->waitq.lock);
    list_splice_tail(&s->ready, batch);
    irqlock_release(&s->waitq.lock, flags);
}

// What is left comes before what became ready meanwhile. A sleeper may have seen an empty list; watchers ask with the
// mutex, and they may be whom this is done for.
static void batch_end(struct set *s, struct list *batch) {
    u64 flags = irqlock_acquire(&s->waitq.lock);
    list_splice_tail(&s->ready, batch);
    list_splice_tail(batch, &s->ready);
    if (!list_empty(&s->ready))
        wake_locked(s, SLEEPERS_ONLY);
    irqlock_release(&s->waitq.lock, flags);
    mutex_unlock(&s->mutex);
}

// First of the batch, or last of the ready list, unless a callback was faster.
static void put_back(struct set *s, struct item *item, struct list *batch) {
    u64 flags = irqlock_acquire(&s->waitq.lock);
    if (!batch)
        make_ready(s, item);
    else if (list_empty(&item->ready))
        list_add(&item->ready, batch);
    irqlock_release(&s->waitq.lock, flags);
}

// Report up to max events. How many, or -EFAULT.
static int harvest(struct set *s, u64 user, int max) {
    struct list batch;
    struct item *item;
    u32 events;
    int n = 0, error = 0;
    batch_begin(s, &batch);
    while (n < max && (item = next_ready(s, &batch, &events))) {
        struct epoll_event e = {.events = events, .data = item->data};
        error = copy_to_user(user + n * sizeof(e), &e, sizeof(e));
        if (error) {
            put_back(s, item, &batch);
            break;
        }
        n++;
        if (item->events & EPOLLONESHOT)
            WRITE_ONCE(item->events, item->events & MODES);
        else if (!(item->events & EPOLLET))
            put_back(s, item, NULL);
    }
    batch_end(s, &batch);
    return n ? n : error;
}

static u32 set_poll(struct file *f, struct poll_table *pt) {
    struct set *s = f->private_;
    struct list batch;
    u32 events;
    poll_wait(f, &s->waitq, pt);
    batch_begin(s, &batch);
    struct item *item = next_ready(s, &batch, &events);
    if (item)
        put_back(s, item, &batch);
    batch_end(s, &batch);
    return item ? POLLIN | POLLRDNORM : 0;
}

/* ---- sets in sets ---- */

static void set_level(struct set *s, u32 level) {
    s->level = level;
    lock_set_rank(&s->waitq.lock.lock, RANK_EPOLL_READY + level);
    s->mutex.name = (struct lock_name)LOCK_NAME(RANK_EPOLL + MAX_LEVEL - level, "epoll");
}

// `s` is to watch something of a lower level: raise it and all that watch it. -ELOOP if that gets too deep or comes
// by `nested`; a few levels may be higher then than they need be. => watch_lock held
static int raise(struct set *s, const struct set *nested, u32 level, u32 search) {
    struct item *item;
    if (s == nested || level > MAX_LEVEL)
        return -ELOOP;
    if (s->seen == search && s->level >= level)
        return 0;
    s->seen = search;
    level = max(level, s->level);
    hlist_for_each (item, &s->file->watches, of_file) {
        int error = raise(item->set, nested, level + 1, search);
        if (error)
            return error;
    }
    if (level > s->level)
        set_level(s, level);
    return 0;
}

// A set that `s` watched is not watched any more: what is above may be higher than it needs to be. => watch_lock held
static void lower(struct set *s) {
    struct item *item;
    u32 level = 0;
    hlist_for_each (item, &s->nested, of_set) {
        const struct set *nested = item->file->private_;
        level = max(level, nested->level + 1);
    }
    if (level >= s->level)
        return;
    set_level(s, level);
    hlist_for_each (item, &s->file->watches, of_file)
        lower(item->set);
}

// The item's file may go from here on.
static void unwatch(struct item *item) {
    spin_lock(&watch_lock);
    hlist_del(&item->of_file);
    if (!hlist_unhashed(&item->of_set)) {
        hlist_del(&item->of_set);
        lower(item->set);
    }
    spin_unlock(&watch_lock);
}

/* ---- items; => set's mutex held ---- */

static int compare(const struct item *item, const struct file *f, int fd) {
    if (item->file != f)
        return f < item->file ? -1 : 1;
    return fd - item->fd;
}

static struct item *item_find(struct set *s, const struct file *f, int fd) {
    struct rb_node *n = s->items.node;
    while (n) {
        struct item *item = rb_entry(n, struct item, node);
        int c = compare(item, f, fd);
        if (c == 0)
            return item;
        n = c < 0 ? n->left : n->right;
    }
    return NULL;
}

static bool item_less(const struct rb_node *a, const struct rb_node *b) {
    const struct item *x = rb_entry(a, struct item, node);
    return compare(rb_entry(b, struct item, node), x->file, x->fd) < 0;
}

struct adder {
    struct poll_table table;
    struct item *item;
};

static void add_queue(struct poll_table *pt, struct file *f, struct waitq *q) {
    struct item *item = container_of(pt, struct adder, table)->item;
    assert(item->queues < ARRAY_SIZE(item->watch) && item->file == f);
    struct watch *w = &item->watch[item->queues++];
    waiter_init(&w->waiter);
    w->waiter.fn = file_changed;
    w->waiter.exclusive = item->events & EPOLLEXCLUSIVE;
    w->queue = q;
    w->item = item;
    waitq_add(q, &w->waiter);
}

static void item_remove(struct item *item) {
    struct set *s = item->set;
    for (u32 i = 0; i < item->queues; i++)
        waitq_remove(item->watch[i].queue, &item->watch[i].waiter);
    rb_erase(&item->node, &s->items);
    u64 flags = irqlock_acquire(&s->waitq.lock);
    list_del(&item->ready);
    irqlock_release(&s->waitq.lock, flags);
    unwatch(item);
    slab_free(item_cache, item);
}

static void announce(struct item *item) {
    struct set *s = item->set;
    u64 flags = irqlock_acquire(&s->waitq.lock);
    make_ready(s, item);
    wake_locked(s, POLLIN | POLLRDNORM);
    irqlock_release(&s->waitq.lock, flags);
}

static void item_begin(struct item *item) {
    struct adder adder = {.table = {.add = add_queue, .events = item->events}, .item = item};
    rb_add(&item->node, &item->set->items, item_less);
    if (item->file->ops->poll(item->file, &adder.table) & item->events)
        announce(item);
}

static int item_modify(struct item *item, const struct epoll_event *e) {
    if ((item->events | e->events) & EPOLLEXCLUSIVE)
        return -EINVAL;
    item->data = e->data;
    WRITE_ONCE(item->events, e->events | EPOLLERR | EPOLLHUP);
    memory_fence();
    if (ask(item))
        announce(item);
    return 0;
}

/* ---- calls ---- */

// => no lock held. 0, -EEXIST, -ELOOP, -ENOMEM
static int set_add(struct set *s, struct file *f, int fd, const struct epoll_event *e) {
    static u32 search;
    struct item *item = slab_alloc(item_cache, ALLOC_ZERO);
    int error = 0;
    if (!item)
        return -ENOMEM;
    item->set = s;
    item->file = f;
    item->fd = fd;
    item->events = e->events | EPOLLERR | EPOLLHUP;
    item->data = e->data;
    list_init(&item->ready);
    spin_lock(&watch_lock);
    if (f->ops == &set_ops) {
        struct set *nested = f->private_;
        error = raise(s, nested, nested->level + 1, ++search);
        if (!error)
            hlist_add(&item->of_set, &s->nested);
    }
    if (!error)
        hlist_add(&item->of_file, &f->watches);
    spin_unlock(&watch_lock);
    if (error)
        goto free_item;
    mutex_lock(&s->mutex);
    if (!item_find(s, f, fd)) {
        item_begin(item);
        mutex_unlock(&s->mutex);
        return 0;
    }
    mutex_unlock(&s->mutex);
    error = -EEXIST;
    unwatch(item);
free_item:
    slab_free(item_cache, item);
    return error;
}

static int set_change(struct set *s, struct file *f, int fd, const struct epoll_event *e) {
    int error = 0;
    mutex_lock(&s->mutex);
    struct item *item = item_find(s, f, fd);
    if (!item)
        error = -ENOENT;
    else if (e)
        error = item_modify(item, e);
    else
        item_remove(item);
    mutex_unlock(&s->mutex);
    return error;
}

static int control(struct file *ep, int op, struct file *f, int fd, const struct epoll_event *e) {
    if (!f->ops->poll || f->ops->poll == poll_always)
        return -EPERM;
    if (f == ep || ep->ops != &set_ops)
        return -EINVAL;
    if (op != EPOLL_CTL_DEL && e->events & EPOLLEXCLUSIVE &&
        (op == EPOLL_CTL_MOD || f->ops == &set_ops || e->events & ~EXCLUSIVE_ALLOWS))
        return -EINVAL;
    switch (op) {
    case EPOLL_CTL_ADD:
        return set_add(ep->private_, f, fd, e);
    case EPOLL_CTL_MOD:
        return set_change(ep->private_, f, fd, e);
    case EPOLL_CTL_DEL:
        return set_change(ep->private_, f, fd, NULL);
    default:
        return -EINVAL;
    }
}

int epoll_ctl(struct file *ep, int op, int fd, struct epoll_event *event) {
    struct fd_ref r = fd_get(fd);
    if (!r.file)
        return -EBADF;
    int result = control(ep, op, r.file, fd, event);
    fd_put(r);
    return result;
}

int epoll_wait(struct file *ep, u64 user_events, int n, u64 deadline) {
    struct set *s = ep->private_;
    int got = 0;
    if (n <= 0 || (u64)n > INT32_MAX / sizeof(struct epoll_event) || ep->ops != &set_ops)
        return -EINVAL;
    if (!user_range_ok(user_events, n * sizeof(struct epoll_event)))
        return -EFAULT;
    for (;;) {
        if (READ_ONCE(s->ready.next) != &s->ready)
            got = harvest(s, user_events, n);
        if (got || !deadline)
            return got;
        int error =
            wait_turn_deadline(&s->waitq, READ_ONCE(s->ready.next) != &s->ready, deadline, "epoll");
        if (error == -ETIMEDOUT)
            deadline = 0;
        else if (error)
            return -EINTR;
    }
}

// The set that watches f first in its list, and may be about to go: with a reference; NULL: none does.
static struct set *first_watcher(struct file *f) {
    struct set *s = NULL;
    spin_lock(&watch_lock);
    if (!hlist_empty(&f->watches)) {
        s = hlist_entry(f->watches.first, struct item, of_file)->set;
        ref_get(&s->ref);
    }
    spin_unlock(&watch_lock);
    return s;
}

static struct item *item_of(struct set *s, struct file *f) {
    struct item *item;
    spin_lock(&watch_lock);
    hlist_for_each (item, &f->watches, of_file)
        if (item->set == s)
            break;
    spin_unlock(&watch_lock);
    return item;
}

void epoll_forget(struct file *f) {
    struct set *s;
    while ((s = first_watcher(f))) {
        mutex_lock(&s->mutex);
        struct item *item = item_of(s, f);
        if (item)
            item_remove(item);
        mutex_unlock(&s->mutex);
        set_put(s);
    }
}

static void set_release(struct file *f) {
    struct set *s = f->private_;
    struct rb_node *n;
    mutex_lock(&s->mutex);
    while ((n = rb_first(&s->items)))
        item_remove(rb_entry(n, struct item, node));
    mutex_unlock(&s->mutex);
    set_put(s);
}

static void set_show(struct file *f, struct printer *p) {
    struct set *s = f->private_;
    struct item *item;
    mutex_lock(&s->mutex);
    rb_for_each (item, &s->items, node)
        printer_printf(p, "tfd: %8d events: %8x data: %16lx  pos:%lu ino:%lx sdev:%x\n", item->fd,
                       item->events, item->data, item->file->pos, item->file->inode->ino,
                       item->file->inode->sb->devno);
    mutex_unlock(&s->mutex);
}

static const struct file_ops set_ops = {.release = set_release, .poll = set_poll};
static struct anon_kind set_kind = {
    .name = "eventpoll", .ops = &set_ops, .show_info = set_show, .free = kfree};

int epoll_open(u32 flags) {
    if (flags & ~EPOLL_CLOEXEC)
        return -EINVAL;
    struct set *s = kzalloc(sizeof(*s));
    if (!s)
        return -ENOMEM;
    ref_init(&s->ref);
    mutex_init(&s->mutex, RANK_EPOLL, "epoll");
    waitq_init(&s->waitq);
    list_init(&s->ready);
    set_level(s, 0);
    struct file *f = anon_open(&set_kind, flags, s);
    if (IS_ERR(f)) {
        kfree(s);
        return PTR_ERR(f);
    }
    s->file = f;
    return fd_give(f, 0, flags & EPOLL_CLOEXEC);
}

void event_init(void) {
    item_cache = slab_create("epoll item", sizeof(struct item), 0);
    assert(item_cache);
    anon_register(&eventfd_kind);
    anon_register(&timerfd_kind);
    anon_register(&set_kind);
}
