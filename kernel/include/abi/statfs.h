/* statfs(2). */
#ifndef ABI_STATFS_H
#define ABI_STATFS_H

#include <stdint.h>

struct statfs {
    int64_t f_type; /* *_MAGIC */
    int64_t f_bsize;
    uint64_t f_blocks; /* of f_frsize bytes */
    uint64_t f_bfree;
    uint64_t f_bavail;
    uint64_t f_files;
    uint64_t f_ffree;
    struct {
        int32_t val[2];
    } f_fsid;
    int64_t f_namelen;
    int64_t f_frsize;
    int64_t f_flags; /* ST_* */
    int64_t f_spare[4];
};

_Static_assert(sizeof(struct statfs) == 120, "struct statfs is 120 bytes");

#define ST_RDONLY 0x0001
#define ST_NOSUID 0x0002
#define ST_NODEV 0x0004
#define ST_NOEXEC 0x0008
#define ST_SYNCHRONOUS 0x0010
#define ST_VALID 0x0020
#define ST_NOATIME 0x0400
#define ST_RELATIME 0x1000

#define EXT2_SUPER_MAGIC 0xEF53
#define EXT3_SUPER_MAGIC 0xEF53
#define TMPFS_MAGIC 0x01021994
#define PROC_SUPER_MAGIC 0x9fa0
#define SYSFS_MAGIC 0x62656572
#define DEVPTS_SUPER_MAGIC 0x1cd1
#define PIPEFS_MAGIC 0x50495045
#define ANON_INODE_FS_MAGIC 0x09041934
#define SOCKFS_MAGIC 0x534F434B

#endif
