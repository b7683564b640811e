/* xv6's limits. Programs measure themselves against them; xv39's own limits are far higher. */
#ifndef XV6_PARAM_H
#define XV6_PARAM_H

#define NPROC 64                    /* processes */
#define NCPU 8                      /* harts */
#define NOFILE 16                   /* open files of a process */
#define NFILE 100                   /* open files of the system */
#define NINODE 50                   /* inodes in use */
#define NDEV 10                     /* device major numbers */
#define ROOTDEV 1                   /* device number of the root disk */
#define MAXARG 32                   /* arguments of exec */
#define MAXOPBLOCKS 10              /* blocks that one file system operation writes */
#define LOGBLOCKS (MAXOPBLOCKS * 3) /* data blocks in the log */
#define LOGSIZE (MAXOPBLOCKS * 3)
#define NBUF (MAXOPBLOCKS * 3) /* cached blocks */
#define FSSIZE 2000            /* blocks of the file system */
#define MAXPATH 128            /* bytes of a path, with the end mark */
#define USERSTACK 1            /* pages of a user stack */

#endif
