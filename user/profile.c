/* profile [-r RATE] [-n LINES] command...: where in the kernel the time went while a command ran.
 *
 * Turns on /proc/profile, in which the timer interrupt counts what it interrupted, RATE (1000) times a second on each hart that has
 * work; runs the command; and prints the functions that were found most often, at most LINES (20), with the names of
 * /proc/kallsyms. Without a command it prints what was counted so far, and goes on. Exits as the command does. */
#include "user/lib/tool.h"
#include "abi/fcntl.h"
#include "abi/wait.h"

struct function {
    uint64_t address;
    long count;
    char *name;
};

static struct function *functions;
static size_t nr_functions;
static long user, kernel;

static uint64_t hex(const char *s) {
    uint64_t n = 0;

    for (; *s && *s != ' '; s++)
        n = n << 4 | (uint64_t)(*s <= '9' ? *s - '0' : *s - 'a' + 10);
    return n;
}

static struct reader read_lines(const char *path) {
    struct reader r = {.fd = (int)open_input(path)};

    if (r.fd < 0)
        die("%s: %s", path, errstr(r.fd));
    return r;
}

static void end_lines(struct reader *r) {
    sys_close(r->fd);
    reader_done(r);
}

/* Lines "ADDRESS T NAME", by address. */
static void read_functions(void) {
    struct reader r = read_lines("/proc/kallsyms");
    size_t room = 0;

    for (char *line; (line = line_next(&r, 0));) {
        if (nr_functions == room) {
            room = room ? 2 * room : 1024;
            functions = xrealloc(functions, room * sizeof(*functions));
        }
        functions[nr_functions++] =
            (struct function){hex(line), 0, xstrdup(strrchr(line, ' ') + 1)};
    }
    end_lines(&r);
}

static void count(uint64_t address, long n) {
    size_t low = 0, high = nr_functions;

    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (functions[middle].address <= address)
            low = middle;
        else
            high = middle;
    }
    kernel += n;
    if (nr_functions)
        functions[low].count += n;
}

static void read_counts(void) {
    struct reader r = read_lines("/proc/profile");

    for (char *line; (line = line_next(&r, 0));) {
        long n = atoi(strchr(line, ' ') + 1);
        if (strncmp(line, "user ", 5) == 0)
            user = n;
        else if (strncmp(line, "rate ", 5) != 0)
            count(hex(line), n);
    }
    end_lines(&r);
}

static int most_first(const void *a, const void *b) {
    const struct function *x = a, *y = b;

    return x->count < y->count ? 1 : -(x->count > y->count);
}

static void show_line(long n, const char *name) {
    long all = user + kernel, share = all ? n * 1000 / all : 0;

    out("%8ld %3ld.%ld %%  %s\n", n, share / 10, share % 10, name);
}

static int show(long lines) {
    void **order = xmalloc((nr_functions + 1) * sizeof(*order));

    for (size_t i = 0; i < nr_functions; i++)
        order[i] = &functions[i];
    sort_pointers(order, nr_functions, most_first);
    show_line(user, "(programs)");
    show_line(kernel, "(kernel), of which:");
    for (size_t i = 0; i < nr_functions && (long)i < lines; i++) {
        const struct function *f = order[i];
        if (f->count)
            show_line(f->count, f->name);
    }
    free(order);
    return out_flush();
}

static void set_rate(const char *rate) {
    long fd = sys_openat(AT_FDCWD, "/proc/profile", O_WRONLY, 0);
    long r = fd < 0 ? fd : write_all((int)fd, rate, strlen(rate));

    if (r < 0)
        die("/proc/profile: %s", errstr(r));
    sys_close((int)fd);
}

static int run(char **command) {
    int status, pid = fork();

    if (pid < 0)
        die("cannot fork");
    if (pid == 0) {
        long r = exec_path(command);
        complain(command[0], r);
        sys_exit_group(r == -ENOENT ? 127 : 126);
    }
    while (sys_wait4(pid, &status, 0, 0) != pid)
        ;
    return status & 0x7f ? 128 + (status & 0x7f) : status >> 8 & 0xff;
}

int main(int argc, char **argv) {
    struct opts o = opts_start(argv, "r:n:", "[-r RATE] [-n LINES] [command...]");
    const char *rate = "1000";
    long lines = 20, number;
    int status = 0;

    (void)argc;
    for (int c; (c = opt_next(&o)) != 0;) {
        if (!parse_num(o.arg, 10, &number) || number < 1)
            die("%s: not a number", o.arg);
        if (c == 'r')
            rate = o.arg;
        else
            lines = number;
    }
    read_functions();
    if (*o.argv) {
        set_rate(rate);
        status = run(o.argv);
        set_rate("0");
    }
    read_counts();
    return show(lines) || status ? status : 0;
}
