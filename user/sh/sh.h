/* The shell's own header: the tree that parse.c makes and run.c walks, variables, jobs. */
#ifndef USER_SH_H
#define USER_SH_H

#include "user/lib/tool.h"

/* ---- the tree */

enum kind {
    SIMPLE,   /* words, redirections, assignments (words of the form NAME=...) */
    PIPELINE, /* left | right */
    AND,
    OR,
    SEQUENCE, /* left ; right */
    BACKGROUND,
    NOT,
    SUBSHELL,
    GROUP, /* { left; } */
    IF,    /* left then right else other */
    WHILE, /* while left do right */
    UNTIL,
    FOR,  /* for name in words do left */
    CASE, /* words[0], arms in left */
    ARM,  /* words are the patterns, left what to do, right the next arm */
};

enum redir_kind { IN, OUT, APPEND, INOUT, DUP, HERE, HERE_QUOTED };

struct redir {
    struct redir *next;
    enum redir_kind kind;
    int fd;
    char *word;              /* file name, descriptor or "-"; of a here document its text */
    struct redir *next_here; /* while parsing: here documents whose text follows the line */
    bool strip_tabs;
};

struct words {
    char **list; /* as written, quotes and all */
    int count;
};

struct node {
    enum kind kind;
    struct node *left, *right, *other;
    struct words words;
    struct redir *redirs;
    char *name;    /* of FOR */
    bool in_words; /* FOR with "in": else the arguments */
};

/* ---- parse.c: input and grammar */

struct input {
    int fd;           /* where lines come from; -1: only text */
    const char *text; /* what is left of the text, or of the line */
    char *line;
    size_t line_size;
    bool prompt; /* show one before each line */
    bool ended;
    struct reader reader;
};

/* Everything that is parsed for one command lives in an arena, and goes with it. */
struct arena {
    struct chunk *chunks;
};
void arena_free(struct arena *a);

enum parsed { PARSED, PARSED_NOTHING, PARSE_ERROR, PARSE_END, PARSE_INTERRUPTED };

/* Reads one complete command (to the end of a line). PARSED puts its tree in *tree. */
enum parsed parse_command(struct input *in, struct arena *a, struct node **tree);

/* The end of the $(...), ${...}, $((...)) or `...` that begins at s: the character after it, or
 * null. */
const char *expansion_end(const char *s);

/* ---- vars.c */
const char *var_get(const char *name); /* null if not set */
void var_set(const char *name, const char *value);
void var_export(const char *name);
void var_unset(const char *name);
void vars_import(char **env);
char **vars_environ(void); /* NAME=value of the exported ones; malloc'ed */
void vars_print(bool exported_only);
bool is_name(const char *s, size_t n);
size_t assignment_name(const char *word); /* length of NAME in NAME=value; 0 if it is none */

extern char **params; /* $1 ... */
extern int param_count;
extern const char *shell_name;  /* $0 */
extern int last_status;         /* $? */
extern int substitution_status; /* of the last $(command) in the words being expanded */
extern int last_background;     /* $! */
extern int shell_pid;           /* $$ */

/* ---- expand.c: null in a list's place and expand_failed mean that a message was printed */

/* All words, expanded, split and globbed: a null-ended malloc'ed vector; *count may be null. */
char **expand_words(const struct words *w, int first, int *count);
void free_words(char **list);

char *expand_one(const char *word);     /* one string: no splitting, no globbing */
char *expand_pattern(const char *word); /* the same, quoted characters behind backslashes */
char *expand_here(const char *text);    /* as in double quotes */
extern bool expand_failed;
bool arithmetic(const char *text, long *value);

/* ---- run.c */
int run(struct node *n);
int run_text(const char *text);
int run_input(struct input *in);
void run_child(struct node *n) __attribute__((noreturn)); /* in a forked child, signals reset */
extern bool interactive, errexit, trace;
extern int breaking, continuing; /* loops still to leave */
extern volatile int interrupted;

/* ---- jobs.c */
struct job;
void jobs_start(void);
struct job *job_new(struct node *n);
int job_fork(struct job *j, bool background); /* 0 in the child */
int job_wait(struct job *j);                  /* in the foreground; its status */
void job_background(struct job *j);
void jobs_report(void); /* tells of jobs that ended or stopped */
void child_signals(void);
int builtin_jobs(char **argv), builtin_fg(char **argv), builtin_bg(char **argv);
int builtin_wait(char **argv);
int job_pgid(const char *spec); /* of %N, or -1 */
extern bool jobs_in_child;      /* this is a forked part of the shell: it controls no jobs */

/* ---- builtin.c */
typedef int (*builtin_fn)(char **argv);
builtin_fn builtin_find(const char *name);
int builtin_test(char **argv);

#endif
