/*
 * A planted bug for fuzzers: /proc/xv39/maze takes commands, and one command in very many writes behind the table.
 */
#include "check/planted.h"

#include "abi/errno.h"
#include "fs/proc.h"
#include "lib/string.h"
#include "mm/slab.h"

#define CELLS 3

struct maze_command {
    u64 operation;  // 2: set a cell
    u64 cell, value;
};

static u64 *cells;

static void set_cell(const struct maze_command *c) {
    u64 cell = c->cell;
    cells[hide(cell)] = c->value;  // wrong
}

static int write_maze(const char *text, size_t n) {
    struct maze_command c;
    if (n < sizeof(c))
        return -EINVAL;
    memcpy(&c, text, sizeof(c));
    if (c.operation != 2 || c.cell > CELLS)  // one too many
        return -EINVAL;
    set_cell(&c);
    return 0;
}

void maze_init(void) {
    cells = kzalloc(CELLS * sizeof(*cells));
    if (cells)
        proc_add("xv39/maze", 0222, NULL, write_maze);
}
