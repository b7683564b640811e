/*
 * Rendezvous: messages of a word, and perhaps a page, that are kept nowhere. A receiver waits; only then can somebody send.
 *
 * A receiver has a struct ipc_wait on its stack and shows it in task->ipc. Whoever takes that pointer out, by one exchange,
 * has the receiver for himself: he fills in the message, maps the page if both want one, and sets `done`. All others find
 * nothing to take and get -EAGAIN; ipc_send() in user/lib tries again. If the page cannot be mapped the pointer goes back.
 *
 *   receiver                               sender                                  signal
 *   task->ipc = &wait
 *   state = INTERRUPTIBLE                  w = exchange(task->ipc, NULL)           wakes the receiver
 *   done? no                               message, page
 *   signal? exchange(ipc, NULL):           done = true, or task->ipc = w
 *     got it: nobody will touch the wait     again, because the page failed
 *     NULL: somebody has it, goes on       task_wake
 *   schedule()
 *
 * Exactly one of sender and signal gets the pointer, so no message is lost, and the wait does not go while it is in use. A sender
 * that has it may sleep for memory; it always comes to one of the two ends, also when it is killed.
 *
 * ipc_call() sends and then waits as one: the caller is seen waiting before the receiver runs, so that its answer finds
 * it, and the hart goes straight to the receiver (sched_hand_over). Client and server both use it, the server to answer
 * one call and wait for the next.
 *
 * Who sends needs a struct task for a number. The table of numbers has one lock, family_lock; as partners stay the same for long,
 * a task keeps a reference on the last one. Numbers are not reused while a task has them, so an equal number is the same thread.
 *
 * Anybody may send to a thread that waits; the message tells who he is, and as what user. Locks: none. All may sleep.
 */
#include "ipc/jos.h"

#include "abi/errno.h"
#include "abi/mman.h"
#include "mm/uaccess.h"
#include "mm/vm.h"
#include "proc/proc.h"

struct ipc_wait {
    u64 page;              // [I] where one is welcome; 0: nowhere
    struct ipc_message m;  // whoever took the wait writes it, until done
    bool done;             // [a]
};

struct outgoing {
    u64 value, addr;
    int prot;
};

static bool is_page(u64 addr) {
    return addr % PAGE_SIZE == 0 && addr >= USER_BOTTOM && addr < USER_TOP;
}

static int check_outgoing(const struct outgoing *o) {
    bool ok = !(o->prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC)) && (!o->prot || is_page(o->addr));
    return likely(ok) ? 0 : -EINVAL;
}

// The message's place may be written, as far as one can know now.
static int check_incoming(u64 message, u64 page) {
    if (unlikely(page && !is_page(page)))
        return -EINVAL;
    return put_user_u64(0, message);
}

// ---- whom to send to ----

void ipc_exit(void) {
    struct task *t = current->ipc_peer;
    current->ipc_peer = NULL;
    if (t)
        task_put(t);
}

// Borrowed from current->ipc_peer; NULL: there is no such thread
static struct task *find_peer(int tid) {
    struct task *t = current->ipc_peer;
    if (likely(t && READ_ONCE(t->thread.tid) == (u32)tid))
        return t;
    ipc_exit();
    return current->ipc_peer = tid > 0 ? task_lookup(tid) : NULL;
}

// ---- sending ----

static int nobody_waits(const struct task *t) {
    if (!(load_acquire(&t->flags) & TASK_EXITING))
        return -EAGAIN;
    ipc_exit();
    return -ESRCH;
}

// Fill in the message that t waits for. *taken is then to be marked done.
static int fill(struct task *t, const struct outgoing *o, struct ipc_wait **taken) {
    struct ipc_wait *w = READ_ONCE(t->ipc) ? atomic_xchg(&t->ipc, NULL) : NULL;
    int error = 0;
    if (!w)
        return nobody_waits(t);
    w->m.value = o->value;
    w->m.from = current_thread->tid;
    w->m.uid = current->cred->euid;
    w->m.prot = w->page ? o->prot : 0;
    w->m.unused = 0;
    if (w->m.prot)
        error = vm_page_map(current->mm, o->addr, t->mm, w->page, o->prot);
    if (unlikely(error)) {
        store_release(&t->ipc, w);
        task_wake(t, TASK_INTERRUPTIBLE);  // a signal may have come
    }
    *taken = w;
    return error;
}

long ipc_try_send(int tid, u64 value, u64 addr, int prot) {
    struct outgoing o = {value, addr, prot};
    struct ipc_wait *theirs;
    int error = check_outgoing(&o);
    struct task *t = error ? NULL : find_peer(tid);
    if (!t)
        return error ? error : -ESRCH;
    error = fill(t, &o, &theirs);
    if (error)
        return error;
    store_release(&theirs->done, true);
    task_wake(t, TASK_INTERRUPTIBLE);
    return 0;
}

// ---- receiving ----

static int wait_for_message(const struct ipc_wait *w) {
    int error = 0;
    current->wmesg = "ipc";
    for (;;) {
        __atomic_store_n(&current->state, TASK_INTERRUPTIBLE, __ATOMIC_SEQ_CST);
        if (load_acquire(&w->done))
            break;
        if (signal_pending() && atomic_xchg(&current->ipc, NULL)) {
            error = -ERESTARTSYS;
            break;
        }
        schedule();
    }
    store_relaxed(&current->state, (u32)TASK_RUNNING);
    current->wmesg = NULL;
    return error;
}

long ipc_receive(u64 message, u64 page) {
    struct ipc_wait w = {.page = page};
    int error = check_incoming(message, page);
    if (error)
        return error;
    store_release(&current->ipc, &w);
    error = wait_for_message(&w);
    return error ? error : copy_to_user(message, &w.m, sizeof(w.m));
}

long ipc_call(int tid, u64 value, u64 addr, int prot, u64 message, u64 page) {
    struct outgoing o = {value, addr, prot};
    struct ipc_wait w = {.page = page}, *theirs;
    int error = check_outgoing(&o);
    if (error || (error = check_incoming(message, page)))
        return error;
    struct task *t = find_peer(tid);
    if (!t)
        return -ESRCH;
    error = fill(t, &o, &theirs);
    if (error)
        return error;
    store_release(&current->ipc, &w);
    current->wmesg = "ipc";
    __atomic_store_n(&current->state, TASK_INTERRUPTIBLE, __ATOMIC_SEQ_CST);
    store_release(&theirs->done, true);
    if (unlikely(signal_pending()))
        task_wake(t, TASK_INTERRUPTIBLE);
    else
        sched_hand_over(t, TASK_INTERRUPTIBLE);
    error = wait_for_message(&w);
    return error ? -EINTR : copy_to_user(message, &w.m, sizeof(w.m));
}
