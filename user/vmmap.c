/* vmmap [-s] PID: the address space of a process, drawn: its regions with their pages, and its page tables with those who
 * share them; -s as SVG. From /proc/PID/maps, pagemap and tables.
 *
 * A cell stands for a page, or for several of a large region:
 *   .  nothing in memory          f  a file's page, mapped only here      F  a file's page, mapped elsewhere too
 *   #  memory of its own          +  memory that others have too, or the page of zeroes */
#include "user/lib/tool.h"
#include "abi/fcntl.h"

#define CELLS 64
#define BLOCK (2UL << 20)
#define PRESENT (1UL << 63)
#define OF_FILE (1UL << 61)
#define EXCLUSIVE (1UL << 56)

struct region {
    uint64_t start, end;
    char rights[5], name[80];
    char cell[CELLS + 1];
    long per, pages, there; /* pages for each cell; of all, those in memory */
};

struct table {
    uint64_t start;
    char state[8];
    int owners, used;
};

static struct region *regions;
static struct table *tables;
static size_t nr_regions, nr_tables;
static int pid;

static const struct kind {
    char mark;
    const char *colour, *text;
} kinds[] = {
    {'.', "#eeeeee", "nothing in memory"},
    {'#', "#c0392b", "memory of its own"},
    {'+', "#e59866", "memory that others have too, or zeroes"},
    {'f', "#2874a6", "a file's page"},
    {'F', "#85c1e9", "a file's page that others map too"},
};

static const struct kind *kind_of(char mark) {
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (kinds[i].mark == mark)
            return &kinds[i];
    }
    return kinds;
}

/* ---- reading */

