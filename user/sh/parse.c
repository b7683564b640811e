/* Reading and parsing.
 *
 * Text comes in lines, from a string, a script or the terminal; a command that is not finished
 * asks for more. The lexer cuts out words as they are written (quotes, $(...) and all; expand.c
 * looks into them when they are used) and operators. The parser is one function for each rule of
 * the grammar, lowest binding first: list, and-or, pipeline, command.
 *
 * On a syntax error the parser says so once, returns null all the way up, and what is left of the
 * line is dropped. */
#include "user/sh/sh.h"
#include "abi/fcntl.h"

/* ---- arena */

struct chunk {
    struct chunk *next;
};

static struct arena *arena;

static void *take(size_t n) {
    struct chunk *c = xmalloc(sizeof(*c) + n);

    c->next = arena->chunks;
    arena->chunks = c;
    memset(c + 1, 0, (uint)n);
    return c + 1;
}

void arena_free(struct arena *a) {
    while (a->chunks) {
        struct chunk *c = a->chunks;
        a->chunks = c->next;
        free(c);
    }
}

/* ---- input */

enum token {
    T_END,
    T_NEWLINE,
    T_WORD,
    T_SEMI,
    T_DSEMI,
    T_AMP,
    T_AND,
    T_PIPE,
    T_OR,
    T_OPEN,
    T_CLOSE,
    T_REDIR,
};

static struct input *input;
static bool failed, hit_end, stopped;
static bool continued; /* inside a command: the prompt is "> " */
static enum token token;
static char *word; /* of T_WORD, of T_REDIR its operator */
static int redir_fd;
static struct redir *pending; /* here documents whose text follows the line */

/* A line from descriptor 0 is read byte by byte: what follows it belongs to the commands. */
static bool read_stdin_line(void) {
    size_t n = 0;
    char c;
    long r;

    while ((r = sys_read(0, &c, 1)) == 1) {
        if (n + 2 > input->line_size) {
            input->line_size = input->line_size ? input->line_size * 2 : 128;
            input->line = xrealloc(input->line, input->line_size);
        }
        input->line[n++] = c;
        if (c == '\n')
            break;
    }
    if (r == -EINTR)
        stopped = true;
    if (n == 0)
        return false;
    input->line[n] = 0;
    input->text = input->line;
    return true;
}

static bool read_script_line(void) {
    size_t len;
    char *line = line_next(&input->reader, &len);

    if (!line)
        return false;
    input->line = xrealloc(input->line, len + 2);
    memcpy(input->line, line, (uint)len);
    strcpy(input->line + len, input->reader.newline ? "\n" : "");
    input->text = input->line;
    return true;
}

static bool more_input(void) {
    if (input->fd < 0 || input->ended || stopped)
        return false;
    if (input->prompt)
        fprintf(2, "%s", continued ? "> " : "$ ");
    continued = true;
    if (input->fd == 0 ? read_stdin_line() : read_script_line())
        return true;
    input->ended = !stopped;
    return false;
}

static int peek(void) {
    if (!*input->text && !more_input()) {
        hit_end = true;
        return 0;
    }
    return (uchar)*input->text;
}

static int next(void) {
    int c = peek();

    if (c)
        input->text++;
    return c;
}

static void *syntax_error(const char *what) {
    if (!failed && !stopped)
        fprintf(2, "sh: syntax error: %s\n", what);
    failed = true;
    token = T_END;
    return 0;
}

/* ---- words */

struct text {
    char *s;
    size_t len, size;
};

static void add(struct text *t, int c) {
    if (t->len + 2 > t->size) {
        t->size = t->size ? t->size * 2 : 32;
        t->s = xrealloc(t->s, t->size);
    }
    t->s[t->len++] = (char)c;
    t->s[t->len] = 0;
}

static void read_until(struct text *t, int end);

/* After a dollar sign: the rest of ${...}, $(...) or $((...)), which may hold quotes and more of
 * them. */
static void read_dollar(struct text *t) {
    int c = peek();

    if (c == '{' || c == '(') {
        add(t, next());
        read_until(t, c == '{' ? '}' : ')');
    }
}

/* Copies up to and with the end character, quotes and nested expansions as wholes. */
static void read_until(struct text *t, int end) {
    int c;

    while ((c = next()) != 0) {
        add(t, c);
        if (c == end)
            return;
        if (c == '\\' && end != '\'') {
            if (peek())
                add(t, next());
        } else if (c == '$' && end != '\'') {
            read_dollar(t);
        } else if (end == ')' || end == '}') {
            if (c == '(' && end == ')')
                read_until(t, ')');
            else if (c == '\'' || c == '"' || c == '`')
                read_until(t, c);
        } else if (c == '`' && end == '"') {
            read_until(t, '`');
        }
    }
    syntax_error("end of input in a quoted part");
}

