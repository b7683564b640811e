/*
 * System V semaphores: sets of counters, and operations on several of them that happen all at once or not at all.
 *
 * An operation is an array of steps. try() takes them one by one, and takes them back when one of them must wait, fails
 * or is out of range. Who must wait sleeps as the last in set->waiters; whoever changes a counter tries the
 * waiting operations in their order and completes those that have become possible, on behalf of their tasks
 * (ids.c: sleeping is direct). So a semaphore that was raised by one is not lowered by a newcomer while the one who waits is
 * on its way to a hart.
 *
 * SEM_UNDO: a process (threads made with CLONE_SYSVSEM: glibc's) has a struct sem_undos, which has for each set that it
 * used a struct sem_undo with the sum of what is to be given back. It is on two lists: the owner's and the set's.
 *
 *   exit of the last thread                 IPC_RMID
 *   undos lock: the first undo;             set lock: removed; for each undo of the set:
 *     reference on its set; unlock            its owner's undos lock: off that list; unlock; free it
 *   set lock: removed? then the undo
 *     is gone, else apply and free it
 *
 * Locks: the set's (ids.c), then undos->lock, which guards the owner's list; the numbers in it belong to the set's lock.
 */
#include "ipc/sem.h"

#include "abi/capability.h"
#include "abi/sem.h"
#include "fs/proc.h"
#include "ipc/ids.h"
#include "lib/string.h"
#include "mm/pagecache.h"
#include "mm/slab.h"
#include "mm/uaccess.h"

#define FEW_STEPS 8  // of an operation without memory of its own
#define SEMUSZ 20    // what Linux says; nothing depends on it

struct sem {
    int value;  // 0 … SEMVMX
    int pid;    // who changed it last
};

struct sem_set {
    struct ipc_object o;
    u32 nsems;            // [I]
    s64 otime;            // [lock] seconds
    struct list waiters;  // [lock] of sem_waiter
    struct list undos;    // [lock] of sem_undo.set_link
    struct sem sems[];    // [lock]
};

struct sem_undo {
    struct list link;         // [undos]
    struct list set_link;     // [set]
    struct sem_undos *owner;  // [I]
    struct sem_set *set;      // [I]
    s16 adjust[];             // [set] for each semaphore
};

struct sem_undos {
    struct ref ref;  // tasks
    struct spinlock lock;
    struct list undos;  // [lock]
};

struct operation {
    const struct sembuf *steps;
    u32 n;
    bool alters, undoes;
    int pid;
    struct sem_undo *undo;
    const struct sembuf *blocked;  // the step that must wait
};

struct sem_waiter {
    struct ipc_waiter waiter;
    struct operation *op;
};

static u64 semmsl = 32000, semmns = 1024000000, semopm = 500, semmni = 32000;
static u64 total;  // [a] semaphores of all sets

static struct ipc_object *sem_create(u64 nsems, int flags);
static int sem_fits(struct ipc_object *o, u64 nsems);
static void sem_removed(struct ipc_object *o);
static void sem_free(struct ipc_object *o);
static void sem_status(struct ipc_object *o, void *ds);

static struct ipc_table sets = {IPC_TABLE_INIT(sets, "sem"), .limit = &semmni,
                                .create = sem_create,        .fits = sem_fits,
                                .remove = sem_removed,       .free = sem_free,
                                .status = sem_status,        .ds_size = sizeof(struct semid64_ds)};
BUILD_ASSERT(sizeof(struct semid64_ds) <= IPC_DS_MAX);

static inline struct sem_set *set_of(struct ipc_object *o) {
    return container_of(o, struct sem_set, o);
}

// ---- life ----

static struct ipc_object *sem_create(u64 nsems, int flags) {
    (void)flags;
    if (nsems == 0)
        return ERR_PTR(-EINVAL);
    if (load_relaxed(&total) + nsems > READ_ONCE(semmns))
        return ERR_PTR(-ENOSPC);
    struct sem_set *s = kzalloc(sizeof(*s) + nsems * sizeof(s->sems[0]));
    if (!s)
        return ERR_PTR(-ENOMEM);
    atomic_add_relaxed(&total, nsems);
    s->nsems = nsems;
    list_init(&s->waiters);
    list_init(&s->undos);
    return &s->o;
}

