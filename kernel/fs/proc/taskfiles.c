/*
 * procfs: the files of a task, in the formats of proc(5).
 *
 * What several files show is collected once into a `struct task_info`: relations with family_lock held, signals with
 * siglock held, the rest read as it is, for numbers of a running task are old when they are printed anyhow.
 * Address spaces are used through a reference; a kernel thread or a dead task has none and shows zeroes.
 */
#include "abi/capability.h"
#include "fs/proc/internal.h"

#include "drivers/tty.h"
#include "fs/anon.h"
#include "mm/vm.h"
#include "arch/arch.h"
#include "arch/csr.h"
#include "arch/hart.h"

#define TICK_NS (NSEC_PER_SEC / 100)  // USER_HZ is 100

struct task_info {
    int pid, tgid, ppid, pgrp, session, tty, tty_pgrp;
    int threads, exit_signal;
    struct cpu_times time, children_time;
    struct rusage_counts counts, children_counts;
    u64 start_time;
    u32 uid, euid, suid, fsuid, gid, egid, sgid, fsgid;
    u32 ngroups, groups[NGROUPS];
    struct caps caps;
    u64 pending, shared_pending, blocked, ignored, caught;
    u32 queued;
    s64 oom_score_adj;
};

// ---- collecting ----

static void add_thread(struct task_info *i, struct task *t) {
    struct cpu_times time;
    task_times(t, &time);
    i->time.system += time.system;
    i->time.user += time.user;
    i->counts.minflt += READ_ONCE(t->minflt);
    i->counts.majflt += READ_ONCE(t->majflt);
    i->counts.nvcsw += READ_ONCE(t->nvcsw);
    i->counts.nivcsw += READ_ONCE(t->nivcsw);
}

static void info_cred(struct task_info *i, struct task *t) {
    const struct cred *c = cred_of(t);
    if (!c)
        return;
    i->uid = c->uid, i->euid = c->euid, i->suid = c->suid, i->fsuid = c->fsuid;
    i->gid = c->gid, i->egid = c->egid, i->sgid = c->sgid, i->fsgid = c->fsgid;
    i->ngroups = c->ngroups;
    i->caps = c->caps;
    memcpy(i->groups, c->groups, sizeof(i->groups));
}

static void info_tty(struct task_info *i, const struct pid *session) {
    struct tty *tty = session ? session->tty : NULL;
    i->tty_pgrp = -1;
    if (!tty)
        return;
    i->tty = tty->devno;
    if (tty->foreground)
        i->tty_pgrp = tty->foreground->nr;
}

// => siglock held; sighand is NULL once the process is dead
static void info_actions(struct task_info *i, struct sighand *s) {
    if (!s)
        return;
    for (u32 n = 0; n < 64; n++) {
        u64 handler = (u64)READ_ONCE(s->action[n].sa_handler);
        if (handler == 1)  // SIG_IGN
            i->ignored |= 1ul << n;
        else if (handler)
            i->caught |= 1ul << n;
    }
}

static void info_signals(struct task_info *i, struct task *t, struct process *p) {
    u64 flags = irqlock_acquire(&p->siglock);
    i->pending = t->pending.set;
    i->shared_pending = p->pending.set;
    i->blocked = t->blocked;
    i->queued = p->user ? load_relaxed(&p->user->signals) : 0;
    info_actions(i, p->sighand);
    irqlock_release(&p->siglock, flags);
}

// => family_lock held
static void info_process(struct task_info *i, struct process *p) {
    i->tgid = p->pid->nr;
    i->ppid = p->parent ? p->parent->pid->nr : 0;
    i->pgrp = p->pgrp ? p->pgrp->nr : 0;
    i->session = p->session ? p->session->nr : 0;
    info_tty(i, p->session);
    i->threads = p->nr_threads;
    i->exit_signal = p->exit_signal;
    i->children_time = p->children_time;
    i->children_counts = p->children_counts;
    i->oom_score_adj = p->oom_score_adj;
}

