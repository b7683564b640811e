/* renice [-n] N [-p|-g|-u] id...: sets the niceness of processes (-p), process groups (-g) or of
 * all that a user has (-u, a number), renice(1). */
#include "user/lib/tool.h"
#include "abi/resource.h"

#define USAGE "usage: renice [-n] N [-p|-g|-u] id..."

int main(int argc, char **argv) {
    int which = PRIO_PROCESS, status = 0;
    long nice, id, r;
    char **p = argv + 1;

    tool_name(argv[0]);
    if (*p && strcmp(*p, "-n") == 0)
        p++;
    if (argc < 3 || !*p || !parse_num(*p++, 10, &nice) || !*p)
        die(USAGE);
    for (; *p; p++) {
        if (strcmp(*p, "-p") == 0)
            which = PRIO_PROCESS;
        else if (strcmp(*p, "-g") == 0)
            which = PRIO_PGRP;
        else if (strcmp(*p, "-u") == 0)
            which = PRIO_USER;
        else if (!parse_num(*p, 10, &id) || id < 0)
            die("%s: not a number", *p);
        else if ((r = sys_setpriority(which, (int)id, (int)nice)) < 0)
            status = complain(*p, r);
    }
    return status;
}
