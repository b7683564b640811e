/* Jobs: the processes of one pipeline, followed until they end.
 *
 * In an interactive shell each job is a process group, and the terminal belongs to the group in
 * the foreground: the shell hands it over before it waits and takes it back after, so that ^C and
 * ^Z reach the job and not the shell. A script makes no groups, it only waits. All children are
 * waited for in one place (reap), which finds the job by pid; so a job may end while another is
 * waited for. */
#include "user/sh/sh.h"
#include "abi/fcntl.h"
#include "abi/termios.h"
#include "abi/wait.h"

enum state { RUNNING, STOPPED, DONE };

struct process {
    int pid;
    enum state state;
    int status; /* the word from wait4 */
};

struct job {
    struct job *next;
    int number, pgid;
    struct process *procs;
    int count;
    char *text;
    bool background, told; /* told: the last change was reported */
};

static struct job *jobs;
static int shell_pgid;
static struct termios shell_modes;
bool jobs_in_child;

static bool controls_jobs(void) { return interactive && !jobs_in_child; }

/* ---- signals */

static const int shell_ignores[] = {SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU};

static void set_action(int sig, void (*handler)(int)) {
    struct sigaction act = {.sa_handler = handler};

    sys_rt_sigaction(sig, &act, 0, sizeof(act.sa_mask));
}

static void on_interrupt(int sig) {
    (void)sig;
    interrupted = 1;
}

/* The terminal must be ours before the shell may ask it for lines: one started in the background
 * stops itself until it is brought forward. */
static void take_terminal(void) {
    int owner = 0;

    while (sys_ioctl(0, TIOCGPGRP, &owner) == 0 && owner != sys_getpgid(0))
        sys_kill(0, SIGTTIN);
    for (size_t i = 0; i < ARRAY_LEN(shell_ignores); i++)
        set_action(shell_ignores[i], SIG_IGN);
    set_action(SIGINT, on_interrupt);
    sys_setpgid(0, 0);
    shell_pgid = (int)sys_getpgid(0);
    sys_ioctl(0, TIOCSPGRP, &shell_pgid);
    sys_ioctl(0, TCGETS, &shell_modes);
}

void jobs_start(void) {
    if (interactive)
        take_terminal();
}

void child_signals(void) {
    if (!interactive)
        return;
    for (size_t i = 0; i < ARRAY_LEN(shell_ignores); i++)
        set_action(shell_ignores[i], SIG_DFL);
    set_action(SIGINT, SIG_DFL);
}

/* ---- the table */

struct text_buf;
static void tell_text(struct node *n, struct text_buf *b);

struct text_buf {
    char s[80];
    size_t len;
};

static void tell(struct text_buf *b, const char *s) {
    for (; *s && b->len + 1 < sizeof(b->s); s++)
        b->s[b->len++] = *s;
    b->s[b->len] = 0;
}

static void tell_two(struct node *n, const char *between, struct text_buf *b) {
    tell_text(n->left, b);
    tell(b, between);
    tell_text(n->right, b);
}

/* A job is shown as the text of its commands, compound ones as (...). */
static void tell_text(struct node *n, struct text_buf *b) {
    switch (n->kind) {
    case SIMPLE:
        for (int i = 0; i < n->words.count; i++) {
            tell(b, i ? " " : "");
            tell(b, n->words.list[i]);
        }
        break;
    case PIPELINE:
        tell_two(n, " | ", b);
        break;
    case AND:
        tell_two(n, " && ", b);
        break;
    case OR:
        tell_two(n, " || ", b);
        break;
    case SEQUENCE:
        tell_two(n, "; ", b);
        break;
    default:
        tell(b, "(...)");
    }
}

struct job *job_new(struct node *n) {
    struct job *j = xmalloc(sizeof(*j)), **p;
    struct text_buf text = {.len = 0};

    tell(&text, "");
    tell_text(n, &text);
    *j = (struct job){.number = 1, .text = xstrdup(text.s)};
    for (p = &jobs; *p; p = &(*p)->next) {
        if ((*p)->number >= j->number)
            j->number = (*p)->number + 1;
    }
    *p = j;
    return j;
}

