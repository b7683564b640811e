// Illegal accesses, each by a child of its own; the parent says whether it died as it should. TAP-like output.
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static int number;
static volatile uint64_t sink;

struct access {
    const char *name;
    uintptr_t address;
    char how; // r, w, x, or i for an illegal instruction
    int signal;
};

static void do_access(const struct access *a) {
    switch (a->how) {
    case 'r': sink = *(volatile char *)a->address; break;
    case 'w': *(volatile char *)a->address = 1; break;
    case 'x': ((void (*)(void))a->address)(); break;
    case 'i': __asm__ volatile(".4byte 0"); break;
    }
}

// The handler's view: the signal and the address that it names, as the exit status 7 when both are right.
static const struct access *current;
static void handler(int sig, siginfo_t *info, void *context) {
    (void)context;
    _exit(sig == current->signal && (uintptr_t)info->si_addr == current->address ? 7 : 8);
}

static void say(int good, const char *name, const char *what, int status) {
    printf("%s %d %s: %s (status 0x%x)\n", good ? "ok" : "not ok", ++number, name, what, status);
    fflush(stdout);
}

static int in_child(const struct access *a, int handled) {
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
        if (handled) {
            struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
            current = a;
            sigaction(a->signal, &sa, NULL);
        }
        do_access(a);
        _exit(0);
    }
    waitpid(child, &status, 0);
    return status;
}

int main(void) {
    static const char constant[] = "read-only";
    static char data[4096];
    char *none = mmap(0, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *gone = mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(gone, 4096);
    const struct access list[] = {
        {"null read", 0, 'r', SIGSEGV},
        {"null write", 0, 'w', SIGSEGV},
        {"null call", 0, 'x', SIGSEGV},
        {"kernel half read", 0xffffffc000000000, 'r', SIGSEGV},
        {"kernel half write", 0xffffffff80200000, 'w', SIGSEGV},
        {"first address that is no user's", 1ul << 38, 'r', SIGSEGV},
        {"last user page", (1ul << 38) - 4096, 'r', SIGSEGV},
        {"text write", (uintptr_t)main & ~3ul, 'w', SIGSEGV},
        {"constant write", (uintptr_t)constant, 'w', SIGSEGV},
        {"data run", (uintptr_t)data, 'x', SIGSEGV},
        {"PROT_NONE", (uintptr_t)none, 'r', SIGSEGV},
        {"unmapped", (uintptr_t)gone, 'r', SIGSEGV},
    };
    const struct access illegal = {"illegal instruction", 0, 'i', SIGILL};

    for (unsigned i = 0; i < sizeof list / sizeof *list; i++) {
        int status = in_child(&list[i], 0);
        say(WIFSIGNALED(status) && WTERMSIG(status) == list[i].signal, list[i].name, "default action", status);
        status = in_child(&list[i], 1);
        say(WIFEXITED(status) && WEXITSTATUS(status) == 7, list[i].name, "handler and address", status);
    }
    int status = in_child(&illegal, 0);
    say(WIFSIGNALED(status) && WTERMSIG(status) == SIGILL, illegal.name, "default action", status);
    return 0;
}
