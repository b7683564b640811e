/* Signals: numbers, sigaction(2), sigaltstack(2), siginfo, and the frame that a handler finds on
 * its stack and sigreturn(2) reads back. riscv64 has no sa_restorer: the kernel provides the
 * return trampoline. */
#ifndef ABI_SIGNAL_H
#define ABI_SIGNAL_H

#include <stdint.h>

#define SIGHUP 1
#define SIGINT 2
#define SIGQUIT 3
#define SIGILL 4
#define SIGTRAP 5
#define SIGABRT 6
#define SIGIOT SIGABRT
#define SIGBUS 7
#define SIGFPE 8
#define SIGKILL 9
#define SIGUSR1 10
#define SIGSEGV 11
#define SIGUSR2 12
#define SIGPIPE 13
#define SIGALRM 14
#define SIGTERM 15
#define SIGSTKFLT 16
#define SIGCHLD 17
#define SIGCONT 18
#define SIGSTOP 19
#define SIGTSTP 20
#define SIGTTIN 21
#define SIGTTOU 22
#define SIGURG 23
#define SIGXCPU 24
#define SIGXFSZ 25
#define SIGVTALRM 26
#define SIGPROF 27
#define SIGWINCH 28
#define SIGIO 29
#define SIGPOLL SIGIO
#define SIGPWR 30
#define SIGSYS 31
#define SIGRTMIN 32
#define SIGRTMAX 64
#define _NSIG 64

typedef uint64_t sigset_t; /* bit n-1 stands for signal n */
#define SIGMASK(sig) (1UL << ((sig)-1))

#define SIG_BLOCK 0
#define SIG_UNBLOCK 1
#define SIG_SETMASK 2

#define SA_NOCLDSTOP 0x00000001UL
#define SA_NOCLDWAIT 0x00000002UL
#define SA_SIGINFO 0x00000004UL
#define SA_UNSUPPORTED 0x00000400UL
#define SA_EXPOSE_TAGBITS 0x00000800UL
#define SA_ONSTACK 0x08000000UL
#define SA_RESTART 0x10000000UL
#define SA_NODEFER 0x40000000UL
#define SA_RESETHAND 0x80000000UL

union sigval {
    int32_t sival_int;
    void *sival_ptr;
};

/* What siginfo_t holds; programs have 80 bytes more in theirs, which nobody uses. Which members of the union hold is told by si_signo and si_code. */
struct siginfo {
    int32_t si_signo;
    int32_t si_errno;
    int32_t si_code;
    int32_t __pad0;
    union {
        struct {
            union {
                struct { /* kill, sigqueue, SIGCHLD */
                    int32_t si_pid;
                    uint32_t si_uid;
                };
                struct { /* SI_TIMER */
                    int32_t si_timerid;
                    int32_t si_overrun;
                };
            };
            union {
                union sigval si_value; /* sigqueue, timers */
                struct {               /* SIGCHLD */
                    int32_t si_status;
                    int64_t si_utime; /* clock ticks, USER_HZ */
                    int64_t si_stime;
                };
            };
        };
        void *si_addr; /* SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP */
        struct {       /* SIGPOLL */
            int64_t si_band;
            int32_t si_fd;
        };
        struct { /* SIGSYS */
            void *si_call_addr;
            int32_t si_syscall;
            uint32_t si_arch;
        };
    };
};

#define SIGINFO_SIZE 128 /* of a program's siginfo_t */
_Static_assert(sizeof(struct siginfo) == 48, "nothing of a siginfo_t is lost");

#define SI_USER 0
#define SI_KERNEL 0x80
#define SI_QUEUE (-1)
#define SI_TIMER (-2)
#define SI_MESGQ (-3)
#define SI_ASYNCIO (-4)
#define SI_SIGIO (-5)
#define SI_TKILL (-6)

/* struct sigevent, 64 bytes: what timer_create(2) is to do. */
#define SIGEV_SIGNAL 0
#define SIGEV_NONE 1
#define SIGEV_THREAD 2
#define SIGEV_THREAD_ID 4

struct sigevent {
    union sigval sigev_value;
    int32_t sigev_signo;
    int32_t sigev_notify;
    union {
        int32_t sigev_tid; /* SIGEV_THREAD_ID */
        uint32_t __pad[12];
    };
};

_Static_assert(sizeof(struct sigevent) == 64, "struct sigevent is 64 bytes");

