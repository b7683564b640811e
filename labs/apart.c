/* labapart CASE PATIENCE: runs a case that calls what students wrote for programs, their library of threads, say. That is
 * linked in here and nowhere else: the program that judges (judge.c) starts this one, and believes its exit status. What is
 * wrong goes to file 3. A case has passed only when it came to its end, so a library that ends the program early proves nothing. */
#include "user/labtest/judge.h"
#include "abi/prctl.h"

static const struct test *wanted;
static volatile uint64_t *at_its_end; /* shared with the case */

static void whole(void) {
    wanted->run();
    *at_its_end = 1;
}

static int run(const char *name, char *why, size_t size) {
    struct test t = {name, whole, QUICK};
    int result;

    wanted = find_case(name);
    if (!wanted) {
        snprintf(why, size, "there is no such case");
        return 1;
    }
    at_its_end = shared_page();
    result = run_case(&t, why, size);
    if (result == 0 && !*at_its_end) {
        snprintf(why, size, "the program ended before the test was over");
        result = 1;
    }
    return result;
}

int main(int argc, char **argv) {
    static char why[500];
    int result;

    if (argc != 3)
        return 2;
    self_argv = argv;
    seed = (uint64_t)getpid() * 7919 + (uint64_t)now_ms();
    cases_patience = atoi(argv[2]);
    sys_fcntl(3, F_SETFD, FD_CLOEXEC);
    sys_prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    result = run(argv[1], why, sizeof(why));
    write_all(3, why, strlen(why));
    return result;
}
