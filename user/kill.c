/* kill [-SIGNAL] pid...: sends a signal, TERM if not said otherwise; -l lists the names. A
 * negative number is a process group. */
#include "user/lib/tool.h"

static int list(void) {
    for (int sig = 1; signal_name(sig); sig++)
        out("%d %s\n", sig, signal_name(sig));
    return out_flush();
}

int main(int argc, char **argv) {
    int sig = SIGTERM, status = 0;
    char **p = argv + 1;

    tool_name(argv[0]);
    if (argc > 1 && strcmp(*p, "-l") == 0)
        return list();
    if (argc > 2 && strcmp(*p, "-s") == 0) {
        sig = signal_number(p[1]);
        p += 2;
    } else if (argc > 2 && **p == '-' && strcmp(*p, "--") != 0) {
        sig = signal_number(*p++ + 1);
    }
    if (sig < 0)
        die("no such signal");
    if (*p && strcmp(*p, "--") == 0)
        p++;
    if (!*p)
        die("usage: kill [-SIGNAL] pid...");
    for (; *p; p++) {
        long pid, r;
        if (!parse_num(*p, 10, &pid))
            die("%s: not a process number", *p);
        r = sys_kill((int)pid, sig);
        if (r < 0)
            status = complain(*p, r);
    }
    return status;
}
