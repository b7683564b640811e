/* kill [-SIGNAL] pid...: sends a signal, TERM if not said otherwise; SIGNAL is a name, with or
 * without SIG, or a number; 0 only asks whether the process is there. A negative pid is a process
 * group (kill -INT -12, kill -- -12). kill -l lists the names, kill -l NUMBER gives one. */
#include "user/lib/tool.h"

int main(int argc, char **argv) {
    (void)argc;
    return kill_command(argv, 0);
}
