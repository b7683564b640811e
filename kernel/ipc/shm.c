/*
 * System V shared memory: segments that unrelated processes attach to their address spaces.
 *
 * A segment is a mapping without a disk (MAPPING_PINNED), as of a file of tmpfs, so that mm/ brings in the same frames for
 * whoever touches them. Attaching makes a VMA whose v->file is the segment; the VMA has a reference and counts in nattch,
 * and so do the copies that fork and the pieces that a split make. Exec and exit unmap as always, which detaches.
 *
 * IPC_RMID of a segment that is attached takes its key away and marks it SHM_DEST: its id goes on to be good until the last
 * VMA closes. That closing comes from inside of mm/, with mm->lock held, so table->lock ranks above it: who
 * has table->lock never touches user memory.
 *
 *   the last shmdt                          shmat by id
 *   lock o: nattch 0, SHM_DEST; unlock
 *                                           lock o: nattch 1; unlock
 *   table lock, lock o: nattch is 1,        maps it
 *   nothing to do
 *
 * Memory is promised (vma_charge) when the segment is made, unless SHM_NORESERVE, and pages come with the first touch.
 */
#include "ipc/shm.h"

#include "abi/capability.h"
#include "abi/shm.h"
#include "fs/proc.h"
#include "ipc/ids.h"
#include "lib/string.h"
#include "mm/pagecache.h"
#include "mm/slab.h"
#include "mm/uaccess.h"
#include "mm/vm.h"

struct shm {
    struct ipc_object o;
    u64 size;          // [I] bytes
    u64 pages;         // [I]
    bool charged;      // [I] its pages are promised
    u64 nattch;        // [lock] VMAs
    s64 atime, dtime;  // [lock] seconds
    int cpid, lpid;    // [I]; [lock]
    struct mapping mapping;
};

static u64 shmmax = ~0ul - MIB(16), shmall = ~0ul - MIB(16);
static u64 shmmni = 4096;
static u64 total;  // [table] pages of all segments

static struct ipc_object *shm_create(u64 size, int flags);
static int shm_fits(struct ipc_object *o, u64 size);
static void shm_free(struct ipc_object *o);
static void shm_status(struct ipc_object *o, void *ds);
static void shm_removed(struct ipc_object *o) { (void)o; }

static struct ipc_table segments = {IPC_TABLE_INIT(segments, "shm"),
                                    .limit = &shmmni,
                                    .create = shm_create,
                                    .fits = shm_fits,
                                    .remove = shm_removed,
                                    .free = shm_free,
                                    .status = shm_status,
                                    .ds_size = sizeof(struct shmid64_ds)};
BUILD_ASSERT(sizeof(struct shmid64_ds) <= IPC_DS_MAX);

static inline struct shm *shm_of(struct ipc_object *o) { return container_of(o, struct shm, o); }

// ---- life ----

static const struct mapping_ops shm_mapping_ops = {.read_page = NULL};

static struct ipc_object *shm_create(u64 size, int flags) {
    u64 pages = size / PAGE_SIZE + (size % PAGE_SIZE != 0);
    if (size == 0 || size > READ_ONCE(shmmax) || flags & SHM_HUGETLB)
        return ERR_PTR(-EINVAL);
    if (load_relaxed(&total) + pages > READ_ONCE(shmall))
        return ERR_PTR(-ENOSPC);
    struct shm *s = kzalloc(sizeof(*s));
    if (!s)
        return ERR_PTR(-ENOMEM);
    s->charged = !(flags & SHM_NORESERVE);
    if (s->charged && !vma_charge(pages)) {
        kfree(s);
        return ERR_PTR(-ENOMEM);
    }
    atomic_add_relaxed(&total, pages);
    s->size = size;
    s->pages = pages;
    s->cpid = task_tgid(current);
    mapping_init(&s->mapping, &shm_mapping_ops, s, MAPPING_PINNED);
    return &s->o;
}

static void shm_free(struct ipc_object *o) {
    struct shm *s = shm_of(o);
    pagecache_truncate(&s->mapping, 0);
    if (s->charged)
        vma_uncharge(s->pages);
    atomic_sub(&total, s->pages);
    kfree(s);
}

static int shm_fits(struct ipc_object *o, u64 size) { return size > shm_of(o)->size ? -EINVAL : 0; }

long shm_get(int key, u64 size, int flags) { return ipc_get(&segments, key, flags, size); }

// ---- attachments ----

static void attach_locked(struct shm *s) {
    ipc_ref(&s->o);
    s->nattch++;
}

