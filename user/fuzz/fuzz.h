/* fuzz: random system calls, made from the one list of calls (see main.c).
 *
 * A stream is the calls of one process, numbered from 0. It is cut into epochs of EPOCH calls; each
 * runs in a fresh child, in an empty directory that is its root. What call number n does depends on
 * the seed, the process and n alone, and on what earlier calls of its epoch made. */
#ifndef USER_FUZZ_FUZZ_H
#define USER_FUZZ_FUZZ_H

#include "user/lib/tool.h"
#include "abi/fcntl.h"
#include "abi/mman.h"

#define EPOCH 128

struct call {
    int number;
    const char *name, *kinds;
    bool wanted;
};
extern struct call calls[];
extern const int nr_calls;

/* ---- numbers: splitmix64; a seed makes the same ones everywhere */
struct random {
    uint64_t state;
    uint64_t variation; /* of what is in memory, see fill_words */
};
uint64_t next(struct random *r);
uint64_t below(struct random *r, uint64_t n);
static inline bool one_in(struct random *r, uint64_t n) { return below(r, n) == 0; }
uint64_t mix(uint64_t a, uint64_t b);

/* ---- the world of an epoch (world.c)
 *
 * Pages from ARENA on, by number: what a pointer may meet. Between and behind them nothing is
 * mapped. */
#define ARENA 0x1000000000UL
enum {
    GOOD = 0,      /* to GOOD_END: private, may be read and written */
    GOOD_END = 8,  /* read-only, */
    CLOSED = 9,    /* then PROT_NONE, so that a buffer may run from one into the next */
    SHARED = 12,   /* two pages, shared and anonymous */
    FILE_MAP = 16, /* two pages, shared, of a file of one page */
    CODE = 20,     /* may only be executed */
    FREE = 24,     /* 40 pages for mmap with an address */
    STACKS = 128,  /* NR_STACKS of clone's children, as many of the epoch's own threads */
    STACK_PAGES = 4,
    NR_STACKS = 8,
};
#define PAGE_AT(n) ((char *)ARENA + (uint64_t)(n)*PAGE)

#define FIRST_FD 3 /* of those that an epoch begins with */
#define NR_FDS 24
#define TTY_FD 40   /* the console: for few calls, see rules.c */
#define KEPT_FD 900 /* from here on: the log, the coverage */
#define LOG_FD 900
#define COVER_FD 901

/* Makes the sandbox `dir` and goes into it as its root; as another user if not root. Ends with
 * NO_WORLD if it cannot. */
enum { NO_WORLD = 99 };
void world_enter(const char *dir, bool root);
/* Does nothing; a handler of most signals. */
void on_signal(int sig);
/* Removes it, with what may be mounted in it. False: something is left. */
bool world_remove(const char *dir);

/* ---- calls (values.c, rules.c, perform.c) */
struct deed {
    const struct call *call;
    int nr_args;
    long arg[6];
};

/* Chooses a call and its arguments, and fills the memory that they point to. */
void deed_make(struct deed *d, struct random *r, int depth);
long value_of(struct random *r, const char *kind, size_t len);
uint64_t edge(struct random *r);
void *pointer(struct random *r, size_t size, size_t align);
void fill_words(struct random *r, void *at, size_t words);

/* What is known of a call (rules.c): values that mean something to it, whether it may wait, whether
 * it is left out, and how its arguments are changed so that it does no harm outside. */
const long *known_values(const char *call, int arg, size_t *n, bool *bits);
bool may_wait(const char *call);
const char *why_left_out(const char *call, int depth); /* null: it is not */
void make_shapes(struct random *r, struct deed *d);    /* shapes.c */
void make_harmless(struct random *r, struct deed *d);

/* The calls of an epoch, in the child: from first to last of [0, EPOCH), each from its own seed.
 * The lowest bits of a seed are the variation: call and arguments stay, what lies in memory does
 * not. */
#define VARIATION 0xffffUL
struct epoch {
    const uint64_t *seeds;
    int first, last;
    int threads;
    uint64_t number; /* of its first call, for the log */
    int process;
    bool verbose;
};
void epoch_run(const struct epoch *e) __attribute__((noreturn));

/* What the child and its parent both see. */
struct progress {
    volatile uint64_t made, failed; /* calls, and those that gave an error */
    volatile int call;              /* index in calls[] of the one that runs, */
    volatile uint64_t number;       /* and its number in the stream */
};
extern struct progress *progress;
extern int own_pid, last_child; /* of the epoch */

/* ---- coverage (guide.c): -g */
bool guide_open(void);                                /* false: the kernel has no coverage */
void guide_start(void);                               /* in the child */
void guide_choose(struct random *r, uint64_t *seeds); /* an epoch: a new one, or one changed */
void guide_learn(const uint64_t *seeds);              /* it has run */
void guide_report(void);

#endif
