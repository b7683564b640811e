/*
 * Tasks and their numbers.
 *
 * struct task is every thread of execution, user or kernel; struct process is what the threads of one program share.
 * Here: the circular list of all tasks, the table of pids, making and freeing a task's memory. How a task lives is in
 * proc/life.h (fork, exec, exit, wait), how it runs in sched/core.c, how it waits in proc/wait.c.
 *
 *        all_tasks: idle 0 <-> init 1 <-> kthreadd 2 <-> ... (circular, in order of creation)
 *        struct process: leader, threads ── struct task ── struct pid (the number; also names group and session)
 *
 * family_lock guards all relations: parent and children, threads of a process, groups, sessions, the table, the list.
 * It is taken a few times in a fork, an exit and a wait, and never on another hot path.
 *
 * A struct pid lives as long as anything is named by its number (a task, a group, a session, a pointer kept
 * somewhere), and the number is handed out again only after that, so a number never means two things.
 *
 * References of a task: one for being alive or a zombie, dropped by whoever reaps it; one for running, from
 * sched_start() until its last switch; one for each pointer kept elsewhere. The last frees stack and structure.
 */
#include "proc/proc.h"

#include "abi/errno.h"
#include "arch/arch.h"
#include "arch/upcall.h"
#include "lib/hash.h"
#include "lib/idmap.h"
#include "lib/string.h"
#include "mm/slab.h"

#define PID_HASH 1024
// After the numbers have wrapped around, small ones are left to system programs
#define RESERVED_PIDS 300
#define PID_LIMIT 4194304

extern char boot_stack[];

struct spinlock family_lock = SPINLOCK_INIT(RANK_FAMILY, "family");
struct task boot_task = {
    .ref = {1},
    .name = "idle/0",
    .flags = TASK_KTHREAD | TASK_IDLE,
    .kernel_stack = boot_stack,
    .affinity = 1,
    .thread.calls = system_calls,
};
struct list all_tasks = LIST_INIT(all_tasks);
u32 nr_tasks;
u64 forks_total;
int pid_max = 32768;
static struct hlist_head pid_hash[PID_HASH];
static struct idmap numbers;  // [family]
static bool wrapped;          // [family] numbers have been handed out up to pid_max once
static struct slab_cache *task_cache, *pid_cache;

// ---- tasks ----

void task_times(struct task *t, struct cpu_times *out) {
    cpu_times_divide(sched_task_runtime(t), READ_ONCE(t->stime), &t->user_told, out);
}

void task_set_name(struct task *t, const char *name) { strlcpy(t->name, name, sizeof t->name); }

static void task_init(struct task *t) {
    list_init(&t->all_link);
    list_init(&t->thread_link);
    list_init(&t->pending.queue);
    t->state = TASK_NEW;
    t->affinity = ~0ul;
    t->start_time = clock_ns();
}

struct task *task_alloc(const char *name) {
    struct task *t = slab_alloc(task_cache, ALLOC_ZERO);
    if (t == NULL)
        return NULL;
    struct page *stack = page_alloc(KERNEL_STACK_ORDER, 0);
    if (stack == NULL) {
        slab_free(task_cache, t);
        return NULL;
    }
    task_init(t);
    ref_init(&t->ref);
    task_set_name(t, name);
    t->kernel_stack = page_va(stack);
    *(u64 *)t->kernel_stack = STACK_CANARY;
    t->thread.kernel_sp = (u64)t->kernel_stack + KERNEL_STACK_SIZE;
    t->thread.preempt_count =
        2;  // as in every thread that is switched away from: one, and the run queue's lock
    t->thread.calls = plain_calls;
    t->se.class = fair_class;
    t->se.weight = NICE_0_WEIGHT;
    t->se.home = NO_HART;
    return t;
}

static void process_put(struct process *p) {
    if (!ref_put(&p->ref))
        return;
    if (p->pid)
        pid_put(p->pid);
    kfree(p);
}

void task_put(struct task *t) {
    if (!ref_put(&t->ref))
        return;
    if (t->pid)
        pid_put(t->pid);
    if (t->process)
        process_put(t->process);
    if (t->cred && ref_put(&t->cred->ref))
        kfree(t->cred);
    page_free(va_to_page(t->kernel_stack), KERNEL_STACK_ORDER);
    slab_free(task_cache, t);
}

