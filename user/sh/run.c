/* Walking the tree.
 *
 * run() gives the exit status of a tree. Builtins, and compound commands, run in the shell itself;
 * redirections on them are undone after. Everything else runs in children: a simple command that
 * is a program, each side of a pipeline, a subshell, a background list.
 *
 * break and continue set a count that every list and loop on the way up looks at; ^C sets
 * "interrupted" in the same way. */
#include "user/sh/sh.h"
#include "abi/fcntl.h"
#include "abi/wait.h"

bool interactive, errexit, trace;
int breaking, continuing;
volatile int interrupted;

static int loop_depth, tested; /* tested: inside a condition, where errexit does not count */

static bool leaving(void) { return breaking || continuing || interrupted; }

/* ---- redirections */

#define SAVED_FROM 10 /* descriptors at and above it are the shell's own */

static struct saved { int fd, copy; /* copy -1: fd was closed */ } saved[32];
static int saved_count;

static void save_fd(int fd) {
    long copy = sys_fcntl(fd, F_DUPFD_CLOEXEC, SAVED_FROM);

    if (saved_count < (int)ARRAY_LEN(saved))
        saved[saved_count++] = (struct saved){fd, copy < 0 ? -1 : (int)copy};
    else if (copy >= 0)
        sys_close((int)copy);
}

static void restore_fds(int mark) {
    while (saved_count > mark) {
        struct saved *s = &saved[--saved_count];
        if (s->copy < 0) {
            sys_close(s->fd);
            continue;
        }
        sys_dup3(s->copy, s->fd, 0);
        sys_close(s->copy);
    }
}

/* A pipe that holds the text; a child writes it if it might not fit. */
static long here_pipe(const char *text) {
    int fds[2];
    long r = sys_pipe2(fds, O_CLOEXEC);

    if (r < 0)
        return r;
    if (strlen(text) <= PIPE_BUF) {
        write_all(fds[1], text, strlen(text));
    } else if (fork() == 0) {
        sys_close(fds[0]);
        write_all(fds[1], text, strlen(text));
        sys_exit_group(0);
    }
    sys_close(fds[1]);
    return fds[0];
}

static long open_redir(const struct redir *r, const char *word) {
    static const int flags[] = {
        [IN] = O_RDONLY,
        [OUT] = O_WRONLY | O_CREAT | O_TRUNC,
        [APPEND] = O_WRONLY | O_CREAT | O_APPEND,
        [INOUT] = O_RDWR | O_CREAT,
    };

    if (r->kind == HERE || r->kind == HERE_QUOTED)
        return here_pipe(word);
    return sys_openat(AT_FDCWD, word, flags[r->kind] | O_CLOEXEC, 0666);
}

/* 2>&1, <&-: the word is a descriptor or a minus sign. */
static long duplicate(const struct redir *r, const char *word) {
    long fd;

    if (strcmp(word, "-") == 0) {
        sys_close(r->fd);
        return 0;
    }
    if (!parse_num(word, 10, &fd))
        return -EBADF;
    return fd == r->fd ? sys_fcntl(r->fd, F_SETFD, 0) : sys_dup3((int)fd, r->fd, 0);
}

static long redirect_one(const struct redir *r, const char *word) {
    long fd, err;

    if (r->kind == DUP)
        return duplicate(r, word);
    fd = open_redir(r, word);
    if (fd < 0)
        return fd;
    if (fd == r->fd)
        return sys_fcntl(r->fd, F_SETFD, 0);
    err = sys_dup3((int)fd, r->fd, 0);
    sys_close((int)fd);
    return err;
}

static bool redirect(const struct redir *r, bool save) {
    for (; r; r = r->next) {
        char *word = r->kind == HERE_QUOTED ? xstrdup(r->word)
                     : r->kind == HERE      ? expand_here(r->word)
                                            : expand_one(r->word);
        long err;
        if (expand_failed) {
            free(word);
            return false;
        }
        if (save)
            save_fd(r->fd);
        err = redirect_one(r, word);
        if (err < 0)
            fprintf(2, "sh: %s: %s\n", word, errstr(err));
        free(word);
        if (err < 0)
            return false;
    }
    return true;
}

/* ---- simple commands */

static int assignments(const struct words *w) {
    int n = 0;

    while (n < w->count && assignment_name(w->list[n]))
        n++;
    return n;
}

static void assign(const struct words *w, int n, bool export) {
    for (int i = 0; i < n; i++) {
        size_t len = assignment_name(w->list[i]);
        char *name = xstrdup(w->list[i]), *value = expand_one(w->list[i] + len + 1);
        name[len] = 0;
        var_set(name, value);
        if (export)
            var_export(name);
        free(name);
        free(value);
    }
}

