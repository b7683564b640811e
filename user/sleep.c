/* sleep seconds: waits; a fraction is allowed, as in 0.25. */
#include "user/lib/tool.h"

int main(int argc, char **argv) {
    struct timespec t = {0, 0};
    const char *p;
    int64_t unit = 100000000;

    tool_name(argv[0]);
    if (argc != 2)
        die("usage: sleep seconds");
    for (p = argv[1]; *p >= '0' && *p <= '9'; p++)
        t.tv_sec = t.tv_sec * 10 + *p - '0';
    if (*p == '.') {
        for (p++; *p >= '0' && *p <= '9'; p++, unit /= 10)
            t.tv_nsec += (*p - '0') * unit;
    }
    if (*p || p == argv[1])
        die("%s: not a number of seconds", argv[1]);
    while (sys_nanosleep(&t, &t) == -EINTR)
        ;
    return 0;
}
