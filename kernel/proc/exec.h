// Inside exec: what exec.c and the formats (elf.c, script.c) share. A format is added to the table in exec.c.
#ifndef PROC_EXEC_H
#define PROC_EXEC_H

#include "lib/types.h"
#include "proc/life.h"

struct file;
struct mm;

#define EXEC_HEAD 512  // bytes of the file that formats look at
#define EXEC_DEPTH 5   // scripts whose interpreters are scripts
#define EXEC_PREFIX (3 * EXEC_DEPTH + 1)
#define EXEC_AGAIN 1  // a format's answer: x->file is another file now

// Bytes gathered in kernel pages, in order.
struct chain {
    struct chunk *first, *last;
    u64 length;
};

// What has a random place in a new program's memory.
enum place { PLACE_STACK, PLACE_ARGUMENTS, PLACE_MAPPINGS, PLACE_PROGRAM, PLACE_HEAP, NR_PLACES };

struct exec {
    struct file *file;       // the program; owned
    char *path;              // name of x->file, as argv[0] of a script's interpreter sees it
    const char *given_path;  // as the caller said: AT_EXECFN
    const struct exec_args *args;
    // Arguments that replace argv[0], last one first; owned
    char *prefix[EXEC_PREFIX];
    u32 nr_prefix;
    u32 depth;
    // Gathered by exec_gather()
    struct chain strings;  // argv, envp, AT_EXECFN, AT_RANDOM's 16 bytes
    struct chain vector;   // argc, argv …, 0, envp …, 0 as offsets into strings + 1
    u64 argc, envc, env_offset, execfn_offset, random_offset;
    u32 random[NR_PLACES];
    // Made by the format
    struct mm *mm;
    u64 entry;
    char head[EXEC_HEAD];  // start of a file, the rest zero: exec_read_head()
};

struct binfmt {
    const char *name;
    int (*load)(struct exec *x);  // 0: x->mm is complete; EXEC_AGAIN; -ENOEXEC: not mine; or errno
};
extern const struct binfmt elf_format, flat_format, script_format;

int exec_read_head(struct exec *x, struct file *f);  // 0 or errno
// Copy argv and envp in. 0, -E2BIG, -EFAULT, -ENOMEM.
int exec_gather(struct exec *x);
// An empty address space as x->mm, with the places of its stack and its mappings chosen. 0 or -ENOMEM
int exec_make_mm(struct exec *x);
// How many bytes from its usual place something goes; 0 when addresses are not random.
u64 exec_offset(const struct exec *x, enum place what);
// Make the stack of x->mm with what was gathered and auxv (n pairs, AT_NULL not included; AT_EXECFN and AT_RANDOM are
// added). 0 or errno.
int exec_make_stack(struct exec *x, const u64 *auxv, u32 n);

// The effective ids that running f gives current: changed when its set-uid or set-gid bit counts.
void exec_ids(const struct file *f, u32 *euid, u32 *egid);

#endif
