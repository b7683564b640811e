/* The frame of usertests: what a case is, and how it says that something is wrong.
 *
 * A case runs in a process of its own, in an empty directory of its own. It returns if all is
 * well; CHECK, EQ, OK and FAILS end it with a message if not, also when they are used in a child
 * of the case, whose parent then sees the exit status. Its name begins with the row of the feature
 * list that it is a proof of. */
#ifndef USER_USERTESTS_UT_H
#define USER_USERTESTS_UT_H

#include "user/lib/tool.h"
#include "abi/fcntl.h"
#include "abi/mman.h"
#include "abi/wait.h"

/* When a case runs: always, with -a, or only by its whole name: it takes minutes, or wants a machine that is prepared for it. */
enum pace { QUICK, SLOW, VAST };

struct test {
    const char *name;
    void (*run)(void);
    enum pace pace; /* not QUICK: its time limit is longer */
};

/* One table for each file, ended by a null name. */
extern const struct test call_tests[], exec_tests[], task_tests[], signal_tests[], time_tests[],
    memory_tests[], pressure_tests[], fork_tests[], map_tests[], memfd_tests[];
extern const struct test mass_tests[], code_tests[], clone_tests[], pidfd_tests[], wait_tests[],
    limit_tests[], prctl_tests[], taskfile_tests[], thread_tests[], timer_tests[];
extern const struct test event_tests[], epoll_tests[], socket_tests[];
extern const struct test scheduling_tests[], inherit_tests[], exokernel_tests[];
extern const struct test pipe_tests[], splice_tests[], file_tests[], name_tests[], system_tests[],
    vdso_tests[];
extern const struct test shm_tests[], sem_tests[], msg_tests[], mq_tests[];

void fail_at(const char *where, const char *fmt, ...)
    __attribute__((format(printf, 2, 3), noreturn));
void skip(const char *why) __attribute__((noreturn)); /* the case cannot run here */

#define STRING_2(x) #x
#define STRING(x) STRING_2(x)
#define HERE __FILE__ ":" STRING(__LINE__)

#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (!(cond))                                                                               \
            fail_at(HERE, "%s", #cond);                                                            \
    } while (0)

/* The two numbers are equal. */
#define EQ(a, b) eq_at(HERE, #a, (long)(a), (long)(b))
/* The call succeeds; its value. */
#define OK(call) ok_at(HERE, #call, (long)(call))
/* The call fails with this error, written without the minus. */
#define FAILS(err, call) fails_at(HERE, #call, err, (long)(call))

void eq_at(const char *where, const char *what, long a, long b);
long ok_at(const char *where, const char *what, long r);
void fails_at(const char *where, const char *what, long err, long r);

/* ---- children */
int spawn(void (*f)(void));        /* forks; the child runs f and exits with 0 */
int wait_status(int pid);          /* the word that wait4 gives */
void child_ok(void (*f)(void));    /* runs f in a child, which must exit with 0 */
int child_signal(void (*f)(void)); /* runs f in a child, which must be killed: by what */
void wait_ok(int pid);             /* the child must exit with 0 */
void kill_child(int pid);          /* and reap it */

void nothing(void);             /* for spawn: ends at once */
void sleep_long(void);          /* for spawn: until it is killed */
int sleep_thread(void *unused); /* the same, for clone_call */
void spin(void);                /* the same, on a hart */
char *new_stack(void);          /* the end of fresh memory, for clone_call */
#define THREAD (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)

/* ---- files */
void put_file(const char *path, const char *text);
void expect_file(const char *path, const char *text);
long open_at(const char *path, int flags, int mode); /* openat(AT_FDCWD, ...) */
long size_of(const char *path);                      /* or -errno */
struct abi_stat stat_of(const char *path);           /* without following a link */
bool is_there(const char *path);
void copy_file(const char *from, const char *to, int mode);

/* ---- the rest */
void sleep_ms(int ms);
int64_t clock_ms(int clock);
int64_t now_ms(void); /* monotonic */
/* Has the count of something grown lately? Where nothing comes at all, a case need not wait for its limit. */
bool comes_still(int count);
void become_user(uint32_t uid); /* also the group; no way back */
void on_signal(int sig, void (*f)(int), uint64_t flags);
void *map_pages(size_t pages, int prot); /* private, anonymous */
void *shared_page(void);                 /* of zeroes, which children share with us */
void *unmapped_page(void);
long proc_number(const char *file,
                 const char *label);        /* the number behind a label in a file of /proc; -1 */
uint64_t page_word(const volatile void *p); /* of /proc/self/pagemap: see proc_pid_pagemap(5) */
#define PAGE_PRESENT (1UL << 63)
char proc_state(int pid); /* letter of /proc/PID/stat; '?' */
void until_asleep(int pid);
bool on_xv39(void);
extern char **self_argv; /* to run this program again: see child_main */
extern const char *self_path;
/* The program run as "usertests --child WHAT ..." does WHAT: for cases of exec. */
int child_main(int argc, char **argv);
int kills_main(const char *seed_text); /* what is killed at random, started again */
int caps_main(const char *which); /* 0 if this program runs with those capabilities; prctls.c */
extern uint64_t seed;             /* for what is random: option -s */

/* ---- running cases: frame.c */
#define SKIPPED 77              /* exit status of a case that cannot run here */
extern const char *cases_dir;   /* where their files are made */
extern const char *cases_plant; /* the bug that each case plants, or null */
extern int cases_patience;      /* each gets that many times as long */
/* 0: good, 1: bad, SKIPPED; why gets the messages. The caller is the reaper of orphans. */
int run_case(const struct test *t, char *why, size_t size);

#endif