#define ILL_ILLOPC 1
#define ILL_ILLOPN 2
#define ILL_ILLADR 3
#define ILL_ILLTRP 4
#define ILL_PRVOPC 5
#define FPE_INTDIV 1
#define FPE_INTOVF 2
#define FPE_FLTDIV 3
#define FPE_FLTOVF 4
#define FPE_FLTUND 5
#define FPE_FLTRES 6
#define FPE_FLTINV 7
#define SEGV_MAPERR 1
#define SEGV_ACCERR 2
#define BUS_ADRALN 1
#define BUS_ADRERR 2
#define BUS_OBJERR 3
#define TRAP_BRKPT 1
#define TRAP_TRACE 2
#define CLD_EXITED 1
#define CLD_KILLED 2
#define CLD_DUMPED 3
#define CLD_TRAPPED 4
#define CLD_STOPPED 5
#define CLD_CONTINUED 6
#define POLL_IN 1
#define POLL_OUT 2
#define POLL_MSG 3
#define POLL_ERR 4
#define POLL_PRI 5
#define POLL_HUP 6

/* The structure of the rt_sigaction call, 24 bytes on riscv64. */
struct sigaction {
    union {
        void (*sa_handler)(int);
        void (*sa_sigaction)(int, struct siginfo *, void *);
    };
    uint64_t sa_flags;
    sigset_t sa_mask;
};

_Static_assert(sizeof(struct sigaction) == 24, "struct sigaction has no restorer");

#define SIG_DFL ((void (*)(int))0)
#define SIG_IGN ((void (*)(int))1)
#define SIG_ERR ((void (*)(int)) - 1)

struct sigaltstack {
    void *ss_sp;
    int32_t ss_flags; /* SS_* */
    int32_t __pad;
    uint64_t ss_size; /* bytes */
};
typedef struct sigaltstack stack_t;

#define SS_ONSTACK 1
#define SS_DISABLE 2
#define SS_AUTODISARM (1U << 31)
#define MINSIGSTKSZ 2048
#define SIGSTKSZ 8192

/* General registers as signal frames and ptrace show them. */
struct user_regs_struct {
    uint64_t pc, ra, sp, gp, tp, t0, t1, t2, s0, s1;
    uint64_t a0, a1, a2, a3, a4, a5, a6, a7;
    uint64_t s2, s3, s4, s5, s6, s7, s8, s9, s10, s11;
    uint64_t t3, t4, t5, t6;
};

_Static_assert(sizeof(struct user_regs_struct) == 256, "32 registers, pc in the place of x0");

struct riscv_f_state {
    uint32_t f[32];
    uint32_t fcsr;
};

struct riscv_d_state {
    uint64_t f[32];
    uint32_t fcsr;
};

struct riscv_q_state {
    uint64_t f[64] __attribute__((aligned(16)));
    uint32_t fcsr;
    uint32_t reserved[3];
};

/* After the D state come a zero word and extension records; the first record is here always END. */
struct riscv_ctx_hdr {
    uint32_t magic;
    uint32_t size; /* bytes, this header included */
};

#define RISCV_V_MAGIC 0x53465457
#define END_MAGIC 0x0
#define END_HDR_SIZE 0x0

struct riscv_extra_ext_header {
    uint32_t __padding[129] __attribute__((aligned(16)));
    uint32_t reserved; /* must be zero */
    struct riscv_ctx_hdr hdr;
};

struct sigcontext {
    struct user_regs_struct sc_regs;
    union {
        union {
            struct riscv_f_state f;
            struct riscv_d_state d;
            struct riscv_q_state q;
        } sc_fpregs;
        struct riscv_extra_ext_header sc_extdesc;
    };
};

struct ucontext {
    uint64_t uc_flags;
    struct ucontext *uc_link;
    struct sigaltstack uc_stack;
    sigset_t uc_sigmask;
    uint8_t __unused[1024 / 8 - sizeof(sigset_t)];
    struct sigcontext uc_mcontext; /* 16-aligned */
};

/* What the kernel pushes; sp is 16-aligned and points to it, a1 to info, a2 to uc. */
struct rt_sigframe {
    struct siginfo info;
    uint8_t __unused[SIGINFO_SIZE - sizeof(struct siginfo)];
    struct ucontext uc;
};

_Static_assert(sizeof(struct sigcontext) == 784, "struct sigcontext is 256 + 528 bytes");
_Static_assert(sizeof(struct ucontext) == 960, "struct ucontext is 960 bytes");
_Static_assert(sizeof(struct rt_sigframe) == 1088, "struct rt_sigframe is 1088 bytes");

#endif
