/*
 * Scripts: a file that begins with "#!interpreter [argument]" is run by the interpreter, with the arguments
 * interpreter, argument, name of the script, and what followed argv[0]. execve(2), "Interpreter scripts".
 *
 * The new first arguments are pushed on x->prefix, the last one first, and x->file becomes the interpreter; it may be a
 * script itself, EXEC_DEPTH deep. Then its name takes the place of the argv[0] pushed before.
 */
#include "abi/errno.h"
#include "fs/file.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/exec.h"

#define LINE 256  // bytes that the first line may have

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

static char *copy_string(const char *s, size_t n) {
    char *copy = kmalloc(n + 1, 0);
    if (copy) {
        memcpy(copy, s, n);
        copy[n] = 0;
    }
    return copy;
}

static int push(struct exec *x, const char *s, size_t n) {
    char *copy = copy_string(s, n);
    if (!copy)
        return -ENOMEM;
    x->prefix[x->nr_prefix++] = copy;
    return 0;
}

// The two words of the first line. -ENOEXEC: it is cut off, or empty.
static int parse_line(const char *head, const char **name, size_t *name_length, const char **arg,
                      size_t *arg_length) {
    const char *end = memchr(head, '\n', LINE), *s = head + 2;
    bool whole = end || memchr(head, 0, LINE);
    if (!end)
        end = head + strnlen(head, LINE);
    while (s < end && is_blank(*s))
        s++;
    while (end > s && is_blank(end[-1]))
        end--;
    *name = s;
    while (s < end && !is_blank(*s) && *s)
        s++;
    *name_length = s - *name;
    if (*name_length == 0 || (!whole && s == end))
        return -ENOEXEC;
    while (s < end && is_blank(*s))
        s++;
    *arg = s;
    *arg_length = strnlen(s, end - s);
    return 0;
}

static int script_load(struct exec *x) {
    const char *name, *arg;
    size_t name_length, arg_length;
    if (x->head[0] != '#' || x->head[1] != '!')
        return -ENOEXEC;
    if (x->depth++ == EXEC_DEPTH)
        return -ELOOP;
    int error = parse_line(x->head, &name, &name_length, &arg, &arg_length);
    if (error)
        return error;
    const char *script = x->path ? x->path : x->given_path;
    if (x->nr_prefix)
        kfree(x->prefix[--x->nr_prefix]);
    if ((error = push(x, script, strlen(script))) ||
        (arg_length && (error = push(x, arg, arg_length))) || (error = push(x, name, name_length)))
        return error;
    kfree(x->path);
    x->path = copy_string(name, name_length);
    if (!x->path)
        return -ENOMEM;
    struct file *f = path_open_exec(x->path, AT_FDCWD);
    if (IS_ERR(f))
        return PTR_ERR(f);
    file_put(x->file);
    x->file = f;
    return EXEC_AGAIN;
}

const struct binfmt script_format = {.name = "script", .load = script_load};
