/*
 * Floating point, lazily.
 *
 * The kernel never uses the FPU. A thread's registers are saved at a switch only when the hardware says that they
 * were written (FS = dirty), and loaded only when it next executes an FP instruction: it is resumed with FS = off
 * unless its registers are still those in the hart. The FS field that counts is that of the thread's user trapframe.
 *
 *   owner of a hart's registers:  fpu_owner (per hart) == t  and  t->fpu_hart == hart + 1
 *
 * Both must hold: the hart may have loaded another thread's state since, or the thread may have run and changed its
 * state elsewhere since. Interrupts are off, or preemption, in all of these; only the thread itself or
 * the switch away from it touches t->fpu.
 */
#include "arch/csr.h"
#include "arch/thread.h"
#include "lib/string.h"
#include "arch/hart.h"

static PERHART(struct thread *, fpu_owner);

void fpu_store(struct fpu *f);
void fpu_load(const struct fpu *f);

static void set_fs(struct thread *t, u64 fs) {
    struct trapframe *tf = thread_trapframe(t);
    tf->status = (tf->status & ~SSTATUS_FS) | fs;
}

static bool in_registers(const struct thread *t) {
    return t->fpu_hart == hart_id() + 1 && *this_hart(fpu_owner) == t;
}

void fpu_save(struct thread *t) {
    if ((thread_trapframe(t)->status & SSTATUS_FS) != FS_DIRTY)
        return;
    csr_set(sstatus, FS_DIRTY);
    fpu_store(&t->fpu);
    set_fs(t, FS_CLEAN);
}

void fpu_switch_out(struct thread *prev) { fpu_save(prev); }

void fpu_switch_in(struct thread *next) {
    if (!in_registers(next))
        set_fs(next, FS_OFF);
}

void fpu_forget(struct thread *t) {
    t->fpu_hart = 0;
    set_fs(t, FS_OFF);
}

static void own_registers(struct thread *t) {
    *this_hart(fpu_owner) = t;
    t->fpu_hart = hart_id() + 1;
}

void fpu_use(struct thread *t) {
    csr_set(sstatus, FS_DIRTY);
    if ((thread_trapframe(t)->status & SSTATUS_FS) != FS_OFF)
        return;
    if (!in_registers(t)) {
        fpu_load(&t->fpu);
        own_registers(t);
    }
    set_fs(t, FS_CLEAN);
}

void fpu_reset(struct thread *t) {
    memset(&t->fpu, 0, sizeof t->fpu);
    fpu_forget(t);
    fpu_use(t);
}

void fpu_replace(struct thread *t) {
    csr_set(sstatus, FS_DIRTY);
    if ((thread_trapframe(t)->status & SSTATUS_FS) == FS_OFF)
        own_registers(t);
    set_fs(t, FS_DIRTY);
}

bool fpu_trap(struct trapframe *tf) {
    if ((tf->status & SSTATUS_FS) != FS_OFF)
        return false;
    fpu_use(current_thread);
    return true;
}