// `whole`: times and counts of all threads, dead ones too; else of t alone.
static void task_info(struct task *t, struct task_info *i, bool whole) {
    struct process *p = t->process;
    memset(i, 0, sizeof(*i));
    i->pid = i->tgid = t->pid->nr;
    i->threads = 1;
    i->start_time = t->start_time;
    spin_lock(&family_lock);
    info_cred(i, t);
    if (p)
        info_process(i, p);
    if (p && whole) {
        struct task *thread;
        i->time = p->dead_threads;
        i->counts = p->dead_counts;
        list_for_each (thread, &p->threads, thread_link)
            add_thread(i, thread);
    } else {
        add_thread(i, t);
    }
    spin_unlock(&family_lock);
    if (p)
        info_signals(i, t, p);
}

// ---- stat, status ----

static void stat_memory(struct printer *p, struct mm *mm, struct process *process) {
    u64 limit = process ? process->limit[RLIMIT_RSS].rlim_cur : RLIM_INFINITY;
    if (!mm) {
        printer_printf(p, " 0 0 %lu 0 0 0", limit);
        return;
    }
    printer_printf(p, " %lu %lu %lu %lu %lu %lu", mm->total_pages * PAGE_SIZE, mm_rss(mm), limit,
                   mm->code_start, mm->code_end, mm->stack_top);
}

static void stat_end(struct printer *p, struct mm *mm, struct task *t, const struct task_info *i) {
    printer_printf(p, " %d %u %u %u 0 0 0", i->exit_signal, t->hart, t->se.own_priority,
                   t->se.policy);
    if (mm)
        printer_printf(p, " %lu %lu %lu %lu %lu %lu %lu", mm->data_start, mm->data_end,
                       mm->brk_start, mm->arg_start, mm->arg_end, mm->env_start, mm->env_end);
    else
        printer_printf(p, " 0 0 0 0 0 0 0");
    printer_printf(p, " %d\n", t->exit_code);
}

static int show_stat_of(struct printer *p, struct task *t, bool whole) {
    struct task_info i;
    struct mm *mm = task_mm_get(t);
    int priority = t->se.rt_priority ? -1 - t->se.rt_priority : 20 + t->se.nice;
    task_info(t, &i, whole);
    printer_printf(p, "%d (%.15s) %s %d %d %d %d %d %u", i.pid, t->name, task_state_name(t->state),
                   i.ppid, i.pgrp, i.session, i.tty, i.tty_pgrp, t->flags);
    printer_printf(p, " %lu %lu %lu %lu", i.counts.minflt, i.children_counts.minflt,
                   i.counts.majflt, i.children_counts.majflt);
    printer_printf(p, " %lu %lu %lu %lu", i.time.user / TICK_NS, i.time.system / TICK_NS,
                   i.children_time.user / TICK_NS, i.children_time.system / TICK_NS);
    printer_printf(p, " %d %d %d 0 %lu", priority, t->se.nice, i.threads, i.start_time / TICK_NS);
    stat_memory(p, mm, t->process);
    // no stack and instruction pointers; the signal words are the low 31 bits, as ever
    printer_printf(p, " 0 0 %lu %lu %lu %lu %d 0 0", (i.pending | i.shared_pending) & 0x7fffffff,
                   i.blocked & 0x7fffffff, i.ignored & 0x7fffffff, i.caught & 0x7fffffff,
                   (t->state & TASK_ASLEEP) != 0);
    stat_end(p, mm, t, &i);
    if (mm)
        mm_put(mm);
    return 0;
}

static int show_stat(struct printer *p, struct task *t) {
    return show_stat_of(p, t, !t->process || t->process->pid == t->pid);
}

static void status_ids(struct printer *p, const struct task_info *i) {
    printer_printf(p, "Uid:\t%u\t%u\t%u\t%u\n", i->uid, i->euid, i->suid, i->fsuid);
    printer_printf(p, "Gid:\t%u\t%u\t%u\t%u\n", i->gid, i->egid, i->sgid, i->fsgid);
}

static void status_groups(struct printer *p, const struct task_info *i) {
    printer_printf(p, "Groups:\t");
    for (u32 n = 0; n < i->ngroups; n++)
        printer_printf(p, "%u ", i->groups[n]);
    printer_printf(p, "\n");
}