// The last attachment of a segment that was removed is gone, or was, a moment ago.
static void destroy_if_unused(struct shm *s) {
    mutex_lock(&segments.lock);
    spin_lock(&s->o.lock);
    bool unused = s->nattch == 0 && !s->o.removed;
    ipc_unlock(&s->o);
    if (unused)
        ipc_remove(&segments, &s->o);
    mutex_unlock(&segments.lock);
    if (unused)
        ipc_put(&segments, &s->o);
}

// => s->o locked, unlocked afterwards
static void release_locked(struct shm *s) {
    bool last = --s->nattch == 0 && s->o.mode & SHM_DEST;
    ipc_unlock(&s->o);
    if (unlikely(last))
        destroy_if_unused(s);
    ipc_put(&segments, &s->o);
}

// It stays though its VMAs go.
static void hold(struct shm *s) {
    spin_lock(&s->o.lock);
    attach_locked(s);
    ipc_unlock(&s->o);
}

static void shm_open(struct vma *v) {
    struct shm *s = v->file;
    spin_lock(&s->o.lock);
    attach_locked(s);
    s->atime = ipc_now();
    s->lpid = task_tgid(current);
    ipc_unlock(&s->o);
}

static void shm_close(struct vma *v) {
    struct shm *s = v->file;
    spin_lock(&s->o.lock);
    s->dtime = ipc_now();
    s->lpid = task_tgid(current);
    release_locked(s);
}

// mremap(2) may have made the VMA longer than the segment.
static struct page *shm_fault(struct vma *v, va_t addr, enum access access) {
    u64 index = v->pgoff + ((addr - v->start) >> PAGE_SHIFT);
    (void)access;
    if (index >= ((struct shm *)v->file)->pages)
        return ERR_PTR(-ENXIO);
    return pagecache_get(v->mapping, index);
}

static const struct vma_ops shm_vma_ops = {
    .name = "/SYSV (deleted)", .fault = shm_fault, .open = shm_open, .close = shm_close};

// Where and how shmat() is to attach. 0 or -EINVAL
static int attach_request(struct vma_request *r, u64 addr, int flags) {
    if (flags & SHM_RND)
        addr = align_down(addr, (u64)SHMLBA);
    if (!is_aligned(addr, PAGE_SIZE) || (!addr && flags & SHM_REMAP))
        return -EINVAL;
    *r = (struct vma_request){
        .addr = addr,
        .flags = VM_READ | VM_SHARED,
        .fixed = addr != 0,
        .no_replace = !(flags & SHM_REMAP),
        .ops = &shm_vma_ops,
    };
    if (!(flags & SHM_RDONLY))
        r->flags |= VM_WRITE | VM_MAYWRITE;
    if (flags & SHM_EXEC)
        r->flags |= VM_EXEC;
    return 0;
}

static u32 wanted_rights(int flags) {
    return 0444 | (flags & SHM_RDONLY ? 0 : 0222) | (flags & SHM_EXEC ? 0111 : 0);
}

long shm_attach(int id, u64 addr, int flags) {
    struct mm *mm = current->mm;
    struct vma_request r;
    int error = attach_request(&r, addr, flags);
    if (error)
        return error;
    struct ipc_object *o = ipc_lock_for(&segments, id, wanted_rights(flags));
    if (IS_ERR(o))
        return PTR_ERR(o);
    struct shm *s = shm_of(o);
    attach_locked(s);  // until the VMA counts
    ipc_unlock(o);
    r.length = s->pages * PAGE_SIZE;
    r.mapping = &s->mapping;
    r.file = s;
    write_lock(&mm->lock);
    long result = vma_map(mm, &r);
    write_unlock(&mm->lock);
    spin_lock(&o->lock);
    release_locked(s);
    return result == -EEXIST ? -EINVAL : result;
}

// Does v show the page of a segment that was attached at `base`?
static bool attached_at(const struct vma *v, va_t base) {
    return v->ops == &shm_vma_ops && v->start - base == v->pgoff << PAGE_SHIFT;
}

// What is left of the attachment at addr: munmap(2) may have cut it, or taken its beginning.
long shm_detach(u64 addr) {
    struct mm *mm = current->mm;
    struct shm *s = NULL;
    int error = -EINVAL;
    if (!is_aligned(addr, PAGE_SIZE))
        return -EINVAL;
    write_lock(&mm->lock);
    for (struct vma *v = vma_find(mm, addr), *next; v; v = next) {
        va_t start = v->start, end = v->end;
        if (s && end - addr > s->pages * PAGE_SIZE)
            break;
        next = vma_next(v);
        if (!attached_at(v, addr) || (s && v->file != s))
            continue;
        if (!s)
            hold(s = v->file);
        error = vma_unmap(mm, start, end - start);
    }
    write_unlock(&mm->lock);
    if (s) {
        spin_lock(&s->o.lock);
        release_locked(s);
    }
    return error;
}

// ---- shmctl ----

