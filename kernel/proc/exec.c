/*
 * execve: a process becomes another program.
 *
 * Everything that can fail comes first: the file is opened, its format found (a script names another file, and the
 * search begins again with that), arguments are copied into kernel pages, and a complete new address space is made.
 * Then the other threads are ended, and from there on (commit) nothing fails any more: the caller gets an errno, or
 * it is the new program.
 *
 *     STACK_TOP →  as much as exec_offset() says: the stack's end is random, and so is where the strings end
 *                  8 zero bytes
 *                  AT_RANDOM's bytes, AT_EXECFN, environment strings, argument strings     (x->strings)
 *                  auxv pairs, AT_NULL
 *                  0, envp[…], 0, argv[…]                                                  (x->vector)
 *            sp →  argc                                                                    16-byte aligned
 *
 * Strings are gathered upward into a chain of kernel pages; pointers as offsets, made absolute once the total is known.
 *
 * Exec against kill: SIGKILL before the commit ends the call with -EINTR, and the signal does the rest on the way out;
 * after the commit it hits the new program. Two threads that exec at once: one wins exec_by, the other is killed.
 *
 * Locks: none held over anything that sleeps; siglock and family_lock briefly in commit().
 */
#include "proc/exec.h"

#include "abi/elf.h"
#include "abi/errno.h"
#include "abi/mount.h"
#include "abi/prctl.h"
#include "abi/resource.h"
#include "arch/csr.h"
#include "drivers/drivers.h"
#include "fs/file.h"
#include "ipc/futex.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/uaccess.h"
#include "mm/vm.h"
#include "proc/signal.h"
#include "proc/timers.h"
#include "trace/control.h"

#define MAX_STRING KIB(128)  // one argument
#define MAX_ARGS MIB(6)      // all of them, as Linux has it: 3/4 of the 8 MiB stack
#define STACK_SLACK (2 * PAGE_SIZE)

static const struct binfmt *const formats[] = {&elf_format, &flat_format, &script_format};

/* ---- chains of kernel pages ---- */

struct chunk {
    struct chunk *next;
    u64 used;
    char data[PAGE_SIZE - 16];
};

static struct chunk *chain_room(struct chain *c) {
    struct chunk *last = c->last;
    if (last && last->used < sizeof(last->data))
        return last;
    struct chunk *n = page_alloc_va(0);
    if (!n)
        return NULL;
    n->next = NULL;
    n->used = 0;
    if (last)
        last->next = n;
    else
        c->first = n;
    c->last = n;
    return n;
}

static int chain_add(struct chain *c, const void *data, size_t n) {
    const char *from = data;
    while (n) {
        struct chunk *k = chain_room(c);
        if (!k)
            return -ENOMEM;
        size_t part = min(n, sizeof(k->data) - k->used);
        memcpy(k->data + k->used, from, part);
        k->used += part;
        c->length += part;
        from += part;
        n -= part;
    }
    return 0;
}

static int chain_add_word(struct chain *c, u64 word) { return chain_add(c, &word, sizeof(word)); }

static void chain_free(struct chain *c) {
    for (struct chunk *k = c->first, *next; k; k = next) {
        next = k->next;
        page_free_va(k);
    }
    *c = (struct chain){0};
}

static int chain_write(const struct chain *c, struct mm *mm, u64 addr) {
    for (struct chunk *k = c->first; k; k = k->next) {
        if (mm_access(mm, addr, k->data, k->used, true) != (ssize_t)k->used)
            return -ENOMEM;
        addr += k->used;
    }
    return 0;
}

/* ---- arguments ---- */

// A string of the caller, its NUL included.
static int add_user_string(struct chain *c, u64 src) {
    for (u64 left = MAX_STRING; left;) {
        struct chunk *k = chain_room(c);
        if (!k)
            return -ENOMEM;
        u64 room = min(left, sizeof(k->data) - k->used);
        if (src >= USER_TOP)
            return -EFAULT;
        room = min(room, USER_TOP - src);
        ssize_t n = usercopy_string(k->data + k->used, (const char *)src, room);
        if (n < 0)
            return -EFAULT;
        bool ended = (u64)n < room;
        k->used += n + ended;
        c->length += n + ended;
        if (ended)
            return 0;
        src += n;
        left -= n;
    }
    return -E2BIG;
}

static u64 args_limit(void) {
    u64 stack = READ_ONCE(current->process->limit[RLIMIT_STACK].rlim_cur);
    return max(min(stack / 4, MAX_ARGS), MAX_STRING);
}

