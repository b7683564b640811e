/* Expansion: from a word as it is written to the words that a command gets.
 *
 * One pass over the word builds fields. In a field that is being built every character that came
 * quoted has a backslash in front, so that the field is at the same time a pattern: if it has a
 * star, a question mark or a bracket that is not behind a backslash, it is matched against file
 * names, and if nothing matches, or it has none, the backslashes go. Unquoted expansions are split
 * at blanks; quoted ones are not, but "$@" makes a field of each argument.
 *
 * A failure prints a message and sets expand_failed. */
#include "user/sh/sh.h"
#include "abi/fcntl.h"

struct text {
    char *s;
    size_t len, size;
};

struct fields {
    char **list;
    int count;
    struct text now; /* the field that is being built */
    bool open;       /* it exists, though it may be empty: "" is a field */
    bool split;      /* unquoted expansions end fields, and names are matched */
    bool keep;       /* the caller wants the backslashes */
};

bool expand_failed;

static void add(struct text *t, char c) {
    if (t->len + 2 > t->size) {
        t->size = t->size ? t->size * 2 : 32;
        t->s = xrealloc(t->s, t->size);
    }
    t->s[t->len++] = c;
    t->s[t->len] = 0;
}

static void add_quoted(struct fields *f, char c) {
    add(&f->now, '\\');
    add(&f->now, c);
    f->open = true;
}

static void push(struct fields *f, char *s) {
    if ((f->count & (f->count + 1)) == 0)
        f->list = xrealloc(f->list, (size_t)(f->count + 1) * 2 * sizeof(char *));
    f->list[f->count++] = s;
    f->list[f->count] = 0;
}

static void *fail(const char *what) {
    fprintf(2, "sh: %s\n", what);
    expand_failed = true;
    return 0;
}

static char *strip_backslashes(char *s) {
    char *to = s;

    for (const char *p = s; *p; p++) {
        if (*p == '\\' && p[1])
            p++;
        *to++ = *p;
    }
    *to = 0;
    return s;
}

/* ---- names of files */

static bool is_pattern(const char *s) {
    for (; *s; s++) {
        if (*s == '\\' && s[1])
            s++;
        else if (*s == '*' || *s == '?' || *s == '[')
            return true;
    }
    return false;
}

static int by_text(const void *a, const void *b) { return strcmp(a, b); }