const char *expansion_end(const char *s) {
    struct input in = {.fd = -1, .text = s + 1}, *outer = input;
    struct text t = {0, 0, 0};
    bool was_failed = failed, bad;

    input = &in;
    failed = false;
    if (*s == '`')
        read_until(&t, '`');
    else
        read_dollar(&t);
    bad = failed;
    input = outer;
    failed = was_failed;
    free(t.s);
    return bad ? 0 : in.text;
}

static bool ends_word(int c) { return !c || strchr(" \t\n;&|<>()", (char)c); }

static void read_word(void) {
    struct text t = {0, 0, 0};
    int c;

    add(&t, 0);
    t.len = 0;
    while (!ends_word(c = peek())) {
        next();
        if (c == '\\' && peek() == '\n') {
            next();
            continue;
        }
        add(&t, c);
        if (c == '\\' && peek())
            add(&t, next());
        else if (c == '\'' || c == '"' || c == '`')
            read_until(&t, c);
        else if (c == '$')
            read_dollar(&t);
    }
    word = strcpy(take(t.len + 1), t.s);
    free(t.s);
    token = T_WORD;
}

/* ---- here documents */

static char *unquoted(const char *s) {
    char *copy = take((size_t)strlen(s) + 1), *to = copy;

    for (; *s; s++) {
        if (*s != '\'' && *s != '"' && *s != '\\')
            *to++ = *s;
    }
    *to = 0;
    return copy;
}

static void read_here_text(struct redir *r) {
    char *end = unquoted(r->word);
    struct text t = {0, 0, 0};
    size_t line = 0;

    if (strcmp(end, r->word) != 0)
        r->kind = HERE_QUOTED;
    add(&t, 0);
    t.len = 0;
    for (;;) {
        int c = next();
        if (c == '\t' && r->strip_tabs && t.len == line)
            continue;
        if (c && c != '\n') {
            add(&t, c);
            continue;
        }
        t.s[t.len] = 0;
        if (!c || strcmp(t.s + line, end) == 0)
            break;
        add(&t, '\n');
        line = t.len;
    }
    t.s[line] = 0;
    r->word = strcpy(take(line + 1), t.s);
    free(t.s);
}

static void read_here_texts(void) {
    while (pending) {
        struct redir *r = pending;
        pending = r->next_here;
        read_here_text(r);
    }
}

/* ---- tokens */

static void skip_blanks(void) {
    int c;

    while ((c = peek()) == ' ' || c == '\t' || c == '#' || (c == '\\' && input->text[1] == '\n')) {
        next();
        if (c == '\\')
            next();
        while (c == '#' && peek() && peek() != '\n')
            next();
    }
}

static void read_redir(int first) {
    struct text t = {0, 0, 0};

    add(&t, first);
    if (peek() && strchr(first == '<' ? "<&>" : ">&|", (char)peek()))
        add(&t, next());
    if (strcmp(t.s, "<<") == 0 && peek() == '-')
        add(&t, next());
    word = strcpy(take(t.len + 1), t.s);
    free(t.s);
    token = T_REDIR;
}

static enum token either(int c, enum token two, enum token one) {
    if (peek() != c)
        return one;
    next();
    return two;
}

static void read_operator(int c) {
    next();
    switch (c) {
    case '\n':
        token = T_NEWLINE;
        read_here_texts();
        break;
    case ';':
        token = either(';', T_DSEMI, T_SEMI);
        break;
    case '&':
        token = either('&', T_AND, T_AMP);
        break;
    case '|':
        token = either('|', T_OR, T_PIPE);
        break;
    case '(':
        token = T_OPEN;
        break;
    case ')':
        token = T_CLOSE;
        break;
    default:
        read_redir(c);
    }
}

static void advance(void) {
    int c;

    if (failed)
        return;
    skip_blanks();
    redir_fd = -1;
    c = peek();
    if (!c) {
        token = T_END;
    } else if (ends_word(c)) {
        read_operator(c);
    } else if (c >= '0' && c <= '9' && (input->text[1] == '<' || input->text[1] == '>')) {
        redir_fd = next() - '0';
        read_redir(next());
    } else {
        read_word();
    }
}

static bool at_word(const char *s) { return token == T_WORD && strcmp(word, s) == 0; }

static bool expect_word(const char *s) {
    if (!at_word(s)) {
        syntax_error(hit_end ? "end of input" : s);
        return false;
    }
    advance();
    return true;
}