static void job_free(struct job *j) {
    struct job **p = &jobs;

    while (*p != j)
        p = &(*p)->next;
    *p = j->next;
    free(j->procs);
    free(j->text);
    free(j);
}

static enum state job_state(const struct job *j) {
    enum state s = DONE;

    for (int i = 0; i < j->count; i++) {
        if (j->procs[i].state < s)
            s = j->procs[i].state;
    }
    return s;
}

static int job_status(const struct job *j) {
    int w = j->count ? j->procs[j->count - 1].status : 0;

    if (WIFSTOPPED(w))
        return 128 + WSTOPSIG(w);
    return WIFEXITED(w) ? WEXITSTATUS(w) : 128 + WTERMSIG(w);
}

static void join_group(int pid, struct job *j, bool background) {
    if (!j->pgid)
        j->pgid = pid ? pid : (int)sys_getpid();
    sys_setpgid(pid, j->pgid);
    if (background)
        return;
    sys_ioctl(0, TIOCSPGRP, &j->pgid);
    if (pid && interrupted) /* a ^C that came before the terminal was the job's is the job's too */
        sys_kill(-j->pgid, SIGINT);
}

/* Both sides put the child into its group: whoever comes first. */
int job_fork(struct job *j, bool background) {
    int pid = fork();

    if (pid < 0) {
        fprintf(2, "sh: cannot fork\n");
        return pid;
    }
    if (controls_jobs())
        join_group(pid, j, background);
    if (pid == 0) {
        child_signals();
        if (interrupted && !background)
            exit(128 + SIGINT);
        if (!controls_jobs() && background) {
            set_action(SIGINT, SIG_IGN);
            set_action(SIGQUIT, SIG_IGN);
        }
        jobs_in_child = true;
        return 0;
    }
    j->procs = xrealloc(j->procs, (size_t)(j->count + 1) * sizeof(*j->procs));
    j->procs[j->count++] = (struct process){.pid = pid};
    return pid;
}

/* ---- waiting */

static void note(int pid, int status) {
    for (struct job *j = jobs; j; j = j->next) {
        for (int i = 0; i < j->count; i++) {
            struct process *p = &j->procs[i];
            if (p->pid != pid)
                continue;
            p->state = WIFSTOPPED(status) ? STOPPED : WIFCONTINUED(status) ? RUNNING : DONE;
            p->status = status;
            j->told = false;
        }
    }
}

/* One change of one child; what wait4 said. */
static long reap(int options) {
    int status;
    long pid = sys_wait4(-1, &status, options | WUNTRACED, 0);

    if (pid > 0)
        note((int)pid, status);
    return pid;
}

static const char *const death_texts[] = {
    [SIGABRT] = "Aborted",
    [SIGBUS] = "Bus error",
    [SIGFPE] = "Floating point exception",
    [SIGILL] = "Illegal instruction",
    [SIGKILL] = "Killed",
    [SIGSEGV] = "Segmentation fault",
    [SIGTERM] = "Terminated",
    [SIGSYS] = "Bad system call",
    [SIGTRAP] = "Trace trap",
    [SIGHUP] = "Hangup",
    [SIGQUIT] = "Quit",
    [SIGALRM] = "Alarm clock",
};

/* A signal that killed a job in the foreground is worth a line, but ^C and a broken pipe speak for
 * themselves. */
static void tell_death(int status) {
    int sig = WTERMSIG(status);

    if (!WIFSIGNALED(status) || sig == SIGPIPE)
        return;
    if (sig == SIGINT)
        fprintf(2, "\n");
    else if (sig < (int)ARRAY_LEN(death_texts) && death_texts[sig])
        fprintf(2, "%s\n", death_texts[sig]);
    else
        fprintf(2, "Signal %d\n", sig);
}

static void show(const struct job *j) {
    static const char *const names[] = {"Running", "Stopped", "Done"};

    fprintf(2, "[%d] %s\t%s\n", j->number, names[job_state(j)], j->text);
}

