/* uname [-asnrvm]: names of the system, the machine in the network, release, version, hardware. */
#include "user/lib/tool.h"
#include "abi/utsname.h"

int main(int argc, char **argv) {
    struct opts o = opts_start(argv, "asnrvm", "[-asnrvm]");
    struct new_utsname u;
    const char *blank = "";
    static const char letters[] = "snrvm";
    const char *fields[] = {u.sysname, u.nodename, u.release, u.version, u.machine};
    unsigned wanted = 0;
    long r = sys_uname(&u);

    (void)argc;
    for (int c; (c = opt_next(&o)) != 0;)
        wanted |= c == 'a' ? 31 : 1u << (strchr(letters, (char)c) - letters);
    if (r < 0)
        return complain("uname", r);
    for (int i = 0; i < 5; i++) {
        if ((wanted ? wanted : 1) & (1u << i)) {
            out("%s%s", blank, fields[i]);
            blank = " ";
        }
    }
    out_char('\n');
    return out_flush();
}
