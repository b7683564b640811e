/* Builtins: what must happen in the shell itself, and what is too small to start a program for. */
#include "user/sh/sh.h"
#include "abi/fcntl.h"

static int problem(const char *name, const char *what, long err) {
    fprintf(2, "sh: %s: %s: %s\n", name, what, errstr(err));
    return 1;
}

static int cd(char **argv) {
    const char *dir = argv[1] ? argv[1] : var_get("HOME");
    char here[1024];
    long r = sys_chdir(dir ? dir : "/");

    if (r < 0)
        return problem("cd", dir, r);
    if (sys_getcwd(here, sizeof(here)) > 0)
        var_set("PWD", here);
    return 0;
}

static int pwd(char **argv) {
    char here[PATH_MAX];
    long r = sys_getcwd(here, sizeof(here));

    (void)argv;
    if (r < 0)
        return problem("pwd", ".", r);
    out("%s\n", here);
    return 0;
}

static int do_exit(char **argv) { exit(argv[1] ? atoi(argv[1]) : last_status); }

static int export(char **argv) {
    if (!argv[1])
        vars_print(true);
    for (char **p = argv + 1; *p; p++) {
        size_t n = assignment_name(*p);
        char *name = xstrdup(*p);
        if (n) {
            name[n] = 0;
            var_set(name, *p + n + 1);
        }
        if (is_name(name, strlen(name)))
            var_export(name);
        free(name);
    }
    return 0;
}

static int unset(char **argv) {
    for (char **p = argv + 1; *p; p++)
        var_unset(*p);
    return 0;
}

static void set_params(char **argv) {
    int n = 0;

    while (argv[n])
        n++;
    params = xmalloc((size_t)(n + 1) * sizeof(char *));
    for (int i = 0; i < n; i++)
        params[i] = xstrdup(argv[i]);
    params[n] = 0;
    param_count = n;
}

/* set: variables; -e -x +e +x: options; -- words: the arguments */
static int set(char **argv) {
    if (!argv[1])
        vars_print(false);
    for (char **p = argv + 1; *p; p++) {
        bool on = **p == '-';
        if ((**p != '-' && **p != '+') || strcmp(*p, "--") == 0) {
            set_params(strcmp(*p, "--") == 0 ? p + 1 : p);
            break;
        }
        for (const char *c = *p + 1; *c; c++) {
            if (*c == 'e')
                errexit = on;
            else if (*c == 'x')
                trace = on;
        }
    }
    return 0;
}

static int shift(char **argv) {
    int n = argv[1] ? atoi(argv[1]) : 1;

    if (n > param_count)
        return 1;
    params += n;
    param_count -= n;
    return 0;
}

/* What kill(2) calls a job: its group, or its first process; 0 if there is no such job. */
static int job_target(const char *spec) {
    int pgid = job_pgid(spec);

    return pgid <= 0 ? 0 : interactive ? -pgid : pgid;
}

static int do_kill(char **argv) { return kill_command(argv, job_target); }

static int succeed(char **argv) {
    (void)argv;
    return 0;
}

static int fail(char **argv) {
    (void)argv;
    return 1;
}

static int echo(char **argv) {
    bool newline = !(argv[1] && strcmp(argv[1], "-n") == 0);

    for (char **p = argv + (newline ? 1 : 2); *p; p++)
        out("%s%s", *p, p[1] ? " " : "");
    if (newline)
        out_char('\n');
    return 0;
}

/* One line into the names: words to the first ones, what is left to the last. */
static void split_into(char *line, char **names) {
    for (; *names; names++) {
        char *word;
        while (*line == ' ' || *line == '\t')
            line++;
        word = line;
        if (names[1]) {
            while (*line && *line != ' ' && *line != '\t')
                line++;
            if (*line)
                *line++ = 0;
        } else {
            char *end = line + strlen(line);
            while (end > word && (end[-1] == ' ' || end[-1] == '\t'))
                *--end = 0;
        }
        var_set(*names, word);
    }
}

static int do_read(char **argv) {
    static char *reply[] = {"REPLY", 0};
    char **names = argv + 1, *line = xmalloc(1), c;
    bool raw = *names && strcmp(*names, "-r") == 0;
    size_t n = 0;
    long r;

    names += raw;
    while ((r = sys_read(0, &c, 1)) == 1 && c != '\n') {
        if (c == '\\' && !raw) {
            r = sys_read(0, &c, 1);
            if (r == 1 && c == '\n')
                continue;
        }
        line = xrealloc(line, n + 2);
        line[n++] = c;
    }
    line[n] = 0;
    split_into(line, *names ? names : reply);
    free(line);
    return r == 1 ? 0 : 1;
}

static int do_umask(char **argv) {
    long mask;

    if (!argv[1]) {
        mask = sys_umask(0);
        sys_umask((uint32_t)mask);
        out("%04lo\n", mask);
        return 0;
    }
    if (!parse_num(argv[1], 8, &mask))
        return problem("umask", argv[1], EINVAL);
    sys_umask((uint32_t)mask);
    return 0;
}

static int leave_loops(char **argv) {
    int n = argv[1] ? atoi(argv[1]) : 1;

    if (strcmp(argv[0], "break") == 0)
        breaking = n;
    else
        continuing = n;
    return 0;
}

