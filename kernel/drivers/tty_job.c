/*
 * Job control: which terminal a session has, and which of its process groups may use it.
 *
 *   session (struct pid) --tty-->  terminal  --foreground--> process group
 *           <------session-------
 *
 * A session leader without a terminal gets one by opening it or by TIOCSCTTY. The shell then moves its jobs
 * to and from the foreground with TIOCSPGRP. ^C and friends go to the foreground group; a process of another
 * group that reads gets SIGTTIN, and one that writes (with TOSTOP) or changes settings SIGTTOU: the whole group
 * stops, and the call is made again when it continues. A group that nobody could continue (an orphaned one) and a
 * process that blocks or ignores the signal get -EIO instead for reading; for the rest the latter is let through.
 * POSIX.1-2017, 11.1.
 *
 * family_lock guards t->session, t->foreground and pid->tty; each of the first two holds a reference. It is
 * dropped before a signal is sent. The check that is made for each read compares two pointers without
 * it: a change that comes at the same moment may as well have come after.
 */
#include "abi/capability.h"
#include "abi/errno.h"
#include "drivers/internal.h"
#include "mm/uaccess.h"

// The foreground group with a reference, or NULL.
static struct pid *get_foreground(struct tty *t) {
    spin_lock(&family_lock);
    struct pid *group = t->foreground;
    if (group)
        pid_get(group);
    spin_unlock(&family_lock);
    return group;
}

void tty_signal_foreground(struct tty *t, int sig) {
    struct pid *group = get_foreground(t);

    if (!group)
        return;
    signal_pgrp(group, sig);
    pid_put(group);
}

// Does no member have a parent in another group of the session, who could continue it? => family_lock held
static bool orphaned_locked(struct pid *group) {
    struct process *p;
    assert_held(&family_lock);

    list_for_each (p, &group->group, pgrp_link)
        if (p->nr_threads > 0 && p->parent && p->parent->pgrp != group &&
            p->parent->session == p->session)
            return false;
    return true;
}

static bool blocked_or_ignored(int sig) {
    return current->blocked & SIGMASK(sig) ||
           READ_ONCE(current->process->sighand->action[sig - 1].sa_handler) == SIG_IGN;
}

int tty_check_background(struct tty *t, int sig) {
    struct process *p = current->process;

    if (!p || READ_ONCE(t->session) != p->session || READ_ONCE(t->foreground) == p->pgrp)
        return 0;
    if (blocked_or_ignored(sig))
        return sig == SIGTTIN ? -EIO : 0;
    spin_lock(&family_lock);
    struct pid *group = p->pgrp;
    bool background = t->session == p->session && t->foreground && t->foreground != group;
    bool orphaned = background && orphaned_locked(group);
    pid_get(group);
    spin_unlock(&family_lock);
    if (background && !orphaned)
        signal_pgrp(group, sig);
    pid_put(group);
    return !background ? 0 : orphaned ? -EIO : -ERESTARTSYS;
}

// ---- gaining and losing the terminal; => family_lock held

static bool is_leader(const struct process *p) { return p->session == p->pid; }

static void attach_locked(struct tty *t, struct process *leader) {
    assert_held(&family_lock);
    pid_get(leader->session);
    pid_get(leader->pgrp);
    t->session = leader->session;
    t->foreground = leader->pgrp;
    leader->session->tty = t;
}

// The caller gets the reference of the foreground group (or NULL), to signal it.
static struct pid *detach_locked(struct tty *t) {
    struct pid *group = t->foreground;
    assert_held(&family_lock);

    if (t->session) {
        t->session->tty = NULL;
        pid_put_locked(t->session);
    }
    t->session = t->foreground = NULL;
    return group;
}

static void hangup_group(struct pid *group) {
    if (!group)
        return;
    signal_pgrp(group, SIGHUP);
    signal_pgrp(group, SIGCONT);
    pid_put(group);
}

