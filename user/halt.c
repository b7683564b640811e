/* halt: writes all that is dirty to the disks and stops the machine. */
#include "user/lib/tool.h"
#include "abi/reboot.h"

int main(int argc, char **argv) {
    long r;

    (void)argc;
    tool_name(argv[0]);
    sys_sync();
    r = sys_reboot((int)LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_HALT, 0);
    return complain("the machine", r);
}
