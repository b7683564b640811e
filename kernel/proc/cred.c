/*
 * Credentials: who a task is, and the rules by which it may become somebody else (credentials(7), POSIX setuid()).
 *
 * A struct cred never changes once a task has it. A task that changes its ids copies it, changes the copy and
 * installs that; only the task itself does so. Others look at task->cred while they hold family_lock, and cred_install()
 * swaps the pointer with family_lock held, so what they look at stays.
 *
 * The tasks of each user but root are counted, for RLIMIT_NPROC, and the signals queued for each user's processes, for
 * RLIMIT_SIGPENDING, in a small table guarded by family_lock. A struct user is made before it is needed (user_reserve may
 * sleep, its user must not) and goes with the last task and process of the user. process->user is that of the thread that
 * changed its real uid last; the signals that are queued for the process move with it.
 */
#include "abi/capability.h"
#include "abi/errno.h"
#include "lib/hash.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/life.h"

#define UNCHANGED (~0u)

/* ---- what a user has ---- */

#define USER_BUCKETS 64
static struct hlist_head users[USER_BUCKETS];  // [family]
static struct user root_user;                  // always there

static struct user *user_find(u32 uid) {
    struct user *u;
    if (uid == 0)
        return &root_user;
    hlist_for_each (u, &users[hash_u64(uid) % USER_BUCKETS], hash)
        if (u->uid == uid)
            return u;
    return NULL;
}

static void user_drop_if_idle(struct user *u) {
    if (u->tasks || u->refs || u == &root_user)
        return;
    hlist_del(&u->hash);
    kfree(u);
}

static bool user_reserve(u32 uid) {
    if (uid == 0)
        return true;
    struct user *fresh = kzalloc(sizeof(*fresh));
    if (!fresh)
        return false;
    spin_lock(&family_lock);
    struct user *u = user_find(uid);
    if (!u) {
        u = fresh;
        fresh = NULL;
        u->uid = uid;
        hlist_add(&u->hash, &users[hash_u64(uid) % USER_BUCKETS]);
    }
    u->refs++;
    spin_unlock(&family_lock);
    kfree(fresh);
    return true;
}

struct user *user_get(u32 uid) {
    struct user *u = user_find(uid);
    assert(u);
    u->refs++;
    return u;
}

void user_put(struct user *u) {
    u->refs--;
    user_drop_if_idle(u);
}

void user_count(u32 uid, int delta) {
    if (uid == 0)
        return;
    struct user *u = user_find(uid);
    assert(u);
    u->tasks += delta;
    user_drop_if_idle(u);
}

u32 user_tasks(u32 uid) {
    struct user *u = uid ? user_find(uid) : NULL;
    return u ? u->tasks : 0;
}

// The process becomes a user's, for whom this was reserved. => family_lock held
static void change_user(struct process *p, u32 uid) {
    struct user *old = p->user, *new = user_find(uid);
    u64 flags = irqlock_acquire(&p->siglock);
    atomic_add_relaxed(&old->signals, -p->nr_queued);
    atomic_add_relaxed(&new->signals, p->nr_queued);
    p->user = new;
    irqlock_release(&p->siglock, flags);
    user_put(old);
}

bool user_too_many(void) {
    u32 uid = current->cred->uid;
    spin_lock(&family_lock);
    bool many = user_tasks(uid) > current->process->limit[RLIMIT_NPROC].rlim_cur;
    spin_unlock(&family_lock);
    return uid && many;
}

/* ---- objects ---- */

struct cred *cred_create(void) {
    struct cred *c = kzalloc(sizeof(*c));
    if (c) {
        ref_init(&c->ref);
        caps_fill(&c->caps);
    }
    return c;
}

void cred_put(struct cred *c) {
    if (c && ref_put(&c->ref))
        kfree(c);
}

struct cred *cred_copy(void) {
    struct cred *c = kmalloc(sizeof(*c), 0);
    if (c) {
        *c = *current->cred;
        ref_init(&c->ref);
    }
    return c;
}

// What the user of before could read or do to the task is no longer his: prctl(2), PR_SET_DUMPABLE and PR_SET_PDEATHSIG.
static bool changes_power(const struct cred *c, const struct cred *old) {
    return c->euid != old->euid || c->egid != old->egid || c->fsuid != old->fsuid ||
           c->fsgid != old->fsgid || c->caps.permitted & ~old->caps.permitted;
}

// => c->uid was reserved if the real uid changes
void cred_install(struct cred *c) {
    struct cred *old = current->cred;
    spin_lock(&family_lock);
    if (c->uid != old->uid) {
        user_count(c->uid, 1);
        change_user(current->process, c->uid);
        user_count(old->uid, -1);
    }
    store_release(&current->cred, c);
    if (changes_power(c, old)) {
        WRITE_ONCE(current->process->dumpable, false);
        WRITE_ONCE(current->process->parent_death_signal, 0);
    }
    spin_unlock(&family_lock);
    cred_put(old);
}

struct cred *cred_lend(struct cred *c) {
    struct cred *old = current->cred;
    spin_lock(&family_lock);
    store_release(&current->cred, c);
    spin_unlock(&family_lock);
    return old;
}

bool in_group(u32 gid) {
    const struct cred *c = current->cred;
    if (c->fsgid == gid)
        return true;
    for (u32 i = 0; i < c->ngroups; i++)
        if (c->groups[i] == gid)
            return true;
    return false;
}