static void status_signals(struct printer *p, const struct task_info *i, struct process *process) {
    u64 limit = process ? process->limit[RLIMIT_SIGPENDING].rlim_cur : 0;
    printer_printf(p, "SigQ:\t%u/%lu\nSigPnd:\t%016lx\nShdPnd:\t%016lx\n", i->queued, limit,
                   i->pending, i->shared_pending);
    printer_printf(p, "SigBlk:\t%016lx\nSigIgn:\t%016lx\nSigCgt:\t%016lx\n", i->blocked, i->ignored,
                   i->caught);
}

// A mask of harts as "0-3,5".
static void print_hart_list(struct printer *p, u64 mask) {
    const char *comma = "";
    for (u32 h = 0; h < nr_harts; h++) {
        if (!(mask >> h & 1))
            continue;
        u32 last = h;
        while (last + 1 < nr_harts && mask >> (last + 1) & 1)
            last++;
        printer_printf(p, last > h ? "%s%u-%u" : "%s%u", comma, h, last);
        comma = ",";
        h = last;
    }
}

// Numbers as seen in each namespace, of which there is one.
static void status_namespaces(struct printer *p, const struct task_info *i, u32 descriptors) {
    printer_printf(p, "FDSize:\t%u\n", descriptors);
    status_groups(p, i);
    printer_printf(p, "NStgid:\t%d\nNSpid:\t%d\nNSpgid:\t%d\nNSsid:\t%d\n", i->tgid, i->pid,
                   i->pgrp, i->session);
}

static void status_capabilities(struct printer *p, const struct caps *c) {
    printer_printf(p, "CapInh:\t%016lx\nCapPrm:\t%016lx\nCapEff:\t%016lx\n", c->inheritable,
                   c->permitted, c->effective);
    printer_printf(p, "CapBnd:\t%016lx\nCapAmb:\t%016lx\n", c->bounding, c->ambient);
}

static u32 descriptors_of(struct task *t) {
    spin_lock(&family_lock);
    u32 n = t->files ? READ_ONCE(t->files->size) : 0;
    spin_unlock(&family_lock);
    return n;
}

static u32 umask_of(struct task *t) {
    struct fs_context *fs = task_fs_get(t);
    u32 umask = fs ? fs->umask : 022;
    if (fs)
        fs_context_put(fs);
    return umask;
}

static int show_status(struct printer *p, struct task *t) {
    static const char *const words[] = {"running",      "sleeping", "disk sleep", "stopped",
                                        "tracing stop", "zombie",   "dead"};
    struct task_info i;
    struct mm *mm = task_mm_get(t);
    const char *state = task_state_name(t->state), *which = strchr("RSDTtZX", state[0]);
    task_info(t, &i, false);
    printer_printf(p, "Name:\t%.15s\nUmask:\t%04o\nState:\t%s (%s)\n", t->name, umask_of(t), state,
                   which ? words[which - "RSDTtZX"] : "?");
    printer_printf(p, "Tgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t0\n", i.tgid, i.pid,
                   i.ppid);
    status_ids(p, &i);
    status_namespaces(p, &i, descriptors_of(t));
    printer_printf(p, "Kthread:\t%d\n", (t->flags & TASK_KTHREAD) != 0);
    if (mm) {
        status_memory(p, mm);
        mm_put(mm);
        printer_printf(p, "CoreDumping:\t0\nTHP_enabled:\t0\n");
    }
    printer_printf(p, "Threads:\t%d\n", i.threads);
    status_signals(p, &i, t->process);
    status_capabilities(p, &i.caps);
    u64 harts = nr_harts < 64 ? (1ul << nr_harts) - 1 : ~0ul;
    printer_printf(p, "NoNewPrivs:\t%d\nSeccomp:\t0\nSeccomp_filters:\t0\n",
                   (t->flags & TASK_NO_NEW_PRIVS) != 0);
    printer_printf(p, "Cpus_allowed:\t%lx\nCpus_allowed_list:\t", t->affinity & harts);
    print_hart_list(p, t->affinity & harts);
    printer_printf(p, "\nMems_allowed:\t1\nMems_allowed_list:\t0");
    printer_printf(p, "\nvoluntary_ctxt_switches:\t%lu\nnonvoluntary_ctxt_switches:\t%lu\n",
                   READ_ONCE(t->nvcsw), READ_ONCE(t->nivcsw));
    return 0;
}