static void sem_free(struct ipc_object *o) {
    atomic_sub(&total, set_of(o)->nsems);
    kfree(set_of(o));
}

static int sem_fits(struct ipc_object *o, u64 nsems) {
    return nsems > set_of(o)->nsems ? -EINVAL : 0;
}

static void undo_free(struct sem_undo *u) {
    spin_lock(&u->owner->lock);
    list_del(&u->link);
    spin_unlock(&u->owner->lock);
    list_del(&u->set_link);
    kfree(u);
}

static void sem_removed(struct ipc_object *o) {
    struct sem_set *s = set_of(o);
    struct sem_undo *u, *next;
    list_for_each_safe (u, next, &s->undos, set_link)
        undo_free(u);
    ipc_wake_all(&s->waiters, -EIDRM);
}

long sem_get(int key, int nsems, int flags) {
    if (nsems < 0 || (u32)nsems > READ_ONCE(semmsl))
        return -EINVAL;
    return ipc_get(&sets, key, flags, nsems);
}

// ---- operations; => set locked ----

// 0, IPC_ASLEEP: it must wait, or -EAGAIN, -ERANGE
static int take_step(struct sem_set *set, struct operation *op, const struct sembuf *b) {
    struct sem *s = &set->sems[b->sem_num];
    int value = s->value + b->sem_op;
    if (b->sem_op ? value < 0 : s->value != 0) {
        op->blocked = b;
        return b->sem_flg & IPC_NOWAIT ? -EAGAIN : IPC_ASLEEP;
    }
    if (value > SEMVMX)
        return -ERANGE;
    if (b->sem_flg & SEM_UNDO) {
        int adjust = op->undo->adjust[b->sem_num] - b->sem_op;
        if (adjust < INT16_MIN || adjust > INT16_MAX)
            return -ERANGE;
        op->undo->adjust[b->sem_num] = adjust;
    }
    s->value = value;
    return 0;
}

static void take_back(struct sem_set *set, struct operation *op, const struct sembuf *b) {
    set->sems[b->sem_num].value -= b->sem_op;
    if (b->sem_flg & SEM_UNDO)
        op->undo->adjust[b->sem_num] += b->sem_op;
}

static int try(struct sem_set *set, struct operation *op) {
    const struct sembuf *b = op->steps, *end = b + op->n;
    int result = 0;
    for (; b < end; b++) {
        result = take_step(set, op, b);
        if (result)
            break;
    }
    if (result) {
        while (b-- > op->steps)
            take_back(set, op, b);
        return result;
    }
    while (b-- > op->steps)
        set->sems[b->sem_num].pid = op->pid;
    set->otime = ipc_now();
    return 0;
}

// Values have changed: complete what has become possible, and what that makes possible.
static void serve(struct sem_set *set) {
    struct sem_waiter *w, *next;
again:
    list_for_each_safe (w, next, &set->waiters, waiter.link) {
        int result = try(set, w->op);
        if (result == IPC_ASLEEP)
            continue;
        ipc_wake(&w->waiter, result);
        if (!result && w->op->alters)
            goto again;
    }
}

// ---- undo ----

static struct sem_undos *undos_create(void) {
    struct sem_undos *u = kmalloc(sizeof(*u), 0);
    if (!u)
        return NULL;
    ref_init(&u->ref);
    spin_init(&u->lock, RANK_SEM_UNDO, "sem undo");
    list_init(&u->undos);
    return u;
}

int sem_share(struct task *t) {
    if (!current->sem_undos && !(current->sem_undos = undos_create()))
        return -ENOMEM;
    ref_get(&current->sem_undos->ref);
    t->sem_undos = current->sem_undos;
    return 0;
}

