/* rmdir dir...: removes empty directories. */
#include "user/lib/tool.h"
#include "abi/fcntl.h"

int main(int argc, char **argv) {
    int status = 0;

    tool_name(argv[0]);
    if (argc < 2)
        die("no directory named");
    for (char **p = argv + 1; *p; p++) {
        long r = sys_unlinkat(AT_FDCWD, *p, AT_REMOVEDIR);
        if (r < 0)
            status = complain(*p, r);
    }
    return status;
}
