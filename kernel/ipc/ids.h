// System V identifiers: numbers, keys, owners and permissions, and sleeping on an object; svipc(7).
#ifndef IPC_IDS_H
#define IPC_IDS_H

#include "abi/ipc.h"
#include "lib/idmap.h"
#include "lib/list.h"
#include "proc/proc.h"
#include "sync/block.h"

struct printer;

#define IPC_NUMBERS 32768  // an id is sequence * IPC_NUMBERS + number
#define IPC_BUCKETS 256
#define IPC_KEYS 64

// What every segment, queue and set begins with.
struct ipc_object {
    struct spinlock lock;      // guards the whole object, the owner's part too
    struct ref ref;            // the table's, and one for each sleeper or attachment
    struct hlist_node by_id;   // [bucket]
    struct hlist_node by_key;  // [table]
    int id;                    // [I]
    int key;                   // [lock], [table]: both to change
    bool removed;              // [lock] the table does not know it any more
    u32 uid, gid;              // [lock]
    u32 cuid, cgid;            // [I] who made it
    u32 mode;                  // [lock] permissions, and bits of the kind
    s64 ctime;  // [lock] seconds: when it was made, or changed by IPC_SET and its like
};

// One for each kind of object.
struct ipc_table {
    const char *name;   // [I]
    const u64 *limit;   // [I] objects at most
    struct mutex lock;  // who makes or removes objects, and keys
    // Of the owner. create: a new object, ERR_PTR(-ENOMEM, -EINVAL, -ENOSPC); fits: may shmget, msgget, semget of a key give
    // this one? 0 or -EINVAL; remove: wake who sleeps on it; free: the last reference is gone. => table->lock held in the
    // first two, and the object's in the middle two. status: what IPC_STAT tells, into a zeroed struct of ds_size bytes;
    // set: IPC_SET gives it this: 0 or errno, NULL: nothing of its own. => the object's lock held. Both structs begin with
    // a struct ipc64_perm, which is not theirs
    struct ipc_object *(*create)(u64 size, int flags);
    int (*fits)(struct ipc_object *o, u64 size);
    void (*remove)(struct ipc_object *o);
    void (*free)(struct ipc_object *o);
    void (*status)(struct ipc_object *o, void *ds);
    int (*set)(struct ipc_object *o, const void *ds);
    size_t ds_size;  // [I]
    // [table]
    struct idmap numbers;
    u32 sequence, last;
    struct hlist_head keys[IPC_KEYS];
    u64 words[IDMAP_WORDS(IPC_NUMBERS)];
    struct ipc_bucket {
        struct spinlock lock;
        struct hlist_head objects;  // [bucket]
    } buckets[IPC_BUCKETS];
};
#define IPC_TABLE_INIT(t, name_) .name = name_, .lock = MUTEX_INIT((t).lock, RANK_IPC_TABLE, name_)

void ipc_table_init(struct ipc_table *t);

// shmget(2), msgget(2), semget(2): an id, or -ENOENT, -EEXIST, -EACCES, -ENOSPC, -EINVAL, -ENOMEM.
long ipc_get(struct ipc_table *t, int key, int flags, u64 size);

// The object of an id, locked; NULL: there is none (-EINVAL). Not removed as long as it stays locked.
struct ipc_object *ipc_lock(struct ipc_table *t, int id);
static inline void ipc_unlock(struct ipc_object *o) { spin_unlock(&o->lock); }
static inline void ipc_ref(struct ipc_object *o) { ref_get(&o->ref); }
void ipc_put(struct ipc_table *t, struct ipc_object *o);  // => o not locked

// May current do what the permission bits of `want` (0444 read, 0222 write) say? 0 or -EACCES. => o locked
int ipc_permission(const struct ipc_object *o, u32 want);
// The object of an id, locked, with this permission; ERR_PTR(-EINVAL, -EACCES).
struct ipc_object *ipc_lock_for(struct ipc_table *t, int id, u32 want);

// IPC_STAT (id), *_STAT (a number), *_STAT_ANY (any: whoever asks). 0, the id for a number, -EINVAL, -EACCES, -EFAULT
long ipc_stat(struct ipc_table *t, int id, bool by_number, bool any, u64 user);
long ipc_set(struct ipc_table *t, int id, u64 user);  // IPC_SET: 0, -EINVAL, -EPERM, -EFAULT

// IPC_SET and IPC_RMID are for the owner, the maker and root. The object, locked, and the table locked too;
// ERR_PTR(-EINVAL, -EPERM).
struct ipc_object *ipc_lock_own(struct ipc_table *t, int id);
void ipc_forget_key(struct ipc_object *o);  // => object and table locked
// Out of the table; the caller drops the table's reference when all is unlocked. => table locked, o not
void ipc_remove(struct ipc_table *t, struct ipc_object *o);
int ipc_remove_id(struct ipc_table *t, int id);  // IPC_RMID: 0, -EINVAL, -EPERM

static inline u32 ipc_number(const struct ipc_object *o) { return (u32)o->id % IPC_NUMBERS; }
// The object with the lowest number >= from, locked, or NULL. => table locked
struct ipc_object *ipc_next(struct ipc_table *t, u32 from);
int ipc_highest(struct ipc_table *t);  // number in use; 0: none, too
// /proc/sysvipc/*: a heading, and a line for each object, of what status() told. => o not locked, but it stays
#define IPC_DS_MAX 128
void ipc_show(struct ipc_table *t, struct printer *p, const char *heading,
              void (*line)(struct printer *p, struct ipc_object *o, const void *ds));

s64 ipc_now(void);  // seconds since 1970

// ---- sleeping until another task has done what we wait for ----

struct ipc_waiter {
    struct list link;   // [lock] a queue of the object
    struct task *task;  // [I]
    int result;         // [lock] IPC_ASLEEP, or how it ended. Looked at without
};
#define IPC_ASLEEP 1

// Sleep as the last of `queue` until ipc_wake(), a signal or the deadline (a moment, time/timer.h). What ipc_wake() was given, or
// -EINTR, -ETIMEDOUT. => lock held, released meanwhile; the caller has a reference on what it is part of
int ipc_sleep(struct spinlock *lock, struct ipc_waiter *w, struct list *queue, u64 deadline,
              const char *wmesg);
void ipc_wake(struct ipc_waiter *w, int result);  // off its queue. => the same lock held
void ipc_wake_all(struct list *queue, int result);

void shm_init(void);
void sem_init(void);
void msg_init(void);

#endif