static int eval(char **argv) {
    size_t n = 1;
    char *text;
    int status;

    for (char **p = argv + 1; *p; p++)
        n += (size_t)strlen(*p) + 1;
    text = xmalloc(n);
    *text = 0;
    for (char **p = argv + 1; *p; p++)
        snprintf(text + strlen(text), n - strlen(text), "%s%s", *p, p[1] ? " " : "");
    last_status = 0;
    status = run_text(text);
    free(text);
    return status;
}

static int source(char **argv) {
    struct input in = {.text = ""};
    long fd = argv[1] ? sys_openat(AT_FDCWD, argv[1], O_RDONLY | O_CLOEXEC, 0) : -EINVAL;
    int status;

    if (fd < 0)
        return problem(".", argv[1] ? argv[1] : "file", fd);
    in.fd = in.reader.fd = (int)fd;
    status = run_input(&in);
    sys_close((int)fd);
    return status;
}

/* ---- test */

static bool file_test(char op, const char *path) {
    struct abi_stat st;
    long fd;

    if (op == 't')
        return parse_num(path, 10, &fd) && sys_ioctl((int)fd, 0x5401 /* TCGETS */, &st) == 0;
    if (op == 'r' || op == 'w' || op == 'x')
        return sys_faccessat(AT_FDCWD, path, op == 'r' ? R_OK : op == 'w' ? W_OK : X_OK) == 0;
    if (sys_newfstatat(AT_FDCWD, path, &st, op == 'L' || op == 'h' ? AT_SYMLINK_NOFOLLOW : 0) < 0)
        return false;
    switch (op) {
    case 'f':
        return S_ISREG(st.st_mode);
    case 'd':
        return S_ISDIR(st.st_mode);
    case 's':
        return st.st_size > 0;
    case 'h':
    case 'L':
        return S_ISLNK(st.st_mode);
    case 'p':
        return S_ISFIFO(st.st_mode);
    case 'c':
        return S_ISCHR(st.st_mode);
    case 'b':
        return S_ISBLK(st.st_mode);
    default:
        return true; /* -e */
    }
}

static int unary(const char *op, const char *arg) {
    if (op[0] != '-' || !op[1] || op[2] || !strchr("efdsrwxhLpcbtnz", op[1]))
        return 2;
    if (op[1] == 'n' || op[1] == 'z')
        return (*arg != 0) != (op[1] == 'n');
    return !file_test(op[1], arg);
}

static int binary(const char *a, const char *op, const char *b) {
    static const char *const ops[] = {"-eq", "-ne", "-lt", "-le", "-gt", "-ge"};
    long x, y;

    if (strcmp(op, "=") == 0 || strcmp(op, "==") == 0)
        return strcmp(a, b) != 0;
    if (strcmp(op, "!=") == 0)
        return strcmp(a, b) == 0;
    for (int i = 0; i < (int)ARRAY_LEN(ops); i++) {
        if (strcmp(op, ops[i]) != 0)
            continue;
        if (!parse_num(a, 10, &x) || !parse_num(b, 10, &y)) {
            fprintf(2, "sh: test: %s %s %s: not numbers\n", a, op, b);
            return 2;
        }
        bool results[] = {x == y, x != y, x<y, x <= y, x> y, x >= y};
        return !results[i];
    }
    return 2;
}

static int evaluate(char **argv, int n) {
    int r;

    if (n == 0)
        return 1;
    if (n == 1)
        return *argv[0] == 0;
    if (n == 3 && (r = binary(argv[0], argv[1], argv[2])) != 2)
        return r;
    if (strcmp(argv[0], "!") == 0) {
        r = evaluate(argv + 1, n - 1);
        return r == 2 ? 2 : !r;
    }
    for (int i = n - 2; i > 0; i--) {
        if (strcmp(argv[i], "-o") == 0)
            return evaluate(argv, i) && evaluate(argv + i + 1, n - i - 1);
    }
    for (int i = n - 2; i > 0; i--) {
        if (strcmp(argv[i], "-a") == 0)
            return evaluate(argv, i) || evaluate(argv + i + 1, n - i - 1);
    }
    return n == 2 ? unary(argv[0], argv[1]) : 2;
}

int builtin_test(char **argv) {
    int n = 0, r;
    bool bracket = strcmp(argv[0], "[") == 0;

    while (argv[n + 1])
        n++;
    if (bracket && (n == 0 || strcmp(argv[n--], "]") != 0)) {
        fprintf(2, "sh: [: missing ]\n");
        return 2;
    }
    r = evaluate(argv + 1, n);
    if (r == 2)
        fprintf(2, "sh: test: bad expression\n");
    return r;
}

static const struct {
    const char *name;
    builtin_fn f;
} builtins[] = {
    {".", source},
    {":", succeed},
    {"[", builtin_test},
    {"bg", builtin_bg},
    {"break", leave_loops},
    {"cd", cd},
    {"continue", leave_loops},
    {"echo", echo},
    {"eval", eval},
    {"exit", do_exit},
    {"export", export},
    {"false", fail},
    {"fg", builtin_fg},
    {"jobs", builtin_jobs},
    {"kill", do_kill},
    {"pwd", pwd},
    {"read", do_read},
    {"set", set},
    {"shift", shift},
    {"test", builtin_test},
    {"true", succeed},
    {"umask", do_umask},
    {"unset", unset},
    {"wait", builtin_wait},
};

builtin_fn builtin_find(const char *name) {
    for (size_t i = 0; i < ARRAY_LEN(builtins); i++) {
        if (strcmp(builtins[i].name, name) == 0)
            return builtins[i].f;
    }
    return 0;
}
