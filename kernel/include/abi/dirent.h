/* Directory entries of getdents64(2). */
#ifndef ABI_DIRENT_H
#define ABI_DIRENT_H

#include <stdint.h>

#define DT_UNKNOWN 0
#define DT_FIFO 1
#define DT_CHR 2
#define DT_DIR 4
#define DT_BLK 6
#define DT_REG 8
#define DT_LNK 10
#define DT_SOCK 12

#define IFTODT(mode) (((mode)&0170000) >> 12)

#define NAME_MAX 255  /* bytes of one name, without the end mark */
#define PATH_MAX 4096 /* bytes of a path, with the end mark */

/* struct linux_dirent64: records follow each other, d_reclen apart and 8-aligned. */
struct abi_dirent {
    uint64_t d_ino;
    int64_t d_off; /* cookie for lseek: the position after this entry */
    uint16_t d_reclen;
    uint8_t d_type;
    char d_name[];
};

#define ABI_DIRENT_NAME 19 /* offset of d_name; sizeof would count the padding */
#define ABI_DIRENT_RECLEN(namelen) ((ABI_DIRENT_NAME + (namelen) + 1 + 7) & ~7UL)

#endif