static void shm_status(struct ipc_object *o, void *ds) {
    const struct shm *s = shm_of(o);
    struct shmid64_ds *d = ds;
    d->shm_segsz = s->size;
    d->shm_atime = s->atime;
    d->shm_dtime = s->dtime;
    d->shm_ctime = o->ctime;
    d->shm_cpid = s->cpid;
    d->shm_lpid = s->lpid;
    d->shm_nattch = s->nattch;
}

static long remove(int id) {
    struct ipc_object *o = ipc_lock_own(&segments, id);
    if (IS_ERR(o))
        return PTR_ERR(o);
    bool attached = shm_of(o)->nattch > 0;
    if (attached) {
        ipc_forget_key(o);
        o->mode |= SHM_DEST;
    }
    ipc_unlock(o);
    if (!attached)
        ipc_remove(&segments, o);
    mutex_unlock(&segments.lock);
    if (!attached)
        ipc_put(&segments, o);
    return 0;
}

// Nothing is ever swapped out here, so locking is a bit that programs see.
static long set_locked(int id, bool locked) {
    struct ipc_object *o = ipc_lock(&segments, id);
    if (!o)
        return -EINVAL;
    u32 uid = current->cred->euid;
    bool owner = uid == o->uid || uid == o->cuid, may = capable(CAP_IPC_LOCK);
    if (owner && (!locked || READ_ONCE(current->process->limit[RLIMIT_MEMLOCK].rlim_cur)))
        may = true;
    if (may)
        o->mode = locked ? o->mode | SHM_LOCKED : o->mode & ~(u32)SHM_LOCKED;
    ipc_unlock(o);
    return may ? 0 : -EPERM;
}

static long limits(u64 user) {
    struct shminfo64 i = {.shmmax = READ_ONCE(shmmax),
                          .shmmin = 1,
                          .shmmni = READ_ONCE(shmmni),
                          .shmseg = READ_ONCE(shmmni),
                          .shmall = READ_ONCE(shmall)};
    return copy_to_user(user, &i, sizeof(i)) ? -EFAULT : ipc_highest(&segments);
}

static long usage(u64 user) {
    struct shm_info i;
    struct ipc_object *o;
    memset(&i, 0, sizeof(i));
    mutex_lock(&segments.lock);
    for (u32 n = 0; (o = ipc_next(&segments, n)) != NULL; n = ipc_number(o) + 1) {
        i.shm_rss += READ_ONCE(shm_of(o)->mapping.nr_pages);
        i.used_ids++;
        i.shm_tot += shm_of(o)->pages;
        ipc_unlock(o);
    }
    mutex_unlock(&segments.lock);
    return copy_to_user(user, &i, sizeof(i)) ? -EFAULT : ipc_highest(&segments);
}

long shm_control(int id, int cmd, u64 user) {
    switch (cmd) {
    case IPC_STAT:
    case SHM_STAT:
    case SHM_STAT_ANY:
        return ipc_stat(&segments, id, cmd != IPC_STAT, cmd == SHM_STAT_ANY, user);
    case IPC_SET:
        return ipc_set(&segments, id, user);
    case IPC_RMID:
        return remove(id);
    case SHM_LOCK:
    case SHM_UNLOCK:
        return set_locked(id, cmd == SHM_LOCK);
    case IPC_INFO:
        return limits(user);
    case SHM_INFO:
        return usage(user);
    default:
        return -EINVAL;
    }
}

// ---- /proc ----

static void show_row(struct printer *p, struct ipc_object *o, const void *ds) {
    const struct shmid64_ds *d = ds;
    const struct ipc64_perm *q = &d->shm_perm;
    printer_printf(p,
                   "%10d %10d  %4o %21lu %5u %5u  %5lu %5u %5u %5u %5u %10lu %10lu %10lu %21lu "
                   "%21lu\n",
                   q->key, o->id, q->mode, d->shm_segsz, d->shm_cpid, d->shm_lpid, d->shm_nattch,
                   q->uid, q->gid, q->cuid, q->cgid, d->shm_atime, d->shm_dtime, d->shm_ctime,
                   READ_ONCE(shm_of(o)->mapping.nr_pages) * PAGE_SIZE, 0ul);
}

static void show_segments(struct printer *p) {
    ipc_show(
        &segments, p,
        "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid "
        " cgid      atime      dtime      ctime                   rss                  swap",
        show_row);
}

void shm_init(void) {
    ipc_table_init(&segments);
    proc_add("sysvipc/shm", 0444, show_segments, NULL);
    proc_add_number("sys/kernel/shmmax", &shmmax, ~0ul);
    proc_add_number("sys/kernel/shmall", &shmall, ~0ul);
    proc_add_number("sys/kernel/shmmni", &shmmni, IPC_NUMBERS);
}
