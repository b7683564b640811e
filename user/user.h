/* xv6's user API. A program written for xv6-riscv includes kernel/types.h, kernel/stat.h and this
 * file, and compiles and behaves unchanged: user/lib/xv6.c makes xv6's calls out of Linux's. All
 * calls return -1 on any error.
 *
 * Naming this file makes a program an xv6 program: it runs on a stack of one page with a guard
 * page below, right under the heap, and ignores SIGPIPE. Our own tools include user/lib/tool.h
 * instead, which gives the same functions and more, on Linux's stack. */
#ifndef XV6_USER_H
#define XV6_USER_H

#include "kernel/types.h"

struct stat;

/* ---- system calls */
int fork(void);
int exit(int status) __attribute__((noreturn));
int wait(int *status);
int pipe(int fds[2]);
int write(int fd, const void *buf, int n);
int read(int fd, void *buf, int n);
int close(int fd);
int kill(int pid);
int exec(const char *path, char **argv);
int open(const char *path, int flags);
int mknod(const char *path, short major, short minor);
int unlink(const char *path);
int fstat(int fd, struct stat *st);
int link(const char *old, const char *new);
int mkdir(const char *path);
int chdir(const char *path);
int dup(int fd);
int getpid(void);
char *sbrk(int n);
char *sbrklazy(int n);
char *sys_sbrk(int n, int how);
int sleep(int ticks); /* of 100 ms */
int pause(int ticks);
int uptime(void);

/* What xv6's assignments add; the tests of a course use it. */
void *mmap(void *addr, uint64 size, int prot, int flags, int fd, uint64 offset);
int munmap(void *addr, uint64 size);
int symlink(const char *target, const char *path);
int sigalarm(int ticks, void (*handler)(void));
int sigreturn(void);

#define SBRK_ERROR ((char *)-1)
#define SBRK_EAGER 1
#define SBRK_LAZY 2

/* ---- library */
int stat(const char *path, struct stat *st);
char *strcpy(char *to, const char *from);
void *memmove(void *to, const void *from, int n);
char *strchr(const char *s, char c);
int strcmp(const char *a, const char *b);
uint strlen(const char *s);
void *memset(void *to, int c, uint n);
int memcmp(const void *a, const void *b, uint n);
void *memcpy(void *to, const void *from, uint n);
char *gets(char *buf, int max);
int atoi(const char *s);
void fprintf(int fd, const char *fmt, ...);
void printf(const char *fmt, ...);
void *malloc(uint n);
void free(void *p);

#ifndef XV39_TOOL
/* Names the stack, and so links it in. */
extern char xv6_stack[];
static char *const xv6_program __attribute__((used)) = xv6_stack;
#endif

#endif