int job_wait(struct job *j) {
    int status;

    while (job_state(j) == RUNNING) {
        long pid = reap(0);
        if (pid ==
            -ECHILD) { /* someone else took them, a wait builtin in a trap of a child for one */
            for (int i = 0; i < j->count; i++)
                j->procs[i].state = DONE;
        }
    }
    status = job_status(j);
    if (controls_jobs()) {
        sys_ioctl(0, TIOCSPGRP, &shell_pgid);
        if (job_state(j) == STOPPED || WIFSIGNALED(j->procs[j->count - 1].status))
            sys_ioctl(0, TCSETSW, &shell_modes);
    }
    if (job_state(j) == STOPPED) {
        j->background = j->told = true;
        fprintf(2, "\n");
        show(j);
        return status;
    }
    if (j->count && !jobs_in_child)
        tell_death(j->procs[j->count - 1].status);
    if (interactive && status == 128 + SIGINT)
        interrupted = 1;
    job_free(j);
    return status;
}

void job_background(struct job *j) {
    j->background = true;
    last_background = j->count ? j->procs[j->count - 1].pid : 0;
    if (controls_jobs())
        fprintf(2, "[%d] %d\n", j->number, last_background);
}

void jobs_report(void) {
    struct job *next;

    while (reap(WNOHANG) > 0)
        ;
    for (struct job *j = jobs; j; j = next) {
        next = j->next;
        if (job_state(j) == RUNNING || (j->told && job_state(j) == STOPPED))
            continue;
        if (interactive)
            show(j);
        j->told = true;
        if (job_state(j) == DONE && interactive)
            job_free(j);
    }
}

/* ---- builtins */

/* "%2", "2" or nothing, which means the last one. */
static struct job *find_job(const char *spec, bool any) {
    struct job *found = 0;
    int number = spec ? atoi(spec + (*spec == '%')) : 0;

    for (struct job *j = jobs; j; j = j->next) {
        if (number ? j->number == number : any || job_state(j) != DONE)
            found = j;
    }
    return found;
}

int job_pgid(const char *spec) {
    struct job *j = find_job(spec, false);

    return j && j->count ? (j->pgid ? j->pgid : j->procs[0].pid) : -1;
}

int builtin_jobs(char **argv) {
    (void)argv;
    while (reap(WNOHANG) > 0)
        ;
    for (struct job *j = jobs; j; j = j->next)
        show(j);
    return 0;
}

static int resume(char **argv, bool foreground) {
    struct job *j = find_job(argv[1], false);

    if (!controls_jobs() || !j) {
        fprintf(2, "sh: %s: no such job\n", argv[1] ? argv[1] : "current");
        return 1;
    }
    fprintf(2, "%s\n", j->text);
    if (foreground)
        sys_ioctl(0, TIOCSPGRP, &j->pgid);
    for (int i = 0; i < j->count; i++) {
        if (j->procs[i].state == STOPPED)
            j->procs[i].state = RUNNING;
    }
    sys_kill(-j->pgid, SIGCONT);
    j->background = !foreground;
    return foreground ? job_wait(j) : 0;
}

int builtin_fg(char **argv) { return resume(argv, true); }

int builtin_bg(char **argv) { return resume(argv, false); }

static struct job *job_of_pid(int pid) {
    for (struct job *j = jobs; j; j = j->next) {
        for (int i = 0; i < j->count; i++) {
            if (j->procs[i].pid == pid)
                return j;
        }
    }
    return 0;
}

static int wait_one(const char *spec) {
    struct job *j = *spec == '%' ? find_job(spec, true) : job_of_pid(atoi(spec));
    int status;

    if (!j)
        return 127;
    while (job_state(j) == RUNNING && !interrupted) {
        if (reap(0) == -ECHILD)
            break;
    }
    status = job_status(j);
    if (job_state(j) == DONE)
        job_free(j);
    return status;
}

static bool any_running(void) {
    for (struct job *j = jobs; j; j = j->next) {
        if (job_state(j) == RUNNING)
            return true;
    }
    return false;
}

int builtin_wait(char **argv) {
    int status = 0;

    if (argv[1]) {
        for (char **p = argv + 1; *p; p++)
            status = wait_one(*p);
        return status;
    }
    while (any_running() && !interrupted) {
        if (reap(0) == -ECHILD)
            break;
    }
    return 0;
}
