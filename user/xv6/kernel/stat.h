/* What fstat and stat tell of a file, in xv6's form. */
#ifndef XV6_STAT_H
#define XV6_STAT_H

#include "kernel/types.h"

#define T_DIR 1
#define T_FILE 2
#define T_DEVICE 3
#define T_SYMLINK 4

struct stat {
    int dev;     /* device of the file system */
    uint ino;    /* inode number */
    short type;  /* T_* */
    short nlink; /* hard links */
    uint64 size; /* bytes */
};

#endif