// current's of this set, or NULL. => set locked
static struct sem_undo *undo_find(struct sem_set *set) {
    struct sem_undos *mine = current->sem_undos;
    struct sem_undo *u;
    if (!mine)
        return NULL;
    spin_lock(&mine->lock);
    list_for_each (u, &mine->undos, link)
        if (u->set == set)
            break;
    spin_unlock(&mine->lock);
    return &u->link == &mine->undos ? NULL : u;
}

// => set locked, and so afterwards; unlocked meanwhile. 0, -ENOMEM, -EIDRM
static int undo_make(struct sem_set *set) {
    ipc_ref(&set->o);
    ipc_unlock(&set->o);
    struct sem_undo *u = kzalloc(sizeof(*u) + set->nsems * sizeof(u->adjust[0]));
    if (!current->sem_undos)
        current->sem_undos = undos_create();
    spin_lock(&set->o.lock);
    int error = !u || !current->sem_undos ? -ENOMEM : set->o.removed ? -EIDRM : 0;
    if (error || undo_find(set)) {
        kfree(u);
    } else {
        u->set = set;
        u->owner = current->sem_undos;
        list_add_tail(&u->set_link, &set->undos);
        spin_lock(&u->owner->lock);
        list_add_tail(&u->link, &u->owner->undos);
        spin_unlock(&u->owner->lock);
    }
    return error;
}

// => set locked
static void undo_apply(struct sem_set *set, struct sem_undo *u) {
    for (u32 i = 0; i < set->nsems; i++)
        if (u->adjust[i]) {
            set->sems[i].value = max(0, min(SEMVMX, set->sems[i].value + u->adjust[i]));
            set->sems[i].pid = task_tgid(current);
        }
    undo_free(u);
    set->otime = ipc_now();
    serve(set);
}

void sem_exit(struct task *t) {
    struct sem_undos *mine = t->sem_undos;
    t->sem_undos = NULL;
    if (!mine || !ref_put(&mine->ref))
        return;
    for (;;) {
        spin_lock(&mine->lock);
        struct sem_undo *u = list_first_or_null(&mine->undos, struct sem_undo, link);
        struct sem_set *set = u ? u->set : NULL;
        if (set)
            ipc_ref(&set->o);
        spin_unlock(&mine->lock);
        if (!set)
            break;
        spin_lock(&set->o.lock);
        if (!set->o.removed)
            undo_apply(set, u);
        ipc_unlock(&set->o);
        ipc_put(&sets, &set->o);
    }
    kfree(mine);
}

// ---- semop ----

// What the steps want of the set. The highest number of a semaphore in them.
static u32 examine(struct operation *op) {
    u32 highest = 0;
    for (u32 i = 0; i < op->n; i++) {
        const struct sembuf *b = &op->steps[i];
        highest = max(highest, (u32)b->sem_num);
        op->alters |= b->sem_op != 0;
        op->undoes |= (b->sem_flg & SEM_UNDO) != 0;
    }
    return highest;
}

// => set locked, unlocked afterwards; nobody could complete it yet
static int wait(struct sem_set *set, struct operation *op, u64 deadline) {
    struct sem_waiter w = {.op = op};
    ipc_ref(&set->o);
    int result = ipc_sleep(&set->o.lock, &w.waiter, &set->waiters, deadline, "semop");
    ipc_unlock(&set->o);
    ipc_put(&sets, &set->o);
    return result == -ETIMEDOUT ? -EAGAIN : result;
}

static long operate(int id, struct operation *op, u64 deadline) {
    u32 highest = examine(op);
    struct ipc_object *o = ipc_lock(&sets, id);
    if (!o)
        return -EINVAL;
    struct sem_set *set = set_of(o);
    int result = highest >= set->nsems ? -EFBIG : ipc_permission(o, op->alters ? 0222 : 0444);
    bool held = false;
    if (!result && op->undoes && !(op->undo = undo_find(set))) {
        held = true;
        result = undo_make(set);
        op->undo = undo_find(set);
    }
    if (!result) {
        result = try(set, op);
        if (!result && op->alters && !list_empty(&set->waiters))
            serve(set);
    }
    if (result == IPC_ASLEEP)
        result = wait(set, op, deadline);
    else
        ipc_unlock(o);
    if (held)
        ipc_put(&sets, o);
    return result;
}

