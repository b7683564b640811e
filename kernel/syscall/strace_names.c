/*
 * Names of numbers as strace(1) prints them: flags of a few calls, signals, errors.
 *
 * Only what one meets every day is here; all other flags are printed as numbers. No state, no locks.
 */
#include "syscall/strace_names.h"

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/mman.h"
#include "abi/sched.h"
#include "abi/signal.h"
#include "abi/syscall.h"
#include "abi/wait.h"

#define NAME(value)                                                                                \
    { value, #value }
#define END                                                                                        \
    { 0, NULL }

const struct symbol open_names[] = {NAME(O_CREAT),
                                    NAME(O_EXCL),
                                    NAME(O_NOCTTY),
                                    NAME(O_TRUNC),
                                    NAME(O_APPEND),
                                    NAME(O_NONBLOCK),
                                    NAME(O_TMPFILE),
                                    NAME(O_SYNC),
                                    NAME(O_DSYNC),
                                    NAME(O_DIRECT),
                                    NAME(O_LARGEFILE),
                                    NAME(O_NOFOLLOW),
                                    NAME(O_DIRECTORY),
                                    NAME(O_NOATIME),
                                    NAME(O_CLOEXEC),
                                    NAME(O_PATH),
                                    END};
static const struct symbol whence_names[] = {NAME(SEEK_SET),  NAME(SEEK_CUR),  NAME(SEEK_END),
                                             NAME(SEEK_DATA), NAME(SEEK_HOLE), END};
static const struct symbol at_names[] = {NAME(AT_SYMLINK_NOFOLLOW), NAME(AT_SYMLINK_FOLLOW),
                                         NAME(AT_NO_AUTOMOUNT), NAME(AT_EMPTY_PATH), END};
static const struct symbol mmap_names[] = {NAME(MAP_SHARED_VALIDATE),
                                           NAME(MAP_SHARED),
                                           NAME(MAP_PRIVATE),
                                           NAME(MAP_FIXED),
                                           NAME(MAP_ANONYMOUS),
                                           NAME(MAP_GROWSDOWN),
                                           NAME(MAP_DENYWRITE),
                                           NAME(MAP_LOCKED),
                                           NAME(MAP_NORESERVE),
                                           NAME(MAP_POPULATE),
                                           NAME(MAP_STACK),
                                           NAME(MAP_FIXED_NOREPLACE),
                                           END};
const struct symbol prot_names[] = {NAME(PROT_READ), NAME(PROT_WRITE), NAME(PROT_EXEC), END};
const struct symbol clone_names[] = {NAME(CLONE_VM),
                                     NAME(CLONE_FS),
                                     NAME(CLONE_FILES),
                                     NAME(CLONE_SIGHAND),
                                     NAME(CLONE_VFORK),
                                     NAME(CLONE_PARENT),
                                     NAME(CLONE_THREAD),
                                     NAME(CLONE_SYSVSEM),
                                     NAME(CLONE_SETTLS),
                                     NAME(CLONE_PARENT_SETTID),
                                     NAME(CLONE_CHILD_CLEARTID),
                                     NAME(CLONE_CHILD_SETTID),
                                     END};
static const struct symbol wait_names[] = {NAME(WNOHANG), NAME(WUNTRACED), NAME(WCONTINUED), END};
static const struct symbol unlink_names[] = {NAME(AT_REMOVEDIR), END};

static const struct {
    u16 call, index;
    bool bits;
    const struct symbol *symbols;
} arguments[] = {
    {SYS_pipe2, 1, true, open_names},    {SYS_dup3, 2, true, open_names},
    {SYS_lseek, 2, false, whence_names}, {SYS_mmap, 3, true, mmap_names},
    {SYS_clone, 0, true, clone_names},   {SYS_wait4, 2, true, wait_names},
    {SYS_newfstatat, 3, true, at_names}, {SYS_statx, 2, true, at_names},
    {SYS_linkat, 4, true, at_names},     {SYS_fchownat, 4, true, at_names},
    {SYS_utimensat, 3, true, at_names},  {SYS_unlinkat, 2, true, unlink_names},
};

const struct symbol *argument_symbols(u64 call, u32 index, bool *bits) {
    for (u32 i = 0; i < ARRAY_SIZE(arguments); i++)
        if (arguments[i].call == call && arguments[i].index == index) {
            *bits = arguments[i].bits;
            return arguments[i].symbols;
        }
    return NULL;
}

#define SIGNAL(name) [SIG##name] = "SIG" #name
const char *signal_name(u64 sig) {
    static const char *const names[] = {
        SIGNAL(HUP),  SIGNAL(INT),    SIGNAL(QUIT), SIGNAL(ILL),    SIGNAL(TRAP), SIGNAL(ABRT),
        SIGNAL(BUS),  SIGNAL(FPE),    SIGNAL(KILL), SIGNAL(USR1),   SIGNAL(SEGV), SIGNAL(USR2),
        SIGNAL(PIPE), SIGNAL(ALRM),   SIGNAL(TERM), SIGNAL(STKFLT), SIGNAL(CHLD), SIGNAL(CONT),
        SIGNAL(STOP), SIGNAL(TSTP),   SIGNAL(TTIN), SIGNAL(TTOU),   SIGNAL(URG),  SIGNAL(XCPU),
        SIGNAL(XFSZ), SIGNAL(VTALRM), SIGNAL(PROF), SIGNAL(WINCH),  SIGNAL(IO),   SIGNAL(PWR),
        SIGNAL(SYS),
    };
    return sig < ARRAY_SIZE(names) ? names[sig] : NULL;
}

const char *error_name(int error, const char **meaning) {
    static const struct {
        const char *name, *meaning;
    } errors[] = {
#define ERROR(name, meaning) [name] = {#name, meaning},
#include "abi/errors.def"
    };
    if (error < 0 || error >= (int)ARRAY_SIZE(errors))
        return NULL;
    *meaning = errors[error].meaning;
    return errors[error].name;
}
