/*
 * Capabilities: root's power cut into rights that a thread can give up one by one (capabilities(7), capget(2)).
 *
 * Each cred has five sets. Effective is what capable() asks. Permitted is what effective may be set to. What an exec keeps:
 * of a program that runs as root, all that bounding has; of any other, ambient, which has only what is both permitted and
 * inheritable. Files have no capabilities of their own here, and the secure bits stay 0.
 *
 * As every part of a cred the sets are changed in a copy, which the caller installs; no locks here, none needed.
 */
#include "abi/capability.h"
#include "abi/errno.h"
#include "lib/string.h"
#include "proc/life.h"

#define ALL ((2ul << CAP_LAST_CAP) - 1)

void caps_fill(struct caps *c) {
    *c = (struct caps){.effective = ALL, .permitted = ALL, .bounding = ALL};
}

static bool has_root_id(const struct cred *c) { return !c->uid || !c->euid || !c->suid; }

void caps_follow_uids(struct cred *c, const struct cred *old) {
    struct caps *caps = &c->caps;
    if (has_root_id(old) && !has_root_id(c)) {
        if (!(current->flags & TASK_KEEP_CAPS))
            caps->permitted = caps->effective = 0;
        caps->ambient = 0;
    }
    if (!old->euid && c->euid)
        caps->effective = 0;
    if (old->euid && !c->euid)
        caps->effective = caps->permitted;
}

#define OF_FILES                                                                                   \
    (1ul << CAP_CHOWN | 1ul << CAP_DAC_OVERRIDE | 1ul << CAP_DAC_READ_SEARCH | 1ul << CAP_FOWNER | \
     1ul << CAP_FSETID | 1ul << CAP_MKNOD)

void caps_follow_fsuid(struct cred *c, u32 old) {
    if (!old && c->fsuid)
        c->caps.effective &= ~OF_FILES;
    if (old && !c->fsuid)
        c->caps.effective |= c->caps.permitted & OF_FILES;
}

struct caps caps_after_exec(const struct cred *old, u32 euid, bool set_id) {
    struct caps c = old->caps;
    if (set_id)
        c.ambient = 0;
    c.permitted = c.effective = c.ambient;
    if (!old->uid || !euid)
        c.permitted = c.bounding | c.inheritable;
    if (!euid)
        c.effective = c.permitted;
    return c;
}

static bool within(u64 set, u64 bound) { return !(set & ~bound); }

int caps_set(u64 effective, u64 permitted, u64 inheritable) {
    const struct caps *old = &current->cred->caps;
    effective &= ALL, permitted &= ALL, inheritable &= ALL;
    if (!within(inheritable, old->inheritable | old->bounding) ||
        (!capable(CAP_SETPCAP) && !within(inheritable, old->inheritable | old->permitted)) ||
        !within(permitted, old->permitted) || !within(effective, permitted))
        return -EPERM;
    struct cred *c = cred_copy();
    if (!c)
        return -ENOMEM;
    c->caps.effective = effective;
    c->caps.permitted = permitted;
    c->caps.inheritable = inheritable;
    c->caps.ambient &= permitted & inheritable;
    cred_install(c);
    return 0;
}

int caps_drop_bounding(u32 cap) {
    if (!capable(CAP_SETPCAP))
        return -EPERM;
    struct cred *c = cred_copy();
    if (!c)
        return -ENOMEM;
    c->caps.bounding &= ~(1ul << cap);
    cred_install(c);
    return 0;
}

int caps_set_ambient(u64 set) {
    const struct caps *old = &current->cred->caps;
    if (!within(set, old->ambient | (old->permitted & old->inheritable)))
        return -EPERM;
    struct cred *c = cred_copy();
    if (!c)
        return -ENOMEM;
    c->caps.ambient = set;
    cred_install(c);
    return 0;
}