long sem_operate(int id, u64 user, u64 n, u64 deadline) {
    struct sembuf few[FEW_STEPS], *steps = few;
    if (n == 0 || id < 0)
        return -EINVAL;
    if (n > READ_ONCE(semopm))
        return -E2BIG;
    if (n > FEW_STEPS && !(steps = kmalloc(n * sizeof(*steps), 0)))
        return -ENOMEM;
    long result = -EFAULT;
    if (copy_from_user(steps, user, n * sizeof(*steps)) == 0) {
        struct operation op = {.steps = steps, .n = n, .pid = task_tgid(current)};
        result = operate(id, &op, deadline);
    }
    if (steps != few)
        kfree(steps);
    return result;
}

// ---- semctl ----

// How many wait for this semaphore to rise (zero: to become 0). => set locked
static int count_waiters(struct sem_set *set, u32 number, bool zero) {
    struct sem_waiter *w;
    int n = 0;
    list_for_each (w, &set->waiters, waiter.link) {
        const struct sembuf *b = w->op->blocked;
        n += b->sem_num == number && (b->sem_op == 0) == zero;
    }
    return n;
}

static long get_one(int id, int number, int cmd) {
    struct ipc_object *o = ipc_lock_for(&sets, id, 0444);
    if (IS_ERR(o))
        return PTR_ERR(o);
    struct sem_set *set = set_of(o);
    long result = -EINVAL;
    if (number >= 0 && (u32)number < set->nsems)
        result = cmd == GETVAL   ? set->sems[number].value
                 : cmd == GETPID ? set->sems[number].pid
                                 : count_waiters(set, number, cmd == GETZCNT);
    ipc_unlock(o);
    return result;
}

// A semaphore was given a value: nothing of what was done to it before is undone. => set locked
static void set_value(struct sem_set *set, u32 number, int value) {
    struct sem_undo *u;
    set->sems[number].value = value;
    set->sems[number].pid = task_tgid(current);
    list_for_each (u, &set->undos, set_link)
        u->adjust[number] = 0;
}

static long set_one(int id, int number, int value) {
    if (value < 0 || value > SEMVMX)
        return -ERANGE;
    struct ipc_object *o = ipc_lock_for(&sets, id, 0222);
    if (IS_ERR(o))
        return PTR_ERR(o);
    struct sem_set *set = set_of(o);
    bool there = number >= 0 && (u32)number < set->nsems;
    if (there) {
        set_value(set, number, value);
        set->o.ctime = ipc_now();
        serve(set);
    }
    ipc_unlock(o);
    return there ? 0 : -EINVAL;
}

static int get_values(struct sem_set *set, u16 *values) {
    for (u32 i = 0; i < set->nsems; i++)
        values[i] = set->sems[i].value;
    return 0;
}

static int set_values(struct sem_set *set, const u16 *values) {
    for (u32 i = 0; i < set->nsems; i++)
        if (values[i] > SEMVMX)
            return -ERANGE;
    for (u32 i = 0; i < set->nsems; i++)
        set_value(set, i, values[i]);
    set->o.ctime = ipc_now();
    serve(set);
    return 0;
}

// GETALL and SETALL: the set is not locked while memory of its size is got and user memory is touched.
static long all_values(int id, int cmd, u64 user) {
    struct ipc_object *o = ipc_lock_for(&sets, id, cmd == GETALL ? 0444 : 0222);
    if (IS_ERR(o))
        return PTR_ERR(o);
    struct sem_set *set = set_of(o);
    size_t size = set->nsems * sizeof(u16);
    ipc_ref(o);
    ipc_unlock(o);
    u16 *values = kmalloc(size, 0);
    long error = values ? 0 : -ENOMEM;
    if (!error && cmd == SETALL)
        error = copy_from_user(values, user, size);
    if (!error) {
        spin_lock(&o->lock);
        error = o->removed      ? -EIDRM
                : cmd == GETALL ? get_values(set, values)
                                : set_values(set, values);
        ipc_unlock(o);
    }
    if (!error && cmd == GETALL)
        error = copy_to_user(user, values, size);
    kfree(values);
    ipc_put(&sets, o);
    return error;
}

