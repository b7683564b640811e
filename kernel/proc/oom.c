/*
 * The last resort when memory for a program cannot be found even by reclaim: kill the process that frees the most.
 *
 * oom_kill() is the page allocator's page_oom hook. It walks all processes with family_lock held, adds up what each has
 * mapped, and sends SIGKILL to the largest; init and kernel threads are spared. While a victim is dying nobody else is
 * chosen, nor while the largest process ends by itself: the caller waits a little and tries again, so one shortage costs
 * one process. A victim that asks for memory itself gets none, and leaves by its fatal signal. One that does not die for
 * long may wait for a lock that a caller holds; then another one is chosen.
 */
#include "arch/arch.h"
#include "mm/stats.h"
#include "mm/vm.h"
#include "proc/life.h"
#include "proc/signal.h"
#include "time/timer.h"

// That a victim gets to die before the caller looks again
#define VICTIM_TIME (100 * NSEC_PER_MSEC)
#define VICTIM_STUCK (10 * NSEC_PER_SEC)

static u64 chosen_at;  // [family_lock] ns: when there was the last victim

// A program may ask to be killed sooner or later, in thousandths of all memory: /proc/pid/oom_score_adj.
static u64 adjusted(const struct process *p, u64 pages) {
    s64 adjust = READ_ONCE(p->oom_score_adj), points = pages + adjust * (s64)pages_total / 1000;
    return adjust == -1000 ? 0 : max(points, 1l);
}

// Pages that would come free; 0: not to be killed. => family_lock held
static u64 badness(const struct process *p) {
    struct task *t;
    if (p->pid->nr == 1)
        return 0;
    list_for_each (t, &p->threads, thread_link) {
        struct mm *mm = READ_ONCE(t->mm);  // may be going away: then the number is wrong, no more
        if (mm && !(t->flags & TASK_KTHREAD))
            return adjusted(p, READ_ONCE(mm->rss[RSS_ANON]) + READ_ONCE(mm->rss[RSS_SHMEM]) +
                                   READ_ONCE(mm->table_pages));
    }
    return 0;
}

// The leader of the worst process with a reference, or NULL; *dying: a victim still has memory.
static struct task *choose(bool *dying, u64 *worst) {
    struct task *t, *victim = NULL;
    *worst = 0;
    *dying = false;
    spin_lock(&family_lock);
    list_for_each (t, &all_tasks, all_link) {
        if (!t->process || t != t->process->leader)
            continue;
        if (t->flags & TASK_OOM_VICTIM) {
            *dying |= t->process->nr_threads != 0;
            continue;
        }
        u64 pages = badness(t->process);
        if (pages > *worst) {
            *worst = pages;
            victim = t;
        }
    }
    *dying &= clock_ns() - chosen_at < VICTIM_STUCK;
    if (*dying)
        victim = NULL;
    if (victim) {
        chosen_at = clock_ns();
        atomic_or(&victim->flags, TASK_OOM_VICTIM);
        *dying = READ_ONCE(victim->process->group_exit);
    }
    if (*dying)
        victim = NULL;
    else if (victim)
        task_get(victim);
    spin_unlock(&family_lock);
    return victim;
}

// Sleep, whatever other signals are pending: a caller that only went round would keep the victim from running.
static void give_time(void) {
    struct waitq nobody;
    struct waiter w;
    waitq_init(&nobody);
    waiter_init(&w);
    waitq_prepare(&nobody, &w, TASK_UNINTERRUPTIBLE | TASK_KILLABLE, "oom");
    if (!fatal_signal_pending())
        schedule_until(clock_ns() + VICTIM_TIME);
    waitq_finish(&nobody, &w);
}

static bool oom_kill(void) {
    bool dying;
    u64 pages;
    if (fatal_signal_pending())
        return false;
    struct task *victim = choose(&dying, &pages);
    if (!victim && !dying)
        return false;
    if (victim) {
        kprintf("out of memory: killed %s (pid %d), %lu KiB\n", victim->name, task_tgid(victim),
                pages * PAGE_SIZE / 1024);
        vm_count(oom_kills);
        signal_force_kill(victim);
        task_put(victim);
    }
    if (fatal_signal_pending())
        return false;  // it was us
    give_time();
    return true;
}

void oom_init(void) { page_oom = oom_kill; }
