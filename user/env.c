/* env [-i] [NAME=value...] [program [argument...]]: runs a program in a changed environment, or
 * prints the environment. */
#include "user/lib/tool.h"

int main(int argc, char **argv) {
    static char *empty[] = {0};
    char **p = argv + 1;
    long r;

    (void)argc;
    tool_name(argv[0]);
    if (*p && strcmp(*p, "-i") == 0) {
        environ = empty;
        p++;
    }
    for (; *p && strchr(*p, '='); p++) {
        char *eq = strchr(*p, '=');
        *eq = 0;
        setenv(*p, eq + 1);
    }
    if (*p) {
        r = exec_path(p);
        complain(*p, r);
        return r == -ENOENT ? 127 : 126;
    }
    for (char **e = environ; *e; e++)
        out("%s\n", *e);
    return out_flush();
}