// ---- memory ----

// Bytes [start, end) of another address space; what is not there ends it.
static int print_memory(struct printer *p, struct mm *mm, u64 start, u64 end) {
    char *buf = kmalloc(1024, 0);
    if (!buf)
        return -ENOMEM;
    for (ssize_t n; start < end; start += n) {
        n = mm_access(mm, start, buf, min(end - start, 1024ul), false);
        if (n <= 0)
            break;
        p->put(p, buf, n);
    }
    kfree(buf);
    return 0;
}

static int show_cmdline(struct printer *p, struct task *t) {
    struct mm *mm = task_mm_get(t);
    int error = mm ? print_memory(p, mm, mm->arg_start, mm->arg_end) : 0;
    if (mm)
        mm_put(mm);
    return error;
}

static int show_environ(struct printer *p, struct task *t) {
    struct mm *mm = task_mm_get(t);
    int error = mm ? print_memory(p, mm, mm->env_start, mm->env_end) : 0;
    if (mm)
        mm_put(mm);
    return error;
}

static int show_auxv(struct printer *p, struct task *t) {
    struct mm *mm = task_mm_get(t);
    u32 n = 0;
    if (!mm)
        return 0;
    while (n + 2 < ARRAY_SIZE(mm->auxv) && mm->auxv[n])
        n += 2;
    p->put(p, (const char *)mm->auxv, (n + 2) * sizeof(mm->auxv[0]));
    mm_put(mm);
    return 0;
}

// ---- scheduling ----

// ns on a hart, ns that it waited for one, how often it got one: sched-stats of Linux.
static int show_schedstat(struct printer *p, struct task *t) {
    u64 turns = READ_ONCE(t->nvcsw) + READ_ONCE(t->nivcsw) + READ_ONCE(t->se.running);
    printer_printf(p, "%lu %lu %lu\n", sched_task_runtime(t), sched_waited_ns(t), turns);
    return 0;
}

static void print_ms(struct printer *p, const char *name, u64 ns) {
    printer_printf(p, "%-45s:%14lu.%06lu\n", name, ns / NSEC_PER_MSEC, ns % NSEC_PER_MSEC);
}

static void print_count(struct printer *p, const char *name, u64 n) {
    printer_printf(p, "%-45s:%21lu\n", name, n);
}

static int show_sched(struct printer *p, struct task *t) {
    const struct sched_entity *se = &t->se;
    u64 nvcsw = READ_ONCE(t->nvcsw), nivcsw = READ_ONCE(t->nivcsw);
    printer_printf(p, "%.15s (%d, #threads: %u)\n", t->name, t->pid->nr,
                   t->process ? READ_ONCE(t->process->nr_threads) : 1);
    printer_printf(p, "-------------------------------------------------------------------\n");
    print_ms(p, "se.exec_start", READ_ONCE(se->exec_start));
    print_ms(p, "se.vruntime", READ_ONCE(se->vruntime));
    print_ms(p, "se.sum_exec_runtime", sched_task_runtime(t));
    print_ms(p, "sum_wait", sched_waited_ns(t));
    print_count(p, "nr_switches", nvcsw + nivcsw);
    print_count(p, "nr_voluntary_switches", nvcsw);
    print_count(p, "nr_involuntary_switches", nivcsw);
    print_count(p, "se.load.weight", READ_ONCE(se->weight));
    print_count(p, "policy", READ_ONCE(se->policy));
    print_count(p, "prio", se->rt_priority ? 99 - se->rt_priority : 120 + se->nice);
    printer_printf(p, "%-45s:%21s\n", "class", READ_ONCE(se->class)->name);
    return 0;
}

static int show_timerslack(struct printer *p, struct task *t) {
    printer_printf(p, "%lu\n", READ_ONCE(t->timer_slack));
    return 0;
}

// ---- small ones ----

