/* What our own tools share: xv6's functions, Linux's calls (sys.h), and a small library over both.
 * A program that includes this file instead of user/user.h runs on Linux's stack and keeps
 * SIGPIPE. */
#ifndef USER_LIB_TOOL_H
#define USER_LIB_TOOL_H

#ifndef XV39_TOOL
#define XV39_TOOL
#endif

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "user/user.h"
#include "user/lib/sys.h"
#include "user/lib/start.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* ---- strings (string.c, printf.c, malloc.c) */
int strncmp(const char *a, const char *b, size_t n);
char *strrchr(const char *s, char c);
char *strstr(const char *s, const char *part);
void *memchr(const void *s, int c, size_t n);
void *realloc(void *p, size_t n);
int snprintf(char *buf, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap);
void vfprintf(int fd, const char *fmt, va_list ap);
void printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void fprintf(int fd, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* malloc and realloc that end the program when memory is out; a copy of a string. */
void *xmalloc(size_t n);
void *xrealloc(void *p, size_t n);
char *xstrdup(const char *s);

/* Reads a number (decimal, 0x, or octal if base is 8) that fills the whole string; false if it
 * does not. */
bool parse_num(const char *s, int base, long *value);

/* ---- numbers for tests (random.c): the same ones for the same seed; below n > 0 */
void random_seed(uint64_t seed);
uint64_t random_next(void);
int random_below(int n);

/* ---- messages (tool.c) */

/* The text for an error number, positive or negative, strerror(3). */
const char *errstr(long err);

/* Sets the name that messages begin with, from argv[0]. */
void tool_name(const char *argv0);

/* Prints "NAME: message" to descriptor 2; die also exits with 1. */
void warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Prints "NAME: what: text of the error" and returns 1, an exit status. */
int complain(const char *what, long err);

/* ---- options (tool.c): for (int c; (c = opt_next(&o)) != 0;) switch (c) ...; o.arg is an
 * option's argument */
struct opts {
    char **argv;         /* what is left: after the last option, the operands */
    const char *letters; /* as getopt(3)'s: a colon after a letter that takes an argument */
    const char *usage;   /* printed, and exit 2, on an unknown letter */
    const char *at;      /* inside a cluster of letters */
    char *arg;
};
struct opts opts_start(char **argv, const char *letters, const char *usage);
int opt_next(struct opts *o);

/* ---- paths and directories (path.c) */

/* dir/name into buf, one slash between; false if it does not fit. */
bool path_join(char *buf, size_t size, const char *dir, const char *name);

/* The last component of a path; the path itself if it has no slash. */
const char *path_base(const char *path);

struct dir {
    int fd;
    long have, pos; /* bytes in buf, and the next entry's place */
    char buf[2048] __attribute__((aligned(8)));
};
long dir_open(struct dir *d, const char *path); /* 0 or -errno */
struct abi_dirent *dir_next(struct dir *d);     /* null at the end; "." and ".." included */
void dir_close(struct dir *d);
bool is_dot(const char *name); /* "." or ".." */
bool is_dir(const char *path); /* follows links */

/* Does the string match the pattern with * ? [a-z] [!x] and backslash, fnmatch(3)? A leading dot
 * must be matched by a dot. */
bool glob_match(const char *pattern, const char *s);

/* ---- input and output (io.c) */

/* Writes all bytes: 0, or -errno. */
long write_all(int fd, const void *buf, size_t n);

/* Copies to the end of the file: 0, or -errno of a read (*reading true) or a write. */
long copy_fd(int in, int out, bool *reading);

/* Buffered standard output. out_flush returns an exit status, and says what went wrong. */
void out_write(const void *buf, size_t n);
void out(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void out_char(char c);
int out_flush(void);

/* Lines from a descriptor. line_next gives a line with its end mark put in place of the newline,
 * valid until the next call; null at the end, or on an error, which is then in r->err. len may be
 * null. */
struct reader {
    int fd;
    long err;            /* -errno of the read that failed */
    bool ended, newline; /* newline: the last line had one */
    size_t start, have, size;
    char *buf;
};
char *line_next(struct reader *r, size_t *len);
void reader_done(struct reader *r);

/* Opens for reading, "-" being standard input: descriptor or -errno. */
long open_input(const char *path);

/* A small file, whole, as a string in buf (of /proc, mostly): its length or -errno. */
long read_file(const char *path, char *buf, size_t size);

/* Calls f for each operand, or for "-" if there is none, with an open descriptor; returns the exit
 * status. */
int each_input(char **paths, int (*f)(int fd, const char *name));

/* ---- environment (env.c) */
char *getenv(const char *name);
void setenv(const char *name, const char *value);
void unsetenv(const char *name);

/* Runs a program, looked up in PATH if it has no slash; comes back only to say why not. */
long exec_path(char **argv);

/* ---- signals, users, time (env.c, time.c) */

/* The number of "TERM", "sigterm", "15" or "RTMIN+2"; -1 if there is none. The name of a number,
 * without SIG, valid until the next call, or null. */
int signal_number(const char *name);
const char *signal_name(int sig);

/* The command kill(1) (kill.c), with its messages; returns the exit status. job, if not null, turns
 * "%1" into what kill(2) takes, or 0. */
int kill_command(char **argv, int (*job)(const char *spec));

/* The name of a user or group from /etc/passwd or /etc/group, or its number; in buf. */
const char *id_name(const char *file, uint32_t id, char *buf, size_t size);

struct date {
    int year, month, day, hour, minute, second; /* month and day from 1 */
    int weekday;                                /* 0: Sunday */
};
struct date date_of(int64_t seconds); /* since 1970, UTC */
int64_t date_seconds(const struct date *d);
extern const char *const month_names[12], *const day_names[7];

/* Sorts pointers, stable: merge sort. */
void sort_pointers(void **list, size_t n, int (*cmp)(const void *, const void *));

#endif
