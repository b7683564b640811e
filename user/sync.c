/* sync: writes all that is dirty to the disks. */
#include "user/lib/tool.h"

int main(void) {
    sys_sync();
    return 0;
}