static void skip_newlines(void) {
    while (token == T_NEWLINE)
        advance();
}

/* ---- grammar */

static struct node *parse_list(void);
static struct node *parse_and_or(void);

static struct node *node(enum kind kind, struct node *left, struct node *right) {
    struct node *n = take(sizeof(*n));

    n->kind = kind;
    n->left = left;
    n->right = right;
    return n;
}

static void add_word(struct words *w, char *s) {
    if ((w->count & (w->count - 1)) == 0) {
        char **bigger = take((size_t)(w->count ? w->count * 2 : 1) * sizeof(char *));
        if (w->count)
            memcpy(bigger, w->list, (uint)w->count * sizeof(char *));
        w->list = bigger;
    }
    w->list[w->count++] = s;
}

static bool parse_redir(struct redir ***tail) {
    struct redir *r = take(sizeof(*r));
    char first = word[0], second = word[1];

    r->fd = redir_fd >= 0 ? redir_fd : first == '>';
    r->kind = second == '&' ? DUP : first == '>' ? OUT : IN;
    if (first == '>' && second == '>')
        r->kind = APPEND;
    if (first == '<' && second == '>')
        r->kind = INOUT;
    if (first == '<' && second == '<') {
        r->kind = HERE;
        r->strip_tabs = word[2] == '-';
    }
    advance();
    if (token != T_WORD) {
        syntax_error("a redirection wants a name");
        return false;
    }
    r->word = word;
    **tail = r;
    *tail = &r->next;
    if (r->kind == HERE) {
        struct redir **p = &pending;
        while (*p)
            p = &(*p)->next_here;
        *p = r;
    }
    advance();
    return true;
}

static struct node *parse_simple(void) {
    struct node *n = node(SIMPLE, 0, 0);
    struct redir **tail = &n->redirs;

    while (token == T_WORD || token == T_REDIR) {
        if (token == T_REDIR) {
            if (!parse_redir(&tail))
                return 0;
        } else {
            add_word(&n->words, word);
            advance();
        }
    }
    return failed ? 0 : n;
}

static struct node *parse_if(void) {
    struct node *n = node(IF, 0, 0);

    advance(); /* if or elif */
    n->left = parse_list();
    if (!n->left || !expect_word("then"))
        return 0;
    n->right = parse_list();
    if (!n->right)
        return 0;
    if (at_word("elif")) {
        n->other = parse_if();
        return n->other ? n : 0;
    }
    if (at_word("else")) {
        advance();
        n->other = parse_list();
        if (!n->other)
            return 0;
    }
    return expect_word("fi") ? n : 0;
}

static struct node *parse_do(void) {
    struct node *body;

    skip_newlines();
    if (!expect_word("do"))
        return 0;
    body = parse_list();
    return body && expect_word("done") ? body : 0;
}

static struct node *parse_while(enum kind kind) {
    struct node *n = node(kind, 0, 0);

    advance();
    n->left = parse_list();
    n->right = n->left ? parse_do() : 0;
    return n->right ? n : 0;
}

static struct node *parse_for(void) {
    struct node *n = node(FOR, 0, 0);

    advance();
    if (token != T_WORD || !is_name(word, strlen(word)))
        return syntax_error("for wants a variable");
    n->name = word;
    advance();
    skip_newlines();
    if (at_word("in")) {
        n->in_words = true;
        advance();
        while (token == T_WORD) {
            add_word(&n->words, word);
            advance();
        }
    }
    if (token == T_SEMI)
        advance();
    n->left = parse_do();
    return n->left ? n : 0;
}

static struct node *parse_arm(void) {
    struct node *n = node(ARM, 0, 0);

    if (token == T_OPEN)
        advance();
    for (;;) {
        if (token != T_WORD)
            return syntax_error("case wants a pattern");
        add_word(&n->words, word);
        advance();
        if (token != T_PIPE)
            break;
        advance();
    }
    if (token != T_CLOSE)
        return syntax_error("a pattern ends with )");
    advance();
    skip_newlines();
    if (token != T_DSEMI && !at_word("esac") && !(n->left = parse_list()))
        return 0;
    if (token == T_DSEMI)
        advance();
    skip_newlines();
    return failed ? 0 : n;
}

static struct node *parse_case(void) {
    struct node *n = node(CASE, 0, 0), **tail = &n->left;

