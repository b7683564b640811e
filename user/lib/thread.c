/* Threads, out of clone(2) and futex(2); the contracts are in thread.h.
 *
 * A thread's memory is one mapping. Its top is the struct thread, and tp points there, so that
 * "who am I" is a register; that is all the thread-local storage there is. clone() is asked to put
 * the number of the new thread into t->tid, and to clear that word and wake whoever waits for it
 * when the thread is gone: after that moment it uses its stack no more, and the joiner may unmap
 * it.
 *
 *     t + 1 ─>  ┌───────────────────┐ high, end of the mapping
 *     tp, t ─>  │ struct thread     │
 *     sp    ─>  ├───────────────────┤
 *               │ stack             │
 *               ├───────────────────┤
 *               │ guard page        │ not accessible: an overflow is a SIGSEGV
 *               └───────────────────┘ low
 *
 * A mutex is one word. Locking is one atomic instruction if the word was 0, unlocking is one if it
 * was 1; only 2 means that the kernel must be asked. Why no wake-up is lost:
 *
 *     A, which locks                          B, which unlocks
 *     word: 1 -> 2, "I am going to sleep"
 *                                             word: 2 -> 0
 *     futex_wait(word, 2): not 2, no sleep    futex_wake: nobody there yet
 *
 * or the wait comes before B's exchange, and then the wake-up finds A. The kernel compares and goes
 * to sleep in one step; that is all it does for us. Who was woken locks with 2, for it can not know
 * whether others sleep too: at worst one wake-up finds nobody.
 *
 * A condition counts its changes. A waiter reads the count before it lets the mutex go, and sleeps
 * only if the count is still the same: a signal in between has changed it. (It would be missed if
 * there were exactly 2^32 of them in between.) */
#include "user/lib/tool.h"
#include "user/lib/thread.h"
#include "abi/futex.h"
#include "abi/mman.h"
#include "abi/sched.h"

#define SHARED_BY_THREADS                                                                          \
    (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)

/* ---- the kernel's part: both may return early, and for no reason */

static void futex_wait(uint32_t *word, uint32_t value) {
    sys_futex(word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, value, 0, 0, 0);
}

static void futex_wake(uint32_t *word, uint32_t count) {
    sys_futex(word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, count, 0, 0, 0);
}

/* ---- threads */

static struct thread first_thread;

struct thread *thread_self(void) {
    struct thread *tp;

    asm volatile("mv %0, tp" : "=r"(tp));
    return tp ? tp : &first_thread;
}

static int thread_main(void *arg) {
    struct thread *t = arg;

    t->result = t->f(t->arg);
    return 0; /* clone_call makes it exit(2), which ends this thread only */
}

static char *memory_of(struct thread *t) { return (char *)(t + 1) - THREAD_STACK - PAGE; }

long thread_create(struct thread **out, void *(*f)(void *), void *arg) {
    size_t size = THREAD_STACK + PAGE;
    long low = sys_mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), r;

    if (low < 0)
        return low;
    struct thread *t = (struct thread *)(low + (long)size) - 1;
    t->f = f;
    t->arg = arg;
    r = sys_mprotect((void *)low, PAGE, PROT_NONE);
    if (r == 0)
        r = clone_call(SHARED_BY_THREADS | CLONE_SETTLS | CLONE_PARENT_SETTID |
                           CLONE_CHILD_CLEARTID,
                       t, (int *)&t->tid, t, (int *)&t->tid, thread_main, t);
    if (r < 0) {
        sys_munmap((void *)low, size);
        return r;
    }
    *out = t;
    return 0;
}

/* The kernel's own wake-up, at the end of a thread, is not a private one. */
void *thread_join(struct thread *t) {
    uint32_t tid;
    void *result;

    while ((tid = __atomic_load_n(&t->tid, __ATOMIC_ACQUIRE)))
        sys_futex(&t->tid, FUTEX_WAIT, tid, 0, 0, 0);
    result = t->result;
    sys_munmap(memory_of(t), THREAD_STACK + PAGE);
    return result;
}

void thread_exit(void *result) {
    thread_self()->result = result;
    sys_exit(0);
}

/* ---- mutex */

bool mutex_trylock(struct mutex *m) {
    uint32_t is_free = 0;

    return __atomic_compare_exchange_n(&m->word, &is_free, 1, false, __ATOMIC_ACQUIRE,
                                       __ATOMIC_RELAXED);
}

void mutex_lock(struct mutex *m) {
    if (mutex_trylock(m))
        return;
    while (__atomic_exchange_n(&m->word, 2, __ATOMIC_ACQUIRE) != 0)
        futex_wait(&m->word, 2);
}

void mutex_unlock(struct mutex *m) {
    if (__atomic_exchange_n(&m->word, 0, __ATOMIC_RELEASE) == 2)
        futex_wake(&m->word, 1);
}

/* ---- condition */

void condition_wait(struct condition *c, struct mutex *m) {
    uint32_t seen = __atomic_load_n(&c->changes, __ATOMIC_SEQ_CST);

    __atomic_add_fetch(&c->waiting, 1, __ATOMIC_SEQ_CST);
    mutex_unlock(m);
    futex_wait(&c->changes, seen);
    mutex_lock(m);
    __atomic_sub_fetch(&c->waiting, 1, __ATOMIC_SEQ_CST);
}

static void changed(struct condition *c, uint32_t wake) {
    __atomic_add_fetch(&c->changes, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&c->waiting, __ATOMIC_SEQ_CST))
        futex_wake(&c->changes, wake);
}

void condition_signal(struct condition *c) { changed(c, 1); }

void condition_broadcast(struct condition *c) { changed(c, INT32_MAX); }

/* ---- barrier */

bool barrier_wait(struct barrier *b) {
    uint32_t round;
    bool last;

    mutex_lock(&b->lock);
    round = b->round;
    last = ++b->arrived == b->wanted;
    if (last) {
        b->arrived = 0;
        b->round++;
        condition_broadcast(&b->all_here);
    }
    while (round == b->round)
        condition_wait(&b->all_here, &b->lock);
    mutex_unlock(&b->lock);
    return last;
}
