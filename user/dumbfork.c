/* dumbfork: fork without the kernel's fork. exofork makes a child that has our registers and no memory; we copy ours into
 * it, page by page, and let it run. That is all that fork is; cowfork does the same with less work.
 *
 * A page gets there in three steps: a new one where nothing else is, filled there, then mapped into the child and unmapped
 * here. So it is seen twice for a moment, and copied once. */
#include "user/lib/exokernel.h"
#include "abi/wait.h"

#define WINDOW ((char *)0x1f00000000)

static void must(const char *what, long r) {
    if (r < 0)
        die("%s: %s", what, errstr(r));
}

static void copy_page(int child, char *page, int prot) {
    must("page_alloc", sys_page_alloc(0, WINDOW, PROT_READ | PROT_WRITE));
    memcpy(WINDOW, page, PAGE);
    must("page_map", sys_page_map(0, WINDOW, child, page, prot));
    must("page_unmap", sys_page_unmap(0, WINDOW));
}

/* Both come out of exofork, with the same registers but for a0; the child later, when it finds on its stack what we had
 * on ours. */
static int dumbfork(void) {
    struct area areas[32];
    int n = areas_read(areas, 32), child = (int)sys_exofork();

    if (child <= 0)
        return child;
    for (struct area *a = areas; a < areas + n; a++)
        for (char *page = a->start; page < a->end && a->prot & PROT_READ; page += PAGE)
            copy_page(child, page, a->prot);
    must("exo_start", sys_exo_start(child));
    return child;
}

int main(int argc, char **argv) {
    volatile int rounds = 0;
    int status, child;

    (void)argc;
    tool_name(argv[0]);
    child = dumbfork();
    must("dumbfork", child);
    for (; rounds < (child ? 5 : 10); rounds++) {
        printf("%d: I am the %s\n", rounds, child ? "parent" : "child");
        sys_sched_yield();
    }
    if (child == 0)
        return rounds;
    must("wait", sys_wait4(child, &status, 0, 0));
    if (rounds != 5 || !WIFEXITED(status) || WEXITSTATUS(status) != 10)
        die("the child ended with status 0x%x", status);
    printf("the child's %d rounds were its own\n", WEXITSTATUS(status));
    return 0;
}
