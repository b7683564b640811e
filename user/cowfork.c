/* cowfork: copy-on-write, by the program itself. The child gets our pages, not copies of them, and both of us may only
 * read them. Who writes one first takes a page fault, which comes to copy_on_write(): it makes a copy and puts that in the
 * page's place, and the write is done again.
 *
 * Why this needs care:
 *
 *   - our stack becomes read-only under our feet: the next function call faults, and handles that on the fault stack,
 *     which for this reason is never shared
 *   - copy_on_write() counts, in memory that may be shared itself: a fault in the handler of a fault, one level deep
 *   - a page that is read-only may be so because it is code or a constant; what was writable when it was shared is in cow[]
 *   - a system call may have to write to a shared page; the kernel has it fail, lets us make the copy, and does it again */
#include "user/lib/exokernel.h"
#include "abi/wait.h"

#define WINDOW ((char *)0x1f00000000)
#define AREAS 128

static struct area cow[AREAS];
static int nr_cow;

#define PAGES 16
static volatile char data[PAGES][PAGE] __attribute__((aligned(PAGE))); /* to see it work */
static volatile int copies;                                            /* of these */

static void must(const char *what, long r) {
    if (r < 0)
        die("%s: %s", what, errstr(r));
}

static bool is_cow(const char *page) {
    for (int i = 0; i < nr_cow; i++)
        if (page >= cow[i].start && page < cow[i].end)
            return true;
    return false;
}

static void copy_on_write(struct user_fault *f) {
    char *page = (char *)(f->address & ~(uint64_t)(PAGE - 1));

    if (f->access != FAULT_WRITE || !is_cow(page)) {
        sys_fault_upcall(0, 0, 0, 0); /* not ours: the access, tried again, is a SIGSEGV */
        return;
    }
    must("page_alloc", sys_page_alloc(0, WINDOW, PROT_READ | PROT_WRITE));
    memcpy(WINDOW, page, PAGE);
    must("page_map", sys_page_map(0, WINDOW, 0, page, PROT_READ | PROT_WRITE));
    must("page_unmap", sys_page_unmap(0, WINDOW));
    if (f->address - (uint64_t)data < sizeof(data))
        copies++;
}

/* What may be written, or could be before an earlier cowfork, as few ranges. */
static void note_cow(const struct area *areas, int n) {
    int nr = 0;
    static struct area found[AREAS];

    for (const struct area *a = areas; a < areas + n; a++) {
        if (a->shared || !(a->prot & PROT_WRITE || is_cow(a->start)) || a->start == fault_stack)
            continue;
        if (nr && found[nr - 1].end == a->start)
            found[nr - 1].end = a->end;
        else
            found[nr++] = *a;
    }
    memcpy(cow, found, sizeof(cow));
    nr_cow = nr;
}

static void share_page(int child, char *page, int prot) {
    bool cow_page = is_cow(page);

    must("page_map", sys_page_map(0, page, child, page, cow_page ? PROT_READ : prot));
    if (cow_page)
        must("page_map", sys_page_map(0, page, 0, page, PROT_READ));
}

static void share(int child, const struct area *a) {
    if (a->start != fault_stack) {
        for (char *page = a->start; page < a->end && a->prot & PROT_READ; page += PAGE)
            share_page(child, page, a->prot);
        return;
    }
    for (char *page = a->start; page < a->end; page += PAGE)
        must("page_alloc", sys_page_alloc(child, page, a->prot));
}

static int cowfork(void) {
    static struct area areas[AREAS];
    int n, child;

    must("fault_handle", fault_handle(copy_on_write));
    n = areas_read(areas, AREAS);
    note_cow(areas, n);
    child = (int)sys_exofork();
    if (child <= 0)
        return child;
    for (int i = 0; i < n; i++)
        share(child, &areas[i]);
    must("fault_upcall", sys_fault_upcall(child, fault_entry, fault_stack, FAULT_STACK));
    must("exo_start", sys_exo_start(child));
    return child;
}

/* ---- to see it work */

static void wait_for(int child, int want) {
    volatile int status = -1;

    must("wait", sys_wait4(child, (int *)&status, 0, 0));
    if (!WIFEXITED(status) || WEXITSTATUS(status) != want)
        die("child %d ended with status 0x%x", child, status);
}

/* A binary tree of processes; each writes what it is, and finds what it wrote when its children are gone. */
static int tree(int number, int depth) {
    int left, right;

    data[1][0] = (char)number;
    if (depth == 0)
        return data[1][0] != number;
    left = cowfork();
    must("cowfork", left);
    if (left == 0)
        exit(tree(2 * number, depth - 1));
    right = cowfork();
    must("cowfork", right);
    if (right == 0)
        exit(tree(2 * number + 1, depth - 1));
    wait_for(left, 0);
    wait_for(right, 0);
    return data[1][0] != number;
}

int main(int argc, char **argv) {
    int child, before;

    (void)argc;
    tool_name(argv[0]);
    for (int i = 0; i < PAGES; i++)
        data[i][0] = 'p';
    child = cowfork();
    must("cowfork", child);
    before = copies;
    if (child == 0) {
        for (int i = 0; i < 3; i++)
            data[i][0] = 'c';
        exit(copies - before);
    }
    wait_for(child, 3);
    for (int i = 0; i < PAGES; i++)
        if (data[i][0] != 'p')
            die("page %d has the child's byte", i);
    printf("%d pages shared, the child wrote 3 and copied 3\n", PAGES);
    if (tree(1, 3))
        die("the tree's root lost its number");
    printf("15 processes, each with its own number\n");
    return 0;
}
