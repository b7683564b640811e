/* From the kernel's stack to main.
 *
 * Linux gives a program one stack: argc, argv pointers, 0, environment pointers, 0, auxiliary
 * vector, and above them the strings. Our own tools run on it. A program that names user/user.h
 * has xv6_stack linked in (see stack.c) and gets what xv6 gives: a stack of one page below the
 * heap, the page under it unmapped in effect, and no SIGPIPE. The arguments stay where Linux put
 * them. */
#define XV39_TOOL
#include "user/user.h"
#include "user/lib/sys.h"
#include "user/lib/start.h"
#include "abi/elf.h"
#include "abi/mman.h"
#include "abi/signal.h"

int main(int argc, char **argv);

extern char xv6_stack[] __attribute__((weak));

char **environ;
static const Elf64_auxv_t *auxv;

bool is_xv6_program(void) { return xv6_stack != 0; }

uint64_t auxval(uint64_t type) {
    for (const Elf64_auxv_t *a = auxv; a && a->a_type != AT_NULL; a++) {
        if (a->a_type == type)
            return a->a_val;
    }
    return 0;
}

static void run_main(void *arg) {
    uint64_t *argc = arg;
    exit(main((int)*argc, (char **)(argc + 1)));
}

static void run_as_xv6(void *arg) {
    struct sigaction ignore = {.sa_handler = SIG_IGN};

    sys_rt_sigaction(SIGPIPE, &ignore, 0, sizeof(ignore.sa_mask));
    sys_mprotect(xv6_stack, PAGE, PROT_NONE);
    call_on_stack(run_main, arg, xv6_stack + 2 * PAGE);
}

void start_c(uint64_t *stack) {
    char **env = (char **)(stack + 1) + *stack + 1;

    environ = env;
    while (*env)
        env++;
    auxv = (const Elf64_auxv_t *)(env + 1);
    if (is_xv6_program())
        run_as_xv6(stack);
    run_main(stack);
}