// Entry i of argv or envp: 1 and *string, 0 at the end, or -EFAULT.
static int next_string(const char *const *kernel, u64 user, u64 i, u64 *string) {
    if (kernel) {
        *string = (u64)kernel[i];
    } else {
        if (!user)
            return 0;
        if (get_user_u64(string, user + 8 * i))
            return -EFAULT;
    }
    return *string != 0;
}

static int check_size(const struct exec *x) {
    return x->strings.length + x->vector.length > args_limit() ? -E2BIG : 0;
}

// One array of strings from entry `i` on, counted in *count.
static int gather_array(struct exec *x, const char *const *kernel, u64 user, u64 i, u64 *count) {
    u64 s;
    int more, error;
    while ((more = next_string(kernel, user, i++, &s)) > 0) {
        error = chain_add_word(&x->vector, x->strings.length + 1);
        if (!error)
            error = kernel ? chain_add(&x->strings, (char *)s, strlen((char *)s) + 1)
                           : add_user_string(&x->strings, s);
        if (!error)
            error = check_size(x);
        if (error)
            return error;
        if ((++*count & 63) == 0 && fatal_signal_pending())
            return -EINTR;
    }
    return more ? more : chain_add_word(&x->vector, 0);
}

static int gather_prefix(struct exec *x) {
    for (u32 i = x->nr_prefix; i-- > 0; x->argc++) {
        int error = chain_add_word(&x->vector, x->strings.length + 1);
        if (!error)
            error = chain_add(&x->strings, x->prefix[i], strlen(x->prefix[i]) + 1);
        if (error)
            return error;
    }
    return 0;
}

// An empty argv becomes {""}, as Linux has it.
static int gather_empty_name(struct exec *x, const struct exec_args *a) {
    u64 s = 0;
    if (x->nr_prefix || a->kernel_argv)
        return 0;
    int more = next_string(NULL, a->argv, 0, &s);
    if (more)
        return min(more, 0);
    x->prefix[0] = kzalloc(1);
    if (!x->prefix[0])
        return -ENOMEM;
    x->nr_prefix = 1;
    return 0;
}

int exec_gather(struct exec *x) {
    const struct exec_args *a = x->args;
    u64 skip = x->nr_prefix ? 1 : 0;
    u8 random[16];
    u64 first;
    int error;
    if (skip) {  // the first argument gives way to the prefix, if there is one
        int more = next_string(a->kernel_argv, a->argv, 0, &first);
        if (more < 0)
            return more;
        skip = more;
    }
    if ((error = gather_empty_name(x, a)) || (error = chain_add_word(&x->vector, 0)) ||
        (error = gather_prefix(x)) ||
        (error = gather_array(x, a->kernel_argv, a->argv, skip, &x->argc)))
        return error;
    x->env_offset = x->strings.length;
    if ((error = gather_array(x, a->kernel_argv ? a->kernel_envp : NULL, a->envp, 0, &x->envc)))
        return error;
    x->execfn_offset = x->strings.length;
    random_bytes(random, sizeof(random));
    if (READ_ONCE(randomize_va_space))
        random_bytes(x->random, sizeof(x->random));
    if ((error = chain_add(&x->strings, x->given_path, strlen(x->given_path) + 1)))
        return error;
    x->random_offset = x->strings.length;
    return chain_add(&x->strings, random, sizeof(random));
}

/* ---- places ---- */

u64 exec_offset(const struct exec *x, enum place what) {
    static const struct {
        u32 count, unit;
    } range[NR_PLACES] = {
        [PLACE_STACK] = {1 << 18, PAGE_SIZE},    [PLACE_ARGUMENTS] = {512, 16},
        [PLACE_MAPPINGS] = {1 << 18, PAGE_SIZE}, [PLACE_PROGRAM] = {1 << 18, PAGE_SIZE},
        [PLACE_HEAP] = {1 << 13, PAGE_SIZE},
    };
    if (READ_ONCE(randomize_va_space) < (what == PLACE_HEAP ? 2 : 1) ||
        current->personality & ADDR_NO_RANDOMIZE)
        return 0;
    return (u64)(x->random[what] % range[what].count) * range[what].unit;
}

int exec_make_mm(struct exec *x) {
    x->mm = mm_create();
    if (!x->mm)
        return -ENOMEM;
    vm_lay_out(x->mm, STACK_TOP - exec_offset(x, PLACE_STACK), exec_offset(x, PLACE_MAPPINGS));
    return 0;
}