const char *task_state_name(u32 state) {
    static const struct {
        u32 bits;
        const char *name;
    } names[] = {
        {TASK_ZOMBIE, "Z"},          {TASK_DEAD, "X"},
        {TASK_STOPPED, "T"},         {TASK_TRACED, "t"},
        {TASK_UNINTERRUPTIBLE, "D"}, {TASK_INTERRUPTIBLE, "S"},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
        if (state & names[i].bits)
            return names[i].name;
    return "R";
}

// ---- pids ----

static struct hlist_head *pid_bucket(int nr) { return &pid_hash[hash_u64(nr) % PID_HASH]; }

// => family_lock held
static int take_wanted(int nr) {
    if (nr < 1 || nr >= pid_max)
        return -EINVAL;
    return idmap_take(&numbers, nr) ? -EEXIST : nr;
}

static int take_next(void) {
    int first = wrapped ? min(RESERVED_PIDS, pid_max / 2) : 1;
    u32 before = numbers.cursor;
    int nr = idmap_alloc_next(&numbers, first, pid_max);
    if (nr >= 0 && (u32)nr < before)
        wrapped = true;
    return nr >= 0 ? nr : -EAGAIN;
}

struct pid *pid_alloc(int wanted, int *error) {
    struct pid *p = slab_alloc(pid_cache, ALLOC_ZERO);
    *error = -ENOMEM;
    if (p == NULL)
        return NULL;
    ref_init(&p->ref);
    list_init(&p->group);
    list_init(&p->session);
    waitq_init(&p->exit_wait);
    spin_lock(&family_lock);
    int nr = p->nr = wanted ? take_wanted(wanted) : take_next();
    if (nr > 0)
        hlist_add(&p->hash, pid_bucket(nr));
    spin_unlock(&family_lock);
    if (nr > 0)
        return p;
    slab_free(pid_cache, p);
    *error = nr;
    return NULL;
}

struct pid *pid_find(int nr) {
    struct pid *p;
    hlist_for_each (p, pid_bucket(nr), hash)
        if (p->nr == nr)
            return p;
    return NULL;
}

void pid_put_locked(struct pid *p) {
    assert_held(&family_lock);
    if (!ref_put(&p->ref))
        return;
    assert(list_empty(&p->group) && list_empty(&p->session) && p->task == NULL);
    hlist_del(&p->hash);
    idmap_free(&numbers, p->nr);
    slab_free(pid_cache, p);
}

void pid_put(struct pid *p) {
    spin_lock(&family_lock);
    pid_put_locked(p);
    spin_unlock(&family_lock);
}

struct task *task_lookup(int nr) {
    spin_lock(&family_lock);
    struct pid *p = pid_find(nr);
    struct task *t = p ? p->task : NULL;
    if (t)
        task_get(t);
    spin_unlock(&family_lock);
    return t;
}

struct process *pid_process(struct pid *p) {
    struct task *t = p->task;
    return t && t->process && t->process->pid == p ? t->process : NULL;
}

struct process *process_find(int tgid) {
    struct pid *p = pid_find(tgid);
    return p ? pid_process(p) : NULL;
}

struct pid *pid_next(int nr) {
    for (u32 n = max(nr, 1); n < numbers.size; n++) {
        n = bitmap_find_first_set(numbers.used, numbers.size, n);
        struct pid *p = n < numbers.size ? pid_find(n) : NULL;
        if (p)
            return p;
    }
    return NULL;
}

u32 pids_in_use(void) { return READ_ONCE(numbers.count); }

static u64 *number_memory(int limit) { return kzalloc(IDMAP_WORDS(limit) * sizeof(u64)); }

int pid_set_max(int limit) {
    if (limit < RESERVED_PIDS || limit > PID_LIMIT)
        return -EINVAL;
    u64 *memory = number_memory(max(limit, (int)numbers.size));
    if (memory == NULL)
        return -ENOMEM;
    struct idmap grown;
    spin_lock(&family_lock);
    u64 *old = memory;
    if ((u32)limit > numbers.size) {
        idmap_init(&grown, memory, limit);
        idmap_copy(&grown, &numbers);
        grown.cursor = numbers.cursor;
        old = numbers.used;
        numbers = grown;
    }
    pid_max = limit;
    spin_unlock(&family_lock);
    kfree(old);
    return 0;
}

void proc_init(void) {
    task_cache = slab_create("task", sizeof(struct task), 64);
    pid_cache = slab_create("pid", sizeof(struct pid), 0);
    u64 *memory = number_memory(pid_max);
    if (task_cache == NULL || pid_cache == NULL || memory == NULL)
        panic("no memory for the first tasks");
    idmap_init(&numbers, memory, pid_max);
    idmap_take(&numbers, 0);
    channels_init();
}

void boot_task_init(void) {
    task_init(&boot_task);
    boot_task.state = TASK_RUNNING;
    boot_task.affinity = 1;
    boot_task.thread.kernel_sp = (u64)boot_stack + KERNEL_STACK_SIZE;
    *(u64 *)boot_stack = STACK_CANARY;
    list_add_tail(&boot_task.all_link, &all_tasks);
}
