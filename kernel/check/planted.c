/*
 * PLANT=1, for tests of the checks only: one function for each kind of bug (planted_*.c), called by writing its name to
 * /proc/xv39/plant.
 */
#include "check/planted.h"

#include "abi/errno.h"
#include "fs/proc.h"
#include "lib/string.h"

static const struct planted *const groups[] = {memory_bugs, race_bugs,  chaos_bugs,
                                               leak_bugs,   locks_bugs, work_tests};

static int write_plant(const char *text, size_t n) {
    (void)n;
    for (u32 g = 0; g < ARRAY_SIZE(groups); g++)
        for (const struct planted *bug = groups[g]; bug->name; bug++) {
            size_t len = strlen(bug->name);
            if (strncmp(text, bug->name, len) == 0 && (text[len] == '\n' || text[len] == '\0')) {
                bug->plant();
                return 0;
            }
        }
    return -EINVAL;
}

void planted_init(void) {
    proc_add("xv39/plant", 0200, NULL, write_plant);
    maze_init();
}