/* ---- the stack ---- */

static int map_stack(struct mm *mm, u64 end, u64 bytes) {
    u64 length = align_up(bytes + STACK_SLACK, PAGE_SIZE);
    struct vma_request r = {
        .addr = end - length,
        .length = length,
        .fixed = true,
        .ops = &stack_vma_ops,
        .flags = VM_READ | VM_WRITE | VM_MAYWRITE | VM_GROWSDOWN | VM_STACK | VM_ACCOUNT,
    };
    write_lock(&mm->lock);
    long addr = vma_map(mm, &r);
    write_unlock(&mm->lock);
    return addr < 0 ? addr : 0;
}

// The gathered vector holds argc's place, then offsets + 1, or 0: make them addresses.
static void relocate(struct exec *x, u64 base) {
    bool first = true;
    for (struct chunk *k = x->vector.first; k; k = k->next)
        for (u64 i = 0; i < k->used / 8; i++) {
            u64 *word = (u64 *)k->data + i;
            if (first)
                *word = x->argc;
            else if (*word)
                *word += base - 1;
            first = false;
        }
}

int exec_make_stack(struct exec *x, const u64 *auxv, u32 n) {
    struct mm *mm = x->mm;
    u64 end = mm->stack_top;
    u64 base = align_down(end - exec_offset(x, PLACE_ARGUMENTS) - 8 - x->strings.length, 16);
    const u64 last[] = {
        AT_EXECFN, base + x->execfn_offset, AT_RANDOM, base + x->random_offset, AT_NULL, 0};
    BUILD_ASSERT(sizeof(((struct chunk *)0)->data) % 8 == 0);
    assert((n + 3) * 2 <= ARRAY_SIZE(mm->auxv));
    relocate(x, base);
    memcpy(mm->auxv, auxv, n * 16);
    memcpy(mm->auxv + 2 * n, last, sizeof(last));
    int error = chain_add(&x->vector, mm->auxv, (n + 3) * 16);
    if (error)
        return error;
    mm->stack_top = align_down(base - x->vector.length, 16);
    if ((error = map_stack(mm, end, end - mm->stack_top)) || (error = vdso_map(mm)) ||
        (error = chain_write(&x->vector, mm, mm->stack_top)) ||
        (error = chain_write(&x->strings, mm, base)))
        return error;
    // The program's first frames: it soon wants this page too.
    vm_fault(mm, align_down(mm->stack_top, PAGE_SIZE) - PAGE_SIZE, ACCESS_WRITE, 0);
    mm->arg_start = base;
    mm->arg_end = mm->env_start = base + x->env_offset;
    mm->env_end = base + x->execfn_offset;
    return 0;
}

/* ---- credentials ---- */

