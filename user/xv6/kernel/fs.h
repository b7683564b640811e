/* xv6's file system format: programs use its limits and the form of a directory entry, which read()
 * on a directory makes up; the disk of xv39 has another format. */
#ifndef XV6_FS_H
#define XV6_FS_H

#include "kernel/types.h"

#define ROOTINO 1
#define BSIZE 1024 /* bytes of a block */
#define FSMAGIC 0x10203040

struct superblock {
    uint magic;
    uint size;       /* blocks of the whole image */
    uint nblocks;    /* data blocks */
    uint ninodes;    /* inodes */
    uint nlog;       /* log blocks */
    uint logstart;   /* block number of the first log block */
    uint inodestart; /* of the first inode block */
    uint bmapstart;  /* of the first bitmap block */
};

#define NDIRECT 12
#define NINDIRECT (BSIZE / sizeof(uint))
#define MAXFILE (NDIRECT + NINDIRECT) /* blocks */

struct dinode {
    short type;
    short major;
    short minor;
    short nlink;
    uint size;
    uint addrs[NDIRECT + 1];
};

#define IPB (BSIZE / sizeof(struct dinode))
#define IBLOCK(i, sb) ((i) / IPB + (sb).inodestart)
#define BPB (BSIZE * 8)
#define BBLOCK(b, sb) ((b) / BPB + (sb).bmapstart)

#define DIRSIZ 14 /* bytes of a name; a name of this length has no end mark */

struct dirent {
    ushort inum; /* 0: free */
    char name[DIRSIZ];
};

#endif