static void sem_status(struct ipc_object *o, void *ds) {
    struct semid64_ds *d = ds;
    d->sem_otime = set_of(o)->otime;
    d->sem_ctime = o->ctime;
    d->sem_nsems = set_of(o)->nsems;
}

static long info(int cmd, u64 user) {
    struct seminfo i = {.semmap = (int)semmns,
                        .semmni = (int)semmni,
                        .semmns = (int)semmns,
                        .semmnu = (int)semmns,
                        .semmsl = (int)semmsl,
                        .semopm = (int)semopm,
                        .semume = (int)semopm,
                        .semusz = SEMUSZ,
                        .semvmx = SEMVMX,
                        .semaem = SEMVMX};
    if (cmd == SEM_INFO) {
        mutex_lock(&sets.lock);
        i.semusz = (int)sets.numbers.count;
        mutex_unlock(&sets.lock);
        i.semaem = (int)load_relaxed(&total);
    }
    return copy_to_user(user, &i, sizeof(i)) ? -EFAULT : ipc_highest(&sets);
}

long sem_control(int id, int number, int cmd, u64 arg) {
    switch (cmd) {
    case GETVAL:
    case GETPID:
    case GETNCNT:
    case GETZCNT:
        return get_one(id, number, cmd);
    case SETVAL:
        return set_one(id, number, (int)arg);
    case GETALL:
    case SETALL:
        return all_values(id, cmd, arg);
    case IPC_STAT:
    case SEM_STAT:
    case SEM_STAT_ANY:
        return ipc_stat(&sets, id, cmd != IPC_STAT, cmd == SEM_STAT_ANY, arg);
    case IPC_SET:
        return ipc_set(&sets, id, arg);
    case IPC_RMID:
        return ipc_remove_id(&sets, id);
    case IPC_INFO:
    case SEM_INFO:
        return info(cmd, arg);
    default:
        return -EINVAL;
    }
}

// ---- /proc ----

static void show_row(struct printer *p, struct ipc_object *o, const void *ds) {
    const struct semid64_ds *d = ds;
    const struct ipc64_perm *q = &d->sem_perm;
    printer_printf(p, "%10d %10d  %4o %10lu %5u %5u %5u %5u %10lu %10lu\n", q->key, o->id, q->mode,
                   d->sem_nsems, q->uid, q->gid, q->cuid, q->cgid, d->sem_otime, d->sem_ctime);
}

static void show_sets(struct printer *p) {
    ipc_show(&sets, p,
             "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime",
             show_row);
}

static void show_limits(struct printer *p) {
    printer_printf(p, "%lu\t%lu\t%lu\t%lu\n", semmsl, semmns, semopm, semmni);
}

// Four numbers, of which later ones may be left out.
static int set_limits(const char *text, size_t n) {
    u64 *const limits[] = {&semmsl, &semmns, &semopm, &semmni};
    static const u32 highest[] = {65536, INT32_MAX, 65536, IPC_NUMBERS};
    u64 values[ARRAY_SIZE(limits)];
    size_t count = 0;
    (void)n;
    for (const char *s = text, *end; count < ARRAY_SIZE(limits); s = end, count++) {
        while (*s == ' ' || *s == '\t')
            s++;
        if (!*s)
            break;
        values[count] = strtou64(s, &end);
        if (end == s || values[count] > highest[count])
            return -EINVAL;
    }
    for (size_t i = 0; i < count; i++)
        WRITE_ONCE(*limits[i], values[i]);
    return count ? 0 : -EINVAL;
}

void sem_init(void) {
    ipc_table_init(&sets);
    proc_add("sysvipc/sem", 0444, show_sets, NULL);
    proc_add("sys/kernel/sem", 0644, show_limits, set_limits);
}