static void exec_program(char **argv) {
    long r;

    environ = vars_environ();
    r = exec_path(argv);
    fprintf(2, "sh: %s: %s\n", argv[0],
            r == -ENOENT && !strchr(argv[0], '/') ? "not found" : errstr(r));
    exit(r == -ENOENT ? 127 : 126);
}

static void show_trace(char **argv) {
    if (!trace)
        return;
    fprintf(2, "+");
    for (; *argv; argv++)
        fprintf(2, " %s", *argv);
    fprintf(2, "\n");
}

/* "exec" alone keeps its redirections; with a program it becomes it. */
static int run_exec(struct node *n, char **argv) {
    if (!redirect(n->redirs, false))
        return 1;
    if (argv[1]) {
        child_signals();
        exec_program(argv + 1);
    }
    return 0;
}

static int run_builtin(struct node *n, builtin_fn f, char **argv) {
    int mark = saved_count, status = 1;

    if (redirect(n->redirs, true)) {
        status = f ? f(argv) : 0;
        status |= out_flush();
    }
    restore_fds(mark);
    return status;
}

static int run_program(struct node *n, char **argv, int assigned) {
    struct job *j = job_new(n);
    int pid = job_fork(j, false);

    if (pid == 0) {
        if (!redirect(n->redirs, false))
            exit(1);
        assign(&n->words, assigned, true);
        exec_program(argv);
    }
    return pid < 0 ? (job_wait(j), 1) : job_wait(j);
}

/* In a child that is there for this command alone, the program takes its place. */
static bool alone;

static int run_simple(struct node *n) {
    int assigned = assignments(&n->words), count, status;
    bool replace = alone;
    builtin_fn f;
    char **argv;

    expand_failed = alone = false;
    argv = expand_words(&n->words, assigned, &count);
    f = count ? builtin_find(argv[0]) : 0;
    if (expand_failed) {
        status = 1;
    } else if (count && strcmp(argv[0], "exec") == 0) {
        status = run_exec(n, argv);
    } else if (f || !count) {
        substitution_status = 0;
        assign(&n->words, assigned, false);
        show_trace(argv);
        status = run_builtin(n, f, argv);
        if (!count)
            status |= substitution_status; /* x=$(false) fails, x=$? does not */
    } else if (replace) {
        show_trace(argv);
        if (!redirect(n->redirs, false))
            exit(1);
        assign(&n->words, assigned, true);
        exec_program(argv);
        status = 126;
    } else {
        show_trace(argv);
        status = run_program(n, argv, assigned);
    }
    free_words(argv);
    return status;
}

/* ---- children */

void run_child(struct node *n) {
    alone = n->kind == SIMPLE;
    loop_depth = 0;
    exit(run(n));
}

static void pipe_end(int *fd, int to) {
    if (*fd < 0)
        return;
    sys_dup3(*fd, to, 0);
    sys_close(*fd);
    *fd = -1;
}

/* Starts one side of a pipeline; *in is the descriptor it reads from, and then the next one's. */
static bool start_stage(struct job *j, struct node *n, int *in, bool last, bool background) {
    int fds[2] = {-1, -1}, pid;

    if (!last && sys_pipe2(fds, O_CLOEXEC) < 0) {
        fprintf(2, "sh: no pipe\n");
        return false;
    }
    pid = job_fork(j, background);
    if (pid == 0) {
        pipe_end(in, 0);
        pipe_end(&fds[1], 1);
        if (fds[0] >= 0)
            sys_close(fds[0]);
        run_child(n);
    }
    if (*in >= 0)
        sys_close(*in);
    if (fds[1] >= 0)
        sys_close(fds[1]);
    *in = fds[0];
    return pid > 0;
}

static bool start_pipeline(struct job *j, struct node *n, int *in, bool last, bool background) {
    if (n->kind != PIPELINE)
        return start_stage(j, n, in, last, background);
    return start_pipeline(j, n->left, in, false, background) &&
           start_stage(j, n->right, in, last, background);
}

static int run_pipeline(struct node *n) {
    struct job *j = job_new(n);
    int in = -1;
    bool started = start_pipeline(j, n, &in, true, false);
    int status;

    if (in >= 0)
        sys_close(in);
    status = job_wait(j);
    return started ? status : 1;
}

static int run_subshell(struct node *n) {
    struct job *j = job_new(n);
    int pid = job_fork(j, false);

    if (pid == 0) {
        if (!redirect(n->redirs, false))
            exit(1);
        run_child(n->left);
    }
    return pid < 0 ? (job_wait(j), 1) : job_wait(j);
}