static uint64_t hex(const char **at) {
    uint64_t n = 0;

    for (;; ++*at) {
        char c = **at;
        if (c >= '0' && c <= '9')
            n = n * 16 + (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            n = n * 16 + (uint64_t)(c - 'a' + 10);
        else
            return n;
    }
}

static const char *skip_fields(const char *at, int n) {
    while (n-- > 0) {
        while (*at && *at != ' ')
            at++;
        while (*at == ' ')
            at++;
    }
    return at;
}

static void each_line(const char *file, void (*f)(const char *line)) {
    char path[40], *text;
    struct reader r = {0};

    snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
    r.fd = (int)sys_openat(AT_FDCWD, path, O_RDONLY, 0);
    if (r.fd < 0)
        die("%s: %s", path, errstr(r.fd));
    while ((text = line_next(&r, 0)))
        f(text);
    reader_done(&r);
    sys_close(r.fd);
}

/* 0000010000-0000037000 r-xp 00000000 fe:00 12   /bin/sh */
static void add_region(const char *line) {
    struct region *r;

    regions = xrealloc(regions, (nr_regions + 1) * sizeof(*regions));
    r = &regions[nr_regions++];
    memset(r, 0, sizeof(*r));
    r->start = hex(&line);
    line++;
    r->end = hex(&line);
    snprintf(r->rights, sizeof(r->rights), "%s", line + 1);
    snprintf(r->name, sizeof(r->name), "%s", skip_fields(line + 1, 4));
    if (!r->name[0])
        strcpy(r->name, "anonymous");
    r->pages = (long)((r->end - r->start) / PAGE);
    r->per = (r->pages + CELLS - 1) / CELLS;
    memset(r->cell, '.', (uint)((r->pages + r->per - 1) / r->per));
}

/* 0000000000 80412 hidden 2 17 */
static void add_table(const char *line) {
    struct table *t;
    const char *state = skip_fields(line, 2);

    tables = xrealloc(tables, (nr_tables + 1) * sizeof(*tables));
    t = &tables[nr_tables++];
    memset(t, 0, sizeof(*t));
    t->start = hex(&line);
    for (int i = 0; i < 7 && state[i] && state[i] != ' '; i++)
        t->state[i] = state[i];
    t->owners = atoi(skip_fields(state, 1));
    t->used = atoi(skip_fields(state, 2));
}

/* What a cell shows of several pages: the rarest things are worth most. */
static char stronger(char a, char b) {
    static const char order[] = ".Ff+#";

    return strchr(order, a) > strchr(order, b) ? a : b;
}

static void add_pages(struct region *r, int fd, uint64_t from, uint64_t to) {
    static uint64_t words[BLOCK / PAGE];
    size_t n = (to - from) / PAGE;

    if (sys_pread64(fd, words, n * 8, (int64_t)(from / PAGE * 8)) != (long)(n * 8))
        return;
    for (size_t i = 0; i < n; i++) {
        char *cell = &r->cell[(long)((from - r->start) / PAGE + i) / r->per];
        bool own = words[i] & EXCLUSIVE;
        if (!(words[i] & PRESENT))
            continue;
        r->there++;
        *cell = stronger(*cell, words[i] & OF_FILE ? own ? 'f' : 'F' : own ? '#' : '+');
    }
}

static void read_pages(void) {
    char path[40];
    int fd;

    snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
    fd = (int)sys_openat(AT_FDCWD, path, O_RDONLY, 0);
    if (fd < 0)
        die("%s: %s", path, errstr(fd));
    for (size_t i = 0; i < nr_regions; i++) {
        for (size_t k = 0; k < nr_tables; k++) {
            uint64_t from = tables[k].start, to = from + BLOCK;
            from = from > regions[i].start ? from : regions[i].start;
            to = to < regions[i].end ? to : regions[i].end;
            if (from < to)
                add_pages(&regions[i], fd, from, to);
        }
    }
    sys_close(fd);
}

/* ---- as text */

static void text(void) {
    for (size_t i = 0; i < nr_regions; i++) {
        struct region *r = &regions[i];
        out("%010lx-%010lx %s %8ld KiB, %7ld in memory  %s\n", (long)r->start, (long)r->end,
            r->rights, r->pages * 4, r->there * 4, r->name);
        out("    |%s|", r->cell);
        if (r->per > 1)
            out(" of %ld pages each", r->per);
        out("\n");
    }
    out("page tables\n");
    for (size_t i = 0; i < nr_tables; i++) {
        const struct table *t = &tables[i];
        out("%010lx %3d pages, ", (long)t->start, t->used);
        if (t->owners > 1)
            out("shared by %d%s\n", t->owners,
                strcmp(t->state, "hidden") ? "" : ", any access faults");
        else
            out("%s\n", strcmp(t->state, "own") ? "was shared, nobody else has it now" : "its own");
    }
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        out("  %c %s", kinds[i].mark, kinds[i].text);
    out("\n");
}

/* ---- as SVG */

static void escaped(const char *s) {
    for (; *s; s++) {
        if (*s == '<' || *s == '&')
            out(*s == '<' ? "&lt;" : "&amp;");
        else if ((unsigned char)*s >= ' ')
            out_char(*s);
    }
}

/* Cells of one kind side by side are one rectangle. */
static void svg_region(const struct region *r, int y) {
    out("<g class=\"region\"><text x=\"8\" y=\"%d\">%010lx %s %8ld KiB</text>\n", y + 11,
        (long)r->start, r->rights, r->pages * 4);
    for (int i = 0, n; r->cell[i]; i += n) {
        for (n = 1; r->cell[i + n] == r->cell[i]; n++)
            ;
        out("<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"13\" fill=\"%s\"/>\n", 250 + 7 * i, y,
            7 * n, kind_of(r->cell[i])->colour);
    }
    out("<text x=\"710\" y=\"%d\">", y + 11);
    escaped(r->name);
    out("</text></g>\n");
}

static void svg_table(const struct table *t, int i, int y) {
    const char *colour = strcmp(t->state, "own") == 0      ? "#58a55c"
                         : strcmp(t->state, "shared") == 0 ? "#f4d03f"
                                                           : "#8e44ad";

    out("<g class=\"table\"><title>%010lx: %s, %d owners, %d pages</title>", (long)t->start,
        t->state, t->owners, t->used);
    out("<rect x=\"%d\" y=\"%d\" width=\"20\" height=\"20\" fill=\"%s\"/>", 8 + i % 40 * 24,
        y + i / 40 * 24, colour);
    out("<text x=\"%d\" y=\"%d\">%d</text></g>\n", 14 + i % 40 * 24, y + i / 40 * 24 + 14,
        t->owners);
}

static void svg(void) {
    int y = 28, below = y + (int)nr_regions * 18 + 24,
        height = below + ((int)nr_tables / 40 + 1) * 24 + 30;

    out("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"1100\" height=\"%d\" "
        "font-family=\"monospace\" "
        "font-size=\"11\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
        height);
    out("<text x=\"8\" y=\"16\">process %d: %ld regions, %ld page tables</text>\n", pid,
        (long)nr_regions, (long)nr_tables);
    for (size_t i = 0; i < nr_regions; i++)
        svg_region(&regions[i], y + (int)i * 18);
    out("<text x=\"8\" y=\"%d\">page tables of 2 MiB and their owners: green own, yellow shared, "
        "violet shared, and any "
        "access faults</text>\n",
        below - 6);
    for (size_t i = 0; i < nr_tables; i++)
        svg_table(&tables[i], (int)i, below);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        out("<rect x=\"%d\" y=\"%d\" width=\"10\" height=\"10\" fill=\"%s\"/><text x=\"%d\" "
            "y=\"%d\">%s</text>\n",
            8 + 215 * (int)i, height - 16, kinds[i].colour, 22 + 215 * (int)i, height - 7,
            kinds[i].text);
    out("</svg>\n");
}

int main(int argc, char **argv) {
    struct opts o = opts_start(argv, "s", "[-s] PID");
    bool drawn = false;
    long number = 0;

    (void)argc;
    for (int c; (c = opt_next(&o)) != 0;)
        drawn = true;
    if (!*o.argv || !parse_num(*o.argv, 10, &number))
        die("which process?");
    pid = (int)number;
    each_line("maps", add_region);
    each_line("tables", add_table);
    read_pages();
    if (drawn)
        svg();
    else
        text();
    return out_flush();
}