static int show_comm(struct printer *p, struct task *t) {
    printer_printf(p, "%.15s\n", t->name);
    return 0;
}

static int write_comm(struct task *t, const char *text, size_t n) {
    (void)n;
    if (t->process != current->process)
        return -EINVAL;
    task_set_name(t, text);
    return 0;
}

static int show_mounts(struct printer *p, struct task *t) {
    (void)t;
    vfs_show_mounts(p);
    return 0;
}

static int show_mountinfo(struct printer *p, struct task *t) {
    (void)t;
    vfs_show_mountinfo(p);
    return 0;
}

static int show_cgroup(struct printer *p, struct task *t) {
    (void)t;
    printer_printf(p, "0::/\n");
    return 0;
}

static int show_wchan(struct printer *p, struct task *t) {
    const char *where = READ_ONCE(t->wmesg);
    printer_printf(p, "%s", t->state & TASK_ASLEEP && where ? where : "0");
    return 0;
}

// Number, arguments, stack pointer and pc of the system call that the task sleeps in: proc_pid_syscall(5).
static int show_syscall(struct printer *p, struct task *t) {
    const struct trapframe *tf = thread_trapframe(&t->thread);
    if (!(READ_ONCE(t->state) & (TASK_ASLEEP | TASK_STOPPED | TASK_TRACED))) {
        printer_printf(p, "running\n");
    } else if (!t->mm) {
        printer_printf(p, "-1 0x0 0x0\n");
    } else if (tf->cause != CAUSE_ECALL_U) {
        printer_printf(p, "-1 0x%lx 0x%lx\n", tf->sp, tf->pc);
    } else {
        printer_printf(p, "%ld 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx\n", (s64)tf->a7,
                       tf->orig_a0, tf->a1, tf->a2, tf->a3, tf->a4, tf->a5, tf->sp, tf->pc);
    }
    return 0;
}

static int show_stack(struct printer *p, struct task *t) {
    u64 pc[32], offset;
    if (!capable(CAP_SYS_ADMIN))
        return -EPERM;
    u32 n = READ_ONCE(t->on_hart) ? 0 : thread_backtrace(&t->thread, pc, ARRAY_SIZE(pc));
    for (u32 i = 0; i < n; i++) {
        const char *name = symbol_name(pc[i], &offset);
        printer_printf(p, "[<0>] %s+0x%lx\n", name, offset);
    }
    return 0;
}

#define CHILDREN_BATCH 64

// Numbers of up to CHILDREN_BATCH children of t's process from `from` on, in rising order.
static u32 collect_children(struct task *t, int from, int *out) {
    struct process *c;
    u32 n = 0;
    spin_lock(&family_lock);
    list_for_each (c, &t->process->children, sibling) {
        int nr = c->pid->nr;
        u32 i = n;
        if (nr < from || (n == CHILDREN_BATCH && nr > out[n - 1]))
            continue;
        for (i = n < CHILDREN_BATCH ? n++ : n - 1; i > 0 && out[i - 1] > nr; i--)
            out[i] = out[i - 1];
        out[i] = nr;
    }
    spin_unlock(&family_lock);
    return n;
}

// Children belong to the process here, so its first thread shows them all.
static int show_children(struct printer *p, struct task *t) {
    int nr[CHILDREN_BATCH];
    if (!t->process || t->process->pid != t->pid)
        return 0;
    for (u32 from = 0, n = 1; n; from = n ? nr[n - 1] + 1 : 0) {
        n = collect_children(t, from, nr);
        for (u32 i = 0; i < n; i++)
            printer_printf(p, "%d ", nr[i]);
    }
    return 0;
}

static int show_oom_score_adj(struct printer *p, struct task *t) {
    printer_printf(p, "%d\n", t->process ? READ_ONCE(t->process->oom_score_adj) : 0);
    return 0;
}

static int write_oom_score_adj(struct task *t, const char *text, size_t n) {
    u64 value;
    bool minus = n && text[0] == '-';
    if (parse_u64(text + minus, &value) || value > 1000 || !t->process)
        return -EINVAL;
    s32 to = minus ? -(s32)value : (s32)value;
    if (to < READ_ONCE(t->process->oom_score_adj) && !capable(CAP_SYS_RESOURCE))
        return -EACCES;
    WRITE_ONCE(t->process->oom_score_adj, to);
    return 0;
}