static bool exists(const char *path) {
    struct abi_stat st;

    return sys_newfstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Matches what is left of a pattern below a directory; "done" is the path so far, with its last
 * slash. */
static void glob(struct fields *f, const char *done, const char *pattern) {
    size_t n = 0, size = (size_t)strlen(done) + 300;
    struct dir *d;
    struct abi_dirent *e;
    char *part, *path;

    while (pattern[n] && pattern[n] != '/')
        n += pattern[n] == '\\' && pattern[n + 1] ? 2 : 1;
    part = xstrdup(pattern);
    part[n] = 0;
    while (pattern[n] == '/')
        n++;
    path = xmalloc(size + (size_t)strlen(pattern));
    d = xmalloc(sizeof(*d));
    if (!is_pattern(part)) {
        strip_backslashes(part);
        snprintf(path, size, "%s%s%s", done, part, pattern[n] || !*part ? "/" : "");
        if (pattern[n])
            glob(f, path, pattern + n);
        else if (exists(path))
            push(f, xstrdup(path));
    } else if (dir_open(d, *done ? done : ".") == 0) {
        while ((e = dir_next(d))) {
            if (!glob_match(part, e->d_name) || (part[0] != '.' && is_dot(e->d_name)))
                continue;
            snprintf(path, size, "%s%s%s", done, e->d_name, pattern[n] ? "/" : "");
            if (pattern[n] && is_dir(path))
                glob(f, path, pattern + n);
            else if (!pattern[n])
                push(f, xstrdup(path));
        }
        dir_close(d);
    }
    free(d);
    free(path);
    free(part);
}

/* The field is complete: it becomes a word, or the names that it matches. */
static void end_field(struct fields *f) {
    int before = f->count;

    if (!f->open && !f->now.len)
        return;
    if (!f->now.s)
        add(&f->now, 0), f->now.len = 0;
    if (f->split && !f->keep && is_pattern(f->now.s)) {
        glob(f, *f->now.s == '/' ? "/" : "", f->now.s + (*f->now.s == '/'));
        sort_pointers((void **)(f->list + before), (size_t)(f->count - before), by_text);
    }
    if (f->count == before)
        push(f, f->keep ? xstrdup(f->now.s) : strip_backslashes(xstrdup(f->now.s)));
    f->now.len = 0;
    f->now.s[0] = 0;
    f->open = false;
}

/* What an expansion gave: quoted it is text, unquoted it is split and may be a pattern. */
static void add_value(struct fields *f, const char *s, bool quoted) {
    for (; s && *s; s++) {
        if (quoted || *s == '\\')
            add_quoted(f, *s);
        else if (f->split && (*s == ' ' || *s == '\t' || *s == '\n'))
            end_field(f);
        else
            add(&f->now, *s);
    }
}

/* ---- command substitution */

static char *command_output(const char *text) {
    struct text t = {0, 0, 0};
    int fds[2], status;
    char buf[512];
    long n, pid;

    if (sys_pipe2(fds, O_CLOEXEC) < 0)
        return fail("no pipe");
    pid = fork();
    if (pid == 0) {
        jobs_in_child = true;
        child_signals();
        sys_dup3(fds[1], 1, 0);
        exit(run_text(text));
    }
    sys_close(fds[1]);
    add(&t, 0);
    t.len = 0;
    while (pid > 0 && ((n = sys_read(fds[0], buf, sizeof(buf))) > 0 || n == -EINTR)) {
        for (long i = 0; i < n; i++)
            add(&t, buf[i]);
    }
    sys_close(fds[0]);
    while (pid > 0 && sys_wait4((int)pid, &status, 0, 0) == -EINTR)
        ;
    last_status = substitution_status =
        pid > 0 ? (status & 0x7f ? 128 + (status & 0x7f) : status >> 8) : 1;
    while (t.len && t.s[t.len - 1] == '\n')
        t.len--;
    t.s[t.len] = 0;
    return t.s;
}

static char *copy_range(const char *from, const char *to) {
    char *s = xmalloc((size_t)(to - from) + 1);

    memcpy(s, from, (uint)(to - from));
    s[to - from] = 0;
    return s;
}

/* Inside backquotes a backslash stands for itself, but before \ ` $ it goes. */
static char *unescape_backquotes(char *s) {
    char *to = s;

    for (const char *p = s; *p; p++) {
        if (*p == '\\' && p[1] && strchr("\\`$", p[1]))
            p++;
        *to++ = *p;
    }
    *to = 0;
    return s;
}

/* ---- parameters */

static void expand_into(struct fields *f, const char *s, bool in_quotes);

static const char *number_text(long n) {
    static char buf[24];

    snprintf(buf, sizeof(buf), "%ld", n);
    return buf;
}

/* The value of a variable, an argument or a special parameter; null if it is not set. */
static const char *param_get(const char *name) {
    if (*name >= '0' && *name <= '9') {
        int n = atoi(name);
        return n == 0 ? shell_name : n <= param_count ? params[n - 1] : 0;
    }
    switch (*name) {
    case '?':
        return number_text(last_status);
    case '$':
        return number_text(shell_pid);
    case '!':
        return last_background ? number_text(last_background) : 0;
    case '#':
        return number_text(param_count);
    case '-':
        return errexit ? "e" : "";
    default:
        return var_get(name);
    }
}

static void add_params(struct fields *f, bool each, bool quoted) {
    for (int i = 0; i < param_count; i++) {
        if (i > 0 && (each || !quoted))
            end_field(f);
        else if (i > 0)
            add_quoted(f, ' ');
        add_value(f, params[i], quoted);
        f->open |= quoted;
    }
}

/* ${name%pattern}: the value without the shortest end (or start, #) that matches; the longest with
 * %% and ##. */
static void add_trimmed(struct fields *f, const char *value, const char *op, bool quoted) {
    bool longest = op[1] == op[0], front = *op == '#';
    char *pattern = expand_pattern(op + 1 + longest), *copy = xstrdup(value ? value : "");
    int len = (int)strlen(copy), best = -1;

    for (int i = 0; i <= len; i++) {
        int at = front != longest ? i : len - i; /* front: how much goes; else: how much stays */
        char kept = copy[at];
        if (front)
            copy[at] = 0;
        if (glob_match(pattern, front ? copy : copy + at) && best < 0)
            best = at;
        copy[at] = kept;
    }
    if (!front && best >= 0)
        copy[best] = 0;
    add_value(f, front && best >= 0 ? copy + best : copy, quoted);
    free(copy);
    free(pattern);
}

static void add_operator(struct fields *f, char *name, const char *op, bool quoted) {
    const char *value = param_get(name);
    bool colon = *op == ':', set = value && !(colon && !*value);
    char *word;

    op += colon;
    if (*op == '%' || *op == '#') {
        add_trimmed(f, value, op, quoted);
    } else if (*op == '+') {
        if (set)
            expand_into(f, op + 1, quoted);
    } else if (set) {
        add_value(f, value, quoted);
    } else if (*op == '-') {
        expand_into(f, op + 1, quoted);
    } else if (*op == '=') {
        word = expand_one(op + 1);
        var_set(name, word);
        add_value(f, word, quoted);
        free(word);
    } else {
        fail(*op == '?' ? op + 1 : "bad ${...}");
    }
}

/* ${...}, the braces taken off. */
static void add_braced(struct fields *f, char *s, bool quoted) {
    char *name, *op = s;

    if (*s == '#' && s[1]) {
        const char *value = param_get(s + 1);
        add_value(f, number_text(value ? (long)strlen(value) : 0), quoted);
        return;
    }
    if (strcmp(s, "@") == 0 || strcmp(s, "*") == 0) {
        add_params(f, *s == '@', quoted);
        return;
    }
    while (*op == '_' || (*op >= '0' && *op <= '9') || is_name(op, 1))
        op++;
    if (op == s && *op)
        op++;
    name = copy_range(s, op);
    if (*op)
        add_operator(f, name, op, quoted);
    else
        add_value(f, param_get(name), quoted);
    free(name);
}

/* $(...), $((...)), ${...} or `...` from s to end. */
static void add_bracketed(struct fields *f, const char *s, const char *end, bool quoted) {
    char *inner = *s == '`' ? copy_range(s + 1, end - 1) : copy_range(s + 2, end - 1), *value;
    size_t n = strlen(inner);
    long number;

    if (*s == '$' && s[1] == '{') {
        add_braced(f, inner, quoted);
    } else if (*s == '$' && n > 1 && inner[0] == '(' && inner[n - 1] == ')') {
        inner[n - 1] = 0;
        if (arithmetic(inner + 1, &number))
            add_value(f, number_text(number), quoted);
    } else {
        value = command_output(*s == '`' ? unescape_backquotes(inner) : inner);
        add_value(f, value, quoted);
        free(value);
    }
    free(inner);
}

/* An expansion at s; the character after it. A dollar sign that begins none is itself. */
static const char *add_expansion(struct fields *f, const char *s, bool quoted) {
    const char *end = s + 1;
    char *name;

    if (*s == '`' || s[1] == '{' || s[1] == '(') {
        end = expansion_end(s);
        if (!end) {
            fail("unfinished expansion");
            return s + strlen(s);
        }
        add_bracketed(f, s, end, quoted);
        return end;
    }
    if (*end == '@' || *end == '*') {
        add_params(f, *end == '@', quoted);
        return end + 1;
    }
    if (is_name(end, 1)) {
        while (is_name(s + 1, (size_t)(end - s)))
            end++;
    } else if (*end && strchr("0123456789?$!#-", *end)) {
        end++;
    } else {
        add_quoted(f, '$');
        return end;
    }
    name = copy_range(s + 1, end);
    add_value(f, param_get(name), quoted);
    free(name);
    return end;
}

/* ---- words */

static const char *add_double_quoted(struct fields *f, const char *s, bool to_end) {
    while (*s && (to_end || *s != '"') && !expand_failed) {
        if (*s == '$' || *s == '`') {
            s = add_expansion(f, s, true);
        } else if (*s == '\\' && s[1] == '\n') {
            s += 2;
        } else if (*s == '\\' && s[1] && strchr(to_end ? "$`\\" : "$`\"\\", s[1])) {
            add_quoted(f, s[1]);
            s += 2;
        } else {
            add_quoted(f, *s++);
        }
    }
    return *s && !to_end ? s + 1 : s;
}

/* "$@" without arguments makes no field, "" does. */
static bool is_lone_params(const char *s) {
    return strncmp(s, "\"$@\"", 4) == 0 || strncmp(s, "\"${@}\"", 6) == 0;
}

static void expand_into(struct fields *f, const char *s, bool in_quotes) {
    if (in_quotes) {
        add_double_quoted(f, s, true);
        return;
    }
    while (*s && !expand_failed) {
        if (*s == '\'') {
            for (s++, f->open = true; *s && *s != '\''; s++)
                add_quoted(f, *s);
            s += *s == '\'';
        } else if (*s == '"') {
            f->open |= !is_lone_params(s);
            s = add_double_quoted(f, s + 1, false);
        } else if (*s == '\\' && s[1]) {
            add_quoted(f, s[1]);
            s += 2;
        } else if (*s == '$' || *s == '`') {
            s = add_expansion(f, s, false);
        } else {
            add(&f->now, *s++);
        }
    }
}

char **expand_words(const struct words *w, int first, int *count) {
    struct fields f = {.split = true};

    push(&f, 0);
    f.count = 0;
    for (int i = first; i < w->count && !expand_failed; i++) {
        expand_into(&f, w->list[i], false);
        end_field(&f);
    }
    free(f.now.s);
    if (count)
        *count = f.count;
    return f.list;
}

void free_words(char **list) {
    for (char **p = list; p && *p; p++)
        free(*p);
    free(list);
}

static char *one(const char *s, bool keep, bool in_quotes) {
    struct fields f = {.keep = keep};
    char *result;

    expand_into(&f, s, in_quotes);
    f.open = true;
    end_field(&f);
    result = f.list[0];
    free(f.list);
    free(f.now.s);
    return result;
}

char *expand_one(const char *word) { return one(word, false, false); }

char *expand_pattern(const char *word) { return one(word, true, false); }

char *expand_here(const char *text) { return one(text, false, true); }

/* ---- $((...)): precedence climbing over C's integer operators */

static const struct {
    const char *sign;
    int level;
} operators[] = {
    {"||", 1}, {"&&", 2}, {"==", 6}, {"!=", 6}, {"<=", 7}, {">=", 7},
    {"<<", 8}, {">>", 8}, {"|", 3},  {"^", 4},  {"&", 5},  {"<", 7},
    {">", 7},  {"+", 9},  {"-", 9},  {"*", 10}, {"/", 10}, {"%", 10},
};

static const char *at;
static bool bad_sum;

static void skip_spaces(void) {
    while (*at == ' ' || *at == '\t' || *at == '\n')
        at++;
}

static long sum(int level);

static long operand(void) {
    long n = 0;

    skip_spaces();
    if (*at == '(') {
        at++;
        n = sum(1);
        skip_spaces();
        bad_sum |= *at != ')';
        at += *at == ')';
        return n;
    }
    if (*at == '-' || *at == '+' || *at == '!' || *at == '~') {
        char sign = *at++;
        n = operand();
        return sign == '-' ? (long)-(uint64_t)n : sign == '!' ? !n : sign == '~' ? ~n : n;
    }
    if (*at >= '0' && *at <= '9') {
        while (*at >= '0' && *at <= '9')
            n = (long)((uint64_t)n * 10 + (uint64_t)(*at++ - '0'));
        return n;
    }
    size_t len = 0;
    while (is_name(at, len + 1) && at[len])
        len++;
    bad_sum |= len == 0;
    char *name = copy_range(at, at + len);
    const char *value = len ? var_get(name) : 0;
    bad_sum |= value && *value && !parse_num(value, 10, &n);
    free(name);
    at += len;
    return n;
}

static long apply(const char *sign, long a, long b) {
    uint64_t x = (uint64_t)a, y = (uint64_t)b;

    switch (sign[0]) {
    case '+':
        return (long)(x + y);
    case '-':
        return (long)(x - y);
    case '*':
        return (long)(x * y);
    case '^':
        return (long)(x ^ y);
    case '=':
        return a == b;
    case '!':
        return a != b;
    case '|':
        return sign[1] ? a || b : (long)(x | y);
    case '&':
        return sign[1] ? a && b : (long)(x & y);
    case '<':
        return sign[1] == '<' ? (long)(x << (y & 63)) : sign[1] ? a <= b : a < b;
    case '>':
        return sign[1] == '>' ? a >> (y & 63) : sign[1] ? a >= b : a > b;
    }
    if (b == 0 || (b == -1 && a == (long)(1UL << 63))) {
        bad_sum |= b == 0;
        return 0;
    }
    return sign[0] == '/' ? a / b : a % b;
}

static long sum(int level) {
    long n = operand();

    for (;;) {
        size_t i;
        skip_spaces();
        for (i = 0; i < ARRAY_LEN(operators); i++) {
            if (strncmp(at, operators[i].sign, strlen(operators[i].sign)) == 0)
                break;
        }
        if (bad_sum || i == ARRAY_LEN(operators) || operators[i].level < level)
            return n;
        at += strlen(operators[i].sign);
        n = apply(operators[i].sign, n, sum(operators[i].level + 1));
    }
}

bool arithmetic(const char *text, long *value) {
    char *expanded = expand_here(text);

    at = expanded;
    bad_sum = false;
    skip_spaces();
    *value = *at ? sum(1) : 0;
    skip_spaces();
    bad_sum |= *at != 0;
    free(expanded);
    if (bad_sum)
        fail("bad arithmetic");
    return !bad_sum;
}