/* ---- changing ids ---- */

static int install_uids(u32 r, u32 e, u32 s) {
    u32 old = current->cred->uid;
    struct cred *c = cred_copy();
    if (!c)
        return -ENOMEM;
    if (r != old && !user_reserve(r)) {
        cred_put(c);
        return -ENOMEM;
    }
    c->uid = r;
    c->euid = c->fsuid = e;
    c->suid = s;
    caps_follow_uids(c, current->cred);
    cred_install(c);
    // Programs do not look whether setuid() failed, so it is exec that fails (execve(2), EAGAIN).
    if (r != old && user_too_many())
        atomic_or(&current->flags, TASK_TOO_MANY);
    return 0;
}

static int install_gids(u32 r, u32 e, u32 s) {
    struct cred *c = cred_copy();
    if (!c)
        return -ENOMEM;
    c->gid = r;
    c->egid = c->fsgid = e;
    c->sgid = s;
    cred_install(c);
    return 0;
}

static bool one_of(u32 id, u32 a, u32 b, u32 c) {
    return id == UNCHANGED || id == a || id == b || id == c;
}
static u32 or_else(u32 id, u32 old) { return id == UNCHANGED ? old : id; }

int cred_setuid(u32 uid) {
    const struct cred *c = current->cred;
    if (uid == UNCHANGED)
        return -EINVAL;
    if (capable(CAP_SETUID))
        return install_uids(uid, uid, uid);
    if (uid != c->uid && uid != c->suid)
        return -EPERM;
    return install_uids(c->uid, uid, c->suid);
}

int cred_setgid(u32 gid) {
    const struct cred *c = current->cred;
    if (gid == UNCHANGED)
        return -EINVAL;
    if (capable(CAP_SETGID))
        return install_gids(gid, gid, gid);
    if (gid != c->gid && gid != c->sgid)
        return -EPERM;
    return install_gids(c->gid, gid, c->sgid);
}

int cred_setresuid(u32 r, u32 e, u32 s) {
    const struct cred *c = current->cred;
    if (!capable(CAP_SETUID) &&
        !(one_of(r, c->uid, c->euid, c->suid) && one_of(e, c->uid, c->euid, c->suid) &&
          one_of(s, c->uid, c->euid, c->suid)))
        return -EPERM;
    return install_uids(or_else(r, c->uid), or_else(e, c->euid), or_else(s, c->suid));
}

int cred_setresgid(u32 r, u32 e, u32 s) {
    const struct cred *c = current->cred;
    if (!capable(CAP_SETGID) &&
        !(one_of(r, c->gid, c->egid, c->sgid) && one_of(e, c->gid, c->egid, c->sgid) &&
          one_of(s, c->gid, c->egid, c->sgid)))
        return -EPERM;
    return install_gids(or_else(r, c->gid), or_else(e, c->egid), or_else(s, c->sgid));
}

// The saved id follows the new effective one when the real id is set, or the effective one to other than the real id.
int cred_setreuid(u32 r, u32 e) {
    const struct cred *c = current->cred;
    if (!capable(CAP_SETUID) &&
        !(one_of(r, c->uid, c->euid, c->uid) && one_of(e, c->uid, c->euid, c->suid)))
        return -EPERM;
    u32 effective = or_else(e, c->euid);
    bool save = r != UNCHANGED || (e != UNCHANGED && e != c->uid);
    return install_uids(or_else(r, c->uid), effective, save ? effective : c->suid);
}

int cred_setregid(u32 r, u32 e) {
    const struct cred *c = current->cred;
    if (!capable(CAP_SETGID) &&
        !(one_of(r, c->gid, c->egid, c->gid) && one_of(e, c->gid, c->egid, c->sgid)))
        return -EPERM;
    u32 effective = or_else(e, c->egid);
    bool save = r != UNCHANGED || (e != UNCHANGED && e != c->gid);
    return install_gids(or_else(r, c->gid), effective, save ? effective : c->sgid);
}

int cred_setgroups(u32 n, const u32 *groups) {
    if (!capable(CAP_SETGID))
        return -EPERM;
    if (n > NGROUPS)
        return -EINVAL;
    struct cred *c = cred_copy();
    if (!c)
        return -ENOMEM;
    c->ngroups = n;
    memcpy(c->groups, groups, n * sizeof(*groups));
    cred_install(c);
    return 0;
}

u32 cred_setfsuid(u32 uid) {
    const struct cred *old = current->cred;
    u32 before = old->fsuid;
    if (uid == UNCHANGED ||
        !(capable(CAP_SETUID) || one_of(uid, old->uid, old->euid, old->suid) || uid == before))
        return before;
    struct cred *c = cred_copy();
    if (c) {
        c->fsuid = uid;
        caps_follow_fsuid(c, before);
        cred_install(c);
    }
    return before;
}

u32 cred_setfsgid(u32 gid) {
    const struct cred *old = current->cred;
    u32 before = old->fsgid;
    if (gid == UNCHANGED ||
        !(capable(CAP_SETGID) || one_of(gid, old->gid, old->egid, old->sgid) || gid == before))
        return before;
    struct cred *c = cred_copy();
    if (c) {
        c->fsgid = gid;
        cred_install(c);
    }
    return before;
}
