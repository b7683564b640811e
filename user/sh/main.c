/* sh [-eix] [-c text [name [argument...]]] [script [argument...]]: the shell.
 *
 * parse.c makes a tree of each line, expand.c expands words, run.c walks the tree, jobs.c follows
 * processes and the terminal, builtin.c has the commands that run in the shell, vars.c the
 * variables. The language is POSIX's without functions, aliases, traps and tildes. */
#include "user/sh/sh.h"
#include "abi/fcntl.h"
#include "abi/termios.h"

static bool is_terminal(int fd) {
    struct termios t;

    return sys_ioctl(fd, TCGETS, &t) == 0;
}

static void set_arguments(char **argv) {
    params = argv;
    while (params[param_count])
        param_count++;
}

static int run_script(char **argv) {
    long fd = sys_openat(AT_FDCWD, argv[0], O_RDONLY, 0), high;
    struct input in = {.text = ""};

    if (fd < 0) {
        fprintf(2, "sh: %s: %s\n", argv[0], errstr(fd));
        return 127;
    }
    high = sys_fcntl((int)fd, F_DUPFD_CLOEXEC, 10); /* out of the way of redirections */
    sys_close((int)fd);
    shell_name = argv[0];
    set_arguments(argv + 1);
    in.fd = in.reader.fd = (int)high;
    return run_input(&in);
}

static int run_command_text(const char *text, char **argv) {
    if (argv[0]) {
        shell_name = argv[0];
        set_arguments(argv + 1);
    } else {
        set_arguments(argv);
    }
    return run_text(text);
}

int main(int argc, char **argv) {
    struct opts o = opts_start(argv, "c:eixs", "[-eix] [-c text] [script [argument...]]");
    const char *text = 0;
    struct input in = {.text = ""};

    (void)argc;
    for (int c; (c = opt_next(&o)) != 0;) {
        interactive |= c == 'i';
        errexit |= c == 'e';
        trace |= c == 'x';
        if (c == 'c')
            text = o.arg;
    }
    shell_pid = getpid();
    vars_import(environ);
    if (!text && !*o.argv && is_terminal(0))
        interactive = true;
    if (text)
        return run_command_text(text, o.argv);
    if (*o.argv)
        return run_script(o.argv);
    set_arguments(o.argv);
    in.prompt = interactive;
    jobs_start();
    return run_input(&in);
}