    advance();
    if (token != T_WORD)
        return syntax_error("case wants a word");
    add_word(&n->words, word);
    advance();
    skip_newlines();
    if (!expect_word("in"))
        return 0;
    skip_newlines();
    while (!at_word("esac")) {
        struct node *arm = parse_arm();
        if (!arm)
            return 0;
        *tail = arm;
        tail = &arm->right;
    }
    advance();
    return n;
}

static struct node *parse_group(enum kind kind) {
    struct node *n = node(kind, 0, 0);

    advance();
    n->left = parse_list();
    if (!n->left)
        return 0;
    if (kind == GROUP)
        return expect_word("}") ? n : 0;
    if (token != T_CLOSE)
        return syntax_error(hit_end ? "end of input" : "missing )");
    advance();
    return n;
}

static bool is_reserved_end(void) {
    static const char *const ends[] = {"then", "else", "elif", "fi", "do", "done", "esac", "}"};

    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        if (at_word(ends[i]))
            return true;
    }
    return false;
}

static struct node *parse_compound(void) {
    if (token == T_OPEN)
        return parse_group(SUBSHELL);
    if (at_word("{"))
        return parse_group(GROUP);
    if (at_word("if"))
        return parse_if();
    if (at_word("while"))
        return parse_while(WHILE);
    if (at_word("until"))
        return parse_while(UNTIL);
    if (at_word("for"))
        return parse_for();
    return at_word("case") ? parse_case() : 0;
}

static struct node *parse_one(void) {
    bool compound = token == T_OPEN || at_word("{") || at_word("if") || at_word("while") ||
                    at_word("until") || at_word("for") || at_word("case");
    struct node *n;
    struct redir **tail;

    if (failed || (token != T_WORD && token != T_REDIR && token != T_OPEN) || is_reserved_end())
        return syntax_error(hit_end ? "end of input" : token == T_WORD ? word : "unexpected sign");
    if (!compound)
        return parse_simple();
    n = parse_compound();
    if (!n)
        return 0;
    for (tail = &n->redirs; token == T_REDIR;) {
        if (!parse_redir(&tail))
            return 0;
    }
    return n;
}

static struct node *parse_pipeline(void) {
    bool negated = at_word("!");
    struct node *n, *right;

    if (negated)
        advance();
    n = parse_one();
    while (n && token == T_PIPE) {
        advance();
        skip_newlines();
        right = parse_one();
        n = right ? node(PIPELINE, n, right) : 0;
    }
    return n && negated ? node(NOT, n, 0) : n;
}

static struct node *parse_and_or(void) {
    struct node *n = parse_pipeline(), *right;

    while (n && (token == T_AND || token == T_OR)) {
        enum kind kind = token == T_AND ? AND : OR;
        advance();
        skip_newlines();
        right = parse_pipeline();
        n = right ? node(kind, n, right) : 0;
    }
    return n;
}

/* Commands up to a word or sign that ends them; newlines are separators. */
static struct node *parse_list(void) {
    struct node *all = 0, *n;

    skip_newlines();
    for (;;) {
        n = parse_and_or();
        if (!n)
            return 0;
        if (token == T_AMP)
            n = node(BACKGROUND, n, 0);
        all = all ? node(SEQUENCE, all, n) : n;
        if (token != T_AMP && token != T_SEMI && token != T_NEWLINE)
            return all;
        advance();
        skip_newlines();
        if (token == T_END || token == T_CLOSE || token == T_DSEMI || is_reserved_end())
            return all;
    }
}

/* One line's worth: like parse_list, but a newline ends it. */
static struct node *parse_line(void) {
    struct node *all = 0, *n;

    for (;;) {
        n = parse_and_or();
        if (!n)
            return 0;
        if (token == T_AMP)
            n = node(BACKGROUND, n, 0);
        all = all ? node(SEQUENCE, all, n) : n;
        if (token != T_AMP && token != T_SEMI)
            break;
        advance();
        if (token == T_NEWLINE || token == T_END)
            break;
    }
    if (token != T_NEWLINE && token != T_END)
        return syntax_error(token == T_WORD ? word : "unexpected sign");
    return all;
}

enum parsed parse_command(struct input *in, struct arena *a, struct node **tree) {
    input = in;
    arena = a;
    failed = hit_end = stopped = continued = false;
    pending = 0;
    advance();
    if (stopped)
        return PARSE_INTERRUPTED;
    if (token == T_END && hit_end)
        return PARSE_END;
    if (token == T_NEWLINE)
        return PARSED_NOTHING;
    *tree = parse_line();
    if (stopped) {
        in->text = "";
        return PARSE_INTERRUPTED;
    }
    if (!*tree) {
        in->text = "";
        return PARSE_ERROR;
    }
    read_here_texts();
    return PARSED;
}
