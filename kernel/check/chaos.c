/*
 * CHECK=chaos: schedules that can be repeated, and shortened until the cause of a failure is all that is left.
 *
 * Each task counts the points that it passes: locks taken and released, traps, waits, wake-ups, atomic operations. Where it
 * may be preempted, the point is named PID.COUNT, and a hash of the seed and that name decides whether another task runs
 * there, and which of those that wait for the hart. So a decision does not depend on what other tasks did before, and a
 * list of decisions, "PID.COUNT>PID" each, is a schedule of its own (chaos-points=): it has the same task preempted in
 * the same place also when half of the list is left out. tools/explore does that.
 *
 * Without such a list a task is preempted at one of `rate` points, as a rule, and any of those that wait runs instead; one
 * that goes to sleep is as often followed by another than the next in turn.
 *
 * On one hart under QEMU's -icount shift=0,sleep=off a run is the same to the instruction, for nothing else decides: disks
 * take DISK_TIME exactly (drivers/virtio_blk.c), and time is counted instructions. On several harts points only
 * disturb; where preemption is not allowed, they wait for a moment instead.
 *
 * Locks: none. What is here is changed with interrupts off; on several harts counts may be off by a few.
 */
#include "check/chaos.h"

#include "abi/errno.h"
#include "arch/arch.h"
#include "arch/csr.h"
#include "arch/hart.h"
#include "check/callers.h"
#include "fs/proc.h"
#include "lib/string.h"
#include "proc/proc.h"

#define RATE 40  // points for each preemption, as a rule
#define MAX_CHOICES 4096
#define STEPS 256   // the last switches, in detail
#define DELAY 4096  // most turns of the waiting loop

// At point `point` of task `pid`, task `to` went next.
struct choice {
    u32 pid, to;
    u64 point;
};
struct step {
    u64 ns, point;
    u32 from, to;
    bool chosen;
    char from_name[TASK_NAME], to_name[TASK_NAME];
    struct callers at;
};

bool chaos_on;
static bool armed, hold;                   // [I] after boot
static u64 seed, rate = RATE;              // [I]
static u64 limit;                          // [I] s, 0: none
static bool follow;                        // [I] what is listed, and nothing else
static struct choice listed[MAX_CHOICES];  // [I] by pid, then by point
static u32 nr_listed;                      // [I]

static u64 points, switches, nr_choices, hash;
static struct choice choices[MAX_CHOICES];
static struct step steps[STEPS];
static PERHART(struct step, chosen);  // what was decided and not yet done
static struct timer watchdog;

static u32 pid_of(const struct task *t) { return t->pid ? (u32)t->pid->nr : 0; }

