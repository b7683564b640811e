/* The protocol of kernel/proc/wait.c and task_wake() in kernel/sched/core.c: a sleeper and two wakers, each on a hart of its own.
 *
 * The sleeper waits for a first event and then for a second one, each waker makes one of them true and wakes it: through the wait queue, through
 * the queue if a look without its lock finds somebody there (waitq_active), or directly (signals, timers). With CHANNEL it is sleep(chan, lk)
 * and wakeup(chan), and the events belong to the lock lk. Every order of steps is tried. What must hold:
 *   - the sleeper ends: nobody sleeps for ever after what it waited for has happened (a state in which nothing more can happen)
 *   - it goes on only with a hart, that is while it is on the run queue
 *
 * Memory is as weak as RISC-V's. A store is first `late`: its hart believes it done, and the others see it when the process `memory` carries
 * it out, in any order, but the release of a lock only after all stores before it. A fence waits for all of one's own.
 *
 * BUG chooses a mistake that must be found: 1 the sleeper and 2 the waker has no fence, 3 the sleeper looks before it says that it sleeps,
 * 4 schedule() takes it off its queue without looking whether it was woken meanwhile, 5 sleep() releases lk before it is on its queue. */
#define RUNNING 0
#define ASLEEP 1

bool lk, waitq, runq;              /* locks */
byte events;                       /* the condition: so many have happened */
byte state;                        /* the sleeper's */
bool on_waitq, on_runq = true;
bool late_waiter, late_state, late_release; /* the sleeper's stores: on_waitq = true, state = ASLEEP, waitq = false */
byte late_events;                  /* the wakers' */
byte ended;

#define acquire(l) atomic { !l -> l = true }
#define release(l) l = false

active proctype memory() {
end:
    do
    :: atomic { late_waiter -> on_waitq = true; late_waiter = false }
    :: atomic { late_state -> state = ASLEEP; late_state = false }
    :: atomic { late_release && !late_waiter && !late_state -> late_release = false; release(waitq) }
    :: atomic { late_events > 0 -> events++; late_events-- }
    od
}

inline sleepers_fence() { !late_waiter && !late_state && !late_release }

/* waitq_prepare() */
inline prepare() {
    acquire(waitq);
    atomic { late_waiter = !on_waitq; late_state = true; late_release = true };
    if :: BUG != 1 -> sleepers_fence() :: else fi
}

inline schedule() {
    acquire(runq);
    atomic {
        if
        :: state == ASLEEP || late_state || BUG == 4 -> on_runq = false
        :: else
        fi;
        release(runq)
    };
    on_runq /* here it sleeps */
}

/* waitq_finish() */
inline finish() {
    atomic { sleepers_fence() -> state = RUNNING }; /* one's own stores to one place stay in order */
    acquire(waitq);
    atomic { on_waitq = false; release(waitq) }
}

/* wait_event(): events >= wanted */
inline wait_event(wanted) {
    do
    :: BUG != 3 ->
        prepare();
        if :: events >= wanted -> break :: else fi;
        schedule()
    :: BUG == 3 ->
        if :: events >= wanted -> break :: else fi;
        prepare();
        schedule()
    od;
    finish()
}

/* while (events < wanted) sleep(chan, lk); lk is held */
inline sleep_on_channel(wanted) {
    do
    :: events >= wanted -> break
    :: else ->
        if :: BUG == 5 -> release(lk) :: else fi;
        prepare();
        if :: BUG != 5 -> release(lk) :: else fi;
        schedule();
        finish();
        acquire(lk)
    od
}

active proctype sleeper() {
    byte wanted;

    for (wanted : 1 .. 2) {
        if
        :: CHANNEL -> acquire(lk); sleep_on_channel(wanted); release(lk)
        :: else -> wait_event(wanted)
        fi;
        assert(on_runq && events >= wanted)
    }
    ended++
}

inline wakers_fence() { late_events == 0 }

inline task_wake() {
    if :: BUG != 2 -> wakers_fence() :: else fi;
    acquire(runq);
    atomic {
        if
        :: state == ASLEEP -> state = RUNNING; on_runq = true
        :: else
        fi;
        release(runq)
    }
}

inline wake_queue() {
    acquire(waitq);
    if :: on_waitq -> task_wake() :: else fi;
    atomic { wakers_fence() -> release(waitq) }
}

active [2] proctype waker() {
    if
    :: CHANNEL ->
        acquire(lk);
        events++;
        wake_queue();
        release(lk)
    :: !CHANNEL -> late_events++; wake_queue()
    :: !CHANNEL -> late_events++; wakers_fence(); if :: on_waitq -> wake_queue() :: else fi
    :: !CHANNEL -> late_events++; task_wake()
    fi
}
