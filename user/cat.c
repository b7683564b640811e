/* cat [file...]: copies files, or standard input, to standard output. */
#include "user/lib/tool.h"

static int cat(int fd, const char *name) {
    bool reading;
    long r = copy_fd(fd, 1, &reading);

    return r < 0 ? complain(reading ? name : "standard output", r) : 0;
}

int main(int argc, char **argv) {
    struct opts o = opts_start(argv, "u", "[file...]");

    (void)argc;
    while (opt_next(&o))
        ;
    return each_input(o.argv, cat);
}