static int run_background(struct node *n) {
    struct job *j = job_new(n->left);
    int in = -1;

    if (!interactive || jobs_in_child) /* no terminal to compete for */
        in = (int)sys_openat(AT_FDCWD, "/dev/null", O_RDONLY | O_CLOEXEC, 0);
    start_pipeline(j, n->left, &in, true, true);
    job_background(j);
    return 0;
}

/* ---- lists, loops, choices */

static int run_test(struct node *n) {
    int status;

    tested++;
    status = run(n);
    tested--;
    return status;
}

/* After one turn of a loop: is it over? */
static bool loop_over(void) {
    if (breaking) {
        breaking--;
        return true;
    }
    if (continuing && --continuing)
        return true;
    return interrupted;
}

static int run_while(struct node *n, bool wanted) {
    int status = 0;

    loop_depth++;
    while (!leaving() && (run_test(n->left) == 0) == wanted) {
        if (!leaving())
            status = run(n->right);
        if (loop_over())
            break;
    }
    loop_depth--;
    return status;
}

static int run_for(struct node *n) {
    int count, status = 0;
    char **words = 0, **list = params;

    if (n->in_words)
        list = words = expand_words(&n->words, 0, &count);
    else
        count = param_count;
    loop_depth++;
    for (int i = 0; i < count && !expand_failed; i++) {
        var_set(n->name, list[i]);
        status = run(n->left);
        if (loop_over())
            break;
    }
    loop_depth--;
    free_words(words);
    return status;
}

static bool arm_matches(const struct node *arm, const char *word) {
    for (int i = 0; i < arm->words.count; i++) {
        char *pattern = expand_pattern(arm->words.list[i]);
        bool found = glob_match(pattern, word) || (*word == '.' && strcmp(pattern, "*") == 0);
        free(pattern);
        if (found)
            return true;
    }
    return false;
}

static int run_case(struct node *n) {
    char *word = expand_one(n->words.list[0]);
    int status = 0;

    for (struct node *arm = n->left; arm && !expand_failed; arm = arm->right) {
        if (!arm_matches(arm, word))
            continue;
        status = arm->left ? run(arm->left) : 0;
        break;
    }
    free(word);
    return status;
}

static int run_if(struct node *n) {
    if (run_test(n->left) == 0)
        return leaving() ? 0 : run(n->right);
    if (!n->other || leaving())
        return 0;
    return run(n->other);
}

static int run_kind(struct node *n) {
    int status;

    switch (n->kind) {
    case SIMPLE:
        return run_simple(n);
    case PIPELINE:
        return run_pipeline(n);
    case SUBSHELL:
        return run_subshell(n);
    case BACKGROUND:
        return run_background(n);
    case GROUP:
        return run(n->left);
    case NOT:
        return !run_test(n->left);
    case IF:
        return run_if(n);
    case WHILE:
        return run_while(n, true);
    case UNTIL:
        return run_while(n, false);
    case FOR:
        return run_for(n);
    case CASE:
        return run_case(n);
    case AND:
        status = run_test(n->left);
        return status == 0 && !leaving() ? run(n->right) : status;
    case OR:
        status = run_test(n->left);
        return status != 0 && !leaving() ? run(n->right) : status;
    case SEQUENCE:
        status = run(n->left);
        return leaving() ? status : run(n->right);
    case ARM:
        break;
    }
    return 1;
}

int run(struct node *n) {
    bool compound = n->kind >= GROUP;
    int mark = saved_count, status = 1;

    if (n->kind != SIMPLE && n->kind != PIPELINE)
        alone = false;
    expand_failed = false;
    if (!compound || redirect(n->redirs, true))
        status = run_kind(n);
    if (compound)
        restore_fds(mark);
    last_status = status;
    if (status && errexit && !tested && (n->kind == SIMPLE || n->kind == PIPELINE))
        exit(status);
    return status;
}

/* ---- whole inputs */

int run_input(struct input *in) {
    for (;;) {
        struct arena arena = {0};
        struct node *tree;
        enum parsed what;

        if (in->prompt) {
            jobs_report();
            interrupted = 0;
        }
        what = parse_command(in, &arena, &tree);
        if (what == PARSED) {
            run(tree);
        } else if (what == PARSE_ERROR) {
            last_status = 2;
        } else if (what == PARSE_INTERRUPTED) {
            fprintf(2, "\n");
            last_status = 130;
        }
        arena_free(&arena);
        if (in->prompt)
            breaking = continuing = 0;
        if (what == PARSE_END || (what == PARSE_ERROR && !in->prompt))
            break;
        if (leaving() && !in->prompt)
            break;
    }
    reader_done(&in->reader);
    free(in->line);
    return last_status;
}

int run_text(const char *text) {
    struct input in = {.fd = -1, .text = text};

    return run_input(&in);
}