void tty_open(struct tty *t, bool noctty) {
    struct process *p = current->process;

    if (noctty || !p)
        return;
    spin_lock(&family_lock);
    if (is_leader(p) && !p->session->tty && !t->session)
        attach_locked(t, p);
    spin_unlock(&family_lock);
}

void tty_hangup_session(struct process *leader) {
    spin_lock(&family_lock);
    struct tty *t = is_leader(leader) ? leader->session->tty : NULL;
    struct pid *group = t ? detach_locked(t) : NULL;
    spin_unlock(&family_lock);
    hangup_group(group);
}

// ---- ioctl

// pid 1 has the console from the start, so that a shell run as init has job control. It lends it: the first
// session that asks gets it, by opening it or by TIOCSCTTY. => family_lock held
static bool is_lent(const struct tty *t) { return t->session && t->session->nr == 1; }

// TIOCSCTTY. Root may take the terminal from another session with arg 1.
static long set_controlling(struct tty *t, u64 arg) {
    struct process *p = current->process;
    long r = 0;

    spin_lock(&family_lock);
    if (t->session == p->session)
        r = is_leader(p) ? 0 : -EPERM;
    else if (!is_leader(p) || p->session->tty ||
             (t->session && !is_lent(t) && !(arg == 1 && capable(CAP_SYS_ADMIN))))
        r = -EPERM;
    else {
        struct pid *group = detach_locked(t);
        if (group)
            pid_put_locked(group);
        attach_locked(t, p);
    }
    spin_unlock(&family_lock);
    return r;
}

// TIOCNOTTY. A terminal belongs to a session as a whole, so only its leader can give it up.
static long give_up(struct tty *t) {
    struct process *p = current->process;
    struct pid *group = NULL;
    long r = 0;

    spin_lock(&family_lock);
    if (t->session != p->session)
        r = -ENOTTY;
    else if (!is_leader(p))
        r = -EPERM;
    else
        group = detach_locked(t);
    spin_unlock(&family_lock);
    hangup_group(group);
    return r;
}

static long set_foreground(struct tty *t, u64 arg) {
    struct process *p = current->process;
    struct pid *old = NULL;
    u32 nr;
    long r = tty_check_background(t, SIGTTOU);

    if (r == 0)
        r = get_user_u32(&nr, arg);
    if (r != 0)
        return r;
    if ((s32)nr < 0)
        return -EINVAL;
    spin_lock(&family_lock);
    struct pid *group = pid_find((int)nr);
    if (t->session != p->session) {
        r = -ENOTTY;
    } else if (!group) {
        r = -ESRCH;
    } else if (list_empty(&group->group) ||
               list_first(&group->group, struct process, pgrp_link)->session != p->session) {
        r = -EPERM;
    } else {
        old = t->foreground;
        pid_get(group);
        t->foreground = group;
    }
    if (old)
        pid_put_locked(old);
    spin_unlock(&family_lock);
    return r;
}

// TIOCGPGRP and TIOCGSID: only for processes whose terminal this is.
static long get_number(struct tty *t, u32 cmd, u64 arg) {
    u32 nr = 0;

    spin_lock(&family_lock);
    bool mine = t->session && t->session == current->process->session;
    struct pid *pid = cmd == TIOCGSID ? t->session : t->foreground;
    if (pid)
        nr = (u32)pid->nr;
    spin_unlock(&family_lock);
    return mine ? put_user_u32(nr, arg) : -ENOTTY;
}

long tty_job_ioctl(struct tty *t, u32 cmd, u64 arg) {
    if (!current->process)
        return -ENOTTY;
    switch (cmd) {
    case TIOCSCTTY:
        return set_controlling(t, arg);
    case TIOCNOTTY:
        return give_up(t);
    case TIOCSPGRP:
        return set_foreground(t, arg);
    case TIOCGPGRP:
    case TIOCGSID:
        return get_number(t, cmd, arg);
    default:
        return -ENOTTY;
    }
}
