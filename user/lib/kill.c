/* kill(1), of which there are two: the program and the shell's, which knows jobs. */
#include "user/lib/tool.h"

/* One name or number each, or all that there are. A status of wait4 counts as its signal. */
static int list(char **p) {
    int status = 0;

    for (int sig = 1; !*p && sig < SIGRTMIN; sig++)
        out("%2d %-7s%c", sig, signal_name(sig), sig % 8 == 0 || sig == SIGSYS ? '\n' : ' ');
    for (; *p; p++) {
        int sig = signal_number(*p);
        bool number = **p >= '0' && **p <= '9';
        if (sig < 0 && number && atoi(*p) > 128)
            sig = atoi(*p) - 128;
        if (sig < 0 || !signal_name(sig)) {
            fprintf(2, "kill: %s: no such signal\n", *p);
            status = 1;
        } else if (number) {
            out("%s\n", signal_name(sig));
        } else {
            out("%d\n", sig);
        }
    }
    return out_flush() | status;
}

static int send(char **p, int sig, int (*job)(const char *spec)) {
    int status = 0;

    for (; *p; p++) {
        bool of_job = job && **p == '%';
        long pid = of_job ? job(*p) : 0, r;

        if (!of_job && !parse_num(*p, 10, &pid))
            r = -EINVAL;
        else
            r = of_job && !pid ? -ESRCH : sys_kill((int)pid, sig);
        if (r < 0) {
            fprintf(2, "kill: %s: %s\n", *p, errstr(r));
            status = 1;
        }
    }
    return status;
}

int kill_command(char **argv, int (*job)(const char *spec)) {
    char **p = argv + 1, *name = 0;
    int sig = SIGTERM;

    if (*p && strcmp(*p, "-l") == 0)
        return list(p + 1);
    if (*p && (strcmp(*p, "-s") == 0 || strcmp(*p, "-n") == 0) && p[1]) {
        name = p[1];
        p += 2;
    } else if (*p && **p == '-' && (*p)[1] && strcmp(*p, "--") != 0) {
        name = *p++ + 1;
    }
    if (name && (sig = signal_number(name)) < 0) {
        fprintf(2, "kill: %s: no such signal\n", name);
        return 1;
    }
    if (*p && strcmp(*p, "--") == 0)
        p++;
    if (!*p) {
        fprintf(2, "usage: kill [-SIGNAL | -s SIGNAL] pid..., or kill -l [signal...]\n");
        return 2;
    }
    return send(p, sig, job);
}
