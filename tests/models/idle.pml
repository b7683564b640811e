/* The protocol of sched_idle_loop() in kernel/sched/core.c: how a hart without ticks falls asleep and is woken.
 *
 * Hart 0 runs what is on its queue, then idles. Two tasks: each comes once from another hart, which wakes it there, and then sleeps once on hart
 * 0 until a timer of that hart wakes it. There is no tick: nothing but the timer's own interrupt, or the other hart's, ends wfi. (The real
 * one ends after 10 s at the latest, which must not be needed.) Every order of steps is tried. What must hold:
 *   - all tasks end: no hart sleeps while a task waits on its queue or a timer of its own is due
 *   - no interrupt is handled while interrupts are off
 * wfi goes on when an interrupt is pending, though interrupts are off.
 *
 * BUG chooses a mistake that must be found: 1 the look at the queue comes before interrupts are off, 2 the waker interrupts before
 * it queues, 3 who becomes idle switches the timer off as if it were a tick, 4 no interrupt is sent to a hart that seems to be awake. */
#define TASKS 2

bool runq;            /* its lock */
byte waiting;         /* tasks on the queue */
bool resched;         /* WORK_RESCHED of the idle task */
bool ipi, timer;      /* pending interrupts */
bool irqs = true;     /* on hart 0 they are on */
bool in_wfi;
byte timers;          /* queued on hart 0 */
bool set;             /* its event device is: `timer` will come */
byte slept, ended;    /* tasks that have slept, that are through */

#define acquire(l) atomic { !l -> l = true }
#define release(l) l = false

/* sched_resched(): no second interrupt while the first one's work is not done */
inline kick() {
    atomic {
        if
        :: BUG == 4 && !in_wfi -> resched = true
        :: else -> if :: !resched -> resched = true; ipi = true :: else fi
        fi
    }
}

/* Handlers run on hart 0 where interrupts are on: it calls this between its steps. */
inline interrupts() {
    assert(irqs);
    do
    :: atomic { ipi -> ipi = false }
    :: atomic { timer -> timer = false; set = false };
        do
        :: timers == 0 -> break
        :: timers > 0 ->
            timers--;
            acquire(runq);
            atomic { waiting++; resched = true; release(runq) }
        od
    :: atomic { !ipi && !timer -> break }
    od
}

/* The task runs, and then sleeps or ends; there may be others. */
inline schedule() {
    do
    :: acquire(runq);
        atomic {
            resched = false;
            if
            :: waiting > 0 -> waiting--; ran = true
            :: else -> ran = false
            fi;
            release(runq)
        };
        if :: !ran -> break :: else fi;
        interrupts();
        if
        :: slept < TASKS -> slept++; atomic { timers++; set = true }
        :: else -> ended++
        fi;
        interrupts()
    od
}

active proctype hart() {
    bool work, ran;

    do
    :: interrupts();
        if :: BUG == 1 -> work = waiting > 0; interrupts() :: else fi;
        irqs = false;
        if
        :: BUG != 1 -> acquire(runq); atomic { work = waiting > 0; release(runq) }
        :: else
        fi;
        if :: BUG == 3 && !work -> set = false :: else fi;
        if
        :: !work ->
            in_wfi = true;
end_wfi:    atomic { ipi || timer -> in_wfi = false }
        :: else
        fi;
        irqs = true;
        interrupts();
        if :: work || resched -> schedule() :: else fi
    od
}

active proctype event_device() {
end:
    do
    :: atomic { set && !timer -> timer = true; set = false }
    od
}

active [TASKS] proctype waker() {
    if :: BUG == 2 -> kick() :: else fi;
    acquire(runq);
    waiting++;
    if :: BUG != 2 -> kick() :: else fi;
    release(runq)
}

/* Hart 0 may idle for ever, but only when all is done. */
active proctype judge() { ended == TASKS }