static void print_limit(struct printer *p, u64 value) {
    char text[24];
    scnprintf(text, sizeof(text), value == RLIM_INFINITY ? "unlimited" : "%lu", value);
    printer_printf(p, "%-20s ", text);
}

static int show_limits(struct printer *p, struct task *t) {
    static const struct {
        const char *name, *unit;
    } rows[RLIM_NLIMITS] = {
        [RLIMIT_CPU] = {"cpu time", "seconds"},
        [RLIMIT_FSIZE] = {"file size", "bytes"},
        [RLIMIT_DATA] = {"data size", "bytes"},
        [RLIMIT_STACK] = {"stack size", "bytes"},
        [RLIMIT_CORE] = {"core file size", "bytes"},
        [RLIMIT_RSS] = {"resident set", "bytes"},
        [RLIMIT_NPROC] = {"processes", "processes"},
        [RLIMIT_NOFILE] = {"open files", "files"},
        [RLIMIT_MEMLOCK] = {"locked memory", "bytes"},
        [RLIMIT_AS] = {"address space", "bytes"},
        [RLIMIT_LOCKS] = {"file locks", "locks"},
        [RLIMIT_SIGPENDING] = {"pending signals", "signals"},
        [RLIMIT_MSGQUEUE] = {"msgqueue size", "bytes"},
        [RLIMIT_NICE] = {"nice priority", ""},
        [RLIMIT_RTPRIO] = {"realtime priority", ""},
        [RLIMIT_RTTIME] = {"realtime timeout", "us"},
    };
    if (!t->process)
        return 0;
    printer_printf(p, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
    for (u32 i = 0; i < RLIM_NLIMITS; i++) {
        struct rlimit l = t->process->limit[i];
        printer_printf(p, "Max %-21s ", rows[i].name);
        print_limit(p, l.rlim_cur);
        print_limit(p, l.rlim_max);
        printer_printf(p, "%-10s\n", rows[i].unit);
    }
    return 0;
}

// ---- links ----

// Where files without a path appear to be mounted when a link to one is followed.
static struct mount nowhere = {.ref = {1}};

ssize_t file_link_text(struct file *f, char *buf) {
    struct inode *i = f->inode;
    if (f->path.dentry)
        return path_string(&f->path, buf, PATH_MAX);
    const struct anon_kind *kind = anon_kind(f);
    return kind ? scnprintf(buf, PATH_MAX, "anon_inode:[%s]", kind->name)
                : scnprintf(buf, PATH_MAX, "%s:[%lu]", S_ISFIFO(i->mode) ? "pipe" : "socket",
                            i->ino);
}

int file_link_follow(struct file *f, struct path *out) {
    if (f->path.dentry) {
        *out = f->path;
        path_get(out);
        return 0;
    }
    // Opening /dev/stdin when it is a pipe: a name of its own for the inode, for the time of the lookup.
    if (!S_ISFIFO(f->inode->mode))
        return -ENXIO;
    inode_ref(f->inode);
    struct dentry *d = dentry_root(f->inode->sb, f->inode);
    if (!d) {
        inode_put(f->inode);
        return -ENOMEM;
    }
    ref_get(&nowhere.ref);
    *out = (struct path){.mount = &nowhere, .dentry = d};
    return 0;
}

static int follow_exe(struct task *t, struct path *out) {
    struct mm *mm = task_mm_get(t);
    if (!mm)
        return -ENOENT;
    struct file *f = mm->exe_file;
    int error = f ? file_link_follow(f, out) : -ENOENT;
    mm_put(mm);
    return error;
}

static int follow_fs(struct task *t, struct path *out, bool root) {
    struct fs_context *fs = task_fs_get(t);
    if (!fs)
        return -ENOENT;
    spin_lock(&fs->lock);
    *out = root ? fs->root : fs->cwd;
    path_get(out);
    spin_unlock(&fs->lock);
    fs_context_put(fs);
    return 0;
}

static int follow_cwd(struct task *t, struct path *out) { return follow_fs(t, out, false); }
static int follow_root(struct task *t, struct path *out) { return follow_fs(t, out, true); }

// ---- descriptors ----

static int show_fdinfo(struct printer *p, struct task *t, int fd) {
    struct file *f = task_file_get(t, fd);
    if (!f)
        return -ENOENT;
    const struct anon_kind *kind = anon_kind(f);
    printer_printf(p, "pos:\t%lu\nflags:\t0%o\nmnt_id:\t%u\nino:\t%lu\n", READ_ONCE(f->pos),
                   READ_ONCE(f->flags), mount_id(f->path.mount), f->inode->ino);
    if (kind && kind->show_info)
        kind->show_info(f, p);
    file_put(f);
    return 0;
}

// ---- the table ----

#define FILE_ENTRY(name_, perm, show_)                                                             \
    .name = name_, .mode = S_IFREG | (perm), .show = show_, .thread_too = true
#define LINK_ENTRY(name_)                                                                          \
    .name = #name_, .mode = S_IFLNK | 0777, .follow = follow_##name_, .thread_too = true

// Searched from the front: programs look up /proc/self/exe when they begin.
const struct task_entry task_entries[] = {
    {LINK_ENTRY(exe)},
    {LINK_ENTRY(cwd)},
    {LINK_ENTRY(root)},
    {FILE_ENTRY("stat", 0444, show_stat)},
    {FILE_ENTRY("status", 0444, show_status)},
    {FILE_ENTRY("statm", 0444, show_statm)},
    {FILE_ENTRY("sched", 0444, show_sched)},
    {FILE_ENTRY("schedstat", 0444, show_schedstat)},
    {FILE_ENTRY("timerslack_ns", 0444, show_timerslack), .private_ = true},
    {FILE_ENTRY("maps", 0444, show_maps), .private_ = true},
    {FILE_ENTRY("smaps", 0444, show_smaps), .private_ = true},
    {FILE_ENTRY("smaps_rollup", 0444, show_smaps_rollup), .private_ = true},
    {FILE_ENTRY("tables", 0400, show_tables), .private_ = true},
    {.name = "pagemap", .mode = S_IFREG | 0400, .thread_too = true, .file_ops = &pagemap_ops},
    {.name = "mem", .mode = S_IFREG | 0600, .thread_too = true, .file_ops = &mem_ops},
    {FILE_ENTRY("cmdline", 0444, show_cmdline)},
    {FILE_ENTRY("environ", 0400, show_environ), .private_ = true},
    {FILE_ENTRY("auxv", 0400, show_auxv), .private_ = true},
    {FILE_ENTRY("comm", 0644, show_comm), .write = write_comm},
    {FILE_ENTRY("limits", 0444, show_limits)},
    {FILE_ENTRY("mounts", 0444, show_mounts)},
    {FILE_ENTRY("mountinfo", 0444, show_mountinfo)},
    {FILE_ENTRY("cgroup", 0444, show_cgroup)},
    {FILE_ENTRY("wchan", 0444, show_wchan)},
    {FILE_ENTRY("syscall", 0400, show_syscall), .private_ = true},
    {FILE_ENTRY("stack", 0400, show_stack), .private_ = true},
    {FILE_ENTRY("children", 0444, show_children)},
    {FILE_ENTRY("oom_score_adj", 0644, show_oom_score_adj), .write = write_oom_score_adj},
    {.name = "fd",
     .mode = S_IFDIR | 0500,
     .thread_too = true,
     .inode_ops = &fd_dir_inode_ops,
     .file_ops = &fd_dir_ops},
    {.name = "fdinfo",
     .mode = S_IFDIR | 0555,
     .thread_too = true,
     .private_ = true,
     .show_fd = show_fdinfo,
     .inode_ops = &fd_dir_inode_ops,
     .file_ops = &fd_dir_ops},
    {.name = "task",
     .mode = S_IFDIR | 0555,
     .inode_ops = &threads_inode_ops,
     .file_ops = &threads_ops},
};
const u32 nr_task_entries = ARRAY_SIZE(task_entries);
