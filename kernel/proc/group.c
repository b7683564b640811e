/*
 * Process groups and sessions: setpgid(2), setsid(2), and what asks for them.
 *
 * A struct pid heads the list of the processes of its group and of its session; each member holds a reference, so the
 * number is not reused while either lives. All with family_lock held; nothing sleeps.
 */
#include "abi/errno.h"
#include "proc/life.h"

static void move_to_group(struct process *p, struct pid *group) {
    struct pid *old = p->pgrp;
    if (old == group)
        return;
    pid_get(group);
    p->pgrp = group;
    list_move_tail(&p->pgrp_link, &group->group);
    pid_put_locked(old);
}

static void move_to_session(struct process *p, struct pid *session) {
    struct pid *old = p->session;
    if (old == session)
        return;
    pid_get(session);
    p->session = session;
    list_move_tail(&p->session_link, &session->session);
    pid_put_locked(old);
}

static struct process *find_or_self(int pid) {
    return pid == 0 ? current->process : process_find(pid);
}

// The group that p may enter, or NULL with *error.
static struct pid *target_group(struct process *p, int pgid, int *error) {
    if (pgid == p->pid->nr)
        return p->pid;
    struct pid *group = pid_find(pgid);
    *error = -EPERM;
    if (!group || list_empty(&group->group))
        return NULL;
    struct process *member = list_first(&group->group, struct process, pgrp_link);
    return member->session == p->session ? group : NULL;
}

static int setpgid_locked(int pid, int pgid) {
    assert_held(&family_lock);
    struct process *p = find_or_self(pid), *mine = current->process;
    int error = 0;
    if (!p || (p != mine && p->parent != mine))
        return -ESRCH;
    if (p != mine && p->session != mine->session)
        return -EPERM;
    if (p != mine && p->has_execed)
        return -EACCES;
    if (p->session == p->pid)
        return -EPERM;
    struct pid *group = target_group(p, pgid ? pgid : p->pid->nr, &error);
    if (!group)
        return error;
    move_to_group(p, group);
    return 0;
}

int do_setpgid(int pid, int pgid) {
    if (pgid < 0)
        return -EINVAL;
    spin_lock(&family_lock);
    int error = setpgid_locked(pid, pgid);
    spin_unlock(&family_lock);
    return error;
}

int do_setsid(void) {
    struct process *p = current->process;
    int result = -EPERM;
    spin_lock(&family_lock);
    if (list_empty(&p->pid->group)) {
        move_to_group(p, p->pid);
        move_to_session(p, p->pid);
        result = p->pid->nr;
    }
    spin_unlock(&family_lock);
    return result;
}

int do_getpgid(int pid) {
    spin_lock(&family_lock);
    struct process *p = find_or_self(pid);
    int result = p ? p->pgrp->nr : -ESRCH;
    spin_unlock(&family_lock);
    return result;
}

int do_getsid(int pid) {
    spin_lock(&family_lock);
    struct process *p = find_or_self(pid);
    int result = p ? p->session->nr : -ESRCH;
    spin_unlock(&family_lock);
    return result;
}