void exec_ids(const struct file *f, u32 *euid, u32 *egid) {
    const struct inode *i = f->inode;
    *euid = current->cred->euid;
    *egid = current->cred->egid;
    if (f->path.mount->flags & MS_NOSUID || current->flags & TASK_NO_NEW_PRIVS)
        return;
    if (i->mode & S_ISUID)
        *euid = i->uid;
    if ((i->mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
        *egid = i->gid;
}

// What running f makes of us: a new cred, NULL when nothing changes, ERR_PTR. Saved ids become the effective ones.
static struct cred *cred_for(const struct file *f) {
    const struct cred *old = current->cred;
    u32 euid, egid;
    exec_ids(f, &euid, &egid);
    struct caps caps = caps_after_exec(old, euid, euid != old->uid || egid != old->gid);
    if (euid == old->euid && euid == old->suid && euid == old->fsuid && egid == old->egid &&
        egid == old->sgid && egid == old->fsgid && caps_same(&caps, &old->caps))
        return NULL;
    struct cred *c = cred_copy();
    if (!c)
        return ERR_PTR(-ENOMEM);
    c->caps = caps;
    c->euid = c->suid = c->fsuid = euid;
    c->egid = c->sgid = c->fsgid = egid;
    return c;
}

/* ---- commit ---- */

static void get_file(void *file) { file_get(file); }
static void put_file(void *file) { file_put(file); }

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

// New dispositions unless nobody shares them. 0 or -ENOMEM.
static int own_sighand(struct process *p) {
    if (ref_read(&p->sighand->ref) == 1)
        return 0;
    struct sighand *mine = sighand_copy(p->sighand), *old = p->sighand;
    if (!mine)
        return -ENOMEM;
    spin_lock(&family_lock);  // a child's exit looks at its parent's with the lock held
    u64 flags = irqlock_acquire(&p->siglock);
    p->sighand = mine;
    irqlock_release(&p->siglock, flags);
    spin_unlock(&family_lock);
    sighand_put(old);
    return 0;
}

static void start_registers(u64 entry, u64 sp) {
    struct trapframe *tf = thread_trapframe(&current->thread);
    memset(tf, 0, sizeof(*tf));
    tf->pc = entry;
    tf->sp = sp;
    tf->status = SSTATUS_SPIE | SSTATUS_UXL_64;
    tf->cause = ~0ul;
    atomic_or(&current->thread.work, WORK_REGISTERS);
    preempt_disable();
    fpu_reset(&current->thread);
    preempt_enable();
}

// From here on the caller is gone.
static void commit(struct exec *x, struct cred *cred) {
    struct process *p = current->process;
    x->mm->exe_file = x->file;
    x->mm->exe_get = get_file;
    x->mm->exe_put = put_file;
    x->file = NULL;
    futex_exit();
    atomic_and(&current->flags, ~TASK_EXOFORKED);
    current->upcall = (struct upcall){0};
    // Before the memory: who might look into the caller's may not into a set-uid program's.
    if (cred)
        cred_install(cred);
    mm_activate(x->mm);
    u64 entry = x->entry, sp = x->mm->stack_top;
    x->mm = NULL;
    vfork_release();
    files_close_on_exec();
    timers_exit(p);
    sighand_reset(p->sighand, false);
    current->altstack = (struct sigaltstack){0};
    current->restart = NULL;
    task_set_name(current, base_name(x->given_path));
    atomic_and(&current->flags,
               ~(TASK_FORKED_NOEXEC | TASK_KTHREAD | TASK_TOO_MANY | TASK_KEEP_CAPS));
    const struct cred *c = current->cred;
    WRITE_ONCE(p->dumpable, c->uid == c->euid && c->gid == c->egid);
    spin_lock(&family_lock);
    p->has_execed = true;
    trace_exec();
    p->exit_signal = p->parent ? SIGCHLD : 0;
    spin_unlock(&family_lock);
    start_registers(entry, sp);
}

/* ---- finding the format ---- */

int exec_read_head(struct exec *x, struct file *f) {
    ssize_t n = file_read_kernel(f, x->head, sizeof(x->head), 0);
    if (n < 0)
        return n;
    memset(x->head + n, 0, sizeof(x->head) - n);
    return 0;
}

static int try_formats(struct exec *x) {
    int result = -ENOEXEC;
    for (u32 i = 0; i < ARRAY_SIZE(formats) && result == -ENOEXEC; i++)
        result = formats[i]->load(x);
    return result;
}

static int load(struct exec *x) {
    int result;
    do {
        result = exec_read_head(x, x->file);
        if (!result)
            result = try_formats(x);
    } while (result == EXEC_AGAIN);
    return result;
}

static void exec_free(struct exec *x) {
    if (x->mm)
        mm_put(x->mm);
    if (x->file)
        file_put(x->file);
    for (u32 i = 0; i < x->nr_prefix; i++)
        kfree(x->prefix[i]);
    kfree(x->path);
    chain_free(&x->strings);
    chain_free(&x->vector);
    kfree(x);
}

static int run(struct exec *x) {
    int error = load(x);
    if (error)
        return error;
    struct cred *cred = cred_for(x->file);
    if (IS_ERR(cred))
        return PTR_ERR(cred);
    if ((error = files_unshare()) || (error = own_sighand(current->process)) ||
        (error = become_only_thread())) {
        cred_put(cred);
        return error;
    }
    commit(x, cred);
    return 0;
}

int do_execve(int dirfd, const char *path, const struct exec_args *args) {
    if (unlikely(current->flags & TASK_TOO_MANY) && user_too_many())
        return -EAGAIN;
    struct exec *x = kmalloc(sizeof(*x), 0);
    if (!x)
        return -ENOMEM;
    memset(x, 0, offsetof(struct exec, head));
    x->args = args;
    x->given_path = path;
    x->file = path_open_exec(path, dirfd);
    int error = 0;
    if (IS_ERR(x->file)) {
        error = PTR_ERR(x->file);
        x->file = NULL;
    }
    if (!error)
        error = run(x);
    exec_free(x);
    return error;
}
