/* forktest: forks until that fails, and sees that all children end. Written to xv6's API; run it
 * in a small machine, or as a user with a process limit. */
#include "kernel/types.h"
#include "kernel/stat.h"
#include "user/user.h"

#define MANY 1000

int main(void) {
    int n, pid;

    printf("fork test\n");
    for (n = 0; n < MANY; n++) {
        pid = fork();
        if (pid < 0)
            break;
        if (pid == 0)
            exit(0);
    }
    if (n == MANY) {
        printf("fork claimed to work %d times!\n", MANY);
        exit(1);
    }
    for (int i = 0; i < n; i++) {
        if (wait(0) < 0) {
            printf("wait stopped early\n");
            exit(1);
        }
    }
    if (wait(0) != -1) {
        printf("wait got too many\n");
        exit(1);
    }
    printf("fork test OK: %d children\n", n);
    exit(0);
}