// The finalizer of SplitMix64: all bits of the result depend on all bits of x.
static u64 mix(u64 x) {
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

static u64 random_at(u64 a, u64 b) {
    return mix(mix(mix(seed + 0x9e3779b97f4a7c15) + a + 0x9e3779b97f4a7c15) + b);
}

// ---- choosing. => rq->lock held

static bool before(const struct choice *a, u32 pid, u64 point) {
    return a->pid < pid || (a->pid == pid && a->point < point);
}

static const struct choice *find_listed(u32 pid, u64 point) {
    u32 low = 0, high = nr_listed;
    while (low < high) {
        u32 mid = (low + high) / 2;
        if (before(&listed[mid], pid, point))
            low = mid + 1;
        else
            high = mid;
    }
    const struct choice *c = &listed[low];
    return low < nr_listed && c->pid == pid && c->point == point ? c : NULL;
}

static struct task *waiting_pid(struct runq *rq, u32 pid) {
    struct task *t = sched_waiting(rq, NULL);
    while (t && pid_of(t) != pid)
        t = sched_waiting(rq, t);
    return t;
}

static struct task *any_waiting(struct runq *rq, u64 number) {
    u32 n = 0;
    struct task *t;
    for (t = sched_waiting(rq, NULL); t; t = sched_waiting(rq, t))
        n++;
    if (n == 0)
        return NULL;
    t = sched_waiting(rq, NULL);
    for (number %= n; number > 0; number--)
        t = sched_waiting(rq, t);
    return t;
}

static struct task *choose(struct runq *rq, const struct task *t) {
    u64 point = t->chaos.points, r = random_at(pid_of(t), point);
    if (!follow)
        return r % rate ? NULL : any_waiting(rq, r >> 32);
    const struct choice *c = find_listed(pid_of(t), point);
    return c ? waiting_pid(rq, c->to) : NULL;
}

// Whoever goes next is remembered for chaos_switched().
static bool decide(struct runq *rq, struct task *t, const void *frame) {
    struct task *next = choose(rq, t);
    if (next == NULL || next == t)
        return false;
    struct step *s = this_hart(chosen);
    *s = (struct step){.point = t->chaos.points, .from = pid_of(t), .to = pid_of(next)};
    callers_take(&s->at, frame);
    rq->next = next;
    return true;
}

// ---- points. => interrupts off

static void count_point(struct task *t, u64 pc) {
    t->chaos.points++;
    points++;
    hash = mix(hash + pid_of(t) + t->chaos.points + pc);
}

// Can r decide anything here? Looks without the lock.
static bool worth_a_look(const struct runq *rq, const struct task *t) {
    if (rq->nr_running < 2)
        return false;
    return follow ? find_listed(pid_of(t), t->chaos.points) != NULL
                  : random_at(pid_of(t), t->chaos.points) % rate == 0;
}

static bool wants_switch(const void *frame) {
    struct runq *rq = runq_of(hart_id());
    struct task *t = current;
    count_point(t, ((const u64 *)frame)[-1]);
    if (!worth_a_look(rq, t))
        return false;
    irqlock_acquire_irqs_off(&rq->lock);
    bool yes = decide(rq, t, frame);
    irqlock_release_irqs_off(&rq->lock);
    if (yes)
        atomic_or(&current_thread->work, WORK_RESCHED);
    return yes;
}

static void disturb(void) {
    u64 r = mix(seed + points++);
    for (u64 n = r % rate ? 0 : (r >> 32) % DELAY; n > 0; n--)
        barrier();
}

void chaos_pass(void) {
    if (!irq_enabled() || !preemptible()) {
        if (nr_harts > 1)
            disturb();
        return;
    }
    u64 flags = irq_save();
    bool yes = !(current->flags & TASK_IDLE) && wants_switch(__builtin_frame_address(0));
    irq_restore(flags);
    if (yes)
        preempt_check();
}

void chaos_interrupted(void) {
    if (chaos_on && !(current->flags & TASK_IDLE))
        wants_switch(__builtin_frame_address(0));
}

void chaos_sleeps(struct runq *rq, struct task *prev) {
    if (!chaos_on || rq->next || rq->nr_running == 0)
        return;
    count_point(prev, 0);
    decide(rq, prev, __builtin_frame_address(0));
}

void chaos_switched(struct task *prev, struct task *next) {
    struct step *mine = this_hart(chosen), *s = &steps[switches % STEPS];
    if (!chaos_on)
        return;
    switches++;
    mine->chosen =
        mine->from == pid_of(prev) && mine->to == pid_of(next) && mine->point == prev->chaos.points;
    if (!mine->chosen)
        callers_take(&mine->at, __builtin_frame_address(0));
    else if (nr_choices++ < MAX_CHOICES)
        choices[nr_choices - 1] = (struct choice){mine->from, mine->to, mine->point};
    *s = *mine;
    mine->to = ~0u;
    s->ns = clock_ns();
    s->point = prev->chaos.points;
    s->from = pid_of(prev);
    s->to = pid_of(next);
    strlcpy(s->from_name, prev->name, TASK_NAME);
    strlcpy(s->to_name, next->name, TASK_NAME);
}

// ---- start and stop

static void take_too_long(struct timer *t) {
    (void)t;
    panic("chaos: no end within %lu s", limit);
}

static void start(void) {
    struct task *t;
    spin_lock(&family_lock);
    list_for_each (t, &all_tasks, all_link)
        t->chaos = (struct chaos_task){0};
    spin_unlock(&family_lock);
    points = switches = nr_choices = hash = 0;
    if (limit)
        timer_start(&watchdog, clock_ns() + limit * NSEC_PER_SEC);
    chaos_on = true;
}

static void stop(void) {
    chaos_on = false;
    timer_cancel(&watchdog);
}

bool chaos_repeatable(void) { return armed && nr_harts == 1; }

// ---- what happened

static void print_chain(struct printer *p, const struct callers *c) {
    for (u32 i = 0; i < CALLERS_DEPTH && c->at[i]; i++)
        printer_printf(p, " %lx", (u64)kernel_start + c->at[i] - 2);
    printer_printf(p, "\n");
}

static void print_head(struct printer *p) {
    printer_printf(p, "chaos: seed %lu, rate %lu%s: ", seed, rate, follow ? ", listed points" : "");
    printer_printf(p, "%lu points, %lu choices, %lu switches, hash %016lx\n", points, nr_choices,
                   switches, hash);
}

static void print_choices(struct printer *p) {
    u64 n = min(nr_choices, (u64)MAX_CHOICES);
    printer_printf(p, "chaos-points=");
    for (u64 i = 0; i < n; i++)
        printer_printf(p, "%s%u.%lu>%u", i ? "," : "", choices[i].pid, choices[i].point,
                       choices[i].to);
    printer_printf(p, "%s\n", nr_choices > n ? ",..." : "");
}

static void print_steps(struct printer *p) {
    for (u64 i = switches > STEPS ? switches - STEPS : 0; i < switches; i++) {
        const struct step *s = &steps[i % STEPS];
        printer_printf(p, "switch %lu ns, %u %s > %u %s, %s %u.%lu:", s->ns, s->from, s->from_name,
                       s->to, s->to_name, s->chosen ? "chosen" : "own", s->from, s->point);
        print_chain(p, &s->at);
    }
}

// Where the tasks that took part stand. Without family_lock: only for a machine at its end.
static void print_tasks(struct printer *p) {
    struct task *t;
    list_for_each (t, &all_tasks, all_link) {
        struct callers at;
        if (t->chaos.points == 0 || t == current)
            continue;
        callers_take(&at, (const void *)t->thread.context.s[0]);
        printer_printf(p, "task %u %s, %s%s%s:", pid_of(t), t->name, task_state_name(t->state),
                       t->wmesg ? " " : "", t->wmesg ? t->wmesg : "");
        print_chain(p, &at);
    }
}

static void print_all(struct printer *p) {
    print_head(p);
    print_choices(p);
    print_steps(p);
}

void chaos_report(void) {
    struct printer *p = &check_console;
    if (!armed)
        return;
    chaos_on = false;
    print_all(p);
    print_tasks(p);
    printer_printf(p, "chaos: end of the report\n");
}

// ---- arguments

static bool skip(const char **s, char c) {
    if (**s != c)
        return false;
    ++*s;
    return true;
}

bool chaos_set_seed(const char *s) {
    if (s == NULL || !take_u64(&s, &seed) || (skip(&s, ':') && !take_u64(&s, &rate)))
        return false;
    armed = *s == '\0' && rate > 0;
    return armed;
}

// Kept in order, so that it can be searched.
static void insert(struct choice new) {
    u32 i = nr_listed++;
    for (; i > 0 && !before(&listed[i - 1], new.pid, new.point); i--)
        listed[i] = listed[i - 1];
    listed[i] = new;
}

bool chaos_set_points(const char *s) {
    follow = armed = true;
    while (s && *s) {
        u64 pid, point, to;
        if (!take_u64(&s, &pid) || !skip(&s, '.') || !take_u64(&s, &point) || !skip(&s, '>') ||
            !take_u64(&s, &to) || nr_listed == MAX_CHOICES)
            return false;
        insert((struct choice){(u32)pid, (u32)to, point});
        skip(&s, ',');
    }
    return true;
}

bool chaos_set_limit(const char *s) { return s && parse_u64(s, &limit) == 0; }

bool chaos_set_hold(const char *s) {
    hold = true;
    return s == NULL;
}

static int write_chaos(const char *text, size_t n) {
    (void)n;
    if (strncmp(text, "stop", 4) == 0)
        stop();
    else if (strncmp(text, "start", 5) == 0 && armed)
        start();
    else
        return -EINVAL;
    return 0;
}

void chaos_init(void) {
    timer_setup(&watchdog, take_too_long);
    proc_add("xv39/chaos", 0600, print_all, write_chaos);
    if (armed && !hold)
        start();
}
